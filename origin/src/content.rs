//! The content of a response: streamed in slices with bounded memory, at a rate, up to a cut.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep};

use crate::journal::{Ending, Record};
use crate::synthetic;
use crate::wire::{Cut, Fate};

/// Octets made or read at a time. Smaller costs a thread hop more often, larger is memory per connection.
pub(crate) const SLICE_OCTETS_MAX: u64 = 128 * 1024;

/// At a limited rate, octets leave this many times a second: smooth for a reader, cheap for the timer.
const SLICES_PER_SECOND: u64 = 100;

/// A run of octets to send.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Octets at hand.
    Octets(Bytes),
    /// These offsets of a file.
    File(Arc<File>, Range<u64>),
    /// These offsets of the synthetic object with this seed.
    Synthetic(u64, Range<u64>),
    /// The content of the request, as it arrives.
    Request(Incoming),
}

/// How the end of the content is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Framing {
    /// Content-Length; chunked where the size is not known.
    #[default]
    Length,
    /// Chunked; for a client of HTTP/1.0, until the connection closes.
    Chunked,
    /// Until the connection closes, said in HTTP/1.0.
    UntilClose,
}

/// How the content is sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) framing: Framing,
    /// Octets per second.
    pub(crate) rate: Option<u64>,
    /// Octets of a slice, and so of a chunk, at most.
    pub(crate) slice: Option<u64>,
    /// After this many octets the connection ends in this way.
    pub(crate) cut: Option<(u64, Cut)>,
    /// After this many octets nothing is sent for this long.
    pub(crate) pause: Option<(u64, Duration)>,
}

/// The content of one response.
#[derive(Debug)]
pub(crate) struct Content {
    pieces: VecDeque<Piece>,
    announced: Option<u64>,
    plan: Plan,
    sent: u64,
    /// When the first octet was asked for, which is what the rate counts from.
    started: Option<Instant>,
    wait: Option<Pin<Box<Sleep>>>,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    /// Taken when the exchange has ended.
    record: Option<Record>,
    fate: Arc<Fate>,
}

impl Content {
    /// `announced` is the size to put into Content-Length, `None` for content that ends otherwise.
    pub(crate) fn new(
        pieces: Vec<Piece>,
        announced: Option<u64>,
        plan: Plan,
        record: Record,
        fate: Arc<Fate>,
    ) -> Self {
        let mut content = Self {
            pieces: pieces.into(),
            announced,
            plan,
            sent: 0,
            started: None,
            wait: None,
            reading: None,
            record: Some(record),
            fate,
        };
        content.discard_spent();
        content
    }

    /// Lets go of pieces that have given all their octets, so that the end is known as soon as the last one has left.
    fn discard_spent(&mut self) {
        while self.pieces.front().is_some_and(|piece| match piece {
            Piece::Octets(octets) => octets.is_empty(),
            Piece::File(_, range) | Piece::Synthetic(_, range) => range.is_empty(),
            Piece::Request(incoming) => incoming.is_end_stream(),
        }) {
            self.pieces.pop_front();
        }
    }

    fn finished(&self) -> bool {
        let whole = self.announced.is_some_and(|size| self.sent >= size);
        (self.pieces.is_empty() && self.reading.is_none()) || whole
    }

    fn sleep_until(&mut self, instant: Instant) {
        self.wait = Some(Box::pin(tokio::time::sleep_until(instant)));
    }

    /// Octets that may be sent now, or when more may be.
    fn quota(&mut self) -> Result<u64, Instant> {
        let mut quota = self.plan.slice.unwrap_or(SLICE_OCTETS_MAX).min(SLICE_OCTETS_MAX);
        let stops = [self.plan.cut.map(|(at, _)| at), self.plan.pause.map(|(at, _)| at)];
        for at in stops.into_iter().flatten() {
            quota = quota.min(at - self.sent);
        }
        let Some(rate) = self.plan.rate else { return Ok(quota) };
        quota = quota.min((rate / SLICES_PER_SECOND).max(1));
        let now = Instant::now();
        let started = *self.started.get_or_insert(now);
        // A slice is due when the rate has paid for all of it.
        let nanoseconds = u128::from(self.sent + quota) * 1_000_000_000 / u128::from(rate);
        let due = started + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        if due <= now { Ok(quota) } else { Err(due) }
    }

    /// The next octets, at most `quota`; `None` at the end.
    fn poll_octets(
        &mut self,
        quota: u64,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            if let Some(reading) = &mut self.reading {
                let result = ready!(Pin::new(reading).poll(context));
                self.reading = None;
                return Poll::Ready(Some(result.unwrap_or_else(|error| Err(error.into()))));
            }
            let Some(piece) = self.pieces.front_mut() else { return Poll::Ready(None) };
            match piece {
                Piece::Octets(octets) => {
                    let count = octets.len().min(as_size(quota));
                    return Poll::Ready(Some(Ok(octets.split_to(count))));
                }
                Piece::Synthetic(seed, range) => {
                    let mut octets = vec![0; as_size(quota.min(range.end - range.start))];
                    synthetic::fill(*seed, range.start, &mut octets);
                    range.start += octets.len() as u64;
                    return Poll::Ready(Some(Ok(octets.into())));
                }
                Piece::File(file, range) => {
                    let (file, start) = (Arc::clone(file), range.start);
                    let count = as_size(quota.min(range.end - range.start));
                    range.start += count as u64;
                    self.reading =
                        Some(tokio::task::spawn_blocking(move || read(&file, start, count)));
                }
                Piece::Request(incoming) => match ready!(Pin::new(incoming).poll_frame(context)) {
                    Some(Ok(frame)) => {
                        // Trailer fields are not returned.
                        let Ok(octets) = frame.into_data() else { continue };
                        if let Some(record) = &mut self.record {
                            record.entry().content_received += octets.len() as u64;
                        }
                        if !octets.is_empty() {
                            return Poll::Ready(Some(Ok(octets)));
                        }
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                    None => {
                        self.pieces.pop_front();
                        self.discard_spent();
                    }
                },
            }
        }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        loop {
            if let Some(wait) = &mut this.wait {
                ready!(wait.as_mut().poll(context));
                this.wait = None;
            }
            if let Some((at, cut)) = this.plan.cut
                && this.sent >= at
            {
                // hyper flushes what it has whenever the content is not ready; the wire then ends the connection.
                if let Some(record) = this.record.take() {
                    this.fate.cut(cut, Some(record));
                }
                return Poll::Pending;
            }
            if let Some((at, duration)) = this.plan.pause
                && this.sent >= at
            {
                this.plan.pause = None;
                this.fate.hold(duration);
                this.sleep_until(Instant::now() + duration);
                continue;
            }
            let quota = match this.quota() {
                Ok(quota) => quota,
                // Nothing is owed to the clock once everything has been sent.
                Err(_) if this.finished() => return Poll::Ready(None),
                Err(due) => {
                    this.sleep_until(due);
                    continue;
                }
            };
            let Some(result) = ready!(this.poll_octets(quota, context)) else {
                return Poll::Ready(None);
            };
            match (&result, this.record.take()) {
                (Ok(octets), Some(mut record)) => {
                    this.sent += octets.len() as u64;
                    record.entry().content_sent = this.sent;
                    this.record = Some(record);
                }
                (Err(_), Some(record)) => record.settle(Ending::Failed),
                (_, None) => {}
            }
            this.discard_spent();
            return Poll::Ready(Some(result.map(Frame::data)));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.finished() && self.plan.cut.is_none_or(|(at, _)| self.sent < at)
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        // hyper lets go of content that is complete as soon as it has all of it, and of any other when it gives up.
        let finished = self.finished();
        match self.record.take() {
            Some(record) if finished => self.fate.finish(record),
            other => drop(other),
        }
    }
}

/// Reads exactly `count` octets; a file that has become shorter is an error, so that the response is broken off.
fn read(file: &File, start: u64, count: usize) -> io::Result<Bytes> {
    let mut octets = vec![0; count];
    file.read_exact_at(&mut octets, start)?;
    Ok(octets.into())
}

fn as_size(octets: u64) -> usize {
    usize::try_from(octets).unwrap_or(usize::MAX)
}
