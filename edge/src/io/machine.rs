//! What a worker needs of an [`Io`] that is a real machine, beyond what the edge's code uses.

use super::Io;
use super::clock::Clock;
use super::mailbox::Mailbox;
use super::sockets::Sockets;
use crate::worker::Shared;
use core::future::Future;
use core::net::SocketAddr;
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// A worker's kernel interface.
#[allow(async_fn_in_trait, reason = "thread per core: futures are never sent to another thread")]
pub(crate) trait Machine: Io {
    /// A listener of this worker.
    type Listener: 'static;

    /// Runs what `begin` makes to its end on the calling thread, and all that it spawns.
    ///
    /// # Errors
    /// When the machine does not give what the interface needs.
    fn run<F: Future<Output = ()>>(
        clock: Arc<Clock>,
        mailbox: Arc<Mailbox>,
        sockets: Arc<Sockets>,
        begin: impl FnOnce(Self) -> F,
    ) -> io::Result<()>;

    /// A listener for [`Machine::accept`].
    ///
    /// # Errors
    /// When the descriptor can't be used.
    fn listener(listener: TcpListener) -> io::Result<Self::Listener>;

    /// The next connection of `listener`.
    async fn accept(&self, listener: &Self::Listener) -> io::Result<(Self::Stream, SocketAddr)>;

    /// Serves the worker's mailbox until the sending end is gone.
    async fn serve_mailbox(&self, ear: UnixStream, shared: &Shared) -> io::Result<()>;

    /// Resets all connections of this worker, at its end.
    fn reset_all(&self);
}
