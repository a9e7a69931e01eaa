//! Answers: from the store, stale instead of an error, or an error of ours. Each is counted and noted as it is written.

use crate::client::{After, Client};
use crate::decision::{Why, decide};
use crate::error::Failure;
use crate::io::Io;
use crate::lookup::has_what_is_wanted;
use crate::piece::Piece;
use crate::request::Request;
use crate::respond::{respond_failure, respond_stored, status_of};
use crate::stored::StoredResponse;
use crate::worker::Worker;
use lastmile_http::cache::stale::may_replace_error;
use lastmile_http::cache::status::CacheStatus;
use lastmile_http::framing::Framing;

/// The stale response that may be sent instead of an error (RFC 5861 §4).
pub(crate) fn instead_of_error<'a, I: Io>(
    worker: &Worker<I>,
    request: &Request<'_>,
    stale: Option<&'a StoredResponse>,
) -> Option<&'a StoredResponse> {
    let (directives, now) = (request.directives(), worker.io.now());
    let is_usable = |stale: &&StoredResponse| {
        stale.content().is_some() && may_replace_error(stale.policy(), &directives, now)
    };
    stale.filter(is_usable)
}

pub(crate) async fn send_stale<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    stale: &StoredResponse,
    why: Why,
    status: Option<u16>,
) -> After {
    worker.counters().stale_served.increment();
    let status = CacheStatus::Forward {
        reason: why.forward,
        status,
        ttl: Some(stale.policy().ttl(worker.io.now())),
        stored: false,
        collapsed: false,
        detail: Some("stale-if-error"),
    };
    send_stored(worker, client, request, stale, &status, "stale-if-error").await
}

/// The Cache-Status of a stored response that the upstream has confirmed.
pub(crate) fn confirmed<I: Io>(
    response: &StoredResponse,
    why: Why,
    stored: bool,
    collapsed: bool,
    worker: &Worker<I>,
) -> CacheStatus<'static> {
    let ttl = Some(response.policy().ttl(worker.io.now()));
    let (reason, detail) = (why.forward, why.detail());
    CacheStatus::Forward { reason, status: Some(304), ttl, stored, collapsed, detail }
}

pub(crate) async fn send_hit<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    response: &StoredResponse,
    ttl: i64,
) -> After {
    worker.counters().hits.increment();
    let reason = if ttl > 0 { "hit" } else { "max-stale" };
    let status = CacheStatus::Hit { ttl, detail: None };
    send_stored(worker, client, request, response, &status, reason).await
}

pub(crate) async fn send_stored<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    response: &StoredResponse,
    status: &CacheStatus<'_>,
    reason: &'static str,
) -> After {
    let large = write_stored(worker, client, request, response, status, reason);
    client.send(worker, large, request.persists).await
}

/// Writes the head, and returns the content that is not behind it.
pub(crate) fn write_stored<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    response: &StoredResponse,
    status: &CacheStatus<'_>,
    reason: &'static str,
) -> Vec<Piece> {
    let content = response.content().expect("what is in the store is complete");
    let (name, now, start) = (worker.name(), worker.io.now(), client.output.len());
    let large = respond_stored(name, request, response, content, status, now, &mut client.output);
    let sent = status_of(&client.output[start..]);
    decide(worker, &mut client.noted, request, sent, status, reason);
    large
}

/// Whether a stored response, which may be a part, is what a request wants.
pub(crate) fn is_enough<I: Io>(
    worker: &Worker<I>,
    request: &Request<'_>,
    response: &StoredResponse,
) -> bool {
    response.part().is_none() || has_what_is_wanted(request, response, worker.io.now())
}

/// Answers with an error of ours.
pub(crate) async fn fail<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    failure: Failure,
    why: Why,
) -> After {
    let reason = failure.proxy_error();
    let status = match failure {
        Failure::OnlyIfCached | Failure::Loop => CacheStatus::Own { detail: Some(reason) },
        _ => why.with(reason).status(None),
    };
    decide(worker, &mut client.noted, request, failure.status(), &status, reason);
    // What is left of the request's content would be taken for another request.
    let unread = !matches!(request.framing, Framing::None | Framing::Length(0));
    let persists = request.persists && !unread;
    let request = Request { persists, ..*request };
    let now = worker.io.now();
    respond_failure(worker.name(), &request, failure, &status, now, &mut client.output);
    match client.send_output(worker, persists).await {
        After::Close if unread => After::Linger,
        after => after,
    }
}
