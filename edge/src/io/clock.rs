//! The clock of a process: read by one thread, every tick, for all workers.

use super::mailbox::Mailbox;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use lastmile_http::time::UnixTime;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// How often clocks move and waits are looked at. Shorter wakes idle machines more often; longer makes timeouts and
/// the first octet after a pause of the upstream pool coarser.
pub const TICK: Duration = Duration::from_millis(50);

/// The time, as of the last tick.
#[derive(Debug)]
pub struct Clock {
    unix_ms: AtomicU64,
    /// Since the start of the process; never goes back.
    elapsed_ms: AtomicU64,
    started: Instant,
}

impl Clock {
    /// A clock that shows the time of its making until the ticking thread moves it.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let clock = Self {
            unix_ms: AtomicU64::new(0),
            elapsed_ms: AtomicU64::new(0),
            started: Instant::now(),
        };
        clock.advance();
        Arc::new(clock)
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        UnixTime::from_milliseconds(self.unix_ms.load(Ordering::Relaxed))
    }

    /// Milliseconds since the clock was made; unlike [`Clock::now`] it never goes back.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        self.elapsed_ms.load(Ordering::Relaxed)
    }

    fn advance(&self) {
        let milliseconds =
            |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.unix_ms.store(milliseconds(unix), Ordering::Relaxed);
        self.elapsed_ms.store(milliseconds(self.started.elapsed()), Ordering::Relaxed);
    }
}

/// Moves `clock` and rings every mailbox once a tick, on a thread of its own, until `stop` is set.
pub(crate) fn start_ticking(
    clock: Arc<Clock>,
    mailboxes: Vec<Arc<Mailbox>>,
    stop: Arc<AtomicBool>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("clock".into()).spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(TICK);
            clock.advance();
            for mailbox in &mailboxes {
                mailbox.ring();
            }
        }
    })
}
