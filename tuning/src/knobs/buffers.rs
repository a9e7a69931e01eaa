//! Memory of sockets: how much may be under way.

use super::form::{FLAG, Form, integer};
use super::{Knob, Scope};

const OCTETS_MAX: i64 = i32::MAX as i64;
const TRIPLE: Form = Form::Integers { count: 3, min: 0, max: OCTETS_MAX };

pub(super) const KNOBS: &[Knob] = &[
    Knob::sysctl("net.core.rmem_max", Scope::Machine, integer(2_304, OCTETS_MAX), "octets")
        .why(
            "The most that SO_RCVBUF can be set to. TCP's own growth has its bound in tcp_rmem; \
             UDP sockets of a GSLB need this one.",
        )
        .risk("memory per socket, also of unprivileged users")
        .source("socket(7)"),
    Knob::sysctl("net.core.wmem_max", Scope::Machine, integer(4_608, OCTETS_MAX), "octets")
        .why("The most that SO_SNDBUF can be set to.")
        .risk("memory per socket, also of unprivileged users")
        .source("socket(7)"),
    Knob::sysctl("net.core.rmem_default", Scope::Machine, integer(2_304, OCTETS_MAX), "octets")
        .why(
            "The receive buffer of sockets that are not TCP: queries that wait while a GSLB's \
             core is busy.",
        )
        .risk("memory per socket")
        .source("socket(7)"),
    Knob::sysctl("net.core.wmem_default", Scope::Machine, integer(4_608, OCTETS_MAX), "octets")
        .why("The send buffer of sockets that are not TCP.")
        .risk("memory per socket")
        .source("socket(7)"),
    Knob::sysctl("net.ipv4.tcp_rmem", Scope::Namespace, TRIPLE, "octets: least, at first, most")
        .why(
            "The receive buffer. The second number decides how much a peer may send in its \
             first flight: about half of it is window, so 128 KiB take 45 packets, and 1 MiB \
             between our own tiers lets a whole object come in one flight. The third bounds \
             throughput at window / RTT.",
        )
        .risk("memory: number of connections times what is not read")
        .shown_by(
            "tune-tier",
            "150 KB over 80 ms: 0.40 of the time, with the first window of the route",
        ),
    Knob::sysctl("net.ipv4.tcp_wmem", Scope::Namespace, TRIPLE, "octets: least, at first, most")
        .why(
            "The send buffer. The third number bounds what is under way, and so throughput at \
             window / RTT: 4 MiB are 335 Mbit/s at 100 ms.",
        )
        .risk("memory: number of connections times what is not acknowledged"),
    Knob::sysctl("net.ipv4.tcp_mem", Scope::Machine, TRIPLE, "pages: low, pressure, high")
        .why(
            "Memory of all TCP sockets. Above the second number buffers shrink, above the third \
             data is dropped.",
        )
        .risk("kernel memory cannot be swapped"),
    Knob::sysctl("net.ipv4.tcp_moderate_rcvbuf", Scope::Namespace, FLAG, "flag").why(
        "The receive buffer grows with what is read. Off, every connection stays at the \
             first window.",
    ),
    Knob::sysctl("net.ipv4.tcp_adv_win_scale", Scope::Namespace, integer(-31, 31), "power of two")
        .why(
            "Which part of the receive buffer was window before 6.6; since then the kernel \
             measures it.",
        ),
    Knob::sysctl(
        "net.ipv4.tcp_notsent_lowat",
        Scope::Namespace,
        integer(0, u32::MAX as i64),
        "octets",
    )
    .why(
        "Unsent data above which a socket is not writable. Low, a sender holds little that \
             is stale, and memory is for what is under way; lastmile sets it per listener.",
    )
    .risk("below some 16 KB, a system call more per flight")
    .since("3.12"),
    Knob::sysctl(
        "net.ipv4.tcp_limit_output_bytes",
        Scope::Namespace,
        integer(0, OCTETS_MAX),
        "octets",
    )
    .why(
        "What one connection may have in the queues below TCP. Small, queues in the card \
             stay short; too small, throughput suffers.",
    )
    .since("3.6"),
    Knob::sysctl("net.ipv4.tcp_autocorking", Scope::Namespace, FLAG, "flag")
        .why("Small writes wait for the packet before them to leave the card, to be merged.")
        .since("3.14"),
    Knob::sysctl("net.ipv4.udp_mem", Scope::Machine, TRIPLE, "pages: low, pressure, high")
        .why("Memory of all UDP sockets.")
        .risk("kernel memory cannot be swapped")
        .since("2.6.25"),
    Knob::sysctl("net.ipv4.udp_rmem_min", Scope::Namespace, integer(1, OCTETS_MAX), "octets")
        .why("The receive buffer of a UDP socket that stays even under pressure.")
        .since("2.6.25"),
    Knob::sysctl("net.ipv4.udp_wmem_min", Scope::Namespace, integer(1, OCTETS_MAX), "octets")
        .why("The send buffer of a UDP socket that stays even under pressure.")
        .since("2.6.25"),
];
