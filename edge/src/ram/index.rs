//! The index: from the hash of a key to the objects stored under it, read without a lock.
//!
//! Each bucket is a chain of objects. A reader takes each link as it stands at that moment
//! (`arc-swap`: a debt noted in the thread's own cache line, so that the object's count of
//! references, a shared line, is not written) and lets go of the one before. A writer puts objects in
//! at the front and takes them out by leading the link before around them. What was taken out is
//! freed by whoever lets go of it last: at once, unless a reader is looking at that very object, and
//! then by that reader.
//!
//! Immutable chains were tried before: one link to load instead of one for each object (13 ns each,
//! beside the 4,000 ns of a hit), but an allocation of its own for each object's place in the chain,
//! and copies of those before what goes. Epochs (`crossbeam-epoch`) were measured, too: taking and
//! leaving a bucket costs 6 ns with them; they need `unsafe`, free late and by the batch, and let a
//! reader allocate while it collects.

use arc_swap::{Guard, RefCnt};

use super::object::{Handle, Link};

/// A fixed number of buckets.
pub(super) struct Index<V> {
    buckets: Box<[Link<V>]>,
}

impl<V> Index<V> {
    /// An empty index of so many buckets, a power of two.
    pub(super) fn new(buckets: usize) -> Self {
        assert!(buckets.is_power_of_two(), "buckets: {buckets}");
        Self { buckets: (0..buckets).map(|_| Link::new(None)).collect() }
    }

    /// What an index of so many buckets takes from the start.
    pub(super) fn fixed_octets(buckets: usize) -> u64 {
        (buckets * size_of::<Link<V>>()) as u64
    }

    /// The first answer of `choose` to an object stored under `key`, most recently stored first; counts
    /// a use of it, and tells `on_use` if it was among the first few. `choose` runs while the object is held. It may be
    /// told of an object that is being taken out at this moment, and of the same one twice.
    pub(super) fn lookup<R>(
        &self,
        hash: u64,
        key: &[u8],
        mut choose: impl FnMut(&Handle<V>) -> Option<R>,
        on_use: impl FnOnce(&Handle<V>),
    ) -> Option<R> {
        let bucket = self.bucket(hash);
        let mut guard = bucket.load();
        let mut first = address(&guard);
        loop {
            let Some(object) = &*guard else {
                // What replaced an object came to the front before that left the chain behind us.
                guard = bucket.load();
                if address(&guard) == first {
                    return None;
                }
                first = address(&guard);
                continue;
            };
            if object.holds(hash, key)
                && let Some(chosen) = choose(object)
            {
                if object.count_use() {
                    on_use(object);
                }
                return Some(chosen);
            }
            let next = object.next().load();
            if next.is_none() && object.is_apart() {
                guard = bucket.load();
                first = address(&guard);
            } else {
                guard = next;
            }
        }
    }

    /// The objects stored under `key`, most recently stored first. The writer's view: only one thread
    /// at a time may use this and what follows.
    pub(super) fn objects(&self, hash: u64, key: &[u8]) -> impl Iterator<Item = Handle<V>> {
        let first = self.bucket(hash).load_full();
        let chain = std::iter::successors(first, |object| object.next().load_full());
        chain.filter(move |object| object.holds(hash, key))
    }

    /// All objects. For the writer, too.
    pub(super) fn all(&self) -> impl Iterator<Item = Handle<V>> {
        self.buckets.iter().flat_map(|bucket| {
            std::iter::successors(bucket.load_full(), |object| object.next().load_full())
        })
    }

    /// Puts an object in front of its bucket, that of `hash`.
    pub(super) fn push(&self, hash: u64, object: Handle<V>) {
        let bucket = self.bucket(hash);
        object.next().store(bucket.load_full());
        bucket.store(Some(object));
    }

    /// Takes an object out of its bucket, that of `hash`.
    ///
    /// # Panics
    /// When it is not there.
    pub(super) fn remove(&self, hash: u64, object: &Handle<V>) {
        let mut before: Option<Handle<V>> = None;
        loop {
            let link = before.as_ref().map_or(self.bucket(hash), Handle::next);
            let here = link.load_full().expect("what stands in a queue is in the index");
            if here.is(object) {
                link.store(object.next().load_full());
                break;
            }
            before = Some(here);
        }
        // In this order: who sees that nothing is behind it any more sees why. It must not keep alive what was.
        object.set_apart();
        object.next().store(None);
    }

    fn bucket(&self, hash: u64) -> &Link<V> {
        // The low bits; the ghost queue's fingerprints are the high ones.
        &self.buckets[hash as usize & (self.buckets.len() - 1)]
    }
}

/// Where the object is, for comparison.
fn address<V>(guard: &Guard<Option<Handle<V>>>) -> *mut u8 {
    RefCnt::as_ptr(&**guard)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use super::super::Stored;
    use super::super::eviction::{Queue, Resident};
    use super::super::heap::Heap;
    use super::*;

    impl Stored for u64 {}

    fn object(heap: &Arc<Heap>, hash: u64, key: &[u8], value: u64) -> Handle<u64> {
        let octets = Handle::<u64>::block_octets(key.len()).unwrap();
        let block = heap.take(octets).or_else(|| {
            assert!(heap.commit(octets));
            heap.take(octets)
        });
        let object = Handle::new(block.unwrap(), hash, key, &[], value);
        object.set_queue(Queue::Small);
        object
    }

    fn add(index: &Index<u64>, heap: &Arc<Heap>, hash: u64, key: &[u8], value: u64) -> Handle<u64> {
        let object = object(heap, hash, key, value);
        index.push(hash, object.clone());
        object
    }

    fn look<R>(
        index: &Index<u64>,
        hash: u64,
        key: &[u8],
        choose: impl FnMut(&Handle<u64>) -> Option<R>,
    ) -> Option<R> {
        index.lookup(hash, key, choose, |_| ())
    }

    fn found(index: &Index<u64>, hash: u64, key: &[u8]) -> Vec<u64> {
        let mut values = Vec::new();
        let none: Option<()> = look(index, hash, key, |object| {
            values.push(*object.value());
            None
        });
        assert_eq!(none, None);
        let objects = index.objects(hash, key).map(|object| *object.value());
        assert!(objects.eq(values.iter().copied()), "writers see the same");
        values
    }

    #[test]
    fn removal_from_a_chain() {
        let rows: [(&[usize], &[u64], &str); 6] = [
            (&[], &[4, 3, 2, 1, 0], "most recently stored first"),
            (&[4], &[3, 2, 1, 0], "the head"),
            (&[0], &[4, 3, 2, 1], "the end"),
            (&[2], &[4, 3, 1, 0], "the middle"),
            (&[1, 3], &[4, 2, 0], "two"),
            (&[0, 1, 2, 3, 4], &[], "all"),
        ];
        for (gone, expected, why) in rows {
            let (index, heap) = (Index::new(1), Heap::new());
            let objects: Vec<_> = (0..5).map(|n| add(&index, &heap, 7, b"key", n)).collect();
            gone.iter().for_each(|&n| index.remove(7, &objects[n]));
            assert_eq!(found(&index, 7, b"key"), expected, "{why}");
            let gone: u64 = gone.len() as u64;
            drop(objects);
            assert_eq!(heap.live(), (5 - gone) * 48, "{why}: freed");
            drop(index);
            assert_eq!(heap.live(), 0, "{why}: all freed with the index");
        }
    }

    #[test]
    fn who_shares_a_bucket() {
        let (index, heap) = (Index::new(1), Heap::new());
        add(&index, &heap, 7, b"one", 1);
        add(&index, &heap, 7, b"two", 2);
        add(&index, &heap, 8, b"one", 3);
        let rows: [(u64, &[u8], &[u64], &str); 4] = [
            (7, b"one", &[1], "same hash, other key"),
            (7, b"two", &[2], "same hash, other key"),
            (8, b"one", &[3], "same key, other hash: not what was stored"),
            (9, b"one", &[], "nothing"),
        ];
        for (hash, key, expected, why) in rows {
            assert_eq!(found(&index, hash, key), expected, "{why}");
        }
    }

    #[test]
    fn uses_saturate_and_are_spent() {
        let (index, heap) = (Index::new(1), Heap::new());
        let object = add(&index, &heap, 7, b"key", 1);
        object.spend_use();
        assert_eq!(object.uses(), 0);
        for _ in 0..10 {
            assert_eq!(look(&index, 7, b"key", |object| Some(*object.value())), Some(1));
        }
        let mut uses = Vec::new();
        for _ in 0..5 {
            uses.push(object.uses());
            object.spend_use();
        }
        assert_eq!(uses, [3, 2, 1, 0, 0]);
    }

    #[test]
    fn a_reader_keeps_what_it_is_looking_at_and_nobody_else_does() {
        let (index, heap) = (Index::new(1), Heap::new());
        let [old, seen] = [0, 1].map(|n| add(&index, &heap, 7, b"key", n));
        let (mut old, mut seen) = (Some(old), Some(seen));
        look(&index, 7, b"key", |object| {
            for gone in [seen.take(), old.take()].into_iter().flatten() {
                index.remove(7, &gone);
            }
            assert_eq!((*object.value(), heap.live()), (1, 48), "only what it looks at");
            Some(())
        });
        assert_eq!(heap.live(), 0, "freed by the reader as it left");
    }

    #[test]
    fn a_reader_goes_on_where_it_can_when_its_place_goes() {
        let (index, heap) = (Index::new(1), Heap::new());
        let objects: Vec<_> = (0..3).map(|n| add(&index, &heap, 7, b"key", n)).collect();
        let mut seen = Vec::new();
        look(&index, 7, b"key", |object| {
            seen.push(*object.value());
            if *object.value() == 2 {
                index.remove(7, &objects[2]);
                index.remove(7, &objects[1]);
                add(&index, &heap, 7, b"key", 3);
            }
            None::<()>
        });
        assert_eq!(seen, [2, 3, 0], "what came meanwhile, and what stayed");
    }

    #[test]
    fn what_is_replaced_is_never_missing() {
        let (index, heap, done) = (Index::new(1), Heap::new(), AtomicBool::new(false));
        for n in 0..3 {
            add(&index, &heap, n, b"other", n);
        }
        let mut current = add(&index, &heap, 7, b"key", 0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut last = 0;
                    while !done.load(Relaxed) {
                        let value = look(&index, 7, b"key", |object: &Handle<u64>| {
                            (object.key() == b"key").then_some(*object.value())
                        });
                        assert!(value.is_some_and(|value| value >= last), "{value:?} after {last}");
                        last = value.unwrap();
                    }
                });
            }
            for n in 1..if cfg!(miri) { 50 } else { 50_000 } {
                let next = add(&index, &heap, 7, b"key", n);
                index.remove(7, &current);
                current = next;
            }
            done.store(true, Relaxed);
        });
    }
}
