//! The server asked by `dig` over real sockets.

#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach what they call.

mod asking;

use asking::dig;
use lastmile_gslb::{Config, ZoneSource, start};
use std::time::Duration;

const EXTRA: &str = r#"
[[zone]]
name = "more.test."
records = '''
@ 60 SOA ns host 1 2 3 4 60
@ 60 NS ns
ns 60 A 192.0.2.1
*.wild 60 A 192.0.2.2
big 60 TXT "01234567890123456789012345678901234567890123456789012345678901234567890123456789"
big 60 TXT "11234567890123456789012345678901234567890123456789012345678901234567890123456789"
big 60 TXT "21234567890123456789012345678901234567890123456789012345678901234567890123456789"
big 60 TXT "31234567890123456789012345678901234567890123456789012345678901234567890123456789"
big 60 TXT "50000000000000000000000000000000000000000000000000000000000000000000000000000000"
big 60 TXT "41234567890123456789012345678901234567890123456789012345678901234567890123456789"
'''
"#;

fn config() -> Config {
    let text = format!("{}{EXTRA}", include_str!("../examples/cdn.toml"));
    let zone = Some(ZoneSource::Inline { name: "cdn.toml".to_owned(), text });
    Config { listen: "127.0.0.1:0".parse().unwrap(), zone, ..Config::default() }
}

#[test]
fn dig_gets_what_it_asks_for() {
    let server = start(config()).unwrap();
    let north = "customer.cdn.test. 20 IN A 127.0.0.1\n";
    let south = "customer.cdn.test. 20 IN A 127.0.0.2\n";
    let big = "+bufsize=1232 +notcp +ignore TXT big.more.test";
    let cases: &[(&str, &[&str], &str)] = &[
        (
            "www.customer.test +subnet=10.1.0.0/16",
            &[north, "CLIENT-SUBNET: 10.1.0.0/16/16"],
            "north",
        ),
        (
            "www.customer.test +subnet=10.2.7.0/24",
            &[south, "CLIENT-SUBNET: 10.2.7.0/24/16"],
            "south",
        ),
        (
            "www.customer.test +subnet=2001:db8:2::/48",
            &[south, "2001:db8:2::/48/48"],
            "IPv6 client",
        ),
        (
            "www.customer.test +subnet=0.0.0.0/0",
            &[north, "0.0.0.0/0/0"],
            "the resolver, loopback, is north",
        ),
        (
            "www.customer.test",
            &[north, "www.customer.test. 300 IN CNAME customer.cdn.test.\n"],
            "CNAME and A",
        ),
        ("+tcp www.customer.test +subnet=10.2.0.0/16", &[south], "over TCP"),
        (
            "wWw.CuStOmEr.TeSt",
            &["wWw.CuStOmEr.TeSt. 300 IN CNAME customer.cdn.test.\n"],
            "case preserved",
        ),
        ("a.b.wild.more.test", &["a.b.wild.more.test. 60 IN A 192.0.2.2\n"], "a wildcard"),
        (
            "nope.more.test",
            &["status: NXDOMAIN", "flags: qr aa rd;", "more.test. 60 IN SOA"],
            "NXDOMAIN",
        ),
        ("AAAA ns.more.test", &["status: NOERROR", "ANSWER: 0", "more.test. 60 IN SOA"], "NODATA"),
        ("MX customer.test", &["customer.test. 3600 IN MX 10 mail.customer.test.\n"], "MX"),
        ("TXT cdn.test", &["\"the CDN's own zone\""], "TXT"),
        ("example.org", &["status: REFUSED"], "not our zone"),
        ("-c CH TXT version.bind", &["status: REFUSED"], "another class"),
        (
            "+edns=1 +noednsnegotiation cdn.test SOA",
            &["status: BADVERS", "EDNS: version: 0"],
            "EDNS 1",
        ),
        (
            "+noedns +notcp +ignore TXT big.more.test",
            &["flags: qr aa tc rd;", "ANSWER: 0"],
            "512 octets",
        ),
        (big, &["flags: qr aa rd;", "ANSWER: 6", "udp: 1232"], "1232 octets"),
        (
            "+noedns TXT big.more.test",
            &["Truncated, retrying in TCP", "ANSWER: 6"],
            "dig retries over TCP",
        ),
        ("+opcode=UPDATE cdn.test SOA", &["status: NOTIMP"], "another opcode"),
        ("+opcode=NOTIFY cdn.test SOA", &["status: NOTIMP"], "another opcode"),
        (
            "+noedns cdn.test SOA",
            &["flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 0"],
            "no OPT unasked",
        ),
        ("ANY cdn.test +notcp", &["IN HINFO \"RFC8482\" \"\""], "minimal ANY"),
    ];
    for (arguments, expected, why) in cases {
        let text = dig(&server, arguments);
        for part in *expected {
            assert!(text.contains(part), "{why}: dig {arguments}: {part:?} is not in\n{text}");
        }
        let flags = text.lines().find(|line| line.starts_with(";; flags:")).unwrap_or_default();
        assert!(!flags.contains(" ra"), "recursion is not available: {flags}");
    }
    let samples = server.samples();
    let value = |name| samples.iter().find(|sample| sample.0 == name).map(|sample| sample.2);
    assert!(value("lastmile_gslb_answers_steered_mapped_total") >= Some(7));
    assert!(value("lastmile_gslb_queries_tcp_total") >= Some(2));
    server.stop(Duration::from_secs(1));
}
