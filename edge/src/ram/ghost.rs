//! The ghost queue: fingerprints of what left the small queue, so that its return is noticed.

/// Entries that share one cache line; a full set forgets its oldest.
const SET_ENTRIES: usize = 8;

/// What an entry costs: 32 bits of fingerprint, 32 bits of the moment it came in.
pub(super) const GHOST_ENTRY_OCTETS: u64 = 8;

/// A set-associative table of fingerprints, each with the number of the eviction that wrote it.
///
/// The queue's length is a window over those numbers, so that leaving the queue costs nothing: an
/// entry is simply too old. The table is as large as it will ever be from the start. A false match
/// (one in two billion per compared entry) only puts an object into the main queue too early.
pub(super) struct Ghost {
    sets: Box<[[u64; SET_ENTRIES]]>,
    clock: u32,
}

impl Ghost {
    /// A table of `entries` entries, a power of two and at least [`SET_ENTRIES`].
    pub(super) fn new(entries: usize) -> Self {
        assert!(entries.is_power_of_two() && entries >= SET_ENTRIES, "ghost table: {entries}");
        let sets = vec![[0; SET_ENTRIES]; entries / SET_ENTRIES].into_boxed_slice();
        Self { sets, clock: 0 }
    }

    /// Remembers `hash` as the youngest.
    pub(super) fn insert(&mut self, hash: u64) {
        self.clock = self.clock.wrapping_add(1);
        let clock = self.clock;
        let fingerprint = fingerprint(hash);
        let set = self.set(hash);
        let place = set.iter().position(|&entry| entry >> 32 == fingerprint).unwrap_or_else(|| {
            let oldest = (0..SET_ENTRIES).max_by_key(|&i| age(set[i], clock));
            oldest.expect("a set has entries")
        });
        set[place] = fingerprint << 32 | u64::from(clock);
    }

    /// Forgets `hash`; true when it was among the `window` youngest.
    pub(super) fn take(&mut self, hash: u64, window: u64) -> bool {
        let clock = self.clock;
        let fingerprint = fingerprint(hash);
        let set = self.set(hash);
        let Some(entry) = set.iter_mut().find(|entry| **entry >> 32 == fingerprint) else {
            return false;
        };
        let known = age(*entry, clock) < window;
        *entry = 0;
        known
    }

    fn set(&mut self, hash: u64) -> &mut [u64; SET_ENTRIES] {
        let mask = self.sets.len() - 1;
        &mut self.sets[hash as usize & mask]
    }
}

/// The upper half, never zero: zero marks an empty entry.
fn fingerprint(hash: u64) -> u64 {
    hash >> 32 | 1
}

/// How many insertions ago the entry was written; an empty one is older than any.
fn age(entry: u64, clock: u32) -> u64 {
    if entry == 0 { u64::MAX } else { u64::from(clock.wrapping_sub(entry as u32)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u64) -> u64 {
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn window() {
        let rows = [
            (0, 100, true, "the youngest is known"),
            (9, 100, true, "older, inside the window"),
            (9, 10, true, "the last one inside"),
            (10, 10, false, "just outside"),
            (0, 0, false, "an empty window knows nothing"),
        ];
        for (insertions_after, window, expected, why) in rows {
            let mut ghost = Ghost::new(256);
            ghost.insert(hash(1));
            for n in 0..insertions_after {
                ghost.insert(hash(1000 + n));
            }
            assert_eq!(ghost.take(hash(1), window), expected, "{why}");
            assert!(!ghost.take(hash(1), window), "taken once, then forgotten: {why}");
        }
    }

    #[test]
    fn a_full_set_forgets_its_oldest_and_a_repeat_takes_no_second_place() {
        let mut ghost = Ghost::new(SET_ENTRIES);
        for n in 0..SET_ENTRIES as u64 {
            ghost.insert(n << 33);
        }
        ghost.insert(0);
        ghost.insert(100 << 33);
        assert!(ghost.take(0, 100), "renewed, so not the oldest");
        assert!(!ghost.take(1 << 33, 100), "the oldest made room");
        assert!(ghost.take(2 << 33, 100) && ghost.take(100 << 33, 100));
    }

    #[test]
    fn the_clock_wraps() {
        let mut ghost = Ghost::new(64);
        ghost.clock = u32::MAX - 1;
        for n in 1..5 {
            ghost.insert(hash(n));
        }
        assert!((1..5).all(|n| ghost.take(hash(n), 5)));
        assert!(!ghost.take(hash(9), u64::MAX), "an empty entry is no match");
    }
}
