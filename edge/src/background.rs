//! Stale responses revalidated in the background, while they are served (RFC 5861 §3).

use crate::candidates::Candidates;
use crate::collapse::Part;
use crate::exchange::{Found, ask, find};
use crate::fill::Announced;
use crate::io::Io;
use crate::key::Key;
use crate::request::Request;
use crate::store::{Earlier, begin_fill, freshen};
use crate::upstream::fetch::discard;
use crate::upstream::outgoing::Purpose;
use crate::worker::{Background, Worker};
use core::net::SocketAddr;
use lastmile_http::cache::directives::RequestDirectives;
use lastmile_http::cache::stale::is_error;
use lastmile_http::head::{Parsed, RequestHead, parse_request};
use std::rc::Rc;

/// Revalidations under way at a time, for each core. Each holds a connection to the upstream; more wait for the next
/// request for their key, which is served meanwhile.
pub(crate) const BACKGROUND_MAX: usize = 64;

/// Begins to revalidate what the request with this head selects, unless somebody is about it already.
pub(crate) fn revalidate_later<I: Io>(worker: &Worker<I>, client: SocketAddr, head: &[u8]) {
    let Some(place) = worker.begin_background() else { return };
    let (worker, head) = (worker.handle(), head.to_vec());
    let io = worker.io.clone();
    io.spawn(async move {
        revalidate(&worker, client, &head, place).await;
    });
}

async fn revalidate<I: Io>(
    worker: &Rc<Worker<I>>,
    client: SocketAddr,
    head: &[u8],
    background: Background,
) {
    let (limits, mut spans) = (&worker.shared.config.head_limits, Vec::new());
    let Ok(Parsed::Complete { head, .. }) = parse_request(head, &mut spans, limits) else { return };
    // A HEAD is served from what a GET brings.
    let head = RequestHead { method: b"GET", ..head };
    let Ok(request) = Request::new(head, &worker.shared.config.sites, false) else { return };
    let mut scratch = Vec::new();
    let key = Key::write(worker, &request, &mut scratch);
    let place = (key.hash, key.octets);
    if worker.shared.collapse.is_under_way(place.0, place.1, head.fields) {
        return;
    }
    let (collapse, now) = (&worker.shared.collapse, worker.io.now());
    let Part::Lead(mut lead) = collapse.join(place.0, place.1, head.fields, now) else { return };
    // Looked for again, since it may have been replaced meanwhile.
    let found = find(worker, &request, &key, &RequestDirectives::default());
    let Found::WhileRevalidating(stale, _) = found else {
        lead.announce(Announced::NotShared { lasting: false }, worker.io.now());
        return;
    };
    worker.counters().background.increment();
    let candidates = Candidates::of(worker, place, &request, Some(&stale));
    // Whatever part this client wants, it has been served: the whole is to be stored.
    let purpose = match candidates.purpose(&request) {
        Purpose::Part => Purpose::Store,
        purpose => purpose,
    };
    match ask(worker, None, client, &request, place.0, purpose).await {
        Ok(response) if response.head.status() == 304 => {
            if let Some(known) = candidates.identified(&response) {
                worker.counters().revalidated.increment();
                freshen(worker, &request, known, &response, &mut lead);
            } else {
                lead.announce(Announced::NotShared { lasting: false }, worker.io.now());
            }
            discard(worker, response);
        }
        Ok(response) if is_error(response.head.status()) => {
            lead.announce(Announced::Erring(response.head.status()), worker.io.now());
            discard(worker, response);
        }
        Ok(response) => {
            // Without a reader it is taken in all the same.
            let earlier =
                Earlier { asked_about: Some(stale), beginning: None, background: Some(background) };
            begin_fill(worker, &request, lead, response, earlier).await;
        }
        Err(failure) => {
            worker.counters().upstream_errors.increment();
            lead.announce(Announced::Failed(failure), worker.io.now());
        }
    }
}
