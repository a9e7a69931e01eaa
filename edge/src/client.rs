//! A client's connection, as an exchange sees it.

use crate::decision::Noted;
use crate::inbound::Inbound;
use crate::io::{Io, IoError, Stream, Transmit};
use crate::piece::Piece;
use crate::spare;
use crate::worker::Worker;
use core::cell::Cell;
use core::net::SocketAddr;

/// What happens to the connection after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Another request may follow.
    Keep,
    /// It ends in order; the response is complete, or there is nobody to complete it for.
    Close,
    /// It ends in order while the client is still sending: what comes is dropped for a while.
    Linger,
    /// It is reset: the response is not complete, and the client must notice.
    Abort,
}

/// A client's connection.
pub(crate) struct Client<S> {
    pub(crate) stream: S,
    pub(crate) inbound: Inbound,
    /// Responses, or heads of responses, that have not been sent yet.
    pub(crate) output: Vec<u8>,
    pub(crate) peer: SocketAddr,
    /// What was decided about the request at hand.
    pub(crate) noted: Noted,
    /// Octets sent since the connection began.
    pub(crate) sent: Cell<u64>,
}

impl<S: Stream> Client<S> {
    /// Sends the output. Behind a response after which the connection does not persist the stream must be ended at
    /// once.
    pub(crate) async fn send_output<I: Io>(&mut self, worker: &Worker<I>, persists: bool) -> After {
        let limit = worker.shared.config.timeouts.client_send;
        let output = core::mem::take(&mut self.output);
        let octets = output.len();
        let (_, sender) = self.stream.split();
        let (sent, output) = match persists {
            true => sender.send(output, limit).await,
            false => sender.send_last(output, limit).await,
        };
        spare::give(output);
        self.account(worker, sent, octets, persists)
    }

    /// Sends the output and `pieces` behind it, together; otherwise like [`Client::send_output`].
    pub(crate) async fn send<I: Io>(
        &mut self,
        worker: &Worker<I>,
        mut pieces: Vec<Piece>,
        persists: bool,
    ) -> After {
        if pieces.is_empty() {
            return self.send_output(worker, persists).await;
        }
        if !self.output.is_empty() {
            pieces.insert(0, Piece::from(core::mem::take(&mut self.output)));
        }
        let limit = worker.shared.config.timeouts.client_send;
        let octets = pieces.iter().map(Piece::len).sum();
        let by_reference = pieces.iter().filter(|piece| piece.in_file().is_some());
        let by_reference: usize = by_reference.map(Piece::len).sum();
        let (_, sender) = self.stream.split();
        let sent = sender.send_pieces(pieces, limit).await;
        if sent.is_ok() {
            worker.counters().by_reference.add(by_reference as u64);
        }
        self.account(worker, sent, octets, persists)
    }

    fn account<I: Io>(
        &self,
        worker: &Worker<I>,
        sent: Result<(), IoError>,
        octets: usize,
        persists: bool,
    ) -> After {
        if sent.is_err() {
            worker.counters().client_errors.increment();
            return After::Close;
        }
        worker.counters().sent_octets.add(octets as u64);
        self.sent.set(self.sent.get() + octets as u64);
        if persists { After::Keep } else { After::Close }
    }
}
