//! Requests that are refused: with the right status, in order, and with the end of the connection.

use crate::client::{Client, PATIENCE, get, request};
use crate::world::World;
use lastmile_edge::{Config, Upstream};
use lastmile_tuning::cpu::Cores;
use std::time::Duration;

const HOST: &str = "Host: a\r\n";

/// Octets, status, why. What follows the fault is never taken for another request.
fn table() -> Vec<(String, u16, &'static str)> {
    let get = |rest: &str| format!("GET / HTTP/1.1\r\n{rest}\r\n");
    let post = |rest: &str| format!("POST /echo HTTP/1.1\r\n{HOST}{rest}");
    vec![
        (get(""), 400, "no Host"),
        (get("Host: a\r\nHost: a\r\n"), 400, "two Hosts, equal ones too"),
        (get("Host: a b\r\n"), 400, "no host at all"),
        (get("Host: user@a\r\n"), 400, "a user in Host"),
        ("GET / HTTP/1.1\nHost: a\n\n".into(), 400, "LF without CR"),
        (get("Host: a\r\nX: a\rb\r\n"), 400, "CR without LF"),
        (get("Host: a\r\nX : b\r\n"), 400, "a space before the colon"),
        (get("Host: a\r\nX: b\r\n c\r\n"), 400, "a folded line"),
        (get(" Host: a\r\n"), 400, "a space before the first field"),
        (get("Host: a\r\nX\r\n"), 400, "no colon"),
        (get("Host: a\r\n: b\r\n"), 400, "no name"),
        (get("Host: a\r\nX: \0\r\n"), 400, "NUL"),
        (get("Host: a\r\nX: \x01\r\n"), 400, "a control character"),
        (get("Host: a\r\nX(y): b\r\n"), 400, "a name that is no token"),
        ("GET /\r\n\r\n".into(), 400, "no version (HTTP/0.9)"),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n".into(), 400, "two spaces"),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n".into(), 400, "a space in the target"),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n".into(), 400, "a target without a slash"),
        ("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n".into(), 400, "a fragment"),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n".into(), 400, "an asterisk is for OPTIONS"),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n".into(), 400, "a method that is no token"),
        ("GET / HTTP/1.x\r\nHost: a\r\n\r\n".into(), 400, "a version that is none"),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n".into(), 505, "another version"),
        ("GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n".into(), 421, "another scheme"),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".into(), 405, "no tunnels"),
        (format!("GET /{} HTTP/1.1\r\n{HOST}\r\n", "a".repeat(9000)), 414, "a target of 9 KB"),
        (get(&format!("{HOST}X: {}\r\n", "a".repeat(40_000))), 431, "a head of 40 KB"),
        (get(&format!("{HOST}{}", "X: y\r\n".repeat(2000))), 431, "2000 fields"),
        (post("Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), 400, "lengths that differ"),
        (post("Content-Length: +1\r\n\r\na"), 400, "a sign"),
        (post("Content-Length: 1a\r\n\r\na"), 400, "no number"),
        (post("Content-Length: -1\r\n\r\n"), 400, "less than nothing"),
        (post("Content-Length: 99999999999999999999\r\n\r\n"), 413, "beyond 64 bits"),
        (
            post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            400,
            "length and chunks: the mark of smuggling",
        ),
        (post("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501, "an unknown coding"),
        (post("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), 400, "chunked is not the last"),
        (post("Transfer-Encoding: chunked, chunked\r\n\r\n"), 400, "chunked twice"),
        (
            "POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(),
            400,
            "1.0 has no codings",
        ),
    ]
}

#[test]
fn malformed_requests_are_refused_and_the_connection_ends() {
    let world = World::new();
    let smuggled = request("GET", "/bytes/1/smuggled", "");
    for (octets, status, why) in table() {
        let mut client = Client::connect(&world.address);
        client.send(octets.as_bytes());
        client.send(smuggled.as_bytes());
        let response = client.receive("GET");
        assert_eq!(response.status, status, "{why}");
        assert_eq!(response.field("connection"), "close", "{why}");
        assert_eq!(response.field("via"), "1.1 edge", "{why}");
        assert!(response.cache_status().starts_with("edge"), "{why}");
        client.assert_closed(why);
    }
    assert!(world.asked("").is_empty(), "{:#?}", world.asked(""));
    assert_eq!(get(&world.address, "/bytes/1/alive").status, 200, "it still serves");
}

/// Content that turns out malformed when the request is already on its way.
#[test]
fn malformed_content_is_refused_and_the_connection_ends() {
    let world = World::new();
    for (chunks, why) in [
        ("x\r\n", "no size"),
        ("-1\r\n", "a sign"),
        ("3\r\nabcd\r\n0\r\n\r\n", "more than the size"),
        ("3\nabc\r\n0\r\n\r\n", "LF without CR behind the size"),
        ("fffffffffffffffff\r\n", "beyond 64 bits"),
        ("3\r\nabc\r\nzz\r\n", "no size in the second chunk"),
    ] {
        let mut client = Client::connect(&world.address);
        // An object that is sent when all of the request has come: until then nothing is answered.
        let head = request("POST", "/bytes/10", "Transfer-Encoding: chunked\r\n");
        client.send(head.as_bytes());
        client.send(chunks.as_bytes());
        client.send(request("GET", "/bytes/1/smuggled", "").as_bytes());
        let response = client.receive("GET");
        assert!([400, 413].contains(&response.status), "{why}: {}", response.status);
        assert_eq!(response.field("connection"), "close", "{why}");
        client.assert_closed(why);
    }
    assert!(world.asked("/bytes/1/smuggled").is_empty());
    assert_eq!(get(&world.address, "/bytes/1/alive").status, 200, "it still serves");
}

/// The good requests before a malformed one are answered.
#[test]
fn what_came_before_the_fault_is_answered() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    let good = request("GET", "/bytes/10/good?max-age=60", "");
    client.send(format!("{good}{good}GET / HTTP/9\r\n\r\n{good}").as_bytes());
    let statuses = [(); 3].map(|()| client.receive("GET").status);
    assert!(matches!(statuses, [200, 200, 400 | 505]), "{statuses:?}");
    client.assert_closed("after the fault");
}

/// Whoever sends a head octet by octet has until the deadline for all of it, not for each.
#[test]
fn a_head_that_takes_too_long_is_refused() {
    let upstream: Upstream = "http://127.0.0.77:9".parse().unwrap();
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let cores = Cores::allowed().unwrap();
    let mut config = Config::new("edge".to_owned(), listen, vec![upstream], cores);
    config.timeouts.client_head = Duration::from_millis(300);
    let edge = lastmile_edge::start(config).unwrap();
    let address = edge.addresses()[0].to_string();
    let mut client = Client::connect(&address);
    let mut sender = client.sender();
    let slow = std::thread::spawn(move || {
        use std::io::Write as _;
        let deadline = std::time::Instant::now() + PATIENCE;
        sender.write_all(b"GET /").unwrap();
        while sender.write_all(b"a").is_ok() {
            assert!(std::time::Instant::now() < deadline, "it may go on for ever");
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let response = client.receive("GET");
    assert_eq!((response.status, response.field("connection")), (408, "close".to_owned()));
    drop(client);
    slow.join().unwrap();
    assert_eq!(get(&address, "/").status, 502, "it still serves");
    edge.stop(Duration::ZERO);
}

/// An empty line behind a request is no beginning of another one, which would have to come in time (RFC 9112 §2.2).
#[test]
fn an_empty_line_is_no_request() {
    let upstream: Upstream = "http://127.0.0.77:9".parse().unwrap();
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let cores = Cores::allowed().unwrap();
    let mut config = Config::new("edge".to_owned(), listen, vec![upstream], cores);
    config.timeouts.client_head = Duration::from_millis(200);
    config.timeouts.client_idle = Duration::from_millis(1500);
    let edge = lastmile_edge::start(config).unwrap();
    let address = edge.addresses()[0].to_string();
    for (behind, why) in [("\r\n", "with it"), ("", "later")] {
        let mut client = Client::connect(&address);
        client.send(format!("{}{behind}", request("GET", "/", "")).as_bytes());
        assert_eq!(client.receive("GET").status, 502, "{why}");
        if behind.is_empty() {
            client.send(b"\r\n");
        }
        // The idle connection is closed at its time, and nothing is said on it before.
        client.assert_closed(why);
    }
    edge.stop(Duration::ZERO);
}

/// A HEAD that is refused is a HEAD all the same (RFC 9110 §9.3.2).
#[test]
fn a_refused_head_has_no_content() {
    let world = World::new();
    for (rest, status, why) in [
        ("Host: a\r\nHost: b\r\n", 400, "two Hosts"),
        ("", 400, "no Host"),
        ("Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n", 400, "two lengths"),
        ("Host: a\r\nTransfer-Encoding: x\r\n", 501, "an unknown coding"),
        ("Host: a\r\nVia: 1.1 edge\r\n", 508, "a loop"),
        ("Host: a\r\nCache-Control: only-if-cached\r\n", 504, "nothing is stored"),
    ] {
        let mut client = Client::connect(&world.address);
        client.send(format!("HEAD /bytes/10/head HTTP/1.1\r\n{rest}\r\n").as_bytes());
        let response = client.receive("HEAD");
        assert!(response.status == status || status == 501 && response.status == 400, "{why}");
        client.finish();
        client.assert_closed(why);
    }
}
