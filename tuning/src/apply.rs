//! A plan done, and taken back.

mod back;

use crate::journal::{Entry, Journal, Kept, Place, note};
use crate::knobs::{self, Access, Knob, RouteMetric};
use crate::plan::{Plan, Step, Told, plan};
use crate::profile::Profile;
use crate::system::{Reading, Refusal, RefusalKind, System, survey};
use back::put_back;
use std::path::Path;

pub use back::{Reverted, revert};

/// Writing one knob can change another, which is then written in another round. Nothing in the table needs a third.
const ROUNDS_MAX: usize = 4;

const IS_BACK: &str = "what was set is put back";

const OWN_ROUTE: Access = Access::Route(RouteMetric::Own);

/// What is told while it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A value is written and was read back.
    Done(Step),
    /// One is not, and nothing else depends on it.
    Skipped(Step, Refusal),
    /// One could not be written, so that everything before it is being put back.
    Failed(Step, Refusal),
    /// One is back.
    Back {
        /// The knob and its place.
        place: String,
        /// What it was.
        from: String,
        /// What it is again.
        to: String,
    },
    /// One was left as it is, as somebody else has changed it since.
    Foreign {
        /// The knob and its place.
        place: String,
        /// What is there.
        found: String,
        /// What was there before.
        old: String,
    },
    /// There is no such place any more.
    Gone {
        /// The knob and its place.
        place: String,
        /// Why.
        why: String,
    },
    /// One could not be put back.
    Stuck {
        /// The knob and its place.
        place: String,
        /// Why.
        why: String,
    },
}

/// What applying came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// How many values were written.
    pub done: usize,
    /// How many were good before.
    pub good: usize,
    /// How many were not written, though a step was there for them.
    pub skipped: Vec<RefusalKind>,
    /// What no step could bring.
    pub told: Vec<Told>,
    /// Whether a step failed, and everything but `left` was put back.
    pub is_rolled_back: bool,
    /// How many values could not be put back then.
    pub left: usize,
}

/// Brings `profile` about, as far as this process may. Old values are in the journal before the first is changed; that
/// of an earlier application stays, so that all of it can be taken back together.
///
/// # Errors
/// One line: a journal that cannot be read or written, and what that left: nothing is changed, or what was set is put
/// back, or how much is not.
pub fn apply(
    system: &mut impl System,
    journal: &Path,
    profile: &Profile,
    tell: &mut impl FnMut(Event),
) -> Result<Applied, String> {
    let first = planned(system, profile);
    if first.steps.is_empty() {
        // No journal, which an unprivileged user could not write either.
        return Ok(Applied { good: first.good, told: first.told, ..Applied::default() });
    }
    let unchanged = |error: String| format!("{error}; nothing is changed");
    let journal = Place::lock(journal).map_err(unchanged)?;
    let before = match journal.read().map_err(unchanged)? {
        Kept::Journal(kept) => Some(kept),
        Kept::Nothing | Kept::Stale => None,
    };
    let mut noted = match &before {
        Some(kept) => kept.clone(),
        None => Journal::new().map_err(|error| unchanged(error.to_string()))?,
    };
    noted.profile.clone_from(&profile.name);
    noted.routes = profile.routes.iter().map(ToString::to_string).collect();
    noted.wanted = profile.knobs().map(|knob| knob.id.to_owned()).collect();
    let mut applied = Applied::default();
    let mut written: Vec<Entry> = Vec::new();
    let mut skipped: Vec<(&Knob, String)> = Vec::new();
    for round in 0..ROUNDS_MAX {
        let mut planned = planned(system, profile);
        planned.steps.retain(|step| !skipped.contains(&(step.knob, step.instance.clone())));
        if round == 0 {
            applied.good = planned.good;
            applied.told = planned.told;
        }
        if planned.steps.is_empty() {
            break;
        }
        note_steps(system, &mut noted.entries, &planned.steps);
        if let Err(error) = journal.write(&noted) {
            return Err(without_journal(system, &written, &error, tell));
        }
        note_steps(system, &mut written, &planned.steps);
        for step in planned.steps {
            match set(system, &step) {
                Ok(()) => {
                    applied.done += 1;
                    tell(Event::Done(step));
                }
                Err(refusal) if refusal.kind != RefusalKind::Failed => {
                    skipped.push((step.knob, step.instance.clone()));
                    applied.skipped.push(refusal.kind);
                    tell(Event::Skipped(step, refusal));
                }
                Err(refusal) => {
                    tell(Event::Failed(step, refusal));
                    applied.is_rolled_back = true;
                    let back = put_back(system, &written, true, tell);
                    applied.left = back.left.len();
                    return after_failure(&journal, before.as_ref(), applied.left)
                        .map(|()| applied);
                }
            }
        }
    }
    Ok(applied)
}

/// Makes the journal what it was before a run that was taken back, unless that left something, which it still has.
fn after_failure(journal: &Place, before: Option<&Journal>, left: usize) -> Result<(), String> {
    match (left, before) {
        (0, Some(kept)) => journal.write(kept),
        (0, None) => journal.remove(),
        (_, _) => Ok(()),
    }
    .map_err(|error| format!("{error}; a step failed, {IS_BACK}"))
}

/// Puts back what earlier rounds wrote, as the journal that would have what the next one changes cannot be written.
fn without_journal(
    system: &mut impl System,
    written: &[Entry],
    error: &str,
    tell: &mut impl FnMut(Event),
) -> String {
    if written.is_empty() {
        return format!("{error}; nothing is changed");
    }
    match put_back(system, written, true, tell).left.len() {
        0 => format!("{error}; {IS_BACK}"),
        count => format!("{error}; {count} values are not put back, and the journal has them"),
    }
}

/// The plan for what `system` has now.
pub fn planned(system: &mut impl System, profile: &Profile) -> Plan {
    let cpus = system.cpus();
    let knobs = knobs::all().filter(|knob| {
        let is_route = matches!(knob.access, knobs::Access::Route(_));
        is_route || profile.wanted(knob).is_some()
    });
    plan(&survey(system, knobs), profile, cpus)
}

/// Writes a value and reads it back. One that the kernel makes another of, such as a driver that rounds, is as it was
/// again.
fn set(system: &mut impl System, step: &Step) -> Result<(), Refusal> {
    system.write(step.knob, &step.instance, &step.after)?;
    let failed = |why| Err(Refusal { kind: RefusalKind::Failed, why });
    match system.read(step.knob, &step.instance) {
        Reading::Is(value) if step.knob.form.same(&value.text, &step.after) => Ok(()),
        Reading::Is(value) => {
            system.write(step.knob, &step.instance, &step.before)?;
            let why = format!("the kernel makes it {}; put back", value.text);
            Err(Refusal { kind: RefusalKind::Unavailable, why })
        }
        Reading::Absent(why) | Reading::Denied(why) | Reading::Failed(why) => {
            failed(format!("read back: {why}"))
        }
    }
}

/// Notes the steps, and what the kernel may change along with them.
fn note_steps(system: &mut impl System, entries: &mut Vec<Entry>, steps: &[Step]) {
    for step in steps {
        note(entries, step.knob.id, &step.instance, &step.before, Some(&step.after));
        for (other, at, text) in changed_along(system, step.knob, &step.instance) {
            note(entries, other.id, &at, &text, None);
        }
    }
}

/// What a write to `instance` may change along: the other knobs there, and of its parts (a device's queues).
fn changed_along(
    system: &mut impl System,
    knob: &Knob,
    instance: &str,
) -> Vec<(&'static Knob, String, String)> {
    let mut found = Vec::new();
    for other in knob.changes.iter().filter_map(|id| knobs::find(id)) {
        for at in system.instances(other).into_iter().filter(|at| is_within(at, instance)) {
            if let Reading::Is(value) = system.read(other, &at)
                && value.is_writable
            {
                found.push((other, at, value.text));
            }
        }
    }
    found
}

/// Whether `part` is `whole`, or a part of it as `eth0/rx-0` is of `eth0`.
fn is_within(part: &str, whole: &str) -> bool {
    part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
