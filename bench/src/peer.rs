//! The servers that are compared: how each is started and which version it is.
//!
//! * `place`, `installed`: a directory, an address and a filled-in configuration for programs of packages; `nginx`,
//!   `varnish`, `trafficserver`, `squid`, `haproxy`, `h2o`: what each of them needs. Their configurations are in
//!   `bench/peers/`.
//! * `lastmile`: our own roles. `floor`: what this machine can do at most.

mod floor;
mod h2o;
mod haproxy;
mod installed;
pub(crate) mod lastmile;
mod nginx;
mod place;
mod squid;
mod trafficserver;
mod varnish;

use crate::error::BenchError;
use crate::process::{self, Program};
use installed::Installed;
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

/// What a peer needs to start.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The `lastmile` executable.
    pub lastmile: PathBuf,
    /// Another one, for [`Peer::Before`].
    pub before: Option<PathBuf>,
    /// Where the origin listens.
    pub origin: SocketAddr,
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
        }
    }

    /// The peer that `--peer` calls `name`.
    ///
    /// # Errors
    /// One line with the names that there are.
    pub fn named(name: &str) -> Result<Self, String> {
        PEERS.iter().copied().find(|peer| peer.name() == name).ok_or_else(|| {
            let names: Vec<_> = PEERS.iter().map(|peer| peer.name()).collect();
            format!("{name:?} is not a peer; allowed: {}", names.join(", "))
        })
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

/// The first line that a program prints, wherever it prints it.
pub(crate) fn first_line(command: &mut Command) -> String {
    let printed = command.output().map(|output| [output.stdout, output.stderr].concat());
    let text = printed.map(|octets| String::from_utf8_lossy(&octets).into_owned());
    let line = text.as_deref().unwrap_or_default().lines().next().unwrap_or_default().trim();
    if line.is_empty() { "unknown".to_owned() } else { line.to_owned() }
}

#[cfg(test)]
mod tests;
