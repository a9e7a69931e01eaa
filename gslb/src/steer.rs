//! The choice: which edges' addresses a client gets, how far the choice holds, and why. Pure.
//!
//! | file | job |
//! | --- | --- |
//! | `steer/hash.rs` | which of several a client belongs to |
//! | `steer/room.rs` | how much edges and regions take |
//! | `steer/measured.rs` | regions in the order of measured round-trip times |

pub(crate) mod hash;
pub(crate) mod measured;
pub(crate) mod room;

use crate::balance::Marks;
use crate::health::{Check, EdgeState};
use crate::map::{Match, PrefixMap, RegionIndex};
use crate::wire::subnet::{Client, ClientSource};
use hash::{mix, rank, spread_key, uniform};
use measured::Measured;
use room::{RegionState, Room};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Addresses in one answer: 16 AAAA records with question and OPT stay below 1232 octets.
pub(crate) const ADDRESSES_MAX: usize = 16;
/// Regions without room that are asked all the same when none has any, the nearest ones.
const WITHOUT_ROOM_MAX: usize = 32;
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
    /// What has been measured comes before what the map says.
    pub(crate) measured: Measured,
    /// From when on edges and regions take less.
    pub(crate) marks: Marks,
    pub(crate) steered: Vec<Steered>,
}

/// A place that clients are near to.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) name: Box<str>,
    /// A hash of its name.
    pub(crate) seed: u64,
    /// Places in [`Policy::edges`].
    pub(crate) edges: Vec<usize>,
    /// All regions, nearest first; the first is this one.
    pub(crate) order: Vec<RegionIndex>,
    pub(crate) state: Arc<RegionState>,
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
    /// The first address is in the region that measurements say, which is not the map's.
    Measured,
    /// The client is in no prefix; the first address is in the name's default region.
    Default,
    /// The client's region has no edge for this family that is up, so the first address is in another one.
    Spilled,
    /// The client's region has room for a part of its clients only, and this one is not in that part, so the first
    /// address is in another one.
    Shed,
    /// No region has room for this client, so it stays where it belongs.
    Full,
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
pub(crate) struct Place<'p> {
    /// By the map, or for want of it by the name.
    pub(crate) region: RegionIndex,
    /// Regions that come first, in this order.
    pub(crate) measured: &'p [RegionIndex],
    /// Why it is in the first of its regions.
    pub(crate) why: Why,
    /// All clients that share so many bits of their addresses are in this place.
    pub(crate) scope: u8,
    /// Clients are spread in blocks of so many bits.
    spread_bits: u8,
    key: u64,
    family: Family,
}

/// What came of asking regions in turn.
struct Taken {
    /// Whether another key could have got others.
    is_spread: bool,
    /// Whether the first region had no room.
    is_shed: bool,
    /// Whether no region had room.
    is_full: bool,
    /// Where the first address is.
    first: RegionIndex,
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
        let measured = self.measured.load();
        let measured = measured.as_ref().and_then(measured::Held::table);
        let place = self.place(measured, name, client, family);
        let mut choice = Choice {
            addresses: [IpAddr::V4(Ipv4Addr::UNSPECIFIED); ADDRESSES_MAX],
            count: 0,
            scope: place.scope,
            why: Why::NoEdge,
            placed: Placed { region: self.first_region(&place), edge: None },
        };
        let mut taken = self.take(&place, name.answers, &mut choice);
        if choice.count > 0 {
            choice.why = match &taken {
                Taken { is_full: true, .. } => Why::Full,
                Taken { first, .. } if *first == self.first_region(&place) => place.why,
                Taken { is_shed: true, .. } => Why::Shed,
                Taken { .. } => Why::Spilled,
            };
        } else if self.has(family) {
            choice.why = Why::Down;
            match &name.all_down {
                AllDown::All => taken.is_spread = self.take_down(&place, name.answers, &mut choice),
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
        if taken.is_spread {
            choice.scope = choice.scope.max(place.spread_bits);
        }
        choice
    }

    /// The region of a client by the list of resolvers or the map, and what says so: [`Why::Mapped`], [`Why::Listed`],
    /// or without a region [`Why::Default`].
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

    /// Where a client is: by what has been measured, by the map, or by the name that it asks for.
    pub(crate) fn place<'p>(
        &self,
        measured: Option<&'p measured::Table>,
        name: &Steered,
        client: &Client,
        family: Family,
    ) -> Place<'p> {
        let (found, mut why) = self.locate(client);
        let region = found.region.unwrap_or(name.default_region);
        let (mut scope, mut order) = (found.scope, &[][..]);
        if let Some(table) = measured {
            let (regions, needed) = table.lookup(client.address);
            (scope, order) = (scope.max(needed), regions);
            if order.first().is_some_and(|first| *first != region) {
                why = Why::Measured;
            }
        }
        let spread_bits = if client.address.is_ipv4() { SPREAD_BITS_V4 } else { SPREAD_BITS_V6 };
        let key = spread_key(client, spread_bits.max(scope));
        Place { region, measured: order, why, scope, spread_bits, key, family }
    }

    /// All regions in the order in which they are asked: those that were measured, then by the map.
    fn order<'p>(&'p self, place: &'p Place<'_>) -> impl Iterator<Item = RegionIndex> + 'p {
        let mapped = self.regions[usize::from(place.region)].order.iter();
        let mapped = mapped.filter(|region| !place.measured.contains(region));
        place.measured.iter().chain(mapped).copied()
    }

    /// The region that a client belongs to.
    pub(crate) fn first_region(&self, place: &Place<'_>) -> RegionIndex {
        place.measured.first().copied().unwrap_or(place.region)
    }

    /// All edges with their regions, in the order in which a client gets them, whether they are up or not.
    pub(crate) fn ranked(&self, place: &Place<'_>) -> Vec<(RegionIndex, usize)> {
        let first = self.first_region(place);
        let mut regions: Vec<_> = self.order(place).collect();
        // The sort is stable.
        regions.sort_by_key(|&region| match self.room(region, region == first, place) {
            Room::ForAll | Room::ForThis => false,
            Room::ForOthers | Room::None => true,
        });
        let mut ranked = Vec::new();
        for candidate in regions {
            let edges = self.regions[usize::from(candidate)].edges.iter();
            let mut edges: Vec<_> = edges
                .map(|&index| {
                    let edge = &self.edges[index];
                    let takes = edge.capacity > 0 && edge.addresses(place.family) > 0;
                    let weight = f64::from(edge.capacity) * edge.state.part.value();
                    let rank =
                        if takes { rank(place.key, edge.seed, weight) } else { f64::INFINITY };
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

    /// Appends addresses of the nearest regions that have room, then of those that have none.
    fn take(&self, place: &Place<'_>, answers: usize, choice: &mut Choice) -> Taken {
        let own = self.first_region(place);
        let mut taken = Taken { is_spread: false, is_shed: false, is_full: false, first: own };
        // As they were seen once: what there is room for may change while this is looked at.
        let mut without_room = [own; WITHOUT_ROOM_MAX];
        let mut count = 0;
        for region in self.order(place) {
            let room = self.room(region, region == own, place);
            taken.is_spread |= matches!(room, Room::ForThis | Room::ForOthers);
            if matches!(room, Room::ForOthers | Room::None) {
                if let Some(place) = without_room.get_mut(count) {
                    *place = region;
                    count += 1;
                }
                taken.is_shed |= region == own;
                continue;
            }
            self.take_next(region, place, answers, choice, &mut taken);
            if choice.count == answers {
                return taken;
            }
        }
        taken.is_full = choice.count == 0 && count > 0;
        for &region in &without_room[..count] {
            self.take_next(region, place, answers, choice, &mut taken);
            if choice.count == answers {
                break;
            }
        }
        taken
    }

    fn take_next(
        &self,
        region: RegionIndex,
        place: &Place<'_>,
        answers: usize,
        choice: &mut Choice,
        taken: &mut Taken,
    ) {
        let before = choice.count;
        taken.is_spread |= self.take_region(region, place, answers, Edge::weight, choice);
        if before == 0 && choice.count > 0 {
            taken.first = region;
        }
    }

    /// Appends addresses as if all edges were up and had room. Whether another key could give others.
    fn take_down(&self, place: &Place<'_>, answers: usize, choice: &mut Choice) -> bool {
        let mut is_spread = false;
        for region in self.order(place) {
            let capacity = |edge: &Edge| f64::from(edge.capacity);
            is_spread |= self.take_region(region, place, answers, capacity, choice);
            if choice.count == answers {
                break;
            }
        }
        is_spread
    }

    /// Whether a region has room for a client. Which clients have to go when it has too little is the client's and the
    /// region's alone, so that few move when the part moves; those go first whose edge is down, since they move anyway.
    fn room(&self, region: RegionIndex, is_own: bool, place: &Place<'_>) -> Room {
        let Region { seed, edges, state, .. } = &self.regions[usize::from(region)];
        let (mut part, displaced) = match is_own {
            true => (state.own.value(), state.displaced.value()),
            false => (state.guests.value(), 1.0),
        };
        if part >= 1.0 && displaced >= 1.0 {
            return Room::ForAll;
        }
        if part <= 0.0 {
            return Room::None;
        }
        if displaced < 1.0 {
            let takes = |edge: &&Edge| edge.capacity > 0 && edge.addresses(place.family) > 0;
            let edges = edges.iter().map(|&index| &self.edges[index]).filter(takes);
            let rank = |edge: &&Edge| rank(place.key, edge.seed, f64::from(edge.capacity));
            let its = edges.min_by(|one, other| rank(one).total_cmp(&rank(other)));
            if its.is_some_and(|edge| !edge.state.is_up()) {
                part *= displaced;
            }
        }
        let value = uniform(place.key, *seed);
        if value <= part { Room::ForThis } else { Room::ForOthers }
    }

    /// Appends addresses of a region's edges in the order that the client's key gives them, and says whether another
    /// key could give another order.
    fn take_region(
        &self,
        region: RegionIndex,
        &Place { key, family, .. }: &Place<'_>,
        answers: usize,
        weight: impl Fn(&Edge) -> f64,
        choice: &mut Choice,
    ) -> bool {
        // The best so far, best first. Each edge yields an address at least, so no more edges are
        // needed than addresses are wanted.
        let mut best = [(f64::INFINITY, 0usize); ADDRESSES_MAX];
        let wanted = answers - choice.count;
        let mut eligible = 0;
        let edges = &self.regions[usize::from(region)].edges;
        for &index in edges {
            let edge = &self.edges[index];
            let weight = weight(edge);
            if weight <= 0.0 || edge.addresses(family) == 0 {
                continue;
            }
            eligible += 1;
            // One alone needs no logarithm.
            let rank = if edges.len() > 1 { rank(key, edge.seed, weight) } else { 0.0 };
            let at = best[..wanted].partition_point(|other| other.0 <= rank);
            if at < wanted {
                best[at..wanted].rotate_right(1);
                best[at] = (rank, index);
            }
        }
        let mut is_spread = eligible > 1;
        for &(_, index) in best[..wanted].iter().take(eligible) {
            let edge = &self.edges[index];
            choice.placed.edge.get_or_insert(index as u32);
            let count = edge.addresses(family);
            is_spread |= count > 1;
            let first = (mix(key ^ edge.seed.rotate_left(32)) % count as u64) as usize;
            for turn in 0..count {
                if choice.count < answers {
                    choice.addresses[choice.count] = edge.address(family, (first + turn) % count);
                    choice.count += 1;
                }
            }
        }
        is_spread
    }
}

impl Edge {
    /// Its share of the region's clients now, relative to the other edges. It has some as long as it is up.
    pub(crate) fn weight(&self) -> f64 {
        if self.state.is_up() { f64::from(self.capacity) * self.state.part.value() } else { 0.0 }
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

#[cfg(test)]
mod tests;
