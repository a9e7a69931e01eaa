//! Collapsed forwarding: of simultaneous requests for one key, on any core, one asks the upstream.

use crate::error::Failure;
use crate::fill::{Announced, Fill};
use core::sync::atomic::{AtomicU64, Ordering};
use lastmile_http::head::Fields;
use lastmile_http::time::UnixTime;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Locks of the table, so that misses on different keys rarely meet.
const SHARDS: usize = 64;
/// Keys remembered as not shareable. A collision forgets one, which costs its next requests a wait for one head.
const UNSHAREABLE_SLOTS: usize = 8192;
/// How long such a key is remembered, in seconds: its requests do not wait for each other meanwhile. Longer delays
/// collapsing after a response has become storable, but any storable response ends it at once.
const UNSHAREABLE_SECONDS: u64 = 60;

type Shard = HashMap<Box<[u8]>, Vec<Arc<Fill>>>;

/// The fetches under way in this process. Bounded by the client connections, of which each has at most one, and the
/// revalidations in the background.
#[derive(Debug)]
pub(crate) struct Collapse {
    shards: Box<[Mutex<Shard>]>,
    /// Upper half of the key's hash, and the second of the Unix epoch until which it counts.
    unshareable: Box<[AtomicU64]>,
}

/// A request's part in a fetch.
pub(crate) enum Part {
    /// It asks the upstream, for all.
    Lead(Lead),
    /// Another request has asked already.
    Follow(Arc<Fill>),
}

/// The duty to announce and end a fill. Dropped without that, it says that the fetch was abandoned.
pub(crate) struct Lead {
    collapse: Arc<Collapse>,
    hash: u64,
    key: Box<[u8]>,
    fill: Arc<Fill>,
    announced: bool,
    /// Others may be waiting for it: what it learns is about the key, not about its own request.
    joinable: bool,
}

impl Collapse {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            unshareable: (0..UNSHAREABLE_SLOTS).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        let shard = &self.shards[(hash % SHARDS as u64) as usize];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the fetch of `key` that could answer a request with these fields, or begins one.
    pub(crate) fn join(
        self: &Arc<Self>,
        hash: u64,
        key: &[u8],
        request: Fields<'_>,
        now: UnixTime,
    ) -> Part {
        let mut shard = self.shard(hash);
        let fills = match shard.get_mut(key) {
            Some(fills) => fills,
            None => shard.entry(key.into()).or_default(),
        };
        if let Some(fill) = fills.iter().find(|fill| fill.may_serve(request, now)) {
            return Part::Follow(Arc::clone(fill));
        }
        let fill = Arc::<Fill>::default();
        fills.push(Arc::clone(&fill));
        drop(shard);
        let collapse = Arc::clone(self);
        Part::Lead(Lead { collapse, hash, key: key.into(), fill, announced: false, joinable: true })
    }

    /// Whether something is being fetched that may be for a request with these fields.
    pub(crate) fn is_under_way(&self, hash: u64, key: &[u8], request: Fields<'_>) -> bool {
        let shard = self.shard(hash);
        shard.get(key).is_some_and(|fills| fills.iter().any(|fill| fill.concerns(request)))
    }

    /// Begins a fetch that nobody else can join. It is in the table all the same, to be disowned with the others.
    pub(crate) fn alone(self: &Arc<Self>, hash: u64, key: &[u8]) -> Lead {
        let fill = Arc::new(Fill::alone());
        self.shard(hash).entry(key.into()).or_default().push(Arc::clone(&fill));
        let collapse = Arc::clone(self);
        Lead { collapse, hash, key: key.into(), fill, announced: false, joinable: false }
    }

    /// Lets nobody new join the fetches of `key`, and keeps what they bring out of the store.
    pub(crate) fn disown(&self, hash: u64, key: &[u8]) {
        for fill in self.shard(hash).remove(key).unwrap_or_default() {
            fill.disown();
        }
    }

    /// Whether the last response for the key was of the kind that can't be shared.
    pub(crate) fn is_unshareable(&self, hash: u64, now: UnixTime) -> bool {
        let entry = self.unshareable[slot(hash)].load(Ordering::Relaxed);
        entry >> 32 == hash >> 32 && entry & u64::from(u32::MAX) >= now.seconds()
    }

    fn note_shareable(&self, hash: u64, shareable: bool, now: UnixTime) {
        let entry = &self.unshareable[slot(hash)];
        if !shareable {
            let until = (now.seconds() + UNSHAREABLE_SECONDS) & u64::from(u32::MAX);
            entry.store(hash >> 32 << 32 | until, Ordering::Relaxed);
        } else if entry.load(Ordering::Relaxed) >> 32 == hash >> 32 {
            entry.store(0, Ordering::Relaxed);
        }
    }
}

fn slot(hash: u64) -> usize {
    (hash % UNSHAREABLE_SLOTS as u64) as usize
}

impl Lead {
    pub(crate) fn fill(&self) -> &Arc<Fill> {
        &self.fill
    }

    pub(crate) fn key(&self) -> (u64, &[u8]) {
        (self.hash, &self.key)
    }

    /// Tells all who wait what became of the request.
    pub(crate) fn announce(&mut self, announced: Announced, now: UnixTime) {
        match &announced {
            Announced::Filling(response, _) | Announced::Stored(response) => {
                let policy = response.policy();
                let shareable = policy.freshness_lifetime().0 > 0 && !policy.no_cache();
                if shareable || self.joinable {
                    self.collapse.note_shareable(self.hash, shareable, now);
                }
            }
            Announced::NotShared { lasting } if *lasting && self.joinable => {
                self.collapse.note_shareable(self.hash, false, now);
            }
            Announced::NotShared { .. } | Announced::Failed(_) | Announced::Erring(_) => {}
        }
        self.announced = true;
        self.fill.announce(announced);
    }

    /// Lets nobody new join.
    pub(crate) fn leave_table(&self) {
        let mut shard = self.collapse.shard(self.hash);
        if let Some(fills) = shard.get_mut(&self.key) {
            fills.retain(|fill| !Arc::ptr_eq(fill, &self.fill));
            if fills.is_empty() {
                shard.remove(&self.key);
            }
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.leave_table();
        if !self.announced {
            self.fill.announce(Announced::Failed(Failure::Abandoned));
        }
        self.fill.end(Err(Failure::Abandoned));
    }
}
