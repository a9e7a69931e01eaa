//! One request without content, sent to one upstream after the other until one answers; and the head of the answer.

use super::pool::Connection;
use crate::client::Client;
use crate::error::Failure;
use crate::inbound::{Content, Inbound};
use crate::io::{Io, IoError, Receive, Stream, Transmit, Wait};
use crate::respond::write_interim;
use crate::worker::Worker;
use core::ops::Range;
use core::time::Duration;
use lastmile_http::framing::{Framing, response_framing};
use lastmile_http::head::{
    FieldSpan, Fields, HeadError, HeadLimits, Parsed, ResponseHead, Version, parse_response,
};
use lastmile_http::persistence::response_allows_reuse;
use lastmile_http::time::UnixTime;

/// Interim (1xx) responses accepted before a final one; a server that sends more is broken.
pub(crate) const INTERIM_MAX: usize = 16;

/// A response's head, on its own, so that the connection can go on with the content.
#[derive(Debug)]
pub(crate) struct ReceivedHead {
    octets: Vec<u8>,
    spans: Vec<FieldSpan>,
    version: Version,
    status: u16,
    reason: Range<usize>,
}

impl ReceivedHead {
    pub(crate) fn view(&self) -> ResponseHead<'_> {
        ResponseHead {
            version: self.version,
            status: self.status,
            reason: &self.octets[self.reason.clone()],
            fields: Fields::new(&self.octets, &self.spans),
        }
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn is_interim(&self) -> bool {
        (100..200).contains(&self.status)
    }

    /// Status line and fields as received, with the empty line.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.octets
    }
}

/// A final response whose content has not been read yet.
pub(crate) struct Response<S> {
    pub(crate) head: ReceivedHead,
    pub(crate) framing: Framing,
    pub(crate) content: Content,
    pub(crate) connection: Connection<S>,
    /// The connection may serve another request when the content has been read.
    pub(crate) reusable: bool,
    pub(crate) request_time: UnixTime,
    pub(crate) response_time: UnixTime,
}

impl<S: Stream> Response<S> {
    pub(crate) fn new(
        method: &[u8],
        head: ReceivedHead,
        connection: Connection<S>,
        request_time: UnixTime,
        response_time: UnixTime,
    ) -> Result<Self, Failure> {
        let framing = response_framing(method, &head.view()).map_err(Failure::BadFraming)?;
        let reusable = response_allows_reuse(&head.view(), framing);
        let content = Content::new(framing);
        Ok(Self { head, framing, content, connection, reusable, request_time, response_time })
    }
}

/// Octets of an unwanted content that are read so that its connection can be kept; above it a new one is cheaper.
const DISCARD_OCTETS_MAX: usize = 64 * 1024;

/// Does without the content of `response`, and keeps its connection if that is quickly done.
pub(crate) fn discard<I: Io>(worker: &Worker<I>, mut response: Response<I::Stream>) {
    if !response.reusable {
        return;
    }
    let worker = worker.handle();
    if response.content.is_done() {
        worker.pool.put(response.connection, worker.io.now(), worker.counters());
        return;
    }
    let io = worker.io.clone();
    io.spawn(async move {
        let wait = Wait::Busy(worker.shared.config.timeouts.upstream_receive);
        let mut octets = 0;
        while octets < DISCARD_OCTETS_MAX && !response.content.is_done() {
            let connection = &mut response.connection;
            let (receiver, _) = connection.stream.split();
            match response.content.next(&mut connection.inbound, receiver, wait).await {
                Ok(part) => octets += part.map_or(0, |part| part.len()),
                Err(_) => return,
            }
        }
        if response.content.is_done() {
            worker.pool.put(response.connection, worker.io.now(), worker.counters());
        }
    });
}

/// Whether a request may be sent again when its connection was lost before the response (RFC 9110 §9.2.2).
pub(crate) fn is_repeatable(method: &[u8], framing: Framing) -> bool {
    const IDEMPOTENT: [&[u8]; 6] = [b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"];
    framing == Framing::None && IDEMPOTENT.contains(&method)
}

/// Sends `request` (a whole head) for the key with this hash and waits for the final response's head.
///
/// Interim responses on the way are passed on to the client `interim`, if there is one that understands them.
///
/// A kept connection that turns out closed costs one repeat on a fresh one. An address that can't be reached, or that
/// closes without an answer, is followed by the next.
pub(crate) async fn fetch<I: Io>(
    worker: &Worker<I>,
    method: &[u8],
    request: Vec<u8>,
    hash: u64,
    mut interim: Option<&mut Client<I::Stream>>,
) -> Result<Response<I::Stream>, Failure> {
    let repeatable = is_repeatable(method, Framing::None);
    let mut request = request;
    let mut failure = Failure::NoAddress;
    for peer in worker.shared.addresses.candidates(hash, worker.io.now()) {
        let kept = worker.pool.take(peer, repeatable, worker.io.now(), worker.counters());
        if let Some(connection) = kept {
            worker.counters().upstream_reuses.increment();
            let (outcome, unsent) =
                converse(worker, connection, method, request, interim.as_deref_mut()).await;
            request = unsent;
            match outcome {
                Err(Failure::NoResponse(IoError::Closed)) if repeatable => {
                    worker.counters().upstream_retries.increment();
                }
                outcome => return outcome,
            }
        }
        let connection = match connect(worker, peer).await {
            Ok(connection) => connection,
            Err(error) => {
                failure = Failure::Connect(error);
                continue;
            }
        };
        let (outcome, unsent) =
            converse(worker, connection, method, request, interim.as_deref_mut()).await;
        request = unsent;
        match outcome {
            Err(lost @ Failure::NoResponse(IoError::Closed)) if repeatable => failure = lost,
            outcome => return outcome,
        }
    }
    Err(failure)
}

/// Opens a connection to `peer` and notes whether that went well.
pub(crate) async fn connect<I: Io>(
    worker: &Worker<I>,
    peer: core::net::SocketAddr,
) -> Result<Connection<I::Stream>, IoError> {
    worker.counters().upstream_connects.increment();
    let limit = worker.shared.config.timeouts.upstream_connect;
    let opened = worker.io.connect(peer, limit).await;
    worker.shared.addresses.note(peer, opened.is_ok(), worker.io.now());
    Ok(Connection::new(opened?, peer, worker.io.now()))
}

async fn converse<I: Io>(
    worker: &Worker<I>,
    mut connection: Connection<I::Stream>,
    method: &[u8],
    request: Vec<u8>,
    interim: Option<&mut Client<I::Stream>>,
) -> (Result<Response<I::Stream>, Failure>, Vec<u8>) {
    worker.counters().upstream_requests.increment();
    let timeouts = &worker.shared.config.timeouts;
    let request_time = worker.io.now();
    let (receiver, sender) = connection.stream.split();
    let (sent, request) = sender.send(request, timeouts.upstream_send).await;
    if let Err(error) = sent {
        return (Err(Failure::NoResponse(error)), request);
    }
    let head = final_head(worker, &mut connection.inbound, receiver, interim).await;
    let outcome = head
        .and_then(|head| Response::new(method, head, connection, request_time, worker.io.now()));
    (outcome, request)
}

async fn final_head<I: Io, R: Receive>(
    worker: &Worker<I>,
    inbound: &mut Inbound,
    receiver: &mut R,
    mut interim: Option<&mut Client<I::Stream>>,
) -> Result<ReceivedHead, Failure> {
    let limits = &worker.shared.config.head_limits;
    let limit = worker.shared.config.timeouts.upstream_head;
    let mut deadline = worker.io.now().plus(limit);
    for _ in 0..INTERIM_MAX {
        let left =
            || Some(deadline.saturating_since(worker.io.now())).filter(|left| !left.is_zero());
        let head = next_head(inbound, receiver, limits, left).await?;
        if !head.is_interim() {
            return Ok(head);
        }
        // Nobody asked to switch protocols (RFC 9110 §15.2.2).
        if head.status() == 101 {
            break;
        }
        if let Some(client) = interim.as_deref_mut() {
            write_interim(worker.name(), &head.view(), worker.io.now(), &mut client.output);
            // A client that takes nothing more is found out when the final response is sent.
            client.send_output(worker, true).await;
            // The time that a client takes is not the upstream's.
            deadline = worker.io.now().plus(limit);
        }
    }
    Err(Failure::BadHead(HeadError::BadStatusLine))
}

/// The next head, interim ones included. `left` says how long the next wait may take, and `None` when time is up.
pub(crate) async fn next_head<R: Receive>(
    inbound: &mut Inbound,
    receiver: &mut R,
    limits: &HeadLimits,
    left: impl Fn() -> Option<Duration>,
) -> Result<ReceivedHead, Failure> {
    loop {
        if !inbound.is_empty() {
            let mut spans = Vec::new();
            let parsed = parse_response(inbound.unread(), &mut spans, limits);
            if let Parsed::Complete { head, length } = parsed.map_err(Failure::BadHead)? {
                let (version, status) = (head.version, head.status);
                let reason = place(inbound.unread(), head.reason);
                let octets = inbound.unread()[..length].to_vec();
                inbound.consume(length);
                return Ok(ReceivedHead { octets, spans, version, status, reason });
            }
        }
        let limit = left().ok_or(Failure::NoResponse(IoError::TimedOut))?;
        let received = inbound.receive(receiver, Wait::Busy(limit)).await;
        if received.map_err(Failure::NoResponse)? == 0 {
            return Err(Failure::NoResponse(IoError::Closed));
        }
    }
}

/// Where `part` lies in `octets`.
fn place(octets: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).wrapping_sub(octets.as_ptr() as usize);
    if part.is_empty() || start > octets.len() { 0..0 } else { start..start + part.len() }
}
