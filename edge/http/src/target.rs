//! What a request is for: its target and Host put together (RFC 9112 §3.2 and §3.3).

use crate::fields::{eq_ignore_case, letters_digits_and};
use crate::head::{RequestHead, Version};
use core::net::Ipv6Addr;

/// Octets of a host: a name of the DNS has at most 253, and RFC 3986 §3.2.2 says 255.
pub const HOST_OCTETS_MAX: usize = 255;

/// What may stand for itself in a name (RFC 3986 §3.2.2, reg-name), but for the comma: two hosts are none.
const HOST_OCTETS: [bool; 256] = letters_digits_and(b"-._~!$&'()*+;=");

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
    if !is_understood_alike(head.target) {
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

/// Whether there is nothing in `target` that servers take off or turn into something else, and that no URI has: a
/// fragment, which is never sent (RFC 9112 §3.2), and in the path a backslash, which is a slash to some.
fn is_understood_alike(target: &[u8]) -> bool {
    // Two searches that take many octets at a time, before one that takes each.
    if target.contains(&b'#') {
        return false;
    }
    !target.contains(&b'\\')
        || target.iter().find(|octet| matches!(octet, b'?' | b'\\')) == Some(&b'?')
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
    // A name or an IPv4 address, and no port: nearly all.
    if authority.iter().all(|octet| HOST_OCTETS[usize::from(*octet)]) {
        let is_sound = !authority.is_empty() && authority.len() <= HOST_OCTETS_MAX;
        return is_sound.then_some((authority, None));
    }
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
    // A comma may stand in a name, but those of the DNS have none: it is what is left of two Hosts put together.
    let mut octets = host.iter();
    while let Some(octet) = octets.next() {
        let is_sound = match octet {
            b'%' => {
                let mut is_digit = || octets.next().is_some_and(u8::is_ascii_hexdigit);
                is_digit() && is_digit()
            }
            octet => HOST_OCTETS[usize::from(*octet)],
        };
        if !is_sound {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::parse_fields;
    use TargetError as E;
    use Version::{Http10, Http11};
    use proptest::prelude::*;

    fn target(
        method: &str,
        target: &str,
        version: Version,
        lines: &str,
    ) -> Result<(String, String), TargetError> {
        let mut spans = Vec::new();
        let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
        let (method, target) = (method.as_bytes(), target.as_bytes());
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        effective_target(&RequestHead { method, target, version, fields })
            .map(|target| (text(target.authority), text(target.path_and_query)))
    }

    #[test]
    fn the_four_forms_are_understood() {
        // RFC 9112 §3.2
        let host = "Host: a.example\r\n";
        let rows = [
            ("GET", "/", host, Ok(("a.example", "/")), "origin form (§3.2.1)"),
            ("GET", "/b?c=/d?e", host, Ok(("a.example", "/b?c=/d?e")), "with a query"),
            ("GET", "//b", host, Ok(("a.example", "//b")), "an empty segment is no authority"),
            ("GET", "/http://b/", host, Ok(("a.example", "/http://b/")), "a path like a URI"),
            ("OPTIONS", "*", host, Ok(("a.example", "*")), "asterisk form (§3.2.4)"),
            ("OPTIONS", "/b", host, Ok(("a.example", "/b")), "OPTIONS of a resource"),
            ("GET", "*", host, Err(E::BadForm), "asterisk is for OPTIONS"),
            ("GET", "http://b.example/c?d", host, Ok(("b.example", "/c?d")), "beats Host (§3.2.2)"),
            ("GET", "HTTP://b.example:81/", host, Ok(("b.example:81", "/")), "scheme in any case"),
            ("GET", "http://b.example", host, Ok(("b.example", "/")), "no path (RFC 9110 §4.2.3)"),
            ("OPTIONS", "http://b.example", host, Ok(("b.example", "*")), "no path (§3.2.4)"),
            ("OPTIONS", "http://b.example/", host, Ok(("b.example", "/")), "a path"),
            ("GET", "http://b.example?c", host, Err(E::PathMissing), "a query without a path"),
            ("GET", "http:///c", host, Err(E::BadAuthority), "no host (RFC 9110 §4.2.1)"),
            ("GET", "http://u@b.example/", host, Err(E::BadAuthority), "a user (§4.2.4)"),
            ("GET", "http://b.example:x/", host, Err(E::BadAuthority), "no number"),
            ("GET", "https://b.example/", host, Err(E::OtherScheme), "not secured (§7.4)"),
            ("GET", "ftp://b.example/", host, Err(E::OtherScheme), "another scheme"),
            ("GET", "http:/c", host, Err(E::BadForm), "one slash"),
            ("GET", "1http://b.example/", host, Err(E::BadForm), "no scheme"),
            ("GET", "b.example/c", host, Err(E::BadForm), "no form at all"),
            ("GET", "?c", host, Err(E::BadForm), "no form at all"),
            ("GET", "/b#c", host, Err(E::BadForm), "a fragment"),
            ("GET", "/b?c#d", host, Err(E::BadForm), "a fragment behind a query"),
            ("GET", "#", host, Err(E::BadForm), "nothing but a fragment"),
            ("GET", "/b\\c", host, Err(E::BadForm), "a backslash is no slash (RFC 3986 §3.3)"),
            ("GET", "/b?c\\d", host, Ok(("a.example", "/b?c\\d")), "browsers send it in a query"),
            ("GET", "\\b", host, Err(E::BadForm), "no form at all"),
            ("GET", "http://b.example\\@c/", host, Err(E::BadForm), "a host or a user?"),
            ("GET", "/b?c?d", host, Ok(("a.example", "/b?c?d")), "a question mark in a query"),
            ("GET", "/%00%0d%0a%zz", host, Ok(("a.example", "/%00%0d%0a%zz")), "left as it is"),
            ("GET", "http://b.example,c/", host, Err(E::BadAuthority), "two hosts"),
            ("GET", "http://a@b@c/", host, Err(E::BadAuthority), "two users"),
            ("GET", "http://b.example:80:81/", host, Err(E::BadAuthority), "two ports"),
            ("GET", "http:b.example/", host, Err(E::BadForm), "no slashes"),
            ("POST", "*", host, Err(E::BadForm), "asterisk is for OPTIONS"),
            ("OPTIONS", "**", host, Err(E::BadForm), "one asterisk"),
            ("OPTIONS", "*?a", host, Err(E::BadForm), "the asterisk has no query"),
            ("options", "*", host, Err(E::BadForm), "another method"),
            ("CONNECT", "b.example:443", host, Ok(("b.example:443", "")), "authority (§3.2.3)"),
            ("CONNECT", "b.example", host, Err(E::BadAuthority), "the port is missing"),
            ("CONNECT", "b.example:", host, Err(E::BadAuthority), "the port is empty"),
            ("CONNECT", "/", host, Err(E::BadAuthority), "origin form"),
            ("GET", "b.example:443", host, Err(E::BadForm), "authority form is for CONNECT"),
        ];
        for (method, octets, lines, expected, why) in rows {
            let expected = expected.map(|(a, p)| (a.to_owned(), p.to_owned()));
            assert_eq!(target(method, octets, Http11, lines), expected, "{octets}: {why}");
        }
    }

    #[test]
    fn there_is_one_host() {
        // RFC 9112 §3.2, RFC 9110 §7.2, RFC 3986 §3.2.2
        let long = format!("Host: {}\r\n", "a".repeat(HOST_OCTETS_MAX));
        let too_long = format!("Host: {}\r\n", "a".repeat(HOST_OCTETS_MAX + 1));
        let rows = [
            (Http11, "Host: a\r\n", None, "a name"),
            (Http11, "Host: A.example.:80\r\n", None, "any case, final dot, port"),
            (Http11, "Host: a_b-c.example\r\n", None, "underscores happen"),
            (Http11, "Host: a%2fb\r\n", None, "percent-encoded"),
            (Http11, "Host: a:\r\n", None, "an empty port is allowed"),
            (Http11, "Host: 192.0.2.1:65535\r\n", None, "IPv4"),
            (Http11, "Host: [2001:db8::1]:80\r\n", None, "IPv6"),
            (Http11, &long, None, "the longest name"),
            (Http11, &too_long, Some(E::BadHost), "one octet more"),
            (Http11, "", Some(E::HostMissing), "none in 1.1"),
            (Http11, "Host:\r\n", Some(E::HostMissing), "an empty one in 1.1"),
            (Http10, "", None, "none in 1.0"),
            (Http10, "Host:\r\n", None, "an empty one in 1.0"),
            (Http11, "Host: a\r\nHost: a\r\n", Some(E::HostRepeated), "two equal ones"),
            (Http10, "Host: a\r\nhost: b\r\n", Some(E::HostRepeated), "two in 1.0"),
            (Http11, "Host: a, b\r\n", Some(E::BadHost), "a list"),
            (Http11, "Host: a,b\r\n", Some(E::BadHost), "a list without a space"),
            (Http11, "Host: a\tb\r\n", Some(E::BadHost), "a tab"),
            (Http11, "Host: http://a\r\n", Some(E::BadHost), "a scheme"),
            (Http11, "Host: a?b\r\n", Some(E::BadHost), "a query"),
            (Http11, "Host: a#b\r\n", Some(E::BadHost), "a fragment"),
            (Http11, "Host: \"a\"\r\n", Some(E::BadHost), "quotes"),
            (Http11, "Host: a:x\r\n", Some(E::BadHost), "a port that is no number"),
            (Http11, "Host: a: 80\r\n", Some(E::BadHost), "a space before the port"),
            (Http11, "Host: é\r\n", Some(E::BadHost), "not ASCII"),
            (Http11, "Host: a b\r\n", Some(E::BadHost), "a space"),
            (Http11, "Host: a/b\r\n", Some(E::BadHost), "a slash"),
            (Http11, "Host: u@a\r\n", Some(E::BadHost), "a user"),
            (Http11, "Host: a\\b\r\n", Some(E::BadHost), "a backslash"),
            (Http11, "Host: a%2\r\n", Some(E::BadHost), "half an encoding"),
            (Http11, "Host: a%zz\r\n", Some(E::BadHost), "no encoding"),
            (Http11, "Host: :80\r\n", Some(E::BadHost), "only a port"),
            (Http11, "Host: a:65536\r\n", Some(E::BadHost), "a port too large"),
            (Http11, "Host: a:80:80\r\n", Some(E::BadHost), "two ports"),
            (Http11, "Host: a:+80\r\n", Some(E::BadHost), "a sign"),
            (Http11, "Host: 2001:db8::1\r\n", Some(E::BadHost), "IPv6 without brackets"),
            (Http11, "Host: [2001:db8::1\r\n", Some(E::BadHost), "half the brackets"),
            (Http11, "Host: []\r\n", Some(E::BadHost), "no address"),
            (Http11, "Host: [::1]a\r\n", Some(E::BadHost), "something behind the brackets"),
            (Http11, "Host: [fe80::1%25eth0]\r\n", Some(E::BadHost), "a zone means nothing here"),
        ];
        for (version, lines, expected, why) in rows {
            assert_eq!(target("GET", "/", version, lines).err(), expected, "{why}");
        }
        let bad_beside_absolute = target("GET", "http://b/", Http11, "Host: u@a\r\n");
        assert_eq!(bad_beside_absolute, Err(E::BadHost), "must be sound all the same");
        let missing_beside_absolute = target("GET", "http://b/", Http11, "");
        assert_eq!(missing_beside_absolute, Err(E::HostMissing), "must be there (§3.2)");
    }

    #[test]
    fn errors_have_their_status() {
        // RFC 9112 §3.2, RFC 9110 §7.4
        assert_eq!(E::HostMissing.status(), 400);
        assert_eq!(E::OtherScheme.status(), 421);
    }

    proptest! {
        #[test]
        fn what_is_found_is_sound(
            method in "(GET|OPTIONS|CONNECT)",
            octets in r"(http|/|\*|[!-~])(://)?[!-~]{0,20}",
            host in "[!-~]{0,20}",
        ) {
            let found = target(&method, &octets, Http11, &format!("Host: {host}\r\n"));
            if let Ok((authority, path_and_query)) = found {
                prop_assert!(split_authority(authority.as_bytes()).is_some());
                prop_assert!(octets.contains(&authority) || host == authority);
                let has_form = match method.as_str() {
                    "CONNECT" => path_and_query.is_empty(),
                    "OPTIONS" => path_and_query == "*" || path_and_query.starts_with('/'),
                    _ => path_and_query.starts_with('/'),
                };
                prop_assert!(has_form, "{path_and_query}");
            }
        }

        #[test]
        fn arbitrary_octets_never_panic(octets: Vec<u8>) {
            let fields = crate::head::Fields::new(&[], &[]);
            for method in [&b"GET"[..], b"OPTIONS", b"CONNECT"] {
                let head = RequestHead { method, target: &octets, version: Http10, fields };
                let _ = effective_target(&head);
            }
            let _ = split_authority(&octets);
        }
    }
}
