//! Range requests for octets of a whole representation (RFC 9110 §14).

use crate::fields::trim_ows;
use crate::head::Fields;
use crate::time::{UnixTime, parse_http_date};
use crate::validator::strong_match;
use std::time::Duration;

/// What a request's Range asks for, of a representation whose length is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeOutcome {
    /// There is no range that counts: send everything, 200 (OK).
    Whole,
    /// Send these octets, 206 (Partial Content).
    Part {
        /// Offset of the first octet.
        first: u64,
        /// Offset of the last octet, inclusive; less than the complete length.
        last: u64,
    },
    /// There is no such octet: 416 (Range Not Satisfiable).
    Unsatisfiable,
}

/// Evaluates Range and If-Range of a GET whose answer without them is a 200 of `complete_length` octets and these
/// validators.
///
/// A Range that is malformed, in another unit or in several field lines is ignored, as RFC 9110 §14.2 lets a server do
/// with any. So are several ranges at present: the client gets everything.
#[must_use]
pub fn evaluate_range(
    fields: Fields<'_>,
    complete_length: u64,
    etag: Option<&[u8]>,
    last_modified: Option<&[u8]>,
    now: UnixTime,
) -> RangeOutcome {
    let mut lines = fields.all("range");
    let (Some(line), None) = (lines.next(), lines.next()) else { return RangeOutcome::Whole };
    let Some(range) = parse_range(line) else { return RangeOutcome::Whole };
    // RFC 9110 §13.2.2, step 5: when the condition is false, the Range is ignored.
    if !if_range_holds(fields, etag, last_modified, now) {
        return RangeOutcome::Whole;
    }
    range.within(complete_length)
}

/// One range-spec (RFC 9110 §14.1.2). Numbers too large for a u64 are its maximum, which is beyond any content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RangeSpec {
    From { first: u64, last: Option<u64> },
    Suffix { length: u64 },
}

impl RangeSpec {
    fn within(self, complete_length: u64) -> RangeOutcome {
        match self {
            Self::From { first, .. } if first >= complete_length => RangeOutcome::Unsatisfiable,
            Self::From { first, last } => {
                let end = complete_length - 1;
                RangeOutcome::Part { first, last: last.map_or(end, |last| last.min(end)) }
            }
            Self::Suffix { length: 0 } => RangeOutcome::Unsatisfiable,
            // RFC 9110 §14.1.2: satisfiable, but Content-Range has no way to say "no octet".
            Self::Suffix { .. } if complete_length == 0 => RangeOutcome::Whole,
            Self::Suffix { length } => RangeOutcome::Part {
                first: complete_length.saturating_sub(length),
                last: complete_length - 1,
            },
        }
    }
}

/// The only range of a value in octets; `None` when there are several or the value is malformed.
fn parse_range(value: &[u8]) -> Option<RangeSpec> {
    let equals = value.iter().position(|&octet| octet == b'=')?;
    // RFC 9110 §14.1: range unit names are case-insensitive.
    if !value[..equals].eq_ignore_ascii_case(b"bytes") {
        return None;
    }
    let members = value[equals + 1..].split(|&octet| octet == b',').map(trim_ows);
    let mut members = members.filter(|member| !member.is_empty());
    let (Some(spec), None) = (members.next(), members.next()) else { return None };
    let dash = spec.iter().position(|&octet| octet == b'-')?;
    let (first, last) = (&spec[..dash], &spec[dash + 1..]);
    match (first, last) {
        (b"", length) => Some(RangeSpec::Suffix { length: parse_number(length)? }),
        (first, b"") => Some(RangeSpec::From { first: parse_number(first)?, last: None }),
        (first, last) => {
            let (first, last) = (parse_number(first)?, parse_number(last)?);
            // RFC 9110 §14.1.1: an int-range whose last is less than its first is invalid.
            (first <= last).then_some(RangeSpec::From { first, last: Some(last) })
        }
    }
}

fn parse_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add =
        |number: u64, digit: &u8| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(digits.iter().fold(0, add))
}

/// RFC 9110 §13.1.5: true without an If-Range; else by strong comparison of tags, or by the exact date if that is a
/// strong validator. §8.8.2.2 takes a date as strong when the response was made at least a second later; the time of
/// use stands in for the time it was made.
fn if_range_holds(
    fields: Fields<'_>,
    etag: Option<&[u8]>,
    last_modified: Option<&[u8]>,
    now: UnixTime,
) -> bool {
    let mut lines = fields.all("if-range");
    let Some(validator) = lines.next() else { return true };
    if lines.next().is_some() {
        return false;
    }
    if validator.contains(&b'"') {
        return etag.is_some_and(|etag| strong_match(validator, trim_ows(etag)));
    }
    let date = parse_http_date(validator, now);
    let last_modified = last_modified.and_then(|date| parse_http_date(date, now));
    let is_strong = |date: UnixTime| date.plus(Duration::from_secs(1)) <= now;
    date.is_some() && date == last_modified && date.is_some_and(is_strong)
}

#[cfg(test)]
mod tests {
    use super::RangeOutcome::{Part, Unsatisfiable, Whole};
    use super::*;
    use crate::head::parse_fields;
    use proptest::prelude::*;

    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const NOW: UnixTime = UnixTime::from_seconds(784_111_777 + 3_600);

    fn outcome(lines: &str, length: u64, etag: Option<&str>, now: UnixTime) -> RangeOutcome {
        let mut spans = Vec::new();
        let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
        let etag = etag.map(str::as_bytes);
        evaluate_range(fields, length, etag, Some(MODIFIED.as_bytes()), now)
    }

    #[test]
    fn one_range() {
        // RFC 9110 §14.1.2
        let rows: [(&str, u64, RangeOutcome, &str); 28] = [
            ("bytes=0-499", 10_000, Part { first: 0, last: 499 }, "the first 500 octets"),
            ("bytes=500-999", 10_000, Part { first: 500, last: 999 }, "the second 500"),
            ("bytes=-500", 10_000, Part { first: 9_500, last: 9_999 }, "the final 500"),
            ("bytes=9500-", 10_000, Part { first: 9_500, last: 9_999 }, "the same, open-ended"),
            ("bytes=0-0", 10, Part { first: 0, last: 0 }, "one octet"),
            ("bytes=-1", 10, Part { first: 9, last: 9 }, "the last octet"),
            ("bytes=0-", 10, Part { first: 0, last: 9 }, "everything is still a part"),
            ("bytes=5-100", 10, Part { first: 5, last: 9 }, "the end is clipped"),
            ("bytes=-100", 10, Part { first: 0, last: 9 }, "a suffix longer than everything"),
            ("bytes=9-", 10, Part { first: 9, last: 9 }, "the last that exists"),
            ("bytes=10-", 10, Unsatisfiable, "the first that does not"),
            ("bytes=10-20", 10, Unsatisfiable, "beyond the end"),
            ("bytes=-0", 10, Unsatisfiable, "a suffix of nothing"),
            ("bytes=0-", 0, Unsatisfiable, "no octet in an empty content"),
            ("bytes=-5", 0, Whole, "satisfiable, but nothing to name"),
            ("bytes=5-4", 10, Whole, "§14.1.1: invalid"),
            ("BYTES=1-2", 10, Part { first: 1, last: 2 }, "§14.1: units are case-insensitive"),
            ("lines=1-2", 10, Whole, "§14.2: an unknown unit is ignored"),
            ("bytes=1-2,4-5", 10, Whole, "several: everything"),
            ("bytes=1-2, ,", 10, Part { first: 1, last: 2 }, "empty list members"),
            ("bytes= 1-2", 10, Part { first: 1, last: 2 }, "space around a list member"),
            ("bytes=1 - 2", 10, Whole, "but not within"),
            ("bytes=", 10, Whole, "empty"),
            ("bytes", 10, Whole, "no ranges"),
            ("bytes=-", 10, Whole, "no number"),
            ("bytes=--5", 10, Whole, "a sign"),
            ("bytes=18446744073709551616-", 10, Unsatisfiable, "an offset that overflows"),
            ("bytes=1-99999999999999999999999", 10, Part { first: 1, last: 9 }, "an end likewise"),
        ];
        for (value, length, expected, why) in rows {
            assert_eq!(
                outcome(&format!("Range: {value}\r\n"), length, None, NOW),
                expected,
                "{why}"
            );
        }
        assert_eq!(outcome("", 10, None, NOW), Whole, "no Range");
        let twice = "Range: bytes=0-0\r\nRange: bytes=0-0\r\n";
        assert_eq!(outcome(twice, 10, None, NOW), Whole, "several lines are ignored");
    }

    #[test]
    fn if_range() {
        // RFC 9110 §13.1.5
        let part = Part { first: 0, last: 1 };
        let tag = Some(r#""a""#);
        let early = UnixTime::from_seconds(784_111_777);
        let rows: [(&str, Option<&str>, UnixTime, RangeOutcome, &str); 10] = [
            (r#""a""#, tag, NOW, part, "the same tag"),
            (r#""b""#, tag, NOW, Whole, "another tag"),
            (r#"W/"a""#, tag, NOW, Whole, "weak: strong comparison is needed"),
            (r#"W/"a""#, Some(r#"W/"a""#), NOW, Whole, "both weak: likewise"),
            (r#""a""#, None, NOW, Whole, "no tag to compare with"),
            (MODIFIED, tag, NOW, part, "the exact date"),
            (MODIFIED, tag, early, Whole, "§8.8.2.2: a date of this very second is weak"),
            ("Sun, 06 Nov 1994 08:49:38 GMT", tag, NOW, Whole, "later is not exact"),
            ("junk", tag, NOW, Whole, "not a validator"),
            ("", tag, NOW, Whole, "empty"),
        ];
        for (validator, etag, now, expected, why) in rows {
            let lines = format!("Range: bytes=0-1\r\nIf-Range: {validator}\r\n");
            assert_eq!(outcome(&lines, 10, etag, now), expected, "{why}");
        }
        let twice = "Range: bytes=0-1\r\nIf-Range: \"a\"\r\nIf-Range: \"a\"\r\n";
        assert_eq!(outcome(twice, 10, tag, NOW), Whole, "several validators");
        assert_eq!(outcome("If-Range: \"a\"\r\n", 10, tag, NOW), Whole, "without a Range");
        let beyond = "Range: bytes=20-\r\nIf-Range: \"b\"\r\n";
        assert_eq!(outcome(beyond, 10, tag, NOW), Whole, "no 416 when the condition is false");
    }

    proptest! {
        #[test]
        fn a_part_is_never_outside_the_content(value in "[ -~]{0,24}", length in 0u64..200) {
            if let Some(range) = parse_range(value.as_bytes())
                && let Part { first, last } = range.within(length)
            {
                prop_assert!(first <= last && last < length);
            }
        }

        #[test]
        fn a_range_that_fits_is_what_was_asked_for(first in 0u64..100, more in 0u64..100) {
            let range = parse_range(format!("bytes={first}-{}", first + more).as_bytes());
            let expected = Part { first, last: first + more };
            prop_assert_eq!(range.map(|range| range.within(200)), Some(expected));
        }

        #[test]
        fn any_octets_can_be_parsed(value: Vec<u8>) {
            let _ = parse_range(&value);
        }
    }
}
