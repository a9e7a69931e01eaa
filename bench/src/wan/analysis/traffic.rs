//! The packets of a link as positions in the streams of its connections.

use super::super::capture::{Event, Packet, Way};
use super::head::{Head, Options};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// The TCP of a link.
pub(super) struct Traffic<'a> {
    /// In the order of their times.
    pub(super) seen: Vec<Seen<'a>>,
    /// In the order in which they began.
    connections: Vec<Connection>,
}

/// A segment, or an acknowledgement, where a link took it or gave it on.
pub(super) struct Seen<'a> {
    pub(super) at_ms: f64,
    pub(super) way: Way,
    pub(super) event: Event,
    /// By its place among all of the link.
    pub(super) connection: usize,
    /// Where its content begins in its stream. The streams of connections whose SYN was seen begin at 0.
    pub(super) from: i64,
    pub(super) content_octets: u32,
    /// As much of it as was kept.
    pub(super) content: &'a [u8],
    /// Whether some of its content went this way before: on this link, dropped or not.
    pub(super) was_sent_before: bool,
    /// What it acknowledges: a position in the other stream, all octets before which have arrived.
    pub(super) up_to: Option<i64>,
    /// The greatest position that it acknowledges, be it selectively.
    pub(super) up_to_selectively: Option<i64>,
    pub(super) is_syn: bool,
    pub(super) is_fin: bool,
    pub(super) is_rst: bool,
    pub(super) window: u16,
    pub(super) options: Options,
}

impl Seen<'_> {
    /// Whether it is a first segment of the side that opens the connection, and of the other one.
    pub(super) fn is_open(&self) -> bool {
        self.is_syn && self.up_to.is_none()
    }

    pub(super) fn is_answer(&self) -> bool {
        self.is_syn && self.up_to.is_some()
    }

    /// Whether it is here because its sender gave it to the link, whatever became of it.
    pub(super) fn is_sent(&self) -> bool {
        match self.event {
            Event::Entered | Event::Lost | Event::Overflowed | Event::Scripted => true,
            Event::Arrived => false,
        }
    }
}

#[derive(Default)]
struct Connection {
    forth: Stream,
    back: Stream,
}

impl Connection {
    fn stream(&self, way: Way) -> &Stream {
        match way {
            Way::Forth => &self.forth,
            Way::Back => &self.back,
        }
    }

    fn stream_mut(&mut self, way: Way) -> &mut Stream {
        match way {
            Way::Forth => &mut self.forth,
            Way::Back => &mut self.back,
        }
    }
}

/// Octets from one sequence number of a stream to the next one that is seen. RFC 7323 §2.3: no window is larger.
const NEAR_OCTETS_MAX: u32 = 1 << 30;

/// The octets of one direction of a connection.
#[derive(Default)]
struct Stream {
    /// The sequence number of its SYN, if that was seen.
    initial: Option<u32>,
    /// A sequence number, and the position that it stands for: the last one that was looked at. RFC 9293 §3.4: all
    /// arithmetic is modulo 2^32; whatever is near it in time is less than 2^31 away from it.
    near: Option<(u32, i64)>,
    /// Where its first content is that was seen.
    first: Option<i64>,
    sent: Ranges,
}

impl Stream {
    fn position(&mut self, sequence: u32) -> i64 {
        let (near, position) = *self.near.get_or_insert((sequence, 0));
        let distance = sequence.wrapping_sub(near).cast_signed();
        let position = position + i64::from(distance);
        // What is far away, such as the number of a reset by a host that knows of no connection, is nothing to go by.
        if distance.unsigned_abs() <= NEAR_OCTETS_MAX {
            self.near = Some((sequence, position));
        }
        position
    }

    fn begin(&mut self, initial: u32) {
        if self.initial.is_none() {
            self.initial = Some(initial);
            self.near = Some((initial.wrapping_add(1), 0));
        }
    }

    /// The position from which octets are counted.
    fn base(&self) -> i64 {
        match self.initial {
            Some(_) => 0,
            None => self.first.unwrap_or(0),
        }
    }
}

/// Octets that were sent, as ranges that do not touch.
#[derive(Default)]
struct Ranges(BTreeMap<i64, i64>);

impl Ranges {
    /// Adds, and says whether some of it had been there.
    fn add(&mut self, mut from: i64, mut to: i64) -> bool {
        let mut had_some = false;
        while let Some((&start, &end)) = self.0.range(..=to).next_back() {
            if end < from {
                break;
            }
            had_some |= start < to && end > from;
            (from, to) = (from.min(start), to.max(end));
            self.0.remove(&start);
        }
        self.0.insert(from, to);
        had_some
    }

    fn has_all(&self, from: i64, to: i64) -> bool {
        self.0.range(..=from).next_back().is_some_and(|(_, end)| *end >= to)
    }
}

type End = (IpAddr, u16);

impl<'a> Traffic<'a> {
    /// Sorts what `link` saw. Times begin with the first packet of all links.
    pub(super) fn of(packets: &'a [Packet], link: u16) -> Self {
        let zero_ns = packets.iter().map(|packet| packet.at_ns).min().unwrap_or(0);
        let mut packets: Vec<_> = packets.iter().filter(|packet| packet.link == link).collect();
        packets.sort_by_key(|packet| packet.at_ns);
        let mut traffic = Self { seen: Vec::new(), connections: Vec::new() };
        let mut latest = HashMap::new();
        for packet in packets {
            let Some(head) = Head::read(&packet.kept, packet.octets) else { continue };
            let connection = traffic.connection(&mut latest, &head, packet.way);
            let seen = traffic.see(connection, &head, packet, zero_ns);
            traffic.seen.push(seen);
        }
        traffic
    }

    /// Which connection it belongs to. A SYN with another initial sequence number begins a new one between the same
    /// ports.
    fn connection(
        &mut self,
        latest: &mut HashMap<(End, End), usize>,
        head: &Head<'_>,
        way: Way,
    ) -> usize {
        let key = (head.from.min(head.to), head.from.max(head.to));
        let begins = head.is_syn && head.acknowledgement.is_none();
        let known = latest.get(&key).copied().filter(|known| {
            !begins || self.connections[*known].stream(way).initial == Some(head.sequence)
        });
        known.unwrap_or_else(|| {
            self.connections.push(Connection::default());
            latest.insert(key, self.connections.len() - 1);
            self.connections.len() - 1
        })
    }

    fn see(
        &mut self,
        connection: usize,
        head: &Head<'a>,
        packet: &Packet,
        zero_ns: u64,
    ) -> Seen<'a> {
        let streams = &mut self.connections[connection];
        let stream = streams.stream_mut(packet.way);
        if head.is_syn {
            stream.begin(head.sequence);
        }
        // A SYN takes a sequence number before its content, if it has any (RFC 7413).
        let from = stream.position(head.sequence.wrapping_add(u32::from(head.is_syn)));
        let mut seen = Seen {
            at_ms: milliseconds(packet.at_ns - zero_ns),
            way: packet.way,
            event: packet.event,
            connection,
            from,
            content_octets: head.content_octets,
            content: head.content,
            was_sent_before: false,
            up_to: None,
            up_to_selectively: None,
            is_syn: head.is_syn,
            is_fin: head.is_fin,
            is_rst: head.is_rst,
            window: head.window,
            options: head.options,
        };
        if head.content_octets > 0 && seen.is_sent() {
            stream.first = Some(stream.first.map_or(from, |first| first.min(from)));
            seen.was_sent_before = stream.sent.add(from, from + i64::from(head.content_octets));
        }
        let other = streams.stream_mut(opposite(packet.way));
        seen.up_to = head.acknowledgement.map(|up_to| other.position(up_to));
        seen.up_to_selectively = seen.up_to.map(|up_to| {
            let ends = head.selective.iter().map(|(_, end)| other.position(*end));
            ends.fold(up_to, i64::max)
        });
        seen
    }

    /// What its sender gave to the link on its `way`.
    pub(super) fn sent(&self, way: Way) -> impl Iterator<Item = &Seen<'a>> {
        self.seen.iter().filter(move |seen| seen.way == way && seen.is_sent())
    }

    /// What arrived at the sender's end of the link from the other way, and acknowledges something.
    pub(super) fn acknowledging(&self, way: Way) -> impl Iterator<Item = &Seen<'a>> {
        self.seen.iter().filter(move |seen| {
            seen.way == opposite(way) && seen.event == Event::Arrived && seen.up_to.is_some()
        })
    }

    /// Numbers of the connections that have content this way, in the order of its first segments.
    pub(super) fn numbers(&self, way: Way) -> BTreeMap<usize, u32> {
        let mut numbers = BTreeMap::new();
        for seen in self.sent(way).filter(|seen| seen.content_octets > 0) {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            numbers.entry(seen.connection).or_insert(next);
        }
        numbers
    }

    /// A position as octets of content before it, of those that were seen.
    pub(super) fn place(&self, connection: usize, way: Way, position: i64) -> u64 {
        let base = self.connections[connection].stream(way).base();
        u64::try_from(position - base).unwrap_or(0)
    }

    /// Octets of content that it acknowledges. A FIN has a sequence number too, and is no octet of content.
    pub(super) fn acknowledged(&self, seen: &Seen<'_>) -> Option<u64> {
        let way = opposite(seen.way);
        let up_to = self.place(seen.connection, way, seen.up_to?);
        let sent = &self.connections[seen.connection].stream(way).sent.0;
        let end =
            sent.last_key_value().map_or(0, |(_, end)| self.place(seen.connection, way, *end));
        Some(up_to.min(end))
    }

    /// When the last content arrived at the other end that had not been there, or some of it.
    pub(super) fn arrived_ms(&self, way: Way) -> Option<f64> {
        let mut arrived = HashMap::<usize, Ranges>::new();
        let mut last_ms = None;
        let here = self.seen.iter().filter(|seen| seen.way == way && seen.event == Event::Arrived);
        for seen in here.filter(|seen| seen.content_octets > 0) {
            let ranges = arrived.entry(seen.connection).or_default();
            let to = seen.from + i64::from(seen.content_octets);
            if !ranges.has_all(seen.from, to) {
                last_ms = Some(seen.at_ms);
                ranges.add(seen.from, to);
            }
        }
        last_ms
    }

    pub(super) fn connection_count(&self) -> usize {
        self.connections.len()
    }
}

/// The other direction.
pub(super) fn opposite(way: Way) -> Way {
    match way {
        Way::Forth => Way::Back,
        Way::Back => Way::Forth,
    }
}

/// An `f64` has whole nanoseconds up to 104 days, so nothing is lost.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn milliseconds(ns: u64) -> f64 {
    ns as f64 / 1e6
}
