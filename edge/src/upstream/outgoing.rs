//! The head of a request as it is sent upstream.

use crate::stored::{StoredResponse, write_field};
use core::net::SocketAddr;
use lastmile_http::cache::validation::write_conditions;
use lastmile_http::fields::is_hop_by_hop;
use lastmile_http::framing::Framing;
use lastmile_http::head::RequestHead;
use lastmile_http::target::Target;

/// What the upstream is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// The whole response, to be stored: the client's own conditions and ranges are answered from what comes.
    Store,
    /// Whether this stored response is still good (RFC 9111 §4.3.1); if not, the whole new one.
    Validate(&'a StoredResponse),
    /// Exactly what the client asked.
    Pass,
}

/// Fields that select a part of a response or make it depend on what the client has.
const CONDITIONAL: [&[u8]; 6] = [
    b"if-match",
    b"if-none-match",
    b"if-modified-since",
    b"if-unmodified-since",
    b"if-range",
    b"range",
];

/// Whether the field asks for a part, or for nothing if the client has it already.
pub(crate) fn is_conditional_field(name: &[u8]) -> bool {
    CONDITIONAL.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Writes the head: end-to-end fields, Host, Via (RFC 9110 §7.6.3), X-Forwarded-For, and the framing of what follows.
pub(crate) fn write_request_head(
    name: &str,
    head: &RequestHead<'_>,
    target: &Target<'_>,
    framing: Framing,
    client: SocketAddr,
    purpose: Purpose<'_>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(head.method);
    out.push(b' ');
    out.extend_from_slice(target.path_and_query);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    write_field(b"Host", target.authority, out);
    for (field_name, value) in head.fields.iter() {
        let is = |other: &[u8]| field_name.eq_ignore_ascii_case(other);
        let conditional = !matches!(purpose, Purpose::Pass) && is_conditional_field(field_name);
        let written_anew = is(b"host") || is(b"content-length") || is(b"x-forwarded-for");
        if conditional || written_anew || is_hop_by_hop(field_name, head.fields) {
            continue;
        }
        write_field(field_name, value, out);
    }
    if let Purpose::Validate(stored) = purpose {
        write_conditions(stored.fields(&mut Vec::new()), out);
    }
    write_forwarded_for(head, client, out);
    out.extend_from_slice(b"Via: 1.1 ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\r\n");
    match framing {
        Framing::Length(octets) => {
            write_field(b"Content-Length", itoa::Buffer::new().format(octets).as_bytes(), out);
        }
        Framing::Chunked => write_field(b"Transfer-Encoding", b"chunked", out),
        Framing::None | Framing::UntilClose => {}
    }
    out.extend_from_slice(b"\r\n");
}

fn write_forwarded_for(head: &RequestHead<'_>, client: SocketAddr, out: &mut Vec<u8>) {
    out.extend_from_slice(b"X-Forwarded-For: ");
    for value in head.fields.all("x-forwarded-for") {
        out.extend_from_slice(value);
        out.extend_from_slice(b", ");
    }
    out.extend_from_slice(client.ip().to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Whether the request has passed the cache called `name` before (RFC 9110 §7.6.3).
pub(crate) fn has_passed(name: &str, head: &RequestHead<'_>) -> bool {
    head.fields.list("via").any(|member| {
        let mut words = member.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty());
        words.nth(1) == Some(name.as_bytes())
    })
}
