//! The content of a stored response.

use crate::arena::Writer;
use crate::extent::{Extent, taken_octets};
use crate::piece::Piece;
use crate::ram::Reservation;
use crate::respond::COPY_OCTETS_MAX;
use bytes::Bytes;
use std::sync::Arc;

/// The content of a stored response: complete and immutable.
#[derive(Clone, Debug)]
pub(crate) enum StoredContent {
    /// Small enough to be copied to each client.
    Whole(Bytes),
    /// In order, to be sent by reference.
    Pieces {
        /// The pieces, none of them empty.
        pieces: Box<[Piece]>,
        /// Sum of their lengths in octets.
        octets: u64,
    },
}

/// Pieces smaller than this are put together when a response is complete: their bookkeeping would cost more.
const PIECE_OCTETS_MIN: usize = 16 * 1024;
/// Octets on the heap are put together in pieces of this size at most.
const WHOLE_OCTETS_MAX: usize = 256 * 1024;

impl StoredContent {
    /// The content made of `pieces`: octets that lie together are put together, by `writer` if the content is large
    /// enough, which may take of `room`.
    pub(crate) fn new(pieces: Vec<Piece>, writer: &mut Writer, room: &mut Reservation) -> Self {
        let octets: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        let count = usize::try_from(octets).unwrap_or(usize::MAX);
        let by_reference = writer.arena().is_for(count);
        let (run, run_octets) = (Vec::new(), 0);
        let mut gathered =
            Gathered { writer, room, by_reference, pieces: Vec::new(), run, run_octets };
        for piece in pieces {
            gathered.add(piece);
        }
        gathered.end_run();
        let mut pieces = gathered.pieces;
        match pieces.pop() {
            None => Self::Whole(Bytes::new()),
            Some(Piece::Octets(whole)) if pieces.is_empty() && whole.len() <= COPY_OCTETS_MAX => {
                Self::Whole(whole)
            }
            Some(last) => {
                pieces.push(last);
                Self::Pieces { pieces: pieces.into_boxed_slice(), octets }
            }
        }
    }

    /// Length in octets.
    #[must_use]
    pub(crate) fn octets(&self) -> u64 {
        match self {
            Self::Whole(whole) => whole.len() as u64,
            Self::Pieces { octets, .. } => *octets,
        }
    }

    /// Whether it is a clone of `other`, or that of it.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Pieces { pieces: one, .. }, Self::Pieces { pieces: other, .. }) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|(one, other)| one.is_same_as(other))
            }
            _ => false,
        }
    }

    /// Octets on the heap that no extent keeps account of.
    pub(crate) fn heap_octets(&self) -> u64 {
        match self {
            Self::Whole(whole) => whole.len() as u64,
            Self::Pieces { pieces, .. } => {
                let loose = pieces.iter().filter(|piece| piece.reserved_octets() == 0);
                let octets: usize = loose.map(Piece::len).sum();
                (octets + size_of_val(&**pieces)) as u64
            }
        }
    }

    /// What its extents take.
    pub(crate) fn reserved_octets(&self) -> u64 {
        match self {
            Self::Whole(_) => 0,
            Self::Pieces { pieces, .. } => {
                // Pieces of an extent are next to each other, but for what could not be put into it.
                let (mut octets, mut counted) = (0, None::<&Piece>);
                for piece in pieces {
                    if !counted.is_some_and(|counted| counted.is_of_same_extent(piece)) {
                        octets += piece.reserved_octets();
                        counted = (piece.reserved_octets() > 0).then_some(piece).or(counted);
                    }
                }
                octets
            }
        }
    }

    /// The octets from `first` up to and including `last`, by reference.
    pub(crate) fn part(&self, first: u64, last: u64) -> Vec<Piece> {
        part_of_pieces(self.pieces(), first, last)
    }

    /// All octets, by reference.
    pub(crate) fn pieces(&self) -> Vec<Piece> {
        match self {
            Self::Whole(whole) if whole.is_empty() => Vec::new(),
            Self::Whole(whole) => vec![Piece::Octets(whole.clone())],
            Self::Pieces { pieces, .. } => pieces.to_vec(),
        }
    }
}

/// Of all octets of `pieces` those from `first` up to and including `last`, by reference.
pub(crate) fn part_of_pieces(pieces: Vec<Piece>, first: u64, last: u64) -> Vec<Piece> {
    let mut start = 0u64;
    let mut part = Vec::new();
    for piece in pieces {
        let end = start + piece.len() as u64;
        if end > first && start <= last {
            let within = |offset: u64| usize::try_from(offset - start).unwrap_or(usize::MAX);
            let from = within(first.max(start));
            let to = within((last + 1).min(end));
            part.push(piece.slice(from..to));
        }
        start = end;
    }
    part
}

/// Pieces of a content as it is put together.
struct Gathered<'a> {
    writer: &'a mut Writer,
    room: &'a mut Reservation,
    /// Whether the content is for the arena.
    by_reference: bool,
    pieces: Vec<Piece>,
    /// Octets that lie together behind them.
    run: Vec<Bytes>,
    run_octets: usize,
}

impl Gathered<'_> {
    fn add(&mut self, piece: Piece) {
        match piece {
            Piece::Octets(octets) => {
                self.run_octets += octets.len();
                self.run.push(octets);
            }
            Piece::Excerpt(_) => {
                self.end_run();
                self.push(piece);
            }
        }
    }

    fn push(&mut self, piece: Piece) {
        let is_joined = self.pieces.last_mut().is_some_and(|last| last.try_join(&piece));
        if !is_joined && !piece.is_empty() {
            self.pieces.push(piece);
        }
    }

    fn end_run(&mut self) {
        let run = core::mem::take(&mut self.run);
        let octets = core::mem::take(&mut self.run_octets);
        let is_worth_it = self.writer.arena().is_for(octets) || octets >= PIECE_OCTETS_MIN;
        if self.by_reference
            && is_worth_it
            && let Some(pieces) = self.writer.append(&run, self.room)
        {
            pieces.into_iter().for_each(|piece| self.push(piece));
            return;
        }
        for octets in together(run) {
            let taken = (octets.len() > COPY_OCTETS_MAX).then(|| taken_octets(octets.len()));
            // Without an account of its own it is counted as long as the response is stored.
            let piece = match taken.and_then(|taken| self.room.portion(taken)) {
                Some(room) => {
                    let count = octets.len();
                    Piece::of_extent(Arc::new(Extent::in_room(octets, room)), 0..count)
                }
                None => Piece::Octets(octets),
            };
            self.push(piece);
        }
    }
}

/// The octets of `run` in fewer pieces: all in one if they are not many, else small ones put together.
fn together(run: Vec<Bytes>) -> Vec<Bytes> {
    let octets: usize = run.iter().map(Bytes::len).sum();
    if run.len() <= 1 {
        return run;
    }
    if octets <= WHOLE_OCTETS_MAX {
        return vec![Bytes::from(run.concat().into_boxed_slice())];
    }
    let mut together: Vec<Bytes> = Vec::new();
    let mut small: Vec<u8> = Vec::new();
    let flush = |small: &mut Vec<u8>, together: &mut Vec<Bytes>| {
        if !small.is_empty() {
            together.push(Bytes::from(core::mem::take(small).into_boxed_slice()));
        }
    };
    for piece in run {
        if piece.len() >= PIECE_OCTETS_MIN {
            flush(&mut small, &mut together);
            together.push(piece);
            continue;
        }
        small.extend_from_slice(&piece);
        if small.len() >= WHOLE_OCTETS_MAX {
            flush(&mut small, &mut together);
        }
    }
    flush(&mut small, &mut together);
    together
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::{Arena, ArenaChoice, Pages};
    use crate::ram::RamTier;
    use crate::stored::Description;

    /// A content of pieces of these sizes, and its octets; with an arena for `octets_min` and more.
    fn content(sizes: &[usize], octets_min: usize, ram: &Ram) -> (Vec<u8>, StoredContent) {
        let mut value = 0u32;
        let mut piece = |size: usize| {
            let octets = (0..size).map(|_| {
                value = value.wrapping_mul(1_103_515_245).wrapping_add(12_345);
                (value >> 16) as u8
            });
            Bytes::from(octets.collect::<Vec<u8>>())
        };
        let octets: Vec<Bytes> = sizes.iter().map(|&size| piece(size)).collect();
        let arena = Arena::new(Arc::new(Pages::new(ArenaChoice::Memfd)), octets_min);
        let mut room = ram.reserve(0).unwrap();
        let pieces = octets.iter().cloned().map(Piece::from).collect();
        (octets.concat(), StoredContent::new(pieces, &mut arena.writer(), &mut room))
    }

    type Ram = RamTier<Description>;

    fn octets_of(pieces: &[Piece]) -> Vec<u8> {
        pieces.iter().flat_map(|piece| piece.read().unwrap()).collect()
    }

    const SIZES: &[(&[usize], &str)] = &[
        (&[], "nothing"),
        (&[1], "one octet"),
        (&[10, 20, 30], "small pieces are put together"),
        (&[16_385], "too large to be copied to each client"),
        (&[200_000, 100, 200, 100_000, 7], "small between large"),
        (&[100; 5_000], "many small ones, more than one piece's worth"),
        (&[1_500_000, 1_500_000, 1_500_000, 3], "more than an extent, and a bit left"),
        (&[2 << 20, 2 << 20, 1], "whole extents"),
    ];

    #[test]
    fn content_is_the_same_however_it_arrived() {
        let ram = Ram::new(64 << 20);
        let before = ram.octets();
        for (sizes, why) in SIZES {
            for octets_min in [1, 64 * 1024, usize::MAX] {
                let (octets, content) = content(sizes, octets_min, &ram);
                assert_eq!(content.octets(), octets.len() as u64, "{why}");
                assert!(octets_of(&content.pieces()) == octets, "{why}");
                assert!(content.pieces().iter().all(|piece| !piece.is_empty()), "{why}");
                let in_file = content.pieces().iter().any(|piece| piece.in_file().is_some());
                let is_large = !octets.is_empty() && octets.len() >= octets_min;
                assert_eq!(in_file, is_large, "{why}, from {octets_min} octets on by reference");
                let counted = content.heap_octets() + content.reserved_octets();
                assert!(counted >= octets.len() as u64, "{why}");
                assert_eq!(ram.octets() - before, content.reserved_octets(), "{why}");
            }
            assert_eq!(ram.octets(), before, "{why}: all is given back");
        }
    }

    #[test]
    fn a_part_is_the_octets_between_two_offsets() {
        let ram = Ram::new(64 << 20);
        for octets_min in [1, usize::MAX] {
            let (octets, content) = content(&[200_000, 2_000_000, 300_000], octets_min, &ram);
            for (first, last) in [(0, 0), (0, 2_499_999), (199_999, 200_000), (250_000, 2_310_000)]
            {
                let expected = &octets[first as usize..=last as usize];
                assert!(octets_of(&content.part(first, last)) == expected, "{first}-{last}");
            }
        }
    }

    #[test]
    fn two_halves_of_an_extent_are_not_the_same() {
        let ram = Ram::new(64 << 20);
        for octets_min in [1, usize::MAX] {
            let (_, whole) = content(&[400_000], octets_min, &ram);
            let half = |first: u64| {
                let pieces = whole.part(first, first + 199_999).into_boxed_slice();
                StoredContent::Pieces { pieces, octets: 200_000 }
            };
            assert!(whole.is_same_as(&whole.clone()) && half(0).is_same_as(&half(0)));
            assert!(!half(0).is_same_as(&half(200_000)), "from {octets_min} on by reference");
            assert!(!whole.is_same_as(&half(0)));
        }
    }

    #[test]
    fn what_there_is_no_room_for_stays_on_the_heap() {
        let ram = Ram::new(1 << 20);
        let all = ram.reserve(ram.capacity() - ram.octets() - 20_000).unwrap();
        let (octets, content) = content(&[60_000, 300_000], 1000, &ram);
        assert!(octets_of(&content.pieces()) == octets);
        assert_eq!(content.reserved_octets(), 0);
        drop(all);
    }
}
