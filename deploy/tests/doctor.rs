//! `lastmile doctor` as the superuser and as nobody, with little and with a port that is taken.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

mod process;

use lastmile_tuning::netns::Namespace;
use process::{lastmile, scratch};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

const CHECKS: [&str; 17] = [
    "kernel",
    "io_uring",
    "bpf",
    "cgroup",
    "congestion",
    "namespaces",
    "tun",
    "real_time",
    "files",
    "locked_memory",
    "ports",
    "privileged_ports",
    "clock",
    "clock_source",
    "cores",
    "memory",
    "huge_pages",
];

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap_or_else(|e| panic!("{e}: {}", stdout(output)))
}

/// What is said about one check, or one role.
fn entry<'a>(report: &'a Value, list: &str, key: &str, name: &str) -> &'a Value {
    let entries = report[list].as_array().unwrap();
    entries.iter().find(|it| it[key] == name).unwrap_or_else(|| panic!("{name}: {report}"))
}

/// Whether this test program is the superuser, who may become anybody.
fn is_superuser() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    status.lines().any(|line| line.starts_with("Uid:") && line.contains("\t0\t"))
}

#[test]
fn whoever_asks_gets_every_check() {
    let output = lastmile(&["doctor"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let text = stdout(&output);
    for check in CHECKS {
        assert!(text.lines().any(|line| line.starts_with(check)), "{check}: {text}");
    }
    for role in ["edge", "origin", "gslb", "lab"] {
        assert!(text.lines().any(|line| line.starts_with(role)), "{role}: {text}");
    }
    let report = json(&lastmile(&["doctor", "--json"]).output().unwrap());
    let names: Vec<_> =
        report["checks"].as_array().unwrap().iter().map(|it| it["check"].clone()).collect();
    assert_eq!(names, CHECKS);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let found = &entry(&report, "checks", "check", "kernel")["found"];
    assert_eq!(found, &format!("Linux {}", kernel.trim()));
}

#[test]
fn nobody_can_run_everything_but_the_lab() {
    if !is_superuser() {
        eprintln!("skipped: only the superuser may become nobody");
        return;
    }
    // Where nobody may reach it.
    let directory = scratch();
    let program = directory.path().join("lastmile");
    // By another process: a file that this one writes cannot be executed while a child that another test has just
    // forked still has it open (ETXTBSY).
    let mut copy = Command::new("cp");
    let copied = copy.arg(env!("CARGO_BIN_EXE_lastmile")).arg(&program).status().unwrap();
    assert!(copied.success());
    for path in [directory.path(), &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]);
        command.arg(&program).args(arguments).current_dir("/").output()
    };
    let output = match as_nobody(&["doctor", "--json"]) {
        Err(error) => return eprintln!("skipped: setpriv(1) makes nobody: {error}"),
        Ok(output) => output,
    };
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report = json(&output);
    for (role, state) in [("edge", "degraded"), ("gslb", "degraded"), ("lab", "missing")] {
        assert_eq!(entry(&report, "roles", "role", role)["state"], state, "{report}");
    }
    for check in ["bpf", "namespaces", "tun", "real_time"] {
        let check = entry(&report, "checks", "check", check);
        let found = check["found"].as_str().unwrap();
        assert!(found.contains("refused") || found.contains("denied"), "{check}");
        assert!(!check["effects"].as_array().unwrap().is_empty(), "{check}");
    }
    let output = as_nobody(&["doctor", "--role", "edge,lab"]).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "lastmile: doctor: cannot run here: lab\n");
    assert!(stdout(&output).contains("no hosts to put on a link"), "{}", stdout(&output));
    assert!(!stdout(&output).contains("gslb"), "not asked for: {}", stdout(&output));
    let cores = as_nobody(&["tune", "cores", "--json"]).unwrap();
    assert_eq!(cores.status.code(), Some(0), "{}", stderr(&cores));
    assert!(json(&cores)["queues"].is_array());
}

#[test]
fn a_port_that_is_taken() {
    // Where nobody else takes it or lets it go meanwhile.
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(error) => return eprintln!("skipped: no network namespace: {error}"),
    };
    let doctor = || namespace.run(|| lastmile(&["doctor", "--json"]).output()).unwrap();
    let ports = |output: &Output| entry(&json(output), "checks", "check", "ports").clone();
    assert_eq!(ports(&doctor())["found"], "all default ports are free");
    let taken = namespace.run(|| TcpListener::bind("0.0.0.0:5353")).unwrap();
    let output = doctor();
    drop(taken);
    assert_eq!(output.status.code(), Some(0), "another port can be given");
    let check = ports(&output);
    assert_eq!(check["found"], "5353/tcp in use");
    assert_eq!(check["effects"][0]["role"], "gslb");
    assert!(check["effects"][0]["remedy"].as_str().unwrap().starts_with("--listen"), "{check}");
}

#[test]
fn too_few_descriptors() {
    let limited = |limit: &str, arguments: &str| {
        let program = env!("CARGO_BIN_EXE_lastmile");
        let script = format!("ulimit -n {limit} && exec {program} doctor {arguments}");
        Command::new("sh").args(["-c", &script]).output().unwrap()
    };
    let output = limited("32", "--role edge,origin");
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert_eq!(stderr(&output), "lastmile: doctor: cannot run here: edge, origin\n");
    let output = limited("1024", "--role edge");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("at most 682 connections instead of 10,000"));
}

#[test]
fn the_disk_of_a_directory() {
    let directory = scratch();
    let path = directory.path().to_str().unwrap();
    let output = lastmile(&["doctor", "--json", "--dir", path]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report = json(&output);
    let found = entry(&report, "checks", "check", "disk")["found"].clone();
    assert!(found.as_str().unwrap().starts_with("written "), "{found}");
    assert_eq!(fs::read_dir(path).unwrap().count(), 0, "nothing is left");
    let output = lastmile(&["doctor", "--dir", &format!("{path}/none")]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.starts_with("lastmile: --dir: ") && said.lines().count() == 1, "{said}");
    assert_eq!(stdout(&output), "", "nothing half done");
}

#[test]
fn a_role_that_is_none() {
    let output = lastmile(&["doctor", "--role", "proxy"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("proxy") && said.contains("edge, origin, gslb, lab"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
