//! A message of the ethtool family (pure): a command, the device that it is about, and attributes.
//!
//! Source: `Documentation/networking/ethtool-netlink.rst` and `include/uapi/linux/ethtool_netlink.h` of Linux.

use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, Nla, NlaBuffer, NlasIterator, Parseable as _,
    ParseableParametrized,
};
use netlink_packet_generic::{GenlFamily, GenlHeader};

/// `GENL_ID_CTRL`: the family that knows the others, whose number is fixed.
pub(super) const CONTROLLER: u16 = 16;

/// `CTRL_CMD_GETFAMILY`.
const GET_FAMILY: u8 = 3;

const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// Every request and every reply carries its header as this attribute (`ETHTOOL_A_*_HEADER`).
const HEADER: u16 = 1;
const HEADER_DEVICE_NAME: u16 = 2;
const HEADER_FLAGS: u16 = 3;

/// `ETHTOOL_FLAG_COMPACT_BITSETS`: sets of bits without the bits' names.
pub(super) const COMPACT_BITSETS: u32 = 1;
/// `ETHTOOL_FLAG_OMIT_REPLY`: nothing but an acknowledgement.
pub(super) const OMIT_REPLY: u32 = 2;

/// `NLA_F_NESTED`: the value is attributes.
const NESTED: u16 = 0x8000;

/// What is sent to the kernel and what it answers: a command and the attributes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// `ETHTOOL_MSG_*`; requests and replies are numbered apart.
    pub(super) command: u8,
    /// Such as [`nested`], [`flag`], [`number32`].
    pub(super) attributes: Vec<DefaultNla>,
}

impl Message {
    /// A request about `device`, or about every device of the namespace.
    pub(super) fn request(command: u8, device: Option<&str>, flags: u32) -> Self {
        let name = device.map(|name| text(HEADER_DEVICE_NAME, name));
        let flags = (flags != 0).then(|| number32(HEADER_FLAGS, flags));
        let header: Vec<_> = name.into_iter().chain(flags).collect();
        Self { command, attributes: vec![nested(HEADER, &header)] }
    }

    /// A question to the controller: which number the family `name` has.
    pub(super) fn family(name: &str) -> Self {
        Self { command: GET_FAMILY, attributes: vec![text(CTRL_ATTR_FAMILY_NAME, name)] }
    }

    /// The value of the first attribute of this kind.
    pub(super) fn value(&self, kind: u16) -> Option<Vec<u8>> {
        let found = self.attributes.iter().find(|attribute| attribute.kind() & !NESTED == kind)?;
        let mut value = vec![0; found.value_len()];
        found.emit_value(&mut value);
        Some(value)
    }

    /// The number in the answer of the controller.
    pub(super) fn family_number(&self) -> Option<u16> {
        let value = self.value(CTRL_ATTR_FAMILY_ID)?;
        Some(u16::from_ne_bytes(value.try_into().ok()?))
    }

    /// The device that a reply is about.
    pub(super) fn device(&self) -> Option<String> {
        let header = self.value(HEADER)?;
        let name = attributes(&header).find(|attribute| attribute.kind() == HEADER_DEVICE_NAME)?;
        Some(string(name.value()))
    }
}

/// The attributes in `octets`, up to the first that is malformed.
pub(super) fn attributes(octets: &[u8]) -> impl Iterator<Item = NlaBuffer<&[u8]>> {
    NlasIterator::new(octets).map_while(Result::ok)
}

/// A string of the kernel: up to its NUL.
pub(super) fn string(octets: &[u8]) -> String {
    let octets = octets.split(|&octet| octet == 0).next().unwrap_or_default();
    String::from_utf8_lossy(octets).into_owned()
}

/// An attribute that holds others.
pub(super) fn nested(kind: u16, attributes: &[DefaultNla]) -> DefaultNla {
    let mut value = vec![0; attributes.buffer_len()];
    attributes.emit(&mut value);
    DefaultNla::new(kind | NESTED, value)
}

/// An attribute that is there or not.
pub(super) fn flag(kind: u16) -> DefaultNla {
    DefaultNla::new(kind, Vec::new())
}

/// A string, with its NUL.
pub(super) fn text(kind: u16, text: &str) -> DefaultNla {
    DefaultNla::new(kind, [text.as_bytes(), &[0]].concat())
}

/// A number of 32 bits.
pub(super) fn number32(kind: u16, value: u32) -> DefaultNla {
    DefaultNla::new(kind, value.to_ne_bytes().to_vec())
}

impl GenlFamily for Message {
    fn family_name() -> &'static str {
        "ethtool"
    }

    fn command(&self) -> u8 {
        self.command
    }

    fn version(&self) -> u8 {
        1
    }
}

impl Emitable for Message {
    fn buffer_len(&self) -> usize {
        self.attributes.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.attributes.as_slice().emit(buffer);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Message {
    fn parse_with_param(octets: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        let attributes: Result<Vec<_>, DecodeError> =
            NlasIterator::new(octets).map(|attribute| DefaultNla::parse(&attribute?)).collect();
        Ok(Self { command: header.cmd, attributes: attributes? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(message: &Message) -> Vec<u8> {
        let mut octets = vec![0; message.buffer_len()];
        message.emit(&mut octets);
        octets
    }

    #[test]
    fn a_request_names_its_device_and_its_flags() {
        let request = Message::request(15, Some("eth0"), COMPACT_BITSETS);
        #[rustfmt::skip]
        let expected = [
            24, 0, 1, 0x80,
            9, 0, 2, 0, b'e', b't', b'h', b'0', 0, 0, 0, 0,
            8, 0, 3, 0, 1, 0, 0, 0,
        ];
        assert_eq!(octets(&request)[4..], expected[4..], "padded to four octets");
        assert_eq!(octets(&request)[..4], [24, 0, 1, 0x80], "the length has the padding inside");
        assert_eq!(request.device().as_deref(), Some("eth0"));
        assert_eq!(octets(&Message::request(15, None, 0)), [4, 0, 1, 0x80], "every device");
    }

    #[test]
    fn what_is_written_can_be_read() {
        let header = GenlHeader { cmd: 11, version: 1 };
        let message = Message::request(11, Some("veth-longest-ever"), OMIT_REPLY);
        assert_eq!(Message::parse_with_param(&octets(&message), header).unwrap(), message);
        for (octets, why) in [
            (&[3, 0, 1, 0][..], "a length below that of a header"),
            (&[8, 0, 1, 0, 1], "longer than what is there"),
            (&[8, 0], "half a header"),
        ] {
            assert!(Message::parse_with_param(octets, header).is_err(), "{why}");
            assert_eq!(attributes(octets).count(), 0, "{why}");
        }
    }

    #[test]
    fn the_controllers_answer() {
        let answer = Message { command: 1, attributes: vec![DefaultNla::new(1, vec![21, 0])] };
        assert_eq!(answer.family_number(), Some(21));
        let short = Message { command: 1, attributes: vec![DefaultNla::new(1, vec![21])] };
        assert_eq!(short.family_number(), None, "half a number");
    }
}
