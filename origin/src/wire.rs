//! The octets of one connection, and the ways to end it on purpose, which hyper has no words for.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Sleep;

use crate::journal::{Ending, Record};

/// How long the octets before a reset may travel. A reset throws away what the kernel has not sent yet; on loopback
/// and in a lab this is time enough for a reader that reads.
const RESET_GRACE: Duration = Duration::from_millis(30);

/// A way to end a connection on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// FIN.
    Close,
    /// RST.
    Reset,
}

/// What the exchanges of a connection and its wire tell each other.
#[derive(Debug)]
pub(crate) struct Fate {
    state: Mutex<State>,
    opened: Instant,
    /// Milliseconds after `opened` of the last octet that moved, or until which silence is intended.
    moved_ms: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    cut: Option<Cut>,
    /// The exchange that asked for the cut.
    cutting: Option<Record>,
    /// Exchanges whose response is complete but perhaps still in hyper's buffer.
    finishing: Vec<Record>,
}

impl Fate {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), opened: Instant::now(), moved_ms: AtomicU64::new(0) }
    }

    /// Ends the connection as soon as everything written so far has gone to the kernel.
    pub(crate) fn cut(&self, cut: Cut, record: Option<Record>) {
        let mut state = self.lock();
        state.cut = Some(cut);
        state.cutting = record;
    }

    /// The response of this exchange is complete as soon as everything written so far has gone to the kernel.
    pub(crate) fn finish(&self, record: Record) {
        self.lock().finishing.push(record);
    }

    /// Silence on the connection is intended for this long.
    pub(crate) fn hold(&self, duration: Duration) {
        self.note(self.opened.elapsed() + duration);
    }

    /// How long nothing has moved on the connection.
    pub(crate) fn idle(&self) -> Duration {
        let moved = Duration::from_millis(self.moved_ms.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(moved)
    }

    fn note(&self, since_opened: Duration) {
        let ms = u64::try_from(since_opened.as_millis()).unwrap_or(u64::MAX);
        self.moved_ms.fetch_max(ms, Ordering::Relaxed);
    }

    fn flushed(&self) -> Option<Cut> {
        let mut state = self.lock();
        let finished = std::mem::take(&mut state.finishing);
        let cut = state.cut;
        drop(state);
        for record in finished {
            record.settle(Ending::Complete);
        }
        cut
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A TCP connection under hyper.
#[derive(Debug)]
pub(crate) struct Wire {
    io: TokioIo<TcpStream>,
    fate: Arc<Fate>,
    grace: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, fate: Arc<Fate>) -> Self {
        Self { io: TokioIo::new(stream), fate, grace: None }
    }

    fn poll_cut(&mut self, cut: Cut, context: &mut Context<'_>) -> Poll<io::Error> {
        match cut {
            Cut::Close => {
                // A failure means that the client was faster; the connection ends either way.
                let _ = ready!(Pin::new(&mut self.io).poll_shutdown(context));
            }
            Cut::Reset => {
                let grace =
                    self.grace.get_or_insert_with(|| Box::pin(tokio::time::sleep(RESET_GRACE)));
                ready!(grace.as_mut().poll(context));
            }
        }
        Poll::Ready(io::ErrorKind::ConnectionAborted.into())
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.io).poll_read(context, buffer));
        self.fate.note(self.fate.opened.elapsed());
        Poll::Ready(result)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.io).poll_write(context, octets));
        self.fate.note(self.fate.opened.elapsed());
        Poll::Ready(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes its own buffer before it asks for this.
        ready!(Pin::new(&mut self.io).poll_flush(context))?;
        match self.fate.flushed() {
            None => Poll::Ready(Ok(())),
            Some(cut) => self.poll_cut(cut, context).map(Err),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.io).poll_write_vectored(context, octets));
        self.fate.note(self.fate.opened.elapsed());
        Poll::Ready(result)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let mut state = self.fate.lock();
        let (cut, cutting) = (state.cut, state.cutting.take());
        let unfinished = std::mem::take(&mut state.finishing);
        drop(state);
        let ending = match cut {
            None => None,
            Some(Cut::Close) => Some(Ending::ClosedOnPurpose),
            Some(Cut::Reset) => {
                // Closing with a linger time of zero is what makes the kernel send RST.
                let _ = self.io.inner().set_zero_linger();
                Some(Ending::ResetOnPurpose)
            }
        };
        if let (Some(ending), Some(record)) = (ending, cutting) {
            record.settle(ending);
        }
        // Dropped records count as abandoned by the client.
        drop(unfinished);
    }
}
