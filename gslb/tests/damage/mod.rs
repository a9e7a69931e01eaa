//! Queries that are well-formed, queries that were damaged on the way, and noise; the same for the
//! same seed.

use crate::world;

/// Well-formed queries that damage begins with.
const QUERIES: usize = 4096;
const TYPES: &[u16] = &[
    1, 1, 1, 2, 5, 6, 12, 13, 15, 16, 28, 28, 33, 41, 43, 46, 47, 48, 64, 65, 249, 250, 251, 252,
    255, 257, 0,
];
/// Options that resolvers send: NSID, client subnet, expire, cookie, keepalive, padding, chain, an error, and others.
const OPTIONS: &[u16] = &[3, 8, 8, 8, 9, 10, 10, 11, 12, 13, 15, 65_001];

/// An endless source of packets.
pub struct Packets {
    random: Random,
    queries: Vec<Vec<u8>>,
    packet: Vec<u8>,
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn octet(&mut self) -> u8 {
        self.next() as u8
    }

    fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }
}

impl Packets {
    pub fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let queries = (0..QUERIES).map(|_| query(&mut random)).collect();
        Self { random, queries, packet: Vec::new() }
    }

    /// The next packet: one in eight noise, two as they should be, the others damaged.
    pub fn next(&mut self) -> &[u8] {
        let random = &mut self.random;
        self.packet.clear();
        let kind = random.below(8);
        if kind == 0 {
            noise(random, &mut self.packet);
            return &self.packet;
        }
        self.packet.extend_from_slice(&self.queries[random.below(QUERIES)]);
        if kind > 2 {
            for _ in 0..=random.below(3).saturating_sub(1) {
                let other = &self.queries[random.below(QUERIES)];
                damage(random, &mut self.packet, other);
            }
        }
        &self.packet
    }
}

/// Octets, half of them behind a header that passes for one.
fn noise(random: &mut Random, packet: &mut Vec<u8>) {
    if random.below(2) == 0 {
        packet.extend_from_slice(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01");
    }
    let octets = random.below(100);
    packet.extend((0..octets).map(|_| random.octet()));
}

fn damage(random: &mut Random, packet: &mut Vec<u8>, other: &[u8]) {
    if packet.is_empty() {
        return;
    }
    let at = random.below(packet.len());
    match random.below(10) {
        0 | 1 => packet[at] ^= 1 << random.below(8),
        2 => packet[at] = random.octet(),
        3 => packet.truncate(at),
        4 => {
            // The beginning of one, the end of another.
            packet.truncate(at);
            packet.extend_from_slice(&other[random.below(other.len())..]);
        }
        // A length that lies, in a label, an option or the header's counts: all are small numbers.
        5 => packet[at] = packet[at].wrapping_add(random.pick(&[1, 2, 255, 254, 64, 128])),
        6 => {
            // A pointer: forwards, backwards, to itself.
            let to = random.pick(&[at, 12, at + 2, 0, 0x3fff, at.saturating_sub(1)]);
            let pointer = (0xc000 | to as u16).to_be_bytes();
            for (place, octet) in packet[at..].iter_mut().zip(pointer) {
                *place = octet;
            }
        }
        7 => {
            let count = random.pick(&[4usize, 6, 8, 10, 11, 7, 5]);
            if let Some(place) = packet.get_mut(count) {
                *place = random.pick(&[0, 1, 2, 255]);
            }
        }
        8 => packet.extend((0..=random.below(16)).map(|_| random.octet())),
        // Octets twice.
        _ => {
            let end = (at + 1 + random.below(24)).min(packet.len());
            let again = packet[at..end].to_vec();
            packet.splice(at..at, again);
        }
    }
}

fn query(random: &mut Random) -> Vec<u8> {
    let mut packet = vec![random.octet(), random.octet(), random.pick(&[0, 1]), 0];
    packet[3] = random.pick(&[0, 0, 0x10, 0x20]);
    let is_edns = random.below(3) > 0;
    packet.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, u8::from(is_edns)]);
    let (name, likely) = random.pick(world::NAMES);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        packet.push(label.len() as u8);
        // RFC 1035 §2.3.3: in any case.
        let is_loud = random.below(8) == 0;
        packet.extend(label.bytes().map(|o| if is_loud { o.to_ascii_uppercase() } else { o }));
    }
    let rtype = match random.below(8) {
        0 => random.next() as u16,
        1..4 => random.pick(TYPES),
        _ => likely,
    };
    let class: u16 = if random.below(24) == 0 { random.pick(&[3, 254, 255, 0]) } else { 1 };
    packet.push(0);
    packet.extend_from_slice(&rtype.to_be_bytes());
    packet.extend_from_slice(&class.to_be_bytes());
    if is_edns {
        put_opt(random, &mut packet);
    }
    packet
}

fn put_opt(random: &mut Random, packet: &mut Vec<u8>) {
    let payload: u16 = random.pick(&[0, 512, 513, 600, 700, 1232, 4096, 65_535]);
    let version = u8::from(random.below(24) == 0);
    packet.extend_from_slice(&[0, 0, 41]);
    packet.extend_from_slice(&payload.to_be_bytes());
    packet.extend_from_slice(&[0, version, random.pick(&[0, 0x80]), 0]);
    let mut options = Vec::new();
    let mut has_subnet = false;
    for _ in 0..random.below(4) {
        let code = random.pick(OPTIONS);
        if code == 8 && std::mem::replace(&mut has_subnet, true) {
            continue;
        }
        let data = match code {
            8 => subnet(random),
            10 => (0..random.pick(&[8usize, 8, 16, 24, 40])).map(|_| random.octet()).collect(),
            _ => vec![0; random.below(20)],
        };
        options.extend_from_slice(&code.to_be_bytes());
        options.extend_from_slice(&(data.len() as u16).to_be_bytes());
        options.extend_from_slice(&data);
    }
    packet.extend_from_slice(&(options.len() as u16).to_be_bytes());
    packet.extend_from_slice(&options);
}

/// RFC 7871 §6; one in sixteen has something wrong.
fn subnet(random: &mut Random) -> Vec<u8> {
    let clients: [(u8, &[u8], u8); 8] = [
        (1, &[10, 1, 2, 3], 32),
        (1, &[10, 1, 200, 0], 24),
        (1, &[10, 2, 0, 0], 16),
        (1, &[10, 3, 7, 0], 21),
        (1, &[203, 0, 113, 0], 24),
        (2, &[0x20, 1, 0xd, 0xb8, 0, 1, 0], 56),
        (2, &[0x20, 1, 0xd, 0xb8, 0, 2], 48),
        (0, &[], 0),
    ];
    let (family, address, bits) = random.pick(&clients);
    let mut data = vec![0, family, bits, 0];
    data.extend_from_slice(address);
    data.truncate(4 + usize::from(bits).div_ceil(8));
    if random.below(16) == 0 {
        let at = random.below(data.len());
        data[at] ^= random.octet();
    }
    data
}
