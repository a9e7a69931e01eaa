//! Parts of a representation: which may be stored, what they answer, and how they are combined (RFC 9111 §3.3, §3.4;
//! RFC 9110 §15.3.7).

#[cfg(test)]
mod tests;

use super::storable::NotStorable;
use crate::fields::trim_ows;
use crate::head::{Fields, ResponseHead};
use crate::range::RangeOutcome;
use crate::time::UnixTime;
use crate::validator::Validators;

/// Which octets of a representation there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Offset of the first octet.
    pub first: u64,
    /// Offset of the last octet, inclusive; not less than `first`, and less than `complete_length`.
    pub last: u64,
    /// Octets of the whole representation.
    pub complete_length: u64,
}

/// What two parts of one representation make together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combination {
    /// Octets between them are missing, or they are of representations of different lengths.
    Apart,
    /// All octets of both, without a gap.
    Joined(Part),
    /// All octets there are: to be treated as a 200 (OK) from now on (RFC 9110 §15.3.7.3).
    Whole,
}

impl Part {
    /// Its octets.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.last - self.first + 1
    }

    /// Whether it is all of the representation.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.length() == self.complete_length
    }

    /// Whether it has all octets from `first` to `last`, inclusive.
    #[must_use]
    pub fn contains(&self, first: u64, last: u64) -> bool {
        self.first <= first && first <= last && last <= self.last
    }

    /// Whether it is enough to answer a request with this outcome.
    ///
    /// RFC 9111 §3.3: a cache must not use it "unless the request is partial and specifies a range wholly within"; so
    /// not for a 416 either, although the complete length is known.
    #[must_use]
    pub fn answers(&self, outcome: &RangeOutcome) -> bool {
        match outcome {
            RangeOutcome::Whole => self.is_whole(),
            RangeOutcome::Part { first, last } => self.contains(*first, *last),
            RangeOutcome::Parts(parts) => {
                parts.iter().all(|&(first, last)| self.contains(first, last))
            }
            RangeOutcome::Unsatisfiable => false,
        }
    }
}

/// Which part a response brings, if it can be stored to be of use later. `content_length` is what its Content-Length
/// announces; without one the caller sees at the end whether [`Part::length`] octets came.
///
/// # Errors
/// [`NotStorable::Partial`] unless it is a 206 with one well-formed Content-Range in octets that says the complete
/// length and agrees with the Content-Length (RFC 9110 §14.4), of one part (§15.3.7.1). Without a strong validator it
/// answers requests for octets within it (RFC 9111 §3.3), but is combined with nothing (§3.4).
pub fn part_of(
    response: &ResponseHead<'_>,
    content_length: Option<u64>,
) -> Result<Part, NotStorable> {
    let fields = response.fields;
    let mut ranges = fields.all("content-range");
    let (206, Some(range), None) = (response.status, ranges.next(), ranges.next()) else {
        return Err(NotStorable::Partial);
    };
    let part = parse_content_range(range).ok_or(NotStorable::Partial)?;
    if content_length.is_some_and(|length| length != part.length())
        || fields.all("content-type").any(is_multipart)
    {
        return Err(NotStorable::Partial);
    }
    Ok(part)
}

/// Whether the contents of two responses are octets of one representation, so that they may be combined: they share
/// the same strong validator (RFC 9110 §15.3.7.3). Each comes with the time at which it was received.
///
/// Different content codings must have different strong tags (§8.8.3.3); since origins get that wrong and the result
/// would be neither, the codings must be the same, too.
#[must_use]
pub fn may_combine(one: (Fields<'_>, UnixTime), other: (Fields<'_>, UnixTime)) -> bool {
    let strong = |(fields, received_at)| Validators::of(fields, received_at).strong();
    let validator = strong(one);
    let (one, other_validator, other) = (one.0, strong(other), other.0);
    let codings = |fields: Fields<'_>| -> Vec<Vec<u8>> {
        fields.list("content-encoding").map(<[u8]>::to_ascii_lowercase).collect()
    };
    validator.is_some() && validator == other_validator && codings(one) == codings(other)
}

/// What the octets of two parts make together, when [`may_combine`] says that they are of one representation.
#[must_use]
pub fn combine(one: Part, other: Part) -> Combination {
    // Offsets are less than a complete length, so adding one does not overflow.
    if one.complete_length != other.complete_length
        || one.first > other.last + 1
        || other.first > one.last + 1
    {
        return Combination::Apart;
    }
    let joined = Part {
        first: one.first.min(other.first),
        last: one.last.max(other.last),
        complete_length: one.complete_length,
    };
    if joined.is_whole() { Combination::Whole } else { Combination::Joined(joined) }
}

/// `bytes first-last/complete` (RFC 9110 §14.4).
fn parse_content_range(value: &[u8]) -> Option<Part> {
    let space = value.iter().position(|&octet| octet == b' ')?;
    // §14.1: range unit names are case-insensitive.
    if !value[..space].eq_ignore_ascii_case(b"bytes") {
        return None;
    }
    let range = &value[space + 1..];
    let dash = range.iter().position(|&octet| octet == b'-')?;
    let slash = range.iter().position(|&octet| octet == b'/')?;
    let first = parse_number(&range[..dash])?;
    let last = parse_number(range.get(dash + 1..slash)?)?;
    let complete_length = parse_number(&range[slash + 1..])?;
    // §14.4: invalid, and the recipient MUST NOT attempt to recombine it with a stored representation.
    let is_valid = first <= last && last < complete_length;
    is_valid.then_some(Part { first, last, complete_length })
}

/// `1*DIGIT`; `None` also for a number that does not fit, since an offset must be exact here.
fn parse_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

/// RFC 9110 §15.3.7.2: several parts in one content, each with a Content-Range of its own.
fn is_multipart(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|&octet| octet == b';').next().unwrap_or_default();
    trim_ows(media_type).eq_ignore_ascii_case(b"multipart/byteranges")
}
