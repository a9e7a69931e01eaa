//! `lastmile bench dns`: lastmile's GSLB beside other name servers.
//!
//! * `case`: what is asked of them, and what lastmile must reach; `prefixes`: the map that steers; `zone`: the zone as
//!   each of them reads it; `questions`, `message`: the datagrams.
//! * `round`: one server, asked for a while by the `load`.
//!
//! Its rounds are as those of [`crate::compare`]: each asks every peer in turn, in an order that turns around.

mod case;
mod load;
mod message;
mod prefixes;
mod questions;
mod round;
pub(crate) mod zone;

pub use case::{DNS_CASES, DnsCase};
pub use prefixes::PREFIXES_MAX;

use crate::compare::{ROUNDS_MAX, SECONDS_MAX};
use crate::error::BenchError;
use crate::fingerprint::Fingerprint;
use crate::peer::{Ground, Peer, Server, directory, on_core, present};
use crate::process;
use crate::report::{Cell, Report, Subject, Verdict};
use crate::watch::Cores as Watched;
use lastmile_tuning::cpu::{Cores, pin_current_thread};
use questions::Questions;
use round::{Stage, play};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What its report is about.
const SUBJECT: Subject = Subject {
    command: "lastmile bench dns",
    heading: "lastmile's GSLB beside other name servers",
    beside: "load",
    goals: case::GOALS,
    has_floors: false,
    method: &[
        "a request is a query over UDP: 64 sockets, 192 queries under way, all answers looked at",
        "CPU: of all of the server's processes; how it divides into user and system is sampled by the kernel",
        "busy: part of the time in which the server had its core: below 90 % the load is the limit",
        "ratio: CPU by lastmile's, so above 1 is costlier than lastmile",
    ],
};

/// What to compare.
#[derive(Clone, Debug)]
pub struct DnsConfig {
    /// The `lastmile` executable.
    pub lastmile: PathBuf,
    /// Who takes part, each once.
    pub peers: Vec<Peer>,
    /// Whether a peer that is not there, or does not start, is an error; otherwise it is left out with a warning.
    pub all_peers: bool,
    /// In what.
    pub cases: Vec<DnsCase>,
    /// How often each; 1 to [`ROUNDS_MAX`].
    pub rounds: u32,
    /// How long each time; at most [`SECONDS_MAX`].
    pub duration: Duration,
    /// How often a round is repeated that was disturbed or had errors.
    pub repeats: u32,
    /// Prefixes of the map; 1 to [`PREFIXES_MAX`].
    pub prefixes: u32,
    /// Set by whoever wants it to end soon.
    pub stop: Arc<AtomicBool>,
}

/// Compares, and tells `progress` a line now and then.
///
/// The calling thread is pinned to the core of the load, and stays so; it must live until this returns.
///
/// # Errors
/// A program that is missing, lastmile that does not start, or a request to stop. All that was started has ended then.
pub fn run(config: &DnsConfig, progress: &mut dyn FnMut(&str)) -> Result<Report, BenchError> {
    check(config)?;
    let pinning = |error| BenchError::Io("pinning to a core", error);
    let cores = Cores::allowed().map_err(pinning)?;
    let (Some(&server), Some(&load)) = (cores.numbers().first(), cores.numbers().last()) else {
        return Err(BenchError::Settings("no core may be used".to_owned()));
    };
    let mut warnings = Vec::new();
    let peers = present(&config.peers, &mut warnings);
    if server == load {
        let what = "one core only: req/s and latencies mix the server with the load";
        warnings.push(what.to_owned());
    }
    for warning in &warnings {
        progress(warning);
    }
    let pinned = [server, load];
    let fingerprint =
        Fingerprint::take(&peers, &config.lastmile, None, cores.numbers().len(), pinned);
    pin_current_thread(load).map_err(pinning)?;
    let mut contest =
        Contest { config, peers, cores: Watched { server, load, origin: None }, warnings };
    let mut cells = Vec::new();
    for case in &config.cases {
        cells.extend(contest.run(*case, progress)?);
    }
    let warnings = contest.warnings;
    Ok(Report::new(SUBJECT, fingerprint, config.rounds, config.duration, warnings, cells))
}

fn check(config: &DnsConfig) -> Result<(), BenchError> {
    let settings = |what: String| Err(BenchError::Settings(what));
    if !(1..=ROUNDS_MAX).contains(&config.rounds) {
        return settings(format!("{} rounds; allowed: 1 to {ROUNDS_MAX}", config.rounds));
    }
    if config.duration.is_zero() || config.duration > Duration::from_secs(SECONDS_MAX.into()) {
        let seconds = config.duration.as_secs_f64();
        return settings(format!("{seconds} seconds; allowed: 1 to {SECONDS_MAX}"));
    }
    if !(1..=PREFIXES_MAX).contains(&config.prefixes) {
        return settings(format!("{} prefixes; allowed: 1 to {PREFIXES_MAX}", config.prefixes));
    }
    if config.peers.is_empty() || config.cases.is_empty() {
        return settings("nothing to compare: no peer or no case".to_owned());
    }
    let needed = config.peers.iter().filter(|_| config.all_peers).filter_map(|peer| peer.needs());
    for (program, package) in needed {
        if process::find(program).is_none() {
            return Err(BenchError::Missing { program, package });
        }
    }
    Ok(())
}

/// What goes from case to case.
struct Contest<'a> {
    config: &'a DnsConfig,
    peers: Vec<Peer>,
    cores: Watched,
    warnings: Vec<String>,
}

impl Contest<'_> {
    /// All rounds of one case, with servers of its own.
    fn run(
        &mut self,
        case: DnsCase,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Cell>, BenchError> {
        let questions = case.questions(self.config.prefixes);
        let zone = directory()?;
        zone::write(zone.path(), questions.prefixes())
            .map_err(|error| BenchError::Io("the zone's files", error))?;
        let ground = Ground {
            lastmile: self.config.lastmile.clone(),
            before: None,
            origin: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            zone: Some(zone.path().to_path_buf()),
            core: self.cores.server,
        };
        let servers = self.start(case, &ground, &questions, progress)?;
        let cell = |peer: &Peer| Cell::of(case.name(), case.title(), case.metrics(), *peer);
        let started = self.peers.iter().filter(|peer| servers.contains_key(peer));
        let mut cells: Vec<_> = started.map(cell).collect();
        let (cores, duration) = (self.cores, self.config.duration);
        let stage = Stage { questions: &questions, cores, duration, stop: &self.config.stop };
        for round in 0..self.config.rounds {
            let mut turns: Vec<&mut Cell> = cells.iter_mut().collect();
            if round % 2 == 1 {
                turns.reverse();
            }
            for cell in turns {
                let Some(server) = servers.get(&cell.peer) else { continue };
                self.turn(&stage, cell, server, round, progress)?;
            }
        }
        Ok(cells)
    }

    /// The servers of a case, each of which answers as it should.
    fn start(
        &mut self,
        case: DnsCase,
        ground: &Ground,
        questions: &Questions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<BTreeMap<Peer, Server>, BenchError> {
        let (subnets, load) = (case == DnsCase::Subnets, self.cores.load);
        let mut servers = BTreeMap::new();
        for peer in self.peers.iter().copied().filter(|peer| case.takes(*peer)) {
            let start = || peer.start_names(ground, subnets);
            let started = on_core(ground.core, load, start).and_then(|server| {
                round::probe(peer, server.address, questions, &self.config.stop)?;
                Ok(server)
            });
            match started {
                Ok(server) => {
                    servers.insert(peer, server);
                }
                Err(BenchError::Peer { peer: name, what })
                    if peer != Peer::Lastmile && !self.config.all_peers =>
                {
                    let warning = format!("{name} is left out of {}: {what}", case.name());
                    progress(&warning);
                    self.warnings.push(warning);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(servers)
    }

    /// One peer's turn, repeated until it counts.
    fn turn(
        &self,
        stage: &Stage<'_>,
        cell: &mut Cell,
        server: &Server,
        round: u32,
        progress: &mut dyn FnMut(&str),
    ) -> Result<(), BenchError> {
        for _ in 0..=self.config.repeats {
            let sample = play(stage, server, round)?;
            progress(&cell.told(&sample));
            let clean = sample.verdict == Verdict::Clean;
            cell.samples.push(sample);
            if clean {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
