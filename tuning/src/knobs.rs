//! Every knob between the network card and the socket that matters to an edge: one row each, in the order in which a
//! plan sets them. The values that are wanted are in profiles ([`crate::profile`]); the reference page
//! (`docs/tuning.md`) is made of both.

pub mod form;

mod block;
mod buffers;
mod cpu;
mod handshake;
mod memory;
mod netfilter;
mod nic;
mod per_connection;
mod process;
mod queues;
mod recovery;
mod route;
mod tcp;

use crate::ethtool::Number;
use form::Form;
use std::fmt;

/// One knob.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Knob {
    /// Its name: that of the kernel parameter where it is one, otherwise an area and a word.
    pub id: &'static str,
    /// What a change of it reaches.
    pub scope: Scope,
    /// What its numbers count.
    pub unit: &'static str,
    /// Which values there are.
    pub form: Form,
    /// How it is read and written.
    pub access: Access,
    /// The first kernel that has it.
    pub since: &'static str,
    /// What it does, and when another value helps.
    pub why: &'static str,
    /// What can go wrong.
    pub risk: &'static str,
    /// Where that is written.
    pub source: &'static str,
    /// What was measured.
    pub effect: Effect,
    /// Knobs that have to be set before it; they stand above it.
    pub needs: &'static [&'static str],
    /// Knobs that the kernel changes when it is written.
    pub changes: &'static [&'static str],
}

/// What a change of a knob reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One socket.
    Socket,
    /// Connections over one route.
    Route,
    /// A network namespace.
    Namespace,
    /// The whole machine.
    Machine,
    /// A network card.
    Nic,
    /// A block device.
    Block,
    /// A process.
    Process,
    /// Connections that a BPF program picks.
    Bpf,
}

/// How a knob is read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The file below /proc/sys that its id names.
    Sysctl,
    /// Files by a pattern whose `*` stand for one component each, or a part of one: an instance for each file.
    Files(&'static str),
    /// Which CPUs take an interrupt of a network card: an instance for each of them, such as `eth0/38:eth0-TxRx-0`.
    Interrupt,
    /// A number of a network device, by netlink.
    Device(Number),
    /// An offload of a network device by the kernel's name, by netlink.
    Offload(&'static str),
    /// A metric of routes, by netlink.
    Route(RouteMetric),
    /// A limit of a process, by prlimit(2).
    Limit(Limit, Bound),
    /// Set by lastmile on its own sockets: nothing to write for the machine.
    Socket(SocketOption),
    /// Set for each connection by the BPF program of a policy file.
    Policy,
    /// Neither read nor written here: `why` says what to do by hand.
    ByHand,
}

/// What a route says about connections over it (ip-route(8)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteMetric {
    /// Whether there is a route for exactly this prefix.
    Own,
    /// First congestion window.
    Initcwnd,
    /// First receive window.
    Initrwnd,
    /// Least retransmission timeout.
    RtoMin,
    /// Congestion control.
    Congestion,
    /// Acknowledge at once.
    QuickAck,
}

/// A limit of a process (getrlimit(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Open descriptors.
    Nofile,
    /// Memory that may be locked.
    Memlock,
}

/// Which of the two values of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The one in force, which the process may raise to the hard one.
    Soft,
    /// The most that the process may raise it to.
    Hard,
}

/// A socket option of which the default is read, from a socket that is not connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketOption {
    /// `TCP_NODELAY`.
    NoDelay,
    /// `TCP_CONGESTION`.
    Congestion,
    /// `TCP_NOTSENT_LOWAT`.
    NotsentLowat,
    /// `TCP_USER_TIMEOUT`.
    UserTimeout,
    /// `SO_KEEPALIVE`.
    Keepalive,
    /// One whose default is known from the kernel's source.
    Known(&'static str),
}

/// What is known of a knob's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A scenario of `lastmile bench wan` shows it.
    Scenario {
        /// Its name.
        name: &'static str,
        /// What was measured with and without it.
        ratio: &'static str,
    },
    /// Nobody has measured it here.
    NotMeasured,
}

impl Knob {
    /// A kernel parameter.
    const fn sysctl(id: &'static str, scope: Scope, form: Form, unit: &'static str) -> Self {
        Self::new(id, scope, Access::Sysctl, form, unit)
    }

    const fn new(
        id: &'static str,
        scope: Scope,
        access: Access,
        form: Form,
        unit: &'static str,
    ) -> Self {
        Self {
            id,
            scope,
            unit,
            form,
            access,
            since: "2.6",
            why: "",
            risk: "none known",
            source: "Documentation/networking/ip-sysctl.rst",
            effect: Effect::NotMeasured,
            needs: &[],
            changes: &[],
        }
    }

    const fn since(mut self, kernel: &'static str) -> Self {
        self.since = kernel;
        self
    }

    const fn why(mut self, text: &'static str) -> Self {
        self.why = text;
        self
    }

    const fn risk(mut self, text: &'static str) -> Self {
        self.risk = text;
        self
    }

    const fn source(mut self, text: &'static str) -> Self {
        self.source = text;
        self
    }

    const fn shown_by(mut self, scenario: &'static str, ratio: &'static str) -> Self {
        self.effect = Effect::Scenario { name: scenario, ratio };
        self
    }

    const fn needs(mut self, ids: &'static [&'static str]) -> Self {
        self.needs = ids;
        self
    }

    const fn changes(mut self, ids: &'static [&'static str]) -> Self {
        self.changes = ids;
        self
    }

    /// Which capability a change takes (capabilities(7)).
    #[must_use]
    pub fn capability(&self) -> &'static str {
        match (self.access, self.scope) {
            (Access::Limit(..), _) => "CAP_SYS_RESOURCE above the hard limit",
            (Access::Socket(SocketOption::Congestion), _) => {
                "CAP_NET_ADMIN outside the allowed list"
            }
            (Access::Socket(_) | Access::ByHand, _) => "none",
            (Access::Policy, _) => "CAP_BPF, CAP_NET_ADMIN",
            (Access::Route(_), _) | (Access::Sysctl, Scope::Namespace) => "CAP_NET_ADMIN",
            (Access::Device(_) | Access::Offload(_), _) => "CAP_NET_ADMIN",
            (Access::Interrupt, _) => "root in the first user namespace",
            (Access::Files(_), Scope::Nic) => "CAP_NET_ADMIN, root in the first user namespace",
            (Access::Files(_) | Access::Sysctl, _) => "root in the first user namespace",
        }
    }

    /// How it is changed by hand, as one line.
    #[must_use]
    pub fn by_hand(&self) -> String {
        match self.access {
            Access::Sysctl => format!("sysctl -w {}=VALUE", self.id),
            Access::Files(pattern) => format!("echo VALUE > {pattern}"),
            Access::Interrupt => "echo MASK > /proc/irq/NUMBER/smp_affinity".to_owned(),
            Access::Device(number) => format!("ethtool: {number}"),
            Access::Offload(name) => format!("ethtool -K DEVICE {name} on|off"),
            Access::Route(RouteMetric::Own) => "ip route replace PREFIX via GATEWAY".to_owned(),
            Access::Route(metric) => format!("ip route change ROUTE {metric} VALUE"),
            Access::Limit(limit, _) => format!("{}=VALUE in the systemd unit", limit.directive()),
            Access::Socket(_) => "setsockopt(2) on each socket: lastmile does".to_owned(),
            Access::Policy => "lastmile edge --tcp-policy FILE".to_owned(),
            Access::ByHand => "as the text says".to_owned(),
        }
    }

    /// Whether it is one that `apply` can write.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        match self.access {
            Access::Sysctl | Access::Files(_) | Access::Device(_) | Access::Offload(_) => true,
            Access::Interrupt | Access::Route(_) | Access::Limit(..) => true,
            Access::Socket(_) | Access::Policy | Access::ByHand => false,
        }
    }

    /// Whether it and `other` cannot both be in force: each is changed when the other is written.
    #[must_use]
    pub fn excludes(&self, other: &Self) -> bool {
        self.changes.contains(&other.id) && other.changes.contains(&self.id)
    }

    /// Whether it belongs to a network namespace, and is found in one that is not the first.
    #[must_use]
    pub fn is_of_a_namespace(&self) -> bool {
        match self.scope {
            Scope::Namespace | Scope::Route => true,
            // Files in /sys are those of the namespace that it was mounted from.
            Scope::Nic => matches!(self.access, Access::Device(_) | Access::Offload(_)),
            Scope::Socket | Scope::Machine | Scope::Block | Scope::Process | Scope::Bpf => false,
        }
    }
}

/// All knobs, in the order in which they are set.
pub fn all() -> impl Iterator<Item = &'static Knob> {
    AREAS.iter().flat_map(|(_, knobs)| knobs.iter())
}

/// The knobs by area, with the area's name.
pub const AREAS: &[(&str, &[Knob])] = &[
    ("Processes", process::KNOBS),
    ("CPUs", cpu::KNOBS),
    ("Memory", memory::KNOBS),
    ("Block devices", block::KNOBS),
    ("Network cards", nic::KNOBS),
    ("Queues of the kernel", queues::KNOBS),
    ("Buffers", buffers::KNOBS),
    ("Making connections", handshake::KNOBS),
    ("Windows, loss and time-outs", recovery::KNOBS),
    ("TCP otherwise", tcp::KNOBS),
    ("Connection tracking", netfilter::KNOBS),
    ("Routes", route::KNOBS),
    ("Single connections", per_connection::KNOBS),
];

/// The knob of this name.
#[must_use]
pub fn find(id: &str) -> Option<&'static Knob> {
    all().find(|knob| knob.id == id)
}

impl Limit {
    /// The directive of a systemd unit (systemd.exec(5)).
    #[must_use]
    pub fn directive(self) -> &'static str {
        match self {
            Self::Nofile => "LimitNOFILE",
            Self::Memlock => "LimitMEMLOCK",
        }
    }
}

impl fmt::Debug for Knob {
    /// Its name: a row of the table is a page.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

impl fmt::Display for RouteMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "own",
            Self::Initcwnd => "initcwnd",
            Self::Initrwnd => "initrwnd",
            Self::RtoMin => "rto_min",
            Self::Congestion => "congctl",
            Self::QuickAck => "quickack",
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Socket => "socket",
            Self::Route => "route",
            Self::Namespace => "namespace",
            Self::Machine => "machine",
            Self::Nic => "NIC",
            Self::Block => "block device",
            Self::Process => "process",
            Self::Bpf => "BPF",
        })
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scenario { name, ratio } => write!(f, "{ratio} (scenario {name})"),
            Self::NotMeasured => f.write_str("not measured"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rows_are_complete_and_in_order() {
        let mut above = BTreeSet::new();
        for knob in all() {
            assert!(knob.why.len() > 20, "{} says why", knob.id);
            assert!(!knob.unit.is_empty() && !knob.since.is_empty(), "{}", knob.id);
            assert!(!knob.source.is_empty() && !knob.risk.is_empty(), "{}", knob.id);
            for need in knob.needs {
                assert!(above.contains(need), "{} needs {need}, which is not above it", knob.id);
            }
            if let Effect::Scenario { name, .. } = knob.effect {
                let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/scenarios");
                let is_there = std::path::Path::new(folder).join(format!("{name}.toml")).exists();
                assert!(is_there, "{}: there is no scenario {name}", knob.id);
            }
            for change in knob.changes {
                assert!(find(change).is_some(), "{} changes {change}, which is none", knob.id);
            }
            assert!(above.insert(knob.id), "{} is there twice", knob.id);
        }
        assert!(above.len() > 100, "{}", above.len());
    }

    /// What the table was asked to cover.
    #[test]
    fn the_table_covers_what_it_should() {
        for id in [
            "net.ipv4.tcp_slow_start_after_idle",
            "route.initcwnd",
            "route.initrwnd",
            "net.ipv4.tcp_congestion_control",
            "route.congestion",
            "socket.congestion",
            "net.core.default_qdisc",
            "net.core.rmem_max",
            "net.core.wmem_max",
            "net.ipv4.tcp_rmem",
            "net.ipv4.tcp_wmem",
            "net.ipv4.tcp_window_scaling",
            "net.ipv4.tcp_sack",
            "net.ipv4.tcp_timestamps",
            "net.ipv4.tcp_syncookies",
            "net.core.somaxconn",
            "net.ipv4.tcp_max_syn_backlog",
            "net.ipv4.tcp_synack_retries",
            "net.ipv4.tcp_rto_min_us",
            "route.rto_min",
            "socket.rto_min_us",
            "bpf.syn_timeout",
            "bpf.rto_min",
            "net.ipv4.tcp_rto_max_ms",
            "net.ipv4.tcp_fastopen",
            "net.ipv4.tcp_notsent_lowat",
            "net.ipv4.tcp_keepalive_time",
            "socket.user_timeout",
            "net.ipv4.tcp_ecn",
            "net.ipv4.tcp_mtu_probing",
            "net.ipv4.tcp_no_metrics_save",
            "net.ipv4.ip_local_port_range",
            "net.ipv4.tcp_tw_reuse",
            "net.ipv4.tcp_mem",
            "net.core.netdev_max_backlog",
            "net.core.netdev_budget",
            "net.core.busy_poll",
            "nic.rps_cpus",
            "nic.rps_flow_cnt",
            "nic.xps_cpus",
            "nic.irq_cpus",
            "nic.channels_combined",
            "nic.ring_rx",
            "nic.rx_usecs",
            "nic.tso",
            "conntrack.bypass",
            "memory.thp",
            "vm.swappiness",
            "vm.dirty_ratio",
            "block.scheduler",
            "block.read_ahead",
            "block.nr_requests",
            "process.nofile",
            "process.memlock",
            "cpu.governor",
            "cpu.resume_latency",
            "kernel.numa_balancing",
        ] {
            assert!(find(id).is_some(), "{id}");
        }
    }
}
