//! What ends a running process: Ctrl-C, TERM, or the time given by `--for`. HUP makes it read its files again.

use crate::failure::Failure;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// The exit status of a process that is told a second time to end while it drains.
const IMPATIENT_STATUS: i32 = 130;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    End,
    Hup,
}

/// The request to end, once it has come.
#[derive(Debug)]
pub struct Stop {
    told: Receiver<Told>,
    // Keeps the channel open when the thread is gone, so that waiting never ends by itself.
    _teller: SyncSender<Told>,
}

impl Stop {
    /// Catches INT, TERM and HUP from here on; to be called before anything is started, so that a
    /// signal during the start ends it as cleanly. A second INT or TERM ends the process at once.
    ///
    /// # Errors
    /// When the handlers or their thread cannot be made.
    pub fn on_signal() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::Failed(format!("signals: {error}"));
        // A HUP that comes while one waits says nothing new; an end finds its place beside it.
        let (teller, told) = sync_channel(2);
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(failed)?;
        let sender = teller.clone();
        let watch = move || {
            let mut before = false;
            for signal in signals.forever() {
                if signal == SIGHUP {
                    let _ = sender.try_send(Told::Hup);
                    continue;
                }
                if std::mem::replace(&mut before, true) {
                    std::process::exit(IMPATIENT_STATUS);
                }
                let _ = sender.send(Told::End);
            }
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(watch).map_err(failed)?;
        Ok(Self { told, _teller: teller })
    }

    /// Whether a signal, of any of the three, comes within `pause`; returns when it does.
    #[must_use]
    pub fn came_within(&self, pause: Duration) -> bool {
        self.told.recv_timeout(pause).is_ok()
    }

    /// Returns when a signal says that all shall end, or after `limit`. HUP is for `reload` if there is one, otherwise
    /// it ends as well.
    pub fn wait(&self, limit: Option<Duration>, reload: Option<&dyn Fn()>) {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            let told = match deadline {
                // Also when the time is over.
                Some(at) => {
                    self.told.recv_timeout(at.saturating_duration_since(Instant::now())).ok()
                }
                None => self.told.recv().ok(),
            };
            match (told, reload) {
                (Some(Told::Hup), Some(reload)) => reload(),
                _ => return,
            }
        }
    }
}
