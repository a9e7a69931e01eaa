//! What an origin serves, where, and its bounds.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lastmile_tuning::socket::{ListenOptions, SocketOptions};

/// Connections open at once. Each may hold one head and two slices of content, about 0.3 MB, so this is some 300 MB at
/// the very worst. A parent keeps far fewer; more clients wait in the listener's queue and are not refused.
pub const CONNECTIONS_MAX: usize = 1024;

/// Octets of a request's head that are surely taken; from twice as many the answer is 431 (hyper looks at its buffer
/// between two reads). Larger than the 8-32 KiB that servers commonly take, so
/// that the edge's own limit is the one that tests meet first.
pub const HEAD_OCTETS_MAX: usize = 64 * 1024;

/// What an origin serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The files below this directory.
    Directory(PathBuf),
    /// Synthetic objects: `/bytes/SIZE[/NAME]` and `/echo`, see [`SYNTHETIC_HELP`](crate::SYNTHETIC_HELP).
    Synthetic,
    /// Synthetic objects below `/bytes/` and at `/echo`, the files below this directory everywhere else.
    Both(PathBuf),
}

/// Everything [`start`](crate::start) needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen; port 0 lets the kernel choose.
    pub listen: SocketAddr,
    /// What to serve.
    pub source: Source,
    /// `Cache-Control: max-age` of files, in seconds; `None` sends no Cache-Control and leaves caches to guess.
    pub max_age: Option<u32>,
    /// A file that also gets the journal, one JSON object per line, appended when the request has ended.
    pub journal: Option<PathBuf>,
    /// Connections open at once, 1 to [`CONNECTIONS_MAX`]; beyond them nothing is accepted until one ends.
    pub connections_max: usize,
    /// A connection on which nothing moves for this long is closed, unless a `delay=` or `pause=` makes it wait. A
    /// request's head must be complete within the same time.
    pub idle_timeout: Duration,
    /// Threads that serve, 1 or more; connections are spread over them.
    pub threads: usize,
    /// Options of the listener, and of the connections that it accepts.
    pub listener: ListenOptions,
    /// The file of what connections get by the prefix of their client.
    pub tcp_policy: Option<PathBuf>,
}

impl Config {
    /// The defaults: files may be kept for 60 seconds (short enough to see changes, long enough to see hits), no
    /// journal file, [`CONNECTIONS_MAX`] connections, 60 seconds of idleness, and at most two threads.
    #[must_use]
    pub fn new(listen: SocketAddr, source: Source) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            listen,
            source,
            max_age: Some(60),
            journal: None,
            connections_max: CONNECTIONS_MAX,
            idle_timeout: Duration::from_secs(60),
            // The origin is not what a CDN measures; two threads outrun any parent on a small machine.
            threads: cores.min(2),
            // A fault that a client asked for may take longer than an edge would wait.
            listener: ListenOptions { socket: SocketOptions::default(), ..Default::default() },
            tcp_policy: None,
        }
    }
}
