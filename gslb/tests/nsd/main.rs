//! The answers beside those of NSD for the same zones: equal sections, codes and flags.

#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach what they call.

mod peer;

use domain::base::iana::{Class, Rtype};
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::AllRecordData;
use lastmile_gslb::{Config, ZoneSource, start};
use peer::Nsd;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const ZONES: [(&str, &str); 2] =
    [("cdn.test", include_str!("cdn.zone")), ("deep.cdn.test", include_str!("deep.zone"))];

/// Names that there is something to say about, relative to `cdn.test`.
const NAMES: &[&str] = &[
    "@",
    "ns1",
    "mail",
    "twocases",
    "TWOcases",
    "txt",
    "mx",
    "srv",
    "ptr",
    "caa",
    "own",
    "ttls",
    "gone",
    "gone.txt",
    "a.b.c.ent",
    "b.c.ent",
    "c.ent",
    "ent",
    "q.c.ent",
    "q.b.c.ent",
    "q.ent",
    "q.q.ent",
    "wild",
    "*.wild",
    "q.wild",
    "q.q.wild",
    "y.wild",
    "q.y.wild",
    "x.y.wild",
    "q.x.y.wild",
    "*.q.wild",
    "q.alias",
    "alias",
    "q.far-alias",
    "cname",
    "chain1",
    "chain2",
    "chain3",
    "to-wild",
    "to-ent",
    "dangling",
    "out",
    "into-cut",
    "sub",
    "ns.sub",
    "host.sub",
    "a.host.sub",
    "far",
    "q.far",
    "inner",
    "q.inner",
    "big",
    "deep",
    "www.deep",
    "gone.deep",
    "up.deep",
];
const TYPES: &[u16] = &[1, 2, 5, 6, 12, 15, 16, 28, 33, 43, 65, 257, 65_281];

/// Where NSD says something else, and both are right: name, type, why.
const EITHER: &[(&str, u16, &str)] = &[(
    "@",
    2,
    "RFC 1035 §3.3.11 has the addresses of servers come with them as additional data, and RFC 9471 requires that of \
     referrals only; ours leaves them out",
)];

/// How something is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Udp,
    Edns,
    Tcp,
}

/// An answer as far as it must be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    code: u8,
    authoritative: bool,
    truncated: bool,
    sections: [BTreeSet<String>; 3],
}

fn query(name: &str, rtype: u16, by: By) -> Vec<u8> {
    let mut message = MessageBuilder::new_vec();
    message.header_mut().set_id(0x1234);
    let mut message = message.question();
    let name = match name {
        "@" => "cdn.test".to_owned(),
        name => format!("{name}.cdn.test"),
    };
    let name: Name<Vec<u8>> = name.parse().unwrap();
    message.push((name, Rtype::from_int(rtype), Class::IN)).unwrap();
    let mut message = message.additional();
    if by == By::Edns {
        message
            .opt(|opt| {
                opt.set_udp_payload_size(1232);
                Ok(())
            })
            .unwrap();
    }
    message.finish()
}

fn ask(server: SocketAddr, query: &[u8], by: By) -> Vec<u8> {
    if by == By::Tcp {
        let mut stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&[&(query.len() as u16).to_be_bytes()[..], query].concat()).unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut answer).unwrap();
        return answer;
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(server).unwrap();
    socket.send(query).unwrap();
    let mut answer = vec![0; 4096];
    let octets = socket.recv(&mut answer).unwrap();
    answer.truncate(octets);
    answer
}

fn said(answer: &[u8]) -> Said {
    let message = Message::from_octets(answer).unwrap();
    let mut sections = [const { BTreeSet::new() }; 3];
    let mut section = message.answer().unwrap();
    for records in &mut sections {
        for record in section.by_ref() {
            let record = record.unwrap().into_any_record::<AllRecordData<_, _>>().unwrap();
            if record.rtype() != Rtype::OPT {
                let owner = record.owner().to_string().to_lowercase();
                let (ttl, rtype, data) = (record.ttl().as_secs(), record.rtype(), record.data());
                assert!(records.insert(format!("{owner} {ttl} {rtype} {data}")), "twice the same");
            }
        }
        if let Some(next) = section.next_section().unwrap() {
            section = next;
        }
    }
    let header = message.header();
    let (authoritative, truncated) = (header.aa(), header.tc());
    Said { code: header.rcode().to_int(), authoritative, truncated, sections }
}

#[test]
fn the_same_is_said_of_every_name() {
    let records = |(name, text): (&str, &str)| {
        format!("[[zone]]\nname = \"{name}.\"\nrecords = '''\n{text}'''\n")
    };
    let text = ZONES.map(records).concat();
    let zone = Some(ZoneSource::Inline { name: "zones".to_owned(), text });
    let listen = "127.0.0.1:0".parse().unwrap();
    let server = start(Config { listen, zone, ..Config::default() }).unwrap();
    let nsd = Nsd::start(&ZONES);
    let (mut asked, mut differences) = (0, Vec::new());
    for &name in NAMES {
        for &rtype in TYPES {
            for by in [By::Udp, By::Edns, By::Tcp] {
                let query = query(name, rtype, by);
                let ours = said(&ask(server.address(), &query, by));
                let mut theirs = said(&ask(nsd.address, &query, by));
                if EITHER.iter().any(|row| (row.0, row.1) == (name, rtype)) {
                    assert_ne!(ours, theirs, "{name} {rtype}: no difference any more");
                    theirs.sections[2].clear();
                }
                asked += 1;
                if ours != theirs {
                    differences.push(format!("{name} {rtype} {by:?}:\n  {ours:?}\n  {theirs:?}"));
                }
            }
        }
    }
    println!("{asked} questions");
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    server.stop(Duration::ZERO);
}
