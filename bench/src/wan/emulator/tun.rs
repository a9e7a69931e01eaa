//! Making TUN devices (linux/Documentation/networking/tuntap.rst).

#![allow(unsafe_code, reason = "TUNSETIFF has no safe wrapper")]

use nix::errno::Errno;
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

/// Octets of a device's name and the zero after it (linux/if.h).
const IFNAMSIZ: usize = 16;

/// `struct ifreq` (netdevice(7)) as TUNSETIFF reads it.
#[repr(C)]
struct Request {
    name: [u8; IFNAMSIZ],
    flags: libc::c_short,
    rest: [u8; 22],
}

nix::ioctl_readwrite_bad!(
    tun_set_iff,
    nix::request_code_write!(b'T', 202, size_of::<libc::c_int>()),
    Request
);

/// Makes a TUN device in the calling thread's namespace; reading and writing it never waits.
///
/// # Errors
/// What is missing, in words.
pub(super) fn open(name: &str) -> io::Result<OwnedFd> {
    let mut request = Request { name: [0; IFNAMSIZ], flags: 0, rest: [0; 22] };
    if name.is_empty() || name.len() >= IFNAMSIZ {
        let why = format!("names of devices have 1 to {} octets", IFNAMSIZ - 1);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // No header before packets: with the one of virtio the kernel would hand over segments longer than the MTU.
    request.flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open("/dev/net/tun", flags, Mode::empty()).map_err(|error| {
        let why = format!(
            "/dev/net/tun: {error} (it takes `modprobe tun`, and in a container `--device /dev/net/tun`)"
        );
        io::Error::new(io::Error::from(error).kind(), why)
    })?;
    // SAFETY: the kernel reads an ifreq of the size of `Request`, which lives as long as the call, and writes the
    // device's name into its first octets.
    unsafe { tun_set_iff(file.as_raw_fd(), &raw mut request) }.map_err(|error| match error {
        Errno::EPERM => io::Error::new(io::ErrorKind::PermissionDenied, "it takes CAP_NET_ADMIN"),
        other => other.into(),
    })?;
    Ok(file)
}
