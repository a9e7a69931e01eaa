//! The same questions by other programs than `dig`: each has its own reading of answers.

#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach what they call.

mod asking;

use asking::run;
use lastmile_gslb::{Config, Gslb, ZoneSource, start};
use std::time::Duration;

const EXTRA: &str = r#"
[[zone]]
name = "more.test."
records = '''
@ 60 SOA ns host 1 2 3 4 60
@ 60 NS ns
ns 60 A 192.0.2.1
*.wild 60 A 192.0.2.2
caa 60 TYPE257 \# 14 0005697373756563612e74657374
svc 60 TYPE65 \# 10 00010000010003026832
sub 60 NS ns.sub
ns.sub 60 A 192.0.2.3
big 60 TXT "01234567890123456789012345678901234567890123456789012345678901234567890123456789"
big 60 TXT "11234567890123456789012345678901234567890123456789012345678901234567890123456789"
big 60 TXT "21234567890123456789012345678901234567890123456789012345678901234567890123456789"
big 60 TXT "31234567890123456789012345678901234567890123456789012345678901234567890123456789"
big 60 TXT "41234567890123456789012345678901234567890123456789012345678901234567890123456789"
big 60 TXT "51234567890123456789012345678901234567890123456789012345678901234567890123456789"
'''
"#;

fn server() -> Gslb {
    let text = format!("{}{EXTRA}", include_str!("../examples/cdn.toml"));
    let zone = Some(ZoneSource::Inline { name: "cdn.toml".to_owned(), text });
    start(Config { listen: "127.0.0.1:0".parse().unwrap(), zone, ..Config::default() }).unwrap()
}

type Row<'a> = (&'a str, &'a [&'a str], &'a str);

/// Asks by a program; the words of each row are all in what it prints.
fn asked(ask: impl Fn(&str) -> String, rows: &[Row<'_>]) {
    for (arguments, expected, why) in rows {
        let text = ask(arguments);
        for part in *expected {
            assert!(text.contains(part), "{why}: {arguments}: no {part:?} in\n{text}");
        }
    }
}

#[test]
fn kdig_agrees() {
    let server = server();
    let port = server.address().port().to_string();
    let kdig = |arguments: &str| {
        let fixed = ["@127.0.0.1", "-p", &port, "+retry=3", "+timeout=5"];
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        run("kdig", "knot-dnsutils", &[&fixed[..], &arguments].concat())
    };
    let north = "customer.cdn.test. 20 IN A 127.0.0.1\n";
    let south = "customer.cdn.test. 20 IN A 127.0.0.2\n";
    asked(
        kdig,
        &[
            (
                "www.customer.test +subnet=10.1.0.0/16",
                &["CLIENT-SUBNET: 10.1.0.0/16/16", north],
                "north",
            ),
            ("www.customer.test +subnet=10.2.7.0/24", &["10.2.7.0/24/16", south], "south"),
            ("www.customer.test +subnet=2001:db8:2::/48", &["2001:db8:2::/48/48", south], "IPv6"),
            (
                "www.customer.test",
                &["IN CNAME customer.cdn.test.\n", north, "Flags: qr aa rd;"],
                "no subnet",
            ),
            ("+tcp www.customer.test +subnet=10.2.0.0/16", &[south, "(TCP)"], "over TCP"),
            (
                "+tcp +keepopen ns1.cdn.test cdn.test SOA",
                &["ns1.cdn.test. 3600 IN A", "IN SOA"],
                "one connection",
            ),
            ("gone.more.test", &["status: NXDOMAIN", "more.test. 60 IN SOA"], "NXDOMAIN"),
            (
                "ns.more.test AAAA",
                &["status: NOERROR", "ANSWER: 0", "more.test. 60 IN SOA"],
                "NODATA",
            ),
            ("a.b.wild.more.test", &["a.b.wild.more.test. 60 IN A 192.0.2.2\n"], "a wildcard"),
            (
                "x.sub.more.test",
                &["Flags: qr rd;", "IN NS ns.sub.more.test.", "192.0.2.3"],
                "a referral",
            ),
            ("caa.more.test CAA", &["60 IN CAA 0 issue \"ca.test\"\n"], "CAA"),
            ("svc.more.test HTTPS", &["60 IN HTTPS 1 . alpn=h2\n"], "RFC 9460: HTTPS"),
            ("cdn.test ANY +notcp", &["IN HINFO \"RFC8482\" \"\"\n"], "RFC 8482"),
            ("example.org", &["status: REFUSED"], "not our zone"),
            ("+edns=1 cdn.test SOA", &["status: BADVERS"], "EDNS 1"),
            (
                "+noedns +ignore big.more.test TXT",
                &["Flags: qr aa tc rd;", "ANSWER: 0"],
                "512 octets",
            ),
            ("+noedns big.more.test TXT", &["ANSWER: 6", "(TCP)"], "again over TCP"),
            ("+bufsize=4096 big.more.test TXT", &["ANSWER: 6", "UDP size: 1232 B"], "1232 octets"),
            ("+padding=200 cdn.test SOA", &["status: NOERROR", "IN SOA"], "padding is no obstacle"),
            ("+nsid +cookie cdn.test SOA", &["status: NOERROR", "IN SOA"], "nor are other options"),
        ],
    );
    server.stop(Duration::ZERO);
}

#[test]
fn drill_agrees() {
    let server = server();
    let port = server.address().port().to_string();
    let drill = |arguments: &str| {
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        run("drill", "ldnsutils", &[&["-p", &port, "@127.0.0.1"][..], &arguments].concat())
    };
    asked(
        drill,
        &[
            (
                "www.customer.test",
                &[
                    "www.customer.test. 300 IN CNAME customer.cdn.test.\n",
                    "customer.cdn.test. 20 IN A 127.0.0.1\n",
                    "flags: qr aa rd ;",
                ],
                "a CNAME and an address",
            ),
            ("-t www.customer.test", &["IN A 127.0.0.1\n"], "over TCP"),
            (
                "-b 1232 cdn.test SOA",
                &["cdn.test. 3600 IN SOA", "EDNS: version 0; flags: ; udp: 1232"],
                "EDNS",
            ),
            ("gone.more.test", &["rcode: NXDOMAIN", "more.test. 60 IN SOA"], "NXDOMAIN"),
            (
                "ns.more.test AAAA",
                &["rcode: NOERROR", "ANSWER: 0", "more.test. 60 IN SOA"],
                "NODATA",
            ),
            ("a.wild.more.test", &["a.wild.more.test. 60 IN A 192.0.2.2\n"], "a wildcard"),
            (
                "x.sub.more.test",
                &["flags: qr rd ;", "IN NS ns.sub.more.test.", "192.0.2.3"],
                "a referral",
            ),
            ("cdn.test ANY", &["IN HINFO \"RFC8482\" \"\"\n"], "RFC 8482"),
            ("example.org", &["rcode: REFUSED"], "not our zone"),
            ("version.bind TXT CH", &["rcode: REFUSED"], "another class"),
            ("big.more.test TXT", &["flags: qr aa tc rd ;", "ANSWER: 0"], "512 octets"),
            ("-a big.more.test TXT", &["ANSWER: 6"], "again over TCP"),
        ],
    );
    server.stop(Duration::ZERO);
}

/// It validates as a resolver does; without signatures there is nothing to validate.
#[test]
fn delv_agrees() {
    let server = server();
    let port = server.address().port().to_string();
    let delv = |arguments: &str| {
        let fixed = ["@127.0.0.1", "-p", &port, "-i", "+short"];
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        run("delv", "bind9-dnsutils", &[&fixed[..], &arguments].concat())
    };
    asked(
        delv,
        &[
            (
                "www.customer.test",
                &["customer.cdn.test.\n", "127.0.0.1\n"],
                "a CNAME and an address",
            ),
            ("cdn.test SOA", &["ns1.cdn.test. hostmaster.cdn.test. 1 3600 600 86400 60\n"], "SOA"),
            ("a.wild.more.test", &["192.0.2.2\n"], "a wildcard"),
            ("gone.more.test", &["ncache nxdomain"], "NXDOMAIN"),
            ("ns.more.test AAAA", &["ncache nxrrset"], "NODATA"),
            ("+tcp big.more.test TXT", &["\"512345"], "over TCP"),
            ("big.more.test TXT", &["\"512345"], "over UDP, as large as it offers"),
        ],
    );
    server.stop(Duration::ZERO);
}
