//! Validators: entity tags and how two of them are compared (RFC 9110 §8.8.3).

use crate::fields::trim_ows;
use crate::head::Fields;
use crate::time::{UnixTime, parse_http_date};
use core::time::Duration;

/// What the conditions of a request are compared with: the validators of one response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validators<'a> {
    /// Its ETag, as it was sent.
    pub etag: Option<&'a [u8]>,
    /// Its Last-Modified, as it was sent.
    pub last_modified: Option<&'a [u8]>,
    /// Its Date, or the time at which it was received if it has none (RFC 9110 §6.6.1).
    pub date: UnixTime,
}

/// A validator that changes whenever an octet does (RFC 9110 §8.8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrongValidator<'a> {
    /// An entity tag, with its quotes.
    Tag(&'a [u8]),
    /// A modification time that the response's Date shows to be strong (§8.8.2.2).
    LastModified(UnixTime),
}

impl<'a> Validators<'a> {
    /// Those of a response that was received at `received_at`. Of several lines the first counts.
    #[must_use]
    pub fn of(fields: Fields<'a>, received_at: UnixTime) -> Self {
        let date = fields.first("date").and_then(|date| parse_http_date(date, received_at));
        Self {
            etag: fields.first("etag"),
            last_modified: fields.first("last-modified"),
            date: date.unwrap_or(received_at),
        }
    }

    /// The strong validator by which octets of several responses may be put together (RFC 9110 §15.3.7.3).
    ///
    /// Where there is an entity tag it alone counts: an origin that sends a weak one says that the octets may differ,
    /// and a modification time is of no more use then (§13.1.5 forbids a client to prefer it, too).
    #[must_use]
    pub fn strong(&self) -> Option<StrongValidator<'a>> {
        match self.etag.map(trim_ows).filter(|etag| !etag.is_empty()) {
            Some(etag) => is_strong_tag(etag).then_some(StrongValidator::Tag(etag)),
            None => self.strong_last_modified().map(StrongValidator::LastModified),
        }
    }

    /// Last-Modified, if it is a strong validator: RFC 9110 §8.8.2.2 takes it as one when the Date is at least a second
    /// later. Where the origin sent both, its clock may be wrong, but it is one clock.
    #[must_use]
    pub fn strong_last_modified(&self) -> Option<UnixTime> {
        let last_modified = parse_http_date(trim_ows(self.last_modified?), self.date)?;
        (last_modified.plus(Duration::from_secs(1)) <= self.date).then_some(last_modified)
    }
}

/// An entity tag taken apart. `opaque` still has its quotes, if it had any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct EntityTag<'a> {
    weak: bool,
    opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// `W/` is case-sensitive (RFC 9110 §8.8.3), so `w/"x"` is an opaque word and not a weak tag.
    fn new(value: &'a [u8]) -> Self {
        match value.strip_prefix(b"W/") {
            Some(opaque) => Self { weak: true, opaque },
            None => Self { weak: false, opaque: value },
        }
    }

    /// Whether it has the quotes that the grammar asks for.
    fn is_quoted(self) -> bool {
        self.opaque.len() >= 2 && self.opaque.starts_with(b"\"") && self.opaque.ends_with(b"\"")
    }
}

/// Whether two entity tags are the same and neither is weak (RFC 9110 §8.8.3.2). Values without quotes are no entity
/// tags and never match: octets are put together on the strength of this.
#[must_use]
pub fn strong_match(left: &[u8], right: &[u8]) -> bool {
    let (left, right) = (EntityTag::new(left), EntityTag::new(right));
    !left.weak && !right.weak && left.is_quoted() && left.opaque == right.opaque
}

/// Whether two entity tags are the same, weak or not (RFC 9110 §8.8.3.2). Origins that forget the quotes get their
/// own value back, so values without quotes are compared as they are; an empty value matches nothing.
#[must_use]
pub fn weak_match(left: &[u8], right: &[u8]) -> bool {
    let (left, right) = (EntityTag::new(left), EntityTag::new(right));
    !left.opaque.is_empty() && left.opaque == right.opaque
}

/// Whether a field value is a weak or strong entity tag as the grammar has it (RFC 9110 §8.8.3).
#[must_use]
pub fn is_entity_tag(value: &[u8]) -> bool {
    let tag = EntityTag::new(value);
    tag.is_quoted() && !tag.opaque[1..tag.opaque.len() - 1].contains(&b'"')
}

/// Whether a field value is an entity tag that is not weak (RFC 9110 §8.8.3).
#[must_use]
pub fn is_strong_tag(value: &[u8]) -> bool {
    is_entity_tag(value) && !value.starts_with(b"W/")
}

/// The members of one line of If-None-Match or If-Match (RFC 9110 §13.1.2), `*` included. Unlike in other lists a
/// backslash within the quotes is an octet like any other, and a comma within them does not end the member.
pub fn entity_tags(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    EntityTags { rest: line }
}

struct EntityTags<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for EntityTags<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let is_separator = |octet: &u8| matches!(octet, b' ' | b'\t' | b',');
        let start = self.rest.iter().position(|octet| !is_separator(octet))?;
        let rest = &self.rest[start..];
        let end = end_of_member(rest);
        self.rest = &rest[end..];
        Some(trim_ows(&rest[..end]))
    }
}

/// The length of the member that `rest` begins with: up to the comma that is not within quotes.
fn end_of_member(rest: &[u8]) -> usize {
    let mut quoted = false;
    let end = rest.iter().position(|octet| {
        quoted ^= *octet == b'"';
        *octet == b',' && !quoted
    });
    end.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::parse_fields;
    use proptest::prelude::*;

    #[test]
    fn comparison_is_as_in_the_table_of_the_rfc() {
        // RFC 9110 §8.8.3.2, table 3, and what is met in the wild.
        let rows: [(&str, &str, bool, bool, &str); 9] = [
            (r#"W/"1""#, r#"W/"1""#, false, true, "both weak"),
            (r#"W/"1""#, r#"W/"2""#, false, false, "both weak, different"),
            (r#"W/"1""#, r#""1""#, false, true, "one weak"),
            (r#""1""#, r#""1""#, true, true, "both strong"),
            (r#""1""#, "1", false, false, "quotes are part of the tag"),
            ("1", "1", false, true, "an origin that forgets the quotes gets its value back"),
            (r#"w/"1""#, r#"W/"1""#, false, false, "W/ is case-sensitive"),
            ("", "", false, false, "nothing is no tag"),
            ("W/", "W/", false, false, "a weak nothing neither"),
        ];
        for (left, right, strong, weak, why) in rows {
            assert_eq!(strong_match(left.as_bytes(), right.as_bytes()), strong, "strong: {why}");
            assert_eq!(weak_match(left.as_bytes(), right.as_bytes()), weak, "weak: {why}");
        }
    }

    #[test]
    fn a_list_is_split_where_its_grammar_says() {
        // RFC 9110 §8.8.3: etagc includes comma and backslash; §5.6.1.2: empty members are skipped.
        let rows: [(&str, &[&str], &str); 10] = [
            (r#""a""#, &[r#""a""#], "one"),
            (r#""a", W/"b""#, &[r#""a""#, r#"W/"b""#], "two"),
            (r#""a","b" , "c""#, &[r#""a""#, r#""b""#, r#""c""#], "with and without spaces"),
            (r#""a,b", "c""#, &[r#""a,b""#, r#""c""#], "a comma within a tag"),
            (r#""a\", "b""#, &[r#""a\""#, r#""b""#], "a backslash does not escape"),
            (", ,\"a\",,", &[r#""a""#], "empty members"),
            ("*", &["*"], "any"),
            ("a, b", &["a", "b"], "no quotes"),
            (" \t,", &[], "nothing"),
            ("\x0c", &["\x0c"], "no other white space than space and tab"),
        ];
        for (line, expected, why) in rows {
            let members: Vec<&[u8]> = entity_tags(line.as_bytes()).collect();
            let expected: Vec<&[u8]> = expected.iter().map(|tag| tag.as_bytes()).collect();
            assert_eq!(members, expected, "{why}");
        }
    }

    #[test]
    fn an_entity_tag_has_quotes_around_and_none_within() {
        // RFC 9110 §8.8.3
        for (value, expected) in [
            (r#""a""#, true),
            (r#""""#, true),
            (r#"W/"a""#, true),
            (r#"w/"a""#, false),
            ("a", false),
            (r#"""#, false),
            (r#""a"b""#, false),
            ("", false),
        ] {
            assert_eq!(is_entity_tag(value.as_bytes()), expected, "{value}");
        }
    }

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const A_SECOND_LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const RECEIVED_AT: UnixTime = UnixTime::from_seconds(784_111_777 + 60);

    fn strong(lines: &str) -> Option<String> {
        let mut spans = Vec::new();
        let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
        let strong = Validators::of(fields, RECEIVED_AT).strong()?;
        Some(match strong {
            StrongValidator::Tag(tag) => String::from_utf8(tag.to_vec()).unwrap(),
            StrongValidator::LastModified(date) => date.seconds().to_string(),
        })
    }

    #[test]
    fn which_validators_are_strong() {
        // RFC 9110 §8.8.1, §8.8.2.2, §8.8.3, §6.6.1
        let modified = format!("Last-Modified: {DATE}\r\n");
        let dated = |date: &str| format!("{modified}Date: {date}\r\n");
        let rows: [(String, Option<&str>, &str); 13] = [
            (String::new(), None, "none"),
            ("ETag: \"a\"\r\n".to_owned(), Some("\"a\""), "a tag"),
            ("ETag: \"\"\r\n".to_owned(), Some("\"\""), "an empty one is one"),
            ("ETag: W/\"a\"\r\n".to_owned(), None, "a weak one"),
            ("ETag: a\r\n".to_owned(), None, "no tag without quotes"),
            ("ETag: \"a\", \"b\"\r\n".to_owned(), None, "one, not a list"),
            (dated(A_SECOND_LATER), Some("784111777"), "a Date a second later"),
            (dated(DATE), None, "a Date in the same second"),
            (dated("Sun, 06 Nov 1994 08:49:36 GMT"), None, "a Date that is earlier"),
            (modified.clone(), Some("784111777"), "the time of receipt stands for the Date"),
            (dated("junk"), Some("784111777"), "also for one that is none"),
            ("Last-Modified: junk\r\n".to_owned(), None, "no date"),
            (format!("ETag: W/\"a\"\r\n{}", dated(A_SECOND_LATER)), None, "the tag counts alone"),
        ];
        for (lines, expected, why) in rows {
            assert_eq!(strong(&lines).as_deref(), expected, "{why}");
        }
        let both = format!("ETag: \"a\"\r\n{}", dated(A_SECOND_LATER));
        assert_eq!(strong(&both).as_deref(), Some("\"a\""), "the tag counts first");
        assert_eq!(strong(&format!("ETag:\r\n{modified}")).as_deref(), Some("784111777"), "empty");
    }

    fn tag() -> impl Strategy<Value = Vec<u8>> {
        "(W/)?\"[ab,\\\\]{0,2}\"|[ab]{0,2}".prop_map(String::into_bytes)
    }

    proptest! {
        #[test]
        fn comparison_is_symmetric_and_strong_implies_weak(left in tag(), right in tag()) {
            prop_assert_eq!(strong_match(&left, &right), strong_match(&right, &left));
            prop_assert_eq!(weak_match(&left, &right), weak_match(&right, &left));
            prop_assert!(!strong_match(&left, &right) || weak_match(&left, &right));
        }

        #[test]
        fn comparison_is_transitive(a in tag(), b in tag(), c in tag()) {
            prop_assert!(!(weak_match(&a, &b) && weak_match(&b, &c)) || weak_match(&a, &c));
            prop_assert!(!(strong_match(&a, &b) && strong_match(&b, &c)) || strong_match(&a, &c));
        }

        #[test]
        fn what_is_joined_is_split_again(
            tags in proptest::collection::vec("(W/)?\"[a-c,\\\\]{0,3}\"", 0..5),
        ) {
            let line = tags.join(", ");
            let members: Vec<Vec<u8>> = entity_tags(line.as_bytes()).map(<[u8]>::to_vec).collect();
            let tags: Vec<Vec<u8>> = tags.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(members, tags);
        }

        #[test]
        fn any_octets_can_be_split(line: Vec<u8>) {
            prop_assert!(entity_tags(&line).all(|member| !member.is_empty()));
        }
    }
}
