//! Using a response that is stale (RFC 9111 §4.2.4, RFC 5861), and what a site says where responses say nothing.

use super::directives::{RequestDirectives, ResponseDirectives};
use super::freshness::{StoredPolicy, is_explicit};
use crate::head::Fields;
use crate::time::{DeltaSeconds, UnixTime};
use core::time::Duration;

/// What a site says where its responses say nothing. The default changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SiteDefaults {
    /// Seconds of stale-while-revalidate (RFC 5861 §3).
    pub stale_while_revalidate: DeltaSeconds,
    /// Seconds of stale-if-error (RFC 5861 §4).
    pub stale_if_error: DeltaSeconds,
    /// Freshness lifetime in seconds of errors without one, so that an origin in trouble is not asked for each request.
    pub error_lifetime: DeltaSeconds,
}

impl ResponseDirectives {
    /// These directives with what the site adds to those of a response that has this `status` and these `fields`.
    ///
    /// What the response says is never changed: an explicit 0 stays, and so do no-store, private and no-cache. An error
    /// gets a lifetime, but only one that is about the resource or the origin, and a 5xx is never used when stale.
    #[must_use]
    pub fn with_defaults(
        mut self,
        defaults: &SiteDefaults,
        status: u16,
        fields: Fields<'_>,
    ) -> Self {
        let set = |seconds: DeltaSeconds| Some(seconds).filter(|seconds| seconds.0 > 0);
        // An old failure in place of a new one would only be shown for longer after the origin is well again.
        if status < 500 {
            let while_revalidate = set(defaults.stale_while_revalidate);
            self.stale_while_revalidate = self.stale_while_revalidate.or(while_revalidate);
            self.stale_if_error = self.stale_if_error.or(set(defaults.stale_if_error));
        }
        let is_restricted = self.no_store || self.private || self.no_cache;
        if is_shared_error(status) && !is_restricted && !is_explicit(fields, &self) {
            self.max_age = set(defaults.error_lifetime);
        }
        self
    }
}

/// The errors that are about the resource or the origin, so that the next request meets them too. All other ones are
/// about one request, whose cause need not be in the cache key: kept because the site says so, not the origin, they
/// would let anyone who sends a malformed request lock all others out.
fn is_shared_error(status: u16) -> bool {
    matches!(status, 404 | 410 | 414 | 451 | 500..=504)
}

/// RFC 5861 §4: what counts as an error there.
#[must_use]
pub fn is_error(status: u16) -> bool {
    matches!(status, 500 | 502 | 503 | 504)
}

/// Whether a stored response that had to be validated may be used instead of the error that this brought: one for which
/// [`is_error`] holds, or an upstream that gave no response (RFC 5861 §4, RFC 9111 §4.2.4).
///
/// Response or request must allow it by stale-if-error, and neither forbid it.
#[must_use]
pub fn may_replace_error(
    policy: &StoredPolicy,
    request: &RequestDirectives,
    now: UnixTime,
) -> bool {
    // RFC 9111 §5.2.2.4
    if policy.no_cache() {
        return false;
    }
    let age = policy.age(now);
    let lifetime = duration(policy.freshness_lifetime());
    if !accepts_age(request, age) {
        return false;
    }
    if age < lifetime {
        // It is fresh, so only the request can have been why it was asked about.
        return request.min_fresh.is_none_or(|min| age + duration(min) <= lifetime);
    }
    // RFC 9111 §5.2.1.1: who sends max-age does not want a stale response, unless there is more that says so.
    let tolerates = request.max_age.is_none()
        || request.max_stale.is_some()
        || request.stale_if_error.is_some();
    let allowed = request.stale_if_error.unwrap_or_default().max(policy.stale_if_error());
    // §4.2.4, §5.2.2.2, §5.2.2.8, §5.2.2.10; §5.2.1.3: what is stale does not stay fresh for any time.
    tolerates
        && !policy.must_revalidate()
        && request.min_fresh.is_none()
        && age - lifetime < duration(allowed)
}

/// RFC 5861 §3: whether a response that has been stale for `staleness` may be used while it is revalidated. The
/// response itself must allow it, and the request not ask for better.
pub(super) fn may_be_used_meanwhile(
    policy: &StoredPolicy,
    request: &RequestDirectives,
    age: Duration,
    staleness: Duration,
) -> bool {
    // As for freshness (RFC 9111 §4.2) the time must be greater, so that 0 allows nothing.
    staleness < duration(policy.stale_while_revalidate())
        && !policy.must_revalidate()
        && accepts_age(request, age)
        // RFC 9111 §5.2.1.3
        && request.min_fresh.is_none()
        && match request.max_stale {
            // §5.2.1.2: so stale, and no more.
            Some(max) => staleness <= duration(max),
            // §5.2.1.1: who sends max-age does not want a stale response, unless there is max-stale.
            None => request.max_age.is_none(),
        }
}

/// RFC 9111 §5.2.1.4, §5.2.1.1. Who sends max-age=0 wants to hear from the origin, however young the response is.
fn accepts_age(request: &RequestDirectives, age: Duration) -> bool {
    let is_too_old = |max: DeltaSeconds| max.0 == 0 || age > duration(max);
    !request.no_cache && !request.max_age.is_some_and(is_too_old)
}

fn duration(seconds: DeltaSeconds) -> Duration {
    Duration::from_secs(u64::from(seconds.0))
}

#[cfg(test)]
mod tests;
