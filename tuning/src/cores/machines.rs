//! Machines for tests: sockets, physical cores with two threads each, and devices.

use super::{Core, Device, Interrupt, Machine, ReceiveQueue, TransmitQueue};

/// A device to be.
pub(super) struct Nic {
    name: &'static str,
    node: usize,
    /// The core of each receive queue's interrupt.
    queues: Vec<usize>,
}

impl Nic {
    pub(super) fn new(name: &'static str, node: usize, queues: &[usize]) -> Self {
        Self { name, node, queues: queues.to_vec() }
    }

    fn device(&self) -> Device {
        let receive = |(queue, &core): (usize, &usize)| ReceiveQueue {
            interrupt: Some(Interrupt {
                number: u32::try_from(100 + queue).unwrap(),
                name: format!("{}-TxRx-{queue}", self.name),
                allowed: vec![core],
                effective: vec![core],
            }),
            rps: Vec::new(),
        };
        Device {
            name: self.name.to_owned(),
            node: Some(self.node),
            receive: self.queues.iter().enumerate().map(receive).collect(),
            // What drivers do: the core that is interrupted by a queue sends on it.
            transmit: self.queues.iter().map(|&core| TransmitQueue { xps: vec![core] }).collect(),
            channels_max: Some(64),
        }
    }
}

/// A machine of `sockets` nodes with `physical` cores each; the second threads are numbered after all first ones, as on
/// most servers.
pub(super) fn machine(sockets: usize, physical: usize, nics: &[Nic]) -> Machine {
    let total = sockets * physical;
    let core = |number: usize| Core {
        number,
        node: number % total / physical,
        siblings: vec![number % total, number % total + total],
    };
    Machine {
        cores: (0..2 * total).map(core).collect(),
        devices: nics.iter().map(Nic::device).collect(),
        flows: 0,
    }
}
