//! A load on several cores: each has a thread with its share of connections and of the rate.

use super::{Load, Outcome, Progress, run_part, settings};
use crate::error::BenchError;
use lastmile_tuning::cpu::pin_current_thread;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Progress that is told and not yet looked at.
const PROGRESS_MAX: usize = 64;

/// Does what `load` says with a thread on each of `cores`, as [`super::run`] does it with one.
///
/// # Errors
/// As for [`super::run`]; and when there are more cores than connections, or a thread can't be pinned.
pub fn run_on(
    cores: &[usize],
    load: &Load,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Outcome, BenchError> {
    load.check()?;
    if cores.is_empty() || cores.len() > load.connections {
        let counts = format!("{} cores for {} connections", cores.len(), load.connections);
        return Err(settings(format!("{counts}; allowed: 1 to as many as connections")));
    }
    let outcomes = thread::scope(|scope| {
        let (tell, told) = sync_channel::<(usize, Progress)>(PROGRESS_MAX);
        let threads: Vec<_> = cores
            .iter()
            .enumerate()
            .map(|(part, core)| {
                let (load, tell) = (share(load, part, cores.len()), tell.clone());
                scope.spawn(move || {
                    pin_current_thread(*core)
                        .map_err(|error| settings(format!("core {core}: {error}")))?;
                    run_part(&load, part, stop, &mut |progress| {
                        let _ = tell.send((part, *progress));
                    })
                })
            })
            .collect();
        drop(tell);
        let mut parts = vec![Progress::default(); cores.len()];
        for (part, latest) in told {
            parts[part] = latest;
            if part == 0 {
                progress(&sum(&parts));
            }
        }
        let joined =
            threads.into_iter().map(|thread| thread.join().expect("a thread ends by itself"));
        joined.collect::<Result<Vec<_>, _>>()
    })?;
    let mut outcomes = outcomes.into_iter();
    let mut all = outcomes.next().expect("one for each core");
    outcomes.for_each(|outcome| all.add(&outcome));
    Ok(all)
}

/// What thread number `part` of `parts` does of a load.
fn share(load: &Load, part: usize, parts: usize) -> Load {
    let connections = load.connections / parts + usize::from(part < load.connections % parts);
    #[expect(clippy::cast_precision_loss, reason = "cores are few")]
    let rate = load.rate.map(|rate| rate / parts as f64);
    Load { connections, rate, ..load.clone() }
}

fn sum(parts: &[Progress]) -> Progress {
    parts.iter().fold(Progress::default(), |sum, part| Progress {
        elapsed: sum.elapsed.max(part.elapsed),
        open: sum.open + part.open,
        answered: sum.answered + part.answered,
        octets: sum.octets + part.octets,
        errors: sum.errors + part.errors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Targets;

    #[test]
    fn shares_are_all_of_it() {
        let mut load = Load::new("127.0.0.1:80".parse().unwrap(), Targets::One("/".to_owned()));
        load.rate = Some(900.0);
        for (connections, parts, why) in [(64, 2, "even"), (7, 3, "uneven"), (3, 3, "one each")] {
            load.connections = connections;
            let shares: Vec<_> = (0..parts).map(|part| share(&load, part, parts)).collect();
            let sum: usize = shares.iter().map(|share| share.connections).sum();
            assert_eq!(sum, connections, "{why}");
            assert!(shares.iter().all(|share| share.connections > 0), "{why}");
            let rate: f64 = shares.iter().filter_map(|share| share.rate).sum();
            assert!((rate - 900.0).abs() < 1e-6, "{why}: {rate}");
        }
    }
}
