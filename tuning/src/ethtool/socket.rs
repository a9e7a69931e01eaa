//! A conversation with the family `ethtool` of generic netlink.

use super::message::{CONTROLLER, Message};
use crate::netlink::Netlink;
use netlink_packet_generic::{GenlFamily as _, GenlMessage};
use netlink_sys::protocols::NETLINK_GENERIC;
use std::io;

/// The socket and the number that the kernel gave the family.
pub(super) struct Conversation {
    netlink: Netlink,
    family: u16,
}

impl Conversation {
    /// Opens it.
    ///
    /// # Errors
    /// What the system calls return; [`io::ErrorKind::Unsupported`] when the kernel has no such family (before 5.6, or
    /// built without `CONFIG_ETHTOOL_NETLINK`).
    pub(super) fn open() -> io::Result<Self> {
        let netlink = Netlink::open(NETLINK_GENERIC)?;
        let mut conversation = Self { netlink, family: CONTROLLER };
        let number = match conversation.request(Message::family(Message::family_name())) {
            Ok(answers) => answers.iter().find_map(Message::family_number),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        conversation.family = number.ok_or_else(|| {
            let why = "the kernel has no ethtool netlink (Linux 5.6 has)";
            io::Error::new(io::ErrorKind::Unsupported, why)
        })?;
        Ok(conversation)
    }

    /// Sends a request about one device and returns the replies before its acknowledgement.
    ///
    /// # Errors
    /// What the kernel answers, with its words where it has some.
    pub(super) fn request(&mut self, request: Message) -> io::Result<Vec<Message>> {
        let request = self.addressed(request);
        Ok(self.netlink.request(request, 0)?.into_iter().map(|answer| answer.payload).collect())
    }

    /// Sends a request about every device of the namespace.
    ///
    /// # Errors
    /// As for [`Conversation::request`].
    pub(super) fn dump(&mut self, request: Message) -> io::Result<Vec<Message>> {
        let request = self.addressed(request);
        Ok(self.netlink.dump(request)?.into_iter().map(|answer| answer.payload).collect())
    }

    fn addressed(&self, request: Message) -> GenlMessage<Message> {
        let mut message = GenlMessage::from_payload(request);
        message.set_resolved_family_id(self.family);
        message
    }
}
