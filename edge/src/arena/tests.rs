//! The arena against the kernel: what is free when, and what happens when there is nothing left.

use super::*;
use crate::extent::{Extent, taken_octets};
use crate::ram::RamTier;
use crate::stored::StoredResponse;
use std::os::unix::fs::MetadataExt;

const MIB: usize = 1 << 20;

/// Arenas of all kinds that this machine allows; a tmpfs takes the right to mount one.
fn arenas() -> Vec<(Arena, &'static str)> {
    let choices = [(ArenaChoice::Memfd, "memfd"), (ArenaChoice::Auto, "tmpfs, or memfd")];
    choices.map(|(choice, name)| (Arena::new(Arc::new(Pages::new(choice)), 1), name)).into()
}

fn ram() -> RamTier<StoredResponse> {
    RamTier::new(64 << 20)
}

fn octets(seed: u8, count: usize) -> Bytes {
    (0..count).map(|index| seed ^ (index as u8) ^ (index >> 8) as u8).collect::<Vec<u8>>().into()
}

/// Octets of memory in the arena's file.
fn used(arena: &Arena) -> u64 {
    arena.file.as_ref().unwrap().metadata().unwrap().blocks() * 512
}

#[test]
fn what_is_written_is_there_and_takes_its_pages_until_the_last_piece_goes() {
    let ram = ram();
    for (arena, name) in arenas() {
        let mut room = ram.reserve(0).unwrap();
        let sizes = [1, 4096, 4097, 65_536, 100_000, 1_000_000, 2 * MIB - 1, 2 * MIB];
        for (seed, size) in (0u8..).zip(sizes) {
            let before = (used(&arena), ram.octets());
            let written = octets(seed, size);
            let piece = arena.write(std::slice::from_ref(&written), &mut room).unwrap();
            assert!(piece.read().unwrap() == written, "{name}, {size}");
            let pages = (size as u64).next_multiple_of(4096);
            assert_eq!(used(&arena) - before.0, pages, "{name}, {size}: no more than its pages");
            assert_eq!(ram.octets() - before.1, taken_octets(size), "{name}, {size}");
            let part = piece.slice(size / 2..size);
            drop(piece);
            assert!(part.read().unwrap() == written[size / 2..], "{name}, {size}");
            assert_eq!(used(&arena) - before.0, pages, "{name}, {size}: a part keeps the whole");
            drop(part);
            assert_eq!((used(&arena), ram.octets()), before, "{name}, {size}: all is free");
        }
    }
}

#[test]
fn many_parts_become_one_extent() {
    let ram = ram();
    for (arena, name) in arenas() {
        let mut room = ram.reserve(0).unwrap();
        let parts: Vec<Bytes> = (0..1_500).map(|n| octets(n as u8, n % 700)).collect();
        let piece = arena.write(&parts, &mut room).unwrap();
        assert!(piece.read().unwrap() == parts.concat(), "{name}");
    }
}

#[test]
fn pieces_are_cut_like_octets() {
    let ram = ram();
    let (arena, _) = arenas().remove(0);
    let mut room = ram.reserve(0).unwrap();
    let whole = octets(9, 10_000);
    let in_room = Extent::in_room(whole.clone(), ram.reserve(1).unwrap());
    let in_file = arena.write(std::slice::from_ref(&whole), &mut room).unwrap();
    for piece in [Piece::from(whole.clone()), in_room.into(), in_file] {
        for (from, to) in [(0, 10_000), (0, 0), (10_000, 10_000), (1, 9_999), (4_000, 8_500)] {
            let slice = piece.slice(from..to);
            assert_eq!((slice.len(), slice.is_empty()), (to - from, to == from));
            let again = slice.slice(slice.len() / 3..slice.len());
            assert!(again.read().unwrap() == whole[from + (to - from) / 3..to]);
            let mut rest = slice.clone();
            rest.advance(slice.len() / 2);
            assert!(rest.read().unwrap() == whole[from + (to - from) / 2..to]);
            if let Some(octets) = slice.in_memory() {
                assert_eq!(octets, &whole[from..to]);
            }
            let mut small = slice.clone();
            small.shrink().unwrap();
            assert!(small.read().unwrap() == whole[from..to]);
            let is_copied = small.reserved_octets() == 0;
            assert_eq!(is_copied, piece.reserved_octets() == 0 || to - from < 5_000);
        }
    }
}

#[test]
fn a_full_arena_writes_nothing_and_says_so_once() {
    let Ok(pages) = Pages::bounded(3 * MIB as u64) else {
        println!("skipped: a tmpfs may not be mounted here");
        return;
    };
    let pages = Arc::new(pages);
    let (ram, arena) = (ram(), Arena::new(Arc::clone(&pages), 1));
    let mut room = ram.reserve(0).unwrap();
    let before = ram.octets();
    let large = octets(1, 2 * MIB);
    let first = arena.write(std::slice::from_ref(&large), &mut room).unwrap();
    for _ in 0..3 {
        // Its first half fits.
        assert!(arena.write(std::slice::from_ref(&large), &mut room).is_none());
        assert_eq!(used(&arena), 2 * MIB as u64, "what was written of it is free");
        assert_eq!(ram.octets() - before, first.reserved_octets());
    }
    assert_eq!(pages.errors(), 3);
    assert!(first.read().unwrap() == large);
    let small = arena.write(&[octets(2, MIB)], &mut room).unwrap();
    assert!(small.read().unwrap() == octets(2, MIB));
    drop(first);
    assert!(arena.write(std::slice::from_ref(&large), &mut room).is_some());
}

#[test]
fn an_arena_ends_where_files_may_not_grow_beyond() {
    let ram = ram();
    let (mut arena, _) = arenas().remove(0);
    arena.end_offset = 4 * MIB as u64 + 1000;
    let mut room = ram.reserve(0).unwrap();
    for (size, expected) in [(10, true), (10, true), (1001, false), (1000, true), (1, false)] {
        assert_eq!(arena.write(&[octets(3, size)], &mut room).is_some(), expected, "{size}");
    }
    assert_eq!(arena.pages.errors(), 2);
}

#[test]
fn without_room_nothing_is_written() {
    let ram = ram();
    let (arena, _) = arenas().remove(0);
    let mut room = ram.reserve(0).unwrap();
    let rest = ram.reserve(ram.capacity() - ram.octets() - 5_000).unwrap();
    assert!(arena.write(&[octets(4, 5_000)], &mut room).is_none());
    assert_eq!((used(&arena), arena.pages.errors()), (0, 0));
    drop(rest);
    assert!(arena.write(&[octets(4, 5_000)], &mut room).is_some());
}
