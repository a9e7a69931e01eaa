//! What else a request with side effects invalidates: references to the same origin, resolved.

use super::input::Input;
use super::uri_model::{Parts, normal_path, origin, parts};
use lastmile_http::cache::invalidation::other_targets;
use lastmile_http::head::{RequestHead, Version, parse_fields};
use lastmile_http::target::{Target, effective_target};

/// References of one response that are looked at.
const REFERENCES_MAX: usize = 16;

/// The request's host and target, the response's field lines.
pub fn run(octets: &[u8]) {
    let mut input = Input::new(octets);
    let (host, path, lines) = (input.part(), input.part(), input.lines());
    let host_line = [b"Host: ", host, b"\r\n"].concat();
    let (mut host_spans, mut spans) = (Vec::new(), Vec::new());
    let Ok(fields) = parse_fields(&host_line, &mut host_spans) else { return };
    let Ok(response) = parse_fields(&lines, &mut spans) else { return };
    let head = RequestHead { method: b"POST", target: path, version: Version::Http11, fields };
    let is_visible = |octet: &u8| *octet > b' ' && *octet != 0x7f;
    let Ok(target) = effective_target(&head) else { return };
    if !path.iter().all(is_visible) {
        return;
    }
    let mut found = vec![];
    other_targets(&target, response, |authority, path_and_query| {
        assert_eq!(authority, target.authority, "RFC 9111 §4.4: no other origin");
        found.push(path_and_query.to_vec());
    });
    assert!(found.iter().all(|path| path.starts_with(b"/") && !path.contains(&b'#')));
    assert!(found.iter().flatten().all(is_visible));
    let values = response.all("location").chain(response.all("content-location"));
    let values = values.take(REFERENCES_MAX);
    let expected: Vec<_> = values.filter_map(|value| resolved(&target, value)).collect();
    assert_eq!(found, expected, "RFC 3986 §5.2");
}

/// Path and query of the URI that `reference` leads to, if that has the same origin.
fn resolved(target: &Target<'_>, reference: &[u8]) -> Option<Vec<u8>> {
    if reference.iter().any(|octet| *octet <= b' ' || *octet == 0x7f) {
        return None;
    }
    let Parts { scheme, authority, path, query } = parts(reference);
    // A colon in front is no scheme, and no path either (§4.2).
    let first = path.split(|octet| *octet == b'/').next().unwrap_or_default();
    if scheme.is_none() && authority.is_none() && first.contains(&b':') {
        return None;
    }
    if scheme.is_some_and(|scheme| !scheme.eq_ignore_ascii_case(b"http") || authority.is_none()) {
        return None;
    }
    if let Some(authority) = authority
        && origin(authority).is_none_or(|other| origin(target.authority) != Some(other))
    {
        return None;
    }
    let mut base = target.path_and_query.splitn(2, |octet| *octet == b'?');
    let (base_path, base_query) = (base.next().unwrap_or_default(), base.next());
    let is_same = authority.is_none() && path.is_empty();
    let merged = match path {
        _ if is_same => base_path.to_vec(),
        [b'/', ..] => path.to_vec(),
        _ if authority.is_some() => path.to_vec(),
        _ => {
            let directory = base_path.iter().rposition(|octet| *octet == b'/').unwrap_or(0);
            [&base_path[..directory], b"/", path].concat()
        }
    };
    let mut out = normal_path(&merged);
    if let Some(query) = query.or(base_query.filter(|_| is_same)) {
        out.push(b'?');
        out.extend_from_slice(query);
    }
    Some(out)
}
