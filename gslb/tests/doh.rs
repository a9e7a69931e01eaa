//! DNS over HTTPS: raw requests, and what curl and kdig say over TLS, HTTP/1.1 and HTTP/2.

#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach what they call.

use lastmile_gslb::{Config, Gslb, ZoneSource, start};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Long enough for any machine; nothing waits for it unless something is broken.
const PATIENCE: Duration = Duration::from_secs(20);

fn config(http: &str) -> Config {
    let text = include_str!("../examples/cdn.toml").replace("[http]\n", &format!("[http]\n{http}"));
    let zone = Some(ZoneSource::Inline { name: "cdn.toml".to_owned(), text });
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        http: Some("127.0.0.1:0".parse().unwrap()),
        zone,
        ..Config::default()
    }
}

fn exchange(server: &Gslb, octets: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.http_address().unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(octets);
    let mut found = Vec::new();
    match stream.read_to_end(&mut found) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
    found
}

/// Status, head in lower case, content.
fn ask(server: &Gslb, line: &str, fields: &str, content: &[u8]) -> (u16, String, Vec<u8>) {
    let head = format!("{line} HTTP/1.1\r\nHost: front.test\r\nConnection: close\r\n{fields}\r\n");
    let found = exchange(server, &[head.as_bytes(), content].concat());
    let end = found.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&found[..end]).to_ascii_lowercase() + "\r\n";
    (head[9..12].parse().unwrap(), head, found[end + 4..].to_vec())
}

fn message(name: &str, rtype: u8) -> Vec<u8> {
    let labels =
        name.split('.').flat_map(|label| [&[label.len() as u8][..], label.as_bytes()].concat());
    let name: Vec<u8> = labels.chain([0]).collect();
    [b"\0\0\x01\0\0\x01\0\0\0\0\0\0", &name[..], &[0, rtype, 0, 1]].concat()
}

fn post(server: &Gslb, fields: &str, content: &[u8]) -> (u16, String, Vec<u8>) {
    let length = content.len();
    let fields =
        format!("Content-Type: application/dns-message\r\n{fields}Content-Length: {length}\r\n");
    ask(server, "POST /dns-query", &fields, content)
}

#[test]
fn messages_and_what_they_get() {
    let server = start(config("")).unwrap();
    let steered = message("www.customer.test", 1);
    for (fields, edge, why) in [
        ("", 1, "the client is in the north"),
        ("X-Forwarded-For: 10.2.0.1\r\n", 2, "in the south, says a proxy that is trusted"),
    ] {
        let (status, head, answer) = post(&server, fields, &steered);
        assert_eq!(status, 200, "{why}");
        assert!(head.contains("content-type: application/dns-message\r\n"), "{head}");
        assert!(head.contains("cache-control: private, max-age=20\r\n"), "the least TTL: {head}");
        assert_eq!(answer[answer.len() - 4..], [127, 0, 0, edge], "{why}");
    }
    for (name, rtype, rcode, cache, why) in [
        ("mail.customer.test", 1, 0, "cache-control: max-age=3600\r\n", "the same for everybody"),
        ("no.customer.test", 1, 3, "cache-control: max-age=60\r\n", "RFC 8484 §5.1: the SOA's"),
        ("mail.customer.test", 28, 0, "cache-control: max-age=60\r\n", "no data"),
        ("example.org", 1, 5, "cache-control: no-store\r\n", "not ours"),
    ] {
        let (status, head, answer) = post(&server, "", &message(name, rtype));
        assert_eq!((status, answer[3] & 15), (200, rcode), "RFC 8484 §4.2.1: {why}");
        assert!(head.contains(cache), "{why}: {head}");
    }
    let get = "GET /dns-query?dns=AAABAAABAAAAAAAABG1haWwIY3VzdG9tZXIEdGVzdAAAAQAB";
    let (status, _, answer) = ask(&server, get, "", b"");
    assert_eq!((status, &answer[answer.len() - 4..]), (200, &[192, 0, 2, 25][..]));
    let (status, head, answer) = ask(&server, &get.replace("GET", "HEAD"), "", b"");
    assert_eq!((status, answer.len()), (200, 0), "{head}");
    server.stop(Duration::ZERO);
}

#[test]
fn what_is_no_query() {
    let server = start(config("")).unwrap();
    let good = message("www.customer.test", 1);
    let mut response = good.clone();
    response[2] |= 0x80;
    let large = vec![0; 5000];
    for (content, status, why) in [
        (&good[..], 200, "a query"),
        (&[&good[..], b"x"].concat(), 200, "octets left over: FORMERR"),
        (&response, 400, "a response"),
        (b"x", 400, "no header"),
        (b"", 400, "nothing"),
        (&large, 413, "beyond the bound"),
    ] {
        assert_eq!(post(&server, "", content).0, status, "{why}");
    }
    let chunked = |content: &str| {
        let fields = "Content-Type: application/dns-message\r\nTransfer-Encoding: chunked\r\n";
        ask(&server, "POST /dns-query", fields, content.as_bytes()).0
    };
    let chunk = format!("1000\r\n{}\r\n", "a".repeat(4096));
    assert_eq!(chunked(&chunk.repeat(2)), 413, "whose length is not told");
    assert_eq!(chunked("1\r\nx\r\n0\r\n\r\n"), 400);
    let length = format!("Content-Length: {}\r\n", good.len());
    for (media_type, status, why) in [
        ("", 415, "no type"),
        ("Content-Type: text/plain\r\n", 415, "another type"),
        ("Content-Type: Application/DNS-Message\r\n", 200, "in any case"),
    ] {
        let fields = format!("{media_type}{length}");
        assert_eq!(ask(&server, "POST /dns-query", &fields, &good).0, status, "{why}");
    }
    for (line, status, why) in [
        ("GET /dns-query", 400, "no parameter"),
        ("GET /dns-query?dns=", 400, "an empty one"),
        ("GET /dns-query?dns=AAA=", 400, "padding"),
        ("GET /dns-query?dns=%41AAA", 400, "not base64url"),
        ("DELETE /dns-query", 405, "another method"),
    ] {
        assert_eq!(ask(&server, line, "", b"").0, status, "{why}");
    }
    server.stop(Duration::ZERO);
}

/// What a program prints; it must end well.
fn run(program: &str, package: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .env("HOME", "/nonexistent")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; apt-get install {package}"));
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
    text
}

/// A certificate for the front, by names and by address, which is its own authority.
fn certificate(directory: &Path) -> (String, String) {
    let names = ["front.test", "ns1.cdn.test", "127.0.0.1"].map(str::to_owned).to_vec();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let write = |name: &str, text: String| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    (write("front.pem", made.cert.pem()), write("front.key", made.signing_key.serialize_pem()))
}

#[test]
fn curl_speaks_http_2_without_tls() {
    let server = start(config("")).unwrap();
    let url = format!("http://{}/film.gif", server.http_address().unwrap());
    let common = ["-sS", "-o", "/dev/null", "-H", "Host: www.customer.test", "-w"];
    let written = "%{http_version} %{http_code} %{redirect_url}";
    for (flag, version) in [("--http2-prior-knowledge", "2"), ("--http1.1", "1.1")] {
        let text = run("curl", "curl", &[&common[..], &[written, flag, &url]].concat());
        assert_eq!(text, format!("{version} 302 http://127.0.0.1:8080/film.gif"));
    }
    server.stop(PATIENCE);
}

#[test]
fn curl_and_kdig_over_tls() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate(directory.path());
    let server =
        start(config(&format!("certificate = \"{certificate}\"\nkey = \"{key}\"\n"))).unwrap();
    let address = server.http_address().unwrap();
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let (at, ca) = (format!("@{host}"), format!("+tls-ca={certificate}"));
    for (more, name, part, why) in [
        ("+https +https-get", "www.customer.test", "127.0.0.1", "GET by HTTP/2"),
        ("+https", "www.customer.test", "127.0.0.1", "POST by HTTP/2"),
        ("+https +subnet=10.2.0.0/16", "www.customer.test", "127.0.0.2", "a client subnet"),
        ("+https", "mail.customer.test", "192.0.2.25", "a record of the zone"),
        ("+https", "no.customer.test", "NXDOMAIN", "none"),
    ] {
        let fixed = ["-p", &port, &ca, "+tls-hostname=front.test", name, &at];
        let more: Vec<_> = more.split(' ').collect();
        let text = run("kdig", "knot-dnsutils", &[&fixed[..], &more].concat());
        assert!(text.contains(part), "{why}: {text}");
    }
    // curl resolves a name by the front, and then asks the front for it.
    let doh = format!("https://{address}/dns-query");
    let url = format!("https://ns1.cdn.test:{port}/resolve?name=www.customer.test");
    let arguments = ["-sS", "--cacert", &certificate, "--doh-url", &doh, "-w", " %{http_version}"];
    let text = run("curl", "curl", &[&arguments[..], &[&url[..]]].concat());
    assert!(text.contains("\"addresses\":[\"127.0.0.1\"]"), "{text}");
    assert!(text.ends_with(" 2"), "ALPN: {text}");
    let mut plain = TcpStream::connect(address).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: front.test\r\n\r\n").unwrap();
    let mut found = Vec::new();
    let _ = plain.read_to_end(&mut found);
    assert!(!found.starts_with(b"HTTP"), "with a certificate everything is HTTPS");
    server.stop(PATIENCE);
}
