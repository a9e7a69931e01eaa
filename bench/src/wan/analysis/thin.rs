//! No more in a plot than can be drawn and looked at.

use super::super::outcome::{Acknowledgement, Plot, Segment};

/// Segments, and acknowledgements, of a plot. A picture is less than 1,000 pixels wide: more would be drawn over each
/// other, and a report of 4 s at 50 Mbit/s would have megabytes of them.
pub(super) const MARKS_MAX: usize = 2_000;

/// Connections of a plot, the first ones: more lines than that are a fog.
pub(super) const CONNECTIONS_MAX: u32 = 24;

/// Handshakes and requests of a plot: more have no room for their names.
const NAMED_MAX: usize = 100;

/// Columns in which neighbours are joined at first.
const COLUMNS: f64 = 1_000.0;

/// Keeps the first connections, then joins segments that follow each other in their stream and in time, and leaves out
/// acknowledgements between others, in columns that get wider until there are few enough.
pub(super) fn thin(plot: &mut Plot) {
    plot.segments.retain(|segment| segment.connection < CONNECTIONS_MAX);
    plot.acknowledged.retain(|acknowledged| acknowledged.connection < CONNECTIONS_MAX);
    let times = || {
        let segments = plot.segments.iter().map(|segment| segment.at_ms);
        segments.chain(plot.acknowledged.iter().map(|acknowledged| acknowledged.at_ms))
    };
    let (first, last) = (times().fold(f64::MAX, f64::min), times().fold(0.0, f64::max));
    let mut column_ms = (last - first) / COLUMNS;
    // A hundred times wider is ten columns; what is still too much then has no neighbours, and its end is cut.
    for _ in 0..7 {
        if plot.segments.len() > MARKS_MAX {
            plot.segments = joined(&plot.segments, column_ms);
        }
        if plot.acknowledged.len() > MARKS_MAX {
            plot.acknowledged = fewer(&plot.acknowledged, column_ms);
        }
        column_ms *= 2.0;
    }
    plot.segments.truncate(MARKS_MAX);
    plot.acknowledged.truncate(MARKS_MAX);
    plot.marks.truncate(NAMED_MAX);
}

/// Joins each with those before it that end where it begins, if they are of one kind and in one column.
fn joined(segments: &[Segment], column_ms: f64) -> Vec<Segment> {
    let mut kept: Vec<Segment> = Vec::new();
    for segment in segments {
        let before = kept.iter_mut().rev().find(|before| before.connection == segment.connection);
        match before {
            Some(before) if before.is_followed_by(segment, column_ms) => {
                before.octets = before.octets.saturating_add(segment.octets);
            }
            Some(_) | None => kept.push(segment.clone()),
        }
    }
    kept
}

impl Segment {
    fn is_followed_by(&self, next: &Self, column_ms: f64) -> bool {
        next.at_ms - self.at_ms < column_ms
            && next.from == self.from + u64::from(self.octets)
            && next.event == self.event
            && next.is_retransmission == self.is_retransmission
    }
}

/// The last one of each column and connection.
fn fewer(all: &[Acknowledgement], column_ms: f64) -> Vec<Acknowledgement> {
    let mut kept: Vec<Acknowledgement> = Vec::new();
    let mut columns = std::collections::HashMap::<u32, (f64, usize)>::new();
    for acknowledged in all {
        match columns.get(&acknowledged.connection) {
            Some((begun_ms, place)) if acknowledged.at_ms - begun_ms < column_ms => {
                kept[*place] = *acknowledged;
            }
            Some(_) | None => {
                columns.insert(acknowledged.connection, (acknowledged.at_ms, kept.len()));
                kept.push(*acknowledged);
            }
        }
    }
    kept
}
