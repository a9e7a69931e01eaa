//! The answer of static mode: addresses of a name's default region, in turn, for whoever asks. Neither the map nor the
//! client is looked at. Pure.

use crate::map::RegionIndex;
use crate::steer::{ADDRESSES_MAX, Choice, Family, Policy, Why};
use std::net::IpAddr;

/// Turns in which edges follow each other, as often as their capacity says; with more edges one for each. More turns
/// would only share more finely.
const TURNS: usize = 64;
/// Edges of a region that have turns: what making them takes grows with the square.
const EDGES_MAX: usize = 1024;

/// What a region has for static mode; made when the files are read.
#[derive(Debug, Default)]
pub(crate) struct Fixed {
    region: RegionIndex,
    v4: Vec<Turn>,
    v6: Vec<Turn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    /// Place in [`Policy::edges`].
    edge: usize,
    address: IpAddr,
}

impl Fixed {
    /// Those of all regions, in their order.
    pub(crate) fn of(policy: &Policy) -> Vec<Self> {
        let of = |region: usize| Self {
            region: region as RegionIndex,
            v4: turns(policy, region, Family::V4),
            v6: turns(policy, region, Family::V6),
        };
        (0..policy.regions.len()).map(of).collect()
    }

    /// As many addresses of edges that are up as wanted and there, beginning at the turn that `random` says; `None`
    /// when there is none, and the whole policy must find another region.
    pub(crate) fn choose(
        &self,
        policy: &Policy,
        family: Family,
        answers: usize,
        random: u64,
    ) -> Option<Choice> {
        let turns = match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };
        let first = random as usize % turns.len().max(1);
        let mut choice = Choice::none(Why::Static, self.region);
        for turn in turns[first..].iter().chain(&turns[..first]) {
            let is_new = !choice.addresses().contains(&turn.address);
            if is_new && policy.edges[turn.edge].weight() > 0.0 {
                choice.push(turn.address);
                choice.placed.edge.get_or_insert(turn.edge as u32);
            }
            if choice.addresses().len() == answers.min(ADDRESSES_MAX) {
                break;
            }
        }
        (!choice.addresses().is_empty()).then_some(choice)
    }
}

/// The turns of a region's edges: at each one the edge that is furthest behind its share.
fn turns(policy: &Policy, region: usize, family: Family) -> Vec<Turn> {
    let edges = policy.regions[region].edges.iter().copied();
    let edges = edges.filter(|&edge| {
        policy.edges[edge].capacity > 0 && policy.edges[edge].addresses(family) > 0
    });
    // Edge, its credit, how often it had its turn.
    let mut waiting: Vec<(usize, i64, usize)> =
        edges.take(EDGES_MAX).map(|edge| (edge, 0, 0)).collect();
    let total: i64 = waiting.iter().map(|&(edge, ..)| i64::from(policy.edges[edge].capacity)).sum();
    let count = if waiting.is_empty() { 0 } else { TURNS.max(waiting.len()) };
    let mut turns = Vec::with_capacity(count);
    for _ in 0..count {
        for (edge, credit, _) in &mut waiting {
            *credit += i64::from(policy.edges[*edge].capacity);
        }
        let Some((edge, credit, had)) = waiting.iter_mut().max_by_key(|(_, credit, _)| *credit)
        else {
            break;
        };
        *credit -= total;
        let mut addresses = policy.edges[*edge].all_addresses(family);
        let addresses_count = policy.edges[*edge].addresses(family);
        if let Some(address) = addresses.nth(*had % addresses_count) {
            turns.push(Turn { edge: *edge, address });
        }
        *had += 1;
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, ZoneSource, load};
    use std::collections::HashMap;

    const FILE: &str = r#"
[[zone]]
name = "cdn.test."
records = "@ SOA ns host 1 2 3 4 60\n@ NS ns\n"
[[region]]
name = "north"
[[region]]
name = "south"
[[edge]]
name = "small"
region = "north"
addresses = ["192.0.2.1", "2001:db8::1", "2001:db8::2"]
capacity = 1
[[edge]]
name = "large"
region = "north"
addresses = ["192.0.2.2"]
capacity = 3
[[edge]]
name = "none"
region = "north"
addresses = ["192.0.2.3"]
capacity = 0
[[edge]]
name = "far"
region = "south"
addresses = ["192.0.2.4"]
"#;

    #[test]
    fn in_turn_as_their_capacities_say() {
        let zone = ZoneSource::Inline { name: "test".to_owned(), text: FILE.to_owned() };
        let (tables, _) = load::load(&Config { zone: Some(zone), ..Config::default() }).unwrap();
        let (policy, fixed) = (&tables.policy, &tables.fixed);
        let mut first: HashMap<_, usize> = HashMap::new();
        for random in 0..64 {
            let choice = fixed[0].choose(policy, Family::V4, 4, random).unwrap();
            assert_eq!((choice.scope, choice.why), (0, Why::Static), "for everybody");
            assert_eq!(choice.addresses().len(), 2, "both of north, each once");
            *first.entry(choice.addresses()[0]).or_default() += 1;
        }
        let count = |address: &str| first[&address.parse::<IpAddr>().unwrap()];
        assert_eq!((count("192.0.2.1"), count("192.0.2.2")), (16, 48));
        let v6 = fixed[0].choose(policy, Family::V6, 1, 1).unwrap();
        assert_eq!(v6.addresses(), ["2001:db8::2".parse::<IpAddr>().unwrap()], "its second");
        assert_eq!(fixed[1].choose(policy, Family::V6, 1, 0).map(|c| c.why), None, "no IPv6");
        let far = fixed[1].choose(policy, Family::V4, 1, u64::MAX).unwrap();
        assert_eq!(far.addresses(), ["192.0.2.4".parse::<IpAddr>().unwrap()]);
    }
}
