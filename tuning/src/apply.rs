//! A plan done, and taken back.

use crate::journal::{self, Entry, Journal, Kept, Place, note};
use crate::knobs::{self, Access, Knob, RouteMetric};
use crate::plan::{Plan, Step, Told, plan};
use crate::profile::Profile;
use crate::system::{Reading, Refusal, RefusalKind, System, place, survey};
use std::collections::BTreeMap;
use std::path::Path;

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
    if first.steps.is_empty() && !has_other_policies(journal::read(journal), profile) {
        // No journal, which an unprivileged user could not write either.
        return Ok(Applied { good: first.good, told: first.told, ..Applied::default() });
    }
    let unchanged = |error: String| format!("{error}; nothing is changed");
    let journal = Place::lock(journal).map_err(unchanged)?;
    let before = without_other_policies(system, &journal, profile, tell)?;
    let mut noted = match &before {
        Some(kept) => kept.clone(),
        None => Journal::new().map_err(|error| unchanged(error.to_string()))?,
    };
    note_profile(&mut noted, profile);
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

/// A profile without knobs leaves the one that was applied before as it is, and one without policies those.
fn note_profile(noted: &mut Journal, profile: &Profile) {
    if !profile.is_empty() {
        noted.profile.clone_from(&profile.name);
        noted.routes = profile.routes.iter().map(ToString::to_string).collect();
        noted.wanted = profile.knobs().map(|knob| knob.id.to_owned()).collect();
    }
    if profile.policies.is_some() {
        noted.policies.clone_from(&profile.policies);
        noted.said = profile.said();
    }
}

/// Whether policies were applied that say something else than those of `profile`, which has some.
fn has_other_policies(kept: Result<Kept, String>, profile: &Profile) -> bool {
    match kept {
        Ok(Kept::Journal(kept)) => {
            profile.policies.is_some() && !kept.said.is_empty() && kept.said != profile.said()
        }
        Ok(Kept::Nothing | Kept::Stale) | Err(_) => false,
    }
}

/// What is in the journal, after routes of other policies than those of `profile` are as they were: a new route says at
/// first what the one around it says, which is to be the system's and not what an earlier file said.
fn without_other_policies(
    system: &mut impl System,
    journal: &Place,
    profile: &Profile,
    tell: &mut impl FnMut(Event),
) -> Result<Option<Journal>, String> {
    let kept = journal.read().map_err(|error| format!("{error}; nothing is changed"))?;
    let is_other = has_other_policies(Ok(kept.clone()), profile);
    let Kept::Journal(mut kept) = kept else { return Ok(None) };
    if !is_other {
        return Ok(Some(kept));
    }
    let is_said = |entry: &Entry| {
        let is_route = knobs::find(&entry.knob).map(|knob| matches!(knob.access, Access::Route(_)));
        is_route == Some(true) && kept.said.contains_key(&entry.instance)
    };
    let (said, others): (Vec<_>, Vec<_>) = kept.entries.iter().cloned().partition(is_said);
    let left = put_back(system, &said, false, tell).left;
    kept.entries = [others, left].concat();
    (kept.policies, kept.said) = (None, BTreeMap::new());
    let noted = match kept.entries.is_empty() {
        true => journal.remove().map(|()| None),
        false => journal.write(&kept).map(|()| Some(kept)),
    };
    noted.map_err(|error| format!("{error}; the routes of the earlier policies are put back"))
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

/// What taking back came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reverted {
    /// How many values were put back.
    pub back: usize,
    /// What could not be put back, or was left to somebody else.
    pub left: Vec<Entry>,
    /// Whether there was nothing to take back.
    pub is_nothing: bool,
}

/// Puts back what the journal has, last first. What is neither ours nor the old value was changed by somebody else, and
/// is left unless `is_forced`. What is left stays in the journal; otherwise that is removed.
///
/// # Errors
/// One line: a journal that cannot be read, written or removed.
pub fn revert(
    system: &mut impl System,
    journal: &Path,
    is_forced: bool,
    tell: &mut impl FnMut(Event),
) -> Result<Reverted, String> {
    if journal::read(journal)? == Kept::Nothing {
        return Ok(Reverted { is_nothing: true, ..Reverted::default() });
    }
    let journal = Place::lock(journal)?;
    let kept = match journal.read()? {
        Kept::Journal(kept) => kept,
        Kept::Stale => {
            journal.remove()?;
            return Ok(Reverted { is_nothing: true, ..Reverted::default() });
        }
        Kept::Nothing => return Ok(Reverted { is_nothing: true, ..Reverted::default() }),
    };
    let reverted = put_back(system, &kept.entries, is_forced, tell);
    if reverted.left.is_empty() {
        journal.remove()?;
    } else {
        journal.write(&kept.with(reverted.left.clone()))?;
    }
    Ok(reverted)
}

fn put_back(
    system: &mut impl System,
    entries: &[Entry],
    is_forced: bool,
    tell: &mut impl FnMut(Event),
) -> Reverted {
    let mut reverted = Reverted::default();
    let mut foreign: Vec<&Entry> = Vec::new();
    for entry in entries {
        let Some(knob) = knobs::find(&entry.knob) else { continue };
        if went_with_its_route(system, entries, entry) {
            continue;
        }
        let place = place(&entry.knob, &entry.instance);
        match system.read(knob, &entry.instance) {
            Reading::Absent(why) => tell(Event::Gone { place, why }),
            Reading::Is(value) => {
                let is_ours = entry.is_ours(&value.text, |one, other| knob.form.same(one, other));
                if value.text != entry.old && !is_ours && !is_forced {
                    foreign.push(entry);
                    tell(Event::Foreign { place, found: value.text, old: entry.old.clone() });
                }
            }
            Reading::Denied(_) | Reading::Failed(_) => {}
        }
    }
    let ours: Vec<Entry> = entries.iter().filter(|it| !is_foreign(it, &foreign)).cloned().collect();
    let mut stuck = Vec::new();
    for _ in 0..ROUNDS_MAX {
        stuck = round(system, &ours, &mut reverted, tell);
        if stuck.is_empty() {
            break;
        }
    }
    for (entry, why) in &stuck {
        let place = place(&entry.knob, &entry.instance);
        tell(Event::Stuck { place, why: why.clone() });
    }
    let is_left = |entry: &&Entry| {
        is_foreign(entry, &foreign) || stuck.iter().any(|(stuck, _)| *stuck == **entry)
    };
    reverted.left = entries.iter().filter(is_left).cloned().collect();
    reverted
}

/// Whether `entry` is one of `foreign`, or changed along with one: then it belongs to whoever changed that.
fn is_foreign(entry: &Entry, foreign: &[&Entry]) -> bool {
    let along = |cause: &&Entry| {
        let knob = knobs::find(&cause.knob);
        is_within(&entry.instance, &cause.instance)
            && knob.is_some_and(|knob| knob.changes.contains(&entry.knob.as_str()))
    };
    foreign.contains(&entry) || (entry.is_along && foreign.iter().any(along))
}

/// Whether `entry` is what a prefix's own route says, which had none before and has none now: what another route says
/// instead is not of this entry, and may have changed since.
fn went_with_its_route(system: &mut impl System, entries: &[Entry], entry: &Entry) -> bool {
    let metric = knobs::find(&entry.knob).map(|knob| knob.access);
    if !matches!(metric, Some(Access::Route(_)) if metric != Some(OWN_ROUTE)) {
        return false;
    }
    let Some(own) = knobs::all().find(|knob| knob.access == OWN_ROUTE) else { return false };
    let had_none =
        |it: &Entry| it.knob == own.id && it.instance == entry.instance && it.old == "no";
    entries.iter().any(had_none) && system.read(own, &entry.instance).text() == Some("no")
}

/// Writes each old value that is not in force, and returns those that are not in force after that, with the reason.
fn round(
    system: &mut impl System,
    entries: &[Entry],
    reverted: &mut Reverted,
    tell: &mut impl FnMut(Event),
) -> Vec<(Entry, String)> {
    let mut stuck = Vec::new();
    for entry in entries.iter().rev() {
        let Some(knob) = knobs::find(&entry.knob) else {
            stuck.push((entry.clone(), "this version knows no such knob".to_owned()));
            continue;
        };
        if went_with_its_route(system, entries, entry) {
            continue;
        }
        let place = place(&entry.knob, &entry.instance);
        match system.read(knob, &entry.instance) {
            Reading::Is(value) if value.text == entry.old => {}
            Reading::Is(value) => match system.write(knob, &entry.instance, &entry.old) {
                Ok(()) => {
                    reverted.back += 1;
                    tell(Event::Back { place, from: value.text, to: entry.old.clone() });
                }
                Err(refusal) => stuck.push((entry.clone(), refusal.to_string())),
            },
            Reading::Absent(_) => {}
            Reading::Denied(why) | Reading::Failed(why) => stuck.push((entry.clone(), why)),
        }
    }
    // A later one may have changed an earlier one along with it.
    for entry in entries {
        let Some(knob) = knobs::find(&entry.knob) else { continue };
        let is_known = |(other, _): &(Entry, String)| other == entry;
        if let Reading::Is(value) = system.read(knob, &entry.instance)
            && value.text != entry.old
            && !stuck.iter().any(is_known)
            && !went_with_its_route(system, entries, entry)
        {
            stuck.push((entry.clone(), format!("{} is there instead", value.text)));
        }
    }
    stuck
}

#[cfg(test)]
mod tests;
