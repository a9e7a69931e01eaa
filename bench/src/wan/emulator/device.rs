//! An end of a link: a TUN device. What its host sends is read here, and what is written here its host receives.

use super::tun;
use super::{End, MTU_OCTETS_MAX, MTU_OCTETS_MIN};
use lastmile_tuning::{link, sysctl};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Packets that may wait in the device before they are read. With the default of 500, a burst that the thread is a
/// little late for would be dropped where no scenario wants it.
const QUEUE_PACKETS: u32 = 10_000;

/// An end of a link. The device goes away with it.
#[derive(Debug)]
pub(super) struct Device {
    file: OwnedFd,
    name: String,
    /// Octets of the longest packet.
    pub(super) mtu_octets: usize,
}

impl Device {
    /// Makes it in its namespace, and brings it up.
    ///
    /// # Errors
    /// What is missing, in words.
    pub(super) fn make(end: &End, mtu_octets: u32) -> io::Result<Self> {
        let name = end.device.as_str();
        if !(MTU_OCTETS_MIN..=MTU_OCTETS_MAX).contains(&mtu_octets) {
            let why =
                format!("an MTU of {mtu_octets}; allowed: {MTU_OCTETS_MIN} to {MTU_OCTETS_MAX}");
            return Err(failed(name, &io::Error::new(io::ErrorKind::InvalidInput, why)));
        }
        end.namespace.run(|| {
            let file = tun::open(name).map_err(|error| failed(name, &error))?;
            // A host's own packets (router solicitations, listener reports) would be counted with those of a scenario.
            // A kernel without IPv6 has no such file.
            match sysctl::write(&format!("net/ipv6/conf/{name}/addr_gen_mode"), "1") {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            }
            .and_then(|()| link::set_queue(name, QUEUE_PACKETS))
            .and_then(|()| link::set_mtu(name, mtu_octets))
            .and_then(|()| link::up(name))
            .map_err(|error| failed(name, &error))?;
            Ok(Self { file, name: name.to_owned(), mtu_octets: mtu_octets as usize })
        })
    }

    /// An error of it, with its name.
    pub(super) fn failed(&self, error: Errno) -> io::Error {
        failed(&self.name, &error.into())
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn failed(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("TUN device {name:?}: {error}"))
}
