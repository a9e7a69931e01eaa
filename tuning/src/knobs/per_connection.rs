//! Single connections: options that lastmile sets on its own sockets, and what a BPF policy sets by client.

use super::form::{FLAG, Form, integer};
use super::{Access, Knob, Scope, SocketOption};

const INT_MAX: i64 = i32::MAX as i64;

const fn socket(id: &'static str, option: SocketOption, form: Form, unit: &'static str) -> Knob {
    Knob::new(id, Scope::Socket, Access::Socket(option), form, unit).source("tcp(7)")
}

const fn policy(id: &'static str, form: Form, unit: &'static str) -> Knob {
    Knob::new(id, Scope::Bpf, Access::Policy, form, unit)
        .since("4.13")
        .source("BPF_PROG_TYPE_SOCK_OPS, include/uapi/linux/bpf.h")
        .risk("none on other connections: the program is gone with the process")
}

pub(super) const KNOBS: &[Knob] = &[
    socket("socket.nodelay", SocketOption::NoDelay, FLAG, "flag")
        .why(
            "Nagle's algorithm holds a small segment while another is unacknowledged: with \
             delayed acknowledgements 40 ms and more. lastmile sets it on every socket and \
             writes head and body together.",
        )
        .source("RFC 1122 §4.2.3.4")
        .shown_by("f11", "0.33 of the time of a small response in two writes over 40 ms"),
    socket("socket.congestion", SocketOption::Congestion, Form::Name, "name")
        .why(
            "Congestion control of one listener's connections: `lastmile edge --congestion \
             NAME`.",
        )
        .since("2.6.13")
        .shown_by("f10", "bbr for cubic: 40 times the throughput at 5 % loss"),
    socket(
        "socket.notsent_lowat",
        SocketOption::NotsentLowat,
        integer(0, u32::MAX as i64),
        "octets",
    )
    .why("As net.ipv4.tcp_notsent_lowat, for one listener's connections.")
    .since("3.12"),
    socket(
        "socket.user_timeout",
        SocketOption::UserTimeout,
        integer(0, INT_MAX),
        "ms, 0 for tcp_retries2",
    )
    .why(
        "Data unacknowledged for this long ends the connection: clients that went away free \
             their memory.",
    )
    .source("RFC 5482")
    .since("2.6.37"),
    socket("socket.keepalive", SocketOption::Keepalive, FLAG, "flag")
        .why("Whether an idle connection is probed, with the namespace's times."),
    socket(
        "socket.max_pacing_rate",
        SocketOption::Known("unlimited"),
        integer(0, i64::MAX),
        "octets/s",
    )
    .why(
        "A fixed rate for a connection: a video needs no more than its own, and bursts do \
             not fill the last mile's queue. Works without fq, by a timer of the socket.",
    )
    .risk("CPU for the timers")
    .source("socket(7), tcp_internal_pacing in net/ipv4/tcp_output.c")
    .shown_by("f9", "no packet dropped instead of 29, 0.66 of the time")
    .since("3.13"),
    socket(
        "socket.rto_min_us",
        SocketOption::Known("net.ipv4.tcp_rto_min_us"),
        integer(1, INT_MAX),
        "us",
    )
    .why("TCP_RTO_MIN_US: the least time-out of one listener's connections.")
    .risk("below the delayed acknowledgements of peers data is sent twice")
    .since("6.16"),
    socket(
        "socket.rto_max_ms",
        SocketOption::Known("net.ipv4.tcp_rto_max_ms"),
        integer(1_000, 120_000),
        "ms",
    )
    .why("TCP_RTO_MAX_MS: the longest time-out of one listener's connections.")
    .since("6.15"),
    socket("socket.fastopen", SocketOption::Known("0"), integer(0, INT_MAX), "connections")
        .why(
            "TCP_FASTOPEN: how many connections of a listener may have come with data in their \
             SYN and wait.",
        )
        .risk("a request in a SYN may arrive twice")
        .source("RFC 7413")
        .since("3.7")
        .needs(&["net.ipv4.tcp_fastopen"]),
    socket("socket.defer_accept", SocketOption::Known("0"), integer(0, INT_MAX), "s")
        .why(
            "A listener wakes when the request is there, not when the connection is: one waking \
             less.",
        )
        .risk("clients that say nothing are not seen"),
    socket("socket.incoming_cpu", SocketOption::Known("-1"), integer(-1, 8_191), "CPU")
        .why(
            "Of listeners that share a port, the one of the core that handled the packet takes \
             the connection: packet, socket and worker stay on one core. An edge with \
             --steer-by-cpu sets it, and a program that says the same to older kernels.",
        )
        .source("socket(7)")
        .since("6.2"),
    Knob::new("socket.busy_poll", Scope::Socket, Access::ByHand, integer(0, INT_MAX), "us")
        .why(
            "Ask the card for that long before sleeping in a read of one socket (SO_BUSY_POLL). \
         Workers of lastmile do not wait in reads: net.core.busy_read and busy_poll are for all.",
        )
        .risk("a core that waits is busy")
        .source("socket(7)")
        .since("3.11")
        .needs(&["net.core.busy_read"]),
    policy("bpf.initcwnd", integer(1, 1_000), "packets")
        .why(
            "The first flight by the client's prefix, without a route for each. Lost at slow \
             start after idle unless that is 0.",
        )
        .shown_by("tune-window", "20 instead of 10: 0.75 of the time of 50 KB over 35 ms")
        .needs(&["net.ipv4.tcp_slow_start_after_idle"]),
    policy("bpf.initrwnd", integer(1, 1_000), "packets").why(
        "What a client may send before it hears from here, by its prefix: uploads and \
             answers of upstreams begin as fast as the other end can.",
    ),
    policy("bpf.syn_timeout", integer(10, 60_000), "ms")
        .why(
            "How long a SYN or SYN-ACK is waited for before it is sent again: 1 s by default, \
             though most clients are some tens of milliseconds away.",
        )
        .source("RFC 6298 §2.1; BPF_SOCK_OPS_TIMEOUT_INIT")
        .risk("longer paths than that get their SYN-ACK twice")
        .shown_by("f8", "200 ms: 0.23 of the time to connect when the first SYN-ACK is lost"),
    policy("bpf.congestion", Form::Name, "name")
        .why("Congestion control by the client's prefix: bbr for lossy networks only.")
        .shown_by("f10", "bbr for cubic: 40 times the throughput at 5 % loss"),
    policy("bpf.rto_min", integer(2, 200), "ms, at least two ticks")
        .why("The least time-out by the client's prefix.")
        .risk("below the delayed acknowledgements of peers data is sent twice")
        .since("6.0"),
    policy("bpf.delack_max", integer(2, 200), "ms, at least two ticks")
        .why("How long an acknowledgement is held back at most, by the client's prefix.")
        .since("6.0"),
    policy("bpf.pacing", integer(1_000, u32::MAX as i64), "octets/s")
        .why(
            "The rate of a connection at most, by the client's prefix, evenly spread: bursts do \
             not fill a slow last mile's queue.",
        )
        .source("BPF_PROG_TYPE_SOCK_OPS, SO_MAX_PACING_RATE in socket(7)")
        .shown_by("f9", "no packet dropped instead of 29, 0.66 of the time"),
];
