//! Asking whether a stored response is still right, and what the answer changes (RFC 9111 §4.3).

#[cfg(test)]
mod tests;

use crate::fields::{is_hop_by_hop, parse_content_length};
use crate::head::Fields;
use crate::validator::{entity_tags, is_entity_tag, is_strong_tag, strong_match, weak_match};

/// Entity tags of other stored responses in one If-None-Match. A resource has few variants that are asked for at the
/// same time; more would only make every validation of it longer. Larger: longer requests. Smaller: of a resource with
/// many variants one is fetched again that was there.
pub const OTHER_TAGS_MAX: usize = 16;
/// Octets of these tags. Apache and nginx refuse lines of more than 8 KiB by default, and a validation that is refused
/// is worse than one that asks about a single response.
pub const OTHER_TAGS_OCTETS_MAX: usize = 2 * 1024;

/// Appends the condition lines of a validation (RFC 9111 §4.3.1): about the response that the request selects, if
/// there is one, and about others of the same URI, by their `other_etags`. Without validators nothing is written.
///
/// If-None-Match has the tag of the selected response as the origin sent it, weak or strong. Of the others only strong
/// tags are sent: a weak one may be shared by codings of one resource, and a 304 with it would not say which is meant.
/// If-Modified-Since has the octets of the selected response's Last-Modified, and is for a single response only
/// (§4.3.1), so not beside tags of others; when it is all there is to ask with, it goes alone, because a recipient
/// ignores it beside any If-None-Match (RFC 9110 §13.1.3). The Date is never sent in its place, though
/// §13.1.3 there knows caches that do so: what changes in the second of the Date would stay unseen for good.
///
/// The caller leaves out the tags of responses of which only a part is stored, unless the request is for a range
/// within (RFC 9111 §4.3.2).
pub fn write_conditions<'a>(
    selected: Option<Fields<'a>>,
    other_etags: impl Iterator<Item = &'a [u8]>,
    out: &mut Vec<u8>,
) {
    let field = |name| selected.and_then(|fields| fields.first(name));
    let etag = field("etag").filter(|etag| may_be_sent(etag));
    let last_modified = field("last-modified").filter(|value| !value.is_empty());
    let mut tags: Vec<&[u8]> = etag.into_iter().collect();
    // An unquoted tag, or one whose quotes do not end, would take what follows along.
    let is_followable = etag.is_none_or(is_entity_tag);
    if is_followable && (etag.is_some() || last_modified.is_none()) {
        add_others(other_etags, &mut tags);
    }
    if !tags.is_empty() {
        write_line(b"If-None-Match", &tags.join(&b", "[..]), out);
    }
    let is_single = tags.len() == usize::from(etag.is_some());
    if let Some(last_modified) = last_modified.filter(|_| is_single) {
        write_line(b"If-Modified-Since", last_modified, out);
    }
}

/// Adds the strong ones of `others` that are not there yet, within the bounds.
fn add_others<'a>(others: impl Iterator<Item = &'a [u8]>, tags: &mut Vec<&'a [u8]>) {
    let (mut count, mut octets) = (0, 0);
    for tag in others.filter(|tag| is_strong_tag(tag)) {
        // By weak comparison, since If-None-Match compares so (RFC 9110 §13.1.2).
        if tags.iter().any(|other| weak_match(other, tag)) {
            continue;
        }
        if count == OTHER_TAGS_MAX || octets + tag.len() > OTHER_TAGS_OCTETS_MAX {
            return;
        }
        count += 1;
        octets += tag.len();
        tags.push(tag);
    }
}

/// Whether the ETag of a stored response can go into If-None-Match. Origins that forget the quotes get their own value
/// back, but not one that means something else there: `*` is any response at all, and a comma makes it two.
fn may_be_sent(etag: &[u8]) -> bool {
    let mut members = entity_tags(etag);
    is_entity_tag(etag)
        || (members.next() == Some(etag) && members.next().is_none() && etag != b"*")
}

/// Whether a 304 to a request about this stored response, and no other, is about it (RFC 9111 §4.3.4).
///
/// A strong tag in the 304 must be the stored one, by strong comparison. Otherwise its validators must correspond to
/// those stored: at least one is the same, and none that both have differs. A 304 without validators is taken to be
/// about what was asked: §4.3.4 has that only for stored responses without validators too, but RFC 9110 §15.4.5 lets
/// an origin leave Last-Modified out, and those that leave out their ETag would be asked in vain each time.
///
/// When several stored responses were asked about, only [`identifies_strongly`] tells which is meant; the most recent
/// for which this function is true is the one (§4.3.4), unless the 304 has no validator.
#[must_use]
pub fn identifies(stored: Fields<'_>, not_modified: Fields<'_>) -> bool {
    if not_modified.first("etag").is_some_and(is_strong_tag) {
        return identifies_strongly(stored, not_modified);
    }
    let is_same_tag = compare(stored, not_modified, "etag", weak_match);
    let is_same_time = compare(stored, not_modified, "last-modified", |one, other| one == other);
    match (is_same_tag, is_same_time) {
        (Some(false), _) | (_, Some(false)) => false,
        (Some(true), _) | (_, Some(true)) => true,
        (None, None) => !(not_modified.contains("etag") || not_modified.contains("last-modified")),
    }
}

/// Whether a 304 has a strong entity tag and this stored response the same one (RFC 9111 §4.3.4): then it is about
/// this response, however many were asked about.
#[must_use]
pub fn identifies_strongly(stored: Fields<'_>, not_modified: Fields<'_>) -> bool {
    compare(stored, not_modified, "etag", strong_match) == Some(true)
}

/// Whether both have the same in this field; `None` when one of them does not have it.
fn compare(
    stored: Fields<'_>,
    other: Fields<'_>,
    name: &str,
    is_same: impl Fn(&[u8], &[u8]) -> bool,
) -> Option<bool> {
    Some(is_same(stored.first(name)?, other.first(name)?))
}

/// Whether the 200 (OK) to a HEAD says that this stored response, of `stored_length` octets when complete, is still
/// right (RFC 9111 §4.3.5): those of ETag, Last-Modified and Content-Length that it has are those stored. Then
/// [`freshened`] updates the stored response with its fields, else that must not be used any more without validation.
#[must_use]
pub fn head_confirms(stored: Fields<'_>, stored_length: u64, head: Fields<'_>) -> bool {
    let is_same = |name: &str| {
        let value = stored.first(name);
        head.all(name).all(|received| Some(received) == value)
    };
    let length = parse_content_length(head);
    let is_same_length =
        length.is_ok_and(|length| length.is_none_or(|length| length == stored_length));
    is_same("etag") && is_same("last-modified") && is_same_length
}

/// Writes the field lines of a stored response updated by those of another to `out` (RFC 9111 §3.2): of a 304 (Not
/// Modified) that [`identifies`] it (§4.3.4), of a 200 to a HEAD that confirms it (§4.3.5), or of a 206 that is
/// combined with it (§3.4).
///
/// Every field of the update replaces all stored lines of its name, but for those without which
/// the stored octets would be misread (Content-Length, Content-Range, Content-Encoding) and those that must not be
/// stored (§3.1). Stored Date and Age are dropped even when the update has none: the response
/// is as old as the update is, and one without Date was made when it was received (RFC 9110 §6.6.1).
pub fn freshened(stored: Fields<'_>, update: Fields<'_>, out: &mut Vec<u8>) {
    let updates = |name: &[u8]| !describes_the_octets(name) && !is_hop_by_hop(name, update);
    let is_replaced = |name: &[u8]| {
        let is_time = name.eq_ignore_ascii_case(b"date") || name.eq_ignore_ascii_case(b"age");
        let is_same = |(other, _): (&[u8], &[u8])| other.eq_ignore_ascii_case(name);
        is_time || (updates(name) && update.iter().any(is_same))
    };
    for (name, value) in stored.iter() {
        if !is_hop_by_hop(name, stored) && !is_replaced(name) {
            write_line(name, value, out);
        }
    }
    for (name, value) in update.iter() {
        if updates(name) {
            write_line(name, value, out);
        }
    }
}

/// Fields without which the stored octets would be misread, so that they stay as they came with the octets.
///
/// RFC 9111 §3.2 excepts Content-Length, Content-Range ("automatically processed and removed"), and what "the stored
/// response depends upon" where omission is "necessary to assure integrity": that is Content-Encoding. Octets are kept
/// as they were coded, and a 304 changes none of them; when it names another coding than the one they have, it is
/// wrong, and clients would fail to decode all of it. Content-Type is updated: it says what the octets mean, not how to
/// get at them, and an origin may correct it. Transfer-Encoding is of the connection (§3.1).
fn describes_the_octets(name: &[u8]) -> bool {
    const NAMES: [&str; 3] = ["content-length", "content-range", "content-encoding"];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

fn write_line(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    for octets in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(octets);
    }
}
