//! Connections that are closed, and ends; files that are read again; edges of the other family, and none.

use super::*;
use std::net::SocketAddr;
use std::time::Instant;

#[test]
fn idle_and_slow_connections_are_closed() {
    let idle = |http| Config { tcp_idle_timeout: Duration::from_millis(200), ..config(http) };
    let server = start(idle("")).unwrap();
    let mut silent = connect(&server);
    let mut half = connect(&server);
    half.write_all(b"GET /film.gif HT").unwrap();
    let mut kept = connect(&server);
    kept.write_all(b"GET /film.gif HTTP/1.1\r\nHost: www.customer.test\r\n\r\n").unwrap();
    assert_eq!(rest(&mut silent), "", "silent");
    let text = rest(&mut half);
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "half a head: {text}");
    assert!(rest(&mut kept).starts_with("HTTP/1.1 302"), "answered, then idle");
    server.stop(Duration::ZERO);
    let server = start(idle("proxy_protocol = true\n")).unwrap();
    let mut slow = connect(&server);
    slow.write_all(b"PROXY TCP4 10.").unwrap();
    assert_eq!(rest(&mut slow), "", "half a PROXY header");
    assert_eq!(sample(&server, "lastmile_gslb_http_closed_total{reason=\"slow\"}"), 1);
    server.stop(Duration::ZERO);
}

#[test]
fn one_connection_too_many_closes_the_oldest() {
    let few = Config { http_connections_max: 2, tcp_idle_timeout: PATIENCE * 10, ..config("") };
    let server = start(few).unwrap();
    let get = b"GET /film.gif HTTP/1.1\r\nHost: www.customer.test\r\n\r\n";
    let mut begin = [0; 12];
    let mut streams: Vec<_> = (0..2).map(|_| connect(&server)).collect();
    for stream in &mut streams {
        stream.write_all(get).unwrap();
        stream.read_exact(&mut begin).unwrap();
    }
    let (_, head, _) = ask(&server, "GET /film.gif", &["Host: www.customer.test"]);
    assert!(head.starts_with("http/1.1 302"), "{head}");
    rest(&mut streams[0]);
    let mut rest_of_it = vec![0; 4096];
    let _ = streams[1].read(&mut rest_of_it).unwrap();
    streams[1].write_all(get).unwrap();
    streams[1].read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 302", "the other goes on");
    assert_eq!(sample(&server, "lastmile_gslb_http_evicted_total"), 1);
    server.stop(Duration::ZERO);
}

#[test]
fn stopping_ends_idle_connections_and_frees_the_port() {
    let server = start(config("")).unwrap();
    let address = server.http_address().unwrap();
    let mut kept = connect(&server);
    kept.write_all(b"GET /film.gif HTTP/1.1\r\nHost: www.customer.test\r\n\r\n").unwrap();
    let mut begin = [0; 12];
    kept.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 302");
    let began = Instant::now();
    server.stop(PATIENCE * 10);
    assert!(began.elapsed() < PATIENCE, "nobody waits for idle connections");
    rest(&mut kept);
    let again = start(Config { http: Some(address), ..config("") }).unwrap();
    assert_eq!(again.http_address(), Some(address));
    let taken = Config { http: Some(address), ..config("") };
    let message = start(taken).unwrap_err().to_string();
    assert_eq!(message, format!("gslb: {address} is in use by another process"));
    assert_eq!(
        start(Config { http: None, ..config("") }).unwrap().http_address(),
        None::<SocketAddr>
    );
}

#[test]
fn a_reload_changes_what_is_redirected() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cdn.toml");
    std::fs::write(&path, zone("")).unwrap();
    let server =
        start(Config { zone: Some(ZoneSource::File(path.clone())), ..config("") }).unwrap();
    let before = location(&server, "www.customer.test", "/a.gif", "10.1.0.1");
    assert_eq!(before, "http://127.0.0.1:8080/a.gif");
    std::fs::write(&path, zone("").replace("{address}:8080", "{address}:81/x")).unwrap();
    server.reload().unwrap();
    let after = location(&server, "www.customer.test", "/a.gif", "10.1.0.1");
    assert_eq!(after, "http://127.0.0.1:81/x/a.gif");
    std::fs::write(&path, zone("").replace("{address}:8080", "nowhere")).unwrap();
    assert!(server.reload().unwrap_err().to_string().contains("redirect.to"));
    assert_eq!(location(&server, "www.customer.test", "/a.gif", "10.1.0.1"), after);
    server.stop(Duration::ZERO);
}

#[test]
fn other_families_and_no_edge_at_all() {
    let v6 = Config { http: Some("[::1]:0".parse().unwrap()), ..config("") };
    let server = start(v6).unwrap();
    let (status, head, _) = ask(&server, "GET /a.gif", &["Host: www.customer.test"]);
    assert_eq!(status, 302);
    assert!(head.contains("location: http://127.0.0.1:8080/a.gif"), "edges of IPv4 only: {head}");
    server.stop(Duration::ZERO);
    let text = include_str!("../../examples/cdn.toml").replace("capacity = 100", "capacity = 0");
    let zone = Some(ZoneSource::Inline { name: "cdn.toml".to_owned(), text });
    let server = start(Config { zone, ..config("") }).unwrap();
    let (status, head, _) = ask(&server, "GET /a.gif", &["Host: www.customer.test"]);
    assert_eq!(status, 503);
    assert!(head.contains("retry-after: 5"), "{head}");
    let (_, found) = json(&server, "/resolve?name=www.customer.test");
    assert_eq!(found["answers"][0]["why"], "no edge has such an address");
    server.stop(Duration::ZERO);
}
