//! Starting an edge, and ending it.

use crate::config::{Config, Listen};
use crate::io::choice::IoChoice;
use crate::io::clock::{Clock, TICK, start_ticking};
use crate::io::epoll::EpollIo;
use crate::io::machine::Machine;
use crate::io::mailbox::Mailbox;
use crate::io::ring::{self, RingIo};
use crate::io::sockets::Sockets;
use crate::listener::accept_all;
use crate::upstream::addresses::Addresses;
use crate::worker::{Shared, Worker};
use core::fmt;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use lastmile_http::fields::is_token;
use lastmile_tuning::policy::Enforcement;
use lastmile_tuning::{cpu, files, socket};
use socket2::SockRef;
use std::io as stdio;
use std::net::{Shutdown, TcpListener};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

/// How long the end of an edge waits for what is written to SSDs.
const SSD_END_MAX_MS: u64 = 60_000;

/// Why an edge did not start; one line that says what to do.
#[derive(Debug)]
pub struct StartError {
    kind: StartErrorKind,
    message: String,
}

/// Whose fault it is that an edge did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartErrorKind {
    /// What it was told can't be: an address in use, a name that is no token.
    Misuse,
    /// The machine did not give what it needs.
    Failure,
}

impl StartError {
    fn misuse(message: String) -> Self {
        Self { kind: StartErrorKind::Misuse, message }
    }

    fn failure(message: String) -> Self {
        Self { kind: StartErrorKind::Failure, message }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> StartErrorKind {
        self.kind
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StartError {}

/// A running edge. Dropped, it ends at once; [`Edge::stop`] lets it finish what is under way.
pub struct Edge {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    uring: bool,
    draining: Arc<AtomicBool>,
    drain_ms: Arc<AtomicU64>,
    /// For the clock and the resolver, which are needed until the workers have ended.
    stop_helpers: Arc<AtomicBool>,
    listeners: Vec<TcpListener>,
    workers: Vec<JoinHandle<()>>,
    helpers: Vec<JoinHandle<()>>,
}

/// Starts an edge: when this returns it is listening, and its workers run on their cores.
///
/// # Errors
/// [`StartErrorKind::Misuse`] for a bad configuration or an address in use, [`StartErrorKind::Failure`] for what the
/// machine denies.
pub fn start(config: Config) -> Result<Edge, StartError> {
    validate(&config)?;
    let uring = choose_io(config.io)?;
    let mut config = config;
    config.connections_max = affordable_connections(config.connections_max);
    let count = config.cores.numbers().len();
    let mut listeners = Vec::new();
    for Listen { address, options } in &config.listen {
        listeners.push(socket::listen(*address, count, options).map_err(|error| {
            let message = format!("edge: can't listen on {address}: {error}");
            match error.kind() {
                stdio::ErrorKind::AddrInUse
                | stdio::ErrorKind::AddrNotAvailable
                | stdio::ErrorKind::InvalidInput
                | stdio::ErrorKind::PermissionDenied => StartError::misuse(message),
                _ => StartError::failure(message),
            }
        })?);
    }
    let policy = enforce(&config, &listeners)?;
    launch(config, uring, listeners, policy)
        .map_err(|error| StartError::failure(format!("edge: can't start: {error}")))
}

fn validate(config: &Config) -> Result<(), StartError> {
    let problem = if !is_token(config.name.as_bytes()) {
        format!("name {:?} is not a token (letters, digits and -._~!#$%&'*+^`|)", config.name)
    } else if config.listen.is_empty() {
        "no address to listen on".to_owned()
    } else if config.upstreams.is_empty() {
        "no upstream".to_owned()
    } else if config.cores.numbers().is_empty() {
        "no core to run on".to_owned()
    } else {
        return Ok(());
    };
    Err(StartError::misuse(format!("edge: {problem}")))
}

fn choose_io(choice: IoChoice) -> Result<bool, StartError> {
    match (choice, ring::probe()) {
        (IoChoice::Epoll, _) => Ok(false),
        (_, Ok(())) => Ok(true),
        (IoChoice::Auto, Err(error)) => {
            eprintln!("edge: io_uring is not available ({error}); using epoll");
            Ok(false)
        }
        (IoChoice::Uring, Err(error)) => Err(StartError::failure(format!(
            "edge: io_uring is not available ({error}); kernel 6.1 or later and permission are needed, or --io epoll"
        ))),
    }
}

/// Puts the TCP policy in force, if there is one, before anything is accepted or opened.
fn enforce(
    config: &Config,
    listeners: &[Vec<TcpListener>],
) -> Result<Option<Arc<Enforcement>>, StartError> {
    for upstream in &config.upstreams {
        let misuse =
            |error| StartError::misuse(format!("edge: connections to {upstream}: {error}"));
        upstream.socket.probe().map_err(misuse)?;
    }
    let Some(path) = &config.tcp_policy else { return Ok(None) };
    let policy = Enforcement::of_file(path, listeners.iter().flatten());
    let policy = policy.map_err(|error| match error.kind() {
        stdio::ErrorKind::InvalidInput => StartError::misuse(error.to_string()),
        _ => StartError::failure(format!("edge: the TCP policy: {error}")),
    })?;
    if let Some(how) = policy.shortcomings() {
        eprintln!("edge: {how}");
    }
    Ok(Some(Arc::new(policy)))
}

/// As many connections as there are descriptors for: some are left for upstreams, which a busy edge has fewer of than
/// clients.
fn affordable_connections(wanted: usize) -> usize {
    let descriptors = match files::raise_limit() {
        Ok(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        Err(error) => {
            eprintln!("edge: can't raise the limit of open files: {error}");
            return wanted;
        }
    };
    let affordable = descriptors / 3 * 2;
    if affordable < wanted {
        eprintln!(
            "edge: {descriptors} open files allowed (ulimit -n): at most {affordable} connections instead of {wanted}"
        );
    }
    wanted.min(affordable)
}

fn launch(
    config: Config,
    uring: bool,
    listeners: Vec<Vec<TcpListener>>,
    policy: Option<Arc<Enforcement>>,
) -> stdio::Result<Edge> {
    let stop_helpers = Arc::new(AtomicBool::new(false));
    let draining = Arc::new(AtomicBool::new(false));
    let (upstreams, resolver) =
        Addresses::start(&config.upstreams, policy.clone(), Arc::clone(&stop_helpers))?;
    let sockets = Arc::new(Sockets { upstreams: Arc::clone(&upstreams), policy: policy.clone() });
    let addresses =
        listeners.iter().map(|group| group[0].local_addr()).collect::<Result<_, _>>()?;
    let shared = Shared::new(config, upstreams, policy, Arc::clone(&draining));
    let mut edge = Edge {
        addresses,
        uring,
        drain_ms: Arc::default(),
        stop_helpers: Arc::clone(&stop_helpers),
        listeners: Vec::new(),
        workers: Vec::new(),
        helpers: resolver.into_iter().collect(),
        shared: Arc::clone(&shared),
        draining,
    };
    let clock = Clock::new();
    let (ready, started) = mpsc::channel();
    let mut groups: Vec<_> = listeners.into_iter().map(Vec::into_iter).collect();
    let mut mailboxes = Vec::new();
    for (index, core) in shared.config.cores.numbers().iter().copied().enumerate() {
        let (mailbox, ear) = Mailbox::new(index)?;
        mailboxes.push(Arc::clone(&mailbox));
        let mut own = Vec::new();
        for listener in groups.iter_mut().filter_map(Iterator::next) {
            listener.set_nonblocking(true)?;
            edge.listeners.push(listener.try_clone()?);
            own.push(listener);
        }
        let (clock, ready) = (Arc::clone(&clock), ready.clone());
        let shared = Arc::clone(&shared);
        let drain_ms = Arc::clone(&edge.drain_ms);
        let sockets = Arc::clone(&sockets);
        let thread = std::thread::Builder::new().name(format!("worker-{core}"));
        edge.workers.push(thread.spawn(move || {
            if let Err(error) = cpu::pin_current_thread(core) {
                eprintln!("edge: can't pin a worker to core {core}: {error}; it runs where it may");
            }
            let life =
                Life { index, clock, ear, listeners: own, shared: Arc::clone(&shared), drain_ms };
            let ended = if uring {
                life.run::<RingIo>(mailbox, sockets, &ready)
            } else {
                life.run::<EpollIo>(mailbox, sockets, &ready)
            };
            // A ring that can't be made, or what the worker said when it began.
            if let Err(error) = ended {
                shared.worker_has_drained();
                let _ = ready.send(Err(error));
            }
        })?);
    }
    edge.helpers.push(start_ticking(clock, mailboxes, stop_helpers)?);
    for _ in 0..edge.workers.len() {
        started.recv().map_err(|_| stdio::Error::other("a worker ended at once"))??;
    }
    Ok(edge)
}

/// All that a worker's thread is given.
struct Life {
    index: usize,
    clock: Arc<Clock>,
    ear: UnixStream,
    listeners: Vec<TcpListener>,
    shared: Arc<Shared>,
    drain_ms: Arc<AtomicU64>,
}

impl Life {
    fn run<M: Machine>(
        self,
        mailbox: Arc<Mailbox>,
        sockets: Arc<Sockets>,
        ready: &mpsc::Sender<stdio::Result<()>>,
    ) -> stdio::Result<()> {
        let ready = ready.clone();
        M::run(Arc::clone(&self.clock), mailbox, sockets, |io: M| self.work(io, ready))
    }

    /// The life of a worker.
    async fn work<M: Machine>(self, io: M, ready: mpsc::Sender<stdio::Result<()>>) {
        let Self { index, clock, ear, listeners, shared, drain_ms } = self;
        let worker = Worker::new(io.clone(), Arc::clone(&shared), index);
        let mailbox_io = io.clone();
        let draining = Arc::clone(&shared);
        io.spawn(async move {
            if let Err(error) = mailbox_io.serve_mailbox(ear, &draining).await {
                eprintln!("edge: a worker can't hear its mailbox any more: {error}");
            }
        });
        io.spawn(Rc::clone(&worker).tend_pool());
        worker.serve_ssd();
        let accepting: stdio::Result<Vec<_>> = listeners.into_iter().map(M::listener).collect();
        match accepting {
            Ok(listeners) => {
                for listener in listeners {
                    io.spawn(accept_all(Rc::clone(&worker), listener));
                }
                let _ = ready.send(Ok(()));
            }
            Err(error) => {
                shared.worker_has_drained();
                let _ = ready.send(Err(error));
                return;
            }
        }
        drop(ready);
        while !shared.is_draining() {
            io.sleep(TICK).await;
        }
        let deadline = clock.elapsed_ms().saturating_add(drain_ms.load(Ordering::Relaxed));
        while worker.counters().connections.value() > 0 && clock.elapsed_ms() < deadline {
            io.sleep(TICK).await;
        }
        // Not before all have served their last request: what is changed until then is written, too.
        shared.worker_has_drained();
        let end = clock.elapsed_ms().saturating_add(SSD_END_MAX_MS);
        while shared.ssd.as_ref().is_some_and(|ssd| !ssd.is_stopped()) && clock.elapsed_ms() < end {
            io.sleep(TICK).await;
        }
        // Whoever has not got his whole response by now must not take it for whole.
        io.reset_all();
    }
}

impl Edge {
    /// Where it listens, in the order of the configuration, with the ports that the kernel has chosen.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Which of the kernel's interfaces it uses: `io_uring` or `epoll`.
    #[must_use]
    pub fn io_name(&self) -> &'static str {
        if self.uring { "io_uring" } else { "epoll" }
    }

    /// Name, description and value of each counter and gauge. A name that ends in `_total` only grows.
    #[must_use]
    pub fn samples(&self) -> Vec<(&'static str, &'static str, u64)> {
        self.shared.samples()
    }

    /// Whether it has a TCP policy.
    #[must_use]
    pub fn has_tcp_policy(&self) -> bool {
        self.shared.policy.is_some()
    }

    /// Reads the file of the TCP policy again, and says how many prefixes it has; `None` if there is no such file.
    ///
    /// # Errors
    /// What is wrong with it; the policy stays as it is then.
    pub fn reload_tcp_policy(&self) -> Option<Result<usize, String>> {
        self.shared.policy.as_ref().map(|policy| policy.reload())
    }

    /// Ends the edge: no new connection or request is taken up, and what is under way may take `drain` to end.
    pub fn stop(mut self, drain: Duration) {
        self.end(drain);
    }

    fn end(&mut self, drain: Duration) {
        let drain_ms = u64::try_from(drain.as_millis()).unwrap_or(u64::MAX);
        self.drain_ms.store(drain_ms, Ordering::Relaxed);
        self.draining.store(true, Ordering::SeqCst);
        for listener in self.listeners.drain(..) {
            // Ends the accept that waits on it. A listener that is gone needs no end.
            let _ = SockRef::from(&listener).shutdown(Shutdown::Both);
        }
        for worker in self.workers.drain(..) {
            // A worker that has panicked has said so.
            let _ = worker.join();
        }
        self.stop_helpers.store(true, Ordering::SeqCst);
        for helper in self.helpers.drain(..) {
            let _ = helper.join();
        }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}
