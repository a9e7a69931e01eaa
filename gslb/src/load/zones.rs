//! The zones of the zone file: their records, their secondaries, their keys.

use super::file::{Source, ZoneEntry};
use super::master;
use crate::ConfigError;
use crate::dnssec::key::ZoneKey;
use crate::dnssec::sets::{self, SETS_MAX, SETS_TOTAL_MAX};
use crate::dnssec::sign::{Signing, is_made};
use crate::steer::{AllDown, Family, Policy, Steered};
use crate::wire::{name, rtype};
use crate::zone::{Secondaries, Zone, Zones};
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use toml::Spanned;

/// Prefixes and addresses in a list of a zone. Each secondary is told of each change.
const SECONDARIES_MAX: usize = 64;

pub(super) fn read_zone(
    source: &Source<'_>,
    entry: &ZoneEntry,
    zones: &mut Zones,
) -> Result<(), ConfigError> {
    let apex = name::to_lower(&source.name("zone.name", &entry.name)?);
    let mut zone = match (&entry.records, &entry.file) {
        (Some(records), None) => master::read_zone(&apex, records.get_ref()).map_err(|bad| {
            let span = records.span();
            let opening = source.text.get(span.clone()).unwrap_or_default();
            // A newline right behind three quotes is not part of the text.
            let skipped = opening.starts_with("\"\"\"\n") || opening.starts_with("'''\n");
            let first = source.line(span.start) + usize::from(skipped);
            let line = bad.line.map_or_else(|| source.line(span.start), |line| first + line - 1);
            // Lines that are written as `\n` are none of the file's.
            let line = line.min(source.line(span.end));
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
    zone.secondaries = Secondaries {
        transfer_to: read_list(source, "zone.transfer_to", &entry.transfer_to, |message| message)?,
        notify: read_list(
            source,
            "zone.notify",
            &entry.notify,
            |_| "is not an address with a port, such as 192.0.2.53:53 or [2001:db8::53]:53",
        )?,
    };
    if let Some(key) = &entry.key {
        let key = read_key(source, key, &zone)?;
        zone.signing = Some(Box::new(Signing::new(key, zone.serial())));
    }
    if zones.insert(zone) {
        Ok(())
    } else {
        Err(source.wrong("zone.name", &entry.name, "is already a zone above"))
    }
}

/// A zone below a signed one needs a delegation there: without it the upper zone says, signed, that there is no such
/// name.
pub(super) fn check_cuts(
    source: &Source<'_>,
    entries: &[ZoneEntry],
    zones: &Zones,
) -> Result<(), ConfigError> {
    for entry in entries {
        let apex = name::to_lower(&source.name("zone.name", &entry.name)?);
        let above = std::iter::successors(name::parent(&apex), |suffix| name::parent(suffix));
        let Some((_, above)) = above.into_iter().find_map(|suffix| zones.at_apex(suffix)) else {
            continue;
        };
        let is_cut = above.node_of(&apex).is_some_and(|node| node.rrset(rtype::NS).is_some());
        if above.signing.is_some() && !is_cut {
            let above = name::to_text(&above.apex);
            let message = format!("needs NS records in {above} above it, which is signed");
            return Err(source.wrong("zone.name", &entry.name, message));
        }
    }
    Ok(())
}

/// The key pair whose files are called `path` with `.key` and `.private` behind.
fn read_key(
    source: &Source<'_>,
    path: &Spanned<PathBuf>,
    zone: &Zone,
) -> Result<ZoneKey, ConfigError> {
    let made = zone.nodes().flat_map(|(owner, node)| node.rrsets.iter().map(move |r| (owner, r)));
    if let Some((owner, rrset)) = made.into_iter().find(|(_, rrset)| is_made(rrset.rtype)) {
        let rtype = domain::base::Rtype::from_int(rrset.rtype);
        let message = format!("signs the zone; {} {rtype} is made so", name::to_text(owner));
        return Err(source.wrong("zone.key", path, message));
    }
    let [public, private] = [".key", ".private"].map(|behind| {
        let mut file = source.directory.join(path.get_ref()).into_os_string();
        file.push(behind);
        PathBuf::from(file)
    });
    let texts = (super::read_file(&public)?, super::read_file(&private)?);
    ZoneKey::read(&zone.apex, &texts.0, &texts.1).map_err(|(is_private, message)| {
        let file = if is_private { private } else { public };
        ConfigError::new(&file.display().to_string(), None, message)
    })
}

/// Whether every set of addresses that a name of a signed zone can be answered with can be signed; `total` counts those
/// of all names.
pub(super) fn check_sets(policy: &Policy, name: &Steered, total: &mut usize) -> Result<(), String> {
    for (family, called) in [(Family::V4, "IPv4"), (Family::V6, "IPv6")] {
        let sets = sets::all(policy, name, family).map_err(|_| {
            format!(
                "has more than {SETS_MAX} sets of {called} addresses, too many for a signed zone: \
                 fewer `answers` or fewer edges"
            )
        })?;
        *total += sets.len();
        if *total > SETS_TOTAL_MAX {
            return Err(format!("is one name too many: more than {SETS_TOTAL_MAX} sets to sign"));
        }
        // That a name has addresses of a family is signed too, so it must be so at all times.
        if let AllDown::Static(v4, v6) = &name.all_down
            && sets::has(policy, family)
            && (if family == Family::V4 { v4.is_empty() } else { v6.is_empty() })
        {
            return Err(format!(
                "needs {called} addresses in `fallback`: its zone is signed, and edges have some"
            ));
        }
    }
    Ok(())
}

fn read_list<T: FromStr>(
    source: &Source<'_>,
    key: &str,
    texts: &[Spanned<String>],
    message: fn(T::Err) -> &'static str,
) -> Result<Vec<T>, ConfigError>
where
    T::Err: Display,
{
    if let Some(text) = texts.get(SECONDARIES_MAX) {
        let message = format!("is one too many; allowed: {SECONDARIES_MAX}");
        return Err(source.wrong(key, text, message));
    }
    let read = |text: &Spanned<String>| {
        text.get_ref().parse().map_err(|error| source.wrong(key, text, message(error)))
    };
    texts.iter().map(read).collect()
}
