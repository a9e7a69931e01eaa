//! What a request is for: request target and Host put together.

use super::input::Input;
use lastmile_http::head::{RequestHead, Version, parse_fields};
use lastmile_http::target::{Target, effective_target};

/// An octet for the method, one for the version, the target, the field lines.
pub fn run(octets: &[u8]) {
    let mut input = Input::new(octets);
    let method: &[u8] = input.pick(&[&b"GET"[..], b"OPTIONS", b"CONNECT", b"POST", b"get"]);
    let version = input.pick(&[Version::Http11, Version::Http10]);
    let target = input.part();
    let lines = input.lines();
    let mut spans = Vec::new();
    let Ok(fields) = parse_fields(&lines, &mut spans) else { return };
    let head = RequestHead { method, target, version, fields };
    let hosts: Vec<_> = fields.all("host").collect();
    match effective_target(&head) {
        Ok(found) => {
            assert!(hosts.len() <= 1, "RFC 9112 §3.2: one Host");
            let host = hosts.first().copied().unwrap_or_default();
            assert!(version == Version::Http10 || !host.is_empty(), "RFC 9112 §3.2");
            assert_is_sound(&found);
            assert_form(&head, &found, host);
        }
        Err(error) => {
            assert!((400..500).contains(&error.status()));
            let plain = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'/';
            let is_plain = target.starts_with(b"/") && target.iter().all(plain);
            let sound = is_plain && matches!(hosts[..], [b"a.example"]) && method != b"CONNECT";
            assert!(!sound, "{error:?} for a plain request");
        }
    }
}

/// Nothing that another server could take for something else gets through.
fn assert_is_sound(target: &Target<'_>) {
    let authority = target.authority;
    let has = |octets: &[u8], marks: &[u8]| octets.iter().any(|octet| marks.contains(octet));
    assert!(!has(authority, b"/?#@\\ \t,\"<>"), "RFC 9110 §4.2.4, RFC 3986 §3.2: {authority:?}");
    assert!(authority.is_ascii() && !has(target.path_and_query, b"#"), "RFC 9112 §3.2");
    if let Some(colon) = authority.iter().rposition(|octet| *octet == b':')
        && !authority.ends_with(b"]")
    {
        let port = str::from_utf8(&authority[colon + 1..]).expect("ASCII");
        assert!(port.is_empty() || port.parse::<u16>().is_ok(), "a port: {port:?}");
        assert!(!port.starts_with('+'), "digits: {port:?}");
    }
}

/// RFC 9112 §3.2: from where authority and path come.
fn assert_form(head: &RequestHead<'_>, found: &Target<'_>, host: &[u8]) {
    let Target { authority, path_and_query } = *found;
    match (head.method, head.target) {
        (b"CONNECT", target) => {
            assert!(authority == target && path_and_query.is_empty());
            assert!(!authority.is_empty());
        }
        (_, [b'/', ..]) => assert_eq!((authority, path_and_query), (host, head.target)),
        (method, b"*") => {
            assert_eq!((method, authority, path_and_query), (&b"OPTIONS"[..], host, &b"*"[..]));
        }
        (method, target) => {
            assert!(!authority.is_empty(), "an absolute form has one (RFC 9110 §4.2.1)");
            assert!(target.to_ascii_lowercase().starts_with(b"http://"), "nothing but http");
            let rest = &target[b"http://".len()..];
            assert!(rest.starts_with(authority), "the target's, not that of Host (§3.2.2)");
            match &rest[authority.len()..] {
                b"" if method == b"OPTIONS" => assert_eq!(path_and_query, b"*"),
                b"" => assert_eq!(path_and_query, b"/"),
                path => assert_eq!(path_and_query, path),
            }
        }
    }
}
