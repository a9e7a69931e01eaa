//! The journal: what was asked of the origin, and how each exchange ended.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::counters::Counters;

/// Entries kept in memory; the oldest goes first. Enough for any test to count its requests, and 60 MB at the very
/// worst (six fields of [`FIELD_OCTETS_MAX`] each).
pub const ENTRIES_MAX: usize = 10_000;

/// Octets kept of one field of a request; the rest is cut off.
pub const FIELD_OCTETS_MAX: usize = 1024;

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It has not ended yet.
    InProgress,
    /// The whole response went to the kernel.
    Complete,
    /// The client closed or reset the connection or took nothing for the idle timeout, or the origin was stopped first.
    AbortedByClient,
    /// `close-early=` or `abort=close` ended it, as asked.
    ClosedOnPurpose,
    /// `reset-at=` or `abort=reset` ended it, as asked.
    ResetOnPurpose,
    /// The origin broke it off: a file that shrank or could not be read.
    Failed,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Counts from 1 in the order of arrival and is never reset.
    pub sequence: u64,
    /// Milliseconds since 1970 when the head was complete.
    pub unix_ms: u64,
    /// Which connection, counted from 1: equal numbers are one connection used again.
    pub connection: u64,
    /// The client's address.
    pub client: SocketAddr,
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub version: &'static str,
    /// The method.
    pub method: String,
    /// The request target as it was sent.
    pub target: String,
    /// The Host field.
    pub host: Option<String>,
    /// The Range field.
    pub range: Option<String>,
    /// The If-None-Match field.
    pub if_none_match: Option<String>,
    /// The If-Modified-Since field.
    pub if_modified_since: Option<String>,
    /// The Via field lines, joined by a comma.
    pub via: Option<String>,
    /// The X-Forwarded-For field lines, joined by a comma.
    pub x_forwarded_for: Option<String>,
    /// Status of the response; 0 until there is one.
    pub status: u16,
    /// Octets of request content received.
    pub content_received: u64,
    /// Octets of response content handed to the connection. After an abort the client may have seen fewer.
    pub content_sent: u64,
    /// How it ended.
    pub ending: Ending,
}

/// A handle on the journal of one origin; clones share it.
#[derive(Debug, Clone)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct State {
    entries: VecDeque<Entry>,
    sequence: u64,
    /// Requests that arrived, and those that ended, since the last `clear`.
    arrived: usize,
    ended: usize,
    /// Sequence of the last request before the last `clear`: what ends of those is not counted.
    cleared: u64,
    file: Option<File>,
}

impl Journal {
    pub(crate) fn new(file: Option<File>, counters: Arc<Counters>) -> Self {
        let state =
            State { entries: VecDeque::new(), sequence: 0, arrived: 0, ended: 0, cleared: 0, file };
        let shared = Shared { state: Mutex::new(state), changed: Condvar::new(), counters };
        Self { shared: Arc::new(shared) }
    }

    /// The last [`ENTRIES_MAX`] requests since the last [`clear`](Self::clear), oldest first, those in progress
    /// included.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.iter().cloned().collect()
    }

    /// Waits until at least `count` requests have arrived since the last [`clear`](Self::clear), or `patience` has
    /// passed; returns the entries either way, so that a test shows what was there instead.
    #[must_use]
    pub fn wait_for(&self, count: usize, patience: Duration) -> Vec<Entry> {
        self.wait_until(patience, |state| state.arrived >= count)
    }

    /// Waits until at least `count` requests have ended since the last [`clear`](Self::clear), or `patience` has
    /// passed; returns the entries either way.
    #[must_use]
    pub fn wait_for_ended(&self, count: usize, patience: Duration) -> Vec<Entry> {
        self.wait_until(patience, |state| state.ended >= count)
    }

    /// Forgets the entries in memory; the file keeps its lines, and sequence numbers go on.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.entries.clear();
        state.arrived = 0;
        state.ended = 0;
        state.cleared = state.sequence;
    }

    fn wait_until(&self, patience: Duration, done: impl Fn(&State) -> bool) -> Vec<Entry> {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        while !done(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = match self.shared.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        state.entries.iter().cloned().collect()
    }

    /// Notes a request that has arrived. `entry.sequence` and `entry.unix_ms` are filled in here.
    pub(crate) fn arrive(&self, mut entry: Entry) -> Record {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        entry.unix_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let mut state = self.lock();
        state.sequence += 1;
        entry.sequence = state.sequence;
        state.arrived += 1;
        if state.entries.len() == ENTRIES_MAX {
            state.entries.pop_front();
        }
        state.entries.push_back(entry.clone());
        drop(state);
        self.shared.changed.notify_all();
        self.shared.counters.requests.add(1);
        Record { journal: self.clone(), entry, settled: false }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while holding it leaves numbers at worst one behind, never a broken structure.
        self.shared.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The entry of an exchange in progress. Dropped without [`settle`](Self::settle) it ends as its entry says, and when
/// that says nothing, as abandoned by the client, which is what cancels an exchange.
#[derive(Debug)]
pub(crate) struct Record {
    journal: Journal,
    entry: Entry,
    settled: bool,
}

impl Record {
    /// Content received and sent, for the one who moves the octets to add to.
    pub(crate) fn entry(&mut self) -> &mut Entry {
        &mut self.entry
    }

    /// The exchange has ended.
    pub(crate) fn settle(mut self, ending: Ending) {
        self.end(ending);
    }

    fn end(&mut self, ending: Ending) {
        self.settled = true;
        self.entry.ending = ending;
        self.count();
        let mut state = self.journal.lock();
        if let Some(file) = &mut state.file
            && write_line(file, &self.entry).is_err()
        {
            self.journal.shared.counters.journal_write_failures.add(1);
        }
        if self.entry.sequence > state.cleared {
            state.ended += 1;
            // Entries are consecutive, so the place follows from the first one's number.
            let first = state.entries.front().map_or(u64::MAX, |entry| entry.sequence);
            if let Some(index) = self.entry.sequence.checked_sub(first)
                && let Some(entry) = state.entries.get_mut(index as usize)
            {
                entry.clone_from(&self.entry);
            }
        }
        drop(state);
        self.journal.shared.changed.notify_all();
    }

    fn count(&self) {
        let counters = &self.journal.shared.counters;
        counters.content_received.add(self.entry.content_received);
        counters.content_sent.add(self.entry.content_sent);
        match self.entry.ending {
            Ending::InProgress => {}
            Ending::Complete => counters.ended_complete.add(1),
            Ending::AbortedByClient => counters.ended_by_client.add(1),
            Ending::ClosedOnPurpose | Ending::ResetOnPurpose => counters.ended_on_purpose.add(1),
            Ending::Failed => counters.ended_by_failure.add(1),
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.settled {
            let noted = self.entry.ending;
            self.end(if noted == Ending::InProgress { Ending::AbortedByClient } else { noted });
        }
    }
}

/// One line in one write, so that several processes may append to one file. It is written on the serving thread: a test
/// origin's journal is small, and a line that is in the file when the client sees the end is worth more than speed.
fn write_line(file: &mut File, entry: &Entry) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    file.write_all(&line)
}
