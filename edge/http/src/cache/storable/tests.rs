//! Tables of what may be stored.

use super::NotStorable::{
    Authorization, Cookie, Method, NoFreshnessNoValidator, NoStore, NotExplicit, Partial, Private,
    RequestContent, RequestNoStore, Status, VaryStar,
};
use super::*;
use crate::cache::directives::response_directives;
use crate::head::{Version, parse_fields};
use std::collections::HashSet;

type Outcome = Result<(), NotStorable>;

fn outcome(request: (&str, &str), status: u16, lines: &str) -> Outcome {
    outcome_by(&StoringRules::default(), request, status, lines)
}

fn outcome_by(
    rules: &StoringRules,
    (method, request_lines): (&str, &str),
    status: u16,
    lines: &str,
) -> Outcome {
    let (mut request_spans, mut spans) = (Vec::new(), Vec::new());
    let fields = parse_fields(request_lines.as_bytes(), &mut request_spans).unwrap();
    let request =
        RequestHead { method: method.as_bytes(), target: b"/", version: Version::Http11, fields };
    let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
    let response = ResponseHead { version: Version::Http11, status, reason: b"", fields };
    let now = UnixTime::from_seconds(784_111_777);
    storable(&request, &response, &response_directives(fields), rules, now)
}

const GET: (&str, &str) = ("GET", "");
const FRESH: &str = "Cache-Control: max-age=60\r\n";
const TAG: &str = "ETag: \"a\"\r\n";

#[test]
fn methods_and_statuses() {
    // RFC 9111 §3, §5.2.2.3; RFC 9110 §15.1
    let understand = "Cache-Control: must-understand, no-store, max-age=60\r\n";
    let rows: [(&str, u16, &str, Outcome, &str); 29] = [
        ("GET", 200, FRESH, Ok(()), "the usual case"),
        ("HEAD", 200, FRESH, Err(Method), "no content to store"),
        ("POST", 200, FRESH, Err(Method), "not implemented, as in most caches"),
        ("PUT", 201, FRESH, Err(Method), "RFC 9110 §9.3.4: not cacheable"),
        ("DELETE", 200, FRESH, Err(Method), "RFC 9110 §9.3.5: not cacheable"),
        ("OPTIONS", 200, FRESH, Err(Method), "RFC 9110 §9.3.7: not cacheable"),
        ("QUERY", 200, FRESH, Err(Method), "not understood"),
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
fn every_status() {
    // RFC 9110 §15. For the statuses of a row: what becomes of a response that is explicitly fresh, of one that has
    // must-understand besides, and of one that has only a validator.
    let understand = "Cache-Control: max-age=60, must-understand\r\n";
    let (by_default, explicit, never) = (
        [Ok(()), Ok(()), Ok(())],
        [Ok(()), Ok(()), Err(NotExplicit)],
        [Err(Status), Err(Status), Err(Status)],
    );
    let unknown = [Ok(()), Err(Status), Err(NotExplicit)];
    let rows: [(&[u16], [Outcome; 3], &str); 24] = [
        (&[100, 101, 102, 103, 104, 199], never, "§15.2: not final"),
        (&[200], by_default, "§15.3.1, §15.1"),
        (&[201, 202, 205], explicit, "§15.3.2, §15.3.3, §15.3.6"),
        (&[203, 204], by_default, "§15.3.4, §15.3.5, §15.1"),
        (&[206], [Err(Partial); 3], "§15.3.7: not asked for"),
        (&[300, 301, 308], by_default, "§15.4.1, §15.4.2, §15.4.9, §15.1"),
        (&[302, 303, 305, 307], explicit, "§15.4.3, §15.4.4, §15.4.6, §15.4.8"),
        (&[304], never, "§15.4.5: is about a stored response"),
        (&[306, 418], unknown, "§15.4.7, §15.5.19: unused"),
        (&[400, 401, 402, 403, 406, 409, 411], explicit, "§15.5.1 to §15.5.12"),
        (&[404, 405, 410, 414], by_default, "§15.5.5, §15.5.6, §15.5.11, §15.5.15, §15.1"),
        (&[407], never, "§15.5.8: this hop's, like what §3.1 of RFC 9111 lists"),
        (&[408, 421, 426], never, "§15.5.9, §15.5.20, §15.5.22: this connection's"),
        (&[412, 416, 417], never, "§15.5.13, §15.5.17, §15.5.18: conditions, Range, Expect"),
        (&[413, 415, 422], explicit, "§15.5.14, §15.5.16, §15.5.21: there was no content, though"),
        (&[425], never, "RFC 8470 §5.2: this connection's early data"),
        (&[428, 429, 431], never, "RFC 6585 §3, §4, §5: must not be stored"),
        (&[511], never, "RFC 6585 §6: must not be stored"),
        (&[451], by_default, "RFC 7725 §3"),
        (&[500, 502, 503, 504, 505], explicit, "§15.6.1 to §15.6.6"),
        (&[501], by_default, "§15.6.2, §15.1"),
        (&[207, 226, 299, 399, 423, 424], unknown, "§15: others' and nobody's"),
        (&[499, 506, 507, 508, 510, 599], unknown, "§15: others' and nobody's"),
        (&[600, 999], never, "§15: out of range"),
    ];
    for (statuses, expected, why) in rows {
        for &status in statuses {
            let outcomes = [FRESH, understand, TAG].map(|lines| outcome(GET, status, lines));
            assert_eq!(outcomes, expected, "{status}: {why}");
        }
    }
    let part = ("GET", "Range: bytes=0-9\r\n");
    for lines in [FRESH, understand, TAG] {
        assert_eq!(outcome(part, 206, lines), Ok(()), "§15.3.7, §15.1: asked for: {lines}");
        assert_eq!(outcome(part, 416, lines), Err(Status), "§15.5.17: about this Range");
    }
    assert_eq!(outcome(part, 200, FRESH), Ok(()), "§14.2: Range may be ignored");
}

#[test]
fn content_of_the_request() {
    // RFC 9110 §9.3.1, RFC 9112 §6
    let rows = [
        ("", Ok(()), "none"),
        ("Content-Length: 0\r\n", Ok(()), "none, and says so"),
        ("Content-Length: 5\r\n", Err(RequestContent), "not in the key"),
        ("Content-Length: x\r\n", Err(RequestContent), "unclear"),
        ("Transfer-Encoding: chunked\r\n", Err(RequestContent), "perhaps"),
    ];
    for (lines, expected, why) in rows {
        assert_eq!(outcome(("GET", lines), 200, FRESH), expected, "{why}");
    }
}

#[test]
fn directives() {
    // RFC 9111 §3, §5.2.2
    let rows: [(&str, Outcome, &str); 27] = [
        ("Cache-Control: max-age=60, no-store\r\n", Err(NoStore), "§5.2.2.5"),
        ("Cache-Control: max-age=60, private\r\n", Err(Private), "§5.2.2.7"),
        ("Cache-Control: private=\"a\", max-age=60\r\n", Ok(()), "§5.2.2.7: but for the field a"),
        ("Cache-Control: no-cache\r\nETag: \"a\"\r\n", Ok(()), "§5.2.2.4: may be stored"),
        ("Cache-Control: no-cache, max-age=60\r\n", Err(NoFreshnessNoValidator), "no use"),
        ("Cache-Control: max-age=60\r\nVary: *\r\n", Err(VaryStar), "§4.1"),
        ("Cache-Control: max-age=60\r\nVary: a, *\r\n", Err(VaryStar), "§4.1: in a list"),
        ("Cache-Control: max-age=60\r\nVary: a\r\n", Ok(()), "§4.1: a name"),
        ("Cache-Control: max-age=60\r\nSet-Cookie: a=b\r\n", Ok(()), "§7.3: no reason not to"),
        ("Cache-Control: no-store\r\nETag: \"a\"\r\n", Err(NoStore), "§5.2.2.5: for no use at all"),
        ("Cache-Control: public, no-store, max-age=60\r\n", Err(NoStore), "the stricter of two"),
        ("Cache-Control: public, private, max-age=60\r\n", Err(Private), "the stricter of two"),
        ("Cache-Control: max-age=60; private\r\n", Err(Private), "what restricts is not lost"),
        ("Cache-Control: private=\"a\", private, max-age=60\r\n", Err(Private), "§5.2.2.7: both"),
        ("Cache-Control: no-cache=\"a\", max-age=60\r\n", Ok(()), "§5.2.2.4: but for the field a"),
        ("Cache-Control: s-maxage=60, private\r\n", Err(Private), "§5.2.2.7: s-maxage or not"),
        (
            "Cache-Control: immutable\r\n",
            Err(NoFreshnessNoValidator),
            "RFC 8246: gives no lifetime",
        ),
        ("Cache-Control: must-revalidate, max-age=0\r\n", Ok(()), "§5.2.2.2: explicit"),
        ("Pragma: no-cache\r\nCache-Control: max-age=60\r\n", Ok(()), "§5.4: for requests"),
        ("Expires: 0\r\n", Ok(()), "§5.3: stale, but explicit"),
        ("Cache-Control: private\r\nCDN-Cache-Control: max-age=60\r\n", Ok(()), "RFC 9213 §2.2"),
        ("Cache-Control: max-age=60\r\nCDN-Cache-Control: no-store\r\n", Err(NoStore), "RFC 9213"),
        ("Cache-Control: max-age=60\r\nCDN-Cache-Control: private\r\n", Err(Private), "RFC 9213"),
        ("Cache-Control: no-store\r\nCDN-Cache-Control: A=1\r\n", Err(NoStore), "§2.1: invalid"),
        (
            "Expires: Sun, 06 Nov 2094 08:49:37 GMT\r\nCDN-Cache-Control: foo\r\n",
            Err(NoFreshnessNoValidator),
            "RFC 9213 §2.2: Expires is ignored",
        ),
        (
            "CDN-Cache-Control: max-age=60, must-understand, no-store\r\n",
            Ok(()),
            "RFC 9111 §5.2.2.3: understood",
        ),
        ("Vary: *\r\nETag: \"a\"\r\n", Err(VaryStar), "§4.1: whatever else it has"),
    ];
    for (lines, expected, why) in rows {
        assert_eq!(outcome(GET, 200, lines), expected, "{why}");
    }
}

#[test]
fn authorization_and_the_request() {
    // RFC 9111 §3.5, §5.2.1.5
    let authorized = "Authorization: Basic eA==\r\n";
    let rows: [(&str, &str, Outcome, &str); 12] = [
        (authorized, "max-age=60", Err(Authorization), "§3.5"),
        (authorized, "max-age=60, public", Ok(()), "§3.5: public"),
        (authorized, "max-age=60, must-revalidate", Ok(()), "§3.5: must-revalidate"),
        (authorized, "s-maxage=60", Ok(()), "§3.5: s-maxage"),
        (authorized, "max-age=60, proxy-revalidate", Err(Authorization), "§3.5: not listed"),
        (authorized, "s-maxage=0", Ok(()), "§3.5: even so; it is validated each time"),
        (authorized, "max-age=60, public, private", Err(Private), "§5.2.2.7 first"),
        ("Authorization:\r\n", "max-age=60", Err(Authorization), "§3.5: even an empty one"),
        ("Proxy-Authorization: x\r\n", "max-age=60", Ok(()), "§3.5: not about this one"),
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
fn authorization_and_targeted_directives() {
    // RFC 9111 §3.5, RFC 9213 §2.2
    let authorized = ("GET", "Authorization: Basic eA==\r\n");
    let rows: [(&str, Outcome, &str); 5] = [
        ("CDN-Cache-Control: max-age=60\r\n", Err(Authorization), "not said"),
        ("CDN-Cache-Control: max-age=60, public\r\n", Ok(()), "public"),
        ("CDN-Cache-Control: s-maxage=60\r\n", Ok(()), "s-maxage"),
        ("CDN-Cache-Control: max-age=60, must-revalidate\r\n", Ok(()), "must-revalidate"),
        (
            "CDN-Cache-Control: max-age=60\r\nCache-Control: public\r\n",
            Err(Authorization),
            "Cache-Control does not apply",
        ),
    ];
    for (lines, expected, why) in rows {
        assert_eq!(outcome(authorized, 200, lines), expected, "{why}");
    }
}

#[test]
fn cookies_of_the_request() {
    // RFC 9111 §3, §4.2.2; against cache deception
    let modified = "Last-Modified: Sun, 06 Nov 1994 07:00:00 GMT\r\n";
    let with_cookie = ("GET", "Cookie: id=1\r\n");
    let keyed = StoringRules { keyed_cookies: true, ..StoringRules::default() };
    let rows: [(&str, Outcome, &str); 11] = [
        ("", Err(Cookie), "only heuristics would make it fresh"),
        ("Cache-Control: max-age=60\r\n", Ok(()), "explicit"),
        ("Cache-Control: max-age=x\r\n", Ok(()), "explicit, though stale"),
        ("Cache-Control: public\r\n", Ok(()), "§5.2.2.9: is for all"),
        ("Cache-Control: no-cache\r\n", Ok(()), "§5.2.2.4: the origin is asked each time"),
        ("Cache-Control: no-cache=\"a\"\r\n", Err(Cookie), "§5.2.2.4: but not for this"),
        ("Cache-Control: must-revalidate\r\n", Err(Cookie), "§5.2.2.2: fresh until then"),
        ("Expires: 0\r\n", Ok(()), "explicit, though stale"),
        ("CDN-Cache-Control: foo\r\nExpires: 0\r\n", Err(Cookie), "RFC 9213 §2.2: is ignored"),
        ("Vary: Accept, COOKIE\r\n", Ok(()), "§4.1: the cookies select"),
        ("Vary: Accept\r\n", Err(Cookie), "§4.1: others do not"),
    ];
    for (lines, expected, why) in rows {
        let lines = format!("{modified}{lines}");
        assert_eq!(outcome(with_cookie, 200, &lines), expected, "{why}");
        assert_eq!(outcome(GET, 200, &lines), Ok(()), "without a cookie: {why}");
        assert_eq!(outcome_by(&keyed, with_cookie, 200, &lines), Ok(()), "in the key: {why}");
    }
}

#[test]
fn cookies_of_the_response() {
    // RFC 9111 §7.3
    use SetCookie::{Refuse, Store, Withhold};
    let refused = Err(NotStorable::SetCookie);
    let rows: [(SetCookie, &str, Outcome, &str); 11] = [
        (Store, "Cache-Control: max-age=60\r\nSet-Cookie: a=b\r\n", Ok(()), "§7.3"),
        (Store, "Cache-Control: public\r\nSet-Cookie: a=b\r\n", Ok(()), "§7.3"),
        (Store, "Cache-Control: no-cache\r\nSet-Cookie: a=b\r\n", Ok(()), "§7.3"),
        (Store, "Set-Cookie: a=b\r\n", refused, "nothing says that it is for all"),
        (Store, "", Ok(()), "there is none"),
        (Withhold, "Cache-Control: max-age=60\r\nSet-Cookie: a=b\r\n", Ok(()), "without it"),
        (Withhold, "Set-Cookie: a=b\r\n", Ok(()), "without it"),
        (Refuse, "Cache-Control: max-age=60\r\nSet-Cookie: a=b\r\n", refused, "the site says so"),
        (Refuse, "Cache-Control: max-age=60, public\r\nSet-Cookie: a=b\r\n", refused, "even so"),
        (
            Refuse,
            "Cache-Control: max-age=60, no-cache=\"set-cookie\"\r\nSet-Cookie: a=b\r\n",
            Ok(()),
            "RFC 9111 §5.2.2.4: it is not kept anyway",
        ),
        (Refuse, "Cache-Control: max-age=60\r\nSet-Cookie2: a=b\r\n", Ok(()), "another field"),
    ];
    for (set_cookie, lines, expected, why) in rows {
        let rules = StoringRules { set_cookie, ..StoringRules::default() };
        let lines = format!("{TAG}{lines}");
        assert_eq!(outcome_by(&rules, GET, 200, &lines), expected, "{lines}: {why}");
    }
    assert_eq!(StoringRules::default().set_cookie, Store);
}

#[test]
fn reasons_are_tokens_and_differ() {
    let reasons: HashSet<&str> = NotStorable::ALL.iter().map(|not| not.reason()).collect();
    assert_eq!(reasons.len(), NotStorable::ALL.len());
    assert!(reasons.iter().all(|reason| crate::fields::is_token(reason.as_bytes())));
}
