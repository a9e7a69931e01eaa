//! The load over real sockets, against a server that does as it is told. Nothing is said about speed.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

mod server;

use lastmile_bench::BenchError;
use lastmile_bench::load::{Load, Outcome, Targets, run, run_on};
use server::{Reply, Server, whole};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Long enough for some requests on any machine.
const SHORT: Duration = Duration::from_millis(150);

fn load(server: &Server) -> Load {
    let mut load = Load::new(server.address, Targets::One("/x".to_owned()));
    load.connections = 3;
    load.duration = SHORT;
    load
}

fn outcome(load: &Load) -> Outcome {
    run(load, &AtomicBool::new(false), &mut |_| {}).unwrap()
}

#[test]
fn every_request_of_a_closed_loop_is_answered_and_counted() {
    let server = Server::start(|_, _| Reply::Octets(whole(b"hello")));
    let outcome = outcome(&load(&server));
    assert_eq!(outcome.errors.line(), None);
    assert!(outcome.requests > 3, "{outcome:?}");
    assert_eq!(outcome.answered, server.heads().len() as u64);
    assert_eq!(outcome.octets, outcome.answered * whole(b"hello").len() as u64);
    assert_eq!(outcome.latency.len(), outcome.requests);
    assert_eq!(server.connections(), 3);
    assert_eq!(outcome.connections, 3);
    let counted: u64 = outcome.intervals.iter().map(|interval| interval.requests).sum();
    assert!(counted <= outcome.answered && counted > 0);
}
