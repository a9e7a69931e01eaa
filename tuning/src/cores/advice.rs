//! Where each interrupt should go, and the commands that mend what is misaligned (pure).

use super::list::mask;
use super::order::order_near;
use super::{Device, Machine};

/// Flows that receive flow steering keeps: what scaling.rst suggests for a server of moderate load (256 KiB).
const FLOWS: u32 = 32_768;

/// The cores among `workers` that should take the packets of `device`, the best first: those on its node, or all when
/// there is none.
pub(super) fn near_workers(machine: &Machine, device: &Device, workers: &[usize]) -> Vec<usize> {
    let ordered = order_near(machine, Some(device), workers);
    let near = |core: &usize| device.node.is_none() || machine.node(*core) == device.node;
    let found: Vec<_> = ordered.iter().copied().filter(near).collect();
    if found.is_empty() { ordered } else { found }
}

/// For each receive queue of `device` the core that its interrupt should go to; nothing without workers. Queues stay
/// where they are as long as they are with a near worker and no core has more than its share.
pub(super) fn assignment(machine: &Machine, device: &Device, workers: &[usize]) -> Vec<usize> {
    let candidates = near_workers(machine, device, workers);
    let Some(&first) = candidates.first() else { return Vec::new() };
    let share = device.receive.len().div_ceil(candidates.len());
    let mut loads = vec![0; candidates.len()];
    let kept: Vec<Option<usize>> = device
        .receive
        .iter()
        .map(|queue| {
            let [core] = queue.interrupt.as_ref()?.cores() else { return None };
            let at = candidates.iter().position(|it| it == core)?;
            (loads[at] < share).then(|| {
                loads[at] += 1;
                *core
            })
        })
        .collect();
    kept.into_iter()
        .map(|kept| {
            kept.unwrap_or_else(|| {
                // The first of those with the fewest.
                let least = (0..candidates.len()).min_by_key(|&at| loads[at]);
                least.map_or(first, |at| {
                    loads[at] += 1;
                    candidates[at]
                })
            })
        })
        .collect()
}

/// Commands that bring each interrupt of `device` to its place, and keep it there.
pub(super) fn move_interrupts(device: &Device, to: &[usize], are_pinned: bool) -> Vec<String> {
    let moves = device.receive.iter().zip(to).filter_map(|(queue, to)| {
        let interrupt = queue.interrupt.as_ref()?;
        let cores = if are_pinned { &*interrupt.allowed } else { interrupt.cores() };
        let command = || format!("echo {to} > /proc/irq/{}/smp_affinity_list", interrupt.number);
        (cores != [*to]).then(command)
    });
    moves.collect()
}

/// Commands that turn receive packet steering on for `cores`, and with it receive flow steering, so that a packet goes
/// to the core whose worker reads it; for no cores, commands that turn it off.
pub(super) fn steer(machine: &Machine, device: &Device, cores: &[usize]) -> Vec<String> {
    let queues = || 0..device.receive.len();
    let queue = |at: usize| format!("/sys/class/net/{}/queues/rx-{at}", device.name);
    let maps = queues().map(|at| format!("echo {} > {}/rps_cpus", mask(cores), queue(at)));
    let mut commands: Vec<_> = maps.collect();
    if !cores.is_empty() && machine.flows == 0 {
        commands.extend(steer_flows(device));
    }
    commands
}

/// Commands that turn receive flow steering on.
pub(super) fn steer_flows(device: &Device) -> Vec<String> {
    let each = FLOWS / u32::try_from(device.receive.len().max(1)).unwrap_or(FLOWS);
    let queues = (0..device.receive.len()).map(|at| {
        format!("echo {each} > /sys/class/net/{}/queues/rx-{at}/rps_flow_cnt", device.name)
    });
    [format!("sysctl -w net.core.rps_sock_flow_entries={FLOWS}")]
        .into_iter()
        .chain(queues)
        .collect()
}

/// Commands that let the core of each receive queue send on the transmit queue of the same number.
pub(super) fn send_where_received(device: &Device, to: &[usize]) -> Vec<String> {
    let command = |(at, core): (usize, &usize)| {
        format!("echo {} > /sys/class/net/{}/queues/tx-{at}/xps_cpus", mask(&[*core]), device.name)
    };
    to.iter().take(device.transmit.len()).enumerate().map(command).collect()
}

#[cfg(test)]
mod tests {
    use super::super::machines::{Nic, machine};
    use super::*;

    #[test]
    fn interrupts_go_to_near_workers_and_stay_where_they_are_well() {
        for (queues, workers, expected, why) in [
            (&[4, 5][..], &[4, 5][..], &[4, 5][..], "as it should be"),
            (&[5, 4], &[4, 5], &[5, 4], "any way round"),
            (&[4, 4], &[4, 5], &[4, 5], "one of two on one core moves"),
            (&[0, 1], &[4, 5], &[4, 5], "both from the far node"),
            (&[0, 5], &[4, 5, 6], &[4, 5], "the one that moves takes the first free core"),
            (&[4, 5, 6, 7], &[4, 5], &[4, 5, 4, 5], "two for each worker"),
            (&[4, 4, 4, 4], &[4, 5], &[4, 4, 5, 5], "no more than its share"),
            (&[4], &[0, 1], &[0], "no worker is near: the far ones are better than none"),
            (&[4], &[], &[], "no workers"),
        ] {
            let machine = machine(2, 4, &[Nic::new("eth0", 1, queues)]);
            let found = assignment(&machine, &machine.devices[0], workers);
            assert_eq!(found, expected, "{why}");
        }
    }

    #[test]
    fn commands() {
        let machine = machine(1, 4, &[Nic::new("eth0", 0, &[1, 2])]);
        let device = &machine.devices[0];
        let moves = move_interrupts(device, &[1, 3], false);
        assert_eq!(moves, ["echo 3 > /proc/irq/101/smp_affinity_list"]);
        let on = steer(&machine, device, &[0, 1, 2, 3]);
        assert_eq!(on[0], "echo f > /sys/class/net/eth0/queues/rx-0/rps_cpus");
        assert_eq!(on[2], "sysctl -w net.core.rps_sock_flow_entries=32768");
        assert_eq!(on[4], "echo 16384 > /sys/class/net/eth0/queues/rx-1/rps_flow_cnt");
        let off = steer(&machine, device, &[]);
        assert_eq!(off[1], "echo 0 > /sys/class/net/eth0/queues/rx-1/rps_cpus");
        assert_eq!(off.len(), 2, "flow steering needs no cores");
        let sending = send_where_received(device, &[1, 3]);
        assert_eq!(sending[1], "echo 8 > /sys/class/net/eth0/queues/tx-1/xps_cpus");
    }
}
