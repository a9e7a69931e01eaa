//! The octets on the disk: `docs/ssd-format.md`.

use std::ops::Range;

/// What offsets and lengths are multiples of.
pub(crate) const BLOCK_OCTETS: usize = 4096;
/// What records begin at multiples of.
pub(crate) const UNIT_OCTETS: usize = 64;
/// Where the first segment begins.
pub(crate) const SEGMENTS_START: u64 = 1 << 20;
/// Octets of a whole batch at most.
pub(crate) const BATCH_OCTETS_MAX: usize = 1 << 20;
/// Entries of a batch at most, so that its summary has at most [`SUMMARY_OCTETS_MAX`].
pub(crate) const ENTRIES_MAX: usize = 1022;
/// Octets of a summary at most.
pub(crate) const SUMMARY_OCTETS_MAX: usize = 32 << 10;
/// Octets of an extent of a large content at most: what a worker copies in one go.
pub(crate) const EXTENT_OCTETS_MAX: usize = 256 << 10;
/// Extents of a content at most: 4 GiB.
pub(crate) const EXTENTS_MAX: usize = 16 << 10;
/// More segments are never begun: one in a microsecond for nine years.
const SEQUENCE_MAX: u64 = 1 << 48;
/// Octets of what is known of a response.
pub(crate) const FIXED_OCTETS: usize = 104;

const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"lastmile";
const BATCH_MAGIC: &[u8; 4] = b"LMB1";
const RECORD_MAGIC: &[u8; 4] = b"LMR1";
const HEAD_OCTETS: usize = 32;
const ENTRY_OCTETS: usize = 32;
const RECORD_HEAD_OCTETS: usize = 24 + FIXED_OCTETS;
const EXTENT_ENTRY_OCTETS: usize = 24;

const _: () = assert!(HEAD_OCTETS + ENTRIES_MAX * ENTRY_OCTETS <= SUMMARY_OCTETS_MAX);

/// What a tier is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Superblock {
    pub(crate) segment_octets: u64,
    pub(crate) segments: u64,
    /// Of the hash of keys.
    pub(crate) seed: [u8; 16],
}

/// Why a block is no superblock of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSuperblock {
    /// Nothing but zeros.
    Blank,
    /// Somebody else's data.
    Foreign,
    /// A tier of another version.
    Version(u32),
    /// Ours, but damaged.
    Damaged,
}

impl Superblock {
    /// Writes it to the front of `block`.
    pub(crate) fn encode(&self, block: &mut [u8]) {
        block[..8].copy_from_slice(MAGIC);
        block[8..12].copy_from_slice(&VERSION.to_le_bytes());
        block[16..24].copy_from_slice(&self.segment_octets.to_le_bytes());
        block[24..32].copy_from_slice(&self.segments.to_le_bytes());
        block[32..48].copy_from_slice(&self.seed);
        let sum = crc32fast::hash(&block[16..48]);
        block[12..16].copy_from_slice(&sum.to_le_bytes());
    }

    pub(crate) fn decode(block: &[u8]) -> Result<Self, NoSuperblock> {
        if block.iter().all(|octet| *octet == 0) {
            return Err(NoSuperblock::Blank);
        }
        if block.get(..8) != Some(MAGIC) {
            return Err(NoSuperblock::Foreign);
        }
        let short = NoSuperblock::Damaged;
        let version = u32_at(block, 8).ok_or(short)?;
        if version != VERSION {
            return Err(NoSuperblock::Version(version));
        }
        let covered = block.get(16..48).ok_or(short)?;
        let (segment_octets, segments) =
            (u64_at(block, 16).ok_or(short)?, u64_at(block, 24).ok_or(short)?);
        let is_sound = u32_at(block, 12) == Some(crc32fast::hash(covered))
            && segment_octets >= 2 * BATCH_OCTETS_MAX as u64
            && segment_octets.is_power_of_two()
            && segments > 0
            && segments.checked_mul(segment_octets).is_some();
        let seed = covered[16..].try_into().map_err(|_| short)?;
        if is_sound { Ok(Self { segment_octets, segments, seed }) } else { Err(short) }
    }
}

/// What an entry of a summary is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Response,
    /// This variant was removed before the batch was written.
    VariantRemoved,
    /// All variants of the key were.
    KeyRemoved,
}

/// An entry of a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) hash: u64,
    /// From the start of the batch, in units.
    pub(crate) start: u32,
    pub(crate) units: u32,
    pub(crate) kind: Kind,
    pub(crate) variant: u16,
    pub(crate) version: u16,
}

/// The summary of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) sequence: u64,
    pub(crate) number: u32,
    pub(crate) blocks: u32,
    pub(crate) entries: Vec<Entry>,
}

/// Octets of a summary of so many entries.
pub(crate) fn summary_octets(entries: usize) -> usize {
    HEAD_OCTETS + entries * ENTRY_OCTETS
}

/// Octets of an entry of a summary.
pub(crate) fn summary_entry_octets() -> usize {
    ENTRY_OCTETS
}

impl Summary {
    /// Writes it to the front of `batch`.
    pub(crate) fn encode(&self, batch: &mut [u8]) {
        batch[..4].copy_from_slice(BATCH_MAGIC);
        batch[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        batch[16..20].copy_from_slice(&self.number.to_le_bytes());
        batch[20..24].copy_from_slice(&self.blocks.to_le_bytes());
        let entries = u32::try_from(self.entries.len()).expect("at most ENTRIES_MAX");
        batch[24..28].copy_from_slice(&entries.to_le_bytes());
        batch[28..32].fill(0);
        let end = summary_octets(self.entries.len());
        for (entry, octets) in
            self.entries.iter().zip(batch[HEAD_OCTETS..end].chunks_mut(ENTRY_OCTETS))
        {
            octets[..8].copy_from_slice(&entry.hash.to_le_bytes());
            octets[8..12].copy_from_slice(&entry.start.to_le_bytes());
            octets[12..16].copy_from_slice(&entry.units.to_le_bytes());
            octets[16] = match entry.kind {
                Kind::Response => 1,
                Kind::VariantRemoved => 2,
                Kind::KeyRemoved => 3,
            };
            octets[17] = 0;
            octets[18..20].copy_from_slice(&entry.variant.to_le_bytes());
            octets[20..22].copy_from_slice(&entry.version.to_le_bytes());
            octets[22..].fill(0);
        }
        let sum = crc32fast::hash(&batch[8..end]);
        batch[4..8].copy_from_slice(&sum.to_le_bytes());
    }

    /// How many octets the summary has that begins `front`, the first block of a batch; `None` when it is none.
    pub(crate) fn octets(front: &[u8]) -> Option<usize> {
        if front.get(..4) != Some(BATCH_MAGIC) {
            return None;
        }
        let entries = usize::try_from(u32_at(front, 24)?).ok()?;
        (entries <= ENTRIES_MAX).then(|| summary_octets(entries))
    }

    /// Of the first batch of a segment, which begins with `front`: the sequence number and the octets of the summary.
    /// Neither is checked yet.
    pub(crate) fn first_in_segment(front: &[u8]) -> Option<(u64, usize)> {
        let octets = Self::octets(front)?;
        let (sequence, number) = (u64_at(front, 8)?, u32_at(front, 16)?);
        (number == 0 && sequence > 0 && sequence <= SEQUENCE_MAX).then_some((sequence, octets))
    }

    /// The summary at the front of `batch`; `None` when it is none, or torn.
    pub(crate) fn decode(batch: &[u8]) -> Option<Self> {
        let octets = batch.get(..Self::octets(batch)?)?;
        if u32_at(octets, 4)? != crc32fast::hash(&octets[8..]) {
            return None;
        }
        let (sequence, number, blocks) =
            (u64_at(octets, 8)?, u32_at(octets, 16)?, u32_at(octets, 20)?);
        let blocks_max = (BATCH_OCTETS_MAX / BLOCK_OCTETS) as u32;
        if sequence == 0 || sequence > SEQUENCE_MAX || blocks == 0 || blocks > blocks_max {
            return None;
        }
        let entries = octets[HEAD_OCTETS..].chunks(ENTRY_OCTETS).map(|entry| {
            let kind = match entry[16] {
                1 => Kind::Response,
                2 => Kind::VariantRemoved,
                3 => Kind::KeyRemoved,
                _ => return None,
            };
            let (start, units) = (u32_at(entry, 8)?, u32_at(entry, 12)?);
            let end = u64::from(start) + u64::from(units);
            let is_within = end * UNIT_OCTETS as u64 <= u64::from(blocks) * BLOCK_OCTETS as u64;
            is_within.then_some(Entry {
                hash: u64_at(entry, 0)?,
                start,
                units,
                kind,
                variant: u16_at(entry, 18)?,
                version: u16_at(entry, 20)?,
            })
        });
        let entries = entries.collect::<Option<_>>()?;
        Some(Self { sequence, number, blocks, entries })
    }
}

/// A part of a large content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExtentEntry {
    /// In the device, a multiple of [`UNIT_OCTETS`].
    pub(crate) offset: u64,
    /// Of the segment that it is in: another number there means that it is gone.
    pub(crate) sequence: u64,
    pub(crate) octets: u32,
    pub(crate) sum: u32,
}

/// What is to be written of a response.
pub(crate) struct Record<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) fixed: [u8; FIXED_OCTETS],
    /// Selecting fields, head, fields for the first client.
    pub(crate) octets: &'a [u8],
    /// Instead of a content behind the head.
    pub(crate) extents: &'a [ExtentEntry],
    pub(crate) content: &'a [u8],
}

impl Record<'_> {
    pub(crate) fn octets(&self) -> usize {
        RECORD_HEAD_OCTETS
            + self.key.len()
            + self.octets.len()
            + self.extents.len() * EXTENT_ENTRY_OCTETS
            + self.content.len()
    }

    /// Writes it to the front of `out`, which has at least [`Record::octets`].
    pub(crate) fn encode(&self, out: &mut [u8]) {
        let out = &mut out[..self.octets()];
        let (content_start, octets) = (out.len() - self.content.len(), out.len() as u32);
        out[..4].copy_from_slice(RECORD_MAGIC);
        out[8..12].copy_from_slice(&octets.to_le_bytes());
        out[12..14].copy_from_slice(&(self.key.len() as u16).to_le_bytes());
        out[14..16].copy_from_slice(&(self.extents.len() as u16).to_le_bytes());
        out[16..20].copy_from_slice(&crc32fast::hash(self.content).to_le_bytes());
        out[20..24].fill(0);
        out[24..RECORD_HEAD_OCTETS].copy_from_slice(&self.fixed);
        let mut at = RECORD_HEAD_OCTETS;
        for part in [self.key, self.octets] {
            out[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        for extent in self.extents {
            out[at..at + 8].copy_from_slice(&extent.offset.to_le_bytes());
            out[at + 8..at + 16].copy_from_slice(&extent.sequence.to_le_bytes());
            out[at + 16..at + 20].copy_from_slice(&extent.octets.to_le_bytes());
            out[at + 20..at + 24].copy_from_slice(&extent.sum.to_le_bytes());
            at += EXTENT_ENTRY_OCTETS;
        }
        out[at..].copy_from_slice(self.content);
        let sum = crc32fast::hash(&out[8..content_start]);
        out[4..8].copy_from_slice(&sum.to_le_bytes());
    }
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadRecord {
    pub(crate) key: Range<usize>,
    pub(crate) fixed: [u8; FIXED_OCTETS],
    /// Selecting fields, head, fields for the first client.
    pub(crate) octets: Range<usize>,
    pub(crate) extents: Vec<ExtentEntry>,
    pub(crate) content: Range<usize>,
}

impl ReadRecord {
    /// The record at the front of `octets`, where its parts are; `None` when it is none, or torn.
    pub(crate) fn decode(octets: &[u8]) -> Option<Self> {
        if octets.get(..4) != Some(RECORD_MAGIC) {
            return None;
        }
        let octets = octets.get(..usize::try_from(u32_at(octets, 8)?).ok()?)?;
        let (key, extents) = (usize::from(u16_at(octets, 12)?), usize::from(u16_at(octets, 14)?));
        let fixed: [u8; FIXED_OCTETS] = octets.get(24..RECORD_HEAD_OCTETS)?.try_into().ok()?;
        let head_octets = crate::stored::on_disk::head_octets(&fixed);
        let key = RECORD_HEAD_OCTETS..RECORD_HEAD_OCTETS + key;
        let head = key.end..key.end + head_octets;
        let content = head.end + extents * EXTENT_ENTRY_OCTETS..octets.len();
        if content.start > content.end
            || u32_at(octets, 4)? != crc32fast::hash(octets.get(8..content.start)?)
            || u32_at(octets, 16)? != crc32fast::hash(&octets[content.clone()])
        {
            return None;
        }
        let extents = octets[head.end..content.start].chunks(EXTENT_ENTRY_OCTETS);
        let extents = extents.map(|extent| {
            let (offset, octets) = (u64_at(extent, 0)?, u32_at(extent, 16)?);
            let is_sane = octets as usize <= EXTENT_OCTETS_MAX && offset < u64::MAX / 2;
            is_sane.then_some(ExtentEntry {
                offset,
                sequence: u64_at(extent, 8)?,
                octets,
                sum: u32_at(extent, 20)?,
            })
        });
        let extents = extents.collect::<Option<Vec<_>>>()?;
        Some(Self { key, fixed, octets: head, extents, content })
    }
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(octets.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(octets.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(octets: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(octets.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUPERBLOCK: Superblock =
        Superblock { segment_octets: 16 << 20, segments: 640, seed: [7; 16] };

    #[test]
    fn superblocks() {
        let mut block = vec![0; BLOCK_OCTETS];
        assert_eq!(Superblock::decode(&block), Err(NoSuperblock::Blank));
        SUPERBLOCK.encode(&mut block);
        assert_eq!(Superblock::decode(&block), Ok(SUPERBLOCK));
        for (at, expected) in [
            (0, NoSuperblock::Foreign),
            (8, NoSuperblock::Version(VERSION ^ 1)),
            (13, NoSuperblock::Damaged),
            (20, NoSuperblock::Damaged),
            (47, NoSuperblock::Damaged),
        ] {
            let mut other = block.clone();
            other[at] ^= 1;
            assert_eq!(Superblock::decode(&other), Err(expected), "octet {at}");
        }
        assert_eq!(Superblock::decode(b"lastmile"), Err(NoSuperblock::Damaged));
    }

    fn summary() -> Summary {
        let entry = |hash, kind| Entry { hash, start: 8, units: 3, kind, variant: 5, version: 6 };
        let entries = vec![
            entry(1, Kind::Response),
            entry(u64::MAX, Kind::VariantRemoved),
            entry(3, Kind::KeyRemoved),
        ];
        Summary { sequence: 9, number: 2, blocks: 1, entries }
    }

    #[test]
    fn a_summary_is_whole_or_nothing() {
        let mut batch = vec![0xAA; BLOCK_OCTETS];
        summary().encode(&mut batch);
        assert_eq!(Summary::decode(&batch), Some(summary()));
        let octets = Summary::octets(&batch).unwrap();
        assert_eq!(
            Summary::decode(&batch[..octets]),
            Some(summary()),
            "what is behind it is not its"
        );
        for at in 0..octets {
            for bit in 0..8 {
                let mut other = batch.clone();
                other[at] ^= 1 << bit;
                assert_eq!(Summary::decode(&other), None, "octet {at}, bit {bit}");
            }
            assert_eq!(Summary::decode(&batch[..at]), None, "{at} octets");
        }
    }

    #[test]
    fn a_summary_that_points_beyond_its_batch_is_none() {
        for (start, units) in [(64, 1), (0, 65), (u32::MAX, u32::MAX)] {
            let mut beyond = summary();
            (beyond.entries[0].start, beyond.entries[0].units) = (start, units);
            let mut batch = vec![0; BLOCK_OCTETS];
            beyond.encode(&mut batch);
            assert_eq!(Summary::decode(&batch), None, "{units} units from {start} on");
        }
    }

    #[test]
    fn a_record_is_whole_or_nothing() {
        let mut fixed = [0; FIXED_OCTETS];
        crate::stored::on_disk::set_head_octets(&mut fixed, 4);
        let extents = [ExtentEntry { offset: 1 << 30, sequence: 4, octets: 100, sum: 5 }];
        for (extents, content) in [(&extents[..], &b""[..]), (&[], b"content"), (&[], b"")] {
            let record = Record { key: b"key", fixed, octets: b"head", extents, content };
            let mut out = vec![0xAA; record.octets() + 9];
            record.encode(&mut out);
            let read = ReadRecord::decode(&out).unwrap();
            assert_eq!(&out[read.key.clone()], b"key");
            assert_eq!(&out[read.octets.clone()], b"head");
            assert_eq!(&out[read.content.clone()], content);
            assert_eq!((read.fixed, &read.extents[..]), (fixed, extents));
            for at in 0..record.octets() {
                let mut other = out.clone();
                other[at] ^= 0x10;
                assert_eq!(ReadRecord::decode(&other), None, "octet {at}");
                assert_eq!(ReadRecord::decode(&out[..at]), None, "{at} octets");
            }
        }
    }
}
