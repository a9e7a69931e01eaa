//! HTTPDNS: names resolved for an app, as JSON, with the reason; no resolver on the way can change it.

use super::message::{self, question};
use super::pick::{pick, serve, url_key};
use super::respond::{json, json_error};
use super::rules::By;
use super::{Front, whoami};
use crate::answer::{Asked, Tables, Transport, answer};
use crate::explain::steered_index;
use crate::steer::Family;
use crate::wire::name;
use crate::wire::rtype;
use domain::base::iana::Rcode;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json as object};
use std::net::IpAddr;

/// Names in one request. An app has a handful of hosts; this many answers take some 16 KiB.
const NAMES_MAX: usize = 32;
/// What may be asked.
const ALLOWED: &str = "allowed: name=NAME (1 to 32 of them), ip=ADDRESS, type=A|AAAA, url=/PATH";

/// What one request asks.
struct Query {
    names: Vec<String>,
    /// Whom the answer is for. Anybody may ask for anybody, as with a client subnet in DNS.
    client: IpAddr,
    family: Family,
    path: Option<String>,
}

/// The answer to `/resolve?QUERY` from `client`.
pub(super) fn answer_query(
    front: &Front,
    tables: &Tables,
    query: &str,
    client: IpAddr,
) -> Response<Full<Bytes>> {
    let query = match Query::read(query, client) {
        Ok(query) => query,
        Err(message) => return json_error(&message),
    };
    let mut answers = Vec::with_capacity(query.names.len());
    let mut buffer = vec![0; usize::from(u16::MAX)];
    for name in &query.names {
        match resolve(front, tables, &query, name, &mut buffer) {
            Ok(answer) => answers.push(answer),
            Err(message) => return json_error(&message),
        }
    }
    let client = query.client.to_string();
    json(StatusCode::OK, &object!({ "client": client, "answers": answers }))
}

impl Query {
    fn read(text: &str, client: IpAddr) -> Result<Self, String> {
        let mut query = Self { names: Vec::new(), client, family: Family::V4, path: None };
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            match (key, value.as_str()) {
                ("name", _) if query.names.len() >= NAMES_MAX => {
                    return Err(format!("one name too many; {ALLOWED}"));
                }
                ("name", _) => query.names.push(value),
                ("ip", _) => match value.parse::<IpAddr>() {
                    Ok(address) => query.client = address.to_canonical(),
                    Err(_) => return Err(format!("ip: {value:?} is not an address; {ALLOWED}")),
                },
                ("type", "A") => query.family = Family::V4,
                ("type", "AAAA") => query.family = Family::V6,
                ("url", path) if path.starts_with('/') => query.path = Some(value),
                _ => return Err(format!("{pair:?} is not understood; {ALLOWED}")),
            }
        }
        if query.names.is_empty() { Err(format!("name is missing; {ALLOWED}")) } else { Ok(query) }
    }
}

/// One name. What DNS says over TCP is what is said here, by the same function; of a steered name also why.
fn resolve(
    front: &Front,
    tables: &Tables,
    query: &Query,
    text: &str,
    buffer: &mut [u8],
) -> Result<Value, String> {
    let wire = name::from_text(text).map_err(|message| format!("name: {text:?} {message}"))?;
    let (qtype, rtype) = match query.family {
        Family::V4 => (rtype::A, "A"),
        Family::V6 => (rtype::AAAA, "AAAA"),
    };
    let packet = question(&wire, qtype, query.client);
    let (peer, random) = (query.client, front.random());
    let moment = front.moment();
    let asked = Asked { packet: &packet, peer, transport: Transport::Https, random, moment };
    let answered = answer(tables, &asked, buffer);
    let contents = message::read(&buffer[..answered.octets]);
    let contents = contents.ok_or_else(|| format!("name: {text:?} can't be asked for"))?;
    let mut found = object!({
        "name": name::to_text(&wire),
        "type": rtype,
        "ttl": contents.ttl,
        "addresses": contents.addresses,
        "region": null,
        "scope": contents.scope,
        "why": said(contents.rcode),
    });
    let shown = name::to_text(&name::to_lower(&wire));
    if let Ok((steered, _)) = steered_index(&tables.zones, &shown) {
        explain(front, tables, query, (steered, &shown), &mut found);
    }
    Ok(found)
}

/// Says why a steered name has these addresses; if it is asked for a URL, the edge that holds it comes in their place.
fn explain(
    front: &Front,
    tables: &Tables,
    query: &Query,
    (steered, shown): (usize, &str),
    found: &mut Value,
) {
    let default = tables.policy.steered[steered].default_region;
    let default = &*tables.policy.regions[usize::from(default)].name;
    found["region"] = whoami::client_region(tables, query.client).unwrap_or(default).into();
    let path = query.path.as_deref().map(|path| path.split('?').next().unwrap_or_default());
    let by = match path {
        Some(path) => (By::Url, url_key(shown.trim_end_matches('.'), path)),
        None => (By::Client, 0),
    };
    match pick(front, tables, steered, query.client, query.family, by) {
        Some(pick) => {
            let is_static = front.moment().mode.is_static && path.is_none();
            found["why"] = match is_static {
                true => "static mode: edges of the default region, for every client".into(),
                false => pick.explain(tables).into(),
            };
            if path.is_some() {
                serve(front, tables, &pick);
                found["addresses"] = object!([pick.address]);
            }
        }
        None if found["ttl"].is_null() => {}
        None => found["why"] = "no edge has such an address".into(),
    }
}

fn said(rcode: Rcode) -> &'static str {
    match rcode {
        Rcode::NOERROR => "records of its zone, the same for every client",
        Rcode::NXDOMAIN => "there is no such name",
        Rcode::REFUSED => "it is in no zone of this server",
        Rcode::SERVFAIL => "no edge is up",
        _ => "it can't be answered",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let client: IpAddr = "192.0.2.7".parse().unwrap();
        let names = |count: usize| vec!["name=a"; count].join("&");
        for (text, expected, why) in [
            ("name=www.a.test", Ok((1, "192.0.2.7", Family::V4, None)), "one name"),
            ("name=a&name=b&ip=10.1.2.3", Ok((2, "10.1.2.3", Family::V4, None)), "for another"),
            ("ip=::ffff:10.1.2.3&name=a", Ok((1, "10.1.2.3", Family::V4, None)), "mapped"),
            ("name=a&ip=2001%3Adb8%3A%3A1", Ok((1, "2001:db8::1", Family::V4, None)), "encoded"),
            ("name=a&type=AAAA", Ok((1, "192.0.2.7", Family::V6, None)), "the type"),
            ("name=a&url=/x%3Fy", Ok((1, "192.0.2.7", Family::V4, Some("/x?y"))), "a path"),
            ("", Err("name is missing; allowed: name=NAME"), "nothing"),
            ("ip=10.1.2.3", Err("name is missing"), "no name"),
            ("name=a&ip=x", Err("ip: \"x\" is not an address"), "no address"),
            ("name=a&ip=10.1.2.0/24", Err("is not an address"), "a subnet"),
            ("name=a&type=MX", Err("\"type=MX\" is not understood"), "another type"),
            ("name=a&url=x", Err("\"url=x\" is not understood"), "no path"),
            ("name=a&colour=b", Err("\"colour=b\" is not understood"), "unknown"),
            (&names(32), Ok((32, "192.0.2.7", Family::V4, None)), "the most"),
            (&names(33), Err("one name too many"), "one more"),
        ] {
            let read = Query::read(text, client);
            match (read, expected) {
                (Ok(query), Ok((count, address, family, path))) => {
                    assert_eq!(query.names.len(), count, "{why}");
                    assert_eq!(query.client.to_string(), address, "{why}");
                    assert_eq!((query.family, query.path.as_deref()), (family, path), "{why}");
                }
                (Err(message), Err(part)) => assert!(message.contains(part), "{why}: {message}"),
                (read, _) => panic!("{why}: {:?}", read.map(|query| query.names)),
            }
        }
    }
}
