//! Hits on one core and on several: what another core's hits cost a hit.
//!
//! Each thread is a worker with a connection that asks without a kernel, so that whatever the cores share is ten times
//! as busy as it could be behind sockets. Beside workers of one edge run as many that have an edge each and share
//! nothing: what these lose on several cores is the machine's (a core's two threads, caches, memory), and what the
//! others lose beyond that is the edge's.

#[path = "../../tests/at_once/mod.rs"]
mod at_once;
mod measure;
mod stores;
mod zipf;

use measure::{Case, Sharing, measure};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

const HELP: &str = "\
CPU per hit on one core and on all, of one edge and of an edge for each core; the time of a
store by readers.

Usage: cargo bench -p lastmile-edge --bench scale -- [--json]

  --json     an object instead of a table
  --help     this

It takes 150 MB of memory for each core, and ten seconds.

Example: cargo bench -p lastmile-edge --bench scale -- --json

Exit status: 0 measured, 1 failed, 2 misused.";

fn main() -> ExitCode {
    let mut json = false;
    // Cargo says --bench to every benchmark.
    for argument in std::env::args().skip(1).filter(|argument| argument != "--bench") {
        match argument.as_str() {
            "--json" => json = true,
            "--help" | "-h" => return say(HELP),
            _ => {
                eprintln!("scale: unknown argument {argument}");
                return ExitCode::from(2);
            }
        }
    }
    match measure() {
        Ok(cases) if json => say(&as_json(&cases, &stores::measure())),
        Ok(cases) => say(&(as_table(&cases) + &as_lines(&stores::measure()))),
        Err(error) => {
            eprintln!("scale: {error}");
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) -> ExitCode {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn as_json(cases: &[Case], stores: &[(usize, f64)]) -> String {
    let rows: Vec<_> = cases
        .iter()
        .map(|case| {
            serde_json::json!({
                "keys": case.keys,
                "edge": case.sharing.name(),
                "threads": case.threads,
                "cpu_ns_per_hit": case.cpu_ns_per_hit,
                "hits_per_second": case.hits_per_second,
            })
        })
        .collect();
    let stores: Vec<_> = stores
        .iter()
        .map(|(readers, ns)| serde_json::json!({ "threads": readers, "ns_per_store": ns }))
        .collect();
    format!("{:#}", serde_json::json!({ "hits": rows, "stores": stores }))
}

fn as_lines(stores: &[(usize, f64)]) -> String {
    let figures = stores.iter().map(|(readers, ns)| format!("{readers} threads {ns:.0}"));
    let figures = figures.collect::<Vec<_>>().join(", ");
    format!("ns to store an object, beside threads that have looked into the tier: {figures}")
}

fn as_table(cases: &[Case]) -> String {
    let mut text = format!(
        "{:<24}{:<14}{:>8}{:>10}{:>14}{:>12}\n",
        "keys", "edge", "threads", "ns/hit", "hits/s", "to 1 thread"
    );
    for case in cases {
        let alone = cases.iter().find(|other| {
            (other.keys, other.sharing, other.threads) == (case.keys, case.sharing, 1)
        });
        let ratio = alone.map_or(1.0, |alone| case.cpu_ns_per_hit / alone.cpu_ns_per_hit);
        // A String takes everything.
        let _ = writeln!(
            text,
            "{:<24}{:<14}{:>8}{:>10.1}{:>14.0}{:>12.3}",
            case.keys,
            case.sharing.name(),
            case.threads,
            case.cpu_ns_per_hit,
            case.hits_per_second,
            ratio
        );
    }
    for case in cases.iter().filter(|case| case.sharing == Sharing::One && case.threads > 1) {
        let apart = cases.iter().find(|other| {
            (other.keys, other.sharing, other.threads) == (case.keys, Sharing::Each, case.threads)
        });
        if let Some(apart) = apart {
            let ratio = case.cpu_ns_per_hit / apart.cpu_ns_per_hit;
            let _ = writeln!(
                text,
                "{}, {} threads: a hit of one edge costs {ratio:.3} of a hit where nothing is shared",
                case.keys, case.threads
            );
        }
    }
    text
}
