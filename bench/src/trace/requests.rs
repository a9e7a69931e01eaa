//! Traces: which object is asked for next. The same seed, the same trace.

use super::Settings;
use crate::zipf::{Chooser, Random};

/// Exponent of the popularity of web objects (Breslau et al., INFOCOM 1999: 0.64 to 0.83; CDNs of today: 0.8 to 1).
const EXPONENT: f64 = 0.9;
/// The median of sizes, and how far they spread (a lognormal distribution, as in web traces since Barford and Crovella,
/// SIGMETRICS 1998; the median of an object at a CDN is some 10 KB and its mean ten times that).
const SIZE_MEDIAN: f64 = 10_000.0;
const SIZE_SIGMA: f64 = 1.9;
const SIZE_RANGE: (f64, f64) = (200.0, 50e6);
/// A scan asks for so many objects one after the other, each once.
const SCAN: u32 = 2_000;

/// A kind of trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trace {
    Zipf,
    Wonders,
    Scans,
    Drift,
}

impl Trace {
    pub(super) const ALL: [Self; 4] = [Self::Zipf, Self::Wonders, Self::Scans, Self::Drift];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Zipf => "zipf",
            Self::Wonders => "wonders",
            Self::Scans => "scans",
            Self::Drift => "drift",
        }
    }

    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Zipf => "popularity by rank, exponent 0.9",
            Self::Wonders => {
                "the same, and every third request is for something that nobody asks for again"
            }
            Self::Scans => "the same, and now and then a robot asks for 2,000 objects, each once",
            Self::Drift => {
                "the same, but what is popular changes: a hundredth of it with each hundredth of the trace"
            }
        }
    }

    /// Numbers of objects: popular ones from 0 on, others behind them.
    pub(super) fn requests(self, settings: Settings) -> Vec<u32> {
        let Settings { objects, requests, seed } = settings;
        let chooser = Chooser::zipf(EXPONENT, objects);
        let mut random = Random::new(seed ^ self as u64);
        let (mut next_other, mut left_of_scan) = (objects, 0);
        let step = (objects / 100).max(1);
        let mut all = Vec::with_capacity(requests as usize);
        for number in 0..requests {
            let popular = chooser.choose(&mut random);
            let is_other = match self {
                Self::Zipf | Self::Drift => false,
                Self::Wonders => random.below(3) == 0,
                Self::Scans => {
                    if left_of_scan == 0 && random.below(8 * SCAN) == 0 {
                        left_of_scan = SCAN;
                    }
                    left_of_scan > 0 && random.below(2) == 0
                }
            };
            if is_other {
                left_of_scan = u32::saturating_sub(left_of_scan, 1);
                all.push(next_other);
                next_other += 1;
            } else if self == Self::Drift {
                // Ranks move on: what was first becomes second-rate, and unknown objects rise.
                let passed = u64::from(number) * 100 / u64::from(requests);
                let shift = u32::try_from(passed).unwrap_or(0) * step;
                all.push((popular + shift) % objects);
            } else {
                all.push(popular);
            }
        }
        all
    }
}

/// The size of each object in octets.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "within the range of sizes"
)]
pub(super) fn sizes(objects: usize, seed: u64) -> Vec<u32> {
    let mut random = Random::new(seed ^ 0x5123);
    let mut uniform = || ((random.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let size = |_| {
        // Box and Muller.
        let normal = (-2.0 * uniform().ln()).sqrt() * (core::f64::consts::TAU * uniform()).cos();
        let size = SIZE_MEDIAN * (SIZE_SIGMA * normal).exp();
        size.clamp(SIZE_RANGE.0, SIZE_RANGE.1) as u32
    };
    (0..objects).map(size).collect()
}
