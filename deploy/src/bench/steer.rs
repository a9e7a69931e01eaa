//! `lastmile bench steer`: how well the GSLB's policy steers, on a synthetic internet, from its flags.

mod page;

use crate::failure::Failure;
use crate::node::say;
use clap::Args;
use lastmile_gslb::simulate::{
    CLIENTS_MAX, SECONDS_MAX, SECONDS_MIN, Settings, Simulated, simulate,
};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Examples, for `--help`.
pub(super) const EXAMPLES: &str = "Examples:
  lastmile bench steer --html steer.html
  lastmile bench steer --seeds 50                 a line for each of 50 worlds
  lastmile bench steer --clients 1000 --seconds 1800     in a second
  lastmile bench steer --measured 0               by the map alone

The policy is the real one; edges, clients, their resolvers and the times between them are made up.
Demand is heavy-tailed and follows a day as long as the run; one region has a crowd of 2.2 times its
demand; one of the 20 edges is lost for a while. Control has three TTLs until what an edge has above
its capacity counts: a cached answer lasts for one, and what came of it must be seen.";

/// Worlds at most: an hour.
const SEEDS_MAX: i64 = 1000;

/// Flags of `lastmile bench steer`.
#[derive(Args, Clone, Debug)]
pub struct SteerFlags {
    /// Client prefixes
    #[arg(long, value_name = "N", default_value = "4000",
          value_parser = clap::value_parser!(u32).range(100..=i64::from(CLIENTS_MAX)))]
    pub clients: u32,
    /// Simulated seconds, a day for the demand
    #[arg(long, value_name = "N", default_value = "7200", value_parser = clap::value_parser!(u32)
          .range(i64::from(SECONDS_MIN)..=i64::from(SECONDS_MAX)))]
    pub seconds: u32,
    /// TTL of answers, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "20",
          value_parser = clap::value_parser!(u32).range(1..=60))]
    pub ttl: u32,
    /// The part of clients with measured round-trip times, 0 to 1
    #[arg(long, value_name = "PART", default_value = "0.5", value_parser = part)]
    pub measured: f64,
    /// Another N, another world
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// So many worlds, from --seed on
    #[arg(long, value_name = "N", default_value = "1",
          value_parser = clap::value_parser!(u32).range(1..=SEEDS_MAX))]
    pub seeds: u32,
    /// Print JSON instead of the tables
    #[arg(long)]
    pub json: bool,
    /// Write a page with pictures of the first world to FILE as well
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

fn part(text: &str) -> Result<f64, String> {
    let part = text.parse().ok().filter(|part| (0.0..=1.0).contains(part));
    part.ok_or_else(|| format!("{text:?} is not a part; allowed: 0 to 1"))
}

/// Simulates, and prints a report.
///
/// # Errors
/// [`Failure::Failed`] when a goal is missed; [`Failure::Misused`] for a file that can't be written.
pub(super) fn run(flags: &SteerFlags) -> Result<(), Failure> {
    let settings = |seed| Settings {
        clients: flags.clients,
        seconds: flags.seconds,
        ttl: flags.ttl,
        measured: flags.measured,
        seed,
    };
    let (mut all, mut missed) = (Vec::new(), 0);
    for seed in (flags.seed..=u64::MAX).take(flags.seeds as usize) {
        let simulated = simulate(&settings(seed));
        missed += simulated.goals.iter().filter(|goal| !goal.reached).count();
        if let (Some(path), true) = (&flags.html, seed == flags.seed) {
            super::write(path, &page::render(&simulated))?;
        }
        if !flags.json && flags.seeds > 1 {
            if seed == flags.seed {
                say(&heading());
            }
            say(&line(&simulated));
        }
        all.push(simulated);
    }
    if flags.json {
        let json = if flags.seeds > 1 { serde_json::json!(all) } else { serde_json::json!(all[0]) };
        say(&json.to_string());
    } else if flags.seeds == 1 {
        say(text(&all[0]).trim_end());
    }
    match missed {
        0 => Ok(()),
        count => Err(Failure::Failed(format!("bench steer: {count} goals are missed"))),
    }
}

fn heading() -> String {
    format!(
        "{:>6}{:>9}{:>11}{:>8}{:>10}{:>10}{:>9}{:>9}{:>9}{:>9}",
        "seed",
        "within",
        "by demand",
        "least",
        "above s",
        "longest",
        "highest",
        "by loss",
        "by 1 %",
        "/minute"
    )
}

/// One world in a line.
fn line(simulated: &Simulated) -> String {
    let it = &simulated.figures;
    let mark = if simulated.goals.iter().all(|goal| goal.reached) { "" } else { "  missed" };
    format!(
        "{:>6}{:>7.2} %{:>9.2} %{:>6.1} %{:>8} s{:>8} s{:>9.2}{:>9.3}{:>7.2} %{:>7.2} %{mark}",
        simulated.settings.seed,
        it.within * 100.0,
        it.within_by_demand * 100.0,
        it.within_least * 100.0,
        it.above_capacity_s,
        it.above_capacity_longest_s,
        it.utilisation_max,
        it.moved_by_loss,
        it.moved_by_percent * 100.0,
        it.moved_per_minute * 100.0,
    )
}

/// All figures of a world.
fn text(simulated: &Simulated) -> String {
    let (it, settings) = (&simulated.figures, &simulated.settings);
    let percent = |part: f64| format!("{:.2} %", part * 100.0);
    let mut out = format!(
        "{} client prefixes, 20 edges in 8 regions, {} s, TTL {} s, seed {}\n\
         a crowd in {}; {} is lost for a while\n\n",
        settings.clients,
        settings.seconds,
        settings.ttl,
        settings.seed,
        simulated.crowd,
        simulated.edges[simulated.lost].name
    );
    for (what, found) in [
        ("clients within 10 ms of the best edge that has room (or is theirs)", percent(it.within)),
        ("  by demand", percent(it.within_by_demand)),
        ("  in the worst moment", percent(it.within_least)),
        ("  where an edge has room until it is full", percent(it.within_of_any_room)),
        ("  of the nearest edge, with room or not", percent(it.within_of_nearest)),
        ("above capacity beyond the delay of control", format!("{} s", it.above_capacity_s)),
        ("  the longest time, delay included", format!("{} s", it.above_capacity_longest_s)),
        ("highest utilisation of an edge", format!("{:.2}", it.utilisation_max)),
        ("highest demand of all, by the capacity of all", format!("{:.2}", it.demand_max)),
        ("moved because an edge is lost, by its share", format!("{:.3}", it.moved_by_loss)),
        ("  all that moved in that time", format!("{:.3}", it.moved_at_loss)),
        ("clients that 1 % more demand moves", percent(it.moved_by_percent)),
        ("clients that move in a minute", percent(it.moved_per_minute)),
    ] {
        let _ = writeln!(out, "{what:<70}{found:>10}");
    }
    out.push('\n');
    for goal in &simulated.goals {
        let verdict = if goal.reached { "reached" } else { "missed" };
        let found = format!("{:.4}", goal.found);
        let bound = format!("{:.2}", goal.bound);
        let _ = writeln!(out, "{:<84}{found:>10}{bound:>7}  {verdict}", goal.what);
    }
    out
}
