//! The arena: where large contents lie, outside the heap, in a file of pages from which sockets take them by reference.
//!
//! Each worker has its own, so writing takes no lock. A place in the file is used once: extents begin at multiples of
//! [`SLOT_OCTETS`], one behind the other, and there is room for four million million of them. An extent is written at once,
//! as the last of its file, and given back as a hole. So a folio, which begins at a multiple of its own size, at
//! most [`SLOT_OCTETS`], and does not reach beyond the end of the file (`huge=within_size`), never has octets of two
//! extents, and pages that a slow client's socket still holds are never written again.

mod pages;

pub use pages::ArenaChoice;
pub(crate) use pages::Pages;

use crate::extent::{Extent, SLOT_OCTETS, free_slot, taken_octets};
use crate::piece::Piece;
use crate::ram::Reservation;
use bytes::Bytes;
use core::cell::Cell;
use rustix::io::{pwritev, retry_on_intr};
use rustix::process::{Resource, getrlimit};
use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// Octets of an extent at most.
pub(crate) const EXTENT_OCTETS_MAX: usize = SLOT_OCTETS as usize;
/// Contents, and parts of them, of this size and more go into the arena. See `edge/README.md` for what was measured.
pub const BY_REFERENCE_OCTETS_MIN: usize = 64 * 1024;
/// Slices in one system call (`IOV_MAX` is 1,024).
const SLICES_MAX: usize = 512;

/// One worker's arena.
pub(crate) struct Arena {
    pages: Arc<Pages>,
    /// `None` where there can't be one: everything stays on the heap then.
    file: Option<Arc<File>>,
    next_offset: Cell<u64>,
    /// No write may reach beyond: the kernel would end the process (`RLIMIT_FSIZE`, `setrlimit(2)`).
    end_offset: u64,
    octets_min: usize,
}

impl Arena {
    /// An arena of `pages` for what has at least `octets_min` octets.
    pub(crate) fn new(pages: Arc<Pages>, octets_min: usize) -> Self {
        let file = pages.open().map(Arc::new);
        let end_offset = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX);
        Self { pages, file, next_offset: Cell::new(0), end_offset, octets_min }
    }

    /// Whether anything can go into it.
    pub(crate) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Whether `octets` are enough to go into it.
    pub(crate) fn is_for(&self, octets: usize) -> bool {
        self.file.is_some() && octets >= self.octets_min
    }

    /// Writes `parts`, [`EXTENT_OCTETS_MAX`] together at most, as one extent, for which it takes of `room`. `None` when
    /// there is no room or no memory: then they stay where they are.
    pub(crate) fn write(&self, parts: &[Bytes], room: &mut Reservation) -> Option<Piece> {
        let file = self.file.as_ref()?;
        let octets = parts.iter().map(Bytes::len).sum();
        assert!(octets <= EXTENT_OCTETS_MAX, "more than an extent");
        let room = room.portion(taken_octets(octets))?;
        let offset = self.next_offset.get();
        if offset.saturating_add(octets as u64) > self.end_offset {
            self.pages.note_error(&io::ErrorKind::FileTooLarge.into());
            return None;
        }
        self.next_offset.set(offset + SLOT_OCTETS);
        // From here on the slot is freed whatever happens.
        let extent = Extent::written(Arc::clone(file), offset, octets, room);
        match write_all(file, offset, parts) {
            Ok(()) => Some(extent.into()),
            Err(error) => {
                self.pages.note_error(&error);
                None
            }
        }
    }
}

fn write_all(file: &File, offset: u64, parts: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let (mut rest, mut offset) = (&mut slices[..], offset);
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        let some = &rest[..rest.len().min(SLICES_MAX)];
        let count = retry_on_intr(|| pwritev(file, some, offset))?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        offset += count as u64;
        IoSlice::advance_slices(&mut rest, count);
    }
    Ok(())
}

/// Whether what was punched out of `file` is free, and a page takes no more than a page.
fn is_fit(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    const BLOCK_OCTETS: u64 = 512;
    write_all(file, 0, &[Bytes::from_static(b"x")])?;
    let taken = file.metadata()?.blocks() * BLOCK_OCTETS;
    free_slot(file, 0)?;
    Ok(taken < 2 * crate::extent::PAGE_OCTETS && file.metadata()?.blocks() == 0)
}

#[cfg(test)]
mod tests;
