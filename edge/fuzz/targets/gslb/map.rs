//! Any text is the CSV of prefixes: refused with a place, or every client gets what the longest prefix says, and the
//! same as all within the answer's scope.

use super::invariants::Room;
use super::{QUESTIONS_MAX, addresses, ask, load, question, width, within, world};
use domain::base::Name;
use lastmile_gslb::{Config, Offline};
use std::net::IpAddr;

/// Five regions with an edge each; the last is everybody's who is in no prefix.
const REGIONS: [&str; 5] = ["a", "b", "c", "d", "rest"];

pub fn run(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets).into_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let map = Some(world::write(&folder, "map.csv", &text));
    let Some(mut gslb) = load("zone", zone(), Config { map, ..Config::default() }) else { return };
    let prefixes: Vec<_> = text.lines().filter_map(prefix).collect();
    let mut room = Room::new();
    for (network, bits, _) in prefixes.iter().take(QUESTIONS_MAX) {
        let (first, last) = within(*network, *bits);
        for client in [first, last, next(last), before(first)] {
            let scope = check(&mut gslb, &prefixes, client, &mut room);
            let (first, last) = within(client, scope);
            assert_eq!(scope, check(&mut gslb, &prefixes, first, &mut room));
            assert_eq!(scope, check(&mut gslb, &prefixes, last, &mut room));
        }
    }
}

/// Asks for a client, compares with the longest prefix, and returns the scope.
fn check(
    gslb: &mut Offline,
    prefixes: &[(IpAddr, u8, usize)],
    client: IpAddr,
    room: &mut Room,
) -> u8 {
    let holds = |(network, bits, _): &&(IpAddr, u8, usize)| {
        network.is_ipv4() == client.is_ipv4()
            && within(client, *bits).0 == within(*network, *bits).0
    };
    let longest = prefixes.iter().filter(holds).max_by_key(|(_, bits, _)| *bits);
    let region = longest.map_or(REGIONS.len() - 1, |(_, _, region)| *region);
    let name: Name<Vec<u8>> = "www.test".parse().expect("a name");
    let message = question(&name, 1, Some((client, width(client))));
    let (got, scope) = addresses(ask(gslb, &message, 0, room));
    assert_eq!(got, [IpAddr::from([192, 0, 2, region as u8])], "{client}");
    scope.expect("a scope")
}

fn zone() -> String {
    let mut text =
        "[[zone]]\nname = \"test.\"\nrecords = \"@ 60 SOA ns host 1 2 3 4 60\\n@ 60 NS ns\"\n\
                    [[steer]]\nname = \"www.test.\"\ndefault_region = \"rest\"\n"
            .to_owned();
    for (index, region) in REGIONS.iter().enumerate() {
        text.push_str(&format!(
            "[[region]]\nname = \"{region}\"\n[[edge]]\nname = \"{region}\"\nregion = \"{region}\"\n\
             addresses = [\"192.0.2.{index}\"]\n"
        ));
    }
    text
}

/// The prefix of a line and its region, if it has one.
fn prefix(line: &str) -> Option<(IpAddr, u8, usize)> {
    let (prefix, region) = line.split('#').next()?.split_once(',')?;
    let (address, bits) = match prefix.trim().split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (prefix.trim(), None),
    };
    let address: IpAddr = address.parse().ok()?;
    let bits = bits.map_or(Ok(width(address)), str::parse).ok()?;
    Some((address, bits, REGIONS.iter().position(|known| *known == region.trim())?))
}

fn next(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4(address.to_bits().wrapping_add(1).into()),
        IpAddr::V6(address) => IpAddr::V6(address.to_bits().wrapping_add(1).into()),
    }
}

fn before(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4(address.to_bits().wrapping_sub(1).into()),
        IpAddr::V6(address) => IpAddr::V6(address.to_bits().wrapping_sub(1).into()),
    }
}
