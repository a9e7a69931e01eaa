//! The options of an answer's OPT record: how many octets they take, and what they are.

use super::cookie;
use super::subnet::{self, Subnet};
use super::writer::{Full, Writer};

/// NSID (RFC 5001 §2.3).
pub(crate) const NSID: u16 = 3;
/// edns-tcp-keepalive (RFC 7828 §3.1).
pub(crate) const KEEPALIVE: u16 = 11;
/// Extended DNS error (RFC 8914 §2).
const EXTENDED_ERROR: u16 = 15;
/// Octets of an option's code and length.
const HEAD_OCTETS: usize = 4;

/// Why an answer is an error, by RFC 8914 §4: code and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExtendedError(pub(crate) u16, pub(crate) &'static str);

/// The options of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options<'a> {
    /// The client subnet as asked.
    pub(crate) subnet: Option<Subnet>,
    /// Both cookies.
    pub(crate) cookie: Option<[u8; cookie::BOTH_OCTETS]>,
    /// Which server this is.
    pub(crate) nsid: Option<&'a [u8]>,
    /// For how long an idle TCP connection stays open, in units of 100 ms.
    pub(crate) keepalive: Option<u16>,
    pub(crate) error: Option<ExtendedError>,
}

impl Options<'_> {
    /// Octets of all of them.
    pub(crate) fn octets(&self) -> usize {
        let mut octets = self.subnet.as_ref().map_or(0, Subnet::octets);
        octets += self.cookie.map_or(0, |both| HEAD_OCTETS + both.len());
        octets += self.nsid.map_or(0, |nsid| HEAD_OCTETS + nsid.len());
        octets += self.keepalive.map_or(0, |_| HEAD_OCTETS + 2);
        octets + self.error.map_or(0, |error| HEAD_OCTETS + 2 + error.1.len())
    }

    /// Writes length and data of the OPT record; `scope` is the client subnet's.
    pub(crate) fn write(&self, scope: u8, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.put_u16(self.octets() as u16)?;
        if let Some(subnet) = &self.subnet {
            // RFC 7871 §7.2.1: the scope of a hidden client is 0.
            subnet.write(if subnet.is_hidden() { 0 } else { scope }, writer)?;
        }
        if let Some(both) = &self.cookie {
            put(writer, cookie::OPTION_CODE, both)?;
        }
        if let Some(nsid) = self.nsid {
            put(writer, NSID, nsid)?;
        }
        if let Some(timeout) = self.keepalive {
            put(writer, KEEPALIVE, &timeout.to_be_bytes())?;
        }
        if let Some(ExtendedError(code, text)) = self.error {
            writer.put_u16(EXTENDED_ERROR)?;
            writer.put_u16(2 + text.len() as u16)?;
            writer.put_u16(code)?;
            writer.put(text.as_bytes())?;
        }
        Ok(())
    }
}

fn put(writer: &mut Writer<'_>, code: u16, data: &[u8]) -> Result<(), Full> {
    writer.put_u16(code)?;
    writer.put_u16(data.len() as u16)?;
    writer.put(data)
}

/// What a query's options ask for. The client subnet, which most queries with options have, is kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Where in the packet the first cookie's data begins.
    pub(crate) cookie_at: u16,
    /// How many octets it has; 0 without a cookie.
    pub(crate) cookie_octets: u8,
    pub(crate) nsid: bool,
    pub(crate) keepalive: bool,
}

/// What is read of a query's options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) subnet: Option<Subnet>,
    pub(crate) wanted: Wanted,
}

/// Reads the options that are between `at` and `end` in a packet; `None` if they are malformed.
pub(crate) fn read(packet: &[u8], mut at: usize, end: usize) -> Option<Asked> {
    let mut asked = Asked::default();
    let packet = packet.get(..end)?;
    while at < end {
        let (code, octets) = (super::read_u16(packet, at)?, super::read_u16(packet, at + 2)?);
        at += HEAD_OCTETS;
        let data = packet.get(at..at + usize::from(octets))?;
        match code {
            subnet::OPTION_CODE => {
                if asked.subnet.is_some() {
                    return None;
                }
                asked.subnet = Some(Subnet::read(data).ok()?);
            }
            cookie::OPTION_CODE if !cookie::is_length(data.len()) => return None,
            // RFC 7873 §5: of several, the first counts.
            cookie::OPTION_CODE if asked.wanted.cookie_octets == 0 => {
                asked.wanted.cookie_at = u16::try_from(at).ok()?;
                asked.wanted.cookie_octets = data.len() as u8;
            }
            NSID => asked.wanted.nsid = true,
            KEEPALIVE => asked.wanted.keepalive = true,
            _ => {}
        }
        at += data.len();
    }
    Some(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let cookie = |octets: usize| [&[0, 10, 0, octets as u8][..], &vec![7; octets]].concat();
        let wanted = |cookie_at, cookie_octets| {
            Some(Wanted { cookie_at, cookie_octets, ..Wanted::default() })
        };
        for (octets, expected, why) in [
            (vec![], Some(Wanted::default()), "none"),
            (cookie(8), wanted(4, 8), "a client's cookie"),
            (cookie(24), wanted(4, 24), "and ours"),
            (cookie(40), wanted(4, 40), "and a long one of another server"),
            ([cookie(8), cookie(24)].concat(), wanted(4, 8), "RFC 7873 §5: the first counts"),
            (cookie(0), None, "RFC 7873 §5.2.2: too short"),
            (cookie(7), None, "too short"),
            (cookie(9), None, "not only a client's, too short for both"),
            (cookie(15), None, "the same"),
            (cookie(41), None, "too long"),
            ([cookie(8), cookie(41)].concat(), None, "malformed, counted or not"),
            (cookie(8)[..11].to_vec(), None, "cut off"),
            (vec![0, 10, 0], None, "no whole length"),
            (vec![0, 12, 0, 2, 0, 0], Some(Wanted::default()), "padding is not for us"),
            (
                vec![0, 3, 0, 0, 0, 11, 0, 0],
                Some(Wanted { nsid: true, keepalive: true, ..Wanted::default() }),
                "NSID and keepalive",
            ),
            (
                vec![0, 3, 0, 1, 9],
                Some(Wanted { nsid: true, ..Wanted::default() }),
                "RFC 5001 §2.1",
            ),
        ] {
            let end = octets.len();
            assert_eq!(read(&octets, 0, end).map(|asked| asked.wanted), expected, "{why}");
        }
    }

    #[test]
    fn the_length_is_what_is_written() {
        let subnet = Subnet::read(&[0, 1, 24, 0, 10, 1, 2]).unwrap();
        for bits in 0..32u8 {
            let options = Options {
                subnet: (bits & 1 > 0).then_some(subnet),
                cookie: (bits & 2 > 0).then_some([1; 24]),
                nsid: (bits & 4 > 0).then_some(&b"fra-1"[..]),
                keepalive: (bits & 8 > 0).then_some(100),
                error: (bits & 16 > 0).then_some(ExtendedError(20, "")),
            };
            let mut out = [0; 200];
            let mut writer = Writer::new(&mut out, 200);
            let begins = writer.octets();
            options.write(16, &mut writer).unwrap();
            let octets = writer.octets() - begins;
            assert_eq!(octets, 2 + options.octets());
            assert_eq!(u16::from_be_bytes([out[begins], out[begins + 1]]), octets as u16 - 2);
        }
    }
}
