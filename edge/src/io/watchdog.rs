//! Deadlines of a worker's connections and sleeps, looked at once a tick instead of armed and cancelled for each
//! operation: a receive on the hot path costs two stores.

use core::cell::{Cell, RefCell};
use core::task::Waker;
use slab::Slab;
use socket2::SockRef;
use std::net::Shutdown;
use std::os::fd::{BorrowedFd, RawFd};
use std::rc::Rc;

/// No deadline.
const NEVER: u64 = u64::MAX;

/// The two deadlines of a connection, in milliseconds of the process's clock.
#[derive(Debug)]
pub(super) struct Deadlines {
    receive: Cell<u64>,
    send: Cell<u64>,
    /// The receive under way is between two requests.
    idle: Cell<bool>,
    receive_expired: Cell<bool>,
    send_expired: Cell<bool>,
}

impl Deadlines {
    pub(super) fn arm_receive(&self, deadline_ms: u64, idle: bool) {
        self.receive.set(deadline_ms);
        self.idle.set(idle);
    }

    pub(super) fn disarm_receive(&self) -> bool {
        self.receive.set(NEVER);
        self.receive_expired.get()
    }

    pub(super) fn arm_send(&self, deadline_ms: u64) {
        self.send.set(deadline_ms);
    }

    pub(super) fn disarm_send(&self) -> bool {
        self.send.set(NEVER);
        self.send_expired.get()
    }
}

/// A task that sleeps. Slots are used again, so a sleeper also has a number of its own.
struct Sleeper {
    number: u64,
    deadline_ms: u64,
    waker: Waker,
}

/// A sleeper's place in the watchdog.
#[derive(Clone, Copy)]
pub(super) struct Place {
    slot: usize,
    number: u64,
}

/// All waits of one worker.
#[derive(Default)]
pub(super) struct Watchdog {
    connections: RefCell<Slab<(Rc<Deadlines>, RawFd)>>,
    sleeps: RefCell<Slab<Sleeper>>,
    sleepers: Cell<u64>,
}

/// A connection's place in the watchdog; leaving it gives the place back, before the descriptor is closed.
pub(super) struct Watched {
    watchdog: Rc<Watchdog>,
    slot: usize,
    pub(super) deadlines: Rc<Deadlines>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watchdog.connections.borrow_mut().remove(self.slot);
    }
}

impl Watchdog {
    /// Watches over the connection `descriptor`, which must stay open until the returned place is dropped.
    pub(super) fn watch(self: &Rc<Self>, descriptor: RawFd) -> Watched {
        let deadlines = Rc::new(Deadlines {
            receive: Cell::new(NEVER),
            send: Cell::new(NEVER),
            idle: Cell::new(false),
            receive_expired: Cell::new(false),
            send_expired: Cell::new(false),
        });
        let slot = self.connections.borrow_mut().insert((Rc::clone(&deadlines), descriptor));
        Watched { watchdog: Rc::clone(self), slot, deadlines }
    }

    /// Wakes `waker` at `deadline_ms`, unless the place is cancelled before.
    pub(super) fn sleep(&self, deadline_ms: u64, waker: Waker) -> Place {
        let number = self.sleepers.get();
        self.sleepers.set(number + 1);
        let slot = self.sleeps.borrow_mut().insert(Sleeper { number, deadline_ms, waker });
        Place { slot, number }
    }

    pub(super) fn cancel_sleep(&self, place: Place) {
        let mut sleeps = self.sleeps.borrow_mut();
        if sleeps.get(place.slot).is_some_and(|sleeper| sleeper.number == place.number) {
            let sleeper = sleeps.remove(place.slot);
            // Its waker may hold the last reference to a task, whose own sleep is cancelled when it is dropped.
            drop(sleeps);
            drop(sleeper);
        }
    }

    /// Resets every connection: what is cut off must not look whole.
    pub(super) fn reset_all(&self) {
        for (_, (_, descriptor)) in self.connections.borrow().iter() {
            reset(*descriptor);
        }
    }

    /// Ends every wait whose deadline has passed, and every idle one when `draining`.
    ///
    /// A receive is ended by `SHUT_RD`, which leaves the other direction usable for a 408; a send by `SHUT_RDWR`. Both
    /// work the same on io_uring and on epoll, and need no cancellation that could lose octets.
    pub(super) fn tick(&self, now_ms: u64, draining: bool) {
        for (_, (deadlines, descriptor)) in self.connections.borrow().iter() {
            let receive = deadlines.receive.get();
            let receive_over =
                receive <= now_ms || (draining && receive != NEVER && deadlines.idle.get());
            if receive_over && !deadlines.receive_expired.replace(true) {
                shut(*descriptor, Shutdown::Read);
            }
            if deadlines.send.get() <= now_ms && !deadlines.send_expired.replace(true) {
                shut(*descriptor, Shutdown::Both);
            }
        }
        let mut due = Vec::new();
        self.sleeps.borrow_mut().retain(|_, sleeper| {
            let over = sleeper.deadline_ms <= now_ms;
            if over {
                due.push(sleeper.waker.clone());
            }
            !over
        });
        due.into_iter().for_each(Waker::wake);
    }
}

/// Dissolves the connection, with a reset. SO_LINGER would not do: dropping monoio's sending half ends that direction
/// in order first.
#[allow(unsafe_code, reason = "connect(2) with an address that has no safe type")]
pub(super) fn reset(descriptor: RawFd) {
    let nowhere = libc::sockaddr { sa_family: libc::AF_UNSPEC as _, sa_data: [0; 14] };
    let length = size_of::<libc::sockaddr>() as libc::socklen_t;
    // SAFETY: the address is whole and read during the call only, and its length is that of its type.
    // connect(2): AF_UNSPEC dissolves the association. A connection that is already gone needs no end.
    let _ = unsafe { libc::connect(descriptor, &raw const nowhere, length) };
}

#[allow(unsafe_code, reason = "a descriptor owned by the ring has no safe borrow")]
fn shut(descriptor: RawFd, how: Shutdown) {
    // SAFETY: `Watched` removes the descriptor from the watchdog before its stream closes it, so it is open here.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    // A connection that is already gone needs no end.
    let _ = SockRef::from(&descriptor).shutdown(how);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_was_used_again_is_not_cancelled_by_its_former_sleeper() {
        let watchdog = Watchdog::default();
        let early = watchdog.sleep(10, Waker::noop().clone());
        watchdog.tick(10, false);
        let late = watchdog.sleep(20, Waker::noop().clone());
        assert_eq!(early.slot, late.slot, "the test needs a slot that is used again");
        watchdog.cancel_sleep(early);
        assert_eq!(watchdog.sleeps.borrow().len(), 1);
        watchdog.cancel_sleep(late);
        assert!(watchdog.sleeps.borrow().is_empty());
    }
}
