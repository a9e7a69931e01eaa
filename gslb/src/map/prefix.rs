//! A prefix as written.

use crate::wire::subnet::mask;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A prefix: the address has no bits beyond the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// `address` has no bits beyond `length`.
    pub(crate) fn new(address: IpAddr, length: u8) -> Self {
        Self { address, length }
    }

    /// The prefix whose two halves these are, `self` being the first one.
    pub(crate) fn joined(self, second: Self) -> Option<Self> {
        let is_joined = self.length > 0
            && self.length == second.length
            && self.address.is_ipv4() == second.address.is_ipv4()
            && key(second.address).checked_sub(key(self.address)) == Some(1 << (128 - self.length))
            && key(self.address) & mask(self.length - 1, 128) == key(self.address);
        is_joined.then(|| Self { address: self.address, length: self.length - 1 })
    }

    /// Whether it holds an address; an IPv4 address may be written as IPv6 (RFC 4291 §2.5.5.2).
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let width = if address.is_ipv4() { 32 } else { 128 };
        address.is_ipv4() == self.address.is_ipv4()
            && key(address) & mask(self.length, width) == key(self.address)
    }

    /// The address, and how many bits of it count.
    pub(crate) fn parts(self) -> (IpAddr, u8) {
        (self.address, self.length)
    }

    /// The prefix of so many bits that an address is in.
    pub(crate) fn of(address: IpAddr, length: u8) -> Self {
        let kept = key(address) & mask(length, 128);
        let address = match address {
            IpAddr::V4(_) => IpAddr::V4(((kept >> 96) as u32).into()),
            IpAddr::V6(_) => IpAddr::V6(kept.into()),
        };
        Self { address, length }
    }
}

impl FromStr for Prefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const ALLOWED: &str = "is not a prefix such as 192.0.2.0/24 or 2001:db8::/32";
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ALLOWED)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length: u8 = length.map_or(Ok(width), str::parse).map_err(|_| ALLOWED)?;
        if length > width {
            return Err("has more bits than its addresses");
        }
        if key(address) & !mask(length, width) != 0 {
            return Err("has bits set beyond its length");
        }
        Ok(Self { address, length })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.length)
    }
}

/// An address as a number whose first bit is the address's first bit, in either family.
pub(super) fn key(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}
