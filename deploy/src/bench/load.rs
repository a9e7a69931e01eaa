//! `lastmile bench load`: requests, as many or as often as is asked, from its flags.

use super::{failure, stop_flag, write};
use crate::failure::Failure;
use crate::node::say;
use crate::quantity::{Period, Size, address};
use clap::Args;
use lastmile_bench::load::{
    self, CONNECTIONS_MAX, Load, PIPELINE_MAX, Progress, Report, Sizes, Targets,
};
use lastmile_tuning::cpu::Cores;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Examples, for `--help`.
pub(super) const EXAMPLES: &str = "Examples:
  lastmile bench load http://127.0.0.1:8080/bytes/1KB/x?max-age=3600
  lastmile bench load http://127.0.0.1:8080/ --host www.customer.test --rate 20000 --html load.html
  lastmile bench load http://127.0.0.1:8080 --zipf 0.9 --objects 10000 --sizes 1KB:60,16KB:30,100KB:9,1MB:1
  lastmile bench load http://127.0.0.1:8080/bytes/1KB --unique --check          each request is a miss
  lastmile bench load http://127.0.0.1:8080/ --requests-per-connection 1        a connection per request
  lastmile bench load http://127.0.0.1:8080/bytes/100MB --connections 50 --read-rate 100kB
  lastmile bench load http://127.0.0.1:8080/ --connections 10000 --hold --duration 1h

How it is measured, and what the figures mean: bench/README.md.";

/// Flags of `lastmile bench load`.
#[derive(Args, Clone, Debug)]
pub struct LoadFlags {
    /// http://IP:PORT and, unless there are other targets, /PATH[?QUERY]
    #[arg(value_name = "URL")]
    pub url: Place,
    /// Connections at a time
    #[arg(long, value_name = "N", default_value = "64", value_parser = count::<CONNECTIONS_MAX>)]
    pub connections: usize,
    /// Measure for TIME
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub duration: Period,
    /// Put the load on for TIME before anything counts
    #[arg(long, value_name = "TIME", default_value = "0s")]
    pub warmup: Period,
    /// Start N requests per second on time, whatever becomes of earlier ones (an open loop) [default: each connection
    /// asks again when it has its answer]
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// Requests that a connection sends at once, the next ones when all are answered
    #[arg(long, value_name = "N", default_value = "1", value_parser = count::<PIPELINE_MAX>)]
    pub pipeline: usize,
    /// Close a connection after N requests and open another one; 1: a connection per request
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub requests_per_connection: Option<u64>,
    /// Be quiet for TIME between an answer and the next request of a connection
    #[arg(long, value_name = "TIME", default_value = "0s")]
    pub think: Period,
    /// Read at most SIZE per second on each connection
    #[arg(long, value_name = "SIZE")]
    pub read_rate: Option<Size>,
    /// Send one request on each connection and keep them open, until the end or Ctrl-C
    #[arg(long, conflicts_with_all = ["rate", "pipeline", "requests_per_connection", "think"])]
    pub hold: bool,
    /// Ask for the targets in FILE, one a line, in turn
    #[arg(long, value_name = "FILE")]
    pub paths: Option<PathBuf>,
    /// Ask for objects /bytes/SIZE/NUMBER of a synthetic origin, the most popular first: number N as often as 1/N^S
    #[arg(long, value_name = "S", conflicts_with = "paths")]
    pub zipf: Option<f64>,
    /// With --zipf: how many objects there are
    #[arg(long, value_name = "N", default_value = "10000", requires = "zipf")]
    pub objects: u32,
    /// With --zipf: their sizes, and how many of any sum have each
    #[arg(
        long,
        value_name = "MIX",
        default_value = "1KB:60,16KB:30,100KB:9,1MB:1",
        requires = "zipf"
    )]
    pub sizes: Sizes,
    /// With --zipf: the query of each
    #[arg(long, value_name = "TEXT", default_value = "max-age=3600", requires = "zipf")]
    pub query: String,
    /// Another target for each request: a counter at the end of the path, or in the place of {n}
    #[arg(long, conflicts_with_all = ["paths", "zipf"])]
    pub unique: bool,
    /// The Host field [default: IP:PORT]
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// Send this field too; may be repeated
    #[arg(long = "field", value_name = "NAME: VALUE")]
    pub fields: Vec<String>,
    /// Compare contents with those that the synthetic origin (lastmile origin --synthetic) has
    #[arg(long)]
    pub check: bool,
    /// Give a request up after TIME without an octet
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub timeout: Period,
    /// A thread on each of these cores, such as 1 or 2-3 [default: the last core that may be used]
    #[arg(long, value_name = "LIST")]
    pub cores: Option<Cores>,
    /// Another N, other random choices
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// Print JSON instead of the table
    #[arg(long)]
    pub json: bool,
    /// Write a page with plots to FILE as well
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Where a load goes: an address, and a target if one was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    address: SocketAddr,
    target: Option<String>,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("http://").unwrap_or(text);
        let at = rest.find('/').unwrap_or(rest.len());
        let (authority, target) = rest.split_at(at);
        let address = address(authority).map_err(|_| {
            format!("{text:?} is no place; allowed: http://IP:PORT[/PATH[?QUERY]], no names")
        })?;
        Ok(Self { address, target: (!target.is_empty()).then(|| target.to_owned()) })
    }
}

/// A count from 1 to `MAX`.
fn count<const MAX: usize>(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| (1..=MAX).contains(count))
        .ok_or_else(|| format!("{text:?} is not a number; allowed: 1 to {MAX}"))
}

/// Loads, and prints what it came to.
///
/// # Errors
/// As for [`super::run`]. That the server failed is a result, and fails the command only when contents were wrong.
pub(super) fn run(flags: &LoadFlags) -> Result<(), Failure> {
    let load = described(flags)?;
    load.check().map_err(|error| failure(&error))?;
    let cores = match &flags.cores {
        Some(cores) => cores.clone(),
        None => Cores::allowed().map_err(|error| Failure::Failed(format!("bench: {error}")))?,
    };
    let cores = match flags.cores {
        Some(_) => cores.numbers(),
        None => &cores.numbers()[cores.numbers().len().saturating_sub(1)..],
    };
    // Before the load: a page that can't be written should not cost it.
    if let Some(file) = &flags.html {
        write(file, "")?;
    }
    let stop = stop_flag()?;
    let mut told = Told::default();
    let outcome = load::run_on(cores, &load, &stop, &mut |progress| told.tell(progress))
        .map_err(|error| failure(&error))?;
    told.end();
    let report = Report::new(&load, cores.len(), &outcome);
    let text = if flags.json { report.json() } else { report.text() };
    say(text.trim_end());
    flags.html.as_ref().map_or(Ok(()), |file| write(file, &report.html()))?;
    match outcome.errors.content {
        0 => Ok(()),
        wrong => Err(Failure::Failed(format!("bench: {wrong} responses had a wrong content"))),
    }
}

fn described(flags: &LoadFlags) -> Result<Load, Failure> {
    let Place { address, target } = flags.url.clone();
    let elsewhere = |flag: &str| match &target {
        Some(target) if target != "/" => Err(Failure::Misused(format!(
            "bench: a target {target:?} and {flag}; allowed: one of them"
        ))),
        Some(_) | None => Ok(()),
    };
    let targets = if let Some(file) = &flags.paths {
        elsewhere("--paths")?;
        Targets::List(lines(file)?)
    } else if let Some(exponent) = flags.zipf {
        elsewhere("--zipf")?;
        let (sizes, query) = (flags.sizes.clone(), flags.query.clone());
        Targets::Zipf { exponent, objects: flags.objects, sizes, query }
    } else {
        let target = target.unwrap_or_else(|| "/".to_owned());
        if flags.unique { Targets::Unique(target) } else { Targets::One(target) }
    };
    Ok(Load {
        host: flags.host.clone(),
        fields: flags.fields.clone(),
        connections: flags.connections,
        pipeline: flags.pipeline,
        rate: flags.rate,
        duration: flags.duration.0,
        warmup: flags.warmup.0,
        requests_per_connection: flags.requests_per_connection,
        think: flags.think.0,
        read_rate: flags.read_rate.map(|size| size.0),
        timeout: flags.timeout.0,
        check: flags.check,
        hold: flags.hold,
        seed: flags.seed,
        ..Load::new(address, targets)
    })
}

/// The lines of `file`, but empty ones and comments.
fn lines(file: &Path) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Misused(format!("bench: {}: {error}", file.display())))?;
    let lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(ToOwned::to_owned).collect())
}

/// A line about how it goes: over and over the same one on a terminal, otherwise one each second.
#[derive(Debug, Default)]
struct Told {
    last: Progress,
    any: bool,
}

impl Told {
    fn tell(&mut self, progress: &Progress) {
        let since = progress.elapsed.saturating_sub(self.last.elapsed);
        if since < Duration::from_secs(1) {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of a second are far below 2^52")]
        let rate = |now: u64, before: u64| (now - before) as f64 / since.as_secs_f64();
        let line = format!(
            "bench: {:.0} s, {} connections, {:.0} responses/s, {:.1} MB/s, {} errors",
            progress.elapsed.as_secs_f64(),
            progress.open,
            rate(progress.answered, self.last.answered),
            rate(progress.octets, self.last.octets) / 1e6,
            progress.errors
        );
        if std::io::stderr().is_terminal() {
            // Erases what the line before had more.
            eprint!("\r{line}\x1b[K");
        } else {
            eprintln!("{line}");
        }
        self.last = *progress;
        self.any = true;
    }

    fn end(&self) {
        if self.any && std::io::stderr().is_terminal() {
            eprintln!();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        for (text, address, target, why) in [
            ("http://127.0.0.1:80/a?b", "127.0.0.1:80", Some("/a?b"), "all of it"),
            ("http://127.0.0.1:80", "127.0.0.1:80", None, "no target"),
            ("[::1]:80/", "[::1]:80", Some("/"), "no scheme"),
        ] {
            let place: Place = text.parse().unwrap();
            assert_eq!(place.address.to_string(), address, "{why}");
            assert_eq!(place.target.as_deref(), target, "{why}");
        }
        for text in ["https://127.0.0.1:80/", "http://localhost:80/", "http://127.0.0.1/", ""] {
            let error = text.parse::<Place>().unwrap_err();
            assert!(error.starts_with(&format!("{text:?} is no place; allowed:")), "{error}");
        }
    }
}
