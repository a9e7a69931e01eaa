//! Contents that are not what their heads say: RFC 9111 §3.3, RFC 9112 §6.3, §8.

use crate::case::{Case, Check, Manner, case, get, ok};

const FRESH: &str = "Cache-Control: max-age=3600";

pub(crate) fn cases() -> Vec<Case> {
    let cut = |name: &str, manner: Manner, why: &str| {
        case(name, "RFC 9111 §3.3, RFC 9112 §8", why)
            .step(get().answer(ok([FRESH]).sent(manner)).asked().check(Check::CutShort))
            .step(get().answer(ok([FRESH])).miss())
            .step(get().hit(2))
    };
    let refused = |name: &str, lines: &[&str], why: &str| {
        case(name, "RFC 9112 §6.3", why)
            .step(get().answer(ok([FRESH]).lines(lines).content("01234")).asked().own(502))
            .step(get().answer(ok([FRESH])).miss())
    };
    let mut cases = vec![
        cut("cut-length", Manner::Cut, "less than its length"),
        cut("cut-chunks", Manner::ChunkedWithoutEnd, "no last chunk"),
        case("cut-keeps", "RFC 9111 §3.3", "an older response is still the last whole one")
            .step(get().answer(ok([FRESH, "ETag: \"a\""])).miss())
            .step(
                get()
                    .with(["Cache-Control: no-cache"])
                    .answer(ok([FRESH]).sent(Manner::Cut))
                    .asked()
                    .check(Check::CutShort),
            )
            .step(get().hit(1)),
        case("length-twice-same", "RFC 9110 §8.6", "the same twice is one")
            .step(
                get()
                    .answer(ok([FRESH, "Content-Length: 5", "Content-Length: 5"]).content("01234"))
                    .miss(),
            )
            .step(get().hit(1).has("content-length", "5")),
        case("length-list-same", "RFC 9110 §8.6", "the same twice is one")
            .step(get().answer(ok([FRESH, "Content-Length: 5, 5"]).content("01234")).miss())
            .step(get().hit(1).has("content-length", "5")),
    ];
    cases.extend([
        refused("length-differs", &["Content-Length: 5", "Content-Length: 6"], "two lengths"),
        refused("length-list-differs", &["Content-Length: 5, 6"], "two lengths"),
        refused("length-negative", &["Content-Length: -5"], "no length"),
        refused("length-plus", &["Content-Length: +5"], "no length"),
        refused("length-hex", &["Content-Length: 0x5"], "no length"),
        refused("length-word", &["Content-Length: five"], "no length"),
        refused("length-decimal", &["Content-Length: 5.0"], "no length"),
        refused("length-overflow", &["Content-Length: 99999999999999999999999"], "too large"),
    ]);
    cases
}
