//! What of RFC 3986 a cache needs: the form in which URIs are compared (§6.2.2) and references within an origin (§5.2).

/// The port of http when an authority names none (RFC 9110 §4.2.1).
const DEFAULT_PORT: u16 = 80;

/// The octets of `component` as they are in all URIs that are equivalent: unreserved octets decoded where they are
/// percent-encoded, the digits of other encodings in upper case (RFC 3986 §6.2.2.1, §6.2.2.2).
///
/// `component` is what stands between two delimiters: a segment or a parameter. One with a `%` that encodes nothing
/// stays as it is, since decoding beside it could make it encode something. It can't become equal to a well-formed one,
/// which has no such `%`.
pub(crate) fn normalised(component: &[u8]) -> impl Iterator<Item = u8> + Clone {
    let is_well_formed = is_well_formed(component);
    let (mut rest, mut digits) = (component, 0_u8);
    core::iter::from_fn(move || {
        let (&octet, behind) = rest.split_first()?;
        rest = behind;
        if digits > 0 {
            digits -= 1;
            return Some(octet.to_ascii_uppercase());
        }
        if octet != b'%' || !is_well_formed {
            return Some(octet);
        }
        if let Some(unreserved) = encoded(behind).filter(|octet| is_unreserved(*octet)) {
            rest = &behind[2..];
            return Some(unreserved);
        }
        digits = 2;
        Some(octet)
    })
}

/// The octets of `component` with all decoded that is percent-encoded, and what is malformed as it is: what a server
/// reads there.
pub(crate) fn decoded(component: &[u8]) -> impl Iterator<Item = u8> + Clone {
    let mut rest = component;
    core::iter::from_fn(move || {
        let (&octet, behind) = rest.split_first()?;
        rest = behind;
        let Some(meant) = encoded(behind).filter(|_| octet == b'%') else { return Some(octet) };
        rest = &behind[2..];
        Some(meant)
    })
}

/// Whether each `%` is followed by two hexadecimal digits (RFC 3986 §2.1).
fn is_well_formed(component: &[u8]) -> bool {
    let mut behind_percents = component.split(|octet| *octet == b'%').skip(1);
    behind_percents.all(|behind| encoded(behind).is_some())
}

/// The octet that the two hexadecimal digits at the start stand for.
fn encoded(digits: &[u8]) -> Option<u8> {
    let &[high, low, ..] = digits else { return None };
    let digit =
        |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// RFC 3986 §2.3
const fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~')
}

/// Writes the form of `path` that is the same for all that are equivalent, behind what is in `out`: segments
/// [`normalised`] and dot segments removed (RFC 3986 §6.2.2.3 and §5.2.4), those with encoded dots too. A `/` for an
/// empty path (§6.2.3).
///
/// `path` begins with `/` or is empty.
pub(crate) fn write_path(path: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let mut segments = path.split(|octet| *octet == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let (end, is_last) = (out.len(), segments.peek().is_none());
        out.push(b'/');
        out.extend(normalised(segment));
        match &out[end..] {
            b"/." => out.truncate(end),
            b"/.." => {
                let before = out[start..end].iter().rposition(|octet| *octet == b'/');
                out.truncate(start + before.unwrap_or(0));
            }
            _ => continue,
        }
        if is_last {
            out.push(b'/');
        }
    }
    if out.len() == start {
        out.push(b'/');
    }
}

/// Whether a segment of `path` is `.` or `..`, a dot being percent-encoded or not.
pub(crate) fn has_dot_segments(path: &[u8]) -> bool {
    let is_dots = |segment: &[u8]| {
        // Six octets are the longest: `%2e%2e`.
        let is_short = matches!(segment.len(), 1..=6);
        is_short && (decoded(segment).eq(*b".") || decoded(segment).eq(*b".."))
    };
    path.split(|octet| *octet == b'/').any(is_dots)
}

/// Path and query, without the `?` between them.
pub(crate) fn split_query(path_and_query: &[u8]) -> (&[u8], Option<&[u8]>) {
    match path_and_query.iter().position(|octet| *octet == b'?') {
        Some(mark) => (&path_and_query[..mark], Some(&path_and_query[mark + 1..])),
        None => (path_and_query, None),
    }
}

/// A URI reference in its parts (RFC 3986 §4.1), the fragment dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reference<'a> {
    scheme: Option<&'a [u8]>,
    authority: Option<&'a [u8]>,
    path: &'a [u8],
    query: Option<&'a [u8]>,
}

impl<'a> Reference<'a> {
    /// `None` when `octets` are no reference.
    ///
    /// Octets that RFC 3986 §2 does not know but [`crate::head::parse_request`] lets through are let through here too:
    /// what can be asked for can be referred to.
    pub(crate) fn parse(octets: &'a [u8]) -> Option<Self> {
        if octets.iter().any(|octet| matches!(octet, 0..=b' ' | 0x7f)) {
            return None;
        }
        let end = octets.iter().position(|octet| *octet == b'#').unwrap_or(octets.len());
        let (hierarchy, query) = split_query(&octets[..end]);
        // RFC 3986 §4.2: a first segment with a colon would be mistaken for a scheme.
        let (scheme, rest) = match hierarchy.iter().position(|octet| b":/".contains(octet)) {
            Some(colon) if hierarchy[colon] == b':' => {
                (Some(&hierarchy[..colon]), &hierarchy[colon + 1..])
            }
            _ => (None, hierarchy),
        };
        if !scheme.is_none_or(is_scheme) {
            return None;
        }
        let Some(rest) = rest.strip_prefix(b"//") else {
            return Some(Self { scheme, authority: None, path: rest, query });
        };
        let end = rest.iter().position(|octet| *octet == b'/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        Some(Self { scheme, authority: Some(authority), path, query })
    }

    /// Whether it leads to the origin http, `authority` (RFC 9110 §4.3.1) from within that.
    pub(crate) fn is_within(&self, authority: &[u8]) -> bool {
        match (self.scheme, self.authority) {
            (None, None) => true,
            (Some(scheme), _) if !scheme.eq_ignore_ascii_case(b"http") => false,
            // RFC 9110 §4.2.1: http has an authority. RFC 3986 §5.2.2 lets a strict parser not read over the scheme.
            (Some(_), None) => false,
            (_, Some(other)) => match (host_and_port(authority), host_and_port(other)) {
                (Some((host, port)), Some((other, other_port))) => {
                    port == other_port && host.eq_ignore_ascii_case(other)
                }
                _ => false,
            },
        }
    }

    /// Writes path and query of the URI that it refers to from one with `base`, behind what is in `out` (RFC 3986
    /// §5.2.2), the path as by [`write_path`].
    pub(crate) fn resolve(&self, base: &[u8], out: &mut Vec<u8>) {
        let (base_path, base_query) = split_query(base);
        let is_same_path = self.authority.is_none() && self.path.is_empty();
        if is_same_path {
            write_path(base_path, out);
        } else if self.authority.is_some() || self.path.starts_with(b"/") {
            write_path(self.path, out);
        } else {
            // RFC 3986 §5.2.3
            let directory = base_path.iter().rposition(|octet| *octet == b'/');
            let directory = directory.map_or(&b"/"[..], |last| &base_path[..=last]);
            write_path(&[directory, self.path].concat(), out);
        }
        if let Some(query) = self.query.or(base_query.filter(|_| is_same_path)) {
            out.push(b'?');
            out.extend_from_slice(query);
        }
    }
}

/// RFC 3986 §3.1
fn is_scheme(octets: &[u8]) -> bool {
    let is_rest = |octet: &u8| octet.is_ascii_alphanumeric() || b"+-.".contains(octet);
    octets.first().is_some_and(u8::is_ascii_alphabetic) && octets.iter().all(is_rest)
}

/// Host and port of `uri-host [ ":" port ]`; `None` when the port is no number up to 65535 or the host is empty.
fn host_and_port(authority: &[u8]) -> Option<(&[u8], u16)> {
    let host_length = match authority.first()? {
        b'[' => authority.iter().position(|octet| *octet == b']')? + 1,
        _ => authority.iter().position(|octet| *octet == b':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(host_length);
    let port = match port {
        [] | b":" => DEFAULT_PORT,
        [b':', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => {
            str::from_utf8(digits).ok()?.parse().ok()?
        }
        _ => return None,
    };
    (!host.is_empty()).then_some((host, port))
}
