//! Synthetic objects over real sockets: the octets, the fields, the framing and the faults, as they are on the wire.

mod raw;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use lastmile_origin::{Ending, fill_synthetic, synthetic_octet};
use raw::{PATIENCE, Raw, get, synthetic};

fn octets(path: &str, range: std::ops::Range<u64>) -> Vec<u8> {
    let mut out = vec![0; (range.end - range.start) as usize];
    fill_synthetic(path, range.start, &mut out);
    out
}

#[test]
fn objects_are_what_the_function_says() {
    let origin = synthetic();
    let mut connection = Raw::connect(origin.address());
    for (target, path, size) in [
        ("/bytes/0", "/bytes/0", 0),
        ("/bytes/1", "/bytes/1", 1),
        ("/bytes/1K/a/b.png?n=1&max-age=5", "/bytes/1K/a/b.png", 1000),
        ("/bytes/300KiB", "/bytes/300KiB", 307_200),
        ("/bytes/5M/%C3%A9", "/bytes/5M/%C3%A9", 5_000_000),
    ] {
        let reply = connection.get(target, "");
        assert_eq!((reply.status, reply.broken), (200, None), "{target}");
        assert_eq!(reply.field("content-length"), Some(size.to_string().as_str()), "{target}");
        assert!(reply.content == octets(path, 0..size), "{target}");
        assert!(reply.field("date").is_some() && reply.field("server").is_none(), "{target}");
    }
    for (target, status) in
        [("/bytes/x", 404), ("/bytes/", 404), ("/other", 404), ("/bytes/1?status=1", 400)]
    {
        assert_eq!(connection.get(target, "").status, status, "{target}");
    }
}

#[test]
fn ranges_reach_far_into_huge_objects() {
    let origin = synthetic();
    let mut connection = Raw::connect(origin.address());
    let path = "/bytes/1000T/x";
    let reply = connection.get(path, "Range: bytes=999999999999990-\r\n");
    assert_eq!(reply.status, 206);
    assert_eq!(
        reply.field("content-range"),
        Some("bytes 999999999999990-999999999999999/1000000000000000")
    );
    assert_eq!(reply.content, octets(path, 999_999_999_999_990..1_000_000_000_000_000));
    let parts = connection.get("/bytes/1K", "Range: bytes=3-3,5-5\r\n");
    assert_eq!(parts.status, 206);
    assert!(parts.field("content-type").unwrap().starts_with("multipart/byteranges"));
    assert!(parts.content.contains(&synthetic_octet("/bytes/1K", 3)));
    assert_eq!(connection.get("/bytes/10", "Range: bytes=10-\r\n").status, 416);
    let refused = connection.get("/bytes/10?status=503", "Range: bytes=0-0\r\n");
    assert_eq!((refused.status, refused.content.len()), (503, 10), "a status overrides ranges");
}

#[test]
fn the_query_sets_fields_and_status() {
    let origin = synthetic();
    let mut connection = Raw::connect(origin.address());
    let rows: &[(&str, u16, &str, Option<&str>)] = &[
        ("max-age=60&s-maxage=5", 200, "cache-control", Some("max-age=60, s-maxage=5")),
        ("cache-control=private", 200, "cache-control", Some("private")),
        ("", 200, "cache-control", None),
        ("status=404&max-age=1", 404, "cache-control", Some("max-age=1")),
        ("status=599", 599, "content-length", Some("10")),
        ("status=204", 204, "content-length", None),
        ("age=100", 200, "age", Some("100")),
        ("date=@0", 200, "date", Some("Thu, 01 Jan 1970 00:00:00 GMT")),
        ("expires=@0", 200, "expires", Some("Thu, 01 Jan 1970 00:00:00 GMT")),
        ("vary=Accept%2C%20Cookie", 200, "vary", Some("Accept, Cookie")),
        ("etag=v1", 200, "etag", Some("\"v1\"")),
        ("last-modified=@0", 200, "last-modified", Some("Thu, 01 Jan 1970 00:00:00 GMT")),
        ("status=302&location=/bytes/1", 302, "location", Some("/bytes/1")),
        ("header.surrogate-key=a%20b", 200, "surrogate-key", Some("a b")),
        ("header.content-type=text/html", 200, "content-type", Some("text/html")),
        ("", 200, "content-type", Some("application/octet-stream")),
        ("", 200, "request-method", Some("GET")),
    ];
    for (query, status, name, value) in rows {
        let reply = connection.get(&format!("/bytes/10?{query}"), "");
        assert_eq!((reply.status, reply.field(name)), (*status, *value), "{query}");
        assert_eq!(reply.head.to_ascii_lowercase().matches("\r\ndate:").count(), 1, "{query}");
    }
    let head = connection.request("HEAD", "/bytes/10", "");
    assert_eq!(head.field("content-length"), Some("10"));
}

#[test]
fn conditional_requests_by_etag_and_date() {
    let origin = synthetic();
    let mut connection = Raw::connect(origin.address());
    let rows = [
        ("etag=v1", "If-None-Match: \"v1\"\r\n", 304, "the same tag"),
        ("etag=W/%22v1%22", "If-None-Match: \"v1\"\r\n", 304, "weak comparison"),
        ("etag=v2", "If-None-Match: \"v1\"\r\n", 200, "a new version"),
        ("", "If-None-Match: \"v1\"\r\n", 200, "no tag"),
        (
            "last-modified=@9",
            "If-Modified-Since: Thu, 01 Jan 1970 00:00:09 GMT\r\n",
            304,
            "same date",
        ),
        ("last-modified=@9", "If-Modified-Since: Thu, 01 Jan 1970 00:00:08 GMT\r\n", 200, "later"),
        ("etag=v1&status=200", "If-Match: \"v0\"\r\n", 412, "another tag"),
        ("etag=v1&status=500", "If-None-Match: \"v1\"\r\n", 500, "a status overrides conditions"),
        ("etag=v1", "Range: bytes=0-0\r\nIf-Range: \"v1\"\r\n", 206, "the same tag"),
        ("etag=v2", "Range: bytes=0-0\r\nIf-Range: \"v1\"\r\n", 200, "a new version"),
    ];
    for (query, fields, status, why) in rows {
        let target = format!("/bytes/10?max-age=3&{query}");
        let reply = connection.get(&target, fields);
        assert_eq!(reply.status, status, "{query}, {fields}: {why}");
        if status == 304 {
            assert_eq!(reply.field("cache-control"), Some("max-age=3"), "{why}");
        }
    }
}

#[test]
fn framing_on_request() {
    let origin = synthetic();
    let mut connection = Raw::connect(origin.address());
    let path = "/bytes/200K";
    let chunked = connection.get("/bytes/200K?chunked=1", "");
    assert_eq!(chunked.field("transfer-encoding"), Some("chunked"));
    assert!(chunked.broken.is_none() && chunked.content == octets(path, 0..200_000));
    let head = connection.request("HEAD", "/bytes/200K?chunked=1", "");
    assert_eq!(head.field("content-length"), None);

    connection
        .send("GET /bytes/25?chunked=1&chunk=10 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let mut wire = Vec::new();
    std::io::Read::read_to_end(connection.stream(), &mut wire).unwrap();
    let sizes: Vec<usize> =
        [b"\r\n\r\nA\r\n".as_slice(), b"\r\nA\r\n", b"\r\n5\r\n", b"\r\n0\r\n\r\n"]
            .iter()
            .map(|mark| wire.windows(mark.len()).position(|window| window == *mark).unwrap())
            .collect();
    assert!(sizes.is_sorted(), "chunks of 10, 10, 5 and the last: {sizes:?}");

    let until_close = get(&origin, "/bytes/200K?close-delimited=1", "");
    assert!(until_close.head.starts_with("HTTP/1.0 200"), "{}", until_close.head);
    assert_eq!(until_close.field("content-length"), None);
    assert_eq!(until_close.field("transfer-encoding"), None);
    assert_eq!(until_close.broken, Some(ErrorKind::UnexpectedEof), "a clean close ends it");
    assert!(until_close.content == octets(path, 0..200_000));
}

#[test]
fn connections_that_end_early() {
    let origin = synthetic();
    let eof = Some(ErrorKind::UnexpectedEof);
    let reset = Some(ErrorKind::ConnectionReset);
    let rows: &[(&str, usize, Option<ErrorKind>, Ending, &str)] = &[
        ("close-early=100", 100, eof, Ending::ClosedOnPurpose, "a clean close"),
        ("close-early=0", 0, eof, Ending::ClosedOnPurpose, "after the head"),
        ("close-early=300K", 300_000, eof, Ending::ClosedOnPurpose, "after some slices"),
        ("close-early=100&chunked=1", 100, eof, Ending::ClosedOnPurpose, "without the last chunk"),
        ("reset-at=100", 100, reset, Ending::ResetOnPurpose, "RST"),
        ("reset-at=0", 0, reset, Ending::ResetOnPurpose, "RST after the head"),
        ("reset-at=100&chunked=1", 100, reset, Ending::ResetOnPurpose, "RST within chunks"),
        ("reset-at=100&close-delimited=1", 100, reset, Ending::ResetOnPurpose, "no clean end"),
    ];
    for (query, count, broken, ending, why) in rows {
        origin.journal().clear();
        let reply = get(&origin, &format!("/bytes/1M?{query}"), "");
        assert_eq!(reply.status, 200, "{query}: {why}");
        assert_eq!((reply.content.len(), reply.broken), (*count, *broken), "{query}: {why}");
        assert!(reply.content == octets("/bytes/1M", 0..*count as u64), "{query}: {why}");
        let entry = origin.journal().wait_for_ended(1, PATIENCE).remove(0);
        assert_eq!((entry.ending, entry.content_sent), (*ending, *count as u64), "{query}: {why}");
    }
    let announced = get(&origin, "/bytes/1M?close-early=100", "");
    assert_eq!(announced.field("content-length"), Some("1000000"));
    let whole = get(&origin, "/bytes/100?close-early=101", "");
    assert_eq!((whole.content.len(), whole.broken), (100, None), "a cut beyond the end");
}

#[test]
fn connections_that_end_before_the_head() {
    let origin = synthetic();
    for (query, broken, ending) in [
        ("abort=close", ErrorKind::UnexpectedEof, Ending::ClosedOnPurpose),
        ("abort=reset", ErrorKind::ConnectionReset, Ending::ResetOnPurpose),
    ] {
        origin.journal().clear();
        let reply = get(&origin, &format!("/bytes/1?{query}"), "");
        assert_eq!((reply.head.as_str(), reply.broken), ("", Some(broken)), "{query}");
        let entry = origin.journal().wait_for_ended(1, PATIENCE).remove(0);
        assert_eq!((entry.status, entry.ending), (0, ending), "{query}");
    }
}

#[test]
fn delay_rate_and_pause_take_their_time() {
    let origin = synthetic();
    // Lower bounds only: a busy machine may always take longer.
    let rows = [
        ("delay=150", 150, "before the head"),
        ("rate=100K", 190, "20 KB at 100 KB/s, the last slice paid for"),
        ("pause-at=5000&pause=150", 150, "in the middle"),
        ("pause=150", 150, "between head and content"),
    ];
    for (query, least_ms, why) in rows {
        let begun = Instant::now();
        let reply = get(&origin, &format!("/bytes/20K?{query}"), "");
        assert!(reply.content == octets("/bytes/20K", 0..20_000), "{query}: {why}");
        let elapsed = begun.elapsed();
        assert!(elapsed >= Duration::from_millis(least_ms), "{query}: {why}: {elapsed:?}");
    }
}

#[test]
fn a_limited_rate_sends_early_octets_early() {
    let origin = synthetic();
    let mut connection = Raw::connect(origin.address());
    // The whole would take 1,000 s; its first octets come nevertheless.
    connection.send("GET /bytes/1M?rate=1K HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut octets = [0; 4096];
    let mut read = 0;
    while read < 300 {
        read += std::io::Read::read(connection.stream(), &mut octets).unwrap();
    }
    drop(connection);
    let entry = origin.journal().wait_for_ended(1, PATIENCE).remove(0);
    assert_eq!(entry.ending, Ending::AbortedByClient);
    assert!((1..1_000_000).contains(&entry.content_sent), "{}", entry.content_sent);
}

#[test]
fn request_content_is_counted_or_echoed() {
    let origin = synthetic();
    let mut connection = Raw::connect(origin.address());
    connection.send("POST /bytes/10 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    let counted = connection.reply("POST");
    assert_eq!(counted.field("request-content-length"), Some("5"));
    assert_eq!(counted.field("request-method"), Some("POST"));
    assert_eq!(counted.content, octets("/bytes/10", 0..10));

    connection.send("PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    let echoed = connection.reply("PUT");
    assert_eq!((echoed.text().as_str(), echoed.field("content-length")), ("hello", Some("5")));

    connection
        .send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    connection.send("6\r\n world\r\n0\r\n\r\n");
    let echoed = connection.reply("POST");
    assert_eq!(echoed.text(), "hello world");
    assert_eq!(echoed.field("transfer-encoding"), Some("chunked"));
    assert_eq!(connection.get("/echo", "").content.len(), 0, "nothing to echo");
    assert_eq!(
        connection.request("DELETE", "/bytes/3", "").field("request-method"),
        Some("DELETE")
    );

    let entries = origin.journal().wait_for_ended(5, PATIENCE);
    let received: Vec<u64> = entries.iter().map(|entry| entry.content_received).collect();
    assert_eq!(received, [5, 5, 11, 0, 0]);
    assert!(entries.iter().all(|entry| entry.ending == Ending::Complete), "{entries:?}");
}

#[test]
fn echo_streams_before_the_request_has_ended() {
    let origin = synthetic();
    let mut connection = Raw::connect(origin.address());
    connection
        .send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    let mut seen = Vec::new();
    while !seen.windows(5).any(|window| window == b"hello") {
        let mut octets = [0; 1024];
        let count = std::io::Read::read(connection.stream(), &mut octets).unwrap();
        assert_ne!(count, 0);
        seen.extend_from_slice(&octets[..count]);
    }
}
