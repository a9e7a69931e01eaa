//! Listeners, of which each core has its own.

use super::options::{SocketOptions, named};
use super::raw;
use crate::cpu::Cores;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

/// How long a bind is retried on `EADDRINUSE`: the ring of a process that has just ended lets go of its sockets
/// asynchronously, within some tens of milliseconds. Longer only delays the message to somebody whose port is taken.
const BIND_RETRY_MAX: Duration = Duration::from_millis(500);
const BIND_RETRY_STEP: Duration = Duration::from_millis(50);

/// Options of a TCP listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenOptions {
    /// Connections waiting to be accepted, per listener; the kernel lowers it to `net.core.somaxconn`.
    pub backlog: i32,
    /// Options that the connections it accepts inherit.
    pub socket: SocketOptions,
    /// Connections whose SYN carries a request at a time, before they are accepted (`TCP_FASTOPEN`, RFC 7413); without
    /// bit 2 in `net.ipv4.tcp_fastopen` the kernel takes none. `None`: no such connections.
    pub fast_open: Option<u32>,
    /// A connection is accepted when its first octets have arrived, or anyhow after so long, in seconds
    /// (`TCP_DEFER_ACCEPT`). `None`: at once.
    pub defer_accept: Option<Duration>,
    /// The core of each listener, as many as there are: a connection goes to the listener of the core that has received
    /// its first packet (`SO_INCOMING_CPU`, and `SO_ATTACH_REUSEPORT_CBPF` for kernels before 6.2), and from another
    /// core to any. `None`: the kernel spreads them evenly by their addresses.
    pub steer: Option<Cores>,
}

impl Default for ListenOptions {
    fn default() -> Self {
        let user_timeout = Some(Duration::from_secs(30));
        Self {
            backlog: 4096,
            socket: SocketOptions { user_timeout, ..SocketOptions::default() },
            fast_open: None,
            defer_accept: None,
            steer: None,
        }
    }
}

impl ListenOptions {
    /// Sets all but the backlog, and but [`ListenOptions::steer`], which is of several listeners, on a socket that is
    /// to listen at `address`.
    ///
    /// # Errors
    /// As for [`SocketOptions::apply`].
    pub fn apply(&self, socket: &Socket, address: IpAddr) -> io::Result<()> {
        self.socket.apply(socket, address)?;
        if let Some(queue) = self.fast_open {
            raw::set_fast_open(socket, queue).map_err(named("TCP_FASTOPEN"))?;
        }
        if let Some(time) = self.defer_accept {
            raw::set_defer_accept(socket, time).map_err(named("TCP_DEFER_ACCEPT"))?;
        }
        Ok(())
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
    for place in 0..count {
        let socket = stream_socket(address)?;
        socket.set_reuse_port(true)?;
        retry_in_use(|| socket.bind(&address.into()))?;
        options.apply(&socket, address.ip())?;
        if let Some(core) = options.steer.as_ref().and_then(|it| it.numbers().get(place)) {
            raw::set_incoming_cpu(&socket, *core).map_err(named("SO_INCOMING_CPU"))?;
        }
        socket.listen(options.backlog)?;
        let listener = TcpListener::from(socket);
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    if let (Some(cores), Some(first)) = (&options.steer, listeners.first()) {
        raw::steer_by_cpu(first, cores.numbers()).map_err(named("SO_ATTACH_REUSEPORT_CBPF"))?;
    }
    Ok(listeners)
}

fn stream_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// Calls `bind` until the address is free, but not for long.
pub(super) fn retry_in_use<T>(mut bind: impl FnMut() -> io::Result<T>) -> io::Result<T> {
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
    use crate::socket::{bind_udp, spare_pacing};
    use socket2::SockRef;

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
        let socket = SocketOptions { congestion, ..SocketOptions::default() };
        ListenOptions { socket, ..ListenOptions::default() }
    }
}
