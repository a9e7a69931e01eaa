//! Machines with something misaligned: what is found, and which commands are given.

use super::super::Interrupt;
use super::super::machines::{Nic, machine};
use super::*;

/// Two sockets of 32 physical cores, two threads each: node 0 is 0-31 and 64-95, node 1 is 32-63 and 96-127.
fn server(nics: &[Nic]) -> Machine {
    machine(2, 32, nics)
}

fn names(audit: &Audit) -> Vec<&'static str> {
    audit.findings.iter().map(|finding| finding.misalignment.name()).collect()
}

/// A machine with this NIC on node 1, workers on `workers`, any core allowed.
fn audited(queues: &[usize], workers: &[usize], change: impl FnOnce(&mut Machine)) -> Audit {
    let mut machine = server(&[Nic::new("eth0", 1, queues)]);
    change(&mut machine);
    let allowed: Vec<_> = (0..128).collect();
    audit(&machine, workers, &allowed)
}

#[test]
fn a_machine_that_fits() {
    let cores: Vec<_> = (32..64).collect();
    let found = audited(&cores, &cores, |_| {});
    assert_eq!(found.findings, [], "a queue, a core and a worker, 32 times");
    assert_eq!(found.rows.len(), 32);
    let row = &found.rows[5];
    assert_eq!((&*row.cores, &*row.nodes, &*row.workers), (&[37][..], &[1][..], &[5][..]));
    assert_eq!(row.transmit, [5]);
    assert_eq!(row.interrupt, Some((105, "eth0-TxRx-5".to_owned())));
}

#[test]
fn what_is_misaligned() {
    let near: Vec<_> = (32..36).collect();
    for (queues, workers, expected, command, why) in [
        (
            &[32, 33, 2, 35][..],
            &near[..],
            &["far-interrupt", "no-worker"][..],
            "echo 34 > /proc/irq/102/smp_affinity_list",
            "queue 2 is on node 0",
        ),
        (
            &[32, 33, 33, 35],
            &near,
            &["crowded-core"],
            "echo 34 > /proc/irq/102/smp_affinity_list",
            "33 has two, 34 none",
        ),
        (
            &[32, 33, 34, 40],
            &near,
            &["no-worker"],
            "echo 35 > /proc/irq/103/smp_affinity_list",
            "near, but nobody works there",
        ),
        (&[32, 33], &near, &["few-queues"], "ethtool -L eth0 combined 4", "two for four"),
        (
            &[32, 33, 34, 35, 32, 33],
            &near,
            &["many-queues"],
            "ethtool -L eth0 combined 4",
            "two workers have two queues: not crowded, no worker is without",
        ),
        (&[32, 33], &[32, 96, 33], &["few-queues", "shared-core"], "ethtool -L", "96 is 32's"),
        (
            &[32, 33],
            &[32, 3],
            &["many-queues", "no-worker", "far-workers"],
            "--cores 32-33",
            "a worker on node 0 is no near one",
        ),
        (
            &[1],
            &[1],
            &["far-interrupt", "far-workers"],
            "run workers on the device's node (--cores)",
            "interrupt and worker are together, in the wrong place",
        ),
    ] {
        let found = audited(queues, workers, |_| {});
        let mut expected = expected.to_vec();
        let mut names = names(&found);
        expected.sort_unstable();
        names.sort_unstable();
        assert_eq!(names, expected, "{why}: {found:#?}");
        let how = found.findings.iter().flat_map(|finding| &finding.how);
        assert!(how.clone().any(|it| it.starts_with(command)), "{why}: {found:#?}");
    }
}

#[test]
fn one_queue_that_cannot_be_more_is_spread_by_software() {
    let found = audited(&[32], &[32, 33, 34, 35], |machine| {
        machine.devices[0].channels_max = Some(1);
    });
    assert_eq!(names(&found), ["few-queues"]);
    let expected = [
        "echo f,00000000 > /sys/class/net/eth0/queues/rx-0/rps_cpus",
        "sysctl -w net.core.rps_sock_flow_entries=32768",
        "echo 32768 > /sys/class/net/eth0/queues/rx-0/rps_flow_cnt",
    ];
    assert_eq!(found.findings[0].how, expected);
    let found = audited(&[32], &[32, 33, 34, 35], |machine| {
        machine.devices[0].channels_max = Some(1);
        machine.devices[0].receive[0].rps = vec![32, 33, 34, 35];
        machine.flows = 32_768;
    });
    assert_eq!(found.findings, [], "that is done");
    assert_eq!(found.rows[0].workers, [0, 1, 2, 3]);
}

#[test]
fn steering_by_software() {
    let cores: Vec<_> = (32..36).collect();
    for (queues, rps, flows, expected, command, why) in [
        (
            &cores[..],
            &[32, 33, 34, 35][..],
            0,
            "needless-steering",
            "echo 0 > /sys/class/net/eth0/queues/rx-0/rps_cpus",
            "a queue for each worker",
        ),
        (
            &[32, 33],
            &[0, 1],
            1,
            "stray-steering",
            "echo f,00000000 > /sys/class/net/eth0/queues/rx-0/rps_cpus",
            "to node 0, where nobody works",
        ),
        (
            &[32, 33],
            &[32, 33, 34, 35],
            0,
            "no-flow-steering",
            "echo 16384 > /sys/class/net/eth0/queues/rx-1/rps_flow_cnt",
            "by hash only",
        ),
    ] {
        let found = audited(queues, &cores, |machine| {
            machine.flows = flows;
            for queue in &mut machine.devices[0].receive {
                queue.rps = rps.to_vec();
            }
        });
        assert!(names(&found).contains(&expected), "{why}: {found:#?}");
        let how = found.findings.iter().flat_map(|finding| &finding.how);
        assert!(how.clone().any(|it| it == command), "{why}: {found:#?}");
    }
}

#[test]
fn sending_on_another_queue() {
    let cores = [32, 33];
    let found = audited(&cores, &cores, |machine| {
        machine.devices[0].transmit[0].xps = vec![33];
        machine.devices[0].transmit[1].xps = vec![32];
    });
    assert_eq!(names(&found), ["sends-elsewhere"]);
    let command = "echo 1,00000000 > /sys/class/net/eth0/queues/tx-0/xps_cpus";
    assert_eq!(found.findings[0].how[0], command);
    let found = audited(&cores, &cores, |machine| {
        for queue in &mut machine.devices[0].transmit {
            queue.xps.clear();
        }
    });
    assert_eq!(found.findings, [], "any may send on any: the kernel hashes");
}

#[test]
fn an_interrupt_that_may_move_and_one_that_is_unknown() {
    let found = audited(&[32, 33], &[32, 33], |machine| {
        let interrupt = machine.devices[0].receive[1].interrupt.as_mut().unwrap();
        interrupt.allowed = (0..128).collect();
    });
    assert_eq!(names(&found), ["unpinned"]);
    assert_eq!(found.findings[0].how, ["echo 33 > /proc/irq/101/smp_affinity_list"]);
    let found = audited(&[32, 33], &[32, 33], |machine| {
        for queue in &mut machine.devices[0].receive {
            queue.interrupt = None;
        }
    });
    assert_eq!(names(&found), ["unknown-interrupt"], "nothing else is concluded from it");
    let shared =
        Interrupt { number: 7, name: "eth0".into(), allowed: vec![1, 2], effective: vec![] };
    assert_eq!(shared.cores(), [1, 2], "any of them, as far as is known");
}

#[test]
fn nothing_at_all() {
    assert_eq!(audit(&Machine::default(), &[], &[]), Audit::default());
    let found = audit(&server(&[Nic::new("eth0", 0, &[1])]), &[], &[0, 1]);
    assert_eq!(names(&found), ["no-worker"]);
    let devices_without_queues = server(&[Nic::new("eth0", 0, &[])]);
    assert_eq!(audit(&devices_without_queues, &[0, 1], &[0, 1]), Audit::default());
}
