//! Routes of the main table and what they say about TCP: windows, timeouts, congestion control (rtnetlink(7),
//! ip-route(8)).

use crate::link;
use crate::netlink::Netlink;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric,
    RouteNextHopFlags, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

/// The bit of `RTAX_LOCK` that lets `RTAX_RTO_MIN` be in force: without it the kernel ignores that metric
/// (`dst_metric_locked` in net/ipv4/tcp_output.c).
const RTO_MIN_LOCKED: u32 = 1 << 13;

/// A network prefix, such as `192.0.2.0/24`. Text without `/` is one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    address: IpAddr,
    bits: u8,
}

impl Prefix {
    /// The first `bits` bits of `address`; the others are cleared. `None` if it has not so many.
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(v4) if bits <= 32 => {
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                Ipv4Addr::from_bits(v4.to_bits() & mask).into()
            }
            IpAddr::V6(v6) if bits <= 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                Ipv6Addr::from_bits(v6.to_bits() & mask).into()
            }
            IpAddr::V4(_) | IpAddr::V6(_) => return None,
        };
        Some(Self { address, bits })
    }

    /// Its first address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// How many bits of it count.
    pub fn bits(self) -> u8 {
        self.bits
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!("{text:?} is no prefix; allowed: 192.0.2.0/24, 2001:db8::/32, or an address")
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| refused())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let bits = bits.unwrap_or(if address.is_ipv4() { 32 } else { 128 });
        Self::new(address, bits).ok_or_else(refused)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// What a route says about connections over it. `None` leaves a matter to the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// First congestion window, in segments.
    pub initcwnd: Option<u32>,
    /// First receive window, in segments.
    pub initrwnd: Option<u32>,
    /// Least retransmission timeout.
    pub rto_min: Option<Duration>,
    /// Congestion control, such as `cubic`.
    pub congestion: Option<String>,
    /// Acknowledge at once.
    pub quick_ack: Option<bool>,
    /// Octets of an IP packet.
    pub mtu: Option<u32>,
    /// Octets of a segment that we offer to take.
    pub advmss: Option<u32>,
    /// All others, as they are.
    pub others: Vec<RouteMetric>,
}

impl Metrics {
    fn read(metrics: &[RouteMetric]) -> Self {
        let mut read = Self::default();
        for metric in metrics {
            match metric {
                RouteMetric::InitCwnd(segments) => read.initcwnd = Some(*segments),
                RouteMetric::InitRwnd(segments) => read.initrwnd = Some(*segments),
                RouteMetric::RtoMin(ms) => read.rto_min = Some(Duration::from_millis((*ms).into())),
                RouteMetric::CcAlgo(name) => read.congestion = Some(name.clone()),
                RouteMetric::QuickAck(is_on) => read.quick_ack = Some(*is_on != 0),
                RouteMetric::Mtu(octets) => read.mtu = Some(*octets),
                RouteMetric::Advmss(octets) => read.advmss = Some(*octets),
                RouteMetric::Lock(RTO_MIN_LOCKED) => {}
                other => read.others.push(other.clone()),
            }
        }
        read
    }

    fn write(&self) -> Vec<RouteMetric> {
        let mut metrics = self.others.clone();
        let mut lock = 0;
        metrics.retain(|metric| match metric {
            RouteMetric::Lock(bits) => {
                lock = *bits;
                false
            }
            _ => true,
        });
        metrics.extend(self.mtu.map(RouteMetric::Mtu));
        metrics.extend(self.advmss.map(RouteMetric::Advmss));
        metrics.extend(self.initcwnd.map(RouteMetric::InitCwnd));
        metrics.extend(self.initrwnd.map(RouteMetric::InitRwnd));
        metrics.extend(self.quick_ack.map(|is_on| RouteMetric::QuickAck(is_on.into())));
        metrics.extend(self.congestion.clone().map(RouteMetric::CcAlgo));
        if let Some(time) = self.rto_min {
            let ms = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
            metrics.push(RouteMetric::RtoMin(ms));
            lock |= RTO_MIN_LOCKED;
        }
        if lock != 0 {
            metrics.push(RouteMetric::Lock(lock));
        }
        metrics
    }
}

/// A unicast route of the main table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    message: RouteMessage,
    obstacle: Option<&'static str>,
}

impl Route {
    /// To `destination` by the device `device`, straight to it or through `gateway`.
    ///
    /// # Errors
    /// A device that is not there.
    pub fn new(destination: Prefix, device: &str, gateway: Option<IpAddr>) -> io::Result<Self> {
        let mut message = RouteMessage::default();
        message.header = RouteHeader {
            address_family: family(destination.address()),
            destination_prefix_length: destination.bits(),
            table: RouteHeader::RT_TABLE_MAIN,
            protocol: RouteProtocol::Static,
            scope: match gateway {
                Some(_) => RouteScope::Universe,
                None => RouteScope::Link,
            },
            kind: RouteType::Unicast,
            ..RouteHeader::default()
        };
        if destination.bits() > 0 {
            message.attributes.push(RouteAttribute::Destination(destination.address().into()));
        }
        if let Some(gateway) = gateway {
            message.attributes.push(RouteAttribute::Gateway(gateway.into()));
        }
        message.attributes.push(RouteAttribute::Oif(link::index(device)?));
        Ok(Self { message, obstacle: None })
    }

    /// What the kernel has told of a unicast route of the main table; `None` for anything else.
    fn told(mut message: RouteMessage) -> Option<Self> {
        let header = &mut message.header;
        let is_route = header.table == RouteHeader::RT_TABLE_MAIN
            && header.kind == RouteType::Unicast
            // What was learned of one destination, such as its path's MTU, and goes again by itself.
            && !header.flags.contains(RouteFlags::Cloned);
        if !is_route {
            return None;
        }
        // How its devices are now is no part of it: the kernel refuses to be told that.
        header.flags.remove(
            RouteFlags::Dead | RouteFlags::Linkdown | RouteFlags::Offload | RouteFlags::Trap,
        );
        header.flags.remove(RouteFlags::RtOffload | RouteFlags::RtTrap | RouteFlags::OffloadFailed);
        let is_expiring = |attribute: &RouteAttribute| match attribute {
            RouteAttribute::CacheInfo(it) => it.expires != 0,
            _ => false,
        };
        let is_of_nexthop =
            |attribute: &RouteAttribute| matches!(attribute, RouteAttribute::NhId(_));
        let obstacle = if message.attributes.iter().any(is_of_nexthop) {
            Some("unavailable: a route of a nexthop object")
        } else if message.header.protocol == RouteProtocol::Ra {
            Some("unavailable: learned by router advertisement")
        } else if message.attributes.iter().any(is_expiring) {
            Some("unavailable: a route that expires")
        } else {
            None
        };
        // Nor is what it tells of its use.
        message.attributes.retain(|it| !matches!(it, RouteAttribute::CacheInfo(_)));
        for attribute in &mut message.attributes {
            let RouteAttribute::MultiPath(hops) = attribute else { continue };
            for hop in hops {
                hop.flags.remove(
                    RouteNextHopFlags::Dead
                        | RouteNextHopFlags::Linkdown
                        | RouteNextHopFlags::Offload
                        | RouteNextHopFlags::Trap,
                );
            }
        }
        Some(Self { message, obstacle })
    }

    /// Why it cannot be replaced by one that says something else and is the same otherwise: its lifetime is another's
    /// to say, or its way is an object of its own.
    #[must_use]
    pub fn obstacle(&self) -> Option<&'static str> {
        self.obstacle
    }

    /// Where it leads to; the default route is `0.0.0.0/0` or `::/0`.
    pub fn destination(&self) -> Prefix {
        let is_v6 = self.message.header.address_family == AddressFamily::Inet6;
        let any =
            if is_v6 { IpAddr::from(Ipv6Addr::UNSPECIFIED) } else { Ipv4Addr::UNSPECIFIED.into() };
        let address = self.message.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(v4)) => Some(IpAddr::from(*v4)),
            RouteAttribute::Destination(RouteAddress::Inet6(v6)) => Some(IpAddr::from(*v6)),
            _ => None,
        });
        let bits = self.message.header.destination_prefix_length;
        Prefix { address: address.unwrap_or(any), bits }
    }

    /// What it says about connections.
    pub fn metrics(&self) -> Metrics {
        let metrics = self.message.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Metrics(metrics) => Some(metrics.as_slice()),
            _ => None,
        });
        Metrics::read(metrics.unwrap_or_default())
    }

    /// The same route that says this about connections.
    #[must_use]
    pub fn with(mut self, metrics: &Metrics) -> Self {
        self.message
            .attributes
            .retain(|attribute| !matches!(attribute, RouteAttribute::Metrics(_)));
        let metrics = metrics.write();
        if !metrics.is_empty() {
            self.message.attributes.push(RouteAttribute::Metrics(metrics));
        }
        self
    }

    /// A route to `destination`, a part of where this one leads, on the same way and with the same to say.
    #[must_use]
    pub fn narrowed(mut self, destination: Prefix) -> Self {
        self.message.header.destination_prefix_length = destination.bits();
        self.message.header.protocol = RouteProtocol::Static;
        self.message.attributes.retain(|it| !matches!(it, RouteAttribute::Destination(_)));
        if destination.bits() > 0 {
            let destination = RouteAttribute::Destination(destination.address().into());
            self.message.attributes.insert(0, destination);
        }
        self
    }

    /// Puts it in place of the one with its destination and priority, or adds it.
    ///
    /// # Errors
    /// `PermissionDenied` without `CAP_NET_ADMIN`; a gateway that cannot be reached; a metric that the kernel refuses,
    /// such as a congestion control that it does not know.
    pub fn replace(&self) -> io::Result<()> {
        let message = RouteNetlinkMessage::NewRoute(self.message.clone());
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        Netlink::open(NETLINK_ROUTE)?.request(message, flags).map(|_| ())
    }

    /// Takes it away.
    ///
    /// # Errors
    /// `PermissionDenied` without `CAP_NET_ADMIN`; `NotFound` (ESRCH) if it is not there.
    pub fn remove(&self) -> io::Result<()> {
        let message = RouteNetlinkMessage::DelRoute(self.message.clone());
        Netlink::open(NETLINK_ROUTE)?.request(message, 0).map(|_| ())
    }
}

/// The unicast routes of the main table, of both families, as the kernel orders them. Needs no privilege.
///
/// # Errors
/// What the kernel says.
pub fn list() -> io::Result<Vec<Route>> {
    let mut netlink = Netlink::open(NETLINK_ROUTE)?;
    let mut routes = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut message = RouteMessage::default();
        message.header.address_family = family;
        for answer in netlink.dump(RouteNetlinkMessage::GetRoute(message))? {
            let RouteNetlinkMessage::NewRoute(message) = answer else { continue };
            routes.extend(Route::told(message));
        }
    }
    Ok(routes)
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::Namespace;

    #[test]
    fn prefixes() {
        let read = |text: &str| text.parse::<Prefix>().map(|prefix| prefix.to_string()).ok();
        for (text, prefix) in [
            ("192.0.2.7/24", Some("192.0.2.0/24")),
            ("192.0.2.7", Some("192.0.2.7/32")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("2001:db8:1::1/32", Some("2001:db8::/32")),
            ("::/0", Some("::/0")),
            ("192.0.2.0/33", None),
            ("192.0.2/24", None),
            ("2001:db8::/129", None),
            ("x/8", None),
        ] {
            assert_eq!(read(text).as_deref(), prefix, "{text}");
        }
    }

    fn namespace() -> Option<Namespace> {
        match Namespace::new() {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                eprintln!("skipped: a network namespace takes CAP_SYS_ADMIN");
                None
            }
            namespace => Some(namespace.unwrap()),
        }
    }

    #[test]
    fn what_was_learned_of_a_destination_is_no_route() {
        let mut message = Route::new("192.0.2.1".parse().unwrap(), "lo", None).unwrap().message;
        assert!(Route::told(message.clone()).is_some());
        message.header.flags = RouteFlags::Cloned;
        assert_eq!(Route::told(message), None);
    }

    #[test]
    fn a_route_is_written_as_it_was_told() {
        let Some(namespace) = namespace() else { return };
        let ip = |arguments: &str| {
            let mut command = std::process::Command::new("ip");
            assert!(command.args(arguments.split(' ')).status().unwrap().success(), "{arguments}");
        };
        namespace
            .run(|| {
                // The peer of one is down: it has no carrier.
                ip("link add dark type veth peer name dark1");
                ip("link add lit type veth peer name lit1");
                for device in ["dark", "lit", "lit1"] {
                    ip(&format!("link set {device} up"));
                }
                ip("route add 192.0.2.0/24 dev dark");
                ip("-6 route add 2001:db8:1::/64 dev lit expires 300");
                ip("-6 route add 2001:db8:2::/64 dev lit proto ra");
                ip("nexthop add id 7 dev lit");
                ip("route add 203.0.113.0/24 nhid 7");
                ip("route add 198.51.100.0/24 nexthop dev dark weight 1 nexthop dev lit weight 1");
                let said = Metrics { initcwnd: Some(20), ..Metrics::default() };
                for (destination, obstacle) in [
                    ("192.0.2.0/24", None),
                    ("198.51.100.0/24", None),
                    ("2001:db8:1::/64", Some("unavailable: a route that expires")),
                    ("2001:db8:2::/64", Some("unavailable: learned by router advertisement")),
                    ("203.0.113.0/24", Some("unavailable: a route of a nexthop object")),
                ] {
                    let of = |routes: Vec<Route>| {
                        let is_it = |it: &Route| it.destination().to_string() == destination;
                        routes.into_iter().find(is_it).unwrap()
                    };
                    let route = of(list()?);
                    assert_eq!(route.obstacle(), obstacle, "{destination}");
                    if obstacle.is_none() {
                        route.clone().with(&said).replace()?;
                        assert_eq!(of(list()?).metrics(), said, "{destination}");
                        route.replace()?;
                        assert_eq!(of(list()?), route, "{destination}");
                    }
                }
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_route_says_what_it_was_told() {
        let Some(namespace) = namespace() else { return };
        let said = Metrics {
            initcwnd: Some(20),
            initrwnd: Some(40),
            rto_min: Some(Duration::from_millis(20)),
            congestion: Some("reno".to_owned()),
            quick_ack: Some(true),
            mtu: Some(1400),
            advmss: Some(1300),
            others: vec![RouteMetric::Hoplimit(9)],
        };
        namespace
            .run(|| {
                for destination in ["192.0.2.0/24", "2001:db8::/32"] {
                    let destination: Prefix = destination.parse().unwrap();
                    let of = |routes: Vec<Route>| {
                        routes.into_iter().find(|route| route.destination() == destination)
                    };
                    let route = Route::new(destination, "lo", None)?;
                    route.replace()?;
                    let plain = of(list()?).unwrap();
                    assert_eq!(plain.metrics(), Metrics::default());
                    plain.clone().with(&said).replace()?;
                    let told = of(list()?).unwrap();
                    assert_eq!(told.metrics(), said, "{destination}");
                    told.with(&Metrics::default()).replace()?;
                    assert_eq!(of(list()?), Some(plain.clone()), "as it was");
                    plain.remove()?;
                    assert_eq!(of(list()?), None);
                    assert!(plain.remove().is_err(), "there is none");
                }
                Ok(())
            })
            .unwrap();
    }
}
