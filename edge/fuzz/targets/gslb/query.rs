//! Any octets are a packet: an octet of choices, then the message.

use super::invariants::{Asked, Room, check_twice};
use super::world;
use lastmile_gslb::{Offline, Transport};
use std::cell::RefCell;
use std::net::IpAddr;

thread_local! {
    static WORLDS: RefCell<([Offline; 2], Room)> =
        RefCell::new(([world::offline(false), world::offline(true)], Room::new()));
}

pub fn run(octets: &[u8]) {
    let (&choices, message) = octets.split_first().unwrap_or((&0, &[]));
    let transport = if choices & 1 == 0 { Transport::Udp } else { Transport::Tcp };
    let peer = match choices >> 2 & 3 {
        0 => IpAddr::from([192, 0, 2, 7]),
        1 => IpAddr::from([10, 2, 0, 1]),
        2 => IpAddr::from([0x2001, 0xdb8, 2, 0, 0, 0, 0, 1]),
        _ => IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x0a01, 0x0203]),
    };
    let asked = Asked { message, peer, transport, random: u64::from(choices >> 4) };
    WORLDS.with_borrow_mut(|(worlds, room)| {
        check_twice(&mut worlds[usize::from(choices >> 1 & 1)], asked, room);
    });
}
