//! The program that gives connections their policies: which sockets it looks at, what it looks up, what it sets.
//!
//! It runs for each socket of a cgroup, of whichever process. It acts on those that are ours: the network namespace,
//! and behind it the local address and port of a listener, or the remote ones of an upstream, stand in [`Maps::ends`].
//! To a connection's other end it finds the longest prefix in [`Maps::ipv4`] or [`Maps::ipv6`]. An IPv4-mapped IPv6
//! address is its IPv4 address.

#![forbid(unsafe_code)]

use super::assembler::Function::{MapLookup, NetnsCookie, SetSocketOption};
use super::assembler::Register::{R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10};
use super::assembler::Width::{Double, Octet, Word};
use super::assembler::{AssembleError, Assembler, Register};
use std::os::fd::RawFd;

/// Descriptors of the maps that the program uses.
#[derive(Clone, Copy, Debug)]
pub struct Maps {
    /// Hash: [`EndKey`] to an octet that means nothing.
    pub ends: RawFd,
    /// Longest prefix: 32-bit length and 4 octets, to a [`Settings`].
    pub ipv4: RawFd,
    /// Longest prefix: 32-bit length and 16 octets, to a [`Settings`].
    pub ipv6: RawFd,
    /// Array with one value: a number of 64 bits for each [`Counter`].
    pub counters: RawFd,
}

/// What a connection gets; 0 and an empty name leave what the system has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The first window, in packets (`TCP_BPF_IW`).
    pub initcwnd: u32,
    /// Until an unanswered SYN or SYN-ACK is sent again for the first time, in ticks of the kernel
    /// (`BPF_SOCK_OPS_TIMEOUT_INIT`).
    pub syn_timeout_ticks: u32,
    /// The first receive window, in packets (`BPF_SOCK_OPS_RWND_INIT`).
    pub initrwnd: u32,
    /// Retransmission timeout at least, in microseconds (`TCP_BPF_RTO_MIN`).
    pub rto_min_us: u32,
    /// How long an acknowledgement is held back at most, in microseconds (`TCP_BPF_DELACK_MAX`).
    pub delack_max_us: u32,
    /// Octets in a second at most (`SO_MAX_PACING_RATE`).
    pub pacing: u32,
    /// The name of a congestion control, filled up with zeros (`TCP_CONGESTION`; `TCP_CA_NAME_MAX` of the kernel).
    pub congestion: [u8; CONGESTION_OCTETS],
}

/// Octets of the name of a congestion control, the zero at its end included.
pub const CONGESTION_OCTETS: usize = 16;

impl Settings {
    /// Octets of a value.
    pub const OCTETS: usize = 24 + CONGESTION_OCTETS;

    /// As the program reads them.
    #[must_use]
    pub fn octets(&self) -> [u8; Self::OCTETS] {
        let words = [
            self.initcwnd,
            self.syn_timeout_ticks,
            self.initrwnd,
            self.rto_min_us,
            self.delack_max_us,
            self.pacing,
        ];
        let mut octets = [0; Self::OCTETS];
        for (place, word) in octets.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        octets[CONGESTION as usize..].copy_from_slice(&self.congestion);
        octets
    }
}

// Where they stand in a value.
const INITCWND: i16 = 0;
const SYN_TIMEOUT: i16 = 4;
const INITRWND: i16 = 8;
const RTO_MIN: i16 = 12;
const DELACK_MAX: i16 = 16;
const PACING: i16 = 20;
const CONGESTION: i16 = 24;

/// Which end of a connection an [`EndKey`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Ours: a listener, and the connections that it accepts.
    Listener = 1,
    /// The other: connections that are opened to an upstream.
    Upstream = 2,
}

/// One end of our connections, in one network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndKey {
    /// `SO_NETNS_COOKIE`.
    pub netns: u64,
    /// IPv4 as IPv4-mapped IPv6.
    pub address: [u8; 16],
    /// The port.
    pub port: u16,
    /// Whose end it is.
    pub end: End,
}

impl EndKey {
    /// Octets of a key.
    pub const OCTETS: usize = 32;

    /// As the program writes them.
    #[must_use]
    pub fn octets(&self) -> [u8; Self::OCTETS] {
        let mut octets = [0; Self::OCTETS];
        octets[..8].copy_from_slice(&self.netns.to_ne_bytes());
        octets[8..24].copy_from_slice(&self.address);
        octets[24..28].copy_from_slice(&u32::from(self.port).to_ne_bytes());
        octets[28..].copy_from_slice(&(self.end as u32).to_ne_bytes());
        octets
    }
}

/// What is counted, by its place in the value of [`Maps::counters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Connections of ours that were established.
    Connections,
    /// Of them, those to which a prefix applied.
    Hits,
    /// First windows set.
    Initcwnd,
    /// SYN and SYN-ACK timeouts given.
    SynTimeout,
    /// First receive windows given.
    Initrwnd,
    /// Minimal retransmission timeouts set.
    RtoMin,
    /// Bounds of delayed acknowledgements set.
    DelackMax,
    /// Pacing rates set.
    Pacing,
    /// Congestion controls set.
    Congestion,
    /// Options that the kernel refused.
    Failures,
}

/// How many [`Counter`]s there are.
pub const COUNTERS: usize = Counter::Failures as usize + 1;

// `struct bpf_sock_ops` of `linux/bpf.h`.
const OPERATION: i16 = 0;
const REPLY: i16 = 4;
const FAMILY: i16 = 20;
const REMOTE_IPV4: i16 = 24;
const LOCAL_IPV4: i16 = 28;
const REMOTE_IPV6: i16 = 32;
const LOCAL_IPV6: i16 = 48;
/// In network order.
const REMOTE_PORT: i16 = 64;
/// In this machine's order.
const LOCAL_PORT: i16 = 68;

// `BPF_SOCK_OPS_*`.
const TIMEOUT_INIT: i32 = 1;
const RWND_INIT: i32 = 2;
const ACTIVE_ESTABLISHED: i32 = 4;
const PASSIVE_ESTABLISHED: i32 = 5;

const AF_INET: i32 = 2;
const AF_INET6: i32 = 10;

// Levels and options of bpf_setsockopt: `sys/socket.h`, `netinet/tcp.h`, `TCP_BPF_*` of `linux/bpf.h`.
const SOL_SOCKET: i32 = 1;
const SO_MAX_PACING_RATE: i32 = 47;
const SOL_TCP: i32 = 6;
const TCP_CONGESTION: i32 = 13;
const TCP_BPF_IW: i32 = 1001;
const TCP_BPF_DELACK_MAX: i32 = 1003;
const TCP_BPF_RTO_MIN: i32 = 1004;

// The stack, downwards from R10: both addresses, an [`EndKey`], the key of a prefix.
const REMOTE: i16 = -16;
const LOCAL: i16 = -32;
const END_KEY: i16 = LOCAL - EndKey::OCTETS as i16;
const END_ADDRESS: i16 = END_KEY + 8;
const END_PORT: i16 = END_KEY + 24;
const END_ROLE: i16 = END_KEY + 28;
const PREFIX_KEY: i16 = END_KEY - 24;
const PREFIX_ADDRESS: i16 = PREFIX_KEY + 4;

/// The third word of an IPv4-mapped address, as it lies in memory.
const MAPPED: i32 = 0xffff_u32.to_be() as i32;

// What the registers hold all the way.
const CONTEXT: Register = R6;
const ASKED: Register = R7;
const SETTINGS: Register = R8;
/// Until the prefix is found whether the connection is one of IPv4, then the counters.
const IS_IPV4: Register = R9;
const COUNTS: Register = R9;

/// The program.
///
/// # Errors
/// None but a mistake in this file.
pub fn assemble(maps: Maps) -> Result<Vec<[u8; 8]>, AssembleError> {
    let mut a = Assembler::default();
    a.copy(CONTEXT, R1).load(Word, ASKED, CONTEXT, OPERATION);
    for operation in [TIMEOUT_INIT, RWND_INIT, ACTIVE_ESTABLISHED, PASSIVE_ESTABLISHED] {
        a.jump_if(ASKED, operation, "asked");
    }
    a.jump("out").label("asked");
    addresses(&mut a);
    end_is_ours(&mut a, maps);
    look_up(&mut a, maps);
    a.jump_if(ASKED, TIMEOUT_INIT, "timeout").jump_if(ASKED, RWND_INIT, "window");
    established(&mut a);
    a.jump("out");
    a.label("timeout");
    reply(&mut a, SYN_TIMEOUT, Counter::SynTimeout);
    a.label("window");
    reply(&mut a, INITRWND, Counter::Initrwnd);
    // Whatever else is attached has its say.
    a.label("out").set(R0, 1).exit();
    a.finish()
}

/// Puts both addresses on the stack, IPv4 as IPv4-mapped IPv6.
fn addresses(a: &mut Assembler) {
    a.load(Word, R1, CONTEXT, FAMILY).jump_if(R1, AF_INET, "ipv4").jump_unless(R1, AF_INET6, "out");
    for (to, from) in [(REMOTE, REMOTE_IPV6), (LOCAL, LOCAL_IPV6)] {
        for word in 0..4 {
            a.load(Word, R1, CONTEXT, from + 4 * word).store(Word, R10, to + 4 * word, R1);
        }
    }
    a.set(IS_IPV4, 0).load(Double, R1, R10, REMOTE).jump_unless(R1, 0, "addressed");
    a.load(Word, R1, R10, REMOTE + 8).jump_unless_word(R1, MAPPED, "addressed");
    a.set(IS_IPV4, 1).jump("addressed");
    a.label("ipv4").set(IS_IPV4, 1);
    for (to, from) in [(REMOTE, REMOTE_IPV4), (LOCAL, LOCAL_IPV4)] {
        a.store_value(Double, R10, to, 0).store_value(Word, R10, to + 8, MAPPED);
        a.load(Word, R1, CONTEXT, from).store(Word, R10, to + 12, R1);
    }
    a.label("addressed");
}

/// Goes on only if one of the ends is in the table: our listener's address and port, its port at any address, or an
/// upstream's address and port.
fn end_is_ours(a: &mut Assembler, maps: Maps) {
    let is_there = |a: &mut Assembler| {
        a.map(R1, maps.ends).copy(R2, R10).add(R2, i32::from(END_KEY)).call(MapLookup);
    };
    let address = |a: &mut Assembler, from: i16| {
        a.load(Double, R1, R10, from).store(Double, R10, END_ADDRESS, R1);
        a.load(Double, R1, R10, from + 8).store(Double, R10, END_ADDRESS + 8, R1);
    };
    a.copy(R1, CONTEXT).call(NetnsCookie).store(Double, R10, END_KEY, R0);
    address(a, LOCAL);
    a.load(Word, R1, CONTEXT, LOCAL_PORT).store(Word, R10, END_PORT, R1);
    a.store_value(Word, R10, END_ROLE, End::Listener as i32);
    is_there(a);
    a.jump_unless(R0, 0, "ours");

    a.store_value(Double, R10, END_ADDRESS, 0).store_value(Double, R10, END_ADDRESS + 8, 0);
    a.jump_if(IS_IPV4, 0, "any").store_value(Word, R10, END_ADDRESS + 8, MAPPED).label("any");
    is_there(a);
    a.jump_unless(R0, 0, "ours");

    address(a, REMOTE);
    a.load(Word, R1, CONTEXT, REMOTE_PORT).to_network_order(R1).store(Word, R10, END_PORT, R1);
    a.store_value(Word, R10, END_ROLE, End::Upstream as i32);
    is_there(a);
    a.jump_if(R0, 0, "out").label("ours");
}

/// Puts the settings of the other end's longest prefix into [`SETTINGS`] and the counters into [`COUNTS`], counts, and
/// goes on only if there are settings.
fn look_up(a: &mut Assembler, maps: Maps) {
    a.jump_if(IS_IPV4, 0, "ipv6");
    a.store_value(Word, R10, PREFIX_KEY, 32);
    a.load(Word, R1, R10, REMOTE + 12).store(Word, R10, PREFIX_ADDRESS, R1);
    a.map(R1, maps.ipv4).jump("prefix");
    a.label("ipv6").store_value(Word, R10, PREFIX_KEY, 128);
    for word in 0..4 {
        a.load(Word, R1, R10, REMOTE + 4 * word);
        a.store(Word, R10, PREFIX_ADDRESS + 4 * word, R1);
    }
    a.map(R1, maps.ipv6);
    a.label("prefix").copy(R2, R10).add(R2, i32::from(PREFIX_KEY)).call(MapLookup);
    a.copy(SETTINGS, R0).map_value(COUNTS, maps.counters);
    a.jump_if(ASKED, TIMEOUT_INIT, "found").jump_if(ASKED, RWND_INIT, "found");
    count(a, Counter::Connections);
    a.jump_if(SETTINGS, 0, "out");
    count(a, Counter::Hits);
    a.label("found").jump_if(SETTINGS, 0, "out");
}

/// Answers the kernel's question with a number of the settings, and ends.
fn reply(a: &mut Assembler, setting: i16, counter: Counter) {
    a.load(Word, R1, SETTINGS, setting).jump_if(R1, 0, "out").store(Word, CONTEXT, REPLY, R1);
    count(a, counter);
    a.jump("out");
}

/// Sets the options of a connection that is established. The congestion control comes first: it begins with a window
/// of its own.
fn established(a: &mut Assembler) {
    const WORD: i32 = 4;
    const NAME: i32 = CONGESTION_OCTETS as i32;
    // Setting, level, option, octets, counter, and labels behind success and failure.
    let options = [
        (CONGESTION, SOL_TCP, TCP_CONGESTION, NAME, Counter::Congestion, ["not 1", "past 1"]),
        (INITCWND, SOL_TCP, TCP_BPF_IW, WORD, Counter::Initcwnd, ["not 2", "past 2"]),
        (RTO_MIN, SOL_TCP, TCP_BPF_RTO_MIN, WORD, Counter::RtoMin, ["not 3", "past 3"]),
        (DELACK_MAX, SOL_TCP, TCP_BPF_DELACK_MAX, WORD, Counter::DelackMax, ["not 4", "past 4"]),
        (PACING, SOL_SOCKET, SO_MAX_PACING_RATE, WORD, Counter::Pacing, ["not 5", "past 5"]),
    ];
    for (setting, level, option, octets, counter, [refused, past]) in options {
        let width = if setting == CONGESTION { Octet } else { Word };
        a.load(width, R1, SETTINGS, setting).jump_if(R1, 0, past);
        a.copy(R1, CONTEXT).set(R2, level).set(R3, option);
        a.copy(R4, SETTINGS).add(R4, i32::from(setting)).set(R5, octets).call(SetSocketOption);
        a.jump_unless(R0, 0, refused);
        count(a, counter);
        a.jump(past).label(refused);
        count(a, Counter::Failures);
        a.label(past);
    }
}

fn count(a: &mut Assembler, counter: Counter) {
    a.set(R1, 1).atomic_add(COUNTS, 8 * counter as i16, R1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_fits_where_it_is_run() {
        let maps = Maps { ends: 3, ipv4: 4, ipv6: 5, counters: 6 };
        let code = assemble(maps).unwrap();
        assert!(code.len() < 250, "{} instructions for each new connection", code.len());
        const { assert!(PREFIX_KEY >= -512, "the stack of a program has 512 octets") };
        const { assert!(END_KEY % 8 == 0, "aligned as the verifier wants it") };
    }

    #[test]
    fn values_and_keys_are_laid_out_as_the_program_reads_them() {
        let mut congestion = [0; CONGESTION_OCTETS];
        congestion[..3].copy_from_slice(b"bbr");
        let settings = Settings {
            initcwnd: 1,
            syn_timeout_ticks: 2,
            initrwnd: 3,
            rto_min_us: 4,
            delack_max_us: 5,
            pacing: 6,
            congestion,
        };
        let octets = settings.octets();
        let word = |at: i16| {
            let at = at as usize;
            u32::from_ne_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]])
        };
        let places = [INITCWND, SYN_TIMEOUT, INITRWND, RTO_MIN, DELACK_MAX, PACING];
        assert_eq!(places.map(word), [1, 2, 3, 4, 5, 6]);
        assert_eq!(&octets[CONGESTION as usize..][..4], b"bbr\0");
        let key = EndKey { netns: 7, address: [8; 16], port: 0x1f90, end: End::Upstream }.octets();
        assert_eq!(key[..8], 7u64.to_ne_bytes());
        assert_eq!(key[(END_ADDRESS - END_KEY) as usize..][..16], [8; 16]);
        assert_eq!(key[(END_PORT - END_KEY) as usize..][..4], 8080u32.to_ne_bytes());
        assert_eq!(key[(END_ROLE - END_KEY) as usize..], 2u32.to_ne_bytes());
    }
}
