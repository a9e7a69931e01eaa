//! A link in one direction, as a computation: a packet enters at a time, and either arrives at another time or is
//! dropped for a reason. It reads no clock and moves no octets; the `emulator` beside it does.
//!
//! * [`conditions`]: what a link is like; [`text`]: as a scenario's file writes it.
//! * In the order in which a packet meets them: [`packet`], what it is; [`script`], whether it was to be dropped;
//!   `loss`, whether it is lost by chance; `serialiser`, when the link has sent it, or that the queue was full.

#![forbid(unsafe_code)]

pub mod conditions;
mod loss;
pub mod packet;
pub mod script;
mod serialiser;
#[cfg(test)]
mod tests;
pub mod text;

pub use conditions::{Burst, Change, Conditions, Probability, Queue, Rate};
pub use packet::Kind;
pub use script::DropScript;

use super::capture::Event;
use fastrand::Rng;
use loss::Loss;
use script::Counted;
use serialiser::Serialiser;
use std::time::Duration;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives at this time.
    Arrives(u64),
    /// It arrives twice at this time.
    Duplicated(u64),
    /// It does not.
    Dropped(DropReason),
}

/// Why a packet does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// By chance.
    Lost,
    /// There was no room left in the queue.
    Overflowed,
    /// A script wanted it so.
    Scripted,
}

impl DropReason {
    /// How a capture shows it.
    #[must_use]
    pub fn event(self) -> Event {
        match self {
            Self::Lost => Event::Lost,
            Self::Overflowed => Event::Overflowed,
            Self::Scripted => Event::Scripted,
        }
    }
}

/// One direction of a link. All times are nanoseconds of one clock, which does not go back.
#[derive(Clone, Debug)]
pub struct Link {
    /// What it is like at the start of each measurement.
    base: Conditions,
    /// What it is like now.
    now: Conditions,
    /// How many of the base's changes have come.
    changes_done: usize,
    /// Changes and scripts count from here; before the first measurement no change comes.
    measured_since_ns: Option<u64>,
    scripts: Vec<Counted>,
    loss: Loss,
    serialiser: Serialiser,
    jitter: Rng,
    duplication: Rng,
    /// When the last packet arrives, of those that must not overtake.
    last_ns: u64,
}

impl Link {
    /// One that has carried nothing yet. Chance is decided by `seed` and the packets' order alone, each kind of it for
    /// itself: the same packets are lost whether there is jitter or not.
    #[must_use]
    pub fn new(conditions: Conditions, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        Self {
            now: conditions.clone(),
            changes_done: 0,
            measured_since_ns: None,
            scripts: conditions.drops.iter().copied().map(Counted::new).collect(),
            base: conditions,
            loss: Loss::new(random.fork()),
            serialiser: Serialiser::default(),
            jitter: random.fork(),
            duplication: random.fork(),
            last_ns: 0,
        }
    }

    /// What it is like at the start of each measurement.
    #[must_use]
    pub fn conditions(&self) -> &Conditions {
        &self.base
    }

    /// Makes it another link from the next packet on. What has entered arrives as it would have; scripts and changes
    /// begin at `now_ns`; chance goes on.
    pub fn set(&mut self, conditions: Conditions, now_ns: u64) {
        self.base = conditions;
        self.scripts.clear();
        self.begin(now_ns);
    }

    /// Starts a measurement: scripts count from 1 again, and changes from `now_ns`. Chance goes on.
    pub fn begin(&mut self, now_ns: u64) {
        self.measured_since_ns = Some(now_ns);
        self.changes_done = 0;
        self.scripts.clear();
        self.hold(self.base.clone());
    }

    /// A packet enters.
    pub fn enter(&mut self, now_ns: u64, packet: &[u8]) -> Fate {
        self.change(now_ns);
        // Chance is asked about each packet, whatever else becomes of it: so which packets are lost depends on the
        // seed and not on when they came.
        let is_lost = self.loss.decide(&self.now);
        let jitter_ns = self.jitter_ns();
        let is_twice = self.now.duplicate.decide(&mut self.duplication);
        if self.is_scripted(packet) {
            return Fate::Dropped(DropReason::Scripted);
        }
        if is_lost {
            return Fate::Dropped(DropReason::Lost);
        }
        let Some(sent_ns) = self.serialiser.send(now_ns, packet.len(), &self.now) else {
            return Fate::Dropped(DropReason::Overflowed);
        };
        let arrives_ns = self.in_order(sent_ns + nanoseconds(self.now.delay) + jitter_ns);
        if is_twice { Fate::Duplicated(arrives_ns) } else { Fate::Arrives(arrives_ns) }
    }

    /// The most that has waited in the queue.
    #[must_use]
    pub fn queue_max(&self) -> QueueMax {
        self.serialiser.queue_max()
    }

    /// Forgets what has waited in the queue until now.
    pub fn forget_queue_max(&mut self) {
        self.serialiser.forget_queue_max();
    }

    /// Applies the changes whose time has come.
    fn change(&mut self, now_ns: u64) {
        let Some(since_ns) = self.measured_since_ns else { return };
        while let Some(change) = self.base.changes.get(self.changes_done) {
            if nanoseconds(change.at) > now_ns.saturating_sub(since_ns) {
                return;
            }
            self.changes_done += 1;
            self.hold(change.conditions.clone());
        }
    }

    /// Lets `conditions` hold. A script that held before goes on counting.
    fn hold(&mut self, conditions: Conditions) {
        let mut before = std::mem::take(&mut self.scripts);
        for script in &conditions.drops {
            let running = before.iter().position(|counted| counted.script() == *script);
            let counted = running.map(|at| before.swap_remove(at));
            self.scripts.push(counted.unwrap_or_else(|| Counted::new(*script)));
        }
        self.now = conditions;
    }

    fn is_scripted(&mut self, packet: &[u8]) -> bool {
        if self.scripts.is_empty() {
            return false;
        }
        let kind = packet::classify(packet);
        // All of them count, also after one has decided.
        self.scripts.iter_mut().fold(false, |drops, script| script.wants(kind) | drops)
    }

    fn jitter_ns(&mut self) -> u64 {
        match nanoseconds(self.now.jitter) {
            0 => 0,
            most => self.jitter.u64(0..=most),
        }
    }

    fn in_order(&mut self, arrives_ns: u64) -> u64 {
        if self.now.reorder {
            return arrives_ns;
        }
        self.last_ns = self.last_ns.max(arrives_ns);
        self.last_ns
    }
}

/// The most that has waited in a queue at once, without what was being sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueMax {
    /// In packets.
    pub packets: usize,
    /// In octets of IP packets.
    pub octets: usize,
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
