//! Knot DNS, with the zone alone (`bench/peers/knot.conf`) and with its module geoip (`bench/peers/knot-geoip.conf`),
//! which is in a package of its own.

use super::installed::Installed;
use super::place::Place;
use std::io;

/// Without the module.
pub(super) const NAMES: Installed =
    program("knot", |place| write(place, include_str!("../../peers/knot.conf")));

/// With the map of subnets.
pub(super) const SUBNETS: Installed =
    program("knot-module-geoip", |place| write(place, include_str!("../../peers/knot-geoip.conf")));

const fn program(package: &'static str, run: fn(&Place) -> io::Result<Vec<String>>) -> Installed {
    Installed {
        program: "knotd",
        package,
        version: "-V",
        as_root: &[],
        run,
        // Another program looks at configurations; this one says at its start what it has against them.
        check: |_| vec!["-V".to_owned()],
    }
}

fn write(place: &Place, template: &str) -> io::Result<Vec<String>> {
    let file = place.write("knot.conf", template, &[])?;
    Ok(vec!["-c".to_owned(), file.display().to_string()])
}
