//! The floor on io_uring itself.

use super::answers::{Answers, Matched};
use crate::error::BenchError;
use crate::ring::{Done, Order, Ring, Setup, Tag};
use std::io;
use std::net::TcpListener;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

/// Connections at a time; fewer where fewer descriptors are allowed. Others wait to be accepted.
const CONNECTIONS_MAX: u32 = 32_768;

/// Buffers that the kernel fills.
const BUFFERS: u16 = 1024;

/// Octets of each: a few dozen pipelined requests.
const BUFFER_OCTETS: usize = 4096;

/// The loop has nothing to do by itself.
const WAIT: Duration = Duration::from_secs(3600);

const ACCEPT: u8 = 0;
const RECEIVE: u8 = 1;
/// Nobody waits for it.
const SILENT: u8 = 2;

/// Serves for ever.
///
/// # Errors
/// When there is no ring to be had, or it fails.
pub(super) fn run(
    listener: &TcpListener,
    answers: &Answers,
    ready: &SyncSender<Result<(), BenchError>>,
) -> io::Result<()> {
    let allowed = lastmile_tuning::files::raise_limit()?;
    let slots = u32::try_from(allowed).unwrap_or(u32::MAX).min(CONNECTIONS_MAX);
    let setup = Setup { slots, buffers: BUFFERS, buffer_octets: BUFFER_OCTETS };
    let ring = Ring::new(setup, answers.octets().into(), None, Box::default())?;
    let connections = vec![Connection::default(); slots as usize];
    let mut floor = Floor { ring, answers, connections, listener, accepts: false };
    floor.accept();
    let _ = ready.send(Ok(()));
    let mut done = Vec::new();
    loop {
        floor.ring.wait(WAIT)?;
        floor.ring.completed(&mut done);
        for done in done.drain(..) {
            floor.complete(&done);
        }
        floor.ring.publish();
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Connection {
    generation: u32,
    matched: Matched,
}

struct Floor<'a> {
    ring: Ring,
    answers: &'a Answers,
    connections: Vec<Connection>,
    listener: &'a TcpListener,
    accepts: bool,
}

impl Floor<'_> {
    fn complete(&mut self, done: &Done) {
        match done.tag.op {
            ACCEPT => self.accepted(done),
            RECEIVE => self.received(done),
            _ => {}
        }
        if let Some(buffer) = done.buffer {
            self.ring.recycle(buffer);
        }
    }

    fn accept(&mut self) {
        if !std::mem::replace(&mut self.accepts, true) {
            self.ring.accept(self.listener, Tag::new(ACCEPT, 0, 0));
        }
    }

    fn accepted(&mut self, done: &Done) {
        self.accepts = done.more;
        if let Ok(slot) = u32::try_from(done.result) {
            let connection = &mut self.connections[slot as usize];
            connection.generation = connection.generation.wrapping_add(1);
            connection.matched = Matched::default();
            // Once: a connection of one request is closed without anything to be cancelled.
            let tag = Tag::new(RECEIVE, connection.generation, slot);
            self.ring.receive_once(slot, u32::MAX, tag);
            self.accept();
        }
        // Otherwise all slots are taken: the next one that is given back lets it go on.
    }

    fn received(&mut self, done: &Done) {
        let slot = done.tag.slot;
        let connection = &mut self.connections[slot as usize];
        if Tag::new(RECEIVE, connection.generation, slot) != done.tag {
            return;
        }
        let length = usize::try_from(done.result).unwrap_or(0);
        match done.buffer {
            Some(buffer) if length > 0 => {
                let asked =
                    self.answers.asked(&mut connection.matched, self.ring.octets(buffer, length));
                let silent = Tag::new(SILENT, connection.generation, slot);
                for part in self.answers.parts(asked) {
                    self.ring.send(slot, part, Order::Alone, silent);
                }
                if asked.close {
                    if done.more {
                        self.ring.cancel(done.tag, silent);
                    }
                    return self.close(slot);
                }
            }
            _ if done.result == -libc::ENOBUFS => {}
            _ => return self.close(slot),
        }
        if !done.more {
            self.ring.receive(slot, done.tag);
        }
    }

    fn close(&mut self, slot: u32) {
        let connection = &mut self.connections[slot as usize];
        connection.generation = connection.generation.wrapping_add(1);
        self.ring.close(slot, Tag::new(SILENT, connection.generation, slot));
        self.accept();
    }
}
