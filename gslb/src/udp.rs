//! The UDP loop of one worker: a batch in, a batch out, nothing allocated between.

use crate::answer::{Asked, Transport, answer};
use crate::server::Worker;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use std::array;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Datagrams per system call: enough to share its cost under load (at 32 it is below a tenth of the
/// whole), few enough that the first answer of a batch does not wait long.
const BATCH: usize = 32;
/// Octets of a query: a question takes at most 271; the rest is for EDNS options such as padding to
/// 512. Longer ones are cut off by the kernel and then answered with FORMERR.
const QUERY_OCTETS_MAX: usize = 1232;
/// How often an idle loop looks whether it shall stop.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// The buffers of a loop.
struct Buffers {
    received: Vec<u8>,
    answers: Vec<u8>,
    answer_octets_max: usize,
    receive_headers: MultiHeaders<SockaddrStorage>,
    send_headers: MultiHeaders<SockaddrStorage>,
}

/// Where a datagram came from and how long it, and then its answer, is.
type Datagram = Option<(SockaddrStorage, usize)>;

/// Makes a socket ready for [`run`].
pub(crate) fn prepare(socket: &UdpSocket) -> io::Result<()> {
    socket.set_read_timeout(Some(STOP_CHECK))
}

/// Answers until the worker shall stop, then what has already arrived.
pub(crate) fn run(socket: &UdpSocket, mut worker: Worker) {
    let answer_octets_max = usize::from(worker.tables.load().udp_payload_max);
    let mut buffers = Buffers {
        received: vec![0; BATCH * QUERY_OCTETS_MAX],
        answers: vec![0; BATCH * answer_octets_max],
        answer_octets_max,
        receive_headers: MultiHeaders::preallocate(BATCH, None),
        send_headers: MultiHeaders::preallocate(BATCH, None),
    };
    loop {
        let deadline = worker.stop.get().copied();
        let flags = match deadline {
            None => MsgFlags::MSG_WAITFORONE,
            Some(_) => MsgFlags::MSG_DONTWAIT,
        };
        let mut batch: [Datagram; BATCH] = [None; BATCH];
        match receive(socket, &mut buffers, flags, &mut batch) {
            Ok(0) | Err(Errno::EAGAIN) => {
                if deadline.is_some() {
                    return;
                }
            }
            Ok(count) => {
                answer_batch(&mut worker, &mut buffers, &mut batch[..count]);
                send(socket, &worker, &mut buffers, &batch[..count]);
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

fn receive(
    socket: &UdpSocket,
    buffers: &mut Buffers,
    flags: MsgFlags,
    batch: &mut [Datagram; BATCH],
) -> Result<usize, Errno> {
    let mut places = buffers.received.chunks_exact_mut(QUERY_OCTETS_MAX);
    let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
        array::from_fn(|_| [IoSliceMut::new(places.next().unwrap_or_default())]);
    let headers = &mut buffers.receive_headers;
    let received = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), flags, None)?;
    let mut count = 0;
    for (datagram, message) in batch.iter_mut().zip(received) {
        *datagram = message.address.map(|address| (address, message.bytes));
        count += 1;
    }
    Ok(count)
}

/// Replaces each datagram's length by its answer's; those that get none become `None`.
fn answer_batch(worker: &mut Worker, buffers: &mut Buffers, batch: &mut [Datagram]) {
    // One state of the tables for the whole batch.
    let tables = worker.tables.load();
    let queries = buffers.received.chunks_exact(QUERY_OCTETS_MAX);
    let places = buffers.answers.chunks_exact_mut(buffers.answer_octets_max);
    for ((datagram, query), place) in batch.iter_mut().zip(queries).zip(places) {
        let Some((address, octets)) = *datagram else { continue };
        *datagram = None;
        let Some(peer) = socket_address(&address) else { continue };
        if peer.port() == 0 {
            worker.counters.port_zero.count();
            continue;
        }
        let asked = Asked {
            packet: &query[..octets.min(QUERY_OCTETS_MAX)],
            peer: peer.ip(),
            transport: Transport::Udp,
            random: worker.random.next(),
        };
        let answered = answer(&tables, &asked, place);
        worker.counters.count_answer(Transport::Udp, &answered);
        if answered.octets > 0 {
            *datagram = Some((address, answered.octets));
        }
    }
}

fn send(socket: &UdpSocket, worker: &Worker, buffers: &mut Buffers, batch: &[Datagram]) {
    let mut slices: [[IoSlice<'_>; 1]; BATCH] = [[IoSlice::new(&[])]; BATCH];
    let mut addresses: [Option<SockaddrStorage>; BATCH] = [None; BATCH];
    let mut count = 0;
    let places = buffers.answers.chunks_exact(buffers.answer_octets_max);
    for (datagram, place) in batch.iter().zip(places) {
        if let Some((address, octets)) = datagram {
            slices[count] = [IoSlice::new(&place[..*octets])];
            addresses[count] = Some(*address);
            count += 1;
        }
    }
    let mut sent = 0;
    while sent < count {
        let outcome = sendmmsg(
            socket.as_raw_fd(),
            &mut buffers.send_headers,
            slices[sent..count].iter(),
            &addresses[sent..count],
            [],
            MsgFlags::empty(),
        )
        .map(Iterator::count);
        match outcome {
            Ok(messages) if messages > 0 => sent += messages,
            Err(Errno::EINTR) => {}
            // The first of the rest cannot be sent; the others may.
            Ok(_) | Err(_) => {
                worker.counters.udp_failed.count();
                sent += 1;
            }
        }
    }
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
}
