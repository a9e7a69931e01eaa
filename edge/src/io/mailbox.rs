//! How other threads reach a worker: a queue of wake-ups and a socket pair that makes the worker look at it.

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;
use crossbeam::queue::SegQueue;
use slab::Slab;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Wake;

/// The sending end, shared by all threads.
#[derive(Debug)]
pub(crate) struct Mailbox {
    worker: usize,
    /// Tokens of tasks to wake. Bounded by the tasks of the worker: each waiting task is in it at most once.
    tokens: SegQueue<usize>,
    /// Set while a wake-up octet is on its way, so that a burst of wake-ups costs one system call.
    rung: AtomicBool,
    bell: UnixStream,
}

thread_local! {
    static WORKER: Cell<usize> = const { Cell::new(usize::MAX) };
    static WAITING: RefCell<Slab<Waker>> = const { RefCell::new(Slab::new()) };
}

impl Mailbox {
    /// A mailbox of worker number `worker`, and the receiving end of its bell.
    pub(crate) fn new(worker: usize) -> io::Result<(Arc<Self>, UnixStream)> {
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        let mailbox = Self { worker, tokens: SegQueue::new(), rung: AtomicBool::new(false), bell };
        Ok((Arc::new(mailbox), ear))
    }

    /// Makes the worker look at its mailbox and its waits.
    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            // A full socket already holds a wake-up; a closed one belongs to a worker that has ended.
            let _ = (&self.bell).write(&[0]);
        }
    }

    /// Declares the calling thread to be the worker of this mailbox.
    pub(crate) fn adopt_thread(&self) {
        WORKER.set(self.worker);
    }

    /// Wakes the tasks whose tokens have arrived. Called by the worker after its bell rang.
    pub(crate) fn deliver(&self) {
        self.rung.store(false, Ordering::SeqCst);
        while let Some(token) = self.tokens.pop() {
            wake_local(token);
        }
    }

    /// See [`super::Io::portable_waker`]. Called by the worker.
    pub(crate) fn portable_waker(self: &Arc<Self>, waker: &Waker) -> Waker {
        let token = WAITING.with_borrow_mut(|waiting| waiting.insert(waker.clone()));
        let portable =
            PortableWaker { mailbox: Arc::clone(self), token, used: AtomicBool::new(false) };
        Waker::from(Arc::new(portable))
    }
}

fn wake_local(token: usize) {
    // A thread that is being torn down has lost the cell, and then its tasks are gone as well.
    let waker = WAITING.try_with(|waiting| waiting.borrow_mut().try_remove(token));
    if let Ok(Some(waker)) = waker {
        waker.wake();
    }
}

/// Wakes a task of a worker from any thread, once. A token is given back when it is used or dropped, which wakes the
/// task as well: a task must expect to be woken for nothing.
struct PortableWaker {
    mailbox: Arc<Mailbox>,
    token: usize,
    used: AtomicBool,
}

impl PortableWaker {
    fn use_token(&self) {
        if self.used.swap(true, Ordering::AcqRel) {
            return;
        }
        if WORKER.get() == self.mailbox.worker {
            wake_local(self.token);
        } else {
            self.mailbox.tokens.push(self.token);
            self.mailbox.ring();
        }
    }
}

impl Wake for PortableWaker {
    fn wake(self: Arc<Self>) {
        self.use_token();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.use_token();
    }
}

impl Drop for PortableWaker {
    fn drop(&mut self) {
        self.use_token();
    }
}
