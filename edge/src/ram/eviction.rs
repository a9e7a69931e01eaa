//! S3-FIFO: which object leaves when room is needed. Pure: it knows hashes, octets and uses, no contents.
//!
//! Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023, Algorithm 1. New
//! objects enter a small queue; who was used twice by its end moves to the main queue, the others
//! leave and are remembered in the ghost queue; who comes back from there enters the main queue at
//! once. The main queue gives another round to whoever was used since the last one. Thus a scan
//! passes through the small tenth and leaves the rest alone.

use super::fifo::{Fifo, Member};
use super::ghost::{GHOST_ENTRY_OCTETS, Ghost};

/// Uses are counted up to here (two bits, as in the paper): more rounds than that would only make
/// the hand slower.
pub(super) const USES_MAX: u8 = 3;

/// Uses in the small queue that lead to the main queue: more than one, as in the paper.
const USES_TO_PROMOTE: u8 = 2;

/// The small queue's share of what is resident is one in so many (10 %, as in the paper).
const SMALL_ONE_IN: u64 = 10;

/// Objects that one eviction passes over because they were used. Each costs a look at its head under
/// the writers' lock, in all some 100 us: with more, one insertion could wait for the hand to go
/// round a hot cache of millions (three times); with fewer, more hot objects would leave before
/// colder ones behind them (one in so many, at worst).
const REPRIEVES_MAX: u32 = 1024;

/// Objects of the main queue looked at for one that wastes memory: a few microseconds.
const WASTERS_LOOKED_AT_MAX: usize = 64;

/// Which queue an object stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// On probation.
    Small,
    /// Proven.
    Main,
}

/// What stands in the queues.
pub(super) trait Resident: Member {
    /// The hash of its key.
    fn hash(&self) -> u64;
    /// The queue in which it stands.
    fn queue(&self) -> Queue;
    /// It stands in another one.
    fn set_queue(&self, queue: Queue);
    /// Uses since it was stored or last passed over by the hand, up to [`USES_MAX`].
    fn uses(&self) -> u8;
    /// Counts one use less, down to zero.
    fn spend_use(&self);
}

/// The queues.
pub(super) struct Eviction<T> {
    small: Fifo<T>,
    main: Fifo<T>,
    ghost: Ghost,
    /// How far the main queue was looked through for objects that waste memory.
    looked_at: usize,
}

impl<T: Resident> Eviction<T> {
    /// Empty queues with a ghost table of `ghost_entries`, a power of two.
    pub(super) fn new(ghost_entries: usize) -> Self {
        let (small, main) = (Fifo::new(), Fifo::new());
        Self { small, main, ghost: Ghost::new(ghost_entries), looked_at: 0 }
    }

    /// What the ghost table takes from the start.
    pub(super) fn fixed_octets(ghost_entries: usize) -> u64 {
        ghost_entries as u64 * GHOST_ENTRY_OCTETS
    }

    /// Gives a new object its place: in the main queue when it left the small one not long ago, or
    /// when it is the `heir` of a proven object that it replaces.
    pub(super) fn admit(&mut self, object: T, heir: bool) {
        // As many ghosts as residents: the paper's "as many as main's objects", also while main is
        // filling.
        let window = self.small.members() + self.main.members();
        let returned = self.ghost.take(object.hash(), window as u64);
        self.push(object, if heir || returned { Queue::Main } else { Queue::Small });
    }

    /// Takes out an object that was removed or replaced, without a ghost.
    pub(super) fn forget(&mut self, object: &T) -> T {
        self.fifo(object.queue()).remove(object.place())
    }

    /// Chooses one object and takes it out of its queue; `None` when there is none.
    pub(super) fn evict(&mut self) -> Option<T> {
        let mut reprieves = 0;
        loop {
            let (queue, place) = self.candidate()?;
            let object = self.fifo(queue).remove(place);
            let (uses, may_stay) = (object.uses(), reprieves < REPRIEVES_MAX);
            match queue {
                Queue::Small if may_stay && uses >= USES_TO_PROMOTE => {
                    self.push(object, Queue::Main);
                }
                Queue::Main if may_stay && uses > 0 => {
                    object.spend_use();
                    self.push(object, Queue::Main);
                }
                Queue::Small => {
                    self.ghost.insert(object.hash());
                    return Some(object);
                }
                Queue::Main => return Some(object),
            }
            reprieves += 1;
        }
    }

    /// Takes an object of the main queue out that `wastes` memory, if there is one among the next ones that are looked
    /// at. It is remembered as if it had left the small queue: when it comes back, it stands where it stood.
    pub(super) fn evict_waster(&mut self, wastes: impl Fn(&T) -> bool) -> Option<T> {
        for _ in 0..WASTERS_LOOKED_AT_MAX.min(self.main.places()) {
            self.looked_at = (self.looked_at + 1) % self.main.places();
            if let Some(object) = self.main.at(self.looked_at).filter(|object| wastes(object)) {
                let place = object.place();
                self.ghost.insert(object.hash());
                return Some(self.main.remove(place));
            }
        }
        None
    }

    /// The oldest of the small queue when that has more than its share, else the oldest of the main
    /// queue.
    fn candidate(&self) -> Option<(Queue, u32)> {
        let resident_octets = self.small.octets() + self.main.octets();
        let small = self.small.oldest().map(|object| (Queue::Small, object.place()));
        let main = self.main.oldest().map(|object| (Queue::Main, object.place()));
        if self.small.octets() > resident_octets / SMALL_ONE_IN {
            small.or(main)
        } else {
            main.or(small)
        }
    }

    fn fifo(&mut self, queue: Queue) -> &mut Fifo<T> {
        match queue {
            Queue::Small => &mut self.small,
            Queue::Main => &mut self.main,
        }
    }

    fn push(&mut self, object: T, queue: Queue) {
        object.set_queue(queue);
        self.fifo(queue).push(object);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::HashMap;
    use std::rc::Rc;

    use super::*;

    /// An object of one octet.
    struct Number {
        number: u64,
        place: Cell<u32>,
        queue: Cell<Queue>,
        uses: Cell<u8>,
        looks: Rc<Cell<u32>>,
    }

    impl Member for Rc<Number> {
        fn place(&self) -> u32 {
            self.place.get()
        }

        fn set_place(&self, place: u32) {
            self.place.set(place);
        }

        fn cost(&self) -> u64 {
            1
        }
    }

    impl Resident for Rc<Number> {
        fn hash(&self) -> u64 {
            self.number << 32 | self.number
        }

        fn queue(&self) -> Queue {
            self.queue.get()
        }

        fn set_queue(&self, queue: Queue) {
            self.queue.set(queue);
        }

        fn uses(&self) -> u8 {
            self.looks.set(self.looks.get() + 1);
            self.uses.get()
        }

        fn spend_use(&self) {
            self.uses.set(self.uses.get() - 1);
        }
    }

    /// The queues, and what is in them by number.
    struct World {
        eviction: Eviction<Rc<Number>>,
        objects: HashMap<u64, Rc<Number>>,
        looks: Rc<Cell<u32>>,
    }

    impl World {
        fn new() -> Self {
            let eviction = Eviction::new(1024);
            Self { eviction, objects: HashMap::new(), looks: Rc::default() }
        }

        fn admit(&mut self, number: u64, heir: bool) -> Queue {
            let (place, queue, uses) = (Cell::new(0), Cell::new(Queue::Small), Cell::new(0));
            let looks = Rc::clone(&self.looks);
            let object = Rc::new(Number { number, place, queue, uses, looks });
            self.eviction.admit(Rc::clone(&object), heir);
            let queue = object.queue();
            self.objects.insert(number, object);
            queue
        }

        fn use_it(&self, number: u64, uses: u8) {
            self.objects[&number].uses.set(uses);
        }

        fn evict(&mut self) -> Option<u64> {
            let evicted = self.eviction.evict()?.number;
            self.objects.remove(&evicted).map(|object| object.number)
        }

        fn forget(&mut self, number: u64) {
            let object = self.objects.remove(&number).unwrap();
            assert_eq!(self.eviction.forget(&object).number, number);
        }
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
            uses.iter().for_each(|&(number, uses)| world.use_it(number, uses));
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
        world.forget(6);
        assert_eq!(world.admit(6, false), Queue::Small, "removed, not evicted: no ghost");
        assert_eq!(world.admit(1000, true), Queue::Main, "the heir of a proven object");
        for n in 0..200 {
            world.admit(2001 + 2 * n, false);
            world.evict();
        }
        world.forget(2);
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
            world.use_it(n, USES_MAX);
        }
        world.evict();
        assert_eq!(world.looks.get(), REPRIEVES_MAX + 1);
    }

    #[test]
    fn wasters_leave_the_main_queue_and_come_back_there() {
        let mut world = World::new();
        for n in 1..=300 {
            world.admit(n, n % 2 == 0);
        }
        let mut left = Vec::new();
        for _ in 0..10 {
            let waster = world.eviction.evict_waster(|object| object.number % 100 < 4);
            left.extend(waster.map(|object| object.number));
        }
        left.sort_unstable();
        assert_eq!(left, [2, 100, 102, 200, 202, 300], "and nobody of the small queue");
        assert_eq!(world.admit(200, false), Queue::Main);
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
