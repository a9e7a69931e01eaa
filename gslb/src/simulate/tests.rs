//! The goals hold in short days, and a day is the same each time.

use super::*;

fn settings(seed: u64) -> Settings {
    Settings { clients: 1000, seconds: 2400, seed, ..Settings::default() }
}

#[test]
fn the_goals_hold_in_a_short_day() {
    for seed in 1..=3 {
        let simulated = simulate(&settings(seed));
        assert_eq!(simulated.goals.len(), 4);
        for goal in &simulated.goals {
            assert!(goal.reached, "seed {seed}: {goal:?} {:?}", simulated.figures);
        }
        let figures = &simulated.figures;
        assert!(figures.utilisation_max > 0.85, "somebody had too much: {figures:?}");
        assert!(figures.moved_by_loss > 0.9, "who had the edge has moved: {figures:?}");
        assert!(figures.moved_by_percent < 0.03, "a little more moves few: {figures:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_day_and_another_one_another() {
    let short = Settings { clients: 200, seconds: SECONDS_MIN, ..Settings::default() };
    let one = simulate(&short);
    assert_eq!(one, simulate(&short));
    assert_ne!(one.figures, simulate(&Settings { seed: 2, ..short }).figures);
    assert_eq!(one.clients.len(), 200);
    assert_eq!(one.moments.len(), 38, "from 60 s on, each 30 s");
}
