//! The head of a message: start line and field lines, as views into the received octets (RFC 9112 §2 to §5).

mod parser;
#[cfg(test)]
mod tests;

use crate::fields::{eq_ignore_case, list_members};
pub use parser::{parse_fields, parse_request, parse_response};

/// Field lines in one head. Browsers send some 20 and origins 30; more only costs work, since looking a field up and
/// applying Connection go through all of them. Apache has 100, nginx counts octets instead.
pub const FIELDS_MAX: usize = 128;

/// Octets of a method. Every method is passed on, so this is the longest one that is implemented (RFC 9112 §3: 501
/// above it); the longest registered one has 17.
pub const METHOD_OCTETS_MAX: usize = 64;

/// The HTTP version of a message; a later 1.x counts as 1.1 (RFC 9110 §2.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// Where the name and the value of one field line are, as offsets into the octets that were parsed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FieldSpan {
    name_start: u32,
    name_end: u32,
    value_start: u32,
    value_end: u32,
}

/// The field lines of a message in the order received.
///
/// Names compare without regard to case; the methods take them in lower case. Values have no whitespace around them.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    octets: &'a [u8],
    spans: &'a [FieldSpan],
    /// The [`name_bit`] of every name.
    names: u64,
}

/// The head of a request. `target` is as received: [`crate::target::effective_target`] understands it.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// A token, case-sensitive.
    pub method: &'a [u8],
    /// Not empty: visible ASCII characters.
    pub target: &'a [u8],
    /// The client's version.
    pub version: Version,
    /// The field lines.
    pub fields: Fields<'a>,
}

/// The head of a response, an interim one included.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// The server's version.
    pub version: Version,
    /// 100 to 599.
    pub status: u16,
    /// The reason phrase, a subslice of the parsed octets; may be empty.
    pub reason: &'a [u8],
    /// The field lines.
    pub fields: Fields<'a>,
}

/// What parsing found so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parsed<T> {
    /// A whole head.
    Complete {
        /// The head.
        head: T,
        /// Its octets, from the start of the input to the end of the empty line.
        length: usize,
    },
    /// The head goes on after the end of the input, and nothing is wrong with it yet.
    Partial,
}

/// The most that a head may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeadLimits {
    /// Octets of the request target; above it 414.
    pub target_octets_max: usize,
    /// Octets of the head, the empty line included; above it 431.
    pub head_octets_max: usize,
}

/// What is wrong with a head. After any of these the connection must be closed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HeadError {
    /// The request line is not method, target and version with single spaces.
    BadRequestLine,
    /// The status line is not version, a status from 100 to 599 and reason phrase with single spaces.
    BadStatusLine,
    /// The method is longer than [`METHOD_OCTETS_MAX`].
    MethodTooLong,
    /// HTTP, but not version 1.x.
    BadVersion,
    /// A field name is empty, is no token, or is not directly followed by a colon.
    BadFieldName,
    /// A control character, NUL included, in a field value or reason phrase.
    BadFieldValue,
    /// CR without LF.
    BareCr,
    /// LF without CR.
    BareLf,
    /// A field line begins with whitespace: a folded line (RFC 9112 §5.2).
    ObsFold,
    /// The target is longer than [`HeadLimits::target_octets_max`].
    TargetTooLong,
    /// The head is longer than [`HeadLimits::head_octets_max`].
    HeadTooLarge,
    /// More than [`FIELDS_MAX`] field lines.
    TooManyFields,
    /// Field lines that should be whole end in the middle of one.
    IncompleteFieldLine,
}

impl<'a> Fields<'a> {
    /// The field lines at `spans` of `octets`, which must be, or begin with, those that were parsed into `spans`.
    #[must_use]
    pub fn new(octets: &'a [u8], spans: &'a [FieldSpan]) -> Self {
        let names = spans.iter().fold(0, |names, span| names | name_bit(span.name(octets)));
        Self { octets, spans, names }
    }

    /// Name and value of each field line.
    ///
    /// # Panics
    /// Like every other method, when the spans are those of other octets.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let Self { octets, spans, .. } = *self;
        spans.iter().map(move |span| (span.name(octets), span.value(octets)))
    }

    /// The value of the first field line with this name.
    #[must_use]
    #[inline]
    pub fn first(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The values of all field lines with this name.
    #[inline]
    pub fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        debug_assert!(!name.bytes().any(|octet| octet.is_ascii_uppercase()), "{name}");
        self.named(name.as_bytes())
    }

    /// [`Fields::all`] for a name that somebody has sent, in any case.
    #[inline]
    pub(crate) fn named<'n>(&self, name: &'n [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let Self { octets, spans, names } = *self;
        // A request is asked for a dozen names, most of which it does not have.
        let spans = if names & name_bit(name) == 0 { &[] } else { spans };
        let has_name = move |span: &&FieldSpan| eq_ignore_case(span.name(octets), name);
        spans.iter().filter(has_name).map(move |span| span.value(octets))
    }

    /// Whether there is a field line with this name.
    #[must_use]
    #[inline]
    pub fn contains(&self, name: &str) -> bool {
        self.first(name).is_some()
    }

    /// The members of a comma-separated list over all field lines with this name (RFC 9110 §5.3 and §5.6.1):
    /// whitespace trimmed, empty ones skipped, a comma inside a quoted-string separates nothing.
    #[inline]
    pub fn list<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.all(name).flat_map(list_members)
    }

    /// Number of field lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no field line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}

/// One bit of 64, the same for a name in any case. The factors keep the names that the path of a hit looks for apart
/// from each other and from those that browsers send; two names with one bit only cost the comparison.
#[inline]
fn name_bit(name: &[u8]) -> u64 {
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return 0 };
    let (first, last) = (u64::from(first | 0x20), u64::from(last | 0x20));
    1 << ((name.len() as u64 + 31 * first + 32 * last) % 64)
}

impl FieldSpan {
    fn name<'a>(&self, octets: &'a [u8]) -> &'a [u8] {
        &octets[self.name_start as usize..self.name_end as usize]
    }

    fn value<'a>(&self, octets: &'a [u8]) -> &'a [u8] {
        &octets[self.value_start as usize..self.value_end as usize]
    }
}

impl Default for HeadLimits {
    /// 8 KiB of target, which RFC 9110 §4.1 asks for at least; 32 KiB in all, where nginx has four buffers of 8 KiB.
    fn default() -> Self {
        Self { target_octets_max: 8 * 1024, head_octets_max: 32 * 1024 }
    }
}

impl HeadError {
    /// The status that answers a request with this fault; the same fault in an upstream's response is a 502.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequestLine
            | Self::BadStatusLine
            | Self::BadFieldName
            | Self::BadFieldValue
            | Self::BareCr
            | Self::BareLf
            | Self::ObsFold
            | Self::IncompleteFieldLine => 400,
            Self::TargetTooLong => 414,
            Self::HeadTooLarge | Self::TooManyFields => 431,
            Self::MethodTooLong => 501,
            Self::BadVersion => 505,
        }
    }

    /// The reason as a token, for logs, counters and the text of the error.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::BadRequestLine => "bad-request-line",
            Self::BadStatusLine => "bad-status-line",
            Self::MethodTooLong => "method-too-long",
            Self::BadVersion => "bad-version",
            Self::BadFieldName => "bad-field-name",
            Self::BadFieldValue => "bad-field-value",
            Self::BareCr => "bare-cr",
            Self::BareLf => "bare-lf",
            Self::ObsFold => "obs-fold",
            Self::TargetTooLong => "target-too-long",
            Self::HeadTooLarge => "head-too-large",
            Self::TooManyFields => "too-many-fields",
            Self::IncompleteFieldLine => "incomplete-field-line",
        }
    }
}
