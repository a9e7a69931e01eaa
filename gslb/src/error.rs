//! What a user sees when a start or a check fails: file, line, key, value, and what is allowed.

use std::{fmt, io};

/// Whose fault it is that a start failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The configuration, a file's content, or an address that is in use: exit status 2.
    Misuse,
    /// The machine: exit status 1.
    Failure,
}

/// A configuration or one of its files that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file (or the name of inline text); `None` for an option that names no file.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<usize>,
    /// What is wrong: the key, the value and what is allowed.
    pub message: String,
}

impl ConfigError {
    pub(crate) fn new(file: &str, line: Option<usize>, message: impl Into<String>) -> Self {
        Self { file: Some(file.to_owned()), line, message: message.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(out, "{file}:")?;
            if let Some(line) = self.line {
                write!(out, "{line}:")?;
            }
            write!(out, " ")?;
        }
        out.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}

/// Why a GSLB did not start; nothing is left half-started.
#[derive(Debug)]
pub enum StartError {
    /// The configuration or one of its files.
    Config(ConfigError),
    /// The address could not be bound.
    Bind(std::net::SocketAddr, io::Error),
    /// A thread or a socket of a worker could not be made.
    Worker(io::Error),
}

impl StartError {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Config(_) | Self::Bind(..) => ErrorKind::Misuse,
            Self::Worker(_) => ErrorKind::Failure,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(out),
            Self::Bind(address, error) => match error.kind() {
                io::ErrorKind::AddrInUse => {
                    write!(out, "gslb: {address} is in use by another process")
                }
                _ => write!(out, "gslb: cannot listen on {address}: {error}"),
            },
            Self::Worker(error) => write!(out, "gslb: cannot start a worker: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
