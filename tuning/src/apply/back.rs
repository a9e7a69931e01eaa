//! What a journal has, put back.

use super::{Event, OWN_ROUTE, ROUNDS_MAX, is_within};
use crate::journal::{self, Entry, Kept, Place};
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

/// Puts `entries` back; with `is_forced` also what is not ours.
pub(super) fn put_back(
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
