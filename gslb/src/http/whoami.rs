//! A request for a one-time name: who asked DNS for it, and who comes with it, are a resolver and its client.

use super::respond::json;
use super::{Front, pick};
use crate::answer::Tables;
use crate::wire::name;
use crate::wire::subnet::Client;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use serde_json::json as object;
use std::net::IpAddr;

/// Whether `host` (in lower case) is a name one label below that for pairs; if so, in wire form.
pub(super) fn one_time_name(tables: &Tables, host: &str) -> Option<Box<[u8]>> {
    let suffix = tables.front.whoami.as_deref()?;
    let wire = name::to_lower(&name::from_text(host).ok()?);
    (name::parent(&wire)? == suffix).then_some(wire)
}

/// Counts the pair and says what is known of it.
pub(super) fn answer(
    front: &Front,
    tables: &Tables,
    name: &[u8],
    client: IpAddr,
) -> Response<Full<Bytes>> {
    let counters = &front.counters;
    let client_region = client_region(tables, client);
    let Some(asker) = front.pairs.take(name) else {
        counters.no_name.count();
        let message = "nobody asked DNS for this name within the last minute; each counts once";
        let found = object!({ "client": client, "client_region": client_region, "error": message });
        return json(StatusCode::NOT_FOUND, &found);
    };
    let resolver_region = resolver_region(tables, asker.resolver);
    match client_region {
        _ if asker.tells_subnet => counters.tells_subnet.count(),
        None => counters.no_region.count(),
        Some(client_region) => {
            let resolver = (asker.resolver, resolver_region);
            let outcome = front.corrections().count(resolver, (client, client_region));
            counters.count_pair(outcome);
        }
    }
    let found = object!({
        "client": client,
        "client_region": client_region,
        "resolver": asker.resolver,
        "resolver_region": resolver_region,
        "resolver_tells_subnet": asker.tells_subnet,
        "agrees": client_region == resolver_region,
    });
    json(StatusCode::OK, &found)
}

/// The region of a client that is known by its own address.
pub(super) fn client_region(tables: &Tables, address: IpAddr) -> Option<&str> {
    region(tables, &pick::client(address))
}

/// The region that the clients of a resolver are taken to be in when it does not tell their subnets.
pub(super) fn resolver_region(tables: &Tables, address: IpAddr) -> Option<&str> {
    region(tables, &Client::new(None, address))
}

fn region<'t>(tables: &'t Tables, client: &Client) -> Option<&'t str> {
    let (found, _) = tables.policy.locate(client);
    Some(&tables.policy.regions[usize::from(found.region?)].name)
}
