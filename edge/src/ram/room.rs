//! The account of octets: what the tier holds, and room set aside for responses that are arriving.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Allocations of this size and more are mappings of their own in glibc, in whole pages.
const MAPPED_OCTETS_MIN: u64 = 128 << 10;

const PAGE_OCTETS: u64 = 4096;

/// What an allocation of `octets` takes, with the allocator's header and rounding (glibc; others
/// are within an eighth of it).
pub(super) const fn allocation_octets(octets: u64) -> u64 {
    let unit = if octets < MAPPED_OCTETS_MIN { 16 } else { PAGE_OCTETS };
    octets.saturating_add(2 * mem::size_of::<usize>() as u64).saturating_add(unit - 1) / unit * unit
}

/// The tier's account. Octets are taken only under the writers' lock; reservations are given back
/// by anybody, in one step, so what was checked under the lock can only get better.
pub(super) struct Account {
    capacity: u64,
    /// All that counts: fixed tables, residents, reservations.
    octets: AtomicU64,
    /// The residents' part and the reservations that they hold, which evictions can give back. What two residents hold
    /// together is in it twice. Written only under the writers' lock.
    residents_octets: AtomicU64,
}

/// Why octets could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortage {
    /// Residents are in the way: evict some and ask again when so many octets have come free.
    Evictable(u64),
    /// Even without any resident there is too little.
    Lasting,
}

impl Account {
    /// An account of `capacity` octets of which `fixed` are in use for good.
    pub(super) fn new(capacity: u64, fixed: u64) -> Self {
        assert!(fixed <= capacity, "the tables alone exceed the capacity");
        let (octets, residents_octets) = (AtomicU64::new(fixed), AtomicU64::new(0));
        Self { capacity, octets, residents_octets }
    }

    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    pub(super) fn octets(&self) -> u64 {
        self.octets.load(Relaxed)
    }

    /// Takes `octets` for a reservation. Under the writers' lock.
    pub(super) fn reserve(&self, octets: u64) -> Result<(), Shortage> {
        let used = self.octets();
        let lasting = used.saturating_sub(self.residents_octets.load(Relaxed));
        if lasting.checked_add(octets).is_none_or(|sum| sum > self.capacity) {
            return Err(Shortage::Lasting);
        }
        if used + octets > self.capacity {
            return Err(Shortage::Evictable(used + octets - self.capacity));
        }
        self.octets.fetch_add(octets, Relaxed);
        Ok(())
    }

    /// A reservation goes. By anybody.
    pub(super) fn unreserve(&self, octets: u64) {
        self.octets.fetch_sub(octets, Relaxed);
    }

    /// Reserved octets become a resident's, those of reservations that it holds included. Under the writers' lock.
    pub(super) fn settle(&self, octets: u64) {
        self.residents_octets.fetch_add(octets, Relaxed);
    }

    /// A resident goes; `reserved` of its octets are given back by who holds the reservations last. Under the writers'
    /// lock.
    pub(super) fn release(&self, octets: u64, reserved: u64) {
        self.residents_octets.fetch_sub(octets, Relaxed);
        self.octets.fetch_sub(octets - reserved, Relaxed);
    }
}

/// The tier as a reservation sees it. A trait only so that [`Reservation`] need not name the type
/// of the stored values.
pub(super) trait Room: Send + Sync {
    /// Takes room, evicting what is cold; false when there is not enough even then.
    fn take(&self, octets: u64) -> bool;
    /// Gives room back.
    fn give(&self, octets: u64);
}

/// Room in the tier for a response that is still arriving; dropping it gives the room back.
pub struct Reservation {
    octets: u64,
    room: Arc<dyn Room>,
}

impl Reservation {
    /// None when the room is not to be had.
    pub(super) fn take(room: Arc<dyn Room>, octets: u64) -> Option<Self> {
        // Not `then_some`: its argument would be dropped, and give back, what was not taken.
        room.take(octets).then(|| Self { octets, room })
    }

    /// Adds `more` octets, evicting cold objects. False, and nothing changes, when even an empty
    /// tier would not have them.
    pub fn grow(&mut self, more: u64) -> bool {
        let taken = self.room.take(more);
        if taken {
            self.octets += more;
        }
        taken
    }

    /// `octets` of it as a reservation of their own; evicts cold objects for what is missing. `None` when that is not to
    /// be had.
    pub fn portion(&mut self, octets: u64) -> Option<Self> {
        let missing = octets.saturating_sub(self.octets);
        if missing > 0 && !self.grow(missing) {
            return None;
        }
        self.octets -= octets;
        Some(Self { octets, room: Arc::clone(&self.room) })
    }

    /// Takes over what `other`, of the same tier, has.
    pub fn add(&mut self, mut other: Self) {
        self.octets += mem::take(&mut other.octets);
    }

    /// Octets reserved.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// `octets` of it stay taken, on another's account.
    pub(super) fn hand_over(&mut self, octets: u64) {
        assert!(octets <= self.octets, "handed over more than was reserved");
        self.octets -= octets;
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets reserved", self.octets)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.room.give(self.octets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations() {
        let rows = [
            (0, 16, "a header at least"),
            (1, 32, "rounded to 16"),
            (48, 64, "header of 16"),
            (100_000, 100_016, "below the threshold"),
            (128 << 10, (128 << 10) + 4096, "a mapping: whole pages"),
            (u64::MAX, u64::MAX / 4096 * 4096, "no overflow"),
        ];
        for (octets, expected, why) in rows {
            assert_eq!(allocation_octets(octets), expected, "{why}");
        }
    }

    #[test]
    fn shortages() {
        let account = Account::new(1000, 100);
        assert_eq!(account.reserve(900), Ok(()));
        account.settle(500);
        let rows = [
            (1, Err(Shortage::Evictable(1)), "500 are residents'"),
            (500, Err(Shortage::Evictable(500)), "all residents would have to go"),
            (501, Err(Shortage::Lasting), "500 are no resident's"),
            (u64::MAX, Err(Shortage::Lasting), "no overflow"),
            (0, Ok(()), "nothing is always there"),
        ];
        for (octets, expected, why) in rows {
            assert_eq!(account.reserve(octets), expected, "{why}");
        }
        account.release(500, 100);
        assert_eq!(account.octets(), 600, "100 are still reserved");
        account.unreserve(100);
        account.unreserve(400);
        assert_eq!(account.octets(), 100);
        assert_eq!(account.reserve(900), Ok(()));
    }
}
