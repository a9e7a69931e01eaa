//! Where a message's content ends: never two ways to read the same message.

use super::input::Input;
use super::reading::trimmed;
use lastmile_http::framing::{Framing, FramingError, request_framing, response_framing};
use lastmile_http::head::{Fields, RequestHead, ResponseHead, Version, parse_fields};

/// Octets for the version and the method, the status as a number, the field lines.
pub fn run(octets: &[u8]) {
    let mut input = Input::new(octets);
    let version = input.pick(&[Version::Http11, Version::Http10]);
    let method: &[u8] = input.pick(&[&b"GET"[..], b"HEAD", b"POST", b"CONNECT", b"OPTIONS"]);
    let status = 100 + (input.number() % 500) as u16;
    let lines = input.lines();
    let mut spans = Vec::new();
    let Ok(fields) = parse_fields(&lines, &mut spans) else { return };
    let request = RequestHead { method, target: b"/", version, fields };
    let of_request = request_framing(&request);
    match of_request {
        Ok(Framing::UntilClose) => panic!("RFC 9112 §6.3: a request has an end"),
        Ok(Framing::None) => assert_says_nothing(fields),
        other => assert_announced(version, fields, other),
    }
    let response = ResponseHead { version, status, reason: b"", fields };
    let of_response = response_framing(method, &response);
    // RFC 9112 §6.3, items 1 and 2.
    let without_content = method == b"HEAD" || matches!(status, 100..200 | 204 | 304);
    let is_tunnel = method == b"CONNECT" && (200..300).contains(&status);
    match of_response {
        Ok(Framing::None) => assert!(without_content),
        _ if without_content => assert!(of_response.is_err(), "no content, or refused"),
        Ok(Framing::UntilClose) if is_tunnel => {}
        Ok(Framing::UntilClose) => assert_says_nothing(fields),
        other => {
            assert_announced(version, fields, other);
            assert_eq!(other.is_ok(), of_request.is_ok(), "one reading for both: {of_request:?}");
        }
    }
}

fn assert_says_nothing(fields: Fields<'_>) {
    assert!(!fields.contains("content-length") && !fields.contains("transfer-encoding"));
}

/// RFC 9112 §6.1 to §6.3, §11.2
fn assert_announced(version: Version, fields: Fields<'_>, framing: Result<Framing, FramingError>) {
    let lengths: Vec<_> = fields.all("content-length").collect();
    let codings: Vec<_> = fields.all("transfer-encoding").collect();
    match framing {
        Ok(Framing::Length(length)) => {
            assert!(codings.is_empty(), "a length beside a coding is how requests are smuggled");
            let same = |member: &[u8]| {
                let digits = str::from_utf8(trimmed(member)).unwrap_or("x");
                !digits.starts_with('+') && digits.parse() == Ok(length)
            };
            assert!(lengths.join(&b',').split(|octet| *octet == b',').all(same));
        }
        Ok(Framing::Chunked) => {
            assert!(lengths.is_empty() && version == Version::Http11);
            let all = codings.join(&b',').to_ascii_lowercase();
            let named = all.split(|octet| *octet == b',').map(trimmed);
            let named: Vec<_> = named.filter(|coding| !coding.is_empty()).collect();
            assert_eq!(named, [b"chunked"], "one coding, once");
        }
        Ok(Framing::None | Framing::UntilClose) => panic!("something is announced"),
        Err(error) => {
            assert!((400..=501).contains(&error.status()));
            let plain = matches!((&lengths[..], &codings[..]), ([b"5"], []) | ([], [b"chunked"]));
            let plain = plain && (version == Version::Http11 || codings.is_empty());
            assert!(!plain, "{error:?} for a plain message");
        }
    }
}
