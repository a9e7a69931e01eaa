//! What was asked for, of which socket of a slot: with it a ring tells what has completed.

/// Bits of the generation, which is enough: what completes late does so within milliseconds.
const GENERATION_BITS: u32 = 24;

/// Told back with each completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// What was asked for.
    pub(crate) op: u8,
    /// How many sockets the slot had before, modulo 2^24, so that what completes late is not taken for the next one's.
    pub(crate) generation: u32,
    /// The slot.
    pub(crate) slot: u32,
}

impl Tag {
    /// Of `op` in `slot`.
    pub(crate) fn new(op: u8, generation: u32, slot: u32) -> Self {
        Self { op, generation: generation & ((1 << GENERATION_BITS) - 1), slot }
    }

    pub(super) fn pack(self) -> u64 {
        let high = (u32::from(self.op) << GENERATION_BITS) | self.generation;
        (u64::from(high) << 32) | u64::from(self.slot)
    }

    #[expect(clippy::cast_possible_truncation, reason = "taken apart")]
    pub(super) fn unpack(packed: u64) -> Self {
        let high = (packed >> 32) as u32;
        Self::new((high >> GENERATION_BITS) as u8, high, packed as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_back_as_they_were() {
        for op in [0, 5, u8::MAX] {
            for generation in [0, 1, (1 << GENERATION_BITS) - 1] {
                for slot in [0, u32::MAX] {
                    let tag = Tag { op, generation, slot };
                    assert_eq!(Tag::unpack(tag.pack()), tag);
                }
            }
        }
        assert_eq!(Tag::new(1, 1 << GENERATION_BITS, 2), Tag::new(1, 0, 2), "it begins anew");
    }
}
