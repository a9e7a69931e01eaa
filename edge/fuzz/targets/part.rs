//! Parts of a representation: what Content-Range says, and which octets two parts make together.

use super::input::Input;
use lastmile_http::cache::partial::{Combination, Part, combine, may_combine, part_of};
use lastmile_http::fields::parse_content_length;
use lastmile_http::head::{Fields, ResponseHead, Version, parse_fields};
use lastmile_http::range::RangeOutcome;
use lastmile_http::validator::Validators;

/// When both were received; an octet for the status; the field lines of both.
pub fn run(octets: &[u8]) {
    let mut input = Input::new(octets);
    let times = [input.time(), input.time()];
    let status = input.pick(&[206, 200]);
    let lines = [input.lines(), input.lines()];
    let (mut spans, mut other_spans) = (Vec::new(), Vec::new());
    let Ok(one) = parse_fields(&lines[0], &mut spans) else { return };
    let Ok(other) = parse_fields(&lines[1], &mut other_spans) else { return };
    let (first, second) = (part(status, one), part(status, other));
    let alike = may_combine((one, times[0]), (other, times[1]));
    assert_eq!(alike, may_combine((other, times[1]), (one, times[0])), "symmetric");
    if alike {
        let strong = |fields, time| Validators::of(fields, time).strong();
        assert!(strong(one, times[0]).is_some(), "RFC 9110 §15.3.7.3");
        assert_eq!(strong(one, times[0]), strong(other, times[1]));
    }
    if let (Some(first), Some(second)) = (first, second) {
        combined(first, second);
    }
}

/// RFC 9110 §14.4
fn part(status: u16, fields: Fields<'_>) -> Option<Part> {
    let head = ResponseHead { version: Version::Http11, status, reason: b"", fields };
    let length = parse_content_length(fields).ok()?;
    let part = part_of(&head, length).ok()?;
    assert_eq!(status, 206);
    assert!(part.first <= part.last && part.last < part.complete_length);
    assert!(length.is_none_or(|length| length == part.length()));
    let Part { first, last, complete_length } = part;
    let said = str::from_utf8(fields.first("content-range")?).expect("ASCII");
    let numbers = said.split(|letter: char| !letter.is_ascii_digit());
    let numbers: Vec<u64> = numbers.filter_map(|digits| digits.parse().ok()).collect();
    assert_eq!(numbers, [first, last, complete_length], "{said:?}");
    assert!(part.answers(&RangeOutcome::Part { first, last }));
    assert!(!part.answers(&RangeOutcome::Unsatisfiable), "RFC 9111 §3.3");
    assert_eq!(part.answers(&RangeOutcome::Whole), first == 0 && last == complete_length - 1);
    Some(part)
}

/// RFC 9110 §15.3.7.3
fn combined(one: Part, other: Part) {
    let made = combine(one, other);
    assert_eq!(made, combine(other, one), "symmetric");
    let joined = match made {
        Combination::Apart => {
            let touches = one.first <= other.last.saturating_add(1)
                && other.first <= one.last.saturating_add(1);
            return assert!(!touches || one.complete_length != other.complete_length);
        }
        Combination::Joined(part) => {
            assert!(!part.is_whole());
            part
        }
        Combination::Whole => {
            let complete_length = one.complete_length;
            Part { first: 0, last: complete_length - 1, complete_length }
        }
    };
    assert_eq!(joined.complete_length, other.complete_length);
    assert!(joined.contains(one.first, one.last) && joined.contains(other.first, other.last));
    let both = u128::from(one.length()) + u128::from(other.length());
    assert!(u128::from(joined.length()) <= both, "no octet that neither has");
}
