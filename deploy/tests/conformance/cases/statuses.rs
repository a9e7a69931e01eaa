//! Which status codes are stored: RFC 9110 §15, RFC 9111 §3, §4.2.2.

use crate::case::{Case, Reuse, answer, case, get, twice};

const STATUSES: &[u16] = &[
    200, 201, 202, 203, 204, 299, 300, 301, 302, 303, 307, 308, 400, 403, 404, 405, 410, 414, 451,
    499, 500, 501, 502, 503, 504, 599,
];

/// RFC 9110 §15.1, and 451 by RFC 7725 §3.
const HEURISTIC: &[u16] = &[200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 451, 501];

/// Those that are about one request or connection (RFC 6585 §3 to §6, RFC 9110 §15.5).
const NEVER: &[(u16, &str, &str)] = &[
    (304, "RFC 9111 §3", "it stands for another response"),
    (412, "RFC 9110 §15.5.13", "the conditions are in no key"),
    (416, "RFC 9110 §15.5.17", "nor is the range"),
    (417, "RFC 9110 §15.5.18", "nor what was expected"),
    (421, "RFC 9110 §15.5.20", "it is about the connection"),
    (425, "RFC 8470 §5.2", "it is about the handshake"),
    (428, "RFC 6585 §3", "MUST NOT be stored"),
    (429, "RFC 6585 §4", "MUST NOT be stored"),
    (431, "RFC 6585 §5", "MUST NOT be stored"),
    (511, "RFC 6585 §6", "MUST NOT be stored"),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for &status in STATUSES {
        let row = |kind: &str, citation, why| (format!("status-{status}-{kind}"), citation, why);
        let fresh = ["Cache-Control: max-age=3600"];
        let why = "explicit: any final status may be stored";
        cases.push(twice(row("fresh", "RFC 9111 §3", why), status, &fresh, Reuse::Hit));
        let stale = ["Cache-Control: max-age=3600", "Age: 7200"];
        let why = "stale: must not be used without validation";
        cases.push(twice(row("stale", "RFC 9111 §4", why), status, &stale, Reuse::Asked));
        let old = ["Last-Modified: {now-864000}"];
        let allowed = HEURISTIC.contains(&status);
        let reuse = if allowed { Reuse::Hit } else { Reuse::Asked };
        let why = "nothing explicit: as the status allows";
        cases.push(twice(row("heuristic", "RFC 9111 §4.2.2", why), status, &old, reuse));
        let nothing = ["X-Nothing: at all"];
        let why = "neither a lifetime nor anything to guess it from";
        cases.push(twice(row("bare", "RFC 9111 §4.2.2", why), status, &nothing, Reuse::Asked));
    }
    for &(status, citation, why) in NEVER.iter().filter(|(status, ..)| *status != 304) {
        let name = format!("status-{status}-never");
        let fresh = ["Cache-Control: max-age=3600"];
        cases.push(twice((name, citation, why), status, &fresh, Reuse::Asked));
    }
    cases.push(
        case("status-304-unasked", "RFC 9111 §3", "it stands for nothing that is stored")
            .step(get().answer(answer(304, ["Cache-Control: max-age=3600", "ETag: \"a\""])))
            .step(get().answer(answer(200, [])).miss()),
    );
    cases.extend(public());
    cases.extend(must_understand());
    cases
}

/// RFC 9111 §4.2.2: statuses that no heuristic is for, explicitly marked as cacheable.
fn public() -> Vec<Case> {
    let row = |status: u16| {
        let name = format!("status-{status}-public");
        let fields = ["Cache-Control: public", "Last-Modified: {now-864000}"];
        let why = "public makes heuristics possible";
        twice((name, "RFC 9111 §4.2.2, §5.2.2.9", why), status, &fields, Reuse::Hit)
    };
    [201, 302, 307, 400, 403, 500, 599].into_iter().map(row).collect()
}

/// RFC 9111 §5.2.2.3
fn must_understand() -> Vec<Case> {
    let rows: &[(u16, &str, Reuse, &str)] = &[
        (200, "max-age=3600, must-understand", Reuse::Hit, "200 is understood"),
        (404, "max-age=3600, must-understand", Reuse::Hit, "404 is understood"),
        (299, "max-age=3600, must-understand", Reuse::Asked, "299 is not"),
        (499, "max-age=3600, must-understand", Reuse::Asked, "499 is not"),
        (599, "must-understand, max-age=3600", Reuse::Asked, "599 is not, whatever the order"),
        (599, "max-age=3600, no-store, must-understand", Reuse::Asked, "nor with no-store"),
    ];
    let case = |(number, (status, directives, reuse, why)): (usize, &(u16, &str, Reuse, &str))| {
        let name = format!("must-understand-{status}-{number}");
        let line = format!("Cache-Control: {directives}");
        twice((name, "RFC 9111 §5.2.2.3", why), *status, &[&line], *reuse)
    };
    rows.iter().enumerate().map(case).collect()
}
