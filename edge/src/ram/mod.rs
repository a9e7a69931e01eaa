//! The RAM tier: one cache for the process, bounded in octets, read by all cores without a lock.
//!
//! `index` (from key to objects, for readers) -> `object` (a value and its octets in one block) ->
//! `heap` (the memory of blocks, in pages), made of `intervals` (what is free); `eviction` (S3-FIFO: who
//! leaves), made of `fifo` (the queues) and `ghost` (who left); `room` (the account of octets,
//! reservations).
//!
//! A lookup takes no lock, allocates nothing and writes no line that another core reads, once an
//! object is hot. All changes are made under one mutex: they come at the rate of misses.

mod eviction;
mod fifo;
mod ghost;
mod heap;
mod index;
mod intervals;
mod object;
mod room;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ahash::RandomState;

use eviction::{Eviction, Queue, Resident};
use fifo::{CHUNK_OCTETS, Member};
use heap::{Block, Heap, PAGE_OCTETS};
use index::Index;
pub use object::{Handle, Object};
pub use room::Reservation;
use room::{Account, Room, Shortage};

/// Variants stored under one key. More than a site's languages and encodings make, few enough for a
/// walk at every hit: a key varied by something unbounded (User-Agent) shall not make a long chain.
pub const VARIANTS_MAX: usize = 16;

/// A smaller capacity is raised to this: below it the tables would take more than a sixth.
pub const CAPACITY_OCTETS_MIN: u64 = 256 << 10;

/// The largest object's share of the capacity is one in so many: a larger one would push out most
/// of the others.
const OBJECT_ONE_IN: u64 = 4;

/// Octets of capacity per bucket. Web objects are mostly larger than this, so that chains have one
/// link or none; the index then takes at most 0.4 % of the capacity. With fewer buckets a tier full
/// of 200-octet redirects (20 to a bucket now) would be slow, with more the index would be mostly
/// empty.
const BUCKET_OCTETS: u64 = 4096;

/// Buckets at least: a small tier holds small objects.
const BUCKETS_MIN: usize = 1024;

/// Ghosts per bucket: one for every 2 KiB or so, which is "as many as main's objects" while they
/// are larger than that on average. Each costs 8 octets.
const GHOSTS_PER_BUCKET: usize = 2;

/// What an object's place in a queue takes: a pointer, and its share of empty places.
const PLACE_OCTETS: u64 = 10;

/// What the queues take that is not counted by [`PLACE_OCTETS`].
const QUEUES_OCTETS: u64 = 2 * 3 * CHUNK_OCTETS;

/// The list of holes between objects takes this share of the capacity, at least a page: enough for
/// a hole to every eighth object of 1.3 KB. With a hole to every second one it takes 1 % more than
/// counted.
const HOLES_ONE_IN: u64 = 256;

/// Blocks leave one in so many octets of the capacity to reservations. Else each would take pages from the heap, which
/// had to give them back to the system, and the block behind it would take new ones.
const SPARE_ONE_IN: u64 = 256;

/// Octets free between small objects above which those go that keep a page each: this share of the capacity.
const WASTE_ONE_IN: u64 = 32;

/// Evictions in one turn under the writers' lock. A large object may push out thousands of small
/// ones; others get the lock in between.
const TURN_EVICTIONS_MAX: usize = 64;

/// What the tier needs to know of a stored value.
pub trait Stored: Send + Sync + 'static {
    /// Octets that the value has elsewhere on the heap, rounding included. Always the same.
    fn octets(&self) -> u64 {
        0
    }

    /// Octets of the reservations that it holds: its too, but counted already, and given back when nobody
    /// holds them any more, which may be long after it has left the tier. Always the same.
    fn reserved_octets(&self) -> u64 {
        0
    }
}

/// The RAM tier. To be shared as `Arc<RamTier<V>>`.
///
/// What is evicted, replaced or removed is freed at once, except for one object per thread that is
/// inside [`RamTier::lookup`] at this moment, and for those of which a caller holds a [`Handle`]:
/// their blocks stay counted as long as that.
pub struct RamTier<V> {
    hasher: RandomState,
    shared: Arc<Shared<V>>,
}

/// Is told of objects that were used again; see [`RamTier::observed`].
type Observer<V> = Box<dyn Fn(&Handle<V>) + Send + Sync>;

/// Lines that change at misses are kept apart from those that every hit reads.
struct Shared<V> {
    index: Apart<Index<V>>,
    writer: Apart<Mutex<Eviction<Handle<V>>>>,
    /// For blocks smaller than a page, and for others: an object that stays shall not keep the page of one that goes
    /// and is much larger.
    heaps: [Arc<Heap>; 2],
    account: Apart<Account>,
    counters: Apart<Counters>,
    observer: Option<Observer<V>>,
}

/// On cache lines of its own (two: the prefetcher fetches them in pairs).
#[repr(align(128))]
struct Apart<T>(T);

#[derive(Default)]
struct Counters {
    objects: AtomicU64,
    evictions: AtomicU64,
}

impl<V: Stored> RamTier<V> {
    /// An empty tier of `capacity_octets`, at least [`CAPACITY_OCTETS_MIN`]. Its tables, about 1 %
    /// of the capacity (a sixth of the smallest), are allocated now and count.
    pub fn new(capacity_octets: u64) -> Self {
        let capacity = capacity_octets.max(CAPACITY_OCTETS_MIN);
        let buckets = usize::try_from(capacity / BUCKET_OCTETS).unwrap_or(usize::MAX / 64);
        let buckets = buckets.max(BUCKETS_MIN).next_power_of_two();
        let ghosts = buckets * GHOSTS_PER_BUCKET;
        let holes = (capacity / HOLES_ONE_IN).max(PAGE_OCTETS as u64);
        let fixed = Index::<V>::fixed_octets(buckets)
            + Eviction::<Handle<V>>::fixed_octets(ghosts)
            + QUEUES_OCTETS
            + holes;
        let shared = Shared {
            index: Apart(Index::new(buckets)),
            writer: Apart(Mutex::new(Eviction::new(ghosts))),
            heaps: [Heap::new(), Heap::new()],
            account: Apart(Account::new(capacity, fixed)),
            counters: Apart(Counters::default()),
            observer: None,
        };
        Self { hasher: RandomState::new(), shared: Arc::new(shared) }
    }

    /// The same; `observer` is told of objects that have earned a place elsewhere: that are stored after they were used
    /// or evicted before, are used (at the first few uses of each), or are evicted although they were used. It runs while
    /// the object is held, and may run under the tier's lock: it must not call the tier.
    ///
    /// # Panics
    /// When it is shared already.
    #[must_use]
    pub fn observed(mut self, observer: impl Fn(&Handle<V>) + Send + Sync + 'static) -> Self {
        let shared = Arc::get_mut(&mut self.shared).expect("nobody else has it yet");
        shared.observer = Some(Box::new(observer));
        self
    }

    /// The hash of a key, with a random seed of this tier: who chooses keys cannot make them
    /// collide.
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Runs `choose` over the variants stored under `key`, most recently stored first, until it
    /// returns something, and counts a use of that variant. `hash` is [`RamTier::hash`] of `key`.
    ///
    /// Takes no lock and allocates nothing (the first time in a thread excepted). A variant cannot
    /// be freed while `choose` looks at it; it can clone a big one's handle or copy a small one out
    /// at once. While others change what is stored it may be shown a variant twice.
    pub fn lookup<R>(
        &self,
        hash: u64,
        key: &[u8],
        choose: impl FnMut(&Handle<V>) -> Option<R>,
    ) -> Option<R> {
        let on_use = |object: &Handle<V>| self.shared.observe(object);
        self.shared.index.0.lookup(hash, key, choose, on_use)
    }

    /// The variants stored under `key`, most recently stored first.
    pub fn variants(&self, hash: u64, key: &[u8]) -> Vec<Handle<V>> {
        let _writers_wait = self.shared.lock();
        self.shared.index.0.objects(hash, key).collect()
    }

    /// Stores `value` with `octets`, which are put one behind the other, as a variant of `key`: in
    /// place of those stored variants for which `replaces` says so and, beyond [`VARIANTS_MAX`], of the
    /// one stored first. Evicts until it fits. A reader sees either the old variants or the new one,
    /// never neither. One that replaces an object of the main queue takes over its standing.
    ///
    /// `replaces` runs under the tier's lock: it must not call the tier.
    ///
    /// # Errors
    /// Gives `value` back when it is larger than [`RamTier::object_octets_max`], or when
    /// reservations leave no room for it; what it would replace is then still there.
    pub fn insert(
        &self,
        hash: u64,
        key: &[u8],
        value: V,
        octets: &[&[u8]],
        replaces: impl Fn(&Handle<V>) -> bool,
    ) -> Result<Handle<V>, V> {
        let elsewhere = value.octets().saturating_add(value.reserved_octets());
        if elsewhere.saturating_add(sum(octets)) > self.object_octets_max()
            || u16::try_from(key.len()).is_err()
        {
            return Err(value);
        }
        let Some(mut room) = self.reserve(value.octets() + PLACE_OCTETS) else { return Err(value) };
        let Some(block) = self.shared.block(sum(octets) + key.len() as u64) else {
            return Err(value);
        };
        let object = Handle::new(block, hash, key, octets, value);
        let retired = self.shared.publish(&object, &mut room, replaces);
        drop(retired);
        if object.uses() > 0 || object.queue() == Queue::Main {
            self.shared.observe(&object);
        }
        Ok(object)
    }

    /// An object that is not stored, but counted as if it were; `None` when reservations leave no room
    /// for it.
    pub fn hold(&self, value: V, octets: &[&[u8]]) -> Option<Handle<V>> {
        let block = self.shared.block(sum(octets))?;
        Some(Handle::new(block, 0, b"", octets, value))
    }

    /// Like [`RamTier::hold`], also when there is no room: for what must be sent and can't be had otherwise. `None`
    /// only when the system has no memory.
    pub fn hold_anyway(&self, value: V, octets: &[&[u8]]) -> Option<Handle<V>> {
        let length = sum(octets);
        let block = self.shared.block(length).or_else(|| self.shared.forced_block(length))?;
        Some(Handle::new(block, 0, b"", octets, value))
    }

    /// Removes the variants of `key` for which `which` says so. Returns how many.
    ///
    /// `which` runs under the tier's lock: it must not call the tier.
    pub fn remove(&self, hash: u64, key: &[u8], which: impl Fn(&Handle<V>) -> bool) -> usize {
        let retired = {
            let mut eviction = self.shared.lock();
            let found = self.shared.index.0.objects(hash, key).filter(|object| which(object));
            let found: Vec<_> = found.collect();
            found
                .into_iter()
                .map(|object| self.shared.forget(&mut eviction, object))
                .collect::<Vec<_>>()
        };
        retired.len()
    }

    /// All objects, those that were used most first, and of those in the order of their keys.
    pub fn hottest_first(&self) -> Vec<Handle<V>> {
        let heat = |object: &Handle<V>| (object.queue() == Queue::Main, object.uses());
        let mut all: Vec<_> = {
            let _writers_wait = self.shared.lock();
            // Uses are counted meanwhile.
            self.shared.index.0.all().map(|object| (heat(&object), object)).collect()
        };
        all.sort_by(|(heat, object), (other_heat, other)| {
            other_heat.cmp(heat).then_with(|| object.key().cmp(other.key()))
        });
        all.into_iter().map(|(_, object)| object).collect()
    }

    /// Room for `octets` of a response that is still arriving, counted in the capacity until the
    /// reservation is dropped; evicts cold objects to make it. To store the response, drop the
    /// reservation and insert. None when even an empty tier would not have the room: too many in
    /// flight.
    pub fn reserve(&self, octets: u64) -> Option<Reservation> {
        Reservation::take(Arc::clone(&self.shared) as Arc<dyn Room>, octets)
    }

    /// The bound, in octets.
    pub fn capacity(&self) -> u64 {
        self.shared.account.0.capacity()
    }

    /// The largest value that is stored, with its octets: a quarter of the capacity.
    pub fn object_octets_max(&self) -> u64 {
        self.capacity() / OBJECT_ONE_IN
    }

    /// Octets in use: pages of objects, the holes between them included, tables, reservations. Never
    /// more than the capacity, but for what [`RamTier::hold_anyway`] has taken.
    pub fn octets(&self) -> u64 {
        self.shared.account.0.octets()
    }

    /// Those of [`RamTier::octets`] that are free: between objects, for others of fitting sizes.
    pub fn holes_octets(&self) -> u64 {
        self.shared.holes()
    }

    /// Objects (variants) resident.
    pub fn objects(&self) -> u64 {
        self.shared.counters.0.objects.load(Relaxed)
    }

    /// Objects evicted since the start; those replaced or removed do not count.
    pub fn evictions(&self) -> u64 {
        self.shared.counters.0.evictions.load(Relaxed)
    }
}

fn sum(octets: &[&[u8]]) -> u64 {
    octets.iter().map(|part| part.len() as u64).sum()
}

/// What an attempt to take memory came to.
enum Attempt<R> {
    Done(R),
    /// So many octets have to come free first.
    Missing(u64),
    Never,
}

impl<V: Stored> Shared<V> {
    /// A panic under the lock can only come from a caller's closure, which runs before anything is
    /// changed: what it guards is whole.
    fn lock(&self) -> MutexGuard<'_, Eviction<Handle<V>>> {
        self.writer.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets readers find the object, and no longer those which it replaces. Returns these, to be dropped where freeing
    /// takes nobody's time. `room` is what it takes beside its block.
    fn publish(
        &self,
        object: &Handle<V>,
        room: &mut Reservation,
        replaces: impl Fn(&Handle<V>) -> bool,
    ) -> Vec<Handle<V>> {
        let (hash, key) = (object.hash(), object.key());
        let mut eviction = self.lock();
        let variants = self.index.0.objects(hash, key);
        let (mut old, others): (Vec<_>, Vec<_>) = variants.partition(|other| replaces(other));
        let proven = old.iter().any(|old| old.queue() == Queue::Main);
        object.set_uses(old.iter().map(Resident::uses).max().unwrap_or(0));
        if others.len() >= VARIANTS_MAX {
            old.extend(others.into_iter().next_back());
        }
        room.hand_over(room.octets());
        self.account.0.settle(object.cost() + PLACE_OCTETS);
        self.counters.0.objects.fetch_add(1, Relaxed);
        eviction.admit(object.clone(), proven);
        self.index.0.push(hash, object.clone());
        old.into_iter().map(|old| self.forget(&mut eviction, old)).collect()
    }

    /// Takes an object out of the store.
    fn forget(&self, eviction: &mut Eviction<Handle<V>>, object: Handle<V>) -> Handle<V> {
        drop(eviction.forget(&object));
        self.index.0.remove(object.hash(), &object);
        object.set_removed();
        self.has_left(&object);
        object
    }

    fn observe(&self, object: &Handle<V>) {
        if let Some(observer) = &self.observer {
            observer(object);
        }
    }

    /// Evicts one object; false when there is none. What takes long to free goes to `retired`.
    fn evict(&self, eviction: &mut Eviction<Handle<V>>, retired: &mut Vec<Handle<V>>) -> bool {
        let waster = if self.wastes_much() {
            eviction.evict_waster(|object| self.wastes(object))
        } else {
            None
        };
        let Some(object) = waster.or_else(|| eviction.evict()) else { return false };
        // Under the lock: whoever removes it later finds it here or there.
        if object.uses() > 0 || object.queue() == Queue::Main {
            self.observe(&object);
        }
        self.index.0.remove(object.hash(), &object);
        self.has_left(&object);
        self.counters.0.evictions.fetch_add(1, Relaxed);
        if object.cost() != object.block() {
            retired.push(object);
        }
        true
    }

    /// Whether much of the memory of small blocks is free but can't be given back: what is left of small objects, after
    /// larger ones have come into use, keeps a page each.
    fn wastes_much(&self) -> bool {
        let [small, _] = &self.heaps;
        let (committed, live) = (small.committed(), small.live());
        let free = committed.saturating_sub(live);
        free > self.account.0.capacity() / WASTE_ONE_IN && free > committed / 4
    }

    fn wastes(&self, object: &Handle<V>) -> bool {
        let block = object.block() as usize;
        block < PAGE_OCTETS && self.heap(block).is_sparse(object.pointer())
    }

    fn has_left(&self, object: &Handle<V>) {
        self.account.0.unsettle(object.cost() + PLACE_OCTETS);
        self.account.0.give(object.value().octets() + PLACE_OCTETS);
        self.counters.0.objects.fetch_sub(1, Relaxed);
    }

    /// Repeats `attempt` under the writers' lock, while something comes free for it.
    fn make_room<R>(&self, mut attempt: impl FnMut() -> Attempt<R>) -> Option<R> {
        loop {
            // Declared before the lock is taken, so freed after it is given back.
            let mut retired = Vec::new();
            let mut eviction = self.lock();
            let mut evictions = 0;
            while evictions < TURN_EVICTIONS_MAX && retired.is_empty() {
                let missing = match attempt() {
                    Attempt::Done(done) => return Some(done),
                    Attempt::Never => return None,
                    Attempt::Missing(missing) => missing,
                };
                let released = self.release(missing);
                if released == 0 {
                    evictions += 1;
                    if !self.evict(&mut eviction, &mut retired) {
                        return None;
                    }
                }
            }
        }
    }

    /// Gives pages that are free back to the system, for something else. Returns their octets.
    fn release(&self, octets: u64) -> u64 {
        let [small, large] = &self.heaps;
        let mut released = large.release(octets);
        if released < octets {
            released += small.release(octets - released);
        }
        self.account.0.give(released);
        released
    }

    /// Octets that are free within pages that are in use.
    fn holes(&self) -> u64 {
        self.heaps.iter().map(|heap| heap.committed().saturating_sub(heap.live())).sum()
    }

    /// Where blocks of this size are.
    fn heap(&self, octets: usize) -> &Arc<Heap> {
        &self.heaps[usize::from(octets >= PAGE_OCTETS)]
    }

    /// Takes `octets` into the account, so that `spare` are left. Under the writers' lock.
    fn take_octets(&self, octets: u64, spare: u64) -> Attempt<()> {
        match self.account.0.take(octets, self.holes(), spare) {
            Ok(()) => Attempt::Done(()),
            Err(Shortage::Evictable(missing)) => Attempt::Missing(missing),
            Err(Shortage::Lasting) => Attempt::Never,
        }
    }

    /// A block for an object with so many octets.
    fn block(&self, octets: u64) -> Option<Block> {
        let octets = Handle::<V>::block_octets(usize::try_from(octets).ok()?)?;
        let spare = self.account.0.capacity() / SPARE_ONE_IN;
        let heap = self.heap(octets);
        self.make_room(|| {
            if let Some(block) = heap.take(octets) {
                return Attempt::Done(block);
            }
            let need = heap.need(octets);
            match self.take_octets(need, spare) {
                Attempt::Done(()) => {
                    self.new_block(octets, need).map_or(Attempt::Never, Attempt::Done)
                }
                Attempt::Missing(missing) => Attempt::Missing(missing),
                Attempt::Never => Attempt::Never,
            }
        })
    }

    /// The same, beyond the capacity.
    fn forced_block(&self, octets: u64) -> Option<Block> {
        let octets = Handle::<V>::block_octets(usize::try_from(octets).ok()?)?;
        let _writers_wait = self.lock();
        let need = self.heap(octets).need(octets);
        self.account.0.force(need);
        self.new_block(octets, need)
    }

    /// A block in new pages, for which `need` was taken.
    fn new_block(&self, octets: usize, need: u64) -> Option<Block> {
        if !self.heap(octets).commit(octets) {
            self.account.0.give(need);
            return None;
        }
        self.heap(octets).take(octets)
    }
}

impl<V: Stored> Room for Shared<V> {
    fn take(&self, octets: u64) -> bool {
        self.make_room(|| self.take_octets(octets, 0)).is_some()
    }

    fn give(&self, octets: u64) {
        self.account.0.give(octets);
    }
}
