//! What captures show: the connections of a link, their segments, flights, acknowledgements and losses, from the octets
//! on the wire alone.
//!
//! * `head`: IPv4, IPv6 and TCP, with the options.
//! * `traffic`: the packets of a link as positions in the streams of its connections.
//! * `handshake`: what the ends of a connection agreed on, and the round trip between them.
//! * `flight`: which packets left together.
//! * `count`: drops, retransmissions, requests.
//! * `thin`: no more than can be drawn.
//!
//! Everything here is an oracle for the kernel, for the links and for the servers, so it shares no code with any of
//! them. The time of all results begins with the first packet of what is analysed, whichever link saw it. Packets may
//! come in any order, and are put into that of their times.

mod count;
mod flight;
mod handshake;
mod head;
#[cfg(test)]
mod tests;
mod thin;
mod traffic;

pub use count::Counts;
pub use handshake::Handshake;
pub use head::Options;

use super::capture::{Packet, Way};
use super::outcome::{Acknowledgement, Mark, MarkKind, Plot, Segment};
use std::time::Duration;
use traffic::{Seen, Traffic};

/// The time-sequence plot of what goes one `way` over `link`, as it is seen at its sender's end of the link: segments
/// as they enter it or are dropped by it, acknowledgements as they arrive from it.
///
/// `asked` is the round trip of the whole path as the scenario has it; it counts only where no handshake shows it.
/// A link that saw nothing has an empty plot.
#[must_use]
pub fn plot(packets: &[Packet], link: u16, way: Way, title: &str, asked: Option<Duration>) -> Plot {
    let traffic = Traffic::of(packets, link);
    let numbers = traffic.numbers(way);
    let handshakes = handshake::handshakes(&traffic);
    let round_trip_ms = handshake::round_trip_ms(&handshakes)
        .or_else(|| asked.map(|asked| asked.as_secs_f64() * 1e3))
        .or_else(|| handshake::first_answer_ms(&traffic, way));
    let segments = traffic.sent(way).filter(|seen| seen.content_octets > 0).map(|seen| Segment {
        at_ms: seen.at_ms,
        from: traffic.place(seen.connection, way, seen.from),
        octets: seen.content_octets,
        connection: numbers.get(&seen.connection).copied().unwrap_or(0),
        is_retransmission: seen.was_sent_before,
        event: seen.event,
    });
    let acknowledged = traffic.acknowledging(way).filter_map(|seen| {
        Some(Acknowledgement {
            at_ms: seen.at_ms,
            up_to: traffic.acknowledged(seen)?,
            window: handshake::window(&handshakes, seen),
            connection: *numbers.get(&seen.connection)?,
        })
    });
    let mut plot = Plot {
        title: title.to_owned(),
        link: usize::from(link),
        way,
        round_trip_ms,
        segments: segments.collect(),
        segments_seen: 0,
        segments_dropped: 0,
        segments_sent_again: 0,
        connections_seen: numbers.len() as u64,
        acknowledged: acknowledged.collect(),
        flights: flight::flights(&traffic, way, &numbers, round_trip_ms),
        marks: traffic.seen.iter().filter_map(mark).collect(),
        arrived_ms: traffic.arrived_ms(way),
    };
    let count = |of: fn(&Segment) -> bool| plot.segments.iter().filter(|it| of(it)).count() as u64;
    let dropped = count(|segment| segment.event.is_drop());
    let sent_again = count(|segment| segment.is_retransmission);
    (plot.segments_dropped, plot.segments_sent_again) = (dropped, sent_again);
    plot.segments_seen = plot.segments.len() as u64;
    thin::thin(&mut plot);
    plot
}

/// What a plot names of what was sent.
fn mark(seen: &Seen<'_>) -> Option<Mark> {
    let kind = if seen.is_open() {
        MarkKind::Syn
    } else if seen.is_answer() {
        MarkKind::SynAck
    } else {
        seen.content.starts_with(b"GET ").then_some(MarkKind::Request)?
    };
    seen.is_sent().then_some(Mark { at_ms: seen.at_ms, kind, event: seen.event })
}

/// Flights of the connection that has most of the content: 4 for 30 KB from an initial window of 2.
#[must_use]
pub fn flight_count(plot: &Plot) -> usize {
    let mut octets = std::collections::BTreeMap::<u32, (u64, usize)>::new();
    for flight in &plot.flights {
        let (sum, count) = octets.entry(flight.connection).or_default();
        (*sum, *count) = (*sum + flight.octets, *count + 1);
    }
    octets.into_values().max().map_or(0, |(_, count)| count)
}

/// What is counted of what goes one `way` over `link`. Requests go the other way than the content that they ask for:
/// those of a link are the sum of both.
#[must_use]
pub fn counts(packets: &[Packet], link: u16, way: Way) -> Counts {
    count::counts(packets, &Traffic::of(packets, link), link, way)
}

/// The handshakes on a link, in the order of their connections. A connection that was open before is not in it.
#[must_use]
pub fn handshakes(packets: &[Packet], link: u16) -> Vec<Handshake> {
    handshake::handshakes(&Traffic::of(packets, link)).into_iter().flatten().collect()
}
