//! The simulated machine room: one thread, a clock that only moves when nobody can do anything, and an order of events
//! that a seed decides.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Wake;

/// The true time at which every run begins, in milliseconds since the Unix epoch: 2026-01-01T00:00:00Z.
pub const BEGIN_MS: u64 = 1_767_225_600_000;
/// Polls in one run; the largest scenarios need a tenth of it. More is a task that wakes itself for ever.
const POLLS_MAX: u64 = 20_000_000;
/// True time that one run may take. Every wait of the edge is bounded by a minute or so, and no client makes more than
/// some dozens of them.
const RUN_MS_MAX: u64 = 4 * 3600 * 1000;

type Task = Pin<Box<dyn Future<Output = ()>>>;

struct TaskWaker {
    id: u64,
    queued: AtomicBool,
    ready: Arc<Mutex<Vec<u64>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.lock().unwrap().push(self.id);
        }
    }
}

struct Running {
    task: Option<Task>,
    waker: Arc<TaskWaker>,
    name: &'static str,
}

#[derive(Default)]
struct State {
    tasks: RefCell<BTreeMap<u64, Running>>,
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    now_ms: Cell<u64>,
    next_id: Cell<u64>,
    random: Cell<u64>,
    trace: Cell<u64>,
    violations: RefCell<Vec<String>>,
}

/// A handle to the one simulated world of a run.
#[derive(Clone)]
pub struct World {
    state: Rc<State>,
    ready: Arc<Mutex<Vec<u64>>>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let state = State::default();
        state.now_ms.set(BEGIN_MS);
        state.random.set(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03);
        state.trace.set(0xcbf2_9ce4_8422_2325);
        Self { state: Rc::new(state), ready: Arc::default() }
    }

    /// The true time, which no node can read.
    pub fn now_ms(&self) -> u64 {
        self.state.now_ms.get()
    }

    /// A number below `bound`, which is at least one (splitmix64).
    pub fn random(&self, bound: u64) -> u64 {
        let seed = self.state.random.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.state.random.set(seed);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// True in `per_mille` of a thousand cases.
    pub fn chance(&self, per_mille: u64) -> bool {
        self.random(1000) < per_mille
    }

    pub fn pick<'a, T>(&self, among: &'a [T]) -> &'a T {
        &among[self.random(among.len() as u64) as usize]
    }

    /// Adds an event to the trace (FNV-1a over words).
    pub fn trace(&self, what: u64, value: u64) {
        let mut hash = self.state.trace.get();
        for word in [self.now_ms(), what, value] {
            hash = (hash ^ word).wrapping_mul(0x0100_0000_01b3);
        }
        self.state.trace.set(hash);
    }

    pub fn trace_hash(&self) -> u64 {
        self.state.trace.get()
    }

    /// Notes that an oracle was not satisfied.
    pub fn violation(&self, what: core::fmt::Arguments<'_>) {
        let at = self.now_ms() - BEGIN_MS;
        self.state.violations.borrow_mut().push(format!("at {at} ms: {what}"));
    }

    pub fn violations(&self) -> Vec<String> {
        self.state.violations.borrow().clone()
    }

    fn new_id(&self) -> u64 {
        let id = self.state.next_id.get();
        self.state.next_id.set(id + 1);
        id
    }

    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + 'static) {
        let id = self.new_id();
        let ready = Arc::clone(&self.ready);
        let waker = Arc::new(TaskWaker { id, queued: AtomicBool::new(true), ready });
        let running = Running { task: Some(Box::pin(task)), waker, name };
        self.state.tasks.borrow_mut().insert(id, running);
        self.ready.lock().unwrap().push(id);
    }

    /// Names of the tasks that have not ended.
    pub fn tasks(&self) -> Vec<&'static str> {
        self.state.tasks.borrow().values().map(|running| running.name).collect()
    }

    pub fn sleep(&self, duration: Duration) -> Sleep {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let at = self.now_ms().saturating_add(milliseconds);
        Sleep { world: self.clone(), at, timer: None }
    }

    pub async fn sleep_ms(&self, milliseconds: u64) {
        self.sleep(Duration::from_millis(milliseconds)).await;
    }

    /// Wakes `waker` at `at_ms`, once.
    pub fn wake_at(&self, at_ms: u64, waker: &Waker) {
        let key = (at_ms, self.new_id());
        self.state.timers.borrow_mut().insert(key, waker.clone());
    }

    /// What `future` returns, or nothing when it takes longer than `limit`.
    pub async fn within<T>(&self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let mut sleep = pin!(self.sleep(limit));
        poll_fn(|context| {
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                return Poll::Ready(Some(value));
            }
            sleep.as_mut().poll(context).map(|()| None)
        })
        .await
    }

    /// Runs until nothing is ready and no timer is armed.
    pub fn run(&self) {
        for _ in 0..POLLS_MAX {
            let count = self.ready.lock().unwrap().len() as u64;
            if count == 0 {
                let Some(((at, _), waker)) = self.state.timers.borrow_mut().pop_first() else {
                    return;
                };
                assert!(at - BEGIN_MS < RUN_MS_MAX, "there is no end to {:?}", self.tasks());
                self.state.now_ms.set(self.now_ms().max(at));
                waker.wake();
                continue;
            }
            let next = self.random(count) as usize;
            let id = self.ready.lock().unwrap().swap_remove(next);
            self.poll(id);
        }
        panic!("endless activity of {:?}", self.tasks());
    }

    fn poll(&self, id: u64) {
        let taken = self.state.tasks.borrow_mut().get_mut(&id).map(|running| {
            running.waker.queued.store(false, Ordering::Relaxed);
            (running.task.take(), Arc::clone(&running.waker))
        });
        let Some((Some(mut task), waker)) = taken else { return };
        self.trace(1, id);
        let waker = Waker::from(waker);
        let ended = task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        if ended {
            self.state.tasks.borrow_mut().remove(&id);
            // Dropped after the map is free: a stream that closes wakes others.
            drop(task);
        } else if let Some(running) = self.state.tasks.borrow_mut().get_mut(&id) {
            running.task = Some(task);
        }
    }

    /// Drops every task: they hold the world, and the world holds them.
    pub fn end(&self) {
        let tasks = core::mem::take(&mut *self.state.tasks.borrow_mut());
        drop(tasks);
        self.state.timers.borrow_mut().clear();
    }
}

/// A wait for a point in true time. Dropped, it leaves no timer behind.
pub struct Sleep {
    world: World,
    at: u64,
    timer: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.world.now_ms() >= self.at {
            return Poll::Ready(());
        }
        if self.at < u64::MAX {
            let key = self.timer.unwrap_or_else(|| (self.at, self.world.new_id()));
            self.timer = Some(key);
            self.world.state.timers.borrow_mut().insert(key, context.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.timer {
            self.world.state.timers.borrow_mut().remove(&key);
        }
    }
}
