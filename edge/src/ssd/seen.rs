//! What was fetched before, not long ago: a second fetch earns a place, too.

use core::sync::atomic::{AtomicU32, Ordering};

/// Octets of the device for each place. A place takes 4 octets: 1/4,096 of the device is memory.
const OCTETS_PER_PLACE: u64 = 16 << 10;
/// Places at least.
const PLACES_MIN: usize = 4096;

/// Fingerprints of keys, each where its hash says, in the place of whatever was there: so it forgets those of long ago, and
/// takes one in 2^31 for another.
pub(crate) struct Seen {
    places: Box<[AtomicU32]>,
}

impl Seen {
    /// For a device of so many octets.
    pub(crate) fn new(octets: u64) -> Self {
        let places = usize::try_from(octets / OCTETS_PER_PLACE).unwrap_or(usize::MAX / 64);
        let places = places.max(PLACES_MIN).next_power_of_two();
        Self { places: (0..places).map(|_| AtomicU32::new(0)).collect() }
    }

    /// Notes a key by its hash; whether it was noted before.
    pub(crate) fn note(&self, hash: u64) -> bool {
        let place = &self.places[hash as u32 as usize & (self.places.len() - 1)];
        let print = (hash >> 32) as u32 | 1;
        place.swap(print, Ordering::Relaxed) == print
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
        assert!((0..20_000).all(|number| !seen.note(hash(number))), "all are new");
        let again = (0..20_000).filter(|number| seen.note(hash(*number))).count();
        assert!(again > 14_000, "{again} of 20,000 in {} places", seen.places.len());
        for number in 20_000..1_000_000 {
            seen.note(hash(number));
        }
        let again = (0..20_000).filter(|number| seen.note(hash(*number))).count();
        assert!(again < 100, "{again} after fifteen times as many others as there are places");
    }
}
