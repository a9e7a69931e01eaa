//! The head of a request as it is sent upstream.

use crate::request::Request;
use crate::stored::{StoredResponse, write_field};
use core::net::SocketAddr;
use lastmile_http::cache::key::{KeyRules, write_key, write_target};
use lastmile_http::cache::unkeyed::is_dropped;
use lastmile_http::cache::validation::write_conditions;
use lastmile_http::fields::is_hop_by_hop;
use lastmile_http::framing::Framing;
use lastmile_http::head::{RequestHead, Version};
use lastmile_http::max_forwards::{MaxForwards, max_forwards};

/// What the upstream is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// The whole response, to be stored: the client's own conditions and ranges are answered from what comes.
    Store,
    /// Whether one of these stored responses is still good (RFC 9111 §4.3.1); if not, the new one.
    Validate {
        /// The one that the request selects.
        selected: Option<&'a StoredResponse>,
        /// Others that are stored for the same URI.
        others: &'a [StoredResponse],
        /// What is new is wanted in the part that the client asked for, not whole.
        part: bool,
    },
    /// The part that the client asked for, to be stored as such.
    Part,
    /// What is missing behind this stored beginning (RFC 9111 §3.4), or all if that is of another representation.
    Rest(&'a StoredResponse),
    /// Exactly what the client asked; nothing is stored.
    Pass,
    /// To switch to another protocol (RFC 9110 §7.8).
    Upgrade,
}

impl Purpose<'_> {
    /// Whether the client's own condition or range goes upstream.
    fn forwards(self, field_name: &[u8]) -> bool {
        match self {
            Self::Store | Self::Rest(_) => false,
            Self::Validate { part, .. } => {
                let is = |other: &[u8]| field_name.eq_ignore_ascii_case(other);
                part && (is(b"range") || is(b"if-range"))
            }
            Self::Part | Self::Pass | Self::Upgrade => true,
        }
    }

    /// Whether what comes may be given to others, so that nothing that is in no key may have a part in it.
    fn is_shared(self) -> bool {
        match self {
            Self::Store | Self::Validate { .. } | Self::Part | Self::Rest(_) => true,
            Self::Pass | Self::Upgrade => false,
        }
    }
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

/// Writes the head of `request` for the upstream: end-to-end fields, Host, Via (RFC 9110 §7.6.3), X-Forwarded-For, and
/// the framing of what follows.
pub(crate) fn write_request_head(
    name: &str,
    request: &Request<'_>,
    client: SocketAddr,
    purpose: Purpose<'_>,
    out: &mut Vec<u8>,
) {
    let (head, site) = (&request.head, request.site);
    out.extend_from_slice(head.method);
    out.push(b' ');
    if purpose.is_shared() {
        write_target(&site.key, request.target.path_and_query, out);
    } else {
        out.extend_from_slice(request.target.path_and_query);
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let host = site.key.host.as_deref().map_or(request.target.authority, str::as_bytes);
    if purpose.is_shared() {
        // As the key has it: if an origin takes `A.test:80` for another host, others must not get its answer.
        let mut key = Vec::new();
        write_key(&KeyRules::default(), host, b"/", &mut key);
        write_field(b"Host", key.strip_suffix(b"/").unwrap_or(host), out);
    } else {
        write_field(b"Host", host, out);
    }
    let is_keyed = |name: &[u8]| {
        site.key.fields.iter().any(|keyed| name.eq_ignore_ascii_case(keyed.as_bytes()))
    };
    for (field_name, value) in head.fields.iter() {
        let is = |other: &[u8]| field_name.eq_ignore_ascii_case(other);
        let written_anew = is(b"host")
            || is(b"content-length")
            || is(b"x-forwarded-for")
            || is(b"max-forwards") && matches!(head.method, b"TRACE" | b"OPTIONS");
        let withheld = is_conditional_field(field_name) && !purpose.forwards(field_name)
            || purpose.is_shared() && is_dropped(field_name) && !is_keyed(field_name);
        if withheld || written_anew || is_hop_by_hop(field_name, head.fields) {
            continue;
        }
        write_field(field_name, value, out);
    }
    match purpose {
        Purpose::Validate { selected, others, .. } => {
            let mut spans = Vec::new();
            let selected = selected.map(|stored| stored.fields(&mut spans));
            write_conditions(selected, others.iter().filter_map(|other| other.etag()), out);
        }
        Purpose::Rest(beginning) => {
            let next = beginning.part().map_or(0, |part| part.last + 1);
            write_field(b"Range", format!("bytes={next}-").as_bytes(), out);
            write_field(b"If-Range", beginning.etag().unwrap_or_default(), out);
        }
        Purpose::Upgrade => {
            out.extend_from_slice(b"Connection: upgrade\r\n");
            for value in head.fields.all("upgrade") {
                write_field(b"Upgrade", value, out);
            }
        }
        Purpose::Store | Purpose::Part | Purpose::Pass => {}
    }
    write_forwarded_for(head, client, out);
    if let Ok(MaxForwards::More(left)) = max_forwards(head.method, head.fields) {
        write_field(b"Max-Forwards", itoa::Buffer::new().format(left).as_bytes(), out);
    }
    write_via(name, head, out);
    match request.framing {
        Framing::Length(octets) => {
            write_field(b"Content-Length", itoa::Buffer::new().format(octets).as_bytes(), out);
        }
        Framing::Chunked => write_field(b"Transfer-Encoding", b"chunked", out),
        Framing::None | Framing::UntilClose => {}
    }
    out.extend_from_slice(b"\r\n");
}

/// RFC 9110 §7.6.3: the version in which the request came.
fn write_via(name: &str, head: &RequestHead<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(match head.version {
        Version::Http10 => b"Via: 1.0 ",
        Version::Http11 => b"Via: 1.1 ",
    });
    out.extend_from_slice(name.as_bytes());
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
