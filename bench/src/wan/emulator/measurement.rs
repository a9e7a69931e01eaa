//! What links did.

use super::recorder::Recorder;
use crate::wan::capture::{Packet, Way};
use crate::wan::link::{DropReason, QueueMax};
use hdrhistogram::Histogram;
use std::io;

/// The greatest lateness that is told apart, in nanoseconds: 10 s.
const LATENESS_NS_MAX: u64 = 10_000_000_000;

/// Digits of a lateness that count.
const LATENESS_DIGITS: u8 = 3;

/// What became of packets in one direction of a link since the measurement began. Each packet that entered, or was
/// duplicated, arrived, was refused, was dropped for one reason, or is under way; those that were under way when the
/// measurement began arrive in it too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Given to the link by the sender.
    pub entered: u64,
    /// Octets of these.
    pub octets: u64,
    /// Taken by the receiver's kernel; each copy counts.
    pub arrived: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Dropped at a full queue, or because too many were under way.
    pub overflowed: u64,
    /// Dropped by a script.
    pub scripted: u64,
    /// Copies that were made.
    pub duplicated: u64,
    /// Refused by the receiver's kernel, as when its device was down.
    pub refused: u64,
    /// Under way when this was asked for; each copy counts.
    pub under_way: u64,
    /// The most that waited in the queue.
    pub queue_max: QueueMax,
}

/// Of both directions of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounts {
    /// From the first end to the second.
    pub forth: Counts,
    /// And back.
    pub back: Counts,
}

impl LinkCounts {
    /// Of one direction.
    #[must_use]
    pub fn of(&self, way: Way) -> &Counts {
        match way {
            Way::Forth => &self.forth,
            Way::Back => &self.back,
        }
    }
}

/// What links did while they were measured ([`Emulator::begin_measurement`](super::Emulator::begin_measurement)).
#[derive(Clone, Debug)]
pub struct Measurement {
    /// When it began, in nanoseconds of `CLOCK_MONOTONIC`.
    pub began_ns: u64,
    /// When it ended.
    pub ended_ns: u64,
    /// What was seen, in the order of time.
    pub packets: Vec<Packet>,
    /// How many events were not captured because there were too many.
    pub not_captured: u64,
    /// For each link, in the order of [`Emulator::start`](super::Emulator::start).
    pub counts: Vec<LinkCounts>,
    /// How much later than due packets were delivered, in nanoseconds.
    pub lateness_ns: Histogram<u64>,
}

impl Counts {
    /// One packet was dropped.
    pub(super) fn count(&mut self, reason: DropReason) {
        match reason {
            DropReason::Lost => self.lost += 1,
            DropReason::Overflowed => self.overflowed += 1,
            DropReason::Scripted => self.scripted += 1,
        }
    }

    /// Packets that were dropped, for whatever reason.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.lost + self.overflowed + self.scripted
    }
}

/// A measurement as the thread hands it over.
pub(super) struct Raw {
    pub(super) began_ns: u64,
    pub(super) ended_ns: u64,
    pub(super) recorder: Recorder,
    pub(super) counts: Vec<LinkCounts>,
    pub(super) lateness_ns: Histogram<u64>,
}

impl Raw {
    /// As others read it.
    pub(super) fn measurement(self) -> Measurement {
        let Self { began_ns, ended_ns, recorder, counts, lateness_ns } = self;
        let (packets, not_captured) = recorder.packets();
        Measurement { began_ns, ended_ns, packets, not_captured, counts, lateness_ns }
    }
}

/// For latenesses.
pub(in crate::wan) fn histogram() -> io::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, LATENESS_NS_MAX, LATENESS_DIGITS).map_err(io::Error::other)
}
