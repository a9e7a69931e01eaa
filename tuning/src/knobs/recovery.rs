//! Windows, congestion control, loss and time-outs of connections that are made.

use super::form::{FLAG, Form, integer};
use super::{Knob, Scope};

const INT_MAX: i64 = i32::MAX as i64;

const fn tcp(id: &'static str, form: Form, unit: &'static str) -> Knob {
    Knob::sysctl(id, Scope::Namespace, form, unit)
}

pub(super) const KNOBS: &[Knob] = &[
    Knob::sysctl("net.ipv4.tcp_allowed_congestion_control", Scope::Machine, Form::Names, "names")
        .why(
            "Which ones a process without CAP_NET_ADMIN, and any namespace but the first, may \
             choose.",
        )
        .risk("unprivileged programs may choose an aggressive one")
        .since("2.6.20"),
    tcp("net.ipv4.tcp_congestion_control", Form::Name, "name")
        .why(
            "The default of the namespace. `cubic` takes loss for a full queue; `bbr` measures \
             rate and RTT and keeps its speed under random loss, but paces, which costs CPU \
             without fq.",
        )
        .risk(
            "bbr (version 1) takes more than its part from cubic in shallow queues; only one of \
             the allowed list outside the first namespace",
        )
        .source("RFC 9438; Cardwell et al., BBR, ACM Queue 14(5)")
        .shown_by("f10", "bbr for cubic: 40 times the throughput at 5 % loss")
        .since("2.6.13")
        .needs(&["net.core.default_qdisc"])
        .changes(&["net.ipv4.tcp_allowed_congestion_control"]),
    tcp("net.ipv4.tcp_slow_start_after_idle", FLAG, "flag")
        .why(
            "With 1 a connection that paused for an RTO begins with the first window again: a \
             client's second object, and every exchange between tiers after a pause, is as slow \
             as on a new connection. Also what BPF gives as first window is lost then.",
        )
        .risk("a burst into a path that has changed meanwhile")
        .source("RFC 5681 §4.1")
        .shown_by("f5", "off: 0.25 of the time of the second object"),
    tcp("net.ipv4.tcp_no_metrics_save", FLAG, "flag")
        .why(
            "With 0, a connection's end leaves its RTT and slow-start threshold for the next \
             one to that address: one bad connection makes those after it slow, and \
             measurements depend on those before.",
        )
        .risk("a good path has to be learnt anew"),
    tcp("net.ipv4.tcp_no_ssthresh_metrics_save", FLAG, "flag")
        .why("The same only for the threshold, which does the harm.")
        .since("5.7"),
    tcp("net.ipv4.tcp_rto_min_us", integer(1, INT_MAX), "us")
        .why(
            "The least retransmission time-out: 200 ms are many RTTs on a short path. Inside a \
             data centre 5 to 20 ms.",
        )
        .risk("below the delayed acknowledgements of peers (40 ms, or 200 ms) data is sent twice")
        .source("RFC 6298 §2.4")
        .since("6.11"),
    tcp("net.ipv4.tcp_rto_max_ms", integer(1_000, 120_000), "ms")
        .why(
            "The longest time-out. After an outage a connection goes on at most so long after \
             the path does; 120 s are no service.",
        )
        .risk("retransmissions into a path that is down")
        .source("RFC 6298 §2.5")
        .since("6.15"),
    tcp("net.ipv4.tcp_retries1", integer(0, 255), "retransmissions")
        .why("After so many the route is looked up again: a sooner way around a failure."),
    tcp("net.ipv4.tcp_retries2", integer(0, 255), "retransmissions")
        .why(
            "After so many the connection is given up: 15 are a quarter of an hour. lastmile \
             sets a user time-out instead.",
        )
        .risk("connections of other programs end earlier")
        .source("RFC 1122 §4.2.3.5"),
    tcp("net.ipv4.tcp_early_retrans", integer(0, 4), "0 off, 3 and 4 on")
        .why(
            "Tail loss probe: the last packet of a response that is lost is found after two \
             RTTs instead of a time-out.",
        )
        .source("RFC 8985 §7"),
    tcp(
        "net.ipv4.tcp_recovery",
        integer(0, 7),
        "bits: 1 RACK, 2 static window, 4 no duplicate threshold",
    )
    .why("RACK: loss is seen by time, also of retransmissions and of the end of a flight.")
    .source("RFC 8985")
    .since("4.4"),
    tcp("net.ipv4.tcp_frto", integer(0, 2), "0 off, 2 on")
        .why("After a time-out that was none (a path that became slow) the window is taken back.")
        .source("RFC 5682"),
    tcp("net.ipv4.tcp_reordering", integer(1, INT_MAX), "packets").why(
        "How far packets may overtake each other before it is taken for loss; the kernel \
             learns more by itself.",
    ),
    tcp("net.ipv4.tcp_max_reordering", integer(1, INT_MAX), "packets")
        .why("The most that it learns.")
        .since("3.18"),
    tcp("net.ipv4.tcp_thin_linear_timeouts", FLAG, "flag")
        .why(
            "Connections with few packets under way do not double their first time-outs: \
             messages rather than downloads.",
        )
        .since("2.6.34"),
    tcp("net.ipv4.tcp_pacing_ss_ratio", integer(0, 1_000), "percent of window / RTT")
        .why("The pacing rate in slow start. Below 200 the window cannot double in an RTT.")
        .since("4.3"),
    tcp("net.ipv4.tcp_pacing_ca_ratio", integer(0, 1_000), "percent of window / RTT")
        .why("The pacing rate afterwards.")
        .since("4.3"),
    tcp("net.ipv4.tcp_min_tso_segs", integer(1, 65_535), "segments")
        .why("The least that a paced connection sends at once: 1 paces finest.")
        .since("3.12"),
    tcp("net.ipv4.tcp_tso_rtt_log", integer(0, 31), "power of two, us")
        .why(
            "Connections with short RTTs send larger bursts, which saves CPU inside a data \
             centre.",
        )
        .since("5.18"),
    tcp("net.ipv4.tcp_tso_win_divisor", integer(0, INT_MAX), "part of the window")
        .why("How much of the window one burst may be: 3 is a third."),
    tcp("net.ipv4.tcp_comp_sack_delay_ns", integer(0, INT_MAX), "ns")
        .why("How long selective acknowledgements are held to be merged; 0 sends each.")
        .since("4.18"),
    tcp("net.ipv4.tcp_backlog_ack_defer", FLAG, "flag")
        .why("One acknowledgement for all that waited while the socket was in use.")
        .since("6.7"),
    tcp("net.ipv4.tcp_plb_enabled", FLAG, "flag")
        .why("Connections that see much ECN marking take another of several equal paths.")
        .risk("needs paths that hash flow labels, ECN, and a congestion control that supports it")
        .since("6.2"),
];
