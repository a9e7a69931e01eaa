//! What a host's kernel says of its connections (sock_diag(7)): congestion window, round-trip time, retransmissions,
//! options.

use crate::wan::error::WanError;
use crate::wan::host::Host;
use lastmile_tuning::netlink::Netlink;
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::inet::nlas::{Nla, TcpInfo};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use std::fmt;
use std::io;
use std::net::Ipv4Addr;

/// Options of a connection in `tcpi_options` (linux/tcp.h).
const TIMESTAMPS: u8 = 1;
const SACK: u8 = 2;
const WINDOW_SCALE: u8 = 4;

/// What the kernel says of a connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// In segments.
    pub cwnd: u32,
    /// Smoothed, in ms.
    pub rtt_ms: f64,
    /// Segments that were sent again.
    pub retransmissions: u32,
    /// Octets that were sent for the first time and acknowledged.
    pub octets_acknowledged: u64,
    /// Such as `cubic`.
    pub congestion: String,
    /// Whether both ends know selective acknowledgements.
    pub sack: bool,
    /// Whether both ends send timestamps.
    pub timestamps: bool,
    /// By how many bits our windows, and the others', are scaled; `None` if they are not.
    pub window_scale: Option<[u8; 2]>,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cwnd {}, RTT {:.1} ms, {} sent again, {}, ",
            self.cwnd, self.rtt_ms, self.retransmissions, self.congestion
        )?;
        f.write_str(if self.sack { "SACK" } else { "no SACK" })?;
        f.write_str(if self.timestamps { ", timestamps" } else { ", no timestamps" })?;
        match self.window_scale {
            Some([own, other]) => write!(f, ", windows scaled by {own} and {other} bits"),
            None => f.write_str(", windows not scaled"),
        }
    }
}

/// The connections of `host` that are established with the address `peer`, the one that has sent most first.
///
/// # Errors
/// What the kernel says of the question.
pub fn connections(host: &Host, peer: Ipv4Addr) -> Result<Vec<Seen>, WanError> {
    let mut found = host
        .namespace
        .run(|| list(peer))
        .map_err(WanError::io(format!("connections of {}", host.name)))?;
    found.sort_by_key(|seen| std::cmp::Reverse(seen.octets_acknowledged));
    Ok(found)
}

fn list(peer: Ipv4Addr) -> io::Result<Vec<Seen>> {
    let mut netlink = Netlink::open(NETLINK_SOCK_DIAG)?;
    let mut all = Vec::new();
    // A server that listens at [::] has connections of IPv6, with IPv4 in it.
    for (family, socket_id) in
        [(libc::AF_INET, SocketId::new_v4()), (libc::AF_INET6, SocketId::new_v6())]
    {
        let request = InetRequest {
            family: u8::try_from(family).unwrap_or_default(),
            protocol: u8::try_from(libc::IPPROTO_TCP).unwrap_or_default(),
            extensions: ExtensionFlags::INFO | ExtensionFlags::CONG,
            states: StateFlags::ESTABLISHED | StateFlags::CLOSE_WAIT,
            socket_id,
        };
        for answer in netlink.dump(SockDiagMessage::InetRequest(request))? {
            let SockDiagMessage::InetResponse(socket) = answer else { continue };
            if socket.header.socket_id.destination_address.to_canonical() == peer {
                all.extend(read(&socket.nlas));
            }
        }
    }
    Ok(all)
}

fn read(attributes: &[Nla]) -> Option<Seen> {
    let info = attributes.iter().find_map(|attribute| match attribute {
        Nla::TcpInfo(info) => Some(info),
        _ => None,
    })?;
    let congestion = attributes.iter().find_map(|attribute| match attribute {
        Nla::Congestion(name) => Some(name.clone()),
        _ => None,
    });
    Some(of_info(info, congestion.unwrap_or_default()))
}

fn of_info(info: &TcpInfo, congestion: String) -> Seen {
    let has = |option| info.options & option != 0;
    Seen {
        cwnd: info.snd_cwnd,
        rtt_ms: f64::from(info.rtt) / 1e3,
        retransmissions: info.total_retrans,
        octets_acknowledged: info.bytes_acked,
        congestion,
        sack: has(SACK),
        timestamps: has(TIMESTAMPS),
        // `tcpi_snd_wscale` is in the lower bits: how the other's windows are scaled.
        window_scale: has(WINDOW_SCALE).then_some([info.wscale >> 4, info.wscale & 15]),
    }
}
