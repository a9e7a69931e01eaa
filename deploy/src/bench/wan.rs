//! `lastmile bench wan`: the wide-area lab, from its flags.

mod self_test;

use crate::failure::Failure;
use clap::{Args, Subcommand};
use self_test::SelfTestFlags;

/// Examples, for `--help`.
pub(super) const EXAMPLES: &str = "Examples:
  lastmile bench wan self-test";

/// Flags of `lastmile bench wan`.
#[derive(Args, Clone, Debug)]
pub struct WanFlags {
    /// What to do.
    // Optional, so that a command that is missing is told in our words.
    #[command(subcommand)]
    pub command: Option<WanCommand>,
}

/// What the lab can do.
#[derive(Clone, Debug, Subcommand)]
pub enum WanCommand {
    /// How exact and how fast emulated links are on this machine, beside what the lab needs
    #[command(after_help = self_test::EXAMPLES)]
    SelfTest(SelfTestFlags),
}

/// Runs the command.
///
/// # Errors
/// [`Failure::Misused`] without root's rights; [`Failure::Failed`] when a goal is missed.
pub(super) fn run(flags: &WanFlags) -> Result<(), Failure> {
    match &flags.command {
        Some(WanCommand::SelfTest(flags)) => self_test::run(flags),
        None => {
            let what = "bench wan: a command is missing; allowed: self-test (see --help)";
            Err(Failure::Misused(what.to_owned()))
        }
    }
}
