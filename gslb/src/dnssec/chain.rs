//! NSEC: the names of a zone in canonical order, each with the next one (RFC 4034 §4, §6.1).

use crate::wire::name::NAME_OCTETS_MAX;
use crate::wire::{name, rtype};
use crate::zone::Rdata;
use domain::base::Rtype;
use domain::rdata::dnssec::RtypeBitmap;

/// Octets of the longest key: each octet of a name may take two, and each label ends with two.
const KEY_OCTETS_MAX: usize = 2 * NAME_OCTETS_MAX + 2;

/// The names of a zone that have an NSEC record, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain {
    links: Vec<Link>,
}

#[derive(Clone, Debug)]
struct Link {
    key: Box<[u8]>,
    /// The place of the node in the zone.
    place: usize,
}

/// A name as octets that compare as RFC 4034 §6.1 has names compare; lives on the stack.
pub(crate) struct CanonicalKey {
    octets: [u8; KEY_OCTETS_MAX],
    length: usize,
}

impl CanonicalKey {
    /// The key of a name in wire form and lower case.
    pub(crate) fn new(wire: &[u8]) -> Self {
        let mut key = Self { octets: [0; KEY_OCTETS_MAX], length: 0 };
        let mut starts = [0usize; NAME_OCTETS_MAX / 2 + 1];
        let (mut count, mut at) = (0, 0);
        while let Some(&length) = wire.get(at)
            && length > 0
            && count < starts.len()
        {
            starts[count] = at;
            count += 1;
            at += 1 + usize::from(length);
        }
        // The last label counts most. An octet 0 becomes 0 1, so that a label's end, 0 0, is less than any octet.
        for &start in starts[..count].iter().rev() {
            let end = start + 1 + usize::from(wire[start]);
            for &octet in &wire[start + 1..end] {
                key.put(octet);
                if octet == 0 {
                    key.put(1);
                }
            }
            key.put(0);
            key.put(0);
        }
        key
    }

    fn put(&mut self, octet: u8) {
        self.octets[self.length] = octet;
        self.length += 1;
    }

    fn as_slice(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

impl Chain {
    /// Orders names (in wire form and lower case) that come with the places of their nodes.
    pub(super) fn new<'a>(names: impl Iterator<Item = (&'a [u8], usize)>) -> Self {
        let link = |(wire, place)| Link { key: CanonicalKey::new(wire).as_slice().into(), place };
        let mut links: Vec<_> = names.map(link).collect();
        links.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Self { links }
    }

    /// Places of nodes, each with that of the next; the first follows the last (RFC 4034 §4.1.1).
    pub(super) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let next = self.links.iter().cycle().skip(1);
        self.links.iter().zip(next).map(|(link, next)| (link.place, next.place))
    }

    /// The place of the last name that is not behind this one: its NSEC record is the name's, or shows that there is no
    /// such name. `None` for a name before the apex, which is in another zone.
    pub(crate) fn at_or_before(&self, wire: &[u8]) -> Option<usize> {
        let key = CanonicalKey::new(wire);
        let behind = self.links.partition_point(|link| *link.key <= *key.as_slice());
        Some(self.links[behind.checked_sub(1)?].place)
    }
}

/// The data of an NSEC record: the next name, and which types there are (RFC 4034 §4.1).
pub(super) fn nsec(next: &[u8], rtypes: impl Iterator<Item = u16>) -> Rdata {
    let mut bitmap = RtypeBitmap::<Vec<u8>>::builder();
    for rtype in rtypes.chain([rtype::RRSIG, rtype::NSEC]) {
        // A vector grows as needed.
        let _ = bitmap.add(Rtype::from_int(rtype));
    }
    let bitmap = bitmap.finalize();
    Rdata::Octets([&name::to_lower(next), bitmap.as_slice()].concat().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::base::Name;
    use domain::base::cmp::CanonicalOrd;
    use domain::base::name::ToName;
    use proptest::prelude::*;

    /// Labels with many of the octets that escaping is about.
    fn labels() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let octet = prop_oneof![Just(0), Just(1), Just(b'a'), any::<u8>()];
        prop::collection::vec(prop::collection::vec(octet, 1..4), 0..5)
    }

    proptest! {
        #[test]
        fn keys_compare_as_names_do(labels in prop::collection::vec(labels(), 2)) {
            let wire = |labels: &[Vec<u8>]| {
                let mut wire: Vec<u8> = Vec::new();
                for label in labels {
                    wire.push(label.len() as u8);
                    wire.extend(label.to_ascii_lowercase());
                }
                wire.push(0);
                wire
            };
            let (one, other) = (wire(&labels[0]), wire(&labels[1]));
            let ours = CanonicalKey::new(&one).as_slice().cmp(CanonicalKey::new(&other).as_slice());
            let (one, other) = (Name::from_octets(one).unwrap(), Name::from_octets(other).unwrap());
            prop_assert_eq!(ours, one.name_cmp(&other));
            prop_assert_eq!(one.name_cmp(&other), CanonicalOrd::canonical_cmp(&one, &other));
        }
    }

    #[test]
    fn the_order_of_rfc_4034() {
        let names = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "z.a.example.",
            "zabc.a.example.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ];
        let wires: Vec<_> = names.iter().map(|text| name::from_text(text).unwrap()).collect();
        let places = wires.iter().enumerate().rev().map(|(place, wire)| (&**wire, place));
        let chain = Chain::new(places);
        let pairs: Vec<_> = chain.pairs().collect();
        let expected: Vec<_> = (0..9).map(|place| (place, (place + 1) % 9)).collect();
        assert_eq!(pairs, expected, "RFC 4034 §6.1");
        for (text, expected) in [
            ("example.", Some(0)),
            ("0.example.", Some(0)),
            ("b.example.", Some(4)),
            ("x.z.a.example.", Some(3)),
            ("zz.example.", Some(8)),
            ("com.", None),
        ] {
            let wire = name::from_text(text).unwrap();
            assert_eq!(chain.at_or_before(&wire), expected, "{text}");
        }
    }

    #[test]
    fn keys_of_the_longest_names_fit() {
        let zeros = [[63u8].as_slice(), &[0; 63]].concat().repeat(3);
        let long = [zeros, [[61u8].as_slice(), &[0; 61], &[0]].concat()].concat();
        let many = [[1u8, 0].repeat(127), vec![0]].concat();
        for wire in [long, many] {
            assert_eq!(wire.len(), NAME_OCTETS_MAX);
            assert!(CanonicalKey::new(&wire).as_slice().len() <= KEY_OCTETS_MAX);
        }
    }
}
