//! The edge for one client and, if that is to decide, one URL: what 302 and HTTPDNS have in common.

use super::Front;
use super::rules::By;
use crate::answer::Tables;
use crate::locate::{Holder, Place, locate};
use crate::steer::hash::{mix, seed};
use crate::steer::{Family, Why};
use crate::wire::subnet::{Client, ClientSource};
use std::net::IpAddr;

/// An edge, and why it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pick {
    pub(super) address: IpAddr,
    /// Its place in `Policy::edges`; none for an address of `fallback`.
    pub(super) edge: Option<usize>,
    /// The region that it is in.
    pub(super) region: Option<usize>,
    pub(super) why: Why,
    /// How the URL found it; none when the client decides.
    pub(super) place: Option<Place>,
}

/// A client whose address is known in full.
pub(super) fn client(address: IpAddr) -> Client {
    let address = address.to_canonical();
    let prefix_length = if address.is_ipv4() { 32 } else { 128 };
    Client { address, prefix_length, source: ClientSource::Subnet }
}

/// The hash of a URL, by which it is located. The query does not count: it seldom tells one file from another, and
/// what has it in its cache is better asked.
pub(super) fn url_key(host: &str, path: &str) -> u64 {
    seed(&format!("{host}{path}"))
}

/// The family to ask for first: the client's own.
pub(super) fn family(address: IpAddr) -> Family {
    if address.to_canonical().is_ipv4() { Family::V4 } else { Family::V6 }
}

/// The edge for `client`; `None` when there is none for this family. A request that is sent there is to be counted with
/// [`serve`].
pub(super) fn pick(
    front: &Front,
    tables: &Tables,
    steered: usize,
    address: IpAddr,
    family: Family,
    by: (By, u64),
) -> Option<Pick> {
    let policy = &tables.policy;
    let choice = policy.choose(&policy.steered[steered], &client(address), family);
    let &address = choice.addresses().first()?;
    let edge = choice.placed.edge.map(|edge| edge as usize);
    let region =
        edge.and_then(|edge| policy.regions.iter().position(|it| it.edges.contains(&edge)));
    let chosen = Pick { address, edge, region, why: choice.why, place: None };
    let (By::Url, key, Some(region)) = (by.0, by.1, region) else { return Some(chosen) };
    let edges = &policy.regions[region].edges;
    let now = front.started.elapsed();
    let mut recent = front.recent();
    let asked = recent.ask(mix(key ^ region as u64), now);
    let holders: Vec<_> = edges
        .iter()
        .map(|&index| {
            let edge = &policy.edges[index];
            let takes = edge.addresses(family) > 0;
            let weight = if takes { edge.weight() } else { 0.0 };
            Holder { seed: edge.seed, weight, load: recent.load(edge.seed, now) }
        })
        .collect();
    // When all are down nobody holds anything.
    let Some((index, place)) = locate(&holders, key, asked) else { return Some(chosen) };
    let edge = &policy.edges[edges[index]];
    let turn = (mix(key ^ edge.seed) % edge.addresses(family) as u64) as usize;
    let address = edge.all_addresses(family).nth(turn)?;
    Some(Pick { address, edge: Some(edges[index]), place: Some(place), ..chosen })
}

/// Counts a request that is sent to an edge.
pub(super) fn serve(front: &Front, tables: &Tables, pick: &Pick) {
    if let Some(edge) = pick.edge {
        let seed = tables.policy.edges[edge].seed;
        front.recent().serve(seed, front.started.elapsed());
    }
}

impl Pick {
    /// The choice in words.
    pub(super) fn explain(&self, tables: &Tables) -> String {
        let policy = &tables.policy;
        let edge = self.edge.map_or("a fallback", |edge| &policy.edges[edge].name);
        let region = self.region.map_or("no region", |region| &policy.regions[region].name);
        let place = match self.place {
            None => "",
            Some(Place::Home) => "; it holds this URL",
            Some(Place::Copy) => "; it is one of those that hold this hot URL",
            Some(Place::Overflow) => "; who holds this URL has its share of requests",
        };
        let why = match self.why {
            Why::Mapped | Why::Listed => "the client's region",
            Why::Default => "the default region, as no prefix has the client",
            Why::Measured => "the region nearest by what has been measured",
            Why::Spilled => "the nearest region with an edge that is up",
            Why::Shed => "the nearest region with room, as the client's has none for this one",
            Why::Full => "no region has room",
            Why::Down | Why::Nothing | Why::NoEdge | Why::Static => "no edge is up",
        };
        format!("{edge} in {region}: {why}{place}")
    }
}
