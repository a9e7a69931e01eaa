//! The servers of a comparison: started when a case first needs them, and kept.

use crate::case::{Case, Scene};
use crate::error::BenchError;
use crate::peer::{Ground, Kind, Peer, Server, on_core};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Those that run.
pub(super) struct Servers {
    ground: Ground,
    /// The core that this thread is on.
    load: usize,
    kept: BTreeMap<Peer, Server>,
    /// For the case at hand only.
    own: BTreeMap<Peer, Server>,
}

impl Servers {
    pub(super) fn new(ground: Ground, load: usize) -> Self {
        Self { ground, load, kept: BTreeMap::new(), own: BTreeMap::new() }
    }

    /// The server of `peer` for `case`.
    ///
    /// # Errors
    /// It does not start.
    pub(super) fn server(&mut self, peer: Peer, case: &Case) -> Result<&Server, BenchError> {
        let kept = match (peer.kind(), case.scene) {
            // It answers with the octets of one case.
            (Kind::Floor, _) => &mut self.own,
            // Memory is counted from a fresh start, and given back before the next one.
            (_, Scene::Idle { .. } | Scene::Objects { .. }) => {
                self.own.clear();
                &mut self.own
            }
            (_, Scene::Load(_) | Scene::Beside { .. } | Scene::Crowd { .. }) => &mut self.kept,
        };
        match kept.entry(peer) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let start = || peer.start(&self.ground, case.octets());
                Ok(entry.insert(on_core(self.ground.core, self.load, start)?))
            }
        }
    }

    /// Ends the servers of `peer`.
    pub(super) fn end(&mut self, peer: Peer) {
        self.kept.remove(&peer);
        self.own.remove(&peer);
    }

    /// Ends what was started for this case.
    pub(super) fn end_of_case(&mut self) {
        self.own.clear();
    }
}
