//! How zone and steering files are read, and what is said of bad ones.

use super::*;

const SOA_NS: &str = "@ SOA ns host 1 2 3 4 60\n@ NS ns\n";

fn inline(text: &str) -> Config {
    let zone = ZoneSource::Inline { name: "cdn.toml".to_owned(), text: text.to_owned() };
    Config { zone: Some(zone), ..Config::default() }
}

fn zone(records: &str) -> String {
    format!("[[zone]]\nname = \"cdn.test.\"\nrecords = \"\"\"\n{SOA_NS}{records}\"\"\"\n")
}

const REGION: &str = "[[region]]\nname = \"north\"\n";
const EDGE: &str = "[[edge]]\nname = \"e\"\nregion = \"north\"\naddresses = [\"192.0.2.1\"]\n";

#[test]
fn the_shipped_example_loads() {
    let (_, summary) = load(&inline(include_str!("../../examples/cdn.toml"))).unwrap();
    assert_eq!((summary.zones, summary.regions, summary.edges), (2, 2, 2));
    assert_eq!((summary.steered_names, summary.prefixes), (1, 5));
    assert!(summary.cnames_elsewhere.is_empty());
}

#[test]
fn a_customer_whose_zone_is_elsewhere_is_told_its_cname() {
    let steer = "[[steer]]\nname = \"*.cdn.test.\"\n";
    let onboard = "[[onboard]]\ncustomer = \"www.far.test\"\ncname = \"far.cdn.test\"\n";
    let text = format!("{}{REGION}{EDGE}{steer}{onboard}", zone(""));
    let (_, summary) = load(&inline(&text)).unwrap();
    let expected = ("www.far.test.".to_owned(), "far.cdn.test.".to_owned());
    assert_eq!(summary.cnames_elsewhere, [expected]);
}

#[test]
fn errors_of_the_zone_file_name_line_key_value_and_what_is_allowed() {
    let edge_in = |region: &str| {
        format!(
            "{REGION}[[edge]]\nname = \"e\"\nregion = \"{region}\"\naddresses = [\"192.0.2.1\"]"
        )
    };
    let region_with = |prefix: &str| format!("{REGION}prefixes = [\n\"{prefix}\"]\n");
    let steered =
        |rest: &str| format!("{}{REGION}{EDGE}[[steer]]\n{rest}", zone("a A 192.0.2.1\n"));
    let onboarded = |customer: &str, cname: &str| {
        let steered = "name = \"b.cdn.test\"";
        format!("{steered}\n[[onboard]]\ncustomer = \"{customer}\"\ncname = \"{cname}\"")
    };
    let cases: &[(String, &str, &str)] = &[
        (
            "[[zone]]\nnmae = 1".into(),
            "cdn.toml:2: `nmae = 1`: unknown field `nmae`",
            "unknown key",
        ),
        ("[[zone]]\nname = 1".into(), "cdn.toml:2: `name = 1`: invalid type", "another type"),
        ("[[zone]\n".into(), "cdn.toml:1: ", "not TOML"),
        ("[[server]]".into(), "expected one of `zone`, `region`, `edge`", "unknown table"),
        (
            "[[zone]]\nname = \"a..b\"\nrecords=\"\"".into(),
            "cdn.toml:2: zone.name: \"a..b\"",
            "name",
        ),
        ("[[zone]]\nname = \"a.\"".into(), "either `records` or `file`", "no records"),
        (zone("www A ten\n"), "cdn.toml:6: zone.records:", "a bad record"),
        (
            zone("www.other.test. A 10.0.0.1\n"),
            "www.other.test. A: is not within cdn.test.",
            "outside",
        ),
        (zone("@ SOA ns host 2 2 3 4 60\n"), "2 SOA records", "two SOA"),
        (
            zone("a CNAME b\na A 10.0.0.1\n"),
            "a.cdn.test. CNAME: must be the only",
            "CNAME and more",
        ),
        (zone("* NS ns.x.\n"), "a wildcard cannot be delegated", "RFC 4592 §4.2"),
        (
            zone("a A 192.0.2.1\na CAA 0 issue\n"),
            "cdn.toml:7: zone.records: CAA: needs 3 fields",
            "a bad record of a type that we read ourselves",
        ),
        (
            zone("").replace("records", "transfer_to = [\"192.0.2.0/33\"]\nrecords"),
            "cdn.toml:3: zone.transfer_to: \"192.0.2.0/33\" has more bits than its addresses",
            "a secondary",
        ),
        (
            zone("").replace("records", "notify = [\"192.0.2.53\"]\nrecords"),
            "cdn.toml:3: zone.notify: \"192.0.2.53\" is not an address with a port, such as",
            "a secondary without a port",
        ),
        (zone("a DNAME b\n"), "a.cdn.test. DNAME: is not supported", "RFC 6672"),
        (zone("$INCLUDE x\n"), "$INCLUDE is not allowed", "include"),
        (format!("{}{}", zone(""), zone("")), "\"cdn.test.\" is already a zone", "twice"),
        (
            "[[zone]]\nname = \"a.\"\nrecords = \"@ NS b.\"".into(),
            "a. has no SOA record",
            "RFC 1035 §5.2",
        ),
        (
            edge_in("nort"),
            "cdn.toml:5: edge.region: \"nort\" is not a region; allowed: north",
            "region",
        ),
        (
            format!("{}\ncapacity = -1", edge_in("north")),
            "edge.capacity: -1 is not allowed; allowed: 0 to 1000000",
            "capacity",
        ),
        (
            region_with("10.0.0.1/8"),
            "cdn.toml:4: region.prefixes: \"10.0.0.1/8\" has bits set",
            "bits",
        ),
        (region_with("x"), "is not a prefix such as", "no prefix"),
        (format!("{REGION}nearest = [\"x\"]"), "region.nearest: \"x\" is not a region", "nearest"),
        (format!("{REGION}{REGION}"), "already a region", "a region twice"),
        (format!("{REGION}{EDGE}{EDGE}"), "already an edge", "an edge twice"),
        (
            format!("{REGION}{EDGE}{}", EDGE.replace("\"e\"", "\"f\"")),
            "edge.name: \"f\" has 192.0.2.1, which is an edge's already",
            "RFC 2181 §5: an answer has no record twice",
        ),
        (steered("name = \"x.other.test\""), "is in none of the zones", "outside"),
        (steered("name = \"a.cdn.test\""), "has a CNAME, A or AAAA record", "taken"),
        (steered("name = \"b.cdn.test\"\nanswers = 17"), "steer.answers: 17", "answers"),
        (steered("name = \"b.cdn.test\"\nttl = 86401"), "allowed: 0 to 86400", "ttl"),
        (
            steered("name = \"b.cdn.test\"\nall_down = \"some\""),
            "steer.all_down: \"some\" is not allowed; allowed: all, static",
            "all_down",
        ),
        (
            steered("name = \"b.cdn.test\"\nall_down = \"static\""),
            "needs `fallback`, a list",
            "static without addresses",
        ),
        (
            steered("name = \"b.cdn.test\"\nall_down = \"all\"\nfallback = [\"192.0.2.1\"]"),
            "goes without `fallback`",
            "addresses for nothing",
        ),
        (steered("name = \"b.cdn.test\"\nfallback = []"), "must have 1 to 16 addresses", "none"),
        (
            steered("name = \"b.cdn.test\"\nfallback = [\"x\"]"),
            "steer.fallback: \"x\"",
            "no address",
        ),
        (
            format!("{REGION}{EDGE}sessions_max = 5\n"),
            "cdn.toml:7: edge.sessions_max: 5.0 needs `health`",
            "a limit of what is not known",
        ),
        (
            format!("{REGION}{EDGE}health = \"http://192.0.2.1/\"\ntraffic_max = 0\n"),
            "cdn.toml:8: edge.traffic_max: 0.0 is not allowed; allowed: 1 to",
            "no traffic",
        ),
        (
            "[load]\nspill_from = 3.0\n".into(),
            "cdn.toml:2: load.spill_from: 3.0 is not allowed; allowed: 0.05 to 2",
            "a mark",
        ),
        (
            "[load]\nspill_from = 0.9\nfull = 0.9\n".into(),
            "cdn.toml:3: load.full: 0.9 must be above spill_from, 0.9",
            "marks",
        ),
        (
            "[rtt]\nexpires_s = 0\n".into(),
            "cdn.toml:2: rtt.expires_s: 0 is not allowed; allowed: 1 to 604800",
            "measurements that are old at once",
        ),
        ("[rtt]\nfile = \"/no/such.csv\"\n".into(), "/no/such.csv: cannot read", "no file"),
        (
            format!("{}\nhealth = \"http://edge.test/\"", edge_in("north")),
            "edge.health: \"http://edge.test/\" is not a URL such as",
            "a name to ask",
        ),
        (
            format!("{}\nhealth = \"http://192.0.2.1/\"\n[health]\nrise = 0", edge_in("north")),
            "health.rise: 0 is not allowed; allowed: 1 to 100",
            "rise",
        ),
        (
            steered(&onboarded("w.c.test", "z.cdn.test")),
            "onboard.cname: \"z.cdn.test\" is not covered by any [[steer]]",
            "a CNAME to nowhere",
        ),
        (
            steered(&onboarded("a.cdn.test", "b.cdn.test")),
            "has other records",
            "a CNAME beside an A",
        ),
    ];
    for (text, expected, why) in cases {
        let message = load(&inline(text)).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains(expected), "{why}: {message}");
    }
}

#[test]
fn errors_of_other_files_name_them() {
    let directory = std::env::temp_dir().join(format!("lastmile-gslb-load-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let base = inline(&format!("{REGION}{EDGE}"));
    let lab = file("table", "a.test. A 10.0.0.1\n");
    let bad_zone = "[[zone]]\nname = \"z.\"\nfile = \"bad.zone\"\n";
    file("bad.zone", "@ SOA a b 1 2 3 4 5\n@ NS c\nx A 1.2.3\n");
    let cases = [
        (
            Config { map: file("m.csv", "10.0.0.0/8,nowhere\n"), ..base.clone() },
            "m.csv:1: region: \"nowhere\" is not a region; allowed: north",
        ),
        (
            Config { map: file("n.csv", "\n10.0.0.0/40,north\n"), ..base.clone() },
            "n.csv:2: prefix:",
        ),
        (Config { map: Some(directory.join("none.csv")), ..base.clone() }, "none.csv: cannot read"),
        (Config { lab_table: file("bad", "a.test. A x\n"), ..Config::default() }, "bad:1: \"x\""),
        (
            Config { lab_table: lab, lab_locations: file("loc", "x"), ..Config::default() },
            "loc:1: a row is",
        ),
        (Config::default(), "nothing to serve"),
        (
            Config { udp_payload_max: 100, ..base.clone() },
            "udp_payload_max: 100 is not allowed; allowed: 512",
        ),
        (Config { zone: file("z.toml", bad_zone).map(ZoneSource::File), ..base }, "bad.zone:3: "),
    ];
    for (config, expected) in cases {
        let message = load(&config).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains(expected), "{expected}: {message}");
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn every_type_is_read_in_its_own_form() {
    const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    for record in [
        "A 192.0.2.1",
        "AAAA 2001:db8::1",
        "CDS 1 13 2 DIGEST",
        "CDNSKEY 257 3 13 AAAA",
        "CAA 0 issue \"ca.test; account=1\"",
        "CNAME b",
        "DS 1 13 2 DIGEST",
        "HINFO cpu os",
        "HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.1",
        "MX 10 b",
        "NAPTR 10 10 \"u\" \"E2U+sip\" \"!^.*$!sip:a@b.test!\" .",
        "NS b",
        "OPENPGPKEY AAAA",
        "PTR b",
        "SMIMEA 3 1 1 DIGEST",
        "SRV 1 2 443 b",
        "SSHFP 4 2 DIGEST",
        "SVCB 0 b",
        "TLSA 3 1 1 DIGEST",
        "TXT \"one two\" three",
        "URI 1 2 \"https://www.test/\"",
        "TYPE65280 \\# 3 616263",
    ] {
        let record = record.replace("DIGEST", DIGEST);
        let text = zone(&format!("a 60 IN {record}\n")).replace("\"\"\"", "'''");
        let (_, summary) = load(&inline(&text)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(summary.records, 3, "{record}");
    }
}

#[test]
fn records_that_are_no_records_are_refused() {
    for (record, expected) in [
        ("a CNAME b..c", "a.z. CNAME: an empty label, or malformed data"),
        ("a..b A 192.0.2.1", "an empty label"),
        ("a MX 1 b..", "an empty label"),
        ("a SRV 1 2 3 b..c", "an empty label"),
        ("a TYPE1 \\# 3 010203", "malformed data"),
        ("a TYPE5 \\# 4 0161c000", "malformed data"),
        ("a TYPE15 \\# 4 000ac000", "malformed data"),
        ("a TXT", "zone.records: TXT: no text"),
        ("a TXT ( b", "zone.records: a parenthesis stays open"),
    ] {
        let text = format!(
            "[[zone]]\nname = \"z.\"\nrecords = '''\n@ SOA a b 1 2 3 4 5\n@ NS c\n{record}\n'''"
        );
        let message = load(&inline(&text)).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains(expected), "{record}: {message}");
    }
}

#[test]
fn measurements_of_a_file_go_before_the_map() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cdn.toml");
    let text = format!(
        "{}{REGION}prefixes = [\"10.0.0.0/8\"]\n[[region]]\nname = \"far\"\n{EDGE}",
        zone("")
    );
    let far = EDGE.replace("\"e\"", "\"f\"").replace("north", "far").replace("2.1", "2.2");
    std::fs::write(&file, text + &far + "[rtt]\nfile = \"rtt.csv\"\n").unwrap();
    let config = Config { zone: Some(ZoneSource::File(file)), ..Config::default() };
    let rtt = |csv: &str| {
        std::fs::write(folder.path().join("rtt.csv"), csv).unwrap();
        load(&config).map(|(tables, _)| tables).map_err(|error| error.to_string())
    };
    let tables = rtt("10.1.0.0/16,f,9\n10.1.0.0/16,north,20\n").unwrap();
    let measured = tables.policy.measured.load().unwrap();
    let table = measured.table().unwrap();
    assert_eq!(table.lookup("10.1.2.3".parse().unwrap()).0, [1, 0], "the region of f, then north");
    let error = rtt("\n10.1.0.0/16,g,9\n").unwrap_err();
    assert!(error.ends_with("rtt.csv:2: target: \"g\" is no edge and no region"), "{error}");
    assert!(rtt("# nothing\n").unwrap().policy.measured.load().is_none());
}
