//! What happens in a case, once, against one server: [`play`].
//!
//! * `warm`: first, the cache is made to hold what the case is about, and its octets are checked.
//! * `load`: requests in a closed loop, also `beside` downloads.
//! * `crowd`: many clients on a cold object. `idle`, `objects`: memory before and after.

mod beside;
mod crowd;
mod idle;
mod load;
mod objects;
mod warm;

pub(crate) use warm::Warm;

use crate::case::{Case, Scene};
use crate::error::BenchError;
use crate::load::{Load, Targets};
use crate::metric::Metric;
use crate::origin::Origin;
use crate::peer::{Peer, Server};
use crate::watch::{Cores, Used};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long filling a cache may take: a million objects at 2,000 a second.
const FETCH_MAX: Duration = Duration::from_secs(500);

/// What is the same for all scenes of a comparison.
pub(crate) struct Stage<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) cores: Cores,
    /// How long requests are made.
    pub(crate) duration: Duration,
    /// Who makes them.
    pub(crate) loader: Loader,
    pub(crate) stop: &'a AtomicBool,
}

/// Who makes the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loader {
    /// [`crate::load`].
    Own,
    /// wrk, in cases that it can do.
    Wrk,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Played {
    /// Requests answered.
    pub(crate) requests: u64,
    pub(crate) figures: BTreeMap<Metric, f64>,
    /// What went wrong: the figures show nothing then.
    pub(crate) errors: Option<String>,
    /// What was used meanwhile, where that matters.
    pub(crate) used: Option<Used>,
}

impl Loader {
    /// The one that `--load` calls `name`.
    ///
    /// # Errors
    /// One line with the names that there are.
    pub fn named(name: &str) -> Result<Self, String> {
        match name {
            "own" => Ok(Self::Own),
            "wrk" => Ok(Self::Wrk),
            _ => Err(format!("{name:?} makes no requests; allowed: own, wrk")),
        }
    }
}

impl Stage<'_> {
    /// # Errors
    /// [`BenchError::Stopped`] when that is asked for.
    pub(crate) fn go_on(&self) -> Result<(), BenchError> {
        if self.stop.load(Ordering::Relaxed) { Err(BenchError::Stopped) } else { Ok(()) }
    }
}

/// Plays the scene of `case` against `server`.
///
/// # Errors
/// Whatever makes going on with the comparison senseless. What a peer does wrong in a round is in [`Played::errors`],
/// unless it does so before the round.
pub(crate) fn play(
    stage: &Stage<'_>,
    case: &Case,
    peer: Peer,
    server: &Server,
    warm: &mut Warm,
) -> Result<Played, BenchError> {
    stage.go_on()?;
    match case.scene {
        Scene::Load(requests) => load::play(stage, &requests, peer, server, warm),
        Scene::Beside { requests, rate, readers, film } => {
            let scene = beside::Beside { requests, rate, readers, film };
            beside::play(stage, &scene, peer, server, warm)
        }
        Scene::Crowd { clients, octets, rate } => {
            crowd::play(stage, &crowd::Crowd { clients, octets, rate }, peer, server)
        }
        Scene::Idle { connections } => idle::play(stage, connections, server),
        Scene::Objects { objects } => objects::play(stage, objects, peer, server),
    }
}

/// A figure for a table of medians.
#[expect(clippy::cast_precision_loss, reason = "counts and octets are far below 2^52")]
fn float(value: u64) -> f64 {
    value as f64
}

/// Asks for all of `targets` once, on several connections.
///
/// # Errors
/// [`BenchError::Peer`] when any of it fails.
fn fetch_all(
    stage: &Stage<'_>,
    peer: Peer,
    server: &Server,
    targets: Vec<String>,
) -> Result<(), BenchError> {
    let count = targets.len() as u64;
    let enough = AtomicBool::new(false);
    let load = Load { duration: FETCH_MAX, ..Load::new(server.address, Targets::List(targets)) };
    let outcome = crate::load::run(&load, &enough, &mut |progress| {
        if progress.answered >= count || progress.errors > 0 || stage.stop.load(Ordering::Relaxed) {
            enough.store(true, Ordering::Relaxed);
        }
    })?;
    stage.go_on()?;
    let wrong = |what: String| Err(BenchError::Peer { peer: peer.name(), what });
    match outcome.errors.line() {
        Some(errors) => wrong(format!("filling the cache: {errors}")),
        None if outcome.answered < count => {
            wrong(format!("filling the cache: {} of {count} objects", outcome.answered))
        }
        None => Ok(()),
    }
}
