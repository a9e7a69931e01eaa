//! Weighted rendezvous hashing: which of several a key belongs to, the same in every run and on every machine. Pure.

use crate::wire::subnet::{Client, mask};
use std::net::IpAddr;

/// What equal clients have in common: the first `bits` of their addresses, or fewer if fewer are
/// known.
pub(super) fn spread_key(client: &Client, bits: u8) -> u64 {
    let bits = bits.min(client.prefix_length);
    let (address, width) = match client.address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let kept = address & mask(bits, width);
    mix((kept >> 64) as u64 ^ mix(kept as u64 ^ u64::from(width)))
}

/// Weighted rendezvous hashing: the least rank wins. An edge that comes or goes moves only its own
/// share, and shares are as the weights (Thaler and Ravishankar 1998; weights by the logarithm:
/// Schindelhauer and Schomaker 2005).
pub(crate) fn rank(key: u64, seed: u64, weight: f64) -> f64 {
    -uniform(key, seed).ln() / weight
}

/// A number within (0, 1] that is a client's own for this seed.
pub(crate) fn uniform(key: u64, seed: u64) -> f64 {
    // 53 bits into (0, 1], never 0.
    ((mix(key ^ seed) >> 11) + 1) as f64 / (1u64 << 53) as f64
}

/// The finaliser of `SplitMix64` (Steele, Lea and Flood 2014): each bit of the input moves half of
/// the output's.
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A hash of an edge's name that is the same in every run and on every machine (FNV-1a, then
/// mixed).
pub(crate) fn seed(name: &str) -> u64 {
    mix(name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    }))
}

/// The same of a region's name, which may be that of an edge as well.
pub(crate) fn seed_of_region(name: &str) -> u64 {
    mix(seed(name) ^ 0x7265_6769_6f6e)
}
