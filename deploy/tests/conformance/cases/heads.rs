//! HEAD: RFC 9110 §9.3.2, RFC 9111 §4.3.5, §4.4.

use crate::case::{Answer, Case, Check, answer, case, get, head, ok};

const FRESH: &str = "Cache-Control: max-age=3600";
const STALE: [&str; 3] = ["Cache-Control: max-age=3600", "Age: 7200", "ETag: \"abc\""];

pub(crate) fn cases() -> Vec<Case> {
    let citation = "RFC 9110 §9.3.2";
    let mut cases = vec![
        case("head-hit", citation, "a stored GET answers it")
            .step(get().answer(ok([FRESH, "X-A: b"]).content("0123456789")).miss())
            .step(head().hit(1).has("content-length", "10").has("x-a", "b")),
        case("head-hit-404", citation, "with its status")
            .step(get().answer(answer(404, [FRESH])).miss())
            .step(head().hit(1)),
        case("head-miss", citation, "forwarded as HEAD")
            .step(
                head()
                    .answer(ok([FRESH]).content("0123456789"))
                    .miss()
                    .has("content-length", "10")
                    .says("cache-status", "fwd="),
            )
            .step(get().answer(ok([FRESH])).miss())
            .step(head().hit(2)),
        case("head-twice", "RFC 9111 §3", "its answer has no content, so it answers no GET")
            .step(head().answer(ok([FRESH])).miss())
            .step(get().answer(ok([FRESH])).miss().received("host", "www.customer.test")),
        case("head-variant", "RFC 9111 §4.1", "Vary counts for it")
            .step(get().with(["X-A: 1"]).answer(ok([FRESH, "Vary: X-A"])).miss())
            .step(head().with(["X-A: 2"]).answer(ok([FRESH])).miss())
            .step(head().with(["X-A: 1"]).hit(1)),
        case("head-variant-told", "RFC 9211 §2.2", "another variant is stored")
            .step(get().with(["X-A: 1"]).answer(ok([FRESH, "Vary: X-A"])).miss())
            .step(head().with(["X-A: 2"]).miss().says("cache-status", "fwd=vary-miss")),
        case("head-method-told", "RFC 9211 §2.2", "nothing is stored")
            .step(head().miss().says("cache-status", "fwd=uri-miss")),
        case("head-swr", "RFC 5861 §3", "what is asked behind it is a GET")
            .step(
                get()
                    .answer(ok([
                        "Cache-Control: max-age=60, stale-while-revalidate=3600",
                        "Age: 100",
                    ]))
                    .miss(),
            )
            .step(
                head()
                    .answer(ok([FRESH]))
                    .check(Check::Of(1))
                    .check(Check::AskedBehind)
                    .check(Check::ReceivedLine("GET {path} HTTP/1.1".into())),
            )
            .step(get().check(Check::Of(2)).not_asked().eventually()),
        case("head-sie", "RFC 5861 §4", "instead of an error")
            .step(
                get()
                    .answer(ok(["Cache-Control: max-age=60, stale-if-error=3600", "Age: 100"]))
                    .miss(),
            )
            .step(head().answer(answer(503, [])).asked().status(200).check(Check::Of(1))),
        case("head-error", citation, "an error of the upstream has no content either").step(
            head().answer(answer(500, []).content("oh no")).miss().has("content-length", "5"),
        ),
    ];
    cases.extend(learnt());
    cases
}

/// A HEAD is forwarded while a stale response is stored.
fn learnt() -> Vec<Case> {
    let citation = "RFC 9111 §4.3.5";
    let ten = |answer: Answer| answer.content("0123456789");
    let freshens = |name: &str, why: &str, answer: Answer| {
        case(name, citation, why)
            .step(get().answer(ten(ok(STALE))).miss())
            .step(head().answer(answer).asked().status(200))
            .step(get().hit(1).has("x-new", "1"))
    };
    let outdates = |name: &str, why: &str, answer: Answer| {
        case(name, citation, why)
            .step(get().answer(ten(ok(STALE))).miss())
            .step(head().answer(answer).miss())
            .step(get().answer(ok([FRESH])).miss().not_received("if-none-match"))
    };
    vec![
        freshens("head-freshens", "all the same", ten(ok([FRESH, "ETag: \"abc\"", "X-New: 1"]))),
        outdates("head-other-tag", "another tag", ten(ok([FRESH, "ETag: \"new\""]))),
        outdates(
            "head-other-length",
            "another length",
            ok([FRESH, "ETag: \"abc\""]).content("012"),
        ),
        outdates("head-gone", "there is none any more", answer(404, [FRESH])),
        case("head-says-nothing", citation, "without validators it confirms nothing")
            .step(get().answer(ten(ok(STALE))).miss())
            .step(head().answer(ten(ok([FRESH]))).asked().status(200))
            .step(get().answer(ok([FRESH])).miss()),
        case("head-304", "RFC 9111 §4.3.4", "confirmed by a 304, too")
            .step(get().answer(ten(ok(STALE))).miss())
            .step(
                head()
                    .answer(crate::case::not_modified([FRESH, "ETag: \"abc\""]))
                    .confirmed(1)
                    .has("content-length", "10"),
            )
            .step(get().hit(1)),
        case("head-503", citation, "an error changes nothing")
            .step(get().answer(ten(ok(STALE))).miss())
            .step(head().answer(answer(503, [])).miss())
            .step(get().answer(crate::case::not_modified([FRESH, "ETag: \"abc\""])).confirmed(1)),
    ]
}
