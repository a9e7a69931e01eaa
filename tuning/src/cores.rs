//! Who handles a packet: receive queue -> interrupt -> core -> worker, and whether these fit together.
//!
//! A packet is cheapest when the core that the device interrupts is the one whose worker has the connection, when that
//! core is on the device's NUMA node, and when it sends the answer on a queue of its own. [`Machine::read`] describes a
//! machine as it is, [`order`] says in which order workers should take its cores, [`audit`] shows each receive queue's
//! way and what is misaligned, with the commands that mend it. Only reading touches the system.
//!
//! * [`Machine`], [`Core`], [`Device`]: the description; `read` makes it from `/sys` and `/proc`.
//! * `interrupt`: which interrupt belongs to which queue; `list`: lists and masks of cores, as the kernel writes them.
//! * `order`: cores for workers. `audit`: rows; `finding`: what is misaligned in words; `advice`: where
//!   each interrupt should go.
//!
//! Source: `Documentation/networking/scaling.rst` and `Documentation/core-api/irq/irq-affinity.rst` of Linux.

mod advice;
mod audit;
mod finding;
mod interrupt;
mod list;
mod order;
mod read;

pub use audit::{Audit, Finding, Misalignment, Row, audit};
pub use list::in_words;
pub use order::order;

/// A machine, as far as the way of a packet goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its cores (hardware threads) that are online, by number.
    pub cores: Vec<Core>,
    /// Its network devices, those that workers should be near to first.
    pub devices: Vec<Device>,
    /// `net.core.rps_sock_flow_entries`: how many flows receive flow steering knows; 0 when it is off.
    pub flows: u32,
}

/// A core: one hardware thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// The number that the kernel gave it.
    pub number: usize,
    /// Its NUMA node; 0 on a machine without any.
    pub node: usize,
    /// The threads of the same physical core, itself among them, ascending.
    pub siblings: Vec<usize>,
}

/// A network device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Such as `eth0`.
    pub name: String,
    /// The NUMA node that it is connected to, where that is known.
    pub node: Option<usize>,
    /// Its receive queues, by number.
    pub receive: Vec<ReceiveQueue>,
    /// Its transmit queues, by number.
    pub transmit: Vec<TransmitQueue>,
    /// How many combined channels it can have at most, where its driver says so.
    pub channels_max: Option<usize>,
}

/// A receive queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiveQueue {
    /// What its device interrupts with, where that is known.
    pub interrupt: Option<Interrupt>,
    /// Receive packet steering: the cores that go on with its packets; empty when it is off.
    pub rps: Vec<usize>,
}

/// A transmit queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransmitQueue {
    /// Transmit packet steering: the cores that send on it; empty when any may.
    pub xps: Vec<usize>,
}

/// An interrupt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interrupt {
    /// Its number in `/proc/interrupts`.
    pub number: u32,
    /// Its name there, such as `mlx5_comp3@pci:0000:5e:00.0`.
    pub name: String,
    /// The cores that may handle it (`smp_affinity_list`).
    pub allowed: Vec<usize>,
    /// Those of them that do (`effective_affinity_list`); one on most machines.
    pub effective: Vec<usize>,
}

impl Interrupt {
    /// The cores that handle it, as far as that is known.
    #[must_use]
    pub fn cores(&self) -> &[usize] {
        if self.effective.is_empty() { &self.allowed } else { &self.effective }
    }
}

impl Device {
    /// The cores that its interrupts are handled by, by receive queue, each once.
    #[must_use]
    pub fn interrupted_cores(&self) -> Vec<usize> {
        let mut cores = Vec::new();
        for interrupt in self.receive.iter().filter_map(|queue| queue.interrupt.as_ref()) {
            for core in interrupt.cores() {
                if !cores.contains(core) {
                    cores.push(*core);
                }
            }
        }
        cores
    }
}

impl Machine {
    /// The same as settings have it, without what the kernel makes of them for now: an interrupt is on all cores that
    /// it may go to.
    #[must_use]
    pub fn as_set(mut self) -> Self {
        let queues = self.devices.iter_mut().flat_map(|device| &mut device.receive);
        for interrupt in queues.filter_map(|queue| queue.interrupt.as_mut()) {
            interrupt.effective.clear();
        }
        self
    }

    /// The core of this number.
    #[must_use]
    pub fn core(&self, number: usize) -> Option<&Core> {
        self.cores.iter().find(|core| core.number == number)
    }

    /// The NUMA node of a core.
    fn node(&self, core: usize) -> Option<usize> {
        self.core(core).map(|core| core.node)
    }

    /// Whether two cores are threads of one physical core.
    fn are_siblings(&self, one: usize, other: usize) -> bool {
        one != other && self.core(one).is_some_and(|core| core.siblings.contains(&other))
    }
}

#[cfg(test)]
mod machines;
