//! The offload features of a device (pure): sets of named bits.

use super::message::{Message, attributes, flag, nested, string, text};
use netlink_packet_core::DefaultNla;
use std::collections::BTreeMap;

/// `ETHTOOL_MSG_FEATURES_GET`.
pub(super) const GET: u8 = 11;
/// `ETHTOOL_MSG_FEATURES_SET`.
pub(super) const SET: u8 = 12;

/// `ETHTOOL_A_FEATURES_HW`: what can be changed; its mask is all that exist.
const CHANGEABLE: u16 = 2;
const WANTED: u16 = 3;
const ACTIVE: u16 = 4;
/// `ETHTOOL_A_FEATURES_NOCHANGE`: what no device lets be changed.
const NEVER: u16 = 5;

/// `ETHTOOL_A_BITSET_NOMASK`: what is listed is on, everything else off.
const NO_MASK: u16 = 1;
const BITS: u16 = 3;
const BIT: u16 = 1;
const BIT_NAME: u16 = 2;
const BIT_VALUE: u16 = 3;

/// One offload of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// The kernel's name, such as `rx-gro`, `tx-tcp-segmentation`, `rx-hashing` (`ethtool -k` has its own for some:
    /// `gro`, `tso`, `rxhash`).
    pub name: String,
    /// Whether it is in force.
    pub is_on: bool,
    /// Whether it was asked for. It may not be in force all the same, as when it needs another feature that is off.
    pub is_wanted: bool,
    /// Whether it can be changed; otherwise it is fixed.
    pub is_changeable: bool,
}

/// The features in a reply, by their names.
pub(super) fn features(reply: &Message) -> Vec<Feature> {
    let [changeable, wanted, active, never] =
        [CHANGEABLE, WANTED, ACTIVE, NEVER].map(|kind| bits(reply, kind));
    let is_set = |set: &BTreeMap<String, bool>, name: &str| set.get(name).is_some_and(|&on| on);
    changeable
        .iter()
        .map(|(name, &can)| Feature {
            name: name.clone(),
            is_on: is_set(&active, name),
            is_wanted: is_set(&wanted, name),
            is_changeable: can && !is_set(&never, name),
        })
        .collect()
}

/// The bits that a set lists, and whether each is on.
fn bits(reply: &Message, kind: u16) -> BTreeMap<String, bool> {
    let set = reply.value(kind).unwrap_or_default();
    let lists_only_what_is_on = attributes(&set).any(|part| part.kind() == NO_MASK);
    let mut found = BTreeMap::new();
    for list in attributes(&set).filter(|part| part.kind() == BITS) {
        for bit in attributes(list.value()).filter(|bit| bit.kind() == BIT) {
            let parts = || attributes(bit.value());
            let Some(name) = parts().find(|part| part.kind() == BIT_NAME) else { continue };
            let is_on = lists_only_what_is_on || parts().any(|part| part.kind() == BIT_VALUE);
            found.insert(string(name.value()), is_on);
        }
    }
    found
}

/// The attribute that asks for some features to be on or off and leaves all others.
pub(super) fn wanted(changes: &[(&str, bool)]) -> DefaultNla {
    let bit = |&(name, on): &(&str, bool)| {
        let parts = [Some(text(BIT_NAME, name)), on.then(|| flag(BIT_VALUE))];
        nested(BIT, &parts.into_iter().flatten().collect::<Vec<_>>())
    };
    let bits: Vec<_> = changes.iter().map(bit).collect();
    nested(WANTED, &[nested(BITS, &bits)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A set as the kernel writes it; without a mask only what is on is listed.
    fn set(kind: u16, has_mask: bool, names: &[(&str, bool)]) -> DefaultNla {
        let bit = |&(name, on): &(&str, bool)| {
            let value = (on && has_mask).then(|| flag(BIT_VALUE));
            let parts: Vec<_> = [text(BIT_NAME, name)].into_iter().chain(value).collect();
            nested(BIT, &parts)
        };
        let list = nested(BITS, &names.iter().map(bit).collect::<Vec<_>>());
        let no_mask = (!has_mask).then(|| flag(NO_MASK));
        nested(kind, &no_mask.into_iter().chain([list]).collect::<Vec<_>>())
    }

    #[test]
    fn a_reply() {
        let hardware =
            [("rx-gro", true), ("tx-lockless", false), ("rx-hashing", true), ("local", true)];
        let reply = Message {
            command: GET,
            attributes: vec![
                set(CHANGEABLE, true, &hardware),
                set(WANTED, false, &[("rx-gro", true), ("rx-hashing", true)]),
                set(ACTIVE, false, &[("rx-gro", true), ("tx-lockless", true)]),
                set(NEVER, true, &[("local", true), ("rx-gro", false)]),
            ],
        };
        let row = |name: &str, is_on, is_wanted, is_changeable| Feature {
            name: name.to_owned(),
            is_on,
            is_wanted,
            is_changeable,
        };
        let expected = [
            row("local", false, false, false),
            row("rx-gro", true, true, true),
            row("rx-hashing", false, true, true),
            row("tx-lockless", true, false, false),
        ];
        assert_eq!(features(&reply), expected);
    }

    #[test]
    fn a_change_has_a_mask() {
        let changes = [("rx-gro", false), ("tx-tcp-segmentation", true)];
        let request = Message { command: SET, attributes: vec![wanted(&changes)] };
        let expected = changes.map(|(name, on)| (name.to_owned(), on));
        assert_eq!(bits(&request, WANTED), BTreeMap::from(expected));
    }
}
