//! What `up` puts at which address. Pure.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Edges are 127.0.0.1 to 127.0.0.N. Each is a worker per core with buffers of its own; more tell
/// nothing that 32 do not.
pub const EDGES_MAX: u8 = 32;

/// Ports in a row that `--port-base` takes.
pub const PORTS: u16 = 6;

/// Where everything is to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) origin: SocketAddr,
    pub(super) parent: SocketAddr,
    pub(super) edges: Vec<SocketAddr>,
    pub(super) gslb: SocketAddr,
    pub(super) admin: SocketAddr,
    /// The GSLB's HTTP.
    pub(super) http: SocketAddr,
}

impl Plan {
    /// The well-known ports, or [`PORTS`] of them from `base` on, or (0) whatever is free.
    pub(super) fn new(base: Option<u16>, edges: u8, admin: Option<SocketAddr>) -> Self {
        let ports = match base {
            None => [8000, 8080, 8081, 5353, 9100, 5380],
            Some(0) => [0; PORTS as usize],
            Some(base) => [base, base + 1, base + 2, base + 3, base + 4, base + 5],
        };
        let at = |host: u8, port| SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), port);
        Self {
            origin: at(1, ports[0]),
            edges: (1..=edges).map(|host| at(host, ports[1])).collect(),
            parent: at(1, ports[2]),
            gslb: at(1, ports[3]),
            admin: admin.unwrap_or_else(|| at(1, ports[4])),
            http: at(1, ports[5]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        for (base, expected, why) in [
            (
                None,
                ["8000", "8080", "8081", "5353", "9100", "5380"],
                "the ones that scripts rely on",
            ),
            (Some(7000), ["7000", "7001", "7002", "7003", "7004", "7005"], "in a row"),
            (Some(0), ["0", "0", "0", "0", "0", "0"], "the kernel's choice"),
        ] {
            let plan = Plan::new(base, 2, None);
            let found = [plan.origin, plan.edges[0], plan.parent, plan.gslb, plan.admin, plan.http];
            assert_eq!(found.map(|address| address.port().to_string()), expected, "{why}");
            assert_eq!(plan.edges[1].ip().to_string(), "127.0.0.2");
            assert_eq!(plan.edges[0].port(), plan.edges[1].port());
        }
    }

    #[test]
    fn the_admin_address_can_be_given() {
        let admin = "127.0.0.9:1".parse().unwrap();
        assert_eq!(Plan::new(None, 1, Some(admin)).admin, admin);
    }
}
