//! bpf(2): maps, programs and links as descriptors. Closed, they are gone; nothing of them outlives the process.
#![allow(
    unsafe_code,
    reason = "bpf(2) takes pointers to what it reads and writes, and returns descriptors"
)]

use nix::libc;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Octets of the verifier's log when it refuses a program: its end says why. Shorter, and that would be missing.
const LOG_OCTETS: usize = 256 * 1024;
/// How much of that is told.
const LOG_TOLD_OCTETS: usize = 400;

/// `enum bpf_map_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MapKind {
    Hash = 1,
    Array = 2,
    LongestPrefix = 11,
}

/// `enum bpf_cmd`.
#[derive(Clone, Copy)]
enum Command {
    MapCreate = 0,
    MapLookup = 1,
    MapUpdate = 2,
    MapDelete = 3,
    ProgramLoad = 5,
    ProgramQuery = 16,
    LinkCreate = 28,
}

const BPF_PROG_TYPE_SOCK_OPS: u32 = 13;
const BPF_CGROUP_SOCK_OPS: u32 = 3;
/// A trie of prefixes takes memory only for what is in it, and the kernel insists.
const BPF_F_NO_PREALLOC: u32 = 1;

/// A map whose keys and values have fixed sizes, which are checked.
#[derive(Debug)]
pub(super) struct Map {
    descriptor: OwnedFd,
    key_octets: usize,
    value_octets: usize,
}

// Each of these is the beginning of `union bpf_attr` for one command, without padding between the fields.

#[repr(C)]
struct MapCreate {
    kind: u32,
    key_octets: u32,
    value_octets: u32,
    entries_max: u32,
    flags: u32,
}

#[repr(C)]
struct MapElement {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct ProgramLoad {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log_level: u32,
    log_octets: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_kind: u32,
}

#[repr(C)]
struct LinkCreate {
    program: u32,
    target: u32,
    attach_kind: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct ProgramQuery {
    target: u32,
    attach_kind: u32,
    query_flags: u32,
    attach_flags: u32,
    identifiers: u64,
    count: u32,
    padding: u32,
}

impl Map {
    /// A new map for at most `entries_max` entries.
    ///
    /// # Errors
    /// `EPERM` without `CAP_BPF`, `ENOMEM`, `ENOSYS`.
    pub(super) fn new(
        kind: MapKind,
        key_octets: usize,
        value_octets: usize,
        entries_max: u32,
    ) -> io::Result<Self> {
        let flags = if kind == MapKind::LongestPrefix { BPF_F_NO_PREALLOC } else { 0 };
        let (key, value) = (key_octets as u32, value_octets as u32);
        let mut attributes = MapCreate {
            kind: kind as u32,
            key_octets: key,
            value_octets: value,
            entries_max,
            flags,
        };
        let descriptor = bpf_descriptor(Command::MapCreate, &mut attributes)?;
        Ok(Self { descriptor, key_octets, value_octets })
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }

    /// Puts `value` under `key`, in the place of what is there.
    ///
    /// # Errors
    /// `E2BIG` or `ENOSPC` when the map is full, `ENOMEM`.
    ///
    /// # Panics
    /// If their sizes are not the map's.
    pub(super) fn insert(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        assert_eq!(value.len(), self.value_octets, "a value of this map");
        self.element(Command::MapUpdate, key, value.as_ptr() as u64)
    }

    /// Takes `key` out. What is not there is no error.
    ///
    /// # Errors
    /// What bpf(2) returns.
    pub(super) fn remove(&self, key: &[u8]) -> io::Result<()> {
        match self.element(Command::MapDelete, key, 0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    /// The value under `key`.
    ///
    /// # Errors
    /// What bpf(2) returns.
    pub(super) fn value(&self, key: &[u8]) -> io::Result<Vec<u8>> {
        let mut value = vec![0; self.value_octets];
        self.element(Command::MapLookup, key, value.as_mut_ptr() as u64)?;
        Ok(value)
    }

    /// `value` is the address of as many octets as a value of this map has; to be written only for a look-up.
    fn element(&self, command: Command, key: &[u8], value: u64) -> io::Result<()> {
        assert_eq!(key.len(), self.key_octets, "a key of this map");
        let map = self.descriptor.as_raw_fd() as u32;
        let key = key.as_ptr() as u64;
        let mut attributes = MapElement { map, padding: 0, key, value, flags: 0 };
        bpf(command, &mut attributes).map(drop)
    }
}

/// Loads a program for [`attach_to_cgroup`] and returns it.
///
/// # Errors
/// `EPERM` without `CAP_BPF` and `CAP_NET_ADMIN`; `EINVAL` with the end of the verifier's log when the kernel does not
/// know what the program needs.
pub(super) fn load_sock_ops(code: &[[u8; 8]]) -> io::Result<OwnedFd> {
    let mut attributes = ProgramLoad {
        kind: BPF_PROG_TYPE_SOCK_OPS,
        instructions: code.len() as u32,
        code: code.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        attach_kind: BPF_CGROUP_SOCK_OPS,
        name: *b"lastmile_policy\0",
        ..ProgramLoad::default()
    };
    bpf_descriptor(Command::ProgramLoad, &mut attributes).map_err(|error| {
        if error.kind() == io::ErrorKind::PermissionDenied {
            return error;
        }
        let mut log = vec![0u8; LOG_OCTETS];
        (attributes.log_level, attributes.log_octets) = (1, LOG_OCTETS as u32);
        attributes.log = log.as_mut_ptr() as u64;
        let error = bpf_descriptor(Command::ProgramLoad, &mut attributes).err().unwrap_or(error);
        let log = String::from_utf8_lossy(&log);
        let log = log.trim_end_matches('\0').trim_end().replace('\n', "; ");
        let from = log.len().saturating_sub(LOG_TOLD_OCTETS);
        let from = (from..log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or(log.len());
        io::Error::new(error.kind(), format!("{error}: the verifier: {}", &log[from..]))
    })
}

/// Attaches `program` to the sockets of a cgroup (a directory of cgroup v2), beside all others there, for as long as
/// the link that it returns is open.
///
/// # Errors
/// `EPERM` without `CAP_NET_ADMIN` or below a program that allows no others, `E2BIG` above 64 programs.
pub(super) fn attach_to_cgroup(
    program: BorrowedFd<'_>,
    cgroup: BorrowedFd<'_>,
) -> io::Result<OwnedFd> {
    let mut attributes = LinkCreate {
        program: program.as_raw_fd() as u32,
        target: cgroup.as_raw_fd() as u32,
        attach_kind: BPF_CGROUP_SOCK_OPS,
        flags: 0,
    };
    bpf_descriptor(Command::LinkCreate, &mut attributes)
}

/// How many programs of this kind are attached to a cgroup.
///
/// # Errors
/// `EPERM` without `CAP_NET_ADMIN`.
pub fn count_on_cgroup(cgroup: impl AsFd) -> io::Result<u32> {
    let mut attributes = ProgramQuery {
        target: cgroup.as_fd().as_raw_fd() as u32,
        attach_kind: BPF_CGROUP_SOCK_OPS,
        ..ProgramQuery::default()
    };
    bpf(Command::ProgramQuery, &mut attributes)?;
    Ok(attributes.count)
}

fn bpf_descriptor<T>(command: Command, attributes: &mut T) -> io::Result<OwnedFd> {
    let descriptor = bpf(command, attributes)?;
    // SAFETY: the commands that this is called with return a new descriptor, which nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn bpf<T>(command: Command, attributes: &mut T) -> io::Result<RawFd> {
    let octets = size_of::<T>();
    // SAFETY: `attributes` begins as `union bpf_attr` does for this command, and its size goes along, so that the
    // kernel reads and writes no more. What the addresses in it point to lives until this returns, and has the sizes
    // that go along in it or that the map was made with: the callers, all in this file, see to that.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command as libc::c_int, attributes, octets) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as RawFd) }
}
