//! The simulated network: streams that delay, split and lose octets, with bounded buffers; and the edge's [`Io`].

use crate::disk::Disk;
use crate::world::World;
use bytes::Bytes;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::net::SocketAddr;
use core::ops::Range;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use lastmile_edge::io::{Io, IoError, Receive, Stream, Transmit, Wait};
use lastmile_edge::piece::Piece;
use lastmile_edge::ssd::buffer::Buffer;
use lastmile_edge::ssd::device::Device;
use lastmile_http::time::UnixTime;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

/// What a node's clock shows is at most this old, as on the real machine.
const TICK_MS: u64 = 50;
/// A lease is at most this long.
const LEASE_OCTETS_MAX: usize = 16 * 1024;
/// A peer that does not answer to a handshake at all.
const BLACK_HOLE: Duration = Duration::from_secs(600);

/// How unkind the network is. Chances are in thousandths.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    pub refused: u64,
    pub unanswered: u64,
    /// Of each send: the connection is reset after some of its octets.
    pub reset: u64,
    pub delay_ms_max: u64,
    /// Octets arrive in arbitrarily small parts.
    pub split: bool,
    /// What a direction of a connection holds before its sender must wait.
    pub buffer_octets: usize,
}

/// Whether new connections to an address can be opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reachable {
    Yes,
    Refused,
    Unanswered,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Orderly,
    Reset,
}

/// One direction of a connection.
struct Pipe {
    /// Octets on their way, and when they arrive; times do not decrease.
    segments: VecDeque<(u64, Bytes)>,
    held: usize,
    capacity: usize,
    end: Option<(u64, End)>,
    receiver_gone: bool,
    receiver: Option<Waker>,
    /// Who is woken when, for octets on their way: once, or every wake-up would set another.
    alarm: Option<(u64, Waker)>,
    sender: Option<Waker>,
}

type PipeRef = Rc<RefCell<Pipe>>;

impl Pipe {
    fn new(capacity: usize) -> PipeRef {
        Rc::new(RefCell::new(Self {
            segments: VecDeque::new(),
            held: 0,
            capacity,
            end: None,
            receiver_gone: false,
            receiver: None,
            alarm: None,
            sender: None,
        }))
    }

    fn wake(&mut self) {
        self.receiver.take().into_iter().chain(self.sender.take()).for_each(Waker::wake);
    }

    fn last_arrival(&self) -> u64 {
        self.segments.back().map_or(0, |(at, _)| *at)
    }

    fn finish(&mut self, at: u64, end: End) {
        let is_reset = matches!(self.end, Some((_, End::Reset)));
        if !is_reset && (self.end.is_none() || end == End::Reset) {
            self.end = Some((at.max(self.last_arrival()), end));
        }
        self.wake();
    }
}

type Accept = Rc<dyn Fn(SimStream, SocketAddr)>;

/// All wires and listeners of a world.
#[derive(Clone)]
pub struct Net {
    world: World,
    faults: Rc<Cell<Faults>>,
    listeners: Rc<RefCell<BTreeMap<SocketAddr, Accept>>>,
    reachable: Rc<RefCell<BTreeMap<SocketAddr, Reachable>>>,
}

impl Net {
    pub fn new(world: World, faults: Faults) -> Self {
        let faults = Rc::new(Cell::new(faults));
        Self { world, faults, listeners: Rc::default(), reachable: Rc::default() }
    }

    pub fn set_faults(&self, faults: Faults) {
        self.faults.set(faults);
    }

    pub fn set_reachable(&self, address: SocketAddr, reachable: Reachable) {
        self.reachable.borrow_mut().insert(address, reachable);
    }

    fn reachable(&self, address: SocketAddr) -> Reachable {
        self.reachable.borrow().get(&address).copied().unwrap_or(Reachable::Yes)
    }

    /// Calls `accept` with each connection that is opened to `address`.
    pub fn listen(&self, address: SocketAddr, accept: impl Fn(SimStream, SocketAddr) + 'static) {
        self.listeners.borrow_mut().insert(address, Rc::new(accept));
    }

    /// Drops the listener at `address`, which holds its node.
    pub fn stop_listening(&self, address: SocketAddr) {
        self.listeners.borrow_mut().remove(&address);
    }

    /// Drops the listeners: they hold the nodes, and the nodes hold the network.
    pub fn end(&self) {
        self.listeners.borrow_mut().clear();
    }

    fn delay_ms(&self) -> u64 {
        self.world.random(self.faults.get().delay_ms_max + 1)
    }

    pub async fn connect(
        &self,
        from: SocketAddr,
        to: SocketAddr,
        limit: Duration,
    ) -> Result<SimStream, IoError> {
        let faults = self.faults.get();
        let handshake = async {
            self.world.sleep_ms(self.delay_ms()).await;
            if self.world.chance(faults.unanswered) || self.reachable(to) == Reachable::Unanswered {
                self.world.sleep(BLACK_HOLE).await;
            }
        };
        if self.world.within(limit, handshake).await.is_none() {
            return Err(IoError::TimedOut);
        }
        let accept = self.listeners.borrow().get(&to).cloned();
        let refused = self.world.chance(faults.refused) || self.reachable(to) == Reachable::Refused;
        let Some(accept) = accept.filter(|_| !refused) else {
            return Err(IoError::Refused);
        };
        let (there, back) = (Pipe::new(faults.buffer_octets), Pipe::new(faults.buffer_octets));
        accept(SimStream::new(self, Rc::clone(&there), Rc::clone(&back)), from);
        Ok(SimStream::new(self, back, there))
    }
}

/// One end of a connection.
pub struct SimStream {
    net: Net,
    receiver: SimReceiver,
    sender: SimSender,
    aborts: bool,
}

pub struct SimReceiver {
    net: Net,
    pipe: PipeRef,
}

pub struct SimSender {
    net: Net,
    pipe: PipeRef,
    /// The other direction: a reset ends both.
    back: PipeRef,
}

impl SimStream {
    fn new(net: &Net, incoming: PipeRef, outgoing: PipeRef) -> Self {
        let receiver = SimReceiver { net: net.clone(), pipe: Rc::clone(&incoming) };
        let sender = SimSender { net: net.clone(), pipe: outgoing, back: incoming };
        Self { net: net.clone(), receiver, sender, aborts: false }
    }
}

impl Stream for SimStream {
    type Receiver = SimReceiver;
    type Sender = SimSender;

    fn split(&mut self) -> (&mut SimReceiver, &mut SimSender) {
        (&mut self.receiver, &mut self.sender)
    }

    fn is_quiet(&self) -> bool {
        let now = self.net.world.now_ms();
        let pipe = self.receiver.pipe.borrow();
        let arrived = pipe.segments.front().is_some_and(|(at, _)| *at <= now);
        !arrived && pipe.end.is_none_or(|(at, _)| at > now)
    }

    fn finish_sending(&mut self) {
        let at = self.net.world.now_ms() + self.net.delay_ms();
        self.sender.pipe.borrow_mut().finish(at, End::Orderly);
    }

    fn abort_on_drop(&mut self) {
        self.aborts = true;
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        let now = self.net.world.now_ms();
        let mut incoming = self.receiver.pipe.borrow_mut();
        // A close with octets unread is a reset, as of a kernel (RFC 9112 §9.6 is about that).
        let unread = incoming.segments.front().is_some_and(|(at, _)| *at <= now);
        incoming.receiver_gone = true;
        incoming.segments.clear();
        incoming.wake();
        drop(incoming);
        let end = if self.aborts || unread { End::Reset } else { End::Orderly };
        let mut outgoing = self.sender.pipe.borrow_mut();
        outgoing.finish(now + self.net.delay_ms(), end);
        self.net.world.trace(2, u64::from(end == End::Reset));
    }
}

impl SimReceiver {
    /// The next octets that have arrived, at most `limit`; empty at the end of the stream.
    fn poll_octets(&self, limit: usize, context: &Context<'_>) -> Poll<Result<Bytes, IoError>> {
        let world = &self.net.world;
        let now = world.now_ms();
        let mut pipe = self.pipe.borrow_mut();
        // A reset that has arrived overtakes what has not been read, as often as not.
        let overtaken =
            matches!(pipe.end, Some((at, End::Reset)) if at <= now) && world.chance(500);
        let next = pipe.segments.front().map(|(at, octets)| (*at, octets.len()));
        match (next, pipe.end) {
            (Some((at, length)), _) if at <= now && !overtaken => {
                let limit = limit.min(length);
                let split = self.net.faults.get().split && world.chance(300);
                let count = if split { 1 + world.random(limit as u64) as usize } else { limit };
                let (_, octets) = pipe.segments.front_mut().expect("there is a segment");
                let octets = octets.split_to(count);
                if count == length {
                    pipe.segments.pop_front();
                }
                pipe.held -= count;
                world.trace(3, count as u64);
                pipe.sender.take().into_iter().for_each(Waker::wake);
                Poll::Ready(Ok(octets))
            }
            (_, Some((at, end))) if at <= now && (next.is_none() || overtaken) => match end {
                End::Orderly => Poll::Ready(Ok(Bytes::new())),
                End::Reset => Poll::Ready(Err(IoError::Closed)),
            },
            (next, end) => {
                pipe.receiver = Some(context.waker().clone());
                let arrivals = next.map(|(at, _)| at).into_iter().chain(end.map(|(at, _)| at));
                if let Some(at) = arrivals.filter(|at| *at > now).min() {
                    let waker = context.waker();
                    let is_set = |alarm: &(u64, Waker)| alarm.0 == at && alarm.1.will_wake(waker);
                    if !pipe.alarm.as_ref().is_some_and(is_set) {
                        pipe.alarm = Some((at, waker.clone()));
                        world.wake_at(at, waker);
                    }
                }
                Poll::Pending
            }
        }
    }

    async fn octets(&mut self, limit: usize, wait: Wait) -> Result<Bytes, IoError> {
        let (Wait::Busy(time) | Wait::Idle(time)) = wait;
        let world = self.net.world.clone();
        let arriving = poll_fn(|context| self.poll_octets(limit, context));
        world.within(time, arriving).await.unwrap_or(Err(IoError::TimedOut))
    }
}

impl Receive for SimReceiver {
    type Lease = Bytes;

    async fn receive(&mut self, wait: Wait) -> Result<Bytes, IoError> {
        self.octets(LEASE_OCTETS_MAX, wait).await
    }

    async fn receive_into(
        &mut self,
        mut buffer: Vec<u8>,
        wait: Wait,
    ) -> (Result<usize, IoError>, Vec<u8>) {
        let room = buffer.capacity() - buffer.len();
        assert!(room > 0, "there must be room for an octet");
        let received = self.octets(room, wait).await;
        let count = received.map(|octets| {
            buffer.extend_from_slice(&octets);
            octets.len()
        });
        (count, buffer)
    }
}

impl SimSender {
    /// Puts a part of `octets` on the wire; returns how many are left to send.
    fn poll_send(&self, octets: &mut Bytes, context: &Context<'_>) -> Poll<Result<(), IoError>> {
        let world = &self.net.world;
        let faults = self.net.faults.get();
        let now = world.now_ms();
        let mut pipe = self.pipe.borrow_mut();
        if pipe.end.is_some() {
            return Poll::Ready(Err(IoError::Closed));
        }
        if pipe.receiver_gone {
            // Octets for somebody who has closed are answered by a reset.
            pipe.finish(now, End::Reset);
            drop(pipe);
            self.back.borrow_mut().finish(now + self.net.delay_ms(), End::Reset);
            return Poll::Ready(Err(IoError::Closed));
        }
        // A window that opens by a few octets stays closed (RFC 9293 §3.8.6.2).
        let room = pipe.capacity - pipe.held;
        if room < octets.len().min(pipe.capacity / 2) {
            pipe.sender = Some(context.waker().clone());
            return Poll::Pending;
        }
        let mut part = octets.split_to(room.min(octets.len()));
        let reset = world.chance(faults.reset);
        if reset {
            part.truncate(world.random(part.len() as u64 + 1) as usize);
        }
        pipe.held += part.len();
        let mut at = pipe.last_arrival().max(now + self.net.delay_ms());
        while !part.is_empty() {
            let whole = !faults.split || world.chance(700);
            let count =
                if whole { part.len() } else { 1 + world.random(part.len() as u64) as usize };
            pipe.segments.push_back((at, part.split_to(count)));
            at += if whole { 0 } else { self.net.delay_ms() };
        }
        pipe.receiver.take().into_iter().for_each(Waker::wake);
        if reset {
            pipe.finish(at, End::Reset);
            drop(pipe);
            self.back.borrow_mut().finish(now + self.net.delay_ms(), End::Reset);
            world.trace(4, at);
            return Poll::Ready(Err(IoError::Closed));
        }
        Poll::Ready(Ok(()))
    }

    pub async fn send_octets(&mut self, mut octets: Bytes, limit: Duration) -> Result<(), IoError> {
        let world = self.net.world.clone();
        while !octets.is_empty() {
            let progress = poll_fn(|context| self.poll_send(&mut octets, context));
            world.within(limit, progress).await.unwrap_or(Err(IoError::TimedOut))?;
        }
        Ok(())
    }
}

impl Transmit for SimSender {
    async fn send(&mut self, octets: Vec<u8>, limit: Duration) -> (Result<(), IoError>, Vec<u8>) {
        let sent = self.send_octets(Bytes::copy_from_slice(&octets), limit).await;
        (sent, octets)
    }

    async fn send_pieces(&mut self, pieces: Vec<Piece>, limit: Duration) -> Result<(), IoError> {
        for piece in pieces {
            // Read when it is sent: a slow client must still find it.
            self.send_octets(piece.read().unwrap(), limit).await?;
        }
        Ok(())
    }
}

/// A core of a node: the world as its edge sees it.
#[derive(Clone)]
pub struct SimIo {
    pub world: World,
    pub net: Net,
    pub address: SocketAddr,
    /// What the node's clock shows more than the true time.
    pub skew_ms: i64,
    pub disk: Disk,
}

impl Io for SimIo {
    type Stream = SimStream;

    fn now(&self) -> UnixTime {
        let shown = self.world.now_ms().saturating_add_signed(self.skew_ms);
        UnixTime::from_milliseconds(shown / TICK_MS * TICK_MS)
    }

    async fn connect(&self, peer: SocketAddr, limit: Duration) -> Result<SimStream, IoError> {
        self.net.connect(self.address, peer, limit).await
    }

    async fn sleep(&self, duration: Duration) {
        self.world.sleep(duration).await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.world.spawn("of the edge", task);
    }

    fn portable_waker(&self, waker: &Waker) -> Waker {
        waker.clone()
    }

    async fn read_at(
        &self,
        device: &Arc<Device>,
        buffer: Buffer,
        range: Range<usize>,
        offset: u64,
    ) -> (std::io::Result<usize>, Buffer) {
        self.disk.read_at(device, buffer, range, offset).await
    }

    async fn write_at(
        &self,
        device: &Arc<Device>,
        buffer: Buffer,
        range: Range<usize>,
        offset: u64,
    ) -> (std::io::Result<usize>, Buffer) {
        self.disk.write_at(device, buffer, range, offset).await
    }
}
