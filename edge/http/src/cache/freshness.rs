//! How long a response stays fresh (RFC 9111 §4.2.1, §4.2.2), and what of it is kept for deciding on its reuse.

use super::age::{age_value, corrected_initial_age, whole_seconds};
use super::directives::ResponseDirectives;
use crate::head::{Fields, ResponseHead};
use crate::time::{DeltaSeconds, UnixTime, parse_http_date};
use core::time::Duration;

/// The longest heuristic lifetime. RFC 9111 §4.2.2 sets none; a day is what a site without any caching policy can be
/// expected to bear when it changes something. Larger: visitors see old pages of such sites for longer. Smaller: their
/// pictures of last year are validated needlessly often.
const HEURISTIC_LIFETIME_MAX: DeltaSeconds = DeltaSeconds(24 * 60 * 60);
/// RFC 9111 §4.2.2: "a typical setting of this fraction might be 10 %".
const HEURISTIC_DIVISOR: u32 = 10;

/// What a stored response needs for deciding on its reuse: its age when it arrived, how long it is fresh, and what it
/// says about being used without validation. Small, and made once, when the response arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredPolicy {
    /// Finer than milliseconds no clock here is, and a `Duration` would take twice as much.
    corrected_initial_age_ms: u64,
    response_time: UnixTime,
    date: UnixTime,
    freshness_lifetime: DeltaSeconds,
    stale_while_revalidate: DeltaSeconds,
    stale_if_error: DeltaSeconds,
    no_cache: bool,
    must_revalidate: bool,
    has_validator: bool,
}

impl StoredPolicy {
    /// The policy of a response that was asked for at `request_time` and whose head arrived at `response_time`.
    #[must_use]
    pub fn new(
        response: &ResponseHead<'_>,
        directives: &ResponseDirectives,
        request_time: UnixTime,
        response_time: UnixTime,
    ) -> Self {
        let fields = response.fields;
        // RFC 9110 §6.6.1: without a (valid) Date, the time of receipt is the date.
        let date = fields.first("date").and_then(|date| parse_http_date(date, response_time));
        let date = date.unwrap_or(response_time);
        let age_value = age_value(fields);
        let lifetime = explicit_lifetime(fields, directives, date, response_time);
        let lifetime = lifetime
            .unwrap_or_else(|| heuristic_lifetime(response, directives, date, response_time));
        let initial_age = corrected_initial_age(age_value, date, request_time, response_time);
        Self {
            corrected_initial_age_ms: u64::try_from(initial_age.as_millis()).unwrap_or(u64::MAX),
            response_time,
            date,
            freshness_lifetime: lifetime,
            stale_while_revalidate: directives.stale_while_revalidate.unwrap_or_default(),
            stale_if_error: directives.stale_if_error.unwrap_or_default(),
            no_cache: directives.no_cache,
            // RFC 9111 §5.2.2.10: s-maxage incorporates the semantics of proxy-revalidate.
            must_revalidate: directives.must_revalidate
                || directives.proxy_revalidate
                || directives.s_maxage.is_some(),
            has_validator: has_validator(fields, response_time),
        }
    }

    /// All of it, for a store that outlives the process: [`StoredPolicy::from_octets`].
    #[must_use]
    pub fn to_octets(&self) -> [u8; 40] {
        let mut octets = [0; 40];
        let longs = [
            self.corrected_initial_age_ms,
            self.response_time.milliseconds(),
            self.date.milliseconds(),
        ];
        for (value, place) in longs.into_iter().zip(octets.chunks_mut(8)) {
            place.copy_from_slice(&value.to_le_bytes());
        }
        let seconds = [self.freshness_lifetime, self.stale_while_revalidate, self.stale_if_error];
        for (value, place) in seconds.into_iter().zip(octets[24..].chunks_mut(4)) {
            place.copy_from_slice(&value.0.to_le_bytes());
        }
        let flags = [self.no_cache, self.must_revalidate, self.has_validator];
        octets[36..39].copy_from_slice(&flags.map(u8::from));
        octets
    }

    /// What [`StoredPolicy::to_octets`] has made these octets of.
    #[must_use]
    pub fn from_octets(octets: &[u8; 40]) -> Self {
        let milliseconds = |number: usize| {
            u64::from_le_bytes(core::array::from_fn(|octet| octets[8 * number + octet]))
        };
        let seconds = |number: usize| {
            let octet = |octet| octets[24 + 4 * number + octet];
            DeltaSeconds(u32::from_le_bytes(core::array::from_fn(octet)))
        };
        Self {
            corrected_initial_age_ms: milliseconds(0),
            response_time: UnixTime::from_milliseconds(milliseconds(1)),
            date: UnixTime::from_milliseconds(milliseconds(2)),
            freshness_lifetime: seconds(0),
            stale_while_revalidate: seconds(1),
            stale_if_error: seconds(2),
            no_cache: octets[36] != 0,
            must_revalidate: octets[37] != 0,
            has_validator: octets[38] != 0,
        }
    }

    /// RFC 9111 §4.2.3: current_age, in whole seconds.
    #[must_use]
    pub fn current_age(&self, now: UnixTime) -> DeltaSeconds {
        whole_seconds(self.age(now))
    }

    /// RFC 9111 §4.2.3: current_age, as fine as it is known.
    #[must_use]
    pub fn age(&self, now: UnixTime) -> Duration {
        let resident_time = now.saturating_since(self.response_time);
        let initial_age = Duration::from_millis(self.corrected_initial_age_ms);
        initial_age.saturating_add(resident_time)
    }

    /// RFC 9111 §4.2.1: freshness_lifetime.
    #[must_use]
    pub fn freshness_lifetime(&self) -> DeltaSeconds {
        self.freshness_lifetime
    }

    /// Seconds that it stays fresh: freshness_lifetime less current_age, negative when it is stale.
    #[must_use]
    pub fn ttl(&self, now: UnixTime) -> i64 {
        i64::from(self.freshness_lifetime.0) - i64::from(self.current_age(now).0)
    }

    /// When the response was made, as far as is known (RFC 9110 §6.6.1). Of several stored responses that match a
    /// request, the most recent is used (RFC 9111 §4).
    #[must_use]
    pub fn date(&self) -> UnixTime {
        self.date
    }

    /// Whether the origin can be asked about it with a condition (RFC 9111 §4.3.1).
    #[must_use]
    pub fn has_validator(&self) -> bool {
        self.has_validator
    }

    /// Whether it must be validated before each use (RFC 9111 §5.2.2.4).
    #[must_use]
    pub fn no_cache(&self) -> bool {
        self.no_cache
    }

    /// Whether it must not be used when it is stale, whoever would allow it (RFC 9111 §4.2.4).
    #[must_use]
    pub fn must_revalidate(&self) -> bool {
        self.must_revalidate
    }

    /// For how long after it became stale it may be used while it is revalidated (RFC 5861 §3).
    #[must_use]
    pub fn stale_while_revalidate(&self) -> DeltaSeconds {
        self.stale_while_revalidate
    }

    /// For how long after it became stale it may be used instead of an error (RFC 5861 §4).
    #[must_use]
    pub fn stale_if_error(&self) -> DeltaSeconds {
        self.stale_if_error
    }
}

/// RFC 9111 §4.2.1: s-maxage, max-age or Expires, in this order; `None` when there is none of them. Of several Expires
/// the earliest counts, for the reason given at [`ResponseDirectives`].
fn explicit_lifetime(
    fields: Fields<'_>,
    directives: &ResponseDirectives,
    date: UnixTime,
    now: UnixTime,
) -> Option<DeltaSeconds> {
    let of_expires = |expires: &[u8]| {
        // §5.3: an invalid date, "0" above all, is a time in the past.
        let expires = parse_http_date(expires, now).unwrap_or_default();
        whole_seconds(expires.saturating_since(date))
    };
    let directive = directives.s_maxage.or(directives.max_age);
    // RFC 9213 §2.2: beside CDN-Cache-Control Expires is ignored.
    let expires = || fields.all("expires").filter(|_| !directives.targeted).map(of_expires).min();
    directive.or_else(expires)
}

/// RFC 9111 §4.2.2: a tenth of the time since it was last modified, for statuses whose definition allows it and for
/// responses marked as public; otherwise nothing.
fn heuristic_lifetime(
    response: &ResponseHead<'_>,
    directives: &ResponseDirectives,
    date: UnixTime,
    now: UnixTime,
) -> DeltaSeconds {
    if !is_heuristically_cacheable(response.status) && !directives.public {
        return DeltaSeconds::default();
    }
    let last_modified = response.fields.first("last-modified");
    let last_modified = last_modified.and_then(|modified| parse_http_date(modified, now));
    let lifetime =
        last_modified.map(|modified| date.saturating_since(modified) / HEURISTIC_DIVISOR);
    whole_seconds(lifetime.unwrap_or_default()).min(HEURISTIC_LIFETIME_MAX)
}

/// The statuses whose responses may be stored without being told so: RFC 9110 §15.1, and 451 by RFC 7725 §3.
#[must_use]
pub fn is_heuristically_cacheable(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 451 | 501)
}

/// Whether a response says how long it is fresh (RFC 9111 §4.2.1), be it a time that is over.
#[must_use]
pub fn is_explicit(fields: Fields<'_>, directives: &ResponseDirectives) -> bool {
    directives.s_maxage.is_some()
        || directives.max_age.is_some()
        || (!directives.targeted && fields.contains("expires"))
}

/// Whether a condition can be made of a response (RFC 9111 §4.3.1). Entity tags without quotes count: origins that
/// send them recognise them.
#[must_use]
pub fn has_validator(fields: Fields<'_>, now: UnixTime) -> bool {
    let is_date = |modified| parse_http_date(modified, now).is_some();
    fields.first("etag").is_some_and(|etag| !etag.is_empty())
        || fields.first("last-modified").is_some_and(is_date)
}

#[cfg(test)]
mod tests;
