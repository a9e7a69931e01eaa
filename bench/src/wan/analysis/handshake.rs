//! What the ends of a connection agreed on, and the round trip between them.

use super::super::capture::Way;
use super::head::Options;
use super::traffic::{Seen, Traffic};

/// The first packets of a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Handshake {
    /// When its first SYN was sent, in ms since the measurement began.
    pub at_ms: f64,
    /// Which way its SYN went.
    pub way: Way,
    /// Offered with the SYN.
    pub offered: Options,
    /// Offered in return with the SYN-ACK; `None` if none was sent.
    pub answered: Option<Options>,
    /// SYNs after the first one.
    pub syn_retransmissions: u32,
    /// SYN-ACKs after the first one.
    pub syn_ack_retransmissions: u32,
    /// Of the whole path, whichever part of it the link is, in ms; see [`Handshake::agreed`] for the options. `None`
    /// if it was not completed.
    pub round_trip_ms: Option<f64>,
}

impl Handshake {
    /// What is in force, because both offered it (RFC 7323 §1.3, RFC 2018 §2): the segments and the scale are those of
    /// the side that answers.
    #[must_use]
    pub fn agreed(&self) -> Options {
        let Some(answered) = self.answered else { return Options::default() };
        Options {
            segment_octets_max: answered.segment_octets_max,
            window_scale: answered.window_scale.filter(|_| self.offered.window_scale.is_some()),
            selective: self.offered.selective && answered.selective,
            timestamps: self.offered.timestamps && answered.timestamps,
        }
    }
}

/// By the numbers of their connections.
pub(super) fn handshakes(traffic: &Traffic<'_>) -> Vec<Option<Handshake>> {
    let mut found: Vec<Option<Handshake>> = vec![None; traffic.connection_count()];
    let mut watches = vec![Watch::default(); traffic.connection_count()];
    for seen in &traffic.seen {
        let handshake = &mut found[seen.connection];
        if let Some(handshake) = handshake {
            handshake.follow(seen);
        } else if seen.is_open() && seen.is_sent() {
            *handshake = Some(Handshake::begin(seen));
        }
        if let Some(handshake) = handshake
            && handshake.round_trip_ms.is_none()
        {
            handshake.round_trip_ms = watches[seen.connection].follow(seen, handshake.way);
        }
    }
    found
}

impl Handshake {
    fn begin(syn: &Seen<'_>) -> Self {
        Self {
            at_ms: syn.at_ms,
            way: syn.way,
            offered: syn.options,
            answered: None,
            syn_retransmissions: 0,
            syn_ack_retransmissions: 0,
            round_trip_ms: None,
        }
    }

    fn follow(&mut self, seen: &Seen<'_>) {
        if !seen.is_sent() {
            return;
        }
        if seen.is_open() {
            self.syn_retransmissions += 1;
        } else if seen.is_answer() {
            self.syn_ack_retransmissions += u32::from(self.answered.is_some());
            self.answered.get_or_insert(seen.options);
        }
    }
}

/// A round trip is measured at the end of the link where the SYN enters it. From the SYN to the SYN-ACK is the part of
/// the path beyond that point, from the SYN-ACK to what acknowledges it is the part before it: their sum is the whole
/// path, whichever part of it the link is. Waiting for what was lost does not count, as far as this link sees it.
#[derive(Clone, Copy, Default)]
struct Watch {
    /// When the last SYN was sent, and the first and the last SYN-ACK after it.
    syn_ms: Option<f64>,
    first_answer_ms: Option<f64>,
    last_answer_ms: Option<f64>,
    /// When the last SYN-ACK arrived, and the part of the path beyond.
    arrived_ms: Option<f64>,
    beyond_ms: Option<f64>,
}

impl Watch {
    /// The round trip, when it is known.
    fn follow(&mut self, seen: &Seen<'_>, way: Way) -> Option<f64> {
        if seen.is_open() {
            if seen.is_sent() && self.beyond_ms.is_none() {
                *self = Self { syn_ms: Some(seen.at_ms), ..Self::default() };
            }
        } else if seen.is_answer() {
            if seen.is_sent() {
                self.first_answer_ms.get_or_insert(seen.at_ms);
                self.last_answer_ms = Some(seen.at_ms);
            } else {
                let waited = self.last_answer_ms? - self.first_answer_ms?;
                self.arrived_ms = Some(seen.at_ms);
                self.beyond_ms = self.beyond_ms.or(Some(seen.at_ms - self.syn_ms? - waited));
            }
        } else if seen.way == way && seen.is_sent() && !seen.is_rst {
            return Some(self.beyond_ms? + seen.at_ms - self.arrived_ms?);
        }
        None
    }
}

/// The median of the round trips of these handshakes.
pub(super) fn round_trip_ms(handshakes: &[Option<Handshake>]) -> Option<f64> {
    let mut all: Vec<_> = handshakes.iter().flatten().filter_map(|it| it.round_trip_ms).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied()
}

/// From the first segment to its acknowledgement, where there is nothing better: the part of the path beyond the
/// sender's end of the link, and what the receiver delays.
pub(super) fn first_answer_ms(traffic: &Traffic<'_>, way: Way) -> Option<f64> {
    let first = traffic.sent(way).find(|seen| seen.content_octets > 0)?;
    let answer = traffic.acknowledging(way).find(|seen| {
        seen.connection == first.connection && seen.up_to.is_some_and(|up_to| up_to > first.from)
    })?;
    Some(answer.at_ms - first.at_ms)
}

/// The window of an acknowledgement in octets. RFC 7323 §2.2: that of a SYN is never scaled.
pub(super) fn window(handshakes: &[Option<Handshake>], seen: &Seen<'_>) -> Option<u32> {
    let handshake = handshakes.get(seen.connection)?.as_ref()?;
    let own = if seen.way == handshake.way { Some(handshake.offered) } else { handshake.answered };
    let is_scaled = handshake.agreed().window_scale.is_some() && !seen.is_syn;
    // RFC 7323 §2.3: more than 14 is taken for 14.
    let scale = own?.window_scale.filter(|_| is_scaled).unwrap_or(0).min(14);
    Some(u32::from(seen.window) << scale)
}
