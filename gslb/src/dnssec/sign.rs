//! A zone is signed, and signed again in time. Pure.

use super::chain::{Chain, nsec};
use super::key::ZoneKey;
use super::rrsig::Signer;
use super::sets::{self, SignedSets};
use crate::answer::Tables;
use crate::steer::{Family, Policy};
use crate::wire::rtype;
use crate::zone::{Rdata, Zone, Zones};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Signatures are made anew when a new day begins, so those that are served are younger than that.
const DAY_SECONDS: u64 = 86_400;
/// How long a signature holds: secondaries may be out of touch for days, and TTLs are still far below it (RFC 6781
/// §4.4.2).
const VALIDITY_SECONDS: u64 = 14 * DAY_SECONDS;
/// Clocks of validators may be slow.
const INCEPTION_BEFORE_SECONDS: u64 = 3600;

/// The key of a zone, and what has been made with it besides the signatures of its RRsets.
#[derive(Clone, Debug)]
pub(crate) struct Signing {
    key: Arc<ZoneKey>,
    /// SERIAL as the file has it; what is served grows with the days as well.
    file_serial: u32,
    /// When it was signed, in days since 1970.
    day: u64,
    /// Until when the signatures hold, in seconds since 1970.
    pub(crate) expiration: u64,
    pub(crate) chain: Chain,
    /// By place in [`Policy::steered`]: IPv4, IPv6.
    sets: HashMap<usize, [SignedSets; 2]>,
}

/// How the records of a node stand to the zone (RFC 4035 §2.2, §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Authoritative,
    /// Of a delegation only DS and NSEC are signed.
    Cut,
    /// Below one nothing is.
    Below,
}

impl Signing {
    /// For a zone with this serial; nothing is signed yet.
    pub(crate) fn new(key: ZoneKey, file_serial: u32) -> Self {
        Self {
            key: Arc::new(key),
            file_serial,
            day: 0,
            expiration: 0,
            chain: Chain::default(),
            sets: HashMap::new(),
        }
    }

    /// The data of the RRSIG record of a set of chosen addresses, in whatever order.
    pub(crate) fn set(&self, steered: usize, addresses: &[IpAddr]) -> Option<&[u8]> {
        let family = usize::from(addresses.first()?.is_ipv6());
        self.sets.get(&steered)?[family].get(&sets::key(addresses)).map(AsRef::as_ref)
    }
}

/// Signs every zone that has a key, as of `now` in seconds since 1970.
///
/// # Errors
/// As for [`ZoneKey::sign`].
pub(crate) fn sign_zones(zones: &mut Zones, policy: &Policy, now: u64) -> Result<(), String> {
    zones.all_mut().iter_mut().try_for_each(|zone| match zone.signing.take() {
        Some(signing) => sign_zone(zone, *signing, policy, now),
        None => Ok(()),
    })
}

/// The same tables with new signatures, if a day has begun since the old ones were made.
///
/// # Errors
/// As for [`sign_zones`].
pub(crate) fn renewed(tables: &Tables, now: u64) -> Result<Option<Tables>, String> {
    let signings = tables.zones.all().iter().filter_map(|zone| zone.signing.as_ref());
    if signings.clone().all(|signing| signing.day == now / DAY_SECONDS) {
        return Ok(None);
    }
    let mut tables = tables.clone();
    sign_zones(&mut tables.zones, &tables.policy, now)?;
    Ok(Some(tables))
}

fn sign_zone(
    zone: &mut Zone,
    mut signing: Signing,
    policy: &Policy,
    now: u64,
) -> Result<(), String> {
    signing.day = now / DAY_SECONDS;
    signing.expiration = now + VALIDITY_SECONDS;
    let soa_ttls = zone.apex_node().rrset(rtype::SOA).map(|soa| (soa.ttl, soa.negative_ttl()));
    let (soa_ttl, negative_ttl) = soa_ttls.unwrap_or_default();
    // Signatures change though the file does not: the days make secondaries take them.
    zone.set_serial(signing.file_serial.wrapping_add(signing.day as u32));
    let apex = zone.apex.clone();
    zone.node(&apex).insert(rtype::DNSKEY, soa_ttl, Rdata::Octets(signing.key.dnskey.clone()));
    let standings = standings(zone);
    signing.chain = chain(zone, &standings);
    // RFC 9077 §3: as long as any other negative answer.
    put_nsec(zone, &signing.chain, &standings, policy, negative_ttl);
    let signer = Signer {
        key: &signing.key,
        apex: &apex,
        inception: (now - INCEPTION_BEFORE_SECONDS.min(now)) as u32,
        expiration: signing.expiration as u32,
    };
    for (place, standing) in standings.iter().enumerate() {
        let (owner, rrsets, steered) = zone.signed_mut(place);
        for rrset in rrsets {
            rrset.rrsig = match standing {
                Standing::Below => None,
                Standing::Cut if !matches!(rrset.rtype, rtype::DS | rtype::NSEC) => None,
                Standing::Cut | Standing::Authoritative => {
                    Some(signer.sign(owner, rrset.rtype, rrset.ttl, rrset.records.iter())?)
                }
            };
        }
        if let Some(steered) = steered {
            let sets = sign_sets(&signer, owner, policy, steered)?;
            signing.sets.insert(steered, sets);
        }
    }
    zone.signing = Some(Box::new(signing));
    Ok(())
}

fn standings(zone: &Zone) -> Vec<Standing> {
    let cuts: Vec<bool> = zone.nodes().map(|(_, node)| node.rrset(rtype::NS).is_some()).collect();
    let mut standings = vec![Standing::Authoritative; cuts.len()];
    for (place, standing) in standings.iter_mut().enumerate().skip(1) {
        let mut above = zone.parent_of(place);
        if cuts[place] {
            *standing = Standing::Cut;
        }
        while let Some(parent) = above.filter(|&parent| parent != 0) {
            if cuts[parent] {
                *standing = Standing::Below;
            }
            above = zone.parent_of(parent);
        }
    }
    standings
}

/// RFC 4035 §2.3: names that own something; empty non-terminals and what is below a delegation are not among them.
fn chain(zone: &Zone, standings: &[Standing]) -> Chain {
    let names = zone.nodes().enumerate().filter(|(place, (_, node))| {
        standings[*place] != Standing::Below && (!node.rrsets.is_empty() || node.steered.is_some())
    });
    Chain::new(names.map(|(place, (owner, _))| (owner, place)))
}

fn put_nsec(zone: &mut Zone, chain: &Chain, standings: &[Standing], policy: &Policy, ttl: u32) {
    let families = [(Family::V4, rtype::A), (Family::V6, rtype::AAAA)];
    let steered: Vec<u16> =
        families.iter().filter(|row| sets::has(policy, row.0)).map(|row| row.1).collect();
    for (place, next) in chain.pairs() {
        let next = zone.name_at(next).to_vec();
        let node = zone.node_at_mut(place);
        node.rrsets.retain(|rrset| rrset.rtype != rtype::NSEC);
        let own = node.rrsets.iter().map(|rrset| rrset.rtype).filter(|&rtype| {
            // RFC 4035 §2.3: of a delegation only what this side of it is about.
            standings[place] == Standing::Authoritative || matches!(rtype, rtype::NS | rtype::DS)
        });
        let chosen = node.steered.map_or(&[][..], |_| &steered);
        let rdata = nsec(&next, own.chain(chosen.iter().copied()));
        node.insert(rtype::NSEC, ttl, rdata);
    }
}

fn sign_sets(
    signer: &Signer<'_>,
    owner: &[u8],
    policy: &Policy,
    steered: usize,
) -> Result<[SignedSets; 2], String> {
    let name = &policy.steered[steered];
    let sign = |family, rtype| {
        let sets = sets::all(policy, name, family);
        let sets = sets.map_err(|_| "more sets of addresses than were counted".to_owned())?;
        let signed = sets.iter().map(|set| {
            let records: Vec<_> = set.iter().copied().map(Rdata::address).collect();
            let rrsig = signer.sign(owner, rtype, name.ttl, records.iter())?;
            Ok((sets::key(set), rrsig))
        });
        signed.collect::<Result<SignedSets, String>>()
    };
    Ok([sign(Family::V4, rtype::A)?, sign(Family::V6, rtype::AAAA)?])
}

/// When the first signature of any zone ceases to hold, in seconds since 1970; 0 when nothing is signed.
pub(crate) fn expiration(zones: &Zones) -> u64 {
    let signings = zones.all().iter().filter_map(|zone| zone.signing.as_ref());
    signings.map(|signing| signing.expiration).min().unwrap_or(0)
}

/// The RRset of a type that is made by signing and may not be in the file too.
pub(crate) fn is_made(rtype: u16) -> bool {
    matches!(rtype, rtype::RRSIG | rtype::NSEC | rtype::NSEC3 | rtype::NSEC3PARAM)
}
