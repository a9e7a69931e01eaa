//! What was fetched before, not long ago: a second fetch earns a place, too.

use core::sync::atomic::{AtomicU32, Ordering};

/// Octets of the device for each place. A place takes 4 octets: 1/8,192 of the device is memory.
const OCTETS_PER_PLACE: u64 = 32 << 10;
/// Places at least.
const PLACES_MIN: usize = 4096;

/// Fingerprints of keys, each where its hash says. It takes its place from another one every second time: so those of
/// long ago are forgotten, and two that are fetched in turn do not keep each other out for ever. One in 2^31 is taken
/// for another.
///
/// `lastmile bench trace` has the model. Four places for a key remember longer than what a small disk can keep: fewer
/// hits and twice the writes there.
pub(crate) struct Seen {
    places: Box<[AtomicU32]>,
    fetches: AtomicU32,
}

impl Seen {
    /// For a device of so many octets.
    pub(crate) fn new(octets: u64) -> Self {
        let places = usize::try_from(octets / OCTETS_PER_PLACE).unwrap_or(usize::MAX / 64);
        let places = places.max(PLACES_MIN).next_power_of_two();
        let places = (0..places).map(|_| AtomicU32::new(0)).collect();
        Self { places, fetches: AtomicU32::new(0) }
    }

    /// Notes a key by its hash; whether it was noted before.
    pub(crate) fn note(&self, hash: u64) -> bool {
        let place = &self.places[hash as u32 as usize & (self.places.len() - 1)];
        let print = (hash >> 32) as u32 | 1;
        let known = place.load(Ordering::Relaxed);
        if known == print {
            return true;
        }
        // As good as random: the count is spread over all bits.
        let fetches = self.fetches.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B1);
        if known == 0 || (fetches ^ print) >> 31 == 0 {
            place.store(print, Ordering::Relaxed);
        }
        false
    }

    pub(crate) fn memory_octets(&self) -> u64 {
        size_of_val(&*self.places) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_remembers_some_and_forgets_those_of_long_ago() {
        let seen = Seen::new(1 << 30);
        let hash = |number: u64| {
            let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (mixed ^ mixed >> 32).wrapping_mul(0xBF58_476D_1CE4_E5B9).rotate_left(31)
        };
        let fetched = |count: u64| (0..count).filter(|number| seen.note(hash(*number))).count();
        assert!(fetched(20_000) < 10, "all are new");
        let again = fetched(20_000);
        assert!((10_000..19_000).contains(&again), "{again} of 20,000 in {}", seen.places.len());
        assert!((0..20).all(|_| fetched(20_000) > 10_000), "and stay known while they are few");
        for number in 20_000..1_000_000 {
            seen.note(hash(number));
        }
        let again = fetched(20_000);
        assert!(again < 100, "{again} after thirty times as many others as there are places");
    }

    #[test]
    fn two_that_are_fetched_in_turn_are_both_found_soon() {
        let seen = Seen::new(1 << 30);
        let (one, other) = (5 | 77 << 32, 5 | 99 << 32);
        let found = |hash: u64| {
            (0..20).any(|_| seen.note(one) && hash == one || seen.note(other) && hash == other)
        };
        assert!(found(one) && found(other));
    }
}
