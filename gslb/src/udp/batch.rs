//! Datagrams of a socket, a batch in a system call (recvmmsg(2), sendmmsg(2)), in memory that is allocated once.
#![allow(unsafe_code, reason = "the kernel reads and writes memory that headers point to")]

use nix::errno::Errno;
use nix::libc;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;

/// Datagrams per system call: enough to share its cost under load (at 32 it is below a tenth of the
/// whole), few enough that the first answer of a batch does not wait long.
pub(super) const BATCH: usize = 32;
/// Octets of a query: a question takes at most 271; the rest is for EDNS options such as padding to
/// 512. Longer ones are cut off by the kernel and then answered with FORMERR.
const QUERY_OCTETS_MAX: usize = 1232;
/// Octets of a peer's address, IPv6 being the longest.
const PEER_OCTETS: usize = size_of::<libc::sockaddr_in6>();

/// Octets of a control message that holds an address of ours (ip(7) `IP_PKTINFO`, ipv6(7) `IPV6_PKTINFO`).
const CONTROL_OCTETS: usize =
    size_of::<libc::cmsghdr>() + size_of::<libc::in6_pktinfo>().next_multiple_of(8);
/// Where the data of a control message begins; the address of IPv6 comes first, the interface of IPv4.
const CONTROL_DATA: usize = size_of::<libc::cmsghdr>();

/// Which of our addresses a datagram was sent to, and so is answered from.
#[derive(Clone, Copy)]
#[repr(align(8))]
struct Control([u8; CONTROL_OCTETS]);

/// What has been received, and what shall be sent.
pub(super) struct Batch {
    queries: Box<[u8]>,
    answers: Box<[u8]>,
    answer_octets_max: usize,
    peers: Box<[libc::sockaddr_storage]>,
    vectors: Box<[libc::iovec]>,
    received: Box<[libc::mmsghdr]>,
    sending: Box<[libc::mmsghdr]>,
    /// Which datagrams get an answer, and of how many octets.
    answered: Vec<(usize, usize)>,
    /// For a socket of all of our addresses; otherwise empty.
    controls: Box<[Control]>,
}

/// A datagram with the place for its answer.
pub(super) struct Datagram<'a> {
    pub(super) packet: &'a [u8],
    pub(super) peer: SocketAddr,
    pub(super) answer: &'a mut [u8],
}

fn zeroed<T: Copy>() -> Box<[T]> {
    // SAFETY: it is called for C structures of numbers and pointers only, for which zeros are values.
    let zero: T = unsafe { mem::zeroed() };
    vec![zero; BATCH].into_boxed_slice()
}

impl Batch {
    /// `of_all_addresses`: the socket tells which one a datagram was sent to (`prepare`).
    pub(super) fn new(answer_octets_max: usize, of_all_addresses: bool) -> Self {
        let controls = if of_all_addresses { BATCH } else { 0 };
        Self {
            queries: vec![0; BATCH * QUERY_OCTETS_MAX].into_boxed_slice(),
            answers: vec![0; BATCH * answer_octets_max].into_boxed_slice(),
            answer_octets_max,
            peers: zeroed(),
            vectors: zeroed(),
            received: zeroed(),
            sending: zeroed(),
            answered: Vec::with_capacity(BATCH),
            controls: vec![Control([0; CONTROL_OCTETS]); controls].into_boxed_slice(),
        }
    }

    /// Waits for datagrams as `flags` and the socket's timeout say. How many came; the answers to those before are
    /// forgotten.
    ///
    /// # Errors
    /// As recvmmsg(2) has them.
    pub(super) fn receive(
        &mut self,
        socket: &UdpSocket,
        flags: libc::c_int,
    ) -> Result<usize, Errno> {
        self.answered.clear();
        let (queries, peers) = (self.queries.as_mut_ptr(), self.peers.as_mut_ptr());
        let vectors = self.vectors.as_mut_ptr();
        let mut controls = self.controls.iter_mut();
        for (at, received) in self.received.iter_mut().enumerate() {
            // SAFETY: `at` is below BATCH, the length of all of them.
            unsafe {
                *vectors.add(at) = libc::iovec {
                    iov_base: queries.add(at * QUERY_OCTETS_MAX).cast(),
                    iov_len: QUERY_OCTETS_MAX,
                };
                received.msg_hdr.msg_name = peers.add(at).cast();
                received.msg_hdr.msg_iov = vectors.add(at);
            }
            received.msg_hdr.msg_namelen = PEER_OCTETS as libc::socklen_t;
            received.msg_hdr.msg_iovlen = 1;
            if let Some(control) = controls.next() {
                received.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
                received.msg_hdr.msg_controllen = CONTROL_OCTETS;
            }
        }
        let headers = self.received.as_mut_ptr();
        let (count, no_limit) = (BATCH as libc::c_uint, std::ptr::null_mut());
        // SAFETY: the headers, and what they point to, are this batch's own and live longer than the call; lengths
        // are as allocated.
        let count = unsafe { libc::recvmmsg(socket.as_raw_fd(), headers, count, flags, no_limit) };
        Errno::result(count).map(|count| count as usize)
    }

    /// One of those that came; `None` if its sender is of another family than IP.
    pub(super) fn datagram(&mut self, at: usize) -> Option<Datagram<'_>> {
        let peer = address(&self.peers[at])?;
        let octets = (self.received[at].msg_len as usize).min(QUERY_OCTETS_MAX);
        let (query, answer) = (at * QUERY_OCTETS_MAX, at * self.answer_octets_max);
        Some(Datagram {
            packet: &self.queries[query..query + octets],
            peer,
            answer: &mut self.answers[answer..answer + self.answer_octets_max],
        })
    }

    /// The first octets of a datagram's place are its answer.
    pub(super) fn answer(&mut self, at: usize, octets: usize) {
        debug_assert!(self.answered.len() < BATCH, "one answer for each at most");
        self.answered.push((at, octets.min(self.answer_octets_max)));
    }

    /// Sends the answers; each that cannot be sent is told to `failed`, and the others still are.
    pub(super) fn send(&mut self, socket: &UdpSocket, mut failed: impl FnMut()) {
        for &(at, _) in &self.answered {
            if let Some(control) = self.controls.get_mut(at) {
                control.forget_interface(&self.peers[at]);
            }
        }
        let (controls, has_controls) = (self.controls.as_mut_ptr(), !self.controls.is_empty());
        let (answers, peers) = (self.answers.as_mut_ptr(), self.peers.as_mut_ptr());
        let (vectors, received) = (self.vectors.as_mut_ptr(), &self.received);
        let places = self.answered.iter().zip(&mut *self.sending).enumerate();
        for (place, (&(at, octets), sending)) in places {
            // SAFETY: `at` and `place` are below BATCH, the length of all of them.
            unsafe {
                *vectors.add(place) = libc::iovec {
                    iov_base: answers.add(at * self.answer_octets_max).cast(),
                    iov_len: octets,
                };
                sending.msg_hdr.msg_name = peers.add(at).cast();
                sending.msg_hdr.msg_iov = vectors.add(place);
            }
            sending.msg_hdr.msg_namelen = received[at].msg_hdr.msg_namelen;
            sending.msg_hdr.msg_iovlen = 1;
            if has_controls {
                // SAFETY: `at` is below BATCH, their length.
                sending.msg_hdr.msg_control = unsafe { controls.add(at) }.cast();
                sending.msg_hdr.msg_controllen = received[at].msg_hdr.msg_controllen;
            }
        }
        let mut rest = &mut self.sending[..self.answered.len()];
        while !rest.is_empty() {
            let count = rest.len() as libc::c_uint;
            // SAFETY: the headers, and what they point to, are this batch's own and live longer than the call; lengths
            // are as allocated.
            let outcome =
                unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), count, 0) };
            let sent = match Errno::result(outcome) {
                Ok(sent) if sent > 0 => sent as usize,
                Err(Errno::EINTR) => 0,
                // The first of the rest cannot be sent; the others may.
                Ok(_) | Err(_) => {
                    failed();
                    1
                }
            };
            rest = &mut rest[sent..];
        }
    }
}

impl Control {
    /// The route decides where the answer leaves, but for addresses that are of one link alone.
    fn forget_interface(&mut self, peer: &libc::sockaddr_storage) {
        let data = &mut self.0[CONTROL_DATA..];
        if libc::c_int::from(peer.ss_family) == libc::AF_INET {
            data[..4].fill(0);
        } else if !(data[0] == 0xfe && data[1] & 0xc0 == 0x80) {
            data[16..20].fill(0);
        }
    }
}

/// An address as the kernel wrote it.
fn address(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match libc::c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that it is one, and the storage is large and aligned enough for any.
            let v4 = unsafe { &*std::ptr::from_ref(storage).cast::<libc::sockaddr_in>() };
            let host = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(host, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*std::ptr::from_ref(storage).cast::<libc::sockaddr_in6>() };
            let host = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            Some(SocketAddrV6::new(host, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}
