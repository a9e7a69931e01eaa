//! Start: load, bind, workers on each core; stop.

use crate::answer::Tables;
use crate::counters::{self, Counters, Sample, labelled};
use crate::dnssec::sign;
use crate::explain::{Explanation, Question, explain};
use crate::health::{Balanced, Checker};
use crate::http::{self, Http, Pairs};
use crate::limit::Limiter;
use crate::load::load;
use crate::log::{QueryLog, Sampler};
use crate::mode::Switch;
use crate::notify::Notifier;
use crate::pulse::{Pacemaker, Pulse};
use crate::renew::{self, Renewer};
use crate::rtt::keeper::Keeper;
use crate::steer::Policy;
use crate::succession::{given_up, keep_parts, retire, same_place};
use crate::tally::{Ledger, Tally};
use crate::wire::name;
use crate::worker::{Random, Stop, Worker};
use crate::{Config, ConfigError, StartError, Summary, tcp, transfer, udp};
use arc_swap::ArcSwap;
use lastmile_tuning::cpu::{self, Cores};
use lastmile_tuning::socket::{bind_udp, listen};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// With port 0, how many ports free for TCP are tried until one is free for UDP too. A loaded
/// machine may have a tenth of its ports taken; eight misses in a row are then one in a hundred
/// million.
const PORT_TRIES_MAX: usize = 8;
/// Workers on each core: UDP and TCP.
const WORKERS_EACH: usize = 2;

/// A running GSLB. Dropping it without [`Gslb::stop`] stops it without a drain time.
#[derive(Debug)]
pub struct Gslb {
    address: SocketAddr,
    config: Config,
    tables: Arc<ArcSwap<Tables>>,
    loaded: Mutex<Loaded>,
    measured: Keeper,
    reloads: AtomicU64,
    reloads_refused: AtomicU64,
    counters: Vec<Arc<Counters>>,
    ledger: Mutex<Ledger>,
    pulse: Arc<Pulse>,
    pacemaker: Option<Pacemaker>,
    stop: Stop,
    threads: Vec<JoinHandle<()>>,
    http: Option<Http>,
    /// With HTTP: who asked for one-time names.
    pairs: Option<Arc<Pairs>>,
}

/// What came of the files that were read last.
#[derive(Debug, Default)]
struct Loaded {
    summary: Summary,
    checker: Option<Checker>,
    notifier: Option<Arc<Notifier>>,
    renewer: Option<Renewer>,
}

/// Reads every file that `config` names and says what they hold; starts nothing.
///
/// # Errors
/// The first thing that is wrong, with file, line, key, value and what is allowed.
pub fn check(config: &Config) -> Result<Summary, ConfigError> {
    cores(config).map_err(|message| ConfigError { file: None, line: None, message })?;
    load(config).map(|(_, summary)| summary)
}

/// Loads everything, binds UDP and TCP, starts workers on each core, and returns.
///
/// # Errors
/// [`StartError`]; nothing is left running.
pub fn start(config: Config) -> Result<Gslb, StartError> {
    let cores =
        cores(&config).map_err(|message| ConfigError { file: None, line: None, message })?;
    let (mut tables, summary) = load_signed(&config)?;
    let count = cores.numbers().len();
    let (listeners, sockets) =
        bind(&config, count).map_err(|error| StartError::Bind(config.listen, error))?;
    let address = match sockets.first().map(UdpSocket::local_addr) {
        Some(Ok(address)) => address,
        Some(Err(error)) => return Err(StartError::Worker(error)),
        None => config.listen,
    };
    let limits = tcp::Limits {
        connections_max: (config.tcp_connections_max / count).max(1),
        idle_timeout: config.tcp_idle_timeout,
    };
    let http = bind_http(&config)?;
    // Besides those of DNS the one of the HTTP front.
    let workers = count * WORKERS_EACH + usize::from(http.is_some());
    tables.tally = Arc::new(Tally::new(&tables.policy, workers));
    let mut ledger = Ledger::default();
    ledger.replace(Arc::clone(&tables.tally));
    let checker = check_edges(&tables).map_err(StartError::Worker)?;
    let notifier = Arc::new(Notifier::start(address.ip()).map_err(StartError::Worker)?);
    let tables = Arc::new(ArcSwap::from_pointee(tables));
    let renewer = Renewer::start(Arc::clone(&tables), Arc::clone(&notifier));
    let renewer = Some(renewer.map_err(StartError::Worker)?);
    let mut gslb = Gslb {
        address,
        config,
        measured: Keeper::new(Arc::clone(&tables)),
        tables,
        loaded: Mutex::new(Loaded { summary, checker, notifier: Some(notifier), renewer }),
        reloads: AtomicU64::new(0),
        reloads_refused: AtomicU64::new(0),
        counters: Vec::new(),
        ledger: Mutex::new(ledger),
        pulse: Arc::new(Pulse::new()),
        pacemaker: None,
        stop: Stop::default(),
        threads: Vec::new(),
        pairs: http.as_ref().map(|_| Arc::default()),
        http: None,
    };
    if gslb.config.backup {
        gslb.set_modes(Some(Switch::On), None);
    }
    // An error drops `gslb`, which stops the threads that run already.
    for ((&core, socket), listener) in cores.numbers().iter().zip(sockets).zip(listeners) {
        gslb.spawn_udp(core, socket).map_err(StartError::Worker)?;
        gslb.spawn_tcp(core, listener, limits).map_err(StartError::Worker)?;
    }
    if let Some(listener) = http {
        gslb.start_http(listener).map_err(StartError::Worker)?;
    }
    let (pulse, tables) = (Arc::clone(&gslb.pulse), Arc::clone(&gslb.tables));
    let pacemaker = Pacemaker::start(pulse, tables, gslb.counters.clone());
    gslb.pacemaker = Some(pacemaker.map_err(StartError::Worker)?);
    gslb.loaded().notify(gslb.tables.load_full());
    Ok(gslb)
}

/// What [`load`] reads, signed.
fn load_signed(config: &Config) -> Result<(Tables, Summary), ConfigError> {
    let (mut tables, summary) = load(config)?;
    sign::sign_zones(&mut tables.zones, &tables.policy, renew::now())
        .map_err(|message| ConfigError { file: None, line: None, message })?;
    Ok((tables, summary))
}

/// Begins to check the edges that want it.
fn check_edges(tables: &Tables) -> io::Result<Option<Checker>> {
    let checked = tables.policy.edges.iter().filter_map(|edge| {
        edge.check.clone().map(|check| (edge.name.clone(), check, Arc::clone(&edge.state)))
    });
    let checked: Vec<_> = checked.collect();
    if checked.is_empty() {
        return Ok(None);
    }
    Checker::start(checked, Balanced::new(&tables.policy)).map(Some)
}

/// What is known of each edge, and how often it changed, by this name.
fn edge_samples(policy: &Policy, ledger: &Ledger) -> Vec<Sample> {
    let mut changes: BTreeMap<&str, u64> = ledger.changes().collect();
    for edge in &policy.edges {
        *changes.entry(&edge.name).or_default() += edge.state.changes();
    }
    let up = policy.edges.iter().map(|edge| {
        let name = labelled("lastmile_gslb_edge_up", &[("edge", &edge.name)]);
        (name, "Whether the edge is up (1) or down (0).", u64::from(edge.state.is_up()))
    });
    let changes = changes.into_iter().map(|(edge, count)| {
        let name = labelled("lastmile_gslb_edge_changes_total", &[("edge", edge)]);
        (name, "How often the edge went down or came up.", count)
    });
    up.chain(changes).collect()
}

/// The cores to run on; an error is about one that is not allowed.
fn cores(config: &Config) -> Result<Cores, String> {
    let failed = |error: io::Error| format!("gslb: sched_getaffinity: {error}");
    let Some(cores) = &config.cores else { return Cores::best_first().map_err(failed) };
    let allowed = Cores::allowed().map_err(failed)?;
    match cores.numbers().iter().find(|core| !allowed.numbers().contains(core)) {
        None => Ok(cores.clone()),
        Some(core) => {
            let allowed = allowed.numbers();
            Err(format!("gslb: cores: {core} is not usable; allowed: {allowed:?}"))
        }
    }
}

/// TCP and UDP on one port.
fn bind(config: &Config, count: usize) -> io::Result<(Vec<TcpListener>, Vec<UdpSocket>)> {
    let address = config.listen;
    let mut tries = 1;
    loop {
        let listeners = listen(address, count, &config.listener)?;
        let bound = match listeners.first() {
            Some(listener) => listener.local_addr()?,
            None => address,
        };
        match bind_udp(bound, count) {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse
                    && address.port() == 0
                    && tries < PORT_TRIES_MAX =>
            {
                tries += 1;
            }
            outcome => return outcome.map(|sockets| (listeners, sockets)),
        }
    }
}

impl Loaded {
    /// Secondaries learn what has changed.
    fn notify(&self, tables: Arc<Tables>) {
        if let Some(notifier) = &self.notifier {
            notifier.published(tables);
        }
    }
}

/// The listener of the HTTP front, if there is to be one.
fn bind_http(config: &Config) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = config.http else { return Ok(None) };
    let listeners = listen(address, 1, &config.listener);
    let mut listeners = listeners.map_err(|error| StartError::Bind(address, error))?;
    Ok(listeners.pop())
}

impl Gslb {
    /// Where it listens, UDP and TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it serves HTTP, if it does.
    #[must_use]
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(Http::address)
    }

    /// Lines `prefix,region` of resolvers whose clients were seen to be elsewhere than the map says; `None` without
    /// HTTP, where clients are seen.
    #[must_use]
    pub fn corrections(&self) -> Option<String> {
        self.http.as_ref().map(Http::corrections)
    }

    /// What was loaded.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.loaded().summary.clone()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads all files again, and answers from what they say now, from one query to the next; what is known of the
    /// health of an edge stays. If anything is wrong with them, nothing changes.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line, key, value and what is allowed.
    pub fn reload(&self) -> Result<Summary, ConfigError> {
        // One at a time.
        let mut loaded = self.loaded();
        let (mut tables, summary) = load_signed(&self.config).inspect_err(|_| {
            self.reloads_refused.fetch_add(1, Ordering::Relaxed);
        })?;
        let before = self.tables.load_full();
        tables.service.keep_secret(&before.service);
        let known: HashMap<_, _> =
            before.policy.edges.iter().map(|edge| (&edge.name, edge)).collect();
        // Nobody else has what has just been read.
        if let Some(policy) = Arc::get_mut(&mut tables.policy) {
            for edge in &mut policy.edges {
                let same = known.get(&edge.name).filter(|known| same_place(known, edge));
                if let Some(same) = same {
                    edge.state = Arc::clone(&same.state);
                }
            }
            keep_parts(&before.policy, policy);
        }
        tables.tally = Arc::new(Tally::new(&tables.policy, self.counters.len()));
        let tally = Arc::clone(&tables.tally);
        loaded.checker = None;
        let changes = given_up(&before.policy, &tables.policy);
        match check_edges(&tables) {
            Ok(checker) => loaded.checker = checker,
            Err(error) => eprintln!("gslb: edges are not checked any more: {error}"),
        }
        for zone in transfer::unannounced(&before.zones, &tables.zones) {
            let (apex, serial) = (name::to_text(&zone.apex), zone.serial());
            eprintln!("gslb: {apex} has changed, but not its serial {serial}: secondaries miss it");
        }
        let tables = Arc::new(tables);
        // Who asks for the counts meanwhile waits, so that none seems to go down.
        let mut ledger = self.ledger();
        self.measured.publish(&tables);
        for (edge, count) in changes {
            ledger.keep_changes(&edge, count);
        }
        ledger.replace(tally);
        drop(ledger);
        retire(before);
        loaded.notify(tables);
        loaded.summary = summary.clone();
        self.reloads.fetch_add(1, Ordering::Relaxed);
        Ok(summary)
    }

    /// Takes measured round-trip times in, lines of `prefix,target,rtt_ms` of at most [`crate::RTT_OCTETS_MAX`] octets,
    /// which count for as long as the zone file says. How many there were.
    ///
    /// # Errors
    /// The first line that is wrong, or what there would be too much of; none is taken then.
    pub fn measure(&self, csv: &str) -> Result<usize, String> {
        self.measured.post(csv)
    }

    /// Which answer a client gets, and why, by what is known now.
    ///
    /// # Errors
    /// Why there is nothing to say of the name.
    pub fn explain(&self, question: &Question) -> Result<Explanation, String> {
        explain(&self.tables.load(), self.pulse.moment().mode, question)
    }

    /// Sets which modes are on, those that are given, and says how it is then: `backup on (by request), static off
    /// (auto), 1200 queries/s`.
    pub fn set_modes(&self, backup: Option<Switch>, fixed: Option<Switch>) -> String {
        self.pulse.set(&self.tables.load().service.backup, backup, fixed)
    }

    /// The counters, summed over the cores, and what is known of regions and edges.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        // First, so that tables and counts are of the same moment.
        let mut ledger = self.ledger();
        let tables = self.tables.load();
        let edges = &tables.policy.edges;
        let down = edges.iter().filter(|edge| !edge.state.is_up()).count();
        let mut samples = counters::samples(self.counters.iter().map(AsRef::as_ref));
        samples.extend(self.pulse.samples());
        let map = &tables.policy.map;
        let others = [
            ("lastmile_gslb_prefixes", "Prefixes of the map.", map.prefixes() as u64),
            ("lastmile_gslb_map_octets", "Octets of the map.", map.octets() as u64),
            ("lastmile_gslb_edges", "Edges that are known.", edges.len() as u64),
            ("lastmile_gslb_edges_down", "Edges that are down.", down as u64),
            (
                "lastmile_gslb_reloads_total",
                "How often the files were read again.",
                self.reloads.load(Ordering::Relaxed),
            ),
            (
                "lastmile_gslb_reloads_refused_total",
                "How often they were not taken, something being wrong with them.",
                self.reloads_refused.load(Ordering::Relaxed),
            ),
            (
                "lastmile_gslb_log_dropped_total",
                "Lines of the query log that were lost.",
                self.config.log.as_ref().map_or(0, QueryLog::dropped),
            ),
            (
                "lastmile_gslb_signatures_expire_seconds",
                "Until when all DNSSEC signatures hold, in seconds since 1970; 0 without any.",
                sign::expiration(&tables.zones),
            ),
        ];
        let http = self.http.iter().flat_map(Http::samples);
        samples.extend(
            others.into_iter().chain(http).map(|(name, help, value)| (name.into(), help, value)),
        );
        samples.extend(edge_samples(&tables.policy, &ledger));
        samples.extend(ledger.samples());
        samples
    }

    /// Ends it: what has been received is answered, for at most `drain`.
    pub fn stop(mut self, drain: Duration) {
        self.end(drain);
    }

    fn end(&mut self, drain: Duration) {
        self.pacemaker = None;
        let mut loaded = self.loaded();
        loaded.checker = None;
        loaded.renewer = None;
        loaded.notifier = None;
        drop(loaded);
        let now = Instant::now();
        let deadline = *self.stop.get_or_init(|| now.checked_add(drain).unwrap_or(now));
        if let Some(http) = self.http.take() {
            // Ends beside the workers, which are told already.
            http.end(deadline);
        }
        for thread in self.threads.drain(..) {
            // A worker that panicked has already said so on stderr.
            let _ = thread.join();
        }
    }

    fn spawn_udp(&mut self, core: usize, socket: UdpSocket) -> io::Result<()> {
        udp::prepare(&socket)?;
        self.spawn("udp", core, move |worker| udp::run(&socket, worker))
    }

    fn spawn_tcp(
        &mut self,
        core: usize,
        listener: TcpListener,
        limits: tcp::Limits,
    ) -> io::Result<()> {
        let epoll = tcp::prepare(&listener)?;
        self.spawn("tcp", core, move |worker| tcp::run(listener, epoll, worker, limits))
    }

    fn start_http(&mut self, listener: TcpListener) -> io::Result<()> {
        let Some(pairs) = self.pairs.clone() else { return Ok(()) };
        let worker = self.worker();
        let limits = http::Limits {
            connections_max: self.config.http_connections_max,
            idle_timeout: self.config.tcp_idle_timeout,
        };
        self.http = Some(Http::start(listener, limits, worker, pairs)?);
        Ok(())
    }

    /// What the next worker works with.
    fn worker(&mut self) -> Worker {
        let counters = Arc::new(Counters::default());
        let number = self.counters.len();
        self.counters.push(Arc::clone(&counters));
        Worker {
            tables: Arc::clone(&self.tables),
            number,
            counters,
            stop: Arc::clone(&self.stop),
            // Of a hasher of its own: nobody learns it from random choices.
            limiter: Limiter::new(Random::new().next()),
            random: Random::new(),
            sampler: self.config.log.clone().map(|log| Sampler::new(log, Random::new())),
            pulse: Arc::clone(&self.pulse),
            pairs: self.pairs.clone(),
        }
    }

    fn spawn(
        &mut self,
        transport: &str,
        core: usize,
        run: impl FnOnce(Worker) + Send + 'static,
    ) -> io::Result<()> {
        let worker = self.worker();
        let thread = thread::Builder::new().name(format!("gslb-{transport}-{core}"));
        self.threads.push(thread.spawn(move || {
            // The core was allowed a moment ago; if it no longer is, any other serves as well.
            let _ = cpu::pin_current_thread(core);
            run(worker);
        })?);
        Ok(())
    }
}

impl Drop for Gslb {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}
