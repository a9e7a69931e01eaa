//! The segment that comes next is emptied ahead: what was used in it since it was written is written again, up to half
//! of a segment; the rest goes with it.

use super::super::buffer::Buffer;
use super::super::count;
use super::super::index::{Identity, Place};
use super::super::layout::{BATCH_OCTETS_MAX, BLOCK_OCTETS, Entry, Kind, Record};
use super::super::reader::{Extents, groups, read_extents, read_record};
use super::super::recovery::read_segment;
use super::{From, Writer, place_of};
use crate::io::Io;
use crate::piece::Piece;
use crate::stored::on_disk::policy;
use core::sync::atomic::Ordering;
use core::time::Duration;
use lastmile_http::cache::freshness::StoredPolicy;
use lastmile_http::time::UnixTime;

/// Of a segment that is emptied so much is written again at most: one in so many octets.
const REINSERTED_ONE_IN: u64 = 2;

/// How long a segment is left alone at most from which a long content is being read: longer than that takes.
const HELD_MAX: Duration = Duration::from_secs(5);
const HELD_LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a segment has, or had.
pub(super) struct Contents {
    responses: Vec<(Identity, Place)>,
    /// All summaries that were written to it can be read.
    is_whole: bool,
}

impl<I: Io> Writer<'_, I> {
    /// Empties a segment before it is written anew: what was used is written again.
    pub(super) async fn empty(&mut self, segment: usize) {
        if self.log.sequences[segment].load(Ordering::Acquire) == 0 {
            return;
        }
        let contents = self.contents_of(segment).await;
        let mut budget = self.log.segment_octets() / REINSERTED_ONE_IN;
        for (identity, place) in &contents.responses {
            let used = self.log.index.uses(identity.hash, *place).is_some_and(|uses| uses > 0);
            if used && self.spare_octets() > 0 && !self.log.offers.is_stopping() {
                let octets = self.add_again(*identity, *place, budget).await.unwrap_or(0);
                budget = budget.saturating_sub(octets);
            }
        }
        self.flush().await;
        // Removals, or what follows a failed write, may have begun it: then it is empty, and being filled.
        if self.segment != segment {
            self.forget(segment, contents).await;
        }
    }

    /// Octets that can be put into this segment, however they come to lie in batches.
    fn spare_octets(&self) -> u64 {
        let left = self.log.segment_octets() - self.position;
        if self.is_over { 0 } else { left.saturating_sub(2 * BATCH_OCTETS_MAX as u64) }
    }

    /// Writes a record again, if it is of use and has at most `budget` octets. Returns how many it has.
    async fn add_again(&mut self, identity: Identity, place: Place, budget: u64) -> Option<u64> {
        let log = self.log;
        let read = match read_record(&self.io, log, place).await {
            Ok(read) => read,
            Err(error) => {
                log.note_read_error(&error);
                return None;
            }
        };
        let (octets, record) = read?;
        let apart = record.extents.iter().map(|extent| u64::from(extent.octets)).sum::<u64>();
        let all = apart + place.octets;
        // The next segment is the one that is emptied: it must not come to that.
        let fits = all <= budget && all <= self.spare_octets();
        if !fits || is_useless(&policy(&record.fixed), self.io.now()) {
            return None;
        }
        let mut extents = Vec::new();
        for group in groups(record.extents) {
            let Extents::Whole(each) = read_extents(&self.io, log, group).await else {
                return None;
            };
            for octets in each {
                extents.push(self.add_extent(&[Piece::from(octets)]).await?);
            }
        }
        let octets = octets.as_ref();
        let record = Record {
            key: &octets[record.key],
            fixed: record.fixed,
            octets: &octets[record.octets],
            extents: &extents,
            content: &octets[record.content],
        };
        self.add_record(identity, &record, From::Place(place)).await?;
        Some(all)
    }

    pub(super) async fn contents_of(&self, segment: usize) -> Contents {
        let start = self.log.start_of(segment);
        let summaries = read_segment(&self.io, self.log, segment).await.unwrap_or_default();
        let blocks: u32 = summaries.iter().map(|(_, summary)| summary.blocks).sum();
        let is_whole = blocks >= self.log.filled[segment].load(Ordering::Relaxed);
        let mut responses = Vec::new();
        for (position, summary) in summaries {
            let entries = summary.entries.iter().filter(|entry| entry.kind == Kind::Response);
            responses.extend(entries.map(|entry| {
                let Entry { hash, variant, version, .. } = *entry;
                (Identity { hash, variant, version }, place_of(start + position, entry))
            }));
        }
        Contents { responses, is_whole }
    }

    /// Takes all that is in a segment out of the index.
    pub(super) async fn forget(&self, segment: usize, contents: Contents) {
        let log = self.log;
        let start = log.start_of(segment);
        let removed = match contents.is_whole {
            true => {
                let each = contents.responses.iter();
                each.filter(|(identity, place)| log.index.remove_at(identity.hash, *place)).count()
            }
            false => log.index.remove_range(start..start + log.segment_octets()),
        };
        count(&log.counts.evicted_objects, removed as u64);
        let overdue = self.io.now().plus(HELD_MAX);
        while !log.vacate(segment, self.io.now() >= overdue) {
            self.io.sleep(HELD_LOOK_EVERY).await;
        }
        // Nor may it be found after a crash: what is removed from now on leaves no trace of what is there.
        let blanked = match Buffer::of(BLOCK_OCTETS) {
            Ok(mut buffer) => {
                buffer[..BLOCK_OCTETS].fill(0);
                self.write_all(buffer, BLOCK_OCTETS, start).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = blanked {
            log.note_write_error(&error);
        }
    }
}

/// Whether nobody could use a response any more, not even to ask whether it is still good.
fn is_useless(policy: &StoredPolicy, now: UnixTime) -> bool {
    let stale = i64::from(policy.stale_while_revalidate().0.max(policy.stale_if_error().0));
    !policy.has_validator() && policy.ttl(now) + stale < 0
}
