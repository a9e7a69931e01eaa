//! Packets lost by chance: each for itself, or in bursts.

use super::conditions::Conditions;
use fastrand::Rng;

/// Whether a link is in a bad time, and its chance.
#[derive(Clone, Debug)]
pub(super) struct Loss {
    is_bad: bool,
    state: Rng,
    packets: Rng,
}

impl Loss {
    pub(super) fn new(mut random: Rng) -> Self {
        Self { is_bad: false, state: random.fork(), packets: random }
    }

    /// Whether the next packet is lost.
    pub(super) fn decide(&mut self, conditions: &Conditions) -> bool {
        let Some(burst) = conditions.burst else {
            self.is_bad = false;
            return conditions.loss.decide(&mut self.packets);
        };
        let turn = if self.is_bad { burst.leave } else { burst.enter };
        self.is_bad ^= turn.decide(&mut self.state);
        let loss = if self.is_bad { burst.loss } else { conditions.loss };
        loss.decide(&mut self.packets)
    }
}
