//! Any text is a zone file: refused with a place and one line of text, or served.

use super::invariants::Room;
use super::{QUESTIONS_MAX, ask, load, question};
use domain::base::Name;
use lastmile_gslb::Config;
use std::net::IpAddr;

pub fn run(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets).into_owned();
    // It would name a file of this machine.
    if text.contains("file") {
        return;
    }
    let strings: Vec<String> = text.split(['"', '\'']).map(str::to_owned).collect();
    let Some(mut gslb) = load("zone.toml", text, Config::default()) else { return };
    let mut room = Room::new();
    let names = strings.iter().filter_map(|text| text.parse::<Name<Vec<u8>>>().ok());
    for name in names.take(QUESTIONS_MAX) {
        for rtype in [1, 28, 6, 5] {
            let subnet = Some((IpAddr::from([10, 1, 2, 0]), 24));
            ask(&mut gslb, &question(&name, rtype, subnet), 0, &mut room);
        }
    }
}
