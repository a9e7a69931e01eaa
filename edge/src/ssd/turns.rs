//! One client reads what is stored under a key, and the others wait for it, or join while a long content is read.

use super::Log;
use super::index::Identity;
use crate::fill::{Fill, Reader};
use crate::io::Io;
use crate::stored::StoredResponse;
use core::future::poll_fn;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::{Poll, Waker};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is being loaded, by the hashes of keys.
#[derive(Default)]
pub(super) struct Turns {
    loading: Mutex<HashMap<u64, Loading>>,
    /// Of the last turn.
    number: AtomicU64,
}

/// What is stored under a key is being loaded.
struct Loading {
    number: u64,
    waiting: Vec<Waker>,
    /// Whose content is being read, for all.
    reading: Option<Reading>,
}

/// A stored response whose content, of so many octets, is being read into a fill.
struct Reading {
    key: Box<[u8]>,
    /// Where it was found.
    stored: (Arc<Log>, Identity),
    response: StoredResponse,
    octets: u64,
    fill: Arc<Fill>,
}

/// A stored response whose content, of so many octets, is still being read.
pub(crate) struct Restoring {
    pub(crate) response: StoredResponse,
    pub(crate) octets: u64,
    pub(crate) reader: Reader,
}

/// The only one that loads what is stored under a key.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    hash: u64,
}

/// What has become of waiting for a [`Turn`].
pub(crate) enum Turned {
    Own(Turn),
    /// Somebody else has had it.
    Over,
    /// Somebody else has it, and is reading what is wanted.
    Joined(Restoring),
}

impl Turn {
    /// Lets others join the reading of the content of `response`, whose octets will come to `fill`.
    pub(crate) fn admit(
        &self,
        stored: (Arc<Log>, Identity),
        key: &[u8],
        response: &StoredResponse,
        octets: u64,
        fill: &Arc<Fill>,
    ) {
        let mut all = self.turns.loading();
        let Some(loading) = all.get_mut(&self.hash) else { return };
        // Another number: who can't join waits anew.
        loading.number = self.turns.number.fetch_add(1, Ordering::Relaxed);
        let (response, fill) = (response.clone(), Arc::clone(fill));
        loading.reading = Some(Reading { key: key.into(), stored, response, octets, fill });
        let waiting = core::mem::take(&mut loading.waiting);
        drop(all);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let loaded = self.turns.loading().remove(&self.hash);
        loaded.into_iter().flat_map(|loaded| loaded.waiting).for_each(Waker::wake);
    }
}

impl Turns {
    fn loading(&self) -> MutexGuard<'_, HashMap<u64, Loading>> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while somebody else loads what is stored under `key`, which has this hash, unless that is being read and
    /// `is_wanted`.
    pub(super) async fn next<I: Io>(
        self: &Arc<Self>,
        io: &I,
        (hash, key): (u64, &[u8]),
        is_wanted: impl Fn(&StoredResponse) -> bool,
    ) -> Turned {
        // Whom it waits for.
        let mut waits_for = None;
        poll_fn(|context| {
            let mut loading = self.loading();
            match loading.get_mut(&hash) {
                Some(other) => {
                    if let Some(reading) = &other.reading
                        && *reading.key == *key
                        && reading.stored.0.index.has(reading.stored.1)
                        && is_wanted(&reading.response)
                        && let Some(reader) = reading.fill.reader()
                    {
                        let (response, octets) = (reading.response.clone(), reading.octets);
                        return Poll::Ready(Turned::Joined(Restoring { response, octets, reader }));
                    }
                    if waits_for.replace(other.number) != Some(other.number) {
                        other.waiting.push(io.portable_waker(context.waker()));
                    }
                    Poll::Pending
                }
                None if waits_for.is_some() => Poll::Ready(Turned::Over),
                None => {
                    let number = self.number.fetch_add(1, Ordering::Relaxed);
                    let entry = Loading { number, waiting: Vec::new(), reading: None };
                    loading.insert(hash, entry);
                    Poll::Ready(Turned::Own(Turn { turns: Arc::clone(self), hash }))
                }
            }
        })
        .await
    }
}
