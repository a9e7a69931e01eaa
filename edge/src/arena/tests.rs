//! The arena against the kernel: what is free when, and what happens when there is nothing left.

use super::*;
use crate::extent::{Extent, taken_octets};
use crate::ram::RamTier;
use crate::stored::Description;
use std::os::unix::fs::MetadataExt;

const MIB: usize = 1 << 20;

/// Arenas of all kinds that this machine allows; a tmpfs takes the right to mount one.
fn arenas() -> Vec<(Rc<Arena>, &'static str)> {
    let choices = [(ArenaChoice::Memfd, "memfd"), (ArenaChoice::Auto, "tmpfs, or memfd")];
    choices.map(|(choice, name)| (Arena::new(Arc::new(Pages::new(choice)), 1), name)).into()
}

fn ram() -> RamTier<Description> {
    RamTier::new(64 << 20)
}

fn octets(seed: u8, count: usize) -> Bytes {
    (0..count).map(|index| seed ^ (index as u8) ^ (index >> 8) as u8).collect::<Vec<u8>>().into()
}

/// Octets of memory in the arena's files.
fn used(arena: &Arena) -> u64 {
    let lanes = arena.lanes.borrow();
    lanes.iter().map(|lane| lane.file.metadata().unwrap().blocks() * 512).sum()
}

/// One content that fits into a slot.
fn write(arena: &Rc<Arena>, parts: &[Bytes], room: &mut Reservation) -> Option<Piece> {
    let mut pieces = arena.writer().append(parts, room)?;
    assert_eq!(pieces.len(), 1);
    pieces.pop()
}

fn read(pieces: &[Piece]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| piece.read().unwrap()).collect()
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
            let piece = write(&arena, std::slice::from_ref(&written), &mut room).unwrap();
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
        let piece = write(&arena, &parts, &mut room).unwrap();
        assert!(piece.read().unwrap() == parts.concat(), "{name}");
    }
}

#[test]
fn contents_that_arrive_at_the_same_time_are_written_apart() {
    let ram = ram();
    for (arena, name) in arenas() {
        let mut room = ram.reserve(0).unwrap();
        let before = ram.octets();
        // Three to a lane.
        let count = 3 * LANES_MAX;
        let mut writers: Vec<Writer> = (0..count).map(|_| arena.writer()).collect();
        let mut contents: Vec<(Vec<u8>, Vec<Piece>)> = vec![Default::default(); count];
        for round in 0..4 {
            for (number, writer) in writers.iter_mut().enumerate() {
                // Some never stop, some stop after a part.
                if round > 0 && number % 3 == 0 {
                    continue;
                }
                let part = octets((round * 50 + number) as u8, 20_000 + 7_001 * round);
                let pieces = writer.append(std::slice::from_ref(&part), &mut room).unwrap();
                contents[number].0.extend_from_slice(&part);
                contents[number].1.extend(pieces);
            }
        }
        assert_eq!(arena.lanes.borrow().len(), LANES_MAX, "{name}");
        for (octets, pieces) in &contents {
            assert!(read(pieces) == *octets, "{name}");
        }
        while let Some((octets, pieces)) = contents.pop() {
            assert!(read(&pieces) == octets, "{name}: what others have let go of is not this");
        }
        assert!(used(&arena) > 0, "{name}: the writers hold the slots that they write to");
        drop(writers);
        assert_eq!((used(&arena), ram.octets()), (0, before), "{name}");
    }
}

#[test]
fn a_content_goes_on_where_it_ended() {
    let ram = ram();
    for (arena, name) in arenas() {
        let mut room = ram.reserve(0).unwrap();
        let before = ram.octets();
        let mut writer = arena.writer();
        let (mut all, mut pieces) = (Vec::new(), Vec::<Piece>::new());
        for number in 0..70 {
            let part = octets(number, 131_000 - 1_000 * usize::from(number));
            all.extend_from_slice(&part);
            for piece in writer.append(&[part.slice(..100), part.slice(100..)], &mut room).unwrap()
            {
                if !pieces.last_mut().is_some_and(|last| last.try_join(&piece)) {
                    pieces.push(piece);
                }
            }
            let whole = all.len() / (2 * MIB);
            assert_eq!(pieces.len(), whole + 1, "{name}: a piece for each slot");
            assert_eq!(used(&arena), (all.len() as u64).next_multiple_of(4096), "{name}");
            let taken = whole as u64 * taken_octets(2 * MIB) + taken_octets(all.len() % (2 * MIB));
            assert_eq!(ram.octets() - before, taken, "{name}: what is written is counted");
        }
        assert!(read(&pieces) == all, "{name}");
        drop((pieces, writer));
        assert_eq!((used(&arena), ram.octets()), (0, before), "{name}");
    }
}

#[test]
fn pieces_are_cut_like_octets() {
    let ram = ram();
    let (arena, _) = arenas().remove(0);
    let mut room = ram.reserve(0).unwrap();
    let whole = octets(9, 10_000);
    let in_room = Arc::new(Extent::in_room(whole.clone(), ram.reserve(15_000).unwrap()));
    let in_room = Piece::of_extent(in_room, 0..10_000);
    let in_file = write(&arena, std::slice::from_ref(&whole), &mut room).unwrap();
    for piece in [Piece::from(whole.clone()), in_room, in_file] {
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
            assert_eq!(
                is_copied,
                piece.reserved_octets() == 0
                    || taken_octets(to - from) < piece.reserved_octets() / 2
            );
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
    let first = write(&arena, std::slice::from_ref(&large), &mut room).unwrap();
    for _ in 0..3 {
        // Its first half fits.
        assert!(write(&arena, std::slice::from_ref(&large), &mut room).is_none());
        assert_eq!(used(&arena), 2 * MIB as u64, "what was written of it is free");
        assert_eq!(ram.octets() - before, first.reserved_octets());
    }
    assert_eq!(pages.errors(), 3);
    assert!(first.read().unwrap() == large);
    let small = write(&arena, &[octets(2, MIB)], &mut room).unwrap();
    assert!(small.read().unwrap() == octets(2, MIB));
    drop(first);
    assert!(write(&arena, std::slice::from_ref(&large), &mut room).is_some());
}

#[test]
fn an_arena_ends_where_files_may_not_grow_beyond() {
    let ram = ram();
    let pages = Arc::new(Pages::new(ArenaChoice::Memfd));
    let lanes = RefCell::new(vec![Lane::new(pages.open().unwrap())]);
    let arena = Rc::new(Arena { pages, lanes, end_offset: 4 * MIB as u64 + 1000, octets_min: 1 });
    let mut room = ram.reserve(0).unwrap();
    for (size, expected) in [(10, true), (10, true), (1001, false), (1000, true), (1, false)] {
        assert_eq!(write(&arena, &[octets(3, size)], &mut room).is_some(), expected, "{size}");
    }
    assert_eq!(arena.pages.errors(), 2);
}

#[test]
fn without_room_nothing_is_written() {
    let ram = ram();
    let (arena, _) = arenas().remove(0);
    let mut room = ram.reserve(0).unwrap();
    let rest = ram.reserve(ram.capacity() - ram.octets() - 5_000).unwrap();
    assert!(write(&arena, &[octets(4, 5_000)], &mut room).is_none());
    assert_eq!((used(&arena), arena.pages.errors()), (0, 0));
    drop(rest);
    assert!(write(&arena, &[octets(4, 5_000)], &mut room).is_some());
}
