//! Small hits at a constant rate beside clients that download as fast as they can.

use super::{Played, Stage, Warm, float};
use crate::case::{Outcome, Requests, Targets};
use crate::error::BenchError;
use crate::load::{self, Load};
use crate::metric::Metric;
use crate::peer::{Peer, Server};
use crate::process;
use crate::watch::Moment;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Until all downloads are under way.
const WARM_UP: Duration = Duration::from_millis(300);

/// Hits are measured no shorter than this: the 99th percentile of fewer is an accident.
const DURATION_MIN: Duration = Duration::from_millis(700);

/// From util-linux: the downloads take only what the hits leave of the load's core, so that what is measured is how
/// long the server makes hits wait, not how long the load does.
const IDLE_CLASS: &str = "chrt";

/// See [`crate::case::Scene::Beside`].
pub(super) struct Beside {
    pub(super) requests: Requests,
    pub(super) rate: f64,
    pub(super) readers: u16,
    pub(super) film: &'static str,
}

pub(super) fn play(
    stage: &Stage<'_>,
    beside: &Beside,
    peer: Peer,
    server: &Server,
    warm: &mut Warm,
) -> Result<Played, BenchError> {
    let film = Requests {
        targets: Targets::One(beside.film),
        connections: beside.readers,
        ..beside.requests
    };
    for requests in [&beside.requests, &film] {
        warm.up(stage, requests, peer, server)?;
    }
    let fetched = stage.origin.requests()?;
    let readers = Readers::start(&film.load(server));
    let hits = Load {
        rate: Some(beside.rate),
        warmup: WARM_UP,
        duration: stage.duration.max(DURATION_MIN),
        ..beside.requests.load(server)
    };
    let mut first = None;
    let outcome = load::run(&hits, stage.stop, &mut |progress| {
        if first.is_none() && progress.elapsed >= WARM_UP {
            first = Some((readers.octets(), Moment::now(stage.cores, server.group())));
        }
    });
    let end = Moment::now(stage.cores, server.group())?;
    let octets = readers.octets();
    let downloads = readers.end();
    let outcome = outcome?;
    stage.go_on()?;
    let downloads = downloads?;
    let Some((before, start)) = first else {
        return Err(BenchError::Load("it ended before its warm-up".to_owned()));
    };
    let fetched = stage.origin.requests()? - fetched;
    let nothing = (outcome.requests == 0).then(|| "no response".to_owned());
    let unstarted = (outcome.unstarted > 0)
        .then(|| format!("{} requests found no connection free", outcome.unstarted));
    let fetched = (fetched > 0).then(|| format!("{fetched} requests reached the origin"));
    let errors = outcome.errors.line().or_else(|| downloads.errors.line());
    debug_assert_eq!(beside.requests.outcome, Outcome::Hit, "what is counted here");
    Ok(Played {
        requests: outcome.requests,
        figures: [
            (Metric::P99Us, outcome.latency_us(0.99)),
            (Metric::P50Us, outcome.latency_us(0.5)),
            (Metric::RequestsPerSecond, outcome.requests_per_second()),
            (
                Metric::DownloadMbPerSecond,
                float(octets - before) / 1e6 / outcome.window.as_secs_f64(),
            ),
        ]
        .into(),
        errors: errors.or(nothing).or(unstarted).or(fetched),
        used: Some(start?.until(&end)),
    })
}

/// Downloads on a thread of their own, on the cores of the thread that starts them.
struct Readers {
    stop: Arc<AtomicBool>,
    octets: Arc<AtomicU64>,
    thread: JoinHandle<Result<load::Outcome, BenchError>>,
}

impl Readers {
    fn start(film: &Load) -> Self {
        let (stop, octets) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let film = Load { duration: load::DURATION_MAX, ..film.clone() };
        let (stopped, received) = (Arc::clone(&stop), Arc::clone(&octets));
        let thread = std::thread::spawn(move || {
            let thread = nix::unistd::gettid().to_string();
            // Where that is not there or not allowed, latencies are longer for all peers alike.
            let _ = process::command(IDLE_CLASS).args(["--idle", "--pid", "0", &thread]).status();
            load::run(&film, &stopped, &mut |progress| {
                received.store(progress.octets, Ordering::Relaxed);
            })
        });
        Self { stop, octets, thread }
    }

    /// Octets received so far.
    fn octets(&self) -> u64 {
        self.octets.load(Ordering::Relaxed)
    }

    fn end(self) -> Result<load::Outcome, BenchError> {
        self.stop.store(true, Ordering::Relaxed);
        let panicked = || BenchError::Load("the thread of downloads panicked".to_owned());
        self.thread.join().map_err(|_| panicked())?
    }
}
