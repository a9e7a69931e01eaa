//! Field lines without a head, lists, quoted strings, Content-Length, and what ends at the next hop.

use super::input::Input;
use super::reading::{assert_fields, trimmed};
use lastmile_http::fields::{
    is_hop_by_hop, is_value_octet, list_members, parse_content_length, trim_ows, unquoted,
};
use lastmile_http::head::{Fields, parse_fields};

/// All octets: field lines.
pub fn run(octets: &[u8]) {
    values(octets);
    let mut spans = Vec::new();
    if let Ok(fields) = parse_fields(octets, &mut spans) {
        parsed(fields, octets);
    }
    let lines = Input::new(octets).lines();
    let mut spans = Vec::new();
    if let Ok(fields) = parse_fields(&lines, &mut spans) {
        fields.iter().for_each(|(_, value)| values(value));
        content_length(fields);
        hop_by_hop(fields);
    }
}

fn parsed(fields: Fields<'_>, octets: &[u8]) {
    let Some(lines) = octets.strip_suffix(b"\r\n") else {
        return assert!(octets.is_empty(), "every line ends");
    };
    let mut read = vec![];
    let mut rest = lines;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        read.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    read.push(rest);
    assert_fields(fields, &read, false);
}

fn values(value: &[u8]) {
    assert_eq!(trim_ows(value), trimmed(value));
    let members: Vec<_> = list_members(value).collect();
    for member in &members {
        assert!(!member.is_empty(), "RFC 9110 §5.6.1.2: empty members count for nothing");
        assert_eq!(trimmed(member), *member);
    }
    let joined = members.join(&b", "[..]);
    assert!(list_members(&joined).eq(members), "a list is what its members are");
    let mut quoted = vec![b'"'];
    for octet in value.iter().filter(|octet| is_value_octet(**octet)) {
        if matches!(octet, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(*octet);
    }
    quoted.push(b'"');
    assert_eq!(unquoted(&quoted), Some(&quoted[1..quoted.len() - 1]), "RFC 9110 §5.6.4");
    let one = list_members(&quoted).collect::<Vec<_>>();
    assert_eq!(one, [&quoted[..]], "a comma between quotes separates nothing");
    if let Some(inner) = unquoted(value) {
        assert_eq!([&b"\""[..], inner, b"\""].concat(), value);
        assert!(list_members(value).eq([value]));
    }
}

/// RFC 9112 §6.3: a number is trusted only if every line says nothing else.
fn content_length(fields: Fields<'_>) {
    let lines: Vec<_> = fields.all("content-length").collect();
    match parse_content_length(fields) {
        Ok(None) => assert!(lines.is_empty()),
        Ok(Some(length)) => {
            assert!(!lines.is_empty());
            for member in lines.join(&b',').split(|octet| *octet == b',') {
                let digits = str::from_utf8(trimmed(member)).expect("ASCII");
                assert!(digits.bytes().all(|octet| octet.is_ascii_digit()), "{digits:?}");
                assert_eq!(digits.parse(), Ok(length));
            }
        }
        Err(error) => {
            let plain = |line: &[u8]| line.len() < 19 && line.iter().all(u8::is_ascii_digit);
            let sound = matches!(lines[..], [one] if !one.is_empty() && plain(one));
            assert!(!sound, "{error:?} for one plain number");
        }
    }
}

/// RFC 9110 §7.6.1
fn hop_by_hop(fields: Fields<'_>) {
    for option in fields.list("connection") {
        assert!(is_hop_by_hop(&option.to_ascii_uppercase(), fields));
    }
    for name in [&b"Connection"[..], b"TE", b"Transfer-Encoding", b"Upgrade", b"Keep-Alive"] {
        assert!(is_hop_by_hop(name, fields));
    }
}
