//! A disk behind one edge: a long content is sent while it is read, also to those who ask for it meanwhile, and kept; and
//! a small disk is written over and over while it fails.

#![allow(clippy::unwrap_used, reason = "a test: a panic is its way to fail")]
#![allow(missing_docs, unreachable_pub, reason = "a program of its own")]

#[path = "sim/disk.rs"]
#[allow(dead_code, reason = "the simulation has uses for the rest")]
mod disk;
#[path = "sim/lone.rs"]
#[allow(dead_code, reason = "other tests have uses for the rest")]
mod lone;
#[path = "sim/net.rs"]
#[allow(dead_code, reason = "the simulation has uses for the rest")]
mod net;
#[path = "sim/world.rs"]
#[allow(dead_code, reason = "the simulation has uses for the rest")]
mod world;

use disk::DiskFaults;
use lastmile_edge::worker::Shared;
use lone::{Got, Lone};
use std::path::Path;
use std::sync::Arc;

const SSD_OCTETS: u64 = 256 << 20;
const RAM_OCTETS: u64 = 64 << 20;
const LONG_OCTETS: usize = 12 << 20;
const PAGE_OCTETS: usize = 400_000;
const SLOW: DiskFaults = DiskFaults { fails: 0, tears: 0, flips: 0, delay_ms_max: 1000 };

fn content(target: &str) -> Vec<u8> {
    let length = if target.starts_with("/long") { LONG_OCTETS } else { PAGE_OCTETS };
    let salt = target.bytes().fold(0_u8, |salt, octet| salt.wrapping_mul(31).wrapping_add(octet));
    (0..length).map(|at| (at % 251) as u8 ^ salt).collect()
}

/// What was got after the first head, when its first octet came, and when its last did.
fn received(got: &Got) -> (String, Vec<u8>, u64, u64) {
    let got = got.borrow();
    let octets: Vec<u8> = got.iter().flat_map(|(_, octets)| octets.clone()).collect();
    let end = octets.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let mut seen = 0;
    let first = got.iter().find(|(_, octets)| {
        seen += octets.len();
        seen > end
    });
    let head = String::from_utf8(octets[..end].to_vec()).unwrap();
    (head, octets[end..].to_vec(), first.unwrap().0, got.last().unwrap().0)
}

fn sample(edge: &Shared, name: &str) -> u64 {
    edge.samples().iter().find(|row| row.0 == name).unwrap().2
}

/// A disk with the long content on it.
fn write(disk: &Path) {
    let lone = Lone::new(1);
    lone.answer_with(content);
    let edge = lone.start(disk, SSD_OCTETS, RAM_OCTETS);
    let got = lone.ask(&["/long"]);
    lone.world.run();
    assert!(received(&got).1 == content("/long"));
    lone.end(edge);
}

/// Starts again without an upstream, and waits until what is on the disk is known.
fn restart(disk: &Path, seed: u64) -> (Lone, Arc<Shared>) {
    let lone = Lone::new(seed);
    let edge = lone.start(disk, SSD_OCTETS, RAM_OCTETS);
    lone.world.run();
    (lone, edge)
}

#[test]
fn it_is_sent_while_it_is_read_to_all_who_ask_and_kept() {
    let file = tempfile::NamedTempFile::new().unwrap();
    write(file.path());
    let (lone, edge) = restart(file.path(), 2);
    lone.disk.set_faults(SLOW);
    let both = [lone.ask(&["/long"]), lone.ask(&["/long"])];
    lone.world.run();
    for got in &both {
        let (head, octets, first_ms, last_ms) = received(got);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("Cache-Status: edge; hit; ttl="), "{head}");
        assert!(octets == content("/long"), "wrong octets");
        // The first of twelve reads, and the last, each up to a second.
        assert!(last_ms - first_ms > 1000, "from {first_ms} to {last_ms} ms");
    }
    assert_eq!(sample(&edge, "hits_total"), 2);
    let read = sample(&edge, "ssd_read_octets_total");
    // In RAM now.
    lone.disk.set_faults(DiskFaults { fails: 1000, ..SLOW });
    let again = lone.ask(&["/long"]);
    lone.world.run();
    assert!(received(&again).1 == content("/long"));
    assert_eq!(sample(&edge, "ssd_read_octets_total"), read);
    lone.disk.set_faults(DiskFaults::default());
    lone.end(edge);
}

#[test]
fn of_one_that_is_damaged_nothing_wrong_is_sent_and_it_is_fetched_again() {
    let file = tempfile::NamedTempFile::new().unwrap();
    write(file.path());
    for seed in 3..23 {
        let (lone, edge) = restart(file.path(), seed);
        lone.answer_with(content);
        lone.disk.set_faults(DiskFaults { flips: 100, ..SLOW });
        let got = lone.ask(&["/long"]);
        lone.world.run();
        let (_, octets, ..) = received(&got);
        assert!(content("/long").starts_with(&octets), "wrong octets");
        lone.disk.set_faults(DiskFaults::default());
        let again = lone.ask(&["/long"]);
        lone.world.run();
        assert!(received(&again).1 == content("/long"), "it can be had again");
        lone.end(edge);
    }
}

#[test]
fn a_client_that_leaves_does_not_end_the_reading() {
    let file = tempfile::NamedTempFile::new().unwrap();
    write(file.path());
    let (lone, edge) = restart(file.path(), 4);
    lone.disk.set_faults(SLOW);
    let _left = lone.ask_until(&["/long"], 100_000);
    lone.world.run();
    lone.disk.set_faults(DiskFaults { fails: 1000, ..SLOW });
    let again = lone.ask(&["/long"]);
    lone.world.run();
    assert!(received(&again).1 == content("/long"), "all of it is in RAM");
    lone.disk.set_faults(DiskFaults::default());
    lone.end(edge);
}

/// The contents of several responses on one connection, which all have this length.
fn pages(got: &Got) -> Vec<Vec<u8>> {
    let octets: Vec<u8> = got.borrow().iter().flat_map(|(_, octets)| octets.clone()).collect();
    let (mut rest, mut pages) = (&octets[..], Vec::new());
    while let Some(end) = rest.windows(4).position(|window| window == b"\r\n\r\n") {
        assert!(rest.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", rest[..end].escape_ascii());
        let content = &rest[end + 4..];
        pages.push(content[..PAGE_OCTETS.min(content.len())].to_vec());
        rest = &content[PAGE_OCTETS.min(content.len())..];
    }
    pages
}

#[test]
fn what_is_written_over_and_over_while_the_disk_fails_is_never_wrong() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let targets: Vec<_> = (0..120).map(|number| format!("/page-{number}")).collect();
    let faults = DiskFaults { fails: 20, tears: 100, flips: 20, delay_ms_max: 30 };
    let (mut errors, mut evicted, mut hits) = (0, 0, 0);
    for seed in 30..33 {
        let lone = Lone::new(seed);
        lone.answer_with(content);
        // Less than half of it fits.
        let edge = lone.start(file.path(), 33 << 20, 8 << 20);
        lone.world.run();
        for turn in 0..3 {
            lone.disk.set_faults(if turn < 2 { faults } else { DiskFaults::default() });
            for some in targets.chunks(8) {
                let asked: Vec<_> = some.iter().map(String::as_str).collect();
                let got = lone.ask(&asked);
                lone.world.run();
                let pages = pages(&got);
                assert_eq!(pages.len(), some.len(), "all are answered");
                let is_right = |(page, target): (&Vec<u8>, &String)| *page == content(target);
                assert!(pages.iter().zip(some).all(is_right), "wrong octets");
            }
        }
        errors += sample(&edge, "ssd_errors_total");
        evicted += sample(&edge, "ssd_evicted_total");
        hits += sample(&edge, "ssd_hits_total");
        lone.end(edge);
    }
    assert!(errors > 0 && evicted > 120 && hits > 0, "{errors} {evicted} {hits}");
}
