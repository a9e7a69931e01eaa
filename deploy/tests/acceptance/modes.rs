//! Backup mode and static mode of a GSLB: by its flag, by request of its admin server, and what that tells of them.

use crate::process::{Started, fetch};
use crate::world::run;

/// The answer to `customer.cdn.test` for a client of the south: TTL and address.
fn answer(server: &str) -> (String, String) {
    let (host, port) = server.split_once(':').unwrap();
    let asked = ["+tries=1", "+time=10", "+subnet=10.2.0.0/16", "customer.cdn.test", "A"];
    let host = format!("@{host}");
    let output = run("dig", "bind9-dnsutils", &[&[&host, "-p", port], &asked[..]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let record = text.lines().find(|line| line.starts_with("customer.cdn.test."));
    let words: Vec<_> = record.unwrap_or_default().split_whitespace().collect();
    assert_eq!(words.len(), 5, "{text}");
    (words[1].to_owned(), words[4].to_owned())
}

#[test]
fn modes_are_set_and_shown() {
    let zone = concat!(env!("CARGO_MANIFEST_DIR"), "/../gslb/examples/cdn.toml");
    let flags = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--backup"];
    let (_process, line) = Started::new(&[&["gslb", "--zone", zone], &flags[..]].concat());
    let words: Vec<_> = line.trim().split([' ', ',']).collect();
    let server = words.iter().position(|word| *word == "on").map(|at| words[at + 1]).unwrap();
    let admin = words.last().unwrap();
    let post = |query: &str| {
        let url = format!("http://{admin}/mode?{query}");
        let output = run("curl", "curl", &["-sS", "-X", "POST", &url]);
        String::from_utf8(output.stdout).unwrap()
    };
    let (south, north) = ("127.0.0.2", "127.0.0.1");
    for (query, told, ttl, address, why) in [
        ("", "nothing to set", "200", south, "as it was started: ten times 20 s"),
        ("backup=off", "backup off (by request), static off (auto)", "20", south, "as usual"),
        ("static=on", "backup off (by request), static on (by request)", "20", north, "for all"),
        ("backup=on", "backup on (by request), static on (by request)", "200", north, "both"),
    ] {
        let text = post(query);
        assert!(text.starts_with(told), "{why}: {text}");
        assert_eq!(answer(server), (ttl.to_owned(), address.to_owned()), "{why}");
    }
    let told = |path: &str| String::from_utf8(fetch(admin, path).1).unwrap();
    assert!(told("/mode").starts_with("backup on (by request), static on (by request)"));
    let why = told("/why?name=www.customer.test&client=10.2.0.1");
    for part in ["  modes    backup and static", "static mode: ", "for 200 s", "same /0"] {
        assert!(why.contains(part), "{part} is not in {why}");
    }
    let metrics = told("/metrics");
    for line in ["mode_backup{role=\"gslb\"} 1", "mode_static{role=\"gslb\"} 1"] {
        assert!(metrics.contains(&format!("\nlastmile_gslb_{line}\n")), "{line}: {metrics}");
    }
}
