//! `lastmile bench floor`: what this machine can do at most. A server that parses nothing and answers every head
//! with the same octets, and what it costs.
//!
//! * `answers`: the octets, and where heads end. `plain`: the server on io_uring, `runtime`: on monoio, as the edge is.
//! * `measure`: each of them under load; `report`: what it came to.

mod answers;
mod measure;
mod plain;
mod report;
mod runtime;

pub use measure::{FloorCase, ROUNDS_MAX, Settings, measure};
pub use report::{FloorReport, FloorRow};

use crate::error::BenchError;
use answers::Answers;
use lastmile_tuning::cpu::pin_current_thread;
use lastmile_tuning::socket::{ListenOptions, listen};
use serde::Serialize;
use std::net::{SocketAddr, TcpListener};
use std::str::FromStr;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Octets of the content of an answer: a ring sends it as one, and a client keeps up.
pub const OCTETS_MAX: usize = 1 << 20;

/// How a floor talks to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FloorIo {
    /// monoio, with the flags that the edge gives its rings: what the edge could cost at least.
    Monoio,
    /// io_uring itself: multishot accept and receive, buffers that the kernel fills, descriptors of the ring's own.
    Uring,
}

/// All of them.
pub const FLOOR_IOS: [FloorIo; 2] = [FloorIo::Monoio, FloorIo::Uring];

impl FloorIo {
    /// What `--io` and the report call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Monoio => "monoio",
            Self::Uring => "uring",
        }
    }
}

impl FromStr for FloorIo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = FLOOR_IOS.into_iter().find(|io| io.name() == text);
        found.ok_or_else(|| {
            format!("{text:?} is no way to talk to the kernel; allowed: monoio, uring")
        })
    }
}

/// Starts a floor in a thread of its own, which serves until the process ends; where it listens.
///
/// # Errors
/// [`BenchError::Settings`] when the address is in use or the core not ours, or there are too many octets;
/// [`BenchError::Io`] when there is no io_uring here.
pub fn serve(
    address: SocketAddr,
    io: FloorIo,
    octets: usize,
    core: Option<usize>,
) -> Result<SocketAddr, BenchError> {
    if octets > OCTETS_MAX {
        return Err(BenchError::Settings(format!("{octets} octets; allowed: 0 to {OCTETS_MAX}")));
    }
    lastmile_tuning::files::raise_limit()
        .map_err(|error| BenchError::Io("the limit of open files", error))?;
    let listener = listen(address, 1, &ListenOptions::default())
        .map_err(|error| BenchError::Settings(format!("{address}: {error}")))?
        .pop()
        .expect("one was asked for");
    let address = listener
        .local_addr()
        .map_err(|error| BenchError::Io("the address of a listener", error))?;
    let (ready, started) = sync_channel(1);
    let thread = std::thread::Builder::new().name("floor".to_owned());
    thread
        .spawn(move || run(&listener, io, &Answers::new(octets), core, &ready))
        .map_err(|error| BenchError::Io("a thread", error))?;
    started.recv().expect("it says how it went")?;
    Ok(address)
}

fn run(
    listener: &TcpListener,
    io: FloorIo,
    answers: &Answers,
    core: Option<usize>,
    ready: &SyncSender<Result<(), BenchError>>,
) {
    if let Some(Err(error)) = core.map(pin_current_thread) {
        let core = core.unwrap_or_default();
        let _ = ready.send(Err(BenchError::Settings(format!("core {core}: {error}"))));
        return;
    }
    let ended = match io {
        FloorIo::Monoio => runtime::run(listener, answers, ready),
        FloorIo::Uring => plain::run(listener, answers, ready),
    };
    if let Err(error) = ended {
        let _ = ready.send(Err(BenchError::Io(crate::ring::NEEDED, error)));
    }
}
