//! Cookies, options, bounds, limits and modes, by whole packets.

use crate::answer::{self, Answered, Asked, Reason, Tables, Transport, answer};
use crate::limit::{Limiter, Verdict};
use crate::mode::{Mode, Moment};
use crate::steer::Why;
use crate::wire::cookie::Standing;
use crate::wire::query::Query;
use crate::{Config, ZoneSource, load};
use Transport::{Tcp, Udp};
use domain::base::{Message, iana::OptRcode};
use proptest::prelude::*;
use std::net::IpAddr;
use std::sync::LazyLock;

const FILE: &str = r#"
[[zone]]
name = "cdn.test."
records = '''
@ 3600 SOA ns1 host 1 3600 600 86400 60
@ 3600 NS ns1
ns1 3600 A 192.0.2.53
*.wild 60 A 192.0.2.99
sub 60 NS ns.far.test.
big 60 TXT "01234567890123456789012345678901234567890123456789012345678901234567890123456789"
big 60 TXT "11234567890123456789012345678901234567890123456789012345678901234567890123456789"
big 60 TXT "21234567890123456789012345678901234567890123456789012345678901234567890123456789"
big 60 TXT "31234567890123456789012345678901234567890123456789012345678901234567890123456789"
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
addresses = ["127.0.0.1"]
[[edge]]
name = "s"
region = "south"
addresses = ["127.0.0.2"]
[[steer]]
name = "www.cdn.test."
[[steer]]
name = "dark.cdn.test."
all_down = "nothing"
[dns]
nsid = "fra-1"
cookie_secret = "e5e973e5a6b2a43f48e7dc849e37bfcf"
[limit]
rate = 3
[backup]
ttl_factor = 6
"#;

fn load(text: &str) -> Tables {
    let zone = ZoneSource::Inline { name: "test".to_owned(), text: text.to_owned() };
    load::load(&Config { zone: Some(zone), ..Config::default() }).unwrap().0
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| load(FILE));

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 2, 0, 7));
const NOW: u32 = 1_700_000_000;
const A: u16 = 1;
const TXT: u16 = 16;
const AXFR: u16 = 252;
const COOKIE: &[u8] = b"\x00\x0a\x00\x08clientid";
const NSID: &[u8] = b"\x00\x03\x00\x00";
const KEEPALIVE: &[u8] = b"\x00\x0b\x00\x00";

/// A query for `name` in class IN; with an OPT record if there are options, be they none.
fn query(name: &str, qtype: u16, options: Option<&[u8]>) -> Vec<u8> {
    let additionals = u8::from(options.is_some());
    let mut packet = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, additionals];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        packet.push(label.len() as u8);
        packet.extend_from_slice(label.as_bytes());
    }
    packet.push(0);
    packet.extend_from_slice(&qtype.to_be_bytes());
    packet.extend_from_slice(&[0, 1]);
    if let Some(options) = options {
        packet.extend_from_slice(&[0, 0, 41, 16, 0, 0, 0, 0, 0]);
        packet.extend_from_slice(&(options.len() as u16).to_be_bytes());
        packet.extend_from_slice(options);
    }
    packet
}

fn asked(packet: &[u8], transport: Transport, mode: Mode) -> Asked<'_> {
    Asked { packet, peer: PEER, transport, random: 0, moment: Moment { now: NOW, mode } }
}

fn ask_in(mode: Mode, packet: &[u8], transport: Transport) -> (Vec<u8>, Answered) {
    let mut out = vec![0; 65_535];
    let answered = answer(&TABLES, &asked(packet, transport, mode), &mut out);
    out.truncate(answered.octets);
    (out, answered)
}

fn ask(packet: &[u8], transport: Transport) -> (Vec<u8>, Answered) {
    ask_in(Mode::default(), packet, transport)
}

fn answer_limited(tables: &Tables, asked: &Asked<'_>, out: &mut [u8]) -> Answered {
    let mut query = Query::empty();
    let read = query.read(asked.packet);
    answer::answer_limited(tables, asked, read.map(|()| &query), out)
}

/// Code and data of each option of an answer.
fn options(packet: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let message = Message::from_octets(packet).unwrap();
    let Some(opt) = message.opt() else { return Vec::new() };
    let unknown = opt.opt().iter::<domain::base::opt::UnknownOptData<_>>();
    unknown.map(|it| it.unwrap()).map(|it| (it.code().to_int(), it.data().to_vec())).collect()
}

fn rcode(packet: &[u8]) -> OptRcode {
    Message::from_octets(packet).unwrap().opt_rcode()
}

#[test]
fn options_of_answers() {
    let all = [NSID, COOKIE, KEEPALIVE].concat();
    // Of options that are asked for: code, and the data if it is short.
    type Case<'a> = (&'a str, u16, &'a [u8], Transport, &'a [(u16, &'a [u8])], &'a str);
    let cases: &[Case<'_>] = &[
        ("www.cdn.test", A, b"", Udp, &[], "none asked, none answered"),
        ("www.cdn.test", A, NSID, Udp, &[(3, b"fra-1")], "RFC 5001"),
        ("www.cdn.test", A, COOKIE, Udp, &[(10, b"")], "RFC 7873"),
        ("www.cdn.test", A, COOKIE, Tcp, &[(10, b"")], "over TCP too"),
        ("www.cdn.test", A, KEEPALIVE, Udp, &[], "RFC 7828 §3.3.1: ignored over UDP"),
        ("www.cdn.test", A, KEEPALIVE, Tcp, &[(11, &[0, 100])], "RFC 7828: 10 s"),
        ("www.cdn.test", A, &all, Tcp, &[(10, b""), (3, b"fra-1"), (11, &[0, 100])], "all"),
        ("far.test", A, b"", Udp, &[(15, &[0, 20])], "RFC 8914 §4.21: not authoritative"),
        ("cdn.test", AXFR, b"", Udp, &[(15, b"\x00\x12transfer")], "RFC 8914 §4.19: prohibited"),
        ("far.test", A, COOKIE, Udp, &[(10, b""), (15, &[0, 20])], "both"),
        ("nope.cdn.test", A, b"", Udp, &[], "no such name is no error"),
    ];
    for (name, qtype, asks, transport, expected, why) in cases {
        let (packet, answered) = ask(&query(name, *qtype, Some(asks)), *transport);
        let found = options(&packet);
        let codes: Vec<_> = found.iter().map(|option| option.0).collect();
        assert_eq!(codes, expected.iter().map(|option| option.0).collect::<Vec<_>>(), "{why}");
        for ((code, data), (_, expected)) in found.iter().zip(*expected) {
            match code {
                10 => {
                    assert_eq!((data.len(), &data[..8]), (24, &b"clientid"[..]), "{why}");
                    assert_eq!(answered.standing, Standing::New, "{why}");
                }
                _ => assert_eq!(data, expected, "{why}"),
            }
        }
    }
    let (packet, _) = ask(&query("far.test", A, None), Udp);
    assert!(options(&packet).is_empty(), "without EDNS there is nothing to say");
    let (packet, answered) = ask(&query("cdn.test", A, Some(b"\x00\x0a\x00\x07clienti")), Udp);
    assert_eq!((rcode(&packet), answered.reason), (OptRcode::FORMERR, Reason::Malformed));

    let dark = load(FILE);
    dark.policy.edges.iter().for_each(|edge| edge.state.set_up(false));
    let mut out = [0; 512];
    let packet = query("dark.cdn.test", A, Some(b""));
    let answered = answer(&dark, &asked(&packet, Udp, Mode::default()), &mut out);
    assert_eq!(rcode(&out[..answered.octets]), OptRcode::SERVFAIL);
    assert_eq!(options(&out[..answered.octets]), [(15, b"\x00\x00no edge is up".to_vec())]);
}

/// The option with the cookies that an answer carries.
fn learnt(packet: &[u8]) -> Vec<u8> {
    let both = options(packet).into_iter().find(|option| option.0 == 10).unwrap().1;
    [&[0, 10, 0, 24], &both[..]].concat()
}

#[test]
fn a_good_cookie_lifts_the_bound() {
    let without = "cookie_secret = \"e5e973e5a6b2a43f48e7dc849e37bfcf\"";
    let off = FILE.replace(without, "cookies = false");
    let (off, tight) =
        (load(&off), load(&FILE.replace("[limit]", "amplification_max = 4\n[limit]")));
    let cookie = learnt(&ask(&query("www.cdn.test", A, Some(COOKIE)), Udp).0);
    let forged = [&cookie[..27], &[cookie[27] ^ 1]].concat();
    // A query of 30 octets, or 41 and more with EDNS; an answer of 402 and more.
    for (tables, asks, transport, fits, standing, why) in [
        (&*TABLES, Some(&b""[..]), Udp, true, Standing::Silent, "16 for one"),
        (&TABLES, None, Udp, true, Standing::Silent, "480 without EDNS"),
        (&tight, None, Udp, false, Standing::Silent, "4 for one"),
        (&tight, Some(b""), Udp, false, Standing::Silent, "4 for one"),
        (&tight, Some(COOKIE), Udp, false, Standing::New, "who asks for one may be forged"),
        (&tight, Some(&forged), Udp, false, Standing::Bad, "who guesses too"),
        (&tight, Some(&cookie), Udp, true, Standing::Good, "who has it is there"),
        (&tight, Some(b""), Tcp, true, Standing::Silent, "over TCP nobody is forged"),
        (&off, Some(&cookie), Udp, true, Standing::Silent, "cookies = false: none are read"),
    ] {
        let mut out = [0; 1232];
        let packet = query("big.cdn.test", TXT, asks);
        let answered = answer(tables, &asked(&packet, transport, Mode::default()), &mut out);
        assert_eq!((answered.truncated, answered.standing), (!fits, standing), "{why}");
        let records = u16::from_be_bytes([out[6], out[7]]);
        assert_eq!(records, if fits { 4 } else { 0 }, "whole RRsets only: {why}");
    }
}

#[test]
fn what_is_answered_in_place_of_one_too_many() {
    for (asks, expected, truncated, why) in [
        (None, OptRcode::NOERROR, true, "come again over TCP"),
        (Some(&b""[..]), OptRcode::NOERROR, true, "the same with EDNS"),
        (Some(NSID), OptRcode::NOERROR, true, "the same, and who says so"),
        (Some(COOKIE), OptRcode::BADCOOKIE, false, "RFC 7873 §5.2.3: come again with this"),
    ] {
        let packet = query("www.cdn.test", A, asks);
        let mut out = [0; 1232];
        let answered = answer_limited(&TABLES, &asked(&packet, Udp, Mode::default()), &mut out);
        let out = &out[..answered.octets];
        assert_eq!((rcode(out), answered.truncated), (expected, truncated), "{why}");
        assert_eq!(answered.reason, Reason::Limited, "{why}");
        let message = Message::from_octets(out).unwrap();
        assert_eq!((message.header_counts().qdcount(), message.header_counts().ancount()), (1, 0));
        assert_eq!(message.opt().is_some(), asks.is_some(), "RFC 6891 §7: {why}");
        assert!(answered.octets <= packet.len() + 16, "{why}");
        if asks == Some(COOKIE) {
            let again = query("www.cdn.test", A, Some(&learnt(out)));
            assert_eq!(ask(&again, Udp).1.standing, Standing::Good, "{why}");
        }
    }
}

#[test]
fn kinds_of_answers() {
    let kind = |name: &str, qtype| ask(&query(name, qtype, None), Udp).1.kind;
    for (one, other, same, why) in [
        (("a.wild.cdn.test", A), ("b.wild.cdn.test", A), true, "a wildcard, whatever the name"),
        (("x.cdn.test", A), ("y.z.cdn.test", TXT), true, "no such name, whichever"),
        (("far.test", A), ("cdn.test", AXFR), true, "errors"),
        (("a.sub.cdn.test", A), ("b.sub.cdn.test", TXT), true, "a referral"),
        (("www.cdn.test", A), ("WWW.cdn.test", A), true, "the same name"),
        (("www.cdn.test", A), ("ns1.cdn.test", A), false, "two names"),
        (("www.cdn.test", A), ("x.cdn.test", A), false, "a name and none"),
        (("x.cdn.test", A), ("far.test", A), false, "no such name and an error"),
    ] {
        assert_eq!(kind(one.0, one.1) == kind(other.0, other.1), same, "{why}");
    }
    assert_eq!(kind("far.test", A), 0);
}

#[test]
fn modes_change_steered_answers_only() {
    let mode = |is_backup, is_static| Mode { is_backup, is_static };
    // PEER is in south, whose edge is 127.0.0.2; the default region is north.
    for (mode, name, ttl, last, reason, why) in [
        (mode(false, false), "www.cdn.test", 20, 2, Reason::Steered(Why::Mapped), "as usual"),
        (mode(true, false), "www.cdn.test", 120, 2, Reason::Steered(Why::Mapped), "longer"),
        (mode(false, true), "www.cdn.test", 20, 1, Reason::Steered(Why::Static), "for all"),
        (mode(true, true), "www.cdn.test", 120, 1, Reason::Steered(Why::Static), "both"),
        (mode(true, true), "ns1.cdn.test", 3600, 53, Reason::Static, "a record of the zone"),
    ] {
        let subnet = b"\x00\x08\x00\x07\x00\x01\x18\x00\x0a\x02\x00";
        let (packet, answered) = ask_in(mode, &query(name, A, Some(subnet)), Udp);
        let at = 12 + name.len() + 2 + 4 + 2 + 4;
        let found = u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
        assert_eq!((found, packet[at + 9]), (ttl, last), "{why}");
        assert_eq!(answered.reason, reason, "{why}");
        let scope = options(&packet)[0].1[3];
        let expected = if reason == Reason::Steered(Why::Mapped) { 16 } else { 0 };
        assert_eq!(scope, expected, "resolvers may keep it for everybody: {why}");
    }
    let dark = load(FILE);
    dark.policy.edges[0].state.set_up(false);
    let mut out = [0; 512];
    let packet = query("www.cdn.test", A, None);
    let answered = answer(&dark, &asked(&packet, Udp, mode(false, true)), &mut out);
    assert_eq!(
        answered.reason,
        Reason::Steered(Why::Mapped),
        "the region is down: policy as usual"
    );
}

#[test]
fn cookies_and_limits_allocate_nothing() {
    let cookie = learnt(&ask(&query("www.cdn.test", A, Some(COOKIE)), Udp).0);
    let all = [COOKIE, NSID].concat();
    let packets = [
        query("www.cdn.test", A, Some(&cookie)),
        query("www.cdn.test", A, Some(&all)),
        query("far.test", A, Some(b"")),
    ];
    let (mut limiter, mut out) = (Limiter::new(1), vec![0; 1232]);
    let limit = TABLES.service.limit.as_ref().unwrap();
    let both = Mode { is_backup: true, is_static: true };
    let mut verdicts = Vec::with_capacity(100);
    let counted = allocation_counter::measure(|| {
        for packet in packets.iter().cycle().take(30) {
            let asked = asked(packet, Udp, both);
            let answered = answer(&TABLES, &asked, &mut out);
            verdicts.push(limiter.judge(limit, PEER, answered.kind, NOW));
            if verdicts.last() == Some(&Verdict::Slip) {
                answer_limited(&TABLES, &asked, &mut out);
            }
        }
    });
    assert_eq!(counted.count_total, 0);
    assert!(verdicts.contains(&Verdict::Slip) && verdicts.contains(&Verdict::Send));
}

fn any_options() -> impl Strategy<Value = Option<Vec<u8>>> {
    let one = prop_oneof![
        Just(COOKIE.to_vec()),
        Just(NSID.to_vec()),
        Just(KEEPALIVE.to_vec()),
        Just(b"\x00\x08\x00\x07\x00\x01\x18\x00\x0a\x02\x00".to_vec()),
        Just(b"\x00\x0a\x00\x18clientid\x01\x00\x00\x00\x00\x00\x00\x00forgedit".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..10),
    ];
    proptest::option::of(proptest::collection::vec(one, 0..5).prop_map(|many| many.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    /// Whatever is asked over UDP without a good cookie: not more octets than the bound times its own, and what is
    /// sent in place of one too many at most 16 more than it has.
    #[test]
    fn never_more_than_the_bound(
        name in prop_oneof![
            Just(""), Just("big.cdn.test"), Just("www.cdn.test"), Just("a.sub.cdn.test"),
            Just("x.cdn.test"), Just("far.test"), Just("cdn.test"),
        ],
        qtype in prop_oneof![Just(A), Just(TXT), Just(2), Just(6), Just(255), any::<u16>()],
        asks in any_options(),
        damage in proptest::option::weighted(0.3, (any::<usize>(), any::<u8>())),
    ) {
        static TIGHT: LazyLock<Vec<(usize, Tables)>> = LazyLock::new(|| {
            [2, 3, 5, 16].map(|bound| {
                let line = format!("amplification_max = {bound}\n[limit]");
                (bound, load(&FILE.replace("[limit]", &line)))
            })
            .into()
        });
        let mut packet = query(name, qtype, asks.as_deref());
        if let Some((at, octet)) = damage {
            let at = at % packet.len();
            packet[at] = octet;
        }
        let mut out = [0; 4096];
        for (bound, tables) in TIGHT.iter() {
            let asked = asked(&packet, Udp, Mode::default());
            let answered = answer(tables, &asked, &mut out);
            prop_assert_ne!(answered.standing, Standing::Good);
            prop_assert!(answered.octets <= bound * packet.len(), "{answered:?}");
            if answered.octets > 0 {
                prop_assert!(Message::from_octets(&out[..answered.octets]).is_ok());
                let limited = answer_limited(tables, &asked, &mut out);
                prop_assert!(limited.octets <= packet.len() + 16 + "fra-1".len(), "{limited:?}");
            }
        }
    }
}
