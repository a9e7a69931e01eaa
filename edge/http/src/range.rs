//! Range requests for octets of a whole representation (RFC 9110 §14).

#[cfg(test)]
mod tests;

use crate::fields::trim_ows;
use crate::head::Fields;
use crate::time::{UnixTime, parse_http_date};
use crate::validator::{Validators, strong_match};

/// Ranges in one Range. RFC 9110 §14.2 and §17.15 let a server ignore many small ones, which cost it a part head and a
/// write each. A client that asks for several, such as a reader of a PDF file for the objects of a page, has use for a
/// few. Larger: one request costs that many times the work. Smaller: such a reader gets everything, which is correct
/// but slow.
pub const RANGES_MAX: usize = 16;

/// What a request's Range asks for, of a representation whose length is known.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Send these octets, 206 (Partial Content) with a [`Multipart`](crate::multipart::Multipart) content.
    ///
    /// First and last offset of each part as in [`Part`](Self::Part); two to [`RANGES_MAX`] of them in the order in
    /// which they were asked for. No two overlap or touch.
    Parts(Box<[(u64, u64)]>),
    /// There is no such octet: 416 (Range Not Satisfiable).
    Unsatisfiable,
}

/// Evaluates Range and If-Range of a GET whose answer without them is a 200 of `complete_length` octets and these
/// validators. For every other method or status Range does not count (RFC 9110 §14.2).
///
/// A Range that is malformed, in another unit, in several field lines or of more than [`RANGES_MAX`] ranges is ignored,
/// as §14.2 lets a server do with any. Ranges that overlap or touch become one, so that no octet is sent twice, and the
/// heads of [`RANGES_MAX`] parts are all that an answer may have beyond the content. Ranges with a gap between them are
/// answered as they are, however small the gap or the content: a 206 is what §14.2 says a server SHOULD send.
#[must_use]
pub fn evaluate_range(
    fields: Fields<'_>,
    complete_length: u64,
    validators: &Validators<'_>,
    now: UnixTime,
) -> RangeOutcome {
    let mut lines = fields.all("range");
    let (Some(line), None) = (lines.next(), lines.next()) else { return RangeOutcome::Whole };
    let Some(ranges) = RangeSet::parse(line) else { return RangeOutcome::Whole };
    // RFC 9110 §13.2.2, step 5: when the condition is false, the Range is ignored, even an unsatisfiable one.
    if !if_range_holds(fields, validators, now) {
        return RangeOutcome::Whole;
    }
    ranges.within(complete_length)
}

/// The range-specs of one valid Range in octets; at least one.
struct RangeSet {
    specs: [RangeSpec; RANGES_MAX],
    count: usize,
}

/// One range-spec (RFC 9110 §14.1.2). Numbers too large for a u64 are its maximum, which is beyond any content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RangeSpec {
    From { first: u64, last: Option<u64> },
    Suffix { length: u64 },
}

/// What one range-spec means for a content of some length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Satisfied {
    /// These octets, the last one inclusive.
    Octets(u64, u64),
    /// All of the content, which is empty: Content-Range has no way to say so.
    Nothing,
    /// RFC 9110 §14.1.2: not satisfiable.
    Not,
}

impl RangeSet {
    /// `None` when the value is malformed, in another unit, or of more than [`RANGES_MAX`] ranges.
    fn parse(value: &[u8]) -> Option<Self> {
        let equals = value.iter().position(|&octet| octet == b'=')?;
        // RFC 9110 §14.1: range unit names are case-insensitive.
        if !value[..equals].eq_ignore_ascii_case(b"bytes") {
            return None;
        }
        let mut set = Self { specs: [RangeSpec::Suffix { length: 0 }; RANGES_MAX], count: 0 };
        let members = value[equals + 1..].split(|&octet| octet == b',').map(trim_ows);
        for member in members.filter(|member| !member.is_empty()) {
            // §14.1.1: one invalid range-spec makes the whole set invalid.
            *set.specs.get_mut(set.count)? = RangeSpec::parse(member)?;
            set.count += 1;
        }
        (set.count > 0).then_some(set)
    }

    fn within(&self, complete_length: u64) -> RangeOutcome {
        let specs = &self.specs[..self.count];
        // Not only a shortcut: what is asked for on nearly every Range allocates nothing.
        if let [spec] = specs {
            return match spec.within(complete_length) {
                Satisfied::Octets(first, last) => RangeOutcome::Part { first, last },
                Satisfied::Nothing => RangeOutcome::Whole,
                Satisfied::Not => RangeOutcome::Unsatisfiable,
            };
        }
        let mut parts = Vec::with_capacity(specs.len());
        for spec in specs {
            match spec.within(complete_length) {
                Satisfied::Octets(first, last) => insert(&mut parts, (first, last)),
                Satisfied::Nothing => return RangeOutcome::Whole,
                // RFC 9110 §14.1.1: one that is satisfiable is enough; §15.3.7.2: the others are left out.
                Satisfied::Not => {}
            }
        }
        match parts[..] {
            [] => RangeOutcome::Unsatisfiable,
            // §15.3.7.2 allows a multipart of one part here as well; not every client expects that.
            [(first, last)] => RangeOutcome::Part { first, last },
            _ => RangeOutcome::Parts(parts.into_boxed_slice()),
        }
    }
}

/// Adds a part, joined with those that it overlaps or touches at the place of the first of them (RFC 9110 §15.3.7.2).
fn insert(parts: &mut Vec<(u64, u64)>, part: (u64, u64)) {
    // Offsets are less than a complete length, so adding one does not overflow.
    let meets = |&(first, last): &(u64, u64)| first <= part.1 + 1 && part.0 <= last + 1;
    let join = |one: (u64, u64), other: &(u64, u64)| (one.0.min(other.0), one.1.max(other.1));
    let place = parts.iter().position(meets).unwrap_or(parts.len());
    // Once is enough: what meets the union meets the part or one that it meets, and no two of those before meet.
    let union = parts.iter().filter(|other| meets(other)).fold(part, join);
    parts.retain(|other| !meets(other));
    parts.insert(place, union);
}

impl RangeSpec {
    fn parse(spec: &[u8]) -> Option<Self> {
        let dash = spec.iter().position(|&octet| octet == b'-')?;
        let (first, last) = (&spec[..dash], &spec[dash + 1..]);
        match (first, last) {
            (b"", length) => Some(Self::Suffix { length: parse_number(length)? }),
            (first, b"") => Some(Self::From { first: parse_number(first)?, last: None }),
            (first, last) => {
                let (first, last) = (parse_number(first)?, parse_number(last)?);
                // RFC 9110 §14.1.1: an int-range whose last is less than its first is invalid.
                (first <= last).then_some(Self::From { first, last: Some(last) })
            }
        }
    }

    fn within(self, complete_length: u64) -> Satisfied {
        match self {
            Self::From { first, .. } if first >= complete_length => Satisfied::Not,
            Self::From { first, last } => {
                let end = complete_length - 1;
                Satisfied::Octets(first, last.map_or(end, |last| last.min(end)))
            }
            Self::Suffix { length: 0 } => Satisfied::Not,
            Self::Suffix { .. } if complete_length == 0 => Satisfied::Nothing,
            Self::Suffix { length } => {
                Satisfied::Octets(complete_length.saturating_sub(length), complete_length - 1)
            }
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
/// strong validator.
fn if_range_holds(fields: Fields<'_>, validators: &Validators<'_>, now: UnixTime) -> bool {
    let mut lines = fields.all("if-range");
    let Some(validator) = lines.next() else { return true };
    if lines.next().is_some() {
        return false;
    }
    // "A valid entity-tag can be distinguished from a valid HTTP-date by examining the first three characters."
    if validator.iter().take(3).any(|&octet| octet == b'"') {
        return validators.etag.is_some_and(|etag| strong_match(validator, trim_ows(etag)));
    }
    let date = parse_http_date(validator, now);
    date.is_some() && date == validators.strong_last_modified()
}
