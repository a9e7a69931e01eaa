//! What a worker thread works with, whatever brings it queries.

use crate::answer::{Answered, Asked, Reason, Tables};
use crate::counters::Counters;
use crate::http::Pairs;
use crate::limit::Limiter;
use crate::log::Sampler;
use crate::pulse::Pulse;
use crate::steer::hash::mix;
use arc_swap::ArcSwap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Unset while workers shall go on; then the time at which they must have ended.
pub(crate) type Stop = Arc<OnceLock<Instant>>;

/// What a worker thread works with.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) tables: Arc<ArcSwap<Tables>>,
    /// Counts from 0; its place in a tally.
    pub(crate) number: usize,
    pub(crate) counters: Arc<Counters>,
    pub(crate) stop: Stop,
    pub(crate) random: Random,
    pub(crate) sampler: Option<Sampler>,
    pub(crate) limiter: Limiter,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) pairs: Option<Arc<Pairs>>,
}

impl Worker {
    /// Counts a query and its answer, which was found in `tables`, and remembers who asked if it was for a one-time
    /// name.
    pub(crate) fn note(&mut self, tables: &Tables, asked: &Asked<'_>, answered: &Answered) {
        self.counters.count_answer(asked.transport, answered);
        tables.tally.count(self.number, answered);
        if answered.reason == Reason::Static
            && let (Some(pairs), Some(suffix)) = (&self.pairs, &tables.front.whoami)
        {
            pairs.note(suffix, asked);
        }
    }

    /// Logs a query if it is its turn, with what is sent: that begins `answer`.
    pub(crate) fn log(
        &mut self,
        tables: &Tables,
        asked: &Asked<'_>,
        answered: &Answered,
        answer: &[u8],
    ) {
        if let Some(sampler) = &mut self.sampler {
            sampler.offer(tables.tally.names(), asked, answered, answer);
        }
    }
}

/// Random numbers for choices that nobody gains from guessing.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Seeded by the system.
    pub(crate) fn new() -> Self {
        // The standard library's hasher is seeded by the system.
        Self(RandomState::new().hash_one(0))
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0)
    }
}
