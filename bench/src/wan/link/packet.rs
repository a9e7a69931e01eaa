//! What a packet is, as scripts name it.

use std::fmt;
use std::str::FromStr;

/// A kind of packet. One of TCP has exactly one of the first five, or none if it is a reset; the last is every packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The first of a connection.
    Syn,
    /// The answer to it.
    SynAck,
    /// With content, whatever its other flags but SYN.
    Data,
    /// An acknowledgement and nothing else.
    Ack,
    /// The end of a direction, without content.
    Fin,
    /// Any packet of any protocol.
    Any,
}

/// All of them, with their names in scripts.
const KINDS: &[(&str, Kind)] = &[
    ("SYN", Kind::Syn),
    ("SYN-ACK", Kind::SynAck),
    ("DATA", Kind::Data),
    ("ACK", Kind::Ack),
    ("FIN", Kind::Fin),
    ("ANY", Kind::Any),
];

/// The protocol number of TCP, in IPv4 and in IPv6.
const TCP: u8 = 6;

// RFC 9293 §3.1: the control bits.
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// What a packet of TCP over IPv4 or IPv6 is; `None` for a reset, for other protocols, for fragments but the first, and
/// for IPv6 with extension headers.
#[must_use]
pub fn classify(packet: &[u8]) -> Option<Kind> {
    let content_octets;
    let segment;
    match packet.first()? >> 4 {
        4 => {
            let head_octets = usize::from(packet[0] & 0x0f) * 4;
            let whole_octets = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
            let offset = u16::from_be_bytes([*packet.get(6)?, *packet.get(7)?]) & 0x1fff;
            if *packet.get(9)? != TCP || offset != 0 {
                return None;
            }
            segment = packet.get(head_octets..)?;
            content_octets = whole_octets.checked_sub(head_octets)?;
        }
        6 => {
            if *packet.get(6)? != TCP {
                return None;
            }
            segment = packet.get(40..)?;
            content_octets = usize::from(u16::from_be_bytes([packet[4], packet[5]]));
        }
        _ => return None,
    }
    let data_offset = usize::from(*segment.get(12)? >> 4) * 4;
    of_segment(*segment.get(13)?, content_octets.checked_sub(data_offset)?)
}

fn of_segment(flags: u8, content_octets: usize) -> Option<Kind> {
    if flags & RST != 0 {
        return None;
    }
    if flags & SYN != 0 {
        return Some(if flags & ACK != 0 { Kind::SynAck } else { Kind::Syn });
    }
    if content_octets > 0 {
        return Some(Kind::Data);
    }
    if flags & FIN != 0 {
        return Some(Kind::Fin);
    }
    (flags & ACK != 0).then_some(Kind::Ack)
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = KINDS.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind);
        found.ok_or_else(|| {
            let names: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
            format!("{text:?} is no kind of packet; allowed: {}", names.join(", "))
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = KINDS.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}
