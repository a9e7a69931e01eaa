//! Why there is no lab, or no measurement, and who can mend it.

use super::scenario::ScenarioError;
use std::fmt;
use std::io;

/// What ends a scenario early.
#[derive(Debug)]
#[non_exhaustive]
pub enum WanError {
    /// A scenario file is wrong.
    Scenario(ScenarioError),
    /// This machine or this user has not what a lab takes.
    Missing(String),
    /// A program of the lab did not do what it should.
    Program {
        /// Its name in the scenario.
        name: String,
        /// What, and its last words.
        what: String,
    },
    /// What was measured did not come about.
    Measurement(String),
    /// The operating system refused something.
    Io(String, io::Error),
    /// Whoever started it asked it to end.
    Stopped,
}

impl WanError {
    /// Whether whoever typed the command can mend it: exit status 2 instead of 1.
    #[must_use]
    pub fn is_misuse(&self) -> bool {
        match self {
            Self::Scenario(_) | Self::Missing(_) => true,
            Self::Program { .. } | Self::Measurement(_) | Self::Io(..) | Self::Stopped => false,
        }
    }

    /// For `map_err`: the error of doing `what`.
    pub(super) fn io(what: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        let what = what.to_string();
        move |error| Self::Io(what, error)
    }
}

impl fmt::Display for WanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scenario(error) => error.fmt(f),
            Self::Missing(what) | Self::Measurement(what) => f.write_str(what),
            Self::Program { name, what } => write!(f, "program {name}: {what}"),
            Self::Io(what, error) => write!(f, "{what}: {error}"),
            Self::Stopped => f.write_str("stopped before the end"),
        }
    }
}

impl std::error::Error for WanError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Scenario(error) => Some(error),
            Self::Io(_, error) => Some(error),
            Self::Missing(_) | Self::Program { .. } | Self::Measurement(_) | Self::Stopped => None,
        }
    }
}
