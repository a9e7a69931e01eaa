//! What ends a running process: Ctrl-C, TERM, or the time given by `--for`.

use crate::failure::Failure;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// The exit status of a process that is told a second time to end while it drains.
const IMPATIENT_STATUS: i32 = 130;

/// The request to end, once it has come.
#[derive(Debug)]
pub struct Stop {
    asked: Receiver<()>,
    // Keeps the channel open when the handler is gone, so that waiting never ends by itself.
    _asker: SyncSender<()>,
}

impl Stop {
    /// Catches INT, TERM and HUP from here on; to be called before anything is started, so that a
    /// signal during the start ends it as cleanly. A second signal ends the process at once.
    ///
    /// # Errors
    /// When the handlers cannot be set, which happens when it is called twice.
    pub fn on_signal() -> Result<Self, Failure> {
        let (asker, asked) = sync_channel(1);
        let handler = asker.clone();
        let mut before = false;
        ctrlc::set_handler(move || {
            if std::mem::replace(&mut before, true) {
                std::process::exit(IMPATIENT_STATUS);
            }
            let _ = handler.try_send(());
        })
        .map_err(|error| Failure::Failed(format!("signals: {error}")))?;
        Ok(Self { asked, _asker: asker })
    }

    /// Returns when a signal has come, or after `limit`.
    pub fn wait(&self, limit: Option<Duration>) {
        match limit {
            Some(limit) => match self.asked.recv_timeout(limit) {
                Ok(()) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            },
            None => {
                let _ = self.asked.recv();
            }
        }
    }
}
