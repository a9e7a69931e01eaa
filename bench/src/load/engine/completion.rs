//! What the ring tells: a connection was made, octets came, or something failed.

use super::timers::Wake;
use super::{BACKOFF_NS, Engine};
use crate::load::connection::{Fate, Phase, Receive};
use crate::load::outcome::Errors;
use crate::ring::{Done, Tag};
use std::io;

/// Octets of content that are worth a change of ways: from here on discarding them is cheaper than receiving them.
const LARGE_OCTETS: u64 = 64 * 1024;

/// What was asked for, as a tag tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Open,
    Connect,
    Send,
    Receive,
    Discard,
    /// Nobody waits for it.
    End,
}

const OPS: [Op; 6] = [Op::Open, Op::Connect, Op::Send, Op::Receive, Op::Discard, Op::End];

/// The tag of what is asked for of a connection.
pub(super) fn tag(op: Op, generation: u32, index: u32) -> Tag {
    Tag::new(op as u8, generation, index)
}

impl Engine<'_> {
    pub(super) fn complete(&mut self, done: Done) {
        let index = done.tag.slot;
        let op = OPS[usize::from(done.tag.op) % OPS.len()];
        let generation = self.connections[index as usize].generation;
        if tag(op, generation, index) == done.tag {
            match op {
                Op::Receive => self.received(index, &done),
                Op::Discard => self.discarded(index, done.result),
                Op::Connect if done.result >= 0 => self.connected(index),
                Op::Open | Op::Connect => {
                    let why = io::Error::from_raw_os_error(-done.result);
                    self.tally.outcome.connect_error.get_or_insert_with(|| why.to_string());
                    self.fail(index, |errors| &mut errors.connect);
                }
                Op::Send => self.broken(index, done.result),
                Op::End => {}
            }
        }
        if let Some(buffer) = done.buffer {
            self.ring.recycle(buffer);
        }
    }

    fn connected(&mut self, index: u32) {
        self.opening -= 1;
        self.open += 1;
        self.tally.outcome.connections += 1;
        let connection = &mut self.connections[index as usize];
        if connection.pending.is_empty() {
            connection.phase = Phase::Idle;
            self.receive(index);
            self.rest(index);
        } else {
            connection.phase = Phase::Busy;
        }
    }

    fn received(&mut self, index: u32, done: &Done) {
        let connection = &mut self.connections[index as usize];
        if !done.more {
            connection.receive = Receive::None;
        }
        match (done.result, done.buffer) {
            (0, _) => self.ended(index),
            (result, Some(buffer)) if result > 0 => {
                let length = usize::try_from(result).unwrap_or(0);
                let octets = self.ring.octets(buffer, length);
                let before = connection.pending.len();
                let fate = connection.read(octets, self.now, &mut self.tally);
                self.pending -= (before - connection.pending.len()) as u64;
                if let Some(rate) = self.load.read_rate {
                    let pause = length as u64 * 1_000_000_000 / rate;
                    connection.read_from = connection.read_from.max(self.now) + pause;
                }
                match fate {
                    Ok(fate) => self.go_on(index, fate),
                    Err(_) => self.fail(index, |errors| &mut errors.malformed),
                }
            }
            // Out of buffers, or told to end: it goes on the way that is right now.
            (result, _) if result == -libc::ENOBUFS || result == -libc::ECANCELED => {
                self.receive(index);
            }
            (result, _) => self.broken(index, result),
        }
    }

    fn discarded(&mut self, index: u32, result: i32) {
        let connection = &mut self.connections[index as usize];
        connection.receive = Receive::None;
        match usize::try_from(result) {
            Ok(0) => self.ended(index),
            Ok(octets) => {
                let before = connection.pending.len();
                let fate = connection.skip(octets, self.now, &mut self.tally);
                self.pending -= (before - connection.pending.len()) as u64;
                self.go_on(index, fate);
            }
            Err(_) => self.broken(index, result),
        }
    }

    /// Octets were understood; what comes next.
    fn go_on(&mut self, index: u32, fate: Fate) {
        let connection = &mut self.connections[index as usize];
        match fate {
            Fate::Waiting if !self.load.check && connection.receive == Receive::Always => {
                if connection.reader.content_left() >= LARGE_OCTETS {
                    connection.large = true;
                    connection.receive = Receive::Stopping;
                    let generation = connection.generation;
                    let (of, own) =
                        (tag(Op::Receive, generation, index), tag(Op::End, generation, index));
                    self.ring.cancel(of, own);
                }
            }
            Fate::Waiting => {}
            Fate::Done => self.rest(index),
            Fate::Last => {
                // What was asked for beyond it will not be answered.
                self.lose(index, |errors| &mut errors.closed);
                self.connections[index as usize].phase = Phase::Ending;
            }
        }
        self.receive(index);
    }

    /// The server has closed the connection.
    fn ended(&mut self, index: u32) {
        let connection = &mut self.connections[index as usize];
        let before = connection.pending.len();
        connection.end(&mut self.tally);
        self.pending -= (before - connection.pending.len()) as u64;
        if !connection.pending.is_empty() {
            return self.fail(index, |errors| &mut errors.closed);
        }
        self.close(index);
        if self.now < self.end {
            self.reopen(index);
        }
    }

    /// The kernel says that the connection is no more.
    fn broken(&mut self, index: u32, result: i32) {
        match -result {
            libc::ETIMEDOUT => self.fail(index, |errors| &mut errors.timeout),
            libc::EPIPE => self.fail(index, |errors| &mut errors.closed),
            _ => self.fail(index, |errors| &mut errors.reset),
        }
    }

    /// Gives a connection up, and counts what was under way, or the connection itself if it was being made.
    pub(super) fn fail(&mut self, index: u32, kind: fn(&mut Errors) -> &mut u64) {
        let connection = &self.connections[index as usize];
        if connection.pending.is_empty() && connection.phase != Phase::Idle {
            *kind(self.tally.errors()) += 1;
        }
        self.lose(index, kind);
        self.ring.cancel_all(index, tag(Op::End, 0, index));
        self.close(index);
        let generation = self.connections[index as usize].generation;
        self.timers.set(self.now + BACKOFF_NS, index, generation, Wake::Open);
    }

    /// Counts the requests under way as errors.
    fn lose(&mut self, index: u32, kind: fn(&mut Errors) -> &mut u64) {
        let pending = &mut self.connections[index as usize].pending;
        *kind(self.tally.errors()) += pending.len() as u64;
        self.pending -= pending.len() as u64;
        pending.clear();
    }

    fn close(&mut self, index: u32) {
        let connection = &mut self.connections[index as usize];
        match connection.phase {
            Phase::Closed => {}
            Phase::Opening => self.opening -= 1,
            Phase::Idle | Phase::Busy | Phase::Ending => self.open -= 1,
        }
        connection.reset();
        self.ring.close(index, tag(Op::End, 0, index));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_is_found_by_its_number() {
        for (number, op) in OPS.iter().enumerate() {
            assert_eq!(number, usize::from(*op as u8));
        }
    }
}
