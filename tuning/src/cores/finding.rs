//! What is misaligned in words, and the commands that mend it (pure).

use super::advice::{
    assignment, move_interrupts, near_workers, send_where_received, steer, steer_flows,
};
use super::audit::{Finding, Misalignment, Row};
use super::list::in_words;
use super::{Device, Machine, order};

/// The queues of `rows` with this fault, such as `queues 0-3`; `None` without any.
fn with(rows: &[Row], fault: Misalignment) -> Option<String> {
    let queues: Vec<_> =
        rows.iter().filter(|row| row.misaligned.contains(&fault)).map(|row| row.queue).collect();
    match queues.as_slice() {
        [] => None,
        [queue] => Some(format!("queue {queue}")),
        queues => Some(format!("queues {}", in_words(queues))),
    }
}

fn finding(of: Misalignment, device: &Device, what: String, how: Vec<String>) -> Finding {
    Finding { misalignment: of, device: Some(device.name.clone()), what, how }
}

/// What is wrong with the places of interrupts. All of them are mended by the same commands.
pub(super) fn of_interrupts(
    machine: &Machine,
    device: &Device,
    workers: &[usize],
    rows: &[Row],
) -> Vec<Finding> {
    let to = assignment(machine, device, workers);
    let node = device.node.map_or("-".to_owned(), |node| node.to_string());
    let mut found = Vec::new();
    for (of, what, else_how) in [
        (
            Misalignment::FarInterrupt,
            format!("on cores, or allowed there, of another NUMA node than the device's ({node})"),
            "run workers on the device's node (--cores)",
        ),
        (
            Misalignment::CrowdedCore,
            "on a core with several, while a worker's core has none".to_owned(),
            "run workers on the cores that are interrupted (--cores)",
        ),
        (
            Misalignment::NoWorker,
            "on a core without a worker: each packet wakes another core".to_owned(),
            "run workers on the cores that are interrupted (--cores)",
        ),
    ] {
        if let Some(queues) = with(rows, of) {
            let mut how = move_interrupts(device, &to, false);
            if how.is_empty() {
                how.push(else_how.to_owned());
            }
            found.push(finding(of, device, format!("{queues}: {what}"), how));
        }
    }
    if let Some(queues) = with(rows, Misalignment::Unpinned) {
        let what = format!("{queues}: several cores are allowed, so irqbalance may move it");
        let how = move_interrupts(device, &to, true);
        found.push(finding(Misalignment::Unpinned, device, what, how));
    }
    if let Some(queues) = with(rows, Misalignment::UnknownInterrupt) {
        let what = format!("{queues}: no interrupt is found");
        let how =
            "nothing, for a device without hardware: its packets stay on the core that sent them";
        found.push(finding(Misalignment::UnknownInterrupt, device, what, vec![how.to_owned()]));
    }
    found
}

/// What is wrong with the number of queues.
pub(super) fn of_queues(machine: &Machine, device: &Device, workers: &[usize]) -> Vec<Finding> {
    let (queues, near) = (device.receive.len(), near_workers(machine, device, workers));
    // A device without interrupts has no queues of hardware, and the number of its own ones means nothing.
    let has_hardware = device.receive.iter().any(|queue| queue.interrupt.is_some());
    let is_spread = device.receive.iter().all(|queue| !queue.rps.is_empty());
    let mut found = Vec::new();
    if has_hardware && queues < near.len() && !is_spread {
        let possible = device.channels_max.unwrap_or(queues).min(near.len());
        let how = if possible > queues {
            vec![format!("ethtool -L {} combined {possible}", device.name)]
        } else {
            steer(machine, device, &near)
        };
        let what = format!(
            "{queues} receive queue(s) for {} workers, and nothing spreads their packets",
            near.len()
        );
        found.push(finding(Misalignment::FewQueues, device, what, how));
    }
    if has_hardware && queues > near.len() && !near.is_empty() {
        let what = format!(
            "{queues} receive queues for {} workers: more interrupts than needed",
            near.len()
        );
        let how = vec![format!("ethtool -L {} combined {}", device.name, near.len())];
        found.push(finding(Misalignment::ManyQueues, device, what, how));
    }
    found
}

/// What is wrong with steering by software.
pub(super) fn of_steering(
    machine: &Machine,
    device: &Device,
    workers: &[usize],
    rows: &[Row],
) -> Vec<Finding> {
    let mut found = Vec::new();
    let needless = with(rows, Misalignment::NeedlessSteering);
    let near = near_workers(machine, device, workers);
    if let Some(queues) = &needless {
        let what = format!("{queues}: RPS moves packets although each worker has a queue");
        let how = steer(machine, device, &[]);
        found.push(finding(Misalignment::NeedlessSteering, device, what, how));
    } else {
        if let Some(queues) = with(rows, Misalignment::StraySteering) {
            let what = format!("{queues}: RPS sends to cores that no near worker is on");
            let how = steer(machine, device, &near);
            found.push(finding(Misalignment::StraySteering, device, what, how));
        }
        if let Some(queues) = with(rows, Misalignment::NoFlowSteering) {
            let what = format!("{queues}: RPS by hash only, not to the core that reads");
            let how = steer_flows(device);
            found.push(finding(Misalignment::NoFlowSteering, device, what, how));
        }
    }
    if let Some(queues) = with(rows, Misalignment::SendsElsewhere) {
        let what = format!("{queues}: their cores send on queues of other cores (XPS)");
        let how = send_where_received(device, &assignment(machine, device, workers));
        found.push(finding(Misalignment::SendsElsewhere, device, what, how));
    }
    found
}

/// What is wrong with the places of the workers themselves.
pub(super) fn of_workers(machine: &Machine, workers: &[usize], allowed: &[usize]) -> Vec<Finding> {
    let best = order(machine, allowed);
    let free = |core: &&usize| !workers.contains(core);
    let how = || {
        let first: Vec<_> = best.iter().copied().take(workers.len()).collect();
        vec![format!("--cores {}", in_words(&first))]
    };
    let mut found = Vec::new();
    if let Some((device, node)) = machine.devices.first().and_then(|it| Some((it, it.node?))) {
        let is_near = |core: &usize| machine.node(*core) == Some(node);
        let far: Vec<_> = workers.iter().copied().filter(|core| !is_near(core)).collect();
        let has_room = best.iter().filter(free).any(is_near);
        if !far.is_empty() && has_room {
            let what = format!(
                "workers on cores {} are not on the NUMA node of {} ({node}), which has free cores",
                in_words(&far),
                device.name
            );
            found.push(Finding {
                misalignment: Misalignment::FarWorkers,
                device: None,
                what,
                how: how(),
            });
        }
    }
    let has_sibling = |core: usize| workers.iter().any(|&other| machine.are_siblings(core, other));
    let shared: Vec<_> = workers.iter().copied().filter(|&core| has_sibling(core)).collect();
    let whole = |core: &usize| !has_sibling(*core);
    if !shared.is_empty() && best.iter().filter(free).any(whole) {
        let what =
            format!("workers on cores {} share physical cores, others are free", in_words(&shared));
        found.push(Finding {
            misalignment: Misalignment::SharedCore,
            device: None,
            what,
            how: how(),
        });
    }
    found
}
