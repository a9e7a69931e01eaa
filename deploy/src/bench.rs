//! `lastmile bench`: measurements, from their flags. `load`: of any server; `floor`: of what can be done
//! at most; `compare`: beside peers; `dns`: the GSLB beside others; `steer`: how well it steers; `trace`: policies of a
//! tier; `wan`: a small internet on this machine.

mod compare;
mod dns;
mod floor;
mod load;
mod steer;
mod trace;
mod wan;

use crate::failure::Failure;
use crate::stop::Stop;
use clap::{Args, Subcommand};
use compare::CompareFlags;
use dns::DnsFlags;
use floor::FloorFlags;
use lastmile_bench::BenchError;
use load::LoadFlags;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use steer::SteerFlags;
use trace::TraceFlags;
use wan::WanFlags;

/// What `lastmile bench` measures.
#[derive(Args, Clone, Debug)]
pub struct BenchFlags {
    /// How.
    // Optional, so that a command that is missing is told in our words.
    #[command(subcommand)]
    pub command: Option<BenchCommand>,
}

/// Ways to measure.
#[derive(Clone, Debug, Subcommand)]
pub enum BenchCommand {
    /// The edge beside other caches on the same core: CPU per request, latencies, memory, goals
    #[command(after_help = compare::after_help())]
    Compare(CompareFlags),
    /// The GSLB beside other name servers on the same core: CPU per query, queries/s, goals
    #[command(after_help = dns::EXAMPLES)]
    Dns(DnsFlags),
    /// Put load on a server, as many requests or as often as is asked, and say what became of them
    #[command(after_help = load::EXAMPLES)]
    Load(Box<LoadFlags>),
    /// Server CPU per request of a server that parses nothing: what this machine can do at most
    #[command(after_help = floor::EXAMPLES)]
    Floor(FloorFlags),
    /// How well the GSLB's policy steers, through crowds and losses, on a synthetic internet
    #[command(after_help = steer::EXAMPLES)]
    Steer(SteerFlags),
    /// What policies of an SSD tier would have had and written, on synthetic traces
    #[command(after_help = trace::EXAMPLES)]
    Trace(TraceFlags),
    /// A small internet on this machine: real TCP and real programs over links of chosen delay, rate and loss
    #[command(after_help = wan::EXAMPLES)]
    Wan(WanFlags),
}

/// Measures, and prints a report; what happens meanwhile goes to stderr.
///
/// # Errors
/// [`Failure::Misused`] when a program is missing; otherwise what could not be measured, and why.
pub fn run(flags: &BenchFlags) -> Result<(), Failure> {
    match &flags.command {
        Some(BenchCommand::Compare(flags)) => compare::run(flags),
        Some(BenchCommand::Dns(flags)) => dns::run(flags),
        Some(BenchCommand::Load(flags)) => load::run(flags),
        Some(BenchCommand::Floor(flags)) => floor::run(flags),
        Some(BenchCommand::Steer(flags)) => steer::run(flags),
        Some(BenchCommand::Trace(flags)) => trace::run(flags),
        Some(BenchCommand::Wan(flags)) => wan::run(flags),
        None => {
            let what = "bench: a command is missing; allowed: compare, dns, load, floor, steer, trace, wan \
                        (see --help)";
            Err(Failure::Misused(what.to_owned()))
        }
    }
}

/// Set once whoever started us wants us to end.
fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let (signal, set) = (Stop::on_signal()?, Arc::clone(&stop));
    std::thread::spawn(move || {
        signal.wait(None, None);
        set.store(true, Ordering::Relaxed);
    });
    Ok(stop)
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text)
        .map_err(|error| Failure::Misused(format!("bench: {}: {error}", file.display())))
}

fn failure(error: &BenchError) -> Failure {
    let line = format!("bench: {error}");
    if error.is_misuse() { Failure::Misused(line) } else { Failure::Failed(line) }
}
