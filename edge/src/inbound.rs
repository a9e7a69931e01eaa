//! What has arrived on a connection and is not yet used: heads, and the content behind them.

use crate::arena::BY_REFERENCE_OCTETS_MIN;
use crate::io::{IoError, Receive, Wait};
use crate::spare;
use bytes::Bytes;
use lastmile_http::chunked::{ChunkedDecoder, ChunkedStep};
use lastmile_http::framing::{Framing, FramingError};

/// Largest part of a content received in one go: big enough that a system call moves much, small enough that a
/// client sees it soon and that slow fetches hold little.
const PART_OCTETS_MAX: usize = 128 * 1024;
/// A buffer at least this full is kept as it is; one less full is copied, so that waste stays under an eighth.
const FULL_EIGHTHS: usize = 7;
/// A part of this size is not copied, however full its buffer is: it goes into the arena soon, or to a client.
const LARGE_OCTETS_MIN: usize = BY_REFERENCE_OCTETS_MIN;

/// Octets received and not yet consumed. Without any it holds no memory.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    octets: Vec<u8>,
    start: usize,
    /// A buffer for the next part of a content that is not short, while one is read.
    spare: Vec<u8>,
}

impl Inbound {
    /// Takes back a part whose octets have been put elsewhere, for the next part to be received into.
    pub(crate) fn recycle(&mut self, part: Bytes) {
        if let Ok(mut part) = part.try_into_mut() {
            part.clear();
            self.spare = Vec::from(part);
        }
    }

    /// A buffer for a part of at most `limit` octets.
    fn buffer(&mut self, limit: usize) -> Vec<u8> {
        let wanted = limit.min(PART_OCTETS_MAX);
        let mut spare = core::mem::take(&mut self.spare);
        spare.clear();
        // One with more space than what is wanted would take octets of the next message.
        let is_fit = spare.capacity() >= wanted && spare.capacity() <= limit;
        if is_fit { spare } else { Vec::with_capacity(wanted) }
    }

    pub(crate) fn unread(&self) -> &[u8] {
        &self.octets[self.start..]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.octets.len()
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        if self.is_empty() {
            self.start = 0;
            spare::give(core::mem::take(&mut self.octets));
        }
    }

    /// Receives more behind what is there; the count is 0 at the end of the stream. The caller bounds how much it
    /// lets gather.
    pub(crate) async fn receive<R: Receive>(
        &mut self,
        receiver: &mut R,
        wait: Wait,
    ) -> Result<usize, IoError> {
        let lease = receiver.receive(wait).await?;
        if self.octets.capacity() == 0 {
            self.octets = spare::take();
        }
        if self.start > 0 {
            self.octets.drain(..self.start);
            self.start = 0;
        }
        self.octets.extend_from_slice(&lease);
        Ok(lease.len())
    }
}

/// Why content did not arrive whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentError {
    /// The connection failed.
    Io(IoError),
    /// The stream ended before the content did.
    Truncated,
    /// The chunked coding is malformed.
    Framing(FramingError),
}

/// The content of one message, read part by part (RFC 9112 §6).
#[derive(Debug)]
pub(crate) enum Content {
    /// This many octets are still to come.
    Length(u64),
    /// Chunks are still to come.
    Chunked(ChunkedDecoder),
    /// Everything until the end of the stream.
    UntilClose,
    /// All has been read.
    Done,
}

impl Content {
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::None | Framing::Length(0) => Self::Done,
            Framing::Length(octets) => Self::Length(octets),
            Framing::Chunked => Self::Chunked(ChunkedDecoder::default()),
            Framing::UntilClose => Self::UntilClose,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// The next part; `None` when the content is complete. What follows the content stays in `inbound`.
    pub(crate) async fn next<R: Receive>(
        &mut self,
        inbound: &mut Inbound,
        receiver: &mut R,
        wait: Wait,
    ) -> Result<Option<Bytes>, ContentError> {
        let part = self.next_part(inbound, receiver, wait).await;
        if self.is_done() {
            inbound.spare = Vec::new();
        }
        part
    }

    async fn next_part<R: Receive>(
        &mut self,
        inbound: &mut Inbound,
        receiver: &mut R,
        wait: Wait,
    ) -> Result<Option<Bytes>, ContentError> {
        match self {
            Self::Done => Ok(None),
            Self::Length(remaining) => {
                let capacity = usize::try_from(*remaining).unwrap_or(usize::MAX);
                let part = next_octets(inbound, receiver, capacity, wait).await?;
                if part.is_empty() {
                    return Err(ContentError::Truncated);
                }
                *remaining -= part.len() as u64;
                if *remaining == 0 {
                    *self = Self::Done;
                }
                Ok(Some(part))
            }
            Self::UntilClose => {
                let part = next_octets(inbound, receiver, usize::MAX, wait).await?;
                if part.is_empty() {
                    *self = Self::Done;
                    return Ok(None);
                }
                Ok(Some(part))
            }
            Self::Chunked(decoder) => {
                let (part, ended) = next_chunked(decoder, inbound, receiver, wait).await?;
                if ended {
                    *self = Self::Done;
                }
                Ok((!part.is_empty()).then(|| Bytes::from(part)))
            }
        }
    }
}

/// At most `limit` octets as they come, first of what is already there; empty at the end of the stream.
async fn next_octets<R: Receive>(
    inbound: &mut Inbound,
    receiver: &mut R,
    limit: usize,
    wait: Wait,
) -> Result<Bytes, ContentError> {
    if !inbound.is_empty() {
        let count = inbound.unread().len().min(limit);
        let part = Bytes::copy_from_slice(&inbound.unread()[..count]);
        inbound.consume(count);
        return Ok(part);
    }
    let buffer = inbound.buffer(limit);
    let (received, mut buffer) = receiver.receive_into(buffer, wait).await;
    received.map_err(ContentError::Io)?;
    if buffer.len() > limit {
        // An allocator may round a capacity up: what lies behind the content belongs to the next message.
        inbound.octets.extend_from_slice(&buffer[limit..]);
        buffer.truncate(limit);
    }
    if is_full(buffer.len(), buffer.capacity()) || buffer.len() >= LARGE_OCTETS_MIN {
        return Ok(Bytes::from(buffer));
    }
    let part = Bytes::copy_from_slice(&buffer);
    inbound.spare = buffer;
    Ok(part)
}

fn is_full(octets: usize, capacity: usize) -> bool {
    octets >= capacity / 8 * FULL_EIGHTHS
}

/// The same octets in an allocation that is not much larger, for a part that is kept.
pub(crate) fn tight(part: Bytes) -> Bytes {
    let is_tight = part.len() < LARGE_OCTETS_MIN || is_full(part.len(), PART_OCTETS_MAX);
    if is_tight { part } else { Bytes::copy_from_slice(&part) }
}

/// What has arrived of the content, empty only at its end; and whether that was the end.
async fn next_chunked<R: Receive>(
    decoder: &mut ChunkedDecoder,
    inbound: &mut Inbound,
    receiver: &mut R,
    wait: Wait,
) -> Result<(Vec<u8>, bool), ContentError> {
    let mut part = Vec::new();
    loop {
        while !inbound.is_empty() {
            match decoder.decode(inbound.unread()).map_err(ContentError::Framing)? {
                ChunkedStep::Data { start, end } => {
                    part.extend_from_slice(&inbound.unread()[start..end]);
                    inbound.consume(end);
                }
                ChunkedStep::NeedMore => inbound.consume(inbound.unread().len()),
                ChunkedStep::End { consumed } => {
                    inbound.consume(consumed);
                    return Ok((part, true));
                }
            }
        }
        if !part.is_empty() {
            return Ok((part, false));
        }
        if inbound.receive(receiver, wait).await.map_err(ContentError::Io)? == 0 {
            return Err(ContentError::Truncated);
        }
    }
}
