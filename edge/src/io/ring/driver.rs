//! The ring: operations go in, completions wake who waits for them.
#![allow(unsafe_code, reason = "the kernel reads and writes memory that operations point to")]

use super::buffers::Buffers;
use crate::ssd::buffer::Buffer;
use crate::ssd::device::Device;
use core::any::Any;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::ops::Range;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use io_uring::{IoUring, cqueue, opcode, squeue, types};
use slab::Slab;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Entries of the submission queue: operations of one turn before an extra entry of the kernel is needed.
const SUBMISSIONS: u32 = 1024;
/// Entries of the completion queue; the kernel keeps more aside when it is full.
const COMPLETIONS: u32 = 8192;
/// How long the end of a worker may wait for operations to be cancelled. They are at once; beyond it their memory is
/// leaked rather than freed under the kernel's hands.
const END_MAX: Duration = Duration::from_secs(1);
/// `user_data` of operations that nobody waits for.
const UNWATCHED: u64 = u64::MAX;
/// `IORING_RECVSEND_POLL_FIRST` of `linux/io_uring.h`.
const POLL_FIRST: u16 = 1;

/// A worker's ring.
pub(super) struct Driver {
    ring: RefCell<IoUring>,
    pub(super) buffers: Buffers,
    slots: RefCell<Slab<Slot>>,
    /// Completions of one turn, while they are dealt with; kept for its room.
    completed: RefCell<Vec<Completion>>,
    /// Operations given up by those who waited for them.
    orphans: Cell<usize>,
}

/// What the kernel says of an operation.
#[derive(Clone, Copy)]
pub(super) struct Completion {
    user_data: u64,
    pub(super) result: i32,
    pub(super) flags: u32,
}

impl Completion {
    /// The result of a system call: a count, or an error.
    pub(super) fn count(self) -> io::Result<usize> {
        usize::try_from(self.result).map_err(|_| io::Error::from_raw_os_error(-self.result))
    }

    /// The provided buffer that it fills.
    pub(super) fn buffer(self) -> Option<u16> {
        cqueue::buffer_select(self.flags)
    }
}

/// One operation under way.
enum Slot {
    Waiting(Option<Waker>),
    Done(Completion),
    /// Nobody waits any more, but the kernel may still use its memory.
    Orphan {
        payload: Option<Box<dyn Any>>,
    },
}

impl Driver {
    /// A ring with the flags of choice, for the calling thread alone: completions are worked off when it asks for them
    /// (`io_uring_setup(2)`, `DEFER_TASKRUN`, 6.1).
    ///
    /// # Errors
    /// `ENOSYS` or `EINVAL` of older kernels, `EPERM` of containers and of `kernel.io_uring_disabled`, `ENOMEM`.
    pub(super) fn new() -> io::Result<Rc<Self>> {
        Self::with_entries(SUBMISSIONS, COMPLETIONS)
    }

    /// Whether such a ring can be made here.
    ///
    /// # Errors
    /// As for [`Driver::new`].
    pub(super) fn probe() -> io::Result<()> {
        Self::with_entries(8, 16).map(drop)
    }

    fn with_entries(submissions: u32, completions: u32) -> io::Result<Rc<Self>> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_cqsize(completions)
            .setup_clamp()
            .build(submissions)?;
        let buffers = Buffers::register(&ring)?;
        let (slots, completed) = (RefCell::default(), RefCell::default());
        Ok(Rc::new(Self {
            ring: RefCell::new(ring),
            buffers,
            slots,
            completed,
            orphans: Cell::new(0),
        }))
    }

    /// Hands all new operations to the kernel and wakes those whose operations have completed; waits for one if
    /// `is_idle`.
    ///
    /// # Errors
    /// When the kernel refuses the ring.
    pub(super) fn turn(&self, is_idle: bool) -> io::Result<()> {
        let mut completed = self.completed.take();
        {
            let mut ring = self.ring.borrow_mut();
            match ring.submit_and_wait(usize::from(is_idle)) {
                Ok(_) => {}
                // A signal; or a full completion queue, which is emptied now.
                Err(error)
                    if matches!(
                        error.raw_os_error(),
                        Some(libc::EINTR | libc::EBUSY | libc::EAGAIN)
                    ) => {}
                Err(error) => return Err(error),
            }
            let entries = ring.completion().map(|entry| Completion {
                user_data: entry.user_data(),
                result: entry.result(),
                flags: entry.flags(),
            });
            completed.extend(entries);
        }
        // Not while the ring is borrowed: what is dropped or woken here may begin or end operations.
        for completion in completed.drain(..) {
            self.complete(completion);
        }
        self.completed.replace(completed);
        Ok(())
    }

    fn complete(&self, completion: Completion) {
        let Ok(number) = usize::try_from(completion.user_data) else { return };
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = slots.get_mut(number) else { return };
        match core::mem::replace(slot, Slot::Done(completion)) {
            Slot::Waiting(waker) => {
                drop(slots);
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            Slot::Orphan { payload } => {
                slots.remove(number);
                drop(slots);
                self.orphans.set(self.orphans.get() - 1);
                self.give_back(completion, payload);
            }
            Slot::Done(_) => unreachable!("an operation that is armed once completes once"),
        }
    }

    /// What an operation has brought that nobody waits for any more: a provided buffer goes back, a connection that
    /// was accepted is closed.
    fn give_back(&self, completion: Completion, payload: Option<Box<dyn Any>>) {
        if let Some(buffer) = completion.buffer() {
            self.buffers.put(buffer);
        }
        if payload.is_some_and(|payload| payload.is::<Box<Peer>>()) && completion.result >= 0 {
            self.close(completion.result);
        }
    }

    fn push(&self, entry: &squeue::Entry) {
        let mut ring = self.ring.borrow_mut();
        loop {
            // SAFETY: callers of `begin` and `unwatched` vouch for the memory that the entry points to.
            if unsafe { ring.submission().push(entry) }.is_ok() {
                return;
            }
            // The queue is full. Completions stay where they are; errors come back with the next turn.
            let _ = ring.submit();
        }
    }

    /// Begins an operation.
    ///
    /// # Safety
    /// All memory that `entry` points to is on the heap, owned by `payload`, and does not move with it; nobody else
    /// uses it until the operation completes, but for reading what the kernel only reads.
    unsafe fn begin<P: 'static>(self: &Rc<Self>, entry: squeue::Entry, payload: P) -> Operation<P> {
        let number = self.slots.borrow_mut().insert(Slot::Waiting(None));
        self.push(&entry.user_data(number as u64));
        Operation { driver: Rc::clone(self), number, payload: Some(payload) }
    }

    /// Receives into a provided buffer. With `expects_to_wait` the kernel does not look before it waits.
    pub(super) fn receive(self: &Rc<Self>, socket: RawFd, expects_to_wait: bool) -> Operation<()> {
        let length = self.buffers.octets_each();
        let entry = opcode::Recv::new(types::Fd(socket), core::ptr::null_mut(), length)
            .buf_group(Buffers::GROUP)
            .build()
            .flags(squeue::Flags::BUFFER_SELECT);
        let entry = if expects_to_wait { polled_first(entry) } else { entry };
        // SAFETY: it points to no memory but the buffers, which are registered as long as the ring is.
        unsafe { self.begin(entry, ()) }
    }

    /// Receives behind what is in `buffer`, within its capacity.
    pub(super) fn receive_into(
        self: &Rc<Self>,
        socket: RawFd,
        mut buffer: Vec<u8>,
    ) -> Operation<Vec<u8>> {
        let spare = buffer.spare_capacity_mut();
        let length = u32::try_from(spare.len()).unwrap_or(u32::MAX);
        let entry = opcode::Recv::new(types::Fd(socket), spare.as_mut_ptr().cast(), length).build();
        // SAFETY: the spare capacity is heap memory of the payload.
        unsafe { self.begin(entry, buffer) }
    }

    /// Sends `buffer` from `start` on; `flags` as in `send(2)`.
    pub(super) fn send(
        self: &Rc<Self>,
        socket: RawFd,
        buffer: Vec<u8>,
        start: usize,
        flags: i32,
    ) -> Operation<Vec<u8>> {
        let rest = &buffer[start..];
        let length = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        let entry = opcode::Send::new(types::Fd(socket), rest.as_ptr(), length)
            .flags(flags | libc::MSG_NOSIGNAL)
            .build();
        // SAFETY: the octets are heap memory of the payload, and only read.
        unsafe { self.begin(entry, buffer) }
    }

    /// Reads what `device` has from `offset` on into `range` of `buffer`.
    pub(super) fn read_at(
        self: &Rc<Self>,
        device: Arc<Device>,
        mut buffer: Buffer,
        range: Range<usize>,
        offset: u64,
    ) -> Operation<(Arc<Device>, Buffer)> {
        let place = &mut buffer[range];
        let length = u32::try_from(place.len()).unwrap_or(u32::MAX);
        let entry =
            opcode::Read::new(types::Fd(device.file.as_raw_fd()), place.as_mut_ptr(), length);
        let entry = entry.offset(offset).build().flags(flags_of(&device));
        // SAFETY: the place is in the payload's buffer, which is memory of its own; the payload keeps the file open.
        unsafe { self.begin(entry, (device, buffer)) }
    }

    /// Writes `range` of `buffer` to `device` from `offset` on.
    pub(super) fn write_at(
        self: &Rc<Self>,
        device: Arc<Device>,
        buffer: Buffer,
        range: Range<usize>,
        offset: u64,
    ) -> Operation<(Arc<Device>, Buffer)> {
        let octets = &buffer[range];
        let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        let entry = opcode::Write::new(types::Fd(device.file.as_raw_fd()), octets.as_ptr(), length);
        let entry = entry.offset(offset).build().flags(flags_of(&device));
        // SAFETY: as for `read_at`; the octets are only read.
        unsafe { self.begin(entry, (device, buffer)) }
    }

    /// Accepts a connection; the result is its descriptor.
    pub(super) fn accept(self: &Rc<Self>, listener: RawFd) -> Operation<Box<Peer>> {
        let mut peer = Box::new(Peer::default());
        let (address, length) = peer.place();
        let entry = opcode::Accept::new(types::Fd(listener), address, length)
            .flags(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)
            .build();
        // SAFETY: the place of the address is in the payload's box.
        unsafe { self.begin(entry, peer) }
    }

    /// Connects to `peer`.
    pub(super) fn connect(
        self: &Rc<Self>,
        socket: RawFd,
        peer: Box<socket2::SockAddr>,
    ) -> Operation<Box<socket2::SockAddr>> {
        let entry =
            opcode::Connect::new(types::Fd(socket), peer.as_ptr().cast(), peer.len()).build();
        // SAFETY: the address is in the payload's box.
        unsafe { self.begin(entry, peer) }
    }

    /// Waits until `socket` is ready for `events` (`poll(2)`).
    pub(super) fn poll(self: &Rc<Self>, socket: RawFd, events: i16) -> Operation<()> {
        let events = u32::from(events.cast_unsigned());
        let entry = opcode::PollAdd::new(types::Fd(socket), events).build();
        // SAFETY: it points to no memory.
        unsafe { self.begin(entry, ()) }
    }

    /// Closes `descriptor` after all operations that were begun on it before.
    pub(super) fn close(&self, descriptor: RawFd) {
        self.unwatched(opcode::Close::new(types::Fd(descriptor)).build());
    }

    /// Begins an operation that points to no memory and whose outcome concerns nobody.
    fn unwatched(&self, entry: squeue::Entry) {
        self.push(&entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(UNWATCHED));
    }

    /// Gives up waiting for an operation; `payload` lives until the kernel is done with it.
    fn abandon(&self, number: usize, payload: Option<Box<dyn Any>>) {
        let mut slots = self.slots.borrow_mut();
        match slots.get_mut(number) {
            Some(Slot::Done(completion)) => {
                let completion = *completion;
                slots.remove(number);
                drop(slots);
                self.give_back(completion, payload);
            }
            Some(slot) => {
                let waiting = core::mem::replace(slot, Slot::Orphan { payload });
                drop(slots);
                drop(waiting);
                self.orphans.set(self.orphans.get() + 1);
                self.unwatched(opcode::AsyncCancel::new(number as u64).build());
            }
            None => {}
        }
    }

    /// Waits for the end of all operations that nobody waits for, at the end of the worker.
    pub(super) fn finish(&self) {
        let deadline = Instant::now() + END_MAX;
        while self.orphans.get() > 0 && Instant::now() < deadline {
            if self.turn(false).is_err() {
                break;
            }
            if self.orphans.get() > 0 {
                std::thread::yield_now();
            }
        }
        // Closes that are still queued.
        let _ = self.turn(false);
        if self.orphans.get() > 0 {
            core::mem::forget(self.slots.take());
        }
    }
}

/// Through the page cache a read waits for the disk before it is under way, unless a thread of the kernel begins it
/// (`IOSQE_ASYNC`).
fn flags_of(device: &Device) -> squeue::Flags {
    if device.is_direct { squeue::Flags::empty() } else { squeue::Flags::ASYNC }
}

/// See `IORING_RECVSEND_POLL_FIRST` in `io_uring_enter(2)`: saves an attempt that would find nothing.
fn polled_first(mut entry: squeue::Entry) -> squeue::Entry {
    const { assert!(size_of::<squeue::Entry>() == 64) };
    let ioprio = (&raw mut entry).cast::<u16>().wrapping_add(1);
    // SAFETY: an entry is `struct io_uring_sqe`, whose third and fourth octets are `ioprio` for ever; the crate has no
    // setter for it. The pointer comes from a value of ours that nobody else looks at.
    unsafe { ioprio.write(POLL_FIRST) };
    entry
}

/// Where the kernel writes the address of who connects.
pub(super) struct Peer {
    storage: socket2::SockAddrStorage,
    length: libc::socklen_t,
}

impl Default for Peer {
    fn default() -> Self {
        let storage = socket2::SockAddrStorage::zeroed();
        let length = storage.size_of();
        Self { storage, length }
    }
}

impl Peer {
    fn place(&mut self) -> (*mut libc::sockaddr, *mut libc::socklen_t) {
        // SAFETY: `sockaddr_storage` is what the storage is for.
        let storage = unsafe { self.storage.view_as::<libc::sockaddr_storage>() };
        (core::ptr::from_mut(storage).cast(), &raw mut self.length)
    }

    /// The address that the kernel has written.
    pub(super) fn into_address(self) -> Option<core::net::SocketAddr> {
        // SAFETY: the kernel has written an address of this length, or nothing, and then its family is 0.
        unsafe { socket2::SockAddr::new(self.storage, self.length) }.as_socket()
    }
}

/// An operation under way; dropped before its end it is cancelled.
pub(super) struct Operation<P: 'static> {
    driver: Rc<Driver>,
    number: usize,
    /// Present until the operation has completed.
    payload: Option<P>,
}

impl<P> Operation<P> {
    /// Whether the kernel has said what came of it.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.driver.slots.borrow().get(self.number), Some(Slot::Done(_)))
    }
}

impl<P: Unpin + 'static> Future for Operation<P> {
    type Output = (Completion, P);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slots = self.driver.slots.borrow_mut();
        let slot = slots
            .get_mut(self.number)
            .expect("an operation keeps its slot until it is polled to its end");
        match slot {
            Slot::Done(completion) => {
                let completion = *completion;
                slots.remove(self.number);
                drop(slots);
                let payload = self.payload.take().expect("it is taken with the slot");
                Poll::Ready((completion, payload))
            }
            Slot::Waiting(waker) => {
                match waker {
                    Some(known) => known.clone_from(context.waker()),
                    None => *waker = Some(context.waker().clone()),
                }
                Poll::Pending
            }
            Slot::Orphan { .. } => unreachable!("only a dropped operation is an orphan"),
        }
    }
}

impl<P: 'static> Drop for Operation<P> {
    fn drop(&mut self) {
        if let Some(payload) = self.payload.take() {
            // Nothing is boxed, and no memory used, for operations without any.
            let payload = (size_of::<P>() > 0).then(|| Box::new(payload) as Box<dyn Any>);
            self.driver.abandon(self.number, payload);
        }
    }
}
