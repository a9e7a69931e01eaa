//! A response as the store keeps it: its head ready to be sent but for what changes with each use, and its content.

use bytes::Bytes;
use core::ops::Range;
use lastmile_http::cache::freshness::StoredPolicy;
use lastmile_http::cache::partial::Part;
use lastmile_http::fields::is_hop_by_hop;
use lastmile_http::head::{FieldSpan, Fields, ResponseHead, Version};
use lastmile_http::time::{UnixTime, write_http_date};
use lastmile_http::validator::Validators;
use std::sync::OnceLock;

/// A stored response (RFC 9111 §3), or one that is still arriving and has no content yet.
#[derive(Debug)]
pub(crate) struct StoredResponse {
    /// Status line and field lines, each with its line end; without the fields that are written anew for each use:
    /// Age, Cache-Status of this cache, Content-Length, Content-Range of a part, Transfer-Encoding, Connection.
    head: Box<[u8]>,
    /// Field lines for nobody but the client whose request brought the response.
    withheld: Box<[u8]>,
    /// Which part of the representation the content is, if it is not all of it (RFC 9111 §3.3).
    part: Option<Part>,
    fields_start: usize,
    status: u16,
    etag: Option<Range<usize>>,
    last_modified: Option<Range<usize>>,
    /// The request fields that chose it, as [`lastmile_http::cache::vary::selection`] writes them.
    selection: Box<[u8]>,
    policy: StoredPolicy,
    content: OnceLock<StoredContent>,
}

/// What a new head of a stored response means for its use.
pub(crate) struct Judged {
    pub(crate) policy: StoredPolicy,
    /// The request fields that choose it.
    pub(crate) selection: Vec<u8>,
    /// Whether the field with a name, one of these fields, is not to be stored.
    pub(crate) is_withheld: IsWithheld,
}

/// Whether the field with this name, one of these fields, is for the first client only.
pub(crate) type IsWithheld = fn(Fields<'_>, &[u8]) -> bool;

/// The content of a stored response: complete and immutable.
#[derive(Clone, Debug)]
pub(crate) enum StoredContent {
    /// In one piece.
    Whole(Bytes),
    /// As it arrived, in order.
    Pieces {
        /// The pieces, none of them empty.
        pieces: Box<[Bytes]>,
        /// Sum of their lengths in octets.
        octets: u64,
    },
}

/// Pieces smaller than this are put together when a response is complete: their bookkeeping would cost more.
const PIECE_OCTETS_MIN: usize = 16 * 1024;
/// A content up to this size is stored in one piece.
const WHOLE_OCTETS_MAX: u64 = 256 * 1024;

impl StoredContent {
    /// The content made of `pieces`, copied together where they are small.
    pub(crate) fn new(mut pieces: Vec<Bytes>) -> Self {
        let octets = pieces.iter().map(|piece| piece.len() as u64).sum();
        if pieces.len() <= 1 {
            return Self::Whole(pieces.pop().unwrap_or_default());
        }
        if octets <= WHOLE_OCTETS_MAX {
            return Self::Whole(Bytes::from(pieces.concat().into_boxed_slice()));
        }
        let mut together: Vec<Bytes> = Vec::new();
        let mut small: Vec<u8> = Vec::new();
        for piece in pieces {
            if piece.len() < PIECE_OCTETS_MIN {
                small.extend_from_slice(&piece);
            } else if !small.is_empty() {
                together.push(Bytes::from(core::mem::take(&mut small).into_boxed_slice()));
                together.push(piece);
                continue;
            } else {
                together.push(piece);
            }
            if small.len() as u64 >= WHOLE_OCTETS_MAX {
                together.push(Bytes::from(core::mem::take(&mut small).into_boxed_slice()));
            }
        }
        if !small.is_empty() {
            together.push(Bytes::from(small.into_boxed_slice()));
        }
        Self::Pieces { pieces: together.into_boxed_slice(), octets }
    }

    /// Length in octets.
    #[must_use]
    pub(crate) fn octets(&self) -> u64 {
        match self {
            Self::Whole(whole) => whole.len() as u64,
            Self::Pieces { octets, .. } => *octets,
        }
    }

    /// The octets from `first` up to and including `last`, by reference.
    pub(crate) fn part(&self, first: u64, last: u64) -> Vec<Bytes> {
        let pieces = match self {
            Self::Whole(whole) => core::slice::from_ref(whole),
            Self::Pieces { pieces, .. } => pieces,
        };
        let mut start = 0u64;
        let mut part = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let end = start + piece.len() as u64;
            if end > first && start <= last {
                let within = |offset: u64| usize::try_from(offset - start).unwrap_or(usize::MAX);
                let from = within(first.max(start));
                let to = within((last + 1).min(end));
                part.push(piece.slice(from..to));
            }
            start = end;
        }
        part
    }

    /// All octets, by reference.
    pub(crate) fn pieces(&self) -> Vec<Bytes> {
        match self {
            Self::Whole(whole) if whole.is_empty() => Vec::new(),
            Self::Whole(whole) => vec![whole.clone()],
            Self::Pieces { pieces, .. } => pieces.to_vec(),
        }
    }
}

impl StoredResponse {
    /// The response `received` as this cache, called `name`, will pass it on; its content comes later. Fields for which
    /// `is_withheld` says so are for the first client only.
    pub(crate) fn new(
        name: &str,
        received: &ResponseHead<'_>,
        is_withheld: IsWithheld,
        part: Option<Part>,
        policy: StoredPolicy,
        selection: &[u8],
        now: UnixTime,
    ) -> Self {
        let mut head = Vec::with_capacity(512);
        write_status_line(received.status, received.reason, &mut head);
        let fields_start = head.len();
        let mut withheld = Vec::new();
        let mut write = |field_name: &[u8], value: &[u8], out: &mut Vec<u8>| {
            if is_withheld(received.fields, field_name) {
                write_field(field_name, value, &mut withheld);
            } else if part.is_none() || !field_name.eq_ignore_ascii_case(b"content-range") {
                write_field(field_name, value, out);
            }
        };
        write_end_to_end_with(name, received, now, &mut head, &mut write);
        let stored = Self::from_head(head, fields_start, received.status, policy, selection);
        Self { withheld: withheld.into(), part, ..stored }
    }

    fn from_head(
        head: Vec<u8>,
        fields_start: usize,
        status: u16,
        policy: StoredPolicy,
        selection: &[u8],
    ) -> Self {
        let mut spans = Vec::new();
        let (mut etag, mut last_modified) = (None, None);
        if let Ok(fields) = lastmile_http::head::parse_fields(&head[fields_start..], &mut spans) {
            let place = |value: &[u8]| {
                let start = value.as_ptr() as usize - head.as_ptr() as usize;
                start..start + value.len()
            };
            etag = fields.first("etag").map(place);
            last_modified = fields.first("last-modified").map(place);
        }
        Self {
            head: head.into_boxed_slice(),
            withheld: Box::default(),
            part: None,
            fields_start,
            status,
            etag,
            last_modified,
            selection: selection.into(),
            policy,
            content: OnceLock::new(),
        }
    }

    /// The same content under a head updated by that of `update`, a 304 (RFC 9111 §4.3.4) or the answer to a HEAD
    /// (§4.3.5). What `judge` makes of the new head decides on its use. The content must be there.
    pub(crate) fn freshened(
        &self,
        name: &str,
        update: &ResponseHead<'_>,
        judge: impl FnOnce(&ResponseHead<'_>) -> Judged,
        now: UnixTime,
    ) -> Self {
        let mut spans = Vec::new();
        let mut merged = Vec::with_capacity(self.head.len() + 128);
        lastmile_http::cache::validation::freshened(
            self.fields(&mut spans),
            update.fields,
            &mut merged,
        );
        let mut merged_spans = Vec::new();
        let empty = Fields::new(&[], &[]);
        let fields = lastmile_http::head::parse_fields(&merged, &mut merged_spans).unwrap_or(empty);
        let head =
            ResponseHead { version: update.version, status: self.status, reason: b"", fields };
        let Judged { policy, selection, is_withheld } = judge(&head);
        let mut lines = self.head[..self.fields_start].to_vec();
        let mut withheld = Vec::new();
        let mut write = |field_name: &[u8], value: &[u8], out: &mut Vec<u8>| {
            if is_withheld(fields, field_name) {
                write_field(field_name, value, &mut withheld);
            } else {
                write_field(field_name, value, out);
            }
        };
        write_end_to_end_with(name, &head, now, &mut lines, &mut write);
        let fresh = Self::from_head(lines, self.fields_start, self.status, policy, &selection);
        if let Some(content) = self.content.get() {
            fresh.complete(content.clone());
        }
        Self { part: self.part, withheld: withheld.into(), ..fresh }
    }

    /// This part put together with other octets of the same representation: a larger part, or with `part` `None` all of
    /// it, which is then a 200 (RFC 9111 §3.4).
    pub(crate) fn combined(&self, part: Option<Part>, content: StoredContent) -> Self {
        let (mut head, mut status) = (self.head.to_vec(), self.status);
        let mut fields_start = self.fields_start;
        if part.is_none() {
            status = 200;
            head.clear();
            write_status_line(status, b"OK", &mut head);
            let fields = &self.head[self.fields_start..];
            fields_start = head.len();
            head.extend_from_slice(fields);
        }
        let whole = Self::from_head(head, fields_start, status, self.policy, &self.selection);
        let whole = Self { part, ..whole };
        whole.complete(content);
        whole
    }

    /// Whether the 304 response `not_modified` means this response (RFC 9111 §4.3.4).
    pub(crate) fn is_identified_by(&self, not_modified: &ResponseHead<'_>) -> bool {
        let mut spans = Vec::new();
        let stored = self.fields(&mut spans);
        lastmile_http::cache::validation::identifies(stored, not_modified.fields)
    }

    /// Whether the 304 response `not_modified` means this one of several (RFC 9111 §4.3.4).
    pub(crate) fn is_identified_strongly_by(&self, not_modified: &ResponseHead<'_>) -> bool {
        let mut spans = Vec::new();
        let stored = self.fields(&mut spans);
        lastmile_http::cache::validation::identifies_strongly(stored, not_modified.fields)
    }

    /// Gives the response its content, once.
    pub(crate) fn complete(&self, content: StoredContent) {
        let first = self.content.set(content).is_ok();
        assert!(first, "a response is completed once, by the fetch that began it");
    }

    /// The content; `None` while it is still arriving.
    #[must_use]
    pub(crate) fn content(&self) -> Option<&StoredContent> {
        self.content.get()
    }

    /// Status line and field lines.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The field lines, parsed into `spans`.
    pub(crate) fn fields<'a>(&'a self, spans: &'a mut Vec<FieldSpan>) -> Fields<'a> {
        let octets = &self.head[self.fields_start..];
        lastmile_http::head::parse_fields(octets, spans).unwrap_or(Fields::new(&[], &[]))
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn etag(&self) -> Option<&[u8]> {
        self.etag.clone().map(|place| &self.head[place])
    }

    pub(crate) fn last_modified(&self) -> Option<&[u8]> {
        self.last_modified.clone().map(|place| &self.head[place])
    }

    /// What its conditions are evaluated with (RFC 9110 §8.8).
    pub(crate) fn validators(&self) -> Validators<'_> {
        let (etag, last_modified) = (self.etag(), self.last_modified());
        Validators { etag, last_modified, date: self.policy.date() }
    }

    /// Field lines that only the client whose request brought the response gets.
    pub(crate) fn withheld(&self) -> &[u8] {
        &self.withheld
    }

    /// Which part the content is; `None` when it is all.
    pub(crate) fn part(&self) -> Option<Part> {
        self.part
    }

    /// Octets of the whole representation, of which the content may be a part. Only when it is complete.
    pub(crate) fn complete_length(&self, content: &StoredContent) -> u64 {
        self.part.map_or(content.octets(), |part| part.complete_length)
    }

    pub(crate) fn selection(&self) -> &[u8] {
        &self.selection
    }

    pub(crate) fn policy(&self) -> &StoredPolicy {
        &self.policy
    }
}

impl crate::ram::Stored for StoredResponse {
    fn octets(&self) -> u64 {
        let content = self.content.get().map_or(0, StoredContent::octets);
        (self.head.len() + self.withheld.len() + self.selection.len()) as u64 + content
    }
}

/// `HTTP/1.1 200 OK`: always our own version (RFC 9110 §2.5).
pub(crate) fn write_status_line(status: u16, reason: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

/// The fields of a received message that are passed on (RFC 9110 §7.6.1), with a Date if there was none (§6.6.1) and
/// this cache's Via (§7.6.3).
pub(crate) fn write_end_to_end_fields(
    name: &str,
    received: &ResponseHead<'_>,
    now: UnixTime,
    out: &mut Vec<u8>,
) {
    write_end_to_end_with(name, received, now, out, &mut write_field);
}

fn write_end_to_end_with(
    name: &str,
    received: &ResponseHead<'_>,
    now: UnixTime,
    out: &mut Vec<u8>,
    write: &mut impl FnMut(&[u8], &[u8], &mut Vec<u8>),
) {
    let fields = received.fields;
    let version = match received.version {
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
    };
    let via = format!("{version} {name}");
    // A freshened response has been here before.
    let is_own_via = |value: &[u8]| {
        value.strip_prefix(b"1.1 ") == Some(name.as_bytes())
            || value.strip_prefix(b"1.0 ") == Some(name.as_bytes())
    };
    let mut via_is_there = false;
    for (field_name, value) in fields.iter() {
        let written_anew = field_name.eq_ignore_ascii_case(b"age")
            || field_name.eq_ignore_ascii_case(b"content-length");
        if written_anew || is_hop_by_hop(field_name, fields) {
            continue;
        }
        via_is_there |= field_name.eq_ignore_ascii_case(b"via") && is_own_via(value);
        write(field_name, value, out);
    }
    if !fields.contains("date") {
        out.extend_from_slice(b"Date: ");
        write_http_date(now, out);
        out.extend_from_slice(b"\r\n");
    }
    if !via_is_there {
        write_field(b"Via", via.as_bytes(), out);
    }
}

/// One field line.
pub(crate) fn write_field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(sizes: &[usize]) -> (Vec<u8>, StoredContent) {
        let mut value = 0u8;
        let mut piece = |size: usize| {
            let octets = (0..size).map(|_| {
                value = value.wrapping_mul(5).wrapping_add(3);
                value
            });
            Bytes::from(octets.collect::<Vec<u8>>())
        };
        let pieces: Vec<Bytes> = sizes.iter().map(|&size| piece(size)).collect();
        (pieces.concat(), StoredContent::new(pieces))
    }

    #[test]
    fn content_is_the_same_however_it_arrived() {
        for (sizes, why) in [
            (vec![], "nothing"),
            (vec![1], "one octet"),
            (vec![10, 20, 30], "small pieces are put together"),
            (vec![200_000, 100, 200, 100_000, 7], "small between large"),
            (vec![100; 5_000], "many small ones, more than one piece's worth"),
        ] {
            let (octets, content) = content(&sizes);
            assert_eq!(content.octets(), octets.len() as u64, "{why}");
            assert_eq!(content.pieces().concat(), octets, "{why}");
            assert!(content.pieces().iter().all(|piece| !piece.is_empty()), "{why}");
        }
    }

    #[test]
    fn a_part_is_the_octets_between_two_offsets() {
        let (octets, content) = content(&[200_000, 100_000, 300_000]);
        for (first, last) in [(0, 0), (0, 599_999), (199_999, 200_000), (250_000, 310_000)] {
            let expected = &octets[first as usize..=last as usize];
            assert_eq!(content.part(first, last).concat(), expected, "{first}-{last}");
        }
    }
}
