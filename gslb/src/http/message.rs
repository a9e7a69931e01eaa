//! DNS messages as the front needs them: a question of its own, and what an answer holds. Pure.

use crate::wire::{CLASS_IN, rtype};
use domain::base::Message;
use domain::base::iana::Rcode;
use domain::base::opt::ClientSubnet;
use domain::rdata::{A, Aaaa};
use std::net::IpAddr;

/// What an answer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) rcode: Rcode,
    /// The least TTL of its answers, or how long "there is none" may be remembered, in seconds.
    pub(super) ttl: Option<u32>,
    pub(super) addresses: Vec<IpAddr>,
    /// Bits of the client's address that it depends on.
    pub(super) scope: Option<u8>,
}

/// A question for `name` (in wire form), on behalf of a client whose address is known in full.
pub(super) fn question(name: &[u8], rtype: u16, client: IpAddr) -> Vec<u8> {
    let (family, octets) = match client.to_canonical() {
        IpAddr::V4(v4) => (1u16, v4.octets().to_vec()),
        IpAddr::V6(v6) => (2, v6.octets().to_vec()),
    };
    let mut packet = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    packet.extend_from_slice(name);
    packet.extend([rtype, CLASS_IN].into_iter().flat_map(u16::to_be_bytes));
    // RFC 6891 §6.1.2: the root, OPT, payload, extended RCODE and flags, length.
    packet.extend([0, 0, rtype::OPT as u8, 4, 208, 0, 0, 0, 0]);
    let option_octets = 4 + octets.len() as u16;
    packet.extend((4 + option_octets).to_be_bytes());
    // RFC 7871 §6.
    packet.extend([8, option_octets, family].into_iter().flat_map(u16::to_be_bytes));
    packet.extend([8 * octets.len() as u8, 0]);
    packet.extend(octets);
    packet
}

/// Reads an answer; `None` if it is none.
pub(super) fn read(answer: &[u8]) -> Option<Contents> {
    let message = Message::from_octets(answer).ok()?;
    let (mut ttl, mut addresses): (Option<u32>, _) = (None, Vec::new());
    for record in message.answer().ok()? {
        let record = record.ok()?;
        let seconds = record.ttl().as_secs();
        ttl = Some(ttl.map_or(seconds, |least| least.min(seconds)));
        if let Ok(Some(v4)) = record.to_record::<A>() {
            addresses.push(IpAddr::V4(v4.data().addr()));
        } else if let Ok(Some(v6)) = record.to_record::<Aaaa>() {
            addresses.push(IpAddr::V6(v6.data().addr()));
        }
    }
    if ttl.is_none() {
        // RFC 2308 §5: our SOA records come with the lesser of TTL and MINIMUM.
        let authority = message.authority().ok()?.flatten();
        ttl = authority.map(|record| record.ttl().as_secs()).min();
    }
    let opt = message.opt();
    let subnet = opt.as_ref().and_then(|opt| opt.opt().iter::<ClientSubnet>().flatten().next());
    let scope = subnet.map(|subnet| subnet.scope_prefix_len());
    Some(Contents { rcode: message.header().rcode(), ttl, addresses, scope })
}
