//! Numbers and offloads of network devices, in the namespace of the calling thread (ethtool by netlink).

use super::{Reading, may_administer, unreadable};
use crate::ethtool::{Ethtool, Number};
use crate::system::{Value, pattern};
use std::io;

/// Devices with hardware behind them. Of another namespace, which /sys does not show, all but the loopback.
pub(super) fn instances(is_namespace_only: bool) -> Vec<String> {
    if !is_namespace_only {
        return pattern::instances("/sys/class/net/*");
    }
    let devices = Ethtool::open().and_then(|mut ethtool| ethtool.devices());
    let mut devices = devices.unwrap_or_default();
    devices.retain(|device| device != "lo");
    devices.sort_unstable();
    devices
}

pub(super) fn read_number(number: Number, device: &str) -> Reading {
    match Ethtool::open().and_then(|mut ethtool| ethtool.number(device, number)) {
        Ok(Some(reading)) => Reading::Is(Value {
            text: reading.value.to_string(),
            offered: None,
            most: reading.value_max,
            is_writable: may_administer(),
        }),
        Ok(None) => Reading::Absent("its driver has none".to_owned()),
        Err(error) => unreadable(&error),
    }
}

pub(super) fn read_offload(name: &str, device: &str) -> Reading {
    match Ethtool::open().and_then(|mut ethtool| ethtool.feature(device, name)) {
        Ok(Some(feature)) => {
            let text = u8::from(feature.is_on).to_string();
            // What the device cannot change is as it is.
            let offered = (!feature.is_changeable).then(|| vec![text.clone()]);
            Reading::Is(Value { text, offered, most: None, is_writable: may_administer() })
        }
        Ok(None) => Reading::Absent("this kernel has it not".to_owned()),
        Err(error) => unreadable(&error),
    }
}

pub(super) fn write_number(number: Number, device: &str, value: &str) -> io::Result<()> {
    let value =
        value.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    Ethtool::open()?.set_numbers(device, &[(number, value)])
}

/// An offload may be asked for and yet not come into force, as it needs another one. Then it is asked
/// for as it was before, and refused.
pub(super) fn write_offload(name: &str, device: &str, value: &str) -> io::Result<()> {
    let is_on = value != "0";
    let mut ethtool = Ethtool::open()?;
    let was_wanted = ethtool.feature(device, name)?.map_or(!is_on, |before| before.is_wanted);
    ethtool.set_features(device, &[(name, is_on)])?;
    match ethtool.feature(device, name)? {
        Some(feature) if feature.is_on == is_on => Ok(()),
        _ => {
            ethtool.set_features(device, &[(name, was_wanted)])?;
            let why = format!("{device}: {name} does not come into force: it needs another");
            Err(io::Error::new(io::ErrorKind::Unsupported, why))
        }
    }
}
