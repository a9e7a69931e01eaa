//! Zone transfers to real secondaries: dig, kdig, Knot DNS, NSD.

#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach what they call.

mod program;

use lastmile_gslb::{Config, Gslb, ZoneSource, start};
use program::{Program, dig, free_port, run};
use std::fs;
use std::path::Path;
use std::time::Duration;

const STEERING: &str = r#"
[[region]]
name = "here"
[[edge]]
name = "e"
region = "here"
addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
[[steer]]
name = "cdn.secondary.test"
[[onboard]]
customer = "www.secondary.test"
cname = "cdn.secondary.test"
"#;

/// Writes the zone file and its records.
fn write(directory: &Path, serial: u32, secondaries: &str, records: &str) {
    let text = format!(
        "[[zone]]\nname = \"secondary.test\"\nfile = \"records\"\n{secondaries}\n{STEERING}"
    );
    fs::write(directory.join("cdn.toml"), text).unwrap();
    let soa_ns = format!("@ 60 SOA ns host {serial} 3600 600 86400 60\n@ 60 NS ns\n");
    let more =
        "ns 60 A 127.0.0.1\n*.wild 60 A 192.0.2.9\nsub 60 NS ns.sub\nns.sub 60 A 192.0.2.8\n";
    fs::write(directory.join("records"), format!("{soa_ns}{more}{records}")).unwrap();
}

fn serve(directory: &Path) -> Gslb {
    let zone = Some(ZoneSource::File(directory.join("cdn.toml")));
    start(Config { listen: "127.0.0.1:0".parse().unwrap(), zone, ..Config::default() }).unwrap()
}

#[test]
fn dig_and_kdig_transfer_the_zone() {
    let directory = tempfile::tempdir().unwrap();
    let hosts: String = (0..3000).map(|host| format!("h{host} 60 A 192.0.2.7\n")).collect();
    write(directory.path(), 5, "transfer_to = [\"127.0.0.1\"]", &hosts);
    let server = serve(directory.path());
    let port = server.address().port();
    // SOA, NS, 4 more, 3000 hosts, A and AAAA of the steered name, the customer's CNAME, SOA.
    let count = 1 + 1 + 4 + 3000 + 3 + 1 + 1;
    let all = dig(port, "+nostats +nocomments +nocmd AXFR secondary.test");
    assert_eq!(all.lines().filter(|line| !line.is_empty()).count(), count, "{all}");
    assert!(all.contains("cdn.secondary.test. 20 IN A 192.0.2.2\n"), "{all}");
    assert!(all.contains("www.secondary.test. 300 IN CNAME cdn.secondary.test.\n"));
    let ixfr = dig(port, "+nostats +nocomments +nocmd IXFR=4 secondary.test");
    assert_eq!(ixfr.lines().filter(|line| !line.is_empty()).count(), count, "an older serial");
    let current = dig(port, "+nostats +nocomments +nocmd +tcp IXFR=5 secondary.test");
    assert_eq!(current.lines().filter(|line| !line.is_empty()).count(), 1, "{current}");
    let refused = dig(port, "AXFR secondary.test -b 127.0.0.2");
    assert!(refused.contains("Transfer failed"), "{refused}");
    if let Some(text) = run("kdig", &format!("@127.0.0.1 -p {port} secondary.test AXFR")) {
        assert!(text.contains(&format!(", {count} records)")), "{text}");
    }
    server.stop(Duration::ZERO);
}

/// Serves two versions of a zone, one after the other, to a secondary that is told by NOTIFY alone.
fn replicate(program: &str, package: &str, arguments: &[&str], config: &str) {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let secondaries = format!("transfer_to = [\"127.0.0.1\"]\nnotify = [\"127.0.0.1:{port}\"]");
    write(directory.path(), 1, &secondaries, "a 60 A 192.0.2.10\n");
    // The secondary is there first, so that the first NOTIFY reaches it and not only the second.
    let primary = free_port();
    let place = directory.path().display().to_string();
    let config = config
        .replace("@DIR@", &place)
        .replace("@PORT@", &port.to_string())
        .replace("@PRIMARY@", &primary.to_string());
    let file = directory.path().join("secondary.conf");
    fs::write(&file, config).unwrap();
    let mut arguments: Vec<_> = arguments.to_vec();
    let file = file.display().to_string();
    arguments.push(&file);
    let Some(secondary) = Program::start(program, package, &arguments) else { return };
    secondary.wait_until_it_answers(port);
    let zone = Some(ZoneSource::File(directory.path().join("cdn.toml")));
    let listen = ([127, 0, 0, 1], primary).into();
    let server = start(Config { listen, zone, ..Config::default() }).unwrap();
    let gets = |name: &str, expected: &str| {
        secondary.wait_until(&format!("{name} {expected}"), || {
            dig(port, &format!("+short +norec {name}.secondary.test")).contains(expected)
        });
    };
    gets("a", "192.0.2.10");
    gets("any.wild", "192.0.2.9");
    gets("www", "192.0.2.2");
    // Without a new serial nobody would fetch it; with one, the secondary has it without REFRESH being over.
    write(directory.path(), 2, &secondaries, "a 60 A 192.0.2.11\n");
    server.reload().unwrap();
    gets("a", "192.0.2.11");
    assert!(dig(port, "+short +norec SOA secondary.test").contains(" 2 3600 "));
    server.stop(Duration::ZERO);
}

#[test]
fn knot_follows_the_zone() {
    replicate(
        "knotd",
        "knot",
        &["-c"],
        r#"
server:
    listen: [ "127.0.0.1@@PORT@" ]
    rundir: "@DIR@"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "@DIR@"
log:
  - target: stderr
    any: info
remote:
  - id: primary
    address: "127.0.0.1@@PRIMARY@"
acl:
  - id: primary
    address: 127.0.0.1
    action: notify
zone:
  - domain: secondary.test
    storage: "@DIR@"
    zonefile-sync: -1
    master: primary
    acl: primary
"#,
    );
}

#[test]
fn nsd_follows_the_zone() {
    replicate(
        "nsd",
        "nsd",
        &["-d", "-c"],
        r#"
server:
    ip-address: 127.0.0.1@@PORT@
    server-count: 1
    username: ""
    zonesdir: "@DIR@"
    database: ""
    pidfile: ""
    xfrdir: "@DIR@"
    xfrdfile: "@DIR@/xfrd.state"
    zonelistfile: "@DIR@/zone.list"
    logfile: "@DIR@/nsd.log"
remote-control:
    control-enable: no
zone:
    name: secondary.test
    zonefile: "@DIR@/nsd.zone"
    request-xfr: 127.0.0.1@@PRIMARY@ NOKEY
    allow-notify: 127.0.0.1 NOKEY
"#,
    );
}
