//! Whether a stored response may be used as it is (RFC 9111 §4).

use super::directives::RequestDirectives;
use super::freshness::StoredPolicy;
use super::stale::may_be_used_meanwhile;
use crate::time::{DeltaSeconds, UnixTime};
use core::time::Duration;

/// What may be done with a stored response that the request selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// It may be used as it is: it is fresh, or the client accepts it stale (then `ttl` is not positive).
    Fresh {
        /// Its current_age, for the Age field.
        age: DeltaSeconds,
        /// Seconds that it stays fresh.
        ttl: i64,
    },
    /// It may be used, though it is stale, while it is validated in the background (RFC 5861 §3).
    WhileRevalidating {
        /// Its current_age, for the Age field.
        age: DeltaSeconds,
        /// Seconds that it stays fresh: not positive.
        ttl: i64,
    },
    /// It must be validated before it is used.
    Validate(StaleReason),
}

/// Why a stored response must be validated before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleReason {
    /// It says so itself, always: no-cache.
    NoCache,
    /// It is older than its freshness lifetime.
    Stale,
    /// The request's no-cache.
    RequestNoCache,
    /// It is older than the request's max-age.
    RequestMaxAge,
    /// It stays fresh for less than the request's min-fresh.
    RequestMinFresh,
}

impl StaleReason {
    /// Every reason, for whoever counts them.
    pub const ALL: &[Self] = &[
        Self::NoCache,
        Self::Stale,
        Self::RequestNoCache,
        Self::RequestMaxAge,
        Self::RequestMinFresh,
    ];

    /// Whether it is the request's own directives that forbid the use of a response that is otherwise fresh.
    #[must_use]
    pub const fn is_request(self) -> bool {
        match self {
            Self::NoCache | Self::Stale => false,
            Self::RequestNoCache | Self::RequestMaxAge | Self::RequestMinFresh => true,
        }
    }

    /// The `fwd` token of Cache-Status (RFC 9211 §2.2).
    #[must_use]
    pub const fn token(self) -> &'static str {
        if self.is_request() { "request" } else { "stale" }
    }

    /// A token for the detail of Cache-Status, logs and counters.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoCache => "no-cache",
            Self::Stale => "stale",
            Self::RequestNoCache => "request-no-cache",
            Self::RequestMaxAge => "request-max-age",
            Self::RequestMinFresh => "request-min-fresh",
        }
    }
}

/// Decides on the use of a stored response whose key and selecting fields match the request.
///
/// A reason that lies in the response comes before one that lies in the request: RFC 9211 §2.2 has `fwd=request` for
/// responses that are fresh.
#[must_use]
pub fn reuse(policy: &StoredPolicy, request: &RequestDirectives, now: UnixTime) -> Reuse {
    // RFC 9111 §5.2.2.4
    if policy.no_cache() {
        return Reuse::Validate(StaleReason::NoCache);
    }
    let age = policy.age(now);
    let lifetime = seconds(policy.freshness_lifetime());
    // §4.2: response_is_fresh = (freshness_lifetime > current_age)
    if age >= lifetime {
        // RFC 5861 §3 before RFC 9111 §5.2.1.2: where both allow the use, whoever comes next gains by the validation.
        if may_be_used_meanwhile(policy, request, age, age - lifetime) {
            return Reuse::WhileRevalidating { age: policy.current_age(now), ttl: policy.ttl(now) };
        }
        if !accepts_stale(policy, request, age - lifetime) {
            return Reuse::Validate(StaleReason::Stale);
        }
    }
    // §5.2.1.4
    if request.no_cache {
        return Reuse::Validate(StaleReason::RequestNoCache);
    }
    // §5.2.1.1. Who sends 0 wants to hear from the origin, however young the response is.
    let is_too_old = |max: DeltaSeconds| max.0 == 0 || age > seconds(max);
    if request.max_age.is_some_and(is_too_old) {
        return Reuse::Validate(StaleReason::RequestMaxAge);
    }
    // §5.2.1.3
    if request.min_fresh.is_some_and(|min| age + seconds(min) > lifetime) {
        return Reuse::Validate(StaleReason::RequestMinFresh);
    }
    Reuse::Fresh { age: policy.current_age(now), ttl: policy.ttl(now) }
}

/// RFC 9111 §5.2.1.2, unless the response forbids it (§4.2.4).
fn accepts_stale(policy: &StoredPolicy, request: &RequestDirectives, staleness: Duration) -> bool {
    !policy.must_revalidate() && request.max_stale.is_some_and(|max| staleness <= seconds(max))
}

fn seconds(delta: DeltaSeconds) -> Duration {
    Duration::from_secs(u64::from(delta.0))
}

#[cfg(test)]
mod tests {
    use super::Reuse::{Fresh, Validate, WhileRevalidating};
    use super::*;
    use crate::cache::directives::{request_directives, response_directives};
    use crate::head::{ResponseHead, Version, parse_fields};
    use proptest::prelude::*;

    const NOW: UnixTime = UnixTime::from_seconds(784_111_777);

    /// A response with this Cache-Control that arrived so many milliseconds ago.
    fn stored(response: &str, milliseconds: u64) -> StoredPolicy {
        let lines = format!("Cache-Control: {response}\r\n");
        let mut spans = Vec::new();
        let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
        let head = ResponseHead { version: Version::Http11, status: 200, reason: b"", fields };
        let then = UnixTime::from_milliseconds(NOW.milliseconds() - milliseconds);
        StoredPolicy::new(&head, &response_directives(fields), then, then)
    }

    fn outcome(response: &str, milliseconds: u64, request: &str) -> Reuse {
        let lines = format!("Cache-Control: {request}\r\n");
        let mut spans = Vec::new();
        let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
        reuse(&stored(response, milliseconds), &request_directives(fields), NOW)
    }

    #[test]
    fn table() {
        let fresh = |age, ttl| Fresh { age: DeltaSeconds(age), ttl };
        let stale = Validate(StaleReason::Stale);
        let max_age = Validate(StaleReason::RequestMaxAge);
        let min_fresh = Validate(StaleReason::RequestMinFresh);
        let rows: [(&str, u64, &str, Reuse, &str); 29] = [
            ("max-age=60", 0, "", fresh(0, 60), "§4.2: fresh"),
            ("max-age=60", 59_999, "", fresh(59, 1), "§4.2: for a last millisecond"),
            ("max-age=60", 60_000, "", stale, "§4.2: lifetime must be greater than age"),
            ("max-age=0", 0, "", stale, "§4.2: never fresh"),
            ("no-cache, max-age=60", 0, "", Validate(StaleReason::NoCache), "§5.2.2.4"),
            ("no-cache", 0, "max-stale", Validate(StaleReason::NoCache), "§4.2.4"),
            ("max-age=60", 0, "no-cache", Validate(StaleReason::RequestNoCache), "§5.2.1.4"),
            ("max-age=60", 90_000, "no-cache", stale, "RFC 9211 §2.2: stale comes first"),
            ("max-age=60", 9_000, "max-age=9", fresh(9, 51), "§5.2.1.1: not older than"),
            ("max-age=60", 9_001, "max-age=9", max_age, "§5.2.1.1: older than"),
            ("max-age=60", 0, "max-age=0", max_age, "§5.2.1.1: wants to hear from the origin"),
            ("max-age=60", 70_000, "max-age=90", stale, "§5.2.1.1: is no max-stale"),
            ("max-age=60", 9_000, "min-fresh=51", fresh(9, 51), "§5.2.1.3: just long enough"),
            ("max-age=60", 9_000, "min-fresh=52", min_fresh, "§5.2.1.3: not long enough"),
            ("max-age=60", 9_000, "min-fresh=2147483648", min_fresh, "§5.2.1.3: the largest"),
            ("max-age=60", 70_000, "max-stale", fresh(70, -10), "§5.2.1.2: however stale"),
            ("max-age=60", 70_000, "max-stale=10", fresh(70, -10), "§5.2.1.2: just allowed"),
            ("max-age=60", 70_001, "max-stale=10", stale, "§5.2.1.2: too stale"),
            ("max-age=60", 70_000, "max-stale=x", stale, "§5.2.1.2: an invalid argument"),
            ("max-age=60, must-revalidate", 70_000, "max-stale", stale, "§5.2.2.2"),
            ("max-age=60, proxy-revalidate", 70_000, "max-stale", stale, "§5.2.2.8"),
            ("s-maxage=60", 70_000, "max-stale", stale, "§5.2.2.10"),
            ("max-age=60, must-revalidate", 9_000, "", fresh(9, 51), "§5.2.2.2: when stale only"),
            ("max-age=60", 70_000, "max-stale, max-age=5", max_age, "§5.2.1.1 holds besides"),
            ("max-age=60", 70_000, "max-stale, min-fresh=5", min_fresh, "the stricter of two"),
            ("max-age=60", 0, "no-store", fresh(0, 60), "§5.2.1.5: does not forbid use"),
            ("max-age=60", 0, "only-if-cached", fresh(0, 60), "§5.2.1.7: what it wants"),
            ("max-age=60", 0, "no-transform, foo", fresh(0, 60), "§5.2.3: nothing about reuse"),
            (
                "max-age=60, immutable",
                0,
                "no-cache",
                Validate(StaleReason::RequestNoCache),
                "RFC 8246 §2: the client's wish counts in a shared cache",
            ),
        ];
        for (response, milliseconds, request, expected, why) in rows {
            assert_eq!(outcome(response, milliseconds, request), expected, "{why}");
        }
    }

    #[test]
    fn while_revalidating() {
        // RFC 5861 §3, RFC 9111 §4.2.4, §5.2.1, §5.2.2
        let fresh = |age, ttl| Fresh { age: DeltaSeconds(age), ttl };
        let meanwhile = |age, ttl| WhileRevalidating { age: DeltaSeconds(age), ttl };
        let stale = Validate(StaleReason::Stale);
        let response = "max-age=60, stale-while-revalidate=30";
        let rows: [(&str, u64, &str, Reuse, &str); 30] = [
            (response, 59_999, "", fresh(59, 1), "§4.2: fresh"),
            (response, 60_000, "", meanwhile(60, 0), "RFC 5861 §3: as soon as it is stale"),
            (response, 89_999, "", meanwhile(89, -29), "RFC 5861 §3: for a last millisecond"),
            (response, 90_000, "", stale, "RFC 5861 §3: and no longer"),
            ("max-age=60, stale-while-revalidate=0", 60_000, "", stale, "RFC 5861 §3: no time"),
            ("max-age=60, stale-while-revalidate=x", 60_000, "", stale, "an invalid argument"),
            ("max-age=60, stale-while-revalidate", 60_000, "", stale, "no argument"),
            ("max-age=60, stale-if-error=30", 70_000, "", stale, "RFC 5861 §4: not for that"),
            (
                "stale-while-revalidate=30",
                9_000,
                "",
                meanwhile(9, -9),
                "no lifetime: stale at once",
            ),
            (
                "max-age=0, stale-while-revalidate=30",
                0,
                "",
                meanwhile(0, 0),
                "an explicit one of 0",
            ),
            (
                "max-age=x, stale-while-revalidate=30",
                9_000,
                "",
                meanwhile(9, -9),
                "§4.2.1: invalid, so stale",
            ),
            (
                "no-cache, stale-while-revalidate=30",
                0,
                "",
                Validate(StaleReason::NoCache),
                "§5.2.2.4, §4.2.4",
            ),
            (
                "max-age=60, must-revalidate, stale-while-revalidate=30",
                70_000,
                "",
                stale,
                "§5.2.2.2",
            ),
            (
                "max-age=60, proxy-revalidate, stale-while-revalidate=30",
                70_000,
                "",
                stale,
                "§5.2.2.8",
            ),
            ("s-maxage=60, stale-while-revalidate=30", 70_000, "", stale, "§5.2.2.10, §4.2.4"),
            (response, 70_000, "no-cache", stale, "§5.2.1.4; RFC 9211 §2.2: stale comes first"),
            (response, 70_000, "max-age=60", stale, "§5.2.1.1: too old"),
            (response, 70_000, "max-age=0", stale, "§5.2.1.1: wants to hear from the origin"),
            (response, 70_000, "max-age=80", stale, "§5.2.1.1: does not want a stale one"),
            (
                response,
                70_000,
                "max-age=80, max-stale",
                meanwhile(70, -10),
                "§5.2.1.1: does want a stale one",
            ),
            (
                response,
                70_000,
                "max-age=60, max-stale",
                Validate(StaleReason::RequestMaxAge),
                "§5.2.1.1: but not so old",
            ),
            (response, 70_000, "min-fresh=0", stale, "§5.2.1.3: wants a fresh one"),
            (response, 70_000, "max-stale", meanwhile(70, -10), "both allow it: it is refreshed"),
            (response, 70_000, "max-stale=10", meanwhile(70, -10), "§5.2.1.2: just so stale"),
            (response, 70_000, "max-stale=9", stale, "§5.2.1.2: not so stale"),
            (response, 95_000, "max-stale", fresh(95, -35), "§5.2.1.2: the client alone allows it"),
            (response, 70_000, "only-if-cached", meanwhile(70, -10), "§5.2.1.7: what it wants"),
            (response, 70_000, "no-store", meanwhile(70, -10), "§5.2.1.5: does not forbid use"),
            (response, 70_000, "stale-if-error=0", meanwhile(70, -10), "RFC 5861 §4: no error yet"),
            (
                "max-age=60, stale-while-revalidate=2147483648",
                99_000,
                "",
                meanwhile(99, -39),
                "§1.2.2: the largest",
            ),
        ];
        for (response, milliseconds, request, expected, why) in rows {
            let outcome = outcome(response, milliseconds, request);
            assert_eq!(outcome, expected, "{response} after {milliseconds}, {request}: {why}");
        }
    }

    #[test]
    fn reasons() {
        let all: Vec<_> = StaleReason::ALL.iter().map(|reason| reason.reason()).collect();
        assert_eq!(
            all,
            ["no-cache", "stale", "request-no-cache", "request-max-age", "request-min-fresh"]
        );
        // RFC 9211 §2.2
        for (reason, token, detail) in [
            (StaleReason::NoCache, "stale", "no-cache"),
            (StaleReason::Stale, "stale", "stale"),
            (StaleReason::RequestNoCache, "request", "request-no-cache"),
            (StaleReason::RequestMaxAge, "request", "request-max-age"),
            (StaleReason::RequestMinFresh, "request", "request-min-fresh"),
        ] {
            assert_eq!((reason.token(), reason.reason()), (token, detail));
            assert_eq!(reason.is_request(), token == "request");
        }
    }

    fn request() -> impl Strategy<Value = RequestDirectives> {
        let seconds = || proptest::option::of((0u32..200).prop_map(DeltaSeconds));
        (any::<bool>(), seconds(), seconds(), seconds()).prop_map(
            |(no_cache, max_age, min_fresh, max_stale)| RequestDirectives {
                no_cache,
                max_age,
                min_fresh,
                max_stale,
                ..RequestDirectives::default()
            },
        )
    }

    proptest! {
        #[test]
        fn nothing_is_used_past_its_lifetime_unless_the_client_allows_it(
            lifetime in 0u32..100, milliseconds in 0u64..200_000, request in request(),
        ) {
            let policy = stored(&format!("max-age={lifetime}"), milliseconds);
            if let Fresh { age, ttl } = reuse(&policy, &request, NOW) {
                let staleness = milliseconds as i64 - i64::from(lifetime) * 1000;
                let allowed = request.max_stale.map(|max| i64::from(max.0) * 1000);
                prop_assert!(staleness < 0 || Some(staleness) <= allowed);
                prop_assert_eq!(ttl, i64::from(lifetime) - i64::from(age.0));
                prop_assert!(request.max_age.is_none_or(|max| age <= max) && !request.no_cache);
                prop_assert!(request.min_fresh.is_none_or(|min| ttl >= i64::from(min.0)));
            }
        }

        #[test]
        fn what_forbids_stale_use_wins(milliseconds in 0u64..200_000, request in request()) {
            let policy = stored("max-age=60, must-revalidate", milliseconds);
            let outcome = reuse(&policy, &request, NOW);
            prop_assert!(milliseconds < 60_000 || outcome == Validate(StaleReason::Stale));
        }

        #[test]
        fn what_is_stale_does_not_become_fresh_again(
            response in "(max-age=[0-9]{1,2}|s-maxage=[0-9]{1,2})", earlier in 0u64..100_000,
            more in 0u64..100_000,
        ) {
            let is_fresh = |age| matches!(outcome(&response, age, ""), Fresh { .. });
            prop_assert!(is_fresh(earlier) || !is_fresh(earlier + more));
        }
    }
}
