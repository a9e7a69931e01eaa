//! How long before a packet is due the thread must be awake. Timers are late, on a virtual machine by as much as a
//! lab's packets may be; so the thread lets itself be woken earlier, by what it has seen of timers, and looks at the
//! clock again and again until the time has come. That takes time from others, and is bounded.

/// Bounds of how much earlier than due the thread is woken. A quick core takes a few us to wake; timers that are later
/// than 200 us are those of a machine that is overloaded, which looking at the clock does not mend.
const MARGIN_NS_MIN: u64 = 20_000;
const MARGIN_NS_MAX: u64 = 200_000;

/// What it is before anything has been seen.
const MARGIN_NS_FIRST: u64 = 80_000;

/// After a timer that came too late the margin grows by the first, and after one that came in time it shrinks by the
/// second: it settles where 1 in 201 is too late.
const GROWS_NS: u64 = 20_000;
const SHRINKS_NS: u64 = 100;

/// The part of the time that may be spent looking at the clock: 1 in 2, so that a machine of two cores has one and a
/// half for others, however many packets come.
const ALLOWANCE: u64 = 2;

/// What may have been saved up for, so that a short run of packets is delivered in time whatever its gaps are: 100 ms
/// of looking.
const SAVED_NS_MAX: u64 = 100_000_000;

/// What has been seen of timers, and how much looking is allowed.
#[derive(Clone, Debug)]
pub(super) struct Awake {
    margin_ns: u64,
    saved_ns: u64,
    since_ns: u64,
}

impl Awake {
    pub(super) fn new(now_ns: u64) -> Self {
        Self { margin_ns: MARGIN_NS_FIRST, saved_ns: SAVED_NS_MAX, since_ns: now_ns }
    }

    /// How long before something is due a timer should end.
    pub(super) fn margin_ns(&mut self, now_ns: u64) -> u64 {
        let passed_ns = now_ns.saturating_sub(self.since_ns);
        self.since_ns = now_ns;
        self.saved_ns = (self.saved_ns + passed_ns / ALLOWANCE).min(SAVED_NS_MAX);
        if self.saved_ns < MARGIN_NS_MAX { MARGIN_NS_MIN } else { self.margin_ns }
    }

    /// A timer was so late.
    pub(super) fn woken(&mut self, late_ns: u64) {
        let margin_ns = if late_ns > self.margin_ns {
            self.margin_ns + GROWS_NS
        } else {
            self.margin_ns.saturating_sub(SHRINKS_NS)
        };
        self.margin_ns = margin_ns.clamp(MARGIN_NS_MIN, MARGIN_NS_MAX);
    }

    /// The thread has looked at the clock for so long, and there was nothing to do.
    pub(super) fn looked(&mut self, time_ns: u64) {
        self.saved_ns = self.saved_ns.saturating_sub(time_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_settles_above_nearly_all_timers() {
        let mut random = fastrand::Rng::with_seed(1);
        for (most_ns, expected) in [(2_000, 20_000..=20_000), (100_000, 85_000..=120_000)] {
            let mut awake = Awake::new(0);
            for _ in 0..20_000 {
                awake.woken(random.u64(0..most_ns));
            }
            let margin_ns = awake.margin_ns(1);
            assert!(expected.contains(&margin_ns), "{most_ns}: {margin_ns}");
        }
        let mut awake = Awake::new(0);
        for _ in 0..20_000 {
            awake.woken(u64::MAX);
        }
        assert_eq!(awake.margin_ns(1), MARGIN_NS_MAX, "bounded");
    }

    #[test]
    fn no_more_than_half_of_the_time_is_spent_looking() {
        let mut awake = Awake::new(0);
        let (mut now_ns, mut looked_ns) = (0, 0);
        while now_ns < 10_000_000_000 {
            // Something is always nearly due: it looks whenever that is within the margin.
            let gap_ns = 60_000;
            let looks_ns = awake.margin_ns(now_ns).min(gap_ns);
            awake.looked(looks_ns);
            looked_ns += looks_ns;
            now_ns += gap_ns;
        }
        let most_ns = now_ns / ALLOWANCE + SAVED_NS_MAX + MARGIN_NS_MAX;
        assert!(looked_ns <= most_ns, "{looked_ns} of {now_ns}");
    }
}
