//! The lastmile command: every role, and the whole CDN on one machine.
//!
//! In the order in which a command line meets them:
//!
//! * [`cli`]: the commands and their flags; [`quantity`]: sizes and durations as people write them.
//! * [`config`]: `lastmile.toml`, whose keys are the flags, and its sites; [`failure`]: what ends with which status.
//! * [`roles`]: an origin, an edge or a GSLB made of its flags, and stopped again.
//! * [`node`]: one role as a process; [`stop`]: what ends it; [`admin`]: what it tells about itself,
//!   [`metrics`]: in which words, [`load`]: how busy an edge is, [`mode`]: and what it is told.
//! * [`up`]: the whole CDN in one process; [`site`]: what it serves when no directory is given.
//! * [`check`]: a configuration looked at without starting anything; [`why`], [`mod@diff`]: a
//!   choice of the GSLB in words, and what a new map would move; [`keygen`]: a key for its zones.
//! * [`rules`]: the rules of HTTP and where each one is tested.
//! * [`mod@bench`]: measurements beside other caches. [`tune`]: the knobs of the machine;
//!   [`doctor`]: what it lacks.

pub mod admin;
pub mod bench;
pub mod check;
pub mod cli;
pub mod config;
pub mod diff;
pub mod doctor;
pub mod failure;
pub mod keygen;
pub mod load;
pub mod metrics;
pub mod mode;
pub mod node;
pub mod quantity;
pub mod roles;
pub mod rules;
pub mod site;
pub mod stop;
pub mod tune;
pub mod up;
pub mod why;

use cli::{Command, GslbCommand};
use failure::Failure;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Does what the arguments say (the first is the program's own name) and returns the exit status:
/// 0 good, 1 failed, 2 misused.
#[must_use]
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let outcome = cli::parse(arguments).and_then(|command| match command {
        Command::Up(flags) => up::run(&flags),
        Command::Edge(flags) => node::run(&flags.process, || roles::edge::start(&flags)),
        Command::Origin(flags) => node::run(&flags.process, || roles::origin::start(&flags)),
        Command::Gslb(flags) => match &flags.command {
            Some(GslbCommand::Why(flags)) => why::run(flags),
            Some(GslbCommand::Diff(flags)) => diff::run(flags),
            Some(GslbCommand::Keygen(flags)) => keygen::run(flags),
            None => node::run(&flags.process, || roles::gslb::start(&flags)),
        },
        Command::Rules(flags) => rules::run(&flags),
        Command::Check(flags) => check::run(&flags),
        Command::Tune(flags) => tune::run(&flags),
        Command::Bench(flags) => bench::run(&flags),
        Command::Doctor(flags) => doctor::run(&flags),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Shown(text)) => {
            // `lastmile --help | head` closes the pipe early, which is not an error of ours.
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("lastmile: {failure}");
            failure.status()
        }
    }
}
