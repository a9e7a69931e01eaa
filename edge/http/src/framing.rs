//! Where a message's content ends (RFC 9112 §6.3).

use crate::fields::{eq_ignore_case, is_token, parse_content_length};
use crate::head::{Fields, RequestHead, ResponseHead, Version};

/// How the end of a message's content is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// There is no content, whatever the fields say.
    None,
    /// The content is this many octets, zero included.
    Length(u64),
    /// The content is chunked.
    Chunked,
    /// The content ends with the connection: only in a response.
    UntilClose,
}

/// Why the end of the content cannot be trusted: after any of these the connection must be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FramingError {
    /// Content-Length is not a decimal number.
    BadContentLength,
    /// Content-Length does not fit in 64 bits.
    ContentLengthTooLarge,
    /// There are several Content-Lengths, not all equal.
    ContentLengthsDiffer,
    /// Transfer-Encoding beside Content-Length, the mark of request smuggling.
    TransferCodingAndLength,
    /// Transfer-Encoding in a message of HTTP/1.0, which does not have it.
    TransferCodingInHttp10,
    /// Transfer-Encoding is empty or malformed, or chunked is there twice or not as the last coding.
    BadTransferCoding,
    /// A transfer coding other than chunked.
    UnknownTransferCoding,
    /// A chunk's size is not a hexadecimal number.
    BadChunkSize,
    /// A chunk's size does not fit in 64 bits.
    ChunkTooLarge,
    /// A chunk extension has an octet that may not be there, or does not begin with a semicolon.
    BadChunkExtension,
    /// The extensions of one chunk are longer than [`crate::chunked::EXTENSION_OCTETS_MAX`].
    ChunkExtensionTooLong,
    /// A line of the chunked coding, or the data of a chunk, does not end with CR LF.
    BadChunkLineEnd,
    /// A trailer field is malformed.
    BadTrailer,
    /// The trailer section is longer than [`crate::chunked::TRAILERS_OCTETS_MAX`].
    TrailersTooLarge,
}

impl FramingError {
    /// The status that answers a request with this fault; the same fault in an upstream's response is a 502.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadContentLength
            | Self::ContentLengthsDiffer
            | Self::TransferCodingAndLength
            | Self::TransferCodingInHttp10
            | Self::BadTransferCoding
            | Self::BadChunkSize
            | Self::BadChunkExtension
            | Self::ChunkExtensionTooLong
            | Self::BadChunkLineEnd
            | Self::BadTrailer => 400,
            Self::ContentLengthTooLarge | Self::ChunkTooLarge => 413,
            Self::TrailersTooLarge => 431,
            // RFC 9112 §6.1: a transfer coding that is not understood.
            Self::UnknownTransferCoding => 501,
        }
    }

    /// The reason as a token, for logs, counters and the text of the error.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::BadContentLength => "bad-content-length",
            Self::ContentLengthTooLarge => "content-length-too-large",
            Self::ContentLengthsDiffer => "content-lengths-differ",
            Self::TransferCodingAndLength => "transfer-coding-and-length",
            Self::TransferCodingInHttp10 => "transfer-coding-in-http10",
            Self::BadTransferCoding => "bad-transfer-coding",
            Self::UnknownTransferCoding => "unknown-transfer-coding",
            Self::BadChunkSize => "bad-chunk-size",
            Self::ChunkTooLarge => "chunk-too-large",
            Self::BadChunkExtension => "bad-chunk-extension",
            Self::ChunkExtensionTooLong => "chunk-extension-too-long",
            Self::BadChunkLineEnd => "bad-chunk-line-end",
            Self::BadTrailer => "bad-trailer",
            Self::TrailersTooLarge => "trailers-too-large",
        }
    }
}

/// The framing of a request's content: none, by length, or chunked.
///
/// # Errors
/// Every ambiguity is one: this edge does not guess where the next request begins (RFC 9112 §11.2).
pub fn request_framing(head: &RequestHead<'_>) -> Result<Framing, FramingError> {
    // RFC 9112 §6.3, items 3 to 7.
    announced_framing(head.version, head.fields).map(|framing| framing.unwrap_or(Framing::None))
}

/// The framing of the response's content to a request with this method.
///
/// # Errors
/// As for a request; Transfer-Encoding beside Content-Length is refused here too, as RFC 9112 §6.3 says it ought to be.
pub fn response_framing(
    request_method: &[u8],
    head: &ResponseHead<'_>,
) -> Result<Framing, FramingError> {
    // RFC 9112 §6.3, item 1.
    if request_method == b"HEAD" || matches!(head.status, 100..200 | 204 | 304) {
        return Ok(Framing::None);
    }
    // Item 2: a tunnel, in which neither field has a meaning.
    if request_method == b"CONNECT" && matches!(head.status, 200..300) {
        return Ok(Framing::UntilClose);
    }
    // Items 3 to 6 and 8.
    announced_framing(head.version, head.fields)
        .map(|framing| framing.unwrap_or(Framing::UntilClose))
}

/// What the fields say; `None` when they say nothing.
fn announced_framing(
    version: Version,
    fields: Fields<'_>,
) -> Result<Option<Framing>, FramingError> {
    if !fields.contains("transfer-encoding") {
        return Ok(parse_content_length(fields)?.map(Framing::Length));
    }
    // RFC 9112 §6.1: the framing of such a message is faulty.
    if version == Version::Http10 {
        return Err(FramingError::TransferCodingInHttp10);
    }
    if fields.contains("content-length") {
        return Err(FramingError::TransferCodingAndLength);
    }
    check_transfer_codings(fields)?;
    Ok(Some(Framing::Chunked))
}

/// Accepts chunked alone, the one coding that is understood.
fn check_transfer_codings(fields: Fields<'_>) -> Result<(), FramingError> {
    let (mut is_chunked, mut is_other) = (false, false);
    for coding in fields.list("transfer-encoding") {
        // RFC 9112 §6.3, item 4, and §7.1: chunked comes last and once, without parameters.
        if is_chunked {
            return Err(FramingError::BadTransferCoding);
        }
        let name = coding.split(|octet| matches!(octet, b';' | b' ' | b'\t')).next();
        let name = name.unwrap_or_default();
        if !is_token(name) || (eq_ignore_case(name, b"chunked") && name != coding) {
            return Err(FramingError::BadTransferCoding);
        }
        is_chunked = eq_ignore_case(name, b"chunked");
        is_other |= !is_chunked;
    }
    match (is_chunked, is_other) {
        (true, false) => Ok(()),
        (true, true) => Err(FramingError::UnknownTransferCoding),
        // In a request 400 (RFC 9112 §6.3, item 4): the end of the content cannot be found.
        (false, _) => Err(FramingError::BadTransferCoding),
    }
}
