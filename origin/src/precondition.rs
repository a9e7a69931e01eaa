//! Preconditions of a request, RFC 9110 section 13, as pure functions.

use std::time::{Duration, SystemTime};

use hyper::HeaderMap;
use hyper::header::{
    HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
};

/// The validators of a selected representation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validators<'a> {
    /// The entity tag with its quotes, and `W/` when it is weak.
    pub(crate) etag: Option<&'a [u8]>,
    /// The modification date; only whole seconds count.
    pub(crate) last_modified: Option<SystemTime>,
}

/// What the preconditions say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Perform the method.
    Perform,
    /// 304 (Not Modified).
    NotModified,
    /// 412 (Precondition Failed).
    Failed,
}

/// Evaluates the preconditions in the order of RFC 9110 §13.2.2, except If-Range, for which see [`range_applies`].
/// `reads` is true for GET and HEAD.
pub(crate) fn evaluate(reads: bool, fields: &HeaderMap, validators: Validators<'_>) -> Verdict {
    if let Some(list) = list(fields, &IF_MATCH) {
        // RFC 9110 §13.1.1: strong comparison.
        if !matches(&list, validators.etag, strong_eq) {
            return Verdict::Failed;
        }
    } else if let (Some(date), Some(modified)) =
        (date(fields, &IF_UNMODIFIED_SINCE), validators.last_modified)
        && whole_seconds(modified) > date
    {
        return Verdict::Failed;
    }
    if let Some(list) = list(fields, &IF_NONE_MATCH) {
        // RFC 9110 §13.1.2: weak comparison.
        if matches(&list, validators.etag, weak_eq) {
            return if reads { Verdict::NotModified } else { Verdict::Failed };
        }
    } else if reads
        && let (Some(date), Some(modified)) =
            (date(fields, &IF_MODIFIED_SINCE), validators.last_modified)
        && whole_seconds(modified) <= date
    {
        return Verdict::NotModified;
    }
    Verdict::Perform
}

/// Whether a Range field counts: there is no If-Range, or it names the current representation by a strong validator
/// (RFC 9110 §13.1.5).
pub(crate) fn range_applies(
    fields: &HeaderMap,
    validators: Validators<'_>,
    now: SystemTime,
) -> bool {
    let Some(value) = fields.get(IF_RANGE) else { return true };
    let value = value.as_bytes();
    if value.starts_with(b"\"") || value.starts_with(b"W/") {
        return validators.etag.is_some_and(|etag| strong_eq(value, etag));
    }
    let (Some(date), Some(modified)) = (parse_date(value), validators.last_modified) else {
        return false;
    };
    // RFC 9110 §8.8.2.2: a date is strong when it is at least a second before the Date of the response.
    let settled = now.duration_since(modified).is_ok_and(|age| age >= Duration::from_secs(1));
    settled && date == whole_seconds(modified)
}

/// The date without its fraction of a second, as a Last-Modified field can say it.
pub(crate) fn whole_seconds(time: SystemTime) -> SystemTime {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// An HTTP-date in any of its three forms, RFC 9110 §5.6.7.
pub(crate) fn parse_date(value: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok()
}

/// RFC 9110 §13.1.3: a field that is not one valid date is ignored.
fn date(fields: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    let mut lines = fields.get_all(name).iter();
    let (value, None) = (lines.next()?, lines.next()) else { return None };
    parse_date(value.as_bytes())
}

/// The field lines of a list, joined; `None` without any.
fn list(fields: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let mut lines = fields.get_all(name).iter().peekable();
    lines.peek()?;
    Some(lines.map(hyper::header::HeaderValue::as_bytes).collect::<Vec<_>>().join(&b", "[..]))
}

/// Whether a list of entity tags, or `*`, names the current representation. The representation exists, so `*` always
/// does.
fn matches(list: &[u8], etag: Option<&[u8]>, equal: fn(&[u8], &[u8]) -> bool) -> bool {
    if list.trim_ascii() == b"*" {
        return true;
    }
    etag.is_some_and(|etag| tags(list).any(|tag| equal(tag, etag)))
}

/// The entity tags of a list; a comma may stand inside the quotes. It ends where the syntax does.
fn tags(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let skip = rest.iter().take_while(|octet| matches!(octet, b' ' | b'\t' | b',')).count();
        rest = &rest[skip..];
        let prefix = if rest.starts_with(b"W/") { 2 } else { 0 };
        if rest.get(prefix) != Some(&b'"') {
            return None;
        }
        let inner = rest[prefix + 1..].iter().position(|&octet| octet == b'"')?;
        let (tag, after) = rest.split_at(prefix + inner + 2);
        rest = after;
        Some(tag)
    })
}

fn strong_eq(left: &[u8], right: &[u8]) -> bool {
    left == right && !left.starts_with(b"W/")
}

fn weak_eq(left: &[u8], right: &[u8]) -> bool {
    let opaque = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
    opaque(left) == opaque(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    const OLD: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(*name, HeaderValue::from_str(value).unwrap());
        }
        fields
    }

    fn validators(etag: &str) -> Validators<'_> {
        let modified = parse_date(SAME.as_bytes()).unwrap() + Duration::from_millis(700);
        Validators { etag: Some(etag.as_bytes()), last_modified: Some(modified) }
    }

    #[test]
    fn preconditions_in_their_order() {
        use Verdict::{Failed, NotModified, Perform};
        type Row = (bool, &'static [(&'static str, &'static str)], Verdict, &'static str);
        let rows: &[Row] = &[
            (true, &[], Perform, "no precondition"),
            (true, &[("if-match", "\"a\"")], Perform, "§13.1.1"),
            (true, &[("if-match", "\"b\", \"a\"")], Perform, "a list"),
            (true, &[("if-match", "\"b\""), ("if-match", "\"a\"")], Perform, "a list of two lines"),
            (true, &[("if-match", "W/\"a\"")], Failed, "strong comparison"),
            (true, &[("if-match", "*")], Perform, "it exists"),
            (true, &[("if-match", "\"b\""), ("if-none-match", "\"a\"")], Failed, "If-Match first"),
            (
                true,
                &[("if-match", "\"a\""), ("if-unmodified-since", OLD)],
                Perform,
                "ignored beside If-Match",
            ),
            (true, &[("if-unmodified-since", OLD)], Failed, "§13.1.4"),
            (true, &[("if-unmodified-since", SAME)], Perform, "the fraction does not count"),
            (true, &[("if-none-match", "\"a\"")], NotModified, "§13.1.2"),
            (true, &[("if-none-match", "W/\"a\"")], NotModified, "weak comparison"),
            (true, &[("if-none-match", "\"x,y\", \"a\"")], NotModified, "a comma inside quotes"),
            (true, &[("if-none-match", "a")], Perform, "not an entity tag"),
            (true, &[("if-none-match", "*")], NotModified, "it exists"),
            (false, &[("if-none-match", "*")], Failed, "a method that changes"),
            (
                true,
                &[("if-none-match", "\"b\""), ("if-modified-since", LATER)],
                Perform,
                "the date is ignored",
            ),
            (true, &[("if-modified-since", SAME)], NotModified, "§13.1.3"),
            (true, &[("if-modified-since", OLD)], Perform, "modified since"),
            (false, &[("if-modified-since", SAME)], Perform, "GET and HEAD only"),
            (true, &[("if-modified-since", "yesterday")], Perform, "not a date"),
            (
                true,
                &[("if-modified-since", SAME), ("if-modified-since", SAME)],
                Perform,
                "two dates",
            ),
            (
                true,
                &[("if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT")],
                NotModified,
                "RFC 850 date",
            ),
        ];
        for (reads, lines, expected, why) in rows {
            assert_eq!(
                evaluate(*reads, &fields(lines), validators("\"a\"")),
                *expected,
                "{lines:?}: {why}"
            );
        }
    }

    #[test]
    fn if_range_wants_a_strong_validator() {
        let soon = parse_date(SAME.as_bytes()).unwrap() + Duration::from_secs(1);
        let late = soon + Duration::from_secs(9);
        let rows = [
            ("\"a\"", "\"a\"", late, true, "same tag"),
            ("\"b\"", "\"a\"", late, false, "another tag"),
            ("W/\"a\"", "W/\"a\"", late, false, "a weak tag never"),
            (SAME, "\"a\"", late, true, "same date"),
            (SAME, "\"a\"", soon, false, "the date is too fresh to be strong"),
            (LATER, "\"a\"", late, false, "only an exact match"),
            ("junk", "\"a\"", late, false, "neither tag nor date"),
        ];
        for (value, etag, now, expected, why) in rows {
            let fields = fields(&[("if-range", value)]);
            assert_eq!(range_applies(&fields, validators(etag), now), expected, "{value}: {why}");
        }
        assert!(range_applies(&HeaderMap::new(), validators("\"a\""), late), "no If-Range");
    }
}
