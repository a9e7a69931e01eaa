//! Routes of policies that were applied before, taken back for others.

use super::back::take_back;
use super::{Event, OWN_ROUTE, unchanged};
use crate::journal::{Entry, Journal, Kept, Place};
use crate::knobs::{self, Access};
use crate::profile::Profile;
use crate::system::System;
use std::collections::{BTreeMap, BTreeSet};

/// What is in the journal, after routes of other policies than those of `profile` are as they were, and whether there
/// were such: a new route says at first what the one around it says, which is to be the system's and not what an
/// earlier file said. The same policies are others too where one of their routes has gone.
pub(super) fn without_other_policies(
    system: &mut impl System,
    journal: &Place,
    profile: &Profile,
    tell: &mut impl FnMut(Event),
) -> Result<(Option<Journal>, bool), String> {
    let Kept::Journal(mut kept) = journal.read().map_err(unchanged)? else {
        return Ok((None, false));
    };
    let is_other = profile.policies.is_some()
        && !kept.said.is_empty()
        && (kept.said != profile.said() || has_lost_a_route(system, &kept));
    if !is_other {
        return Ok((Some(kept), false));
    }
    let earlier = std::mem::take(&mut kept.said);
    kept.policies = None;
    let going = going(&kept, &earlier);
    let of_profile = kept.routes.clone();
    let is_meant = |entry: &Entry| {
        let Some(Access::Route(metric)) = knobs::find(&entry.knob).map(|knob| knob.access) else {
            return false;
        };
        let is_said = earlier.get(&entry.instance).is_some_and(|it| it.contains_key(&entry.knob));
        let is_of_profile =
            Access::Route(metric) == OWN_ROUTE && of_profile.contains(&entry.instance);
        going.contains(&entry.instance) || (is_said && !is_of_profile)
    };
    let left = take_back(system, journal, &mut kept, &is_meant, false, tell)?.left;
    kept.entries.retain(|entry| !is_meant(entry));
    let count = left.len();
    kept.entries.extend(left);
    let noted = match kept.entries.is_empty() && !kept.is_of_something() {
        true => journal.remove().map(|()| None),
        false => journal.write(&kept).map(|()| Some(kept)),
    };
    let noted = noted.map_err(|error| match count {
        0 => format!("{error}; the routes of the earlier policies are put back"),
        _ => format!("{error}; {count} values of the earlier policies are not put back"),
    });
    Ok((noted?, true))
}

/// Whether a prefix that was to have a route of its own has none any more.
fn has_lost_a_route(system: &mut impl System, kept: &Journal) -> bool {
    let Some(own) = knobs::all().find(|knob| knob.access == OWN_ROUTE) else { return false };
    kept.said.keys().any(|prefix| system.read(own, prefix).text() == Some("no"))
}

/// The prefixes of `earlier` whose routes go, with all that they say: the policies made them, and the profile names no
/// such.
fn going(kept: &Journal, earlier: &BTreeMap<String, BTreeMap<String, String>>) -> BTreeSet<String> {
    let is_made = |entry: &&Entry| {
        knobs::find(&entry.knob).is_some_and(|knob| knob.access == OWN_ROUTE)
            && entry.old == "no"
            && earlier.contains_key(&entry.instance)
            && !kept.routes.contains(&entry.instance)
    };
    kept.entries.iter().filter(is_made).map(|entry| entry.instance.clone()).collect()
}
