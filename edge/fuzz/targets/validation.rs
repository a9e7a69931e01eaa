//! Validation: the conditions that are sent, and what a 304 or the answer to a HEAD changes of a stored response.

use super::input::Input;
use lastmile_http::cache::validation::{
    freshened, head_confirms, identifies, identifies_strongly, write_conditions,
};
use lastmile_http::fields::{is_hop_by_hop, is_value_octet};
use lastmile_http::head::{Fields, parse_fields};
use lastmile_http::validator::{entity_tags, is_entity_tag, is_strong_tag};

/// The stored length, the stored field lines, those of the update, and tags of other responses.
pub fn run(octets: &[u8]) {
    let mut input = Input::new(octets);
    let length = input.number();
    let (lines, update_lines) = (input.lines(), input.lines());
    // They come from field lines, too.
    let is_value = |tag: &&[u8]| tag.iter().all(|octet| is_value_octet(*octet));
    let tags: Vec<_> = input.rest().split(|octet| *octet == b'\n').filter(is_value).collect();
    let (mut spans, mut update_spans) = (Vec::new(), Vec::new());
    let Ok(stored) = parse_fields(&lines, &mut spans) else { return };
    let Ok(update) = parse_fields(&update_lines, &mut update_spans) else { return };
    freshening(stored, update);
    assert!(!identifies_strongly(stored, update) || identifies(stored, update));
    let of_update = update.first("etag");
    if of_update.is_some_and(is_strong_tag) && stored.first("etag") != of_update {
        assert!(!identifies(stored, update), "RFC 9111 §4.3.4: another strong tag");
    }
    if head_confirms(stored, length, update) {
        for name in ["etag", "last-modified"] {
            let stands = update.all(name).all(|value| stored.first(name) == Some(value));
            assert!(stands, "RFC 9111 §4.3.5");
        }
    }
    conditions(Some(stored), &tags);
    conditions(None, &tags);
}

/// RFC 9111 §3.1, §3.2
fn freshening(stored: Fields<'_>, update: Fields<'_>) {
    let mut out = Vec::new();
    freshened(stored, update, &mut out);
    let mut spans = Vec::new();
    let fresh = parse_fields(&out, &mut spans).expect("field lines");
    assert!(fresh.iter().all(|(name, _)| !is_hop_by_hop(name, fresh)), "§3.1");
    let values = |fields: Fields<'_>, name: &[u8]| -> Vec<Vec<u8>> {
        let is_name = |line: &(&[u8], &[u8])| line.0.eq_ignore_ascii_case(name);
        fields.iter().filter(is_name).map(|(_, value)| value.to_vec()).collect()
    };
    let octets: [&[u8]; 3] = [b"content-length", b"content-range", b"content-encoding"];
    for name in octets {
        if !is_hop_by_hop(name, stored) {
            assert_eq!(values(fresh, name), values(stored, name), "the octets are as they were");
        }
    }
    for (name, _) in update.iter() {
        let excepted = octets.iter().any(|known| known.eq_ignore_ascii_case(name));
        if !excepted && !is_hop_by_hop(name, update) {
            assert_eq!(values(fresh, name), values(update, name), "§3.2: all are replaced");
        }
    }
    for (name, _) in fresh.iter() {
        let known = !values(stored, name).is_empty() || !values(update, name).is_empty();
        assert!(known, "nothing comes from nowhere");
    }
    let mut again = Vec::new();
    freshened(fresh, update, &mut again);
    assert_eq!(again, out, "the same update twice is one");
}

/// RFC 9111 §4.3.1
fn conditions(selected: Option<Fields<'_>>, tags: &[&[u8]]) {
    let mut out = Vec::new();
    write_conditions(selected, tags.iter().copied(), &mut out);
    let mut spans = Vec::new();
    let fields = parse_fields(&out, &mut spans).expect("field lines");
    assert!(fields.all("if-none-match").count() <= 1);
    assert_eq!(
        fields.len(),
        fields.all("if-none-match").chain(fields.all("if-modified-since")).count()
    );
    let etag = selected.and_then(|stored| stored.first("etag"));
    let asked: Vec<_> = fields.all("if-none-match").flat_map(entity_tags).collect();
    if let Some(etag) = etag.filter(|etag| is_entity_tag(etag)) {
        assert_eq!(asked.first(), Some(&etag), "the origin gets its own tag back");
    }
    for tag in &asked {
        let is_other = tags.contains(tag) && is_strong_tag(tag);
        assert!(is_other || etag == Some(*tag), "nothing that was not stored");
        assert_ne!(*tag, b"*", "that would mean any response");
    }
    let mut once = asked.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), asked.len(), "each once");
    if let Some(since) = fields.first("if-modified-since") {
        assert_eq!(selected.and_then(|stored| stored.first("last-modified")), Some(since));
    }
}
