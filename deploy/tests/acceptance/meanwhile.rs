//! Requests that come while another one for the same URI waits for its answer: what they share, and what they must not.

use crate::answering::{Answering, Gate, send, send_slowly};
use crate::client::{Client, request};
use crate::moment::{imf, now};
use crate::process::scratch;
use crate::world::{start_edge, until};

/// Clients that come while one waits.
const FOLLOWERS: usize = 16;

/// Requests on new connections, so that the edge has surely seen what was sent before them.
fn pass_by(address: &str) {
    for number in 0..8 {
        Client::connect(address).get(&format!("/beside/{number}"));
    }
}

/// Each has sent a request, and receives nothing yet.
fn followers(address: &str, target: &str) -> Vec<Client> {
    let mut clients: Vec<_> = (0..FOLLOWERS).map(|_| Client::connect(address)).collect();
    for client in &mut clients {
        client.send(request("GET", target, "").as_bytes());
    }
    pass_by(address);
    clients
}

/// A stale response without a validator is there; one client asks for a part, another one for the whole (RFC 9110
/// §14.2, §15.3.7).
#[test]
fn a_part_is_for_who_has_asked_for_it() {
    let gate = Gate::default();
    let waits = gate.clone();
    let upstream = Answering::new(move |asked, out| {
        let fields = "Cache-Control: max-age=60\r\n";
        match asked.number {
            0 => send(out, 200, &format!("{fields}Age: 100\r\n"), "0123456789"),
            _ if asked.has("Range: bytes=0-3") => {
                waits.wait();
                let fields = format!("{fields}Content-Range: bytes 0-3/10\r\n");
                send(out, 206, &fields, "abcd");
            }
            _ => send(out, 200, fields, "abcdefghij"),
        }
    });
    let (_edge, address) = start_edge(&upstream.url, &[]);
    Client::connect(&address).get("/x");
    let mut part = Client::connect(&address);
    part.send(request("GET", "/x", "Range: bytes=0-3\r\n").as_bytes());
    upstream.wait_for(2);
    let mut whole = Client::connect(&address);
    whole.send(request("GET", "/x", "").as_bytes());
    upstream.give_time_for(3);
    gate.open();
    let whole = whole.receive("GET");
    assert_eq!((whole.status, &whole.content[..]), (200, &b"abcdefghij"[..]), "{whole:?}");
    assert_eq!(whole.field("content-range"), "");
    let part = part.receive("GET");
    assert_eq!(part.content, &b"abcdefghij"[..part.content.len()], "{part:?}");
}

/// What is stale when it comes and must be validated is for the one who asked (RFC 9111 §4, §4.2.4, §5.2.2).
#[test]
fn what_must_be_validated_is_not_shared() {
    for control in
        ["max-age=60, must-revalidate", "max-age=60, proxy-revalidate", "s-maxage=60", "no-cache"]
    {
        let gate = Gate::default();
        let waits = gate.clone();
        let upstream = Answering::new(move |asked, out| {
            if asked.number == 0 {
                waits.wait();
            }
            let fields = format!("Cache-Control: {control}\r\nAge: 100\r\n");
            send(out, 200, &fields, &format!("answer {:04}", asked.number));
        });
        let (_edge, address) = start_edge(&upstream.url, &[]);
        let mut first = Client::connect(&address);
        first.send(request("GET", "/x", "").as_bytes());
        upstream.wait_for(1);
        let mut clients = followers(&address, "/x");
        gate.open();
        clients.push(first);
        let answers = clients.iter_mut().map(|client| client.receive("GET").content);
        let mut answers: Vec<_> = answers.collect();
        answers.sort();
        answers.dedup();
        assert_eq!(answers.len(), FOLLOWERS + 1, "{control}: one for each");
    }
}

/// However often a stale response is used, one request makes it new, be its content slow (RFC 5861 §3).
#[test]
fn one_revalidation_in_the_background_at_a_time() {
    for (age, why) in [("", "fresh"), ("Age: 100\r\n", "stale again when it comes")] {
        let gate = Gate::default();
        let waits = gate.clone();
        let upstream = Answering::new(move |asked, out| {
            let fields = "Cache-Control: max-age=60, stale-while-revalidate=600\r\n";
            if asked.target() != "/x" {
                send(out, 200, "", "");
            } else if asked.number == 0 {
                send(out, 200, &format!("{fields}Age: 100\r\n"), "old");
            } else {
                send_slowly(out, 200, &format!("{fields}{age}"), "new", &waits);
            }
        });
        let (_edge, address) = start_edge(&upstream.url, &[]);
        let mut client = Client::connect(&address);
        client.get("/x");
        for number in 0..20 {
            let answer = client.get("/x");
            let told = answer.cache_status();
            assert!(told.contains("; hit"), "{why}: {told}");
            assert_eq!(answer.content, b"old", "{why}");
            if number == 0 {
                upstream.wait_for(2);
            }
            // Each may ask on a core of its own.
            client = Client::connect(&address);
        }
        pass_by(&address);
        assert_eq!(upstream.asked("/x").len(), 2, "{why}");
        gate.open();
        until("it is replaced", || (client.get("/x").content == b"new").then_some(()));
    }
}

/// An answer that took long, and is older, does not replace one that came meanwhile (RFC 9111 §4).
#[test]
fn an_older_response_does_not_replace_a_newer_one() {
    let gate = Gate::default();
    let waits = gate.clone();
    let upstream = Answering::new(move |asked, out| {
        let (date, content) = match asked.number {
            0 => {
                waits.wait();
                (now() - 60, "older")
            }
            _ => (now(), "newer"),
        };
        let fields = format!("Cache-Control: max-age=3600\r\nDate: {}\r\n", imf(date));
        send(out, 200, &fields, content);
    });
    let (_edge, address) = start_edge(&upstream.url, &[]);
    let mut slow = Client::connect(&address);
    slow.send(request("GET", "/x", "").as_bytes());
    upstream.wait_for(1);
    let mut quick = Client::connect(&address);
    let newer = quick.ask("GET", "/x", "Cache-Control: no-cache\r\n");
    assert_eq!(newer.content, b"newer");
    gate.open();
    assert_eq!(slow.receive("GET").content, b"older", "what it has asked for");
    let stored = quick.get("/x");
    assert!(stored.cache_status().contains("; hit"), "{}", stored.cache_status());
    assert_eq!(stored.content, b"newer");
}

/// Who has caused the request gets its cookie, and nobody else (RFC 9111 §7.3).
#[test]
fn a_cookie_is_for_one_client() {
    let folder = scratch();
    let file = folder.path().join("lastmile.toml");
    std::fs::write(&file, "[[site]]\nset-cookie = \"withhold\"\n").unwrap();
    for (is_stored, status, why) in
        [(false, 200, "the first"), (true, 304, "confirmed"), (true, 200, "replaced")]
    {
        let gate = Gate::default();
        let waits = gate.clone();
        let upstream = Answering::new(move |asked, out| {
            let fields = "ETag: \"a\"\r\nSet-Cookie: a=b\r\nCache-Control: max-age=60\r\n";
            if asked.target() != "/x" {
                send(out, 200, "", "");
            } else if is_stored && asked.number == 0 {
                send(out, 200, &format!("{fields}Age: 100\r\n"), "old");
            } else {
                waits.wait();
                send(out, status, fields, if status == 304 { "" } else { "new" });
            }
        });
        let (_edge, address) = start_edge(&upstream.url, &["--config", file.to_str().unwrap()]);
        let mut first = Client::connect(&address);
        if is_stored {
            assert_eq!(first.get("/x").field("set-cookie"), "a=b", "{why}");
        }
        first.send(request("GET", "/x", "").as_bytes());
        upstream.wait_for(1 + usize::from(is_stored));
        let mut clients = followers(&address, "/x");
        gate.open();
        let first = first.receive("GET");
        assert_eq!((first.status, first.field("set-cookie")), (200, "a=b".to_owned()), "{why}");
        for client in &mut clients {
            let answer = client.receive("GET");
            assert_eq!((answer.status, answer.field("set-cookie")), (200, String::new()), "{why}");
            assert_eq!(answer.content, first.content, "{why}");
        }
        assert_eq!(upstream.asked("/x").len(), 1 + usize::from(is_stored), "{why}");
    }
}

/// What comes for a path with dot segments is not what others want of the path that they lead to.
#[test]
fn a_path_with_dots_is_asked_for_alone() {
    let gate = Gate::default();
    let waits = gate.clone();
    let upstream = Answering::new(move |asked, out| match asked.target() {
        "/y/../x" => {
            waits.wait();
            send(out, 200, "Cache-Control: max-age=60\r\n", "dots");
        }
        _ => send(out, 200, "Cache-Control: max-age=60\r\n", "plain"),
    });
    let (_edge, address) = start_edge(&upstream.url, &[]);
    let mut dots = Client::connect(&address);
    dots.send(request("GET", "/y/../x", "").as_bytes());
    upstream.wait_for(1);
    let mut plain = Client::connect(&address);
    plain.send(request("GET", "/x", "").as_bytes());
    // It does not wait for what can't be for it.
    assert_eq!(plain.receive("GET").content, b"plain");
    gate.open();
    assert_eq!(dots.receive("GET").content, b"dots");
    let again = plain.get("/x");
    assert!(again.cache_status().contains("; hit"), "{}", again.cache_status());
    assert_eq!(again.content, b"plain");
}

/// An origin that takes another spelling of its name for another host poisons nothing (RFC 9110 §4.2.3).
#[test]
fn a_host_in_other_letters_poisons_nothing() {
    let upstream = Answering::new(|asked, out| {
        let fields = "Cache-Control: max-age=60\r\n";
        if asked.head.contains("\r\nHost: a.test\r\n") {
            send(out, 200, fields, "good");
        } else {
            send(out, 404, fields, "no such host");
        }
    });
    let (_edge, address) = start_edge(&upstream.url, &[]);
    let mut client = Client::connect(&address);
    for (number, (target, host, why)) in [
        ("", "A.TEST:80", "case and the default port"),
        ("", "a.test:", "an empty port"),
        ("", "A.Test", "case"),
        ("http://A.TEST:80", "A.TEST:80", "an absolute form"),
        ("HTTP://a.TEST", "A.test", "the same, without a port"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/{number}");
        let mut ask = |target: &str, host: &str| {
            client.send(format!("GET {target}{path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
            client.receive("GET")
        };
        ask(target, host);
        let plain = ask("", "a.test");
        assert_eq!((plain.status, &plain.content[..]), (200, &b"good"[..]), "{why}");
        assert!(plain.cache_status().contains("; hit"), "{why}: {}", plain.cache_status());
    }
}
