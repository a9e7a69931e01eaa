//! Links of chosen conditions between network namespaces: a TUN device at each end, and one real-time thread that reads
//! packets at one end, asks the [`link`](super::link) what becomes of them, and writes them at the other end when they
//! are due.

use super::capture::{Packet, Way};
use super::link::{Conditions, QueueMax};
use hdrhistogram::Histogram;
use lastmile_tuning::netns::Namespace;
use std::io;

/// A link that is to be made.
#[derive(Clone, Debug)]
pub struct LinkEnds {
    /// Where its two ends are.
    pub ends: [End; 2],
    /// Octets of the longest IP packet, 68 to 65,535; usually [`MTU_OCTETS`].
    pub mtu_octets: u32,
    /// What it is like from the first end to the second.
    pub forth: Conditions,
    /// And back.
    pub back: Conditions,
}

/// One end of a link.
#[derive(Clone, Debug)]
pub struct End {
    /// The host.
    pub namespace: Namespace,
    /// The name of the TUN device that is made there, at most 15 octets.
    pub device: String,
}

/// What a link usually carries at most, as Ethernet does.
pub const MTU_OCTETS: u32 = 1_500;

/// What became of packets in one direction of a link since the measurement began. Each packet that entered, or was
/// duplicated, arrived, was dropped for one reason, or is under way.
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
    /// Under way when this was asked for.
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

/// What links did from [`Emulator::begin_measurement`] to [`Emulator::end_measurement`].
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
    /// For each link, in the order of [`Emulator::start`].
    pub counts: Vec<LinkCounts>,
    /// How much later than due packets were delivered, in nanoseconds.
    pub lateness_ns: Histogram<u64>,
}

/// Running links. They go away with it.
#[derive(Debug)]
pub struct Emulator {}

impl Emulator {
    /// Makes the devices, brings them up, and starts the thread. They have no addresses and no routes yet. Which packets
    /// are lost follows from `seed`, the place of the link, the way, and the order of packets in it.
    ///
    /// # Errors
    /// What is missing: `/dev/net/tun`, or `CAP_NET_ADMIN` in a namespace; a device of that name that exists.
    pub fn start(links: Vec<LinkEnds>, seed: u64) -> io::Result<Self> {
        let _ = (links, seed);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Whether the thread is a real-time one; otherwise why not.
    ///
    /// # Errors
    /// What the kernel said of it.
    pub fn real_time(&self) -> Result<(), &str> {
        Err("")
    }

    /// Makes one direction of a link another one, for the packets that enter from now on.
    ///
    /// # Errors
    /// `InvalidInput` for a link that there is not; why the thread has ended, if it has.
    pub fn set(&self, link: usize, way: Way, conditions: Conditions) -> io::Result<()> {
        let _ = (link, way, conditions);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Starts a measurement: counts and lateness from 0, an empty capture, scripts from the first packet, changes from
    /// now. Chance goes on, and so do the packets that are under way.
    ///
    /// # Errors
    /// Why the thread has ended, if it has.
    pub fn begin_measurement(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Ends it and says what there was. Links go on as they are.
    ///
    /// # Errors
    /// As for [`Emulator::begin_measurement`]; `InvalidInput` if none has begun.
    pub fn end_measurement(&self) -> io::Result<Measurement> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What became of packets since the measurement began, or since the start; for each link.
    ///
    /// # Errors
    /// As for [`Emulator::begin_measurement`].
    pub fn counts(&self) -> io::Result<Vec<LinkCounts>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
