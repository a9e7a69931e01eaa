//! A ring of io_uring as the load and the floor use it: sockets in its own table of descriptors, buffers that
//! it fills as octets come, completions only where somebody looks at them.
//!
//! All that the kernel reads or writes belongs to [`Ring`], so that nothing of it goes away too early.
#![expect(unsafe_code, reason = "entries of the submission queue carry pointers")]

mod incoming;
mod tag;

pub(crate) use tag::Tag;

use incoming::Incoming;
use io_uring::squeue::{Entry, Flags};
use io_uring::types::{CancelBuilder, DestinationSlot, Fd, Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode};
use socket2::SockAddr;
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::os::fd::{AsRawFd as _, RawFd};
use std::time::Duration;

/// What is missing when no ring can be made.
pub(crate) const NEEDED: &str =
    "io_uring (it needs Linux 6.1, and permission: kernel.io_uring_disabled, or the container)";

/// Entries of the submission queue: more are handed to the kernel in between, which costs a system call.
const SUBMISSIONS: u32 = 4096;

/// Entries of the completion queue for each socket: what a multishot receive, a send, a close and a connect can have
/// ended with in one turn. Beyond it the kernel keeps them in a list.
const COMPLETIONS_PER_SLOT: u32 = 4;

/// Bounds of the completion queue's entries; the upper one is the kernel's.
const COMPLETIONS: (u32, u32) = (4096, 65_536);

/// Octets that one [`Ring::discard`] or [`Ring::receive_once`] takes at most.
const ONCE_OCTETS_MAX: u32 = 1 << 20;

/// The group of the buffers that the kernel fills.
const GROUP: u16 = 0;

/// ip(7); not in every libc yet.
const IP_LOCAL_PORT_RANGE: i32 = 51;

/// How long the end of a ring waits for what is under way.
const CANCEL_MAX: Timespec = Timespec::new().sec(1);

/// What a ring is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// Sockets at most: their numbers are from 0 to this.
    pub(crate) slots: u32,
    /// Buffers to receive into, a power of two.
    pub(crate) buffers: u16,
    /// Octets of each.
    pub(crate) buffer_octets: usize,
}

/// What became of something that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    /// The tag it was asked with.
    pub(crate) tag: Tag,
    /// Octets, a descriptor, or `-errno`.
    pub(crate) result: i32,
    /// More will come with this tag.
    pub(crate) more: bool,
    /// The buffer that has the octets, to be given back with [`Ring::recycle`].
    pub(crate) buffer: Option<u16>,
}

/// An option of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opt {
    /// `SO_RCVBUF`: octets that the kernel holds until they are read.
    ReceiveBuffer,
    /// `IP_LOCAL_PORT_RANGE`: the first port, and the last one times 2^16.
    LocalPorts,
    /// `SO_LINGER`, two values: 1, and how long closing may take; with 0 it resets the connection.
    Linger,
}

/// How an entry stands among its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// On its own.
    Alone,
    /// The next entry starts when this one has succeeded, and is cancelled when it has not. Whoever chains makes
    /// [`Ring::room`] for all of the chain first.
    Chained,
}

/// The ring, and all the memory that it and the kernel share.
pub(crate) struct Ring {
    uring: ManuallyDrop<IoUring>,
    incoming: ManuallyDrop<Incoming>,
    outgoing: ManuallyDrop<Box<[u8]>>,
    scratch: ManuallyDrop<Box<[u8]>>,
    peer: ManuallyDrop<Option<Box<SockAddr>>>,
    values: ManuallyDrop<Box<[u32]>>,
    /// What the kernel said when it would not take entries; told by the next [`Ring::wait`].
    refused: Option<io::Error>,
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("incoming", &*self.incoming).finish_non_exhaustive()
    }
}

impl Ring {
    /// A ring that sends from `outgoing`, connects to `peer`, and sets options to some of `values`.
    ///
    /// # Errors
    /// `EPERM` or `ENOSYS` where io_uring is forbidden or missing, `EINVAL` of kernels before 6.1, `EMFILE` when the
    /// slots are more than `RLIMIT_NOFILE`.
    pub(crate) fn new(
        setup: Setup,
        outgoing: Box<[u8]>,
        peer: Option<SocketAddr>,
        values: Box<[u32]>,
    ) -> io::Result<Self> {
        let completions = setup.slots.saturating_mul(COMPLETIONS_PER_SLOT);
        let completions = completions.clamp(COMPLETIONS.0, COMPLETIONS.1).next_power_of_two();
        // NO_SQARRAY came with 6.6 and saves little.
        let uring = build(completions, true).or_else(|_| build(completions, false))?;
        let ring = Self {
            uring: ManuallyDrop::new(uring),
            incoming: ManuallyDrop::new(Incoming::new(setup.buffers, setup.buffer_octets)),
            outgoing: ManuallyDrop::new(outgoing),
            scratch: ManuallyDrop::new(vec![0; ONCE_OCTETS_MAX as usize].into_boxed_slice()),
            peer: ManuallyDrop::new(peer.map(|peer| Box::new(SockAddr::from(peer)))),
            values: ManuallyDrop::new(values),
            refused: None,
        };
        let submitter = ring.uring.submitter();
        submitter.register_files_sparse(setup.slots)?;
        let (entries, count) = ring.incoming.registration();
        // SAFETY: the entries are `count` entries on a page boundary, and outlive the ring (`drop`).
        unsafe { submitter.register_buf_ring_with_flags(entries, count, GROUP, 0)? };
        Ok(ring)
    }

    /// What is sent from.
    pub(crate) fn outgoing_mut(&mut self) -> &mut [u8] {
        &mut self.outgoing
    }

    /// Makes sure that the next `count` entries are handed to the kernel together.
    pub(crate) fn room(&mut self, count: usize) {
        let queue = self.uring.submission();
        let free = queue.capacity() - queue.len();
        drop(queue);
        if free < count {
            self.submit();
        }
    }

    /// A socket for the peer's kind of address in `slot`, in place of what was there. Silent unless it fails.
    pub(crate) fn open(&mut self, slot: u32, tag: Tag) {
        let Some(peer) = &*self.peer else { return };
        let slot = DestinationSlot::try_from_slot_target(slot).ok();
        let entry = opcode::Socket::new(i32::from(peer.family()), libc::SOCK_STREAM, 0);
        let flags = Flags::IO_LINK | Flags::SKIP_SUCCESS;
        self.push(&entry.file_index(slot).build().flags(flags).user_data(tag.pack()));
    }

    /// Sets an option of the socket in `slot` to the value from number `value` on. Chained; silent unless it fails.
    pub(crate) fn set(&mut self, slot: u32, option: Opt, value: usize, tag: Tag) {
        let (level, name, length) = match option {
            Opt::ReceiveBuffer => (libc::SOL_SOCKET, libc::SO_RCVBUF, 1),
            Opt::LocalPorts => (libc::IPPROTO_IP, IP_LOCAL_PORT_RANGE, 1),
            Opt::Linger => (libc::SOL_SOCKET, libc::SO_LINGER, 2),
        };
        let values = &self.values[value..value + length];
        let octets = u32::try_from(size_of_val(values)).unwrap_or(0);
        let (level, name) = (level.unsigned_abs(), name.unsigned_abs());
        let value = values.as_ptr().cast();
        let entry = opcode::SetSockOpt::new(Fixed(slot), level, name, value, octets);
        let flags = Flags::IO_LINK | Flags::SKIP_SUCCESS;
        self.push(&entry.build().flags(flags).user_data(tag.pack()));
    }

    /// Connects the socket in `slot` to the peer.
    pub(crate) fn connect(&mut self, slot: u32, order: Order, tag: Tag) {
        let Some(peer) = &*self.peer else { return };
        let entry = opcode::Connect::new(Fixed(slot), peer.as_ptr().cast(), peer.len());
        self.push(&entry.build().flags(order.flags()).user_data(tag.pack()));
    }

    /// Accepts whoever comes to `listener`, into any free slots, which the completions name.
    pub(crate) fn accept(&mut self, listener: &TcpListener, tag: Tag) {
        let listener: RawFd = listener.as_raw_fd();
        let entry = opcode::AcceptMulti::new(Fd(listener)).allocate_file_index(true);
        self.push(&entry.build().user_data(tag.pack()));
    }

    /// Sends a part of [`Self::outgoing_mut`]'s octets, all of it; silent unless it fails. Writing to the part before
    /// the peer has answered may change what is still to be sent.
    pub(crate) fn send(&mut self, slot: u32, part: Range<usize>, order: Order, tag: Tag) {
        let octets = &self.outgoing[part];
        let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        let entry = opcode::Send::new(Fixed(slot), octets.as_ptr(), length)
            .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL);
        self.push(&entry.build().flags(order.flags() | Flags::SKIP_SUCCESS).user_data(tag.pack()));
    }

    /// Receives into buffers of ours whatever comes, until the end or an error.
    pub(crate) fn receive(&mut self, slot: u32, tag: Tag) {
        self.push(&opcode::RecvMulti::new(Fixed(slot), GROUP).build().user_data(tag.pack()));
    }

    /// Receives once, at most `octets` ([`ONCE_OCTETS_MAX`]) and what a buffer takes.
    pub(crate) fn receive_once(&mut self, slot: u32, octets: u32, tag: Tag) {
        let octets = octets.min(ONCE_OCTETS_MAX);
        let entry = opcode::Recv::new(Fixed(slot), std::ptr::null_mut(), octets).buf_group(GROUP);
        self.push(&entry.build().flags(Flags::BUFFER_SELECT).user_data(tag.pack()));
    }

    /// Takes up to `octets` (at most [`ONCE_OCTETS_MAX`]) from what comes without copying them anywhere (`MSG_TRUNC`
    /// of tcp(7)). Not with `MSG_WAITALL`: what was discarded does not count for io_uring, which would wait for more.
    pub(crate) fn discard(&mut self, slot: u32, octets: u32, tag: Tag) {
        let octets = octets.min(ONCE_OCTETS_MAX);
        let entry = opcode::Recv::new(Fixed(slot), self.scratch.as_mut_ptr(), octets);
        self.push(&entry.flags(libc::MSG_TRUNC).build().user_data(tag.pack()));
    }

    /// Ends what was asked for with `tag`, which then completes with `ECANCELED` or has completed already.
    pub(crate) fn cancel(&mut self, tag: Tag, own_tag: Tag) {
        let entry = opcode::AsyncCancel::new(tag.pack()).build();
        self.push(&entry.flags(Flags::SKIP_SUCCESS).user_data(own_tag.pack()));
    }

    /// Ends everything under way on the socket in `slot`.
    pub(crate) fn cancel_all(&mut self, slot: u32, own_tag: Tag) {
        let entry = opcode::AsyncCancel2::new(CancelBuilder::fd(Fixed(slot)).all()).build();
        self.push(&entry.flags(Flags::SKIP_SUCCESS).user_data(own_tag.pack()));
    }

    /// Closes the socket in `slot`; silent unless it fails.
    pub(crate) fn close(&mut self, slot: u32, tag: Tag) {
        let entry = opcode::Close::new(Fixed(slot)).build();
        self.push(&entry.flags(Flags::SKIP_SUCCESS).user_data(tag.pack()));
    }

    /// Hands over what was asked for, and returns when something has completed or after `at_most`.
    ///
    /// # Errors
    /// What the kernel says when it takes no entries or does not wait.
    pub(crate) fn wait(&mut self, at_most: Duration) -> io::Result<()> {
        if let Some(error) = self.refused.take() {
            return Err(error);
        }
        let span = Timespec::from(at_most);
        let arguments = SubmitArgs::new().timespec(&span);
        match self.uring.submitter().submit_with_args(1, &arguments) {
            Err(error) if !is_passing(&error) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Moves what has completed to the end of `done`.
    pub(crate) fn completed(&mut self, done: &mut Vec<Done>) {
        let incoming = &mut self.incoming;
        done.extend(self.uring.completion().map(|entry| {
            let buffer = cqueue::buffer_select(entry.flags());
            if let Some(buffer) = buffer {
                incoming.take(buffer);
            }
            Done {
                tag: Tag::unpack(entry.user_data()),
                result: entry.result(),
                more: cqueue::more(entry.flags()),
                buffer,
            }
        }));
    }

    /// What came with a completion that has a buffer.
    pub(crate) fn octets(&self, buffer: u16, length: usize) -> &[u8] {
        self.incoming.octets(buffer, length)
    }

    /// Gives a buffer back; the kernel sees it after [`Self::publish`].
    pub(crate) fn recycle(&mut self, buffer: u16) {
        self.incoming.recycle(buffer);
    }

    /// Lets the kernel see the buffers that were given back.
    pub(crate) fn publish(&self) {
        self.incoming.publish();
    }

    fn push(&mut self, entry: &Entry) {
        for _ in 0..2 {
            // SAFETY: only the methods above make entries. All that these point to is owned by `self`, on the heap,
            // and is freed by `drop` after the kernel is done with it: `outgoing`, `scratch` and `values` never
            // move or shrink, and `incoming` upholds what it promises.
            if unsafe { self.uring.submission().push(entry) }.is_ok() {
                return;
            }
            self.submit();
        }
        self.refused.get_or_insert(io::Error::from_raw_os_error(libc::EBUSY));
    }

    fn submit(&mut self) {
        if let Err(error) = self.uring.submitter().submit()
            && !is_passing(&error)
        {
            self.refused = Some(error);
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let cancelled =
            self.uring.submitter().register_sync_cancel(Some(CANCEL_MAX), CancelBuilder::any());
        let is_quiet = match cancelled {
            Ok(()) => true,
            // Nothing was under way.
            Err(error) => error.raw_os_error() == Some(libc::ENOENT),
        };
        // SAFETY: each is dropped once, here, and not used afterwards. The memory goes only when the kernel has
        // nothing under way that could use it; otherwise it stays for the rest of the process's life.
        unsafe {
            ManuallyDrop::drop(&mut self.uring);
            if is_quiet {
                ManuallyDrop::drop(&mut self.incoming);
                ManuallyDrop::drop(&mut self.outgoing);
                ManuallyDrop::drop(&mut self.scratch);
                ManuallyDrop::drop(&mut self.peer);
                ManuallyDrop::drop(&mut self.values);
            }
        }
    }
}

impl Order {
    fn flags(self) -> Flags {
        match self {
            Self::Alone => Flags::empty(),
            Self::Chained => Flags::IO_LINK,
        }
    }
}

fn build(completions: u32, without_array: bool) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_submit_all();
    builder.setup_cqsize(completions).setup_clamp();
    if without_array {
        builder.setup_no_sqarray();
    }
    builder.build(SUBMISSIONS)
}

/// Whether waiting again is all there is to do: the time is over, a signal came, or completions must be taken first.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN))
}
