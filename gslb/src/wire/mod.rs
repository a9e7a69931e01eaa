//! Octets of DNS messages, by hand, without allocation (RFC 1035 §4).
//!
//! | file | job |
//! | --- | --- |
//! | `cookie.rs` | the cookie option (RFC 7873, RFC 9018) |
//! | `name.rs` | names in wire form, lower-cased for comparison |
//! | `options.rs` | what a query's options ask for, and those of an answer |
//! | `query.rs` | a packet becomes a query, or a reason to refuse it |
//! | `subnet.rs` | the client subnet option (RFC 7871) |
//! | `writer.rs` | an answer grows in a buffer: compression, limit, rewind |

pub(crate) mod cookie;
pub(crate) mod name;
pub(crate) mod options;
pub(crate) mod query;
pub(crate) mod subnet;
pub(crate) mod writer;

/// Record types (IANA "Resource Record (RR) TYPEs") that this server treats in a way of their own.
pub(crate) mod rtype {
    pub(crate) const A: u16 = 1;
    pub(crate) const NS: u16 = 2;
    pub(crate) const CNAME: u16 = 5;
    pub(crate) const SOA: u16 = 6;
    pub(crate) const PTR: u16 = 12;
    pub(crate) const HINFO: u16 = 13;
    pub(crate) const MX: u16 = 15;
    pub(crate) const AAAA: u16 = 28;
    pub(crate) const DNAME: u16 = 39;
    pub(crate) const OPT: u16 = 41;
    pub(crate) const DS: u16 = 43;
    pub(crate) const RRSIG: u16 = 46;
    pub(crate) const NSEC: u16 = 47;
    pub(crate) const DNSKEY: u16 = 48;
    pub(crate) const NSEC3: u16 = 50;
    pub(crate) const NSEC3PARAM: u16 = 51;
    pub(crate) const IXFR: u16 = 251;
    pub(crate) const AXFR: u16 = 252;
    pub(crate) const ANY: u16 = 255;
}

/// The class of the Internet, the only one served.
pub(crate) const CLASS_IN: u16 = 1;

/// Octets of a message's header (RFC 1035 §4.1.1).
pub(crate) const HEADER_OCTETS: usize = 12;

/// Octets of an OPT record without options (RFC 6891 §6.1.2).
pub(crate) const OPT_OCTETS: usize = 11;

/// Response codes (RFC 1035 §4.1.1, RFC 6891 §9, RFC 7873 §8); above 15 the upper bits travel in the OPT record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rcode {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    BadVers = 16,
    BadCookie = 23,
}

/// The two octets at `at`, most significant first.
pub(crate) fn read_u16(octets: &[u8], at: usize) -> Option<u16> {
    let pair = octets.get(at..at + 2)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}
