//! What a network device can be told: rings, channels, coalescing, offload features (`ethtool` over generic netlink).
//!
//! Everything happens in the network namespace of the thread that calls [`Ethtool::open`]. Reading needs no
//! permission, setting needs `CAP_NET_ADMIN` there. What the driver of a device does not have is absent (`None`), not
//! an error: a veth has channels and features, a TUN device coalescing of received frames, loopback only features.
//!
//! ```no_run
//! use lastmile_tuning::ethtool::{Ethtool, Number};
//!
//! let mut ethtool = Ethtool::open()?;
//! for device in ethtool.devices()? {
//!     if let Some(ring) = ethtool.number(&device, Number::RingRx)? {
//!         ethtool.set_numbers(&device, &[(Number::RingRx, ring.value_max.unwrap_or(ring.value))])?;
//!     }
//!     ethtool.set_features(&device, &[("rx-gro", true)])?;
//! }
//! # std::io::Result::Ok(())
//! ```
//!
//! In the order in which a request meets them: `number` and `feature` (what there is), `message` (in which octets),
//! `socket` (the conversation).
//!
//! Source: `Documentation/networking/ethtool-netlink.rst` of Linux, ethtool(8).

mod feature;
mod message;
mod number;
mod socket;

pub use feature::Feature;
pub use number::{Group, Number, Reading};

use crate::netlink::kind;
use message::{COMPACT_BITSETS, Message, OMIT_REPLY};
use socket::Conversation;
use std::io;

/// The devices of one network namespace.
pub struct Ethtool {
    conversation: Conversation,
}

impl std::fmt::Debug for Ethtool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ethtool")
    }
}

impl Ethtool {
    /// Those of the calling thread's namespace, also when another thread uses it later.
    ///
    /// # Errors
    /// What the system calls return; [`io::ErrorKind::Unsupported`] before Linux 5.6.
    pub fn open() -> io::Result<Self> {
        Ok(Self { conversation: Conversation::open()? })
    }

    /// The names of the devices, loopback among them, in the kernel's order.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn devices(&mut self) -> io::Result<Vec<String>> {
        // Every device has features, so each one answers.
        let replies =
            self.conversation.dump(Message::request(feature::GET, None, COMPACT_BITSETS))?;
        Ok(replies.iter().filter_map(Message::device).collect())
    }

    /// The numbers of a group that `device` has, in the order of [`Number`]; `None` when its driver has none of them.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]: there is no such device. Else what the kernel answers.
    pub fn group(
        &mut self,
        device: &str,
        group: Group,
    ) -> io::Result<Option<Vec<(Number, Reading)>>> {
        let request = Message::request(group.get(), Some(device), 0);
        let replies = match self.conversation.request(request) {
            Ok(replies) => replies,
            Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(None),
            Err(error) => return Err(explain(device, &group, &error)),
        };
        let readings = replies.first().map(|reply| number::readings(group, reply));
        Ok(readings.filter(|readings| !readings.is_empty()))
    }

    /// One number of `device`; `None` when its driver does not have it.
    ///
    /// # Errors
    /// As for [`Ethtool::group`].
    pub fn number(&mut self, device: &str, number: Number) -> io::Result<Option<Reading>> {
        let readings = self.group(device, number.group())?.unwrap_or_default();
        Ok(readings.into_iter().find(|(found, _)| *found == number).map(|(_, reading)| reading))
    }

    /// Sets numbers of `device`, those of a group together, the groups in the order of [`Group::ALL`]. An interface may
    /// go down and up again for it (rings and channels of most hardware).
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] without `CAP_NET_ADMIN`; [`io::ErrorKind::InvalidInput`] for a value that
    /// the device does not take, or for a number that it does not have while it has others of that group, with the
    /// kernel's words; [`io::ErrorKind::Unsupported`] when it has none of that group; [`io::ErrorKind::NotFound`] for
    /// no such device. Groups before the one that failed are set.
    pub fn set_numbers(&mut self, device: &str, numbers: &[(Number, u32)]) -> io::Result<()> {
        for group in Group::ALL {
            let of_group: Vec<_> =
                numbers.iter().filter(|(number, _)| number.group() == group).collect();
            if of_group.is_empty() {
                continue;
            }
            let mut request = Message::request(group.set(), Some(device), 0);
            request.attributes.extend(of_group.iter().map(|(number, to)| number.attribute(*to)));
            let words: Vec<_> =
                of_group.iter().map(|(number, to)| format!("{number} = {to}")).collect();
            self.conversation
                .request(request)
                .map_err(|error| explain(device, &words.join(", "), &error))?;
        }
        Ok(())
    }

    /// Every feature that this kernel knows, and how it stands on `device`, by name.
    ///
    /// # Errors
    /// As for [`Ethtool::group`].
    pub fn features(&mut self, device: &str) -> io::Result<Vec<Feature>> {
        let replies = self
            .conversation
            .request(Message::request(feature::GET, Some(device), 0))
            .map_err(|error| explain(device, &"features", &error))?;
        Ok(replies.first().map(feature::features).unwrap_or_default())
    }

    /// One feature of `device`; `None` when this kernel does not know the name.
    ///
    /// # Errors
    /// As for [`Ethtool::group`].
    pub fn feature(&mut self, device: &str, name: &str) -> io::Result<Option<Feature>> {
        Ok(self.features(device)?.into_iter().find(|feature| feature.name == name))
    }

    /// Turns features of `device` on or off, all in one step. Others that depend on them may follow: without
    /// `tx-scatter-gather` there is no segmentation, and both come back together. So what was asked for and is not in
    /// force only for that reason is no error; see [`Feature::is_wanted`].
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] without `CAP_NET_ADMIN`; [`io::ErrorKind::Unsupported`] for a feature that
    /// would have to change and is fixed, and for a name that this kernel does not know; [`io::ErrorKind::NotFound`]
    /// for no such device. Nothing is changed then.
    pub fn set_features(&mut self, device: &str, changes: &[(&str, bool)]) -> io::Result<()> {
        // The kernel accepts a change of a fixed feature and does nothing.
        let features = self.features(device)?;
        let fixed = |(name, on): &&(&str, bool)| {
            features.iter().any(|it| it.name == *name && !it.is_changeable && it.is_on != *on)
        };
        if let Some((name, on)) = changes.iter().find(fixed) {
            let now = if *on { "off" } else { "on" };
            let why = format!("{device}: {name} is fixed ({now}) on this device");
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
        let mut request = Message::request(feature::SET, Some(device), OMIT_REPLY);
        request.attributes.push(feature::wanted(changes));
        let names: Vec<_> = changes.iter().map(|(name, _)| *name).collect();
        self.conversation
            .request(request)
            .map(drop)
            .map_err(|error| explain(device, &names.join(", "), &error))
    }
}

/// An error with what it is about.
fn explain(device: &str, what: &dyn std::fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(kind(error), format!("{device}: {what}: {error}"))
}

#[cfg(test)]
mod tests;
