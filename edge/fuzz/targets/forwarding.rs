//! Fields that say how a request is forwarded: Expect, Max-Forwards, and those that are not passed on.

use super::input::Input;
use super::reading::trimmed;
use lastmile_http::cache::unkeyed::is_dropped;
use lastmile_http::expect::{Expectation, expectation};
use lastmile_http::head::{RequestHead, Version, parse_fields};
use lastmile_http::max_forwards::{MaxForwards, max_forwards};

/// Octets for the method, the version and whether there is content; the field lines.
pub fn run(octets: &[u8]) {
    let mut input = Input::new(octets);
    let method: &[u8] = input.pick(&[&b"OPTIONS"[..], b"TRACE", b"GET", b"POST"]);
    let version = input.pick(&[Version::Http11, Version::Http10]);
    let has_content = input.pick(&[false, true]);
    let lines = input.lines();
    let mut spans = Vec::new();
    let Ok(fields) = parse_fields(&lines, &mut spans) else { return };
    let head = RequestHead { method, target: b"/", version, fields };
    let members = || fields.all("expect").flat_map(|value| value.split(|octet| *octet == b','));
    let is_known = |member: &[u8]| {
        trimmed(member).is_empty() || trimmed(member).eq_ignore_ascii_case(b"100-continue")
    };
    match expectation(&head, has_content) {
        Ok(Expectation::Continue) => {
            assert!(has_content && version == Version::Http11 && fields.contains("expect"));
            assert!(members().all(is_known), "RFC 9110 §10.1.1");
        }
        Ok(Expectation::None) => {
            let is_empty = members().all(|member| trimmed(member).is_empty());
            assert!(version == Version::Http10 || !has_content || is_empty);
        }
        Err(_) => assert!(version == Version::Http11 && !members().all(is_known)),
    }
    let values: Vec<_> = fields.all("max-forwards").collect();
    let counts = matches!(method, b"OPTIONS" | b"TRACE");
    let number = |value: &[u8]| -> Option<u128> {
        let digits = str::from_utf8(value).ok()?;
        digits.bytes().all(|octet| octet.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    match max_forwards(method, fields) {
        Ok(MaxForwards::Unlimited) => assert!(!counts || values.is_empty()),
        Ok(MaxForwards::Last) => {
            assert!(counts && values.iter().any(|value| number(value) == Some(0)));
        }
        Ok(MaxForwards::More(left)) => {
            assert!(counts, "RFC 9110 §7.6.2");
            let is_less = |value: &&[u8]| number(value).is_none_or(|n| n > u128::from(left));
            assert!(values.iter().all(is_less), "it gets less with every hop");
        }
        Err(_) => assert!(counts && !matches!(values[..], [b"0" | b"1"])),
    }
    for (name, _) in fields.iter() {
        let spelled: Vec<u8> =
            name.iter().map(|octet| if *octet == b'-' { b'_' } else { *octet }).collect();
        assert_eq!(is_dropped(name), is_dropped(&name.to_ascii_uppercase()), "in any case");
        assert!(!is_dropped(name) || is_dropped(&spelled), "one variable for a gateway");
    }
}
