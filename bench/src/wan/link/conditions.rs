//! What a link is like in one direction.

use super::script::DropScript;
use fastrand::Rng;
use std::time::Duration;

/// What a link is like in one direction, and what it becomes over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// From the end of sending a packet to its arrival.
    pub delay: Duration,
    /// Each packet takes up to so much longer, all times equally likely.
    pub jitter: Duration,
    /// Whether jitter lets packets overtake each other; otherwise one that is late holds up those behind it.
    pub reorder: bool,
    /// How fast packets are sent; `None` is at once.
    pub rate: Option<Rate>,
    /// What waits for being sent; of no use without a rate.
    pub queue: Queue,
    /// How likely a packet is lost, each for itself.
    pub loss: Probability,
    /// Times in which more are lost.
    pub burst: Option<Burst>,
    /// How likely a packet arrives twice.
    pub duplicate: Probability,
    /// Which packets are dropped for certain.
    pub drops: Vec<DropScript>,
    /// What comes later, in the order of time. Changes within a change are not looked at.
    pub changes: Vec<Change>,
}

impl Conditions {
    /// Nothing but a delay.
    #[must_use]
    pub fn of_delay(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }
}

/// What a link becomes at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When, since the start of the measurement.
    pub at: Duration,
    /// All that holds from then on, for packets that enter then. Of its scripts, those that held before go on counting.
    pub conditions: Conditions,
}

/// A speed in bits per second, at least 1. Only octets of IP packets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

impl Rate {
    /// `None` for 0.
    #[must_use]
    pub fn new(bits_per_second: u64) -> Option<Self> {
        (bits_per_second > 0).then_some(Self(bits_per_second))
    }

    /// In bits per second.
    #[must_use]
    pub fn bits_per_second(self) -> u64 {
        self.0
    }

    /// How long it takes to send a packet, rounded up.
    #[must_use]
    pub fn sending_ns(self, octets: usize) -> u64 {
        (octets as u64 * 8 * 1_000_000_000).div_ceil(self.0)
    }
}

/// What may wait while another packet is being sent; what comes on top is dropped (drop-tail).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// So many packets.
    Packets(usize),
    /// Packets of so many octets together.
    Octets(usize),
}

impl Default for Queue {
    /// The queue of a network device of Linux.
    fn default() -> Self {
        Self::Packets(1_000)
    }
}

/// A probability, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Probability(f64);

impl Probability {
    /// `None` for what is not from 0 to 1.
    #[must_use]
    pub fn new(part: f64) -> Option<Self> {
        (0.0..=1.0).contains(&part).then_some(Self(part))
    }

    /// From 0 to 1.
    #[must_use]
    pub fn part(self) -> f64 {
        self.0
    }

    /// Asks chance, unless there is nothing to ask.
    pub(super) fn decide(self, random: &mut Rng) -> bool {
        self.0 > 0.0 && random.f64() < self.0
    }
}

/// Times in which packets are lost more often (E. N. Gilbert, "Capacity of a Burst-Noise Channel", 1960; E. O. Elliott,
/// "Estimates of Error Rates for Codes on Burst-Noise Channels", 1963). Before each packet the link may go from good to
/// bad or back; in the good state the conditions' own loss holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// How likely the link goes from good to bad.
    pub enter: Probability,
    /// How likely it goes back.
    pub leave: Probability,
    /// How likely a packet is lost in the bad state.
    pub loss: Probability,
}
