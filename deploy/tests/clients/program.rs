//! Which programs are there.

use std::io::Write as _;
use std::path::PathBuf;

/// The first of `names` that is installed; without one a line on stderr says that a test is skipped.
pub(crate) fn find(names: &[&str]) -> Option<PathBuf> {
    let found = names.iter().find_map(|name| locate(name));
    if found.is_none() {
        // Past the harness's capture, which shows nothing of a test that passes.
        let line = format!("skipped: no {} is installed\n", names.join(" or "));
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    found
}

/// Where a program is; servers may be outside the PATH of who is not root.
fn locate(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let servers = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut all = std::env::split_paths(&path).chain(servers);
    all.find_map(|folder| Some(folder.join(name)).filter(|program| program.is_file()))
}
