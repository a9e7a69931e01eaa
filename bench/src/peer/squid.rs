//! Squid (`bench/peers/squid.conf`).

use super::installed::Installed;
use super::place::Place;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;

pub(super) const SQUID: Installed = Installed {
    program: "squid",
    package: "squid",
    version: "-v",
    // It refuses to be root. Changing the user by itself, it would no longer die with us.
    as_root: &["--reuid", "proxy", "--regid", "proxy", "--clear-groups"],
    run,
    check: |place| ["-k", "parse", "-f", &file(place)].map(str::to_owned).to_vec(),
};

fn run(place: &Place) -> io::Result<Vec<String>> {
    place.write("squid.conf", include_str!("../../peers/squid.conf"), &[])?;
    // The other user reads it.
    fs::set_permissions(&place.directory, fs::Permissions::from_mode(0o755))?;
    // In the foreground, one process; only what is fatal is told.
    Ok(["-N", "-d", "0", "-f", &file(place)].map(str::to_owned).to_vec())
}

fn file(place: &Place) -> String {
    place.directory.join("squid.conf").display().to_string()
}
