//! One blocking netlink socket (netlink(7)): a message, and what the kernel answers. It speaks for the network
//! namespace of the thread that opened it.

use netlink_packet_core::{
    ErrorMessage, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader,
    NetlinkMessage, NetlinkPayload, NetlinkSerializable, NlasIterator,
};
use netlink_sys::{Socket, SocketAddr};
use std::io;

/// Octets of an answer that are too many to be one: a dump of a table of a hundred thousand routes is below it.
const ANSWER_OCTETS_MAX: usize = 64 << 20;

/// Octets of the header that an error repeats in front of what explains it.
const HEADER_OCTETS: usize = 16;

/// `NLMSGERR_ATTR_MSG`: why, in words.
const ERROR_TEXT: u16 = 1;

/// A socket to one family of the kernel.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence_number: u32,
}

impl Netlink {
    /// Opens one for `protocol`: `netlink_sys::protocols::NETLINK_ROUTE`, `NETLINK_GENERIC`, `NETLINK_SOCK_DIAG`...
    ///
    /// # Errors
    /// What socket(2) says, such as a family that this kernel has not.
    pub fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // An error says why in words, and does not repeat the message.
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        Ok(Self { socket, sequence_number: 0 })
    }

    /// Sends `message` and waits for the kernel's word that it has done it. `flags` are those of `NLM_F_*` that go with
    /// it, such as `NLM_F_CREATE | NLM_F_REPLACE`. What it sends back besides is returned.
    ///
    /// # Errors
    /// What the kernel says of it; `InvalidData` for an answer that cannot be read.
    pub fn request<M>(&mut self, message: M, flags: u16) -> io::Result<Vec<M>>
    where
        M: NetlinkSerializable + NetlinkDeserializable,
    {
        self.exchange(message, NLM_F_REQUEST | NLM_F_ACK | flags)
    }

    /// All that there is of what `message` asks for.
    ///
    /// # Errors
    /// As for [`Netlink::request`].
    pub fn dump<M>(&mut self, message: M) -> io::Result<Vec<M>>
    where
        M: NetlinkSerializable + NetlinkDeserializable,
    {
        self.exchange(message, NLM_F_REQUEST | NLM_F_DUMP)
    }

    fn exchange<M>(&mut self, message: M, flags: u16) -> io::Result<Vec<M>>
    where
        M: NetlinkSerializable + NetlinkDeserializable,
    {
        self.sequence_number += 1;
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence_number;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        message.finalize();
        let mut octets = vec![0; message.buffer_len()];
        message.serialize(&mut octets);
        self.socket.send(&octets, 0)?;
        let (mut found, mut received) = (Vec::new(), 0);
        loop {
            let (octets, _) = self.socket.recv_from_full()?;
            received += octets.len();
            if received > ANSWER_OCTETS_MAX {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "netlink: a too long answer",
                ));
            }
            if self.read(&octets, &mut found)? {
                return Ok(found);
            }
        }
    }

    /// Adds the messages of one datagram to `found`; whether they are the last ones.
    fn read<M: NetlinkDeserializable>(
        &self,
        mut octets: &[u8],
        found: &mut Vec<M>,
    ) -> io::Result<bool> {
        while !octets.is_empty() {
            let message = NetlinkMessage::<M>::deserialize(octets)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
            // Each message begins at a multiple of 4 octets.
            let length = (message.header.length as usize).next_multiple_of(4).max(4);
            octets = octets.get(length..).unwrap_or_default();
            if message.header.sequence_number != self.sequence_number {
                continue;
            }
            match message.payload {
                NetlinkPayload::InnerMessage(inner) => found.push(inner),
                NetlinkPayload::Done(_) => return Ok(true),
                NetlinkPayload::Error(error) if error.code.is_none() => return Ok(true),
                NetlinkPayload::Error(error) => return Err(in_words(&error)),
                NetlinkPayload::Overrun(_) => {
                    return Err(io::Error::other("netlink: more than the socket's buffer holds"));
                }
                _ => {}
            }
        }
        Ok(false)
    }
}

/// An error of the kernel, with its own words if it says any.
fn in_words(error: &ErrorMessage) -> io::Error {
    let number = error.to_io();
    let explained = error.header.get(HEADER_OCTETS..).unwrap_or_default();
    let mut attributes = NlasIterator::new(explained).map_while(Result::ok);
    match attributes.find(|attribute| attribute.kind() == ERROR_TEXT) {
        Some(text) => {
            let text = String::from_utf8_lossy(text.value());
            let why = format!("{} ({number})", text.trim_end_matches('\0'));
            io::Error::new(kind(&number), why)
        }
        None => number,
    }
}

/// The kind of an error of the kernel, also of that for a device that is not there, for which Rust has none.
pub(crate) fn kind(error: &io::Error) -> io::ErrorKind {
    match error.raw_os_error() {
        Some(number) if number == nix::errno::Errno::ENODEV as i32 => io::ErrorKind::NotFound,
        Some(_) | None => error.kind(),
    }
}
