//! A flood of SYNs (RFC 4987 §2), to see that service goes on: connections that are asked for and never completed.
//! Scenarios name it, and it reaches hosts of a lab only.

use super::topology::is_address;
use crate::error::BenchError;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// SYNs per second: what one thread sends here, and a hundred times what fills the queue of a listener in a second.
pub const PER_SECOND_MAX: u32 = 200_000;

/// How often some are sent. Shorter costs the machine more wake-ups than it makes the flood smoother.
const TICK: Duration = Duration::from_millis(1);

/// The first port that it claims to come from; it goes on to the last one and then begins again.
const PORT_FIRST: u16 = 1_024;

/// Octets of a TCP head without options.
const HEAD_OCTETS: usize = 20;

/// Sends `per_second` SYNs to `to` until the process ends.
///
/// # Errors
/// [`BenchError::Settings`] for an address that is none of a lab, or more than [`PER_SECOND_MAX`];
/// [`BenchError::Io`] without `CAP_NET_RAW`.
pub fn flood(to: SocketAddrV4, per_second: u32) -> Result<(), BenchError> {
    if !is_address(*to.ip()) {
        let why = format!("{} is no host of a lab, and nobody else is to be flooded", to.ip());
        return Err(BenchError::Settings(why));
    }
    if !(1..=PER_SECOND_MAX).contains(&per_second) {
        let why = format!("{per_second} SYNs per second; allowed: 1 to {PER_SECOND_MAX}");
        return Err(BenchError::Settings(why));
    }
    let io = |what| move |error| BenchError::Io(what, error);
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::TCP));
    let socket = socket.map_err(io("a raw socket (it takes CAP_NET_RAW)"))?;
    let from = own_address(to).map_err(io("the way to the flooded host"))?;
    let (mut sent, mut port) = (0_u64, PORT_FIRST);
    let began = Instant::now();
    loop {
        let due = began.elapsed().as_micros() as u64 * u64::from(per_second) / 1_000_000;
        while sent < due {
            let syn = syn(from, port, to, sent as u32);
            match socket.send_to(&syn, &to.into()) {
                // A full queue of the device: this one is lost, as in any flood.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                sent => drop(sent.map_err(io("a SYN"))?),
            }
            sent += 1;
            port = port.checked_add(1).unwrap_or(PORT_FIRST);
        }
        thread::sleep(TICK);
    }
}

/// The address that packets to `to` come from.
fn own_address(to: SocketAddrV4) -> io::Result<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(to)?;
    match socket.local_addr()?.ip() {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(_) => Err(io::ErrorKind::AddrNotAvailable.into()),
    }
}

/// A SYN without options (RFC 9293 §3.1).
fn syn(from: Ipv4Addr, port: u16, to: SocketAddrV4, sequence_number: u32) -> [u8; HEAD_OCTETS] {
    let mut head = [0; HEAD_OCTETS];
    head[..2].copy_from_slice(&port.to_be_bytes());
    head[2..4].copy_from_slice(&to.port().to_be_bytes());
    head[4..8].copy_from_slice(&sequence_number.to_be_bytes());
    // The head's length in words of 4 octets, SYN, and the window.
    head[12] = (HEAD_OCTETS as u8 / 4) << 4;
    head[13] = 0x02;
    head[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
    let checksum = checksum(from, *to.ip(), &head);
    head[16..18].copy_from_slice(&checksum.to_be_bytes());
    head
}

/// Of a segment with its pseudo-header (RFC 9293 §3.1, RFC 1071): 0 for one that has its own.
fn checksum(from: Ipv4Addr, to: Ipv4Addr, segment: &[u8; HEAD_OCTETS]) -> u16 {
    let words = |octets: &[u8]| -> u32 {
        octets.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum()
    };
    let protocol_and_length = 6 + HEAD_OCTETS as u32;
    let mut sum =
        words(&from.octets()) + words(&to.octets()) + protocol_and_length + words(segment);
    while sum > u32::from(u16::MAX) {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syn_has_its_checksum() {
        let (from, to) = (Ipv4Addr::new(10, 77, 0, 1), "10.77.0.2:8080".parse().unwrap());
        let head = syn(from, 1_024, to, 7);
        assert_eq!(checksum(from, *to.ip(), &head), 0);
        assert_eq!(head[13], 2, "a SYN and nothing else");
        assert_eq!(head[2..4], 8080_u16.to_be_bytes());
    }

    #[test]
    fn nobody_outside_of_a_lab_is_flooded() {
        for (to, per_second) in
            [("127.0.0.1:80", 1), ("192.0.2.1:80", 1), ("10.77.0.1:80", PER_SECOND_MAX + 1)]
        {
            let error = flood(to.parse().unwrap(), per_second).unwrap_err();
            assert!(error.is_misuse(), "{to}: {error}");
        }
    }
}
