//! Links of chosen conditions between network namespaces: a TUN device at each end, and one real-time thread that reads
//! packets at one end, asks the [`link`](super::link) what becomes of them, and writes them at the other end when they
//! are due.
//!
//! One thread for all links had the shorter tail, and took less of two cores than one for each; a margin that follows
//! how late timers are made the median lateness a hundredth of what a fixed one did. What else was tried, and the
//! figures: bench/results/2026-11-30-wan-emulator.md.
//!
//! * `device`: an end of a link (`tun`: how it is made); `direction`: from one end to the other; `transit`: what is
//!   under way in it.
//! * `engine`: the thread; `awake`: when it must not sleep; `vigil`: what keeps the cores from it; `recorder`: what it
//!   saw; [`measurement`]: what it says of that.

mod awake;
mod device;
mod direction;
mod engine;
pub mod measurement;
mod recorder;
#[cfg(test)]
mod tests;
mod transit;
mod tun;
mod vigil;

pub use measurement::{Counts, LinkCounts, Measurement};

use super::capture::Way;
use super::link::Conditions;
use device::Device;
use engine::{Command, Engine, place};
use lastmile_tuning::netns::Namespace;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use vigil::Vigil;

/// A link that is to be made.
#[derive(Clone, Debug)]
pub struct LinkEnds {
    /// Where its two ends are.
    pub ends: [End; 2],
    /// Octets of the longest IP packet, 68 to 65,535; usually [`MTU_OCTETS`].
    pub mtu_octets: u32,
    /// What it is like from the first end to the second.
    pub forth: Conditions,
    /// And back.
    pub back: Conditions,
}

/// One end of a link.
#[derive(Clone, Debug)]
pub struct End {
    /// The host.
    pub namespace: Namespace,
    /// The name of the TUN device that is made there, at most 15 octets.
    pub device: String,
}

/// What a link usually carries at most, as Ethernet does.
pub const MTU_OCTETS: u32 = 1_500;

/// The least MTU of IPv4 (RFC 791 §3.2).
pub const MTU_OCTETS_MIN: u32 = 68;

/// The longest packet that IP has.
pub const MTU_OCTETS_MAX: u32 = 65_535;

/// Links that one emulator may have: its thread looks after all of them.
pub const LINKS_MAX: usize = 256;

/// Above everything that is not real-time, below the kernel's threads of interrupts (50).
const PRIORITY: u8 = 10;

/// Running links. They go away with it.
pub struct Emulator {
    commands: Sender<Command>,
    woken: Arc<OwnedFd>,
    links: usize,
    /// Why the thread is no real-time one.
    not_real_time: Option<String>,
    /// Why the thread has ended before it was told to.
    failure: Arc<OnceLock<String>>,
    thread: Option<JoinHandle<()>>,
    _vigil: Vigil,
}

impl Emulator {
    /// Makes the devices, brings them up, and starts the thread. They have no addresses and no routes yet. Which packets
    /// are lost follows from `seed`, the place of the link, the way, and the order of packets in it.
    ///
    /// # Errors
    /// What is missing: `/dev/net/tun`, or `CAP_NET_ADMIN` in a namespace; a device of that name that exists; more than
    /// [`LINKS_MAX`] links.
    pub fn start(links: Vec<LinkEnds>, seed: u64) -> io::Result<Self> {
        if links.len() > LINKS_MAX {
            return Err(invalid(format!("{} links; allowed: up to {LINKS_MAX}", links.len())));
        }
        let count = links.len();
        let (mut devices, mut directions) = (Vec::new(), Vec::new());
        for link in links {
            for end in &link.ends {
                devices.push(Device::make(end, link.mtu_octets)?);
            }
            for conditions in [link.forth, link.back] {
                let seed = seed_of(seed, directions.len());
                directions.push((conditions, seed));
            }
        }
        let (commands, told) = channel();
        let (mut engine, woken) =
            Engine::new(devices, directions, told, measurement::histogram()?)?;
        let vigil = Vigil::begin()?;
        let failure = Arc::new(OnceLock::new());
        let (say, said) = channel();
        let fails = Arc::clone(&failure);
        let thread = thread::Builder::new().name("wan-links".to_owned()).spawn(move || {
            let _ = say.send(become_real_time());
            if let Err(error) = engine.run() {
                // Nobody else sets it; it is there before the engine, and with it the other end of the commands, goes.
                let _ = fails.set(error.to_string());
            }
        })?;
        let not_real_time = said.recv().ok().and_then(Result::err);
        let thread = Some(thread);
        Ok(Self { commands, woken, links: count, not_real_time, failure, thread, _vigil: vigil })
    }

    /// Whether the thread is a real-time one; otherwise it may be late whenever others want to run.
    ///
    /// # Errors
    /// What the kernel said of it.
    pub fn real_time(&self) -> Result<(), &str> {
        self.not_real_time.as_deref().map_or(Ok(()), Err)
    }

    /// Makes one direction of a link another one, for the packets that enter from now on. Its scripts, and its changes,
    /// begin now.
    ///
    /// # Errors
    /// `InvalidInput` for a link that there is not; why the thread has ended, if it has.
    pub fn set(&self, link: usize, way: Way, conditions: Conditions) -> io::Result<()> {
        if link >= self.links {
            return Err(invalid(format!("link {link} of {}", self.links)));
        }
        self.tell(Command::Set(place(link, way), Box::new(conditions)))
    }

    /// Starts a measurement: counts and lateness from 0, an empty capture, scripts from the first packet, changes from
    /// now. Chance goes on, and so do the packets that are under way.
    ///
    /// # Errors
    /// Why the thread has ended, if it has.
    pub fn begin_measurement(&self) -> io::Result<()> {
        let lateness_ns = Box::new(measurement::histogram()?);
        self.ask(|reply| Command::Begin(lateness_ns, reply))
    }

    /// Ends it and says what there was. Links go on as they are.
    ///
    /// # Errors
    /// As for [`Emulator::begin_measurement`]; `InvalidInput` if none has begun.
    pub fn end_measurement(&self) -> io::Result<Measurement> {
        let lateness_ns = Box::new(measurement::histogram()?);
        let raw = self.ask(|reply| Command::End(lateness_ns, reply))?;
        raw.map(|raw| raw.measurement())
            .ok_or_else(|| invalid("no measurement of links has begun".to_owned()))
    }

    /// What became of packets since the measurement began, or since the start; for each link.
    ///
    /// # Errors
    /// As for [`Emulator::begin_measurement`].
    pub fn counts(&self) -> io::Result<Vec<LinkCounts>> {
        self.ask(Command::Counts)
    }

    fn ask<T>(&self, command: impl FnOnce(Sender<T>) -> Command) -> io::Result<T> {
        let (reply, replied) = channel();
        self.tell(command(reply))?;
        replied.recv().map_err(|_| self.ended())
    }

    fn tell(&self, command: Command) -> io::Result<()> {
        self.commands.send(command).map_err(|_| self.ended())?;
        rustix::io::write(&*self.woken, &1_u64.to_ne_bytes())?;
        Ok(())
    }

    fn ended(&self) -> io::Error {
        let why = self.failure.get().map_or("for no known reason", String::as_str);
        io::Error::other(format!("the links have ended: {why}"))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // A thread that has ended needs not be told.
        let _ = self.tell(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("links", &self.links)
            .field("not_real_time", &self.not_real_time)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

/// Lets the calling thread go before all that is not real-time.
fn become_real_time() -> Result<(), String> {
    let priority = ThreadPriorityValue::try_from(PRIORITY)?;
    set_thread_priority_and_policy(
        thread_native_id(),
        ThreadPriority::Crossplatform(priority),
        ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo),
    )
    .map_err(|error| format!("no real-time scheduling (it takes CAP_SYS_NICE): {error}"))
}

/// One seed for each direction: neighbours differ in half of their bits (the increment of splitmix64).
fn seed_of(seed: u64, direction: usize) -> u64 {
    seed.wrapping_add((direction as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
