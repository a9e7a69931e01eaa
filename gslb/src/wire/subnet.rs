//! The client subnet option (RFC 7871 §6) and the client that it stands for.

use super::writer::{Full, Writer};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The option's code.
pub(crate) const OPTION_CODE: u16 = 8;

/// The option as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subnet {
    /// 1 for IPv4, 2 for IPv6, 0 (without an address) from askers that hide everything.
    family: u16,
    /// SOURCE PREFIX-LENGTH in bits.
    source: u8,
    /// The address; bits beyond `source` are zero.
    address: IpAddr,
}

/// Why an option is malformed; each is answered with FORMERR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadSubnet {
    /// Shorter than its fixed part.
    Short,
    /// An address family other than IPv4 and IPv6.
    Family,
    /// A prefix longer than the family's addresses.
    PrefixLength,
    /// A scope in a query (RFC 7871 §6: must be 0).
    Scope,
    /// More or fewer address octets than the prefix needs (RFC 7871 §7.2.1).
    AddressLength,
    /// Bits set beyond the prefix (RFC 7871 §7.2.1).
    AddressBits,
}

impl Subnet {
    /// Reads the option's data.
    pub(crate) fn read(data: &[u8]) -> Result<Self, BadSubnet> {
        let [family_high, family_low, source, scope, address @ ..] = data else {
            return Err(BadSubnet::Short);
        };
        let (family, source) = (u16::from_be_bytes([*family_high, *family_low]), *source);
        let bits = match family {
            // RFC 7871 §7.1.2 lets "no address" be said with any family; dig and BIND have sent 0.
            0 => 0,
            1 => 32,
            2 => 128,
            _ => return Err(BadSubnet::Family),
        };
        if source > bits {
            return Err(BadSubnet::PrefixLength);
        }
        if *scope != 0 {
            return Err(BadSubnet::Scope);
        }
        if address.len() != usize::from(source).div_ceil(8) {
            return Err(BadSubnet::AddressLength);
        }
        let mut whole = [0; 16];
        whole[..address.len()].copy_from_slice(address);
        if u128::from_be_bytes(whole) & !mask(source, 128) != 0 {
            return Err(BadSubnet::AddressBits);
        }
        let address = if family == 2 {
            IpAddr::V6(Ipv6Addr::from(whole))
        } else {
            IpAddr::V4(Ipv4Addr::new(whole[0], whole[1], whole[2], whole[3]))
        };
        Ok(Self { family, source, address })
    }

    /// Whether the asker hides the client: nothing of the address is told.
    pub(crate) fn is_hidden(&self) -> bool {
        self.source == 0
    }

    /// The address and how many bits of it are known.
    pub(crate) fn parts(&self) -> (IpAddr, u8) {
        (self.address, self.source)
    }

    /// Octets that the option takes in an answer, code and length included.
    pub(crate) fn octets(&self) -> usize {
        8 + usize::from(self.source).div_ceil(8)
    }

    /// Writes the option for an answer: everything as asked, and the scope (RFC 7871 §7.2.1).
    pub(crate) fn write(&self, scope: u8, writer: &mut Writer<'_>) -> Result<(), Full> {
        let address_octets = usize::from(self.source).div_ceil(8);
        writer.put_u16(OPTION_CODE)?;
        writer.put_u16(4 + address_octets as u16)?;
        writer.put_u16(self.family)?;
        writer.put(&[self.source, scope])?;
        match self.address {
            IpAddr::V4(address) => writer.put(&address.octets()[..address_octets]),
            IpAddr::V6(address) => writer.put(&address.octets()[..address_octets]),
        }
    }
}

/// Who is to be served near: as much of an address as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// The address; bits beyond `prefix_length` are zero.
    pub(crate) address: IpAddr,
    /// How many bits of it are known.
    pub(crate) prefix_length: u8,
    /// How it came to be known.
    pub(crate) source: ClientSource,
}

/// How a client came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientSource {
    /// By the client subnet option.
    Subnet,
    /// It is the asker itself: a resolver, taken to be near its clients.
    Resolver,
}

impl Client {
    /// The client of a query that came from `peer`.
    pub(crate) fn new(subnet: Option<&Subnet>, peer: IpAddr) -> Self {
        match subnet {
            // RFC 7871 §7.1.2: /0 asks not to use the client's address; the resolver's is as if
            // there was no option.
            Some(subnet) if subnet.source > 0 => Self {
                address: subnet.address,
                prefix_length: subnet.source,
                source: ClientSource::Subnet,
            },
            _ => {
                let address = peer.to_canonical();
                let prefix_length = if address.is_ipv4() { 32 } else { 128 };
                Self { address, prefix_length, source: ClientSource::Resolver }
            }
        }
    }
}

/// The upper `length` of `width` bits set, in the upper bits of a `u128`.
pub(crate) fn mask(length: u8, width: u8) -> u128 {
    match length.min(width) {
        0 => 0,
        length => u128::MAX << (128 - u32::from(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let good = |family, source, address: &str| {
            Ok(Subnet { family, source, address: address.parse().unwrap() })
        };
        for (data, expected, why) in [
            (&[0, 1, 24, 0, 10, 1, 2][..], good(1, 24, "10.1.2.0"), "IPv4 /24"),
            (
                &[0, 1, 20, 0, 10, 1, 0x20],
                good(1, 20, "10.1.32.0"),
                "RFC 7871 §6: padded to whole octets",
            ),
            (&[0, 1, 0, 0], good(1, 0, "0.0.0.0"), "/0 hides the client"),
            (&[0, 0, 0, 0], good(0, 0, "0.0.0.0"), "so does family 0"),
            (&[0, 2, 16, 0, 0x20, 1], good(2, 16, "2001::"), "IPv6"),
            (&[0, 1, 24], Err(BadSubnet::Short), "no scope"),
            (&[0, 3, 0, 0], Err(BadSubnet::Family), "a family nobody uses"),
            (&[0, 0, 8, 0, 1], Err(BadSubnet::PrefixLength), "family 0 has no addresses"),
            (&[0, 1, 33, 0, 1, 2, 3, 4, 0], Err(BadSubnet::PrefixLength), "IPv4 has 32 bits"),
            (&[0, 1, 24, 24, 10, 1, 2], Err(BadSubnet::Scope), "RFC 7871 §6: 0 in queries"),
            (&[0, 1, 24, 0, 10, 1], Err(BadSubnet::AddressLength), "RFC 7871 §7.2.1: too few"),
            (&[0, 1, 24, 0, 10, 1, 2, 0], Err(BadSubnet::AddressLength), "too many"),
            (&[0, 1, 20, 0, 10, 1, 0x21], Err(BadSubnet::AddressBits), "RFC 7871 §7.2.1"),
        ] {
            assert_eq!(Subnet::read(data), expected, "{data:?}: {why}");
        }
    }

    #[test]
    fn the_client_is_the_subnet_or_the_resolver() {
        let peer: IpAddr = "192.0.2.7".parse().unwrap();
        let read = |data: &[u8]| Subnet::read(data).unwrap();
        for (subnet, expected, why) in [
            (None, (peer, 32, ClientSource::Resolver), "no option"),
            (
                Some(read(&[0, 1, 8, 0, 10])),
                ("10.0.0.0".parse().unwrap(), 8, ClientSource::Subnet),
                "the option",
            ),
            (Some(read(&[0, 1, 0, 0])), (peer, 32, ClientSource::Resolver), "/0"),
        ] {
            let client = Client::new(subnet.as_ref(), peer);
            assert_eq!((client.address, client.prefix_length, client.source), expected, "{why}");
        }
    }
}
