//! What is asked of each peer. `table` has the cases themselves.

mod table;

pub use table::CASES;

use crate::metric::Metric;
use crate::peer::{Kind, Peer};

/// One case: what happens, who takes part, and what of it is the figure that counts.
#[derive(Debug, PartialEq)]
pub struct Case {
    /// What `--case` calls it.
    pub name: &'static str,
    /// What the report calls it.
    pub title: &'static str,
    /// What happens.
    pub scene: Scene,
    /// Who can do that.
    pub who: Who,
    /// Whether `--quick` has it.
    pub quick: bool,
}

/// What happens in a case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scene {
    /// Requests for a while.
    Load(Requests),
    /// The same, at a constant rate, while some clients download a film as fast as they can.
    Beside {
        /// Requests of the small objects; in an open loop of this rate, requests per second.
        requests: Requests,
        /// See above.
        rate: f64,
        /// Clients that download, again and again.
        readers: u16,
        /// What they download.
        film: &'static str,
    },
    /// Many clients ask for a cold object that arrives slowly: one soon after the other, all before its end.
    Crowd {
        /// How many.
        clients: u16,
        /// Octets of the object.
        octets: u32,
        /// Octets per second at which the origin sends it.
        rate: u32,
    },
    /// A fresh server's memory before and after connections that have each had one small hit, and stay open.
    Idle {
        /// How many.
        connections: u32,
    },
    /// A fresh server's memory before and after it has stored that many small objects.
    Objects {
        /// How many.
        objects: u32,
    },
}

/// Requests in a closed loop: each connection asks again when it has its answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Requests {
    /// What is asked for.
    pub targets: Targets,
    /// Checked by the origin's count in each round.
    pub outcome: Outcome,
    /// Connections at a time.
    pub connections: u16,
    /// Requests that a connection sends at once.
    pub pipeline: u16,
    /// Whether each connection has one request only.
    pub once: bool,
}

/// What is asked for, at the synthetic origin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Targets {
    /// One object.
    One(&'static str),
    /// Some of so many objects, at random: the first is more popular than the second, and so on, by this exponent;
    /// 0: all alike.
    Some {
        /// How many objects there are.
        objects: u32,
        /// See above.
        exponent: f64,
        /// Their sizes, as [`crate::load::Sizes`] reads them.
        sizes: &'static str,
    },
    /// Another object for each request.
    Unique(&'static str),
}

/// What the cache must make of the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered from what is stored.
    Hit,
    /// Fetched from the origin for each request.
    Miss,
}

/// Which kinds of peers take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody, floors too: a single object of so many octets.
    Everybody(usize),
    /// Caches and servers of files.
    Holders,
    /// Caches and proxies.
    Proxies,
    /// Caches only.
    Caches,
    /// Those caches that take memory for an object when it comes, not all of it at the start.
    Growing,
}

/// Octets of an object from which on it matters to nginx whether `tcp_nopush` is on.
const NOPUSH_MATTERS_OCTETS: usize = 16_000;

impl Case {
    /// The case that `--case` calls `name`.
    ///
    /// # Errors
    /// One line with the names that there are.
    pub fn named(name: &str) -> Result<&'static Self, String> {
        CASES.iter().find(|case| case.name == name).ok_or_else(|| {
            let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
            format!("{name:?} is not a case; allowed: {}", names.join(", "))
        })
    }

    /// Whether it is asked of `peer`.
    #[must_use]
    pub fn takes(&self, peer: Peer) -> bool {
        // A second nginx where it would be the same as the first one shows nothing.
        if peer == Peer::NginxNopushOff && !self.has_large_contents() {
            return false;
        }
        match (self.who, peer.kind()) {
            (_, Kind::Names) => false,
            (Who::Growing, Kind::Cache) => peer != Peer::Haproxy,
            (_, Kind::Cache) => true,
            (Who::Everybody(_) | Who::Holders, Kind::Files { .. })
            | (Who::Everybody(_), Kind::Floor)
            | (Who::Proxies, Kind::Files { proxy: true }) => true,
            (Who::Proxies | Who::Caches | Who::Growing, Kind::Files { .. })
            | (Who::Holders | Who::Proxies | Who::Caches | Who::Growing, Kind::Floor) => false,
        }
    }

    fn has_large_contents(&self) -> bool {
        match (self.scene, self.who) {
            (Scene::Beside { .. }, _) => true,
            (Scene::Load(_), Who::Everybody(octets)) => octets >= NOPUSH_MATTERS_OCTETS,
            (Scene::Load(requests), _) => matches!(requests.targets, Targets::Some { .. }),
            (Scene::Crowd { .. } | Scene::Idle { .. } | Scene::Objects { .. }, _) => false,
        }
    }

    /// What a server that is started for this case alone answers with: see [`Who::Everybody`].
    #[must_use]
    pub fn octets(&self) -> usize {
        match self.who {
            Who::Everybody(octets) => octets,
            Who::Holders | Who::Proxies | Who::Caches | Who::Growing => 0,
        }
    }

    /// Its figures in the order of the report; the first is the one that bars and ratios are of.
    #[must_use]
    pub fn metrics(&self) -> &'static [Metric] {
        match self.scene {
            Scene::Load(_) => &[
                Metric::CpuUs,
                Metric::SystemShare,
                Metric::RequestsPerSecond,
                Metric::P50Us,
                Metric::P99Us,
            ],
            Scene::Beside { .. } => &[
                Metric::P99Us,
                Metric::P50Us,
                Metric::RequestsPerSecond,
                Metric::DownloadMbPerSecond,
            ],
            Scene::Crowd { .. } => &[Metric::BehindP99Ms, Metric::Fetches, Metric::Errors],
            Scene::Idle { .. } => &[Metric::ConnectionOctets, Metric::BeforeMb, Metric::AfterMb],
            Scene::Objects { .. } => &[Metric::ObjectOctets, Metric::BeforeMb, Metric::AfterMb],
        }
    }

    /// The figure that bars and ratios are of.
    #[must_use]
    pub fn headline(&self) -> Metric {
        self.metrics()[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::PEERS;

    #[test]
    fn cases_are_found_by_their_names() {
        for case in CASES {
            assert_eq!(Case::named(case.name), Ok(case));
        }
        let error = Case::named("2k-hit").unwrap_err();
        assert!(error.starts_with("\"2k-hit\" is not a case; allowed: 1k-hit, "), "{error}");
    }

    #[test]
    fn who_takes_part() {
        let takes = |case: &str| {
            let case = Case::named(case).unwrap();
            PEERS.iter().filter(|peer| case.takes(**peer)).map(|p| p.name()).collect::<Vec<_>>()
        };
        let caches = ["lastmile", "nginx", "haproxy", "varnish", "trafficserver", "squid"];
        assert_eq!(takes("flash-crowd"), caches, "one fetch is a cache's business");
        assert_eq!(takes("1k-miss"), [&caches[..], &["h2o"]].concat(), "proxies too");
        assert_eq!(takes("1m-hit").len(), PEERS.len(), "everybody");
        assert!(!takes("1k-hit").contains(&"nginx-nopush-off"), "where it is the same as nginx");
        assert!(takes("100k-hit-256m").contains(&"nginx-static"), "files may be many");
        assert!(!takes("100k-hit-256m").contains(&"floor-uring"), "a floor has one object");
        assert!(!takes("1000000-objects").contains(&"haproxy"), "all of its memory from the start");
        assert!(CASES.iter().all(|case| case.takes(Peer::Lastmile)), "everything is about it");
    }

    #[test]
    fn a_target_says_the_octets_of_its_case() {
        for case in CASES {
            if let (Scene::Load(Requests { targets: Targets::One(target), .. }), octets @ 1..) =
                (case.scene, case.octets())
            {
                assert!(target.starts_with(&format!("/bytes/{octets}/")), "{}", case.name);
            }
        }
    }
}
