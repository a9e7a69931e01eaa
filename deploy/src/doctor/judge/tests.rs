//! Machines that lack one thing each, and what that means.

use super::*;
use crate::doctor::check::{Role, State, verdict};
use crate::doctor::facts::Refusal;
use crate::doctor::ports::Port;
use lastmile_tuning::clock::Discipline;
use std::time::Duration;

/// A machine that lacks nothing.
fn good() -> Facts {
    Facts {
        kernel: "6.18.0".into(),
        rings: vec![("edge's", Ok(())), ("plain", Ok(()))],
        io_uring_disabled: Some(0),
        capabilities: u64::MAX,
        bpf: Ok(()),
        tun: Ok(()),
        namespace: Ok(()),
        congestion: ("cubic".into(), vec!["cubic".into(), "bbr".into()]),
        cgroup: Some("/sys/fs/cgroup".into()),
        quota_cores: None,
        cores: 8,
        files: (Some(1024), Some(1 << 20)),
        locked: (Some(65_536), None),
        ports: vec![port(None)],
        unprivileged_port_start: 1024,
        clock: Some(Discipline { is_synchronised: true, error_max: Duration::from_millis(3) }),
        clock_source: "tsc".into(),
        memory: (16 << 30, 8 << 30),
        huge_pages: ("madvise".into(), 0),
    }
}

fn port(refusal: Option<&str>) -> Port {
    Port {
        number: 5353,
        protocol: "udp",
        role: Role::Gslb,
        flag: "--listen",
        refusal: refusal.map(str::to_owned),
    }
}

fn refused(is_denied: bool) -> Result<(), Refusal> {
    Err(Refusal { why: "no".into(), is_denied })
}

#[test]
fn a_good_machine_lacks_nothing() {
    let checks = judge(&good(), None);
    assert!(checks.iter().all(|check| check.effects.is_empty()), "{checks:#?}");
    assert!(Role::ALL.iter().all(|role| verdict(&checks, *role) == State::Ok));
}

/// What is changed on a good machine; the roles that lack something then; a word of a remedy.
type Lack = (fn(&mut Facts), &'static [(Role, State)], &'static str);

const LACKS: &[Lack] = &[
    (
        |it| it.kernel = "3.8.0".into(),
        &[(Role::Edge, State::Missing), (Role::Gslb, State::Missing)],
        "newer kernel",
    ),
    (|it| it.kernel = "3.10.0-1160.el7".into(), &[(Role::Edge, State::Missing)], "newer kernel"),
    (|it| it.rings[0].1 = refused(false), &[(Role::Edge, State::Degraded)], "6.1"),
    (|it| it.rings[0].1 = refused(true), &[(Role::Edge, State::Degraded)], "seccomp"),
    (
        |it| {
            it.rings = vec![("edge's", refused(true)), ("plain", refused(true))];
            it.io_uring_disabled = Some(2);
        },
        &[(Role::Edge, State::Degraded)],
        "kernel.io_uring_disabled=0",
    ),
    (
        |it| {
            it.rings[0].1 = refused(true);
            it.io_uring_disabled = Some(1);
        },
        &[(Role::Edge, State::Degraded)],
        "io_uring_group",
    ),
    (
        |it| it.bpf = refused(true),
        &[(Role::Edge, State::Degraded), (Role::Lab, State::Degraded)],
        "CAP_BPF",
    ),
    (
        |it| it.bpf = refused(false),
        &[(Role::Edge, State::Degraded), (Role::Lab, State::Degraded)],
        "5.15",
    ),
    (|it| it.cgroup = None, &[(Role::Edge, State::Degraded)], "mount -t cgroup2"),
    (
        |it| it.congestion.1.truncate(1),
        &[(Role::Edge, State::Degraded), (Role::Lab, State::Degraded)],
        "modprobe tcp_bbr",
    ),
    (|it| it.namespace = refused(true), &[(Role::Lab, State::Missing)], "run as root"),
    (|it| it.tun = refused(true), &[(Role::Lab, State::Missing)], "run as root"),
    (|it| it.tun = refused(false), &[(Role::Lab, State::Missing)], "modprobe tun"),
    (|it| it.capabilities &= !(1 << 12), &[(Role::Lab, State::Missing)], "run as root"),
    (|it| it.capabilities &= !(1 << 23), &[(Role::Lab, State::Degraded)], "run as root"),
    (
        |it| it.capabilities &= !(1 << 10),
        &[
            (Role::Edge, State::Degraded),
            (Role::Origin, State::Degraded),
            (Role::Gslb, State::Degraded),
        ],
        "ip_unprivileged_port_start",
    ),
    (
        |it| {
            it.capabilities &= !(1 << 10);
            it.unprivileged_port_start = 80;
        },
        &[(Role::Gslb, State::Degraded)],
        "ip_unprivileged_port_start",
    ),
    (|it| it.files.1 = Some(4096), &[(Role::Edge, State::Degraded)], "LimitNOFILE"),
    (
        |it| it.files.1 = Some(20),
        &[
            (Role::Edge, State::Missing),
            (Role::Origin, State::Missing),
            (Role::Gslb, State::Missing),
        ],
        "LimitNOFILE",
    ),
    (|it| it.kernel = "5.10.0".into(), &[(Role::Edge, State::Degraded)], "ulimit -l"),
    (|it| it.ports = vec![port(Some("in use"))], &[(Role::Gslb, State::Degraded)], "--listen"),
    (
        |it| it.clock = None,
        &[(Role::Edge, State::Degraded), (Role::Gslb, State::Degraded)],
        "chrony",
    ),
    (
        |it| it.clock = it.clock.map(|clock| Discipline { is_synchronised: false, ..clock }),
        &[(Role::Edge, State::Degraded), (Role::Gslb, State::Degraded)],
        "chrony",
    ),
    (
        |it| it.clock_source = "hpet".into(),
        &[(Role::Edge, State::Degraded), (Role::Lab, State::Degraded)],
        "available_clocksource",
    ),
    (
        |it| it.quota_cores = Some(1.5),
        &[(Role::Edge, State::Degraded), (Role::Gslb, State::Degraded)],
        "--cores",
    ),
    (|it| it.cores = 1, &[(Role::Lab, State::Degraded)], "second core"),
    (|it| it.memory.1 = 100 << 20, &[(Role::Edge, State::Degraded)], "--ram"),
];

#[test]
fn what_each_lack_means() {
    for (at, (change, expected, word)) in LACKS.iter().enumerate() {
        let mut facts = good();
        change(&mut facts);
        let checks = judge(&facts, None);
        let lacking: Vec<_> = Role::ALL
            .into_iter()
            .map(|role| (role, verdict(&checks, role)))
            .filter(|(_, state)| *state != State::Ok)
            .collect();
        assert_eq!(&lacking[..], *expected, "row {at} ({word}): {checks:#?}");
        let mut remedies = checks.iter().flat_map(|check| &check.effects);
        assert!(remedies.any(|effect| effect.remedy.contains(word)), "row {at}: {word}");
    }
}

#[test]
fn what_is_well_in_spite_of_its_looks() {
    let changes: [fn(&mut Facts); 5] = [
        |it| it.quota_cores = Some(8.0),
        |it| it.locked = (Some(0), Some(0)),
        |it| it.files = (None, None),
        |it| it.clock_source.clear(),
        |it| it.kernel = "unknown".into(),
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut facts = good();
        change(&mut facts);
        let checks = judge(&facts, None);
        assert!(checks.iter().all(|check| check.effects.is_empty()), "{at}: {checks:#?}");
    }
}
