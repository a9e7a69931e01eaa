//! Requests in a closed loop for a while.

use super::{Loader, Played, Stage, Warm, float};
use crate::case::{Outcome, Requests, Targets};
use crate::error::BenchError;
use crate::load::{self, Load, Sizes};
use crate::metric::Metric;
use crate::peer::{Kind, Peer, Server};
use crate::watch::{Moment, Used};
use crate::wrk;
use std::time::{Duration, UNIX_EPOCH};

/// Before anything is counted: connecting, first requests, caches of the processor.
const WARM_UP: Duration = Duration::from_millis(100);

/// Part of the requests of a case of hits that may reach the origin, as when an object was evicted by another case's.
const FETCHED_SHARE_MAX: f64 = 0.005;

/// Part of the requests of a case of misses that must.
const MISSED_SHARE_MIN: f64 = 0.97;

pub(super) fn play(
    stage: &Stage<'_>,
    requests: &Requests,
    peer: Peer,
    server: &Server,
    warm: &mut Warm,
) -> Result<Played, BenchError> {
    warm.up(stage, requests, peer, server)?;
    let fetched = stage.origin.requests()?;
    let measured = match stage.loader {
        Loader::Own => own(stage, requests, server)?,
        Loader::Wrk => reference(stage, requests, server)?,
    };
    let fetched = stage.origin.requests()? - fetched;
    let errors = measured.errors.or_else(|| match peer.kind() {
        Kind::Floor | Kind::Names => None,
        Kind::Cache | Kind::Files { .. } => elsewhere(requests.outcome, fetched, measured.total),
    });
    if errors.is_some() {
        warm.forget(peer);
    }
    Ok(Played {
        requests: measured.requests,
        figures: [
            (Metric::CpuUs, measured.used.cpu / float(measured.answered) * 1e6),
            (Metric::SystemShare, measured.used.system_share),
            (Metric::RequestsPerSecond, measured.requests_per_second),
            (Metric::P50Us, measured.p50_us),
            (Metric::P99Us, measured.p99_us),
        ]
        .into(),
        errors,
        used: Some(measured.used),
    })
}

/// What was measured.
struct Measured {
    /// Within the window.
    requests: u64,
    /// Between the moments that `used` is of.
    answered: u64,
    /// Of the whole run.
    total: u64,
    used: Used,
    requests_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    errors: Option<String>,
}

fn own(stage: &Stage<'_>, requests: &Requests, server: &Server) -> Result<Measured, BenchError> {
    let load = Load { duration: stage.duration, warmup: WARM_UP, ..requests.load(server) };
    // From the end of the warm-up on, whose connecting is none of the figures' business.
    let mut first: Option<(u64, Result<Moment, BenchError>)> = None;
    let outcome = load::run(&load, stage.stop, &mut |progress| {
        if first.is_none() && progress.elapsed >= WARM_UP {
            first = Some((progress.answered, Moment::now(stage.cores, server.group())));
        }
    })?;
    let end = Moment::now(stage.cores, server.group())?;
    stage.go_on()?;
    let Some((before, start)) = first else {
        return Err(BenchError::Load("it ended before its warm-up".to_owned()));
    };
    let answered = outcome.answered - before;
    let errors = outcome.errors.line();
    Ok(Measured {
        requests: outcome.requests,
        answered,
        total: outcome.answered,
        used: start?.until(&end),
        requests_per_second: outcome.requests_per_second(),
        p50_us: outcome.latency_us(0.5),
        p99_us: outcome.latency_us(0.99),
        errors: errors.or_else(|| (answered == 0).then(|| "no response".to_owned())),
    })
}

fn reference(
    stage: &Stage<'_>,
    requests: &Requests,
    server: &Server,
) -> Result<Measured, BenchError> {
    let start = Moment::now(stage.cores, server.group())?;
    let load = wrk::run(server.address, requests, stage.duration, stage.stop)?;
    let end = Moment::now(stage.cores, server.group())?;
    // wrk's own time is not this process's.
    let used = Used { foreign_load: 0.0, ..start.until(&end) };
    Ok(Measured {
        requests: load.requests,
        answered: load.requests,
        total: load.requests,
        used,
        requests_per_second: load.requests_per_second,
        p50_us: load.p50_us,
        p99_us: load.p99_us,
        errors: load.errors.or_else(|| (load.requests == 0).then(|| "no response".to_owned())),
    })
}

/// What is wrong when the origin was asked more often, or less, than the case is about.
fn elsewhere(outcome: Outcome, fetched: u64, answered: u64) -> Option<String> {
    let share = float(fetched) / float(answered.max(1));
    let wrong = match outcome {
        Outcome::Hit => share > FETCHED_SHARE_MAX,
        Outcome::Miss => share < MISSED_SHARE_MIN,
    };
    wrong.then(|| format!("{fetched} of {answered} requests reached the origin"))
}

impl Requests {
    /// This load on `server`.
    pub(super) fn load(&self, server: &Server) -> Load {
        Load {
            connections: self.connections.into(),
            pipeline: self.pipeline.into(),
            requests_per_connection: self.once.then_some(1),
            // Other random choices and other unique targets than in the rounds before.
            seed: UNIX_EPOCH
                .elapsed()
                .map_or(1, |since| since.as_secs() << 30 ^ u64::from(since.subsec_nanos())),
            ..Load::new(server.address, self.targets.into())
        }
    }
}

impl From<Targets> for load::Targets {
    fn from(targets: Targets) -> Self {
        match targets {
            Targets::One(target) => Self::One(target.to_owned()),
            Targets::Unique(target) => Self::Unique(target.to_owned()),
            Targets::Some { objects, exponent, sizes } => Self::Zipf {
                exponent,
                objects,
                sizes: sizes.parse::<Sizes>().expect("a test reads all of the table"),
                query: "max-age=3600".to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{CASES, Scene};

    #[test]
    fn requests_that_went_elsewhere() {
        for (outcome, fetched, answered, wrong, why) in [
            (Outcome::Hit, 0, 1000, false, "all hits"),
            (Outcome::Hit, 5, 1000, false, "a few evicted"),
            (Outcome::Hit, 50, 1000, true, "not warm"),
            (Outcome::Miss, 1000, 1000, false, "all misses"),
            (Outcome::Miss, 1064, 1000, false, "some under way at the end"),
            (Outcome::Miss, 500, 1000, true, "hits among them"),
        ] {
            assert_eq!(elsewhere(outcome, fetched, answered).is_some(), wrong, "{why}");
        }
        let told = elsewhere(Outcome::Hit, 50, 1000);
        assert_eq!(told.as_deref(), Some("50 of 1000 requests reached the origin"));
    }

    #[test]
    fn the_table_can_be_asked_for() {
        for case in CASES {
            if let Scene::Load(requests) | Scene::Beside { requests, .. } = case.scene {
                let _ = load::Targets::from(requests.targets);
            }
        }
    }
}
