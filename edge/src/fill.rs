//! A response that is still arriving, shared by all who asked for it, on any core.
//!
//! One task, the *fetcher*, appends to it. Each reader goes at its own pace from the first octet; a reader that
//! joins late or reads slowly costs nobody else anything, since all that has arrived is kept: within the room that
//! the RAM tier has given. When there is no more room the fill *overflows*: it will not be stored, nobody new may
//! join, and only a window behind the fastest reader is kept. Then the fetcher waits for the fastest reader, and a
//! reader that falls out of the window is cut off rather than holding up the others.

use crate::error::Failure;
use crate::io::Io;
use crate::piece::Piece;
use crate::ram::Reservation;
use crate::stored::StoredResponse;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use lastmile_http::head::Fields;
use lastmile_http::time::UnixTime;
use slab::Slab;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

/// Octets kept behind the fastest reader of an overflowed fill. Larger lets slower readers live; smaller bounds the
/// memory of large responses that can't be stored.
pub(crate) const WINDOW_OCTETS: u64 = 4 << 20;
/// Pieces handed to a reader at once, so that one with much to catch up does not hold the lock for long.
const PIECES_AT_ONCE_MAX: usize = 32;
/// Octets handed to a reader at once, a piece more at most: what it has counts as sent only when all of it is.
const OCTETS_AT_ONCE_MAX: u64 = WINDOW_OCTETS;

/// What became of the request that a fill stands for.
#[derive(Clone, Debug)]
pub(crate) enum Announced {
    /// A storable response is arriving; its length in octets, if it was announced.
    Filling(StoredResponse, Option<u64>),
    /// A stored response was confirmed; it is complete.
    Stored(StoredResponse),
    /// The response may not be shared: everybody asks for himself.
    NotShared {
        /// The next response for the key will be of the same kind.
        lasting: bool,
    },
    /// The upstream failed, for all who waited.
    Failed(Failure),
    /// The upstream answered with this error, and who has something stale may use it instead.
    Erring(u16),
}

/// Why a reader got no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// The fetch failed in the middle.
    Failed(Failure),
    /// The reader fell out of an overflowed fill's window.
    Lapped,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Fill(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    announced: Option<Announced>,
    /// What is kept, in order, each piece with the offset of its first octet.
    pieces: VecDeque<(u64, Piece)>,
    /// Offset of the first octet that is kept.
    first_octet: u64,
    /// Offset behind the last octet that has arrived.
    arrived: u64,
    end: Option<Result<(), Failure>>,
    overflowed: bool,
    /// Its URI was changed while it was arriving: it must not be stored.
    disowned: bool,
    /// It is for the request alone that began it.
    alone: bool,
    /// Offset up to which each reader has sent.
    readers: Slab<u64>,
    waiting: Vec<Waker>,
    fetcher: Option<Waker>,
    /// Room for what has arrived, as long as somebody may read it.
    room: Option<Reservation>,
}

impl State {
    fn wake_readers(&mut self) -> Vec<Waker> {
        core::mem::take(&mut self.waiting)
    }

    /// Drops what no reader will get any more.
    fn trim(&mut self) {
        let fastest = self.readers.iter().map(|(_, sent)| *sent).max().unwrap_or(self.arrived);
        let slowest = self.readers.iter().map(|(_, sent)| *sent).min().unwrap_or(self.arrived);
        let keep_from = slowest.max(fastest.saturating_sub(WINDOW_OCTETS));
        while let Some((start, piece)) = self.pieces.front() {
            let end = start + piece.len() as u64;
            if end > keep_from {
                break;
            }
            self.first_octet = end;
            self.pieces.pop_front();
        }
    }

    fn append(&mut self, piece: Piece) {
        let start = self.arrived;
        self.arrived += piece.len() as u64;
        let is_joined = self.pieces.back_mut().is_some_and(|(_, last)| last.try_join(&piece));
        if !is_joined {
            self.pieces.push_back((start, piece));
        }
    }

    fn has_room(&self) -> bool {
        let fastest = self.readers.iter().map(|(_, sent)| *sent).max();
        !self.overflowed || fastest.is_none_or(|fastest| self.arrived - fastest < WINDOW_OCTETS)
    }
}

impl Fill {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// One that nobody can join.
    pub(crate) fn alone() -> Self {
        Self(Mutex::new(State { alone: true, ..State::default() }))
    }

    /// Says once what became of the request.
    pub(crate) fn announce(&self, announced: Announced) {
        let mut state = self.state();
        state.announced = Some(announced);
        let waiting = state.wake_readers();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether a request with these fields that comes now could be answered by this fill, as far as is known. Who came
    /// before the response did gets it whatever it says; who comes later needs one that may be used like a stored one.
    pub(crate) fn may_serve(&self, request: Fields<'_>, now: UnixTime) -> bool {
        let state = self.state();
        if state.alone {
            return false;
        }
        match &state.announced {
            None => true,
            Some(Announced::Filling(response, _) | Announced::Stored(response)) => {
                let policy = response.policy();
                !state.overflowed
                    && response.part().is_none()
                    && !policy.no_cache()
                    && policy.ttl(now) > 0
                    && lastmile_http::cache::vary::selects(response.selection(), request)
            }
            Some(Announced::NotShared { .. } | Announced::Failed(_) | Announced::Erring(_)) => {
                false
            }
        }
    }

    /// Whether it may bring something for a request with these fields, be it for another request alone.
    pub(crate) fn concerns(&self, request: Fields<'_>) -> bool {
        match &self.state().announced {
            None => true,
            Some(Announced::Filling(response, _) | Announced::Stored(response)) => {
                lastmile_http::cache::vary::selects(response.selection(), request)
            }
            Some(Announced::NotShared { .. } | Announced::Failed(_) | Announced::Erring(_)) => {
                false
            }
        }
    }

    /// Waits for the announcement. It comes in bounded time: the leader's waits are bounded, and a leader that
    /// vanishes announces a failure.
    pub(crate) async fn announced<I: Io>(&self, io: &I) -> Announced {
        poll_fn(|context| {
            let mut state = self.state();
            match &state.announced {
                Some(announced) => Poll::Ready(announced.clone()),
                None => pend(&mut state, io, context),
            }
        })
        .await
    }

    /// Appends a part of the content.
    pub(crate) fn push(&self, part: Piece) {
        let mut state = self.state();
        state.append(part);
        if state.overflowed {
            state.trim();
        }
        let waiting = state.wake_readers();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Puts `pieces` in place of all that begins at `offset` and behind it: the same octets, and perhaps more. Only of
    /// a fill that has not overflowed.
    pub(crate) fn replace_from(&self, offset: u64, pieces: Vec<Piece>) {
        let mut state = self.state();
        let kept = state.pieces.partition_point(|(start, _)| *start < offset);
        let replaced = state.pieces.split_off(kept);
        state.arrived = offset;
        pieces.into_iter().for_each(|piece| state.append(piece));
        let waiting = state.wake_readers();
        drop(state);
        drop(replaced);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Keeps `room` for what has arrived until nobody refers to this fill any more.
    pub(crate) fn keep_room(&self, room: Reservation) {
        self.state().room = Some(room);
    }

    /// Ends the content. Later calls change nothing.
    pub(crate) fn end(&self, outcome: Result<(), Failure>) {
        let mut state = self.state();
        if state.end.is_none() {
            state.end = Some(outcome);
        }
        let waiting = state.wake_readers();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Gives up on storing the response: from now on only a window of it is kept.
    pub(crate) fn overflow(&self) {
        let mut state = self.state();
        state.overflowed = true;
        state.trim();
    }

    /// Keeps the response out of the store: what it shows has been changed since it was asked for.
    pub(crate) fn disown(&self) {
        self.state().disowned = true;
    }

    pub(crate) fn is_disowned(&self) -> bool {
        self.state().disowned
    }

    /// Waits until an overflowed fill has room for more; `false` when nobody reads it any more.
    pub(crate) async fn room<I: Io>(&self, io: &I) -> bool {
        poll_fn(|context| {
            let mut state = self.state();
            if state.overflowed && state.readers.is_empty() {
                return Poll::Ready(false);
            }
            if state.has_room() {
                return Poll::Ready(true);
            }
            state.fetcher = Some(io.portable_waker(context.waker()));
            Poll::Pending
        })
        .await
    }

    /// All that has arrived, in order. Only of a fill that has not overflowed.
    pub(crate) fn pieces(&self) -> Vec<Piece> {
        self.state().pieces.iter().map(|(_, piece)| piece.clone()).collect()
    }

    /// A reader from the first octet; `None` when that is no longer there.
    pub(crate) fn reader(self: &Arc<Self>) -> Option<Reader> {
        let mut state = self.state();
        if state.overflowed && state.first_octet > 0 {
            return None;
        }
        let slot = state.readers.insert(0);
        drop(state);
        Some(Reader { fill: Arc::clone(self), slot, octet: 0 })
    }
}

fn pend<I: Io, T>(state: &mut State, io: &I, context: &Context<'_>) -> Poll<T> {
    state.waiting.push(io.portable_waker(context.waker()));
    Poll::Pending
}

/// One client's place in a fill.
#[derive(Debug)]
pub(crate) struct Reader {
    fill: Arc<Fill>,
    slot: usize,
    /// Offset of the next octet.
    octet: u64,
}

impl Reader {
    /// The next pieces, at least one; `None` at the end. What an earlier call returned counts as sent.
    pub(crate) async fn next<I: Io>(&mut self, io: &I) -> Result<Option<Vec<Piece>>, ReadError> {
        poll_fn(|context| self.poll_next(io, context)).await
    }

    /// Octets of the whole, if all of it has arrived.
    pub(crate) fn complete_length(&self) -> Option<u64> {
        let state = self.fill.state();
        (state.end == Some(Ok(()))).then_some(state.arrived)
    }

    /// Like [`Reader::next`], but does not wait: `None` when nothing more has arrived yet.
    pub(crate) fn next_at_once(&mut self) -> Option<Vec<Piece>> {
        let fill = Arc::clone(&self.fill);
        self.take(&mut fill.state()).ok().filter(|pieces| !pieces.is_empty())
    }

    fn poll_next<I: Io>(
        &mut self,
        io: &I,
        context: &Context<'_>,
    ) -> Poll<Result<Option<Vec<Piece>>, ReadError>> {
        let fill = Arc::clone(&self.fill);
        let mut state = fill.state();
        state.readers[self.slot] = self.octet;
        if state.overflowed {
            state.trim();
            if state.has_room()
                && let Some(fetcher) = state.fetcher.take()
            {
                fetcher.wake();
            }
        }
        let pieces = match self.take(&mut state) {
            Ok(pieces) => pieces,
            Err(lapped) => return Poll::Ready(Err(lapped)),
        };
        if !pieces.is_empty() {
            return Poll::Ready(Ok(Some(pieces)));
        }
        match state.end {
            Some(Ok(())) => Poll::Ready(Ok(None)),
            Some(Err(failure)) => Poll::Ready(Err(ReadError::Failed(failure))),
            None => pend(&mut state, io, context),
        }
    }

    fn take(&mut self, state: &mut State) -> Result<Vec<Piece>, ReadError> {
        if self.octet < state.first_octet {
            return Err(ReadError::Lapped);
        }
        let is_behind = |(start, piece): &(u64, Piece)| start + piece.len() as u64 <= self.octet;
        let first = state.pieces.partition_point(is_behind);
        let mut pieces = Vec::new();
        let last_octet = self.octet + OCTETS_AT_ONCE_MAX;
        for (start, piece) in state.pieces.iter().skip(first).take(PIECES_AT_ONCE_MAX) {
            if self.octet >= last_octet {
                break;
            }
            // The first may have become part of a larger one since what is before it was taken.
            let taken = usize::try_from(self.octet - start).unwrap_or(usize::MAX);
            pieces.push(piece.slice(taken..piece.len()));
            self.octet = start + piece.len() as u64;
        }
        Ok(pieces)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.fill.state();
        state.readers.remove(self.slot);
        let fetcher = state.fetcher.take();
        drop(state);
        if let Some(fetcher) = fetcher {
            fetcher.wake();
        }
    }
}
