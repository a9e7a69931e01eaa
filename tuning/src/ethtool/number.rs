//! The numbers that a device may have (pure): rings, channels, coalescing, and the attributes that carry them.

use super::message::{Message, number32};
use netlink_packet_core::DefaultNla;
use std::fmt;

/// What belongs together: it is asked for by one command and set by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Descriptors in the rings between driver and device (`ethtool -g`).
    Rings,
    /// Queues, each with its interrupt (`ethtool -l`).
    Channels,
    /// How long the device waits with an interrupt, or for how many packets (`ethtool -c`).
    Coalescing,
}

impl Group {
    /// All of them, in the order in which they are best set: a change of channels makes rings anew.
    pub const ALL: [Self; 3] = [Self::Channels, Self::Rings, Self::Coalescing];

    /// `ETHTOOL_MSG_RINGS_GET`, `_CHANNELS_GET`, `_COALESCE_GET`.
    pub(super) fn get(self) -> u8 {
        match self {
            Self::Rings => 15,
            Self::Channels => 17,
            Self::Coalescing => 19,
        }
    }

    /// `ETHTOOL_MSG_RINGS_SET`, `_CHANNELS_SET`, `_COALESCE_SET`.
    pub(super) fn set(self) -> u8 {
        self.get() + 1
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rings => "rings",
            Self::Channels => "channels",
            Self::Coalescing => "coalescing",
        })
    }
}

/// A number of a device that can be read and, where the driver has it, set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Number {
    /// Descriptors of a receive ring.
    RingRx,
    /// Descriptors of a transmit ring.
    RingTx,
    /// Queues that only receive.
    ChannelsRx,
    /// Queues that only transmit.
    ChannelsTx,
    /// Queues that do both: what most hardware has.
    ChannelsCombined,
    /// Microseconds that a received packet may wait for its interrupt.
    RxUsecs,
    /// Received packets after which the interrupt comes at once.
    RxFrames,
    /// Microseconds that a sent packet may wait for its completion.
    TxUsecs,
    /// Sent packets after which the completion comes at once.
    TxFrames,
    /// 1: the driver changes the two numbers for receiving with the load.
    AdaptiveRx,
    /// 1: the same for transmitting.
    AdaptiveTx,
}

/// One row of the table of numbers.
struct Row {
    number: Number,
    name: &'static str,
    unit: &'static str,
    group: Group,
    /// The attribute with the value (`ETHTOOL_A_RINGS_RX` and so on).
    value: u16,
    /// The attribute with the largest value, where there is one.
    max: Option<u16>,
    /// Whether it is a bool of one octet instead of a number of 32 bits.
    is_bool: bool,
}

const fn row(
    number: Number,
    (name, unit): (&'static str, &'static str),
    group: Group,
    (value, max): (u16, Option<u16>),
) -> Row {
    Row { number, name, unit, group, value, max, is_bool: false }
}

const fn switch(number: Number, name: &'static str, value: u16) -> Row {
    Row { number, name, unit: "bool", group: Group::Coalescing, value, max: None, is_bool: true }
}

/// In the order of [`Number`].
const ROWS: [Row; 11] = [
    row(Number::RingRx, ("ring-rx", "descriptors"), Group::Rings, (6, Some(2))),
    row(Number::RingTx, ("ring-tx", "descriptors"), Group::Rings, (9, Some(5))),
    row(Number::ChannelsRx, ("channels-rx", "queues"), Group::Channels, (6, Some(2))),
    row(Number::ChannelsTx, ("channels-tx", "queues"), Group::Channels, (7, Some(3))),
    row(Number::ChannelsCombined, ("channels-combined", "queues"), Group::Channels, (9, Some(5))),
    row(Number::RxUsecs, ("rx-usecs", "microseconds"), Group::Coalescing, (2, None)),
    row(Number::RxFrames, ("rx-frames", "packets"), Group::Coalescing, (3, None)),
    row(Number::TxUsecs, ("tx-usecs", "microseconds"), Group::Coalescing, (6, None)),
    row(Number::TxFrames, ("tx-frames", "packets"), Group::Coalescing, (7, None)),
    switch(Number::AdaptiveRx, "adaptive-rx", 11),
    switch(Number::AdaptiveTx, "adaptive-tx", 12),
];

impl Number {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.number)
    }

    /// The words of ethtool(8), such as `ring-rx`, `channels-combined`, `rx-usecs`, `adaptive-rx`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What is counted: `descriptors`, `queues`, `microseconds`, `packets`, `bool`.
    #[must_use]
    pub fn unit(self) -> &'static str {
        self.row().unit
    }

    /// What it is asked for and set with.
    #[must_use]
    pub fn group(self) -> Group {
        self.row().group
    }

    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The attribute that sets it.
    pub(super) fn attribute(self, value: u32) -> DefaultNla {
        let row = self.row();
        if row.is_bool {
            DefaultNla::new(row.value, vec![u8::from(value != 0)])
        } else {
            number32(row.value, value)
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Number {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::all().find(|number| number.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::all().map(Self::name).collect();
            format!("{text:?} is no number of a device; allowed: {}", names.join(", "))
        })
    }
}

/// How a number stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its value; a bool is 0 or 1.
    pub value: u32,
    /// The largest value that the device takes, where it says so.
    pub value_max: Option<u32>,
}

/// The numbers of a group that a reply has. What a driver does not have is not in it.
pub(super) fn readings(group: Group, reply: &Message) -> Vec<(Number, Reading)> {
    let number = |kind: u16| {
        let value = reply.value(kind)?;
        match value[..] {
            [octet] => Some(u32::from(octet)),
            _ => Some(u32::from_ne_bytes(value.try_into().ok()?)),
        }
    };
    let reading = |row: &Row| {
        let value = number(row.value)?;
        Some((row.number, Reading { value, value_max: row.max.and_then(number) }))
    };
    ROWS.iter().filter(|row| row.group == group).filter_map(reading).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_its_own_row() {
        for (at, row) in ROWS.iter().enumerate() {
            assert_eq!(row.number as usize, at, "{}", row.name);
            assert_eq!(row.name.parse::<Number>(), Ok(row.number));
        }
        let error = "mtu".parse::<Number>().unwrap_err();
        assert!(error.contains("ring-rx") && error.contains("adaptive-tx"), "{error}");
    }

    #[test]
    fn a_reply_has_what_the_driver_has() {
        let reply = Message {
            command: 18,
            attributes: vec![
                number32(2, 8),
                number32(6, 4),
                number32(9, 3),
                DefaultNla::new(7, vec![1, 2]),
            ],
        };
        let rx = (Number::ChannelsRx, Reading { value: 4, value_max: Some(8) });
        let combined = (Number::ChannelsCombined, Reading { value: 3, value_max: None });
        assert_eq!(readings(Group::Channels, &reply), [rx, combined], "half a number is none");
        let reply = Message { command: 20, attributes: vec![DefaultNla::new(11, vec![1])] };
        let adaptive = (Number::AdaptiveRx, Reading { value: 1, value_max: None });
        assert_eq!(readings(Group::Coalescing, &reply), [adaptive]);
    }
}
