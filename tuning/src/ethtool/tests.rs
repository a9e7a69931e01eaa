//! The kernel's devices, in a namespace of their own: what each has, what it takes, what it refuses.

#![allow(clippy::unwrap_used, reason = "a test: a panic is its way to fail")]

use super::*;
use crate::netns::Namespace;
use std::process::Command;

/// Calls `work` in a new namespace with `veth0`, its peer `veth1` and the TUN device `tun0`; not without permission.
fn among_devices(work: impl FnOnce(&mut Ethtool)) {
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(error) => {
            eprintln!("skipped: no network namespace: {error}");
            return;
        }
    };
    let made = namespace.run(|| {
        for arguments in [
            "link add veth0 numrxqueues 4 numtxqueues 4 type veth peer veth1 numrxqueues 4 numtxqueues 4",
            "tuntap add tun0 mode tun",
        ] {
            let output = Command::new("ip").args(arguments.split(' ')).output()?;
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "ip {arguments}: {said}");
        }
        Ok(())
    });
    match made {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("skipped: ip(8) makes the devices: {error}");
        }
        made => {
            made.unwrap();
            let mut ethtool = namespace.run(Ethtool::open).unwrap();
            // It speaks for that namespace from any thread.
            work(&mut ethtool);
        }
    }
}

#[test]
fn devices_and_what_each_has() {
    among_devices(|ethtool| {
        let mut devices = ethtool.devices().unwrap();
        devices.sort();
        let ours = ["lo", "tun0", "veth0", "veth1"];
        assert!(ours.iter().all(|name| devices.contains(&(*name).to_owned())), "{devices:?}");
        assert!(!devices.contains(&"eth0".to_owned()), "those of this namespace only");
        for (device, group, has, why) in [
            ("veth0", Group::Channels, true, "queues of its peer"),
            ("veth0", Group::Rings, false, "no hardware"),
            ("tun0", Group::Coalescing, true, "frames received in one go"),
            ("tun0", Group::Channels, true, "queues that its owner opens"),
            ("tun0", Group::Rings, false, "no hardware"),
            ("lo", Group::Channels, false, "none"),
            ("lo", Group::Rings, false, "none"),
            ("lo", Group::Coalescing, false, "none"),
        ] {
            let found = ethtool.group(device, group).unwrap();
            assert_eq!(found.is_some(), has, "{device} {group}: {why}: {found:?}");
        }
        assert_eq!(ethtool.number("lo", Number::RingRx).unwrap(), None);
        assert_eq!(ethtool.number("tun0", Number::TxUsecs).unwrap(), None, "only received ones");
    });
}

#[test]
fn channels_of_a_veth_are_set_and_put_back() {
    among_devices(|ethtool| {
        let before = ethtool.group("veth0", Group::Channels).unwrap();
        let reading = ethtool.number("veth0", Number::ChannelsRx).unwrap().unwrap();
        assert_eq!(reading.value_max, Some(4));
        let other = if reading.value == 3 { 2 } else { 3 };
        let change = [(Number::ChannelsRx, other), (Number::ChannelsTx, other)];
        ethtool.set_numbers("veth0", &change).unwrap();
        for (number, expected) in change {
            assert_eq!(ethtool.number("veth0", number).unwrap().unwrap().value, expected);
        }
        let back: Vec<_> = before.iter().flatten().map(|(it, at)| (*it, at.value)).collect();
        ethtool.set_numbers("veth0", &back).unwrap();
        assert_eq!(ethtool.group("veth0", Group::Channels).unwrap(), before);
    });
}

#[test]
fn coalescing_of_a_tun_is_set() {
    among_devices(|ethtool| {
        ethtool.set_numbers("tun0", &[(Number::RxFrames, 16)]).unwrap();
        assert_eq!(ethtool.number("tun0", Number::RxFrames).unwrap().unwrap().value, 16);
    });
}

#[test]
fn features_are_turned_off_and_on() {
    among_devices(|ethtool| {
        let all = ethtool.features("veth0").unwrap();
        assert!(all.len() > 40, "{all:?}");
        for name in ["rx-gro", "tx-tcp-segmentation"] {
            let before = ethtool.feature("veth0", name).unwrap().unwrap();
            assert!(before.is_changeable, "{before:?}");
            ethtool.set_features("veth0", &[(name, !before.is_on)]).unwrap();
            let after = ethtool.feature("veth0", name).unwrap().unwrap();
            assert_eq!((after.is_on, after.is_wanted), (!before.is_on, !before.is_on), "{name}");
            ethtool.set_features("veth0", &[(name, before.is_on)]).unwrap();
        }
        assert_eq!(ethtool.features("veth0").unwrap(), all, "nothing is left of it");
    });
}

#[test]
fn a_feature_follows_the_one_that_it_needs() {
    among_devices(|ethtool| {
        let is_on = |ethtool: &mut Ethtool| {
            let feature = ethtool.feature("veth0", "tx-tcp-segmentation").unwrap().unwrap();
            (feature.is_on, feature.is_wanted)
        };
        assert_eq!(is_on(ethtool), (true, true));
        ethtool.set_features("veth0", &[("tx-scatter-gather", false)]).unwrap();
        assert_eq!(is_on(ethtool), (false, true), "wanted, but it cannot be");
        ethtool.set_features("veth0", &[("tx-scatter-gather", true)]).unwrap();
        assert_eq!(is_on(ethtool), (true, true));
    });
}

#[test]
fn what_cannot_be_is_said() {
    among_devices(|ethtool| {
        for (device, number, value, kind, words) in [
            ("veth0", Number::ChannelsRx, 99, io::ErrorKind::InvalidInput, "exceed"),
            ("veth0", Number::ChannelsRx, 0, io::ErrorKind::InvalidInput, "channels-rx = 0"),
            ("veth0", Number::RingRx, 512, io::ErrorKind::Unsupported, "ring-rx = 512"),
            ("tun0", Number::TxUsecs, 5, io::ErrorKind::InvalidInput, "unsupported"),
            ("none0", Number::RingRx, 512, io::ErrorKind::NotFound, "none0: "),
        ] {
            let error = ethtool.set_numbers(device, &[(number, value)]).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
        let fixed = ethtool.features("veth0").unwrap().into_iter().find(|it| !it.is_changeable);
        let fixed = fixed.unwrap();
        for (device, name, on, kind) in [
            ("veth0", &*fixed.name, !fixed.is_on, io::ErrorKind::Unsupported),
            ("veth0", "rx-warp", true, io::ErrorKind::Unsupported),
            ("none0", "rx-gro", true, io::ErrorKind::NotFound),
        ] {
            let error = ethtool.set_features(device, &[(name, on)]).unwrap_err();
            assert_eq!(error.kind(), kind, "{device} {name}: {error}");
        }
        ethtool.set_features("veth0", &[(&fixed.name, fixed.is_on)]).unwrap();
        let error = ethtool.features("none0").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
        assert!(ethtool.devices().unwrap().len() > 3, "errors leave the conversation usable");
    });
}

#[test]
fn anybody_may_read() {
    let mut ethtool = Ethtool::open().unwrap();
    for device in ethtool.devices().unwrap() {
        assert!(!ethtool.features(&device).unwrap().is_empty(), "{device}");
        for group in Group::ALL {
            for (number, reading) in ethtool.group(&device, group).unwrap().into_iter().flatten() {
                eprintln!("{device} {number}: {reading:?} {}", number.unit());
            }
        }
    }
}
