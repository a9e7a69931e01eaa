//! `lastmile tune cores`: the way of a packet from its queue to a worker, as a table or as JSON.

use crate::failure::Failure;
use crate::node::say;
use crate::roles::edge::cores_or_all;
use clap::Args;
use lastmile_tuning::cores::{Audit, Machine, Row, audit, in_words, order};
use lastmile_tuning::cpu::Cores;
use serde_json::Value;
use std::fmt::Write as _;
use std::io;

pub(super) const EXAMPLES: &str = "Examples:
  lastmile tune cores                          workers on all cores, as `lastmile edge` has them
  lastmile tune cores --cores 0-15             if they were there
  lastmile tune cores --device eth0 --json

The way of a packet: a receive queue interrupts a core, which goes on with it (or, with RPS, gives
it to others); it is cheapest when a worker is there, on the device's NUMA node, and sends on a
queue of its own.
Nothing is changed: the commands below the table are for you to run, as root.";

/// Flags of `lastmile tune cores`.
#[derive(Args, Clone, Debug)]
pub struct CoresFlags {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The workers' cores, such as 0-3 or 0,2 [default: all, the best first]
    #[arg(long, value_name = "LIST")]
    pub cores: Option<Cores>,
    /// Look at DEV, of whatever kind [default: every device with hardware]
    #[arg(long, value_name = "DEV")]
    pub device: Option<String>,
}

/// Prints where each queue's packets go.
///
/// # Errors
/// [`Failure::Misused`]: no such core or device.
pub(super) fn run(flags: &CoresFlags) -> Result<(), Failure> {
    let workers = cores_or_all(flags.cores.as_ref())?;
    let allowed = Cores::allowed().map_err(|error| Failure::Failed(format!("cores: {error}")))?;
    let machine = Machine::read(flags.device.as_deref()).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::Misused(format!("--device: {error}")),
        _ => Failure::Failed(format!("cores: {error}")),
    })?;
    let found = audit(&machine, workers.numbers(), allowed.numbers());
    say(&match flags.json {
        true => json(&machine, workers.numbers(), &found).to_string(),
        false => table(&machine, workers.numbers(), &found),
    });
    Ok(())
}

/// The same for an audit, as a table and as JSON: as settings have it, with workers on all cores. Which of several
/// cores takes an interrupt changes without anybody's doing.
///
/// # Errors
/// What the system says of a machine that cannot be read.
pub(super) fn as_set() -> io::Result<(String, Value)> {
    let allowed = Cores::allowed()?;
    let machine = Machine::read(None)?.as_set();
    let workers = order(&machine, allowed.numbers());
    let found = audit(&machine, &workers, allowed.numbers());
    Ok((table(&machine, &workers, &found), json(&machine, &workers, &found)))
}

const HEADINGS: [&str; 9] =
    ["device", "queue", "interrupt", "core", "node", "rps", "worker", "sends on", "misaligned"];

/// The machine in a line, a line for each queue, and below what to do.
fn table(machine: &Machine, workers: &[usize], found: &Audit) -> String {
    let mut text = format!("{} cores online; workers: ", machine.cores.len());
    let places: Vec<_> =
        (workers.iter().enumerate()).map(|(at, core)| format!("{at} on {core}")).collect();
    let _ = writeln!(text, "{}", places.join(", "));
    for device in &machine.devices {
        let node = device.node.map_or("unknown".to_owned(), |node| node.to_string());
        let queues = (device.receive.len(), device.transmit.len());
        let _ = writeln!(
            text,
            "{}: NUMA node {node}, {} receive and {} transmit queue(s)",
            device.name, queues.0, queues.1
        );
    }
    if machine.devices.is_empty() {
        text.push_str("no network device with hardware; --device looks at any\n");
    }
    text.push('\n');
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(found.rows.iter().map(cells));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..HEADINGS.len()).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    for (at, finding) in found.findings.iter().enumerate() {
        let about = finding.device.as_deref().unwrap_or("workers");
        let _ = write!(text, "\n{about}: {}: {}", finding.misalignment, finding.what);
        let before = at.checked_sub(1).map(|before| &found.findings[before].how);
        if before == Some(&finding.how) {
            text.push_str("\n    as above");
        } else {
            for line in &finding.how {
                let _ = write!(text, "\n    {line}");
            }
        }
        text.push('\n');
    }
    if found.findings.is_empty() {
        text.push_str("\nnothing is misaligned\n");
    }
    text.trim_end().to_owned()
}

fn cells(row: &Row) -> [String; 9] {
    let or = |list: &[usize], otherwise: &str| match list {
        [] => otherwise.to_owned(),
        list => in_words(list),
    };
    let misaligned: Vec<_> = row.misaligned.iter().map(|it| it.name()).collect();
    [
        row.device.clone(),
        row.queue.to_string(),
        row.interrupt.as_ref().map_or("-".to_owned(), |(number, name)| format!("{number} {name}")),
        in_words(&row.cores),
        in_words(&row.nodes),
        in_words(&row.rps),
        in_words(&row.workers),
        or(&row.transmit, "any"),
        if misaligned.is_empty() { "-".to_owned() } else { misaligned.join(", ") },
    ]
}

fn json(machine: &Machine, workers: &[usize], found: &Audit) -> Value {
    let row = |row: &Row| {
        serde_json::json!({
            "device": row.device,
            "queue": row.queue,
            "interrupt": row.interrupt.as_ref().map(|(number, _)| number),
            "interrupt_name": row.interrupt.as_ref().map(|(_, name)| name),
            "cores": row.cores,
            "nodes": row.nodes,
            "rps": row.rps,
            "workers": row.workers,
            "transmit": row.transmit,
            "misaligned": row.misaligned.iter().map(|it| it.name()).collect::<Vec<_>>(),
        })
    };
    let findings = found.findings.iter().map(|finding| {
        serde_json::json!({
            "device": finding.device,
            "misaligned": finding.misalignment.name(),
            "what": finding.what,
            "how": finding.how,
        })
    });
    let devices = machine.devices.iter().map(|device| {
        serde_json::json!({
            "device": device.name,
            "node": device.node,
            "receive_queues": device.receive.len(),
            "transmit_queues": device.transmit.len(),
            "channels_max": device.channels_max,
        })
    });
    let core = |core: &lastmile_tuning::cores::Core| {
        serde_json::json!({
            "core": core.number,
            "node": core.node,
            "siblings": core.siblings,
        })
    };
    serde_json::json!({
        "workers": workers,
        "cores": machine.cores.iter().map(core).collect::<Vec<_>>(),
        "devices": devices.collect::<Vec<_>>(),
        "queues": found.rows.iter().map(row).collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmile_tuning::cores::{Core, Device, Interrupt, ReceiveQueue, TransmitQueue};

    /// Two cores, and a device whose one queue goes to core 1.
    fn machine() -> Machine {
        let interrupt =
            Interrupt { number: 38, name: "eth0-0".into(), allowed: vec![1], effective: vec![1] };
        let core = |number| Core { number, node: 0, siblings: vec![number] };
        Machine {
            cores: vec![core(0), core(1)],
            devices: vec![Device {
                name: "eth0".into(),
                node: Some(0),
                receive: vec![ReceiveQueue { interrupt: Some(interrupt), rps: vec![] }],
                transmit: vec![TransmitQueue { xps: vec![] }],
                channels_max: Some(1),
            }],
            flows: 0,
        }
    }

    #[test]
    fn a_table_with_commands() {
        let machine = machine();
        let text = table(&machine, &[0, 1], &audit(&machine, &[0, 1], &[0, 1]));
        let expected = "\
2 cores online; workers: 0 on 0, 1 on 1
eth0: NUMA node 0, 1 receive and 1 transmit queue(s)

device  queue  interrupt  core  node  rps  worker  sends on  misaligned
eth0    0      38 eth0-0  1     0     -    1       any       -

eth0: few-queues: 1 receive queue(s) for 2 workers, and nothing spreads their packets
    echo 3 > /sys/class/net/eth0/queues/rx-0/rps_cpus
    sysctl -w net.core.rps_sock_flow_entries=32768
    echo 32768 > /sys/class/net/eth0/queues/rx-0/rps_flow_cnt";
        assert_eq!(text, expected);
        let text = table(&machine, &[1], &audit(&machine, &[1], &[0, 1]));
        assert!(text.ends_with("\n\nnothing is misaligned"), "{text}");
        let none = Machine::default();
        let text = table(&none, &[0], &audit(&none, &[0], &[0]));
        assert!(text.contains("no network device with hardware"), "{text}");
    }

    #[test]
    fn the_same_as_json() {
        let machine = machine();
        let value = json(&machine, &[0], &audit(&machine, &[0], &[0, 1]));
        assert_eq!(value["queues"][0]["interrupt"], 38);
        assert_eq!(value["queues"][0]["misaligned"][0], "no-worker");
        assert_eq!(value["findings"][0]["how"][0], "echo 0 > /proc/irq/38/smp_affinity_list");
        assert_eq!(value["devices"][0]["channels_max"], 1);
        assert_eq!(value["cores"].as_array().map(Vec::len), Some(2));
    }
}
