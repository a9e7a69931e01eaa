//! Answers of an upstream, which are trusted as little as requests.

use super::upstream::{OK, Upstream};
use crate::client::{Client, Ended, request};
use crate::world::start_edge;

/// RFC 9112 §4, §5, §6 and RFC 9110 §15: answers that can't be trusted are no answers, and neither is their connection.
#[test]
fn malformed_answers_become_a_502() {
    let upstream = Upstream::new();
    let (_edge, address) = start_edge(&upstream.url, &[]);
    let mut client = Client::connect(&address);
    let ok = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\nhello");
    for (answer, why) in [
        ("HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n".to_owned(), "a status below 100"),
        ("HTTP/1.1 600 High\r\nContent-Length: 0\r\n\r\n".to_owned(), "a status above 599"),
        ("HTTP/1.1 20 OK\r\n\r\n".to_owned(), "two digits"),
        ("HTTP/1.1 2000 OK\r\n\r\n".to_owned(), "four digits"),
        ("HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(), "another version"),
        ("http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(), "lower case"),
        ("<html></html>\r\n\r\n".to_owned(), "HTTP/0.9"),
        ("HTTP/1.1 200 OK\nContent-Length: 0\n\n".to_owned(), "LF alone"),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".to_owned(), "nobody asked"),
        ("HTTP/1.1 100 Continue\r\n\r\n".repeat(40), "interim answers without end"),
        (ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "two framings (§6.3)"),
        (ok("Content-Length: 5\r\nContent-Length: 6\r\n"), "two lengths (§6.3)"),
        (ok("Content-Length: 5, 6\r\n"), "two lengths in one line"),
        (ok("Content-Length: +5\r\n"), "a length that is none"),
        (ok("Content-Length: 99999999999999999999\r\n"), "a length beyond 64 bits"),
        (ok("Transfer-Encoding: gzip, chunked\r\n"), "a coding that can't be taken off"),
        (ok("Transfer-Encoding: xchunked\r\n"), "a coding like chunked"),
        (ok("Transfer-Encoding: chunked, chunked\r\n"), "chunked twice"),
        (ok("Transfer-Encoding: \x0bchunked\r\n"), "a vertical tab"),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            "1.0 has no codings (§6.1)",
        ),
        (ok("X: y\r\n z\r\nContent-Length: 5\r\n"), "a folded line (§5.2)"),
        (ok("X: \0\r\nContent-Length: 5\r\n"), "NUL"),
        (ok("X: y\rz\r\nContent-Length: 5\r\n"), "CR alone"),
        (ok("X: y\nContent-Length: 5\r\n"), "LF alone in a field"),
        (ok("X y: z\r\nContent-Length: 5\r\n"), "a space in a name"),
        (ok(": z\r\nContent-Length: 5\r\n"), "an empty name"),
        (ok("X\r\nContent-Length: 5\r\n"), "no colon"),
        (ok(&"X: y\r\n".repeat(200)), "too many fields"),
        (ok(&format!("X: {}\r\n", "y".repeat(40_000))), "a field too large"),
    ] {
        upstream.answer(&answer, "");
        let response = client.ask("GET", "/", "Cache-Control: no-store\r\n");
        assert_eq!(response.status, 502, "{why}");
        assert_eq!(response.ended, Ended::Whole, "{why}");
        assert!(!response.text().contains("hello"), "{why}");
        let seen = upstream.take_seen();
        assert_eq!(seen.len(), 1, "{why}: it is not asked again");
        upstream.wait_for_end(seen[0].connection);
    }
}

/// What comes behind an answer must never be the answer to another request (RFC 9112 §6.3, §11.1): the connection is
/// not used again. A good answer's connection is.
#[test]
fn octets_behind_an_answer_answer_nobody() {
    let poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    let upstream = Upstream::new();
    let (_edge, address) = start_edge(&upstream.url, &[]);
    let mut client = Client::connect(&address);
    for (method, fields, answer, again, why) in [
        ("POST", "", OK.to_owned(), true, "nothing wrong"),
        ("POST", "", format!("{OK}{poison}"), false, "another answer behind it"),
        ("POST", "", format!("{OK}\r\n"), false, "an empty line behind it"),
        ("HEAD", "", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n".to_owned(), true, "HEAD"),
        ("HEAD", "", OK.to_owned(), false, "HEAD with content"),
        (
            "HEAD",
            "",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            false,
            "HEAD with two framings",
        ),
        ("POST", "", "HTTP/1.1 204 No Content\r\n\r\n".to_owned(), true, "204"),
        (
            "POST",
            "",
            format!("HTTP/1.1 204 No Content\r\nContent-Length: 49\r\n\r\n{poison}"),
            false,
            "204 with content",
        ),
        (
            "POST",
            "",
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n".to_owned(),
            false,
            "204 that says content will come",
        ),
        (
            "POST",
            "",
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            false,
            "the same in chunks",
        ),
        (
            "POST",
            "",
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{poison}"),
            false,
            "more behind the last chunk",
        ),
        (
            "POST",
            "",
            "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok".to_owned(),
            false,
            "it is said to end",
        ),
        (
            "POST",
            "",
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned(),
            false,
            "1.0 ends (§9.3)",
        ),
        ("GET", "Content-Length: 0\r\nPragma: no-cache\r\n", OK.to_owned(), true, "no content"),
        (
            "DELETE",
            "Transfer-Encoding: chunked\r\n",
            OK.to_owned(),
            false,
            "content that may be read as a request (RFC 9110 §9.3.5)",
        ),
    ] {
        upstream.answer("", &answer);
        let chunked = fields.contains("chunked");
        client.send(request(method, "/first", fields).as_bytes());
        if chunked {
            client.send(b"0\r\n\r\n");
        }
        let response = client.receive(method);
        assert!(response.status < 300 && response.ended == Ended::Whole, "{why}: {response:?}");
        let next = client.ask("POST", "/next", "");
        assert_eq!((next.status, next.content.as_slice()), (200, &b"ok"[..]), "{why}");
        let seen = upstream.take_seen();
        assert_eq!(seen.len(), 2, "{why}");
        assert_eq!(seen[0].connection == seen[1].connection, again, "{why}");
    }
}
