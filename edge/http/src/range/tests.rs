//! Tables and properties of ranges.

use super::RangeOutcome::{Part, Unsatisfiable, Whole};
use super::*;
use crate::head::parse_fields;
use proptest::collection::vec;
use proptest::prelude::*;
use std::fmt::Write as _;

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const MODIFIED_AT: UnixTime = UnixTime::from_seconds(784_111_777);
const NOW: UnixTime = UnixTime::from_seconds(784_111_777 + 3_600);

fn outcome_with(lines: &str, length: u64, validators: &Validators<'_>) -> RangeOutcome {
    let mut spans = Vec::new();
    let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
    evaluate_range(fields, length, validators, NOW)
}

fn outcome(value: &str, length: u64) -> RangeOutcome {
    let validators = Validators { etag: None, last_modified: None, date: NOW };
    outcome_with(&format!("Range: {value}\r\n"), length, &validators)
}

fn parts(parts: &[(u64, u64)]) -> RangeOutcome {
    RangeOutcome::Parts(parts.into())
}

#[test]
fn one_range() {
    // RFC 9110 §14.1.2
    let rows: [(&str, u64, RangeOutcome, &str); 31] = [
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
        ("bytes=00-01", 10, Part { first: 0, last: 1 }, "leading zeros are digits"),
        ("bytes=10-", 10, Unsatisfiable, "the first that does not exist"),
        ("bytes=10-20", 10, Unsatisfiable, "beyond the end"),
        ("bytes=-0", 10, Unsatisfiable, "a suffix of nothing"),
        ("bytes=0-", 0, Unsatisfiable, "no octet in an empty content"),
        ("bytes=-0", 0, Unsatisfiable, "nothing of nothing"),
        ("bytes=-5", 0, Whole, "satisfiable, but nothing to name"),
        ("bytes=5-4", 10, Whole, "§14.1.1: invalid"),
        ("BYTES=1-2", 10, Part { first: 1, last: 2 }, "§14.1: units are case-insensitive"),
        ("lines=1-2", 10, Whole, "§14.2: an unknown unit is ignored"),
        ("bytes=1-2, ,", 10, Part { first: 1, last: 2 }, "§5.6.1.2: empty list members"),
        ("bytes= 1-2", 10, Part { first: 1, last: 2 }, "space around a list member"),
        ("bytes =1-2", 10, Whole, "but not after the unit"),
        ("bytes=1 - 2", 10, Whole, "nor within a range"),
        ("bytes=", 10, Whole, "empty"),
        ("bytes", 10, Whole, "no ranges"),
        ("bytes=-", 10, Whole, "no number"),
        ("bytes=--5", 10, Whole, "a sign"),
        ("bytes=0x1-2", 10, Whole, "not decimal"),
        ("bytes=18446744073709551616-", 10, Unsatisfiable, "an offset that overflows"),
        ("bytes=1-99999999999999999999999", 10, Part { first: 1, last: 9 }, "an end likewise"),
    ];
    for (value, length, expected, why) in rows {
        assert_eq!(outcome(value, length), expected, "{value}: {why}");
    }
    let validators = Validators { etag: None, last_modified: None, date: NOW };
    assert_eq!(outcome_with("", 10, &validators), Whole, "no Range");
    let twice = "Range: bytes=0-0\r\nRange: bytes=2-2\r\n";
    assert_eq!(outcome_with(twice, 10, &validators), Whole, "several lines are no valid Range");
}

#[test]
fn several_ranges() {
    // RFC 9110 §14.1.2, §14.2, §15.3.7.2
    let rows: [(&str, u64, RangeOutcome, &str); 24] = [
        ("bytes=0-0,-1", 10_000, parts(&[(0, 0), (9_999, 9_999)]), "first and last octet"),
        (
            "bytes= 0-999, 4500-5499, -1000",
            10_000,
            parts(&[(0, 999), (4_500, 5_499), (9_000, 9_999)]),
            "first, middle and last 1000",
        ),
        ("bytes=500-600,601-999", 10_000, Part { first: 500, last: 999 }, "touching"),
        ("bytes=500-700,601-999", 10_000, Part { first: 500, last: 999 }, "overlapping"),
        ("bytes=0-1,3-4", 10, parts(&[(0, 1), (3, 4)]), "a gap of one octet is a gap"),
        ("bytes=3-4,0-1", 10, parts(&[(3, 4), (0, 1)]), "in the order asked for"),
        ("bytes=0-0,2-2,0-3", 10, Part { first: 0, last: 3 }, "one that swallows the others"),
        ("bytes=0-3,1-2", 10, Part { first: 0, last: 3 }, "one that is swallowed"),
        ("bytes=0-1,0-1", 10, Part { first: 0, last: 1 }, "the same twice"),
        ("bytes=0-1,8-9,2-3", 10, parts(&[(0, 3), (8, 9)]), "joined where the first one was"),
        ("bytes=8-9,2-3,5-6,4-4", 10, parts(&[(8, 9), (2, 6)]), "a bridge joins two"),
        ("bytes=4-4,0-0,5-5,1-3", 10, Part { first: 0, last: 5 }, "joined again and again"),
        ("bytes=0-,0-,0-,0-", 10, Part { first: 0, last: 9 }, "§17.15: nothing is sent twice"),
        ("bytes=0-1,10-", 10, Part { first: 0, last: 1 }, "an unsatisfiable one is left out"),
        ("bytes=0-1,10-,-0,5-5", 10, parts(&[(0, 1), (5, 5)]), "several of them too"),
        ("bytes=10-,20-30,-0", 10, Unsatisfiable, "none is satisfiable"),
        ("bytes=0-1,20-30,-1", 0, Whole, "an empty content is the suffix of itself"),
        ("bytes=0-1,2-3", 0, Unsatisfiable, "no octet in an empty content"),
        ("bytes=0-1,5-4", 10, Whole, "§14.1.1: one invalid range spoils all"),
        ("bytes=0-1,x", 10, Whole, "likewise"),
        ("bytes=0-1;3-4", 10, Whole, "not a list"),
        ("bytes=0-1, bytes=3-4", 10, Whole, "one unit for all"),
        (
            "bytes=0-1,18446744073709551615-18446744073709551615",
            10,
            Part { first: 0, last: 1 },
            "the largest number",
        ),
        ("bytes=0-1,,\t3-4,", 10, parts(&[(0, 1), (3, 4)]), "§5.6.1.2: empty list members"),
    ];
    for (value, length, expected, why) in rows {
        assert_eq!(outcome(value, length), expected, "{value}: {why}");
    }
    assert_eq!(
        outcome("bytes=0-0,18446744073709551613-18446744073709551614", u64::MAX),
        parts(&[(0, 0), (u64::MAX - 2, u64::MAX - 1)]),
        "the longest content"
    );
}

#[test]
fn too_many_ranges_are_ignored() {
    // RFC 9110 §14.2, §17.15
    let ranges = |count: usize| {
        let mut value = String::from("bytes=");
        for index in 0..count {
            write!(value, "{0}-{0},", index * 2).unwrap();
        }
        value
    };
    let RangeOutcome::Parts(most) = outcome(&ranges(RANGES_MAX), 1_000) else {
        panic!("{RANGES_MAX} are answered")
    };
    assert_eq!(most.len(), RANGES_MAX);
    assert_eq!(outcome(&ranges(RANGES_MAX + 1), 1_000), Whole, "one more");
    assert_eq!(outcome(&ranges(RANGES_MAX + 1), 1), Whole, "even if most are unsatisfiable");
}

#[test]
fn if_range() {
    // RFC 9110 §8.8.2.2, §13.1.5
    let part = || Part { first: 0, last: 1 };
    let tag = Some(r#""a""#);
    let a_second_later = UnixTime::from_seconds(MODIFIED_AT.seconds() + 1);
    let rows: [(&str, Option<&str>, UnixTime, RangeOutcome, &str); 17] = [
        (r#""a""#, tag, NOW, part(), "the same tag"),
        (r#""a""#, tag, MODIFIED_AT, part(), "a tag needs no date"),
        (r#""b""#, tag, NOW, Whole, "another tag"),
        (r#"W/"a""#, tag, NOW, Whole, "weak: strong comparison is needed"),
        (r#"W/"a""#, Some(r#"W/"a""#), NOW, Whole, "both weak: likewise"),
        (r#""a""#, Some(r#"W/"a""#), NOW, Whole, "what is stored is weak"),
        (r#""a""#, None, NOW, Whole, "no tag to compare with"),
        ("a", Some("a"), NOW, Whole, "without quotes it is no tag"),
        ("*", tag, NOW, Whole, "not a validator here"),
        (MODIFIED, tag, NOW, part(), "the exact date"),
        (MODIFIED, None, a_second_later, part(), "§8.8.2.2: Date a second later makes it strong"),
        (MODIFIED, None, MODIFIED_AT, Whole, "§8.8.2.2: of this very second it is weak"),
        ("Sunday, 06-Nov-94 08:49:37 GMT", tag, NOW, part(), "§5.6.7: the same date"),
        ("Sun, 06 Nov 1994 08:49:38 GMT", tag, NOW, Whole, "later is not exact"),
        ("Sun, 06 Nov 1994 08:49:36 GMT", tag, NOW, Whole, "earlier neither"),
        ("junk", tag, NOW, Whole, "not a validator"),
        ("", tag, NOW, Whole, "empty"),
    ];
    let last_modified = Some(MODIFIED.as_bytes());
    for (validator, etag, date, expected, why) in rows {
        let lines = format!("Range: bytes=0-1\r\nIf-Range: {validator}\r\n");
        let validators = Validators { etag: etag.map(str::as_bytes), last_modified, date };
        assert_eq!(outcome_with(&lines, 10, &validators), expected, "{validator}: {why}");
    }
    let validators = Validators { etag: tag.map(str::as_bytes), last_modified, date: NOW };
    for (lines, why) in [
        ("Range: bytes=0-1\r\nIf-Range: \"a\"\r\nIf-Range: \"a\"\r\n", "several validators"),
        ("If-Range: \"a\"\r\n", "without a Range"),
        ("Range: bytes=20-\r\nIf-Range: \"b\"\r\n", "no 416 when the condition is false"),
        ("Range: bytes=0-1,4-5\r\nIf-Range: \"b\"\r\n", "several ranges likewise"),
    ] {
        assert_eq!(outcome_with(lines, 10, &validators), Whole, "{why}");
    }
    let junk = Validators { etag: None, last_modified: Some(b"junk"), date: NOW };
    let lines = "Range: bytes=0-1\r\nIf-Range: junk\r\n";
    assert_eq!(outcome_with(lines, 10, &junk), Whole, "equal, but no date");
}

/// The octets of an outcome, by their offsets.
fn octets(outcome: &RangeOutcome, length: u64) -> Vec<u64> {
    match outcome {
        Whole => (0..length).collect(),
        Part { first, last } => (*first..=*last).collect(),
        RangeOutcome::Parts(parts) => {
            parts.iter().flat_map(|&(first, last)| first..=last).collect()
        }
        Unsatisfiable => Vec::new(),
    }
}

proptest! {
    #[test]
    fn no_part_is_outside_the_content_or_twice_in_it(
        value in "(bytes=)?([0-9]{0,2}-[0-9]{0,2}, ?){0,20}", length in 0u64..100,
    ) {
        let outcome = outcome(&value, length);
        let mut sent = octets(&outcome, length);
        prop_assert!(sent.iter().all(|offset| *offset < length));
        sent.sort_unstable();
        prop_assert!(sent.windows(2).all(|pair| pair[0] != pair[1]));
        if let RangeOutcome::Parts(parts) = outcome {
            prop_assert!((2..=RANGES_MAX).contains(&parts.len()));
            prop_assert!(parts.iter().all(|(first, last)| first <= last));
        }
    }

    #[test]
    fn the_octets_asked_for_are_sent_and_no_others(
        ranges in vec((0u64..60, 0u64..8), 1..=RANGES_MAX), length in 1u64..50,
    ) {
        let specs: Vec<String> = ranges.iter().map(|(at, more)| format!("{at}-{}", at + more)).collect();
        let mut asked: Vec<u64> = ranges.iter().flat_map(|(at, more)| *at..=at + more).collect();
        asked.retain(|offset| *offset < length);
        asked.sort_unstable();
        asked.dedup();
        let outcome = outcome(&format!("bytes={}", specs.join(",")), length);
        prop_assert_eq!(outcome == Unsatisfiable, asked.is_empty());
        let mut sent = octets(&outcome, length);
        sent.sort_unstable();
        prop_assert_eq!(sent, asked);
    }

    #[test]
    fn ranges_apart_keep_their_order(order in Just((0u64..8).collect::<Vec<_>>()).prop_shuffle()) {
        let specs: Vec<String> = order.iter().map(|at| format!("{}-{}", at * 3, at * 3 + 1)).collect();
        let expected: Vec<(u64, u64)> = order.iter().map(|at| (at * 3, at * 3 + 1)).collect();
        prop_assert_eq!(outcome(&format!("bytes={}", specs.join(", ")), 100), parts(&expected));
    }

    #[test]
    fn any_octets_can_be_parsed(value: Vec<u8>, length: u64) {
        if let Some(ranges) = RangeSet::parse(&value) {
            let _ = ranges.within(length);
        }
    }
}
