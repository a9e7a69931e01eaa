//! What a device has from before: the summaries of all batches, segment after segment in the order in which they were
//! written. Meanwhile everything is served; what is not known yet is a miss.

use super::index::Identity;
use super::layout::{BLOCK_OCTETS, Entry, Kind, Summary, summary_octets};
use super::reader::read;
use super::writer::{End, place_of};
use super::{Log, REMOVALS_WHILE_RECOVERING_MAX, Removal};
use crate::io::Io;
use core::sync::atomic::Ordering;
use futures_util::StreamExt;
use futures_util::stream;
use std::io;

/// Segments that are read at the same time.
const AT_ONCE: usize = 32;

/// Learns what is on a device. Returns where it goes on, or `None` when it can't be read.
pub(crate) async fn recover<I: Io>(io: &I, log: &Log) -> Option<End> {
    let mut known = Vec::new();
    let firsts = stream::iter(0..log.segments());
    let mut firsts = firsts.map(|segment| first_summary(io, log, segment)).buffered(AT_ONCE);
    while let Some((segment, first)) = firsts.next().await {
        match first {
            Ok(Some((sequence, octets))) => known.push((sequence, segment, octets)),
            Ok(None) => {}
            Err(error) => log.note_read_error(&error),
        }
        if log.has_failed() {
            return None;
        }
    }
    drop(firsts);
    known.sort_unstable();
    // Also if not all are read.
    let end = known.last().map_or(End { segment: 0, sequence: 1 }, |(sequence, segment, _)| End {
        segment: (segment + 1) % log.segments(),
        sequence: sequence + 1,
    });
    let segments = stream::iter(known);
    let read = |(sequence, segment, octets)| async move {
        (sequence, segment, read_segment_of(io, log, segment, sequence, octets).await)
    };
    let mut segments = segments.map(read).buffered(AT_ONCE);
    while let Some((sequence, segment, summaries)) = segments.next().await {
        match summaries {
            // It only looked like a segment's beginning.
            Ok(summaries) if summaries.is_empty() => {}
            Ok(summaries) => {
                log.sequences[segment].store(sequence, Ordering::Release);
                apply(log, segment, &summaries);
            }
            Err(error) => log.note_read_error(&error),
        }
        let removals = log.recovering().as_ref().map_or(0, std::collections::HashSet::len);
        let is_enough = removals >= REMOVALS_WHILE_RECOVERING_MAX || log.offers.is_stopping();
        if log.has_failed() || is_enough {
            break;
        }
    }
    *log.recovering() = None;
    (!log.has_failed()).then_some(end)
}

fn apply(log: &Log, segment: usize, summaries: &[(u64, Summary)]) {
    let start = log.start_of(segment);
    for (position, summary) in summaries {
        log.filled[segment].fetch_add(summary.blocks, Ordering::Relaxed);
        // In their order: a removal concerns what is before it.
        for entry in &summary.entries {
            match entry.kind {
                Kind::Response => insert(log, entry, start + position),
                Kind::VariantRemoved => {
                    log.index.remove(entry.hash, Some(entry.variant));
                }
                Kind::KeyRemoved => {
                    log.index.remove(entry.hash, None);
                }
            }
        }
    }
}

/// Puts a response into the index that is in the batch at `offset`, unless it was removed since the start.
fn insert(log: &Log, entry: &Entry, offset: u64) {
    let Entry { hash, variant, version, .. } = *entry;
    // The lock is held until it is in, so that a removal comes before or behind it.
    let recovering = log.recovering();
    let is_removed = recovering.as_ref().is_some_and(|removals| {
        let mut both = [None, Some(variant)].into_iter();
        both.any(|variant| removals.contains(&Removal { hash, variant }))
    });
    if !is_removed && !log.has_failed() {
        log.index.insert(Identity { hash, variant, version }, place_of(offset, entry));
    }
    drop(recovering);
}

/// The sequence number of a segment and the octets of its first summary, if anything was ever written to it.
async fn first_summary<I: Io>(
    io: &I,
    log: &Log,
    segment: usize,
) -> (usize, io::Result<Option<(u64, usize)>>) {
    let read = async {
        let front = read(io, log, log.start_of(segment), BLOCK_OCTETS).await?;
        Ok(Summary::first_in_segment(front.as_ref()))
    };
    (segment, read.await)
}

/// The summaries of all batches of a segment, each with where its batch begins in the segment.
///
/// # Errors
/// Those of the device.
pub(crate) async fn read_segment<I: Io>(
    io: &I,
    log: &Log,
    segment: usize,
) -> io::Result<Vec<(u64, Summary)>> {
    let sequence = log.sequences[segment].load(Ordering::Acquire);
    read_segment_of(io, log, segment, sequence, 0).await
}

async fn read_segment_of<I: Io>(
    io: &I,
    log: &Log,
    segment: usize,
    sequence: u64,
    mut expected: usize,
) -> io::Result<Vec<(u64, Summary)>> {
    let (mut position, mut summaries) = (0, Vec::new());
    while position + BLOCK_OCTETS as u64 <= log.segment_octets() {
        let summary = read_summary(io, log, (segment, position), expected).await?;
        // What is behind is from an earlier round, or was never written.
        let Some(summary) = summary.filter(|summary| {
            summary.sequence == sequence && summary.number as usize == summaries.len()
        }) else {
            break;
        };
        let octets = u64::from(summary.blocks) * BLOCK_OCTETS as u64;
        expected = summary_octets(summary.entries.len());
        summaries.push((position, summary));
        position += octets;
    }
    Ok(summaries)
}

/// The summary of the batch at `position` of a segment; `None` when there is none. As many octets are read as are
/// `expected` of it, and the rest if there are more.
async fn read_summary<I: Io>(
    io: &I,
    log: &Log,
    (segment, position): (usize, u64),
    expected: usize,
) -> io::Result<Option<Summary>> {
    let left = usize::try_from(log.segment_octets() - position).unwrap_or(usize::MAX);
    let expected = expected.next_multiple_of(BLOCK_OCTETS).clamp(BLOCK_OCTETS, left);
    let offset = log.start_of(segment) + position;
    let front = read(io, log, offset, expected).await?;
    let front = front.as_ref();
    match Summary::octets(front) {
        Some(octets) if octets > front.len() && octets <= left => {
            let whole = read(io, log, offset, octets).await?;
            Ok(Summary::decode(whole.as_ref()))
        }
        _ => Ok(Summary::decode(front)),
    }
}
