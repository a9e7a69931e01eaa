//! Connection tracking of netfilter: a table that an edge fills, and the way around it.

use super::form::{FLAG, Form, integer};
use super::{Access, Knob, Scope};

const SOURCE: &str = "Documentation/networking/nf_conntrack-sysctl.rst";

pub(super) const KNOBS: &[Knob] = &[
    Knob::new("conntrack.bypass", Scope::Machine, Access::ByHand, Form::Name, "rule")
        .why(
            "Each tracked connection costs a lookup per packet and an entry; a full table drops \
             new clients. An edge needs neither for its own ports: nft add rule inet raw \
             prerouting tcp dport { 80, 443 } notrack, and the same for sport in output.",
        )
        .risk("rules that look at states (ct state established) no longer match these connections")
        .source("nft(8), notrack"),
    Knob::sysctl(
        "net.netfilter.nf_conntrack_max",
        Scope::Machine,
        integer(0, i32::MAX as i64),
        "connections",
    )
    .why(
        "The size of the table, where tracking is wanted. Full, new connections are \
             dropped: \"table full\" in the kernel's log.",
    )
    .risk("some 320 octets each")
    .source(SOURCE),
    Knob::sysctl(
        "net.netfilter.nf_conntrack_tcp_timeout_established",
        Scope::Namespace,
        integer(1, u32::MAX as i64),
        "s",
    )
    .why("Five days by default: entries of clients that went without a word fill the table.")
    .risk("idle connections that live longer lose their entry")
    .source(SOURCE),
    Knob::sysctl(
        "net.netfilter.nf_conntrack_tcp_timeout_time_wait",
        Scope::Namespace,
        integer(1, u32::MAX as i64),
        "s",
    )
    .why(
        "Entries of connections that have ended: two minutes of all that an edge has \
             served.",
    )
    .source(SOURCE),
    Knob::sysctl("net.netfilter.nf_conntrack_tcp_loose", Scope::Namespace, FLAG, "flag")
        .why(
            "Takes up connections in the middle, as after a restart of the firewall. 0 with SYN \
             proxies.",
        )
        .source(SOURCE),
];
