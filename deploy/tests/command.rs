//! The command line of the real executable: help, exit statuses, and what is said about mistakes.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

mod process;

use process::{lastmile, scratch};
use std::net::TcpListener;
use std::process::Output;

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn help_has_an_example_of_every_command() {
    for command in ["up", "edge", "origin", "gslb", "check"] {
        let output = lastmile(&[command, "--help"]).output().unwrap();
        assert!(output.status.success(), "{command}");
        let help = stdout(&output);
        assert!(help.contains("Examples:"), "{command}: {help}");
        assert!(help.contains(&format!("  lastmile {command} ")), "{command}: {help}");
        assert_eq!(stderr(&output), "", "{command}");
    }
    let overview = stdout(&lastmile(&["--help"]).output().unwrap());
    for word in ["up", "edge", "origin", "gslb", "check", "Exit status"] {
        assert!(overview.contains(word), "{word}: {overview}");
    }
    let origin = stdout(&lastmile(&["origin", "--help"]).output().unwrap());
    assert!(origin.contains("max-age"), "the table of synthetic objects: {origin}");
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
        (&["edge"], "edge: nowhere to fetch from: give --upstream", "no upstream"),
        (&["edge", "--upstream", "ftp://a"], "ftp", "a scheme that it does not speak"),
        (&["edge", "--upstream", "http://[::1]:1", "--cores", "1000"], "core 1000", "no such core"),
        (&["origin"], "origin: nothing to serve: give --dir", "no source"),
        (&["origin", "--dir", "/no/such/dir", "--listen", "127.0.0.1:0"], "/no/such/dir", "no dir"),
        (&["gslb"], "gslb: nothing to answer with: give --zone", "no zone"),
        (&["up", "--edges", "0"], "\"0\" is not a number of edges; allowed: 1 to 32", "too few"),
        (&["up", "--port-base", "65535"], "is not a first port; allowed: 0", "no room above"),
        (&["up", "--dir", "/no/such/dir", "--port-base", "0"], "/no/such/dir", "no directory"),
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
    let zone = concat!(env!("CARGO_MANIFEST_DIR"), "/../gslb/examples/cdn.toml");
    let output = lastmile(&["check", zone]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("2 edges"), "{}", stdout(&output));
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
