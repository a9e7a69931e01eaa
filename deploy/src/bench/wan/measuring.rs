//! `lastmile bench wan run`, `all` and `tune`: scenarios one after the other, a table, and a directory with a page.

use super::{failure, named};
use crate::bench::{stop_flag, write};
use crate::failure::Failure;
use crate::node::say;
use clap::Args;
use lastmile_bench::wan::outcome::{Outcome, Report, Verdict};
use lastmile_bench::wan::run::{Settings, Spare, is_good, run_into};
use lastmile_bench::wan::{Scenario, machine, markdown, page};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long all scenarios of a set may repeat measurements that were late, so that the set ends within 5 minutes on a
/// machine that is never quiet; what is still late then is told as noisy.
const REPEATING_MAX: Duration = Duration::from_secs(20);

/// Flags of `lastmile bench wan run`.
#[derive(Args, Clone, Debug)]
pub struct RunFlags {
    /// Scenarios that ship with lastmile (see `list`), or files
    #[arg(value_name = "NAME|FILE", required = true)]
    pub scenarios: Vec<String>,
    /// Write report.json, report.md, index.html and a capture of each case to DIR
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How.
    #[command(flatten)]
    pub manner: Manner,
}

/// Flags of `lastmile bench wan all` and `tune`.
#[derive(Args, Clone, Debug)]
pub struct AllFlags {
    /// Write report.json, report.md, index.html and a capture of each case to DIR
    #[arg(long, value_name = "DIR", default_value = "wan-report")]
    pub out: PathBuf,
    /// How.
    #[command(flatten)]
    pub manner: Manner,
}

/// What all of these have in common.
#[derive(Args, Clone, Copy, Debug)]
pub struct Manner {
    /// Three measurements of each case and shorter streams: to see how things stand
    #[arg(long)]
    pub quick: bool,
    /// Print JSON, with the plots, instead of the table
    #[arg(long)]
    pub json: bool,
}

/// Runs those that are named.
///
/// # Errors
/// As for [`super::run`].
pub(super) fn run(flags: &RunFlags) -> Result<(), Failure> {
    let scenarios =
        flags.scenarios.iter().map(|name| named(name)).collect::<Result<Vec<_>, _>>()?;
    measure(&scenarios, flags.out.as_deref(), flags.manner, Duration::MAX)
}

/// Runs those of a set.
///
/// # Errors
/// As for [`super::run`].
pub(super) fn all(flags: &AllFlags, names: &[&str]) -> Result<(), Failure> {
    let scenarios = names.iter().map(|name| named(name)).collect::<Result<Vec<_>, _>>()?;
    measure(&scenarios, Some(&flags.out), flags.manner, REPEATING_MAX)
}

/// `spare` is how long repeated measurements may take: of each scenario half of what those before it have left.
fn measure(
    scenarios: &[Scenario],
    out: Option<&Path>,
    manner: Manner,
    mut spare: Duration,
) -> Result<(), Failure> {
    // Before anything is measured: a directory that can't be written should not cost it. What is there stays.
    if let Some(folder) = out {
        let made = std::fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
        made.map_err(|error| {
            Failure::Misused(format!("bench wan: {}: {error}", folder.display()))
        })?;
    }
    let lastmile = std::env::current_exe()
        .map_err(|error| Failure::Failed(format!("bench wan: our own executable: {error}")))?;
    let mut settings = Settings::new(lastmile);
    settings.is_quick = manner.quick;
    settings.captures = out.map(Path::to_owned);
    settings.stop = stop_flag()?;
    let mut report = Report { machine: machine::facts(&settings.lastmile), outcomes: Vec::new() };
    let mut ended = Ok(());
    for (to_come, scenario) in (0..scenarios.len()).rev().zip(scenarios) {
        let mut progress = |line: &str| eprintln!("bench wan: {line}");
        let (began, part) = (Instant::now(), if to_come == 0 { spare } else { spare / 2 });
        settings.spare = Spare::of(part);
        ended = run_into(&mut report.outcomes, scenario, &settings, &mut progress);
        let repeating = part - settings.spare.left();
        spare -= repeating;
        progress(&format!(
            "{} took {:.0} s, {:.0} of them for what was repeated",
            scenario.name,
            began.elapsed().as_secs_f64(),
            repeating.as_secs_f64()
        ));
        if ended.is_err() {
            break;
        }
    }
    // What was measured before it was stopped is told too.
    if ended.is_ok() || report.outcomes.iter().any(|outcome| !outcome.cases.is_empty()) {
        tell(&report, out, manner)?;
    }
    ended.map_err(|error| failure(&error))?;
    judge(&report.outcomes)
}

/// Prints it and writes it to the directory.
fn tell(report: &Report, out: Option<&Path>, manner: Manner) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(report)
        .map_err(|error| Failure::Failed(format!("bench wan: {error}")))?;
    let table = markdown::markdown(report);
    say(if manner.json { &json } else { table.trim_end() });
    if let Some(folder) = out {
        write(&folder.join("report.json"), &json)?;
        write(&folder.join("report.md"), &table)?;
        write(&folder.join("index.html"), &page::html(report))?;
        eprintln!("bench wan: {} has the page", folder.join("index.html").display());
    }
    Ok(())
}

/// Tells what was not as expected.
fn judge(outcomes: &[Outcome]) -> Result<(), Failure> {
    let named = |is_it: &dyn Fn(&Outcome) -> bool| {
        let names: Vec<_> =
            outcomes.iter().filter(|it| is_it(it)).map(|it| it.name.as_str()).collect();
        names.join(", ")
    };
    let is_noisy = |outcome: &Outcome| {
        let mut rows = outcome.cases.iter().flat_map(|case| &case.rows);
        rows.any(|row| row.verdict == Verdict::Noisy)
    };
    let noisy = named(&is_noisy);
    if !noisy.is_empty() {
        eprintln!("bench wan: this machine was too busy to tell all of {noisy}; try again");
    }
    let off = named(&|outcome| !is_good(outcome));
    match off.is_empty() {
        true => Ok(()),
        false => Err(Failure::Failed(format!("bench wan: not as expected: {off}"))),
    }
}
