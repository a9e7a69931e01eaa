//! A large map is read again and again while queries come: none of them is lost.

#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach what they call.

use lastmile_gslb::{Config, ZoneSource, start};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const ZONE: &str = r#"
[[zone]]
name = "cdn.test"
records = """
@ SOA ns host 1 2 3 4 60
@ NS ns
"""
[[region]]
name = "north"
[[region]]
name = "south"
[[edge]]
name = "n"
region = "north"
addresses = ["192.0.2.1"]
[[edge]]
name = "s"
region = "south"
addresses = ["192.0.2.2"]
[[steer]]
name = "www.cdn.test"
"#;

/// All even /24 of 10/8 and 11/8 are of one region, all odd ones of the other.
fn map(even: &str, odd: &str) -> String {
    (0x0a_0000..0x0c_0000_u32).fold(String::new(), |mut text, block| {
        let region = if block % 2 == 0 { even } else { odd };
        writeln!(text, "{}/24,{region}", Ipv4Addr::from(block << 8)).unwrap();
        text
    })
}

/// A question for the addresses of www.cdn.test, for a client of 10.0.`block`.0/24.
fn query(id: u16, block: u8) -> Vec<u8> {
    let header = [&id.to_be_bytes()[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 1]].concat();
    let question = b"\x03www\x03cdn\x04test\x00\x00\x01\x00\x01";
    let opt = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0b\x00\x08\x00\x07\x00\x01\x18\x00";
    [&header[..], question, opt, &[10, 0, block]].concat()
}

#[test]
fn no_query_is_lost_while_a_map_is_swapped() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("map.csv");
    let maps = [map("north", "south"), map("south", "north")];
    std::fs::write(&file, &maps[0]).unwrap();
    let zone = ZoneSource::Inline { name: "cdn.toml".to_owned(), text: ZONE.to_owned() };
    let listen = "127.0.0.1:0".parse().unwrap();
    let config = Config { listen, zone: Some(zone), map: Some(file.clone()), ..Config::default() };
    let server = start(config).unwrap();
    assert_eq!(server.summary().prefixes, 1 << 17);
    let done = AtomicBool::new(false);
    let asked = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(server.address()).unwrap();
            // Whatever the machine does: only a lost answer takes so long.
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let (mut id, mut seen) = (0_u16, [0_u64; 2]);
            while !done.load(Ordering::Relaxed) {
                id = id.wrapping_add(1);
                let block = id as u8;
                socket.send(&query(id, block)).unwrap();
                let mut answer = [0; 512];
                let octets = socket.recv(&mut answer).expect("an answer to each query");
                assert_eq!(answer[..2], id.to_be_bytes());
                assert_eq!(u16::from_be_bytes([answer[6], answer[7]]), 1, "one address");
                // The address stands before the OPT record, of 11 and 11 octets.
                let address = &answer[octets - 26..octets - 22];
                assert!([[192, 0, 2, 1], [192, 0, 2, 2]].contains(&address.try_into().unwrap()));
                let is_first_map = (address[3] == 1) == block.is_multiple_of(2);
                seen[usize::from(!is_first_map)] += 1;
            }
            seen
        });
        for turn in 1..=6 {
            std::fs::write(&file, &maps[turn % 2]).unwrap();
            server.reload().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        asking.join().unwrap()
    });
    assert!(asked[0] > 0 && asked[1] > 0, "answers by both maps: {asked:?}");
    std::fs::write(&file, "10.0.0.0/24,nowhere\n").unwrap();
    assert!(server.reload().is_err());
    assert_eq!(server.summary().prefixes, 1 << 17, "as before");
    server.stop(Duration::ZERO);
}
