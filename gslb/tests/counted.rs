//! What one sees of a running server: counts by region and edge over reloads, the query log, lists of resolvers.

#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach what they call.

use lastmile_gslb::{Config, Gslb, QueryLog, Question, ZoneSource, diff, explain_files, start};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Long enough for any machine; nothing waits for it unless something is broken.
const PATIENCE: Duration = Duration::from_secs(20);

const ZONE: &str = r#"
[[zone]]
name = "cdn.test"
records = "@ SOA ns.cdn.test. admin.cdn.test. 1 3600 600 86400 30\n@ NS ns.cdn.test.\nmail MX 10 ns"
[[steer]]
name = "www.cdn.test"
"#;

fn region(name: &str, prefixes: &str) -> String {
    let address = format!("192.0.2.{}", name.len());
    format!(
        "[[region]]\nname = \"{name}\"\nprefixes = [{prefixes}]\n[[edge]]\nname = \"{name}-1\"\n\
         region = \"{name}\"\naddresses = [\"{address}\"]\n"
    )
}

/// A configuration with this zone file.
fn config(path: &Path, text: &str) -> Config {
    std::fs::write(path, format!("{ZONE}{text}")).unwrap();
    let zone = Some(ZoneSource::File(path.to_owned()));
    Config { listen: "127.0.0.1:0".parse().unwrap(), zone, ..Config::default() }
}

fn dig(server: &Gslb, arguments: &str) -> String {
    let output = Command::new("dig")
        .args(["@127.0.0.1", "-p", &server.address().port().to_string(), "+tries=3", "+time=5"])
        .args(arguments.split_whitespace())
        .env("HOME", "/nonexistent")
        .output()
        .expect("these tests need `dig`: apt-get install bind9-dnsutils");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The samples whose names contain `part`.
fn samples(server: &Gslb, part: &str) -> BTreeMap<String, u64> {
    let samples = server.samples().into_iter();
    let named = samples.filter(|(name, ..)| name.contains(part));
    named.map(|(name, _, value)| (name.replace("lastmile_gslb_", ""), value)).collect()
}

/// Asks `count` times, as clients of 10.1.0.0/16 and 10.2.0.0/16 in turn, and waits for each answer.
fn ask(server: &Gslb, count: u8) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(server.address()).unwrap();
    for number in 0..count {
        let query = [
            &[0, number][..],
            b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x03www\x03cdn\x04test\x00\x00\x01\x00\x01",
            b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0a\x00\x08\x00\x06\x00\x01\x10\x00\x0a",
            &[1 + number % 2],
        ];
        socket.send(&query.concat()).unwrap();
        let mut answer = [0; 512];
        socket.recv(&mut answer).unwrap();
        assert_eq!((answer[1], answer[3] & 15), (number, 0));
    }
}

#[test]
fn counts_add_up_over_reloads_and_never_go_down() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cdn.toml");
    let (north, south) = (region("north", "\"10.1.0.0/16\""), region("south-1", "\"10.2.0.0/16\""));
    let west = region("west", "\"10.3.0.0/16\"");
    let files = [
        format!("{north}{south}"),
        format!("{west}{south}{north}"),
        format!("{south}{west}{north}"),
    ];
    let server = start(config(&path, &files[0])).unwrap();
    let (asked, reloads) = (4 * 250, 60);
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| ask(&server, 250))).collect();
        let mut before = BTreeMap::new();
        for round in 0..reloads {
            std::fs::write(&path, format!("{ZONE}{}", files[round % 3])).unwrap();
            server.reload().unwrap();
            let now = samples(&server, "answers_total{");
            for (name, count) in &before {
                assert!(now.get(name) >= Some(count), "{name} went down from {count}: {now:?}");
            }
            before = now;
        }
        asking.into_iter().for_each(|thread| thread.join().unwrap());
    });
    ask(&server, 2);
    let expected = [
        ("edge_answers_total{edge=\"north-1\"}", asked / 2 + 1),
        ("edge_answers_total{edge=\"south-1-1\"}", asked / 2 + 1),
        ("edge_answers_total{edge=\"west-1\"}", 0),
        ("region_answers_total{region=\"north\",reason=\"mapped\"}", asked / 2 + 1),
        ("region_answers_total{region=\"south-1\",reason=\"mapped\"}", asked / 2 + 1),
    ];
    let expected: BTreeMap<_, _> = expected.map(|(name, count)| (name.to_owned(), count)).into();
    assert_eq!(samples(&server, "answers_total{"), expected, "each answer once, whoever gave it");
    assert_eq!(samples(&server, "edge_up{").into_values().collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(samples(&server, "edge_changes_total{").len(), 3);
    server.stop(Duration::ZERO);
}

#[test]
fn each_query_is_a_line_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("queries.jsonl");
    let text = format!(
        "{}{}[[resolver]]\nprefixes = [\"127.0.0.0/8\"]\nregion = \"south-1\"\n",
        region("north", "\"10.1.0.0/16\""),
        region("south-1", "\"10.2.0.0/16\"")
    );
    let mut config = config(&folder.path().join("cdn.toml"), &text);
    config.log = Some(QueryLog::start(&log, 1).unwrap());
    let server = start(config).unwrap();
    let mut expected = Vec::new();
    let steered = |region: &str, address: &str, reason: &str| {
        let edge = format!("{region}-1");
        json!({ "region": region, "edge": edge, "addresses": [address], "reason": reason,
                "rcode": "NOERROR", "transport": "udp", "type": "A", "name": "www.cdn.test." })
    };
    for (arguments, line) in [
        ("www.cdn.test +subnet=10.1.2.0/24", {
            let mut line = steered("north", "192.0.2.5", "mapped");
            line["subnet"] = "10.1.2.0/24".into();
            line["scope"] = 16.into();
            line
        }),
        ("WWW.cdn.test +subnet=172.16.0.0/12 +tcp", {
            let mut line = steered("north", "192.0.2.5", "default");
            line["name"] = "WWW.cdn.test.".into();
            line["subnet"] = "172.16.0.0/12".into();
            line["scope"] = 1.into();
            line["transport"] = "tcp".into();
            line
        }),
        ("www.cdn.test", steered("south-1", "192.0.2.7", "listed")),
        ("www.cdn.test +subnet=0.0.0.0/0", steered("south-1", "192.0.2.7", "listed")),
        ("www.cdn.test AAAA", {
            let mut line = steered("south-1", "", "no-edge");
            line["type"] = "AAAA".into();
            (line["edge"], line["addresses"]) = (Value::Null, json!([]));
            line
        }),
        ("mail.cdn.test MX", {
            json!({ "name": "mail.cdn.test.", "type": "MX", "reason": "static", "rcode": "NOERROR",
                    "region": null, "edge": null, "transport": "udp", "addresses": [] })
        }),
        ("none.cdn.test TYPE65280", {
            json!({ "name": "none.cdn.test.", "type": "TYPE65280", "rcode": "NXDOMAIN",
                    "reason": "nxdomain", "transport": "udp", "region": null })
        }),
        ("other.test", json!({ "rcode": "REFUSED", "reason": "refused", "name": "other.test." })),
    ] {
        dig(&server, arguments);
        expected.push((arguments, line));
    }
    let junk = UdpSocket::bind("127.0.0.1:0").unwrap();
    junk.send_to(b"\x00\x01\x80", server.address()).unwrap();
    expected
        .push(("junk", json!({ "name": null, "rcode": null, "octets_in": 3, "octets_out": 0 })));
    // It is answered before the server ends, and what is logged is written before the log ends.
    server.stop(PATIENCE);
    let text = std::fs::read_to_string(&log).unwrap();
    let mut lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Each core has a worker of its own.
    lines.sort_by_key(|line| line["time"].as_str().unwrap().to_owned());
    assert_eq!(lines.len(), expected.len(), "{text}");
    for (line, (arguments, members)) in lines.iter().zip(&expected) {
        for (key, value) in members.as_object().unwrap() {
            assert_eq!(&line[key], value, "{arguments}: {key}: {line}");
        }
        assert_eq!(line["client"], "127.0.0.1");
        let is_answered = !line["rcode"].is_null();
        assert_eq!(line["octets_out"].as_u64() > Some(11), is_answered, "{line}");
    }
    told_by_why_and_diff(folder.path(), &log, &text);
}

/// Those lines are clients for `diff`, and `why` tells the list of resolvers from the map.
fn told_by_why_and_diff(folder: &Path, log: &Path, lines: &str) {
    let text = std::fs::read_to_string(folder.join("cdn.toml")).unwrap().replace(ZONE, "");
    let old = config(&folder.join("cdn.toml"), &text);
    let moved = text.replace("10.1.0.0/16", "10.1.0.0/24").replace("127.0.0.0/8", "127.0.0.9");
    let new = config(&folder.join("new.toml"), &moved);
    let found = diff(&old, &new, Some(log)).unwrap().clients.unwrap();
    let count = lines.lines().count() as f64;
    let told: Vec<_> = found
        .iter()
        .map(|it| format!("{} -> {}: {}", it.from, it.to, (it.share * count).round()))
        .collect();
    assert_eq!(told, ["south-1 -> (no prefix): 7", "north -> (no prefix): 1"], "{lines}");
    let ask = |client: &str, is_resolver| {
        let (name, client) = ("www.cdn.test".to_owned(), client.to_owned());
        explain_files(&old, &Question { name, client, is_resolver, v6: false })
    };
    for (client, is_resolver, region, by) in [
        ("127.0.0.1", true, "south-1", "the list of resolvers, for all of 127.0.0.0/8"),
        ("127.0.0.1", false, "north", "default_region"),
        ("10.2.0.1", true, "south-1", "the map, for all of 10.2.0.0/"),
    ] {
        let explained = ask(client, is_resolver).unwrap();
        assert_eq!(explained.region, region, "{client}");
        assert!(explained.region_by.starts_with(by), "{client}: {}", explained.region_by);
    }
    let error = ask("10.0.0.0/8", true).unwrap_err().to_string();
    assert_eq!(error, "resolver: \"10.0.0.0/8\" is not an address");
}

#[test]
fn a_sample_of_the_queries_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("queries.jsonl");
    let text = region("north", "\"10.1.0.0/16\"");
    let mut config = config(&folder.path().join("cdn.toml"), &text);
    config.cores = Some("0".parse().unwrap());
    config.log = Some(QueryLog::start(&log, 10).unwrap());
    let server = start(config).unwrap();
    for _ in 0..8 {
        ask(&server, 250);
    }
    assert_eq!(samples(&server, "log_dropped_total"), [("log_dropped_total".to_owned(), 0)].into());
    server.stop(PATIENCE);
    let lines = std::fs::read_to_string(&log).unwrap().lines().count();
    // 200 on average. The gaps are even between 1 and 19, so the deviation is 8: ten of them are never met.
    assert!((120..=280).contains(&lines), "{lines} of 2000");
}

#[test]
fn lists_of_resolvers_are_read_from_files_too_and_mistakes_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file("list.csv", "prefix,region\n192.0.2.0/24,west # far away\n10.1.0.1,west\n");
    file("twice.csv", "# x\n198.51.100.0/24,north\n198.51.100.0/24,west\n");
    file("unknown.csv", "198.51.100.0/24,nowhere\n");
    let base = format!("{}{}", region("north", "\"10.1.0.0/16\""), region("west", ""));
    let path = folder.path().join("cdn.toml");
    let config = |resolvers: &str| config(&path, &format!("{base}{resolvers}"));
    let good = config(
        "[[resolver]]\nfile = \"list.csv\"\n[[resolver]]\nprefixes = [\"192.0.2.0/24\", \"192.0.2.7\"]\n\
         region = \"north\"\n",
    );
    assert!(
        lastmile_gslb::check(&good).unwrap().to_string().ends_with(", 3 prefixes of resolvers")
    );
    for (client, region, why) in [
        ("10.1.0.1", "west", "of the file"),
        ("192.0.2.9", "north", "the zone file is over it"),
        ("10.1.0.2", "north", "in no list, but in the map"),
    ] {
        let (name, client) = ("www.cdn.test".to_owned(), client.to_owned());
        let question = Question { name, client, is_resolver: true, v6: false };
        assert_eq!(explain_files(&good, &question).unwrap().region, region, "{why}");
    }
    for (resolver, expected) in [
        ("file = \"twice.csv\"", "twice.csv:3: prefix: \"198.51.100.0/24\" already has another"),
        ("file = \"unknown.csv\"", "unknown.csv:1: region: \"nowhere\" is not a region; allowed:"),
        ("file = \"no.csv\"", "no.csv: cannot read"),
        ("file = \"list.csv\"\nregion = \"west\"", "resolver.file: \"list.csv\" goes without"),
        ("region = \"west\"", "resolver.region: \"west\" needs `prefixes`"),
        ("", "resolver: needs either `prefixes` and `region`, or `file`"),
        ("prefixes = [\"x\"]\nregion = \"west\"", "resolver.prefixes: \"x\" is not a prefix"),
        ("prefixes = [\"10.0.0.1\"]\nregion = \"wets\"", "resolver.region: \"wets\" is not a"),
        ("prefixes = [\"10.0.0.1\"]\nzone = 1", "unknown field `zone`"),
        (
            "prefixes = [\"10.0.0.1\"]\nregion = \"west\"\n[[resolver]]\nprefixes = [\"10.0.0.1\"]\n\
             region = \"north\"",
            "resolver.prefixes: \"10.0.0.1\" already has another region",
        ),
    ] {
        let error = lastmile_gslb::check(&config(&format!("[[resolver]]\n{resolver}\n")));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}
