//! Objects: a value, its key and its octets in one block of the heap, shared by reference counts.
#![allow(
    unsafe_code,
    reason = "a reference-counted pointer to a value with octets behind it, in memory of our own"
)]

use std::fmt;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::atomic::{
    AtomicU8, AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};

use arc_swap::{ArcSwapAny, RefCnt};

use super::Stored;
use super::eviction::{Queue, Resident, USES_MAX};
use super::fifo::Member;
use super::heap::{BLOCK_OCTETS_MAX, Block, UNIT_OCTETS};

/// A place of the index: an object, or none, which readers take as it stands without a lock.
pub(super) type Link<V> = ArcSwapAny<Option<Handle<V>>>;

/// What a reference count must not reach: each reference takes memory somewhere, so there are never so many.
const REFERENCES_MAX: u32 = u32::MAX / 2;

/// Not in the store: not yet, or no longer.
const APART: u8 = 0;
const IN_SMALL: u8 = 1;
const IN_MAIN: u8 = 2;
/// No longer in the store, and not for want of room: replaced, or taken out.
const REMOVED: u8 = 3;

/// A value with its key and its octets: immutable, but for what the tier notes in it.
#[repr(C)]
pub struct Object<V> {
    head: Head<V>,
    /// The key, then the rest.
    octets: [u8],
}

/// The fixed part of an object: 32 octets and the value.
#[repr(C)]
struct Head<V> {
    /// The next object of its bucket.
    next: Link<V>,
    /// The hash of its key.
    hash: u64,
    /// Handles to it.
    references: AtomicU32,
    /// Octets behind the head.
    octets: u32,
    /// Its place in the queue; written by who holds the writers' lock.
    place: AtomicU32,
    key_octets: u16,
    /// Uses since it was stored or last passed over by the hand, up to [`USES_MAX`]. Increments may
    /// be lost between threads: they only guide eviction.
    uses: AtomicU8,
    /// In which queue it stands, if it is in the store. When it has left, readers who come to its end look anew from
    /// the start of the bucket.
    standing: AtomicU8,
    value: V,
}

/// A counted reference to an [`Object`], like an `Arc`; the last one frees its memory.
pub struct Handle<V>(NonNull<Head<V>>);

// SAFETY: like `Arc`: handles of several threads share the value, and the last one, in whatever thread, drops it. All
// else in the object is immutable or atomic.
unsafe impl<V: Send + Sync> Send for Handle<V> {}
// SAFETY: as above.
unsafe impl<V: Send + Sync> Sync for Handle<V> {}

impl<V> Handle<V> {
    /// What the block of an object takes whose key and octets are so long; `None` when that is more than there can be.
    pub(super) fn block_octets(octets: usize) -> Option<usize> {
        let octets =
            size_of::<Head<V>>().checked_add(octets)?.checked_next_multiple_of(UNIT_OCTETS)?;
        (octets <= BLOCK_OCTETS_MAX).then_some(octets)
    }

    /// An object in `block`, which was made for it.
    pub(super) fn new(block: Block, hash: u64, key: &[u8], octets: &[&[u8]], value: V) -> Self {
        const { assert!(align_of::<Head<V>>() <= UNIT_OCTETS, "a value aligned to more than a block") };
        let length = key.len() + octets.iter().map(|part| part.len()).sum::<usize>();
        assert!(Self::block_octets(length) == Some(block.octets()), "a block of another size");
        let head = Head {
            next: Link::new(None),
            hash,
            references: AtomicU32::new(1),
            octets: u32::try_from(length).expect("a block is smaller than a segment"),
            place: AtomicU32::new(0),
            key_octets: u16::try_from(key.len()).expect("keys are checked before"),
            uses: AtomicU8::new(0),
            standing: AtomicU8::new(APART),
            value,
        };
        let pointer = block.into_pointer().cast::<Head<V>>();
        // SAFETY: the block has room for the head and, behind it, for all octets (asserted above); it is aligned to a
        // unit, which is enough for the head (asserted above); nobody else refers to it.
        unsafe {
            pointer.write(head);
            let mut end = pointer.add(1).cast::<u8>();
            for part in [key].iter().chain(octets) {
                end.copy_from_nonoverlapping(NonNull::from(*part).cast(), part.len());
                end = end.add(part.len());
            }
        }
        Self(pointer)
    }

    fn fixed(&self) -> &Head<V> {
        // SAFETY: the block is freed only when the last handle is dropped, and there is this one.
        unsafe { self.0.as_ref() }
    }

    /// The value.
    pub fn value(&self) -> &V {
        &self.fixed().value
    }

    pub(super) fn next(&self) -> &Link<V> {
        &self.fixed().next
    }

    /// Whether it is the same object.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// What the block takes.
    pub(super) fn block(&self) -> u64 {
        let octets = Self::block_octets(self.fixed().octets as usize);
        octets.expect("it has a block") as u64
    }

    /// Where the block is.
    pub(super) fn pointer(&self) -> NonNull<u8> {
        self.0.cast()
    }

    pub(super) fn holds(&self, hash: u64, key: &[u8]) -> bool {
        self.fixed().hash == hash && self.key() == key
    }

    /// Writes only when the count changes: a hot object's line stays shared between the cores. Returns whether it has.
    pub(super) fn count_use(&self) -> bool {
        let uses = self.fixed().uses.load(Relaxed);
        if uses < USES_MAX {
            self.fixed().uses.store(uses + 1, Relaxed);
        }
        uses < USES_MAX
    }

    pub(super) fn set_uses(&self, uses: u8) {
        self.fixed().uses.store(uses, Relaxed);
    }

    /// Whether it is not in the store: not yet, or no longer. Who sees that nothing is behind it and asks this then
    /// learns whether that was so when it was in the store.
    pub(super) fn is_apart(&self) -> bool {
        matches!(self.fixed().standing.load(Acquire), APART | REMOVED)
    }

    /// Whether it was replaced or taken out of the store, and not only evicted.
    #[must_use]
    pub fn was_removed(&self) -> bool {
        self.fixed().standing.load(Acquire) == REMOVED
    }

    pub(super) fn set_removed(&self) {
        self.fixed().standing.store(REMOVED, Release);
    }

    pub(super) fn set_apart(&self) {
        self.fixed().standing.store(APART, Release);
    }
}

impl<V> Object<V> {
    /// What it is stored under.
    pub fn key(&self) -> &[u8] {
        &self.octets[..usize::from(self.head.key_octets)]
    }

    /// The octets that were stored with the value, one part behind the other.
    pub fn octets(&self) -> &[u8] {
        &self.octets[usize::from(self.head.key_octets)..]
    }
}

impl<V> Deref for Handle<V> {
    type Target = Object<V>;

    fn deref(&self) -> &Object<V> {
        let length = self.fixed().octets as usize;
        let object =
            ptr::slice_from_raw_parts(self.0.as_ptr().cast::<u8>(), length) as *const Object<V>;
        // SAFETY: a head and so many octets behind it were written by `new` into a block that is at least as large as
        // the object with its padding (at most up to the head's alignment, which divides a unit); it lives as long as
        // this handle, and the octets are not written to any more.
        unsafe { &*object }
    }
}

impl<V> Clone for Handle<V> {
    fn clone(&self) -> Self {
        // As in `Arc`: who has a handle may make another one without looking at what others do.
        let references = self.fixed().references.fetch_add(1, Relaxed);
        assert!(references < REFERENCES_MAX, "handles are being leaked");
        Self(self.0)
    }
}

impl<V> Drop for Handle<V> {
    fn drop(&mut self) {
        if self.fixed().references.fetch_sub(1, Release) != 1 {
            return;
        }
        // As in `Arc`: all that others did with the object happens before it goes.
        fence(Acquire);
        let octets = Self::block_octets(self.fixed().octets as usize).expect("it has a block");
        // SAFETY: this was the last handle, so nobody refers to the object; head and block came from `new` and go once.
        unsafe {
            ptr::drop_in_place(self.0.as_ptr());
            drop(Block::from_pointer(self.0.cast(), octets));
        }
    }
}

// SAFETY: a handle is a pointer to the object's head, where its count is, and equal pointers mean the same object: an
// object is never empty, and its block is not used again while there is a handle. `into_ptr` gives up the handle
// without touching the count and `from_ptr` takes it up again; nothing here panics, but for a count that can't be
// reached.
unsafe impl<V> RefCnt for Handle<V> {
    type Base = u8;

    fn into_ptr(me: Self) -> *mut u8 {
        let pointer = Self::as_ptr(&me);
        std::mem::forget(me);
        pointer
    }

    fn as_ptr(me: &Self) -> *mut u8 {
        me.0.as_ptr().cast()
    }

    unsafe fn from_ptr(pointer: *const u8) -> Self {
        // SAFETY: only called with what `into_ptr` or `as_ptr` returned, which is not null.
        Self(unsafe { NonNull::new_unchecked(pointer.cast_mut().cast()) })
    }
}

impl<V: Stored> Member for Handle<V> {
    fn place(&self) -> u32 {
        self.fixed().place.load(Relaxed)
    }

    fn set_place(&self, place: u32) {
        self.fixed().place.store(place, Relaxed);
    }

    fn cost(&self) -> u64 {
        self.block() + self.value().octets() + self.value().reserved_octets()
    }
}

impl<V: Stored> Resident for Handle<V> {
    fn hash(&self) -> u64 {
        self.fixed().hash
    }

    fn queue(&self) -> Queue {
        match self.fixed().standing.load(Relaxed) {
            IN_MAIN => Queue::Main,
            _ => Queue::Small,
        }
    }

    fn set_queue(&self, queue: Queue) {
        let standing = match queue {
            Queue::Small => IN_SMALL,
            Queue::Main => IN_MAIN,
        };
        self.fixed().standing.store(standing, Relaxed);
    }

    fn uses(&self) -> u8 {
        self.fixed().uses.load(Relaxed)
    }

    fn spend_use(&self) {
        self.fixed().uses.store(Resident::uses(self).saturating_sub(1), Relaxed);
    }
}

impl<V: fmt::Debug> fmt::Debug for Handle<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("value", self.value()).finish_non_exhaustive()
    }
}
