//! `lastmile bench floor`.

use crate::misused;
use crate::process::{Started, fetch, lastmile};
use nix::sys::signal::Signal;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// A floor that serves, and where it is.
fn floor(io: &str) -> (Started, String) {
    let arguments = ["bench", "floor", "--serve", "--listen", "127.0.0.1:0", "--io", io];
    let (started, line) = Started::new(&[&arguments[..], &["--octets", "100"]].concat());
    let address = line.trim().strip_prefix("floor listens on ").unwrap().to_owned();
    (started, address)
}

#[test]
fn a_floor_answers_every_head_and_ends_when_told() {
    for io in ["monoio", "uring"] {
        let (floor, address) = floor(io);
        assert_eq!(
            fetch(&address, "/x"),
            (200, vec![b'.'; 100]),
            "{io}: a connection of one request"
        );
        let mut stream = TcpStream::connect(&address).unwrap();
        // Two heads and a half, then the other half of the last one.
        stream
            .write_all(b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n")
            .unwrap();
        stream.write_all(b"Connection: close\r\n\r\n").unwrap();
        let mut octets = String::new();
        stream.read_to_string(&mut octets).unwrap();
        assert_eq!(octets.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{io}: {octets}");
        assert_eq!(octets.matches("Connection: close\r\n").count(), 1, "{io}: {octets}");
        floor.signal(Signal::SIGTERM);
        assert!(floor.end().0.success(), "{io}");
    }
}

#[test]
fn a_floor_stands_every_kind_of_load() {
    for io in ["monoio", "uring"] {
        let (_floor, address) = floor(io);
        let url = format!("http://{address}/");
        for more in [
            &["--pipeline", "16"][..],
            &["--requests-per-connection", "1"],
            &["--requests-per-connection", "3", "--pipeline", "2"],
            &["--connections", "500", "--hold"],
        ] {
            let fixed = ["bench", "load", &url, "--duration", "150ms", "--json"];
            let output = lastmile(&[&fixed[..], more].concat()).output().unwrap();
            assert!(output.status.success(), "{io}, {more:?}: {output:?}");
            let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            let errors = report["errors"].as_object().unwrap();
            assert!(errors.values().all(|count| count == 0), "{io}, {more:?}: {report}");
            assert!(report["answered"].as_u64().unwrap() > 0, "{io}, {more:?}: {report}");
        }
    }
}

#[test]
fn a_measurement_has_figures_of_every_case() {
    let arguments = ["bench", "floor", "--rounds", "1", "--duration", "100ms", "--json"];
    let output = lastmile(&arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let named: Vec<_> = rows
        .iter()
        .map(|row| (row["case"].as_str().unwrap(), row["io"].as_str().unwrap()))
        .collect();
    assert_eq!(
        named,
        [
            ("64 connections", "monoio"),
            ("64 connections", "uring"),
            ("pipelined x16", "monoio"),
            ("pipelined x16", "uring"),
            ("a connection per request", "monoio"),
            ("a connection per request", "uring"),
        ]
    );
    for row in rows {
        assert_eq!(row["errors"], 0, "{row}");
        for figure in ["/cpu_us/median", "/requests_per_second", "/p50_us", "/p99_us"] {
            assert!(row.pointer(figure).unwrap().as_f64().unwrap() > 0.0, "{figure}: {row}");
        }
    }
}

#[test]
fn misuse_is_told() {
    let (_floor, address) = floor("uring");
    misused(&[
        (&["bench", "floor", "--io", "epoll"], "allowed: monoio, uring, both", "a way"),
        (&["bench", "floor", "--serve", "--io", "both"], "--io both and --serve", "two servers"),
        (&["bench", "floor", "--listen", "127.0.0.1:0"], "--serve", "an address for nothing"),
        (&["bench", "floor", "--rounds", "0"], "1..=1000", "no rounds"),
        (&["bench", "floor", "--octets", "9999999"], "allowed: 0 to 1048576", "too large"),
        (&["bench", "floor", "--serve", "--listen", &address], "in use", "taken"),
        (
            &["bench", "floor", "--serve", "--listen", "127.0.0.1:0", "--core", "99"],
            "core 99: ",
            "a core",
        ),
    ]);
}
