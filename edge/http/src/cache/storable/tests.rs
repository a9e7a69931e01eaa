//! Tables of what may be stored.

use super::NotStorable::{
    Authorization, Method, NoFreshnessNoValidator, NoStore, NotExplicit, Partial, Private,
    RequestNoStore, Status, VaryStar,
};
use super::*;
use crate::cache::directives::response_directives;
use crate::head::{Version, parse_fields};
use std::collections::HashSet;

type Outcome = Result<(), NotStorable>;

fn outcome(request: (&str, &str), status: u16, lines: &str) -> Outcome {
    let (mut request_spans, mut spans) = (Vec::new(), Vec::new());
    let (method, request_lines) = request;
    let fields = parse_fields(request_lines.as_bytes(), &mut request_spans).unwrap();
    let request =
        RequestHead { method: method.as_bytes(), target: b"/", version: Version::Http11, fields };
    let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
    let response = ResponseHead { version: Version::Http11, status, reason: b"", fields };
    let now = UnixTime::from_seconds(784_111_777);
    storable(&request, &response, &response_directives(fields), &StoringRules::default(), now)
}

const GET: (&str, &str) = ("GET", "");
const FRESH: &str = "Cache-Control: max-age=60\r\n";
const TAG: &str = "ETag: \"a\"\r\n";

#[test]
fn methods_and_statuses() {
    // RFC 9111 §3, §5.2.2.3; RFC 9110 §15.1
    let understand = "Cache-Control: must-understand, no-store, max-age=60\r\n";
    let rows: [(&str, u16, &str, Outcome, &str); 25] = [
        ("GET", 200, FRESH, Ok(()), "the usual case"),
        ("HEAD", 200, FRESH, Err(Method), "no content to store"),
        ("POST", 200, FRESH, Err(Method), "not implemented, as in most caches"),
        ("get", 200, FRESH, Err(Method), "RFC 9110 §9.1: methods are case-sensitive"),
        ("GET", 103, FRESH, Err(Status), "not final"),
        ("GET", 206, FRESH, Err(Partial), "§3.3: not as a whole one"),
        ("GET", 304, FRESH, Err(Status), "not a response to store"),
        ("GET", 404, FRESH, Ok(()), "an error that is explicit"),
        ("GET", 500, FRESH, Ok(()), "any final status that is explicit"),
        ("GET", 299, FRESH, Ok(()), "even one that nobody knows"),
        ("GET", 600, FRESH, Err(Status), "RFC 9110 §15: out of range"),
        ("GET", 200, TAG, Ok(()), "status allows heuristics; can be validated"),
        ("GET", 404, TAG, Ok(()), "likewise"),
        ("GET", 201, TAG, Err(NotExplicit), "status allows no heuristics"),
        ("GET", 302, TAG, Err(NotExplicit), "likewise"),
        ("GET", 500, TAG, Err(NotExplicit), "likewise"),
        ("GET", 302, "Cache-Control: public\r\nETag: x\r\n", Ok(()), "§5.2.2.9: public"),
        ("GET", 302, "Expires: 0\r\n", Ok(()), "Expires makes it explicit"),
        ("GET", 302, "Cache-Control: s-maxage=9\r\n", Ok(()), "s-maxage too"),
        ("GET", 200, "", Err(NoFreshnessNoValidator), "could never be used"),
        ("GET", 200, "Cache-Control: public\r\n", Err(NoFreshnessNoValidator), "nor this"),
        ("GET", 200, understand, Ok(()), "understood: no-store is disregarded"),
        ("GET", 299, understand, Err(Status), "not understood"),
        ("GET", 299, "Cache-Control: must-understand, max-age=9\r\n", Err(Status), "likewise"),
        ("GET", 200, "Cache-Control: max-age=x\r\n", Ok(()), "invalid, so stale, is explicit"),
    ];
    for (method, status, lines, expected, why) in rows {
        assert_eq!(outcome((method, ""), status, lines), expected, "{status}: {why}");
    }
}

#[test]
fn directives() {
    // RFC 9111 §3, §5.2.2
    let rows: [(&str, Outcome, &str); 9] = [
        ("Cache-Control: max-age=60, no-store\r\n", Err(NoStore), "§5.2.2.5"),
        ("Cache-Control: max-age=60, private\r\n", Err(Private), "§5.2.2.7"),
        ("Cache-Control: private=\"a\", max-age=60\r\n", Ok(()), "§5.2.2.7: but for the field a"),
        ("Cache-Control: no-cache\r\nETag: \"a\"\r\n", Ok(()), "§5.2.2.4: may be stored"),
        ("Cache-Control: no-cache, max-age=60\r\n", Err(NoFreshnessNoValidator), "no use"),
        ("Cache-Control: max-age=60\r\nVary: *\r\n", Err(VaryStar), "§4.1"),
        ("Cache-Control: max-age=60\r\nVary: a, *\r\n", Err(VaryStar), "§4.1: in a list"),
        ("Cache-Control: max-age=60\r\nVary: a\r\n", Ok(()), "§4.1: a name"),
        ("Cache-Control: max-age=60\r\nSet-Cookie: a=b\r\n", Ok(()), "§7.3: no reason not to"),
    ];
    for (lines, expected, why) in rows {
        assert_eq!(outcome(GET, 200, lines), expected, "{why}");
    }
}

#[test]
fn authorization_and_the_request() {
    // RFC 9111 §3.5, §5.2.1.5
    let authorized = "Authorization: Basic eA==\r\n";
    let rows: [(&str, &str, Outcome, &str); 8] = [
        (authorized, "max-age=60", Err(Authorization), "§3.5"),
        (authorized, "max-age=60, public", Ok(()), "§3.5: public"),
        (authorized, "max-age=60, must-revalidate", Ok(()), "§3.5: must-revalidate"),
        (authorized, "s-maxage=60", Ok(()), "§3.5: s-maxage"),
        (authorized, "max-age=60, proxy-revalidate", Err(Authorization), "§3.5: not listed"),
        ("Cache-Control: no-store\r\n", "max-age=60", Err(RequestNoStore), "§5.2.1.5"),
        ("Cache-Control: no-cache\r\n", "max-age=60", Ok(()), "§5.2.1.4: may be stored"),
        ("Pragma: no-cache\r\n", "max-age=60", Ok(()), "§5.4: likewise"),
    ];
    for (request, value, expected, why) in rows {
        let lines = format!("Cache-Control: {value}\r\n");
        assert_eq!(outcome(("GET", request), 200, &lines), expected, "{why}");
    }
}

#[test]
fn reasons_are_tokens_and_differ() {
    let reasons: HashSet<&str> = NotStorable::ALL.iter().map(|not| not.reason()).collect();
    assert_eq!(reasons.len(), NotStorable::ALL.len());
    assert!(reasons.iter().all(|reason| crate::fields::is_token(reason.as_bytes())));
}
