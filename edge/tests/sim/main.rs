//! The whole edge in a deterministic simulation: clients, an edge of two workers, a parent and an origin on a simulated
//! network. A seed decides everything, the order of tasks that are ready included.
//!
//! `SEED=n cargo test -p lastmile-edge --test sim` runs one again, and `SEEDS=n` runs the first n, `SEEDS=m..n` those
//! from m on.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test: a panic is its way to fail"
)]
#![allow(missing_docs, unreachable_pub, reason = "a program of its own")]

mod ask;
mod catalogue;
mod choice;
mod client;
mod disk;
mod journal;
mod net;
mod oracle;
mod origin;
mod reached;
mod reader;
mod scenario;
mod settings;
mod wire;
mod world;

use core::ops::Range;
use reached::{COUNTERS, OUT_OF_REACH, RARE};
use scenario::{Outcome, run};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// As many as take some seconds; all kinds of scenarios are among the first forty.
const SEEDS: u64 = 400;
/// Fewer may miss an outcome that more reach.
const SEEDS_THAT_REACH_ALL: u64 = SEEDS;

fn replay(seed: u64) -> Outcome {
    let outcome = catch_unwind(AssertUnwindSafe(|| run(seed)));
    let again = format!("SEED={seed} cargo test -p lastmile-edge --test sim");
    let Ok(outcome) = outcome else { panic!("seed {seed} panicked; again: {again}") };
    let found = &outcome.violations;
    assert!(found.is_empty(), "seed {seed}: {}\nagain: {again}", found.join("\n  "));
    outcome
}

/// The seeds that the environment wants, else all that are run each time.
fn wanted() -> Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = number("SEED") {
        return seed..seed + 1;
    }
    let seeds = std::env::var("SEEDS").unwrap_or_default();
    match seeds.split_once("..").and_then(|(m, n)| Some(m.parse().ok()?..n.parse().ok()?)) {
        Some(range) => range,
        None => 0..number("SEEDS").unwrap_or(SEEDS),
    }
}

#[test]
fn every_seed_satisfies_the_oracles() {
    let seeds = wanted();
    let is_single = seeds.end - seeds.start == 1;
    let reaches_all = seeds.end - seeds.start >= SEEDS_THAT_REACH_ALL;
    let (mut sums, mut interim) = (BTreeMap::<&str, u64>::new(), 0);
    for seed in seeds {
        let outcome = replay(seed);
        if is_single {
            let counters = outcome.counters.iter().filter(|(_, value)| **value > 0);
            let counters: Vec<_> = counters.collect();
            println!("seed {seed}: trace {:016x}, counters {counters:?}", outcome.trace);
        }
        interim += outcome.interim;
        for (name, value) in outcome.counters {
            *sums.entry(name).or_default() += value;
        }
    }
    if reaches_all {
        sums.insert("interim responses", interim);
        judge_reached(&sums);
    }
}

/// Every outcome is reached, but for those that are said to be out of reach: those are not.
fn judge_reached(sums: &BTreeMap<&str, u64>) {
    let reason = |name: &str| {
        let rest = name.strip_prefix("decisions_total{reason=\"")?;
        rest.strip_suffix("\"}").map(str::to_owned)
    };
    let is_in = |list: &[(&str, &str)], found: &str| list.iter().any(|(name, _)| *name == found);
    let is_out_of_reach = |found: &str| is_in(OUT_OF_REACH, found);
    let mut missing = Vec::new();
    for (name, sum) in sums {
        let must_be = match reason(name) {
            Some(reason) => !is_out_of_reach(&reason) && !is_in(RARE, &reason),
            None => COUNTERS.contains(name) || *name == "interim responses",
        };
        if must_be && *sum == 0 {
            missing.push(*name);
        }
        let is_surprise = *sum > 0 && reason(name).is_some_and(|reason| is_out_of_reach(&reason));
        assert!(!is_surprise, "{name} is within reach after all");
    }
    assert!(missing.is_empty(), "never reached: {missing:?} in {sums:?}");
    let unknown: Vec<_> = COUNTERS.iter().filter(|name| !sums.contains_key(**name)).collect();
    assert!(unknown.is_empty(), "no such counters: {unknown:?}");
}

#[test]
fn a_seed_replays_to_the_same_trace() {
    for seed in [0, 2, 3, 5, 6, 8, 9, 10] {
        assert_eq!(run(seed).trace, run(seed).trace, "seed {seed}");
    }
    assert_ne!(run(4).trace, run(7).trace, "seeds differ");
}
