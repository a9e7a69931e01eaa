//! The chunked transfer coding: decoding what arrives piece by piece, and writing (RFC 9112 §7.1).

#[cfg(test)]
mod tests;

use crate::fields::{is_token_octet, is_value_octet};
use crate::framing::FramingError;

/// Octets of one chunk's extensions, which nobody uses and which are dropped. Larger would let a sender hide much
/// traffic in front of little content; signatures and the like, the longest known, take some 100.
pub const EXTENSION_OCTETS_MAX: usize = 1024;

/// Octets of all trailer fields, which are dropped (RFC 9110 §6.5.1): a quarter of what a head may have, since those
/// in use (checksums, timings) are few.
pub const TRAILERS_OCTETS_MAX: usize = 8 * 1024;

/// Hexadecimal digits of a chunk's size, leading zeros included. 64 bits have 16; some senders pad with zeros, which
/// RFC 9112 §7.1 allows, but not without end.
const SIZE_DIGITS_MAX: usize = 64;

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
    /// Whitespace after the size, or after the value of an extension, which only a semicolon may follow.
    BeforeExtension,
    /// After the semicolon: the name, or whitespace before it.
    ExtensionStart,
    ExtensionName,
    /// Whitespace after the name: an equals sign or another semicolon.
    AfterExtensionName,
    /// After the equals sign: the value, or whitespace before it.
    ValueStart,
    Value,
    QuotedValue,
    /// After the backslash in a quoted value.
    QuotedPair,
    AfterQuotedValue,
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
            (
                State::BeforeExtension
                | State::ExtensionStart
                | State::ExtensionName
                | State::AfterExtensionName
                | State::ValueStart
                | State::Value
                | State::QuotedValue
                | State::QuotedPair
                | State::AfterQuotedValue,
                _,
            ) => self.after_extension_octet(octet),
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
                return Ok(if is_extension {
                    State::ExtensionStart
                } else {
                    State::BeforeExtension
                });
            }
            _ => return Err(FramingError::BadChunkSize),
        };
        if self.count == SIZE_DIGITS_MAX {
            return Err(FramingError::BadChunkSize);
        }
        let before = if self.count == 0 { 0 } else { self.size };
        self.size = before.checked_mul(16).ok_or(FramingError::ChunkTooLarge)? | u64::from(digit);
        self.count += 1;
        Ok(State::Size)
    }

    /// RFC 9112 §7.1.1: *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ), the value a token or a
    /// quoted-string (RFC 9110 §5.6.4).
    fn after_extension_octet(&mut self, octet: u8) -> Result<State, FramingError> {
        use State as S;
        let next = match (self.state, octet) {
            // A bare LF is the classic disagreement over where an extension ends.
            (_, b'\n') => return Err(FramingError::BadChunkLineEnd),
            (S::ExtensionName | S::Value | S::AfterQuotedValue, b'\r') => return Ok(S::SizeLf),
            (S::QuotedValue, b'"') => S::AfterQuotedValue,
            (S::QuotedValue, b'\\') => S::QuotedPair,
            (S::QuotedValue | S::QuotedPair, octet) if is_value_octet(octet) => S::QuotedValue,
            (
                S::BeforeExtension
                | S::ExtensionName
                | S::AfterExtensionName
                | S::Value
                | S::AfterQuotedValue,
                b';',
            ) => S::ExtensionStart,
            (S::ExtensionName | S::AfterExtensionName, b'=') => S::ValueStart,
            (S::BeforeExtension | S::Value | S::AfterQuotedValue, b' ' | b'\t') => {
                S::BeforeExtension
            }
            (S::ExtensionName | S::AfterExtensionName, b' ' | b'\t') => S::AfterExtensionName,
            (S::ExtensionStart | S::ValueStart, b' ' | b'\t') => self.state,
            (S::ValueStart, b'"') => S::QuotedValue,
            (S::ExtensionStart | S::ExtensionName, octet) if is_token_octet(octet) => {
                S::ExtensionName
            }
            (S::ValueStart | S::Value, octet) if is_token_octet(octet) => S::Value,
            _ => return Err(FramingError::BadChunkExtension),
        };
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
