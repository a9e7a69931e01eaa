//! Which of the default ports are free: each is bound and let go at once.

use super::check::Role;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// A default port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    /// Its number.
    pub(super) number: u16,
    /// `tcp` or `udp`.
    pub(super) protocol: &'static str,
    /// Whose it is.
    pub(super) role: Role,
    /// The flag that chooses another.
    pub(super) flag: &'static str,
    /// Why it is not free.
    pub(super) refusal: Option<String>,
}

/// The defaults, as the help of each role says. A parent is an edge.
const PORTS: [(u16, &str, Role, &str); 7] = [
    (8080, "tcp", Role::Edge, "--listen"),
    (8081, "tcp", Role::Edge, "--listen"),
    (8000, "tcp", Role::Origin, "--listen"),
    (5353, "udp", Role::Gslb, "--listen"),
    (5353, "tcp", Role::Gslb, "--listen"),
    (5380, "tcp", Role::Gslb, "--http"),
    (9100, "tcp", Role::Edge, "--admin"),
];

/// Tries all of them, on loopback.
pub(super) fn tried() -> Vec<Port> {
    let port = |&(number, protocol, role, flag): &(u16, &'static str, Role, &'static str)| {
        let address = (Ipv4Addr::LOCALHOST, number);
        let bound = match protocol {
            "udp" => UdpSocket::bind(address).map(drop),
            _ => TcpListener::bind(address).map(drop),
        };
        let refusal = bound.err().map(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => "in use".to_owned(),
            _ => error.to_string(),
        });
        Port { number, protocol, role, flag, refusal }
    };
    PORTS.iter().map(port).collect()
}
