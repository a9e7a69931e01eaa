//! Heads read the simple way, by lines that are there whole: what the parser in one pass is compared with.
//!
//! Shares no code with lastmile-http.

use lastmile_http::head::{Fields, HeadError, Parsed};

/// Prefixes of an input that are tried; more only repeats, since most octets continue what the one before began.
const PREFIXES_MAX: usize = 64;

/// The lines of a head that was found whole, without their ends and without the empty one at the end.
pub fn lines(head: &[u8]) -> Vec<&[u8]> {
    let head = head.strip_suffix(b"\r\n\r\n").expect("a head ends with an empty line");
    let mut lines = vec![];
    let mut rest = head;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    let is_control = |octet: &u8| (*octet < b' ' && *octet != b'\t') || *octet == 0x7f;
    let has_control = lines.iter().any(|line| line.iter().any(is_control));
    assert!(!has_control, "a control character got through (RFC 9110 §5.5, RFC 9112 §2.2)");
    lines
}

/// RFC 9110 §5.6.2
pub fn is_token(octets: &[u8]) -> bool {
    let is_mark = |octet: &u8| b"!#$%&'*+-.^_`|~".contains(octet);
    !octets.is_empty() && octets.iter().all(|octet| octet.is_ascii_alphanumeric() || is_mark(octet))
}

pub fn trimmed(mut octets: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = octets {
        octets = rest;
    }
    octets
}

/// The version at the start of a status line or the end of a request line.
pub fn is_version(octets: &[u8]) -> bool {
    matches!(octets, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] if minor.is_ascii_digit())
}

/// The parsed fields are those of the lines, in their order (RFC 9112 §5).
pub fn assert_fields(fields: Fields<'_>, lines: &[&[u8]], space_before_colon: bool) {
    assert_eq!(fields.len(), lines.len(), "a field for each line");
    for ((name, value), line) in fields.iter().zip(lines) {
        let colon = line.iter().position(|octet| *octet == b':').expect("a line has a colon");
        let (read, rest) = line.split_at(colon);
        let read = if space_before_colon { read.trim_ascii_end() } else { read };
        assert!(is_token(read), "a name is a token (§5.1): {}", read.escape_ascii());
        assert_eq!(name, read, "the name is what stands before the first colon");
        assert_eq!(value, trimmed(&rest[1..]), "the value is the rest without white space");
    }
}

/// A prefix of an input says nothing, or what the whole input says: how a head arrives does not change what it is.
///
/// `outcome` is the length of the head, if there is one.
pub fn assert_prefixes_agree(
    octets: &[u8],
    outcome: impl Fn(&[u8]) -> Result<Option<usize>, HeadError>,
) {
    let whole = outcome(octets);
    let step = octets.len().div_ceil(PREFIXES_MAX).max(1);
    let around_end = whole.ok().flatten().map_or(0..0, |length| length - 1..length + 1);
    for length in (0..octets.len()).step_by(step).chain(around_end) {
        let prefix = &octets[..length.min(octets.len())];
        let found = outcome(prefix);
        assert!(found == Ok(None) || found == whole, "{found:?} becomes {whole:?} after {length}");
    }
    if let Ok(Some(length)) = whole {
        assert_eq!(outcome(&octets[..length]), whole, "a head does not look beyond its end");
        assert_eq!(outcome(&octets[..length - 1]), Ok(None), "nor is it whole before");
    }
}

pub fn length_of<T>(parsed: Result<Parsed<T>, HeadError>) -> Result<Option<usize>, HeadError> {
    parsed.map(|parsed| match parsed {
        Parsed::Complete { length, .. } => Some(length),
        Parsed::Partial => None,
    })
}
