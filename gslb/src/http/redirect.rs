//! 302: a request for a customer's host is sent to the edge for the client that is seen (RFC 9110 §15.4.3).
//!
//! No loop is possible: a Location of an edge is no host that is redirected (checked when the file is read), so that a
//! request which comes back with it is misdirected; one that leads to a name leads to the host itself or to one that
//! is not redirected, and is refused when it is what the client has just asked for.

use super::Front;
use super::pick::{family, pick, serve, url_key};
use super::respond::{plain, with_field};
use super::rules::{Otherwise, Redirect, Template, default_port};
use crate::answer::Tables;
use crate::locate::Place;
use crate::steer::Family;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Response, StatusCode, header};
use std::net::IpAddr;

/// A request as far as a redirect depends on it.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    /// In lower case.
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
    pub(super) path: &'a str,
    /// As it came, octet for octet.
    pub(super) path_and_query: &'a str,
    pub(super) client: IpAddr,
}

/// The answer to a request for a host that is redirected.
pub(super) fn answer(
    front: &Front,
    tables: &Tables,
    redirect: &Redirect,
    asked: &Asked<'_>,
) -> Response<Full<Bytes>> {
    if !matches!(*asked.method, Method::GET | Method::HEAD) {
        let response = plain(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n".to_owned());
        return with_field(response, header::ALLOW, "GET, HEAD");
    }
    if redirect.covers(asked.path) {
        return to_edge(front, tables, redirect, asked);
    }
    match &redirect.otherwise {
        Otherwise::Dns => {
            front.counters.by_name.count();
            // Edges are where `to` says, also those that DNS chooses.
            let to = Template { prefix: String::new(), ..redirect.to.clone() };
            found(&to, asked.host, asked, "DNS chooses for this path")
        }
        Otherwise::Name(to) => {
            front.counters.by_name.count();
            found(to, &to.host, asked, "for this path there is another host")
        }
        Otherwise::Status(404) => {
            plain(StatusCode::NOT_FOUND, "This path is not redirected.\n".to_owned())
        }
        Otherwise::Status(_) => {
            let what = "This path is not redirected: ask the name's own server.\n";
            plain(StatusCode::MISDIRECTED_REQUEST, what.to_owned())
        }
    }
}

fn to_edge(
    front: &Front,
    tables: &Tables,
    redirect: &Redirect,
    asked: &Asked<'_>,
) -> Response<Full<Bytes>> {
    let by = (redirect.by, url_key(asked.host, asked.path));
    let own = family(asked.client);
    let other = if own == Family::V4 { Family::V6 } else { Family::V4 };
    let pick = |family| pick(front, tables, redirect.steered, asked.client, family, by);
    // An edge may have addresses of one family only: the other one is better than none.
    let pick = pick(own).or_else(|| pick(other));
    let Some(pick) = pick.filter(|pick| pick.edge.is_some() || !redirect.to.names_edge()) else {
        let response = plain(StatusCode::SERVICE_UNAVAILABLE, "No edge is up.\n".to_owned());
        return with_field(response, header::RETRY_AFTER, "5");
    };
    match pick.place {
        None => &front.counters.by_client,
        Some(Place::Home) => &front.counters.by_home,
        Some(Place::Copy) => &front.counters.by_copy,
        Some(Place::Overflow) => &front.counters.by_overflow,
    }
    .count();
    serve(front, tables, &pick);
    let name = pick.edge.map_or("", |edge| &tables.policy.edges[edge].name);
    let host = redirect.to.host(name, Some(pick.address));
    found(&redirect.to, &host, asked, &pick.explain(tables))
}

/// 302 to `host`, unless that is what the client has asked for.
fn found(to: &Template, host: &str, asked: &Asked<'_>, why: &str) -> Response<Full<Bytes>> {
    let port = to.port.unwrap_or(default_port(to.is_https));
    let asked_port = asked.port.unwrap_or(default_port(to.is_https));
    if host == asked.host && port == asked_port {
        let what = "A redirect would lead to this URL again: its name leads to this server, not to an edge.\n";
        return plain(StatusCode::LOOP_DETECTED, what.to_owned());
    }
    let location = to.location(host, asked.path_and_query);
    let response = plain(StatusCode::FOUND, format!("{location}\n{why}\n"));
    with_field(response, header::LOCATION, &location)
}
