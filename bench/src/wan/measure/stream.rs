//! One GET for a while, and how much of its content comes per second.

use super::Reading;
use super::fetch::Wire;
use super::request::Request;
use crate::wan::scenario::FigureName;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The part of the time that does not count, in which the connection finds its speed.
const START_SHARE: f64 = 0.3;

/// Goodput over the later part of `time`, which begins with connecting. It is a failure if it is told to `stop`.
pub(super) fn measure(
    request: &Request,
    time: Duration,
    stop: &AtomicBool,
    before_close: &mut dyn FnMut(),
) -> Reading {
    match receive(request, time, stop, before_close) {
        Ok((counted, octets)) => {
            #[expect(clippy::cast_precision_loss, reason = "octets of a few seconds")]
            let goodput = counted as f64 / (time.as_secs_f64() * (1.0 - START_SHARE));
            Reading { figures: vec![(FigureName::Goodput, goodput)], failures: Vec::new(), octets }
        }
        Err(what) => Reading { failures: vec![what], ..Reading::default() },
    }
}

/// Octets that count, and all.
fn receive(
    request: &Request,
    time: Duration,
    stop: &AtomicBool,
    before_close: &mut dyn FnMut(),
) -> Result<(u64, u64), String> {
    let mut wire = Wire::connect(request)?;
    let (counts_from, ends) = (wire.began + time.mul_f64(START_SHARE), wire.began + time);
    wire.ask(request)?;
    let (mut octets, mut before) = (0, 0);
    loop {
        let left = ends.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        if stop.load(Ordering::Relaxed) {
            return Err("stopped".to_owned());
        }
        wire.set_wait(left)?;
        let progress = match wire.receive(octets) {
            // Nothing came until the end, or something went wrong then.
            Err(_) if Instant::now() >= ends => break,
            progress => progress?,
        };
        if let Some(answer) = progress.ended {
            let took = progress.at.saturating_duration_since(wire.began);
            return Err(format!(
                "status {} with {} octets ended after {took:.1?}, before the {time:?} did",
                answer.status, progress.octets
            ));
        }
        if progress.at < counts_from {
            before = progress.octets;
        }
        if progress.at > ends {
            break;
        }
        octets = progress.octets;
    }
    before_close();
    match octets {
        0 => Err(format!("no octet of content within {time:?}")),
        _ => Ok((octets - before, octets)),
    }
}
