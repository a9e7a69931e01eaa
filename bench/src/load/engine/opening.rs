//! Connections: made before the clock starts or with a request, made again, and reset at the end when they are many.

use super::completion::{Op, tag};
use super::{Engine, TICK_NS, number};
use crate::error::BenchError;
use crate::load::Progress;
use crate::load::connection::Phase;
use crate::ring::{Done, Opt, Order};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Connections that are being made at a time: a fraction of the usual backlog of a listener (4096), so that no SYN is
/// dropped and sent again a second later.
pub(super) const OPENING_MAX: usize = 256;

/// Octets that a slow reader lets the kernel hold, or the server would never notice that it is slow.
const SLOW_BUFFER_OCTETS: u32 = 16 * 1024;

/// Connections from which on each looks for a port in a small range of its own. The kernel looks through all ports of
/// one parity before it takes one of the other; with most of these taken, each connection takes a millisecond.
const PORT_RANGES_FROM: usize = 8_000;

/// Ports of such a range.
const PORTS_OF_RANGE: u32 = 512;

/// Values of options, before the ranges of ports: the buffer of slow readers, and no lingering.
pub(super) const OPTIONS: [u32; 3] = [SLOW_BUFFER_OCTETS, 1, 0];

impl Engine<'_> {
    /// Makes the connections that there are from the beginning, or tries to, before the clock starts: otherwise those
    /// that are there would be busy, and an open loop behind, before all are.
    pub(super) fn connect_all(
        &mut self,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(&Progress),
        done: &mut Vec<Done>,
    ) -> Result<(), BenchError> {
        let mut next_tick = TICK_NS;
        while (!self.wanted.is_empty() || self.opening > 0) && !stop.load(Ordering::Relaxed) {
            if self.now >= next_tick {
                next_tick = self.now + TICK_NS;
                self.give_up_late();
                progress(&self.progress());
            }
            self.open_wanted();
            self.turn(Duration::from_nanos(next_tick.saturating_sub(self.now)), done)?;
        }
        (self.started, self.now) = (Instant::now(), 0);
        self.tally.at(0);
        self.connections.iter_mut().for_each(|connection| connection.since = 0);
        Ok(())
    }

    pub(super) fn open_wanted(&mut self) {
        while self.opening < OPENING_MAX
            && let Some(index) = self.wanted.pop_front()
        {
            if self.connections[index as usize].phase == Phase::Closed {
                self.open(index, false);
            }
        }
    }

    /// Makes a connection; `chained`: what it is for follows.
    pub(super) fn open(&mut self, index: u32, chained: bool) {
        let connection = &mut self.connections[index as usize];
        let tag = |op| tag(op, connection.generation, index);
        connection.phase = Phase::Opening;
        connection.since = self.now;
        connection.read_from = self.now;
        self.opening += 1;
        self.ring.room(6);
        self.ring.open(index, tag(Op::Open));
        if self.load.read_rate.is_some() {
            self.ring.set(index, Opt::ReceiveBuffer, 0, tag(Op::Open));
        }
        if self.ranges > 0 {
            // The next range after a failure: others may have ports of this one.
            let range = index as usize * self.ranges / self.load.connections;
            let range = (range + connection.generation as usize) % self.ranges;
            self.ring.set(index, Opt::LocalPorts, OPTIONS.len() + range, tag(Op::Open));
        }
        let order = if chained { Order::Chained } else { Order::Alone };
        self.ring.connect(index, order, tag(Op::Connect));
    }

    /// Makes a connection that is not there, has failed or was closed by the server: at once, or with its next request
    /// when there are only so many for each.
    pub(super) fn reopen(&mut self, index: u32) {
        let connection = &self.connections[index as usize];
        if connection.queued || connection.phase != Phase::Closed {
            return;
        }
        if self.load.requests_per_connection.is_some() {
            self.rest(index);
        } else {
            self.wanted.push_back(index);
        }
    }

    /// Many connections, closed as usual, would take all ports from whoever comes next for a minute (TIME_WAIT).
    pub(super) fn reset_all(&mut self) {
        for index in 0..number(self.connections.len()) {
            let connection = &self.connections[index as usize];
            if connection.phase != Phase::Closed {
                let tag = tag(Op::End, connection.generation, index);
                self.ring.room(2);
                self.ring.set(index, Opt::Linger, 1, tag);
                self.ring.close(index, tag);
            }
        }
        // What the kernel does not take is closed with the ring.
        let _ = self.ring.wait(Duration::ZERO);
    }
}

/// Ranges of local ports among which many connections are divided, as the option has them; none for few connections.
pub(super) fn port_ranges(connections: usize) -> Vec<u32> {
    if connections < PORT_RANGES_FROM {
        return Vec::new();
    }
    let text =
        std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut numbers = text.split_whitespace().filter_map(|number| number.parse::<u32>().ok());
    let (Some(first), Some(last)) = (numbers.next(), numbers.next()) else { return Vec::new() };
    let starts = (first..=last.saturating_sub(PORTS_OF_RANGE - 1)).step_by(PORTS_OF_RANGE as usize);
    starts.map(|start| ((start + PORTS_OF_RANGE - 1) << 16) | start).collect()
}
