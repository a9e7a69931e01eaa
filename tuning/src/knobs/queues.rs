//! Queues of the kernel between card and socket, and how long it works on them at a time.

use super::form::{Form, integer};
use super::{Knob, Scope};

const NET: &str = "Documentation/admin-guide/sysctl/net.rst";

const fn core(id: &'static str, form: Form, unit: &'static str) -> Knob {
    Knob::sysctl(id, Scope::Machine, form, unit).source(NET)
}

pub(super) const KNOBS: &[Knob] = &[
    core("net.core.default_qdisc", Form::Name, "name")
        .why(
            "The queue of devices that are made, or brought up first, after the change. `fq` \
             paces each connection; without it BBR and SO_MAX_PACING_RATE pace by timers of the \
             sockets, which costs CPU. `fq_codel` keeps queues short for all.",
        )
        .risk("devices that are up keep theirs: tc qdisc replace dev DEVICE root fq")
        .since("3.12"),
    core("net.core.netdev_max_backlog", integer(0, i32::MAX as i64), "packets per core")
        .why(
            "Packets that wait for a core when they come from loopback, veth or by RPS. The \
             second number of a line in /proc/net/softnet_stat counts those that found no room.",
        )
        .risk("a long queue is delay"),
    core("net.core.netdev_budget", integer(1, i32::MAX as i64), "packets")
        .why(
            "Packets in one run of the receiving softirq, over all cards. The third number of a \
             line in /proc/net/softnet_stat counts runs that ended with work left.",
        )
        .risk("threads wait longer for their core"),
    core("net.core.netdev_budget_usecs", integer(0, i32::MAX as i64), "us")
        .why("The time after which such a run ends, though packets and budget are left.")
        .risk("threads wait longer for their core")
        .since("4.12"),
    core("net.core.dev_weight", integer(1, 32_767), "packets")
        .why("Packets of one card in a turn, and of the backlog: fairness between them."),
    core("net.core.gro_normal_batch", integer(1, 1_000), "segments")
        .why("Segments that GRO hands up together: longer lists use caches better.")
        .since("5.4"),
    core("net.core.busy_poll", integer(0, i32::MAX as i64), "us")
        .why(
            "poll(2) and epoll ask the card themselves for that long before they sleep: no \
             interrupt, no waking.",
        )
        .risk("a core that waits is busy: power, and less for other threads")
        .since("3.11"),
    core("net.core.busy_read", integer(0, i32::MAX as i64), "us")
        .why("The same for receiving on one socket: the default of SO_BUSY_POLL.")
        .risk("as of busy_poll")
        .since("3.11"),
    core("net.core.rps_sock_flow_entries", integer(0, 1 << 29), "flows")
        .why(
            "The table from connections to the cores that read them (RFS), for all queues. \
             Packets then arrive on the worker's core.",
        )
        .risk("4 octets each")
        .source("Documentation/networking/scaling.rst")
        .since("2.6.35"),
    core("net.core.optmem_max", integer(0, i32::MAX as i64), "octets per socket")
        .why(
            "Memory for options and control messages of a socket; zero-copy sends count their \
             notifications here.",
        )
        .risk("per socket, also for unprivileged users"),
    core("net.core.skb_defer_max", integer(0, 65_536), "buffers per core")
        .why(
            "Buffers that are freed on the core that allocated them, instead of where they were \
             read.",
        )
        .since("6.0"),
    Knob::sysctl(
        "net.core.somaxconn",
        Scope::Namespace,
        integer(0, i32::MAX as i64),
        "connections",
    )
    .why(
        "The most that a listener's backlog can be: connections that are made and wait to \
             be accepted. When it is full, clients' last packets of the handshake are dropped \
             and they wait for a retransmission.",
    )
    .risk("a long queue in front of a server that is too slow only makes clients wait longer")
    .source("listen(2)"),
    Knob::sysctl("net.core.txrehash", Scope::Namespace, integer(0, 1), "flag")
        .why(
            "A connection whose data is lost takes another path among equal ones, by another \
             flow label.",
        )
        .source(NET)
        .since("5.18"),
];
