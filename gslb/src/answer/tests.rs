//! Answers to whole packets, checked with `domain` as the oracle.

use super::*;
use crate::{Config, ZoneSource, load};
use domain::base::iana::Class;
use domain::base::{Message, MessageBuilder, Name, Rtype, opt::AllOptData};
use domain::rdata::AllRecordData;
use std::sync::LazyLock;

const ZONES: &str = r#"
[[zone]]
name = "cdn.test."
records = '''
@ 3600 SOA ns1 host 1 3600 600 86400 60
@ 3600 NS ns1
ns1 3600 A 192.0.2.53
txt 60 TXT "one" "two"
mail 60 MX 10 ns1
caa 60 TYPE257 \# 14 0005697373756563612e74657374
*.wild 60 A 192.0.2.99
a.b.ent 60 A 192.0.2.98
sub 60 NS ns.sub
sub 60 NS ns.far.test.
ns.sub 60 A 192.0.2.97
out 60 CNAME www.far.test.
cut 60 CNAME x.sub
loop1 60 CNAME loop2
loop2 60 CNAME loop1
dangling 60 CNAME gone
big 60 TXT "01234567890123456789012345678901234567890123456789012345678901234567890123456789"
big 60 TXT "11234567890123456789012345678901234567890123456789012345678901234567890123456789"
big 60 TXT "21234567890123456789012345678901234567890123456789012345678901234567890123456789"
big 60 TXT "31234567890123456789012345678901234567890123456789012345678901234567890123456789"
big 60 TXT "50000000000000000000000000000000000000000000000000000000000000000000000000000000"
big 60 TXT "41234567890123456789012345678901234567890123456789012345678901234567890123456789"
'''
[[zone]]
name = "customer.test."
records = '''
@ 300 SOA ns1.cdn.test. host 1 3600 600 86400 900
@ 3600 NS ns1.cdn.test.
'''
[[region]]
name = "north"
prefixes = ["10.1.0.0/16", "192.0.2.0/24"]
[[region]]
name = "south"
prefixes = ["10.2.0.0/16"]
[[edge]]
name = "n"
region = "north"
addresses = ["127.0.0.1"]
[[edge]]
name = "s"
region = "south"
addresses = ["127.0.0.2"]
[[steer]]
name = "customer.cdn.test."
ttl = 20
[[steer]]
name = "*.many.cdn.test."
[[onboard]]
customer = "www.customer.test."
cname = "customer.cdn.test."
"#;

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let zone = ZoneSource::Inline { name: "test".to_owned(), text: ZONES.to_owned() };
    load::load(&Config { zone: Some(zone), ..Config::default() }).unwrap().0
});

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

/// A query; `subnet` is the option's data.
fn query(name: &str, qtype: Rtype, edns: Option<(u16, Option<&[u8]>)>) -> Vec<u8> {
    let mut message = MessageBuilder::new_vec();
    message.header_mut().set_id(0x1234);
    message.header_mut().set_rd(true);
    let mut message = message.question();
    let name: Name<Vec<u8>> = name.parse().unwrap();
    message.push((name, qtype, Class::IN)).unwrap();
    let mut message = message.additional();
    if let Some((payload, subnet)) = edns {
        message
            .opt(|opt| {
                opt.set_udp_payload_size(payload);
                subnet.map_or(Ok(()), |data| {
                    opt.push_raw_option(8.into(), data.len() as u16, |out| {
                        domain::dep::octseq::OctetsBuilder::append_slice(out, data)
                    })
                })
            })
            .unwrap();
    }
    message.finish()
}

fn ask(packet: &[u8], transport: Transport) -> (Vec<u8>, Answered) {
    let mut out = vec![0; 65_535];
    let asked = Asked { packet, peer: PEER, transport, random: 0, moment: Moment::default() };
    let answered = answer(&TABLES, &asked, &mut out);
    out.truncate(answered.octets);
    (out, answered)
}

/// `RCODE FLAGS | answer | authority | additional`, without the OPT record.
fn shown(packet: &[u8]) -> String {
    let message = Message::from_octets(packet).unwrap();
    let header = message.header();
    let mut text = message.opt_rcode().to_string();
    for (set, flag) in [(header.aa(), " aa"), (header.tc(), " tc"), (header.ra(), " ra")] {
        text += if set { flag } else { "" };
    }
    let mut section = message.answer().unwrap();
    loop {
        text += " |";
        for record in section.by_ref() {
            let record = record.unwrap();
            if record.rtype() != Rtype::OPT {
                let record = record.into_any_record::<AllRecordData<_, _>>().unwrap();
                let (owner, ttl) = (record.owner(), record.ttl().as_secs());
                text += &format!(" {owner} {ttl} {} {};", record.rtype(), record.data());
            }
        }
        match section.next_section().unwrap() {
            Some(next) => section = next,
            None => return text,
        }
    }
}

const SOA: &str = "cdn.test 60 SOA ns1.cdn.test. host.cdn.test. 1 3600 600 86400 60;";

#[test]
fn answers() {
    use Rtype as T;
    // An authoritative answer with these records.
    let yes = |records: &str| format!("NOERROR aa | {records}; | |");
    let soa_only = |rcode: &str| format!("{rcode} aa | | {SOA} |");
    let cases: &[(&str, Rtype, String, &str)] = &[
        ("ns1.cdn.test", T::A, yes("ns1.cdn.test 3600 A 192.0.2.53"), "A"),
        (
            "TXT.cdn.test",
            T::TXT,
            yes("TXT.cdn.test 60 TXT \"one\" \"two\""),
            "TXT, in the asker's case",
        ),
        ("mail.cdn.test", T::MX, yes("mail.cdn.test 60 MX 10 ns1.cdn.test."), "MX"),
        ("cdn.test", T::NS, yes("cdn.test 3600 NS ns1.cdn.test."), "NS of the apex"),
        (
            "cdn.test",
            T::SOA,
            yes("cdn.test 3600 SOA ns1.cdn.test. host.cdn.test. 1 3600 600 86400 60"),
            "SOA",
        ),
        ("nope.cdn.test", T::A, soa_only("NXDOMAIN"), "RFC 2308 §5: TTL is min(3600, 60)"),
        (
            "nope.customer.test",
            T::A,
            "NXDOMAIN aa | | customer.test 300 SOA ns1.cdn.test. host.customer.test. \
             1 3600 600 86400 900; |"
                .into(),
            "RFC 2308 §5: min(300, 900)",
        ),
        ("txt.cdn.test", T::A, soa_only("NOERROR"), "NODATA"),
        (
            "b.ent.cdn.test",
            T::A,
            soa_only("NOERROR"),
            "RFC 8020 §2: an empty non-terminal is NODATA",
        ),
        ("x.wild.cdn.test", T::A, yes("x.wild.cdn.test 60 A 192.0.2.99"), "a wildcard"),
        ("x.wild.cdn.test", T::TXT, soa_only("NOERROR"), "a wildcard without the type"),
        (
            "www.customer.test",
            T::A,
            yes("www.customer.test 300 CNAME customer.cdn.test.; \
             customer.cdn.test 20 A 127.0.0.1"),
            "CNAME and address in one",
        ),
        (
            "www.customer.test",
            T::CNAME,
            yes("www.customer.test 300 CNAME customer.cdn.test."),
            "the CNAME itself",
        ),
        (
            "www.customer.test",
            T::AAAA,
            format!("NOERROR aa | www.customer.test 300 CNAME customer.cdn.test.; | {SOA} |"),
            "no edge has IPv6: NODATA of the last name",
        ),
        ("q.many.cdn.test", T::A, yes("q.many.cdn.test 20 A 127.0.0.1"), "a steered wildcard"),
        ("customer.cdn.test", T::TXT, soa_only("NOERROR"), "a steered name has addresses only"),
        (
            "out.cdn.test",
            T::A,
            yes("out.cdn.test 60 CNAME www.far.test."),
            "a CNAME out of our zones",
        ),
        (
            "cut.cdn.test",
            T::A,
            "NOERROR aa | cut.cdn.test 60 CNAME x.sub.cdn.test.; | sub.cdn.test 60 NS ns.sub.cdn.test.; \
             sub.cdn.test 60 NS ns.far.test.; | ns.sub.cdn.test 60 A 192.0.2.97;"
                .into(),
            "RFC 1034 §4.3.2 3b: a CNAME that leads below a cut comes with the referral",
        ),
        (
            "dangling.cdn.test",
            T::A,
            format!("NXDOMAIN aa | dangling.cdn.test 60 CNAME gone.cdn.test.; | {SOA} |"),
            "RFC 6604 §3: the last name's code",
        ),
        (
            "x.sub.cdn.test",
            T::A,
            "NOERROR | | sub.cdn.test 60 NS ns.sub.cdn.test.; sub.cdn.test 60 NS ns.far.test.; | \
             ns.sub.cdn.test 60 A 192.0.2.97;"
                .into(),
            "a referral with glue, not authoritative",
        ),
        ("sub.cdn.test", T::DS, soa_only("NOERROR"), "RFC 4035 §3.1.4.1: DS is ours to answer"),
        ("cdn.test", T::ANY, yes("cdn.test 3600 HINFO \"RFC8482\" \"\""), "RFC 8482 §4.2"),
        ("nope.cdn.test", T::ANY, soa_only("NXDOMAIN"), "ANY of no name"),
        ("far.test", T::A, "REFUSED | | |".into(), "not our zone"),
        (".", T::NS, "REFUSED | | |".into(), "the root"),
        ("cdn.test", T::AXFR, "REFUSED | | |".into(), "no transfers"),
    ];
    for (name, qtype, expected, why) in cases {
        let (packet, _) = ask(&query(name, *qtype, None), Transport::Udp);
        assert_eq!(&shown(&packet), expected, "{name} {qtype}: {why}");
        assert_eq!(packet[2] & 1, 1, "RD is copied");
    }
    let (packet, _) = ask(&query("caa.cdn.test", Rtype::from_int(257), None), Transport::Udp);
    assert!(packet.ends_with(b"\x00\x05issueca.test"), "CAA, and any type by RFC 3597 §5");
    let (packet, _) = ask(&query("loop1.cdn.test", Rtype::A, None), Transport::Udp);
    assert_eq!(u16::from_be_bytes([packet[6], packet[7]]) as usize, CNAMES_MAX + 1, "loops end");
}

#[test]
fn client_subnets_and_edns() {
    // (address octets, source) of IPv4; the address answered, the scope.
    for (data, address, scope, why) in [
        (&[0, 1, 24, 0, 10, 1, 2][..], "127.0.0.1", Some(16), "north, by its /16"),
        (&[0, 1, 24, 0, 10, 2, 2], "127.0.0.2", Some(16), "south"),
        (&[0, 1, 8, 0, 10], "127.0.0.1", Some(16), "RFC 7871 §7.2.1: scope longer than source"),
        (&[0, 1, 24, 0, 10, 3, 0], "127.0.0.1", Some(16), "the default region, told from 10.2/16"),
        (&[0, 1, 0, 0], "127.0.0.1", Some(0), "/0: by the resolver, scope 0"),
        (&[0, 2, 32, 0, 0x20, 1, 0xd, 0xb8], "127.0.0.1", Some(0), "no IPv6 prefix: all alike"),
        (&[0, 1, 20, 0, 10, 1, 0x2f], "", None, "RFC 7871 §7.2.1: bits beyond the prefix"),
        (&[0, 9, 0, 0], "", None, "an unknown family"),
    ] {
        let asked = query("www.customer.test", Rtype::A, Some((1232, Some(data))));
        let (packet, answered) = ask(&asked, Transport::Udp);
        let Some(scope) = scope else {
            assert_eq!(
                (shown(&packet).as_str(), answered.reason),
                ("FORMERR | | |", Reason::Malformed),
                "{why}"
            );
            continue;
        };
        assert!(shown(&packet).contains(&format!("A {address};")), "{why}: {}", shown(&packet));
        let message = Message::from_octets(&packet[..]).unwrap();
        let opt = message.opt().unwrap();
        let Some(Ok(AllOptData::ClientSubnet(echoed))) = opt.opt().iter().next() else {
            panic!("{why}: no subnet in the answer")
        };
        assert_eq!(
            (echoed.source_prefix_len(), echoed.scope_prefix_len()),
            (data[2], scope),
            "{why}"
        );
    }
    let (packet, _) = ask(
        &query("txt.cdn.test", Rtype::TXT, Some((4096, Some(&[0, 1, 8, 0, 10])))),
        Transport::Udp,
    );
    assert_eq!(packet[packet.len() - 2], 0, "scope 0: the answer is everybody's");
    let (packet, _) = ask(&query("txt.cdn.test", Rtype::TXT, None), Transport::Udp);
    assert!(
        Message::from_octets(&packet[..]).unwrap().opt().is_none(),
        "RFC 6891 §7: only when asked"
    );
    let mut version_1 = query("txt.cdn.test", Rtype::TXT, Some((4096, None)));
    let at = version_1.len() - 5;
    version_1[at] = 1;
    let (packet, _) = ask(&version_1, Transport::Udp);
    assert_eq!(shown(&packet), "BADVERS | | |", "RFC 6891 §6.1.3");
}

#[test]
fn answers_fit_or_are_truncated_between_rrsets() {
    for (payload, transport, fits, why) in [
        (None, Transport::Udp, false, "512 without EDNS"),
        (Some(100), Transport::Udp, false, "RFC 6891 §6.2.3: less than 512 counts as 512"),
        (Some(700), Transport::Udp, true, "what the asker can take"),
        (None, Transport::Tcp, true, "TCP takes all"),
    ] {
        let asked = query("big.cdn.test", Rtype::TXT, payload.map(|payload| (payload, None)));
        let (packet, answered) = ask(&asked, transport);
        let records = u16::from_be_bytes([packet[6], packet[7]]);
        assert_eq!((answered.truncated, records), (!fits, if fits { 6 } else { 0 }), "{why}");
        assert_eq!(shown(&packet).contains(" tc"), !fits, "{why}");
    }
}

#[test]
fn what_is_no_query() {
    let good = query("cdn.test", Rtype::SOA, None);
    let with = |at: usize, octet: u8| {
        let mut packet = good.clone();
        packet[at] = octet;
        packet
    };
    for (packet, rcode, why) in [
        (good[..11].to_vec(), None, "no whole header"),
        (with(2, 0x80), None, "a response"),
        (with(2, 0x28), Some(4), "UPDATE: NOTIMP"),
        (with(2, 0x20), Some(4), "NOTIFY: NOTIMP"),
        (with(5, 0), Some(1), "no question: FORMERR"),
        (with(5, 2), Some(1), "two questions: FORMERR"),
        (with(good.len() - 1, 3), Some(5), "class CH: REFUSED"),
        (with(good.len() - 1, 255), Some(5), "class ANY: REFUSED"),
        (with(12, 0xc0), Some(1), "a pointer in the question: FORMERR"),
        ([&good[..], &[0]].concat(), Some(1), "octets behind the end: FORMERR"),
    ] {
        let (answer, _) = ask(&packet, Transport::Udp);
        assert_eq!(answer.get(3).map(|octet| octet & 15), rcode, "{why}");
        if rcode.is_some() {
            assert_eq!(answer[..2], packet[..2], "{why}: the ID is kept");
            assert_eq!(answer[2] & 0x80, 0x80, "{why}: QR");
        }
    }
}

#[test]
fn answering_allocates_nothing() {
    let mut out = vec![0; 1232];
    let packets = [
        query("www.customer.test", Rtype::A, Some((1232, Some(&[0, 1, 24, 0, 10, 1, 2])))),
        query("nope.cdn.test", Rtype::A, None),
        query("x.sub.cdn.test", Rtype::A, None),
        vec![0; 20],
    ];
    LazyLock::force(&TABLES);
    for packet in packets {
        let asked = Asked {
            packet: &packet,
            peer: PEER,
            transport: Transport::Udp,
            random: 0,
            moment: Moment::default(),
        };
        let counted = allocation_counter::measure(|| {
            answer(&TABLES, &asked, &mut out);
        });
        assert_eq!(counted.count_total, 0);
    }
}

#[test]
fn an_answer_to_a_malformed_query_has_an_opt_record_if_that_had_one() {
    let question = b"\x08customer\x03cdn\x04test\x00\x00\x01\x00\x01";
    let plain = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";
    let cut = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x04\x00\x08\x00\x07";
    let record = b"\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00";
    type Row<'a> = (&'a [&'a [u8]], [u16; 3], bool, &'a str);
    let cases: [Row<'_>; 7] = [
        (&[cut], [0, 0, 1], true, "an option cut off"),
        (&[plain, plain], [0, 0, 2], true, "two"),
        (&[record, cut], [0, 0, 2], true, "behind another record"),
        (&[plain], [1, 0, 0], true, "in the wrong section"),
        (&[b"x"], [0, 0, 0], false, "none, and an octet left over"),
        (&[record], [0, 0, 2], false, "none, and a record that is not there"),
        (&[&plain[..9]], [0, 0, 1], false, "half of one"),
    ];
    for (records, counts, expected, why) in cases {
        let mut packet = b"\x12\x34\x00\x00\x00\x01".to_vec();
        counts.iter().for_each(|count| packet.extend(count.to_be_bytes()));
        packet.extend(question);
        packet.extend(records.concat());
        let mut out = [0; 512];
        let (transport, moment) = (Transport::Udp, Moment::default());
        let asked = Asked { packet: &packet, peer: PEER, transport, random: 0, moment };
        let answered = answer(&TABLES, &asked, &mut out);
        assert_eq!((answered.rcode, out[3] & 15), (crate::wire::Rcode::FormErr, 1), "{why}");
        assert_eq!(out[11] == 1, expected, "{why}");
        let opt: &[u8] = if expected { plain } else { b"" };
        let end = &out[HEADER_OCTETS + question.len()..answered.octets];
        assert_eq!(end, opt, "RFC 6891 §6.1.1: {why}");
    }
}
