//! The heads of a packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Numbers of protocols: TCP in IPv4's and IPv6's heads (RFC 9293 §3.1).
const TCP: u8 = 6;

/// Flags of TCP (RFC 9293 §3.1).
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// What the analysis needs of the heads of IP and TCP.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) from: (IpAddr, u16),
    pub(super) to: (IpAddr, u16),
    pub(super) sequence: u32,
    /// `None` without the flag.
    pub(super) acknowledgement: Option<u32>,
    pub(super) is_syn: bool,
    pub(super) is_fin: bool,
    pub(super) is_rst: bool,
    /// As it is on the wire, not scaled.
    pub(super) window: u16,
    pub(super) options: Options,
    /// Blocks of a selective acknowledgement: where each begins, and the first octet after it (RFC 2018 §3).
    pub(super) selective: Vec<(u32, u32)>,
    pub(super) content_octets: u32,
    /// As much of the content as was kept.
    pub(super) content: &'a [u8],
}

/// Options of TCP that an end of a connection offers in its first segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The most octets of content that it takes in a segment (RFC 9293 §3.7.1).
    pub segment_octets_max: Option<u16>,
    /// By how many bits its windows are shifted (RFC 7323 §2).
    pub window_scale: Option<u8>,
    /// Whether it takes selective acknowledgements (RFC 2018 §2).
    pub selective: bool,
    /// Whether it has timestamps (RFC 7323 §3).
    pub timestamps: bool,
}

impl<'a> Head<'a> {
    /// Reads what was `kept` of a packet of `octets`. `None` for what is no TCP, for a fragment that is not the first
    /// one, behind IPv6's extension headers, or if what was kept ends before TCP's head does.
    pub(super) fn read(kept: &'a [u8], octets: u16) -> Option<Self> {
        let (from, to, internet_octets) = match kept.first()? >> 4 {
            4 => internet4(kept)?,
            6 => internet6(kept)?,
            _ => return None,
        };
        let tcp = kept.get(internet_octets..)?;
        let fixed = tcp.first_chunk::<20>()?;
        let head_octets = usize::from(fixed[12] >> 4) * 4;
        let flags = fixed[13];
        let (options, selective) = options(tcp.get(20..head_octets)?);
        let heads_octets = internet_octets + head_octets;
        let content_octets = usize::from(octets).checked_sub(heads_octets)?;
        let content = kept.get(heads_octets..).unwrap_or_default();
        Some(Self {
            from: (from, two(fixed, 0)),
            to: (to, two(fixed, 2)),
            sequence: four(fixed, 4),
            acknowledgement: (flags & ACK != 0).then(|| four(fixed, 8)),
            is_syn: flags & SYN != 0,
            is_fin: flags & FIN != 0,
            is_rst: flags & RST != 0,
            window: two(fixed, 14),
            options,
            selective,
            content_octets: u32::try_from(content_octets).ok()?,
            content: &content[..content.len().min(content_octets)],
        })
    }
}

/// Addresses, and octets of the head (RFC 791 §3.1).
fn internet4(kept: &[u8]) -> Option<(IpAddr, IpAddr, usize)> {
    let fixed = kept.first_chunk::<20>()?;
    let head_octets = usize::from(fixed[0] & 15) * 4;
    let fragment_offset = two(fixed, 6) & 0x1fff;
    if fixed[9] != TCP || fragment_offset != 0 || head_octets < 20 {
        return None;
    }
    let address = |at| IpAddr::V4(Ipv4Addr::from_bits(four(fixed, at)));
    Some((address(12), address(16), head_octets))
}

/// The same of IPv6 (RFC 8200 §3).
fn internet6(kept: &[u8]) -> Option<(IpAddr, IpAddr, usize)> {
    let fixed = kept.first_chunk::<40>()?;
    let address = |at: usize| {
        let octets: [u8; 16] = fixed[at..at + 16].try_into().ok()?;
        Some(IpAddr::V6(Ipv6Addr::from(octets)))
    };
    (fixed[6] == TCP).then_some((address(8)?, address(24)?, 40))
}

fn two(octets: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}

fn four(octets: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]])
}

/// Kinds of options are in the registry "TCP Option Kind Numbers". What is malformed ends the list.
fn options(mut rest: &[u8]) -> (Options, Vec<(u32, u32)>) {
    let mut options = Options::default();
    let mut selective = Vec::new();
    while let [kind, after @ ..] = rest {
        match kind {
            0 => break,
            1 => {
                rest = after;
                continue;
            }
            _ => {}
        }
        let Some(length) = after.first().map(|length| usize::from(*length)) else { break };
        let Some(value) = rest.get(2..length) else { break };
        match (kind, value.len()) {
            (2, 2) => options.segment_octets_max = Some(two(value, 0)),
            (3, 1) => options.window_scale = Some(value[0]),
            (4, 0) => options.selective = true,
            (5, _) => {
                selective
                    .extend(value.chunks_exact(8).map(|block| (four(block, 0), four(block, 4))));
            }
            (8, 8) => options.timestamps = true,
            _ => {}
        }
        rest = &rest[length..];
    }
    (options, selective)
}
