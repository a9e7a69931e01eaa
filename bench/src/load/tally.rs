//! Counts what happens when it happens: which window and which interval it falls into.

use super::outcome::{Errors, Interval, Outcome};
use super::response::Answer;
use std::ops::Range;
use std::time::Duration;

/// An outcome in the making. All times are in ns since the load began.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) outcome: Outcome,
    window: Range<u64>,
    now: u64,
    /// What came since the last turn of an interval.
    current: Interval,
    interval: usize,
    interval_ns: u64,
}

/// A request that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    /// When it was started, or should have been.
    pub(super) start: u64,
    /// When the first octet of its response came.
    pub(super) first: u64,
}

impl Tally {
    /// Requests count that start within `window`.
    pub(super) fn new(window: Range<u64>) -> Self {
        let outcome = Outcome::new(Duration::from_nanos(window.end));
        let interval_ns = u64::try_from(outcome.interval.as_nanos()).unwrap_or(u64::MAX);
        Self { outcome, window, now: 0, current: Interval::default(), interval: 0, interval_ns }
    }

    /// What follows happens at `now`.
    pub(super) fn at(&mut self, now: u64) {
        self.now = now;
        let interval = usize::try_from(now / self.interval_ns).unwrap_or(usize::MAX);
        if interval != self.interval {
            self.turn();
            self.interval = interval;
        }
    }

    /// Octets of any kind came.
    pub(super) fn received(&mut self, octets: usize) {
        self.outcome.octets += octets as u64;
        self.current.octets += octets as u64;
        if self.window.contains(&self.now) {
            self.outcome.octets_within += octets as u64;
        }
    }

    /// A response is whole; `right`: with the content that it must have.
    pub(super) fn answered(&mut self, moments: Moments, answer: Answer, right: bool) {
        self.outcome.answered += 1;
        self.current.requests += 1;
        if self.window.contains(&self.now) {
            self.outcome.within += 1;
        }
        if self.window.contains(&moments.start) {
            self.outcome.requests += 1;
            let since = |moment: u64| moment.saturating_sub(moments.start);
            self.outcome.latency.saturating_record(since(self.now));
            self.outcome.first_octet.saturating_record(since(moments.first));
        }
        if !matches!(answer.status, 200..=299 | 304) {
            self.outcome.errors.status += 1;
        } else if !right {
            self.outcome.errors.content += 1;
        }
    }

    /// The errors, to add one.
    pub(super) fn errors(&mut self) -> &mut Errors {
        &mut self.outcome.errors
    }

    /// The end, at `now`.
    pub(super) fn finish(mut self, now: u64) -> Outcome {
        self.turn();
        self.outcome.elapsed = Duration::from_nanos(now);
        let window = now.min(self.window.end).saturating_sub(self.window.start);
        self.outcome.window = Duration::from_nanos(window);
        self.outcome
    }

    /// Puts the current interval among the others; those in which nothing happened are empty.
    fn turn(&mut self) {
        let current = std::mem::take(&mut self.current);
        let planned = self.window.end.div_ceil(self.interval_ns);
        // What comes after the end belongs to no interval.
        if (self.interval as u64) < planned && current != Interval::default() {
            self.outcome.intervals.resize(self.interval, Interval::default());
            self.outcome.intervals.push(current);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Answer = Answer { status: 200, close: false };
    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn the_window_counts_starts_and_ends_apart() {
        let mut tally = Tally::new(SECOND..2 * SECOND);
        for (start, end) in [(0, 1), (0, SECOND + 7), (SECOND, SECOND + 9), (SECOND, 3 * SECOND)] {
            tally.at(end);
            tally.received(10);
            tally.answered(Moments { start, first: end - 1 }, OK, true);
        }
        let outcome = tally.finish(3 * SECOND);
        assert_eq!(outcome.answered, 4);
        assert_eq!(outcome.requests, 2, "those that started within it");
        assert_eq!(outcome.within, 2, "those that ended within it");
        assert_eq!((outcome.octets, outcome.octets_within), (40, 20));
        assert_eq!(outcome.latency.max() / SECOND, 2);
        assert_eq!(
            (outcome.window, outcome.elapsed),
            (Duration::from_secs(1), Duration::from_secs(3))
        );
    }

    #[test]
    fn intervals_without_anything_are_there() {
        let mut tally = Tally::new(0..SECOND);
        for at in [0, 50_000_000, 350_000_000, 5 * SECOND] {
            tally.at(at);
            tally.received(1);
        }
        let octets: Vec<_> =
            tally.finish(SECOND).intervals.iter().map(|each| each.octets).collect();
        assert_eq!(octets, [2, 0, 0, 1], "and none after the end");
        let mut tally = Tally::new(0..150_000_000);
        for at in [0, 120_000_000, 160_000_000, 200_000_000] {
            tally.at(at);
            tally.received(1);
        }
        let octets: Vec<_> =
            tally.finish(SECOND).intervals.iter().map(|each| each.octets).collect();
        assert_eq!(octets, [1, 2], "the last one is begun, and what comes late within it is in it");
    }

    #[test]
    fn a_response_has_one_error_at_most() {
        let mut tally = Tally::new(0..SECOND);
        for (status, right) in [(200, true), (304, true), (200, false), (503, false), (404, true)] {
            let answer = Answer { status, close: false };
            tally.answered(Moments { start: 0, first: 0 }, answer, right);
        }
        let errors = tally.finish(SECOND).errors;
        assert_eq!((errors.status, errors.content, errors.total()), (2, 1, 3));
    }
}
