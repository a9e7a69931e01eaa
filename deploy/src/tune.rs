//! `lastmile tune`: how the machine is set, from their flags. `cores`: the way of a packet to a worker.

mod cores;

use crate::failure::Failure;
use clap::{Args, Subcommand};
use cores::CoresFlags;

/// What `lastmile tune` does.
#[derive(Args, Clone, Debug)]
pub struct TuneFlags {
    /// Which part.
    // Optional, so that a command that is missing is told in our words.
    #[command(subcommand)]
    pub command: Option<TuneCommand>,
}

/// Parts of tuning.
#[derive(Clone, Debug, Subcommand)]
pub enum TuneCommand {
    /// Each receive queue's interrupt, core and worker; what is misaligned, and the commands that mend it
    #[command(after_help = cores::EXAMPLES)]
    Cores(CoresFlags),
}

/// Looks at the machine and prints what it finds.
///
/// # Errors
/// [`Failure::Misused`] for what is not there, [`Failure::Failed`] for what cannot be looked at.
pub fn run(flags: &TuneFlags) -> Result<(), Failure> {
    match &flags.command {
        Some(TuneCommand::Cores(flags)) => cores::run(flags),
        None => Err(Failure::Misused("tune: a command is missing; allowed: cores".to_owned())),
    }
}
