//! Programs that ask a server, and what they print.

use lastmile_gslb::Gslb;
use std::process::Command;

/// What a program prints on both outputs, tabs and runs of spaces, which are its taste, as one space.
#[allow(dead_code, reason = "each test program uses its part")]
pub(crate) fn run(program: &str, package: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .env("HOME", "/nonexistent")
        .output()
        .unwrap_or_else(|error| panic!("{program} (Debian package {package}): {error}"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

/// What `dig` prints for these arguments.
#[allow(dead_code, reason = "each test program uses its part")]
pub(crate) fn dig(server: &Gslb, arguments: &str) -> String {
    let port = server.address().port().to_string();
    let fixed = ["@127.0.0.1", "-p", &port, "+tries=3", "+time=5", "+noall", "+comments"];
    let sections = ["+answer", "+authority", "+question"];
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    run("dig", "bind9-dnsutils", &[&fixed[..], &sections, &arguments].concat())
}
