//! [`Io`] on monoio: io_uring, or epoll where io_uring is forbidden.

use super::by_reference::{Outgoing, Turn};
use super::clock::Clock;
use super::gather::Gather;
use super::mailbox::Mailbox;
use super::turns::Turns;
use super::watchdog::{Deadlines, Place, Watchdog, Watched, reset};
use super::{Io, IoError, Receive, Stream, Transmit, Wait};
use crate::piece::Piece;
use crate::worker::Shared;
use core::cell::RefCell;
use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use futures_lite::future::yield_now;
use lastmile_http::time::UnixTime;
use monoio::io::{AsyncReadRent, AsyncWriteRent, OwnedReadHalf, OwnedWriteHalf, Splitable};
use monoio::net::{TcpListener, TcpStream, UnixStream};
use socket2::SockRef;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;

/// Entries of a ring's submission queue: connections that can have something to say in one turn of the loop before
/// an extra system call is needed.
const RING_ENTRIES: u32 = 4096;
/// Octets of a receive buffer: more than a request's head ever needs, and a fair part of a socket's queue.
const LEASE_OCTETS: usize = 16 * 1024;
/// Spare receive buffers that a worker keeps: 4 MiB at most.
const SPARE_LEASES_MAX: usize = 256;

/// Which of the kernel's interfaces a worker uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IoChoice {
    /// io_uring, and epoll where io_uring is missing or forbidden.
    #[default]
    Auto,
    /// io_uring or nothing.
    Uring,
    /// epoll.
    Epoll,
}

impl core::str::FromStr for IoChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "uring" => Ok(Self::Uring),
            "epoll" => Ok(Self::Epoll),
            _ => Err(format!("{text:?} is none of auto, uring, epoll")),
        }
    }
}

/// A ring with the flags of choice: one thread submits, and completions are worked off when that thread enters the
/// kernel anyway, not by interrupting it (`io_uring_setup(2)`). DEFER_TASKRUN, which needs 6.1, costs the same within
/// the noise: 1 KB hits in five interleaved rounds took 6.4 to 7.7 us with these flags and 6.4 to 6.9 with it.
fn ring_builder() -> io_uring::Builder {
    let mut builder = io_uring::IoUring::builder();
    builder.setup_single_issuer().setup_coop_taskrun().setup_taskrun_flag();
    builder
}

/// Whether a ring with our flags can be made here, and if not, what the kernel says.
///
/// # Errors
/// `ENOSYS` or `EINVAL` of kernels before 6.0, `EPERM` of containers and of `kernel.io_uring_disabled`.
pub fn probe_uring() -> io::Result<()> {
    ring_builder().build(8).map(drop)
}

/// Runs `task` to its end on the calling thread, with io_uring or epoll.
///
/// # Errors
/// When the ring or the epoll instance can't be made.
pub fn block_on<F: Future>(uring: bool, task: F) -> io::Result<F::Output> {
    if uring {
        let mut runtime = monoio::RuntimeBuilder::<monoio::IoUringDriver>::new()
            .with_entries(RING_ENTRIES)
            .uring_builder(ring_builder())
            .build()?;
        Ok(runtime.block_on(task))
    } else {
        let mut runtime = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new()
            .with_entries(RING_ENTRIES)
            .build()?;
        Ok(runtime.block_on(task))
    }
}

/// The world of one worker.
#[derive(Clone)]
pub struct UringIo(Rc<Core>);

struct Core {
    clock: Arc<Clock>,
    mailbox: Arc<Mailbox>,
    watchdog: Rc<Watchdog>,
    leases: Rc<RefCell<Vec<Vec<u8>>>>,
    turns: Rc<Turns>,
}

/// Passes a turn on in each round of the loop in which one is taken.
async fn keep_turns(turns: Rc<Turns>) {
    // A socket that can always be written to: that it can is told when the loop has looked what else there is.
    let rounds = UnixStream::pair();
    loop {
        turns.taken().await;
        yield_now().await;
        if let Ok((round, _)) = &rounds {
            // It fails at the end of the loop only.
            let _ = round.writable(false).await;
        }
        turns.pass_on();
    }
}

impl UringIo {
    /// The world of the calling thread's worker. Its waits are looked at when the bell rings, once a tick.
    pub(crate) fn new(clock: Arc<Clock>, mailbox: Arc<Mailbox>) -> Self {
        mailbox.adopt_thread();
        let (watchdog, leases, turns) = (Rc::default(), Rc::default(), Rc::default());
        monoio::spawn(keep_turns(Rc::clone(&turns)));
        Self(Rc::new(Core { clock, mailbox, watchdog, leases, turns }))
    }

    /// Serves the worker's mailbox until the sending end is gone.
    pub(crate) async fn serve_mailbox(
        &self,
        ear: std::os::unix::net::UnixStream,
        shared: &Shared,
    ) -> io::Result<()> {
        let mut ear = UnixStream::from_std(ear)?;
        let mut octets = vec![0; 64];
        let mut ticked_ms = 0;
        loop {
            let (received, buffer) = ear.read(octets).await;
            octets = buffer;
            if received? == 0 {
                return Ok(());
            }
            self.0.mailbox.deliver();
            let now_ms = self.0.clock.elapsed_ms();
            if now_ms != ticked_ms {
                ticked_ms = now_ms;
                self.0.watchdog.tick(now_ms, shared.is_draining());
            }
        }
    }

    /// Resets all connections of this worker, at its end.
    pub(crate) fn reset_all(&self) {
        self.0.watchdog.reset_all();
    }

    /// The next connection of `listener`.
    pub(crate) async fn accept(
        &self,
        listener: &TcpListener,
    ) -> io::Result<(UringStream, SocketAddr)> {
        let (stream, peer) = listener.accept().await?;
        Ok((self.wrap(stream), peer))
    }

    fn wrap(&self, stream: TcpStream) -> UringStream {
        let descriptor = stream.as_raw_fd();
        let watched = self.0.watchdog.watch(descriptor);
        let (read, write) = stream.into_split();
        let deadlines = Rc::clone(&watched.deadlines);
        let (io, deadlines2) = (self.clone(), Rc::clone(&watched.deadlines));
        UringStream {
            _watched: watched,
            receiver: UringReceiver { io: io.clone(), deadlines, half: read },
            sender: UringSender {
                io,
                deadlines: deadlines2,
                half: write,
                descriptor,
                is_nonblocking: false,
            },
            descriptor,
        }
    }

    fn deadline_ms(&self, limit: Duration) -> u64 {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.0.clock.elapsed_ms().saturating_add(limit)
    }
}

impl Io for UringIo {
    type Stream = UringStream;

    fn now(&self) -> UnixTime {
        self.0.clock.now()
    }

    async fn connect(&self, peer: SocketAddr, limit: Duration) -> Result<UringStream, IoError> {
        let connecting = async {
            let stream = TcpStream::connect_addr(peer).await.map_err(|error| io_error(&error))?;
            // A socket that refuses the option still carries octets.
            let _ = stream.set_nodelay(true);
            Ok(self.wrap(stream))
        };
        let expired = async {
            self.sleep(limit).await;
            Err(IoError::TimedOut)
        };
        futures_lite::future::or(connecting, expired).await
    }

    async fn sleep(&self, duration: Duration) {
        let deadline_ms = self.deadline_ms(duration);
        Sleep {
            watchdog: Rc::clone(&self.0.watchdog),
            deadline_ms,
            place: None,
            clock: &self.0.clock,
        }
        .await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        monoio::spawn(task);
    }

    fn portable_waker(&self, waker: &Waker) -> Waker {
        self.0.mailbox.portable_waker(waker)
    }
}

struct Sleep<'a> {
    watchdog: Rc<Watchdog>,
    clock: &'a Clock,
    deadline_ms: u64,
    place: Option<Place>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some(place) = self.place.take() {
            self.watchdog.cancel_sleep(place);
        }
        if self.clock.elapsed_ms() >= self.deadline_ms {
            return Poll::Ready(());
        }
        self.place = Some(self.watchdog.sleep(self.deadline_ms, context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.watchdog.cancel_sleep(place);
        }
    }
}

/// A TCP connection.
pub struct UringStream {
    /// First, so that the watchdog forgets the descriptor before it is closed.
    _watched: Watched,
    receiver: UringReceiver,
    sender: UringSender,
    descriptor: RawFd,
}

/// The receiving direction of a [`UringStream`].
pub struct UringReceiver {
    io: UringIo,
    deadlines: Rc<Deadlines>,
    half: OwnedReadHalf<TcpStream>,
}

/// The sending direction of a [`UringStream`].
pub struct UringSender {
    io: UringIo,
    deadlines: Rc<Deadlines>,
    half: OwnedWriteHalf<TcpStream>,
    descriptor: RawFd,
    /// The socket was made so for sending by reference.
    is_nonblocking: bool,
}

/// Received octets in a buffer that goes back to the worker's pool.
pub struct Lease {
    octets: Vec<u8>,
    pool: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl core::ops::Deref for Lease {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.octets
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut pool = self.pool.borrow_mut();
        if pool.len() < SPARE_LEASES_MAX {
            let mut octets = core::mem::take(&mut self.octets);
            octets.clear();
            pool.push(octets);
        }
    }
}

/// Lends `act` the socket of a stream or of one of its halves, whose `descriptor` it is.
#[allow(unsafe_code, reason = "a descriptor owned by the ring has no safe borrow")]
fn with_socket<R>(descriptor: RawFd, act: impl FnOnce(BorrowedFd<'_>) -> R) -> R {
    // SAFETY: the stream or half that calls this owns the descriptor and outlives the borrow.
    act(unsafe { BorrowedFd::borrow_raw(descriptor) })
}

impl Stream for UringStream {
    type Receiver = UringReceiver;
    type Sender = UringSender;

    fn split(&mut self) -> (&mut UringReceiver, &mut UringSender) {
        (&mut self.receiver, &mut self.sender)
    }

    fn is_quiet(&self) -> bool {
        let mut octet = [core::mem::MaybeUninit::uninit()];
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        let peeked = with_socket(self.descriptor, |socket| {
            SockRef::from(&socket).recv_with_flags(&mut octet, flags)
        });
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    fn finish_sending(&mut self) {
        // A connection that is already gone needs no end.
        let _ = with_socket(self.descriptor, |socket| {
            SockRef::from(&socket).shutdown(std::net::Shutdown::Write)
        });
    }

    fn abort_on_drop(&mut self) {
        reset(self.descriptor);
    }
}

impl UringReceiver {
    fn arm(&self, wait: Wait) {
        let (limit, idle) = match wait {
            Wait::Busy(limit) => (limit, false),
            Wait::Idle(limit) => (limit, true),
        };
        self.deadlines.arm_receive(self.io.deadline_ms(limit), idle);
    }

    fn judge(&self, received: io::Result<usize>) -> Result<usize, IoError> {
        match (self.deadlines.disarm_receive(), received) {
            (true, Ok(0) | Err(_)) => Err(IoError::TimedOut),
            (_, received) => received.map_err(|error| io_error(&error)),
        }
    }
}

impl Receive for UringReceiver {
    type Lease = Lease;

    async fn receive(&mut self, wait: Wait) -> Result<Lease, IoError> {
        let spare = self.io.0.leases.borrow_mut().pop();
        let buffer = spare.unwrap_or_else(|| Vec::with_capacity(LEASE_OCTETS));
        self.arm(wait);
        let (received, octets) = self.half.read(buffer).await;
        let lease = Lease { octets, pool: Rc::clone(&self.io.0.leases) };
        self.judge(received).map(|_| lease)
    }

    async fn receive_into(
        &mut self,
        mut buffer: Vec<u8>,
        wait: Wait,
    ) -> (Result<usize, IoError>, Vec<u8>) {
        let start = buffer.len();
        if start == buffer.capacity() {
            buffer.reserve(LEASE_OCTETS);
        }
        self.arm(wait);
        let window = monoio::buf::IoBufMut::slice_mut(buffer, start..);
        let (received, window) = self.half.read(window).await;
        (self.judge(received), window.into_inner())
    }
}

impl UringSender {
    fn judge(&self, sent: io::Result<usize>) -> Result<usize, IoError> {
        match (self.deadlines.disarm_send(), sent) {
            (true, Err(_)) => Err(IoError::TimedOut),
            (_, Ok(0)) => Err(IoError::Closed),
            (_, sent) => sent.map_err(|error| io_error(&error)),
        }
    }
}

impl UringSender {
    /// Sends pieces some of which are in a file.
    async fn send_by_reference(
        &mut self,
        pieces: Vec<Piece>,
        limit: Duration,
    ) -> Result<(), IoError> {
        if !self.is_nonblocking {
            // The operations of a ring wait nevertheless.
            let set =
                with_socket(self.descriptor, |socket| SockRef::from(&socket).set_nonblocking(true));
            set.map_err(|error| io_error(&error))?;
            self.is_nonblocking = true;
        }
        let mut outgoing = Outgoing::new(pieces);
        loop {
            if outgoing.is_large() {
                self.io.0.turns.mine().await;
            }
            match with_socket(self.descriptor, |socket| outgoing.turn(socket)) {
                Ok(Turn::Done) => return Ok(()),
                Ok(Turn::Over | Turn::Full) => {}
                Err(error) => return self.judge(Err(error)).map(drop),
            }
            self.deadlines.arm_send(self.io.deadline_ms(limit));
            let writable = self.writable().await;
            self.judge(writable.map(|()| 1))?;
        }
    }

    /// Waits until the socket takes more.
    #[allow(unsafe_code, reason = "the two halves of a stream share it")]
    async fn writable(&self) -> io::Result<()> {
        // SAFETY: the stream lives as long as this half, all use of it is on this thread, and `writable` takes of it the
        // descriptor alone, which no other operation changes.
        let stream = unsafe { &*self.half.0.get() };
        stream.writable(false).await
    }
}

impl Transmit for UringSender {
    async fn send(&mut self, octets: Vec<u8>, limit: Duration) -> (Result<(), IoError>, Vec<u8>) {
        let mut buffer = octets;
        let mut start = 0;
        while start < buffer.len() {
            self.deadlines.arm_send(self.io.deadline_ms(limit));
            let window = monoio::buf::IoBuf::slice(buffer, start..);
            let (sent, window) = self.half.write(window).await;
            buffer = window.into_inner();
            match self.judge(sent) {
                Ok(count) => start += count,
                Err(error) => return (Err(error), buffer),
            }
        }
        (Ok(()), buffer)
    }

    async fn send_pieces(&mut self, pieces: Vec<Piece>, limit: Duration) -> Result<(), IoError> {
        if pieces.iter().any(|piece| piece.in_file().is_some()) {
            return self.send_by_reference(pieces, limit).await;
        }
        let mut gather = Gather::new(pieces);
        while !gather.is_empty() {
            self.deadlines.arm_send(self.io.deadline_ms(limit));
            let (sent, unsent) = self.half.writev(gather).await;
            gather = unsent;
            gather.advance(self.judge(sent)?);
        }
        Ok(())
    }
}

fn io_error(error: &io::Error) -> IoError {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => IoError::Refused,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::AddrNotAvailable => {
            IoError::Unreachable
        }
        Kind::TimedOut => IoError::TimedOut,
        Kind::OutOfMemory => IoError::Exhausted,
        _ if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS)) => {
            IoError::Exhausted
        }
        _ => IoError::Closed,
    }
}
