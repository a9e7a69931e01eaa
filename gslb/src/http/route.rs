//! What a request is for: a one-time name, a host that is redirected, `/resolve` or `/dns-query`.

use super::respond::{json_error, plain, with_field};
use super::rules::Rules;
use super::{Front, client, doh, redirect, resolve, whoami};
use crate::answer::Tables;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode, Version, header};
use std::net::IpAddr;

/// Octets of a name in text, without the last dot.
const HOST_OCTETS_MAX: usize = 253;

/// The answer to a request that came from `peer`.
pub(super) async fn answer(
    front: &Front,
    tables: &Tables,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Response<Full<Bytes>> {
    let response = route(front, tables, request, peer).await;
    front.counters.count_status(response.status());
    response
}

async fn route(
    front: &Front,
    tables: &Tables,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Response<Full<Bytes>> {
    let Rules { client_field, trusted, .. } = &*tables.front;
    let client = client::client(peer, request.headers(), *client_field, trusted);
    let authority = match authority(&request) {
        Ok(authority) => authority,
        Err(why) => {
            front.counters.others.count();
            return plain(StatusCode::BAD_REQUEST, format!("{why}\n"));
        }
    };
    let host = authority.as_ref().map(|it| it.host().trim_end_matches('.').to_ascii_lowercase());
    let host = host.unwrap_or_default();
    // RFC 1035 §3.1: no name is longer, and a look-up takes time by its labels.
    if host.len() > HOST_OCTETS_MAX {
        front.counters.others.count();
        return plain(StatusCode::BAD_REQUEST, "Host: no name is so long\n".to_owned());
    }
    let (uri, method) = (request.uri(), request.method());
    // Before a redirect whose wildcard covers it.
    if let Some(name) = whoami::one_time_name(tables, &host) {
        front.counters.pairs.count();
        return whoami::answer(front, tables, &name, client);
    }
    if let Some(rule) = tables.front.redirect(&host) {
        front.counters.redirects.count();
        let asked = redirect::Asked {
            method,
            host: &host,
            port: authority.and_then(|authority| authority.port_u16()),
            path: uri.path(),
            path_and_query: uri.path_and_query().map_or("/", |target| target.as_str()),
            client,
        };
        return redirect::answer(front, tables, rule, &asked);
    }
    match uri.path() {
        "/resolve" if !matches!(*method, Method::GET | Method::HEAD) => {
            front.counters.resolves.count();
            let mut response = json_error("allowed: GET, HEAD");
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            with_field(response, header::ALLOW, "GET, HEAD")
        }
        "/resolve" => {
            front.counters.resolves.count();
            resolve::answer_query(front, tables, uri.query().unwrap_or_default(), client)
        }
        "/dns-query" => {
            front.counters.messages.count();
            doh::answer_request(front, tables, request, client).await
        }
        _ => {
            front.counters.others.count();
            // Also what a redirect of ours gets that comes back, which ends a loop.
            let text =
                "No [[redirect]] has this host; there are /resolve?name=NAME and /dns-query.\n";
            plain(StatusCode::MISDIRECTED_REQUEST, text.to_owned())
        }
    }
}

/// The host, with its port, that a request is for; `None` for one of HTTP/1.0 that does not say.
fn authority(request: &Request<Incoming>) -> Result<Option<Authority>, &'static str> {
    // RFC 9112 §3.2.2, RFC 9113 §8.3.1: the target's own goes before Host.
    if let Some(authority) = request.uri().authority() {
        return Ok(Some(authority.clone()));
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => {
            let authority = Authority::try_from(host.as_bytes()).map_err(|_| "Host is none")?;
            // RFC 9110 §7.2: no userinfo.
            if authority.as_str().contains('@') { Err("Host is none") } else { Ok(Some(authority)) }
        }
        (None, _) if request.version() == Version::HTTP_10 => Ok(None),
        // RFC 9112 §3.2: such a request must be refused.
        (None, _) => Err("Host is missing"),
        (Some(_), Some(_)) => Err("there are two Host fields"),
    }
}
