//! The memory of objects: blocks of any size, in pages that are taken from the system and given back one by one.
//!
//! Address space costs nothing, so that memory is never lost to sizes that have gone out of use: a block that fits into
//! no hole gets new pages, and the pages that are whole within holes go back for that. What is counted is pages, which
//! is what the process has resident.
#![allow(
    unsafe_code,
    reason = "memory mapped from the system, and blocks in it that are owned like boxes"
)]

use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::intervals::Intervals;

/// Blocks are multiples of this, and so aligned to it: all that the fields of an object need.
pub(super) const UNIT_OCTETS: usize = 8;

/// What memory is counted in. The kernel's pages; where those are larger, memory goes back less often than counted.
pub(super) const PAGE_OCTETS: usize = 4096;

/// Address space is taken in segments of this size and alignment, so that a block's address leads to its segment.
/// Large, so that their number stays far below `vm.max_map_count` (65,530) on machines of terabytes.
const SEGMENT_OCTETS: usize = 64 << 20;

const SEGMENT_UNITS: u64 = (SEGMENT_OCTETS / UNIT_OCTETS) as u64;
const SEGMENT_PAGES: u64 = (SEGMENT_OCTETS / PAGE_OCTETS) as u64;
const PAGE_UNITS: u64 = (PAGE_OCTETS / UNIT_OCTETS) as u64;

/// The largest block: its segment without the page of the segment's head.
pub(super) const BLOCK_OCTETS_MAX: usize = SEGMENT_OCTETS - PAGE_OCTETS;

/// Holes looked at for whole pages that could be given back, the longest first. More would find pages in shorter holes,
/// but a cache of objects of one page has thousands of those.
const HOLES_LOOKED_AT_MAX: usize = 64;

/// At the start of each segment.
#[repr(C)]
struct SegmentHead {
    heap: *const Heap,
    number: u64,
}

/// See the head of this file. Its blocks keep it alive.
pub(super) struct Heap {
    free: Mutex<Free>,
    /// Octets of pages that are in use, wholly or in part; of blocks.
    committed: AtomicU64,
    live: AtomicU64,
}

/// What is free, as intervals of numbers that count through all segments.
#[derive(Default)]
struct Free {
    segments: Vec<NonNull<u8>>,
    /// Within pages that are in use, in units.
    holes: Intervals,
    /// Pages that the system has.
    vacant: Intervals,
}

// SAFETY: the pointers to the segments are only read, under the lock, and what they point to is memory of this heap
// alone until it is dropped.
unsafe impl Send for Free {}

/// A block, owned: nobody else refers to its octets. Freed when it is dropped, by whatever thread.
pub(super) struct Block {
    pointer: NonNull<u8>,
    octets: usize,
}

// SAFETY: a block is owned like a box, and freeing it takes the heap's lock.
unsafe impl Send for Block {}

impl Heap {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            free: Mutex::default(),
            committed: AtomicU64::new(0),
            live: AtomicU64::new(0),
        })
    }

    /// Octets of pages that are in use, wholly or in part.
    pub(super) fn committed(&self) -> u64 {
        self.committed.load(Relaxed)
    }

    /// Octets of blocks that are in use.
    pub(super) fn live(&self) -> u64 {
        self.live.load(Relaxed)
    }

    /// A block of `octets`, a multiple of [`UNIT_OCTETS`], out of a hole; `None` when it fits into none.
    pub(super) fn take(self: &Arc<Self>, octets: usize) -> Option<Block> {
        assert!(octets > 0 && octets.is_multiple_of(UNIT_OCTETS), "a block of {octets}");
        let mut free = self.lock();
        let start = free.holes.take((octets / UNIT_OCTETS) as u64)?;
        let pointer = free.address(start);
        drop(free);
        self.live.fetch_add(octets as u64, Relaxed);
        let _kept_by_the_block = Arc::into_raw(Arc::clone(self));
        Some(Block { pointer, octets })
    }

    /// What [`Heap::commit`] would take from the system for a block of `octets`.
    pub(super) fn need(&self, octets: usize) -> u64 {
        let pages = pages_for(octets);
        let new_segment = !self.lock().vacant.has(pages);
        (pages + u64::from(new_segment)) * PAGE_OCTETS as u64
    }

    /// Takes pages from the system, so that there is a hole for a block of `octets`; false when the system has none.
    /// Only one thread at a time may use this, [`Heap::need`] and [`Heap::release`].
    pub(super) fn commit(self: &Arc<Self>, octets: usize) -> bool {
        assert!(octets <= BLOCK_OCTETS_MAX, "a block of {octets}");
        let pages = pages_for(octets);
        let mut free = self.lock();
        let mut taken = pages;
        if !free.vacant.has(pages) {
            let number = free.segments.len() as u64;
            let Ok(segment) = map_segment() else { return false };
            // SAFETY: the mapping is new, writable, aligned to far more than a `SegmentHead`, and larger.
            unsafe { segment.cast().write(SegmentHead { heap: Arc::as_ptr(self), number }) };
            free.segments.push(segment);
            let (first, head_units) =
                (number * SEGMENT_UNITS, size_of::<SegmentHead>().div_ceil(UNIT_OCTETS) as u64);
            free.holes.insert(first + head_units, PAGE_UNITS - head_units);
            free.vacant.insert(number * SEGMENT_PAGES + 1, SEGMENT_PAGES - 1);
            taken += 1;
        }
        let first = free.vacant.take(pages).expect("a new segment has pages for any block");
        free.holes.insert(first * PAGE_UNITS, pages * PAGE_UNITS);
        self.committed.fetch_add(taken * PAGE_OCTETS as u64, Relaxed);
        true
    }

    /// Gives pages that are whole within holes back to the system, as many as `octets` fill. Returns how many octets.
    pub(super) fn release(&self, octets: u64) -> u64 {
        let mut free = self.lock();
        let mut released = 0;
        while released < octets {
            let wanted = (octets - released).div_ceil(PAGE_OCTETS as u64);
            let Some((hole, first, pages)) = free.whole_pages() else { break };
            let pages = pages.min(wanted);
            let pointer = free.address(first * PAGE_UNITS);
            // SAFETY: these pages are within a hole, which nothing refers to, and the lock keeps it from being taken.
            if unsafe {
                libc::madvise(
                    pointer.as_ptr().cast(),
                    pages as usize * PAGE_OCTETS,
                    libc::MADV_DONTNEED,
                )
            } != 0
            {
                break;
            }
            free.holes.carve(hole, (first * PAGE_UNITS, pages * PAGE_UNITS));
            free.vacant.insert(first, pages);
            released += pages * PAGE_OCTETS as u64;
        }
        self.committed.fetch_sub(released, Relaxed);
        released
    }

    /// Whether most of the page in which the block at `pointer` begins is free.
    pub(super) fn is_sparse(&self, pointer: NonNull<u8>) -> bool {
        let page = start_of(pointer).1 / PAGE_UNITS * PAGE_UNITS;
        self.lock().holes.overlap(page, page + PAGE_UNITS) > PAGE_UNITS / 2
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        for segment in &self.lock().segments {
            // SAFETY: mapped by `map_segment` with this size. Blocks keep the heap alive, so there is none any more.
            unsafe { libc::munmap(segment.as_ptr().cast(), SEGMENT_OCTETS) };
        }
    }
}

impl Free {
    fn address(&self, unit: u64) -> NonNull<u8> {
        let segment = self.segments[(unit / SEGMENT_UNITS) as usize];
        // SAFETY: the offset is within the segment, which is one mapping.
        unsafe { segment.add((unit % SEGMENT_UNITS) as usize * UNIT_OCTETS) }
    }

    /// A hole with whole pages in it, and the number of the first and how many they are.
    fn whole_pages(&self) -> Option<((u64, u64), u64, u64)> {
        let holes = self.holes.longest_first().take(HOLES_LOOKED_AT_MAX);
        let long = holes.take_while(|(_, units)| *units >= PAGE_UNITS);
        long.map(|(start, units)| {
            let first = start.div_ceil(PAGE_UNITS);
            let end = (start + units) / PAGE_UNITS;
            ((start, units), first, end.saturating_sub(first))
        })
        .find(|(_, _, pages)| *pages > 0)
    }
}

impl Block {
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// Lets go of the block without freeing it. The pointer to its first octet may be used for all of it, and for
    /// nothing else.
    pub(super) fn into_pointer(self) -> NonNull<u8> {
        let pointer = self.pointer;
        std::mem::forget(self);
        pointer
    }

    /// The block of `octets` at `pointer` again.
    ///
    /// # Safety
    /// They are those of a block that [`Block::into_pointer`] has let go, and it is taken up again only once.
    pub(super) unsafe fn from_pointer(pointer: NonNull<u8>, octets: usize) -> Self {
        Self { pointer, octets }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let (heap, start) = start_of(self.pointer);
        if cfg!(debug_assertions) {
            // Who still reads it shall notice. SAFETY: the octets belong to the block, which nobody else refers to.
            unsafe { ptr::write_bytes(self.pointer.as_ptr(), 0xdb, self.octets) };
        }
        // SAFETY: the block holds one of the counts of this `Arc`, from `take`, and gives it up here, once.
        let heap = unsafe { Arc::from_raw(heap) };
        heap.lock().holes.insert(start, (self.octets / UNIT_OCTETS) as u64);
        heap.live.fetch_sub(self.octets as u64, Relaxed);
    }
}

/// The heap of the block at `pointer`, and the number of its first unit.
fn start_of(pointer: NonNull<u8>) -> (*const Heap, u64) {
    let head = pointer.as_ptr().map_addr(|address| address & !(SEGMENT_OCTETS - 1));
    // SAFETY: a block is within one segment, which begins at a multiple of its size with a `SegmentHead` that is not
    // written to after the segment was made. The pointer came from the segment's, by additions, so it may be used
    // there.
    let &SegmentHead { heap, number } = unsafe { &*head.cast::<SegmentHead>() };
    let offset = pointer.as_ptr().addr() - head.addr();
    (heap, number * SEGMENT_UNITS + (offset / UNIT_OCTETS) as u64)
}

fn pages_for(octets: usize) -> u64 {
    octets.div_ceil(PAGE_OCTETS) as u64
}

/// Address space of a segment, without memory behind it yet.
fn map_segment() -> io::Result<NonNull<u8>> {
    let octets = 2 * SEGMENT_OCTETS;
    let (protection, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
    );
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let mapped = unsafe { libc::mmap(ptr::null_mut(), octets, protection, flags, -1, 0) };
    if mapped == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let before = mapped.cast::<u8>().align_offset(SEGMENT_OCTETS);
    let behind = octets - SEGMENT_OCTETS - before;
    // SAFETY: `before` and `behind` are what the mapping has more than an aligned segment at its two ends; nothing has
    // used it yet. The segment is advised on as a whole. Failures are harmless: address space stays taken, and pages
    // come in other sizes than counted.
    unsafe {
        let segment = mapped.byte_add(before);
        if before > 0 {
            libc::munmap(mapped, before);
        }
        if behind > 0 {
            libc::munmap(segment.byte_add(SEGMENT_OCTETS), behind);
        }
        // Huge pages would be resident where only some of their pages are in use.
        libc::madvise(segment, SEGMENT_OCTETS, libc::MADV_NOHUGEPAGE);
        NonNull::new(segment.cast()).ok_or_else(|| io::Error::other("mapped at address zero"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::mpsc;

    use super::*;

    impl Block {
        fn fill(&self, value: u8) {
            // SAFETY: the block is owned, and nobody else is looking at it.
            unsafe { ptr::write_bytes(self.pointer.as_ptr(), value, self.octets) };
        }

        fn is_full_of(&self, value: u8) -> bool {
            // SAFETY: as above; `fill` has initialised it.
            let octets = unsafe { std::slice::from_raw_parts(self.pointer.as_ptr(), self.octets) };
            octets.iter().all(|octet| *octet == value)
        }
    }

    fn block(heap: &Arc<Heap>, octets: usize) -> Block {
        heap.take(octets).unwrap_or_else(|| {
            let (need, before) = (heap.need(octets), heap.committed());
            assert!(heap.commit(octets));
            assert_eq!(heap.committed(), before + need, "as said");
            heap.take(octets).expect("it fits now")
        })
    }

    #[test]
    fn blocks_keep_their_octets_whoever_frees_others() {
        let heap = Heap::new();
        let (sender, others) = mpsc::channel::<(Block, u8)>();
        let (mut seed, mut blocks, mut octets) = (3_u64, VecDeque::new(), 0);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for (block, value) in others {
                    assert!(block.is_full_of(value), "somebody wrote into it");
                }
            });
            for n in 0..if cfg!(miri) { 200 } else { 20_000 } {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let some = (seed >> 33) as usize;
                let size = (16 << (some % 13)) + some % 4096 / 16 * 16;
                let (new, value) = (block(&heap, size), n as u8);
                new.fill(value);
                octets += size;
                blocks.push_back((new, value));
                while octets > 4 << 20 {
                    let index = if some.is_multiple_of(3) { some % blocks.len() } else { 0 };
                    let (block, value) = blocks.remove(index).expect("there is one");
                    octets -= block.octets();
                    assert!(block.is_full_of(value), "somebody wrote into it");
                    if some.is_multiple_of(2) {
                        sender.send((block, value)).expect("the thread listens");
                    }
                }
                if n % 100 == 0 {
                    heap.release(64 << 10);
                }
            }
            drop(sender);
        });
        assert_eq!(heap.live(), octets as u64);
        drop(blocks);
        assert_eq!(heap.live(), 0);
        // All but the page with the segment's head.
        heap.release(u64::MAX);
        assert_eq!(heap.committed(), PAGE_OCTETS as u64);
        assert_eq!(heap.lock().holes.count(), 1);
    }

    #[test]
    fn whole_pages_go_back() {
        let heap = Heap::new();
        let blocks: Vec<_> = (0..64).map(|_| block(&heap, PAGE_OCTETS)).collect();
        let committed = heap.committed();
        assert_eq!(heap.release(u64::MAX), 0, "all are in use");
        drop(blocks);
        assert_eq!(heap.release(10_000), 3 * PAGE_OCTETS as u64, "as many as asked for");
        assert_eq!(heap.committed(), committed - 3 * PAGE_OCTETS as u64);
        let again = block(&heap, 100 * PAGE_OCTETS);
        again.fill(1);
        assert!(again.is_full_of(1));
        assert!(heap.take(BLOCK_OCTETS_MAX).is_none(), "no hole for it");
        let largest = block(&heap, BLOCK_OCTETS_MAX);
        assert_eq!(heap.lock().segments.len(), 2, "a segment of its own");
        drop(heap);
        drop((again, largest));
    }
}
