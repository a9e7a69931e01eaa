//! The university lab's cases: its table and its locations as they are, asked by `dig`.
//!
//! The situations are: an exact name, a name that only a pattern covers, a name with a CNAME, a name
//! with several addresses for a client whose place is known or not, and a name without a row.

#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach what they call.

mod asking;

use asking::dig;
use lastmile_gslb::{Config, Gslb, ZoneSource, start};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

const TABLE: &str = "\
home.lab.test.        A      10.0.0.1
homepage.lab.test.    CNAME  home.lab.test.
*.video.lab.test.     A      10.0.0.2 10.0.0.3 10.0.0.4
late.site.lab.test.   A      10.0.0.5
*.site.lab.test.      CNAME  home.lab.test.
early.site.lab.test.  A      10.0.0.6
one.lab.test.         A      10.0.0.7   # several rows of one name: the first counts
one.lab.test.         A      10.0.0.8
";

/// 10.0.0.4 has no place; 127.0.0.5 asks by itself, the others through a resolver that tells of them.
const LOCATIONS: &str = "\
10.0.0.2    0   0
10.0.0.3   10   0
192.0.2.1   1   5
192.0.2.2   9  -3
192.0.2.3   5  0.5
127.0.0.5  20  20
";

struct Lab {
    server: Gslb,
    _folder: tempfile::TempDir,
}

/// A server of the table, with zones behind it or without.
fn lab(table: &str, zone: Option<&str>) -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| -> Option<PathBuf> {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let zone = zone.map(|text| ZoneSource::Inline { name: "zone".to_owned(), text: text.into() });
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        lab_table: write("dns_table.txt", table),
        lab_locations: write("locations.txt", LOCATIONS),
        zone,
        ..Config::default()
    };
    Lab { server: start(config).unwrap(), _folder: folder }
}

impl Lab {
    fn asked(&self, rows: &[(&str, &[&str], &str)]) {
        for (arguments, expected, why) in rows {
            let text = dig(&self.server, arguments);
            for part in *expected {
                assert!(text.contains(part), "{why}: dig {arguments}: no {part:?} in\n{text}");
            }
        }
    }

    fn addresses(&self, arguments: &str, times: usize) -> BTreeSet<String> {
        let ask = |_| {
            let text = dig(&self.server, arguments);
            let answer = text.lines().find_map(|line| line.split_once(" 60 IN A "));
            answer.unwrap_or_else(|| panic!("dig {arguments}: {text}")).1.to_owned()
        };
        (0..times).map(ask).collect()
    }
}

#[test]
fn an_exact_name_a_pattern_and_a_cname() {
    let lab = lab(TABLE, None);
    lab.asked(&[
        (
            "home.lab.test",
            &["home.lab.test. 60 IN A 10.0.0.1\n", "flags: qr aa", "ANSWER: 1,"],
            "a name",
        ),
        ("HOME.lab.TEST", &["HOME.lab.TEST. 60 IN A 10.0.0.1\n"], "RFC 4343: in any case"),
        ("+tcp home.lab.test", &["home.lab.test. 60 IN A 10.0.0.1\n"], "over TCP"),
        (
            "homepage.lab.test",
            &["homepage.lab.test. 60 IN CNAME home.lab.test.\n", "ANSWER: 1,"],
            "a CNAME is answered alone, whatever its target has",
        ),
        (
            "CNAME homepage.lab.test",
            &["60 IN CNAME home.lab.test.\n"],
            "who asks for it gets it too",
        ),
        ("AAAA homepage.lab.test", &["60 IN CNAME home.lab.test.\n"], "RFC 1034 §3.6.2: any type"),
        ("a.site.lab.test", &["a.site.lab.test. 60 IN CNAME home.lab.test.\n"], "a pattern"),
        (
            "a.b.c.site.lab.test",
            &["a.b.c.site.lab.test. 60 IN CNAME"],
            "any subdomain, at any depth",
        ),
        ("one.lab.test", &["60 IN A 10.0.0.7\n", "ANSWER: 1,"], "the first row of a name"),
    ]);
    lab.server.stop(Duration::ZERO);
}

#[test]
fn several_addresses_by_place_or_by_chance() {
    let lab = lab(TABLE, None);
    let name = "a.video.lab.test";
    for (client, expected, why) in [
        ("+subnet=192.0.2.1/32", "10.0.0.2", "(1,5) is 5.1 from (0,0), 10.3 from (10,0)"),
        ("+subnet=192.0.2.2/32", "10.0.0.3", "(9,-3) is nearer to (10,0)"),
        ("+subnet=192.0.2.3/32", "10.0.0.2", "as far from both: the first"),
        ("-b 127.0.0.5", "10.0.0.3", "the asker itself, when it tells of nobody"),
        ("-b 127.0.0.5 +subnet=0.0.0.0/0", "10.0.0.3", "or of nobody in particular"),
    ] {
        let got = lab.addresses(&format!("{name} {client}"), 3);
        assert_eq!(got, BTreeSet::from([expected.to_owned()]), "{client}: {why}");
    }
    let all = ["10.0.0.2", "10.0.0.3", "10.0.0.4"].map(str::to_owned);
    // With a fair choice one of the three is missing in two of ten million runs.
    for client in ["+subnet=203.0.113.1/32", "-b 127.0.0.6"] {
        let got = lab.addresses(&format!("{name} {client}"), 42);
        assert_eq!(got, BTreeSet::from(all.clone()), "nobody knows where {client} is: any");
    }
    lab.asked(&[
        (
            &format!("{name} +subnet=192.0.2.1/32"),
            &["CLIENT-SUBNET: 192.0.2.1/32/32", "ANSWER: 1,"],
            "places are of single addresses, so the answer is for one",
        ),
        ("home.lab.test +subnet=192.0.2.1/32", &["192.0.2.1/32/0"], "one address is everybody's"),
    ]);
    lab.server.stop(Duration::ZERO);
}

#[test]
fn no_row_or_another_type() {
    let alone = lab(TABLE, None);
    let nothing: &[&str] = &["status: NOERROR", "flags: qr aa", "ANSWER: 0,", "AUTHORITY: 0,"];
    let no_name: &[&str] = &["status: NXDOMAIN", "flags: qr aa", "ANSWER: 0,"];
    alone.asked(&[
        ("gone.lab.test", no_name, "no row"),
        ("www.example.org", no_name, "of nobody's domain"),
        ("video.lab.test", no_name, "`*.` does not cover the domain itself"),
        ("lab.test", no_name, "nor is a parent of names a name"),
        ("AAAA home.lab.test", nothing, "the name is there, with addresses of one kind"),
        ("TXT home.lab.test", nothing, "or with no text"),
        ("MX a.video.lab.test", nothing, "a pattern's name too"),
    ]);
    alone.server.stop(Duration::ZERO);

    let zone = "[[zone]]\nname = \"lab.test.\"\nrecords = '''\n\
                @ 60 SOA ns host 1 2 3 4 60\n@ 60 NS ns\nns 60 A 192.0.2.1\nhome 60 A 192.0.2.2\n'''";
    let behind = lab(TABLE, Some(zone));
    behind.asked(&[
        ("ns.lab.test", &["ns.lab.test. 60 IN A 192.0.2.1\n"], "without a row a zone is asked"),
        ("home.lab.test", &["60 IN A 10.0.0.1\n"], "a row comes before the zone"),
        ("gone.lab.test", &["status: NXDOMAIN", "lab.test. 60 IN SOA"], "neither has it"),
        ("www.example.org", no_name, "nor does any zone"),
    ]);
    behind.server.stop(Duration::ZERO);
}

#[test]
fn the_first_row_that_matches_wins() {
    let ordered = lab(TABLE, None);
    ordered.asked(&[
        ("late.site.lab.test", &["60 IN A 10.0.0.5\n"], "a name above the pattern"),
        ("early.site.lab.test", &["60 IN CNAME home.lab.test.\n"], "a name below the pattern"),
    ]);
    ordered.server.stop(Duration::ZERO);
    let rows: Vec<_> = TABLE.lines().rev().collect();
    let reversed = lab(&rows.join("\n"), None);
    reversed.asked(&[
        ("late.site.lab.test", &["60 IN CNAME home.lab.test.\n"], "below the pattern now"),
        ("early.site.lab.test", &["60 IN A 10.0.0.6\n"], "above the pattern now"),
        ("one.lab.test", &["60 IN A 10.0.0.8\n"], "the other row of the name"),
    ]);
    reversed.server.stop(Duration::ZERO);
}
