//! Making connections: queues of half-made ones, options, retransmission of SYN and SYN-ACK, ports, ends.

use super::form::{FLAG, Form, integer};
use super::{Knob, Scope};

const INT_MAX: i64 = i32::MAX as i64;

const fn tcp(id: &'static str, form: Form, unit: &'static str) -> Knob {
    Knob::sysctl(id, Scope::Namespace, form, unit)
}

pub(super) const KNOBS: &[Knob] = &[
    tcp("net.ipv4.tcp_window_scaling", FLAG, "flag")
        .why(
            "Windows above 64 KB. Without it throughput is at most 64 KB / RTT: 5 Mbit/s at 100 \
             ms.",
        )
        .source("RFC 7323 §2")
        .shown_by("f6", "38 times the throughput over 100 ms"),
    tcp(
        "net.ipv4.tcp_timestamps",
        integer(0, 2),
        "0 off, 1 on with an offset per connection, 2 on",
    )
    .why(
        "RTT of every packet, PAWS, and room in which SYN cookies keep window scale and \
             SACK: off, a connection that a cookie made has neither.",
    )
    .source("RFC 7323 §3")
    .shown_by("f7", "with them 0.69 of the median time, under cookies at 0.5 % loss over 200 ms"),
    tcp("net.ipv4.tcp_sack", FLAG, "flag")
        .why(
            "Tells a sender exactly what is missing. Without it a flight with several losses \
             takes an RTT for each.",
        )
        .source("RFC 2018")
        .shown_by(
            "f7",
            "with them 0.69 of the median time, under cookies at 0.5 % loss over 200 ms",
        ),
    tcp("net.ipv4.tcp_dsack", FLAG, "flag")
        .why(
            "Tells a sender that it retransmitted for nothing, so that it takes back what it \
             had concluded.",
        )
        .source("RFC 2883"),
    tcp("net.ipv4.tcp_ecn", integer(0, 2), "0 off, 1 ask and answer, 2 answer")
        .why(
            "Queues that mark instead of dropping. Answering costs nothing; asking helps where \
             the path marks.",
        )
        .risk("1: some paths drop SYNs that ask; the retry without it costs a second")
        .source("RFC 3168"),
    tcp("net.ipv4.tcp_ecn_fallback", FLAG, "flag")
        .why("A SYN that asked for ECN and was lost is sent again without it.")
        .source("RFC 3168 §6.1.1.1")
        .since("4.2"),
    tcp("net.ipv4.tcp_syncookies", integer(0, 2), "0 never, 1 when the queue is full, 2 always")
        .why(
            "When the queue of half-made connections is full, the state goes into the sequence \
             number instead: service goes on under a flood.",
        )
        .risk("0: a flood of SYNs is an outage. 2: only for tests")
        .source("RFC 4987 §3.6")
        .shown_by(
            "tune-flood",
            "under 20,000 SYNs a second nobody is served without, and everybody with",
        ),
    tcp("net.ipv4.tcp_max_syn_backlog", integer(1, INT_MAX), "connections")
        .why(
            "Half-made connections of a listener before cookies are used, also bounded by its \
             backlog.",
        )
        .risk("some 300 octets each")
        .needs(&["net.core.somaxconn"]),
    tcp("net.ipv4.tcp_synack_retries", integer(0, 255), "retransmissions")
        .why(
            "5 hold a half-made connection for a minute; 2 or 3 give up what a flood left after \
             7 or 15 s.",
        )
        .risk("clients behind very bad paths"),
    tcp("net.ipv4.tcp_syn_retries", integer(1, 127), "retransmissions")
        .why(
            "How long a connection to an upstream is tried by the kernel: 6 take two minutes. \
             lastmile has its own time-out.",
        )
        .risk("programs without a time-out of their own give up earlier"),
    tcp("net.ipv4.tcp_syn_linear_timeouts", integer(0, 127), "retransmissions")
        .why("So many SYNs are sent again after a second each, before the time doubles.")
        .since("6.5"),
    tcp("net.ipv4.tcp_abort_on_overflow", FLAG, "flag")
        .why("A full accept queue resets a client instead of letting it try again.")
        .risk("a burst that is over in a moment becomes errors"),
    tcp("net.ipv4.tcp_fastopen", integer(0, 0x607), "bits: 1 client, 2 server, more in the source")
        .why(
            "Data in the SYN of a client that has a cookie: one RTT less. 3 allows both; each \
             socket still has to ask.",
        )
        .risk("a request in a SYN may arrive twice; middleboxes that drop such SYNs cost a second")
        .source("RFC 7413")
        .since("3.7"),
    tcp("net.ipv4.tcp_fastopen_blackhole_timeout_sec", integer(0, INT_MAX), "s")
        .why(
            "How long clients stop using fast open after a path seemed to drop it; 0: they \
             never stop.",
        )
        .since("4.14"),
    tcp("net.ipv4.tcp_migrate_req", FLAG, "flag")
        .why(
            "Connections that wait at a listener which closes go to another one of its \
             SO_REUSEPORT group: restarts lose none.",
        )
        .since("5.14"),
    tcp(
        "net.ipv4.ip_local_port_range",
        Form::Integers { count: 2, min: 1, max: 65_535 },
        "ports: first, last",
    )
    .why(
        "Ports of connections to upstreams: so many to one address and port of an upstream. \
             Begin and end of different parity let bind and connect share them evenly.",
    )
    .risk(
        "a service of this machine that listens in it, on 10240 or above with the profile edge, may \
             find its port taken by a connection of anybody's: reserve its port in \
             net.ipv4.ip_local_reserved_ports",
    ),
    tcp("net.ipv4.tcp_tw_reuse", integer(0, 2), "0 never, 1 always, 2 on loopback")
        .why(
            "A new connection to an upstream may use the port of one that ended a second ago, \
             as timestamps tell them apart.",
        )
        .risk("needs timestamps on both sides")
        .source("RFC 6191")
        .needs(&["net.ipv4.tcp_timestamps"]),
    tcp("net.ipv4.tcp_max_tw_buckets", integer(0, INT_MAX), "connections")
        .why(
            "Ended connections that are remembered for a minute. Beyond it they are forgotten, \
             and late packets may hit a new one.",
        )
        .risk("some 300 octets each"),
    tcp("net.ipv4.tcp_fin_timeout", integer(1, 86_400), "s")
        .why("How long a connection that we have closed waits for the other side to close.")
        .risk("clients that are slow to close get resets"),
    Knob::sysctl("net.ipv4.tcp_max_orphans", Scope::Machine, integer(0, INT_MAX), "connections")
        .why(
            "Closed connections with data still under way. Beyond it they are reset, and \
             responses are cut.",
        )
        .risk("up to 64 KB each"),
    tcp("net.ipv4.tcp_orphan_retries", integer(0, 255), "retransmissions, 0 for 8")
        .why("How long a closed connection tries to deliver what is left.")
        .risk("small values cut the ends of responses on bad paths"),
];
