//! Whether a connection goes on after a message, and who must be told (RFC 9112 §9.3).

use crate::fields::eq_ignore_case;
use crate::framing::Framing;
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
        Framing::None | Framing::Length(_) | Framing::Chunked => {
            head.status != 101 && persists(head.version, head.fields)
        }
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
