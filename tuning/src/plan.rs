//! What is to be done: from what was found and what is wanted to steps in order. Pure.

use crate::knobs::form::Wanted;
use crate::knobs::{Access, Knob, RouteMetric, Scope};
use crate::profile::Profile;
use crate::system::{Found, OWN, Reading, Value, place};

/// One value that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The knob.
    pub knob: &'static Knob,
    /// Which of its places.
    pub instance: String,
    /// What is there.
    pub before: String,
    /// What is to be there.
    pub after: String,
}

impl Step {
    /// The knob and its place, as users read it.
    #[must_use]
    pub fn place(&self) -> String {
        place(self.knob.id, &self.instance)
    }
}

/// Something wanted that no step can bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The knob.
    pub knob: &'static Knob,
    /// Which of its places.
    pub instance: String,
    /// What is wanted.
    pub wanted: String,
    /// Why there is no step.
    pub obstacle: Obstacle,
}

/// Why there is no step for something wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// There is no such thing here, and why.
    Absent(String),
    /// This process may not, and why.
    Denied(String),
    /// Reading what is there failed, and why.
    Unreadable(String),
    /// The kernel offers only these.
    NotOffered(Vec<String>),
    /// The kernel or the hardware did not take it when it was applied, and why.
    Refused(String),
    /// It is a limit that a process gets when it is started: a directive of a systemd unit.
    ByUnit(String),
}

impl Obstacle {
    /// Whether `apply` and `verify` fail for it. What this kernel or its hardware has not, and what the unit of a
    /// process sets, is only told: nobody could have done better here.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Denied(_) | Self::Unreadable(_) => true,
            Self::Absent(_) | Self::NotOffered(_) | Self::Refused(_) | Self::ByUnit(_) => false,
        }
    }
}

/// What is to be done, and what cannot be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which they are to be done.
    pub steps: Vec<Step>,
    /// In the same order.
    pub told: Vec<Told>,
    /// How many wanted values are there already.
    pub good: usize,
}

/// Where a place stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it is wanted, or nothing is wanted.
    Ok,
    /// Otherwise than wanted.
    Differs,
    /// There is no such thing here.
    Absent,
    /// It may not be read.
    Denied,
    /// Reading it failed.
    Unreadable,
    /// Set by lastmile on each of its sockets; the value is the default.
    PerSocket,
    /// Set by a BPF policy for each connection.
    PerConnection,
    /// Neither read nor written here.
    ByHand,
}

impl State {
    /// As it is printed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Differs => "differs",
            Self::Absent => "absent",
            Self::Denied => "denied",
            Self::Unreadable => "unreadable",
            Self::PerSocket => "per socket",
            Self::PerConnection => "per connection",
            Self::ByHand => "by hand",
        }
    }
}

/// Where `found` stands beside `profile`.
#[must_use]
pub fn state(found: &Found, profile: &Profile, cpus: usize) -> State {
    match found.knob.access {
        Access::Socket(_) => return State::PerSocket,
        Access::Policy => return State::PerConnection,
        Access::ByHand => return State::ByHand,
        Access::Sysctl | Access::Files(_) | Access::Device(_) | Access::Offload(_) => {}
        Access::Interrupt | Access::Route(_) | Access::Limit(..) => {}
    }
    match &found.reading {
        Reading::Absent(_) => State::Absent,
        Reading::Denied(_) => State::Denied,
        Reading::Failed(_) => State::Unreadable,
        Reading::Is(value) => match profile.wanted_at(found.knob, &found.instance) {
            Some(wanted) if target(found.knob, wanted, value, cpus) != value.text => State::Differs,
            _ => State::Ok,
        },
    }
}

/// What is to be written; of a minimum, no more than there can be.
fn target(knob: &Knob, wanted: &Wanted, value: &Value, cpus: usize) -> String {
    let target = knob.form.target(wanted, &value.text, cpus);
    match value.most {
        Some(most) if wanted.is_minimum && exceeds(&target, most) => most.to_string(),
        _ => target,
    }
}

fn exceeds(value: &str, most: u32) -> bool {
    value.parse().is_ok_and(|number: i64| number > i64::from(most))
}

/// The steps from `found` to `profile`, in the order of `found`, which is that of the table: what a knob needs stands
/// above it.
#[must_use]
pub fn plan(found: &[Found], profile: &Profile, cpus: usize) -> Plan {
    let mut plan = Plan::default();
    for place in found {
        let Some(wanted) = profile.wanted_at(place.knob, &place.instance) else { continue };
        let told = |obstacle| Told {
            knob: place.knob,
            instance: place.instance.clone(),
            wanted: wanted.to_string(),
            obstacle,
        };
        let value = match &place.reading {
            Reading::Is(value) => value,
            Reading::Absent(why) => {
                plan.told.push(told(Obstacle::Absent(why.clone())));
                continue;
            }
            Reading::Denied(why) => {
                plan.told.push(told(Obstacle::Denied(why.clone())));
                continue;
            }
            Reading::Failed(why) => {
                plan.told.push(told(Obstacle::Unreadable(why.clone())));
                continue;
            }
        };
        let after = target(place.knob, wanted, value, cpus);
        if after == value.text {
            plan.good += 1;
        } else if let Some(offered) = value.offered.as_ref().filter(|it| !it.contains(&after)) {
            plan.told.push(told(Obstacle::NotOffered(offered.clone())));
        } else if let Some(most) = value.most.filter(|most| exceeds(&after, *most)) {
            plan.told.push(told(Obstacle::NotOffered(vec![format!("up to {most}")])));
        } else if let (Access::Limit(limit, _), OWN) = (place.knob.access, &*place.instance) {
            let directive =
                format!("{}={}", limit.directive(), after.replace("unlimited", "infinity"));
            plan.told.push(told(Obstacle::ByUnit(directive)));
        } else if !value.is_writable {
            plan.told.push(told(Obstacle::Denied(may_not(place.knob))));
        } else {
            plan.steps.push(Step {
                knob: place.knob,
                instance: place.instance.clone(),
                before: value.text.clone(),
                after,
            });
        }
    }
    with_own_routes(found, plan)
}

fn may_not(knob: &Knob) -> String {
    match knob.scope {
        Scope::Machine | Scope::Nic | Scope::Block => {
            "writing it takes root in the first namespaces, outside of containers".to_owned()
        }
        Scope::Namespace | Scope::Route | Scope::Process | Scope::Socket | Scope::Bpf => {
            format!("writing it takes {}", knob.capability())
        }
    }
}

/// A prefix whose route is to say something gets one of its own first, if it has none.
fn with_own_routes(found: &[Found], mut plan: Plan) -> Plan {
    let own = found.iter().filter(|it| it.knob.access == Access::Route(RouteMetric::Own));
    for place in own.filter(|it| it.reading.text() == Some("no")) {
        let is_of_it = |step: &Step| {
            matches!(step.knob.access, Access::Route(_)) && step.instance == place.instance
        };
        let Some(first) = plan.steps.iter().position(is_of_it) else { continue };
        if plan.steps[first].knob == place.knob {
            continue;
        }
        plan.steps.insert(
            first,
            Step {
                knob: place.knob,
                instance: place.instance.clone(),
                before: "no".to_owned(),
                after: "yes".to_owned(),
            },
        );
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knobs;

    fn found(id: &str, instance: &str, text: &str) -> Found {
        let value = Value { text: text.to_owned(), offered: None, most: None, is_writable: true };
        place_of(id, instance, Reading::Is(value))
    }

    fn place_of(id: &str, instance: &str, reading: Reading) -> Found {
        Found { knob: knobs::find(id).unwrap(), instance: instance.to_owned(), reading }
    }

    fn shown(found: &[Found], profile: &str) -> Vec<String> {
        let profile = Profile::parse("test.toml", profile).unwrap();
        let plan = plan(found, &profile, 4);
        let steps =
            plan.steps.iter().map(|it| format!("{} {} -> {}", it.place(), it.before, it.after));
        let told = plan.told.iter().map(|it| {
            let what = match &it.obstacle {
                Obstacle::Absent(_) => "absent".to_owned(),
                Obstacle::Denied(_) => "denied".to_owned(),
                Obstacle::Unreadable(_) => "unreadable".to_owned(),
                Obstacle::NotOffered(offered) => format!("offers {}", offered.join(",")),
                Obstacle::Refused(why) => format!("refused: {why}"),
                Obstacle::ByUnit(directive) => directive.clone(),
            };
            format!("{} {what}", place(it.knob.id, &it.instance))
        });
        steps.chain(told).collect()
    }

    #[test]
    fn steps() {
        const SACK: &str = "net.ipv4.tcp_sack";
        let scheduler = |text: &str| {
            let offered = Some(vec!["none".to_owned(), "kyber".to_owned()]);
            let value = Value { text: text.to_owned(), offered, most: None, is_writable: true };
            place_of("block.scheduler", "vda", Reading::Is(value))
        };
        let read_only = |id: &str, instance: &str| {
            let value =
                Value { text: "1".to_owned(), offered: None, most: None, is_writable: false };
            place_of(id, instance, Reading::Is(value))
        };
        let ring = |text: &str| {
            let text = text.to_owned();
            let value = Value { text, offered: None, most: Some(1_024), is_writable: true };
            place_of("nic.ring_rx", "eth0", Reading::Is(value))
        };
        let gone = || Reading::Absent("gone".to_owned());
        for (found, profile, expected, why) in [
            (vec![found(SACK, "", "1")], "net.ipv4.tcp_sack = 1", vec![], "as it is wanted"),
            (vec![found(SACK, "", "0")], "vm.swappiness = 1", vec![], "nobody wants it"),
            (
                vec![found(SACK, "", "0")],
                "net.ipv4.tcp_sack = 1",
                vec!["net.ipv4.tcp_sack 0 -> 1"],
                "a step",
            ),
            (
                vec![
                    found("nic.rps_cpus", "eth0/rx-0", "0"),
                    found("nic.rps_cpus", "eth0/rx-1", "f"),
                ],
                "nic.rps_cpus = \"all\"",
                vec!["nic.rps_cpus[eth0/rx-0] 0 -> f"],
                "each place of its own",
            ),
            (
                vec![found("net.core.somaxconn", "", "65535")],
                "net.core.somaxconn = \">= 4096\"",
                vec![],
                "never lowered",
            ),
            (
                vec![place_of(SACK, "", gone())],
                "net.ipv4.tcp_sack = 1",
                vec!["net.ipv4.tcp_sack absent"],
                "said",
            ),
            (
                vec![place_of(SACK, "", Reading::Denied("root".to_owned()))],
                "net.ipv4.tcp_sack = 1",
                vec!["net.ipv4.tcp_sack denied"],
                "said",
            ),
            (
                vec![place_of(SACK, "", Reading::Failed("I/O error".to_owned()))],
                "net.ipv4.tcp_sack = 1",
                vec!["net.ipv4.tcp_sack unreadable"],
                "said",
            ),
            (
                vec![read_only("vm.swappiness", "")],
                "vm.swappiness = 10",
                vec!["vm.swappiness denied"],
                "readable only, as in a container",
            ),
            (vec![read_only("vm.swappiness", "")], "vm.swappiness = 1", vec![], "but good"),
            (
                vec![ring("256")],
                "nic.ring_rx = \">= 4096\"",
                vec!["nic.ring_rx[eth0] 256 -> 1024"],
                "as many as the card has",
            ),
            (vec![ring("1024")], "nic.ring_rx = \">= 4096\"", vec![], "which it has now"),
            (
                vec![ring("256")],
                "nic.ring_rx = 4096",
                vec!["nic.ring_rx[eth0] offers up to 1024"],
                "more than the card has",
            ),
            (
                vec![scheduler("none")],
                "block.scheduler = \"bfq\"",
                vec!["block.scheduler[vda] offers none,kyber"],
                "what the device has not",
            ),
            (
                vec![scheduler("none")],
                "block.scheduler = \"kyber\"",
                vec!["block.scheduler[vda] none -> kyber"],
                "what it has",
            ),
            (
                vec![read_only("process.memlock_hard", OWN)],
                "process.memlock_hard = \"unlimited\"",
                vec!["process.memlock_hard[self] LimitMEMLOCK=infinity"],
                "of processes that will be started",
            ),
            (
                vec![found("process.nofile_hard", "7@9", "1024")],
                "process.nofile_hard = 4096",
                vec!["process.nofile_hard[7@9] 1024 -> 4096"],
                "of one that runs",
            ),
        ] {
            assert_eq!(shown(&found, profile), expected, "{why}");
        }
    }

    #[test]
    fn a_prefix_gets_a_route_of_its_own_first() {
        let routes = |own: &str, initcwnd: &str| {
            let of = |id, text| found(id, "192.0.2.0/24", text);
            vec![of("route.own", own), of("route.initcwnd", initcwnd), of("route.initrwnd", "0")]
        };
        let profile = "route.initcwnd = 20\nroute.initrwnd = 40\n";
        let steps = ["initcwnd[192.0.2.0/24] 0 -> 20", "initrwnd[192.0.2.0/24] 0 -> 40"];
        let steps: Vec<_> = steps.iter().map(|step| format!("route.{step}")).collect();
        assert_eq!(shown(&routes("yes", "0"), profile), steps);
        let with_own = shown(&routes("no", "0"), profile);
        assert_eq!(with_own[0], "route.own[192.0.2.0/24] no -> yes");
        assert_eq!(with_own[1..], steps);
        let nothing = shown(&routes("no", "20"), "route.initcwnd = 20");
        assert!(nothing.is_empty(), "the wider one says it already: {nothing:?}");
    }

    #[test]
    fn states() {
        let profile = Profile::parse("test.toml", "net.ipv4.tcp_sack = 1").unwrap();
        let of = |found: &Found| state(found, &profile, 1).word();
        assert_eq!(of(&found("net.ipv4.tcp_sack", "", "1")), "ok");
        assert_eq!(of(&found("net.ipv4.tcp_sack", "", "0")), "differs");
        assert_eq!(of(&found("vm.swappiness", "", "0")), "ok", "nothing is wanted");
        assert_eq!(of(&found("socket.nodelay", "", "0")), "per socket");
        let absent = || Reading::Absent(String::new());
        assert_eq!(of(&place_of("vm.swappiness", "", absent())), "absent");
        assert_eq!(of(&place_of("bpf.initcwnd", "", absent())), "per connection");
        assert_eq!(of(&place_of("conntrack.bypass", "", absent())), "by hand");
        let denied = Reading::Denied(String::new());
        assert_eq!(of(&place_of("vm.swappiness", "", denied)), "denied");
        let failed = Reading::Failed(String::new());
        assert_eq!(of(&place_of("vm.swappiness", "", failed)), "unreadable");
    }
}
