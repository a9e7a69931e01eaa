//! Responses on their way to a client: heads with what is written anew for each use, and content in its coding.

use crate::error::Failure;
use crate::request::{Refusal, Request};
use crate::stored::{StoredContent, StoredResponse, write_field, write_status_line};
use bytes::Bytes;
use lastmile_http::cache::status::{CacheStatus, write_cache_status};
use lastmile_http::chunked::{CHUNK_END, LAST_CHUNK, write_chunk_header};
use lastmile_http::framing::Framing;
use lastmile_http::head::Version;
use lastmile_http::persistence::{ConnectionField, connection_field};
use lastmile_http::precondition::{Precondition, evaluate, is_conditional};
use lastmile_http::range::{RangeOutcome, evaluate_range};
use lastmile_http::time::{DeltaSeconds, UnixTime, write_http_date};

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
    pub(crate) fn encode(self, pieces: Vec<Bytes>, out: &mut Vec<Bytes>) {
        if self != Self::Chunked {
            out.extend(pieces);
            return;
        }
        let octets: usize = pieces.iter().map(Bytes::len).sum();
        if octets == 0 {
            return;
        }
        let mut header = Vec::with_capacity(16);
        write_chunk_header(octets, &mut header);
        out.push(Bytes::from(header));
        out.extend(pieces);
        out.push(Bytes::from_static(CHUNK_END));
    }

    /// What ends the content.
    pub(crate) fn end(self) -> Option<Bytes> {
        (self == Self::Chunked).then(|| Bytes::from_static(LAST_CHUNK))
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
    pub(crate) fn write(&self, name: &str, version: Version, out: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        write_field(b"Age", digits.format(self.age.0).as_bytes(), out);
        write_cache_status_field(name, self.cache_status, out);
        if let Some(length) = self.length {
            write_field(b"Content-Length", digits.format(length).as_bytes(), out);
        }
        if self.coding == Coding::Chunked {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        write_connection_field(version, self.persists && self.coding != Coding::UntilClose, out);
        out.extend_from_slice(b"\r\n");
    }
}

fn write_cache_status_field(name: &str, status: &CacheStatus<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Cache-Status: ");
    write_cache_status(name, status, out);
    out.extend_from_slice(b"\r\n");
}

fn write_connection_field(version: Version, persists: bool, out: &mut Vec<u8>) {
    match connection_field(version, persists) {
        ConnectionField::None => {}
        ConnectionField::KeepAlive => out.extend_from_slice(b"Connection: keep-alive\r\n"),
        ConnectionField::Close => out.extend_from_slice(b"Connection: close\r\n"),
    }
}

/// Answers `request` from a complete stored response: its own conditions first (RFC 9110 §13.2.2), then its range. The
/// head, and a small content, are appended to `out`; a large content is returned, to be sent behind it.
pub(crate) fn respond_stored(
    name: &str,
    request: &Request<'_>,
    response: &StoredResponse,
    content: &StoredContent,
    cache_status: &CacheStatus<'_>,
    now: UnixTime,
    out: &mut Vec<u8>,
) -> Vec<Bytes> {
    if let Some(status) = failed_precondition(request, response, now) {
        respond_condition(name, request, response, status, cache_status, now, out);
        return Vec::new();
    }
    let complete = content.octets();
    let variable = |length| Variable {
        age: response.policy().current_age(now),
        cache_status,
        length: Some(length),
        coding: Coding::Plain,
        persists: request.persists,
    };
    let range = match (response.status(), request.is_head()) {
        (200, false) if request.head.fields.contains("range") => {
            let (etag, last_modified) = (response.etag(), response.last_modified());
            evaluate_range(request.head.fields, complete, etag, last_modified, now)
        }
        _ => RangeOutcome::Whole,
    };
    match range {
        RangeOutcome::Whole => {
            out.extend_from_slice(response.head());
            // RFC 9110 §8.6: no Content-Length in a 204.
            let length = Some(complete).filter(|_| response.status() != 204);
            Variable { length, ..variable(complete) }.write(name, request.head.version, out);
            match content {
                _ if request.is_head() => Vec::new(),
                StoredContent::Whole(whole) if whole.len() <= COPY_OCTETS_MAX => {
                    out.extend_from_slice(whole);
                    Vec::new()
                }
                content => content.pieces(),
            }
        }
        RangeOutcome::Part { first, last } => {
            write_head_with_status(response, 206, b"Partial Content", out);
            let content_range = format!("bytes {first}-{last}/{complete}");
            write_field(b"Content-Range", content_range.as_bytes(), out);
            variable(last - first + 1).write(name, request.head.version, out);
            content.part(first, last)
        }
        RangeOutcome::Unsatisfiable => {
            write_status_line(416, b"Range Not Satisfiable", out);
            write_field(b"Via", format!("1.1 {name}").as_bytes(), out);
            write_field(b"Content-Range", format!("bytes */{complete}").as_bytes(), out);
            variable(0).write(name, request.head.version, out);
            Vec::new()
        }
    }
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
    let (etag, last_modified) = (response.etag(), response.last_modified());
    match evaluate(request.head.method, request.head.fields, etag, last_modified, now) {
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
    for (field_name, value) in response.fields(&mut Vec::new()).iter() {
        let is_needed = |needed: &&[u8]| field_name.eq_ignore_ascii_case(needed);
        if NOT_MODIFIED.iter().any(is_needed) {
            write_field(field_name, value, out);
        }
    }
    let variable = Variable {
        age: response.policy().current_age(now),
        cache_status,
        length: (status != 304).then_some(0),
        coding: Coding::Plain,
        persists: request.persists,
    };
    variable.write(name, request.head.version, out);
}

fn write_head_with_status(
    response: &StoredResponse,
    status: u16,
    reason: &[u8],
    out: &mut Vec<u8>,
) {
    let head = response.head();
    let fields = head.iter().position(|&octet| octet == b'\n').map_or(0, |end| end + 1);
    write_status_line(status, reason, out);
    out.extend_from_slice(&head[fields..]);
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
    write_cache_status_field(name, cache_status, out);
    write_date(now, out);
    write_own_content(name, request.head.version, request.persists, request.is_head(), &text, out);
}

/// A response of ours to a request that is refused; the connection ends with it.
pub(crate) fn respond_refusal(name: &str, refusal: Refusal, now: UnixTime, out: &mut Vec<u8>) {
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
    write_own_content(name, Version::Http11, false, false, &text, out);
}

/// Date (RFC 9110 §6.6.1), and an Age that says how old a response is that was made just now.
fn write_date(now: UnixTime, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Date: ");
    write_http_date(now, out);
    out.extend_from_slice(b"\r\nAge: 0\r\n");
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
    write_field(b"Content-Length", itoa::Buffer::new().format(text.len()).as_bytes(), out);
    write_connection_field(version, persists, out);
    out.extend_from_slice(b"\r\n");
    if !head_only {
        out.extend_from_slice(text.as_bytes());
    }
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
