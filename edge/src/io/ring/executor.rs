//! Tasks of a worker: what is ready runs, then the ring is asked what has happened meanwhile.
//!
//! Bulk work (a step of a large content) queues apart and gets a bounded share of each turn, so that fifty downloads
//! make a small hit wait for a few steps, not for fifty.

use super::driver::Driver;
use async_task::{Runnable, Task};
use core::cell::RefCell;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use slab::Slab;
use std::collections::VecDeque;
use std::io;

/// Steps of bulk work in one turn. A step takes some 100 us, beside which an entry of the kernel is nothing.
const BULK_STEPS_MAX: usize = 1;

thread_local! {
    /// Tasks that were woken, in order.
    static READY: RefCell<VecDeque<Runnable>> = const { RefCell::new(VecDeque::new()) };
    /// Tasks that wait for a turn of bulk work, in order.
    static BULK: RefCell<VecDeque<Waker>> = const { RefCell::new(VecDeque::new()) };
    /// All tasks, so that a worker's end ends them. Bounded by the connections and fetches of the worker.
    static TASKS: RefCell<Slab<Task<()>>> = const { RefCell::new(Slab::new()) };
}

/// Runs `future` on this thread, detached.
pub(super) fn spawn(future: impl Future<Output = ()> + 'static) {
    let number = TASKS.with_borrow(Slab::vacant_key);
    let schedule = |runnable| READY.with_borrow_mut(|ready| ready.push_back(runnable));
    let (runnable, task) = async_task::spawn_local(Registered { future, number }, schedule);
    let inserted = TASKS.with_borrow_mut(|tasks| tasks.insert(task));
    assert_eq!(inserted, number, "nothing came in between");
    runnable.schedule();
}

pin_project_lite::pin_project! {
    /// A future that is among [`TASKS`] until it ends. By hand, since an `async` block has room for what it awaits
    /// twice.
    struct Registered<F> {
        #[pin]
        future: F,
        number: usize,
    }
}

impl<F: Future<Output = ()>> Future for Registered<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        core::task::ready!(this.future.poll(context));
        TASKS.with_borrow_mut(|tasks| tasks.remove(*this.number)).detach();
        Poll::Ready(())
    }
}

/// Waits for a turn of bulk work.
pub(super) async fn bulk_turn() {
    let mut waited = false;
    poll_fn(|context| {
        if core::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        BULK.with_borrow_mut(|bulk| bulk.push_back(context.waker().clone()));
        Poll::Pending
    })
    .await;
}

/// Runs `main` to its end on this thread, and all that it spawns; what is left then is dropped.
///
/// # Errors
/// What the kernel says of the ring.
pub(super) fn run<F: Future>(driver: &Driver, main: F) -> io::Result<F::Output> {
    let mut main = pin!(main);
    let woken = MainWaker::new();
    let waker = Waker::from(std::sync::Arc::clone(&woken));
    let output = loop {
        if woken.take()
            && let Poll::Ready(output) = main.as_mut().poll(&mut Context::from_waker(&waker))
        {
            break output;
        }
        run_ready();
        let bulk_waits = take_bulk_turns();
        let is_idle = !bulk_waits && !woken.is_set() && READY.with_borrow(VecDeque::is_empty);
        driver.turn(is_idle)?;
    };
    // A task may spawn others or wait for others as it ends; each round drops all that there are.
    while TASKS.with_borrow(|tasks| !tasks.is_empty()) {
        drop(TASKS.take());
        run_ready();
    }
    drop(BULK.take());
    run_ready();
    Ok(output)
}

/// Runs what is ready now; what becomes ready meanwhile waits until the ring was asked.
fn run_ready() {
    let count = READY.with_borrow(VecDeque::len);
    for _ in 0..count {
        let Some(runnable) = READY.with_borrow_mut(VecDeque::pop_front) else { return };
        runnable.run();
    }
}

/// Wakes those whose turn it is; whether there was any.
fn take_bulk_turns() -> bool {
    let mut any = false;
    for _ in 0..BULK_STEPS_MAX {
        let Some(waker) = BULK.with_borrow_mut(VecDeque::pop_front) else { break };
        waker.wake();
        any = true;
    }
    any
}

/// Whether the main task was woken.
struct MainWaker(core::sync::atomic::AtomicBool);

impl MainWaker {
    fn new() -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self(core::sync::atomic::AtomicBool::new(true)))
    }

    fn take(&self) -> bool {
        self.0.swap(false, core::sync::atomic::Ordering::Relaxed)
    }

    fn is_set(&self) -> bool {
        self.0.load(core::sync::atomic::Ordering::Relaxed)
    }
}

impl std::task::Wake for MainWaker {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, core::sync::atomic::Ordering::Relaxed);
    }
}
