//! Queries over UDP as fast as they are answered: a bounded number is under way, so that none is lost for want of room.
//!
//! A burst of queries leaves from one socket in one system call; the next burst from the next socket, and so on around.
//! Whoever waits does so without sleeping: a server that had to wake the load for each answer would be charged for it.

use super::message::{self, QUERY_OCTETS_MAX, Wrong};
use super::questions::Questions;
use crate::error::BenchError;
use crate::zipf::Random;
use hdrhistogram::Histogram;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use std::array;
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Source ports: enough that whatever a server does by ports is spread.
pub(super) const SOCKETS: usize = 64;

/// Queries in a system call, as many as the lowest bits of an identifier can tell apart. With fewer the load would need
/// more of its core than the fastest servers of theirs.
const BURST: usize = 32;

/// The same as identifiers are.
const BURST_IDS: u16 = 32;

/// Bursts under way. Their queries all fit into a receive buffer of the usual 212,992 octets, in which each takes 768.
const BURSTS_MAX: usize = 6;

/// Octets of an answer that are received: more than any with one record.
const ANSWER_OCTETS_MAX: usize = 512;

/// What has no answer after so long never gets one: on loopback a server that lives answers within a few ms.
const LOST_AFTER: Duration = Duration::from_millis(250);

/// Latencies that are told apart: up to this, with 3 digits.
const LATENCY_NANOSECONDS_MAX: u64 = 10_000_000_000;

/// What became of the queries.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// Answered as they should be.
    pub(super) answered: u64,
    /// Never answered.
    pub(super) lost: u64,
    /// Answered wrongly, and how the first of them.
    pub(super) wrong: u64,
    pub(super) first_wrong: Option<Wrong>,
    /// Answers to nothing that was asked, or not any more.
    pub(super) unasked: u64,
    /// In nanoseconds, of those answered.
    pub(super) latency: Histogram<u64>,
}

impl Tally {
    pub(super) fn new() -> Result<Self, BenchError> {
        let latency = Histogram::new_with_max(LATENCY_NANOSECONDS_MAX, 3)
            .map_err(|error| BenchError::Load(error.to_string()))?;
        Ok(Self { answered: 0, lost: 0, wrong: 0, first_wrong: None, unasked: 0, latency })
    }
}

/// A burst that is under way.
struct Burst {
    /// The socket it left from.
    socket: usize,
    ids: [u16; BURST],
    /// A bit for each of its queries that has no answer yet.
    open: u32,
    sent: Instant,
}

/// Sockets that ask one server.
pub(super) struct Load<'a> {
    questions: &'a Questions,
    random: Random,
    sockets: Vec<UdpSocket>,
    /// The one that the next burst leaves from.
    next: usize,
    under_way: VecDeque<Burst>,
    queries: Vec<u8>,
    answers: Vec<u8>,
    headers: MultiHeaders<SockaddrStorage>,
    /// Whether the server needs this core too.
    shares_core: bool,
}

impl<'a> Load<'a> {
    pub(super) fn new(
        server: SocketAddr,
        questions: &'a Questions,
        random: Random,
        shares_core: bool,
    ) -> Result<Self, BenchError> {
        let socket = || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.connect(server)?;
            Ok(socket)
        };
        let sockets: io::Result<Vec<_>> = (0..SOCKETS).map(|_| socket()).collect();
        Ok(Self {
            questions,
            random,
            sockets: sockets.map_err(|error| BenchError::Io("sockets of the load", error))?,
            next: 0,
            under_way: VecDeque::with_capacity(BURSTS_MAX),
            queries: vec![0; BURST * QUERY_OCTETS_MAX],
            answers: vec![0; BURST * ANSWER_OCTETS_MAX],
            headers: MultiHeaders::preallocate(BURST, None),
            shares_core,
        })
    }

    /// Asks for so long, and then waits for what is under way.
    ///
    /// # Errors
    /// The server has gone, or the system refuses something.
    pub(super) fn run(&mut self, time: Duration, stop: &AtomicBool) -> Result<Tally, BenchError> {
        let mut tally = Tally::new()?;
        let end = Instant::now() + time;
        let failed = |errno: Errno| BenchError::Load(errno.to_string());
        loop {
            let now = Instant::now();
            let asks = now < end && !stop.load(Ordering::Relaxed);
            if asks && self.under_way.len() < BURSTS_MAX {
                self.send(now).map_err(failed)?;
                continue;
            }
            let Some(mut oldest) = self.under_way.pop_front() else { return Ok(tally) };
            self.receive(&mut oldest, &mut tally).map_err(failed)?;
            if oldest.open == 0 {
                continue;
            }
            if oldest.sent.elapsed() > LOST_AFTER {
                tally.lost += u64::from(oldest.open.count_ones());
            } else {
                self.under_way.push_front(oldest);
            }
        }
    }

    /// Sends a burst from the next socket.
    fn send(&mut self, now: Instant) -> Result<(), Errno> {
        let socket = self.next;
        self.next = (self.next + 1) % self.sockets.len();
        let ids = ids(&mut self.random);
        let mut octets = [0; BURST];
        let places = self.queries.chunks_exact_mut(QUERY_OCTETS_MAX);
        for ((place, id), octets) in places.zip(ids).zip(&mut octets) {
            *octets = self.questions.ask(&mut self.random, id, place);
        }
        let mut places = self.queries.chunks_exact(QUERY_OCTETS_MAX).zip(octets);
        let slices: [[IoSlice<'_>; 1]; BURST] = array::from_fn(|_| {
            let query = places.next().and_then(|(place, octets)| place.get(..octets));
            [IoSlice::new(query.unwrap_or_default())]
        });
        let descriptor = self.sockets[socket].as_raw_fd();
        let (headers, flags) = (&mut self.headers, MsgFlags::empty());
        let sent = sendmmsg(descriptor, headers, slices.iter(), [None; BURST], [], flags);
        let sent = match sent.map(Iterator::count) {
            Ok(sent) => sent,
            // No room now, or interrupted: the next socket may have more luck.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS) => 0,
            Err(errno) => return Err(errno),
        };
        let open = (0..sent.min(BURST)).fold(0_u32, |open, at| open | 1 << at);
        if open != 0 {
            self.under_way.push_back(Burst { socket, ids, open, sent: now });
        }
        Ok(())
    }

    /// Receives what has come for a burst.
    fn receive(&mut self, burst: &mut Burst, tally: &mut Tally) -> Result<(), Errno> {
        let mut places = self.answers.chunks_exact_mut(ANSWER_OCTETS_MAX);
        let mut slices: [[IoSliceMut<'_>; 1]; BURST] =
            array::from_fn(|_| [IoSliceMut::new(places.next().unwrap_or_default())]);
        let descriptor = self.sockets[burst.socket].as_raw_fd();
        let (headers, flags) = (&mut self.headers, MsgFlags::MSG_DONTWAIT);
        let mut lengths = [0; BURST];
        let received = match recvmmsg(descriptor, headers, slices.iter_mut(), flags, None) {
            Ok(messages) => {
                lengths.iter_mut().zip(messages).map(|(to, from)| *to = from.bytes).count()
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {
                if self.shares_core {
                    std::thread::yield_now();
                }
                return Ok(());
            }
            Err(errno) => return Err(errno),
        };
        let nanoseconds = u64::try_from(burst.sent.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let before = tally.answered;
        let answers = self.answers.chunks_exact(ANSWER_OCTETS_MAX).zip(lengths).take(received);
        for (place, octets) in answers {
            burst.answered(place.get(..octets).unwrap_or(place), tally);
        }
        tally.latency.saturating_record_n(nanoseconds, tally.answered - before);
        Ok(())
    }
}

impl Burst {
    /// Counts an answer to one of its queries.
    fn answered(&mut self, answer: &[u8], tally: &mut Tally) {
        let Some(id) = message::id(answer) else {
            tally.unasked += 1;
            return;
        };
        let at = usize::from(id) % BURST;
        if self.ids[at] != id || self.open & 1 << at == 0 {
            tally.unasked += 1;
            return;
        }
        self.open &= !(1 << at);
        match message::check(answer) {
            Ok(()) => tally.answered += 1,
            Err(wrong) => {
                tally.wrong += 1;
                tally.first_wrong.get_or_insert(wrong);
            }
        }
    }
}

/// Random identifiers, whose lowest bits tell which of the burst it is.
fn ids(random: &mut Random) -> [u16; BURST] {
    array::from_fn(|at| {
        let [low, high, ..] = random.next().to_le_bytes();
        let id = u16::from_le_bytes([low, high]);
        id - id % BURST_IDS + u16::try_from(at).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_random_and_tell_which_query() {
        let mut random = Random::new(1);
        let (one, other) = (ids(&mut random), ids(&mut random));
        assert!(one.iter().enumerate().all(|(at, id)| usize::from(*id) % BURST == at));
        let same = one.iter().zip(&other).filter(|(one, other)| one == other).count();
        assert!(same < 5, "{same} of {BURST} are the same");
    }

    #[test]
    fn answers_are_counted_by_what_they_are() {
        let id = 5 + 32 * 77;
        let mut burst = Burst { socket: 0, ids: [0; BURST], open: 1 << 5, sent: Instant::now() };
        burst.ids[5] = id;
        let mut tally = Tally::new().unwrap();
        let mut answer = [0, 0, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0];
        for (id, rcode, expected, why) in [
            (id + 32, 0, (0, 0, 1), "another identifier"),
            (id + 1, 0, (0, 0, 2), "of another query"),
            (id, 0, (1, 0, 2), "the one"),
            (id, 0, (1, 0, 3), "the same again"),
            (id, 2, (1, 1, 3), "asked again, and an error"),
        ] {
            burst.open = if rcode == 2 { 1 << 5 } else { burst.open };
            message::stamp(&mut answer, id);
            answer[3] = rcode;
            burst.answered(&answer, &mut tally);
            assert_eq!((tally.answered, tally.wrong, tally.unasked), expected, "{why}");
        }
        assert_eq!((burst.open, tally.first_wrong), (0, Some(Wrong::Rcode(2))));
    }

    /// Answers each query by itself, but every `leave_out`th.
    fn server(leave_out: usize) -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut query = [0; 512];
            for count in 1.. {
                let Ok((octets, from)) = socket.recv_from(&mut query) else { return };
                (query[2], query[7]) = (0x84, 1);
                if count % leave_out != 0 {
                    let _ = socket.send_to(&query[..octets], from);
                }
            }
        });
        address
    }

    #[test]
    fn queries_are_answered_or_lost() {
        let (questions, stop) = (Questions::names(), AtomicBool::new(false));
        for (leave_out, why) in [(usize::MAX, "all are answered"), (1_000, "some are not")] {
            let address = server(leave_out);
            let mut load = Load::new(address, &questions, Random::new(3), true).unwrap();
            let tally = load.run(Duration::from_millis(100), &stop).unwrap();
            assert!(tally.answered > 100, "{why}: {tally:?}");
            assert_eq!(tally.lost > 0, leave_out == 1_000, "{why}: {tally:?}");
            assert_eq!((tally.wrong, tally.unasked), (0, 0), "{why}");
            assert_eq!(tally.latency.len(), tally.answered, "{why}");
        }
    }
}
