//! Single cookies of a request, as servers may read them (RFC 6265 §4.2.1, §5.4).

use crate::fields::trim_ows;
use crate::head::Fields;
use crate::uri::decoded;

/// Begins each occurrence of a cookie.
const OCCURRENCE: u8 = b';';

/// Begins the whole of Cookie.
const WHOLE: u8 = b'"';

/// Whether a cookie can be called so: RFC 6265 §4.1.1 wants a token, browsers take more, but not what separates.
pub(super) fn is_name(name: &[u8]) -> bool {
    let is_sound =
        |octet: &u8| matches!(octet, b'!'..=b'~' | 0x80..) && !b"=;,\"\\".contains(octet);
    !name.is_empty() && name.iter().all(is_sound)
}

/// The name, and behind it what [`write_occurrences`] wrote.
pub(super) fn split_name(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|octet| matches!(*octet, OCCURRENCE | WHOLE));
    line.split_at(end.unwrap_or(line.len()))
}

/// Writes `;=value` for each time that the request has the cookie, in their order since servers take the first or the
/// last one; `;` for one without `=`, which is the name for some and a value for others; nothing when it is missing.
///
/// Where servers disagree on whether there is such a cookie, the whole of Cookie takes its place: else somebody could
/// write one that is none for us but is for the origin.
pub(super) fn write_occurrences(request: Fields<'_>, name: &[u8], mut write: impl FnMut(u8)) {
    if request.all("cookie").any(|line| is_ambiguous(line, name)) {
        write(WHOLE);
        return write_whole(request, write);
    }
    let pairs = request.all("cookie").flat_map(pairs);
    for pair in pairs.filter(|pair| name_of(pair) == name) {
        write(OCCURRENCE);
        // White space before the `=` is kept, as not all servers pass over it.
        pair[name.len()..].iter().for_each(|octet| write(*octet));
    }
}

/// Writes the whole of Cookie, several lines combined as one (RFC 9113 §8.2.3).
pub(super) fn write_whole(request: Fields<'_>, mut write: impl FnMut(u8)) {
    for (index, line) in request.all("cookie").enumerate() {
        let separator: &[u8] = if index == 0 { b"" } else { b"; " };
        separator.iter().chain(line).for_each(|octet| write(*octet));
    }
}

/// RFC 6265 §4.2.1: what stands between the semicolons.
fn pairs(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|octet| *octet == b';').map(trim_ows)
}

fn name_of(pair: &[u8]) -> &[u8] {
    let end = pair.iter().position(|octet| *octet == b'=');
    trim_ows(&pair[..end.unwrap_or(pair.len())])
}

/// Whether there are servers that see another set of cookies called `name` in `line` than what semicolons separate.
fn is_ambiguous(line: &[u8], name: &[u8]) -> bool {
    // Some pass over semicolons in quotes (RFC 2109 §4.1), and over quotes behind a backslash.
    let is_open = |pair: &[u8]| {
        let quotes = pair.iter().filter(|octet| **octet == b'"').count();
        quotes % 2 == 1 || pair.windows(2).any(|octets| octets == b"\\\"")
    };
    // Some separate cookies by commas (RFC 2109 §4.4) or white space.
    let begins_within = |pair: &[u8]| {
        let words = pair.split(|octet| b", \t\"".contains(octet)).skip(1);
        words.filter_map(|word| word.strip_prefix(name)).any(|behind| behind.starts_with(b"="))
    };
    // Some decode names.
    let is_encoded = |pair: &[u8]| {
        let found = name_of(pair);
        found != name && decoded(found).eq(name.iter().copied())
    };
    pairs(line).any(|pair| is_open(pair) || begins_within(pair) || is_encoded(pair))
}
