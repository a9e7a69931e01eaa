//! `lastmile bench trace`: what policies of an SSD tier make of synthetic traces, from its flags.

use super::stop_flag;
use crate::failure::Failure;
use crate::node::say;
use clap::Args;
use lastmile_bench::trace::{OBJECTS_MAX, REQUESTS_MAX, Settings, html, play, text};
use std::path::PathBuf;

/// Examples, for `--help`.
pub(super) const EXAMPLES: &str = "Examples:
  lastmile bench trace --html trace.html
  lastmile bench trace --objects 20000 --requests 200000      in a few seconds
  lastmile bench trace --json > trace.json

Traces: Zipf; the same with one-hit wonders, with scans, and with a popularity that
drifts; sizes as on the web. Policies: LRU, FIFO, S3-FIFO; a log of segments, with what was
read written again, and with an admission at the second use, which is what the edge does.
Each is a model behind a RAM tier of a tenth of the disk.";

/// Flags of `lastmile bench trace`.
#[derive(Args, Clone, Debug)]
pub struct TraceFlags {
    /// Popular objects of a trace
    #[arg(long, value_name = "N", default_value = "100000",
          value_parser = clap::value_parser!(u32).range(100..=i64::from(OBJECTS_MAX)))]
    pub objects: u32,
    /// Requests of a trace; the second half of them counts
    #[arg(long, value_name = "N", default_value = "2000000",
          value_parser = clap::value_parser!(u32).range(1000..=i64::from(REQUESTS_MAX)))]
    pub requests: u32,
    /// Another N, other traces
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// Print JSON instead of the tables
    #[arg(long)]
    pub json: bool,
    /// Write a page with curves to FILE as well
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Plays all traces, and prints a report.
///
/// # Errors
/// As for [`super::run`].
pub(super) fn run(flags: &TraceFlags) -> Result<(), Failure> {
    let settings = Settings { objects: flags.objects, requests: flags.requests, seed: flags.seed };
    let stop = stop_flag()?;
    let played = play(settings, &stop, |line| eprintln!("bench: {line}"));
    if stop.load(std::sync::atomic::Ordering::Relaxed) {
        return Err(Failure::Failed("bench: ended before all was played".to_owned()));
    }
    if let Some(path) = &flags.html {
        super::write(path, &html(&played))?;
    }
    let report = match flags.json {
        true => serde_json::to_string_pretty(&played)
            .map_err(|error| Failure::Failed(format!("bench: {error}")))?,
        false => text(&played),
    };
    say(report.trim_end());
    Ok(())
}
