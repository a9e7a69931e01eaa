//! A response's head, against the same octets read line by line.

use super::input::Input;
use super::reading::{assert_fields, assert_prefixes_agree, is_version, length_of, lines, trimmed};
use super::request_head::limits;
use lastmile_http::framing::{Framing, response_framing};
use lastmile_http::head::{Parsed, ResponseHead, Version, parse_response};
use lastmile_http::persistence::response_allows_reuse;

/// The first octet: 0 for limits as they are by default, else small ones. The rest: what an upstream sends.
pub fn run(octets: &[u8]) {
    let mut input = Input::new(octets);
    let limits = limits(input.octet());
    let octets = input.rest();
    let mut spans = Vec::new();
    let parsed = parse_response(octets, &mut spans, &limits);
    match parsed {
        Ok(Parsed::Complete { head, length }) => {
            assert!(length <= limits.head_octets_max.min(octets.len()), "within the limit");
            assert_is_read(&head, &octets[..length]);
            if let Ok(framing) = response_framing(b"GET", &head) {
                let reuse = response_allows_reuse(&head, framing);
                assert!(!reuse || framing != Framing::UntilClose, "nothing comes after the end");
                assert!(!reuse || head.status != 101, "another protocol (RFC 9110 §15.2.2)");
            }
        }
        Ok(Parsed::Partial) => assert!(octets.len() < limits.head_octets_max, "found in time"),
        Err(error) => assert!((400..=505).contains(&error.status())),
    }
    assert_prefixes_agree(octets, |octets| {
        length_of(parse_response(octets, &mut Vec::new(), &limits))
    });
}

/// RFC 9112 §4
fn assert_is_read(head: &ResponseHead<'_>, octets: &[u8]) {
    let lines = lines(octets);
    let (line, field_lines) = lines.split_first().expect("there is a status line");
    let (version, rest) = line.split_at_checked(8).expect("a version");
    assert!(is_version(version));
    assert_eq!(head.version == Version::Http10, version == b"HTTP/1.0");
    let (status, reason) = rest.split_at_checked(4).expect("a space and three digits");
    let digits = str::from_utf8(&status[1..]).expect("digits");
    assert!(status[0] == b' ' && digits.bytes().all(|octet| octet.is_ascii_digit()));
    assert_eq!(digits.parse(), Ok(head.status));
    assert!((100..=999).contains(&head.status));
    assert!(matches!(reason, [] | [b' ', ..]), "the reason phrase is a word of its own");
    assert_eq!(trimmed(head.reason), trimmed(reason));
    assert_fields(head.fields, field_lines, true);
}
