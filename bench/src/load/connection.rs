//! One connection: what it is doing, which requests it waits for, and what has come of the next response.

use super::expected::Expected;
use super::response::{Answer, Malformed, Reader, Step};
use super::tally::{Moments, Tally};
use std::collections::VecDeque;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// There is none.
    Closed,
    /// It is being made.
    Opening,
    /// It waits for something to do.
    Idle,
    /// Requests are under way.
    Busy,
    /// Its last response has come; the server closes it.
    Ending,
}

/// How octets are received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receive {
    /// Not now.
    None,
    /// Whatever comes, as it comes.
    Always,
    /// The same, but it has been told to end.
    Stopping,
    /// Once.
    Once,
}

/// A request that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    /// When it was started, or should have been.
    pub(super) start: u64,
    /// What must come back, when that is checked.
    pub(super) expected: Option<Expected>,
}

/// What octets have led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// More must come.
    Waiting,
    /// All requests are answered.
    Done,
    /// The server will close the connection.
    Last,
}

/// A place for connections, one after the other.
#[derive(Debug)]
pub(super) struct Connection {
    /// Which of them, so that what completes late is not taken for the next one's.
    pub(super) generation: u32,
    pub(super) phase: Phase,
    pub(super) receive: Receive,
    /// It is in the queue of those that can take a request, whatever becomes of it meanwhile.
    pub(super) queued: bool,
    /// Large contents come: they are received once, then discarded.
    pub(super) large: bool,
    pub(super) reader: Reader,
    pub(super) pending: VecDeque<Pending>,
    /// Requests sent on this connection.
    pub(super) sent: u64,
    /// When it was last heard of, or began to be busy.
    pub(super) since: u64,
    /// When a slow reader may read again.
    pub(super) read_from: u64,
    /// When the first octet of the response under way came.
    first: u64,
    /// Octets of its content so far.
    offset: u64,
    /// Whether these are as they must be.
    right: bool,
}

impl Connection {
    pub(super) fn new(pipeline: usize) -> Self {
        Self {
            generation: 0,
            phase: Phase::Closed,
            receive: Receive::None,
            queued: false,
            large: false,
            reader: Reader::default(),
            pending: VecDeque::with_capacity(pipeline),
            sent: 0,
            since: 0,
            read_from: 0,
            first: 0,
            offset: 0,
            right: true,
        }
    }

    /// Forgets the connection that was.
    pub(super) fn reset(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.phase = Phase::Closed;
        self.receive = Receive::None;
        self.large = false;
        self.reader.reset();
        self.pending.clear();
        self.sent = 0;
        self.begin_response();
    }

    /// `octets` came at `now`.
    pub(super) fn read(
        &mut self,
        octets: &[u8],
        now: u64,
        tally: &mut Tally,
    ) -> Result<Fate, Malformed> {
        tally.received(octets.len());
        self.since = now;
        let mut rest = octets;
        let mut fate = Fate::Waiting;
        while !rest.is_empty() {
            if self.pending.is_empty() {
                return Err(Malformed::UNASKED);
            }
            if self.reader.is_before_response() {
                self.first = now;
            }
            let step = self.reader.feed(rest)?;
            if let Some(Pending { expected: Some(expected), .. }) = self.pending.front() {
                let content = &rest[step.content.clone()];
                self.right &= expected.are(self.offset, content);
            }
            rest = &rest[step.used..];
            fate = self.step(&step, tally);
        }
        Ok(fate)
    }

    /// `octets` of content came at `now` that nobody looks at.
    pub(super) fn skip(&mut self, octets: usize, now: u64, tally: &mut Tally) -> Fate {
        tally.received(octets);
        self.since = now;
        let step = self.reader.skip(octets);
        self.step(&step, tally)
    }

    /// The server has closed the connection; which may be how a response ends.
    pub(super) fn end(&mut self, tally: &mut Tally) {
        if let Some(answer) = self.reader.end() {
            self.answered(answer, tally);
        }
    }

    fn step(&mut self, step: &Step, tally: &mut Tally) -> Fate {
        self.offset += step.content.len() as u64;
        match step.ended {
            None => Fate::Waiting,
            Some(answer) => {
                self.answered(answer, tally);
                match answer.close {
                    true => Fate::Last,
                    false if self.pending.is_empty() => Fate::Done,
                    false => Fate::Waiting,
                }
            }
        }
    }

    fn answered(&mut self, answer: Answer, tally: &mut Tally) {
        if let Some(pending) = self.pending.pop_front() {
            let size = pending.expected.and_then(|expected| expected.size);
            let whole = size.is_none_or(|size| size == self.offset);
            let moments = Moments { start: pending.start, first: self.first };
            tally.answered(moments, answer, self.right && whole);
        }
        self.begin_response();
    }

    fn begin_response(&mut self) {
        self.offset = 0;
        self.right = true;
    }
}
