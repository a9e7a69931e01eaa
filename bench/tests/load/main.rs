//! The load over real sockets, against a server that does as it is told. Nothing is said about speed.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

mod server;

use lastmile_bench::BenchError;
use lastmile_bench::load::{CONNECTIONS_MAX, Load, Outcome, Progress, Targets, run, run_on};
use lastmile_tuning::cpu::Cores;
use server::{Reply, Server, whole};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Long enough for some requests on any machine.
const SHORT: Duration = Duration::from_millis(120);

fn load(server: &Server) -> Load {
    let mut load = Load::new(server.address, Targets::One("/x".to_owned()));
    load.connections = 3;
    load.duration = SHORT;
    load
}

fn outcome(load: &Load) -> Outcome {
    run(load, &AtomicBool::new(false), &mut |_| {}).unwrap()
}

/// Puts the load on until `enough` says so of its progress.
fn outcome_when(load: &Load, enough: impl Fn(&Progress) -> bool) -> Outcome {
    let stop = AtomicBool::new(false);
    let load = Load { duration: Duration::from_secs(600), ..load.clone() };
    run(&load, &stop, &mut |progress| stop.store(enough(progress), Ordering::Relaxed)).unwrap()
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
    assert_eq!(outcome.first_octet.len(), outcome.requests);
    assert_eq!((server.connections(), outcome.connections), (3, 3));
    let counted: u64 = outcome.intervals.iter().map(|interval| interval.requests).sum();
    assert!(counted <= outcome.answered && counted > 0);
}

#[test]
fn a_warm_up_does_not_count() {
    let server = Server::start(|_, _| Reply::Octets(whole(b"hello")));
    let mut load = load(&server);
    load.warmup = SHORT;
    let outcome = outcome(&load);
    assert!(outcome.within < outcome.answered, "{outcome:?}");
    assert!(outcome.requests < outcome.answered, "{outcome:?}");
    assert_eq!(outcome.window, SHORT);
}

#[test]
fn an_open_loop_starts_every_request_that_its_rate_asks_for() {
    let server = Server::start(|_, _| Reply::Octets(whole(b"hello")));
    let mut load = load(&server);
    (load.rate, load.duration) = (Some(1000.0), Duration::from_millis(300));
    let outcome = outcome(&load);
    assert_eq!(outcome.errors.line(), None);
    let all = outcome.requests + outcome.unfinished + outcome.unstarted;
    assert_eq!(all, 300, "one each millisecond, whatever the machine does meanwhile: {outcome:?}");
}

#[test]
fn the_time_that_requests_wait_for_a_free_connection_is_latency() {
    // The first response comes when ten more requests should have been sent.
    let due = Duration::from_millis(10);
    let server = Server::start(move |_, number| {
        if number == 1 {
            std::thread::sleep(10 * due);
        }
        Reply::Octets(whole(b"hello"))
    });
    let mut load = load(&server);
    (load.connections, load.rate, load.duration) = (1, Some(100.0), 20 * due);
    let outcome = outcome(&load);
    // However late all else is: the one that was due at 10 ms waited until 100 ms, the next until then, and so on.
    for (waited, least) in [(90, 1), (80, 2), (50, 5), (10, 9)] {
        let late = outcome.latency.count_between(waited * 999_000, u64::MAX);
        assert!(late > least, "{late} requests waited {waited} ms: {outcome:?}");
    }
    assert_eq!(outcome.answered + outcome.unfinished + outcome.unstarted, 20);
}

#[test]
fn pipelined_requests_go_out_at_once() {
    let server = Server::start(|_, _| Reply::Octets(whole(b"hello")));
    let mut load = load(&server);
    load.pipeline = 4;
    let outcome = outcome_when(&load, |progress| progress.answered >= 40);
    assert_eq!(outcome.errors.line(), None);
    assert!(outcome.answered >= 40);
    assert_eq!(server.connections(), 3);
}

#[test]
fn a_connection_has_as_many_requests_as_it_may() {
    for (requests, pipeline, why) in
        [(1, 1, "one"), (3, 1, "some"), (3, 2, "the last batch is short")]
    {
        let server = Server::start(move |head, number| {
            assert!(number <= requests, "{head}");
            match head.contains("\r\nConnection: close\r\n") {
                true => Reply::Last(whole(b"bye")),
                false => Reply::Octets(whole(b"more")),
            }
        });
        let mut load = load(&server);
        (load.requests_per_connection, load.pipeline) = (Some(requests as u64), pipeline);
        let outcome = outcome_when(&load, |progress| progress.answered >= 30);
        assert_eq!(outcome.errors.line(), None, "{why}");
        let closing =
            server.heads().iter().filter(|head| head.contains("Connection: close")).count();
        assert!(
            closing.abs_diff(server.connections()) <= 3,
            "{why}: the last request of each says so"
        );
        assert!(outcome.connections >= outcome.answered / requests as u64, "{why}");
    }
}

#[test]
fn a_server_that_closes_connections_in_time_causes_no_error() {
    let closing = || [b"HTTP/1.1 200 OK\r\nConnection: close\r\n", &whole(b"bye")[17..]].concat();
    let until_close = || b"HTTP/1.1 200 OK\r\n\r\nuntil the end".to_vec();
    for (last, why) in [(closing(), "announced"), (until_close(), "no length")] {
        let server = Server::start(move |_, number| match number {
            3 => Reply::Last(last.clone()),
            _ => Reply::Octets(whole(b"more")),
        });
        let outcome = outcome_when(&load(&server), |progress| progress.answered >= 30);
        assert_eq!(outcome.errors.line(), None, "{why}");
        assert!(outcome.connections > 3, "{why}: new connections are made");
    }
}

#[test]
fn errors_are_told_by_kind() {
    type Case = (&'static str, fn() -> Reply, fn(&Outcome) -> u64);
    let cases: [Case; 6] = [
        ("reset", || Reply::Reset, |outcome| outcome.errors.reset),
        ("closed at once", || Reply::Last(Vec::new()), |outcome| outcome.errors.closed),
        ("cut", || Reply::Last(whole(b"hello")[..20].to_vec()), |outcome| outcome.errors.closed),
        (
            "not HTTP",
            || Reply::Octets(b"220 ready\r\n".to_vec()),
            |outcome| outcome.errors.malformed,
        ),
        (
            "a status",
            || Reply::Octets(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n".to_vec()),
            |outcome| outcome.errors.status,
        ),
        ("silence", || Reply::Silence, |outcome| outcome.errors.timeout),
    ];
    for (why, reply, count) in cases {
        let server = Server::start(move |_, _| reply());
        let mut load = load(&server);
        load.timeout = Duration::from_millis(200);
        let outcome = outcome_when(&load, |progress| progress.errors >= 3);
        assert!(count(&outcome) >= 3, "{why}: {:?}", outcome.errors);
        assert_eq!(count(&outcome), outcome.errors.total(), "{why}: {:?}", outcome.errors);
    }
}

#[test]
fn nobody_there_is_told_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let load = Load::new(address, Targets::One("/".to_owned()));
    let error = run(&load, &AtomicBool::new(false), &mut |_| {}).unwrap_err();
    assert!(matches!(error, BenchError::Unreachable(..)), "{error}");
    assert!(!error.is_misuse());
}

#[test]
fn contents_are_compared_with_those_that_the_origin_has() {
    // Octets of /bytes/32/x: SplitMix64 over FNV-1a of the path.
    let words = |path: &str| -> Vec<u8> {
        let seed = path.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
            (hash ^ u64::from(octet)).wrapping_mul(0x100_0000_01b3)
        });
        let word = |index: u64| {
            let z = seed.wrapping_add((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)).to_le_bytes()
        };
        (0..4).flat_map(word).collect()
    };
    let right = words("/bytes/32/x");
    let (mut flipped, other) = (right.clone(), words("/bytes/32/y"));
    flipped[31] ^= 1;
    for (content, wrong, why) in [
        (right.clone(), false, "the right ones"),
        (flipped, true, "one bit"),
        (other, true, "those of another object"),
        (right[..24].to_vec(), true, "too few"),
        ([&right[..], b"!"].concat(), true, "too many"),
    ] {
        let reply = whole(&content);
        let server = Server::start(move |_, _| Reply::Octets(reply.clone()));
        let mut load = load(&server);
        (load.targets, load.check) = (Targets::One("/bytes/32/x".to_owned()), true);
        let outcome = outcome_when(&load, |progress| progress.answered >= 10);
        let expected = if wrong { outcome.answered } else { 0 };
        assert_eq!(outcome.errors.content, expected, "{why}");
        assert_eq!(outcome.errors.total(), expected, "{why}");
    }
}

#[test]
fn large_contents_are_read_whole_whichever_way() {
    let reply = whole(&vec![7; 3_000_000]);
    let octets = reply.len() as u64;
    let server = Server::start(move |_, _| Reply::Octets(reply.clone()));
    for (rate, why) in [(None, "discarded"), (Some(100_000_000), "in slices")] {
        let mut load = load(&server);
        load.read_rate = rate;
        let outcome = outcome_when(&load, |progress| progress.answered >= 9);
        assert_eq!(outcome.errors.line(), None, "{why}");
        let within = outcome.answered * octets..=(outcome.answered + 3) * octets;
        assert!(within.contains(&outcome.octets), "{why}: {outcome:?}");
    }
}

#[test]
fn unique_targets_are_each_asked_for_once() {
    let server = Server::start(|_, _| Reply::Octets(whole(b"hello")));
    let mut load = load(&server);
    load.targets = Targets::Unique("/a".to_owned());
    let cores = Cores::allowed().unwrap();
    let core = cores.numbers()[0];
    let stop = AtomicBool::new(false);
    let mut enough = |progress: &Progress| stop.store(progress.answered >= 30, Ordering::Relaxed);
    load.duration = Duration::from_secs(600);
    run_on(&[core, core], &load, &stop, &mut enough).unwrap();
    let heads = server.heads();
    let different: HashSet<_> = heads.iter().collect();
    assert!(heads.len() >= 30);
    assert_eq!(different.len(), heads.len(), "from two threads");
}

#[test]
fn held_connections_send_one_request_and_stay() {
    let server = Server::start(|_, _| Reply::Octets(whole(b"hello")));
    let mut load = load(&server);
    (load.hold, load.connections) = (true, 50);
    let ticks = AtomicUsize::new(0);
    let outcome = outcome_when(&load, |progress| {
        // Three looks after all were answered, nothing has changed.
        progress.answered == 50 && progress.open == 50 && ticks.fetch_add(1, Ordering::Relaxed) == 3
    });
    assert_eq!((outcome.answered, outcome.connections, server.connections()), (50, 50, 50));
    assert!(outcome.stopped);
    assert_eq!(outcome.errors.line(), None);
}

#[test]
fn settings_that_make_no_sense_are_misuse() {
    let server = Server::start(|_, _| Reply::Silence);
    for (change, expected) in [
        ((|load| load.connections = 0) as fn(&mut Load), "0 connections; allowed: 1 to 20000"),
        (|load| load.connections = CONNECTIONS_MAX + 1, "20001 connections"),
        (|load| load.pipeline = 0, "0 requests at once; allowed: 1 to 256"),
        (|load| load.rate = Some(0.0), "0 requests/s; allowed: 0.001 to 50000000"),
        (|load| load.duration = Duration::ZERO, "the duration is nothing"),
        (|load| load.timeout = Duration::ZERO, "no time for an answer"),
        (|load| load.read_rate = Some(0), "measures nothing"),
        (|load| load.targets = Targets::List(Vec::new()), "0 targets"),
        (|load| load.fields = vec!["x".to_owned()], "\"x\" is not a field; allowed: NAME: VALUE"),
        (|load| load.host = Some("a\r\nb".to_owned()), "a host of 4 octets"),
    ] {
        let mut load = load(&server);
        change(&mut load);
        let error = run(&load, &AtomicBool::new(false), &mut |_| {}).unwrap_err();
        assert!(error.is_misuse() && error.to_string().contains(expected), "{error}");
    }
    assert_eq!(server.connections(), 0, "nothing was asked");
}
