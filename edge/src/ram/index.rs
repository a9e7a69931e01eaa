//! The index: from the hash of a key to the variants stored under it, read without a lock.
//!
//! Each bucket holds an immutable chain. A reader takes it as it stands at that moment (`arc-swap`:
//! a debt noted in the thread's own cache line, so that the chain's count of references, a shared
//! line, is not written), a writer puts a new chain in its place, sharing with the old one all
//! links behind the last one that goes. What was taken out is freed by whoever lets go of it last:
//! at once, unless a reader is in that very chain, and then by that reader. So what is freed late
//! is at most one chain per thread inside [`Index::lookup`].
//!
//! Epochs (`crossbeam-epoch`) were measured against this: taking and leaving a bucket costs 6 ns
//! with them and 13 ns here, beside the 4,000 ns of a hit. They need `unsafe`, free late and by the
//! batch, and let a reader allocate while it collects.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use arc_swap::ArcSwapOption;

use super::eviction::{Look, Place, USES_MAX};
use super::slots::SlotIndex;

/// One stored value, and the rest of its bucket's chain.
pub(super) struct Link<V> {
    hash: u64,
    next: Chain<V>,
    key: Arc<[u8]>,
    value: Arc<V>,
    slot: SlotIndex,
    /// Uses since it was stored or last passed over by the hand, up to [`USES_MAX`]. Increments may
    /// be lost between threads: they only guide eviction.
    uses: AtomicU8,
}

/// A bucket's content, most recently stored first.
pub(super) type Chain<V> = Option<Arc<Link<V>>>;

/// What is to be stored.
pub(super) struct Addition<V> {
    /// The hash of the key.
    pub(super) hash: u64,
    /// The key.
    pub(super) key: Arc<[u8]>,
    /// The value.
    pub(super) value: Arc<V>,
    /// Its place in the queues.
    pub(super) slot: SlotIndex,
    /// How many uses it starts with.
    pub(super) uses: u8,
}

/// A fixed number of buckets.
pub(super) struct Index<V> {
    buckets: Box<[ArcSwapOption<Link<V>>]>,
}

impl<V> Index<V> {
    /// An empty index of so many buckets, a power of two.
    pub(super) fn new(buckets: usize) -> Self {
        assert!(buckets.is_power_of_two(), "buckets: {buckets}");
        Self { buckets: (0..buckets).map(|_| ArcSwapOption::empty()).collect() }
    }

    /// What an index of so many buckets takes from the start.
    pub(super) fn fixed_octets(buckets: usize) -> u64 {
        (buckets * size_of::<ArcSwapOption<Link<V>>>()) as u64
    }

    /// The first answer of `choose` to a variant stored under `key`, most recently stored first;
    /// counts a use of it. `choose` runs while the chain is held, and may be told of a variant that
    /// is being taken out at this moment.
    pub(super) fn lookup<R>(
        &self,
        hash: u64,
        key: &[u8],
        mut choose: impl FnMut(&Arc<V>) -> Option<R>,
    ) -> Option<R> {
        let chain = self.bucket(hash).load();
        let mut next = chain.as_ref();
        while let Some(link) = next {
            if link.holds(hash, key)
                && let Some(chosen) = choose(&link.value)
            {
                link.count_use();
                return Some(chosen);
            }
            next = link.next.as_ref();
        }
        None
    }

    /// Tells `each` the slot, value and uses of the variants stored under `key`, most recently
    /// stored first. The writer's view: only one thread at a time may use this and what follows.
    pub(super) fn variants(&self, hash: u64, key: &[u8], mut each: impl FnMut(SlotIndex, &V, u8)) {
        let chain = self.bucket(hash).load();
        for link in walk(&chain).filter(|link| link.holds(hash, key)) {
            each(link.slot, &link.value, link.uses.load(Relaxed));
        }
    }

    /// What `look` sees of the value in `place`.
    pub(super) fn value<R>(&self, place: Place, look: impl FnOnce(&V) -> R) -> R {
        let chain = self.bucket(place.hash).load();
        let link = walk(&chain).find(|link| link.slot == place.slot);
        look(&link.expect("what stands in a queue is in the index").value)
    }

    /// How often the value in `place` was used, before one use is spent if so said.
    pub(super) fn uses(&self, place: Place, look: Look) -> u8 {
        let chain = self.bucket(place.hash).load();
        let link = walk(&chain).find(|link| link.slot == place.slot);
        let link = link.expect("what stands in a queue is in the index");
        let uses = link.uses.load(Relaxed);
        if look == Look::Spend && uses > 0 {
            link.uses.store(uses - 1, Relaxed);
        }
        uses
    }

    /// Takes the values in the slots `gone` out of the bucket of `hash` and puts `addition` in
    /// front, all at one moment. Returns the chain as it was, to be dropped where freeing takes
    /// nobody's time.
    pub(super) fn replace(
        &self,
        hash: u64,
        gone: &[SlotIndex],
        addition: Option<Addition<V>>,
    ) -> Chain<V> {
        let bucket = self.bucket(hash);
        let mut chain = without(&bucket.load(), gone);
        if let Some(Addition { hash, key, value, slot, uses }) = addition {
            let uses = AtomicU8::new(uses);
            chain = Some(Arc::new(Link { hash, next: chain, key, value, slot, uses }));
        }
        bucket.swap(chain)
    }

    fn bucket(&self, hash: u64) -> &ArcSwapOption<Link<V>> {
        // The low bits; the ghost queue's fingerprints are the high ones.
        &self.buckets[hash as usize & (self.buckets.len() - 1)]
    }
}

impl<V> Link<V> {
    fn holds(&self, hash: u64, key: &[u8]) -> bool {
        self.hash == hash && *self.key == *key
    }

    /// Writes only when the count changes: a hot object's line stays shared between the cores.
    fn count_use(&self) {
        let uses = self.uses.load(Relaxed);
        if uses < USES_MAX {
            self.uses.store(uses + 1, Relaxed);
        }
    }

    fn followed_by(&self, next: Chain<V>) -> Self {
        Self {
            hash: self.hash,
            next,
            key: Arc::clone(&self.key),
            value: Arc::clone(&self.value),
            slot: self.slot,
            uses: AtomicU8::new(self.uses.load(Relaxed)),
        }
    }
}

fn walk<V>(chain: &Chain<V>) -> impl Iterator<Item = &Link<V>> {
    std::iter::successors(chain.as_deref(), |link| link.next.as_deref())
}

/// The chain without the links in the slots `gone`: those before the last of them are copied, those
/// behind it shared.
fn without<V>(chain: &Chain<V>, gone: &[SlotIndex]) -> Chain<V> {
    let is_gone = |link: &Link<V>| gone.contains(&link.slot);
    let Some(last) = walk(chain).enumerate().filter(|(_, link)| is_gone(link)).last() else {
        return chain.clone();
    };
    let (last_index, last_link) = last;
    let kept: Vec<_> = walk(chain).take(last_index).filter(|link| !is_gone(link)).collect();
    let mut rest = last_link.next.clone();
    for link in kept.into_iter().rev() {
        rest = Some(Arc::new(link.followed_by(rest)));
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::super::slots::{Fifo, Queue, Slots};
    use super::*;

    fn slots(count: usize) -> Vec<SlotIndex> {
        let (mut slots, mut fifo) = (Slots::new(), Fifo::new(Queue::Small));
        slots.grow();
        (0..count).map(|_| fifo.push(&mut slots, 0, 0)).collect()
    }

    fn add(index: &Index<u64>, hash: u64, key: &[u8], value: u64, slot: SlotIndex) {
        let addition = Addition { hash, key: key.into(), value: Arc::new(value), slot, uses: 0 };
        index.replace(hash, &[], Some(addition));
    }

    fn found(index: &Index<u64>, hash: u64, key: &[u8]) -> Vec<u64> {
        let mut values = Vec::new();
        let none: Option<()> = index.lookup(hash, key, |value| {
            values.push(**value);
            None
        });
        assert_eq!(none, None);
        values
    }

    #[test]
    fn removal_from_a_chain() {
        let rows: [(&[usize], &[u64], &str); 6] = [
            (&[], &[4, 3, 2, 1, 0], "most recently stored first"),
            (&[4], &[3, 2, 1, 0], "the head"),
            (&[0], &[4, 3, 2, 1], "the end: all others are copied"),
            (&[2], &[4, 3, 1, 0], "the middle"),
            (&[1, 3], &[4, 2, 0], "two at once"),
            (&[0, 1, 2, 3, 4], &[], "all"),
        ];
        for (gone, expected, why) in rows {
            let index = Index::new(1);
            let slots = slots(5);
            for (n, slot) in slots.iter().enumerate() {
                add(&index, 7, b"key", n as u64, *slot);
            }
            let gone: Vec<_> = gone.iter().map(|&n| slots[n]).collect();
            drop(index.replace(7, &gone, None));
            assert_eq!(found(&index, 7, b"key"), expected, "{why}");
        }
    }

    #[test]
    fn who_shares_a_bucket() {
        let index = Index::new(1);
        let slots = slots(3);
        add(&index, 7, b"one", 1, slots[0]);
        add(&index, 7, b"two", 2, slots[1]);
        add(&index, 8, b"one", 3, slots[2]);
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
    fn uses_saturate_are_spent_and_survive_copies() {
        let index = Index::new(1);
        let slots = slots(2);
        add(&index, 7, b"old", 0, slots[0]);
        add(&index, 7, b"key", 1, slots[1]);
        let place = Place { hash: 7, slot: slots[1] };
        assert_eq!(index.uses(place, Look::Spend), 0);
        for _ in 0..10 {
            assert_eq!(index.lookup(7, b"key", |value| Some(**value)), Some(1));
        }
        drop(index.replace(7, &[slots[0]], None));
        let counts = [Look::Keep, Look::Spend, Look::Spend, Look::Spend, Look::Spend];
        assert_eq!(counts.map(|look| index.uses(place, look)), [3, 3, 2, 1, 0]);
    }

    #[test]
    fn a_reader_keeps_what_it_is_looking_at_and_nobody_else_does() {
        let index = Index::new(1);
        let slots = slots(1);
        let value = Arc::new(1);
        let witness = Arc::downgrade(&value);
        let addition =
            Addition { hash: 7, key: b"key".as_slice().into(), value, slot: slots[0], uses: 0 };
        index.replace(7, &[], Some(addition));
        index.lookup(7, b"key", |value| {
            drop(index.replace(7, &slots, None));
            assert_eq!(**value, 1);
            assert!(witness.upgrade().is_some());
            Some(())
        });
        assert!(witness.upgrade().is_none(), "freed by the reader as it left");
    }
}
