//! Bad input over real sockets: each has its defined answer, or silence.

#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach what they call.

use lastmile_gslb::{Config, Gslb, ZoneSource, start};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, socket,
};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Long enough for any machine; nothing waits for it unless something is broken.
const PATIENCE: Duration = Duration::from_secs(20);
const NAME: &[u8] = b"\x03ns1\x03cdn\x04test\x00";
const IN_A: &[u8] = b"\x00\x01\x00\x01";
/// OPT without options, up to its data's length.
const OPT: &[u8] = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00";

/// One worker, so that packets are answered in the order in which they are sent.
fn config() -> Config {
    let text = include_str!("../examples/cdn.toml").to_owned();
    let zone = Some(ZoneSource::Inline { name: "cdn.toml".to_owned(), text });
    let cores = Some("0".parse().unwrap());
    Config { listen: "127.0.0.1:0".parse().unwrap(), zone, cores, ..Config::default() }
}

/// What comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// No answer; over TCP the connection is closed.
    Silence,
    /// A code, and the counts of questions, answers and authorities.
    Answer(u16, [u8; 3]),
}
use Expected::{Answer, Silence};

/// The answer with the address.
const ADDRESS: Expected = Answer(0, [1, 1, 0]);
/// FORMERR where the question could not be read, and where it could.
const FORMERR: Expected = Answer(1, [0, 0, 0]);
const FORMERR_LATER: Expected = Answer(1, [1, 0, 0]);
const NOTIMP: Expected = Answer(4, [0, 0, 0]);
const REFUSED: Expected = Answer(5, [1, 0, 0]);
const BADVERS: Expected = Answer(16, [1, 0, 0]);
const NXDOMAIN: Expected = Answer(3, [1, 0, 1]);
const NODATA: Expected = Answer(0, [1, 0, 1]);

type Row = (Vec<u8>, Expected, &'static str);

/// A header with these flags and counts, and what follows.
fn packet(flags: u16, counts: [u16; 4], parts: &[&[u8]]) -> Vec<u8> {
    let mut packet = vec![0xab, 0xcd];
    packet.extend_from_slice(&flags.to_be_bytes());
    for count in counts {
        packet.extend_from_slice(&count.to_be_bytes());
    }
    packet.extend(parts.concat());
    packet
}

/// A query whose question is these octets.
fn asks(question: &[&[u8]]) -> Vec<u8> {
    packet(0x0100, [1, 0, 0, 0], question)
}

/// A query for the address, with these records behind it.
fn with(counts: [u16; 3], records: &[&[u8]]) -> Vec<u8> {
    let [answers, authorities, additionals] = counts;
    let parts = [&[NAME, IN_A], records].concat();
    packet(0x0100, [1, answers, authorities, additionals], &parts)
}

fn headers() -> Vec<Row> {
    let good = asks(&[NAME, IN_A]);
    let flags = |flags| packet(flags, [1, 0, 0, 0], &[NAME, IN_A]);
    let questions = |count| packet(0x0100, [count, 0, 0, 0], &[NAME, IN_A, NAME, IN_A]);
    vec![
        (good.clone(), ADDRESS, "as it should be"),
        (vec![], Silence, "RFC 1035 §4.1.1: nothing"),
        (good[..1].to_vec(), Silence, "not even an ID"),
        (good[..11].to_vec(), Silence, "less than a header"),
        (good[..12].to_vec(), FORMERR, "a header that promises a question"),
        (good[..good.len() - 1].to_vec(), FORMERR, "cut off in the class"),
        ([&good[..], b"\x00"].concat(), FORMERR_LATER, "octets left over"),
        (flags(0x8100), Silence, "a response: answering could loop"),
        (flags(0xa800), Silence, "a response to another operation"),
        (flags(0x0800), NOTIMP, "RFC 3425 §3: IQUERY"),
        (flags(0x1000), NOTIMP, "RFC 1035 §4.1.1: STATUS"),
        (flags(0x1800), NOTIMP, "opcode 3 is nobody's"),
        (flags(0x2800), NOTIMP, "RFC 2136 §3.1: UPDATE"),
        (flags(0x3000), NOTIMP, "RFC 8490 §5.1: DSO"),
        (flags(0x7800), NOTIMP, "the last opcode"),
        (flags(0x0700), ADDRESS, "RFC 1035 §4.1.1: AA and TC say nothing in a query"),
        (flags(0x01ff), ADDRESS, "nor do RA, Z, AD, CD and a code"),
        (packet(0x0100, [0; 4], &[]), FORMERR, "no question"),
        (questions(2), FORMERR, "RFC 9619 §4: two"),
        (questions(65_535), FORMERR, "RFC 9619 §4: as many as can be said"),
    ]
}

fn names() -> Vec<Row> {
    let long = [&[63u8][..], &[b'a'; 63]].concat();
    // With `cdn.test.` of 10 octets.
    let filled = |last: usize| {
        let label = [&[last as u8][..], &vec![b'b'; last]].concat();
        [&long, &long, &long, &label[..], b"\x03cdn\x04test\x00"].concat()
    };
    let labels = [[1, b'x'].repeat(122), b"\x03cdn\x04test\x00".to_vec()].concat();
    let one =
        |length: u8, octets| [&[length][..], &vec![b'c'; octets], b"\x03cdn\x04test\x00"].concat();
    vec![
        (asks(&[b"\x00", IN_A]), REFUSED, "the root, which is not ours"),
        (asks(&[&filled(52), IN_A]), NXDOMAIN, "RFC 1035 §2.3.4: 255 octets"),
        (asks(&[&filled(53), IN_A]), FORMERR, "RFC 1035 §2.3.4: 256 octets"),
        (asks(&[&labels, IN_A]), NXDOMAIN, "as many labels as fit"),
        (asks(&[&one(63, 63), IN_A]), NXDOMAIN, "RFC 1035 §2.3.4: a label of 63 octets"),
        (asks(&[&one(64, 64), IN_A]), FORMERR, "of 64 octets, which is another kind of label"),
        (asks(&[&one(0x80, 1), IN_A]), FORMERR, "RFC 6891 §5: reserved kinds of label"),
        (asks(&[b"\x03a\x00b\x03cdn\x04test\x00", IN_A]), NXDOMAIN, "RFC 2181 §11: any octet"),
        (asks(&[b"\x05short"]), FORMERR, "no end"),
        (asks(&[b"\x3fshort\x00", IN_A]), FORMERR, "a label longer than the packet"),
        (asks(&[b"\xc0\x0c", IN_A]), FORMERR, "RFC 1035 §4.1.4: a pointer to itself"),
        (asks(&[b"\x01a\xc0\x0c", IN_A]), FORMERR, "a loop with a label in it"),
        (asks(&[b"\xc0\x12", IN_A, NAME]), FORMERR, "a pointer forwards"),
        (asks(&[b"\xc0\x04", IN_A]), FORMERR, "into the header"),
        (asks(&[b"\xff\xff", IN_A]), FORMERR, "behind the end"),
        (asks(&[b"\xc0"]), FORMERR, "half a pointer"),
        (
            with([0, 1, 0], &[b"\xc0\x1e\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00"]),
            ADDRESS,
            "a loop where nobody has to follow it",
        ),
    ]
}

fn types_and_classes() -> Vec<Row> {
    let of = |last: &[u8]| asks(&[NAME, last]);
    vec![
        (of(b"\x00\x01\x00\x03"), REFUSED, "class CH"),
        (of(b"\x00\x01\x00\x04"), REFUSED, "class HS"),
        (of(b"\x00\x01\x00\xfe"), REFUSED, "RFC 2136 §1.3: class NONE"),
        (of(b"\x00\x01\x00\xff"), REFUSED, "class ANY"),
        (of(b"\x00\x01\x00\x00"), REFUSED, "RFC 6895 §3.2: class 0 is reserved"),
        (of(b"\x00\x00\x00\x01"), NODATA, "RFC 6895 §3.1: type 0 is reserved, nobody has it"),
        (of(b"\xff\xff\x00\x01"), NODATA, "so is the last one"),
        (of(b"\x00\x29\x00\x01"), NODATA, "OPT is no data"),
        (of(b"\x00\xfa\x00\x01"), NODATA, "nor is TSIG"),
        (of(b"\x00\xfb\x00\x01"), REFUSED, "IXFR"),
        (of(b"\x00\xfc\x00\x01"), REFUSED, "RFC 5936 §4.2: AXFR over UDP; over TCP by nobody"),
        (of(b"\x00\xff\x00\x01"), ADDRESS, "RFC 8482 §4.2: ANY gets one record"),
    ]
}

fn records() -> Vec<Row> {
    let opt = |data: &[u8]| [OPT, &(data.len() as u16).to_be_bytes(), data].concat();
    let version = |version, data: &[u8]| {
        let mut opt = opt(data);
        opt[6] = version;
        opt
    };
    let plain = opt(b"");
    let cut = [OPT, b"\x00\x05", b"\x00\x03"].concat();
    let record = b"\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x7f\x00\x00\x01";
    vec![
        (with([0, 0, 1], &[]), FORMERR_LATER, "a record that is not there"),
        (with([65_535, 65_535, 65_535], &[]), FORMERR_LATER, "more than could be"),
        (with([0, 0, 1], &[record]), ADDRESS, "a record that nobody needs"),
        (with([0, 0, 1], &[&record[..14]]), FORMERR_LATER, "shorter than it says"),
        (with([0, 0, 1], &[&plain]), ADDRESS, "RFC 6891 §6.1.1: an OPT"),
        (with([0, 0, 2], &[&plain, &plain]), FORMERR_LATER, "RFC 6891 §6.1.1: two"),
        (with([0, 1, 0], &[&plain]), FORMERR_LATER, "RFC 6891 §6.1.1: among the authorities"),
        (with([1, 0, 0], &[&plain]), FORMERR_LATER, "RFC 6891 §6.1.1: among the answers"),
        (
            with([0, 0, 1], &[b"\x01x", &plain]),
            FORMERR_LATER,
            "RFC 6891 §6.1.2: it belongs to the root",
        ),
        (with([0, 0, 1], &[&version(1, b"")]), BADVERS, "RFC 6891 §6.1.3: version 1"),
        (with([0, 0, 1], &[&version(255, b"???")]), BADVERS, "whatever it means by its data"),
        (
            with([0, 0, 1], &[&opt(b"\xfd\xe9\x00\x03abc\xfd\xea\x00\x00")]),
            ADDRESS,
            "RFC 6891 §6.1.2: options that are not known are ignored",
        ),
        (with([0, 0, 1], &[&opt(b"\x00\x0c\x00\x02")]), FORMERR_LATER, "an option cut off"),
        (with([0, 0, 1], &[&opt(b"\x00\x0c\x00")]), FORMERR_LATER, "in its length"),
        (with([0, 0, 1], &[&cut]), FORMERR_LATER, "the record cut off"),
        (
            with(
                [0, 0, 1],
                &[&opt(b"\x00\x08\x00\x04\x00\x01\x00\x00\x00\x08\x00\x04\x00\x01\x00\x00")],
            ),
            FORMERR_LATER,
            "two client subnets",
        ),
        (
            with([0, 0, 1], &[&opt(b"\x00\x08\x00\x08\x00\x01\x18\x00\x0a\x01\x02\x03")]),
            FORMERR_LATER,
            "RFC 7871 §7.2.1: more of an address than its prefix has",
        ),
        (
            with([0, 0, 1], &[&opt(b"\x00\x08\x00\x05\x00\x01\x04\x00\x0f")]),
            FORMERR_LATER,
            "RFC 7871 §7.2.1: bits beyond the prefix",
        ),
    ]
}

fn connect(server: &Gslb) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes()[..], message].concat()
}

/// All that comes until the server ends the connection.
fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut octets = Vec::new();
    match stream.read_to_end(&mut octets) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
    }
    octets
}

fn seen(answer: &[u8], asked: &[u8]) -> Expected {
    assert_eq!(answer[..2], asked[..2], "the ID");
    assert_eq!(answer[2] & 0xf8, 0x80 | asked[2] & 0x78, "QR and the opcode");
    // The upper part of the code is in the OPT record, which is last and has no options here.
    let has_opt = answer[11] == 1 && answer[answer.len() - 11..][..3] == [0, 0, 41];
    let upper = if has_opt { u16::from(answer[answer.len() - 6]) << 4 } else { 0 };
    Answer(upper | u16::from(answer[3] & 15), [answer[5], answer[7], answer[9]])
}

fn over_udp(socket: &UdpSocket, message: &[u8]) -> Expected {
    let last = [b"\xff\xff", &asks(&[NAME, IN_A])[2..]].concat();
    socket.send(message).unwrap();
    socket.send(&last).unwrap();
    let mut answer = [0; 1500];
    let octets = socket.recv(&mut answer).unwrap();
    if answer[..2] == last[..2] {
        return Silence;
    }
    let answer_seen = seen(&answer[..octets], message);
    socket.recv(&mut answer).unwrap();
    assert_eq!(answer[..2], last[..2], "one answer, and it goes on");
    answer_seen
}

fn over_tcp(server: &Gslb, message: &[u8]) -> Expected {
    let mut stream = connect(server);
    stream.write_all(&framed(message)).unwrap();
    // A server that has closed already may answer this with a reset.
    let _ = stream.shutdown(Shutdown::Write);
    let octets = rest(stream);
    if octets.is_empty() {
        return Silence;
    }
    assert_eq!(octets[..2], ((octets.len() - 2) as u16).to_be_bytes(), "one answer");
    seen(&octets[2..], message)
}

#[test]
fn each_kind_of_bad_input_has_its_answer() {
    let server = start(config()).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(server.address()).unwrap();
    let tables = [headers(), names(), types_and_classes(), records()];
    for (message, expected, why) in tables.into_iter().flatten() {
        assert_eq!(over_udp(&socket, &message), expected, "over UDP: {why}: {message:02x?}");
        assert_eq!(over_tcp(&server, &message), expected, "over TCP: {why}: {message:02x?}");
    }
    server.stop(Duration::ZERO);
}

/// RFC 768 allows 0 for "no answer wanted", and an answer to it goes nowhere: only a forger has it.
#[test]
fn nobody_answers_port_zero() {
    let raw = socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Udp);
    let Ok(raw) = raw else {
        let line = "skipped: a raw socket needs CAP_NET_RAW\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    };
    let server = start(config()).unwrap();
    let SocketAddr::V4(address) = server.address() else { panic!("an IPv4 address") };
    let message = asks(&[NAME, IN_A]);
    let datagram = [
        &[0, 0][..],
        &address.port().to_be_bytes(),
        &(8 + message.len() as u16).to_be_bytes(),
        &[0, 0],
        &message,
    ]
    .concat();
    sendto(raw.as_raw_fd(), &datagram, &SockaddrIn::from(address), MsgFlags::empty()).unwrap();
    let asker = UdpSocket::bind("127.0.0.1:0").unwrap();
    asker.set_read_timeout(Some(PATIENCE)).unwrap();
    asker.send_to(&message, address).unwrap();
    asker.recv(&mut [0; 512]).unwrap();
    let samples = server.samples();
    let value = |name| samples.iter().find(|sample| sample.0 == name).unwrap().2;
    assert_eq!(value("lastmile_gslb_dropped_port_zero_total"), 1);
    assert_eq!(value("lastmile_gslb_queries_udp_total"), 1, "the one that came afterwards");
    server.stop(Duration::ZERO);
}

#[test]
fn tcp_lengths_that_lie() {
    let server = start(config()).unwrap();
    let good = framed(&asks(&[NAME, IN_A]));
    let with_length = |length: u16| [&length.to_be_bytes(), &good[2..]].concat();
    let message = good.len() as u16 - 2;
    for (octets, answers, why) in [
        (with_length(0), 0, "an empty message"),
        (with_length(message + 1), 0, "one octet more than comes"),
        (with_length(4096), 0, "a query that never gets whole"),
        (with_length(4097), 0, "more than a query may have"),
        (with_length(65_535), 0, "the longest"),
        (with_length(message - 1), 1, "one less: FORMERR, and then a message without an end"),
        ([&good[..], b"\x00\x00"].concat(), 1, "a query, then an empty message"),
        ([&good[..], &with_length(65_535)].concat(), 1, "a query, then the longest"),
        ([&good[..], &good[..1]].concat(), 1, "a query, then half a length"),
        ([&good[..], &good[..]].concat(), 2, "two"),
    ] {
        let mut stream = connect(&server);
        stream.write_all(&octets).unwrap();
        let _ = stream.shutdown(Shutdown::Write);
        let mut rest = &rest(stream)[..];
        let mut count = 0;
        while let Some((length, behind)) = rest.split_first_chunk() {
            rest = &behind[usize::from(u16::from_be_bytes(*length))..];
            count += 1;
        }
        assert_eq!((count, rest.len()), (answers, 0), "{why}");
    }
    server.stop(Duration::ZERO);
}

#[test]
fn slow_senders_are_served_while_they_bring_queries() {
    let idle = Duration::from_millis(300);
    let server = start(Config { tcp_idle_timeout: PATIENCE * 10, ..config() }).unwrap();
    let mut stream = connect(&server);
    stream.set_nodelay(true).unwrap();
    let message = framed(&asks(&[NAME, IN_A]));
    for octet in &message {
        stream.write_all(&[*octet]).unwrap();
    }
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    assert!(u16::from_be_bytes(length) > 12, "an octet at a time is a query all the same");
    server.stop(Duration::ZERO);

    // RFC 7766 §6.2.3: octets alone do not keep a connection; a whole query does.
    let server = start(Config { tcp_idle_timeout: idle, ..config() }).unwrap();
    let mut stream = connect(&server);
    stream.set_read_timeout(Some(idle / 10)).unwrap();
    // The longest query that is taken: at this pace it would take minutes.
    stream.write_all(&[0x10]).unwrap();
    let closed = (0..4000).find_map(|_| {
        let sent = stream.write_all(&[0]);
        match stream.read(&mut [0; 16]) {
            Ok(octets) => Some(octets),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => sent.err().map(|_| 0),
            Err(_) => Some(0),
        }
    });
    assert_eq!(closed, Some(0), "closed, without an answer");
    let samples = server.samples();
    let value = |name| samples.iter().find(|sample| sample.0 == name).unwrap().2;
    assert_eq!(value("lastmile_gslb_queries_tcp_total"), 0);
    assert_eq!(value("lastmile_gslb_tcp_idle_total"), 1);
    server.stop(Duration::ZERO);
}
