//! HAProxy with its cache (`bench/peers/haproxy.cfg`).

use super::installed::Installed;
use super::place::Place;
use std::io;

pub(super) const HAPROXY: Installed = Installed {
    program: "haproxy",
    package: "haproxy",
    version: "-v",
    as_root: &[],
    run,
    check: |place| ["-c", "-f", &file(place)].map(str::to_owned).to_vec(),
};

fn run(place: &Place) -> io::Result<Vec<String>> {
    place.write("haproxy.cfg", include_str!("../../peers/haproxy.cfg"), &[])?;
    // In the foreground.
    Ok(["-db", "-f", &file(place)].map(str::to_owned).to_vec())
}

fn file(place: &Place) -> String {
    place.directory.join("haproxy.cfg").display().to_string()
}
