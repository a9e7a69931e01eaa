//! `lastmile check FILE`: a configuration or zone file looked at without starting anything.

use crate::cli::{CheckFlags, Cli};
use crate::config;
use crate::failure::Failure;
use crate::node::say;
use clap::CommandFactory as _;
use lastmile_gslb::{Config, ZoneSource};
use lastmile_tuning::policy::PolicyTable;
use std::path::Path;
use std::str::FromStr;

/// What a file can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `lastmile.toml`: a table for each role.
    Config,
    /// Zones and steering of the GSLB.
    Zone,
    /// Prefixes and regions, as CSV.
    Map,
    /// A table of the university lab.
    LabTable,
    /// Locations for the lab's table.
    LabLocations,
    /// What connections get by the prefix of their other end.
    TcpPolicy,
}

const KINDS: &[(&str, Kind)] = &[
    ("config", Kind::Config),
    ("zone", Kind::Zone),
    ("map", Kind::Map),
    ("lab-table", Kind::LabTable),
    ("lab-locations", Kind::LabLocations),
    ("tcp-policy", Kind::TcpPolicy),
];

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        KINDS.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind).ok_or_else(|| {
            let names: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
            format!("{text:?} is not a kind of file; allowed: {}", names.join(", "))
        })
    }
}

/// Says on stdout what the file holds.
///
/// # Errors
/// [`Failure::Misused`]: file, line, key, value, and what is allowed.
pub fn run(flags: &CheckFlags) -> Result<(), Failure> {
    let path = &flags.file;
    let text = config::text_of(path)?;
    let found = match flags.kind.unwrap_or_else(|| guess(path, &text)) {
        Kind::Config => match config::check(&Cli::command(), path)? {
            (keys, 0) => format!("a configuration with {keys} keys"),
            (keys, sites) => format!("a configuration with {keys} keys and {sites} sites"),
        },
        Kind::Zone => {
            let zone = Some(ZoneSource::File(path.clone()));
            of_gslb(&Config { zone, ..Config::default() })?
        }
        Kind::Map => of_gslb(&Config { map: Some(path.clone()), ..Config::default() })?,
        Kind::LabTable => of_gslb(&Config { lab_table: Some(path.clone()), ..Config::default() })?,
        Kind::LabLocations => {
            of_gslb(&Config { lab_locations: Some(path.clone()), ..Config::default() })?
        }
        Kind::TcpPolicy => {
            let table = PolicyTable::read(path).map_err(Failure::Misused)?;
            format!("a TCP policy of {} prefixes", table.len())
        }
    };
    say(&format!("{}: good: {found}", path.display()));
    Ok(())
}

fn of_gslb(config: &Config) -> Result<String, Failure> {
    lastmile_gslb::check(config)
        .map(|summary| summary.to_string())
        .map_err(|error| Failure::Misused(error.to_string()))
}

/// What a file is, by its extension and by its tables: a zone file's are arrays.
fn guess(path: &Path, text: &str) -> Kind {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let zone = [
        "[[zone]]",
        "[[region]]",
        "[[edge]]",
        "[[steer]]",
        "[[onboard]]",
        "[[import]]",
        "[[resolver]]",
    ];
    match extension {
        "csv" => Kind::Map,
        "toml" if text.lines().any(|line| line.trim() == "[[policy]]") => Kind::TcpPolicy,
        "toml" if text.lines().any(|line| zone.contains(&line.trim())) => Kind::Zone,
        "toml" => Kind::Config,
        _ if text.lines().any(|line| line.trim_start().starts_with('[')) => Kind::Config,
        _ => Kind::LabTable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_files() {
        for (name, text, kind, why) in [
            ("lastmile.toml", "[edge]\nram = 1\n", Kind::Config, "a table for a role"),
            ("cdn.toml", "# x\n[[zone]]\nname = \"a.\"\n", Kind::Zone, "arrays of tables"),
            ("cdn.toml", "[[edge]]\n", Kind::Zone, "the GSLB's edges, not the role"),
            ("lastmile.toml", "[[site]]\n", Kind::Config, "sites are the edge's"),
            ("policy.toml", "[[policy]]\nprefix = \"::/0\"\n", Kind::TcpPolicy, "a TCP policy"),
            ("prefixes.csv", "10.0.0.0/8,north\n", Kind::Map, "by extension"),
            ("dns_table.txt", "a.example. A 10.0.0.1\n", Kind::LabTable, "rows"),
            ("lastmile.conf", "[edge]\n", Kind::Config, "a table under another extension"),
            ("empty.toml", "", Kind::Config, "nothing set is a configuration"),
        ] {
            assert_eq!(guess(Path::new(name), text), kind, "{name}: {why}");
        }
        assert!("zones".parse::<Kind>().unwrap_err().contains("allowed: config, zone"));
    }
}
