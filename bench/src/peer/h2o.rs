//! h2o, a server of files and a proxy (`bench/peers/h2o.conf`).

use super::installed::Installed;
use super::place::Place;
use std::io;

pub(super) const H2O: Installed = Installed {
    program: "h2o",
    package: "h2o",
    version: "-v",
    as_root: &[],
    run,
    check: |place| ["-t", "-c", &file(place)].map(str::to_owned).to_vec(),
};

fn run(place: &Place) -> io::Result<Vec<String>> {
    // A root that is told no user becomes nobody, who may not enter our directory.
    let user = if nix::unistd::geteuid().is_root() { "user: root" } else { "" };
    place.write("h2o.conf", include_str!("../../peers/h2o.conf"), &[("@USER@", user)])?;
    Ok(["-c", &file(place)].map(str::to_owned).to_vec())
}

fn file(place: &Place) -> String {
    place.directory.join("h2o.conf").display().to_string()
}
