//! What the synthetic origin must have sent, from its description, not its code: an object at a path is a sequence
//! of 64-bit words in little-endian order; word `i` is SplitMix64's output function of `seed + (i + 1) * GOLDEN`, and
//! the seed is the FNV-1a hash of the path.

/// An object of the synthetic origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    seed: u64,
    /// Octets it has; `None` when the path does not say.
    pub(super) size: Option<u64>,
}

impl Expected {
    /// The object at `target`, of which the query is no part.
    pub(super) fn at(target: &[u8]) -> Self {
        let end = target.iter().position(|&octet| octet == b'?').unwrap_or(target.len());
        let path = &target[..end];
        let seed = path.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &octet| {
            (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let size = std::str::from_utf8(path)
            .ok()
            .and_then(|path| path.strip_prefix("/bytes/")?.split('/').next())
            .and_then(octets);
        Self { seed, size }
    }

    /// Whether `octets` are those from `offset` on.
    pub(super) fn are(&self, offset: u64, octets: &[u8]) -> bool {
        let lead = usize::try_from((8 - offset % 8) % 8).unwrap_or(0).min(octets.len());
        let (lead, rest) = octets.split_at(lead);
        let (words, tail) = rest.as_chunks::<8>();
        let begin = offset + lead.len() as u64;
        let first = begin / 8;
        let after = begin + words.len() as u64 * 8;
        self.match_singly(offset, lead)
            && words.iter().zip(first..).all(|(word, index)| *word == self.word(index))
            && self.match_singly(after, tail)
    }

    fn match_singly(&self, offset: u64, octets: &[u8]) -> bool {
        octets.iter().zip(offset..).all(|(octet, at)| {
            let place = usize::try_from(at % 8).unwrap_or(0);
            *octet == self.word(at / 8)[place]
        })
    }

    fn word(&self, index: u64) -> [u8; 8] {
        let step = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = self.seed.wrapping_add(step);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    }
}

/// `1000`, `1K`, `1KB`, `64KiB`, ... as paths have them.
pub(super) fn octets(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "" | "B" => 1,
        "K" | "KB" | "k" | "kB" => 1_000,
        "M" | "MB" | "m" | "mB" => 1_000_000,
        "G" | "GB" | "g" | "gB" => 1_000_000_000,
        "KiB" | "kiB" => 1 << 10,
        "MiB" | "miB" => 1 << 20,
        "GiB" | "giB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_follow_the_description() {
        // Word 0 of SplitMix64 with seed 0, as published.
        let zero = Expected { seed: 0, size: None };
        assert_eq!(u64::from_le_bytes(zero.word(0)), 0xe220_a839_7b1d_cdaf);
        // FNV-1a of "a".
        assert_eq!(Expected::at(b"a?b").seed, 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn pieces_match_wherever_they_begin() {
        let object = Expected::at(b"/bytes/100/x");
        let whole: Vec<u8> = (0..13).flat_map(|index| object.word(index)).collect();
        for from in 0..20 {
            for to in from..whole.len() {
                let mut piece = whole[from..to].to_vec();
                assert!(object.are(from as u64, &piece), "{from}..{to}");
                assert!(
                    piece.len() < 8 || !object.are(from as u64 + 1, &piece),
                    "shifted {from}..{to}"
                );
                if let Some(last) = piece.last_mut() {
                    *last ^= 1;
                    assert!(!object.are(from as u64, &piece), "a wrong last octet {from}..{to}");
                }
            }
        }
    }

    #[test]
    fn sizes_are_in_the_path() {
        for (target, size, why) in [
            ("/bytes/1000", Some(1000), "octets"),
            ("/bytes/1KB/name?max-age=1", Some(1000), "a name and a query"),
            ("/bytes/64KiB", Some(65_536), "binary"),
            ("/bytes/x", None, "no size"),
            ("/index.html", None, "something else"),
        ] {
            assert_eq!(Expected::at(target.as_bytes()).size, size, "{target}: {why}");
        }
    }
}
