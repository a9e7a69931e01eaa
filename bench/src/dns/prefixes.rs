//! Prefixes as a map of the Internet has them: which are of which region, and clients in them.

use crate::zipf::{Chooser, Random};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// Prefixes of a map. A table of the whole Internet has about a million.
pub const PREFIXES_MAX: u32 = 1_000_000;

/// Regions, which are data centers and addresses too: the configurations of peers list them.
pub(super) const REGIONS: u8 = 8;

/// Lengths, and how many of 100 prefixes have each: about as in BGP's table, which is mostly /24.
const LENGTHS: [(u8, f64); 9] = [
    (24, 60.0),
    (23, 8.0),
    (22, 10.0),
    (21, 5.0),
    (20, 5.0),
    (19, 4.0),
    (18, 3.0),
    (17, 2.0),
    (16, 3.0),
];

/// The same numbers on every machine.
const SEED: u64 = 0x11a5;

/// Generated prefixes, each once; they nest.
#[derive(Debug)]
pub(super) struct Prefixes {
    all: Vec<(u32, u8)>,
    regions: HashMap<(u32, u8), u8>,
}

impl Prefixes {
    /// So many, 1 to [`PREFIXES_MAX`], always the same ones.
    pub(super) fn generate(count: u32) -> Self {
        let weights: Vec<f64> = LENGTHS.iter().map(|(_, weight)| *weight).collect();
        let (chooser, mut random) = (Chooser::new(&weights), Random::new(SEED));
        let count = count.min(PREFIXES_MAX) as usize;
        let (mut all, mut regions) = (Vec::with_capacity(count), HashMap::with_capacity(count));
        while all.len() < count {
            let (length, _) = LENGTHS[chooser.choose(&mut random) as usize % LENGTHS.len()];
            // 1.0.0.0 to 223.255.255.255: unicast.
            let address = ((1 << 24) + random.below(223 << 24)) & mask(length);
            let region = random.next().to_le_bytes()[0] % REGIONS;
            if regions.insert((address, length), region).is_none() {
                all.push((address, length));
            }
        }
        Self { all, regions }
    }

    /// An address in one of them.
    pub(super) fn client(&self, random: &mut Random) -> Ipv4Addr {
        let index = random.below(u32::try_from(self.all.len()).unwrap_or(u32::MAX)) as usize;
        let (address, length) = self.all.get(index).copied().unwrap_or((0, 0));
        Ipv4Addr::from(address | (random.below(u32::MAX) & !mask(length)))
    }

    /// The region of the longest prefix that holds a client.
    pub(super) fn region(&self, client: Ipv4Addr) -> Option<u8> {
        let at = |length: u8| self.regions.get(&(client.to_bits() & mask(length), length)).copied();
        LENGTHS.iter().find_map(|(length, _)| at(*length))
    }

    /// A line for each, of its prefix and its region, as `line` writes it.
    pub(super) fn lines(&self, line: impl Fn(&mut String, Ipv4Addr, u8, u8)) -> String {
        let mut text = String::with_capacity(self.all.len() * 32);
        for (address, length) in &self.all {
            let region = self.regions.get(&(*address, *length)).copied().unwrap_or(0);
            line(&mut text, Ipv4Addr::from(*address), *length, region);
        }
        text
    }
}

/// Writes `address/length`.
pub(super) fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a String takes everything");
}

fn mask(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_the_same_each_time_and_different_from_each_other() {
        let (one, other) = (Prefixes::generate(2_000), Prefixes::generate(2_000));
        assert_eq!(one.all, other.all);
        assert_eq!(one.regions.len(), 2_000);
        let common = one.all.iter().filter(|(_, length)| *length == 24).count();
        assert!((1_000..1_400).contains(&common), "{common} of 2000 are /24");
        assert!(one.all.iter().all(|(address, length)| address & !mask(*length) == 0));
    }

    #[test]
    fn clients_are_in_regions_and_the_longest_prefix_wins() {
        let prefixes = Prefixes::generate(1_000);
        let mut random = Random::new(1);
        assert!((0..1_000).all(|_| prefixes.region(prefixes.client(&mut random)).is_some()));
        let regions = [((10 << 24, 16), 1), ((10 << 24 | 5 << 8, 24), 2)].into();
        let nested = Prefixes { all: Vec::new(), regions };
        for (client, expected, why) in [
            ([10, 0, 5, 9], Some(2), "the longer one"),
            ([10, 0, 6, 9], Some(1), "beside it"),
            ([10, 1, 5, 9], None, "outside"),
        ] {
            assert_eq!(nested.region(client.into()), expected, "{why}");
        }
    }
}
