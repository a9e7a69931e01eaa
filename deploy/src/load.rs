//! `/load`: how busy an edge is, for a GSLB that asks. What is counted since the last question becomes a rate.

use serde_json::{Value, json};
use std::time::Duration;

/// Rates are averaged over about so long.
const SMOOTH: Duration = Duration::from_secs(2);
/// Who asks sooner again gets the same: what is counted in less time says little.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// What is counted at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Since the process began to run.
    pub at: Duration,
    /// Octets sent to clients until then.
    pub octets: u64,
    /// CPU time of the process until then.
    pub cpu: Duration,
}

/// What is known from two moments.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rates {
    octets_per_second: f64,
    /// Of the cores, within 0 and 1.
    cpu: f64,
}

/// The rates of one edge.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    last: Option<Counted>,
    rates: Option<Rates>,
}

impl Meter {
    /// Takes in what is counted now, on so many cores, and says how busy an edge with `sessions` open connections is:
    /// an object with `sessions`, and from the second time on `traffic` in octets/s and `cpu`.
    pub fn read(&mut self, now: Counted, cores: usize, sessions: u64) -> Value {
        let interval = self.last.map_or(INTERVAL_MIN, |last| now.at.saturating_sub(last.at));
        if interval >= INTERVAL_MIN
            && let Some(last) = self.last.replace(now)
        {
            self.add(&last, &now, cores);
        }
        match self.rates {
            None => json!({ "sessions": sessions }),
            Some(Rates { octets_per_second, cpu }) => json!({
                "sessions": sessions,
                "traffic": octets_per_second.round(),
                "cpu": (cpu * 1e4).round() / 1e4,
            }),
        }
    }

    fn add(&mut self, last: &Counted, now: &Counted, cores: usize) {
        let seconds = (now.at - last.at).as_secs_f64();
        let octets = now.octets.saturating_sub(last.octets);
        let cpu = now.cpu.saturating_sub(last.cpu).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "octets of some seconds are far below 2^52")]
        let new = Rates {
            octets_per_second: octets as f64 / seconds,
            cpu: (cpu / seconds / cores.max(1) as f64).min(1.0),
        };
        let gain = 1.0 - (-seconds / SMOOTH.as_secs_f64()).exp();
        let old = self.rates.unwrap_or(new);
        let mean = |old: f64, new: f64| old + (new - old) * gain;
        self.rates = Some(Rates {
            octets_per_second: mean(old.octets_per_second, new.octets_per_second),
            cpu: mean(old.cpu, new.cpu),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_becomes_rates() {
        let mut meter = Meter::default();
        let mut read = |ms: u64, octets, cpu_ms: u64| {
            let (at, cpu) = (Duration::from_millis(ms), Duration::from_millis(cpu_ms));
            meter.read(Counted { at, octets, cpu }, 2, 7)
        };
        assert_eq!(read(0, 1000, 0), json!({ "sessions": 7 }), "one moment says no rate");
        let first = json!({ "sessions": 7, "traffic": 500.0, "cpu": 0.25 });
        assert_eq!(read(1000, 1500, 500), first, "half a second on two cores");
        assert_eq!(read(1050, 9000, 600), first, "too soon");
        let then = read(1_000_000, 1500, 500);
        assert_eq!(then, json!({ "sessions": 7, "traffic": 0.0, "cpu": 0.0 }), "long after");
    }
}
