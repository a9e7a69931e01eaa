//! Which interrupt belongs to which queue (pure): by the names that drivers give them in `/proc/interrupts`.

/// What an interrupt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Packets that arrive in this queue, and with most hardware also completions of what was sent.
    Receive(usize),
    /// Only completions of what was sent on this queue.
    Transmit(usize),
    /// The link, commands, errors.
    Other,
}

/// One line of `/proc/interrupts` with a number: the interrupt and its name, which is the last column. (Those of the
/// processor itself, such as `NMI`, have none.)
pub(super) fn lines(text: &str) -> impl Iterator<Item = (u32, &str)> {
    text.lines().filter_map(|line| {
        let (number, rest) = line.split_once(':')?;
        Some((number.trim().parse().ok()?, rest.split_whitespace().next_back()?))
    })
}

/// Whether the interrupt of this name is one of a device called by one of `names` (`eth0`, `virtio2`).
pub(super) fn is_of(name: &str, names: &[&str]) -> bool {
    let mut words = name.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words.any(|word| names.contains(&word))
}

/// Words in the names of interrupts that have no packets, and `ntfy` of gve, whose numbers are not the queues'.
const OTHER: [&str; 15] = [
    "config", "async", "misc", "event", "mgmnt", "mgmt", "mbx", "fdir", "control", "admin", "lsc",
    "cmd", "link", "hwc", "ntfy",
];

/// What the interrupt of a device is for. Names seen: `eth0-TxRx-3` (igb, ixgbe), `i40e-eth0-TxRx-3`,
/// `ice-eth0-TxRx-3`, `iavf-eth0-TxRx-3`, `mlx5_comp3@pci:0000:5e:00.0`, `mlx4-3@0000:5e:00.0`, `eth0-rx-3` and
/// `eth0-tx-3` (older ones), `eth0-Tx-Rx-3` (ena), `bnxt_en-eth0-3`, `virtio2-input.3` and `virtio2-output.3`,
/// `mana_q3@pci:7870:00:00.0`, `eth0-rxtx-3` (vmxnet3), `eth0` (one interrupt for all).
pub(super) fn used_for(name: &str, names: &[&str]) -> Use {
    let lower = name.split('@').next().unwrap_or_default().to_lowercase();
    // The device's own number is not the queue's.
    let mut rest = lower.as_str();
    for own in names {
        if let Some((_, after)) = rest.split_once(own.to_lowercase().as_str()) {
            rest = after;
        }
    }
    if OTHER.iter().any(|word| rest.contains(word)) {
        return Use::Other;
    }
    let digits = rest.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let from = digits.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
    let number = match digits[from..].parse() {
        Ok(number) => number,
        Err(_) if rest.is_empty() => 0,
        Err(_) => return Use::Other,
    };
    let receives = rest.contains("rx") || rest.contains("input");
    let transmits = rest.contains("tx") || rest.contains("output");
    if transmits && !receives { Use::Transmit(number) } else { Use::Receive(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_a_number_and_a_name() {
        let text = "           CPU0       CPU1\n\
            \x20 38:          0       1933 PCI-MSIX-0000:00:03.0   1-edge      virtio2-input.0\n\
            \x20127:          9          0  IR-PCI-MSI 524288-edge      eth0-TxRx-0\n\
            NMI:          0          0   Non-maskable interrupts\n\
            ERR:          0\n";
        assert_eq!(
            lines(text).collect::<Vec<_>>(),
            [(38, "virtio2-input.0"), (127, "eth0-TxRx-0")]
        );
    }

    #[test]
    fn names_of_drivers() {
        for (name, expected) in [
            ("eth0-TxRx-3", Use::Receive(3)),
            ("i40e-eth0-TxRx-12", Use::Receive(12)),
            ("iavf-eth0-TxRx-0", Use::Receive(0)),
            ("mlx5_comp3@pci:0000:5e:00.0", Use::Receive(3)),
            ("mlx4-7@0000:5e:00.0", Use::Receive(7)),
            ("mlx5_async0@pci:0000:5e:00.0", Use::Other),
            ("eth0-rx-1", Use::Receive(1)),
            ("eth0-tx-1", Use::Transmit(1)),
            ("eth0-Tx-Rx-5", Use::Receive(5)),
            ("bnxt_en-eth0-2", Use::Receive(2)),
            ("virtio2-input.0", Use::Receive(0)),
            ("virtio2-output.0", Use::Transmit(0)),
            ("virtio2-config", Use::Other),
            ("virtio2-control", Use::Other),
            ("mana_q4@pci:7870:00:00.0", Use::Receive(4)),
            ("mana_hwc@pci:7870:00:00.0", Use::Other),
            ("gve-ntfy-blk6@pci:0000:00:04.0", Use::Other),
            ("gve-mgmnt@pci:0000:00:04.0", Use::Other),
            ("ena-mgmnt@pci:0000:00:05.0", Use::Other),
            ("eth0", Use::Receive(0)),
            ("eth0-event", Use::Other),
            ("i40e-0000:5e:00.0:misc", Use::Other),
            ("eth0:lsc", Use::Other),
        ] {
            assert_eq!(used_for(name, &["eth0", "virtio2"]), expected, "{name}");
        }
        assert_eq!(used_for("ens5f1np1-TxRx-9", &["ens5f1np1"]), Use::Receive(9));
    }

    #[test]
    fn a_name_belongs_to_a_device() {
        for (name, expected) in [
            ("eth0-TxRx-3", true),
            ("i40e-eth0-TxRx-3", true),
            ("virtio2-input.0", true),
            ("eth0", true),
            ("eth01-TxRx-3", false),
            ("virtio21-input.0", false),
            ("nvme0q1", false),
        ] {
            assert_eq!(is_of(name, &["eth0", "virtio2"]), expected, "{name}");
        }
    }
}
