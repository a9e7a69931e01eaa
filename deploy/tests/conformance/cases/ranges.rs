//! Ranges of what is stored whole: RFC 9110 §14, §15.3.7, §15.5.17, §13.1.5.

use crate::case::{Case, Check, Step, answer, case, get, head, method, ok};

const FRESH: &str = "Cache-Control: max-age=3600";
const TEN: &str = "0123456789";

/// Range, status, content, Content-Range. The representation has ten octets.
type Row = (&'static str, &'static str, u16, &'static str, Option<&'static str>, &'static str);

const ROWS: &[Row] = &[
    ("range-first", "bytes=0-3", 206, "0123", Some("bytes 0-3/10"), "the first octets"),
    ("range-middle", "bytes=2-5", 206, "2345", Some("bytes 2-5/10"), "some in the middle"),
    ("range-one", "bytes=9-9", 206, "9", Some("bytes 9-9/10"), "a single one"),
    ("range-open", "bytes=5-", 206, "56789", Some("bytes 5-9/10"), "to the end"),
    ("range-all", "bytes=0-", 206, TEN, Some("bytes 0-9/10"), "all of it"),
    ("range-suffix", "bytes=-3", 206, "789", Some("bytes 7-9/10"), "the last octets"),
    ("range-suffix-long", "bytes=-99", 206, TEN, Some("bytes 0-9/10"), "no more than there are"),
    ("range-past-end", "bytes=5-99", 206, "56789", Some("bytes 5-9/10"), "no more than there are"),
    (
        "range-huge",
        "bytes=5-99999999999999999999",
        206,
        "56789",
        Some("bytes 5-9/10"),
        "no overflow",
    ),
    ("range-unit-case", "BYTES=0-3", 206, "0123", Some("bytes 0-3/10"), "units have no case"),
    ("range-empty-members", "bytes=, 0-3,", 206, "0123", Some("bytes 0-3/10"), "empty members"),
    ("range-behind", "bytes=10-", 416, "", Some("bytes */10"), "begins behind the end"),
    ("range-far-behind", "bytes=99999999999999999999-", 416, "", Some("bytes */10"), "no overflow"),
    ("range-suffix-0", "bytes=-0", 416, "", Some("bytes */10"), "no octets at all"),
    (
        "range-one-of-two",
        "bytes=2-5, 20-30",
        206,
        "2345",
        Some("bytes 2-5/10"),
        "the one that there is",
    ),
    ("range-backwards", "bytes=5-3", 200, TEN, None, "invalid: ignored"),
    ("range-backwards-beside", "bytes=0-1,5-3", 200, TEN, None, "one is invalid: all ignored"),
    ("range-letters", "bytes=a-b", 200, TEN, None, "invalid: ignored"),
    ("range-nothing", "bytes=", 200, TEN, None, "invalid: ignored"),
    ("range-dash", "bytes=-", 200, TEN, None, "invalid: ignored"),
    ("range-no-equals", "bytes 0-3", 200, TEN, None, "invalid: ignored"),
    ("range-negative", "bytes=--3", 200, TEN, None, "invalid: ignored"),
    ("range-plus", "bytes=+0-3", 200, TEN, None, "invalid: ignored"),
    ("range-unit", "octets=0-3", 200, TEN, None, "an unknown unit: ignored"),
    ("range-hex", "bytes=0x0-0x3", 200, TEN, None, "invalid: ignored"),
];

pub(crate) fn cases() -> Vec<Case> {
    let rows = ROWS.iter().map(|&(name, range, status, content, content_range, why)| {
        let second = ask(range).hit(1).status(status).shows(content);
        let second = match content_range {
            Some(expected) => second.has("content-range", expected),
            None => second.lacks("content-range"),
        };
        let second = match status {
            206 => second.has("etag", "\"abc\"").has("cache-control", "max-age=3600"),
            200 => second.has("content-length", "10"),
            _ => second,
        };
        stored(name, "RFC 9110 §14.1.2, §14.2, §14.4", why).step(second)
    });
    rows.chain(several()).chain(if_range()).chain(others()).chain(stale()).collect()
}

fn stored(name: &str, citation: &str, why: &str) -> Case {
    let fields = [FRESH, "ETag: \"abc\"", "Last-Modified: {now-86400}", "Content-Type: text/plain"];
    case(name, citation, why).step(get().answer(ok(fields).content(TEN)).miss())
}

fn ask(range: &str) -> Step {
    let line = format!("Range: {range}");
    get().with([&line])
}

fn several() -> [Case; 3] {
    let citation = "RFC 9110 §14.6, §15.3.7.2";
    [
        stored("ranges-two", citation, "several parts").step(
            ask("bytes=0-1,8-9")
                .hit(1)
                .status(206)
                .lacks("content-range")
                .says("content-type", "multipart/byteranges; boundary=")
                .contains("Content-Range: bytes 0-1/10\r\n")
                .contains("\r\n\r\n01\r\n--")
                .contains("Content-Range: bytes 8-9/10\r\n")
                .contains("\r\n\r\n89\r\n--")
                .contains("Content-Type: text/plain\r\n"),
        ),
        stored("ranges-suffix", citation, "a suffix among them").step(
            ask("bytes=0-0,-1")
                .hit(1)
                .status(206)
                .contains("Content-Range: bytes 0-0/10\r\n")
                .contains("Content-Range: bytes 9-9/10\r\n"),
        ),
        stored("ranges-none", "RFC 9110 §15.5.17", "none of several")
            .step(ask("bytes=10-11,20-").hit(1).status(416).has("content-range", "bytes */10")),
    ]
}

fn if_range() -> impl Iterator<Item = Case> {
    let rows: [(&str, &str, u16, &str); 8] = [
        ("if-range-tag", "\"abc\"", 206, "the same"),
        ("if-range-other-tag", "\"abd\"", 200, "another"),
        ("if-range-weak", "W/\"abc\"", 200, "strong comparison"),
        ("if-range-date", "{now-86400}", 206, "the same date, which is strong"),
        ("if-range-later", "{now-3600}", 200, "exactly the same only"),
        ("if-range-earlier", "{now-90000}", 200, "exactly the same only"),
        ("if-range-bad", "x", 200, "neither a tag nor a date"),
        ("if-range-star", "*", 200, "not for If-Range"),
    ];
    rows.into_iter().map(|(name, validator, status, why)| {
        let line = format!("If-Range: {validator}");
        let content = if status == 206 { "0123" } else { TEN };
        stored(name, "RFC 9110 §13.1.5", why)
            .step(ask("bytes=0-3").with([&line]).hit(1).status(status).shows(content))
    })
}

fn others() -> [Case; 9] {
    [
        stored("range-head", "RFC 9110 §14.2", "defined for GET only").step(
            head()
                .with(["Range: bytes=0-3"])
                .hit(1)
                .status(200)
                .has("content-length", "10")
                .lacks("content-range"),
        ),
        stored("range-not-modified", "RFC 9110 §13.2.2", "conditions come first")
            .step(ask("bytes=0-3").with(["If-None-Match: \"abc\""]).hit(1).status(304)),
        case("range-404", "RFC 9110 §14.2", "for what would be a 200")
            .step(get().answer(answer(404, [FRESH]).content(TEN)).miss())
            .step(ask("bytes=0-3").hit(1)),
        case("range-empty", "RFC 9110 §14.1.2", "nothing to take a part of")
            .step(get().answer(ok([FRESH]).content("")).miss())
            .step(ask("bytes=0-").hit(1).status(416).has("content-range", "bytes */0")),
        case("range-weak-tag", "RFC 9110 §13.1.5", "a stored weak tag never matches If-Range")
            .step(get().answer(ok([FRESH, "ETag: W/\"abc\""]).content(TEN)).miss())
            .step(ask("bytes=0-3").with(["If-Range: W/\"abc\""]).hit(1).status(200).shows(TEN)),
        case("range-variant", "RFC 9111 §4.1", "of the variant that is asked for")
            .step(get().with(["X-A: 1"]).answer(ok([FRESH, "Vary: X-A"]).content(TEN)).miss())
            .step(
                ask("bytes=0-3")
                    .with(["X-A: 2"])
                    .answer(ok([FRESH, "Vary: X-A"]).content("abcdefghij"))
                    .asked()
                    .contains("abcd"),
            )
            .step(ask("bytes=0-3").with(["X-A: 1"]).not_asked().shows("0123")),
        stored("range-many", "RFC 9110 §14.2, §17.15", "many that overlap are not all sent")
            .step(ask("bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-").hit(1).status(206).shows(TEN)),
        case("range-young-date", "RFC 9110 §8.8.2.2", "a date so near to Date is weak")
            .step(
                get()
                    .answer(ok([FRESH, "Last-Modified: {now}", "Date: {now}"]).content(TEN))
                    .miss(),
            )
            .step(ask("bytes=0-3").with(["If-Range: {now}"]).hit(1).status(200).shows(TEN)),
        case("range-post", "RFC 9110 §14.2", "not for the cache to answer").step(
            method("POST")
                .with(["Range: bytes=0-3"])
                .content("x")
                .miss()
                .received("range", "bytes=0-3"),
        ),
    ]
}

/// Ranges of what is stale.
fn stale() -> [Case; 4] {
    [
        case("range-stale", "RFC 9111 §4.3.3", "a part of what a 304 has confirmed")
            .step(get().answer(ok([FRESH, "Age: 7200", "ETag: \"abc\""]).content(TEN)).miss())
            .step(
                ask("bytes=0-3")
                    .answer(crate::case::not_modified(["ETag: \"abc\""]))
                    .asked()
                    .status(206)
                    .shows("0123"),
            ),
        case(
            "range-swr",
            "RFC 5861 §3",
            "a part of what is stale; the whole is asked for behind it",
        )
        .step(
            get()
                .answer(
                    ok(["Cache-Control: max-age=60, stale-while-revalidate=3600", "Age: 100"])
                        .content(TEN),
                )
                .miss(),
        )
        .step(
            ask("bytes=0-3")
                .answer(ok([FRESH]).content("abcdefghij"))
                .status(206)
                .shows("0123")
                .check(Check::AskedBehind)
                .not_received("range"),
        )
        .step(get().not_asked().status(200).shows("abcdefghij").eventually()),
        case("range-sie", "RFC 5861 §4", "a part of what is stale")
            .step(
                get()
                    .answer(
                        ok(["Cache-Control: max-age=60, stale-if-error=3600", "Age: 100"])
                            .content(TEN),
                    )
                    .miss(),
            )
            .step(ask("bytes=0-3").answer(answer(503, [])).asked().status(206).shows("0123")),
        case("range-stale-new", "RFC 9111 §4.3.3", "a part of what is new, or all of it")
            .step(get().answer(ok([FRESH, "Age: 7200", "ETag: \"abc\""]).content(TEN)).miss())
            .step(
                ask("bytes=0-3").answer(ok([FRESH]).content("abcdefghij")).asked().contains("abcd"),
            )
            .step(get().not_asked().status(200).shows("abcdefghij")),
    ]
}
