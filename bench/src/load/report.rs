//! An outcome for people and programs: figures with their units, and what a reader must know before believing them.
//! Its JSON form is these structures with their field names.

mod html;
mod text;

use super::outcome::Interval;
use super::{Errors, Load, Outcome};
use hdrhistogram::Histogram;
use serde::Serialize;

/// Points of a plot over time at most; more are not seen.
const POINTS_MAX: usize = 600;

/// A generator that is on its core for more than this part of the time limits what it measures.
const BUSY_SHARE_MAX: f64 = 0.95;

/// Where latencies are read for the plot: at 1 - 2^-n, and between.
const STEPS_PER_HALF: u32 = 4;

/// Halves of the plot: up to 1 request in 2^20, a million.
const HALVES_MAX: u32 = 20;

/// The result of `lastmile bench load`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Who was asked.
    pub address: String,
    /// For what, in words.
    pub targets: String,
    /// How, in words: closed or open loop, connections and the like.
    #[serde(rename = "loop")]
    pub loop_: String,
    /// Length of the window, the warm-up before it not included.
    pub seconds: f64,
    /// Requests that started within the window and were answered.
    pub requests: u64,
    /// Responses per second within the window.
    pub requests_per_second: f64,
    /// Octets per second within the window, heads included.
    pub octets_per_second: f64,
    /// Responses of the whole run: by these divide what a server used meanwhile.
    pub answered: u64,
    /// Octets of the whole run.
    pub octets: u64,
    /// Connections that were made.
    pub connections: u64,
    /// From the start of a request (in an open loop: the intended one) to its last octet.
    pub latency: Quantiles,
    /// The same to its first octet.
    pub first_octet: Quantiles,
    /// By kind.
    pub errors: Errors,
    /// Requests without an answer at the end.
    pub unfinished: u64,
    /// Requests of an open loop that found no free connection.
    pub unstarted: u64,
    /// Part of the time that the generator used its core, 0 to 1.
    pub busy: f64,
    /// What a reader must know before believing a figure.
    pub warnings: Vec<String>,
    /// Latency over the part of requests within it, for a plot.
    pub latency_curve: Vec<Point>,
    /// The same for first octets.
    pub first_octet_curve: Vec<Point>,
    /// Length of the intervals.
    pub interval_seconds: f64,
    /// What came in each whole one, from the start of the run, warm-up included.
    pub intervals: Vec<Interval>,
}

/// Latencies in us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// The mean.
    pub mean_us: f64,
    /// Of half of the requests at most.
    pub p50_us: f64,
    /// Of 9 in 10.
    pub p90_us: f64,
    /// Of 99 in 100.
    pub p99_us: f64,
    /// Of 999 in 1000.
    pub p999_us: f64,
    /// Of all.
    pub max_us: f64,
}

/// A point of a latency curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// This part of the requests, 0 to 1,
    pub quantile: f64,
    /// took at most this, in us.
    pub us: f64,
}

impl Report {
    /// Of `load`, by `threads` threads.
    #[must_use]
    pub fn new(load: &Load, threads: usize, outcome: &Outcome) -> Self {
        // One that is cut by the end would look like a fall.
        let loaded = (load.warmup + outcome.window).as_nanos();
        let whole = usize::try_from(loaded / outcome.interval.as_nanos()).unwrap_or(usize::MAX);
        Self {
            address: load.address.to_string(),
            targets: load.targets.to_string(),
            loop_: words(load, threads),
            seconds: outcome.window.as_secs_f64(),
            requests: outcome.requests,
            requests_per_second: outcome.requests_per_second(),
            octets_per_second: outcome.octets_per_second(),
            answered: outcome.answered,
            octets: outcome.octets,
            connections: outcome.connections,
            latency: Quantiles::of(&outcome.latency),
            first_octet: Quantiles::of(&outcome.first_octet),
            errors: outcome.errors,
            unfinished: outcome.unfinished,
            unstarted: outcome.unstarted,
            busy: outcome.busy,
            warnings: warnings(load, outcome),
            latency_curve: curve(&outcome.latency),
            first_octet_curve: curve(&outcome.first_octet),
            interval_seconds: outcome.interval.as_secs_f64(),
            intervals: outcome.intervals.iter().take(whole).copied().collect(),
        }
    }

    /// As a table for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        text::render(self)
    }

    /// As a page with plots.
    #[must_use]
    pub fn html(&self) -> String {
        html::render(self)
    }

    /// As JSON.
    ///
    /// # Panics
    /// Never: these structures have a JSON form.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain structures have a JSON form") + "\n"
    }
}

impl Quantiles {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| microseconds(histogram.value_at_quantile(quantile));
        if histogram.is_empty() {
            return Self::default();
        }
        Self {
            mean_us: histogram.mean() / 1e3,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: at(1.0),
        }
    }

    /// The figures with their names.
    fn named(&self) -> [(&'static str, f64); 6] {
        [
            ("mean", self.mean_us),
            ("p50", self.p50_us),
            ("p90", self.p90_us),
            ("p99", self.p99_us),
            ("p99.9", self.p999_us),
            ("max", self.max_us),
        ]
    }
}

/// Latencies where the part of requests beyond halves again and again, as far as there are requests.
fn curve(histogram: &Histogram<u64>) -> Vec<Point> {
    #[expect(clippy::cast_precision_loss, reason = "requests of a run are far below 2^52")]
    let requests = histogram.len() as f64;
    (0..=HALVES_MAX * STEPS_PER_HALF)
        .map(|step| f64::from(step) / f64::from(STEPS_PER_HALF))
        .take_while(|halves| halves.exp2() <= requests)
        .map(|halves| {
            let quantile = 1.0 - (-halves).exp2();
            Point { quantile, us: microseconds(histogram.value_at_quantile(quantile)) }
        })
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "ns of ten minutes are below 2^52")]
fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

/// How the load was put on.
fn words(load: &Load, threads: usize) -> String {
    let mut words = vec![match load.rate {
        Some(rate) => format!("open loop, {rate} requests/s"),
        None if load.hold => "one request each".to_owned(),
        None => "closed loop".to_owned(),
    }];
    words.push(format!("{} connections", load.connections));
    let mut add = |wanted: bool, text: String| {
        if wanted {
            words.push(text);
        }
    };
    add(load.pipeline > 1, format!("{} requests at once", load.pipeline));
    if let Some(requests) = load.requests_per_connection {
        add(true, format!("{requests} requests per connection"));
    }
    add(!load.think.is_zero(), format!("thinking {:?}", load.think));
    if let Some(rate) = load.read_rate {
        add(true, format!("reading {rate} octets/s each"));
    }
    add(load.check, "contents checked".to_owned());
    add(load.hold, "held open".to_owned());
    add(threads > 1, format!("{threads} threads"));
    words.join(", ")
}

fn warnings(load: &Load, outcome: &Outcome) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(why) = &outcome.connect_error {
        warnings.push(format!("connections were not made; the first: {why}"));
    }
    if outcome.unstarted > 0 {
        warnings.push(format!(
            "{} requests should have been started and found no connection free: the server did not keep up, and \
             latencies would grow as long as the load lasts",
            outcome.unstarted
        ));
    }
    if outcome.unfinished > 0 && load.rate.is_some() {
        warnings.push(format!(
            "{} requests were not answered by the end and are in no latency",
            outcome.unfinished
        ));
    }
    if outcome.busy > BUSY_SHARE_MAX {
        warnings.push(format!(
            "the generator used {:.0} % of its core: the server may be capable of more, and latencies are partly the \
             generator's (more --cores)",
            outcome.busy * 100.0
        ));
    }
    if outcome.stopped && !load.hold {
        warnings.push("stopped before the end".to_owned());
    }
    warnings
}

/// Intervals joined until there are few enough for a plot, and the seconds of each.
fn joined(report: &Report) -> (f64, Vec<Interval>) {
    let together = report.intervals.len().div_ceil(POINTS_MAX).max(1);
    let join = |part: &[Interval]| {
        part.iter().fold(Interval::default(), |sum, interval| Interval {
            requests: sum.requests + interval.requests,
            octets: sum.octets + interval.octets,
        })
    };
    #[expect(clippy::cast_precision_loss, reason = "intervals are a few thousand")]
    let seconds = report.interval_seconds * together as f64;
    (seconds, report.intervals.chunks_exact(together).map(join).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Targets;
    use std::time::Duration;

    pub(super) fn report() -> Report {
        let targets = Targets::One("/bytes/1KB/<x>".to_owned());
        let mut load = Load::new("127.0.0.1:80".parse().unwrap(), targets);
        load.rate = Some(1000.0);
        let mut outcome = Outcome::new(Duration::from_secs(2));
        for latency in 1..=1000 {
            outcome.latency.record(latency * 1000).unwrap();
            outcome.first_octet.record(latency * 500).unwrap();
        }
        outcome.requests = 1000;
        outcome.within = 990;
        outcome.octets_within = 3_000_000;
        outcome.window = Duration::from_secs(2);
        outcome.intervals = vec![Interval { requests: 50, octets: 150_000 }; 20];
        outcome.unstarted = 7;
        outcome.errors.timeout = 3;
        outcome.busy = 0.99;
        Report::new(&load, 2, &outcome)
    }

    #[test]
    fn figures_have_their_units() {
        let report = report();
        let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.002;
        assert!(near(report.latency.p50_us, 500.0), "{:?}", report.latency);
        assert!(near(report.latency.p99_us, 990.0), "{:?}", report.latency);
        assert!(near(report.first_octet.max_us, 500.0), "{:?}", report.first_octet);
        assert!(near(report.requests_per_second, 495.0), "{report:?}");
        assert_eq!(report.loop_, "open loop, 1000 requests/s, 64 connections, 2 threads");
        assert_eq!(report.warnings.len(), 2, "{:?}", report.warnings);
    }

    #[test]
    fn a_curve_ends_where_requests_do() {
        let curve = report().latency_curve;
        assert_eq!(curve.len(), 40, "2^9.75 is below a thousand, 2^10 is not");
        assert!(curve.is_sorted_by(|one, next| one.us <= next.us && one.quantile < next.quantile));
    }

    #[test]
    fn plots_have_a_bounded_number_of_points() {
        let mut report = report();
        report.intervals = vec![Interval { requests: 1, octets: 2 }; 6000];
        let (seconds, points) = joined(&report);
        assert_eq!((points.len(), points[0].requests, points[0].octets), (600, 10, 20));
        assert!((seconds - 1.0).abs() < 1e-9);
    }

    #[test]
    fn json_has_field_names() {
        let json: serde_json::Value = serde_json::from_str(&report().json()).unwrap();
        assert_eq!(json["errors"]["timeout"], 3);
        assert_eq!(json["intervals"][3]["requests"], 50);
        assert!(json["latency"]["p999_us"].as_f64().unwrap() > 990.0);
        assert_eq!(json["loop"], report().loop_);
    }
}
