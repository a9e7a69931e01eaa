//! What a tier on an SSD would have had: policies of eviction and admission on the same synthetic traces, behind the
//! same RAM tier.
//!
//! `requests` (the traces), `ram` (what is in front), `disk` (the policies), `report`.
//!
//! Models, not the edge's code: they share none with it, and say how it ought to come out.

mod disk;
mod ram;
mod report;
mod requests;

use disk::{Disk, Fifo, Log, Lru, S3Fifo};
use ram::{Ram, Seen};
pub use report::{html, text};
use requests::{Trace, sizes};
use serde::Serialize;
use std::sync::atomic::{AtomicBool, Ordering};

/// Requests at most: 12 octets of memory each.
pub const REQUESTS_MAX: u32 = 100_000_000;
/// Popular objects at most.
pub const OBJECTS_MAX: u32 = 10_000_000;

/// The disk's size, in parts of a thousand of the octets of all popular objects.
const SIZES: [u64; 6] = [10, 25, 50, 100, 200, 400];
/// The RAM tier has one in so many octets of the disk.
const RAM_ONE_IN: u64 = 10;
/// A log has so many segments.
const SEGMENTS: u64 = 64;

/// What to play.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Popular objects of each trace.
    pub objects: u32,
    /// Requests of each trace, the first half of which warms up.
    pub requests: u32,
    /// Another number, other traces.
    pub seed: u64,
}

/// Who decides what the disk keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The one that was not used for the longest time goes.
    Lru,
    /// The one that came first goes.
    Fifo,
    /// S3-FIFO (Yang et al., SOSP 2023).
    S3Fifo,
    /// Segments in turn, whatever is in them.
    LogPlain,
    /// Segments in turn; what was read in one that goes is written again.
    Log,
    /// The same, and only what was asked for twice comes in: what lastmile does.
    LogSecondUse,
}

impl Policy {
    /// All, in the order of the report.
    pub const ALL: [Self; 6] =
        [Self::Lru, Self::Fifo, Self::S3Fifo, Self::LogPlain, Self::Log, Self::LogSecondUse];

    /// As it is shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lru => "LRU",
            Self::Fifo => "FIFO",
            Self::S3Fifo => "S3-FIFO",
            Self::LogPlain => "log",
            Self::Log => "log, re-inserting",
            Self::LogSecondUse => "lastmile: log, re-inserting, second use",
        }
    }

    fn disk(self, objects: usize, octets: u64) -> Box<dyn Disk> {
        match self {
            Self::Lru => Box::new(Lru::new(objects, octets)),
            Self::Fifo => Box::new(Fifo::new(objects, octets)),
            Self::S3Fifo => Box::new(S3Fifo::new(objects, octets)),
            Self::LogPlain => Box::new(Log::new(objects, octets, SEGMENTS, false)),
            Self::Log | Self::LogSecondUse => Box::new(Log::new(objects, octets, SEGMENTS, true)),
        }
    }

    fn admits_first(self) -> bool {
        self != Self::LogSecondUse
    }
}

/// What became of a policy with a disk of one size on a trace.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Point {
    /// Octets of the disk.
    pub disk_octets: u64,
    /// Requests answered from RAM or disk, of all.
    pub hit_ratio: f64,
    /// The same, by octets.
    pub octet_hit_ratio: f64,
    /// Octets written, by those of what was put on the disk for the first time or anew.
    pub write_amplification: f64,
    /// Octets written, by octets asked for.
    pub written_per_asked: f64,
}

/// A policy's curve.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// Whose it is.
    pub policy: Policy,
    /// From the smallest disk to the largest.
    pub points: Vec<Point>,
}

/// A trace, and what all policies made of it.
#[derive(Clone, Debug, Serialize)]
pub struct Played {
    /// Its name.
    pub trace: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Octets of all popular objects.
    pub popular_octets: u64,
    /// One for each policy.
    pub curves: Vec<Curve>,
}

/// Plays all traces; `say` is told how far it is. Ends early, with what it has, when `stop` is set.
#[must_use]
pub fn play(settings: Settings, stop: &AtomicBool, mut say: impl FnMut(&str)) -> Vec<Played> {
    let mut all = Vec::new();
    for trace in Trace::ALL {
        let requests = trace.requests(settings);
        let objects = requests.iter().max().map_or(0, |number| *number as usize + 1);
        let sizes = sizes(objects, settings.seed);
        let popular = sizes[..(settings.objects as usize).min(objects)].iter();
        let popular_octets = popular.map(|size| u64::from(*size)).sum();
        let mut curves = Vec::new();
        for policy in Policy::ALL {
            say(&format!("{}: {}", trace.name(), policy.name()));
            let mut points = Vec::new();
            for size in SIZES {
                if stop.load(Ordering::Relaxed) {
                    return all;
                }
                points.push(run(policy, popular_octets * size / 1000, &requests, &sizes));
            }
            curves.push(Curve { policy, points });
        }
        let (name, about) = (trace.name(), trace.about());
        all.push(Played { trace: name, about, popular_octets, curves });
    }
    all
}

fn run(policy: Policy, disk_octets: u64, requests: &[u32], sizes: &[u32]) -> Point {
    let mut disk = policy.disk(sizes.len(), disk_octets);
    let mut ram = Ram::new(sizes.len(), disk_octets / RAM_ONE_IN);
    let mut seen = Seen::new(disk_octets);
    let counted_from = requests.len() / 2;
    let (mut hits, mut hit_octets, mut asked_octets) = (0u64, 0u64, 0u64);
    let mut before = (0, 0);
    for (number, &object) in requests.iter().enumerate() {
        if number == counted_from {
            before = disk.written();
        }
        let size = sizes[object as usize];
        let found = ram.ask(object);
        let is_hit = found.is_there || disk.read(object);
        if !found.is_there {
            ram.put(object, size);
        }
        let is_fetched_again = !is_hit && seen.note(object);
        let has_earned_it = policy.admits_first() || found.is_second_use || is_fetched_again;
        if has_earned_it && !disk.has(object) {
            disk.put(object, size);
        }
        if number >= counted_from {
            hits += u64::from(is_hit);
            hit_octets += if is_hit { u64::from(size) } else { 0 };
            asked_octets += u64::from(size);
        }
    }
    let (written, first) = disk.written();
    let (written, first) = (written - before.0, first - before.1);
    let ratio = |part: u64, whole: u64| if whole == 0 { 0.0 } else { float(part) / float(whole) };
    Point {
        disk_octets,
        hit_ratio: ratio(hits, (requests.len() - counted_from) as u64),
        octet_hit_ratio: ratio(hit_octets, asked_octets),
        write_amplification: ratio(written, first),
        written_per_asked: ratio(written, asked_octets),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_hits_what_it_keeps_and_no_more_than_there_is() {
        let settings = Settings { objects: 2_000, requests: 40_000, seed: 3 };
        let played = play(settings, &AtomicBool::new(false), |_| ());
        assert_eq!(played.len(), Trace::ALL.len());
        for Played { trace, curves, .. } in &played {
            for Curve { policy, points } in curves {
                let first_hits: Vec<f64> = points.iter().map(|point| point.hit_ratio).collect();
                assert!(first_hits.iter().all(|ratio| (0.0..1.0).contains(ratio)), "{trace}");
                let (least, most) = (first_hits[0], first_hits[SIZES.len() - 1]);
                assert!(
                    least + 0.02 < most,
                    "{trace}, {policy:?}: larger is better {first_hits:?}"
                );
                let is_log = !matches!(policy, Policy::Lru | Policy::Fifo | Policy::S3Fifo);
                for point in points.iter().filter(|point| point.written_per_asked > 0.0) {
                    let amplified = point.write_amplification;
                    assert!(amplified >= 0.999, "{trace}, {policy:?}: {amplified}");
                    assert!(is_log || amplified < 1.001, "{trace}, {policy:?}: {amplified}");
                }
            }
        }
    }

    #[test]
    fn a_second_use_writes_less_of_what_is_asked_for_once() {
        let settings = Settings { objects: 2_000, requests: 40_000, seed: 4 };
        let played = play(settings, &AtomicBool::new(false), |_| ());
        let wonders = played.iter().find(|played| played.trace == "wonders").unwrap();
        let written = |policy: Policy| {
            let curve = wonders.curves.iter().find(|curve| curve.policy == policy).unwrap();
            curve.points[4].written_per_asked
        };
        assert!(written(Policy::LogSecondUse) < written(Policy::Log) / 2.0);
    }
}
