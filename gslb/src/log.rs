//! The query log: one line of JSON for each sampled query, read and written by a thread of its own.
//!
//! A worker copies the packets and what it knows of them into a queue of fixed places; what they say is found out where
//! nobody waits for it. Names of regions and edges are those of the tables that gave the answer.

use crate::answer::{Answered, Asked, Reason, Transport};
use crate::tally::Names;
use crate::wire::name::{self, LowerName};
use crate::wire::query::Query;
use crate::wire::{HEADER_OCTETS, read_u16, rtype};
use crate::worker::Random;
use domain::base::iana::{OptRcode, Rtype};
use humantime::format_rfc3339_micros;
use lastmile_tuning::log::{self, Bounds, Entry};
use serde::Serialize;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// Queries that wait for the writer, in 4 MB. It gathers for 5 ms, so this is room for 400,000 lines a second, more
/// than it writes. Larger: more memory for a disk that stalls. Smaller: gaps in bursts.
const ENTRIES_MAX: usize = 2048;
/// Octets of a query that are kept: a question has 271 at most, client subnet and cookie 68. Of a query that is longer
/// (padding, RFC 7830) the line has the question alone.
const QUERY_OCTETS_MAX: usize = 512;
/// Octets of an answer that are kept: as many as are sent over UDP by default. Longer ones miss some addresses.
const ANSWER_OCTETS_MAX: usize = 1232;

/// A log that all workers append to; clones append to the same one. When the last clone goes, what waits is written
/// first.
#[derive(Clone, Debug)]
pub struct QueryLog {
    log: log::Log<Sampled>,
    one_in: u32,
}

impl QueryLog {
    /// A log at the end of the file `path`, which is made when it is not there; `-` is the standard error. One of
    /// `one_in` queries is logged, at random; 0 counts as 1.
    ///
    /// # Errors
    /// The file can't be opened, or no thread be started.
    pub fn start(path: &Path, one_in: u32) -> io::Result<Self> {
        let bounds = Bounds { entries: ENTRIES_MAX, octets: usize::MAX };
        Ok(Self { log: log::Log::start(path, bounds)?, one_in: one_in.max(1) })
    }

    /// Sampled queries without a line: there was no room for them, or the file did not take them.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.log.dropped()
    }
}

/// Which queries one worker logs.
#[derive(Debug)]
pub(crate) struct Sampler {
    log: QueryLog,
    /// Queries up to the next one that is logged, itself included.
    left: u32,
    random: Random,
}

impl Sampler {
    pub(crate) fn new(log: QueryLog, mut random: Random) -> Self {
        let left = gap(log.one_in, random.next());
        Self { log, left, random }
    }

    /// Logs a query if it is its turn.
    pub(crate) fn offer(
        &mut self,
        names: &Arc<Names>,
        asked: &Asked<'_>,
        answered: &Answered,
        answer: &[u8],
    ) {
        self.left -= 1;
        if self.left > 0 {
            return;
        }
        self.left = gap(self.log.one_in, self.random.next());
        self.log.log.try_record(|| Sampled {
            time: SystemTime::now(),
            peer: asked.peer,
            transport: asked.transport,
            answered: *answered,
            names: Arc::clone(names),
            query: Kept::of(asked.packet),
            answer: Kept::of(answer.get(..answered.octets).unwrap_or_default()),
        });
    }
}

/// How many queries one that is logged stands for: `one_in` on average, at random, so that what comes in a rhythm is
/// neither always nor never hit.
fn gap(one_in: u32, random: u64) -> u32 {
    let most = 2 * u64::from(one_in) - 1;
    let gap = 1 + ((u128::from(random) * u128::from(most)) >> 64) as u64;
    u32::try_from(gap).unwrap_or(u32::MAX)
}

/// The beginning of a packet.
#[derive(Debug)]
struct Kept<const MAX: usize> {
    octets: [u8; MAX],
    kept: u16,
    /// All that there were.
    all: u32,
}

impl<const MAX: usize> Kept<MAX> {
    fn of(packet: &[u8]) -> Self {
        let kept = packet.len().min(MAX);
        let mut octets = [0; MAX];
        octets[..kept].copy_from_slice(&packet[..kept]);
        Self { octets, kept: kept as u16, all: packet.len() as u32 }
    }

    fn packet(&self) -> &[u8] {
        &self.octets[..usize::from(self.kept)]
    }
}

/// A query and its answer on the way to the writer.
#[derive(Debug)]
struct Sampled {
    time: SystemTime,
    peer: IpAddr,
    transport: Transport,
    answered: Answered,
    names: Arc<Names>,
    query: Kept<QUERY_OCTETS_MAX>,
    answer: Kept<ANSWER_OCTETS_MAX>,
}

/// A line, in the order of its members; what is not known or not there is null.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    /// Who asked.
    client: IpAddr,
    /// The client subnet of the query.
    subnet: Option<String>,
    transport: &'static str,
    name: Option<String>,
    #[serde(rename = "type")]
    qtype: Option<String>,
    rcode: Option<String>,
    reason: &'static str,
    /// Where the client is taken to be.
    region: Option<&'a str>,
    /// Whose address comes first.
    edge: Option<&'a str>,
    addresses: Vec<IpAddr>,
    /// Of the answer's client subnet.
    scope: Option<u8>,
    octets_in: u32,
    octets_out: u32,
}

impl Entry for Sampled {
    /// All of it is in its place of the queue.
    fn octets(&self) -> usize {
        0
    }

    fn write_to(self, out: &mut Vec<u8>) {
        serde_json::to_writer(&mut *out, &self.line()).expect("text and numbers become JSON");
        out.push(b'\n');
    }
}

impl Sampled {
    fn line(&self) -> Line<'_> {
        let (query, answered) = (self.query.packet(), &self.answered);
        let question = question(query);
        let mut read = Query::empty();
        let is_read = read.read(query).is_ok();
        let subnet = read.edns.filter(|_| is_read).and_then(|edns| edns.subnet);
        let subnet = subnet.filter(|subnet| !subnet.is_hidden());
        let is_answered = answered.octets > 0;
        let placed = answered.placed;
        Line {
            time: format_rfc3339_micros(self.time).to_string(),
            client: self.peer.to_canonical(),
            subnet: subnet.map(|subnet| {
                let (address, bits) = subnet.parts();
                format!("{address}/{bits}")
            }),
            transport: match self.transport {
                Transport::Udp => "udp",
                Transport::Tcp => "tcp",
                Transport::Https => "https",
            },
            name: question.map(|(name, _)| name::to_text(name)),
            qtype: question.map(|(_, qtype)| Rtype::from_int(qtype).to_string()),
            rcode: is_answered
                .then(|| OptRcode::masked_from_int(answered.rcode as u16).to_string()),
            reason: text(answered.reason),
            region: placed.and_then(|placed| self.names.region(placed.region)),
            edge: placed.and_then(|placed| self.names.edge(placed.edge?)),
            addresses: addresses(self.answer.packet()),
            scope: subnet.filter(|_| is_answered).map(|_| answered.scope),
            octets_in: self.query.all,
            octets_out: self.answer.all,
        }
    }
}

/// The name and the type that are asked for.
fn question(packet: &[u8]) -> Option<(&[u8], u16)> {
    if read_u16(packet, 4) != Some(1) {
        return None;
    }
    let (_, octets) = LowerName::read(packet.get(HEADER_OCTETS..)?).ok()?;
    let qtype = read_u16(packet, HEADER_OCTETS + octets)?;
    Some((&packet[HEADER_OCTETS..HEADER_OCTETS + octets], qtype))
}

/// The addresses in the answer section.
fn addresses(packet: &[u8]) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let (Some(questions), Some(answers)) = (read_u16(packet, 4), read_u16(packet, 6)) else {
        return found;
    };
    let mut at = HEADER_OCTETS;
    for _ in 0..questions {
        let Ok(end) = name::skip(packet, at) else { return found };
        at = end + 4;
    }
    for _ in 0..answers {
        let Ok(end) = name::skip(packet, at) else { return found };
        let Some(octets) = read_u16(packet, end + 8).map(usize::from) else { return found };
        let Some(data) = packet.get(end + 10..end + 10 + octets) else { return found };
        match read_u16(packet, end) {
            Some(rtype::A) => found.extend(<[u8; 4]>::try_from(data).map(IpAddr::from)),
            Some(rtype::AAAA) => found.extend(<[u8; 16]>::try_from(data).map(IpAddr::from)),
            _ => {}
        }
        at = end + 10 + octets;
    }
    found
}

/// A reason as metrics and the log have it.
fn text(reason: Reason) -> &'static str {
    match reason {
        Reason::Silence => "silence",
        Reason::Steered(why) => why.text(),
        Reason::Static => "static",
        Reason::Alias => "alias",
        Reason::Lab => "lab",
        Reason::Any => "any",
        Reason::NoData => "nodata",
        Reason::NoName => "nxdomain",
        Reason::Referral => "referral",
        Reason::Refused => "refused",
        Reason::Malformed => "malformed",
        Reason::NotImplemented => "not-implemented",
        Reason::BadVersion => "bad-version",
        Reason::Limited => "limited",
        Reason::Transfer => "transfer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Moment;
    use crate::steer::{Placed, Why};
    use crate::wire::Rcode;

    const HEADER: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01";
    const QUESTION: &[u8] = b"\x01A\x04test\x00\x00\x01\x00\x01";
    /// An OPT record with the client subnet 10.1.2.0/23.
    const OPT: &[u8] =
        b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0b\x00\x08\x00\x07\x00\x01\x17\x00\x0a\x01\x02";
    const ANSWER: &[u8] =
        b"\x12\x34\x81\x00\x00\x01\x00\x03\x00\x00\x00\x00\x01A\x04test\x00\x00\x01\x00\x01\
        \xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x14\x00\x04\x01b\xc0\x0e\
        \xc0\x24\x00\x01\x00\x01\x00\x00\x00\x14\x00\x04\xc0\x00\x02\x01\
        \xc0\x24\x00\x01\x00\x01\x00\x00\x00\x14\x00\x04\xc0\x00\x02\x02";

    fn answered(octets: usize, reason: Reason, rcode: Rcode) -> Answered {
        Answered::new(octets, reason, rcode)
    }

    fn line(query: &[u8], answer: &[u8], answered: Answered) -> serde_json::Value {
        let sampled = Sampled {
            time: SystemTime::UNIX_EPOCH,
            peer: "::ffff:192.0.2.7".parse().unwrap(),
            transport: Transport::Udp,
            answered,
            names: Arc::new(Names::of(&["north"], &["n\"1"])),
            query: Kept::of(query),
            answer: Kept::of(answer),
        };
        let mut out = Vec::new();
        sampled.write_to(&mut out);
        assert_eq!(out.iter().position(|&octet| octet == b'\n'), Some(out.len() - 1));
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_line_says_who_asked_for_what_and_what_came_of_it() {
        let placed = Some(Placed { region: 0, edge: Some(0) });
        let mapped = Reason::Steered(Why::Mapped);
        let steered =
            Answered { scope: 16, placed, ..answered(ANSWER.len(), mapped, Rcode::NoError) };
        let query = [HEADER, QUESTION, OPT].concat();
        let expected = serde_json::json!({
            "time": "1970-01-01T00:00:00.000000Z",
            "client": "192.0.2.7",
            "subnet": "10.1.2.0/23",
            "transport": "udp",
            "name": "A.test.",
            "type": "A",
            "rcode": "NOERROR",
            "reason": "mapped",
            "region": "north",
            "edge": "n\"1",
            "addresses": ["192.0.2.1", "192.0.2.2"],
            "scope": 16,
            "octets_in": query.len(),
            "octets_out": ANSWER.len(),
        });
        assert_eq!(line(&query, ANSWER, steered), expected);
    }

    #[test]
    fn what_is_not_there_is_null() {
        let null = serde_json::Value::Null;
        let plain = [&HEADER[..11], b"\0", QUESTION].concat();
        let long = [HEADER, QUESTION, &[0; 1000]].concat();
        let hidden =
            [HEADER, QUESTION, &OPT[..9], b"\x00\x08\x00\x08\x00\x04\x00\x01\x00\x00"].concat();
        let refused = answered(24, Reason::Refused, Rcode::Refused);
        let silence = answered(0, Reason::Silence, Rcode::NoError);
        let version = answered(24, Reason::BadVersion, Rcode::BadVers);
        for (query, answered, name, rcode, why) in [
            (&plain[..], refused, "A.test.", "REFUSED", "no client subnet"),
            (&hidden, refused, "A.test.", "REFUSED", "one that hides the client"),
            (&long, refused, "A.test.", "REFUSED", "longer than what is kept"),
            (&plain, version, "A.test.", "BADVERS", "a code of more than four bits"),
            (b"x", silence, "", "", "no DNS at all"),
            (&HEADER[..8], silence, "", "", "a header that is cut"),
            (HEADER, silence, "", "", "no question"),
        ] {
            let line = line(query, &ANSWER[..answered.octets], answered);
            let said = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            assert_eq!((said("name"), said("rcode")), (name.to_owned(), rcode.to_owned()), "{why}");
            assert_eq!(line["octets_in"], query.len(), "{why}");
            for key in ["subnet", "region", "edge", "scope"] {
                assert_eq!(line[key], null, "{why}: {key}");
            }
            assert_eq!(line["addresses"], serde_json::json!([]), "{why}");
        }
    }

    #[test]
    fn answers_that_are_cut_have_the_addresses_that_are_whole() {
        for octets in 0..=ANSWER.len() {
            let found = addresses(&ANSWER[..octets]);
            let whole = (octets.saturating_sub(ANSWER.len() - 32) / 16).min(2);
            assert_eq!(found.len(), whole, "{octets} octets");
        }
    }

    #[test]
    fn a_worker_that_logs_allocates_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut sampler = Sampler::new(QueryLog::start(file.path(), 1).unwrap(), Random::new());
        let names = Arc::new(Names::default());
        let query = [HEADER, QUESTION, OPT].concat();
        let peer = IpAddr::from([192, 0, 2, 7]);
        let transport = Transport::Udp;
        let asked = Asked { packet: &query, peer, transport, random: 0, moment: Moment::default() };
        let answered = answered(ANSWER.len(), Reason::Static, Rcode::NoError);
        // The first one wakes the writer; then it gathers.
        let measured = allocation_counter::measure(|| {
            for _ in 0..100 {
                sampler.offer(&names, &asked, &answered, ANSWER);
            }
        });
        assert_eq!(measured.count_total, 0);
        assert_eq!(sampler.log.dropped(), 0);
        drop(sampler);
        assert_eq!(std::fs::read_to_string(file.path()).unwrap().lines().count(), 100);
    }

    #[test]
    fn gaps_are_what_was_asked_for_on_average() {
        assert_eq!((gap(1, 0), gap(1, u64::MAX)), (1, 1), "each query");
        assert_eq!((gap(1000, 0), gap(1000, u64::MAX)), (1, 1999));
        assert_eq!(gap(1000, u64::MAX / 2), 1000);
        assert_eq!(gap(u32::MAX, u64::MAX), u32::MAX, "the largest is cut");
    }
}
