//! DNS over HTTPS (RFC 8484): a message in, a message out, by the same function as over UDP and TCP.

use super::Front;
use super::message;
use super::respond::{plain, response, with_field};
use crate::answer::{Asked, Reason, Tables, Transport, answer};
use crate::wire::Rcode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode, header};
use std::net::IpAddr;
use std::time::Duration;

const MEDIA_TYPE: &str = "application/dns-message";
/// Octets of a query, as over TCP: more than any question with options needs.
const QUERY_OCTETS_MAX: usize = 4096;
/// For the content of a request, which fits into a few packets.
const CONTENT_TIME_MAX: Duration = Duration::from_secs(5);

/// The answer to a request for `/dns-query` on behalf of `client`.
pub(super) async fn answer_request(
    front: &Front,
    tables: &Tables,
    request: Request<Incoming>,
    client: IpAddr,
) -> Response<Full<Bytes>> {
    match *request.method() {
        Method::GET | Method::HEAD => {
            let query = request.uri().query().unwrap_or_default();
            match parameter(query) {
                Ok(packet) => respond(front, tables, &packet, client),
                Err((status, why)) => plain(status, format!("{why}\n")),
            }
        }
        Method::POST => match content(request).await {
            Ok(packet) => respond(front, tables, &packet, client),
            Err((status, why)) => plain(status, format!("{why}\n")),
        },
        _ => {
            let response = plain(StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD or POST\n".to_owned());
            with_field(response, header::ALLOW, "GET, HEAD, POST")
        }
    }
}

/// RFC 8484 §4.1: the `dns` parameter, base64url without padding.
fn parameter(query: &str) -> Result<Vec<u8>, (StatusCode, &'static str)> {
    let mut values = query.split('&').filter_map(|pair| pair.strip_prefix("dns="));
    let (Some(value), None) = (values.next(), values.next()) else {
        let why = "give one parameter dns: a DNS message in base64url (RFC 8484)";
        return Err((StatusCode::BAD_REQUEST, why));
    };
    // Four characters are three octets.
    if value.len() > QUERY_OCTETS_MAX.div_ceil(3) * 4 {
        return Err((StatusCode::URI_TOO_LONG, "the message is longer than 4096 octets"));
    }
    let why = "dns: not base64url without padding";
    URL_SAFE_NO_PAD.decode(value).map_err(|_| (StatusCode::BAD_REQUEST, why))
}

async fn content(request: Request<Incoming>) -> Result<Vec<u8>, (StatusCode, &'static str)> {
    let media_type = request.headers().get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    // RFC 9110 §8.3.1: case counts for nothing, and this type has no parameters.
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(MEDIA_TYPE) {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "allowed: application/dns-message"));
    }
    let too_large = (StatusCode::PAYLOAD_TOO_LARGE, "the message is longer than 4096 octets");
    let body = request.into_body();
    if body.size_hint().lower() > QUERY_OCTETS_MAX as u64 {
        return Err(too_large);
    }
    let content = Limited::new(body, QUERY_OCTETS_MAX).collect();
    match tokio::time::timeout(CONTENT_TIME_MAX, content).await {
        Ok(Ok(content)) => Ok(content.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large),
        Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "the content broke off")),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the content took longer than 5 s")),
    }
}

fn respond(front: &Front, tables: &Tables, packet: &[u8], client: IpAddr) -> Response<Full<Bytes>> {
    let (transport, random, moment) = (Transport::Https, front.random(), front.moment());
    let asked = Asked { packet, peer: client, transport, random, moment };
    let mut buffer = vec![0; usize::from(u16::MAX)];
    let answered = answer(tables, &asked, &mut buffer);
    front.note(tables, &asked, &answered, &buffer);
    if answered.octets == 0 {
        return plain(StatusCode::BAD_REQUEST, "That is not a DNS query.\n".to_owned());
    }
    // Not the rest, too: it may wait for a client that does not read.
    let buffer = buffer[..answered.octets].to_vec();
    let cache = match answered.rcode {
        Rcode::NoError | Rcode::NxDomain => cache_control(&buffer, answered.reason),
        // Also where a CNAME came before it.
        _ => "no-store".to_owned(),
    };
    // RFC 8484 §4.2.1: whatever the RCODE.
    with_field(response(StatusCode::OK, MEDIA_TYPE, buffer), header::CACHE_CONTROL, &cache)
}

/// RFC 8484 §5.1: fresh for the least TTL, and shared only if everybody gets the same (RFC 9111 §5.2.2.7). What could
/// not be answered is not kept.
fn cache_control(answer: &[u8], reason: Reason) -> String {
    let Some(ttl) = message::read(answer).and_then(|contents| contents.ttl) else {
        return "no-store".to_owned();
    };
    let depends = matches!(reason, Reason::Steered(_) | Reason::Lab);
    if depends { format!("private, max-age={ttl}") } else { format!("max-age={ttl}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let long = format!("dns={}", "A".repeat(5465));
        for (query, expected, why) in [
            ("dns=AAABAAABAAAAAAAA", Ok(12), "a header"),
            ("ct=x&dns=AAAA", Ok(3), "other parameters count for nothing"),
            ("dns=", Ok(0), "nothing, which is no query"),
            ("", Err(400), "no parameter"),
            ("dns=AAAA&dns=AAAA", Err(400), "two of them"),
            ("dns=AAA=", Err(400), "padding"),
            ("dns=A+/A", Err(400), "the other alphabet"),
            ("dns=A", Err(400), "no whole octet"),
            (&long, Err(414), "beyond the bound"),
        ] {
            let found = parameter(query).map(|octets| octets.len());
            assert_eq!(found.map_err(|(status, _)| status.as_u16()), expected, "{why}");
        }
    }
}
