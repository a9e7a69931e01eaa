//! Reading what is on a device, and believing none of it.

use super::buffer::Buffer;
use super::index::Place;
use super::layout::{BLOCK_OCTETS, ExtentEntry, ReadRecord};
use super::{Log, count};
use crate::io::Io;
use bytes::Bytes;
use std::io;
use std::ops::Range;

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

/// What became of reading an extent.
pub(crate) enum Extent {
    Whole(Bytes),
    /// Its segment is not there any more.
    Gone,
    /// It is not what was written.
    Damaged,
    /// The device has failed to read it, and that is noted.
    Unread,
}

/// Reads an extent.
pub(crate) async fn read_extent<I: Io>(io: &I, log: &Log, extent: ExtentEntry) -> Extent {
    let is_there = || log.sequence_at(extent.offset) == extent.sequence;
    if !is_there() {
        return Extent::Gone;
    }
    match read(io, log, extent.offset, extent.octets as usize).await {
        Ok(octets) if crc32fast::hash(octets.as_ref()) == extent.sum => {
            Extent::Whole(Bytes::from_owner(octets))
        }
        // It may have been written over meanwhile.
        Ok(_) if is_there() => Extent::Damaged,
        Ok(_) => Extent::Gone,
        Err(error) => {
            log.note_error("read", &error);
            Extent::Unread
        }
    }
}
