//! What a running GSLB shows: metrics by region and edge, a line for each query, who its clients are taken to be.

use crate::process::{Started, fetch, lastmile, scratch};
use crate::world::run;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

#[test]
fn metrics_and_the_log_tell_of_each_answer() {
    let folder = scratch();
    let (zone, log) = (folder.path().join("cdn.toml"), folder.path().join("queries.jsonl"));
    let resolver = "[[resolver]]\nprefixes = [\"127.0.0.0/8\"]\nregion = \"south\"\n";
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../gslb/examples/cdn.toml");
    let text = format!("{}{resolver}", std::fs::read_to_string(example).unwrap());
    std::fs::write(&zone, &text).unwrap();
    let [zone, log] = [&zone, &log].map(|path| path.to_str().unwrap());
    let (gslb, line) = Started::new(
        &[
            &["gslb", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--zone", zone][..],
            &["--log", log, "--log-sample", "1"],
        ]
        .concat(),
    );
    let words: Vec<_> = line.trim().split([' ', ',']).collect();
    let address = words.iter().position(|word| *word == "on").map(|at| words[at + 1]).unwrap();
    let (admin, port) = (words.last().unwrap(), address.rsplit(':').next().unwrap());
    let ask = |more: &[&str]| {
        let fixed = ["@127.0.0.1", "-p", port, "+tries=1", "+time=10", "www.customer.test"];
        assert!(run("dig", "bind9-dnsutils", &[&fixed, more].concat()).status.success());
    };
    let metrics = || String::from_utf8(fetch(admin, "/metrics").1).unwrap();
    ask(&["+subnet=10.1.0.0/16"]);
    ask(&["+subnet=10.2.0.0/16", "+tcp"]);
    ask(&["+subnet=172.16.0.0/12"]);
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.write_all(b"POST /reload HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 ") && answer.contains("1 prefixes of resolvers"), "{answer}");
    ask(&[]);
    let shown = metrics();
    for line in [
        "# TYPE lastmile_gslb_region_answers_total counter",
        "lastmile_gslb_region_answers_total{role=\"gslb\",region=\"north\",reason=\"mapped\"} 1",
        "lastmile_gslb_region_answers_total{role=\"gslb\",region=\"north\",reason=\"default\"} 1",
        "lastmile_gslb_region_answers_total{role=\"gslb\",region=\"south\",reason=\"mapped\"} 1",
        "lastmile_gslb_region_answers_total{role=\"gslb\",region=\"south\",reason=\"listed\"} 1",
        "lastmile_gslb_edge_answers_total{role=\"gslb\",edge=\"edge-1\"} 2",
        "lastmile_gslb_edge_answers_total{role=\"gslb\",edge=\"edge-2\"} 2",
        "lastmile_gslb_edge_up{role=\"gslb\",edge=\"edge-1\"} 1",
        "lastmile_gslb_edge_changes_total{role=\"gslb\",edge=\"edge-2\"} 0",
        "lastmile_gslb_log_dropped_total{role=\"gslb\"} 0",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in {shown}");
    }
    let why = fetch(admin, "/why?name=www.customer.test&resolver=127.0.0.1");
    let why = String::from_utf8(why.1).unwrap();
    assert!(why.contains("south, by the list of resolvers"), "{why}");
    gslb.signal(Signal::SIGTERM);
    assert!(gslb.end().0.success());
    let lines = std::fs::read_to_string(log).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap());
    let told = lines.map(|line: Value| {
        let text = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("subnet"), text("reason"), text("edge"))
    });
    let mut told: Vec<_> = told.collect();
    told.sort();
    let expected = [
        "- listed edge-2",
        "10.1.0.0/16 mapped edge-1",
        "10.2.0.0/16 mapped edge-2",
        "172.16.0.0/12 default edge-1",
    ];
    assert_eq!(told, expected);
    let new = folder.path().join("new.toml");
    std::fs::write(&new, text.replace("10.2.0.0/16", "10.3.0.0/16")).unwrap();
    let new = new.to_str().unwrap();
    let output = lastmile(&["gslb", "diff", zone, new, "--clients", log]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("clients: 25.0000 % would move\n"), "{text}");
}
