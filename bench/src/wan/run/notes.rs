//! What rows do not say with numbers: flights, what the kernels know of the connections, why requests failed.

use crate::wan::measure::socket::Seen;
use crate::wan::outcome::{Plot, Row};
use crate::wan::scenario::{FigureName, Kind};

/// Flights that are told one by one.
const FLIGHTS_MAX: usize = 12;

/// The note of what was measured; `overflow` has what a full capture has, and what it has not.
pub(super) fn of(
    octets: u64,
    overflow: Option<(usize, u64)>,
    plots: &[Plot],
    sockets: &[(String, Seen)],
    kind: &Kind,
) -> String {
    let mut notes = Vec::new();
    if let Some((captured, not_captured)) = overflow {
        notes.push(format!(
            "the capture holds {captured} events of packets and has no room for {not_captured} more: \
             retransmissions and flights are of the first {captured}"
        ));
    }
    if octets > 0 {
        notes.push(format!("{octets} octets"));
    }
    if matches!(kind, Kind::Fetch { .. }) {
        notes.extend(plots.iter().filter_map(flights));
    }
    notes.extend(sockets.iter().map(|(ends, seen)| format!("{ends}: {seen}")));
    notes.join("; ")
}

/// Such as `origin to client: flights of 2, 4, 8, 7 packets`.
fn flights(plot: &Plot) -> Option<String> {
    let packets: Vec<_> = plot.flights.iter().map(|flight| flight.packets.to_string()).collect();
    let is_told = (1..=FLIGHTS_MAX).contains(&packets.len());
    is_told.then(|| format!("{}: flights of {} packets", plot.title, packets.join(", ")))
}

/// Puts them where they belong.
pub(super) fn place(rows: &mut [Row], note: &str, failure: Option<&str>) {
    let main = [
        FigureName::LastByte,
        FigureName::Median,
        FigureName::Goodput,
        FigureName::Connect,
        FigureName::Time,
    ];
    let main = main
        .iter()
        .map(ToString::to_string)
        .find_map(|name| rows.iter().position(|row| row.name == name && row.note.is_empty()));
    if let Some(at) = main {
        note.clone_into(&mut rows[at].note);
    }
    let failures = FigureName::Failures.to_string();
    for row in rows.iter_mut().filter(|row| row.name == failures && row.note.is_empty()) {
        failure.unwrap_or_default().clone_into(&mut row.note);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_capture_is_told() {
        let kind = Kind::Program { run: "true".to_owned() };
        assert_eq!(of(0, None, &[], &[], &kind), "");
        let note = of(7, Some((1_000, 5)), &[], &[], &kind);
        assert!(note.contains("of the first 1000"), "{note}");
        assert!(note.ends_with("; 7 octets"), "{note}");
    }
}
