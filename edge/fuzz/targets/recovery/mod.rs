//! A start on a disk whose octets are not what was written, and the requests after it.
//!
//! What the layout is, is taken from `docs/ssd-format.md`; no code of the edge is used for it.

use crate::connection::message::{End, response};
use crate::lone::Lone;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::OnceLock;
use tempfile::NamedTempFile;

/// The smallest tier.
const SSD_OCTETS: u64 = (1 << 20) + 8 * (4 << 20);
const RAM_OCTETS: u64 = 64 << 20;
const SEGMENTS_START: usize = 1 << 20;
const BLOCK: usize = 4096;
const UNIT: usize = 64;

/// Of which size each is.
const TARGETS: [(&str, usize); 6] = [
    ("/empty", 0),
    ("/small", 100),
    ("/page", 5000),
    ("/other", 900),
    ("/large", 150_000),
    ("/long", 1_200_000),
];

/// An octet of choices, then changes: where (three octets), how many octets, the octets.
pub fn run(octets: &[u8]) {
    let (choices, mut rest) = octets.split_first().unwrap_or((&0, &[]));
    let is_sealed = choices & 1 != 0;
    let mut disk = written().clone();
    while let Some((change, behind)) = rest.split_at_checked(4) {
        // The two superblocks, then the first segment.
        let at = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize % disk.len();
        let length = usize::from(change[3]).min(behind.len()).min(disk.len() - at);
        disk[at..at + length].copy_from_slice(&behind[..length]);
        rest = &behind[usize::from(change[3]).min(behind.len())..];
    }
    if is_sealed {
        seal(&mut disk);
    }
    let file = new_file();
    put(file.as_file(), &disk);
    let lone = Lone::new(u64::from(choices >> 1));
    lone.answer_with(|target| content(target, true));
    let edge = lone.start(file.path(), SSD_OCTETS, RAM_OCTETS);
    lone.world.run();
    let got = lone.ask(&TARGETS.map(|(target, _)| target));
    lone.world.run();
    let got: Vec<u8> = got.borrow().iter().flat_map(|(_, octets)| octets.clone()).collect();
    // A store that goes with something in it leaves its memory behind.
    let _got = lone.delete(&TARGETS.map(|(target, _)| target));
    lone.end(edge);
    // Who can compute checksums may have written anything: it must only do no harm.
    if !is_sealed {
        check(&got, disk == *written());
    }
}

/// Each response has the octets that were stored, or those that the upstream has now; the latter not if all is there.
fn check(mut got: &[u8], is_untouched: bool) {
    for (target, _) in TARGETS {
        let (stored, fetched) = (content(target, false), content(target, true));
        let message = response(got, b"GET").expect("a response");
        assert_eq!(message.words[1], b"200", "{target}");
        let End::At(length) = message.end else { panic!("{target}: cut short") };
        let is_fetched = message.content == fetched && !is_untouched;
        assert!(message.content == stored || is_fetched, "{target}: wrong octets");
        got = &got[length..];
    }
    assert_eq!(got, b"");
}

/// What was stored under a target, or what the upstream has there later.
fn content(target: &str, is_later: bool) -> Vec<u8> {
    let length =
        TARGETS.iter().find(|(known, _)| *known == target).map_or(3, |(_, length)| *length);
    let first = target.len() as u8 ^ if is_later { 0x80 } else { 0 };
    (0..length).map(|at| first ^ (at % 251) as u8).collect()
}

/// The superblocks and what an edge has written behind them.
fn written() -> &'static Vec<u8> {
    static WRITTEN: OnceLock<Vec<u8>> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        let file = new_file();
        let lone = Lone::new(1);
        lone.answer_with(|target| content(target, false));
        let edge = lone.start(file.path(), SSD_OCTETS, RAM_OCTETS);
        let _got = lone.ask(&TARGETS.map(|(target, _)| target));
        lone.world.run();
        lone.end(edge);
        take(file.as_file())
    })
}

fn new_file() -> NamedTempFile {
    NamedTempFile::new_in("/dev/shm").or_else(|_| NamedTempFile::new()).expect("a file")
}

/// Two blocks, and those of the segments up to the last one that is not empty.
fn take(mut file: &File) -> Vec<u8> {
    let mut all = Vec::new();
    file.rewind().expect("a file");
    file.read_to_end(&mut all).expect("a file");
    let last = all.iter().rposition(|octet| *octet != 0).expect("something was written");
    assert!(last > SEGMENTS_START, "a batch was written");
    let mut taken = all[..2 * BLOCK].to_vec();
    taken.extend(&all[SEGMENTS_START..(last + 1).next_multiple_of(BLOCK)]);
    taken
}

fn put(mut file: &File, disk: &[u8]) {
    file.set_len(SSD_OCTETS).expect("room");
    file.write_all(&disk[..2 * BLOCK]).expect("room");
    file.seek(SeekFrom::Start(SEGMENTS_START as u64)).expect("a file");
    file.write_all(&disk[2 * BLOCK..]).expect("room");
}

/// Makes the checksums of superblocks, summaries and records right for what is there.
fn seal(disk: &mut [u8]) {
    for block in disk[..2 * BLOCK].chunks_mut(BLOCK) {
        put_sum(block, 12, 16, 32);
    }
    let segment = &mut disk[2 * BLOCK..];
    for at in (0..segment.len()).step_by(UNIT) {
        let part = &mut segment[at..];
        if part.starts_with(b"LMR1") {
            let [key, extents, selection, head, withheld] =
                [12, 14, 24, 26, 28].map(|at| number(part, at, 2));
            let octets = 24 + 104 + key + selection + head + withheld + 24 * extents;
            put_sum(part, 4, 8, octets - 8);
        }
        if at % BLOCK == 0 && part.starts_with(b"LMB1") {
            let octets = 32 + 32 * number(part, 24, 4);
            put_sum(part, 4, 8, octets - 8);
        }
    }
}

fn number(octets: &[u8], at: usize, length: usize) -> usize {
    let octets = octets.get(at..at + length).unwrap_or_default();
    octets.iter().rev().fold(0, |number, octet| number << 8 | usize::from(*octet))
}

/// Writes the sum of `length` octets from `from` on to `at`.
fn put_sum(octets: &mut [u8], at: usize, from: usize, length: usize) {
    let Some(covered) = octets.get(from..from.saturating_add(length)) else { return };
    let sum = crc32fast::hash(covered).to_le_bytes();
    octets[at..at + 4].copy_from_slice(&sum);
}
