//! Asking whether a stored response is still right, and what the answer changes (RFC 9111 §4.3).

use crate::fields::is_hop_by_hop;
use crate::head::Fields;
use crate::validator::{is_entity_tag, strong_match};

/// Writes the field lines of a stored response updated by those of a 304 (Not Modified) to `out`: RFC 9111 §3.2, and
/// §4.3.4.
///
/// Every field of the 304 replaces all stored lines of its name, but for Content-Length, which is that of the stored
/// content, and fields that must not be stored (§3.1). Stored Date and Age are dropped even when the 304 has none:
/// the response is as old as the 304 is, and a 304 without Date was made when it was received (RFC 9110 §6.6.1).
pub fn freshened(stored: Fields<'_>, not_modified: Fields<'_>, out: &mut Vec<u8>) {
    let updates = |name: &[u8]| !is_content_length(name) && !is_hop_by_hop(name, not_modified);
    let is_replaced = |name: &[u8]| {
        let is_time = name.eq_ignore_ascii_case(b"date") || name.eq_ignore_ascii_case(b"age");
        let is_same = |(other, _): (&[u8], &[u8])| other.eq_ignore_ascii_case(name);
        is_time || (updates(name) && not_modified.iter().any(is_same))
    };
    for (name, value) in stored.iter() {
        if !is_hop_by_hop(name, stored) && !is_replaced(name) {
            write_line(name, value, out);
        }
    }
    for (name, value) in not_modified.iter() {
        if updates(name) {
            write_line(name, value, out);
        }
    }
}

/// Whether a 304 may freshen this stored response (RFC 9111 §4.3.4): when it has a strong validator, only one that has
/// the same. Without one, the only response that was asked about is meant.
#[must_use]
pub fn identifies(stored: Fields<'_>, not_modified: Fields<'_>) -> bool {
    let is_strong = |tag: &&[u8]| is_entity_tag(tag) && !tag.starts_with(b"W/");
    match not_modified.first("etag").filter(is_strong) {
        Some(tag) => stored.first("etag").is_some_and(|stored| strong_match(stored, tag)),
        None => true,
    }
}

/// Appends the condition lines for validating a stored response (RFC 9111 §4.3.1): If-None-Match with its entity tag
/// and If-Modified-Since with its Last-Modified, each as the origin sent it and if it did.
pub fn write_conditions(stored: Fields<'_>, out: &mut Vec<u8>) {
    for (validator, condition) in
        [("etag", "if-none-match"), ("last-modified", "if-modified-since")]
    {
        if let Some(value) = stored.first(validator).filter(|value| !value.is_empty()) {
            write_line(condition.as_bytes(), value, out);
        }
    }
}

fn is_content_length(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"content-length")
}

fn write_line(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    for octets in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(octets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::parse_fields;
    use proptest::prelude::*;

    fn with<T>(stored: &str, other: &str, run: impl Fn(Fields<'_>, Fields<'_>) -> T) -> T {
        let (mut stored_spans, mut spans) = (Vec::new(), Vec::new());
        let stored = parse_fields(stored.as_bytes(), &mut stored_spans).unwrap();
        run(stored, parse_fields(other.as_bytes(), &mut spans).unwrap())
    }

    fn fresh(stored: &str, not_modified: &str) -> String {
        with(stored, not_modified, |stored, other| {
            let mut out = Vec::new();
            freshened(stored, other, &mut out);
            String::from_utf8(out).unwrap()
        })
    }

    #[test]
    fn fields_after_a_304() {
        // RFC 9111 §3.1, §3.2, §4.3.4
        let rows: [(&str, &str, &str, &str); 14] = [
            ("A: 1\r\n", "", "A: 1\r\n", "nothing new"),
            ("A: 1\r\n", "A: 2\r\n", "A: 2\r\n", "replaced"),
            ("A: 1\r\n", "a: 2\r\n", "a: 2\r\n", "whatever the case"),
            ("A: 1\r\n", "B: 2\r\n", "A: 1\r\nB: 2\r\n", "added"),
            ("A: 1\r\nA: 2\r\n", "A: 3\r\n", "A: 3\r\n", "all lines are replaced"),
            ("A: 1\r\n", "A: 2\r\nA: 3\r\n", "A: 2\r\nA: 3\r\n", "by all lines"),
            ("Content-Length: 5\r\n", "Content-Length: 0\r\n", "Content-Length: 5\r\n", "§3.2"),
            (
                "Content-Type: a\r\nContent-Encoding: b\r\n",
                "Content-Type: c\r\nContent-Encoding: d\r\n",
                "Content-Type: c\r\nContent-Encoding: d\r\n",
                "§3.2: excepted only where a cache stores what it has processed",
            ),
            ("A: 1\r\n", "Connection: a\r\nA: 2\r\n", "A: 1\r\n", "§3.1: named by Connection"),
            ("A: 1\r\n", "Keep-Alive: x\r\nTE: y\r\n", "A: 1\r\n", "§3.1: hop by hop"),
            ("Connection: a\r\nA: 1\r\n", "", "", "§3.1: should not have been stored"),
            ("A: 1\r\n", "Proxy-Authenticate: x\r\n", "A: 1\r\n", "§3.1: the proxy's"),
            ("Age: 9\r\nDate: x\r\n", "", "", "as old as the 304"),
            ("Age: 9\r\nDate: x\r\n", "Age: 1\r\nDate: y\r\n", "Age: 1\r\nDate: y\r\n", "its own"),
        ];
        for (stored, not_modified, expected, why) in rows {
            assert_eq!(fresh(stored, not_modified), expected, "{why}");
        }
    }

    #[test]
    fn which_response_a_304_is_about() {
        // RFC 9111 §4.3.4
        for (stored, not_modified, expected, why) in [
            ("ETag: \"a\"\r\n", "ETag: \"a\"\r\n", true, "the same strong tag"),
            ("ETag: \"a\"\r\n", "ETag: \"b\"\r\n", false, "another strong tag"),
            ("", "ETag: \"b\"\r\n", false, "a strong tag, and none to compare with"),
            ("ETag: W/\"a\"\r\n", "ETag: \"a\"\r\n", false, "a weak one is no strong one"),
            ("ETag: \"a\"\r\n", "", true, "no tag: what was asked about"),
            ("ETag: \"a\"\r\n", "ETag: W/\"b\"\r\n", true, "a weak tag says nothing"),
            ("ETag: a\r\n", "ETag: a\r\n", true, "nor does one without quotes"),
        ] {
            assert_eq!(with(stored, not_modified, identifies), expected, "{why}");
        }
    }

    #[test]
    fn conditions() {
        // RFC 9111 §4.3.1
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let modified = format!("Last-Modified: {date}\r\n");
        let since = format!("if-modified-since: {date}\r\n");
        for (stored, expected, why) in [
            ("", "", "no validator"),
            ("ETag: \"a\"\r\n", "if-none-match: \"a\"\r\n", "an entity tag"),
            ("ETag: W/\"a\"\r\n", "if-none-match: W/\"a\"\r\n", "a weak one"),
            ("ETag: a\r\n", "if-none-match: a\r\n", "as the origin sent it"),
            (&modified, &since, "a date"),
            (
                &format!("ETag: \"a\"\r\n{modified}"),
                &format!("if-none-match: \"a\"\r\n{since}"),
                "both",
            ),
            ("ETag:\r\n", "", "an empty tag is none"),
        ] {
            let mut spans = Vec::new();
            let mut out = Vec::new();
            write_conditions(parse_fields(stored.as_bytes(), &mut spans).unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), *expected, "{why}");
        }
    }

    fn lines() -> impl Strategy<Value = String> {
        let line = "(A|a|B|Date|Content-Length|Connection|TE): ?[ab]{0,2}\r\n";
        proptest::collection::vec(line, 0..6).prop_map(|lines| lines.concat())
    }

    proptest! {
        #[test]
        fn the_same_304_changes_nothing_the_second_time(
            stored in lines(), not_modified in lines(),
        ) {
            let once = fresh(&stored, &not_modified);
            prop_assert_eq!(fresh(&once, &not_modified), once);
        }
    }
}
