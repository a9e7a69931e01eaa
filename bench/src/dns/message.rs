//! DNS messages as a load needs them: queries that are filled in, answers that are looked at (RFC 1035 §4, RFC 7871).

use std::fmt;
use std::net::Ipv4Addr;

/// Octets of a query at most: a header, a name of 255, and EDNS with a subnet.
pub(super) const QUERY_OCTETS_MAX: usize = 12 + 255 + 4 + 11 + 4 + 7;

/// What a resolver says that it can take over UDP (DNS flag day 2020).
const PAYLOAD_OCTETS: [u8; 2] = 1232_u16.to_be_bytes();

/// Bits of a client's address that a resolver tells (RFC 7871 §11.1).
pub(super) const SUBNET_BITS: u8 = 24;

const TYPE_A: [u8; 2] = 1_u16.to_be_bytes();
const CLASS_IN: [u8; 2] = 1_u16.to_be_bytes();
const HEADER_OCTETS: usize = 12;

/// A query for the addresses of a name; its identifier is 0 until [`stamp`] writes another.
///
/// `None` when a label has no octets or more than 63, or the name more than 255.
pub(super) fn query(name: &str, subnet: Option<Ipv4Addr>) -> Option<Vec<u8>> {
    // No recursion is desired; one question, one additional record.
    let mut octets = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        octets.push(length);
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    if octets.len() - HEADER_OCTETS > 255 {
        return None;
    }
    octets.extend(TYPE_A);
    octets.extend(CLASS_IN);
    // RFC 6891 §6.1.2: the root, type 41, the payload as class; extended RCODE, version and flags of 0.
    octets.extend([0, 0, 41]);
    octets.extend(PAYLOAD_OCTETS);
    octets.extend([0; 4]);
    match subnet {
        None => octets.extend([0, 0]),
        Some(address) => {
            // RFC 7871 §6: option 8, family IPv4, so many bits, scope 0, the octets of these bits.
            octets.extend([0, 11, 0, 8, 0, 7, 0, 1, SUBNET_BITS, 0]);
            octets.extend(&address.octets()[..3]);
        }
    }
    Some(octets)
}

/// Gives a query its identifier.
pub(super) fn stamp(query: &mut [u8], id: u16) {
    if let Some(place) = query.get_mut(..2) {
        place.copy_from_slice(&id.to_be_bytes());
    }
}

/// Replaces the subnet of a query that has one.
pub(super) fn steer(query: &mut [u8], subnet: Ipv4Addr) {
    // The option is the last thing in it.
    if let Some(place) = query.last_chunk_mut::<3>() {
        place.copy_from_slice(&subnet.octets()[..3]);
    }
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// Shorter than a header.
    Short,
    /// A query.
    NoResponse,
    /// Cut: it would have to be asked for over TCP.
    Truncated,
    /// An error.
    Rcode(u8),
    /// No record in it.
    NoAnswer,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("an answer shorter than a header"),
            Self::NoResponse => f.write_str("a query instead of an answer"),
            Self::Truncated => f.write_str("a truncated answer"),
            Self::Rcode(rcode) => write!(f, "RCODE {rcode}"),
            Self::NoAnswer => f.write_str("an answer without a record"),
        }
    }
}

/// The identifier of a message that has one.
pub(super) fn id(message: &[u8]) -> Option<u16> {
    message.first_chunk().map(|octets| u16::from_be_bytes(*octets))
}

/// Whether it is an answer with a record.
pub(super) fn check(message: &[u8]) -> Result<(), Wrong> {
    let [_, _, first, second, _, _, answers_high, answers_low, ..] = *message else {
        return Err(Wrong::Short);
    };
    if message.len() < HEADER_OCTETS {
        Err(Wrong::Short)
    } else if first & 0x80 == 0 {
        Err(Wrong::NoResponse)
    } else if second & 0x0f != 0 {
        Err(Wrong::Rcode(second & 0x0f))
    } else if first & 0x02 != 0 {
        Err(Wrong::Truncated)
    } else if answers_high == 0 && answers_low == 0 {
        Err(Wrong::NoAnswer)
    } else {
        Ok(())
    }
}

/// The addresses in the answer section; `None` when it can't be read.
pub(super) fn addresses(message: &[u8]) -> Option<Vec<Ipv4Addr>> {
    let count = |at: usize| Some(u16::from_be_bytes(*message.get(at..)?.first_chunk()?));
    let mut rest = message.get(HEADER_OCTETS..)?;
    for _ in 0..count(4)? {
        rest = after_name(rest)?.get(4..)?;
    }
    let mut found = Vec::new();
    for _ in 0..count(6)? {
        let (fixed, data) = after_name(rest)?.split_first_chunk::<10>()?;
        let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        if let ([0, 1, 0, 1], Some(&octets)) = (&fixed[..4], data.first_chunk::<4>()) {
            found.push(Ipv4Addr::from(octets));
        }
        rest = data.get(length..)?;
    }
    Some(found)
}

/// What follows a name, which ends with the root or with a pointer (RFC 1035 §4.1.4).
fn after_name(octets: &[u8]) -> Option<&[u8]> {
    let mut rest = octets;
    loop {
        let (&length, labels) = rest.split_first()?;
        match length {
            0 => return Some(labels),
            1..=63 => rest = labels.get(usize::from(length)..)?,
            64.. => return labels.get(1..),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBNET: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 0);

    #[test]
    fn queries() {
        let mut plain = query("a.bench.test.", None).unwrap();
        stamp(&mut plain, 0x1234);
        let mut expected = b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01".to_vec();
        expected.extend(b"\x01a\x05bench\x04test\x00\x00\x01\x00\x01");
        let bare = expected.len();
        expected.extend(b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00");
        assert_eq!(plain, expected, "RFC 1035 §4.1, RFC 6891 §6.1.2");
        let mut subnet = query("a.bench.test", Some(SUBNET)).unwrap();
        let option = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0b\x00\x08\x00\x07\x00\x01\x18\x00\x0a\x01\x02";
        assert_eq!(&subnet[bare..], option, "RFC 7871 §6");
        steer(&mut subnet, Ipv4Addr::new(192, 0, 2, 77));
        assert!(subnet.ends_with(&[24, 0, 192, 0, 2]), "another subnet");
    }

    #[test]
    fn names_that_are_none() {
        let label = "a".repeat(63);
        let long = [label.as_str(); 4].join(".");
        for (name, ok, why) in [
            (label.as_str(), true, "the longest label"),
            (&"a".repeat(64), false, "a longer one"),
            ("a..b", false, "an empty label"),
            (&long, false, "257 octets"),
            (&long[2..], true, "255 octets"),
        ] {
            let query = query(name, Some(SUBNET));
            assert_eq!(query.is_some(), ok, "{why}");
            assert!(query.is_none_or(|query| query.len() <= QUERY_OCTETS_MAX), "{why}");
        }
    }

    /// An answer of two records, a CNAME and an address.
    fn answer() -> Vec<u8> {
        let mut octets = b"\x12\x34\x84\x00\x00\x01\x00\x02\x00\x00\x00\x00".to_vec();
        octets.extend(b"\x01a\x05bench\x04test\x00\x00\x01\x00\x01");
        octets.extend(b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x14\x00\x04\x01b\xc0\x0e");
        octets.extend(b"\x01b\xc0\x0e\x00\x01\x00\x01\x00\x00\x00\x14\x00\x04\xc0\x00\x02\x07");
        octets
    }

    #[test]
    fn answers_are_checked() {
        let with = |at: usize, octet: u8| {
            let mut answer = answer();
            answer[at] = octet;
            answer
        };
        for (message, expected, why) in [
            (answer(), Ok(()), "as it should be"),
            (answer()[..11].to_vec(), Err(Wrong::Short), "cut in the header"),
            (Vec::new(), Err(Wrong::Short), "nothing"),
            (with(2, 0x04), Err(Wrong::NoResponse), "QR of 0"),
            (with(2, 0x86), Err(Wrong::Truncated), "TC"),
            (with(3, 0x03), Err(Wrong::Rcode(3)), "NXDOMAIN"),
            (with(3, 0x80), Ok(()), "RA is no RCODE"),
            (with(7, 0), Err(Wrong::NoAnswer), "NODATA"),
        ] {
            assert_eq!(check(&message), expected, "{why}");
        }
        assert_eq!((id(&answer()), id(b"a")), (Some(0x1234), None));
    }

    #[test]
    fn addresses_are_read() {
        assert_eq!(addresses(&answer()), Some(vec![Ipv4Addr::new(192, 0, 2, 7)]));
        for length in 0..answer().len() {
            assert_eq!(addresses(&answer()[..length]), None, "cut at {length}");
        }
        assert_eq!(query("a", None).and_then(|query| addresses(&query)), Some(Vec::new()));
    }
}
