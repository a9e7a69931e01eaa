//! The capture of a measurement, as the thread writes it: flat records in chunks, so that one costs a copy.

use crate::wan::capture::{Event, KEPT_OCTETS, Packet, Way};

/// Events that a capture may have; what comes on top is only counted. A million is 4 s of 1 Gbit/s, and 112 MB here,
/// and somewhat more as [`Packet`]s.
const EVENTS_MAX: usize = 1_000_000;

/// Records of a chunk: 112 kB, below what the allocator gets from the kernel and gives back each time.
const CHUNK_RECORDS: usize = 1_000;

struct Record {
    at_ns: u64,
    direction: u16,
    octets: u16,
    kept_octets: u8,
    event: Event,
    kept: [u8; KEPT_OCTETS],
}

/// What was seen since a measurement began.
#[derive(Default)]
pub(super) struct Recorder {
    chunks: Vec<Vec<Record>>,
    not_captured: u64,
}

impl Recorder {
    /// Something happened to a packet in a direction: twice the place of its link, and 1 more for the way back.
    pub(super) fn record(&mut self, at_ns: u64, direction: usize, event: Event, packet: &[u8]) {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_RECORDS) {
            if self.chunks.len() == EVENTS_MAX / CHUNK_RECORDS {
                self.not_captured += 1;
                return;
            }
            self.chunks.push(Vec::with_capacity(CHUNK_RECORDS));
        }
        let Some(chunk) = self.chunks.last_mut() else { return };
        let octets = packet.len().min(KEPT_OCTETS);
        let mut kept = [0; KEPT_OCTETS];
        kept[..octets].copy_from_slice(&packet[..octets]);
        chunk.push(Record {
            at_ns,
            direction: direction as u16,
            // Both fit: an IP packet has at most 65,535 octets, and KEPT_OCTETS are below 256.
            octets: packet.len() as u16,
            kept_octets: octets as u8,
            event,
            kept,
        });
    }

    /// What was seen, and how much more there was.
    pub(super) fn packets(self) -> (Vec<Packet>, u64) {
        let count = self.chunks.iter().map(Vec::len).sum();
        let mut packets = Vec::with_capacity(count);
        for chunk in self.chunks {
            packets.extend(chunk.iter().map(|record| Packet {
                at_ns: record.at_ns,
                link: record.direction / 2,
                way: if record.direction.is_multiple_of(2) { Way::Forth } else { Way::Back },
                event: record.event,
                octets: record.octets,
                kept: record.kept[..record.kept_octets.into()].to_vec(),
            }));
        }
        (packets, self.not_captured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_is_bounded() {
        let mut recorder = Recorder::default();
        for at_ns in 0..EVENTS_MAX as u64 + 3 {
            recorder.record(at_ns, 5, Event::Lost, &[7; 100]);
        }
        let (packets, not_captured) = recorder.packets();
        assert_eq!((packets.len(), not_captured), (EVENTS_MAX, 3));
        let expected = Packet {
            at_ns: EVENTS_MAX as u64 - 1,
            link: 2,
            way: Way::Back,
            event: Event::Lost,
            octets: 100,
            kept: vec![7; KEPT_OCTETS],
        };
        assert_eq!(packets.last(), Some(&expected));
    }
}
