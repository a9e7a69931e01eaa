//! Cache-Status as it is written: one well-formed member whatever the key and the detail are (RFC 9211, RFC 8941).

use super::input::Input;
use lastmile_http::cache::status::{CacheStatus, ForwardReason, write_cache_status};
use std::collections::BTreeMap;

/// Octets for what happened and for what is said of it; a number of seconds, the cache's name, the detail, the key.
pub fn run(octets: &[u8]) {
    let mut input = Input::new(octets);
    let reason = input.pick(&[
        None,
        Some(ForwardReason::UriMiss),
        Some(ForwardReason::Stale),
        Some(ForwardReason::Request),
    ]);
    let choices = input.octet();
    let says = |bit: u32| choices & 1 << bit != 0;
    let ttl = input.number().cast_signed();
    let (name, detail) = (input.part(), input.part());
    let (name, detail) = (String::from_utf8_lossy(name), String::from_utf8_lossy(detail));
    let key = input.rest();
    let detail = says(0).then_some(&*detail);
    let status = match reason {
        None => CacheStatus::Hit { ttl, detail },
        Some(reason) => CacheStatus::Forward {
            reason,
            status: says(1).then_some(304),
            ttl: says(2).then_some(ttl),
            stored: says(3),
            collapsed: says(4),
            detail,
        },
    };
    let mut out = Vec::new();
    write_cache_status(&name, &status, says(5).then_some(key), &mut out);
    let (cache, parameters) = read(&out).expect("a member with parameters");
    let shown = |octets: &mut dyn Iterator<Item = char>| -> String {
        octets.map(|letter| if matches!(letter, ' '..='~') { letter } else { '?' }).collect()
    };
    assert_eq!(cache, shown(&mut name.chars()));
    let text = |name: &str| parameters.get(name).map(String::as_str);
    assert_eq!(text("hit").is_some(), reason.is_none());
    assert_eq!(text("fwd"), reason.map(ForwardReason::token));
    assert_eq!(text("stored").is_some(), says(3) && reason.is_some());
    assert_eq!(text("collapsed").is_some(), says(4) && reason.is_some());
    assert_eq!(text("detail").map(str::to_owned), detail.map(|detail| shown(&mut detail.chars())));
    let key = says(5).then(|| shown(&mut key.iter().map(|octet| char::from(*octet))));
    assert_eq!(text("key").map(str::to_owned), key);
    if let Some(seconds) = text("ttl") {
        assert!(seconds.len() <= 16, "RFC 8941 §3.3.1: 15 digits");
        assert_eq!(seconds.parse(), Ok(ttl.clamp(-999_999_999_999_999, 999_999_999_999_999)));
    }
}

/// The bare item and its parameters; nothing when it is not well-formed (RFC 8941 §4.2.3).
fn read(octets: &[u8]) -> Option<(String, BTreeMap<String, String>)> {
    let mut rest = str::from_utf8(octets).ok()?;
    let cache = bare_item(&mut rest)?;
    let mut parameters = BTreeMap::new();
    while let Some(after) = rest.strip_prefix(';') {
        rest = after.trim_start_matches(' ');
        let end = rest.find(|letter: char| !(letter.is_ascii_lowercase() || letter == '-'));
        let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            rest = after;
            value = bare_item(&mut rest)?;
        }
        if name.is_empty() || parameters.insert(name.to_owned(), value).is_some() {
            return None;
        }
    }
    rest.is_empty().then_some((cache, parameters))
}

/// A string, a token or an integer.
fn bare_item(rest: &mut &str) -> Option<String> {
    let Some(mut quoted) = rest.strip_prefix('"') else {
        let is_token =
            |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(letter);
        let end = rest.find(|letter| !is_token(letter)).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        *rest = after;
        return (!token.is_empty()).then(|| token.to_owned());
    };
    let mut text = String::new();
    loop {
        let letter = quoted.chars().next()?;
        quoted = &quoted[letter.len_utf8()..];
        match letter {
            '"' => break,
            '\\' => {
                let escaped =
                    quoted.chars().next().filter(|letter| matches!(letter, '"' | '\\'))?;
                text.push(escaped);
                quoted = &quoted[1..];
            }
            ' '..='~' => text.push(letter),
            _ => return None,
        }
    }
    *rest = quoted;
    Some(text)
}
