//! Sending one packet after the other at a rate, and the queue of those that wait for it.

use super::QueueMax;
use super::conditions::{Conditions, Queue};
use std::collections::VecDeque;

/// The sending end of a link.
#[derive(Clone, Debug, Default)]
pub(super) struct Serialiser {
    /// When each packet that is not sent yet will be, and its octets: the first is being sent, the others wait.
    unsent: VecDeque<(u64, usize)>,
    /// Octets of all of them.
    unsent_octets: usize,
    queue_max: QueueMax,
}

impl Serialiser {
    /// When a packet that comes now will have been sent; `None` if there is no room for it.
    pub(super) fn send(
        &mut self,
        now_ns: u64,
        octets: usize,
        conditions: &Conditions,
    ) -> Option<u64> {
        let Some(rate) = conditions.rate else { return Some(now_ns) };
        while let Some((sent_ns, octets)) = self.unsent.front().copied()
            && sent_ns <= now_ns
        {
            self.unsent.pop_front();
            self.unsent_octets -= octets;
        }
        let begins_ns = self.unsent.back().map_or(now_ns, |(sent_ns, _)| *sent_ns);
        if let Some((_, being_sent)) = self.unsent.front() {
            let packets = self.unsent.len();
            let waiting = self.unsent_octets - being_sent + octets;
            let has_room = match conditions.queue {
                Queue::Packets(most) => packets <= most,
                Queue::Octets(most) => waiting <= most,
            };
            if !has_room {
                return None;
            }
            self.queue_max.packets = self.queue_max.packets.max(packets);
            self.queue_max.octets = self.queue_max.octets.max(waiting);
        }
        let sent_ns = begins_ns + rate.sending_ns(octets);
        self.unsent.push_back((sent_ns, octets));
        self.unsent_octets += octets;
        Some(sent_ns)
    }

    pub(super) fn queue_max(&self) -> QueueMax {
        self.queue_max
    }

    pub(super) fn forget_queue_max(&mut self) {
        self.queue_max = QueueMax::default();
    }
}
