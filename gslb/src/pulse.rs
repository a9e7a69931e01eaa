//! What changes with time: a thread that once in a second tells all workers the time and which modes are on, so that no
//! packet needs a look at the clock.

use crate::answer::Tables;
use crate::counters::{self, Counters, Sample};
use crate::mode::{Backup, Judge, Mode, Moment, Switch};
use arc_swap::ArcSwap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Cookies and limits count in seconds.
const PERIOD: Duration = Duration::from_secs(1);

/// What workers read.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    now: AtomicU32,
    is_backup: AtomicBool,
    is_static: AtomicBool,
    changes: AtomicU64,
    judge: Mutex<Judge>,
}

/// The thread. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Pacemaker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pulse {
    /// With the time as it is, and no mode on.
    pub(crate) fn new() -> Self {
        let pulse = Self::default();
        pulse.look_at_clock();
        pulse
    }

    /// What is so now.
    pub(crate) fn moment(&self) -> Moment {
        let mode = Mode {
            is_backup: self.is_backup.load(Ordering::Relaxed),
            is_static: self.is_static.load(Ordering::Relaxed),
        };
        Moment { now: self.now.load(Ordering::Relaxed), mode }
    }

    /// What is counted: name, help, value.
    pub(crate) fn samples(&self) -> [Sample; 3] {
        let mode = self.moment().mode;
        [
            (
                "lastmile_gslb_mode_backup".into(),
                "1 in backup mode: TTLs of steered answers are longer.",
                mode.is_backup.into(),
            ),
            (
                "lastmile_gslb_mode_static".into(),
                "1 in static mode: steered answers are the same for everybody.",
                mode.is_static.into(),
            ),
            (
                "lastmile_gslb_mode_changes_total".into(),
                "How often one of them went on or off.",
                self.changes.load(Ordering::Relaxed),
            ),
        ]
    }

    /// Sets switches, and says how it is then.
    pub(crate) fn set(
        &self,
        backup: &Backup,
        longer: Option<Switch>,
        fixed: Option<Switch>,
    ) -> String {
        let mut judge = self.judge();
        let changes = judge.set(backup, longer, fixed);
        self.publish(&judge, &changes);
        judge.to_string()
    }

    fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_at_clock(&self) {
        // A clock before 1970 gives cookies of 1970; they count from wherever it stands.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // RFC 9018 §4.3: modulo 2^32.
        self.now.store(since.as_secs() as u32, Ordering::Relaxed);
    }

    fn publish(&self, judge: &Judge, changes: &[String]) {
        let mode = judge.mode();
        self.is_backup.store(mode.is_backup, Ordering::Relaxed);
        self.is_static.store(mode.is_static, Ordering::Relaxed);
        for change in changes {
            self.changes.fetch_add(1, Ordering::Relaxed);
            eprintln!("gslb: {change}");
        }
    }
}

impl Pacemaker {
    /// Begins to beat; `counters` are those of all workers.
    pub(crate) fn start(
        pulse: Arc<Pulse>,
        tables: Arc<ArcSwap<Tables>>,
        counters: Vec<Arc<Counters>>,
    ) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("gslb-pulse".to_owned()).spawn(move || {
            let queries = || counters::queries(counters.iter().map(AsRef::as_ref));
            let (mut before, mut since) = (queries(), Instant::now());
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                pulse.look_at_clock();
                let (total, elapsed) = (queries(), since.elapsed());
                since += elapsed;
                let millis = elapsed.as_millis().max(1) as u64;
                let qps = total.saturating_sub(before).saturating_mul(1000) / millis;
                before = total;
                let mut judge = pulse.judge();
                let changes = judge.tick(&tables.load().service.backup, qps);
                pulse.publish(&judge, &changes);
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Pacemaker {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
