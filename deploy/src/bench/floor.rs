//! `lastmile bench floor`: what this machine can do at most, from its flags.

use super::{failure, stop_flag};
use crate::failure::Failure;
use crate::node::say;
use crate::quantity::{Period, address};
use crate::stop::Stop;
use clap::Args;
use lastmile_bench::floor::{self, FloorIo, ROUNDS_MAX, Settings};
use std::net::SocketAddr;

/// Examples, for `--help`.
pub(super) const EXAMPLES: &str = "Examples:
  lastmile bench floor
  lastmile bench floor --io monoio --octets 16000 --rounds 5
  lastmile bench floor --serve --listen 127.0.0.1:8090 --io uring --core 0      for wrk and others

The floor parses nothing: it counts ends of heads, and answers each with the same octets. No cache costs less.";

/// Flags of `lastmile bench floor`.
#[derive(Args, Clone, Debug)]
pub struct FloorFlags {
    /// Only serve, until Ctrl-C or TERM, and measure nothing
    #[arg(long)]
    pub serve: bool,
    /// With --serve: listen at ADDR
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090", value_parser = address, requires = "serve")]
    pub listen: SocketAddr,
    /// How to talk to the kernel: monoio (as the edge does), uring (io_uring itself), or both (not with --serve)
    /// [default: both; monoio with --serve]
    #[arg(long, value_name = "WAY", value_parser = way)]
    pub io: Option<Way>,
    /// Octets of the content of an answer
    #[arg(long, value_name = "N", default_value = "1000")]
    pub octets: usize,
    /// Run it on this core [default: the first that may be used; with --serve: any]
    #[arg(long, value_name = "N")]
    pub core: Option<usize>,
    /// Rounds of each case; each asks every floor in turn
    #[arg(long, value_name = "N", default_value = "3", conflicts_with = "serve",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(ROUNDS_MAX)))]
    pub rounds: u32,
    /// How long the load is put on in each round
    #[arg(long, value_name = "TIME", default_value = "2s", conflicts_with = "serve")]
    pub duration: Period,
    /// Print JSON instead of the table
    #[arg(long, conflicts_with = "serve")]
    pub json: bool,
}

/// One way to talk to the kernel, or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// This one.
    One(FloorIo),
    /// Each of them.
    Both,
}

fn way(text: &str) -> Result<Way, String> {
    match text {
        "both" => Ok(Way::Both),
        _ => text.parse().map(Way::One).map_err(|error: String| format!("{error}, both")),
    }
}

/// Serves, or measures and prints a report.
///
/// # Errors
/// As for [`super::run`].
pub(super) fn run(flags: &FloorFlags) -> Result<(), Failure> {
    if flags.serve { serve(flags) } else { measure(flags) }
}

fn serve(flags: &FloorFlags) -> Result<(), Failure> {
    let io = match flags.io {
        None => FloorIo::Monoio,
        Some(Way::One(io)) => io,
        Some(Way::Both) => {
            let what = "bench: --io both and --serve; allowed: monoio, uring";
            return Err(Failure::Misused(what.to_owned()));
        }
    };
    let stop = Stop::on_signal()?;
    let address = floor::serve(flags.listen, io, flags.octets, flags.core)
        .map_err(|error| failure(&error))?;
    say(&format!("floor listens on {address}"));
    stop.wait(None, None);
    Ok(())
}

fn measure(flags: &FloorFlags) -> Result<(), Failure> {
    let lastmile = std::env::current_exe()
        .map_err(|error| Failure::Failed(format!("bench: our own executable: {error}")))?;
    let settings = Settings {
        lastmile,
        io: match flags.io {
            Some(Way::One(io)) => Some(io),
            Some(Way::Both) | None => None,
        },
        octets: flags.octets,
        core: flags.core,
        rounds: flags.rounds,
        duration: flags.duration.0,
    };
    let stop = stop_flag()?;
    let report = floor::measure(&settings, &stop, &mut |line| eprintln!("bench: {line}"))
        .map_err(|error| failure(&error))?;
    let text = if flags.json { report.json() } else { report.text() };
    say(text.trim_end());
    Ok(())
}
