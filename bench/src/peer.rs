//! The caches that are compared: how each is started, what it says of a hit, which version it is.

pub(crate) mod lastmile;
mod nginx;

pub use nginx::configuration;

use crate::error::BenchError;
use crate::probe::Response;
use crate::process::{self, Program};
use serde::Serialize;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take until it accepts connections.
const START_MAX: Duration = Duration::from_secs(10);

/// Between two attempts to connect to a server that starts.
const CONNECT_EVERY: Duration = Duration::from_millis(10);

/// Where temporary directories go when it is there: memory, so that no peer waits for a disk.
const MEMORY: &str = "/dev/shm";

/// A cache that takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Peer {
    /// `lastmile edge`, by which the others are measured.
    Lastmile,
    /// Another `lastmile`, such as one built before a change.
    #[serde(rename = "lastmile-before")]
    Before,
    /// nginx with `proxy_cache` and `tcp_nopush on`, its best for small hits.
    Nginx,
    /// The same with `tcp_nopush off`, its best for large hits on loopback.
    #[serde(rename = "nginx-nopush-off")]
    NginxNopushOff,
}

/// All peers but another lastmile, which comes by its path; lastmile is the first, since ratios are to it.
pub const PEERS: &[Peer] = &[Peer::Lastmile, Peer::Nginx, Peer::NginxNopushOff];

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
    _directory: Option<TempDir>,
}

impl Server {
    /// The process group of all of its processes.
    #[must_use]
    pub fn group(&self) -> i32 {
        self.program.group()
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

    /// The program that must be installed, and the package of Debian that has it.
    #[must_use]
    pub fn needs(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Lastmile | Self::Before => None,
            Self::Nginx | Self::NginxNopushOff => Some((nginx::PROGRAM, nginx::PACKAGE)),
        }
    }

    /// Starts it as a cache of the origin, on the cores of this thread; it accepts connections when
    /// this returns.
    ///
    /// # Errors
    /// [`BenchError::Peer`] with the last that it said.
    pub fn start(self, ground: &Ground) -> Result<Server, BenchError> {
        match self {
            Self::Lastmile => lastmile::start_edge(ground, &ground.lastmile, self.name()),
            Self::Before => {
                let before = ground.before.as_deref().unwrap_or(&ground.lastmile);
                lastmile::start_edge(ground, before, self.name())
            }
            Self::Nginx => nginx::start(ground, "on"),
            Self::NginxNopushOff => nginx::start(ground, "off"),
        }
    }

    /// Whether the response was made without asking the origin, by what the peer says of it.
    #[must_use]
    pub fn is_hit(self, response: &Response) -> bool {
        match self {
            Self::Lastmile | Self::Before => lastmile::is_hit(response),
            Self::Nginx | Self::NginxNopushOff => {
                response.values("x-cache-status").any(|status| status == "HIT")
            }
        }
    }

    /// Its version in its own words.
    #[must_use]
    pub fn version(self, lastmile: &Path, before: Option<&Path>) -> String {
        match self {
            Self::Lastmile => first_line(Command::new(lastmile).arg("--version")),
            Self::Before => first_line(Command::new(before.unwrap_or(lastmile)).arg("--version")),
            Self::Nginx | Self::NginxNopushOff => {
                first_line(process::command(nginx::path()).arg("-v"))
            }
        }
    }
}

pub use lastmile::start_origin;

/// The first line that a program prints, wherever it prints it.
pub(crate) fn first_line(command: &mut Command) -> String {
    let printed = command.output().map(|output| [output.stdout, output.stderr].concat());
    let text = printed.map(|octets| String::from_utf8_lossy(&octets).into_owned());
    let line = text.as_deref().unwrap_or_default().lines().next().unwrap_or_default().trim();
    if line.is_empty() { "unknown".to_owned() } else { line.to_owned() }
}

/// A new directory for a peer, in memory where that can be had.
fn directory() -> Result<TempDir, BenchError> {
    let builder = || tempfile::Builder::new().prefix("lastmile-bench-").to_owned();
    let made = builder().tempdir_in(MEMORY).or_else(|_| builder().tempdir());
    made.map_err(|error| BenchError::Io("a temporary directory", error))
}

/// An address of loopback whose port is free now, for servers that can't be told to take any.
fn free_address() -> Result<SocketAddr, BenchError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| BenchError::Io("a free port", error))
}

/// Waits until `address` accepts connections; false when the program ends before, or takes too long.
/// A server does not say when it listens, so it is tried.
fn wait_until_it_accepts(program: &mut Program, address: SocketAddr) -> bool {
    let deadline = Instant::now() + START_MAX;
    while Instant::now() < deadline {
        if !matches!(program.child().try_wait(), Ok(None)) {
            return false;
        }
        if TcpStream::connect(address).is_ok() {
            return true;
        }
        std::thread::sleep(CONNECT_EVERY);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_found_by_their_names() {
        for peer in PEERS {
            assert_eq!(Peer::named(peer.name()), Ok(*peer));
        }
        let error = Peer::named("squirrel").unwrap_err();
        assert_eq!(error, "\"squirrel\" is not a peer; allowed: lastmile, nginx, nginx-nopush-off");
        assert_eq!(PEERS[0], Peer::Lastmile, "ratios are to the first");
    }

    #[test]
    fn versions_are_what_a_program_prints() {
        assert_eq!(first_line(process::command("echo").arg("one")), "one");
        assert_eq!(first_line(&mut Command::new("/no/such/program")), "unknown");
    }
}
