//! The whole edge in a deterministic simulation: clients, an edge of two workers, a parent and an origin on a simulated
//! network. A seed decides everything; `SEED=n cargo test -p lastmile-edge --test sim` runs one again, and `SEEDS=n` runs
//! as many as that.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test: a panic is its way to fail"
)]
#![allow(missing_docs, unreachable_pub, reason = "a program of its own")]

mod client;
mod net;
mod oracle;
mod origin;
mod scenario;
mod world;

use scenario::{Outcome, run};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// As many as take some seconds; all kinds of scenarios and all outcomes are among the first hundred.
const SEEDS: u64 = 400;

/// What must have happened at least once over all seeds, or the simulation has lost its teeth.
const REACHED: &[(&str, &str)] = &[
    ("hits_total", "hit"),
    ("misses_total", "miss"),
    ("collapsed_total", "collapsed"),
    ("revalidations_total", "revalidation"),
    ("revalidated_total", "revalidated: a 304 from upstream"),
    ("passes_total", "pass"),
    ("stored_total", "stored"),
    ("uncacheable_total", "uncacheable"),
    ("overflowed_total", "overflow"),
    ("readers_lapped_total", "lapped"),
    ("aborted_total", "aborted"),
    ("client_errors_total", "client error"),
    ("requests_bad_total", "refusal"),
    ("request_timeouts_total", "timeout"),
    ("upstream_errors_total", "upstream error"),
    ("upstream_reuses_total", "kept connection used"),
    ("upstream_retries_total", "kept connection closed by its server"),
    ("ram_evictions_total", "eviction"),
];

fn replay(seed: u64) -> Outcome {
    let outcome = catch_unwind(AssertUnwindSafe(|| run(seed)));
    let again = format!("SEED={seed} cargo test -p lastmile-edge --test sim");
    let Ok(outcome) = outcome else { panic!("seed {seed} panicked; again: {again}") };
    let found = &outcome.violations;
    assert!(found.is_empty(), "seed {seed}: {}\nagain: {again}", found.join("\n  "));
    outcome
}

#[test]
fn every_seed_satisfies_the_oracles() {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        let outcome = replay(seed);
        println!("seed {seed}: trace {:016x}, counters {:?}", outcome.trace, outcome.counters);
        return;
    }
    let mut sums = BTreeMap::<&str, u64>::new();
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    for seed in 0..seeds.unwrap_or(SEEDS) {
        for (name, value) in replay(seed).counters {
            *sums.entry(name).or_default() += value;
        }
    }
    let missing = REACHED.iter().filter(|(name, _)| sums.get(name).is_none_or(|sum| *sum == 0));
    let missing: Vec<_> = missing.map(|(_, outcome)| *outcome).collect();
    assert!(missing.is_empty(), "never reached: {missing:?} in {sums:?}");
}

#[test]
fn a_seed_replays_to_the_same_trace() {
    for seed in [0, 2, 3, 4, 5, 6] {
        assert_eq!(run(seed).trace, run(seed).trace, "seed {seed}");
    }
    assert_ne!(run(4).trace, run(5).trace, "seeds differ");
}
