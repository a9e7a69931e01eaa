//! The zone that all serve, in the form of each, and what must be answered.

use super::prefixes::{Prefixes, REGIONS, push};
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

/// Its apex; configurations of peers in `bench/peers/` have it too.
pub(crate) const APEX: &str = "bench.test";

/// The name whose address depends on the client's subnet.
pub(super) const STEERED: &str = "steered.bench.test";

/// Names with an address of their own: a small zone, yet more than one line of a cache.
pub(super) const NAMES: u16 = 1_000;

/// One of the names, without the apex.
fn label(index: u16) -> String {
    format!("n{index:03}")
}

/// One of the names.
pub(super) fn name(index: u16) -> String {
    format!("{}.{APEX}", label(index))
}

/// Its address.
pub(super) fn address(index: u16) -> Ipv4Addr {
    let [high, low] = index.to_be_bytes();
    Ipv4Addr::new(198, 18, high, low)
}

/// The address of a region.
pub(super) fn address_of_region(region: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, region.saturating_add(1))
}

/// Writes the files that servers are given into `directory`; those for subnets if there are prefixes.
pub(super) fn write(directory: &Path, prefixes: Option<&Prefixes>) -> io::Result<()> {
    let file = |name: &str, text: &str| fs::write(directory.join(name), text);
    let names = records();
    file("names.zone", &names)?;
    file("lastmile.toml", &lastmile())?;
    let Some(prefixes) = prefixes else { return Ok(()) };
    // Knot's module answers for a name that is there.
    file("steered.zone", &format!("{names}steered 20 A 192.0.2.1\n"))?;
    file("gdnsd.zone", &format!("{names}steered 20 DYNA geoip!steered\n"))?;
    let nets = prefixes.lines(|text, address, length, region| {
        push(text, format_args!("{address}/{length} => r{region}\n"));
    });
    file("nets", &nets)?;
    let module = prefixes.lines(|text, net, length, region| {
        let address = address_of_region(region);
        push(text, format_args!("  - net: {net}/{length}\n    A: {address}\n"));
    });
    file("geoip.yaml", &format!("{STEERED}:\n{module}"))?;
    let map = prefixes.lines(|text, address, length, region| {
        push(text, format_args!("{address}/{length},r{region}\n"));
    });
    file("map.csv", &map)?;
    file("lastmile-subnets.toml", &(lastmile() + &steering()))
}

/// Records in master-file form, relative to the apex.
fn records() -> String {
    let mut text = "@ 3600 SOA ns1 hostmaster 1 3600 600 86400 60\n@ 3600 NS ns1\n".to_owned();
    text.push_str("ns1 3600 A 127.0.0.1\n");
    for index in 0..NAMES {
        push(&mut text, format_args!("{} 300 A {}\n", label(index), address(index)));
    }
    text
}

fn lastmile() -> String {
    format!("[[zone]]\nname = \"{APEX}.\"\nfile = \"names.zone\"\n")
}

fn steering() -> String {
    let mut text = format!("[[steer]]\nname = \"{STEERED}.\"\nttl = 20\nanswers = 1\n");
    for region in 0..REGIONS {
        let address = address_of_region(region);
        push(&mut text, format_args!("[[region]]\nname = \"r{region}\"\n"));
        push(&mut text, format_args!("[[edge]]\nname = \"e{region}\"\nregion = \"r{region}\"\n"));
        push(&mut text, format_args!("addresses = [\"{address}\"]\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_there_when_they_are_needed() {
        let directory = tempfile::tempdir().unwrap();
        let count = || fs::read_dir(directory.path()).unwrap().count();
        write(directory.path(), None).unwrap();
        assert_eq!(count(), 2, "the names alone");
        write(directory.path(), Some(&Prefixes::generate(10))).unwrap();
        assert_eq!(count(), 8, "and subnets");
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!((read("map.csv").lines().count(), read("nets").lines().count()), (10, 10));
        assert_eq!(read("geoip.yaml").lines().count(), 21);
        assert!(read("names.zone").contains("\nn999 300 A 198.18.3.231\n"));
    }

    #[test]
    fn configurations_of_peers_name_all_regions() {
        let gdnsd = include_str!("../../peers/gdnsd-geoip.conf");
        for region in 0..REGIONS {
            let line = format!("r{region} => {}\n", address_of_region(region));
            assert!(gdnsd.contains(&line), "{line}");
        }
        assert!(!gdnsd.contains(&format!("r{REGIONS}")));
        for text in [include_str!("../../peers/knot.conf"), include_str!("../../peers/nsd.conf")] {
            assert!(text.contains(&format!(" {APEX}\n")));
        }
    }
}
