//! `--ram` bounds what is resident: what the RAM tier counts is what the process takes, while sizes of all kinds come
//! and go. The only test of this program, so that nothing else takes memory meanwhile.

#![allow(clippy::unwrap_used, reason = "a test: a panic is its way to fail")]

use lastmile_edge::ram::{RamTier, Stored};

const CAPACITY: u64 = 128 << 20;

struct Nothing;

impl Stored for Nothing {}

/// Octets of this process that are resident.
fn resident_octets() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Stores and looks up, several times what there is room for. Returns the most that was resident.
fn churn(tier: &RamTier<Nothing>, seed: u64) -> u64 {
    let (mut random, mut highest, mut stored) = (seed, 0, 0);
    let mut below = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % bound
    };
    let content = vec![seed as u8 + 1; 60_100];
    for n in 0_u64.. {
        if stored > 4 * CAPACITY {
            break;
        }
        // Half of them are small.
        let octets = 100 + below(if n % 2 == 0 { 2_000 } else { 60_000 });
        let key = (seed << 32 | below(10_000)).to_le_bytes();
        let hash = tier.hash(&key);
        let is_there = tier.lookup(hash, &key, |object| {
            assert!(object.octets().iter().all(|octet| *octet == seed as u8 + 1));
            Some(())
        });
        if is_there.is_none() {
            stored += octets;
            let inserted =
                tier.insert(hash, &key, Nothing, &[&content[..octets as usize]], |_| true);
            assert!(inserted.is_ok(), "there is room");
        }
        if n % 256 == 0 {
            // What arrives at the same time, and is on the heap of the process.
            let room = tier.reserve(1 << 20);
            highest = highest.max(resident_octets());
            drop(room);
        }
    }
    highest
}

#[test]
fn what_is_counted_is_what_is_resident() {
    let before = resident_octets();
    let tier = RamTier::new(CAPACITY);
    let highest = std::thread::scope(|scope| {
        let threads = [0, 1].map(|seed| {
            let tier = &tier;
            scope.spawn(move || churn(tier, seed))
        });
        threads.into_iter().map(|thread| thread.join().unwrap()).max()
    });
    let (growth, counted) = (resident_octets() - before, tier.octets());
    let most = highest.unwrap_or(0) - before;
    println!("{CAPACITY} may be used, {counted} are counted, {growth} resident, at most {most}");
    assert!(counted <= CAPACITY && counted > CAPACITY / 10 * 9, "{counted} counted of {CAPACITY}");
    assert!(most <= CAPACITY / 20 * 21, "{most} resident of {CAPACITY}");
    assert!(counted >= growth / 20 * 19, "{counted} counted, {growth} resident");
    assert!(growth >= counted / 20 * 19, "{counted} counted, {growth} resident");
}
