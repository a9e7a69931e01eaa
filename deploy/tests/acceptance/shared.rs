//! What must never be shared between users, and what must never be taken for whole when it was cut short.

use crate::client::{Client, Ended, PATIENCE, request};
use crate::scripted::Scripted;
use crate::world::{World, start_edge, synthetic};
use nix::sys::signal::Signal;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A 304 may say that what it confirms is for one user, and carry that user's cookie: nobody else gets either.
#[test]
fn a_304_for_one_user_is_for_nobody_else() {
    for policy in ["max-age=0", "no-cache", "no-cache, max-age=60"] {
        let stored = format!(
            "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nCache-Control: {policy}\r\nContent-Length: 2\r\n\r\nhi"
        );
        let confirmed = |user| {
            format!(
                "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\
                 Cache-Control: private, max-age=60\r\nSet-Cookie: session={user}\r\n\r\n"
            )
        };
        let scripted = Scripted::new(&[&stored, &confirmed("alice"), &confirmed("bob")]);
        let (_edge, address) = start_edge(&scripted.url, &[]);
        let mut client = Client::connect(&address);
        assert_eq!(client.get("/x").content, b"hi", "{policy}");
        for user in ["alice", "bob"] {
            let response = client.ask("GET", "/x", &format!("Cookie: {user}\r\n"));
            let told = response.cache_status();
            assert!(!told.contains("; hit"), "{policy}: {user}: {told}");
            assert_eq!(response.field("set-cookie"), format!("session={user}"), "{policy}");
        }
        let requests = scripted.requests();
        assert_eq!(requests.len(), 3, "{policy}: {requests:#?}");
    }
}

/// A field that `Connection` names ends at the edge (RFC 9110 §7.6.1): the origin did not see it, so that it selects
/// nothing, whatever `Vary` names.
#[test]
fn a_field_that_does_not_reach_the_origin_selects_nothing() {
    let answer = |content| {
        format!(
            "HTTP/1.1 200 OK\r\nVary: X-Tenant\r\nCache-Control: max-age=60\r\n\
             Content-Length: 6\r\n\r\n{content}"
        )
    };
    for connection in ["close, X-Tenant", "X-Tenant", "x-tenant, keep-alive"] {
        let scripted = Scripted::new(&[&answer("nobody"), &answer("victim")]);
        let (_edge, address) = start_edge(&scripted.url, &[]);
        let fields = format!("Connection: {connection}\r\nX-Tenant: victim\r\n");
        let response = Client::connect(&address).ask("GET", "/x", &fields);
        assert_eq!(response.content, b"nobody", "{connection}");
        for expected in ["fwd=", "; hit"] {
            let response = Client::connect(&address).ask("GET", "/x", "X-Tenant: victim\r\n");
            assert_eq!(response.content, b"victim", "{connection}");
            let told = response.cache_status();
            assert!(told.contains(expected), "{connection}: {told}");
        }
        let requests = scripted.requests();
        assert_eq!(requests.len(), 2, "{connection}: {requests:#?}");
        assert!(!requests[0].to_ascii_lowercase().contains("x-tenant"), "{}", requests[0]);
    }
}

/// A request that is for one user makes others wait for nothing: they are fetched for once, as if it were not there.
#[test]
fn a_request_for_one_user_leads_nobody() {
    for io in ["auto", "epoll"] {
        let world = World::with(&["--io", io]);
        let target = "/bytes/1000/led?delay=500&max-age=60";
        let mut leader = Client::connect(&world.address);
        leader.send(request("GET", target, "Authorization: Basic eDp5\r\n").as_bytes());
        assert_eq!(world.origin().journal().wait_for(1, PATIENCE).len(), 1);
        let mut others: Vec<_> = (0..50).map(|_| Client::connect(&world.address)).collect();
        for other in &mut others {
            other.send(request("GET", target, "").as_bytes());
        }
        for client in others.iter_mut().chain([&mut leader]) {
            let response = client.receive("GET");
            assert_eq!((response.status, response.ended), (200, Ended::Whole), "{io}");
            assert_eq!(response.content, synthetic(target, 1000), "{io}");
        }
        let asked = world.asked(target);
        assert!(asked.len() <= 2, "{io}: {} requests upstream", asked.len());
    }
}

/// At the end of the drain time, HTTP/1.0 learns from a reset that its content, which has no length, is not whole.
#[test]
fn the_end_of_the_drain_time_is_no_orderly_end() {
    for io in ["auto", "epoll"] {
        for policy in ["max-age=60", "cache-control=no-store"] {
            let world = World::with(&["--io", io, "--drain", "200ms"]);
            let target = format!("/bytes/100M?rate=100K&chunked=1&{policy}");
            let mut clients: Vec<_> = (0..4).map(|_| Client::connect(&world.address)).collect();
            let heads: Vec<_> = clients
                .iter_mut()
                .map(|client| {
                    let head = format!("GET {target} HTTP/1.0\r\nHost: www.customer.test\r\n\r\n");
                    client.send(head.as_bytes());
                    client.receive_head()
                })
                .collect();
            world.edge.signal(Signal::SIGTERM);
            for (client, head) in clients.iter_mut().zip(&heads) {
                let (_, ended) = client.receive_content("GET", head);
                assert_eq!((head.status(), ended), (200, Ended::Reset), "{io}: {policy}");
            }
            let World { edge, origin: _origin, .. } = world;
            assert_eq!(edge.end().0.code(), Some(0), "{io}: {policy}");
        }
    }
}

/// An answer that the edge writes itself from what is stored has passed through the edge as well.
#[test]
fn a_416_from_the_store_has_via() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    let target = "/bytes/1000/ranges?max-age=60";
    client.get(target);
    let response = client.ask("GET", target, "Range: bytes=2000-\r\n");
    assert_eq!(response.status, 416);
    assert_eq!(response.field("content-range"), "bytes */1000");
    assert_eq!(response.field("via"), "1.1 edge");
    assert_eq!(world.asked(target).len(), 1, "from the store");
}

/// What is arriving while a DELETE passes was asked for before the change: nobody who comes afterwards gets it.
#[test]
fn what_is_arriving_when_it_is_deleted_is_not_used_again() {
    for io in ["auto", "epoll"] {
        let world = World::with(&["--io", io]);
        let target = "/bytes/100K/deleted?rate=200K&max-age=60";
        let mut reader = Client::connect(&world.address);
        reader.send(request("GET", target, "").as_bytes());
        let head = reader.receive_head();
        let deleted = Client::connect(&world.address).ask("DELETE", target, "");
        assert_eq!(deleted.status, 200, "{io}");
        let during = Client::connect(&world.address).get(target);
        assert!(during.cache_status().contains("fwd="), "{io}: {}", during.cache_status());
        let (content, ended) = reader.receive_content("GET", &head);
        assert_eq!(ended, Ended::Whole, "{io}: who asked before gets what was then");
        assert!(content == synthetic(target, 100_000), "{io}: other octets");
        let gets = || {
            let asked = world.asked(target);
            asked.iter().filter(|entry| entry.method == "GET").count()
        };
        assert_eq!(gets(), 2, "{io}: asked again");
    }
}

/// An upstream answers 401 before it reads the content of a POST, and reads it afterwards, as one that keeps its
/// connections does. When the edge could not send all of the content, what comes next on that connection would be taken
/// for the rest: the next request, of whoever, must not be that.
#[test]
fn a_content_that_was_refused_swallows_nobodys_request() {
    for io in ["auto", "epoll"] {
        let taken = taken_unread(io);
        // Around what fits into the kernel's buffers, which is not the same each time: the edge has read all of the
        // content from its client, and has not sent all of it.
        for step in 0..24 {
            let size = taken - 96 * 1024 + step * 8 * 1024;
            let upstream = Unhurried::new();
            let (_edge, address) = start_edge(&upstream.url, &["--io", io, "--cores", &one_core()]);
            let mut client = Client::connect(&address);
            let fields = format!("Content-Length: {size}\r\n");
            client.send(request("POST", "/login", &fields).as_bytes());
            client.send(&vec![b'A'; size]);
            // No event tells that the edge has read it. If this is too short, the test shows less and does not fail.
            thread::sleep(Duration::from_millis(20));
            upstream.go_on.send(()).unwrap();
            assert_eq!(client.receive("POST").status, 401, "{io}: {size}");
            upstream.go_on.send(()).unwrap();
            let response = Client::connect(&address).ask("GET", "/victim", "Cookie: victim\r\n");
            let got = (response.status, response.content.as_slice());
            assert_eq!(got, (200, &b"GOOD"[..]), "{io}: after a content of {size} octets");
        }
    }
}

/// How much of a content an edge can send to an upstream that reads nothing but the head.
fn taken_unread(io: &str) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (edge, address) = start_edge(&url, &["--io", io, "--cores", &one_core()]);
    let mut client = TcpStream::connect(address).unwrap();
    let head = request("POST", "/probe", "Content-Length: 64000000\r\n");
    client.write_all(head.as_bytes()).unwrap();
    client.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    client.write_all(&vec![b'A'; 64_000_000]).expect_err("nobody reads it");
    let (mut upstream, _) = listener.accept().unwrap();
    // What the edge has sent still arrives when it is no more.
    drop(edge);
    let mut taken = Vec::new();
    upstream.read_to_end(&mut taken).unwrap();
    taken.iter().filter(|&&octet| octet == b'A').count()
}

/// A core that this process may use: with one worker there is one pool of connections.
fn one_core() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let allowed = status.split("Cpus_allowed_list:").nth(1).unwrap().trim_start();
    allowed.split(|octet: char| !octet.is_ascii_digit()).next().unwrap().to_owned()
}

/// It answers a POST when it is told to go on, and reads its content when it is told so again; a GET at once.
struct Unhurried {
    url: String,
    go_on: Sender<()>,
}

impl Unhurried {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (go_on, told) = channel();
        let told = Arc::new(Mutex::new(told));
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let told = Arc::clone(&told);
                // An error is the end of the connection, which may come at any time.
                thread::spawn(move || serve(&stream, &told));
            }
        });
        Self { url, go_on }
    }
}

fn serve(mut stream: &TcpStream, told: &Mutex<Receiver<()>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
            if let Some(value) = head[start..].to_ascii_lowercase().strip_prefix("content-length:")
            {
                length = value.trim().parse().unwrap();
            }
        }
        if head.starts_with("GET ") {
            let fields = "Content-Length: 4\r\nCache-Control: no-store";
            write!(stream, "HTTP/1.1 200 OK\r\n{fields}\r\n\r\nGOOD")?;
            continue;
        }
        let told = told.lock().unwrap();
        let _ = told.recv();
        write!(stream, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")?;
        let _ = told.recv();
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
    }
}
