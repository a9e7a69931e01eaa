//! Cache-Control and Pragma of responses, as they come in the wild: RFC 9111 §5.2.2, §5.4, §4.2.1, §1.2.2.

use crate::case::{Case, Reuse, case, get, ok, twice};
use Reuse::{Asked, Hit};

type Row = (&'static str, &'static str, &'static [&'static str], Reuse, &'static str);

/// How long it is fresh. With an Age of 100 and a lifetime of 3600 a response is fresh, and stale without the latter.
const LIFETIMES: &[Row] = &[
    ("max-age", "§5.2.2.1", &["Cache-Control: max-age=3600", "Age: 100"], Hit, "fresh"),
    ("max-age-0", "§5.2.2.1", &["Cache-Control: max-age=0"], Asked, "never fresh"),
    (
        "max-age-spent",
        "§5.2.2.1",
        &["Cache-Control: max-age=100", "Age: 100"],
        Asked,
        "§4.2: the lifetime must be greater than the age",
    ),
    ("max-age-upper", "§5.2", &["Cache-Control: MAX-AGE=3600"], Hit, "in any case"),
    ("max-age-mixed", "§5.2", &["cAcHe-cOnTrOl: MaX-aGe=3600"], Hit, "in any case, the name too"),
    (
        "max-age-quoted",
        "§5.2",
        &["Cache-Control: max-age=\"3600\""],
        Hit,
        "recipients ought to accept both forms",
    ),
    (
        "max-age-apostrophes",
        "§4.2.1",
        &["Cache-Control: max-age='3600'"],
        Asked,
        "no number: stale",
    ),
    (
        "max-age-space-before",
        "§4.2.1",
        &["Cache-Control: max-age =100"],
        Asked,
        "no white space is allowed",
    ),
    ("max-age-space-after", "§4.2.1", &["Cache-Control: max-age= 100"], Asked, "nor here"),
    (
        "max-age-zeros",
        "§1.2.2",
        &["Cache-Control: max-age=003600", "Age: 100"],
        Hit,
        "delta-seconds are 1*DIGIT",
    ),
    ("max-age-zero-0", "§1.2.2", &["Cache-Control: max-age=00"], Asked, "still 0"),
    ("max-age-decimal", "§4.2.1", &["Cache-Control: max-age=3600.0"], Asked, "no integer: stale"),
    ("max-age-decimal-5", "§4.2.1", &["Cache-Control: max-age=0.5"], Asked, "no integer: stale"),
    ("max-age-suffix", "§4.2.1", &["Cache-Control: max-age=3600a"], Asked, "no integer: stale"),
    ("max-age-prefix", "§4.2.1", &["Cache-Control: max-age=a3600"], Asked, "no integer: stale"),
    ("max-age-exponent", "§4.2.1", &["Cache-Control: max-age=1e9"], Asked, "no integer: stale"),
    ("max-age-hex", "§4.2.1", &["Cache-Control: max-age=0x1000"], Asked, "no integer: stale"),
    ("max-age-negative", "§1.2.2", &["Cache-Control: max-age=-3600"], Asked, "non-negative only"),
    ("max-age-plus", "§4.2.1", &["Cache-Control: max-age=+3600"], Asked, "no sign"),
    ("max-age-no-argument", "§4.2.1", &["Cache-Control: max-age"], Asked, "none: stale"),
    ("max-age-empty", "§4.2.1", &["Cache-Control: max-age="], Asked, "none: stale"),
    ("max-age-quoted-empty", "§4.2.1", &["Cache-Control: max-age=\"\""], Asked, "none: stale"),
    ("max-age-2147483647", "§1.2.2", &["Cache-Control: max-age=2147483647"], Hit, "31 bits"),
    (
        "max-age-2147483648",
        "§1.2.2",
        &["Cache-Control: max-age=2147483648"],
        Hit,
        "the largest to be told apart",
    ),
    (
        "max-age-2147483649",
        "§1.2.2",
        &["Cache-Control: max-age=2147483649"],
        Hit,
        "as if it were the largest",
    ),
    (
        "max-age-4294967296",
        "§1.2.2",
        &["Cache-Control: max-age=4294967296"],
        Hit,
        "no 32 bits that begin again",
    ),
    ("max-age-99999999999", "§1.2.2", &["Cache-Control: max-age=99999999999"], Hit, "no overflow"),
    (
        "max-age-18446744073709551617",
        "§1.2.2",
        &["Cache-Control: max-age=18446744073709551617"],
        Hit,
        "no 64 bits that begin again",
    ),
    (
        "max-age-twice-same",
        "§4.2.1",
        &["Cache-Control: max-age=3600, max-age=3600"],
        Hit,
        "both say so",
    ),
    (
        "max-age-twice-line",
        "§4.2.1",
        &["Cache-Control: max-age=3600, max-age=0"],
        Asked,
        "stricter, or the first: ours is stricter",
    ),
    (
        "max-age-twice-line-0",
        "§4.2.1",
        &["Cache-Control: max-age=0, max-age=3600"],
        Asked,
        "the first, and stricter",
    ),
    (
        "max-age-twice-lines",
        "§4.2.1",
        &["Cache-Control: max-age=0", "Cache-Control: max-age=3600"],
        Asked,
        "the first, and stricter",
    ),
    (
        "max-age-two-lines",
        "RFC 9110 §5.3",
        &["Cache-Control: foo", "Cache-Control: max-age=3600"],
        Hit,
        "lines are one list",
    ),
    (
        "max-age-in-extension",
        "§5.2",
        &["Cache-Control: extension=\"max-age=3600\""],
        Asked,
        "inside of a quoted-string is no directive",
    ),
    (
        "max-age-behind-extension",
        "§5.2",
        &["Cache-Control: extension=\"max-age=0, a\", max-age=3600"],
        Hit,
        "nor does it count beside one",
    ),
    (
        "max-age-in-escape",
        "§5.2",
        &["Cache-Control: extension=\"a\\\", max-age=0, \\\"\", max-age=3600"],
        Hit,
        "an escaped quote ends nothing",
    ),
    (
        "no-store-in-extension",
        "§5.2",
        &["Cache-Control: extension=\"no-store\", max-age=3600"],
        Hit,
        "inside of a quoted-string is no directive",
    ),
    (
        "max-age-other-name",
        "§5.2.3",
        &["Cache-Control: x-max-age=3600"],
        Asked,
        "another directive",
    ),
    (
        "max-age-longer-name",
        "§5.2.3",
        &["Cache-Control: max-age2=3600"],
        Asked,
        "another directive",
    ),
    (
        "max-age-unknown-beside",
        "§5.2.3",
        &["Cache-Control: foo, bar=2, baz=\"x\", max-age=3600"],
        Hit,
        "unknown ones are ignored",
    ),
    (
        "max-age-empty-members",
        "RFC 9110 §5.6.1",
        &["Cache-Control: ,, max-age=3600 ,\t,"],
        Hit,
        "empty members are ignored",
    ),
    (
        "max-age-no-space",
        "RFC 9110 §5.6.1",
        &["Cache-Control: foo,max-age=3600"],
        Hit,
        "white space is optional",
    ),
    (
        "max-age-tabs",
        "RFC 9110 §5.6.1",
        &["Cache-Control: foo\t,\tmax-age=3600\t"],
        Hit,
        "tabs are white space",
    ),
    (
        "max-age-semicolon",
        "§5.2",
        &["Cache-Control: foo; max-age=3600"],
        Asked,
        "a semicolon separates no directives",
    ),
    ("s-maxage", "§5.2.2.10", &["Cache-Control: s-maxage=3600"], Hit, "for shared caches"),
    ("s-maxage-upper", "§5.2", &["Cache-Control: S-MAXAGE=3600"], Hit, "in any case"),
    (
        "s-maxage-beats-max-age",
        "§5.2.2.10",
        &["Cache-Control: max-age=0, s-maxage=3600"],
        Hit,
        "it overrides max-age",
    ),
    (
        "s-maxage-first",
        "§5.2.2.10",
        &["Cache-Control: s-maxage=3600, max-age=0"],
        Hit,
        "whatever the order",
    ),
    (
        "s-maxage-0",
        "§5.2.2.10",
        &["Cache-Control: s-maxage=0, max-age=3600"],
        Asked,
        "it overrides max-age",
    ),
    (
        "s-maxage-beats-expires",
        "§5.2.2.10",
        &["Cache-Control: s-maxage=3600", "Expires: {now-3600}"],
        Hit,
        "it overrides Expires",
    ),
    (
        "s-maxage-bad",
        "§4.2.1",
        &["Cache-Control: s-maxage=x, max-age=3600"],
        Asked,
        "invalid: stale",
    ),
    ("s-maxage-quoted", "§5.2", &["Cache-Control: s-maxage=\"3600\""], Hit, "both forms"),
    ("s-maxage-overflow", "§1.2.2", &["Cache-Control: s-maxage=99999999999"], Hit, "no overflow"),
];

/// Whether it may be stored and used.
const PERMISSIONS: &[Row] = &[
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
    let mut cases: Vec<Case> = LIFETIMES.iter().chain(PERMISSIONS).map(case_of).collect();
    cases.extend(old_and_new());
    cases.extend(qualified());
    cases
}

/// A row without the number of its RFC is of RFC 9111.
pub(crate) fn case_of(&(name, citation, fields, reuse, why): &Row) -> Case {
    let made = twice((name.to_owned(), citation, why), 200, fields, reuse);
    let whole = if citation.starts_with('§') { "RFC 9111 " } else { "" };
    Case { citation: format!("{whole}{citation}"), ..made }
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
                    .answer(crate::case::not_modified(["ETag: \"a\""]))
                    .confirmed(1)
                    .received("If-None-Match", "\"a\""),
            )
            .step(get().answer(crate::case::not_modified(["ETag: \"a\""])).confirmed(1)),
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
        withheld("no-cache-names", "no-cache=\"x-one\"", "not without validation"),
        withheld("no-cache-names-list", "no-cache=\"x-none, x-one\"", "several"),
        withheld("no-cache-names-space", "no-cache=\" x-one\t, \"", "with white space"),
    ]
}
