//! Signatures are made anew each day, on a thread of its own, and published as a reload would.

use crate::answer::Tables;
use crate::dnssec::sign;
use crate::notify::Notifier;
use crate::succession::retire;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fmt, io};

/// How often it looks whether a day has begun: seldom enough to cost nothing, often enough that a clock that is set, or
/// a machine that sleeps, does not matter.
const LOOK: Duration = Duration::from_secs(60);

/// Renews signatures until it is dropped.
pub(crate) struct Renewer {
    /// `None` when it shall end.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Renewer {
    /// Starts the thread.
    ///
    /// # Errors
    /// It could not be made.
    pub(crate) fn start(tables: Arc<ArcSwap<Tables>>, notifier: Arc<Notifier>) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = thread::Builder::new().name("gslb-renew".to_owned());
        let thread = thread.spawn(move || run(&stopped, &tables, &notifier))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Renewer {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic has already been said on stderr.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Renewer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Renewer").finish_non_exhaustive()
    }
}

/// Seconds since 1970, for signatures.
pub(crate) fn now() -> u64 {
    // A clock before 1970 makes signatures that nobody takes, whatever is done here.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn run(stopped: &Receiver<()>, tables: &ArcSwap<Tables>, notifier: &Notifier) {
    while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        let before = tables.load_full();
        match sign::renewed(&before, now()) {
            Ok(Some(renewed)) => {
                let renewed = Arc::new(renewed);
                let found = tables.compare_and_swap(&before, Arc::clone(&renewed));
                // After a reload in the meantime it is that one's turn, if its signatures need any.
                let is_published = Arc::ptr_eq(&before, &found);
                drop(found);
                if is_published {
                    notifier.published(renewed);
                    retire(before);
                }
            }
            Ok(None) => {}
            Err(error) => eprintln!("gslb: signatures are not renewed: {error}"),
        }
    }
}
