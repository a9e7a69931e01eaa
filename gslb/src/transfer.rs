//! A zone for its secondaries (RFC 5936): message after message, none of them large. Pure.

use crate::answer::{Tables, put_rdata};
use crate::wire::name::LowerName;
use crate::wire::query::flag;
use crate::wire::writer::{Full, Writer};
use crate::wire::{CLASS_IN, HEADER_OCTETS, rtype};
use crate::zone::{Rdata, Rrset, Zone, Zones};
use std::sync::Arc;

/// Octets of a message that has more than one record: names compress within so many (RFC 1035 §4.1.4), and a
/// connection keeps one message on top of what it may leave unsent.
const MESSAGE_OCTETS_MAX: usize = 16 << 10;

/// A transfer under way: a snapshot of the zone, and how far it has come.
pub(crate) struct Transfer {
    tables: Arc<Tables>,
    /// The zone's place.
    zone: usize,
    id: [u8; 2],
    question: Box<[u8]>,
    step: Step,
}

/// What comes next.
#[derive(Clone, Copy)]
enum Step {
    /// RFC 5936 §2.2: the SOA first.
    Begin,
    Record(Place),
    /// The SOA again.
    End,
    Done,
}

/// A record: node, RRset of the node, record of the RRset; behind the last record stands the RRset's signature.
#[derive(Clone, Copy, Default)]
struct Place {
    node: usize,
    rrset: usize,
    record: usize,
}

impl Transfer {
    /// Begins a transfer of the zone that the query in `packet` names; `None` when it is not served, or the packet is
    /// not a query.
    pub(crate) fn begin(tables: &Arc<Tables>, packet: &[u8]) -> Option<Self> {
        let (name, octets) = LowerName::read(packet.get(HEADER_OCTETS..)?).ok()?;
        let (zone, _) = tables.zones.at_apex(name.as_wire())?;
        Some(Self {
            tables: Arc::clone(tables),
            zone,
            id: [packet[0], packet[1]],
            question: packet.get(HEADER_OCTETS..HEADER_OCTETS + octets + 4)?.into(),
            step: Step::Begin,
        })
    }

    /// Writes the next message into `out`, which must hold the largest one (64 KiB), and returns how long it is;
    /// `None` at the end.
    pub(crate) fn next_message(&mut self, out: &mut [u8]) -> Option<usize> {
        let first = match self.step {
            Step::Begin => true,
            Step::Record(_) | Step::End => false,
            Step::Done => return None,
        };
        let tables = Arc::clone(&self.tables);
        let zone = &tables.zones.all()[self.zone];
        let largest = out.len().min(usize::from(u16::MAX));
        let mut writer = Writer::new(out, MESSAGE_OCTETS_MAX.min(largest));
        if first {
            // RFC 5936 §2.2.1: in the first message, and not needed in others. It always fits.
            let _ = writer.put_question(&self.question);
        }
        let mut records = 0;
        loop {
            let mark = writer.mark();
            match self.put_record(zone, &mut writer) {
                Ok(true) => records += 1,
                Ok(false) => break,
                // A record that is larger than a message usually is has one for itself.
                Err(Full) if records == 0 => {
                    writer.rewind(mark);
                    writer.set_limit(largest);
                    let fits = self.put_record(zone, &mut writer);
                    debug_assert!(fits.is_ok(), "the zone was read with a bound for its RRsets");
                    if fits.is_err() {
                        self.step = Step::Done;
                        return None;
                    }
                    records += 1;
                    writer.set_limit(MESSAGE_OCTETS_MAX);
                }
                Err(Full) => {
                    writer.rewind(mark);
                    break;
                }
            }
        }
        writer.set_header(&self.header(first, records));
        (records > 0).then_some(writer.octets())
    }

    fn header(&self, first: bool, records: u16) -> [u8; HEADER_OCTETS] {
        let mut header = [0; HEADER_OCTETS];
        header[..2].copy_from_slice(&self.id);
        header[2..4].copy_from_slice(&(flag::QR | flag::AA).to_be_bytes());
        header[5] = u8::from(first);
        header[6..8].copy_from_slice(&records.to_be_bytes());
        header
    }

    /// Writes the next record and steps behind it; `false` when there is none.
    fn put_record(&mut self, zone: &Zone, writer: &mut Writer<'_>) -> Result<bool, Full> {
        let soa = || zone.apex_node().rrset(rtype::SOA);
        let next = match self.step {
            Step::Done => return Ok(false),
            Step::Begin | Step::End => {
                if let Some(soa) = soa() {
                    put(writer, &zone.apex, soa, 0)?;
                }
                if matches!(self.step, Step::Begin) {
                    Step::Record(Place::default())
                } else {
                    Step::Done
                }
            }
            Step::Record(place) => match find(zone, place) {
                Some((place, owner, rrset)) => {
                    put(writer, owner, rrset, place.record)?;
                    Step::Record(Place { record: place.record + 1, ..place })
                }
                None => {
                    self.step = Step::End;
                    return self.put_record(zone, writer);
                }
            },
        };
        self.step = next;
        Ok(true)
    }
}

/// The first record at or behind `place` that is neither the SOA nor the end of its RRset.
fn find(zone: &Zone, mut place: Place) -> Option<(Place, &[u8], &Rrset)> {
    loop {
        let (owner, mut rrsets) = zone.transferred(place.node)?;
        match rrsets.nth(place.rrset) {
            None => place = Place { node: place.node + 1, ..Place::default() },
            Some(rrset) => {
                let records = rrset.records.len();
                if rrset.rtype == rtype::SOA && place.record < records {
                    place.record = records;
                }
                if place.record < records + usize::from(rrset.rrsig.is_some()) {
                    return Some((place, owner, rrset));
                }
                place = Place { rrset: place.rrset + 1, record: 0, ..place };
            }
        }
    }
}

fn put(writer: &mut Writer<'_>, owner: &[u8], rrset: &Rrset, record: usize) -> Result<(), Full> {
    // RFC 5936 §3.4: names keep the case that the zone has, whatever the question's.
    writer.put_name(owner)?;
    let rdata = rrset.records.get(record);
    writer.put_u16(if rdata.is_some() { rrset.rtype } else { rtype::RRSIG })?;
    writer.put_u16(CLASS_IN)?;
    writer.put_u32(rrset.ttl)?;
    let length_at = writer.octets();
    writer.put_u16(0)?;
    match (rdata, &rrset.rrsig) {
        (Some(rdata), _) => put_rdata(writer, rdata)?,
        (None, Some(rrsig)) => writer.put(rrsig)?,
        (None, None) => {}
    }
    let octets = writer.octets() - length_at - 2;
    writer.patch_u16(length_at, octets as u16);
    Ok(())
}

/// RFC 1982 §3.2: whether a serial is `other` or newer. Two that are 2^31 apart are neither.
pub(crate) fn is_current(serial: u32, other: u32) -> bool {
    serial.wrapping_sub(other) < 1 << 31
}

/// The serial that an asker for IXFR has, in the SOA of its authority section (RFC 1995 §3).
pub(crate) fn serial_of(packet: &[u8]) -> Option<u32> {
    let message = domain::base::Message::from_octets(packet).ok()?;
    let mut records = message.authority().ok()?.limit_to_in::<domain::rdata::Soa<_>>();
    Some(records.next()?.ok()?.data().serial().into_int())
}

/// Zones with secondaries that would miss a change: their content is another, their serial is not newer.
pub(crate) fn unannounced<'z>(before: &Zones, after: &'z Zones) -> Vec<&'z Zone> {
    let changed = after.all().iter().filter(|zone| {
        let has_secondaries =
            !zone.secondaries.transfer_to.is_empty() || !zone.secondaries.notify.is_empty();
        let Some((_, old)) = before.at_apex(&zone.apex) else { return false };
        has_secondaries && is_current(old.serial(), zone.serial()) && content(old) != content(zone)
    });
    changed.collect()
}

/// What is compared: every record that secondaries get, in an order of its own, without the serial.
fn content(zone: &Zone) -> Vec<(&[u8], u16, u32, Vec<Rdata>)> {
    let mut rrsets = Vec::new();
    for place in 0.. {
        let Some((owner, of_owner)) = zone.transferred(place) else { break };
        for rrset in of_owner {
            let mut records = rrset.records.clone();
            records.sort_unstable();
            for rdata in &mut records {
                match rdata {
                    Rdata::Soa { numbers, .. } => numbers[0] = 0,
                    Rdata::Octets(_) | Rdata::Name(_) | Rdata::Mx { .. } => {}
                }
            }
            rrsets.push((owner, rrset.rtype, rrset.ttl, records));
        }
    }
    rrsets.sort_unstable();
    rrsets
}

#[cfg(test)]
mod tests;
