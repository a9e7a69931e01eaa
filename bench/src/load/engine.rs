//! The loop of one thread of load: requests go out when they are due and a connection is free, whatever comes back is
//! read, and what takes too long is given up.
//!
//! `opening`: connections; `outgoing`: the octets of requests; `completion`: what the ring tells; `timers`: what waits
//! for a time.

mod completion;
mod opening;
mod outgoing;
mod timers;

use super::connection::{Connection, Pending, Phase, Receive};
use super::schedule::Schedule;
use super::tally::Tally;
use super::{Load, Outcome, Progress};
use crate::error::BenchError;
use crate::ring::{Done, Order, Ring, Setup};
use completion::{Op, tag};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use opening::{OPENING_MAX, OPTIONS, port_ranges};
use outgoing::Outgoing;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use timers::{Timers, Wake};

/// Between two looks at what takes too long, and at whether to stop.
const TICK_NS: u64 = 100_000_000;

/// How long requests that are under way at the end may take to be counted.
const DRAIN_NS_MAX: u64 = 1_000_000_000;

/// How long a connection that failed stays closed: a server in trouble is not asked as fast as we can.
const BACKOFF_NS: u64 = 100_000_000;

/// Bounds of the number of receive buffers: one for each connection that has something at a time would be best, but
/// few are faster to reach than many.
const BUFFERS: (usize, usize) = (64, 1024);

/// Octets of a receive buffer: heads with small contents; and when all of a content is looked at.
const BUFFER_OCTETS: usize = 4096;
const BUFFER_OCTETS_CHECK: usize = 16 * 1024;

/// How often in a second a slow reader reads.
const SLOW_READS: u64 = 20;

/// The engine of one thread.
#[derive(Debug)]
pub(super) struct Engine<'a> {
    load: &'a Load,
    ring: Ring,
    outgoing: Outgoing,
    /// Ranges of ports, which follow [`OPTIONS`].
    ranges: usize,
    schedule: Schedule,
    tally: Tally,
    timers: Timers,
    connections: Vec<Connection>,
    /// Those that can take a request, the one that has waited longest first.
    free: VecDeque<u32>,
    /// Those to be made when there is room, without a request.
    wanted: VecDeque<u32>,
    opening: usize,
    open: usize,
    /// Requests that are under way.
    pending: u64,
    started: Instant,
    /// ns since `started`, read once in each turn of the loop.
    now: u64,
    /// When the last request may start.
    end: u64,
}

impl<'a> Engine<'a> {
    /// Number `part` of the threads of `load`, which makes sense.
    pub(super) fn new(load: &'a Load, part: usize) -> Result<Self, BenchError> {
        let mut octets = Vec::new();
        let outgoing = Outgoing::new(load, part, &mut octets)?;
        let buffers = load.connections.next_power_of_two().clamp(BUFFERS.0, BUFFERS.1);
        let setup = Setup {
            slots: number(load.connections),
            buffers: u16::try_from(buffers).unwrap_or(1),
            buffer_octets: if load.check { BUFFER_OCTETS_CHECK } else { BUFFER_OCTETS },
        };
        let ranges = port_ranges(load.connections);
        let values = [&OPTIONS[..], &ranges[..]].concat().into_boxed_slice();
        let ring = Ring::new(setup, octets.into_boxed_slice(), Some(load.address), values)
            .map_err(|error| BenchError::Io(crate::ring::NEEDED, error))?;
        let start = nanoseconds(load.warmup);
        let end = start + nanoseconds(load.duration);
        let mut engine = Self {
            load,
            ring,
            outgoing,
            ranges: ranges.len(),
            schedule: Schedule::new(load.rate, end),
            tally: Tally::new(start..end),
            timers: Timers::default(),
            connections: (0..load.connections).map(|_| Connection::new(load.pipeline)).collect(),
            free: VecDeque::with_capacity(load.connections),
            wanted: VecDeque::new(),
            opening: 0,
            open: 0,
            pending: 0,
            started: Instant::now(),
            now: 0,
            end,
        };
        (0..setup.slots).for_each(|index| engine.reopen(index));
        Ok(engine)
    }

    /// All of the load.
    pub(super) fn run(
        mut self,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Outcome, BenchError> {
        // Waits of some us are 50 us longer with the usual slack, which an open loop would count as latency.
        let _ = nix::sys::prctl::set_timerslack(1);
        let mut done = Vec::new();
        self.connect_all(stop, progress, &mut done)?;
        let mut next_tick = TICK_NS;
        let mut used = None;
        loop {
            if self.now >= next_tick {
                next_tick = self.now + TICK_NS;
                self.give_up_late();
                progress(&self.progress());
                if stop.load(Ordering::Relaxed) {
                    self.tally.outcome.stopped = true;
                    break;
                }
            }
            if used.is_none() && self.now >= nanoseconds(self.load.warmup) {
                used = Some((cpu_time(), self.now));
            }
            if self.is_over() {
                break;
            }
            self.start_what_is_due();
            let at_most = self.next_moment(next_tick).saturating_sub(self.now);
            self.turn(Duration::from_nanos(at_most), &mut done)?;
        }
        Ok(self.finish(used))
    }

    /// Hands over what is to be done, waits, and works off what has completed.
    fn turn(&mut self, at_most: Duration, done: &mut Vec<Done>) -> Result<(), BenchError> {
        self.ring.wait(at_most).map_err(|error| BenchError::Io("io_uring", error))?;
        self.now = nanoseconds(self.started.elapsed());
        self.tally.at(self.now);
        self.ring.completed(done);
        for done in done.drain(..) {
            self.complete(done);
        }
        self.ring.publish();
        Ok(())
    }

    fn is_over(&self) -> bool {
        let drain = nanoseconds(self.load.timeout).min(DRAIN_NS_MAX);
        self.now >= self.end && (self.pending == 0 || self.now >= self.end + drain)
    }

    /// When there is something to do even if nothing completes.
    fn next_moment(&self, next_tick: u64) -> u64 {
        let mut next = next_tick;
        if self.now < self.end {
            next = next.min(self.end);
        }
        if let Some(timer) = self.timers.next() {
            next = next.min(timer);
        }
        if !self.free.is_empty()
            && let Some(due) = self.schedule.next(self.now)
        {
            next = next.min(due);
        }
        next
    }

    fn start_what_is_due(&mut self) {
        while let Some((index, generation, wake)) = self.timers.due(self.now) {
            if self.connections[index as usize].generation == generation {
                match wake {
                    Wake::Request => self.queue(index),
                    Wake::Read => self.receive(index),
                    Wake::Open => self.reopen(index),
                }
            }
        }
        if self.now >= self.end {
            return;
        }
        self.open_wanted();
        while let Some(&index) = self.free.front() {
            let requests = self.schedule.due(self.now, self.load.pipeline);
            let closed = self.connections[index as usize].phase == Phase::Closed;
            if requests == 0 || (closed && self.opening >= OPENING_MAX) {
                break;
            }
            self.free.pop_front();
            self.connections[index as usize].queued = false;
            self.begin(index, requests);
        }
    }

    /// Sends the next `requests` on a connection that is free, or fewer when it may not have so many.
    fn begin(&mut self, index: u32, requests: usize) {
        let connection = &mut self.connections[index as usize];
        let left = self.load.requests_per_connection.map(|all| all - connection.sent);
        let requests =
            left.map_or(requests, |left| usize::try_from(left).unwrap_or(usize::MAX).min(requests));
        connection.sent += requests as u64;
        let last = self.load.requests_per_connection == Some(connection.sent);
        let octets = self.ring.outgoing_mut();
        let part = self.outgoing.write(octets, index, requests, last, |expected| {
            let start = self.schedule.start(self.now);
            connection.pending.push_back(Pending { start, expected });
        });
        connection.since = self.now;
        self.pending += requests as u64;
        let sending = tag(Op::Send, connection.generation, index);
        if connection.phase == Phase::Closed {
            self.open(index, true);
            self.ring.send(index, part, Order::Chained, sending);
            self.receive(index);
        } else {
            connection.phase = Phase::Busy;
            self.ring.send(index, part, Order::Alone, sending);
        }
    }

    /// A connection has nothing to do: it asks again, now or after some time, or never.
    fn rest(&mut self, index: u32) {
        let connection = &mut self.connections[index as usize];
        if connection.phase != Phase::Closed {
            connection.phase = Phase::Idle;
            if self.load.requests_per_connection == Some(connection.sent) {
                // It was told to end with this one.
                connection.phase = Phase::Ending;
                return;
            }
        }
        if self.load.hold && connection.sent > 0 {
            return;
        }
        if self.load.think.is_zero() || connection.sent == 0 && connection.phase == Phase::Idle {
            self.queue(index);
        } else {
            let then = self.now + nanoseconds(self.load.think);
            self.timers.set(then, index, connection.generation, Wake::Request);
        }
    }

    /// Asks for what comes next on a connection, unless that is under way or it is too early for a slow reader.
    fn receive(&mut self, index: u32) {
        let connection = &mut self.connections[index as usize];
        if connection.receive != Receive::None {
            return;
        }
        let left = u32::try_from(connection.reader.content_left()).unwrap_or(u32::MAX);
        let tag = |op| tag(op, connection.generation, index);
        if let Some(rate) = self.load.read_rate {
            if connection.read_from > self.now {
                let at = connection.read_from;
                self.timers.set(at, index, connection.generation, Wake::Read);
                return;
            }
            let octets = u32::try_from(rate / SLOW_READS).unwrap_or(u32::MAX).max(1);
            self.ring.receive_once(index, octets, tag(Op::Receive));
            connection.receive = Receive::Once;
        } else if !connection.large {
            self.ring.receive(index, tag(Op::Receive));
            connection.receive = Receive::Always;
        } else {
            if left > 0 {
                self.ring.discard(index, left, tag(Op::Discard));
            } else {
                self.ring.receive_once(index, u32::MAX, tag(Op::Receive));
            }
            connection.receive = Receive::Once;
        }
    }

    /// It can take a request.
    fn queue(&mut self, index: u32) {
        let queued = std::mem::replace(&mut self.connections[index as usize].queued, true);
        if !queued {
            self.free.push_back(index);
        }
    }

    /// Gives up connections on which nothing has come for too long.
    fn give_up_late(&mut self) {
        let timeout = nanoseconds(self.load.timeout);
        for index in 0..number(self.connections.len()) {
            let connection = &self.connections[index as usize];
            let late = connection.since + timeout <= self.now;
            match connection.phase {
                Phase::Opening if late => self.fail(index, |errors| &mut errors.connect),
                Phase::Busy | Phase::Ending if late => {
                    self.fail(index, |errors| &mut errors.timeout);
                }
                Phase::Opening | Phase::Busy | Phase::Ending | Phase::Closed | Phase::Idle => {}
            }
        }
    }

    fn progress(&self) -> Progress {
        let outcome = &self.tally.outcome;
        Progress {
            elapsed: Duration::from_nanos(self.now),
            open: self.open,
            answered: outcome.answered,
            octets: outcome.octets,
            errors: outcome.errors.total(),
        }
    }

    /// `used`: our CPU time at the beginning of the window, and when that was.
    fn finish(mut self, used: Option<(Duration, u64)>) -> Outcome {
        if self.ranges > 0 {
            self.reset_all();
        }
        let mut outcome = self.tally.finish(self.now);
        if let Some((before, since)) = used {
            let elapsed = Duration::from_nanos(self.now - since).as_secs_f64();
            let used = cpu_time().saturating_sub(before).as_secs_f64();
            outcome.busy = if elapsed > 0.0 { used / elapsed } else { 0.0 };
        }
        outcome.unfinished = self.pending;
        outcome.unstarted = self.schedule.unstarted(self.now);
        outcome
    }
}

/// CPU time of this thread so far.
fn cpu_time() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_THREAD) else { return Duration::ZERO };
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(microseconds.unsigned_abs())
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// A count of connections as the ring numbers its sockets.
fn number(count: usize) -> u32 {
    u32::try_from(count).expect("connections are bounded")
}
