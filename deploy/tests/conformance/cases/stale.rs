//! Stale responses while they are revalidated, and instead of errors: RFC 5861, RFC 9111 §4.2.4, §5.2.2.

use crate::case::{Answer, Case, Check, Manner, Step, answer, case, fails, get, not_modified, ok};

const FRESH: &str = "Cache-Control: max-age=3600";

/// Stored, and stale for 40 seconds.
fn stored(name: &str, citation: &str, why: &str, directives: &str) -> Case {
    let control = format!("Cache-Control: max-age=60, {directives}");
    case(name, citation, why).step(get().answer(ok([&control, "Age: 100", "ETag: \"abc\""])).miss())
}

/// Served stale, with a question behind it.
fn meanwhile() -> Step {
    get()
        .answer(ok([FRESH]))
        .check(Check::Of(1))
        .check(Check::AskedBehind)
        .says("cache-status", "; hit; ttl=-")
        .check(Check::AgeAtLeast(100))
}

pub(crate) fn cases() -> Vec<Case> {
    revalidated().into_iter().chain(errors()).chain(not_replaced()).chain(failures()).collect()
}

/// RFC 5861 §3
fn revalidated() -> Vec<Case> {
    let citation = "RFC 5861 §3";
    let refused = |name: &str, directives: &str, why: &str| {
        stored(name, citation, why, directives)
            .step(get().answer(ok([FRESH])).miss())
            .step(get().hit(2))
    };
    let window = "stale-while-revalidate=3600";
    vec![
        stored("swr", citation, "served at once, asked behind it", window)
            .step(meanwhile())
            .step(get().check(Check::Of(2)).not_asked().eventually()),
        stored("swr-304", citation, "confirmed behind it", window)
            .step(
                meanwhile()
                    .answer(not_modified([FRESH, "ETag: \"abc\"", "X-New: 1"]))
                    .received("if-none-match", "\"abc\""),
            )
            .step(get().hit(1).has("x-new", "1").eventually()),
        stored("swr-error", citation, "an error behind it takes nothing away", window)
            .step(meanwhile().answer(answer(503, [])).status(200).shows("swr-error#1"))
            .step(meanwhile().eventually()),
        stored(
            "swr-case",
            "RFC 9111 §5.2",
            "directives have no case",
            "STALE-While-Revalidate=3600",
        )
        .step(meanwhile()),
        stored(
            "swr-no-store",
            citation,
            "what came behind it must not be stored, and ends it",
            window,
        )
        .step(meanwhile().answer(ok(["Cache-Control: no-store"])))
        .step(get().answer(ok(["Cache-Control: no-store"])).miss().eventually()),
        stored("swr-only-if-cached", "RFC 9111 §5.2.1.7", "it is", window)
            .step(meanwhile().with(["Cache-Control: only-if-cached"])),
        stored("swr-condition", citation, "the client has it", window)
            .step(meanwhile().with(["If-None-Match: \"abc\""]).status(304)),
        stored("swr-poisoned", citation, "what is asked behind it is for all", window).step(
            meanwhile()
                .with(["If-None-Match: \"x\"", "Range: bytes=0-0"])
                .status(206)
                .contains("s")
                .not_received("range"),
        ),
        refused("swr-over", "stale-while-revalidate=20", "longer stale than that"),
        refused("swr-0", "stale-while-revalidate=0", "no time"),
        refused("swr-bad", "stale-while-revalidate=x", "no number"),
        refused("swr-no-argument", "stale-while-revalidate", "no number"),
        refused(
            "swr-must-revalidate",
            "stale-while-revalidate=3600, must-revalidate",
            "RFC 9111 §5.2.2.2",
        ),
        refused(
            "swr-proxy-revalidate",
            "stale-while-revalidate=3600, proxy-revalidate",
            "RFC 9111 §5.2.2.8",
        ),
        refused("swr-s-maxage", "stale-while-revalidate=3600, s-maxage=60", "RFC 9111 §5.2.2.10"),
        refused("swr-no-cache", "stale-while-revalidate=3600, no-cache", "RFC 9111 §5.2.2.4"),
        stored("swr-request-no-cache", "RFC 9111 §5.2.1.4", "the client wants news", window)
            .step(get().with(["Cache-Control: no-cache"]).answer(ok([FRESH])).miss()),
    ]
}

/// RFC 5861 §4
fn errors() -> Vec<Case> {
    let citation = "RFC 5861 §4";
    let window = "stale-if-error=3600";
    let instead = |name: &str, why: &str, failure: Answer| {
        stored(&format!("sie-{name}"), citation, why, window)
            .step(
                get()
                    .answer(failure)
                    .asked()
                    .status(200)
                    .check(Check::Of(1))
                    .check(Check::AgeAtLeast(100)),
            )
            .step(get().answer(not_modified([FRESH, "ETag: \"abc\""])).confirmed(1))
            .step(get().hit(1))
    };
    let no_instead = |status: u16| {
        let why = "not what §4 calls an error";
        stored(&format!("sie-{status}"), citation, why, window)
            .step(get().answer(answer(status, [])).miss())
    };
    vec![
        instead("500", "500", answer(500, [])),
        instead("502", "502", answer(502, [])),
        instead("503", "503", answer(503, [])),
        instead("504", "504", answer(504, [])),
        instead("503-stored", "one that could be stored", answer(503, [FRESH])),
        instead("close", "closed without an answer", fails(Manner::Close)),
        instead("reset", "reset without an answer", fails(Manner::Reset)),
        instead("silence", "no answer in time", fails(Manner::Silence)),
        instead("nonsense", "no answer that can be read", ok(["Content-Length: x"])),
        no_instead(400),
        no_instead(404),
        no_instead(501),
        no_instead(505),
        case("sie-request", citation, "the request may allow it, too")
            .step(get().answer(ok(["Cache-Control: max-age=60", "Age: 100"])).miss())
            .step(
                get()
                    .with(["Cache-Control: stale-if-error=3600"])
                    .answer(answer(503, []))
                    .asked()
                    .status(200)
                    .check(Check::Of(1)),
            )
            .step(get().answer(answer(503, [])).miss()),
        case(
            "sie-after-no-store",
            citation,
            "an error takes nothing away, though it says no-store",
        )
        .step(get().answer(ok(["Cache-Control: max-age=60", "Age: 100", "ETag: \"abc\""])).miss())
        .step(get().answer(answer(503, ["Cache-Control: no-store"])).asked().status(503))
        .step(
            get()
                .with(["Cache-Control: stale-if-error=3600"])
                .answer(answer(503, ["Cache-Control: no-store"]))
                .asked()
                .status(200)
                .check(Check::Of(1)),
        ),
        case("sie-fresh", citation, "no matter while it is fresh")
            .step(get().answer(ok(["Cache-Control: max-age=3600, stale-if-error=3600"])).miss())
            .step(get().hit(1)),
    ]
}

/// Errors go to the client although something stale is stored.
fn not_replaced() -> impl Iterator<Item = Case> {
    let rows: [(&str, &str, &str, &str); 8] = [
        ("sie-none", "x=y", "RFC 9111 §4.2.4", "nobody has allowed it"),
        ("sie-over", "stale-if-error=20", "RFC 5861 §4", "longer stale than that"),
        ("sie-0", "stale-if-error=0", "RFC 5861 §4", "no time"),
        ("sie-bad", "stale-if-error=x", "RFC 5861 §4", "no number"),
        (
            "sie-must-revalidate",
            "stale-if-error=3600, must-revalidate",
            "RFC 9111 §5.2.2.2",
            "never",
        ),
        (
            "sie-proxy-revalidate",
            "stale-if-error=3600, proxy-revalidate",
            "RFC 9111 §5.2.2.8",
            "never",
        ),
        ("sie-s-maxage", "stale-if-error=3600, s-maxage=60", "RFC 9111 §5.2.2.10", "never"),
        ("sie-no-cache", "stale-if-error=3600, no-cache", "RFC 9111 §5.2.2.4", "never"),
    ];
    rows.into_iter().flat_map(|(name, directives, citation, why)| {
        [
            stored(&format!("{name}-503"), citation, why, directives)
                .step(get().answer(answer(503, [])).miss()),
            stored(&format!("{name}-close"), citation, why, directives).step(
                get()
                    .answer(fails(Manner::Close))
                    .asked()
                    .own(502)
                    .says("proxy-status", "error=connection_terminated"),
            ),
        ]
    })
}

/// An upstream that fails with nothing stored.
fn failures() -> [Case; 4] {
    let citation = "RFC 9110 §15.6, RFC 9209 §2.3";
    [
        case("fails-close", citation, "closed without an answer")
            .step(get().answer(fails(Manner::Close)).asked().own(502))
            .step(get().answer(ok([FRESH])).miss()),
        case("fails-reset", citation, "reset without an answer")
            .step(get().answer(fails(Manner::Reset)).asked().own(502)),
        case("fails-silence", citation, "no answer in time")
            .step(get().answer(fails(Manner::Silence)).asked().own(504)),
        case("fails-head", citation, "no answer that can be read")
            .step(get().answer(ok(["Content-Length: -1"])).asked().own(502)),
    ]
}

/// Cases whose upstream goes away in between, and refuses connections from then on.
pub(crate) fn gone() -> Vec<Case> {
    let instead = |name: &str, directives: &str| {
        stored(name, "RFC 5861 §4, RFC 9111 §4.2.4", "no connection is an error", directives)
            .upstream_gone()
            .step(get().status(200).check(Check::Of(1)).says("cache-status", "edge"))
    };
    let failed = |name: &str, directives: &str, why: &str| {
        stored(name, "RFC 9111 §4.2.4, §5.2.2.2", why, directives)
            .upstream_gone()
            .step(get().own(502).says("proxy-status", "error=connection_refused"))
    };
    vec![
        instead("gone-sie", "stale-if-error=3600"),
        instead("gone-swr", "stale-while-revalidate=3600"),
        failed("gone-none", "x=y", "nobody has allowed it"),
        failed("gone-must-revalidate", "must-revalidate, stale-if-error=3600", "never"),
        failed("gone-over", "stale-if-error=20", "longer stale than that"),
        case("gone-fresh", "RFC 9111 §4", "what is fresh needs no upstream")
            .step(get().answer(ok([FRESH])).miss())
            .upstream_gone()
            .step(get().hit(1))
            .step(crate::case::head().hit(1)),
        case("gone-nothing", "RFC 9110 §15.6.3", "nothing is stored")
            .upstream_gone()
            .step(get().own(502))
            .step(crate::case::method("POST").content("x").own(502)),
    ]
}
