//! `lastmile bench compare`: the edge beside other caches, from its flags.

use super::{failure, stop_flag, write};
use crate::failure::Failure;
use crate::node::say;
use clap::Args;
use lastmile_bench::{CASES, Case, Config, Loader, PEERS, Peer, ROUNDS_MAX, SECONDS_MAX};
use std::path::PathBuf;
use std::time::Duration;

/// Duration of a round of `--quick`.
const QUICK_ROUND: Duration = Duration::from_millis(250);

/// After this long `--quick` begins nothing new, so that it ends within 3 minutes: what takes longest is filling a
/// cache with 100,000 objects.
const QUICK_BUDGET: Duration = Duration::from_secs(160);

/// Rounds of `--quick`.
const QUICK_ROUNDS: u32 = 1;

/// How often a round may be repeated: a machine that is never quiet gets no quieter.
const REPEATS_MAX: u32 = 100;

const EXAMPLES: &str = "Examples:
  lastmile bench compare --quick
  lastmile bench compare --html compare.html
  lastmile bench compare --case 1k-hit --peer nginx --peer floor-monoio
  lastmile bench compare --case 1k-hit --peer lastmile --before /tmp/old/lastmile
  lastmile bench compare --case 1k-hit --load wrk
  lastmile bench compare --rounds 9 --json > compare.json";

/// Flags of `lastmile bench compare`.
#[derive(Args, Clone, Debug)]
pub struct CompareFlags {
    /// Only this case; may be repeated [default: all]
    #[arg(long = "case", value_name = "NAME", value_parser = Case::named)]
    pub cases: Vec<&'static Case>,
    /// Beside lastmile only this peer; may be repeated [default: all that are installed]
    #[arg(long = "peer", value_name = "NAME", value_parser = Peer::named)]
    pub peers: Vec<Peer>,
    /// And this other lastmile executable, such as one built before a change
    #[arg(long, value_name = "PATH")]
    pub before: Option<PathBuf>,
    /// Rounds of each case; each asks every peer in turn
    #[arg(long, value_name = "N", default_value = "5",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(ROUNDS_MAX)))]
    pub rounds: u32,
    /// Seconds of load on each peer in each round
    #[arg(long, value_name = "S", default_value = "2",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(SECONDS_MAX)))]
    pub seconds: u32,
    /// How often a round is repeated in which the machine was disturbed or something went wrong
    #[arg(long, value_name = "N", default_value = "1",
          value_parser = clap::value_parser!(u32).range(0..=i64::from(REPEATS_MAX)))]
    pub repeats: u32,
    /// One short round, without the million objects, within 3 minutes: to see how things stand
    #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
    pub quick: bool,
    /// Who makes the requests: our own load, or wrk, as a reference in cases that it can do
    #[arg(long, value_name = "own|wrk", value_parser = Loader::named, default_value = "own")]
    pub load: Loader,
    /// Print JSON, with every round, instead of the tables
    #[arg(long)]
    pub json: bool,
    /// Write a page with bars to FILE as well
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// The table of cases and examples, for `--help`.
pub(super) fn after_help() -> String {
    format!("{}\n\n{EXAMPLES}", cases())
}

fn cases() -> String {
    let row = |case: &Case| format!("\n  {:18} {}", case.name, case.title);
    CASES.iter().fold("Cases:".to_owned(), |text, case| text + &row(case))
}

/// Compares, and prints a report.
///
/// # Errors
/// As for [`super::run`].
pub(super) fn run(flags: &CompareFlags) -> Result<(), Failure> {
    let lastmile = std::env::current_exe()
        .map_err(|error| Failure::Failed(format!("bench: our own executable: {error}")))?;
    let config = Config {
        lastmile,
        before: flags.before.clone(),
        peers: peers(&flags.peers, flags.before.is_some()),
        all_peers: !flags.peers.is_empty(),
        cases: cases_of(flags),
        rounds: if flags.quick { QUICK_ROUNDS } else { flags.rounds },
        duration: if flags.quick { QUICK_ROUND } else { Duration::from_secs(flags.seconds.into()) },
        repeats: flags.repeats,
        budget: flags.quick.then_some(QUICK_BUDGET),
        loader: flags.load,
        stop: stop_flag()?,
    };
    // Before the rounds: a page that can't be written should not cost them.
    if let Some(file) = &flags.html {
        write(file, "")?;
    }
    let report = lastmile_bench::run(&config, &mut |line| eprintln!("bench: {line}"))
        .map_err(|error| failure(&error))?;
    let text = if flags.json { report.json() } else { report.text() };
    say(text.trim_end());
    flags.html.as_ref().map_or(Ok(()), |file| write(file, &report.html()))
}

/// Those given; else all, or those that `--quick` or wrk can do.
fn cases_of(flags: &CompareFlags) -> Vec<&'static Case> {
    if !flags.cases.is_empty() {
        return flags.cases.clone();
    }
    let can = |case: &&Case| {
        (case.quick || !flags.quick)
            && (flags.load == Loader::Own || lastmile_bench::wrk::can(case))
    };
    CASES.iter().filter(can).collect()
}

/// lastmile, then another one if there is one, then the others: those given, or all.
fn peers(given: &[Peer], before: bool) -> Vec<Peer> {
    let takes_part =
        |peer: &Peer| *peer == Peer::Lastmile || given.is_empty() || given.contains(peer);
    let mut peers: Vec<Peer> = PEERS.iter().copied().filter(takes_part).collect();
    if before {
        peers.insert(1, Peer::Before);
    }
    peers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lastmile_always_takes_part() {
        for (given, expected, why) in [
            (&[][..], PEERS, "none given: all"),
            (&[Peer::Nginx], &[Peer::Lastmile, Peer::Nginx], "beside the one given"),
            (&[Peer::Nginx, Peer::Nginx], &[Peer::Lastmile, Peer::Nginx], "each once"),
            (&[Peer::Lastmile], &[Peer::Lastmile], "alone"),
        ] {
            assert_eq!(peers(given, false), expected, "{why}");
        }
        let with_before = peers(&[Peer::Lastmile], true);
        assert_eq!(with_before, [Peer::Lastmile, Peer::Before], "another one, by its path");
    }
}
