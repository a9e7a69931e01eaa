//! One request and its response: the function that owns every branch. Steps are in the files it calls.

use crate::answer::{
    confirmed, fail, instead_of_error, is_enough, send_hit, send_stale, send_stored, write_stored,
};
use crate::background::revalidate_later;
use crate::candidates::Candidates;
use crate::client::{After, Client};
use crate::collapse::{Lead, Part};
use crate::decision::{Noted, Why, decide};
use crate::error::Failure;
use crate::fill::Announced;
use crate::io::Io;
use crate::key::Key;
use crate::lookup::{Lookup, look_up};
use crate::pass::pass;
use crate::piece::Piece;
use crate::relay::relay;
use crate::request::Request;
use crate::respond::{insert_fields, respond_stored, status_of};
use crate::restore::restore;
use crate::ssd::turns::Restoring;
use crate::store::{Begun, Earlier, begin_fill, freshen, is_outdated_by, remove_selected};
use crate::stored::StoredResponse;
use crate::stream::{Arriving, Cause, stream_fill};
use crate::upstream::fetch::{Response, discard, fetch};
use crate::upstream::outgoing::{Purpose, has_passed, write_request_head};
use crate::worker::Worker;
use core::net::SocketAddr;
use lastmile_http::cache::directives::RequestDirectives;
use lastmile_http::cache::key::has_dot_segments;
use lastmile_http::cache::reuse::{Reuse, StaleReason, reuse};
use lastmile_http::cache::stale::is_error;
use lastmile_http::cache::status::{CacheStatus, ForwardReason};
use lastmile_http::cache::validation::head_confirms;
use lastmile_http::cache::vary::selects;
use lastmile_http::head::Version;
use lastmile_http::time::{DeltaSeconds, UnixTime};

/// A request may find that what it waited for is not for it (another variant, gone again) this often before it asks
/// for itself.
const WAITS_MAX: usize = 4;

/// What could be done without asking anybody.
pub(crate) enum AtOnce {
    /// The whole response is in the output.
    Answered,
    /// Its head is in the output, and this content follows.
    Send(Vec<Piece>),
    /// The upstream must be asked: see [`exchange`].
    Forward,
}

/// Answers from the store if that may be done as it is. This is the path of a hit: it waits for nothing, and neither
/// locks nor allocates for a small response.
pub(crate) fn answer_at_once<I: Io>(
    worker: &Worker<I>,
    request: &Request<'_>,
    key: &mut Vec<u8>,
    noted: &mut Noted,
    out: &mut Vec<u8>,
) -> AtOnce {
    if !request.is_cacheable() {
        return AtOnce::Forward;
    }
    let key = Key::write(worker, request, key);
    let now = worker.io.now();
    let answer = |response: &StoredResponse, ttl| {
        let status = CacheStatus::Hit { ttl, detail: None };
        let content = response.content()?;
        let start = out.len();
        let large = respond_stored(worker.name(), request, response, content, &status, now, out);
        if ttl > 0 && worker.shared.config.log.is_none() {
            worker.counters().reasons.hit().increment();
        } else {
            let reason = if ttl > 0 { "hit" } else { "max-stale" };
            decide(worker, noted, request, status_of(&out[start..]), &status, reason);
        }
        Some(large)
    };
    let ram = &worker.shared.ram;
    match look_up(ram, (key.hash, key.octets), request, &request.directives(), now, answer) {
        Lookup::Fresh(Some(content)) => {
            worker.counters().hits.increment();
            if content.is_empty() { AtOnce::Answered } else { AtOnce::Send(content) }
        }
        _ => AtOnce::Forward,
    }
}

/// Answers `request`, whose head are these octets, with the help of the upstream.
pub(crate) async fn exchange<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    head: &[u8],
) -> After {
    if has_passed(worker.name(), &request.head) {
        return fail(worker, client, request, Failure::Loop, ForwardReason::Bypass.into()).await;
    }
    if !request.is_cacheable() {
        // Content and other protocols, or another method.
        let is_read = matches!(request.head.method, b"GET" | b"HEAD");
        let forward = if is_read { ForwardReason::Bypass } else { ForwardReason::Method };
        if is_read && request.directives().only_if_cached {
            return fail(worker, client, request, Failure::OnlyIfCached, forward.into()).await;
        }
        return pass(worker, client, request, forward.into()).await;
    }
    if let Some(Restoring { response, octets, reader }) = restore(worker, request).await {
        worker.counters().hits.increment();
        let arriving = Arriving { response, length: Some(octets), cause: Cause::Stored };
        return stream_fill(worker, client, request, arriving, reader).await;
    }
    // A HEAD says nothing that a GET could be answered from, and must not wait for one.
    if request.is_head()
        && !request.directives().only_if_cached
        && let Some(reason) = why_no_head(worker, request)
    {
        worker.counters().misses.increment();
        return pass(worker, client, request, Why::from(reason).with("head")).await;
    }
    cached(worker, client, request, head).await
}

/// Why the store can't answer a HEAD (RFC 9211 §2.2); `None` when it has the whole response.
fn why_no_head<I: Io>(worker: &Worker<I>, request: &Request<'_>) -> Option<ForwardReason> {
    let mut scratch = Vec::new();
    let key = Key::write(worker, request, &mut scratch);
    let mut reason = ForwardReason::UriMiss;
    let found = worker.shared.ram.lookup(key.hash, key.octets, |response| {
        let is_selected = selects(response.selection(), request.head.fields);
        if is_selected && response.part().is_none() {
            return Some(());
        }
        if is_selected {
            reason = ForwardReason::Partial;
        } else if reason == ForwardReason::UriMiss {
            reason = ForwardReason::VaryMiss;
        }
        None
    });
    found.is_none().then_some(reason)
}

/// A request that the store may answer, now or after the upstream was asked.
async fn cached<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    head: &[u8],
) -> After {
    let mut scratch = Vec::new();
    let key = Key::write(worker, request, &mut scratch);
    let directives = request.directives();
    let collapse = &worker.shared.collapse;
    let mut alone = collapse.is_unshareable(key.hash, worker.io.now());
    let mut waits = 0;
    loop {
        let (why, stale) = match find(worker, request, &key, &directives) {
            Found::Usable(response, ttl) => {
                return send_hit(worker, client, request, &response, ttl).await;
            }
            Found::WhileRevalidating(response, ttl) => {
                // What the origin says of a path with dots is not about this response.
                if !has_dot_segments(request.target.path_and_query) {
                    revalidate_later(worker, client.peer, head);
                }
                worker.counters().hits.increment();
                worker.counters().stale_served.increment();
                let detail = "stale-while-revalidate";
                let status = CacheStatus::Hit { ttl, detail: Some(detail) };
                return send_stored(worker, client, request, &response, &status, detail).await;
            }
            Found::Ask(why, stale) => (why, stale),
        };
        if directives.only_if_cached {
            return fail(worker, client, request, Failure::OnlyIfCached, why).await;
        }
        alone |= asks_for_itself(request, &directives, why, stale.as_ref());
        let lead = if alone || waits == WAITS_MAX {
            collapse.alone(key.hash, key.octets)
        } else {
            let now = worker.io.now();
            match collapse.join(key.hash, key.octets, request.head.fields, now) {
                Part::Lead(lead) => lead,
                Part::Follow(fill) => {
                    waits += 1;
                    // RFC 9111 §4: one response for several requests is a reuse like any other.
                    let is_for_us = |response: &StoredResponse| {
                        selects(response.selection(), request.head.fields)
                            && response.part().is_none()
                            && is_usable(response, &directives, worker.io.now())
                    };
                    match fill.announced(&worker.io).await {
                        Announced::Filling(response, length) if is_for_us(&response) => {
                            if let Some(reader) = fill.reader() {
                                worker.counters().collapsed.increment();
                                let cause = Cause::Collapsed(why);
                                let arriving = Arriving { response, length, cause };
                                return stream_fill(worker, client, request, arriving, reader)
                                    .await;
                            }
                            alone = true;
                        }
                        Announced::Stored(response) if is_for_us(&response) => {
                            worker.counters().collapsed.increment();
                            let status = confirmed(&response, why, true, true, worker);
                            let reason = "collapsed";
                            return send_stored(
                                worker, client, request, &response, &status, reason,
                            )
                            .await;
                        }
                        Announced::Filling(response, _) | Announced::Stored(response) => {
                            alone = !is_usable(&response, &directives, worker.io.now());
                        }
                        Announced::NotShared { .. } => alone = true,
                        Announced::Failed(failure) => {
                            if let Some(stale) = instead_of_error(worker, request, stale.as_ref()) {
                                return send_stale(worker, client, request, stale, why, None).await;
                            }
                            return fail(worker, client, request, failure, why).await;
                        }
                        Announced::Erring(status) => {
                            if let Some(stale) = instead_of_error(worker, request, stale.as_ref()) {
                                let status = Some(status);
                                return send_stale(worker, client, request, stale, why, status)
                                    .await;
                            }
                            alone = true;
                        }
                    }
                    continue;
                }
            }
        };
        return lead_fetch(worker, client, request, lead, why, stale).await;
    }
}

/// Whether a response that somebody else asked for may be used as it is. It may have become stale on its way: a crowd
/// that has waited for a slow origin shall not stand before it again, each on its own.
fn is_usable(response: &StoredResponse, directives: &RequestDirectives, now: UnixTime) -> bool {
    let policy = response.policy();
    let is_bound = directives.max_age.is_some() || directives.min_fresh.is_some();
    match reuse(policy, directives, now) {
        Reuse::Fresh { .. } | Reuse::WhileRevalidating { .. } => true,
        Reuse::Validate(StaleReason::Stale) => {
            !is_bound && !policy.must_revalidate() && policy.freshness_lifetime().0 > 0
        }
        Reuse::Validate(_) => false,
    }
}

/// Whether a request must not be given what somebody else asked for earlier, or nobody else shall wait for what it
/// brings.
fn asks_for_itself(
    request: &Request<'_>,
    directives: &RequestDirectives,
    why: Why,
    stale: Option<&StoredResponse>,
) -> bool {
    let fields = request.head.fields;
    // A range must not wait for the whole, and nobody for a range; but all may ask together whether the whole is good.
    let can_confirm =
        |stale: &StoredResponse| stale.part().is_none() && stale.policy().has_validator();
    let is_part = fields.contains("range") && !stale.is_some_and(can_confirm);
    // It asks for news.
    why.forward == ForwardReason::Request
        || directives.no_cache
        || directives.max_age == Some(DeltaSeconds(0))
        // What these bring may not be stored, whatever it is.
        || directives.no_store
        || request.is_head()
        || fields.contains("authorization")
        // It is sent as it is, and the origin may see something else in it.
        || has_dot_segments(request.target.path_and_query)
        || is_part
}

/// What the store has, for a request that may wait.
pub(crate) enum Found {
    Usable(StoredResponse, i64),
    WhileRevalidating(StoredResponse, i64),
    Ask(Why, Option<StoredResponse>),
}

pub(crate) fn find<I: Io>(
    worker: &Worker<I>,
    request: &Request<'_>,
    key: &Key<'_>,
    directives: &RequestDirectives,
) -> Found {
    let usable = |response: &StoredResponse, ttl| (response.clone(), ttl);
    let (ram, now) = (&worker.shared.ram, worker.io.now());
    match look_up(ram, (key.hash, key.octets), request, directives, now, usable) {
        Lookup::Fresh((response, ttl)) => Found::Usable(response, ttl),
        Lookup::WhileRevalidating(response, ttl) => Found::WhileRevalidating(response, ttl),
        Lookup::Stale(stale, reason) => Found::Ask(reason.into(), Some(stale)),
        Lookup::Partial => Found::Ask(ForwardReason::Partial.into(), None),
        Lookup::VaryMiss => Found::Ask(ForwardReason::VaryMiss.into(), None),
        Lookup::UriMiss => Found::Ask(ForwardReason::UriMiss.into(), None),
    }
}

/// Asks the upstream, for this request and for all that follow it.
async fn lead_fetch<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    mut lead: Lead,
    why: Why,
    stale: Option<StoredResponse>,
) -> After {
    let (hash, key) = lead.key();
    // Between the look into the store and the place in the table another fetch may have ended.
    if let Found::Usable(response, ttl) =
        find(worker, request, &Key { hash, octets: key }, &request.directives())
    {
        // This client may accept what is stale; others have not said so.
        let announced = match ttl {
            1.. => Announced::Stored(response.clone()),
            _ => Announced::NotShared { lasting: false },
        };
        lead.announce(announced, worker.io.now());
        drop(lead);
        return send_hit(worker, client, request, &response, ttl).await;
    }
    let candidates = Candidates::of(worker, (hash, key), request, stale.as_ref());
    match candidates.is_empty() {
        false => worker.counters().revalidations.increment(),
        true => worker.counters().misses.increment(),
    }
    let (peer, purpose) = (client.peer, candidates.purpose(request));
    let mut asked = ask(worker, Some(&mut *client), peer, request, hash, purpose).await;
    // RFC 9111 §4.3.4: a 304 that means another response than ours confirms nothing.
    if let Ok(response) = &asked
        && response.head.status() == 304
        && !candidates.is_empty()
    {
        if let Some(known) = candidates.identified(response) {
            worker.counters().revalidated.increment();
            let (fresh, stored) = freshen(worker, request, known, response, &mut lead);
            if let Ok(response) = asked {
                discard(worker, response);
            }
            if is_enough(worker, request, &fresh) {
                let status = confirmed(&fresh, why, stored, false, worker);
                let start = client.output.len();
                let large = write_stored(worker, client, request, &fresh, &status, "revalidated");
                insert_fields(fresh.withheld(), start, &mut client.output);
                return client.send(worker, large, request.persists).await;
            }
            // What If-Range compares with has changed: the part is not what is asked for any more.
            let asked = ask(worker, Some(&mut *client), peer, request, hash, Purpose::Part).await;
            return match asked {
                Ok(response) => relay(worker, client, request, response, why).await,
                Err(failure) => {
                    worker.counters().upstream_errors.increment();
                    fail(worker, client, request, failure, why).await
                }
            };
        }
        let plain = Candidates::default();
        let purpose = plain.purpose(request);
        asked = ask(worker, Some(&mut *client), peer, request, hash, purpose).await;
    }
    let mut beginning = None;
    if let Ok(response) = &asked {
        match candidates.completed_by(response) {
            Ok(completed) => beginning = completed.cloned(),
            Err(()) => {
                asked = ask(worker, Some(&mut *client), peer, request, hash, Purpose::Store).await;
            }
        }
    }
    match asked {
        Ok(response) => {
            let received = Received { response, stale, beginning };
            receive(worker, client, request, lead, why, received).await
        }
        Err(failure) => {
            worker.counters().upstream_errors.increment();
            lead.announce(Announced::Failed(failure), worker.io.now());
            drop(lead);
            if let Some(stale) = instead_of_error(worker, request, stale.as_ref()) {
                return send_stale(worker, client, request, stale, why, None).await;
            }
            fail(worker, client, request, failure, why).await
        }
    }
}

/// A response, and what was stored when it was asked for.
struct Received<S> {
    response: Response<S>,
    stale: Option<StoredResponse>,
    /// What it is the rest of.
    beginning: Option<StoredResponse>,
}

/// A response that is no confirmation: stored while it is passed on if that may be done, else only passed on.
async fn receive<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    mut lead: Lead,
    why: Why,
    received: Received<I::Stream>,
) -> After {
    let Received { response, stale, beginning } = received;
    let status = response.head.status();
    // RFC 9111 §4.3.3, RFC 5861 §4.
    if is_error(status)
        && let Some(stale) = instead_of_error(worker, request, stale.as_ref())
    {
        lead.announce(Announced::Erring(status), worker.io.now());
        drop(lead);
        discard(worker, response);
        return send_stale(worker, client, request, stale, why, Some(status)).await;
    }
    if request.is_head() {
        learn_from_head(worker, request, &mut lead, stale.as_ref(), &response);
    }
    let (hash, is_rest) = (lead.key().0, beginning.is_some());
    let earlier = Earlier { asked_about: stale, beginning, background: None };
    match begin_fill(worker, request, lead, response, earlier).await {
        Begun::Filling { response, length, reader } => {
            let arriving = Arriving { response, length, cause: Cause::Asked(status, why) };
            stream_fill(worker, client, request, arriving, reader).await
        }
        Begun::NotStored { response, reason } => {
            worker.counters().uncacheable.increment();
            let why = why.with(reason);
            if !is_rest {
                return relay(worker, client, request, *response, why).await;
            }
            // A rest that can't be put behind its beginning is of no use to who wants the whole.
            drop(response);
            let peer = client.peer;
            match ask(worker, Some(&mut *client), peer, request, hash, Purpose::Store).await {
                Ok(whole) => relay(worker, client, request, whole, why).await,
                Err(failure) => {
                    worker.counters().upstream_errors.increment();
                    fail(worker, client, request, failure, why).await
                }
            }
        }
    }
}

/// RFC 9111 §4.3.5: the answer to a HEAD freshens what is stored, or shows that it is no longer right.
fn learn_from_head<I: Io>(
    worker: &Worker<I>,
    request: &Request<'_>,
    lead: &mut Lead,
    stale: Option<&StoredResponse>,
    response: &Response<I::Stream>,
) {
    // Of dots the origin may make another resource than the key does.
    let is_told_about = !has_dot_segments(request.target.path_and_query);
    let stale = stale.filter(|stale| stale.part().is_none() && is_told_about);
    let Some(stale) = stale else { return };
    let Some(content) = stale.content() else { return };
    let (head, mut spans) = (response.head.view(), Vec::new());
    let (stored, octets) = (stale.fields(&mut spans), content.octets());
    // A head without validators differs in nothing from any other: it neither confirms nor contradicts.
    let says_nothing = !head.fields.contains("etag") && !head.fields.contains("last-modified");
    if head.status == stale.status() && says_nothing && head_confirms(stored, octets, head.fields) {
        return;
    }
    if head.status == stale.status() && head_confirms(stored, octets, head.fields) {
        freshen(worker, request, stale, response, lead);
    } else if is_outdated_by(head.status) && request.is_spelled_as_its_key() {
        remove_selected(worker, request, lead);
    }
}

/// Asks the upstream. Interim responses go to `interim`, if it understands them.
pub(crate) async fn ask<I: Io>(
    worker: &Worker<I>,
    interim: Option<&mut Client<I::Stream>>,
    client: SocketAddr,
    request: &Request<'_>,
    hash: u64,
    purpose: Purpose<'_>,
) -> Result<Response<I::Stream>, Failure> {
    let mut out = Vec::with_capacity(512);
    write_request_head(worker.name(), request, client, purpose, &mut out);
    let interim = interim.filter(|_| request.head.version == Version::Http11);
    fetch(worker, request.head.method, out, hash, interim).await
}
