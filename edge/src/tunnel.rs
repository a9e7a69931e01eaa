//! Requests to go on in another protocol, such as WebSocket (RFC 9110 §7.8): when the upstream agrees, octets go both
//! ways until either side ends.

use crate::answer::fail;
use crate::client::{After, Client};
use crate::decision::{Why, decide};
use crate::error::Failure;
use crate::inbound::Inbound;
use crate::io::{Io, Receive, Stream, Transmit, Wait};
use crate::key::Key;
use crate::pass::{UNBOUNDED, interim};
use crate::relay::relay;
use crate::request::Request;
use crate::stored::{write_end_to_end_fields, write_field, write_status_line};
use crate::upstream::fetch::{INTERIM_MAX, ReceivedHead, Response, connect, next_head};
use crate::upstream::outgoing::{Purpose, write_request_head};
use crate::upstream::pool::Connection;
use crate::worker::Worker;
use core::cell::Cell;
use core::pin::pin;
use core::time::Duration;
use futures_lite::future::or;
use lastmile_http::cache::status::ForwardReason;
use lastmile_http::fields::eq_ignore_case;
use lastmile_http::head::{Fields, HeadError, RequestHead, Version};
use lastmile_http::time::UnixTime;

/// Octets on their way in one direction. Messages of chats and games are far smaller; larger only helps what should be
/// a download, and two of these are held by each tunnel as long as it lasts.
const BUFFER_OCTETS: usize = 16 * 1024;

/// When one side has ended, the other may still say what it has to say, as long as it goes on without a pause of this.
/// A protocol says good-bye within a round trip; longer only keeps the ends of connections that nobody reads.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Protocols that carry requests: in a tunnel nobody would see what they ask for, which has been used to reach what a
/// cache does not let through.
const CARRIERS: [&[u8]; 5] = [b"http", b"h2c", b"h2", b"h3", b"tls"];

/// Whether the request asks for another protocol in a way that may be passed on.
pub(crate) fn wants_upgrade(head: &RequestHead<'_>) -> bool {
    let names_upgrade = |option: &[u8]| eq_ignore_case(option, b"upgrade");
    let mut protocols = head.fields.list("upgrade").peekable();
    head.method == b"GET"
        // RFC 9110 §7.8: a server must ignore the field from HTTP/1.0, and without its name in Connection.
        && head.version == Version::Http11
        && head.fields.list("connection").any(names_upgrade)
        && protocols.peek().is_some()
        && !protocols.any(|protocol| CARRIERS.iter().any(|name| is_protocol(protocol, name)))
}

/// RFC 9110 §7.8: protocol-name ["/" protocol-version].
fn is_protocol(protocol: &[u8], name: &[u8]) -> bool {
    protocol.split(|octet| *octet == b'/').next().is_some_and(|found| eq_ignore_case(found, name))
}

/// RFC 9110 §7.8: a server switches to nothing that the client has not named.
fn is_offered(answer: Fields<'_>, request: Fields<'_>) -> bool {
    let is_named =
        |protocol: &[u8]| request.list("upgrade").any(|offered| eq_ignore_case(offered, protocol));
    let mut chosen = answer.list("upgrade").peekable();
    chosen.peek().is_some() && chosen.all(is_named)
}

/// Asks the upstream to switch, and carries octets if it does; any other answer is passed on as usual.
pub(crate) async fn tunnel<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
) -> After {
    let why = Why::from(ForwardReason::Bypass).with("upgrade");
    let request_time = worker.io.now();
    match ask(worker, client, request).await {
        Ok((head, connection)) if head.status() == 101 => {
            worker.counters().tunnels.increment();
            let status = why.status(Some(101));
            decide(worker, &mut client.noted, request, 101, &status, why.reason);
            write_switch(worker.name(), &head, worker.io.now(), &mut client.output);
            if client.send_output(worker, true).await != After::Keep {
                return After::Close;
            }
            carry(worker, client, connection).await
        }
        Ok((head, connection)) => {
            let (method, response_time) = (request.head.method, worker.io.now());
            match Response::new(method, head, connection, request_time, response_time) {
                Ok(response) => relay(worker, client, request, response, why).await,
                Err(failure) => failed(worker, client, request, failure, why).await,
            }
        }
        Err(failure) => failed(worker, client, request, failure, why).await,
    }
}

async fn failed<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    failure: Failure,
    why: Why,
) -> After {
    worker.counters().upstream_errors.increment();
    fail(worker, client, request, failure, why).await
}

/// The upstream's answer, on a connection of its own: one that was kept could turn out closed.
async fn ask<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
) -> Result<(ReceivedHead, Connection<I::Stream>), Failure> {
    let hash = Key::write(worker, request, &mut Vec::new()).hash;
    let mut failure = Failure::NoAddress;
    let mut opened = None;
    for peer in worker.shared.addresses.candidates(hash, worker.io.now()) {
        match connect(worker, peer).await {
            Ok(connection) => {
                opened = Some(connection);
                break;
            }
            Err(error) => failure = Failure::Connect(error),
        }
    }
    let mut connection = opened.ok_or(failure)?;
    worker.counters().upstream_requests.increment();
    let mut head = Vec::with_capacity(512);
    write_request_head(worker.name(), request, client.peer, Purpose::Upgrade, &mut head);
    let timeouts = &worker.shared.config.timeouts;
    let (receiver, sender) = connection.stream.split();
    sender.send(head, timeouts.upstream_send).await.0.map_err(Failure::NoResponse)?;
    let deadline = worker.io.now().plus(timeouts.upstream_head);
    let left = || Some(deadline.saturating_since(worker.io.now())).filter(|left| !left.is_zero());
    let limits = &worker.shared.config.head_limits;
    for _ in 0..INTERIM_MAX {
        let head = next_head(&mut connection.inbound, receiver, limits, left).await?;
        match head.status() {
            101 if is_offered(head.view().fields, request.head.fields) => {
                return Ok((head, connection));
            }
            101 => break,
            _ if !head.is_interim() => return Ok((head, connection)),
            _ => {
                client.output.extend(interim(worker, &head));
                // A client that takes nothing more is found out when the final answer is sent.
                client.send_output(worker, true).await;
            }
        }
    }
    Err(Failure::BadHead(HeadError::BadStatusLine))
}

/// The 101 with the fields that are for this hop, and mean the same on the next one.
fn write_switch(name: &str, head: &ReceivedHead, now: UnixTime, out: &mut Vec<u8>) {
    let view = head.view();
    write_status_line(101, view.reason, out);
    write_end_to_end_fields(name, &view, now, out);
    out.extend_from_slice(b"Connection: upgrade\r\n");
    for value in view.fields.all("upgrade") {
        write_field(b"Upgrade", value, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// How a direction, or the tunnel, ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The sending side has said all.
    InOrder,
    /// Either side was lost.
    Broken,
    /// Nothing came from anybody for too long.
    Silent,
}

/// One direction of a tunnel.
struct Direction<'a, R, T> {
    receiver: &'a mut R,
    /// What came behind the head.
    first: Vec<u8>,
    sender: &'a mut T,
    /// Bounds each wait without progress in sending.
    limit: Duration,
}

/// Carries octets both ways.
async fn carry<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    mut connection: Connection<I::Stream>,
) -> After {
    let timeouts = &worker.shared.config.timeouts;
    let heard = Cell::new(worker.io.now());
    let ended = {
        let (from_client, to_client) = client.stream.split();
        let (from_upstream, to_upstream) = connection.stream.split();
        let up = Direction {
            receiver: from_client,
            first: take(&mut client.inbound),
            sender: to_upstream,
            limit: timeouts.upstream_send,
        };
        let down = Direction {
            receiver: from_upstream,
            first: take(&mut connection.inbound),
            sender: to_client,
            limit: timeouts.client_send,
        };
        let mut up = pin!(flow(worker, up, &heard, |_| {}));
        let mut down = pin!(flow(worker, down, &heard, |octets| {
            worker.counters().sent_octets.add(octets as u64);
            client.sent.set(client.sent.get() + octets as u64);
        }));
        let upwards = async { (up.as_mut().await, true) };
        let downwards = async { (down.as_mut().await, false) };
        let silent = async { (silence(worker, &heard, timeouts.client_idle).await, false) };
        // A receive that is given up may take octets with it, so the direction that goes on is never interrupted.
        match or(or(upwards, downwards), silent).await {
            (Ended::InOrder, true) => or(down, silence(worker, &heard, LAST_WORDS)).await,
            (Ended::InOrder, false) => or(up, silence(worker, &heard, LAST_WORDS)).await,
            (ended, _) => ended,
        }
    };
    if ended == Ended::Broken {
        connection.stream.abort_on_drop();
        return After::Abort;
    }
    After::Close
}

/// What arrived behind a head.
fn take(inbound: &mut Inbound) -> Vec<u8> {
    let octets = inbound.unread().to_vec();
    inbound.consume(octets.len());
    octets
}

/// Carries octets one way until there are no more.
async fn flow<I: Io, R: Receive, T: Transmit>(
    worker: &Worker<I>,
    direction: Direction<'_, R, T>,
    heard: &Cell<UnixTime>,
    mut sent: impl FnMut(usize),
) -> Ended {
    let Direction { receiver, first: mut buffer, sender, limit } = direction;
    loop {
        if !buffer.is_empty() {
            let octets = buffer.len();
            let (outcome, returned) = sender.send(buffer, limit).await;
            if outcome.is_err() {
                return Ended::Broken;
            }
            heard.set(worker.io.now());
            sent(octets);
            buffer = returned;
        }
        buffer.clear();
        if buffer.capacity() < BUFFER_OCTETS {
            buffer.reserve_exact(BUFFER_OCTETS);
        }
        let received;
        (received, buffer) = receiver.receive_into(buffer, Wait::Busy(UNBOUNDED)).await;
        match received {
            Ok(0) => return Ended::InOrder,
            Ok(_) => heard.set(worker.io.now()),
            Err(_) => return Ended::Broken,
        }
    }
}

/// Ends when nothing was heard from either side for `limit`.
async fn silence<I: Io>(worker: &Worker<I>, heard: &Cell<UnixTime>, limit: Duration) -> Ended {
    let begin = worker.io.now();
    loop {
        let now = worker.io.now();
        let quiet = now.saturating_since(heard.get()).min(now.saturating_since(begin));
        match limit.checked_sub(quiet).filter(|left| !left.is_zero()) {
            Some(left) => worker.io.sleep(left).await,
            None => return Ended::Silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmile_http::head::{HeadLimits, Parsed, parse_fields, parse_request};

    #[test]
    fn only_other_protocols_are_tunnelled() {
        // RFC 9110 §7.8
        let rows = [
            ("GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", true, "WebSocket"),
            (
                "GET / HTTP/1.1",
                "Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n",
                true,
                "as browsers send it",
            ),
            ("GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: a/1, b\r\n", true, "any other"),
            ("GET / HTTP/1.1", "Upgrade: websocket\r\n", false, "not named in Connection"),
            ("GET / HTTP/1.1", "Connection: upgrade\r\n", false, "nothing to switch to"),
            ("GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade:\r\n", false, "an empty list"),
            (
                "GET / HTTP/1.0",
                "Connection: upgrade\r\nUpgrade: websocket\r\n",
                false,
                "1.0: must be ignored",
            ),
            (
                "POST / HTTP/1.1",
                "Connection: upgrade\r\nUpgrade: websocket\r\n",
                false,
                "WebSocket is asked for by GET (RFC 6455 §4.1)",
            ),
            (
                "GET / HTTP/1.1",
                "Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\n",
                false,
                "requests that nobody sees",
            ),
            (
                "GET / HTTP/1.1",
                "Connection: upgrade\r\nUpgrade: websocket, H2C\r\n",
                false,
                "the same beside another",
            ),
            ("GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: HTTP/2.0\r\n", false, "the same"),
            ("GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: TLS/1.0\r\n", false, "hidden ones"),
        ];
        for (line, fields, expected, why) in rows {
            let octets = format!("{line}\r\nHost: a\r\n{fields}\r\n");
            let mut spans = Vec::new();
            let parsed = parse_request(octets.as_bytes(), &mut spans, &HeadLimits::default());
            let Ok(Parsed::Complete { head, .. }) = parsed else { panic!("{octets}") };
            assert_eq!(wants_upgrade(&head), expected, "{why}");
        }
    }

    #[test]
    fn the_upstream_chooses_among_what_was_offered() {
        // RFC 9110 §7.8
        for (offered, chosen, expected, why) in [
            ("Upgrade: websocket\r\n", "Upgrade: WebSocket\r\n", true, "in any case"),
            ("Upgrade: a, b/2\r\n", "Upgrade: b/2\r\n", true, "one of two"),
            ("Upgrade: a, b/2\r\n", "Upgrade: b/3\r\n", false, "another version"),
            ("Upgrade: a\r\n", "Upgrade: a, b\r\n", false, "one too many"),
            ("Upgrade: a\r\n", "", false, "no word of it"),
        ] {
            let (mut one, mut other) = (Vec::new(), Vec::new());
            let offered = parse_fields(offered.as_bytes(), &mut one).unwrap();
            let chosen = parse_fields(chosen.as_bytes(), &mut other).unwrap();
            assert_eq!(is_offered(chosen, offered), expected, "{why}");
        }
    }
}
