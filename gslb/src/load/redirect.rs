//! `[http]` and `[[redirect]]`: what the HTTP front does.

use super::file::{File, OnboardEntry, Source};
use super::steering::owned_node;
use crate::ConfigError;
use crate::explain::steered_index;
use crate::http::rules::{By, ClientField, Otherwise, Pattern, Redirect, Rules, Template};
use crate::steer::Policy;
use crate::wire::name;
use crate::wire::rtype;
use crate::zone::{Rdata, Zones};
use hyper::Uri;
use rustls::ServerConfig;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use toml::Spanned;

/// Patterns of one host: each is tried for each request.
const PATHS_MAX: usize = 64;
/// Octets of a pattern: matching takes up to so many steps for each octet of a path.
const PATH_OCTETS_MAX: usize = 256;
/// Proxies are a handful of networks, and each is compared for each request.
const TRUSTED_MAX: usize = 256;
/// RFC 1035 §2.3.4.
const LABEL_OCTETS_MAX: usize = 63;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RedirectEntry {
    host: Spanned<String>,
    steer: Option<Spanned<String>>,
    paths: Option<Spanned<Vec<Spanned<String>>>>,
    by: Option<Spanned<String>>,
    to: Option<Spanned<String>>,
    otherwise: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpEntry {
    #[serde(default)]
    trusted_proxies: Vec<Spanned<String>>,
    client_field: Option<Spanned<String>>,
    proxy_protocol: Option<Spanned<bool>>,
    certificate: Option<Spanned<PathBuf>>,
    key: Option<Spanned<PathBuf>>,
    whoami: Option<Spanned<String>>,
}

/// What the zone file says about HTTP. Names that lead to one edge get its addresses in their zones.
pub(super) fn read_http(
    source: &Source<'_>,
    file: &File,
    zones: &mut Zones,
    policy: &Policy,
) -> Result<Rules, ConfigError> {
    let mut rules = read_front(source, &file.http, zones)?;
    for entry in &file.redirect {
        let redirect = read_redirect(source, entry, &file.onboard, zones, policy)?;
        let host = host_text(source, &entry.host)?;
        let index = rules.redirects.len();
        let before = match host.strip_prefix("*.") {
            Some(rest) => rules.below.insert(rest.to_owned(), index),
            None => rules.exact.insert(host, index),
        };
        if before.is_some() {
            return Err(source.wrong("redirect.host", &entry.host, "is already redirected above"));
        }
        rules.redirects.push(redirect);
    }
    for (entry, redirect) in file.redirect.iter().zip(&rules.redirects) {
        refuse_loops(source, entry, redirect, &rules, policy)?;
    }
    let leads = |zones: &Zones, entry: &RedirectEntry| {
        steered_index(zones, entry.host.get_ref()).ok().map(|(steered, _)| steered)
    };
    let before: Vec<_> = file.redirect.iter().map(|entry| leads(zones, entry)).collect();
    for (entry, redirect) in file.redirect.iter().zip(&rules.redirects) {
        add_edge_names(source, entry, redirect, zones, policy)?;
    }
    // RFC 4592 §2.2.2: a name is there when one is below it, and then no wildcard stands for it.
    let mut all = file.redirect.iter().zip(before);
    if let Some((entry, _)) = all.find(|(entry, before)| leads(zones, entry) != *before) {
        let message = "is a wildcard's, which does not stand for it beside names of edges below it: \
                       give it a [[steer]] or a CNAME of its own";
        return Err(source.wrong("redirect.host", &entry.host, message));
    }
    Ok(rules)
}

fn read_front(
    source: &Source<'_>,
    entry: &HttpEntry,
    zones: &mut Zones,
) -> Result<Rules, ConfigError> {
    let mut rules = Rules::default();
    for (index, text) in entry.trusted_proxies.iter().enumerate() {
        let wrong = |message| source.wrong("http.trusted_proxies", text, message);
        if index >= TRUSTED_MAX {
            return Err(wrong("is one prefix too many; allowed: 256"));
        }
        rules.trusted.0.push(text.get_ref().parse().map_err(wrong)?);
    }
    rules.proxy_protocol = entry.proxy_protocol.as_ref().is_some_and(|value| *value.get_ref());
    if let (true, Some(value)) = (rules.proxy_protocol, &entry.proxy_protocol)
        && rules.trusted.0.is_empty()
    {
        let message = "needs `trusted_proxies`: nobody else is believed";
        return Err(source.wrong("http.proxy_protocol", value, message));
    }
    if let Some(field) = &entry.client_field {
        rules.client_field = match field.get_ref().to_ascii_lowercase().as_str() {
            "x-forwarded-for" => ClientField::XForwardedFor,
            "forwarded" => ClientField::Forwarded,
            _ => {
                let message = "is not allowed; allowed: X-Forwarded-For, Forwarded";
                return Err(source.wrong("http.client_field", field, message));
            }
        };
    }
    rules.tls = read_tls(source, entry)?;
    if let Some(whoami) = &entry.whoami {
        let wire = name::to_lower(&source.name("http.whoami", whoami)?);
        let wrong = |message: &str| source.wrong("http.whoami", whoami, message);
        let below: Box<[u8]> = [b"\x01*", &wire[..]].concat().into();
        let node = owned_node(zones, &below).map_err(wrong)?;
        if node.rrset(rtype::A).is_none() && node.rrset(rtype::AAAA).is_none() {
            return Err(wrong("needs records `*` below it with the addresses of this front"));
        }
        rules.whoami = Some(wire);
    }
    Ok(rules)
}

fn read_tls(
    source: &Source<'_>,
    entry: &HttpEntry,
) -> Result<Option<Arc<ServerConfig>>, ConfigError> {
    let (certificate, key) = match (&entry.certificate, &entry.key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(certificate), None) => {
            return Err(source.wrong("http.certificate", certificate, "needs `key`"));
        }
        (None, Some(key)) => return Err(source.wrong("http.key", key, "needs `certificate`")),
    };
    let no_pem = |key: &str, value: &Spanned<PathBuf>, error: PemError| {
        source.wrong(key, value, format!("is not read as PEM: {error}"))
    };
    let of_certificate = |error| no_pem("http.certificate", certificate, error);
    let path = source.directory.join(certificate.get_ref());
    let chain = CertificateDer::pem_file_iter(path).map_err(of_certificate)?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(of_certificate)?;
    let path = source.directory.join(key.get_ref());
    let secret = PrivateKeyDer::from_pem_file(path);
    let secret = secret.map_err(|error| no_pem("http.key", key, error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret));
    let mut config = config.map_err(|error| {
        source.wrong("http.certificate", certificate, format!("can't be used: {error}"))
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Arc::new(config)))
}

fn read_redirect(
    source: &Source<'_>,
    entry: &RedirectEntry,
    onboarded: &[OnboardEntry],
    zones: &Zones,
    policy: &Policy,
) -> Result<Redirect, ConfigError> {
    let host = host_text(source, &entry.host)?;
    // A customer's zone may be served elsewhere, with a CNAME that we have told.
    let customer = onboarded.iter().find(|onboard| {
        let customer = onboard.customer.get_ref().trim_end_matches('.');
        customer.eq_ignore_ascii_case(&host)
    });
    let host_leads =
        steered_index(zones, customer.map_or(&host, |onboard| onboard.cname.get_ref()));
    let is_steered = host_leads.is_ok();
    let steered = match &entry.steer {
        None => host_leads.map_err(|message| {
            let message = format!("leads to no edges ({message}); give `steer`, a steered name");
            source.wrong("redirect.host", &entry.host, message)
        }),
        Some(steer) => steered_index(zones, steer.get_ref()).map_err(|message| {
            source.wrong("redirect.steer", steer, format!("leads to no edges ({message})"))
        }),
    };
    let (steered, _) = steered?;
    let to = read_to(source, entry, policy)?;
    Ok(Redirect {
        steered,
        paths: read_paths(source, entry)?,
        by: match entry.by.as_ref().map(|by| (by, by.get_ref().as_str())) {
            None | Some((_, "client")) => By::Client,
            Some((_, "url")) => By::Url,
            Some((by, _)) => {
                let message = "is not allowed; allowed: client, url";
                return Err(source.wrong("redirect.by", by, message));
            }
        },
        otherwise: read_otherwise(source, entry, is_steered)?,
        to,
    })
}

fn read_paths(source: &Source<'_>, entry: &RedirectEntry) -> Result<Vec<Pattern>, ConfigError> {
    let Some(paths) = &entry.paths else { return Ok(vec![Pattern(b"*"[..].into())]) };
    let read = |(index, text): (usize, &Spanned<String>)| {
        let wrong = |message| Err(source.wrong("redirect.paths", text, message));
        let pattern = text.get_ref().as_bytes();
        if index >= PATHS_MAX {
            return wrong("is one too many; allowed: 64");
        }
        let is_printable = pattern.iter().all(u8::is_ascii_graphic);
        let is_path = matches!(pattern.first(), Some(b'/' | b'*')) && !pattern.contains(&b'?');
        if !is_path || !is_printable || pattern.len() > PATH_OCTETS_MAX {
            return wrong("is not a path such as /videos/* or *.mp4, of at most 256 octets");
        }
        Ok(Pattern(pattern.into()))
    };
    paths.get_ref().iter().enumerate().map(read).collect()
}

fn read_to(
    source: &Source<'_>,
    entry: &RedirectEntry,
    policy: &Policy,
) -> Result<Template, ConfigError> {
    let Some(to) = &entry.to else {
        let host = "{address}".to_owned();
        return Ok(Template { is_https: false, host, port: None, prefix: String::new() });
    };
    let wrong = |message: &str| source.wrong("redirect.to", to, message);
    let template = read_template(to.get_ref()).filter(|it| it.names_edge() || it.names_address());
    let template = template.ok_or_else(|| {
        wrong("is not a URL such as http://{address}:8080 or https://{edge}.www.customer.test")
    })?;
    if template.names_edge() {
        for edge in &policy.edges {
            let is_label = edge.name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
            if !is_label || edge.name.len() > LABEL_OCTETS_MAX {
                let message = format!("names edges, but {:?} is not part of a host", edge.name);
                return Err(wrong(&message));
            }
        }
    }
    Ok(template)
}

/// `dns`, a status, or a URL to which the path is added.
fn read_otherwise(
    source: &Source<'_>,
    entry: &RedirectEntry,
    is_steered: bool,
) -> Result<Otherwise, ConfigError> {
    let Some(said) = &entry.otherwise else {
        return Ok(if is_steered { Otherwise::Dns } else { Otherwise::Status(404) });
    };
    let wrong = |message| source.wrong("redirect.otherwise", said, message);
    match said.get_ref().as_str() {
        "dns" if is_steered => Ok(Otherwise::Dns),
        "dns" => Err(wrong("needs a host that DNS steers to edges")),
        "404" => Ok(Otherwise::Status(404)),
        "421" => Ok(Otherwise::Status(421)),
        url => match read_template(url).filter(|template| !template.host.contains('{')) {
            Some(template) => Ok(Otherwise::Name(template)),
            None => {
                Err(wrong("is not allowed; allowed: dns, 404, 421, http://HOST[:PORT][/PREFIX]"))
            }
        },
    }
}

/// A URL whose host may hold `{address}` or `{edge}`.
fn read_template(text: &str) -> Option<Template> {
    let plain = text.replace("{address}", "192.0.2.1").replace("{edge}", "e");
    let uri: Uri = plain.parse().ok().filter(|uri: &Uri| uri.query().is_none())?;
    let is_https = match uri.scheme_str()? {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    if plain.contains(['{', '}', '@', '#']) {
        return None;
    }
    let rest = text.split_once("://")?.1;
    let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let port = uri.port_u16();
    let host = if port.is_some() { authority.rsplit_once(':')?.0 } else { authority };
    let is_open = host.ends_with(':') || host.is_empty() || prefix.contains('{');
    let prefix = prefix.trim_end_matches('/').to_owned();
    (!is_open).then(|| Template { is_https, host: host.to_ascii_lowercase(), port, prefix })
}

/// Redirects that would lead to a host that is redirected; what is left can't loop (`http/redirect.rs`).
fn refuse_loops(
    source: &Source<'_>,
    entry: &RedirectEntry,
    redirect: &Redirect,
    rules: &Rules,
    policy: &Policy,
) -> Result<(), ConfigError> {
    if let (true, Some(to)) = (redirect.to.names_edge(), &entry.to) {
        let hosts = policy.edges.iter().map(|edge| redirect.to.host(&edge.name, None));
        if let Some(host) = hosts.into_iter().find(|host| rules.redirect(host).is_some()) {
            let message = format!("leads to {host}, which is redirected itself");
            return Err(source.wrong("redirect.to", to, message));
        }
    }
    if let (Otherwise::Name(name), Some(said)) = (&redirect.otherwise, &entry.otherwise)
        && rules.redirect(&name.host).is_some()
    {
        return Err(source.wrong("redirect.otherwise", said, "leads to a host that is redirected"));
    }
    Ok(())
}

/// Gives the names that lead to one edge its addresses, unless they have some or are in nobody's zone here.
fn add_edge_names(
    source: &Source<'_>,
    entry: &RedirectEntry,
    redirect: &Redirect,
    zones: &mut Zones,
    policy: &Policy,
) -> Result<(), ConfigError> {
    let (true, Some(to)) = (redirect.to.names_edge(), &entry.to) else { return Ok(()) };
    let ttl = policy.steered[redirect.steered].ttl;
    for edge in &policy.edges {
        let host = redirect.to.host(&edge.name, None);
        let wrong = |message: &str| source.wrong("redirect.to", to, format!("{host} {message}"));
        let owner = name::to_lower(&name::from_text(&host).map_err(|message| wrong(&message))?);
        if zones.zone_of(&owner).is_none() {
            continue;
        }
        let node = owned_node(zones, &owner).map_err(wrong)?;
        if node.steered.is_some() || node.rrset(rtype::CNAME).is_some() {
            return Err(wrong("is steered or a CNAME, but is to lead to one edge"));
        }
        if node.rrset(rtype::A).is_some() || node.rrset(rtype::AAAA).is_some() {
            continue;
        }
        for address in &edge.v4 {
            node.insert(rtype::A, ttl, Rdata::Octets(address.octets().into()));
        }
        for address in &edge.v6 {
            node.insert(rtype::AAAA, ttl, Rdata::Octets(address.octets().into()));
        }
    }
    Ok(())
}

/// A host in lower case, without the last dot.
fn host_text(source: &Source<'_>, value: &Spanned<String>) -> Result<String, ConfigError> {
    let wire = name::to_lower(&source.name("redirect.host", value)?);
    let host = name::to_text(&wire).trim_end_matches('.').to_owned();
    // Edges are reached by addresses: such a host could be one of theirs.
    match host.parse::<IpAddr>() {
        Ok(_) => Err(source.wrong("redirect.host", value, "is an address, not a name")),
        Err(_) => Ok(host),
    }
}

#[cfg(test)]
mod tests;
