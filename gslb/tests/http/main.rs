//! The HTTP front over real sockets: redirects and names for apps here.
//!
//! | file | what is shown |
//! | --- | --- |
//! | `clients.rs` | whom a connection is from; a resolver and its clients |
//! | `bounds.rs` | connections that are closed, reloads, ends |

#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach what they call.

mod bounds;
mod clients;

use lastmile_gslb::{Config, Gslb, ZoneSource, start};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Long enough for any machine; nothing waits for it unless something is broken.
const PATIENCE: Duration = Duration::from_secs(20);

const MORE: &str = r#"
whoami = "who.more.test."

[[zone]]
name = "more.test."
records = '''
@ 60 SOA ns host 1 2 3 4 60
@ 60 NS ns
ns 60 A 192.0.2.1
ns 60 AAAA 2001:db8::1
*.who 0 A 127.0.0.1
'''

[[region]]
name = "west"
prefixes = ["10.3.0.0/16"]

[[edge]]
name = "edge-3"
region = "west"
addresses = ["127.0.0.3"]

[[edge]]
name = "edge-4"
region = "west"
addresses = ["127.0.0.4"]

[[steer]]
name = "url.more.test."

[[redirect]]
host = "url.more.test."
by = "url"
to = "https://{edge}.url.more.test/own"
otherwise = "404"

[[redirect]]
host = "*.dl.more.test."
steer = "url.more.test."
paths = ["/a"]
otherwise = "http://www.more.test"

[[redirect]]
host = "closed.more.test."
steer = "url.more.test."
paths = ["/a"]
otherwise = "421"
"#;

fn zone(http: &str) -> String {
    let shipped = include_str!("../../examples/cdn.toml");
    // The table [http] of the example goes on.
    let trusted = "trusted_proxies = [\"127.0.0.0/8\"]\n";
    assert_eq!(shipped.matches(trusted).count(), 1);
    let (before, after) = shipped.split_once(trusted).unwrap();
    let (own, tables) = MORE.split_once("\n\n").unwrap();
    format!("{before}{trusted}{http}{own}\n{after}\n{tables}")
}

fn config(http: &str) -> Config {
    let zone = ZoneSource::Inline { name: "cdn.toml".to_owned(), text: zone(http) };
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        http: Some("127.0.0.1:0".parse().unwrap()),
        zone: Some(zone),
        ..Config::default()
    }
}

fn connect(server: &Gslb) -> TcpStream {
    let stream = TcpStream::connect(server.http_address().unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Everything that comes until the connection ends.
fn rest(stream: &mut TcpStream) -> String {
    let mut octets = Vec::new();
    match stream.read_to_end(&mut octets) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// Sends octets and returns everything that comes.
fn exchange(server: &Gslb, octets: &[u8]) -> String {
    let mut stream = connect(server);
    // A server that has seen enough may close before all is sent.
    let _ = stream.write_all(octets);
    rest(&mut stream)
}

fn request(line: &str, fields: &[&str]) -> Vec<u8> {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    format!("{line} HTTP/1.1\r\n{fields}Connection: close\r\n\r\n").into_bytes()
}

/// Status, head in lower case, content.
fn ask(server: &Gslb, line: &str, fields: &[&str]) -> (u16, String, String) {
    let text = exchange(server, &request(line, fields));
    let (head, content) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{line}: {text}"));
    (head[9..12].parse().unwrap(), head.to_ascii_lowercase(), content.to_owned())
}

fn json(server: &Gslb, target: &str) -> (u16, Value) {
    let (status, head, content) = ask(server, &format!("GET {target}"), &["Host: front.test"]);
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    (status, serde_json::from_str(&content).unwrap())
}

fn location(server: &Gslb, host: &str, target: &str, client: &str) -> String {
    let fields = [format!("Host: {host}"), format!("X-Forwarded-For: {client}")];
    let fields: Vec<_> = fields.iter().map(String::as_str).collect();
    let (status, head, _) = ask(server, &format!("GET {target}"), &fields);
    assert_eq!(status, 302, "{host}{target}");
    head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap().to_owned()
}

fn sample(server: &Gslb, name: &str) -> u64 {
    server.samples().iter().find(|sample| sample.0 == name).unwrap_or_else(|| panic!("{name}")).2
}

#[test]
fn requests_and_what_they_get() {
    let server = start(config("")).unwrap();
    let www = "Host: www.customer.test";
    let far = "X-Forwarded-For: 10.2.0.1";
    let long = format!("GET /{}", "a".repeat(20_000));
    let rows: &[(&str, &[&str], u16, &str, &str)] = &[
        ("GET /film.gif", &[www], 302, "location: http://127.0.0.1:8080/film.gif\r\n", "north"),
        (
            "GET /film.gif",
            &[www, far],
            302,
            "location: http://127.0.0.2:8080/film.gif\r\n",
            "south",
        ),
        ("HEAD /film.gif", &[www], 302, "location: http://127.0.0.1:8080/", "HEAD"),
        (
            "GET /a%2Fb/..//x.gif?u=%20&&v==&a.gif",
            &[www],
            302,
            "location: http://127.0.0.1:8080/a%2fb/..//x.gif?u=%20&&v==&a.gif\r\n",
            "octet for octet",
        ),
        (
            "GET /film.gif",
            &["Host: WWW.Customer.TEST.:81"],
            302,
            "location: http://127",
            "its case",
        ),
        (
            "GET http://www.customer.test/film.gif",
            &["Host: other.test"],
            302,
            "location: http://127.0.0.1:8080/film.gif\r\n",
            "RFC 9112 §3.2.2: the target's own host",
        ),
        ("GET /film.gif", &[www], 302, "cache-control: no-store", "not for anybody else"),
        ("POST /film.gif", &[www, "Content-Length: 0"], 405, "allow: get, head", "POST"),
        ("OPTIONS *", &[www], 405, "allow: get, head", "OPTIONS"),
        ("GET /", &[www], 302, "location: http://www.customer.test:8080/\r\n", "DNS decides"),
        ("GET /x.gif?a.html", &[www], 302, "location: http://127", "a query is no path"),
        (
            "GET /x.html?a.gif",
            &[www],
            302,
            "location: http://www.customer.test:8080/x.html?a",
            "nor",
        ),
        ("GET /", &["Host: www.customer.test:8080"], 508, "no-store", "a loop"),
        ("GET /x.gif", &["Host: 127.0.0.1:8080"], 421, "no-store", "a redirect that came back"),
        ("GET /b", &["Host: x.dl.more.test"], 302, "location: http://www.more.test/b\r\n", "a URL"),
        ("GET /b", &["Host: www.more.test"], 421, "no-store", "which is redirected no further"),
        ("GET /a", &["Host: x.y.dl.more.test"], 302, "location: http://127", "a wildcard"),
        ("GET /a", &["Host: dl.more.test"], 421, "no-store", "which does not cover its parent"),
        ("GET /b", &["Host: closed.more.test"], 421, "no-store", "as configured"),
        ("GET /", &[], 400, "", "RFC 9112 §3.2: Host is missing"),
        ("GET /", &[www, www], 400, "", "and may not be there twice"),
        ("GET /", &["Host: a b"], 400, "", "no host"),
        ("GET /", &["Host: u@www.customer.test"], 400, "", "RFC 9110 §7.2: no userinfo"),
        ("GET /", &[""], 400, "", "a head that ends early: no host"),
        (&long, &[www], 431, "", "a head beyond the bound"),
        ("GET /resolve", &["Host: front.test"], 400, "application/json", "no name"),
        ("PUT /resolve?name=a", &["Host: front.test"], 405, "allow: get, head", "PUT"),
        ("GET /elsewhere", &["Host: front.test"], 421, "no-store", "nothing there"),
        ("PUT /dns-query", &["Host: front.test"], 405, "allow: get, head, post", "PUT"),
    ];
    for &(line, fields, status, part, why) in rows {
        let (found, head, content) = ask(&server, line, fields);
        assert_eq!(found, status, "{why}: {head}\n{content}");
        assert!(head.contains(part) || format!("{head}\r\n").contains(part), "{why}: {head}");
        assert!(!line.starts_with("HEAD") || content.is_empty(), "{why}: {content}");
    }
    let fields = "x: y\r\n".repeat(200);
    for (octets, status, why) in [
        ("nonsense\r\n\r\n".to_owned(), "400", "no HTTP"),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n".to_owned(), "400", "RFC 9112 §5.2"),
        (format!("GET / HTTP/1.1\r\n{fields}\r\n"), "431", "too many fields"),
        ("GET /resolve?name=ns.more.test HTTP/1.0\r\n\r\n".to_owned(), "200", "HTTP/1.0, no Host"),
    ] {
        let text = exchange(&server, octets.as_bytes());
        assert_eq!(text.get(9..12), Some(status), "{why}: {text}");
    }
    for (name, least) in [
        ("lastmile_gslb_http_requests_total{kind=\"redirect\"}", 15),
        ("lastmile_gslb_http_responses_total{status=\"302\"}", 12),
        ("lastmile_gslb_http_responses_total{status=\"508\"}", 1),
        ("lastmile_gslb_http_redirects_total{reason=\"client\"}", 7),
        ("lastmile_gslb_http_redirects_total{reason=\"name\"}", 3),
    ] {
        assert!(sample(&server, name) >= least, "{name}: {}", sample(&server, name));
    }
    server.stop(Duration::ZERO);
}

#[test]
fn names_are_resolved_in_batches() {
    let server = start(config("")).unwrap();
    let target = "/resolve?name=www.customer.test&name=ns.more.test&name=no.more.test&name=b.org&ip=10.2.3.4";
    let (status, found) = json(&server, target);
    assert_eq!((status, &found["client"]), (200, &"10.2.3.4".into()));
    let expected = serde_json::json!([
        {
            "name": "www.customer.test.", "type": "A", "ttl": 20, "addresses": ["127.0.0.2"],
            "region": "south", "scope": 16,
            "why": "edge-2 in south: the client's region",
        },
        {
            "name": "ns.more.test.", "type": "A", "ttl": 60, "addresses": ["192.0.2.1"],
            "region": null, "scope": 0, "why": "records of its zone, the same for every client",
        },
        {
            "name": "no.more.test.", "type": "A", "ttl": 60, "addresses": [],
            "region": null, "scope": 0, "why": "there is no such name",
        },
        {
            "name": "b.org.", "type": "A", "ttl": null, "addresses": [],
            "region": null, "scope": 0, "why": "it is in no zone of this server",
        },
    ]);
    assert_eq!(found["answers"], expected, "{found:#}");
    let (_, found) = json(&server, "/resolve?name=ns.more.test&type=AAAA");
    assert_eq!(found["client"], "127.0.0.1", "who asks");
    assert_eq!(found["answers"][0]["addresses"][0], "2001:db8::1");
    for (query, part) in [
        ("", "name is missing; allowed: name=NAME"),
        ("?name=a..b", "name: \\\"a..b\\\" is not a name"),
        ("?name=a&ip=nobody", "ip: \\\"nobody\\\" is not an address"),
        (&format!("?{}", "name=a.test&".repeat(33)), "one name too many"),
    ] {
        let (status, found) = json(&server, &format!("/resolve{query}"));
        assert_eq!(status, 400, "{query}");
        assert!(found.to_string().contains(part), "{query}: {found}");
    }
    server.stop(Duration::ZERO);
}

#[test]
fn a_url_is_held_by_one_edge_and_a_hot_one_by_several() {
    let server = start(config("")).unwrap();
    let edge = |target: &str, client: &str| {
        let to = location(&server, "url.more.test", target, client);
        let (edge, rest) = to.strip_prefix("https://").unwrap().split_once('.').unwrap();
        assert_eq!(rest, format!("url.more.test/own{target}"));
        edge.to_owned()
    };
    let mut edges = BTreeSet::new();
    for url in 0..12 {
        let target = format!("/{url}?a");
        let first = edge(&target, "10.3.0.1");
        assert_eq!(edge(&target, "10.3.200.1"), first, "clients of a region share it");
        let resolve = format!("/resolve?name=url.more.test&ip=10.3.9.9&url=/{url}");
        let (_, found) = json(&server, &resolve);
        let address = if first == "edge-3" { "127.0.0.3" } else { "127.0.0.4" };
        assert_eq!(found["answers"][0]["addresses"][0], address, "HTTPDNS agrees: {found}");
        edges.insert(first);
    }
    let both: BTreeSet<_> = ["edge-3", "edge-4"].map(str::to_owned).into();
    assert_eq!(edges, both, "URLs are spread over the region's edges");
    assert_eq!(edge("/0", "10.2.0.1"), "edge-2", "another region has its own");
    let hot: BTreeSet<_> = (0..80).map(|_| edge("/hot", "10.3.0.1")).collect();
    assert_eq!(hot, both, "a hot URL has two holders");
    assert!(sample(&server, "lastmile_gslb_http_redirects_total{reason=\"copy\"}") > 0);
    server.stop(Duration::ZERO);
}
