//! Reading what is on a device, and believing none of it.

use super::buffer::Buffer;
use super::index::Place;
use super::layout::{BLOCK_OCTETS, ExtentEntry, ReadRecord, UNIT_OCTETS};
use super::{Log, count};
use crate::io::Io;
use bytes::Bytes;
use std::io;
use std::ops::Range;

/// Octets of extents that are read at once, at most: with the rest of two blocks they fit into a buffer of 1 MiB.
const GROUP_OCTETS_MAX: u64 = (1 << 20) - 2 * BLOCK_OCTETS as u64;

/// Octets of a device that were read: in a buffer, where they are in it.
pub(crate) struct Octets {
    buffer: Buffer,
    range: Range<usize>,
}

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[self.range.clone()]
    }
}

/// Reads `octets` from `offset` on.
///
/// # Errors
/// Those of the device, and its end.
pub(crate) async fn read<I: Io>(
    io: &I,
    log: &Log,
    offset: u64,
    octets: usize,
) -> io::Result<Octets> {
    let before = (offset % BLOCK_OCTETS as u64) as usize;
    let whole = (before + octets).next_multiple_of(BLOCK_OCTETS);
    let (mut buffer, start) = (Buffer::of(whole)?, offset - before as u64);
    let mut done = 0;
    while done < before + octets {
        let at = start + done as u64;
        let (read, back) = io.read_at(&log.device, buffer, done..whole, at).await;
        buffer = back;
        // What is left of a block is read again.
        let count = read? / BLOCK_OCTETS * BLOCK_OCTETS;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        done += count;
    }
    count(&log.counts.read_octets, whole as u64);
    Ok(Octets { buffer, range: before..before + octets })
}

/// The record at `place`; `None` when there is none, or not all of it.
///
/// # Errors
/// Those of the device.
pub(crate) async fn read_record<I: Io>(
    io: &I,
    log: &Log,
    place: Place,
) -> io::Result<Option<(Octets, ReadRecord)>> {
    let octets = usize::try_from(place.octets).unwrap_or(usize::MAX);
    let octets = read(io, log, place.offset, octets).await?;
    let record = ReadRecord::decode(octets.as_ref());
    Ok(record.map(|record| (octets, record)))
}

/// What became of reading extents.
pub(crate) enum Extents {
    /// The octets of each.
    Whole(Vec<Bytes>),
    /// Their segment is not there any more.
    Gone,
    /// They are not what was written.
    Damaged,
    /// The device has failed to read them, and that is noted.
    Unread,
}

/// The extents of a content in groups that lie one behind the other and are read at once.
pub(crate) fn groups(extents: Vec<ExtentEntry>) -> Vec<Vec<ExtentEntry>> {
    let mut groups: Vec<Vec<ExtentEntry>> = Vec::new();
    for extent in extents {
        match groups.last_mut() {
            Some(group) if follows(group, extent) => group.push(extent),
            _ => groups.push(vec![extent]),
        }
    }
    groups
}

fn follows(group: &[ExtentEntry], extent: ExtentEntry) -> bool {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return false };
    let end = last.offset + u64::from(last.octets).next_multiple_of(UNIT_OCTETS as u64);
    let octets = (extent.offset + u64::from(extent.octets)).saturating_sub(first.offset);
    last.sequence == extent.sequence && end == extent.offset && octets <= GROUP_OCTETS_MAX
}

/// Reads a group of extents.
pub(crate) async fn read_extents<I: Io>(io: &I, log: &Log, group: Vec<ExtentEntry>) -> Extents {
    let (Some(first), Some(last)) = (group.first(), group.last()) else {
        return Extents::Whole(Vec::new());
    };
    let start = first.offset;
    let is_there = || first.sequence > 0 && log.sequence_at(start) == first.sequence;
    if !is_there() {
        return Extents::Gone;
    }
    let octets = (last.offset + u64::from(last.octets)).saturating_sub(start);
    let octets = match read(io, log, start, usize::try_from(octets).unwrap_or(usize::MAX)).await {
        Ok(octets) => Bytes::from_owner(octets),
        Err(error) => {
            log.note_read_error(&error);
            return Extents::Unread;
        }
    };
    let each = group.iter().map(|extent| {
        let from = usize::try_from(extent.offset - start).unwrap_or(usize::MAX);
        let octets = octets.slice(from..from + extent.octets as usize);
        (crc32fast::hash(&octets) == extent.sum).then_some(octets)
    });
    match each.collect() {
        Some(each) => Extents::Whole(each),
        // It may have been written over meanwhile.
        None if is_there() => Extents::Damaged,
        None => Extents::Gone,
    }
}
