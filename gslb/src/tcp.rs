//! The TCP loop of one worker (RFC 7766): pipelining, bounded connections and buffers, an idle
//! timeout.

use crate::answer::{Asked, Reason, Transport, answer};
use crate::transfer::Transfer;
use crate::worker::Worker;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Octets of a query: more than any question with options needs. It bounds what a connection can
/// make us keep; a length above it closes the connection.
const QUERY_OCTETS_MAX: usize = 4096;
/// Answers waiting for a peer that does not read, in octets: at this many its next query waits.
/// With the largest answer on top a connection keeps at most 128 KiB.
const UNSENT_OCTETS_MAX: usize = 64 << 10;
/// Connections accepted in one turn, so that those that are open get theirs.
const ACCEPTS_MAX: usize = 64;
/// Receive calls for one connection in one turn, and rounds of a zone transfer (1 MiB): a peer that never stops must
/// not keep the others waiting.
const RECEIVES_MAX: usize = 16;
/// Octets of a message's length prefix (RFC 1035 §4.2.2).
const PREFIX_OCTETS: usize = 2;
/// How often an idle loop looks whether it shall stop, and for idle connections.
const TURN_MS: u16 = 50;
/// The listener's place among the events; connections count from 0.
const LISTENER: u64 = u64::MAX;

/// Bounds of a loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Open connections; at least 1.
    pub(crate) connections_max: usize,
    /// Time without a whole query.
    pub(crate) idle_timeout: Duration,
}

struct Connection {
    stream: TcpStream,
    peer: IpAddr,
    received: Vec<u8>,
    unsent: Vec<u8>,
    /// A zone that is being sent; queries behind it wait.
    transfer: Option<Transfer>,
    /// When it is closed unless a whole query comes.
    deadline: Instant,
    /// The peer sends no more, or nothing more is taken from it.
    ended: bool,
    interest: EpollFlags,
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closed {
    /// The peer has ended it, or is given up, and got every answer.
    Done,
    /// An error of the connection.
    Failed,
}

struct Loop {
    epoll: Epoll,
    listener: TcpListener,
    worker: Worker,
    limits: Limits,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// Where answers are written before their length is known.
    answer: Vec<u8>,
}

/// Makes a listener ready for [`run`].
pub(crate) fn prepare(listener: &TcpListener) -> io::Result<Epoll> {
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    Ok(epoll)
}

/// Answers until the worker shall stop, then what has already arrived.
pub(crate) fn run(listener: TcpListener, epoll: Epoll, worker: Worker, limits: Limits) {
    let mut state = Loop {
        epoll,
        listener,
        worker,
        limits,
        connections: Vec::new(),
        free: Vec::new(),
        answer: vec![0; usize::from(u16::MAX)],
    };
    let mut events = [EpollEvent::empty(); 64];
    while state.worker.stop.get().is_none() {
        let count = state.wait(&mut events);
        for event in &events[..count] {
            match event.data() {
                LISTENER => {
                    // What is left is another event.
                    state.accept();
                }
                index => state.serve(index as usize),
            }
        }
        state.close_idle();
    }
    state.drain(&mut events);
}

impl Loop {
    fn wait(&self, events: &mut [EpollEvent]) -> usize {
        // Only EINTR can happen: the descriptor and the array are good.
        self.epoll.wait(events, TURN_MS).unwrap_or(0)
    }

    /// Accepts what waits, a turn's worth at most, and says whether there may be more.
    fn accept(&mut self) -> bool {
        for _ in 0..ACCEPTS_MAX {
            match self.listener.accept() {
                Ok((stream, peer)) => {
                    self.worker.counters.tcp_accepted.count();
                    if self.open_count() >= self.limits.connections_max {
                        self.evict();
                    }
                    if self.open(stream, peer.ip()).is_err() {
                        self.worker.counters.tcp_failed.count();
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A connection that was reset before we took it, or no descriptor left: make room
                // for the next.
                Err(_) => {
                    self.worker.counters.tcp_failed.count();
                    self.evict();
                    return false;
                }
            }
        }
        true
    }

    fn open_count(&self) -> usize {
        self.connections.len() - self.free.len()
    }

    fn open(&mut self, stream: TcpStream, peer: IpAddr) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let index = self.free.last().copied().unwrap_or(self.connections.len());
        let interest = EpollFlags::EPOLLIN;
        self.epoll.add(&stream, EpollEvent::new(interest, index as u64))?;
        let connection = Connection {
            stream,
            peer,
            received: Vec::new(),
            unsent: Vec::new(),
            transfer: None,
            deadline: Instant::now() + self.limits.idle_timeout,
            ended: false,
            interest,
        };
        match self.free.pop() {
            Some(index) => self.connections[index] = Some(connection),
            None => self.connections.push(Some(connection)),
        }
        Ok(())
    }

    /// RFC 7766 §6.2.2, §6.2.3: closes the connection that has been without a query for longest.
    fn evict(&mut self) {
        let open = self.connections.iter().enumerate();
        let open = open.filter_map(|(index, slot)| Some((slot.as_ref()?.deadline, index)));
        if let Some((_, index)) = open.min() {
            self.worker.counters.tcp_evicted.count();
            self.close(index);
        }
    }

    fn close(&mut self, index: usize) {
        // Closing the only descriptor also takes it out of epoll.
        if self.connections[index].take().is_some() {
            self.free.push(index);
        }
    }

    fn close_idle(&mut self) {
        let now = Instant::now();
        for index in 0..self.connections.len() {
            if self.connections[index].as_ref().is_some_and(|c| c.deadline <= now) {
                self.worker.counters.tcp_idle.count();
                self.close(index);
            }
        }
    }

    /// Takes a connection as far as it goes without waiting.
    fn serve(&mut self, index: usize) {
        // An event of a connection that has just been closed for another one.
        let Some(Some(connection)) = self.connections.get_mut(index) else { return };
        let outcome = connection
            .advance(&mut self.worker, &mut self.answer, self.limits.idle_timeout)
            .and_then(|()| connection.watch(&self.epoll, index as u64));
        if let Err(closed) = outcome {
            if closed == Closed::Failed {
                self.worker.counters.tcp_failed.count();
            }
            self.close(index);
        }
    }

    /// Answers what has arrived and waits, within the deadline, until the answers are sent.
    fn drain(&mut self, events: &mut [EpollEvent]) {
        let _ = self.epoll.delete(&self.listener);
        let deadline = self.worker.stop.get().copied().unwrap_or_else(Instant::now);
        // Connections that the kernel has taken may have brought their queries with them.
        while self.accept() && Instant::now() < deadline {}
        for index in 0..self.connections.len() {
            self.serve(index);
            if self.connections[index].as_ref().is_some_and(Connection::is_answered) {
                self.close(index);
            }
        }
        while self.open_count() > 0 && Instant::now() < deadline {
            let count = self.wait(events);
            for event in &events[..count] {
                let index = event.data() as usize;
                self.serve(index);
                let slot = self.connections.get(index).and_then(Option::as_ref);
                if slot.is_some_and(Connection::is_answered) {
                    self.close(index);
                }
            }
        }
    }
}

impl Connection {
    /// Receives, answers and sends until one of them would wait.
    fn advance(
        &mut self,
        worker: &mut Worker,
        answer: &mut [u8],
        idle_timeout: Duration,
    ) -> Result<(), Closed> {
        for turn in 0.. {
            // Without more octets this ends: what is there gets answered, what is answered gets
            // sent.
            let came = turn < RECEIVES_MAX && self.receive()?;
            let answered = self.answer_received(worker, answer, turn < RECEIVES_MAX)?;
            if answered {
                self.deadline = Instant::now() + idle_timeout;
            }
            let sent = self.send()?;
            if !came && !answered && !sent {
                break;
            }
        }
        if self.ended && self.is_answered() { Err(Closed::Done) } else { Ok(()) }
    }

    /// Whether nothing is left to send.
    fn is_answered(&self) -> bool {
        self.unsent.is_empty() && self.transfer.is_none()
    }

    fn receive(&mut self) -> Result<bool, Closed> {
        let room = (PREFIX_OCTETS + QUERY_OCTETS_MAX).saturating_sub(self.received.len());
        if self.ended || room == 0 || self.unsent.len() >= UNSENT_OCTETS_MAX {
            return Ok(false);
        }
        let mut octets = [0; PREFIX_OCTETS + QUERY_OCTETS_MAX];
        match self.stream.read(&mut octets[..room]) {
            Ok(0) => {
                self.ended = true;
                Ok(false)
            }
            Ok(count) => {
                self.received.extend_from_slice(&octets[..count]);
                Ok(true)
            }
            Err(error) => would_wait(&error),
        }
    }

    /// Answers the whole queries that are there (RFC 7766 §6.2.1.1), and says whether there was
    /// one.
    fn answer_received(
        &mut self,
        worker: &mut Worker,
        answer_buffer: &mut [u8],
        may_transfer: bool,
    ) -> Result<bool, Closed> {
        let (mut used, mut transferred) = (0, false);
        while self.unsent.len() < UNSENT_OCTETS_MAX {
            if let Some(transfer) = &mut self.transfer {
                if !may_transfer {
                    break;
                }
                match transfer.next_message(answer_buffer) {
                    Some(octets) => put_message(&mut self.unsent, &answer_buffer[..octets]),
                    None => self.transfer = None,
                }
                transferred = true;
                continue;
            }
            let rest = &self.received[used..];
            let Some(octets) = crate::wire::read_u16(rest, 0).map(usize::from) else { break };
            if octets > QUERY_OCTETS_MAX {
                self.give_up(worker);
                return Ok(used > 0);
            }
            let Some(packet) = rest.get(PREFIX_OCTETS..PREFIX_OCTETS + octets) else { break };
            let asked = Asked {
                packet,
                peer: self.peer,
                transport: Transport::Tcp,
                random: worker.random.next(),
                moment: worker.pulse.moment(),
            };
            let tables = worker.tables.load();
            let answered = answer(&tables, &asked, answer_buffer);
            worker.note(&tables, &asked, &answered);
            worker.log(&tables, &asked, &answered, answer_buffer);
            // Whoever sends what is not a query does not speak DNS: nothing more is expected of it.
            if answered.octets == 0 {
                self.give_up(worker);
                return Ok(used > 0);
            }
            if answered.reason == Reason::Transfer {
                self.transfer = Transfer::begin(&tables, packet);
            } else {
                put_message(&mut self.unsent, &answer_buffer[..answered.octets]);
            }
            used += PREFIX_OCTETS + octets;
        }
        self.received.drain(..used);
        Ok(used > 0 || transferred)
    }

    /// Takes no more from this peer; what it has asked before is still sent.
    fn give_up(&mut self, worker: &Worker) {
        worker.counters.tcp_failed.count();
        self.received.clear();
        self.ended = true;
    }

    fn send(&mut self) -> Result<bool, Closed> {
        if self.unsent.is_empty() {
            return Ok(false);
        }
        match self.stream.write(&self.unsent) {
            Ok(count) => {
                self.unsent.drain(..count);
                Ok(count > 0)
            }
            Err(error) => would_wait(&error),
        }
    }

    /// Tells epoll what to wait for next.
    fn watch(&mut self, epoll: &Epoll, data: u64) -> Result<(), Closed> {
        let mut interest = EpollFlags::empty();
        if !self.ended && self.unsent.len() < UNSENT_OCTETS_MAX {
            interest |= EpollFlags::EPOLLIN;
        }
        if !self.is_answered() {
            interest |= EpollFlags::EPOLLOUT;
        }
        if interest != self.interest {
            let mut event = EpollEvent::new(interest, data);
            epoll.modify(&self.stream, &mut event).map_err(|_| Closed::Failed)?;
            self.interest = interest;
        }
        Ok(())
    }
}

fn put_message(unsent: &mut Vec<u8>, message: &[u8]) {
    unsent.extend_from_slice(&(message.len() as u16).to_be_bytes());
    unsent.extend_from_slice(message);
}

/// Not an error when the connection would only have to wait.
fn would_wait(error: &io::Error) -> Result<bool, Closed> {
    match error.kind() {
        ErrorKind::WouldBlock => Ok(false),
        ErrorKind::Interrupted => Ok(true),
        _ => Err(Closed::Failed),
    }
}
