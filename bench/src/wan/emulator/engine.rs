//! The thread of all links: it delivers what is due, waits, and takes what has come.

use super::awake::Awake;
use super::device::Device;
use super::direction::Direction;
use super::measurement::{LinkCounts, Raw};
use super::recorder::Recorder;
use crate::wan::capture::Way;
use crate::wan::link::Conditions;
use hdrhistogram::Histogram;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
use std::io;
use std::mem::replace;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};

/// Packets that are delivered in a direction before the others have their turn.
const DELIVERIES_MAX: usize = 32;

/// Packets that are taken in a direction before the others have their turn; fewer when something is due meanwhile.
const RECEIPTS_MAX: usize = 32;

/// Events of one look at all devices; more come with the next.
const EVENTS_MAX: usize = 64;

/// Nothing is due.
const NEVER_NS: u64 = u64::MAX;

/// What the eventfd is among the events: no direction.
const WOKEN: u64 = u64::MAX;

/// What the thread is told.
pub(super) enum Command {
    /// This direction has other conditions.
    Set(usize, Box<Conditions>),
    /// A measurement begins, with this empty histogram.
    Begin(Box<Histogram<u64>>, Sender<()>),
    /// It ends, and here is an empty histogram for what comes after.
    End(Box<Histogram<u64>>, Sender<Option<Box<Raw>>>),
    /// How are things?
    Counts(Sender<Vec<LinkCounts>>),
    /// No more.
    Stop,
}

/// The state of the thread.
pub(super) struct Engine {
    poll: OwnedFd,
    woken: Arc<OwnedFd>,
    commands: Receiver<Command>,
    directions: Vec<Direction>,
    awake: Awake,
    /// Since when there is a measurement.
    began_ns: Option<u64>,
    recorder: Option<Recorder>,
    lateness_ns: Histogram<u64>,
}

impl Engine {
    /// For links between the devices `2n` and `2n + 1`; of each direction what it is like, and its seed. Returns it and
    /// what wakes it after a command.
    pub(super) fn new(
        devices: Vec<Device>,
        directions: Vec<(Conditions, u64)>,
        commands: Receiver<Command>,
        lateness_ns: Histogram<u64>,
    ) -> io::Result<(Self, Arc<OwnedFd>)> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let woken = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        epoll::add(&poll, &woken, epoll::EventData::new_u64(WOKEN), epoll::EventFlags::IN)?;
        let devices: Vec<_> = devices.into_iter().map(Arc::new).collect();
        for (at, device) in devices.iter().enumerate() {
            let data = epoll::EventData::new_u64(at as u64);
            epoll::add(&poll, &**device, data, epoll::EventFlags::IN)?;
        }
        let directions = directions.into_iter().enumerate().map(|(at, (conditions, seed))| {
            Direction::new(at, [&devices[at], &devices[at ^ 1]], conditions, seed)
        });
        let engine = Self {
            poll,
            woken: Arc::clone(&woken),
            commands,
            directions: directions.collect(),
            awake: Awake::new(now_ns()),
            began_ns: None,
            recorder: None,
            lateness_ns,
        };
        Ok((engine, woken))
    }

    /// Runs until it is stopped.
    ///
    /// # Errors
    /// A device that has gone.
    pub(super) fn run(&mut self) -> io::Result<()> {
        // Timers may not be late by 50 us as those of others may.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            let next_ns = self.deliver()?;
            self.wait(next_ns, &mut events)?;
            for event in events.drain(..) {
                match event.data.u64() {
                    WOKEN => {
                        if self.obey()? {
                            return Ok(());
                        }
                    }
                    direction => self.receive(direction as usize)?,
                }
            }
        }
    }

    /// Delivers what is due, and returns when something is again; that may be at once.
    fn deliver(&mut self) -> io::Result<u64> {
        let mut next_ns = NEVER_NS;
        for direction in &mut self.directions {
            for _ in 0..DELIVERIES_MAX {
                let Some(due_ns) = direction.next_due_ns() else { break };
                let now_ns = now_ns();
                if due_ns > now_ns {
                    break;
                }
                direction.deliver(now_ns, &mut self.lateness_ns, &mut self.recorder)?;
            }
            next_ns = next_ns.min(direction.next_due_ns().unwrap_or(NEVER_NS));
        }
        Ok(next_ns)
    }

    /// Waits for packets, commands, or until something is nearly due; then it only looks whether there are any.
    fn wait(&mut self, next_ns: u64, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        let now_ns = now_ns();
        let wake_ns = match next_ns {
            NEVER_NS => None,
            next_ns => Some(next_ns.saturating_sub(self.awake.margin_ns(now_ns)).max(now_ns)),
        };
        let timeout = wake_ns.map(|wake_ns| {
            let sleep_ns = wake_ns - now_ns;
            let (seconds, nanoseconds) = (sleep_ns / 1_000_000_000, sleep_ns % 1_000_000_000);
            Timespec { tv_sec: seconds as i64, tv_nsec: nanoseconds as i64 }
        });
        let spare = rustix::buffer::spare_capacity(events);
        match epoll::wait(&self.poll, spare, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(wake_ns) = wake_ns
            && events.is_empty()
        {
            if wake_ns > now_ns {
                self.awake.woken(self::now_ns().saturating_sub(wake_ns));
            } else if next_ns > now_ns {
                self.awake.looked(self::now_ns() - now_ns);
            }
        }
        Ok(())
    }

    /// Takes packets that have come in a direction, until something is due in any.
    fn receive(&mut self, at: usize) -> io::Result<()> {
        let directions = self.directions.iter();
        let mut next_ns = directions.filter_map(Direction::next_due_ns).min().unwrap_or(NEVER_NS);
        let direction = &mut self.directions[at];
        for _ in 0..RECEIPTS_MAX {
            let now_ns = now_ns();
            match direction.receive(now_ns, &mut self.recorder)? {
                Some(due_ns) => next_ns = next_ns.min(due_ns),
                None => break,
            }
            if next_ns <= now_ns {
                break;
            }
        }
        Ok(())
    }

    /// Does what it was told; whether that was to stop.
    fn obey(&mut self) -> io::Result<bool> {
        match rustix::io::read(&*self.woken, &mut [0; 8]) {
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        loop {
            // Nobody need be there for an answer any more.
            match self.commands.try_recv() {
                Ok(Command::Set(at, conditions)) => self.directions[at].set(*conditions, now_ns()),
                Ok(Command::Begin(lateness_ns, reply)) => {
                    self.begin(*lateness_ns);
                    let _ = reply.send(());
                }
                Ok(Command::End(lateness_ns, reply)) => {
                    let _ = reply.send(self.end(*lateness_ns));
                }
                Ok(Command::Counts(reply)) => {
                    let _ = reply.send(self.counts());
                }
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return Ok(true),
                Err(TryRecvError::Empty) => return Ok(false),
            }
        }
    }

    fn begin(&mut self, lateness_ns: Histogram<u64>) {
        let now_ns = now_ns();
        for direction in &mut self.directions {
            direction.begin(now_ns);
        }
        self.began_ns = Some(now_ns);
        self.recorder = Some(Recorder::default());
        self.lateness_ns = lateness_ns;
    }

    fn end(&mut self, lateness_ns: Histogram<u64>) -> Option<Box<Raw>> {
        Some(Box::new(Raw {
            began_ns: self.began_ns.take()?,
            ended_ns: now_ns(),
            recorder: self.recorder.take()?,
            counts: self.counts(),
            lateness_ns: replace(&mut self.lateness_ns, lateness_ns),
        }))
    }

    fn counts(&self) -> Vec<LinkCounts> {
        let links = self.directions.chunks_exact(2);
        links.map(|ways| LinkCounts { forth: ways[0].counts(), back: ways[1].counts() }).collect()
    }
}

/// Where a direction of a link is among all.
pub(super) fn place(link: usize, way: Way) -> usize {
    link * 2
        + match way {
            Way::Forth => 0,
            Way::Back => 1,
        }
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // Neither is negative: this clock starts at 0.
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
