//! What a load has come to: counts, errors by kind, latencies, and the way of it over time.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::time::Duration;

/// Latencies in ns: the smallest that is told apart, and the largest that is kept as it is, 10 minutes.
const LATENCY_NS: (u64, u64) = (128, 600_000_000_000);

/// Significant digits of a latency: 0.1 % off at most.
const LATENCY_DIGITS: u8 = 3;

/// Intervals of an outcome; longer loads have longer ones.
pub(super) const INTERVALS_MAX: u64 = 6_000;

/// The shortest interval.
pub(super) const INTERVAL_NS_MIN: u64 = 100_000_000;

/// Errors by kind. A request ends in at most one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Errors {
    /// No connection.
    pub connect: u64,
    /// The connection was reset.
    pub reset: u64,
    /// The connection was closed before the response was whole.
    pub closed: u64,
    /// No whole response in time.
    pub timeout: u64,
    /// A whole response whose status is neither of 2xx nor 304.
    pub status: u64,
    /// Something that is no response of HTTP/1.
    pub malformed: u64,
    /// A whole response with other contents than the origin's.
    pub content: u64,
}

impl Errors {
    /// The kinds by name, in the order of a request's life.
    #[must_use]
    pub fn by_kind(&self) -> [(&'static str, u64); 7] {
        [
            ("connect", self.connect),
            ("reset", self.reset),
            ("closed early", self.closed),
            ("timeout", self.timeout),
            ("status not 2xx or 304", self.status),
            ("not HTTP", self.malformed),
            ("wrong content", self.content),
        ]
    }

    /// Errors of all kinds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_kind().iter().map(|(_, count)| count).sum()
    }

    /// The kinds that occurred, in one line; `None` without errors.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        let kinds = self.by_kind();
        let told: Vec<_> = kinds
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        (!told.is_empty()).then(|| told.join(", "))
    }

    fn add(&mut self, other: &Self) {
        self.connect += other.connect;
        self.reset += other.reset;
        self.closed += other.closed;
        self.timeout += other.timeout;
        self.status += other.status;
        self.malformed += other.malformed;
        self.content += other.content;
    }
}

/// What came within one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Interval {
    /// Responses.
    pub requests: u64,
    /// Octets, heads included.
    pub octets: u64,
}

/// The result of a load. The *window* is the load's duration, after the warm-up.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Requests started within the window and answered, whenever: those of the histograms.
    pub requests: u64,
    /// Responses that ended within the window.
    pub within: u64,
    /// Responses of the whole run, warm-up included: by these divide what a server used meanwhile.
    pub answered: u64,
    /// Octets of the whole run, heads included.
    pub octets: u64,
    /// Octets received within the window.
    pub octets_within: u64,
    /// How long the window was; shorter than asked for when stopped.
    pub window: Duration,
    /// How long the whole run took.
    pub elapsed: Duration,
    /// Errors of the whole run.
    pub errors: Errors,
    /// Why the first connection that was not made was not.
    pub connect_error: Option<String>,
    /// Connections that were made.
    pub connections: u64,
    /// From the start of a request, in an open loop the intended one, to its last octet; ns.
    pub latency: Histogram<u64>,
    /// From the same to the first octet; ns.
    pub first_octet: Histogram<u64>,
    /// How long each of [`Self::intervals`] is.
    pub interval: Duration,
    /// From the start of the run on.
    pub intervals: Vec<Interval>,
    /// Requests without an answer when the run ended.
    pub unfinished: u64,
    /// In an open loop: requests that should have been started within the window, and found no connection free.
    pub unstarted: u64,
    /// Part of the window that the generator itself was on a CPU, 0 to 1 for each thread.
    pub busy: f64,
    /// Whether it was told to end early.
    pub stopped: bool,
}

impl Outcome {
    /// Nothing yet, of a run that will take `planned`.
    pub(super) fn new(planned: Duration) -> Self {
        let histogram = || {
            Histogram::new_with_bounds(LATENCY_NS.0, LATENCY_NS.1, LATENCY_DIGITS)
                .expect("the bounds are constants")
        };
        let planned = u64::try_from(planned.as_nanos()).unwrap_or(u64::MAX);
        let interval = (planned / INTERVALS_MAX).max(INTERVAL_NS_MIN);
        Self {
            requests: 0,
            within: 0,
            answered: 0,
            octets: 0,
            octets_within: 0,
            window: Duration::ZERO,
            elapsed: Duration::ZERO,
            errors: Errors::default(),
            connect_error: None,
            connections: 0,
            latency: histogram(),
            first_octet: histogram(),
            interval: Duration::from_nanos(interval),
            intervals: Vec::new(),
            unfinished: 0,
            unstarted: 0,
            busy: 0.0,
            stopped: false,
        }
    }

    /// Responses per second within the window.
    #[must_use]
    pub fn requests_per_second(&self) -> f64 {
        per_second(self.within, self.window)
    }

    /// Octets per second within the window.
    #[must_use]
    pub fn octets_per_second(&self) -> f64 {
        per_second(self.octets_within, self.window)
    }

    /// The latency that `quantile` (0 to 1) of the requests are within, in us; 0 without requests.
    #[must_use]
    pub fn latency_us(&self, quantile: f64) -> f64 {
        quantile_us(&self.latency, quantile)
    }

    /// The same to the first octet.
    #[must_use]
    pub fn first_octet_us(&self, quantile: f64) -> f64 {
        quantile_us(&self.first_octet, quantile)
    }

    /// Adds what another thread of the same load has come to.
    pub(super) fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency).expect("all have the same bounds");
        self.first_octet.add(&other.first_octet).expect("all have the same bounds");
        self.requests += other.requests;
        self.within += other.within;
        self.answered += other.answered;
        self.octets += other.octets;
        self.octets_within += other.octets_within;
        self.window = self.window.max(other.window);
        self.elapsed = self.elapsed.max(other.elapsed);
        self.errors.add(&other.errors);
        self.connect_error = self.connect_error.take().or_else(|| other.connect_error.clone());
        self.connections += other.connections;
        let longest = self.intervals.len().max(other.intervals.len());
        self.intervals.resize(longest, Interval::default());
        for (sum, part) in self.intervals.iter_mut().zip(&other.intervals) {
            sum.requests += part.requests;
            sum.octets += part.octets;
        }
        self.unfinished += other.unfinished;
        self.unstarted += other.unstarted;
        self.busy = self.busy.max(other.busy);
        self.stopped |= other.stopped;
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
fn per_second(count: u64, span: Duration) -> f64 {
    if span.is_zero() { 0.0 } else { count as f64 / span.as_secs_f64() }
}

#[expect(clippy::cast_precision_loss, reason = "ns of ten minutes are below 2^52")]
fn quantile_us(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_add_up() {
        let part = |latency, requests| {
            let mut outcome = Outcome::new(Duration::from_secs(1));
            outcome.latency.record(latency).unwrap();
            outcome.within = requests;
            outcome.window = Duration::from_secs(2);
            outcome.errors.reset = 1;
            outcome.intervals = vec![Interval { requests, octets: 1 }; requests as usize];
            outcome
        };
        let mut sum = part(1_000, 1);
        sum.add(&part(1_000_000, 3));
        assert_eq!(sum.latency.len(), 2);
        assert_eq!(sum.requests_per_second().to_bits(), 2.0_f64.to_bits());
        assert_eq!(sum.errors.line().as_deref(), Some("reset 2"));
        let requests: Vec<_> = sum.intervals.iter().map(|interval| interval.requests).collect();
        assert_eq!(requests, [4, 3, 3]);
    }

    #[test]
    fn intervals_are_bounded() {
        for (seconds, milliseconds, why) in [(1, 100, "short"), (86_400, 14_400, "a day")] {
            let outcome = Outcome::new(Duration::from_secs(seconds));
            assert_eq!(outcome.interval, Duration::from_millis(milliseconds), "{why}");
        }
    }
}
