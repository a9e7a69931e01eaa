//! The RAM tier: one cache for the process, bounded in octets, read by all cores without a lock.
//!
//! `index` (from key to variants, for readers) -> `eviction` (S3-FIFO: who leaves), made of `slots`
//! (the queues) and `ghost` (who left) -> `room` (the account of octets, reservations).
//!
//! A lookup takes no lock, allocates nothing and writes no line that another core reads, once an
//! object is hot. All changes are made under one mutex: they come at the rate of misses.

mod eviction;
mod ghost;
mod index;
mod room;
mod slots;

#[cfg(test)]
mod tests;

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ahash::RandomState;

use eviction::Eviction;
use index::{Addition, Chain, Index, Link};
pub use room::Reservation;
use room::{Account, Room, Shortage, allocation_octets};
use slots::{CHUNK_OCTETS, Queue, SlotIndex};

/// Variants stored under one key. More than a site's languages and encodings make, few enough for a
/// walk at every hit: a key varied by something unbounded (User-Agent) shall not make a long chain.
pub const VARIANTS_MAX: usize = 16;

/// A smaller capacity is raised to this: below it the tables would take more than a tenth.
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

/// Evictions in one turn under the writers' lock. A large object may push out thousands of small
/// ones; others get the lock in between.
const TURN_EVICTIONS_MAX: usize = 64;

/// What the tier needs to know of a stored value.
pub trait Stored: Send + Sync + 'static {
    /// Octets of its head and content on the heap. The tier adds its own overhead, the value's
    /// `size_of` and the allocators' rounding.
    fn octets(&self) -> u64;

    /// Octets of the reservations that it holds: its too, but counted already, and given back when nobody holds them any
    /// more, which may be long after it has left the tier.
    fn reserved_octets(&self) -> u64 {
        0
    }
}

/// The RAM tier. To be shared as `Arc<RamTier<V>>`.
///
/// What is evicted, replaced or removed is freed at once, except for the variants of at most one
/// bucket per thread that is inside [`RamTier::lookup`] at this moment, and for values of which a
/// caller holds an `Arc`: those are no longer counted, but for the reservations that they hold.
pub struct RamTier<V> {
    hasher: RandomState,
    shared: Arc<Shared<V>>,
}

/// Lines that change at misses are kept apart from those that every hit reads.
struct Shared<V> {
    index: Apart<Index<V>>,
    writer: Apart<Mutex<Eviction>>,
    account: Apart<Account>,
    counters: Apart<Counters>,
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
    /// of the capacity (a tenth of the smallest), are allocated now and count.
    pub fn new(capacity_octets: u64) -> Self {
        let capacity = capacity_octets.max(CAPACITY_OCTETS_MIN);
        let buckets = usize::try_from(capacity / BUCKET_OCTETS).unwrap_or(usize::MAX / 64);
        let buckets = buckets.max(BUCKETS_MIN).next_power_of_two();
        let ghosts = buckets * GHOSTS_PER_BUCKET;
        let fixed = Index::<V>::fixed_octets(buckets) + Eviction::fixed_octets(ghosts);
        let shared = Shared {
            index: Apart(Index::new(buckets)),
            writer: Apart(Mutex::new(Eviction::new(ghosts))),
            account: Apart(Account::new(capacity, fixed)),
            counters: Apart(Counters::default()),
        };
        Self { hasher: RandomState::new(), shared: Arc::new(shared) }
    }

    /// The hash of a key, with a random seed of this tier: who chooses keys cannot make them
    /// collide.
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Runs `choose` over the variants stored under `key`, most recently stored first, until it
    /// returns something, and counts a use of that variant. `hash` is [`RamTier::hash`] of `key`.
    ///
    /// Takes no lock and allocates nothing (the first time in a thread excepted). The variants
    /// cannot be freed while `choose` runs; it can clone a big one's `Arc` or copy a small one out
    /// at once.
    pub fn lookup<R>(
        &self,
        hash: u64,
        key: &[u8],
        choose: impl FnMut(&Arc<V>) -> Option<R>,
    ) -> Option<R> {
        self.shared.index.0.lookup(hash, key, choose)
    }

    /// Stores `value` as a variant of `key`, in place of those stored variants for which `replaces`
    /// says so and, beyond [`VARIANTS_MAX`], of the one stored first. Evicts until it fits. A
    /// reader sees either the old variants or the new one, never neither. One that replaces an
    /// object of the main queue takes over its standing.
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
        value: Arc<V>,
        replaces: impl Fn(&V) -> bool,
    ) -> Result<(), Arc<V>> {
        let reserved = value.reserved_octets();
        if value.octets().saturating_add(reserved) > self.object_octets_max() {
            return Err(value);
        }
        let cost = cost_octets(key, &*value);
        // Room for more queue slots is taken along in case they are due, and given back at the end
        // if not.
        let Some(mut room) = self.reserve(cost + CHUNK_OCTETS) else { return Err(value) };
        let key = Arc::from(key);

        let retired = {
            let mut eviction = self.shared.lock();
            let old = self.shared.superseded(&eviction, hash, &key, replaces);
            if eviction.is_full() {
                eviction.grow();
                room.hand_over(CHUNK_OCTETS);
            }
            room.hand_over(cost);
            self.shared.account.0.settle(cost + reserved);
            let slot = eviction.admit(hash, cost + reserved, old.proven);
            let addition = Addition { hash, key, value, slot, uses: old.uses };
            let retired = self.shared.index.0.replace(hash, &old.slots, Some(addition));
            self.shared.forget(&mut eviction, &old.slots, old.reserved);
            self.shared.counters.0.objects.fetch_add(1, Relaxed);
            retired
        };
        drop(retired);
        Ok(())
    }

    /// Removes the variants of `key` for which `which` says so. Returns how many.
    ///
    /// `which` runs under the tier's lock: it must not call the tier.
    pub fn remove(&self, hash: u64, key: &[u8], which: impl Fn(&V) -> bool) -> usize {
        let (removed, retired) = {
            let mut eviction = self.shared.lock();
            let (slots, reserved) = self.shared.matching(hash, key, which);
            if slots.is_empty() {
                return 0;
            }
            let retired = self.shared.index.0.replace(hash, &slots, None);
            self.shared.forget(&mut eviction, &slots, reserved);
            (slots.len(), retired)
        };
        drop(retired);
        removed
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

    /// [`Stored::octets`] of the largest value that is stored: a quarter of the capacity.
    pub fn object_octets_max(&self) -> u64 {
        self.capacity() / OBJECT_ONE_IN
    }

    /// Octets in use: objects with all overhead, tables, reservations. Never more than the
    /// capacity.
    pub fn octets(&self) -> u64 {
        self.shared.account.0.octets()
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

/// What an insertion takes the place of.
struct Superseded {
    slots: Vec<SlotIndex>,
    /// Octets of the reservations that they hold.
    reserved: u64,
    /// One of them stood in the main queue.
    proven: bool,
    uses: u8,
}

impl<V: Stored> Shared<V> {
    /// A panic under the lock can only come from a caller's closure, which runs before anything is
    /// changed: what it guards is whole.
    fn lock(&self) -> MutexGuard<'_, Eviction> {
        self.writer.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn superseded(
        &self,
        eviction: &Eviction,
        hash: u64,
        key: &[u8],
        replaces: impl Fn(&V) -> bool,
    ) -> Superseded {
        let mut old = Superseded { slots: Vec::new(), reserved: 0, proven: false, uses: 0 };
        let (mut others, mut oldest) = (0, None);
        self.index.0.variants(hash, key, |slot, value, uses| {
            if replaces(value) {
                old.slots.push(slot);
                old.reserved += value.reserved_octets();
                old.proven |= eviction.queue(slot) == Queue::Main;
                old.uses = old.uses.max(uses);
            } else {
                others += 1;
                oldest = Some((slot, value.reserved_octets()));
            }
        });
        if others >= VARIANTS_MAX
            && let Some((slot, reserved)) = oldest
        {
            old.slots.push(slot);
            old.reserved += reserved;
        }
        old
    }

    /// The slots of those that `which` chooses, and the octets of the reservations that they hold.
    fn matching(&self, hash: u64, key: &[u8], which: impl Fn(&V) -> bool) -> (Vec<SlotIndex>, u64) {
        let (mut slots, mut reserved) = (Vec::new(), 0);
        self.index.0.variants(hash, key, |slot, value, _| {
            if which(value) {
                slots.push(slot);
                reserved += value.reserved_octets();
            }
        });
        (slots, reserved)
    }

    /// Takes what has left the index, and holds reservations of so many octets, out of the queues and the account.
    fn forget(&self, eviction: &mut Eviction, slots: &[SlotIndex], reserved: u64) {
        let octets = slots.iter().map(|&slot| eviction.forget(slot)).sum();
        self.account.0.release(octets, reserved);
        self.counters.0.objects.fetch_sub(slots.len() as u64, Relaxed);
    }

    /// Evicts one object. Returns how many octets come free only when what has `retired` is dropped.
    fn evict(&self, eviction: &mut Eviction, retired: &mut Vec<Chain<V>>) -> u64 {
        let evicted = eviction.evict(|place, look| self.index.0.uses(place, look));
        let (place, octets) = evicted.expect("octets that can be evicted are those of residents");
        let reserved = self.index.0.value(place, V::reserved_octets);
        retired.push(self.index.0.replace(place.hash, &[place.slot], None));
        self.account.0.release(octets, reserved);
        self.counters.0.objects.fetch_sub(1, Relaxed);
        self.counters.0.evictions.fetch_add(1, Relaxed);
        reserved
    }
}

impl<V: Stored> Room for Shared<V> {
    fn take(&self, octets: u64) -> bool {
        loop {
            // Declared before the lock is taken, so freed after it is given back.
            let mut retired = Vec::new();
            // What their end brings, unless somebody else holds it.
            let mut coming = 0;
            let mut eviction = self.lock();
            while retired.len() < TURN_EVICTIONS_MAX {
                match self.account.0.reserve(octets) {
                    Ok(()) => return true,
                    Err(Shortage::Lasting) if coming == 0 => return false,
                    Err(Shortage::Evictable(missing)) if coming < missing => {
                        coming += self.evict(&mut eviction, &mut retired);
                    }
                    Err(Shortage::Lasting | Shortage::Evictable(_)) => break,
                }
            }
        }
    }

    fn give(&self, octets: u64) {
        self.account.0.unreserve(octets);
    }
}

/// What an object takes in all: the link, the key, the value's own allocation and those it holds.
fn cost_octets<V: Stored>(key: &[u8], value: &V) -> u64 {
    /// The two counts in front of what an `Arc` points to.
    const ARC: u64 = 2 * mem::size_of::<usize>() as u64;
    allocation_octets(ARC + mem::size_of::<Link<V>>() as u64)
        + allocation_octets(ARC + key.len() as u64)
        + allocation_octets(ARC + mem::size_of::<V>() as u64)
        + allocation_octets(value.octets())
}
