//! Machines as files, and this one.

use super::*;
use std::os::unix::fs::symlink;

/// A root with these files.
fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

/// A socket with two cores of two threads, and one with none of its threads known.
const TOPOLOGY: &[(&str, &str)] = &[
    ("sys/devices/system/cpu/online", "0-4\n"),
    ("sys/devices/system/cpu/cpu0/topology/core_cpus_list", "0,2\n"),
    ("sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1,3\n"),
    ("sys/devices/system/cpu/cpu2/topology/core_cpus_list", "0,2\n"),
    ("sys/devices/system/node/node0/cpulist", "0-3\n"),
    ("sys/devices/system/node/node1/cpulist", "4\n"),
];

#[test]
fn cores_and_their_nodes() {
    let root = root(TOPOLOGY);
    let machine = Machine::read_below(root.path(), None).unwrap();
    let core =
        |number, node, siblings: &[usize]| Core { number, node, siblings: siblings.to_vec() };
    let expected = [
        core(0, 0, &[0, 2]),
        core(1, 0, &[1, 3]),
        core(2, 0, &[0, 2]),
        core(3, 0, &[3]),
        core(4, 1, &[4]),
    ];
    assert_eq!(machine.cores, expected);
    assert_eq!(machine.devices, []);
}

#[test]
fn a_virtual_machines_device() {
    let pci = "sys/devices/pci0000:00/0000:00:03.0";
    let root = root(&[
        (&format!("{pci}/numa_node"), "-1\n"),
        (&format!("{pci}/msi_irqs/38"), "msix\n"),
        (&format!("{pci}/virtio2/net/eth0/operstate"), "up\n"),
        (&format!("{pci}/virtio2/net/eth0/queues/rx-0/rps_cpus"), "00000000,00000003\n"),
        (&format!("{pci}/virtio2/net/eth0/queues/rx-1/rps_cpus"), "0\n"),
        (&format!("{pci}/virtio2/net/eth0/queues/tx-0/xps_cpus"), "2\n"),
        ("proc/irq/38/smp_affinity_list", "0-1\n"),
        ("proc/irq/38/effective_affinity_list", "1\n"),
        ("proc/sys/net/core/rps_sock_flow_entries", "4096\n"),
        (
            "proc/interrupts",
            " 37:  0  0 PCI-MSIX-0000:00:03.0   0-edge      virtio2-config\n \
             38:  0  9 PCI-MSIX-0000:00:03.0   1-edge      virtio2-input.0\n \
             39:  0  9 PCI-MSIX-0000:00:03.0   2-edge      virtio2-output.0\n \
             40:  0  9 PCI-MSIX-0000:00:05.0   1-edge      virtio21-input.1\n",
        ),
    ]);
    let net = root.path().join("sys/class/net");
    fs::create_dir_all(&net).unwrap();
    let place = root.path().join(pci).join("virtio2");
    symlink(place.join("net/eth0"), net.join("eth0")).unwrap();
    symlink(&place, place.join("net/eth0/device")).unwrap();
    fs::create_dir(net.join("lo")).unwrap();
    let machine = Machine::read_below(root.path(), None).unwrap();
    let interrupt = Interrupt {
        number: 38,
        name: "virtio2-input.0".to_owned(),
        allowed: vec![0, 1],
        effective: vec![1],
    };
    let expected = Device {
        name: "eth0".to_owned(),
        node: None,
        receive: vec![
            ReceiveQueue { interrupt: Some(interrupt), rps: vec![0, 1] },
            ReceiveQueue::default(),
        ],
        transmit: vec![TransmitQueue { xps: vec![1] }],
        channels_max: None,
    };
    assert_eq!(machine.devices, [expected], "lo has no hardware");
    assert_eq!(machine.flows, 4096);
    let lo = Machine::read_below(root.path(), Some("lo")).unwrap();
    assert_eq!(lo.devices[0].name, "lo", "unless it is asked for");
    for name in ["eth1", "", "../net/eth0"] {
        let error = Machine::read_below(root.path(), Some(name)).unwrap_err();
        assert!(error.to_string().ends_with("there are: eth0, lo"), "{error}");
    }
}

#[test]
fn the_busiest_device_that_is_up_comes_first() {
    let mut files = Vec::new();
    for (name, state, queues) in [("a", "down", 8), ("b", "up", 1), ("c", "up", 4)] {
        files.push((format!("sys/class/net/{name}/operstate"), state));
        files.push((format!("sys/class/net/{name}/device/numa_node"), "1"));
        files.extend(
            (0..queues).map(|at| (format!("sys/class/net/{name}/queues/rx-{at}/rps_cpus"), "0")),
        );
    }
    let files: Vec<_> = files.iter().map(|(path, text)| (&**path, *text)).collect();
    let root = root(&files);
    let machine = Machine::read_below(root.path(), None).unwrap();
    let found: Vec<_> = machine.devices.iter().map(|it| (&*it.name, it.node)).collect();
    assert_eq!(found, [("c", Some(1)), ("b", Some(1)), ("a", Some(1))]);
}

#[test]
fn interrupts_without_the_devices_name_are_found_by_the_bus() {
    let root = root(&[
        ("sys/class/net/eth7/device/msi_irqs/50", "msix\n"),
        ("sys/class/net/eth7/device/msi_irqs/51", "msix\n"),
        ("sys/class/net/eth7/queues/rx-0/rps_cpus", "0\n"),
        ("sys/class/net/eth7/queues/rx-1/rps_cpus", "0\n"),
        (
            "proc/interrupts",
            " 50: 1 PCI-MSI 1-edge mlx5_async0@pci:0000:5e:00.0\n \
             51: 1 PCI-MSI 2-edge mlx5_comp1@pci:0000:5e:00.0\n \
             52: 1 PCI-MSI 2-edge mlx5_comp0@pci:0000:5f:00.0\n",
        ),
    ]);
    let machine = Machine::read_below(root.path(), None).unwrap();
    let numbers: Vec<_> = machine.devices[0]
        .receive
        .iter()
        .map(|it| it.interrupt.as_ref().map(|it| it.number))
        .collect();
    assert_eq!(numbers, [None, Some(51)], "52 is another function's");
}

#[test]
fn this_machine() {
    let machine = Machine::read(None).unwrap();
    let numbers: Vec<_> = machine.cores.iter().map(|core| core.number).collect();
    let allowed = crate::cpu::Cores::allowed().unwrap();
    assert!(allowed.numbers().iter().all(|core| numbers.contains(core)), "{numbers:?}");
    assert!(machine.cores.iter().all(|core| core.siblings.contains(&core.number)), "{machine:?}");
    let found = super::super::audit(&machine, allowed.numbers(), allowed.numbers());
    let queues: usize = machine.devices.iter().map(|device| device.receive.len()).sum();
    assert_eq!(found.rows.len(), queues);
}
