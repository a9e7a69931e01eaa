//! The signature of an RRset: RRSIG records over its canonical form (RFC 4034 §3.1, §6).

use super::key::ZoneKey;
use crate::wire::name::{self, LowerName};
use crate::wire::{CLASS_IN, rtype};
use crate::zone::Rdata;
use domain::base::Rtype;
use domain::base::name::ParsedName;
use domain::base::rdata::{ComposeRecordData, ParseAnyRecordData};
use domain::dep::octseq::Parser;
use domain::rdata::AllRecordData;

/// What signs the RRsets of a zone.
pub(super) struct Signer<'a> {
    pub(super) key: &'a ZoneKey,
    /// The zone's apex in lower case.
    pub(super) apex: &'a [u8],
    /// From when to when signatures hold, in seconds since 1970 modulo 2^32 (RFC 4034 §3.1.5).
    pub(super) inception: u32,
    pub(super) expiration: u32,
}

impl Signer<'_> {
    /// The data of the RRSIG record of an RRset; `owner` in lower case.
    ///
    /// # Errors
    /// As for [`ZoneKey::sign`].
    pub(super) fn sign<'r>(
        &self,
        owner: &[u8],
        rtype: u16,
        ttl: u32,
        records: impl Iterator<Item = &'r Rdata>,
    ) -> Result<Box<[u8]>, String> {
        let mut rrsig = Vec::with_capacity(18 + self.apex.len() + 64);
        rrsig.extend_from_slice(&rtype.to_be_bytes());
        rrsig.extend_from_slice(&[self.key.algorithm, labels(owner)]);
        for number in [ttl, self.expiration, self.inception] {
            rrsig.extend_from_slice(&number.to_be_bytes());
        }
        rrsig.extend_from_slice(&self.key.tag.to_be_bytes());
        rrsig.extend_from_slice(self.apex);
        // RFC 4034 §6.3: records by their data, none twice.
        let mut canonical: Vec<_> = records.map(|rdata| canonical(rtype, rdata)).collect();
        canonical.sort_unstable();
        canonical.dedup();
        let mut signed = rrsig.clone();
        for data in canonical {
            signed.extend_from_slice(owner);
            signed.extend_from_slice(&rtype.to_be_bytes());
            signed.extend_from_slice(&CLASS_IN.to_be_bytes());
            signed.extend_from_slice(&ttl.to_be_bytes());
            signed.extend_from_slice(&(data.len() as u16).to_be_bytes());
            signed.extend_from_slice(&data);
        }
        rrsig.extend(self.key.sign(&signed)?);
        Ok(rrsig.into())
    }
}

/// RFC 4034 §3.1.3: labels of the owner, neither the root nor a wildcard's asterisk counted.
fn labels(owner: &[u8]) -> u8 {
    let labels = LowerName::read(owner).map_or(0, |(name, _)| name.labels());
    let wildcard = usize::from(owner.starts_with(b"\x01*"));
    // A name has at most 127.
    (labels - wildcard) as u8
}

/// RFC 4034 §6.2: names in data of the types of RFC 1035 and some others in lower case, not compressed.
fn canonical(rtype: u16, rdata: &Rdata) -> Vec<u8> {
    match rdata {
        Rdata::Name(name) => name::to_lower(name).into(),
        Rdata::Mx { preference, exchange } => {
            [&preference.to_be_bytes()[..], &name::to_lower(exchange)].concat()
        }
        Rdata::Soa { mname, rname, numbers } => {
            let mut octets = [name::to_lower(mname), name::to_lower(rname)].concat();
            octets.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
            octets
        }
        Rdata::Octets(octets) => match rtype {
            // By far the most, and nothing to do.
            rtype::A | rtype::AAAA => octets.to_vec(),
            _ => canonical_octets(rtype, octets),
        },
    }
}

fn canonical_octets(rtype: u16, octets: &[u8]) -> Vec<u8> {
    let mut parser = Parser::from_ref(octets);
    let parsed: Result<AllRecordData<_, ParsedName<_>>, _> =
        AllRecordData::parse_any_rdata(Rtype::from_int(rtype), &mut parser);
    let Ok(data) = parsed else { return octets.to_vec() };
    let mut canonical = Vec::new();
    let Ok(()) = data.compose_canonical_rdata(&mut canonical);
    canonical
}
