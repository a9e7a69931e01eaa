//! Tables and properties of the parser.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// Method, target, version, fields, length.
type Request = (Vec<u8>, Vec<u8>, Version, Vec<(Vec<u8>, Vec<u8>)>, usize);

fn owned(fields: Fields<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

fn request(octets: &[u8], limits: &HeadLimits) -> Result<Option<Request>, HeadError> {
    let mut spans = vec![FieldSpan::default(); 3];
    Ok(match parse_request(octets, &mut spans, limits)? {
        Parsed::Partial => None,
        Parsed::Complete { head, length } => Some((
            head.method.to_vec(),
            head.target.to_vec(),
            head.version,
            owned(head.fields),
            length,
        )),
    })
}

fn request_error(octets: &[u8]) -> Option<HeadError> {
    request(octets, &HeadLimits::default()).err()
}

/// Status, reason phrase, number of fields.
type Response = (u16, Vec<u8>, usize);

fn response(octets: &[u8]) -> Result<Option<Response>, HeadError> {
    let mut spans = Vec::new();
    Ok(match parse_response(octets, &mut spans, &HeadLimits::default())? {
        Parsed::Partial => None,
        Parsed::Complete { head, .. } => {
            Some((head.status, head.reason.to_vec(), head.fields.len()))
        }
    })
}

#[test]
fn a_request_is_read() {
    let octets =
        b"GET /a?b HTTP/1.1\r\nHost: one.example\r\nX-Empty:\r\nx-wide: \t a \t b\t \r\n\r\nrest";
    let (method, target, version, fields, length) =
        request(octets, &HeadLimits::default()).unwrap().unwrap();
    assert_eq!((method.as_slice(), target.as_slice()), (&b"GET"[..], &b"/a?b"[..]));
    assert_eq!(version, Version::Http11);
    assert_eq!(length, octets.len() - b"rest".len());
    let expected: [(&[u8], &[u8]); 3] =
        [(b"Host", b"one.example"), (b"X-Empty", b""), (b"x-wide", b"a \t b")];
    assert!(fields.iter().map(|(n, v)| (n.as_slice(), v.as_slice())).eq(expected), "{fields:?}");
}

#[test]
fn request_lines_are_strict() {
    // RFC 9112 §2.2, §2.3, §3
    let rows: &[(&[u8], Option<HeadError>, &str)] = &[
        (b"GET / HTTP/1.1\r\n\r\n", None, "no field at all"),
        (b"GET / HTTP/1.0\r\n\r\n", None, "1.0"),
        (b"GET / HTTP/1.9\r\n\r\n", None, "a later minor version (RFC 9110 §2.5)"),
        (b"\r\nGET / HTTP/1.1\r\n\r\n", None, "an empty line first"),
        (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", None, "two empty lines first"),
        (b"\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "three"),
        (b"\nGET / HTTP/1.1\r\n\r\n", Some(HeadError::BareLf), "an empty line of LF first"),
        (b"\rGET / HTTP/1.1\r\n\r\n", Some(HeadError::BareCr), "CR first"),
        (b"M-SEARCH * HTTP/1.1\r\n\r\n", None, "any token is a method"),
        (b"G@T / HTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "no token"),
        (b" GET / HTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "a space first"),
        (b"GET  / HTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "two spaces"),
        (b"GET\t/ HTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "a tab"),
        (b"GET /  HTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "two spaces"),
        (b"GET / a HTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "a space in the target"),
        (b"GET /\x00 HTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "NUL in the target"),
        (b"GET /\x7f HTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "DEL in the target"),
        (b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "UTF-8 (§3.2)"),
        (b"GET /\xa0 HTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "a wide space"),
        (b"GET /\t HTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "a tab in the target"),
        (b"GET /\r HTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "CR in the target"),
        (b"GET /a|b{c}\"d HTTP/1.1\r\n\r\n", None, "no URI's characters, but browsers send them"),
        (b"GET /\r\n", Some(HeadError::BadRequestLine), "HTTP/0.9"),
        (b"GET /\r\nHost: a\r\n\r\n", Some(HeadError::BadRequestLine), "no version"),
        (b"GET HTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "no target"),
        (b"GET / \r\n\r\n", Some(HeadError::BadRequestLine), "an empty version"),
        (b"get / HTTP/1.1\r\n\r\n", None, "another method: they have a case"),
        (b"GET\x0b/ HTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "a vertical tab"),
        (b"GET /\x0bHTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "the same later"),
        (b"\0GET / HTTP/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "NUL first"),
        (b"\xef\xbb\xbfGET / HTTP/1.1\r\n", Some(HeadError::BadRequestLine), "a byte order mark"),
        (b"  \r\nGET / HTTP/1.1\r\n", Some(HeadError::BadRequestLine), "a line of spaces first"),
        (b"GET\r\n", Some(HeadError::BadRequestLine), "no target"),
        (b"GET / HTTP/1.1 \r\n\r\n", Some(HeadError::BadRequestLine), "a space at the end"),
        (b"GET / HTTP/1.1\n\n", Some(HeadError::BareLf), "LF alone"),
        (b"GET / HTTP/1.1\r\r\n", Some(HeadError::BareCr), "CR alone"),
        (b"GET / HTTP/2.0\r\n\r\n", Some(HeadError::BadVersion), "2.0"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some(HeadError::BadVersion), "HTTP/2's preface"),
        (b"GET / HTTP/0.9\r\n\r\n", Some(HeadError::BadVersion), "0.9"),
        (b"GET / HTTP/1.10\r\n\r\n", Some(HeadError::BadRequestLine), "two digits"),
        (b"GET / HTTP/1\r\n\r\n", Some(HeadError::BadRequestLine), "no minor version"),
        (b"GET / HTTP/01.1\r\n\r\n", Some(HeadError::BadRequestLine), "a leading zero"),
        (b"GET / HTTP/1.\r\n\r\n", Some(HeadError::BadRequestLine), "an empty minor version"),
        (b"GET / HTTP/1,1\r\n\r\n", Some(HeadError::BadRequestLine), "a comma"),
        (b"GET / HTTP /1.1\r\n\r\n", Some(HeadError::BadRequestLine), "a space within"),
        (b"GET / HTTP/1.1\t\r\n\r\n", Some(HeadError::BadRequestLine), "a tab at the end"),
        (b"GET / HTTP/1.1x\r\n\r\n", Some(HeadError::BadRequestLine), "more at the end"),
        (b"GET / HTTP/3.0\r\n\r\n", Some(HeadError::BadVersion), "3.0"),
        (b"GET / HTTP/9.9\r\n\r\n", Some(HeadError::BadVersion), "no such version"),
        (b"GET / http/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "case matters"),
        (b"GET / ICY/1.1\r\n\r\n", Some(HeadError::BadRequestLine), "another protocol"),
        (b"\x16\x03\x01", Some(HeadError::BadRequestLine), "TLS, noticed at once"),
    ];
    for (octets, error, why) in rows {
        assert_eq!(request_error(octets), *error, "{why}");
    }
}

#[test]
fn field_lines_are_strict() {
    // RFC 9112 §2.2, §5.1, §5.2; RFC 9110 §5.5
    let rows: &[(&[u8], Option<HeadError>, &str)] = &[
        (b"a:b\r\n", None, "no whitespace"),
        (b"a:\r\n", None, "no value"),
        (b"a: \t \r\n", None, "only whitespace"),
        (b"a: b:c\r\n", None, "a colon in the value"),
        (b"a: \xff\x80\r\n", None, "obs-text"),
        (b"!#$%&'*+-.^_`|~09azAZ: b\r\n", None, "every kind of token octet"),
        (b"a : b\r\n", Some(HeadError::BadFieldName), "a space before the colon"),
        (b"a\t: b\r\n", Some(HeadError::BadFieldName), "a tab before the colon"),
        (b": b\r\n", Some(HeadError::BadFieldName), "no name"),
        (b"a\r\n", Some(HeadError::BadFieldName), "no colon"),
        (b"a b: c\r\n", Some(HeadError::BadFieldName), "a space in the name"),
        (b"a\xe9: b\r\n", Some(HeadError::BadFieldName), "a letter beyond ASCII"),
        (b"a\x00: b\r\n", Some(HeadError::BadFieldName), "NUL in the name"),
        (b"\"a\": b\r\n", Some(HeadError::BadFieldName), "a quote in the name"),
        (b"a: b\x00c\r\n", Some(HeadError::BadFieldValue), "NUL in the value"),
        (b"a: \x0bb\r\n", Some(HeadError::BadFieldValue), "a vertical tab"),
        (b"a: b\x7f\r\n", Some(HeadError::BadFieldValue), "DEL"),
        (b"a: b\x1b[0m\r\n", Some(HeadError::BadFieldValue), "an escape sequence"),
        (b"Transfer-Encoding: \x0bchunked\r\n", Some(HeadError::BadFieldValue), "hidden chunked"),
        (b"Transfer-Encoding: chunked\x0c\r\n", Some(HeadError::BadFieldValue), "a form feed"),
        (b"Transfer-Encoding: chunked\0\r\n", Some(HeadError::BadFieldValue), "NUL at the end"),
        (b"Transfer-Encoding : chunked\r\n", Some(HeadError::BadFieldName), "as first above"),
        (b"Transfer-Encoding\x0b: chunked\r\n", Some(HeadError::BadFieldName), "another space"),
        (b"Transfer-Encoding\xa0: chunked\r\n", Some(HeadError::BadFieldName), "a wide space"),
        (b"Transfer-Encoding:\r\n chunked\r\n", Some(HeadError::ObsFold), "a folded value"),
        (b"x: y\rTransfer-Encoding: chunked\r\n", Some(HeadError::BareCr), "in another line"),
        (b"x: y\nTransfer-Encoding: chunked\r\n", Some(HeadError::BareLf), "behind LF"),
        (b"\x0bContent-Length: 5\r\n", Some(HeadError::BadFieldName), "a vertical tab first"),
        (b"Content-Length\0: 5\r\n", Some(HeadError::BadFieldName), "NUL in the name"),
        (b"Content-Length: \0 5\r\n", Some(HeadError::BadFieldValue), "NUL before the value"),
        (b"Content Length: 5\r\n", Some(HeadError::BadFieldName), "a space in a name"),
        (b"Content-Length\r\n: 5\r\n", Some(HeadError::BadFieldName), "the colon too late"),
        (b"a: b\r\n c\r\n", Some(HeadError::ObsFold), "a folded line"),
        (b"a: b\r\n\tc\r\n", Some(HeadError::ObsFold), "a folded line with a tab"),
        (b" a: b\r\n", Some(HeadError::ObsFold), "whitespace before the first line"),
        (b"a: b\n", Some(HeadError::BareLf), "LF alone"),
        (b"\n", Some(HeadError::BareLf), "LF alone as the empty line"),
        (b"a: b\rc: d\r\n", Some(HeadError::BareCr), "CR alone"),
        (b"\ra: b\r\n", Some(HeadError::BareCr), "CR alone as the empty line"),
    ];
    for (lines, error, why) in rows {
        let octets = [b"GET / HTTP/1.1\r\n", *lines, b"\r\n"].concat();
        assert_eq!(request_error(&octets), *error, "{why}");
    }
}

#[test]
fn status_lines_are_read() {
    // RFC 9112 §4
    let ok = |status, reason: &[u8], fields| Ok(Some((status, reason.to_vec(), fields)));
    type Row = (&'static [u8], Result<Option<Response>, HeadError>, &'static str);
    let rows: &[Row] = &[
        (b"HTTP/1.1 200 OK\r\n\r\n", ok(200, b"OK", 0), "the usual one"),
        (b"HTTP/1.0 404 Not Found\r\na: b\r\n\r\n", ok(404, b"Not Found", 1), "a longer reason"),
        (b"HTTP/1.1 200 \r\n\r\n", ok(200, b"", 0), "an empty reason"),
        (b"HTTP/1.1 200\r\n\r\n", ok(200, b"", 0), "no space before an empty reason"),
        (b"HTTP/1.1 599 \xc3\xa9\t!\r\n\r\n", ok(599, b"\xc3\xa9\t!", 0), "obs-text and a tab"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", ok(100, b"Continue", 0), "an interim one"),
        (b"HTTP/1.1 600 OK\r\n\r\n", Err(HeadError::BadStatusLine), "above 599 (RFC 9110 §15)"),
        (b"HTTP/1.1 999 OK\r\n\r\n", Err(HeadError::BadStatusLine), "far above"),
        (b"HTTP/1.1 000 OK\r\n\r\n", Err(HeadError::BadStatusLine), "zero"),
        (b"HTTP/1.1 -20 OK\r\n\r\n", Err(HeadError::BadStatusLine), "a sign"),
        (b"HTTP/1.1 200OK\r\n\r\n", Err(HeadError::BadStatusLine), "no space"),
        (b"HTTP/1.1\t200 OK\r\n\r\n", Err(HeadError::BadStatusLine), "a tab"),
        (b"HTTP/1.1 200\tOK\r\n\r\n", Err(HeadError::BadStatusLine), "a tab before the reason"),
        (b"http/1.1 200 OK\r\n\r\n", Err(HeadError::BadStatusLine), "case matters"),
        (b"<html>", Err(HeadError::BadStatusLine), "HTTP/0.9, noticed at once"),
        (b"HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n", Err(HeadError::ObsFold), "a folded line (§5.2)"),
        (b"HTTP/1.1 200 OK\r\na: \x00\r\n\r\n", Err(HeadError::BadFieldValue), "NUL in a value"),
        (b"HTTP/1.1 200 OK\r\na: b\nc: d\r\n\r\n", Err(HeadError::BareLf), "LF in a value"),
        (b"HTTP/1.1 200 OK\r\na: b\rc\r\n\r\n", Err(HeadError::BareCr), "CR in a value"),
        (b"HTTP/1.1 200 OK\r\na : b\r\n\r\n", ok(200, b"OK", 1), "a space before the colon"),
        (b"HTTP/1.1 200 OK\r\n : b\r\n\r\n", Err(HeadError::ObsFold), "no name"),
        (b"HTTP/1.1 200 OK\r\na b: c\r\n\r\n", Err(HeadError::BadFieldName), "two names"),
        (b"HTTP/1.1 099 OK\r\n\r\n", Err(HeadError::BadStatusLine), "less than 100"),
        (b"HTTP/1.1 20 OK\r\n\r\n", Err(HeadError::BadStatusLine), "two digits"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", Err(HeadError::BadStatusLine), "four digits"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", Err(HeadError::BadStatusLine), "a letter"),
        (b"HTTP/1.1  200 OK\r\n\r\n", Err(HeadError::BadStatusLine), "two spaces"),
        (b"HTTP/1.1 200 O\x00K\r\n\r\n", Err(HeadError::BadFieldValue), "NUL in the reason"),
        (b"HTTP/2 200\r\n\r\n", Err(HeadError::BadStatusLine), "no minor version"),
        (b"HTTP/2.0 200 OK\r\n\r\n", Err(HeadError::BadVersion), "2.0"),
        (b"ICY 200 OK\r\n\r\n", Err(HeadError::BadStatusLine), "another protocol"),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", Err(HeadError::BadStatusLine), "an empty line first"),
        (b"HTTP/1.1 200 OK\n\n", Err(HeadError::BareLf), "LF alone"),
        (b"HTTP/1.1 200\rOK\r\n\r\n", Err(HeadError::BareCr), "CR alone"),
        (b"HTTP/1.1 200 OK\r\n", Ok(None), "not whole yet"),
    ];
    for (octets, expected, why) in rows {
        assert_eq!(response(octets), *expected, "{why}");
    }
}

#[test]
fn a_space_before_the_colon_of_a_response_is_removed() {
    // RFC 9112 §5.1: "A proxy MUST remove any such whitespace".
    let mut spans = Vec::new();
    let octets = b"HTTP/1.1 200 OK\r\nETag \t: \"a\"\r\n\r\n";
    let parsed = parse_response(octets, &mut spans, &HeadLimits::default()).unwrap();
    let Parsed::Complete { head, .. } = parsed else { panic!("{parsed:?}") };
    assert_eq!(owned(head.fields), [(b"ETag".to_vec(), b"\"a\"".to_vec())]);
}

#[test]
fn limits_hold_to_the_octet_and_early() {
    let limits = HeadLimits { target_octets_max: 10, head_octets_max: 40 };
    let line = |target: usize| format!("GET /{} HTTP/1.1\r\n", "a".repeat(target - 1));
    let head = |octets: usize| format!("{}b: {}\r\n\r\n", line(5), "c".repeat(octets - 27));
    let many = |count: usize| format!("GET / HTTP/1.1\r\n{}", "a:\r\n".repeat(count));
    let method = |octets: usize| format!("{} / HTTP/1.1\r\n\r\n", "A".repeat(octets));
    let rows = [
        (line(10) + "\r\n", &limits, None, "the longest target"),
        (line(11) + "\r\n", &limits, Some(HeadError::TargetTooLong), "one more"),
        ("GET /aaaaaaaaaa".into(), &limits, Some(HeadError::TargetTooLong), "not whole yet"),
        (head(40), &limits, None, "the longest head"),
        (head(40) + "more", &limits, None, "content behind the longest head"),
        (head(41), &limits, Some(HeadError::HeadTooLarge), "one more"),
        (head(41)[..40].into(), &limits, Some(HeadError::HeadTooLarge), "can't become whole"),
        (head(41)[..39].into(), &limits, None, "could still become whole"),
        ("A".repeat(40), &limits, Some(HeadError::HeadTooLarge), "a method without end"),
        (method(METHOD_OCTETS_MAX), &HeadLimits::default(), None, "the longest method"),
        (
            method(METHOD_OCTETS_MAX + 1),
            &HeadLimits::default(),
            Some(HeadError::MethodTooLong),
            "one more (RFC 9112 §3)",
        ),
        (
            "A".repeat(METHOD_OCTETS_MAX + 1),
            &HeadLimits::default(),
            Some(HeadError::MethodTooLong),
            "noticed before it ends",
        ),
        (many(FIELDS_MAX) + "\r\n", &HeadLimits::default(), None, "as many fields as may be"),
        (many(FIELDS_MAX) + "a", &HeadLimits::default(), Some(HeadError::TooManyFields), "more"),
    ];
    for (octets, limits, error, why) in rows {
        assert_eq!(request(octets.as_bytes(), limits).err(), error, "{why}");
    }
}

#[test]
fn errors_have_their_status() {
    // RFC 9110 §15.5.15, §15.6.6; RFC 6585 §5
    assert_eq!(HeadError::TargetTooLong.status(), 414);
    assert_eq!(HeadError::HeadTooLarge.status(), 431);
    assert_eq!(HeadError::TooManyFields.status(), 431);
    assert_eq!(HeadError::MethodTooLong.status(), 501);
    assert_eq!(HeadError::BadVersion.status(), 505);
    assert_eq!(HeadError::BareLf.status(), 400);
}

#[test]
fn field_lines_alone_are_read() {
    let mut spans = Vec::new();
    assert!(parse_fields(b"", &mut spans).unwrap().is_empty());
    let fields = parse_fields(b"ETag: \"a\"\r\nVary: b\r\n", &mut spans).unwrap();
    assert_eq!((fields.len(), fields.first("etag")), (2, Some(&b"\"a\""[..])));
    let many = "a: b\r\n".repeat(FIELDS_MAX + 2);
    let why = "a stored head has what this cache added, too";
    assert_eq!(parse_fields(many.as_bytes(), &mut spans).unwrap().len(), FIELDS_MAX + 2, "{why}");
    let rows: &[(&[u8], HeadError, &str)] = &[
        (b"a: b", HeadError::IncompleteFieldLine, "no line end"),
        (b"a: b\r", HeadError::IncompleteFieldLine, "half a line end"),
        (b"a: b\r\nc", HeadError::IncompleteFieldLine, "half a name"),
        (b"a: b\r\n\r\n", HeadError::BadFieldName, "an empty line"),
        (b"a: b\nc: d\r\n", HeadError::BareLf, "LF alone"),
    ];
    for (octets, error, why) in rows {
        assert_eq!(parse_fields(octets, &mut spans).err(), Some(*error), "{why}");
    }
}

#[test]
fn fields_are_found_by_name() {
    let mut spans = Vec::new();
    let octets = b"Vary: a, ,b\r\nDate: x\r\nVARY: \"c,d\" ,\r\nvary:\r\nvaryx: e\r\n";
    let fields = parse_fields(octets, &mut spans).unwrap();
    assert_eq!(fields.first("vary"), Some(&b"a, ,b"[..]));
    assert!(fields.all("vary").eq([&b"a, ,b"[..], b"\"c,d\" ,", b""]));
    assert!(fields.list("vary").eq([&b"a"[..], b"b", b"\"c,d\""]));
    assert!(fields.contains("date") && !fields.contains("var"));
    assert_eq!(fields.first("age"), None);
}

/// Octets that look like a head, with faults here and there.
fn almost_head() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        8 => Just(&b"a: b\r\n"[..]),
        2 => Just(&b"Host:one.example \r\n"[..]),
        2 => Just(&b"\r\n"[..]),
        1 => Just(&b"a: b\n"[..]),
        1 => Just(&b"a: \xe9\tb\r\n"[..]),
        1 => Just(&b"a: \x01\r\n"[..]),
        1 => Just(&b" a\r\n"[..]),
        1 => Just(&b"a : b\r\n"[..]),
        1 => Just(&b"\r"[..]),
    ];
    let start = prop_oneof![
        6 => Just(&b"GET / HTTP/1.1\r\n"[..]),
        2 => Just(&b"\r\nGET /a HTTP/1.0\r\n"[..]),
        6 => Just(&b"HTTP/1.1 200 OK\r\n"[..]),
        1 => Just(&b"HTTP/1.1 200\r\n"[..]),
        1 => Just(&b"GET /aaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\n"[..]),
        1 => Just(&b"GET / HTTP/3.1\r\n"[..]),
    ];
    (start, vec(line, 0..12)).prop_map(|(start, lines)| {
        let mut octets = start.to_vec();
        octets.extend(lines.concat());
        octets
    })
}

proptest! {
    #[test]
    fn arbitrary_octets_never_panic(octets: Vec<u8>) {
        let mut spans = Vec::new();
        let limits = HeadLimits { target_octets_max: 8, head_octets_max: 64 };
        let _ = parse_request(&octets, &mut spans, &limits);
        let _ = parse_response(&octets, &mut spans, &limits);
        let _ = parse_fields(&octets, &mut spans);
    }

    /// A prefix is partial, or has the outcome of the whole: nothing depends on how the octets arrive.
    #[test]
    fn a_split_anywhere_changes_nothing(octets in almost_head(), head_octets_max in 8..200_usize) {
        let limits = HeadLimits { target_octets_max: 20, head_octets_max };
        let whole = request(&octets, &limits);
        for end in 0..octets.len() {
            let prefix = request(&octets[..end], &limits);
            prop_assert!(prefix == Ok(None) || prefix == whole, "{prefix:?} after {end}");
        }
        let whole = response(&octets);
        for end in 0..octets.len() {
            let prefix = response(&octets[..end]);
            prop_assert!(prefix == Ok(None) || prefix == whole, "{prefix:?} after {end}");
        }
    }

    #[test]
    fn a_field_is_found_by_its_name_in_any_case(
        names in vec("[a-zA-Z-]{1,3}|[Hh]ost|[Rr]ange|[Ii]f-[Mm]atch|[Hh][Oo]st", 0..12), wanted in 0usize..12,
    ) {
        let lines: String = names.iter().enumerate().map(|(n, name)| format!("{name}: {n}\r\n")).collect();
        let wanted = names.get(wanted).map_or("host".to_owned(), |name| name.to_ascii_lowercase());
        let is_wanted = |name: &String| name.eq_ignore_ascii_case(&wanted);
        let expected: Vec<_> =
            (0..names.len()).filter(|n| is_wanted(&names[*n])).map(|n| n.to_string()).collect();
        let mut spans = Vec::new();
        let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        prop_assert_eq!(fields.all(&wanted).map(text).collect::<Vec<_>>(), &expected[..]);
        let again = Fields::new(fields.octets, fields.spans);
        prop_assert_eq!(again.all(&wanted).map(text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_written_head_reads_back(
        fields in vec(("[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,20}", "([!-~é][ -~é]{0,40}[!-~])?"), 0..20),
    ) {
        let lines: String = fields.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
        let head = format!("GET / HTTP/1.1\r\n{lines}\r\n");
        let read = request(head.as_bytes(), &HeadLimits::default()).unwrap().unwrap();
        prop_assert_eq!(read.4, head.len());
        let expected: Vec<_> =
            fields.into_iter().map(|(n, v)| (n.into_bytes(), v.into_bytes())).collect();
        prop_assert_eq!(&read.3, &expected);
        let mut spans = Vec::new();
        prop_assert_eq!(owned(parse_fields(lines.as_bytes(), &mut spans).unwrap()), expected);
    }
}
