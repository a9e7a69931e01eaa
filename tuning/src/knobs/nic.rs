//! Network cards: which cores serve their queues. Devices without hardware (lo, veth, ifb) have no instances.

use super::form::{Form, integer};
use super::{Access, Knob, Scope};

const SCALING: &str = "Documentation/networking/scaling.rst";

const fn card(id: &'static str, pattern: &'static str, form: Form, unit: &'static str) -> Knob {
    Knob::new(id, Scope::Nic, Access::Files(pattern), form, unit).source(SCALING)
}

pub(super) const KNOBS: &[Knob] = &[
    card("nic.rps_cpus", "/sys/class/net/*/queues/rx-*/rps_cpus", Form::Mask, "CPUs")
        .why(
            "Spreads packets of one receive queue over cores in software. For cards with fewer \
             queues than cores, as in many virtual machines; where each core has its queue it \
             only adds interrupts between cores.",
        )
        .risk(
            "packets of a connection may be handled on another core than its worker's; set the \
             flow table too",
        )
        .since("2.6.35"),
    card(
        "nic.rps_flow_cnt",
        "/sys/class/net/*/queues/rx-*/rps_flow_cnt",
        integer(0, 1 << 20),
        "flows",
    )
    .why(
        "The queue's part of the flow table, which sends packets to the core that last read \
             from their socket.",
    )
    .since("2.6.35")
    .needs(&["nic.rps_cpus"]),
    card("nic.xps_cpus", "/sys/class/net/*/queues/tx-*/xps_cpus", Form::Mask, "CPUs")
        .why(
            "Which cores send by which transmit queue. Drivers set one for each core; a card \
             with one queue has no such choice.",
        )
        .since("2.6.38"),
    card(
        "nic.gro_flush_timeout",
        "/sys/class/net/*/gro_flush_timeout",
        integer(0, 1_000_000_000),
        "ns",
    )
    .why(
        "How long received segments are kept to be merged, and with napi_defer_hard_irqs \
             how long interrupts stay off.",
    )
    .risk("latency of that much for packets that come alone")
    .source("Documentation/networking/napi.rst")
    .since("3.19"),
    card(
        "nic.napi_defer_hard_irqs",
        "/sys/class/net/*/napi_defer_hard_irqs",
        integer(0, 1_000_000),
        "polls",
    )
    .why(
        "Polls without packets after which the interrupt is armed again. Busy edges take \
             fewer interrupts.",
    )
    .risk("with a long gro_flush_timeout, latency")
    .source("Documentation/networking/napi.rst")
    .since("5.8")
    .needs(&["nic.gro_flush_timeout"]),
    card("nic.tx_queue_len", "/sys/class/net/*/tx_queue_len", integer(0, 1_000_000), "packets")
        .why(
            "The length of a pfifo queue. fq and fq_codel have their own limits and do not look \
             at it.",
        )
        .risk("a long queue is delay, a short one loss")
        .source("ip-link(8)"),
];
