//! Where values of knobs are read and written: the kernel ([`live`]), or a table in tests.

pub mod live;
mod pattern;

use crate::knobs::Knob;
use std::fmt;

/// The instance of a limit that no process is named for.
pub const OWN: &str = "self";

/// What holds values.
pub trait System {
    /// The places at which `knob` has a value, in a stable order: `""` for a knob that is there once, otherwise a
    /// device, a queue, a CPU, a route or a process. None if there is no such thing.
    fn instances(&mut self, knob: &'static Knob) -> Vec<String>;

    /// The value there.
    fn read(&mut self, knob: &'static Knob, instance: &str) -> Reading;

    /// Sets it.
    ///
    /// # Errors
    /// Why it is not set.
    fn write(&mut self, knob: &'static Knob, instance: &str, value: &str) -> Result<(), Refusal>;

    /// How many CPUs a mask of all has.
    fn cpus(&self) -> usize;
}

/// What was found at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A value.
    Is(Value),
    /// There is none, and why.
    Absent(String),
    /// It may not be read, and why.
    Denied(String),
    /// Reading it failed, though it is there or may be, and why.
    Failed(String),
}

/// A value that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// What is in force.
    pub text: String,
    /// What could be instead, where the kernel lists it.
    pub offered: Option<Vec<String>>,
    /// The largest that it could be, where the kernel says so.
    pub most: Option<u32>,
    /// Whether this process may write it.
    pub is_writable: bool,
}

impl Reading {
    /// The value, if there is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Is(value) => Some(&value.text),
            Self::Absent(_) | Self::Denied(_) | Self::Failed(_) => None,
        }
    }
}

/// Why a value was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which kind.
    pub kind: RefusalKind,
    /// In words.
    pub why: String,
}

/// The kinds of [`Refusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// This process may not: everything else may still be done.
    Denied,
    /// The kernel has not what is wanted, such as a module: everything else may still be done.
    Unavailable,
    /// Anything else: what has been done is taken back.
    Failed,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            RefusalKind::Denied => "denied: ",
            RefusalKind::Unavailable => "not available: ",
            RefusalKind::Failed => "failed: ",
        })?;
        f.write_str(&self.why)
    }
}

/// One place and what is there.
#[derive(Clone, Debug)]
pub struct Found {
    /// The knob.
    pub knob: &'static Knob,
    /// Which of its places.
    pub instance: String,
    /// The value.
    pub reading: Reading,
}

/// Reads all places of `knobs`. A knob without a place is found once, as absent.
pub fn survey(
    system: &mut impl System,
    knobs: impl IntoIterator<Item = &'static Knob>,
) -> Vec<Found> {
    let mut found = Vec::new();
    for knob in knobs {
        let instances = system.instances(knob);
        if instances.is_empty() {
            let reading = Reading::Absent("nothing here has it".to_owned());
            found.push(Found { knob, instance: String::new(), reading });
        }
        for instance in instances {
            let reading = system.read(knob, &instance);
            found.push(Found { knob, instance, reading });
        }
    }
    found
}

/// A knob and its place, as users read it.
#[must_use]
pub fn place(knob: &str, instance: &str) -> String {
    if instance.is_empty() { knob.to_owned() } else { format!("{knob}[{instance}]") }
}
