//! gdnsd, with the zone alone (`bench/peers/gdnsd.conf`) and with its geoip plugin (`bench/peers/gdnsd-geoip.conf`).

use super::installed::Installed;
use super::place::Place;
use std::fs;
use std::io;

/// Without the plugin.
pub(super) const NAMES: Installed =
    program(|place| write(place, include_str!("../../peers/gdnsd.conf"), "names.zone"));

/// With the map of subnets.
pub(super) const SUBNETS: Installed =
    program(|place| write(place, include_str!("../../peers/gdnsd-geoip.conf"), "gdnsd.zone"));

const fn program(run: fn(&Place) -> io::Result<Vec<String>>) -> Installed {
    Installed {
        program: "gdnsd",
        package: "gdnsd",
        // No action that there is: it says its version before it says so.
        version: "version",
        as_root: &[],
        run,
        check: |place| [arguments(place), vec!["checkconf".to_owned()]].concat(),
    }
}

fn write(place: &Place, template: &str, zone: &str) -> io::Result<Vec<String>> {
    // It insists on the names of its files.
    place.write("config", template, &[])?;
    for folder in ["zones", "run", "state"] {
        fs::create_dir_all(place.directory.join(folder))?;
    }
    let copy = place.directory.join("zones").join(crate::dns::zone::APEX);
    std::os::unix::fs::symlink(place.zone.join(zone), copy)?;
    Ok([arguments(place), vec!["start".to_owned()]].concat())
}

fn arguments(place: &Place) -> Vec<String> {
    vec!["-c".to_owned(), place.directory.display().to_string()]
}
