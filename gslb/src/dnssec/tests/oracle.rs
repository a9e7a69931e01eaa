//! What is in an answer, and whether its signatures hold, by `domain`: what it composes and verifies shares no code
//! with what signs.

use crate::answer::Tables;
use crate::transfer::Transfer;
use domain::base::iana::Class;
use domain::base::message::RecordSection;
use domain::base::name::{FlattenInto, ParsedName, ToLabelIter};
use domain::base::{CanonicalOrd, Message, Name, Record, Rtype};
use domain::crypto::common::PublicKey;
use domain::rdata::dnssec::ProtoRrsig;
use domain::rdata::{AllRecordData, Dnskey, Rrsig};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) type Data = AllRecordData<Vec<u8>, Name<Vec<u8>>>;
pub(super) type Owned = Record<Name<Vec<u8>>, Data>;

/// Every record of the zone as secondaries get it.
pub(super) fn records(tables: &Tables) -> Vec<Owned> {
    let query = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x04test\0\0\xfc\0\x01";
    let tables = Arc::new(tables.clone());
    let mut transfer = Transfer::begin(&tables, query).unwrap();
    let (mut out, mut records) = (vec![0; 65_535], Vec::new());
    while let Some(octets) = transfer.next_message(&mut out) {
        records.extend(owned(Message::from_octets(&out[..octets]).unwrap().answer().unwrap()));
    }
    // The SOA again.
    records.pop();
    records
}

pub(super) fn owned(section: RecordSection<'_, &[u8]>) -> Vec<Owned> {
    section
        .map(|record| {
            let record = record.unwrap();
            let record: Record<ParsedName<_>, AllRecordData<_, ParsedName<_>>> =
                record.to_any_record().unwrap();
            record.flatten_into()
        })
        .collect()
}

pub(super) fn dnskey(tables: &Tables) -> Dnskey<Vec<u8>> {
    let key = records(tables).into_iter().find_map(|record| match record.into_data() {
        AllRecordData::Dnskey(key) => Some(key),
        _ => None,
    });
    key.unwrap()
}

/// RRsets by owner and type.
pub(super) fn rrsets(records: &[Owned]) -> BTreeMap<(String, u16), Vec<Owned>> {
    let mut rrsets: BTreeMap<_, Vec<Owned>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.rtype() != Rtype::OPT) {
        let owner = record.owner().to_string().to_ascii_lowercase();
        rrsets.entry((owner, record.rtype().to_int())).or_default().push(record.clone());
    }
    rrsets
}

/// Checks a signature as RFC 4035 §5.3 says; the signed octets are composed by `domain`.
pub(super) fn verify(
    key: &Dnskey<Vec<u8>>,
    rrset: &[Owned],
    rrsig: &Rrsig<Vec<u8>, Name<Vec<u8>>>,
) {
    let owner = rrset[0].owner();
    assert_eq!(rrsig.key_tag(), key.key_tag());
    assert_eq!(rrsig.signer_name().to_string(), "test");
    let proto = ProtoRrsig::new(
        rrsig.type_covered(),
        rrsig.algorithm(),
        rrsig.labels(),
        rrsig.original_ttl(),
        rrsig.expiration(),
        rrsig.inception(),
        rrsig.key_tag(),
        rrsig.signer_name().clone(),
    );
    let mut octets = Vec::new();
    proto.compose_canonical(&mut octets).unwrap();
    // RFC 4035 §5.3.2: an expanded wildcard is signed as the wildcard.
    let labels = owner.iter_labels().count() - 1;
    let signed_owner: Name<Vec<u8>> = if labels > usize::from(rrsig.labels()) {
        let kept: Vec<_> = owner.iter_labels().skip(labels - usize::from(rrsig.labels())).collect();
        let mut wire = b"\x01*".to_vec();
        kept.iter().for_each(|label| label.compose(&mut wire).unwrap());
        Name::from_octets(wire).unwrap()
    } else {
        owner.clone()
    };
    let mut rrset = rrset.to_vec();
    rrset.sort_by(|a, b| a.data().canonical_cmp(b.data()));
    for record in rrset {
        let data = record.into_data();
        let record = Record::new(&signed_owner, Class::IN, rrsig.original_ttl(), data);
        record.compose_canonical(&mut octets).unwrap();
    }
    let public = PublicKey::from_dnskey(key).unwrap();
    let good = public.verify(&octets, rrsig.signature());
    assert!(good.is_ok(), "{owner} {}: {good:?}", rrsig.type_covered());
}

/// Checks every RRset of a section and says which had no signature.
pub(super) fn verify_all(key: &Dnskey<Vec<u8>>, records: &[Owned]) -> BTreeSet<(String, String)> {
    let rrsets = rrsets(records);
    let mut unsigned = BTreeSet::new();
    for ((owner, rtype), rrset) in &rrsets {
        if *rtype == Rtype::RRSIG.to_int() {
            continue;
        }
        let rrsigs = rrsets.get(&(owner.clone(), Rtype::RRSIG.to_int()));
        let rrsig = rrsigs.into_iter().flatten().find_map(|record| match record.data() {
            AllRecordData::Rrsig(rrsig) if rrsig.type_covered().to_int() == *rtype => {
                Some((record.ttl(), rrsig))
            }
            _ => None,
        });
        match rrsig {
            Some((ttl, rrsig)) => {
                assert_eq!(ttl, rrset[0].ttl(), "RFC 4034 §3: {owner} {rtype}");
                verify(key, rrset, rrsig);
            }
            None => {
                unsigned.insert((owner.clone(), Rtype::from_int(*rtype).to_string()));
            }
        }
    }
    unsigned
}
