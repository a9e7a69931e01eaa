//! Which resolver asked for which one-time name, remembered until the client comes with that name over HTTP: so a
//! resolver and a client of it are known to belong together.

use crate::answer::Asked;
use crate::wire::HEADER_OCTETS;
use crate::wire::query::Query;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, TryLockError};
use std::time::{Duration, Instant};

/// Names that are remembered: a thousand a second for [`AGE_MAX`]. They take 3 MiB; a name beyond them replaces one.
const NAMES_MAX: usize = 65_536;
/// A client that has an answer connects at once; after this it has gone.
const AGE_MAX: Duration = Duration::from_secs(60);

/// A table of fixed size, so that a worker that answers UDP packets neither allocates nor searches.
#[derive(Debug)]
pub(crate) struct Pairs {
    slots: Mutex<Box<[Option<Slot>]>>,
    /// Seeded by the system: nobody can choose names that replace others.
    hash: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    name: u64,
    asker: Asker,
    at: Instant,
}

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    /// Canonical.
    pub(crate) resolver: IpAddr,
    /// It told its client's subnet, so it misleads nobody.
    pub(crate) tells_subnet: bool,
}

impl Default for Pairs {
    fn default() -> Self {
        let slots = vec![None; NAMES_MAX].into();
        Self { slots: Mutex::new(slots), hash: RandomState::new() }
    }
}

impl Pairs {
    /// Remembers who asked, if it was for a name one label below `suffix` (in lower case, in wire form). For other
    /// names this is one comparison.
    pub(crate) fn note(&self, suffix: &[u8], asked: &Asked<'_>) {
        let question = asked.packet.get(HEADER_OCTETS..).unwrap_or_default();
        let begin = 1 + usize::from(question.first().copied().unwrap_or(0));
        let rest = question.get(begin..begin + suffix.len());
        if rest.is_some_and(|rest| rest.eq_ignore_ascii_case(suffix)) {
            self.remember(asked);
        }
    }

    #[cold]
    fn remember(&self, asked: &Asked<'_>) {
        let mut query = Query::empty();
        if query.read(asked.packet).is_err() {
            return;
        }
        let subnet = query.edns.and_then(|edns| edns.subnet);
        let asker = Asker {
            resolver: asked.peer.to_canonical(),
            tells_subnet: subnet.is_some_and(|subnet| !subnet.is_hidden()),
        };
        let name = self.hash.hash_one(query.name.as_wire());
        // Another worker is at it: this pair is lost, which costs less than waiting.
        let Ok(mut slots) = self.slots.try_lock() else { return };
        slots[name as usize % NAMES_MAX] = Some(Slot { name, asker, at: Instant::now() });
    }

    /// Who asked for `name` (in lower case, in wire form); each can be had once.
    pub(crate) fn take(&self, name: &[u8]) -> Option<Asker> {
        let name = self.hash.hash_one(name);
        let mut slots = match self.slots.try_lock() {
            Ok(slots) => slots,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // A worker holds it for some nanoseconds.
            Err(TryLockError::WouldBlock) => self.slots.lock().ok()?,
        };
        let slot = slots[name as usize % NAMES_MAX].take_if(|slot| slot.name == name)?;
        (slot.at.elapsed() <= AGE_MAX).then_some(slot.asker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Transport;
    use crate::mode::Moment;
    use crate::wire::name;

    fn note(pairs: &Pairs, qname: &str, options: &[u8]) {
        let qname = name::from_text(qname).unwrap();
        let additional = u8::from(!options.is_empty());
        let head = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, additional];
        let packet = [&head[..], &qname, &[0, 1, 0, 1], options].concat();
        let asked = Asked {
            packet: &packet,
            peer: "::ffff:192.0.2.53".parse().unwrap(),
            transport: Transport::Udp,
            random: 0,
            moment: Moment::default(),
        };
        pairs.note(&name::from_text("who.cdn.test.").unwrap(), &asked);
    }

    fn take(pairs: &Pairs, name: &str) -> Option<Asker> {
        pairs.take(&name::from_text(name).unwrap())
    }

    #[test]
    fn names_are_remembered_once() {
        let pairs = Pairs::default();
        let resolver = "192.0.2.53".parse().unwrap();
        let asker = |tells_subnet| Some(Asker { resolver, tells_subnet });
        let subnet = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 11, 0, 8, 0, 7, 0, 1, 24, 0, 10, 1, 2];
        let hidden = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 8, 0, 8, 0, 4, 0, 1, 0, 0];
        for (qname, options, name, expected, why) in [
            ("T1.Who.CDN.test.", &[][..], "t1.who.cdn.test.", asker(false), "in any case"),
            ("t2.who.cdn.test.", &subnet, "t2.who.cdn.test.", asker(true), "with a subnet"),
            ("t3.who.cdn.test.", &hidden, "t3.who.cdn.test.", asker(false), "with an empty one"),
            ("t4.who.cdn.test.", &[], "t5.who.cdn.test.", None, "another name"),
            ("a.t6.who.cdn.test.", &[], "a.t6.who.cdn.test.", None, "two labels below"),
            ("who.cdn.test.", &[], "who.cdn.test.", None, "the name itself"),
            ("t7.cdn.test.", &[], "t7.cdn.test.", None, "elsewhere"),
        ] {
            note(&pairs, qname, options);
            assert_eq!(take(&pairs, name), expected, "{why}");
            assert_eq!(take(&pairs, name), None, "{why}: only once");
        }
    }

    #[test]
    fn noting_allocates_nothing() {
        let pairs = Pairs::default();
        let qname = name::from_text("t1.who.cdn.test.").unwrap();
        let packet = [&[0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &qname, &[0, 1, 0, 1]].concat();
        let suffix = name::from_text("who.cdn.test.").unwrap();
        let peer = "192.0.2.53".parse().unwrap();
        let asked = Asked {
            packet: &packet,
            peer,
            transport: Transport::Udp,
            random: 0,
            moment: Moment::default(),
        };
        let counted = allocation_counter::measure(|| pairs.note(&suffix, &asked));
        assert_eq!(counted.count_total, 0);
        assert!(take(&pairs, "t1.who.cdn.test.").is_some());
    }
}
