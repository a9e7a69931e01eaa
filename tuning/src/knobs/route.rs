//! What a route says about connections over it. Without `--route` these are the default routes.

use super::form::{FLAG, Form, integer};
use super::{Access, Knob, RouteMetric, Scope};

const IP_ROUTE: &str = "ip-route(8)";

const fn metric(id: &'static str, metric: RouteMetric, form: Form, unit: &'static str) -> Knob {
    Knob::new(id, Scope::Route, Access::Route(metric), form, unit).source(IP_ROUTE)
}

// A route of its own comes first: it begins with what the wider one says, and that is not yet what policies say.
pub(super) const KNOBS: &[Knob] = &[
    metric("route.own", RouteMetric::Own, Form::Word(&["yes", "no"]), "whether there is one")
        .why(
            "A prefix that has no route of its own gets one that leads where the wider one \
             leads, so that it can say something else about connections. Wanted by itself when \
             another metric of the prefix is.",
        )
        .risk("it stays when the wider one changes: routing daemons do not know it"),
    metric(
        "route.initcwnd",
        RouteMetric::Initcwnd,
        integer(0, 65_535),
        "segments, 0 for the kernel's 10",
    )
    .why(
        "The first flight: 10 segments are 14 KB, so 50 KB take three flights; 20 take two, \
             40 one.",
    )
    .risk("a burst into a narrow link is lost, and costs more than it gains")
    .source("RFC 6928")
    .shown_by("f4", "20 instead of 10: 0.75 of the time of 50 KB over 35 ms")
    .since("2.6.39"),
    metric(
        "route.initrwnd",
        RouteMetric::Initrwnd,
        integer(0, 65_535),
        "segments, 0 for the kernel's",
    )
    .why("The first window that we offer: what a peer may send in its first flight.")
    .risk("memory per connection")
    .since("2.6.33"),
    metric("route.rto_min", RouteMetric::RtoMin, integer(0, 120_000), "ms, 0 for the kernel's 200")
        .why(
            "The least retransmission time-out over this route: to tiers in the same building \
             200 ms are an age.",
        )
        .risk("below the delayed acknowledgements of peers data is sent twice")
        .since("2.6.23"),
    metric(
        "route.congestion",
        RouteMetric::Congestion,
        Form::Name,
        "name, none for the namespace's",
    )
    .why(
        "Congestion control by destination, before any of the namespace or listener is \
             looked at. Also one that is not on the allowed list.",
    )
    .since("4.0")
    .needs(&["net.ipv4.tcp_congestion_control"]),
    metric("route.quickack", RouteMetric::QuickAck, FLAG, "flag")
        .why("Acknowledges at once over this route: senders with small windows wait for nobody.")
        .risk("more packets")
        .since("3.11"),
];
