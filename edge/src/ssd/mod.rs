//! The SSD tier: what does not fit into RAM, on files or block devices, through restarts and crashes.
//!
//! `layout` (the octets), [`device`] (opening, locking), `index` (where everything is, 16 octets an object), `offers`
//! (what is to be written), `writer` (writes it, makes room), `recovery` (what was there before), `reader`, `turns`
//! (one reads for all).
//!
//! Responses come in when they are used for the second time, in RAM or after they have left it (`seen`). One task of a
//! worker writes them, in batches; until their batch is written they are in RAM only. What is asked for and not in RAM
//! is read, checked, and put back into RAM, from where it is answered (`restore`): the tier is a store behind the RAM
//! tier, and answers nothing itself. Only a long content is sent while it is being read. What is replaced or removed in
//! RAM is removed here too.
//!
//! No worker waits for a disk: reads and writes go through [`crate::io::Io`].

pub mod buffer;
pub mod device;
pub(crate) mod index;
pub(crate) mod layout;
pub(crate) mod offers;
pub(crate) mod reader;
mod recovery;
mod seen;
pub(crate) mod turns;
pub(crate) mod writer;

use crate::io::Io;
use crate::stored::StoredResponse;
use core::hash::Hasher;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use device::Device;
use index::{Identity, Index};
use lastmile_http::cache::freshness::StoredPolicy;
use layout::{ExtentEntry, Kind, Superblock};
use offers::{ContentAt, Offers};
use seen::Seen;
use siphasher::sip::SipHasher13;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use turns::{Turned, Turns};

/// Errors of a device, one after the other, after which it is not used any more.
const ERRORS_MAX: u32 = 16;
/// Removals while a device is being recovered; with more, what is not recovered yet is given up.
const REMOVALS_WHILE_RECOVERING_MAX: usize = 1 << 20;

/// A file or block device of the tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsdConfig {
    /// Where it is; a file is made if there is none.
    pub path: PathBuf,
    /// Octets of it; a block device, and a file that is there, may be used whole.
    pub octets: Option<u64>,
}

/// Which responses are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admission {
    /// Those that were asked for twice: used in RAM, or fetched again not long after they have left it.
    #[default]
    SecondUse,
    /// All.
    All,
}

impl core::str::FromStr for Admission {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "second-use" => Ok(Self::SecondUse),
            "all" => Ok(Self::All),
            _ => Err(format!("{text:?} is none of second-use, all")),
        }
    }
}

/// What happens to a device is counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) written_octets: AtomicU64,
    pub(crate) read_octets: AtomicU64,
    pub(crate) written_objects: AtomicU64,
    pub(crate) reinserted_objects: AtomicU64,
    pub(crate) evicted_objects: AtomicU64,
    pub(crate) damaged_objects: AtomicU64,
    pub(crate) errors: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64, number: u64) {
    counter.fetch_add(number, Ordering::Relaxed);
}

/// A removal that is not on the device yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Removal {
    pub(crate) hash: u64,
    /// All variants without it.
    pub(crate) variant: Option<u16>,
}

impl Removal {
    pub(crate) fn kind(self) -> Kind {
        if self.variant.is_some() { Kind::VariantRemoved } else { Kind::KeyRemoved }
    }
}

/// One device with its index.
pub(crate) struct Log {
    pub(crate) device: Arc<Device>,
    pub(crate) index: Index,
    pub(crate) offers: Offers,
    pub(crate) counts: Counts,
    /// What was fetched before.
    seen: Seen,
    /// The sequence number of each segment; 0 of one without anything in it.
    sequences: Box<[AtomicU64]>,
    /// Blocks of each segment that have been written, as far as is known.
    filled: Box<[AtomicU32]>,
    /// Segments from which long contents are being read, and how many.
    held: Mutex<HashMap<usize, u32>>,
    read_errors: AtomicU32,
    write_errors: AtomicU32,
    has_failed: AtomicBool,
    /// What was removed while it was not known yet what is there.
    recovering: Mutex<Option<HashSet<Removal>>>,
}

impl Log {
    fn new(device: Device, offers_octets_max: u64) -> Self {
        let segments = usize::try_from(device.superblock.segments).unwrap_or(usize::MAX);
        let Superblock { segment_octets, segments: count, .. } = device.superblock;
        Self {
            device: Arc::new(device),
            index: Index::new(count * segment_octets),
            offers: Offers::new(offers_octets_max),
            counts: Counts::default(),
            seen: Seen::new(count * segment_octets),
            sequences: (0..segments).map(|_| AtomicU64::new(0)).collect(),
            filled: (0..segments).map(|_| AtomicU32::new(0)).collect(),
            held: Mutex::default(),
            read_errors: AtomicU32::new(0),
            write_errors: AtomicU32::new(0),
            has_failed: AtomicBool::new(false),
            recovering: Mutex::new(Some(HashSet::new())),
        }
    }

    pub(crate) fn segment_octets(&self) -> u64 {
        self.device.superblock.segment_octets
    }

    pub(crate) fn segments(&self) -> usize {
        self.sequences.len()
    }

    /// Where a segment begins.
    pub(crate) fn start_of(&self, segment: usize) -> u64 {
        layout::SEGMENTS_START + segment as u64 * self.segment_octets()
    }

    /// The segment that has this octet of the device, if there is one.
    fn segment_at(&self, offset: u64) -> Option<usize> {
        let at = offset.checked_sub(layout::SEGMENTS_START)? / self.segment_octets();
        usize::try_from(at).ok().filter(|segment| *segment < self.segments())
    }

    /// The sequence number of the segment that has this octet of the device; 0 if there is none.
    pub(crate) fn sequence_at(&self, offset: u64) -> u64 {
        let segment = self.segment_at(offset);
        segment.map_or(0, |segment| self.sequences[segment].load(Ordering::Acquire))
    }

    fn held(&self) -> MutexGuard<'_, HashMap<usize, u32>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the segments of these extents while they are read; `None` when one of them is gone.
    pub(crate) fn hold<'a>(
        self: &Arc<Self>,
        extents: impl Iterator<Item = &'a ExtentEntry>,
    ) -> Option<Held> {
        let mut held = self.held();
        let mut segments = Vec::new();
        for extent in extents {
            let segment = self.segment_at(extent.offset)?;
            if self.sequences[segment].load(Ordering::Acquire) != extent.sequence {
                return None;
            }
            segments.push(segment);
        }
        segments.dedup();
        segments.iter().for_each(|segment| *held.entry(*segment).or_default() += 1);
        drop(held);
        Some(Held { log: Arc::clone(self), segments })
    }

    fn is_held(&self, segment: usize) -> bool {
        self.held().contains_key(&segment)
    }

    /// From now on nothing is in a segment, unless it is held.
    fn vacate(&self, segment: usize, is_overdue: bool) -> bool {
        let held = self.held();
        let is_vacated = is_overdue || !held.contains_key(&segment);
        if is_vacated {
            self.sequences[segment].store(0, Ordering::Release);
        }
        is_vacated
    }

    fn recovering(&self) -> MutexGuard<'_, Option<HashSet<Removal>>> {
        self.recovering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    /// Takes the device out of service, and says why.
    pub(crate) fn fail(&self, why: &str) {
        if !self.has_failed.swap(true, Ordering::AcqRel) {
            let path = self.device.path.display();
            eprintln!("edge: the SSD tier at {path} is not used any more: {why}");
            self.index.remove_range(0..u64::MAX);
            self.offers.close();
        }
    }

    /// A read has failed.
    pub(crate) fn note_read_error(&self, error: &std::io::Error) {
        self.note_error(&self.read_errors, "read", error);
    }

    /// A write has failed.
    pub(crate) fn note_write_error(&self, error: &std::io::Error) {
        self.note_error(&self.write_errors, "write", error);
    }

    fn note_error(&self, in_turn: &AtomicU32, what: &str, error: &std::io::Error) {
        count(&self.counts.errors, 1);
        let errors = in_turn.fetch_add(1, Ordering::Relaxed) + 1;
        if errors == 1 {
            eprintln!("edge: the SSD tier at {} can't {what}: {error}", self.device.path.display());
        }
        if errors >= ERRORS_MAX {
            self.fail(&format!("{errors} errors one after the other"));
        }
    }

    pub(crate) fn note_read(&self) {
        note_success(&self.read_errors);
    }

    pub(crate) fn note_written(&self) {
        note_success(&self.write_errors);
    }

    /// Removes what is there of a key, or one variant of it, for good.
    fn remove(&self, removal: Removal) {
        if self.has_failed() {
            return;
        }
        let is_recovering = self.note_while_recovering(removal);
        let removed = self.index.remove(removal.hash, removal.variant);
        self.offers.remove(removal, None, removed > 0 || is_recovering);
    }

    /// Removes all versions of a variant but this one.
    fn remove_others(&self, identity: Identity) {
        if self.has_failed() {
            return;
        }
        let Identity { hash, variant, version } = identity;
        let removed = self.index.remove_others(identity);
        let removal = Removal { hash, variant: Some(variant) };
        self.offers.remove(removal, Some(version), removed > 0);
    }

    fn note_while_recovering(&self, removal: Removal) -> bool {
        let mut recovering = self.recovering();
        let Some(removals) = recovering.as_mut() else { return false };
        if removals.len() < REMOVALS_WHILE_RECOVERING_MAX {
            removals.insert(removal);
        }
        true
    }
}

/// Segments that are not written over, unless that takes too long.
pub(crate) struct Held {
    log: Arc<Log>,
    segments: Vec<usize>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.log.held();
        for segment in &self.segments {
            if let Some(times) = held.get_mut(segment) {
                *times -= 1;
                if *times == 0 {
                    held.remove(segment);
                }
            }
        }
    }
}

/// All devices. A key belongs to one of them, found by its hash; what others have of it, from when there were more or
/// fewer, is found too.
pub(crate) struct SsdTier {
    logs: Vec<Arc<Log>>,
    admission: Admission,
    turns: Arc<Turns>,
    hits: AtomicU64,
}

impl SsdTier {
    /// Opens all devices. One that can't be used is left out, and that is said; `None` when there is none.
    pub(crate) fn open(
        configs: &[SsdConfig],
        admission: Admission,
        offers_octets_max: u64,
    ) -> Option<Arc<Self>> {
        let mut logs = Vec::new();
        for config in configs {
            match device::open(&config.path, config.octets) {
                Ok(device) => logs.push(Arc::new(Log::new(device, offers_octets_max))),
                Err(why) => eprintln!("edge: no SSD tier: {why}"),
            }
        }
        if logs.is_empty() {
            return None;
        }
        let (turns, hits) = (Arc::default(), AtomicU64::new(0));
        Some(Arc::new(Self { logs, admission, turns, hits }))
    }

    pub(crate) fn logs(&self) -> &[Arc<Log>] {
        &self.logs
    }

    /// Something that is stored in RAM may be written.
    pub(crate) fn offer(&self, response: &StoredResponse) {
        let Some(log) = self.log_of(response.key()) else { return };
        let identity = log.identity(response);
        if !log.index.has(identity) {
            log.offers.offer(identity, response, None);
        }
    }

    fn log_of(&self, key: &[u8]) -> Option<&Log> {
        let number = crc32fast::hash(key) as usize % self.logs.len();
        Some(&*self.logs[number]).filter(|log| !log.has_failed())
    }

    /// What is stored under `key` is not right any more.
    pub(crate) fn remove(&self, key: &[u8]) {
        for log in &self.logs {
            log.remove(Removal { hash: log.hash(key), variant: None });
        }
    }

    /// Whether `log` is where what is stored under `key` belongs.
    pub(crate) fn is_for(&self, log: &Log, key: &[u8]) -> bool {
        self.log_of(key).is_some_and(|own| core::ptr::eq(own, log))
    }

    /// A response is going to be stored in RAM under `key`, for requests that these fields select, perhaps in the place
    /// of `old`: what is here of both is older. Returns where the content of `old` is, on which device.
    pub(crate) fn supersede(
        &self,
        key: &[u8],
        selection: &[u8],
        old: Option<&StoredResponse>,
    ) -> Option<(usize, ContentAt)> {
        let mut content_at = None;
        for (number, log) in self.logs.iter().enumerate() {
            let hash = log.hash(key);
            let of_old = old.and_then(|old| {
                let (place, fixed) = (log.index.place_of(log.identity(old))?, old.fixed_octets()?);
                Some((number, ContentAt { place, fixed }))
            });
            content_at = content_at.or(of_old);
            let variants = [Some(selection), old.map(StoredResponse::selection)];
            for selection in variants.into_iter().flatten() {
                log.remove(Removal { hash, variant: Some(variant(selection)) });
            }
        }
        content_at
    }

    /// It was stored, as `response`, and was perhaps put in the place of `old`, whose content is where
    /// [`SsdTier::supersede`] has said.
    pub(crate) fn stored(
        &self,
        response: &StoredResponse,
        old: Option<&StoredResponse>,
        content_at: Option<(usize, ContentAt)>,
    ) {
        for log in &self.logs {
            // What may have been offered since, as it left RAM.
            log.remove_others(log.identity(response));
        }
        let Some(log) = self.log_of(response.key()) else { return };
        let is_fetched_again = log.seen.note(log.hash(response.key()));
        // What takes the place of something that had earned its own inherits it.
        if is_fetched_again || content_at.is_some() || self.admission == Admission::All {
            let is_here = |number: usize| core::ptr::eq(&*self.logs[number], log);
            let same = old.is_some_and(|old| old.shares_content_with(response));
            let content_at = content_at.filter(|(number, _)| same && is_here(*number));
            let content_at = content_at.map(|(_, content_at)| content_at);
            log.offers.offer(log.identity(response), response, content_at);
        }
    }

    /// Whether something may be stored under `key`.
    pub(crate) fn may_have(&self, key: &[u8]) -> bool {
        self.logs.iter().any(|log| !log.has_failed() && log.index.has_some(log.hash(key)))
    }

    /// Waits for the turn to load what is stored under `key`: see [`Turns::next`].
    pub(crate) async fn turn<I: Io>(
        &self,
        io: &I,
        key: &[u8],
        is_wanted: impl Fn(&StoredResponse) -> bool,
    ) -> Turned {
        self.turns.next(io, (self.logs[0].hash(key), key), is_wanted).await
    }

    pub(crate) fn count_hit(&self) {
        count(&self.hits, 1);
    }

    /// Tells the writers to write all that is left in RAM, and to end.
    pub(crate) fn stop(&self) {
        self.logs.iter().for_each(|log| log.offers.stop());
    }

    /// Whether all writers have ended.
    pub(crate) fn is_stopped(&self) -> bool {
        self.logs.iter().all(|log| log.offers.is_closed() || !log.offers.has_writer())
    }

    /// Name, description and value of each counter and gauge.
    pub(crate) fn samples(&self) -> Vec<(&'static str, &'static str, u64)> {
        let sum = |value: fn(&Log) -> u64| self.logs.iter().map(|log| value(log)).sum::<u64>();
        let counted = |counter: fn(&Counts) -> &AtomicU64| {
            self.logs.iter().map(|log| counter(&log.counts).load(Ordering::Relaxed)).sum::<u64>()
        };
        vec![
            (
                "ssd_devices",
                "Files or devices of the SSD tier that are in service.",
                sum(|log| u64::from(!log.has_failed())),
            ),
            (
                "ssd_recovering",
                "Those of which it is not known yet what is in them.",
                sum(|log| u64::from(log.recovering().is_some())),
            ),
            (
                "ssd_capacity_octets",
                "Size of the SSD tier.",
                sum(|log| log.segments() as u64 * log.segment_octets()),
            ),
            ("ssd_objects", "Responses in the SSD tier.", sum(|log| log.index.len())),
            (
                "ssd_index_octets",
                "Octets of memory that the index of the SSD tier takes, and its notes of fetches.",
                sum(|log| log.index.memory_octets() + log.seen.memory_octets()),
            ),
            (
                "ssd_hits_total",
                "Responses that were read from the SSD tier for a request.",
                self.hits.load(Ordering::Relaxed),
            ),
            (
                "ssd_read_octets_total",
                "Octets read from the SSD tier.",
                counted(|counts| &counts.read_octets),
            ),
            (
                "ssd_written_octets_total",
                "Octets written to the SSD tier, for responses that stay included.",
                counted(|counts| &counts.written_octets),
            ),
            (
                "ssd_written_total",
                "Responses written to the SSD tier for the first time.",
                counted(|counts| &counts.written_objects),
            ),
            (
                "ssd_reinserted_total",
                "Responses written again because they had been used when their segment was to go.",
                counted(|counts| &counts.reinserted_objects),
            ),
            (
                "ssd_evicted_total",
                "Responses that went with their segment.",
                counted(|counts| &counts.evicted_objects),
            ),
            (
                "ssd_dropped_total",
                "Responses that were not written because the disk could not keep up.",
                sum(|log| log.offers.dropped()),
            ),
            (
                "ssd_damaged_total",
                "Responses that were not as they had been written, and were dropped.",
                counted(|counts| &counts.damaged_objects),
            ),
            (
                "ssd_errors_total",
                "Reads and writes of the SSD tier that failed.",
                counted(|counts| &counts.errors),
            ),
        ]
    }
}

impl Log {
    /// The hash of a key in this device's index.
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.device.superblock.seed);
        hasher.write(key);
        hasher.finish()
    }

    /// What tells a response apart from other variants of its key, and from other versions of the variant.
    pub(crate) fn identity(&self, response: &StoredResponse) -> Identity {
        let hash = self.hash(response.key());
        Identity {
            hash,
            variant: variant(response.selection()),
            version: version(response.policy()),
        }
    }
}

fn note_success(errors_in_turn: &AtomicU32) {
    if errors_in_turn.load(Ordering::Relaxed) > 0 {
        errors_in_turn.store(0, Ordering::Relaxed);
    }
}

fn folded(sum: u32) -> u16 {
    (sum ^ sum >> 16) as u16
}

pub(crate) fn variant(selection: &[u8]) -> u16 {
    folded(crc32fast::hash(selection))
}

pub(crate) fn version(policy: &StoredPolicy) -> u16 {
    folded(crc32fast::hash(&policy.to_octets()))
}
