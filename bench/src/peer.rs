//! The servers that are compared: how each is started and which version it is.
//!
//! * `place`, `installed`: a directory, an address and a filled-in configuration for programs of packages; `nginx`,
//!   `varnish`, `trafficserver`, `squid`, `haproxy`, `h2o`: what each of them needs. Their configurations are in
//!   `bench/peers/`.
//! * `gdnsd`, `knot`, `nsd`, `pdns`: the same for name servers (`bench dns`).
//! * `lastmile`: our own roles. `floor`: what this machine can do at most.

mod floor;
mod gdnsd;
mod h2o;
mod haproxy;
mod installed;
mod knot;
pub(crate) mod lastmile;
mod nginx;
mod nsd;
mod pdns;
mod place;
mod squid;
mod trafficserver;
mod varnish;

use crate::error::BenchError;
use crate::process::{self, Program};
use installed::Installed;
pub(crate) use installed::directory;
use lastmile_tuning::cpu::pin_current_thread;
use serde::{Serialize, Serializer};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// `lastmile edge`, by which the others are measured.
    Lastmile,
    /// Another `lastmile`, such as one built before a change.
    Before,
    /// nginx with `proxy_cache` and `tcp_nopush on`, its best for small hits.
    Nginx,
    /// The same with `tcp_nopush off`, its best for large hits on loopback.
    NginxNopushOff,
    /// nginx with the same objects as files.
    NginxStatic,
    /// HAProxy with its cache.
    Haproxy,
    /// Varnish.
    Varnish,
    /// Traffic Server.
    TrafficServer,
    /// Squid.
    Squid,
    /// h2o with the same objects as files.
    H2o,
    /// A responder on monoio.
    FloorMonoio,
    /// A responder on a bare io_uring.
    FloorUring,
    /// gdnsd, a name server that steers.
    Gdnsd,
    /// Knot DNS.
    Knot,
    /// NSD.
    Nsd,
    /// PowerDNS with zone files.
    Pdns,
}

/// What a peer can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything.
    Cache,
    /// What is there as a file; `proxy`: other things too, which it fetches and does not keep.
    Files {
        /// Whether it does.
        proxy: bool,
    },
    /// One object, whatever is asked for.
    Floor,
    /// Names: it speaks DNS.
    Names,
}

/// All peers but another lastmile, which comes by its path; lastmile is the first, since ratios are to it.
pub const PEERS: &[Peer] = &[
    Peer::Lastmile,
    Peer::Nginx,
    Peer::NginxNopushOff,
    Peer::NginxStatic,
    Peer::Haproxy,
    Peer::Varnish,
    Peer::TrafficServer,
    Peer::Squid,
    Peer::H2o,
    Peer::FloorMonoio,
    Peer::FloorUring,
];

/// Those of `bench dns`, lastmile's GSLB first.
pub const NAME_SERVERS: &[Peer] = &[Peer::Lastmile, Peer::Gdnsd, Peer::Knot, Peer::Nsd, Peer::Pdns];

/// What a peer needs to start.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The `lastmile` executable.
    pub lastmile: PathBuf,
    /// Another one, for [`Peer::Before`].
    pub before: Option<PathBuf>,
    /// Where the origin listens; name servers ask for none.
    pub origin: SocketAddr,
    /// Directory with the zone, for name servers.
    pub zone: Option<PathBuf>,
    /// The core that the server runs on.
    pub core: usize,
}

/// A server that runs until it is dropped, with its directory.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its processes. Before the directory, so that it is gone when that is removed.
    program: Program,
    files: Option<PathBuf>,
    directory: Option<TempDir>,
}

impl Server {
    /// The process group of all of its processes.
    #[must_use]
    pub fn group(&self) -> i32 {
        self.program.group()
    }

    /// The directory that a server of files serves.
    #[must_use]
    pub fn files(&self) -> Option<&Path> {
        self.files.as_deref()
    }

    /// Where it keeps what it keeps in files.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_ref().map(TempDir::path)
    }
}

impl Peer {
    /// What `--peer` and the report call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lastmile => "lastmile",
            Self::Before => "lastmile-before",
            Self::Nginx => "nginx",
            Self::NginxNopushOff => "nginx-nopush-off",
            Self::NginxStatic => "nginx-static",
            Self::Haproxy => "haproxy",
            Self::Varnish => "varnish",
            Self::TrafficServer => "trafficserver",
            Self::Squid => "squid",
            Self::H2o => "h2o",
            Self::FloorMonoio => "floor-monoio",
            Self::FloorUring => "floor-uring",
            Self::Gdnsd => "gdnsd",
            Self::Knot => "knot",
            Self::Nsd => "nsd",
            Self::Pdns => "pdns",
        }
    }

    /// The peer that `--peer` calls `name`.
    ///
    /// # Errors
    /// One line with the names that there are.
    pub fn named(name: &str) -> Result<Self, String> {
        among(PEERS, name)
    }

    /// The name server that `--peer` calls `name`.
    ///
    /// # Errors
    /// One line with the names that there are.
    pub fn name_server(name: &str) -> Result<Self, String> {
        among(NAME_SERVERS, name)
    }

    /// What it can be asked for.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Lastmile
            | Self::Before
            | Self::Nginx
            | Self::NginxNopushOff
            | Self::Haproxy
            | Self::Varnish
            | Self::TrafficServer
            | Self::Squid => Kind::Cache,
            Self::NginxStatic => Kind::Files { proxy: false },
            Self::H2o => Kind::Files { proxy: true },
            Self::FloorMonoio | Self::FloorUring => Kind::Floor,
            Self::Gdnsd | Self::Knot | Self::Nsd | Self::Pdns => Kind::Names,
        }
    }

    /// The package it comes from; `None` for what this executable or another lastmile does itself.
    fn installed(self) -> Option<&'static Installed> {
        match self {
            Self::Lastmile | Self::Before | Self::FloorMonoio | Self::FloorUring => None,
            Self::Nginx => Some(&nginx::NOPUSH),
            Self::NginxNopushOff => Some(&nginx::NOPUSH_OFF),
            Self::NginxStatic => Some(&nginx::FILES),
            Self::Haproxy => Some(&haproxy::HAPROXY),
            Self::Varnish => Some(&varnish::VARNISH),
            Self::TrafficServer => Some(&trafficserver::TRAFFIC_SERVER),
            Self::Squid => Some(&squid::SQUID),
            Self::H2o => Some(&h2o::H2O),
            Self::Gdnsd => Some(&gdnsd::NAMES),
            Self::Knot => Some(&knot::NAMES),
            Self::Nsd => Some(&nsd::NSD),
            Self::Pdns => Some(&pdns::PDNS),
        }
    }

    /// The program that must be installed, and the package of Debian that has it.
    #[must_use]
    pub fn needs(self) -> Option<(&'static str, &'static str)> {
        self.installed().map(|installed| (installed.program, installed.package))
    }

    /// Whether what it needs is there.
    #[must_use]
    pub fn is_there(self) -> bool {
        self.needs().is_none_or(|(program, _)| process::find(program).is_some())
    }

    /// Starts it as a cache of the origin, on the cores of this thread; it accepts connections when
    /// this returns. `octets`: what a floor answers with.
    ///
    /// # Errors
    /// [`BenchError::Peer`] with the last that it said.
    pub fn start(self, ground: &Ground, octets: usize) -> Result<Server, BenchError> {
        let name = self.name();
        if let Some(installed) = self.installed() {
            return installed.start(name, ground);
        }
        let before = ground.before.as_deref().unwrap_or(&ground.lastmile);
        match self {
            Self::FloorMonoio => floor::start(ground, name, "monoio", octets),
            Self::FloorUring => floor::start(ground, name, "uring", octets),
            Self::Before => lastmile::start_edge(ground, before, name),
            _ => lastmile::start_edge(ground, &ground.lastmile, name),
        }
    }

    /// Starts it as a name server of the ground's zone, on the cores of this thread; it accepts connections over TCP
    /// when this returns. `subnets`: with the map of subnets, for those that [steer](Self::steers).
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub fn start_names(self, ground: &Ground, subnets: bool) -> Result<Server, BenchError> {
        let installed = match (self, subnets) {
            (Self::Gdnsd, true) => &gdnsd::SUBNETS,
            (Self::Knot, true) => &knot::SUBNETS,
            _ => match self.installed() {
                Some(installed) => installed,
                None => return lastmile::start_gslb(ground, self.name(), subnets),
            },
        };
        installed.start(self.name(), ground).map_err(|error| match error {
            BenchError::Peer { peer, what } => {
                let package = installed.package;
                BenchError::Peer { peer, what: format!("{what} (packages: {package})") }
            }
            other => other,
        })
    }

    /// Whether it chooses answers by the client's subnet out of a list of prefixes.
    #[must_use]
    pub fn steers(self) -> bool {
        matches!(self, Self::Lastmile | Self::Gdnsd | Self::Knot)
    }

    /// Its version in its own words.
    #[must_use]
    pub fn version(self, lastmile: &Path, before: Option<&Path>) -> String {
        if let Some(installed) = self.installed() {
            return first_line(installed.command().arg(installed.version));
        }
        let own = if self == Self::Before { before.unwrap_or(lastmile) } else { lastmile };
        first_line(Command::new(own).arg("--version"))
    }
}

impl Serialize for Peer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

fn among(peers: &[Peer], name: &str) -> Result<Peer, String> {
    peers.iter().copied().find(|peer| peer.name() == name).ok_or_else(|| {
        let names: Vec<_> = peers.iter().map(|peer| peer.name()).collect();
        format!("{name:?} is not a peer; allowed: {}", names.join(", "))
    })
}

/// Those of `peers` that are there; of the others, a warning.
pub(crate) fn present(peers: &[Peer], warnings: &mut Vec<String>) -> Vec<Peer> {
    let (present, missing): (Vec<Peer>, Vec<Peer>) = peers.iter().partition(|peer| peer.is_there());
    warnings.extend(missing.iter().filter_map(|peer| {
        let (program, package) = peer.needs()?;
        let name = peer.name();
        Some(format!("{name} is left out: no {program} here: apt-get install {package}"))
    }));
    present
}

/// Calls `start` on `core`, which programs inherit from the thread that starts them; then goes back to the core `load`.
pub(crate) fn on_core<T>(
    core: usize,
    load: usize,
    start: impl FnOnce() -> Result<T, BenchError>,
) -> Result<T, BenchError> {
    let pinning = |error| BenchError::Io("pinning to a core", error);
    pin_current_thread(core).map_err(pinning)?;
    let started = start();
    pin_current_thread(load).map_err(pinning)?;
    started
}

/// The first line that a program prints, wherever it prints it.
pub(crate) fn first_line(command: &mut Command) -> String {
    let printed = command.output().map(|output| [output.stdout, output.stderr].concat());
    let text = printed.map(|octets| String::from_utf8_lossy(&octets).into_owned());
    let line = text.as_deref().unwrap_or_default().lines().next().unwrap_or_default().trim();
    if line.is_empty() { "unknown".to_owned() } else { line.to_owned() }
}

#[cfg(test)]
mod tests;
