//! Interrupts of network cards, by the numbers that their devices have (sysfs, /proc/irq).
//!
//! A number can become that of another interrupt when a driver makes its queues anew. So an instance has the name too,
//! and one that has another name now is gone.

use super::{Reading, pattern, read_file, unreadable, write_file};
use crate::knobs::Knob;
use std::fs;
use std::io;
use std::path::PathBuf;

/// A card and an interrupt of it with its name, such as `eth0/38:eth0-TxRx-0`; without one if nobody handles it.
pub(super) fn instances() -> Vec<String> {
    let mut found = pattern::instances("/sys/class/net/*/device/msi_irqs/*");
    // Those of a virtio device belong to the device around it. Of any other that would be a bridge.
    let is_virtio = |instance: &String| {
        let card = instance.split('/').next().unwrap_or_default();
        let bus = fs::read_link(format!("/sys/class/net/{card}/device/subsystem"));
        bus.is_ok_and(|bus| bus.ends_with("virtio"))
    };
    let around = pattern::instances("/sys/class/net/*/device/../msi_irqs/*");
    found.extend(around.into_iter().filter(is_virtio));
    found.retain(|instance| file(parts(instance).0).exists());
    let with_name = |instance: String| match name(parts(&instance).0) {
        name if name.is_empty() => instance,
        name => format!("{instance}:{name}"),
    };
    found.into_iter().map(with_name).collect()
}

pub(super) fn read(knob: &Knob, instance: &str) -> Reading {
    match number(instance) {
        Ok(number) => read_file(knob, &file(number)),
        Err(error) => unreadable(&error),
    }
}

pub(super) fn write(instance: &str, value: &str) -> io::Result<()> {
    write_file(&file(number(instance)?), value)
}

/// The number of `instance`, unless that is another interrupt's now.
fn number(instance: &str) -> io::Result<&str> {
    let (number, then) = parts(instance);
    let now = name(number);
    if is_same(then, &now) {
        return Ok(number);
    }
    let why = format!("interrupt {number} is {now} now");
    Err(io::Error::new(io::ErrorKind::NotFound, why))
}

/// Its number, and its name if it has one.
fn parts(instance: &str) -> (&str, Option<&str>) {
    let (_, interrupt) = instance.split_once('/').unwrap_or(("", instance));
    match interrupt.split_once(':') {
        Some((number, name)) => (number, Some(name)),
        None => (interrupt, None),
    }
}

/// Whether an interrupt that was called `then` is still the one that is called `now`. One that nobody handles has no
/// name, as while its card is down.
fn is_same(then: Option<&str>, now: &str) -> bool {
    then.is_none_or(|then| then == now || now.is_empty())
}

/// What those that handle it call themselves.
fn name(number: &str) -> String {
    let name = fs::read_to_string(format!("/sys/kernel/irq/{number}/actions"));
    name.map(|name| name.trim_end().to_owned()).unwrap_or_default()
}

fn file(number: &str) -> PathBuf {
    PathBuf::from("/proc/irq").join(number).join("smp_affinity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_only_taken_with_its_name() {
        for (instance, now, number, is_taken, why) in [
            ("eth0/38:eth0-TxRx-0", "eth0-TxRx-0", "38", true, "the same"),
            ("eth0/38:eth0-TxRx-0", "nvme0q1", "38", false, "another's now"),
            ("eth0/38:eth0-TxRx-0", "", "38", true, "the card is down"),
            ("eth0/38", "eth0-TxRx-0", "38", true, "it was down then, or an older journal has it"),
            (
                "ens5/7:mlx5_comp3@pci:0000:5e:00.0",
                "mlx5_comp3@pci:0000:5e:00.0",
                "7",
                true,
                "a name with colons",
            ),
            ("ens5/7:a/b", "a/b", "7", true, "or with a slash"),
        ] {
            let (found, then) = parts(instance);
            assert_eq!((found, is_same(then, now)), (number, is_taken), "{instance}: {why}");
        }
    }
}
