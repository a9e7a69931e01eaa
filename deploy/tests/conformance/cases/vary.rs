//! Which of several stored responses a request selects: RFC 9111 §4.1, RFC 9110 §12.5.5.

use crate::case::{Case, Reuse, case, get, not_modified, ok};
use Reuse::{Asked, Hit};

type Lines = &'static [&'static str];

/// Vary of the response to the first request, that request's fields, and those of the second.
type Row = (&'static str, Lines, Lines, Lines, Reuse, &'static str);

const ROWS: &[Row] = &[
    ("vary-match", &["Vary: X-A"], &["X-A: 1"], &["X-A: 1"], Hit, "the same"),
    ("vary-differs", &["Vary: X-A"], &["X-A: 1"], &["X-A: 2"], Asked, "another"),
    ("vary-omitted", &["Vary: X-A"], &["X-A: 1"], &[], Asked, "absent is no value"),
    ("vary-added", &["Vary: X-A"], &[], &["X-A: 1"], Asked, "nor is a value absent"),
    ("vary-absent", &["Vary: X-A"], &[], &[], Hit, "absent from both"),
    ("vary-empty", &["Vary: X-A"], &["X-A:"], &[], Asked, "empty is not absent"),
    (
        "vary-other-field",
        &["Vary: X-A"],
        &["X-A: 1", "X-B: 1"],
        &["X-A: 1", "X-B: 2"],
        Hit,
        "not named",
    ),
    ("vary-name-case", &["Vary: x-A"], &["X-a: 1"], &["x-a: 1"], Hit, "names have no case"),
    (
        "vary-name-case-differs",
        &["VARY: X-A"],
        &["x-a: 1"],
        &["x-a: 2"],
        Asked,
        "names have no case",
    ),
    (
        "vary-value-case",
        &["Vary: X-A"],
        &["X-A: a"],
        &["X-A: A"],
        Asked,
        "unknown values have case",
    ),
    ("vary-value-longer", &["Vary: X-A"], &["X-A: 1"], &["X-A: 12"], Asked, "not a prefix"),
    (
        "vary-two",
        &["Vary: X-A, X-B"],
        &["X-A: 1", "X-B: 2"],
        &["X-B: 2", "X-A: 1"],
        Hit,
        "both the same",
    ),
    (
        "vary-two-differ",
        &["Vary: X-A, X-B"],
        &["X-A: 1", "X-B: 2"],
        &["X-A: 1", "X-B: 3"],
        Asked,
        "one differs",
    ),
    (
        "vary-two-swapped",
        &["Vary: X-A, X-B"],
        &["X-A: 1", "X-B: 2"],
        &["X-A: 2", "X-B: 1"],
        Asked,
        "both differ",
    ),
    (
        "vary-two-omitted",
        &["Vary: X-A, X-B"],
        &["X-A: 1", "X-B: 2"],
        &["X-A: 1"],
        Asked,
        "one is missing",
    ),
    (
        "vary-lines",
        &["Vary: X-A", "Vary: X-B"],
        &["X-A: 1", "X-B: 2"],
        &["X-A: 1", "X-B: 3"],
        Asked,
        "lines are one list",
    ),
    (
        "vary-lines-match",
        &["Vary: X-A", "Vary: X-B"],
        &["X-A: 1", "X-B: 2"],
        &["X-A: 1", "X-B: 2"],
        Hit,
        "lines are one list",
    ),
    ("vary-empty-members", &["Vary: , X-A ,,"], &["X-A: 1"], &["X-A: 1"], Hit, "empty members"),
    ("vary-star", &["Vary: *"], &[], &[], Asked, "never"),
    ("vary-star-first", &["Vary: *, X-A"], &[], &[], Asked, "never, in a list"),
    ("vary-star-last", &["Vary: X-A, *"], &[], &[], Asked, "never, in a list"),
    ("vary-star-empty", &["Vary: , *"], &[], &[], Asked, "never, behind nothing"),
    ("vary-star-line", &["Vary: X-A", "Vary: *"], &[], &[], Asked, "never, on another line"),
    ("vary-star-space", &["Vary:  *\t"], &[], &[], Asked, "never, in white space"),
    (
        "vary-spaces",
        &["Vary: X-A"],
        &["X-A: 1, 2"],
        &["X-A: 1,2"],
        Hit,
        "white space may be normalised",
    ),
    (
        "vary-combined",
        &["Vary: X-A"],
        &["X-A: 1", "X-A: 2"],
        &["X-A: 1, 2"],
        Hit,
        "lines may be combined",
    ),
    ("vary-order", &["Vary: X-A"], &["X-A: 1, 2"], &["X-A: 2, 1"], Asked, "order may matter"),
    (
        "vary-quoted",
        &["Vary: X-A"],
        &["X-A: \"a, b\""],
        &["X-A: \"a,b\""],
        Asked,
        "inside of quotes nothing is white space",
    ),
    (
        "vary-encoding",
        &["Vary: Accept-Encoding"],
        &["Accept-Encoding: gzip, br"],
        &["Accept-Encoding: br, gzip"],
        Hit,
        "order means nothing there",
    ),
    (
        "vary-encoding-case",
        &["Vary: Accept-Encoding"],
        &["Accept-Encoding: GZIP"],
        &["Accept-Encoding: gzip"],
        Hit,
        "nor does case",
    ),
    (
        "vary-encoding-weight",
        &["Vary: Accept-Encoding"],
        &["Accept-Encoding: gzip;q=1.0"],
        &["Accept-Encoding: gzip"],
        Hit,
        "a weight of 1 is none",
    ),
    (
        "vary-encoding-differs",
        &["Vary: Accept-Encoding"],
        &["Accept-Encoding: gzip"],
        &["Accept-Encoding: br"],
        Asked,
        "another coding",
    ),
    (
        "vary-encoding-refused",
        &["Vary: Accept-Encoding"],
        &["Accept-Encoding: gzip"],
        &["Accept-Encoding: gzip;q=0"],
        Asked,
        "refused",
    ),
    (
        "vary-encoding-omitted",
        &["Vary: Accept-Encoding"],
        &["Accept-Encoding: gzip"],
        &[],
        Asked,
        "not asked for",
    ),
    (
        "vary-language",
        &["Vary: Accept-Language"],
        &["Accept-Language: en, de"],
        &["Accept-Language: de, en"],
        Hit,
        "equal weights have no order",
    ),
    (
        "vary-language-weights",
        &["Vary: Accept-Language"],
        &["Accept-Language: en;q=0.5, de"],
        &["Accept-Language: de,en;q=0.50"],
        Hit,
        "the same weights",
    ),
    (
        "vary-language-other-weights",
        &["Vary: Accept-Language"],
        &["Accept-Language: de, en;q=0.9"],
        &["Accept-Language: de;q=0.5, en;q=0.9"],
        Asked,
        "other weights",
    ),
    (
        "vary-language-differs",
        &["Vary: Accept-Language"],
        &["Accept-Language: en"],
        &["Accept-Language: de"],
        Asked,
        "another language",
    ),
    (
        "vary-language-range",
        &["Vary: Accept-Language"],
        &["Accept-Language: en"],
        &["Accept-Language: en-GB"],
        Asked,
        "another range",
    ),
    ("vary-cookie", &["Vary: Cookie"], &["Cookie: a=1"], &["Cookie: a=2"], Asked, "another cookie"),
    (
        "vary-cookie-match",
        &["Vary: Cookie"],
        &["Cookie: a=1"],
        &["Cookie: a=1"],
        Hit,
        "the same cookie",
    ),
    (
        "vary-user-agent",
        &["Vary: User-Agent"],
        &["User-Agent: one"],
        &["User-Agent: two"],
        Asked,
        "another agent",
    ),
    (
        "vary-origin",
        &["Vary: Origin"],
        &["Origin: http://a.test"],
        &["Origin: http://b.test"],
        Asked,
        "another origin",
    ),
];

const FRESH: &str = "Cache-Control: max-age=3600";

pub(crate) fn cases() -> Vec<Case> {
    let rows = ROWS.iter().map(|&(name, vary, first, second, reuse, why)| {
        let with = |lines: Lines| {
            let mut step = get().answer(ok([FRESH]).lines(vary));
            step.fields = lines.iter().map(|&line| line.to_owned()).collect();
            step
        };
        let second = with(second);
        case(name, "RFC 9111 §4.1", why).step(with(first).miss()).step(if reuse == Hit {
            second.hit(1)
        } else {
            second.miss()
        })
    });
    rows.chain(variants()).chain(codings()).collect()
}

/// A stored response without coding, and a request for which it is not selected. Asked about it, an upstream that codes
/// on the fly confirms it before it thinks of coding.
fn codings() -> impl Iterator<Item = Case> {
    let stored = || ok([FRESH, "Vary: Accept-Encoding", "ETag: \"plain\""]);
    let rows = [
        ("gzip", "gzip", false, "takes a coding"),
        ("several", "gzip, deflate, br", false, "takes several"),
        ("weighed", "identity;q=0.5, br;q=1.0", false, "would rather have one"),
        ("any", "*", false, "takes any"),
        ("identity", "identity;q=0.5", true, "takes none"),
    ];
    rows.into_iter().map(move |(name, codings, is_asked_about, why)| {
        let line = format!("Accept-Encoding: {codings}");
        let second = get().with([&line]);
        case(format!("vary-coding-{name}"), "RFC 9111 §4.1, §4.3.1", why)
            .step(get().answer(stored()).miss())
            .step(if is_asked_about {
                second.answer(not_modified(["ETag: \"plain\""])).status(200)
            } else {
                let coded = ["Vary: Accept-Encoding", "Content-Encoding: br"];
                second.answer(ok(coded)).miss().not_received("if-none-match")
            })
    })
}

fn variants() -> [Case; 7] {
    let citation = "RFC 9111 §4.1";
    let of = |value: &str| get().with([value]).answer(ok([FRESH, "Vary: X-A"]));
    let tagged = |value: &str, tag: &str| {
        let etag = format!("ETag: {tag}");
        get().with([value]).answer(ok([FRESH, "Vary: X-A", "Age: 7200", &etag]))
    };
    [
        case("variants", citation, "side by side")
            .step(of("X-A: 1").miss())
            .step(of("X-A: 2").miss().says("cache-status", "fwd=vary-miss"))
            .step(of("X-A: 3").miss())
            .step(of("X-A: 1").hit(1))
            .step(of("X-A: 2").hit(2))
            .step(of("X-A: 3").hit(3)),
        case("variants-other-names", citation, "each with the names that it came with")
            .step(get().with(["X-A: 1"]).answer(ok([FRESH, "Vary: X-A"])).miss())
            .step(get().with(["X-B: 1"]).answer(ok([FRESH, "Vary: X-A, X-B"])).miss())
            .step(get().with(["X-A: 1", "X-B: 2"]).hit(1))
            .step(get().with(["X-B: 1"]).hit(2))
            .step(get().with(["X-B: 3"]).answer(ok([FRESH])).miss()),
        case("variants-recent", "RFC 9111 §4", "of several that match the most recent")
            .step(get().answer(ok([FRESH, "Date: {now-600}"])).miss())
            .step(
                get()
                    .with(["X-A: 1", "Cache-Control: no-cache"])
                    .answer(ok([FRESH, "Vary: X-A", "Date: {now-60}"]))
                    .miss(),
            )
            .step(get().with(["X-A: 1"]).hit(2)),
        case("variants-older", "RFC 9111 §4", "the most recent by Date, not by arrival")
            .step(get().answer(ok([FRESH, "Date: {now-60}"])).miss())
            .step(
                get()
                    .with(["X-A: 1", "Cache-Control: no-cache"])
                    .answer(ok([FRESH, "Vary: X-A", "Date: {now-600}"]))
                    .miss(),
            )
            .step(get().with(["X-A: 1"]).hit(1)),
        case("unconfirmed-gives-way", "RFC 9111 §4.3.3", "though its Date is the later one")
            .step(
                get()
                    .answer(ok(["Cache-Control: no-cache", "ETag: \"a\"", "Date: {now+600}"]))
                    .miss(),
            )
            .step(
                get()
                    .answer(ok(["Cache-Control: no-cache", "ETag: \"b\""]))
                    .received("if-none-match", "\"a\"")
                    .miss(),
            )
            .step(get().answer(not_modified(["ETag: \"b\""])).confirmed(2)),
        case("variants-validated", "RFC 9111 §4.3.1", "others may be the right one, too")
            .step(tagged("X-A: 1", "\"a\"").miss())
            .step(
                get()
                    .with(["X-A: 2"])
                    .answer(not_modified([FRESH, "ETag: \"a\"", "Vary: X-A"]))
                    .confirmed(1)
                    .received("if-none-match", "\"a\""),
            )
            .step(get().with(["X-A: 2"]).hit(1)),
        case("variants-validated-several", "RFC 9111 §4.3.4", "the tag says which is meant")
            .step(tagged("X-A: 1", "\"a\"").miss())
            .step(tagged("X-A: 2", "\"b\"").miss())
            .step(
                get()
                    .with(["X-A: 3"])
                    .answer(not_modified([FRESH, "ETag: \"b\"", "Vary: X-A"]))
                    .confirmed(2),
            ),
    ]
}
