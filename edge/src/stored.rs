//! A response as the store keeps it: its head ready to be sent but for what changes with each use, and its content.

pub(crate) mod on_disk;

use crate::arena::{Arena, Writer};
use crate::content::{StoredContent, part_of_pieces};
use crate::piece::Piece;
use crate::ram::{Handle, RamTier, Reservation};
use bytes::Bytes;
use lastmile_http::cache::freshness::StoredPolicy;
use lastmile_http::cache::partial::Part;
use lastmile_http::fields::is_hop_by_hop;
use lastmile_http::head::{FieldSpan, Fields, ResponseHead, Version, parse_fields};
use lastmile_http::time::{UnixTime, write_http_date};
use lastmile_http::validator::Validators;
use std::rc::Rc;

/// A stored response (RFC 9111 §3), or one that is still arriving and has no content yet. A clone refers to the same
/// one.
///
/// Its octets are, one behind the other: the request fields that chose it, as [`lastmile_http::cache::vary::selection`]
/// writes them; the head, which is status line and field lines, each with its line end, without the fields that are
/// written anew for each use (Age, Cache-Status of this cache, Content-Length, Content-Range of a part,
/// Transfer-Encoding, Connection); field lines for nobody but the client whose request brought the response; and a
/// content below [`WITHIN_OCTETS_MAX`].
pub(crate) type StoredResponse = Handle<Description>;

/// A content of up to so many octets lies behind its head; a larger one is elsewhere and is sent from there.
pub(crate) const WITHIN_OCTETS_MAX: u64 = 64 * 1024 - 1;

/// What is known of a stored response. A million of them is nothing unusual: the sizes of the fields matter.
#[derive(Debug)]
pub(crate) struct Description {
    policy: StoredPolicy,
    /// What few have.
    more: Option<Box<More>>,
    selection_octets: u16,
    head_octets: u16,
    withheld_octets: u16,
    /// Where the values of ETag and Last-Modified are in the head; empty if they are not.
    etag: (u16, u16),
    last_modified_start: u16,
    last_modified_octets: u8,
    arriving: bool,
    status: u16,
}

#[derive(Clone, Debug, Default)]
struct More {
    /// Which part of the representation the content is, if it is not all of it (RFC 9111 §3.3).
    part: Option<Part>,
    /// The content, if it is not behind the head.
    content: Option<StoredContent>,
}

impl crate::ram::Stored for Description {
    fn octets(&self) -> u64 {
        let Some(more) = &self.more else { return 0 };
        let content = more.content.as_ref().map_or(0, StoredContent::heap_octets);
        size_of::<More>() as u64 + content
    }

    fn reserved_octets(&self) -> u64 {
        let content = self.more.as_ref().and_then(|more| more.content.as_ref());
        content.map_or(0, StoredContent::reserved_octets)
    }
}

/// A response to be stored.
#[derive(Debug)]
pub(crate) struct Draft {
    description: Description,
    selection: Vec<u8>,
    head: Vec<u8>,
    withheld: Vec<u8>,
    /// A content that will lie behind the head.
    content: Vec<Bytes>,
}

/// The content of a complete stored response.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    /// These octets of the response.
    Within(&'a StoredResponse, &'a [u8]),
    /// Elsewhere.
    Apart(&'a StoredContent),
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

impl Draft {
    /// The response `received` as this cache, called `name`, will pass it on; its content comes later. Fields for which
    /// `is_withheld` says so are for the first client only. `None` when the head is too large.
    pub(crate) fn new(
        name: &str,
        received: &ResponseHead<'_>,
        is_withheld: IsWithheld,
        part: Option<Part>,
        policy: StoredPolicy,
        selection: Vec<u8>,
        now: UnixTime,
    ) -> Option<Self> {
        let mut head = Vec::with_capacity(512);
        write_status_line(received.status, received.reason, &mut head);
        let mut withheld = Vec::new();
        let mut write = |field_name: &[u8], value: &[u8], out: &mut Vec<u8>| {
            if is_withheld(received.fields, field_name) {
                write_field(field_name, value, &mut withheld);
            } else if part.is_none() || !field_name.eq_ignore_ascii_case(b"content-range") {
                write_field(field_name, value, out);
            }
        };
        write_end_to_end_with(name, received, now, &mut head, &mut write);
        let draft = Self::from_head(head, received.status, policy, selection)?;
        draft.with_withheld(withheld).map(|draft| draft.with_part(part))
    }

    fn from_head(
        head: Vec<u8>,
        status: u16,
        policy: StoredPolicy,
        selection: Vec<u8>,
    ) -> Option<Self> {
        let (mut etag, mut last_modified) = ((0, 0), (0, 0));
        let (head_octets, selection_octets) =
            (u16::try_from(head.len()).ok()?, u16::try_from(selection.len()).ok()?);
        let mut spans = Vec::new();
        if let Ok(fields) = parse_fields(&head[fields_start(&head)..], &mut spans) {
            let start = |value: &[u8]| (value.as_ptr() as usize - head.as_ptr() as usize) as u16;
            etag = fields.first("etag").map_or(etag, |value| (start(value), value.len() as u16));
            // A longer one is no date.
            let is_short = |value: &&[u8]| value.len() <= usize::from(u8::MAX);
            let modified = fields.first("last-modified").filter(is_short);
            last_modified =
                modified.map_or(last_modified, |value| (start(value), value.len() as u8));
        }
        let description = Description {
            policy,
            more: None,
            selection_octets,
            head_octets,
            withheld_octets: 0,
            etag,
            last_modified_start: last_modified.0,
            last_modified_octets: last_modified.1,
            arriving: true,
            status,
        };
        Some(Self { description, selection, head, withheld: Vec::new(), content: Vec::new() })
    }

    fn with_withheld(mut self, withheld: Vec<u8>) -> Option<Self> {
        self.description.withheld_octets = u16::try_from(withheld.len()).ok()?;
        self.withheld = withheld;
        Some(self)
    }

    fn with_part(mut self, part: Option<Part>) -> Self {
        if part.is_some() {
            self.description.more.get_or_insert_default().part = part;
        }
        self
    }

    /// Gives the response its content: these pieces. A large one is put together by `writer`, which may take of `room`.
    /// `None` when a small one can't be read.
    pub(crate) fn with_content(
        mut self,
        pieces: Vec<Piece>,
        (writer, room): (&mut Writer, &mut Reservation),
    ) -> Option<Self> {
        self.description.arriving = false;
        if pieces.iter().map(|piece| piece.len() as u64).sum::<u64>() <= WITHIN_OCTETS_MAX {
            self.content = pieces.iter().map(|piece| piece.read().ok()).collect::<Option<_>>()?;
        } else {
            let content = StoredContent::new(pieces, writer, room);
            self.description.more.get_or_insert_default().content = Some(content);
        }
        Some(self)
    }

    /// Gives the response the content of another one.
    fn with_content_of(mut self, other: &StoredResponse) -> Self {
        let Some(content) = other.content() else { return self };
        self.description.arriving = false;
        match content {
            Content::Apart(content) => {
                self.description.more.get_or_insert_default().content = Some(content.clone());
            }
            Content::Within(response, _) => self.content = vec![within(response)],
        }
        self
    }

    /// This part put together with other octets of the same representation: a larger part, or with `part` `None` all of
    /// it, which is then a 200 (RFC 9111 §3.4). They must be `pieces` together. `None` when there is no room.
    pub(crate) fn combined(
        &self,
        part: Option<Part>,
        pieces: Vec<Piece>,
        (ram, arena): (&RamTier<Description>, &Rc<Arena>),
    ) -> Option<Self> {
        let (mut head, mut status) = (Vec::with_capacity(self.head.len()), self.description.status);
        if part.is_none() {
            status = 200;
            write_status_line(status, b"OK", &mut head);
            head.extend_from_slice(&self.head[fields_start(&self.head)..]);
        } else {
            head.extend_from_slice(&self.head);
        }
        let (policy, selection) = (self.description.policy, self.selection.clone());
        let whole = Self::from_head(head, status, policy, selection);
        let whole = whole.expect("no longer than it was, but for the status line");
        // For what is put together anew; it is taken as it is needed.
        let mut room = ram.reserve(0)?;
        whole.with_part(part).with_content(pieces, (&mut arena.writer(), &mut room))
    }

    /// Stores it as [`RamTier::insert`] does.
    pub(crate) fn insert(
        self,
        ram: &RamTier<Description>,
        hash: u64,
        key: &[u8],
        replaces: impl Fn(&StoredResponse) -> bool,
    ) -> Result<StoredResponse, Box<Self>> {
        let Self { description, selection, head, withheld, content } = self;
        let mut octets = Vec::with_capacity(3 + content.len());
        octets.extend([&selection[..], &head, &withheld]);
        octets.extend(content.iter().map(|piece| &piece[..]));
        let inserted = ram.insert(hash, key, description, &octets, replaces);
        inserted.map_err(|description| {
            Box::new(Self { description, selection, head, withheld, content })
        })
    }

    /// Holds it beside what is stored; `None` when there is no room.
    pub(crate) fn hold(self, ram: &RamTier<Description>) -> Option<StoredResponse> {
        let octets = [&self.selection[..], &self.head, &self.withheld];
        ram.hold(self.description, &octets)
    }

    /// The same, whether there is room or not; `None` when the system has no memory.
    pub(crate) fn hold_anyway(self, ram: &RamTier<Description>) -> Option<StoredResponse> {
        let mut octets = vec![&self.selection[..], &self.head, &self.withheld];
        octets.extend(self.content.iter().map(|piece| &piece[..]));
        ram.hold_anyway(self.description, &octets)
    }

    pub(crate) fn part(&self) -> Option<Part> {
        self.description.part()
    }

    pub(crate) fn policy(&self) -> &StoredPolicy {
        &self.description.policy
    }

    pub(crate) fn selection(&self) -> &[u8] {
        &self.selection
    }

    /// The field lines, parsed into `spans`.
    pub(crate) fn fields<'a>(&'a self, spans: &'a mut Vec<FieldSpan>) -> Fields<'a> {
        fields_of(&self.head, spans)
    }

    /// All octets of the content, by reference.
    pub(crate) fn pieces(&self) -> Vec<Piece> {
        let apart = self.description.more.as_ref().and_then(|more| more.content.as_ref());
        let within = || self.content.iter().cloned().map(Piece::from).collect();
        apart.map_or_else(within, StoredContent::pieces)
    }
}

impl StoredResponse {
    /// The same with `pieces` as its content: see [`Draft::with_content`].
    pub(crate) fn completed(
        &self,
        pieces: Vec<Piece>,
        place: (&mut Writer, &mut Reservation),
    ) -> Option<Draft> {
        self.draft(self.part()).with_content(pieces, place)
    }

    /// The same again.
    pub(crate) fn again(&self) -> Draft {
        self.draft(self.part()).with_content_of(self)
    }

    fn draft(&self, part: Option<Part>) -> Draft {
        let description = Description { more: None, ..*self.value() };
        let (selection, head) = (self.selection().to_vec(), self.head().to_vec());
        let withheld = self.withheld().to_vec();
        Draft { description, selection, head, withheld, content: Vec::new() }.with_part(part)
    }

    /// The same content under a head updated by that of `update`, a 304 (RFC 9111 §4.3.4) or the answer to a HEAD
    /// (§4.3.5). What `judge` makes of the new head decides on its use. The content must be there. `None` when the head
    /// becomes too large.
    pub(crate) fn freshened(
        &self,
        name: &str,
        update: &ResponseHead<'_>,
        judge: impl FnOnce(&ResponseHead<'_>) -> Judged,
        now: UnixTime,
    ) -> Option<Draft> {
        let mut spans = Vec::new();
        let mut merged = Vec::with_capacity(self.head().len() + 128);
        let stored = self.fields(&mut spans);
        lastmile_http::cache::validation::freshened(stored, update.fields, &mut merged);
        let mut merged_spans = Vec::new();
        let empty = Fields::new(&[], &[]);
        let fields = parse_fields(&merged, &mut merged_spans).unwrap_or(empty);
        let head =
            ResponseHead { version: update.version, status: self.status(), reason: b"", fields };
        let Judged { policy, selection, is_withheld } = judge(&head);
        let mut lines = self.head()[..fields_start(self.head())].to_vec();
        let mut withheld = Vec::new();
        let mut write = |field_name: &[u8], value: &[u8], out: &mut Vec<u8>| {
            if is_withheld(fields, field_name) {
                write_field(field_name, value, &mut withheld);
            } else {
                write_field(field_name, value, out);
            }
        };
        write_end_to_end_with(name, &head, now, &mut lines, &mut write);
        let fresh = Draft::from_head(lines, self.status(), policy, selection)?;
        let fresh = fresh.with_withheld(withheld)?.with_part(self.part());
        Some(fresh.with_content_of(self))
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

    /// The content; `None` while it is still arriving.
    #[must_use]
    pub(crate) fn content(&self) -> Option<Content<'_>> {
        let known = self.value();
        if known.arriving {
            return None;
        }
        let apart = known.more.as_ref().and_then(|more| more.content.as_ref());
        Some(apart.map_or_else(
            || Content::Within(self, &self.octets()[known.content_start()..]),
            Content::Apart,
        ))
    }

    /// Whether both refer to the same large content.
    pub(crate) fn shares_content_with(&self, other: &Self) -> bool {
        match (self.content(), other.content()) {
            (Some(Content::Apart(one)), Some(Content::Apart(other))) => one.is_same_as(other),
            _ => false,
        }
    }

    /// Status line and field lines.
    pub(crate) fn head(&self) -> &[u8] {
        let start = usize::from(self.value().selection_octets);
        &self.octets()[start..start + usize::from(self.value().head_octets)]
    }

    /// The field lines, parsed into `spans`.
    pub(crate) fn fields<'a>(&'a self, spans: &'a mut Vec<FieldSpan>) -> Fields<'a> {
        fields_of(self.head(), spans)
    }

    pub(crate) fn status(&self) -> u16 {
        self.value().status
    }

    pub(crate) fn etag(&self) -> Option<&[u8]> {
        let (start, octets) = self.value().etag;
        self.value_in_head(start, octets)
    }

    pub(crate) fn last_modified(&self) -> Option<&[u8]> {
        let known = self.value();
        self.value_in_head(known.last_modified_start, known.last_modified_octets.into())
    }

    /// No value begins where the status line does.
    fn value_in_head(&self, start: u16, octets: u16) -> Option<&[u8]> {
        let (start, octets) = (usize::from(start), usize::from(octets));
        (start > 0).then(|| &self.head()[start..start + octets])
    }

    /// What its conditions are evaluated with (RFC 9110 §8.8).
    pub(crate) fn validators(&self) -> Validators<'_> {
        let (etag, last_modified) = (self.etag(), self.last_modified());
        Validators { etag, last_modified, date: self.policy().date() }
    }

    /// Field lines that only the client whose request brought the response gets.
    pub(crate) fn withheld(&self) -> &[u8] {
        let end = self.value().content_start();
        &self.octets()[end - usize::from(self.value().withheld_octets)..end]
    }

    /// Which part the content is; `None` when it is all.
    pub(crate) fn part(&self) -> Option<Part> {
        self.value().part()
    }

    /// Octets of the whole representation, of which the content may be a part. Only when it is complete.
    pub(crate) fn complete_length(&self, content: Content<'_>) -> u64 {
        self.part().map_or(content.octets(), |part| part.complete_length)
    }

    pub(crate) fn selection(&self) -> &[u8] {
        &self.octets()[..usize::from(self.value().selection_octets)]
    }

    pub(crate) fn policy(&self) -> &StoredPolicy {
        &self.value().policy
    }
}

impl Description {
    fn part(&self) -> Option<Part> {
        self.more.as_ref().and_then(|more| more.part)
    }

    fn content_start(&self) -> usize {
        let (selection, head) = (usize::from(self.selection_octets), usize::from(self.head_octets));
        selection + head + usize::from(self.withheld_octets)
    }
}

impl<'a> Content<'a> {
    /// Length in octets.
    pub(crate) fn octets(self) -> u64 {
        match self {
            Self::Within(_, octets) => octets.len() as u64,
            Self::Apart(content) => content.octets(),
        }
    }

    /// The octets, if they are together with the head.
    pub(crate) fn within(self) -> Option<&'a [u8]> {
        match self {
            Self::Within(_, octets) => Some(octets),
            Self::Apart(_) => None,
        }
    }

    /// The octets from `first` up to and including `last`, by reference.
    pub(crate) fn part(self, first: u64, last: u64) -> Vec<Piece> {
        match self {
            Self::Within(..) => part_of_pieces(self.pieces(), first, last),
            Self::Apart(content) => content.part(first, last),
        }
    }

    /// All octets, by reference.
    pub(crate) fn pieces(self) -> Vec<Piece> {
        match self {
            Self::Within(_, []) => Vec::new(),
            Self::Within(response, _) => vec![Piece::from(within(response))],
            Self::Apart(content) => content.pieces(),
        }
    }
}

/// The content behind the head of `response`, which it keeps.
fn within(response: &StoredResponse) -> Bytes {
    Bytes::from_owner(Within(response.clone()))
}

/// Keeps a response for the content behind its head.
struct Within(StoredResponse);

impl AsRef<[u8]> for Within {
    fn as_ref(&self) -> &[u8] {
        &self.0.octets()[self.0.value().content_start()..]
    }
}

/// Where the field lines begin, behind the status line.
fn fields_start(head: &[u8]) -> usize {
    const REASON_START: usize = b"HTTP/1.1 200 ".len();
    let reason = head.iter().skip(REASON_START).position(|octet| *octet == b'\n');
    reason.map_or(head.len(), |octets| REASON_START + octets + 1)
}

fn fields_of<'a>(head: &'a [u8], spans: &'a mut Vec<FieldSpan>) -> Fields<'a> {
    parse_fields(&head[fields_start(head)..], spans).unwrap_or(Fields::new(&[], &[]))
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
    use crate::arena::{ArenaChoice, Pages};
    use std::sync::Arc;

    #[test]
    fn a_million_descriptions_are_small() {
        // With the 32 octets of an object's head, its place in a queue (10) and in the index (8), an object takes 114
        // octets and up to 7 of rounding, beside its key, its head and its content.
        assert_eq!(size_of::<Description>(), 64);
    }

    #[test]
    fn a_draft_is_stored_as_it_is() {
        let ram = RamTier::new(1 << 20);
        let arena = Arena::new(Arc::new(Pages::new(ArenaChoice::Memfd)), 64 * 1024);
        let octets_of = |pieces: Vec<Piece>| -> Vec<u8> {
            pieces.iter().flat_map(|piece| piece.read().unwrap()).collect()
        };
        let received = b"ETag: \"a\"\r\nX-Private: b\r\nContent-Length: 5\r\n\
            Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n";
        let mut spans = Vec::new();
        let fields = parse_fields(received, &mut spans).unwrap();
        let head = ResponseHead { version: Version::Http11, status: 206, reason: b"P C", fields };
        let now = UnixTime::from_seconds(1_767_225_600);
        let directives = lastmile_http::cache::directives::response_directives(fields);
        let policy = StoredPolicy::new(&head, &directives, now, now);
        let part = Some(Part { first: 0, last: 5, complete_length: 10 });
        let is_withheld: IsWithheld = |_, name| name.eq_ignore_ascii_case(b"x-private");
        let draft = |octets: usize| {
            let selection = b"accept: *".to_vec();
            let draft = Draft::new("edge", &head, is_withheld, part, policy, selection, now);
            let pieces = vec![Piece::from(vec![b'c'; octets / 2]); 2];
            let place = (&mut arena.writer(), &mut ram.reserve(0).unwrap());
            draft.unwrap().with_content(pieces, place).unwrap()
        };
        for (octets, within) in
            [(0, true), (6, true), (1000, true), (65_534, true), (65_536, false)]
        {
            let stored = draft(octets).insert(&ram, 7, b"key", |_| true).unwrap();
            for stored in [stored.clone(), stored.again().hold_anyway(&ram).unwrap()] {
                assert_eq!((stored.etag(), stored.status()), (Some(&b"\"a\""[..]), 206));
                assert_eq!(stored.last_modified(), Some(&b"Thu, 01 Jan 2026 00:00:00 GMT"[..]));
                assert_eq!(stored.selection(), b"accept: *");
                assert_eq!(stored.withheld(), b"X-Private: b\r\n");
                assert!(stored.head().starts_with(b"HTTP/1.1 206 P C\r\nETag: \"a\"\r\nLast-Mod"));
                assert!(stored.head().ends_with(b"Via: 1.1 edge\r\n"));
                assert_eq!((stored.part(), stored.policy()), (part, &policy));
                let content = stored.content().unwrap();
                assert_eq!((content.octets(), content.within().is_some()), (octets as u64, within));
                let (fixed, head) = (stored.fixed_octets().unwrap(), stored.head_and_selection());
                assert_eq!(on_disk::head_octets(&fixed), head.len());
                assert_eq!(on_disk::content_octets(&fixed), octets as u64);
                let restored = Draft::restored(&fixed, head);
                // The part is of six octets, whatever the test gives it.
                assert_eq!(restored.is_some(), octets == 6, "{octets} octets");
                assert!(Draft::restored(&fixed, &head[1..]).is_none(), "not all of it");
                if let Some(restored) = restored {
                    assert_eq!((restored.part(), restored.policy()), (part, &policy));
                    assert_eq!(restored.selection(), stored.selection());
                    let place = (&mut arena.writer(), &mut ram.reserve(0).unwrap());
                    let restored = restored.with_content(content.pieces(), place).unwrap();
                    let again = restored.hold_anyway(&ram).unwrap();
                    assert!(again.octets() == stored.octets(), "the same to the octet");
                    assert_eq!(again.fixed_octets(), Some(fixed));
                }
                assert!(octets_of(content.pieces()) == vec![b'c'; octets]);
                let some =
                    if octets > 10 { octets_of(content.part(1, 10)) } else { vec![b'c'; 10] };
                assert_eq!(some, [b'c'; 10]);
            }
        }
        let place = (&mut arena.writer(), &mut ram.reserve(0).unwrap());
        let arriving = draft(0).hold(&ram).unwrap();
        let arriving = arriving.completed(vec![Piece::from(b"octet".to_vec())], place).unwrap();
        assert_eq!(octets_of(arriving.pieces()), b"octet");
        let twice = vec![Piece::from(b"twice five".to_vec())];
        let combined = arriving.combined(None, twice, (&ram, &arena)).unwrap();
        let combined = combined.insert(&ram, 7, b"key", |_| true).unwrap();
        assert!(combined.head().starts_with(b"HTTP/1.1 200 OK\r\nETag"), "all of it");
        assert_eq!(combined.content().unwrap().within(), Some(&b"twice five"[..]));
    }
}
