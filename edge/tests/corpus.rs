//! The fuzz targets of a whole edge with every input of their corpora: seeds, and what the fuzzer found.
//!
//! `edge/fuzz/README.md` says what they assert and how to let the fuzzer look for more.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test: a panic is its way to fail"
)]
#![allow(missing_docs, unreachable_pub, reason = "a program of its own")]

#[path = "../fuzz/targets/connection/mod.rs"]
mod connection;
#[path = "sim/disk.rs"]
#[allow(dead_code, reason = "the simulation has uses for the rest")]
mod disk;
#[path = "sim/lone.rs"]
#[allow(dead_code, reason = "other tests have uses for the rest")]
mod lone;
#[path = "sim/net.rs"]
#[allow(dead_code, reason = "the simulation has uses for the rest")]
mod net;
#[path = "../fuzz/targets/recovery/mod.rs"]
mod recovery;
#[path = "sim/world.rs"]
#[allow(dead_code, reason = "the simulation has uses for the rest")]
mod world;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[test]
fn a_connection_holds_on_its_corpus() {
    replay("connection", connection::run);
}

#[test]
fn recovery_holds_on_its_corpus() {
    replay("recovery", recovery::run);
}

fn replay(target: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs: Vec<_> = fs::read_dir(corpus).unwrap().map(|e| e.unwrap().path()).collect();
    inputs.sort();
    assert!(!inputs.is_empty());
    let fails = |input: &&_| {
        let octets = fs::read(input).unwrap();
        catch_unwind(|| run(&octets)).is_err()
    };
    let failed: Vec<_> = inputs.iter().filter(fails).collect();
    assert!(failed.is_empty(), "these inputs fail: {failed:#?}");
    run(b"");
}
