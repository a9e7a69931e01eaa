//! Packets under way in one direction, until they are due.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

/// Packets that may be under way in a direction. What comes on top is dropped as if the queue were full. At the usual
/// MTU these are 98 MB, which is 1 Gbit/s over 0.8 s, or 650,000 packets/s over 0.1 s. With more, links that nobody can
/// drain would take the machine's memory.
pub(super) const UNDER_WAY_MAX: usize = 65_536;

/// A packet under way.
#[derive(Debug)]
pub(super) struct UnderWay {
    pub(super) due_ns: u64,
    /// Of those that are due at the same time, the one that came first is first.
    pub(super) number: u64,
    /// How often it arrives.
    pub(super) copies: u8,
    pub(super) octets: usize,
    pub(super) buffer: Box<[u8]>,
}

impl UnderWay {
    pub(super) fn packet(&self) -> &[u8] {
        &self.buffer[..self.octets]
    }

    fn key(&self) -> (u64, u64) {
        (self.due_ns, self.number)
    }
}

impl PartialEq for UnderWay {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for UnderWay {}

impl PartialOrd for UnderWay {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for UnderWay {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// All packets under way in a direction. Nearly all are due in the order in which they entered: a plain queue is for
/// these, and a heap for those that overtake.
#[derive(Debug, Default)]
pub(super) struct Transit {
    in_order: VecDeque<UnderWay>,
    overtaking: BinaryHeap<Reverse<UnderWay>>,
    copies: u64,
}

impl Transit {
    pub(super) fn len(&self) -> usize {
        self.in_order.len() + self.overtaking.len()
    }

    /// How many will arrive.
    pub(super) fn copies(&self) -> u64 {
        self.copies
    }

    pub(super) fn add(&mut self, packet: UnderWay) {
        self.copies += u64::from(packet.copies);
        if self.in_order.back().is_none_or(|last| *last <= packet) {
            self.in_order.push_back(packet);
        } else {
            self.overtaking.push(Reverse(packet));
        }
    }

    /// When the next one is due.
    pub(super) fn next_due_ns(&self) -> Option<u64> {
        let in_order = self.in_order.front().map(|packet| packet.due_ns);
        let overtaking = self.overtaking.peek().map(|Reverse(packet)| packet.due_ns);
        in_order.into_iter().chain(overtaking).min()
    }

    /// The next one, if it is due.
    pub(super) fn take_due(&mut self, now_ns: u64) -> Option<UnderWay> {
        if self.next_due_ns()? > now_ns {
            return None;
        }
        let packet = match (self.in_order.front(), self.overtaking.peek()) {
            (Some(first), Some(Reverse(other))) if other >= first => self.in_order.pop_front(),
            (Some(_), None) => self.in_order.pop_front(),
            (Some(_) | None, _) => self.overtaking.pop().map(|Reverse(packet)| packet),
        }?;
        self.copies -= u64::from(packet.copies);
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_by_time_and_then_by_number() {
        let mut transit = Transit::default();
        let dues = [50, 10, 50, 70, 10, 60];
        for (number, due_ns) in dues.into_iter().enumerate() {
            let number = number as u64;
            transit.add(UnderWay { due_ns, number, copies: 2, octets: 0, buffer: [].into() });
        }
        assert_eq!((transit.len(), transit.copies(), transit.next_due_ns()), (6, 12, Some(10)));
        assert!(transit.take_due(9).is_none(), "not due yet");
        let mut taken = Vec::new();
        for now_ns in [10, 55, 1_000] {
            while let Some(packet) = transit.take_due(now_ns) {
                taken.push((now_ns, packet.due_ns, packet.number));
            }
        }
        let expected =
            [(10, 10, 1), (10, 10, 4), (55, 50, 0), (55, 50, 2), (1_000, 60, 5), (1_000, 70, 3)];
        assert_eq!(taken, expected);
        assert_eq!((transit.len(), transit.copies(), transit.next_due_ns()), (0, 0, None));
    }
}
