//! Receive buffers that are lent to connections while there is data (`IORING_REGISTER_PBUF_RING` of
//! `io_uring_register(2)`).
#![allow(unsafe_code, reason = "memory that the kernel writes")]

use core::cell::Cell;
use core::sync::atomic::{AtomicU16, Ordering};
use io_uring::{IoUring, types::BufRingEntry};
use memmap2::{MmapMut, MmapOptions};
use std::io;

/// Buffers of a worker at most. As many receives can complete in one turn; more find none and try again.
const COUNT_MAX: u16 = 256;
/// Buffers that the kernel has from the start. It uses them in turn, so that more than are needed would be colder:
/// there is one more for each receive that finds none.
const COUNT_FIRST: u16 = 16;
/// Octets of a buffer: more than almost any request's head, and a small response with its content.
const OCTETS: u32 = 4096;

/// The receive buffers of one ring.
pub(super) struct Buffers {
    /// Entries that say where free buffers are, shared with the kernel.
    entries: *mut BufRingEntry,
    octets: *mut u8,
    tail: Cell<u16>,
    /// Buffers that the kernel has been given so far.
    count: Cell<u16>,
    /// What the two pointers point into.
    _memory: MmapMut,
}

impl Buffers {
    /// The number by which operations name the group.
    pub(super) const GROUP: u16 = 0;

    /// Buffers for `ring`, as long as it lives.
    ///
    /// # Errors
    /// `ENOMEM`, or `EINVAL` of kernels before 5.19.
    pub(super) fn register(ring: &IoUring) -> io::Result<Self> {
        let entries_octets = usize::from(COUNT_MAX) * size_of::<BufRingEntry>();
        let octets = usize::from(COUNT_MAX) * OCTETS as usize;
        // Page-aligned, as the kernel wants it.
        let mut memory = MmapOptions::new().len(entries_octets + octets).map_anon()?;
        let entries = memory.as_mut_ptr().cast::<BufRingEntry>();
        let octets = memory.as_mut_ptr().wrapping_add(entries_octets);
        // SAFETY: the entries are valid for as long as the ring is: `Driver` drops the ring first.
        unsafe {
            let submitter = ring.submitter();
            submitter.register_buf_ring_with_flags(entries as u64, COUNT_MAX, Self::GROUP, 0)?;
        }
        let (tail, count) = (Cell::new(0), Cell::new(0));
        let buffers = Self { entries, octets, tail, count, _memory: memory };
        (0..COUNT_FIRST).for_each(|_| buffers.grow());
        Ok(buffers)
    }

    /// Gives the kernel one more, up to the bound: a receive has found none.
    pub(super) fn grow(&self) {
        let count = self.count.get();
        if count < COUNT_MAX {
            self.count.set(count + 1);
            self.put(count);
        }
    }

    /// Octets of each buffer.
    pub(super) fn octets_each(&self) -> u32 {
        OCTETS
    }

    /// Gives buffer `number` back to the kernel.
    pub(super) fn put(&self, number: u16) {
        let tail = self.tail.get();
        // SAFETY: the index is below COUNT_MAX, a power of two, and the kernel reads no entry behind the tail.
        unsafe {
            let entry = &mut *self.entries.add(usize::from(tail & (COUNT_MAX - 1)));
            entry.set_addr(self.start_of(number) as u64);
            entry.set_len(OCTETS);
            entry.set_bid(number);
            self.tail.set(tail.wrapping_add(1));
            let shared = BufRingEntry::tail(self.entries).cast::<AtomicU16>();
            (*shared).store(tail.wrapping_add(1), Ordering::Release);
        }
    }

    /// The first `length` octets of buffer `number`, which the kernel has filled and not got back yet.
    pub(super) fn octets(&self, number: u16, length: usize) -> &[u8] {
        assert!(number < COUNT_MAX && length <= OCTETS as usize, "the kernel named another buffer");
        // SAFETY: within the memory; the kernel does not write to a buffer between its completion and `put`, and
        // callers hold it for that time (`Lease`).
        unsafe { core::slice::from_raw_parts(self.start_of(number), length) }
    }

    fn start_of(&self, number: u16) -> *mut u8 {
        self.octets.wrapping_add(usize::from(number) * OCTETS as usize)
    }
}
