//! On what a report was measured.

use super::emulator::Emulator;
use crate::fingerprint::value_of;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Facts as `name: value`; `lastmile` is the executable that takes part.
#[must_use]
pub fn facts(lastmile: &Path) -> Vec<(String, String)> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let version = Command::new(lastmile).arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let facts = [
        ("CPU", value_of(&read("/proc/cpuinfo"), "model name")),
        ("cores", cores.to_string()),
        ("memory", value_of(&read("/proc/meminfo"), "MemTotal")),
        ("kernel", read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("TCP", read("/proc/sys/net/ipv4/tcp_congestion_control").trim().to_owned()),
        ("version", version.unwrap_or_default()),
        ("links", real_time()),
    ];
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Whether links are served by a real-time thread here.
fn real_time() -> String {
    match Emulator::start(Vec::new(), 0) {
        Ok(emulator) => match emulator.real_time() {
            Ok(()) => "a real-time thread".to_owned(),
            Err(why) => format!("an ordinary thread, so later than need be: {why}"),
        },
        Err(error) => error.to_string(),
    }
}
