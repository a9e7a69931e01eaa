//! Listeners and connections with the options that matter to an edge.

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
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
    /// `TCP_CONGESTION`, such as `bbr` or `cubic`; `None` leaves the system's default.
    pub congestion: Option<String>,
    /// `TCP_NOTSENT_LOWAT` in octets: unsent data above which the socket is not writable; `None` leaves the default.
    pub notsent_lowat: Option<u32>,
    /// `TCP_USER_TIMEOUT`: sent data unacknowledged for this long ends the connection; `None` leaves the default.
    pub user_timeout: Option<Duration>,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            backlog: 4096,
            congestion: None,
            notsent_lowat: None,
            user_timeout: Some(Duration::from_secs(30)),
        }
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
        apply(&socket, options)?;
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

/// Options of one connection of the data path: no Nagle delay on the first octet, and dead peers noticed.
///
/// # Errors
/// What `setsockopt(2)` returns.
pub fn prepare_connection(socket: &impl AsFd) -> io::Result<()> {
    SockRef::from(socket).set_tcp_nodelay(true)
}

fn stream_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn apply(socket: &Socket, options: &ListenOptions) -> io::Result<()> {
    let named = |name: &'static str| {
        move |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"))
    };
    // Accepted sockets inherit TCP_NODELAY from the listener: one system call less for each connection.
    socket.set_tcp_nodelay(true)?;
    if let Some(name) = &options.congestion {
        socket.set_tcp_congestion(name.as_bytes()).map_err(named("TCP_CONGESTION"))?;
    }
    if let Some(octets) = options.notsent_lowat {
        socket.set_tcp_notsent_lowat(octets).map_err(named("TCP_NOTSENT_LOWAT"))?;
    }
    if let Some(timeout) = options.user_timeout {
        socket.set_tcp_user_timeout(Some(timeout)).map_err(named("TCP_USER_TIMEOUT"))?;
    }
    Ok(())
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
    fn an_unknown_congestion_control_is_named_in_the_error() {
        let options = ListenOptions { congestion: Some("none-such".into()), ..Default::default() };
        let error = listen(ANY.parse().unwrap(), 1, &options).unwrap_err();
        assert!(error.to_string().contains("TCP_CONGESTION"), "{error}");
    }
}
