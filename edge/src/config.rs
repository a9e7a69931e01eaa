//! What an edge is told when it starts.

use crate::arena::{ArenaChoice, BY_REFERENCE_OCTETS_MIN};
use crate::io::choice::IoChoice;
use crate::log::Log;
use crate::site::Sites;
use crate::ssd::{Admission, SsdConfig};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use lastmile_http::head::HeadLimits;
use lastmile_tuning::cpu::Cores;
use lastmile_tuning::socket::{ListenOptions, SocketOptions};
use std::path::PathBuf;

/// Configuration of one edge (or parent: a parent is an edge whose upstream is the origin).
#[derive(Clone, Debug)]
pub struct Config {
    /// The name in Via and Cache-Status: a token (RFC 9110 §5.6.2) that no other cache on the path has.
    pub name: String,
    /// Where to listen, each on every core.
    pub listen: Vec<Listen>,
    /// Settings of sites.
    pub sites: Sites,
    /// Where each answered request is logged.
    pub log: Option<Log>,
    /// Where misses are sent; several are tried one after the other, starting with one chosen by the key's hash.
    pub upstreams: Vec<Upstream>,
    /// Size of the RAM tier in octets: heads, contents, index and responses that are still arriving.
    pub ram_octets: u64,
    /// Files and block devices of the SSD tier.
    pub ssd: Vec<SsdConfig>,
    /// Which responses are written there.
    pub ssd_admission: Admission,
    /// Octets written to each in a second at most.
    pub ssd_write_rate: Option<u64>,
    /// Where large contents lie.
    pub arena: ArenaChoice,
    /// Contents of so many octets and more are large.
    pub by_reference_octets_min: usize,
    /// A worker is pinned to each of these.
    pub cores: Cores,
    /// io_uring or epoll.
    pub io: IoChoice,
    /// The file of what connections get by the prefix of their other end.
    pub tcp_policy: Option<PathBuf>,
    /// Sizes of heads that are accepted.
    pub head_limits: HeadLimits,
    /// Client connections at a time, over all cores; more wait in the listen queue.
    pub connections_max: usize,
    /// How long each wait may take.
    pub timeouts: Timeouts,
    /// Idle connections kept to each upstream address, per core.
    pub upstream_idle_max: usize,
    /// Connections that each core opens to the upstream ahead of need.
    pub upstream_warm: usize,
}

/// A bound for each wait.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// A kept client connection between two requests.
    pub client_idle: Duration,
    /// From the first octet of a request to the end of its head (408 after that).
    pub client_head: Duration,
    /// Between two parts of a request's content.
    pub client_receive: Duration,
    /// Without progress in sending to a client.
    pub client_send: Duration,
    /// Opening a connection to an upstream.
    pub upstream_connect: Duration,
    /// Without progress in sending to an upstream.
    pub upstream_send: Duration,
    /// From the sent request to the response's head.
    pub upstream_head: Duration,
    /// Between two parts of a response's content.
    pub upstream_receive: Duration,
    /// An idle upstream connection is closed after this. Shorter than servers' own idle timeouts (nginx 75 s, hyper
    /// 60 s), so that we rarely meet a connection that its server is closing.
    pub upstream_idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            client_idle: Duration::from_secs(60),
            client_head: Duration::from_secs(10),
            client_receive: Duration::from_secs(30),
            client_send: Duration::from_secs(30),
            upstream_connect: Duration::from_secs(3),
            upstream_send: Duration::from_secs(30),
            upstream_head: Duration::from_secs(30),
            upstream_receive: Duration::from_secs(30),
            upstream_idle: Duration::from_secs(50),
        }
    }
}

impl Config {
    /// A configuration with defaults for all but what has none.
    #[must_use]
    pub fn new(
        name: String,
        listen: Vec<SocketAddr>,
        upstreams: Vec<Upstream>,
        cores: Cores,
    ) -> Self {
        Self {
            name,
            listen: listen.into_iter().map(Listen::from).collect(),
            sites: Sites::default(),
            log: None,
            upstreams,
            ram_octets: 256 << 20,
            ssd: Vec::new(),
            ssd_admission: Admission::default(),
            ssd_write_rate: None,
            arena: ArenaChoice::default(),
            by_reference_octets_min: BY_REFERENCE_OCTETS_MIN,
            cores,
            io: IoChoice::default(),
            tcp_policy: None,
            head_limits: HeadLimits::default(),
            connections_max: 10_000,
            timeouts: Timeouts::default(),
            upstream_idle_max: 64,
            upstream_warm: 1,
        }
    }
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// With port 0 the kernel chooses one.
    pub address: SocketAddr,
    /// Options of its listeners, and of the connections that they accept.
    pub options: ListenOptions,
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self { address, options: ListenOptions::default() }
    }
}

/// An upstream as users write it: `http://HOST[:PORT]`, where HOST is an address or a DNS name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The host: a literal address, or a name whose addresses are looked up again while the edge runs.
    pub host: Host,
    /// The port, 80 if not given.
    pub port: u16,
    /// Options of connections to it. Where several upstreams have an address in common, the first decides.
    pub socket: SocketOptions,
}

impl Upstream {
    /// An upstream with the options that sockets have by default.
    #[must_use]
    pub fn new(host: Host, port: u16) -> Self {
        Self { host, port, socket: SocketOptions::default() }
    }
}

/// The host of an [`Upstream`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An IPv4 or IPv6 address.
    Address(IpAddr),
    /// A DNS name.
    Name(String),
}

impl core::fmt::Display for Upstream {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match &self.host {
            Host::Address(address) => write!(f, "http://{}", SocketAddr::new(*address, self.port)),
            Host::Name(name) => write!(f, "http://{name}:{}", self.port),
        }
    }
}

impl core::str::FromStr for Upstream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{text:?}: {what}; write http://HOST or http://HOST:PORT");
        let authority = match text.split_once("://") {
            Some(("http", rest)) => rest.strip_suffix('/').unwrap_or(rest),
            Some((scheme, _)) => return Err(wrong(&format!("scheme {scheme:?} is not supported"))),
            None => return Err(wrong("the scheme is missing")),
        };
        if authority.contains(['/', '?', '#', '@']) {
            return Err(wrong("only a host and a port are allowed"));
        }
        if let Ok(address) = authority.parse::<SocketAddr>() {
            return Ok(Self::new(Host::Address(address.ip()), address.port()));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => {
                (host, port.parse().map_err(|_| wrong("the port is not a number up to 65535"))?)
            }
            _ => (authority, 80),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse() {
            return Ok(Self::new(Host::Address(address), port));
        }
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .bytes()
                    .all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
        };
        if host.len() > 253 || !host.trim_end_matches('.').split('.').all(label) {
            return Err(wrong("the host is neither an address nor a DNS name"));
        }
        Ok(Self::new(Host::Name(host.to_ascii_lowercase()), port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams() {
        for (text, expected, why) in [
            ("http://127.0.0.1:8000", Some("http://127.0.0.1:8000"), "address and port"),
            ("http://127.0.0.1", Some("http://127.0.0.1:80"), "default port"),
            ("http://[::1]:81/", Some("http://[::1]:81"), "IPv6, and a slash does no harm"),
            ("http://[::1]", Some("http://[::1]:80"), "IPv6 without a port"),
            ("http://Origin.example:8000", Some("http://origin.example:8000"), "a name"),
            ("https://origin.example", None, "TLS is not there yet"),
            ("origin.example", None, "no scheme"),
            ("http://origin.example/path", None, "a path would be ignored"),
            ("http://a..b", None, "an empty label"),
            ("http://h:99999", None, "no such port"),
            ("http://", None, "no host"),
        ] {
            let parsed = text.parse::<Upstream>().ok().map(|upstream| upstream.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}: {why}");
        }
    }
}
