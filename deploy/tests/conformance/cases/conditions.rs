//! Conditions of clients, answered from the store: RFC 9111 §4.3.2, RFC 9110 §13.

use crate::case::{Case, case, get, head, method, not_modified, ok};

type Lines = &'static [&'static str];

/// Fields of the stored response, those of the request, and the status.
type Row = (&'static str, Lines, Lines, u16, &'static str);

const ROWS: &[Row] = &[
    ("inm-strong", &["ETag: \"abc\""], &["If-None-Match: \"abc\""], 304, "the same"),
    ("inm-other", &["ETag: \"abc\""], &["If-None-Match: \"abd\""], 200, "another"),
    ("inm-prefix", &["ETag: \"abc\""], &["If-None-Match: \"ab\""], 200, "not a prefix"),
    ("inm-case", &["ETag: \"abc\""], &["If-None-Match: \"ABC\""], 200, "tags have case"),
    (
        "inm-weak-to-strong",
        &["ETag: \"abc\""],
        &["If-None-Match: W/\"abc\""],
        304,
        "weak comparison",
    ),
    (
        "inm-strong-to-weak",
        &["ETag: W/\"abc\""],
        &["If-None-Match: \"abc\""],
        304,
        "weak comparison",
    ),
    ("inm-weak", &["ETag: W/\"abc\""], &["If-None-Match: W/\"abc\""], 304, "weak comparison"),
    ("inm-weak-other", &["ETag: W/\"abc\""], &["If-None-Match: W/\"abd\""], 200, "another"),
    ("inm-weak-lower", &["ETag: \"abc\""], &["If-None-Match: w/\"abc\""], 200, "W is upper case"),
    ("inm-star", &["ETag: \"abc\""], &["If-None-Match: *"], 304, "any"),
    ("inm-star-no-tag", &["X-A: b"], &["If-None-Match: *"], 304, "any, be it without a tag"),
    ("inm-first", &["ETag: \"abc\""], &["If-None-Match: \"abc\", \"x\""], 304, "the first"),
    (
        "inm-middle",
        &["ETag: \"abc\""],
        &["If-None-Match: \"x\", \"abc\", \"y\""],
        304,
        "in the middle",
    ),
    ("inm-last", &["ETag: \"abc\""], &["If-None-Match: \"x\", \"abc\""], 304, "the last"),
    ("inm-no-space", &["ETag: \"abc\""], &["If-None-Match: \"x\",\"abc\""], 304, "without spaces"),
    (
        "inm-spaces",
        &["ETag: \"abc\""],
        &["If-None-Match:  \"x\" \t,\t \"abc\" "],
        304,
        "with spaces and tabs",
    ),
    (
        "inm-empty-members",
        &["ETag: \"abc\""],
        &["If-None-Match: ,, \"abc\","],
        304,
        "empty members",
    ),
    (
        "inm-lines",
        &["ETag: \"abc\""],
        &["If-None-Match: \"x\"", "If-None-Match: \"abc\""],
        304,
        "on another line",
    ),
    ("inm-none-of-list", &["ETag: \"abc\""], &["If-None-Match: \"x\", \"y\""], 200, "none"),
    ("inm-comma", &["ETag: \"a,b\""], &["If-None-Match: \"a,b\""], 304, "a comma in a tag"),
    ("inm-comma-part", &["ETag: \"b\""], &["If-None-Match: \"a,b\""], 200, "separates nothing"),
    ("inm-backslash", &["ETag: \"a\\\""], &["If-None-Match: \"a\\\""], 304, "no escapes in tags"),
    ("inm-empty-tag", &["ETag: \"\""], &["If-None-Match: \"\""], 304, "an empty tag"),
    ("inm-unquoted", &["ETag: abc"], &["If-None-Match: abc"], 304, "ours: both forgot the quotes"),
    (
        "inm-quoted-to-unquoted",
        &["ETag: abc"],
        &["If-None-Match: \"abc\""],
        200,
        "not the same octets",
    ),
    ("inm-no-tag", &["X-A: b"], &["If-None-Match: \"abc\""], 200, "nothing to compare with"),
    (
        "ims-same",
        &["Last-Modified: {now-86400}"],
        &["If-Modified-Since: {now-86400}"],
        304,
        "not since then",
    ),
    (
        "ims-later",
        &["Last-Modified: {now-86400}"],
        &["If-Modified-Since: {now-3600}"],
        304,
        "not since then",
    ),
    (
        "ims-earlier",
        &["Last-Modified: {now-86400}"],
        &["If-Modified-Since: {now-86401}"],
        200,
        "a second later",
    ),
    (
        "ims-850",
        &["Last-Modified: {now-86400}"],
        &["If-Modified-Since: {850:now-86400}"],
        304,
        "an obsolete format",
    ),
    (
        "ims-asctime",
        &["Last-Modified: {now-86400}"],
        &["If-Modified-Since: {asctime:now-86400}"],
        304,
        "an obsolete format",
    ),
    (
        "ims-lm-850",
        &["Last-Modified: {850:now-86400}"],
        &["If-Modified-Since: {now-86400}"],
        304,
        "an obsolete format, stored",
    ),
    (
        "ims-bad",
        &["Last-Modified: {now-86400}"],
        &["If-Modified-Since: yesterday"],
        200,
        "MUST be ignored",
    ),
    (
        "ims-two",
        &["Last-Modified: {now-86400}"],
        &["If-Modified-Since: {now-60}", "If-Modified-Since: {now-60}"],
        200,
        "ours: two dates are no date",
    ),
    (
        "ims-no-lm",
        &["Date: {now-3600}"],
        &["If-Modified-Since: {now-60}"],
        304,
        "RFC 9111 §4.3.2: then Date counts",
    ),
    (
        "ims-no-lm-earlier",
        &["Date: {now-60}"],
        &["If-Modified-Since: {now-3600}"],
        200,
        "RFC 9111 §4.3.2: then Date counts",
    ),
    (
        "both-tag-differs",
        &["ETag: \"abc\"", "Last-Modified: {now-86400}"],
        &["If-None-Match: \"x\"", "If-Modified-Since: {now-60}"],
        200,
        "the tag goes before the date",
    ),
    (
        "both-date-differs",
        &["ETag: \"abc\"", "Last-Modified: {now-60}"],
        &["If-None-Match: \"abc\"", "If-Modified-Since: {now-3600}"],
        304,
        "the tag goes before the date",
    ),
];

const FRESH: &str = "Cache-Control: max-age=86400";

pub(crate) fn cases() -> Vec<Case> {
    let rows = ROWS.iter().flat_map(|&(name, stored, asked, status, why)| {
        [get, head].map(|verb| {
            let mut step = verb();
            let name = format!("{name}-{}", step.method.to_ascii_lowercase());
            step.fields = asked.iter().map(|&line| line.to_owned()).collect();
            let step = if status == 304 { step.lacks("transfer-encoding") } else { step };
            case(name, "RFC 9110 §13.1, §13.2.2", why)
                .step(get().answer(ok([FRESH]).lines(stored)).miss())
                .step(step.hit(1).status(status))
        })
    });
    rows.chain(others()).chain(misses()).collect()
}

fn others() -> [Case; 5] {
    let tagged = ["ETag: \"abc\"", FRESH];
    [
        case("304-fields", "RFC 9110 §15.4.5", "what a 200 would have had")
            .step(
                get()
                    .answer(ok([
                        "ETag: \"abc\"",
                        FRESH,
                        "Content-Location: {path}",
                        "Date: {now-60}",
                        "Expires: {now+60}",
                        "Vary: X-A",
                    ]))
                    .miss(),
            )
            .step(
                get()
                    .with(["If-None-Match: \"abc\""])
                    .hit(1)
                    .status(304)
                    .has("etag", "\"abc\"")
                    .has("cache-control", "max-age=86400")
                    .has("content-location", "{path}")
                    .has("date", "{now-60}")
                    .has("expires", "{now+60}")
                    .has("vary", "X-A")
                    .says("cache-status", "hit"),
            ),
        case("inm-404", "RFC 9110 §13.2.1", "conditions are for what would be a success")
            .step(get().answer(crate::case::answer(404, tagged)).miss())
            .step(get().with(["If-None-Match: \"abc\""]).hit(1)),
        case("inm-stale", "RFC 9111 §4.3.3", "confirmed for the store and for the client")
            .step(get().answer(ok([FRESH, "Age: 90000", "ETag: \"abc\""])).miss())
            .step(
                get()
                    .with(["If-None-Match: \"abc\""])
                    .answer(not_modified(tagged))
                    .asked()
                    .status(304),
            )
            .step(get().hit(1)),
        case(
            "inm-stale-other",
            "RFC 9111 §4.3.3",
            "the client's copy is older than the stored one",
        )
        .step(get().answer(ok([FRESH, "Age: 90000", "ETag: \"abc\""])).miss())
        .step(get().with(["If-None-Match: \"old\""]).answer(not_modified(tagged)).confirmed(1)),
        case("inm-post", "RFC 9110 §13.1.2", "not for the cache to evaluate")
            .step(get().answer(ok(tagged)).miss())
            .step(
                method("POST")
                    .with(["If-None-Match: \"abc\""])
                    .content("x")
                    .miss()
                    .received("if-none-match", "\"abc\""),
            ),
    ]
}

/// What is fetched for a client with a condition is of use to others.
fn misses() -> [Case; 3] {
    let tagged = [FRESH, "ETag: \"abc\"", "Last-Modified: {now-86400}"];
    let citation = "RFC 9111 §4.3.2";
    [
        case("inm-miss", citation, "fetched whole, and the client is told that it has it")
            .step(get().with(["If-None-Match: \"abc\""]).answer(ok(tagged)).asked().status(304))
            .step(get().hit(1)),
        case("inm-miss-other", citation, "fetched whole, and given")
            .step(get().with(["If-None-Match: \"x\""]).answer(ok(tagged)).miss())
            .step(get().hit(1)),
        case("ims-miss", citation, "fetched whole, and the client is told that it has it")
            .step(
                get().with(["If-Modified-Since: {now-60}"]).answer(ok(tagged)).asked().status(304),
            )
            .step(get().hit(1)),
    ]
}
