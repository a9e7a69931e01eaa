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
    // RFC 9112 §6.3, items 3 to 7. Which of several faults is said is no matter: each of them ends the connection.
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

/// Whether a response that has no content by its method or status says nothing that makes one doubt that none comes:
/// some servers send one all the same, and it would be taken for the next response.
pub(crate) fn framing_fields_are_sound(head: &ResponseHead<'_>) -> bool {
    match announced_framing(head.version, head.fields) {
        Ok(None | Some(Framing::None | Framing::Length(0))) => true,
        // RFC 9110 §8.6 and RFC 9112 §6.1 allow these in an answer to HEAD and in a 304, not in a 204.
        Ok(Some(Framing::Length(_) | Framing::Chunked | Framing::UntilClose)) => head.status != 204,
        Err(_) => false,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::parse_fields;

    fn of_request(version: Version, lines: &str) -> Result<Framing, FramingError> {
        let mut spans = Vec::new();
        let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
        request_framing(&RequestHead { method: b"POST", target: b"/", version, fields })
    }

    fn of_response(
        method: &str,
        version: Version,
        status: u16,
        lines: &str,
    ) -> Result<Framing, FramingError> {
        let mut spans = Vec::new();
        let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
        let head = ResponseHead { version, status, reason: b"", fields };
        response_framing(method.as_bytes(), &head)
    }

    #[test]
    fn requests_are_framed_without_guessing() {
        // RFC 9112 §6.1, §6.3, §11.2
        use FramingError as E;
        use Version::{Http10, Http11};
        let rows = [
            (Http11, "", Ok(Framing::None), "no field, no content"),
            (Http11, "Content-Length: 0\r\n", Ok(Framing::Length(0)), "said to be empty"),
            (Http10, "Content-Length: 5\r\n", Ok(Framing::Length(5)), "a length"),
            (Http11, "Content-Length: 5, 6\r\n", Err(E::ContentLengthsDiffer), "two lengths"),
            (Http11, "Transfer-Encoding: chunked\r\n", Ok(Framing::Chunked), "chunked"),
            (Http11, "TRANSFER-ENCODING: ,Chunked,\r\n", Ok(Framing::Chunked), "in any case"),
            (
                Http11,
                "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                Err(E::TransferCodingAndLength),
                "both",
            ),
            (
                Http11,
                "Content-Length: x\r\nTransfer-Encoding: identity\r\n",
                Err(E::TransferCodingAndLength),
                "both, and both unsound",
            ),
            (
                Http10,
                "Transfer-Encoding: chunked\r\n",
                Err(E::TransferCodingInHttp10),
                "1.0 does not have it (§6.1)",
            ),
            (
                Http11,
                "Transfer-Encoding: gzip, chunked\r\n",
                Err(E::UnknownTransferCoding),
                "a coding that is not understood (§6.1)",
            ),
            (
                Http11,
                "Transfer-Encoding: gzip;q=\"a,b\"\r\nTransfer-Encoding: chunked\r\n",
                Err(E::UnknownTransferCoding),
                "the same over two lines, with a parameter",
            ),
            (Http11, "Transfer-Encoding: gzip\r\n", Err(E::BadTransferCoding), "no chunked last"),
            (Http11, "Transfer-Encoding: identity\r\n", Err(E::BadTransferCoding), "obsolete"),
            (Http11, "Transfer-Encoding: chunked, gzip\r\n", Err(E::BadTransferCoding), "order"),
            (
                Http11,
                "Transfer-Encoding: chunked, chunked\r\n",
                Err(E::BadTransferCoding),
                "applied twice (§6.1)",
            ),
            (
                Http11,
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                Err(E::BadTransferCoding),
                "something behind it in another line",
            ),
        ];
        for (version, lines, expected, why) in rows {
            assert_eq!(of_request(version, lines), expected, "{lines:?}: {why}");
        }
    }

    #[test]
    fn codings_that_look_like_chunked_are_refused() {
        // RFC 9112 §6.1, §6.3, §7.1, §11.2
        use FramingError as E;
        use Version::{Http10, Http11};
        let rows = [
            (Http11, "Transfer-Encoding:\r\n", Err(E::BadTransferCoding), "empty"),
            (Http11, "Transfer-Encoding: \"chunked\"\r\n", Err(E::BadTransferCoding), "quotes"),
            (Http11, "Transfer-Encoding: chunked;a=b\r\n", Err(E::BadTransferCoding), "§7.1"),
            (Http11, "Transfer-Encoding: chunked foo\r\n", Err(E::BadTransferCoding), "two words"),
            (Http11, "Transfer-Encoding: xchunked\r\n", Err(E::BadTransferCoding), "another name"),
            (Http11, "Transfer-Encoding: chunke\r\n", Err(E::BadTransferCoding), "another name"),
            (Http11, "Transfer-Encoding: x chunked\r\n", Err(E::BadTransferCoding), "two words"),
            (Http11, "Transfer-Encoding: x;chunked\r\n", Err(E::BadTransferCoding), "a parameter"),
            (Http11, "Transfer-Encoding: chunked;\r\n", Err(E::BadTransferCoding), "an empty one"),
            (Http11, "Transfer-Encoding: 'chunked'\r\n", Err(E::BadTransferCoding), "quotes"),
            (Http11, "Transfer-Encoding: chunked\u{a0}\r\n", Err(E::BadTransferCoding), "NBSP"),
            (
                Http11,
                "Transfer-Encoding: chun\u{212a}ed\r\n",
                Err(E::BadTransferCoding),
                "no ASCII K",
            ),
            (Http11, "Transfer-Encoding: ,\r\n", Err(E::BadTransferCoding), "an empty list"),
            (Http11, "Transfer-Encoding: \tchunked\t\r\n", Ok(Framing::Chunked), "whitespace"),
            (
                Http11,
                "Transfer-Encoding: identity, chunked\r\n",
                Err(E::UnknownTransferCoding),
                "no such coding any more (RFC 7230 A.2)",
            ),
            (
                Http11,
                "Transfer-Encoding: chunked, identity\r\n",
                Err(E::BadTransferCoding),
                "chunked is not the last",
            ),
            (
                Http11,
                "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
                Err(E::UnknownTransferCoding),
                "two lines, the second one fine",
            ),
            (
                Http11,
                "Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n",
                Err(E::BadTransferCoding),
                "two lines in two cases",
            ),
            (
                Http11,
                "Transfer-Encoding:\r\nContent-Length: 5\r\n",
                Err(E::TransferCodingAndLength),
                "an empty field is there too",
            ),
            (
                Http10,
                "Transfer-Encoding: x\r\nContent-Length: 5\r\n",
                Err(E::TransferCodingInHttp10),
                "1.0, in spite of the length (§6.1)",
            ),
            (Http11, "Transfer_Encoding: chunked\r\n", Ok(Framing::None), "another field"),
            (Http11, "X-Transfer-Encoding: chunked\r\n", Ok(Framing::None), "another field"),
        ];
        for (version, lines, expected, why) in rows {
            assert_eq!(of_request(version, lines), expected, "{lines:?}: {why}");
        }
    }

    #[test]
    fn responses_are_framed_by_method_status_and_fields() {
        // RFC 9112 §6.3
        use FramingError as E;
        use Version::{Http10, Http11};
        let length = "Content-Length: 5\r\n";
        let chunked = "Transfer-Encoding: chunked\r\n";
        let both = "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n";
        let rows = [
            ("HEAD", Http11, 200, length, Ok(Framing::None), "HEAD"),
            ("HEAD", Http11, 200, both, Ok(Framing::None), "HEAD, whatever the fields say"),
            ("GET", Http11, 100, length, Ok(Framing::None), "interim"),
            ("GET", Http11, 103, "", Ok(Framing::None), "interim"),
            ("GET", Http11, 204, chunked, Ok(Framing::None), "No Content"),
            ("GET", Http11, 304, length, Ok(Framing::None), "Not Modified"),
            ("GET", Http11, 205, length, Ok(Framing::Length(5)), "205 is like any other"),
            ("CONNECT", Http11, 200, both, Ok(Framing::UntilClose), "a tunnel"),
            ("CONNECT", Http11, 407, length, Ok(Framing::Length(5)), "no tunnel"),
            ("GET", Http11, 200, length, Ok(Framing::Length(5)), "a length"),
            ("GET", Http10, 200, length, Ok(Framing::Length(5)), "a length from 1.0"),
            ("GET", Http11, 200, chunked, Ok(Framing::Chunked), "chunked"),
            ("GET", Http11, 200, "", Ok(Framing::UntilClose), "nothing said"),
            ("GET", Http11, 200, both, Err(E::TransferCodingAndLength), "both"),
            ("GET", Http10, 200, chunked, Err(E::TransferCodingInHttp10), "§6.1"),
            ("GET", Http11, 200, "Content-Length: x\r\n", Err(E::BadContentLength), "item 5"),
            (
                "GET",
                Http11,
                200,
                "Content-Length: 5\r\nContent-Length: 6\r\n",
                Err(E::ContentLengthsDiffer),
                "item 5",
            ),
            ("GET", Http11, 200, "Content-Length: 5, 5\r\n", Ok(Framing::Length(5)), "item 5"),
            ("GET", Http11, 200, "Transfer-Encoding: x\r\n", Err(E::BadTransferCoding), "item 4"),
            ("PRI", Http11, 599, "", Ok(Framing::UntilClose), "any other method and status"),
            ("head", Http11, 200, length, Ok(Framing::Length(5)), "not HEAD: methods have a case"),
            (
                "GET",
                Http11,
                200,
                "Transfer-Encoding: gzip, chunked\r\n",
                Err(E::UnknownTransferCoding),
                "can't be taken off",
            ),
        ];
        for (method, version, status, lines, expected, why) in rows {
            assert_eq!(of_response(method, version, status, lines), expected, "{why}");
        }
    }

    #[test]
    fn errors_have_their_status() {
        // RFC 9112 §6.1 and §6.3; RFC 9110 §15.5.14; RFC 6585 §5
        assert_eq!(FramingError::TransferCodingAndLength.status(), 400);
        assert_eq!(FramingError::UnknownTransferCoding.status(), 501);
        assert_eq!(FramingError::ContentLengthTooLarge.status(), 413);
        assert_eq!(FramingError::TrailersTooLarge.status(), 431);
    }
}
