//! Interrupts of network cards, by the numbers that their devices have (sysfs, /proc/irq).

use super::pattern;
use std::path::PathBuf;

/// A card and an interrupt of it, such as `eth0/38`.
pub(super) fn instances() -> Vec<String> {
    let mut found = pattern::instances("/sys/class/net/*/device/msi_irqs/*");
    // Those of a virtio device belong to the device around it. Of any other that would be a bridge.
    let is_virtio = |instance: &String| {
        let card = instance.split('/').next().unwrap_or_default();
        let bus = std::fs::read_link(format!("/sys/class/net/{card}/device/subsystem"));
        bus.is_ok_and(|bus| bus.ends_with("virtio"))
    };
    let around = pattern::instances("/sys/class/net/*/device/../msi_irqs/*");
    found.extend(around.into_iter().filter(is_virtio));
    found.retain(|instance| file(instance).exists());
    found
}

pub(super) fn file(instance: &str) -> PathBuf {
    let number = instance.rsplit('/').next().unwrap_or_default();
    PathBuf::from("/proc/irq").join(number).join("smp_affinity")
}
