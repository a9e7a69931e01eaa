//! `lastmile bench compare`: the edge beside other caches, from its flags.

use super::{failure, stop_flag, write};
use crate::failure::Failure;
use crate::node::say;
use clap::Args;
use lastmile_bench::{CASES, Case, Config, PEERS, Peer, ROUNDS_MAX, SECONDS_MAX};
use std::path::PathBuf;

/// Rounds and seconds of `--quick`: all cases within a minute on a quiet machine.
const QUICK: (u32, u32) = (2, 1);

const EXAMPLES: &str = "Examples:
  lastmile bench compare
  lastmile bench compare --quick --case 1k-hit
  lastmile bench compare --case 1k-hit --peer lastmile --before /tmp/old/lastmile
  lastmile bench compare --rounds 9 --json --html compare.html > compare.json";

/// Flags of `lastmile bench compare`.
#[derive(Args, Clone, Debug)]
pub struct CompareFlags {
    /// Only this case; may be repeated [default: all]
    #[arg(long = "case", value_name = "NAME", value_parser = Case::named)]
    pub cases: Vec<&'static Case>,
    /// Beside lastmile only this peer; may be repeated [default: all]
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
    #[arg(long, value_name = "S", default_value = "3",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(SECONDS_MAX)))]
    pub seconds: u32,
    /// 2 rounds of 1 second: to see that it works, not for figures to show around
    #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
    pub quick: bool,
    /// Print JSON, with every round, instead of the table
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
    let row = |case: &Case| format!("\n  {:10} {}", case.name, case.title);
    CASES.iter().fold("Cases:".to_owned(), |text, case| text + &row(case))
}

/// Compares, and prints a report.
///
/// # Errors
/// As for [`super::run`].
pub(super) fn run(flags: &CompareFlags) -> Result<(), Failure> {
    let (rounds, seconds) = if flags.quick { QUICK } else { (flags.rounds, flags.seconds) };
    let lastmile = std::env::current_exe()
        .map_err(|error| Failure::Failed(format!("bench: our own executable: {error}")))?;
    let config = Config {
        lastmile,
        before: flags.before.clone(),
        peers: peers(&flags.peers, flags.before.is_some()),
        cases: if flags.cases.is_empty() { CASES.iter().collect() } else { flags.cases.clone() },
        rounds,
        seconds,
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
