//! What a journal has, put back.

use super::{Event, OWN_ROUTE, ROUNDS_MAX, is_within};
use crate::journal::{self, Entry, Journal, Kept, Place};
use crate::knobs::{self, Access};
use crate::system::{Reading, System, place};
use std::path::Path;

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
    revert_locked(system, &journal, is_forced, tell)
}

fn revert_locked(
    system: &mut impl System,
    journal: &Place,
    is_forced: bool,
    tell: &mut impl FnMut(Event),
) -> Result<Reverted, String> {
    let mut kept = match journal.read()? {
        Kept::Journal(kept) => kept,
        Kept::Stale => {
            journal.remove()?;
            return Ok(Reverted { is_nothing: true, ..Reverted::default() });
        }
        Kept::Nothing => return Ok(Reverted { is_nothing: true, ..Reverted::default() }),
    };
    let mut reverted = take_back(system, journal, &mut kept, &|_| true, is_forced, tell)?;
    reverted.is_nothing = kept.entries.is_empty();
    if reverted.left.is_empty() {
        journal.remove()?;
    } else {
        journal.write(&kept.left(reverted.left.clone()))?;
    }
    Ok(reverted)
}

/// Puts back those entries of `kept`, which is what `journal` has, that are meant; it is still to be made what is left.
pub(super) fn take_back(
    system: &mut impl System,
    journal: &Place,
    kept: &mut Journal,
    is_meant: &impl Fn(&Entry) -> bool,
    is_forced: bool,
    tell: &mut impl FnMut(Event),
) -> Result<Reverted, String> {
    let meant = |kept: &Journal| -> Vec<Entry> {
        kept.entries.iter().filter(|entry| is_meant(entry)).cloned().collect()
    };
    let theirs = match is_forced {
        true => Vec::new(),
        false => of_others(system, &meant(kept), tell),
    };
    // The kernel may change values along again meanwhile, and this may end in the middle.
    let mut is_open = false;
    let is_ours = |it: &&mut Entry| is_meant(it) && it.is_settled && !theirs.contains(it);
    for entry in kept.entries.iter_mut().filter(is_ours) {
        (entry.is_settled, is_open) = (false, true);
    }
    if is_open {
        // A full disk keeps nobody from going back: only after an end in the middle, which is rarer still, would values
        // that were changed along look like somebody else's.
        let _ = journal.write(kept);
    }
    Ok(put_back(system, &meant(kept), &theirs, tell))
}

/// Puts back what can be, and gives up the rest: what is stuck, what somebody else has changed since, and what belongs
/// to another network namespace. There is no journal afterwards.
///
/// # Errors
/// One line: a journal that cannot be read, written or removed.
pub fn forget(
    system: &mut impl System,
    journal: &Path,
    tell: &mut impl FnMut(Event),
) -> Result<Reverted, String> {
    if journal::load(journal)?.is_none() {
        return Ok(Reverted { is_nothing: true, ..Reverted::default() });
    }
    let locked = Place::lock(journal)?;
    let reverted = match (locked.read(), journal::load(journal)?) {
        (Err(_), Some(mut kept)) if kept.is_elsewhere() => {
            // Of what is there, only what every namespace has is the same here.
            let is_here = |entry: &Entry| {
                knobs::find(&entry.knob).is_some_and(|knob| !knob.is_of_a_namespace())
            };
            let mut back = take_back(system, &locked, &mut kept, &is_here, false, tell)?;
            back.left.extend(kept.entries.into_iter().filter(|entry| !is_here(entry)));
            back
        }
        _ => revert_locked(system, &locked, false, tell)?,
    };
    for entry in &reverted.left {
        let place = place(&entry.knob, &entry.instance);
        tell(Event::Forgotten { place, old: entry.old.clone() });
    }
    locked.remove()?;
    Ok(reverted)
}

/// What is neither as it was nor of our making, and what changes along with it.
fn of_others(
    system: &mut impl System,
    entries: &[Entry],
    tell: &mut impl FnMut(Event),
) -> Vec<Entry> {
    let mut foreign: Vec<&Entry> = Vec::new();
    for entry in entries {
        let Some(knob) = knobs::find(&entry.knob) else { continue };
        if went_with_its_route(system, entries, entry) {
            continue;
        }
        let Reading::Is(value) = system.read(knob, &entry.instance) else { continue };
        let is_ours = entry.is_ours(&value.text, |one, other| knob.form.same(one, other));
        if value.text != entry.old && !is_ours {
            foreign.push(entry);
            let place = place(&entry.knob, &entry.instance);
            tell(Event::Foreign { place, found: value.text, old: entry.old.clone() });
        }
    }
    entries.iter().filter(|entry| is_foreign(entry, &foreign)).cloned().collect()
}

/// Puts `entries` back but for `theirs`, which are left.
pub(super) fn put_back(
    system: &mut impl System,
    entries: &[Entry],
    theirs: &[Entry],
    tell: &mut impl FnMut(Event),
) -> Reverted {
    let mut reverted = Reverted::default();
    let ours: Vec<Entry> = entries.iter().filter(|it| !theirs.contains(it)).cloned().collect();
    for entry in &ours {
        let Some(knob) = knobs::find(&entry.knob) else { continue };
        if let Reading::Absent(why) = system.read(knob, &entry.instance)
            && !went_with_its_route(system, &ours, entry)
        {
            tell(Event::Gone { place: place(&entry.knob, &entry.instance), why });
        }
    }
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
    let is_left =
        |entry: &&Entry| theirs.contains(entry) || stuck.iter().any(|(stuck, _)| *stuck == **entry);
    reverted.left = entries.iter().filter(is_left).cloned().collect();
    reverted
}

/// Whether `entry` is one of `foreign`, or changed along with one: then it belongs to whoever changed that. So does a
/// route of our making of which somebody else says something.
fn is_foreign(entry: &Entry, foreign: &[&Entry]) -> bool {
    let along = |cause: &&Entry| {
        let knob = knobs::find(&cause.knob);
        is_within(&entry.instance, &cause.instance)
            && knob.is_some_and(|knob| knob.changes.contains(&entry.knob.as_str()))
    };
    let access = |entry: &Entry| knobs::find(&entry.knob).map(|knob| knob.access);
    let says = |metric: &&Entry| {
        metric.instance == entry.instance && matches!(access(metric), Some(Access::Route(_)))
    };
    foreign.contains(&entry)
        || (entry.is_along && foreign.iter().any(along))
        || (access(entry) == Some(OWN_ROUTE) && foreign.iter().any(says))
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
