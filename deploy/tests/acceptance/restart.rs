//! Upstreams that go away and come back, and edges that are told to end.

use crate::client::{Client, Ended, PATIENCE, get, request};
use crate::process::{Started, lastmile};
use crate::world::{World, start_edge, synthetic, until};
use lastmile_origin::{Config, Source};
use nix::sys::signal::Signal;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Connections of clients: enough for every core to have some, and so connections of its own to the origin.
const CLIENTS: usize = 16;

/// Between two misses the origin restarts: nobody sees an error from a connection that it has closed.
#[test]
fn a_restart_of_the_origin_between_two_misses() {
    for io in ["auto", "epoll"] {
        let mut world = World::with(&["--io", io]);
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::connect(&world.address)).collect();
        for round in 0..3 {
            for (number, client) in clients.iter_mut().enumerate() {
                let method = ["GET", "GET", "HEAD", "POST"][number % 4];
                let target = format!("/bytes/1000/{number}?n={round}");
                let fields = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
                let response = client.ask(method, &target, fields);
                assert_eq!(
                    (response.status, response.ended),
                    (200, Ended::Whole),
                    "{io}: {target}"
                );
            }
            world.stop_origin();
            world.start_origin();
        }
    }
}

/// Many requests run while the origin restarts: those that begin afterwards all succeed.
#[test]
fn a_restart_of_the_origin_under_load() {
    let mut world = World::new();
    let (restarted, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let address = world.address.clone();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (restarted, done, address) = (&restarted, &done, &address);
            scope.spawn(move || {
                let mut number = 0;
                let mut connection = Client::connect(address);
                while !done.load(Ordering::Relaxed) {
                    let begun_afterwards = restarted.load(Ordering::SeqCst);
                    let target = format!("/bytes/20K/{client}?n={number}");
                    number += 1;
                    let response = connection.get(&target);
                    let whole = response.status == 200 && response.ended == Ended::Whole;
                    assert!(whole || !begun_afterwards, "{target}: {response:?}");
                    if response.ended != Ended::Whole {
                        connection = Client::connect(address);
                    } else if response.status == 200 {
                        assert!(response.content == synthetic(&target, 20_000), "{target}");
                    }
                }
            });
        }
        // Wait for every client to be at work, before and after.
        let busy = |world: &World, count| {
            let entries = world.origin().journal().wait_for(count, PATIENCE);
            assert!(entries.len() >= count.min(100), "{}", entries.len());
        };
        busy(&world, 200);
        world.stop_origin();
        world.start_origin();
        restarted.store(true, Ordering::SeqCst);
        busy(&world, 400);
        done.store(true, Ordering::Relaxed);
    });
}

/// The origin closes connections that are idle: the next miss finds a fresh one.
#[test]
fn an_origin_that_closes_idle_connections() {
    let listen = "127.0.0.1:0".parse().unwrap();
    let mut config = Config::new(listen, Source::Synthetic);
    config.idle_timeout = Duration::from_millis(100);
    let origin = lastmile_origin::start(config).unwrap();
    let (_edge, address) = start_edge(&format!("http://{}", origin.address()), &[]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::connect(&address)).collect();
    for round in 0..4 {
        for (number, client) in clients.iter_mut().enumerate() {
            let target = format!("/bytes/1000/{number}?n={round}");
            // GET only: what is no longer idempotent may be lost at the very moment of the close.
            assert_eq!(client.get(&target).status, 200, "{target}");
        }
        // Around the moment at which the connections are closed, a little earlier or later each time.
        thread::sleep(Duration::from_millis(98 + round));
    }
    origin.stop(Duration::ZERO);
}

/// Listeners share their address among the cores of one edge, not with another edge.
#[test]
fn a_second_edge_at_the_same_address_is_refused() {
    let world = World::new();
    let upstream = format!("http://{}", world.origin_address);
    let arguments = ["edge", "--upstream", &upstream, "--listen", &world.address];
    let output = lastmile(&arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(&world.address) && said.contains("in use"), "{said}");
}

/// An edge that has ended leaves its address to the next, connections of clients or not.
#[test]
fn an_edge_can_be_restarted_at_once() {
    let World { edge, address, origin_address, .. } = &mut World::new();
    let mut client = Client::connect(address);
    client.get("/bytes/1/kept");
    edge.signal(Signal::SIGTERM);
    client.assert_closed("it ends");
    let arguments = ["--listen", address.as_str()];
    let upstream = format!("http://{origin_address}");
    let command = [&["edge", "--upstream", &upstream], &arguments[..]].concat();
    let started = until("the address is free again", || {
        let (started, line) = Started::new(&command);
        line.starts_with("edge listens on ").then_some(started)
    });
    assert_eq!(get(address, "/bytes/1/kept").status, 200);
    drop(started);
}

/// TERM: a download under way ends whole, nobody new is served, and the status is 0.
#[test]
fn an_edge_that_is_told_to_end_ends_what_it_has_begun() {
    for io in ["auto", "epoll"] {
        let world = World::with(&["--io", io, "--drain", "20s"]);
        let target = "/bytes/500K/last?rate=500K&max-age=60";
        let mut idle = Client::connect(&world.address);
        idle.get("/bytes/1/idle");
        let mut client = Client::connect(&world.address);
        client.send(request("GET", target, "").as_bytes());
        let head = client.receive_head();
        assert_eq!(head.status(), 200, "{io}");
        world.edge.signal(Signal::SIGTERM);
        until("new connections are refused", || TcpStream::connect(&world.address).err());
        let (content, ended) = client.receive_content("GET", &head);
        assert_eq!(ended, Ended::Whole, "{io}");
        assert!(content == synthetic(target, 500_000), "{io}: other octets");
        idle.assert_closed("an idle connection ends");
        let World { edge, .. } = world;
        assert_eq!(edge.end().0.code(), Some(0), "{io}");
    }
}

/// What does not end within the drain time is cut, and its client notices.
#[test]
fn an_edge_ends_within_its_drain_time() {
    let world = World::with(&["--drain", "500ms"]);
    let mut client = Client::connect(&world.address);
    client.send(request("GET", "/bytes/100M?rate=100K&max-age=60", "").as_bytes());
    let head = client.receive_head();
    let start = Instant::now();
    world.edge.signal(Signal::SIGTERM);
    let (_, ended) = client.receive_content("GET", &head);
    assert_ne!(ended, Ended::Whole);
    let World { edge, origin_address, origin: _origin, .. } = world;
    assert_eq!(edge.end().0.code(), Some(0));
    assert!(start.elapsed() < PATIENCE, "it waited for the download");
    assert_eq!(get(&origin_address.to_string(), "/bytes/1").status, 200, "the origin goes on");
}
