//! Prefixes from several sources, and what they come to: runs of addresses that have one region each.

use super::prefix::{Prefix, key};
use super::trie::{Runs, Trie};
use super::{NONE, PrefixMap, RegionIndex};
use std::net::IpAddr;

/// Prefixes of all sources together: a full routing table several times over. It bounds what a
/// mistaken file can take (about 400 MB while it is read).
pub(crate) const PREFIXES_MAX: usize = 4_000_000;

/// Where a prefix comes from. In a later layer it overrides the same one of an earlier layer, and where a later one has
/// any prefix, the networks of databases count for nothing: theirs are as long as whoever made them found useful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Layer {
    /// A database, by the place of its `[[import]]`.
    Import(u16),
    /// The CSV of `--map`.
    Csv,
    /// The zone file itself.
    Inline,
}

/// Prefixes, collected in any order.
#[derive(Debug, Default)]
pub(crate) struct Prefixes {
    v4: Vec<Entry>,
    v6: Vec<Entry>,
}

/// A prefix stands twice in one layer, with two regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) prefix: Prefix,
    pub(crate) layer: Layer,
    /// The place of the later one.
    pub(crate) place: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u128,
    place: u32,
    region: RegionIndex,
    length: u8,
    layer: Layer,
}

impl Prefixes {
    /// Adds a prefix. `place` is where it stands in its layer (a line, a number), for errors.
    ///
    /// # Errors
    /// There are [`PREFIXES_MAX`] already.
    pub(crate) fn push(
        &mut self,
        prefix: Prefix,
        region: RegionIndex,
        layer: Layer,
        place: usize,
    ) -> Result<(), &'static str> {
        if self.v4.len() + self.v6.len() >= PREFIXES_MAX {
            return Err("is one prefix too many (at most 4000000)");
        }
        let (address, length) = prefix.parts();
        let entries = if address.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        // Files have at most 512 MiB, so fewer lines.
        let place = place as u32;
        entries.push(Entry { start: key(address), place, region, length, layer });
        Ok(())
    }

    /// The map that they make.
    ///
    /// # Errors
    /// The first prefix that has two regions.
    pub(crate) fn compile(mut self) -> Result<PrefixMap, Conflict> {
        let conflicts = [resolve(&mut self.v4, true), resolve(&mut self.v6, false)];
        let first = conflicts.into_iter().flatten().min_by_key(|it| (it.layer, it.place));
        if let Some(conflict) = first {
            return Err(conflict);
        }
        hide(&mut self.v4);
        hide(&mut self.v6);
        let prefixes = self.v4.len() + self.v6.len();
        let [v4, v6] = [&self.v4, &self.v6].map(|entries| Trie::new(&runs(entries)));
        Ok(PrefixMap { v4, v6, prefixes })
    }
}

/// Sorts, and leaves of each prefix the one of the last layer. The first one that has two regions in one layer.
fn resolve(entries: &mut Vec<Entry>, is_v4: bool) -> Option<Conflict> {
    entries.sort_unstable_by_key(|it| (it.start, it.length, it.layer, it.place));
    let same = |one: &Entry, other: &Entry| one.start == other.start && one.length == other.length;
    let pairs = entries.windows(2).map(|pair| (&pair[0], &pair[1]));
    let conflicts = pairs.filter(|(one, other)| {
        same(one, other) && one.layer == other.layer && one.region != other.region
    });
    let first = conflicts.map(|(_, other)| other).min_by_key(|it| (it.layer, it.place));
    let conflict = first.map(|it| Conflict {
        prefix: Prefix::from_key(it.start, it.length, is_v4),
        layer: it.layer,
        place: it.place as usize,
    });
    entries.dedup_by(|later, kept| {
        let is_same = same(later, kept);
        if is_same {
            *kept = *later;
        }
        is_same
    });
    conflict
}

/// Takes away, of sorted prefixes, the networks of databases that lie in a prefix of a later layer.
fn hide(entries: &mut Vec<Entry>) {
    if !entries.iter().any(|entry| matches!(entry.layer, Layer::Import(_))) {
        return;
    }
    // What was written is of one rank: there the longest prefix counts.
    let rank = |layer: Layer| match layer {
        Layer::Import(index) => u32::from(index),
        Layer::Csv | Layer::Inline => u32::MAX,
    };
    // Prefixes around the current one, outermost first: their last key, and the highest rank up to there.
    let mut around: Vec<(u128, u32)> = Vec::new();
    entries.retain(|entry| {
        while around.last().is_some_and(|&(last, _)| last < entry.start) {
            around.pop();
        }
        let (own, highest) = (rank(entry.layer), around.last().map_or(0, |&(_, highest)| highest));
        if own >= highest {
            around.push((entry.last(), own));
        }
        own >= highest
    });
}

impl Entry {
    fn last(&self) -> u128 {
        self.start | u128::MAX.checked_shr(self.length.into()).unwrap_or(0)
    }
}

/// The runs of sorted prefixes: of each address the longest prefix that holds it counts.
fn runs(entries: &[Entry]) -> Runs {
    let mut runs = Runs::default();
    // Prefixes around the current one, outermost first: their last key and region.
    let mut around: Vec<(u128, RegionIndex)> = Vec::new();
    for entry in entries {
        while around.last().is_some_and(|&(last, _)| last < entry.start) {
            leave(&mut runs, &mut around);
        }
        runs.push(entry.start, entry.region);
        around.push((entry.last(), entry.region));
    }
    while !around.is_empty() {
        leave(&mut runs, &mut around);
    }
    runs
}

/// The innermost prefix ends; what is around it goes on.
fn leave(runs: &mut Runs, around: &mut Vec<(u128, RegionIndex)>) {
    if let Some((last, _)) = around.pop()
        && let Some(next) = last.checked_add(1)
    {
        runs.push(next, around.last().map_or(NONE, |&(_, region)| region));
    }
}

impl Prefix {
    pub(super) fn from_key(key: u128, length: u8, is_v4: bool) -> Self {
        let address = match is_v4 {
            true => IpAddr::V4(((key >> 96) as u32).into()),
            false => IpAddr::V6(key.into()),
        };
        Self::new(address, length)
    }
}
