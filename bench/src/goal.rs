//! What lastmile must reach: a table of figures, each beside a peer's, its own in another case, or by itself.

use crate::metric::Metric;
use crate::peer::Peer;

/// One goal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// Name of the case.
    pub case: &'static str,
    /// The figure of lastmile in it.
    pub metric: Metric,
    /// What it is divided by.
    pub against: Against,
    /// What the quotient must be.
    pub bound: Bound,
}

/// What lastmile's figure is divided by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Against {
    /// Nothing: the figure itself.
    Itself,
    /// The same figure of a peer.
    Peer(Peer),
    /// The same figure of the best of several: of a peer that takes part with several settings.
    Best(&'static [Peer]),
    /// Its own figure in another case.
    Case(&'static str),
}

/// A bound, itself included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

/// nginx with the better of its settings.
const NGINX: Against = Against::Best(&[Peer::Nginx, Peer::NginxNopushOff]);

/// Octets of 1 KB as memory is counted.
const KIB: f64 = 1024.0;

const fn at_most(case: &'static str, metric: Metric, most: f64, against: Against) -> Goal {
    Goal { case, metric, against, bound: Bound::AtMost(most) }
}

/// All goals, in the order of the cases.
pub const GOALS: &[Goal] = &[
    at_most("1k-hit", Metric::CpuUs, 1.15, Against::Peer(Peer::FloorMonoio)),
    at_most("1k-hit", Metric::CpuUs, 0.5, Against::Peer(Peer::Nginx)),
    at_most("1k-hit", Metric::CpuUs, 0.6, Against::Peer(Peer::NginxStatic)),
    at_most("1k-hit", Metric::CpuUs, 0.35, Against::Peer(Peer::TrafficServer)),
    at_most("1k-hit", Metric::CpuUs, 0.25, Against::Peer(Peer::Varnish)),
    at_most("1k-hit-4096", Metric::CpuUs, 1.2, Against::Case("1k-hit")),
    Goal {
        case: "1k-hit-pipelined",
        metric: Metric::RequestsPerSecond,
        against: Against::Peer(Peer::Nginx),
        bound: Bound::AtLeast(10.0),
    },
    at_most("1k-hit-connect", Metric::CpuUs, 0.8, Against::Peer(Peer::Nginx)),
    at_most("100k-hit-256m", Metric::CpuUs, 0.75, NGINX),
    at_most("1m-hit-256m", Metric::CpuUs, 0.9, NGINX),
    at_most("zipf-hit", Metric::CpuUs, 0.6, NGINX),
    at_most("1k-miss", Metric::CpuUs, 0.8, Against::Peer(Peer::Haproxy)),
    at_most("1k-miss", Metric::CpuUs, 0.6, Against::Peer(Peer::Nginx)),
    at_most("1k-hit-beside-100m", Metric::P99Us, 0.3, NGINX),
    at_most("flash-crowd", Metric::Fetches, 1.0, Against::Itself),
    at_most("flash-crowd", Metric::BehindP99Ms, 10.0, Against::Itself),
    at_most("flash-crowd", Metric::Errors, 0.0, Against::Itself),
    at_most("10000-idle", Metric::ConnectionOctets, KIB, Against::Itself),
    at_most("1000000-objects", Metric::ObjectOctets, 1.35 * KIB, Against::Itself),
];

impl Goal {
    /// What it asks for, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let bound = match (self.bound, self.against) {
            (Bound::AtMost(most), Against::Itself) => format!("at most {}", self.metric.told(most)),
            (Bound::AtLeast(least), Against::Itself) => {
                format!("at least {}", self.metric.told(least))
            }
            (Bound::AtMost(most), _) => format!("at most {most}"),
            (Bound::AtLeast(least), _) => format!("at least {least}"),
        };
        match self.against {
            Against::Itself => bound,
            Against::Peer(peer) => format!("{bound} of {}'s", peer.name()),
            Against::Best(peers) => {
                let first = peers.first().map_or("nobody", |peer| peer.name());
                format!("{bound} of {first}'s, with its best setting")
            }
            Against::Case(case) => format!("{bound} of its own in {case}"),
        }
    }

    /// The quotient out of lastmile's figure; `figure(case, peer)` is the median of [`Self::metric`].
    pub fn quotient(&self, figure: impl Fn(&str, Peer) -> Option<f64>) -> Option<f64> {
        let own = figure(self.case, Peer::Lastmile)?;
        let by = match self.against {
            Against::Itself => return Some(own),
            Against::Peer(peer) => figure(self.case, peer)?,
            Against::Case(case) => figure(case, Peer::Lastmile)?,
            Against::Best(peers) => {
                let figures = peers.iter().filter_map(|peer| figure(self.case, *peer));
                figures.reduce(|one, other| match self.bound {
                    Bound::AtMost(_) => one.min(other),
                    Bound::AtLeast(_) => one.max(other),
                })?
            }
        };
        Some(own / by)
    }

    /// Whether a quotient reaches it.
    #[must_use]
    pub fn is_reached(&self, quotient: f64) -> bool {
        match self.bound {
            Bound::AtMost(most) => quotient <= most,
            Bound::AtLeast(least) => quotient >= least,
        }
    }

    /// The figure of the peer or case at which lastmile would just reach it, as a multiple of that figure or by itself.
    #[must_use]
    pub fn value(&self) -> f64 {
        match self.bound {
            Bound::AtMost(value) | Bound::AtLeast(value) => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;

    #[test]
    fn goals_are_about_figures_that_there_are() {
        for goal in GOALS {
            let case = Case::named(goal.case).unwrap();
            assert!(case.metrics().contains(&goal.metric), "{goal:?}");
            match goal.against {
                Against::Itself => {}
                Against::Peer(peer) => assert!(case.takes(peer), "{goal:?}"),
                Against::Best(peers) => assert!(peers.iter().all(|p| case.takes(*p)), "{goal:?}"),
                Against::Case(other) => {
                    assert!(Case::named(other).unwrap().metrics().contains(&goal.metric));
                }
            }
        }
    }

    #[test]
    fn quotients() {
        let figure = |case: &str, peer| match (case, peer) {
            ("1k-hit", Peer::Lastmile) => Some(6.0),
            ("1k-hit-4096", Peer::Lastmile) => Some(9.0),
            ("1k-hit", Peer::Nginx) => Some(12.0),
            ("1k-hit", Peer::NginxNopushOff) => Some(10.0),
            _ => None,
        };
        for (case, against, bound, expected, why) in [
            ("1k-hit", Against::Itself, Bound::AtMost(7.0), Some((6.0, true)), "by itself"),
            ("1k-hit", Against::Itself, Bound::AtMost(5.0), Some((6.0, false)), "missed"),
            ("1k-hit", Against::Peer(Peer::Nginx), Bound::AtMost(0.5), Some((0.5, true)), "equal"),
            ("1k-hit", NGINX, Bound::AtMost(0.5), Some((0.6, false)), "the best is the least"),
            ("1k-hit", NGINX, Bound::AtLeast(0.5), Some((0.5, true)), "or the most"),
            ("1k-hit-4096", Against::Case("1k-hit"), Bound::AtMost(1.2), Some((1.5, false)), "own"),
            ("1k-hit", Against::Peer(Peer::Squid), Bound::AtMost(1.0), None, "nobody there"),
            ("1k-miss", Against::Itself, Bound::AtMost(1.0), None, "not measured"),
        ] {
            let goal = Goal { case, metric: Metric::CpuUs, against, bound };
            let found = goal.quotient(figure).map(|quotient| (quotient, goal.is_reached(quotient)));
            assert_eq!(found, expected, "{why}");
        }
    }

    #[test]
    fn words() {
        let told: Vec<_> = GOALS.iter().map(Goal::words).collect();
        for words in [
            "at most 1.15 of floor-monoio's",
            "at least 10 of nginx's",
            "at most 0.75 of nginx's, with its best setting",
            "at most 1.2 of its own in 1k-hit",
            "at most 1024 octets",
            "at most 10.0 ms",
        ] {
            assert!(told.iter().any(|found| found == words), "{words}: {told:#?}");
        }
    }
}
