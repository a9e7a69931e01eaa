//! `lastmile bench load`.

use crate::misused;
use crate::process::{Started, lastmile, scratch};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

/// An origin of synthetic objects, and where it is.
fn origin() -> (Started, String) {
    let (started, line) = Started::new(&["origin", "--listen", "127.0.0.1:0", "--synthetic"]);
    let address = line.trim().strip_prefix("origin listens on ").unwrap().to_owned();
    (started, address)
}

/// A short load, as JSON.
fn load(url: &str, more: &[&str]) -> Value {
    let fixed = ["bench", "load", url, "--connections", "4", "--duration", "150ms", "--json"];
    let output = lastmile(&[&fixed[..], more].concat()).output().unwrap();
    assert!(output.status.success(), "{more:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(report: &Value, path: &str) -> f64 {
    report.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {report}"))
}

#[test]
fn the_origin_answers_every_kind_of_load_with_the_right_octets() {
    let (_origin, address) = origin();
    let url = |target: &str| format!("http://{address}{target}");
    let paths = scratch();
    let file = paths.path().join("paths");
    std::fs::write(&file, "# targets\n/bytes/10/a\n\n/bytes/20KB/b?chunked=1\n").unwrap();
    let file = file.to_str().unwrap();
    for (url, more, why) in [
        (url("/bytes/1KB/x"), &[][..], "one object"),
        (url("/bytes/1KB/x?chunked=1&chunk=100"), &[], "in chunks"),
        (url("/bytes/1KB/x?close-delimited=1"), &[], "until the close"),
        (url("/bytes/300KB/x"), &[], "a large one"),
        (url("/bytes/1KB"), &["--unique"], "another object each time"),
        (url("/bytes/1KB"), &["--unique", "--pipeline", "8"], "several at once"),
        (url("/bytes/1KB"), &["--requests-per-connection", "1"], "a connection per request"),
        (url("/bytes/1KB"), &["--rate", "500"], "an open loop"),
        (
            url("/bytes/1KB"),
            &["--rate", "500", "--pipeline", "4", "--warmup", "50ms"],
            "the same, pipelined",
        ),
        (url("/bytes/1KB"), &["--think", "5ms"], "a pause between"),
        (url("/bytes/100KB"), &["--read-rate", "10MB"], "slow readers"),
        (url(""), &["--zipf", "0.9", "--objects", "100", "--sizes", "1KB:3,70KB:1"], "a Zipf mix"),
        (url("/"), &["--paths", file], "a list"),
    ] {
        let report = load(&url, &[&["--check"], more].concat());
        let errors = report["errors"].as_object().unwrap();
        assert!(errors.values().all(|count| count == 0), "{why}: {report}");
        assert!(number(&report, "/requests") > 0.0, "{why}: {report}");
        assert!(number(&report, "/latency/p50_us") > 0.0, "{why}: {report}");
        let (first, last) =
            (number(&report, "/first_octet/mean_us"), number(&report, "/latency/mean_us"));
        assert!(first <= last, "{why}: {report}");
    }
}

#[test]
fn wrong_contents_fail_the_command() {
    let folder = scratch();
    std::fs::create_dir(folder.path().join("bytes")).unwrap();
    std::fs::write(folder.path().join("bytes/10"), "0123456789").unwrap();
    let folder = folder.path().to_str().unwrap();
    let (_origin, line) = Started::new(&["origin", "--listen", "127.0.0.1:0", "--dir", folder]);
    let address = line.trim().strip_prefix("origin listens on ").unwrap();
    let url = format!("http://{address}/bytes/10");
    let output =
        lastmile(&["bench", "load", &url, "--duration", "100ms", "--check"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("responses had a wrong content"), "{said}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("errors       wrong content "), "{table}");
}

#[test]
fn a_page_has_plots() {
    let (_origin, address) = origin();
    let folder = scratch();
    let page = folder.path().join("load.html");
    load(&format!("http://{address}/bytes/1KB"), &["--html", page.to_str().unwrap()]);
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("<svg").count(), 3, "{page}");
    assert!(page.contains(&format!("<h1>Load on {address}</h1>")), "{page}");
}

#[test]
fn a_load_that_is_told_to_end_says_what_it_came_to() {
    let (_origin, address) = origin();
    let url = format!("http://{address}/bytes/1KB");
    let mut child = lastmile(&["bench", "load", &url, "--duration", "1h", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first line about how it goes comes after a second.
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains(" responses/s, "), "{line}");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(number(&report, "/requests") > 0.0, "{report}");
    assert_eq!(report["warnings"][0], "stopped before the end");
}

#[test]
fn nobody_there_is_a_failure() {
    let output = lastmile(&["bench", "load", "http://127.0.0.1:1/"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("lastmile: bench: no connection to 127.0.0.1:1: "), "{said}");
}

#[test]
fn misuse_is_told() {
    let url = "http://127.0.0.1:1/";
    misused(&[
        (&["bench", "load"], "<URL>", "nowhere"),
        (&["bench", "load", "http://localhost/"], "is no place; allowed: http://IP:PORT", "a name"),
        (&["bench", "load", url, "--connections", "20001"], "allowed: 1 to 20000", "too many"),
        (&["bench", "load", url, "--pipeline", "0"], "allowed: 1 to 256", "none at once"),
        (&["bench", "load", url, "--rate", "0"], "0 requests/s; allowed:", "no rate"),
        (&["bench", "load", url, "--unique", "--zipf", "1"], "cannot be used with", "two kinds"),
        (&["bench", "load", url, "--hold", "--rate", "5"], "cannot be used with", "held at a rate"),
        (&["bench", "load", url, "--objects", "5"], "--zipf", "objects of no mix"),
        (
            &["bench", "load", url, "--zipf", "1", "--sizes", "big"],
            "\"big\" is no mix of sizes",
            "a mix",
        ),
        (
            &["bench", "load", "http://127.0.0.1:1/a", "--zipf", "1"],
            "a target \"/a\" and --zipf",
            "both",
        ),
        (&["bench", "load", url, "--paths", "/no/such/file"], "/no/such/file: ", "a list"),
        (&["bench", "load", url, "--paths", "/dev/null"], "0 targets; allowed: 1", "an empty one"),
        (&["bench", "load", url, "--html", "/no/such/dir/x"], "/no/such/dir/x: ", "a page"),
        (&["bench", "load", url, "--field", "x"], "\"x\" is not a field", "a field"),
        (&["bench", "load", url, "--cores", "99"], "core 99", "a core that is not there"),
    ]);
}
