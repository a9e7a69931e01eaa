//! What is asked, and what must be answered: one question after the other, and samples of both before a round.

use super::message::{self, SUBNET_BITS};
use super::prefixes::Prefixes;
use super::zone::{NAMES, STEERED, address, address_of_region, name};
use crate::zipf::Random;
use std::net::Ipv4Addr;

/// The questions of a case.
#[derive(Debug)]
pub(super) enum Questions {
    /// Names in turn, as they are put into a datagram.
    Names(Vec<Vec<u8>>),
    /// One name for clients in these prefixes.
    Subnets(Vec<u8>, Prefixes),
}

impl Questions {
    /// Each name of the zone.
    pub(super) fn names() -> Self {
        Self::Names((0..NAMES).filter_map(|index| message::query(&name(index), None)).collect())
    }

    /// The steered name.
    pub(super) fn subnets(prefixes: Prefixes) -> Self {
        let query = message::query(STEERED, Some(Ipv4Addr::UNSPECIFIED));
        Self::Subnets(query.unwrap_or_default(), prefixes)
    }

    /// The prefixes, if it is about them.
    pub(super) fn prefixes(&self) -> Option<&Prefixes> {
        match self {
            Self::Names(_) => None,
            Self::Subnets(_, prefixes) => Some(prefixes),
        }
    }

    /// Writes a random one with the identifier `id`; returns its octets.
    pub(super) fn ask(&self, random: &mut Random, id: u16, place: &mut [u8]) -> usize {
        match self {
            Self::Names(all) => {
                let index = random.below(u32::try_from(all.len()).unwrap_or(u32::MAX));
                let Some(query) = all.get(index as usize) else { return 0 };
                copy(query, id, place)
            }
            Self::Subnets(query, prefixes) => {
                let octets = copy(query, id, place);
                let client = prefixes.client(random);
                if let Some(query) = place.get_mut(..octets) {
                    message::steer(query, client);
                }
                octets
            }
        }
    }

    /// Some of them, each with the address that it must be answered with.
    pub(super) fn samples(&self, count: u16, random: &mut Random) -> Vec<(Vec<u8>, Ipv4Addr)> {
        let one = |sample: u16| match self {
            Self::Names(all) => {
                let index = u32::from(sample) * u32::from(NAMES) / u32::from(count);
                let index = u16::try_from(index).ok()?;
                Some((all.get(usize::from(index))?.clone(), address(index)))
            }
            Self::Subnets(query, prefixes) => {
                // All addresses of a subnet are in the same region.
                let client = prefixes.client(random).to_bits() >> (32 - SUBNET_BITS);
                let client = Ipv4Addr::from(client << (32 - SUBNET_BITS));
                let mut query = query.clone();
                message::steer(&mut query, client);
                Some((query, address_of_region(prefixes.region(client)?)))
            }
        };
        (0..count).filter_map(one).collect()
    }
}

fn copy(query: &[u8], id: u16, place: &mut [u8]) -> usize {
    let Some(place) = place.get_mut(..query.len()) else { return 0 };
    place.copy_from_slice(query);
    message::stamp(place, id);
    query.len()
}

#[cfg(test)]
mod tests {
    use super::message::QUERY_OCTETS_MAX;
    use super::*;

    #[test]
    fn questions_fit_and_samples_are_all_there() {
        for questions in [Questions::names(), Questions::subnets(Prefixes::generate(100))] {
            let (mut random, mut place) = (Random::new(7), [0; QUERY_OCTETS_MAX]);
            let octets = questions.ask(&mut random, 0xabcd, &mut place);
            assert!(octets > 20);
            assert_eq!(message::id(&place), Some(0xabcd));
            assert_eq!(questions.ask(&mut random, 1, &mut place[..10]), 0, "no room, no question");
            assert_eq!(questions.samples(50, &mut random).len(), 50);
        }
        let names = Questions::names().samples(10, &mut Random::new(1));
        assert_eq!(names[5].0, message::query("n500.bench.test", None).unwrap());
        assert_eq!(names[5].1, Ipv4Addr::new(198, 18, 1, 244));
    }
}
