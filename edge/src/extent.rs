//! Octets that do not change and are counted in the RAM tier until nobody refers to them any more, be it long after
//! their response was evicted: in a file of the arena, or in memory.

use crate::ram::Reservation;
use bytes::Bytes;
use core::fmt;
use core::ops::Range;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::retry_on_intr;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the arena gives to an extent: as much as the largest folio, so that no two extents ever share one.
pub(crate) const SLOT_OCTETS: u64 = 2 << 20;
/// Octets of a page of a file.
pub(crate) const PAGE_OCTETS: u64 = 4096;
/// What an extent takes beside its octets: its own allocations, and the kernel's index of its pages (576 octets for
/// each 64 of them, less for larger folios).
const OVERHEAD_OCTETS: u64 = 1024;

/// See the head of this file.
pub(crate) struct Extent {
    place: Place,
    /// Given back after `drop`, when the memory is free. It grows while the extent does.
    room: Mutex<Reservation>,
}

enum Place {
    Memory(Bytes),
    /// From `offset`, a multiple of [`SLOT_OCTETS`], on. Nothing else is in the slot that begins there.
    File {
        file: Arc<File>,
        offset: u64,
    },
}

/// What an extent of so many octets takes.
pub(crate) fn taken_octets(octets: usize) -> u64 {
    (octets as u64).next_multiple_of(PAGE_OCTETS) + OVERHEAD_OCTETS
}

impl Extent {
    /// Octets in memory, for which there is `room`.
    pub(crate) fn in_room(octets: Bytes, room: Reservation) -> Self {
        Self { place: Place::Memory(octets), room: Mutex::new(room) }
    }

    /// What is going to be written into the slot of `file` that begins at `offset`. There is `room` for it.
    pub(crate) fn in_slot(file: Arc<File>, offset: u64, room: Reservation) -> Self {
        assert!(offset.is_multiple_of(SLOT_OCTETS), "an extent beside its slot");
        Self { place: Place::File { file, offset }, room: Mutex::new(room) }
    }

    fn room(&self) -> MutexGuard<'_, Reservation> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `room` for more octets.
    pub(crate) fn add_room(&self, room: Reservation) {
        self.room().add(room);
    }

    pub(crate) fn reserved_octets(&self) -> u64 {
        self.room().octets()
    }

    pub(crate) fn in_memory(&self) -> Option<&Bytes> {
        match &self.place {
            Place::Memory(octets) => Some(octets),
            Place::File { .. } => None,
        }
    }

    pub(crate) fn in_file(&self) -> Option<(&File, u64)> {
        match &self.place {
            Place::Memory(_) => None,
            Place::File { file, offset } => Some((file, *offset)),
        }
    }

    pub(crate) fn read(&self, range: Range<usize>) -> io::Result<Bytes> {
        match &self.place {
            Place::Memory(octets) => Ok(octets.slice(range)),
            Place::File { file, offset } => {
                let mut octets = vec![0; range.len()];
                file.read_exact_at(&mut octets, offset + range.start as u64)?;
                Ok(Bytes::from(octets))
            }
        }
    }
}

/// Frees the memory of the slot at `offset` of `file`.
///
/// Its pages leave the file; those that a socket still has to send stay as they are until it has. The whole slot, since
/// a folio of which only a part were punched out would have that part set to zero in place, under the socket's eyes.
pub(crate) fn free_slot(file: &File, offset: u64) -> io::Result<()> {
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(retry_on_intr(|| fallocate(file, hole, offset, SLOT_OCTETS))?)
}

impl Drop for Extent {
    fn drop(&mut self) {
        if let Place::File { file, offset } = &self.place {
            let freed = free_slot(file, *offset);
            // The arena has tried it before the first extent was written.
            assert!(freed.is_ok(), "a hole can't be punched into the arena any more: {freed:?}");
        }
    }
}

impl fmt::Debug for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Memory(_) => f.write_str("an extent in memory"),
            Place::File { offset, .. } => write!(f, "the extent at {offset}"),
        }
    }
}
