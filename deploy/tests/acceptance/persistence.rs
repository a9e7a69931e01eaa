//! Which connections stay open, who is told, and in which order answers come.

use crate::client::{Client, Ended, get, request};
use crate::world::{World, synthetic};

/// A connection ends exactly when one side said so, and whoever must be told is told.
#[test]
fn connections_stay_open_when_both_sides_want_that() {
    let world = World::new();
    let target = "/bytes/100/kept?max-age=60";
    get(&world.address, target);
    let chunked = "/bytes/100/chunked?chunked=1&cache-control=no-store";
    let rows = [
        (target, "HTTP/1.1", "", true, "", "1.1 stays open without a word"),
        (target, "HTTP/1.1", "Connection: close\r\n", false, "close", "1.1 is told of the close"),
        (target, "HTTP/1.1", "Connection: x, Close\r\n", false, "close", "in a list, in any case"),
        (target, "HTTP/1.0", "", false, "close", "1.0 ends"),
        (target, "HTTP/1.0", "Connection: keep-alive\r\n", true, "keep-alive", "1.0 asks, is told"),
        (chunked, "HTTP/1.1", "", true, "", "chunks say where the response ends"),
        (chunked, "HTTP/1.1", "Connection: close\r\n", false, "close", "chunks, then the close"),
        (chunked, "HTTP/1.0", "Connection: keep-alive\r\n", false, "close", "1.0 has no chunks"),
        (chunked, "HTTP/1.0", "", false, "close", "1.0 has no chunks"),
    ];
    for (target, version, fields, stays, told, why) in rows {
        let mut client = Client::connect(&world.address);
        client.send(format!("GET {target} {version}\r\nHost: a\r\n{fields}\r\n").as_bytes());
        let response = client.receive("GET");
        assert_eq!((response.status, response.content.len()), (200, 100), "{why}");
        assert_eq!(response.version, "HTTP/1.1", "{why}: the version is ours, not the client's");
        assert_eq!(response.field("connection"), told, "{why}");
        let expected = match (version, target == chunked) {
            ("HTTP/1.0", true) => Ended::ByClose,
            _ => Ended::Whole,
        };
        assert_eq!(response.ended, expected, "{why}");
        if stays {
            assert_eq!(client.get(target).status, 200, "{why}");
        } else {
            client.assert_closed(why);
        }
    }
}

/// A client may end its sending direction with its last request.
#[test]
fn a_client_that_has_said_all_still_gets_its_answers() {
    let world = World::new();
    for target in ["/bytes/1000/half?max-age=60", "/bytes/200K/half?rate=2M&max-age=60"] {
        for turn in ["a miss", "a hit"] {
            let mut client = Client::connect(&world.address);
            client.send(request("GET", target, "").as_bytes());
            client.finish();
            let response = client.receive("GET");
            assert_eq!((response.status, response.ended), (200, Ended::Whole), "{target}: {turn}");
            client.assert_closed(turn);
        }
    }
}

/// 100 requests in one go, hits and misses mixed, small and large, with and without content: answers in order.
#[test]
fn pipelined_requests_are_answered_in_order() {
    for io in ["auto", "epoll"] {
        let world = World::with(&["--io", io]);
        get(&world.address, "/bytes/100/pipe?max-age=60&n=0");
        get(&world.address, "/bytes/50K/pipe?max-age=60&n=0");
        let mut octets = Vec::new();
        let mut expected = Vec::new();
        for number in 0..100 {
            let target = match number % 5 {
                0 => format!("/bytes/{}/pipe?max-age=60&n={number}", 100 + number),
                1 => "/bytes/50K/pipe?max-age=60&n=0".to_owned(),
                2 => format!("/bytes/{}/pipe?cache-control=no-store&n={number}", 2000 + number),
                3 => "/echo".to_owned(),
                _ => "/bytes/100/pipe?max-age=60&n=0".to_owned(),
            };
            let size = target.split('/').nth(2).unwrap_or_default();
            expected.push(match size.parse() {
                Ok(size) => synthetic(&target, size),
                Err(_) if size == "50K" => synthetic(&target, 50_000),
                Err(_) => format!("content of {number}").into_bytes(),
            });
            let head = match target.as_str() {
                "/echo" => {
                    let content = expected.last().unwrap();
                    let head = format!("Content-Length: {}\r\n", content.len());
                    request("POST", &target, &head) + str::from_utf8(content).unwrap()
                }
                _ => request("GET", &target, ""),
            };
            octets.extend_from_slice(head.as_bytes());
        }
        let mut client = Client::connect(&world.address);
        client.send(&octets);
        for (number, expected) in expected.iter().enumerate() {
            let response = client.receive("GET");
            assert_eq!((response.status, response.ended), (200, Ended::Whole), "{io}: {number}");
            assert!(response.content == *expected, "{io}: {number} has other octets");
        }
    }
}

/// Empty lines before a request are tolerated (RFC 9112 §2.2), and a head may come octet by octet.
#[test]
fn heads_may_come_in_any_pieces() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    for target in ["/bytes/10/slow?max-age=60", "/bytes/10/slow?max-age=60"] {
        for octet in format!("\r\n{}", request("GET", target, "")).bytes() {
            client.send(&[octet]);
        }
        assert_eq!(client.receive("GET").content, synthetic(target, 10));
    }
}
