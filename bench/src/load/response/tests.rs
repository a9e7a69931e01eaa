//! Streams of responses, cut anywhere.

use super::*;

/// All responses and contents in `octets`, fed in pieces of `piece`, then the end of the connection.
fn read(octets: &[u8], piece: usize) -> (Vec<Answer>, Vec<u8>, Option<Malformed>) {
    let (mut reader, mut answers, mut content) = (Reader::default(), Vec::new(), Vec::new());
    for piece in octets.chunks(piece) {
        let mut rest = piece;
        while !rest.is_empty() {
            match reader.feed(rest) {
                Ok(step) => {
                    content.extend_from_slice(&rest[step.content]);
                    answers.extend(step.ended);
                    rest = &rest[step.used..];
                }
                Err(malformed) => return (answers, content, Some(malformed)),
            }
        }
    }
    answers.extend(reader.end());
    (answers, content, None)
}

#[test]
fn responses_end_where_they_say() {
    let open = |status| Answer { status, close: false };
    let last = |status| Answer { status, close: true };
    for (octets, answers, content, why) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", vec![open(200)], "hi", "a length"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\nhiHTTP/1.1 404 no\r\nCONTENT-LENGTH: 1\r\n\r\n!",
            vec![open(200), open(404)],
            "hi!",
            "two, pipelined",
        ),
        ("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", vec![open(200)], "hi", "bare line feeds"),
        ("HTTP/1.1 204 No\r\n\r\n", vec![open(204)], "", "no content by status"),
        ("HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n", vec![open(304)], "", "nor with a length"),
        (
            "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            vec![open(200)],
            "",
            "an interim response",
        ),
        ("HTTP/1.1 200 OK\r\n\r\nabc", vec![last(200)], "abc", "until the close"),
        (
            "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n",
            vec![last(200)],
            "",
            "the last one",
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", vec![last(200)], "", "1.0 closes"),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
            vec![open(200)],
            "",
            "unless it says otherwise",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: u\r\n\r\n",
            vec![open(200)],
            "abc0123456789",
            "chunks, an extension, a trailer",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", vec![], "hi", "cut"),
        ("HTTP/1.1 200 OK\r\nConte", vec![], "", "a cut head"),
    ] {
        for piece in 1..=octets.len() {
            let (found, octets, malformed) = read(octets.as_bytes(), piece);
            assert_eq!(malformed, None, "{why}, {piece} at a time");
            assert_eq!(found, answers, "{why}, {piece} at a time");
            assert_eq!(octets, content.as_bytes(), "{why}, {piece} at a time");
        }
    }
}

#[test]
fn what_is_no_response_is_told() {
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "A: b\r\n".repeat(HEAD_OCTETS_MAX / 6 + 1));
    for (octets, expected, why) in [
        ("220 ready\r\n", "no status line of HTTP/1", "another protocol"),
        ("SSH-2.0-x", "no status line of HTTP/1", "one without a line end"),
        ("HTTP/1.1 2x0 OK\r\n", "no status line of HTTP/1", "a status that is none"),
        ("HTTP/1.1 101 Go\r\n\r\n", "another protocol", "an upgrade"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "a Content-Length that is no number",
            "nonsense",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "two lengths",
            "smuggling",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "a transfer coding that was not asked for",
            "gzip",
        ),
        ("HTTP/1.1 200 OK\r\ncookie\r\n\r\n", "a field without a colon", "no field"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "a chunk without a size",
            "no size",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
            "a chunk longer than its size",
            "too long",
        ),
        (&endless, "a head without end", "too long a head"),
    ] {
        // A long one in a few pieces: all of it is looked at again with each.
        for piece in [octets.len().div_ceil(100), octets.len()] {
            let (answers, _, malformed) = read(octets.as_bytes(), piece);
            assert_eq!(malformed, Some(Malformed(expected)), "{why}, {piece} at a time");
            assert_eq!(answers, [], "{why}");
        }
    }
}

#[test]
fn content_that_nobody_looks_at_is_counted() {
    let mut reader = Reader::default();
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
    assert_eq!(reader.feed(head).unwrap().used, head.len());
    assert_eq!(reader.content_left(), 100);
    assert_eq!(reader.skip(60), Step { used: 60, content: 0..60, ended: None });
    assert_eq!(reader.content_left(), 40);
    assert_eq!(reader.skip(40).ended, Some(Answer { status: 200, close: false }));
    assert!(reader.is_before_response());
}
