//! The zone file's tables become zones, policy and names; `gslb/README.md` describes the file for
//! its writers.

use super::edges::{read_addresses, read_edges, read_marks};
use super::file::{File, OnboardEntry, Source, SteerEntry};
use super::measurements::{expires_default, read_rtt};
use super::redirect::read_http;
use super::regions::{RegionNames, read_map, read_regions};
use super::resolvers::read_resolvers;
use super::server;
use super::zones::{check_cuts, check_sets, read_zone};
use crate::ConfigError;
use crate::http::rules::Rules;
use crate::service::Service;
use crate::snapshot;
use crate::steer::measured::Measured;
use crate::steer::{ADDRESSES_MAX, AllDown, Policy, Steered};
use crate::wire::name::{self, LowerName};
use crate::wire::rtype;
use crate::zone::{Found, Node, Rdata, Zones};
use std::time::Duration;

/// RFC 2181 §8: TTLs have 31 bits; a day is the longest that steering could mean.
const STEERED_TTL_MAX: i64 = 86_400;
const CNAME_TTL_MAX: i64 = i32::MAX as i64;
const STEERED_TTL_DEFAULT: i64 = 20;
const CNAME_TTL_DEFAULT: i64 = 300;

/// What the zone file and the CSV say.
pub(super) struct Steering {
    pub(super) zones: Zones,
    pub(super) policy: Policy,
    pub(super) service: Service,
    pub(super) front: Rules,
    pub(super) cnames_elsewhere: Vec<(String, String)>,
}

/// Reads the zone file and the CSV of prefixes (its name and text).
pub(super) fn read(
    source: &Source<'_>,
    csv: Option<(&str, &str)>,
    tcp_idle_timeout: Duration,
) -> Result<Steering, ConfigError> {
    let file: File = toml::from_str(source.text).map_err(|error| source.toml_error(&error))?;
    let mut zones = Zones::default();
    for entry in &file.zone {
        read_zone(source, entry, &mut zones)?;
    }
    check_cuts(source, &file.zone, &zones)?;
    zones.connect();
    let regions = RegionNames::new(source, &file.region)?;
    let map = read_map(source, &file, &regions, csv)?;
    let resolvers = read_resolvers(source, &file.resolver, &regions)?;
    let mut policy = Policy {
        regions: read_regions(source, &file.region, &regions)?,
        edges: Vec::new(),
        map,
        resolvers,
        measured: Measured::new(expires_default()),
        marks: read_marks(source, &file.load)?,
        steered: Vec::new(),
    };
    read_edges(source, &file, &regions, &mut policy)?;
    if let Some(entry) = &file.rtt {
        read_rtt(source, entry, &mut policy)?;
    }
    let mut sets = 0;
    for entry in &file.steer {
        read_steered(source, entry, &regions, &mut zones, &mut policy)?;
        let owner = name::to_lower(&source.name("steer.name", &entry.name)?);
        if let (Some(zone), Some(steered)) = (zones.zone_of(&owner), policy.steered.last())
            && zone.signing.is_some()
        {
            check_sets(&policy, steered, &mut sets)
                .map_err(|message| source.wrong("steer.name", &entry.name, message))?;
        }
    }
    let mut cnames_elsewhere = Vec::new();
    for entry in &file.onboard {
        cnames_elsewhere.extend(read_onboarded(source, entry, &mut zones)?);
    }
    let front = read_http(source, &file, &mut zones, &policy)?;
    let service = server::read(source, &file, tcp_idle_timeout)?;
    for zone in zones.all_mut() {
        zone.set_snapshots(|steered| snapshot::rrsets(&policy, &policy.steered[steered]));
    }
    Ok(Steering { zones, policy, front, service, cnames_elsewhere })
}

fn read_all_down(source: &Source<'_>, entry: &SteerEntry) -> Result<AllDown, ConfigError> {
    let said = entry.all_down.as_ref();
    let wrong = |message: &str| match said {
        Some(said) => source.wrong("steer.all_down", said, message),
        None => source.wrong("steer.name", &entry.name, message),
    };
    match (said.map(|said| said.get_ref().as_str()), &entry.fallback) {
        (None | Some("all"), None) => Ok(AllDown::All),
        (Some("nothing"), None) => Ok(AllDown::Nothing),
        (None | Some("static"), Some(fallback)) => {
            if !(1..=ADDRESSES_MAX).contains(&fallback.get_ref().len()) {
                let message = format!("must have 1 to {ADDRESSES_MAX} addresses");
                return Err(source.wrong("steer.fallback", fallback, message));
            }
            let (v4, v6) = read_addresses(source, "steer.fallback", fallback.get_ref())?;
            Ok(AllDown::Static(v4, v6))
        }
        (Some("static"), None) => Err(wrong("needs `fallback`, a list of addresses")),
        (Some("all" | "nothing"), Some(_)) => Err(wrong("goes without `fallback`")),
        (Some(_), _) => {
            Err(wrong("is not allowed; allowed: all, static (with `fallback`), nothing"))
        }
    }
}

fn read_steered(
    source: &Source<'_>,
    entry: &SteerEntry,
    names: &RegionNames<'_>,
    zones: &mut Zones,
    policy: &mut Policy,
) -> Result<(), ConfigError> {
    let answers =
        source.number("steer.answers", entry.answers.as_ref(), 1, 1..=ADDRESSES_MAX as i64)?;
    let ttl = entry.ttl.as_ref();
    let ttl = source.number("steer.ttl", ttl, STEERED_TTL_DEFAULT, 0..=STEERED_TTL_MAX)?;
    if policy.edges.is_empty() {
        return Err(source.wrong("steer.name", &entry.name, "needs an edge; there is no [[edge]]"));
    }
    let default_region = match &entry.default_region {
        None => 0,
        Some(region) => names
            .find(region.get_ref())
            .map_err(|message| source.wrong("steer.default_region", region, message))?,
    };
    let (answers, all_down) = (answers as usize, read_all_down(source, entry)?);
    let wrong = |message: &str| source.wrong("steer.name", &entry.name, message);
    let owner = source.name("steer.name", &entry.name)?;
    let node = owned_node(zones, &owner).map_err(wrong)?;
    if node.steered.is_some() {
        return Err(wrong("is already steered above"));
    }
    for taken in [rtype::CNAME, rtype::A, rtype::AAAA] {
        if node.rrset(taken).is_some() {
            return Err(wrong("has a CNAME, A or AAAA record in its zone; steering gives those"));
        }
    }
    node.steered = Some(policy.steered.len());
    policy.steered.push(Steered { ttl, answers, default_region, all_down });
    Ok(())
}

/// Puts the customer's CNAME into its zone, or returns it when the zone is served elsewhere.
fn read_onboarded(
    source: &Source<'_>,
    entry: &OnboardEntry,
    zones: &mut Zones,
) -> Result<Option<(String, String)>, ConfigError> {
    let customer = source.name("onboard.customer", &entry.customer)?;
    let target = source.name("onboard.cname", &entry.cname)?;
    let ttl =
        source.number("onboard.ttl", entry.ttl.as_ref(), CNAME_TTL_DEFAULT, 0..=CNAME_TTL_MAX)?;
    if !is_steered(zones, &target) {
        return Err(source.wrong("onboard.cname", &entry.cname, "is not covered by any [[steer]]"));
    }
    if zones.zone_of(&name::to_lower(&customer)).is_none() {
        return Ok(Some((name::to_text(&customer), name::to_text(&target))));
    }
    let wrong = |message: &str| source.wrong("onboard.customer", &entry.customer, message);
    let node = owned_node(zones, &customer).map_err(wrong)?;
    if node.steered.is_some() || !node.rrsets.is_empty() {
        return Err(wrong("has other records; a CNAME must be the only one (RFC 1034 §3.6.2)"));
    }
    node.insert(rtype::CNAME, ttl, Rdata::Name(target));
    Ok(None)
}

/// The node of a name that one of our zones answers for.
pub(super) fn owned_node<'z>(
    zones: &'z mut Zones,
    owner: &[u8],
) -> Result<&'z mut Node, &'static str> {
    let lower = name::to_lower(owner);
    let (query, _) = LowerName::read(&lower).map_err(|_| "is not a name")?;
    match zones.find(&query, rtype::A) {
        None => return Err("is in none of the zones"),
        Some((zone, skipped)) => {
            if matches!(zone.lookup(&query, skipped, rtype::A), Found::Delegation { .. }) {
                return Err("is below a delegation: another server answers for it");
            }
        }
    }
    let zone = zones.zone_of(&lower).ok_or("is in none of the zones")?;
    Ok(zone.node(&lower))
}

fn is_steered(zones: &Zones, target: &[u8]) -> bool {
    let Ok((query, _)) = LowerName::read(target) else { return false };
    let Some((zone, skipped)) = zones.find(&query, rtype::A) else { return false };
    matches!(zone.lookup(&query, skipped, rtype::A), Found::Node(node) if node.steered.is_some())
}
