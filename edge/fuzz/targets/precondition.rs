//! Entity tags, how two of them compare, and the conditions of requests.

use super::input::Input;
use super::reading::trimmed;
use lastmile_http::fields::is_value_octet;
use lastmile_http::head::{Fields, parse_fields};
use lastmile_http::precondition::{Precondition, evaluate, is_conditional};
use lastmile_http::time::UnixTime;
use lastmile_http::validator::{
    StrongValidator, Validators, entity_tags, is_entity_tag, is_strong_tag, strong_match,
    weak_match,
};

/// The time now and the response's Date; an octet for the method; the stored ETag and Last-Modified, another tag, and
/// the request's field lines.
pub fn run(octets: &[u8]) {
    let mut input = Input::new(octets);
    let (now, date) = (input.time(), input.time());
    let method: &[u8] = input.pick(&[&b"GET"[..], b"HEAD", b"PUT", b"DELETE"]);
    let (etag, last_modified, other) = (input.part(), input.part(), input.part());
    let lines = input.lines();
    tags(etag, other);
    let validators = Validators {
        etag: (!etag.is_empty()).then_some(etag),
        last_modified: (!last_modified.is_empty()).then_some(last_modified),
        date,
    };
    strength(&validators);
    let mut spans = Vec::new();
    if let Ok(fields) = parse_fields(&lines, &mut spans) {
        conditions(method, fields, &validators, now);
    }
    // What is no field value would be several lines.
    if other.iter().all(|octet| is_value_octet(*octet)) {
        if_none_match(method, other, &validators, now);
    }
}

/// RFC 9110 §8.8.3.2
fn tags(one: &[u8], other: &[u8]) {
    assert_eq!(strong_match(one, other), strong_match(other, one), "symmetric");
    assert_eq!(weak_match(one, other), weak_match(other, one), "symmetric");
    if strong_match(one, other) {
        assert!(weak_match(one, other), "strong implies weak");
        assert!(!one.starts_with(b"W/") && one.len() >= 2 && one == other, "the same, and strong");
    }
    for tag in [one, other] {
        assert!(!is_strong_tag(tag) || is_entity_tag(tag) && strong_match(tag, tag));
        assert!(!is_entity_tag(tag) || weak_match(tag, tag));
        let members: Vec<_> = entity_tags(tag).collect();
        assert!(members.iter().all(|member| !member.is_empty() && trimmed(member) == *member));
        let joined = members.join(&b", "[..]);
        assert!(entity_tags(&joined).eq(members), "a list is what its members are");
        if is_entity_tag(tag) {
            let list = [b"\"x\" ,, ", tag, b" , W/\"y\""].concat();
            assert!(entity_tags(&list).eq([b"\"x\"", tag, b"W/\"y\""]), "RFC 9110 §8.8.3");
        }
    }
}

/// RFC 9110 §8.8.1, §8.8.2.2
fn strength(validators: &Validators<'_>) {
    match validators.strong() {
        Some(StrongValidator::Tag(tag)) => {
            assert!(is_strong_tag(tag) && validators.etag.is_some_and(|etag| trimmed(etag) == tag));
        }
        Some(StrongValidator::LastModified(time)) => {
            assert!(time < validators.date && validators.last_modified.is_some());
        }
        None => assert!(!validators.etag.is_some_and(is_strong_tag)),
    }
}

/// RFC 9110 §13.2
fn conditions(method: &[u8], fields: Fields<'_>, validators: &Validators<'_>, now: UnixTime) {
    let is_read = matches!(method, b"GET" | b"HEAD");
    let has_tags = fields.contains("if-none-match");
    match evaluate(method, fields, validators, now) {
        Precondition::Proceed => {}
        Precondition::NotModified => {
            assert!(is_read && (has_tags || fields.contains("if-modified-since")));
            assert!(is_conditional(fields));
        }
        Precondition::Failed => assert!(!is_read && has_tags && is_conditional(fields)),
    }
}

/// RFC 9110 §13.1.2, for a field with one tag: by weak comparison.
fn if_none_match(method: &[u8], tag: &[u8], validators: &Validators<'_>, now: UnixTime) {
    let line = [b"If-None-Match: ", tag, b"\r\n"].concat();
    let mut spans = Vec::new();
    let Ok(fields) = parse_fields(&line, &mut spans) else { return };
    if !is_entity_tag(tag) {
        return;
    }
    let matches = validators.etag.is_some_and(|etag| weak_match(trimmed(etag), tag));
    let expected = match (matches, method) {
        (false, _) => Precondition::Proceed,
        (true, b"GET" | b"HEAD") => Precondition::NotModified,
        (true, _) => Precondition::Failed,
    };
    assert_eq!(evaluate(method, fields, validators, now), expected);
}
