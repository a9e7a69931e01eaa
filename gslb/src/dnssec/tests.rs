//! Signed zones and answers from them; mistakes with keys.

mod oracle;

use super::keygen::keygen;
use super::sign::{renewed, sign_zones};
use crate::answer::{Asked, Reason, Tables, Transport, answer};
use crate::steer::{AllDown, Family};
use crate::wire::name;
use crate::{Config, ZoneSource, load};
use domain::base::iana::Rcode;
use domain::base::{Message, Name, Record, Rtype, Serial, ToName};
use domain::rdata::{AllRecordData, Nsec};
use oracle::{Owned, dnskey, owned, records, verify_all};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::LazyLock;

/// 2026-01-01.
const NOW: u64 = 1_767_225_600;
const DAY: u64 = 86_400;

const RECORDS: &str = "\
@ 300 SOA Ns Host 7 2 3 4 60
@ 300 NS ns
@ 300 MX 10 Mail
ns 300 A 192.0.2.53
ns 300 AAAA 2001:db8::53
many 60 A 192.0.2.2
many 60 A 192.0.2.1
many 60 A 10.0.0.1
srv 60 SRV 1 2 443 Target.Test.
naptr 60 NAPTR 10 10 \"u\" \"E2U+sip\" \"!^.*$!sip:a@b.test!\" Name
caa 60 CAA 0 issue \"ca.test\"
txt 60 TXT \"a\" \"b\"
svc 60 HTTPS 1 . alpn=h2
*.wild 60 TXT wild
x.y.wild 60 TXT deep
*.alias 60 CNAME any.wild
a.b.ent 60 TXT ent
cut 60 NS ns.cut
cut 60 NS ns
ns.cut 60 A 192.0.2.54
safe 60 NS ns
safe 60 DS 1 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
away 60 CNAME www.far.example.
";

const STEERING: &str = r#"
[[region]]
name = "north"
prefixes = ["10.1.0.0/16"]
[[region]]
name = "south"
prefixes = ["10.2.0.0/16"]
[[edge]]
name = "n"
region = "north"
addresses = ["192.0.2.101", "192.0.2.102", "2001:db8::101"]
[[edge]]
name = "s1"
region = "south"
addresses = ["192.0.2.111"]
[[edge]]
name = "s2"
region = "south"
addresses = ["192.0.2.112", "192.0.2.113", "192.0.2.114"]
[[steer]]
name = "cdn.test"
answers = 3
fallback = ["192.0.2.99", "2001:db8::99"]
[[steer]]
name = "*.cdn.test"
answers = 2
[[onboard]]
customer = "www.test"
cname = "www.cdn.test"
"#;

/// `test.`, signed with a new key.
fn signed(algorithm: u8, more: &str) -> Tables {
    let directory = tempfile::tempdir().unwrap();
    let text = zone_file(directory.path(), algorithm, more);
    let path = directory.path().join("zone.toml");
    std::fs::write(&path, text).unwrap();
    let config = Config { zone: Some(ZoneSource::File(path)), ..Config::default() };
    let (mut tables, _) = load::load(&config).unwrap();
    sign_zones(&mut tables.zones, &tables.policy, NOW).unwrap();
    tables
}

fn zone_file(directory: &Path, algorithm: u8, more: &str) -> String {
    let key = keygen("Test", algorithm).unwrap();
    std::fs::write(directory.join(format!("{}.key", key.name)), &key.public).unwrap();
    std::fs::write(directory.join(format!("{}.private", key.name)), &key.private).unwrap();
    let name = key.name;
    let records = format!("{RECORDS}{more}");
    format!("[[zone]]\nname = \"test\"\nkey = \"{name}\"\nrecords = '''\n{records}'''\n{STEERING}")
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| signed(13, ""));

#[test]
fn every_rrset_is_signed_but_delegations_and_glue() {
    for algorithm in [13, 15] {
        let tables = signed(algorithm, "");
        let records = records(&tables);
        let unsigned = verify_all(&dnskey(&tables), &records);
        let pair = |owner: &str, rtype: &str| (owner.to_owned(), rtype.to_owned());
        let expected = [pair("cut.test", "NS"), pair("ns.cut.test", "A"), pair("safe.test", "NS")];
        assert_eq!(unsigned, expected.into(), "RFC 4035 §2.2, algorithm {algorithm}");
    }
}

#[test]
fn the_chain_goes_through_all_names_and_its_types_are_right() {
    let records = records(&TABLES);
    let next: BTreeMap<String, Nsec<Vec<u8>, Name<Vec<u8>>>> = records
        .iter()
        .filter_map(|record| match record.data() {
            AllRecordData::Nsec(nsec) => Some((record.owner().to_string(), nsec.clone())),
            _ => None,
        })
        .collect();
    let (mut at, mut seen) = ("test".to_owned(), Vec::new());
    loop {
        seen.push(at.clone());
        let to = next[&at].next_name();
        if to.to_string() == "test" {
            break;
        }
        let from: Name<Vec<u8>> = at.parse().unwrap();
        assert_eq!(from.name_cmp(to), std::cmp::Ordering::Less, "{at} before {to}");
        at = to.to_string();
    }
    assert_eq!(seen.len(), next.len(), "one chain");
    for (owner, expected, why) in [
        ("test", Some("NS SOA MX RRSIG NSEC DNSKEY"), "the apex"),
        ("cdn.test", Some("A AAAA RRSIG NSEC"), "a steered name"),
        ("*.cdn.test", Some("A AAAA RRSIG NSEC"), "a steered wildcard"),
        ("cut.test", Some("NS RRSIG NSEC"), "RFC 4035 §2.3: a delegation"),
        ("safe.test", Some("NS DS RRSIG NSEC"), "one with a DS"),
        ("www.test", Some("CNAME RRSIG NSEC"), "a customer's name"),
        ("b.ent.test", None, "RFC 4035 §2.3: an empty non-terminal"),
        ("ns.cut.test", None, "glue"),
    ] {
        let types = next.get(owner).map(|nsec| {
            nsec.types().iter().map(|rtype| rtype.to_string()).collect::<Vec<_>>().join(" ")
        });
        assert_eq!(types.as_deref(), expected, "{owner}: {why}");
    }
}

/// An answer to a query with DO: its code, and the records of answer and authority section.
fn ask(tables: &Tables, qname: &str, qtype: u16, client: &str) -> (Rcode, Vec<Owned>, Vec<Owned>) {
    let query = query(qname, qtype, 0x80, 4096);
    let mut out = [0; 65_535];
    let asked = Asked {
        packet: &query,
        peer: client.parse().unwrap(),
        transport: Transport::Tcp,
        random: 0,
    };
    let octets = answer(tables, &asked, &mut out).octets;
    let message = Message::from_octets(&out[..octets]).unwrap();
    let rcode = message.header().rcode();
    (rcode, owned(message.answer().unwrap()), owned(message.authority().unwrap()))
}

fn query(qname: &str, qtype: u16, do_bit: u8, payload: u16) -> Vec<u8> {
    let mut query = b"\0\0\0\0\0\x01\0\0\0\0\0\x01".to_vec();
    query.extend_from_slice(&name::from_text(qname).unwrap());
    query.extend([qtype, 1].iter().flat_map(|word| word.to_be_bytes()));
    query.extend_from_slice(b"\0\0\x29");
    query.extend_from_slice(&payload.to_be_bytes());
    query.extend_from_slice(&[0, 0, do_bit, 0, 0, 0]);
    query
}

/// Whether an NSEC record of these shows that there is no `name`.
fn is_covered(records: &[Owned], name: &Name<Vec<u8>>) -> bool {
    records.iter().any(|record| match record.data() {
        AllRecordData::Nsec(nsec) => {
            let (from, to) = (record.owner(), nsec.next_name());
            // RFC 4034 §4.1.1: the last one's next is the apex.
            from.name_cmp(name).is_lt() && (name.name_cmp(to).is_lt() || to.name_cmp(from).is_lt())
        }
        _ => false,
    })
}

/// Whether one shows that `name` is there, but not the type.
fn is_without(records: &[Owned], name: &str, rtype: Rtype) -> bool {
    records.iter().any(|record| match record.data() {
        AllRecordData::Nsec(nsec) => {
            record.owner().to_string() == name && !nsec.types().contains(rtype)
        }
        _ => false,
    })
}

#[test]
fn answers_are_signed_and_denials_are_proven() {
    let (a, txt, aaaa, ds) = (1, 16, 28, 43);
    for (qname, qtype, answers, covered, without, why) in [
        ("many.test", a, "A", &[][..], None, "static"),
        ("MANY.test", a, "A", &[], None, "in any case"),
        ("cdn.test", a, "A", &[], None, "steered"),
        ("x.cdn.test", aaaa, "AAAA", &["x.cdn.test"], None, "a steered wildcard: §3.1.3.3"),
        ("q.wild.test", txt, "TXT", &["q.wild.test"], None, "a wildcard: §3.1.3.3"),
        ("*.wild.test", txt, "TXT", &[], None, "the wildcard itself"),
        ("q.alias.test", txt, "CNAME TXT", &["q.alias.test", "any.wild.test"], None, "two"),
        ("www.test", a, "CNAME A", &["www.cdn.test"], None, "an onboarding CNAME"),
        ("away.test", a, "CNAME", &[], None, "it leads away"),
        ("nope.test", a, "", &["nope.test", "*.test"], None, "§3.1.3.2: no such name"),
        ("z.y.wild.test", a, "", &["z.y.wild.test", "*.y.wild.test"], None, "§3.1.3.2: below y"),
        ("txt.test", a, "", &[], Some("txt.test"), "§3.1.3.1: no such type"),
        ("q.wild.test", a, "", &["q.wild.test"], Some("*.wild.test"), "§3.1.3.4: of a wildcard"),
        ("x.cdn.test", txt, "", &["x.cdn.test"], Some("*.cdn.test"), "of a steered wildcard"),
        ("b.ent.test", a, "", &["b.ent.test"], None, "an empty non-terminal"),
        ("cut.test", ds, "", &[], Some("cut.test"), "no DS at a cut"),
        ("safe.test", ds, "DS", &[], None, "a DS"),
        ("test", ds, "", &[], Some("test"), "the parent has it, and is not here"),
        ("test", 48, "DNSKEY", &[], None, "the key"),
        ("txt.test", 47, "NSEC", &[], None, "§3.1: NSEC asked for"),
        ("www.test", 47, "NSEC", &[], None, "not the CNAME"),
    ] {
        let (rcode, answer, authority) = ask(&TABLES, qname, qtype, "10.1.0.1");
        let key = dnskey(&TABLES);
        assert!(verify_all(&key, &answer).is_empty(), "{qname}: {why}");
        assert!(verify_all(&key, &authority).is_empty(), "{qname}: {why}");
        let mut types: Vec<_> = answer.iter().map(|r| r.rtype().to_string()).collect();
        types.retain(|rtype| rtype != "RRSIG");
        types.dedup();
        assert_eq!(types.join(" "), answers, "{qname}: {why}");
        for name in covered {
            let covered = is_covered(&authority, &name.parse().unwrap());
            assert!(covered, "{qname}: {why}: {name} {authority:?}");
        }
        if let Some(name) = without {
            assert!(is_without(&authority, name, Rtype::from_int(qtype)), "{qname}: {why}");
        }
        let is_nothing = matches!(qname, "nope.test" | "z.y.wild.test");
        assert_eq!(rcode, if is_nothing { Rcode::NXDOMAIN } else { Rcode::NOERROR }, "{why}");
        let proofs = authority.iter().filter(|record| record.rtype() == Rtype::NSEC).count();
        let most = covered.len() + usize::from(without.is_some());
        assert!(proofs <= most, "{qname}: none twice, none too many: {authority:?}");
    }
}

#[test]
fn referrals_say_whether_the_zone_below_is_signed() {
    for (qname, proof) in [("x.cut.test", Rtype::NSEC), ("x.safe.test", Rtype::DS)] {
        let (_, answer, authority) = ask(&TABLES, qname, 1, "10.1.0.1");
        assert!(answer.is_empty());
        let unsigned = verify_all(&dnskey(&TABLES), &authority);
        assert_eq!(unsigned.len(), 1, "RFC 4035 §3.1.4: only the NS RRset: {unsigned:?}");
        assert!(authority.iter().any(|record| record.rtype() == proof), "{qname}");
    }
}

#[test]
fn without_do_and_in_zones_without_a_key_nothing_is_added() {
    let plain = |qname: &str, do_bit| {
        let query = query(qname, 1, do_bit, 4096);
        let mut out = [0; 65_535];
        let peer = IpAddr::from([10, 1, 0, 1]);
        let asked = Asked { packet: &query, peer, transport: Transport::Udp, random: 0 };
        let octets = answer(&TABLES, &asked, &mut out).octets;
        let message = Message::from_octets(&out[..octets]).unwrap();
        let records = [message.answer().unwrap(), message.authority().unwrap()].map(owned).concat();
        records.iter().map(Record::rtype).collect::<BTreeSet<_>>()
    };
    assert_eq!(plain("cdn.test", 0), [Rtype::A].into());
    assert_eq!(plain("nope.test", 0), [Rtype::SOA].into());
    assert_eq!(plain("x.cut.test", 0), [Rtype::NS].into());
    assert_eq!(plain("q.wild.test", 0), [Rtype::SOA].into());
    assert_eq!(plain("cdn.test", 0x80), [Rtype::A, Rtype::RRSIG].into());
}

#[test]
fn a_signed_answer_allocates_nothing() {
    let mut out = [0; 1232];
    let peer = IpAddr::from([10, 1, 0, 1]);
    LazyLock::force(&TABLES);
    for (qname, qtype) in [("cdn.test", 1), ("x.cdn.test", 28), ("nope.test", 1), ("x.cut.test", 1)]
    {
        let query = query(qname, qtype, 0x80, 1232);
        let asked = Asked { packet: &query, peer, transport: Transport::Udp, random: 0 };
        let counted = allocation_counter::measure(|| {
            answer(&TABLES, &asked, &mut out);
        });
        assert_eq!(counted.count_total, 0, "{qname}");
    }
}

#[test]
fn what_does_not_fit_is_left_out_whole() {
    let more: String = (0..12).map(|text| format!("big 60 TXT \"{text:0>60}\"\n")).collect();
    let tables = signed(13, &more);
    // Room for the records, not for their signature too.
    for (payload, expected) in [(900, Reason::Static), (1232, Reason::Static)] {
        let query = query("big.test", 16, 0x80, payload);
        let mut out = [0; 1232];
        let peer = IpAddr::from([10, 1, 0, 1]);
        let asked = Asked { packet: &query, peer, transport: Transport::Udp, random: 0 };
        let answered = answer(&tables, &asked, &mut out);
        assert_eq!(answered.reason, expected);
        let message = Message::from_octets(&out[..answered.octets]).unwrap();
        let count = message.header_counts().ancount();
        assert_eq!(
            (message.header().tc(), count),
            if payload == 900 { (true, 0) } else { (false, 13) }
        );
    }
}

#[test]
fn every_set_that_steering_chooses_is_signed_whichever_edges_are_up() {
    let tables = signed(15, "");
    let key = dnskey(&tables);
    let mut seen = BTreeSet::new();
    for down in 0..8usize {
        for (index, edge) in tables.policy.edges.iter().enumerate() {
            edge.state.set_up(down >> index & 1 == 0);
        }
        for region in [1, 2, 3] {
            for block in 0..20 {
                for qname in ["cdn.test", "any.cdn.test"] {
                    for qtype in [1, 28] {
                        let client = format!("10.{region}.{block}.1");
                        let (rcode, answer, _) = ask(&tables, qname, qtype, &client);
                        assert_eq!(rcode, Rcode::NOERROR);
                        assert!(verify_all(&key, &answer).is_empty());
                        let mut set: Vec<_> =
                            answer.iter().map(|record| record.data().to_string()).collect();
                        set.retain(|data| data.len() < 20);
                        set.sort();
                        assert!(!set.is_empty());
                        seen.insert((qname, set));
                    }
                }
            }
        }
    }
    assert!(seen.len() > 10, "different ones: {seen:?}");
    assert!(seen.iter().any(|(_, set)| set == &["192.0.2.99"]), "the fallback");
}

#[test]
fn sets_are_all_that_can_be_chosen_and_no_more() {
    let policy = &TABLES.policy;
    let mut name =
        crate::steer::Steered { ttl: 20, answers: 1, default_region: 0, all_down: AllDown::All };
    // n has two addresses, s1 one, s2 three.
    for (answers, expected, why) in [
        (1, 2 + 1 + 3, "each address"),
        (2, 1 + 2 + 1 + 3 + 3, "n; n and s1's rest; s1 alone; s2's pairs; s1 and one of s2"),
        (6, 7, "all of any edges"),
        (16, 7, "no more than there are"),
    ] {
        name.answers = answers;
        let sets = super::sets::all(policy, &name, Family::V4).unwrap();
        assert_eq!(sets.len(), expected, "{why}");
    }
}

#[test]
fn a_new_day_brings_new_signatures_and_a_new_serial() {
    let serial = |tables: &Tables| {
        records(tables).iter().find_map(|record| match record.data() {
            AllRecordData::Soa(soa) => Some(soa.serial()),
            _ => None,
        })
    };
    let days = (NOW / DAY) as u32;
    assert_eq!(serial(&TABLES), Some(Serial(7 + days)));
    assert!(renewed(&TABLES, NOW + DAY - 1).unwrap().is_none(), "the same day");
    let next = renewed(&TABLES, NOW + DAY).unwrap().unwrap();
    assert_eq!(serial(&next), Some(Serial(8 + days)));
    assert_eq!(verify_all(&dnskey(&next), &records(&next)).len(), 3);
    let held = records(&next).iter().all(|record| match record.data() {
        AllRecordData::Rrsig(rrsig) => {
            u64::from(rrsig.expiration().into_int()) == NOW + 15 * DAY
                && u64::from(rrsig.inception().into_int()) == NOW + DAY - 3600
        }
        _ => true,
    });
    assert!(held, "for 14 days, from an hour before");
    assert_eq!(records(&next).len(), records(&TABLES).len(), "nothing is there twice");
}

proptest! {
    /// RFC 4035 §3.1.3.2: for a name that is not there both NSEC records are; for others nothing false is said.
    #[test]
    fn names_that_are_not_there_are_covered(labels in prop::collection::vec("[a-z*]{1,3}|wild|ent|cdn|y", 1..5)) {
        let qname = format!("{}.test", labels.join("."));
        let (rcode, answer, authority) = ask(&TABLES, &qname, 99, "10.1.0.1");
        let key = dnskey(&TABLES);
        prop_assert!(verify_all(&key, &answer).is_empty());
        prop_assert!(verify_all(&key, &authority).is_empty());
        let name: Name<Vec<u8>> = qname.parse().unwrap();
        if rcode == Rcode::NXDOMAIN {
            prop_assert!(is_covered(&authority, &name));
            let wildcards = (1..=labels.len()).map(|skipped| {
                let rest: String = labels[skipped..].iter().map(|label| format!("{label}.")).collect();
                format!("*.{rest}test")
            });
            prop_assert!(wildcards.into_iter().any(|w| is_covered(&authority, &w.parse().unwrap())));
        }
    }
}

#[test]
fn mistakes_with_keys_and_sets_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let text = zone_file(directory.path(), 13, "");
    let other = keygen("other.test", 13).unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("other.key", &other.public);
    write("other.private", &other.private);
    let own = keygen("test", 13).unwrap();
    write("mixed.key", &own.public);
    write("mixed.private", &other.private);
    write("rsa.key", "test. IN DNSKEY 257 3 8 AwEAAa==\n");
    write("rsa.private", "");
    write("text.key", &own.public);
    write("text.private", "hello");
    let key = text.lines().find(|line| line.starts_with("key = ")).unwrap();
    let with = |name: &str| text.replace(key, &format!("key = \"{name}\""));
    let edges: String = (0..70)
        .map(|edge| format!("[[edge]]\nname = \"e{edge}\"\nregion = \"north\"\naddresses = [\"10.9.9.{edge}\"]\n"))
        .collect();
    let many = text.replace(
        "[[steer]]\nname = \"cdn.test\"",
        &format!("{edges}[[steer]]\nname = \"cdn.test\""),
    );
    for (text, expected, why) in [
        (with("none"), "none.key: cannot read", "no such file"),
        (with("other"), "other.key: is a key of other.test., not of test.", "another zone's"),
        (with("mixed"), "mixed.private: is not the private key of the public one", "of two pairs"),
        (with("rsa"), "rsa.key: has algorithm 8; allowed: 13", "an old algorithm"),
        (with("text"), "text.private: is not a private key", "no key"),
        (many, "steer.name: \"cdn.test\" has more than 4096 sets of IPv4", "too many sets"),
        (
            text.replace(", \"2001:db8::99\"", ""),
            "steer.name: \"cdn.test\" needs IPv6 addresses in `fallback`",
            "A NODATA that contradicts NSEC",
        ),
        (
            text.replace("caa 60 CAA", "caa 60 NSEC b.test. A\ncaa 60 CAA"),
            "signs the zone; caa.test. NSEC is made so",
            "signed twice",
        ),
        (
            format!(
                "[[zone]]\nname = \"a.b.test\"\nrecords = '''\n@ SOA n h 1 2 3 4 5\n@ NS n\n'''\n{text}"
            ),
            "zone.name: \"a.b.test\" needs NS records in test. above it",
            "denied by the zone above",
        ),
    ] {
        let path = directory.path().join("zone.toml");
        std::fs::write(&path, &text).unwrap();
        let config = Config { zone: Some(ZoneSource::File(path)), ..Config::default() };
        let error = load::load(&config).unwrap_err().to_string();
        assert!(error.contains(expected), "{why}: {error}");
    }
}
