//! `lastmile up` and single roles as processes: started, asked, ended.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

mod process;

use nix::sys::signal::Signal;
use process::{Started, fetch, scratch};
use serde_json::Value;
use std::collections::HashMap;
use std::process::Command;

fn up(more: &[&str]) -> (Started, Value) {
    let arguments = [&["up", "--port-base", "0", "--json", "--ram", "16MiB"], more].concat();
    let (started, line) = Started::new(&arguments);
    let description = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
    (started, description)
}

fn text(content: Vec<u8>) -> String {
    String::from_utf8(content).unwrap()
}

/// The values of a Prometheus text, after a look at its form.
fn metrics(text: &str) -> HashMap<String, f64> {
    let mut described = HashMap::new();
    let mut values = HashMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let (what, rest) = rest.split_once(' ').unwrap();
            let name = rest.split(' ').next().unwrap();
            assert!(["HELP", "TYPE"].contains(&what), "{line}");
            *described.entry((what.to_owned(), name.to_owned())).or_insert(0) += 1;
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        assert!(described.contains_key(&("TYPE".to_owned(), name.to_owned())), "{line}");
        assert!(described.contains_key(&("HELP".to_owned(), name.to_owned())), "{line}");
        assert!(values.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{line}");
    }
    assert!(described.values().all(|count| *count == 1), "described once: {described:?}");
    values
}

/// The address that `dig` gets for the customer's name with one of the subnets that `up` tells.
fn steer(up: &Value, client: usize) -> String {
    let (server, port) = up["gslb"].as_str().unwrap().split_once(':').unwrap();
    let output = Command::new("dig")
        .args([&format!("@{server}"), "-p", port, up["customer"].as_str().unwrap(), "+short"])
        .arg(format!("+subnet={}", up["subnets"][client].as_str().unwrap()))
        .output()
        .expect("dig is installed (Debian package bind9-dnsutils)");
    text(output.stdout).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn everything_answers_and_term_ends_it() {
    let (started, up) = up(&[]);
    let admin = up["admin"].as_str().unwrap();
    assert_eq!(fetch(admin, "/healthz"), (200, b"ok\n".to_vec()));
    assert_eq!(fetch(admin, "/nothing").0, 404);
    let edges = up["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 2);
    assert!(edges[1].as_str().unwrap().starts_with("127.0.0.2:"), "{edges:?}");
    let origin = up["origin"].as_str().unwrap();
    for path in ["/", "/caching.html", "/style.css", "/img/regions.png", "/film.gif"] {
        let (status, original) = fetch(origin, path);
        assert_eq!(status, 200, "{path}");
        for edge in edges {
            let copy = fetch(edge.as_str().unwrap(), path);
            assert!(copy == (200, original.clone()), "{path} through {edge}: {}", copy.0);
        }
    }
    let steered: Vec<_> = (0..2).map(|client| steer(&up, client)).collect();
    assert_eq!(steered, ["127.0.0.1", "127.0.0.2"], "two client subnets, two edges");
    let (status, content) = fetch(admin, "/metrics");
    assert_eq!(status, 200);
    let values = metrics(&text(content));
    for role in ["edge-1", "edge-2", "parent", "origin", "gslb"] {
        let label = format!("{{role=\"{role}\"}}");
        assert!(values.keys().any(|series| series.ends_with(&label)), "{role}: {values:?}");
    }
    let stats: Value = serde_json::from_slice(&fetch(admin, "/stats.json").1).unwrap();
    assert_eq!(stats["roles"].as_array().unwrap().len(), 5, "{stats}");
    started.signal(Signal::SIGTERM);
    let (status, rest) = started.end();
    assert_eq!((status.code(), rest.as_str()), (Some(0), ""));
}

#[test]
fn it_ends_by_itself_and_serves_a_directory() {
    let folder = scratch();
    std::fs::write(folder.path().join("a.txt"), "hello").unwrap();
    let (started, up) =
        up(&["--dir", folder.path().to_str().unwrap(), "--edges", "3", "--for", "2s"]);
    assert_eq!(up["edges"].as_array().unwrap().len(), 3);
    let edge = up["edges"][2].as_str().unwrap();
    assert_eq!(fetch(edge, "/a.txt"), (200, b"hello".to_vec()));
    assert_eq!(started.end().0.code(), Some(0));
    assert!(folder.path().join("a.txt").exists(), "a user's own directory stays");
}

#[test]
fn the_table_has_commands_to_try() {
    let (started, first) = Started::new(&["up", "--port-base", "0", "--for", "1s"]);
    assert_eq!(first, "lastmile is up and serves the shipped site.\n");
    let (status, rest) = started.end();
    assert_eq!(status.code(), Some(0));
    for word in
        ["origin ", "parent ", "edge-1 ", "edge-2 ", "gslb ", "admin ", "curl ", "wrk ", "+subnet="]
    {
        assert!(rest.contains(word), "{word}: {rest}");
    }
    assert_eq!(rest.matches("dig @127.0.0.1").count(), 2, "{rest}");
}

#[test]
fn one_role_alone_with_a_file_and_a_flag_over_it() {
    let folder = scratch();
    let file = folder.path().join("lastmile.toml");
    std::fs::write(&file, "[origin]\nsynthetic = true\nlisten = \"127.0.0.3:0\"\nfor = \"1h\"\n")
        .unwrap();
    let path = file.to_str().unwrap();
    let table: &[(&[&str], &str, &str)] = &[
        (&[], "127.0.0.3", "the file's"),
        (&["--listen", "127.0.0.4:0"], "127.0.0.4", "the flag wins"),
    ];
    for (flags, host, why) in table {
        let (started, line) = Started::new(&[&["origin", "--config", path], *flags].concat());
        let address = line.trim().strip_prefix("origin listens on ").unwrap();
        assert!(address.starts_with(host), "{why}: {line}");
        assert_eq!(fetch(address, "/bytes/1000").1.len(), 1000);
        started.signal(Signal::SIGINT);
        assert_eq!(started.end().0.code(), Some(0), "{why}");
    }
}
