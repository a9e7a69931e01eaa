//! The UDP loop of one worker: a batch in, a batch out, nothing allocated between.

mod batch;

use crate::answer::{Asked, Transport, answer};
use crate::server::Worker;
use batch::{Batch, Datagram};
use nix::errno::Errno;
use nix::libc::{MSG_DONTWAIT, MSG_WAITFORONE};
use std::io;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// How often an idle loop looks whether it shall stop.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// Makes a socket ready for [`run`].
pub(crate) fn prepare(socket: &UdpSocket) -> io::Result<()> {
    socket.set_read_timeout(Some(STOP_CHECK))
}

/// Answers until the worker shall stop, then what has already arrived.
pub(crate) fn run(socket: &UdpSocket, mut worker: Worker) {
    let mut batch = Batch::new(usize::from(worker.tables.load().udp_payload_max));
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
                answer_batch(&mut worker, &mut batch, count);
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

fn answer_batch(worker: &mut Worker, batch: &mut Batch, count: usize) {
    // One state of the tables for the whole batch.
    let tables = worker.tables.load();
    for at in 0..count {
        let Some(Datagram { packet, peer, answer: place }) = batch.datagram(at) else { continue };
        if peer.port() == 0 {
            worker.counters.port_zero.count();
            continue;
        }
        let asked = Asked {
            packet,
            peer: peer.ip(),
            transport: Transport::Udp,
            random: worker.random.next(),
        };
        let answered = answer(&tables, &asked, place);
        worker.counters.count_answer(Transport::Udp, &answered);
        if answered.octets > 0 {
            batch.answer(at, answered.octets);
        }
    }
}
