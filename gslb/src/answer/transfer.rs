//! Answers to zone transfers (RFC 5936, RFC 1995), short of the transfer itself.

use super::draft::{Draft, Section};
use super::{Asked, Reason, Tables, Transport};
use crate::transfer::{is_current, serial_of};
use crate::wire::writer::Full;
use crate::wire::{Rcode, rtype};

impl Draft<'_, '_> {
    /// Whether this is for one of the zone's secondaries, and whether a transfer has to follow.
    pub(super) fn begin_transfer(
        &mut self,
        tables: &Tables,
        asked: &Asked<'_>,
    ) -> Result<(), Full> {
        // Over HTTPS as over UDP: it would take more than one message.
        let over_udp = asked.transport != Transport::Tcp;
        let incremental = self.query.qtype == rtype::IXFR;
        let zone = tables.zones.at_apex(self.query.name.as_wire()).map(|(_, zone)| zone);
        let allowed = zone.filter(|zone| zone.secondaries.allow(asked.peer));
        let Some(zone) = allowed else {
            self.end(Rcode::Refused, Reason::Refused);
            return Ok(());
        };
        // RFC 5936 §4.2: AXFR over UDP is not defined.
        if over_udp && !incremental {
            self.end(Rcode::Refused, Reason::Refused);
            return Ok(());
        }
        if incremental {
            let Some(known) = serial_of(asked.packet) else {
                self.end(Rcode::FormErr, Reason::Malformed);
                return Ok(());
            };
            // RFC 1995 §2, §4: a single SOA when there is nothing newer, or when it must be asked for over TCP. There,
            // the whole zone is an answer too.
            if over_udp || is_current(known, zone.serial()) {
                self.authoritative = true;
                self.reason = Reason::Static;
                return match zone.apex_node().rrset(rtype::SOA) {
                    Some(soa) => self.put_rrset(Section::Answer, &zone.apex, soa, soa.ttl),
                    None => Ok(()),
                };
            }
        }
        self.reason = Reason::Transfer;
        Ok(())
    }
}
