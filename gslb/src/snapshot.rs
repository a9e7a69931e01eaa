//! What secondaries get for steered names: they cannot steer, so it depends on the files alone. Pure.

use crate::steer::{ADDRESSES_MAX, Family, Policy, Steered};
use crate::wire::rtype;
use crate::zone::{Rdata, Rrset};
use std::net::IpAddr;

/// The A and AAAA RRsets of a name for servers that answer everybody alike.
///
/// They are the addresses of the edges of the name's default region (of the nearest one that has such addresses), all
/// of them rather than as many as an answer has: who gives one answer to everybody should not send everybody to one
/// edge. Which edges are up does not matter: two secondaries with one serial have the same.
pub(crate) fn rrsets(policy: &Policy, name: &Steered) -> Vec<Rrset> {
    let families = [(Family::V4, rtype::A), (Family::V6, rtype::AAAA)];
    let rrset = |(family, rtype)| {
        let records: Vec<_> =
            addresses(policy, name, family).into_iter().map(Rdata::address).collect();
        (!records.is_empty()).then(|| Rrset::new(rtype, name.ttl, records))
    };
    families.into_iter().filter_map(rrset).collect()
}

/// At most [`ADDRESSES_MAX`] addresses, none of them twice.
fn addresses(policy: &Policy, name: &Steered, family: Family) -> Vec<IpAddr> {
    for &region in &policy.regions[usize::from(name.default_region)].order {
        let edges = policy.regions[usize::from(region)].edges.iter();
        let edges = edges.map(|&index| &policy.edges[index]).filter(|edge| edge.capacity > 0);
        let mut addresses = Vec::new();
        for address in edges.flat_map(|edge| edge.all_addresses(family)) {
            if !addresses.contains(&address) && addresses.len() < ADDRESSES_MAX {
                addresses.push(address);
            }
        }
        if !addresses.is_empty() {
            return addresses;
        }
    }
    Vec::new()
}
