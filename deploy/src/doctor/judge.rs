//! What the facts mean to each role (pure): ok, degraded, missing, and what to do.
//!
//! `kernel`: what the kernel has and allows; `machine`: limits, ports, clock, memory, cores.

mod kernel;
mod machine;

use super::check::Check;
use super::disk::Speed;
use super::facts::Facts;

/// Every check, in the order in which a start would meet them.
pub(super) fn judge(facts: &Facts, disk: Option<&Speed>) -> Vec<Check> {
    let mut checks = vec![
        kernel::version(facts),
        kernel::io_uring(facts),
        kernel::bpf(facts),
        kernel::cgroup(facts),
        kernel::congestion(facts),
        kernel::namespaces(facts),
        kernel::tun(facts),
        kernel::real_time(facts),
        machine::files(facts),
        machine::locked(facts),
        machine::ports(facts),
        machine::privileged_ports(facts),
        machine::clock(facts),
        machine::clock_source(facts),
        machine::cores(facts),
        machine::memory(facts),
        machine::huge_pages(facts),
    ];
    checks.extend(disk.map(machine::disk));
    checks
}

#[cfg(test)]
mod tests;
