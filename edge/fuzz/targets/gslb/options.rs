//! Well-formed queries with any options: choices, then for each option its code, its length and its data. Where a
//! client subnet is told, every client within the answer's scope gets the same answer.

use super::invariants::{Asked, Room, check_twice};
use super::{addresses, question, reading, width, within, world};
use domain::base::Name;
use lastmile_gslb::{Offline, Transport};
use std::cell::RefCell;
use std::net::IpAddr;

thread_local! {
    static WORLDS: RefCell<([Offline; 2], Room)> =
        RefCell::new(([world::offline(false), world::offline(true)], Room::new()));
}

pub fn run(octets: &[u8]) {
    let Some((&[name, payload, flags, version], rest)) = octets.split_first_chunk() else { return };
    let (name, rtype) = world::NAMES[usize::from(name) % world::NAMES.len()];
    let name: Name<Vec<u8>> = name.parse().expect("a name");
    let mut message = question(&name, rtype, None);
    message[11] = 1;
    // Payloads around those that matter.
    let payload = u16::from(payload) * 8;
    message.extend_from_slice(&[0, 0, 41]);
    message.extend_from_slice(&payload.to_be_bytes());
    message.extend_from_slice(&[0, version.saturating_sub(0xf0), flags & 0x80, 0]);
    let mut options = Vec::new();
    let mut rest = rest;
    while let Some((&[code, length], behind)) = rest.split_first_chunk() {
        let (data, behind) = behind.split_at(behind.len().min(usize::from(length & 0x3f)));
        options.extend_from_slice(&[0, code, 0, data.len() as u8]);
        options.extend_from_slice(data);
        rest = behind;
    }
    message.extend_from_slice(&(options.len() as u16).to_be_bytes());
    message.extend_from_slice(&options);
    let peer = IpAddr::from([192, 0, 2, 7]);
    let transport = if flags & 1 == 0 { Transport::Udp } else { Transport::Tcp };
    let asked = Asked { message: &message, peer, transport, random: 0 };
    WORLDS.with_borrow_mut(|(worlds, room)| {
        let world = &mut worlds[usize::from(flags >> 1 & 1)];
        let answer = check_twice(world, asked, room).to_vec();
        if let reading::Kind::Query(query) = reading::read(&message)
            && let Some(opt) = &query.opt
            && opt.version == 0
            && let Some((_, data)) = opt.options.iter().find(|(code, _)| *code == 8)
        {
            check_scope(world, &name, rtype, data, &answer, room);
        }
    });
}

/// RFC 7871 §7.2.1: the answer is for all whose address begins as this one, for as many bits as the scope says.
fn check_scope(
    world: &mut Offline,
    name: &Name<Vec<u8>>,
    rtype: u16,
    data: &[u8],
    answer: &[u8],
    room: &mut Room,
) {
    let mut whole = [0; 16];
    whole[..data.len() - 4].copy_from_slice(&data[4..]);
    let address = match data[1] {
        1 => IpAddr::from([whole[0], whole[1], whole[2], whole[3]]),
        2 => IpAddr::from(whole),
        _ => return,
    };
    let (expected, Some(scope)) = addresses(answer) else { return };
    // Nobody is told of, or the answer does not fit.
    if data[2] == 0 || answer[2] & 2 != 0 {
        return;
    }
    let (first, last) = within(address, scope);
    for client in [first, last] {
        let message = question(name, rtype, Some((client, width(client))));
        let peer = IpAddr::from([192, 0, 2, 7]);
        let asked = Asked { message: &message, peer, transport: Transport::Tcp, random: 0 };
        let (got, again) = addresses(check_twice(world, asked, room));
        assert_eq!(got, expected, "{client} is within /{scope} of {address}");
        assert_eq!(again, Some(scope), "{client}: the same scope");
    }
}
