//! As many packets as one direction carries without losing any: the sender waits whenever too many are under way.

use super::{PACKETS_PER_SECOND_MIN, Pair, Way, lateness_rows, row};
use crate::wan::emulator::Measurement;
use crate::wan::outcome::{ExpectationKind, Row};
use nix::errno::Errno;
use nix::sys::socket::{
    MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg, setsockopt, sockopt,
};
use std::array;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The delay of the link, so that there is something under way.
const DELAY: Duration = Duration::from_millis(5);

/// Datagrams of a system call.
const BURST: usize = 64;

/// Packets under way at most: below what the device's queue holds, so that none is dropped, and above what is under way
/// at a million packets/s.
const UNDER_WAY_MAX: u64 = 8_000;

/// For that many of the longest datagrams, as the kernel counts them.
const RECEIVE_OCTETS: usize = 64 << 20;

/// Octets of the heads of IPv4 and UDP.
const HEAD_OCTETS: usize = 28;

/// How long the sender waits when too many are under way, and the receiver when there is nothing: one that waited in
/// the kernel would be woken for every few packets, at the cost of the links' thread.
const PAUSE: Duration = Duration::from_millis(1);

/// A receiver that has got nothing for so long, after all were sent, gets nothing more.
const PATIENCE: Duration = Duration::from_millis(500);

pub(super) struct Flood {
    /// Of the IP packets.
    octets: usize,
    sent: u64,
    received: u64,
    /// From the first to the last receipt.
    time: Duration,
    measurement: Measurement,
}

impl Flood {
    pub(super) fn rows(&self) -> Vec<Row> {
        let octets = self.octets;
        let rate = self.received as f64 / self.time.as_secs_f64();
        // What has lost packets was no rate without loss.
        let lost = (self.sent - self.received) as f64;
        let mut rows = vec![
            row(
                &format!("packets of {octets} octets in one direction"),
                "/s",
                rate,
                Some((ExpectationKind::AtLeast, PACKETS_PER_SECOND_MIN)),
            ),
            row(
                &format!("packets of {octets} octets that got lost"),
                "",
                lost,
                Some((ExpectationKind::AtMost, 0.0)),
            ),
        ];
        rows[0].note = format!("{:.2} Gbit/s", rate * octets as f64 * 8.0 / 1e9);
        let what = format!("{octets} octets");
        rows.extend(lateness_rows(&what, &self.measurement.lateness_ns, None));
        rows
    }
}

/// Sends IP packets of so many octets for so long.
pub(super) fn flood(octets: usize, time: Duration) -> io::Result<Flood> {
    let pair = Pair::new(DELAY)?;
    let socket = |host: usize| {
        pair.hosts[host].run(|| {
            let socket = UdpSocket::bind((Pair::ADDRESSES[host], 0))?;
            setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_OCTETS)?;
            setsockopt(&socket, sockopt::SndBufForce, &RECEIVE_OCTETS)?;
            Ok(socket)
        })
    };
    let (near, far) = (socket(0)?, socket(1)?);
    near.connect(far.local_addr()?)?;
    far.set_nonblocking(true)?;
    // How many there will be in all is known at the end.
    let (received, all) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    pair.links.begin_measurement()?;
    let (sent, time) = thread::scope(|scope| {
        let receiver = scope.spawn(|| receive(&far, octets, &received, &all));
        let sent = send(&near, octets - HEAD_OCTETS, time, &received);
        all.store(sent.as_ref().map_or(0, |sent| *sent), Ordering::Release);
        let time =
            receiver.join().map_err(|_| io::Error::other("the receiver of a flood panicked"))?;
        io::Result::Ok((sent?, time?))
    })?;
    let measurement = pair.links.end_measurement()?;
    let arrived = measurement.counts[0].of(Way::Forth).arrived;
    let received = received.into_inner();
    if received > arrived {
        return Err(io::Error::other(format!("{received} received of {arrived} delivered")));
    }
    Ok(Flood { octets, sent, received, time, measurement })
}

/// How many datagrams were sent.
fn send(
    socket: &UdpSocket,
    octets: usize,
    time: Duration,
    received: &AtomicU64,
) -> io::Result<u64> {
    let content = vec![0; octets];
    let slices: [[IoSlice<'_>; 1]; BURST] = array::from_fn(|_| [IoSlice::new(&content)]);
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BURST, None);
    let end = Instant::now() + time;
    let mut sent = 0;
    while Instant::now() < end {
        if sent + BURST as u64 > received.load(Ordering::Acquire) + UNDER_WAY_MAX {
            thread::sleep(PAUSE);
            continue;
        }
        let flags = MsgFlags::empty();
        let results =
            sendmmsg(socket.as_raw_fd(), &mut headers, slices.iter(), [None; BURST], [], flags)?;
        sent += results.count() as u64;
    }
    Ok(sent)
}

/// Counts datagrams until all have come or no more do; returns the time from the first to the last.
fn receive(
    socket: &UdpSocket,
    octets: usize,
    received: &AtomicU64,
    sent: &AtomicU64,
) -> io::Result<Duration> {
    let mut memory = vec![0; BURST * octets];
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BURST, None);
    let (mut first, mut last) = (None, Instant::now());
    loop {
        let mut places = memory.chunks_exact_mut(octets);
        let mut slices: [[IoSliceMut<'_>; 1]; BURST] =
            array::from_fn(|_| [IoSliceMut::new(places.next().unwrap_or_default())]);
        let flags = MsgFlags::empty();
        let count = match recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None)
        {
            Ok(results) => results.count() as u64,
            Err(Errno::EINTR) => continue,
            Err(Errno::EAGAIN) => {
                let sent = sent.load(Ordering::Acquire);
                let is_over = sent < u64::MAX && last.elapsed() > PATIENCE;
                if is_over || sent == received.load(Ordering::Relaxed) {
                    break;
                }
                thread::sleep(PAUSE);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        last = Instant::now();
        first.get_or_insert(last);
        received.fetch_add(count, Ordering::Release);
    }
    let first = first.ok_or_else(|| io::Error::other("no packet of the flood came"))?;
    Ok(last - first)
}
