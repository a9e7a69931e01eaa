//! What a client wants to hear before it sends its content (RFC 9110 §10.1.1).

use crate::fields::eq_ignore_case;
use crate::head::{RequestHead, Version};

/// What Expect of one request asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expectation {
    /// Nothing, or nothing that counts: HTTP/1.0 does not have the field. It is not forwarded.
    None,
    /// 100 (Continue), or a final response, before the content is sent. It is forwarded.
    Continue,
}

/// Expect has a member other than 100-continue: answered with 417.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownExpectation;

/// What the Expect of a request asks for.
///
/// `has_content` says that the message has content by its framing: without any there is nothing to go on with, and a
/// client must not ask.
///
/// # Errors
/// [`UnknownExpectation`], from a client of HTTP/1.1 alone.
pub fn expectation(
    head: &RequestHead<'_>,
    has_content: bool,
) -> Result<Expectation, UnknownExpectation> {
    // RFC 9110 §10.1.1: "MUST ignore that expectation", and what 1.0 knows nothing of can't be an error in it.
    if head.version == Version::Http10 {
        return Ok(Expectation::None);
    }
    let mut expectation = Expectation::None;
    for member in head.fields.list("expect") {
        // The same member with a value or a parameter is another one.
        if !eq_ignore_case(member, b"100-continue") {
            return Err(UnknownExpectation);
        }
        if has_content {
            expectation = Expectation::Continue;
        }
    }
    Ok(expectation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::parse_fields;
    use Expectation::{Continue, None};
    use Version::{Http10, Http11};

    #[test]
    fn expectations_are_known_or_refused() {
        // RFC 9110 §10.1.1
        let rows = [
            (Http11, true, "", Ok(None), "no field"),
            (Http11, true, "Expect: 100-continue\r\n", Ok(Continue), "the one that there is"),
            (Http11, true, "Expect: 100-Continue\r\n", Ok(Continue), "in any case"),
            (Http11, true, "Expect: ,100-continue,\r\n", Ok(Continue), "a list (§5.6.1)"),
            (
                Http11,
                true,
                "Expect: 100-continue\r\nExpect: 100-continue\r\n",
                Ok(Continue),
                "said twice",
            ),
            (Http11, false, "Expect: 100-continue\r\n", Ok(None), "without content"),
            (Http10, true, "Expect: 100-continue\r\n", Ok(None), "1.0: must be ignored"),
            (Http10, true, "Expect: x\r\n", Ok(None), "1.0 has no such field"),
            (Http11, true, "Expect:\r\n", Ok(None), "an empty list"),
            (Http11, true, "Expect: 200-ok\r\n", Err(UnknownExpectation), "417"),
            (Http11, false, "Expect: 200-ok\r\n", Err(UnknownExpectation), "without content too"),
            (Http11, true, "Expect: 100-continue, x\r\n", Err(UnknownExpectation), "one of two"),
            (Http11, true, "Expect: 100-continue=x\r\n", Err(UnknownExpectation), "a value"),
            (Http11, true, "Expect: 100-continue;x\r\n", Err(UnknownExpectation), "a parameter"),
            (Http11, true, "Expect: y 100-continue\r\n", Err(UnknownExpectation), "two words"),
            (Http11, true, "Expect: \"100-continue\"\r\n", Err(UnknownExpectation), "quotes"),
        ];
        for (version, has_content, lines, expected, why) in rows {
            let mut spans = Vec::new();
            let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
            let head = RequestHead { method: b"POST", target: b"/", version, fields };
            assert_eq!(expectation(&head, has_content), expected, "{lines:?}: {why}");
        }
    }
}
