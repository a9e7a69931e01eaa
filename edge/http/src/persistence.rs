//! Whether a connection goes on after a message, and who must be told (RFC 9112 §9.3).

use crate::fields::eq_ignore_case;
use crate::framing::{Framing, framing_fields_are_sound};
use crate::head::{Fields, ResponseHead, Version};

/// What Connection of our response to a client must say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectionField {
    /// Nothing: both know that the connection goes on.
    None,
    /// `keep-alive`: the client of HTTP/1.0 asked, and waits for the end of the connection unless told.
    KeepAlive,
    /// `close`: the connection ends after this response.
    Close,
}

/// Whether the client may send another request after the one with these fields (RFC 9112 §9.3).
#[must_use]
pub fn request_wants_persistence(version: Version, fields: Fields<'_>) -> bool {
    persists(version, fields)
}

/// Whether the upstream's connection may serve another request once this response has been read.
#[must_use]
pub fn response_allows_reuse(head: &ResponseHead<'_>, framing: Framing) -> bool {
    match framing {
        Framing::UntilClose => false,
        // RFC 9110 §15.2.2: after a 101 the connection speaks another protocol.
        Framing::None => {
            head.status != 101
                && framing_fields_are_sound(head)
                && persists(head.version, head.fields)
        }
        Framing::Length(_) | Framing::Chunked => persists(head.version, head.fields),
    }
}

/// What our response says to a client of this version when the connection goes on (`persists`) or ends after it.
#[must_use]
pub const fn connection_field(version: Version, persists: bool) -> ConnectionField {
    match (version, persists) {
        (Version::Http11, true) => ConnectionField::None,
        (Version::Http10, true) => ConnectionField::KeepAlive,
        // RFC 9112 §9.6: who closes says so in the last response.
        (Version::Http10 | Version::Http11, false) => ConnectionField::Close,
    }
}

/// RFC 9112 §9.3: close beats everything, 1.1 persists, 1.0 persists when it says keep-alive.
fn persists(version: Version, fields: Fields<'_>) -> bool {
    let says = |wanted: &[u8]| fields.list("connection").any(|o| eq_ignore_case(o, wanted));
    match version {
        Version::Http11 => !says(b"close"),
        Version::Http10 => !says(b"close") && says(b"keep-alive"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::parse_fields;
    use Version::{Http10, Http11};

    #[test]
    fn requests_ask_for_persistence() {
        // RFC 9112 §9.3
        let rows = [
            (Http11, "", true, "1.1 persists"),
            (Http11, "Connection: close\r\n", false, "close"),
            (Http11, "Connection: Close\r\n", false, "in any case"),
            (Http11, "Connection: x, close\r\n", false, "in a list"),
            (Http11, "Connection: x\r\nConnection: close\r\n", false, "in a second line"),
            (Http11, "Connection: keep-alive, close\r\n", false, "close beats keep-alive"),
            (Http11, "Connection: keep-alive\r\n", true, "not needed, no harm"),
            (Http11, "Connection: closed\r\n", true, "another option"),
            (Http11, "Proxy-Connection: close\r\n", true, "no such field (RFC 9112 C.2.2)"),
            (Http10, "", false, "1.0 ends"),
            (Http10, "Connection: Keep-Alive\r\n", true, "1.0 asks to go on"),
            (Http10, "Connection: keep-alive, close\r\n", false, "close beats keep-alive"),
            (Http10, "Keep-Alive: timeout=5\r\n", false, "the option counts, not the field"),
            (Http10, "Proxy-Connection: keep-alive\r\n", false, "no such field"),
        ];
        for (version, lines, expected, why) in rows {
            let mut spans = Vec::new();
            let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
            assert_eq!(request_wants_persistence(version, fields), expected, "{lines:?}: {why}");
        }
    }

    #[test]
    fn responses_allow_reuse() {
        // RFC 9112 §9.3, §6.3 item 8
        let rows = [
            (Http11, 200, Framing::Length(5), "", true, "1.1 with a length"),
            (Http11, 200, Framing::Chunked, "", true, "1.1 chunked"),
            (Http11, 304, Framing::None, "", true, "no content"),
            (Http11, 200, Framing::UntilClose, "", false, "the end of the content is the end"),
            (Http11, 200, Framing::Length(5), "Connection: close\r\n", false, "close"),
            (Http11, 101, Framing::None, "Connection: upgrade\r\n", false, "another protocol"),
            (Http11, 200, Framing::None, "Content-Length: 5\r\n", true, "HEAD may say the length"),
            (Http11, 304, Framing::None, "Content-Length: 5\r\n", true, "304 too"),
            (Http11, 204, Framing::None, "", true, "204 without a word of content"),
            (Http11, 204, Framing::None, "Content-Length: 0\r\n", true, "wrong, but no harm"),
            (Http11, 204, Framing::None, "Content-Length: 5\r\n", false, "will content come?"),
            (
                Http11,
                204,
                Framing::None,
                "Transfer-Encoding: chunked\r\n",
                false,
                "§6.1: may not be there",
            ),
            (
                Http11,
                200,
                Framing::None,
                "Transfer-Encoding: chunked\r\n",
                true,
                "HEAD may say the coding (§6.1)",
            ),
            (
                Http11,
                200,
                Framing::None,
                "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                false,
                "HEAD: whoever frames like that is not to be trusted",
            ),
            (Http11, 304, Framing::None, "Content-Length: 5, 6\r\n", false, "nor like that"),
            (Http10, 200, Framing::Length(5), "", false, "1.0 ends"),
            (Http10, 200, Framing::Length(5), "Connection: keep-alive\r\n", true, "1.0 agreed"),
            (Http10, 200, Framing::UntilClose, "Connection: keep-alive\r\n", false, "no length"),
        ];
        for (version, status, framing, lines, expected, why) in rows {
            let mut spans = Vec::new();
            let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
            let head = ResponseHead { version, status, reason: b"", fields };
            assert_eq!(response_allows_reuse(&head, framing), expected, "{why}");
        }
    }

    #[test]
    fn the_client_is_told() {
        // RFC 9112 §9.3 and §9.6
        assert_eq!(connection_field(Http11, true), ConnectionField::None);
        assert_eq!(connection_field(Http11, false), ConnectionField::Close);
        assert_eq!(connection_field(Http10, true), ConnectionField::KeepAlive);
        assert_eq!(connection_field(Http10, false), ConnectionField::Close);
    }
}
