//! The RAM tier in front: S3-FIFO, by octets; and what is remembered of fetches.

use super::disk::{Disk, S3Fifo};
use crate::zipf::Random;

/// What RAM knows of an object that is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) is_there: bool,
    /// It was asked for before, not long ago.
    pub(super) is_second_use: bool,
}

pub(super) struct Ram(S3Fifo);

impl Ram {
    pub(super) fn new(objects: usize, octets: u64) -> Self {
        Self(S3Fifo::new(objects, octets))
    }

    pub(super) fn ask(&mut self, object: u32) -> Found {
        let is_second_use = self.0.has(object) || self.0.is_ghost(object);
        Found { is_there: self.0.read(object), is_second_use }
    }

    pub(super) fn put(&mut self, object: u32, size: u32) {
        self.0.put(object, size);
    }
}

/// Octets of the disk for each place of [`Seen`].
const OCTETS_PER_PLACE: u64 = 32 << 10;

/// What was fetched, each in a place that it shares with others and takes from them every second time.
pub(super) struct Seen {
    places: Vec<u32>,
    random: Random,
}

impl Seen {
    pub(super) fn new(disk_octets: u64) -> Self {
        let places = usize::try_from(disk_octets / OCTETS_PER_PLACE).unwrap_or(usize::MAX);
        let places = vec![u32::MAX; places.max(1).next_power_of_two()];
        Self { places, random: Random::new(1) }
    }

    /// Whether it was noted before.
    pub(super) fn note(&mut self, object: u32) -> bool {
        let hash = u64::from(object).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let place = usize::try_from(hash).unwrap_or(0) & (self.places.len() - 1);
        let known = &mut self.places[place];
        if *known == object {
            return true;
        }
        if *known == u32::MAX || self.random.below(2) == 0 {
            *known = object;
        }
        false
    }
}
