//! The congestion control of a socket (`TCP_CONGESTION`, tcp(7)).

use super::raw;
use socket2::{SockRef, Socket};
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::str::FromStr;

/// Which congestion control connections have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Congestion {
    /// The system's default, but none that paces on an address of the loopback: see [`spare_pacing`].
    #[default]
    Auto,
    /// The system's default (`net.ipv4.tcp_congestion_control`, or the route's).
    System,
    /// This one, such as `cubic`.
    Named(String),
}

impl FromStr for Congestion {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "auto" => Self::Auto,
            "system" => Self::System,
            name => Self::Named(name.to_owned()),
        })
    }
}

/// Takes a socket between two ends of this machine off a congestion control that paces (BBR): it gets `cubic` or, where
/// that is not allowed, `reno`. `address` is where it listens or whom it is connected to; all but addresses of the
/// loopback are left alone, and so is a socket that refuses.
///
/// Loopback has no queue that pacing would keep short, and where no `fq` does the pacing the kernel arms a timer for
/// each 64 KB of each connection: 1 MB costs the sender five times as much (`bench/results/2026-11-30-pacing.md`).
pub fn spare_pacing(socket: &impl AsFd, address: IpAddr) {
    let socket = SockRef::from(socket);
    if address.to_canonical().is_loopback()
        && socket.tcp_congestion().is_ok_and(|name| name.starts_with(b"bbr"))
    {
        let _ = socket.set_tcp_congestion(b"cubic").or_else(|_| socket.set_tcp_congestion(b"reno"));
    }
}

/// The congestion controls that there are here, if `name` is none of them.
#[must_use]
pub fn missing_congestion(name: &str) -> Option<String> {
    let socket = raw::stream().ok()?;
    let error = socket.set_tcp_congestion(name.as_bytes()).err()?;
    (error.kind() == io::ErrorKind::NotFound).then(available)
}

/// An unknown name is `InvalidInput`, with the names that there are.
pub(super) fn set(socket: &Socket, name: &str) -> io::Result<()> {
    socket.set_tcp_congestion(name.as_bytes()).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("no congestion control {name:?}; there are: auto, system, {}", available()),
        ),
        io::ErrorKind::PermissionDenied => io::Error::new(
            error.kind(),
            format!(
                "congestion control {name:?} takes CAP_NET_ADMIN, or its name in \
                 net.ipv4.tcp_allowed_congestion_control"
            ),
        ),
        kind => io::Error::new(kind, format!("TCP_CONGESTION {name:?}: {error}")),
    })
}

fn available() -> String {
    let names = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control");
    names.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(", ")
}
