//! Which hosts there are, which links between them, and which way each host sends to each other. No I/O here.
//!
//! Each host has one address, on its loopback device; links are unnumbered. A host's route to another leads over the
//! fewest links, of such ways over the one that takes least time there and back.

use super::link::Conditions;
use super::scenario::{HostSettings, RouteSettings, Scene};
use lastmile_tuning::route::Metrics;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Hosts of a lab: more would need more than one number in their addresses, and a machine of another kind.
pub const HOSTS_MAX: usize = 250;

/// The first three octets of all addresses.
const NETWORK: [u8; 3] = [10, 77, 0];

/// A link between two hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkSettings {
    /// Its name.
    pub name: String,
    /// The names of its hosts.
    pub ends: [String; 2],
    /// What it is like from the first to the second.
    pub forth: Conditions,
    /// And back.
    pub back: Conditions,
}

/// Hosts and links that are to be made.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// At most [`HOSTS_MAX`]: their addresses end in 1, 2, 3...
    pub hosts: Vec<HostSettings>,
    /// At most 65,535.
    pub links: Vec<LinkSettings>,
    /// What routes say about connections.
    pub routes: Vec<RouteSettings>,
    /// Of everything random in the links.
    pub seed: u64,
}

impl Topology {
    /// That of a scene.
    #[must_use]
    pub fn of(scene: &Scene) -> Self {
        Self {
            hosts: scene.hosts.clone(),
            links: scene.links.clone(),
            routes: scene.routes.clone(),
            seed: scene.seed,
        }
    }

    /// With another host.
    #[must_use]
    pub fn host(mut self, name: &str) -> Self {
        self.hosts.push(HostSettings { name: name.to_owned(), ..HostSettings::default() });
        self
    }

    /// With a link between two of the hosts, which is like `conditions` both ways; its name is `A-B`.
    #[must_use]
    pub fn link(mut self, ends: [&str; 2], conditions: Conditions) -> Self {
        self.links.push(LinkSettings {
            name: ends.join("-"),
            ends: ends.map(str::to_owned),
            back: conditions.clone(),
            forth: conditions,
        });
        self
    }

    /// With a route of the host `at` to the host `to` that says this about connections.
    #[must_use]
    pub fn route(mut self, at: &str, to: &str, metrics: Metrics) -> Self {
        self.routes.push(RouteSettings { at: at.to_owned(), to: to.to_owned(), metrics });
        self
    }

    /// The place of a host in the order of the hosts.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.hosts.iter().position(|host| host.name == name)
    }

    /// For each host, by which link another one sends to it: of each other one, by place. `None` where there is no way,
    /// and for the host itself.
    #[must_use]
    pub fn ways_to(&self, target: usize) -> Vec<Option<usize>> {
        let places: Vec<_> = self.links.iter().map(|link| self.places(link)).collect();
        // Bellman and Ford: as many rounds as a way can have links.
        let mut costs: Vec<Option<(usize, Duration)>> = vec![None; self.hosts.len()];
        let mut ways = vec![None; self.hosts.len()];
        costs[target] = Some((0, Duration::ZERO));
        for _ in &self.hosts {
            for (at, link) in self.links.iter().enumerate() {
                let Some([a, b]) = places[at] else { continue };
                for (near, far) in [(a, b), (b, a)] {
                    let Some((links, time)) = costs[near] else { continue };
                    let cost = (links + 1, time + link.forth.delay + link.back.delay);
                    if costs[far].is_none_or(|known| cost < known) {
                        costs[far] = Some(cost);
                        ways[far] = Some(at);
                    }
                }
            }
        }
        ways
    }

    /// The link between two hosts, and whether it leads from the first to the second (otherwise back); the one that
    /// takes least time if there are several.
    #[must_use]
    pub fn link_between(&self, from: &str, to: &str) -> Option<(usize, bool)> {
        let ends = |link: &LinkSettings| [link.ends[0].clone(), link.ends[1].clone()];
        let fits = self.links.iter().enumerate().filter_map(|(at, link)| {
            let ends = ends(link);
            let time = link.forth.delay + link.back.delay;
            match (ends[0] == from && ends[1] == to, ends[0] == to && ends[1] == from) {
                (true, _) => Some((time, at, true)),
                (_, true) => Some((time, at, false)),
                (false, false) => None,
            }
        });
        fits.min().map(|(_, at, is_forth)| (at, is_forth))
    }

    /// How long a packet takes from one host to another and back, without waiting and sending.
    #[must_use]
    pub fn round_trip(&self, from: &str, to: &str) -> Option<Duration> {
        let target = self.place(to)?;
        let ways = self.ways_to(target);
        let (mut at, mut time) = (self.place(from)?, Duration::ZERO);
        while at != target {
            let link = &self.links[ways[at]?];
            time += link.forth.delay + link.back.delay;
            let [a, b] = self.places(link)?;
            at = if at == a { b } else { a };
        }
        Some(time)
    }

    fn places(&self, link: &LinkSettings) -> Option<[usize; 2]> {
        Some([self.place(&link.ends[0])?, self.place(&link.ends[1])?])
    }
}

/// The address of the host at `place`.
///
/// # Panics
/// Above 254, which [`super::Lab::start`] refuses.
#[must_use]
pub fn address(place: usize) -> Ipv4Addr {
    let last = u8::try_from(place + 1).expect("at most 254 hosts");
    Ipv4Addr::new(NETWORK[0], NETWORK[1], NETWORK[2], last)
}

/// Whether hosts of labs have such addresses.
#[must_use]
pub fn is_address(address: Ipv4Addr) -> bool {
    address.octets()[..3] == NETWORK
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_ms(delay: u64) -> Conditions {
        Conditions::of_delay(Duration::from_millis(delay))
    }

    fn triangle(direct: u64) -> Topology {
        let all = Topology::default().host("a").host("b").host("c");
        let all = all.link(["a", "b"], of_ms(direct)).link(["a", "c"], of_ms(10));
        all.link(["c", "b"], of_ms(10))
    }

    #[test]
    fn ways_have_the_fewest_links() {
        let topology = triangle(200);
        assert_eq!(topology.ways_to(1), [Some(0), None, Some(2)], "direct, however slow");
        let mut without = topology.clone();
        without.links.remove(0);
        assert_eq!(without.ways_to(1), [Some(0), None, Some(1)], "through c");
        assert_eq!(without.round_trip("a", "b"), Some(Duration::from_millis(40)));
        assert_eq!(topology.round_trip("a", "b"), Some(Duration::from_millis(400)));
    }

    #[test]
    fn of_ways_with_as_many_links_the_fastest_is_taken() {
        let topology = triangle(200).link(["b", "a"], of_ms(5));
        assert_eq!(topology.ways_to(1)[0], Some(3));
        assert_eq!(topology.link_between("a", "b"), Some((3, false)));
        assert_eq!(topology.link_between("b", "a"), Some((3, true)));
        assert_eq!(topology.link_between("b", "b"), None);
    }

    #[test]
    fn there_may_be_no_way() {
        let topology = triangle(1).host("alone");
        assert_eq!(topology.ways_to(3), [None; 4]);
        assert_eq!(topology.round_trip("a", "alone"), None);
        assert_eq!(topology.round_trip("alone", "alone"), Some(Duration::ZERO));
    }

    #[test]
    fn addresses() {
        assert_eq!(address(0).to_string(), "10.77.0.1");
        assert_eq!(address(249).to_string(), "10.77.0.250");
        assert!(is_address(address(249)) && !is_address(Ipv4Addr::new(10, 78, 0, 1)));
    }
}
