//! What a link saw of a packet, and when.

/// Octets of a packet that are kept: the heads of IPv4 and TCP with all their options, and the first octets of the
/// content.
pub const KEPT_OCTETS: usize = 96;

/// A packet at one end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When, in nanoseconds of `CLOCK_MONOTONIC`.
    pub at_ns: u64,
    /// Which link, by its place in the topology.
    pub link: u16,
    /// Which way.
    pub way: Way,
    /// What happened to it.
    pub event: Event,
    /// Octets of the whole IP packet.
    pub octets: u16,
    /// The first of these, at most [`KEPT_OCTETS`].
    pub kept: Vec<u8>,
}

/// A direction of a link: from the first of its two hosts to the second, or back.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// From the first host to the second.
    Forth,
    /// From the second host to the first.
    Back,
}

/// What a link does with a packet. One that is not dropped enters, and arrives later (twice if it was duplicated).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Its sender gave it to the link.
    Entered,
    /// The link gave it to the other host.
    Arrived,
    /// Lost at random.
    Lost,
    /// The queue was full.
    Overflowed,
    /// The script wanted it gone.
    Scripted,
}

impl Event {
    /// Whether the packet was dropped.
    pub fn is_drop(self) -> bool {
        match self {
            Self::Entered | Self::Arrived => false,
            Self::Lost | Self::Overflowed | Self::Scripted => true,
        }
    }
}
