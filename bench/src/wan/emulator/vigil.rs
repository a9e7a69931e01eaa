//! Keeps the cores from sleeping as long as there are links and nobody else is at work. Most of a lab's time nobody has
//! anything to do, and a core that was halted takes long to come back, above all one of a virtual machine, which its
//! host must schedule again: on such a machine a round trip of 80 ms took 0.5 ms too long, and 0.2 ms with it.

use lastmile_tuning::cpu::{Cores, pin_current_thread};
use rustix::time::{ClockId, clock_gettime};
use std::hint::spin_loop;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Turns between two looks whether somebody else wants the core: some microseconds. A kernel that preempts lazily
/// (`PREEMPT_LAZY`, Linux 6.13) tells a thread that does not call it only at its next tick: what was woken on a core of
/// another that only turned began up to 10 ms late.
const SPINS: u32 = 100;

/// How long a thread turns before it looks how much of the core it got, and of that at least this part, or others keep
/// the core awake.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const SHARE_MIN: f64 = 0.7;

/// It then is away for so long: in a busy session (`sched_autogroup_enabled`, sched(7)) its turns would be taken from
/// the hosts of the lab, which made 240 ms 245.
const AWAY: Duration = Duration::from_millis(200);

/// A thread on each core that is allowed, which runs whenever nobody else wants to (`SCHED_IDLE`, sched(7)).
#[derive(Debug)]
pub(super) struct Vigil {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Vigil {
    /// Begins. A thread that cannot be one of these ends at once: it would take time from others.
    ///
    /// # Errors
    /// Cores that cannot be listed; threads that cannot be started.
    pub(super) fn begin() -> io::Result<Self> {
        let mut vigil = Self { is_over: Arc::default(), threads: Vec::new() };
        for core in Cores::allowed()?.numbers().iter().copied() {
            let is_over = Arc::clone(&vigil.is_over);
            let thread = thread::Builder::new().name("wan-vigil".to_owned());
            vigil.threads.push(thread.spawn(move || keep_awake(core, &is_over))?);
        }
        Ok(vigil)
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn keep_awake(core: usize, is_over: &AtomicBool) {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    let is_idle =
        set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle).is_ok();
    if !is_idle || pin_current_thread(core).is_err() {
        return;
    }
    let mut looked = (Instant::now(), own_time());
    while !is_over.load(Ordering::Relaxed) {
        (0..SPINS).for_each(|_| spin_loop());
        thread::yield_now();
        let passed = looked.0.elapsed();
        if passed >= LOOK_EVERY {
            let own = own_time().saturating_sub(looked.1);
            if own < passed.mul_f64(SHARE_MIN) {
                thread::park_timeout(AWAY);
            }
            looked = (Instant::now(), own_time());
        }
    }
}

/// How long the calling thread has run.
fn own_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn each_core_has_a_thread_that_yields_to_all_others() {
        let vigil = Vigil::begin().unwrap();
        let policies = || {
            let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
            let of_vigil = tasks.filter(|task| {
                fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "wan-vigil\n")
            });
            let stats = of_vigil.filter_map(|task| fs::read_to_string(task.join("stat")).ok());
            // The 41st field (proc_pid_stat(5)), counted from behind the name.
            let policy = |stat: String| stat.rsplit(") ").next()?.split(' ').nth(38)?.parse().ok();
            stats.filter_map(policy).collect::<Vec<i32>>()
        };
        let cores = Cores::allowed().unwrap().numbers().len();
        let deadline = Instant::now() + Duration::from_secs(60);
        // Other tests have links too.
        while policies().iter().filter(|policy| **policy == libc::SCHED_IDLE).count() < cores {
            assert!(Instant::now() < deadline, "{:?}", policies());
            thread::yield_now();
        }
        drop(vigil);
    }
}
