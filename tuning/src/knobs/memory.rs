//! Pages: when they are written back, swapped, and how large they are.

use super::form::{Form, integer};
use super::{Access, Knob, Scope};

const VM: &str = "Documentation/admin-guide/sysctl/vm.rst";
const THP: &str = "Documentation/admin-guide/mm/transhuge.rst";

pub(super) const KNOBS: &[Knob] = &[
    Knob::sysctl("vm.swappiness", Scope::Machine, integer(0, 200), "ratio, 0 to 200")
        .why(
            "How readily anonymous memory is swapped to keep file pages. An edge's index and \
             RAM tier have to stay; file pages of an SSD tier can be read again.",
        )
        .risk(
            "with 0 the machine reclaims file pages until little is left, and may end processes \
             earlier",
        )
        .source(VM),
    Knob::sysctl(
        "vm.dirty_bytes",
        Scope::Machine,
        integer(0, i64::MAX),
        "octets, 0 when the ratio is in force",
    )
    .why(
        "Dirty pages at which a writer has to write itself, in octets: on large machines a \
             percent is gigabytes.",
    )
    .risk("small values make writers wait for the disk")
    .source(VM)
    .since("2.6.29")
    .changes(&["vm.dirty_ratio"]),
    Knob::sysctl(
        "vm.dirty_background_bytes",
        Scope::Machine,
        integer(0, i64::MAX),
        "octets, 0 when the ratio is in force",
    )
    .why("Dirty pages at which writing back begins, in octets.")
    .risk("the smaller, the less is merged before it is written")
    .source(VM)
    .since("2.6.29")
    .changes(&["vm.dirty_background_ratio"]),
    Knob::sysctl(
        "vm.dirty_ratio",
        Scope::Machine,
        integer(0, 100),
        "percent of memory, 0 when the octets are in force",
    )
    .why(
        "Dirty pages at which a writer has to write itself: logs and an SSD tier then make \
             a worker wait.",
    )
    .risk(
        "the more is dirty, the longer a flush keeps the disk busy, and the more a crash \
             loses",
    )
    .source(VM)
    .changes(&["vm.dirty_bytes"]),
    Knob::sysctl(
        "vm.dirty_background_ratio",
        Scope::Machine,
        integer(0, 100),
        "percent of memory, 0 when the octets are in force",
    )
    .why(
        "Dirty pages at which writing back begins. Little and early keeps reads of an SSD tier \
         quick.",
    )
    .risk("the smaller, the less is merged before it is written")
    .source(VM)
    .changes(&["vm.dirty_background_bytes"]),
    Knob::sysctl(
        "vm.dirty_expire_centisecs",
        Scope::Machine,
        integer(0, i32::MAX as i64),
        "1/100 s",
    )
    .why("How old a dirty page becomes before it is written.")
    .risk("the older, the more a crash loses")
    .source(VM),
    Knob::sysctl(
        "vm.dirty_writeback_centisecs",
        Scope::Machine,
        integer(0, i32::MAX as i64),
        "1/100 s",
    )
    .why("How often the kernel looks for pages that are old enough to be written.")
    .risk("0 turns writing by age off")
    .source(VM),
    Knob::sysctl("vm.vfs_cache_pressure", Scope::Machine, integer(0, 10_000), "percent")
        .why(
            "How readily directory entries and inodes are given up. An origin with many files \
             wants to keep them.",
        )
        .risk("below 10 memory can fill with them")
        .source(VM),
    Knob::sysctl("vm.min_free_kbytes", Scope::Machine, integer(1_024, 1 << 26), "KiB")
        .why(
            "Memory that is kept free for what cannot wait: packets that a card delivers are \
             allocated in interrupts.",
        )
        .risk(
            "too much of it and processes are ended for lack of memory; never more than 5 % of \
             it",
        )
        .source(VM),
    Knob::sysctl("vm.max_map_count", Scope::Machine, integer(1_024, i32::MAX as i64), "mappings")
        .why("Mappings of a process. Punching pages out of an arena can split them.")
        .source(VM),
    Knob::sysctl("vm.zone_reclaim_mode", Scope::Machine, integer(0, 7), "bits")
        .why(
            "With 1, memory of this node is reclaimed before that of another is used: a cache \
             would lose file pages while memory is free.",
        )
        .source(VM),
    Knob::new(
        "memory.thp",
        Scope::Machine,
        Access::Files("/sys/kernel/mm/transparent_hugepage/enabled"),
        Form::Selected(&["always", "madvise", "never"]),
        "word",
    )
    .why(
        "Huge pages for anonymous memory: fewer TLB misses, but a small need becomes 2 MiB, and \
         khugepaged copies pages behind one's back. `madvise` leaves it to programs that ask.",
    )
    .risk("`always` can double the resident size of a program with many small arenas")
    .source(THP)
    .since("2.6.38")
    .changes(&["vm.min_free_kbytes"]),
    Knob::new(
        "memory.thp_defrag",
        Scope::Machine,
        Access::Files("/sys/kernel/mm/transparent_hugepage/defrag"),
        Form::Selected(&["always", "defer", "defer+madvise", "madvise", "never"]),
        "word",
    )
    .why(
        "Whether a page fault waits for memory to be compacted. `always` makes workers wait for \
         milliseconds.",
    )
    .source(THP)
    .since("2.6.38"),
    Knob::new(
        "memory.thp_shmem",
        Scope::Machine,
        Access::Files("/sys/kernel/mm/transparent_hugepage/shmem_enabled"),
        Form::Selected(&["always", "within_size", "advise", "never", "deny", "force"]),
        "word",
    )
    .why("Huge pages for shared memory, to which the edge's arena (a memfd) belongs.")
    .risk("memory of an object is given back in pages of 4 KiB, which splits huge ones again")
    .source(THP)
    .since("4.8")
    .changes(&["vm.min_free_kbytes"]),
];
