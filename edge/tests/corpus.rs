//! The fuzz target of a whole connection with every input of its corpus: seeds, and what the fuzzer found.
//!
//! `edge/fuzz/README.md` says what it asserts and how to let the fuzzer look for more.

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
#[path = "sim/net.rs"]
#[allow(dead_code, reason = "the simulation has uses for the rest")]
mod net;
#[path = "sim/world.rs"]
#[allow(dead_code, reason = "the simulation has uses for the rest")]
mod world;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[test]
fn a_connection_holds_on_its_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/connection");
    let mut inputs: Vec<_> = fs::read_dir(corpus).unwrap().map(|e| e.unwrap().path()).collect();
    inputs.sort();
    assert!(!inputs.is_empty());
    println!("connection: {} inputs", inputs.len());
    let fails = |input: &&_| {
        let octets = fs::read(input).unwrap();
        catch_unwind(|| connection::run(&octets)).is_err()
    };
    let failed: Vec<_> = inputs.iter().filter(fails).collect();
    assert!(failed.is_empty(), "these inputs fail: {failed:#?}");
    connection::run(b"");
}
