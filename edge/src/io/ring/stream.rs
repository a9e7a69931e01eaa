//! A TCP connection on the ring.
#![allow(
    unsafe_code,
    reason = "a descriptor that the ring closes, octets that the kernel has written"
)]

use super::driver::{Driver, Operation};
use super::{RingIo, executor};
use crate::io::by_reference::{Outgoing, Turn};
use crate::io::waits::{Waits, io_error};
use crate::io::watchdog::{Deadlines, Watched, reset};
use crate::io::{IoError, Receive, Stream, Transmit, Wait};
use crate::piece::Piece;
use crate::spare;
use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use socket2::SockRef;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, RawFd};
use std::rc::Rc;

/// Octets of the buffer that content is received into when its owner has not said how many.
const RECEIVE_OCTETS: usize = 16 * 1024;

/// Pieces in memory that are together no longer than this are copied into one and leave with what others send in the
/// same turn; more is cheaper sent from where it is.
const COPIED_OCTETS_MAX: usize = 16 * 1024;

/// A socket that is closed by the ring, after all operations that were begun on it.
pub(super) struct Socket {
    driver: Rc<Driver>,
    descriptor: RawFd,
}

impl Socket {
    /// A socket to connect to `peer` with.
    ///
    /// # Errors
    /// `EMFILE` and its like.
    pub(super) fn to(driver: &Rc<Driver>, peer: SocketAddr) -> io::Result<Self> {
        let domain = socket2::Domain::for_address(peer);
        let kind = socket2::Type::STREAM.nonblocking();
        let socket = socket2::Socket::new(domain, kind, Some(socket2::Protocol::TCP))?;
        Ok(Self { driver: Rc::clone(driver), descriptor: socket.into_raw_fd() })
    }

    /// The socket that an accept has returned.
    pub(super) fn accepted(driver: &Rc<Driver>, descriptor: usize) -> Self {
        let descriptor = RawFd::try_from(descriptor).expect("the kernel's descriptors fit");
        Self { driver: Rc::clone(driver), descriptor }
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.descriptor
    }

    fn borrow(&self) -> BorrowedFd<'_> {
        // SAFETY: it is open as long as this value lives.
        unsafe { BorrowedFd::borrow_raw(self.descriptor) }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.borrow()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.driver.close(self.descriptor);
    }
}

/// A TCP connection.
pub(crate) struct RingStream {
    receiver: RingReceiver,
    sender: RingSender,
}

/// What both directions share: a connection that waits is small.
struct Shared {
    io: RingIo,
    /// Before the socket, so that the watchdog forgets the descriptor before it is closed.
    watched: Watched,
    socket: Socket,
}

/// The receiving direction of a [`RingStream`].
pub(crate) struct RingReceiver {
    shared: Rc<Shared>,
    /// The next octets are answers to what was sent: there is nothing yet.
    expects_to_wait: bool,
    /// A receive that was begun when the connection came to rest: asking whether it is quiet then costs no system call.
    resting: Option<Box<Operation<()>>>,
}

/// The sending direction of a [`RingStream`].
pub(crate) struct RingSender {
    shared: Rc<Shared>,
}

impl RingStream {
    pub(super) fn new(io: &RingIo, socket: Socket) -> Self {
        let watched = io.0.waits.watch(socket.descriptor());
        let shared = Rc::new(Shared { io: io.clone(), watched, socket });
        let receiver =
            RingReceiver { shared: Rc::clone(&shared), expects_to_wait: false, resting: None };
        Self { receiver, sender: RingSender { shared } }
    }
}

impl Shared {
    fn driver(&self) -> &Rc<Driver> {
        &self.io.0.driver
    }

    fn deadlines(&self) -> &Deadlines {
        &self.watched.deadlines
    }

    fn descriptor(&self) -> RawFd {
        self.socket.descriptor()
    }

    fn arm_send(&self, limit: Duration) {
        self.deadlines().arm_send(self.io.0.waits.deadline_ms(limit));
    }
}

impl Stream for RingStream {
    type Receiver = RingReceiver;
    type Sender = RingSender;

    fn split(&mut self) -> (&mut RingReceiver, &mut RingSender) {
        (&mut self.receiver, &mut self.sender)
    }

    fn rests(&mut self) {
        let (driver, descriptor) = (self.sender.shared.driver(), self.sender.shared.descriptor());
        if self.receiver.resting.is_none() {
            self.receiver.resting = Some(Box::new(driver.receive(descriptor, true)));
        }
    }

    fn is_quiet(&self) -> bool {
        if let Some(resting) = &self.receiver.resting {
            return !resting.is_done();
        }
        let mut octet = [core::mem::MaybeUninit::uninit()];
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        let socket = self.sender.shared.socket.borrow();
        let peeked = SockRef::from(&socket).recv_with_flags(&mut octet, flags);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    fn finish_sending(&mut self) {
        // A connection that is already gone needs no end.
        let socket = self.sender.shared.socket.borrow();
        let _ = SockRef::from(&socket).shutdown(std::net::Shutdown::Write);
    }

    fn abort_on_drop(&mut self) {
        reset(self.sender.shared.descriptor());
    }
}

/// Received octets in one of the ring's buffers, which goes back when this is dropped.
pub(crate) struct Lease {
    driver: Rc<Driver>,
    /// `None` at the end of the stream.
    buffer: Option<u16>,
    length: usize,
}

impl core::ops::Deref for Lease {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self.buffer {
            Some(buffer) => self.driver.buffers.octets(buffer, self.length),
            None => &[],
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer {
            self.driver.buffers.put(buffer);
        }
    }
}

impl RingReceiver {
    fn arm(&self, wait: Wait) {
        let (limit, idle) = match wait {
            Wait::Busy(limit) => (limit, false),
            Wait::Idle(limit) => (limit, true),
        };
        let deadline_ms = self.shared.io.0.waits.deadline_ms(limit);
        self.shared.deadlines().arm_receive(deadline_ms, idle);
    }

    fn begin(&self) -> Operation<()> {
        self.shared.driver().receive(self.shared.descriptor(), self.expects_to_wait)
    }
}

impl Receive for RingReceiver {
    type Lease = Lease;

    async fn receive(&mut self, wait: Wait) -> Result<Lease, IoError> {
        self.arm(wait);
        loop {
            let (received, ()) = match self.resting.take() {
                Some(begun) => begun.await,
                None => self.begin().await,
            };
            self.expects_to_wait = true;
            let (count, buffer) = (received.count(), received.buffer());
            // Before anything is judged: the buffer goes back whatever happens.
            let length = count.as_ref().map_or(0, |count| *count);
            let lease = Lease { driver: Rc::clone(self.shared.driver()), buffer, length };
            if count.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::ENOBUFS)) {
                // All are lent in this turn.
                self.shared.driver().buffers.grow();
                self.expects_to_wait = false;
                futures_lite::future::yield_now().await;
                continue;
            }
            return Waits::judge_receive(self.shared.deadlines(), count).map(|_| lease);
        }
    }

    async fn receive_into(
        &mut self,
        mut buffer: Vec<u8>,
        wait: Wait,
    ) -> (Result<usize, IoError>, Vec<u8>) {
        if buffer.len() == buffer.capacity() {
            buffer.reserve(RECEIVE_OCTETS);
        }
        if self.resting.is_some() {
            // What it has taken comes first.
            let lease = self.receive(wait).await;
            return (lease.map(|lease| append(&mut buffer, &lease)), buffer);
        }
        self.arm(wait);
        let driver = self.shared.driver();
        let (received, mut buffer) = driver.receive_into(self.shared.descriptor(), buffer).await;
        let count = received.count();
        if let Ok(count) = count {
            // SAFETY: the kernel has written so many octets behind the length, within the capacity.
            unsafe { buffer.set_len(buffer.len() + count) };
        }
        (Waits::judge_receive(self.shared.deadlines(), count), buffer)
    }
}

/// Puts `octets` behind what is in `buffer`; their count.
fn append(buffer: &mut Vec<u8>, octets: &[u8]) -> usize {
    buffer.extend_from_slice(octets);
    octets.len()
}

/// Sends all octets. By hand, since an `async` function has room for its arguments and for what it makes of them.
struct Sending<'a> {
    shared: &'a Shared,
    limit: Duration,
    flags: i32,
    start: usize,
    step: Step,
}

enum Step {
    /// These are to be sent.
    Rest(Vec<u8>),
    /// The kernel has them.
    UnderWay(Operation<Vec<u8>>),
}

impl Future for Sending<'_> {
    type Output = (Result<(), IoError>, Vec<u8>);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.step {
                Step::Rest(octets) => {
                    let octets = core::mem::take(octets);
                    if self.start >= octets.len() {
                        return Poll::Ready((Ok(()), octets));
                    }
                    let (shared, start, flags) = (self.shared, self.start, self.flags);
                    shared.arm_send(self.limit);
                    let sending = shared.driver().send(shared.descriptor(), octets, start, flags);
                    self.step = Step::UnderWay(sending);
                }
                Step::UnderWay(operation) => {
                    let (sent, octets) = ready!(Pin::new(operation).poll(context));
                    match Waits::judge_send(self.shared.deadlines(), sent.count()) {
                        Ok(count) => self.start += count,
                        Err(error) => return Poll::Ready((Err(error), octets)),
                    }
                    self.step = Step::Rest(octets);
                }
            }
        }
    }
}

impl RingSender {
    fn send_with(&self, octets: Vec<u8>, limit: Duration, flags: i32) -> Sending<'_> {
        Sending { shared: &self.shared, limit, flags, start: 0, step: Step::Rest(octets) }
    }
}

impl Transmit for RingSender {
    fn send(
        &mut self,
        octets: Vec<u8>,
        limit: Duration,
    ) -> impl Future<Output = (Result<(), IoError>, Vec<u8>)> {
        self.send_with(octets, limit, 0)
    }

    fn send_last(
        &mut self,
        octets: Vec<u8>,
        limit: Duration,
    ) -> impl Future<Output = (Result<(), IoError>, Vec<u8>)> {
        // The end of the stream, which follows at once, leaves with the last octets.
        self.send_with(octets, limit, libc::MSG_MORE)
    }

    async fn send_pieces(&mut self, pieces: Vec<Piece>, limit: Duration) -> Result<(), IoError> {
        if pieces.iter().all(|piece| piece.in_memory().is_some())
            && pieces.iter().map(Piece::len).sum::<usize>() <= COPIED_OCTETS_MAX
        {
            let mut octets = spare::take();
            pieces.iter().filter_map(Piece::in_memory).for_each(|piece| octets.extend(piece));
            let (sent, octets) = self.send_with(octets, limit, 0).await;
            spare::give(octets);
            return sent;
        }
        let mut outgoing = Outgoing::new(pieces);
        loop {
            if outgoing.is_large() {
                executor::bulk_turn().await;
            }
            match outgoing.turn(self.shared.socket.borrow()) {
                Ok(Turn::Done) => return Ok(()),
                Ok(Turn::Over) => {}
                Ok(Turn::Full) => {
                    self.shared.arm_send(limit);
                    let driver = self.shared.driver();
                    let (ready, ()) = driver.poll(self.shared.descriptor(), libc::POLLOUT).await;
                    Waits::judge_send(self.shared.deadlines(), ready.count())?;
                }
                Err(error) => return Err(io_error(&error)),
            }
        }
    }
}
