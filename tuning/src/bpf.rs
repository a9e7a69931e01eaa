//! Policies of connections by a BPF program: no route is touched, and all of it ends with the process.
//!
//! * [`assembler`]: instructions with labels; no compiler is needed where this runs.
//! * [`program`]: the program.
//! * [`cgroup`]: what it is attached to.
//! * `system`: bpf(2).

pub mod assembler;
pub mod cgroup;
pub mod program;
mod system;

pub use system::count_on_cgroup;

use crate::route::Prefix;
use program::{COUNTERS, EndKey, Maps, Settings};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use system::{Map, MapKind};

/// Prefixes of one family: 65,536 take some 10 MB of the kernel's memory; more than the regions of a map of the whole
/// Internet has nobody measured.
pub const PREFIXES_MAX: u32 = 65_536;
/// Listeners and upstreams of one process. Each address of each is one; an edge has a handful.
pub const ENDS_MAX: u32 = 4_096;

/// The program, attached to the cgroup of this process, and its maps. Dropped, it is detached; the kernel does the same
/// when the process ends in whichever way.
#[derive(Debug)]
pub struct SockOps {
    ends: Map,
    ipv4: Map,
    ipv6: Map,
    counters: Map,
    _program: OwnedFd,
    _link: OwnedFd,
}

impl SockOps {
    /// Loads the program and attaches it to the cgroup of this process. It does nothing until there are ends and
    /// prefixes.
    ///
    /// # Errors
    /// `PermissionDenied` without `CAP_BPF` and `CAP_NET_ADMIN` (user namespaces have neither here); `NotFound` without
    /// cgroup v2; what else bpf(2) returns, such as before Linux 5.15. Each says what was tried.
    pub fn attach() -> io::Result<Self> {
        let cgroup = cgroup::open_own().map_err(during("the cgroup"))?;
        let map = |kind, key, value, entries| {
            Map::new(kind, key, value, entries).map_err(during("a map (bpf(2))"))
        };
        let prefix = 4;
        let ends = map(MapKind::Hash, EndKey::OCTETS, 1, ENDS_MAX)?;
        let ipv4 = map(MapKind::LongestPrefix, prefix + 4, Settings::OCTETS, PREFIXES_MAX)?;
        let ipv6 = map(MapKind::LongestPrefix, prefix + 16, Settings::OCTETS, PREFIXES_MAX)?;
        let counters = map(MapKind::Array, 4, 8 * COUNTERS, 1)?;
        let code = program::assemble(Maps {
            ends: ends.descriptor(),
            ipv4: ipv4.descriptor(),
            ipv6: ipv6.descriptor(),
            counters: counters.descriptor(),
        })
        .map_err(io::Error::other)?;
        let program = system::load_sock_ops(&code).map_err(during("the program (bpf(2))"))?;
        let link = system::attach_to_cgroup(program.as_fd(), cgroup.as_fd())
            .map_err(during("attaching it to the cgroup (bpf(2))"))?;
        Ok(Self { ends, ipv4, ipv6, counters, _program: program, _link: link })
    }

    /// From now on connections with this end are ours.
    ///
    /// # Errors
    /// `E2BIG` above [`ENDS_MAX`].
    pub fn add_end(&self, end: EndKey) -> io::Result<()> {
        self.ends.insert(&end.octets(), &[1])
    }

    /// They no longer are.
    ///
    /// # Errors
    /// What bpf(2) returns.
    pub fn remove_end(&self, end: EndKey) -> io::Result<()> {
        self.ends.remove(&end.octets())
    }

    /// Connections to addresses in `prefix` get `settings`, unless a longer prefix has others.
    ///
    /// # Errors
    /// `ENOSPC` above [`PREFIXES_MAX`].
    pub fn set(&self, prefix: Prefix, settings: &Settings) -> io::Result<()> {
        let (map, key) = self.prefix(prefix);
        map.insert(&key, &settings.octets())
    }

    /// They get what a shorter prefix has, or nothing.
    ///
    /// # Errors
    /// What bpf(2) returns.
    pub fn unset(&self, prefix: Prefix) -> io::Result<()> {
        let (map, key) = self.prefix(prefix);
        map.remove(&key)
    }

    /// What has been counted, at the places of [`program::Counter`].
    ///
    /// # Errors
    /// What bpf(2) returns.
    pub fn counts(&self) -> io::Result<[u64; COUNTERS]> {
        let value = self.counters.value(&0u32.to_ne_bytes())?;
        let mut counts = [0; COUNTERS];
        for (count, octets) in counts.iter_mut().zip(value.as_chunks().0) {
            *count = u64::from_ne_bytes(*octets);
        }
        Ok(counts)
    }

    fn prefix(&self, prefix: Prefix) -> (&Map, Vec<u8>) {
        let mut key = u32::from(prefix.bits()).to_ne_bytes().to_vec();
        match prefix.address() {
            IpAddr::V4(address) => {
                key.extend(address.octets());
                (&self.ipv4, key)
            }
            IpAddr::V6(address) => {
                key.extend(address.octets());
                (&self.ipv6, key)
            }
        }
    }
}

/// `address` as an [`EndKey`] has it.
#[must_use]
pub fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
    .octets()
}

fn during(what: &'static str) -> impl Fn(io::Error) -> io::Error {
    move |error| {
        let takes = match error.kind() {
            io::ErrorKind::PermissionDenied => "; it takes CAP_BPF and CAP_NET_ADMIN",
            _ => "",
        };
        io::Error::new(error.kind(), format!("{what}: {error}{takes}"))
    }
}
