//! Pieces of a content on its way: octets, or a part of an extent, by reference.

use crate::extent::{Extent, taken_octets};
use bytes::{Buf, Bytes};
use core::fmt;
use core::ops::Range;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// A piece of a content, or of a head. A clone refers to the same octets.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Octets of which nobody keeps account.
    Octets(Bytes),
    /// Octets of an extent, which is counted until nobody refers to it any more.
    Excerpt(Excerpt),
}

/// A part of an extent.
#[derive(Clone)]
pub struct Excerpt {
    extent: Arc<Extent>,
    start: usize,
    end: usize,
}

impl Piece {
    /// Length in octets.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Octets(octets) => octets.len(),
            Self::Excerpt(excerpt) => excerpt.end - excerpt.start,
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The octets within `range` of this piece.
    ///
    /// # Panics
    /// When `range` reaches beyond the piece.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len(), "a slice beyond its piece");
        match self {
            Self::Octets(octets) => Self::Octets(octets.slice(range)),
            Self::Excerpt(Excerpt { extent, start, .. }) => Self::Excerpt(Excerpt {
                extent: Arc::clone(extent),
                start: start + range.start,
                end: start + range.end,
            }),
        }
    }

    /// Cuts off the first `count` octets.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.len(), "more octets cut off than there are");
        match self {
            Self::Octets(octets) => octets.advance(count),
            Self::Excerpt(excerpt) => excerpt.start += count,
        }
    }

    /// The octets, if they are in memory.
    #[must_use]
    pub fn in_memory(&self) -> Option<&[u8]> {
        match self {
            Self::Octets(octets) => Some(octets),
            Self::Excerpt(Excerpt { extent, start, end }) => {
                extent.in_memory().map(|octets| &octets[*start..*end])
            }
        }
    }

    /// Where the octets begin, if they are in a file. What is in the file at their place does not change while this
    /// piece, or another of the same extent, exists.
    #[must_use]
    pub fn in_file(&self) -> Option<(&File, u64)> {
        match self {
            Self::Octets(_) => None,
            Self::Excerpt(Excerpt { extent, start, .. }) => {
                extent.in_file().map(|(file, offset)| (file, offset + *start as u64))
            }
        }
    }

    /// The octets, read into memory if they are not there.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn read(&self) -> io::Result<Bytes> {
        match self {
            Self::Octets(octets) => Ok(octets.clone()),
            Self::Excerpt(Excerpt { extent, start, end }) => extent.read(*start..*end),
        }
    }

    /// The octets of `extent` within `range`, which do not change any more.
    pub(crate) fn of_extent(extent: Arc<Extent>, range: Range<usize>) -> Self {
        Self::Excerpt(Excerpt { extent, start: range.start, end: range.end })
    }

    /// What the extent that it refers to takes of the RAM tier, the parts that are not in this piece included.
    #[must_use]
    pub(crate) fn reserved_octets(&self) -> u64 {
        match self {
            Self::Octets(_) => 0,
            Self::Excerpt(excerpt) => excerpt.extent.reserved_octets(),
        }
    }

    /// Whether both refer to the same extent.
    pub(crate) fn is_of_same_extent(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Excerpt(one), Self::Excerpt(other)) => Arc::ptr_eq(&one.extent, &other.extent),
            _ => false,
        }
    }

    /// Whether both are the same octets at the same place.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Octets(one), Self::Octets(other)) => {
                (one.as_ptr(), one.len()) == (other.as_ptr(), other.len())
            }
            (Self::Excerpt(one), Self::Excerpt(two)) => {
                self.is_of_same_extent(other) && (one.start, one.end) == (two.start, two.end)
            }
            _ => false,
        }
    }

    /// Adds `next` at the end, if that follows in the same extent.
    pub(crate) fn try_join(&mut self, next: &Self) -> bool {
        let is_same = self.is_of_same_extent(next);
        match (self, next) {
            (Self::Excerpt(one), Self::Excerpt(next)) if is_same && one.end == next.start => {
                one.end = next.end;
                true
            }
            _ => false,
        }
    }

    /// Lets go of what was cut off, by a copy, if that is more than what is left.
    ///
    /// # Errors
    /// When the file can't be read.
    pub(crate) fn shrink(&mut self) -> io::Result<()> {
        let is_mostly_cut_off = match self {
            // How much lies around it is not known.
            Self::Octets(_) => true,
            Self::Excerpt(excerpt) => {
                taken_octets(excerpt.end - excerpt.start) < excerpt.extent.reserved_octets() / 2
            }
        };
        if is_mostly_cut_off {
            *self = Self::Octets(Bytes::copy_from_slice(&self.read()?));
        }
        Ok(())
    }
}

impl From<Bytes> for Piece {
    fn from(octets: Bytes) -> Self {
        Self::Octets(octets)
    }
}

impl From<Vec<u8>> for Piece {
    fn from(octets: Vec<u8>) -> Self {
        Self::Octets(Bytes::from(octets))
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{} of {:?}", self.start, self.end, self.extent)
    }
}
