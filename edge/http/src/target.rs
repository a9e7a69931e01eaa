//! What a request is for: its target and Host put together (RFC 9112 §3.2 and §3.3).

use crate::fields::eq_ignore_case;
use crate::head::{RequestHead, Version};
use core::net::Ipv6Addr;

/// Octets of a host: a name of the DNS has at most 253, and RFC 3986 §3.2.2 says 255.
pub const HOST_OCTETS_MAX: usize = 255;

/// What a request is for, in the form in which the origin is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target<'a> {
    /// `host` or `host:port` as received, in any case; empty only when a client of HTTP/1.0 named none.
    pub authority: &'a [u8],
    /// Begins with `/`; `*` for OPTIONS of a whole server; empty for CONNECT.
    pub path_and_query: &'a [u8],
}

/// Why it can't be said what a request is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TargetError {
    /// HTTP/1.1 without Host, or with an empty one.
    HostMissing,
    /// More than one Host.
    HostRepeated,
    /// Host is not a host with an optional port.
    BadHost,
    /// The authority in the target is not a host with an optional port, or for CONNECT lacks the port.
    BadAuthority,
    /// The target has none of the four forms, or not one that the method may use.
    BadForm,
    /// The target is in absolute form with a query but no path, which has no origin form of its own.
    PathMissing,
    /// The target is in absolute form with a scheme other than http.
    OtherScheme,
}

impl TargetError {
    /// The status that answers the request.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            // RFC 9112 §3.2: "MUST respond with a 400".
            Self::HostMissing
            | Self::HostRepeated
            | Self::BadHost
            | Self::BadAuthority
            | Self::BadForm
            | Self::PathMissing => 400,
            // RFC 9110 §7.4: what was asked on a connection that is not secured can't speak for https.
            Self::OtherScheme => 421,
        }
    }

    /// The reason as a token, for logs, counters and the text of the error.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::HostMissing => "host-missing",
            Self::HostRepeated => "host-repeated",
            Self::BadHost => "bad-host",
            Self::BadAuthority => "bad-authority",
            Self::BadForm => "bad-target-form",
            Self::PathMissing => "path-missing",
            Self::OtherScheme => "other-scheme",
        }
    }
}

/// What the request is for. The authority of an absolute target replaces Host (RFC 9112 §3.2.2), which must still be
/// sound.
///
/// # Errors
/// The first reason why the target or Host is not sound.
pub fn effective_target<'a>(head: &RequestHead<'a>) -> Result<Target<'a>, TargetError> {
    let host = host_field(head)?;
    // A fragment is never sent (RFC 9112 §3.2); one cache taking it off and another not is how caches get poisoned.
    if head.target.contains(&b'#') {
        return Err(TargetError::BadForm);
    }
    if head.method == b"CONNECT" {
        // RFC 9112 §3.2.3: host and port, and nothing else.
        return match split_authority(head.target) {
            Some((_, Some(port))) if !port.is_empty() => {
                Ok(Target { authority: head.target, path_and_query: b"" })
            }
            _ => Err(TargetError::BadAuthority),
        };
    }
    match head.target {
        [b'/', ..] => Ok(Target { authority: host, path_and_query: head.target }),
        // RFC 9112 §3.2.4
        b"*" if head.method == b"OPTIONS" => Ok(Target { authority: host, path_and_query: b"*" }),
        _ => absolute_target(head),
    }
}

/// The value of Host; empty when a client of HTTP/1.0 named none.
fn host_field<'a>(head: &RequestHead<'a>) -> Result<&'a [u8], TargetError> {
    let mut hosts = head.fields.all("host");
    let host = hosts.next().unwrap_or_default();
    // RFC 9112 §3.2, for every version.
    if hosts.next().is_some() {
        return Err(TargetError::HostRepeated);
    }
    if host.is_empty() {
        // RFC 9112 §3.3 lets a server refuse an empty authority, which http may not have (RFC 9110 §4.2.1).
        return match head.version {
            Version::Http10 => Ok(host),
            Version::Http11 => Err(TargetError::HostMissing),
        };
    }
    split_authority(host).map(|_| host).ok_or(TargetError::BadHost)
}

/// RFC 9112 §3.2.2: `http://host/path?query`.
fn absolute_target<'a>(head: &RequestHead<'a>) -> Result<Target<'a>, TargetError> {
    let target = head.target;
    let scheme_length = target.iter().position(|octet| *octet == b':');
    let (scheme, rest) = target.split_at(scheme_length.ok_or(TargetError::BadForm)?);
    let rest = rest.strip_prefix(b"://").ok_or(TargetError::BadForm)?;
    if !is_scheme(scheme) {
        return Err(TargetError::BadForm);
    }
    if !eq_ignore_case(scheme, b"http") {
        return Err(TargetError::OtherScheme);
    }
    let end = rest.iter().position(|octet| matches!(octet, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path_and_query) = rest.split_at(end);
    if split_authority(authority).is_none() {
        return Err(TargetError::BadAuthority);
    }
    let path_and_query: &[u8] = match path_and_query.first() {
        // RFC 9112 §3.2.4: OPTIONS without a path is about the whole server.
        None if head.method == b"OPTIONS" => b"*",
        // RFC 9110 §4.2.3: an empty path is the same as `/`.
        None => b"/",
        Some(b'/') => path_and_query,
        Some(_) => return Err(TargetError::PathMissing),
    };
    Ok(Target { authority, path_and_query })
}

/// RFC 3986 §3.1
fn is_scheme(octets: &[u8]) -> bool {
    let is_rest = |octet: &u8| octet.is_ascii_alphanumeric() || b"+-.".contains(octet);
    octets.first().is_some_and(u8::is_ascii_alphabetic) && octets.iter().all(is_rest)
}

/// Host and port, if there is a colon, of `uri-host [ ":" port ]` (RFC 9110 §7.2); `None` when it isn't that, or when
/// the host is empty. A user in front of the host is refused, as RFC 9110 §4.2.4 advises.
fn split_authority(authority: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let host_length = match authority.first()? {
        b'[' => authority.iter().position(|octet| *octet == b']')? + 1,
        _ => authority.iter().position(|octet| *octet == b':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(host_length);
    let port = match rest {
        [] => None,
        [b':', port @ ..] if is_port(port) => Some(port),
        _ => return None,
    };
    is_host(host).then_some((host, port))
}

/// `*DIGIT` (RFC 3986 §3.2.3) that fits in 16 bits.
fn is_port(octets: &[u8]) -> bool {
    let number = octets.iter().try_fold(0_u32, |number, octet| {
        let digit = octet.is_ascii_digit().then(|| u32::from(octet - b'0'))?;
        Some(number * 10 + digit).filter(|number| *number <= u32::from(u16::MAX))
    });
    number.is_some()
}

/// RFC 3986 §3.2.2: an address in brackets, or a name, which an IPv4 address is too.
fn is_host(host: &[u8]) -> bool {
    if host.is_empty() || host.len() > HOST_OCTETS_MAX {
        return false;
    }
    if let Some(address) = host.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) {
        return str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let mut octets = host.iter();
    while let Some(octet) = octets.next() {
        let is_sound = match octet {
            b'%' => {
                let mut is_digit = || octets.next().is_some_and(u8::is_ascii_hexdigit);
                is_digit() && is_digit()
            }
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+'
            | b',' | b';' | b'=' => true,
            octet => octet.is_ascii_alphanumeric(),
        };
        if !is_sound {
            return false;
        }
    }
    true
}
