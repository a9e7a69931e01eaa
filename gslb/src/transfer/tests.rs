//! Transfers message by message, with `domain` as the oracle.

use super::*;
use crate::answer::{Asked, Reason, Transport, answer};
use crate::mode::Moment;
use crate::{Config, ZoneSource, load};
use domain::base::{Message, Name, Rtype, ToName};
use std::collections::BTreeSet;
use std::fmt::Write as _;

const STEERING: &str = r#"
[[region]]
name = "north"
[[region]]
name = "south"
[[edge]]
name = "n"
region = "north"
addresses = ["192.0.2.1", "192.0.2.2"]
[[edge]]
name = "off"
region = "north"
capacity = 0
addresses = ["192.0.2.3"]
[[edge]]
name = "s"
region = "south"
addresses = ["192.0.2.9", "2001:db8::9"]
[[steer]]
name = "*.steered.test."
ttl = 7
[[onboard]]
customer = "www.test."
cname = "a.steered.test."
"#;

fn tables(records: &str, keys: &str) -> Arc<Tables> {
    let soa_ns = "@ 60 SOA ns host 7 2 3 4 60\n@ 60 NS ns\nns 60 A 192.0.2.53\n";
    let text = format!(
        "[[zone]]\nname = \"Test.\"\n{keys}\nrecords = '''\n{soa_ns}{records}'''\n{STEERING}"
    );
    let zone = Some(ZoneSource::Inline { name: "test".to_owned(), text });
    Arc::new(load::load(&Config { zone, ..Config::default() }).unwrap().0)
}

/// A query for `test.`; `serial` is that of a SOA in the authority section.
fn query(qtype: u16, serial: Option<u32>) -> Vec<u8> {
    let counts = if serial.is_some() { 1 } else { 0 };
    let mut query = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, counts, 0, 0];
    query.extend_from_slice(b"\x04tesT\x00");
    query.extend([qtype, 1].iter().flat_map(|word| word.to_be_bytes()));
    if let Some(serial) = serial {
        query.extend_from_slice(b"\xc0\x0c\x00\x06\x00\x01\x00\x00\x00\x00\x00\x16\x00\x00");
        query.extend([serial, 1, 1, 1, 1].iter().flat_map(|word| word.to_be_bytes()));
    }
    query
}

/// Every message, and every record in text, in order.
fn transferred(tables: &Arc<Tables>) -> (Vec<usize>, Vec<String>) {
    let mut transfer = Transfer::begin(tables, &query(252, None)).unwrap();
    let (mut out, mut sizes, mut records) = (vec![0; 65_535], Vec::new(), Vec::new());
    while let Some(octets) = transfer.next_message(&mut out) {
        let message = Message::from_octets(&out[..octets]).unwrap();
        assert!(message.header().qr() && message.header().aa());
        assert_eq!(message.header().id(), 0x1234);
        let question = message.question().next().map(|question| question.unwrap().qtype());
        assert_eq!(question, sizes.is_empty().then_some(Rtype::AXFR), "RFC 5936 §2.2.1");
        for record in message.answer().unwrap() {
            let record = record.unwrap();
            let (owner, ttl): (Name<Vec<u8>>, _) =
                (record.owner().to_name(), record.ttl().as_secs());
            let data = record.to_any_record::<domain::rdata::AllRecordData<_, _>>().unwrap();
            records.push(format!("{owner} {ttl} {} {}", data.rtype(), data.data()));
        }
        sizes.push(octets);
    }
    (sizes, records)
}

#[test]
fn a_small_zone_is_one_message_with_the_soa_first_and_last() {
    let records = "sub 60 NS ns.sub\nns.sub 60 A 192.0.2.98\n*.w 60 TXT x\na.b.ent 60 MX 1 ns\n";
    let (sizes, records) = transferred(&tables(records, ""));
    assert_eq!(sizes.len(), 1);
    let soa = "test 60 SOA ns.test. host.test. 7 2 3 4 60";
    assert_eq!(records.first().map(String::as_str), Some(soa));
    assert_eq!(records.last().map(String::as_str), Some(soa));
    let between: BTreeSet<_> = records[1..records.len() - 1].iter().map(String::as_str).collect();
    let expected = [
        "test 60 NS ns.test.",
        "ns.test 60 A 192.0.2.53",
        "sub.test 60 NS ns.sub.test.",
        "ns.sub.test 60 A 192.0.2.98",
        "*.w.test 60 TXT \"x\"",
        "a.b.ent.test 60 MX 1 ns.test.",
        // Steered names by their default region; AAAA by the next that has any.
        "*.steered.test 7 A 192.0.2.1",
        "*.steered.test 7 A 192.0.2.2",
        "*.steered.test 7 AAAA 2001:db8::9",
        "www.test 300 CNAME a.steered.test.",
    ];
    assert_eq!(between, BTreeSet::from(expected));
    assert_eq!(records.len(), expected.len() + 2, "each once");
}

#[test]
fn a_large_zone_is_many_messages_of_a_bounded_size() {
    let mut records = String::new();
    for host in 0..5000 {
        let _ = writeln!(records, "host{host} 60 A 192.0.2.{}", host % 256);
    }
    for text in 0..100 {
        let _ = writeln!(records, "many 60 TXT \"{text:0>200}\"");
    }
    let _ = writeln!(records, "large 60 TYPE65280 \\# 50000 {}", "ab".repeat(50_000));
    let (sizes, records) = transferred(&tables(&records, ""));
    let above = sizes.iter().filter(|octets| **octets > MESSAGE_OCTETS_MAX).count();
    assert_eq!(above, 1, "the record that is larger than a message usually is: {sizes:?}");
    assert!(sizes.len() > 10, "{sizes:?}");
    let different: BTreeSet<_> = records.iter().collect();
    assert_eq!(records.len() - 1, different.len(), "each once, the SOA twice");
    let hosts = records.iter().filter(|record| record.starts_with("host")).count();
    let many = records.iter().filter(|record| record.starts_with("many")).count();
    assert_eq!((hosts, many), (5000, 100));
}

#[test]
fn serials_wrap() {
    for (serial, other, expected, why) in [
        (7, 7, true, "the same"),
        (8, 7, true, "newer"),
        (7, 8, false, "older"),
        (1, u32::MAX, true, "RFC 1982 §3.2: newer across the end"),
        (u32::MAX, 1, false, "older across the end"),
        (0x8000_0000, 0, false, "undefined: the whole zone is the safe answer"),
    ] {
        assert_eq!(is_current(serial, other), expected, "{why}");
    }
}

#[test]
fn who_gets_what() {
    let tables = tables("", "transfer_to = [\"192.0.2.0/25\", \"2001:db8::53\"]");
    let (udp, tcp) = (Transport::Udp, Transport::Tcp);
    let malformed = query(251, None);
    for (peer, transport, query, expected, rcode, why) in [
        ("192.0.2.9", tcp, query(252, None), Reason::Transfer, 0, "a secondary"),
        ("::ffff:192.0.2.9", tcp, query(252, None), Reason::Transfer, 0, "by IPv4 in IPv6"),
        ("2001:db8::53", tcp, query(251, Some(6)), Reason::Transfer, 0, "IXFR from an old one"),
        ("192.0.2.9", tcp, query(251, Some(7)), Reason::Static, 0, "RFC 1995 §2: up to date"),
        ("192.0.2.9", udp, query(251, Some(6)), Reason::Static, 0, "RFC 1995 §2: over TCP, please"),
        ("192.0.2.9", tcp, malformed, Reason::Malformed, 1, "RFC 1995 §3: without its SOA"),
        ("192.0.2.9", udp, query(252, None), Reason::Refused, 5, "RFC 5936 §4.2"),
        ("192.0.2.129", tcp, query(252, None), Reason::Refused, 5, "somebody"),
        ("2001:db8::54", tcp, query(251, Some(6)), Reason::Refused, 5, "somebody"),
    ] {
        let mut out = [0; 65_535];
        let asked = Asked {
            packet: &query,
            peer: peer.parse().unwrap(),
            transport,
            random: 0,
            moment: Moment::default(),
        };
        let answered = answer(&tables, &asked, &mut out);
        assert_eq!((answered.reason, out[3] & 15), (expected, rcode), "{why}");
        let records = if expected == Reason::Static { 1 } else { 0 };
        assert_eq!(out[7], records, "{why}: a single SOA");
    }
}

#[test]
fn a_change_without_a_new_serial_is_noticed() {
    let keys = "transfer_to = [\"192.0.2.9\"]";
    let before = tables("a 60 A 192.0.2.1\nb 60 A 192.0.2.1\nb 60 A 192.0.2.2\n", keys);
    for (records, keys, expected, why) in [
        ("b 60 A 192.0.2.2\nb 60 A 192.0.2.1\na 60 A 192.0.2.1\n", keys, 0, "another order"),
        ("a 61 A 192.0.2.1\nb 60 A 192.0.2.1\nb 60 A 192.0.2.2\n", keys, 1, "a TTL"),
        ("a 60 A 192.0.2.1\nb 60 A 192.0.2.1\n", keys, 1, "a record less"),
        ("a 60 A 192.0.2.1\n", "", 0, "nobody to miss it"),
    ] {
        let after = tables(records, keys);
        assert_eq!(unannounced(&before.zones, &after.zones).len(), expected, "{why}");
    }
}
