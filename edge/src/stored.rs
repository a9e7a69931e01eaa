//! A response as the store keeps it: its head ready to be sent but for what changes with each use, and its content.

use crate::content::StoredContent;
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
        let content = self.content.get().map_or(0, StoredContent::heap_octets);
        (self.head.len() + self.withheld.len() + self.selection.len()) as u64 + content
    }

    fn reserved_octets(&self) -> u64 {
        self.content.get().map_or(0, StoredContent::reserved_octets)
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
