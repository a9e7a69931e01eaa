//! The HTTP front: redirects by the client's true address, names for apps, DNS over HTTPS; in a thread of its own.
//!
//! | file | job |
//! | --- | --- |
//! | `rules.rs` | what the zone file says about it |
//! | `serve.rs` | connections: places, the PROXY protocol, TLS, HTTP/1.1 and HTTP/2, ends |
//! | `proxy.rs`, `client.rs` | who a connection and a request are from |
//! | `route.rs` | which of the following a request is for |
//! | `redirect.rs` | 302 to an edge |
//! | `resolve.rs` | names resolved as JSON |
//! | `pick.rs` | the edge, which both of them name |
//! | `doh.rs`, `message.rs` | DNS messages |
//! | `whoami.rs`, `pairs.rs` | a resolver and a client that belong together |
//! | `corrections.rs` | what follows from many of them |
//! | `respond.rs`, `counters.rs` | responses in few words; what is counted |

mod client;
mod corrections;
mod counters;
mod doh;
mod message;
mod pairs;
mod pick;
mod proxy;
mod redirect;
mod resolve;
mod respond;
mod route;
pub(crate) mod rules;
mod serve;
mod whoami;

pub(crate) use pairs::Pairs;
pub(crate) use serve::Limits;

use crate::answer::{Answered, Asked, Tables};
use crate::locate::recent::Recent;
use crate::mode::Moment;
use crate::worker::Worker;
use corrections::Corrections;
use counters::HttpCounters;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;
use tokio::sync::watch;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Front {
    /// Tables, counters of DNS and random numbers, as any other worker has them.
    worker: Mutex<Worker>,
    counters: HttpCounters,
    pairs: Arc<Pairs>,
    corrections: Mutex<Corrections>,
    recent: Mutex<Recent>,
    started: Instant,
}

/// A running front. Dropping it ends it at once.
#[derive(Debug)]
pub(crate) struct Http {
    address: SocketAddr,
    front: Arc<Front>,
    /// Set once, to the time at which everything must have ended.
    stop: watch::Sender<Option<Instant>>,
    thread: Option<JoinHandle<()>>,
}

impl Http {
    /// Starts to serve at `listener`.
    ///
    /// # Errors
    /// What the system says when it has no thread or no epoll.
    pub(crate) fn start(
        listener: TcpListener,
        limits: Limits,
        worker: Worker,
        pairs: Arc<Pairs>,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let front = Arc::new(Front {
            worker: Mutex::new(worker),
            counters: HttpCounters::default(),
            pairs,
            corrections: Mutex::default(),
            recent: Mutex::default(),
            started: Instant::now(),
        });
        let (stop, stopped) = watch::channel(None);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&front);
        let run = move || {
            runtime.block_on(serve::serve(listener, limits, shared, stopped));
        };
        let thread = thread::Builder::new().name("gslb-http".to_owned()).spawn(run)?;
        Ok(Self { address, front, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets no new connection in, and tells those that are open to end by `deadline`.
    pub(crate) fn end(&self, deadline: Instant) {
        // The first deadline counts.
        self.stop.send_if_modified(|stop| {
            let is_first = stop.is_none();
            stop.get_or_insert(deadline);
            is_first
        });
    }

    /// Name, help, value.
    pub(crate) fn samples(&self) -> Vec<(&'static str, &'static str, u64)> {
        let mut samples = self.front.counters.samples();
        samples.push((
            "lastmile_gslb_resolver_prefixes",
            "Prefixes of resolvers whose clients were seen.",
            self.front.corrections().len() as u64,
        ));
        samples
    }

    /// Lines `prefix,region` of resolvers whose clients are elsewhere than the map says.
    pub(crate) fn corrections(&self) -> String {
        let tables = self.front.tables();
        let region_of = |address| whoami::resolver_region(&tables, address).map(str::to_owned);
        self.front.corrections().csv(region_of)
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        self.end(Instant::now());
        if let Some(thread) = self.thread.take() {
            // One that has panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Locks are held by the front's one thread for moments; who reads the counters may wait for it.
impl Front {
    fn worker(&self) -> MutexGuard<'_, Worker> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tables(&self) -> Arc<Tables> {
        self.worker().tables.load_full()
    }

    fn random(&self) -> u64 {
        self.worker().random.next()
    }

    fn moment(&self) -> Moment {
        self.worker().pulse.moment()
    }

    /// Counts an answer of DNS, which begins `answer`.
    fn note(&self, tables: &Tables, asked: &Asked<'_>, answered: &Answered, answer: &[u8]) {
        let mut worker = self.worker();
        worker.note(tables, asked, answered);
        worker.log(tables, asked, answered, answer);
    }

    fn corrections(&self) -> MutexGuard<'_, Corrections> {
        self.corrections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// TTL and addresses of both families that a name has for somebody, for tests of files.
#[cfg(test)]
pub(crate) fn ask(tables: &Tables, text: &str) -> String {
    use crate::answer::{Transport, answer};
    use crate::wire::{name, rtype};
    let (mut ttl, mut addresses) = (None, Vec::new());
    for rtype in [rtype::A, rtype::AAAA] {
        let peer = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        let packet = message::question(&name::from_text(text).unwrap(), rtype, peer);
        let asked = Asked {
            packet: &packet,
            peer,
            transport: Transport::Https,
            random: 0,
            moment: Moment::default(),
        };
        let mut buffer = vec![0; 4096];
        let answered = answer(tables, &asked, &mut buffer);
        let contents = message::read(&buffer[..answered.octets]).unwrap();
        ttl = ttl.or(contents.ttl);
        addresses.extend(contents.addresses.iter().map(ToString::to_string));
    }
    format!("{}: {}", ttl.unwrap_or(0), addresses.join(" "))
}
