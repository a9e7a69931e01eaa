//! Listeners and connections with the options that matter to an edge.

pub mod raw;

use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::str::FromStr;
use std::time::Duration;

/// How long a bind is retried on `EADDRINUSE`: the ring of a process that has just ended lets go of its sockets
/// asynchronously, within some tens of milliseconds. Longer only delays the message to somebody whose port is taken.
const BIND_RETRY_MAX: Duration = Duration::from_millis(500);
const BIND_RETRY_STEP: Duration = Duration::from_millis(50);

/// Options of a TCP listener, inherited by the connections it accepts (`tcp(7)`, `socket(7)`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenOptions {
    /// Connections waiting to be accepted, per listener; the kernel lowers it to `net.core.somaxconn`.
    pub backlog: i32,
    /// `TCP_CONGESTION`.
    pub congestion: Congestion,
    /// `TCP_NOTSENT_LOWAT` in octets: unsent data above which the socket is not writable; `None` leaves the default.
    pub notsent_lowat: Option<u32>,
    /// `TCP_USER_TIMEOUT`: sent data unacknowledged for this long ends the connection; `None` leaves the default.
    pub user_timeout: Option<Duration>,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            backlog: 4096,
            congestion: Congestion::Auto,
            notsent_lowat: None,
            user_timeout: Some(Duration::from_secs(30)),
        }
    }
}

/// The congestion control of a listener's connections (`TCP_CONGESTION`, `tcp(7)`).
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

/// Opens `count` listeners on `address` that share it by `SO_REUSEPORT`, one for each core. With port 0 the first
/// picks the port and the others join it.
///
/// An address that another process listens on is an error even if that process also uses `SO_REUSEPORT`: two
/// servers that silently share a port are a trap.
///
/// # Errors
/// `AddrInUse`, `PermissionDenied` (ports below 1024), or what a socket option returns, with the option's name.
pub fn listen(
    address: SocketAddr,
    count: usize,
    options: &ListenOptions,
) -> io::Result<Vec<TcpListener>> {
    let mut address = address;
    if address.port() != 0 {
        retry_in_use(|| {
            let probe = stream_socket(address)?;
            probe.bind(&address.into())?;
            probe.listen(1)
        })?;
    }
    let mut listeners = Vec::with_capacity(count);
    for _ in 0..count {
        let socket = stream_socket(address)?;
        socket.set_reuse_port(true)?;
        retry_in_use(|| socket.bind(&address.into()))?;
        apply(&socket, address, options)?;
        socket.listen(options.backlog)?;
        let listener = TcpListener::from(socket);
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Opens `count` UDP sockets on `address` that share it by `SO_REUSEPORT`, one for each core.
///
/// # Errors
/// As for [`listen`].
pub fn bind_udp(address: SocketAddr, count: usize) -> io::Result<Vec<UdpSocket>> {
    let datagram =
        |address| Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP));
    let mut address = address;
    if address.port() != 0 {
        retry_in_use(|| datagram(address)?.bind(&address.into()))?;
    }
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..count {
        let socket = datagram(address)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from(socket);
        address = socket.local_addr()?;
        sockets.push(socket);
    }
    Ok(sockets)
}

/// Lets no datagram of a socket be fragmented (DF), neither here nor on its way, and believes no ICMP about the path's
/// MTU: for answers that are short enough for any path. Fragments can be forged, and an MTU too (RFC 9715 §3.1, ip(7)
/// `IP_PMTUDISC_PROBE`). The kernel then needs no identifier for each (RFC 6864 §4.1).
///
/// # Errors
/// What setsockopt(2) returns.
pub fn never_fragment(socket: &UdpSocket) -> io::Result<()> {
    match socket.local_addr()? {
        SocketAddr::V4(_) => set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::PROBE)?,
        SocketAddr::V6(_) => set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::PROBE)?,
    }
    Ok(())
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

fn stream_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn apply(socket: &Socket, address: SocketAddr, options: &ListenOptions) -> io::Result<()> {
    let named = |name: &'static str| {
        move |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"))
    };
    // Accepted sockets inherit TCP_NODELAY from the listener: one system call less for each connection.
    socket.set_tcp_nodelay(true)?;
    match &options.congestion {
        Congestion::Auto => spare_pacing(socket, address.ip()),
        Congestion::System => {}
        Congestion::Named(name) => set_congestion(socket, name)?,
    }
    if let Some(octets) = options.notsent_lowat {
        socket.set_tcp_notsent_lowat(octets).map_err(named("TCP_NOTSENT_LOWAT"))?;
    }
    if let Some(timeout) = options.user_timeout {
        socket.set_tcp_user_timeout(Some(timeout)).map_err(named("TCP_USER_TIMEOUT"))?;
    }
    Ok(())
}

/// An unknown name is `InvalidInput`, with the names that there are.
fn set_congestion(socket: &Socket, name: &str) -> io::Result<()> {
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

/// The congestion controls that there are here, if `name` is none of them.
#[must_use]
pub fn missing_congestion(name: &str) -> Option<String> {
    let socket = raw::stream().ok()?;
    let error = socket.set_tcp_congestion(name.as_bytes()).err()?;
    (error.kind() == io::ErrorKind::NotFound).then(available)
}

fn available() -> String {
    let names = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control");
    names.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(", ")
}

fn retry_in_use<T>(mut bind: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut waited = Duration::ZERO;
    loop {
        match bind() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && waited < BIND_RETRY_MAX => {
                std::thread::sleep(BIND_RETRY_STEP);
                waited += BIND_RETRY_STEP;
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: &str = "127.0.0.1:0";

    #[test]
    fn listeners_share_one_port() {
        let listeners = listen(ANY.parse().unwrap(), 3, &ListenOptions::default()).unwrap();
        let port = listeners[0].local_addr().unwrap();
        assert!(listeners.iter().all(|l| l.local_addr().unwrap() == port));
    }

    #[test]
    fn a_port_in_use_is_an_error_even_with_reuse_port() {
        let first = listen(ANY.parse().unwrap(), 1, &ListenOptions::default()).unwrap();
        let address = first[0].local_addr().unwrap();
        let error = listen(address, 1, &ListenOptions::default()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let first = bind_udp(ANY.parse().unwrap(), 2).unwrap();
        let error = bind_udp(first[0].local_addr().unwrap(), 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn datagrams_are_not_fragmented() {
        use rustix::net::sockopt::{ip_mtu_discover, ipv6_mtu_discover};
        let v4 = UdpSocket::bind(ANY).unwrap();
        never_fragment(&v4).unwrap();
        assert_eq!(ip_mtu_discover(&v4).unwrap(), Ipv4PathMtuDiscovery::PROBE);
        let v6 = UdpSocket::bind("[::1]:0").unwrap();
        never_fragment(&v6).unwrap();
        assert_eq!(ipv6_mtu_discover(&v6).unwrap(), Ipv6PathMtuDiscovery::PROBE);
    }

    #[test]
    fn an_unknown_congestion_control_is_named_in_the_error() {
        let error = listen(ANY.parse().unwrap(), 1, &with("none-such")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("\"none-such\"; there are: auto, system, "), "{error}");
    }

    #[test]
    fn congestion_control_is_chosen_per_listener() {
        let congestion = |listener: &TcpListener| {
            let name = SockRef::from(listener).tcp_congestion().unwrap();
            String::from_utf8(name).unwrap().trim_end_matches('\0').to_owned()
        };
        let listens = |name: &str| listen(ANY.parse().unwrap(), 1, &with(name)).unwrap().remove(0);
        assert_eq!(congestion(&listens("reno")), "reno", "as it is told");
        let system = congestion(&listens("system"));
        let auto = congestion(&listens("auto"));
        assert!(!auto.starts_with("bbr"), "{auto} paces");
        assert!(auto == system || system.starts_with("bbr"), "{auto} instead of {system}");
    }

    #[test]
    fn pacing_is_left_alone_where_it_may_be_of_use() {
        let socket = stream_socket(ANY.parse().unwrap()).unwrap();
        if socket.set_tcp_congestion(b"bbr").is_err() {
            eprintln!("skipped: this kernel has no bbr, or it takes CAP_NET_ADMIN");
            return;
        }
        let is_paced = || socket.tcp_congestion().unwrap().starts_with(b"bbr");
        for other in ["192.0.2.1", "0.0.0.0", "::", "2001:db8::1"] {
            spare_pacing(&socket, other.parse().unwrap());
            assert!(is_paced(), "{other}");
        }
        spare_pacing(&socket, "::ffff:127.0.0.1".parse().unwrap());
        assert!(!is_paced(), "a loopback address in IPv6");
    }

    fn with(congestion: &str) -> ListenOptions {
        let Ok(congestion) = congestion.parse();
        ListenOptions { congestion, ..ListenOptions::default() }
    }
}
