//! `plan`, `apply`, `verify` and `revert` of `lastmile tune`.

use super::flags::{ApplyFlags, AuditFlags, PlaceFlags, RevertFlags, VerifyFlags};
use super::{Scene, enter_path};
use crate::failure::Failure;
use crate::node::say;
use lastmile_tuning::apply::{self, Applied, Event, WITHOUT_POLICIES, planned, verified};
use lastmile_tuning::journal::{self, Journal, Kept};
use lastmile_tuning::knobs::Knob;
use lastmile_tuning::plan::{Obstacle, Plan, Step, Told};
use lastmile_tuning::profile::SHIPPED;
use lastmile_tuning::system::{live::Live, place};
use serde_json::{Value, json};
use std::path::Path;

/// Why a route has no policy, and how it gets one.
const LONGER: &str =
    "routes to a part of a prefix of the TCP policy; name them in it to reach them";
/// Prefixes of such routes that are named: the rest is in the JSON.
const PASSED_BY_MAX: usize = 5;

/// Says what would be done.
pub(super) fn plan(flags: &AuditFlags) -> Result<(), Failure> {
    let mut scene = Scene::set(&flags.place, flags.profile.as_deref())?;
    let plan = planned(&mut scene.system, &scene.profile);
    if flags.json {
        say(&of_plan(&scene, &plan).to_string());
        return Ok(());
    }
    for step in &plan.steps {
        say(&format!("set {}: {} -> {}", step.place(), step.before, step.after));
        say(&format!("    {}", step.knob.why));
        say(&format!("    risk: {}; effect: {}", step.knob.risk, step.knob.effect));
    }
    say_told(&scene, &plan.told);
    let (steps, told, good) = (plan.steps.len(), plan.told.len(), plan.good);
    let what = &scene.profile;
    say(&format!("{what}: {steps} to set, {good} as wanted, {told} that cannot be set here"));
    Ok(())
}

/// Does it, a line for each step as it is done.
pub(super) fn apply(flags: &ApplyFlags) -> Result<(), Failure> {
    // A journal is of one namespace, and says so when it is read.
    enter_path(flags.place.netns.as_deref())?;
    let kept = match journal::read(&flags.journal) {
        Ok(Kept::Journal(kept)) => Some(kept),
        // What is wrong with it is told by applying, unless nothing can be set anyway.
        Ok(Kept::Nothing | Kept::Stale) | Err(_) => None,
    };
    let mut scene = Scene::beside(&flags.place, flags.profile.as_deref(), kept.as_ref())?;
    let is_file = !SHIPPED.iter().any(|(name, _)| *name == scene.profile.name);
    // So that `verify` finds it from anywhere.
    if is_file && let Ok(path) = std::fs::canonicalize(&scene.profile.name) {
        scene.profile.name = path.to_string_lossy().into_owned();
    }
    let mut events = Vec::new();
    let mut tell = |event: Event| told_or_kept(event, flags.json, &mut events);
    let applied = apply::apply(&mut scene.system, &flags.journal, &scene.profile, &mut tell)
        .map_err(|error| Failure::Failed(format!("{error} (--journal FILE: elsewhere)")))?;
    if flags.json {
        let events: Vec<Value> = events.iter().map(of_event).collect();
        let summary = json!({
            "profile": scene.profile.name,
            "tcp_policy": of_policies(&scene),
            "done": applied.done,
            "good": applied.good,
            "rolled_back": applied.is_rolled_back,
            "left": applied.left,
            "events": events,
            "told": applied.told.iter().map(of_told).collect::<Vec<_>>(),
        });
        say(&summary.to_string());
    } else if !applied.is_rolled_back {
        say_told(&scene, &applied.told);
        say(&format!(
            "{}: {} set, {} as wanted before, {} that cannot be set here",
            scene.profile,
            applied.done,
            applied.good,
            applied.told.len() + applied.skipped.len()
        ));
    }
    outcome(&applied, &flags.journal)
}

/// The failure that applying came to, if it did.
fn outcome(applied: &Applied, journal: &Path) -> Result<(), Failure> {
    if !applied.is_rolled_back {
        return match applied.failures() {
            0 => Ok(()),
            count => {
                let text = format!("{count} wanted values were denied, or cannot be read");
                Err(Failure::Failed(text))
            }
        };
    }
    let mut text = match applied.left {
        0 => "a step failed; what was set is put back".to_owned(),
        left => {
            format!("a step failed; {left} values are not put back; {}", still_has(journal))
        }
    };
    if applied.is_without_policies {
        text = format!("{text}; {WITHOUT_POLICIES}");
    }
    Err(Failure::Failed(text))
}

fn still_has(journal: &Path) -> String {
    format!("{} still has them (revert --forget gives them up)", journal.display())
}

/// Reads back what is wanted.
pub(super) fn verify(flags: &VerifyFlags) -> Result<(), Failure> {
    let place = &flags.place;
    // A journal is of one namespace, and says so when it is read.
    enter_path(place.netns.as_deref())?;
    let is_told = flags.profile.is_some() || place.tcp_policy.is_some();
    let kept = match journal::read(&flags.journal) {
        Ok(Kept::Journal(kept)) => Some(kept),
        Err(error) if !is_told => return Err(Failure::Misused(error)),
        Ok(Kept::Nothing | Kept::Stale) | Err(_) => None,
    };
    let mut is_other = false;
    let mut scene = match kept.as_ref().filter(|kept| kept.is_of_something()) {
        _ if is_told => Scene::set(place, flags.profile.as_deref())?,
        Some(kept) => {
            let scene = as_applied(place, kept)?;
            is_other = place.knob.is_empty() && kept.said != scene.profile.said();
            scene
        }
        None => {
            let path = flags.journal.display();
            return Err(Failure::Misused(format!("{path}: nothing was applied; give --profile")));
        }
    };
    let refused = kept.map(|kept| kept.refused).unwrap_or_default();
    let plan = verified(&mut scene.system, &scene.profile, &refused);
    if flags.json {
        say(&of_plan(&scene, &plan).to_string());
    } else {
        for step in &plan.steps {
            say(&format!("differs {}: {}, wanted {}", step.place(), step.before, step.after));
        }
        say_told(&scene, &plan.told);
        let (differ, good, told) = (plan.steps.len(), plan.good, plan.told.len());
        let what = &scene.profile;
        say(&format!("{what}: {good} as wanted, {differ} differ, {told} that cannot be set here"));
    }
    let failures = plan.told.iter().filter(|told| told.obstacle.is_failure()).count();
    match plan.steps.len() + failures {
        0 if is_other => Err(Failure::Failed(format!(
            "{}: other policies than were applied; apply it again",
            scene.profile
        ))),
        0 => Ok(()),
        count => Err(Failure::Failed(format!("{count} values are not as wanted"))),
    }
}

/// What `kept` says was applied, where nothing else is said. Policies are those of the file as it is now.
fn as_applied(place: &PlaceFlags, kept: &Journal) -> Result<Scene, Failure> {
    let mut scene = Scene::beside(place, None, Some(kept))?;
    if let Some(file) = &kept.policies {
        let is_asked =
            |knob: &&Knob| kept.asked.is_empty() || kept.asked.iter().any(|id| id == knob.id);
        let knobs: Vec<&Knob> = scene.knobs.iter().copied().filter(is_asked).collect();
        scene.read_policies(Path::new(file), &knobs)?;
    }
    let knobs = scene.knobs.clone();
    scene.profile = scene.profile.only(&knobs);
    Ok(scene)
}

/// Takes it back.
pub(super) fn revert(flags: &RevertFlags) -> Result<(), Failure> {
    enter_path(flags.netns.as_deref())?;
    let mut system = Live { is_namespace_only: flags.netns.is_some(), ..Live::default() };
    let mut events = Vec::new();
    let mut tell = |event: Event| told_or_kept(event, flags.json, &mut events);
    let reverted = match flags.forget {
        true => apply::forget(&mut system, &flags.journal, &mut tell),
        false => apply::revert(&mut system, &flags.journal, flags.force, &mut tell),
    };
    let reverted = reverted.map_err(Failure::Failed)?;
    if flags.json {
        let events: Vec<Value> = events.iter().map(of_event).collect();
        let left = if flags.forget { "given_up" } else { "left" };
        let (back, count) = (reverted.back, reverted.left.len());
        say(&json!({ "back": back, left: count, "events": events }).to_string());
    } else if reverted.is_nothing {
        say(&format!("{}: nothing to take back", flags.journal.display()));
    } else {
        let left = if flags.forget { "given up" } else { "left" };
        say(&format!("{} put back, {} {left}", reverted.back, reverted.left.len()));
    }
    match reverted.left.len() {
        0 => Ok(()),
        _ if flags.forget => Ok(()),
        count => Err(Failure::Failed(format!(
            "{count} values are not put back; {}",
            still_has(&flags.journal)
        ))),
    }
}

fn told_or_kept(event: Event, is_json: bool, events: &mut Vec<Event>) {
    if is_json {
        events.push(event);
    } else {
        say(&line(&event));
    }
}

fn line(event: &Event) -> String {
    match event {
        Event::Done(step) => format!("set {}: {} -> {}", step.place(), step.before, step.after),
        Event::Skipped(step, refusal) => {
            format!("not {} = {}: {refusal}", step.place(), step.after)
        }
        Event::Failed(step, refusal) => {
            format!("{} = {}: {refusal}; taking back", step.place(), step.after)
        }
        Event::Back { place, from, to } => format!("back {place}: {from} -> {to}"),
        Event::Foreign { place, found, old } => format!(
            "left {place}: somebody else made it {found}; it was {old} (--force puts that back)"
        ),
        Event::Gone { place, why } => format!("gone {place}: {why}"),
        Event::Stuck { place, why } => format!("stuck {place}: {why}"),
        Event::Forgotten { place, old } => format!("given up {place}: it was {old}"),
    }
}

fn of_event(event: &Event) -> Value {
    let step = |what: &str, step: &Step, why: Option<String>| {
        json!({
            "event": what,
            "place": step.place(),
            "from": step.before,
            "to": step.after,
            "why": why,
        })
    };
    match event {
        Event::Done(it) => step("set", it, None),
        Event::Skipped(it, refusal) => step("not set", it, Some(refusal.to_string())),
        Event::Failed(it, refusal) => step("failed", it, Some(refusal.to_string())),
        Event::Back { place, from, to } => {
            json!({ "event": "back", "place": place, "from": from, "to": to })
        }
        Event::Foreign { place, found, old } => {
            json!({ "event": "left", "place": place, "from": found, "to": old })
        }
        Event::Gone { place, why } => json!({ "event": "gone", "place": place, "why": why }),
        Event::Stuck { place, why } => json!({ "event": "stuck", "place": place, "why": why }),
        Event::Forgotten { place, old } => {
            json!({ "event": "given up", "place": place, "to": old })
        }
    }
}

fn of_plan(scene: &Scene, plan: &Plan) -> Value {
    let step = |step: &Step| {
        json!({
            "knob": step.knob.id,
            "instance": step.instance,
            "from": step.before,
            "to": step.after,
            "why": step.knob.why,
        })
    };
    json!({
        "profile": scene.profile.name,
        "tcp_policy": of_policies(scene),
        "steps": plan.steps.iter().map(step).collect::<Vec<_>>(),
        "good": plan.good,
        "told": plan.told.iter().map(of_told).collect::<Vec<_>>(),
    })
}

fn of_told(told: &Told) -> Value {
    let (obstacle, why) = obstacle(&told.obstacle);
    json!({
        "knob": told.knob.id,
        "instance": told.instance,
        "wanted": told.wanted,
        "obstacle": obstacle,
        "why": why,
    })
}

fn obstacle(obstacle: &Obstacle) -> (&'static str, String) {
    match obstacle {
        Obstacle::Absent(why) => ("absent", why.clone()),
        Obstacle::Denied(why) => ("denied", why.clone()),
        Obstacle::Unreadable(why) => ("unreadable", why.clone()),
        Obstacle::NotOffered(offered) => {
            ("not offered", format!("there are {}", offered.join(", ")))
        }
        Obstacle::Refused(why) => ("not taken", why.clone()),
        Obstacle::ByUnit(directive) => (
            "by unit",
            format!("{directive} in the unit of the role (tune unit --limits), or --pid"),
        ),
    }
}

/// What of the policies is not in force by routes.
fn of_policies(scene: &Scene) -> Value {
    let unsaid = scene.unsaid.iter();
    let unsaid = unsaid.map(|(key, instead)| json!({ "key": key, "instead": instead }));
    let passed_by = scene.passed_by().into_iter().map(|prefix| prefix.to_string());
    json!({
        "file": scene.profile.policies,
        "unsaid": unsaid.collect::<Vec<_>>(),
        "passed_by": passed_by.collect::<Vec<_>>(),
    })
}

fn say_told(scene: &Scene, told: &[Told]) {
    for (key, instead) in &scene.unsaid {
        say(&format!("not {key}: no route can say it; {instead}"));
    }
    let passed_by: Vec<_> = scene.passed_by().iter().map(ToString::to_string).collect();
    match passed_by.as_slice() {
        [] => {}
        all if all.len() <= PASSED_BY_MAX => say(&format!("not over {}: {LONGER}", all.join(", "))),
        all => {
            let (some, more) = (all[..PASSED_BY_MAX].join(", "), all.len() - PASSED_BY_MAX);
            say(&format!("not over {some} and {more} more: {LONGER}"));
        }
    }
    for told in told {
        let (obstacle, why) = obstacle(&told.obstacle);
        let place = place(told.knob.id, &told.instance);
        say(&format!("not {place} = {}: {obstacle}: {why}", told.wanted));
    }
}
