//! A client's connection: one request after the other, pipelined ones answered together, until somebody ends it.

use crate::client::{After, Client};
use crate::decision::{Noted, decide_refusal, log};
use crate::exchange::{AtOnce, answer_at_once, exchange};
use crate::inbound::Inbound;
use crate::io::{Io, IoError, Receive, Stream, Wait};
use crate::piece::Piece;
use crate::request::{Refusal, Request};
use crate::respond::respond_refusal;
use crate::spare;
use crate::worker::{Scratch, Worker};
use core::cell::Cell;
use core::future::Future;
use core::net::SocketAddr;
use core::time::Duration;
use lastmile_http::head::{Parsed, parse_request};
use std::rc::Rc;

/// Answers gathered for one send when requests are pipelined; a client that never reads stops there.
const OUTPUT_OCTETS_MAX: usize = 64 * 1024;
/// After a response that ends the connection early, what the client still sends is read and dropped, within these
/// bounds, or a reset could overtake the response (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(2);
const LINGER_OCTETS_MAX: usize = 256 * 1024;

/// What to do next on a connection.
enum Step {
    /// No whole request is there.
    Receive,
    /// The output is full: send it.
    Flush,
    /// Send the output and this content.
    Send(Vec<Piece>, bool),
    /// The request whose head has this many octets needs the upstream.
    Forward(usize),
    /// The request is refused.
    Refuse(Refusal),
    /// The last request was answered.
    Close,
}

/// Serves the connection `stream` of the client `peer` to its end.
pub fn serve<I: Io>(
    worker: Rc<Worker<I>>,
    stream: I::Stream,
    peer: SocketAddr,
) -> impl Future<Output = ()> {
    // Made here, since an `async` function has room for its arguments and for what it makes of them.
    let mut client = Client {
        stream,
        inbound: Inbound::default(),
        output: Vec::new(),
        peer,
        noted: Noted::default(),
        sent: Cell::new(0),
    };
    async move {
        worker.counters().connections.increment();
        if serve_requests(&worker, &mut client).await == After::Abort {
            client.stream.abort_on_drop();
        }
        drop(client);
        worker.counters().connections.decrement();
    }
}

async fn serve_requests<I: Io>(worker: &Worker<I>, client: &mut Client<I::Stream>) -> After {
    loop {
        let after = match next_step(worker, client) {
            Step::Receive => {
                if !client.output.is_empty() {
                    client.send_output(worker, true).await
                } else {
                    match receive(worker, client).await {
                        Ok(after) => after,
                        Err(refusal) => return Box::pin(refuse(worker, client, refusal)).await,
                    }
                }
            }
            Step::Flush => client.send_output(worker, true).await,
            Step::Send(content, persists) => Box::pin(client.send(worker, content, persists)).await,
            // In boxes, like what follows: the connection is small while it serves small hits or nothing.
            Step::Forward(length) => Box::pin(forward(worker, client, length)).await,
            Step::Refuse(refusal) => return Box::pin(refuse(worker, client, refusal)).await,
            Step::Close => return client.send_output(worker, false).await,
        };
        if after != After::Keep {
            if after == After::Linger || after == After::Close && !client.inbound.is_empty() {
                Box::pin(linger(worker, client)).await;
            }
            return after;
        }
    }
}

/// Answers requests from the store as long as they are there whole; says what to do then.
fn next_step<I: Io>(worker: &Worker<I>, client: &mut Client<I::Stream>) -> Step {
    let draining = worker.shared.is_draining();
    let Scratch { spans, key } = &mut *worker.scratch.borrow_mut();
    loop {
        if client.inbound.is_empty() {
            return Step::Receive;
        }
        if client.output.len() > OUTPUT_OCTETS_MAX {
            return Step::Flush;
        }
        let limits = &worker.shared.config.head_limits;
        let parsed = parse_request(client.inbound.unread(), spans, limits);
        let (head, length) = match parsed {
            Ok(Parsed::Complete { head, length }) => (head, length),
            Ok(Parsed::Partial) => {
                if is_empty_lines(client.inbound.unread()) {
                    client.inbound.consume(client.inbound.unread().len());
                }
                return Step::Receive;
            }
            Err(error) => return Step::Refuse(Refusal::Head(error)),
        };
        let sites = &worker.shared.config.sites;
        let request = match Request::new(head, sites, draining) {
            Ok(request) => request,
            Err(refusal) => return Step::Refuse(refusal),
        };
        let persists = request.persists;
        let Client { output, noted, .. } = client;
        if output.capacity() == 0 {
            *output = spare::take();
        }
        let before = output.len();
        let answer = answer_at_once(worker, &request, key, noted, output);
        let content = match &answer {
            AtOnce::Forward => return Step::Forward(length),
            AtOnce::Answered => 0,
            AtOnce::Send(pieces) => pieces.iter().map(Piece::len).sum(),
        };
        worker.counters().requests.increment();
        let octets = client.output.len() - before + content;
        log(worker, &client.noted, client.peer, Some(&request), octets as u64);
        client.inbound.consume(length);
        match answer {
            AtOnce::Send(content) => return Step::Send(content, persists),
            _ if !persists => return Step::Close,
            _ => {}
        }
    }
}

/// Waits for more of a request. A connection that ends between two requests ends in silence.
async fn receive<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
) -> Result<After, Refusal> {
    let timeouts = &worker.shared.config.timeouts;
    let (receiver, _) = client.stream.split();
    if client.inbound.is_empty() {
        if worker.shared.is_draining() {
            return Ok(After::Close);
        }
        spare::give(core::mem::take(&mut client.output));
        let received = client.inbound.receive(receiver, Wait::Idle(timeouts.client_idle)).await;
        return Ok(if received.is_ok_and(|count| count > 0) { After::Keep } else { After::Close });
    }
    Box::pin(receive_rest(worker, client)).await
}

/// Waits for the rest of a head. Whoever sends it octet by octet has until the deadline for all of it.
async fn receive_rest<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
) -> Result<After, Refusal> {
    let timeouts = &worker.shared.config.timeouts;
    let (receiver, _) = client.stream.split();
    let deadline = worker.io.now().plus(timeouts.client_head);
    let limits = &worker.shared.config.head_limits;
    let mut spans = Vec::new();
    loop {
        let left = deadline.saturating_since(worker.io.now());
        if left.is_zero() {
            return Err(Refusal::Timeout);
        }
        match client.inbound.receive(receiver, Wait::Busy(left)).await {
            Ok(0) => return Ok(After::Close),
            Ok(_) => {}
            Err(IoError::TimedOut) => return Err(Refusal::Timeout),
            Err(_) => return Ok(After::Close),
        }
        match parse_request(client.inbound.unread(), &mut spans, limits) {
            Ok(Parsed::Partial) if !is_empty_lines(client.inbound.unread()) => {}
            _ => return Ok(After::Keep),
        }
    }
}

/// RFC 9112 §2.2: empty lines behind a request are no beginning of the next one.
fn is_empty_lines(octets: &[u8]) -> bool {
    matches!(octets, b"\r\n" | b"\r\n\r\n")
}

async fn forward<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    length: usize,
) -> After {
    // Earlier answers must not wait for an upstream.
    if !client.output.is_empty() && client.send_output(worker, true).await != After::Keep {
        return After::Close;
    }
    worker.counters().requests.increment();
    // The head is kept on its own: the connection's buffer goes on with the content.
    let octets = client.inbound.unread()[..length].to_vec();
    client.inbound.consume(length);
    let limits = &worker.shared.config.head_limits;
    let mut spans = Vec::new();
    let parsed = parse_request(&octets, &mut spans, limits);
    let Ok(Parsed::Complete { head, .. }) = parsed else {
        unreachable!("the same octets were a whole head before");
    };
    match Request::new(head, &worker.shared.config.sites, worker.shared.is_draining()) {
        Ok(request) => {
            let before = client.sent.get();
            let after = exchange(worker, client, &request, &octets).await;
            let sent = client.sent.get() - before;
            log(worker, &client.noted, client.peer, Some(&request), sent);
            after
        }
        Err(refusal) => refuse(worker, client, refusal).await,
    }
}

async fn refuse<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    refusal: Refusal,
) -> After {
    match refusal {
        Refusal::Timeout => worker.counters().request_timeouts.increment(),
        _ => worker.counters().requests_bad.increment(),
    }
    // Whatever is wrong with it.
    let (unread, before) = (client.inbound.unread(), client.output.len());
    let head_only = unread.trim_ascii_start().starts_with(b"HEAD ");
    let out = &mut client.output;
    respond_refusal(worker.name(), refusal, head_only, worker.io.now(), out);
    decide_refusal(worker, &mut client.noted, refusal.status(), refusal.reason());
    log(worker, &client.noted, client.peer, None, (client.output.len() - before) as u64);
    if client.send_output(worker, true).await == After::Keep && refusal != Refusal::Timeout {
        linger(worker, client).await;
    }
    After::Close
}

/// Ends the sending direction and drops what still comes, for a while.
async fn linger<I: Io>(worker: &Worker<I>, client: &mut Client<I::Stream>) {
    client.stream.finish_sending();
    let (receiver, _) = client.stream.split();
    let deadline = worker.io.now().plus(LINGER);
    let mut dropped = 0;
    while dropped < LINGER_OCTETS_MAX {
        let left = deadline.saturating_since(worker.io.now());
        if left.is_zero() {
            return;
        }
        match receiver.receive(Wait::Idle(left)).await {
            Ok(lease) if !lease.is_empty() => dropped += lease.len(),
            _ => return,
        }
    }
}
