//! `lastmile bench wan self-test`: what emulated links can do on this machine.

use crate::failure::Failure;
use crate::node::say;
use clap::Args;
use std::io;

/// Examples, for `--help`.
pub(super) const EXAMPLES: &str = "Examples:
  lastmile bench wan self-test
  lastmile bench wan self-test --json > links.json

It takes some 10 seconds and root's rights. Goals are for a quiet machine: whoever runs beside it
is measured too. Packets are sent and received on the same cores as the links run on.
Exit status: 0 all goals reached, 1 one is missed, 2 no rights, or no /dev/net/tun.";

/// Flags of `lastmile bench wan self-test`.
#[derive(Args, Clone, Debug)]
pub struct SelfTestFlags {
    /// Print JSON instead of the table
    #[arg(long)]
    pub json: bool,
}

/// Measures, and prints the figures beside their goals.
///
/// # Errors
/// [`Failure::Misused`] for what is missing; [`Failure::Failed`] when a goal is missed.
pub(super) fn run(flags: &SelfTestFlags) -> Result<(), Failure> {
    let measured = lastmile_bench::wan::self_test().map_err(|error| failure(&error))?;
    let text = if flags.json {
        serde_json::to_string_pretty(&measured)
            .map_err(|error| Failure::Failed(format!("bench wan: JSON: {error}")))?
    } else {
        measured.text()
    };
    say(text.trim_end());
    if measured.is_good() {
        return Ok(());
    }
    Err(Failure::Failed("bench wan: emulated links miss a goal on this machine".to_owned()))
}

fn failure(error: &io::Error) -> Failure {
    let line = format!("bench wan: {error}");
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound => {
            Failure::Misused(format!("{line}; links take root's rights and /dev/net/tun"))
        }
        _ => Failure::Failed(line),
    }
}
