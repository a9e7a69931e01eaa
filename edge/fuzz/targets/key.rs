//! Cache keys: one for all URIs that are equivalent, never one for two that are not.

use super::input::Input;
use super::uri_model::{normal, origin};
use lastmile_http::cache::key::{KeyRules, QueryRule, has_dot_segments, write_key, write_target};
use lastmile_http::head::{RequestHead, Version, parse_fields};
use lastmile_http::target::effective_target;

/// An octet for the rule about the query, one for sorting; two hosts and two targets.
pub fn run(octets: &[u8]) {
    let mut input = Input::new(octets);
    let names = || vec!["a".to_owned(), "utm_*".to_owned()];
    let query = match input.octet() % 4 {
        0 => QueryRule::All,
        1 => QueryRule::Drop,
        2 => QueryRule::Only(names()),
        _ => QueryRule::Except(names()),
    };
    let sort_query = input.octet() % 2 == 1;
    let rules = KeyRules { query, sort_query, ..KeyRules::default() };
    let uris = [(); 2].map(|()| (input.part(), input.part()));
    // Only what is understood has a key.
    if uris.iter().any(|(host, path)| !is_understood(host, path)) {
        return;
    }
    let plain = KeyRules::default();
    let [one, other] = uris.map(|(host, path)| key(&plain, host, path));
    let [same, other_same] = uris.map(|(host, path)| (origin(host), normal(path)));
    assert_eq!(one == other, same == other_same, "{one:?} {other:?}");
    for (host, path) in uris {
        let written = key(&plain, host, path);
        let (host_end, path_written) = (written.len() - normal(path).len(), normal(path));
        assert_eq!(written[host_end..], path_written, "RFC 3986 §6.2.2");
        assert_eq!(key(&plain, &written[..host_end], &path_written), written, "normal already");
        if path != b"*" {
            // Of the same meaning, but not on the short way that most keys take.
            let long_way = KeyRules { query: QueryRule::Except(vec![]), ..KeyRules::default() };
            assert_eq!(key(&long_way, host, path), written);
            rules_hold(&rules, host, path);
        }
    }
}

fn is_understood(host: &[u8], path: &[u8]) -> bool {
    let lines = [b"Host: ", host, b"\r\n"].concat();
    let mut spans = Vec::new();
    let Ok(fields) = parse_fields(&lines, &mut spans) else { return false };
    let has_control = path.iter().any(|octet| *octet <= b' ' || *octet == 0x7f);
    let is_own_form = path.starts_with(b"/") || path == b"*";
    let head = RequestHead { method: b"OPTIONS", target: path, version: Version::Http11, fields };
    !has_control
        && is_own_form
        && effective_target(&head).is_ok_and(|found| found.authority == host)
}

fn key(rules: &KeyRules, host: &[u8], path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_key(rules, host, path, &mut out);
    out
}

/// What a site leaves out of the key does not reach the origin, and what it keeps does, octet for octet.
fn rules_hold(rules: &KeyRules, host: &[u8], path: &[u8]) {
    let mut target = Vec::new();
    write_target(rules, path, &mut target);
    assert_eq!(key(rules, host, &target), key(rules, host, path), "one key for both");
    let mut again = Vec::new();
    write_target(rules, &target, &mut again);
    assert_eq!(again, target, "nothing more is left out");
    let mark =
        |octets: &[u8]| octets.iter().position(|octet| *octet == b'?').unwrap_or(octets.len());
    assert_eq!(path[..mark(path)], target[..mark(&target)], "the path is the client's");
    assert_eq!(has_dot_segments(path), has_dot_segments(&target));
    let all = path.get(mark(path) + 1..).unwrap_or_default();
    let mut kept =
        target.get(mark(&target) + 1..).unwrap_or_default().split(|octet| *octet == b'&');
    let mut parameters = all.split(|octet| *octet == b'&');
    let in_order = kept.all(|one| one.is_empty() || parameters.any(|other| one == other));
    assert!(in_order, "a part of what was asked, in its order");
    if rules.query == QueryRule::All {
        assert_eq!(target, path, "the origin is asked what the client asked");
    }
    let other_order = KeyRules { sort_query: !rules.sort_query, ..rules.clone() };
    let letters = |mut key: Vec<u8>| {
        key.sort_unstable();
        key
    };
    assert_eq!(letters(key(rules, host, path)), letters(key(&other_order, host, path)), "sorted");
    // RFC 3986 §6.2.2.3: what has none keeps its segments.
    if !has_dot_segments(path) && !path.contains(&b'%') {
        assert!(key(rules, host, path).windows(mark(path)).any(|part| part == &path[..mark(path)]));
    }
}
