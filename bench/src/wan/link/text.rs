//! Conditions as a scenario's file writes them, and as they are shown.

use super::conditions::{Conditions, Probability, Queue, Rate};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest delay, jitter, or time of a change: an hour, which no link takes. With it, times of packets can't
/// overflow.
const DURATION_MAX: Duration = Duration::from_secs(3_600);

/// The fastest rate, in bits per second: 1 Tbit/s, at which a packet takes no time that can be told.
const RATE_MAX: u64 = 1_000_000_000_000;

/// The longest queue in packets; in octets it is so many of the longest packets. The emulator has some more than these
/// under way at most, with those that have left the queue.
const QUEUE_PACKETS_MAX: usize = 50_000;

/// Octets of the longest packet.
const PACKET_OCTETS_MAX: usize = 65_535;

const DURATION_UNITS: &[(&str, f64)] =
    &[("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("min", 60e9)];

const RATE_UNITS: &[(&str, f64)] =
    &[("bit/s", 1.0), ("kbit/s", 1e3), ("Mbit/s", 1e6), ("Gbit/s", 1e9)];

const QUEUE_UNITS: &[(&str, f64, bool)] = &[
    ("packet", 1.0, true),
    ("packets", 1.0, true),
    ("B", 1.0, false),
    ("kB", 1e3, false),
    ("KB", 1e3, false),
    ("MB", 1e6, false),
    ("KiB", 1024.0, false),
    ("MiB", 1_048_576.0, false),
];

/// A duration such as `80ms`, `1.5s`, `150us`; of at most an hour.
///
/// # Errors
/// What is allowed.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let scale = DURATION_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
    let nanoseconds = number.zip(scale).map(|(number, scale)| (number * scale).round());
    let most = DURATION_MAX.as_nanos() as f64;
    match nanoseconds {
        // Exact: an hour has less than 2^53 nanoseconds.
        Some(found) if found <= most => Ok(Duration::from_nanos(found as u64)),
        Some(_) | None => Err(format!(
            "{text:?} is no duration; allowed: a number with ns, us, ms, s or min, up to an hour, such as \"80ms\""
        )),
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text);
        let scale = RATE_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
        let bits = number.zip(scale).map(|(number, scale)| (number * scale).round());
        let bits = bits.filter(|bits| *bits <= RATE_MAX as f64).map(|bits| bits as u64);
        bits.and_then(Self::new).ok_or_else(|| {
            format!(
                "{text:?} is no rate; allowed: from 1 bit/s to 1000 Gbit/s, with bit/s, kbit/s, Mbit/s or Gbit/s, \
                 such as \"50Mbit/s\""
            )
        })
    }
}

impl FromStr for Probability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = match split(text) {
            (Some(number), "%") => Some(number),
            (Some(_) | None, _) => None,
        };
        percent.and_then(|percent| Self::new(percent / 100.0)).ok_or_else(|| {
            format!("{text:?} is no probability; allowed: 0% to 100%, such as \"2%\" or \"0.1%\"")
        })
    }
}

impl FromStr for Queue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "{text:?} is no queue; allowed: up to {QUEUE_PACKETS_MAX} packets, or octets with B, kB, MB, KiB or \
                 MiB, such as \"12 packets\" or \"64KB\""
            )
        };
        let (number, unit) = split(text);
        let unit = QUEUE_UNITS.iter().find(|(name, _, _)| *name == unit);
        let (number, (_, scale, is_packets)) = number.zip(unit).ok_or_else(refused)?;
        let size = number * scale;
        let most = QUEUE_PACKETS_MAX * if *is_packets { 1 } else { PACKET_OCTETS_MAX };
        if size.fract() != 0.0 || size > most as f64 {
            return Err(refused());
        }
        let size = size as usize;
        Ok(if *is_packets { Self::Packets(size) } else { Self::Octets(size) })
    }
}

/// The number and the unit; no number if it is none that is finite and at least 0.
fn split(text: &str) -> (Option<f64>, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number.parse().ok(), unit.trim())
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.bits_per_second() as f64;
        let fits = RATE_UNITS.iter().rev().find(|(_, scale)| bits >= *scale);
        let (unit, scale) = fits.copied().unwrap_or(("bit/s", 1.0));
        write!(f, "{} {unit}", bits / scale)
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the noise of a division by 100.
        write!(f, "{} %", (self.part() * 1e11).round() / 1e9)
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packets(1) => f.write_str("1 packet"),
            Self::Packets(packets) => write!(f, "{packets} packets"),
            Self::Octets(octets) => write!(f, "{octets} B"),
        }
    }
}

/// Such as `40 ms, 50 Mbit/s, queue of 12 packets, 2 % loss, drops SYN-ACK 1`.
impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", milliseconds(self.delay))?;
        if !self.jitter.is_zero() {
            let order = if self.reorder { ", reordering" } else { "" };
            write!(f, ", jitter {} ms{order}", milliseconds(self.jitter))?;
        }
        if let Some(rate) = self.rate {
            write!(f, ", {rate}, queue of {}", self.queue)?;
        }
        if self.loss.part() > 0.0 {
            write!(f, ", {} loss", self.loss)?;
        }
        if let Some(burst) = self.burst {
            write!(f, ", bursts of {} loss", burst.loss)?;
        }
        if self.duplicate.part() > 0.0 {
            write!(f, ", {} twice", self.duplicate)?;
        }
        for (at, drop) in self.drops.iter().enumerate() {
            write!(f, "{} {drop}", if at == 0 { ", drops" } else { " and" })?;
        }
        for change in &self.changes {
            write!(f, "; from {} s on {}", change.at.as_secs_f64(), change.conditions)?;
        }
        Ok(())
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e6
}
