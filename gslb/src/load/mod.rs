//! From files to tables: everything is read and checked before anything starts.
//!
//! | file | job |
//! | --- | --- |
//! | `entries.rs` | what its parser must not be given |
//! | `master.rs` | records in master-file form become RRsets of a zone |
//! | `presentation/` | types that the parser of `domain` does not know |
//! | `file.rs` | the zone file as TOML, and how its mistakes are told |
//! | `regions.rs`, `edges.rs` | its regions with the map's prefixes, its edges |
//! | `import.rs` | networks of databases become prefixes of the map |
//! | `redirect.rs` | its hosts that are redirected, and what else the HTTP front is told |
//! | `resolvers.rs` | resolvers whose address does not tell where their clients are |
//! | `server.rs` | `[dns]`, `[limit]` and `[backup]` |
//! | `zones.rs` | zones with their secondaries and keys |
//! | `measurements.rs` | round-trip times |
//! | `steering.rs` | all of it becomes zones, policy and names |

mod edges;
mod entries;
mod file;
mod import;
mod master;
mod measurements;
mod presentation;
mod redirect;
mod regions;
mod resolvers;
mod server;
mod steering;
mod zones;

use crate::answer::{Tables, UDP_PAYLOAD_MIN};
use crate::fixed::Fixed;
use crate::map::PrefixMap;
use crate::table::{LabFile, LabTable};
use crate::{Config, ConfigError, Summary, ZoneSource};
use file::Source;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// A file is read whole; this bounds what a mistaken one can take. A CSV of four million prefixes
/// has 100 MB.
const FILE_OCTETS_MAX: u64 = 512 << 20;
/// RFC 6891 §6.2.5: 4096 octets is the most that anybody should try; larger ones only help those
/// who amplify.
const UDP_PAYLOAD_MAX: u16 = 4096;

/// Each has buffers of up to some 100 KiB and a descriptor.
const HTTP_CONNECTIONS_MAX: usize = 65_536;

/// Reads everything that `config` names.
///
/// # Errors
/// The first thing that is wrong.
pub(crate) fn load(config: &Config) -> Result<(Tables, Summary), ConfigError> {
    check_options(config)?;
    let (name, text) = match &config.zone {
        None => (String::new(), String::new()),
        Some(ZoneSource::File(path)) => (path.display().to_string(), read_file(path)?),
        Some(ZoneSource::Inline { name, text }) => (name.clone(), text.clone()),
    };
    let directory = match &config.zone {
        Some(ZoneSource::File(path)) => path.parent().unwrap_or(Path::new("")),
        Some(ZoneSource::Inline { .. }) | None => Path::new(""),
    };
    let csv = match &config.map {
        Some(path) => Some((path.display().to_string(), read_file(path)?)),
        None => None,
    };
    let source = Source { name: &name, text: &text, directory };
    let csv = csv.as_ref().map(|(name, text)| (name.as_str(), text.as_str()));
    let steering = steering::read(&source, csv, config.tcp_idle_timeout)?;
    let lab = load_lab(config)?;
    let (zones, records) = steering.zones.counts();
    let summary = Summary {
        zones,
        records,
        regions: steering.policy.regions.len(),
        edges: steering.policy.edges.len(),
        steered_names: steering.policy.steered.len(),
        prefixes: steering.policy.map.prefixes(),
        resolver_prefixes: steering.policy.resolvers.as_ref().map_or(0, PrefixMap::prefixes),
        map_octets: steering.policy.map.octets(),
        lab_rows: lab.as_ref().map_or(0, LabTable::len),
        cnames_elsewhere: steering.cnames_elsewhere,
    };
    let tables = Tables {
        zones: steering.zones,
        fixed: Fixed::of(&steering.policy).into(),
        service: steering.service,
        policy: Arc::new(steering.policy),
        lab: lab.map(Arc::new),
        tally: Arc::default(),
        front: Arc::new(steering.front),
        udp_payload_max: config.udp_payload_max,
    };
    Ok((tables, summary))
}

fn check_options(config: &Config) -> Result<(), ConfigError> {
    let wrong = |message: String| Err(ConfigError { file: None, line: None, message });
    if config.zone.is_none() && config.lab_table.is_none() {
        return wrong("gslb: nothing to serve; give a zone file or a lab table".to_owned());
    }
    if config.lab_table.is_none() && config.lab_locations.is_some() {
        return wrong("gslb: lab_locations needs a lab_table".to_owned());
    }
    if config.map.is_some() && config.zone.is_none() {
        return wrong("gslb: map needs a zone file that names its regions".to_owned());
    }
    if !(UDP_PAYLOAD_MIN..=UDP_PAYLOAD_MAX).contains(&config.udp_payload_max) {
        let allowed = format!("allowed: {UDP_PAYLOAD_MIN} to {UDP_PAYLOAD_MAX}");
        let value = config.udp_payload_max;
        return wrong(format!("gslb: udp_payload_max: {value} is not allowed; {allowed}"));
    }
    if config.tcp_connections_max == 0 {
        return wrong("gslb: tcp_connections_max: 0 is too small; allowed: 1 or more".to_owned());
    }
    if !(1..=HTTP_CONNECTIONS_MAX).contains(&config.http_connections_max) {
        let (value, allowed) = (config.http_connections_max, HTTP_CONNECTIONS_MAX);
        let message = format!("{value} is not allowed; allowed: 1 to {allowed}");
        return wrong(format!("gslb: http_connections_max: {message}"));
    }
    if config.tcp_idle_timeout.is_zero() {
        return wrong("gslb: tcp_idle_timeout: 0 is too small; allowed: 1ms or more".to_owned());
    }
    Ok(())
}

fn load_lab(config: &Config) -> Result<Option<LabTable>, ConfigError> {
    let Some(table_path) = &config.lab_table else { return Ok(None) };
    let table = read_file(table_path)?;
    let locations = match &config.lab_locations {
        Some(path) => read_file(path)?,
        None => String::new(),
    };
    LabTable::read(&table, &locations).map(Some).map_err(|(file, line, message)| {
        let path = match (file, &config.lab_locations) {
            (LabFile::Locations, Some(path)) => path,
            (LabFile::Locations, None) | (LabFile::Table, _) => table_path,
        };
        ConfigError::new(&path.display().to_string(), Some(line), message)
    })
}

pub(crate) fn read_file(path: &Path) -> Result<String, ConfigError> {
    String::from_utf8(read_octets(path)?).map_err(|error| {
        let message = format!("cannot read: it is not UTF-8 text: {error}");
        ConfigError::new(&path.display().to_string(), None, message)
    })
}

fn read_octets(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let name = path.display().to_string();
    let wrong =
        |error: std::io::Error| ConfigError::new(&name, None, format!("cannot read: {error}"));
    let file = File::open(path).map_err(wrong)?;
    // Pipes and devices have no length beforehand, and need not end.
    let octets = file.metadata().map_err(wrong)?.len().min(FILE_OCTETS_MAX);
    let mut content = Vec::with_capacity(octets as usize);
    file.take(FILE_OCTETS_MAX + 1).read_to_end(&mut content).map_err(wrong)?;
    if content.len() as u64 > FILE_OCTETS_MAX {
        let message = format!("has more than {FILE_OCTETS_MAX} octets");
        return Err(ConfigError::new(&name, None, message));
    }
    Ok(content)
}

#[cfg(test)]
mod tests;
