//! What is counted of a direction of a link.

use super::super::capture::{Event, Packet, Way};
use super::traffic::{Seen, Traffic, opposite};
use std::collections::{HashMap, HashSet};
use std::ops::AddAssign;

/// Counts of a direction of a link. They add up, but of a connection that goes over several links each counts its
/// packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that were sent, be they dropped.
    pub packets: u64,
    /// Octets of these, their heads included.
    pub octets: u64,
    /// Packets that the link dropped: at random, from a full queue, or by its script.
    pub drops: u64,
    /// Of these, the ones that its queue had no room for.
    pub overflows: u64,
    /// Segments with content of which some had been sent before.
    pub retransmissions: u64,
    /// SYNs after the first one of a connection.
    pub syn_retransmissions: u64,
    /// SYN-ACKs after the first one of a connection.
    pub syn_ack_retransmissions: u64,
    /// Acknowledgements of this direction, as they arrived at its sender, that say again what the one before said while
    /// there is more on the way (RFC 5681 §2).
    pub duplicate_acknowledgements: u64,
    /// GETs that entered: segments that begin with one, each counted once however often it is sent. Of several in one
    /// segment only the first is seen.
    pub requests: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.octets += other.octets;
        self.drops += other.drops;
        self.overflows += other.overflows;
        self.retransmissions += other.retransmissions;
        self.syn_retransmissions += other.syn_retransmissions;
        self.syn_ack_retransmissions += other.syn_ack_retransmissions;
        self.duplicate_acknowledgements += other.duplicate_acknowledgements;
        self.requests += other.requests;
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        let mut sum = Self::default();
        for counts in all {
            sum += counts;
        }
        sum
    }
}

pub(super) fn counts(packets: &[Packet], traffic: &Traffic<'_>, link: u16, way: Way) -> Counts {
    let mut counts = Counts::default();
    // Of all protocols.
    let here = packets.iter().filter(|packet| packet.link == link && packet.way == way);
    for packet in here.filter(|packet| packet.event != Event::Arrived) {
        counts.packets += 1;
        counts.octets += u64::from(packet.octets);
        counts.drops += u64::from(packet.event.is_drop());
        counts.overflows += u64::from(packet.event == Event::Overflowed);
    }
    let mut opened = HashSet::new();
    let mut asked = HashSet::new();
    for seen in traffic.sent(way) {
        let mut is_first = || opened.insert((seen.connection, seen.is_open()));
        if seen.is_open() {
            counts.syn_retransmissions += u64::from(!is_first());
        } else if seen.is_answer() {
            counts.syn_ack_retransmissions += u64::from(!is_first());
        }
        counts.retransmissions += u64::from(seen.was_sent_before);
        if seen.event == Event::Entered && seen.content.starts_with(b"GET ") {
            counts.requests += u64::from(asked.insert((seen.connection, seen.from)));
        }
    }
    counts.duplicate_acknowledgements = duplicate_acknowledgements(traffic, way);
    counts
}

/// What the sender of a connection knows.
#[derive(Default)]
struct Known {
    sent_to: i64,
    /// The greatest acknowledgement, and the window that came with it.
    acknowledged: Option<(i64, u16)>,
}

fn duplicate_acknowledgements(traffic: &Traffic<'_>, way: Way) -> u64 {
    let mut known = HashMap::<usize, Known>::new();
    let mut count = 0;
    for seen in &traffic.seen {
        let known = known.entry(seen.connection).or_default();
        if seen.way == way && seen.is_sent() {
            known.sent_to = known.sent_to.max(seen.from + i64::from(seen.content_octets));
        } else if seen.way == opposite(way) && seen.event == Event::Arrived {
            count += u64::from(known.is_duplicate(seen));
        }
    }
    count
}

impl Known {
    /// RFC 5681 §2: the same as the greatest one so far, without content, SYN or FIN, with the same window, while
    /// there is something outstanding.
    fn is_duplicate(&mut self, seen: &Seen<'_>) -> bool {
        let Some(up_to) = seen.up_to else { return false };
        let is_bare = seen.content_octets == 0 && !seen.is_syn && !seen.is_fin && !seen.is_rst;
        let is_again = self.acknowledged == Some((up_to, seen.window));
        if self.acknowledged.is_none_or(|(greatest, _)| up_to >= greatest) {
            self.acknowledged = Some((up_to, seen.window));
        }
        is_bare && is_again && self.sent_to > up_to
    }
}
