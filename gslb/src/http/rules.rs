//! What the zone file says about HTTP: which hosts and paths are redirected where, and whom to believe. Pure.

use crate::map::Prefix;
use crate::wire::subnet::mask;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Everything the front is told by the zone file; immutable.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) redirects: Vec<Redirect>,
    /// Hosts in lower case to their place in `redirects`.
    pub(crate) exact: HashMap<String, usize>,
    /// What follows `*.`, in lower case.
    pub(crate) below: HashMap<String, usize>,
    pub(crate) trusted: Trusted,
    /// Connections begin with the PROXY protocol.
    pub(crate) proxy_protocol: bool,
    pub(crate) client_field: ClientField,
    /// With it everything is HTTPS.
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    /// One-time names are one label below this, in lower case and wire form.
    pub(crate) whoami: Option<Box<[u8]>>,
}

/// Proxies that are believed when they say whom they speak for.
#[derive(Debug, Default)]
pub(crate) struct Trusted(pub(crate) Vec<Prefix>);

/// The field in which they say it. One of them only: a proxy that sets one lets a client's other one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ClientField {
    /// X-Forwarded-For.
    #[default]
    XForwardedFor,
    /// Forwarded (RFC 7239).
    Forwarded,
}

/// One host whose requests are sent to edges.
#[derive(Debug)]
pub(crate) struct Redirect {
    /// Whose edges they are: a place in [`crate::steer::Policy::steered`].
    pub(crate) steered: usize,
    pub(crate) paths: Vec<Pattern>,
    pub(crate) by: By,
    /// Where to.
    pub(crate) to: Template,
    pub(crate) otherwise: Otherwise,
}

/// What chooses among the edges of the client's region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The client, as for DNS.
    Client,
    /// The URL: one edge holds it, or several if it is hot.
    Url,
}

/// What a path gets that is not redirected to an edge.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// A redirect to the same host where edges are, as DNS says.
    Dns,
    /// A redirect to another host.
    Name(Template),
    /// 404 or 421.
    Status(u16),
}

/// A path with `*` for any octets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pattern(pub(crate) Box<[u8]>);

/// Where a Location leads: `scheme://host[:port][/prefix]`, in which the host may name the edge. The path and the
/// query of the request follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) is_https: bool,
    /// In lower case, with `{address}` or `{edge}` or neither.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    /// Empty, or `/` and more without a `/` at the end.
    pub(crate) prefix: String,
}

impl Rules {
    /// The redirect of a host in lower case, without port: its own, or that of the nearest `*.` above it.
    pub(crate) fn redirect(&self, host: &str) -> Option<&Redirect> {
        let exact = self.exact.get(host).copied();
        let index = exact.or_else(|| {
            let mut rest = host;
            loop {
                rest = rest.split_once('.')?.1;
                if let Some(&index) = self.below.get(rest) {
                    return Some(index);
                }
            }
        });
        self.redirects.get(index?)
    }
}

impl Redirect {
    /// Whether a path, without its query, is for edges.
    pub(crate) fn covers(&self, path: &str) -> bool {
        self.paths.iter().any(|pattern| pattern.matches(path.as_bytes()))
    }
}

impl Trusted {
    /// Whether an address (canonical: no IPv4 within IPv6) is one of theirs.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|prefix| {
            let (first, length) = prefix.parts();
            match (first, address) {
                (IpAddr::V4(first), IpAddr::V4(address)) => {
                    let bits = u128::from(first.to_bits() ^ address.to_bits()) << 96;
                    bits & mask(length, 32) == 0
                }
                (IpAddr::V6(first), IpAddr::V6(address)) => {
                    (first.to_bits() ^ address.to_bits()) & mask(length, 128) == 0
                }
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
            }
        })
    }
}

impl Pattern {
    /// Whether `path` is this, with any octets, or none, for each `*`. Takes pattern times path steps at most.
    fn matches(&self, path: &[u8]) -> bool {
        let pattern = &self.0;
        let (mut at, mut seen) = (0, 0);
        // Behind the last `*`, and where the octets begin that it does not stand for.
        let mut star: Option<(usize, usize)> = None;
        while seen < path.len() {
            if pattern.get(at) == Some(&b'*') {
                at += 1;
                star = Some((at, seen));
            } else if pattern.get(at) == Some(&path[seen]) {
                at += 1;
                seen += 1;
            } else if let Some((behind, from)) = star {
                (at, seen) = (behind, from + 1);
                star = Some((behind, from + 1));
            } else {
                return false;
            }
        }
        pattern[at..].iter().all(|&octet| octet == b'*')
    }
}

impl Template {
    /// The host with the edge put in.
    pub(crate) fn host(&self, edge: &str, address: Option<IpAddr>) -> String {
        let address = match address {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            Some(IpAddr::V4(address)) => address.to_string(),
            None => String::new(),
        };
        self.host.replace("{address}", &address).replace("{edge}", &edge.to_ascii_lowercase())
    }

    /// The authority: the host and, unless it is the scheme's own, the port.
    pub(crate) fn authority(&self, host: &str) -> String {
        match self.port {
            Some(port) if port != default_port(self.is_https) => format!("{host}:{port}"),
            Some(_) | None => host.to_owned(),
        }
    }

    /// The whole reference for a request of `path_and_query`.
    pub(crate) fn location(&self, host: &str, path_and_query: &str) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        format!("{scheme}://{}{}{path_and_query}", self.authority(host), self.prefix)
    }

    pub(crate) fn names_edge(&self) -> bool {
        self.host.contains("{edge}")
    }

    pub(crate) fn names_address(&self) -> bool {
        self.host == "{address}"
    }
}

/// RFC 9110 §4.2.1, §4.2.2.
pub(crate) fn default_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, path, expected, why) in [
            ("*", "/", true, "everything"),
            ("*.mp4", "/a/b.mp4", true, "a suffix, at any depth"),
            ("*.mp4", "/a/b.mp4/c", false, "not in the middle"),
            ("/videos/*", "/videos/", true, "a prefix and nothing behind it"),
            ("/videos/*", "/videos", false, "the slash belongs to it"),
            ("/a", "/a", true, "one path"),
            ("/a", "/ab", false, "and no longer one"),
            ("/a*b*c", "/axxbyybzzc", true, "each star as long as it must be"),
            ("/a*b*c", "/axxbyyb", false, "the end is missing"),
            ("**.gif", "/.gif", true, "two stars are one"),
            ("/A", "/a", false, "RFC 9110 §4.2.3: paths have case"),
        ] {
            let pattern_of = Pattern(pattern.as_bytes().into());
            assert_eq!(pattern_of.matches(path.as_bytes()), expected, "{pattern} {path}: {why}");
        }
    }

    #[test]
    fn trusted_prefixes() {
        let trusted = ["192.0.2.0/24", "2001:db8::/32", "10.1.1.1/32"];
        let trusted = Trusted(trusted.map(|prefix| prefix.parse().unwrap()).into());
        for (address, expected) in [
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("10.1.1.1", true),
            ("10.1.1.2", false),
            ("2001:db8:1::", true),
            ("2001:db9::", false),
            ("::ffff:192.0.2.1", false),
        ] {
            assert_eq!(trusted.has(address.parse().unwrap()), expected, "{address}");
        }
        assert!(!Trusted::default().has("127.0.0.1".parse().unwrap()), "nobody by default");
    }

    #[test]
    fn locations() {
        let template = |is_https, host: &str, port, prefix: &str| Template {
            is_https,
            host: host.to_owned(),
            port,
            prefix: prefix.to_owned(),
        };
        let address = Some("2001:db8::1".parse().unwrap());
        for (template, expected) in [
            (template(false, "{address}", Some(8080), ""), "http://[2001:db8::1]:8080/a?b"),
            (template(false, "{address}", Some(80), ""), "http://[2001:db8::1]/a?b"),
            (template(true, "{edge}.x.test", Some(443), "/y"), "https://e1.x.test/y/a?b"),
            (template(true, "{edge}.x.test", Some(80), ""), "https://e1.x.test:80/a?b"),
        ] {
            let host = template.host("e1", address);
            assert_eq!(template.location(&host, "/a?b"), expected);
        }
    }
}
