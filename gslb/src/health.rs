//! Whether edges are up: each is asked over HTTP on a connection that stays open, and judged with memory.
//!
//! An edge that ends closes the connection, and so does the kernel of one that was killed: that is seen at once, and
//! the edge is asked again on a new connection. A machine that is silent is out after two waits. An edge that comes
//! back must answer several times in a row, more often each time if it keeps going. What answers say of the load feeds
//! the balance.

mod judge;
pub(crate) mod load;
mod watch;

use crate::balance::{Balance, Observed};
use crate::steer::Policy;
use crate::steer::room::{Part, RegionState};
use hyper::Uri;
use judge::Outcome;
use load::{Limits, Load};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};
use tokio::sync::oneshot;

/// Edges that are checked, at most: each has a connection.
pub(crate) const CHECKS_MAX: usize = 4096;
/// From one balancing to the next. Clients follow a change within the TTL of their answers, so more often gains
/// nothing.
const BALANCE_EVERY: Duration = Duration::from_millis(500);

/// How an edge is asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Check {
    /// Whom to ask.
    pub(crate) address: SocketAddr,
    /// What: a path, with its query.
    pub(crate) target: String,
    /// From one answer to the next question.
    pub(crate) interval: Duration,
    /// For connecting and for an answer, each.
    pub(crate) timeout: Duration,
    /// Answers in a row before an edge that was down is up.
    pub(crate) rise: u32,
    /// What it can bear, where its answers don't say that.
    pub(crate) limits: Limits,
}

impl Check {
    /// The address and the target of `http://ADDRESS[:PORT][/PATH]`. Other schemes and names are refused.
    pub(crate) fn place(text: &str) -> Result<(SocketAddr, String), &'static str> {
        const ALLOWED: &str =
            "is not a URL such as http://192.0.2.1:9100/healthz (a literal address)";
        let uri: Uri = text.parse().map_err(|_| ALLOWED)?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"));
        let authority =
            authority.filter(|authority| !authority.as_str().contains('@')).ok_or(ALLOWED)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let address = host.parse().map_err(|_| ALLOWED)?;
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        Ok((SocketAddr::new(address, authority.port_u16().unwrap_or(80)), target.to_owned()))
    }
}

/// What is known of one edge, shared by its checker and all workers; it outlives a reload.
#[derive(Debug, Default)]
pub(crate) struct EdgeState {
    is_down: AtomicBool,
    changes: AtomicU64,
    /// How much of its share of clients it gets.
    pub(crate) part: Part,
    last: Mutex<Last>,
}

/// What an edge's last check came to.
#[derive(Clone, Debug, Default)]
struct Last {
    /// For people.
    outcome: String,
    load: Option<Load>,
}

impl EdgeState {
    pub(crate) fn is_up(&self) -> bool {
        !self.is_down.load(Ordering::Relaxed)
    }

    /// How often it went down or came up.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// What its last check came to; empty before the first one.
    pub(crate) fn last(&self) -> String {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).outcome.clone()
    }

    /// What it said of its load, if it is up and said anything.
    pub(crate) fn load(&self) -> Option<Load> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.load.filter(|_| self.is_up())
    }

    pub(crate) fn set_up(&self, is_up: bool) {
        if self.is_down.swap(!is_up, Ordering::Relaxed) == is_up {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn note(&self, outcome: &Outcome, load: Option<Load>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Last { outcome: outcome.to_string(), load };
    }
}

/// The checks of all edges, in a thread of their own. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Checker {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// An edge's name, how it is asked, and where what is learnt is put.
pub(crate) type Checked = (Box<str>, Check, Arc<EdgeState>);

/// All that is balanced: where what is learnt of edges and regions is put, in the order that the balance has them.
#[derive(Debug)]
pub(crate) struct Balanced {
    balance: Balance,
    edges: Vec<Arc<EdgeState>>,
    regions: Vec<Arc<RegionState>>,
}

impl Balanced {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            balance: Balance::new(policy),
            edges: policy.edges.iter().map(|edge| Arc::clone(&edge.state)).collect(),
            regions: policy.regions.iter().map(|region| Arc::clone(&region.state)).collect(),
        }
    }

    /// Looks at all edges, and says what they and their regions take from now on.
    pub(crate) fn step(&mut self, now: Duration) {
        let observe = |state: &Arc<EdgeState>| Observed {
            is_up: state.is_up(),
            utilisation: state.load().map(|load| load.utilisation),
        };
        let observed: Vec<_> = self.edges.iter().map(observe).collect();
        self.step_with(now, &observed);
    }

    /// The same by what has been observed.
    pub(crate) fn step_with(&mut self, now: Duration, observed: &[Observed]) {
        self.balance.step(now, observed);
        for (state, part) in self.edges.iter().zip(self.balance.edge_parts()) {
            state.part.set(part);
        }
        for (state, (own, guests)) in self.regions.iter().zip(self.balance.region_parts()) {
            state.own.set(own);
            state.guests.set(guests);
        }
        for (state, displaced) in self.regions.iter().zip(self.balance.displaced_parts()) {
            state.displaced.set(displaced);
        }
    }
}

impl Checker {
    /// Begins to check these edges.
    ///
    /// # Errors
    /// What the system says when it has no thread or no epoll.
    pub(crate) fn start(edges: Vec<Checked>, mut balanced: Balanced) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let balance = async move {
            let start = tokio::time::Instant::now();
            loop {
                balanced.step(start.elapsed());
                tokio::time::sleep(BALANCE_EVERY).await;
            }
        };
        let run = move || {
            runtime.block_on(async move {
                for (name, check, state) in edges {
                    tokio::spawn(watch::watch(name, check, state));
                }
                tokio::spawn(balance);
                // Also an error: then nobody holds the checker any more.
                let _ = stopped.await;
            });
        };
        let thread = thread::Builder::new().name("gslb-health".to_owned()).spawn(run)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // One that has panicked has said so.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        for (text, expected) in [
            ("http://192.0.2.1:9100/healthz", Some(("192.0.2.1:9100", "/healthz"))),
            ("http://192.0.2.1", Some(("192.0.2.1:80", "/"))),
            ("http://[2001:db8::1]:81/a?b", Some(("[2001:db8::1]:81", "/a?b"))),
            ("http://edge.test/healthz", None),
            ("https://192.0.2.1/", None),
            ("http://u@192.0.2.1/", None),
            ("192.0.2.1:80", None),
            ("/healthz", None),
            ("", None),
        ] {
            let expected = expected.map(|(at, target)| (at.parse().unwrap(), target.to_owned()));
            assert_eq!(Check::place(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn changes_are_counted() {
        let state = EdgeState::default();
        assert!(state.is_up(), "until it is known better");
        for (is_up, changes) in [(true, 0), (false, 1), (false, 1), (true, 2)] {
            state.set_up(is_up);
            assert_eq!((state.is_up(), state.changes()), (is_up, changes));
        }
    }
}
