//! UDP sockets that share a port, one for each core.

use super::listen::retry_in_use;
use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, UdpSocket};

/// Opens `count` UDP sockets on `address` that share it by `SO_REUSEPORT`, one for each core.
///
/// # Errors
/// As for [`super::listen`].
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

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::sockopt::{ip_mtu_discover, ipv6_mtu_discover};

    #[test]
    fn datagrams_are_not_fragmented() {
        let v4 = UdpSocket::bind("127.0.0.1:0").unwrap();
        never_fragment(&v4).unwrap();
        assert_eq!(ip_mtu_discover(&v4).unwrap(), Ipv4PathMtuDiscovery::PROBE);
        let v6 = UdpSocket::bind("[::1]:0").unwrap();
        never_fragment(&v6).unwrap();
        assert_eq!(ipv6_mtu_discover(&v6).unwrap(), Ipv6PathMtuDiscovery::PROBE);
    }
}
