//! Starting, running and stopping an origin: the listener, the threads, the connections.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use lastmile_tuning::policy::Enforcement;
use lastmile_tuning::socket::ListenOptions;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::config::{CONNECTIONS_MAX, Config, Source};
use crate::connection;
use crate::counters::Counters;
use crate::directory::Directory;
use crate::error::StartError;
use crate::exchange::Site;
use crate::journal::Journal;

/// Threads per serving thread that may read files at once. More only helps disks that serve many reads in parallel;
/// each costs a stack and one slice.
const READERS_MAX: usize = 16;

/// Serving threads. An origin is a tool for one machine; beyond this the configuration is a mistake.
const THREADS_MAX: usize = 64;

/// Pause after a failed accept, such as no descriptor left, which ends only when some connection does.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a file read that hangs may hold up the end of a thread.
const READERS_PATIENCE: Duration = Duration::from_millis(200);

/// A running origin. Dropping it stops it at once.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    journal: Journal,
    counters: Arc<Counters>,
    policy: Option<Arc<Enforcement>>,
    stop: watch::Sender<bool>,
    drain: watch::Sender<Duration>,
    threads: Vec<JoinHandle<()>>,
}

/// Binds, then serves in threads of its own until [`Origin::stop`].
///
/// # Errors
/// Misuse: a bound out of range, a directory that is missing or none, an address in use or not of this machine, a
/// journal that cannot be written. Failure: no descriptors or threads left. Nothing keeps running then.
pub fn start(config: Config) -> Result<Origin, StartError> {
    let Config { listen, source, max_age, journal, connections_max, idle_timeout, threads, .. } =
        config;
    check_range("connections_max", connections_max, CONNECTIONS_MAX)?;
    check_range("threads", threads, THREADS_MAX)?;
    if idle_timeout.is_zero() {
        return Err(StartError::misuse("origin: idle_timeout must be more than 0".to_owned()));
    }
    let (directory, synthetic) = match &source {
        Source::Directory(path) => (Some(open_directory(path)?), false),
        Source::Synthetic => (None, true),
        Source::Both(path) => (Some(open_directory(path)?), true),
    };
    let file = journal.as_deref().map(open_journal).transpose()?;
    let listener = bind(listen, &config.listener).map_err(|error| explain_bind(listen, &error))?;
    let policy = config.tcp_policy.map(|path| enforce(&path, &listener)).transpose()?;
    let policy = policy.map(Arc::new);
    let failed = |error: io::Error| StartError::failure(format!("origin: cannot start: {error}"));
    let address = listener.local_addr().map_err(failed)?;

    let counters = Arc::new(Counters::default());
    let journal = Journal::new(file, Arc::clone(&counters));
    let site = Arc::new(Site {
        directory: directory.map(Arc::new),
        synthetic,
        max_age,
        idle_timeout,
        journal: journal.clone(),
        counters: Arc::clone(&counters),
    });
    let (stop, stopping) = watch::channel(false);
    let (drain, draining) = watch::channel(Duration::ZERO);
    let mut origin =
        Origin { address, journal, counters, policy, stop, drain, threads: Vec::new() };
    let permits = Arc::new(Semaphore::new(connections_max));
    let numbers = Arc::new(AtomicU64::new(0));
    for index in 0..threads {
        let worker = Worker {
            listener: listener.try_clone().map_err(failed)?,
            site: Arc::clone(&site),
            policy: origin.policy.clone(),
            permits: Arc::clone(&permits),
            numbers: Arc::clone(&numbers),
            stopping: stopping.clone(),
            draining: draining.clone(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(READERS_MAX)
            .build()
            .map_err(failed)?;
        let thread = std::thread::Builder::new()
            .name(format!("origin-{index}"))
            .spawn(move || {
                runtime.block_on(worker.run());
                runtime.shutdown_timeout(READERS_PATIENCE);
            })
            .map_err(failed)?;
        origin.threads.push(thread);
    }
    Ok(origin)
}

impl Origin {
    /// The address it listens on, with the port that the kernel chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Name, help and value of every metric; a name that ends in `_total` is a counter, any other a gauge.
    #[must_use]
    pub fn samples(&self) -> Vec<(&'static str, &'static str, u64)> {
        let mut samples = self.counters.samples();
        samples.extend(self.policy.iter().flat_map(|policy| policy.samples()));
        samples
    }

    /// Whether it has a TCP policy.
    #[must_use]
    pub fn has_tcp_policy(&self) -> bool {
        self.policy.is_some()
    }

    /// Reads the file of the TCP policy again, and says how many prefixes it has; `None` if there is no such file.
    ///
    /// # Errors
    /// What is wrong with it; the policy stays as it is then.
    pub fn reload_tcp_policy(&self) -> Option<Result<usize, String>> {
        self.policy.as_ref().map(|policy| policy.reload())
    }

    /// A handle on the journal; it outlives the origin.
    #[must_use]
    pub fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// Accepts nothing more, closes idle connections, lets exchanges in progress finish for at most `drain`, cuts the
    /// rest, and returns when all threads have ended.
    pub fn stop(mut self, drain: Duration) {
        self.end(drain);
    }

    fn end(&mut self, drain: Duration) {
        self.drain.send_replace(drain);
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so on stderr, and there is nothing left to end.
            let _ = thread.join();
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// What one serving thread needs.
struct Worker {
    listener: TcpListener,
    site: Arc<Site>,
    policy: Option<Arc<Enforcement>>,
    permits: Arc<Semaphore>,
    numbers: Arc<AtomicU64>,
    stopping: watch::Receiver<bool>,
    draining: watch::Receiver<Duration>,
}

impl Worker {
    async fn run(mut self) {
        let mut connections = JoinSet::new();
        let mut stopping = self.stopping.clone();
        tokio::select! {
            _ = stopping.wait_for(|&stop| stop) => {}
            () = self.accept_all(&mut connections) => {}
        }
        let drain = *self.draining.borrow_and_update();
        let all = async { while connections.join_next().await.is_some() {} };
        // The time is over for those that are left: dropping them closes their connections.
        let _ = tokio::time::timeout(drain, all).await;
    }

    /// Accepts until it is dropped; waits while the number of connections is at its bound.
    async fn accept_all(&self, connections: &mut JoinSet<()>) {
        let listener = self.listener.try_clone().and_then(tokio::net::TcpListener::from_std);
        let Ok(listener) = listener else {
            self.site.counters.accept_failures.add(1);
            return;
        };
        loop {
            let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else { return };
            let Ok((stream, client)) = listener.accept().await else {
                self.site.counters.accept_failures.add(1);
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            if let Some(policy) = &self.policy {
                policy.apply(&stream, client.ip());
            }
            while connections.try_join_next().is_some() {}
            let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
            let site = Arc::clone(&self.site);
            let stopping = self.stopping.clone();
            connections.spawn(async move {
                let _open = Open::new(&site.counters);
                connection::serve(stream, client, number, Arc::clone(&site), stopping).await;
                drop(permit);
            });
        }
    }
}

/// Counts a connection as open while it lives.
struct Open<'a>(&'a Counters);

impl<'a> Open<'a> {
    fn new(counters: &'a Counters) -> Self {
        counters.connections.add(1);
        counters.connections_open.add(1);
        Self(counters)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.connections_open.subtract(1);
    }
}

fn check_range(name: &str, value: usize, max: usize) -> Result<(), StartError> {
    if (1..=max).contains(&value) {
        return Ok(());
    }
    Err(StartError::misuse(format!("origin: {name} is {value}; allowed: 1 to {max}")))
}

fn open_directory(path: &Path) -> Result<Directory, StartError> {
    Directory::open(path).map_err(|error| {
        StartError::misuse(format!(
            "origin: cannot serve directory {}: {error}; name a directory that can be read",
            path.display()
        ))
    })
}

fn open_journal(path: &Path) -> Result<File, StartError> {
    OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
        StartError::misuse(format!(
            "origin: cannot write the journal {}: {error}; name a file that can be written",
            path.display()
        ))
    })
}

fn enforce(path: &Path, listener: &TcpListener) -> Result<Enforcement, StartError> {
    let policy = Enforcement::of_file(path, [listener]).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => StartError::misuse(error.to_string()),
        _ => StartError::failure(format!("origin: the TCP policy: {error}")),
    })?;
    if let Some(how) = policy.shortcomings() {
        eprintln!("origin: {how}");
    }
    Ok(policy)
}

fn bind(address: SocketAddr, options: &ListenOptions) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    options.apply(&socket, address.ip())?;
    socket.bind(&address.into())?;
    socket.listen(options.backlog)?;
    Ok(socket.into())
}

fn explain_bind(address: SocketAddr, error: &io::Error) -> StartError {
    match error.kind() {
        io::ErrorKind::AddrInUse => StartError::misuse(format!(
            "origin: {address} is in use; stop what listens there or choose another address"
        )),
        io::ErrorKind::AddrNotAvailable => StartError::misuse(format!(
            "origin: {address} is not an address of this machine; choose one that is"
        )),
        io::ErrorKind::PermissionDenied => StartError::misuse(format!(
            "origin: no permission to listen on {address}; choose a port of 1024 or more"
        )),
        _ => StartError::failure(format!("origin: cannot listen on {address}: {error}")),
    }
}
