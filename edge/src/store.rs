//! Storing: whether a response may be kept, the task that takes it in, and what a 304 does to a stored one.

use crate::collapse::Lead;
use crate::counters::Counters;
use crate::error::Failure;
use crate::fill::{Announced, Reader};
use crate::inbound::ContentError;
use crate::io::{Io, Stream, Wait};
use crate::ram::{RamTier, Reservation};
use crate::request::Request;
use crate::stored::{StoredContent, StoredResponse};
use crate::upstream::fetch::Response;
use crate::upstream::outgoing::is_conditional_field;
use crate::worker::Worker;
use bytes::Bytes;
use lastmile_http::cache::directives::response_directives;
use lastmile_http::cache::freshness::StoredPolicy;
use lastmile_http::cache::storable::{NotStorable, storable};
use lastmile_http::cache::vary::selection;
use lastmile_http::fields::is_hop_by_hop;
use lastmile_http::framing::Framing;
use lastmile_http::head::{Fields, RequestHead, ResponseHead, Version};
use lastmile_http::time::UnixTime;
use std::rc::Rc;
use std::sync::Arc;

/// Room asked for at first when a response does not announce its length; it grows by doubling.
const ROOM_FIRST: u64 = 64 * 1024;

/// Octets that a part costs at least while it waits for the rest: an upstream that sends single octets must not fill
/// the memory with their bookkeeping.
const PART_CHARGE_MIN: u64 = 128;

/// What became of a response.
pub(crate) enum Begun<S> {
    /// It is being stored; the reader is the first client's.
    Filling { response: Arc<StoredResponse>, length: Option<u64>, reader: Reader },
    /// It may not or can't be stored, with the reason as Cache-Status `detail`.
    NotStored { response: Box<Response<S>>, why: &'static str },
}

/// Begins to store `response`, in a task of its own that goes on when the client goes away. If it may not be stored,
/// those who wait for it are told to ask for themselves.
pub(crate) async fn begin_fill<I: Io>(
    worker: &Worker<I>,
    request: &Request<'_>,
    mut lead: Lead,
    response: Response<I::Stream>,
) -> Begun<I::Stream> {
    let now = worker.io.now();
    let (stored, length, room) = match admit(worker, request, &response) {
        Ok(admitted) => admitted,
        Err((why, lasting)) => {
            lead.announce(Announced::NotShared { lasting }, now);
            return Begun::NotStored { response: Box::new(response), why };
        }
    };
    lead.announce(Announced::Filling(Arc::clone(&stored), length), now);
    let reader = lead.fill().reader();
    let reader = reader.expect("a fill that nothing was pushed to has its first octet");
    let arrived =
        length.is_some_and(|length| response.connection.inbound.unread().len() as u64 >= length);
    let intake = Intake {
        io: worker.io.clone(),
        worker: worker.handle(),
        lead,
        stored: Arc::clone(&stored),
        room: Some(room),
        octets: 0,
        charge: 0,
    };
    if arrived {
        intake.run(response).await;
    } else {
        worker.io.spawn(intake.run(response));
    }
    Begun::Filling { response: stored, length, reader }
}

type Admitted = (Arc<StoredResponse>, Option<u64>, Reservation);

/// Room for a response, or why it is not stored and whether the next one for the key will not be either.
fn admit<I: Io>(
    worker: &Worker<I>,
    request: &Request<'_>,
    response: &Response<I::Stream>,
) -> Result<Admitted, (&'static str, bool)> {
    let now = worker.io.now();
    let head = response.head.view();
    let directives = response_directives(head.fields);
    let lasting = |not: NotStorable| (not.reason(), true);
    storable(&request.head, &head, &directives, now).map_err(lasting)?;
    let mut selecting = Vec::new();
    selection(head.fields, request.head.fields, &mut selecting).map_err(lasting)?;
    if varies_by_what_was_not_sent(request, head.fields) {
        return Err(("vary-not-sent", false));
    }
    let length = match response.framing {
        Framing::None => Some(0),
        Framing::Length(octets) => Some(octets),
        Framing::Chunked | Framing::UntilClose => None,
    };
    let ram = &worker.shared.ram;
    if length.is_some_and(|length| length > ram.object_octets_max()) {
        return Err(("too-large", true));
    }
    let octets = length.unwrap_or(ROOM_FIRST) + response.head.octets().len() as u64;
    let room = ram.reserve(octets).ok_or(("no-room", false))?;
    let policy =
        StoredPolicy::new(&head, &directives, response.request_time, response.response_time);
    let stored = StoredResponse::new(worker.name(), &head, policy, &selecting, now);
    Ok((Arc::new(stored), length, room))
}

/// Whether Vary names a field of the request that did not go upstream as it came: what Connection names, conditions
/// and ranges. Stored under what the client sent, the response would be served to others whom it is not for.
fn varies_by_what_was_not_sent(request: &Request<'_>, response: Fields<'_>) -> bool {
    let fields = request.head.fields;
    response.list("vary").any(|name| {
        let sent_by_client = fields.iter().any(|(sent, _)| sent.eq_ignore_ascii_case(name));
        let rewritten = is_conditional_field(name) || name.eq_ignore_ascii_case(b"x-forwarded-for");
        rewritten || sent_by_client && is_hop_by_hop(name, fields)
    })
}

/// Takes the content of one response in.
struct Intake<I: Io> {
    io: I,
    worker: Rc<Worker<I>>,
    lead: Lead,
    stored: Arc<StoredResponse>,
    /// Room in the RAM tier; `None` when the response has overflowed it.
    room: Option<Reservation>,
    octets: u64,
    /// What it costs to keep it until it is complete.
    charge: u64,
}

impl<I: Io> Intake<I> {
    async fn run(mut self, mut response: Response<I::Stream>) {
        let outcome = self.take_in(&mut response).await;
        if let Err(failure) = outcome {
            self.counters().upstream_errors.increment();
            self.lead.fill().end(Err(failure));
            return;
        }
        self.lead.fill().end(Ok(()));
        if response.reusable {
            let now = self.io.now();
            self.worker.pool.put(response.connection, now, self.worker.counters());
        }
    }

    fn counters(&self) -> &Counters {
        self.worker.counters()
    }

    async fn take_in(&mut self, response: &mut Response<I::Stream>) -> Result<(), Failure> {
        let wait = Wait::Busy(self.worker.shared.config.timeouts.upstream_receive);
        loop {
            let connection = &mut response.connection;
            let (receiver, _) = connection.stream.split();
            let part = response.content.next(&mut connection.inbound, receiver, wait).await;
            let Some(part) = part.map_err(content_failure)? else {
                self.complete(None);
                return Ok(());
            };
            self.octets += part.len() as u64;
            self.charge += (part.len() as u64).max(PART_CHARGE_MIN);
            self.counters().received_octets.add(part.len() as u64);
            self.make_room();
            if response.content.is_done() {
                // In the store before its last octet leaves: whoever asks again at once gets a hit.
                self.complete(Some(&part));
            }
            self.lead.fill().push(part);
            if response.content.is_done() {
                return Ok(());
            }
            if self.room.is_none() && !self.lead.fill().room(&self.io).await {
                return Err(Failure::Abandoned);
            }
        }
    }

    /// Sees to it that what has arrived fits into the RAM tier, or gives up on storing it.
    fn make_room(&mut self) {
        let Some(room) = &mut self.room else { return };
        let missing = self.charge.saturating_sub(room.octets());
        let ram = &self.worker.shared.ram;
        let fits = self.octets <= ram.object_octets_max()
            && (missing == 0 || room.grow(missing.max(room.octets())) || room.grow(missing));
        if !fits {
            self.counters().overflowed.increment();
            self.lead.leave_table();
            self.lead.fill().overflow();
            self.room = None;
        }
    }

    /// Stores the response, whose content is what the fill has and `last`.
    fn complete(&mut self, last: Option<&Bytes>) {
        let Some(room) = self.room.take() else { return };
        let mut pieces = self.lead.fill().pieces();
        pieces.extend(last.filter(|last| !last.is_empty()).cloned());
        self.stored.complete(StoredContent::new(pieces));
        drop(room);
        let (hash, key) = self.lead.key();
        let (ram, stored) = (&self.worker.shared.ram, &self.stored);
        if !self.lead.fill().is_disowned() && insert(ram, hash, key, stored) {
            self.counters().stored.increment();
        }
        self.lead.leave_table();
    }
}

fn insert(
    ram: &Arc<RamTier<StoredResponse>>,
    hash: u64,
    key: &[u8],
    stored: &Arc<StoredResponse>,
) -> bool {
    let replaces = |other: &StoredResponse| other.selection() == stored.selection();
    ram.insert(hash, key, Arc::clone(stored), replaces).is_ok()
}

/// What a failure to read a response's content means.
pub(crate) fn content_failure(error: ContentError) -> Failure {
    match error {
        ContentError::Io(error) => Failure::Lost(error),
        ContentError::Truncated => Failure::Truncated,
        ContentError::Framing(error) => Failure::BadFraming(error),
    }
}

/// Freshens `stale` by the 304 `response` (RFC 9111 §4.3.4) and puts it back into the store, if it may still be kept
/// under its new head: a 304 can make a response private. Returns it, and whether it was stored.
pub(crate) fn freshen<I: Io>(
    worker: &Worker<I>,
    request: &Request<'_>,
    stale: &StoredResponse,
    response: Response<I::Stream>,
    lead: &mut Lead,
) -> (Arc<StoredResponse>, bool) {
    let now = worker.io.now();
    let (request_time, response_time) = (response.request_time, response.response_time);
    let policy = |head: &ResponseHead<'_>| {
        let directives = response_directives(head.fields);
        StoredPolicy::new(head, &directives, request_time, response_time)
    };
    let fresh = stale.freshened(worker.name(), &response.head.view(), policy, now);
    let fresh = Arc::new(fresh);
    let stored = may_be_kept(request, stale, &fresh, now);
    let (hash, key) = lead.key();
    if stored && !lead.fill().is_disowned() {
        insert(&worker.shared.ram, hash, key, &fresh);
        lead.announce(Announced::Stored(Arc::clone(&fresh)), now);
    } else {
        let directives = response_directives(fresh.fields(&mut Vec::new()));
        if directives.private || directives.no_store {
            worker.shared.ram.remove(hash, key, |other| other.selection() == stale.selection());
        }
        lead.announce(Announced::NotShared { lasting: false }, now);
    }
    lead.leave_table();
    if response.reusable {
        worker.pool.put(response.connection, now, worker.counters());
    }
    (fresh, stored)
}

/// Whether a freshened response may be stored for requests like this one, and still is chosen by the same fields.
fn may_be_kept(
    request: &Request<'_>,
    stale: &StoredResponse,
    fresh: &StoredResponse,
    now: UnixTime,
) -> bool {
    let mut spans = Vec::new();
    let fields = fresh.fields(&mut spans);
    let (version, status, reason) = (Version::Http11, fresh.status(), &b""[..]);
    let head = ResponseHead { version, status, reason, fields };
    // A HEAD may confirm what a GET has brought.
    let asked = RequestHead { method: b"GET", ..request.head };
    let mut selecting = Vec::new();
    storable(&asked, &head, &response_directives(fields), now).is_ok()
        && selection(fields, request.head.fields, &mut selecting).is_ok()
        && selecting == stale.selection()
        && !varies_by_what_was_not_sent(request, fields)
}
