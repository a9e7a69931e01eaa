//! Servers that hang, break off, close after each answer or answer with an error, asked over real sockets.

#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach what they call.

use lastmile_gslb::{Config, Gslb, Question, ZoneSource, start};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Long enough for any machine; nothing waits for it unless something is broken.
const PATIENCE: Duration = Duration::from_secs(20);

fn gslb(health: &str) -> Gslb {
    let text = format!(
        r#"
[[zone]]
name = "cdn.test"
records = "@ SOA ns.cdn.test. admin.cdn.test. 1 3600 600 86400 30\n@ NS ns.cdn.test.\n"
[[region]]
name = "only"
[[edge]]
name = "one"
region = "only"
addresses = ["192.0.2.1"]
health = "{health}"
[health]
interval_ms = 20
timeout_ms = 200
[[steer]]
name = "www.cdn.test"
"#
    );
    let zone = Some(ZoneSource::Inline { name: "cdn.toml".to_owned(), text });
    start(Config { listen: "127.0.0.1:0".parse().unwrap(), zone, ..Config::default() }).unwrap()
}

/// Whether the edge is up, and what the last check came to.
fn state(gslb: &Gslb) -> (bool, String) {
    let (name, client) = ("www.cdn.test".to_owned(), "192.0.2.77".to_owned());
    let explained =
        gslb.explain(&Question { name, client, is_resolver: false, v6: false }).unwrap();
    (explained.candidates[0].is_up, explained.candidates[0].check.clone())
}

fn wait_for(gslb: &Gslb, is_up: bool, check: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let state = state(gslb);
        if state.0 == is_up && state.1.contains(check) {
            return;
        }
        assert!(Instant::now() < deadline, "{state:?} instead of {is_up}, {check}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A server that answers each request with `answer`; a connection has as many as `requests`.
fn server(answer: &'static str, requests: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/healthz", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                for _ in 0..requests {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let mut octet = [0];
                        if stream.read(&mut octet).unwrap_or(0) == 0 {
                            return;
                        }
                        head.push(octet[0]);
                    }
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

#[test]
fn what_is_up_and_what_is_not() {
    for (answer, requests, is_up, check, why) in [
        (FINE, 1000, true, "answers", "kept connections"),
        (FINE, 1, true, "answers", "a connection for each answer"),
        ("HTTP/1.1 204 No Content\r\n\r\n", 1000, true, "answers", "no content"),
        ("HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 9, true, "answers", ""),
        ("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", 1000, false, "answers 503", "an error"),
        ("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 1000, false, "answers 404", "not there"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok\n", 1, false, "breaks off", "short"),
        ("SSH-2.0-OpenSSH_9.2\r\n", 1, false, "does not answer", "no HTTP"),
        ("", 1000, false, "in time", "silence"),
    ] {
        println!("{why}");
        let gslb = gslb(&server(answer, requests));
        wait_for(&gslb, is_up, check);
        gslb.stop(Duration::ZERO);
    }
}

#[test]
fn nobody_listens_and_then_somebody_does() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let gslb = gslb(&format!("http://{address}/"));
    // It connects, and nobody answers.
    wait_for(&gslb, false, "in time");
    drop(listener);
    wait_for(&gslb, false, "can't be connected to");
    gslb.reload().unwrap();
    assert!(!state(&gslb).0, "what is known stays");
    gslb.stop(Duration::ZERO);
}
