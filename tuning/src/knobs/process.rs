//! What a process may have: descriptors, locked memory, io_uring.

use super::form::{Form, integer};
use super::{Access, Bound, Knob, Limit, Scope};

pub(super) const KNOBS: &[Knob] = &[
    Knob::sysctl("fs.nr_open", Scope::Machine, integer(8, 2_147_483_584), "descriptors")
        .why("The most that the limit of descriptors of any process can be set to.")
        .risk("each descriptor that is open takes kernel memory")
        .source("Documentation/admin-guide/sysctl/fs.rst"),
    Knob::sysctl("fs.file-max", Scope::Machine, integer(1_024, i64::MAX), "open files")
        .why(
            "Open files of all processes. A connection is one; so is a connection to an \
             upstream.",
        )
        .risk("memory: about 1 KB for each that is open")
        .source("Documentation/admin-guide/sysctl/fs.rst"),
    Knob::sysctl("fs.pipe-max-size", Scope::Machine, integer(4_096, 1 << 31), "octets")
        .why(
            "How large a pipe may be made without privilege. splice(2) moves a pipe's worth at \
             a time.",
        )
        .risk("memory that unprivileged users can take, bounded by fs.pipe-user-pages-soft")
        .source("pipe(7)")
        .since("2.6.35"),
    Knob::sysctl(
        "kernel.io_uring_disabled",
        Scope::Machine,
        integer(0, 2),
        "0 for all, 1 for a group, 2 for none",
    )
    .why(
        "With 2, or with 1 outside kernel.io_uring_group, an edge has to fall back to \
             epoll.",
    )
    .risk(
        "0 opens io_uring to every user of the machine, not only to lastmile: a large part of \
             the kernel, in which holes were found. Where others run code, want 1 and put \
             lastmile's group into kernel.io_uring_group, or want 2",
    )
    .source("Documentation/admin-guide/sysctl/kernel.rst")
    .since("6.6"),
    limit("process.nofile_hard", Limit::Nofile, Bound::Hard, "descriptors")
        .why(
            "The most open descriptors that a process may ask for: clients and upstreams \
             together.",
        )
        .risk("none as long as nothing in the process uses select(2)")
        .source("getrlimit(2), systemd.exec(5)")
        .needs(&["fs.nr_open"]),
    limit("process.nofile", Limit::Nofile, Bound::Soft, "descriptors")
        .why(
            "Open descriptors of a process as it starts. lastmile raises it to the hard limit \
             by itself.",
        )
        .risk("programs that close all descriptors one by one at their start become slow")
        .source("getrlimit(2), systemd.exec(5)")
        .needs(&["process.nofile_hard"]),
    limit("process.memlock_hard", Limit::Memlock, Bound::Hard, "octets")
        .why(
            "Memory that may be locked. Rings count against it before 5.12, BPF maps before \
             5.11, registered buffers always.",
        )
        .risk("a process can keep that much memory from being swapped")
        .source("getrlimit(2), io_uring_setup(2)"),
    limit("process.memlock", Limit::Memlock, Bound::Soft, "octets")
        .why("The same as it is in force when the process starts.")
        .risk("a process can keep that much memory from being swapped")
        .source("getrlimit(2), io_uring_setup(2)")
        .needs(&["process.memlock_hard"]),
];

const fn limit(id: &'static str, limit: Limit, bound: Bound, unit: &'static str) -> Knob {
    Knob::new(id, Scope::Process, Access::Limit(limit, bound), Form::Limit, unit)
}
