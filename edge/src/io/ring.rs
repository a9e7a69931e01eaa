//! [`Io`] on a ring of our own.
//!
//! `driver` (operations and completions), with `buffers` (lent to receives while there is data), `executor` (tasks),
//! `stream` (a connection).
//!
//! Every operation is armed once. Multishot receives would save 4 % of a hit's cost, but a client that sends faster
//! than its requests are answered would take the buffers of all others.

mod buffers;
mod driver;
mod executor;
mod stream;
#[cfg(test)]
mod tests;

use super::clock::Clock;
use super::machine::Machine;
use super::mailbox::Mailbox;
use super::sockets::Sockets;
use super::waits::{Waits, io_error};
use super::{Io, IoError};
use crate::ssd::buffer::Buffer;
use crate::ssd::device::Device;
use crate::worker::Shared;
use core::future::Future;
use core::net::SocketAddr;
use core::ops::Range;
use core::task::Waker;
use core::time::Duration;
use driver::Driver;
use lastmile_http::time::UnixTime;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use stream::{RingStream, Socket};

/// The world of one worker, on a ring.
#[derive(Clone)]
pub(crate) struct RingIo(Rc<Core>);

struct Core {
    waits: Waits,
    driver: Rc<Driver>,
    sockets: Arc<Sockets>,
}

/// Whether a ring with our flags can be made here.
///
/// # Errors
/// `ENOSYS` or `EINVAL` of kernels before 6.1, `EPERM` of containers and of `kernel.io_uring_disabled`.
pub(crate) fn probe() -> io::Result<()> {
    Driver::probe()
}

impl Io for RingIo {
    type Stream = RingStream;

    fn now(&self) -> UnixTime {
        self.0.waits.now()
    }

    async fn connect(&self, peer: SocketAddr, limit: Duration) -> Result<RingStream, IoError> {
        let connecting = async {
            let socket = Socket::to(&self.0.driver, peer).map_err(|error| io_error(&error))?;
            self.0.sockets.opened(&socket, peer);
            let operation = self.0.driver.connect(socket.descriptor(), Box::new(peer.into()));
            operation.await.0.count().map_err(|error| io_error(&error))?;
            Ok(RingStream::new(self, socket))
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
        executor::spawn(task);
    }

    fn portable_waker(&self, waker: &Waker) -> Waker {
        self.0.waits.portable_waker(waker)
    }

    async fn read_at(
        &self,
        device: &Arc<Device>,
        buffer: Buffer,
        range: Range<usize>,
        offset: u64,
    ) -> (io::Result<usize>, Buffer) {
        let reading = self.0.driver.read_at(Arc::clone(device), buffer, range, offset);
        let (read, (_, buffer)) = reading.await;
        (read.count(), buffer)
    }

    async fn write_at(
        &self,
        device: &Arc<Device>,
        buffer: Buffer,
        range: Range<usize>,
        offset: u64,
    ) -> (io::Result<usize>, Buffer) {
        let writing = self.0.driver.write_at(Arc::clone(device), buffer, range, offset);
        let (written, (_, buffer)) = writing.await;
        (written.count(), buffer)
    }
}

impl Machine for RingIo {
    type Listener = TcpListener;

    fn run<F: Future<Output = ()>>(
        clock: Arc<Clock>,
        mailbox: Arc<Mailbox>,
        sockets: Arc<Sockets>,
        begin: impl FnOnce(Self) -> F,
    ) -> io::Result<()> {
        let driver = Driver::new()?;
        let waits = Waits::new(clock, mailbox);
        let io = Self(Rc::new(Core { waits, driver: Rc::clone(&driver), sockets }));
        let ended = executor::run(&driver, begin(io));
        driver.finish();
        ended
    }

    fn listener(listener: TcpListener) -> io::Result<TcpListener> {
        // An accept that is waiting ends when the listener is shut down; without O_NONBLOCK it waits.
        listener.set_nonblocking(false)?;
        Ok(listener)
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<(RingStream, SocketAddr)> {
        let (accepted, peer) = self.0.driver.accept(listener.as_raw_fd()).await;
        let descriptor = accepted.count()?;
        let socket = Socket::accepted(&self.0.driver, descriptor);
        let peer = peer.into_address().ok_or(io::ErrorKind::InvalidData)?;
        self.0.sockets.accepted(&socket, peer);
        Ok((RingStream::new(self, socket), peer))
    }

    async fn serve_mailbox(&self, ear: UnixStream, shared: &Shared) -> io::Result<()> {
        ear.set_nonblocking(false)?;
        let mut octets = Vec::with_capacity(64);
        loop {
            let (received, buffer) = self.0.driver.receive_into(ear.as_raw_fd(), octets).await;
            octets = buffer;
            if received.count()? == 0 {
                return Ok(());
            }
            self.0.waits.heard(shared);
        }
    }

    fn reset_all(&self) {
        self.0.waits.reset_all();
    }
}
