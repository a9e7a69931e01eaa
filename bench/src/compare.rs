//! `lastmile bench compare`: the rounds.
//!
//! Each round plays the scene of a case with every peer in turn, in an order that turns around from round to round, so
//! that whatever changes on the machine meets all of them. Servers run on one core, the load and the origin on another.

mod servers;

use crate::case::{Case, Scene};
use crate::error::BenchError;
use crate::fingerprint::Fingerprint;
use crate::goal::GOALS;
use crate::origin::Origin;
use crate::peer::{Ground, Peer, present};
use crate::report::{Cell, Report, Sample, Subject, Verdict};
use crate::scene::{self, Loader, Played, Stage, Warm};
use crate::watch;
use crate::{process, wrk};
use lastmile_tuning::cpu::{Cores, pin_current_thread};
use servers::Servers;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Rounds of a comparison. More make medians no better, but the run hours long.
pub const ROUNDS_MAX: u32 = 1_000;

/// Seconds of load in a round: an object that is fresh for an hour stays fresh.
pub const SECONDS_MAX: u32 = 1_800;

/// Rounds of a case about memory, which does not depend on what else the machine does.
const MEMORY_ROUNDS_MAX: u32 = 2;

/// Part of a budget that may go to rounds that are repeated: figures of all cases that are marked are worth more than
/// clean ones of a few.
const REPEATING_SHARE_MAX: f64 = 0.15;

/// What its report is about.
pub(crate) const SUBJECT: Subject = Subject {
    command: "lastmile bench compare",
    heading: "lastmile beside its peers",
    beside: "load and origin",
    goals: GOALS,
    has_floors: true,
    method: &[
        "CPU: of all of the server's processes; memory: of the same (Pss, and files it keeps in RAM), without the \
         kernel's sockets",
        "ratio: the first figure by lastmile's, so above 1 is costlier than lastmile; floor: by the lower floor's",
        "where TCP is BBR, lastmile and the floors are on another one on loopback (--congestion), the others on BBR",
    ],
};

/// Objects from which on filling a cache takes so long that it is done once.
const MANY_OBJECTS: u32 = 500_000;

/// What to compare.
#[derive(Clone, Debug)]
pub struct Config {
    /// The `lastmile` executable: the edge that is measured, the origin and the floors.
    pub lastmile: PathBuf,
    /// Another one to compare it with: [`Peer::Before`] takes part.
    pub before: Option<PathBuf>,
    /// Who takes part, each once.
    pub peers: Vec<Peer>,
    /// Whether a peer that is not there, or does not start, is an error; otherwise it is left out with a warning.
    pub all_peers: bool,
    /// In what.
    pub cases: Vec<&'static Case>,
    /// How often each; 1 to [`ROUNDS_MAX`].
    pub rounds: u32,
    /// How long each time; at most [`SECONDS_MAX`].
    pub duration: Duration,
    /// How often a round is repeated that was disturbed or had errors. On a machine that is never quiet the comparison
    /// must end too; its figures are marked then.
    pub repeats: u32,
    /// After this long nothing new is begun, and no more than a part of it goes to repeating.
    pub budget: Option<Duration>,
    /// Who makes the requests.
    pub loader: Loader,
    /// Set by whoever wants it to end soon.
    pub stop: Arc<AtomicBool>,
}

/// Compares, and tells `progress` a line now and then.
///
/// The calling thread is pinned to the core of the load, and stays so; it must live until this returns.
///
/// # Errors
/// A program that is missing, an origin or lastmile that does not start, or a request to stop. All that was started has
/// ended then.
pub fn run(config: &Config, progress: &mut dyn FnMut(&str)) -> Result<Report, BenchError> {
    check(config)?;
    let pinning = |error| BenchError::Io("pinning to a core", error);
    let cores = Cores::allowed().map_err(pinning)?;
    let (Some(&server), Some(&load)) = (cores.numbers().first(), cores.numbers().last()) else {
        return Err(BenchError::Settings("no core may be used".to_owned()));
    };
    let mut warnings = Vec::new();
    let peers = present(&config.peers, &mut warnings);
    for warning in &warnings {
        progress(warning);
    }
    if server == load {
        let what = "one core only: requests/s and latencies mix the server with load and origin";
        warnings.push(what.to_owned());
    }
    let (lastmile, before) = (config.lastmile.as_path(), config.before.as_deref());
    let fingerprint =
        Fingerprint::take(&peers, lastmile, before, cores.numbers().len(), [server, load]);
    // Programs inherit the core of the thread that starts them.
    pin_current_thread(load).map_err(pinning)?;
    let origin = Origin::start(lastmile)?;
    let ground = Ground {
        lastmile: config.lastmile.clone(),
        before: config.before.clone(),
        origin: origin.address(),
        zone: None,
        core: server,
    };
    let stage = Stage {
        origin: &origin,
        cores: watch::Cores { server, load, origin: Some(origin.group()) },
        duration: config.duration,
        loader: config.loader,
        stop: &config.stop,
    };
    let mut contest = Contest {
        config,
        stage,
        servers: Servers::new(ground, load),
        peers,
        warm: Warm::default(),
        deadline: config.budget.map(|budget| Instant::now() + budget),
        repeating: config.budget.map(|budget| budget.mul_f64(REPEATING_SHARE_MAX)),
        warnings,
    };
    let mut cells = Vec::new();
    for case in &config.cases {
        cells.extend(contest.run(case, progress)?);
    }
    let warnings = contest.warnings;
    Ok(Report::new(SUBJECT, fingerprint, config.rounds, config.duration, warnings, cells))
}

fn check(config: &Config) -> Result<(), BenchError> {
    let settings = |what: String| Err(BenchError::Settings(what));
    if !(1..=ROUNDS_MAX).contains(&config.rounds) {
        return settings(format!("{} rounds; allowed: 1 to {ROUNDS_MAX}", config.rounds));
    }
    let seconds_max = Duration::from_secs(SECONDS_MAX.into());
    if config.duration.is_zero() || config.duration > seconds_max {
        let seconds = config.duration.as_secs_f64();
        return settings(format!("{seconds} seconds; allowed: 1 to {SECONDS_MAX}"));
    }
    if config.peers.is_empty() || config.cases.is_empty() {
        return settings("nothing to compare: no peer or no case".to_owned());
    }
    if let Some(before) = config.before.as_ref().filter(|before| !before.is_file()) {
        return settings(format!("{}: no such executable", before.display()));
    }
    let mut programs = Vec::new();
    if config.all_peers {
        programs.extend(config.peers.iter().filter_map(|peer| peer.needs()));
    }
    if config.loader == Loader::Wrk {
        programs.push(wrk::PROGRAM);
        if let Some(case) = config.cases.iter().find(|case| !wrk::can(case)) {
            return settings(format!("wrk can't do {}; leave it out, or --load own", case.name));
        }
    }
    for (program, package) in programs {
        if process::find(program).is_none() {
            return Err(BenchError::Missing { program, package });
        }
    }
    Ok(())
}

/// What goes from case to case.
struct Contest<'a> {
    config: &'a Config,
    stage: Stage<'a>,
    servers: Servers,
    peers: Vec<Peer>,
    warm: Warm,
    deadline: Option<Instant>,
    /// What is left of the time for repeating.
    repeating: Option<Duration>,
    warnings: Vec<String>,
}

impl Contest<'_> {
    /// All rounds of one case.
    fn run(
        &mut self,
        case: &'static Case,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Cell>, BenchError> {
        let takes = |peer: &&Peer| case.takes(**peer);
        let mut cells: Vec<_> =
            self.peers.iter().filter(takes).map(|peer| Cell::new(case, *peer)).collect();
        for round in 0..rounds_of(case, self.config.rounds) {
            let mut turns: Vec<&mut Cell> = cells.iter_mut().collect();
            if round % 2 == 1 {
                turns.reverse();
            }
            for cell in turns {
                self.turn(case, cell, round, progress)?;
            }
        }
        // What did not start has gone.
        cells.retain(|cell| self.peers.contains(&cell.peer));
        self.servers.end_of_case();
        Ok(cells)
    }

    /// One peer's turn, repeated until it counts.
    fn turn(
        &mut self,
        case: &'static Case,
        cell: &mut Cell,
        round: u32,
        progress: &mut dyn FnMut(&str),
    ) -> Result<(), BenchError> {
        for repeat in 0..=self.config.repeats {
            if repeat > 0 && self.repeating == Some(Duration::ZERO) {
                return Ok(());
            }
            if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
                let what = "time was up before all rounds; whole cases may be missing";
                if !self.warnings.iter().any(|warning| warning == what) {
                    self.warnings.push(what.to_owned());
                }
                return Ok(());
            }
            if !self.peers.contains(&cell.peer) {
                return Ok(());
            }
            let begun = Instant::now();
            let Some(sample) = self.measure(case, cell.peer, round, progress)? else {
                return Ok(());
            };
            if repeat > 0 {
                let left = |left: Duration| left.saturating_sub(begun.elapsed());
                self.repeating = self.repeating.map(left);
            }
            progress(&cell.told(&sample));
            let clean = sample.verdict == Verdict::Clean;
            cell.samples.push(sample);
            if clean {
                break;
            }
        }
        Ok(())
    }

    /// One sample; `None` when the peer has been left out.
    fn measure(
        &mut self,
        case: &'static Case,
        peer: Peer,
        round: u32,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Option<Sample>, BenchError> {
        let server = match self.servers.server(peer, case) {
            Ok(server) => server,
            Err(BenchError::Peer { peer: name, what })
                if peer != Peer::Lastmile && !self.config.all_peers =>
            {
                let warning = format!("{name} is left out: {what}");
                progress(&warning);
                self.warnings.push(warning);
                self.peers.retain(|other| *other != peer);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let played = match scene::play(&self.stage, case, peer, server, &mut self.warm) {
            Err(BenchError::Peer { peer: name, what }) if name == peer.name() => {
                // Whatever it is, a new start may help.
                self.servers.end(peer);
                self.warm.forget(peer);
                Played { errors: Some(what), ..Played::default() }
            }
            played => played?,
        };
        Ok(Some(Sample {
            round,
            verdict: Verdict::of(played.errors, played.used),
            requests: played.requests,
            figures: played.figures,
        }))
    }
}

/// How many of so many rounds a case has.
fn rounds_of(case: &Case, rounds: u32) -> u32 {
    match case.scene {
        Scene::Load(_) | Scene::Beside { .. } | Scene::Crowd { .. } => rounds,
        Scene::Objects { objects: MANY_OBJECTS.. } => 1,
        Scene::Idle { .. } | Scene::Objects { .. } => rounds.min(MEMORY_ROUNDS_MAX),
    }
}

#[cfg(test)]
mod tests;
