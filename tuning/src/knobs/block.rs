//! Block devices: the queue in front of an SSD tier. Devices without hardware (loop, zram) have no instances.

use super::form::{Form, integer};
use super::{Access, Knob, Scope};

const QUEUE: &str = "Documentation/ABI/stable/sysfs-block";

const fn queue(id: &'static str, pattern: &'static str, form: Form, unit: &'static str) -> Knob {
    Knob::new(id, Scope::Block, Access::Files(pattern), form, unit).source(QUEUE)
}

pub(super) const KNOBS: &[Knob] = &[
    queue(
        "block.scheduler",
        "/sys/block/*/queue/scheduler",
        Form::Selected(&["none", "mq-deadline", "kyber", "bfq"]),
        "word",
    )
    .why(
        "Who orders requests. An SSD orders them itself; `none` costs least CPU. `mq-deadline` \
         keeps reads ahead of writes where the device does not.",
    )
    .risk("the kernel resets nr_requests when the scheduler changes")
    .source("Documentation/block/switching-sched.rst")
    .since("4.12")
    .changes(&["block.nr_requests", "block.wbt_latency"]),
    queue("block.read_ahead", "/sys/block/*/queue/read_ahead_kb", integer(0, 65_536), "KiB")
        .why(
            "Read ahead of sequential readers of files. Good for an origin's large files from \
             disk; wasted on a store of small objects, which reads exactly what it needs.",
        )
        .risk("memory and disk time for what nobody asked for"),
    queue("block.nr_requests", "/sys/block/*/queue/nr_requests", integer(4, 65_536), "requests")
        .why(
            "Requests that wait for the device. A long queue serves throughput, a short one the \
             next reader.",
        )
        .needs(&["block.scheduler"]),
    queue(
        "block.rq_affinity",
        "/sys/block/*/queue/rq_affinity",
        integer(0, 2),
        "0, 1 for the group, 2 for the core",
    )
    .why(
        "On which core a completion runs: with 2 on the one that asked, whose caches have \
             the request.",
    )
    .risk("an interrupt more between cores"),
    queue(
        "block.nomerges",
        "/sys/block/*/queue/nomerges",
        integer(0, 2),
        "0 merge, 1 only simple, 2 never",
    )
    .why(
        "Looking for requests to merge costs CPU, which is wasted on random reads of an \
             SSD.",
    ),
    queue(
        "block.wbt_latency",
        "/sys/block/*/queue/wbt_lat_usec",
        integer(-1, 10_000_000),
        "us, 0 for off",
    )
    .why(
        "Holds writing back so that reads take no longer than this: an SSD tier reads while \
             it writes.",
    )
    .risk("writing becomes slower; absent where the device or its scheduler does it")
    .since("4.10")
    .needs(&["block.scheduler"]),
];
