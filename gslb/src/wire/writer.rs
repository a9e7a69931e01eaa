//! An answer grows in a buffer: compression (RFC 1035 §4.1.4), a limit, and rewinding to keep
//! RRsets whole.

use super::HEADER_OCTETS;

/// Names that later ones may point to. Answers of ours name few; more would only cost time per name
/// written, fewer would lengthen referrals with many servers.
const KNOWN_NAMES_MAX: usize = 32;
/// A pointer has 14 bits of offset (RFC 1035 §4.1.4).
const POINTER_OFFSET_MAX: usize = 0x3fff;

/// The next octets do not fit below the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// An answer in the making.
pub(crate) struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
    limit: usize,
    known: [Known; KNOWN_NAMES_MAX],
    known_count: usize,
}

/// A name that has been written: where, and its octets when not compressed.
#[derive(Clone, Copy, Default)]
struct Known {
    offset: u16,
    octets: u8,
}

/// A place to rewind to.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    at: usize,
    known_count: usize,
}

impl<'a> Writer<'a> {
    /// Begins behind the header, which is written last. `limit` counts from the start of `out`.
    pub(crate) fn new(out: &'a mut [u8], limit: usize) -> Self {
        let limit = limit.min(out.len());
        let known = [Known::default(); KNOWN_NAMES_MAX];
        Self { out, at: HEADER_OCTETS, limit, known, known_count: 0 }
    }

    /// Octets so far, the header included.
    pub(crate) fn octets(&self) -> usize {
        self.at
    }

    /// Lowers or raises the limit (within the buffer).
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit.min(self.out.len());
    }

    /// A place to rewind to.
    pub(crate) fn mark(&self) -> Mark {
        Mark { at: self.at, known_count: self.known_count }
    }

    /// Forgets everything since `mark`.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        self.at = mark.at;
        self.known_count = mark.known_count;
    }

    /// Appends octets.
    pub(crate) fn put(&mut self, octets: &[u8]) -> Result<(), Full> {
        let end = self.at + octets.len();
        if end > self.limit {
            return Err(Full);
        }
        self.out[self.at..end].copy_from_slice(octets);
        self.at = end;
        Ok(())
    }

    /// Appends two octets, most significant first.
    pub(crate) fn put_u16(&mut self, value: u16) -> Result<(), Full> {
        self.put(&value.to_be_bytes())
    }

    /// Appends four octets, most significant first.
    pub(crate) fn put_u32(&mut self, value: u32) -> Result<(), Full> {
        self.put(&value.to_be_bytes())
    }

    /// Overwrites two octets that have been written.
    pub(crate) fn patch_u16(&mut self, at: usize, value: u16) {
        self.out[at..at + 2].copy_from_slice(&value.to_be_bytes());
    }

    /// Writes the header into its place.
    pub(crate) fn set_header(&mut self, header: &[u8; HEADER_OCTETS]) {
        self.out[..HEADER_OCTETS].copy_from_slice(header);
    }

    /// Appends a question as it was sent, its case included; names that follow may point into it.
    pub(crate) fn put_question(&mut self, question: &[u8]) -> Result<(), Full> {
        let start = self.at;
        self.put(question)?;
        // Type and class are the last four octets.
        let name_octets = question.len() - 4;
        let mut skipped = 0;
        while skipped + 1 < name_octets {
            self.remember(start + skipped, name_octets - skipped);
            skipped += 1 + usize::from(question[skipped]);
        }
        Ok(())
    }

    /// Appends an owner's name given in wire form, shortened by a pointer where a suffix of it has
    /// been written before in whatever case: the asker sees its own spelling.
    pub(crate) fn put_owner(&mut self, wire: &[u8]) -> Result<(), Full> {
        self.put_shortened(wire, <[u8]>::eq_ignore_ascii_case)
    }

    /// As [`Self::put_owner`] for a name within data, which keeps the case that its zone gives it.
    pub(crate) fn put_name(&mut self, wire: &[u8]) -> Result<(), Full> {
        self.put_shortened(wire, |a, b| a == b)
    }

    fn put_shortened(&mut self, wire: &[u8], same: fn(&[u8], &[u8]) -> bool) -> Result<(), Full> {
        let mut skipped = 0;
        while skipped + 1 < wire.len() {
            let suffix = &wire[skipped..];
            if let Some(offset) = self.find(suffix, same) {
                return self.put_u16(0xc000 | offset);
            }
            let start = self.at;
            let label_end = 1 + usize::from(suffix[0]);
            self.put(&suffix[..label_end])?;
            self.remember(start, suffix.len());
            skipped += label_end;
        }
        self.put(&[0])
    }

    fn remember(&mut self, offset: usize, octets: usize) {
        if self.known_count < KNOWN_NAMES_MAX && offset <= POINTER_OFFSET_MAX {
            self.known[self.known_count] = Known { offset: offset as u16, octets: octets as u8 };
            self.known_count += 1;
        }
    }

    fn find(&self, suffix: &[u8], same: fn(&[u8], &[u8]) -> bool) -> Option<u16> {
        self.known[..self.known_count]
            .iter()
            .find(|known| {
                usize::from(known.octets) == suffix.len()
                    && self.is_name_at(usize::from(known.offset), suffix, same)
            })
            .map(|known| known.offset)
    }

    /// Whether the name written at `at` is the `same` as `wire`. A name that is still being written
    /// (one of its own suffixes) ends at the writing position.
    fn is_name_at(&self, mut at: usize, mut wire: &[u8], same: fn(&[u8], &[u8]) -> bool) -> bool {
        loop {
            if at >= self.at {
                return false;
            }
            let length = self.out[at];
            if length >= 0xc0 {
                // Ours always point backwards, so this ends.
                at = usize::from(u16::from_be_bytes([length & 0x3f, self.out[at + 1]]));
                continue;
            }
            let end = 1 + usize::from(length);
            if wire.len() < end || !same(&self.out[at..at + end], &wire[..end]) {
                return false;
            }
            if length == 0 {
                return true;
            }
            at += end;
            wire = &wire[end..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &[u8] = b"\x03wWw\x04Test\x00\x00\x01\x00\x01";

    #[test]
    fn names_are_compressed_whatever_their_case() {
        for (name, expected, why) in [
            (&b"\x03www\x04test\x00"[..], &b"\xc0\x0c"[..], "the question itself"),
            (b"\x04test\x00", b"\xc0\x10", "a suffix of the question"),
            (b"\x02ns\x04TEST\x00", b"\x02ns\xc0\x10", "a label before a suffix"),
            (b"\x03org\x00", b"\x03org\x00", "nothing in common"),
            (b"\x00", b"\x00", "the root is shorter than a pointer"),
        ] {
            let mut out = [0; 512];
            let mut writer = Writer::new(&mut out, 512);
            writer.put_question(QUESTION).unwrap();
            let start = writer.octets();
            writer.put_owner(name).unwrap();
            let end = writer.octets();
            assert_eq!(&out[start..end], expected, "{why}");
        }
    }

    #[test]
    fn a_name_may_point_into_a_name_with_a_pointer() {
        let mut out = [0; 512];
        let mut writer = Writer::new(&mut out, 512);
        writer.put_question(QUESTION).unwrap();
        writer.put_owner(b"\x01b\x04test\x00").unwrap();
        let start = writer.octets();
        writer.put_owner(b"\x01a\x01b\x04test\x00").unwrap();
        let end = writer.octets();
        assert_eq!(&out[start..end], b"\x01a\xc0\x1a");
    }

    #[test]
    fn names_in_data_keep_their_case() {
        let mut out = [0; 512];
        let mut writer = Writer::new(&mut out, 512);
        writer.put_question(QUESTION).unwrap();
        let start = writer.octets();
        writer.put_name(b"\x01a\x04test\x00").unwrap();
        writer.put_name(b"\x01b\x04Test\x00").unwrap();
        let end = writer.octets();
        assert_eq!(&out[start..end], b"\x01a\x04test\x00\x01b\xc0\x10");
    }

    #[test]
    fn nothing_is_written_beyond_the_limit_and_a_mark_forgets_names() {
        let mut out = [0; 64];
        let mut writer = Writer::new(&mut out, 30);
        writer.put_question(QUESTION).unwrap();
        let mark = writer.mark();
        assert_eq!(writer.put_name(b"\x08longname\x04test\x00"), Err(Full));
        writer.rewind(mark);
        assert_eq!(writer.octets(), 26);
        assert_eq!(writer.put_u32(1), Ok(()));
        assert_eq!(writer.put(&[1]), Err(Full));
        writer.set_limit(9999);
        assert_eq!(writer.put(&[0; 34]), Ok(()));
        assert_eq!(writer.put(&[0]), Err(Full), "the buffer itself is a limit");
    }
}
