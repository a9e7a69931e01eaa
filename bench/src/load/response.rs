//! The octets of responses, as they come: where each ends, its status, and whether the connection ends with it.
//!
//! Only as much of HTTP/1.1 (RFC 9112) as a load needs; what it does not understand, it calls malformed.

use memchr::memchr;
use std::ops::Range;

/// Octets of a head: several times what servers send.
const HEAD_OCTETS_MAX: usize = 64 * 1024;

/// Octets of a line of a chunked content (RFC 9112 §7.1): a size with its extensions, or a trailer field.
const CHUNK_LINE_OCTETS_MAX: usize = 8 * 1024;

/// Something that is no response, and what about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl Malformed {
    /// A response without a request.
    pub(crate) const UNASKED: Self = Self("a response that nobody asked for");
}

/// What the first octets of those that were fed are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// How many were understood.
    pub(crate) used: usize,
    /// Which of these are content.
    pub(crate) content: Range<usize>,
    /// The response that ended with the last of these.
    pub(crate) ended: Option<Answer>,
}

/// A response that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Whether the connection ends with it.
    pub(crate) close: bool,
}

/// Reads the responses of one connection.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    state: State,
    answer: Answer,
    /// The beginning of a head or line whose end has not come yet.
    part: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    /// This many octets of content are left.
    Content(u64),
    /// The connection's end is that of the content.
    UntilClose,
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
}

impl Reader {
    /// Forgets everything: a new connection.
    pub(crate) fn reset(&mut self) {
        self.state = State::Head;
        self.part.clear();
    }

    /// Whether no octet of a response has come yet.
    pub(crate) fn is_before_response(&self) -> bool {
        self.state == State::Head && self.part.is_empty()
    }

    /// Octets of content that surely come next.
    pub(crate) fn content_left(&self) -> u64 {
        match self.state {
            State::Content(left) | State::Chunk(left) => left,
            State::Head
            | State::UntilClose
            | State::ChunkSize
            | State::ChunkEnd
            | State::Trailers => 0,
        }
    }

    /// Understands some of `octets`, of which there are.
    pub(crate) fn feed(&mut self, octets: &[u8]) -> Result<Step, Malformed> {
        match self.state {
            State::Head => self.feed_head(octets),
            State::Content(left) => Ok(self.feed_content(left, octets.len(), State::Head)),
            State::Chunk(left) => Ok(self.feed_content(left, octets.len(), State::ChunkEnd)),
            State::UntilClose => {
                Ok(Step { used: octets.len(), content: 0..octets.len(), ended: None })
            }
            State::ChunkSize | State::ChunkEnd | State::Trailers => self.feed_line(octets),
        }
    }

    /// `octets` of content came that nobody looks at, at most [`Self::content_left`].
    pub(crate) fn skip(&mut self, octets: usize) -> Step {
        match self.state {
            State::Chunk(left) => self.feed_content(left, octets, State::ChunkEnd),
            _ => self.feed_content(self.content_left(), octets, State::Head),
        }
    }

    /// The connection ended; the response that ended with it.
    pub(crate) fn end(&mut self) -> Option<Answer> {
        let ended = self.state == State::UntilClose;
        self.reset();
        ended.then_some(self.answer)
    }

    fn feed_head(&mut self, octets: &[u8]) -> Result<Step, Malformed> {
        let before = self.part.len();
        let head = if before == 0 {
            Head::parse(octets)?
        } else {
            self.part.extend_from_slice(octets);
            Head::parse(&self.part)?
        };
        let Some(head) = head else {
            if before == 0 {
                self.part.extend_from_slice(octets);
            }
            if self.part.len() > HEAD_OCTETS_MAX {
                return Err(Malformed("a head without end"));
            }
            return Ok(Step { used: octets.len(), content: 0..0, ended: None });
        };
        self.part.clear();
        let used = head.octets - before;
        // RFC 9110 §15.2: 1xx comes before the response. 101 changes the protocol, which nobody asked for.
        if head.status == 101 {
            return Err(Malformed("another protocol"));
        }
        if head.status < 200 {
            return Ok(Step { used, content: 0..0, ended: None });
        }
        self.answer = Answer { status: head.status, close: head.close };
        self.state = match head.framing {
            Framing::Length(0) => State::Head,
            Framing::Length(length) => State::Content(length),
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClose => State::UntilClose,
        };
        let ended = (self.state == State::Head).then_some(self.answer);
        Ok(Step { used, content: 0..0, ended })
    }

    fn feed_content(&mut self, left: u64, octets: usize, then: State) -> Step {
        let used = usize::try_from(left).unwrap_or(usize::MAX).min(octets);
        let left = left - used as u64;
        self.state = match self.state {
            _ if left == 0 => then,
            State::Chunk(_) => State::Chunk(left),
            _ => State::Content(left),
        };
        let ended = (self.state == State::Head).then_some(self.answer);
        Step { used, content: 0..used, ended }
    }

    /// RFC 9112 §7.1.
    fn feed_line(&mut self, octets: &[u8]) -> Result<Step, Malformed> {
        let end = memchr(b'\n', octets);
        let used = end.map_or(octets.len(), |end| end + 1);
        self.part.extend_from_slice(&octets[..used]);
        if self.part.len() > CHUNK_LINE_OCTETS_MAX {
            return Err(Malformed("a line of a chunked content without end"));
        }
        let mut ended = None;
        if end.is_some() {
            let line = self.part.trim_ascii_end();
            self.state = match self.state {
                State::ChunkEnd if line.is_empty() => State::ChunkSize,
                State::ChunkEnd => return Err(Malformed("a chunk longer than its size")),
                State::Trailers if line.is_empty() => {
                    ended = Some(self.answer);
                    State::Head
                }
                State::Trailers => State::Trailers,
                _ => match chunk_size(line)? {
                    0 => State::Trailers,
                    size => State::Chunk(size),
                },
            };
            self.part.clear();
        }
        Ok(Step { used, content: 0..0, ended })
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line.iter().take_while(|octet| octet.is_ascii_hexdigit()).count();
    std::str::from_utf8(&line[..digits])
        .ok()
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or(Malformed("a chunk without a size"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    /// Its own length.
    octets: usize,
    status: u16,
    framing: Framing,
    close: bool,
}

impl Head {
    /// The head at the beginning of `octets`, if all of it is there.
    fn parse(octets: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some(first) = memchr(b'\n', octets) else {
            // What cannot become a status line is told before the end of the line comes, if ever.
            let known = octets.len().min(7);
            return if octets[..known] == b"HTTP/1."[..known] { Ok(None) } else { Err(NO_STATUS) };
        };
        let (minor, status) = status_line(&octets[..first])?;
        let mut head =
            Self { octets: 0, status, framing: Framing::UntilClose, close: minor == b'0' };
        let mut at = first + 1;
        while let Some(length) = memchr(b'\n', &octets[at..]) {
            let line = &octets[at..at + length];
            at += length + 1;
            match line {
                [] | [b'\r'] => {
                    head.octets = at;
                    head.finish();
                    return Ok(Some(head));
                }
                // Only fields with these first letters matter.
                [b'c' | b'C' | b't' | b'T', ..] => head.field(line)?,
                _ => {}
            }
        }
        Ok(None)
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let colon = memchr(b':', line).ok_or(Malformed("a field without a colon"))?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            let length = length.ok_or(Malformed("a Content-Length that is no number"))?;
            match self.framing {
                Framing::Length(other) if other != length => {
                    return Err(Malformed("two lengths"));
                }
                Framing::Chunked => {}
                Framing::Length(_) | Framing::UntilClose => self.framing = Framing::Length(length),
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Malformed("a transfer coding that was not asked for"));
            }
            self.framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case(b"connection") {
            for option in value.split(|octet| *octet == b',').map(<[u8]>::trim_ascii) {
                self.close |= option.eq_ignore_ascii_case(b"close");
                self.close &= !option.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        Ok(())
    }

    /// RFC 9112 §6.3: these have no content, whatever their fields say; a content of unknown length ends with the
    /// connection.
    fn finish(&mut self) {
        if self.status < 200 || self.status == 204 || self.status == 304 {
            self.framing = Framing::Length(0);
        }
        self.close |= self.framing == Framing::UntilClose;
    }
}

const NO_STATUS: Malformed = Malformed("no status line of HTTP/1");

/// The minor version and the status.
fn status_line(line: &[u8]) -> Result<(u8, u16), Malformed> {
    match line {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor, b' ', code @ ..] => {
            let digit = |at: usize| code.get(at).filter(|octet| octet.is_ascii_digit());
            let (Some(a), Some(b), Some(c)) = (digit(0), digit(1), digit(2)) else {
                return Err(NO_STATUS);
            };
            let code = [*a, *b, *c].map(|digit| u16::from(digit - b'0'));
            Ok((*minor, code[0] * 100 + code[1] * 10 + code[2]))
        }
        _ => Err(NO_STATUS),
    }
}

#[cfg(test)]
mod tests;
