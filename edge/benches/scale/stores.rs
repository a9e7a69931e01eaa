//! What other threads' looks into the RAM tier cost whoever stores: each has noted somewhere what it reads, and a
//! writer goes through all these notes before it frees anything.

use crate::measure::median;
use lastmile_edge::ram::{RamTier, Stored};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

/// Threads that have looked, as on machines of so many cores.
const READERS: [usize; 4] = [1, 8, 32, 64];
const ROUNDS: usize = 5;
const STORES: u32 = 20_000;

struct Content;

impl Stored for Content {
    fn octets(&self) -> u64 {
        1000
    }
}

/// Readers, and nanoseconds to store an object in place of another one.
pub(crate) fn measure() -> Vec<(usize, f64)> {
    READERS.iter().map(|readers| (*readers, beside(*readers))).collect()
}

fn beside(readers: usize) -> f64 {
    let tier = RamTier::new(64 << 20);
    let (here, end) = (Barrier::new(readers + 1), Barrier::new(readers + 1));
    let store = |number: u32| {
        let key = number.to_le_bytes();
        assert!(tier.insert(tier.hash(&key), &key, Content, &[], |_| true).is_ok());
    };
    (0..STORES).for_each(store);
    thread::scope(|scope| {
        for number in 0..readers {
            let (tier, here, end) = (&tier, &here, &end);
            scope.spawn(move || {
                let key = (number as u32).to_le_bytes();
                assert!(tier.lookup(tier.hash(&key), &key, |_| Some(())).is_some());
                here.wait();
                end.wait();
            });
        }
        here.wait();
        let mut rounds: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let began = Instant::now();
                (0..STORES).for_each(store);
                began.elapsed().as_nanos() as f64 / f64::from(STORES)
            })
            .collect();
        end.wait();
        median(&mut rounds, |round| *round)
    })
}
