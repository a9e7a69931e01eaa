//! wrk, the load: run once, and what its output says.

use crate::case::{Case, Requests, Scene, Targets};
use crate::error::BenchError;
use crate::process::{self, Program};
use std::io::Read as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// The program and the package of Debian that has it.
pub const PROGRAM: (&str, &str) = ("wrk", "wrk");

/// Beyond its own duration: connecting, a last response, printing. Then it hangs and is ended.
const OVERTIME_MAX: Duration = Duration::from_secs(20);

/// How soon a request to stop is noticed.
const STOP_LOOK_EVERY: Duration = Duration::from_millis(100);

/// What one run of wrk measured, by its own clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Responses that came whole.
    pub requests: u64,
    /// Of those in a second.
    pub requests_per_second: f64,
    /// Median time from request to whole response, in us.
    pub p50_us: f64,
    /// What 99 of 100 responses are at most, in us.
    pub p99_us: f64,
    /// wrk's line about failed connections or status codes of 400 and more; such a run shows nothing.
    pub errors: Option<String>,
}

/// Whether wrk can make the requests of a case by itself.
#[must_use]
pub fn can(case: &Case) -> bool {
    matches!(
        case.scene,
        Scene::Load(Requests { targets: Targets::One(_), pipeline: 1, once: false, .. })
    )
}

/// Runs wrk with one thread for `duration`, in whole seconds, against one object, on the cores of this thread.
///
/// # Errors
/// wrk can't be started, hangs, or prints something else than expected; [`BenchError::Stopped`] soon
/// after `stop` is set.
pub fn run(
    address: SocketAddr,
    requests: &Requests,
    duration: Duration,
    stop: &AtomicBool,
) -> Result<Load, BenchError> {
    let io = |error| BenchError::Io("wrk", error);
    let Targets::One(target) = requests.targets else {
        return Err(BenchError::Load("more than one object".to_owned()));
    };
    let seconds = duration.as_secs().max(1);
    let mut command = process::command(PROGRAM.0);
    command
        .args(["-t1", "--latency", "--timeout", "5s"])
        .arg(format!("-c{}", requests.connections))
        .arg(format!("-d{seconds}s"))
        .arg(format!("http://{address}{target}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut program = Program::start(&mut command).map_err(io)?;
    let output = program.child().stdout.take();
    let complaint = program.child().stderr.take();
    let (done, finished) = sync_channel(1);
    std::thread::spawn(move || {
        let (mut text, mut said) = (String::new(), String::new());
        let read = output.map_or(Ok(0), |mut pipe| pipe.read_to_string(&mut text));
        let read = read.and(complaint.map_or(Ok(0), |mut pipe| pipe.read_to_string(&mut said)));
        let _ = done.send(read.map(|_| (text, said)));
    });
    let deadline = Instant::now() + Duration::from_secs(seconds) + OVERTIME_MAX;
    let (text, said) = loop {
        match finished.recv_timeout(STOP_LOOK_EVERY) {
            Ok(result) => break result.map_err(io)?,
            Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => {
                return Err(BenchError::Stopped);
            }
            Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Err(BenchError::Load(format!("no end after {seconds} s")));
            }
        }
    };
    parse(&text).ok_or_else(|| {
        let said = [said, text].concat();
        BenchError::Load(said.lines().last().unwrap_or("printed nothing").trim().to_owned())
    })
}

/// The output of wrk 4 with `--latency`; `None` when anything of it is missing.
#[must_use]
pub fn parse(text: &str) -> Option<Load> {
    let after = |start: &str| {
        text.lines().map(str::trim).find_map(|line| line.strip_prefix(start)).map(str::trim)
    };
    let requests = text
        .lines()
        .find_map(|line| line.split_once(" requests in "))
        .and_then(|(count, _)| count.trim().parse().ok())?;
    let errors = text
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("Socket errors:") || line.starts_with("Non-2xx"))
        .collect::<Vec<_>>()
        .join("; ");
    Some(Load {
        requests,
        requests_per_second: after("Requests/sec:")?.parse().ok()?,
        p50_us: microseconds(after("50%")?)?,
        p99_us: microseconds(after("99%")?)?,
        errors: (!errors.is_empty()).then_some(errors),
    })
}

/// A duration as wrk writes it: `635.00us`, `1.02ms`, `2.50s`, `1.50m`.
fn microseconds(text: &str) -> Option<f64> {
    let digits = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" => 60e6,
        "h" => 3_600e6,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As wrk 4.1.0 of Debian 12 printed it.
    const GOOD: &str = "\
Running 1s test @ http://127.0.0.1:18999/a
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.73ms    0.90ms  14.85ms   87.31%
    Req/Sec     2.17k   121.56     2.35k    70.00%
  Latency Distribution
     50%    2.62ms
     75%    3.03ms
     90%    3.50ms
     99%    4.92ms
  2160 requests in 1.00s, 426.29KB read
Requests/sec:   2158.36
Transfer/sec:    425.97KB
";

    const NOT_FOUND: &str = "\
Running 1s test @ http://127.0.0.1:18999/nothere
  1 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.67ms  527.51us   6.10ms   76.42%
    Req/Sec     2.34k   106.18     2.47k    63.64%
  Latency Distribution
     50%    635.00us
     75%    2.03ms
     90%    2.27ms
     99%    3.34ms
  2555 requests in 1.10s, 1.27MB read
  Non-2xx or 3xx responses: 2555
Requests/sec:   2324.02
Transfer/sec:      1.15MB
";

    #[test]
    fn outputs() {
        let broken = GOOD.replace(
            "Requests/sec",
            "  Socket errors: connect 0, read 3, write 0, timeout 1\nRequests/sec",
        );
        let slow = GOOD.replace("4.92ms", "1.20s");
        let cut = GOOD.split("  2160").next().unwrap().to_owned();
        let refused = "unable to connect to 127.0.0.1:18998 Connection refused\n".to_owned();
        let (not_found, socket) = (
            "Non-2xx or 3xx responses: 2555",
            "Socket errors: connect 0, read 3, write 0, timeout 1",
        );
        let row = |requests, rate, p50, p99, errors: Option<&str>| {
            Some(Load {
                requests,
                requests_per_second: rate,
                p50_us: p50,
                p99_us: p99,
                errors: errors.map(str::to_owned),
            })
        };
        for (text, expected, why) in [
            (GOOD.to_owned(), row(2160, 2158.36, 2620.0, 4920.0, None), "all went well"),
            (NOT_FOUND.to_owned(), row(2555, 2324.02, 635.0, 3340.0, Some(not_found)), "404"),
            (broken, row(2160, 2158.36, 2620.0, 4920.0, Some(socket)), "broken connections"),
            (slow, row(2160, 2158.36, 2620.0, 1_200_000.0, None), "seconds"),
            (cut, None, "cut off"),
            (refused, None, "nobody listens"),
            (String::new(), None, "nothing"),
        ] {
            assert_eq!(parse(&text), expected, "{why}");
        }
    }

    #[test]
    fn durations() {
        for (text, expected, why) in [
            ("635.00us", Some(635.0), "microseconds"),
            ("2.62ms", Some(2620.0), "milliseconds"),
            ("1.50s", Some(1.5e6), "seconds"),
            ("1.00m", Some(60e6), "minutes"),
            ("12", None, "no unit"),
            ("1.0parsec", None, "another unit"),
            ("", None, "nothing"),
        ] {
            assert_eq!(microseconds(text), expected, "{text}: {why}");
        }
    }
}
