//! A request's head, against the same octets read line by line.

use super::input::Input;
use super::reading::{
    assert_fields, assert_prefixes_agree, is_token, is_version, length_of, lines,
};
use lastmile_http::fields::is_hop_by_hop;
use lastmile_http::framing::request_framing;
use lastmile_http::head::{HeadLimits, Parsed, RequestHead, Version, parse_request};
use lastmile_http::persistence::request_wants_persistence;
use lastmile_http::target::effective_target;

/// The first octet: 0 for limits as they are by default, else small ones. The rest: what a client sends.
pub fn run(octets: &[u8]) {
    let mut input = Input::new(octets);
    let limits = limits(input.octet());
    let octets = input.rest();
    let mut spans = Vec::new();
    let parsed = parse_request(octets, &mut spans, &limits);
    match parsed {
        Ok(Parsed::Complete { head, length }) => {
            assert!(length <= limits.head_octets_max.min(octets.len()), "within the limit");
            assert!(head.target.len() <= limits.target_octets_max, "within the limit (414)");
            assert_is_read(&head, &octets[..length]);
            assert_is_printable(&head);
            let _ = (effective_target(&head), request_framing(&head));
            let _ = request_wants_persistence(head.version, head.fields);
            for (name, _) in head.fields.iter() {
                let _ = is_hop_by_hop(name, head.fields);
            }
        }
        Ok(Parsed::Partial) => assert!(octets.len() < limits.head_octets_max, "431 in time"),
        Err(error) => assert!((400..=505).contains(&error.status())),
    }
    assert_prefixes_agree(octets, |octets| {
        length_of(parse_request(octets, &mut Vec::new(), &limits))
    });
}

pub(super) fn limits(choice: u8) -> HeadLimits {
    match usize::from(choice) {
        0 => HeadLimits::default(),
        small => HeadLimits { target_octets_max: small, head_octets_max: 4 * small },
    }
}

/// RFC 9112 §3, with up to two empty lines before it (§2.2).
fn assert_is_read(head: &RequestHead<'_>, octets: &[u8]) {
    let lines = lines(octets);
    let skipped = lines.iter().take_while(|line| line.is_empty()).count();
    assert!(skipped <= 2, "§2.2: at least one empty line, and not any number");
    let (line, field_lines) = lines[skipped..].split_first().expect("there is a request line");
    let words: Vec<_> = line.split(|octet| *octet == b' ').collect();
    let [method, target, version] = words[..] else { panic!("{}", line.escape_ascii()) };
    assert_eq!((head.method, head.target), (method, target));
    assert!(is_token(method) && !target.is_empty() && !target.contains(&b'\t'));
    assert!(is_version(version));
    assert_eq!(head.version == Version::Http10, version == b"HTTP/1.0");
    assert_fields(head.fields, field_lines, false);
}

/// What is written from the parts is parsed as the same parts.
fn assert_is_printable(head: &RequestHead<'_>) {
    let version: &[u8] = if head.version == Version::Http10 { b"HTTP/1.0" } else { b"HTTP/1.1" };
    let mut printed = [head.method, b" ", head.target, b" ", version, b"\r\n"].concat();
    for (name, value) in head.fields.iter() {
        printed.extend([name, b": ", value, b"\r\n"].concat());
    }
    printed.extend_from_slice(b"\r\n");
    // White space that was not there may be now.
    let limits = HeadLimits { head_octets_max: printed.len(), ..HeadLimits::default() };
    let mut spans = Vec::new();
    let Ok(Parsed::Complete { head: again, length }) = parse_request(&printed, &mut spans, &limits)
    else {
        panic!("{} is no head", printed.escape_ascii());
    };
    assert_eq!(length, printed.len());
    assert_eq!((again.method, again.target), (head.method, head.target));
    assert_eq!(again.version, head.version);
    assert!(again.fields.iter().eq(head.fields.iter()));
}
