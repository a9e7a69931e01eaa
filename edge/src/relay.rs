//! A response on its way through, without being stored: one part of its content in memory.

use crate::client::{After, Client};
use crate::decision::{Noted, Why, decide};
use crate::inbound::{Content, Inbound};
use crate::io::{Io, Receive, Stream, Transmit, Wait};
use crate::piece::Piece;
use crate::request::Request;
use crate::respond::{Coding, Variable};
use crate::stored::{write_end_to_end_fields, write_field, write_status_line};
use crate::upstream::fetch::{ReceivedHead, Response};
use crate::worker::Worker;
use core::cell::Cell;
use lastmile_http::cache::directives::response_directives;
use lastmile_http::cache::freshness::StoredPolicy;
use lastmile_http::fields::parse_content_length;
use lastmile_http::framing::Framing;
use lastmile_http::persistence::response_allows_reuse;
use lastmile_http::time::UnixTime;

/// What relaying needs of two connections.
pub(crate) struct Parts<'a, R, T> {
    /// Of the upstream.
    pub(crate) inbound: &'a mut Inbound,
    /// Of the upstream.
    pub(crate) receiver: &'a mut R,
    /// Of the client.
    pub(crate) sender: &'a mut T,
    /// Octets sent to the client.
    pub(crate) sent: &'a Cell<u64>,
    pub(crate) noted: &'a mut Noted,
}

/// The response of a request whose content may still be on its way; whether the upstream connection can be kept.
pub(crate) async fn relay_while_pumping<I: Io, R: Receive, T: Transmit>(
    worker: &Worker<I>,
    request: &Request<'_>,
    (head, framing): (ReceivedHead, Framing),
    why: Why,
    parts: Parts<'_, R, T>,
    (request_time, response_time): (UnixTime, UnixTime),
) -> (After, bool) {
    let view = head.view();
    let relay = Relay { head: &head, framing, request_time, response_time };
    let mut out = Vec::with_capacity(512);
    let coding = relay.write_head(worker, request, why, parts.noted, &mut out);
    let mut content = Content::new(framing);
    let after = relay_content(worker, request, &mut content, coding, out, parts).await;
    (after, content.is_done() && response_allows_reuse(&view, framing))
}

/// Passes `response` on without storing it.
pub(crate) async fn relay<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    response: Response<I::Stream>,
    why: Why,
) -> After {
    let Response { head, framing, mut content, mut connection, .. } = response;
    let (request_time, response_time) = (response.request_time, response.response_time);
    let relay = Relay { head: &head, framing, request_time, response_time };
    let mut out = core::mem::take(&mut client.output);
    let coding = relay.write_head(worker, request, why, &mut client.noted, &mut out);
    let (receiver, _) = connection.stream.split();
    let (_, sender) = client.stream.split();
    let (sent, noted) = (&client.sent, &mut client.noted);
    let parts = Parts { inbound: &mut connection.inbound, receiver, sender, sent, noted };
    let after = relay_content(worker, request, &mut content, coding, out, parts).await;
    if content.is_done() && response.reusable {
        worker.pool.put(connection, worker.io.now(), worker.counters());
    }
    after
}

/// A response's head on its way to a client.
struct Relay<'a> {
    head: &'a ReceivedHead,
    framing: Framing,
    request_time: UnixTime,
    response_time: UnixTime,
}

impl Relay<'_> {
    fn write_head<I: Io>(
        &self,
        worker: &Worker<I>,
        request: &Request<'_>,
        why: Why,
        noted: &mut Noted,
        out: &mut Vec<u8>,
    ) -> Coding {
        let view = self.head.view();
        let now = worker.io.now();
        let coding = Coding::new(request.head.version, self.framing);
        write_status_line(view.status, view.reason, out);
        write_end_to_end_fields(worker.name(), &view, now, out);
        let length = match self.framing {
            Framing::Length(octets) => Some(octets),
            _ => None,
        };
        // RFC 9110 §8.6: what a response to HEAD and a 304 say of the length is the length of something else.
        if (request.is_head() || view.status == 304)
            && let Ok(Some(length)) = parse_content_length(view.fields)
        {
            write_field(b"Content-Length", itoa::Buffer::new().format(length).as_bytes(), out);
        }
        let directives = response_directives(view.fields);
        let policy = StoredPolicy::new(&view, &directives, self.request_time, self.response_time);
        let cache_status = why.status(Some(view.status));
        decide(worker, noted, request, view.status, &cache_status, why.reason);
        let no_content = request.is_head() || matches!(view.status, 204 | 304);
        let variable = Variable {
            age: policy.current_age(now),
            cache_status: &cache_status,
            length: length.filter(|_| !no_content).or_else(|| self.empty_length(no_content)),
            coding,
            persists: request.persists,
        };
        variable.write(worker.name(), request, out);
        coding
    }

    /// A response that could have content and has none says so, else a client waits for it.
    fn empty_length(&self, no_content: bool) -> Option<u64> {
        (self.framing == Framing::None && !no_content).then_some(0)
    }
}

/// Sends `head` and the content as it arrives. What came together with the head leaves together with it.
async fn relay_content<I: Io, R: Receive, T: Transmit>(
    worker: &Worker<I>,
    request: &Request<'_>,
    content: &mut Content,
    coding: Coding,
    head: Vec<u8>,
    parts: Parts<'_, R, T>,
) -> After {
    let timeouts = &worker.shared.config.timeouts;
    let wait = Wait::Busy(timeouts.upstream_receive);
    let mut batch = vec![Piece::from(head)];
    let mut at_once = parts.inbound.is_empty() && !content.is_done();
    loop {
        if !at_once {
            match content.next(parts.inbound, parts.receiver, wait).await {
                Ok(Some(part)) => {
                    worker.counters().received_octets.add(part.len() as u64);
                    coding.encode(vec![part.into()], &mut batch);
                }
                Ok(None) => {}
                Err(_) => {
                    worker.counters().aborted.increment();
                    return After::Abort;
                }
            }
        }
        at_once = false;
        let ended = content.is_done();
        if ended {
            batch.extend(coding.end());
        }
        let octets: usize = batch.iter().map(Piece::len).sum();
        let pieces = core::mem::take(&mut batch);
        if parts.sender.send_pieces(pieces, timeouts.client_send).await.is_err() {
            worker.counters().client_errors.increment();
            return After::Abort;
        }
        worker.counters().sent_octets.add(octets as u64);
        parts.sent.set(parts.sent.get() + octets as u64);
        if ended {
            let persists = request.persists && coding != Coding::UntilClose;
            return if persists { After::Keep } else { After::Close };
        }
    }
}
