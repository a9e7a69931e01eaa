//! Each receive queue's way to a worker, and what is misaligned on it (pure). `finding` says it in words.

use super::advice::near_workers;
use super::finding::{of_interrupts, of_queues, of_steering, of_workers};
use super::{Device, Machine, ReceiveQueue};
use std::fmt;

/// What does not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Misalignment {
    /// A queue's interrupt is not known: a virtual device, or a driver that names them in its own way.
    UnknownInterrupt,
    /// An interrupt is handled by a core of another NUMA node than the device's.
    FarInterrupt,
    /// Several interrupts share a core, while a worker's core has none.
    CrowdedCore,
    /// Packets arrive on a core that has no worker, so that each wakes another core.
    NoWorker,
    /// Any of several cores may handle an interrupt, now or after irqbalance has moved it.
    Unpinned,
    /// Fewer queues than workers, and nothing spreads the packets of one queue.
    FewQueues,
    /// More queues than workers.
    ManyQueues,
    /// Receive packet steering although each worker has its queue: packets change cores for nothing.
    NeedlessSteering,
    /// Receive packet steering to cores without a worker, or of another NUMA node.
    StraySteering,
    /// Receive packet steering by hash only: not to the core whose worker reads.
    NoFlowSteering,
    /// Cores send on queues other than those that they receive on.
    SendsElsewhere,
    /// Workers on another NUMA node than the device, while its own has free cores.
    FarWorkers,
    /// Two workers on threads of one physical core, while another one is free.
    SharedCore,
}

impl Misalignment {
    /// A short name, such as `far-interrupt`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownInterrupt => "unknown-interrupt",
            Self::FarInterrupt => "far-interrupt",
            Self::CrowdedCore => "crowded-core",
            Self::NoWorker => "no-worker",
            Self::Unpinned => "unpinned",
            Self::FewQueues => "few-queues",
            Self::ManyQueues => "many-queues",
            Self::NeedlessSteering => "needless-steering",
            Self::StraySteering => "stray-steering",
            Self::NoFlowSteering => "no-flow-steering",
            Self::SendsElsewhere => "sends-elsewhere",
            Self::FarWorkers => "far-workers",
            Self::SharedCore => "shared-core",
        }
    }
}

impl fmt::Display for Misalignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The way of the packets of one receive queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The device's name.
    pub device: String,
    /// The queue's number.
    pub queue: usize,
    /// The interrupt's number and name.
    pub interrupt: Option<(u32, String)>,
    /// The cores that handle the interrupt.
    pub cores: Vec<usize>,
    /// Their NUMA nodes.
    pub nodes: Vec<usize>,
    /// The cores that go on with the packets (RPS), if not those.
    pub rps: Vec<usize>,
    /// The workers where the packets come out, by their place among the workers.
    pub workers: Vec<usize>,
    /// The transmit queues that the interrupt's cores send on (XPS); empty when they may send on any.
    pub transmit: Vec<usize>,
    /// What is misaligned with this queue.
    pub misaligned: Vec<Misalignment>,
}

/// Something misaligned, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing it is.
    pub misalignment: Misalignment,
    /// The device it is about; `None` for what is about the workers.
    pub device: Option<String>,
    /// One sentence with the numbers of queues and cores.
    pub what: String,
    /// Commands that mend it, or words when there is none.
    pub how: Vec<String>,
}

/// What [`audit`] returns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// A row for each receive queue of each device.
    pub rows: Vec<Row>,
    /// What is misaligned, each kind once for a device.
    pub findings: Vec<Finding>,
}

/// Follows the packets of every receive queue of `machine` to `workers`, the cores of the workers in their order.
/// `allowed` are the cores that workers could be on.
#[must_use]
pub fn audit(machine: &Machine, workers: &[usize], allowed: &[usize]) -> Audit {
    let mut found = Audit::default();
    for device in &machine.devices {
        let rows: Vec<_> = (device.receive.iter().enumerate())
            .map(|(at, queue)| row(machine, device, workers, at, queue))
            .collect();
        found.findings.extend(of_interrupts(machine, device, workers, &rows));
        found.findings.extend(of_queues(machine, device, workers));
        found.findings.extend(of_steering(machine, device, workers, &rows));
        found.rows.extend(rows);
    }
    found.findings.extend(of_workers(machine, workers, allowed));
    found
}

fn row(
    machine: &Machine,
    device: &Device,
    workers: &[usize],
    at: usize,
    queue: &ReceiveQueue,
) -> Row {
    let cores = queue.interrupt.as_ref().map(|it| it.cores().to_vec()).unwrap_or_default();
    let comes_out = if queue.rps.is_empty() { &cores } else { &queue.rps };
    let sends =
        |(_, core): &(usize, &super::TransmitQueue)| cores.iter().any(|it| core.xps.contains(it));
    let mut nodes: Vec<_> = cores.iter().filter_map(|core| machine.node(*core)).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let mut row = Row {
        device: device.name.clone(),
        queue: at,
        interrupt: queue.interrupt.as_ref().map(|it| (it.number, it.name.clone())),
        nodes,
        rps: queue.rps.clone(),
        workers: places(workers, comes_out),
        transmit: device.transmit.iter().enumerate().filter(sends).map(|(at, _)| at).collect(),
        misaligned: Vec::new(),
        cores,
    };
    let faults = [
        (Misalignment::UnknownInterrupt, queue.interrupt.is_none()),
        (
            Misalignment::FarInterrupt,
            device.node.is_some_and(|it| row.nodes.iter().any(|at| *at != it)),
        ),
        (Misalignment::CrowdedCore, is_crowded(machine, device, workers, at)),
        (Misalignment::NoWorker, row.workers.is_empty() && !comes_out_nowhere(queue)),
        (Misalignment::Unpinned, queue.interrupt.as_ref().is_some_and(|it| it.allowed.len() > 1)),
        (
            Misalignment::NeedlessSteering,
            !queue.rps.is_empty() && has_queue_each(machine, device, workers),
        ),
        (Misalignment::StraySteering, is_stray(machine, device, workers, &queue.rps)),
        (Misalignment::NoFlowSteering, queue.rps.len() > 1 && machine.flows == 0),
        (Misalignment::SendsElsewhere, sends_elsewhere(device, &row)),
    ];
    row.misaligned = faults.into_iter().filter(|(_, is)| *is).map(|(fault, _)| fault).collect();
    row
}

/// Which of `workers` are on one of `cores`.
fn places(workers: &[usize], cores: &[usize]) -> Vec<usize> {
    (0..workers.len()).filter(|&at| cores.contains(&workers[at])).collect()
}

/// Neither an interrupt nor steering says where packets come out.
fn comes_out_nowhere(queue: &ReceiveQueue) -> bool {
    queue.rps.is_empty() && queue.interrupt.is_none()
}

/// The one core that takes the interrupt of a queue.
fn only_core(queue: &ReceiveQueue) -> Option<usize> {
    match queue.interrupt.as_ref()?.cores() {
        [core] => Some(*core),
        _ => None,
    }
}

fn is_crowded(machine: &Machine, device: &Device, workers: &[usize], at: usize) -> bool {
    let taken: Vec<_> = device.receive.iter().filter_map(only_core).collect();
    let Some(own) = only_core(&device.receive[at]) else { return false };
    let is_shared = taken.iter().filter(|&&core| core == own).count() > 1;
    is_shared && near_workers(machine, device, workers).iter().any(|core| !taken.contains(core))
}

/// Whether there are as many queues as workers that take packets of the device.
fn has_queue_each(machine: &Machine, device: &Device, workers: &[usize]) -> bool {
    device.receive.len() >= near_workers(machine, device, workers).len().max(1)
}

fn is_stray(machine: &Machine, device: &Device, workers: &[usize], rps: &[usize]) -> bool {
    let near = near_workers(machine, device, workers);
    rps.iter().any(|core| !near.contains(core))
}

/// With as many queues in both directions a core should send where it receives.
fn sends_elsewhere(device: &Device, row: &Row) -> bool {
    let pairs = device.transmit.len() == device.receive.len() && device.transmit.len() > 1;
    pairs && row.cores.len() == 1 && !row.transmit.is_empty() && !row.transmit.contains(&row.queue)
}

#[cfg(test)]
mod tests;
