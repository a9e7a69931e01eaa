//! The map from prefixes to regions: longest match, and how long a prefix the match needs (its scope).
//!
//! | file | job |
//! | --- | --- |
//! | `prefix.rs` | a prefix as written |
//! | `csv.rs` | lines of a file become prefixes |
//! | `prefixes.rs` | prefixes from several sources become runs of addresses with one region each |
//! | `trie.rs` | what is looked at for a query |

mod csv;
mod prefix;
mod prefixes;
mod trie;

pub(crate) use csv::read_csv;
pub(crate) use prefix::Prefix;
use prefix::key;
pub(crate) use prefixes::{Conflict, Layer, PREFIXES_MAX, Prefixes};
use std::collections::HashMap;
use std::hint::black_box;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use trie::{Runs, Trie, Value};

/// Index of a region; `u16` so that a run in the trie takes 4 octets.
pub(crate) type RegionIndex = u16;
/// No region: the address is in no prefix.
const NONE: RegionIndex = u16::MAX;
/// Regions, one less than indices because of [`NONE`].
pub(crate) const REGIONS_MAX: usize = u16::MAX as usize - 1;

/// Look-ups that are prepared together: more than a batch of datagrams has.
const WARMED_MAX: usize = 64;

/// What a lookup found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    /// The region of the longest prefix that holds the address.
    pub(crate) region: Option<RegionIndex>,
    /// Every address that shares so many bits with this one has the same region, and not all that share fewer have.
    pub(crate) scope: u8,
}

/// The compiled map; immutable.
#[derive(Debug)]
pub(crate) struct PrefixMap {
    v4: Trie,
    v6: Trie,
    prefixes: usize,
}

impl PrefixMap {
    /// The map of these, which are fewer than a map may have.
    pub(crate) fn new(prefixes: &HashMap<Prefix, RegionIndex>) -> Self {
        let mut all = Prefixes::default();
        for (&prefix, &region) in prefixes {
            assert_eq!(all.push(prefix, region, Layer::Csv, 0), Ok(()));
        }
        all.compile().expect("a prefix of a map is there once")
    }

    fn trie(&self, address: IpAddr) -> &Trie {
        if address.is_ipv4() { &self.v4 } else { &self.v6 }
    }

    /// The region of an address.
    pub(crate) fn lookup(&self, address: IpAddr) -> Match {
        self.trie(address).lookup(key(address))
    }

    /// Touches what [`Self::lookup`] of each of these addresses will read (64 at most; more are left out). The reads
    /// do not wait for each other, as those of one look-up after another do.
    pub(crate) fn warm(&self, addresses: impl Iterator<Item = IpAddr>) {
        let mut found = [(Value::default(), true); WARMED_MAX];
        let mut count = 0;
        for (found, address) in found.iter_mut().zip(addresses) {
            *found = (self.trie(address).first(key(address)), address.is_ipv4());
            count += 1;
        }
        let touched = found[..count].iter().fold(0, |sum: u32, &(value, is_v4)| {
            let trie = if is_v4 { &self.v4 } else { &self.v6 };
            sum.wrapping_add(trie.touch(value))
        });
        black_box(touched);
    }

    /// Runs of addresses for which neither this map nor `other` changes: the region of each, and their share of all
    /// IPv4 addresses, or of the IPv6 addresses in 2000::/3, in ascending order.
    pub(crate) fn compare(
        &self,
        other: &Self,
        each_v4: impl FnMut(Option<RegionIndex>, Option<RegionIndex>, f64),
        each_v6: impl FnMut(Option<RegionIndex>, Option<RegionIndex>, f64),
    ) {
        compare(&self.v4.runs(), &other.v4.runs(), 0..=u128::MAX, each_v4);
        compare(&self.v6.runs(), &other.v6.runs(), 2 << 124..=(4 << 124) - 1, each_v6);
    }

    /// Different prefixes that it was made of.
    pub(crate) fn prefixes(&self) -> usize {
        self.prefixes
    }

    /// Octets that the map takes.
    pub(crate) fn octets(&self) -> usize {
        self.v4.octets() + self.v6.octets()
    }
}

fn compare(
    one: &Runs,
    other: &Runs,
    within: RangeInclusive<u128>,
    mut each: impl FnMut(Option<RegionIndex>, Option<RegionIndex>, f64),
) {
    let (first, last) = (*within.start(), *within.end());
    let count = |from: u128, to: u128| (to - from) as f64 + 1.0;
    let region = |runs: &Runs, at: usize| Some(runs.regions[at]).filter(|region| *region != NONE);
    let (mut at, mut other_at, mut start) = (0, 0, 0);
    loop {
        let ends = [one.starts.get(at + 1), other.starts.get(other_at + 1)];
        let next = ends.into_iter().flatten().min().copied();
        let (from, to) = (start.max(first), next.map_or(u128::MAX, |next| next - 1).min(last));
        if from <= to {
            let share = count(from, to) / count(first, last);
            each(region(one, at), region(other, other_at), share);
        }
        let Some(next) = next else { return };
        at += usize::from(ends[0] == Some(&next));
        other_at += usize::from(ends[1] == Some(&next));
        start = next;
    }
}

#[cfg(test)]
mod tests;
