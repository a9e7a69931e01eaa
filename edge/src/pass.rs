//! Requests that the store has no part in: streamed through, both directions at the same time, with one part of each
//! content in memory.

use crate::answer::fail;
use crate::client::{After, Client};
use crate::decision::{Why, decide_refusal};
use crate::error::Failure;
use crate::inbound::{Content, ContentError, Inbound};
use crate::io::clock::TICK;
use crate::io::{Io, IoError, Receive, Stream, Transmit, Wait};
use crate::key::Key;
use crate::last_hop::answer_as_last;
use crate::relay::{Parts, relay, relay_while_pumping};
use crate::request::{Refusal, Request};
use crate::respond::{Coding, respond_refusal, write_interim};
use crate::tunnel::tunnel;
use crate::upstream::fetch::{INTERIM_MAX, ReceivedHead, connect, fetch, is_repeatable, next_head};
use crate::upstream::outgoing::{Purpose, write_request_head};
use crate::upstream::pool::Connection;
use crate::worker::Worker;
use core::cell::Cell;
use core::pin::{Pin, pin};
use core::time::Duration;
use futures_lite::future::or;
use lastmile_http::cache::invalidation::{invalidates, other_targets};
use lastmile_http::cache::key::write_key;
use lastmile_http::expect::Expectation;
use lastmile_http::framing::{Framing, response_framing};
use lastmile_http::head::{HeadError, ResponseHead, Version};
use lastmile_http::max_forwards::MaxForwards;
use lastmile_http::persistence::response_allows_reuse;
use lastmile_http::target::Target;

/// A wait that somebody else ends: a response while the request's content is still being sent.
pub(crate) const UNBOUNDED: Duration = Duration::MAX;

/// The empty line behind the fields.
const HEAD_END: &[u8] = b"\r\n";

/// Sends `request` to the upstream as it is, and the response back; or answers it as its last recipient.
pub(crate) async fn pass<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    why: Why,
) -> After {
    // RFC 9110 §7.6.2: "MUST NOT forward".
    if request.max_forwards == MaxForwards::Last {
        return answer_as_last(worker, client, request).await;
    }
    worker.counters().passes.increment();
    if request.upgrades {
        return tunnel(worker, client, request).await;
    }
    if request.framing != Framing::None {
        return pass_with_content(worker, client, request, why).await;
    }
    let mut head = Vec::with_capacity(512);
    write_head(worker, client, request, &mut head);
    let hash = Key::write(worker, request, &mut Vec::new()).hash;
    let interim = (request.head.version == Version::Http11).then_some(&mut *client);
    match fetch(worker, request.head.method, head, hash, interim).await {
        Ok(response) => {
            invalidate(worker, request, &response.head.view());
            relay(worker, client, request, response, why).await
        }
        Err(failure) => {
            worker.counters().upstream_errors.increment();
            fail(worker, client, request, failure, why).await
        }
    }
}

fn write_head<I: Io>(
    worker: &Worker<I>,
    client: &Client<I::Stream>,
    request: &Request<'_>,
    out: &mut Vec<u8>,
) {
    write_request_head(worker.name(), request, client.peer, Purpose::Pass, out);
    if request.expectation == Expectation::Continue {
        out.truncate(out.len() - HEAD_END.len());
        out.extend_from_slice(b"Expect: 100-continue\r\n");
        out.extend_from_slice(HEAD_END);
    }
}

/// RFC 9111 §4.4: a change at the upstream invalidates what is stored for its URI, and for those on the same origin
/// that the response says it is about.
fn invalidate<I: Io>(worker: &Worker<I>, request: &Request<'_>, response: &ResponseHead<'_>) {
    if !invalidates(request.head.method, response.status) {
        return;
    }
    let rules = &request.site.key;
    let mut key = Vec::new();
    let mut remove = |authority: &[u8], path_and_query: &[u8]| {
        key.clear();
        write_key(rules, authority, path_and_query, &mut key);
        let hash = worker.shared.ram.hash(&key);
        // What is arriving was asked for before the change.
        worker.shared.collapse.disown(hash, &key);
        let removed = worker.shared.remove((hash, &key), |_| true);
        worker.counters().invalidated.add(removed as u64);
    };
    // What the origin knows as its name.
    let authority = rules.host.as_deref().map_or(request.target.authority, str::as_bytes);
    let target = Target { authority, ..request.target };
    remove(target.authority, target.path_and_query);
    other_targets(&target, response.fields, remove);
}

/// How sending the request's content ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pumped {
    /// All of it was sent.
    Done,
    /// The upstream takes no more: its response will say why.
    Refused,
    /// The client's content failed.
    ClientFailed(ContentError),
}

/// Why there is no final head.
enum Broken {
    Upstream(Failure),
    /// The client takes nothing more.
    ClientGone,
    /// The client's content failed.
    Content(ContentError),
}

/// A request with content: never repeated, since the content is not kept.
async fn pass_with_content<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    why: Why,
) -> After {
    let mut connection = match open(worker, request).await {
        Ok(connection) => connection,
        Err(failure) => {
            worker.counters().upstream_errors.increment();
            return fail(worker, client, request, failure, why).await;
        }
    };
    worker.counters().upstream_requests.increment();
    let request_time = worker.io.now();
    let mut head = Vec::with_capacity(512);
    write_head(worker, client, request, &mut head);
    let mut content = Content::new(request.framing);
    let pumped = Cell::new(None);
    let continued = Cell::new(request.expectation != Expectation::Continue);
    let outcome = {
        let (client_receiver, client_sender) = client.stream.split();
        let (receiver, sender) = connection.stream.split();
        let inbound = &mut client.inbound;
        let source = Source { content: &mut content, inbound, receiver: client_receiver };
        let mut pump = pin!(pump_to_fault(worker, head, request, source, sender, &pumped));
        let inbound = &mut connection.inbound;
        let waiting = final_head(worker, request, inbound, receiver, client_sender, &continued);
        let head = first_of(worker, waiting, pump.as_mut(), &pumped, &continued).await;
        match head.and_then(|head| framed(request, head)) {
            Ok((head, framing)) => {
                invalidate(worker, request, &head.view());
                let times = (request_time, worker.io.now());
                let inbound = &mut connection.inbound;
                let (sent, noted) = (&client.sent, &mut client.noted);
                let parts = Parts { inbound, receiver, sender: client_sender, sent, noted };
                let ends = pumped.get().is_none() && ends_early(&head, framing, &continued);
                let request = &Request { persists: request.persists && !ends, ..*request };
                let response = (head, framing);
                let relaying = relay_while_pumping(worker, request, response, why, parts, times);
                // The pump goes on while the response is relayed.
                let pumping = async {
                    pump.as_mut().await;
                    (After::Abort, false)
                };
                let (after, reusable) = or(relaying, pumping).await;
                if after == After::Keep {
                    read_on(worker, pump, &pumped).await;
                }
                Ok((after, reusable))
            }
            Err(failure) => Err(failure),
        }
    };
    match outcome {
        Ok((after, reusable)) if content.is_done() => {
            // Read from the client is not yet sent: a rest would take the next request for content.
            if reusable && pumped.get() == Some(Pumped::Done) && reads_content(request) {
                worker.pool.put(connection, worker.io.now(), worker.counters());
            }
            after
        }
        // The rest of the request's content would be taken for another request.
        Ok((After::Keep | After::Close, _)) => After::Linger,
        Ok((after, _)) => after,
        Err(broken) => answer_broken(worker, client, request, why, broken).await,
    }
}

/// Goes on with content that an early response did not wait for: the client was not told that the connection ends.
async fn read_on<I: Io>(
    worker: &Worker<I>,
    pump: Pin<&mut impl Future<Output = ()>>,
    pumped: &Cell<Option<Pumped>>,
) {
    let watch = async {
        while pumped.get().is_none() {
            worker.io.sleep(TICK).await;
        }
    };
    or(pump, watch).await;
}

/// Whether the connection will end with this response, which came before all of the request's content was sent: since
/// the client waits for a 100 that does not come any more, or the upstream takes no more (RFC 9110 §10.1.1 wants the
/// client told).
fn ends_early(head: &ReceivedHead, framing: Framing, continued: &Cell<bool>) -> bool {
    !continued.get() || !response_allows_reuse(&head.view(), framing)
}

/// Whether servers agree that a request with this method may have content. One that does not reads it as the next
/// request, whose answer must not meet anybody else's request: such a connection is not used again.
fn reads_content(request: &Request<'_>) -> bool {
    !matches!(request.head.method, b"GET" | b"HEAD" | b"DELETE" | b"TRACE")
}

/// Says what went wrong before there was a response, to whom it may concern.
async fn answer_broken<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    why: Why,
    broken: Broken,
) -> After {
    match broken {
        Broken::Upstream(failure) => {
            worker.counters().upstream_errors.increment();
            fail(worker, client, request, failure, why).await
        }
        Broken::Content(ContentError::Framing(error)) => {
            worker.counters().requests_bad.increment();
            refuse(worker, client, request, Refusal::Framing(error)).await;
            After::Linger
        }
        Broken::Content(ContentError::Io(IoError::TimedOut)) => {
            worker.counters().request_timeouts.increment();
            refuse(worker, client, request, Refusal::Timeout).await
        }
        Broken::Content(_) | Broken::ClientGone => {
            // There is nobody to answer.
            decide_refusal(worker, &mut client.noted, 0, "client-gone");
            After::Close
        }
    }
}

async fn refuse<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    refusal: Refusal,
) -> After {
    decide_refusal(worker, &mut client.noted, refusal.status(), refusal.reason());
    let out = &mut client.output;
    respond_refusal(worker.name(), refusal, request.is_head(), worker.io.now(), out);
    client.send_output(worker, false).await
}

/// The head, once it is clear where its content ends.
fn framed(request: &Request<'_>, head: ReceivedHead) -> Result<(ReceivedHead, Framing), Broken> {
    match response_framing(request.head.method, &head.view()) {
        Ok(framing) => Ok((head, framing)),
        Err(error) => Err(Broken::Upstream(Failure::BadFraming(error))),
    }
}

async fn open<I: Io>(
    worker: &Worker<I>,
    request: &Request<'_>,
) -> Result<Connection<I::Stream>, Failure> {
    let hash = Key::write(worker, request, &mut Vec::new()).hash;
    let now = worker.io.now();
    let repeatable = is_repeatable(request.head.method, request.framing);
    let mut failure = Failure::NoAddress;
    for peer in worker.shared.addresses.candidates(hash, now) {
        if let Some(kept) = worker.pool.take(peer, repeatable, now, worker.counters()) {
            worker.counters().upstream_reuses.increment();
            return Ok(kept);
        }
        match connect(worker, peer).await {
            Ok(connection) => return Ok(connection),
            Err(error) => failure = Failure::Connect(error),
        }
    }
    Err(failure)
}

/// The client's content on its way up.
struct Source<'a, R> {
    content: &'a mut Content,
    inbound: &'a mut Inbound,
    receiver: &'a mut R,
}

/// Sends the head and all content, and ends only when the client's content fails.
async fn pump_to_fault<I: Io, R: Receive, T: Transmit>(
    worker: &Worker<I>,
    head: Vec<u8>,
    request: &Request<'_>,
    source: Source<'_, R>,
    sender: &mut T,
    pumped: &Cell<Option<Pumped>>,
) {
    let outcome = pump(worker, head, request, source, sender).await;
    pumped.set(Some(outcome));
    if !matches!(outcome, Pumped::ClientFailed(_)) {
        core::future::pending::<()>().await;
    }
}

/// Sends the head and all content; the content keeps its framing.
async fn pump<I: Io, R: Receive, T: Transmit>(
    worker: &Worker<I>,
    head: Vec<u8>,
    request: &Request<'_>,
    source: Source<'_, R>,
    sender: &mut T,
) -> Pumped {
    let timeouts = &worker.shared.config.timeouts;
    if sender.send(head, timeouts.upstream_send).await.0.is_err() {
        return Pumped::Refused;
    }
    let coding = Coding::new(Version::Http11, request.framing);
    // A client that waits for a 100 sends nothing as long as the upstream takes to say so.
    let mut wait = Wait::Busy(match request.expectation {
        Expectation::None => timeouts.client_receive,
        Expectation::Continue => timeouts.client_receive + timeouts.upstream_head,
    });
    loop {
        let mut batch = Vec::new();
        match source.content.next(source.inbound, source.receiver, wait).await {
            Ok(Some(part)) => coding.encode(vec![part.into()], &mut batch),
            Ok(None) => {}
            Err(error) => return Pumped::ClientFailed(error),
        }
        wait = Wait::Busy(timeouts.client_receive);
        let ended = source.content.is_done();
        if ended {
            batch.extend(coding.end());
        }
        if sender.send_pieces(batch, timeouts.upstream_send).await.is_err() {
            return Pumped::Refused;
        }
        if ended {
            return Pumped::Done;
        }
    }
}

/// The response's head, while the content is being sent. Once that is done, or while the client waits for a 100, the
/// head must come within its time.
async fn first_of<I: Io>(
    worker: &Worker<I>,
    waiting: impl Future<Output = Result<ReceivedHead, Broken>>,
    pump: Pin<&mut impl Future<Output = ()>>,
    pumped: &Cell<Option<Pumped>>,
    continued: &Cell<bool>,
) -> Result<ReceivedHead, Broken> {
    let limit = worker.shared.config.timeouts.upstream_head;
    let watch = async {
        let mut since = worker.io.now();
        loop {
            let (sent, now) = (pumped.get().is_some(), worker.io.now());
            if !sent && continued.get() {
                since = now;
            }
            match limit.checked_sub(now.saturating_since(since)).filter(|left| !left.is_zero()) {
                Some(left) => worker.io.sleep(if sent { left } else { TICK }).await,
                None => return Err(Broken::Upstream(Failure::NoResponse(IoError::TimedOut))),
            }
        }
    };
    let pumping = async {
        pump.await;
        Err(match pumped.get() {
            Some(Pumped::ClientFailed(error)) => Broken::Content(error),
            Some(Pumped::Done | Pumped::Refused) | None => Broken::ClientGone,
        })
    };
    or(waiting, or(pumping, watch)).await
}

/// The final head; interim ones (100, 102, 103) are passed on to a client that understands them (RFC 9110 §15.2).
async fn final_head<I: Io, R: Receive, T: Transmit>(
    worker: &Worker<I>,
    request: &Request<'_>,
    inbound: &mut Inbound,
    receiver: &mut R,
    client: &mut T,
    continued: &Cell<bool>,
) -> Result<ReceivedHead, Broken> {
    let limits = &worker.shared.config.head_limits;
    for _ in 0..INTERIM_MAX {
        let head = next_head(inbound, receiver, limits, || Some(UNBOUNDED)).await;
        let head = head.map_err(Broken::Upstream)?;
        if !head.is_interim() {
            return Ok(head);
        }
        if head.status() == 101 {
            break;
        }
        if head.status() == 100 {
            continued.set(true);
        }
        if request.head.version == Version::Http11 {
            let limit = worker.shared.config.timeouts.client_send;
            if client.send(interim(worker, &head), limit).await.0.is_err() {
                return Err(Broken::ClientGone);
            }
        }
    }
    Err(Broken::Upstream(Failure::BadHead(HeadError::BadStatusLine)))
}

pub(crate) fn interim<I: Io>(worker: &Worker<I>, head: &ReceivedHead) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    write_interim(worker.name(), &head.view(), worker.io.now(), &mut out);
    out
}
