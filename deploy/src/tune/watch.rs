//! `lastmile tune watch`: values that change, as they do.

use super::Scene;
use super::flags::WatchFlags;
use crate::failure::Failure;
use crate::node::say;
use crate::stop::Stop;
use lastmile_tuning::audit::Row;
use lastmile_tuning::system::place;
use serde_json::json;
use std::time::{Duration, Instant};

/// Looking takes some milliseconds of CPU; more often is a load of its own.
const EVERY_MIN: Duration = Duration::from_millis(100);

/// Prints a line for each value that changes until it is told to end.
///
/// # Errors
/// As for [`super::run`].
pub(super) fn run(flags: &WatchFlags) -> Result<(), Failure> {
    if flags.every.0 < EVERY_MIN {
        let text = format!("--every {:?}: too often; allowed: 100ms and more", flags.every.0);
        return Err(Failure::Misused(text));
    }
    let stop = Stop::on_signal()?;
    let mut scene = Scene::set(&flags.place, flags.profile.as_deref())?;
    let started = Instant::now();
    let mut before = scene.rows();
    eprintln!("lastmile: {} places watched", before.len());
    loop {
        let left = flags.limit.map(|limit| limit.0.saturating_sub(started.elapsed()));
        let pause = left.map_or(flags.every.0, |left| left.min(flags.every.0));
        let is_over = left.is_some_and(|left| left.is_zero());
        if is_over || stop.came_within(pause) {
            return Ok(());
        }
        let now = scene.rows();
        for (old, new) in changes(&before, &now) {
            let seconds = started.elapsed().as_secs();
            say(&if flags.json { line_json(seconds, old, new) } else { line(seconds, old, new) });
        }
        before = now;
    }
}

/// Places whose value is another one, of both lists, or that are in only one of them.
fn changes<'a>(before: &'a [Row], now: &'a [Row]) -> Vec<(Option<&'a Row>, Option<&'a Row>)> {
    let same_place =
        |one: &Row, other: &Row| one.knob == other.knob && one.instance == other.instance;
    let of = |rows: &'a [Row], row: &Row| rows.iter().find(|other| same_place(other, row));
    let mut changes: Vec<_> = now
        .iter()
        .map(|row| (of(before, row), Some(row)))
        .filter(|(old, new)| old.map(|old| &old.value) != new.map(|new| &new.value))
        .collect();
    changes.extend(before.iter().filter(|row| of(now, row).is_none()).map(|row| (Some(row), None)));
    changes
}

fn value(row: Option<&Row>) -> Option<&str> {
    row.and_then(|row| row.value.as_deref())
}

fn line(seconds: u64, old: Option<&Row>, new: Option<&Row>) -> String {
    let Some(row) = new.or(old) else { return String::new() };
    let (from, to) = (value(old).unwrap_or("-"), value(new).unwrap_or("-"));
    let wanted = row.wanted.as_ref().map(|wanted| format!(" (wanted {wanted}: {})", row.state));
    let place = place(row.knob, &row.instance);
    format!("+{seconds}s {place} {from} -> {to}{}", wanted.unwrap_or_default())
}

fn line_json(seconds: u64, old: Option<&Row>, new: Option<&Row>) -> String {
    let row = new.or(old);
    json!({
        "seconds": seconds,
        "knob": row.map(|row| row.knob),
        "instance": row.map(|row| &row.instance),
        "from": value(old),
        "to": value(new),
        "wanted": row.and_then(|row| row.wanted.as_ref()),
        "state": row.map(|row| row.state),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(instance: &str, value: &str) -> Row {
        Row {
            knob: "nic.rps_cpus",
            instance: instance.to_owned(),
            scope: "NIC".to_owned(),
            unit: "CPUs",
            value: Some(value.to_owned()),
            wanted: Some("all".to_owned()),
            state: "differs",
            writable: true,
            note: None,
        }
    }

    #[test]
    fn changes_are_told() {
        let before = [row("eth0/rx-0", "3"), row("eth0/rx-1", "3"), row("eth1/rx-0", "3")];
        let now = [row("eth0/rx-0", "3"), row("eth0/rx-1", "0"), row("eth2/rx-0", "0")];
        let lines: Vec<_> =
            changes(&before, &now).into_iter().map(|(old, new)| line(7, old, new)).collect();
        assert_eq!(
            lines,
            [
                "+7s nic.rps_cpus[eth0/rx-1] 3 -> 0 (wanted all: differs)",
                "+7s nic.rps_cpus[eth2/rx-0] - -> 0 (wanted all: differs)",
                "+7s nic.rps_cpus[eth1/rx-0] 3 -> - (wanted all: differs)",
            ]
        );
        assert!(changes(&now, &now).is_empty());
    }
}
