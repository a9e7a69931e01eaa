//! `lastmile bench load`: requests, as many or as often as is asked, and what became of them.
//!
//! [`run`] is one thread of load on one ring of io_uring, [`run_on`] several, each on a core. In the order in which a
//! request meets them:
//!
//! * [`Load`]: what is asked for. `targets`: of what; `schedule`: when.
//! * `engine`: the loop, and `connection`: what each connection is doing.
//! * `response`: the octets that come back, `expected`: what they must be.
//! * `tally`: what happens is counted when it does. `outcome`: what it all comes to. `report`: the same as JSON, text
//!   and a page.

mod connection;
mod engine;
mod expected;
mod outcome;
mod report;
pub(crate) mod response;
mod schedule;
mod tally;
mod targets;
mod threads;

pub use outcome::{Errors, Interval, Outcome};
pub use report::{Point, Quantiles, Report};
pub use targets::{Sizes, Targets};
pub use threads::run_on;

use crate::error::BenchError;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Connections of a load: what 28,000 ports of one address and the usual limit of descriptors leave room for.
pub const CONNECTIONS_MAX: usize = 20_000;

/// Requests that a connection sends at once. More than servers read in one go shows nothing new.
pub const PIPELINE_MAX: usize = 256;

/// Requests per second of an open loop: far beyond what a core can send; above it the clock's steps of 1 ns show.
pub const RATE_MAX: f64 = 50e6;

/// How long a load may last, with its warm-up: a day.
pub const DURATION_MAX: Duration = Duration::from_secs(86_400);

/// Octets of a target or of a field: well within what servers take as a head.
pub const LINE_OCTETS_MAX: usize = 4096;

/// A load: who is asked, for what, how often and for how long.
#[derive(Clone, Debug)]
pub struct Load {
    /// The server.
    pub address: SocketAddr,
    /// The Host field; `None`: the address.
    pub host: Option<String>,
    /// Other fields of each request, as `Name: value`.
    pub fields: Vec<String>,
    /// What is asked for.
    pub targets: Targets,
    /// Connections at a time; 1 to [`CONNECTIONS_MAX`].
    pub connections: usize,
    /// Requests that a connection sends at once, the next ones when all are answered; 1 to [`PIPELINE_MAX`].
    pub pipeline: usize,
    /// Requests per second in total, started on time whatever becomes of earlier ones (an open loop); `None`: each
    /// connection asks again when it has its answer (a closed loop).
    pub rate: Option<f64>,
    /// How long requests are started and counted, after the warm-up.
    pub duration: Duration,
    /// How long requests are started before any counts.
    pub warmup: Duration,
    /// Requests after which a connection is closed and opened anew, the last of which says so; `None`: none.
    pub requests_per_connection: Option<u64>,
    /// How long a connection is quiet between an answer and its next request.
    pub think: Duration,
    /// Octets per second that each connection reads at most.
    pub read_rate: Option<u64>,
    /// After how long without an octet a request is given up with its connection.
    pub timeout: Duration,
    /// Whether contents are compared with those of lastmile's synthetic origin.
    pub check: bool,
    /// Whether each connection sends one request and then stays open to the end.
    pub hold: bool,
    /// Which random choices are made.
    pub seed: u64,
}

impl Load {
    /// 64 connections that ask for `targets` at `address` in a closed loop for 10 s.
    #[must_use]
    pub fn new(address: SocketAddr, targets: Targets) -> Self {
        Self {
            address,
            host: None,
            fields: Vec::new(),
            targets,
            connections: 64,
            pipeline: 1,
            rate: None,
            duration: Duration::from_secs(10),
            warmup: Duration::ZERO,
            requests_per_connection: None,
            think: Duration::ZERO,
            read_rate: None,
            timeout: Duration::from_secs(10),
            check: false,
            hold: false,
            seed: 1,
        }
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// [`BenchError::Settings`] with the value and what is allowed.
    pub fn check(&self) -> Result<(), BenchError> {
        let bounds = [
            ("connections", self.connections, 1, CONNECTIONS_MAX),
            ("requests at once", self.pipeline, 1, PIPELINE_MAX),
        ];
        for (what, value, low, high) in bounds {
            if !(low..=high).contains(&value) {
                return Err(settings(format!("{value} {what}; allowed: {low} to {high}")));
            }
        }
        if self.rate.is_some_and(|rate| !(0.001..=RATE_MAX).contains(&rate)) {
            let rate = self.rate.unwrap_or_default();
            return Err(settings(format!("{rate} requests/s; allowed: 0.001 to {RATE_MAX:.0}")));
        }
        if self.duration.is_zero() || self.duration + self.warmup > DURATION_MAX {
            let what = "the duration is nothing, or more than a day with its warm-up";
            return Err(settings(what.to_owned()));
        }
        if self.timeout.is_zero() {
            return Err(settings("no time for an answer".to_owned()));
        }
        if self.read_rate == Some(0) || self.requests_per_connection == Some(0) {
            let what = "a connection that reads nothing, or has no requests, measures nothing";
            return Err(settings(what.to_owned()));
        }
        if self.pipeline > 1 && self.hold {
            return Err(settings("connections that are held send one request each".to_owned()));
        }
        self.targets.check(self)
    }
}

/// What a load has come to so far; told ten times a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Since the start, which is when all connections are made; warm-up included.
    pub elapsed: Duration,
    /// Connections that are open.
    pub open: usize,
    /// Responses, warm-up included.
    pub answered: u64,
    /// Octets received.
    pub octets: u64,
    /// Errors of all kinds.
    pub errors: u64,
}

/// Makes the connections, then does what `load` says on the calling thread, until it is over or `stop` is set, and
/// tells `progress` about ten times a second.
///
/// # Errors
/// [`BenchError::Settings`]; [`BenchError::Io`] when there is no io_uring here; [`BenchError::Unreachable`].
/// That a server fails is no error of the load but among its results.
pub fn run(
    load: &Load,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Outcome, BenchError> {
    run_part(load, 0, stop, progress)
}

/// [`run`] as one of several threads: number `part`, so that unique targets and random choices differ.
fn run_part(
    load: &Load,
    part: usize,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Outcome, BenchError> {
    load.check()?;
    limit_of_files(load.connections)?;
    TcpStream::connect_timeout(&load.address, load.timeout)
        .map_err(|error| BenchError::Unreachable(load.address, error))?;
    engine::Engine::new(load, part)?.run(stop, progress)
}

/// A ring's own table of descriptors counts against the limit, though not its entries.
fn limit_of_files(connections: usize) -> Result<(), BenchError> {
    let limit = lastmile_tuning::files::raise_limit()
        .map_err(|error| BenchError::Io("the limit of open files", error))?;
    if u64::try_from(connections).is_ok_and(|needed| needed > limit) {
        return Err(settings(format!(
            "{connections} connections, but this process may have {limit} descriptors: raise the hard limit \
             (ulimit -Hn, or LimitNOFILE= of the service)"
        )));
    }
    Ok(())
}

fn settings(what: String) -> BenchError {
    BenchError::Settings(what)
}
