//! Edges that are killed, told to end or started again leave the answers and come back; files are read again while it
//! answers; and each choice can be explained.

use crate::client::PATIENCE;
use crate::process::{Started, fetch, lastmile, scratch};
use crate::world::run;
use nix::sys::signal::Signal;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Two regions with an edge each, which are asked at these addresses.
fn zone(file: &Path, admins: [&str; 2], more: &str) {
    let text = format!(
        r#"
[[zone]]
name = "cdn.test"
records = '''
@ SOA ns.cdn.test. admin.cdn.test. 1 3600 600 86400 30
@ NS ns
ns A 127.0.0.1
'''
[[region]]
name = "north"
prefixes = ["10.1.0.0/16"]
[[region]]
name = "south"
prefixes = ["10.2.0.0/16"]
[[edge]]
name = "north-1"
region = "north"
addresses = ["192.0.2.1"]
health = "http://{}/healthz"
[[edge]]
name = "south-1"
region = "south"
addresses = ["192.0.2.2"]
health = "http://{}/healthz"
[health]
interval_ms = 50
[[steer]]
name = "www.cdn.test"
all_down = "nothing"
{more}
"#,
        admins[0], admins[1]
    );
    std::fs::write(file, text).unwrap();
}

struct Edge {
    process: Started,
    admin: String,
}

impl Edge {
    fn start(admin: &str) -> Self {
        let flags = ["--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9"];
        let (process, line) = Started::new(&[&["edge", "--admin", admin], &flags[..]].concat());
        let admin = line.trim().rsplit(' ').next().unwrap().to_owned();
        Self { process, admin }
    }
}

struct Gslb {
    process: Started,
    address: String,
    admin: String,
}

impl Gslb {
    fn start(zone: &Path) -> Self {
        let flags = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let zone = ["gslb", "--zone", zone.to_str().unwrap()];
        let (process, line) = Started::new(&[&zone, &flags[..]].concat());
        let words: Vec<_> = line.trim().split([' ', ',']).collect();
        let address = words.iter().position(|word| *word == "on").map(|at| words[at + 1]).unwrap();
        let admin = words.last().unwrap();
        Self { process, address: address.to_owned(), admin: (*admin).to_owned() }
    }

    /// The addresses for a client, or the status when there is none.
    fn answer(&self, client: &str) -> String {
        let (server, port) = self.address.split_once(':').unwrap();
        let (server, subnet) = (format!("@{server}"), format!("+subnet={client}"));
        let fixed = ["+tries=1", "+time=10", "www.cdn.test", "A"];
        let output =
            run("dig", "bind9-dnsutils", &[&[&server, "-p", port, &subnet], &fixed[..]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let answer = text.lines().find(|line| line.starts_with("www.cdn.test."));
        let status = || text.split("status: ").nth(1)?.split(',').next();
        let address = answer.and_then(|line| line.split_whitespace().last());
        address.or_else(status).unwrap_or_default().to_owned()
    }

    /// Waits until a client gets this.
    fn wait_for(&self, client: &str, expected: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.answer(client);
            if answer == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{client} gets {answer}, not {expected}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn post(&self, path: &str) -> String {
        self.post_with(path, "")
    }

    fn post_with(&self, path: &str, content: &str) -> String {
        let (mut stream, length) = (TcpStream::connect(&self.admin).unwrap(), content.len());
        write!(stream, "POST {path} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{content}")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

#[test]
fn edges_leave_the_answers_and_come_back() {
    let folder = scratch();
    let file = folder.path().join("cdn.toml");
    let (north, south) = (Edge::start("127.0.0.1:0"), Edge::start("127.0.0.1:0"));
    let (north_admin, south_admin) = (north.admin.clone(), south.admin.clone());
    zone(&file, [&north_admin, &south_admin], "");
    let gslb = Gslb::start(&file);
    gslb.wait_for("10.1.2.0/24", "192.0.2.1");
    gslb.wait_for("10.2.2.0/24", "192.0.2.2");
    north.process.signal(Signal::SIGKILL);
    gslb.wait_for("10.1.2.0/24", "192.0.2.2");
    let why = fetch(&gslb.admin, "/why?name=www.cdn.test&client=10.1.2.3");
    let (status, text) = (why.0, String::from_utf8(why.1).unwrap());
    assert_eq!(status, 200, "{text}");
    for part in ["north, by the map", "192.0.2.2", "north-1", "down (", "no such edge that is up"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let again = Edge::start(&north_admin);
    gslb.wait_for("10.1.2.0/24", "192.0.2.1");
    // Told to end, both: nobody is left, and the name has nothing for that.
    south.process.signal(Signal::SIGTERM);
    gslb.wait_for("10.2.2.0/24", "192.0.2.1");
    again.process.signal(Signal::SIGTERM);
    gslb.wait_for("10.2.2.0/24", "SERVFAIL");
    let (_, metrics) = fetch(&gslb.admin, "/metrics");
    let metrics = String::from_utf8(metrics).unwrap();
    let down = metrics.lines().find(|line| line.starts_with("lastmile_gslb_edges_down"));
    assert!(down.is_some_and(|line| line.ends_with(" 2")), "{down:?}");
}

#[test]
fn files_are_read_again_or_refused() {
    let folder = scratch();
    let file = folder.path().join("cdn.toml");
    let edge = Edge::start("127.0.0.1:0");
    // The other one is not there.
    zone(&file, [&edge.admin, "127.0.0.1:9"], "");
    let gslb = Gslb::start(&file);
    gslb.wait_for("10.2.2.0/24", "192.0.2.1");
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, good.replace("192.0.2.1", "192.0.2.300")).unwrap();
    let refused = gslb.post("/reload");
    assert!(refused.contains(" 409 ") && refused.contains("edge.addresses"), "{refused}");
    assert_eq!(gslb.answer("10.1.2.0/24"), "192.0.2.1", "as before");
    std::fs::write(&file, good.replace("192.0.2.1", "192.0.2.3")).unwrap();
    let taken = gslb.post("/reload");
    assert!(taken.contains(" 200 "), "{taken}");
    assert_eq!(gslb.answer("10.1.2.0/24"), "192.0.2.3", "from now on");
    assert_eq!(gslb.answer("10.2.2.0/24"), "192.0.2.3", "that the other is down is not forgotten");
    assert!(gslb.post("/healthz").contains(" 405 "));
    std::fs::write(&file, good.replace("192.0.2.1", "192.0.2.4")).unwrap();
    gslb.process.signal(Signal::SIGHUP);
    gslb.wait_for("10.1.2.0/24", "192.0.2.4");
    gslb.process.signal(Signal::SIGTERM);
    assert!(gslb.process.end().0.success(), "HUP has not ended it, nor spoilt its end");
}

#[test]
fn what_a_new_map_would_move_is_said_before_it_is_published() {
    let folder = scratch();
    let [file, old, new, seen] =
        ["cdn.toml", "old.csv", "new.csv", "seen"].map(|name| folder.path().join(name));
    zone(&file, ["127.0.0.1:9", "127.0.0.1:9"], "");
    std::fs::write(&old, "64.0.0.0/2,north\n").unwrap();
    std::fs::write(&new, "64.0.0.0/3,north\n96.0.0.0/3,south\n").unwrap();
    std::fs::write(&seen, "65.0.0.1\n100.0.0.1\n10.1.0.1\n10.2.0.1\n").unwrap();
    let path = |file: &std::path::PathBuf| file.to_str().unwrap().to_owned();
    let diff = |more: &[&str]| {
        let fixed = ["gslb", "diff", &path(&old), &path(&new)];
        let output = lastmile(&[&fixed, more].concat()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (zone, seen) = (path(&file), path(&seen));
    let (status, text) = diff(&["--zone", &zone, "--clients", &seen]);
    let expected = "IPv4: 12.5000 % would move\n    12.5000 %  north -> south\nIPv6: 0.0000 % would move\n\
                    clients: 25.0000 % would move\n    25.0000 %  north -> south\n";
    assert_eq!((status, &text[..]), (Some(0), expected));
    let (_, json) = diff(&["--zone", &zone, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["v4"][0]["share"], 0.125);
    assert_eq!(diff(&[]).0, Some(2), "a map is no zone file");
}

#[test]
fn a_choice_is_explained_from_files_and_by_a_running_server() {
    let folder = scratch();
    let file = folder.path().join("cdn.toml");
    zone(&file, ["127.0.0.1:9", "127.0.0.1:9"], "fallback = [\"192.0.2.9\"]\n");
    let mut text = std::fs::read_to_string(&file).unwrap();
    text = text.replace("all_down = \"nothing\"", "all_down = \"static\"");
    std::fs::write(&file, text).unwrap();
    let why = |more: &[&str]| {
        let fixed = ["gslb", "why", "www.cdn.test", "--client", "10.2.0.0/24"];
        let output = lastmile(&[&fixed, more].concat()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap() + &said)
    };
    let zone = file.to_str().unwrap();
    let (status, text) = why(&["--zone", zone]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("south, by the map, for all of 10.2.0.0/16"), "{text}");
    assert!(text.contains("192.0.2.2, for 20 s"), "{text}");
    let (status, json) = why(&["--zone", zone, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((status, &json["region"], &json["scope"]), (Some(0), &"south".into(), &16.into()));
    assert_eq!(json["candidates"][0]["edge"], "south-1");
    let gslb = Gslb::start(&file);
    gslb.wait_for("10.2.2.0/24", "192.0.2.9");
    let (status, text) = why(&["--admin", &gslb.admin]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("no edge is up: the addresses of `fallback`"), "{text}");
    for (arguments, expected) in [
        (&["--zone", "/no/such/file"][..], "/no/such/file"),
        (&["--admin", "127.0.0.1:9"], "127.0.0.1:9"),
        (&[], "--zone"),
        (&["--zone", zone, "--type", "MX"], "MX"),
    ] {
        let (status, said) = why(arguments);
        assert!(status.is_some_and(|status| status > 0) && said.contains(expected), "{said}");
    }
}

#[test]
fn an_edge_says_how_busy_it_is_and_measured_times_go_before_the_map() {
    let folder = scratch();
    let file = folder.path().join("cdn.toml");
    let (north, south) = (Edge::start("127.0.0.1:0"), Edge::start("127.0.0.1:0"));
    let json = |admin: &str, target: &str| -> serde_json::Value {
        let (status, content) = fetch(admin, target);
        assert_eq!(status, 200, "{target}");
        serde_json::from_slice(&content).unwrap()
    };
    assert_eq!(json(&north.admin, "/load?edge=edge")["sessions"], 0);
    assert_eq!(fetch(&north.admin, "/load?edge=other").0, 404);
    zone(&file, [&north.admin, &south.admin], "");
    let text = std::fs::read_to_string(&file).unwrap().replace("/healthz", "/load");
    std::fs::write(&file, text).unwrap();
    let gslb = Gslb::start(&file);
    let why = "/why?name=www.cdn.test&client=10.1.2.3&format=json";
    let deadline = Instant::now() + PATIENCE;
    // The processor is known from the second answer on.
    while !json(&gslb.admin, why)["candidates"][0]["utilisation"].is_f64() {
        assert!(Instant::now() < deadline, "{}", json(&gslb.admin, why));
        std::thread::sleep(Duration::from_millis(10));
    }
    gslb.wait_for("10.1.2.0/24", "192.0.2.1");
    let times = "prefix,target,rtt_ms\n10.1.0.0/16,north-1,50\n10.1.0.0/16,south,5\n";
    assert!(gslb.post_with("/rtt", times).ends_with("\r\n\r\n2 measurements\n"));
    gslb.wait_for("10.1.2.0/24", "192.0.2.2");
    let refused = gslb.post_with("/rtt", "10.1.0.0/16,east,5\n");
    assert!(refused.starts_with("HTTP/1.0 409") && refused.contains("line 1: target"), "{refused}");
    assert!(json(&gslb.admin, why)["candidates"][0]["rtt_ms"] == 5.0);
}
