//! A machine described as it is: read from `/sys` and `/proc`. What cannot be read is absent.

use super::interrupt::{Use, is_of, lines, used_for};
use super::list::{parse, parse_mask};
use super::{Core, Device, Interrupt, Machine, ReceiveQueue, TransmitQueue};
use crate::ethtool::{Ethtool, Number};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How far up from a device its NUMA node and its interrupts are looked for: a virtio device is one below its PCI
/// function, others are the function itself.
const LEVELS_MAX: usize = 3;

impl Machine {
    /// The machine that this runs on. Its devices are those with hardware (virtual machines' among them), the one with
    /// the most receive queues first; or the one called `device`, of whatever kind. They are those of the network
    /// namespace that `/sys` was mounted in, whichever the calling thread is in.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]: there is no such device.
    pub fn read(device: Option<&str>) -> io::Result<Self> {
        let mut machine = Self::read_below(Path::new("/"), device)?;
        // Only where the driver says so.
        if let Ok(mut ethtool) = Ethtool::open() {
            for device in &mut machine.devices {
                let reading = ethtool.number(&device.name, Number::ChannelsCombined);
                let max = reading.ok().flatten().and_then(|reading| reading.value_max);
                device.channels_max = max.and_then(|max| usize::try_from(max).ok());
            }
        }
        Ok(machine)
    }

    /// The same with another root than `/`, and without what only drivers can say.
    pub(crate) fn read_below(root: &Path, device: Option<&str>) -> io::Result<Self> {
        let interrupts = text(&root.join("proc/interrupts"));
        let net = root.join("sys/class/net");
        let names = match device {
            Some(name) if entries(&net).iter().any(|it| it == name) => vec![name.to_owned()],
            Some(name) => {
                let all = entries(&net).join(", ");
                let why = format!("no network device {name:?}; there are: {all}");
                return Err(io::Error::new(io::ErrorKind::NotFound, why));
            }
            None => entries(&net)
                .into_iter()
                .filter(|it| net.join(it).join("device").is_dir())
                .collect(),
        };
        let mut devices: Vec<_> = names
            .iter()
            .map(|name| read_device(root, &net.join(name), name, &interrupts))
            .collect();
        // One that is down carries nothing; among the others the busiest is likely the one with the most queues.
        devices.sort_by_key(|device| {
            let is_up = text(&net.join(&device.name).join("operstate")).trim() == "up";
            (!is_up, std::cmp::Reverse(device.receive.len()))
        });
        let flows = text(&root.join("proc/sys/net/core/rps_sock_flow_entries"));
        Ok(Self { cores: read_cores(root), devices, flows: flows.trim().parse().unwrap_or(0) })
    }
}

/// The contents of a file, nothing when it cannot be read.
fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The names in a directory, sorted.
fn entries(path: &Path) -> Vec<String> {
    let names = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<_> = names.filter_map(|it| it.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn read_cores(root: &Path) -> Vec<Core> {
    let nodes = root.join("sys/devices/system/node");
    let of_node = |name: &String| {
        let node: usize = name.strip_prefix("node")?.parse().ok()?;
        Some((node, parse(&text(&nodes.join(name).join("cpulist")))))
    };
    let nodes: Vec<(usize, Vec<usize>)> = entries(&nodes).iter().filter_map(of_node).collect();
    let cpu = root.join("sys/devices/system/cpu");
    let core = |number: usize| {
        let topology = cpu.join(format!("cpu{number}/topology"));
        // The newer name first.
        let siblings = ["core_cpus_list", "thread_siblings_list"]
            .iter()
            .map(|name| parse(&text(&topology.join(name))))
            .find(|cores| cores.contains(&number));
        let node = nodes.iter().find(|(_, cores)| cores.contains(&number));
        Core {
            number,
            node: node.map_or(0, |(node, _)| *node),
            siblings: siblings.unwrap_or_else(|| vec![number]),
        }
    };
    parse(&text(&cpu.join("online"))).into_iter().map(core).collect()
}

fn read_device(root: &Path, path: &Path, name: &str, interrupts: &str) -> Device {
    // The device below the network device, and what that is on.
    let place = fs::canonicalize(path.join("device")).ok();
    let levels: Vec<PathBuf> =
        place.iter().flat_map(|it| it.ancestors()).take(LEVELS_MAX).map(Path::to_owned).collect();
    let node = levels.iter().find_map(|level| {
        let node = fs::read_to_string(level.join("numa_node")).ok()?;
        node.trim().parse::<usize>().ok() // -1: unknown.
    });
    let mut names = vec![name];
    names.extend(levels.first().and_then(|it| it.file_name()?.to_str()));
    let own: Vec<u32> = levels
        .iter()
        .map(|level| entries(&level.join("msi_irqs")))
        .find(|numbers| !numbers.is_empty())
        .unwrap_or_default()
        .iter()
        .filter_map(|number| number.parse().ok())
        .collect();
    // A name decides; without one, the list of the bus does: a function may have several network devices.
    let named: Vec<_> = lines(interrupts).filter(|(_, it)| is_of(it, &names)).collect();
    let listed: Vec<_> = lines(interrupts).filter(|(number, _)| own.contains(number)).collect();
    let found = if named.is_empty() { listed } else { named };
    let queues = entries(&path.join("queues"));
    let count = |prefix: &str| queues.iter().filter(|it| it.starts_with(prefix)).count();
    let receive = |at: usize| ReceiveQueue {
        interrupt: found
            .iter()
            .find(|(_, it)| used_for(it, &names) == Use::Receive(at))
            .map(|(number, it)| read_interrupt(root, *number, it)),
        rps: parse_mask(&text(&path.join(format!("queues/rx-{at}/rps_cpus")))),
    };
    // Without the file (a single queue) any core may send.
    let transmit = |at: usize| TransmitQueue {
        xps: parse_mask(&text(&path.join(format!("queues/tx-{at}/xps_cpus")))),
    };
    Device {
        name: name.to_owned(),
        node,
        receive: (0..count("rx-")).map(receive).collect(),
        transmit: (0..count("tx-")).map(transmit).collect(),
        channels_max: None,
    }
}

fn read_interrupt(root: &Path, number: u32, name: &str) -> Interrupt {
    let folder = root.join(format!("proc/irq/{number}"));
    Interrupt {
        number,
        name: name.to_owned(),
        allowed: parse(&text(&folder.join("smp_affinity_list"))),
        effective: parse(&text(&folder.join("effective_affinity_list"))),
    }
}

#[cfg(test)]
mod tests;
