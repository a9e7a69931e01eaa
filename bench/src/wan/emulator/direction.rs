//! One direction of a link: packets are read from one device, and written to the other.

use super::device::Device;
use super::measurement::Counts;
use super::recorder::Recorder;
use super::transit::{Transit, UNDER_WAY_MAX, UnderWay};
use crate::wan::capture::Event;
use crate::wan::link::{Conditions, DropReason, Fate, Link};
use hdrhistogram::Histogram;
use rustix::io::Errno;
use std::io;
use std::sync::Arc;

/// Buffers that are kept for packets to come: 12 MB of the usual MTU, enough for 1 Gbit/s over 0.1 s. More are given
/// back, and must be cleared by the kernel when they are needed again.
const BUFFERS_KEPT_MAX: usize = 8_192;

/// A direction.
pub(super) struct Direction {
    /// Its place among all.
    at: usize,
    from: Arc<Device>,
    to: Arc<Device>,
    link: Link,
    transit: Transit,
    counts: Counts,
    /// Packets that have entered, ever.
    number: u64,
    buffers: Vec<Box<[u8]>>,
}

impl Direction {
    pub(super) fn new(
        at: usize,
        [from, to]: [&Arc<Device>; 2],
        conditions: Conditions,
        seed: u64,
    ) -> Self {
        Self {
            at,
            from: Arc::clone(from),
            to: Arc::clone(to),
            link: Link::new(conditions, seed),
            transit: Transit::default(),
            counts: Counts::default(),
            number: 0,
            buffers: Vec::new(),
        }
    }

    pub(super) fn set(&mut self, conditions: Conditions, now_ns: u64) {
        self.link.set(conditions, now_ns);
    }

    pub(super) fn begin(&mut self, now_ns: u64) {
        self.link.begin(now_ns);
        self.link.forget_queue_max();
        self.counts = Counts::default();
    }

    pub(super) fn counts(&self) -> Counts {
        Counts { under_way: self.transit.copies(), queue_max: self.link.queue_max(), ..self.counts }
    }

    pub(super) fn next_due_ns(&self) -> Option<u64> {
        self.transit.next_due_ns()
    }

    /// Takes a packet that has come, and returns when the next one of this direction is due; `None` if none has come.
    pub(super) fn receive(
        &mut self,
        now_ns: u64,
        recorder: &mut Option<Recorder>,
    ) -> io::Result<Option<u64>> {
        let mut buffer = self.buffers.pop().unwrap_or_else(|| vec![0; self.from.mtu_octets].into());
        let octets = match rustix::io::read(&*self.from, &mut *buffer) {
            Ok(octets) => octets,
            Err(error) => {
                self.keep(buffer);
                return match error {
                    Errno::AGAIN | Errno::INTR => Ok(None),
                    other => Err(self.from.failed(other)),
                };
            }
        };
        self.counts.entered += 1;
        self.counts.octets += octets as u64;
        let packet = &buffer[..octets];
        let fate = match self.link.enter(now_ns, packet) {
            Fate::Arrives(_) | Fate::Duplicated(_) if self.transit.len() >= UNDER_WAY_MAX => {
                Fate::Dropped(DropReason::Overflowed)
            }
            fate => fate,
        };
        let event = match fate {
            Fate::Arrives(_) | Fate::Duplicated(_) => Event::Entered,
            Fate::Dropped(reason) => reason.event(),
        };
        if let Some(recorder) = recorder {
            recorder.record(now_ns, self.at, event, packet);
        }
        match fate {
            Fate::Arrives(due_ns) => self.send(due_ns, 1, octets, buffer),
            Fate::Duplicated(due_ns) => self.send(due_ns, 2, octets, buffer),
            Fate::Dropped(reason) => {
                self.counts.count(reason);
                self.keep(buffer);
            }
        }
        Ok(Some(self.next_due_ns().unwrap_or(u64::MAX)))
    }

    fn send(&mut self, due_ns: u64, copies: u8, octets: usize, buffer: Box<[u8]>) {
        self.counts.duplicated += u64::from(copies - 1);
        self.number += 1;
        let number = self.number;
        self.transit.add(UnderWay { due_ns, number, copies, octets, buffer });
    }

    /// Delivers the next packet, if it is due.
    pub(super) fn deliver(
        &mut self,
        now_ns: u64,
        lateness_ns: &mut Histogram<u64>,
        recorder: &mut Option<Recorder>,
    ) -> io::Result<()> {
        let Some(packet) = self.transit.take_due(now_ns) else { return Ok(()) };
        lateness_ns.saturating_record(now_ns - packet.due_ns);
        for _ in 0..packet.copies {
            match rustix::io::write(&*self.to, packet.packet()) {
                Ok(_) => {
                    self.counts.arrived += 1;
                    if let Some(recorder) = recorder {
                        recorder.record(now_ns, self.at, Event::Arrived, packet.packet());
                    }
                }
                Err(Errno::BADFD) => return Err(self.to.failed(Errno::BADFD)),
                // Its host does not want it, as one whose device is down.
                Err(_) => self.counts.refused += 1,
            }
        }
        self.keep(packet.buffer);
        Ok(())
    }

    fn keep(&mut self, buffer: Box<[u8]>) {
        if self.buffers.len() < BUFFERS_KEPT_MAX {
            self.buffers.push(buffer);
        }
    }
}
