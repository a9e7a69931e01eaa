//! Buffers that the kernel fills as octets come: a provided-buffer ring (`io_uring_register_buf_ring(3)`).
#![expect(unsafe_code, reason = "memory that the kernel reads and writes beside us")]

use io_uring::types::BufRingEntry;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

/// What the kernel wants the entries to be aligned to: a page.
const PAGE_OCTETS: usize = 4096;

/// Buffers of one size. Each is either the kernel's or, between a completion that names it and [`Self::recycle`], ours.
#[derive(Debug)]
pub(super) struct Incoming {
    entries: NonNull<BufRingEntry>,
    octets: NonNull<u8>,
    count: u16,
    octets_each: usize,
    tail: u16,
    /// Which buffers are ours now.
    ours: Box<[bool]>,
}

impl Incoming {
    /// `count` (a power of two, at most 32,768) buffers of `octets_each`, all of them the kernel's once the ring is
    /// registered.
    pub(super) fn new(count: u16, octets_each: usize) -> Self {
        assert!(count.is_power_of_two() && count <= 1 << 15, "the kernel takes no other counts");
        let (entries, octets) =
            (Self::entries_layout(count), Self::octets_layout(count, octets_each));
        let mut incoming = Self {
            entries: allocate(entries).cast(),
            octets: allocate(octets),
            count,
            octets_each,
            tail: 0,
            ours: vec![true; usize::from(count)].into_boxed_slice(),
        };
        for buffer in 0..count {
            incoming.recycle(buffer);
        }
        incoming.publish();
        incoming
    }

    fn entries_layout(count: u16) -> Layout {
        Layout::array::<BufRingEntry>(usize::from(count))
            .and_then(|layout| layout.align_to(PAGE_OCTETS))
            .expect("at most half a MiB")
    }

    fn octets_layout(count: u16, octets_each: usize) -> Layout {
        Layout::from_size_align(usize::from(count) * octets_each, PAGE_OCTETS)
            .expect("buffers fit the address space")
    }

    /// What to register: the address of the entries and how many there are.
    pub(super) fn registration(&self) -> (u64, u16) {
        (self.entries.as_ptr().expose_provenance() as u64, self.count)
    }

    /// Notes that a completion names `buffer`: it is ours from here on.
    pub(super) fn take(&mut self, buffer: u16) {
        self.ours[usize::from(buffer)] = true;
    }

    /// The first `length` octets of a buffer that is ours.
    pub(super) fn octets(&self, buffer: u16, length: usize) -> &[u8] {
        assert!(self.ours[usize::from(buffer)] && length <= self.octets_each);
        // SAFETY: within the allocation by the assertion above and the bound of the index before it; the kernel does
        // not write to a buffer that is ours, and `recycle`, which gives it back, needs `&mut self`.
        unsafe {
            let start = self.octets.as_ptr().add(usize::from(buffer) * self.octets_each);
            std::slice::from_raw_parts(start, length)
        }
    }

    /// Gives a buffer that is ours back; the kernel sees it after [`Self::publish`].
    pub(super) fn recycle(&mut self, buffer: u16) {
        let ours = std::mem::replace(&mut self.ours[usize::from(buffer)], false);
        assert!(ours, "a buffer is given back once");
        // SAFETY: both offsets are within their allocations (`buffer` by the index above, the place by the mask). The
        // kernel reads entries before the published tail only, and this one is at or behind it: no more than `count`
        // buffers exist and each is given back once.
        unsafe {
            let start = self.octets.as_ptr().add(usize::from(buffer) * self.octets_each);
            let place = self.entries.as_ptr().add(usize::from(self.tail & (self.count - 1)));
            (*place).set_addr(start.expose_provenance() as u64);
            (*place).set_len(u32::try_from(self.octets_each).unwrap_or(u32::MAX));
            (*place).set_bid(buffer);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    /// Lets the kernel see what was given back.
    pub(super) fn publish(&self) {
        // SAFETY: the tail lies within the first entry, is aligned for 16 bits, and is written here and read by the
        // kernel only.
        unsafe {
            let tail = BufRingEntry::tail(self.entries.as_ptr()).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with these layouts. `Ring` drops this only when the kernel is done with it.
        unsafe {
            dealloc(self.entries.as_ptr().cast(), Self::entries_layout(self.count));
            dealloc(self.octets.as_ptr(), Self::octets_layout(self.count, self.octets_each));
        }
    }
}

fn allocate(layout: Layout) -> NonNull<u8> {
    assert!(layout.size() > 0, "no allocation is empty");
    // SAFETY: the size is not zero.
    NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_ours_between_completion_and_recycling() {
        let mut incoming = Incoming::new(4, 64);
        incoming.take(2);
        assert_eq!(incoming.octets(2, 64), [0; 64]);
        incoming.recycle(2);
        incoming.publish();
        assert_eq!(incoming.tail, 5, "four at the beginning and one since");
        let twice = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| incoming.recycle(2)));
        assert!(twice.is_err(), "given back twice");
    }
}
