//! A million packets that nobody should send, with what must hold for every answer; then some of them
//! over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test: a panic is how it fails"
)]
#![allow(missing_docs, unreachable_pub, reason = "a program of its own")]

#[path = "../../edge/fuzz/targets/gslb/invariants.rs"]
mod invariants;
#[path = "../../edge/fuzz/targets/gslb/reading.rs"]
mod reading;
#[path = "../../edge/fuzz/targets/gslb/world.rs"]
mod world;

mod damage;

use damage::Packets;
use invariants::{Asked, Room, check, check_twice};
use lastmile_gslb::{Offline, Transport, start};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream, UdpSocket};
use std::time::Duration;

const PEERS: [[u8; 4]; 3] = [[192, 0, 2, 7], [10, 2, 0, 1], [203, 0, 113, 9]];
/// One in so many is looked at from all sides.
const TWICE: usize = 4;

#[test]
fn a_million_packets() {
    let mut worlds = [world::offline(false), world::offline(true)];
    let mut packets = Packets::new(20_261_130);
    let mut room = Room::new();
    let mut codes = BTreeMap::new();
    for number in 0..1_000_000 {
        let world = &mut worlds[number / 8 % 2];
        let transport = match number % 10 {
            0 | 5 => Transport::Tcp,
            7 => Transport::Https,
            _ => Transport::Udp,
        };
        let peer = IpAddr::from(PEERS[number % PEERS.len()]);
        let message = packets.next();
        let asked = Asked { message, peer, transport, random: number as u64 };
        let answer = if number % TWICE == 0 {
            check_twice(world, asked, &mut room)
        } else {
            check(world, asked, &mut room)
        };
        *codes.entry(answer.get(3).map(|octet| octet & 15)).or_insert(0) += 1;
    }
    println!("codes: {codes:?}");
    let reached = counts(&worlds);
    for (name, count) in &reached {
        println!("{count:>9} {name}");
    }
    let mut missing: Vec<_> = reached.iter().filter(|(_, count)| **count == 0).collect();
    // No edge is down here, and nobody is refused for who he is.
    missing.retain(|(name, _)| !NOT_REACHED.iter().any(|part| name.contains(part)));
    assert!(missing.is_empty(), "never reached: {missing:?}");
}

/// What is not to be had here: edges that are down or full, secondaries, lists of resolvers, measured times, modes,
/// cookies of ours, limits, and what sockets count.
const NOT_REACHED: &[&str] = &[
    "steered_down",
    "servfail",
    "port_zero",
    "udp_errors",
    "tcp_",
    "transfers",
    "steered_listed",
    "steered_fixed",
    "steered_measured",
    "steered_shed",
    "steered_full",
    "cookies_good",
    "limited",
];

fn counts(worlds: &[Offline]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (name, _, value) in worlds.iter().flat_map(Offline::samples) {
        *counts.entry(name.into_owned()).or_insert(0) += value;
    }
    counts
}

#[test]
fn a_running_server_outlives_them() {
    const PACKETS: usize = 40_000;
    /// As many as the smallest buffer of a socket takes.
    const WINDOW: usize = 32;
    let mut offline = world::offline(false);
    let server = start(world::zones()).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.connect(server.address()).unwrap();
    let mut packets = Packets::new(7);
    let mut room = Room::new();
    let mut received = [0; 4096];
    let last = b"\xff\xff\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04last\x00\x00\x06\x00\x01";
    let (mut sent, mut answered) = (0, 0);
    while sent < PACKETS {
        let mut expected = Vec::new();
        for _ in 0..WINDOW {
            let message = packets.next();
            socket.send(message).unwrap();
            sent += 1;
            let peer = IpAddr::from([127, 0, 0, 1]);
            let asked = Asked { message, peer, transport: Transport::Udp, random: 0 };
            let answer = check(&mut offline, asked, &mut room);
            if !answer.is_empty() {
                expected.push(answer.to_vec());
            }
        }
        socket.send(last).unwrap();
        sent += 1;
        for answer in expected {
            let octets = socket.recv(&mut received).unwrap();
            // A cookie has the time in it.
            if has_cookie(&answer) {
                assert_eq!((octets, &received[..12]), (answer.len(), &answer[..12]));
            } else {
                assert_eq!(received[..octets], answer, "as without sockets, and in this order");
            }
            answered += 1;
        }
        let octets = socket.recv(&mut received).unwrap();
        assert_eq!((octets, received[3] & 15), (last.len(), 5), "it still answers");
        answered += 1;
    }
    let samples = server.samples();
    let sum = |part: &str| -> u64 {
        let named = samples.iter().filter(|sample| sample.0.contains(part));
        // Those with labels count the same once more.
        named.filter(|sample| !sample.0.contains('{')).map(|sample| sample.2).sum()
    };
    let (truncated, silent) = (sum("_truncated_"), sum("_dropped_"));
    assert_eq!(sum("_queries_udp_"), sent as u64);
    assert_eq!(sum("_answers_") - truncated, answered, "each answer has one reason");
    assert_eq!(answered + silent, sent as u64, "and whatever has none was dropped");
    assert_eq!(sum("_errors_"), 0);
    println!("{sent} packets, {answered} answers, {truncated} truncated, {silent} dropped");
    server.stop(Duration::from_secs(1));
}

#[test]
fn and_over_tcp() {
    const PACKETS: usize = 2000;
    let mut offline = world::offline(false);
    let server = start(world::zones()).unwrap();
    let mut packets = Packets::new(11);
    let mut room = Room::new();
    let (mut answered, mut silent) = (0, 0);
    for _ in 0..PACKETS {
        let message = packets.next();
        let peer = IpAddr::from([127, 0, 0, 1]);
        let asked = Asked { message, peer, transport: Transport::Tcp, random: 0 };
        let answer = check(&mut offline, asked, &mut room);
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let framed = [&(message.len() as u16).to_be_bytes()[..], message].concat();
        stream.write_all(&framed).unwrap();
        // A server that has closed already may answer this with a reset.
        let _ = stream.shutdown(Shutdown::Write);
        let mut received = Vec::new();
        let _ = stream.read_to_end(&mut received);
        if answer.is_empty() {
            assert_eq!(received, b"", "closed");
            silent += 1;
        } else {
            let has_time = has_cookie(answer) || received.len() != 2 + answer.len();
            assert!(has_time || received[2..] == *answer, "as without sockets");
            assert_eq!(received[2..14], answer[..12], "with the same counts");
            answered += 1;
        }
    }
    let samples = server.samples();
    let value = |name| samples.iter().find(|sample| sample.0 == name).unwrap().2;
    assert_eq!(value("lastmile_gslb_queries_tcp_total"), answered + silent);
    assert_eq!(value("lastmile_gslb_dropped_not_query_total"), silent);
    assert_eq!(value("lastmile_gslb_tcp_errors_total"), silent, "closed for it");
    server.stop(Duration::from_secs(1));
}

/// Whether it carries a cookie, or what may be one.
fn has_cookie(answer: &[u8]) -> bool {
    answer.windows(4).any(|octets| octets == [0, 10, 0, 24])
}
