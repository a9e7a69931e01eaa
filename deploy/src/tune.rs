//! `lastmile tune`: the knobs of the machine, looked at, set and taken back; and what is known of them.

mod change;
mod cores;
mod flags;
mod unit;
mod watch;

pub use flags::{EXAMPLES, TuneCommand, TuneFlags};

use crate::failure::Failure;
use crate::node::say;
use flags::{AuditFlags, ExplainFlags, PlaceFlags};
use lastmile_tuning::audit::{Row, explain, rows, table};
use lastmile_tuning::journal::Journal;
use lastmile_tuning::knobs::{self, Access, Knob};
use lastmile_tuning::netns::Namespace;
use lastmile_tuning::policy::PolicyTable;
use lastmile_tuning::profile::{Profile, SHIPPED};
use lastmile_tuning::reference;
use lastmile_tuning::route::{self, Prefix};
use lastmile_tuning::system::live::{Live, Process};
use lastmile_tuning::system::{Found, System as _, survey};
use std::path::Path;

/// What is wanted if nothing else is said.
const PROFILE: &str = "edge";

/// Does what the flags say.
///
/// # Errors
/// [`Failure::Misused`] for a profile, knob, route or namespace that is none; [`Failure::Failed`] for what is not as it
/// should be afterwards.
pub fn run(flags: &TuneFlags) -> Result<(), Failure> {
    match &flags.command {
        None => Err(Failure::Misused(format!(
            "tune: a command is missing; allowed: {} (see --help)",
            flags::COMMANDS
        ))),
        Some(TuneCommand::Audit(flags)) => audit(flags),
        Some(TuneCommand::Plan(flags)) => change::plan(flags),
        Some(TuneCommand::Apply(flags)) => change::apply(flags),
        Some(TuneCommand::Verify(flags)) => change::verify(flags),
        Some(TuneCommand::Revert(flags)) => change::revert(flags),
        Some(TuneCommand::Explain(flags)) => explained(flags),
        Some(TuneCommand::Watch(flags)) => watch::run(flags),
        Some(TuneCommand::Profile(flags)) => {
            let text = SHIPPED.iter().find(|(name, _)| *name == flags.name).map(|(_, text)| text);
            text.map(|text| say(text.trim_end())).ok_or_else(|| {
                let names: Vec<_> = SHIPPED.iter().map(|(name, _)| *name).collect();
                let names = names.join(", ");
                Failure::Misused(format!("{:?} is no profile; allowed: {names}", flags.name))
            })
        }
        Some(TuneCommand::Unit(flags)) => unit::run(flags),
        Some(TuneCommand::Cores(flags)) => cores::run(flags),
        Some(TuneCommand::Reference) => {
            say(reference::page().map_err(Failure::Failed)?.trim_end());
            Ok(())
        }
    }
}

const CORES: &str = "The way of packets as settings have it (as it is now: lastmile tune cores):";

/// What the flags point at: the kernel from there, the knobs, and the profile cut down to them.
struct Scene {
    system: Live,
    knobs: Vec<&'static Knob>,
    profile: Profile,
    /// Keys of the policies that no route can say, and who says them instead.
    unsaid: Vec<(&'static str, &'static str)>,
}

impl Scene {
    /// Enters the namespace that is meant. Without a profile only the policies are wanted or, without these, `edge`.
    fn set(place: &PlaceFlags, profile: Option<&str>) -> Result<Self, Failure> {
        Self::beside(place, profile, None)
    }

    /// The same, with what `kept` says was applied where nothing else is named: the profile, the policies.
    fn beside(
        place: &PlaceFlags,
        profile: Option<&str>,
        kept: Option<&Journal>,
    ) -> Result<Self, Failure> {
        let knobs = asked(place)?;
        let of_profile = kept.filter(|kept| profile.is_none() && !kept.profile.is_empty());
        let of_policies = kept.filter(|it| place.tcp_policy.is_none() && it.policies.is_some());
        let mut profile = match (profile, of_profile) {
            (None, Some(kept)) => applied_profile(kept)?,
            (None, None) if place.tcp_policy.is_some() || of_policies.is_some() => {
                Profile::default()
            }
            (name, _) => {
                let profile = Profile::load(name.unwrap_or(PROFILE)).map_err(Failure::Misused)?;
                profile.only(&knobs)
            }
        };
        if !place.route.is_empty() {
            profile.routes.clone_from(&place.route);
        }
        if let Some(kept) = of_policies {
            profile = profile.with_applied_policies(kept);
        }
        let process = place.pid.map(|pid| {
            Process::of(pid).map_err(|error| Failure::Misused(format!("--pid {pid}: {error}")))
        });
        let applied = of_profile.and_then(|kept| kept.process.as_ref()?.parse().ok());
        let system = Live {
            is_namespace_only: place.netns.is_some(),
            routes: profile.routes.clone(),
            more_routes: profile.prefixes().collect(),
            process: process.transpose()?.or(applied),
        };
        let mut scene = Self { system, knobs, profile, unsaid: Vec::new() };
        if let Some(path) = &place.tcp_policy {
            let knobs = scene.knobs.clone();
            scene.read_policies(path, &knobs)?;
        }
        enter_path(place.netns.as_deref())?;
        Ok(scene)
    }

    /// Wants what routes can say of the policies in the file at `path`, of these knobs.
    fn read_policies(&mut self, path: &Path, knobs: &[&Knob]) -> Result<(), Failure> {
        // So that `verify` finds it from anywhere.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let table = PolicyTable::read(&path).map_err(Failure::Misused)?;
        self.unsaid = table.unsaid_by_routes();
        let profile = std::mem::take(&mut self.profile);
        self.profile = profile
            .with_policies(&path.to_string_lossy(), &table, knobs)
            .map_err(Failure::Misused)?;
        self.system.more_routes = self.profile.prefixes().collect();
        Ok(())
    }

    /// Prefixes of routes that are there now and that no policy reaches, though one is around them.
    fn passed_by(&self) -> Vec<Prefix> {
        self.profile.passed_by(&route::list().unwrap_or_default())
    }

    fn survey(&mut self) -> Vec<Found> {
        survey(&mut self.system, self.knobs.iter().copied())
    }

    fn rows(&mut self) -> Vec<Row> {
        let found = self.survey();
        rows(&found, &self.profile, self.system.cpus())
    }
}

/// The knobs that are meant.
fn asked(place: &PlaceFlags) -> Result<Vec<&'static Knob>, Failure> {
    let mut knobs: Vec<&'static Knob> = knobs::all().collect();
    if place.netns.is_some() {
        // What does not belong to a namespace would be that of this one.
        knobs.retain(|knob| knob.is_of_a_namespace());
    }
    if place.knob.is_empty() {
        return Ok(knobs);
    }
    let asked: Result<Vec<_>, Failure> = place.knob.iter().map(|id| knob(id)).collect();
    let asked = asked?;
    let is_of_routes = |knob: &&Knob| matches!(knob.access, Access::Route(_));
    if place.tcp_policy.is_some() && !asked.iter().any(is_of_routes) {
        let of_routes: Vec<_> = knobs::all().filter(is_of_routes).map(|knob| knob.id).collect();
        return Err(Failure::Misused(format!(
            "--tcp-policy with --knob {}: nothing that a route says; allowed: {}",
            place.knob.join(", "),
            of_routes.join(", ")
        )));
    }
    knobs.retain(|knob| asked.contains(knob));
    Ok(knobs)
}

/// The profile that `kept` says was applied, as far as it was.
fn applied_profile(kept: &Journal) -> Result<Profile, Failure> {
    let profile = Profile::load(&kept.profile).map_err(|error| {
        Failure::Misused(format!("{error} (it is applied: tune revert ends that)"))
    })?;
    let mut profile = profile.only(&kept.knobs());
    profile.routes = kept.routes.iter().filter_map(|route| route.parse().ok()).collect();
    Ok(profile)
}

fn enter_path(path: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    Namespace::open(path).and_then(|namespace| namespace.enter()).map_err(|error| {
        let text = format!("--netns {}: {error}", path.display());
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => Failure::Failed(text),
            _ => Failure::Misused(format!(
                "{text}; allowed: the file of a network namespace such as /run/netns/NAME or /proc/PID/ns/net"
            )),
        }
    })
}

fn knob(id: &str) -> Result<&'static Knob, Failure> {
    knobs::find(id).ok_or_else(|| {
        let last = id.rsplit('.').next().unwrap_or(id);
        let near: Vec<_> =
            knobs::all().map(|knob| knob.id).filter(|known| known.contains(last)).collect();
        let near = if near.is_empty() || last.is_empty() {
            "those of `lastmile tune audit`".to_owned()
        } else {
            near.join(", ")
        };
        Failure::Misused(format!("{id:?} is no knob; allowed: {near}"))
    })
}

fn audit(flags: &AuditFlags) -> Result<(), Failure> {
    let mut scene = Scene::set(&flags.place, flags.profile.as_deref())?;
    let rows = scene.rows();
    // A part of the machine is without it: another namespace, or single knobs.
    let is_whole = flags.place.netns.is_none() && flags.place.knob.is_empty();
    let cores = is_whole.then(cores::as_set);
    if flags.json {
        let mut json = serde_json::json!({
            "profile": scene.profile.name,
            "tcp_policy": scene.profile.policies,
            "rows": rows,
        });
        match cores {
            Some(Ok((_, cores))) => json["cores"] = cores,
            Some(Err(error)) => json["cores"] = serde_json::json!({ "note": error.to_string() }),
            None => {}
        }
        say(&json.to_string());
    } else {
        say(&table(&rows, &scene.profile));
        match cores {
            Some(Ok((cores, _))) => say(&format!("\n{CORES}\n{cores}")),
            Some(Err(error)) => say(&format!("\n{CORES}\nnot known: {error}")),
            None => {}
        }
    }
    Ok(())
}

fn explained(flags: &ExplainFlags) -> Result<(), Failure> {
    let knob = knob(&flags.knob)?;
    let profiles: Result<Vec<Profile>, String> =
        SHIPPED.iter().map(|(name, _)| Profile::load(name)).collect();
    let profiles = profiles.map_err(Failure::Failed)?;
    let mut system = Live::default();
    let found = survey(&mut system, [knob]);
    let rows = rows(&found, &Profile::default(), system.cpus());
    say(&explain(knob, &rows, &profiles));
    Ok(())
}
