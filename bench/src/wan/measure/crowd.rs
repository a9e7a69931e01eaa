//! Many clients at once, each with a connection of its own and one GET on it, on one epoll.

use super::Reading;
use super::fetch::{Progress, feed};
use super::ms;
use super::request::Request;
use crate::load::response::Reader;
use crate::statistics::percentile;
use crate::wan::error::WanError;
use crate::wan::scenario::FigureName;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Octets that are received at once.
const RECEIVE_OCTETS: usize = 64 * 1024;

/// Events that are looked at at once.
const EVENTS_MAX: usize = 256;

/// The longest wait until it is looked whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The status that a client wants.
const GOOD: u16 = 200;

/// Failures that are told in words; all of them are counted.
const TOLD_MAX: usize = 3;

/// A client whose response has not ended.
struct Client {
    stream: TcpStream,
    reader: Reader,
    /// When it was to come, which is what its time counts from: a client that the machine lets wait, waits.
    due: Instant,
    is_asked: bool,
    octets: u64,
}

/// All clients, by number.
struct Crowd<'a> {
    request: &'a Request,
    poll: OwnedFd,
    clients: Vec<Option<Client>>,
    open: usize,
    times_ms: Vec<f64>,
    failures: Vec<String>,
    octets: u64,
    buffer: Vec<u8>,
}

/// `count` clients come at even distances within a time; their times are from when each was to come to its last octet.
/// Those who still wait for theirs `wait` after the last one has come, or when it is told to `stop`, are failures.
pub(super) fn measure(
    request: &Request,
    count: u32,
    within: Duration,
    wait: Duration,
    stop: &AtomicBool,
) -> Result<Reading, WanError> {
    let mut crowd = Crowd {
        request,
        poll: epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(|error| WanError::Io("epoll".to_owned(), error.into()))?,
        clients: Vec::new(),
        open: 0,
        times_ms: Vec::new(),
        failures: Vec::new(),
        octets: 0,
        buffer: vec![0; RECEIVE_OCTETS],
    };
    crowd.run(count, within, wait, stop).map_err(WanError::io("a crowd"))?;
    Ok(crowd.reading())
}

impl Crowd<'_> {
    fn run(
        &mut self,
        count: u32,
        within: Duration,
        patience: Duration,
        stop: &AtomicBool,
    ) -> io::Result<()> {
        // Clients come when they are due, and not up to 50 us later. The thread is ours alone.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
        let began = Instant::now();
        let due = |number: u32| began + within * number / count;
        let deadline = began + within + patience;
        let mut events = Vec::with_capacity(EVENTS_MAX);
        let mut come = 0;
        while come < count || self.open > 0 {
            let now = Instant::now();
            if now > deadline || stop.load(Ordering::Relaxed) {
                break;
            }
            while come < count && due(come) <= now {
                self.come(due(come));
                come += 1;
            }
            let next = if come < count { due(come) } else { deadline };
            let wait = next.saturating_duration_since(Instant::now()).min(LOOK_EVERY);
            let wait = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
            match epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut events), Some(&wait))
            {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                self.go_on(usize::try_from(event.data.u64()).unwrap_or(usize::MAX));
            }
        }
        for _ in 0..self.open {
            self.failures.push(format!("no whole response within {patience:?}"));
        }
        Ok(())
    }

    /// A client begins to connect.
    fn come(&mut self, due: Instant) {
        let number = self.clients.len();
        match self.connect(number) {
            Ok(stream) => {
                let reader = Reader::default();
                let client = Client { stream, reader, due, is_asked: false, octets: 0 };
                self.clients.push(Some(client));
                self.open += 1;
            }
            Err(error) => {
                self.clients.push(None);
                self.failures.push(format!("no connection: {error}"));
            }
        }
    }

    fn connect(&self, number: usize) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking().cloexec(), None)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&self.request.address.into()) {
            // EINPROGRESS: it is writable once it is connected.
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            other => other?,
        }
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        epoll::add(&self.poll, &socket, epoll::EventData::new_u64(number as u64), flags)?;
        Ok(socket.into())
    }

    /// Something happened on a connection.
    fn go_on(&mut self, number: usize) {
        let Some(slot) = self.clients.get_mut(number) else { return };
        let Some(client) = slot else { return };
        let progress = match client.advance(self.request, &mut self.buffer) {
            Ok(None) => return,
            Ok(Some(progress)) => Ok(progress),
            Err(what) => Err(what),
        };
        self.octets += client.octets;
        match progress {
            Ok(Progress { at, ended: Some(answer), .. }) if answer.status == GOOD => {
                self.times_ms.push(ms(at.saturating_duration_since(client.due)));
            }
            Ok(progress) => {
                let status = progress.ended.map_or(0, |answer| answer.status);
                self.failures.push(format!("status {status}"));
            }
            Err(what) => self.failures.push(what),
        }
        // Which takes it out of the epoll as well.
        *slot = None;
        self.open -= 1;
    }

    fn reading(self) -> Reading {
        #[expect(clippy::cast_precision_loss, reason = "at most a few thousand")]
        let count = self.times_ms.len() as f64;
        let mut figures = Vec::new();
        if let Some(median) = percentile(self.times_ms.iter().copied(), 0.5) {
            let p99 = percentile(self.times_ms.iter().copied(), 0.99).unwrap_or(median);
            let mean = self.times_ms.iter().sum::<f64>() / count;
            figures = vec![
                (FigureName::Median, median),
                (FigureName::P99, p99),
                (FigureName::Mean, mean),
            ];
        }
        let mut failures = self.failures;
        failures.iter_mut().skip(TOLD_MAX).for_each(String::clear);
        Reading { figures, failures, octets: self.octets }
    }
}

impl Client {
    /// Sends and receives as much as can be; the end of the response if it has come.
    fn advance(
        &mut self,
        request: &Request,
        buffer: &mut [u8],
    ) -> Result<Option<Progress>, String> {
        if !self.is_asked {
            match self.stream.write(&request.octets) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(None),
                Err(error) => return Err(format!("no connection: {error}")),
                // A head fits into the buffer of a new connection.
                Ok(length) if length < request.octets.len() => {
                    return Err("the request was not taken whole".to_owned());
                }
                Ok(_) => self.is_asked = true,
            }
        }
        loop {
            let length = match self.stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("after {} octets: {error}", self.octets)),
                Ok(length) => length,
            };
            let mut progress = Progress { at: Instant::now(), octets: self.octets, ended: None };
            feed(&mut self.reader, &buffer[..length], &mut progress)?;
            self.octets = progress.octets;
            if progress.ended.is_some() {
                return Ok(Some(progress));
            }
        }
    }
}
