//! Tables of what may be used when it is stale, and of a site's defaults.

use super::*;
use crate::cache::directives::{request_directives, response_directives};
use crate::cache::reuse::{Reuse, reuse};
use crate::head::{ResponseHead, Version, parse_fields};
use proptest::prelude::*;

const NOW: UnixTime = UnixTime::from_seconds(784_111_777);

/// A response with this Cache-Control that arrived so many milliseconds ago.
fn stored(value: &str, milliseconds: u64) -> StoredPolicy {
    let lines = format!("Cache-Control: {value}\r\n");
    let mut spans = Vec::new();
    let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
    let head = ResponseHead { version: Version::Http11, status: 200, reason: b"", fields };
    let then = UnixTime::from_milliseconds(NOW.milliseconds() - milliseconds);
    StoredPolicy::new(&head, &response_directives(fields), then, then)
}

fn asked(value: &str) -> RequestDirectives {
    let lines = format!("Cache-Control: {value}\r\n");
    let mut spans = Vec::new();
    request_directives(parse_fields(lines.as_bytes(), &mut spans).unwrap())
}

#[test]
fn instead_of_an_error() {
    // RFC 5861 §4, RFC 9111 §4.2.4, §5.2.1, §5.2.2
    let response = "max-age=60, stale-if-error=30";
    let rows: [(&str, u64, &str, bool, &str); 34] = [
        (response, 70_000, "", true, "RFC 5861 §4"),
        (response, 60_000, "", true, "RFC 5861 §4: from when it is stale"),
        (response, 89_999, "", true, "RFC 5861 §4: for a last millisecond"),
        (response, 90_000, "", false, "RFC 5861 §4: and no longer"),
        (response, 9_000, "", true, "it is fresh"),
        ("max-age=60", 70_000, "", false, "§4.2.4: nobody allows it"),
        ("max-age=60", 60_000, "", false, "§4.2.4: not even for a moment"),
        ("max-age=60, stale-if-error=0", 60_000, "", false, "RFC 5861 §4: for no time"),
        ("max-age=60, stale-if-error", 60_000, "", false, "an invalid argument allows nothing"),
        ("max-age=60, stale-while-revalidate=30", 70_000, "", false, "RFC 5861 §3: not for that"),
        ("max-age=60", 70_000, "stale-if-error=30", true, "RFC 5861 §4: the request allows it"),
        ("max-age=60", 90_000, "stale-if-error=30", false, "RFC 5861 §4: for so long"),
        ("max-age=60", 70_000, "stale-if-error=x", false, "an invalid argument allows nothing"),
        (response, 120_000, "stale-if-error=90", true, "the longer of both"),
        (response, 70_000, "stale-if-error=5", true, "RFC 5861 §4: the response allows it"),
        ("no-cache, stale-if-error=30", 0, "stale-if-error=30", false, "§5.2.2.4"),
        ("max-age=60, must-revalidate, stale-if-error=30", 70_000, "", false, "§5.2.2.2"),
        ("max-age=60, proxy-revalidate, stale-if-error=30", 70_000, "", false, "§5.2.2.8"),
        ("s-maxage=60, stale-if-error=30", 70_000, "", false, "§5.2.2.10"),
        ("max-age=60, must-revalidate", 70_000, "stale-if-error=30", false, "§4.2.4: forbidden"),
        ("max-age=60, must-revalidate", 9_000, "", true, "§5.2.2.2: when stale only"),
        (response, 70_000, "no-cache", false, "§5.2.1.4"),
        (response, 9_000, "no-cache", false, "§5.2.1.4: not even when it is fresh"),
        (response, 70_000, "no-cache, stale-if-error=30", false, "§5.2.1.4: the stricter"),
        (response, 70_000, "max-age=60", false, "§5.2.1.1: too old"),
        (response, 9_000, "max-age=5", false, "§5.2.1.1: too old, though fresh"),
        (response, 0, "max-age=0", false, "§5.2.1.1: wants to hear from the origin"),
        (response, 70_000, "max-age=80", false, "§5.2.1.1: does not want a stale one"),
        (response, 70_000, "max-age=80, max-stale", true, "§5.2.1.1: does want a stale one"),
        (response, 70_000, "max-age=80, stale-if-error=30", true, "RFC 5861 §4: likewise"),
        (response, 70_000, "max-age=60, stale-if-error=30", false, "§5.2.1.1: but not so old"),
        (response, 70_000, "min-fresh=0", false, "§5.2.1.3: wants a fresh one"),
        (response, 9_000, "min-fresh=52", false, "§5.2.1.3: not for so long"),
        (response, 9_000, "min-fresh=51", true, "§5.2.1.3: just long enough"),
    ];
    for (response, milliseconds, request, expected, why) in rows {
        let outcome = may_replace_error(&stored(response, milliseconds), &asked(request), NOW);
        assert_eq!(outcome, expected, "{response} after {milliseconds}, {request}: {why}");
    }
}

#[test]
fn errors() {
    // RFC 5861 §4
    for status in 100..600 {
        assert_eq!(is_error(status), [500, 502, 503, 504].contains(&status), "{status}");
    }
}

#[test]
fn defaults_of_a_site() {
    let defaults = SiteDefaults {
        stale_while_revalidate: DeltaSeconds(5),
        stale_if_error: DeltaSeconds(7),
        error_lifetime: DeltaSeconds(9),
    };
    // Seconds of stale-while-revalidate, stale-if-error, max-age.
    type Row = (u16, &'static str, [Option<u32>; 3], &'static str);
    let rows: [Row; 28] = [
        (200, "", [Some(5), Some(7), None], "it says nothing"),
        (200, "Cache-Control: max-age=1\r\n", [Some(5), Some(7), Some(1)], "not about these"),
        (
            200,
            "Cache-Control: stale-while-revalidate=0, stale-if-error=0\r\n",
            [Some(0), Some(0), None],
            "an explicit 0 stays",
        ),
        (200, "Cache-Control: stale-if-error=1\r\n", [Some(5), Some(1), None], "each for itself"),
        (200, "Cache-Control: stale-if-error=x\r\n", [Some(5), Some(0), None], "invalid is 0"),
        (200, "CDN-Cache-Control: stale-if-error=1\r\n", [Some(5), Some(1), None], "RFC 9213"),
        (301, "", [Some(5), Some(7), None], "no error"),
        (399, "", [Some(5), Some(7), None], "no error"),
        (404, "", [Some(5), Some(7), Some(9)], "an error"),
        (410, "", [Some(5), Some(7), Some(9)], "an error"),
        (414, "", [Some(5), Some(7), Some(9)], "the target is in the key"),
        (451, "", [Some(5), Some(7), Some(9)], "an error"),
        (500, "", [None, None, Some(9)], "the origin's; not shown for longer than that"),
        (501, "", [None, None, Some(9)], "likewise"),
        (502, "", [None, None, Some(9)], "likewise"),
        (503, "", [None, None, Some(9)], "likewise"),
        (504, "", [None, None, Some(9)], "likewise"),
        (400, "", [Some(5), Some(7), None], "one request's fault is not everyone's"),
        (401, "", [Some(5), Some(7), None], "others may be authorized"),
        (403, "", [Some(5), Some(7), None], "others may be allowed"),
        (405, "", [Some(5), Some(7), None], "a field may have overridden the method"),
        (429, "", [Some(5), Some(7), None], "RFC 6585 §4: must not be stored"),
        (404, "Cache-Control: max-age=0\r\n", [Some(5), Some(7), Some(0)], "explicit"),
        (404, "Expires: 0\r\n", [Some(5), Some(7), None], "explicit"),
        (404, "Cache-Control: no-store\r\n", [Some(5), Some(7), None], "must not be stored"),
        (404, "Cache-Control: private\r\n", [Some(5), Some(7), None], "must not be shared"),
        (404, "Cache-Control: no-cache\r\n", [Some(5), Some(7), None], "must be validated"),
        (
            404,
            "CDN-Cache-Control: foo\r\nExpires: 0\r\n",
            [Some(5), Some(7), Some(9)],
            "RFC 9213 §2.2: Expires is ignored",
        ),
    ];
    for (status, lines, expected, why) in rows {
        let mut spans = Vec::new();
        let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
        let said = response_directives(fields);
        let read = said.with_defaults(&defaults, status, fields);
        let seconds = [read.stale_while_revalidate, read.stale_if_error, read.max_age];
        assert_eq!(seconds.map(|seconds| seconds.map(|s| s.0)), expected, "{status}: {why}");
        assert_eq!(said.with_defaults(&SiteDefaults::default(), status, fields), said, "{why}");
    }
}

fn response() -> impl Strategy<Value = String> {
    let forbidding = prop_oneof![
        4 => Just(""), 1 => Just(", no-cache"), 1 => Just(", must-revalidate"),
        1 => Just(", proxy-revalidate"), 1 => Just(", s-maxage=60"),
    ];
    (0u32..100, 0u32..100, forbidding).prop_map(|(meanwhile, error, forbidding)| {
        format!(
            "max-age=60, stale-while-revalidate={meanwhile}, stale-if-error={error}{forbidding}"
        )
    })
}

fn request() -> impl Strategy<Value = RequestDirectives> {
    let seconds = || proptest::option::weighted(0.3, (0u32..200).prop_map(DeltaSeconds));
    let limits = (seconds(), seconds(), seconds(), seconds());
    (proptest::bool::weighted(0.2), limits).prop_map(
        |(no_cache, (max_age, min_fresh, max_stale, stale_if_error))| RequestDirectives {
            no_cache,
            max_age,
            min_fresh,
            max_stale,
            stale_if_error,
            ..RequestDirectives::default()
        },
    )
}

proptest! {
    #[test]
    fn nothing_forbidden_or_unallowed_is_used_when_stale(
        response in response(), milliseconds in 60_000u64..300_000, request in request(),
    ) {
        let policy = stored(&response, milliseconds);
        let outcome = reuse(&policy, &request, NOW);
        let instead = may_replace_error(&policy, &request, NOW);
        let staleness = Duration::from_millis(milliseconds - 60_000);
        let within = |seconds: Option<DeltaSeconds>| staleness <= duration(seconds.unwrap_or_default());
        let is_used = !matches!(outcome, Reuse::Validate(_));
        if policy.no_cache() || policy.must_revalidate() || request.no_cache {
            prop_assert!(!is_used && !instead);
        }
        if matches!(outcome, Reuse::WhileRevalidating { .. }) {
            prop_assert!(within(Some(policy.stale_while_revalidate())));
            prop_assert!(request.max_stale.is_none() || within(request.max_stale));
        }
        if matches!(outcome, Reuse::Fresh { .. }) {
            prop_assert!(request.max_stale.is_some() && within(request.max_stale));
        }
        if instead {
            prop_assert!(within(Some(policy.stale_if_error())) || within(request.stale_if_error));
        }
        if is_used || instead {
            let age = Duration::from_millis(milliseconds);
            prop_assert!(request.max_age.is_none_or(|max| age <= duration(max)));
            prop_assert!(request.min_fresh.is_none());
        }
    }

    #[test]
    fn what_was_too_stale_stays_so(
        response in response(), earlier in 0u64..200_000, more in 0u64..200_000,
        request in request(),
    ) {
        let [early, late] = [earlier, earlier + more].map(|age| stored(&response, age));
        let is_used = |policy| !matches!(reuse(policy, &request, NOW), Reuse::Validate(_));
        prop_assert!(is_used(&early) || !is_used(&late));
        let instead = |policy| may_replace_error(policy, &request, NOW);
        prop_assert!(instead(&early) || !instead(&late));
    }
}
