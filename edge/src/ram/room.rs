//! The account of octets: what the tier holds, and room set aside for responses that are arriving.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The tier's account. Octets are taken only under the writers' lock; they are given back by anybody,
/// in one step, so what was checked under the lock can only get better.
pub(super) struct Account {
    capacity: u64,
    /// All that counts: fixed tables, pages of the heap, what residents have elsewhere, reservations.
    octets: AtomicU64,
    /// What would come back if all residents left. Written only under the writers' lock.
    residents_octets: AtomicU64,
}

/// Why octets could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortage {
    /// Residents, or holes between them, are in the way of so many octets.
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

    /// Takes `octets`, while `holes` of those in use are free within the pages of the heap. If there could be `spare`
    /// more without any resident, they are left. Under the writers' lock.
    pub(super) fn take(&self, octets: u64, holes: u64, spare: u64) -> Result<(), Shortage> {
        let used = self.octets();
        let lasting = used.saturating_sub(self.residents_octets.load(Relaxed) + holes);
        if lasting.checked_add(octets).is_none_or(|sum| sum > self.capacity) {
            return Err(Shortage::Lasting);
        }
        let spare = if lasting + octets + spare > self.capacity { 0 } else { spare };
        match (used + octets + spare).saturating_sub(self.capacity) {
            0 => self.octets.fetch_add(octets, Relaxed),
            missing => return Err(Shortage::Evictable(missing)),
        };
        Ok(())
    }

    /// Takes `octets` although there may be no room for them. Under the writers' lock.
    pub(super) fn force(&self, octets: u64) {
        self.octets.fetch_add(octets, Relaxed);
    }

    /// Gives back what was taken. By anybody.
    pub(super) fn give(&self, octets: u64) {
        self.octets.fetch_sub(octets, Relaxed);
    }

    /// An object is resident from now on that takes so many octets in all. Under the writers' lock.
    pub(super) fn settle(&self, octets: u64) {
        self.residents_octets.fetch_add(octets, Relaxed);
    }

    /// One is no longer. Under the writers' lock.
    pub(super) fn unsettle(&self, octets: u64) {
        self.residents_octets.fetch_sub(octets, Relaxed);
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

    /// `octets` of it as a reservation of their own; evicts cold objects for what is missing. `None` when that is not
    /// to be had.
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
        self.octets += std::mem::take(&mut other.octets);
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
        write!(f, "room for {} octets", self.octets)
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
    fn shortages() {
        let account = Account::new(1000, 100);
        assert_eq!(account.take(900, 0, 0), Ok(()));
        account.settle(400);
        // 500 are lasting: the tables and what is no resident's, less the holes.
        let holes = 100;
        let rows = [
            (1, Err(Shortage::Evictable(1)), "500 are residents' or free"),
            (500, Err(Shortage::Evictable(500)), "all residents would have to go"),
            (501, Err(Shortage::Lasting), "500 are no resident's"),
            (u64::MAX, Err(Shortage::Lasting), "no overflow"),
            (0, Ok(()), "nothing is always there"),
        ];
        for (octets, expected, why) in rows {
            assert_eq!(account.take(octets, holes, 0), expected, "{why}");
        }
        let spare = [
            (0, 50, Err(Shortage::Evictable(50)), "50 more are left"),
            (0, 600, Err(Shortage::Evictable(600)), "all that there could be"),
            (0, 601, Ok(()), "more there could not be, so none are"),
            (600, 1, Err(Shortage::Evictable(600)), "what is asked for comes first"),
        ];
        for (octets, spare, expected, why) in spare {
            assert_eq!(account.take(octets, 200, spare), expected, "{why}");
        }
        account.unsettle(400);
        account.give(900);
        assert_eq!(account.octets(), 100);
        assert_eq!(account.take(900, 0, 0), Ok(()));
        account.force(50);
        assert_eq!((account.octets(), account.take(0, 0, 0)), (1050, Err(Shortage::Lasting)));
    }
}
