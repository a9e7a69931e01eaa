//! Why an origin did not start.

use std::fmt;

/// Who can do something about a [`StartError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartErrorKind {
    /// The configuration asks for what this machine does not offer (an address in use, a missing directory): the
    /// caller changes it; exit status 2.
    Misuse,
    /// The system failed; trying again may help; exit status 1.
    Failure,
}

/// Why an origin did not start: one line that says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartError {
    kind: StartErrorKind,
    message: String,
}

impl StartError {
    pub(crate) fn misuse(message: String) -> Self {
        Self { kind: StartErrorKind::Misuse, message }
    }

    pub(crate) fn failure(message: String) -> Self {
        Self { kind: StartErrorKind::Failure, message }
    }

    /// Misuse or failure.
    #[must_use]
    pub fn kind(&self) -> StartErrorKind {
        self.kind
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for StartError {}
