//! What was found, in rows: for a table and for JSON. Nothing in it depends on when it is made.

use crate::knobs::{Access, Knob};
use crate::plan::{State, state};
use crate::profile::Profile;
use crate::system::{Found, Reading};
use serde::Serialize;
use std::fmt::Write as _;

/// One place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The knob's id.
    pub knob: &'static str,
    /// Which of its places; empty if there is one.
    pub instance: String,
    /// What a change reaches.
    pub scope: String,
    /// What numbers count.
    pub unit: &'static str,
    /// What is there.
    pub value: Option<String>,
    /// What is wanted.
    pub wanted: Option<String>,
    /// Where it stands: ok, differs, absent, denied, per socket, per connection, by hand.
    pub state: &'static str,
    /// Whether this process may write it.
    pub writable: bool,
    /// Why it is absent or denied.
    pub note: Option<String>,
}

/// The rows of what was found, beside what `profile` wants.
#[must_use]
pub fn rows(found: &[Found], profile: &Profile, cpus: usize) -> Vec<Row> {
    found.iter().map(|place| row(place, profile, cpus)).collect()
}

fn row(found: &Found, profile: &Profile, cpus: usize) -> Row {
    let (value, writable, why) = match &found.reading {
        Reading::Is(value) => (Some(value.text.clone()), value.is_writable, None),
        Reading::Absent(why) | Reading::Denied(why) | Reading::Failed(why) => {
            (None, false, Some(why.clone()))
        }
    };
    let note = match found.knob.access {
        Access::Policy | Access::ByHand => None,
        Access::Sysctl | Access::Files(_) | Access::Device(_) | Access::Offload(_) => why,
        Access::Interrupt | Access::Route(_) => why,
        Access::Limit(..) | Access::Socket(_) => why,
    };
    Row {
        knob: found.knob.id,
        instance: found.instance.clone(),
        scope: found.knob.scope.to_string(),
        unit: found.knob.unit,
        value,
        wanted: profile.wanted_at(found.knob, &found.instance).map(ToString::to_string),
        state: state(found, profile, cpus).word(),
        writable,
        note,
    }
}

/// How many rows have each state, in words: `40 ok, 12 differ`.
#[must_use]
pub fn sums(rows: &[Row]) -> String {
    let states = [
        State::Ok,
        State::Differs,
        State::Absent,
        State::Denied,
        State::Unreadable,
        State::PerSocket,
        State::PerConnection,
        State::ByHand,
    ];
    let count = |state: State| rows.iter().filter(|row| row.state == state.word()).count();
    let sums: Vec<String> = states
        .into_iter()
        .map(|state| (count(state), state.word()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    sums.join(", ")
}

/// The rows as lines with columns, the sums at the end.
#[must_use]
pub fn table(rows: &[Row], profile: &Profile) -> String {
    let place = |row: &Row| crate::system::place(row.knob, &row.instance);
    let width = |of: &dyn Fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let (places, values) = (
        width(&|row| place(row).chars().count()),
        width(&|row| row.value.as_deref().unwrap_or("-").chars().count()),
    );
    let mut text = String::new();
    for row in rows {
        let value = row.value.as_deref().unwrap_or("-");
        let _ = write!(text, "{:<14} {:<places$}  {value:<values$}", row.state, place(row));
        if let Some(wanted) = &row.wanted {
            let _ = write!(text, "  wanted {wanted}");
        }
        if row.state == State::Differs.word() && !row.writable {
            text.push_str("  (not writable here)");
        }
        if let Some(note) = &row.note {
            let _ = write!(text, "  ({note})");
        }
        let end = text.trim_end().len();
        text.truncate(end);
        text.push('\n');
    }
    let _ = write!(text, "{profile}: {} places: {}", rows.len(), sums(rows));
    text
}

/// All that is known of a knob, and what it is here.
#[must_use]
pub fn explain(knob: &'static Knob, rows: &[Row], profiles: &[Profile]) -> String {
    let mut text = format!("{}\n\n{}\n\n", knob.id, knob.why);
    for (name, value) in [
        ("scope", knob.scope.to_string()),
        ("unit", knob.unit.to_owned()),
        ("allowed", knob.form.to_string()),
        ("by hand", knob.by_hand()),
        ("since", format!("Linux {}", knob.since)),
        ("takes", knob.capability().to_owned()),
        ("risk", knob.risk.to_owned()),
        ("source", knob.source.to_owned()),
        ("effect", knob.effect.to_string()),
        ("needs", knob.needs.join(", ")),
        ("changes", knob.changes.join(", ")),
    ] {
        if !value.is_empty() {
            let _ = writeln!(text, "  {name:<8} {value}");
        }
    }
    for profile in profiles {
        if let Some(wanted) = profile.wanted(knob) {
            let _ = writeln!(text, "  profile {}: {wanted}", profile.name);
        }
    }
    for row in rows {
        let value = row.value.as_deref().or(row.note.as_deref()).unwrap_or("-");
        let at = if row.instance.is_empty() { "here" } else { &row.instance };
        let _ = writeln!(text, "  {at}: {value} ({})", row.state);
    }
    text.truncate(text.trim_end().len());
    text
}
