//! The zones: which zone a name is in, and what the zone says about it (RFC 1034 §4.3.2, RFC 4592).

use crate::dnssec::sign::Signing;
use crate::map::Prefix;
use crate::wire::name::{self, LowerName};
use crate::wire::rtype;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

type Table<V> = HashMap<Box<[u8]>, V, RandomState>;

/// All zones served; immutable once built.
#[derive(Clone, Default, Debug)]
pub(crate) struct Zones {
    zones: Vec<Zone>,
    /// Apex in lower case to its place in `zones`.
    apexes: Table<usize>,
    /// Labels of the deepest apex: no deeper suffix of a qname need be tried.
    apex_labels_max: usize,
}

/// One zone.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    /// The apex in lower case.
    pub(crate) apex: Box<[u8]>,
    nodes: Vec<Node>,
    /// Owner in lower case to its place in `nodes`, and back.
    owners: Table<usize>,
    names: Vec<Box<[u8]>>,
    /// What secondaries get for steered names, by place of the node.
    snapshots: HashMap<usize, Vec<Rrset>>,
    pub(crate) secondaries: Secondaries,
    /// The key, if it is signed.
    pub(crate) signing: Option<Box<Signing>>,
}

/// Other servers of a zone, which copy it from here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secondaries {
    /// Who may have it.
    pub(crate) transfer_to: Vec<Prefix>,
    /// Who is told that it has changed.
    pub(crate) notify: Vec<SocketAddr>,
}

/// What a name owns. A node without anything is an empty non-terminal (RFC 4592 §2.2.2).
#[derive(Clone, Default, Debug)]
pub(crate) struct Node {
    pub(crate) rrsets: Vec<Rrset>,
    /// Which steered name it is: A and AAAA come from the steering.
    pub(crate) steered: Option<usize>,
    /// The place of `*.` and this name.
    wildcard: Option<usize>,
}

/// Records of one owner and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rrset {
    pub(crate) rtype: u16,
    /// Seconds.
    pub(crate) ttl: u32,
    pub(crate) records: Vec<Rdata>,
    /// The data of its RRSIG record, if it is signed.
    pub(crate) rrsig: Option<Box<[u8]>>,
}

/// A record's data, taken apart where names in it may be compressed (RFC 3597 §4: only types of RFC
/// 1035).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rdata {
    /// Everything else.
    Octets(Box<[u8]>),
    /// CNAME, NS, PTR.
    Name(Box<[u8]>),
    /// MX.
    Mx {
        /// Lower comes first.
        preference: u16,
        /// The mail server.
        exchange: Box<[u8]>,
    },
    /// SOA.
    Soa {
        /// The primary server.
        mname: Box<[u8]>,
        /// The mailbox of who is responsible.
        rname: Box<[u8]>,
        /// SERIAL, REFRESH, RETRY, EXPIRE, MINIMUM.
        numbers: [u32; 5],
    },
}

/// What a zone says about a name.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// The name is there, or a wildcard stands for it.
    Node(&'a Node),
    /// The name is at or below a cut: the servers to ask, and how many labels of the name are above
    /// the cut's name.
    Delegation {
        /// The NS RRset of the cut.
        servers: &'a Rrset,
        /// Labels of the name before the cut's name.
        labels_skipped: usize,
    },
    /// There is no such name.
    Nothing,
}

impl Zones {
    /// The deepest zone that holds `name`, and how many labels of it are before the apex.
    ///
    /// A DS RRset belongs to the parent's side of the cut (RFC 4035 §3.1.4.1), so for that type a
    /// zone's own apex is looked for one zone higher.
    pub(crate) fn find(&self, name: &LowerName, qtype: u16) -> Option<(&Zone, usize)> {
        let labels = name.labels();
        let first = labels.saturating_sub(self.apex_labels_max);
        let at = |skipped: usize| {
            self.apexes.get(name.suffix(skipped)).map(|&index| (&self.zones[index], skipped))
        };
        let found = (first..=labels).find_map(at)?;
        if qtype == rtype::DS && found.1 == 0 {
            return (1..=labels).find_map(at).or(Some(found));
        }
        Some(found)
    }

    /// Adds a zone; `false` if there is one of that name.
    pub(crate) fn insert(&mut self, zone: Zone) -> bool {
        let labels = LowerName::read(&zone.apex).map_or(0, |(name, _)| name.labels());
        self.apex_labels_max = self.apex_labels_max.max(labels);
        let fresh = self.apexes.insert(zone.apex.clone(), self.zones.len()).is_none();
        self.zones.push(zone);
        fresh
    }

    /// Makes the apex of each zone a name of the zone above, if that is served here too: what it asks its parent's side
    /// for (DS) is then not there, but the name is, with all that is below it.
    pub(crate) fn connect(&mut self) {
        for index in 0..self.zones.len() {
            let apex = self.zones[index].apex.clone();
            if let Some(zone) = name::parent(&apex).and_then(|above| self.zone_of(above)) {
                zone.node(&apex);
            }
        }
    }

    /// The zone that holds a name in lower case, for building.
    pub(crate) fn zone_of(&mut self, owner: &[u8]) -> Option<&mut Zone> {
        let (name, _) = LowerName::read(owner).ok()?;
        let index = (0..=name.labels()).find_map(|s| self.apexes.get(name.suffix(s)).copied())?;
        self.zones.get_mut(index)
    }

    /// The zone of this apex (in lower case), and its place.
    pub(crate) fn at_apex(&self, apex: &[u8]) -> Option<(usize, &Zone)> {
        self.apexes.get(apex).map(|&index| (index, &self.zones[index]))
    }

    /// All zones; the place of each is its place here.
    pub(crate) fn all(&self) -> &[Zone] {
        &self.zones
    }

    /// The same, for building.
    pub(crate) fn all_mut(&mut self) -> &mut [Zone] {
        &mut self.zones
    }

    /// Zones, and their records.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let rrsets = self.zones.iter().flat_map(|zone| &zone.nodes).flat_map(|node| &node.rrsets);
        (self.zones.len(), rrsets.map(|rrset| rrset.records.len()).sum())
    }
}

impl Zone {
    /// An empty zone; `apex` in lower case.
    pub(crate) fn new(apex: &[u8]) -> Self {
        let mut zone = Self {
            apex: apex.into(),
            nodes: Vec::new(),
            owners: HashMap::default(),
            names: Vec::new(),
            snapshots: HashMap::new(),
            secondaries: Secondaries::default(),
            signing: None,
        };
        zone.node(apex);
        zone
    }

    /// The node of `owner` (in lower case, within the zone), made if it is not there, as are those
    /// between it and the apex.
    pub(crate) fn node(&mut self, owner: &[u8]) -> &mut Node {
        let index = self.node_index(owner);
        &mut self.nodes[index]
    }

    fn node_index(&mut self, owner: &[u8]) -> usize {
        if let Some(&index) = self.owners.get(owner) {
            return index;
        }
        let index = self.nodes.len();
        self.nodes.push(Node::default());
        self.owners.insert(owner.into(), index);
        self.names.push(owner.into());
        if owner != &*self.apex
            && let Some(parent) = name::parent(owner)
        {
            let parent = self.node_index(parent);
            if owner.starts_with(b"\x01*") {
                self.nodes[parent].wildcard = Some(index);
            }
        }
        index
    }

    /// The apex, which owns the SOA and the zone's servers.
    pub(crate) fn apex_node(&self) -> &Node {
        &self.nodes[0]
    }

    /// All owners in lower case with their nodes, by place; the apex is the first.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (&[u8], &Node)> {
        self.names.iter().map(AsRef::as_ref).zip(&self.nodes)
    }

    /// The owner at a place, and what secondaries get of it.
    pub(crate) fn transferred(
        &self,
        place: usize,
    ) -> Option<(&[u8], impl Iterator<Item = &Rrset> + Clone)> {
        let snapshot = self.snapshots.get(&place).map_or(&[][..], Vec::as_slice);
        Some((self.names.get(place)?, self.nodes[place].rrsets.iter().chain(snapshot)))
    }

    /// Says what secondaries get for steered names.
    pub(crate) fn set_snapshots(&mut self, snapshot: impl Fn(usize) -> Vec<Rrset>) {
        let steered = self.nodes.iter().enumerate();
        let steered = steered.filter_map(|(place, node)| Some((place, snapshot(node.steered?))));
        self.snapshots = steered.collect();
    }

    /// The place of the name above that of another one; none for the apex.
    pub(crate) fn parent_of(&self, place: usize) -> Option<usize> {
        self.owners.get(name::parent(&self.names[place])?).copied()
    }

    pub(crate) fn name_at(&self, place: usize) -> &[u8] {
        &self.names[place]
    }

    pub(crate) fn node_at(&self, place: usize) -> &Node {
        &self.nodes[place]
    }

    pub(crate) fn node_at_mut(&mut self, place: usize) -> &mut Node {
        &mut self.nodes[place]
    }

    /// The node of a name (in lower case) itself, not of a wildcard that stands for it.
    pub(crate) fn node_of(&self, owner: &[u8]) -> Option<&Node> {
        self.owners.get(owner).map(|&place| &self.nodes[place])
    }

    /// What of a place is signed: the owner, every RRset that [`Self::transferred`] has, and which steered name it is.
    pub(crate) fn signed_mut(
        &mut self,
        place: usize,
    ) -> (&[u8], impl Iterator<Item = &mut Rrset>, Option<usize>) {
        let snapshot = self.snapshots.get_mut(&place).map_or(&mut [][..], Vec::as_mut_slice);
        let node = &mut self.nodes[place];
        (&self.names[place], node.rrsets.iter_mut().chain(snapshot), node.steered)
    }

    pub(crate) fn set_serial(&mut self, serial: u32) {
        let soa = self.nodes[0].rrsets.iter_mut().find(|rrset| rrset.rtype == rtype::SOA);
        match soa.and_then(|soa| soa.records.first_mut()) {
            Some(Rdata::Soa { numbers, .. }) => numbers[0] = serial,
            Some(Rdata::Octets(_) | Rdata::Name(_) | Rdata::Mx { .. }) | None => {}
        }
    }

    /// The zone's version.
    pub(crate) fn serial(&self) -> u32 {
        match self.apex_node().rrset(rtype::SOA).and_then(|soa| soa.records.first()) {
            Some(Rdata::Soa { numbers, .. }) => numbers[0],
            Some(Rdata::Octets(_) | Rdata::Name(_) | Rdata::Mx { .. }) | None => 0,
        }
    }

    /// What the zone says about `name`, whose first `apex_skipped` labels are below the apex.
    pub(crate) fn lookup(&self, name: &LowerName, apex_skipped: usize, qtype: u16) -> Found<'_> {
        let mut encloser = self.apex_node();
        for skipped in (0..apex_skipped).rev() {
            let Some(&index) = self.owners.get(name.suffix(skipped)) else {
                // RFC 4592 §3.3.1: only a wildcard directly below the closest encloser can stand
                // for the name.
                return encloser.wildcard.map_or(Found::Nothing, |w| Found::Node(&self.nodes[w]));
            };
            encloser = &self.nodes[index];
            // The parent answers for DS at the cut itself (RFC 4035 §3.1.4.1).
            if let Some(servers) = encloser.rrset(rtype::NS)
                && !(skipped == 0 && qtype == rtype::DS)
            {
                return Found::Delegation { servers, labels_skipped: skipped };
            }
        }
        Found::Node(encloser)
    }

    /// The addresses that the zone holds for a server's name (in lower case), as glue or as its
    /// own.
    pub(crate) fn addresses(&self, server: &[u8]) -> impl Iterator<Item = &Rrset> {
        let node = self.owners.get(server).map(|&index| &self.nodes[index]);
        let rrsets = node.map_or(&[][..], |node| &node.rrsets[..]);
        rrsets.iter().filter(|rrset| matches!(rrset.rtype, rtype::A | rtype::AAAA))
    }
}

impl Secondaries {
    /// Whether this one may have the zone.
    pub(crate) fn allow(&self, peer: IpAddr) -> bool {
        self.transfer_to.iter().any(|prefix| prefix.contains(peer))
    }
}

impl Node {
    /// The RRset of a type.
    pub(crate) fn rrset(&self, rtype: u16) -> Option<&Rrset> {
        self.rrsets.iter().find(|rrset| rrset.rtype == rtype)
    }

    /// Adds a record; the TTL of an RRset is its records' least (RFC 2181 §5.2), a repeated record
    /// is dropped (§5).
    pub(crate) fn insert(&mut self, rtype: u16, ttl: u32, rdata: Rdata) {
        if let Some(rrset) = self.rrsets.iter_mut().find(|rrset| rrset.rtype == rtype) {
            rrset.ttl = rrset.ttl.min(ttl);
            if !rrset.records.contains(&rdata) {
                rrset.records.push(rdata);
            }
        } else {
            self.rrsets.push(Rrset::new(rtype, ttl, vec![rdata]));
        }
    }
}

impl Rdata {
    /// An address, as data of an A or AAAA record.
    pub(crate) fn address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::Octets(address.octets().into()),
            IpAddr::V6(address) => Self::Octets(address.octets().into()),
        }
    }
}

impl Rrset {
    /// One that is not signed.
    pub(crate) fn new(rtype: u16, ttl: u32, records: Vec<Rdata>) -> Self {
        Self { rtype, ttl, records, rrsig: None }
    }

    /// The name that a CNAME (or the first NS, PTR) leads to, as written.
    pub(crate) fn target(&self) -> Option<&[u8]> {
        match self.records.first() {
            Some(Rdata::Name(target)) => Some(target),
            Some(Rdata::Octets(_) | Rdata::Mx { .. } | Rdata::Soa { .. }) | None => None,
        }
    }

    /// How long "there is no such" may be remembered, if this is a SOA: the lesser of its TTL and
    /// MINIMUM (RFC 2308 §5).
    pub(crate) fn negative_ttl(&self) -> u32 {
        match self.records.first() {
            Some(Rdata::Soa { numbers, .. }) => self.ttl.min(numbers[4]),
            Some(Rdata::Octets(_) | Rdata::Name(_) | Rdata::Mx { .. }) | None => self.ttl,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(text: &str) -> Box<[u8]> {
        name::from_text(text).unwrap()
    }

    fn zones() -> Zones {
        let mut zones = Zones::default();
        for apex in ["test.", "sub.test."] {
            let mut zone = Zone::new(&wire(apex));
            for owner in ["a.b.c.", "*.w.", "x.y.w.", "cut.", "ns.cut."] {
                let node = zone.node(&wire(&format!("{owner}{apex}")));
                let ns = owner == "cut.";
                node.insert(if ns { 2 } else { 16 }, 60, Rdata::Octets(owner.as_bytes().into()));
            }
            assert!(zones.insert(zone));
        }
        zones.connect();
        zones
    }

    #[test]
    fn names_are_found_as_rfc_1034_and_4592_say() {
        let zones = zones();
        for (qname, qtype, expected, why) in [
            ("a.b.c.test.", 16, "a.b.c.", "an exact match"),
            ("b.c.test.", 16, "empty", "RFC 4592 §2.2.2: an empty non-terminal exists"),
            ("z.b.c.test.", 16, "nothing", "below it there is nothing"),
            ("q.w.test.", 16, "*.w.", "a wildcard"),
            ("q.q.w.test.", 16, "*.w.", "RFC 4592 §2.1.1: whatever the depth"),
            ("*.w.test.", 16, "*.w.", "the wildcard itself"),
            ("w.test.", 16, "empty", "a wildcard does not cover its parent"),
            ("q.y.w.test.", 16, "nothing", "RFC 4592 §3.3.1: y.w is the closest encloser"),
            ("cut.test.", 16, "cut 0", "RFC 1034 §4.3.2 3b: at the cut"),
            ("ns.cut.test.", 1, "cut 1", "glue is below the cut"),
            ("cut.test.", rtype::DS, "cut.", "RFC 4035 §3.1.4.1: DS is the parent's"),
            ("sub.test.", 16, "empty", "the deeper zone's apex"),
            ("q.w.sub.test.", 16, "*.w.", "in the deeper zone"),
            (
                "sub.test.",
                rtype::DS,
                "empty",
                "DS is asked of the parent zone, where the name exists",
            ),
            ("test2.", 16, "outside", "no zone"),
            (".", 16, "outside", "the root"),
        ] {
            let (name, _) = LowerName::read(&wire(qname)).unwrap();
            let found = match zones.find(&name, qtype) {
                None => "outside".to_owned(),
                Some((zone, skipped)) => match zone.lookup(&name, skipped, qtype) {
                    Found::Nothing => "nothing".to_owned(),
                    Found::Delegation { labels_skipped, .. } => format!("cut {labels_skipped}"),
                    Found::Node(node) => match node.rrsets.first().map(|r| &r.records[0]) {
                        Some(Rdata::Octets(o)) => String::from_utf8(o.to_vec()).unwrap(),
                        _ => "empty".to_owned(),
                    },
                },
            };
            assert_eq!(found, expected, "{qname} {qtype}: {why}");
        }
    }
}
