//! Calm, exact and smooth, in virtual time.

use super::*;
use crate::{Config, ZoneSource, load};
use proptest::prelude::*;

/// Two regions, a with two edges and b with one, all of capacity 100.
fn policy() -> std::sync::Arc<Policy> {
    let region =
        |name: &str, near: &str| format!("[[region]]\nname = \"{name}\"\nnearest = [\"{near}\"]\n");
    let edge = |name: &str, region: &str, last: u8| {
        format!(
            "[[edge]]\nname = \"{name}\"\nregion = \"{region}\"\naddresses = [\"192.0.2.{last}\"]\n"
        )
    };
    let edges = [edge("a1", "a", 1), edge("a2", "a", 2), edge("b1", "b", 3)].concat();
    let text = region("a", "b") + &region("b", "a") + &edges;
    let zone = Some(ZoneSource::Inline { name: "x".to_owned(), text });
    load::load(&Config { zone, ..Config::default() }).unwrap().0.policy
}

/// Utilisations for so many clients of a and b, by edge and in the unit of its capacity, when they follow at once.
fn loads(balance: &Balance, a: f64, b: f64) -> [f64; 3] {
    let parts: Vec<_> = balance.edge_parts().collect();
    let regions: Vec<_> = balance.region_parts().collect();
    let (a_stays, b_stays) = (a * regions[0].0, b * regions[1].0);
    let (to_b, to_a) = ((a - a_stays) * regions[1].1, (b - b_stays) * regions[0].1);
    // Who finds no room stays.
    let in_a = a - to_b + to_a;
    let in_b = b - to_a + to_b;
    let sum = parts[0] + parts[1];
    [in_a * parts[0] / sum, in_a * parts[1] / sum, in_b]
}

fn seen(utilisation: [f64; 3]) -> [Observed; 3] {
    utilisation.map(|it| Observed { is_up: true, utilisation: Some(it) })
}

/// After so many seconds with this demand.
fn after(balance: &mut Balance, seconds: std::ops::Range<u64>, a: f64, b: f64) -> [f64; 3] {
    for second in seconds {
        let now = loads(balance, a, b);
        balance.step(Duration::from_secs(second), &seen(now));
    }
    loads(balance, a, b)
}

#[test]
fn a_full_region_leaves_to_the_next_one_what_it_cannot_bear() {
    for (a, b, why) in [
        (1.0, 0.5, "all have room"),
        (1.8, 0.3, "a is fuller than its mark"),
        (2.4, 0.1, "a is over its capacity"),
    ] {
        let mut balance = Balance::new(&policy());
        let end = after(&mut balance, 0..600, a, b);
        let full = Marks::default().full + 0.05;
        assert!(end.iter().all(|it| *it < full), "{why}: {end:?}");
        let has_moved = loads(&Balance::new(&policy()), a, b) != end;
        assert_eq!(has_moved, a > 1.5, "{why}: {end:?}");
        let later = after(&mut balance, 600..700, a, b);
        let moved = end.iter().zip(later).map(|(one, other)| (one - other).abs());
        assert!(moved.fold(0.0, f64::max) < 0.02, "{why}: it is calm: {end:?} {later:?}");
        let back = after(&mut balance, 700..1500, 1.0, 0.5);
        assert_eq!(back, [0.5, 0.5, 0.5], "{why}: all are taken again");
    }
}

#[test]
fn without_room_anywhere_all_are_equally_full() {
    let mut balance = Balance::new(&policy());
    let end = after(&mut balance, 0..900, 3.3, 0.3);
    assert!(end.iter().all(|it| (1.1..1.3).contains(it)), "1.2 each: {end:?}");
}

#[test]
fn who_says_nothing_is_left_alone() {
    let mut balance = Balance::new(&policy());
    let nothing = [Observed { is_up: true, utilisation: None }; 3];
    for second in 0..100 {
        balance.step(Duration::from_secs(second), &nothing);
    }
    assert!(balance.edge_parts().all(|part| part == 1.0));
    assert!(balance.region_parts().all(|parts| parts == (1.0, 1.0)));
    // One that says it is full leaves its clients to a neighbour that says nothing, and takes them again afterwards.
    let mut full = nothing;
    full[2].utilisation = Some(2.0);
    for second in 100..130 {
        balance.step(Duration::from_secs(second), &full);
    }
    let own = balance.region_parts().nth(1).unwrap().0;
    assert!(own < 0.6, "{own}");
    for second in 130..300 {
        balance.step(Duration::from_secs(second), &nothing);
    }
    assert!(balance.region_parts().all(|parts| parts == (1.0, 1.0)));
}

#[test]
fn a_part_changes_by_so_much_in_a_second_at_most() {
    let mut balance = Balance::new(&policy());
    let mut before = 1.0;
    for second in 0..60 {
        balance.step(Duration::from_secs(second), &seen([9.0, 9.0, 0.1]));
        let own = balance.region_parts().next().unwrap().0;
        assert!(before - own <= FALL_PER_S + 1e-9, "from {before} to {own} in a second");
        before = own;
    }
    assert!(before < 0.2, "but it falls: {before}");
}

proptest! {
    #[test]
    fn the_more_there_is_the_smaller_the_part(demand in 0.0..20.0, more in 0.0..5.0) {
        let (one, other) = (part(demand, 0.75, 0.85), part(demand + more, 0.75, 0.85));
        prop_assert!(other <= one && one <= 1.0 && other > 0.0);
        prop_assert!((demand + more) * other >= demand * one - 1e-9, "what is taken never falls");
        prop_assert!((demand + more) * other <= 0.85 + 1e-9, "and never reaches the mark");
    }

    #[test]
    fn parts_stay_within_0_and_1(
        loads in proptest::collection::vec((any::<bool>(), proptest::option::of(0.0..100.0)), 60)
    ) {
        let mut balance = Balance::new(&policy());
        for (second, three) in (0..).zip(loads.chunks(3)) {
            let observe = |&(is_up, utilisation): &(bool, Option<f64>)| Observed { is_up, utilisation };
            let observed: Vec<_> = three.iter().map(observe).collect();
            balance.step(Duration::from_secs(second), &observed);
            prop_assert!(balance.edge_parts().all(|part| (PART_MIN..=1.0).contains(&part)));
            let mut parts = balance.region_parts();
            prop_assert!(parts.all(|(own, guests)| (PART_MIN..=1.0).contains(&own) && (0.0..=1.0).contains(&guests)));
        }
    }
}
