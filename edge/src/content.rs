//! The content of a stored response.

use bytes::Bytes;

/// The content of a stored response: complete and immutable.
#[derive(Clone, Debug)]
pub(crate) enum StoredContent {
    /// In one piece.
    Whole(Bytes),
    /// As it arrived, in order.
    Pieces {
        /// The pieces, none of them empty.
        pieces: Box<[Bytes]>,
        /// Sum of their lengths in octets.
        octets: u64,
    },
}

/// Pieces smaller than this are put together when a response is complete: their bookkeeping would cost more.
const PIECE_OCTETS_MIN: usize = 16 * 1024;
/// A content up to this size is stored in one piece.
const WHOLE_OCTETS_MAX: u64 = 256 * 1024;

impl StoredContent {
    /// The content made of `pieces`, copied together where they are small.
    pub(crate) fn new(mut pieces: Vec<Bytes>) -> Self {
        let octets = pieces.iter().map(|piece| piece.len() as u64).sum();
        if pieces.len() <= 1 {
            return Self::Whole(pieces.pop().unwrap_or_default());
        }
        if octets <= WHOLE_OCTETS_MAX {
            return Self::Whole(Bytes::from(pieces.concat().into_boxed_slice()));
        }
        let mut together: Vec<Bytes> = Vec::new();
        let mut small: Vec<u8> = Vec::new();
        for piece in pieces {
            if piece.len() < PIECE_OCTETS_MIN {
                small.extend_from_slice(&piece);
            } else if !small.is_empty() {
                together.push(Bytes::from(core::mem::take(&mut small).into_boxed_slice()));
                together.push(piece);
                continue;
            } else {
                together.push(piece);
            }
            if small.len() as u64 >= WHOLE_OCTETS_MAX {
                together.push(Bytes::from(core::mem::take(&mut small).into_boxed_slice()));
            }
        }
        if !small.is_empty() {
            together.push(Bytes::from(small.into_boxed_slice()));
        }
        Self::Pieces { pieces: together.into_boxed_slice(), octets }
    }

    /// Length in octets.
    #[must_use]
    pub(crate) fn octets(&self) -> u64 {
        match self {
            Self::Whole(whole) => whole.len() as u64,
            Self::Pieces { octets, .. } => *octets,
        }
    }

    /// The octets from `first` up to and including `last`, by reference.
    pub(crate) fn part(&self, first: u64, last: u64) -> Vec<Bytes> {
        match self {
            Self::Whole(whole) => part_of_pieces(core::slice::from_ref(whole), first, last),
            Self::Pieces { pieces, .. } => part_of_pieces(pieces, first, last),
        }
    }

    /// All octets, by reference.
    pub(crate) fn pieces(&self) -> Vec<Bytes> {
        match self {
            Self::Whole(whole) if whole.is_empty() => Vec::new(),
            Self::Whole(whole) => vec![whole.clone()],
            Self::Pieces { pieces, .. } => pieces.to_vec(),
        }
    }
}

/// Of all octets of `pieces` those from `first` up to and including `last`, by reference.
pub(crate) fn part_of_pieces(pieces: &[Bytes], first: u64, last: u64) -> Vec<Bytes> {
    let mut start = 0u64;
    let mut part = Vec::with_capacity(pieces.len());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn content(sizes: &[usize]) -> (Vec<u8>, StoredContent) {
        let mut value = 0u8;
        let mut piece = |size: usize| {
            let octets = (0..size).map(|_| {
                value = value.wrapping_mul(5).wrapping_add(3);
                value
            });
            Bytes::from(octets.collect::<Vec<u8>>())
        };
        let pieces: Vec<Bytes> = sizes.iter().map(|&size| piece(size)).collect();
        (pieces.concat(), StoredContent::new(pieces))
    }

    #[test]
    fn content_is_the_same_however_it_arrived() {
        for (sizes, why) in [
            (vec![], "nothing"),
            (vec![1], "one octet"),
            (vec![10, 20, 30], "small pieces are put together"),
            (vec![200_000, 100, 200, 100_000, 7], "small between large"),
            (vec![100; 5_000], "many small ones, more than one piece's worth"),
        ] {
            let (octets, content) = content(&sizes);
            assert_eq!(content.octets(), octets.len() as u64, "{why}");
            assert_eq!(content.pieces().concat(), octets, "{why}");
            assert!(content.pieces().iter().all(|piece| !piece.is_empty()), "{why}");
        }
    }

    #[test]
    fn a_part_is_the_octets_between_two_offsets() {
        let (octets, content) = content(&[200_000, 100_000, 300_000]);
        for (first, last) in [(0, 0), (0, 599_999), (199_999, 200_000), (250_000, 310_000)] {
            let expected = &octets[first as usize..=last as usize];
            assert_eq!(content.part(first, last).concat(), expected, "{first}-{last}");
        }
    }
}
