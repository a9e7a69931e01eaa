//! The command line of the real executable: help, exit statuses, and what is said about mistakes.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

mod process;

use process::{Started, lastmile, scratch};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn help_has_an_example_of_every_command() {
    for command in ["up", "edge", "origin", "gslb", "rules", "check", "doctor", "tune"] {
        let output = lastmile(&[command, "--help"]).output().unwrap();
        assert!(output.status.success(), "{command}");
        let help = stdout(&output);
        assert!(help.contains("Examples:"), "{command}: {help}");
        assert!(help.contains(&format!("  lastmile {command} ")), "{command}: {help}");
        assert_eq!(stderr(&output), "", "{command}");
    }
    let overview = stdout(&lastmile(&["--help"]).output().unwrap());
    for word in ["up", "edge", "gslb", "rules", "check", "doctor", "tune", "Exit status"] {
        assert!(overview.contains(word), "{word}: {overview}");
    }
    let origin = stdout(&lastmile(&["origin", "--help"]).output().unwrap());
    assert!(origin.contains("max-age"), "the table of synthetic objects: {origin}");
    let edge = stdout(&lastmile(&["edge", "--help"]).output().unwrap());
    for word in [
        "[[site]]",
        "key-query-except = ",
        "stale-if-error = ",
        "[[policy]]",
        "syn-timeout = ",
        "--log",
    ] {
        assert!(edge.contains(word), "{word}: {edge}");
    }
}

#[test]
fn misuse_is_one_line_and_status_2() {
    let table: &[(&[&str], &str, &str)] = &[
        (&[], "a command is missing; allowed: up, edge", "nothing said"),
        (&["fly"], "unrecognized subcommand 'fly'", "an unknown command"),
        (&["edge", "--rum", "1"], "unexpected argument '--rum'", "an unknown flag"),
        (&["edge", "--ram", "12 apples"], "\"12 apples\" is not a size; allowed:", "a bad value"),
        (&["edge", "--for", "soon"], "\"soon\" is not a duration; allowed:", "a bad duration"),
        (&["edge", "--listen", "here"], "\"here\" is not an address; allowed:", "a bad address"),
        (&["edge", "--io", "dma"], "dma", "an unknown way to the kernel"),
        (
            &["edge", "--upstream", "http://[::1]:1", "--congestion", "dma"],
            "no congestion control \"dma\"; there are: auto, system, ",
            "an unknown congestion control",
        ),
        (&["tune"], "tune: a command is missing; allowed: ", "which part of tuning"),
        (
            &["tune", "cores", "--device", "none0"],
            "no network device \"none0\"; there are:",
            "none",
        ),
        (&["tune", "cores", "--cores", "1000"], "core 1000", "no such core"),
        (&["edge"], "edge: nowhere to fetch from: give --upstream", "no upstream"),
        (&["edge", "--upstream", "ftp://a"], "ftp", "a scheme that it does not speak"),
        (&["edge", "--upstream", "http://[::1]:1", "--cores", "1000"], "core 1000", "no such core"),
        (
            &["edge", "--upstream", "http://[::1]:1", "--log", "/no/such/dir/log"],
            "--log: /no/such/dir/log: ",
            "a log that can't be written",
        ),
        (&["up", "--port-base", "0", "--log", "/no/such/dir/log"], "--log: /no/such/", "of up"),
        (&["origin"], "origin: nothing to serve: give --dir", "no source"),
        (&["origin", "--dir", "/no/such/dir", "--listen", "127.0.0.1:0"], "/no/such/dir", "no dir"),
        (&["gslb"], "gslb: nothing to answer with: give --zone", "no zone"),
        (&["gslb", "keygen", "a..b"], "keygen: \"a..b\" is not a name", "no zone's name"),
        (
            &["gslb", "keygen", "test", "--dir", "/no/such/dir"],
            "cannot write /no/such/dir",
            "no dir",
        ),
        (&["up", "--edges", "0"], "\"0\" is not a number of edges; allowed: 1 to 32", "too few"),
        (&["up", "--port-base", "65535"], "is not a first port; allowed: 0", "no room above"),
        (&["up", "--dir", "/no/such/dir", "--port-base", "0"], "/no/such/dir", "no directory"),
        (&["rules", "--section", "1"], "\"1\" is no section with rules; allowed: ", "no such RFC"),
        (&["check"], "<FILE>", "a file is needed"),
        (&["check", "/no/such/file"], "/no/such/file: ", "a file that is not there"),
    ];
    for (arguments, expected, why) in table {
        let output = lastmile(arguments).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{why}: {said}");
        assert_eq!(said.lines().count(), 1, "{why}: one line: {said}");
        assert!(said.starts_with("lastmile: ") && said.contains(expected), "{why}: {said}");
        assert_eq!(stdout(&output), "", "{why}: nothing on stdout");
    }
}

#[test]
fn a_new_key_signs_a_zone() {
    let folder = scratch();
    let path = folder.path().to_str().unwrap();
    let made = lastmile(&["gslb", "keygen", "signed.test", "--dir", path]).output().unwrap();
    assert!(made.status.success(), "{}", stderr(&made));
    let said = stdout(&made);
    let (key, ds) = said.split_once('\n').unwrap();
    assert!(ds.starts_with("signed.test. IN DS "), "{said}");
    let records = "@ SOA ns host 1 2 3 4 60\n@ NS ns\n";
    let zone = format!("[[zone]]\nname = \"signed.test\"\n{key}\nrecords = '''\n{records}'''\n");
    let file = folder.path().join("zone.toml");
    std::fs::write(&file, zone).unwrap();
    let checked = lastmile(&["check", file.to_str().unwrap()]).output().unwrap();
    assert!(checked.status.success(), "{}", stderr(&checked));
    let name = key.trim_start_matches("key = ").trim_matches('"');
    let private = folder.path().join(format!("{name}.private"));
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(private).unwrap());
    assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
}

#[test]
fn mistakes_in_a_file_name_line_and_key() {
    let folder = scratch();
    let file = folder.path().join("lastmile.toml");
    let path = file.to_str().unwrap();
    for (text, expected, why) in [
        (
            "[edge]\nram = \"12 apples\"\n",
            ":2: edge.ram: \"12 apples\" is not a size; allowed:",
            "",
        ),
        ("[edge]\n\nrum = 1\n", ":3: edge.rum: unknown key; allowed: listen", "a key"),
        ("[[edge]\n", ":1: ", "no TOML"),
        (
            "[origin]\nlisten = 80\n",
            ":2: origin.listen: \"80\" is not an address",
            "another role's",
        ),
        (
            "[[site]]\nerrors = \"soon\"\n",
            ":2: site.errors: \"soon\" is not allowed; allowed:",
            "a site",
        ),
        (
            "[[site]]\n[[site]]\n",
            ":2: site.hosts: missing; allowed: one site without",
            "two defaults",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let ways: [&[&str]; 2] = [&["check", path, "--as", "config"], &["edge", "--config", path]];
        for arguments in ways {
            let output = lastmile(arguments).output().unwrap();
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{why}: {said}");
            assert!(said.contains(&format!("{path}{expected}")), "{why}: {said}");
            assert_eq!(said.lines().count(), 1, "{why}: {said}");
        }
    }
}

#[test]
fn check_says_what_is_good() {
    let folder = scratch();
    let file = folder.path().join("lastmile.toml");
    std::fs::write(&file, "[edge]\nram = \"1GiB\"\nupstream = [\"http://127.0.0.1:8000\"]\n")
        .unwrap();
    let output = lastmile(&["check", file.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stdout(&output).ends_with("good: a configuration with 2 keys\n"),
        "{}",
        stdout(&output)
    );
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/lastmile.toml");
    let output = lastmile(&["check", example]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).ends_with(" keys and 4 sites\n"), "{}", stdout(&output));
    let zone = concat!(env!("CARGO_MANIFEST_DIR"), "/../gslb/examples/cdn.toml");
    let output = lastmile(&["check", zone]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("2 edges"), "{}", stdout(&output));
}

#[test]
fn rules_are_printed_with_their_tests() {
    let all = stdout(&lastmile(&["rules"]).output().unwrap());
    let rows = all.lines().filter(|line| line.starts_with("RFC ")).count();
    assert!(rows >= 200, "{all}");
    let sums = all.lines().last().unwrap();
    assert!(sums.starts_with(&format!("{rows} rules: ")), "{sums}");
    let output = lastmile(&["rules", "--section", "9111-4.4"]).output().unwrap();
    let some = stdout(&output);
    assert!(output.status.success() && some.contains("RFC 9111 §4.4 "), "{some}");
    assert!(!some.contains("RFC 9111 §4.3 ") && some.contains(".rs::"), "{some}");
    let json = stdout(&lastmile(&["rules", "--json"]).output().unwrap());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json.as_array().unwrap().len(), rows);
    assert_eq!(json[0]["rfc"], all[4..8].parse::<u16>().unwrap());
}

#[test]
fn an_address_in_use_is_one_line_and_status_2() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let port = taken.local_addr().unwrap().port();
    let before = (port - 1).to_string();
    let table: &[(&[&str], &str)] = &[
        (&["origin", "--synthetic", "--listen", &address], "an origin"),
        (&["edge", "--upstream", "http://127.0.0.1:1", "--listen", &address], "an edge"),
        (&["origin", "--synthetic", "--listen", "127.0.0.1:0", "--admin", &address], "admin"),
        (&["up", "--port-base", "0", "--admin", &address], "the last role of up"),
    ];
    for (arguments, why) in table {
        let output = lastmile(arguments).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{why}: {said}");
        assert!(said.contains(&address) && said.contains("in use"), "{why}: {said}");
        assert_eq!(said.lines().count(), 1, "{why}: {said}");
        assert_eq!(stdout(&output), "", "{why}: nothing is said to run");
    }
    // The port before it may be taken as well, by a stranger: only the status is certain.
    let output = lastmile(&["up", "--port-base", &before]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

/// The congestion control of the sockets that `ss` finds with `filter`.
fn congestion(filter: &[&str]) -> Vec<String> {
    let output = Command::new("ss").args(["-HtniO"]).args(filter).output();
    let output = output.expect("`ss` of the package iproute2");
    let known = ["reno", "cubic", "bbr"];
    let of =
        |line: &str| line.split_whitespace().find(|word| known.contains(word)).map(str::to_owned);
    stdout(&output).lines().filter_map(of).collect()
}

fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    listener.set_nonblocking(true).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match listener.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            accepted => return accepted.unwrap(),
        }
    }
}

#[test]
fn a_listener_and_an_upstream_have_options_of_their_own() {
    let file = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";
    let allowed = std::fs::read_to_string(file).unwrap();
    let is_there = |name: &&str| allowed.split_whitespace().any(|word| word == *name);
    let Some(other) = ["cubic", "bbr"].into_iter().find(is_there) else {
        eprintln!("skipped: {file} has reno and no other that is known: {allowed}");
        return;
    };
    let upstreams = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [one, two] = upstreams.each_ref().map(|upstream| upstream.local_addr().unwrap().port());
    let (_edge, line) = Started::new(&[
        "edge",
        "--listen=127.0.0.1:0 congestion=reno",
        "--listen=127.0.0.1:0",
        &format!("--congestion={other}"),
        &format!("--upstream=http://127.0.0.1:{one} congestion=reno,http://127.0.0.1:{two}"),
        &format!("--upstream-congestion={other}"),
    ]);
    let ports: Vec<_> = line.trim().split(", ").map(|it| it.rsplit(':').next().unwrap()).collect();
    for (port, expected) in ports.iter().zip(["reno", other]) {
        let found = congestion(&["-l", "sport", "=", &format!(":{port}")]);
        assert!(!found.is_empty() && found.iter().all(|name| name == expected), "{line}{found:?}");
    }
    // Connections are opened ahead of need.
    for (upstream, expected) in upstreams.iter().zip(["reno", other]) {
        let (_connection, peer) = accepted(upstream);
        let (from, to) = (peer.port(), upstream.local_addr().unwrap().port());
        let (from, to) = (format!(":{from}"), format!(":{to}"));
        let found = congestion(&["sport", "=", &from, "and", "dport", "=", &to]);
        assert_eq!(found, [expected]);
    }
}
