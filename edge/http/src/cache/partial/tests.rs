//! Tables and properties: what is stored of a part, and what two of them make.

use super::Combination::{Apart, Joined, Whole};
use super::*;
use crate::head::{Version, parse_fields};
use proptest::prelude::*;

const TAG: &str = "ETag: \"a\"\r\n";
const MODIFIED: &str = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
const RECEIVED_AT: UnixTime = UnixTime::from_seconds(784_111_777 + 60);

fn found(status: u16, lines: &str, content_length: Option<u64>) -> Option<Part> {
    let mut spans = Vec::new();
    let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
    let response = ResponseHead { version: Version::Http11, status, reason: b"", fields };
    match part_of(&response, content_length) {
        Ok(part) => Some(part),
        Err(reason) => {
            assert_eq!(reason, NotStorable::Partial);
            None
        }
    }
}

fn part(first: u64, last: u64, complete_length: u64) -> Part {
    Part { first, last, complete_length }
}

#[test]
fn content_range() {
    // RFC 9110 §14.4
    let rows: [(&str, Option<Part>, &str); 27] = [
        ("bytes 0-4/10", Some(part(0, 4, 10)), "the first five"),
        ("bytes 5-9/10", Some(part(5, 9, 10)), "the last five"),
        ("bytes 0-0/1", Some(part(0, 0, 1)), "everything"),
        ("BYTES 0-4/10", Some(part(0, 4, 10)), "§14.1: units are case-insensitive"),
        ("bytes 00-04/010", Some(part(0, 4, 10)), "leading zeros are digits"),
        (
            "bytes 0-18446744073709551614/18446744073709551615",
            Some(part(0, u64::MAX - 1, u64::MAX)),
            "the longest",
        ),
        ("bytes 0-4/*", None, "a complete length that nobody knows"),
        ("bytes */10", None, "unsatisfied"),
        ("bytes */*", None, "nothing at all"),
        ("bytes 5-4/10", None, "last before first"),
        ("bytes 0-10/10", None, "beyond the end"),
        ("bytes 0-0/0", None, "an octet of nothing"),
        ("bytes 0-4/4", None, "one too many"),
        ("bytes 0-4/18446744073709551616", None, "a length that overflows"),
        ("bytes 0-99999999999999999999/999999999999999999999", None, "both overflow"),
        ("bytes=0-4/10", None, "the form of Range"),
        ("bytes 0-4", None, "no complete length"),
        ("bytes 0-/10", None, "no last"),
        ("bytes -4/10", None, "no first"),
        ("bytes 0 - 4/10", None, "white space"),
        ("bytes 0-4 / 10", None, "white space"),
        ("bytes  0-4/10", None, "two spaces"),
        ("bytes 0/4-10", None, "in the wrong order"),
        ("bytes 0-4/10, bytes 5-9/10", None, "a list"),
        ("bytes +0-4/10", None, "a sign"),
        ("lines 0-4/10", None, "another unit"),
        ("", None, "empty"),
    ];
    for (value, expected, why) in rows {
        let lines = format!("{TAG}Content-Range: {value}\r\n");
        assert_eq!(found(206, &lines, None), expected, "{value}: {why}");
    }
}

#[test]
fn which_part_may_be_stored() {
    // RFC 9111 §3.3, §3.4; RFC 9110 §14.4, §15.3.7
    let range = "Content-Range: bytes 0-4/10\r\n";
    let tagged = format!("{TAG}{range}");
    let multipart = |case: &str| format!("{tagged}Content-Type: {case}; boundary=a\r\n");
    let rows: [(u16, String, Option<u64>, bool, &str); 13] = [
        (206, tagged.clone(), Some(5), true, "§14.4: one part, and its length"),
        (206, tagged.clone(), None, true, "no length announced"),
        (206, tagged.clone(), Some(4), false, "a length that is too short"),
        (206, tagged.clone(), Some(10), false, "the complete length in the wrong place"),
        (200, tagged.clone(), Some(5), false, "§14.4: Content-Range says nothing in a 200"),
        (416, tagged.clone(), Some(5), false, "nor in a 416 about a part"),
        (206, TAG.to_owned(), Some(5), false, "§15.3.7.1: no Content-Range"),
        (206, format!("{tagged}{range}"), Some(5), false, "several lines, although the same"),
        (206, multipart("multipart/byteranges"), None, false, "§15.3.7.2: several parts"),
        (206, multipart("Multipart/ByteRanges "), None, false, "in any case"),
        (206, multipart("multipart/mixed"), None, true, "the type of the whole"),
        (206, range.to_owned(), Some(5), true, "§3.3: no validator: of use alone"),
        (
            206,
            format!("{range}ETag: W/\"a\"\r\n"),
            Some(5),
            true,
            "§3.3: nor does a weak one matter",
        ),
    ];
    for (status, lines, content_length, expected, why) in rows {
        let expected = expected.then_some(part(0, 4, 10));
        assert_eq!(found(status, &lines, content_length), expected, "{why}");
    }
}

fn may(one: &str, other: &str) -> bool {
    let (mut spans, mut other_spans) = (Vec::new(), Vec::new());
    let one = parse_fields(one.as_bytes(), &mut spans).unwrap();
    let other = parse_fields(other.as_bytes(), &mut other_spans).unwrap();
    may_combine((one, RECEIVED_AT), (other, RECEIVED_AT))
}

#[test]
fn which_parts_may_be_combined() {
    // RFC 9110 §15.3.7.3, RFC 9111 §3.4
    let weak_date = format!("{MODIFIED}Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    let other_date = "Last-Modified: Sun, 06 Nov 1994 08:49:38 GMT\r\n";
    let both = format!("{TAG}{MODIFIED}");
    let gzip = format!("{TAG}Content-Encoding: gzip\r\n");
    let rows: [(&str, &str, bool, &str); 12] = [
        (TAG, TAG, true, "the same strong tag"),
        (TAG, "ETag: \"b\"\r\n", false, "another"),
        ("ETag: W/\"a\"\r\n", "ETag: W/\"a\"\r\n", false, "weak ones"),
        (TAG, "ETag: W/\"a\"\r\n", false, "one weak"),
        ("", "", false, "none"),
        (MODIFIED, MODIFIED, true, "the same strong date"),
        (MODIFIED, other_date, false, "another"),
        (MODIFIED, &weak_date, false, "one weak"),
        (TAG, MODIFIED, false, "of different kinds"),
        (&both, MODIFIED, false, "a tag on one side only"),
        (&gzip, TAG, false, "§8.8.3.3: one tag for two codings"),
        (&gzip, &gzip.replace("gzip", "GZIP"), true, "§8.4.1: codings in any case"),
    ];
    for (one, other, expected, why) in rows {
        assert_eq!(may(one, other), expected, "{why}");
        assert_eq!(may(other, one), expected, "the other way: {why}");
    }
}

#[test]
fn parts_are_combined() {
    // RFC 9110 §15.3.7.3
    let rows = [
        (part(0, 4, 20), part(5, 9, 20), Joined(part(0, 9, 20)), "touching"),
        (part(0, 4, 20), part(3, 9, 20), Joined(part(0, 9, 20)), "overlapping"),
        (part(0, 4, 20), part(6, 9, 20), Apart, "one octet is missing"),
        (part(0, 9, 20), part(3, 5, 20), Joined(part(0, 9, 20)), "one within the other"),
        (part(3, 5, 20), part(3, 5, 20), Joined(part(3, 5, 20)), "the same"),
        (part(0, 9, 20), part(10, 19, 20), Whole, "all octets"),
        (part(0, 19, 20), part(3, 4, 20), Whole, "one is all"),
        (part(0, 9, 20), part(10, 18, 20), Joined(part(0, 18, 20)), "all but the last"),
        (part(1, 9, 20), part(10, 19, 20), Joined(part(1, 19, 20)), "all but the first"),
        (part(0, 9, 20), part(10, 19, 21), Apart, "of different lengths"),
        (
            part(0, u64::MAX - 1, u64::MAX),
            part(u64::MAX - 1, u64::MAX - 1, u64::MAX),
            Whole,
            "the longest",
        ),
    ];
    for (one, other, expected, why) in rows {
        assert_eq!(combine(one, other), expected, "{why}");
        assert_eq!(combine(other, one), expected, "the other way: {why}");
    }
}

#[test]
fn what_a_part_answers() {
    // RFC 9111 §3.3
    let parts = |parts: &[(u64, u64)]| RangeOutcome::Parts(parts.into());
    for (stored, outcome, expected, why) in [
        (part(5, 9, 20), RangeOutcome::Part { first: 5, last: 9 }, true, "all of it"),
        (part(5, 9, 20), RangeOutcome::Part { first: 6, last: 8 }, true, "wholly within"),
        (part(5, 9, 20), RangeOutcome::Part { first: 4, last: 8 }, false, "begins before"),
        (part(5, 9, 20), RangeOutcome::Part { first: 6, last: 10 }, false, "ends after"),
        (part(5, 9, 20), parts(&[(5, 6), (8, 9)]), true, "each within"),
        (part(5, 9, 20), parts(&[(5, 6), (11, 12)]), false, "not each within"),
        (part(5, 9, 20), RangeOutcome::Whole, false, "not the whole"),
        (part(0, 19, 20), RangeOutcome::Whole, true, "a part that is the whole"),
        (part(0, 19, 20), RangeOutcome::Unsatisfiable, false, "not within anything"),
    ] {
        assert_eq!(stored.answers(&outcome), expected, "{why}");
    }
}

fn any_part() -> impl Strategy<Value = Part> {
    let complete_length = 30_u64;
    (0..complete_length, 0..complete_length)
        .prop_map(move |(a, b): (u64, u64)| part(a.min(b), a.max(b), complete_length))
}

proptest! {
    #[test]
    fn the_combination_is_the_union(one in any_part(), other in any_part()) {
        let has = |part: Part, offset: u64| part.contains(offset, offset);
        let combined = combine(one, other);
        prop_assert_eq!(combined, combine(other, one));
        let joined = match combined {
            Apart => {
                prop_assert!(one.last + 1 < other.first || other.last + 1 < one.first);
                return Ok(());
            }
            Joined(part) => part,
            Whole => part(0, 29, 30),
        };
        prop_assert_eq!(combined == Whole, joined.is_whole());
        for offset in 0..30 {
            prop_assert_eq!(has(joined, offset), has(one, offset) || has(other, offset));
        }
        let union: Vec<u64> = (0..30).filter(|offset| has(joined, *offset)).collect();
        prop_assert_eq!(union.len() as u64, joined.length());
    }

    #[test]
    fn what_is_written_is_read(one in any_part()) {
        let Part { first, last, complete_length } = one;
        let value = format!("bytes {first}-{last}/{complete_length}");
        prop_assert_eq!(parse_content_range(value.as_bytes()), Some(one));
    }

    #[test]
    fn no_part_read_is_outside_the_representation(value in "bytes [0-9]{0,3}-[0-9]{0,3}/[0-9]{0,3}") {
        if let Some(part) = parse_content_range(value.as_bytes()) {
            prop_assert!(part.first <= part.last && part.last < part.complete_length);
            prop_assert!(part.length() <= part.complete_length);
        }
    }

    #[test]
    fn any_octets_can_be_parsed(value: Vec<u8>) {
        let _ = parse_content_range(&value);
    }
}
