//! A plan done, and taken back.

mod back;
mod policies;

use crate::journal::{Entry, Journal, Place, Refused, note};
use crate::knobs::{self, Access, Knob, RouteMetric};
use crate::plan::{Obstacle, Plan, Step, Told, plan};
use crate::profile::Profile;
use crate::system::{OWN, Reading, Refusal, RefusalKind, System, survey};
use back::put_back;
use policies::without_other_policies;
use std::path::Path;

pub use back::{Reverted, forget, revert};

/// Writing one knob can change another, which is then written in another round. Nothing in the table needs a third; in
/// the last, what is not as wanted is not written any more.
const ROUNDS_MAX: usize = 4;

const IS_BACK: &str = "what was set is put back";

/// What an error ends with where [`Applied::is_without_policies`].
pub const WITHOUT_POLICIES: &str = "but the routes of the earlier policies are taken back and not \
                                    set again: apply them again";

fn unchanged(error: impl Into<String>) -> String {
    format!("{}; nothing is changed", error.into())
}

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
    /// One is not put back, and its old value is in no journal any more.
    Forgotten {
        /// The knob and its place.
        place: String,
        /// What it was.
        old: String,
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
    /// Whether the routes of earlier policies were taken back before that, and are not set again.
    pub is_without_policies: bool,
}

impl Applied {
    /// How many wanted values are not there for a reason that is a failure: denied, or not to be read.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.told.iter().filter(|told| told.obstacle.is_failure()).count()
            + self.skipped.iter().filter(|kind| **kind == RefusalKind::Denied).count()
    }
}

/// Brings `profile` about, as far as this process may. Old values are in the journal before the first is changed; that
/// of an earlier application stays, so that all of it can be taken back together. Where nothing is to be done, the
/// journal says what was applied all the same.
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
    let noted = Noted::open(system, journal, profile, tell);
    let is_without = noted.as_ref().is_ok_and(|noted| noted.is_without_policies);
    match apply_noted(system, noted, profile, tell) {
        Ok(applied) => {
            let is_without_policies = is_without && applied.is_rolled_back;
            Ok(Applied { is_without_policies, ..applied })
        }
        Err(error) if is_without => Err(format!("{error}; {WITHOUT_POLICIES}")),
        Err(error) => Err(error),
    }
}

fn apply_noted(
    system: &mut impl System,
    noted: Result<Noted, String>,
    profile: &Profile,
    tell: &mut impl FnMut(Event),
) -> Result<Applied, String> {
    let first = planned(system, profile);
    if first.steps.is_empty() {
        let applied = Applied { good: first.good, told: first.told, ..Applied::default() };
        // So that `verify` knows what was applied. Whoever may set nothing, and has no journal either, is told the
        // former.
        return match noted.and_then(|mut noted| noted.keep().map_err(unchanged)) {
            Err(error) if applied.failures() == 0 => Err(error),
            Ok(()) | Err(_) => Ok(applied),
        };
    }
    let mut noted = noted?;
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
        note_steps(system, &mut noted.now.entries, &planned.steps);
        if let Err(error) = noted.write() {
            return Err(without_journal(system, &written, &error, tell));
        }
        note_steps(system, &mut written, &planned.steps);
        for step in planned.steps {
            let is_last = round + 1 == ROUNDS_MAX;
            match if is_last { Err(undone()) } else { set(system, &step) } {
                Ok(()) => {
                    applied.done += 1;
                    tell(Event::Done(step));
                }
                Err(refusal) if refusal.kind != RefusalKind::Failed => {
                    skipped.push((step.knob, step.instance.clone()));
                    applied.skipped.push(refusal.kind);
                    noted.refuse(&step, &refusal);
                    tell(Event::Skipped(step, refusal));
                }
                Err(refusal) => {
                    tell(Event::Failed(step, refusal));
                    applied.is_rolled_back = true;
                    applied.left = put_back(system, &written, &[], tell).left.len();
                    return after_failure(&noted, applied.left).map(|()| applied);
                }
            }
        }
    }
    settle(system, &mut noted.now.entries);
    match noted.keep() {
        Ok(()) => Ok(applied),
        Err(error) => Err(without_journal(system, &written, &error, tell)),
    }
}

/// Why a value that was set is wanted still, after all rounds.
fn undone() -> Refusal {
    let why = "it is undone whenever it is set, by another knob or by somebody else".to_owned();
    Refusal { kind: RefusalKind::Failed, why }
}

/// The journal of an application.
struct Noted {
    place: Place,
    /// What was there before.
    before: Option<Journal>,
    /// Whether that is without policies that were taken back for those of this application.
    is_without_policies: bool,
    /// What was there, or was put there last.
    on_disk: Option<Journal>,
    /// What is to be there.
    now: Journal,
}

impl Noted {
    /// The journal at `path`, or a new one, with what is applied. A profile without a name leaves the one that
    /// was applied before as it is, and one without policies those.
    fn open(
        system: &mut impl System,
        path: &Path,
        profile: &Profile,
        tell: &mut impl FnMut(Event),
    ) -> Result<Self, String> {
        let place = Place::lock(path).map_err(unchanged)?;
        let (before, is_without_policies) = without_other_policies(system, &place, profile, tell)?;
        let mut now = match &before {
            Some(kept) => kept.clone(),
            None => Journal::new().map_err(|error| unchanged(error.to_string()))?,
        };
        if !profile.name.is_empty() {
            now.profile.clone_from(&profile.name);
            now.routes = profile.routes.iter().map(ToString::to_string).collect();
            now.wanted = profile.knobs().map(|knob| knob.id.to_owned()).collect();
            now.process = process(system);
            let wanted = &now.wanted;
            now.refused.retain(|it| !wanted.contains(&it.knob));
        }
        if profile.policies.is_some() {
            now.policies.clone_from(&profile.policies);
            now.said = profile.said();
            now.asked.clone_from(&profile.asked);
            let said = &now.said;
            now.refused.retain(|it| !said.contains_key(&it.instance));
        }
        Ok(Self { place, on_disk: before.clone(), before, is_without_policies, now })
    }

    /// Notes what the kernel or the hardware does not take, so that `verify` does not blame anybody for it. What was
    /// not written is nothing to take back.
    fn refuse(&mut self, step: &Step, refusal: &Refusal) {
        let is_it = |it: &Entry| it.knob == step.knob.id && it.instance == step.instance;
        if !self.before.as_ref().is_some_and(|before| before.entries.iter().any(is_it)) {
            self.now.entries.retain(|entry| !is_it(entry) || entry.is_along);
        }
        if refusal.kind == RefusalKind::Unavailable {
            self.now.refused.push(Refused {
                knob: step.knob.id.to_owned(),
                instance: step.instance.clone(),
                value: step.after.clone(),
                why: refusal.why.clone(),
            });
        }
    }

    /// Puts it on the disk.
    fn write(&mut self) -> Result<(), String> {
        self.place.write(&self.now)?;
        self.on_disk = Some(self.now.clone());
        Ok(())
    }

    /// Puts it on the disk, unless it is there.
    fn keep(&mut self) -> Result<(), String> {
        if self.on_disk.as_ref() == Some(&self.now) { Ok(()) } else { self.write() }
    }
}

/// The process whose limits are meant, if one is.
fn process(system: &mut impl System) -> Option<String> {
    let limit = knobs::all().find(|knob| matches!(knob.access, Access::Limit(..)))?;
    system.instances(limit).into_iter().find(|instance| instance != OWN)
}

/// Notes what the kernel has made of what it changed along: anything else there is somebody else's from now on.
fn settle(system: &mut impl System, entries: &mut [Entry]) {
    for entry in entries.iter_mut().filter(|entry| entry.is_open()) {
        let Some(knob) = knobs::find(&entry.knob) else { continue };
        if let Reading::Is(value) = system.read(knob, &entry.instance) {
            entry.settle(&value.text);
        }
    }
}

/// Makes the journal what it was before a run that was taken back, unless that left something, which it still has.
fn after_failure(noted: &Noted, left: usize) -> Result<(), String> {
    match (left, &noted.before) {
        (0, Some(kept)) => noted.place.write(kept),
        (0, None) => noted.place.remove(),
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
    match put_back(system, written, &[], tell).left.len() {
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

/// The same after an application: what the kernel or the hardware did not take then (`refused`) is told instead of
/// asked for again.
pub fn verified(system: &mut impl System, profile: &Profile, refused: &[Refused]) -> Plan {
    let Plan { steps, mut told, good } = planned(system, profile);
    let reason = |step: &Step| {
        let of_it = |it: &&Refused| {
            it.knob == step.knob.id
                && it.instance == step.instance
                && step.knob.form.same(&it.value, &step.after)
        };
        refused.iter().find(of_it).map(|it| it.why.clone())
    };
    let mut left = Vec::new();
    for step in steps {
        match reason(&step) {
            None => left.push(step),
            Some(why) => told.push(Told {
                knob: step.knob,
                instance: step.instance,
                wanted: step.after,
                obstacle: Obstacle::Refused(why),
            }),
        }
    }
    Plan { steps: left, told, good }
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
