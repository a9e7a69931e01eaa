//! The arena: where large contents lie, outside the heap, in a file of pages from which sockets take them by reference.
//!
//! Each worker has its own, so writing takes no lock. A content is written from front to back into slots of a file,
//! which begin at multiples of `SLOT_OCTETS`; no two contents share one, none is used again, and there are four
//! million million in a file. Each write is at the end of its file. So a folio, which begins at a multiple of its own
//! size, at most `SLOT_OCTETS`, and does not reach beyond the end of the file (`huge=within_size`), has octets of one
//! extent only, and pages that a slow client's socket still holds are never written again: an extent is given back as a
//! hole.
//!
//! A worker has some files, so that contents that arrive at the same time need not start a new slot with each part.

mod pages;

pub use pages::ArenaChoice;
pub(crate) use pages::Pages;

use crate::extent::{Extent, PAGE_OCTETS, SLOT_OCTETS, free_slot, taken_octets};
use crate::piece::Piece;
use crate::ram::Reservation;
use bytes::Bytes;
use core::cell::{Cell, RefCell};
use rustix::io::{pwritev, retry_on_intr};
use rustix::process::{Resource, getrlimit};
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::rc::Rc;
use std::sync::Arc;

/// Contents, and parts of them, of this size and more go into the arena. See `edge/README.md` for what was measured.
pub const BY_REFERENCE_OCTETS_MIN: usize = 64 * 1024;
/// Slices in one system call (`IOV_MAX` is 1,024).
const SLICES_MAX: usize = 512;

/// Files of a worker: as many contents can arrive at the same time and still be written in large extents.
const LANES_MAX: usize = 16;

/// One worker's arena.
pub(crate) struct Arena {
    pages: Arc<Pages>,
    /// None where there can't be one: everything stays on the heap then.
    lanes: RefCell<Vec<Rc<Lane>>>,
    /// No write may reach beyond: the kernel would end the process (`RLIMIT_FSIZE`, `setrlimit(2)`).
    end_offset: u64,
    octets_min: usize,
}

/// One file.
struct Lane {
    file: Arc<File>,
    /// Behind the last octet that was written.
    end: Cell<u64>,
    writers: Cell<usize>,
}

impl Lane {
    fn new(file: File) -> Rc<Self> {
        Rc::new(Self { file: Arc::new(file), end: Cell::new(0), writers: Cell::new(0) })
    }
}

impl Arena {
    /// An arena of `pages` for what has at least `octets_min` octets.
    pub(crate) fn new(pages: Arc<Pages>, octets_min: usize) -> Rc<Self> {
        let lanes = RefCell::new(pages.try_open().map(Lane::new).into_iter().collect());
        let end_offset = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX);
        Rc::new(Self { pages, lanes, end_offset, octets_min })
    }

    /// Whether anything can go into it.
    pub(crate) fn is_open(&self) -> bool {
        !self.lanes.borrow().is_empty()
    }

    /// Whether `octets` are enough to go into it.
    pub(crate) fn is_for(&self, octets: usize) -> bool {
        self.is_open() && octets >= self.octets_min
    }

    /// For one content.
    pub(crate) fn writer(self: &Rc<Self>) -> Writer {
        Writer { arena: Rc::clone(self), lane: None, slot: None }
    }

    /// The lane with the fewest writers, a new one if all have some.
    fn lane(&self) -> Option<Rc<Lane>> {
        let mut lanes = self.lanes.borrow_mut();
        let least = lanes.iter().min_by_key(|lane| lane.writers.get())?;
        if least.writers.get() == 0 || lanes.len() == LANES_MAX {
            return Some(Rc::clone(least));
        }
        match self.pages.open() {
            Ok(file) => lanes.push(Lane::new(file)),
            // Several to a lane will do.
            Err(_) => return Some(Rc::clone(least)),
        }
        lanes.last().cloned()
    }
}

/// Writes one content into the arena, from front to back.
pub(crate) struct Writer {
    arena: Rc<Arena>,
    lane: Option<Rc<Lane>>,
    slot: Option<Slot>,
}

/// Where a writer goes on, if nobody has written to its lane meanwhile.
struct Slot {
    extent: Arc<Extent>,
    offset: u64,
    used: usize,
}

impl Writer {
    /// The arena that it writes into.
    pub(crate) fn arena(&self) -> &Arena {
        &self.arena
    }

    /// Writes `parts` behind what was written before, for which it takes of `room`. `None` when there is no room or no
    /// memory: then they stay where they are.
    pub(crate) fn append(&mut self, parts: &[Bytes], room: &mut Reservation) -> Option<Vec<Piece>> {
        if self.lane.is_none() {
            let lane = self.arena.lane()?;
            lane.writers.set(lane.writers.get() + 1);
            self.lane = Some(lane);
        }
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut rest = &mut slices[..];
        let mut left = parts.iter().map(Bytes::len).sum();
        IoSlice::advance_slices(&mut rest, 0);
        let mut pieces = Vec::new();
        while left > 0 {
            let piece = self.write_some(&mut rest, left, room)?;
            left -= piece.len();
            pieces.push(piece);
        }
        Some(pieces)
    }

    /// Writes as much of `slices`, which have `left` octets, as goes into a slot.
    fn write_some(
        &mut self,
        slices: &mut &mut [IoSlice<'_>],
        left: usize,
        room: &mut Reservation,
    ) -> Option<Piece> {
        let lane = self.lane.as_ref()?;
        let is_last = |slot: &Slot| lane.end.get() == slot.offset + slot.used as u64;
        let has_space = |slot: &Slot| slot.used < SLOT_OCTETS as usize;
        let slot = self.slot.take().filter(|slot| is_last(slot) && has_space(slot));
        let used = slot.as_ref().map_or(0, |slot| slot.used);
        let count = left.min(SLOT_OCTETS as usize - used);
        let offset = slot.as_ref().map(|slot| slot.offset);
        let offset = offset.unwrap_or(lane.end.get().next_multiple_of(SLOT_OCTETS));
        let (start, end) = (offset + used as u64, offset + (used + count) as u64);
        if end > self.arena.end_offset {
            self.arena.pages.note_error(&io::ErrorKind::FileTooLarge.into());
            return None;
        }
        let reserved = slot.as_ref().map_or(0, |slot| slot.extent.reserved_octets());
        let room = room.portion(taken_octets(used + count) - reserved)?;
        // From here on the slot is freed whatever happens.
        let extent = match slot {
            Some(slot) => {
                slot.extent.add_room(room);
                slot.extent
            }
            None => Arc::new(Extent::in_slot(Arc::clone(&lane.file), offset, room)),
        };
        lane.end.set(end);
        if let Err(error) = write_all(&lane.file, start, slices, count) {
            self.arena.pages.note_error(&error);
            return None;
        }
        let used = used + count;
        self.slot = Some(Slot { extent: Arc::clone(&extent), offset, used });
        Some(Piece::of_extent(extent, used - count..used))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(lane) = &self.lane {
            lane.writers.set(lane.writers.get() - 1);
        }
    }
}

/// Writes the first `left` octets of `slices` to `file`, from `offset` on, and cuts them off.
fn write_all(
    file: &File,
    mut offset: u64,
    slices: &mut &mut [IoSlice<'_>],
    mut left: usize,
) -> io::Result<()> {
    while left > 0 {
        // No more than is left: what is behind it goes elsewhere.
        let mut room = left;
        let some: Vec<IoSlice<'_>> = slices
            .iter()
            .take(SLICES_MAX)
            .map(|slice| {
                let count = slice.len().min(room);
                room -= count;
                IoSlice::new(&slice[..count])
            })
            .collect();
        let count = retry_on_intr(|| pwritev(file, &some, offset))?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        offset += count as u64;
        left -= count;
        IoSlice::advance_slices(slices, count);
    }
    Ok(())
}

/// Whether what was punched out of `file` is free, and a page takes no more than a page.
fn is_fit(file: &File) -> io::Result<bool> {
    const BLOCK_OCTETS: u64 = 512;
    file.write_all_at(b"x", 0)?;
    let taken = file.metadata()?.blocks() * BLOCK_OCTETS;
    free_slot(file, 0)?;
    Ok(taken < 2 * PAGE_OCTETS && file.metadata()?.blocks() == 0)
}

#[cfg(test)]
mod tests;
