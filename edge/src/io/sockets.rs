//! What the sockets of connections are told, besides what they inherit from their listener.

use crate::upstream::addresses::Addresses;
use core::net::SocketAddr;
use lastmile_tuning::policy::Enforcement;
use std::os::fd::AsFd;
use std::sync::Arc;

/// The upstreams, which have options for connections to them, and the policies of all connections.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    pub(crate) upstreams: Arc<Addresses>,
    pub(crate) policy: Option<Arc<Enforcement>>,
}

impl Sockets {
    /// For a connection that has been accepted.
    pub(super) fn accepted(&self, socket: &impl AsFd, client: SocketAddr) {
        if let Some(policy) = &self.policy {
            policy.apply(socket, client.ip());
        }
    }

    /// For a connection to an upstream.
    pub(super) fn opened(&self, socket: &impl AsFd, upstream: SocketAddr) {
        self.upstreams.prepare(socket, upstream);
        if let Some(policy) = &self.policy {
            policy.apply(socket, upstream.ip());
        }
    }
}
