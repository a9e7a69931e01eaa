//! Back from the SSD tier into RAM: what is asked for and not in RAM is put there, if it is stored.

use crate::arena::Writer;
use crate::error::Failure;
use crate::fill::Fill;
use crate::io::Io;
use crate::key::Key;
use crate::piece::Piece;
use crate::ram::Reservation;
use crate::request::Request;
use crate::ssd::index::{Identity, Place};
use crate::ssd::layout::{ExtentEntry, ReadRecord};
use crate::ssd::reader::{Extents, Octets, groups, read_extents, read_record};
use crate::ssd::turns::{Restoring, Turn, Turned};
use crate::ssd::{Held, Log, count, variant, version};
use crate::stored::on_disk::content_octets;
use crate::stored::{Draft, StoredResponse};
use crate::worker::Worker;
use futures_util::StreamExt;
use futures_util::stream;
use lastmile_http::cache::freshness::StoredPolicy;
use lastmile_http::cache::reuse::{Reuse, reuse};
use lastmile_http::cache::vary::selects;
use std::sync::Arc;

/// Contents of at least this are sent while they are read: some 5 ms of a fast disk. What is shorter is checked before
/// its first octet is sent, so that what turns out to be damaged is fetched without anybody noticing.
const LONG_OCTETS_MIN: u64 = 4 << 20;

/// Groups of extents of one content that are read at the same time, or wait for the one before.
const GROUPS_AT_ONCE: usize = 2;

/// Puts into RAM what is stored on an SSD for `request`, unless RAM has something. Of a long content that may be sent
/// as it is only the beginning is waited for; that is returned, and the rest comes.
pub(crate) async fn restore<I: Io>(worker: &Worker<I>, request: &Request<'_>) -> Option<Restoring> {
    let ssd = worker.shared.ssd.as_ref()?;
    let mut scratch = Vec::new();
    let key = Key::write(worker, request, &mut scratch);
    if is_in_ram(worker, request, &key) || !ssd.may_have(key.octets) {
        return None;
    }
    let is_wanted = |response: &StoredResponse| {
        selects(response.selection(), request.head.fields)
            && may_be_sent(worker, request, response.policy())
    };
    let turn = match ssd.turn(&worker.io, key.octets, is_wanted).await {
        Turned::Own(turn) => turn,
        Turned::Over => return None,
        Turned::Joined(restoring) => {
            ssd.count_hit();
            return Some(restoring);
        }
    };
    let permit = worker.reads.acquire().await;
    if is_in_ram(worker, request, &key) {
        return None;
    }
    for log in ssd.logs().iter().filter(|log| !log.has_failed()) {
        let hash = log.hash(key.octets);
        for (identity, place) in log.index.places(hash) {
            let Some(record) = record_at(worker, log, hash, place).await else { continue };
            let at = At { log: Arc::clone(log), hash, identity, place };
            match restore_record(worker, request, &at, &key, record).await {
                Restored::Other => {}
                Restored::Not(Unread::Now) => return None,
                Restored::Not(Unread::Gone { damaged }) => at.is_gone(damaged),
                Restored::Stored(response) => {
                    log.index.count_use(hash, place);
                    if at.is_still_stored(worker, (key.hash, key.octets), &response) {
                        ssd.count_hit();
                    }
                    return None;
                }
                Restored::Begun(begun) => {
                    log.index.count_use(hash, place);
                    ssd.count_hit();
                    drop(permit);
                    return Some(begun.go_on(worker, at, &key, turn));
                }
            }
        }
    }
    None
}

/// Where a response is stored.
struct At {
    log: Arc<Log>,
    /// Of the key, there.
    hash: u64,
    identity: Identity,
    place: Place,
}

impl At {
    /// What is there can't be read.
    fn is_gone(&self, damaged: bool) {
        if self.log.index.remove_at(self.hash, self.place) && damaged {
            count(&self.log.counts.damaged_objects, 1);
        }
    }

    /// Whether it was not replaced while it was being read, by what is in RAM now; else `response` goes from there.
    fn is_still_stored<I: Io>(
        &self,
        worker: &Worker<I>,
        (hash, key): (u64, &[u8]),
        response: &StoredResponse,
    ) -> bool {
        let is_stored = self.log.index.has(self.identity);
        if !is_stored {
            worker.shared.ram.remove(hash, key, |other| other.is(response));
        }
        is_stored
    }
}

/// Whether a stored response with this policy may be sent as it is while it is being read: for all other requests it is
/// restored first.
fn may_be_sent<I: Io>(worker: &Worker<I>, request: &Request<'_>, policy: &StoredPolicy) -> bool {
    let reuse = reuse(policy, &request.directives(), worker.io.now());
    let is_plain = !request.is_head() && !request.head.fields.contains("range");
    is_plain && matches!(reuse, Reuse::Fresh { .. })
}

fn is_in_ram<I: Io>(worker: &Worker<I>, request: &Request<'_>, key: &Key<'_>) -> bool {
    let found = worker.shared.ram.variants(key.hash, key.octets);
    found.iter().any(|response| selects(response.selection(), request.head.fields))
}

/// The record at `place`. What is there and can't be right is dropped.
async fn record_at<I: Io>(
    worker: &Worker<I>,
    log: &Log,
    hash: u64,
    place: Place,
) -> Option<(Octets, ReadRecord)> {
    match read_record(&worker.io, log, place).await {
        Ok(Some(read)) => {
            log.note_read();
            Some(read)
        }
        Ok(None) => {
            // Unless it was written over since it was looked up.
            if log.index.remove_at(hash, place) {
                count(&log.counts.damaged_objects, 1);
            }
            None
        }
        Err(error) => {
            log.note_read_error(&error);
            None
        }
    }
}

enum Restored {
    Stored(StoredResponse),
    Begun(Box<Begun>),
    /// Of another key, or for other requests.
    Other,
    Not(Unread),
}

/// Why something is not restored.
enum Unread {
    /// RAM is full of what can't go, or the device does not read.
    Now,
    /// Something of it is not there, or not what was written.
    Gone { damaged: bool },
}

async fn restore_record<I: Io>(
    worker: &Worker<I>,
    request: &Request<'_>,
    at: &At,
    key: &Key<'_>,
    (octets, record): (Octets, ReadRecord),
) -> Restored {
    let ReadRecord { key: key_range, fixed, octets: head, extents, content } = record;
    if octets.as_ref()[key_range] != *key.octets {
        return Restored::Other;
    }
    let Some(draft) = Draft::restored(&fixed, &octets.as_ref()[head]) else {
        return Restored::Not(Unread::Gone { damaged: true });
    };
    let is_meant = (variant(draft.selection()), version(draft.policy()))
        == (at.identity.variant, at.identity.version);
    if !is_meant || !selects(draft.selection(), request.head.fields) {
        return Restored::Other;
    }
    let (ram, length) = (&worker.shared.ram, content_octets(&fixed));
    if length > ram.object_octets_max() {
        return Restored::Not(Unread::Now);
    }
    // What is with its head is put into a block at once.
    let apart = if extents.is_empty() { 0 } else { length };
    let Some(mut room) = ram.reserve(apart) else { return Restored::Not(Unread::Now) };
    let mut writer = worker.arena.writer();
    let pieces = if extents.is_empty() {
        // One of the record, which is copied when it is stored.
        let octets = bytes::Bytes::from_owner(octets).slice(content);
        if octets.is_empty() { Vec::new() } else { vec![Piece::from(octets)] }
    } else {
        let Some(held) = at.log.hold(extents.iter()) else {
            return Restored::Not(Unread::Gone { damaged: false });
        };
        let (mut groups, mut pieces) = (groups(extents), Vec::new());
        let is_long = groups.len() > 1
            && length >= LONG_OCTETS_MIN
            && draft.part().is_none()
            && may_be_sent(worker, request, draft.policy());
        let rest = if is_long { groups.split_off(1) } else { Vec::new() };
        let (place, take) = ((&mut writer, &mut room), |read| pieces.extend(read));
        if let Err(unread) = read_content(worker, &at.log, groups, place, take).await {
            return Restored::Not(unread);
        }
        if is_long {
            let Some(response) = draft.hold(ram) else { return Restored::Not(Unread::Now) };
            let (octets, beginning) = (length, pieces);
            let begun = Begun { response, octets, beginning, rest, writer, room, held };
            return Restored::Begun(Box::new(begun));
        }
        pieces
    };
    if octets_of(&pieces) != length {
        return Restored::Not(Unread::Gone { damaged: true });
    }
    let Some(complete) = draft.with_content(pieces, (&mut writer, &mut room)) else {
        return Restored::Not(Unread::Now);
    };
    drop(room);
    // Whatever came meanwhile is newer, and stays.
    match complete.insert(ram, key.hash, key.octets, |_| false) {
        Ok(stored) => Restored::Stored(stored),
        Err(_) => Restored::Not(Unread::Now),
    }
}

fn octets_of(pieces: &[Piece]) -> u64 {
    pieces.iter().map(|piece| piece.len() as u64).sum()
}

/// Reads groups of extents, some of them at the same time, into the arena, or where that has no room onto the heap, and
/// gives `take` what they hold, in order.
async fn read_content<I: Io>(
    worker: &Worker<I>,
    log: &Log,
    groups: Vec<Vec<ExtentEntry>>,
    (writer, room): (&mut Writer, &mut Reservation),
    mut take: impl FnMut(Vec<Piece>),
) -> Result<(), Unread> {
    let reads = stream::iter(groups).map(|group| async {
        let _permit = worker.part_reads.acquire().await;
        read_extents(&worker.io, log, group).await
    });
    let mut reads = reads.buffered(GROUPS_AT_ONCE);
    while let Some(read) = reads.next().await {
        match read {
            Extents::Whole(each) => {
                let written = writer.append(&each, room);
                take(written.unwrap_or_else(|| each.into_iter().map(Piece::from).collect()));
            }
            Extents::Gone => return Err(Unread::Gone { damaged: false }),
            Extents::Damaged => return Err(Unread::Gone { damaged: true }),
            Extents::Unread => return Err(Unread::Now),
        }
    }
    Ok(())
}

/// A response with a long content, of which the beginning has been read.
struct Begun {
    response: StoredResponse,
    /// Of the whole content.
    octets: u64,
    beginning: Vec<Piece>,
    rest: Vec<Vec<ExtentEntry>>,
    writer: Writer,
    room: Reservation,
    /// Where the rest is.
    held: Held,
}

impl Begun {
    /// Reads the rest in a task of its own, and puts the whole into RAM.
    fn go_on<I: Io>(self, worker: &Worker<I>, at: At, key: &Key<'_>, turn: Turn) -> Restoring {
        let (response, octets) = (self.response.clone(), self.octets);
        let fill = Arc::new(Fill::alone());
        let reader = fill.reader().expect("a fill that has not overflowed has its first octet");
        self.beginning.iter().for_each(|piece| fill.push(piece.clone()));
        let stored = (Arc::clone(&at.log), at.identity);
        turn.admit(stored, key.octets, &response, octets, &fill);
        let (key, io) = ((key.hash, key.octets.to_vec()), worker.io.clone());
        let worker = worker.handle();
        io.spawn(async move {
            let end = self.read_rest(&worker, &at, (key.0, &key.1), &fill).await;
            drop(turn);
            if let Err(Unread::Gone { damaged }) = end {
                at.is_gone(damaged);
            }
            fill.end(end.map_err(|_| Failure::Truncated));
        });
        Restoring { response, octets, reader }
    }

    async fn read_rest<I: Io>(
        self,
        worker: &Worker<I>,
        at: &At,
        (hash, key): (u64, &[u8]),
        fill: &Fill,
    ) -> Result<(), Unread> {
        let Self { response, octets, beginning: mut pieces, rest, mut writer, mut room, held } =
            self;
        let _permit = worker.reads.acquire().await;
        let take = |read: Vec<Piece>| {
            read.iter().for_each(|piece| fill.push(piece.clone()));
            pieces.extend(read);
        };
        read_content(worker, &at.log, rest, (&mut writer, &mut room), take).await?;
        drop(held);
        if octets_of(&pieces) != octets {
            return Err(Unread::Gone { damaged: true });
        }
        let complete = response.completed(pieces, (&mut writer, &mut room));
        drop(room);
        let ram = &worker.shared.ram;
        // Whatever came meanwhile is newer, and stays; and what finds no room has been sent.
        if let Some(Ok(stored)) = complete.map(|it| it.insert(ram, hash, key, |_| false)) {
            at.is_still_stored(worker, (hash, key), &stored);
        }
        Ok(())
    }
}
