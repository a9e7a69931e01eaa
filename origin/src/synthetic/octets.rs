//! The octets of a synthetic object: a pure function of path and offset.

/// The octet at `offset` of the synthetic object at `path`.
///
/// `path` is the request target's path as it was sent, without the query: `/bytes/1M/film`. The object is a sequence
/// of 64-bit words in little-endian order; word `i` is SplitMix64's output function of `seed + (i + 1) * GOLDEN` in
/// wrapping arithmetic, where `seed` is the 64-bit FNV-1a hash of `path` and `GOLDEN` is `0x9e3779b97f4a7c15`:
///
/// ```text
/// z = seed + (i + 1) * GOLDEN
/// z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
/// z = (z ^ (z >> 27)) * 0x94d049bb133111eb
/// word = z ^ (z >> 31)
/// ```
///
/// So neither a shifted copy nor the octets of another path ever look right, and nothing compresses.
#[must_use]
pub fn synthetic_octet(path: &str, offset: u64) -> u8 {
    word(seed(path), offset / 8)[(offset % 8) as usize]
}

/// Fills `out` with the octets of the synthetic object at `path` that begin at `offset`, as [`synthetic_octet`] defines
/// them, at some GB/s.
pub fn fill_synthetic(path: &str, offset: u64, out: &mut [u8]) {
    fill(seed(path), offset, out);
}

/// [`fill_synthetic`] for a path that is hashed already.
pub(crate) fn fill(seed: u64, offset: u64, out: &mut [u8]) {
    let skew = (offset % 8) as usize;
    let first = offset / 8;
    let lead = if skew == 0 { 0 } else { out.len().min(8 - skew) };
    let (head, rest) = out.split_at_mut(lead);
    head.copy_from_slice(&word(seed, first)[skew..][..lead]);
    let aligned = first + u64::from(skew != 0);
    let mut words = rest.chunks_exact_mut(8);
    let mut index = aligned;
    for slot in words.by_ref() {
        slot.copy_from_slice(&word(seed, index));
        index = index.wrapping_add(1);
    }
    let tail = words.into_remainder();
    tail.copy_from_slice(&word(seed, index)[..tail.len()]);
}

/// FNV-1a of the path's octets.
pub(crate) fn seed(path: &str) -> u64 {
    path.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn word(seed: u64, index: u64) -> [u8; 8] {
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_is_what_its_documentation_says() {
        // SplitMix64 with seed 0 begins with this word in every published implementation.
        assert_eq!(u64::from_le_bytes(word(0, 0)), 0xe220_a839_7b1d_cdaf);
        // FNV-1a of "a", from the FNV draft.
        assert_eq!(seed("a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn any_slice_equals_the_octets_one_by_one() {
        let path = "/bytes/1K/x";
        for offset in [0, 1, 7, 8, 9, 4093, u64::from(u32::MAX) * 9 + 3] {
            for size in [0, 1, 2, 7, 8, 9, 15, 64, 100] {
                let mut out = vec![0; size];
                fill_synthetic(path, offset, &mut out);
                let expected: Vec<u8> =
                    (0..size as u64).map(|i| synthetic_octet(path, offset + i)).collect();
                assert_eq!(out, expected, "offset {offset}, size {size}");
            }
        }
    }

    #[test]
    fn paths_differ() {
        let octets = |path: &str| (0..64).map(|i| synthetic_octet(path, i)).collect::<Vec<_>>();
        assert_ne!(octets("/bytes/64"), octets("/bytes/64/"));
    }
}
