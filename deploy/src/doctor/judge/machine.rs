//! Limits, ports, clock, cores, memory, disk.

use super::kernel::numbers;
use crate::doctor::check::{Check, Role, State};
use crate::doctor::disk::Speed;
use crate::doctor::facts::{CAP_NET_BIND_SERVICE, Facts};
use crate::doctor::ports::Port;

/// Descriptors that an edge's default of 10,000 connections takes: a third is kept for everything else.
const FILES: u64 = 15_000;
/// Below this a role cannot even start its workers.
const FILES_MIN: u64 = 64;

/// The RAM tier that an edge has by default, and as much again for what is under way.
const EDGE_MEMORY: u64 = 512 << 20;

/// Since then neither rings nor BPF are locked memory.
const UNLOCKED_SINCE: (u32, u32) = (5, 12);
/// What the rings of a few workers took of it before.
const LOCKED: u64 = 8 << 20;

const SERVING: [Role; 3] = [Role::Edge, Role::Origin, Role::Gslb];

fn or_unlimited(limit: Option<u64>) -> String {
    limit.map_or("unlimited".to_owned(), |limit| limit.to_string())
}

pub(super) fn files(facts: &Facts) -> Check {
    let (soft, hard) = facts.files;
    let found = format!("{} open files, {} at most", or_unlimited(soft), or_unlimited(hard));
    let check = Check::new("files", found);
    let remedy = "ulimit -Hn 1048576 as root; systemd: LimitNOFILE=1048576";
    match hard {
        Some(hard) if hard < FILES_MIN => SERVING.into_iter().fold(check, |check, role| {
            check.with(role, State::Missing, "not enough to start", remedy)
        }),
        Some(hard) if hard < FILES => {
            let what = format!("at most {} connections instead of 10,000", hard / 3 * 2);
            check.with(Role::Edge, State::Degraded, &what, remedy)
        }
        Some(_) | None => check,
    }
}

pub(super) fn locked(facts: &Facts) -> Check {
    let (soft, _) = facts.locked;
    let check = Check::new("locked_memory", format!("{} octets", or_unlimited(soft)));
    let is_counted = numbers(&facts.kernel).is_some_and(|version| version < UNLOCKED_SINCE);
    if is_counted && soft.is_some_and(|soft| soft < LOCKED) {
        let what = "rings are locked memory in this kernel: epoll instead when they do not fit";
        return check.with(Role::Edge, State::Degraded, what, "ulimit -l 65536 as root");
    }
    check
}

pub(super) fn ports(facts: &Facts) -> Check {
    let is_taken = |port: &&Port| port.refusal.is_some();
    let words = |port: &Port| {
        let refusal = port.refusal.as_deref().unwrap_or("free");
        format!("{}/{} {refusal}", port.number, port.protocol)
    };
    let mut found: Vec<_> = facts.ports.iter().filter(is_taken).map(words).collect();
    if found.is_empty() {
        found = vec!["all default ports are free".to_owned()];
    }
    let check = Check::new("ports", found.join(", "));
    facts.ports.iter().filter(is_taken).fold(check, |check, port| {
        let what = format!("not at its default port {}/{}", port.number, port.protocol);
        let remedy = format!("{} with another port, or end who has it (ss -lnp)", port.flag);
        check.with(port.role, State::Degraded, &what, &remedy)
    })
}

pub(super) fn privileged_ports(facts: &Facts) -> Check {
    let start = facts.unprivileged_port_start;
    let has_capability = facts.capabilities >> CAP_NET_BIND_SERVICE & 1 == 1;
    let name = "privileged_ports";
    if has_capability {
        return Check::new(name, "may be used");
    }
    let check = Check::new(name, format!("those below {start} take CAP_NET_BIND_SERVICE"));
    let remedy = "sysctl -w net.ipv4.ip_unprivileged_port_start=53, or that capability";
    let check = match start > 80 {
        true => [Role::Edge, Role::Origin]
            .into_iter()
            .fold(check, |check, role| check.with(role, State::Degraded, "not at port 80", remedy)),
        false => check,
    };
    match start > 53 {
        true => check.with(Role::Gslb, State::Degraded, "not at port 53", remedy),
        false => check,
    }
}

pub(super) fn clock(facts: &Facts) -> Check {
    let check = match facts.clock {
        None => Check::new("clock", "the kernel does not say whether it is kept right"),
        Some(clock) if clock.is_synchronised => {
            let off = clock.error_max.as_micros();
            return Check::new("clock", format!("synchronised, off by at most {off} us"));
        }
        Some(_) => Check::new("clock", "nobody keeps it right"),
    };
    let remedy = "run chrony or systemd-timesyncd (in a container: on its host)";
    check
        .with(Role::Edge, State::Degraded, "ages of responses are as wrong as the clock", remedy)
        .with(Role::Gslb, State::Degraded, "so are the times of signatures (DNSSEC)", remedy)
}

/// Read by the processor itself, in user space; any other is a system call and a slow device.
const FAST_CLOCKS: [&str; 5] =
    ["tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "riscv_clocksource"];

pub(super) fn clock_source(facts: &Facts) -> Check {
    let source = &facts.clock_source;
    if source.is_empty() {
        return Check::new("clock_source", "unknown");
    }
    let check = Check::new("clock_source", source);
    if FAST_CLOCKS.contains(&source.as_str()) {
        return check;
    }
    let remedy = "see /sys/devices/system/clocksource/clocksource0/available_clocksource";
    let check = check.with(Role::Edge, State::Degraded, "reading the time is slow", remedy);
    check.with(Role::Lab, State::Degraded, "links are less exact", remedy)
}

pub(super) fn cores(facts: &Facts) -> Check {
    let cores = facts.cores;
    let mut found = format!("{cores} allowed");
    if let Some(quota) = facts.quota_cores {
        found.push_str(&format!(", with the time of {quota:.1}"));
    }
    let mut check = Check::new("cores", found);
    if cores < 2 {
        let what = "a link and its hosts share a core: expect lateness";
        check = check.with(Role::Lab, State::Degraded, what, "allow a second core");
    }
    #[allow(clippy::cast_precision_loss, reason = "there are not 2^53 cores")]
    let is_short = facts.quota_cores.is_some_and(|quota| quota < cores as f64);
    if is_short {
        let what = "workers are stopped when the time is used up, all at once";
        let remedy = "--cores with as many as the quota allows, or a larger quota (cpu.max)";
        check = check.with(Role::Edge, State::Degraded, what, remedy);
        check = check.with(Role::Gslb, State::Degraded, what, remedy);
    }
    check
}

pub(super) fn memory(facts: &Facts) -> Check {
    let (total, available) = facts.memory;
    let found = format!("{} MiB available of {} MiB", available >> 20, total >> 20);
    let check = Check::new("memory", found);
    if available >= EDGE_MEMORY {
        return check;
    }
    let what = "the RAM tier of 256 MiB may not fit, with what is under way";
    check.with(Role::Edge, State::Degraded, what, "--ram with at most half of what is available")
}

pub(super) fn huge_pages(facts: &Facts) -> Check {
    let (mode, reserved) = &facts.huge_pages;
    Check::new("huge_pages", format!("transparent: {mode}; {reserved} reserved"))
}

pub(super) fn disk(speed: &Speed) -> Check {
    let check = Check::new("disk", speed.to_string());
    if speed.is_direct {
        return check;
    }
    let what = "the SSD tier goes through the page cache here (no O_DIRECT)";
    check.with(Role::Edge, State::Degraded, what, "--ssd on ext4, XFS or a block device")
}
