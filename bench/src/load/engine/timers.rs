//! What waits for a time: connections that think, read slowly, or have failed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What is to be done then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wake {
    /// Take another request.
    Request,
    /// Read on.
    Read,
    /// Make the connection again.
    Open,
}

/// One for each connection at most, and those of connections that are no more.
#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(u64, u32, u32, Wake)>>);

impl Timers {
    /// Wakes connection `index`, if it is still of `generation`, at `at`.
    pub(super) fn set(&mut self, at: u64, index: u32, generation: u32, wake: Wake) {
        self.0.push(Reverse((at, index, generation, wake)));
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<u64> {
        self.0.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes one that is due at `now`.
    pub(super) fn due(&mut self, now: u64) -> Option<(u32, u32, Wake)> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop().map(|Reverse((_, index, generation, wake))| (index, generation, wake))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_first() {
        let mut timers = Timers::default();
        for (at, index) in [(30, 3), (10, 1), (20, 2)] {
            timers.set(at, index, 0, Wake::Read);
        }
        assert_eq!(timers.next(), Some(10));
        assert_eq!(timers.due(9), None);
        let due: Vec<_> = std::iter::from_fn(|| timers.due(20)).map(|(index, ..)| index).collect();
        assert_eq!((due, timers.next()), (vec![1, 2], Some(30)));
    }
}
