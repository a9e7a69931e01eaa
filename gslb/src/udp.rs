//! The UDP loop of one worker: a batch in, a batch out, nothing allocated between.

mod batch;

use crate::answer::{Answered, Asked, Reason, Tables, Transport, answer_limited, answer_query};
use crate::limit::{Limit, Verdict};
use crate::wire::cookie::Standing;
use crate::wire::query::{Problem, Query};
use crate::wire::subnet::Client;
use crate::worker::Worker;
use batch::{BATCH, Batch, Datagram};
use lastmile_tuning::socket::never_fragment;
use nix::errno::Errno;
use nix::libc::{MSG_DONTWAIT, MSG_WAITFORONE};
use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// How often an idle loop looks whether it shall stop.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// Makes a socket ready for [`run`].
pub(crate) fn prepare(socket: &UdpSocket) -> io::Result<()> {
    never_fragment(socket)?;
    if is_of_all_addresses(socket)? {
        // RFC 2181 §4.1: an answer comes from the address that was asked.
        match socket.local_addr()? {
            SocketAddr::V4(_) => setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?,
            SocketAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        }
    }
    socket.set_read_timeout(Some(STOP_CHECK))
}

fn is_of_all_addresses(socket: &UdpSocket) -> io::Result<bool> {
    Ok(socket.local_addr()?.ip().is_unspecified())
}

/// A datagram that has been read: the query, if it is one.
struct Read {
    query: Query,
    outcome: Result<(), Problem>,
}

/// Answers until the worker shall stop, then what has already arrived.
pub(crate) fn run(socket: &UdpSocket, mut worker: Worker) {
    // It had an address a moment ago.
    let of_all_addresses = is_of_all_addresses(socket).unwrap_or(false);
    let payload_max = usize::from(worker.tables.load().udp_payload_max);
    let mut batch = Batch::new(payload_max, of_all_addresses);
    let mut reads: Vec<Read> = Vec::new();
    reads.resize_with(BATCH, || Read { query: Query::empty(), outcome: Err(Problem::Silence) });
    loop {
        let deadline = worker.stop.get().copied();
        let flags = if deadline.is_none() { MSG_WAITFORONE } else { MSG_DONTWAIT };
        match batch.receive(socket, flags) {
            Ok(0) | Err(Errno::EAGAIN) => {
                if deadline.is_some() {
                    return;
                }
            }
            Ok(count) => {
                answer_batch(&mut worker, &mut batch, &mut reads[..count]);
                batch.send(socket, || worker.counters.udp_failed.count());
            }
            Err(Errno::EINTR) => {}
            // An ICMP error of an earlier answer, for instance; the socket goes on.
            Err(_) => worker.counters.udp_failed.count(),
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return;
        }
    }
}

fn answer_batch(worker: &mut Worker, batch: &mut Batch, reads: &mut [Read]) {
    // One state of the tables for the whole batch.
    let tables = worker.tables.load();
    let moment = worker.pulse.moment();
    let clients = reads.iter_mut().enumerate().filter_map(|(at, read)| {
        let Datagram { packet, peer, .. } = batch.datagram(at)?;
        read.outcome = read.query.read(packet);
        let subnet = read.query.edns.as_ref().and_then(|edns| edns.subnet.as_ref());
        read.outcome.is_ok().then(|| Client::new(subnet, peer.ip()).address)
    });
    if moment.mode.is_static {
        // Nobody is looked up.
        clients.for_each(drop);
    } else {
        tables.policy.map.warm(clients);
    }
    for (at, read) in reads.iter().enumerate() {
        let Some(Datagram { packet, peer, answer }) = batch.datagram(at) else { continue };
        if peer.port() == 0 {
            worker.counters.port_zero.count();
            continue;
        }
        let asked = Asked {
            packet,
            peer: peer.ip(),
            transport: Transport::Udp,
            random: worker.random.next(),
            moment,
        };
        let query = read.outcome.map(|()| &read.query);
        let mut answered = answer_query(&tables, &asked, query, answer);
        worker.note(&tables, &asked, &answered);
        if let Some(limit) = &tables.service.limit {
            answered = limited(worker, &tables, limit, &asked, query, answered, answer);
        }
        worker.log(&tables, &asked, &answered, answer);
        if answered.octets > 0 {
            batch.answer(at, answered.octets);
        }
    }
}

/// What is sent in the end, the answer being one too many perhaps.
fn limited(
    worker: &mut Worker,
    tables: &Tables,
    limit: &Limit,
    asked: &Asked<'_>,
    query: Result<&Query, Problem>,
    answered: Answered,
    place: &mut [u8],
) -> Answered {
    if answered.octets == 0 || answered.standing == Standing::Good {
        return answered;
    }
    match worker.limiter.judge(limit, asked.peer, answered.kind, asked.moment.now) {
        Verdict::Send => answered,
        Verdict::Slip => {
            worker.counters.limited_slipped.count();
            answer_limited(tables, asked, query, place)
        }
        Verdict::Drop => {
            worker.counters.limited_dropped.count();
            Answered::new(0, Reason::Limited, answered.rcode)
        }
    }
}
