//! `lastmile bench dns`: the GSLB beside other name servers, from its flags.

use super::{failure, stop_flag, write};
use crate::failure::Failure;
use crate::node::say;
use clap::Args;
use lastmile_bench::{
    DNS_CASES, DnsCase, DnsConfig, NAME_SERVERS, PREFIXES_MAX, Peer, ROUNDS_MAX, SECONDS_MAX, dns,
};
use std::path::PathBuf;
use std::time::Duration;

/// Duration of a round of `--quick`.
const QUICK_ROUND: Duration = Duration::from_millis(250);

/// Rounds of `--quick`.
const QUICK_ROUNDS: u32 = 1;

/// How often a round may be repeated: a machine that is never quiet gets no quieter.
const REPEATS_MAX: u32 = 100;

/// Examples, for `--help`.
pub(super) const EXAMPLES: &str = "Examples:
  lastmile bench dns --quick
  lastmile bench dns --html dns.html
  lastmile bench dns --case static --peer gdnsd --rounds 9
  lastmile bench dns --case subnets --prefixes 1000000 --json > dns.json

Cases: static, addresses of 1,000 names of a zone; subnets, a name that is steered by a map, with a
random client subnet in each query (lastmile, gdnsd, knot).
Peers: gdnsd, knot, nsd, pdns; all of them are packages of Debian.";

/// Flags of `lastmile bench dns`.
#[derive(Args, Clone, Debug)]
pub struct DnsFlags {
    /// Only this case; may be repeated [default: all]
    #[arg(long = "case", value_name = "NAME", value_parser = DnsCase::named)]
    pub cases: Vec<DnsCase>,
    /// Beside lastmile only this peer; may be repeated [default: all that are installed]
    #[arg(long = "peer", value_name = "NAME", value_parser = Peer::name_server)]
    pub peers: Vec<Peer>,
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
    /// Prefixes of the map in the case of subnets
    #[arg(long, value_name = "N", default_value = "500000",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(PREFIXES_MAX)))]
    pub prefixes: u32,
    /// One short round, within half a minute: to see how things stand
    #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
    pub quick: bool,
    /// Print JSON, with every round, instead of the tables
    #[arg(long)]
    pub json: bool,
    /// Write a page with bars to FILE as well
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Compares, and prints a report.
///
/// # Errors
/// As for [`super::run`].
pub(super) fn run(flags: &DnsFlags) -> Result<(), Failure> {
    let lastmile = std::env::current_exe()
        .map_err(|error| Failure::Failed(format!("bench: our own executable: {error}")))?;
    let config = DnsConfig {
        lastmile,
        peers: peers(&flags.peers),
        all_peers: !flags.peers.is_empty(),
        cases: cases(&flags.cases),
        rounds: if flags.quick { QUICK_ROUNDS } else { flags.rounds },
        duration: if flags.quick { QUICK_ROUND } else { Duration::from_secs(flags.seconds.into()) },
        repeats: flags.repeats,
        prefixes: flags.prefixes,
        stop: stop_flag()?,
    };
    // Before the rounds: a page that can't be written should not cost them.
    if let Some(file) = &flags.html {
        write(file, "")?;
    }
    let report = dns::run(&config, &mut |line| eprintln!("bench: {line}"))
        .map_err(|error| failure(&error))?;
    let text = if flags.json { report.json() } else { report.text() };
    say(text.trim_end());
    flags.html.as_ref().map_or(Ok(()), |file| write(file, &report.html()))
}

/// Those given, each once, or all.
fn cases(given: &[DnsCase]) -> Vec<DnsCase> {
    let takes_place = |case: &DnsCase| given.is_empty() || given.contains(case);
    DNS_CASES.iter().copied().filter(takes_place).collect()
}

/// lastmile, then the others: those given, each once, or all.
fn peers(given: &[Peer]) -> Vec<Peer> {
    let takes_part =
        |peer: &Peer| *peer == Peer::Lastmile || given.is_empty() || given.contains(peer);
    NAME_SERVERS.iter().copied().filter(takes_part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lastmile_always_takes_part() {
        for (given, expected, why) in [
            (&[][..], NAME_SERVERS, "none given: all"),
            (&[Peer::Knot, Peer::Gdnsd], &[Peer::Lastmile, Peer::Gdnsd, Peer::Knot], "in order"),
            (&[Peer::Lastmile], &[Peer::Lastmile], "alone"),
        ] {
            assert_eq!(peers(given), expected, "{why}");
        }
        assert_eq!(cases(&[]), DNS_CASES);
        assert_eq!(cases(&[DnsCase::Subnets, DnsCase::Subnets]), [DnsCase::Subnets], "once");
    }
}
