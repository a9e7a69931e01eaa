//! Sets of numbers as intervals that do not touch: what is free. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// Intervals in two orders. What is put in beside another becomes one with it.
#[derive(Default)]
pub(super) struct Intervals {
    /// Lengths by start.
    by_start: BTreeMap<u64, u64>,
    /// Length and start.
    by_length: BTreeSet<(u64, u64)>,
}

impl Intervals {
    /// How many intervals there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.by_length.len()
    }

    /// Puts in what is not there yet. Returns the interval that it is part of now.
    pub(super) fn insert(&mut self, mut start: u64, mut length: u64) -> (u64, u64) {
        debug_assert!(length > 0, "an empty interval");
        if let Some((&before, &before_length)) = self.by_start.range(..start).next_back() {
            assert!(before + before_length <= start, "{start} is in it already");
            if before + before_length == start {
                self.remove(before, before_length);
                (start, length) = (before, before_length + length);
            }
        }
        if let Some((&behind, &behind_length)) = self.by_start.range(start..).next() {
            assert!(start + length <= behind, "{behind} is in it already");
            if start + length == behind {
                self.remove(behind, behind_length);
                length += behind_length;
            }
        }
        self.by_start.insert(start, length);
        self.by_length.insert((length, start));
        (start, length)
    }

    /// Whether one is at least so long.
    pub(super) fn has(&self, length: u64) -> bool {
        self.by_length.last().is_some_and(|&(longest, _)| longest >= length)
    }

    /// How much of what is between `start` and `end` is in it.
    pub(super) fn overlap(&self, start: u64, end: u64) -> u64 {
        let before = self.by_start.range(..start).next_back();
        let reaching_in =
            before.map_or(0, |(&first, &length)| (first + length).min(end).saturating_sub(start));
        let within = self.by_start.range(start..end);
        reaching_in + within.map(|(&first, &length)| (first + length).min(end) - first).sum::<u64>()
    }

    /// Takes `length` out of the shortest interval that has it, the first of them, from its start.
    pub(super) fn take(&mut self, length: u64) -> Option<u64> {
        let &(found, start) = self.by_length.range((length, 0)..).next()?;
        self.carve((start, found), (start, length));
        Some(start)
    }

    /// Takes the part `taken` out of the interval `whole`, both as start and length.
    pub(super) fn carve(&mut self, whole: (u64, u64), taken: (u64, u64)) {
        let (end, taken_end) = (whole.0 + whole.1, taken.0 + taken.1);
        assert!(whole.0 <= taken.0 && taken_end <= end, "not a part of it");
        self.remove(whole.0, whole.1);
        for (start, end) in [(whole.0, taken.0), (taken_end, end)] {
            if start < end {
                self.by_start.insert(start, end - start);
                self.by_length.insert((end - start, start));
            }
        }
    }

    /// Start and length of each, the longest first.
    pub(super) fn longest_first(&self) -> impl Iterator<Item = (u64, u64)> {
        self.by_length.iter().rev().map(|&(length, start)| (start, length))
    }

    fn remove(&mut self, start: u64, length: u64) {
        let known = self.by_start.remove(&start) == Some(length);
        assert!(known && self.by_length.remove(&(length, start)), "no such interval");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(intervals: &Intervals) -> Vec<(u64, u64)> {
        intervals.by_start.iter().map(|(&start, &length)| (start, length)).collect()
    }

    #[test]
    fn neighbours_become_one() {
        type Parts = [(u64, u64)];
        let rows: [(&Parts, &Parts, &str); 5] = [
            (&[(10, 5), (20, 5)], &[(10, 5), (20, 5)], "apart"),
            (&[(10, 5), (15, 5)], &[(10, 10)], "behind"),
            (&[(15, 5), (10, 5)], &[(10, 10)], "before"),
            (&[(10, 5), (20, 5), (15, 5)], &[(10, 15)], "between"),
            (&[(0, 1), (2, 1), (4, 1), (1, 1)], &[(0, 3), (4, 1)], "not those that do not touch"),
        ];
        for (inserted, expected, why) in rows {
            let mut intervals = Intervals::default();
            for &(start, length) in inserted {
                intervals.insert(start, length);
            }
            assert_eq!(all(&intervals), expected, "{why}");
            assert_eq!(intervals.count(), expected.len(), "{why}");
        }
    }

    #[test]
    fn the_shortest_that_fits_is_taken() {
        let mut intervals = Intervals::default();
        for (start, length) in [(0, 100), (200, 8), (300, 10), (400, 10)] {
            intervals.insert(start, length);
        }
        let taken: Vec<_> = (0..3).map(|_| intervals.take(9)).collect();
        assert_eq!(
            taken,
            [Some(300), Some(400), Some(0)],
            "the first of equals, then a longer one"
        );
        assert_eq!(intervals.take(92), None);
        assert_eq!(all(&intervals), [(9, 91), (200, 8), (309, 1), (409, 1)]);
        assert_eq!(intervals.longest_first().next(), Some((9, 91)));
        intervals.carve((9, 91), (50, 10));
        assert_eq!(all(&intervals), [(9, 41), (60, 40), (200, 8), (309, 1), (409, 1)]);
    }

    #[test]
    fn it_is_a_set_of_numbers() {
        let (mut intervals, mut model) = (Intervals::default(), BTreeSet::new());
        let mut seed = 1_u64;
        let mut below = |bound: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % bound
        };
        for _ in 0..20_000 {
            let (start, length) = (below(500), 1 + below(20));
            if below(2) == 0 && (start..start + length).all(|n| !model.contains(&n)) {
                intervals.insert(start, length);
                model.extend(start..start + length);
            } else if let Some(start) = intervals.take(length) {
                assert!(
                    (start..start + length).all(|n| model.remove(&n)),
                    "taken without being in"
                );
            } else {
                let is_free = |start: u64| (start..start + length).all(|n| model.contains(&n));
                assert!(!(0..520).any(is_free), "there was one");
            }
            let (start, end) = (below(500), 500 + below(20));
            assert_eq!(intervals.overlap(start, end), model.range(start..end).count() as u64);
            let members = all(&intervals).into_iter().flat_map(|(s, l)| s..s + l);
            assert!(members.eq(model.iter().copied()));
        }
    }
}
