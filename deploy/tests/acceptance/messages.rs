//! Requests that are not what they seem: refused, or passed on as they were understood and in no other form.

mod answers;
mod upstream;

use crate::client::{Client, Ended, request};
use crate::world::start_edge;
use upstream::{OK, Upstream};

/// What a client sends behind a request that is refused, and nobody may ever see.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// Octets, status, why.
type Refused = (String, u16, &'static str);

/// Requests whose content ends somewhere else for somebody else (RFC 9112 §6, §11.2).
fn framings() -> Vec<Refused> {
    let post = |fields: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n0\r\n\r\n");
    let coding = |value: &str| post(&format!("Transfer-Encoding: {value}\r\n"));
    let both = |value: &str| post(&format!("Content-Length: 5\r\nTransfer-Encoding: {value}\r\n"));
    let length = |value: &str| post(&format!("Content-Length: {value}\r\n"));
    vec![
        (both("chunked"), 400, "TE and CL (§6.3)"),
        (both("xchunked"), 400, "TE and CL, TE obscured"),
        (both("identity"), 400, "TE and CL, TE obsolete"),
        (both(""), 400, "TE and CL, TE empty"),
        (post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400, "in the other order"),
        (coding("xchunked"), 400, "a coding like chunked"),
        (coding("chunked, identity"), 400, "chunked is not the last (§6.3)"),
        (coding("chunked, chunked"), 400, "chunked twice (§6.1)"),
        (coding("chunked;a=b"), 400, "chunked with a parameter (§7.1)"),
        (coding("chunked chunked"), 400, "two words"),
        (coding("\"chunked\""), 400, "quoted"),
        (coding("identity"), 400, "no chunked"),
        (coding(""), 400, "empty"),
        (coding("\x0bchunked"), 400, "a vertical tab"),
        (coding("\x0cchunked"), 400, "a form feed"),
        (coding("chunked\0"), 400, "NUL"),
        (coding("\r\n chunked"), 400, "folded (§5.2)"),
        (coding("gzip, chunked"), 501, "a coding that is not understood (§6.1)"),
        (coding("identity, chunked"), 501, "one that is no more"),
        (coding("chunked\r\nTransfer-Encoding: x"), 400, "two lines"),
        (coding("x\r\nTransfer-Encoding: chunked"), 501, "two lines, in the other order"),
        (post("Transfer-Encoding : chunked\r\n"), 400, "a space before the colon (§5.1)"),
        (post("Transfer-Encoding\t: chunked\r\n"), 400, "a tab before the colon"),
        (post(" Transfer-Encoding: chunked\r\n"), 400, "a space before the name"),
        (post("\x0bTransfer-Encoding: chunked\r\n"), 400, "another space before it"),
        (post("X: y\nTransfer-Encoding: chunked\r\n"), 400, "behind LF"),
        (post("X: y\rTransfer-Encoding: chunked\r\n"), 400, "behind CR"),
        (coding("chunked").replace("1.1", "1.0"), 400, "1.0 has no codings (§6.1)"),
        (length("+5"), 400, "a sign"),
        (length("-5"), 400, "a sign"),
        (length("0x5"), 400, "hexadecimal"),
        (length("5 5"), 400, "two numbers"),
        (length("5,6"), 400, "a list that differs (§6.3)"),
        (length("5,"), 400, "an empty member"),
        (length("5\r\nContent-Length: 6"), 400, "two lines that differ"),
        (length(""), 400, "empty"),
        (length("5_0"), 400, "an underscore"),
        (length("1e1"), 400, "an exponent"),
        (length("18446744073709551616"), 413, "2^64"),
        (length("9".repeat(400).as_str()), 413, "400 digits"),
    ]
}

/// Fields and hosts that are none (RFC 9112 §3.2, §5).
fn fields() -> Vec<Refused> {
    let get = |fields: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let host = |value: &str| format!("GET / HTTP/1.1\r\nHost: {value}\r\n\r\n");
    vec![
        (get("X\0: y\r\n"), 400, "NUL in a name"),
        (get("X: \0\r\n"), 400, "NUL in a value"),
        (get("X: y\x7f\r\n"), 400, "DEL in a value"),
        (get("X\u{e9}: y\r\n"), 400, "a name that is not ASCII"),
        (get("X[0]: y\r\n"), 400, "a name that is no token"),
        (get(": y\r\n"), 400, "an empty name"),
        (get("X: y\r\n\tz\r\n"), 400, "folded with a tab"),
        (get("X: y\r\n \r\n"), 400, "folded, and empty"),
        (get("Host: a\r\n"), 400, "a second Host, the same (§3.2)"),
        (get("host: b\r\n"), 400, "a second Host, another"),
        (host(""), 400, "an empty Host (RFC 9110 §4.2.1)"),
        (host("a/b"), 400, "a path in Host"),
        (host("a@b"), 400, "a user in Host"),
        (host("a:80:80"), 400, "two ports"),
        (host("a:x"), 400, "a port that is none"),
        (host("a:99999"), 400, "a port too large"),
        (host("a, b"), 400, "two hosts"),
        (host("a,b"), 400, "two hosts"),
        (host("a b"), 400, "a space"),
        (host("a\\b"), 400, "a backslash"),
        (host("[::1"), 400, "half an address"),
    ]
}

/// Request lines that are none, and what a sound head may still not ask (RFC 9112 §3, RFC 9110 §9, §10).
fn lines() -> Vec<Refused> {
    let get = |fields: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let line = |line: &str| format!("{line}\r\nHost: a\r\n\r\n");
    vec![
        (line("GET http://b@a/ HTTP/1.1"), 400, "a user in the target (RFC 9110 §4.2.4)"),
        (line("GET http:///x HTTP/1.1"), 400, "no host in the target"),
        (line("GET http://a:x/ HTTP/1.1"), 400, "a port that is none"),
        (line("GET ftp://a/ HTTP/1.1"), 421, "another scheme"),
        (line("GET a:80 HTTP/1.1"), 400, "authority form is for CONNECT (§3.2.3)"),
        (line("POST * HTTP/1.1"), 400, "asterisk form is for OPTIONS (§3.2.4)"),
        (line("CONNECT a:80 HTTP/1.1"), 405, "no proxy for that"),
        (line("CONNECT / HTTP/1.1"), 405, "nor for that"),
        (line("GET /a#b HTTP/1.1"), 400, "a fragment"),
        (line("GET /a\\b HTTP/1.1"), 400, "a backslash in the path"),
        (line("GET /\u{e9} HTTP/1.1"), 400, "a target that is not ASCII"),
        (line("GET /\0 HTTP/1.1"), 400, "NUL in the target"),
        (line("GET /\x0b HTTP/1.1"), 400, "a control character in the target"),
        (line("GET /a b HTTP/1.1"), 400, "a space in the target"),
        (line("GET\t/ HTTP/1.1"), 400, "a tab"),
        (line("GET / HTTP/1.1 "), 400, "a space at the end"),
        (line("GET / http/1.1"), 400, "lower case"),
        (line("GET / HTTP/1.10"), 400, "two digits"),
        (line("GET / HTTP/01.1"), 400, "two digits"),
        (line("GET / HTTP/0.9"), 505, "0.9"),
        (line("GET / HTTP/2.0"), 505, "2.0"),
        (line("G[T / HTTP/1.1"), 400, "a method that is no token"),
        (line(&format!("{} / HTTP/1.1", "M".repeat(500))), 501, "a method too long (§3)"),
        (line(&format!("GET /{} HTTP/1.1", "a".repeat(8200))), 414, "a target too long (§3)"),
        (get(&format!("X: {}\r\n", "a".repeat(33_000))), 431, "a field too large (§5.4)"),
        (get(&format!("{}: a\r\n", "X".repeat(33_000))), 431, "a name too large"),
        (get(&"X: y\r\n".repeat(200)), 431, "too many fields"),
        ("GET /\r\n\r\n".to_owned(), 400, "0.9"),
        ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400, "LF first"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505, "HTTP/2"),
        ("\x16\x03\x01\x02\0\x01\0".to_owned(), 400, "TLS"),
        (line("POST / HTTP/1.1\r\nExpect: x"), 417, "an unknown expectation (RFC 9110 §10.1.1)"),
        (line("GET / HTTP/1.1\r\nExpect: y 100-continue"), 417, "an obscured one"),
        (line("TRACE / HTTP/1.1\r\nMax-Forwards: x"), 400, "no number (RFC 9110 §7.6.2)"),
        (line("TRACE / HTTP/1.1\r\nContent-Length: 1"), 400, "TRACE with content (§9.3.8)"),
    ]
}

#[test]
fn what_peers_read_in_different_ways_is_refused() {
    let upstream = Upstream::new();
    let (_edge, address) = start_edge(&upstream.url, &[]);
    for (octets, status, why) in [framings(), fields(), lines()].concat() {
        let mut client = Client::connect(&address);
        client.send(octets.as_bytes());
        client.send(SMUGGLED.as_bytes());
        let response = client.receive("GET");
        assert_eq!(response.status, status, "{why}");
        assert_eq!(response.field("connection"), "close", "{why}");
        assert!(response.interim.is_empty(), "{why}");
        client.assert_closed(why);
        let seen = upstream.take_seen();
        assert!(seen.is_empty(), "{why}: {seen:#?}");
    }
}

/// Faults that show when the request is on its way already: it never becomes whole.
#[test]
fn content_that_peers_read_in_different_ways_ends_the_request() {
    let upstream = Upstream::new();
    let (_edge, address) = start_edge(&upstream.url, &[]);
    // RFC 9112 §7.1
    for (chunks, status, why) in [
        ("0x5\r\nhello\r\n0\r\n\r\n", 400, "a prefix"),
        ("5_0\r\nhello\r\n0\r\n\r\n", 400, "an underscore"),
        (" 5\r\nhello\r\n0\r\n\r\n", 400, "a space before the size"),
        ("5 \r\nhello\r\n0\r\n\r\n", 400, "a space behind it"),
        ("5\nhello\r\n0\r\n\r\n", 400, "LF behind the size"),
        ("5\rhello\r\n0\r\n\r\n", 400, "CR behind the size"),
        ("5\r\nhello\n0\r\n\r\n", 400, "LF behind the data"),
        ("5\r\nhello0\r\n\r\n", 400, "nothing behind the data"),
        ("5\r\nhelloX\r\n0\r\n\r\n", 400, "more than the size"),
        ("5;a\nx\r\nhello\r\n0\r\n\r\n", 400, "LF in an extension"),
        ("5;a\rx\r\nhello\r\n0\r\n\r\n", 400, "CR in an extension"),
        ("5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n", 400, "a line end in a quoted-string"),
        ("5;\r\nhello\r\n0\r\n\r\n", 400, "a semicolon alone"),
        ("5;a\0\r\nhello\r\n0\r\n\r\n", 400, "NUL in an extension"),
        ("5\r\nhello\r\n0\r\nX : y\r\n\r\n", 400, "a space before a trailer's colon"),
        ("5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n", 400, "a folded trailer"),
        ("5\r\nhello\r\n0\r\nX: y\n\r\n", 400, "LF behind a trailer"),
        ("5\r\nhello\r\n0\r\nGET / HTTP/1.1\r\n\r\n", 400, "a request where a trailer may be"),
        ("5\r\nhello\r\n0\r\n\n", 400, "LF at the end"),
        ("-5\r\nhello\r\n0\r\n\r\n", 400, "a sign"),
        ("10000000000000005\r\nhello\r\n0\r\n\r\n", 413, "5, if only 64 bits are looked at"),
    ] {
        let mut client = Client::connect(&address);
        client.send(request("POST", "/", "Transfer-Encoding: chunked\r\n").as_bytes());
        client.send(chunks.as_bytes());
        client.send(SMUGGLED.as_bytes());
        let response = client.receive("POST");
        assert_eq!(response.status, status, "{why}");
        assert_eq!(response.field("connection"), "close", "{why}");
        client.assert_closed(why);
    }
    // What was begun upstream may be seen there a moment later.
    for seen in upstream.take_seen() {
        upstream.wait_for_end(seen.connection);
        assert!(seen.head.starts_with("POST / ") && seen.content.is_empty(), "{seen:?}");
    }
    assert_eq!(Client::connect(&address).ask("POST", "/last", "").status, 200);
    let late = upstream.take_seen();
    assert!(late.iter().all(|seen| seen.head.starts_with("POST /")), "{late:#?}");
}

/// A request, what the upstream must see of it (lines of its head), what it must not, its content, why.
type Row =
    (&'static str, &'static [&'static str], &'static [&'static str], &'static str, &'static str);

const FORWARDED: &[Row] = &[
    (
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 005\r\n\r\nhello",
        &["POST /a HTTP/1.1", "content-length: 5"],
        &["transfer-encoding"],
        "hello",
        "leading zeros are gone (RFC 9110 §8.6)",
    ),
    (
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5, 5\r\n\r\nhello",
        &["content-length: 5"],
        &["5, 5"],
        "hello",
        "one length for several equal ones (§6.3)",
    ),
    (
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,\tChunked ,\r\n\r\n5;a=b\r\nhello\r\n00\r\n\
         Content-Length: 1\r\nHost: b\r\nTransfer-Encoding: x\r\n\r\n",
        &["transfer-encoding: chunked"],
        &["content-length", "host: b", "trailer"],
        "5\r\nhello\r\n0\r\n\r\n",
        "written anew, without extensions and trailers (§7.1.1, §7.1.2)",
    ),
    (
        "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        &["GET /a HTTP/1.1", "content-length: 5"],
        &[],
        "hello",
        "content of a GET (RFC 9110 §9.3.1)",
    ),
    (
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer_Encoding: chunked\r\n\
         Content_Length: 5\r\n\r\n",
        &["content-length: 0"],
        &["transfer_encoding", "content_length"],
        "",
        "what a gateway may take for something else",
    ),
    (
        "GET http://B:81/c?d HTTP/1.1\r\nHost: a\r\n\r\n",
        &["GET /c?d HTTP/1.1", "host: b:81"],
        &["host: a"],
        "",
        "the target beats Host (§3.2.2)",
    ),
    (
        "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n",
        &["OPTIONS * HTTP/1.1", "host: a"],
        &[],
        "",
        "a whole server in absolute form (§3.2.4)",
    ),
    ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &["OPTIONS * HTTP/1.1"], &[], "", "asterisk form"),
    ("\r\nGET /a HTTP/1.2\r\nHost: a\r\n\r\n", &["GET /a HTTP/1.1"], &[], "", "our version (§2.3)"),
    ("get /a HTTP/1.1\r\nHost: a\r\n\r\n", &["get /a HTTP/1.1"], &[], "", "methods have a case"),
    ("M-SEARCH /a HTTP/1.1\r\nHost: a\r\n\r\n", &["M-SEARCH /a HTTP/1.1"], &[], "", "any method"),
    (
        "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close, Content-Length, Host, X\r\nX: y\r\n\
         Content-Length: 5\r\n\r\nhello",
        &["content-length: 5", "host: a"],
        &["x: y", "connection"],
        "hello",
        "Connection names what is not of one hop (RFC 9110 §7.6.1)",
    ),
    (
        "GET /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        &["GET /a HTTP/1.1"],
        &["upgrade", "http2-settings"],
        "",
        "no switch without permission (RFC 9110 §7.8)",
    ),
    (
        "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        &["GET /a HTTP/1.1"],
        &["upgrade", "connection"],
        "",
        "nor to WebSocket",
    ),
    (
        "POST /a HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
        &["POST /a HTTP/1.1"],
        &["expect"],
        "hello",
        "1.0 expects nothing (RFC 9110 §10.1.1)",
    ),
    (
        "OPTIONS /a HTTP/1.1\r\nHost: a\r\nMax-Forwards: 010\r\n\r\n",
        &["max-forwards: 9"],
        &["max-forwards: 010"],
        "",
        "one less (RFC 9110 §7.6.2)",
    ),
    (
        "TRACE /a HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\n\r\n",
        &["TRACE /a HTTP/1.1", "max-forwards: 0"],
        &[],
        "",
        "the next one is the last",
    ),
    (
        "GET /a HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\nCache-Control: no-store\r\n\r\n",
        &["GET /a HTTP/1.1"],
        &[],
        "",
        "means nothing for GET",
    ),
];

#[test]
fn what_is_understood_is_passed_on_in_that_form() {
    let upstream = Upstream::new();
    let (_edge, address) = start_edge(&upstream.url, &[]);
    for (octets, there, absent, content, why) in FORWARDED {
        let mut client = Client::connect(&address);
        client.send(octets.as_bytes());
        assert_eq!(client.receive("GET").status, 200, "{why}");
        let seen = upstream.take_seen();
        assert_eq!(seen.len(), 1, "{why}: {seen:#?}");
        let head = &seen[0].head;
        for line in *there {
            let is_there = head.lines().any(|found| found.eq_ignore_ascii_case(line));
            assert!(is_there, "{why}: no {line:?} in {head}");
        }
        let lower = head.to_ascii_lowercase();
        for field in *absent {
            assert!(!lower.contains(&format!("\r\n{field}")), "{why}: {field:?} in {head}");
        }
        assert_eq!(lower.matches("\r\nhost:").count(), 1, "{why}: {head}");
        assert!(lower.matches("\r\ncontent-length:").count() <= 1, "{why}: {head}");
        assert_eq!(seen[0].content, *content, "{why}");
    }
}

/// RFC 9110 §10.1.1: the client is told to go on when the upstream says so.
#[test]
fn a_client_that_waits_is_told_to_go_on() {
    let upstream = Upstream::new();
    let (_edge, address) = start_edge(&upstream.url, &[]);
    let mut client = Client::connect(&address);
    for expect in ["100-continue", "100-Continue"] {
        upstream.answer("HTTP/1.1 100 Continue\r\n\r\n", OK);
        let fields = format!("Expect: {expect}\r\nContent-Length: 5\r\n");
        client.send(request("POST", "/", &fields).as_bytes());
        assert_eq!(client.receive_head().status(), 100);
        client.send(b"hello");
        let response = client.receive("POST");
        assert_eq!((response.status, response.field("connection")), (200, String::new()));
        let seen = upstream.take_seen().remove(0);
        assert!(seen.head.to_ascii_lowercase().contains("\r\nexpect: 100-continue\r\n"));
        assert_eq!(seen.content, "hello");
    }
}

/// RFC 9110 §10.1.1 and RFC 9112 §9.6: a final answer instead of the 100 says that the connection ends with it, since
/// nobody can know whether the content will come.
#[test]
fn a_client_that_waits_in_vain_is_told_that_the_connection_ends() {
    let upstream = Upstream::new();
    let (_edge, address) = start_edge(&upstream.url, &[]);
    let (_edge, dead) = start_edge("http://127.0.0.77:9", &[]);
    let no = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno";
    for (address, sends_anyway, status) in
        [(&address, false, 401), (&address, true, 401), (&dead, true, 502)]
    {
        upstream.answer(no, "");
        let mut client = Client::connect(address);
        let fields = "Expect: 100-continue\r\nContent-Length: 38\r\n";
        client.send(request("POST", "/", fields).as_bytes());
        let response = client.receive("POST");
        assert_eq!((response.status, response.ended), (status, Ended::Whole));
        assert_eq!(response.field("connection"), "close");
        assert!(response.interim.is_empty());
        if sends_anyway {
            client.send(SMUGGLED.as_bytes());
        }
        client.finish();
        client.assert_ended_in_order();
    }
    assert!(upstream.take_seen().iter().all(|seen| seen.head.starts_with("POST / ")));
}

/// RFC 9112 §9.3: who did not say that the connection ends reads the rest of the content, and no request in it.
#[test]
fn an_early_answer_is_followed_by_the_rest_of_the_content() {
    let upstream = Upstream::new();
    let (_edge, address) = start_edge(&upstream.url, &[]);
    let mut client = Client::connect(&address);
    let length = format!("Content-Length: {}\r\n", SMUGGLED.len());
    for fields in [&length, "Transfer-Encoding: chunked\r\n"] {
        upstream.answer(OK, "");
        client.send(request("POST", "/early", fields).as_bytes());
        let response = client.receive("POST");
        assert_eq!((response.status, response.field("connection")), (200, String::new()));
        if fields.contains("chunked") {
            let chunks = format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len());
            client.send(chunks.as_bytes());
        } else {
            client.send(SMUGGLED.as_bytes());
        }
        assert_eq!(client.ask("POST", "/next", "").status, 200);
        let seen = upstream.take_seen();
        let heads: Vec<_> = seen.iter().map(|seen| seen.head.split(' ').nth(1).unwrap()).collect();
        assert_eq!(heads, ["/early", "/next"]);
        assert!(seen[0].content.contains("/smuggled"), "it is content: {seen:#?}");
    }
}

/// RFC 9110 §7.6.2, §9.3.7, §9.3.8: who must not forward a request answers it.
#[test]
fn the_last_one_answers() {
    let upstream = Upstream::new();
    let (_edge, address) = start_edge(&upstream.url, &[]);
    let mut client = Client::connect(&address);
    for target in ["*", "/a"] {
        let response = client.ask("OPTIONS", target, "Max-Forwards: 0\r\n");
        assert_eq!((response.status, response.field("content-length")), (200, "0".to_owned()));
        assert!(response.field("allow").contains("GET, HEAD"), "{response:?}");
        assert!(response.cache_status().contains("edge; detail=last-hop"), "{response:?}");
    }
    let fields = "Max-Forwards: 0\r\nX: y\r\nCookie: c=d\r\nAuthorization: Basic YTpi\r\n";
    let response = client.ask("TRACE", "/a?b", fields);
    assert_eq!((response.status, response.field("content-type")), (200, "message/http".into()));
    let head = String::from_utf8(response.content).unwrap();
    let expected =
        "TRACE /a?b HTTP/1.1\r\nHost: www.customer.test\r\nMax-Forwards: 0\r\nX: y\r\n\r\n";
    assert_eq!(head, expected);
    client.send(request("OPTIONS", "*", "Max-Forwards: 0\r\nContent-Length: 38\r\n").as_bytes());
    client.send(SMUGGLED.as_bytes());
    let response = client.receive("OPTIONS");
    assert_eq!((response.status, response.field("connection")), (200, "close".to_owned()));
    client.assert_closed("content that nobody reads");
    assert!(upstream.take_seen().is_empty());
}
