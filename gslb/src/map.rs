//! The map from prefixes to regions: longest match, and how long a prefix the match needs (its
//! scope).
//!
//! Prefixes are flattened into the intervals between their ends; neighbours of one region are one
//! interval. An interval costs 6 octets for IPv4 and 18 for IPv6, a lookup a binary search among
//! those that share the key's upper 16 bits, and the scope follows from the interval's two ends,
//! aggregated as far as the regions allow.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Index of a region; `u16` so that an IPv4 interval takes 6 octets.
pub(crate) type RegionIndex = u16;
/// No region: the address is in no prefix.
const NONE: RegionIndex = u16::MAX;
/// Regions, one less than indices because of [`NONE`].
pub(crate) const REGIONS_MAX: usize = u16::MAX as usize - 1;
/// Prefixes of all sources together: a full routing table several times over. It bounds what a
/// mistaken file can take (about 300 MB while it is read).
pub(crate) const PREFIXES_MAX: usize = 4_000_000;
/// Below so many intervals the index by upper bits would cost more memory than it saves time.
const INDEXED_INTERVALS_MIN: usize = 256;

/// A prefix as written: the address has no bits beyond the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// The address, and how many bits of it count.
    pub(crate) fn parts(self) -> (IpAddr, u8) {
        (self.address, self.length)
    }
}

impl FromStr for Prefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const ALLOWED: &str = "is not a prefix such as 192.0.2.0/24 or 2001:db8::/32";
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ALLOWED)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length: u8 = length.map_or(Ok(width), str::parse).map_err(|_| ALLOWED)?;
        if length > width {
            return Err("has more bits than its addresses");
        }
        let beyond = match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
            IpAddr::V6(v6) => v6.to_bits(),
        } & !crate::wire::subnet::mask(length, width);
        if beyond != 0 {
            return Err("has bits set beyond its length");
        }
        Ok(Self { address, length })
    }
}

/// What a lookup found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    /// The region of the longest prefix that holds the address.
    pub(crate) region: Option<RegionIndex>,
    /// Every address that shares so many bits with this one has the same region.
    pub(crate) scope: u8,
}

/// The compiled map; immutable.
#[derive(Debug)]
pub(crate) struct PrefixMap {
    v4: Intervals<u32>,
    v6: Intervals<u128>,
}

impl PrefixMap {
    /// Compiles prefixes.
    pub(crate) fn new(prefixes: &HashMap<Prefix, RegionIndex>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (prefix, &region) in prefixes {
            match prefix.address {
                IpAddr::V4(address) => v4.push((address.to_bits(), prefix.length, region)),
                IpAddr::V6(address) => v6.push((address.to_bits(), prefix.length, region)),
            }
        }
        Self { v4: Intervals::new(v4), v6: Intervals::new(v6) }
    }

    /// The region of an address.
    pub(crate) fn lookup(&self, address: IpAddr) -> Match {
        match address {
            IpAddr::V4(address) => self.v4.lookup(address.to_bits()),
            IpAddr::V6(address) => self.v6.lookup(address.to_bits()),
        }
    }

    /// Runs of addresses for which neither this map nor `other` changes: the region of each, and their share of all
    /// IPv4 addresses, or of the IPv6 addresses in 2000::/3, in ascending order.
    pub(crate) fn compare(
        &self,
        other: &Self,
        each_v4: impl FnMut(Option<RegionIndex>, Option<RegionIndex>, f64),
        each_v6: impl FnMut(Option<RegionIndex>, Option<RegionIndex>, f64),
    ) {
        self.v4.compare(&other.v4, 0..=u32::MAX, each_v4);
        self.v6.compare(&other.v6, 2 << 124..=(4 << 124) - 1, each_v6);
    }

    /// Octets that the map takes.
    pub(crate) fn octets(&self) -> usize {
        self.v4.octets() + self.v6.octets()
    }
}

/// An address as a number, of either family.
trait Key: Copy + Ord {
    const MAX: Self;
    const ZERO: Self;
    fn next(self) -> Self;
    fn previous(self) -> Self;
    fn upper16(self) -> usize;
    /// The last key of the prefix that begins here.
    fn last(self, length: u8) -> Self;
    /// In how many leading bits two keys agree.
    fn common_bits(self, other: Self) -> u8;
    /// How many keys there are from this to `last`, as closely as it can be said.
    fn count_to(self, last: Self) -> f64;
}

impl Key for u32 {
    const MAX: Self = Self::MAX;
    const ZERO: Self = 0;
    fn next(self) -> Self {
        self + 1
    }
    fn previous(self) -> Self {
        self - 1
    }
    fn upper16(self) -> usize {
        (self >> 16) as usize
    }
    fn last(self, length: u8) -> Self {
        self | Self::MAX.checked_shr(length.into()).unwrap_or(0)
    }
    fn common_bits(self, other: Self) -> u8 {
        (self ^ other).leading_zeros() as u8
    }
    fn count_to(self, last: Self) -> f64 {
        f64::from(last - self) + 1.0
    }
}

impl Key for u128 {
    const MAX: Self = Self::MAX;
    const ZERO: Self = 0;
    fn next(self) -> Self {
        self + 1
    }
    fn previous(self) -> Self {
        self - 1
    }
    fn upper16(self) -> usize {
        (self >> 112) as usize
    }
    fn last(self, length: u8) -> Self {
        self | Self::MAX.checked_shr(length.into()).unwrap_or(0)
    }
    fn common_bits(self, other: Self) -> u8 {
        (self ^ other).leading_zeros() as u8
    }
    fn count_to(self, last: Self) -> f64 {
        (last - self) as f64 + 1.0
    }
}

/// The whole space of keys in intervals: interval `i` begins at `starts[i]` and ends before
/// `starts[i + 1]`.
#[derive(Debug)]
struct Intervals<K> {
    starts: Box<[K]>,
    regions: Box<[RegionIndex]>,
    /// For each value of the upper 16 bits, how many intervals begin below it; empty when there are
    /// few.
    index: Box<[u32]>,
}

impl<K: Key> Intervals<K> {
    fn new(mut prefixes: Vec<(K, u8, RegionIndex)>) -> Self {
        prefixes.sort_unstable_by_key(|&(start, length, _)| (start, length));
        let mut build = Build { starts: vec![K::ZERO], regions: vec![NONE] };
        // Prefixes around the current one, outermost first: their last key and region.
        let mut around: Vec<(K, RegionIndex)> = Vec::new();
        for (start, length, region) in prefixes {
            while around.last().is_some_and(|&(last, _)| last < start) {
                build.leave(&mut around);
            }
            build.push(start, region);
            around.push((start.last(length), region));
        }
        while !around.is_empty() {
            build.leave(&mut around);
        }
        let mut index = Vec::new();
        if build.starts.len() >= INDEXED_INTERVALS_MIN {
            index = vec![0u32; (1 << 16) + 1];
            for start in &build.starts {
                index[start.upper16() + 1] += 1;
            }
            for upper in 0..1 << 16 {
                index[upper + 1] += index[upper];
            }
        }
        Self {
            starts: build.starts.into_boxed_slice(),
            regions: build.regions.into_boxed_slice(),
            index: index.into_boxed_slice(),
        }
    }

    fn lookup(&self, key: K) -> Match {
        let (from, to) = if self.index.is_empty() {
            (0, self.starts.len())
        } else {
            let upper = key.upper16();
            (self.index[upper] as usize, self.index[upper + 1] as usize)
        };
        // The first interval begins at zero, so at least one begins at or before the key.
        let at = from + self.starts[from..to].partition_point(|&start| start <= key) - 1;
        let mut scope = 0;
        if at > 0 {
            scope = scope.max(key.common_bits(self.starts[at].previous()) + 1);
        }
        if let Some(&after) = self.starts.get(at + 1) {
            scope = scope.max(key.common_bits(after) + 1);
        }
        let region = self.regions[at];
        Match { region: (region != NONE).then_some(region), scope }
    }

    fn compare(
        &self,
        other: &Self,
        within: RangeInclusive<K>,
        mut each: impl FnMut(Option<RegionIndex>, Option<RegionIndex>, f64),
    ) {
        let (first, last) = (*within.start(), *within.end());
        let all = first.count_to(last);
        let region = |map: &Self, at: usize| Some(map.regions[at]).filter(|region| *region != NONE);
        let (mut mine, mut others, mut start) = (0, 0, K::ZERO);
        loop {
            let ends = [self.starts.get(mine + 1), other.starts.get(others + 1)];
            let next = ends.into_iter().flatten().min().copied();
            let (from, to) = (start.max(first), next.map_or(K::MAX, K::previous).min(last));
            if from <= to {
                each(region(self, mine), region(other, others), from.count_to(to) / all);
            }
            let Some(next) = next else { return };
            mine += usize::from(ends[0] == Some(&next));
            others += usize::from(ends[1] == Some(&next));
            start = next;
        }
    }

    fn octets(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.regions) + size_of_val(&*self.index)
    }
}

/// Intervals in the making, in ascending order.
struct Build<K> {
    starts: Vec<K>,
    regions: Vec<RegionIndex>,
}

impl<K: Key> Build<K> {
    /// From `start` on the region is `region`.
    fn push(&mut self, start: K, region: RegionIndex) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.regions.pop();
        }
        if self.regions.last() != Some(&region) {
            self.starts.push(start);
            self.regions.push(region);
        }
    }

    /// The innermost prefix ends; what is around it goes on.
    fn leave(&mut self, around: &mut Vec<(K, RegionIndex)>) {
        if let Some((last, _)) = around.pop()
            && last < K::MAX
        {
            self.push(last.next(), around.last().map_or(NONE, |&(_, region)| region));
        }
    }
}

/// Reads a CSV of `prefix,region` lines into `prefixes`; empty lines, `#` comments and a heading
/// `prefix,region` are skipped.
///
/// # Errors
/// The line, and what is wrong with it.
pub(crate) fn read_csv(
    text: &str,
    region: impl Fn(&str) -> Result<RegionIndex, String>,
    prefixes: &mut HashMap<Prefix, RegionIndex>,
) -> Result<(), (usize, String)> {
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() || (index == 0 && line.eq_ignore_ascii_case("prefix,region")) {
            continue;
        }
        let wrong = |message: String| (index + 1, message);
        let Some((prefix_text, region_text)) = line.split_once(',') else {
            return Err(wrong(format!("{line:?} is not `prefix,region`")));
        };
        let prefix: Prefix = prefix_text
            .trim()
            .parse()
            .map_err(|message| wrong(format!("prefix: {:?} {message}", prefix_text.trim())))?;
        let index_of_region = region(region_text.trim()).map_err(wrong)?;
        insert(prefixes, prefix, index_of_region)
            .map_err(|message| wrong(format!("prefix: {:?} {message}", prefix_text.trim())))?;
    }
    Ok(())
}

/// Adds a prefix unless it already has another region.
pub(crate) fn insert(
    prefixes: &mut HashMap<Prefix, RegionIndex>,
    prefix: Prefix,
    region: RegionIndex,
) -> Result<(), &'static str> {
    if prefixes.len() >= PREFIXES_MAX {
        return Err("is one prefix too many (at most 4000000)");
    }
    match prefixes.insert(prefix, region) {
        Some(before) if before != region => Err("already has another region"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map(prefixes: &[(&str, RegionIndex)]) -> PrefixMap {
        PrefixMap::new(&prefixes.iter().map(|&(p, r)| (p.parse().unwrap(), r)).collect())
    }

    #[test]
    fn the_longest_prefix_wins_and_the_scope_tells_it_apart() {
        let some = map(&[
            ("10.0.0.0/8", 1),
            ("10.1.0.0/16", 2),
            ("10.1.5.0/24", 1),
            ("10.2.0.0/16", 1),
            ("192.0.2.0/25", 3),
            ("192.0.2.128/25", 3),
            ("2001:db8::/32", 4),
            ("2001:db8:1::/48", 5),
        ]);
        for (address, region, scope, why) in [
            ("10.1.9.9", Some(2), 21, "RFC 7871 §7.2.1: long enough to exclude 10.1.5.0/24"),
            ("10.1.200.1", Some(2), 17, "farther from it, fewer bits tell"),
            ("10.1.5.7", Some(1), 24, "the more specific prefix"),
            ("10.2.0.1", Some(1), 15, "same region as what is around: told from 10.1/16 only"),
            ("10.200.0.1", Some(1), 9, "10/8, told from 10.1/16 by its ninth bit"),
            ("192.0.2.200", Some(3), 24, "two neighbours of one region are one"),
            ("11.0.0.1", None, 8, "in no prefix, told from 10/8"),
            ("2001:db8:1::1", Some(5), 48, "IPv6"),
            ("2001:db8:8000::1", Some(4), 33, "IPv6 beside it"),
            ("ffff::", None, 1, "IPv6 in no prefix"),
        ] {
            let found = some.lookup(address.parse().unwrap());
            assert_eq!(found, Match { region, scope }, "{address}: {why}");
        }
        let none = map(&[]).lookup("10.0.0.1".parse().unwrap());
        assert_eq!(none, Match { region: None, scope: 0 }, "an empty map tells nobody apart");
        let all = map(&[("0.0.0.0/0", 7), ("::/0", 8)]);
        for (address, region) in [("255.255.255.255", 7), ("::", 8)] {
            let found = all.lookup(address.parse().unwrap());
            assert_eq!(found, Match { region: Some(region), scope: 0 }, "{address}");
        }
    }

    #[test]
    fn prefixes_and_csv_lines_that_are_refused() {
        for (text, expected, why) in [
            ("10.0.0.0/8,a\n", Ok(1), "a prefix"),
            ("prefix,region\n\n# x\n10.0.0.0/8 , a # y\n10.0.0.1,a\n", Ok(2), "heading, comments"),
            ("10.0.0.0/8,a\n10.0.0.0/8,a\n", Ok(1), "the same twice"),
            ("10.0.0.0/8,a\n10.0.0.0/8,b\n", Err(2), "two regions"),
            ("\n10.0.0.0/8\n", Err(2), "no region"),
            ("10.0.0.0/33,a", Err(1), "too long"),
            ("10.0.0.1/8,a", Err(1), "bits beyond the length"),
            ("ten/8,a", Err(1), "no address"),
            ("10.0.0.0/8,c", Err(1), "an unknown region"),
        ] {
            let mut prefixes = HashMap::new();
            let region = |name: &str| match name {
                "a" => Ok(0),
                "b" => Ok(1),
                _ => Err("unknown".to_owned()),
            };
            let read = read_csv(text, region, &mut prefixes);
            let outcome = read.map(|()| prefixes.len()).map_err(|(line, _)| line);
            assert_eq!(outcome, expected, "{text:?}: {why}");
        }
    }

    #[test]
    fn a_large_map_is_small() {
        // No two neighbours are of one region, so nothing is merged.
        let prefixes: HashMap<Prefix, RegionIndex> = (0u32..200_000)
            .map(|n| {
                let address = IpAddr::V4((n << 12).into());
                (Prefix { address, length: 24 }, (n % 7) as RegionIndex)
            })
            .collect();
        let map = PrefixMap::new(&prefixes);
        assert!(map.octets() < 3 << 20, "{} octets", map.octets());
        let found = map.lookup(IpAddr::V4((123_456 << 12 | 0x12).into()));
        assert_eq!(found, Match { region: Some((123_456 % 7) as RegionIndex), scope: 24 });
    }

    /// The definition, by trying every prefix.
    fn by_definition(prefixes: &HashMap<Prefix, RegionIndex>, key: u32) -> Option<RegionIndex> {
        let holds = |p: &Prefix| match p.address {
            IpAddr::V4(a) => key >= a.to_bits() && key <= a.to_bits().last(p.length),
            IpAddr::V6(_) => false,
        };
        let longest = prefixes.iter().filter(|(p, _)| holds(p)).max_by_key(|(p, _)| p.length);
        longest.map(|(_, &region)| region)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

        #[test]
        fn lookups_are_as_defined(
            raw in proptest::collection::vec((any::<u32>(), 4u8..=14, 0u16..3), 0..600),
            keys in proptest::collection::vec(any::<u32>(), 64),
        ) {
            // Few distinct upper bits, so that prefixes nest and touch.
            let prefixes: HashMap<Prefix, RegionIndex> = raw
                .iter()
                .map(|&(start, length, region)| {
                    let start = start & !u32::MAX.checked_shr(length.into()).unwrap_or(0);
                    (Prefix { address: IpAddr::V4(start.into()), length }, region)
                })
                .collect();
            let map = PrefixMap::new(&prefixes);
            for key in keys {
                let found = map.lookup(IpAddr::V4(key.into()));
                prop_assert_eq!(found.region, by_definition(&prefixes, key));
                // The whole scope has one region, and one bit less would not. Prefixes are at most
                // 14 bits long, so stepping by 2^18 visits every one.
                let regions = |scope: u8| {
                    let first = key & !u32::MAX.checked_shr(scope.into()).unwrap_or(0);
                    let steps = 1u64 << 14u8.saturating_sub(scope);
                    let at = move |step: u64| (u64::from(first) + (step << 18)) as u32;
                    (0..steps).map(|s| map.lookup(IpAddr::V4(at(s).into())).region)
                        .collect::<std::collections::HashSet<_>>().len()
                };
                prop_assert_eq!(regions(found.scope), 1);
                prop_assert!(found.scope == 0 || regions(found.scope - 1) > 1);
            }
        }
    }
}
