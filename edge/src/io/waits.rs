//! What both implementations of [`Io`](super::Io) do alike: the time, deadlines, sleeping, and being heard from other
//! threads.

use super::IoError;
use super::clock::Clock;
use super::mailbox::Mailbox;
use super::watchdog::{Deadlines, Place, Watchdog, Watched};
use crate::worker::Shared;
use core::cell::Cell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use lastmile_http::time::UnixTime;
use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::Arc;

/// The waits of one worker.
pub(super) struct Waits {
    clock: Arc<Clock>,
    mailbox: Arc<Mailbox>,
    watchdog: Rc<Watchdog>,
    ticked_ms: Cell<u64>,
}

impl Waits {
    /// Those of the calling thread's worker. They are looked at when the bell rings, once a tick.
    pub(super) fn new(clock: Arc<Clock>, mailbox: Arc<Mailbox>) -> Self {
        mailbox.adopt_thread();
        Self { clock, mailbox, watchdog: Rc::default(), ticked_ms: Cell::new(0) }
    }

    pub(super) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// When a wait that begins now has taken `limit`.
    pub(super) fn deadline_ms(&self, limit: Duration) -> u64 {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.clock.elapsed_ms().saturating_add(limit)
    }

    pub(super) fn watch(&self, descriptor: RawFd) -> Watched {
        self.watchdog.watch(descriptor)
    }

    pub(super) async fn sleep(&self, duration: Duration) {
        let deadline_ms = self.deadline_ms(duration);
        Sleep { waits: self, deadline_ms, place: None }.await;
    }

    pub(super) fn portable_waker(&self, waker: &Waker) -> Waker {
        self.mailbox.portable_waker(waker)
    }

    /// The bell rang: somebody was woken from another thread, or a tick has passed.
    pub(super) fn heard(&self, shared: &Shared) {
        self.mailbox.deliver();
        let now_ms = self.clock.elapsed_ms();
        if self.ticked_ms.replace(now_ms) != now_ms {
            self.watchdog.tick(now_ms, shared.is_draining());
        }
    }

    /// Resets all connections of this worker, at its end.
    pub(super) fn reset_all(&self) {
        self.watchdog.reset_all();
    }

    /// What a receive has come to: a deadline ends it like the peer's end.
    pub(super) fn judge_receive(
        deadlines: &Deadlines,
        received: io::Result<usize>,
    ) -> Result<usize, IoError> {
        match (deadlines.disarm_receive(), received) {
            (true, Ok(0) | Err(_)) => Err(IoError::TimedOut),
            (_, received) => received.map_err(|error| io_error(&error)),
        }
    }

    /// What a send has come to.
    pub(super) fn judge_send(
        deadlines: &Deadlines,
        sent: io::Result<usize>,
    ) -> Result<usize, IoError> {
        match (deadlines.disarm_send(), sent) {
            (true, Err(_)) => Err(IoError::TimedOut),
            (_, Ok(0)) => Err(IoError::Closed),
            (_, sent) => sent.map_err(|error| io_error(&error)),
        }
    }
}

struct Sleep<'a> {
    waits: &'a Waits,
    deadline_ms: u64,
    place: Option<Place>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some(place) = self.place.take() {
            self.waits.watchdog.cancel_sleep(place);
        }
        if self.waits.clock.elapsed_ms() >= self.deadline_ms {
            return Poll::Ready(());
        }
        self.place = Some(self.waits.watchdog.sleep(self.deadline_ms, context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.waits.watchdog.cancel_sleep(place);
        }
    }
}

pub(super) fn io_error(error: &io::Error) -> IoError {
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
