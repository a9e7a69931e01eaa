//! Every fuzz target of this crate with every input of its corpus: seeds, and what the fuzzer found
//! worth keeping.
//!
//! `edge/fuzz/README.md` says what each target asserts and how to let the fuzzer look for more.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test: a panic is how it fails"
)]
#![allow(missing_docs, unreachable_pub, reason = "a program of its own")]

#[path = "../../edge/fuzz/targets/gslb/mod.rs"]
mod targets;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[test]
fn every_target_holds_on_its_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../edge/fuzz/corpus");
    let mut failed = vec![];
    for (name, run) in targets::TARGETS {
        let entries = fs::read_dir(corpus.join(name)).unwrap();
        let mut inputs: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        inputs.sort();
        assert!(!inputs.is_empty(), "no corpus for {name}");
        println!("{name}: {} inputs", inputs.len());
        for input in inputs {
            let octets = fs::read(&input).unwrap();
            if catch_unwind(|| run(&octets)).is_err() {
                failed.push(input);
            }
        }
        assert!(catch_unwind(|| run(b"")).is_ok(), "nothing at all, for {name}");
    }
    assert!(failed.is_empty(), "these inputs fail: {failed:#?}");
}
