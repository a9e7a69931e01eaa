//! What one core owns, and what all cores share.

use crate::arena::{Arena, Pages};
use crate::background::BACKGROUND_MAX;
use crate::collapse::Collapse;
use crate::config::Config;
use crate::counters::Counters;
use crate::io::Io;
use crate::log::Log;
use crate::ram::RamTier;
use crate::ssd::{SsdTier, writer};
use crate::stored::{Description, StoredResponse};
use crate::upstream::addresses::Addresses;
use crate::upstream::fetch::connect;
use crate::upstream::pool::Pool;
use async_lock::Semaphore;
use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use crossbeam::utils::CachePadded;
use lastmile_http::head::FieldSpan;
use lastmile_tuning::policy::Enforcement;
use nix::sys::resource::{UsageWho, getrusage};
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// What waits to be written to an SSD takes at most one in so many octets of the RAM tier: it can't be evicted.
const SSD_OFFERS_ONE_IN: u64 = 16;
/// Responses that a worker reads from SSDs at a time, each with a buffer of 16 KiB to 1 MiB for its head. More wait.
const SSD_READS_MAX: usize = 64;
/// Parts of large contents, of at most 1 MiB, that a worker reads from SSDs at a time.
const SSD_PARTS_MAX: usize = 24;

/// How often a worker looks after its idle upstream connections.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// What all workers of an edge share.
pub struct Shared {
    pub(crate) config: Config,
    pub(crate) ram: Arc<RamTier<Description>>,
    pub(crate) collapse: Arc<Collapse>,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) ssd: Option<Arc<SsdTier>>,
    pub(crate) policy: Option<Arc<Enforcement>>,
    pages: Arc<Pages>,
    counters: Box<[CachePadded<Counters>]>,
    draining: Arc<AtomicBool>,
    connections: AtomicUsize,
    /// Workers that have served their last request.
    drained: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        addresses: Arc<Addresses>,
        policy: Option<Arc<Enforcement>>,
        draining: Arc<AtomicBool>,
    ) -> Arc<Self> {
        let workers = config.cores.numbers().len();
        let mut ram = RamTier::new(config.ram_octets);
        let offers_max = config.ram_octets / SSD_OFFERS_ONE_IN;
        let ssd = SsdTier::open(&config.ssd, config.ssd_admission, offers_max);
        if let Some(ssd) = &ssd {
            // Weakly: what is offered may refer to the RAM tier.
            let ssd = Arc::downgrade(ssd);
            ram = ram.observed(move |response| {
                if let Some(ssd) = ssd.upgrade() {
                    ssd.offer(response);
                }
            });
        }
        Arc::new(Self {
            ram: Arc::new(ram),
            ssd,
            collapse: Collapse::new(),
            addresses,
            policy,
            pages: Arc::new(Pages::new(config.arena)),
            counters: (0..workers).map(|_| CachePadded::default()).collect(),
            draining,
            connections: AtomicUsize::new(0),
            drained: AtomicUsize::new(0),
            config,
        })
    }

    /// What an edge with this configuration shares, for one that is not started by [`crate::start`]: the simulation.
    ///
    /// # Errors
    /// When the thread that looks names up can't be started.
    pub fn unstarted(config: Config) -> std::io::Result<Arc<Self>> {
        let (addresses, _) = Addresses::start(&config.upstreams, None, Arc::default())?;
        Ok(Self::new(config, addresses, None, Arc::default()))
    }

    /// Takes out of the store what `which` says of the variants of a key. Of what SSDs have under it, all goes: what a
    /// request selects is only known when it is read. Returns how many were in RAM.
    pub(crate) fn remove(
        &self,
        (hash, key): (u64, &[u8]),
        which: impl Fn(&StoredResponse) -> bool,
    ) -> usize {
        let Some(ssd) = &self.ssd else { return self.ram.remove(hash, key, which) };
        // Before, so that nothing is brought back into RAM; and behind, for what has left RAM meanwhile.
        ssd.remove(key);
        let removed = self.ram.remove(hash, key, which);
        ssd.remove(key);
        removed
    }

    /// Writes what is in RAM to the SSD tier, if there is one, and ends writing.
    pub fn stop_ssd(&self) {
        if let Some(ssd) = &self.ssd {
            ssd.stop();
        }
    }

    /// A worker has served its last request, or could not begin. When all have, what is in RAM is written to SSDs.
    pub(crate) fn worker_has_drained(&self) {
        if self.drained.fetch_add(1, Ordering::AcqRel) + 1 == self.counters.len() {
            self.stop_ssd();
        }
    }

    /// No new request is taken up; connections end after the one under way.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Counts a connection, unless there are as many as configured.
    pub(crate) fn connection_begins(&self) -> bool {
        let count = self.connections.fetch_add(1, Ordering::Relaxed);
        let allowed = count < self.config.connections_max;
        if !allowed {
            self.connection_ended();
        }
        allowed
    }

    pub(crate) fn connection_ended(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    fn log_dropped(&self) -> u64 {
        self.config.log.as_ref().map_or(0, Log::dropped)
    }

    /// Name, description and value of each counter and gauge. A name that ends in `_total` only grows.
    #[must_use]
    pub fn samples(&self) -> Vec<(&'static str, &'static str, u64)> {
        let mut samples = Counters::sum(self.counters.iter().map(|counters| &**counters));
        let ram = &self.ram;
        samples.extend([
            (
                "ram_octets",
                "Octets of memory that the RAM tier has, index, reservations and holes included.",
                ram.octets(),
            ),
            (
                "ram_holes_octets",
                "Octets in the RAM tier that are free between objects.",
                ram.holes_octets(),
            ),
            ("ram_capacity_octets", "Size of the RAM tier.", ram.capacity()),
            ("ram_objects", "Responses in the RAM tier.", ram.objects()),
            ("ram_evictions_total", "Responses evicted from the RAM tier.", ram.evictions()),
            (
                "arena_errors_total",
                "Large contents, or parts of them, that stayed on the heap because the arena had no memory.",
                self.pages.errors(),
            ),
            ("log_dropped_total", "Lines of the log that were lost.", self.log_dropped()),
        ]);
        samples.extend(self.policy.iter().flat_map(|policy| policy.samples()));
        samples.extend(self.ssd.iter().flat_map(|ssd| ssd.samples()));
        samples
    }
}

/// See [`Worker::begin_background`].
pub(crate) struct Background(Rc<Cell<usize>>);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Scratch space, reused from request to request.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) spans: Vec<FieldSpan>,
    pub(crate) key: Vec<u8>,
}

/// What one core owns.
pub struct Worker<I: Io> {
    pub(crate) io: I,
    pub(crate) shared: Arc<Shared>,
    pub(crate) pool: Pool<I::Stream>,
    /// Where it puts large contents.
    pub(crate) arena: Rc<Arena>,
    index: usize,
    /// Where the request at hand is understood, on whichever connection.
    pub(crate) scratch: RefCell<Scratch>,
    /// Who may read from SSDs.
    pub(crate) reads: Semaphore,
    /// Who may read a part of a large content.
    pub(crate) part_reads: Semaphore,
    /// Revalidations in the background.
    background: Rc<Cell<usize>>,
    /// Itself, for tasks that outlive the exchange that began them.
    handle: RefCell<Weak<Self>>,
}

impl<I: Io> Worker<I> {
    /// Worker number `index` of those that share `shared`.
    pub fn new(io: I, shared: Arc<Shared>, index: usize) -> Rc<Self> {
        let config = &shared.config;
        let pool = Pool::new(config.upstream_idle_max, config.timeouts.upstream_idle);
        let arena = Arena::new(Arc::clone(&shared.pages), config.by_reference_octets_min);
        let worker = Rc::new(Self {
            io,
            pool,
            arena,
            index,
            scratch: RefCell::default(),
            reads: Semaphore::new(SSD_READS_MAX),
            part_reads: Semaphore::new(SSD_PARTS_MAX),
            background: Rc::default(),
            handle: RefCell::default(),
            shared,
        });
        *worker.handle.borrow_mut() = Rc::downgrade(&worker);
        worker
    }

    pub(crate) fn name(&self) -> &str {
        &self.shared.config.name
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.shared.counters[self.index]
    }

    /// A place for a task in the background, held until it is dropped; `None` when there are too many.
    pub(crate) fn begin_background(&self) -> Option<Background> {
        let count = self.background.get();
        (count < BACKGROUND_MAX).then(|| {
            self.background.set(count + 1);
            Background(Rc::clone(&self.background))
        })
    }

    pub(crate) fn handle(&self) -> Rc<Self> {
        self.handle.borrow().upgrade().expect("a worker is only reached through its Rc")
    }

    /// Writes to those devices of the SSD tier that are this worker's, until all have drained or [`Shared::stop_ssd`].
    pub fn serve_ssd(self: &Rc<Self>) {
        let workers = self.shared.counters.len();
        let logs = self.shared.ssd.iter().flat_map(|ssd| ssd.logs()).enumerate();
        for (_, log) in logs.filter(|(number, _)| number % workers == self.index) {
            let (shared, rate) = (Arc::clone(&self.shared), self.shared.config.ssd_write_rate);
            let own = Arc::clone(log);
            let last = move || {
                let mut all = shared.ram.hottest_first();
                all.retain(|response| {
                    let ssd = shared.ssd.as_ref();
                    ssd.is_some_and(|ssd| ssd.is_for(&own, response.key()))
                });
                all
            };
            log.offers.set_has_writer();
            self.io.spawn(writer::run(self.io.clone(), Arc::clone(log), last, rate));
        }
    }

    /// Keeps the upstream connections warm: closes those that are old or closed by their servers, and opens one ahead
    /// of need where there is none.
    pub(crate) async fn tend_pool(self: Rc<Self>) {
        while !self.shared.is_draining() {
            if let Ok(usage) = getrusage(UsageWho::RUSAGE_THREAD) {
                let faults = u64::try_from(usage.major_page_faults()).unwrap_or(0);
                let known = self.counters().major_faults.value();
                self.counters().major_faults.add(faults.saturating_sub(known));
            }
            let peers = self.shared.addresses.all();
            self.pool.tidy(&peers, self.io.now(), self.counters());
            for peer in peers {
                if self.pool.idle_to(peer) < self.shared.config.upstream_warm
                    && let Ok(connection) = connect(&*self, peer).await
                {
                    self.pool.put(connection, self.io.now(), self.counters());
                }
            }
            self.io.sleep(TIDY_EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Upstream;
    use lastmile_tuning::cpu::Cores;
    use lastmile_tuning::policy::PolicyTable;

    #[test]
    fn the_readme_names_every_counter() {
        let upstream: Upstream = "http://127.0.0.1:1".parse().unwrap();
        let cores = Cores::first(1).unwrap();
        let shared =
            Shared::unstarted(Config::new("t".into(), vec![], vec![upstream], cores)).unwrap();
        let readme = include_str!("../README.md");
        let policy = Enforcement::start(PolicyTable::default(), []).unwrap();
        for (name, ..) in shared.samples().into_iter().chain(policy.samples()) {
            let name = name.split('{').next().unwrap();
            assert!(readme.contains(&format!("`{name}`")), "edge/README.md does not name {name}");
        }
    }
}
