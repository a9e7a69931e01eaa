//! `lastmile bench compare` from one end to the other.

use crate::misused;
use crate::process::{lastmile, scratch};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

#[test]
fn a_comparison_has_figures_of_every_peer() {
    let folder = scratch();
    let page = folder.path().join("compare.html");
    let output = lastmile(&["bench", "compare", "--rounds", "1", "--seconds", "1", "--json"])
        .args(["--case", "1k-hit", "--case", "1k-miss", "--case", "flash-crowd"])
        .args(["--peer", "nginx", "--peer", "nginx-static", "--peer", "floor-monoio", "--html"])
        .arg(&page)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let cells = report["cells"].as_array().unwrap();
    let named: Vec<_> =
        cells.iter().map(|c| (c["case"].as_str().unwrap(), c["peer"].as_str().unwrap())).collect();
    assert_eq!(
        named,
        [
            ("1k-hit", "lastmile"),
            ("1k-hit", "nginx"),
            ("1k-hit", "nginx-static"),
            ("1k-hit", "floor-monoio"),
            ("1k-miss", "lastmile"),
            ("1k-miss", "nginx"),
            ("flash-crowd", "lastmile"),
            ("flash-crowd", "nginx"),
        ]
    );
    for cell in &cells[..6] {
        let figures = &cell["figures"];
        assert!(figures["ratio"].as_f64().unwrap() > 0.0, "{cell}");
        for figure in ["cpu_us", "requests_per_second", "p50_us", "p99_us"] {
            assert!(figures[figure]["median"].as_f64().unwrap() > 0.0, "{figure}: {cell}");
        }
    }
    let crowd = &cells[6]["figures"];
    assert_eq!(crowd["fetches"]["median"], 1.0, "the origin is asked once: {crowd}");
    assert_eq!(crowd["errors"]["median"], 0.0, "{crowd}");
    let goals = report["goals"].as_array().unwrap();
    let is_told = |goal: &serde_json::Value| {
        goal["case"] == "1k-hit" && goal["found"].is_f64() && goal["reached"].is_boolean()
    };
    assert!(goals.iter().any(is_told), "{goals:?}");
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("<rect").count(), 8, "{page}");
}

#[test]
fn memory_is_measured() {
    let output = lastmile(&["bench", "compare", "--rounds", "1", "--json", "--peer", "nginx"])
        .args(["--case", "10000-idle"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for cell in report["cells"].as_array().unwrap() {
        let each = cell["figures"]["connection_octets"]["median"].as_f64().unwrap();
        // nginx gives back what it had for requests; it has some 200 octets for a connection and its socket.
        assert!((100.0..100_000.0).contains(&each), "{cell}");
    }
}

#[test]
fn a_comparison_that_is_told_to_end_leaves_nothing_running() {
    let mut child = lastmile(&["bench", "compare", "--case", "1k-hit", "--seconds", "1"])
        .args(["--rounds", "1000", "--peer", "nginx", "--peer", "floor-uring"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    // All servers run once the last one has had its turn, which is the first to have another.
    let second = stderr.find(|line| line.contains(" round 2 "));
    assert!(second.is_some(), "it ended by itself");
    let started = descendants(child.id());
    assert!(started.len() >= 5, "an origin, three servers, a worker: {started:?}");
    kill(pid, Signal::SIGTERM).unwrap();
    let said: Vec<_> = stderr.collect();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said:?}");
    assert!(said.iter().any(|line| line.contains("stopped before the end")), "{said:?}");
    for (process, name) in started {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        assert!(!stat.contains(&format!("({name})")), "{name} still runs: {stat}");
    }
}

#[test]
fn misuse_is_told_before_anything_starts() {
    misused(&[
        (&["bench", "compare", "--case", "2k"], "\"2k\" is not a case; allowed: 1k-hit", "a case"),
        (&["bench", "compare", "--peer", "iis"], "\"iis\" is not a peer; allowed:", "a peer"),
        (&["bench", "compare", "--rounds", "0"], "1..=1000", "no rounds"),
        (&["bench", "compare", "--quick", "--rounds", "3"], "cannot be used with", "both"),
        (&["bench", "compare", "--load", "ab"], "allowed: own, wrk", "another load"),
        (
            &["bench", "compare", "--load", "wrk", "--case", "flash-crowd"],
            "wrk can't do flash-crowd",
            "what wrk can't do",
        ),
        (&["bench", "compare", "--html", "/no/such/dir/x"], "/no/such/dir/x: ", "a page"),
    ]);
}

#[test]
fn a_program_that_is_missing_is_told_with_its_package() {
    for (arguments, missing) in [
        (["--load", "wrk"], "wrk is not installed: apt-get install wrk"),
        (["--peer", "h2o"], "h2o is not installed: apt-get install h2o"),
    ] {
        let mut command = lastmile(&["bench", "compare", "--case", "1k-hit"]);
        let output = command.args(arguments).env("PATH", "").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert_eq!(said, format!("lastmile: bench: {missing}\n"));
    }
}

/// Number and name of the processes below `ancestor`.
fn descendants(ancestor: u32) -> Vec<(u32, String)> {
    let all: Vec<(u32, u32, String)> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok())
        .filter_map(|stat| {
            let (number, rest) = stat.split_once(" (")?;
            let (name, rest) = rest.rsplit_once(") ")?;
            let parent = rest.split(' ').nth(1)?;
            Some((number.parse().ok()?, parent.parse().ok()?, name.to_owned()))
        })
        .collect();
    let mut found = Vec::new();
    let mut parents = vec![ancestor];
    while let Some(parent) = parents.pop() {
        for (number, _, name) in all.iter().filter(|(_, of, _)| *of == parent) {
            parents.push(*number);
            found.push((*number, name.clone()));
        }
    }
    found
}
