//! What holds for the answer to any message whatever; answers are read with the crate `domain`.

use super::reading::{self, Kind, Query};
use domain::base::Message;
use domain::base::iana::Rtype;
use domain::base::opt::UnknownOptData;
use domain::rdata::AllRecordData;
use lastmile_gslb::{Offline, Transport};
use std::net::IpAddr;

/// RFC 1035 §4.2.1.
const PLAIN_OCTETS_MAX: usize = 512;
/// `udp_payload_max` of the GSLB unless it is told otherwise.
const UDP_OCTETS_MAX: usize = 1232;

/// `amplification_max` of the GSLB unless it is told otherwise; nobody here has a cookie of its own.
const AMPLIFICATION_MAX: usize = 16;

/// A message, and what goes with it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub message: &'a [u8],
    pub peer: IpAddr,
    pub transport: Transport,
    pub random: u64,
}

/// Places for answers.
pub struct Room {
    answer: Vec<u8>,
    again: Vec<u8>,
}

impl Room {
    pub fn new() -> Self {
        Self { answer: vec![0; 65_535], again: vec![0xaa; 65_535] }
    }
}

/// Asks, checks the answer, and returns it; it is empty where there is none.
pub fn check<'r>(gslb: &mut Offline, asked: Asked<'_>, room: &'r mut Room) -> &'r [u8] {
    let Asked { message, peer, transport, random } = asked;
    let octets = gslb.answer(message, peer, transport, random, &mut room.answer);
    let answer = &room.answer[..octets];
    let kind = reading::read(message);
    if kind == Kind::NoQuery {
        assert_eq!(octets, 0, "RFC 1035 §4.1.1: a response is not answered");
        return answer;
    }
    check_header(message, answer);
    let flag = |bit: u8| answer[2] & bit != 0;
    let (code, counts) = (answer[3] & 15, reading::sections(answer).expect("whole records"));
    match &kind {
        Kind::NoQuery => unreachable!("seen above"),
        Kind::OtherOperation => assert_eq!((code, counts), (4, [0; 3]), "NOTIMP"),
        Kind::Malformed(question) => {
            let opts = counts[2];
            assert_eq!((code, counts[0], counts[1]), (1, 0, 0), "FORMERR");
            assert!(opts <= 1 && octets <= message.len(), "no more than what was sent");
            assert_eq!(octets, 12 + question.unwrap_or(0) + 11 * usize::from(opts));
            let asked_with_one = message[12..].windows(3).any(|three| three == [0, 0, 41]);
            assert!(opts == 0 || asked_with_one, "RFC 6891 §7: no OPT to who has sent none");
            check_question(message, answer, question.unwrap_or(0));
        }
        Kind::Query(query) => {
            check_question(message, answer, query.question);
            check_records(query, answer);
        }
    }
    let limit = limit(&kind, message, transport);
    assert!(octets <= limit, "{octets} octets where {limit} are allowed");
    assert!(transport == Transport::Udp || !flag(0x02), "all of this world's answers fit TCP");
    answer
}

/// As [`check`]; besides, the same question gets the same answer, and TC is set exactly when what TCP carries does not
/// fit.
pub fn check_twice<'r>(gslb: &mut Offline, asked: Asked<'_>, room: &'r mut Room) -> &'r [u8] {
    let Asked { message, peer, random, .. } = asked;
    let octets = check(gslb, asked, room).len();
    let again = gslb.answer(message, peer, asked.transport, random, &mut room.again);
    assert_eq!(room.answer[..octets], room.again[..again], "the same again");
    let over_tcp = gslb.answer(message, peer, Transport::Tcp, random, &mut room.again);
    let (answer, whole) = (&room.answer[..octets], &room.again[..over_tcp]);
    if octets > 0 && asked.transport == Transport::Udp {
        let kind = reading::read(message);
        let limit = limit(&kind, message, asked.transport);
        // RFC 7828 is about TCP alone; why something is refused (RFC 8914) is said if there is room.
        let is_other = answer[3] & 15 == 5 || has_option(&kind, 11);
        if is_other {
            let is_cut = answer[2] & 0x02 != 0;
            assert!(is_cut || answer[4..10] == whole[4..10], "the same records");
        } else if answer[2] & 0x02 != 0 {
            assert!(over_tcp > limit, "TC, though {over_tcp} octets fit into {limit}");
        } else if octets == over_tcp {
            assert_eq!(answer, whole, "the transport changes nothing");
        } else {
            // Glue that nobody needs was left out, nothing else.
            assert!(over_tcp > limit && octets < over_tcp);
            assert_eq!(answer[..10], whole[..10]);
        }
    }
    answer
}

fn has_option(kind: &Kind, code: u16) -> bool {
    let Kind::Query(Query { opt: Some(opt), .. }) = kind else { return false };
    opt.options.iter().any(|option| option.0 == code)
}

/// Octets that the answer may have.
fn limit(kind: &Kind, message: &[u8], transport: Transport) -> usize {
    let offered = match kind {
        Kind::Query(Query { opt: Some(opt), .. }) => usize::from(opt.payload),
        Kind::NoQuery | Kind::OtherOperation | Kind::Malformed(_) | Kind::Query(_) => 0,
    };
    match transport {
        // RFC 6891 §6.2.3: less than 512 counts as 512.
        Transport::Udp => {
            let payload = offered.clamp(PLAIN_OCTETS_MAX, UDP_OCTETS_MAX);
            payload.min(AMPLIFICATION_MAX * message.len())
        }
        Transport::Tcp | Transport::Https => usize::from(u16::MAX),
    }
}

fn check_header(message: &[u8], answer: &[u8]) {
    assert!(answer.len() >= 12, "a header");
    assert_eq!(answer[..2], message[..2], "the ID");
    assert_eq!(answer[2] & 0xf9, 0x80 | message[2] & 0x79, "QR; opcode and RD as asked");
    // RFC 4035 §3.1.6: CD is copied. Neither recursion nor authentic data is offered.
    assert_eq!(answer[3] & 0xf0, message[3] & 0x10, "RA, Z, AD");
    let (aa, code) = (answer[2] & 0x04 != 0, answer[3] & 15);
    assert!([0, 1, 2, 3, 4, 5].contains(&code), "code {code}");
    assert!(!aa || code == 0 || code == 3, "nobody is an authority on code {code}");
}

fn check_question(message: &[u8], answer: &[u8], octets: usize) {
    assert_eq!(answer[4..6], [0, u8::from(octets > 0)], "as many questions as can be repeated");
    assert_eq!(answer.get(12..12 + octets), message.get(12..12 + octets), "in the same octets");
}

/// Every record can be read, and there is an OPT record if there was one.
fn check_records(query: &Query, answer: &[u8]) {
    let read = Message::from_octets(answer).expect("a message");
    let mut section = read.answer().expect("a question");
    let mut opts = 0;
    for index in 0.. {
        for record in section.by_ref() {
            let record = record.expect("a record");
            opts += usize::from(record.rtype() == Rtype::OPT);
            assert!(record.rtype() == Rtype::OPT || record.ttl().as_secs() < 1 << 31);
            assert!(record.into_any_record::<AllRecordData<_, _>>().is_ok(), "data");
        }
        assert!(opts == 0 || index == 2, "RFC 6891 §6.1.1: in the additional section");
        let Some(next) = section.next_section().expect("a section") else { break };
        section = next;
    }
    assert_eq!(opts, usize::from(query.opt.is_some()), "RFC 6891 §7");
    let Some(asked) = &query.opt else { return };
    let opt = read.opt().expect("it was there");
    assert_eq!(opt.version(), 0, "RFC 6891 §6.1.3: the version that is known");
    let bad_version = read.opt_rcode().to_int() == 16;
    assert_eq!(bad_version, asked.version != 0, "BADVERS exactly for others");
    let subnets: Vec<_> = opt
        .opt()
        .iter::<UnknownOptData<_>>()
        .map(|option| option.expect("an option"))
        .filter(|option| option.code().to_int() == 8)
        .collect();
    let told: Vec<_> = asked.options.iter().filter(|(code, _)| *code == 8).collect();
    assert_eq!(subnets.len(), told.len(), "a subnet for who tells one");
    for (echoed, (_, told)) in subnets.iter().zip(told) {
        let echoed: &[u8] = echoed.data();
        // RFC 7871 §7.2.1: family, source and address as they were sent; a hidden client has scope 0.
        assert_eq!((&echoed[..3], &echoed[4..]), (&told[..3], &told[4..]));
        let bits = [0, 32, 128][usize::from(told[1])];
        assert!(echoed[3] <= if told[2] == 0 { 0 } else { bits }, "scope {}", echoed[3]);
    }
}
