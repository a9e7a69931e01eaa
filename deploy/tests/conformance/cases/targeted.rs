//! CDN-Cache-Control: RFC 9213, with RFC 8941 for its syntax.

use super::lifetimes::{Row, case_of};
use crate::case::{Case, Check, Reuse, case, get, not_modified, ok};
use Reuse::{Asked, Hit};

const NO_STORE: &str = "Cache-Control: no-store";
const FRESH: &str = "Cache-Control: max-age=3600";

const ROWS: &[Row] = &[
    ("cdn-max-age", "RFC 9213 §2.2", &["CDN-Cache-Control: max-age=3600"], Hit, "alone"),
    (
        "cdn-beats-no-store",
        "RFC 9213 §2.2",
        &["CDN-Cache-Control: max-age=3600", NO_STORE],
        Hit,
        "Cache-Control is for others",
    ),
    (
        "cdn-beats-private",
        "RFC 9213 §2.2",
        &["CDN-Cache-Control: max-age=3600", "Cache-Control: private"],
        Hit,
        "Cache-Control is for others",
    ),
    (
        "cdn-beats-no-cache",
        "RFC 9213 §2.2",
        &["CDN-Cache-Control: max-age=3600", "Cache-Control: no-cache"],
        Hit,
        "Cache-Control is for others",
    ),
    (
        "cdn-beats-max-age-0",
        "RFC 9213 §2.2",
        &["CDN-Cache-Control: max-age=3600", "Cache-Control: max-age=0"],
        Hit,
        "Cache-Control is for others",
    ),
    (
        "cdn-beats-s-maxage",
        "RFC 9213 §2.2",
        &["CDN-Cache-Control: max-age=3600", "Cache-Control: s-maxage=0"],
        Hit,
        "s-maxage too",
    ),
    (
        "cdn-beats-expires",
        "RFC 9213 §2.2",
        &["CDN-Cache-Control: max-age=3600", "Expires: 0"],
        Hit,
        "Expires is ignored",
    ),
    (
        "cdn-max-age-0",
        "RFC 9213 §2.2",
        &["CDN-Cache-Control: max-age=0", FRESH],
        Asked,
        "the other way round",
    ),
    (
        "cdn-no-store",
        "RFC 9213 §2.2",
        &["CDN-Cache-Control: no-store", FRESH],
        Asked,
        "the other way round",
    ),
    (
        "cdn-private",
        "RFC 9213 §2.2",
        &["CDN-Cache-Control: private, max-age=3600", FRESH],
        Asked,
        "the other way round",
    ),
    (
        "cdn-no-cache",
        "RFC 9213 §2.2",
        &["CDN-Cache-Control: no-cache, max-age=3600", FRESH],
        Asked,
        "the other way round",
    ),
    (
        "cdn-s-maxage",
        "RFC 9213 §2.2",
        &["CDN-Cache-Control: s-maxage=3600, max-age=0", NO_STORE],
        Hit,
        "as in Cache-Control",
    ),
    (
        "cdn-age",
        "RFC 9111 §4.2.3",
        &["CDN-Cache-Control: max-age=3600", "Age: 7200"],
        Asked,
        "Age counts",
    ),
    (
        "cdn-age-less",
        "RFC 9111 §4.2.3",
        &["CDN-Cache-Control: max-age=3600", "Age: 1800", NO_STORE],
        Hit,
        "Age counts",
    ),
    (
        "cdn-date",
        "RFC 9111 §4.2.3",
        &["CDN-Cache-Control: max-age=3600", "Date: {now-7200}"],
        Asked,
        "Date counts",
    ),
    (
        "cdn-no-lifetime",
        "RFC 9213 §2.2",
        &["CDN-Cache-Control: foo", FRESH],
        Asked,
        "valid, so neither Cache-Control",
    ),
    (
        "cdn-no-lifetime-expires",
        "RFC 9213 §2.2",
        &["CDN-Cache-Control: foo", "Expires: {now+3600}"],
        Asked,
        "nor Expires counts",
    ),
    (
        "cdn-heuristic",
        "RFC 9213 §2.2",
        &["CDN-Cache-Control: foo", NO_STORE, "Last-Modified: {now-864000}"],
        Hit,
        "heuristics do",
    ),
    ("cdn-empty", "RFC 9213 §2.2", &["CDN-Cache-Control:", FRESH], Hit, "empty: ignored"),
    (
        "cdn-empty-no-store",
        "RFC 9213 §2.2",
        &["CDN-Cache-Control:", NO_STORE],
        Asked,
        "empty: ignored",
    ),
    (
        "cdn-name-case",
        "RFC 9110 §5.1",
        &["cdn-CACHE-control: max-age=3600", NO_STORE],
        Hit,
        "field names have no case",
    ),
    (
        "cdn-lines",
        "RFC 8941 §3.2",
        &["CDN-Cache-Control: foo", "CDN-Cache-Control: max-age=3600", NO_STORE],
        Hit,
        "lines are one dictionary",
    ),
    (
        "cdn-last-wins",
        "RFC 8941 §3.2",
        &["CDN-Cache-Control: max-age=0, max-age=3600", NO_STORE],
        Hit,
        "the last of one key",
    ),
    (
        "cdn-last-wins-0",
        "RFC 8941 §3.2",
        &["CDN-Cache-Control: max-age=3600, max-age=0", FRESH],
        Asked,
        "the last of one key",
    ),
    (
        "cdn-parameters",
        "RFC 9213 §2.1",
        &["CDN-Cache-Control: max-age=3600;a=b;c", NO_STORE],
        Hit,
        "unknown parameters are ignored",
    ),
    (
        "cdn-true",
        "RFC 8941 §3.3.6",
        &["CDN-Cache-Control: no-store=?1, max-age=3600", FRESH],
        Asked,
        "the long form of true",
    ),
    (
        "cdn-spaces",
        "RFC 8941 §3.2",
        &["CDN-Cache-Control:  max-age=3600 \t, foo ", NO_STORE],
        Hit,
        "white space around members",
    ),
    (
        "cdn-zeros",
        "RFC 8941 §3.3.1",
        &["CDN-Cache-Control: max-age=003600", NO_STORE],
        Hit,
        "leading zeros are allowed",
    ),
    (
        "cdn-large",
        "RFC 9111 §1.2.2",
        &["CDN-Cache-Control: max-age=999999999999999", NO_STORE],
        Hit,
        "15 digits, no overflow",
    ),
    (
        "cdn-string",
        "RFC 9213 §2.1",
        &["CDN-Cache-Control: max-age=\"3600\"", FRESH],
        Asked,
        "a string is no lifetime: that directive is ignored",
    ),
    (
        "cdn-decimal",
        "RFC 9213 §2.1",
        &["CDN-Cache-Control: max-age=3600.5", FRESH],
        Asked,
        "nor is a decimal",
    ),
    (
        "cdn-token",
        "RFC 9213 §2.1",
        &["CDN-Cache-Control: max-age=a", FRESH],
        Asked,
        "nor is a token",
    ),
    (
        "cdn-list",
        "RFC 9213 §2.1",
        &["CDN-Cache-Control: max-age=(3600)", FRESH],
        Asked,
        "nor is an inner list",
    ),
    (
        "cdn-negative",
        "RFC 9213 §2.1",
        &["CDN-Cache-Control: max-age=-1", FRESH],
        Asked,
        "nor is what is negative",
    ),
    ("cdn-bare", "RFC 9213 §2.1", &["CDN-Cache-Control: max-age", FRESH], Asked, "nor is true"),
    (
        "cdn-bad-upper",
        "RFC 8941 §3.2",
        &["CDN-Cache-Control: MAX-AGE=3600", NO_STORE],
        Asked,
        "keys are in lower case: all of it is ignored",
    ),
    (
        "cdn-bad-upper-fresh",
        "RFC 8941 §3.2",
        &["CDN-Cache-Control: No-Store", FRESH],
        Hit,
        "keys are in lower case: all of it is ignored",
    ),
    (
        "cdn-bad-ampersand",
        "RFC 8941 §4.2",
        &["CDN-Cache-Control: max-age=3600, &&", NO_STORE],
        Asked,
        "all of it is ignored",
    ),
    (
        "cdn-bad-comma",
        "RFC 8941 §4.2.2",
        &["CDN-Cache-Control: max-age=3600,", NO_STORE],
        Asked,
        "a comma at the end",
    ),
    (
        "cdn-bad-empty",
        "RFC 8941 §4.2.2",
        &["CDN-Cache-Control: foo,, max-age=3600", NO_STORE],
        Asked,
        "an empty member",
    ),
    (
        "cdn-bad-space",
        "RFC 8941 §4.2.2",
        &["CDN-Cache-Control: max-age =3600", NO_STORE],
        Asked,
        "white space before =",
    ),
    (
        "cdn-bad-space-after",
        "RFC 8941 §4.2.2",
        &["CDN-Cache-Control: max-age= 3600", NO_STORE],
        Asked,
        "white space behind =",
    ),
    (
        "cdn-bad-16-digits",
        "RFC 8941 §4.2.4",
        &["CDN-Cache-Control: max-age=1234567890123456", NO_STORE],
        Asked,
        "more than 15 digits",
    ),
    (
        "cdn-bad-quote",
        "RFC 8941 §4.2.5",
        &["CDN-Cache-Control: foo=\"a, max-age=3600", NO_STORE],
        Asked,
        "a string without end",
    ),
    (
        "cdn-bad-fresh",
        "RFC 9213 §2.2",
        &["CDN-Cache-Control: no-store, &&", FRESH],
        Hit,
        "all of it is ignored",
    ),
    (
        "cdn-unknown",
        "RFC 9213 §2.1",
        &["CDN-Cache-Control: a=1, b=?0, c=(1 2);d, max-age=3600", NO_STORE],
        Hit,
        "unknown ones are ignored",
    ),
    (
        "cdn-other-target",
        "RFC 9213 §2.2",
        &["Other-Cache-Control: no-store", FRESH],
        Hit,
        "for other caches",
    ),
    (
        "cdn-other-target-fresh",
        "RFC 9213 §2.2",
        &["Other-Cache-Control: max-age=3600", NO_STORE],
        Asked,
        "for other caches",
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = ROWS.iter().map(case_of).collect();
    cases.extend([
        case("cdn-passed-on", "RFC 9213 §2.2", "Cache-Control goes on for those who come after")
            .step(
                get()
                    .answer(ok(["CDN-Cache-Control: max-age=3600", NO_STORE]))
                    .miss()
                    .has("cache-control", "no-store"),
            )
            .step(get().hit(1).has("cache-control", "no-store")),
        case("cdn-validated", "RFC 9213 §2.2", "confirmed by what the 304 says")
            .step(
                get()
                    .answer(ok([
                        "CDN-Cache-Control: max-age=60",
                        "Age: 100",
                        "ETag: \"abc\"",
                        FRESH,
                    ]))
                    .miss(),
            )
            .step(
                get()
                    .answer(not_modified(["CDN-Cache-Control: max-age=3600", "Age: 100"]))
                    .confirmed(1),
            )
            .step(get().hit(1)),
        case("cdn-swr", "RFC 9213 §2.1, RFC 5861 §3", "extensions are the same there")
            .step(
                get()
                    .answer(ok([
                        "CDN-Cache-Control: max-age=60, stale-while-revalidate=3600",
                        "Age: 100",
                        NO_STORE,
                    ]))
                    .miss(),
            )
            .step(get().check(Check::Of(1)).check(Check::AskedBehind)),
        case("cdn-authorization", "RFC 9111 §3.5, RFC 9213 §2.2", "max-age says nothing of others")
            .step(
                get()
                    .with(["Authorization: Basic eDp5"])
                    .answer(ok(["CDN-Cache-Control: max-age=3600", "Cache-Control: public"]))
                    .miss(),
            )
            .step(get().miss()),
        case("cdn-request", "RFC 9213 §2", "a field of responses")
            .step(get().answer(ok([FRESH])).miss())
            .step(get().with(["CDN-Cache-Control: no-cache"]).hit(1)),
    ]);
    cases
}
