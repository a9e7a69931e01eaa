//! Why a command did not do what was asked, and the exit status that says so.

use std::fmt;
use std::process::ExitCode;

/// What ends a command early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Not a failure: text that was asked for, such as `--help`. Status 0.
    Shown(String),
    /// Whoever typed it can mend it: a flag, a file, an address in use. Status 2.
    Misused(String),
    /// Anything else. Status 1.
    Failed(String),
}

impl Failure {
    /// The exit status of the process.
    #[must_use]
    pub fn status(&self) -> ExitCode {
        match self {
            Self::Shown(_) => ExitCode::SUCCESS,
            Self::Failed(_) => ExitCode::from(1),
            Self::Misused(_) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shown(text) | Self::Misused(text) | Self::Failed(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Failure {}
