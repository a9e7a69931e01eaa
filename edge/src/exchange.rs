//! One request and its response: the function that owns every branch. Steps are in the files it calls.

use crate::client::{After, Client};
use crate::collapse::{Lead, Part};
use crate::error::Failure;
use crate::fill::{Announced, Reader};
use crate::io::Io;
use crate::key::Key;
use crate::lookup::{Lookup, look_up};
use crate::pass::pass;
use crate::relay::relay;
use crate::request::Request;
use crate::respond::{respond_failure, respond_stored};
use crate::store::{Begun, begin_fill, freshen};
use crate::stored::StoredResponse;
use crate::stream::{Arriving, stream_fill};
use crate::upstream::fetch::{Response, fetch};
use crate::upstream::outgoing::{Purpose, has_passed, write_request_head};
use crate::worker::Worker;
use bytes::Bytes;
use core::net::SocketAddr;
use lastmile_http::cache::directives::{RequestDirectives, request_directives};
use lastmile_http::cache::reuse::StaleReason;
use lastmile_http::cache::status::{CacheStatus, ForwardReason};
use lastmile_http::cache::vary::selects;
use lastmile_http::framing::Framing;
use lastmile_http::time::DeltaSeconds;
use std::sync::Arc;

/// A request may find that what it waited for is not for it (another variant, gone again) this often before it asks
/// for itself.
const WAITS_MAX: usize = 4;

/// What could be done without asking anybody.
pub(crate) enum AtOnce {
    /// The whole response is in the output.
    Answered,
    /// Its head is in the output, and this content follows.
    Send(Vec<Bytes>),
    /// The upstream must be asked: see [`exchange`].
    Forward,
}

/// Answers from the store if that may be done as it is. This is the path of a hit: it waits for nothing, and neither
/// locks nor allocates for a small response.
pub(crate) fn answer_at_once<I: Io>(
    worker: &Worker<I>,
    request: &Request<'_>,
    key: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> AtOnce {
    if !request.is_cacheable() {
        return AtOnce::Forward;
    }
    let key = Key::write(worker, request, key);
    let directives = request_directives(request.head.fields);
    let now = worker.io.now();
    let answer = |response: &Arc<StoredResponse>, ttl| {
        let status = CacheStatus::Hit { ttl, detail: None };
        let content = response.content()?;
        Some(respond_stored(worker.name(), request, response, content, &status, now, out))
    };
    let ram = &worker.shared.ram;
    match look_up(ram, (key.hash, key.octets), request, &directives, now, answer) {
        Lookup::Fresh(Some(content)) => {
            worker.counters().hits.increment();
            if content.is_empty() { AtOnce::Answered } else { AtOnce::Send(content) }
        }
        _ => AtOnce::Forward,
    }
}

/// Answers `request` with the help of the upstream.
pub(crate) async fn exchange<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
) -> After {
    if has_passed(worker.name(), &request.head) {
        return fail(worker, client, request, Failure::Loop, ForwardReason::Bypass).await;
    }
    let detail = if !request.is_cacheable() {
        return pass(worker, client, request, ForwardReason::Method, None).await;
    } else if request.is_head() {
        Some("head")
    } else {
        request.head.fields.contains("range").then_some("range")
    };
    // A HEAD or a range says nothing that a whole GET could be answered from, and must not wait for one.
    if detail.is_some() && !has_stored(worker, request) {
        worker.counters().misses.increment();
        return pass(worker, client, request, ForwardReason::UriMiss, detail).await;
    }
    cached(worker, client, request).await
}

fn has_stored<I: Io>(worker: &Worker<I>, request: &Request<'_>) -> bool {
    let mut scratch = Vec::new();
    let key = Key::write(worker, request, &mut scratch);
    let found = worker.shared.ram.lookup(key.hash, key.octets, |response| {
        selects(response.selection(), request.head.fields).then_some(())
    });
    found.is_some()
}

/// A request that the store may answer, now or after the upstream was asked.
async fn cached<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
) -> After {
    let mut scratch = Vec::new();
    let key = Key::write(worker, request, &mut scratch);
    let directives = request_directives(request.head.fields);
    let collapse = &worker.shared.collapse;
    let mut alone = collapse.is_unshareable(key.hash, worker.io.now());
    let mut waits = 0;
    loop {
        let (reason, stale) = match find(worker, request, &key, &directives) {
            Found::Usable(response, ttl) => {
                worker.counters().hits.increment();
                let status = CacheStatus::Hit { ttl, detail: None };
                return send_stored(worker, client, request, &response, &status).await;
            }
            Found::Ask(reason, stale) => (reason, stale),
        };
        if directives.only_if_cached {
            return fail(worker, client, request, Failure::OnlyIfCached, reason).await;
        }
        // A client that asks for news must not be given what somebody else asked for earlier.
        alone |= reason == ForwardReason::Request
            || directives.no_store
            // What these bring may not be stored, whatever it is: nobody shall wait for it.
            || request.is_head()
            || request.head.fields.contains("authorization")
            || directives.no_cache
            || directives.max_age == Some(DeltaSeconds(0));
        let lead = if alone || waits == WAITS_MAX {
            collapse.alone(key.hash, key.octets)
        } else {
            match collapse.join(key.hash, key.octets, request.head.fields) {
                Part::Lead(lead) => lead,
                Part::Follow(fill) => {
                    waits += 1;
                    match fill.announced(&worker.io).await {
                        Announced::Filling(response, length)
                            if selects(response.selection(), request.head.fields) =>
                        {
                            if let Some(reader) = fill.reader() {
                                let arriving =
                                    Arriving { response, length, reason, collapsed: true };
                                return follow(worker, client, request, arriving, reader).await;
                            }
                            alone = true;
                        }
                        Announced::Stored(response)
                            if selects(response.selection(), request.head.fields) =>
                        {
                            worker.counters().collapsed.increment();
                            let status = forwarded(&response, reason, true, true, worker);
                            return send_stored(worker, client, request, &response, &status).await;
                        }
                        Announced::Filling(..) | Announced::Stored(_) => {}
                        Announced::NotShared { .. } => alone = true,
                        Announced::Failed(failure) => {
                            return fail(worker, client, request, failure, reason).await;
                        }
                    }
                    continue;
                }
            }
        };
        return lead_fetch(worker, client, request, lead, reason, stale).await;
    }
}

/// What the store has, for a request that may wait.
enum Found {
    Usable(Arc<StoredResponse>, i64),
    Ask(ForwardReason, Option<Arc<StoredResponse>>),
}

fn find<I: Io>(
    worker: &Worker<I>,
    request: &Request<'_>,
    key: &Key<'_>,
    directives: &RequestDirectives,
) -> Found {
    let usable = |response: &Arc<StoredResponse>, ttl| (Arc::clone(response), ttl);
    let (ram, now) = (&worker.shared.ram, worker.io.now());
    match look_up(ram, (key.hash, key.octets), request, directives, now, usable) {
        Lookup::Fresh((response, ttl)) => Found::Usable(response, ttl),
        Lookup::Stale(stale, reason) => Found::Ask(forward_reason(reason), Some(stale)),
        Lookup::VaryMiss => Found::Ask(ForwardReason::VaryMiss, None),
        Lookup::UriMiss => Found::Ask(ForwardReason::UriMiss, None),
    }
}

fn forward_reason(reason: StaleReason) -> ForwardReason {
    if reason.is_request() { ForwardReason::Request } else { ForwardReason::Stale }
}

/// Asks the upstream, for this request and for all that follow it.
async fn lead_fetch<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    mut lead: Lead,
    reason: ForwardReason,
    stale: Option<Arc<StoredResponse>>,
) -> After {
    let (hash, key) = lead.key();
    let directives = request_directives(request.head.fields);
    // Between the look into the store and the place in the table another fetch may have ended.
    if let Found::Usable(response, ttl) =
        find(worker, request, &Key { hash, octets: key }, &directives)
    {
        worker.counters().hits.increment();
        // This client may accept what is stale; others have not said so.
        let announced = match ttl {
            1.. => Announced::Stored(Arc::clone(&response)),
            _ => Announced::NotShared { lasting: false },
        };
        lead.announce(announced, worker.io.now());
        drop(lead);
        let status = CacheStatus::Hit { ttl, detail: None };
        return send_stored(worker, client, request, &response, &status).await;
    }
    let stale = stale.filter(|stale| stale.policy().has_validator() && stale.content().is_some());
    match &stale {
        Some(_) => worker.counters().revalidations.increment(),
        None => worker.counters().misses.increment(),
    }
    let asked = ask(worker, client.peer, request, hash, stale.as_deref()).await;
    // RFC 9111 §4.3.4: a 304 that means another response than ours confirms nothing.
    let asked = match (asked, &stale) {
        (Ok(response), Some(stale)) if response.head.status() == 304 => {
            if stale.is_identified_by(&response.head.view()) {
                worker.counters().revalidated.increment();
                let (fresh, stored) = freshen(worker, request, stale, response, &mut lead);
                let status = forwarded(&fresh, reason, stored, false, worker);
                return send_stored(worker, client, request, &fresh, &status).await;
            }
            ask(worker, client.peer, request, hash, None).await
        }
        (asked, _) => asked,
    };
    match asked {
        Ok(response) => receive(worker, client, request, lead, reason, response).await,
        Err(failure) => {
            worker.counters().upstream_errors.increment();
            lead.announce(Announced::Failed(failure), worker.io.now());
            drop(lead);
            fail(worker, client, request, failure, reason).await
        }
    }
}

/// Asks the upstream for the whole response, or, given a stale one, whether that is still good.
async fn ask<I: Io>(
    worker: &Worker<I>,
    client: SocketAddr,
    request: &Request<'_>,
    hash: u64,
    stale: Option<&StoredResponse>,
) -> Result<Response<I::Stream>, Failure> {
    let purpose = stale.map_or(Purpose::Store, Purpose::Validate);
    let (head, target) = (&request.head, &request.target);
    let mut out = Vec::with_capacity(512);
    write_request_head(worker.name(), head, target, Framing::None, client, purpose, &mut out);
    fetch(worker, head.method, out, hash).await
}

/// A new response: stored while it is passed on if that may be done, else only passed on.
async fn receive<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    lead: Lead,
    reason: ForwardReason,
    response: Response<I::Stream>,
) -> After {
    match begin_fill(worker, request, lead, response).await {
        Begun::Filling { response, length, reader } => {
            let arriving = Arriving { response, length, reason, collapsed: false };
            stream_fill(worker, client, request, arriving, reader).await
        }
        Begun::NotStored { response, why } => {
            worker.counters().uncacheable.increment();
            relay(worker, client, request, *response, reason, Some(why)).await
        }
    }
}

async fn follow<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    arriving: Arriving,
    reader: Reader,
) -> After {
    worker.counters().collapsed.increment();
    stream_fill(worker, client, request, arriving, reader).await
}

/// The Cache-Status of a stored response that the upstream has confirmed.
fn forwarded<I: Io>(
    response: &StoredResponse,
    reason: ForwardReason,
    stored: bool,
    collapsed: bool,
    worker: &Worker<I>,
) -> CacheStatus<'static> {
    let ttl = Some(response.policy().ttl(worker.io.now()));
    CacheStatus::Forward { reason, status: Some(304), ttl, stored, collapsed, detail: None }
}

async fn send_stored<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    response: &StoredResponse,
    status: &CacheStatus<'_>,
) -> After {
    let Some(content) = response.content() else {
        return fail(worker, client, request, Failure::Abandoned, ForwardReason::Miss).await;
    };
    let (name, now) = (worker.name(), worker.io.now());
    let large = respond_stored(name, request, response, content, status, now, &mut client.output);
    client.send(worker, large, request.persists).await
}

/// Answers with an error of ours.
pub(crate) async fn fail<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    failure: Failure,
    reason: ForwardReason,
) -> After {
    let (status, detail) = (None, Some(failure.proxy_error()));
    let status =
        CacheStatus::Forward { reason, status, ttl: None, stored: false, collapsed: false, detail };
    // What is left of the request's content would be taken for another request.
    let unread = !matches!(request.framing, Framing::None | Framing::Length(0));
    let persists = request.persists && !unread;
    let request = Request { persists, ..*request };
    let now = worker.io.now();
    respond_failure(worker.name(), &request, failure, &status, now, &mut client.output);
    match client.send(worker, Vec::new(), persists).await {
        After::Close if unread => After::Linger,
        after => after,
    }
}
