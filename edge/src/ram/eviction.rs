//! S3-FIFO: which object leaves when room is needed. Pure: it knows hashes and octets, no objects.
//!
//! Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023, Algorithm 1. New
//! objects enter a small queue; who was used twice by its end moves to the main queue, the others
//! leave and are remembered in the ghost queue; who comes back from there enters the main queue at
//! once. The main queue gives another round to whoever was used since the last one. Thus a scan
//! passes through the small tenth and leaves the rest alone.

use super::ghost::{GHOST_ENTRY_OCTETS, Ghost};
use super::slots::{Fifo, Queue, SlotIndex, Slots};

/// Uses are counted up to here (two bits, as in the paper): more rounds than that would only make
/// the hand slower.
pub(super) const USES_MAX: u8 = 3;

/// Uses in the small queue that lead to the main queue: more than one, as in the paper.
const USES_TO_PROMOTE: u8 = 2;

/// The small queue's share of what is resident is one in so many (10 %, as in the paper).
const SMALL_ONE_IN: u64 = 10;

/// Objects that one eviction passes over because they were used. Each costs a walk of a chain under
/// the writers' lock, in all some 100 us: with more, one insertion could wait for the hand to go
/// round a hot cache of millions (three times); with fewer, more hot objects would leave before
/// colder ones behind them (one in so many, at worst).
const REPRIEVES_MAX: u32 = 1024;

/// Where the index finds an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The hash of its key.
    pub(super) hash: u64,
    /// Its slot, unique among residents: what names it.
    pub(super) slot: SlotIndex,
}

/// What the eviction hand does with the count of an object's uses when it looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing.
    Keep,
    /// Counts one use less, down to zero.
    Spend,
}

/// The queues.
pub(super) struct Eviction {
    slots: Slots,
    small: Fifo,
    main: Fifo,
    ghost: Ghost,
}

impl Eviction {
    /// Empty queues with a ghost table of `ghost_entries`, a power of two.
    pub(super) fn new(ghost_entries: usize) -> Self {
        let (small, main) = (Fifo::new(Queue::Small), Fifo::new(Queue::Main));
        Self { slots: Slots::new(), small, main, ghost: Ghost::new(ghost_entries) }
    }

    /// What the ghost table takes from the start.
    pub(super) fn fixed_octets(ghost_entries: usize) -> u64 {
        ghost_entries as u64 * GHOST_ENTRY_OCTETS
    }

    /// True when [`Eviction::grow`] is due before the next [`Eviction::admit`].
    pub(super) fn is_full(&self) -> bool {
        self.slots.is_full()
    }

    /// Makes more slots: [`super::slots::CHUNK_OCTETS`].
    pub(super) fn grow(&mut self) {
        self.slots.grow();
    }

    /// Gives a new object its place: in the main queue when it left the small one not long ago, or
    /// when it is the `heir` of a proven object that it replaces.
    pub(super) fn admit(&mut self, hash: u64, octets: u64, heir: bool) -> SlotIndex {
        // As many ghosts as residents: the paper's "as many as main's objects", also while main is
        // filling.
        let window = self.small.objects() + self.main.objects();
        let returned = self.ghost.take(hash, window);
        let queue = if heir || returned { &mut self.main } else { &mut self.small };
        queue.push(&mut self.slots, hash, octets)
    }

    /// The queue in which the object stands.
    pub(super) fn queue(&self, slot: SlotIndex) -> Queue {
        self.slots.queue(slot)
    }

    /// Takes out an object that was removed or replaced, without a ghost. Returns its octets.
    pub(super) fn forget(&mut self, slot: SlotIndex) -> u64 {
        let (_, octets) = self.slots.object(slot);
        match self.slots.queue(slot) {
            Queue::Small => self.small.remove(&mut self.slots, slot),
            Queue::Main => self.main.remove(&mut self.slots, slot),
        }
        octets
    }

    /// Chooses one object, takes it out of its queue and returns its place and octets; `None` when
    /// there is none. `uses` says how often an object was used and spends one use when told to.
    pub(super) fn evict(
        &mut self,
        mut uses: impl FnMut(Place, Look) -> u8,
    ) -> Option<(Place, u64)> {
        let mut reprieves = 0;
        loop {
            let (queue, slot) = self.candidate()?;
            let (hash, octets) = self.slots.object(slot);
            let place = Place { hash, slot };
            let may_stay = reprieves < REPRIEVES_MAX;
            match queue {
                Queue::Small if may_stay && uses(place, Look::Keep) >= USES_TO_PROMOTE => {
                    self.small.hand_over(&mut self.slots, slot, &mut self.main);
                }
                Queue::Main if may_stay && uses(place, Look::Spend) > 0 => {
                    self.main.renew(&mut self.slots, slot);
                }
                Queue::Small => {
                    self.small.remove(&mut self.slots, slot);
                    self.ghost.insert(hash);
                    return Some((place, octets));
                }
                Queue::Main => {
                    self.main.remove(&mut self.slots, slot);
                    return Some((place, octets));
                }
            }
            reprieves += 1;
        }
    }

    /// The oldest of the small queue when that has more than its share, else the oldest of the main
    /// queue.
    fn candidate(&self) -> Option<(Queue, SlotIndex)> {
        let resident_octets = self.small.octets() + self.main.octets();
        let small = self.small.oldest().map(|slot| (Queue::Small, slot));
        let main = self.main.oldest().map(|slot| (Queue::Main, slot));
        if self.small.octets() > resident_octets / SMALL_ONE_IN {
            small.or(main)
        } else {
            main.or(small)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// The queues over objects of one octet, with the counts of uses beside them.
    struct World {
        eviction: Eviction,
        uses: HashMap<u64, u8>,
        slots: HashMap<u64, SlotIndex>,
    }

    impl World {
        fn new() -> Self {
            let (uses, slots) = (HashMap::new(), HashMap::new());
            Self { eviction: Eviction::new(1024), uses, slots }
        }

        fn admit(&mut self, n: u64, heir: bool) -> Queue {
            if self.eviction.is_full() {
                self.eviction.grow();
            }
            let slot = self.eviction.admit(hash(n), 1, heir);
            self.slots.insert(n, slot);
            self.eviction.queue(slot)
        }

        fn evict(&mut self) -> Option<u64> {
            let uses = &mut self.uses;
            let (place, octets) = self.eviction.evict(|place, look| {
                let count = uses.entry(number(place.hash)).or_default();
                let before = *count;
                if look == Look::Spend {
                    *count = count.saturating_sub(1);
                }
                before
            })?;
            assert_eq!(octets, 1);
            self.slots.remove(&number(place.hash));
            Some(number(place.hash))
        }
    }

    fn hash(n: u64) -> u64 {
        n << 32 | n
    }

    fn number(hash: u64) -> u64 {
        hash >> 32
    }

    #[test]
    fn who_leaves_first() {
        type Uses = [(u64, u8)];
        let rows: [(&Uses, &[u64], &str); 5] = [
            (&[], &[2, 4, 6, 8], "in the order in which they came"),
            (&[(2, 1)], &[2, 4, 6, 8], "one use is not enough to be promoted"),
            (&[(2, 2)], &[4, 6, 8, 2], "two uses are: it leaves last"),
            (&[(2, 2), (4, 3)], &[6, 8, 2, 4], "main: fewer uses, fewer rounds"),
            (&[(2, 3), (4, 3), (6, 3), (8, 3)], &[2, 4, 6, 8], "all alike: first in, first out"),
        ];
        for (uses, expected, why) in rows {
            let mut world = World::new();
            for n in [2, 4, 6, 8] {
                assert_eq!(world.admit(n, false), Queue::Small);
            }
            world.uses.extend(uses.iter().copied());
            let order: Vec<_> = std::iter::from_fn(|| world.evict()).collect();
            assert_eq!(order, expected, "{why}");
        }
    }

    #[test]
    fn who_enters_main() {
        let mut world = World::new();
        for n in (2..200).step_by(2) {
            world.admit(n, false);
        }
        assert_eq!(world.evict(), Some(2));
        assert_eq!(world.admit(2, false), Queue::Main, "it left just now: a ghost");
        assert_eq!(world.evict(), Some(4));
        let slot = world.slots[&6];
        assert_eq!(world.eviction.forget(slot), 1);
        assert_eq!(world.admit(6, false), Queue::Small, "removed, not evicted: no ghost");
        assert_eq!(world.admit(1000, true), Queue::Main, "the heir of a proven object");
        for n in 0..200 {
            world.admit(2001 + 2 * n, false);
            world.evict();
        }
        world.eviction.forget(world.slots[&2]);
        assert_eq!(
            world.admit(4, false),
            Queue::Small,
            "its ghost is older than the residents are many"
        );
    }

    #[test]
    fn the_hand_gives_up_after_a_bounded_number_of_reprieves() {
        let mut world = World::new();
        for n in 1..=10_000 {
            world.admit(n, true);
            world.uses.insert(n, USES_MAX);
        }
        let mut looks = 0;
        world.eviction.evict(|_, _| {
            looks += 1;
            1
        });
        assert_eq!(looks, REPRIEVES_MAX);
    }

    #[test]
    fn small_keeps_its_share() {
        let mut world = World::new();
        for n in 1..=900 {
            world.admit(n, true);
        }
        for n in 1001..=1300 {
            world.admit(n, false);
        }
        for _ in 0..200 {
            assert!(world.evict().is_some_and(|n| n > 1000), "small is above a tenth");
        }
        assert_eq!(world.evict(), Some(1), "small has its tenth: main pays");
    }
}
