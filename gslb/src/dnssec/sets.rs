//! The sets of addresses that steering can answer with, each with its signature. Pure.

use crate::steer::hash::mix;
use crate::steer::{AllDown, Family, Policy, Steered};
use foldhash::fast::RandomState;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

/// Sets of one name and family: all of 90 edges in twos, or 29 in threes. With signatures of 64 octets they take about
/// half a megabyte, and each is signed at every reload and every day.
pub(crate) const SETS_MAX: usize = 4096;
/// Sets of all names: some 40 MB. More would make a reload long, and are a sign of names that could be CNAMEs to one.
pub(crate) const SETS_TOTAL_MAX: usize = 1 << 18;

/// The signatures of a name's sets in one family.
///
/// A set's key is a hash of its addresses. That two sets of one name have the same one is less likely than 1 in 10^12;
/// a validator would then refuse one of them.
pub(crate) type SignedSets = HashMap<u64, Box<[u8]>, RandomState>;

/// More sets than may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

/// What identifies a set, whatever the order of its addresses.
pub(crate) fn key(addresses: &[IpAddr]) -> u64 {
    let hash = |address: &IpAddr| match address {
        IpAddr::V4(address) => mix(u64::from(address.to_bits())),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            mix((bits >> 64) as u64 ^ mix(bits as u64 ^ 6))
        }
    };
    addresses.iter().map(hash).fold(0, u64::wrapping_add)
}

/// Whether a name has addresses of a family: its NSEC record says so, whatever the client.
pub(crate) fn has(policy: &Policy, family: Family) -> bool {
    policy.edges.iter().any(|edge| edge.capacity > 0 && edge.addresses(family) > 0)
}

/// Every set that `name` can be answered with, whichever edges are up and wherever the client is.
///
/// Steering takes edges in some order, all addresses of each, until there are `answers` of them; those of the last edge
/// begin anywhere and go around. Any edges may be down, so any order is possible.
///
/// # Errors
/// There are more than [`SETS_MAX`].
pub(crate) fn all(
    policy: &Policy,
    name: &Steered,
    family: Family,
) -> Result<Vec<Vec<IpAddr>>, TooMany> {
    let edges = policy.edges.iter().filter(|edge| edge.capacity > 0);
    let edges = edges.map(|edge| edge.all_addresses(family).collect::<Vec<_>>());
    let edges: Vec<_> = edges.filter(|addresses| !addresses.is_empty()).collect();
    let mut found = Found { answers: name.answers, edges: &edges, ..Found::default() };
    let mut chosen = Vec::new();
    found.extend(0, &mut chosen)?;
    if let AllDown::Static(v4, v6) = &name.all_down
        && !edges.is_empty()
    {
        let fallback: Vec<IpAddr> = match family {
            Family::V4 => v4.iter().copied().map(IpAddr::V4).collect(),
            Family::V6 => v6.iter().copied().map(IpAddr::V6).collect(),
        };
        found.put(fallback)?;
    }
    Ok(found.sets)
}

#[derive(Default)]
struct Found<'e> {
    answers: usize,
    /// The addresses of each edge.
    edges: &'e [Vec<IpAddr>],
    sets: Vec<Vec<IpAddr>>,
    keys: HashSet<u64>,
}

impl Found<'_> {
    /// All sets that begin with the `chosen` edges and take others from `next` on.
    fn extend(&mut self, next: usize, chosen: &mut Vec<usize>) -> Result<(), TooMany> {
        let whole: Vec<IpAddr> =
            chosen.iter().flat_map(|&index| self.edges[index].iter().copied()).collect();
        let wanted = self.answers - whole.len();
        // All others may be down.
        self.put(whole.clone())?;
        if wanted == 0 {
            return Ok(());
        }
        for (index, addresses) in self.edges.iter().enumerate() {
            let count = addresses.len();
            if count > wanted && !chosen.contains(&index) {
                for first in 0..count {
                    let last = addresses.iter().cycle().skip(first).take(wanted);
                    self.put(whole.iter().chain(last).copied().collect())?;
                }
            }
        }
        for index in next..self.edges.len() {
            if self.edges[index].len() <= wanted {
                chosen.push(index);
                self.extend(index + 1, chosen)?;
                chosen.pop();
            }
        }
        Ok(())
    }

    fn put(&mut self, set: Vec<IpAddr>) -> Result<(), TooMany> {
        if !set.is_empty() && self.keys.insert(key(&set)) {
            if self.sets.len() == SETS_MAX {
                return Err(TooMany);
            }
            self.sets.push(set);
        }
        Ok(())
    }
}
