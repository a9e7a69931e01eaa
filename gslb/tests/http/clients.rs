//! Whom a connection is from by the PROXY protocol; a resolver and its clients, and what follows for the map.

use super::*;
use std::net::UdpSocket;

fn v2(family: u8, addresses: &[u8]) -> Vec<u8> {
    let length = (addresses.len() as u16).to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n\x21", &[family][..], &length, addresses].concat()
}

#[test]
fn connections_may_have_to_say_whom_they_are_from() {
    let get = request("GET /film.gif", &["Host: www.customer.test"]);
    let forwarded =
        request("GET /film.gif", &["Host: www.customer.test", "X-Forwarded-For: 10.2.0.1"]);
    let south = v2(0x11, &[10, 2, 0, 1, 127, 0, 0, 1, 0, 9, 0, 80]);
    let through = v2(0x11, &[127, 0, 0, 8, 127, 0, 0, 1, 0, 9, 0, 80]);
    let local = [&b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"[..]].concat();
    let v1 = b"PROXY TCP4 10.2.0.1 127.0.0.1 9 80\r\n".to_vec();
    let server = start(config("proxy_protocol = true\n")).unwrap();
    for (begin, rest, expected, why) in [
        (&v1, &get, Some("127.0.0.2"), "version 1"),
        (&south, &get, Some("127.0.0.2"), "version 2"),
        (&local, &get, Some("127.0.0.1"), "the proxy itself"),
        (&through, &forwarded, Some("127.0.0.2"), "a proxy before the proxy"),
        (&v1, &forwarded, Some("127.0.0.2"), "a client is not believed"),
        (&Vec::new(), &get, None, "no header"),
        (&b"PROXY TCP4 a b 9 80\r\n".to_vec(), &get, None, "a malformed one"),
        (&v2(0x11, &[1, 2, 3]), &get, None, "a short one"),
    ] {
        let text = exchange(&server, &[&begin[..], rest].concat());
        let to = text.lines().find_map(|line| line.strip_prefix("location: http://"));
        let to = to.and_then(|to| to.split(':').next());
        assert_eq!(to, expected, "{why}: {text}");
        assert_eq!(text.is_empty(), expected.is_none(), "{why}: {text}");
    }
    assert_eq!(sample(&server, "lastmile_gslb_http_closed_total{reason=\"proxy\"}"), 3);
    server.stop(Duration::ZERO);
    let text = zone("proxy_protocol = true\n").replace("[\"127.0.0.0/8\"]", "[\"192.0.2.1\"]");
    let zone = Some(ZoneSource::Inline { name: "cdn.toml".to_owned(), text });
    let server = start(Config { zone, ..config("") }).unwrap();
    assert_eq!(exchange(&server, &[&v1[..], &get].concat()), "", "who is not trusted");
    server.stop(Duration::ZERO);
}

/// Asks DNS for a name, from this machine's 127.0.0.1, which is in the north.
fn query(server: &Gslb, name: &str) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let labels =
        name.split('.').flat_map(|label| [&[label.len() as u8][..], label.as_bytes()].concat());
    let name: Vec<u8> = labels.chain([0]).collect();
    let query = [b"\0\x07\x01\0\0\x01\0\0\0\0\0\0", &name[..], b"\0\x01\0\x01"].concat();
    socket.send_to(&query, server.address()).unwrap();
    let mut answer = [0; 512];
    let octets = socket.recv(&mut answer).unwrap();
    assert_eq!(answer[octets - 4..octets], [127, 0, 0, 1], "the front's address");
}

#[test]
fn a_resolver_and_its_clients_are_brought_together() {
    let server = start(config("")).unwrap();
    let come = |name: &str, client: &str| {
        let fields = [format!("Host: {name}"), format!("X-Forwarded-For: {client}")];
        let fields: Vec<_> = fields.iter().map(String::as_str).collect();
        let (status, _, content) = ask(&server, "GET /", &fields);
        (status, serde_json::from_str::<Value>(&content).unwrap())
    };
    for index in 0..20 {
        let name = format!("t{index}.who.more.test");
        query(&server, &name);
        assert_eq!(server.corrections().unwrap(), "prefix,region\n", "too few to say anything");
        let (status, found) = come(&name, &format!("10.2.{index}.1"));
        assert_eq!(status, 200);
        let expected = serde_json::json!({
            "client": format!("10.2.{index}.1"), "client_region": "south",
            "resolver": "127.0.0.1", "resolver_region": "north",
            "resolver_tells_subnet": false, "agrees": false,
        });
        assert_eq!(found, expected);
        assert_eq!(come(&name, "10.2.0.1").0, 404, "each name counts once");
    }
    let lines = "prefix,region\n127.0.0.0/24,south  # 20 of 20 clients\n";
    assert_eq!(server.corrections().unwrap(), lines);
    let (status, found) = come("never.who.more.test", "10.2.0.1");
    assert_eq!((status, &found["client_region"]), (404, &"south".into()));
    query(&server, "nowhere.who.more.test");
    assert_eq!(come("nowhere.who.more.test", "192.0.2.1").1["client_region"], Value::Null);
    query(&server, "again.who.more.test");
    come("again.who.more.test", "10.2.7.7");
    query(&server, "right.who.more.test");
    assert_eq!(come("right.who.more.test", "10.1.0.1").1["agrees"], true);
    for (outcome, count) in
        [("differs", 20), ("agrees", 1), ("known", 1), ("nowhere", 1), ("unknown", 21)]
    {
        let name = format!("lastmile_gslb_http_pairs_total{{outcome=\"{outcome}\"}}");
        assert_eq!(sample(&server, &name), count, "{outcome}");
    }
    server.stop(Duration::ZERO);
    let map = std::env::temp_dir().join(format!("lastmile-gslb-http-{}.csv", std::process::id()));
    std::fs::write(&map, lines).unwrap();
    let corrected = start(Config { map: Some(map.clone()), ..config("") }).unwrap();
    std::fs::remove_file(&map).unwrap();
    let (_, found) = json(&corrected, "/resolve?name=www.customer.test&ip=127.0.0.1");
    assert_eq!(found["answers"][0]["region"], "south", "the lines are a map");
    corrected.stop(Duration::ZERO);
}
