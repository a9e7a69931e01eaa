//! What happens in a run: the site that a seed builds, what its clients do, and what must be so when all is over.

mod scripted;
mod weather;

use crate::ask::{Answer, Ask};
use crate::catalogue::{CATALOGUE, Requested, Resource};
use crate::choice::{Choice, Known, focus};
use crate::client::{Client, Reading, Stop};
use crate::disk::{Disk, DiskFaults};
use crate::journal::Journal;
use crate::net::{Faults, Net, SimIo};
use crate::oracle::{Facts, STALE_FETCH_MS, judge};
use crate::origin::{Manners, Origin};
use crate::settings::Settings;
use crate::world::World;
use core::cell::{Cell, RefCell};
use core::net::SocketAddr;
use lastmile_edge::Config;
use lastmile_edge::arena::{ArenaChoice, BY_REFERENCE_OCTETS_MIN};
use lastmile_edge::connection::serve;
use lastmile_edge::ssd::{Admission, SsdConfig, device};
use lastmile_edge::worker::{Shared, Worker};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use weather::{CALM, POLITE, faults, manners};

/// How far a node's clock may be off.
const SKEW_MS_MAX: u64 = 60_000;
/// A quarter of it is the largest object: pictures fit into the second, all of them into the third, the movie never.
const RAM_OCTETS: [u64; 3] = [256 << 10, 512 << 10, 16 << 20];
const WORKERS: usize = 2;
/// The smallest: segments go round and round.
const SSD_OCTETS: u64 = device::OCTETS_MIN;
const DEAD_DISK: DiskFaults = DiskFaults { fails: 1000, tears: 0, flips: 0, delay_ms_max: 0 };
const BAD_DISK: DiskFaults = DiskFaults { fails: 20, tears: 50, flips: 50, delay_ms_max: 200 };

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Nothing goes wrong: every response is whole and the origin's.
    Calm,
    /// Nothing goes wrong and all ask for the same.
    Together,
    /// All ask for something stale that may be used while it is revalidated.
    Crowd,
    /// Nothing goes wrong but that the origin is not well for spells.
    Flapping,
    /// The same, step by step: what is used instead of an error, and what is not.
    Failing,
    /// A change at the origin invalidates what it names and nothing else.
    Changing,
    /// Changes while many ask for the same, each in his own way.
    Racing,
    /// Everything goes wrong.
    Storm,
    /// A content larger than the store, for a fast and a slow client.
    Flood,
}

impl Kind {
    const OF_SEED: [Self; 20] = {
        use Kind::{Calm, Changing, Crowd, Failing, Flapping, Racing, Storm, Together};
        [
            Calm, Calm, Together, Storm, Storm, Flapping, Racing, Storm, Failing, Crowd, Changing,
            Storm, Calm, Flapping, Storm, Together, Racing, Storm, Storm, Storm,
        ]
    };

    fn of(seed: u64) -> Self {
        match seed % 40 {
            39 => Self::Flood,
            other => Self::OF_SEED[(other % 20) as usize],
        }
    }

    /// Whether each step counts, so that clocks agree and nothing is evicted.
    fn is_scripted(self) -> bool {
        match self {
            Self::Together | Self::Crowd | Self::Failing | Self::Changing => true,
            Self::Calm | Self::Flapping | Self::Racing | Self::Storm | Self::Flood => false,
        }
    }
}

/// What a run has come to.
pub struct Outcome {
    pub trace: u64,
    pub violations: Vec<String>,
    pub counters: BTreeMap<&'static str, u64>,
    /// 103 (Early Hints) and 100 (Continue) that clients got.
    pub interim: u64,
}

/// Name, description and value of each counter of a node.
type Samples = Vec<(&'static str, &'static str, u64)>;

/// A running site.
struct Site {
    kind: Kind,
    world: World,
    net: Net,
    origin: Rc<Origin>,
    edge: RefCell<Option<Arc<Shared>>>,
    parent: RefCell<Option<Arc<Shared>>>,
    /// What each node is started with.
    nodes: Vec<Node>,
    /// What nodes had counted when they ended.
    counted: RefCell<BTreeMap<&'static str, u64>>,
    disk: Disk,
    /// Where the disks are.
    _directory: tempfile::TempDir,
    faults: Faults,
    manners: Manners,
    settings: Settings,
    focus: Vec<&'static Resource>,
    journal: RefCell<Journal>,
    interim: Cell<u64>,
    synchronous: bool,
}

fn address(node: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, node], 80))
}

const ORIGIN: u8 = 1;
const PARENT: u8 = 2;
const EDGE: u8 = 3;
const FIRST_CLIENT: u8 = 10;

/// Runs the scenario of `seed` to its end.
pub fn run(seed: u64) -> Outcome {
    let world = World::new(seed);
    let kind = Kind::of(seed);
    let site = Rc::new(Site::build(&world, kind));
    let empty = site.warm_up();
    match kind {
        Kind::Storm => site.wander(),
        Kind::Calm => {
            site.wander();
            site.talk_nonsense();
        }
        Kind::Flapping => {
            site.wander();
            site.flap();
        }
        Kind::Racing => site.race(),
        Kind::Together => site.together(),
        Kind::Crowd => site.crowd(),
        Kind::Failing => site.fail(),
        Kind::Changing => site.change(),
        Kind::Flood => site.flood(),
    }
    world.run();
    if site.has_ssd() && !kind.is_scripted() && kind != Kind::Flood {
        match world.chance(500) {
            true => site.stop_writing(),
            false => world.end(),
        }
        site.restart();
        site.wander();
        world.run();
    }
    site.stop_writing();
    site.judge_idle();
    site.clear_store();
    world.run();
    site.judge_empty(&empty);
    site.count();
    let counters = site.counted.take();
    let (trace, interim) = (world.trace_hash(), site.interim.get());
    let outcome = Outcome { trace, violations: world.violations(), counters, interim };
    site.net.end();
    world.end();
    outcome
}

impl Site {
    fn build(world: &World, kind: Kind) -> Self {
        let faults = if kind == Kind::Flood { CALM } else { faults(world, kind == Kind::Storm) };
        let mut manners = manners(world, kind == Kind::Storm);
        if kind == Kind::Changing {
            // A POST can't be repeated when the origin turns out to have closed without a word.
            manners.closes = 0;
        }
        let net = Net::new(world.clone(), CALM);
        let origin = Origin::start(world, &net, address(ORIGIN), POLITE);
        let ram_octets = *world.pick(&RAM_OCTETS);
        let ram_octets = if kind.is_scripted() { RAM_OCTETS[2] } else { ram_octets };
        let settings = Settings::random(world);
        let mut synchronous = true;
        let has_ssd = world.chance(300);
        // In memory, where that is a file system: a real disk has its moods.
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let disk = Disk::new(world, DiskFaults::default());
        let mut nodes = Vec::new();
        for (name, number, upstream) in [("parent", PARENT, ORIGIN), ("edge", EDGE, PARENT)] {
            let skewed = !kind.is_scripted() && kind != Kind::Flood && world.chance(500);
            let skew = if skewed { world.random(2 * SKEW_MS_MAX) } else { SKEW_MS_MAX };
            let skew_ms = skew as i64 - SKEW_MS_MAX as i64;
            synchronous &= !skewed;
            let (world, net, disk) = (world.clone(), net.clone(), disk.clone());
            let io = SimIo { world, net, address: address(number), skew_ms, disk };
            let ssd = has_ssd.then(|| directory.path().join(name));
            nodes.push(Node { io, name, upstream, ram_octets, ssd });
        }
        let started = |node: &Node| RefCell::new(Some(node.start(&settings)));
        Self {
            kind,
            world: world.clone(),
            net,
            origin,
            parent: started(&nodes[0]),
            edge: started(&nodes[1]),
            nodes,
            counted: RefCell::default(),
            disk,
            _directory: directory,
            faults,
            manners,
            settings,
            focus: focus(world),
            journal: RefCell::default(),
            interim: Cell::new(0),
            synchronous,
        }
    }

    fn edge(&self) -> Arc<Shared> {
        self.edge.borrow().clone().unwrap()
    }

    fn parent(&self) -> Arc<Shared> {
        self.parent.borrow().clone().unwrap()
    }

    fn has_ssd(&self) -> bool {
        self.nodes[0].ssd.is_some()
    }

    /// What is in RAM is written to the disks, in fair weather, and writing ends.
    fn stop_writing(&self) {
        self.disk.set_faults(DiskFaults::default());
        self.edge().stop_ssd();
        self.parent().stop_ssd();
        self.world.run();
    }

    /// Adds what the nodes have counted.
    fn count(&self) {
        let mut counted = self.counted.borrow_mut();
        for (name, _, value) in self.edge().samples().into_iter().chain(self.parent().samples()) {
            *counted.entry(name).or_default() += value;
        }
    }

    /// Ends both nodes, and starts them again on their disks.
    fn restart(&self) {
        self.count();
        self.net.stop_listening(address(EDGE));
        self.net.stop_listening(address(PARENT));
        for (place, node) in [&self.parent, &self.edge].into_iter().zip(&self.nodes) {
            let ended = place.take().unwrap();
            assert_eq!(Arc::strong_count(&ended), 1, "somebody still holds a node that has ended");
            drop(ended);
            place.replace(Some(node.start(&self.settings)));
        }
    }

    /// Stores something and deletes it again, so that the tables of the stores have their size; then the weather sets
    /// in. Returns what the empty nodes count.
    fn warm_up(self: &Rc<Self>) -> [Samples; 2] {
        let site = Rc::clone(self);
        self.world.spawn("client", async move {
            site.client(0).converse(&[Ask::get("/small")], Reading::Eager).await;
            site.delete_all().await;
        });
        self.world.run();
        self.net.set_faults(self.faults);
        if self.kind == Kind::Storm {
            let is_dead = self.world.chance(200);
            self.disk.set_faults(if is_dead { DEAD_DISK } else { BAD_DISK });
        }
        self.origin.set_manners(self.manners);
        [self.edge().samples(), self.parent().samples()]
    }

    fn client(&self, number: u8) -> Client {
        Client {
            world: self.world.clone(),
            net: self.net.clone(),
            address: address(FIRST_CLIENT + number),
            server: address(EDGE),
        }
    }

    fn choice(&self) -> Choice<'_> {
        // Whoever closes without a word may have got a request that nobody can repeat.
        let unsafe_too = self.manners.closes == 0;
        Choice { world: &self.world, settings: &self.settings, focus: &self.focus, unsafe_too }
    }

    /// Several clients, each on its own way through the site.
    fn wander(self: &Rc<Self>) {
        for number in 0..2 + self.world.random(5) as u8 {
            let site = Rc::clone(self);
            self.world.spawn("client", async move {
                let mut known = Known::new();
                for _ in 0..1 + site.world.random(5) {
                    site.world.sleep_ms(site.world.random(6_000)).await;
                    let asks = site.choice().asks(&known);
                    let answers = site.visit(number, &asks, site.reading()).await;
                    for (ask, answer) in asks.iter().zip(&answers) {
                        let path = CATALOGUE.iter().find(|resource| resource.path == ask.target);
                        let field = |name| answer.field(name).map(str::to_owned);
                        if let Some(resource) = path.filter(|_| answer.status < 300) {
                            known.insert(resource.path, (field("etag"), field("last-modified")));
                        }
                    }
                }
            });
        }
    }

    /// One connection of a client: all that comes back is judged.
    async fn visit(&self, number: u8, asks: &[Ask], reading: Reading) -> Vec<Answer> {
        let (answers, stop) = self.client(number).converse(asks, reading).await;
        for (ask, answer) in asks.iter().zip(&answers) {
            self.judge(ask, answer, reading);
        }
        self.judge_stop(asks, &answers, &stop, reading);
        answers
    }

    /// One request on a connection of its own.
    async fn ask(&self, number: u8, ask: &Ask) -> Option<Answer> {
        self.visit(number, core::slice::from_ref(ask), Reading::Eager).await.pop()
    }

    /// Nothing excuses an error in this time.
    fn is_strict(&self, from_ms: u64, to_ms: u64) -> bool {
        self.kind != Kind::Storm
            && !self.origin.was_unwell(from_ms.saturating_sub(STALE_FETCH_MS), to_ms)
    }

    fn judge(&self, ask: &Ask, answer: &Answer, reading: Reading) {
        let stays = !matches!(reading, Reading::Leaves(_));
        let invalidated_ms = self.journal.borrow().invalidated_ms(ask, answer.asked_ms);
        let facts = Facts {
            settings: &self.settings,
            strict: stays && self.is_strict(answer.asked_ms, answer.head_ms),
            unwell: answer.made_ms().is_some_and(|ms| self.origin.was_unwell(ms, ms)),
            synchronous: self.synchronous && is_dated(ask),
            invalidated_ms,
        };
        self.interim.set(self.interim.get() + answer.interim.len() as u64);
        let outcome = judge(ask, answer, &facts).and_then(|()| self.judge_cookie(ask, answer));
        if let Err(why) = outcome {
            let brief = answer.brief();
            self.world.violation(format_args!("{why}\n    {ask:?}\n    {brief}"));
        }
        self.journal.borrow_mut().note(ask, answer);
    }

    /// A field that is for one client reaches one.
    fn judge_cookie(&self, ask: &Ask, answer: &Answer) -> Result<(), String> {
        let withheld = ask.host == crate::settings::TUNED && self.settings.withholds_cookies;
        let cookie = answer.field("set-cookie").filter(|_| withheld);
        let Some(cookie) = cookie.or(answer.field("x-secret")) else { return Ok(()) };
        let is_first = self.journal.borrow_mut().is_first(cookie);
        is_first.then_some(()).ok_or_else(|| format!("{cookie} was for somebody else"))
    }

    fn judge_stop(&self, asks: &[Ask], answers: &[Answer], stop: &Stop, reading: Reading) {
        let leaves = matches!(reading, Reading::Leaves(_));
        let answered = answers.len();
        let last = asks.get(answered.saturating_sub(1)).filter(|_| answered > 0);
        // An HTTP/1.0 client can't be told where a content of unknown length ends, and of who has sent content for
        // nothing the rest is not read.
        let ended = last.is_some_and(|ask| !ask.persists || ask.http10 || ask.raw.is_some());
        let refused = answers.last().is_some_and(|answer| matches!(answer.status, 400 | 417 | 508));
        let strict = answers.last().is_none_or(|answer| {
            let now = self.world.now_ms();
            self.is_strict(answer.asked_ms, now)
        });
        let strict = strict && self.kind != Kind::Storm && !leaves;
        let wrong = match stop {
            Stop::Malformed(_) | Stop::Silence => true,
            Stop::Lost => strict,
            Stop::Done => strict && answered < asks.len() && !ended && !refused,
        };
        if wrong {
            let asked = asks.len();
            self.world.violation(format_args!("{stop:?} after {answered} of {asked}: {asks:?}"));
        }
    }

    fn reading(&self) -> Reading {
        match self.world.random(10) {
            0 => Reading::Slow,
            1 => Reading::Leaves(self.world.random(20_000)),
            _ => Reading::Eager,
        }
    }

    /// Everybody has gone, or was closed for idling: no task waits, no connection is open.
    fn judge_idle(&self) {
        let tasks = self.world.tasks();
        if !tasks.is_empty() {
            self.world.violation(format_args!("tasks that nothing will wake: {tasks:?}"));
        }
        for (name, shared) in [("edge", self.edge()), ("parent", self.parent())] {
            let open = sample(&shared, "connections");
            if open != 0 {
                self.world.violation(format_args!("{name}: {open} connections are left open"));
            }
        }
    }

    /// Deletes every resource, which invalidates what is stored for it (RFC 9111 §4.4), in fair weather.
    fn clear_store(self: &Rc<Self>) {
        self.net.set_faults(CALM);
        self.origin.set_manners(POLITE);
        let site = Rc::clone(self);
        self.world.spawn("client", async move {
            site.world.sleep_ms(10_000).await;
            site.delete_all().await;
        });
    }

    async fn delete_all(&self) {
        let queries = ["?q=1", "?q=2", "?q=1&r=2", "?utm=7&q=1", "?q=1&utm=8", "?utm=9"];
        let found = queries.map(|query| format!("/find{query}"));
        let targets = CATALOGUE.iter().map(|resource| resource.path.to_owned()).chain(found);
        let mut asks = Vec::new();
        for target in targets {
            for host in ["site.test", "other.test", crate::settings::TUNED] {
                asks.push(Ask { host, ..Ask::new("DELETE", &target) });
            }
        }
        let (answers, _) = self.client(0).converse(&asks, Reading::Eager).await;
        if answers.len() < asks.len() || answers.iter().any(|answer| answer.status != 200) {
            self.world.violation(format_args!("{} of {} deleted", answers.len(), asks.len()));
        }
    }

    /// The account of the RAM tier is where it was: nothing stored, nothing reserved.
    fn judge_empty(&self, before: &[Samples; 2]) {
        for (shared, before) in [self.edge(), self.parent()].iter().zip(before) {
            let began = |gauge| before.iter().find(|(name, ..)| *name == gauge).unwrap().2;
            let used = |ram_octets, holes_octets| ram_octets - holes_octets;
            let rows = [
                ("ram_objects", sample(shared, "ram_objects"), began("ram_objects")),
                ("connections", sample(shared, "connections"), began("connections")),
                (
                    "what of ram_octets is no hole",
                    used(sample(shared, "ram_octets"), sample(shared, "ram_holes_octets")),
                    used(began("ram_octets"), began("ram_holes_octets")),
                ),
            ];
            for (gauge, now, began) in rows {
                if now != began {
                    self.world.violation(format_args!("{gauge} is {now} in the end, was {began}"));
                }
            }
        }
    }
}

/// Whether the origin itself says when it made what is asked for.
fn is_dated(ask: &Ask) -> bool {
    Requested::new(ask.host, &ask.target).is_none_or(|requested| requested.resource.date)
}

fn sample(shared: &Shared, name: &str) -> u64 {
    shared.samples().iter().find(|row| row.0 == name).unwrap().2
}

/// What a node is started with.
struct Node {
    io: SimIo,
    name: &'static str,
    upstream: u8,
    ram_octets: u64,
    ssd: Option<PathBuf>,
}

impl Node {
    fn start(&self, settings: &Settings) -> Arc<Shared> {
        let Self { io, name, upstream, ram_octets, ssd } = self;
        let upstreams = vec![format!("http://{}", address(*upstream)).parse().unwrap()];
        let cores = format!("0-{}", WORKERS - 1).parse().unwrap();
        let mut config = Config::new((*name).into(), vec![io.address], upstreams, cores);
        config.ram_octets = *ram_octets;
        let ssd = ssd.iter().cloned();
        config.ssd = ssd.map(|path| SsdConfig { path, octets: Some(SSD_OCTETS) }).collect();
        config.ssd_admission = *io.world.pick(&[Admission::SecondUse, Admission::All]);
        config.sites = settings.sites();
        config.arena = ArenaChoice::Memfd;
        config.by_reference_octets_min = *io.world.pick(&[1, 1000, BY_REFERENCE_OCTETS_MIN]);
        let shared = Shared::unstarted(config).unwrap();
        let workers: Vec<_> =
            (0..WORKERS).map(|index| Worker::new(io.clone(), Arc::clone(&shared), index)).collect();
        workers.iter().for_each(Worker::serve_ssd);
        let accepting = io.world.clone();
        io.net.listen(io.address, move |stream, peer| {
            let worker = Rc::clone(accepting.pick(&workers));
            accepting.spawn("connection of the edge", serve(worker, stream, peer));
        });
        shared
    }
}
