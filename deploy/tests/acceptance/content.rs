//! Contents of requests and responses: streamed in both directions, whole, and never gathered in the edge.

use crate::client::{Client, Ended, PATIENCE, request};
use crate::process::scratch;
use crate::scripted::Scripted;
use crate::world::{World, curl, run, start_edge, synthetic};
use lastmile_origin::Ending;
use std::io::Write as _;

/// Octets of the contents that must not fit into what the edge may use for them.
const LARGE: usize = 50_000_000;

/// What the edge may grow by while LARGE octets pass: its buffers, and the growth of its heap.
const GROWTH_KB_MAX: u64 = 24_000;

/// The most memory that the process has had, in KB.
fn high_water_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// 50 MB go up and come back at the same time, by length and in chunks, through a few parts of memory.
#[test]
fn large_contents_pass_in_both_directions_at_once() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    client.get("/bytes/1M/warm-up?cache-control=no-store");
    let before = high_water_kb(world.edge.pid());
    let content = synthetic("/large", LARGE);
    for (method, chunked) in [("POST", false), ("PUT", true)] {
        let mut sender = client.sender();
        let content = &content;
        let response = std::thread::scope(|scope| {
            scope.spawn(move || {
                let framing = match chunked {
                    true => "Transfer-Encoding: chunked\r\n".to_owned(),
                    false => format!("Content-Length: {LARGE}\r\n"),
                };
                sender.write_all(request(method, "/echo", &framing).as_bytes()).unwrap();
                if !chunked {
                    return sender.write_all(content).unwrap();
                }
                for part in content.chunks(70_000) {
                    write!(sender, "{:x};name=value\r\n", part.len()).unwrap();
                    sender.write_all(part).unwrap();
                    sender.write_all(b"\r\n").unwrap();
                }
                sender.write_all(b"0\r\nTrailer: x\r\n\r\n").unwrap();
            });
            client.receive(method)
        });
        assert_eq!((response.status, response.ended), (200, Ended::Whole), "{method}");
        assert!(response.content == *content, "{method}: other octets");
        assert!(response.cache_status().contains("fwd=method"), "{}", response.cache_status());
    }
    let growth = high_water_kb(world.edge.pid()) - before;
    assert!(growth < GROWTH_KB_MAX, "{growth} KB for {LARGE} octets");
    assert_eq!(client.get("/bytes/10/after").status, 200, "the connection goes on");
}

/// A response that is not stored, and one that is too large to be stored, pass in bounded memory too.
#[test]
fn large_responses_that_are_not_stored_pass_in_bounded_memory() {
    let world = World::with(&["--ram", "4MiB"]);
    let mut client = Client::connect(&world.address);
    client.get("/bytes/1M/warm-up?cache-control=no-store");
    let before = high_water_kb(world.edge.pid());
    for query in ["cache-control=no-store", "max-age=60", "max-age=60&chunked=1"] {
        let target = format!("/bytes/50M?{query}");
        let response = client.get(&target);
        assert_eq!((response.status, response.ended), (200, Ended::Whole), "{query}");
        assert!(response.content == synthetic(&target, LARGE), "{query}: other octets");
        assert!(!client.ask("HEAD", &target, "").cache_status().contains("hit"), "{query}");
    }
    let growth = high_water_kb(world.edge.pid()) - before;
    assert!(growth < GROWTH_KB_MAX, "{growth} KB for {LARGE} octets");
}

/// A client that takes nothing holds up its own response, and no memory.
#[test]
fn a_client_that_takes_nothing_costs_no_memory() {
    let world = World::with(&["--ram", "4MiB"]);
    let mut other = Client::connect(&world.address);
    other.get("/bytes/10M/other?cache-control=no-store");
    let before = high_water_kb(world.edge.pid());
    for query in ["cache-control=no-store", "max-age=60", "max-age=60&chunked=1"] {
        let target = format!("/bytes/50M/slow?{query}");
        let mut slow = Client::connect(&world.address);
        slow.send(request("GET", &target, "").as_bytes());
        let head = slow.receive_head();
        // Meanwhile the edge has the time to do for others what it must not do for this one.
        for number in 0..5 {
            let other = other.get(&format!("/bytes/10M/other?cache-control=no-store&n={number}"));
            assert_eq!((other.status, other.ended), (200, Ended::Whole), "{query}");
        }
        let growth = high_water_kb(world.edge.pid()) - before;
        assert!(growth < GROWTH_KB_MAX, "{query}: {growth} KB");
        let (content, ended) = slow.receive_content("GET", &head);
        assert!(ended == Ended::Whole && content == synthetic(&target, LARGE), "{query}");
    }
}

/// Nobody wants the rest of a large response: it is not fetched.
#[test]
fn a_client_that_leaves_ends_a_fetch_that_is_for_it_alone() {
    let world = World::with(&["--ram", "4MiB"]);
    let queries = ["cache-control=no-store", "max-age=60", "max-age=60&chunked=1"];
    for (number, query) in queries.iter().enumerate() {
        let mut client = Client::connect(&world.address);
        let target = format!("/bytes/10G/left?{query}");
        client.send(request("GET", &target, "").as_bytes());
        client.receive_head();
        drop(client);
        let entries = world.origin().journal().wait_for_ended(number + 1, PATIENCE);
        assert_eq!(entries[number].ending, Ending::AbortedByClient, "{query}: {entries:#?}");
    }
}

/// More than fits goes through the RAM tier: old objects go, and the process stays within its bound.
#[test]
fn the_ram_tier_keeps_its_bound() {
    let world = World::with(&["--ram", "16MiB"]);
    let mut client = Client::connect(&world.address);
    client.get("/bytes/1M/warm-up?cache-control=no-store");
    let before = high_water_kb(world.edge.pid());
    for number in 0..150 {
        let target = format!("/bytes/500K/{number}?max-age=600");
        assert!(client.get(&target).content == synthetic(&target, 500_000), "{number}");
    }
    let growth = high_water_kb(world.edge.pid()) - before;
    assert!(growth < 16 * 1024 + GROWTH_KB_MAX, "{growth} KB with 16 MiB of RAM tier");
}

/// curl asks before it sends (RFC 9110 §10.1.1) and is told to go on.
#[test]
fn curl_is_told_to_continue() {
    let world = World::new();
    let folder = scratch();
    let file = folder.path().join("upload");
    let content = synthetic("/upload", 3_000_000);
    std::fs::write(&file, &content).unwrap();
    let url = format!("http://{}/bytes/1000", world.address);
    let expect = "Expect: 100-continue";
    // Were it not told, it would send anyway after this time, in seconds; curl itself ends after fewer.
    let patience = ["--expect100-timeout", "60", "--max-time", "30"];
    let upload = ["-sSv", "-H", expect, "-T", file.to_str().unwrap(), &url];
    let output = run("curl", "curl", &[&patience[..], &upload].concat());
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && log.contains("< HTTP/1.1 100 "), "{log}");
    assert!(log.contains("< request-content-length: 3000000"), "{log}");
    assert!(output.stdout == synthetic("/bytes/1000", 1000), "other octets");
}

/// Early hints are passed on to who understands them (RFC 8297), and kept from HTTP/1.0.
#[test]
fn interim_responses_are_passed_on() {
    let script = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n\
                  HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    let scripted = Scripted::new(&[script; 2]);
    let (_edge, address) = start_edge(&scripted.url, &[]);
    for (version, expected) in [("HTTP/1.1", vec![103]), ("HTTP/1.0", vec![])] {
        let mut client = Client::connect(&address);
        let head = format!("POST / {version}\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
        client.send(head.as_bytes());
        let response = client.receive("POST");
        assert_eq!((response.interim, response.status), (expected, 200), "{version}");
        assert_eq!(response.content, b"ok", "{version}");
    }
}

/// An answer that does not wait for the request's content reaches a client that is still sending (RFC 9112 §9.6).
#[test]
fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let text =
        "HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nless";
    let scripted = Scripted::new(&[text; 5]);
    let (_edge, address) = start_edge(&scripted.url, &[]);
    let (_edge, dead) = start_edge("http://127.0.0.77:9", &[]);
    for (address, status) in [(&address, 413), (&dead, 502)] {
        for _ in 0..5 {
            let mut client = Client::connect(address);
            client.send(request("POST", "/", "Content-Length: 200000\r\n").as_bytes());
            client.send(&[0; 100_000]);
            let head = client.receive_head();
            // What is sent after the answer is not answered with a reset that overtakes the content.
            client.send(&[0; 100_000]);
            let (content, ended) = client.receive_content("POST", &head);
            assert_eq!((head.status(), ended), (status, Ended::Whole));
            assert!(!content.is_empty());
            client.assert_ended_in_order();
        }
    }
}

/// Fields of one connection are not passed on (RFC 9110 §7.6.1); Via and X-Forwarded-For are added.
#[test]
fn fields_of_one_hop_stay_on_it() {
    let script = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\
                  Keep-Alive: timeout=5\r\nX-End: 1\r\n\r\nok";
    let scripted = Scripted::new(&[script]);
    let (_edge, address) = start_edge(&scripted.url, &[]);
    let mut client = Client::connect(&address);
    let fields = "Connection: X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\nX-End: 1\r\n\
                  Proxy-Connection: keep-alive\r\nX-Forwarded-For: 192.0.2.1\r\n";
    let response = client.ask("GET", "/", fields);
    assert_eq!((response.field("x-hop"), response.field("x-end")), (String::new(), "1".into()));
    assert_eq!(response.field("keep-alive"), "");
    assert_eq!(response.field("connection"), "", "ours goes on");
    let request = scripted.requests().remove(0).to_ascii_lowercase();
    for (line, there) in [
        ("x-mine:", false),
        ("proxy-connection:", false),
        ("x-end: 1\r\n", true),
        ("via: 1.1 edge\r\n", true),
        ("x-forwarded-for: 192.0.2.1, 127.0.0.1\r\n", true),
        ("host: www.customer.test\r\n", true),
    ] {
        assert_eq!(request.contains(line), there, "{line}: {request}");
    }
}

/// Every method goes through; content of a GET does too, and keeps it out of the store.
#[test]
fn every_method_goes_through() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "GET", "x-own"] {
        let head = request(method, "/echo", "Content-Length: 7\r\n");
        client.send(format!("{head}content").as_bytes());
        let response = client.receive(method);
        assert_eq!((response.status, response.content.as_slice()), (200, &b"content"[..]));
        assert_eq!(response.field("request-method"), method);
    }
    let url = format!("http://{}/echo", world.address);
    assert_eq!(curl(&["-d", "a=b", &url]), (0, b"a=b".to_vec()));
}
