//! A client's connection, as an exchange sees it.

use crate::decision::Noted;
use crate::inbound::Inbound;
use crate::io::{Io, Stream, Transmit};
use crate::piece::Piece;
use crate::worker::Worker;
use core::cell::Cell;
use core::net::SocketAddr;

/// An output buffer that grew for a large head or many pipelined responses is let go when it is empty again.
const KEPT_CAPACITY_MAX: usize = 64 * 1024;

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
    /// Sends the output and `pieces` behind it, together.
    pub(crate) async fn send<I: Io>(
        &mut self,
        worker: &Worker<I>,
        mut pieces: Vec<Piece>,
        persists: bool,
    ) -> After {
        let limit = worker.shared.config.timeouts.client_send;
        let content: usize = pieces.iter().map(Piece::len).sum();
        let octets = self.output.len() + content;
        let by_reference = pieces.iter().filter(|piece| piece.in_file().is_some());
        let by_reference: usize = by_reference.map(Piece::len).sum();
        let (_, sender) = self.stream.split();
        let sent = if pieces.is_empty() {
            let output = core::mem::take(&mut self.output);
            let (sent, output) = sender.send(output, limit).await;
            self.output = output;
            self.output.clear();
            if self.output.capacity() > KEPT_CAPACITY_MAX {
                self.output = Vec::new();
            }
            sent
        } else {
            if !self.output.is_empty() {
                pieces.insert(0, Piece::from(core::mem::take(&mut self.output)));
            }
            sender.send_pieces(pieces, limit).await
        };
        if sent.is_err() {
            worker.counters().client_errors.increment();
            return After::Close;
        }
        worker.counters().sent_octets.add(octets as u64);
        worker.counters().by_reference.add(by_reference as u64);
        self.sent.set(self.sent.get() + octets as u64);
        if persists { After::Keep } else { After::Close }
    }
}
