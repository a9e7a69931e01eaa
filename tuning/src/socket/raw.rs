//! Socket options that no wrapper has.
#![allow(unsafe_code, reason = "getsockopt(2) and setsockopt(2) take pointers to values")]

use nix::libc;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

// `linux/tcp.h`, Linux 6.15: in milliseconds, and in microseconds.
const TCP_RTO_MAX_MS: libc::c_int = 44;
const TCP_RTO_MIN_US: libc::c_int = 45;
const TCP_DELACK_MAX_US: libc::c_int = 46;
/// `asm-generic/socket.h`, Linux 5.14.
const SO_NETNS_COOKIE: libc::c_int = 71;

/// A value of an option as the kernel has it: any octets are one, and it has no padding.
trait Plain: Copy + Default {}
impl Plain for u32 {}
impl Plain for u64 {}
impl Plain for [u32; 21] {}

/// What TCP knows of a connection (`TCP_INFO`, tcp(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Until what is not acknowledged, or a SYN that is not answered, is sent again.
    pub rto: Duration,
    /// The smoothed round-trip time.
    pub rtt: Duration,
    /// In packets.
    pub congestion_window: u32,
}

/// What TCP knows of `socket` now.
///
/// # Errors
/// What getsockopt(2) returns.
pub fn measured(socket: &impl AsFd) -> io::Result<Measured> {
    // `struct tcp_info` of `linux/tcp.h` in words: two of small fields, then one for each.
    let words: [u32; 21] = option(socket, libc::IPPROTO_TCP, libc::TCP_INFO)?;
    let time = |word: u32| Duration::from_micros(word.into());
    Ok(Measured { rto: time(words[2]), rtt: time(words[17]), congestion_window: words[20] })
}

/// The number of the network namespace that `socket` is in; no two that are there at a time have the same.
///
/// # Errors
/// `ENOPROTOOPT` before Linux 5.14.
pub fn netns_cookie(socket: &impl AsFd) -> io::Result<u64> {
    option(socket, libc::SOL_SOCKET, SO_NETNS_COOKIE)
}

/// Sends at most so many octets in a second, evenly spread (`SO_MAX_PACING_RATE`, socket(7)); without the queueing
/// discipline `fq` TCP keeps to it by timers of its own.
///
/// # Errors
/// What setsockopt(2) returns.
pub fn set_pacing(socket: &impl AsFd, octets_per_second: u64) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_MAX_PACING_RATE, octets_per_second)
}

/// The rate of [`set_pacing`]; `u64::MAX` is none.
///
/// # Errors
/// What getsockopt(2) returns.
pub fn pacing(socket: &impl AsFd) -> io::Result<u64> {
    option(socket, libc::SOL_SOCKET, libc::SO_MAX_PACING_RATE)
}

/// Sends nothing again sooner than after `time` (`TCP_RTO_MIN_US`): two ticks of the kernel to 200 ms.
///
/// # Errors
/// `EINVAL` for another time, `ENOPROTOOPT` before Linux 6.15.
pub fn set_rto_min(socket: &impl AsFd, time: Duration) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_TCP, TCP_RTO_MIN_US, microseconds(time))
}

/// Waits no longer than `time` before it sends again (`TCP_RTO_MAX_MS`): 1 to 120 s.
///
/// # Errors
/// `EINVAL` for another time, `ENOPROTOOPT` before Linux 6.15.
pub fn set_rto_max(socket: &impl AsFd, time: Duration) -> io::Result<()> {
    let ms = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
    set_option(socket, libc::IPPROTO_TCP, TCP_RTO_MAX_MS, ms)
}

/// Holds no acknowledgement back longer than `time` (`TCP_DELACK_MAX_US`): two ticks of the kernel to 200 ms.
///
/// # Errors
/// `EINVAL` for another time, `ENOPROTOOPT` before Linux 6.15.
pub fn set_delack_max(socket: &impl AsFd, time: Duration) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_TCP, TCP_DELACK_MAX_US, microseconds(time))
}

/// Takes up to `queue` connections at a time whose SYN carries a request (`TCP_FASTOPEN`, RFC 7413).
///
/// # Errors
/// What setsockopt(2) returns.
pub fn set_fast_open(socket: &impl AsFd, queue: u32) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, queue)
}

/// Accepts connections when their first octets have arrived, or after `time` (`TCP_DEFER_ACCEPT`).
///
/// # Errors
/// What setsockopt(2) returns.
pub fn set_defer_accept(socket: &impl AsFd, time: Duration) -> io::Result<()> {
    let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, seconds)
}

/// Lets a listener have the connections whose packets `core` handles, before others that share its port
/// (`SO_INCOMING_CPU`, socket(7); of such listeners before Linux 6.2 nobody asks for it).
///
/// # Errors
/// What setsockopt(2) returns.
pub fn set_incoming_cpu(listener: &impl AsFd, core: usize) -> io::Result<()> {
    let core = u32::try_from(core).unwrap_or(u32::MAX);
    set_option(listener, libc::SOL_SOCKET, libc::SO_INCOMING_CPU, core)
}

/// The core of [`set_incoming_cpu`]; `u32::MAX` is none.
///
/// # Errors
/// What getsockopt(2) returns.
pub fn incoming_cpu(listener: &impl AsFd) -> io::Result<u32> {
    option(listener, libc::SOL_SOCKET, libc::SO_INCOMING_CPU)
}

/// Gives a connection to the listener of the core that has received its first packet: `cores` has the core of each in
/// the order in which they began to listen. From another core it goes to any of them. For all that share the port of
/// `listener` (`SO_ATTACH_REUSEPORT_CBPF`, socket(7)).
///
/// # Errors
/// What setsockopt(2) returns.
pub fn steer_by_cpu(listener: &impl AsFd, cores: &[usize]) -> io::Result<()> {
    let mut code = steering(cores);
    let length =
        u16::try_from(code.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    let program = libc::sock_fprog { len: length, filter: code.as_mut_ptr() };
    let descriptor = listener.as_fd().as_raw_fd();
    let octets = size_of::<libc::sock_fprog>() as libc::socklen_t;
    // SAFETY: the kernel reads a `sock_fprog`, and `len` instructions from where it points to: `code`, which lives
    // until then.
    let result = unsafe {
        libc::setsockopt(
            descriptor,
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast(),
            octets,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Classic BPF (bpf(4) of the BSDs, `linux/filter.h`): for each core a comparison, and the place of its listener; for
/// all others a place that none has, for which the kernel chooses by hash.
fn steering(cores: &[usize]) -> Vec<libc::sock_filter> {
    // `SKF_AD_OFF + SKF_AD_CPU`: the number of the core that runs this.
    const CPU: u32 = (-0x1000_i32 + 36) as u32;
    const LOAD_WORD: u16 = 0x20;
    const JUMP_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let instruction = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
    let mut code = vec![instruction(LOAD_WORD, 0, CPU)];
    for (place, core) in cores.iter().enumerate() {
        code.push(instruction(JUMP_EQUAL, 1, *core as u32));
        code.push(instruction(RETURN, 0, place as u32));
    }
    code.push(instruction(RETURN, 0, u32::MAX));
    code
}

/// A TCP socket that is used for nothing but to ask.
///
/// # Errors
/// `EMFILE` and its like.
pub fn stream() -> io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))
}

fn microseconds(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

fn option<T: Plain>(socket: &impl AsFd, level: libc::c_int, name: libc::c_int) -> io::Result<T> {
    let mut value = T::default();
    let mut octets = size_of::<T>() as libc::socklen_t;
    let descriptor = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel writes at most `octets` octets to `value`, of which any make a `Plain`.
    let result = unsafe {
        libc::getsockopt(descriptor, level, name, (&raw mut value).cast(), &raw mut octets)
    };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

fn set_option<T: Plain>(
    socket: &impl AsFd,
    level: libc::c_int,
    name: libc::c_int,
    value: T,
) -> io::Result<()> {
    let octets = size_of::<T>() as libc::socklen_t;
    let descriptor = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel reads `octets` octets of `value`.
    let result =
        unsafe { libc::setsockopt(descriptor, level, name, (&raw const value).cast(), octets) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
