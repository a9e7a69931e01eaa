//! `lastmile bench` from one end to the other. Nothing is said about speed: a machine that runs tests is no place to
//! measure.
//!
//! | file | what is shown |
//! | --- | --- |
//! | `compare` | figures of every peer, and that nothing is left running |
//! | `dns` | figures of our own name server |
//! | `load` | requests of every kind against the synthetic origin |
//! | `floor` | a server that parses nothing, asked and measured |
//! | `steer` | the policy of the GSLB on small worlds |
//! | `trace` | policies of a tier on small traces |

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

mod compare;
mod dns;
mod floor;
mod load;
#[path = "../process/mod.rs"]
mod process;
mod steer;
mod trace;

use process::lastmile;

/// Each of these command lines is refused, before anything starts, with one line that has these words.
fn misused(rows: &[(&[&str], &str, &str)]) {
    for (arguments, expected, why) in rows {
        let output = lastmile(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{why}: {said}");
        assert!(said.starts_with("lastmile: ") && said.contains(expected), "{why}: {said}");
        assert_eq!(said.lines().count(), 1, "{why}: {said}");
    }
}

#[test]
fn a_command_is_needed() {
    let allowed =
        "bench: a command is missing; allowed: compare, dns, load, floor, steer, trace, wan";
    misused(&[(&["bench"], allowed, "nothing to do")]);
}
