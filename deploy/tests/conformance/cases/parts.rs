//! Parts that the upstream sends: RFC 9111 §3.3, §3.4, RFC 9110 §14.4, §15.3.7.

use crate::case::{Answer, Case, Check, Manner, Step, answer, case, get, method, not_modified, ok};

const FRESH: &str = "Cache-Control: max-age=3600";
const TEN: &str = "0123456789";

/// Octets of the ten, inclusive.
fn part(first: usize, last: usize, validator: &str) -> Answer {
    let range = format!("Content-Range: bytes {first}-{last}/10");
    answer(206, [FRESH, &range]).lines(&[validator]).content(&TEN[first..=last])
}

fn ask(range: &str) -> Step {
    let line = format!("Range: bytes={range}");
    get().with([&line])
}

fn first(name: &str, why: &str) -> Case {
    case(name, "RFC 9111 §3.3, §3.4", why).step(
        ask("0-4")
            .answer(part(0, 4, "ETag: \"abc\""))
            .miss()
            .received("range", "bytes=0-4")
            .has("content-range", "bytes 0-4/10"),
    )
}

fn whole() -> Answer {
    ok([FRESH, "ETag: \"abc\""]).content(TEN)
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        first("part-again", "stored")
            .step(hit("0-4", "01234").has("content-range", "bytes 0-4/10")),
        first("part-within", "wholly within")
            .step(hit("1-2", "12").has("content-range", "bytes 1-2/10")),
        first("part-two-within", "several, wholly within").step(
            ask("0-0,3-4")
                .not_asked()
                .status(206)
                .contains("Content-Range: bytes 0-0/10")
                .contains("Content-Range: bytes 3-4/10"),
        ),
        first("part-not-within", "some octets are missing")
            .step(ask("3-6").answer(part(3, 6, "ETag: \"abc\"")).asked().status(206).shows("3456")),
        first("part-open", "to an end that is not there").step(
            ask("3-").answer(part(3, 9, "ETag: \"abc\"")).asked().status(206).shows("3456789"),
        ),
        first("part-never-whole", "a part is never given as a whole")
            .step(get().answer(whole()).miss())
            .step(get().hit(2))
            .step(hit("0-4", "01234")),
        first("part-head", "nor does it answer a HEAD").step(
            crate::case::head()
                .answer(whole())
                .miss()
                .has("content-length", "10")
                .says("cache-status", "fwd=partial"),
        ),
        first("part-if-range", "the same tag")
            .step(hit("0-4", "01234").with(["If-Range: \"abc\""])),
        first("part-if-range-other", "another tag: the whole is wanted")
            .step(ask("0-4").with(["If-Range: \"x\""]).answer(whole()).miss()),
        first("part-invalidated", "as any stored response")
            .step(method("POST").content("x").miss())
            .step(ask("0-4").answer(part(0, 4, "ETag: \"abc\"")).asked()),
    ];
    cases.extend(joined());
    cases.extend(rest());
    cases.extend(rest_not_stored());
    cases.extend(incomparable());
    cases.extend(unusable());
    cases
}

/// What several parts make together.
fn joined() -> Vec<Case> {
    vec![
        first("part-joined", "what touches is joined")
            .step(ask("5-7").answer(part(5, 7, "ETag: \"abc\"")).miss())
            .step(hit("3-6", "3456")),
        first("part-completed", "all octets are there: a 200 from now on")
            .step(ask("5-9").answer(part(5, 9, "ETag: \"abc\"")).miss())
            .step(get().not_asked().status(200).shows(TEN).lacks("content-range"))
            .step(hit("-2", "89")),
        first("part-overlapping", "each octet once")
            .step(ask("3-9").answer(part(3, 9, "ETag: \"abc\"")).miss())
            .step(get().not_asked().status(200).shows(TEN)),
        first("part-fields", "the newer part's fields count for all of it")
            .step(ask("5-9").answer(part(5, 9, "ETag: \"abc\"").lines(&["X-A: new"])).miss())
            .step(
                get().not_asked().status(200).shows(TEN).has("x-a", "new").lacks("content-range"),
            ),
        first("part-variant", "a part of another variant")
            .step(
                ask("0-4")
                    .with(["X-A: 1"])
                    .at("/v")
                    .answer(part(0, 4, "ETag: \"abc\"").lines(&["Vary: X-A"]))
                    .miss(),
            )
            .step(
                ask("0-4")
                    .with(["X-A: 2"])
                    .at("/v")
                    .answer(part(0, 4, "ETag: \"b\"").lines(&["Vary: X-A"]))
                    .miss(),
            )
            .step(ask("0-4").with(["X-A: 1"]).at("/v").not_asked().has("etag", "\"abc\"")),
        first("part-not-modified", "a condition is for the representation")
            .step(ask("0-4").with(["If-None-Match: \"abc\""]).not_asked().status(304)),
        first("part-apart", "a gap between them")
            .step(ask("7-8").answer(part(7, 8, "ETag: \"abc\"")).miss())
            .step(hit("7-7", "7"))
            .step(hit("0-1", "01"))
            .step(ask("4-7").answer(part(4, 7, "ETag: \"abc\"")).asked().shows("4567")),
        first("part-other-tag", "parts of two representations are never joined")
            .step(ask("5-9").answer(part(5, 9, "ETag: \"new\"")).miss())
            .step(get().answer(whole()).miss())
            .step(get().hit(3)),
        first("part-outdated", "the older one is not used any more")
            .step(ask("5-9").answer(part(5, 9, "ETag: \"new\"")).miss())
            .step(ask("0-4").answer(part(0, 4, "ETag: \"new\"")).miss())
            .step(get().not_asked().status(200).shows(TEN).has("etag", "\"new\"")),
    ]
}

/// The whole is wanted, and what begins in the store need not be sent again.
fn rest() -> Vec<Case> {
    let rest = || get().received("range", "bytes=5-").received("if-range", "\"abc\"");
    let whole_of = |content: &str| ok([FRESH, "ETag: \"new\""]).content(content);
    let tag = "ETag: \"abc\"";
    let refuses = |name: &str, why: &str, answer: Answer| {
        let answered = get().answer(answer).further(whole_of("abcdefghij"));
        first(name, why)
            .step(answered.asked().status(200).shows("abcdefghij").lacks("content-range"))
            .step(get().answer(whole_of("abcdefghij")).status(200).shows("abcdefghij"))
    };
    let empty: [&str; 0] = [];
    vec![
        first("part-rest", "asked for what is missing")
            .step(rest().answer(part(5, 9, tag)).status(200).shows(TEN).lacks("content-range"))
            .step(get().not_asked().status(200).shows(TEN).has("content-length", "10")),
        first("part-rest-changed", "If-Range brings all of what is new")
            .step(rest().answer(whole_of("abcdefghij")).miss())
            .step(get().hit(2)),
        refuses("part-rest-other-tag", "of something else", part(5, 9, "ETag: \"new\"")),
        refuses("part-rest-no-tag", "of nobody knows what", part(5, 9, "X-A: b")),
        refuses("part-rest-weak", "of something similar", part(5, 9, "ETag: W/\"abc\"")),
        refuses("part-rest-other-part", "not what was asked for", part(6, 9, tag)),
        refuses("part-rest-416", "there is no rest", answer(416, empty)),
        first("part-rest-head", "a HEAD is for the whole")
            .step(crate::case::head().answer(whole()).not_received("range").status(200)),
        first("part-rest-error", "an error is passed on")
            .step(get().answer(answer(500, empty)).miss())
            .step(hit("0-1", "01")),
        first("part-rest-cut", "a rest without its end is seen to be cut")
            .step(get().answer(part(5, 9, tag).sent(Manner::Cut)).check(Check::CutShort))
            .step(get().answer(whole()).further(whole()).asked().status(200).shows(TEN)),
        first("part-rest-condition", "the client has it already").step(
            get()
                .with(["If-None-Match: \"abc\""])
                .answer(part(5, 9, tag))
                .further(whole())
                .status(304),
        ),
    ]
}

/// A rest that may not be stored can't be put behind its beginning, and alone it is no whole.
fn rest_not_stored() -> [Case; 4] {
    let whole_of = |content: &str| ok([FRESH, "ETag: \"new\""]).content(content);
    let tag = "ETag: \"abc\"";
    [
        first("part-rest-no-store", "the rest must not be stored, and is no whole")
            .step(
                get()
                    .answer(part(5, 9, tag).lines(&["Cache-Control: no-store"]))
                    .further(whole_of(TEN))
                    .status(200)
                    .shows(TEN)
                    .lacks("content-range"),
            )
            .step(get().answer(whole_of(TEN)).asked()),
        first("part-rest-private", "nor is what is private")
            .step(
                get()
                    .answer(part(5, 9, tag).lines(&["Cache-Control: private"]))
                    .further(whole_of(TEN))
                    .status(200)
                    .shows(TEN)
                    .lacks("content-range"),
            )
            .step(get().answer(whole_of(TEN)).asked()),
        first("part-rest-authorization", "nor is what is one user's")
            .step(
                get()
                    .with(["Authorization: Basic eDp5"])
                    .answer(part(5, 9, tag))
                    .further(whole_of(TEN))
                    .status(200)
                    .shows(TEN),
            )
            .step(get().answer(part(5, 9, tag)).further(whole_of(TEN)).status(200).shows(TEN)),
        first("part-rest-request-no-store", "nor is what the request says so of").step(
            get()
                .with(["Cache-Control: no-store"])
                .answer(part(5, 9, tag))
                .further(whole_of(TEN))
                .status(200)
                .shows(TEN),
        ),
    ]
}

fn hit(range: &str, content: &str) -> Step {
    ask(range).not_asked().status(206).shows(content)
}

/// Parts without a strong validator are of use alone, and joined with nothing.
fn incomparable() -> impl Iterator<Item = Case> {
    let rows = [
        ("part-weak", "ETag: W/\"abc\"", "a weak tag joins nothing"),
        ("part-no-validator", "X-A: b", "nor does none"),
        ("part-young-date", "Last-Modified: {now+60}", "nor does a date that is not before Date"),
    ];
    rows.into_iter().map(|(name, line, why)| {
        case(name, "RFC 9111 §3.3, §3.4", why)
            .step(ask("0-4").answer(part(0, 4, line)).miss())
            .step(hit("0-4", "01234"))
            .step(hit("1-2", "12"))
            .step(ask("5-9").answer(part(5, 9, line)).miss())
            .step(get().answer(whole()).miss())
            .step(get().hit(5))
    })
}

/// Parts that are passed on and not kept.
fn unusable() -> Vec<Case> {
    let tag = "ETag: \"abc\"";
    let once = |name: &str, why: &str, fields: &[&str], content: &str| {
        let unkept = || answer(206, [FRESH]).lines(fields).content(content);
        case(name, "RFC 9110 §14.4, §15.3.7", why)
            .step(ask("0-4").answer(unkept()).miss())
            .step(ask("0-4").answer(unkept()).miss())
            .step(get().answer(whole()).miss())
    };
    let range = "Content-Range: bytes 0-4/10";
    vec![
        once("part-no-range", "which octets are these?", &[tag], "01234"),
        once(
            "part-unknown-length",
            "ours: of how many?",
            &[tag, "Content-Range: bytes 0-4/*"],
            "01234",
        ),
        once("part-backwards", "invalid", &[tag, "Content-Range: bytes 4-0/10"], "01234"),
        once("part-behind-end", "invalid", &[tag, "Content-Range: bytes 6-10/10"], "01234"),
        once(
            "part-too-short",
            "not the octets that it says",
            &[tag, "Content-Range: bytes 0-8/10"],
            "01234",
        ),
        once("part-unit", "another unit", &[tag, "Content-Range: lines 0-4/10"], "01234"),
        once(
            "part-two-ranges",
            "two of them",
            &[tag, range, "Content-Range: bytes 1-5/10"],
            "01234",
        ),
        once(
            "part-no-store",
            "must not be stored",
            &[tag, range, "Cache-Control: no-store"],
            "01234",
        ),
        once(
            "part-multipart",
            "several parts in one",
            &[tag, "Content-Type: multipart/byteranges; boundary=b"],
            "--b\r\nContent-Range: bytes 0-4/10\r\n\r\n01234\r\n--b--\r\n",
        ),
        case("part-unasked", "RFC 9110 §15.3.7", "no whole response, and nobody asked for a part")
            .step(get().answer(part(0, 4, tag)).asked())
            .step(get().answer(whole()).miss()),
        case("part-cut", "RFC 9112 §8", "with octets missing")
            .step(ask("0-4").answer(part(0, 4, tag).sent(Manner::Cut)).check(Check::CutShort))
            .step(ask("0-1").answer(part(0, 1, tag)).asked().shows("01")),
        case("part-date", "RFC 9110 §8.8.2.2", "a date that is strong")
            .step(ask("0-4").answer(part(0, 4, "Last-Modified: {now-86400}")).miss())
            .step(ask("5-9").answer(part(5, 9, "Last-Modified: {now-86400}")).miss())
            .step(get().not_asked().status(200).shows(TEN)),
        case("part-stale", "RFC 9111 §4", "no longer fresh")
            .step(ask("0-4").answer(part(0, 4, tag).lines(&["Age: 7200"])).miss())
            .step(ask("0-4").answer(part(0, 4, tag)).asked().status(206).shows("01234")),
        confirmed("part-confirmed", "confirmed: it has its Content-Range").step(
            ask("0-4")
                .answer(moved())
                .status(206)
                .shows("01234")
                .has("content-range", "bytes 0-4/10"),
        ),
        confirmed("part-confirmed-if-range", "what If-Range has is not what it is now: all of it")
            .step(
                ask("0-4")
                    .with(["If-Range: {now-86400}"])
                    .answer(moved())
                    .further(whole())
                    .asked()
                    .status(200)
                    .shows(TEN)
                    .lacks("content-range"),
            ),
        case("part-whole-instead", "RFC 9110 §14.2", "the upstream knows no ranges")
            .step(ask("0-4").answer(whole()).asked().contains("01234"))
            .step(get().not_asked().status(200).shows(TEN)),
        case("part-416", "RFC 9110 §15.5.17", "passed on, not stored")
            .step(ask("20-").answer(answer(416, [FRESH, "Content-Range: bytes */10"])).miss())
            .step(ask("20-").answer(answer(416, [FRESH, "Content-Range: bytes */10"])).miss()),
    ]
}

/// A part that is stored, and stale.
fn confirmed(name: &str, why: &str) -> Case {
    let stale = part(0, 4, "ETag: \"abc\"").lines(&["Last-Modified: {now-86400}", "Age: 7200"]);
    case(name, "RFC 9110 §13.1.5, §15.3.7", why).step(ask("0-4").answer(stale).miss())
}

/// A 304 with the same tag and another date.
fn moved() -> Answer {
    not_modified([FRESH, "ETag: \"abc\"", "Last-Modified: {now-3600}"])
}
