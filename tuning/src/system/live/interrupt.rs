//! Interrupts of network cards, by the numbers that their devices have (sysfs, /proc/irq).

use super::pattern;
use std::path::PathBuf;

/// A card and an interrupt of it, such as `eth0/38`. Those of a virtio device belong to the device around it.
pub(super) fn instances() -> Vec<String> {
    let mut found = pattern::instances("/sys/class/net/*/device/msi_irqs/*");
    found.extend(pattern::instances("/sys/class/net/*/device/../msi_irqs/*"));
    found.retain(|instance| file(instance).exists());
    found
}

pub(super) fn file(instance: &str) -> PathBuf {
    let number = instance.rsplit('/').next().unwrap_or_default();
    PathBuf::from("/proc/irq").join(number).join("smp_affinity")
}
