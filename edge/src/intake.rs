//! Taking a response in: a task of its own, which goes on when the client that caused it has gone away.

use crate::arena::Writer;
use crate::collapse::Lead;
use crate::counters::Counters;
use crate::error::Failure;
use crate::fill::{Announced, Reader};
use crate::inbound::{Inbound, tight};
use crate::io::{Io, Stream, Wait};
use crate::piece::Piece;
use crate::ram::Reservation;
use crate::store::{Earlier, content_failure, keep};
use crate::stored::{Content, Draft, StoredResponse, WITHIN_OCTETS_MAX};
use crate::upstream::fetch::Response;
use crate::worker::{Background, Worker};
use bytes::Bytes;
use lastmile_http::time::UnixTime;
use std::rc::Rc;

/// Octets that a part costs at least while it waits for the rest: an upstream that sends single octets must not fill
/// the memory with their bookkeeping.
const PART_CHARGE_MIN: u64 = 128;

/// Small parts go into the arena when so many octets of them are there: in extents much smaller than this the
/// bookkeeping would show, and in larger ones what a slow upstream sends would stay long on the heap.
const GATHERED_OCTETS: usize = 256 * 1024;

/// Takes the content of one response in.
pub(crate) struct Intake<I: Io> {
    io: I,
    worker: Rc<Worker<I>>,
    lead: Lead,
    stored: StoredResponse,
    /// Room in the RAM tier; `None` when the response has overflowed it.
    room: Option<Reservation>,
    /// What it takes the place of.
    asked_about: Option<StoredResponse>,
    _background: Option<Background>,
    /// Octets that it has, if that was announced.
    expected: Option<u64>,
    octets: u64,
    /// What it costs to keep on the heap what is there, until it is complete.
    charge: u64,
    /// Where large parts go.
    writer: Writer,
    /// Parts behind the last extent.
    loose: Loose,
}

/// Parts that have not been put into the arena yet.
#[derive(Default)]
struct Loose {
    parts: Vec<Bytes>,
    octets: usize,
    charge: u64,
}

impl<I: Io> Intake<I> {
    /// Takes a response in for which there is `room`, with so many octets if that is known; `earlier` may be what it is
    /// the rest of.
    pub(crate) fn new(
        worker: &Worker<I>,
        lead: Lead,
        stored: StoredResponse,
        (expected, room): (Option<u64>, Reservation),
        earlier: Earlier,
    ) -> Self {
        let beginning = earlier.beginning.as_ref().and_then(StoredResponse::content);
        let (mut octets, mut charge) = (0, 0);
        for piece in beginning.map_or(Vec::new(), Content::pieces) {
            octets += piece.len() as u64;
            // An extent is paid for.
            charge += if piece.reserved_octets() == 0 { piece.len() as u64 } else { 0 };
            lead.fill().push(piece);
        }
        Self {
            io: worker.io.clone(),
            worker: worker.handle(),
            lead,
            stored,
            room: Some(room),
            asked_about: earlier.asked_about,
            _background: earlier.background,
            expected,
            octets,
            charge,
            writer: worker.arena.writer(),
            loose: Loose::default(),
        }
    }

    /// Tells those who wait that the response is coming. The reader is the first client's.
    pub(crate) fn announce(&mut self, now: UnixTime) -> Reader {
        let filling = Announced::Filling(self.stored.clone(), self.expected);
        self.lead.announce(filling, now);
        let reader = self.lead.fill().reader();
        reader.expect("a fill that has not overflowed has its first octet")
    }

    pub(crate) async fn run(mut self, mut response: Response<I::Stream>) {
        let outcome = self.take_in(&mut response).await;
        if let Err(failure) = outcome {
            if failure != Failure::Abandoned {
                self.counters().upstream_errors.increment();
            }
            if let Some(room) = self.room.take() {
                self.lead.fill().keep_room(room);
            }
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
                self.check_length(true)?;
                self.complete(None);
                return Ok(());
            };
            self.octets += part.len() as u64;
            self.check_length(response.content.is_done())?;
            self.counters().received_octets.add(part.len() as u64);
            let charge = (part.len() as u64).max(PART_CHARGE_MIN);
            self.charge += charge;
            self.make_room();
            if response.content.is_done() {
                // In the store before its last octet leaves: whoever asks again at once gets a hit.
                self.complete(Some(part));
                return Ok(());
            }
            self.add(part, charge, &mut connection.inbound);
            if self.room.is_none() && !self.lead.fill().room(&self.io).await {
                return Err(Failure::Abandoned);
            }
        }
    }

    /// A rest that is put behind a stored beginning must be as long as it said that the whole is.
    fn check_length(&self, ended: bool) -> Result<(), Failure> {
        let Some(expected) = self.expected else { return Ok(()) };
        let is_wrong = if ended { self.octets != expected } else { self.octets > expected };
        if is_wrong { Err(Failure::Truncated) } else { Ok(()) }
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
            if let Some(old) = &self.asked_about {
                // It is not what there is now; and nobody shall try in vain to replace it again and again.
                let (hash, key) = self.lead.key();
                self.worker.shared.remove((hash, key), |other| other.is(old));
            }
        }
    }

    /// Appends a part that is not the last: as octets, or together with those before it in an extent, when there are
    /// enough of them.
    fn add(&mut self, part: Bytes, charge: u64, inbound: &mut Inbound) {
        let (arena, fill) = (self.writer.arena(), self.lead.fill());
        let Some(room) = self.room.as_mut().filter(|_| arena.is_open()) else {
            fill.push(tight(part).into());
            return;
        };
        let is_due = arena.is_for(part.len()) || self.loose.octets + part.len() >= GATHERED_OCTETS;
        self.loose.octets += part.len();
        self.loose.charge += charge;
        if !is_due {
            fill.push(part.clone().into());
            self.loose.parts.push(part);
            return;
        }
        let mut loose = core::mem::take(&mut self.loose);
        loose.parts.push(part);
        let pieces = self.writer.append(&loose.parts, room);
        let part = loose.parts.pop().expect("it was put there just now");
        match pieces {
            Some(pieces) => {
                fill.replace_from(self.octets - loose.octets as u64, pieces);
                self.charge -= loose.charge;
                inbound.recycle(part);
            }
            None => fill.push(tight(part).into()),
        }
    }

    /// Stores the response, whose content is what the fill has and `last`; all of it is in the fill then.
    fn complete(&mut self, last: Option<Bytes>) {
        let fill = self.lead.fill();
        let Some(mut room) = self.room.take() else {
            last.into_iter().for_each(|last| fill.push(last.into()));
            return;
        };
        let mut pieces = fill.pieces();
        pieces.extend(last.filter(|last| !last.is_empty()).map(Piece::from));
        let is_sound = self.stored.part().is_none_or(|part| part.length() == self.octets);
        let place = (&mut self.writer, &mut room);
        let draft = is_sound.then(|| self.stored.completed(pieces.clone(), place)).flatten();
        if self.octets <= WITHIN_OCTETS_MAX {
            // It was copied behind its head; who reads what arrived keeps that.
            fill.keep_room(room);
        } else {
            drop(room);
        }
        if let Some(draft) = draft {
            pieces = draft.pieces();
            self.keep(draft);
        }
        // Only now: whoever has the last octet finds it in the store.
        self.lead.fill().replace_from(0, pieces);
        self.lead.leave_table();
    }

    fn keep(&self, draft: Draft) {
        let shared = &self.worker.shared;
        // Without a validator it was not asked about, and if it is newer and fresh it stays.
        let now = self.io.now();
        let has_given_way = |old: &&StoredResponse| {
            let policy = old.policy();
            policy.has_validator() || policy.no_cache() || policy.ttl(now) <= 0
        };
        let old = self.asked_about.as_ref().filter(has_given_way);
        if keep((shared, &self.worker.arena), &self.lead, draft, old, now).is_ok() {
            self.counters().stored.increment();
        }
    }
}
