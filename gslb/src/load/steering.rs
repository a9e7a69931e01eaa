//! The zone file's tables become zones, policy and names; `gslb/README.md` describes the file for
//! its writers.

use super::master;
use crate::ConfigError;
use crate::health::{CHECKS_MAX, Check};
use crate::map::{self, Prefix, PrefixMap, REGIONS_MAX, RegionIndex};
use crate::steer::{self, ADDRESSES_MAX, AllDown, Edge, Policy, Region, Steered};
use crate::wire::name::{self, LowerName};
use crate::wire::rtype;
use crate::zone::{Found, Node, Rdata, Zones};
use serde::Deserialize;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

/// Capacities are relative; six digits are finer than any load is known.
const CAPACITY_MAX: i64 = 1_000_000;
/// RFC 2181 §8: TTLs have 31 bits; a day is the longest that steering could mean.
const STEERED_TTL_MAX: i64 = 86_400;
const CNAME_TTL_MAX: i64 = i32::MAX as i64;
const CAPACITY_DEFAULT: i64 = 100;
const STEERED_TTL_DEFAULT: i64 = 20;
const CNAME_TTL_DEFAULT: i64 = 300;
/// A dead machine is out after an interval and two waits: with these within 0.85 s.
const INTERVAL_MS_DEFAULT: i64 = 250;
const TIMEOUT_MS_DEFAULT: i64 = 300;
const RISE_DEFAULT: i64 = 3;
/// Milliseconds between checks, and for one.
const CHECK_MS: RangeInclusive<i64> = 20..=60_000;
const RISE: RangeInclusive<i64> = 1..=100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    zone: Vec<ZoneEntry>,
    #[serde(default)]
    region: Vec<RegionEntry>,
    #[serde(default)]
    edge: Vec<EdgeEntry>,
    #[serde(default)]
    steer: Vec<SteerEntry>,
    #[serde(default)]
    onboard: Vec<OnboardEntry>,
    #[serde(default)]
    health: HealthEntry,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HealthEntry {
    interval_ms: Option<Spanned<i64>>,
    timeout_ms: Option<Spanned<i64>>,
    rise: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneEntry {
    name: Spanned<String>,
    records: Option<Spanned<String>>,
    file: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionEntry {
    name: Spanned<String>,
    #[serde(default)]
    nearest: Vec<Spanned<String>>,
    #[serde(default)]
    prefixes: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EdgeEntry {
    name: Spanned<String>,
    region: Spanned<String>,
    addresses: Spanned<Vec<Spanned<String>>>,
    capacity: Option<Spanned<i64>>,
    health: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SteerEntry {
    name: Spanned<String>,
    ttl: Option<Spanned<i64>>,
    answers: Option<Spanned<i64>>,
    default_region: Option<Spanned<String>>,
    all_down: Option<Spanned<String>>,
    fallback: Option<Spanned<Vec<Spanned<String>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnboardEntry {
    customer: Spanned<String>,
    cname: Spanned<String>,
    ttl: Option<Spanned<i64>>,
}

/// The text of the zone file, and how to speak of it.
pub(super) struct Source<'a> {
    /// For errors.
    pub(super) name: &'a str,
    pub(super) text: &'a str,
    /// Files that it names are relative to it.
    pub(super) directory: &'a Path,
}

/// What the zone file and the CSV say.
pub(super) struct Steering {
    pub(super) zones: Zones,
    pub(super) policy: Policy,
    pub(super) prefixes: usize,
    pub(super) cnames_elsewhere: Vec<(String, String)>,
}

/// Reads the zone file and the CSV of prefixes (its name and text).
pub(super) fn read(
    source: &Source<'_>,
    csv: Option<(&str, &str)>,
) -> Result<Steering, ConfigError> {
    let file: File = toml::from_str(source.text).map_err(|error| source.toml_error(&error))?;
    let mut zones = Zones::default();
    for entry in &file.zone {
        read_zone(source, entry, &mut zones)?;
    }
    let regions = RegionNames::new(source, &file.region)?;
    let prefixes = read_prefixes(source, &file.region, &regions, csv)?;
    let mut policy = Policy {
        regions: read_regions(source, &file.region, &regions)?,
        edges: Vec::new(),
        map: PrefixMap::new(&prefixes),
        steered: Vec::new(),
    };
    read_edges(source, &file, &regions, &mut policy)?;
    for entry in &file.steer {
        read_steered(source, entry, &regions, &mut zones, &mut policy)?;
    }
    let mut cnames_elsewhere = Vec::new();
    for entry in &file.onboard {
        cnames_elsewhere.extend(read_onboarded(source, entry, &mut zones)?);
    }
    Ok(Steering { zones, policy, prefixes: prefixes.len(), cnames_elsewhere })
}

impl Source<'_> {
    fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|&octet| octet == b'\n').count()
    }

    /// An error at a value: its place, its key, itself, and what is wrong.
    fn wrong<T: std::fmt::Debug>(
        &self,
        key: &str,
        value: &Spanned<T>,
        message: impl std::fmt::Display,
    ) -> ConfigError {
        let message = format!("{key}: {:?} {message}", value.get_ref());
        ConfigError::new(self.name, Some(self.line(value.span().start)), message)
    }

    fn toml_error(&self, error: &toml::de::Error) -> ConfigError {
        let line = error.span().map(|Range { start, .. }| self.line(start));
        let written = line.and_then(|line| self.text.lines().nth(line - 1)).unwrap_or("").trim();
        let message = error.message().replace('\n', ": ");
        ConfigError::new(self.name, line, format!("`{written}`: {message}"))
    }

    fn name(&self, key: &str, value: &Spanned<String>) -> Result<Box<[u8]>, ConfigError> {
        name::from_text(value.get_ref()).map_err(|message| self.wrong(key, value, message))
    }

    fn number(
        &self,
        key: &str,
        value: Option<&Spanned<i64>>,
        default: i64,
        allowed: RangeInclusive<i64>,
    ) -> Result<u32, ConfigError> {
        match value {
            None => Ok(default as u32),
            Some(value) if allowed.contains(value.get_ref()) => Ok(*value.get_ref() as u32),
            Some(value) => {
                let (from, to) = (allowed.start(), allowed.end());
                Err(self.wrong(key, value, format!("is not allowed; allowed: {from} to {to}")))
            }
        }
    }
}

fn read_zone(source: &Source<'_>, entry: &ZoneEntry, zones: &mut Zones) -> Result<(), ConfigError> {
    let apex = name::to_lower(&source.name("zone.name", &entry.name)?);
    let zone = match (&entry.records, &entry.file) {
        (Some(records), None) => master::read_zone(&apex, records.get_ref()).map_err(|bad| {
            let span = records.span();
            let opening = source.text.get(span.clone()).unwrap_or_default();
            // A newline right behind three quotes is not part of the text.
            let skipped = opening.starts_with("\"\"\"\n") || opening.starts_with("'''\n");
            let first = source.line(span.start) + usize::from(skipped);
            let line = bad.line.map_or_else(|| source.line(span.start), |line| first + line - 1);
            ConfigError::new(source.name, Some(line), format!("zone.records: {}", bad.message))
        }),
        (None, Some(file)) => {
            let path = source.directory.join(file.get_ref());
            let text = super::read_file(&path)?;
            master::read_zone(&apex, &text)
                .map_err(|bad| ConfigError::new(&path.display().to_string(), bad.line, bad.message))
        }
        (Some(_), Some(_)) | (None, None) => {
            Err(source.wrong("zone.name", &entry.name, "needs either `records` or `file`"))
        }
    }?;
    if zones.insert(zone) {
        Ok(())
    } else {
        Err(source.wrong("zone.name", &entry.name, "is already a zone above"))
    }
}

/// Regions by name.
struct RegionNames<'a> {
    indices: HashMap<&'a str, RegionIndex>,
    listed: String,
}

impl<'a> RegionNames<'a> {
    fn new(source: &Source<'_>, entries: &'a [RegionEntry]) -> Result<Self, ConfigError> {
        let mut indices = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            if index >= REGIONS_MAX {
                return Err(source.wrong("region.name", &entry.name, "is one region too many"));
            }
            if indices.insert(entry.name.get_ref().as_str(), index as RegionIndex).is_some() {
                return Err(source.wrong("region.name", &entry.name, "is already a region above"));
            }
        }
        let names: Vec<_> = entries.iter().map(|entry| entry.name.get_ref().as_str()).collect();
        Ok(Self { indices, listed: names.join(", ") })
    }

    fn find(&self, name: &str) -> Result<RegionIndex, String> {
        let found = self.indices.get(name).copied();
        found.ok_or_else(|| format!("is not a region; allowed: {}", self.listed))
    }
}

fn read_regions(
    source: &Source<'_>,
    entries: &[RegionEntry],
    names: &RegionNames<'_>,
) -> Result<Vec<Region>, ConfigError> {
    let read_region = |(index, entry): (usize, &RegionEntry)| {
        let mut order = vec![index as RegionIndex];
        for near in &entry.nearest {
            let region = names
                .find(near.get_ref())
                .map_err(|message| source.wrong("region.nearest", near, message))?;
            if !order.contains(&region) {
                order.push(region);
            }
        }
        // Regions that `nearest` leaves out follow in the order of the file.
        for region in 0..entries.len() as RegionIndex {
            if !order.contains(&region) {
                order.push(region);
            }
        }
        let name = entry.name.get_ref().as_str().into();
        Ok(Region { name, edges: Vec::new(), order })
    };
    entries.iter().enumerate().map(read_region).collect()
}

/// The CSV's prefixes and, over them, the inline ones.
fn read_prefixes(
    source: &Source<'_>,
    entries: &[RegionEntry],
    names: &RegionNames<'_>,
    csv: Option<(&str, &str)>,
) -> Result<HashMap<Prefix, RegionIndex>, ConfigError> {
    let mut inline = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        for text in &entry.prefixes {
            let wrong = |message: &str| source.wrong("region.prefixes", text, message);
            let prefix: Prefix = text.get_ref().parse().map_err(wrong)?;
            map::insert(&mut inline, prefix, index as RegionIndex).map_err(wrong)?;
        }
    }
    let Some((csv_name, csv_text)) = csv else { return Ok(inline) };
    let mut prefixes = HashMap::new();
    let find =
        |name: &str| names.find(name).map_err(|message| format!("region: {name:?} {message}"));
    map::read_csv(csv_text, find, &mut prefixes)
        .map_err(|(line, message)| ConfigError::new(csv_name, Some(line), message))?;
    prefixes.extend(inline);
    Ok(prefixes)
}

fn read_edges(
    source: &Source<'_>,
    file: &File,
    names: &RegionNames<'_>,
    policy: &mut Policy,
) -> Result<(), ConfigError> {
    let mut seen = HashMap::new();
    for (index, entry) in file.edge.iter().enumerate() {
        if seen.insert(entry.name.get_ref(), index).is_some() {
            return Err(source.wrong("edge.name", &entry.name, "is already an edge above"));
        }
        let region = names
            .find(entry.region.get_ref())
            .map_err(|message| source.wrong("edge.region", &entry.region, message))?;
        let capacity = entry.capacity.as_ref();
        let capacity =
            source.number("edge.capacity", capacity, CAPACITY_DEFAULT, 0..=CAPACITY_MAX)?;
        let addresses = entry.addresses.get_ref();
        if addresses.is_empty() {
            return Err(source.wrong("edge.name", &entry.name, "has no addresses"));
        }
        let (v4, v6) = read_addresses(source, "edge.addresses", addresses)?;
        let check = entry.health.as_ref();
        let check = check.map(|url| read_check(source, &file.health, url)).transpose()?;
        let edge = Edge {
            name: entry.name.get_ref().as_str().into(),
            seed: steer::seed(entry.name.get_ref()),
            v4,
            v6,
            capacity,
            check,
            state: Default::default(),
        };
        if policy.edges.iter().filter(|edge| edge.check.is_some()).count() >= CHECKS_MAX {
            let message = format!("is one too many with `health`; allowed: {CHECKS_MAX}");
            return Err(source.wrong("edge.name", &entry.name, message));
        }
        policy.regions[usize::from(region)].edges.push(policy.edges.len());
        policy.edges.push(edge);
    }
    Ok(())
}

/// Addresses by family.
fn read_addresses(
    source: &Source<'_>,
    key: &str,
    texts: &[Spanned<String>],
) -> Result<(Vec<Ipv4Addr>, Vec<Ipv6Addr>), ConfigError> {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for text in texts {
        match text.get_ref().parse() {
            Ok(IpAddr::V4(address)) => v4.push(address),
            Ok(IpAddr::V6(address)) => v6.push(address),
            Err(_) => {
                let message = "is not an address such as 192.0.2.1 or 2001:db8::1";
                return Err(source.wrong(key, text, message));
            }
        }
    }
    Ok((v4, v6))
}

fn read_check(
    source: &Source<'_>,
    entry: &HealthEntry,
    url: &Spanned<String>,
) -> Result<Check, ConfigError> {
    let wrong = |message| source.wrong("edge.health", url, message);
    let (address, target) = Check::place(url.get_ref()).map_err(wrong)?;
    let number = |key: &str, value: &Option<Spanned<i64>>, default, allowed| {
        source.number(&format!("health.{key}"), value.as_ref(), default, allowed)
    };
    let interval = number("interval_ms", &entry.interval_ms, INTERVAL_MS_DEFAULT, CHECK_MS)?;
    let timeout = number("timeout_ms", &entry.timeout_ms, TIMEOUT_MS_DEFAULT, CHECK_MS)?;
    Ok(Check {
        address,
        target,
        interval: Duration::from_millis(interval.into()),
        timeout: Duration::from_millis(timeout.into()),
        rise: number("rise", &entry.rise, RISE_DEFAULT, RISE)?,
    })
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
fn owned_node<'z>(zones: &'z mut Zones, owner: &[u8]) -> Result<&'z mut Node, &'static str> {
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
