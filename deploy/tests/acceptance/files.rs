//! Files by name through the whole CDN: the name is asked of the GSLB, the file of the edge that it names.

use crate::client::{Client, Ended};
use crate::process::{Started, scratch};
use crate::world::{curl, run, synthetic};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Files of the made-up tree, besides the few with odd names.
const FILES: usize = 490;

/// Directories and names that people really use, and that a path in a URL must spell otherwise.
const ODD: [&str; 10] = [
    "with space.txt",
    "100%.txt",
    "a%20b.txt",
    "größe.txt",
    "日本語/文.html",
    "plus+and&amp.txt",
    "semi;colon.txt",
    "quote'and\"quote.txt",
    "[brackets].txt",
    "sub dir/deeper/index.html",
];

struct File {
    target: String,
    content: Vec<u8>,
}

/// Writes the tree; sizes are mostly small, some large, as on real sites.
fn plant(root: &Path) -> Vec<File> {
    let names = (0..FILES).map(|number| format!("d{}/e{}/f{number}.bin", number % 7, number % 3));
    let mut files = Vec::new();
    for (number, name) in ODD.iter().map(|name| (*name).to_owned()).chain(names).enumerate() {
        let octets = match number % 50 {
            0 => 0,
            1 => 1,
            2 => 300_000 + number,
            3 if number % 250 == 3 => 3_000_000,
            _ => number * 37 % 20_000,
        };
        let content = synthetic(&name, octets);
        let path = root.join(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &content).unwrap();
        files.push(File { target: encode(&name), content });
    }
    // A directory is its index.html.
    let index = files.iter().find(|file| file.target.ends_with("index.html")).unwrap();
    let directory = index.target.strip_suffix("index.html").unwrap().to_owned();
    let content = index.content.clone();
    files.push(File { target: directory, content });
    files
}

fn encode(name: &str) -> String {
    let encode = |octet: u8| match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(octet).to_string()
        }
        _ => format!("%{octet:02X}"),
    };
    format!("/{}", name.bytes().map(encode).collect::<String>())
}

/// The edge that the GSLB names to a client of `subnet`.
fn steered<'a>(up: &'a Value, subnet: &Value) -> &'a str {
    let (server, port) = up["gslb"].as_str().unwrap().split_once(':').unwrap();
    let (server, customer) = (format!("@{server}"), up["customer"].as_str().unwrap());
    let subnet = format!("+subnet={}", subnet.as_str().unwrap());
    let arguments = [&server, "-p", port, customer, "+short", &subnet];
    let output = run("dig", "bind9-dnsutils", &arguments).stdout;
    let answer = String::from_utf8(output).unwrap();
    let address = format!("{}:", answer.lines().last().unwrap());
    let edges = up["edges"].as_array().unwrap().iter().map(|edge| edge.as_str().unwrap());
    edges.into_iter().find(|edge| edge.starts_with(&address)).unwrap()
}

/// First a miss, then a hit in the edge; what one edge has fetched, the other gets from the parent.
#[test]
fn every_file_is_the_file_on_disk_wherever_it_comes_from() {
    let folder = scratch();
    let files = plant(folder.path());
    let dir = folder.path().to_str().unwrap();
    let (_started, line) = Started::new(&["up", "--port-base", "0", "--json", "--dir", dir]);
    let up: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
    let edges = [steered(&up, &up["subnets"][0]), steered(&up, &up["subnets"][1])];
    assert_ne!(edges[0], edges[1], "two client subnets, two edges");
    let mut clients = edges.map(Client::connect);
    for (number, file) in files.iter().enumerate() {
        // Either edge comes first for half of the files.
        let (first, other) = (number % 2, 1 - number % 2);
        let expected = [
            (first, format!("edge-{}; fwd=uri-miss", first + 1), "parent; fwd=uri-miss"),
            (first, format!("edge-{}; hit", first + 1), ""),
            (other, format!("edge-{}; fwd=uri-miss", other + 1), "parent; hit"),
            (other, format!("edge-{}; hit", other + 1), ""),
        ];
        for (edge, here, above) in expected {
            let response = clients[edge].get(&file.target);
            let told = response.cache_status();
            assert_eq!((response.status, response.ended), (200, Ended::Whole), "{}", file.target);
            assert!(response.content == file.content, "{}: other octets", file.target);
            assert!(told.contains(&here) && told.contains(above), "{}: {told}", file.target);
        }
    }
}

/// The command of the README: dig, then curl to that address with the customer's Host.
#[test]
fn curl_gets_the_file_that_is_on_disk() {
    let folder = scratch();
    let files = plant(folder.path());
    let dir = folder.path().to_str().unwrap();
    let (_started, line) = Started::new(&["up", "--port-base", "0", "--json", "--dir", dir]);
    let up: Value = serde_json::from_str(&line).unwrap();
    let edge = steered(&up, &up["subnets"][1]);
    for file in files.iter().take(5) {
        for expected in ["edge-2; fwd=uri-miss", "edge-2; hit"] {
            let url = format!("http://{edge}{}", file.target);
            let host = "Host: www.customer.test";
            let arguments = ["-sS", "-D", "/dev/stderr", "-H", host, &url];
            let output = run("curl", "curl", &arguments);
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(output.stdout == file.content, "{url}: other octets");
            assert!(told.contains(expected), "{url}: {told}");
        }
    }
    let (status, _) = curl(&["-f", "-o", "/dev/null", &format!("http://{edge}/no/such/file")]);
    assert_eq!(status, 22, "a file that is not there is an error to curl -f");
}
