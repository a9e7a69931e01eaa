//! Parsing a head in one pass over its octets, again from the start whenever more of them have arrived.

use super::{
    FIELDS_MAX, FieldSpan, Fields, HeadError, HeadLimits, METHOD_OCTETS_MAX, Parsed, RequestHead,
    ResponseHead, Version, name_bit,
};
use crate::fields::is_token_octet;

/// Empty lines skipped before a request line; some clients send one after the content (RFC 9112 §2.2).
const LEADING_LINES_MAX: usize = 2;

/// Parses the head of a request at the start of `octets`.
///
/// `spans` is scratch space that the caller reuses; it is cleared here. An empty line or two before the request line is
/// skipped and counts as part of the head. A fault is found as soon as its octets are there, a limit as soon as it is
/// passed, and a longer input never changes the outcome.
///
/// # Errors
/// The first fault of the head. There is no leniency beyond RFC 9112's "MUST": a line ends with CR LF.
pub fn parse_request<'a>(
    octets: &'a [u8],
    spans: &'a mut Vec<FieldSpan>,
    limits: &HeadLimits,
) -> Result<Parsed<RequestHead<'a>>, HeadError> {
    spans.clear();
    let mut cursor = Cursor::new(octets, limits);
    let parsed = cursor
        .request_line(limits.target_octets_max)
        .and_then(|line| Ok((line, cursor.field_lines(Peer::Client, spans)?)));
    let head = parsed.map(|((method, target, version), names)| {
        let fields = Fields { octets, spans, names };
        RequestHead { method, target, version, fields }
    });
    cursor.outcome(head)
}

/// Parses the head of a response, an interim one included, at the start of `octets`; `spans` as in [`parse_request`].
///
/// Whitespace between a field name and its colon is removed, as RFC 9112 §5.1 asks of a proxy, and the space before an
/// empty reason phrase may be missing.
///
/// # Errors
/// The first fault of the head, as in [`parse_request`].
pub fn parse_response<'a>(
    octets: &'a [u8],
    spans: &'a mut Vec<FieldSpan>,
    limits: &HeadLimits,
) -> Result<Parsed<ResponseHead<'a>>, HeadError> {
    spans.clear();
    let mut cursor = Cursor::new(octets, limits);
    let parsed =
        cursor.status_line().and_then(|line| Ok((line, cursor.field_lines(Peer::Server, spans)?)));
    let head = parsed.map(|((version, status, reason), names)| {
        let fields = Fields { octets, spans, names };
        ResponseHead { version, status, reason, fields }
    });
    cursor.outcome(head)
}

/// Parses whole field lines that this cache has written or checked before: `octets` is nothing but `name: value` CR LF
/// any number of times, without the empty line. Their number has no limit here; `spans` as in [`parse_request`].
///
/// # Errors
/// The first fault of a line; `HeadTooLarge` from 4 GiB on.
pub fn parse_fields<'a>(
    octets: &'a [u8],
    spans: &'a mut Vec<FieldSpan>,
) -> Result<Fields<'a>, HeadError> {
    spans.clear();
    if u32::try_from(octets.len()).is_err() {
        return Err(HeadError::HeadTooLarge);
    }
    let mut cursor = Cursor { octets, position: 0, is_cut: false };
    while cursor.position < octets.len() {
        match cursor.field_line(Peer::Client) {
            Ok(span) => spans.push(span),
            Err(Stop::End) => return Err(HeadError::IncompleteFieldLine),
            Err(Stop::Fault(error)) => return Err(error),
        }
    }
    Ok(Fields::new(octets, spans))
}

/// Who sent the head.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    Client,
    Server,
}

/// Why parsing ends before the head does.
#[derive(Clone, Copy)]
enum Stop {
    /// The input ends.
    End,
    Fault(HeadError),
}

impl From<HeadError> for Stop {
    fn from(error: HeadError) -> Self {
        Self::Fault(error)
    }
}

/// The methods that run for every line are inlined by force: there are three callers, and the compiler would rather
/// call than repeat them, at the cost of a tenth of the instructions.
struct Cursor<'a> {
    octets: &'a [u8],
    position: usize,
    /// The octets are as many as a head may have: if they do not hold it, it is too large.
    is_cut: bool,
}

impl<'a> Cursor<'a> {
    fn new(octets: &'a [u8], limits: &HeadLimits) -> Self {
        // Spans are 32 bits wide.
        let limit = limits.head_octets_max.min(u32::MAX as usize);
        let is_cut = octets.len() >= limit;
        Self { octets: &octets[..octets.len().min(limit)], position: 0, is_cut }
    }

    fn outcome<T>(&self, head: Result<T, Stop>) -> Result<Parsed<T>, HeadError> {
        match head {
            Ok(head) => Ok(Parsed::Complete { head, length: self.position }),
            Err(Stop::Fault(error)) => Err(error),
            Err(Stop::End) if self.is_cut => Err(HeadError::HeadTooLarge),
            Err(Stop::End) => Ok(Parsed::Partial),
        }
    }

    /// RFC 9112 §3: method SP request-target SP HTTP-version CRLF.
    #[inline(always)]
    fn request_line(
        &mut self,
        target_octets_max: usize,
    ) -> Result<(&'a [u8], &'a [u8], Version), Stop> {
        for _ in 0..LEADING_LINES_MAX {
            if self.peek()? == b'\r' {
                self.line_end(HeadError::BadRequestLine)?;
            }
        }
        let method = self.token();
        if method.len() > METHOD_OCTETS_MAX {
            return Err(HeadError::MethodTooLong.into());
        }
        match self.next()? {
            b'\n' if method.is_empty() => return Err(HeadError::BareLf.into()),
            b' ' if !method.is_empty() => {}
            _ => return Err(HeadError::BadRequestLine.into()),
        }
        let target = self.target();
        if target.len() > target_octets_max {
            return Err(HeadError::TargetTooLong.into());
        }
        if self.peek()? != b' ' || target.is_empty() {
            return Err(HeadError::BadRequestLine.into());
        }
        self.position += 1;
        let version = self.version(HeadError::BadRequestLine)?;
        self.line_end(HeadError::BadRequestLine)?;
        Ok((method, target, version))
    }

    /// RFC 9112 §4: HTTP-version SP status-code SP [ reason-phrase ] CRLF.
    fn status_line(&mut self) -> Result<(Version, u16, &'a [u8]), Stop> {
        let version = self.version(HeadError::BadStatusLine)?;
        self.literal(b" ", HeadError::BadStatusLine)?;
        let mut status = 0;
        for _ in 0..3 {
            let digit = self.next()?;
            if !digit.is_ascii_digit() {
                return Err(HeadError::BadStatusLine.into());
            }
            status = status * 10 + u16::from(digit - b'0');
        }
        // RFC 9110 §15: what is outside of this range counts as a server's error, which a 502 says too.
        if !(100..600).contains(&status) {
            return Err(HeadError::BadStatusLine.into());
        }
        let reason = match self.peek()? {
            b' ' => {
                self.position += 1;
                self.value()
            }
            _ => &self.octets[self.position..self.position],
        };
        let otherwise =
            if reason.is_empty() { HeadError::BadStatusLine } else { HeadError::BadFieldValue };
        self.line_end(otherwise)?;
        Ok((version, status, reason))
    }

    /// Field lines up to and with the empty line that ends the head; the bits of their names.
    #[inline(always)]
    fn field_lines(&mut self, peer: Peer, spans: &mut Vec<FieldSpan>) -> Result<u64, Stop> {
        let mut names = 0;
        while self.peek()? != b'\r' {
            if spans.len() == FIELDS_MAX {
                return Err(HeadError::TooManyFields.into());
            }
            let span = self.field_line(peer)?;
            names |= name_bit(span.name(self.octets));
            spans.push(span);
        }
        self.line_end(HeadError::BadFieldName)?;
        Ok(names)
    }

    /// RFC 9112 §5: field-name ":" OWS field-value OWS CRLF.
    #[inline(always)]
    fn field_line(&mut self, peer: Peer) -> Result<FieldSpan, Stop> {
        match self.peek()? {
            // RFC 9112 §5.2, and §2.2 for whitespace before the first field line.
            b' ' | b'\t' => return Err(HeadError::ObsFold.into()),
            b'\n' => return Err(HeadError::BareLf.into()),
            _ => {}
        }
        let name_start = self.position;
        let name = self.token();
        let name_end = self.position;
        if peer == Peer::Server && !name.is_empty() {
            self.skip_ows();
        }
        // RFC 9112 §5.1: whitespace here has led to request smuggling.
        if self.peek()? != b':' || name.is_empty() {
            return Err(HeadError::BadFieldName.into());
        }
        self.position += 1;
        self.skip_ows();
        let value_start = self.position;
        let value = self.value();
        let trailing = value.iter().rev().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
        let value_end = self.position - trailing;
        self.line_end(HeadError::BadFieldValue)?;
        let offset = |position: usize| position as u32;
        Ok(FieldSpan {
            name_start: offset(name_start),
            name_end: offset(name_end),
            value_start: offset(value_start),
            value_end: offset(value_end),
        })
    }

    /// `HTTP/1.0` or a later 1.x (RFC 9112 §2.3); `otherwise` when it is not HTTP at all.
    fn version(&mut self, otherwise: HeadError) -> Result<Version, Stop> {
        self.literal(b"HTTP/", otherwise)?;
        let major = self.digit(otherwise)?;
        self.literal(b".", otherwise)?;
        let minor = self.digit(otherwise)?;
        match (major, minor) {
            (b'1', b'0') => Ok(Version::Http10),
            // RFC 9110 §2.5: a higher minor version is processed as the highest one known.
            (b'1', _) => Ok(Version::Http11),
            _ => Err(HeadError::BadVersion.into()),
        }
    }

    fn digit(&mut self, otherwise: HeadError) -> Result<u8, Stop> {
        let octet = self.next()?;
        if octet.is_ascii_digit() { Ok(octet) } else { Err(otherwise.into()) }
    }

    fn literal(&mut self, expected: &[u8], otherwise: HeadError) -> Result<(), Stop> {
        let rest = self.octets.get(self.position..).unwrap_or_default();
        if rest.starts_with(expected) {
            self.position += expected.len();
            return Ok(());
        }
        // It may be all there is of it yet.
        Err(if expected.starts_with(rest) { Stop::End } else { otherwise.into() })
    }

    /// CR LF; what is wrong if there is something else, `otherwise` if that is neither CR nor LF.
    fn line_end(&mut self, otherwise: HeadError) -> Result<(), Stop> {
        match self.next()? {
            b'\r' if self.next()? == b'\n' => Ok(()),
            b'\r' => Err(HeadError::BareCr.into()),
            b'\n' => Err(HeadError::BareLf.into()),
            _ => Err(otherwise.into()),
        }
    }

    #[inline(always)]
    fn token(&mut self) -> &'a [u8] {
        let rest = &self.octets[self.position..];
        self.advance(rest.iter().position(|octet| !is_token_octet(*octet)).unwrap_or(rest.len()))
    }

    /// RFC 9112 §3.2: no target has an octet above 127, and who gets one SHOULD answer 400. Servers behind us would not
    /// agree on what it means. ASCII that RFC 3986 does not have in a URI stays as it is: browsers send `|` or `{`.
    fn target(&mut self) -> &'a [u8] {
        let rest = &self.octets[self.position..];
        let visible = &rest[..visible_length(rest, b'!')];
        if visible.is_ascii() {
            return self.advance(visible.len());
        }
        self.advance(visible.iter().take_while(|octet| octet.is_ascii()).count())
    }

    #[inline(always)]
    fn value(&mut self) -> &'a [u8] {
        let rest = &self.octets[self.position..];
        let mut length = visible_length(rest, b' ');
        while rest.get(length) == Some(&b'\t') {
            length += 1;
            length += visible_length(&rest[length..], b' ');
        }
        self.advance(length)
    }

    fn skip_ows(&mut self) {
        while matches!(self.octets.get(self.position), Some(b' ' | b'\t')) {
            self.position += 1;
        }
    }

    fn advance(&mut self, length: usize) -> &'a [u8] {
        let start = self.position;
        self.position += length;
        &self.octets[start..self.position]
    }

    fn peek(&self) -> Result<u8, Stop> {
        self.octets.get(self.position).copied().ok_or(Stop::End)
    }

    fn next(&mut self) -> Result<u8, Stop> {
        let octet = self.peek()?;
        self.position += 1;
        Ok(octet)
    }
}

/// Octets before the first one that is less than `lowest` (at most `!`) or DEL, eight at a time.
#[inline(always)]
fn visible_length(octets: &[u8], lowest: u8) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    let (words, _) = octets.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The lowest high bit set is right; a borrow can set wrong ones above it only.
        let below = word.wrapping_sub(ONES * u64::from(lowest)) & !word;
        let without_del = word ^ (ONES * 0x7f);
        let is_del = without_del.wrapping_sub(ONES) & !without_del;
        let found = (below | is_del) & HIGH_BITS;
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let start = words.len() * 8;
    let is_visible = |octet: &&u8| **octet >= lowest && **octet != 0x7f;
    start + octets[start..].iter().take_while(is_visible).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn eight_at_a_time_is_as_one_by_one(
            octets in proptest::collection::vec(
                prop_oneof![8 => 0x21..0x7f_u8, 4 => 0x80..=0xff_u8, 1 => any::<u8>()], 0..40),
        ) {
            for lowest in [b' ', b'!'] {
                let stops = |octet: &u8| *octet < lowest || *octet == 0x7f;
                let expected = octets.iter().position(stops).unwrap_or(octets.len());
                prop_assert_eq!(visible_length(&octets, lowest), expected);
            }
        }

    }
}
