//! `lastmile bench compare`: the rounds.
//!
//! Each round asks every peer in turn for the same object, in an order that turns around from round to
//! round, so that whatever changes on the machine meets all of them. Servers run on one core, the load
//! and the origin on another.

use crate::case::{Case, Outcome};
use crate::error::BenchError;
use crate::fingerprint::Fingerprint;
use crate::peer::{Ground, Peer, Server, start_origin};
use crate::report::{Cell, Report, Sample, Verdict};
use crate::{cpu, probe, process, wrk};
use lastmile_tuning::cpu::{Cores, pin_current_thread};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Rounds of a comparison. More make medians no better, but the run hours long.
pub const ROUNDS_MAX: u32 = 1_000;

/// Seconds of load in a round: an object that is fresh for an hour stays fresh.
pub const SECONDS_MAX: u32 = 1_800;

/// How often a round is repeated that was disturbed or had errors. On a machine that is never quiet the
/// comparison must end too; its figures are marked then.
const REPEATS_MAX: u32 = 3;

/// Part of the round in which the server's core worked for others; beyond it caches were cold and
/// wakeups late, and figures a few percent off.
const FOREIGN_SHARE_MAX: f64 = 0.10;

/// Part of the round that the hypervisor took from the server's core.
const STOLEN_SHARE_MAX: f64 = 0.05;

/// How often an object is asked for until the cache is warm: fetched, stored, answered.
const WARM_REQUESTS_MAX: usize = 5;

/// What to compare.
#[derive(Clone, Debug)]
pub struct Config {
    /// The `lastmile` executable: the edge that is measured, and the origin.
    pub lastmile: PathBuf,
    /// Another one to compare it with: [`Peer::Before`] takes part.
    pub before: Option<PathBuf>,
    /// Who takes part, each once.
    pub peers: Vec<Peer>,
    /// In what.
    pub cases: Vec<&'static Case>,
    /// How often each; 1 to [`ROUNDS_MAX`].
    pub rounds: u32,
    /// How long each time; 1 to [`SECONDS_MAX`].
    pub seconds: u32,
    /// Set by whoever wants it to end soon.
    pub stop: Arc<AtomicBool>,
}

/// Compares, and tells `progress` a line now and then.
///
/// The calling thread is pinned to the core of the load, and stays so; it must live until this returns.
///
/// # Errors
/// A program that is missing, a peer that can't be compared, or a request to stop. All that was started
/// has ended then.
pub fn run(config: &Config, progress: &mut dyn FnMut(&str)) -> Result<Report, BenchError> {
    check(config)?;
    let pinning = |error| BenchError::Io("pinning to a core", error);
    let cores = Cores::allowed().map_err(pinning)?;
    let (Some(&server), Some(&load)) = (cores.numbers().first(), cores.numbers().last()) else {
        return Err(BenchError::Settings("no core may be used".to_owned()));
    };
    let mut report = Report {
        fingerprint: Fingerprint::take(
            &config.peers,
            &config.lastmile,
            config.before.as_deref(),
            cores.numbers().len(),
            [server, load],
        ),
        rounds: config.rounds,
        seconds: config.seconds,
        warnings: Vec::new(),
        cells: Vec::new(),
    };
    if server == load {
        let what = "one core only: requests/s and latencies mix the server with load and origin";
        report.warnings.push(what.to_owned());
    }
    // Programs inherit the core of the thread that starts them.
    pin_current_thread(load).map_err(pinning)?;
    let origin = start_origin(&config.lastmile)?;
    pin_current_thread(server).map_err(pinning)?;
    let ground = Ground {
        lastmile: config.lastmile.clone(),
        before: config.before.clone(),
        origin: origin.address,
        core: server,
    };
    let started: Result<Vec<_>, _> =
        config.peers.iter().map(|peer| Ok((*peer, peer.start(&ground)?))).collect();
    pin_current_thread(load).map_err(pinning)?;
    let servers = started?;
    for case in &config.cases {
        let contest = Contest { config, case, origin: &origin, core: server };
        report.cells.extend(contest.run(&servers, progress)?);
    }
    report.summarize();
    Ok(report)
}

fn check(config: &Config) -> Result<(), BenchError> {
    let settings = |what: String| Err(BenchError::Settings(what));
    if !(1..=ROUNDS_MAX).contains(&config.rounds) {
        return settings(format!("{} rounds; allowed: 1 to {ROUNDS_MAX}", config.rounds));
    }
    if !(1..=SECONDS_MAX).contains(&config.seconds) {
        return settings(format!("{} seconds; allowed: 1 to {SECONDS_MAX}", config.seconds));
    }
    if config.peers.is_empty() || config.cases.is_empty() {
        return settings("nothing to compare: no peer or no case".to_owned());
    }
    if let Some(before) = config.before.as_ref().filter(|before| !before.is_file()) {
        return settings(format!("{}: no such executable", before.display()));
    }
    let programs = config.peers.iter().filter_map(|peer| peer.needs()).chain([wrk::PROGRAM]);
    for (program, package) in programs {
        if process::find(program).is_none() {
            return Err(BenchError::Missing { program, package });
        }
    }
    Ok(())
}

/// All rounds of one case.
struct Contest<'a> {
    config: &'a Config,
    case: &'static Case,
    origin: &'a Server,
    core: usize,
}

impl Contest<'_> {
    fn run(
        &self,
        servers: &[(Peer, Server)],
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Cell>, BenchError> {
        let mut cells: Vec<_> =
            servers.iter().map(|(peer, _)| Cell::new(self.case, *peer)).collect();
        for round in 0..self.config.rounds {
            let mut turns: Vec<_> = servers.iter().zip(&mut cells).collect();
            if round % 2 == 1 {
                turns.reverse();
            }
            for ((peer, server), cell) in turns {
                for _ in 0..=REPEATS_MAX {
                    let sample = self.measure(*peer, server, round)?;
                    progress(&told(self.case, *peer, &sample));
                    let clean = sample.verdict == Verdict::Clean;
                    cell.samples.push(sample);
                    if clean {
                        break;
                    }
                }
            }
        }
        Ok(cells)
    }

    /// One run of the load.
    fn measure(&self, peer: Peer, server: &Server, round: u32) -> Result<Sample, BenchError> {
        self.warm(peer, server)?;
        let io = |error| BenchError::Io("CPU times", error);
        let (cpu_before, core_before, start) = (
            cpu::of_group(server.group()).map_err(io)?,
            cpu::of_core(self.core).map_err(io)?,
            Instant::now(),
        );
        let load = wrk::run(server.address, self.case, self.config.seconds, &self.config.stop)?;
        let (cpu, core, elapsed) = (
            cpu::of_group(server.group()).map_err(io)?,
            cpu::of_core(self.core).map_err(io)?,
            start.elapsed().as_secs_f64(),
        );
        #[expect(clippy::cast_precision_loss, reason = "requests of a round are far below 2^52")]
        let requests = load.requests as f64;
        let used = cpu.total - cpu_before.total;
        let busy = core.busy - core_before.busy;
        let (user, system) = (cpu.user - cpu_before.user, cpu.system - cpu_before.system);
        Ok(Sample {
            round,
            verdict: verdict(
                load.errors.or_else(|| (load.requests == 0).then(|| "no response".to_owned())),
                (busy - used) / elapsed,
                (core.stolen - core_before.stolen) / elapsed,
            ),
            requests: load.requests,
            cpu_us: used / requests * 1e6,
            system_share: if user + system > 0.0 { system / (user + system) } else { 0.0 },
            core_us: busy / requests * 1e6,
            requests_per_second: load.requests_per_second,
            p50_us: load.p50_us,
            p99_us: load.p99_us,
        })
    }

    /// Asks until the cache does what the case is about, and checks that its octets are the origin's.
    fn warm(&self, peer: Peer, server: &Server) -> Result<(), BenchError> {
        let wrong = |what: String| BenchError::Peer { peer: peer.name(), what };
        let case = self.case;
        let get = |address| probe::get(address, case.target).map_err(|e| wrong(e.to_string()));
        let expected = get(self.origin.address)?;
        for _ in 0..WARM_REQUESTS_MAX {
            if self.config.stop.load(Ordering::Relaxed) {
                return Err(BenchError::Stopped);
            }
            let response = get(server.address)?;
            if response.status != 200 {
                return Err(wrong(format!("status {} for {}", response.status, case.target)));
            }
            if response.content != expected.content || response.content.len() != case.octets {
                return Err(wrong(format!("other octets than the origin's for {}", case.target)));
            }
            match (case.outcome, peer.is_hit(&response)) {
                (Outcome::Hit, true) | (Outcome::Miss, false) => return Ok(()),
                (Outcome::Hit, false) => {}
                (Outcome::Miss, true) => {
                    return Err(wrong(format!("a hit for {}, which is no-store", case.target)));
                }
            }
        }
        Err(wrong(format!("no hit for {} in {WARM_REQUESTS_MAX} requests", case.target)))
    }
}

/// What to make of a round: `foreign` and `stolen` are shares of its time on the server's core.
fn verdict(errors: Option<String>, foreign: f64, stolen: f64) -> Verdict {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    if let Some(errors) = errors {
        Verdict::Invalid(errors)
    } else if foreign > FOREIGN_SHARE_MAX {
        Verdict::Disturbed(format!("{} of the server's core went to others", percent(foreign)))
    } else if stolen > STOLEN_SHARE_MAX {
        Verdict::Disturbed(format!("the hypervisor took {} of the server's core", percent(stolen)))
    } else {
        Verdict::Clean
    }
}

/// A sample in a line.
fn told(case: &Case, peer: Peer, sample: &Sample) -> String {
    let (case, peer, round) = (case.name, peer.name(), sample.round + 1);
    let figures = format!(
        "{case} round {round} {peer}: {:.2} us, {:.0} requests/s",
        sample.cpu_us, sample.requests_per_second
    );
    match &sample.verdict {
        Verdict::Clean => figures,
        Verdict::Disturbed(why) => format!("{figures} (disturbed: {why})"),
        Verdict::Invalid(why) => format!("{figures} (invalid: {why})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::PEERS;

    fn config() -> Config {
        Config {
            lastmile: PathBuf::from("/no/such/lastmile"),
            before: None,
            peers: PEERS.to_vec(),
            cases: vec![Case::named("1k-hit").unwrap()],
            rounds: 1,
            seconds: 1,
            stop: Arc::default(),
        }
    }

    #[test]
    fn settings_that_make_no_sense() {
        for (config, expected, why) in [
            (Config { rounds: 0, ..config() }, "0 rounds; allowed: 1 to 1000", "none"),
            (Config { rounds: 1001, ..config() }, "1001 rounds; allowed: 1 to 1000", "too many"),
            (Config { seconds: 0, ..config() }, "0 seconds; allowed: 1 to 1800", "no time"),
            (Config { peers: vec![], ..config() }, "nothing to compare", "nobody"),
            (
                Config { before: Some("/no/such".into()), ..config() },
                "/no/such: no such executable",
                "no other lastmile",
            ),
            (Config { cases: vec![], ..config() }, "nothing to compare", "nothing"),
        ] {
            let error = run(&config, &mut |_| ()).unwrap_err();
            assert!(error.is_misuse() && error.to_string().starts_with(expected), "{why}: {error}");
        }
    }

    #[test]
    fn a_lastmile_that_does_not_start_ends_it() {
        let error = std::thread::spawn(|| run(&config(), &mut |_| ()).unwrap_err());
        assert!(matches!(error.join().unwrap(), BenchError::Peer { peer: "origin", .. }));
    }

    #[test]
    fn verdicts() {
        let errors = || Some("Non-2xx".to_owned());
        for (errors, foreign, stolen, expected, why) in [
            (None, 0.02, 0.0, "clean", "a quiet machine"),
            (None, -0.01, 0.0, "clean", "ticks that lag behind the exact time"),
            (None, 0.3, 0.0, "disturbed", "another program on the core"),
            (None, 0.0, 0.2, "disturbed", "another machine on the core"),
            (errors(), 0.3, 0.0, "invalid", "errors weigh more than noise"),
        ] {
            let found = match verdict(errors, foreign, stolen) {
                Verdict::Clean => "clean",
                Verdict::Disturbed(_) => "disturbed",
                Verdict::Invalid(_) => "invalid",
            };
            assert_eq!(found, expected, "{why}");
        }
    }
}
