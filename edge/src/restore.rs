//! Back from the SSD tier into RAM: what is asked for and not in RAM is put there, if it is stored.

use crate::io::Io;
use crate::key::Key;
use crate::piece::Piece;
use crate::request::Request;
use crate::ssd::index::{Identity, Place};
use crate::ssd::layout::ReadRecord;
use crate::ssd::reader::{Extents, Octets, groups, read_extents, read_record};
use crate::ssd::{Log, count, variant, version};
use crate::stored::on_disk::content_octets;
use crate::stored::{Draft, StoredResponse};
use crate::worker::Worker;
use futures_util::StreamExt;
use futures_util::stream;
use lastmile_http::cache::vary::selects;

/// Groups of extents of one content that are read at the same time, or wait for the one before.
const GROUPS_AT_ONCE: usize = 2;

/// Puts into RAM what is stored on an SSD for `request`, unless RAM has something.
pub(crate) async fn restore<I: Io>(worker: &Worker<I>, request: &Request<'_>) {
    let Some(ssd) = &worker.shared.ssd else { return };
    let mut scratch = Vec::new();
    let key = Key::write(worker, request, &mut scratch);
    if is_in_ram(worker, request, &key) || !ssd.may_have(key.octets) {
        return;
    }
    let Some(_turn) = ssd.turn(&worker.io, key.octets).await else { return };
    let _permit = worker.reads.acquire().await;
    if is_in_ram(worker, request, &key) {
        return;
    }
    for log in ssd.logs().iter().filter(|log| !log.has_failed()) {
        let hash = log.hash(key.octets);
        for (identity, place) in log.index.places(hash) {
            let Some(record) = record_at(worker, log, hash, place).await else { continue };
            let restored = restore_record(worker, request, (log, identity), &key, record).await;
            match restored {
                Restored::Other => {}
                Restored::NotNow => return,
                Restored::Gone { damaged } => {
                    if log.index.remove_at(hash, place) && damaged {
                        count(&log.counts.damaged_objects, 1);
                    }
                }
                Restored::Stored(response) => {
                    log.index.count_use(hash, place);
                    // It may have been replaced while it was being read, by what is in RAM now.
                    if !log.index.has(identity) {
                        let ram = &worker.shared.ram;
                        ram.remove(key.hash, key.octets, |other| other.is(&response));
                    } else {
                        ssd.count_hit();
                    }
                    return;
                }
            }
        }
    }
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
    /// Of another key, or for other requests.
    Other,
    /// RAM is full of what can't go, or the device does not read.
    NotNow,
    /// Something of it is not there, or not what was written.
    Gone {
        damaged: bool,
    },
}

async fn restore_record<I: Io>(
    worker: &Worker<I>,
    request: &Request<'_>,
    (log, identity): (&Log, Identity),
    key: &Key<'_>,
    (octets, record): (Octets, ReadRecord),
) -> Restored {
    let ReadRecord { key: key_range, fixed, octets: head, extents, content } = record;
    if octets.as_ref()[key_range] != *key.octets {
        return Restored::Other;
    }
    let Some(draft) = Draft::restored(&fixed, &octets.as_ref()[head]) else {
        return Restored::Gone { damaged: true };
    };
    let is_meant = (variant(draft.selection()), version(draft.policy()))
        == (identity.variant, identity.version);
    if !is_meant || !selects(draft.selection(), request.head.fields) {
        return Restored::Other;
    }
    let ram = &worker.shared.ram;
    if content_octets(&fixed) > ram.object_octets_max() {
        return Restored::NotNow;
    }
    let Some(mut room) = ram.reserve(content_octets(&fixed)) else { return Restored::NotNow };
    let mut writer = worker.arena.writer();
    let pieces = if extents.is_empty() {
        // One of the record, which is copied when it is stored.
        let octets = bytes::Bytes::from_owner(octets).slice(content);
        if octets.is_empty() { Vec::new() } else { vec![Piece::from(octets)] }
    } else {
        let groups = stream::iter(groups(extents));
        let reads = groups.map(|group| async {
            let _permit = worker.part_reads.acquire().await;
            read_extents(&worker.io, log, group).await
        });
        let mut reads = reads.buffered(GROUPS_AT_ONCE);
        let mut pieces = Vec::new();
        while let Some(read) = reads.next().await {
            match read {
                Extents::Whole(each) => match writer.append(&each, &mut room) {
                    Some(written) => pieces.extend(written),
                    None => pieces.extend(each.into_iter().map(Piece::from)),
                },
                Extents::Gone => return Restored::Gone { damaged: false },
                Extents::Damaged => return Restored::Gone { damaged: true },
                Extents::Unread => return Restored::NotNow,
            }
        }
        pieces
    };
    if pieces.iter().map(|piece| piece.len() as u64).sum::<u64>() != content_octets(&fixed) {
        return Restored::Gone { damaged: true };
    }
    let Some(complete) = draft.with_content(pieces, (&mut writer, &mut room)) else {
        return Restored::NotNow;
    };
    drop(room);
    // Whatever came meanwhile is newer, and stays.
    match complete.insert(ram, key.hash, key.octets, |_| false) {
        Ok(stored) => Restored::Stored(stored),
        Err(_) => Restored::NotNow,
    }
}
