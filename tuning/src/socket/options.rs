//! The options of TCP sockets of every role: one set for a listener, whose connections inherit them, and for the
//! connections that are opened to upstreams.

use super::congestion::{self, Congestion, spare_pacing};
use super::raw;
use socket2::{SockRef, Socket, TcpKeepalive};
use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// Probes of a connection that says nothing before it is given up (`TCP_KEEPCNT`), a tenth of the idle time apart.
const KEEPALIVE_PROBES: u32 = 3;
const KEEPALIVE_PARTS: u32 = 10;

/// Options of connections (`tcp(7)`, `socket(7)`). `None` leaves what the system has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// Whether small packets leave at once (`TCP_NODELAY`) instead of waiting for an acknowledgement (Nagle's
    /// algorithm, RFC 896).
    pub nodelay: bool,
    /// `TCP_CONGESTION`.
    pub congestion: Congestion,
    /// Unsent octets above which the socket is not writable (`TCP_NOTSENT_LOWAT`).
    pub notsent_lowat: Option<u32>,
    /// Octets in a second at most, evenly spread (`SO_MAX_PACING_RATE`).
    pub pacing: Option<u64>,
    /// Sent data unacknowledged for so long ends the connection (`TCP_USER_TIMEOUT`).
    pub user_timeout: Option<Duration>,
    /// Nothing is sent again sooner (`TCP_RTO_MIN_US`, Linux 6.15): two ticks of the kernel to 200 ms.
    pub rto_min: Option<Duration>,
    /// What is sent again waits no longer (`TCP_RTO_MAX_MS`, Linux 6.15): 1 to 120 s.
    pub rto_max: Option<Duration>,
    /// An idle connection is probed after so long, in seconds (`SO_KEEPALIVE`, `TCP_KEEPIDLE`), and ends a third later
    /// if nobody answers.
    pub keepalive: Option<Duration>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            nodelay: true,
            congestion: Congestion::Auto,
            notsent_lowat: None,
            pacing: None,
            user_timeout: None,
            rto_min: None,
            rto_max: None,
            keepalive: None,
        }
    }
}

impl SocketOptions {
    /// Sets them. `address` is where the socket listens, or whom it connects to.
    ///
    /// # Errors
    /// What setsockopt(2) returns, with the option's name. An option that this kernel does not know, or a value that it
    /// does not take, is `InvalidInput`.
    pub fn apply(&self, socket: &Socket, address: IpAddr) -> io::Result<()> {
        socket.set_tcp_nodelay(self.nodelay).map_err(named("TCP_NODELAY"))?;
        match &self.congestion {
            Congestion::Auto => spare_pacing(socket, address),
            Congestion::System => {}
            Congestion::Named(name) => congestion::set(socket, name)?,
        }
        if let Some(octets) = self.notsent_lowat {
            socket.set_tcp_notsent_lowat(octets).map_err(named("TCP_NOTSENT_LOWAT"))?;
        }
        if let Some(rate) = self.pacing {
            raw::set_pacing(socket, rate).map_err(named("SO_MAX_PACING_RATE"))?;
        }
        if let Some(timeout) = self.user_timeout {
            socket.set_tcp_user_timeout(Some(timeout)).map_err(named("TCP_USER_TIMEOUT"))?;
        }
        if let Some(time) = self.rto_min {
            raw::set_rto_min(socket, time).map_err(named("TCP_RTO_MIN_US"))?;
        }
        if let Some(time) = self.rto_max {
            raw::set_rto_max(socket, time).map_err(named("TCP_RTO_MAX_MS"))?;
        }
        if let Some(idle) = self.keepalive {
            let keepalive = TcpKeepalive::new()
                .with_time(idle)
                .with_interval((idle / KEEPALIVE_PARTS).max(Duration::from_secs(1)))
                .with_retries(KEEPALIVE_PROBES);
            socket.set_tcp_keepalive(&keepalive).map_err(named("TCP_KEEPIDLE"))?;
        }
        Ok(())
    }

    /// Whether this kernel takes them, seen on a socket that is used for nothing else.
    ///
    /// # Errors
    /// As for [`SocketOptions::apply`].
    pub fn probe(&self) -> io::Result<()> {
        self.apply(&raw::stream()?, IpAddr::from([0, 0, 0, 0]))
    }

    /// Sets them on a connection that is about to be opened or has been: one that refuses an option, which
    /// [`SocketOptions::probe`] has seen taken, still carries octets.
    pub fn prepare(&self, socket: &impl std::os::fd::AsFd, peer: IpAddr) {
        let _ = self.apply(&SockRef::from(socket), peer);
    }
}

/// An error with the name of the option.
pub(super) fn named(name: &'static str) -> impl Fn(io::Error) -> io::Error {
    move |error| {
        // ENOPROTOOPT: a kernel that does not know the option.
        let kind = match error.raw_os_error() {
            Some(nix::libc::ENOPROTOOPT) => io::ErrorKind::InvalidInput,
            _ => error.kind(),
        };
        io::Error::new(kind, format!("{name}: {error}"))
    }
}
