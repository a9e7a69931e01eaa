//! What edges say of their load moves clients, over real sockets; and so do measured round-trip times.

#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach what they call.

use lastmile_gslb::{Config, Explanation, Gslb, Question, ZoneSource, start};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Long enough for any machine; nothing waits for it unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// An edge that answers its checks with what it is told to say.
struct Edge {
    url: String,
    says: Arc<Mutex<String>>,
}

impl Edge {
    fn start(says: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/load", listener.local_addr().unwrap());
        let says = Arc::new(Mutex::new(says.to_owned()));
        let content = Arc::clone(&says);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), content) = (stream, Arc::clone(&content)) else { return };
                std::thread::spawn(move || {
                    let mut head = Vec::new();
                    let mut octet = [0];
                    while stream.read(&mut octet).unwrap_or(0) == 1 {
                        head.push(octet[0]);
                        if head.ends_with(b"\r\n\r\n") {
                            head.clear();
                            let content = content.lock().unwrap().clone();
                            let length = content.len();
                            let head =
                                format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                            if stream.write_all((head + &content).as_bytes()).is_err() {
                                return;
                            }
                        }
                    }
                });
            }
        });
        Self { url, says }
    }

    fn say(&self, content: &str) {
        content.clone_into(&mut self.says.lock().unwrap());
    }
}

/// Two regions with an edge each, and clients of the first one.
fn gslb(near: &Edge, far: &Edge, more: &str) -> Gslb {
    let text = format!(
        r#"
[[zone]]
name = "cdn.test"
records = "@ SOA ns.cdn.test. admin.cdn.test. 1 3600 600 86400 30\n@ NS ns.cdn.test.\n"
[[region]]
name = "north"
prefixes = ["10.0.0.0/8"]
[[region]]
name = "south"
[[edge]]
name = "near"
region = "north"
addresses = ["192.0.2.1"]
health = "{}"
sessions_max = 100
[[edge]]
name = "far"
region = "south"
addresses = ["192.0.2.2"]
health = "{}"
[health]
interval_ms = 20
[load]
spill_from = 0.5
full = 0.6
[[steer]]
name = "www.cdn.test"
ttl = 1
{more}
"#,
        near.url, far.url
    );
    let zone = Some(ZoneSource::Inline { name: "cdn.toml".to_owned(), text });
    start(Config { listen: "127.0.0.1:0".parse().unwrap(), zone, ..Config::default() }).unwrap()
}

fn explain(gslb: &Gslb, client: &str) -> Explanation {
    let (name, client) = ("www.cdn.test".to_owned(), client.to_owned());
    gslb.explain(&Question { name, client, v6: false, is_resolver: false }).unwrap()
}

/// How many of 200 clients get the far edge, and how many of them because theirs has no room.
fn far(gslb: &Gslb) -> (usize, usize) {
    let clients = (0..200).map(|block| explain(gslb, &format!("10.0.{block}.0/24")));
    let far: Vec<_> = clients.filter(|it| it.addresses[0].to_string() == "192.0.2.2").collect();
    let shed = far.iter().filter(|it| it.why.contains("room for a part of its clients only"));
    (far.len(), shed.count())
}

fn wait(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_full_edge_leaves_clients_to_the_next_region_and_gets_them_back() {
    let near = Edge::start(r#"{"sessions": 10}"#);
    let far_edge = Edge::start(r#"{"load": 0.1, "unknown": [1, 2]}"#);
    let gslb = gslb(&near, &far_edge, "");
    let utilisation = |edge: usize| explain(&gslb, "10.0.0.0/24").candidates[edge].utilisation;
    wait("loads are known", || utilisation(0) == Some(0.1) && utilisation(1) == Some(0.1));
    assert_eq!(far(&gslb), (0, 0), "all have room");
    near.say(r#"{"sessions": 120}"#);
    wait("a part is shed", || (20..190).contains(&far(&gslb).0));
    let (far_away, shed) = far(&gslb);
    assert!(shed > 0 && far_away >= shed, "and it is said why: {shed} of {far_away}");
    let text = explain(&gslb, "10.0.0.0/24").to_string();
    assert!(text.contains("120 % full") && text.contains("its region takes"), "{text}");
    let before = explain(&gslb, "10.0.0.0/24").candidates[0].region_part;
    assert!(before < 0.95, "{before}");
    // What can't be understood is no failed check, and no load.
    near.say("{\"sessions\": ");
    wait("no load is known", || utilisation(0).is_none() || utilisation(1).is_none());
    assert!(explain(&gslb, "10.0.0.0/24").candidates.iter().all(|it| it.is_up));
    near.say(r#"{"sessions": 10}"#);
    wait("all are taken again", || far(&gslb) == (0, 0));
    gslb.stop(Duration::ZERO);
}

#[test]
fn measured_times_go_before_the_map_until_they_are_old() {
    let (near, far) = (Edge::start("ok"), Edge::start("ok"));
    let gslb = gslb(&near, &far, "[rtt]\nexpires_s = 1");
    let first = |client: &str| explain(&gslb, client).addresses[0].to_string();
    assert_eq!(first("10.7.0.0/24"), "192.0.2.1");
    for (csv, why) in [
        ("10.7.0.0/16,far,20\n10.7.0.0/16,nobody,9\n", "line 2: target: \"nobody\" is no edge"),
        ("10.7.0.0/16,far\n", "line 1: "),
        ("10.7.0.0/16,far,-1\n", "line 1: rtt_ms: \"-1\" is not allowed"),
    ] {
        let refused = gslb.measure(csv).unwrap_err();
        assert!(refused.starts_with(why), "{refused}");
        assert_eq!(first("10.7.0.0/24"), "192.0.2.1", "nothing is taken of it");
    }
    assert_eq!(
        gslb.measure("prefix,target,rtt_ms\n10.7.0.0/16,far,20\n10.7.0.0/16,north,50\n"),
        Ok(2)
    );
    let explained = explain(&gslb, "10.7.0.0/24");
    assert_eq!(explained.addresses[0].to_string(), "192.0.2.2");
    assert_eq!((explained.scope, explained.region_by.as_str()), (16, "what has been measured"));
    let times: Vec<_> = explained.candidates.iter().map(|it| it.rtt_ms).collect();
    assert_eq!(times, [Some(20.0), Some(50.0)], "of the edge, and of the other one's region");
    assert_eq!(first("10.8.0.0/24"), "192.0.2.1", "others go by the map");
    gslb.reload().unwrap();
    wait("it is forgotten", || first("10.7.0.0/24") == "192.0.2.1");
    gslb.stop(Duration::ZERO);
}
