//! [`Io`] on monoio's epoll driver, where io_uring is missing or forbidden.

use super::by_reference::{Outgoing, Turn};
use super::clock::Clock;
use super::machine::Machine;
use super::mailbox::Mailbox;
use super::sockets::Sockets;
use super::waits::{Waits, io_error};
use super::watchdog::{Deadlines, Watched, reset};
use super::{Io, IoError, Receive, Stream, Transmit, Wait};
use crate::piece::Piece;
use crate::ssd::buffer::Buffer;
use crate::ssd::device::Device;
use crate::worker::Shared;
use core::cell::RefCell;
use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::ops::Range;
use core::task::{Poll, Waker};
use core::time::Duration;
use lastmile_http::time::UnixTime;
use monoio::io::{AsyncReadRent, AsyncWriteRent, OwnedReadHalf, OwnedWriteHalf, Splitable};
use monoio::net::{TcpListener, TcpStream, UnixStream};
use socket2::SockRef;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

/// Octets of a receive buffer: more than a request's head ever needs, and a fair part of a socket's queue.
const LEASE_OCTETS: usize = 16 * 1024;
/// Spare receive buffers that a worker keeps: 4 MiB at most.
const SPARE_LEASES_MAX: usize = 256;

/// The world of one worker.
#[derive(Clone)]
pub(crate) struct EpollIo(Rc<Core>);

struct Core {
    waits: Waits,
    leases: Rc<RefCell<Vec<Vec<u8>>>>,
    sockets: Arc<Sockets>,
}

impl EpollIo {
    /// What `work` returns, done by a thread that may wait.
    async fn elsewhere<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        // What it has come to, and whom to tell. Wakers wake once, and when they are dropped: one is kept until then.
        let outcome = Arc::new(Mutex::new((None, None::<Waker>)));
        let told = Arc::clone(&outcome);
        let done = move || {
            let value = work();
            let mut outcome = told.lock().unwrap_or_else(PoisonError::into_inner);
            outcome.0 = Some(value);
            let waker = outcome.1.take();
            drop(outcome);
            waker.into_iter().for_each(Waker::wake);
        };
        blocking::unblock(done).detach();
        poll_fn(|context| {
            let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome.0.take() {
                Some(value) => Poll::Ready(value),
                None => {
                    outcome.1.get_or_insert_with(|| self.portable_waker(context.waker()));
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn wrap(&self, stream: TcpStream) -> EpollStream {
        let descriptor = stream.as_raw_fd();
        let watched = self.0.waits.watch(descriptor);
        let (read, write) = stream.into_split();
        let deadlines = Rc::clone(&watched.deadlines);
        let (io, deadlines2) = (self.clone(), Rc::clone(&watched.deadlines));
        EpollStream {
            _watched: watched,
            receiver: EpollReceiver { io: io.clone(), deadlines, half: read },
            sender: EpollSender { io, deadlines: deadlines2, half: write, descriptor },
            descriptor,
        }
    }
}

impl Io for EpollIo {
    type Stream = EpollStream;

    fn now(&self) -> UnixTime {
        self.0.waits.now()
    }

    async fn connect(&self, peer: SocketAddr, limit: Duration) -> Result<EpollStream, IoError> {
        let connecting = async {
            let stream = TcpStream::connect_addr(peer).await.map_err(|error| io_error(&error))?;
            with_socket(stream.as_raw_fd(), |socket| self.0.sockets.opened(&socket, peer));
            Ok(self.wrap(stream))
        };
        let expired = async {
            self.sleep(limit).await;
            Err(IoError::TimedOut)
        };
        futures_lite::future::or(connecting, expired).await
    }

    async fn sleep(&self, duration: Duration) {
        self.0.waits.sleep(duration).await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        monoio::spawn(task);
    }

    fn portable_waker(&self, waker: &Waker) -> Waker {
        self.0.waits.portable_waker(waker)
    }

    async fn read_at(
        &self,
        device: &Arc<Device>,
        mut buffer: Buffer,
        range: Range<usize>,
        offset: u64,
    ) -> (io::Result<usize>, Buffer) {
        let device = Arc::clone(device);
        self.elsewhere(move || {
            let read = device.file.read_at(&mut buffer[range], offset);
            (read, buffer)
        })
        .await
    }

    async fn write_at(
        &self,
        device: &Arc<Device>,
        buffer: Buffer,
        range: Range<usize>,
        offset: u64,
    ) -> (io::Result<usize>, Buffer) {
        let device = Arc::clone(device);
        self.elsewhere(move || {
            let written = device.file.write_at(&buffer[range], offset);
            (written, buffer)
        })
        .await
    }
}

impl Machine for EpollIo {
    type Listener = TcpListener;

    fn run<F: Future<Output = ()>>(
        clock: Arc<Clock>,
        mailbox: Arc<Mailbox>,
        sockets: Arc<Sockets>,
        begin: impl FnOnce(Self) -> F,
    ) -> io::Result<()> {
        let mut runtime = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().build()?;
        let waits = Waits::new(clock, mailbox);
        let io = Self(Rc::new(Core { waits, leases: Rc::default(), sockets }));
        runtime.block_on(begin(io));
        Ok(())
    }

    fn listener(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<(EpollStream, SocketAddr)> {
        let (stream, peer) = listener.accept().await?;
        with_socket(stream.as_raw_fd(), |socket| self.0.sockets.accepted(&socket, peer));
        Ok((self.wrap(stream), peer))
    }

    async fn serve_mailbox(
        &self,
        ear: std::os::unix::net::UnixStream,
        shared: &Shared,
    ) -> io::Result<()> {
        let mut ear = UnixStream::from_std(ear)?;
        let mut octets = vec![0; 64];
        loop {
            let (received, buffer) = ear.read(octets).await;
            octets = buffer;
            if received? == 0 {
                return Ok(());
            }
            self.0.waits.heard(shared);
        }
    }

    fn reset_all(&self) {
        self.0.waits.reset_all();
    }
}

/// A TCP connection.
pub(crate) struct EpollStream {
    /// First, so that the watchdog forgets the descriptor before it is closed.
    _watched: Watched,
    receiver: EpollReceiver,
    sender: EpollSender,
    descriptor: RawFd,
}

/// The receiving direction of a [`EpollStream`].
pub(crate) struct EpollReceiver {
    io: EpollIo,
    deadlines: Rc<Deadlines>,
    half: OwnedReadHalf<TcpStream>,
}

/// The sending direction of a [`EpollStream`].
pub(crate) struct EpollSender {
    io: EpollIo,
    deadlines: Rc<Deadlines>,
    half: OwnedWriteHalf<TcpStream>,
    descriptor: RawFd,
}

/// Received octets in a buffer that goes back to the worker's pool.
pub(crate) struct Lease {
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

impl Stream for EpollStream {
    type Receiver = EpollReceiver;
    type Sender = EpollSender;

    fn split(&mut self) -> (&mut EpollReceiver, &mut EpollSender) {
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

impl EpollReceiver {
    fn arm(&self, wait: Wait) {
        let (limit, idle) = match wait {
            Wait::Busy(limit) => (limit, false),
            Wait::Idle(limit) => (limit, true),
        };
        self.deadlines.arm_receive(self.io.0.waits.deadline_ms(limit), idle);
    }

    /// Waits until there is something to receive, without a buffer for it.
    #[allow(unsafe_code, reason = "the two halves of a stream share it")]
    async fn readable(&self) -> io::Result<()> {
        // SAFETY: as for `EpollSender::writable`.
        let stream = unsafe { &*self.half.0.get() };
        stream.readable(false).await
    }
}

impl Receive for EpollReceiver {
    type Lease = Lease;

    async fn receive(&mut self, wait: Wait) -> Result<Lease, IoError> {
        self.arm(wait);
        if matches!(wait, Wait::Idle(_)) {
            // What has become of the socket is said by the receive.
            let _ = self.readable().await;
        }
        let spare = self.io.0.leases.borrow_mut().pop();
        let buffer = spare.unwrap_or_else(|| Vec::with_capacity(LEASE_OCTETS));
        let (received, octets) = self.half.read(buffer).await;
        let lease = Lease { octets, pool: Rc::clone(&self.io.0.leases) };
        Waits::judge_receive(&self.deadlines, received).map(|_| lease)
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
        (Waits::judge_receive(&self.deadlines, received), window.into_inner())
    }
}

impl EpollSender {
    /// Waits until the socket takes more.
    #[allow(unsafe_code, reason = "the two halves of a stream share it")]
    async fn writable(&self) -> io::Result<()> {
        // SAFETY: the stream lives as long as this half, all use of it is on this thread, and `writable` takes of it
        // the descriptor alone, which no other operation changes.
        let stream = unsafe { &*self.half.0.get() };
        stream.writable(false).await
    }
}

impl Transmit for EpollSender {
    async fn send(&mut self, octets: Vec<u8>, limit: Duration) -> (Result<(), IoError>, Vec<u8>) {
        let mut buffer = octets;
        let mut start = 0;
        while start < buffer.len() {
            self.deadlines.arm_send(self.io.0.waits.deadline_ms(limit));
            let window = monoio::buf::IoBuf::slice(buffer, start..);
            let (sent, window) = self.half.write(window).await;
            buffer = window.into_inner();
            match Waits::judge_send(&self.deadlines, sent) {
                Ok(count) => start += count,
                Err(error) => return (Err(error), buffer),
            }
        }
        (Ok(()), buffer)
    }

    async fn send_pieces(&mut self, pieces: Vec<Piece>, limit: Duration) -> Result<(), IoError> {
        let mut outgoing = Outgoing::new(pieces);
        loop {
            match with_socket(self.descriptor, |socket| outgoing.turn(socket)) {
                Ok(Turn::Done) => return Ok(()),
                // Whatever else is ready comes first: a new task is behind all of it, one that wakes itself is not.
                Ok(Turn::Over) => monoio::spawn(async {}).await,
                Ok(Turn::Full) => {}
                Err(error) => return Err(io_error(&error)),
            }
            self.deadlines.arm_send(self.io.0.waits.deadline_ms(limit));
            let writable = self.writable().await;
            Waits::judge_send(&self.deadlines, writable.map(|()| 1))?;
        }
    }
}
