//! Field names and values: their grammar, lists, and which fields end at the next hop.

use crate::framing::FramingError;
use crate::head::Fields;

/// Fields that concern one connection, whether or not Connection names them.
///
/// RFC 9110 §7.6.1 names the first five beside Connection itself. Trailer announces trailer fields, which are dropped
/// here (§6.5.1). The three of Proxy- behind it belong to a proxy beside the client and may not be stored (RFC 9111
/// §3.1), and HTTP2-Settings goes with an Upgrade that nobody here understands (RFC 7540 §3.2.1). Expect is written
/// anew for those who may ask for it (RFC 9110 §10.1.1). The last two are no fields at all, but gateways that turn
/// names into variables (RFC 3875 §4.1.18) can't tell them from the real ones.
const HOP_BY_HOP: [&str; 14] = [
    "connection",
    "proxy-connection",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
    "trailer",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "http2-settings",
    "expect",
    "content_length",
    "transfer_encoding",
];

const TOKEN_OCTETS: [bool; 256] = letters_digits_and(b"!#$%&'*+-.^_`|~");

/// Index is the octet: whether it is a letter or digit of ASCII, or among `marks`.
pub(crate) const fn letters_digits_and(marks: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut index = 0;
    while index < 256 {
        table[index] |= (index as u8).is_ascii_alphanumeric();
        if index < marks.len() {
            table[marks[index] as usize] = true;
        }
        index += 1;
    }
    table
}

/// Whether `octet` may stand in a token (RFC 9110 §5.6.2).
#[must_use]
pub const fn is_token_octet(octet: u8) -> bool {
    TOKEN_OCTETS[octet as usize]
}

/// Whether `octets` are a token: a method, a field name, the name of a directive (RFC 9110 §5.6.2).
#[must_use]
pub fn is_token(octets: &[u8]) -> bool {
    !octets.is_empty() && octets.iter().all(|octet| is_token_octet(*octet))
}

/// Whether `octet` may stand in a field value, leading and trailing whitespace included (RFC 9110 §5.5).
#[must_use]
pub const fn is_value_octet(octet: u8) -> bool {
    matches!(octet, b'\t' | b' '..=b'~' | 0x80..)
}

/// Whether both are the same but for the case of ASCII letters, as names are compared (RFC 9110 §5.1).
#[must_use]
pub fn eq_ignore_case(one: &[u8], other: &[u8]) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// `octets` without the spaces and tabs at both ends (OWS, RFC 9110 §5.6.3).
#[must_use]
pub fn trim_ows(octets: &[u8]) -> &[u8] {
    let is_other = |octet: &u8| !matches!(octet, b' ' | b'\t');
    let Some(start) = octets.iter().position(is_other) else { return &[] };
    let end = octets.iter().rposition(is_other).map_or(start, |last| last + 1);
    &octets[start..end]
}

/// What stands between the quotes when all of `value` is one quoted-string (RFC 9110 §5.6.4).
///
/// Quoted pairs are left as they are, so that nothing is copied. `None` for anything else.
#[must_use]
pub fn unquoted(value: &[u8]) -> Option<&[u8]> {
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut octets = inner.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b'"' => return None,
            b'\\' if !is_value_octet(*octets.next()?) => return None,
            octet if !is_value_octet(*octet) => return None,
            _ => {}
        }
    }
    Some(inner)
}

/// The members of one line of a comma-separated list (RFC 9110 §5.6.1), whitespace trimmed.
///
/// Empty members are skipped (§5.6.1.2) and a comma inside a quoted-string separates nothing. A quoted-string that does
/// not end takes the rest of the line.
pub fn list_members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = value;
    core::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = member_length(rest);
            let member = trim_ows(&rest[..end]);
            rest = rest.get(end + 1..).unwrap_or_default();
            if !member.is_empty() {
                return Some(member);
            }
        }
        None
    })
}

/// Octets before the first comma that separates.
fn member_length(list: &[u8]) -> usize {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let separates = |octet: &u8| {
        if is_escaped {
            is_escaped = false;
            return false;
        }
        match octet {
            b'"' => is_quoted = !is_quoted,
            b'\\' if is_quoted => is_escaped = true,
            b',' => return !is_quoted,
            _ => {}
        }
        false
    };
    list.iter().position(separates).unwrap_or(list.len())
}

/// Whether the field `name` of a message with these `fields` is meant for the next hop alone, and so is neither
/// forwarded nor stored (RFC 9110 §7.6.1, RFC 9111 §3.1).
#[must_use]
pub fn is_hop_by_hop(name: &[u8], fields: Fields<'_>) -> bool {
    HOP_BY_HOP.iter().any(|known| eq_ignore_case(known.as_bytes(), name))
        || fields.list("connection").any(|option| eq_ignore_case(option, name))
}

/// The length that Content-Length announces; `None` without the field.
///
/// A list of equal numbers counts as one of them, as RFC 9112 §6.3 allows.
///
/// # Errors
/// Anything else that is not one decimal number, and numbers that differ.
pub fn parse_content_length(fields: Fields<'_>) -> Result<Option<u64>, FramingError> {
    let mut length = None;
    for value in fields.all("content-length") {
        // Not `list_members`: this field is no list, so an empty member or a quote is malformed.
        for member in value.split(|octet| *octet == b',') {
            let number = parse_decimal(trim_ows(member))?;
            if length.is_some_and(|before| before != number) {
                return Err(FramingError::ContentLengthsDiffer);
            }
            length = Some(number);
        }
    }
    Ok(length)
}

/// `1*DIGIT` (RFC 9110 §8.6, which warns of overflow).
fn parse_decimal(digits: &[u8]) -> Result<u64, FramingError> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(FramingError::BadContentLength);
    }
    digits
        .iter()
        .try_fold(0_u64, |number, digit| {
            number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
        .ok_or(FramingError::ContentLengthTooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::parse_fields;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Value, what is found in it, why.
    type Row<T> = (&'static [u8], T, &'static str);

    #[test]
    fn tokens_are_as_the_rfc_lists_them() {
        // RFC 9110 §5.6.2
        let marks = b"!#$%&'*+-.^_`|~";
        for octet in 0..=u8::MAX {
            let expected = octet.is_ascii_alphanumeric() || marks.contains(&octet);
            assert_eq!(is_token_octet(octet), expected, "{octet:#x}");
        }
        assert!(is_token(b"max-age") && !is_token(b"") && !is_token(b"a b"));
    }

    #[test]
    fn whitespace_is_trimmed() {
        // RFC 9110 §5.6.3
        let rows: &[Row<&[u8]>] = &[
            (b"a", b"a", "nothing to trim"),
            (b" \ta b\t ", b"a b", "inner whitespace stays"),
            (b" \t", b"", "only whitespace"),
            (b"", b"", "nothing"),
            (b"\r\na\x0b", b"\r\na\x0b", "other whitespace is none here"),
        ];
        for (octets, expected, why) in rows {
            assert_eq!(trim_ows(octets), *expected, "{why}");
        }
    }

    #[test]
    fn quotes_are_taken_off() {
        // RFC 9110 §5.6.4
        let rows: &[Row<Option<&[u8]>>] = &[
            (b"\"a b\"", Some(b"a b"), "a quoted-string"),
            (b"\"\"", Some(b""), "an empty one"),
            (br#""a\"b""#, Some(br#"a\"b"#), "a quoted pair stays"),
            (br#""a\\""#, Some(br"a\\"), "a quoted backslash at the end"),
            (br#""a\""#, None, "the last quote is quoted"),
            (b"\"", None, "one quote"),
            (b"\"a", None, "no end"),
            (b"a\"", None, "no start"),
            (b"\"a\"b\"", None, "a quote within"),
            (b"\"a\x00\"", None, "NUL"),
            (b"a", None, "a token"),
            (b"", None, "nothing"),
        ];
        for (value, expected, why) in rows {
            assert_eq!(unquoted(value), *expected, "{why}");
        }
    }

    #[test]
    fn lists_are_split() {
        // RFC 9110 §5.6.1
        let rows: &[Row<&[&[u8]]>] = &[
            (b"a,b", &[b"a", b"b"], "no whitespace"),
            (b" a\t, b c ", &[b"a", b"b c"], "whitespace around members"),
            (b",, a ,\t,", &[b"a"], "empty members (§5.6.1.2)"),
            (b"", &[], "nothing"),
            (b" , ", &[], "only empty members"),
            (b"a=\"b,c\", d", &[b"a=\"b,c\"", b"d"], "a comma in quotes"),
            (br#""a\",b",c"#, &[br#""a\",b""#, b"c"], "a quoted quote"),
            (br"a\,b", &[br"a\", b"b"], "a backslash outside of quotes is itself"),
            (b"a,\"b,c", &[b"a", b"\"b,c"], "a quote without end takes the rest"),
        ];
        for (value, expected, why) in rows {
            assert!(list_members(value).eq(expected.iter().copied()), "{why}");
        }
    }

    #[test]
    fn fields_of_one_hop_are_known() {
        // RFC 9110 §7.6.1, RFC 9111 §3.1
        let rows = [
            ("", "connection", true, "itself"),
            ("", "Keep-Alive", true, "whether or not Connection names it"),
            ("", "PROXY-CONNECTION", true, "in any case"),
            ("", "te", true, "of the hop"),
            ("", "transfer-encoding", true, "of the hop"),
            ("", "upgrade", true, "of the hop"),
            ("", "trailer", true, "trailers are dropped"),
            ("", "proxy-authenticate", true, "may not be stored"),
            ("", "proxy-authentication-info", true, "may not be stored"),
            ("", "proxy-authorization", true, "may not be stored"),
            ("", "http2-settings", true, "of an upgrade (RFC 7540 §3.2.1)"),
            ("", "expect", true, "written anew"),
            ("", "Transfer_Encoding", true, "some gateways take it for the real one"),
            ("", "content_length", true, "the same"),
            ("", "content-length", false, "end to end"),
            ("", "www-authenticate", false, "end to end"),
            ("", "x-a", false, "unknown fields are forwarded"),
            ("Connection: close, X-A\r\n", "x-a", true, "named"),
            ("Connection: close\r\nCONNECTION: ,x-A\r\n", "X-a", true, "named in a second line"),
            ("Connection: x-ab\r\n", "x-a", false, "another one is named"),
            ("X-A: x-a\r\n", "x-a", false, "named elsewhere"),
        ];
        for (lines, name, expected, why) in rows {
            let mut spans = Vec::new();
            let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
            assert_eq!(is_hop_by_hop(name.as_bytes(), fields), expected, "{name}: {why}");
        }
    }

    #[test]
    fn content_length_is_one_number() {
        // RFC 9110 §8.6, RFC 9112 §6.3
        use FramingError::{BadContentLength, ContentLengthTooLarge, ContentLengthsDiffer};
        let rows = [
            ("", Ok(None), "no field"),
            ("Content-Length: 0\r\n", Ok(Some(0)), "zero"),
            ("content-length: 0042\r\n", Ok(Some(42)), "leading zeros"),
            ("Content-Length: 18446744073709551615\r\n", Ok(Some(u64::MAX)), "the largest"),
            ("Content-Length: 18446744073709551616\r\n", Err(ContentLengthTooLarge), "one more"),
            ("Content-Length: 42, 42\r\n", Ok(Some(42)), "equal members"),
            ("Content-Length: 42\r\nContent-Length: 42\r\n", Ok(Some(42)), "equal lines"),
            ("Content-Length: 42, 43\r\n", Err(ContentLengthsDiffer), "members that differ"),
            ("Content-Length: 4\r\nContent-Length: 5\r\n", Err(ContentLengthsDiffer), "lines"),
            ("Content-Length:\r\n", Err(BadContentLength), "empty"),
            ("Content-Length: 42,\r\n", Err(BadContentLength), "an empty member"),
            ("Content-Length: +42\r\n", Err(BadContentLength), "a sign"),
            ("Content-Length: -1\r\n", Err(BadContentLength), "a sign"),
            ("Content-Length: 0x2a\r\n", Err(BadContentLength), "hexadecimal"),
            ("Content-Length: 0o52\r\n", Err(BadContentLength), "octal"),
            ("Content-Length: 4_2\r\n", Err(BadContentLength), "an underscore"),
            ("Content-Length: 42.0\r\n", Err(BadContentLength), "a fraction"),
            ("Content-Length: 4e1\r\n", Err(BadContentLength), "an exponent"),
            ("Content-Length: 42;\r\n", Err(BadContentLength), "a semicolon"),
            ("Content-Length: 42 42\r\n", Err(BadContentLength), "two numbers"),
            ("Content-Length: 4\t2\r\n", Err(BadContentLength), "a tab within"),
            ("Content-Length: ,42\r\n", Err(BadContentLength), "an empty member first"),
            ("Content-Length: \u{ff14}\r\n", Err(BadContentLength), "a digit, but not ASCII"),
            ("Content-Length:\r\nContent-Length: 42\r\n", Err(BadContentLength), "one is empty"),
            ("Content-Length: 42\r\nContent-Length: 0\r\n", Err(ContentLengthsDiffer), "zero"),
            ("Content-Length: \t 42 \t\r\n", Ok(Some(42)), "whitespace around it"),
            ("Content-Length: 4 2\r\n", Err(BadContentLength), "a space within"),
            ("Content-Length: \"42\"\r\n", Err(BadContentLength), "quotes"),
            ("Content-Length: 42\r\nContent-Length: x\r\n", Err(BadContentLength), "one is bad"),
        ];
        for (lines, expected, why) in rows {
            let mut spans = Vec::new();
            let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
            assert_eq!(parse_content_length(fields), expected, "{lines:?}: {why}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_octets_never_panic(value: Vec<u8>) {
            let members = list_members(&value);
            prop_assert!(members.into_iter().all(|member| !member.is_empty()));
            let _ = (unquoted(&value), trim_ows(&value), is_token(&value));
        }

        #[test]
        fn joined_members_are_split_again(
            members in vec(r#"[a-z0-9=]{1,8}|"([a-z, ]|\\["\\,a]){0,8}""#, 0..8),
        ) {
            let value = members.join(" ,\t, ");
            prop_assert!(list_members(value.as_bytes()).eq(members.iter().map(String::as_bytes)));
        }
    }
}
