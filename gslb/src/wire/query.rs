//! A packet becomes a query, or a reason to refuse it or to be silent.

use super::name::{self, LowerName};
use super::options::{self, Wanted};
use super::subnet::Subnet;
use super::{HEADER_OCTETS, OPT_OCTETS, Rcode, read_u16, rtype};

/// Bits of the header's second 16 (RFC 1035 §4.1.1, RFC 4035 §3.1.6).
pub(crate) mod flag {
    pub(crate) const QR: u16 = 0x8000;
    pub(crate) const OPCODE: u16 = 0x7800;
    pub(crate) const AA: u16 = 0x0400;
    pub(crate) const TC: u16 = 0x0200;
    pub(crate) const RD: u16 = 0x0100;
    pub(crate) const CD: u16 = 0x0010;
}

/// What a client asks.
pub(crate) struct Query {
    /// The name, in lower case.
    pub(crate) name: LowerName,
    /// The type asked for.
    pub(crate) qtype: u16,
    /// The class asked for.
    pub(crate) qclass: u16,
    /// Where the question ends in the packet; it begins behind the header.
    pub(crate) question_end: usize,
    /// The OPT record, if there is one.
    pub(crate) edns: Option<Edns>,
}

/// The OPT record of a query (RFC 6891 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edns {
    /// UDP payload that the asker can take, in octets, as sent.
    pub(crate) payload: u16,
    /// Version; this server knows 0.
    pub(crate) version: u8,
    /// The DO bit, which is copied (RFC 3225 §3).
    pub(crate) dnssec_ok: bool,
    /// The client subnet option.
    pub(crate) subnet: Option<Subnet>,
    /// The other options.
    pub(crate) wanted: Wanted,
}

/// Why a packet is no query to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// No answer at all: it is too short for a header or is itself a response. Answering could
    /// loop.
    Silence,
    /// An answer with this code; `question_end` if the question can be repeated.
    Reply {
        /// FORMERR or NOTIMP.
        rcode: Rcode,
        /// Where the question ends, if it could be read.
        question_end: Option<usize>,
    },
}

impl Query {
    /// A place for one.
    pub(crate) const fn empty() -> Self {
        Self { name: LowerName::root(), qtype: 0, qclass: 0, question_end: 0, edns: None }
    }

    /// Reads a packet; after an error nothing in it means anything.
    pub(crate) fn read(&mut self, packet: &[u8]) -> Result<(), Problem> {
        let header = packet.get(..HEADER_OCTETS).ok_or(Problem::Silence)?;
        let word = |index: usize| u16::from_be_bytes([header[2 * index], header[2 * index + 1]]);
        let flags = word(1);
        if flags & flag::QR != 0 {
            return Err(Problem::Silence);
        }
        let reply = |rcode| Problem::Reply { rcode, question_end: None };
        if flags & flag::OPCODE != 0 {
            return Err(reply(Rcode::NotImp));
        }
        // RFC 9619 §4: not more than one question. One without any could ask for a cookie (RFC 7873 §5.4), of which we
        // give none that way.
        if word(2) != 1 {
            return Err(reply(Rcode::FormErr));
        }
        let name = self.name.replace(&packet[HEADER_OCTETS..]);
        let at = HEADER_OCTETS + name.map_err(|_| reply(Rcode::FormErr))?;
        let (Some(qtype), Some(qclass)) = (read_u16(packet, at), read_u16(packet, at + 2)) else {
            return Err(reply(Rcode::FormErr));
        };
        (self.qtype, self.qclass, self.question_end) = (qtype, qclass, at + 4);
        let records = [word(3), word(4), word(5)];
        let malformed =
            Problem::Reply { rcode: Rcode::FormErr, question_end: Some(self.question_end) };
        self.edns = read_records(packet, self.question_end, records).ok_or(malformed)?;
        Ok(())
    }
}

/// Whether a malformed packet has an OPT record behind its question, in whatever state: whoever sends one expects one
/// (RFC 6891 §6.1.1).
pub(crate) fn has_opt(packet: &[u8], question_end: usize) -> bool {
    let mut at = question_end;
    loop {
        let owner = at;
        let Ok(end) = name::skip(packet, owner) else { return false };
        if read_u16(packet, end) == Some(rtype::OPT) {
            return packet[owner] == 0 && packet.len() >= owner + OPT_OCTETS;
        }
        let Some(data_octets) = read_u16(packet, end + 8) else { return false };
        at = end + 10 + usize::from(data_octets);
    }
}

/// Walks over the records behind the question up to the end of the packet and returns the OPT
/// record; `None` if they are malformed. Each record takes at least 11 octets, so the counts cannot
/// make this long.
fn read_records(packet: &[u8], mut at: usize, counts: [u16; 3]) -> Option<Option<Edns>> {
    let mut edns = None;
    for (section, count) in counts.into_iter().enumerate() {
        for _ in 0..count {
            let owner = at;
            at = name::skip(packet, at).ok()?;
            let rtype = read_u16(packet, at)?;
            let data_octets = usize::from(read_u16(packet, at + 8)?);
            packet.get(at + 10..at + 10 + data_octets)?;
            if rtype == rtype::OPT {
                // RFC 6891 §6.1.1: in the additional section, one at most, owned by the root.
                if section != 2 || edns.is_some() || packet[owner] != 0 {
                    return None;
                }
                edns = Some(read_opt(packet, at, data_octets)?);
            }
            at += 10 + data_octets;
        }
    }
    // Octets behind the last record belong to nothing.
    (at == packet.len()).then_some(edns)
}

/// Reads the OPT record whose type is at `at`.
fn read_opt(packet: &[u8], at: usize, data_octets: usize) -> Option<Edns> {
    let mut edns = Edns {
        payload: read_u16(packet, at + 2)?,
        version: *packet.get(at + 5)?,
        dnssec_ok: packet.get(at + 6)? & 0x80 != 0,
        subnet: None,
        wanted: Wanted::default(),
    };
    // What another version means by the data is not known: it gets BADVERS, not FORMERR.
    if edns.version == 0 && data_octets > 0 {
        let asked = options::read(packet, at + 10, at + 10 + data_octets)?;
        (edns.subnet, edns.wanted) = (asked.subnet, asked.wanted);
    }
    Some(edns)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00";
    const HEADER_OPT: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01";
    const QUESTION: &[u8] = b"\x01a\x00\x00\x01\x00\x01";

    type Case<'a> = (&'a [&'a [u8]], Result<Option<Edns>, Problem>, &'a str);

    fn outcome(parts: &[&[u8]]) -> Result<Option<Edns>, Problem> {
        let mut query = Query::empty();
        query.read(&parts.concat()).map(|()| query.edns)
    }

    #[test]
    fn packets_are_sorted() {
        let form = Problem::Reply { rcode: Rcode::FormErr, question_end: None };
        let form_later = Problem::Reply { rcode: Rcode::FormErr, question_end: Some(19) };
        let plain = Edns {
            payload: 1232,
            version: 0,
            dnssec_ok: false,
            subnet: None,
            wanted: Wanted::default(),
        };
        let opt =
            |payload: &'static [u8]| [b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00", payload].concat();
        let cases: &[Case<'_>] = &[
            (&[HEADER, QUESTION], Ok(None), "a plain query"),
            (&[HEADER_OPT, QUESTION, &opt(b"\x00\x00")], Ok(Some(plain)), "EDNS"),
            (&[b"\x12\x34\x01"], Err(Problem::Silence), "no header"),
            (
                &[b"\x12\x34\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00", QUESTION],
                Err(Problem::Silence),
                "a response: answering it could loop",
            ),
            (
                &[b"\x12\x34\x28\x00\x00\x01\x00\x00\x00\x00\x00\x00", QUESTION],
                Err(Problem::Reply { rcode: Rcode::NotImp, question_end: None }),
                "UPDATE",
            ),
            (&[b"\x12\x34\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"], Err(form), "QDCOUNT 0"),
            (
                &[b"\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00", QUESTION, QUESTION],
                Err(form),
                "RFC 9619 §4: QDCOUNT 2",
            ),
            (&[HEADER, b"\xc0\x0c\x00\x01\x00\x01"], Err(form), "the question points to itself"),
            (&[HEADER, b"\x01a\x00\x00\x01"], Err(form), "no class"),
            (&[HEADER, QUESTION, b"\x00"], Err(form_later), "octets behind the end"),
            (&[HEADER_OPT, QUESTION], Err(form_later), "a record that is not there"),
            (&[HEADER_OPT, QUESTION, &opt(b"\x00\x04\x00\x08\x00")], Err(form_later), "cut off"),
            (
                &[HEADER_OPT, QUESTION, &opt(b"\x00\x04\x00\x08\x00\x01")],
                Err(form_later),
                "an option longer than the record",
            ),
            (
                &[HEADER_OPT, QUESTION, &opt(b"\x00\x06\x00\x0a\x00\x02ab")],
                Err(form_later),
                "RFC 7873 §5.2.2: a cookie of two octets",
            ),
            (
                &[HEADER_OPT, QUESTION, &opt(b"\x00\x08\x00\x08\x00\x04\x00\x07\x00\x00")],
                Err(form_later),
                "a subnet of family 7",
            ),
            (
                &[HEADER_OPT, QUESTION, b"\x01x\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"],
                Err(form_later),
                "RFC 6891 §6.1.2: the owner is the root",
            ),
            (
                &[
                    b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x02",
                    QUESTION,
                    &opt(b"\x00\x00"),
                    &opt(b"\x00\x00"),
                ],
                Err(form_later),
                "RFC 6891 §6.1.1: two OPT records",
            ),
        ];
        for (parts, expected, why) in cases {
            assert_eq!(&outcome(parts), expected, "{why}");
        }
    }
}
