//! Kept connections to the upstream, per core: a request of the middle mile does not pay a handshake.

use crate::counters::Counters;
use crate::inbound::Inbound;
use crate::io::Stream;
use core::cell::RefCell;
use core::net::SocketAddr;
use core::time::Duration;
use lastmile_http::time::UnixTime;
use std::collections::HashMap;

/// A connection that was used so recently is as good as open: a server closes what is idle, and what it closes
/// takes a round trip to be seen. Requests that must not be repeated use no older one.
const FRESH_FOR: Duration = Duration::from_secs(2);

/// A connection to an upstream.
pub(crate) struct Connection<S> {
    pub(crate) stream: S,
    pub(crate) inbound: Inbound,
    pub(crate) peer: SocketAddr,
    /// It has been in the pool: its server may have closed it meanwhile.
    pub(crate) kept: bool,
    idle_since: UnixTime,
}

impl<S> Connection<S> {
    pub(crate) fn new(stream: S, peer: SocketAddr, now: UnixTime) -> Self {
        Self { stream, inbound: Inbound::default(), peer, kept: false, idle_since: now }
    }
}

/// The idle connections of one core, bounded per address.
pub(crate) struct Pool<S> {
    idle: RefCell<HashMap<SocketAddr, Vec<Connection<S>>>>,
    idle_max: usize,
    idle_for_max: Duration,
}

impl<S: Stream> Pool<S> {
    pub(crate) fn new(idle_max: usize, idle_for_max: Duration) -> Self {
        Self { idle: RefCell::default(), idle_max, idle_for_max }
    }

    /// The connection to `peer` that was used last, if it still looks open. `repeatable` says that the request may be
    /// sent again if the connection turns out closed after all.
    pub(crate) fn take(
        &self,
        peer: SocketAddr,
        repeatable: bool,
        now: UnixTime,
        counters: &Counters,
    ) -> Option<Connection<S>> {
        let mut idle = self.idle.borrow_mut();
        let list = idle.get_mut(&peer)?;
        let age_max = if repeatable { self.idle_for_max } else { FRESH_FOR };
        while let Some(connection) = list.pop() {
            counters.upstream_idle.decrement();
            let age = now.saturating_since(connection.idle_since);
            if connection.stream.is_quiet() && age < self.idle_for_max {
                if age < age_max {
                    return Some(connection);
                }
                // Good for others. The ones below it are older still.
                counters.upstream_idle.increment();
                list.push(connection);
                return None;
            }
        }
        None
    }

    /// Keeps `connection` for another request, unless it has said more than it was asked or there are enough.
    pub(crate) fn put(&self, mut connection: Connection<S>, now: UnixTime, counters: &Counters) {
        if !connection.inbound.is_empty() {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let list = idle.entry(connection.peer).or_default();
        if list.len() < self.idle_max {
            connection.kept = true;
            connection.idle_since = now;
            connection.stream.rests();
            counters.upstream_idle.increment();
            list.push(connection);
        }
    }

    pub(crate) fn idle_to(&self, peer: SocketAddr) -> usize {
        self.idle.borrow().get(&peer).map_or(0, Vec::len)
    }

    /// Closes what is too old, what its server has closed, and what leads to none of `peers`.
    pub(crate) fn tidy(&self, peers: &[SocketAddr], now: UnixTime, counters: &Counters) {
        self.idle.borrow_mut().retain(|peer, list| {
            let before = list.len();
            list.retain(|connection| {
                peers.contains(peer)
                    && now.saturating_since(connection.idle_since) < self.idle_for_max
                    && connection.stream.is_quiet()
            });
            (list.len()..before).for_each(|_| counters.upstream_idle.decrement());
            !list.is_empty()
        });
    }
}
