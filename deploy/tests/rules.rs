//! Rules of HTTP that only show on the wire: an edge between a client and an upstream that sends what it is told to.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

#[path = "acceptance/client.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod client;
#[allow(dead_code, reason = "each test program uses its part")]
mod process;
#[path = "acceptance/scripted.rs"]
mod scripted;
#[path = "acceptance/world.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod world;

use client::{Client, request};
use scripted::Scripted;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use world::{World, start_edge, synthetic};

/// A 200 with these fields and `content`.
fn answer(fields: &str, content: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n{content}", content.len())
}

/// RFC 9110 §5.1, §6.6.1, §11.6.1; RFC 9111 §3.1, §5.2, §5.5; RFC 9213 §3.1: what is end to end arrives as it was sent,
/// from the upstream and from the store, and a Date is added where there was none.
#[test]
fn fields_of_the_origin_arrive() {
    let fields = [
        ("Cache-Control", "max-age=60, foo=\"bar\", max-age=60"),
        ("CDN-Cache-Control", "max-age=61"),
        ("Expires", "0"),
        ("Pragma", "x"),
        ("Warning", "199 - \"x\""),
        ("Vary", "X-None"),
        ("ETag", "\"a\""),
        ("Content-Type", "text/plain;charset=\"x\""),
        ("Content-Encoding", "gzip"),
        ("WWW-Authenticate", "Basic realm=\"a\""),
        ("Link", "</a>; rel=next"),
        ("X-Unknown", "\u{e9}"),
    ];
    let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let scripted = Scripted::new(&[&answer(&lines, "hi")]);
    let (_edge, address) = start_edge(&scripted.url, &[]);
    let mut client = Client::connect(&address);
    for expected in ["fwd=uri-miss", "; hit"] {
        let response = client.get("/");
        assert!(response.cache_status().contains(expected), "{}", response.cache_status());
        for (name, value) in fields {
            let is_it = |(other, _): &&(String, String)| other.eq_ignore_ascii_case(name);
            let found: Vec<_> = response.fields.iter().filter(is_it).collect();
            assert_eq!(found.len(), 1, "{expected}: {name}: {:?}", response.fields);
            assert_eq!(found[0].1, value, "{expected}: {name}");
        }
        assert!(response.field("date").ends_with(" GMT"), "{expected}: Date");
    }
}

/// What the origin sees of a request: RFC 9110 §11.6.2, RFC 9111 §7.1.
#[test]
fn fields_of_the_client_arrive_unless_they_could_poison() {
    // It answers once on a connection, and says so: what is sent on one that ends is not always sent again.
    let last = "Cache-Control: no-store\r\nConnection: close\r\n";
    let scripts = [answer(last, "hi"), answer("", "hi")];
    let scripted = Scripted::new(&[&scripts[0], &scripts[1]]);
    let (_edge, address) = start_edge(&scripted.url, &[]);
    let fields = "Authorization: Digest a=\"b, c\"\r\nCookie: a=b; c=\"d\"\r\nX-Unknown: 1\r\n\
                  X-Forwarded-Host: evil.test\r\nX-Original-URL: /evil\r\nForwarded: host=evil.test\r\n";
    Client::connect(&address).ask("GET", "/%7Ea/../b?", fields);
    Client::connect(&address).ask(
        "PUT",
        "/",
        "Content-Range: bytes 0-1/2\r\nContent-Length: 0\r\n",
    );
    let requests = scripted.requests();
    let (get, put) = (requests[0].to_ascii_lowercase(), requests[1].to_ascii_lowercase());
    assert!(requests[0].starts_with("GET /%7Ea/../b? HTTP/1.1\r\n"), "octet for octet: {get}");
    for line in
        ["authorization: digest a=\"b, c\"\r\n", "cookie: a=b; c=\"d\"\r\n", "x-unknown: 1\r\n"]
    {
        assert!(get.contains(line), "{line}: {get}");
    }
    assert!(!get.contains("evil"), "{get}");
    assert!(put.contains("content-range: bytes 0-1/2\r\n"), "RFC 9110 §14.5: {put}");
}

/// Two answers, and what the second request for the same target is told: RFC 9111 §3, §5.2.2; RFC 9213 §2.2.
#[test]
fn what_is_stored_shows_in_the_second_answer() {
    let rows = [
        ("Cache-Control: no-store\r\nCDN-Cache-Control: max-age=60\r\n", "/", "; hit", "RFC 9213"),
        ("Cache-Control: max-age=60\r\nCDN-Cache-Control: no-store\r\n", "/", "fwd=", "RFC 9213"),
        ("Cache-Control: max-age=60\r\nCDN-Cache-Control: &\r\n", "/", "; hit", "RFC 9213 §2.1"),
        ("Cache-Control: max-age=60\r\n", "/a/../b", "fwd=", "RFC 3986 §6.2.2.3: not under /b"),
        ("Cache-Control: private=\"x-user\", max-age=60\r\n", "/", "; hit", "§5.2.2.7: the rest"),
        ("Cache-Control: no-cache=\"x-user\", max-age=60\r\n", "/", "; hit", "§5.2.2.4: the rest"),
        ("Cache-Control: MAX-AGE=\"60\"\r\n", "/", "; hit", "§5.2: any case, quoted"),
        ("Cache-Control: max-age=60, max-age=0\r\n", "/", "fwd=", "§4.2.1: the stricter"),
        ("Cache-Control: max-age=60;private\r\n", "/", "fwd=", "what restricts is not lost"),
        ("Expires: Sun Nov  6 08:49:37 2094\r\n", "/", "; hit", "RFC 9110 §5.6.7: asctime"),
        ("Cache-Control: max-age=60\r\nAge: 61\r\n", "/", "fwd=", "§4.2.3: stale on arrival"),
    ];
    for (fields, target, expected, why) in rows {
        let script = answer(&format!("{fields}X-User: 1\r\n"), "hi");
        let scripted = Scripted::new(&[&script, &script]);
        let (_edge, address) = start_edge(&scripted.url, &["--io", "epoll"]);
        let mut client = Client::connect(&address);
        assert_eq!(client.get(target).field("x-user"), "1", "{why}");
        let second = client.get(target);
        assert!(second.cache_status().contains(expected), "{why}: {}", second.cache_status());
        let is_withheld = fields.contains("x-user");
        assert_eq!(second.field("x-user"), if is_withheld { "" } else { "1" }, "{why}");
    }
}

/// RFC 9111 §4.3.5: a HEAD to the origin freshens what is stored, or shows that it is no longer right.
#[test]
fn head_freshens_or_makes_invalid() {
    let stored = answer("ETag: \"a\"\r\nCache-Control: max-age=10\r\nAge: 20\r\n", "hi");
    for (tag, length, expected, why) in [
        ("\"a\"", 2, "; hit", "the same"),
        ("\"b\"", 2, "fwd=", "another tag"),
        ("\"a\"", 3, "fwd=", "another length"),
    ] {
        let head = format!(
            "HTTP/1.1 200 OK\r\nETag: {tag}\r\nCache-Control: max-age=60\r\nX-New: 1\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        let new = answer("Cache-Control: max-age=60\r\nX-New: 1\r\n", "new");
        let scripted = Scripted::new(&[&stored, &head, &new]);
        let (_edge, address) = start_edge(&scripted.url, &[]);
        let mut client = Client::connect(&address);
        client.get("/");
        let response = client.ask("HEAD", "/", "");
        assert_eq!((response.status, response.field("x-new")), (200, "1".to_owned()), "{why}");
        let response = client.get("/");
        assert!(response.cache_status().contains(expected), "{why}: {}", response.cache_status());
        assert_eq!(response.field("x-new"), "1", "{why}");
        let content: &[u8] = if expected == "; hit" { b"hi" } else { b"new" };
        assert_eq!(response.content, content, "{why}");
    }
}

/// RFC 9111 §4.4: what a change names in Location or Content-Location is invalidated, of the same origin only.
#[test]
fn changes_invalidate_what_their_answer_names() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    for (number, (location, expected, why)) in [
        ("/bytes/10/named0?max-age=60", "fwd=uri-miss", "an absolute path"),
        ("named1?max-age=60", "fwd=uri-miss", "a relative one"),
        ("http://other.test/bytes/10/named2?max-age=60", "; hit", "of another host"),
    ]
    .into_iter()
    .enumerate()
    {
        let named = format!("/bytes/10/named{number}?max-age=60");
        client.get(&named);
        let location: String = location.bytes().map(|octet| format!("%{octet:02X}")).collect();
        let target = format!("/bytes/10/change?status=201&location={location}");
        assert_eq!(client.ask("POST", &target, "Content-Length: 0\r\n").status, 201, "{why}");
        let told = client.get(&named).cache_status();
        assert!(told.contains(expected), "{why}: {told}");
    }
}

/// RFC 9110 §14.2, §14.6, §15.3.7.2: several parts in one answer, and Range of GET only.
#[test]
fn ranges_of_what_is_stored() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    let target = "/bytes/1000/parts?max-age=60&etag=v1";
    let whole = synthetic(target, 1000);
    client.get(target);
    let response = client.ask("HEAD", target, "Range: bytes=0-9\r\n");
    assert_eq!((response.status, response.field("content-length")), (200, "1000".to_owned()));
    let response = client.ask("GET", target, "Range: bytes=500-509, 0-9\r\n");
    assert_eq!(response.status, 206);
    assert_eq!(response.field("content-range"), "", "§15.3.7.2: only in the parts");
    let kind = response.field("content-type");
    let boundary =
        kind.strip_prefix("multipart/byteranges; boundary=").unwrap_or_else(|| panic!("{kind}"));
    let end = format!("\r\n--{}--\r\n", boundary.trim_matches('"'));
    assert!(response.content.ends_with(end.as_bytes()), "the closing delimiter");
    let place =
        |part: &[u8]| response.content.windows(part.len()).position(|window| window == part);
    let first = place(b"Content-Range: bytes 500-509/1000\r\n")
        .or(place(b"content-range: bytes 500-509/1000\r\n"));
    let second =
        place(b"Content-Range: bytes 0-9/1000\r\n").or(place(b"content-range: bytes 0-9/1000\r\n"));
    assert!(first.unwrap() < second.unwrap(), "in the order asked for");
    assert!(place(&whole[500..510]).is_some() && place(&whole[..10]).is_some());
    assert_eq!(world.asked(target).len(), 1, "all from the store");
}

/// RFC 9111 §4.1: Accept-Encoding selects by its meaning.
#[test]
fn accepted_codings_select_by_meaning() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    for (value, expected) in [
        ("gzip, br", "fwd=uri-miss"),
        ("br;q=1.0,GZIP", "; hit"),
        ("gzip", "fwd=vary-miss"),
        ("gzip, br;q=0", "; hit"),
    ] {
        let fields = format!("Accept-Encoding: {value}\r\n");
        let told =
            client.ask("GET", "/bytes/10?max-age=60&vary=Accept-Encoding", &fields).cache_status();
        assert!(told.contains(expected), "{value}: {told}");
    }
}

/// RFC 9112 §9.6: what follows a request with `close` is not processed.
#[test]
fn nothing_is_done_after_the_last_request() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    let last = request("GET", "/bytes/10/last", "Connection: close\r\n");
    client.send(format!("{last}{}", request("DELETE", "/bytes/10/after", "")).as_bytes());
    assert_eq!(client.receive("GET").field("connection"), "close");
    client.assert_closed("after the last response");
    assert!(world.asked("/bytes/10/after").is_empty());
}

/// RFC 9112 §9.3.1, RFC 9110 §9.2.2: on a kept connection that turns out closed a GET is repeated, a POST is not.
#[test]
fn only_idempotent_requests_are_repeated() {
    for (method, status, times) in [("GET", 200, 2), ("POST", 502, 1)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, requests) = channel();
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let seen = seen.clone();
                // It ends with its connection, or with the edge.
                thread::spawn(move || answer_once(&stream, &seen));
            }
        });
        let (edge, address) = start_edge(&url, &["--cores", &one_core()]);
        let mut client = Client::connect(&address);
        assert_eq!(client.get("/first").status, 200);
        let response = client.ask(method, "/second", "Content-Length: 0\r\n");
        assert_eq!(response.status, status, "{method}");
        drop(edge);
        let seen = requests.try_iter().filter(|line| line.contains("/second")).count();
        assert_eq!(seen, times, "{method}");
    }
}

/// Answers the first request of a connection, and reads the second one before it closes.
fn answer_once(mut stream: &TcpStream, seen: &Sender<String>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    for is_first in [true, false] {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        // Nobody listens any more once the test has failed.
        let _ = seen.send(head);
        if is_first {
            stream.write_all(answer("Cache-Control: no-store\r\n", "hi").as_bytes())?;
        }
    }
    Ok(())
}

/// A core that this process may use: with one worker there is one pool of connections.
fn one_core() -> String {
    let cores = lastmile_tuning::cpu::Cores::allowed().unwrap();
    cores.numbers()[0].to_string()
}

/// RFC 9111 §4: of several stored responses that a request selects, the one with the most recent Date is used.
#[test]
fn the_most_recent_of_several_responses_is_used() {
    let dated = |date: &str, vary: &str, content: &str| {
        answer(
            &format!("Date: {date}\r\nCache-Control: max-age=4000000000\r\nVary: {vary}\r\n"),
            content,
        )
    };
    let (older, newer) = ("Thu, 01 Jan 2026 00:00:00 GMT", "Thu, 01 Jan 2026 00:00:01 GMT");
    for (first, second, expected, why) in
        [(newer, older, "one", "it was stored first"), (older, newer, "two", "it was stored last")]
    {
        let scripted = Scripted::new(&[&dated(first, "X-A", "one"), &dated(second, "X-B", "two")]);
        let (_edge, address) = start_edge(&scripted.url, &["--io", "epoll"]);
        let mut client = Client::connect(&address);
        assert_eq!(client.ask("GET", "/", "X-A: 1\r\nX-B: 1\r\n").content, b"one");
        assert_eq!(client.ask("GET", "/", "X-A: 2\r\nX-B: 2\r\n").content, b"two");
        let both = client.ask("GET", "/", "X-A: 1\r\nX-B: 2\r\n");
        assert!(both.cache_status().contains("; hit"), "{why}: {}", both.cache_status());
        assert_eq!(both.content, expected.as_bytes(), "{why}");
    }
}

/// RFC 9110 §15.2, RFC 8297 §2: what comes before the answer to a GET is passed on as well, but not to HTTP/1.0;
/// §7.6.3: Via has the version in which each message came.
#[test]
fn versions_and_interim_responses() {
    let hinted = format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{}", answer("", "hi"));
    let old = answer("", "hi").replace("HTTP/1.1", "HTTP/1.0");
    for (version, script, interim, asked, told) in [
        ("HTTP/1.1", &hinted, vec![103], "via: 1.1 edge", "1.1 edge"),
        ("HTTP/1.0", &hinted, vec![], "via: 1.0 edge", "1.1 edge"),
        ("HTTP/1.1", &old, vec![], "via: 1.1 edge", "1.0 edge"),
    ] {
        let scripted = Scripted::new(&[script]);
        let (_edge, address) = start_edge(&scripted.url, &["--io", "epoll"]);
        let mut client = Client::connect(&address);
        client.send(format!("GET / {version}\r\nHost: a\r\n\r\n").as_bytes());
        let response = client.receive("GET");
        assert_eq!(
            (response.interim, response.content.as_slice()),
            (interim, &b"hi"[..]),
            "{version}"
        );
        let request = scripted.requests().remove(0).to_ascii_lowercase();
        assert!(request.contains(asked), "{version}: {request}");
        let via = response.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("via"));
        assert_eq!(via.unwrap().1, told, "{version}");
    }
}

/// RFC 9209 §2.1.5, §4: an error of the upstream is told in a sentence, and its address nowhere.
#[test]
fn an_error_does_not_say_where_the_upstream_is() {
    // Port 9 of an address of loopback where no service is.
    let (_edge, address) = start_edge("http://127.0.0.77:9", &[]);
    let response = Client::connect(&address).get("/");
    assert_eq!(response.status, 502);
    let told = response.field("proxy-status");
    assert!(told.starts_with("edge; error=connection_refused; details=\""), "{told}");
    for (name, value) in &response.fields {
        assert!(!value.contains("127.0.0.77") && !value.contains(":9"), "{name}: {value}");
    }
    assert!(!response.text().contains("127.0.0.77"), "{}", response.text());
}
