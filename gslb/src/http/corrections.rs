//! Where the clients of each resolver really are, and what of the map that contradicts. Pure.

use crate::wire::subnet::mask;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::IpAddr;

/// Resolvers are counted by so many bits: the machines of one are neighbours.
const BITS_V4: u8 = 24;
const BITS_V6: u8 = 56;
/// Resolver prefixes that are remembered; one more replaces that which has been silent for longest. With all their
/// clients they take some 10 MiB.
const PREFIXES_MAX: usize = 16_384;
/// Regions of one resolver's clients; a resolver with clients in more of them is near none.
const REGIONS_MAX: usize = 16;
/// Client networks of a resolver that are told apart: one client that comes again and again counts once among so many.
const CLIENTS_MAX: usize = 64;
/// Above so many pairs all of a resolver's count half: what is recent counts more.
const PAIRS_MAX: u32 = 1000;
/// Below so many nothing is said of a resolver.
const PAIRS_MIN: u32 = 20;
/// More than so many of a hundred clients must be in one region.
const SHARE_MIN: u32 = 80;

/// What came of a resolver and a client that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Both are in one region.
    Agrees,
    /// The client is in another one.
    Differs,
    /// The client's network has been counted.
    Known,
}

/// Pairs by the resolver's prefix.
#[derive(Debug, Default)]
pub(crate) struct Corrections {
    resolvers: HashMap<(IpAddr, u8), Clients>,
    /// Pairs so far: tells which resolver has been silent for longest.
    pairs: u64,
}

#[derive(Debug, Default)]
struct Clients {
    /// Region and pairs.
    regions: Vec<(Box<str>, u32)>,
    /// The networks that were counted last, as a ring.
    networks: Vec<(IpAddr, u8)>,
    next: usize,
    last: u64,
}

impl Corrections {
    /// Counts a pair; the regions are what the map says of both.
    pub(crate) fn count(
        &mut self,
        resolver: (IpAddr, Option<&str>),
        client: (IpAddr, &str),
    ) -> Outcome {
        self.pairs += 1;
        let key = network(resolver.0);
        if self.resolvers.len() >= PREFIXES_MAX && !self.resolvers.contains_key(&key) {
            let silent = self.resolvers.iter().min_by_key(|(_, clients)| clients.last);
            if let Some(silent) = silent.map(|(&key, _)| key) {
                self.resolvers.remove(&silent);
            }
        }
        let clients = self.resolvers.entry(key).or_default();
        clients.last = self.pairs;
        if !clients.is_new(network(client.0)) {
            return Outcome::Known;
        }
        clients.count(client.1);
        if resolver.1 == Some(client.1) { Outcome::Agrees } else { Outcome::Differs }
    }

    /// Lines `prefix,region` for the map: resolvers whose clients are in another region than `region_of` says.
    pub(crate) fn csv(&self, region_of: impl Fn(IpAddr) -> Option<String>) -> String {
        let mut rows: Vec<_> = self
            .resolvers
            .iter()
            .filter_map(|(key, clients)| Some((key, clients.majority()?)))
            .filter(|((address, _), (region, ..))| region_of(*address).as_deref() != Some(region))
            .collect();
        rows.sort_unstable();
        let mut out = String::from("prefix,region\n");
        for ((address, bits), (region, count, all)) in rows {
            let _ = writeln!(out, "{address}/{bits},{region}  # {count} of {all} clients");
        }
        out
    }

    /// Resolver prefixes that are remembered.
    pub(crate) fn len(&self) -> usize {
        self.resolvers.len()
    }
}

impl Clients {
    fn is_new(&mut self, network: (IpAddr, u8)) -> bool {
        if self.networks.contains(&network) {
            return false;
        }
        if self.networks.len() < CLIENTS_MAX {
            self.networks.push(network);
        } else {
            self.networks[self.next] = network;
            self.next = (self.next + 1) % CLIENTS_MAX;
        }
        true
    }

    fn count(&mut self, region: &str) {
        if self.all() >= PAIRS_MAX {
            self.regions.iter_mut().for_each(|(_, count)| *count /= 2);
            self.regions.retain(|(_, count)| *count > 0);
        }
        let has_room = self.regions.len() < REGIONS_MAX;
        match self.regions.iter_mut().find(|(name, _)| **name == *region) {
            Some((_, count)) => *count += 1,
            None if has_room => self.regions.push((region.into(), 1)),
            None => {}
        }
    }

    fn all(&self) -> u32 {
        self.regions.iter().map(|(_, count)| count).sum()
    }

    /// The region where most are, how many, of how many; `None` when it is not clear.
    fn majority(&self) -> Option<(&str, u32, u32)> {
        let all = self.all();
        let (region, count) = self.regions.iter().max_by_key(|(_, count)| count)?;
        (all >= PAIRS_MIN && count * 100 > all * SHARE_MIN).then_some((region, *count, all))
    }
}

/// The network of an address.
fn network(address: IpAddr) -> (IpAddr, u8) {
    match address {
        IpAddr::V4(v4) => {
            let bits = v4.to_bits() & (mask(BITS_V4, 32) >> 96) as u32;
            (IpAddr::V4(bits.into()), BITS_V4)
        }
        IpAddr::V6(v6) => (IpAddr::V6((v6.to_bits() & mask(BITS_V6, 128)).into()), BITS_V6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::Prefix;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// `south` of `all` clients, each in a network of its own, are in the south; the resolver is in the north.
    fn pairs(resolver: &str, south: u32, all: u32) -> Corrections {
        let mut corrections = Corrections::default();
        for index in 0..all {
            let client = IpAddr::V4((0x0a00_0000 + (index << 8)).into());
            let region = if index < south { "south" } else { "north" };
            let outcome = corrections.count((address(resolver), Some("north")), (client, region));
            let expected = if index < south { Outcome::Differs } else { Outcome::Agrees };
            assert_eq!(outcome, expected);
        }
        corrections
    }

    #[test]
    fn what_is_said_of_a_resolver() {
        for (resolver, south, all, expected, why) in [
            ("192.0.2.53", 19, 19, "", "too few"),
            ("192.0.2.53", 20, 20, "192.0.2.0/24,south  # 20 of 20 clients\n", "enough"),
            ("192.0.2.53", 16, 20, "", "80 % is not more than 80 %"),
            ("192.0.2.53", 17, 20, "192.0.2.0/24,south  # 17 of 20 clients\n", "85 %"),
            ("192.0.2.53", 0, 40, "", "the map is right"),
            ("2001:db8:0:1ff::1", 25, 25, "2001:db8:0:100::/56,south  # 25 of 25 clients\n", "v6"),
            ("192.0.2.53", 1500, 1500, "192.0.2.0/24,south  # 1000 of 1000 clients\n", "halved"),
        ] {
            let csv = pairs(resolver, south, all).csv(|_| Some("north".to_owned()));
            assert_eq!(csv, format!("prefix,region\n{expected}"), "{why}");
            for line in csv.lines().skip(1) {
                let prefix = line.split_once(',').unwrap().0.parse::<Prefix>();
                assert!(prefix.is_ok(), "{line}");
            }
        }
        let corrected = pairs("192.0.2.53", 20, 20).csv(|_| Some("south".to_owned()));
        assert_eq!(corrected, "prefix,region\n", "the map says it by now");
    }

    #[test]
    fn one_client_counts_once() {
        let mut corrections = Corrections::default();
        let resolver = (address("192.0.2.53"), None);
        for host in 1..100 {
            let client = address(&format!("10.1.2.{host}"));
            let outcome = corrections.count(resolver, (client, "south"));
            assert_eq!(outcome, if host == 1 { Outcome::Differs } else { Outcome::Known });
        }
        assert_eq!(corrections.csv(|_| None), "prefix,region\n");
    }

    #[test]
    fn resolvers_and_regions_are_bounded() {
        let mut corrections = Corrections::default();
        for index in 0..PREFIXES_MAX as u32 + 10 {
            let resolver = IpAddr::V4((index << 8).into());
            corrections.count((resolver, None), (address("10.0.0.1"), "south"));
        }
        assert_eq!(corrections.len(), PREFIXES_MAX);
        assert!(!corrections.resolvers.contains_key(&network(address("0.0.0.0"))), "the oldest");
        let mut clients = Clients::default();
        (0..40).for_each(|region| clients.count(&region.to_string()));
        assert_eq!(clients.regions.len(), REGIONS_MAX);
    }
}
