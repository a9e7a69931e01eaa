//! `lastmile bench wan`: the wide-area lab, from its flags. `measuring`: scenarios, and what came of them; `shell`: a
//! shell in one of their hosts; `self_test`: what links can do on this machine; `naive`, `flood`: what scenarios start.

mod flood;
mod measuring;
mod naive;
mod self_test;
mod shell;

use crate::config::text_of;
use crate::failure::Failure;
use crate::node::say;
use clap::{Args, Subcommand};
use lastmile_bench::wan::{Scenario, WanError, scenarios};
use std::path::Path;

/// Examples, for `--help`.
pub(super) const EXAMPLES: &str = "Examples:
  lastmile bench wan list
  lastmile bench wan run f1
  lastmile bench wan run f1 f3 my-scenario.toml --out report
  lastmile bench wan all --quick
  lastmile bench wan shell f2 --host client
  lastmile bench wan self-test

A scenario is a small internet: hosts with the kernel's own TCP (network namespaces), links
of chosen delay, rate, loss and queue between them (TUN devices), programs on the hosts, and what
is measured and expected. docs/lab.md tells how to write one. Nothing is
left when it ends, however it ends. It takes root's rights.

Exit status: 0 all as expected, 1 a figure is off or could not be measured, 2 misused, or
no rights. Figures that this machine was too busy to measure are told and are no failure.";

/// Flags of `lastmile bench wan`.
#[derive(Args, Clone, Debug)]
pub struct WanFlags {
    /// What to do with scenarios.
    // Optional, so that a command that is missing is told in our words.
    #[command(subcommand)]
    pub command: Option<WanCommand>,
}

/// What can be done with scenarios.
#[derive(Clone, Debug, Subcommand)]
pub enum WanCommand {
    /// Name the scenarios that ship with lastmile
    #[command(after_help = "Example:
  lastmile bench wan list")]
    List,
    /// Run scenarios and show what was expected and what was measured
    #[command(after_help = "Examples:
  lastmile bench wan run f1
  lastmile bench wan run f1 f8 --quick
  lastmile bench wan run my-scenario.toml --out report --json")]
    Run(measuring::RunFlags),
    /// Run the scenarios of all figures of the lecture, and write a page with pictures
    #[command(after_help = "Examples:
  lastmile bench wan all
  lastmile bench wan all --quick --out report")]
    All(measuring::AllFlags),
    /// Run the scenarios that show what tuning is worth, and write a page with pictures
    #[command(after_help = "Examples:
  lastmile bench wan tune
  lastmile bench wan tune --quick --out report")]
    Tune(measuring::AllFlags),
    /// Build a scenario's first case and start a shell in one of its hosts
    #[command(after_help = "Examples:
  lastmile bench wan shell f2
  lastmile bench wan shell f2 --host edge --case 'cut-through'
  SHELL=/bin/bash lastmile bench wan shell my-scenario.toml")]
    Shell(shell::ShellFlags),
    /// How exact and how fast emulated links are on this machine, beside what the lab needs
    #[command(after_help = self_test::EXAMPLES)]
    SelfTest(self_test::SelfTestFlags),
    /// A server as one might write it first, which scenarios start to measure beside lastmile
    #[command(hide = true)]
    Naive(naive::NaiveFlags),
    /// A flood of SYNs for hosts of a lab, which scenarios start
    #[command(hide = true)]
    Flood(flood::FloodFlags),
}

/// Runs the command.
///
/// # Errors
/// [`Failure::Misused`] for a scenario that there is not or that is wrong, and without root's rights;
/// [`Failure::Failed`] when a figure is off.
pub(super) fn run(flags: &WanFlags) -> Result<(), Failure> {
    match &flags.command {
        Some(WanCommand::List) => list(),
        Some(WanCommand::Run(flags)) => measuring::run(flags),
        Some(WanCommand::All(flags)) => measuring::all(flags, scenarios::FIGURES),
        Some(WanCommand::Tune(flags)) => measuring::all(flags, scenarios::TUNING),
        Some(WanCommand::Shell(flags)) => shell::run(flags),
        Some(WanCommand::SelfTest(flags)) => self_test::run(flags),
        Some(WanCommand::Naive(flags)) => naive::run(flags),
        Some(WanCommand::Flood(flags)) => flood::run(*flags),
        None => {
            let what = "bench wan: a command is missing; allowed: list, run, all, tune, shell, self-test (see --help)";
            Err(Failure::Misused(what.to_owned()))
        }
    }
}

fn list() -> Result<(), Failure> {
    for scenario in shipped()? {
        say(&format!("{:<13} {}", scenario.name, scenario.title));
        for case in &scenario.cases {
            let about = if case.about.is_empty() { "" } else { ": " };
            let line = format!("        {}{about}{}", case.name, case.about.replace('\n', " "));
            say(&line);
        }
    }
    Ok(())
}

fn shipped() -> Result<Vec<Scenario>, Failure> {
    scenarios::all().map_err(|error| Failure::Failed(format!("bench wan: {error}")))
}

/// The scenario that ships under this name, or that is in this file.
fn named(name: &str) -> Result<Scenario, Failure> {
    let path = Path::new(name);
    if name.contains('/') || path.extension().is_some_and(|extension| extension == "toml") {
        let text = text_of(path)?;
        return Scenario::parse(name, &text).map_err(|error| Failure::Misused(error.to_string()));
    }
    let all = shipped()?;
    let names: Vec<_> = all.iter().map(|scenario| scenario.name.clone()).collect();
    all.into_iter().find(|scenario| scenario.name == name).ok_or_else(|| {
        let names = names.join(", ");
        Failure::Misused(format!(
            "bench wan: there is no scenario {name:?}; allowed: {names}, or a file with / or .toml in its name"
        ))
    })
}

fn failure(error: &WanError) -> Failure {
    let line = format!("bench wan: {error}");
    if error.is_misuse() { Failure::Misused(line) } else { Failure::Failed(line) }
}
