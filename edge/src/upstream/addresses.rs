//! The addresses of the upstreams, and which of them have failed lately. One list for the process.

use super::resolve;
use crate::config::{Host, Upstream};
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use lastmile_http::time::UnixTime;
use lastmile_tuning::policy::Enforcement;
use lastmile_tuning::socket::SocketOptions;
use std::os::fd::AsFd;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

/// How long an address that could not be reached is tried last.
const DOWN_FOR: Duration = Duration::from_secs(2);
/// Addresses tried for one request: more would make it wait for as many timeouts.
const CANDIDATES_MAX: usize = 4;

/// An address, what connections to it are told, and until when it counts as down.
#[derive(Debug)]
struct Address {
    socket: SocketAddr,
    options: SocketOptions,
    down_until_ms: AtomicU64,
}

/// All addresses of all upstreams.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    list: RwLock<Arc<[Arc<Address>]>>,
    /// What connections to them get.
    policy: Option<Arc<Enforcement>>,
}

impl Addresses {
    /// The addresses of `upstreams`. Names are looked up by a thread of their own, again and again until `stop`; the
    /// first answers are waited for, within bounds.
    pub(crate) fn start(
        upstreams: &[Upstream],
        policy: Option<Arc<Enforcement>>,
        stop: Arc<AtomicBool>,
    ) -> std::io::Result<(Arc<Self>, Option<JoinHandle<()>>)> {
        let addresses = Arc::new(Self { policy, ..Self::default() });
        let literal = |upstream: &Upstream| match upstream.host {
            Host::Address(ip) => {
                Some((SocketAddr::new(ip, upstream.port), upstream.socket.clone()))
            }
            Host::Name(_) => None,
        };
        addresses.replace(upstreams.iter().filter_map(literal));
        if upstreams.iter().all(|upstream| matches!(upstream.host, Host::Address(_))) {
            return Ok((addresses, None));
        }
        let thread = resolve::start(upstreams.to_vec(), Arc::clone(&addresses), stop)?;
        Ok((addresses, Some(thread)))
    }

    fn list(&self) -> Arc<[Arc<Address>]> {
        Arc::clone(&self.list.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts `sockets` in the place of the list; what is known of those that stay is kept.
    pub(super) fn replace(&self, sockets: impl Iterator<Item = (SocketAddr, SocketOptions)>) {
        let known = self.list();
        let address = |(socket, options)| {
            let is_it = |it: &&Arc<Address>| it.socket == socket && it.options == options;
            known.iter().find(is_it).cloned().unwrap_or_else(|| {
                Arc::new(Address { socket, options, down_until_ms: AtomicU64::new(0) })
            })
        };
        let list: Arc<[Arc<Address>]> = sockets.map(address).collect();
        if let Some(policy) = &self.policy {
            let sockets: Vec<_> = list.iter().map(|address| address.socket).collect();
            if let Err(error) = policy.set_upstreams(&sockets) {
                eprintln!("edge: the TCP policy does not reach all upstreams: {error}");
            }
        }
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = list;
    }

    /// Sets the options of the upstream at `peer` on a connection that is opened to it. One that has just left the list
    /// gets those that all have by default.
    pub(crate) fn prepare(&self, socket: &impl AsFd, peer: SocketAddr) {
        match self.list().iter().find(|address| address.socket == peer) {
            Some(address) => address.options.prepare(socket, peer.ip()),
            None => SocketOptions::default().prepare(socket, peer.ip()),
        }
    }

    /// Every address.
    pub(crate) fn all(&self) -> Vec<SocketAddr> {
        self.list().iter().map(|address| address.socket).collect()
    }

    /// The addresses to try for a key with this hash, in order: the same key goes to the same address while that is
    /// up, so that parents do not all hold the same; those that failed lately come last.
    pub(crate) fn candidates(&self, hash: u64, now: UnixTime) -> Vec<SocketAddr> {
        let list = self.list();
        if list.is_empty() {
            return Vec::new();
        }
        let first = (hash % list.len() as u64) as usize;
        let rotated = list[first..].iter().chain(&list[..first]);
        let is_down = |address: &&Arc<Address>| {
            address.down_until_ms.load(Ordering::Relaxed) > now.milliseconds()
        };
        let (down, up): (Vec<_>, Vec<_>) = rotated.partition(is_down);
        up.iter().chain(&down).take(CANDIDATES_MAX).map(|address| address.socket).collect()
    }

    /// Notes whether `socket` could be reached.
    pub(crate) fn note(&self, socket: SocketAddr, reached: bool, now: UnixTime) {
        if let Some(address) = self.list().iter().find(|address| address.socket == socket) {
            let until = if reached { 0 } else { now.plus(DOWN_FOR).milliseconds() };
            address.down_until_ms.store(until, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_address_and_failed_ones_come_last() {
        let sockets: Vec<SocketAddr> =
            (1..=3).map(|n| SocketAddr::from(([127, 0, 0, n], 80))).collect();
        let addresses = Addresses::default();
        let now = UnixTime::from_seconds(1_000);
        assert!(addresses.candidates(7, now).is_empty());
        let plain = |sockets: &[SocketAddr]| {
            let with = |socket: &SocketAddr| (*socket, SocketOptions::default());
            sockets.iter().map(with).collect::<Vec<_>>().into_iter()
        };
        addresses.replace(plain(&sockets));
        assert_eq!(addresses.candidates(1, now), [sockets[1], sockets[2], sockets[0]]);
        addresses.note(sockets[1], false, now);
        assert_eq!(addresses.candidates(1, now), [sockets[2], sockets[0], sockets[1]]);
        let later = now.plus(DOWN_FOR);
        assert_eq!(addresses.candidates(1, later), [sockets[1], sockets[2], sockets[0]]);
        addresses.note(sockets[0], false, now);
        addresses.replace(plain(&sockets[..2]));
        assert_eq!(addresses.candidates(0, now), [sockets[0], sockets[1]], "both are down");
        addresses.note(sockets[0], true, now);
        assert_eq!(addresses.candidates(1, now), [sockets[0], sockets[1]]);
    }
}
