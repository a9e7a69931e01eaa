//! Whether edges are up: each is asked over HTTP on a connection that stays open, and judged with memory.
//!
//! An edge that ends closes the connection, and so does the kernel of one that was killed: that is seen at once, and
//! the edge is asked again on a new connection. A machine that is silent is out after two waits. An edge that comes
//! back must answer several times in a row, more often each time if it keeps going.

mod judge;
mod watch;

use hyper::Uri;
use judge::Outcome;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};
use tokio::sync::oneshot;

/// Edges that are checked, at most: each has a connection.
pub(crate) const CHECKS_MAX: usize = 4096;

/// How an edge is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The last outcome, for people.
    last: Mutex<String>,
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
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_up(&self, is_up: bool) {
        if self.is_down.swap(!is_up, Ordering::Relaxed) == is_up {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn note(&self, outcome: &Outcome) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = outcome.to_string();
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

impl Checker {
    /// Begins to check these edges.
    ///
    /// # Errors
    /// What the system says when it has no thread or no epoll.
    pub(crate) fn start(edges: Vec<Checked>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            runtime.block_on(async move {
                for (name, check, state) in edges {
                    tokio::spawn(watch::watch(name, check, state));
                }
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
