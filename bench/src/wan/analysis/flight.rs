//! Flights: which packets left together.
//!
//! A flight begins with a packet, and ends with the first packet that is sent after an acknowledgement of that one has
//! arrived: then a round trip has passed, and what is sent is the answer to what was received. No gap is needed, so a
//! paced flight, or one that a slow link stretches, is one flight. In particular:
//!
//! * A packet is acknowledged when the receiver tells, cumulatively or selectively, that it has it or a later one.
//!   So a loss, on this link or on another one, does not make a flight longer.
//! * Retransmissions belong to the flight in which they are sent. In a flight of nothing else the first one of them
//!   has to be acknowledged cumulatively.
//! * Where no acknowledgement comes at all, because a whole flight was lost or there was nothing more to send, a pause
//!   of more than a round trip ends the flight.
//!
//! Limits: what leaves within a round trip is one flight even if a program paused in between; without selective
//! acknowledgements, the flight in which a packet is lost lasts until that is repaired; and everything is seen at the
//! sender's end of a link, so that where this is not the sending host, a packet that met an acknowledgement on the way
//! there is counted for the next flight.

use super::super::capture::Way;
use super::super::outcome::Flight;
use super::traffic::{Seen, Traffic, opposite};
use std::collections::BTreeMap;

/// A flight to which packets may still be added.
struct Open {
    flight: Flight,
    /// The packet whose acknowledgement ends it.
    mark: Mark,
    is_answered: bool,
}

#[derive(Clone, Copy)]
struct Mark {
    from: i64,
    to: i64,
    was_sent_before: bool,
}

/// Of every connection, in the order of their beginnings.
pub(super) fn flights(
    traffic: &Traffic<'_>,
    way: Way,
    numbers: &BTreeMap<usize, u32>,
    round_trip_ms: Option<f64>,
) -> Vec<Flight> {
    let mut open = BTreeMap::<usize, Open>::new();
    let mut flights = Vec::new();
    for seen in &traffic.seen {
        let Some(number) = numbers.get(&seen.connection) else { continue };
        if seen.way == way && seen.is_sent() && seen.content_octets > 0 {
            match open.get_mut(&seen.connection) {
                Some(now) if !now.is_over(seen, round_trip_ms) => now.add(seen),
                Some(_) | None => {
                    let begun = open.insert(seen.connection, Open::begin(seen, *number));
                    flights.extend(begun.map(|begun| begun.flight));
                }
            }
        } else if seen.way == opposite(way)
            && !seen.is_sent()
            && let Some(now) = open.get_mut(&seen.connection)
        {
            now.is_answered |= now.mark.is_answered(seen);
        }
    }
    flights.extend(open.into_values().map(|open| open.flight));
    flights.sort_by(|one, other| one.at_ms.total_cmp(&other.at_ms));
    flights
}

impl Mark {
    fn of(seen: &Seen<'_>) -> Self {
        let to = seen.from + i64::from(seen.content_octets);
        Self { from: seen.from, to, was_sent_before: seen.was_sent_before }
    }

    fn is_answered(&self, seen: &Seen<'_>) -> bool {
        if self.was_sent_before {
            seen.up_to.is_some_and(|up_to| up_to >= self.to)
        } else {
            seen.up_to_selectively.is_some_and(|up_to| up_to > self.from)
        }
    }
}

impl Open {
    fn begin(seen: &Seen<'_>, connection: u32) -> Self {
        let flight = Flight {
            at_ms: seen.at_ms,
            until_ms: seen.at_ms,
            packets: 1,
            octets: u64::from(seen.content_octets),
            connection,
        };
        Self { flight, mark: Mark::of(seen), is_answered: false }
    }

    fn is_over(&self, seen: &Seen<'_>, round_trip_ms: Option<f64>) -> bool {
        let pause_ms = seen.at_ms - self.flight.until_ms;
        self.is_answered || round_trip_ms.is_some_and(|round_trip_ms| pause_ms > round_trip_ms)
    }

    fn add(&mut self, seen: &Seen<'_>) {
        self.flight.until_ms = seen.at_ms;
        self.flight.packets += 1;
        self.flight.octets += u64::from(seen.content_octets);
        if self.mark.was_sent_before && !seen.was_sent_before {
            self.mark = Mark::of(seen);
        }
    }
}
