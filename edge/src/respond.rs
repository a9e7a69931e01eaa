//! Responses on their way to a client: heads with what is written anew for each use, and content in its coding.

use crate::error::Failure;
use crate::piece::Piece;
use crate::request::{Refusal, Request};
use crate::stored::{
    Content, StoredResponse, write_end_to_end_fields, write_field, write_status_line,
};
use ahash::RandomState;
use bytes::Bytes;
use lastmile_http::cache::key::write_key;
use lastmile_http::cache::status::{CacheStatus, write_cache_status};
use lastmile_http::chunked::{CHUNK_END, LAST_CHUNK, write_chunk_header};
use lastmile_http::framing::Framing;
use lastmile_http::head::{ResponseHead, Version};
use lastmile_http::multipart::Multipart;
use lastmile_http::persistence::{ConnectionField, connection_field};
use lastmile_http::precondition::{Precondition, evaluate, is_conditional};
use lastmile_http::range::{RangeOutcome, evaluate_range};
use lastmile_http::time::{DeltaSeconds, UnixTime, write_http_date};
use std::sync::LazyLock;

/// A content up to this size is copied behind its head, so that head and content, or several pipelined responses,
/// leave in one send. Above it, a reference is cheaper than a copy.
pub(crate) const COPY_OCTETS_MAX: usize = 16 * 1024;

/// How content is delimited for a client (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// There is none, or its length is announced.
    Plain,
    /// In chunks.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

impl Coding {
    /// The coding for content that came in `framing`.
    pub(crate) fn new(version: Version, framing: Framing) -> Self {
        match (framing, version) {
            (Framing::None | Framing::Length(_), _) => Self::Plain,
            (Framing::Chunked | Framing::UntilClose, Version::Http11) => Self::Chunked,
            (Framing::Chunked | Framing::UntilClose, Version::Http10) => Self::UntilClose,
        }
    }

    /// Puts `pieces` into the coding, behind what is in `out`.
    pub(crate) fn encode(self, pieces: Vec<Piece>, out: &mut Vec<Piece>) {
        if self != Self::Chunked {
            out.extend(pieces);
            return;
        }
        let octets: usize = pieces.iter().map(Piece::len).sum();
        if octets == 0 {
            return;
        }
        let mut header = Vec::with_capacity(16);
        write_chunk_header(octets, &mut header);
        out.push(Piece::from(header));
        out.extend(pieces);
        out.push(Bytes::from_static(CHUNK_END).into());
    }

    /// What ends the content.
    pub(crate) fn end(self) -> Option<Piece> {
        (self == Self::Chunked).then(|| Bytes::from_static(LAST_CHUNK).into())
    }
}

/// Fields that are written anew for each response, and the empty line.
pub(crate) struct Variable<'a> {
    pub(crate) age: DeltaSeconds,
    pub(crate) cache_status: &'a CacheStatus<'a>,
    pub(crate) length: Option<u64>,
    pub(crate) coding: Coding,
    pub(crate) persists: bool,
}

impl Variable<'_> {
    pub(crate) fn write(&self, name: &str, request: &Request<'_>, out: &mut Vec<u8>) {
        write_number(b"Age: ", u64::from(self.age.0), out);
        write_cache_status_field(name, self.cache_status, request, out);
        if let Some(length) = self.length {
            write_number(b"Content-Length: ", length, out);
        }
        if self.coding == Coding::Chunked {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        let persists = self.persists && self.coding != Coding::UntilClose;
        write_connection_field(request.head.version, persists, out);
        out.extend_from_slice(b"\r\n");
    }
}

/// A field line, of which this is all before its number. Inlined, so that the copies are of known length.
#[inline]
fn write_number(before: &[u8], number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(before);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn write_cache_status_field(
    name: &str,
    status: &CacheStatus<'_>,
    request: &Request<'_>,
    out: &mut Vec<u8>,
) {
    let key = request.site.show_key.then(|| {
        let (mut key, target) = (Vec::new(), &request.target);
        write_key(&request.site.key, target.authority, target.path_and_query, &mut key);
        key
    });
    out.extend_from_slice(b"Cache-Status: ");
    write_cache_status(name, status, key.as_deref(), out);
    out.extend_from_slice(b"\r\n");
}

fn write_connection_field(version: Version, persists: bool, out: &mut Vec<u8>) {
    match connection_field(version, persists) {
        ConnectionField::None => {}
        ConnectionField::KeepAlive => out.extend_from_slice(b"Connection: keep-alive\r\n"),
        ConnectionField::Close => out.extend_from_slice(b"Connection: close\r\n"),
    }
}

/// Answers `request` from a complete stored response, whole or a part that has what is asked for: its own conditions
/// first (RFC 9110 §13.2.2), then its range. The head, and a small content, are appended to `out`; a large content is
/// returned, to be sent behind it.
pub(crate) fn respond_stored(
    name: &str,
    request: &Request<'_>,
    response: &StoredResponse,
    content: Content<'_>,
    cache_status: &CacheStatus<'_>,
    now: UnixTime,
    out: &mut Vec<u8>,
) -> Vec<Piece> {
    if let Some(status) = failed_precondition(request, response, now) {
        respond_condition(name, request, response, status, cache_status, now, out);
        return Vec::new();
    }
    let variable = |length| Variable {
        age: response.policy().current_age(now),
        cache_status,
        length: Some(length),
        coding: Coding::Plain,
        persists: request.persists,
    };
    match wanted(request, response, content, now) {
        RangeOutcome::Whole => {
            let complete = content.octets();
            out.extend_from_slice(response.head());
            // RFC 9110 §8.6: no Content-Length in a 204.
            let length = Some(complete).filter(|_| response.status() != 204);
            Variable { length, ..variable(complete) }.write(name, request, out);
            match content.within() {
                _ if request.is_head() => Vec::new(),
                Some(octets) if octets.len() <= COPY_OCTETS_MAX => {
                    out.extend_from_slice(octets);
                    Vec::new()
                }
                _ => content.pieces(),
            }
        }
        RangeOutcome::Part { first, last } => {
            write_partial_head(response, None, out);
            let complete = response.complete_length(content);
            write_content_range((first, last), complete, out);
            variable(last - first + 1).write(name, request, out);
            append_octets(response, content, (first, last), out)
        }
        RangeOutcome::Parts(ranges) => {
            let multipart = multipart(response, content, &ranges, now);
            write_partial_head(response, Some(&multipart.content_type_value()), out);
            variable(multipart.content_length()).write(name, request, out);
            let mut pieces = Vec::new();
            for (index, range) in ranges.iter().enumerate() {
                pieces.push(Piece::from(multipart.part_head(index)));
                pieces.extend(octets_of(response, content, *range));
            }
            pieces.push(Piece::from(multipart.end()));
            pieces
        }
        RangeOutcome::Unsatisfiable => {
            write_status_line(416, b"Range Not Satisfiable", out);
            write_field(b"Via", format!("1.1 {name}").as_bytes(), out);
            write_date_field(now, out);
            let complete = response.complete_length(content);
            write_field(b"Content-Range", format!("bytes */{complete}").as_bytes(), out);
            variable(0).write(name, request, out);
            Vec::new()
        }
    }
}

/// Which octets a request wants of a complete stored response.
pub(crate) fn wanted(
    request: &Request<'_>,
    response: &StoredResponse,
    content: Content<'_>,
    now: UnixTime,
) -> RangeOutcome {
    // RFC 9110 §14.2: Range is for GET, and for what would be a 200 without it.
    if !matches!(response.status(), 200 | 206)
        || request.is_head()
        || !request.head.fields.contains("range")
    {
        return RangeOutcome::Whole;
    }
    let complete = response.complete_length(content);
    evaluate_range(request.head.fields, complete, &response.validators(), now)
}

/// Appends octets of the representation to `out` if they are few, else returns them.
fn append_octets(
    response: &StoredResponse,
    content: Content<'_>,
    (first, last): (u64, u64),
    out: &mut Vec<u8>,
) -> Vec<Piece> {
    match content.within() {
        Some(octets) if last - first < COPY_OCTETS_MAX as u64 => {
            let start = response.part().map_or(0, |part| part.first);
            let within = |offset: u64| usize::try_from(offset - start).unwrap_or(usize::MAX);
            out.extend_from_slice(&octets[within(first)..=within(last)]);
            Vec::new()
        }
        _ => octets_of(response, content, (first, last)),
    }
}

/// By reference, octets of the representation that are in `content`, which may be a part of it.
fn octets_of(
    response: &StoredResponse,
    content: Content<'_>,
    (first, last): (u64, u64),
) -> Vec<Piece> {
    let start = response.part().map_or(0, |part| part.first);
    content.part(first - start, last - start)
}

fn multipart(
    response: &StoredResponse,
    content: Content<'_>,
    ranges: &[(u64, u64)],
    now: UnixTime,
) -> Multipart {
    let mut spans = Vec::new();
    let content_type = response.fields(&mut spans).first("content-type");
    // Not to be guessed before the content is written, so that no content can have it within.
    let boundary = format!("{:016x}", BOUNDARIES.hash_one((now.milliseconds(), ranges)));
    Multipart::new(ranges, response.complete_length(content), content_type, &boundary)
}

/// What boundaries of multipart contents are made with: one secret for each process.
static BOUNDARIES: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Name and line of each stored field, the line with its end. They are as this cache has written them, so that nothing
/// needs to be looked for but the colon and the end.
fn field_lines(response: &StoredResponse) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = response.head().split_inclusive(|octet| *octet == b'\n').skip(1);
    lines.map(|line| {
        let colon = line.iter().position(|octet| *octet == b':').unwrap_or_default();
        (&line[..colon], line)
    })
}

/// The head of a 206: that of the stored response, with another Content-Type if it has several parts.
fn write_partial_head(response: &StoredResponse, content_type: Option<&str>, out: &mut Vec<u8>) {
    write_status_line(206, b"Partial Content", out);
    for (field_name, line) in field_lines(response) {
        let is = |other: &[u8]| field_name.eq_ignore_ascii_case(other);
        let written_anew = content_type.is_some() && is(b"content-type") || is(b"content-range");
        if !written_anew {
            out.extend_from_slice(line);
        }
    }
    if let Some(content_type) = content_type {
        write_field(b"Content-Type", content_type.as_bytes(), out);
    }
}

/// RFC 9110 §14.4
pub(crate) fn write_content_range((first, last): (u64, u64), complete: u64, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(b"Content-Range: bytes ");
    out.extend_from_slice(digits.format(first).as_bytes());
    out.push(b'-');
    out.extend_from_slice(digits.format(last).as_bytes());
    out.push(b'/');
    out.extend_from_slice(digits.format(complete).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// 304 or 412 when the request's own conditions say so.
pub(crate) fn failed_precondition(
    request: &Request<'_>,
    response: &StoredResponse,
    now: UnixTime,
) -> Option<u16> {
    // RFC 9110 §13.2.1: conditions apply to what would be a 2xx without them.
    if !is_conditional(request.head.fields) || !(200..300).contains(&response.status()) {
        return None;
    }
    match evaluate(request.head.method, request.head.fields, &response.validators(), now) {
        Precondition::Proceed => None,
        Precondition::NotModified => Some(304),
        Precondition::Failed => Some(412),
    }
}

/// 304 with the fields it needs (RFC 9110 §15.4.5), or 412.
pub(crate) fn respond_condition(
    name: &str,
    request: &Request<'_>,
    response: &StoredResponse,
    status: u16,
    cache_status: &CacheStatus<'_>,
    now: UnixTime,
    out: &mut Vec<u8>,
) {
    const NOT_MODIFIED: [&[u8]; 9] = [
        b"cache-control",
        b"content-location",
        b"date",
        b"etag",
        b"expires",
        b"last-modified",
        b"vary",
        b"via",
        b"cache-status",
    ];
    write_status_line(status, reason_phrase(status).as_bytes(), out);
    for (field_name, line) in field_lines(response) {
        let is_needed = |needed: &&[u8]| field_name.eq_ignore_ascii_case(needed);
        if NOT_MODIFIED.iter().any(is_needed) {
            out.extend_from_slice(line);
        }
    }
    let variable = Variable {
        age: response.policy().current_age(now),
        cache_status,
        length: (status != 304).then_some(0),
        coding: Coding::Plain,
        persists: request.persists,
    };
    variable.write(name, request, out);
}

/// A response of ours because the exchange with the upstream failed: says which side failed (RFC 9209) and names no
/// address.
pub(crate) fn respond_failure(
    name: &str,
    request: &Request<'_>,
    failure: Failure,
    cache_status: &CacheStatus<'_>,
    now: UnixTime,
    out: &mut Vec<u8>,
) {
    let status = failure.status();
    let text = format!("{status} {}: {}\n", reason_phrase(status), failure.explanation());
    write_status_line(status, reason_phrase(status).as_bytes(), out);
    let proxy_status =
        format!("{name}; error={}; details=\"{}\"", failure.proxy_error(), failure.side());
    write_field(b"Proxy-Status", proxy_status.as_bytes(), out);
    write_cache_status_field(name, cache_status, request, out);
    write_date(now, out);
    write_own_content(name, request.head.version, request.persists, request.is_head(), &text, out);
}

/// A response of ours to a request that is refused; the connection ends with it. Without content if it is `head_only`
/// (RFC 9110 §9.3.2).
pub(crate) fn respond_refusal(
    name: &str,
    refusal: Refusal,
    head_only: bool,
    now: UnixTime,
    out: &mut Vec<u8>,
) {
    let status = refusal.status();
    write_status_line(status, reason_phrase(status).as_bytes(), out);
    if status == 405 {
        out.extend_from_slice(b"Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, TRACE\r\n");
    }
    out.extend_from_slice(b"Cache-Status: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"; detail=");
    out.extend_from_slice(refusal.reason().as_bytes());
    out.extend_from_slice(b"\r\n");
    let text = format!("{status} {}: {}\n", reason_phrase(status), refusal.reason());
    write_date(now, out);
    write_own_content(name, Version::Http11, false, head_only, &text, out);
}

/// Date (RFC 9110 §6.6.1), and an Age that says how old a response is that was made just now.
fn write_date(now: UnixTime, out: &mut Vec<u8>) {
    write_date_field(now, out);
    out.extend_from_slice(b"Age: 0\r\n");
}

pub(crate) fn write_date_field(now: UnixTime, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Date: ");
    write_http_date(now, out);
    out.extend_from_slice(b"\r\n");
}

/// An interim response (RFC 9110 §15.2) as it is passed on.
pub(crate) fn write_interim(name: &str, head: &ResponseHead<'_>, now: UnixTime, out: &mut Vec<u8>) {
    write_status_line(head.status, head.reason, out);
    if !head.fields.is_empty() {
        write_end_to_end_fields(name, head, now, out);
    }
    out.extend_from_slice(b"\r\n");
}

fn write_own_content(
    name: &str,
    version: Version,
    persists: bool,
    head_only: bool,
    text: &str,
    out: &mut Vec<u8>,
) {
    write_field(b"Via", format!("1.1 {name}").as_bytes(), out);
    out.extend_from_slice(
        b"Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n",
    );
    write_number(b"Content-Length: ", text.len() as u64, out);
    write_connection_field(version, persists, out);
    out.extend_from_slice(b"\r\n");
    if !head_only {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Puts field lines into the response whose head begins at `start` of `out`: those for the client alone that caused a
/// request upstream.
pub(crate) fn insert_fields(lines: &[u8], start: usize, out: &mut Vec<u8>) {
    let end = out[start..].iter().position(|octet| *octet == b'\n').map_or(0, |end| end + 1);
    out.splice(start + end..start + end, lines.iter().copied());
}

/// The status of a response that was written as this head.
pub(crate) fn status_of(head: &[u8]) -> u16 {
    let digits = head.get(b"HTTP/1.1 ".len()..).and_then(|rest| rest.get(..3)).unwrap_or_default();
    digits.iter().fold(0, |status, digit| status * 10 + u16::from(digit.wrapping_sub(b'0')))
}

/// The reason phrases of the statuses that we make (RFC 9110 §15).
fn reason_phrase(status: u16) -> &'static str {
    match status {
        304 => "Not Modified",
        400 => "Bad Request",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        _ => "",
    }
}
