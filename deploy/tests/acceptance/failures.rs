//! Upstreams that fail before, at and in the middle of a response: clients learn which side failed, never where it is,
//! and never take a part for the whole.

use crate::client::{Client, Ended, Response, get};
use crate::scripted::Scripted;
use crate::world::{World, curl, start_edge, synthetic};
use lastmile_edge::{Config, Upstream};
use lastmile_tuning::cpu::Cores;
use lastmile_tuning::socket::ListenOptions;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// An address of loopback where nobody listens: port 9 is left alone by the tests, and no service is here.
const NOBODY: &str = "http://127.0.0.77:9";

fn assert_ours(response: &Response, status: u16, error: &str, why: &str) {
    assert_eq!((response.status, response.ended), (status, Ended::Whole), "{why}");
    let proxy_status = response.field("proxy-status");
    assert!(proxy_status.starts_with(&format!("edge; error={error}")), "{why}: {proxy_status}");
    assert!(response.cache_status().starts_with("edge; fwd="), "{why}");
    assert_eq!(response.field("via"), "1.1 edge", "{why}");
    assert_eq!(response.field("cache-control"), "no-store", "{why}");
    assert!(!response.content.is_empty(), "{why}: a sentence for people");
}

/// Nobody listens: 502 at once, and again at once; the connection goes on.
#[test]
fn an_upstream_that_is_not_there() {
    let (_edge, address) = start_edge(NOBODY, &[]);
    let mut client = Client::connect(&address);
    for method in ["GET", "GET", "POST", "PUT"] {
        let response = client.ask(method, "/x", "");
        assert_ours(&response, 502, "connection_refused", method);
        let text = response.text();
        assert!(!text.contains("127.0.0.77") && !text.contains(":9"), "{method}: {text}");
    }
    assert_eq!(client.ask("HEAD", "/x", "").status, 502);
    assert_eq!(curl(&["-f", &format!("http://{address}/x")]).0, 22);
}

/// It accepts and never answers: 504 when the time is over, for the leader and for those who wait with it.
#[test]
fn an_upstream_that_never_answers() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_address = silent.local_addr().unwrap().to_string();
    let upstream: Upstream = format!("http://{silent_address}").parse().unwrap();
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let cores = Cores::allowed().unwrap();
    let mut config = Config::new("edge".to_owned(), listen, vec![upstream], cores);
    config.timeouts.upstream_head = Duration::from_millis(500);
    let edge = lastmile_edge::start(config).unwrap();
    let address = edge.addresses()[0].to_string();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let response = get(&address, "/x");
                assert_ours(&response, 504, "http_response_timeout", "GET");
                assert!(!response.text().contains(&silent_address), "{}", response.text());
            });
        }
    });
    let response = Client::connect(&address).ask("POST", "/x", "Content-Length: 0\r\n");
    assert_ours(&response, 504, "http_response_timeout", "POST");
    edge.stop(Duration::ZERO);
}

/// Its listen queue is full, and so connections are neither accepted nor refused: 504 when the time is over.
#[test]
fn an_upstream_that_does_not_accept() {
    let options = ListenOptions { backlog: 1, ..ListenOptions::default() };
    let full =
        lastmile_tuning::socket::listen("127.0.0.1:0".parse().unwrap(), 1, &options).unwrap();
    let full_address = full[0].local_addr().unwrap();
    let limit = Duration::from_millis(200);
    let connect = || TcpStream::connect_timeout(&full_address, limit);
    let _waiting: Vec<_> = std::iter::from_fn(|| connect().ok()).collect();
    let upstream: Upstream = format!("http://{full_address}").parse().unwrap();
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let cores = Cores::allowed().unwrap();
    let mut config = Config::new("edge".to_owned(), listen, vec![upstream], cores);
    config.timeouts.upstream_connect = Duration::from_millis(300);
    let edge = lastmile_edge::start(config).unwrap();
    let mut client = Client::connect(&edge.addresses()[0].to_string());
    for method in ["GET", "POST"] {
        let response = client.ask(method, "/x", "Content-Length: 0\r\n");
        assert_ours(&response, 504, "connection_timeout", method);
    }
    edge.stop(Duration::ZERO);
}

/// It stops in the middle of a content and keeps the connection: the client's response is broken off.
#[test]
fn an_upstream_that_falls_silent() {
    let world = World::new();
    let upstream: Upstream = format!("http://{}", world.origin_address).parse().unwrap();
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let cores = Cores::allowed().unwrap();
    let mut config = Config::new("edge".to_owned(), listen, vec![upstream], cores);
    config.timeouts.upstream_receive = Duration::from_millis(300);
    let edge = lastmile_edge::start(config).unwrap();
    let address = edge.addresses()[0].to_string();
    for query in ["max-age=60", "cache-control=no-store", "max-age=60&chunked=1"] {
        let target = format!("/bytes/1M/silent?{query}&pause-at=200K&pause=20000");
        let response = get(&address, &target);
        assert_eq!((response.status, response.ended), (200, Ended::Reset), "{query}");
    }
    edge.stop(Duration::ZERO);
}

/// An upstream with a name is looked up; `localhost` may have addresses where nobody listens.
#[test]
fn an_upstream_with_a_name() {
    let world = World::new();
    let url = format!("http://localhost:{}", world.origin_address.port());
    let (_edge, address) = start_edge(&url, &[]);
    assert_eq!(get(&address, "/bytes/100").content, synthetic("/bytes/100", 100));
    let (_edge, address) = start_edge("http://no-such-name.invalid", &["--name", "edge"]);
    let response = get(&address, "/x");
    assert_ours(&response, 502, "dns_error", "a name without an address");
    assert!(!response.text().contains("no-such-name"), "{}", response.text());
}

/// One of several upstreams is dead: no client sees it.
#[test]
fn a_dead_upstream_among_several() {
    let world = World::new();
    let upstreams = format!("{NOBODY},http://{}", world.origin_address);
    let (_edge, address) = start_edge(&upstreams, &[]);
    let mut client = Client::connect(&address);
    for number in 0..40 {
        let target = format!("/bytes/100/{number}");
        let method = ["GET", "POST", "HEAD", "PUT"][number % 4];
        let fields = if number % 2 == 1 { "Content-Length: 0\r\n" } else { "" };
        assert_eq!(client.ask(method, &target, fields).status, 200, "{method} {target}");
    }
}

/// It closes or resets instead of answering.
#[test]
fn an_upstream_that_hangs_up() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    for (method, fields) in [("GET", ""), ("POST", "Content-Length: 0\r\n")] {
        for query in ["abort=close", "abort=reset"] {
            let response = client.ask(method, &format!("/bytes/10/{query}?{query}"), fields);
            assert_ours(&response, 502, "connection_terminated", query);
            let text = response.text();
            assert!(!text.contains(&world.origin_address.port().to_string()), "{text}");
        }
    }
}

/// Answers that are no HTTP, or ambiguous, are not passed on.
#[test]
fn an_upstream_that_answers_nonsense() {
    for (script, why) in [
        ("ERR unknown command\r\n\r\n", "another protocol"),
        ("HTTP/1.1 99 Low\r\n\r\n", "a status that is none"),
        ("HTTP/2.0 200 OK\r\n\r\n", "another version"),
        ("HTTP/1.1 200 OK\r\nX y\r\nContent-Length: 0\r\n\r\n", "no colon"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "two lengths"),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "no length"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "length and chunks",
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "an unknown coding"),
    ] {
        for (method, fields) in [("GET", ""), ("POST", "Content-Length: 1\r\n")] {
            let scripted = Scripted::new(&[script]);
            let (_edge, address) = start_edge(&scripted.url, &[]);
            let mut client = Client::connect(&address);
            client.send(crate::client::request(method, "/x", fields).as_bytes());
            client.send(&b"x"[..fields.len().min(1)]);
            let response = client.receive(method);
            assert_ours(&response, 502, "http_protocol_error", &format!("{method}: {why}"));
        }
    }
}

/// The middle of a content is its end: every client notices, nothing is stored, and the next one gets the whole.
#[test]
fn a_content_that_breaks_off_is_broken_off_for_the_client() {
    for io in ["auto", "epoll"] {
        let world = World::with(&["--io", io]);
        let cuts = ["close-early=30K", "reset-at=30K", "close-early=0", "reset-at=0"];
        let framings = ["", "&chunked=1"];
        let policies = ["&max-age=60", "&cache-control=no-store"];
        for (number, (cut, framing, policy)) in cuts
            .iter()
            .flat_map(|cut| framings.map(|framing| (cut, framing)))
            .flat_map(|(cut, framing)| policies.map(|policy| (cut, framing, policy)))
            .enumerate()
        {
            let target = format!("/bytes/100K/{number}?{cut}{framing}{policy}");
            let url = format!("http://{}{target}", world.address);
            let (status, content) = curl(&["-H", "Host: www.customer.test", &url]);
            assert!([18, 56].contains(&status), "{io}: {target}: curl ended with {status}");
            assert!(synthetic(&target, 100_000).starts_with(&content), "{io}: {target}: octets");
            // HTTP/1.0 has no chunks: only a reset tells it that this was not all.
            let mut old = Client::connect(&world.address);
            let head = format!("GET {target} HTTP/1.0\r\nHost: www.customer.test\r\n\r\n");
            old.send(head.as_bytes());
            let response = old.receive("GET");
            assert_eq!(response.ended, Ended::Reset, "{io}: {target}: HTTP/1.0");
            let again = get(&world.address, &target);
            assert_eq!((again.status, again.ended), (200, Ended::Reset), "{io}: {target}: again");
            assert!(again.cache_status().contains("fwd=uri-miss"), "{io}: {target}: stored");
            assert_eq!(world.asked(&format!("/bytes/100K/{number}?")).len(), 3, "{io}: {target}");
        }
    }
}

/// When the upstream behaves again, the same URL is whole.
#[test]
fn what_broke_off_is_whole_the_next_time() {
    let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n";
    let rows = [
        (format!("{head}Content-Length: 5\r\n\r\nwh"), "a length that is not kept"),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\nwh"), "in a chunk"),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\nwh\r\n"), "between two chunks"),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n"), "in the last"),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\nwh\r\nx\r\n"),
            "a size that is none",
        ),
    ];
    for (broken, why) in rows {
        let whole = format!("{head}Content-Length: 5\r\n\r\nwhole");
        let scripted = Scripted::new(&[&broken, &whole]);
        let (_edge, address) = start_edge(&scripted.url, &[]);
        let response = get(&address, "/x");
        assert_eq!((response.status, response.ended), (200, Ended::Reset), "{why}");
        for expected in ["fwd=uri-miss", "; hit"] {
            let response = get(&address, "/x");
            assert_eq!(
                (response.content.as_slice(), response.ended),
                (&b"whole"[..], Ended::Whole)
            );
            assert!(response.cache_status().contains(expected), "{}", response.cache_status());
        }
        assert_eq!(scripted.requests().len(), 2, "{why}");
    }
}

/// The client's own content breaks off: nothing is answered to it, and the upstream does not take it for the whole.
#[test]
fn a_client_that_leaves_in_the_middle_of_its_content() {
    let world = World::new();
    for fields in ["Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut client = Client::connect(&world.address);
        client.send(crate::client::request("POST", "/bytes/10/left", fields).as_bytes());
        client.send(b"5\r\nabc");
        drop(client);
    }
    let entries = world.origin().journal().wait_for_ended(2, crate::client::PATIENCE);
    let left: Vec<_> = entries.iter().filter(|entry| entry.target == "/bytes/10/left").collect();
    assert_eq!(left.len(), 2, "{entries:#?}");
    for entry in left {
        assert_ne!(entry.ending, lastmile_origin::Ending::Complete, "{entry:#?}");
    }
    assert_eq!(get(&world.address, "/bytes/1").status, 200, "it still serves");
}
