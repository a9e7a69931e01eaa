//! The answers without the sockets, for programs that look at them: octets in, octets out.

use crate::answer::{Asked, Tables, Transport, answer};
use crate::counters::{self, Counters, Sample};
use crate::load::load;
use crate::mode::Moment;
use crate::{Config, ConfigError};
use std::iter;
use std::net::IpAddr;

/// What a GSLB would answer from. No socket, no thread, and all edges are up.
#[derive(Debug)]
pub struct Offline {
    tables: Tables,
    counters: Counters,
}

impl Offline {
    /// Reads every file that `config` names.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line, key, value and what is allowed.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let (tables, _) = load(config)?;
        Ok(Self { tables, counters: Counters::default() })
    }

    /// Writes the answer to a message from `peer` into `out`, and says how many octets it has; 0
    /// stands for none. `out` holds at least 512 octets, and over TCP bounds the answer. Where
    /// chance decides, `random` does. It is 1970, for cookies, and no mode is on.
    pub fn answer(
        &mut self,
        message: &[u8],
        peer: IpAddr,
        transport: Transport,
        random: u64,
        out: &mut [u8],
    ) -> usize {
        let asked = Asked { packet: message, peer, transport, random, moment: Moment::default() };
        let answered = answer(&self.tables, &asked, out);
        self.counters.count_answer(transport, &answered);
        answered.octets
    }

    /// The counters so far: name, help, value.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        counters::samples(iter::once(&self.counters))
    }
}
