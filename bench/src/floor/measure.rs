//! The floors under load: each way to talk to the kernel in each case, interleaved, on a core of its own.

use super::report::{FloorReport, FloorRow};
use super::{FLOOR_IOS, FloorIo, OCTETS_MAX};
use crate::cpu;
use crate::error::BenchError;
use crate::load::{self, Load, Targets};
use crate::peer::Server;
use crate::peer::lastmile::start_role;
use crate::statistics::Spread;
use lastmile_tuning::cpu::{Cores, pin_current_thread};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Rounds of a measurement: more make medians no better.
pub const ROUNDS_MAX: u32 = 1_000;

/// Connections in all cases.
const CONNECTIONS: usize = 64;

/// Before each round: connections are made and caches are warm.
const WARMUP: Duration = Duration::from_millis(200);

/// How the floors are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FloorCase {
    /// The case in words.
    pub name: &'static str,
    /// Requests that a connection sends at once.
    pub pipeline: usize,
    /// Requests after which a connection is closed.
    pub requests_per_connection: Option<u64>,
}

/// All cases.
const CASES: [FloorCase; 3] = [
    FloorCase { name: "64 connections", pipeline: 1, requests_per_connection: None },
    FloorCase { name: "pipelined x16", pipeline: 16, requests_per_connection: None },
    FloorCase { name: "a connection per request", pipeline: 1, requests_per_connection: Some(1) },
];

/// What to measure.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The `lastmile` executable: the floors run in processes of their own.
    pub lastmile: PathBuf,
    /// One way to talk to the kernel; `None`: each.
    pub io: Option<FloorIo>,
    /// Octets of the content of an answer.
    pub octets: usize,
    /// The core of the floors; `None`: the first that may be used. The load has the last one.
    pub core: Option<usize>,
    /// How often each case is measured; 1 to [`ROUNDS_MAX`].
    pub rounds: u32,
    /// For how long each time.
    pub duration: Duration,
}

/// Measures, and tells `progress` a line now and then. The calling thread is pinned to the core of the load, and must
/// live until this returns.
///
/// # Errors
/// A floor that does not start, settings that make no sense, or a request to `stop`.
pub fn measure(
    settings: &Settings,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(&str),
) -> Result<FloorReport, BenchError> {
    check(settings)?;
    let pinning = |error| BenchError::Io("pinning to a core", error);
    let cores = Cores::allowed().map_err(pinning)?;
    let (Some(&first), Some(&last)) = (cores.numbers().first(), cores.numbers().last()) else {
        return Err(BenchError::Settings("no core may be used".to_owned()));
    };
    let core = settings.core.unwrap_or(first);
    let floors = FLOOR_IOS.into_iter().filter(|io| settings.io.is_none_or(|only| only == *io));
    let floors: Vec<(FloorIo, Server)> =
        floors.map(|io| Ok((io, start(settings, io, core)?))).collect::<Result<_, BenchError>>()?;
    pin_current_thread(last).map_err(pinning)?;
    let mut samples = vec![Vec::new(); CASES.len() * floors.len()];
    for round in 0..settings.rounds {
        for (at, case) in CASES.iter().enumerate() {
            for (floor, (io, server)) in floors.iter().enumerate() {
                let sample = sample(settings, case, server, stop)?;
                let (name, number) = (io.name(), round + 1);
                progress(&format!(
                    "{name}, {}, round {number}: {:.2} us",
                    case.name, sample.cpu_us
                ));
                samples[at * floors.len() + floor].push(sample);
            }
        }
    }
    let ios: Vec<_> = floors.iter().map(|(io, _)| *io).collect();
    let of = |index: usize| (CASES[index / ios.len()], ios[index % ios.len()]);
    let rows = samples.iter().enumerate().filter_map(|(index, samples)| row(of(index), samples));
    Ok(FloorReport {
        octets: settings.octets,
        rounds: settings.rounds,
        seconds: settings.duration.as_secs_f64(),
        cores: [core, last],
        rows: rows.collect(),
    })
}

fn check(settings: &Settings) -> Result<(), BenchError> {
    let refuse = |what: String| Err(BenchError::Settings(what));
    if !(1..=ROUNDS_MAX).contains(&settings.rounds) {
        return refuse(format!("{} rounds; allowed: 1 to {ROUNDS_MAX}", settings.rounds));
    }
    if settings.octets > OCTETS_MAX {
        return refuse(format!("{} octets; allowed: 0 to {OCTETS_MAX}", settings.octets));
    }
    Ok(())
}

fn start(settings: &Settings, io: FloorIo, core: usize) -> Result<Server, BenchError> {
    let (octets, core) = (settings.octets.to_string(), core.to_string());
    let arguments = ["bench", "floor", "--serve", "--listen", "127.0.0.1:0", "--io", io.name()];
    let more = ["--octets", &octets, "--core", &core];
    let arguments = [&arguments[..], &more].concat();
    start_role(&settings.lastmile, io.name(), &arguments).map(|(server, _)| server)
}

/// One run of the load against one floor.
#[derive(Clone, Copy, Debug)]
struct Sample {
    cpu_us: f64,
    requests_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    errors: u64,
}

fn sample(
    settings: &Settings,
    case: &FloorCase,
    server: &Server,
    stop: &AtomicBool,
) -> Result<Sample, BenchError> {
    let load = Load {
        connections: CONNECTIONS,
        pipeline: case.pipeline,
        requests_per_connection: case.requests_per_connection,
        duration: settings.duration,
        warmup: WARMUP,
        ..Load::new(server.address, Targets::One("/floor".to_owned()))
    };
    let used = || cpu::of_group(server.group()).map_err(|error| BenchError::Io("CPU times", error));
    let before = used()?.total;
    let outcome = load::run(&load, stop, &mut |_| {})?;
    if stop.load(Ordering::Relaxed) {
        return Err(BenchError::Stopped);
    }
    let used = used()?.total - before;
    #[expect(clippy::cast_precision_loss, reason = "requests of a round are far below 2^52")]
    let answered = outcome.answered as f64;
    Ok(Sample {
        cpu_us: used / answered * 1e6,
        requests_per_second: outcome.requests_per_second(),
        p50_us: outcome.latency_us(0.5),
        p99_us: outcome.latency_us(0.99),
        errors: outcome.errors.total(),
    })
}

fn row((case, io): (FloorCase, FloorIo), samples: &[Sample]) -> Option<FloorRow> {
    let spread = |figure: fn(&Sample) -> f64| Spread::of(samples.iter().map(figure));
    Some(FloorRow {
        case: case.name,
        io,
        cpu_us: spread(|sample| sample.cpu_us)?,
        requests_per_second: spread(|sample| sample.requests_per_second)?.median,
        p50_us: spread(|sample| sample.p50_us)?.median,
        p99_us: spread(|sample| sample.p99_us)?.median,
        errors: samples.iter().map(|sample| sample.errors).sum(),
    })
}
