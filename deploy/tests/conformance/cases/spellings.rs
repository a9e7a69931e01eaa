//! One resource, asked for in other spellings of its URI. The key takes them for one, and the upstream may not, so what
//! it says to one of them must not harm the others: RFC 9110 §4.2.3, RFC 3986 §6.2.2, RFC 9111 §2, §7.1.

use crate::case::{Answer, Case, Check, Step, answer, case, get, head, not_modified, ok};

const FRESH: &str = "Cache-Control: max-age=3600";
const CITATION: &str = "RFC 9110 §4.2.3, RFC 9111 §7.1";

pub(crate) fn cases() -> Vec<Case> {
    hosts().into_iter().chain(errors()).chain(dots()).collect()
}

/// The Host that is sent is the one in the key.
fn hosts() -> Vec<Case> {
    let rows = [
        ("A.TEST:80", "a.test", "case and the default port"),
        ("A.Test", "a.test", "case"),
        ("a.test:", "a.test", "an empty port"),
        ("A.TEST:8080", "a.test:8080", "another port stays"),
    ];
    let row = |(number, (host, sent, why)): (usize, (&'static str, &'static str, &str))| {
        let asked = get().host(host).answer(ok([FRESH])).miss().received("host", sent);
        case(format!("host-sent-{number}"), CITATION, why)
            .step(asked)
            .step(get().host(sent).answer(ok([FRESH])).hit(1))
    };
    rows.into_iter().enumerate().map(row).collect()
}

/// An upstream that does not know another spelling says nothing about the usual one.
fn errors() -> Vec<Case> {
    let stored = || ok([FRESH, "Age: 7200", "ETag: \"abc\""]);
    let statuses = [301, 404, 405, 410, 414, 501].into_iter().map(|status| {
        case(format!("spelling-{status}"), CITATION, "not stored for the usual spelling")
            .step(get().at("/%61bout").answer(answer(status, [FRESH])).miss())
            .step(get().at("/about").answer(ok([FRESH])).miss())
            .step(get().at("/%61bout").hit(2))
    });
    let unlike = ["Cache-Control: no-store", "Cache-Control: max-age=3600"].into_iter().enumerate();
    let removed = unlike.map(|(number, control)| {
        case(format!("spelling-removes-{number}"), CITATION, "what is stored stays")
            .step(get().at("/about").answer(stored()).miss())
            .step(get().at("/%61bout").answer(answer(404, [control])).asked().status(404))
            .step(still_there("/about"))
    });
    statuses.chain(removed).collect()
}

/// What is stored, which is stale, is asked about and found.
fn still_there(suffix: &str) -> Step {
    get()
        .at(suffix)
        .answer(not_modified([FRESH, "ETag: \"abc\""]))
        .confirmed(1)
        .status(200)
        .received("if-none-match", "\"abc\"")
}

/// What is said to a path with dot segments changes nothing for the path that they lead to.
fn dots() -> Vec<Case> {
    let asked = || get().at("/x/../b").with(["If-None-Match: \"abc\""]);
    let confirmed = || asked().answer(not_modified([FRESH, "ETag: \"abc\""]));
    let gone: fn(&str) -> Answer = |control| answer(404, [control]);
    let rows: [(&str, Step, &str); 6] = [
        ("304", confirmed().asked().status(304), "a 304 freshens nothing"),
        ("404", get().at("/x/../b").answer(gone(FRESH)).miss(), "an error is not stored"),
        (
            "404-no-store",
            get().at("/x/../b").answer(gone("Cache-Control: no-store")).miss(),
            "nor does it remove anything",
        ),
        (
            "no-store",
            get().at("/x/../b").answer(ok(["Cache-Control: no-store"])).miss(),
            "no-store removes nothing",
        ),
        ("200", get().at("/x/../b").answer(ok([FRESH])).miss(), "a 200 is not stored"),
        (
            "head",
            head().at("/x/../b").answer(ok([FRESH, "ETag: \"other\""])).miss(),
            "a HEAD outdates nothing",
        ),
    ];
    let stale = || ok([FRESH, "Age: 7200", "ETag: \"abc\""]);
    let row = |(name, step, why): (&str, Step, &str)| {
        case(format!("dots-{name}"), CITATION, why)
            .step(get().at("/b").answer(stale()).miss())
            .step(step.check(Check::ReceivedLine(line(name))))
            .step(still_there("/b"))
            .step(get().at("/x/../b").hit(1))
    };
    rows.into_iter().map(row).collect()
}

/// What is sent of a path with dots: as the client has written it.
fn line(name: &str) -> String {
    let method = if name == "head" { "HEAD" } else { "GET" };
    format!("{method} {{path}}/x/../b HTTP/1.1")
}
