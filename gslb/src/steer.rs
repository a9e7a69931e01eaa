//! The choice: which edges' addresses a client gets, how far the choice holds, and why. Pure.

use crate::health::{Check, EdgeState};
use crate::map::{Match, PrefixMap, RegionIndex};
use crate::wire::subnet::{Client, ClientSource, mask};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Addresses in one answer: 16 AAAA records with question and OPT stay below 1232 octets.
pub(crate) const ADDRESSES_MAX: usize = 16;
/// Clients are spread over a region's edges in blocks of so many bits: the longest prefixes that
/// resolvers should send (RFC 7871 §11.1), so that spreading never needs more of a client than they
/// tell.
const SPREAD_BITS_V4: u8 = 24;
const SPREAD_BITS_V6: u8 = 56;

/// The steering: regions, edges, the map, and the names; immutable.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) regions: Vec<Region>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) map: PrefixMap,
    /// Where the clients of resolvers are whose own address does not tell; none is the usual case.
    pub(crate) resolvers: Option<PrefixMap>,
    pub(crate) steered: Vec<Steered>,
}

/// A place that clients are near to.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) name: Box<str>,
    /// Places in [`Policy::edges`].
    pub(crate) edges: Vec<usize>,
    /// All regions, nearest first; the first is this one.
    pub(crate) order: Vec<RegionIndex>,
}

/// A server of clients.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) name: Box<str>,
    /// A hash of its name: choices survive a reordering of the file.
    pub(crate) seed: u64,
    pub(crate) v4: Vec<Ipv4Addr>,
    pub(crate) v6: Vec<Ipv6Addr>,
    /// Its share of the region's clients, relative to the other edges; 0 takes none.
    pub(crate) capacity: u32,
    /// How it is asked whether it is up; without that it always is.
    pub(crate) check: Option<Check>,
    pub(crate) state: Arc<EdgeState>,
}

/// A name whose addresses are chosen.
#[derive(Debug)]
pub(crate) struct Steered {
    /// Seconds.
    pub(crate) ttl: u32,
    /// Addresses in an answer at most; within 1 and [`ADDRESSES_MAX`].
    pub(crate) answers: usize,
    /// For clients that are in no prefix of the map.
    pub(crate) default_region: RegionIndex,
    pub(crate) all_down: AllDown,
}

/// What is answered when no edge is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AllDown {
    /// As if all were: the checks may be what fails.
    All,
    /// These addresses, not more than [`ADDRESSES_MAX`] of each family.
    Static(Vec<Ipv4Addr>, Vec<Ipv6Addr>),
    /// Nothing (SERVFAIL).
    Nothing,
}

/// Which kind of address is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// Why these edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The first address is in the region that the map says.
    Mapped,
    /// The client is known by its resolver alone, and the first address is in the region that the list of resolvers
    /// says.
    Listed,
    /// The client is in no prefix; the first address is in the name's default region.
    Default,
    /// The client's region has no edge for this family that is up, so the first address is in another one.
    Spilled,
    /// No edge is up, and the answer is what the name has for that.
    Down,
    /// No edge is up, and the name has nothing for that.
    Nothing,
    /// No edge anywhere has an address of this family.
    NoEdge,
    /// Static mode: edges of the name's default region, whoever asks.
    Static,
}

/// The chosen addresses, best first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    addresses: [IpAddr; ADDRESSES_MAX],
    count: usize,
    /// Every client that shares so many bits with this one gets the same.
    pub(crate) scope: u8,
    /// Why.
    pub(crate) why: Why,
    /// For whom, and which edge is first.
    pub(crate) placed: Placed,
}

/// Where a client is, and whose address its answer begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// The client's region, whichever one's edges it gets.
    pub(crate) region: RegionIndex,
    /// The edge's place in [`Policy::edges`]; none when the answer has no edge's address.
    pub(crate) edge: Option<u32>,
}

/// Where a client is, and what it asks for.
struct Place {
    region: RegionIndex,
    key: u64,
    family: Family,
}

impl Choice {
    /// Nothing yet, for everybody.
    pub(crate) fn none(why: Why, region: RegionIndex) -> Self {
        let addresses = [IpAddr::V4(Ipv4Addr::UNSPECIFIED); ADDRESSES_MAX];
        Self { addresses, count: 0, scope: 0, why, placed: Placed { region, edge: None } }
    }

    /// Appends an address, if there is room.
    pub(crate) fn push(&mut self, address: IpAddr) {
        self.put(std::iter::once(address));
    }

    fn put(&mut self, addresses: impl Iterator<Item = IpAddr>) {
        for address in addresses.take(ADDRESSES_MAX - self.count) {
            self.addresses[self.count] = address;
            self.count += 1;
        }
    }

    /// The chosen addresses, best first.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        &self.addresses[..self.count]
    }
}

impl Policy {
    /// Chooses for `client`, who asks for `name`.
    pub(crate) fn choose(&self, name: &Steered, client: &Client, family: Family) -> Choice {
        let (found, reason) = self.locate(client);
        let region = found.region.unwrap_or(name.default_region);
        let mut choice = Choice {
            addresses: [IpAddr::V4(Ipv4Addr::UNSPECIFIED); ADDRESSES_MAX],
            count: 0,
            scope: found.scope,
            why: Why::NoEdge,
            placed: Placed { region, edge: None },
        };
        let spread_bits = if client.address.is_ipv4() { SPREAD_BITS_V4 } else { SPREAD_BITS_V6 };
        let key = spread_key(client, spread_bits.max(found.scope));
        let place = Place { region, key, family };
        let (mut spread, first) = self.take(&place, name.answers, Edge::weight, &mut choice);
        if choice.count > 0 {
            choice.why = if first == region { reason } else { Why::Spilled };
        } else if self.has(family) {
            choice.why = Why::Down;
            match &name.all_down {
                AllDown::All => {
                    let capacity = |edge: &Edge| edge.capacity;
                    (spread, _) = self.take(&place, name.answers, capacity, &mut choice);
                }
                AllDown::Static(v4, v6) => {
                    choice.scope = 0;
                    match family {
                        Family::V4 => choice.put(v4.iter().copied().map(IpAddr::V4)),
                        Family::V6 => choice.put(v6.iter().copied().map(IpAddr::V6)),
                    }
                }
                AllDown::Nothing => choice.why = Why::Nothing,
            }
        }
        if spread {
            choice.scope = choice.scope.max(spread_bits);
        }
        choice
    }

    /// The region of a client, and what says so: [`Why::Mapped`], [`Why::Listed`], or without a region
    /// [`Why::Default`].
    pub(crate) fn locate(&self, client: &Client) -> (Match, Why) {
        if let Some(resolvers) = &self.resolvers
            && client.source == ClientSource::Resolver
        {
            let found = resolvers.lookup(client.address);
            if found.region.is_some() {
                return (found, Why::Listed);
            }
        }
        let found = self.map.lookup(client.address);
        (found, if found.region.is_some() { Why::Mapped } else { Why::Default })
    }

    /// All edges with their regions, in the order in which a client gets them that is in `region` by so many bits of
    /// its address, whether they are up or not.
    pub(crate) fn ranked(
        &self,
        region: RegionIndex,
        client: &Client,
        scope: u8,
        family: Family,
    ) -> Vec<(RegionIndex, usize)> {
        let spread_bits = if client.address.is_ipv4() { SPREAD_BITS_V4 } else { SPREAD_BITS_V6 };
        let key = spread_key(client, spread_bits.max(scope));
        let mut ranked = Vec::new();
        for &candidate in &self.regions[usize::from(region)].order {
            let edges = self.regions[usize::from(candidate)].edges.iter();
            let mut edges: Vec<_> = edges
                .map(|&index| {
                    let edge = &self.edges[index];
                    let takes = edge.capacity > 0 && edge.addresses(family) > 0;
                    let rank = if takes {
                        rank(key, edge.seed, edge.capacity.into())
                    } else {
                        f64::INFINITY
                    };
                    (rank, index)
                })
                .collect();
            edges.sort_by(|one, other| one.0.total_cmp(&other.0));
            ranked.extend(edges.into_iter().map(|(_, index)| (candidate, index)));
        }
        ranked
    }

    /// Whether any edge takes clients of this family when it is up.
    fn has(&self, family: Family) -> bool {
        self.edges.iter().any(|edge| edge.capacity > 0 && edge.addresses(family) > 0)
    }

    /// Appends addresses of the nearest regions, and says whether another key could give others, and which region had
    /// the first of them.
    fn take(
        &self,
        place: &Place,
        answers: usize,
        weight: impl Fn(&Edge) -> u32 + Copy,
        choice: &mut Choice,
    ) -> (bool, RegionIndex) {
        let (mut spread, mut first) = (false, place.region);
        for &candidate in &self.regions[usize::from(place.region)].order {
            let before = choice.count;
            spread |= self.take_region(candidate, place, answers, weight, choice);
            if before == 0 && choice.count > 0 {
                first = candidate;
            }
            if choice.count == answers {
                break;
            }
        }
        (spread, first)
    }

    /// Appends addresses of a region's edges in the order that `key` gives them, and says whether
    /// another key could give another order.
    fn take_region(
        &self,
        region: RegionIndex,
        &Place { key, family, .. }: &Place,
        answers: usize,
        weight: impl Fn(&Edge) -> u32,
        choice: &mut Choice,
    ) -> bool {
        // The best so far, best first. Each edge yields an address at least, so no more edges are
        // needed than addresses are wanted.
        let mut best = [(f64::INFINITY, 0usize); ADDRESSES_MAX];
        let wanted = answers - choice.count;
        let mut eligible = 0;
        for &index in &self.regions[usize::from(region)].edges {
            let edge = &self.edges[index];
            let weight = weight(edge);
            if weight == 0 || edge.addresses(family) == 0 {
                continue;
            }
            eligible += 1;
            let entry = (rank(key, edge.seed, weight.into()), index);
            let at = best[..wanted].partition_point(|other| other.0 <= entry.0);
            if at < wanted {
                best[at..wanted].rotate_right(1);
                best[at] = entry;
            }
        }
        let mut spread = eligible > 1;
        for &(_, index) in best[..wanted].iter().take(eligible) {
            let edge = &self.edges[index];
            choice.placed.edge.get_or_insert(index as u32);
            let count = edge.addresses(family);
            spread |= count > 1;
            let first = (mix(key ^ edge.seed.rotate_left(32)) % count as u64) as usize;
            for turn in 0..count {
                if choice.count < answers {
                    choice.addresses[choice.count] = edge.address(family, (first + turn) % count);
                    choice.count += 1;
                }
            }
        }
        spread
    }
}

impl Edge {
    /// Its share of clients now.
    pub(crate) fn weight(&self) -> u32 {
        if self.state.is_up() { self.capacity } else { 0 }
    }

    pub(crate) fn addresses(&self, family: Family) -> usize {
        match family {
            Family::V4 => self.v4.len(),
            Family::V6 => self.v6.len(),
        }
    }

    pub(crate) fn all_addresses(&self, family: Family) -> impl Iterator<Item = IpAddr> {
        (0..self.addresses(family)).map(move |index| self.address(family, index))
    }

    fn address(&self, family: Family, index: usize) -> IpAddr {
        match family {
            Family::V4 => IpAddr::V4(self.v4[index]),
            Family::V6 => IpAddr::V6(self.v6[index]),
        }
    }
}

/// What equal clients have in common: the first `bits` of their addresses, or fewer if fewer are
/// known.
fn spread_key(client: &Client, bits: u8) -> u64 {
    let bits = bits.min(client.prefix_length);
    let (address, width) = match client.address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let kept = address & mask(bits, width);
    mix((kept >> 64) as u64 ^ mix(kept as u64 ^ u64::from(width)))
}

/// Weighted rendezvous hashing: the least rank wins. An edge that comes or goes moves only its own
/// share, and shares are as the weights (Thaler and Ravishankar 1998; weights by the logarithm:
/// Schindelhauer and Schomaker 2005).
pub(crate) fn rank(key: u64, seed: u64, weight: f64) -> f64 {
    // 53 bits into (0, 1], never 0.
    let uniform = ((mix(key ^ seed) >> 11) + 1) as f64 / (1u64 << 53) as f64;
    -uniform.ln() / weight
}

/// The finaliser of `SplitMix64` (Steele, Lea and Flood 2014): each bit of the input moves half of
/// the output's.
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A hash of an edge's name that is the same in every run and on every machine (FNV-1a, then
/// mixed).
pub(crate) fn seed(name: &str) -> u64 {
    mix(name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::subnet::ClientSource;
    use std::collections::HashMap;

    fn edge(name: &str, v4: &[&str], v6: &[&str], capacity: u32) -> Edge {
        Edge {
            name: name.into(),
            seed: seed(name),
            v4: v4.iter().map(|a| a.parse().unwrap()).collect(),
            v6: v6.iter().map(|a| a.parse().unwrap()).collect(),
            capacity,
            check: None,
            state: Arc::default(),
        }
    }

    /// North has one edge, south three with capacities 1, 2 and 1, west one that is out of service.
    fn policy() -> Policy {
        let region = |edges: &[usize], order: &[RegionIndex]| Region {
            name: order[0].to_string().into(),
            edges: edges.to_vec(),
            order: order.to_vec(),
        };
        let prefixes: HashMap<_, _> =
            [("10.1.0.0/16", 0), ("10.2.0.0/16", 1), ("10.3.0.0/16", 2), ("2001:db8::/32", 0)]
                .map(|(prefix, region)| (prefix.parse().unwrap(), region))
                .into();
        Policy {
            regions: vec![
                region(&[0], &[0, 1, 2]),
                region(&[1, 2, 3], &[1, 0, 2]),
                region(&[4], &[2, 0, 1]),
            ],
            edges: vec![
                edge("n", &["192.0.2.1"], &["2001:db8::1"], 100),
                edge("s1", &["192.0.2.11"], &[], 1),
                edge("s2", &["192.0.2.12"], &[], 2),
                edge("s3", &["192.0.2.13"], &[], 1),
                edge("w", &["192.0.2.21"], &[], 0),
            ],
            map: PrefixMap::new(&prefixes),
            resolvers: None,
            steered: Vec::new(),
        }
    }

    fn client(address: &str, prefix_length: u8) -> Client {
        let address = address.parse().unwrap();
        Client { address, prefix_length, source: ClientSource::Subnet }
    }

    #[test]
    fn the_nearest_regions_edges_come_first() {
        let policy = policy();
        let north = "192.0.2.1";
        for (address, length, family, answers, first, count, scope, why, note) in [
            (
                "10.1.2.0",
                24,
                Family::V4,
                1,
                Some(north),
                1,
                16,
                Why::Mapped,
                "one edge: /16 suffices",
            ),
            (
                "10.1.2.0",
                24,
                Family::V4,
                9,
                Some(north),
                4,
                24,
                Why::Mapped,
                "then the next region",
            ),
            (
                "10.3.0.0",
                16,
                Family::V4,
                1,
                Some(north),
                1,
                16,
                Why::Spilled,
                "capacity 0 takes none",
            ),
            ("172.16.0.0", 12, Family::V4, 1, Some(north), 1, 1, Why::Default, "in no prefix"),
            (
                "10.1.0.0",
                16,
                Family::V6,
                1,
                Some("2001:db8::1"),
                1,
                16,
                Why::Mapped,
                "AAAA over IPv4",
            ),
            (
                "10.2.0.0",
                16,
                Family::V6,
                1,
                Some("2001:db8::1"),
                1,
                16,
                Why::Spilled,
                "no IPv6 there",
            ),
            ("2001:db8:5::", 48, Family::V4, 1, Some(north), 1, 32, Why::Mapped, "an IPv6 client"),
        ] {
            let name = Steered { ttl: 20, answers, default_region: 0, all_down: AllDown::All };
            let choice = policy.choose(&name, &client(address, length), family);
            let got = choice.addresses();
            assert_eq!(got.first().map(ToString::to_string).as_deref(), first, "{note}");
            assert_eq!((got.len(), choice.scope, choice.why), (count, scope, why), "{note}");
        }
        let mut nobody = policy;
        nobody.edges[0].v6.clear();
        let name = Steered { ttl: 20, answers: 1, default_region: 0, all_down: AllDown::All };
        let choice = nobody.choose(&name, &client("10.1.0.0", 16), Family::V6);
        assert_eq!((choice.addresses().len(), choice.why), (0, Why::NoEdge), "NODATA");
    }

    #[test]
    fn clients_are_spread_by_capacity_and_equal_clients_are_served_alike() {
        let policy = policy();
        let name = Steered { ttl: 20, answers: 1, default_region: 0, all_down: AllDown::All };
        let pick = |policy: &Policy, block: u32, host: u32| {
            let address = IpAddr::V4((0x0a02_0000 + block * 256 + host).into());
            let client = Client { address, prefix_length: 32, source: ClientSource::Resolver };
            let choice = policy.choose(&name, &client, Family::V4);
            assert_eq!(choice.scope, 24);
            choice.addresses()[0]
        };
        let mut shares: HashMap<IpAddr, u32> = HashMap::new();
        for block in 0..256 {
            let first = pick(&policy, block, 0);
            *shares.entry(first).or_default() += 1;
            assert_eq!(first, pick(&policy, block, 200), "one /24, one answer");
        }
        let share = |host: u8| shares[&IpAddr::from([192, 0, 2, host])];
        // Deterministic: the hash has no random part.
        assert!((100..=156).contains(&share(12)), "half of 256 clients: {shares:?}");
        assert!((44..=84).contains(&share(11)) && (44..=84).contains(&share(13)), "{shares:?}");
        let mut without = self::policy();
        without.edges[1].capacity = 0;
        for block in 0..256 {
            let (before, after) = (pick(&policy, block, 0), pick(&without, block, 0));
            assert!(before == after || before == IpAddr::from([192, 0, 2, 11]), "only s1's move");
        }
    }

    /// What a client of north gets for a name with `all_down`, after these edges have gone down.
    fn after(down: &[usize], all_down: AllDown, family: Family) -> (Vec<String>, Why) {
        let policy = policy();
        down.iter().for_each(|&index| policy.edges[index].state.set_up(false));
        let address = IpAddr::from([10, 1, 0, 1]);
        let client = Client { address, prefix_length: 32, source: ClientSource::Resolver };
        let name = Steered { ttl: 20, answers: 1, default_region: 0, all_down };
        let choice = policy.choose(&name, &client, family);
        (choice.addresses().iter().map(ToString::to_string).collect(), choice.why)
    }

    #[test]
    fn edges_that_are_down_get_nobody_while_others_are_up() {
        let fallback = AllDown::Static(vec!["192.0.2.99".parse().unwrap()], vec![]);
        let all = [0, 1, 2, 3];
        type Row<'a> = (&'a [usize], AllDown, Family, Option<&'a str>, Why, &'a str);
        let rows: [Row<'_>; 7] = [
            (&[1], AllDown::All, Family::V4, Some("192.0.2.1"), Why::Mapped, "another one's"),
            (&[0, 1, 3], AllDown::All, Family::V4, Some("192.0.2.12"), Why::Spilled, "one is left"),
            (&all, AllDown::All, Family::V4, Some("192.0.2.1"), Why::Down, "as if all were up"),
            (&all, fallback.clone(), Family::V4, Some("192.0.2.99"), Why::Down, "the fallback"),
            (&all, fallback, Family::V6, None, Why::Down, "which has no such address"),
            (&all, AllDown::Nothing, Family::V4, None, Why::Nothing, "nothing"),
            (&[0], AllDown::Nothing, Family::V6, None, Why::Nothing, "the only one of its family"),
        ];
        for (down, all_down, family, expected, why, what) in rows {
            let expected: Vec<_> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(after(down, all_down, family), (expected, why), "{what}");
        }
    }

    #[test]
    fn ranks_are_the_order_of_the_choice() {
        let policy = policy();
        let name = Steered { ttl: 20, answers: 4, default_region: 0, all_down: AllDown::All };
        for block in 0..64 {
            let address = IpAddr::V4((0x0a02_0000 + block * 256).into());
            let client = Client { address, prefix_length: 24, source: ClientSource::Subnet };
            let choice = policy.choose(&name, &client, Family::V4);
            let ranked = policy.ranked(1, &client, policy.map.lookup(address).scope, Family::V4);
            let first = ranked.iter().flat_map(|(_, index)| {
                policy.edges[*index].all_addresses(Family::V4).collect::<Vec<_>>()
            });
            assert_eq!(first.take(4).collect::<Vec<_>>(), choice.addresses());
        }
    }
}
