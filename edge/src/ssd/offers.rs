//! What is to be written: bounded, since a disk may be slower than what comes.

use super::Removal;
use super::index::{Identity, Place};
use super::layout::FIXED_OCTETS;
use crate::io::Io;
use crate::stored::{Content, StoredResponse};
use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::task::{Poll, Waker};
use core::time::Duration;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Responses that wait at most, whatever their size.
const RESPONSES_MAX: usize = 16 << 10;

/// How long a removal waits for others to be written with.
pub(crate) const REMOVALS_WAIT: Duration = Duration::from_millis(50);

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
    pub(crate) content_at: Option<ContentAt>,
}

/// A record that has the same content, and what must be known of it.
#[derive(Clone, Copy)]
pub(crate) struct ContentAt {
    pub(crate) place: Place,
    pub(crate) fixed: [u8; FIXED_OCTETS],
}

/// Something that is queued, or being written, and not in the index yet.
struct Pending {
    variant: u16,
    version: u16,
    number: u64,
}

/// A removal of what is pending.
struct Revocation {
    /// All variants without it.
    variant: Option<u16>,
    /// The version that stays.
    except: Option<u16>,
    /// The number of the first offer that it does not concern.
    before: u64,
}

impl Revocation {
    fn concerns(&self, variant: u16, version: u16, number: u64) -> bool {
        number < self.before
            && self.variant.is_none_or(|revoked| revoked == variant)
            && self.except != Some(version)
    }
}

#[derive(Default)]
struct Queue {
    offers: VecDeque<Offer>,
    octets: u64,
    /// By the hash of the key.
    pending: HashMap<u64, Vec<Pending>>,
    /// Of what is pending, by the same.
    revocations: HashMap<u64, Vec<Revocation>>,
    /// To be written, each once: they count for what was written before.
    removals: VecDeque<Removal>,
    queued_removals: HashSet<Removal>,
    next_number: u64,
    writer: Option<Waker>,
    stop: bool,
}

impl Queue {
    fn begin(&mut self, identity: Identity) -> Option<u64> {
        let Identity { hash, variant, version } = identity;
        let number = self.next_number;
        let pending = self.pending.entry(hash).or_default();
        if pending.iter().any(|known| (known.variant, known.version) == (variant, version)) {
            return None;
        }
        pending.push(Pending { variant, version, number });
        self.next_number += 1;
        Some(number)
    }
}

/// The queue of one writer.
pub(crate) struct Offers {
    queue: Mutex<Queue>,
    octets_max: u64,
    dropped: AtomicU64,
    has_writer: AtomicBool,
    closed: AtomicBool,
}

impl Offers {
    pub(crate) fn new(octets_max: u64) -> Self {
        Self {
            queue: Mutex::default(),
            octets_max,
            dropped: AtomicU64::new(0),
            has_writer: AtomicBool::new(false),
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
        content_at: Option<ContentAt>,
    ) {
        if self.is_closed() {
            return;
        }
        let octets = octets_of(response);
        let mut queue = self.queue();
        let has_room = queue.octets + octets <= self.octets_max || queue.offers.is_empty();
        if !has_room || queue.offers.len() >= RESPONSES_MAX {
            drop(queue);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let Some(number) = queue.begin(identity) else {
            // It was offered a moment ago, without that.
            let mut last = queue.offers.iter_mut().rev().take(64);
            if let Some(queued) = last.find(|queued| queued.identity == identity) {
                queued.content_at = queued.content_at.or(content_at);
            }
            return;
        };
        queue.octets += octets;
        let response = response.clone();
        queue.offers.push_back(Offer { number, identity, response, content_at });
        wake(queue);
    }

    /// The number of an offer that is not queued but written at once; `None` when the same is pending already.
    pub(crate) fn begin(&self, identity: Identity) -> Option<u64> {
        self.queue().begin(identity)
    }

    /// Takes note of a removal of all versions, or of all but `except`. It must be written if it `is_known` to concern
    /// what was written, or concerns what is pending. None is dropped: each is queued once, and their number is bounded
    /// by that of the objects, or of the removals that a recovery bears.
    pub(crate) fn remove(&self, removal: Removal, except: Option<u16>, is_known: bool) {
        if self.is_closed() {
            return;
        }
        let mut queue = self.queue();
        let Removal { hash, variant } = removal;
        let before = queue.next_number;
        let revocation = Revocation { variant, except, before };
        let is_pending = queue.pending.get(&hash).is_some_and(|pending| {
            let mut each = pending.iter();
            each.any(|known| revocation.concerns(known.variant, known.version, known.number))
        });
        if is_pending {
            queue.revocations.entry(hash).or_default().push(revocation);
        }
        if (is_pending || is_known) && queue.queued_removals.insert(removal) {
            queue.removals.push_back(removal);
            wake(queue);
        }
    }

    /// Whether what is to be written, or was just now, was removed meanwhile.
    pub(crate) fn is_revoked(&self, number: u64, identity: Identity) -> bool {
        let queue = self.queue();
        let revocations = queue.revocations.get(&identity.hash);
        revocations.is_some_and(|revocations| {
            let Identity { variant, version, .. } = identity;
            revocations.iter().any(|revocation| revocation.concerns(variant, version, number))
        })
    }

    /// These offers are in the index now, or given up.
    pub(crate) fn done(&self, offers: &[(u64, Identity)]) {
        let mut queue = self.queue();
        let Queue { pending, revocations, .. } = &mut *queue;
        for (number, Identity { hash, .. }) in offers {
            let Some(known) = pending.get_mut(hash) else { continue };
            known.retain(|known| known.number != *number);
            // What concerns nothing that is pending any more has done its work.
            if let Some(of_key) = revocations.get_mut(hash) {
                of_key.retain(|revocation| {
                    known.iter().any(|known| known.number < revocation.before)
                });
                if of_key.is_empty() {
                    revocations.remove(hash);
                }
            }
            if known.is_empty() {
                pending.remove(hash);
            }
        }
    }

    /// Up to `count` removals, the oldest first.
    pub(crate) fn take_removals(&self, count: usize) -> Vec<Removal> {
        let mut queue = self.queue();
        let count = queue.removals.len().min(count);
        let taken: Vec<_> = queue.removals.drain(..count).collect();
        for removal in &taken {
            queue.queued_removals.remove(removal);
        }
        taken
    }

    pub(crate) fn has_removals(&self) -> bool {
        !self.queue().removals.is_empty()
    }

    /// Puts removals back that could not be written.
    pub(crate) fn put_back(&self, removals: Vec<Removal>) {
        let mut queue = self.queue();
        for removal in removals.into_iter().rev() {
            if queue.queued_removals.insert(removal) {
                queue.removals.push_front(removal);
            }
        }
    }

    /// What to do next; waits for at most `limit`, if there is one, and less if there are removals.
    pub(crate) async fn next<I: Io>(&self, io: &I, limit: Option<Duration>) -> Next {
        // Removals wait a little for others.
        let mut is_hurried = self.has_removals();
        loop {
            let hurried = limit.map_or(REMOVALS_WAIT, |limit| limit.min(REMOVALS_WAIT));
            let limit = if is_hurried { Some(hurried) } else { limit };
            let next = poll_fn(|context| {
                let mut queue = self.queue();
                if let Some(offer) = queue.offers.pop_front() {
                    queue.octets -= octets_of(&offer.response);
                    return Poll::Ready(Some(Next::Write(offer)));
                }
                if queue.stop || self.is_closed() {
                    return Poll::Ready(Some(Next::Stop));
                }
                if !is_hurried && !queue.removals.is_empty() {
                    return Poll::Ready(None);
                }
                // One that is dropped wakes, too: it is kept until it is used.
                queue.writer.get_or_insert_with(|| io.portable_waker(context.waker()));
                Poll::Pending
            });
            let next = match limit {
                None => next.await,
                Some(limit) => {
                    let time = async {
                        io.sleep(limit).await;
                        Some(Next::Flush)
                    };
                    futures_lite::future::or(next, time).await
                }
            };
            match next {
                Some(next) => return next,
                None => is_hurried = true,
            }
        }
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.queue().stop
    }

    /// Somebody is going to write.
    pub(crate) fn has_writer(&self) -> bool {
        self.has_writer.load(Ordering::Acquire)
    }

    pub(crate) fn set_has_writer(&self) {
        self.has_writer.store(true, Ordering::Release);
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
    head + apart.map_or(0, Content::octets)
}

fn wake(mut queue: MutexGuard<'_, Queue>) {
    let writer = queue.writer.take();
    drop(queue);
    if let Some(writer) = writer {
        writer.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn identity(hash: u64, variant: u16, version: u16) -> Identity {
        Identity { hash, variant, version }
    }

    fn removal(hash: u64, variant: Option<u16>) -> Removal {
        Removal { hash, variant }
    }

    #[test]
    fn what_is_removed_while_it_is_pending_stays_removed_until_it_is_done() {
        let offers = Offers::new(1 << 20);
        let (one, other) = (identity(1, 7, 1), identity(2, 7, 1));
        let first = offers.begin(one).unwrap();
        assert_eq!(offers.begin(one), None, "it is pending");
        offers.remove(removal(1, None), None, false);
        assert!(offers.is_revoked(first, one), "it is in no index yet, and revoked all the same");
        // Another one, which came later, is done before.
        let second = offers.begin(other).unwrap();
        offers.done(&[(second, other)]);
        assert!(offers.is_revoked(first, one));
        // What is stored after the removal is not concerned.
        let newer = identity(1, 7, 2);
        let third = offers.begin(newer).unwrap();
        assert!(!offers.is_revoked(third, newer));
        offers.done(&[(first, one), (third, newer)]);
        let queue = offers.queue();
        assert!(queue.pending.is_empty() && queue.revocations.is_empty(), "nothing is left");
    }

    #[test]
    fn which_variants_and_versions_a_removal_concerns() {
        let rows: [(Option<u16>, Option<u16>, bool, &str); 4] = [
            (None, None, true, "all"),
            (Some(7), None, true, "this variant"),
            (Some(8), None, false, "another variant"),
            (Some(7), Some(1), false, "all versions of the variant but this"),
        ];
        for (variant, except, expected, why) in rows {
            let offers = Offers::new(1 << 20);
            let number = offers.begin(identity(1, 7, 1)).unwrap();
            offers.remove(removal(1, variant), except, false);
            assert_eq!(offers.is_revoked(number, identity(1, 7, 1)), expected, "{why}");
            assert_eq!(offers.has_removals(), expected, "{why}: and so it is written");
        }
    }

    #[test]
    fn removals_are_queued_once_and_come_back_in_their_order() {
        let offers = Offers::new(1 << 20);
        for hash in [3, 1, 2, 1, 3] {
            offers.remove(removal(hash, None), None, true);
        }
        offers.remove(removal(9, None), None, false);
        let taken = offers.take_removals(2);
        assert_eq!(taken, [removal(3, None), removal(1, None)]);
        offers.put_back(taken);
        let all = offers.take_removals(10);
        assert_eq!(all, [3, 1, 2].map(|hash| removal(hash, None)));
        offers.close();
        offers.remove(removal(4, None), None, true);
        assert!(!offers.has_removals(), "nobody writes any more");
    }
}
