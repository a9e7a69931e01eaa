//! Why there is no report, and who can mend it.

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// What ends a comparison early.
#[derive(Debug)]
#[non_exhaustive]
pub enum BenchError {
    /// A program that is measured, or measures, is not installed.
    Missing {
        /// What was looked for in `PATH`.
        program: &'static str,
        /// The package of Debian that has it.
        package: &'static str,
    },
    /// The settings make no sense.
    Settings(String),
    /// A peer did not start, answered something else than the origin, or would not cache.
    Peer {
        /// Which one.
        peer: &'static str,
        /// In one line.
        what: String,
    },
    /// The load generator could not do its work.
    Load(String),
    /// Nobody takes connections where the load goes.
    Unreachable(SocketAddr, io::Error),
    /// The operating system refused something.
    Io(&'static str, io::Error),
    /// Whoever started it asked it to end.
    Stopped,
}

impl BenchError {
    /// Whether whoever typed the command can mend it: exit status 2 instead of 1.
    #[must_use]
    pub fn is_misuse(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::Settings(_) => true,
            Self::Peer { .. }
            | Self::Load(_)
            | Self::Unreachable(..)
            | Self::Io(..)
            | Self::Stopped => false,
        }
    }
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { program, package } => {
                write!(f, "{program} is not installed: apt-get install {package}")
            }
            Self::Settings(what) => f.write_str(what),
            Self::Peer { peer, what } => write!(f, "{peer}: {what}"),
            Self::Load(what) => write!(f, "load: {what}"),
            Self::Unreachable(address, error) => write!(f, "no connection to {address}: {error}"),
            Self::Io(what, error) => write!(f, "{what}: {error}"),
            Self::Stopped => f.write_str("stopped before the end; no report"),
        }
    }
}

impl std::error::Error for BenchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(_, error) | Self::Unreachable(_, error) => Some(error),
            Self::Missing { .. }
            | Self::Settings(_)
            | Self::Peer { .. }
            | Self::Load(_)
            | Self::Stopped => None,
        }
    }
}
