//! What an asker that wants DNSSEC gets besides (RFC 4035 §3.1): signatures, and NSEC records that show that nothing is
//! left out.

use super::CNAMES_MAX;
use super::draft::{Draft, Section};
use crate::wire::name::{LowerName, NAME_OCTETS_MAX};
use crate::wire::rtype;
use crate::wire::writer::Full;
use crate::zone::{Node, Zone};
use std::ptr;

/// Each name that CNAMEs lead to may be a wildcard's, and the last one may need two.
const PROOFS_MAX: usize = CNAMES_MAX + 3;

/// NSEC records that an answer needs, none of them twice.
#[derive(Default)]
pub(super) struct Proofs<'t> {
    /// Zones, and places of nodes in them.
    owners: [Option<(&'t Zone, usize)>; PROOFS_MAX],
    count: usize,
}

impl<'t> Proofs<'t> {
    /// RFC 4035 §3.1.3.3: when a wildcard stands for a name, that there is no closer match.
    pub(super) fn expansion(&mut self, zone: &'t Zone, name: &LowerName) {
        if zone.node_of(name.as_wire()).is_none() {
            self.add(zone, name.as_wire());
        }
    }

    /// RFC 4035 §3.1.3.2: neither the name is there, nor a wildcard that could stand for it.
    pub(super) fn no_name(&mut self, zone: &'t Zone, name: &LowerName) {
        self.add(zone, name.as_wire());
        self.add_wildcard(zone, name);
    }

    /// RFC 4035 §3.1.3.1, §3.1.3.4: which types the name has, or the wildcard that stands for it.
    pub(super) fn no_data(&mut self, zone: &'t Zone, name: &LowerName) {
        match zone.node_of(name.as_wire()) {
            Some(_) => self.add(zone, name.as_wire()),
            None => self.add_wildcard(zone, name),
        }
    }

    /// The wildcard below the closest encloser of a name that is not there (RFC 4592 §3.3.1).
    fn add_wildcard(&mut self, zone: &'t Zone, name: &LowerName) {
        let mut suffixes = (1..=name.labels()).map(|skipped| name.suffix(skipped));
        let Some(encloser) = suffixes.find(|suffix| zone.node_of(suffix).is_some()) else { return };
        // At least a label and its length came before, so this fits.
        let mut wildcard = [0; NAME_OCTETS_MAX];
        let octets = 2 + encloser.len();
        let Some(place) = wildcard.get_mut(..octets) else { return };
        place[..2].copy_from_slice(b"\x01*");
        place[2..].copy_from_slice(encloser);
        self.add(zone, &wildcard[..octets]);
    }

    fn add(&mut self, zone: &'t Zone, wire: &[u8]) {
        let Some(signing) = &zone.signing else { return };
        let Some(place) = signing.chain.at_or_before(wire) else { return };
        let same = |known: &(&Zone, usize)| ptr::eq(known.0, zone) && known.1 == place;
        if !self.owners.iter().flatten().any(same)
            && let Some(free) = self.owners.get_mut(self.count)
        {
            *free = Some((zone, place));
            self.count += 1;
        }
    }
}

impl Draft<'_, '_> {
    pub(super) fn put_proofs(&mut self, proofs: &Proofs<'_>) -> Result<(), Full> {
        for (zone, place) in proofs.owners[..proofs.count].iter().flatten() {
            if let Some(nsec) = zone.node_at(*place).rrset(rtype::NSEC) {
                self.put_rrset(Section::Authority, zone.name_at(*place), nsec, nsec.ttl)?;
            }
        }
        Ok(())
    }

    /// RFC 4035 §3.1.4: whether the zone behind a cut is signed.
    pub(super) fn put_cut_proof(&mut self, zone: &Zone, cut: &[u8]) -> Result<(), Full> {
        let node = zone.node_of(cut);
        let proof = node.and_then(|node| node.rrset(rtype::DS).or_else(|| node.rrset(rtype::NSEC)));
        match proof {
            Some(rrset) => self.put_rrset(Section::Authority, cut, rrset, rrset.ttl),
            None => Ok(()),
        }
    }

    /// A signature that was asked for by itself: any one of the name's (RFC 8482 §4.1 says so of ANY). `None` when
    /// there is none.
    pub(super) fn put_signature(&mut self, owner: &[u8], node: &Node) -> Option<Result<(), Full>> {
        let rrset = node.rrsets.iter().find(|rrset| rrset.rrsig.is_some())?;
        let rrsig = rrset.rrsig.as_ref()?;
        Some(self.put_whole(Section::Answer, 1, |draft| draft.put_rrsig(owner, rrset.ttl, rrsig)))
    }

    pub(super) fn put_rrsig(&mut self, owner: &[u8], ttl: u32, rrsig: &[u8]) -> Result<(), Full> {
        self.put_head(owner, rtype::RRSIG, ttl)?;
        self.writer.put_u16(rrsig.len() as u16)?;
        self.writer.put(rrsig)
    }
}
