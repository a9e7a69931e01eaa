//! Records in master-file form (RFC 1035 §5) become RRsets of a zone; the parser is `domain`'s.

use super::{entries, presentation};
use crate::wire::name;
use crate::wire::rtype;
use crate::zone::{Rdata, Zone};
use bytes::Bytes;
use domain::base::Rtype;
use domain::base::iana::Class;
use domain::base::name::{Name, ParsedName, ToName};
use domain::base::rdata::{ComposeRecordData, ParseAnyRecordData};
use domain::dep::octseq::Parser;
use domain::rdata::AllRecordData;
use domain::zonefile::inplace::{Entry, ScannedRecord, Zonefile};

/// Octets of one RRset's data: what fits into a message over TCP with room for the rest.
const RRSET_OCTETS_MAX: usize = 60_000;
/// Octets of a record beside owner and data: an owner pointer, type, class, TTL, length.
const RECORD_HEAD_OCTETS: usize = 12;

/// What is wrong, and in which line of the records (from 1) where that is known.
#[derive(Debug)]
pub(super) struct BadRecords {
    pub(super) line: Option<usize>,
    pub(super) message: String,
}

/// Reads `records` into a new zone; relative names are relative to `apex` (in lower case).
pub(super) fn read_zone(apex: &[u8], records: &str) -> Result<Zone, BadRecords> {
    let wrong = |message: String| BadRecords { line: None, message };
    entries::check(records)?;
    let mut zone = Zone::new(apex);
    let origin = Name::from_octets(Bytes::copy_from_slice(apex))
        .map_err(|error| wrong(format!("zone name: {error}")))?;
    let mut file = Zonefile::from(presentation::rewrite(records, apex)?.as_str());
    file.extend_from_slice(b"\n");
    file.set_origin(origin);
    file.set_default_class(Class::IN);
    while let Some(entry) = file.next_entry().map_err(|error| syntax_error(&error.to_string()))? {
        match entry {
            Entry::Include { .. } => {
                return Err(wrong("$INCLUDE is not allowed: a zone is one text".to_owned()));
            }
            Entry::Record(record) => add_record(&mut zone, &record).map_err(wrong)?,
        }
    }
    check_zone(&zone).map_err(wrong)?;
    Ok(zone)
}

/// `domain` says `LINE:COLUMN: MESSAGE`, where the place is behind the field that it could not use.
/// Column 1 means that this field ended the line before.
fn syntax_error(text: &str) -> BadRecords {
    let mut parts = text.splitn(3, ':');
    let mut number = || parts.next().and_then(|part| part.trim().parse::<usize>().ok());
    match (number(), number(), parts.next()) {
        (Some(line), Some(column), Some(message)) => BadRecords {
            line: Some(if column == 1 { line.saturating_sub(1).max(1) } else { line }),
            message: one_line(message.trim()),
        },
        _ => BadRecords { line: None, message: one_line(text) },
    }
}

/// A message may quote the text: its control characters are for no terminal.
fn one_line(text: &str) -> String {
    let shown = |letter: char| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    text.chars().map(shown).collect()
}

fn add_record(zone: &mut Zone, record: &ScannedRecord) -> Result<(), String> {
    let mut owner = Vec::new();
    let Ok(()) = record.owner().compose(&mut owner);
    if name::skip(&owner, 0) != Ok(owner.len()) {
        return Err(format!("{} {}: an empty label", record.owner(), record.rtype()));
    }
    let owner = name::to_lower(&owner);
    let rtype = record.rtype().to_int();
    let called = format!("{} {}", name::to_text(&owner), record.rtype());
    if !name::is_within(&owner, &zone.apex) {
        return Err(format!("{called}: is not within {}", name::to_text(&zone.apex)));
    }
    if record.class() != Class::IN {
        return Err(format!("{called}: class {} is not served; allowed: IN", record.class()));
    }
    if rtype == rtype::DNAME {
        // Serving it without the CNAMEs that RFC 6672 §3.1 wants made from it would mislead.
        return Err(format!("{called}: is not supported; use a wildcard"));
    }
    if rtype == rtype::NS && owner.starts_with(b"\x01*") {
        return Err(format!("{called}: a wildcard cannot be delegated (RFC 4592 §4.2)"));
    }
    let mut data = Vec::new();
    let Ok(()) = record.data().compose_rdata(&mut data);
    if !is_well_formed(record.rtype(), &data) {
        return Err(format!("{called}: an empty label, or malformed data"));
    }
    let rdata = read_rdata(rtype, data).ok_or_else(|| format!("{called}: malformed data"))?;
    // RFC 2181 §8: values with the upper bit set count as 0.
    let ttl = record.ttl().as_secs();
    let ttl = if ttl > i32::MAX as u32 { 0 } else { ttl };
    zone.node(&owner).insert(rtype, ttl, rdata);
    Ok(())
}

/// Whether data can be read as its type's, without pointers: the parser of `domain` (0.11) lets names with empty labels
/// through, and whatever is written in octets (RFC 3597 §5).
fn is_well_formed(rtype: Rtype, data: &[u8]) -> bool {
    let mut parser = Parser::from_ref(data);
    let read = AllRecordData::<&[u8], ParsedName<&[u8]>>::parse_any_rdata(rtype, &mut parser);
    let mut again = Vec::new();
    read.is_ok_and(|read| {
        let Ok(()) = read.compose_rdata(&mut again);
        again == data
    })
}

/// Takes record data apart where it holds names that may be compressed.
fn read_rdata(rtype: u16, data: Vec<u8>) -> Option<Rdata> {
    let split_name = |octets: &[u8]| {
        let end = name::skip(octets, 0).ok()?;
        Some((Box::<[u8]>::from(&octets[..end]), end))
    };
    Some(match rtype {
        rtype::NS | rtype::CNAME | rtype::PTR => Rdata::Name(data.into_boxed_slice()),
        rtype::MX => Rdata::Mx {
            preference: crate::wire::read_u16(&data, 0)?,
            exchange: data.get(2..)?.into(),
        },
        rtype::SOA => {
            let (mname, end) = split_name(&data)?;
            let rest = data.get(end..)?;
            let (rname, end) = split_name(rest)?;
            let (words, &[]) = rest.get(end..)?.as_chunks::<4>() else { return None };
            let numbers: [[u8; 4]; 5] = words.try_into().ok()?;
            Rdata::Soa { mname, rname, numbers: numbers.map(u32::from_be_bytes) }
        }
        _ => Rdata::Octets(data.into_boxed_slice()),
    })
}

/// What a zone must have, and what may not stand together.
fn check_zone(zone: &Zone) -> Result<(), String> {
    let count = |rtype| zone.apex_node().rrset(rtype).map_or(0, |rrset| rrset.records.len());
    let apex = name::to_text(&zone.apex);
    match count(rtype::SOA) {
        1 => {}
        0 => return Err(format!("{apex} has no SOA record at its apex (RFC 1035 §5.2)")),
        soas => return Err(format!("{apex} has {soas} SOA records, exactly one is allowed")),
    }
    if count(rtype::NS) == 0 {
        return Err(format!("{apex} has no NS record at its apex (RFC 1034 §4.2.1)"));
    }
    for (owner, node) in zone.nodes() {
        let owner_text = || name::to_text(owner);
        if let Some(cname) = node.rrset(rtype::CNAME)
            && (node.rrsets.len() > 1 || cname.records.len() > 1)
        {
            let owner = owner_text();
            return Err(format!("{owner} CNAME: must be the only record there (RFC 1034 §3.6.2)"));
        }
        if owner != &*zone.apex && node.rrset(rtype::SOA).is_some() {
            return Err(format!("{} SOA: is allowed at the apex only", owner_text()));
        }
        for rrset in &node.rrsets {
            let octets: usize =
                rrset.records.iter().map(|r| RECORD_HEAD_OCTETS + rdata_octets(r)).sum();
            if octets > RRSET_OCTETS_MAX {
                let owner = owner_text();
                return Err(format!("{owner}: {octets} octets of one type do not fit an answer"));
            }
        }
    }
    Ok(())
}

fn rdata_octets(rdata: &Rdata) -> usize {
    match rdata {
        Rdata::Octets(octets) => octets.len(),
        Rdata::Name(name) => name.len(),
        Rdata::Mx { exchange, .. } => 2 + exchange.len(),
        Rdata::Soa { mname, rname, .. } => 20 + mname.len() + rname.len(),
    }
}
