//! The other directives of responses, and Pragma: RFC 9111 §5.2.2, §5.4.

use super::lifetimes::{Row, case_of};
use crate::case::{Case, Reuse, case, get, not_modified, ok};
use Reuse::{Asked, Hit};

/// Whether it may be stored and used.
const PERMISSIONS: &[Row] = &[
    (
        "no-store-names",
        "§5.2.2.5",
        &["Cache-Control: no-store=\"x\", max-age=3600"],
        Asked,
        "it has no form with names",
    ),
    (
        "expires-beside-public",
        "§4.2.1",
        &["Cache-Control: public", "Expires: {now+3600}"],
        Hit,
        "public is no lifetime, Expires is",
    ),
    (
        "must-revalidate-semicolon",
        "§5.2",
        &["Cache-Control: max-age=3600; no-store"],
        Asked,
        "ours: whoever wrote that meant no-store",
    ),
    (
        "cookie-set-public",
        "§7.3",
        &["Set-Cookie: a=b", "Cache-Control: public", "Last-Modified: {now-864000}"],
        Hit,
        "public says that others may have it",
    ),
    ("no-store", "§5.2.2.5", &["Cache-Control: no-store, max-age=3600"], Asked, "not stored"),
    (
        "no-store-last",
        "§5.2.2.5",
        &["Cache-Control: max-age=3600, no-store"],
        Asked,
        "whatever the order",
    ),
    ("no-store-upper", "§5.2", &["Cache-Control: No-StOrE, max-age=3600"], Asked, "in any case"),
    (
        "no-store-argument",
        "§5.2",
        &["Cache-Control: no-store=1, max-age=3600"],
        Asked,
        "an argument changes nothing",
    ),
    (
        "no-store-line",
        "RFC 9110 §5.3",
        &["Cache-Control: max-age=3600", "Cache-Control: no-store"],
        Asked,
        "on another line",
    ),
    (
        "no-store-expires",
        "§5.2.2.5",
        &["Cache-Control: no-store", "Expires: {now+3600}"],
        Asked,
        "whatever Expires says",
    ),
    (
        "no-store-last-modified",
        "§5.2.2.5",
        &["Cache-Control: no-store", "Last-Modified: {now-864000}"],
        Asked,
        "no heuristics either",
    ),
    (
        "no-storefoo",
        "§5.2.3",
        &["Cache-Control: no-storefoo, max-age=3600"],
        Hit,
        "another directive",
    ),
    ("private", "§5.2.2.7", &["Cache-Control: private, max-age=3600"], Asked, "for one user"),
    ("private-upper", "§5.2", &["Cache-Control: PRIVATE, max-age=3600"], Asked, "in any case"),
    (
        "private-s-maxage",
        "§5.2.2.7",
        &["Cache-Control: private, s-maxage=3600"],
        Asked,
        "s-maxage takes nothing back",
    ),
    (
        "private-public",
        "§5.2.2.7",
        &["Cache-Control: public, private, max-age=3600"],
        Asked,
        "nor public: the stricter counts",
    ),
    (
        "private-empty-names",
        "§5.2.2.7",
        &["Cache-Control: private=\"\", max-age=3600"],
        Asked,
        "no names: as if without",
    ),
    (
        "no-cache",
        "§5.2.2.4",
        &["Cache-Control: no-cache, max-age=3600"],
        Asked,
        "not without validation",
    ),
    ("no-cache-upper", "§5.2", &["Cache-Control: NO-CACHE, max-age=3600"], Asked, "in any case"),
    (
        "no-cache-line",
        "RFC 9110 §5.3",
        &["Cache-Control: max-age=3600", "Cache-Control: no-cache"],
        Asked,
        "on another line",
    ),
    (
        "no-cache-expires",
        "§5.2.2.4",
        &["Cache-Control: no-cache", "Expires: {now+3600}"],
        Asked,
        "whatever Expires says",
    ),
    (
        "no-cache-s-maxage",
        "§5.2.2.4",
        &["Cache-Control: s-maxage=3600, no-cache"],
        Asked,
        "whatever s-maxage says",
    ),
    (
        "no-cache-immutable",
        "RFC 8246 §2",
        &["Cache-Control: immutable, no-cache, max-age=3600"],
        Asked,
        "immutable takes nothing back",
    ),
    (
        "must-revalidate-fresh",
        "§5.2.2.2",
        &["Cache-Control: must-revalidate, max-age=3600"],
        Hit,
        "only for what is stale",
    ),
    (
        "must-revalidate-stale",
        "§5.2.2.2",
        &["Cache-Control: must-revalidate, max-age=3600", "Age: 7200"],
        Asked,
        "stale",
    ),
    ("must-revalidate-alone", "§3", &["Cache-Control: must-revalidate"], Asked, "no lifetime"),
    (
        "proxy-revalidate-fresh",
        "§5.2.2.8",
        &["Cache-Control: proxy-revalidate, max-age=3600"],
        Hit,
        "only for what is stale",
    ),
    ("immutable-fresh", "RFC 8246 §2", &["Cache-Control: immutable, max-age=3600"], Hit, "fresh"),
    (
        "immutable-stale",
        "RFC 8246 §2",
        &["Cache-Control: immutable, max-age=3600", "Age: 7200"],
        Asked,
        "only while it is fresh",
    ),
    ("immutable-alone", "RFC 8246 §2", &["Cache-Control: immutable"], Asked, "it is no lifetime"),
    ("public-alone", "§5.2.2.9", &["Cache-Control: public"], Asked, "it is no lifetime"),
    ("public-fresh", "§5.2.2.9", &["Cache-Control: public, max-age=3600"], Hit, "fresh"),
    (
        "no-transform-fresh",
        "§5.2.2.6",
        &["Cache-Control: no-transform, max-age=3600"],
        Hit,
        "not about storing",
    ),
    (
        "pragma-response",
        "§5.4",
        &["Pragma: no-cache", "Cache-Control: max-age=3600"],
        Hit,
        "Pragma means nothing in responses",
    ),
    (
        "pragma-response-alone",
        "§5.4",
        &["Pragma: no-cache", "Expires: {now+3600}"],
        Hit,
        "nor beside Expires",
    ),
    (
        "pragma-response-heuristic",
        "§5.4",
        &["Pragma: no-cache", "Last-Modified: {now-864000}"],
        Hit,
        "nor for heuristics",
    ),
    (
        "pragma-response-unknown",
        "§5.4",
        &["Pragma: foo", "Cache-Control: max-age=3600"],
        Hit,
        "unknown ones neither",
    ),
    (
        "cookie-set",
        "§7.3",
        &["Set-Cookie: a=b", "Cache-Control: max-age=3600"],
        Hit,
        "Set-Cookie forbids nothing",
    ),
    (
        "surrogate-control",
        "RFC 9213 §1",
        &["Surrogate-Control: no-store", "Cache-Control: max-age=3600"],
        Hit,
        "not a field of ours",
    ),
    (
        "warning",
        "§5.5",
        &["Warning: 110 - \"stale\"", "Cache-Control: max-age=3600"],
        Hit,
        "obsolete",
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = PERMISSIONS.iter().map(case_of).collect();
    cases.extend(old_and_new());
    cases.extend(qualified());
    cases
}

/// What becomes of an older response when a newer one must not be stored.
fn old_and_new() -> Vec<Case> {
    vec![
        case("no-store-new", "RFC 9111 §4", "the stale one is not used once there was a newer one")
            .step(get().answer(ok(["Cache-Control: max-age=3600", "Age: 7200"])).miss())
            .step(get().answer(ok(["Cache-Control: no-store"])).miss())
            .step(get().answer(ok(["Cache-Control: no-store"])).miss()),
        case("no-store-then-fresh", "RFC 9111 §5.2.2.5", "the first is not stored, the second is")
            .step(get().answer(ok(["Cache-Control: no-store"])).miss())
            .step(get().answer(ok(["Cache-Control: max-age=3600"])).miss())
            .step(get().hit(2)),
        case(
            "no-store-reload",
            "RFC 9111 §4",
            "a reload that brought no-store ends the old response",
        )
        .step(get().answer(ok(["Cache-Control: max-age=3600"])).miss())
        .step(
            get().with(["Cache-Control: no-cache"]).answer(ok(["Cache-Control: no-store"])).miss(),
        )
        .step(get().miss()),
        case("no-cache-validated", "RFC 9111 §5.2.2.4", "each use is confirmed first")
            .step(get().answer(ok(["Cache-Control: no-cache, max-age=3600", "ETag: \"a\""])).miss())
            .step(
                get()
                    .answer(not_modified(["ETag: \"a\""]))
                    .confirmed(1)
                    .received("If-None-Match", "\"a\""),
            )
            .step(get().answer(not_modified(["ETag: \"a\""])).confirmed(1)),
    ]
}

/// RFC 9111 §5.2.2.4, §5.2.2.7: the forms with field names.
fn qualified() -> Vec<Case> {
    let fields = |directive: &str| {
        let line = format!("Cache-Control: {directive}, max-age=3600");
        [line, "X-One: 1".to_owned(), "X-Two: 2".to_owned()]
    };
    let withheld = |name: &str, directive: &str, why: &str| {
        let lines = fields(directive);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        case(name, "RFC 9111 §5.2.2.4, §5.2.2.7", why)
            .step(get().answer(ok([]).lines(&lines)).miss().has("x-one", "1"))
            .step(get().hit(1).lacks("x-one").has("x-two", "2"))
    };
    vec![
        withheld("private-names", "private=\"x-one\"", "the rest is stored without it"),
        withheld("private-names-case", "private=\"X-ONE\"", "field names have no case"),
        withheld("private-names-unquoted", "private=x-one", "a token is an argument too"),
        case("no-cache-set-cookie", "RFC 9111 §5.2.2.4", "the usual use of it")
            .step(
                get()
                    .answer(ok([
                        "Cache-Control: no-cache=\"Set-Cookie\", max-age=3600",
                        "Set-Cookie: a=b",
                    ]))
                    .miss()
                    .has("set-cookie", "a=b"),
            )
            .step(get().hit(1).lacks("set-cookie")),
        withheld("no-cache-names", "no-cache=\"x-one\"", "not without validation"),
        withheld("no-cache-names-list", "no-cache=\"x-none, x-one\"", "several"),
        withheld("no-cache-names-space", "no-cache=\" x-one\t, \"", "with white space"),
    ]
}
