//! What happens in a run: the site that a seed builds, what its clients do, and what must be so when all is over.

use crate::client::{Ask, Client, Reading, Stop};
use crate::net::{Faults, Net, SimIo};
use crate::oracle::judge;
use crate::origin::{CATALOGUE, Manners, Origin};
use crate::world::World;
use core::cell::RefCell;
use core::net::SocketAddr;
use lastmile_edge::Config;
use lastmile_edge::connection::serve;
use lastmile_edge::worker::{Shared, Worker};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// How far a node's clock may be off.
const SKEW_MS_MAX: u64 = 60_000;
/// A quarter of it is the largest object: pictures fit into the second, all of them into the third, the movie never.
const RAM_OCTETS: [u64; 3] = [256 << 10, 512 << 10, 16 << 20];
const WORKERS: usize = 2;

const CALM: Faults = Faults {
    refused: 0,
    unanswered: 0,
    reset: 0,
    delay_ms_max: 20,
    split: true,
    buffer_octets: 64 * 1024,
};
const POLITE: Manners = Manners {
    truncates: 0,
    resets: 0,
    garbles: 0,
    hangs_up: 0,
    sleeps: 0,
    closes: 0,
    delay_ms_max: 300,
    idle_ms: 5_000,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Nothing goes wrong: every response is whole and the origin's.
    Calm,
    /// Nothing goes wrong and all ask for the same.
    Together,
    /// Everything goes wrong.
    Storm,
    /// A content larger than the store, for a fast and a slow client.
    Flood,
}

/// What a run has come to.
pub struct Outcome {
    pub trace: u64,
    pub violations: Vec<String>,
    pub counters: BTreeMap<&'static str, u64>,
}

/// Name, description and value of each counter of a node.
type Samples = Vec<(&'static str, &'static str, u64)>;

/// A running site.
struct Site {
    world: World,
    net: Net,
    origin: Rc<Origin>,
    edge: Arc<Shared>,
    parent: Arc<Shared>,
    faults: Faults,
    manners: Manners,
    /// Nothing excuses an error.
    strict: bool,
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
    let kind = match seed % 40 {
        39 => Kind::Flood,
        other if other % 8 < 2 => Kind::Calm,
        other if other % 8 == 2 => Kind::Together,
        _ => Kind::Storm,
    };
    let site = Rc::new(Site::build(&world, kind));
    let empty = site.warm_up();
    match kind {
        Kind::Calm | Kind::Storm => site.wander(),
        Kind::Together => site.together(),
        Kind::Flood => site.flood(),
    }
    world.run();
    site.judge_idle();
    site.clear_store();
    world.run();
    site.judge_empty(&empty);
    let mut counters = BTreeMap::new();
    for (name, _, value) in site.edge.samples().into_iter().chain(site.parent.samples()) {
        *counters.entry(name).or_default() += value;
    }
    let outcome = Outcome { trace: world.trace_hash(), violations: world.violations(), counters };
    site.net.end();
    world.end();
    outcome
}

impl Site {
    fn build(world: &World, kind: Kind) -> Self {
        let storm = kind == Kind::Storm;
        let flood = kind == Kind::Flood;
        let faults = if flood { CALM } else { faults(world, storm) };
        let manners = manners(world, storm);
        let net = Net::new(world.clone(), CALM);
        let origin = Origin::start(world, &net, address(ORIGIN), POLITE);
        let ram_octets = *world.pick(&RAM_OCTETS);
        let ram_octets = if kind == Kind::Together { 16 << 20 } else { ram_octets };
        let start = |name: &str, node: u8, upstream: u8| {
            let skewed = !matches!(kind, Kind::Together | Kind::Flood) && world.chance(500);
            let skew = if skewed { world.random(2 * SKEW_MS_MAX) } else { SKEW_MS_MAX };
            let skew_ms = skew as i64 - SKEW_MS_MAX as i64;
            start_node(world, &net, name, (node, upstream), ram_octets, skew_ms)
        };
        let parent = start("parent", PARENT, ORIGIN);
        let edge = start("edge", EDGE, PARENT);
        let (world, strict) = (world.clone(), !storm);
        Self { world, net, origin, edge, parent, faults, manners, strict }
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
        self.origin.set_manners(self.manners);
        [self.edge.samples(), self.parent.samples()]
    }

    fn client(&self, number: u8) -> Client {
        Client {
            world: self.world.clone(),
            net: self.net.clone(),
            address: address(FIRST_CLIENT + number),
            server: address(EDGE),
        }
    }

    /// Several clients, each on its own way through the site.
    fn wander(self: &Rc<Self>) {
        for number in 0..2 + self.world.random(5) as u8 {
            let site = Rc::clone(self);
            self.world.spawn("client", async move {
                let client = site.client(number);
                let tags = RefCell::new(BTreeMap::new());
                for _ in 0..1 + site.world.random(5) {
                    site.world.sleep_ms(site.world.random(6_000)).await;
                    let asks = site.asks(&tags.borrow());
                    let reading = site.reading();
                    let (answers, stop) = client.converse(&asks, reading).await;
                    for (ask, answer) in asks.iter().zip(&answers) {
                        site.judge(ask, answer, reading);
                        if let Some(tag) = answer.field("etag") {
                            tags.borrow_mut().insert(ask.path, tag.to_owned());
                        }
                    }
                    site.judge_stop(&asks, answers.len(), &stop, reading);
                }
            });
        }
    }

    fn judge(&self, ask: &Ask, answer: &crate::client::Answer, reading: Reading) {
        let strict = self.strict && !matches!(reading, Reading::Leaves(_));
        if let Err(why) = judge(ask, answer, strict) {
            self.world.violation(format_args!("{why}\n    {ask:?}\n    {}", brief(answer)));
        }
    }

    fn judge_stop(&self, asks: &[Ask], answered: usize, stop: &Stop, reading: Reading) {
        let leaves = matches!(reading, Reading::Leaves(_));
        let (last, closing) = (asks.get(answered.saturating_sub(1)), answered > 0);
        // An HTTP/1.0 client can't be told where a content of unknown length ends.
        let ended = closing && last.is_some_and(|ask| !ask.persists || ask.http10);
        let wrong = match stop {
            Stop::Malformed(_) | Stop::Silence => true,
            Stop::Lost => self.strict && !leaves,
            Stop::Done => self.strict && !leaves && answered < asks.len() && !ended,
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

    /// What a client asks on one connection.
    fn asks(&self, tags: &BTreeMap<&'static str, String>) -> Vec<Ask> {
        let count = 1 + self.world.random(6);
        let mut asks: Vec<Ask> = (0..count).map(|_| self.ask(tags)).collect();
        // After `Connection: close` a client sends no more (RFC 9112 §9.6).
        if let Some(last) = asks.iter().position(|ask| !ask.persists) {
            asks.truncate(last + 1);
        } else if self.world.chance(60) {
            let raw = *self.world.pick(&NONSENSE);
            asks.push(Ask { raw: Some(raw), method: "GET", ..Ask::default() });
        }
        asks
    }

    fn ask(&self, tags: &BTreeMap<&'static str, String>) -> Ask {
        let world = &self.world;
        let resources = &CATALOGUE[..CATALOGUE.len() - 1];
        let resource = world.pick(resources);
        let mut ask = Ask::get(resource.path);
        ask.http10 = world.chance(150);
        ask.persists = world.chance(if ask.http10 { 500 } else { 900 });
        if resource.varies {
            ask = ask.with("X-Variant", *world.pick(&["a", "b"]));
        }
        match world.random(20) {
            0 => ask.method = "HEAD",
            1 if self.manners.closes == 0 => {
                ask.method = "POST";
                let octets = world.random(30_000);
                ask.content = (0..octets).map(|octet| (octet * 7) as u8).collect();
                ask.chunked = !ask.http10 && world.chance(500);
            }
            2 if world.chance(300) => ask.method = "DELETE",
            3 => ask = ask.with("Cache-Control", "no-cache"),
            4 => ask = ask.with("Cache-Control", "only-if-cached"),
            5..=7 => {
                let first = world.random(resource.octets + 10);
                let last = first + world.random(5_000);
                let range = match world.random(3) {
                    0 => format!("bytes={first}-{last}"),
                    1 => format!("bytes={first}-"),
                    _ => format!("bytes=-{}", 1 + world.random(5_000)),
                };
                ask = ask.with("Range", range);
                if let Some(tag) = tags.get(ask.path).filter(|_| world.chance(300)) {
                    ask = ask.with("If-Range", tag);
                }
            }
            8..=11 => {
                if let Some(tag) = tags.get(ask.path) {
                    ask = ask.with("If-None-Match", tag);
                }
            }
            _ => {}
        }
        ask
    }

    /// All ask for the same at the same time, and once more while it is fresh: the origin is asked once.
    fn together(self: &Rc<Self>) {
        let site = Rc::clone(self);
        self.world.spawn("client", async move {
            let fresh = |path: &&str| {
                ["/page", "/picture", "/closing", "/dripping", "/empty"].contains(path)
            };
            let paths: Vec<_> = CATALOGUE.iter().map(|r| r.path).filter(fresh).collect();
            let path = *site.world.pick(&paths);
            for _ in 0..2 {
                for number in 0..4 + site.world.random(16) as u8 {
                    let each = Rc::clone(&site);
                    site.world.spawn("client", async move {
                        let ask = Ask::get(path);
                        let asks = core::slice::from_ref(&ask);
                        let client = each.client(number);
                        let (answers, stop) = client.converse(asks, Reading::Eager).await;
                        answers.iter().for_each(|answer| each.judge(&ask, answer, Reading::Eager));
                        each.judge_stop(asks, answers.len(), &stop, Reading::Eager);
                    });
                }
                site.world.sleep_ms(4_000).await;
            }
            let fetches = site.origin.fetches(path);
            if fetches != 1 {
                site.world.violation(format_args!("{fetches} fetches of {path}"));
            }
        });
    }

    /// More than the store holds, for a client that keeps up and one that does not.
    fn flood(self: &Rc<Self>) {
        let site = Rc::clone(self);
        self.world.spawn("client", async move {
            let ask = Ask::get("/movie");
            let [eager, slow] = site.client(0).two_at_once(&ask, &ask, Reading::Slow).await;
            eager.iter().for_each(|answer| site.judge(&ask, answer, Reading::Eager));
            // One that falls out of the window is cut off, and notices.
            slow.iter().for_each(|answer| site.judge(&ask, answer, Reading::Leaves(u64::MAX)));
        });
    }

    /// Everybody has gone, or was closed for idling: no task waits, no connection is open.
    fn judge_idle(&self) {
        let tasks = self.world.tasks();
        if !tasks.is_empty() {
            self.world.violation(format_args!("tasks that nothing will wake: {tasks:?}"));
        }
        for (name, shared) in [("edge", &self.edge), ("parent", &self.parent)] {
            let open = sample(shared, "connections");
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
        for resource in CATALOGUE {
            let ask = Ask { method: "DELETE", ..Ask::get(resource.path) };
            let asks = core::slice::from_ref(&ask);
            let (answers, _) = self.client(0).converse(asks, Reading::Eager).await;
            if answers.first().is_none_or(|answer| answer.status != 200) {
                self.world.violation(format_args!("{} can't be deleted", resource.path));
            }
        }
    }

    /// The account of the RAM tier is where it was: nothing stored, nothing reserved.
    fn judge_empty(&self, before: &[Samples; 2]) {
        for (shared, before) in [&self.edge, &self.parent].into_iter().zip(before) {
            for gauge in ["ram_octets", "ram_objects", "connections"] {
                let began = before.iter().find(|(name, ..)| *name == gauge).map(|row| row.2);
                let (now, began) = (sample(shared, gauge), began.unwrap());
                if now != began {
                    self.world.violation(format_args!("{gauge} is {now} in the end, was {began}"));
                }
            }
        }
    }
}

/// Requests that are refused, the last for never ending.
const NONSENSE: [&[u8]; 6] = [
    b"GET\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/9.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /small HTTP/1.1\r\nHost: site.te",
];

fn sample(shared: &Shared, name: &str) -> u64 {
    shared.samples().iter().find(|row| row.0 == name).unwrap().2
}

fn brief(answer: &crate::client::Answer) -> String {
    let crate::client::Answer { status, fields, content, complete, asked_ms, head_ms } = answer;
    let octets = content.len();
    format!("{status}, {octets} octets, complete: {complete}, {asked_ms}..{head_ms}, {fields:?}")
}

fn start_node(
    world: &World,
    net: &Net,
    name: &str,
    (node, upstream): (u8, u8),
    ram_octets: u64,
    skew_ms: i64,
) -> Arc<Shared> {
    let upstreams = vec![format!("http://{}", address(upstream)).parse().unwrap()];
    let cores = format!("0-{}", WORKERS - 1).parse().unwrap();
    let mut config = Config::new(name.into(), vec![address(node)], upstreams, cores);
    config.ram_octets = ram_octets;
    let shared = Shared::unstarted(config).unwrap();
    let workers: Vec<_> = (0..WORKERS)
        .map(|index| {
            let (world, net) = (world.clone(), net.clone());
            let io = SimIo { world, net, address: address(node), skew_ms };
            Worker::new(io, Arc::clone(&shared), index)
        })
        .collect();
    let accepting = world.clone();
    net.listen(address(node), move |stream, peer| {
        let worker = Rc::clone(accepting.pick(&workers));
        accepting.spawn("connection of the edge", serve(worker, stream, peer));
    });
    shared
}

fn faults(world: &World, storm: bool) -> Faults {
    let sometimes = |per_mille: u64| if world.chance(500) { per_mille } else { 0 };
    let buffer_octets = *world.pick(&[1_500, 16 * 1024, 256 * 1024]);
    let split = world.chance(500);
    let delay_ms_max = *world.pick(&[0, 5, 100]);
    if !storm {
        return Faults { delay_ms_max, split, buffer_octets, ..CALM };
    }
    Faults {
        refused: sometimes(50),
        unanswered: sometimes(20),
        reset: sometimes(15),
        delay_ms_max,
        split,
        buffer_octets,
    }
}

fn manners(world: &World, storm: bool) -> Manners {
    let sometimes = |per_mille: u64| if world.chance(500) { per_mille } else { 0 };
    let closes = sometimes(200);
    let delay_ms_max = *world.pick(&[0, 100, 1_500]);
    if !storm {
        let idle_ms = if closes > 0 { 1 + world.random(70_000) } else { 5_000 };
        return Manners { closes, delay_ms_max, idle_ms, ..POLITE };
    }
    Manners {
        truncates: sometimes(80),
        resets: sometimes(80),
        garbles: sometimes(30),
        hangs_up: sometimes(50),
        sleeps: sometimes(10),
        closes,
        delay_ms_max,
        idle_ms: 1 + world.random(70_000),
    }
}
