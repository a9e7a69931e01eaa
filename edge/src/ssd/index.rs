//! Where everything is: 16 octets for each object, in lists that are short enough to be looked through.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::layout::UNIT_OCTETS;

/// Octets of the device for each list. A list of a device full of objects of 1.3 KB has 200 places, one of larger
/// objects fewer: a look takes less than reading the object by far.
const OCTETS_PER_LIST: u64 = 256 << 10;
/// Lists at least.
const LISTS_MIN: usize = 64;
/// A use more than this is not counted.
const USES_MAX: u64 = 3;

const OFFSET_BITS: u32 = 40;
const UNITS_BITS: u32 = 20;

/// Octets of a device at most: 64 TiB.
pub(crate) const OCTETS_MAX: u64 = (UNIT_OCTETS as u64) << OFFSET_BITS;

/// Units of a record at most.
const UNITS_MAX: u64 = (1 << UNITS_BITS) - 1;

/// Where an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// In the device, in octets.
    pub(crate) offset: u64,
    /// Octets of its record, a multiple of [`UNIT_OCTETS`].
    pub(crate) octets: u64,
}

/// What tells variants of a key, and versions of a variant, apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) hash: u64,
    pub(crate) variant: u16,
    pub(crate) version: u16,
}

/// An entry: the upper half of the hash, variant and version, offset and units, uses.
#[derive(Clone, Copy, Debug)]
struct Entry {
    tag: u32,
    variant: u16,
    version: u16,
    place: u64,
}

const _: () = assert!(size_of::<Entry>() == 16);

impl Entry {
    fn new(identity: Identity, place: Place, uses: u64) -> Self {
        let (offset, units) =
            (place.offset / UNIT_OCTETS as u64, place.octets / UNIT_OCTETS as u64);
        assert!(offset < 1 << OFFSET_BITS && units <= UNITS_MAX, "a place beyond 64 TiB");
        let packed = offset | units << OFFSET_BITS | uses << (OFFSET_BITS + UNITS_BITS);
        let Identity { hash, variant, version } = identity;
        Self { tag: tag(hash), variant, version, place: packed }
    }

    fn place(&self) -> Place {
        let offset = self.place & ((1 << OFFSET_BITS) - 1);
        let units = self.place >> OFFSET_BITS & UNITS_MAX;
        Place { offset: offset * UNIT_OCTETS as u64, octets: units * UNIT_OCTETS as u64 }
    }

    fn uses(&self) -> u64 {
        self.place >> (OFFSET_BITS + UNITS_BITS) & USES_MAX
    }
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The places of all objects of a device.
pub(crate) struct Index {
    lists: Box<[Mutex<Vec<Entry>>]>,
}

impl Index {
    /// An empty index for a device of so many octets.
    pub(crate) fn new(octets: u64) -> Self {
        let lists = usize::try_from(octets / OCTETS_PER_LIST).unwrap_or(usize::MAX / 64);
        let lists = lists.max(LISTS_MIN).next_power_of_two();
        Self { lists: (0..lists).map(|_| Mutex::default()).collect() }
    }

    fn list(&self, hash: u64) -> MutexGuard<'_, Vec<Entry>> {
        let number = (hash as u32) as usize & (self.lists.len() - 1);
        self.lists[number].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where objects may be whose key has this hash, the one that was put in last first.
    pub(crate) fn places(&self, hash: u64) -> Vec<(Identity, Place)> {
        let list = self.list(hash);
        let found = list.iter().rev().filter(|entry| entry.tag == tag(hash));
        let found = found.map(|entry| {
            let (variant, version) = (entry.variant, entry.version);
            (Identity { hash, variant, version }, entry.place())
        });
        found.collect()
    }

    /// Whether there may be an object whose key has this hash.
    pub(crate) fn has_some(&self, hash: u64) -> bool {
        self.list(hash).iter().any(|entry| entry.tag == tag(hash))
    }

    /// Whether this version is there.
    pub(crate) fn has(&self, identity: Identity) -> bool {
        self.list(identity.hash).iter().any(|entry| {
            entry.tag == tag(identity.hash)
                && entry.variant == identity.variant
                && entry.version == identity.version
        })
    }

    /// Where this version is.
    pub(crate) fn place_of(&self, identity: Identity) -> Option<Place> {
        let places = self.places(identity.hash);
        places.into_iter().find(|(other, _)| *other == identity).map(|(_, place)| place)
    }

    /// Puts an object in, in the place of other versions. Returns how many these were.
    pub(crate) fn insert(&self, identity: Identity, place: Place) -> usize {
        let mut list = self.list(identity.hash);
        let before = list.len();
        list.retain(|entry| entry.tag != tag(identity.hash) || entry.variant != identity.variant);
        let replaced = before - list.len();
        grow(&mut list);
        list.push(Entry::new(identity, place, 0));
        replaced
    }

    /// Says that an object has moved, unless it is not where it was any more.
    pub(crate) fn relocate(&self, hash: u64, from: Place, to: Place) -> bool {
        let mut list = self.list(hash);
        let found = list.iter_mut().find(|entry| entry.tag == tag(hash) && entry.place() == from);
        let Some(entry) = found else { return false };
        let Entry { variant, version, .. } = *entry;
        *entry = Entry::new(Identity { hash, variant, version }, to, 0);
        true
    }

    /// Takes out the variants of a key; all of them, or this one. Returns how many.
    pub(crate) fn remove(&self, hash: u64, variant: Option<u16>) -> usize {
        self.remove_if(hash, |entry| variant.is_none_or(|variant| entry.variant == variant))
    }

    /// Takes out other versions of a variant than this. Returns how many.
    pub(crate) fn remove_others(&self, identity: Identity) -> usize {
        let Identity { hash, variant, version } = identity;
        self.remove_if(hash, |entry| entry.variant == variant && entry.version != version)
    }

    /// Takes out what is at `place`. Returns whether it was there.
    pub(crate) fn remove_at(&self, hash: u64, place: Place) -> bool {
        self.remove_if(hash, |entry| entry.place() == place) > 0
    }

    fn remove_if(&self, hash: u64, is_gone: impl Fn(&Entry) -> bool) -> usize {
        let mut list = self.list(hash);
        let before = list.len();
        list.retain(|entry| entry.tag != tag(hash) || !is_gone(entry));
        before - list.len()
    }

    /// Counts a use of what is at `place`.
    pub(crate) fn count_use(&self, hash: u64, place: Place) {
        let mut list = self.list(hash);
        let found = list.iter_mut().find(|entry| entry.tag == tag(hash) && entry.place() == place);
        if let Some(entry) = found
            && entry.uses() < USES_MAX
        {
            entry.place += 1 << (OFFSET_BITS + UNITS_BITS);
        }
    }

    /// How often what is at `place` was used; `None` when it is not there.
    pub(crate) fn uses(&self, hash: u64, place: Place) -> Option<u64> {
        let list = self.list(hash);
        let found = list.iter().find(|entry| entry.tag == tag(hash) && entry.place() == place);
        found.map(Entry::uses)
    }

    /// Takes out all that is in these octets of the device. Returns how many.
    pub(crate) fn remove_range(&self, range: std::ops::Range<u64>) -> usize {
        let each = self.lists.iter().map(|list| {
            let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
            let before = list.len();
            list.retain(|entry| !range.contains(&entry.place().offset));
            before - list.len()
        });
        each.sum()
    }

    /// Octets of memory that it takes.
    pub(crate) fn memory_octets(&self) -> u64 {
        let each = self.lists.iter().map(|list| {
            let list = list.lock().unwrap_or_else(PoisonError::into_inner);
            (list.capacity() * size_of::<Entry>()) as u64
        });
        each.sum::<u64>() + size_of_val(&*self.lists) as u64
    }

    /// Objects in it.
    pub(crate) fn len(&self) -> u64 {
        let each = self
            .lists
            .iter()
            .map(|list| list.lock().unwrap_or_else(PoisonError::into_inner).len() as u64);
        each.sum()
    }
}

/// By an eighth: a list that doubled would be three quarters full on average.
fn grow(list: &mut Vec<Entry>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 8 + 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(hash: u64, variant: u16, version: u16) -> Identity {
        Identity { hash, variant, version }
    }

    fn place(offset: u64) -> Place {
        Place { offset: offset * 64, octets: 128 }
    }

    #[test]
    fn variants_and_versions() {
        let index = Index::new(1 << 30);
        let hash = 0xABCD_EF01_2345_6789;
        assert_eq!(index.insert(identity(hash, 1, 1), place(1)), 0);
        assert_eq!(index.insert(identity(hash, 2, 1), place(2)), 0, "another variant");
        assert_eq!(index.insert(identity(hash, 1, 2), place(3)), 1, "another version");
        let places: Vec<_> = index.places(hash).iter().map(|(_, place)| *place).collect();
        assert_eq!(places, [place(3), place(2)], "the last one first");
        assert!(index.has(identity(hash, 1, 2)) && !index.has(identity(hash, 1, 1)));
        assert!(index.has_some(hash) && !index.has_some(hash ^ 1 << 40));
        assert_eq!(index.remove(hash, Some(1)), 1);
        assert_eq!(index.remove(hash, None), 1);
        assert_eq!((index.len(), index.remove(hash, None)), (0, 0));
    }

    #[test]
    fn uses_go_with_the_place() {
        let (index, hash) = (Index::new(1 << 30), 77 << 32);
        index.insert(identity(hash, 0, 0), place(9));
        assert_eq!(index.uses(hash, place(9)), Some(0));
        (0..10).for_each(|_| index.count_use(hash, place(9)));
        assert_eq!(index.uses(hash, place(9)), Some(USES_MAX), "and nothing else has changed");
        assert!(index.relocate(hash, place(9), place(10)));
        assert!(!index.relocate(hash, place(9), place(11)), "it is elsewhere");
        assert_eq!(index.uses(hash, place(10)), Some(0));
        assert!(!index.remove_at(hash, place(9)) && index.remove_at(hash, place(10)));
    }

    #[test]
    fn the_largest_places() {
        let (index, hash) = (Index::new(1 << 30), 5);
        let far = Place { offset: ((1 << OFFSET_BITS) - 1) * 64, octets: UNITS_MAX * 64 };
        index.insert(identity(hash, u16::MAX, u16::MAX), far);
        (0..5).for_each(|_| index.count_use(hash, far));
        assert_eq!(index.places(hash), [(identity(hash, u16::MAX, u16::MAX), far)]);
        assert_eq!(index.remove_range(0..far.offset), 0);
        assert_eq!(index.remove_range(far.offset..u64::MAX), 1);
    }

    #[test]
    fn memory_of_an_object() {
        const OBJECTS: u64 = 200_000;
        // A device that is full of objects of 1.3 KB, and one of objects of 16 KB.
        for octets in [1_300, 16_000] {
            let index = Index::new(OBJECTS * octets);
            let mut hash = 1u64;
            for number in 0..OBJECTS {
                hash = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number);
                index.insert(identity(hash ^ hash >> 29, 0, 0), place(number));
            }
            assert_eq!(index.len(), OBJECTS);
            let each = index.memory_octets() as f64 / OBJECTS as f64;
            assert!(each <= 24.0, "{each} octets for each object of {octets}");
        }
    }
}
