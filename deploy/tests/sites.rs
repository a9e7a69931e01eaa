//! What an edge does for the sites of its configuration, and what its log says: the real executable, from outside.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

#[path = "acceptance/client.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod client;
mod process;
#[path = "acceptance/world.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod world;

use client::{Client, Ended, Response};
use process::scratch;
use world::{World, synthetic, until};

const CONFIGURATION: &str = r#"
[[site]]
hosts = ["www.a.test", "a.test"]
key-host = "www.a.test"
key-query-except = ["utm_*"]
key-query-sorted = true
key-fields = ["x-device"]
key-cookies = ["currency"]
client-directives = false
set-cookie = "withhold"
show-key = true

[[site]]
hosts = ["only.test"]
key-query-only = ["max-age", "q"]

[[site]]
hosts = ["meanwhile.test"]
stale-while-revalidate = "1h"

[[site]]
hosts = ["lasting.test"]
set-cookie = "refuse"
stale-if-error = "1h"
errors = "1h"
"#;

struct Sites {
    world: World,
    client: Client,
    folder: tempfile::TempDir,
}

impl Sites {
    fn new() -> Self {
        let folder = scratch();
        let (file, log) = (folder.path().join("lastmile.toml"), folder.path().join("log"));
        std::fs::write(&file, CONFIGURATION).unwrap();
        let flags =
            ["--config", file.to_str().unwrap(), "--log", log.to_str().unwrap(), "--io", "epoll"];
        let world = World::with(&flags);
        let client = Client::connect(&world.address);
        Self { world, client, folder }
    }

    fn ask(&mut self, host: &str, target: &str, fields: &str) -> Response {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
        self.client.send(head.as_bytes());
        let response = self.client.receive("GET");
        assert_eq!(response.ended, Ended::Whole, "{host}{target}");
        response
    }
}

/// RFC 9111 §2: a site says what is in its key, and nothing else of a request gets a response of its own.
#[test]
fn keys_are_as_the_site_says() {
    let mut sites = Sites::new();
    let a = "/bytes/100/a?max-age=60";
    let b = "/bytes/100/b?max-age=60";
    let rows = [
        ("a.test", format!("{a}&x=1"), "", "fwd=uri-miss", "the first"),
        ("www.a.test", format!("{a}&x=1"), "", "; hit", "the site's other name"),
        ("A.test:80", format!("{a}&x=1"), "", "; hit", "in any case, with the default port"),
        ("b.test", format!("{a}&x=1"), "", "fwd=uri-miss", "another site"),
        ("a.test", format!("{a}&x=1&utm_source=y"), "", "; hit", "a parameter that does not count"),
        ("a.test", format!("{a}&x=1&utm_source=z"), "", "; hit", "whatever its value"),
        ("a.test", "/bytes/100/a?x=1&max-age=60".into(), "", "; hit", "in another order"),
        ("a.test", format!("{a}&x=2"), "", "fwd=uri-miss", "a parameter that counts"),
        ("a.test", format!("{a}&x=1"), "X-Device: tv\r\n", "fwd=vary-miss", "a field that counts"),
        ("a.test", format!("{a}&x=1"), "X-Device: tv\r\n", "; hit", "and is stored beside it"),
        ("a.test", format!("{a}&x=1"), "X-Other: tv\r\n", "; hit", "a field that does not"),
        ("a.test", format!("{a}&x=1"), "Cookie: currency=eur\r\n", "fwd=vary-miss", "a cookie"),
        ("a.test", format!("{a}&x=1"), "Cookie: id=1; currency=eur\r\n", "; hit", "beside others"),
        ("a.test", format!("{a}&x=1"), "Cookie: id=2\r\n", "; hit", "a cookie that does not count"),
        ("only.test", format!("{b}&q=1&z=1"), "", "fwd=uri-miss", "the first"),
        ("only.test", format!("{b}&q=1&z=2"), "", "; hit", "a parameter that is not listed"),
        ("only.test", format!("{b}&q=2"), "", "fwd=uri-miss", "one that is"),
        ("b.test", format!("{b}&utm_source=1"), "", "fwd=uri-miss", "the default: all count"),
        ("b.test", format!("{b}&utm_source=2"), "", "fwd=uri-miss", "the default: all count"),
    ];
    for (host, target, fields, expected, why) in rows {
        let response = sites.ask(host, &target, fields);
        let told = response.cache_status();
        assert!(told.contains(expected), "{why}: {told}");
        assert_eq!(response.content, synthetic(&target, 100), "{why}");
        assert_eq!(
            told.contains("; key="),
            host.to_lowercase().contains("a.test"),
            "{why}: {told}"
        );
    }
    for entry in sites.world.asked("/") {
        let is_default = entry.target.starts_with("/bytes/100/b?max-age=60&utm_source=");
        let has_dropped = entry.target.contains("utm_") || entry.target.contains("z=");
        assert!(is_default || !has_dropped, "the origin may not see it: {}", entry.target);
    }
}

/// A site may have its clients' Cache-Control count for nothing (RFC 9111 §5.2.1 lets clients only ask).
#[test]
fn directives_of_clients_count_where_the_site_lets_them() {
    let mut sites = Sites::new();
    for (host, expected) in [("a.test", "; hit"), ("b.test", "fwd=request")] {
        sites.ask(host, "/bytes/10?max-age=60", "");
        for fields in
            ["Cache-Control: no-cache\r\n", "Cache-Control: max-age=0\r\n", "Pragma: no-cache\r\n"]
        {
            let told = sites.ask(host, "/bytes/10?max-age=60", fields).cache_status();
            assert!(told.contains(expected), "{host}: {fields}: {told}");
        }
    }
}

/// RFC 9111 §7.3: Set-Cookie is the site's decision.
#[test]
fn cookies_are_kept_withheld_or_refused() {
    let mut sites = Sites::new();
    let target = "/bytes/10?max-age=60&header.set-cookie=a%3Db";
    for (host, expected, cookie, why) in [
        ("b.test", "; hit", "a=b", "the default: as it is"),
        ("a.test", "; hit", "", "stored without it"),
        ("lasting.test", "fwd=", "a=b", "not stored"),
    ] {
        let first = sites.ask(host, target, "");
        assert_eq!(first.field("set-cookie"), "a=b", "{why}: who asked gets it");
        let second = sites.ask(host, target, "");
        let told = second.cache_status();
        assert!(told.contains(expected), "{why}: {told}");
        assert_eq!(second.field("set-cookie"), cookie, "{why}");
    }
}

/// RFC 5861: where a response says nothing, the site does.
#[test]
fn stale_copies_are_used_as_the_site_says() {
    let mut sites = Sites::new();
    let target = "/bytes/100/stale?max-age=10&age=20&etag=v1";
    for host in ["meanwhile.test", "lasting.test", "b.test"] {
        assert_eq!(sites.ask(host, target, "").status, 200, "{host}");
    }
    let told = sites.ask("meanwhile.test", target, "").cache_status();
    assert!(told.contains("; hit"), "§3: at once, though it is stale: {told}");
    until("it is validated in the background", || {
        (sites.world.ended(target).len() == 4).then_some(())
    });
    sites.world.stop_origin();
    for (host, status, why) in [
        ("meanwhile.test", 200, "§3: as long as it may be used"),
        ("lasting.test", 200, "§4: rather stale than an error"),
        ("b.test", 502, "the default: nothing allows it"),
    ] {
        let response = sites.ask(host, target, "");
        assert_eq!(response.status, status, "{why}: {}", response.cache_status());
        if status == 200 {
            assert_eq!(response.content, synthetic(target, 100), "{why}");
            assert!(response.field("age").parse::<u32>().unwrap() >= 20, "{why}");
        }
    }
}

/// An origin in trouble is not asked again by each client, where the site says so.
#[test]
fn errors_are_kept_where_the_site_says_so() {
    let mut sites = Sites::new();
    for (host, query, expected, why) in [
        ("lasting.test", "status=404", "; hit", "it says nothing itself"),
        ("lasting.test", "status=503", "; hit", "nor does this one"),
        (
            "lasting.test",
            "status=404&cache-control=no-store",
            "fwd=",
            "it does not want to be kept",
        ),
        ("b.test", "status=404", "fwd=", "the default"),
    ] {
        let target = format!("/bytes/10/{host}?{query}");
        sites.ask(host, &target, "");
        let told = sites.ask(host, &target, "").cache_status();
        assert!(told.contains(expected), "{why}: {told}");
    }
}

/// Each answered request has its line, with the Cache-Status that was sent.
#[test]
fn the_log_has_a_line_for_each_request() {
    let mut sites = Sites::new();
    let mut expected = Vec::new();
    for (host, target, fields) in [
        ("a.test", "/bytes/100/log?max-age=60", ""),
        ("a.test", "/bytes/100/log?max-age=60", ""),
        ("a.test", "/bytes/100/log?max-age=60", "Range: bytes=0-9\r\n"),
        ("a.test", "/bytes/100/log?max-age=60", "Range: bytes=100-\r\n"),
        ("b.test", "/bytes/100/\"log\"?cache-control=no-store", ""),
        ("b.test", "/bytes/100/log?status=404", ""),
        ("b.test", "/none", "Cache-Control: only-if-cached\r\n"),
    ] {
        let response = sites.ask(host, target, fields);
        expected.push((host, target, response));
    }
    sites.client.send(b"POST /echo HTTP/1.1\r\nHost: b.test\r\nContent-Length: 5\r\n\r\nhello");
    expected.push(("b.test", "/echo", sites.client.receive("POST")));
    let log = sites.folder.path().join("log");
    let lines = until("every line is written", || {
        let text = std::fs::read_to_string(&log).unwrap();
        (text.lines().count() >= expected.len()).then_some(text)
    });
    assert_eq!(lines.lines().count(), expected.len(), "{lines}");
    for (line, (host, target, response)) in lines.lines().zip(&expected) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let of = |name: &str| line[name].as_str().unwrap().to_owned();
        assert_eq!((of("host").as_str(), of("target").as_str()), (*host, *target), "{line}");
        assert_eq!(line["status"], response.status, "{line}");
        assert!(line["octets"].as_u64().unwrap() as usize > response.content.len(), "{line}");
        assert_eq!(of("cache"), response.cache_status(), "{line}");
        assert_eq!((of("edge"), of("client")), ("edge".into(), "127.0.0.1".into()), "{line}");
        assert_eq!(of("method"), if *target == "/echo" { "POST" } else { "GET" }, "{line}");
        assert!(of("time").ends_with('Z') && of("time").len() == 24, "{line}");
    }
    let World { edge, origin: _origin, .. } = sites.world;
    edge.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(edge.end().0.success());
}
