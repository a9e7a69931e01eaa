//! An answer in the making: sections, whole RRsets or nothing, the OPT record, the header.

use super::terms::extended_error;
use super::{Answered, Reason};
use crate::steer::{Choice, Placed};
use crate::wire::options::Options;
use crate::wire::query::{Query, flag};
use crate::wire::writer::{Full, Writer};
use crate::wire::{CLASS_IN, HEADER_OCTETS, OPT_OCTETS, Rcode, rtype};
use crate::zone::{Rdata, Rrset, Zone};
use std::net::IpAddr;

/// Sections behind the question, as indices of their counts.
#[derive(Clone, Copy)]
pub(super) enum Section {
    Answer = 0,
    Authority = 1,
    Additional = 2,
}

/// An answer in the making.
pub(super) struct Draft<'q, 'o> {
    pub(super) query: &'q Query,
    pub(super) writer: Writer<'o>,
    /// Whether signatures are wanted (RFC 4035 §3.1.1, §3.2.1).
    pub(super) dnssec_ok: bool,
    pub(super) counts: [u16; 3],
    pub(super) authoritative: bool,
    pub(super) truncated: bool,
    pub(super) rcode: Rcode,
    pub(super) scope: u8,
    pub(super) reason: Reason,
    pub(super) placed: Option<Placed>,
    pub(super) options: Options<'q>,
    pub(super) kind: u64,
}

impl<'q, 'o> Draft<'q, 'o> {
    pub(super) fn new(query: &'q Query, writer: Writer<'o>, options: Options<'q>) -> Self {
        Self {
            query,
            writer,
            dnssec_ok: query.edns.is_some_and(|edns| edns.dnssec_ok),
            counts: [0; 3],
            authoritative: false,
            truncated: false,
            rcode: Rcode::NoError,
            scope: 0,
            reason: Reason::Static,
            placed: None,
            options,
            kind: 0,
        }
    }

    pub(super) fn end(&mut self, rcode: Rcode, reason: Reason) {
        self.rcode = rcode;
        self.reason = reason;
    }

    /// RFC 2308 §3: a negative answer carries the zone's SOA.
    pub(super) fn put_soa(&mut self, zone: &Zone) -> Result<(), Full> {
        match zone.apex_node().rrset(rtype::SOA) {
            Some(soa) => self.put_rrset(Section::Authority, &zone.apex, soa, soa.negative_ttl()),
            None => Ok(()),
        }
    }

    /// `rrsig` is the signature of the chosen addresses.
    pub(super) fn put_choice(
        &mut self,
        owner: &[u8],
        ttl: u32,
        choice: &Choice,
        rrsig: Option<&[u8]>,
    ) -> Result<(), Full> {
        let addresses = choice.addresses();
        let count = addresses.len() + usize::from(rrsig.is_some());
        self.put_whole(Section::Answer, count, |draft| {
            addresses.iter().try_for_each(|&to| draft.put_address(owner, ttl, to))?;
            rrsig.map_or(Ok(()), |rrsig| draft.put_rrsig(owner, ttl, rrsig))
        })
    }

    pub(super) fn put_rrset(
        &mut self,
        section: Section,
        owner: &[u8],
        rrset: &Rrset,
        ttl: u32,
    ) -> Result<(), Full> {
        // RFC 4035 §3.1.1: an RRset goes with its signature, or not at all.
        let rrsig = if self.dnssec_ok { rrset.rrsig.as_ref() } else { None };
        let count = rrset.records.len() + usize::from(rrsig.is_some());
        self.put_whole(section, count, |draft| {
            rrset.records.iter().try_for_each(|rdata| {
                draft.put_head(owner, rrset.rtype, ttl)?;
                draft.put_named_data(|writer| put_rdata(writer, rdata))
            })?;
            rrsig.map_or(Ok(()), |rrsig| draft.put_rrsig(owner, ttl, rrsig))
        })
    }

    /// Writes `count` records, or none of them if not all fit (RFC 2181 §9).
    pub(super) fn put_whole(
        &mut self,
        section: Section,
        count: usize,
        write: impl FnOnce(&mut Self) -> Result<(), Full>,
    ) -> Result<(), Full> {
        let mark = self.writer.mark();
        let outcome = write(self);
        match outcome {
            Ok(()) => self.counts[section as usize] += count as u16,
            Err(Full) => self.writer.rewind(mark),
        }
        outcome
    }

    pub(super) fn put_head(&mut self, owner: &[u8], rtype: u16, ttl: u32) -> Result<(), Full> {
        self.writer.put_owner(owner)?;
        self.writer.put_u16(rtype)?;
        self.writer.put_u16(CLASS_IN)?;
        self.writer.put_u32(ttl)
    }

    pub(super) fn put_address(
        &mut self,
        owner: &[u8],
        ttl: u32,
        address: IpAddr,
    ) -> Result<(), Full> {
        match address {
            IpAddr::V4(address) => {
                self.put_head(owner, rtype::A, ttl)?;
                self.writer.put_u16(4)?;
                self.writer.put(&address.octets())
            }
            IpAddr::V6(address) => {
                self.put_head(owner, rtype::AAAA, ttl)?;
                self.writer.put_u16(16)?;
                self.writer.put(&address.octets())
            }
        }
    }

    /// Data whose length is known only when its names have been compressed.
    pub(super) fn put_named_data(
        &mut self,
        write: impl FnOnce(&mut Writer<'o>) -> Result<(), Full>,
    ) -> Result<(), Full> {
        let length_at = self.writer.octets();
        self.writer.put_u16(0)?;
        write(&mut self.writer)?;
        let octets = self.writer.octets() - length_at - 2;
        self.writer.patch_u16(length_at, octets as u16);
        Ok(())
    }

    /// Adds the OPT record (RFC 6891 §7: exactly when asked with one) and the header.
    pub(super) fn finish(mut self, packet: &[u8], limit: usize, udp_payload_max: u16) -> Answered {
        self.writer.set_limit(limit);
        if let Some(edns) = self.query.edns {
            // RFC 8914 §3: if there is room.
            if let Some(error) = extended_error(self.reason, self.query) {
                let options = Options { error: Some(error), ..self.options };
                if self.writer.octets() + OPT_OCTETS + options.octets() <= limit {
                    self.options = options;
                }
            }
            let fits = self.put_whole(Section::Additional, 1, |draft| {
                let writer = &mut draft.writer;
                put_opt_head(writer, udp_payload_max, draft.rcode, edns.dnssec_ok)?;
                draft.options.write(draft.scope, writer)
            });
            debug_assert!(fits.is_ok(), "place was kept for the OPT record");
        }
        let asked_flags = u16::from_be_bytes([packet[2], packet[3]]);
        let mut flags = flag::QR | (asked_flags & (flag::RD | flag::CD)) | (self.rcode as u16 & 15);
        flags |= if self.authoritative { flag::AA } else { 0 };
        flags |= if self.truncated { flag::TC } else { 0 };
        let [answers, authorities, additionals] = self.counts;
        let counts = [1, answers, authorities, additionals];
        self.writer.set_header(&header(packet, flags, counts));
        Answered {
            truncated: self.truncated,
            scope: self.scope,
            placed: self.placed,
            kind: self.kind,
            ..Answered::new(self.writer.octets(), self.reason, self.rcode)
        }
    }
}

/// An OPT record up to the length of its options: version 0, and DO as asked (RFC 6891 §6.1.2, §6.1.3).
pub(super) fn put_opt_head(
    writer: &mut Writer<'_>,
    udp_payload_max: u16,
    rcode: Rcode,
    dnssec_ok: bool,
) -> Result<(), Full> {
    writer.put(&[0])?;
    writer.put_u16(rtype::OPT)?;
    writer.put_u16(udp_payload_max)?;
    let upper_rcode = (rcode as u16 >> 4) as u8;
    writer.put(&[upper_rcode, 0, if dnssec_ok { 0x80 } else { 0 }, 0])
}

/// A header with the query's ID.
pub(super) fn header(packet: &[u8], flags: u16, counts: [u16; 4]) -> [u8; HEADER_OCTETS] {
    let mut header = [0; HEADER_OCTETS];
    header[..2].copy_from_slice(&packet[..2]);
    header[2..4].copy_from_slice(&flags.to_be_bytes());
    for (index, count) in counts.into_iter().enumerate() {
        header[4 + 2 * index..6 + 2 * index].copy_from_slice(&count.to_be_bytes());
    }
    header
}

pub(crate) fn put_rdata(writer: &mut Writer<'_>, rdata: &Rdata) -> Result<(), Full> {
    match rdata {
        Rdata::Octets(octets) => writer.put(octets),
        Rdata::Name(name) => writer.put_name(name),
        Rdata::Mx { preference, exchange } => {
            writer.put_u16(*preference)?;
            writer.put_name(exchange)
        }
        Rdata::Soa { mname, rname, numbers } => {
            writer.put_name(mname)?;
            writer.put_name(rname)?;
            numbers.iter().try_for_each(|&number| writer.put_u32(number))
        }
    }
}
