//! On which terms a query is answered: whether its sender is believed, how large the answer may be, and the options
//! that it carries.

use super::{Asked, Reason, Tables, Transport, UDP_PAYLOAD_MIN};
use crate::steer::Why;
use crate::wire::cookie::Standing;
use crate::wire::options::{ExtendedError, Options};
use crate::wire::query::Query;
use crate::wire::rtype;
use crate::wire::{CLASS_IN, OPT_OCTETS};

/// What is agreed before anything is looked up.
pub(super) struct Terms<'t> {
    pub(super) options: Options<'t>,
    pub(super) standing: Standing,
    /// Octets of the whole answer.
    pub(super) limit: usize,
}

impl<'t> Terms<'t> {
    /// `room` is what the buffer has.
    pub(super) fn new(tables: &'t Tables, asked: &Asked<'_>, query: &Query, room: usize) -> Self {
        let mut terms =
            Self { options: Options::default(), standing: Standing::Silent, limit: room };
        let service = &tables.service;
        let is_udp = asked.transport == Transport::Udp;
        if is_udp {
            let payload = query.edns.as_ref().map_or(UDP_PAYLOAD_MIN, |edns| {
                edns.payload.min(tables.udp_payload_max).max(UDP_PAYLOAD_MIN)
            });
            terms.limit = room.min(payload.into());
        }
        let Some(edns) = &query.edns else {
            if is_udp {
                terms.limit = terms.limit.min(service.amplification_max * asked.packet.len());
            }
            return terms;
        };
        terms.options.subnet = edns.subnet;
        let wanted = &edns.wanted;
        if let (1.., Some(secrets)) = (wanted.cookie_octets, &service.secrets) {
            let at = usize::from(wanted.cookie_at);
            let cookie = &asked.packet[at..at + usize::from(wanted.cookie_octets)];
            let (standing, both) = secrets.judge(cookie, asked.peer, asked.moment.now);
            (terms.standing, terms.options.cookie) = (standing, Some(both));
        }
        // Whoever forges an address must not gain much by asking us.
        if is_udp && terms.standing != Standing::Good {
            terms.limit = terms.limit.min(service.amplification_max * asked.packet.len());
        }
        if wanted.nsid && service.nsid.is_some() {
            terms.options.nsid = service.nsid.as_deref();
            // RFC 5001 §2.2: whether we say it is our choice; the question must fit.
            if query.question_end + terms.opt_octets() > terms.limit {
                terms.options.nsid = None;
            }
        }
        // RFC 7828 §3.3.1: over UDP it is ignored.
        if wanted.keepalive && asked.transport == Transport::Tcp {
            terms.options.keepalive = Some(service.keepalive);
        }
        terms
    }

    /// Octets of the OPT record.
    pub(super) fn opt_octets(&self) -> usize {
        OPT_OCTETS + self.options.octets()
    }
}

/// What RFC 8914 has to add to an answer: codes 20 (§4.21), 21 (§4.22), 18 (§4.19) and 0 (§4.1).
pub(super) fn extended_error(reason: Reason, query: &Query) -> Option<ExtendedError> {
    if reason == Reason::Steered(Why::Nothing) {
        return Some(ExtendedError(0, "no edge is up"));
    }
    if reason != Reason::Refused {
        return None;
    }
    if query.qclass != CLASS_IN {
        return Some(ExtendedError(21, "class"));
    }
    let is_transfer = matches!(query.qtype, rtype::AXFR | rtype::IXFR);
    Some(if is_transfer { ExtendedError(18, "transfer") } else { ExtendedError(20, "") })
}

#[cfg(test)]
mod tests;
