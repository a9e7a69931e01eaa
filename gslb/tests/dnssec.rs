//! A signed zone before real validators (unbound, delv, ldns-verify-zone), and beside NSD.

#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach what they call.

mod program;

use lastmile_gslb::{Config, Gslb, NewKey, ZoneSource, keygen, start};
use program::{Program, dig, free_port, run};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// TTLs are all the same, so that those that signers choose are too.
const RECORDS: &str = "\
@ 3600 SOA ns host 1 3600 600 86400 3600
@ 3600 NS ns
@ 3600 MX 10 mail
ns 3600 A 127.0.0.1
many 3600 A 192.0.2.1
many 3600 A 192.0.2.2
txt 3600 TXT \"a\" \"b\"
*.wild 3600 TXT wild
*.alias 3600 CNAME txt
a.b.ent 3600 TXT ent
cut 3600 NS ns.cut
insecure 3600 NS ns
ns.cut 3600 A 192.0.2.53
safe 3600 NS ns.far.example.
safe 3600 DS 1 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
";

const STEERING: &str = r#"
[[zone]]
name = "insecure.signed.test"
records = '''
@ 60 SOA ns host 1 3600 600 86400 60
@ 60 NS ns
ns 60 A 127.0.0.1
www 60 A 192.0.2.77
'''
[[region]]
name = "north"
prefixes = ["10.1.0.0/16"]
[[region]]
name = "south"
prefixes = ["10.2.0.0/16"]
[[edge]]
name = "n"
region = "north"
addresses = ["192.0.2.101", "2001:db8::101"]
[[edge]]
name = "s1"
region = "south"
addresses = ["192.0.2.111"]
[[edge]]
name = "s2"
region = "south"
addresses = ["192.0.2.112"]
[[steer]]
name = "cdn.signed.test"
answers = 2
[[steer]]
name = "*.cdn.signed.test"
[[onboard]]
customer = "www.signed.test"
cname = "www.cdn.signed.test"
"#;

const ZONE_KEYS: &str = "transfer_to = [\"127.0.0.1\"]\n";

/// A server of `signed.test` and its key, whose files are in `directory`.
fn serve(directory: &Path, algorithm: u8, steering: &str) -> (Gslb, NewKey) {
    let key = keygen("signed.test", algorithm).unwrap();
    fs::write(directory.join(format!("{}.key", key.name)), &key.public).unwrap();
    fs::write(directory.join(format!("{}.private", key.name)), &key.private).unwrap();
    fs::write(directory.join("records"), RECORDS).unwrap();
    let name = &key.name;
    let zone = format!("[[zone]]\nname = \"signed.test\"\nkey = \"{name}\"\nfile = \"records\"\n");
    fs::write(directory.join("cdn.toml"), format!("{zone}{ZONE_KEYS}{steering}")).unwrap();
    let zone = Some(ZoneSource::File(directory.join("cdn.toml")));
    let config = Config { listen: "127.0.0.1:0".parse().unwrap(), zone, ..Config::default() };
    (start(config).unwrap(), key)
}

#[test]
fn unbound_validates() {
    let directory = tempfile::tempdir().unwrap();
    let (server, key) = serve(directory.path(), 13, STEERING);
    let port = free_port();
    let place = directory.path().display().to_string();
    fs::write(directory.path().join("anchor"), &key.public).unwrap();
    let config = format!(
        r#"
server:
    interface: 127.0.0.1@{port}
    outgoing-interface: 127.0.0.1
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{place}"
    pidfile: ""
    use-syslog: no
    verbosity: 1
    val-log-level: 2
    num-threads: 1
    do-not-query-localhost: no
    local-zone: "test." nodefault
    module-config: "subnetcache validator iterator"
    trust-anchor-file: "{place}/anchor"
    access-control: 127.0.0.0/8 allow
    send-client-subnet: 127.0.0.1
    client-subnet-always-forward: yes
remote-control:
    control-enable: no
stub-zone:
    name: signed.test
    stub-addr: 127.0.0.1@{}
"#,
        server.address().port()
    );
    let file = directory.path().join("unbound.conf").display().to_string();
    fs::write(&file, config).unwrap();
    let Some(unbound) = Program::start("unbound", "unbound", &["-d", "-p", "-c", &file]) else {
        return;
    };
    unbound.wait_until_it_answers(port);
    for (question, status, secure, expected, why) in [
        ("many.signed.test A", "NOERROR", true, "192.0.2.2", "static"),
        ("signed.test DNSKEY", "NOERROR", true, "257 3 13", "the key"),
        ("q.wild.signed.test TXT", "NOERROR", true, "\"wild\"", "a wildcard"),
        ("q.alias.signed.test TXT", "NOERROR", true, "\"a\" \"b\"", "a wildcard's CNAME"),
        ("nope.signed.test A", "NXDOMAIN", true, "SOA", "no such name"),
        ("q.q.signed.test A", "NXDOMAIN", true, "SOA", "nor below it"),
        ("txt.signed.test A", "NOERROR", true, "SOA", "no such type"),
        ("q.wild.signed.test A", "NOERROR", true, "SOA", "nor of the wildcard"),
        ("b.ent.signed.test A", "NOERROR", true, "SOA", "an empty non-terminal"),
        ("cdn.signed.test TXT", "NOERROR", true, "SOA", "of a steered name"),
        ("cdn.signed.test A +subnet=10.1.2.0/24", "NOERROR", true, "192.0.2.101", "north"),
        ("cdn.signed.test A +subnet=10.2.2.0/24", "NOERROR", true, "192.0.2.111", "south"),
        ("cdn.signed.test AAAA +subnet=10.2.2.0/24", "NOERROR", true, "2001:db8::101", "IPv6"),
        ("a.cdn.signed.test A +subnet=10.1.2.0/24", "NOERROR", true, "192.0.2.101", "a wildcard"),
        ("www.signed.test A +subnet=10.1.3.0/24", "NOERROR", true, "192.0.2.101", "a customer"),
        ("www.insecure.signed.test A", "NOERROR", false, "192.0.2.77", "RFC 4035 §4.3: insecure"),
    ] {
        let answer = dig(port, &format!("+dnssec +tries=1 +time=15 {question}"));
        let flags = answer.lines().find(|line| line.contains("flags: qr")).unwrap_or_default();
        let is_secure = flags.split(';').any(|part| part.split(' ').any(|flag| flag == "ad"));
        let status = format!("status: {status}");
        assert!(answer.contains(&status), "{question}: {why}: {answer}");
        assert_eq!(is_secure, secure, "{question}: {why}: {answer}");
        assert!(answer.contains(expected), "{question}: {why}: {answer}");
    }
    server.stop(Duration::ZERO);
}

#[test]
fn delv_validates() {
    for algorithm in [13, 15] {
        let directory = tempfile::tempdir().unwrap();
        let (server, key) = serve(directory.path(), algorithm, STEERING);
        let fields: Vec<_> = key.public.split_whitespace().collect();
        let [name, _, _, flags, protocol, number, public] = fields[..] else { panic!("{key:?}") };
        let anchor = directory.path().join("anchor").display().to_string();
        let anchors = format!(
            "trust-anchors {{ {name} static-key {flags} {protocol} {number} \"{public}\"; }};\n"
        );
        fs::write(&anchor, anchors).unwrap();
        for (question, expected) in [
            ("many.signed.test A", "; fully validated"),
            ("cdn.signed.test A", "; fully validated"),
            ("x.cdn.signed.test A", "; fully validated"),
            ("q.wild.signed.test TXT", "; fully validated"),
            ("nope.signed.test A", "; negative response, fully validated"),
            ("txt.signed.test A", "; negative response, fully validated"),
            ("cut.signed.test DS", "; negative response, fully validated"),
        ] {
            let port = server.address().port();
            let arguments =
                format!("@127.0.0.1 -p {port} -a {anchor} +root=signed.test {question}");
            let answer = run("delv", &arguments).expect("these tests need `delv`: bind9-dnsutils");
            assert!(answer.contains(expected), "{question}: {answer}");
        }
        server.stop(Duration::ZERO);
    }
}

#[test]
fn the_transferred_zone_is_complete() {
    let directory = tempfile::tempdir().unwrap();
    let (server, _) = serve(directory.path(), 13, STEERING);
    let port = server.address().port();
    let zone = dig(port, "+nostats +nocomments +nocmd +onesoa AXFR signed.test");
    let file = directory.path().join("transferred").display().to_string();
    fs::write(&file, zone).unwrap();
    if let Some(verdict) = run("ldns-verify-zone", &file) {
        assert!(verdict.contains("Zone is verified and complete"), "{verdict}");
    }
    server.stop(Duration::ZERO);
}

/// Records of an answer by section, without what differs from signer to signer: serials, signatures and their times.
fn shape(answer: &str) -> Vec<String> {
    let mut section = "";
    let mut lines = Vec::new();
    for line in answer.lines() {
        if line.contains("status:") {
            lines.push(line.split("status: ").nth(1).unwrap()[..7].to_owned());
        }
        if let Some(name) = line.strip_prefix(";; ") {
            section = name.split(' ').next().unwrap_or_default();
        } else if !line.is_empty() && !line.starts_with(';') {
            let fields: Vec<_> = line.split(' ').collect();
            let kept = match fields.get(3) {
                Some(&"RRSIG") => 8,
                Some(&"SOA") => 6,
                _ => fields.len(),
            };
            lines.push(format!("{section} {}", fields[..kept.min(fields.len())].join(" ")));
        }
    }
    lines.sort();
    lines
}

/// NSD with the file `nsd.zone` of a directory, on this port.
fn serve_by_nsd(place: &str) -> Option<(u16, Program)> {
    let port = free_port();
    let config = format!(
        r#"
server:
    ip-address: 127.0.0.1@{port}
    server-count: 1
    username: ""
    zonesdir: "{place}"
    database: ""
    pidfile: ""
    xfrdir: "{place}"
    xfrdfile: ""
    zonelistfile: "{place}/zone.list"
    minimal-responses: yes
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: signed.test
    zonefile: nsd.zone
"#
    );
    let file = format!("{place}/nsd.conf");
    fs::write(&file, config).unwrap();
    let nsd = Program::start("nsd", "nsd", &["-d", "-c", &file])?;
    nsd.wait_until("the zone", || {
        dig(port, "+tries=1 +time=1 SOA signed.test").contains("status: NOERROR")
    });
    Some((port, nsd))
}

#[test]
fn answers_have_the_shape_of_nsds() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().display().to_string();
    let (server, key) = serve(directory.path(), 13, "");
    let plain = directory.path().join("plain").display().to_string();
    fs::write(&plain, format!("$ORIGIN signed.test.\n{RECORDS}")).unwrap();
    let key = directory.path().join(&key.name).display().to_string();
    let Some(said) =
        run("ldns-signzone", &format!("-o signed.test -f {place}/nsd.zone {plain} {key}"))
    else {
        return;
    };
    assert!(Path::new(&format!("{place}/nsd.zone")).exists(), "{said}");
    let Some((port, _nsd)) = serve_by_nsd(&place) else { return };
    for question in [
        "many.signed.test A",
        "signed.test SOA",
        "signed.test DNSKEY",
        "signed.test MX",
        "q.wild.signed.test TXT",
        "q.wild.signed.test A",
        "q.alias.signed.test TXT",
        "*.wild.signed.test TXT",
        "nope.signed.test A",
        "zzz.signed.test A",
        "a.many.signed.test A",
        "txt.signed.test A",
        "b.ent.signed.test A",
        "ent.signed.test A",
        "x.ent.signed.test A",
        "cut.signed.test A",
        "x.cut.signed.test A",
        "cut.signed.test DS",
        "safe.signed.test A",
        "safe.signed.test DS",
        "txt.signed.test NSEC",
        "signed.test DS",
    ] {
        let ask = |port| {
            let wanted = "+dnssec +norec +noall +comments +answer +authority +additional";
            shape(&dig(port, &format!("{wanted} {question}")))
        };
        assert_eq!(ask(server.address().port()), ask(port), "{question}");
    }
    server.stop(Duration::ZERO);
}
