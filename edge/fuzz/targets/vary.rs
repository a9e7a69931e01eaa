//! Which requests select a stored response: those whose selecting fields are the same, and no others.

use super::input::Input;
use lastmile_http::cache::key::KeyRules;
use lastmile_http::cache::vary::{selection, selects};
use lastmile_http::head::{Fields, parse_fields};

/// An octet for what the site keys on; the response's field lines, those of its request and those of another one.
pub fn run(octets: &[u8]) {
    let mut input = Input::new(octets);
    let keyed: (&[&str], &[&str]) = input.pick(&[
        (&[][..], &[][..]),
        (&["x-a"], &["c", "d"]),
        (&["accept-language", "X-A"], &[]),
        (&[], &["c", "c", "", "a b"]),
    ]);
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let rules = KeyRules { fields: owned(keyed.0), cookies: owned(keyed.1), ..KeyRules::default() };
    let (vary_lines, lines, other_lines) = (input.lines(), input.lines(), input.lines());
    let [mut vary_spans, mut spans, mut other_spans] = [const { Vec::new() }; 3];
    let Ok(vary) = parse_fields(&vary_lines, &mut vary_spans) else { return };
    let Ok(request) = parse_fields(&lines, &mut spans) else { return };
    let Ok(other) = parse_fields(&other_lines, &mut other_spans) else { return };
    let (mut written, mut of_other) = (Vec::new(), Vec::new());
    let is_star = vary.list("vary").any(|name| name == b"*");
    let Ok(()) = selection(&rules, vary, request, &mut written) else {
        return assert!(is_star || vary.list("vary").count() > 16, "RFC 9111 §4.1");
    };
    assert!(!is_star, "RFC 9111 §4.1: it never matches");
    assert!(selects(&written, request), "a response answers its own request");
    selection(&rules, vary, other, &mut of_other).expect("Vary is the same");
    assert_eq!(selects(&written, other), written == of_other, "one form for all that it fits");
    assert_eq!(selects(&of_other, request), written == of_other, "and the other way round");
    names(vary, request, other, written == of_other);
    let shouted: Vec<u8> = lines
        .split_inclusive(|octet| *octet == b'\n')
        .flat_map(|line| {
            let colon = line.iter().position(|octet| *octet == b':').unwrap_or(0);
            [line[..colon].to_ascii_uppercase(), line[colon..].to_vec()].concat()
        })
        .collect();
    let mut spans = Vec::new();
    let shouted = parse_fields(&shouted, &mut spans).expect("only the names changed");
    assert!(selects(&written, shouted), "names of fields have no case (RFC 9110 §5.1)");
}

/// RFC 9111 §4.1: what is the same octet for octet matches; what is there once and missing once does not.
fn names(vary: Fields<'_>, request: Fields<'_>, other: Fields<'_>, is_selected: bool) {
    let lines = |fields: Fields<'_>, name: &[u8]| -> Vec<Vec<u8>> {
        let is_name = |line: &(&[u8], &[u8])| line.0.eq_ignore_ascii_case(name);
        fields.iter().filter(is_name).map(|(_, value)| value.to_vec()).collect()
    };
    let mut all_the_same = true;
    for name in vary.list("vary") {
        let (one, other) = (lines(request, name), lines(other, name));
        all_the_same &= one == other;
        assert!(!is_selected || one.is_empty() == other.is_empty(), "absent matches absent");
    }
    let keyed = ["cookie", "x-a", "accept-language"];
    let same = |name: &&str| lines(request, name.as_bytes()) == lines(other, name.as_bytes());
    assert!(is_selected || !all_the_same || !keyed.iter().all(same));
}
