//! Ranges: which octets are sent, and how several parts are framed.

use super::input::Input;
use super::reading::trimmed;
use lastmile_http::head::{Fields, parse_fields};
use lastmile_http::multipart::Multipart;
use lastmile_http::range::{RANGES_MAX, RangeOutcome, evaluate_range};
use lastmile_http::validator::Validators;

/// Not in the contents below, which have nothing but `a` to `y`.
const BOUNDARY: &str = "ZZZZZZZZZZZZZZZZZZZZ";
/// Up to here octets are counted one by one.
const COUNTED_MAX: u64 = 4096;

/// The length of the content; the time now and the response's Date; its ETag, Last-Modified and Content-Type; the
/// request's field lines.
pub fn run(octets: &[u8]) {
    let mut input = Input::new(octets);
    let length = input.number();
    let (now, date) = (input.time(), input.time());
    let (etag, last_modified) = (input.part(), input.part());
    let content_type = input.part();
    let lines = input.lines();
    let mut spans = Vec::new();
    let Ok(fields) = parse_fields(&lines, &mut spans) else { return };
    let validators = Validators { etag: Some(etag), last_modified: Some(last_modified), date };
    let outcome = evaluate_range(fields, length, &validators, now);
    let parts = match &outcome {
        RangeOutcome::Whole => vec![],
        RangeOutcome::Part { first, last } => vec![(*first, *last)],
        RangeOutcome::Parts(parts) => {
            assert!((2..=RANGES_MAX).contains(&parts.len()));
            parts.to_vec()
        }
        RangeOutcome::Unsatisfiable => vec![],
    };
    assert!(parts.iter().all(|(first, last)| first <= last && *last < length), "within");
    let mut sorted = parts.clone();
    sorted.sort_unstable();
    let is_apart = sorted.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0);
    assert!(is_apart, "no octet is sent twice, and none that touch are sent apart: {parts:?}");
    if length <= COUNTED_MAX {
        assert_octets(fields, length, &outcome, &parts);
        if parts.len() > 1 {
            assert_framed(&parts, length, (!content_type.is_empty()).then_some(content_type));
        }
    }
}

/// Exactly the octets that were asked for, by a reading that knows nothing of the other one (RFC 9110 §14.1.2).
fn assert_octets(fields: Fields<'_>, length: u64, outcome: &RangeOutcome, parts: &[(u64, u64)]) {
    let mut lines = fields.all("range");
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return assert_eq!(*outcome, RangeOutcome::Whole);
    };
    if fields.contains("if-range") {
        return;
    }
    let Some(asked) = asked(line, length) else {
        return assert_eq!(*outcome, RangeOutcome::Whole, "malformed: ignored");
    };
    let sent = |offset: u64| parts.iter().any(|(first, last)| (*first..=*last).contains(&offset));
    match outcome {
        // Too many ranges, or all of nothing.
        RangeOutcome::Whole => assert!(line.len() > 2 * RANGES_MAX || length == 0),
        RangeOutcome::Unsatisfiable => assert!(!asked.contains(&true)),
        RangeOutcome::Part { .. } | RangeOutcome::Parts(_) => {
            assert!((0..length).eq(0..asked.len() as u64));
            assert!((0..length).map(sent).eq(asked.iter().copied()), "{parts:?}");
        }
    }
}

/// Whether each octet is asked for; nothing when the value is not valid.
fn asked(value: &[u8], length: u64) -> Option<Vec<bool>> {
    let value = str::from_utf8(value).ok()?;
    let (unit, set) = value.split_once('=')?;
    let number = |digits: &str| -> Option<u64> {
        let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
        is_number.then(|| digits.parse().unwrap_or(u64::MAX))
    };
    let mut asked = vec![false; usize::try_from(length).ok()?];
    let (mut count, end) = (0, length);
    for member in set.as_bytes().split(|octet| *octet == b',').map(trimmed) {
        if member.is_empty() {
            continue;
        }
        count += 1;
        let (first, last) = str::from_utf8(member).ok()?.split_once('-')?;
        let (from, to) = match (first, last) {
            ("", last) => (end.saturating_sub(number(last)?), end),
            (first, "") => (number(first)?, end),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if first > last {
                    return None;
                }
                (first, last.saturating_add(1).min(end))
            }
        };
        for offset in from..to {
            asked[usize::try_from(offset).ok()?] = true;
        }
    }
    (unit.eq_ignore_ascii_case("bytes") && count > 0).then_some(asked)
}

/// RFC 9110 §14.6: what is framed is read as the same parts, and is as long as it was said to be.
fn assert_framed(parts: &[(u64, u64)], length: u64, content_type: Option<&[u8]>) {
    let content: Vec<u8> = (0..length).map(|offset| b'a' + (offset % 25) as u8).collect();
    let multipart = Multipart::new(parts, length, content_type, BOUNDARY);
    let mut framed = vec![];
    let octets = |(first, last): (u64, u64)| &content[first as usize..=last as usize];
    for (index, part) in parts.iter().enumerate() {
        framed.extend(multipart.part_head(index));
        framed.extend_from_slice(octets(*part));
    }
    framed.extend(multipart.end());
    assert_eq!(framed.len() as u64, multipart.content_length());
    if content_type.is_some_and(|value| value.iter().any(|octet| !(b' '..=b'Y').contains(octet))) {
        return;
    }
    let delimiter = format!("--{BOUNDARY}");
    let mut rest = &framed[..];
    for &(first, last) in parts {
        rest = rest.strip_prefix(delimiter.as_bytes()).expect("a delimiter");
        let end = rest.windows(4).position(|octets| octets == b"\r\n\r\n").expect("an empty line");
        let head = &rest[..end];
        let range = format!("\r\nContent-Range: bytes {first}-{last}/{length}");
        assert!(head.ends_with(range.as_bytes()) && head.starts_with(b"\r\n"));
        let (part, after) = rest[end + 4..].split_at((last - first + 1) as usize);
        assert_eq!(part, octets((first, last)));
        rest = after.strip_prefix(b"\r\n").expect("the end of a part");
    }
    assert_eq!(rest, [delimiter.as_bytes(), b"--\r\n"].concat());
}
