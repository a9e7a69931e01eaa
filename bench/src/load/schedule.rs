//! When requests are started: at once while there is a free connection, or at a constant rate from a fixed
//! beginning, whatever has become of earlier ones.
//!
//! That a request's latency counts from when it *should* have started is what keeps a server that stalls from being
//! asked less in that very time, and so from looking better than it is ("coordinated omission").

/// Bits of a period behind the point: a rate is met to a millionth, and sums of a day stay exact.
const PERIOD_BITS: u32 = 20;

/// The starts of requests. All times are in ns since the load began.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// Between two starts, in 2^-[`PERIOD_BITS`] ns; `None` in a closed loop.
    period: Option<u128>,
    /// When the last may start.
    end: u64,
    /// How many have started.
    started: u64,
}

impl Schedule {
    /// `rate` starts per second, or as many as may be, until `end`.
    pub(super) fn new(rate: Option<f64>, end: u64) -> Self {
        Self { period: rate.map(period), end, started: 0 }
    }

    /// How many may start at `now`, at most `most`.
    pub(super) fn due(&self, now: u64, most: usize) -> usize {
        match self.period {
            None if now < self.end => most,
            None => 0,
            Some(period) => {
                // Those that were due before the end are, also after it.
                let until = now.min(self.end.saturating_sub(1));
                let due = count(until, period) - self.started;
                usize::try_from(due).unwrap_or(usize::MAX).min(most)
            }
        }
    }

    /// Starts one of those that are due at `now`: when it should have been started.
    pub(super) fn start(&mut self, now: u64) -> u64 {
        let intended = self.period.map_or(now, |period| at(self.started, period));
        self.started += 1;
        intended
    }

    /// When the next one is due that is not yet; `None` when a free connection is all that is missing.
    pub(super) fn next(&self, now: u64) -> Option<u64> {
        let period = self.period?;
        let next = at(count(now, period), period);
        (next < self.end).then_some(next)
    }

    /// How many should have been started by the end and were not.
    pub(super) fn unstarted(&self, now: u64) -> u64 {
        self.period.map_or(0, |_| self.due(now, usize::MAX) as u64)
    }
}

/// Between two starts at `rate` per second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at 0.001 per second it has 60 bits, and casts saturate"
)]
fn period(rate: f64) -> u128 {
    let units = f64::from(1_u32 << PERIOD_BITS);
    ((1e9 * units / rate).round() as u128).max(1)
}

/// Starts from 0 to `now`, both included.
fn count(now: u64, period: u128) -> u64 {
    u64::try_from((u128::from(now) << PERIOD_BITS) / period).unwrap_or(u64::MAX).saturating_add(1)
}

/// When the start number `index` is: the first `now` for which [`count`] includes it.
fn at(index: u64, period: u128) -> u64 {
    let exact = u128::from(index) * period;
    u64::try_from(exact.div_ceil(1 << PERIOD_BITS)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_loop_starts_whatever_is_free_until_the_end() {
        let mut schedule = Schedule::new(None, 100);
        for (now, due, why) in [(0, 7, "at once"), (99, 7, "up to the end"), (100, 0, "the end")] {
            assert_eq!(schedule.due(now, 7), due, "{why}");
        }
        assert_eq!(schedule.start(42), 42);
        assert_eq!((schedule.next(0), schedule.unstarted(200)), (None, 0));
    }

    #[test]
    fn an_open_loop_never_forgets_a_start() {
        // One each 10 ns.
        let mut schedule = Schedule::new(Some(1e8), 100);
        assert_eq!(schedule.due(0, 9), 1, "the first is at the beginning");
        assert_eq!(schedule.start(0), 0);
        assert_eq!((schedule.due(9, 9), schedule.next(9)), (0, Some(10)), "the next is at 10");
        assert_eq!(schedule.due(35, 9), 3, "10, 20 and 30");
        assert_eq!(schedule.due(35, 2), 2, "as many as asked for");
        assert_eq!(schedule.start(35), 10, "as if it had been on time");
        assert_eq!(schedule.next(90), None, "100 is the end");
        assert_eq!(schedule.due(500, 99), 8, "20 to 90: what was due before the end remains");
        assert_eq!(schedule.unstarted(500), 8);
    }

    #[test]
    fn starts_are_due_when_they_say() {
        for rate in [0.7, 3.0, 999.9, 1e6, 33_333_333.0] {
            let mut schedule = Schedule::new(Some(rate), u64::MAX);
            schedule.start(0);
            for _ in 0..1000 {
                let next = at(schedule.started, period(rate));
                assert_eq!(schedule.due(next - 1, 9), 0, "{rate}: not before {next}");
                assert!(schedule.due(next, 9) >= 1, "{rate}: at {next}");
                assert_eq!(schedule.start(next), next, "{rate}");
            }
        }
    }
}
