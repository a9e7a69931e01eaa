//! `lastmile tune` as a process: without privilege, with nonsense, and ended by SIGKILL between steps.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

#[allow(dead_code, reason = "each test program uses its part")]
mod process;

use lastmile_tuning::netns::Namespace;
use lastmile_tuning::route::Route;
use process::{lastmile, scratch};
use std::fs::Permissions;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// Whoever owns nothing.
const NOBODY: u32 = 65_534;

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_str(&stdout(output)).unwrap()
}

/// A namespace that lives as long as this, and the path by which another process enters it.
struct World {
    path: String,
    /// The thread in it ends when this does.
    _end: Sender<()>,
}

fn world() -> Option<World> {
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            eprintln!("skipped: a network namespace takes CAP_SYS_ADMIN");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let (tell, path) = channel();
    let (end, ended) = channel::<()>();
    namespace
        .spawn("inside", move || {
            let thread = std::fs::read_link("/proc/thread-self").unwrap();
            tell.send(format!("/proc/{}/ns/net", thread.display())).unwrap();
            let _ = ended.recv();
        })
        .unwrap();
    Some(World { path: path.recv().unwrap(), _end: end })
}

#[test]
fn somebody_without_privilege_gets_all_of_an_audit() {
    let folder = scratch();
    let copy = folder.path().join("lastmile");
    // By another process: one that is forked here meanwhile would have the file open for writing ("text file busy").
    let status =
        Command::new("cp").arg(env!("CARGO_BIN_EXE_lastmile")).arg(&copy).status().unwrap();
    assert!(status.success());
    for path in [folder.path(), &copy] {
        std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&copy);
        command.args(arguments).current_dir("/");
        match command.uid(NOBODY).gid(NOBODY).output() {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
            output => Some(output.unwrap()),
        }
    };
    let Some(output) = run(&["tune", "audit", "--json"]) else {
        eprintln!("skipped: becoming nobody takes root");
        return;
    };
    assert!(output.status.success(), "{}", stderr(&output));
    let rows = |output: &Output| json(output)["rows"].as_array().unwrap().clone();
    let (theirs, ours) =
        (rows(&output), rows(&lastmile(&["tune", "audit", "--json"]).output().unwrap()));
    assert_eq!(theirs.len(), ours.len(), "a row for each place");
    for (row, our) in theirs.iter().zip(&ours) {
        assert_eq!(row["knob"], our["knob"]);
        assert_eq!(row["instance"], our["instance"]);
        let states =
            ["ok", "differs", "absent", "denied", "per socket", "per connection", "by hand"];
        assert!(states.contains(&row["state"].as_str().unwrap()), "{row}");
    }
    assert_eq!(output.stdout, run(&["tune", "audit", "--json"]).unwrap().stdout, "the same again");
    let table = stdout(&run(&["tune", "audit"]).unwrap());
    assert!(table.contains("net.ipv4.tcp_slow_start_after_idle"), "{table}");

    // Nothing can be set, which is said and is an error; no journal is asked for.
    let output = run(&["tune", "apply", "--profile", "edge"]).unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(
        stdout(&output).contains("denied: writing it takes CAP_NET_ADMIN"),
        "{}",
        stdout(&output)
    );
    assert!(stderr(&output).contains(" wanted values were denied"), "{}", stderr(&output));
}

#[test]
fn nonsense_is_refused_with_what_is_allowed() {
    let folder = scratch();
    let profile = folder.path().join("my.toml");
    std::fs::write(&profile, "about = \"mine\"\nnet.ipv4.tcp_synack_retries = 256\n").unwrap();
    let profile = profile.to_str().unwrap();
    let in_profile = format!(
        "{profile}:2: net.ipv4.tcp_synack_retries: \"256\" is not allowed; allowed: 0 to 255"
    );
    let table: &[(&[&str], &str)] = &[
        (&["plan", "--profile", profile], &in_profile),
        (&["apply", "--profile", profile], &in_profile),
        (
            &["apply", "--tcp-policy", profile, "--knob", "vm.swappiness"],
            "--knob vm.swappiness: nothing that a route says; allowed: route.own, route.initcwnd",
        ),
        (&["plan", "--tcp-policy", profile], ":1: about: unknown table; allowed: [[policy]]"),
        (&["apply"], "--profile"),
        (&["plan", "--profile", "none-such"], "allowed: edge, edge-lossy, parent, origin, gslb"),
        (&["audit", "--knob", "tcp_rmem"], "\"tcp_rmem\" is no knob; allowed: net.ipv4.tcp_rmem"),
        (&["explain", "net.ipv4.tcp_rmen"], "\"net.ipv4.tcp_rmen\" is no knob; allowed: "),
        (&["audit", "--route", "192.0.2.0/33"], "is no prefix; allowed: 192.0.2.0/24"),
        (&["audit", "--netns", "/no/such"], "--netns /no/such: No such file"),
        (&["audit", "--pid", "0"], "--pid 0: "),
        (&["watch", "--every", "1ms"], "too often; allowed: 100ms and more"),
        (&["verify", "--journal", profile], "no journal: "),
        (&["revert", "--forget", "--force"], "'--forget' cannot be used with '--force'"),
        (&["verify", "--journal", "/no/such"], "nothing was applied; give --profile"),
        (&[], "a command is missing; allowed: audit, plan, apply"),
    ];
    for (arguments, message) in table {
        let output = lastmile(&[&["tune"], *arguments].concat()).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(message), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: one line: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn what_is_applied_is_verified_and_taken_back() {
    let Some(world) = world() else { return };
    let folder = scratch();
    let journal = folder.path().join("tune.json");
    let tune = |arguments: &[&str]| {
        let place = ["--netns", &world.path];
        let journal = ["--journal", journal.to_str().unwrap()];
        let journal: &[&str] =
            if ["audit", "plan"].contains(&arguments[0]) { &[] } else { &journal };
        lastmile(&[&["tune"], arguments, &place, journal].concat()).output().unwrap()
    };
    let audit = || stdout(&tune(&["audit", "--json"]));
    let before = audit();
    let plan = json(&tune(&["plan", "--json"]));
    let output = tune(&["apply", "--profile", "edge"]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    let set = stdout(&output).lines().filter(|line| line.starts_with("set ")).count();
    assert_eq!(set, plan["steps"].as_array().unwrap().len());
    assert!(set > 5, "{}", stdout(&output));
    assert_ne!(audit(), before);
    let output = tune(&["verify"]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    let output =
        lastmile(&["tune", "revert", "--journal", journal.to_str().unwrap()]).output().unwrap();
    assert!(stderr(&output).contains("the journal of another network namespace"), "{output:?}");
    let output = tune(&["revert"]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    assert_eq!(audit(), before);
    let output = tune(&["verify", "--profile", "edge"]);
    assert_eq!(output.status.code(), Some(1), "not any more: {}", stdout(&output));
    assert!(stdout(&tune(&["revert"])).contains("nothing to take back"));
}

#[test]
fn apply_and_verify_agree() {
    let Some(world) = world() else { return };
    let folder = scratch();
    let (journal, file) = (folder.path().join("tune.json"), folder.path().join("my.toml"));
    let (journal, file) = (journal.to_str().unwrap(), file.to_str().unwrap());
    let tune = |arguments: &[&str]| {
        let place = ["--netns", &world.path, "--journal", journal];
        lastmile(&[&["tune"], arguments, &place].concat()).output().unwrap()
    };
    for (profile, set, told, why) in [
        ("net.ipv4.tcp_retries2 = 15\n", 0, "1 as wanted", "in force before"),
        (
            "net.ipv4.tcp_retries2 = 9\nnet.ipv4.tcp_congestion_control = \"no-such\"\n",
            1,
            "net.ipv4.tcp_congestion_control = no-such: not taken: ",
            "no such module",
        ),
        ("net.ipv4.tcp_retries2 = 9\nvm.swappiness = 1\n", 0, "1 as wanted", "of the namespace"),
        ("vm.swappiness = 1\n", 0, "0 as wanted, 0 differ, 0 that", "nothing of it"),
    ] {
        std::fs::write(file, profile).unwrap();
        if why == "nothing of it" {
            assert!(tune(&["revert"]).status.success() && !Path::new(journal).exists());
        }
        let output = tune(&["apply", "--profile", file]);
        assert!(output.status.success(), "{why}: {}{}", stdout(&output), stderr(&output));
        let lines = stdout(&output).lines().filter(|line| line.starts_with("set ")).count();
        assert_eq!(lines, set, "{why}: {}", stdout(&output));
        for arguments in [&["verify"][..], &["verify", "--profile", file]] {
            let output = tune(arguments);
            assert!(output.status.success(), "{why}: {}{}", stdout(&output), stderr(&output));
            assert!(stdout(&output).contains(told), "{why}: {}", stdout(&output));
        }
    }
    assert!(tune(&["revert"]).status.success());
    std::fs::write(file, "net.ipv4.tcp_retries2 = 15\n").unwrap();
    assert!(tune(&["apply", "--profile", file]).status.success() && Path::new(journal).exists());
    let output = tune(&["revert"]);
    assert!(stdout(&output).contains("nothing to take back"), "{}", stdout(&output));
    assert!(output.status.success() && !Path::new(journal).exists());
}

#[test]
fn profile_and_policies_are_applied_together() {
    let Some(world) = world() else { return };
    let folder = scratch();
    let [journal, profile, policy] = ["tune.json", "my.toml", "policy.toml"]
        .map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    let inside = Namespace::open(Path::new(&world.path)).unwrap();
    let default = || Route::new("0.0.0.0/0".parse().unwrap(), "lo", None)?.replace();
    inside.run(default).unwrap();
    let tune = |arguments: &[&str]| {
        let place = ["--netns", &world.path, "--journal", &journal];
        lastmile(&[&["tune"], arguments, &place].concat()).output().unwrap()
    };
    let good = |arguments: &[&str]| {
        let output = tune(arguments);
        assert!(output.status.success(), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    };
    std::fs::write(&profile, "route.initrwnd = 7\nnet.ipv4.tcp_retries2 = 9\n").unwrap();
    let says = |text: &str| {
        let text = format!("[[policy]]\nprefix = \"10.0.0.0/8\"\n{text}\n");
        std::fs::write(&policy, text).unwrap();
    };
    let (by_profile, by_policy) =
        (["apply", "--profile", &profile], ["apply", "--tcp-policy", &policy]);
    for order in [[&by_profile, &by_policy], [&by_policy, &by_profile]] {
        says("initcwnd = 20");
        for arguments in order {
            good(arguments);
            good(&["verify"]);
        }
        let said = good(&["verify"]);
        assert!(
            said.contains("my.toml and TCP policy") && said.contains(": 5 as wanted"),
            "{said}"
        );
        // Another file alone: what the profile says of the same prefix is there still.
        says("rto-min = \"20ms\"");
        assert_eq!(tune(&["verify"]).status.code(), Some(1));
        good(&by_policy);
        good(&["verify"]);
        good(&["revert"]);
    }

    // Of a single knob no more is verified, unless the file says something else of that.
    says("initcwnd = 20\nrto-min = \"20ms\"");
    good(&[&by_policy[..], &["--knob", "route.initcwnd"]].concat());
    good(&["verify"]);
    says("initcwnd = 20");
    good(&["verify"]);
    says("initcwnd = 21");
    assert_eq!(tune(&["verify"]).status.code(), Some(1));
    good(&["revert"]);
}

#[test]
fn limits_are_verified_of_the_process_that_they_were_set_for() {
    let folder = scratch();
    let (journal, file) = (folder.path().join("tune.json"), folder.path().join("my.toml"));
    let (journal, file) = (journal.to_str().unwrap(), file.to_str().unwrap());
    std::fs::write(file, "process.nofile = 64\n").unwrap();
    let mut waiting = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let pid = waiting.id().to_string();
    let tune = |arguments: &[&str]| {
        lastmile(&[&["tune"], arguments, &["--journal", journal]].concat()).output().unwrap()
    };
    let output = tune(&["apply", "--profile", file, "--pid", &pid]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    let output = tune(&["verify"]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("1 as wanted"), "{}", stdout(&output));
    // Up to the hard limit anybody may.
    let process = nix::unistd::Pid::from_raw(pid.parse().unwrap());
    let limits = lastmile_tuning::system::live::Process::of(process.as_raw()).unwrap();
    let knob = lastmile_tuning::knobs::find("process.nofile").unwrap();
    let mut live = lastmile_tuning::system::live::Live::default();
    lastmile_tuning::system::System::write(&mut live, knob, &limits.to_string(), "65").unwrap();
    assert_eq!(tune(&["verify"]).status.code(), Some(1), "somebody changed it");
    drop(waiting.stdin.take());
    waiting.wait().unwrap();
    let output = tune(&["verify"]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    let ended = format!("absent: process {pid} has ended");
    assert!(stdout(&output).contains(&ended), "{}", stdout(&output));
    let output = tune(&["revert"]);
    assert!(output.status.success() && stdout(&output).contains("has ended"), "{output:?}");
}

#[test]
fn a_journal_of_a_namespace_that_is_gone_can_be_given_up() {
    let Some(world) = world() else { return };
    let folder = scratch();
    let (journal, file) = (folder.path().join("tune.json"), folder.path().join("my.toml"));
    let (journal, file) = (journal.to_str().unwrap(), file.to_str().unwrap());
    std::fs::write(file, "net.ipv4.tcp_retries2 = 9\n").unwrap();
    let apply = ["tune", "apply", "--profile", file, "--netns", &world.path, "--journal", journal];
    assert!(lastmile(&apply).output().unwrap().status.success());
    drop(world);
    let revert = |more: &[&str]| {
        lastmile(&[&["tune", "revert", "--journal", journal], more].concat()).output().unwrap()
    };
    let output = revert(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("`revert --forget`"), "{}", stderr(&output));
    let output = revert(&["--forget"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let expected = "given up net.ipv4.tcp_retries2: it was 15\n0 put back, 1 given up\n";
    assert_eq!(stdout(&output), expected);
    assert!(!Path::new(journal).exists());
    assert!(stdout(&revert(&["--forget"])).contains("nothing to take back"));
}

#[test]
fn an_audit_has_the_way_of_packets() {
    let run = |arguments: &[&str]| {
        let output = lastmile(&[&["tune", "audit"], arguments].concat()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        output
    };
    let cores = json(&run(&["--json"]))["cores"].clone();
    assert!(cores["queues"].is_array() && cores["findings"].is_array(), "{cores}");
    assert!(stdout(&run(&[])).contains("\ndevice  queue"), "{}", stdout(&run(&[])));
    assert!(json(&run(&["--json", "--knob", "vm.swappiness"]))["cores"].is_null());
    let Some(world) = world() else { return };
    assert!(json(&run(&["--json", "--netns", &world.path]))["cores"].is_null());
}

/// Steps are told through a pipe that holds one message, so that `apply` waits at each until it is read: it is at most
/// a step or two ahead when it is killed.
#[test]
fn a_process_that_is_killed_between_steps_is_taken_back() {
    let Some(world) = world() else { return };
    let folder = scratch();
    let journal = folder.path().join("tune.json");
    let journal = journal.to_str().unwrap();
    let audit = || {
        stdout(&lastmile(&["tune", "audit", "--json", "--netns", &world.path]).output().unwrap())
    };
    let before = audit();
    let apply =
        ["tune", "apply", "--profile", "edge", "--netns", &world.path, "--journal", journal];
    let revert = ["tune", "revert", "--netns", &world.path, "--journal", journal];
    let mut is_cut = 0;
    for lines in 1..8 {
        let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_DIRECT).unwrap();
        nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_SETPIPE_SZ(1)).unwrap();
        let mut child = lastmile(&apply).stdout(Stdio::from(writer)).spawn().unwrap();
        let told = BufReader::with_capacity(1 << 16, std::fs::File::from(reader)).lines();
        let told: Vec<String> = told.take(lines).map(Result::unwrap).collect();
        assert!(told.iter().all(|line| line.starts_with("set ")), "{told:?}");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(Path::new(journal).exists());
        let changed = audit();
        assert_ne!(changed, before, "after {lines}");
        let output =
            lastmile(&["tune", "verify", "--netns", &world.path, "--journal", journal]).output();
        is_cut += usize::from(output.unwrap().status.code() == Some(1));
        let output = lastmile(&revert).output().unwrap();
        assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
        assert_eq!(audit(), before, "killed after {lines}: {}", stdout(&output));
    }
    assert_eq!(is_cut, 7, "each time in the middle");
}

#[test]
fn watch_tells_what_drifts() {
    let Some(world) = world() else { return };
    let knob = "net.ipv4.tcp_retries2";
    let arguments = ["tune", "watch", "--every", "100ms", "--netns", &world.path, "--knob", knob];
    let mut child =
        lastmile(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut ready).unwrap();
    assert_eq!(ready, "lastmile: 1 places watched\n");
    let path = world.path.clone();
    let change = move || {
        let inside = Namespace::open(Path::new(&path))?;
        inside.run(|| lastmile_tuning::sysctl::write(knob, "7"))
    };
    thread::spawn(change).join().unwrap().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains(&format!("s {knob} 15 -> 7")), "{line}");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_is_known_is_printed() {
    let run = |arguments: &[&str]| {
        let output = lastmile(&[&["tune"], arguments].concat()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        stdout(&output)
    };
    let explained = run(&["explain", "net.ipv4.tcp_slow_start_after_idle"]);
    for word in
        ["RFC 5681", "0 to 1", "profile edge: 0", "here: ", "scenario f5", "risk", "CAP_NET_ADMIN"]
    {
        assert!(explained.contains(word), "{word}: {explained}");
    }
    let profile = run(&["profile", "parent"]);
    assert!(profile.contains("tcp_rmem = \">= 4096 1048576"), "{profile}");
    let unit = run(&["unit", "--profile", "gslb"]);
    assert!(unit.contains("lastmile tune apply --profile gslb\n"), "{unit}");
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/policy.toml");
    let unit = run(&["unit", "--tcp-policy", policy]);
    assert!(unit.contains("tune apply --profile edge --tcp-policy \"/"), "{unit}");
    assert!(run(&["unit", "--limits"]).contains("LimitNOFILE=1048576\n"));
    let reference = run(&["reference"]);
    assert!(reference.starts_with("# Tuning") && reference.contains("### route.initcwnd"));
    let plan = run(&["plan", "--profile", "bench-rig", "--knob", "vm.swappiness"]);
    assert!(plan.lines().last().unwrap().starts_with("profile bench-rig: "), "{plan}");
}
