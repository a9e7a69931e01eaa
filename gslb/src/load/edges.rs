//! `[[edge]]`, `[health]` and `[load]`.

use super::file::{EdgeEntry, File, HealthEntry, LoadEntry, Source};
use super::regions::RegionNames;
use crate::ConfigError;
use crate::balance::Marks;
use crate::health::load::Limits;
use crate::health::{CHECKS_MAX, Check};
use crate::steer::{Edge, Policy, hash};
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Spanned;

/// Capacities are relative; six digits are finer than any load is known.
const CAPACITY_MAX: i64 = 1_000_000;
const CAPACITY_DEFAULT: i64 = 100;
/// A dead machine is out after an interval and two waits: with these within 0.85 s.
const INTERVAL_MS_DEFAULT: i64 = 250;
const TIMEOUT_MS_DEFAULT: i64 = 300;
const RISE_DEFAULT: i64 = 3;
/// Milliseconds between checks, and for one.
const CHECK_MS: RangeInclusive<i64> = 20..=60_000;
const RISE: RangeInclusive<i64> = 1..=100;
/// Utilisation; above 1 for those who know that their figures are careful.
const MARK: RangeInclusive<f64> = 0.05..=2.0;
/// Between the marks, so that what is taken falls smoothly.
const MARKS_APART_MIN: f64 = 0.01;
/// In any unit, octets/s for instance.
const LIMIT: RangeInclusive<f64> = 1.0..=1e18;

pub(super) fn read_edges(
    source: &Source<'_>,
    file: &File,
    names: &RegionNames<'_>,
    policy: &mut Policy,
) -> Result<(), ConfigError> {
    let (mut seen, mut taken) = (HashMap::new(), HashSet::new());
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
        let all = v4.iter().copied().map(IpAddr::V4).chain(v6.iter().copied().map(IpAddr::V6));
        if let Some(address) = all.into_iter().find(|address| !taken.insert(*address)) {
            let message = format!("has {address}, which is an edge's already");
            return Err(source.wrong("edge.name", &entry.name, message));
        }
        let limits = read_limits(source, entry)?;
        let check = entry.health.as_ref();
        let check = check.map(|url| read_check(source, &file.health, url, limits)).transpose()?;
        let edge = Edge {
            name: entry.name.get_ref().as_str().into(),
            seed: hash::seed(entry.name.get_ref()),
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
pub(super) fn read_addresses(
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
    limits: Limits,
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
        limits,
    })
}

fn read_limits(source: &Source<'_>, entry: &EdgeEntry) -> Result<Limits, ConfigError> {
    let limit = |key: &str, value: &Option<Spanned<f64>>| {
        if let (Some(value), None) = (value, &entry.health) {
            return Err(source.wrong(key, value, "needs `health`, whose answers say the load"));
        }
        source.real(key, value.as_ref(), LIMIT)
    };
    Ok(Limits {
        traffic_max: limit("edge.traffic_max", &entry.traffic_max)?,
        sessions_max: limit("edge.sessions_max", &entry.sessions_max)?,
    })
}

pub(super) fn read_marks(source: &Source<'_>, entry: &LoadEntry) -> Result<Marks, ConfigError> {
    let default = Marks::default();
    let mark = |key, value: &Option<Spanned<f64>>| source.real(key, value.as_ref(), MARK);
    let spill_from = mark("load.spill_from", &entry.spill_from)?;
    let full = mark("load.full", &entry.full)?;
    let marks = Marks {
        spill_from: spill_from.unwrap_or(default.spill_from.min(full.unwrap_or(default.full))),
        full: full.unwrap_or(default.full.max(spill_from.unwrap_or(0.0) + MARKS_APART_MIN)),
    };
    if let Some(full) = &entry.full
        && marks.full < marks.spill_from + MARKS_APART_MIN
    {
        let (from, apart) = (marks.spill_from, MARKS_APART_MIN);
        let message = format!("must be above spill_from, {from}, by {apart} at least");
        return Err(source.wrong("load.full", full, message));
    }
    Ok(marks)
}
