//! Which of several stored responses a request selects: Vary and the fields it names (RFC 9111 §4.1).

use super::key::KeyRules;
use super::storable::NotStorable;
use crate::fields::{is_token, list_members};
use crate::head::Fields;

/// Writes to `out`, behind what is there, the request fields that the response's Vary names, in a canonical form: a
/// line `name:value` for each that the request has and a line `name` for each that it has not, the names in lower case
/// and in order. Nothing when there is no Vary.
///
/// A value is the members of its list over all field lines, joined by commas: RFC 9111 §4.1 allows to combine lines
/// and to drop white space where lists are equal without it. Those of fields that are case-insensitive as a whole are
/// in lower case.
///
/// # Errors
/// [`NotStorable::VaryStar`] for `Vary: *`, which no request matches.
pub fn selection(
    rules: &KeyRules,
    vary: Fields<'_>,
    request: Fields<'_>,
    out: &mut Vec<u8>,
) -> Result<(), NotStorable> {
    let mut names: Vec<Vec<u8>> = vary.list("vary").map(<[u8]>::to_ascii_lowercase).collect();
    if names.iter().any(|name| name == b"*") {
        return Err(NotStorable::VaryStar);
    }
    // No request has a field whose name is no token, so that one tells no requests apart.
    names.retain(|name| is_token(name));
    names.sort_unstable();
    names.dedup();
    for name in &names {
        out.extend_from_slice(name);
        if has(request, name) {
            out.push(b':');
            out.extend(value_octets(request, name));
        }
        out.push(b'\n');
    }
    Ok(())
}

/// Whether a request has the fields that [`selection`] wrote down. True for an empty selection. Does not allocate.
#[must_use]
pub fn selects(selection: &[u8], request: Fields<'_>) -> bool {
    let lines = selection.split(|&octet| octet == b'\n').filter(|line| !line.is_empty());
    lines.into_iter().all(|line| match line.iter().position(|&octet| octet == b':') {
        // RFC 9111 §4.1: a field that was absent matches only if it is absent again.
        None => !has(request, line),
        Some(colon) => {
            let (name, value) = (&line[..colon], &line[colon + 1..]);
            has(request, name) && value_octets(request, name).eq(value.iter().copied())
        }
    })
}

fn has(request: Fields<'_>, name: &[u8]) -> bool {
    request.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
}

/// The value of a request field in canonical form.
fn value_octets<'a>(request: Fields<'a>, name: &'a [u8]) -> impl Iterator<Item = u8> + 'a {
    let is_case_insensitive = is_case_insensitive(name);
    let lines = request.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name));
    let members = lines.flat_map(|(_, value)| list_members(value));
    let octets = members.enumerate().flat_map(|(index, member)| {
        let separator: &[u8] = if index == 0 { b"" } else { b"," };
        separator.iter().chain(member).copied()
    });
    octets.map(move |octet| if is_case_insensitive { octet.to_ascii_lowercase() } else { octet })
}

/// Content codings, language ranges and charsets are compared without regard to case, and so is a weight's `q` (RFC
/// 9110 §8.4.1, §8.5.1, §8.3.2, §12.4.2): RFC 9111 §4.1 allows to normalise what is known to have the same meaning.
fn is_case_insensitive(name: &[u8]) -> bool {
    matches!(name, b"accept-encoding" | b"accept-language" | b"accept-charset")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::parse_fields;
    use proptest::prelude::*;

    fn select(vary: &str, request: &str) -> Result<String, NotStorable> {
        let (mut vary_spans, mut spans) = (Vec::new(), Vec::new());
        let vary = parse_fields(vary.as_bytes(), &mut vary_spans).unwrap();
        let request = parse_fields(request.as_bytes(), &mut spans).unwrap();
        let mut out = Vec::new();
        selection(&KeyRules::default(), vary, request, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn is_selected(selection: &str, request: &str) -> bool {
        let mut spans = Vec::new();
        selects(selection.as_bytes(), parse_fields(request.as_bytes(), &mut spans).unwrap())
    }

    #[test]
    fn selections() {
        // RFC 9111 §4.1
        let request = "Foo: 1\r\nBar:  a , b\r\nFoo: 2\r\nEmpty:\r\nAccept-Encoding: GZIP, br\r\n";
        let rows: [(&str, Result<&str, NotStorable>, &str); 13] = [
            ("", Ok(""), "no Vary"),
            ("Vary:\r\n", Ok(""), "an empty Vary"),
            ("Vary: bar\r\n", Ok("bar:a,b\n"), "white space in a list does not matter"),
            ("Vary: BAR\r\n", Ok("bar:a,b\n"), "names are case-insensitive"),
            ("Vary: foo\r\n", Ok("foo:1,2\n"), "several lines are one list"),
            ("Vary: foo, bar\r\n", Ok("bar:a,b\nfoo:1,2\n"), "in order of names"),
            ("Vary: foo\r\nVary: bar, foo\r\n", Ok("bar:a,b\nfoo:1,2\n"), "once each"),
            ("Vary: nope\r\n", Ok("nope\n"), "absent"),
            ("Vary: empty\r\n", Ok("empty:\n"), "empty is not absent"),
            ("Vary: accept-encoding\r\n", Ok("accept-encoding:gzip,br\n"), "case-insensitive"),
            ("Vary: a:b, \"c, d\"\r\n", Ok(""), "no names of fields"),
            ("Vary: *\r\n", Err(NotStorable::VaryStar), "matches nothing"),
            ("Vary: foo, *\r\n", Err(NotStorable::VaryStar), "in a list too"),
        ];
        for (vary, expected, why) in rows {
            assert_eq!(select(vary, request), expected.map(str::to_owned), "{why}");
        }
    }

    #[test]
    fn requests() {
        // RFC 9111 §4.1
        let rows: [(&str, &str, bool, &str); 16] = [
            ("", "Foo: 1\r\n", true, "no Vary: any request"),
            ("foo:1\n", "Foo: 1\r\n", true, "the same"),
            ("foo:1\n", "Foo: 2\r\n", false, "another value"),
            ("foo:1\n", "", false, "absent now"),
            ("foo:a\n", "Foo: A\r\n", false, "values are case-sensitive in general"),
            ("foo\n", "", true, "absent then and now"),
            ("foo\n", "Foo: 1\r\n", false, "absent then"),
            ("foo\n", "Foo:\r\n", false, "empty is not absent"),
            ("foo:\n", "Foo:\r\n", true, "empty then and now"),
            ("foo:\n", "", false, "empty then"),
            ("foo:1,2\n", "Foo: 1\r\nFoo: 2\r\n", true, "lines are combined"),
            ("foo:1,2\n", "Foo: 2, 1\r\n", false, "order matters in general"),
            ("foo:1\n", "Foo: 1, 2\r\n", false, "a prefix is not the same"),
            ("foo:1,2\n", "Foo: 1\r\n", false, "nor the other way"),
            ("bar:2\nfoo:1\n", "Foo: 1\r\nBar: 2\r\n", true, "both"),
            ("bar:2\nfoo:1\n", "Foo: 1\r\nBar: 3\r\n", false, "one of two"),
        ];
        for (selection, request, expected, why) in rows {
            assert_eq!(is_selected(selection, request), expected, "{why}");
        }
    }

    fn lines() -> impl Strategy<Value = String> {
        let line = "(a|A|b|accept-encoding): ?[xX, ]{0,3}\r\n";
        proptest::collection::vec(line, 0..4).prop_map(|lines| lines.concat())
    }

    proptest! {
        #[test]
        fn a_request_selects_what_it_would_write(
            vary in "(a|A|b|c|accept-encoding)(, ?(a|b|c|Accept-Encoding)){0,3}",
            stored in lines(),
            request in lines(),
        ) {
            let vary = format!("Vary: {vary}\r\n");
            let (then, now) = (select(&vary, &stored).unwrap(), select(&vary, &request).unwrap());
            prop_assert_eq!(is_selected(&then, &request), then == now);
            prop_assert!(is_selected(&then, &stored));
        }

        #[test]
        fn any_vary_can_be_written_and_read(vary in "[!-~ ]{0,20}", request in lines()) {
            if let Ok(selection) = select(&format!("Vary: {vary}\r\n"), &request) {
                let _ = is_selected(&selection, &request);
            }
        }

        #[test]
        fn any_octets_can_be_read(selection: Vec<u8>, request in lines()) {
            let mut spans = Vec::new();
            let request = parse_fields(request.as_bytes(), &mut spans).unwrap();
            let _ = selects(&selection, request);
        }
    }
}
