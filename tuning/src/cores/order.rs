//! The order in which workers take cores (pure).

use super::{Device, Machine};
use std::cmp::Reverse;

/// `allowed`, the best core for a worker first: cores on the NUMA node of the machine's first device, then the others;
/// among them one thread of each physical core, then its siblings; among them those that the device interrupts, by
/// receive queue; then by number. Each of `allowed` is in it once, also one that the machine does not know.
#[must_use]
pub fn order(machine: &Machine, allowed: &[usize]) -> Vec<usize> {
    order_near(machine, machine.devices.first(), allowed)
}

/// The same for the device that is given.
pub(super) fn order_near(
    machine: &Machine,
    device: Option<&Device>,
    allowed: &[usize],
) -> Vec<usize> {
    let interrupted = device.map(Device::interrupted_cores).unwrap_or_default();
    // On which place among the interrupted ones a core is; beyond all of them when it is none.
    let place = |core: usize| interrupted.iter().position(|&it| it == core).unwrap_or(usize::MAX);
    let is_near = |core: usize| {
        let (node, core) = (device.and_then(|device| device.node), machine.node(core));
        node.is_none() || core.is_none() || node == core
    };
    let mut cores = allowed.to_vec();
    cores.sort_unstable();
    cores.dedup();
    cores.sort_by_key(|&core| (place(core), core));
    // The first of the threads of a physical core that comes is its worker's, and any after it are siblings.
    let is_first: Vec<bool> = (0..cores.len())
        .map(|at| !cores[..at].iter().any(|&before| machine.are_siblings(before, cores[at])))
        .collect();
    let mut ranked: Vec<_> = cores.into_iter().zip(is_first).collect();
    // Stable: what is equal stays in the order of interrupts and numbers.
    ranked.sort_by_key(|&(core, is_first)| (Reverse(is_near(core)), Reverse(is_first)));
    ranked.into_iter().map(|(core, _)| core).collect()
}

#[cfg(test)]
mod tests {
    use super::super::machines::{Nic, machine};
    use super::*;

    #[test]
    fn near_first_then_physical_then_interrupted() {
        let all = |count: usize| (0..count).collect::<Vec<_>>();
        // Two sockets with 4 physical cores each, two threads in each: 0-3 and 8-11, 4-7 and 12-15.
        let socket = |queues: &[usize]| machine(2, 4, &[Nic::new("eth0", 1, queues)]);
        for (machine, allowed, expected, why) in [
            (
                socket(&[]),
                all(16),
                vec![4, 5, 6, 7, 12, 13, 14, 15, 0, 1, 2, 3, 8, 9, 10, 11],
                "node 1 first, in it and in node 0 first threads first",
            ),
            (
                socket(&[6, 5]),
                all(16),
                vec![6, 5, 4, 7, 12, 13, 14, 15, 0, 1, 2, 3, 8, 9, 10, 11],
                "by receive queue first",
            ),
            (
                socket(&[13]),
                all(16),
                vec![13, 4, 6, 7, 5, 12, 14, 15, 0, 1, 2, 3, 8, 9, 10, 11],
                "the thread that is interrupted stands for its physical core",
            ),
            (
                socket(&[1]),
                all(16),
                vec![4, 5, 6, 7, 12, 13, 14, 15, 1, 0, 2, 3, 8, 9, 10, 11],
                "an interrupt on the far node does not make it near",
            ),
            (socket(&[6]), vec![12, 6, 0, 14], vec![6, 12, 14, 0], "only those that are allowed"),
            (socket(&[]), vec![14, 12, 4], vec![4, 14, 12], "14 is alone on its physical core"),
            (Machine::default(), vec![3, 0, 3, 1], vec![0, 1, 3], "nothing is known: by number"),
            (machine(1, 2, &[]), all(4), vec![0, 1, 2, 3], "no device"),
        ] {
            assert_eq!(order(&machine, &allowed), expected, "{why}");
        }
    }

    #[test]
    fn every_allowed_core_is_there_once() {
        let machine = machine(2, 32, &[Nic::new("eth0", 0, &[3, 3, 70, 41])]);
        let allowed: Vec<_> = (0..140).filter(|core| core % 3 != 0).collect();
        let mut cores = order(&machine, &allowed);
        cores.sort_unstable();
        assert_eq!(cores, allowed);
    }
}
