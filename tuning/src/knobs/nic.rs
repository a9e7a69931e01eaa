//! Network cards: which cores serve their queues. Devices without hardware (lo, veth, ifb) have no instances.

use super::form::{FLAG, Form, integer};
use super::{Access, Knob, Scope};
use crate::ethtool::Number;

const SCALING: &str = "Documentation/networking/scaling.rst";

const fn card(id: &'static str, pattern: &'static str, form: Form, unit: &'static str) -> Knob {
    Knob::new(id, Scope::Nic, Access::Files(pattern), form, unit).source(SCALING)
}

const fn device(id: &'static str, number: Number, form: Form, unit: &'static str) -> Knob {
    Knob::new(id, Scope::Nic, Access::Device(number), form, unit)
        .source("Documentation/networking/ethtool-netlink.rst, ethtool(8)")
}

const fn offload(id: &'static str, name: &'static str) -> Knob {
    Knob::new(id, Scope::Nic, Access::Offload(name), FLAG, "flag")
        .source("Documentation/networking/segmentation-offloads.rst, ethtool(8)")
}

const COUNT: Form = integer(0, u32::MAX as i64);

pub(super) const KNOBS: &[Knob] = &[
    device("nic.channels_combined", Number::ChannelsCombined, COUNT, "queues")
        .why(
            "Queues that receive and transmit, each with its interrupt: one for each core that \
             has a worker, and no more.",
        )
        .risk("the device may go down and up, and drivers set rings and CPU masks anew")
        .changes(&["nic.ring_rx", "nic.ring_tx", "nic.rps_cpus", "nic.xps_cpus"]),
    device("nic.channels_rx", Number::ChannelsRx, COUNT, "queues")
        .why("Queues that only receive, of cards that have such.")
        .risk("the device may go down and up"),
    device("nic.channels_tx", Number::ChannelsTx, COUNT, "queues")
        .why("Queues that only transmit, of cards that have such.")
        .risk("the device may go down and up"),
    device("nic.ring_rx", Number::RingRx, COUNT, "descriptors")
        .why(
            "Packets that the card keeps while its core is busy. Too few, and bursts are \
             dropped (rx_missed_errors); many are more memory than a cache has.",
        )
        .risk("the device may go down and up; a long ring is delay")
        .needs(&["nic.channels_combined"]),
    device("nic.ring_tx", Number::RingTx, COUNT, "descriptors")
        .why(
            "Packets that wait in the card to be sent: behind the qdisc, so without its \
             fairness.",
        )
        .risk("the device may go down and up; a long ring is delay")
        .needs(&["nic.channels_combined"]),
    device("nic.adaptive_rx", Number::AdaptiveRx, FLAG, "flag").why(
        "The driver changes how long interrupts wait with the load: few under load, at once \
             when idle.",
    ),
    device("nic.adaptive_tx", Number::AdaptiveTx, FLAG, "flag")
        .why("The same for completions of what was sent."),
    device("nic.rx_usecs", Number::RxUsecs, COUNT, "us")
        .why(
            "How long a received packet may wait for its interrupt: longer saves interrupts, \
             shorter saves latency.",
        )
        .risk("0 under load: a core does nothing but interrupts")
        .needs(&["nic.adaptive_rx"]),
    device("nic.rx_frames", Number::RxFrames, COUNT, "packets")
        .why("Received packets after which the interrupt comes at once.")
        .needs(&["nic.adaptive_rx"]),
    device("nic.tx_usecs", Number::TxUsecs, COUNT, "us")
        .why("How long a sent packet may wait until its memory is given back.")
        .needs(&["nic.adaptive_tx"]),
    device("nic.tx_frames", Number::TxFrames, COUNT, "packets")
        .why("Sent packets after which memory is given back at once.")
        .needs(&["nic.adaptive_tx"]),
    offload("nic.rx_checksum", "rx-checksum")
        .why("The card checks what it receives; GRO needs that.")
        .changes(&["nic.gro", "nic.lro"]),
    offload("nic.scatter_gather", "tx-scatter-gather")
        .why("The card gathers a packet from several places: sendfile and segmentation need it.")
        .changes(&["nic.tso", "nic.gso"]),
    offload("nic.tso", "tx-tcp-segmentation")
        .why(
            "The card cuts up to 64 KB into segments: the kernel handles one packet instead of \
             45.",
        )
        .risk("bursts on the wire, as long as no pacing makes them smaller")
        .needs(&["nic.scatter_gather"]),
    offload("nic.gso", "tx-generic-segmentation")
        .why("The same just in front of the driver, for cards that cannot.")
        .needs(&["nic.scatter_gather"]),
    offload("nic.gro", "rx-gro")
        .why("Received segments of a connection are merged before TCP handles them.")
        .needs(&["nic.rx_checksum"]),
    offload("nic.lro", "rx-lro")
        .why("The card merges them itself, and loses what it takes to forward them.")
        .risk("wrong for whatever forwards packets")
        .needs(&["nic.rx_checksum"]),
    offload("nic.rx_hash", "rx-hashing")
        .why("The card gives each packet's hash, which RPS and RFS would otherwise compute."),
    Knob::new("nic.irq_cpus", Scope::Nic, Access::Interrupt, Form::Mask, "CPUs")
        .why(
            "Which cores take a card's interrupts, one for each queue: best the core of the \
             worker that reads its connections. `lastmile tune cores` shows which that is.",
        )
        .risk("irqbalance changes it again; some cards' interrupts cannot be moved")
        .source("Documentation/core-api/irq/irq-affinity.rst")
        .needs(&["nic.channels_combined"]),
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
        "How long received segments are kept to be merged, and with napi_defer_hard_irqs how \
         long interrupts stay off.",
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
        "Polls without packets after which the interrupt is armed again. Busy edges take fewer \
         interrupts.",
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
