//! `lastmile doctor`: what this machine has and allows, and what each role would lack here.
//!
//! `facts` is what there is, found out by trying, with `ports`, and `disk` if a directory is given; `judge` says what
//! it means; `check` is how that is said; `print` shows it.

mod check;
mod disk;
mod facts;
mod judge;
mod ports;
mod print;

pub use check::{Check, Effect, Role, State, verdict};

use crate::failure::Failure;
use crate::node::say;
use clap::Args;
use facts::Facts;
use std::path::PathBuf;

/// Shown below the help.
pub const EXAMPLES: &str = "Examples:
  lastmile doctor
  lastmile doctor --role edge,gslb --json
  lastmile doctor --role edge --dir /var/cache/lastmile      its disk too

ok: everything is there; degraded: it runs, with less or in another way; missing: it does not run.
Nothing is changed, and no permission is needed. Exit status: 0 when every role of --role can run,
1 when one cannot; without --role, edge, origin and gslb count, and lab is shown.";

/// Flags of `lastmile doctor`.
#[derive(Args, Clone, Debug)]
pub struct DoctorFlags {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Look only at what these roles need; several, with commas
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    pub role: Vec<Role>,
    /// Measure the disk of DIR: at most 256 MiB are written there and read, for at most 3 s
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Roles that count when none is asked for.
const SERVING: [Role; 3] = [Role::Edge, Role::Origin, Role::Gslb];

/// Looks at the machine and prints what it means.
///
/// # Errors
/// [`Failure::Failed`] when a role that counts cannot run, after everything has been printed; [`Failure::Misused`] for
/// a directory that cannot be written to.
pub fn run(flags: &DoctorFlags) -> Result<(), Failure> {
    let disk = flags.dir.as_deref().map(|directory| {
        disk::measure(directory)
            .map_err(|error| Failure::Misused(format!("--dir: {}: {error}", directory.display())))
    });
    let checks = judge::judge(&Facts::read(), disk.transpose()?.as_ref());
    let (shown, counting) = match flags.role.as_slice() {
        [] => (&Role::ALL[..], &SERVING[..]),
        asked => (asked, asked),
    };
    let print = if flags.json { print::json } else { print::table };
    say(&print(&checks, shown));
    let missing: Vec<_> = counting
        .iter()
        .filter(|role| verdict(&checks, **role) == State::Missing)
        .map(|role| role.name())
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::Failed(format!("doctor: cannot run here: {}", missing.join(", ")))),
    }
}
