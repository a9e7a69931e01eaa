//! The seam between the edge and the world. Three implementations: `ring` (io_uring), `epoll` (monoio's loop), and
//! the deterministic simulation of `tests/sim`.

mod by_reference;
pub mod choice;
pub mod clock;
pub(crate) mod epoll;
pub(crate) mod machine;
pub(crate) mod mailbox;
pub(crate) mod ring;
pub(crate) mod sockets;
mod waits;
mod watchdog;

use crate::piece::Piece;
use crate::ssd::buffer::Buffer;
use crate::ssd::device::Device;
use core::future::Future;
use core::net::SocketAddr;
use core::ops::{Deref, Range};
use core::task::Waker;
use core::time::Duration;
use lastmile_http::time::UnixTime;
use std::sync::Arc;

/// Why an operation on a connection did not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoError {
    /// The peer closed or reset the connection.
    Closed,
    /// Nobody listens there.
    Refused,
    /// There is no way to the address.
    Unreachable,
    /// It did not complete within its [`Wait`].
    TimedOut,
    /// This machine has no more descriptors, memory or ports for it.
    Exhausted,
}

/// How long an operation may take, and what a draining server does with it.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// Something is under way: a draining server lets it end.
    Busy(Duration),
    /// Nothing is under way (a kept connection between two requests): a draining server ends the wait at once.
    Idle(Duration),
}

/// Everything the edge asks of the machine. One value for each core, never shared, hence no `Send`.
#[allow(async_fn_in_trait, reason = "thread per core: futures are never sent to another thread")]
pub trait Io: Clone + 'static {
    /// A connected stream of octets.
    type Stream: Stream;

    /// The time of day, at most one tick (50 ms) old. The only clock of the edge.
    fn now(&self) -> UnixTime;

    /// Opens a connection to `peer`.
    async fn connect(&self, peer: SocketAddr, limit: Duration) -> Result<Self::Stream, IoError>;

    /// Waits for `duration`, to the precision of a tick.
    async fn sleep(&self, duration: Duration);

    /// Runs `task` on this core, detached.
    fn spawn(&self, task: impl Future<Output = ()> + 'static);

    /// A waker for the task behind `waker` that any thread may wake or drop.
    fn portable_waker(&self, waker: &Waker) -> Waker;

    /// Reads into `range` of `buffer` what `device` has from `offset` on (all of them multiples of 4,096 octets), and
    /// returns how many octets that were. Nobody else waits for the disk.
    async fn read_at(
        &self,
        device: &Arc<Device>,
        buffer: Buffer,
        range: Range<usize>,
        offset: u64,
    ) -> (std::io::Result<usize>, Buffer);

    /// Writes `range` of `buffer` to `device` from `offset` on; otherwise like [`Io::read_at`].
    async fn write_at(
        &self,
        device: &Arc<Device>,
        buffer: Buffer,
        range: Range<usize>,
        offset: u64,
    ) -> (std::io::Result<usize>, Buffer);
}

/// A connected stream of octets whose two directions can be used at the same time.
pub trait Stream: 'static {
    /// The direction towards us.
    type Receiver: Receive;
    /// The direction away from us.
    type Sender: Transmit;

    /// Both directions.
    fn split(&mut self) -> (&mut Self::Receiver, &mut Self::Sender);

    /// Whether nothing has arrived, not even the peer's end, since the last receive. An idle connection that is
    /// not quiet can't be used again.
    fn is_quiet(&self) -> bool;

    /// Is told that the connection will be idle until somebody asks whether it is still quiet.
    fn rests(&mut self) {}

    /// Tells the peer that no more octets follow, while receiving goes on (`shutdown(2)`, `SHUT_WR`).
    fn finish_sending(&mut self);

    /// Makes the coming drop a reset instead of an orderly end, so that the peer can't take what it got for whole.
    fn abort_on_drop(&mut self);
}

/// The receiving direction of a stream.
#[allow(async_fn_in_trait, reason = "thread per core: futures are never sent to another thread")]
pub trait Receive {
    /// Received octets on loan: a pooled buffer, or a slot of a ring's provided buffers that goes back on drop.
    type Lease: Deref<Target = [u8]>;

    /// The next octets; empty at the end of the stream.
    async fn receive(&mut self, wait: Wait) -> Result<Self::Lease, IoError>;

    /// Appends the next octets to `buffer`, within its spare capacity (at least one octet), and returns their
    /// count; 0 at the end of the stream.
    async fn receive_into(
        &mut self,
        buffer: Vec<u8>,
        wait: Wait,
    ) -> (Result<usize, IoError>, Vec<u8>);
}

/// The sending direction of a stream.
#[allow(async_fn_in_trait, reason = "thread per core: futures are never sent to another thread")]
pub trait Transmit {
    /// Sends all of `octets`; `limit` bounds each wait without progress. The buffer comes back for reuse.
    async fn send(&mut self, octets: Vec<u8>, limit: Duration) -> (Result<(), IoError>, Vec<u8>);

    /// Like [`Transmit::send`], for octets behind which the stream ends: they may be held back until it is dropped or
    /// its sending direction finished, so that the end leaves in the same packet.
    async fn send_last(
        &mut self,
        octets: Vec<u8>,
        limit: Duration,
    ) -> (Result<(), IoError>, Vec<u8>) {
        self.send(octets, limit).await
    }

    /// Sends all `pieces` in order, by reference; `limit` bounds each wait without progress.
    async fn send_pieces(&mut self, pieces: Vec<Piece>, limit: Duration) -> Result<(), IoError>;
}
