//! What the store has for a request, and whether it may be used.

use crate::ram::RamTier;
use crate::request::Request;
use crate::respond::wanted;
use crate::stored::{Description, StoredResponse};
use lastmile_http::cache::directives::RequestDirectives;
use lastmile_http::cache::reuse::{Reuse, StaleReason, reuse};
use lastmile_http::cache::vary::selects;
use lastmile_http::time::UnixTime;

/// The outcome of a look into the store.
pub(crate) enum Lookup<R> {
    /// A stored response may be used as it is; this is what the caller made of it.
    Fresh(R),
    /// A stored response may be used while it is being revalidated (RFC 5861 §3), with the seconds it stays fresh.
    WhileRevalidating(StoredResponse, i64),
    /// A stored response may be used when the upstream confirms it.
    Stale(StoredResponse, StaleReason),
    /// A part is stored, but not the one that is asked for.
    Partial,
    /// Responses are stored for the URI, but for other selecting fields.
    VaryMiss,
    /// Nothing is stored for the URI.
    UriMiss,
}

/// Looks for a stored response to `request`. `with_fresh` is given the one that may be used and the seconds it stays
/// fresh; it runs while the store's memory is pinned, so it must be quick. Neither locks nor allocates, but to look for
/// a range in a stored part.
pub(crate) fn look_up<R>(
    ram: &RamTier<Description>,
    (hash, key): (u64, &[u8]),
    request: &Request<'_>,
    directives: &RequestDirectives,
    now: UnixTime,
    mut with_fresh: impl FnMut(&StoredResponse, i64) -> R,
) -> Lookup<R> {
    let (mut variants, mut parts) = (false, false);
    let found = ram.lookup(hash, key, |response| {
        variants = true;
        if !selects(response.selection(), request.head.fields) {
            return None;
        }
        if response.part().is_some() && !has_what_is_wanted(request, response, now) {
            parts = true;
            return None;
        }
        Some(match reuse(response.policy(), directives, now) {
            Reuse::Fresh { ttl, .. } => Lookup::Fresh(with_fresh(response, ttl)),
            Reuse::WhileRevalidating { ttl, .. } if response.part().is_none() => {
                Lookup::WhileRevalidating(response.clone(), ttl)
            }
            Reuse::WhileRevalidating { .. } => Lookup::Stale(response.clone(), StaleReason::Stale),
            Reuse::Validate(reason) => Lookup::Stale(response.clone(), reason),
        })
    });
    match found {
        Some(found) => found,
        None if parts => Lookup::Partial,
        None if variants => Lookup::VaryMiss,
        None => Lookup::UriMiss,
    }
}

/// Whether a stored part is enough to answer `request`.
pub(crate) fn has_what_is_wanted(
    request: &Request<'_>,
    response: &StoredResponse,
    now: UnixTime,
) -> bool {
    let (Some(part), Some(content)) = (response.part(), response.content()) else { return false };
    part.answers(&wanted(request, response, content, now))
}
