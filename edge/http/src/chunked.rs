//! The chunked transfer coding: decoding what arrives piece by piece, and writing (RFC 9112 §7.1).

use crate::fields::{is_token_octet, is_value_octet};
use crate::framing::FramingError;

/// Octets of one chunk's extensions, which nobody uses and which are dropped. Larger would let a sender hide much
/// traffic in front of little content; signatures and the like, the longest known, take some 100.
pub const EXTENSION_OCTETS_MAX: usize = 1024;

/// Octets of all trailer fields, which are dropped (RFC 9110 §6.5.1): a quarter of what a head may have, since those
/// in use (checksums, timings) are few.
pub const TRAILERS_OCTETS_MAX: usize = 8 * 1024;

/// Hexadecimal digits of a chunk's size, leading zeros included: what 64 bits hold.
const SIZE_DIGITS_MAX: u8 = 16;

/// Ends the data of a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// Ends content without trailer fields.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Decodes chunked content that arrives in pieces of any size. It keeps nothing but its place in the coding.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ChunkedDecoder {
    state: State,
    /// Of the chunk; of its data what is still to come.
    size: u64,
    /// Digits of the size, or octets of an extension or of the trailers, read so far.
    count: usize,
}

/// What one step found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChunkedStep {
    /// `start..end` of the input is content, never empty; everything before `end` is consumed.
    Data {
        /// Where the content begins.
        start: usize,
        /// Where it ends.
        end: usize,
    },
    /// All input is consumed and the content goes on.
    NeedMore,
    /// The content has ended, trailers included.
    End {
        /// Octets of the input that belong to it; the rest is another message's.
        consumed: usize,
    },
}

/// What is expected next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    /// A digit of the size, or what follows the size.
    #[default]
    Size,
    /// Whitespace after the size, which only a semicolon may follow.
    BeforeExtension,
    Extension,
    /// The LF of the size's line.
    SizeLf,
    Data,
    /// The CR, then the LF, after the data.
    DataCr,
    DataLf,
    /// A trailer line or the empty line at the end.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Done,
    Failed(FramingError),
}

impl ChunkedDecoder {
    /// Takes one step; the caller calls again with the rest of the input. After the end, every step is the end with
    /// nothing consumed.
    ///
    /// # Errors
    /// The first fault; every later step repeats it.
    pub fn decode(&mut self, input: &[u8]) -> Result<ChunkedStep, FramingError> {
        let mut position = 0;
        loop {
            match self.state {
                State::Done => return Ok(ChunkedStep::End { consumed: position }),
                State::Failed(error) => return Err(error),
                State::Data if position < input.len() => {
                    let there = input.len() - position;
                    let taken = usize::try_from(self.size).map_or(there, |size| size.min(there));
                    self.size -= taken as u64;
                    if self.size == 0 {
                        self.state = State::DataCr;
                    }
                    return Ok(ChunkedStep::Data { start: position, end: position + taken });
                }
                _ => {}
            }
            let Some(octet) = input.get(position) else { return Ok(ChunkedStep::NeedMore) };
            self.state = self.after(*octet).unwrap_or_else(State::Failed);
            position += 1;
        }
    }

    /// The state after an octet that is no data.
    fn after(&mut self, octet: u8) -> Result<State, FramingError> {
        match (self.state, octet) {
            (State::Size, _) => self.after_size_octet(octet),
            (State::BeforeExtension, b' ' | b'\t') => self.extension(State::BeforeExtension),
            (State::BeforeExtension, b';') => self.extension(State::Extension),
            (State::Extension, b'\r') => Ok(State::SizeLf),
            // A bare LF is the classic disagreement over where an extension ends.
            (State::Extension, b'\n') => Err(FramingError::BadChunkLineEnd),
            (State::Extension, octet) if is_value_octet(octet) => self.extension(State::Extension),
            (State::BeforeExtension | State::Extension, _) => Err(FramingError::BadChunkExtension),
            (State::SizeLf, b'\n') => {
                self.count = 0;
                Ok(if self.size == 0 { State::TrailerStart } else { State::Data })
            }
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => {
                self.count = 0;
                Ok(State::Size)
            }
            (State::SizeLf | State::DataCr | State::DataLf, _) => {
                Err(FramingError::BadChunkLineEnd)
            }
            (
                State::TrailerStart
                | State::TrailerName
                | State::TrailerValue
                | State::TrailerLf
                | State::EndLf,
                _,
            ) => self.after_trailer_octet(octet),
            (State::Data | State::Done | State::Failed(_), _) => Ok(self.state),
        }
    }

    /// RFC 9112 §7.1: chunk-size [ chunk-ext ] CRLF.
    fn after_size_octet(&mut self, octet: u8) -> Result<State, FramingError> {
        let digit = match octet {
            b'0'..=b'9' => octet - b'0',
            b'a'..=b'f' => octet - b'a' + 10,
            b'A'..=b'F' => octet - b'A' + 10,
            _ if self.count == 0 => return Err(FramingError::BadChunkSize),
            b'\r' => return Ok(State::SizeLf),
            b'\n' => return Err(FramingError::BadChunkLineEnd),
            b';' | b' ' | b'\t' => {
                self.count = 0;
                let is_extension = octet == b';';
                return Ok(if is_extension { State::Extension } else { State::BeforeExtension });
            }
            _ => return Err(FramingError::BadChunkSize),
        };
        if self.count == usize::from(SIZE_DIGITS_MAX) {
            return Err(FramingError::ChunkTooLarge);
        }
        let before = if self.count == 0 { 0 } else { self.size };
        self.size = before << 4 | u64::from(digit);
        self.count += 1;
        Ok(State::Size)
    }

    fn extension(&mut self, next: State) -> Result<State, FramingError> {
        self.count += 1;
        if self.count > EXTENSION_OCTETS_MAX {
            return Err(FramingError::ChunkExtensionTooLong);
        }
        Ok(next)
    }

    /// RFC 9112 §7.1.2: *( field-line CRLF ) CRLF.
    fn after_trailer_octet(&mut self, octet: u8) -> Result<State, FramingError> {
        self.count += 1;
        if self.count > TRAILERS_OCTETS_MAX {
            return Err(FramingError::TrailersTooLarge);
        }
        match (self.state, octet) {
            (State::EndLf, b'\n') => Ok(State::Done),
            (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
            (State::TrailerStart, b'\r') => Ok(State::EndLf),
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::TrailerStart | State::TrailerName, octet) if is_token_octet(octet) => {
                Ok(State::TrailerName)
            }
            (State::TrailerValue, b'\r') => Ok(State::TrailerLf),
            (State::TrailerValue, octet) if is_value_octet(octet) => Ok(State::TrailerValue),
            (State::EndLf | State::TrailerLf, _) | (_, b'\n') => Err(FramingError::BadChunkLineEnd),
            _ => Err(FramingError::BadTrailer),
        }
    }
}

/// Appends the line before a chunk's data. `length` must not be 0: that would end the content.
pub fn write_chunk_header(length: usize, out: &mut Vec<u8>) {
    debug_assert!(length > 0, "an empty chunk is the last one");
    let digits = (usize::BITS - length.leading_zeros()).div_ceil(4).max(1);
    for index in (0..digits).rev() {
        out.push(b"0123456789abcdef"[length >> (4 * index) & 0xf]);
    }
    out.extend_from_slice(CHUNK_END);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// The content and how much of `octets` was consumed at its end, when they arrive in pieces of `lengths`, the last
    /// of which repeats.
    fn decoded(octets: &[u8], lengths: &[usize]) -> Result<(Vec<u8>, Option<usize>), FramingError> {
        let mut decoder = ChunkedDecoder::default();
        let (mut content, mut position, mut turn) = (Vec::new(), 0, 0);
        while position < octets.len() {
            let length = lengths[turn.min(lengths.len() - 1)];
            turn += 1;
            let piece_end = (position + length).min(octets.len());
            while position < piece_end {
                match decoder.decode(&octets[position..piece_end])? {
                    ChunkedStep::Data { start, end } => {
                        assert!(start < end, "data is never empty");
                        content.extend_from_slice(&octets[position + start..position + end]);
                        position += end;
                    }
                    ChunkedStep::NeedMore => position = piece_end,
                    ChunkedStep::End { consumed } => {
                        let again = decoder.decode(&octets[position + consumed..]);
                        assert_eq!(again, Ok(ChunkedStep::End { consumed: 0 }));
                        return Ok((content, Some(position + consumed)));
                    }
                }
            }
        }
        Ok((content, None))
    }

    #[test]
    fn content_is_decoded() {
        // RFC 9112 §7.1
        let extension = |octets| format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(octets));
        let trailer = |octets: usize| format!("0\r\na:{}\r\n\r\n", "x".repeat(octets - 6));
        let longest_extension = extension(EXTENSION_OCTETS_MAX);
        let longest_trailer = trailer(TRAILERS_OCTETS_MAX);
        let rows = [
            ("0\r\n\r\n", "", "no content"),
            ("5\r\nhello\r\n0\r\n\r\n", "hello", "one chunk"),
            ("5\r\nhello\r\n3\r\n, w\r\n0\r\n\r\n", "hello, w", "two chunks"),
            ("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", "cases"),
            ("0005\r\nhello\r\n000\r\n\r\n", "hello", "leading zeros"),
            ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", "line ends in the content"),
            ("5;a\r\nhello\r\n0;b=c\r\n\r\n", "hello", "extensions (§7.1.1)"),
            ("5 \t; a = \"b;c\"\r\nhello\r\n0\r\n\r\n", "hello", "whitespace around them"),
            (&longest_extension, "a", "the longest extension"),
            ("0\r\na: b\r\nc:\r\n\r\n", "", "trailer fields are dropped (§7.1.2)"),
            (&longest_trailer, "", "the longest trailer section"),
        ];
        for (octets, content, why) in rows {
            let expected = Ok((content.as_bytes().to_vec(), Some(octets.len())));
            let followed = format!("{octets}GET /");
            for lengths in [[usize::MAX >> 1], [1], [3]] {
                assert_eq!(decoded(followed.as_bytes(), &lengths), expected, "{why}");
            }
        }
    }

    #[test]
    fn faults_are_found() {
        // RFC 9112 §7.1, §2.2; the line ends are where parsers have been made to disagree.
        use FramingError as E;
        let long_extension = format!("1;{}", "x".repeat(EXTENSION_OCTETS_MAX + 1));
        let long_whitespace = format!("1{}", " ".repeat(EXTENSION_OCTETS_MAX + 2));
        let long_trailer = format!("0\r\na:{}", "x".repeat(TRAILERS_OCTETS_MAX));
        let many_trailers = format!("0\r\n{}", "a: b\r\n".repeat(TRAILERS_OCTETS_MAX / 6 + 1));
        let rows = [
            ("\r\n", E::BadChunkSize, "no size"),
            (";a\r\n", E::BadChunkSize, "only an extension"),
            ("-5\r\n", E::BadChunkSize, "a sign"),
            ("+5\r\n", E::BadChunkSize, "a sign"),
            (" 5\r\n", E::BadChunkSize, "whitespace first"),
            ("0x5\r\n", E::BadChunkSize, "a prefix"),
            ("5g\r\n", E::BadChunkSize, "no hexadecimal digit"),
            ("5_0\r\n", E::BadChunkSize, "an underscore"),
            ("00000000000000005\r\n", E::ChunkTooLarge, "17 digits"),
            ("10000000000000000\r\n", E::ChunkTooLarge, "more than 64 bits"),
            ("5\nhello\r\n", E::BadChunkLineEnd, "LF alone after the size"),
            ("5\rhello", E::BadChunkLineEnd, "CR alone after the size"),
            ("5;a\nhello\r\n", E::BadChunkLineEnd, "LF alone after an extension"),
            ("5;a\rb", E::BadChunkLineEnd, "CR alone in an extension"),
            ("5;a\0", E::BadChunkExtension, "NUL in an extension"),
            ("5 \r\nhello", E::BadChunkExtension, "whitespace without an extension"),
            ("5 a\r\nhello", E::BadChunkExtension, "an extension without a semicolon"),
            (&long_extension, E::ChunkExtensionTooLong, "an extension too long"),
            (&long_whitespace, E::ChunkExtensionTooLong, "whitespace too long"),
            ("5\r\nhello!", E::BadChunkLineEnd, "more data than said"),
            ("5\r\nhello\n", E::BadChunkLineEnd, "LF alone after the data"),
            ("5\r\nhello\r0", E::BadChunkLineEnd, "CR alone after the data"),
            ("5\r\nhell\r\n", E::BadChunkLineEnd, "less data than said"),
            ("0\r\n\n", E::BadChunkLineEnd, "LF alone at the end"),
            ("0\r\n\rG", E::BadChunkLineEnd, "CR alone at the end"),
            ("0\r\nGET / HTTP/1.1\r\n", E::BadTrailer, "another message too early"),
            ("0\r\na : b\r\n", E::BadTrailer, "a space before the colon"),
            ("0\r\n: b\r\n", E::BadTrailer, "no name"),
            ("0\r\na: b\r\n c\r\n", E::BadTrailer, "a folded line"),
            ("0\r\na: b\0\r\n", E::BadTrailer, "NUL in a trailer field"),
            ("0\r\na: b\n\r\n", E::BadChunkLineEnd, "LF alone after a trailer field"),
            ("0\r\na: b\rc", E::BadChunkLineEnd, "CR alone in a trailer field"),
            (&long_trailer, E::TrailersTooLarge, "a trailer field too long"),
            (&many_trailers, E::TrailersTooLarge, "too many trailer fields"),
        ];
        for (octets, error, why) in rows {
            for lengths in [[usize::MAX >> 1], [1], [3]] {
                assert_eq!(decoded(octets.as_bytes(), &lengths), Err(error), "{why}");
            }
        }
    }

    #[test]
    fn content_that_stops_early_has_no_end() {
        let octets = b"5;a\r\nhello\r\n0\r\na: b\r\n\r\n";
        for end in 0..octets.len() {
            assert_eq!(decoded(&octets[..end], &[4]).unwrap().1, None, "{end}");
        }
    }

    #[test]
    fn a_fault_stays() {
        let mut decoder = ChunkedDecoder::default();
        assert_eq!(decoder.decode(b"x"), Err(FramingError::BadChunkSize));
        assert_eq!(decoder.decode(b"0\r\n\r\n"), Err(FramingError::BadChunkSize));
    }

    #[test]
    fn a_chunk_may_be_as_large_as_64_bits() {
        let mut decoder = ChunkedDecoder::default();
        let input = b"ffffffffffffffff\r\nabc";
        assert_eq!(decoder.decode(input), Ok(ChunkedStep::Data { start: 18, end: 21 }));
        assert_eq!(decoder.decode(b""), Ok(ChunkedStep::NeedMore));
        assert_eq!(decoder.decode(b"de"), Ok(ChunkedStep::Data { start: 0, end: 2 }));
    }

    #[test]
    fn headers_are_written() {
        for (length, expected) in
            [(1, "1\r\n"), (15, "f\r\n"), (16, "10\r\n"), (65_536, "10000\r\n"), (0xa0b, "a0b\r\n")]
        {
            let mut out = Vec::new();
            write_chunk_header(length, &mut out);
            assert_eq!(out, expected.as_bytes());
        }
        let mut out = Vec::new();
        write_chunk_header(usize::MAX, &mut out);
        assert_eq!(out, format!("{:x}\r\n", usize::MAX).as_bytes());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_however_it_is_split(
            chunks in vec(vec(any::<u8>(), 1..40), 0..8),
            lengths in vec(1..30_usize, 1..20),
            trailer in "([a-z]{1,5}: [a-z]{0,5}\r\n){0,2}",
        ) {
            let mut octets = Vec::new();
            for chunk in &chunks {
                write_chunk_header(chunk.len(), &mut octets);
                octets.extend_from_slice(chunk);
                octets.extend_from_slice(CHUNK_END);
            }
            octets.extend_from_slice(&LAST_CHUNK[..3]);
            octets.extend_from_slice(trailer.as_bytes());
            octets.extend_from_slice(&LAST_CHUNK[3..]);
            let expected = Ok((chunks.concat(), Some(octets.len())));
            octets.extend_from_slice(b"next");
            prop_assert_eq!(decoded(&octets, &lengths), expected);
        }

        #[test]
        fn a_split_never_changes_the_outcome(
            octets in "([0-9a-f;=: \r\n\u{0}]|0\r\n|1\r\na\r\n|\r\n){0,30}",
            lengths in vec(1..8_usize, 1..20),
        ) {
            let octets = octets.as_bytes();
            prop_assert_eq!(decoded(octets, &lengths), decoded(octets, &[octets.len().max(1)]));
        }

        #[test]
        fn arbitrary_octets_never_panic(octets: Vec<u8>) {
            let _ = decoded(&octets, &[usize::MAX >> 1]);
        }
    }
}
