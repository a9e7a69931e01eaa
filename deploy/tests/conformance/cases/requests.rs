//! Directives and credentials of requests: RFC 9111 §5.2.1, §5.4, §3.5.

use crate::case::{Case, Check, Reuse, case, get, head, method, ok};
use Reuse::{Asked, Hit};

/// A response with a lifetime of 3600 is stored; the request that is asked then.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str], Reuse, &'static str);

const FRESH: &str = "max-age=3600";

const ROWS: &[Row] = &[
    ("request-s-maxage", FRESH, "100", &["Cache-Control: s-maxage=0"], Hit, "not for requests"),
    (
        "request-max-age-max-stale",
        FRESH,
        "4000",
        &["Cache-Control: max-age=5000, max-stale"],
        Hit,
        "stale, but young enough",
    ),
    (
        "request-max-age-max-stale-old",
        FRESH,
        "4000",
        &["Cache-Control: max-age=3000, max-stale"],
        Asked,
        "stale, and too old",
    ),
    (
        "request-no-cache-max-stale",
        FRESH,
        "100",
        &["Cache-Control: no-cache, max-stale"],
        Asked,
        "§5.2.1.4: not without validation",
    ),
    ("request-max-age", FRESH, "100", &["Cache-Control: max-age=300"], Hit, "young enough"),
    ("request-max-age-less", FRESH, "100", &["Cache-Control: max-age=50"], Asked, "too old"),
    ("request-max-age-0", FRESH, "0", &["Cache-Control: max-age=0"], Asked, "news are wanted"),
    ("request-max-age-bad", FRESH, "100", &["Cache-Control: max-age=x"], Asked, "ours: as 0"),
    (
        "request-max-age-quoted",
        FRESH,
        "100",
        &["Cache-Control: max-age=\"300\""],
        Hit,
        "both forms",
    ),
    ("request-max-age-upper", FRESH, "100", &["CACHE-CONTROL: MAX-AGE=50"], Asked, "any case"),
    (
        "request-max-age-large",
        FRESH,
        "100",
        &["Cache-Control: max-age=99999999999"],
        Hit,
        "no overflow",
    ),
    (
        "request-max-age-stale",
        FRESH,
        "4000",
        &["Cache-Control: max-age=5000"],
        Asked,
        "stale is stale",
    ),
    ("request-min-fresh", FRESH, "3000", &["Cache-Control: min-fresh=300"], Hit, "600 s are left"),
    (
        "request-min-fresh-more",
        FRESH,
        "3000",
        &["Cache-Control: min-fresh=1000"],
        Asked,
        "only 600 s",
    ),
    ("request-min-fresh-stale", FRESH, "4000", &["Cache-Control: min-fresh=0"], Asked, "stale"),
    ("request-max-stale", FRESH, "4000", &["Cache-Control: max-stale"], Hit, "however stale"),
    (
        "request-max-stale-1000",
        FRESH,
        "4000",
        &["Cache-Control: max-stale=1000"],
        Hit,
        "400 s stale",
    ),
    (
        "request-max-stale-100",
        FRESH,
        "4000",
        &["Cache-Control: max-stale=100"],
        Asked,
        "400 s stale",
    ),
    ("request-max-stale-bad", FRESH, "4000", &["Cache-Control: max-stale=x"], Asked, "ours: as 0"),
    (
        "request-max-stale-must-revalidate",
        "max-age=3600, must-revalidate",
        "4000",
        &["Cache-Control: max-stale"],
        Asked,
        "§5.2.2.2: never",
    ),
    (
        "request-max-stale-proxy-revalidate",
        "max-age=3600, proxy-revalidate",
        "4000",
        &["Cache-Control: max-stale"],
        Asked,
        "§5.2.2.8: never",
    ),
    (
        "request-max-stale-s-maxage",
        "s-maxage=3600",
        "4000",
        &["Cache-Control: max-stale"],
        Asked,
        "§5.2.2.10: never",
    ),
    (
        "request-max-stale-no-cache",
        "max-age=3600, no-cache",
        "0",
        &["Cache-Control: max-stale"],
        Asked,
        "§5.2.2.4: never",
    ),
    ("request-no-cache", FRESH, "0", &["Cache-Control: no-cache"], Asked, "not without validation"),
    ("request-no-cache-upper", FRESH, "0", &["Cache-Control: No-Cache"], Asked, "any case"),
    ("request-no-cache-list", FRESH, "0", &["Cache-Control: foo, no-cache"], Asked, "in a list"),
    (
        "request-no-cache-line",
        FRESH,
        "0",
        &["Cache-Control: foo", "Cache-Control: no-cache"],
        Asked,
        "on another line",
    ),
    (
        "request-no-store-used",
        FRESH,
        "0",
        &["Cache-Control: no-store"],
        Hit,
        "ours: what is stored may be used",
    ),
    (
        "request-unknown",
        FRESH,
        "0",
        &["Cache-Control: foo, bar=\"no-cache\""],
        Hit,
        "unknown ones are ignored",
    ),
    ("request-immutable", FRESH, "0", &["Cache-Control: immutable"], Hit, "not for requests"),
    (
        "request-pragma",
        FRESH,
        "0",
        &["Pragma: no-cache"],
        Asked,
        "§5.4: as Cache-Control: no-cache",
    ),
    ("request-pragma-upper", FRESH, "0", &["Pragma: No-Cache"], Asked, "§5.4: any case"),
    ("request-pragma-list", FRESH, "0", &["Pragma: foo, no-cache"], Asked, "§5.4: in a list"),
    ("request-pragma-other", FRESH, "0", &["Pragma: foo"], Hit, "§5.4: nothing else is defined"),
    (
        "request-pragma-beside",
        FRESH,
        "0",
        &["Pragma: no-cache", "Cache-Control: max-age=300"],
        Hit,
        "§5.4: Cache-Control goes before",
    ),
    ("request-only-if-cached", FRESH, "0", &["Cache-Control: only-if-cached"], Hit, "it is"),
    (
        "request-only-if-cached-max-stale",
        FRESH,
        "4000",
        &["Cache-Control: only-if-cached, max-stale"],
        Hit,
        "stale, but wanted",
    ),
    (
        "request-authorization",
        FRESH,
        "0",
        &["Authorization: Basic eDp5"],
        Hit,
        "§3.5: it is everybody's already",
    ),
    ("request-cookie", FRESH, "0", &["Cookie: a=b"], Hit, "§4.1: without Vary the same for all"),
    (
        "request-user-agent",
        FRESH,
        "0",
        &["User-Agent: other"],
        Hit,
        "§4.1: without Vary the same for all",
    ),
];

/// The first request has these fields, and its response is answered to a second one without them.
const STORED: &[Row] = &[
    ("store-no-store", FRESH, "0", &["Cache-Control: no-store"], Asked, "§5.2.1.5: not stored"),
    ("store-no-store-upper", FRESH, "0", &["Cache-Control: NO-STORE"], Asked, "§5.2.1.5: any case"),
    ("store-no-cache", FRESH, "0", &["Cache-Control: no-cache"], Hit, "§5.2.1.4: about use only"),
    ("store-max-age-0", FRESH, "0", &["Cache-Control: max-age=0"], Hit, "§5.2.1.1: about use only"),
    ("store-pragma", FRESH, "0", &["Pragma: no-cache"], Hit, "§5.4: about use only"),
    ("store-authorization", FRESH, "0", &["Authorization: Basic eDp5"], Asked, "§3.5: one user's"),
    (
        "store-authorization-public",
        "max-age=3600, public",
        "0",
        &["Authorization: Basic eDp5"],
        Hit,
        "§3.5: public",
    ),
    (
        "store-authorization-s-maxage",
        "s-maxage=3600",
        "0",
        &["Authorization: Basic eDp5"],
        Hit,
        "§3.5: s-maxage",
    ),
    (
        "store-authorization-must-revalidate",
        "max-age=3600, must-revalidate",
        "0",
        &["Authorization: Basic eDp5"],
        Hit,
        "§3.5: must-revalidate",
    ),
    (
        "store-authorization-proxy-revalidate",
        "max-age=3600, proxy-revalidate",
        "0",
        &["Authorization: Basic eDp5"],
        Asked,
        "§3.5: not among them",
    ),
    (
        "store-authorization-immutable",
        "max-age=3600, immutable",
        "0",
        &["Authorization: Basic eDp5"],
        Asked,
        "§3.5: not among them",
    ),
    (
        "store-authorization-private",
        "private, s-maxage=3600",
        "0",
        &["Authorization: Basic eDp5"],
        Asked,
        "§5.2.2.7: private",
    ),
    ("store-cookie", FRESH, "0", &["Cookie: a=b"], Hit, "§3: explicit"),
];

pub(crate) fn cases() -> Vec<Case> {
    let answer = |directives: &str, age: &str| {
        let (control, age) = (format!("Cache-Control: {directives}"), format!("Age: {age}"));
        ok([]).lines(&[&control, &age])
    };
    let with = |lines: &[&str]| {
        let mut step = get();
        step.fields = lines.iter().map(|&line| line.to_owned()).collect();
        step
    };
    let used = ROWS.iter().map(|&(name, directives, age, fields, reuse, why)| {
        let second = with(fields).answer(answer(directives, "0"));
        case(name, "RFC 9111 §5.2.1", why)
            .step(get().answer(answer(directives, age)).miss())
            .step(if reuse == Hit { second.hit(1) } else { second.miss() })
    });
    let stored = STORED.iter().map(|&(name, directives, age, fields, reuse, why)| {
        let second = get().answer(answer(directives, age));
        case(name, "RFC 9111 §3, §5.2.1", why)
            .step(with(fields).answer(answer(directives, age)).miss())
            .step(if reuse == Hit { second.hit(1) } else { second.miss() })
    });
    used.chain(stored).chain(others()).collect()
}

fn others() -> [Case; 9] {
    let only = "Cache-Control: only-if-cached";
    let citation = "RFC 9111 §5.2.1.7";
    [
        case("only-if-cached-nothing", citation, "504 without a question")
            .step(get().with([only]).not_asked().own(504)),
        case("only-if-cached-forward", "RFC 9211 §2.2", "nothing was forwarded").step(
            get()
                .with([only])
                .not_asked()
                .own(504)
                .check(Check::FieldLacks("cache-status", "fwd".to_owned())),
        ),
        case("only-if-cached-head", citation, "for HEAD too")
            .step(head().with([only]).not_asked().own(504)),
        case("only-if-cached-content", citation, "content changes nothing about that")
            .step(get().with([only]).content("x").not_asked().own(504)),
        case("options-twice", "RFC 9110 §9.3.7", "its answer is not stored")
            .step(method("OPTIONS").answer(ok(["Cache-Control: max-age=3600"])).miss())
            .step(method("OPTIONS").miss())
            .step(get().miss()),
        case("put-twice", "RFC 9110 §9.3.4", "its answer is not stored")
            .step(method("PUT").content("x").answer(ok(["Cache-Control: max-age=3600"])).miss())
            .step(get().miss()),
        case("method-override", "RFC 9110 §9.1", "forwarded with what is no GET").step(
            method("POST")
                .content("x")
                .with(["X-HTTP-Method-Override: DELETE"])
                .miss()
                .received("x-http-method-override", "DELETE"),
        ),
        case("only-if-cached-stale", citation, "what is stale can't be used")
            .step(get().answer(ok(["Cache-Control: max-age=3600", "Age: 4000"])).miss())
            .step(get().with([only]).not_asked().own(504)),
        case("only-if-cached-variant", citation, "nor can another variant")
            .step(get().answer(ok(["Cache-Control: max-age=3600", "Vary: X-A"])).miss())
            .step(get().with([only, "X-A: 1"]).not_asked().own(504)),
    ]
}
