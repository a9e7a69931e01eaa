//! Places in the queues: a slab of doubly linked slots, so that leaving from the middle leaves
//! nothing behind.

use std::mem;

/// Slots made at a time: small enough to be made room for like an object, large enough to be rare.
const CHUNK_SLOTS: usize = 64;

/// What [`Slots::grow`] adds to the process: the slots, their allocation and their place in the
/// list of chunks (twice, because a list doubles).
pub(super) const CHUNK_OCTETS: u64 =
    (CHUNK_SLOTS * mem::size_of::<Slot>() + 16 + 2 * mem::size_of::<Box<[Slot]>>()) as u64;

/// No slot: the end of a list.
const NONE: u32 = u32::MAX;

/// Names one slot. It stays valid until the slot is freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotIndex(u32);

/// Which queue an object stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// On probation.
    Small,
    /// Proven.
    Main,
}

/// One object's place.
#[derive(Clone, Copy)]
struct Slot {
    hash: u64,
    octets: u64,
    newer: u32,
    older: u32,
    queue: Queue,
}

/// The memory of all slots. It grows by chunks and does not shrink: freed slots are used again.
pub(super) struct Slots {
    chunks: Vec<Box<[Slot]>>,
    /// The free ones, linked by `older`.
    free: u32,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new(), free: NONE }
    }

    /// True when [`Slots::grow`] is due before the next slot is taken.
    pub(super) fn is_full(&self) -> bool {
        self.free == NONE
    }

    /// Adds a chunk of free slots, [`CHUNK_OCTETS`].
    pub(super) fn grow(&mut self) {
        let first = (self.chunks.len() * CHUNK_SLOTS) as u32;
        assert!(first < NONE - CHUNK_SLOTS as u32, "four billion objects in RAM");
        let vacant = Slot { hash: 0, octets: 0, newer: NONE, older: NONE, queue: Queue::Small };
        self.chunks.push(vec![vacant; CHUNK_SLOTS].into_boxed_slice());
        for index in (first..first + CHUNK_SLOTS as u32).rev() {
            self.slot(index).older = self.free;
            self.free = index;
        }
    }

    /// Hash and octets of the object in the slot.
    pub(super) fn object(&self, slot: SlotIndex) -> (u64, u64) {
        let Slot { hash, octets, .. } = self.read(slot);
        (hash, octets)
    }

    /// The queue in which the object in the slot stands.
    pub(super) fn queue(&self, slot: SlotIndex) -> Queue {
        self.read(slot).queue
    }

    fn read(&self, SlotIndex(index): SlotIndex) -> Slot {
        self.chunks[index as usize / CHUNK_SLOTS][index as usize % CHUNK_SLOTS]
    }

    /// A slot off the free list, its links for the caller to set.
    fn take(&mut self, hash: u64, octets: u64) -> u32 {
        let index = self.free;
        assert!(index != NONE, "the slab was grown before a slot was taken");
        self.free = self.slot(index).older;
        let slot = self.slot(index);
        (slot.hash, slot.octets) = (hash, octets);
        index
    }

    fn slot(&mut self, index: u32) -> &mut Slot {
        &mut self.chunks[index as usize / CHUNK_SLOTS][index as usize % CHUNK_SLOTS]
    }
}

/// A queue of slots with the sum of their octets.
pub(super) struct Fifo {
    queue: Queue,
    newest: u32,
    oldest: u32,
    octets: u64,
    objects: u64,
}

impl Fifo {
    pub(super) fn new(queue: Queue) -> Self {
        Self { queue, newest: NONE, oldest: NONE, octets: 0, objects: 0 }
    }

    pub(super) fn octets(&self) -> u64 {
        self.octets
    }

    pub(super) fn objects(&self) -> u64 {
        self.objects
    }

    pub(super) fn oldest(&self) -> Option<SlotIndex> {
        (self.oldest != NONE).then_some(SlotIndex(self.oldest))
    }

    /// Gives the object a slot at the new end.
    pub(super) fn push(&mut self, slots: &mut Slots, hash: u64, octets: u64) -> SlotIndex {
        let index = slots.take(hash, octets);
        self.link(slots, index);
        SlotIndex(index)
    }

    /// Takes the object out, from wherever it stands, and frees its slot.
    pub(super) fn remove(&mut self, slots: &mut Slots, SlotIndex(index): SlotIndex) {
        self.unlink(slots, index);
        slots.slot(index).older = slots.free;
        slots.free = index;
    }

    /// Moves the object to the new end of `to`; its slot stays the same.
    pub(super) fn hand_over(&mut self, slots: &mut Slots, slot: SlotIndex, to: &mut Self) {
        self.unlink(slots, slot.0);
        to.link(slots, slot.0);
    }

    /// Moves the object to the new end of this queue.
    pub(super) fn renew(&mut self, slots: &mut Slots, slot: SlotIndex) {
        self.unlink(slots, slot.0);
        self.link(slots, slot.0);
    }

    fn link(&mut self, slots: &mut Slots, index: u32) {
        let slot = slots.slot(index);
        (slot.newer, slot.older, slot.queue) = (NONE, self.newest, self.queue);
        self.octets += slot.octets;
        self.objects += 1;
        match self.newest {
            NONE => self.oldest = index,
            newest => slots.slot(newest).newer = index,
        }
        self.newest = index;
    }

    fn unlink(&mut self, slots: &mut Slots, index: u32) {
        let Slot { octets, newer, older, .. } = *slots.slot(index);
        match newer {
            NONE => self.newest = older,
            newer => slots.slot(newer).older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => slots.slot(older).newer = newer,
        }
        self.octets -= octets;
        self.objects -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(fifo: &mut Fifo, slots: &mut Slots) -> Vec<u64> {
        let mut hashes = Vec::new();
        while let Some(slot) = fifo.oldest() {
            hashes.push(slots.object(slot).0);
            fifo.remove(slots, slot);
        }
        assert_eq!((fifo.octets(), fifo.objects()), (0, 0));
        hashes
    }

    #[test]
    fn removal_from_anywhere() {
        let rows: [(&[usize], &[u64], &str); 5] = [
            (&[], &[0, 1, 2, 3], "oldest first"),
            (&[0], &[1, 2, 3], "the oldest"),
            (&[3], &[0, 1, 2], "the newest"),
            (&[1, 2], &[0, 3], "from the middle"),
            (&[0, 1, 2, 3], &[], "all of them"),
        ];
        for (gone, expected, why) in rows {
            let (mut slots, mut fifo) = (Slots::new(), Fifo::new(Queue::Small));
            slots.grow();
            let places: Vec<_> = (0..4).map(|n| fifo.push(&mut slots, n, 10 + n)).collect();
            for &n in gone {
                fifo.remove(&mut slots, places[n]);
            }
            let octets: u64 = expected.iter().map(|n| 10 + n).sum();
            assert_eq!((fifo.octets(), fifo.objects()), (octets, expected.len() as u64), "{why}");
            assert_eq!(drain(&mut fifo, &mut slots), expected, "{why}");
        }
    }

    #[test]
    fn moves_keep_the_slot() {
        let (mut slots, mut small, mut main) =
            (Slots::new(), Fifo::new(Queue::Small), Fifo::new(Queue::Main));
        slots.grow();
        let places = [0, 1, 2].map(|n| small.push(&mut slots, n, 1));
        small.renew(&mut slots, places[0]);
        small.hand_over(&mut slots, places[1], &mut main);
        assert_eq!(slots.object(places[1]), (1, 1));
        assert_eq!(
            places.map(|place| slots.queue(place)),
            [Queue::Small, Queue::Main, Queue::Small]
        );
        assert_eq!(drain(&mut small, &mut slots), [2, 0]);
        assert_eq!(drain(&mut main, &mut slots), [1]);
    }

    #[test]
    fn freed_slots_are_used_again() {
        let (mut slots, mut fifo) = (Slots::new(), Fifo::new(Queue::Small));
        for n in 0..100_000_u64 {
            if slots.is_full() {
                slots.grow();
            }
            let slot = fifo.push(&mut slots, n, 1);
            if n >= CHUNK_SLOTS as u64 - 1 {
                fifo.remove(&mut slots, slot);
            }
        }
        assert_eq!(slots.chunks.len(), 1, "one chunk holds all that were there at one time");
    }
}
