//! TCP otherwise: path MTU, liveness.

use super::form::{FLAG, Form, integer};
use super::{Knob, Scope};

const INT_MAX: i64 = i32::MAX as i64;

const fn tcp(id: &'static str, form: Form, unit: &'static str) -> Knob {
    Knob::sysctl(id, Scope::Namespace, form, unit)
}

pub(super) const KNOBS: &[Knob] = &[
    tcp("net.ipv4.tcp_mtu_probing", integer(0, 2), "0 off, 1 after a black hole, 2 always")
        .why(
            "Finds packets that a path swallows without a word (ICMP filtered) by trying \
             smaller ones: otherwise such clients get heads and no bodies.",
        )
        .source("RFC 4821"),
    tcp("net.ipv4.tcp_base_mss", integer(48, 65_535), "octets")
        .why("Where probing begins: 1024 is safe, smaller than 512 is waste.")
        .source("RFC 4821 §7.2"),
    tcp("net.ipv4.ip_no_pmtu_disc", integer(0, 3), "0 discovery on, 1 off, more in the source")
        .why("Off, packets may be fragmented on their way: no edge wants that.")
        .source("RFC 1191"),
    tcp("net.ipv4.tcp_keepalive_time", integer(1, 32_767), "s")
        .why(
            "Idle time after which a connection that asked for it is probed. 7200 s are longer \
             than any NAT remembers: idle connections to upstreams are found dead by the next \
             request.",
        )
        .risk("traffic of idle connections, battery of phones")
        .source("RFC 1122 §4.2.3.6"),
    tcp("net.ipv4.tcp_keepalive_intvl", integer(1, 32_767), "s")
        .why("Time between probes that are not answered."),
    tcp("net.ipv4.tcp_keepalive_probes", integer(1, 127), "probes")
        .why("After so many the connection is dead: 9 at 75 s are eleven minutes."),
    tcp("net.ipv4.tcp_challenge_ack_limit", integer(1, INT_MAX), "per second")
        .why(
            "Answers to segments that look forged. Without bound by default since 6.0; a small \
             bound for all could be probed by attackers.",
        )
        .source("RFC 5961 §10")
        .since("3.6"),
    tcp("net.ipv4.ip_nonlocal_bind", FLAG, "flag")
        .why("Listening on an address that comes later, as with anycast or a failover.")
        .risk("a wrong address is not told"),
    tcp("net.ipv4.ip_early_demux", FLAG, "flag")
        .why(
            "Looks for the socket before the route of a received packet. Good for servers, \
             waste for routers.",
        )
        .since("3.6"),
];
