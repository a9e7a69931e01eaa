//! Network devices: found, brought up, given an MTU, a queue and addresses (rtnetlink(7)).

use crate::netlink::Netlink;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use std::io;
use std::net::IpAddr;

/// The index of the device `name` in the calling thread's namespace.
///
/// # Errors
/// `NotFound` (ENODEV), with the name.
pub fn index(name: &str) -> io::Result<u32> {
    nix::net::if_::if_nametoindex(name)
        .map_err(|_| io::Error::new(io::ErrorKind::NotFound, format!("no network device {name:?}")))
}

/// Brings it up.
///
/// # Errors
/// As for [`index`]; `PermissionDenied` without `CAP_NET_ADMIN`.
pub fn up(name: &str) -> io::Result<()> {
    change(name, |message| {
        message.header.flags |= LinkFlags::Up;
        message.header.change_mask |= LinkFlags::Up;
    })
}

/// Takes it down; what is in its queue is lost.
///
/// # Errors
/// As for [`up`].
pub fn down(name: &str) -> io::Result<()> {
    change(name, |message| message.header.change_mask |= LinkFlags::Up)
}

/// Sets its MTU, in octets of an IP packet.
///
/// # Errors
/// As for [`up`]; `InvalidInput` for one that the device cannot have.
pub fn set_mtu(name: &str, octets: u32) -> io::Result<()> {
    change(name, |message| message.attributes.push(LinkAttribute::Mtu(octets)))
}

/// Sets the length of its transmit queue, in packets.
///
/// # Errors
/// As for [`up`].
pub fn set_queue(name: &str, packets: u32) -> io::Result<()> {
    change(name, |message| message.attributes.push(LinkAttribute::TxQueueLen(packets)))
}

/// Gives it `address`, in a network whose prefix has `prefix_bits` bits. One that it has already is no error.
///
/// # Errors
/// As for [`up`].
pub fn add_address(name: &str, address: IpAddr, prefix_bits: u8) -> io::Result<()> {
    let mut message = AddressMessage::default();
    message.header.index = index(name)?;
    message.header.prefix_len = prefix_bits;
    message.header.family = match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.attributes.push(AddressAttribute::Address(address));
    if address.is_ipv4() {
        message.attributes.push(AddressAttribute::Local(address));
    }
    request(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE)
}

fn change(name: &str, what: impl FnOnce(&mut LinkMessage)) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index(name)?;
    what(&mut message);
    request(RouteNetlinkMessage::SetLink(message), 0)
}

fn request(message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
    Netlink::open(NETLINK_ROUTE)?.request(message, flags).map(|_| ())
}
