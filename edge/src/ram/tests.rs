//! The tier against models: accounting, variants, reservations, scans, threads.

use std::collections::{HashMap, VecDeque};
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;

use super::*;

/// A value that knows its key and its version, and counts the living. Its octets are all the same one.
struct Body {
    key: u64,
    version: u64,
    checksum: u64,
    living: Arc<AtomicUsize>,
}

impl Stored for Body {}

impl Drop for Body {
    fn drop(&mut self) {
        // Whoever reads a freed body finds the checksum wrong.
        self.checksum = 0;
        self.living.fetch_sub(1, Relaxed);
    }
}

/// A tier with bodies to put into it.
struct World {
    tier: RamTier<Body>,
    living: Arc<AtomicUsize>,
}

impl World {
    fn new(capacity: u64) -> Self {
        Self { tier: RamTier::new(capacity), living: Arc::default() }
    }

    /// Octets of blocks in use.
    fn blocks(&self) -> u64 {
        self.tier.shared.heaps.iter().map(|heap| heap.live()).sum()
    }

    fn body(&self, key: u64, version: u64) -> Body {
        self.living.fetch_add(1, Relaxed);
        let living = Arc::clone(&self.living);
        Body { key, version, checksum: checksum(key, version), living }
    }

    fn insert(&self, key: u64, version: u64, octets: u64) -> bool {
        self.insert_over(key, version, octets, |_| true)
    }

    fn insert_over(&self, key: u64, version: u64, octets: u64, over: fn(&Body) -> bool) -> bool {
        let name = name(key);
        let body = self.body(key, version);
        let content = vec![body.checksum as u8; octets as usize];
        let over = |object: &Handle<Body>| over(object.value());
        let stored =
            self.tier.insert(self.tier.hash(&name), &name, body, &[&content], over).is_ok();
        assert!(self.tier.octets() <= self.tier.capacity(), "over capacity");
        stored
    }

    /// The versions stored under the key; with `choose`, a use of the first is counted.
    fn versions(&self, key: u64, choose: bool) -> Vec<u64> {
        let name = name(key);
        let mut versions = Vec::new();
        let _: Option<()> = self.tier.lookup(self.tier.hash(&name), &name, |object| {
            let body = object.value();
            assert_eq!((body.key, body.checksum), (key, checksum(key, body.version)));
            assert!(object.octets().iter().all(|octet| *octet == body.checksum as u8));
            if !versions.contains(&body.version) {
                versions.push(body.version);
            }
            choose.then_some(())
        });
        versions
    }

    fn is_hit(&self, key: u64) -> bool {
        !self.versions(key, true).is_empty()
    }

    fn remove(&self, key: u64, which: impl Fn(&Body) -> bool) -> usize {
        let name = name(key);
        self.tier.remove(self.tier.hash(&name), &name, |object| which(object.value()))
    }
}

fn name(key: u64) -> Vec<u8> {
    format!("http://www.customer.test/{key}").into_bytes()
}

fn checksum(key: u64, version: u64) -> u64 {
    (key << 32 ^ version).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1
}

/// Numbers that look random, the same for the same seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % bound
    }
}

#[test]
fn without_pressure_it_is_a_map() {
    let world = World::new(64 << 20);
    let empty_octets = world.tier.octets();
    let mut model: HashMap<u64, Vec<u64>> = HashMap::new();
    let mut random = Random(1);
    for version in 0..20_000 {
        let key = random.below(300);
        let stored = model.entry(key).or_default();
        match random.below(10) {
            0..4 => {
                stored.clear();
                assert!(world.insert(key, version, random.below(5000)));
                stored.insert(0, version);
            }
            4..8 => {
                stored.retain(|version| version % 2 == 0);
                assert!(world.insert_over(key, version, 100, |body| body.version % 2 == 1));
                stored.insert(0, version);
                stored.truncate(VARIANTS_MAX);
            }
            _ => {
                let before = stored.len();
                stored.retain(|version| version % 3 != 0);
                assert_eq!(world.remove(key, |body| body.version % 3 == 0), before - stored.len());
            }
        }
        assert_eq!(world.versions(key, false), *stored);
    }
    let objects: usize = model.values().map(Vec::len).sum();
    assert_eq!((world.tier.objects(), world.tier.evictions()), (objects as u64, 0));
    assert_eq!(world.living.load(Relaxed), objects, "what was taken out is freed");

    for key in model.into_keys() {
        world.remove(key, |_| true);
    }
    assert_eq!((world.tier.objects(), world.living.load(Relaxed)), (0, 0));
    // Pages stay until somebody else needs them, and are nobody's.
    let pages: u64 = world.tier.shared.heaps.iter().map(|heap| heap.committed()).sum();
    assert_eq!((world.tier.octets() - empty_octets, world.blocks()), (pages, 0));
}

#[test]
fn under_pressure_nothing_stale_and_nothing_lost() {
    for seed in 0..8 {
        let world = World::new(CAPACITY_OCTETS_MIN << (seed % 3));
        let mut random = Random(seed);
        let mut newest: HashMap<u64, u64> = HashMap::new();
        let (mut stored, mut left) = (0, 0);
        let mut reservations = VecDeque::new();
        for version in 0..20_000 {
            let key = random.below(1000);
            let before = world.tier.objects() + world.tier.evictions();
            match random.below(20) {
                0..9 => {
                    let magnitude = 4 + random.below(13);
                    let octets = random.below(1 << magnitude);
                    if world.insert(key, version, octets) {
                        newest.insert(key, version);
                        stored += 1;
                        left += before + 1 - (world.tier.objects() + world.tier.evictions());
                    }
                }
                9 => {
                    left += world.remove(key, |_| true) as u64;
                    newest.remove(&key);
                }
                10 => reservations.extend(world.tier.reserve(random.below(20_000))),
                11 => drop(reservations.pop_front()),
                _ => {
                    let found = world.versions(key, true);
                    assert!(found.is_empty() || found == [newest[&key]], "stale, seed {seed}");
                }
            }
            assert!(world.tier.octets() <= world.tier.capacity());
        }
        let found = (0..1000).filter(|&key| world.is_hit(key)).count() as u64;
        assert_eq!(found, world.tier.objects(), "seed {seed}");
        assert_eq!(found as usize, world.living.load(Relaxed), "seed {seed}");
        assert_eq!(stored, found + left + world.tier.evictions(), "seed {seed}");
        assert!(world.tier.evictions() > 100, "there was no pressure, seed {seed}");
    }
}

#[test]
fn sizes_at_the_limits() {
    let world = World::new(0);
    let (capacity, object_octets_max) = (world.tier.capacity(), world.tier.object_octets_max());
    assert_eq!(capacity, CAPACITY_OCTETS_MIN, "raised");
    let rows = [
        (0, true, "empty"),
        (object_octets_max, true, "the largest"),
        (object_octets_max + 1, false, "too large"),
    ];
    for (octets, expected, why) in rows {
        assert_eq!(world.insert(1, octets, octets), expected, "{why}");
    }
    assert_eq!(world.versions(1, false), [object_octets_max], "a refusal leaves what was there");
    for key in 0..1000 {
        assert!(world.insert(key, 0, object_octets_max), "one pushes out the others");
    }
    assert!(world.tier.objects() >= 2);
}

#[test]
fn reservations() {
    let world = World::new(1 << 20);
    let fixed = world.tier.octets();
    for key in 0..200 {
        assert!(world.insert(key, 0, 10_000));
    }
    let mut held = world.tier.reserve(500_000).expect("made by evicting");
    let objects = world.tier.objects();
    assert!(objects > 20, "no more evicted than needed: {objects} stayed");
    assert!(!held.grow(world.tier.capacity()), "more than there is");
    assert_eq!(held.octets(), 500_000);
    assert_eq!(world.tier.objects(), objects, "a refusal evicts nothing");
    assert!(held.grow(400_000));
    assert_eq!(held.octets(), 900_000);
    assert!(world.tier.octets() <= world.tier.capacity());
    assert!(world.tier.reserve(500_000).is_none(), "too many in flight");
    assert!(world.tier.reserve(u64::MAX).is_none());
    assert!(!world.insert(1000, 0, 200_000), "no room for it beside the reservation");
    assert!(world.insert(1001, 0, 1000), "there is for a small one");

    std::thread::scope(|scope| scope.spawn(move || drop(held)).join()).expect("it is Send");
    assert!(world.insert(1000, 0, 200_000), "room again");
    let whole = world.tier.capacity() - fixed;
    let rest =
        world.tier.reserve(whole - 2 * PAGE_OCTETS as u64).expect("all but the segments' heads");
    assert_eq!(world.tier.objects(), 0);
    drop(rest);
    assert_eq!(world.living.load(Relaxed), 0);
}

#[test]
fn the_variant_stored_first_goes_beyond_the_maximum() {
    let world = World::new(1 << 20);
    for version in 0..20 {
        assert!(world.insert_over(1, version, 10, |_| false));
    }
    let expected: Vec<_> = (4..20).rev().collect();
    assert_eq!(world.versions(1, false), expected);
    assert_eq!(world.tier.objects(), VARIANTS_MAX as u64);
    assert_eq!(world.tier.evictions(), 0, "a replacement is no eviction");
}

#[test]
fn a_replacement_takes_over_the_standing() {
    let world = World::new(1 << 20);
    assert!(world.insert(0, 0, 1000));
    for _ in 0..2 {
        assert!(world.is_hit(0));
    }
    for key in 1..10_000 {
        assert!(world.insert(key, 0, 1000));
    }
    assert!(
        world.insert(0, 1, 1000),
        "revalidated: replaced in the main queue, by nobody used yet"
    );
    for key in 10_000..11_000 {
        assert!(world.insert(key, 0, 1000));
    }
    assert_eq!(world.versions(0, false), [1]);
}

#[test]
fn who_comes_back_from_the_ghost_queue_survives_a_scan() {
    let world = World::new(1 << 20);
    let mut key = 1_000_000;
    let mut scan = |objects| {
        for _ in 0..objects {
            key += 1;
            assert!(world.insert(key, 0, 1000));
        }
    };
    // Fills it; from here on the small queue passes what is never used.
    scan(2000);
    assert!(world.insert(1, 0, 1000));
    let evictions = world.tier.evictions();
    while !world.versions(1, false).is_empty() {
        scan(1);
    }
    assert!(world.tier.evictions() - evictions < 1000, "it left with the small queue");
    assert!(world.insert(1, 1, 1000), "it comes back");
    scan(5000);
    // Objects that were never used leave the main queue only when the small one is within its
    // share.
    assert_eq!(world.versions(1, false), [1]);
}

/// Hits of a policy that evicts from the front, on the trace; `renew` moves what is used to the
/// back (LRU).
fn hits_of_a_list(trace: &[u64], places: usize, renew: bool) -> usize {
    let (mut list, mut hits) = (VecDeque::new(), 0);
    for key in trace {
        match list.iter().position(|stored| stored == key) {
            Some(place) => {
                hits += 1;
                if renew {
                    list.remove(place);
                    list.push_back(*key);
                }
            }
            None => {
                if list.len() == places {
                    list.pop_front();
                }
                list.push_back(*key);
            }
        }
    }
    hits
}

#[test]
fn a_scan_leaves_the_hot_set_alone() {
    const HOT: u64 = 300;
    let world = World::new(1 << 20);
    let places = 800;
    // Each hot object is asked for three times: a miss and two uses. Then one-hit wonders pass, ten
    // times as many as there are places. Then the hot set again; and the same mixed at random.
    let mut trace: Vec<u64> = (0..3).flat_map(|_| 0..HOT).collect();
    trace.extend(1_000_000..1_000_000 + 10 * places);
    let hot_again = trace.len();
    trace.extend(0..HOT);
    let mut random = Random(7);
    trace.extend(
        (0..20_000).map(|n| if random.below(10) < 3 { random.below(HOT) } else { 2_000_000 + n }),
    );

    let (mut hits, mut survivors) = (0, 0);
    for (n, &key) in trace.iter().enumerate() {
        let hit = world.is_hit(key);
        hits += usize::from(hit);
        survivors += u64::from(hit && (hot_again..hot_again + HOT as usize).contains(&n));
        if !hit {
            assert!(world.insert(key, 0, 1000));
        }
    }
    let places = world.tier.objects() as usize;
    let (fifo, lru) = (hits_of_a_list(&trace, places, false), hits_of_a_list(&trace, places, true));
    let report = format!(
        "{} requests, {places} places: hits {hits}, FIFO {fifo}, LRU {lru}; \
         {survivors} of {HOT} hot objects survived the scan",
        trace.len()
    );
    println!("{report}");
    assert_eq!(survivors, HOT, "{report}");
    assert!(hits > lru && hits > fifo, "{report}");
}

#[test]
fn threads_find_whole_values_of_their_key() {
    const OPERATIONS: u64 = if cfg!(miri) { 100 } else { 100_000 };
    let world = World::new(CAPACITY_OCTETS_MIN);
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (world, start) = (&world, &start);
            scope.spawn(move || {
                let mut random = Random(seed);
                start.wait();
                for n in 0..OPERATIONS {
                    let key = random.below(40);
                    let version = seed << 32 | n;
                    match random.below(16) {
                        0..3 => drop(world.insert(key, version, random.below(20_000))),
                        3 => drop(world.insert_over(key, version, 100, |_| false)),
                        4 => drop(world.remove(key, |body| body.version % 2 == 0)),
                        5 => drop(world.tier.reserve(random.below(100_000))),
                        _ => drop(world.versions(key, n % 2 == 0)),
                    }
                    assert!(world.tier.octets() <= world.tier.capacity());
                }
            });
        }
    });
    let found: usize = (0..40).map(|key| world.versions(key, false).len()).sum();
    assert_eq!((found as u64, found), (world.tier.objects(), world.living.load(Relaxed)));
    for key in 0..40 {
        world.remove(key, |_| true);
    }
    assert_eq!((world.tier.objects(), world.living.load(Relaxed)), (0, 0), "nothing leaked");
}

#[test]
fn a_panicking_closure_leaves_the_tier_whole() {
    let world = World::new(1 << 20);
    assert!(world.insert(1, 1, 1000));
    let octets = world.tier.octets();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        world.insert_over(1, 2, 1000, |_| panic!("a caller's fault"))
    }));
    assert!(outcome.is_err());
    assert_eq!((world.versions(1, false), world.tier.octets()), (vec![1], octets));
    assert!(world.insert(1, 3, 1000));
    assert_eq!(world.versions(1, false), [3]);
}

#[test]
fn sizes_may_change() {
    const CAPACITY: u64 = 16 << 20;
    let world = World::new(CAPACITY);
    let mut key = 0;
    for (octets, rounds) in [(1000, 3), (5000, 3), (300, 3), (60_000, 3), (100, 1), (20_000, 3)] {
        let mut stored = 0;
        while stored < rounds * CAPACITY {
            key += 1;
            assert!(world.insert(key, 0, octets));
            // Some are used, and stay a little longer.
            if key % 7 == 0 {
                world.is_hit(key - key % 100);
            }
            stored += octets + 150;
        }
        let used = world.blocks() + world.tier.objects() * PLACE_OCTETS;
        assert!(used > CAPACITY * 90 / 100, "{octets}: {used} of {CAPACITY} are used");
    }
}

#[test]
fn what_is_held_stays_counted() {
    let world = World::new(1 << 20);
    let key = name(1);
    let hash = world.tier.hash(&key);
    let held: Vec<_> = (0..20)
        .map(|n| {
            let body = world.body(1, n);
            let content = vec![n as u8; 40_000];
            world.tier.insert(hash, &key, body, &[&content], |_| true).ok().unwrap()
        })
        .collect();
    assert_eq!(world.tier.objects(), 1, "each took the place of the one before");
    assert!(world.tier.octets() > 800_000, "all are counted");
    assert!(!world.insert(2, 0, 250_000), "there is no room for another");
    assert_eq!(world.tier.evictions(), 0, "and nothing leaves in vain");
    for (n, held) in held.iter().enumerate() {
        assert!(
            held.octets().iter().all(|octet| *octet == n as u8) && held.octets().len() == 40_000
        );
    }
    drop(held);
    assert!(world.insert(2, 0, 250_000));
    let counted = world.tier.octets();
    let anyway: Vec<_> = (0..40)
        .map(|n| world.tier.hold_anyway(world.body(3, n), &[&[3; 50_000]]).unwrap())
        .collect();
    assert!(world.tier.octets() > world.tier.capacity(), "beyond, but counted");
    assert!(world.tier.hold(world.body(3, 0), &[b"x"]).is_none() || world.tier.octets() > counted);
    drop(anyway);
    assert!(world.insert(4, 0, 1000));
    assert!(world.tier.reserve(500_000).is_some());
    assert!(world.tier.octets() <= world.tier.capacity());
}
