//! What the kernel has, and what it allows.

use crate::doctor::check::{Check, Role, State};
use crate::doctor::facts::{CAP_NET_ADMIN, CAP_SYS_NICE, Facts};

/// memfd_create(2), which holds what an edge stores, came with it.
const EDGE_SINCE: (u32, u32) = (3, 17);
/// SO_REUSEPORT: a listener for each worker.
const LISTENERS_SINCE: (u32, u32) = (3, 9);

/// Major and minor number of a release such as `6.18.0-rc1`.
pub(super) fn numbers(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|letter: char| !letter.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

pub(super) fn version(facts: &Facts) -> Check {
    let check = Check::new("kernel", format!("Linux {}", facts.kernel));
    let remedy = "run a newer kernel; 6.1 and later have everything";
    match numbers(&facts.kernel) {
        Some(version) if version < LISTENERS_SINCE => {
            let what = "no SO_REUSEPORT, so no listener for each worker";
            let check = check.with(Role::Edge, State::Missing, what, remedy);
            check.with(Role::Gslb, State::Missing, what, remedy)
        }
        Some(version) if version < EDGE_SINCE => {
            check.with(Role::Edge, State::Missing, "no memfd_create(2) for stored contents", remedy)
        }
        Some(_) | None => check,
    }
}

pub(super) fn io_uring(facts: &Facts) -> Check {
    let worked: Vec<_> =
        facts.rings.iter().filter(|(_, tried)| tried.is_ok()).map(|(flags, _)| *flags).collect();
    let found = match (facts.rings.first(), worked.is_empty()) {
        (Some((_, Err(refusal))), true) => format!("refused: {}", refusal.why),
        _ => format!("rings with {}", worked.join(", ")),
    };
    let check = Check::new("io_uring", found);
    let Some((_, Err(refusal))) = facts.rings.first() else { return check };
    let remedy = match (facts.io_uring_disabled, refusal.is_denied) {
        (Some(2), true) => "sysctl -w kernel.io_uring_disabled=0",
        (Some(1), true) => "run as root, or in the group of sysctl kernel.io_uring_group",
        (_, true) => "a container's seccomp profile forbids it: allow io_uring_setup(2) there",
        (_, false) => "Linux 6.1 and later make the rings that the edge uses",
    };
    let what = "epoll instead (--io auto does that by itself): more CPU for each request";
    check.with(Role::Edge, State::Degraded, what, remedy)
}

/// How policies are given by routes, to whom BPF is not.
const BY_ROUTES: &str = "lastmile tune apply --tcp-policy FILE";

pub(super) fn bpf(facts: &Facts) -> Check {
    match &facts.bpf {
        Ok(()) => Check::new("bpf", "programs for connections may be loaded and attached"),
        Err(refusal) => {
            let remedy = match refusal.is_denied {
                true => "run with CAP_BPF and CAP_NET_ADMIN, or as root",
                false => "Linux 5.15 and later, and cgroup v2, have what it takes",
            };
            Check::new("bpf", format!("refused: {}", refusal.why))
                .with(
                    Role::Edge,
                    State::Degraded,
                    "no policy for each connection: options of listeners and sockets only",
                    &format!("{remedy}; what routes can say: {BY_ROUTES}"),
                )
                .with(
                    Role::Lab,
                    State::Degraded,
                    "no scenarios with a policy for each connection",
                    remedy,
                )
        }
    }
}

pub(super) fn cgroup(facts: &Facts) -> Check {
    match &facts.cgroup {
        Some(place) => Check::new("cgroup", format!("version 2 at {}", place.display())),
        None => Check::new("cgroup", "no version 2").with(
            Role::Edge,
            State::Degraded,
            "nothing to attach a policy to: options of listeners and sockets only",
            &format!("mount -t cgroup2 none /sys/fs/cgroup; what routes can say: {BY_ROUTES}"),
        ),
    }
}

pub(super) fn congestion(facts: &Facts) -> Check {
    let (current, loaded) = &facts.congestion;
    let check = Check::new("congestion", format!("{current}; there are: {}", loaded.join(", ")));
    if loaded.iter().any(|name| name == "bbr") {
        return check;
    }
    let remedy = "modprobe tcp_bbr";
    check.with(Role::Edge, State::Degraded, "no BBR for clients behind lossy links", remedy).with(
        Role::Lab,
        State::Degraded,
        "no scenarios with BBR",
        remedy,
    )
}

pub(super) fn namespaces(facts: &Facts) -> Check {
    match &facts.namespace {
        Ok(()) => Check::new("namespaces", "network namespaces can be made"),
        Err(refusal) => Check::new("namespaces", format!("refused: {}", refusal.why)).with(
            Role::Lab,
            State::Missing,
            "no hosts to put on a link",
            "run as root (CAP_SYS_ADMIN)",
        ),
    }
}

pub(super) fn tun(facts: &Facts) -> Check {
    let may = facts.capabilities >> CAP_NET_ADMIN & 1 == 1;
    let (found, remedy) = match &facts.tun {
        Ok(()) if may => return Check::new("tun", "devices can be made"),
        Ok(()) => ("refused: it takes CAP_NET_ADMIN".to_owned(), "run as root"),
        Err(refusal) if refusal.is_denied => {
            (format!("/dev/net/tun: {}", refusal.why), "run as root")
        }
        Err(refusal) => (
            format!("/dev/net/tun: {}", refusal.why),
            "modprobe tun; in a container, give it the device /dev/net/tun",
        ),
    };
    Check::new("tun", found).with(Role::Lab, State::Missing, "no links between hosts", remedy)
}

pub(super) fn real_time(facts: &Facts) -> Check {
    if facts.capabilities >> CAP_SYS_NICE & 1 == 1 {
        return Check::new("real_time", "threads may be SCHED_FIFO");
    }
    Check::new("real_time", "refused: it takes CAP_SYS_NICE").with(
        Role::Lab,
        State::Degraded,
        "links of the lab are late when the machine is busy, and say by how much",
        "run as root",
    )
}
