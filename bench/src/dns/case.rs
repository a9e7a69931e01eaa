//! What is asked of name servers, and what lastmile must reach in it.

use super::prefixes::Prefixes;
use super::questions::Questions;
use crate::goal::{Against, Bound, Goal};
use crate::metric::Metric;
use crate::peer::Peer;

/// A case of `bench dns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsCase {
    /// Addresses of names that are in the zone.
    Static,
    /// Addresses chosen by the client's subnet.
    Subnets,
}

/// All of them.
pub const DNS_CASES: &[DnsCase] = &[DnsCase::Static, DnsCase::Subnets];

/// The figures of both; the first is the one of bars and ratios.
const METRICS: &[Metric] = &[
    Metric::CpuUs,
    Metric::UserUs,
    Metric::SystemShare,
    Metric::RequestsPerSecond,
    Metric::P50Us,
    Metric::P99Us,
    Metric::BusyShare,
    Metric::Lost,
];

impl DnsCase {
    /// What `--case` and the report call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Subnets => "subnets",
        }
    }

    /// In words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Static => "A of 1,000 names in a zone, over UDP",
            Self::Subnets => {
                "A of a name that is steered by a map, for clients in all of its prefixes"
            }
        }
    }

    /// The case that `--case` calls `name`.
    ///
    /// # Errors
    /// One line with the names that there are.
    pub fn named(name: &str) -> Result<Self, String> {
        DNS_CASES.iter().copied().find(|case| case.name() == name).ok_or_else(|| {
            let names: Vec<_> = DNS_CASES.iter().map(|case| case.name()).collect();
            format!("{name:?} is not a case; allowed: {}", names.join(", "))
        })
    }

    /// Whether a peer can do it.
    #[must_use]
    pub fn takes(self, peer: Peer) -> bool {
        match self {
            Self::Static => true,
            Self::Subnets => peer.steers(),
        }
    }

    pub(super) fn metrics(self) -> &'static [Metric] {
        METRICS
    }

    /// Its questions, with so many prefixes if it is about them.
    pub(super) fn questions(self, prefixes: u32) -> Questions {
        match self {
            Self::Static => Questions::names(),
            Self::Subnets => Questions::subnets(Prefixes::generate(prefixes)),
        }
    }
}

const fn goal(case: DnsCase, metric: Metric, against: Against, bound: Bound) -> Goal {
    Goal { case: case.name(), metric, against, bound }
}

const GDNSD: Against = Against::Peer(Peer::Gdnsd);
const KNOT: Against = Against::Peer(Peer::Knot);

/// All goals, in the order of the cases.
pub(super) const GOALS: &[Goal] = &[
    goal(DnsCase::Static, Metric::CpuUs, GDNSD, Bound::AtMost(0.9)),
    goal(DnsCase::Static, Metric::UserUs, Against::Itself, Bound::AtMost(0.5)),
    goal(DnsCase::Static, Metric::RequestsPerSecond, GDNSD, Bound::AtLeast(1.1)),
    goal(DnsCase::Static, Metric::RequestsPerSecond, KNOT, Bound::AtLeast(1.4)),
    goal(DnsCase::Subnets, Metric::CpuUs, GDNSD, Bound::AtMost(0.9)),
    goal(DnsCase::Subnets, Metric::UserUs, Against::Itself, Bound::AtMost(0.5)),
    goal(DnsCase::Subnets, Metric::RequestsPerSecond, GDNSD, Bound::AtLeast(1.1)),
    goal(DnsCase::Subnets, Metric::RequestsPerSecond, KNOT, Bound::AtLeast(1.4)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_found_by_their_names() {
        for case in DNS_CASES {
            assert_eq!(DnsCase::named(case.name()), Ok(*case));
            assert!(case.takes(Peer::Lastmile));
        }
        let error = DnsCase::named("dynamic").unwrap_err();
        assert_eq!(error, "\"dynamic\" is not a case; allowed: static, subnets");
    }

    #[test]
    fn goals_are_about_figures_and_peers_that_there_are() {
        for goal in GOALS {
            let case = DnsCase::named(goal.case).unwrap();
            assert!(case.metrics().contains(&goal.metric), "{goal:?}");
            match goal.against {
                Against::Itself => {}
                Against::Peer(peer) => assert!(case.takes(peer), "{goal:?}"),
                Against::Best(_) | Against::Case(_) => panic!("{goal:?}"),
            }
        }
    }

    #[test]
    fn goals_are_reached_missed_or_not_measured() {
        let figure = |_: &str, peer| match peer {
            Peer::Lastmile => Some(0.45),
            Peer::Gdnsd => Some(0.5),
            _ => None,
        };
        let found = GOALS.iter().map(|goal| {
            let quotient = goal.quotient(figure);
            (goal.words(), quotient.map(|quotient| goal.is_reached(quotient)))
        });
        let found: Vec<_> = found.take(4).collect();
        let expected = [
            ("at most 0.9 of gdnsd's", Some(true)),
            ("at most 0.50 us", Some(true)),
            ("at least 1.1 of gdnsd's", Some(false)),
            ("at least 1.4 of knot's", None),
        ];
        assert_eq!(found, expected.map(|(words, reached)| (words.to_owned(), reached)));
    }
}
