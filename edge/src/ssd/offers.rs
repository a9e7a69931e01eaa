//! What is to be written: bounded, since a disk may be slower than what comes.

use super::Removal;
use super::index::{Identity, Place};
use crate::io::Io;
use crate::stored::StoredResponse;
use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::task::{Poll, Waker};
use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Responses that wait at most, whatever their size.
const RESPONSES_MAX: usize = 16 << 10;

/// What a writer does next.
pub(crate) enum Next {
    Write(Offer),
    /// Something was removed, or time has passed: what there is must be written.
    Flush,
    /// Everything in RAM, and then it ends.
    Stop,
}

/// A response that is to be written.
pub(crate) struct Offer {
    /// Later ones have larger numbers.
    pub(crate) number: u64,
    pub(crate) identity: Identity,
    pub(crate) response: StoredResponse,
    /// A record that has the same content.
    pub(crate) content_at: Option<Place>,
}

#[derive(Default)]
struct Queue {
    offers: VecDeque<Offer>,
    octets: u64,
    /// Variants and versions of the keys that are queued, or being written, and are not in the index yet.
    pending: HashMap<u64, Vec<(u16, u16)>>,
    /// To be written: they count for what was written before.
    removals: Vec<Removal>,
    /// Removals of what is pending, each with the number of the first offer that it does not concern.
    revocations: Vec<(Removal, u64)>,
    next_number: u64,
    writer: Option<Waker>,
    stop: bool,
}

/// The queue of one writer.
pub(crate) struct Offers {
    queue: Mutex<Queue>,
    octets_max: u64,
    dropped: AtomicU64,
    closed: AtomicBool,
}

impl Offers {
    pub(crate) fn new(octets_max: u64) -> Self {
        Self {
            queue: Mutex::default(),
            octets_max,
            dropped: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues `response`, unless too much waits already. Counts as dropped then; when it is used again it is offered
    /// again. The record at `content_at` has the same content, if there is one.
    pub(crate) fn offer(
        &self,
        identity: Identity,
        response: &StoredResponse,
        content_at: Option<Place>,
    ) {
        if self.is_closed() {
            return;
        }
        let octets = octets_of(response);
        let known = (identity.variant, identity.version);
        let mut queue = self.queue();
        if queue.pending.get(&identity.hash).is_some_and(|pending| pending.contains(&known)) {
            return;
        }
        let has_room = queue.octets + octets <= self.octets_max || queue.offers.is_empty();
        if !has_room || queue.offers.len() >= RESPONSES_MAX {
            drop(queue);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.octets += octets;
        queue.pending.entry(identity.hash).or_default().push(known);
        let number = queue.next_number;
        queue.next_number += 1;
        let response = response.clone();
        queue.offers.push_back(Offer { number, identity, response, content_at });
        wake(queue);
    }

    /// Takes note of a removal, which must be written if it `is_known` to concern what was written, or concerns what is
    /// pending. None is dropped: their number is bounded by that of the objects.
    pub(crate) fn remove(&self, removal: Removal, is_known: bool) {
        if self.is_closed() {
            return;
        }
        let mut queue = self.queue();
        let is_pending = queue.pending.contains_key(&removal.hash);
        if is_pending {
            let number = queue.next_number;
            queue.revocations.push((removal, number));
        }
        if is_pending || is_known {
            queue.removals.push(removal);
            wake(queue);
        }
    }

    /// Whether what is to be written, or was just now, was removed meanwhile.
    pub(crate) fn is_revoked(&self, number: u64, identity: Identity) -> bool {
        self.queue().revocations.iter().any(|(removal, first_other)| {
            number < *first_other
                && removal.hash == identity.hash
                && removal.variant.is_none_or(|variant| variant == identity.variant)
        })
    }

    /// These offers are in the index now, or given up, and all that were taken before them.
    pub(crate) fn done(&self, offers: &[(u64, Identity)]) {
        let mut queue = self.queue();
        for (_, identity) in offers {
            if let Some(pending) = queue.pending.get_mut(&identity.hash) {
                pending.retain(|known| *known != (identity.variant, identity.version));
                if pending.is_empty() {
                    queue.pending.remove(&identity.hash);
                }
            }
        }
        if queue.pending.is_empty() {
            queue.revocations.clear();
        } else if let Some(last) = offers.iter().map(|(number, _)| *number).max() {
            queue.revocations.retain(|(_, first_other)| *first_other > last.saturating_add(1));
        }
    }

    /// Up to `count` removals.
    pub(crate) fn take_removals(&self, count: usize) -> Vec<Removal> {
        let mut queue = self.queue();
        let count = queue.removals.len().min(count);
        queue.removals.drain(..count).collect()
    }

    /// Puts removals back that could not be written.
    pub(crate) fn put_back(&self, removals: Vec<Removal>) {
        self.queue().removals.splice(0..0, removals);
    }

    /// What to do next; waits for at most `limit`, if there is one.
    pub(crate) async fn next<I: Io>(&self, io: &I, limit: Option<Duration>) -> Next {
        let next = poll_fn(|context| {
            let mut queue = self.queue();
            if let Some(offer) = queue.offers.pop_front() {
                queue.octets -= octets_of(&offer.response);
                return Poll::Ready(Next::Write(offer));
            }
            if !queue.removals.is_empty() {
                return Poll::Ready(Next::Flush);
            }
            if queue.stop || self.is_closed() {
                return Poll::Ready(Next::Stop);
            }
            // One that is dropped wakes, too: it is kept until it is used.
            queue.writer.get_or_insert_with(|| io.portable_waker(context.waker()));
            Poll::Pending
        });
        let Some(limit) = limit else { return next.await };
        let time = async {
            io.sleep(limit).await;
            Next::Flush
        };
        futures_lite::future::or(next, time).await
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(&self) {
        let mut queue = self.queue();
        queue.stop = true;
        wake(queue);
    }

    /// Takes nothing any more, and lets go of all that waits.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let mut queue = self.queue();
        let before = core::mem::take(&mut *queue);
        queue.stop = before.stop;
        drop(queue);
        if let Some(writer) = &before.writer {
            writer.wake_by_ref();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

fn octets_of(response: &StoredResponse) -> u64 {
    let head = (response.key().len() + response.octets().len()) as u64;
    let apart = response.content().filter(|content| content.within().is_none());
    head + apart.map_or(0, super::super::stored::Content::octets)
}

fn wake(mut queue: MutexGuard<'_, Queue>) {
    let writer = queue.writer.take();
    drop(queue);
    if let Some(writer) = writer {
        writer.wake();
    }
}
