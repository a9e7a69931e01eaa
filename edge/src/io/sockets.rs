//! What the sockets of connections are told, besides what they inherit from their listener.

use core::net::SocketAddr;
use lastmile_tuning::policy::Enforcement;
use lastmile_tuning::socket::SocketOptions;
use std::os::fd::AsFd;
use std::sync::Arc;

/// Options of connections to upstreams, and the policies of all connections.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    pub(crate) upstream: SocketOptions,
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
        self.upstream.prepare(socket, upstream.ip());
        if let Some(policy) = &self.policy {
            policy.apply(socket, upstream.ip());
        }
    }
}
