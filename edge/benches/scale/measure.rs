//! Threads that serve hits for a while, each pinned to a core, round by round.

use crate::at_once::{Connection, shared};
use crate::zipf::zipf;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use core::time::Duration;
use lastmile_edge::worker::Shared;
use lastmile_tuning::cpu::{Cores, pin_current_thread};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

/// Rounds of each case, in turn, of which the median counts.
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(300);

/// Hits between two looks at the clock.
const BATCH: usize = 4096;

const OBJECTS: u32 = 100_000;
const CONTENT_OCTETS: usize = 1000;
const RAM_OCTETS: u64 = 512 << 20;

type Requests = &'static [&'static [u8]];

/// Whether the threads are workers of one edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// They are.
    One,
    /// Each has an edge to itself.
    Each,
}

impl Sharing {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::One => "one for all",
            Self::Each => "one each",
        }
    }
}

/// What was measured, as medians of the rounds.
pub(crate) struct Case {
    pub(crate) keys: &'static str,
    pub(crate) sharing: Sharing,
    pub(crate) threads: usize,
    /// Nanoseconds of a thread's CPU time.
    pub(crate) cpu_ns_per_hit: f64,
    /// Of all threads together.
    pub(crate) hits_per_second: f64,
}

/// Measures every case: one hot key and many keys, an edge for all and one for each, on one core and on all.
pub(crate) fn measure() -> Result<Vec<Case>, String> {
    let cores = Cores::allowed().map_err(|error| error.to_string())?.numbers().to_vec();
    let response = response();
    let all: Vec<&'static [u8]> = (0..OBJECTS).map(request).collect();
    let edges: Vec<Arc<Shared>> =
        cores.iter().map(|_| filled(cores.len(), &all, response)).collect();
    let hot = |_: usize| vec![all[0]].leak() as Requests;
    let many = |thread: usize| {
        let numbers = zipf(OBJECTS, 1 << 18, thread as u64);
        numbers.into_iter().map(|number| all[number as usize]).collect::<Vec<_>>().leak()
            as Requests
    };
    let hot: Vec<Requests> = (0..cores.len()).map(hot).collect();
    let many: Vec<Requests> = (0..cores.len()).map(many).collect();
    let mut plans = Vec::new();
    for (keys, requests) in [("one", &hot), ("100,000 by Zipf's law", &many)] {
        for sharing in [Sharing::One, Sharing::Each] {
            for threads in [1, cores.len()] {
                plans.push((keys, requests, sharing, threads, Vec::new()));
            }
        }
    }
    plans.dedup_by_key(|plan| (plan.0, plan.2, plan.3));
    for _ in 0..ROUNDS {
        for (_, requests, sharing, threads, rounds) in &mut plans {
            let edge = |thread: usize| match sharing {
                Sharing::One => &edges[0],
                Sharing::Each => &edges[thread],
            };
            rounds.push(round(&cores[..*threads], edge, requests, response)?);
        }
    }
    let case = |(keys, _, sharing, threads, mut rounds): (_, _, _, _, Vec<Round>)| Case {
        keys,
        sharing,
        threads,
        cpu_ns_per_hit: median(&mut rounds, |round| round.cpu_ns_per_hit),
        hits_per_second: median(&mut rounds, |round| round.hits_per_second),
    };
    Ok(plans.into_iter().map(case).collect())
}

fn request(number: u32) -> &'static [u8] {
    let text = format!("GET /objects/{number} HTTP/1.1\r\nHost: www.customer.test\r\n\r\n");
    text.into_bytes().leak()
}

fn response() -> &'static [u8] {
    let head = format!(
        "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nCache-Control: max-age=60\r\n\
         Content-Length: {CONTENT_OCTETS}\r\n\r\n"
    );
    [head.as_bytes(), &[b'x'; CONTENT_OCTETS]].concat().leak()
}

/// An edge that has every object stored, each used often enough that further uses are not counted.
fn filled(workers: usize, all: &[&'static [u8]], response: &'static [u8]) -> Arc<Shared> {
    let edge = shared(workers, RAM_OCTETS);
    let mut connection = Connection::open(&edge, 0, response);
    let requests: Requests = all.to_vec().leak();
    for _ in 0..5 {
        connection.ask(requests, requests.len());
    }
    edge
}

struct Round {
    cpu_ns_per_hit: f64,
    hits_per_second: f64,
}

/// One thread on each of `cores` serves hits at the same time.
fn round<'a>(
    cores: &[usize],
    edge: impl Fn(usize) -> &'a Arc<Shared> + Sync,
    requests: &[Requests],
    response: &'static [u8],
) -> Result<Round, String> {
    let (start, stop) = (Barrier::new(cores.len()), AtomicBool::new(false));
    let serve = |thread: usize, core: usize| -> Result<(usize, f64, f64), String> {
        let pinned = pin_current_thread(core);
        let mut connection = Connection::open(edge(thread), thread, response);
        connection.ask(requests[thread], BATCH);
        start.wait();
        pinned.map_err(|error| format!("core {core}: {error}"))?;
        let (began, cpu) = (Instant::now(), cpu_ns()?);
        let mut hits = 0;
        // All go on until the first has had its time, so that nobody measures beside nobody.
        while !stop.load(Relaxed) {
            connection.ask(requests[thread], BATCH);
            hits += BATCH;
            if began.elapsed() >= ROUND {
                stop.store(true, Relaxed);
            }
        }
        Ok((hits, cpu_ns()? - cpu, began.elapsed().as_secs_f64()))
    };
    let served: Vec<Result<_, String>> = thread::scope(|scope| {
        let spawn = |(thread, core): (usize, &usize)| {
            let (serve, core) = (&serve, *core);
            scope.spawn(move || serve(thread, core))
        };
        let threads: Vec<_> = cores.iter().enumerate().map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread that serves")).collect()
    });
    let served: Vec<_> = served.into_iter().collect::<Result<_, _>>()?;
    let hits: usize = served.iter().map(|(hits, ..)| hits).sum();
    let cpu: f64 = served.iter().map(|(_, cpu, _)| cpu).sum();
    let rate = served.iter().map(|(hits, _, seconds)| *hits as f64 / seconds).sum();
    Ok(Round { cpu_ns_per_hit: cpu / hits as f64, hits_per_second: rate })
}

/// CPU time of this thread (proc(5), `schedstat`: nanoseconds on a core come first).
fn cpu_ns() -> Result<f64, String> {
    const FILE: &str = "/proc/thread-self/schedstat";
    let text = std::fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
    let first = text.split(' ').next().and_then(|number| number.parse().ok());
    first.ok_or_else(|| format!("{FILE}: {text:?}"))
}

/// The median of what `value` says of each.
pub(crate) fn median<T>(rounds: &mut [T], value: fn(&T) -> f64) -> f64 {
    rounds.sort_by(|one, other| value(one).total_cmp(&value(other)));
    value(&rounds[rounds.len() / 2])
}
