//! Flags of `lastmile tune`.

use super::cores::{self, CoresFlags};
use crate::quantity::Period;
use clap::{Args, Subcommand};
use lastmile_tuning::journal;
use lastmile_tuning::route::Prefix;
use std::path::PathBuf;

/// What `tune` can do, as its errors say it.
pub(super) const COMMANDS: &str =
    "audit, plan, apply, verify, revert, explain, watch, profile, unit, cores, reference";

/// Examples of its help.
pub const EXAMPLES: &str = "Examples:
  lastmile tune audit                          every knob, and what the profile edge wants
  lastmile tune plan --profile edge            what would be changed, and why
  lastmile tune apply --profile edge           old values into a journal, then set, each read back
  lastmile tune verify                         is it still so?
  lastmile tune revert                         everything as it was
  lastmile tune explain net.ipv4.tcp_slow_start_after_idle
  lastmile tune profile edge > my.toml         a copy to change: --profile my.toml
  lastmile tune apply --profile parent --route 198.51.100.0/24 --knob route.initcwnd
  lastmile tune apply --tcp-policy policy.toml what routes can say of policies, where BPF is not allowed";

/// Flags of `lastmile tune`.
#[derive(Args, Clone, Debug)]
pub struct TuneFlags {
    /// What to do.
    // Optional, so that a command that is missing is told in our words.
    #[command(subcommand)]
    pub command: Option<TuneCommand>,
}

/// What `lastmile tune` does.
#[derive(Clone, Debug, Subcommand)]
pub enum TuneCommand {
    /// Say what every knob is, beside what a profile wants; needs no privilege
    #[command(after_help = "Examples:
  lastmile tune audit
  lastmile tune audit --profile parent --route 198.51.100.0/24
  lastmile tune audit --netns /run/netns/lab --json
  lastmile tune audit --knob net.ipv4.tcp_rmem

Of the whole machine also the way of packets: queue, interrupt, core, worker, and what is misaligned
(`cores` in JSON), as settings have it; `lastmile tune cores` has it as it is now.

States: ok (as wanted, or nothing is wanted), differs, absent (not in this kernel, or no such
device), denied (not readable), per socket (lastmile sets it; the default is shown), per connection
(edge --tcp-policy), by hand, unreadable (reading fails)")]
    Audit(AuditFlags),
    /// Say what a profile would change, in which order, and what it could not
    #[command(after_help = "Examples:
  lastmile tune plan --profile edge
  lastmile tune plan --profile my.toml --json
  lastmile tune plan --tcp-policy policy.toml")]
    Plan(AuditFlags),
    /// Write old values into a journal, then set what a profile wants; nothing is kept if a step fails
    #[command(after_help = "Examples:
  lastmile tune apply --profile edge
  lastmile tune apply --profile parent --route 198.51.100.0/24
  lastmile tune apply --profile edge --netns /run/netns/lab --journal lab.json
  lastmile tune apply --profile edge --pid 1234      limits of a running process too
  lastmile tune apply --tcp-policy policy.toml       a route for each prefix of policies, no more

Routes say initcwnd, initrwnd, rto-min and congestion of a policy, for up to 256 prefixes; for the
rest there is `lastmile edge --tcp-policy FILE`. The longest prefix counts, and no other. A file
that has changed is applied again: what it said before is put back first.

Profile and policies are in force together: the one that is not named is that of the journal, and is
set again where it differs. `revert` ends both.

Exit status 1 if something wanted was denied or cannot be read, or a step failed and everything was
put back. What this kernel or its hardware has not, and limits that the unit of a role sets, are
told and no failure. `verify` has the same rule.")]
    Apply(ApplyFlags),
    /// Read back what was applied; exit status 1 if something is not as wanted
    #[command(after_help = "Examples:
  lastmile tune verify                         what the journal says was applied
  lastmile tune verify --profile edge

Without --profile, the routes, knobs and process (--pid) are those of `apply` too. Exit status 1 if
a value differs, or was denied, or cannot be read. What this kernel or its hardware has not or did
not take, limits that the unit of a role sets, and a process that has ended are told and no failure.")]
    Verify(VerifyFlags),
    /// Put everything back as the journal says it was, also after a crash in the middle
    #[command(after_help = "Examples:
  lastmile tune revert
  lastmile tune revert --force                 also what somebody else has changed since
  lastmile tune revert --forget                give up what cannot be put back, after saying it
  lastmile tune revert --netns /run/netns/lab --journal lab.json

With --forget, what belongs to another network namespace is given up, for one that is gone, and the
rest of its journal is put back.")]
    Revert(RevertFlags),
    /// Say everything about one knob: what it does, its range, risk, source, measured effect, value here
    #[command(after_help = "Examples:
  lastmile tune explain net.ipv4.tcp_rmem
  lastmile tune explain route.initcwnd")]
    Explain(ExplainFlags),
    /// Print each value that changes while it looks, until Ctrl-C
    #[command(after_help = "Examples:
  lastmile tune watch --every 5s
  lastmile tune watch --profile edge --every 1s --for 60s --json")]
    Watch(WatchFlags),
    /// Print a profile that ships, to be copied
    #[command(after_help = "Examples:
  lastmile tune profile edge > my.toml")]
    Profile(ProfileFlags),
    /// Print a systemd unit that applies a profile at boot, or the limits for the unit of a role
    #[command(after_help = "Examples:
  lastmile tune unit --profile edge > /etc/systemd/system/lastmile-tune.service
  lastmile tune unit --profile edge --limits > /etc/systemd/system/lastmile-edge.service.d/limits.conf")]
    Unit(UnitFlags),
    /// Each receive queue's interrupt, core and worker; what is misaligned, and the commands that mend it
    #[command(after_help = cores::EXAMPLES)]
    Cores(CoresFlags),
    /// Print the reference page of all knobs (docs/tuning.md)
    #[command(after_help = "Examples:
  lastmile tune reference > docs/tuning.md")]
    Reference,
}

/// Which part of the machine is meant.
#[derive(Args, Clone, Debug)]
pub struct PlaceFlags {
    /// The network namespace of this file, and only what belongs to it [default: the one this runs in]
    #[arg(long, value_name = "PATH")]
    pub netns: Option<PathBuf>,
    /// The route of this prefix, instead of those of the profile or the default routes; may be repeated
    #[arg(long, value_name = "PREFIX")]
    pub route: Vec<Prefix>,
    /// The limits of this process, instead of those that one started from here has
    #[arg(long, value_name = "PID")]
    pub pid: Option<i32>,
    /// Only this knob; may be repeated
    #[arg(long, value_name = "KNOB")]
    pub knob: Vec<String>,
    /// Routes for the prefixes of FILE, which has the form of `edge --tcp-policy`: what routes can say of it
    #[arg(long, value_name = "FILE")]
    pub tcp_policy: Option<PathBuf>,
}

/// Flags of `audit` and `plan`.
#[derive(Args, Clone, Debug)]
pub struct AuditFlags {
    /// What is wanted: a profile that ships (edge, edge-lossy, parent, origin, gslb, bench-rig, tuned-*), or a file
    /// [default: edge, or nothing but --tcp-policy]
    #[arg(long, value_name = "NAME|FILE")]
    pub profile: Option<String>,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
    /// Which part.
    #[command(flatten)]
    pub place: PlaceFlags,
}

/// Flags of `apply`.
#[derive(Args, Clone, Debug)]
pub struct ApplyFlags {
    /// What is wanted: a profile that ships (edge, edge-lossy, parent, origin, gslb, bench-rig, tuned-*), or a file
    #[arg(long, value_name = "NAME|FILE", required_unless_present = "tcp_policy")]
    pub profile: Option<String>,
    /// Keep old values in FILE
    #[arg(long, value_name = "FILE", default_value = journal::PATH)]
    pub journal: PathBuf,
    /// Print one line of JSON at the end
    #[arg(long)]
    pub json: bool,
    /// Which part.
    #[command(flatten)]
    pub place: PlaceFlags,
}

/// Flags of `verify`.
#[derive(Args, Clone, Debug)]
pub struct VerifyFlags {
    /// What is wanted [default: what was applied last]
    #[arg(long, value_name = "NAME|FILE")]
    pub profile: Option<String>,
    /// The journal of what was applied
    #[arg(long, value_name = "FILE", default_value = journal::PATH)]
    pub journal: PathBuf,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
    /// Which part.
    #[command(flatten)]
    pub place: PlaceFlags,
}

/// Flags of `revert`.
#[derive(Args, Clone, Debug)]
pub struct RevertFlags {
    /// The journal of old values
    #[arg(long, value_name = "FILE", default_value = journal::PATH)]
    pub journal: PathBuf,
    /// The network namespace of this file, of which the journal is
    #[arg(long, value_name = "PATH")]
    pub netns: Option<PathBuf>,
    /// Put back also what somebody else has changed since
    #[arg(long)]
    pub force: bool,
    /// Give up what cannot be put back, saying what it was: there is no journal afterwards
    #[arg(long, conflicts_with = "force")]
    pub forget: bool,
    /// Print one line of JSON at the end
    #[arg(long)]
    pub json: bool,
}

/// Flags of `explain`.
#[derive(Args, Clone, Debug)]
pub struct ExplainFlags {
    /// The knob
    #[arg(value_name = "KNOB")]
    pub knob: String,
}

/// Flags of `profile`.
#[derive(Args, Clone, Debug)]
pub struct ProfileFlags {
    /// The profile
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Flags of `watch`.
#[derive(Args, Clone, Debug)]
pub struct WatchFlags {
    /// Look again after TIME
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub every: Period,
    /// End by itself after TIME [default: run until Ctrl-C or TERM]
    #[arg(long = "for", value_name = "TIME")]
    pub limit: Option<Period>,
    /// What is wanted, which is said beside what it became [default: edge, or nothing but --tcp-policy]
    #[arg(long, value_name = "NAME|FILE")]
    pub profile: Option<String>,
    /// Print a line of JSON for each change
    #[arg(long)]
    pub json: bool,
    /// Which part.
    #[command(flatten)]
    pub place: PlaceFlags,
}

/// Flags of `unit`.
#[derive(Args, Clone, Debug)]
pub struct UnitFlags {
    /// The profile to apply at boot
    #[arg(long, value_name = "NAME|FILE", default_value = "edge")]
    pub profile: String,
    /// Also apply what routes can say of the policies of FILE
    #[arg(long, value_name = "FILE", conflicts_with = "limits")]
    pub tcp_policy: Option<PathBuf>,
    /// Print the limits that the profile wants of processes, as a drop-in for the unit of a role
    #[arg(long)]
    pub limits: bool,
}
