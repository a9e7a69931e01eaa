//! The fuzzer: calls one target, named in LASTMILE_FUZZ_TARGET, with inputs of libFuzzer's making. See `run`.

#![no_main]
#![allow(clippy::unwrap_used, reason = "a panic is how a target says what it found")]

#[path = "../targets/connection/mod.rs"]
mod connection;
#[path = "../../tests/sim/disk.rs"]
#[allow(dead_code, reason = "the simulation has uses for the rest")]
mod disk;
#[path = "../targets/gslb/mod.rs"]
mod gslb;
#[path = "../../tests/sim/lone.rs"]
#[allow(dead_code, reason = "other tests have uses for the rest")]
mod lone;
#[path = "../../tests/sim/net.rs"]
#[allow(dead_code, reason = "the simulation has uses for the rest")]
mod net;
#[path = "../targets/recovery/mod.rs"]
mod recovery;
#[path = "../targets/mod.rs"]
mod targets;
#[path = "../../tests/sim/world.rs"]
#[allow(dead_code, reason = "the simulation has uses for the rest")]
mod world;

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

const VARIABLE: &str = "LASTMILE_FUZZ_TARGET";

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

fn chosen() -> fn(&[u8]) {
    let name = std::env::var(VARIABLE).unwrap_or_default();
    let of_the_edge: [targets::Row; 2] =
        [("connection", connection::run), ("recovery", recovery::run)];
    let rows = || targets::TARGETS.iter().chain(&of_the_edge).chain(gslb::TARGETS);
    let Some((_, run)) = rows().find(|(known, _)| *known == name) else {
        let names: Vec<_> = rows().map(|(name, _)| *name).collect();
        eprintln!("{VARIABLE} is {name:?}, not one of: {}", names.join(" "));
        std::process::exit(2);
    };
    *run
}

fuzz_target!(
    init: {
        TARGET.get_or_init(chosen);
    },
    |octets: &[u8]| TARGET.get_or_init(chosen)(octets)
);
