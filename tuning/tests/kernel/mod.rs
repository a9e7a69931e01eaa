//! A kernel that is lost in the middle, and what tests of several programs do with it.

use lastmile_tuning::apply::{Applied, apply};
use lastmile_tuning::knobs::Knob;
use lastmile_tuning::profile::Profile;
use lastmile_tuning::system::live::Live;
use lastmile_tuning::system::{Reading, Refusal, System};
use std::panic::resume_unwind;
use std::path::Path;

/// Applies it, and sees that no step fails.
pub(crate) fn applied(system: &mut impl System, journal: &Path, profile: &Profile) -> Applied {
    let mut events = Vec::new();
    let applied = apply(system, journal, profile, &mut |event| events.push(event)).unwrap();
    assert!(!applied.is_rolled_back, "{events:?}");
    applied
}

/// The names of `knobs`.
pub(crate) fn ids(knobs: &[&'static Knob]) -> Vec<&'static str> {
    knobs.iter().map(|knob| knob.id).collect()
}

/// Ends the process, as far as a test can, before or after the write of this number.
pub(crate) struct Crashing {
    /// What it writes to until then.
    pub live: Live,
    /// How many writes there were.
    pub writes: usize,
    /// Which write ends it.
    pub at: usize,
    /// Whether that is still done.
    pub is_after: bool,
}

impl System for Crashing {
    fn instances(&mut self, knob: &'static Knob) -> Vec<String> {
        self.live.instances(knob)
    }

    fn read(&mut self, knob: &'static Knob, instance: &str) -> Reading {
        self.live.read(knob, instance)
    }

    fn write(&mut self, knob: &'static Knob, instance: &str, value: &str) -> Result<(), Refusal> {
        let is_now = self.writes == self.at;
        self.writes += 1;
        if is_now && !self.is_after {
            // Unlike a panic it says nothing.
            resume_unwind(Box::new("ended"));
        }
        self.live.write(knob, instance, value)?;
        if is_now {
            resume_unwind(Box::new("ended"));
        }
        Ok(())
    }

    fn cpus(&self) -> usize {
        self.live.cpus()
    }
}
