//! Conditions of the cache, and what comes of the answers: RFC 9111 §4.3, §3.2.

use crate::case::{Answer, Case, Check, answer, case, get, not_modified, ok};

/// Stale when it comes, fresh when a 304 without Age has confirmed it.
const STALE: [&str; 2] = ["Cache-Control: max-age=3600", "Age: 7200"];
const FRESH: &str = "Cache-Control: max-age=3600";

/// Validators of the stored response, and If-None-Match and If-Modified-Since that are made of them.
type Made = (
    &'static str,
    &'static [&'static str],
    Option<&'static str>,
    Option<&'static str>,
    &'static str,
);

const MADE: &[Made] = &[
    ("made-strong", &["ETag: \"abc\""], Some("\"abc\""), None, "a strong tag"),
    ("made-weak", &["ETag: W/\"abc\""], Some("W/\"abc\""), None, "a weak tag"),
    ("made-empty", &["ETag: \"\""], Some("\"\""), None, "an empty tag"),
    ("made-odd", &["ETag: \"a,b\\c/<>\""], Some("\"a,b\\c/<>\""), None, "octet for octet"),
    ("made-unquoted", &["ETag: abc"], Some("abc"), None, "octet for octet, be it no tag"),
    ("made-lm", &["Last-Modified: {now-86400}"], None, Some("{now-86400}"), "the date"),
    (
        "made-lm-850",
        &["Last-Modified: {850:now-86400}"],
        None,
        Some("{850:now-86400}"),
        "octet for octet",
    ),
    (
        "made-lm-asctime",
        &["Last-Modified: {asctime:now-86400}"],
        None,
        Some("{asctime:now-86400}"),
        "octet for octet",
    ),
    (
        "made-both",
        &["ETag: \"abc\"", "Last-Modified: {now-86400}"],
        Some("\"abc\""),
        Some("{now-86400}"),
        "both",
    ),
    ("made-none", &["X-A: b"], None, None, "nothing to ask with"),
    ("made-date", &["Date: {now-9000}"], None, None, "Date is no validator"),
];

/// A field, its value in the stored response, and whether that of the 304 replaces it.
const UPDATED: &[(&str, &str, &str, bool)] = &[
    ("Test-Header", "old", "new", true),
    ("X-Test-Header", "old", "new", true),
    ("Content-Foo", "old", "new", true),
    ("X-Content-Foo", "old", "new", true),
    ("Cache-Control", "max-age=1", "max-age=3600, x=y", true),
    ("Content-Language", "en", "de", true),
    ("Content-Location", "/old", "/new", true),
    ("Content-Type", "text/plain", "text/html", true),
    ("Content-Disposition", "inline", "attachment", true),
    ("Content-Security-Policy", "default-src 'self'", "default-src 'none'", true),
    ("Clear-Site-Data", "\"cache\"", "\"cookies\"", true),
    ("Access-Control-Allow-Origin", "*", "http://a.test", true),
    ("Link", "</a>; rel=preload", "</b>; rel=preload", true),
    ("Expires", "{now-7200}", "{now+7200}", true),
    ("Last-Modified", "{now-7200}", "{now-3600}", true),
    ("Date", "{now-7200}", "{now-60}", true),
    ("Set-Cookie", "a=old", "a=new", true),
    ("Set-Cookie2", "a=old", "a=new", true),
    ("Strict-Transport-Security", "max-age=1", "max-age=2", true),
    ("X-Frame-Options", "deny", "sameorigin", true),
    ("Content-Encoding", "gzip", "br", false),
    ("Content-Range", "bytes 0-1/2", "bytes 2-3/4", false),
];

pub(crate) fn cases() -> Vec<Case> {
    let made = MADE.iter().map(|&(name, validators, tag, date, why)| {
        let second = get().answer(ok(STALE)).miss();
        let second = match tag {
            Some(tag) => second.received("if-none-match", tag),
            None => second.not_received("if-none-match"),
        };
        let second = match date {
            Some(date) => second.received("if-modified-since", date),
            None => second.not_received("if-modified-since"),
        };
        case(name, "RFC 9111 §4.3.1", why)
            .step(get().answer(ok(STALE).lines(validators)).miss())
            .step(second)
    });
    let updated =
        UPDATED.iter().map(|&(name, old, new, is_updated)| updates(name, old, new, is_updated));
    made.chain(updated)
        .chain(outcomes())
        .chain(fields())
        .chain(doubtful())
        .chain(ambiguous())
        .collect()
}

/// A 304 has another value than what is stored.
fn updates(name: &'static str, old: &str, new: &str, is_updated: bool) -> Case {
    let line = |value| format!("{name}: {value}");
    let stale = if name == "Cache-Control" { "Age: 7200" } else { STALE[0] };
    let first = ok(["ETag: \"abc\"", "Age: 7200"]).lines(&[stale, &line(old)]);
    let second = not_modified(["ETag: \"abc\""]).lines(&[&line(new)]);
    let second = if name == "Cache-Control" { second } else { second.lines(&[FRESH]) };
    let expected = if is_updated { new } else { old };
    let why = if is_updated { "replaced" } else { "describes octets that stay" };
    case(format!("updated-{}", name.to_ascii_lowercase()), "RFC 9111 §3.2, §4.3.4", why)
        .step(get().answer(first).miss())
        .step(get().answer(second).confirmed(1).has(name, expected))
        .step(get().hit(1).has(name, expected))
}

fn tagged() -> Answer {
    ok(STALE).lines(&["ETag: \"abc\"", "X-Kept: 1", "X-Lines: 1", "X-Lines: 2"])
}

fn outcomes() -> [Case; 9] {
    let citation = "RFC 9111 §4.3.3";
    let begin =
        |name: &str, why: &str| case(name, citation, why).step(get().answer(tagged()).miss());
    [
        begin("validated-304", "fresh again")
            .step(
                get()
                    .answer(not_modified([FRESH, "ETag: \"abc\""]))
                    .confirmed(1)
                    .says("cache-status", "fwd-status=304"),
            )
            .step(get().hit(1).check(Check::AgeAtMost(60))),
        begin("validated-304-bare", "by what is stored, from now on")
            .step(get().answer(not_modified([])).confirmed(1))
            .step(get().hit(1)),
        begin("validated-304-age", "it may be old when it comes")
            .step(get().answer(not_modified(["ETag: \"abc\"", "Age: 1800"])).confirmed(1))
            .step(get().hit(1).check(Check::AgeAtLeast(1800)).check(Check::AgeAtMost(1900))),
        begin("validated-304-stale", "and stale again at once")
            .step(get().answer(not_modified(["ETag: \"abc\"", "Age: 7200"])).confirmed(1))
            .step(get().answer(not_modified(["ETag: \"abc\""])).confirmed(1)),
        begin("validated-200", "replaced")
            .step(get().answer(ok([FRESH, "ETag: \"new\""])).miss())
            .step(get().hit(2)),
        begin("validated-404", "gone")
            .step(get().answer(answer(404, [FRESH])).miss())
            .step(get().hit(2)),
        begin("validated-404-not-stored", "gone, though nothing is stored of that")
            .step(get().answer(answer(404, [])).miss())
            .step(get().miss().not_received("if-none-match")),
        begin("validated-503", "an error is passed on, and changes nothing")
            .step(get().answer(answer(503, [])).miss())
            .step(
                get()
                    .answer(not_modified(["ETag: \"abc\""]))
                    .confirmed(1)
                    .received("if-none-match", "\"abc\""),
            ),
        begin("validated-no-store", "a 304 may end its being stored")
            .step(
                get()
                    .answer(not_modified(["ETag: \"abc\"", "Cache-Control: no-store"]))
                    .confirmed(1),
            )
            .step(get().miss()),
    ]
}

fn fields() -> [Case; 8] {
    let citation = "RFC 9111 §3.2, §4.3.4";
    let begin =
        |name: &str, why: &str| case(name, citation, why).step(get().answer(tagged()).miss());
    [
        begin("update-kept", "what the 304 has not stays")
            .step(get().answer(not_modified(["ETag: \"abc\""])).confirmed(1).has("x-kept", "1"))
            .step(get().hit(1).has("x-kept", "1").has("etag", "\"abc\"")),
        begin("update-added", "what is new comes in")
            .step(get().answer(not_modified(["ETag: \"abc\"", "X-New: 1"])).confirmed(1))
            .step(get().hit(1).has("x-new", "1")),
        begin("update-lines", "all lines of a name are replaced")
            .step(get().answer(not_modified(["ETag: \"abc\"", "X-Lines: 3"])).confirmed(1))
            .step(get().hit(1).has("x-lines", "3")),
        begin("update-length", "a length of its own is of the 304, not of the content")
            .step(get().answer(not_modified(["ETag: \"abc\"", "Content-Length: 3"])).confirmed(1))
            .step(get().hit(1)),
        begin("update-vary", "what a 304 selects by counts from now on")
            .step(
                get()
                    .with(["X-A: 1"])
                    .answer(not_modified([FRESH, "ETag: \"abc\"", "Vary: X-A"]))
                    .confirmed(1)
                    .has("vary", "X-A"),
            )
            .step(get().with(["X-A: 1"]).hit(1))
            .step(get().with(["X-A: 2"]).asked()),
        begin("update-private", "nor is what has become one user's")
            .step(
                get()
                    .answer(not_modified(["ETag: \"abc\"", "Cache-Control: private"]))
                    .confirmed(1),
            )
            .step(get().miss()),
        begin("update-withheld", "a field that is for one user only")
            .step(
                get()
                    .answer(not_modified([
                        "ETag: \"abc\"",
                        "Cache-Control: max-age=3600, private=\"x-kept\"",
                    ]))
                    .confirmed(1),
            )
            .step(get().hit(1).lacks("x-kept")),
        begin("update-hop", "what is for one connection is not stored")
            .step(
                get()
                    .answer(not_modified(["ETag: \"abc\"", "Connection: x-hop", "X-Hop: 1"]))
                    .confirmed(1)
                    .lacks("x-hop"),
            )
            .step(get().hit(1).lacks("x-hop")),
    ]
}

/// Answers that may not be about what was asked.
fn doubtful() -> [Case; 5] {
    let citation = "RFC 9111 §4.3.4";
    let whole = || ok([FRESH, "ETag: \"new\""]).content("whole");
    [
        case("304-other-tag", citation, "it is about another response")
            .step(get().answer(tagged()).miss())
            .step(
                get()
                    .answer(not_modified(["ETag: \"x\""]))
                    .further(whole())
                    .status(200)
                    .shows("whole"),
            )
            .step(get().hit(2).status(200).shows("whole")),
        case("304-other-date", citation, "it is about another response")
            .step(get().answer(ok(STALE).lines(&["Last-Modified: {now-86400}"])).miss())
            .step(
                get()
                    .answer(not_modified(["Last-Modified: {now-60}"]))
                    .further(whole())
                    .status(200)
                    .shows("whole"),
            ),
        case("304-weak-tag", citation, "weak comparison, with a single response")
            .step(get().answer(ok(STALE).lines(&["ETag: W/\"abc\""])).miss())
            .step(get().answer(not_modified([FRESH, "ETag: W/\"abc\""])).confirmed(1))
            .step(get().hit(1)),
        case("304-date-only", citation, "asked by date")
            .step(get().answer(ok(STALE).lines(&["Last-Modified: {now-86400}"])).miss())
            .step(get().answer(not_modified([FRESH])).confirmed(1))
            .step(get().hit(1)),
        case("reload-validates", "RFC 9111 §5.2.1.4", "the request wants it confirmed")
            .step(get().answer(ok([FRESH, "ETag: \"abc\""])).miss())
            .step(
                get()
                    .with(["Cache-Control: no-cache"])
                    .answer(not_modified(["ETag: \"abc\""]))
                    .confirmed(1)
                    .received("if-none-match", "\"abc\""),
            ),
    ]
}

/// Two variants were asked about that have one Last-Modified; the tag tells them apart, if the 304 has one.
fn ambiguous() -> impl Iterator<Item = Case> {
    let rows: [(&str, &[&str], Option<usize>, &str); 4] = [
        ("none", &["Last-Modified: {now-86400}"], None, "the date is that of both"),
        ("bare", &[], None, "it says nothing"),
        ("selected", &["ETag: \"de\"", "Last-Modified: {now-86400}"], Some(1), "the one selected"),
        ("other", &["ETag: \"en\"", "Last-Modified: {now-86400}"], Some(2), "the other one"),
    ];
    rows.into_iter().map(|(name, fields, meant, why)| {
        let step = |language: &str, tag: &str| {
            let (language, tag) = (format!("Accept-Language: {language}"), format!("ETag: {tag}"));
            let stored =
                ok(STALE).lines(&["Vary: Accept-Language", "Last-Modified: {now-86400}", &tag]);
            get().with([&language]).answer(stored).miss()
        };
        let again = get().with(["Accept-Language: de"]).answer(not_modified([FRESH]).lines(fields));
        let again = match meant {
            Some(step) => again.confirmed(step).status(200),
            None => again
                .further(ok([FRESH, "Vary: Accept-Language"]).content("plain"))
                .status(200)
                .shows("plain")
                .not_received("if-none-match")
                .not_received("if-modified-since"),
        };
        case(format!("304-ambiguous-{name}"), "RFC 9111 §4.3.4", why)
            .step(step("de", "\"de\""))
            .step(step("en", "\"en\""))
            .step(again)
    })
}
