//! Conditional requests, as a cache answers them from what it has stored (RFC 9110 §13, RFC 9111 §4.3.2).

use crate::fields::trim_ows;
use crate::head::Fields;
use crate::time::{UnixTime, parse_http_date};
use crate::validator::{Validators, entity_tags, weak_match};

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

/// Evaluates the conditions of a request against the stored response that would answer it. The caller has made sure
/// that the answer would be a 2xx without them (RFC 9110 §13.2.1), and that it is the cache's to give (RFC 9111
/// §4.3.2).
///
/// If-Match and If-Unmodified-Since are left out of account: a cache MAY ignore them, since they are for an origin
/// (RFC 9110 §13.1.1, §13.1.4), and "are not applicable to a cache" (RFC 9111 §4.3.2).
#[must_use]
pub fn evaluate(
    method: &[u8],
    fields: Fields<'_>,
    validators: &Validators<'_>,
    now: UnixTime,
) -> Precondition {
    let is_read = matches!(method, b"GET" | b"HEAD");
    // RFC 9110 §13.2.2, step 3; when If-None-Match is present, step 4 does not apply whatever its outcome.
    if fields.contains("if-none-match") {
        return match (lists_tag(fields, validators.etag), is_read) {
            (false, _) => Precondition::Proceed,
            (true, true) => Precondition::NotModified,
            (true, false) => Precondition::Failed,
        };
    }
    // Step 4.
    if is_read && !is_modified_since(fields, validators, now) {
        return Precondition::NotModified;
    }
    Precondition::Proceed
}

/// RFC 9110 §13.1.2: whether If-None-Match is `*` or lists the tag, by weak comparison. A star among tags is not in the
/// grammar and no more than one of them: too much is sent then, never too little.
fn lists_tag(fields: Fields<'_>, etag: Option<&[u8]>) -> bool {
    let mut members = fields.all("if-none-match").flat_map(entity_tags).peekable();
    let first = members.next();
    if first == Some(b"*") && members.peek().is_none() {
        return true;
    }
    let matches = |member: &[u8]| etag.is_some_and(|etag| weak_match(member, trim_ows(etag)));
    first.into_iter().chain(members).any(matches)
}

/// RFC 9110 §13.1.3: ignored unless it is one valid date.
///
/// RFC 9111 §4.3.2: without a Last-Modified the Date stands in for it. One that is there but is no date means that
/// there is nothing to compare with.
fn is_modified_since(fields: Fields<'_>, validators: &Validators<'_>, now: UnixTime) -> bool {
    let mut lines = fields.all("if-modified-since");
    let (Some(since), None) = (lines.next(), lines.next()) else { return true };
    let modified = match validators.last_modified {
        Some(last_modified) => parse_http_date(trim_ows(last_modified), now),
        // Dates have whole seconds, the time of receipt has more.
        None => Some(UnixTime::from_seconds(validators.date.seconds())),
    };
    match (parse_http_date(since, now), modified) {
        (Some(since), Some(modified)) => modified > since,
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

    /// The outcome for a response with these validators and a Date of [`NOW`].
    fn outcome(
        method: &str,
        lines: &str,
        etag: Option<&str>,
        last_modified: Option<&str>,
    ) -> Precondition {
        let mut spans = Vec::new();
        let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
        let validators = Validators {
            etag: etag.map(str::as_bytes),
            last_modified: last_modified.map(str::as_bytes),
            date: UnixTime::from_milliseconds(NOW.milliseconds() + 999),
        };
        evaluate(method.as_bytes(), fields, &validators, NOW)
    }

    #[test]
    fn if_none_match() {
        // RFC 9110 §13.1.2
        let tag = Some(r#""a""#);
        let rows: [(&str, &str, Option<&str>, Precondition, &str); 22] = [
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
            ("GET", "If-None-Match: *\r\n", tag, NotModified, "any, with a tag"),
            ("GET", "If-None-Match: *, \"b\"\r\n", tag, Proceed, "a star among tags is malformed"),
            ("GET", "If-None-Match: \"b\", *\r\n", tag, Proceed, "wherever it is"),
            ("GET", "If-None-Match: *, \"a\"\r\n", tag, NotModified, "the tags still count"),
            ("GET", "If-None-Match: *\r\n", Some("*"), NotModified, "any, whatever the tag"),
            ("GET", "If-None-Match: a\r\n", tag, Proceed, "§8.8.3: quotes are part of the tag"),
            ("GET", "If-None-Match: a\r\n", Some("a"), NotModified, "its own value back"),
            ("GET", "If-None-Match: \"x,a\"\r\n", Some("a\""), Proceed, "a comma within a tag"),
            ("GET", "If-None-Match:\r\n", Some(""), Proceed, "nothing matches nothing"),
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
        let rows: [(&str, String, Option<&str>, Precondition, &str); 12] = [
            ("GET", line(MODIFIED), date, NotModified, "the same date"),
            ("HEAD", line(MODIFIED), date, NotModified, "HEAD likewise"),
            ("GET", line(LATER), date, NotModified, "a later date"),
            ("GET", line(EARLIER), date, Proceed, "modified since"),
            ("GET", line("yesterday"), date, Proceed, "an invalid date is ignored"),
            ("GET", line(""), date, Proceed, "an empty one too"),
            ("GET", line("Sunday, 06-Nov-94 08:49:37 GMT"), date, NotModified, "RFC 850 form"),
            ("GET", line("Sun Nov  6 08:49:37 1994"), date, NotModified, "asctime form"),
            ("GET", line(MODIFIED), Some("junk"), Proceed, "nothing valid to compare with"),
            ("POST", line(MODIFIED), date, Proceed, "GET and HEAD only"),
            ("GET", line(LATER) + &line(EARLIER), date, Proceed, "several are ignored"),
            (
                "GET",
                format!("If-Modified-Since: {LATER}, {LATER}\r\n"),
                date,
                Proceed,
                "a list too",
            ),
        ];
        for (method, lines, last_modified, expected, why) in rows {
            assert_eq!(outcome(method, &lines, None, last_modified), expected, "{why}");
        }
    }

    #[test]
    fn without_last_modified_the_date_counts() {
        // RFC 9111 §4.3.2
        for (since, expected, why) in [
            ("Sun, 06 Nov 1994 09:49:37 GMT", NotModified, "the second of the Date"),
            ("Sun, 06 Nov 1994 09:49:38 GMT", NotModified, "after it"),
            ("Sun, 06 Nov 1994 09:49:36 GMT", Proceed, "before it"),
            ("junk", Proceed, "no date"),
        ] {
            let line = format!("If-Modified-Since: {since}\r\n");
            assert_eq!(outcome("GET", &line, None, None), expected, "{why}");
        }
    }

    #[test]
    fn precedence() {
        // RFC 9110 §13.2.2
        let tag = Some(r#""a""#);
        let both = |tag: &str, date: &str| {
            format!("If-None-Match: {tag}\r\nIf-Modified-Since: {date}\r\n")
        };
        let rows: [(String, Precondition, &str); 6] = [
            (
                "If-None-Match: junk\r\n".to_owned() + &format!("If-Modified-Since: {LATER}\r\n"),
                Proceed,
                "whatever it says",
            ),
            (both("", LATER), Proceed, "even nothing"),
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
