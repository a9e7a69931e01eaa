//! Keeps what came to the admin server of a running GSLB, over reloads of its files, until it is old.

use super::{Posted, read_csv, resolve};
use crate::answer::Tables;
use arc_swap::ArcSwap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often it is looked for what is old.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Debug)]
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    /// Forgets what is old; there is none before anything has come.
    forgetter: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

#[derive(Debug)]
struct Shared {
    start: Instant,
    tables: Arc<ArcSwap<Tables>>,
    // Held while tables are changed, so that none goes without what has come.
    posted: Mutex<Posted>,
}

impl Shared {
    fn posted(&self) -> MutexGuard<'_, Posted> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self) {
        let mut posted = self.posted();
        let policy = &self.tables.load().policy;
        if posted.expire(self.start.elapsed(), policy.measured.expires)
            && let Err(why) = posted.publish(policy)
        {
            eprintln!("gslb: rtt: {why}");
        }
    }
}

impl Keeper {
    pub(crate) fn new(tables: Arc<ArcSwap<Tables>>) -> Self {
        let shared = Shared { start: Instant::now(), tables, posted: Mutex::default() };
        Self { shared: Arc::new(shared), forgetter: Mutex::default() }
    }

    /// Takes measurements in. How many lines there were.
    ///
    /// # Errors
    /// The first line that is wrong, or what there is too much of; nothing is taken then.
    pub(crate) fn post(&self, text: &str) -> Result<usize, String> {
        let line = |(line, message): (usize, String)| format!("line {line}: {message}");
        let entries = read_csv(text).map_err(line)?;
        let mut posted = self.shared.posted();
        let policy = &self.shared.tables.load().policy;
        let measurements = resolve(policy, entries).map_err(line)?;
        posted.take(&measurements, self.shared.start.elapsed())?;
        posted.publish(policy)?;
        drop(posted);
        self.begin_to_forget().map_err(|error| format!("no thread: {error}"))?;
        Ok(measurements.len())
    }

    /// Lets `tables` answer from now on, with what has come.
    pub(crate) fn publish(&self, tables: &Arc<Tables>) {
        let posted = self.shared.posted();
        if let Err(why) = posted.publish(&tables.policy) {
            eprintln!("gslb: rtt: {why}");
        }
        self.shared.tables.store(Arc::clone(tables));
    }

    fn begin_to_forget(&self) -> std::io::Result<()> {
        let mut forgetter = self.forgetter.lock().unwrap_or_else(PoisonError::into_inner);
        if forgetter.is_none() {
            let (stop, stopped) = channel();
            let shared = Arc::clone(&self.shared);
            let forget = move || {
                while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                    shared.forget();
                }
            };
            let thread = thread::Builder::new().name("gslb-rtt".to_owned()).spawn(forget)?;
            *forgetter = Some((stop, thread));
        }
        Ok(())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let forgetter = self.forgetter.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((stop, thread)) = forgetter {
            drop(stop);
            // One that has panicked has said so.
            let _ = thread.join();
        }
    }
}
