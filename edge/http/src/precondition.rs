//! Conditional requests, as a cache answers them from what it has stored (RFC 9110 §13, RFC 9111 §4.3.2).

use crate::fields::trim_ows;
use crate::head::Fields;
use crate::time::{UnixTime, parse_http_date};
use crate::validator::{entity_tags, weak_match};

/// What the conditions of a request say about the response that would be sent without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// There is no condition, or it holds: send the response.
    Proceed,
    /// The client has it already: 304 (Not Modified).
    NotModified,
    /// The condition fails for a method that 304 is not for: 412 (Precondition Failed).
    Failed,
}

/// Whether the request has a condition of any kind. If-Range is not one: it only says what Range means.
#[must_use]
pub fn is_conditional(fields: Fields<'_>) -> bool {
    const CONDITIONS: [&str; 4] =
        ["if-none-match", "if-modified-since", "if-match", "if-unmodified-since"];
    CONDITIONS.iter().any(|name| fields.contains(name))
}

/// Evaluates the conditions of a request against a stored response with these validators. The caller has made sure
/// that the response would be a 2xx without them (RFC 9110 §13.2.1).
///
/// If-Match and If-Unmodified-Since are for the origin: "can be ignored by caches and intermediaries because it is not
/// applicable to a stored response" (RFC 9110 §13.1.1, §13.1.4; RFC 9111 §4.3.2).
#[must_use]
pub fn evaluate(
    method: &[u8],
    fields: Fields<'_>,
    etag: Option<&[u8]>,
    last_modified: Option<&[u8]>,
    now: UnixTime,
) -> Precondition {
    let is_read = matches!(method, b"GET" | b"HEAD");
    // RFC 9110 §13.2.2, step 3; when If-None-Match is present, step 4 does not apply whatever its outcome.
    if fields.contains("if-none-match") {
        return match (lists_tag(fields, etag), is_read) {
            (false, _) => Precondition::Proceed,
            (true, true) => Precondition::NotModified,
            (true, false) => Precondition::Failed,
        };
    }
    // Step 4.
    if is_read && !is_modified_since(fields, last_modified, now) {
        return Precondition::NotModified;
    }
    Precondition::Proceed
}

/// RFC 9110 §13.1.2: whether If-None-Match is `*` or lists the tag, by weak comparison.
fn lists_tag(fields: Fields<'_>, etag: Option<&[u8]>) -> bool {
    let matches = |member: &[u8]| {
        member == b"*" || etag.is_some_and(|etag| weak_match(member, trim_ows(etag)))
    };
    fields.all("if-none-match").flat_map(entity_tags).any(matches)
}

/// RFC 9110 §13.1.3: ignored unless it is one valid date, and when there is nothing to compare it with.
fn is_modified_since(fields: Fields<'_>, last_modified: Option<&[u8]>, now: UnixTime) -> bool {
    let mut lines = fields.all("if-modified-since");
    let (Some(since), None) = (lines.next(), lines.next()) else { return true };
    let since = parse_http_date(since, now);
    let last_modified = last_modified.and_then(|date| parse_http_date(date, now));
    match (since, last_modified) {
        (Some(since), Some(last_modified)) => last_modified > since,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::Precondition::{Failed, NotModified, Proceed};
    use super::*;
    use crate::head::parse_fields;

    const NOW: UnixTime = UnixTime::from_seconds(784_111_777 + 3_600);
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn outcome(method: &str, lines: &str, etag: Option<&str>, date: Option<&str>) -> Precondition {
        let mut spans = Vec::new();
        let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
        let etag = etag.map(str::as_bytes);
        evaluate(method.as_bytes(), fields, etag, date.map(str::as_bytes), NOW)
    }

    #[test]
    fn if_none_match() {
        // RFC 9110 §13.1.2
        let tag = Some(r#""a""#);
        let rows: [(&str, &str, Option<&str>, Precondition, &str); 13] = [
            ("GET", "", tag, Proceed, "no condition"),
            ("GET", "If-None-Match: \"a\"\r\n", tag, NotModified, "the same tag"),
            ("HEAD", "If-None-Match: \"a\"\r\n", tag, NotModified, "HEAD likewise"),
            ("PUT", "If-None-Match: \"a\"\r\n", tag, Failed, "304 is for GET and HEAD only"),
            ("PUT", "If-None-Match: *\r\n", None, Failed, "there is something already"),
            ("GET", "If-None-Match: \"b\"\r\n", tag, Proceed, "another tag"),
            ("GET", "If-None-Match: W/\"a\"\r\n", tag, NotModified, "weak comparison"),
            ("GET", "If-None-Match: \"a\"\r\n", Some("W/\"a\""), NotModified, "the other way"),
            ("GET", "If-None-Match: *\r\n", None, NotModified, "any"),
            ("GET", "If-None-Match: \"b\", \"a\"\r\n", tag, NotModified, "last of a list"),
            ("GET", "If-None-Match: \"b\"\r\nIf-None-Match: \"a\"\r\n", tag, NotModified, "lines"),
            ("GET", "If-None-Match: \"a\"\r\n", None, Proceed, "nothing to compare with"),
            ("GET", "If-None-Match: \"*\"\r\n", tag, Proceed, "a star in quotes is a tag"),
        ];
        for (method, lines, etag, expected, why) in rows {
            assert_eq!(outcome(method, lines, etag, None), expected, "{why}");
        }
    }

    #[test]
    fn if_modified_since() {
        // RFC 9110 §13.1.3
        let line = |date: &str| format!("If-Modified-Since: {date}\r\n");
        let date = Some(MODIFIED);
        let rows: [(&str, String, Option<&str>, Precondition, &str); 9] = [
            ("GET", line(MODIFIED), date, NotModified, "the same date"),
            ("GET", line(LATER), date, NotModified, "a later date"),
            ("GET", line(EARLIER), date, Proceed, "modified since"),
            ("GET", line("yesterday"), date, Proceed, "an invalid date is ignored"),
            ("GET", line("Sunday, 06-Nov-94 08:49:37 GMT"), date, NotModified, "RFC 850 form"),
            ("GET", line(MODIFIED), None, Proceed, "nothing to compare with"),
            ("GET", line(MODIFIED), Some("junk"), Proceed, "nothing valid to compare with"),
            ("POST", line(MODIFIED), date, Proceed, "GET and HEAD only"),
            ("GET", line(LATER) + &line(EARLIER), date, Proceed, "several are ignored"),
        ];
        for (method, lines, last_modified, expected, why) in rows {
            assert_eq!(outcome(method, &lines, None, last_modified), expected, "{why}");
        }
    }

    #[test]
    fn precedence() {
        // RFC 9110 §13.2.2
        let tag = Some(r#""a""#);
        let both = |tag: &str, date: &str| {
            format!("If-None-Match: {tag}\r\nIf-Modified-Since: {date}\r\n")
        };
        let rows: [(String, Precondition, &str); 4] = [
            (both("\"b\"", LATER), Proceed, "If-None-Match alone counts, and says send"),
            (both("\"a\"", EARLIER), NotModified, "If-None-Match alone counts, and says 304"),
            ("If-Match: \"b\"\r\n".to_owned(), Proceed, "§13.1.1: not for a cache"),
            (format!("If-Unmodified-Since: {EARLIER}\r\n"), Proceed, "§13.1.4: not for a cache"),
        ];
        for (lines, expected, why) in rows {
            assert_eq!(outcome("GET", &lines, tag, Some(MODIFIED)), expected, "{why}");
        }
    }

    #[test]
    fn a_request_is_conditional_by_its_fields() {
        // RFC 9110 §13.1
        for (lines, expected) in [
            ("", false),
            ("If-None-Match: *\r\n", true),
            ("if-modified-since: x\r\n", true),
            ("If-Match: *\r\n", true),
            ("If-Unmodified-Since: x\r\n", true),
            ("If-Range: \"a\"\r\n", false),
        ] {
            let mut spans = Vec::new();
            let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
            assert_eq!(is_conditional(fields), expected, "{lines}");
        }
    }
}
