//! Writing: responses that earned it are put one behind the other into batches, segment after segment, round and round.
//!
//! `emptying`: what becomes of what is in the segment that comes next.

mod emptying;

use super::buffer::Buffer;
use super::index::{Identity, Place};
use super::layout::{
    BATCH_OCTETS_MAX, BLOCK_OCTETS, ENTRIES_MAX, EXTENT_OCTETS_MAX, EXTENTS_MAX, Entry,
    ExtentEntry, Kind, Record, SUMMARY_OCTETS_MAX, Summary, UNIT_OCTETS, summary_entry_octets,
    summary_octets,
};
use super::offers::{ContentAt, Next, Offer, REMOVALS_WAIT};
use super::reader::read_record;
use super::recovery::recover;
use super::{Log, Removal, count};
use crate::io::Io;
use crate::piece::Piece;
use crate::stored::{Content, StoredResponse};
use core::sync::atomic::Ordering;
use core::time::Duration;
use lastmile_http::time::UnixTime;
use std::io;
use std::sync::Arc;

/// A batch is written when it is full, or so long after its first response.
const FLUSH_AFTER: Duration = Duration::from_millis(300);
/// Octets for the summary of a batch of large records; that of one of small records has [`SUMMARY_OCTETS_MAX`].
const SUMMARY_OCTETS_SMALL: usize = BLOCK_OCTETS;
/// Records of at least this are large: a batch of them has fewer than the small summary has entries.
const RECORD_OCTETS_LARGE: usize = 16 << 10;
/// A content takes at most one in so many octets of its device.
const CONTENT_ONE_IN: u64 = 8;
/// At the end, so many batches of removals are written at most.
const FLUSHES_LAST_MAX: usize = 16;
/// After a write has failed, nothing is written for so long.
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// A wait for the rate ends so often, to see whether it is the end.
const RATE_STEP: Duration = Duration::from_millis(100);
/// At the end, what is in RAM is written for so long at most.
const LAST_MAX: Duration = Duration::from_secs(20);

/// Writes what is offered to `log`, until it is told to stop; then what is in `ram`, the hottest first.
pub(crate) async fn run<I: Io>(
    io: I,
    log: Arc<Log>,
    ram: impl Fn() -> Vec<StoredResponse>,
    write_rate: Option<u64>,
) {
    // Whatever happens, nobody waits for it any more.
    let _closed = Closed(&log);
    if let Some(end) = recover(&io, &log).await {
        let mut writer = Writer::new(io, &log, end, write_rate);
        writer.serve().await;
        if !log.has_failed() {
            writer.write_last(ram()).await;
        }
    }
}

struct Closed<'a>(&'a Log);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.offers.close();
    }
}

/// Where a log goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The segment to be begun next.
    pub(crate) segment: usize,
    pub(crate) sequence: u64,
}

/// A batch that is being put together.
struct Batch {
    buffer: Buffer,
    /// In the device.
    offset: u64,
    number: u32,
    /// Where records begin.
    body: usize,
    /// Behind the last one.
    end: usize,
    /// What it must not grow beyond.
    limit: usize,
    entries: Vec<Entry>,
    pending: Vec<Pending>,
    begun: UnixTime,
}

/// A record in a batch that is not written yet.
struct Pending {
    identity: Identity,
    place: Place,
    from: From,
}

enum From {
    /// A response in RAM.
    Offer { number: u64, kept: StoredResponse },
    /// A place of the device.
    Place(Place),
}

struct Writer<'a, I: Io> {
    io: I,
    log: &'a Log,
    /// The segment that is being filled, its sequence number, and how far it is filled.
    segment: usize,
    sequence: u64,
    position: u64,
    batches: u32,
    has_begun: bool,
    /// The segment can't be written on.
    is_over: bool,
    batch: Option<Batch>,
    /// A segment that is to be emptied.
    to_empty: Option<usize>,
    /// Since when there are removals that are not written.
    removals_since: Option<UnixTime>,
    write_rate: Option<u64>,
    /// What was written faster than the rate allows, in milliseconds.
    ahead_ms: u64,
    rated: UnixTime,
}

impl<'a, I: Io> Writer<'a, I> {
    fn new(io: I, log: &'a Log, end: End, write_rate: Option<u64>) -> Self {
        let rated = io.now();
        Self {
            io,
            log,
            segment: end.segment,
            sequence: end.sequence,
            position: 0,
            batches: 0,
            has_begun: false,
            is_over: true,
            batch: None,
            to_empty: None,
            removals_since: None,
            write_rate,
            ahead_ms: 0,
            rated,
        }
    }

    async fn serve(&mut self) {
        while !self.log.has_failed() {
            // Later, if something is being read from it: only when it is needed that is waited for.
            if let Some(segment) = self.to_empty.take_if(|segment| !self.log.is_held(*segment)) {
                self.empty(segment).await;
            }
            if self.removals_are_due() {
                self.flush().await;
                self.removals_since = None;
            }
            let limit = self.batch.as_ref().map(|batch| {
                FLUSH_AFTER.saturating_sub(self.io.now().saturating_since(batch.begun))
            });
            match self.log.offers.next(&self.io, limit).await {
                Next::Write(offer) => self.add(offer).await,
                Next::Flush => self.flush().await,
                Next::Stop => {
                    self.write_rate = None;
                    return self.flush().await;
                }
            }
        }
    }

    /// Whether removals have waited long enough, while responses kept coming.
    fn removals_are_due(&mut self) -> bool {
        if !self.log.offers.has_removals() {
            self.removals_since = None;
            return false;
        }
        let now = self.io.now();
        now.saturating_since(*self.removals_since.get_or_insert(now)) >= REMOVALS_WAIT
    }

    /// All that is in RAM and not here, the hottest first, as much as half of the device takes.
    async fn write_last(&mut self, responses: Vec<StoredResponse>) {
        let deadline = self.io.now().plus(LAST_MAX);
        let mut left = self.log.segments() as u64 * self.log.segment_octets() / 2;
        for response in responses {
            if left == 0 || self.io.now() > deadline || self.log.has_failed() {
                break;
            }
            let identity = self.log.identity(&response);
            if response.was_removed() || self.log.index.has(identity) {
                continue;
            }
            let Some(number) = self.log.offers.begin(identity) else { continue };
            let octets =
                response.octets().len() as u64 + response.content().map_or(0, Content::octets);
            left = left.saturating_sub(octets);
            self.add(Offer { number, identity, response, content_at: None }).await;
        }
        for _ in 0..FLUSHES_LAST_MAX {
            self.flush().await;
            if !self.log.offers.has_removals() || self.log.has_failed() {
                break;
            }
        }
    }

    /// Puts a response into the batch.
    async fn add(&mut self, offer: Offer) {
        let (number, identity) = (offer.number, offer.identity);
        let is_wanted = !offer.response.was_removed()
            && !self.log.offers.is_revoked(number, identity)
            && !self.log.index.has(identity);
        let added = if is_wanted { self.add_response(offer).await } else { None };
        if added.is_none() {
            self.log.offers.done(&[(number, identity)]);
        }
    }

    async fn add_response(&mut self, offer: Offer) -> Option<()> {
        let Offer { number, identity, response, content_at } = offer;
        let fixed = response.fixed_octets()?;
        let content = response.content()?;
        let octets_max = self.log.segments() as u64 * self.log.segment_octets() / CONTENT_ONE_IN;
        if content.octets() > octets_max.min((EXTENTS_MAX * EXTENT_OCTETS_MAX) as u64) {
            return None;
        }
        let mut extents = match content_at {
            Some(content_at) => self.extents_at(content_at, response.key()).await,
            None => Vec::new(),
        };
        if content.within().is_none() && extents.is_empty() {
            for chunk in chunks(content.pieces()) {
                extents.push(self.add_extent(&chunk).await?);
            }
        }
        let record = Record {
            key: response.key(),
            fixed,
            octets: response.head_and_selection(),
            extents: &extents,
            content: content.within().unwrap_or_default(),
        };
        let from = From::Offer { number, kept: response.clone() };
        self.add_record(identity, &record, from).await
    }

    /// The extents of a record, if it is the one that is meant and all of them are there; or none.
    async fn extents_at(&self, content_at: ContentAt, key: &[u8]) -> Vec<ExtentEntry> {
        let read = read_record(&self.io, self.log, content_at.place).await;
        let Ok(Some((octets, record))) = read else { return Vec::new() };
        let is_there =
            |extent: &ExtentEntry| self.log.sequence_at(extent.offset) == extent.sequence;
        let is_meant = octets.as_ref()[record.key] == *key && record.fixed == content_at.fixed;
        if is_meant && record.extents.iter().all(is_there) { record.extents } else { Vec::new() }
    }

    /// Puts octets of a content into the batch.
    async fn add_extent(&mut self, chunk: &[Piece]) -> Option<ExtentEntry> {
        let octets: usize = chunk.iter().map(Piece::len).sum();
        self.make_room(octets, RECORD_OCTETS_LARGE).await?;
        let sequence = self.sequence;
        let batch = self.batch.as_mut()?;
        let (start, mut at) = (batch.end, batch.end);
        for piece in chunk {
            let part = piece.read().ok()?;
            batch.buffer[at..at + part.len()].copy_from_slice(&part);
            at += part.len();
        }
        let sum = crc32fast::hash(&batch.buffer[start..at]);
        let offset = batch.offset + start as u64;
        batch.end = at.next_multiple_of(UNIT_OCTETS);
        Some(ExtentEntry { offset, sequence, octets: u32::try_from(octets).ok()?, sum })
    }

    async fn add_record(
        &mut self,
        identity: Identity,
        record: &Record<'_>,
        from: From,
    ) -> Option<()> {
        let octets = record.octets();
        self.make_room(octets, octets).await?;
        // It may have been removed while what is before it was written: it must not come behind its removal.
        if !self.is_wanted(identity, &from) {
            return None;
        }
        let batch = self.batch.as_mut()?;
        let start = batch.end;
        record.encode(&mut batch.buffer[start..start + octets]);
        batch.end = (start + octets).next_multiple_of(UNIT_OCTETS);
        let units = (batch.end - start) / UNIT_OCTETS;
        batch.entries.push(Entry {
            hash: identity.hash,
            start: (start / UNIT_OCTETS) as u32,
            units: units as u32,
            kind: Kind::Response,
            variant: identity.variant,
            version: identity.version,
        });
        let place =
            Place { offset: batch.offset + start as u64, octets: (units * UNIT_OCTETS) as u64 };
        batch.pending.push(Pending { identity, place, from });
        Some(())
    }

    /// Whether what is in a batch, or is going to be, is still to be found.
    fn is_wanted(&self, identity: Identity, from: &From) -> bool {
        match from {
            From::Offer { number, kept } => {
                !kept.was_removed() && !self.log.offers.is_revoked(*number, identity)
            }
            From::Place(place) => self.log.index.uses(identity.hash, *place).is_some(),
        }
    }

    /// A batch with room for `octets` more and an entry; one of records of `record_octets` if it is a new one. `None`
    /// when there is none to be had.
    async fn make_room(&mut self, octets: usize, record_octets: usize) -> Option<()> {
        let fits = |batch: &Batch| {
            batch.end + octets <= batch.limit
                && summary_octets(batch.entries.len() + 1) <= batch.body
                && batch.entries.len() < ENTRIES_MAX
        };
        if self.batch.as_ref().is_some_and(fits) {
            return Some(());
        }
        self.flush().await;
        let is_large = record_octets >= RECORD_OCTETS_LARGE;
        let body = if is_large { SUMMARY_OCTETS_SMALL } else { SUMMARY_OCTETS_MAX };
        if body + octets > BATCH_OCTETS_MAX {
            return None;
        }
        let left = self.log.segment_octets() - self.position;
        if self.is_over || left < (body + octets).next_multiple_of(BLOCK_OCTETS) as u64 {
            self.begin_segment().await?;
        }
        self.begin_batch(body)
    }

    fn begin_batch(&mut self, body: usize) -> Option<()> {
        let left = self.log.segment_octets() - self.position;
        let limit = usize::try_from(left).unwrap_or(usize::MAX).min(BATCH_OCTETS_MAX);
        let buffer = match Buffer::of(BATCH_OCTETS_MAX) {
            Ok(buffer) => buffer,
            Err(error) => {
                self.log.note_write_error(&error);
                return None;
            }
        };
        self.batch = Some(Batch {
            buffer,
            offset: self.log.start_of(self.segment) + self.position,
            number: self.batches,
            body,
            end: body,
            limit,
            entries: Vec::new(),
            pending: Vec::new(),
            begun: self.io.now(),
        });
        Some(())
    }

    /// Goes on in the next segment, from which everything is gone then.
    async fn begin_segment(&mut self) -> Option<()> {
        if self.log.has_failed() {
            return None;
        }
        let segments = self.log.segments();
        if core::mem::replace(&mut self.has_begun, true) {
            self.segment = (self.segment + 1) % segments;
            self.sequence += 1;
        }
        let segment = self.segment;
        if self.log.sequences[segment].load(Ordering::Acquire) != 0 {
            let contents = self.contents_of(segment).await;
            self.forget(segment, contents).await;
        }
        (self.position, self.batches, self.is_over) = (0, 0, false);
        self.log.sequences[segment].store(self.sequence, Ordering::Release);
        self.log.filled[segment].store(0, Ordering::Relaxed);
        self.to_empty = Some((segment + 1) % segments);
        Some(())
    }

    /// Writes the batch, and lets what is in it be found; and removals, in front of it.
    async fn flush(&mut self) {
        if self.batch.is_none()
            && (!self.log.offers.has_removals() || self.begin_for_removals().await.is_none())
        {
            return;
        }
        let Some(batch) = self.batch.take() else { return };
        let room = (batch.body - summary_octets(batch.entries.len())) / summary_entry_octets();
        let room = room.min(ENTRIES_MAX - batch.entries.len());
        let removals = self.log.offers.take_removals(room);
        self.write(batch, removals).await;
    }

    async fn begin_for_removals(&mut self) -> Option<()> {
        let left = self.log.segment_octets() - self.position;
        if self.is_over || left < SUMMARY_OCTETS_SMALL as u64 {
            self.begin_segment().await?;
        }
        self.begin_batch(SUMMARY_OCTETS_SMALL)
    }

    async fn write(&mut self, batch: Batch, removals: Vec<Removal>) {
        let Batch { mut buffer, offset, number, end, entries, pending, .. } = batch;
        // In this order: what was removed before the records were put here must not take these with it.
        let mut all: Vec<_> = removals
            .iter()
            .map(|removal| Entry {
                hash: removal.hash,
                start: 0,
                units: 0,
                kind: removal.kind(),
                variant: removal.variant.unwrap_or_default(),
                version: 0,
            })
            .collect();
        let wanted = entries.into_iter().zip(&pending);
        let wanted = wanted.filter(|(_, record)| self.is_wanted(record.identity, &record.from));
        all.extend(wanted.map(|(entry, _)| entry));
        let whole = end.next_multiple_of(BLOCK_OCTETS);
        buffer[end..whole].fill(0);
        let blocks = (whole / BLOCK_OCTETS) as u32;
        let summary = Summary { sequence: self.sequence, number, blocks, entries: all };
        summary.encode(&mut buffer);
        match self.write_all(buffer, whole, offset).await {
            Ok(()) => {
                self.log.note_written();
                count(&self.log.counts.written_octets, whole as u64);
                self.position += whole as u64;
                self.batches += 1;
                self.log.filled[self.segment].fetch_add(blocks, Ordering::Relaxed);
                self.publish(pending);
                self.keep_rate(whole as u64).await;
            }
            Err(error) => {
                self.log.note_write_error(&error);
                self.log.offers.put_back(removals);
                self.give_up(&pending);
                // What is behind a batch that may be torn would not be found again.
                self.is_over = true;
                self.io.sleep(AFTER_ERROR).await;
            }
        }
    }

    async fn write_all(&self, buffer: Buffer, octets: usize, offset: u64) -> io::Result<()> {
        let (mut buffer, mut done) = (buffer, 0);
        while done < octets {
            let at = offset + done as u64;
            let (written, back) =
                self.io.write_at(&self.log.device, buffer, done..octets, at).await;
            buffer = back;
            // What is left of a block is written again.
            match written? / BLOCK_OCTETS * BLOCK_OCTETS {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => done += count,
            }
        }
        Ok(())
    }

    fn publish(&self, pending: Vec<Pending>) {
        let log = self.log;
        let mut done = Vec::new();
        if log.has_failed() {
            return;
        }
        for Pending { identity, place, from } in pending {
            match from {
                From::Offer { number, .. } => {
                    done.push((number, identity));
                    if log.offers.is_revoked(number, identity) {
                        continue;
                    }
                    log.index.insert(identity, place);
                    // It may have been removed in between.
                    if log.offers.is_revoked(number, identity) {
                        log.index.remove_at(identity.hash, place);
                    } else {
                        count(&log.counts.written_objects, 1);
                    }
                }
                From::Place(old) => {
                    if log.index.relocate(identity.hash, old, place) {
                        count(&log.counts.reinserted_objects, 1);
                    }
                }
            }
        }
        log.offers.done(&done);
    }

    /// What of it is on the device all the same must not be found there later.
    fn give_up(&self, pending: &[Pending]) {
        for Pending { identity, from, .. } in pending {
            if matches!(from, From::Offer { .. }) {
                let Identity { hash, variant, .. } = *identity;
                self.log.offers.remove(Removal { hash, variant: Some(variant) }, None, true);
            }
        }
        let offers = pending.iter().filter_map(|pending| match pending.from {
            From::Offer { number, .. } => Some((number, pending.identity)),
            From::Place(_) => None,
        });
        self.log.offers.done(&offers.collect::<Vec<_>>());
    }

    /// Waits as long as the rate wants it.
    async fn keep_rate(&mut self, octets: u64) {
        let Some(rate) = self.write_rate else { return };
        let now = self.io.now();
        let passed = now.saturating_since(self.rated).as_millis();
        self.rated = now;
        self.ahead_ms = self.ahead_ms.saturating_sub(u64::try_from(passed).unwrap_or(u64::MAX));
        self.ahead_ms += octets * 1000 / rate.max(1);
        // The end does not wait.
        let mut left = Duration::from_millis(self.ahead_ms);
        while left > RATE_STEP && !self.log.offers.is_stopping() {
            let step = left.min(RATE_STEP);
            self.io.sleep(step).await;
            left = left.saturating_sub(step);
        }
    }
}

/// Where the record of `entry` is, of a batch that begins at `offset`.
pub(crate) fn place_of(offset: u64, entry: &Entry) -> Place {
    let units = UNIT_OCTETS as u64;
    Place {
        offset: offset + u64::from(entry.start) * units,
        octets: u64::from(entry.units) * units,
    }
}

/// Pieces in groups of an extent's octets.
fn chunks(pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    let (mut chunks, mut chunk, mut octets) = (Vec::new(), Vec::new(), 0);
    for mut piece in pieces {
        while !piece.is_empty() {
            let count = piece.len().min(EXTENT_OCTETS_MAX - octets);
            chunk.push(piece.slice(0..count));
            piece.advance(count);
            octets += count;
            if octets == EXTENT_OCTETS_MAX {
                chunks.push(core::mem::take(&mut chunk));
                octets = 0;
            }
        }
    }
    if !chunk.is_empty() {
        chunks.push(chunk);
    }
    chunks
}
