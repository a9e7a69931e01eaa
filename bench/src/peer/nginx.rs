//! nginx, as a cache (`bench/peers/nginx.conf`) and as a server of files (`bench/peers/nginx-static.conf`).

use super::installed::Installed;
use super::place::Place;
use std::io;

/// With `proxy_cache` and `tcp_nopush on`.
pub(super) const NOPUSH: Installed = program(|place| cache(place, "on"));

/// The same with `tcp_nopush off`.
pub(super) const NOPUSH_OFF: Installed = program(|place| cache(place, "off"));

/// Without a cache: files.
pub(super) const FILES: Installed =
    program(|place| write(place, include_str!("../../peers/nginx-static.conf"), &[]));

const fn program(run: fn(&Place) -> io::Result<Vec<String>>) -> Installed {
    Installed {
        program: "nginx",
        package: "nginx-light",
        version: "-v",
        as_root: &[],
        run,
        check: |place| [vec!["-t".to_owned()], arguments(place)].concat(),
    }
}

fn cache(place: &Place, nopush: &str) -> io::Result<Vec<String>> {
    write(place, include_str!("../../peers/nginx.conf"), &[("@NOPUSH@", nopush)])
}

fn write(place: &Place, template: &str, words: &[(&str, &str)]) -> io::Result<Vec<String>> {
    // A root that is told no user gives its worker to nobody, who may not enter our directory.
    let user = if nix::unistd::geteuid().is_root() { "user root;" } else { "" };
    let mask = format!("1{}", "0".repeat(place.core));
    let words = [words, &[("@USER@", user), ("@CPU_MASK@", &mask)]].concat();
    place.write("nginx.conf", template, &words)?;
    Ok(arguments(place))
}

fn arguments(place: &Place) -> Vec<String> {
    let directory = place.directory.display();
    let (prefix, file) = (format!("{directory}"), format!("{directory}/nginx.conf"));
    ["-p", &prefix, "-c", &file, "-e", "stderr"].map(str::to_owned).to_vec()
}
