//! Packets made by hand for tests, and whole downloads as a simple sender and receiver would have them. It shares
//! nothing with what reads them.

use super::capture::{Event, KEPT_OCTETS, Packet, Way};

/// Octets of content in a full segment: 1,500 less the heads and timestamps.
pub(super) const SEGMENT: u32 = 1448;

/// One packet of TCP.
#[derive(Clone)]
pub(super) struct Tcp {
    /// The client's; a server has 80.
    pub(super) port: u16,
    pub(super) flags: u8,
    pub(super) sequence: u32,
    pub(super) acknowledgement: u32,
    pub(super) window: u16,
    pub(super) options: Vec<u8>,
    pub(super) content_octets: u32,
    pub(super) content: &'static [u8],
    pub(super) is_six: bool,
}

pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const ACK: u8 = 16;

/// MSS 1460, SACK permitted, timestamps, a filler, window scale 7.
pub(super) const OFFER: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];

impl Tcp {
    pub(super) fn new(port: u16, flags: u8, sequence: u32, acknowledgement: u32) -> Self {
        Self {
            port,
            flags,
            sequence,
            acknowledgement,
            window: 501,
            options: Vec::new(),
            content_octets: 0,
            content: b"",
            is_six: false,
        }
    }

    pub(super) fn options(mut self, options: &[u8]) -> Self {
        self.options = options.to_vec();
        self
    }

    pub(super) fn content(mut self, content: &'static [u8]) -> Self {
        self.content_octets = u32::try_from(content.len()).unwrap();
        self.content = content;
        self
    }

    pub(super) fn octets(mut self, content_octets: u32) -> Self {
        self.content_octets = content_octets;
        self
    }

    /// A selective acknowledgement of one range.
    pub(super) fn selective(self, from: u32, to: u32) -> Self {
        let mut options = vec![1, 1, 5, 10];
        options.extend(from.to_be_bytes());
        options.extend(to.to_be_bytes());
        self.options(&options)
    }

    /// The whole packet as octets, without what of the content nobody cares for.
    fn written(&self, way: Way) -> (Vec<u8>, u16) {
        let mut options = self.options.clone();
        options.resize(options.len().next_multiple_of(4), 1);
        let tcp_octets = 20 + u32::try_from(options.len()).unwrap();
        let (client, server) = ((1, self.port), (2, 80));
        let (from, to) = if way == Way::Back { (server, client) } else { (client, server) };
        let mut octets = Vec::new();
        let total = tcp_octets + self.content_octets + if self.is_six { 40 } else { 20 };
        let total = u16::try_from(total).unwrap();
        if self.is_six {
            octets.extend([0x60, 0, 0, 0]);
            octets.extend((total - 40).to_be_bytes());
            octets.extend([6, 64]);
            for (host, _) in [from, to] {
                octets.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host]);
            }
        } else {
            octets.extend([0x45, 0]);
            octets.extend(total.to_be_bytes());
            octets.extend([0, 0, 0x40, 0, 64, 6, 0, 0, 10, 77, 0, from.0, 10, 77, 0, to.0]);
        }
        octets.extend(from.1.to_be_bytes());
        octets.extend(to.1.to_be_bytes());
        octets.extend(self.sequence.to_be_bytes());
        octets.extend(self.acknowledgement.to_be_bytes());
        octets.extend([u8::try_from(tcp_octets).unwrap() << 2, self.flags]);
        octets.extend(self.window.to_be_bytes());
        octets.extend([0; 4]);
        octets.extend(options);
        octets.extend(self.content);
        (octets, total)
    }

    pub(super) fn packet(&self, at_us: u64, link: u16, way: Way, event: Event) -> Packet {
        let (mut kept, octets) = self.written(way);
        kept.truncate(KEPT_OCTETS);
        // Some clock that began long before.
        Packet { at_ns: 7_000_000_000 + at_us * 1000, link, way, event, octets, kept }
    }
}

/// Everything that a link saw.
#[derive(Default)]
pub(super) struct Made {
    pub(super) packets: Vec<Packet>,
    pub(super) link: u16,
    /// One way.
    pub(super) delay_us: u64,
}

impl Made {
    pub(super) fn new(link: u16, delay_us: u64) -> Self {
        Self { packets: Vec::new(), link, delay_us }
    }

    /// Sends it, and it arrives.
    pub(super) fn send(&mut self, at_us: u64, way: Way, tcp: &Tcp) {
        self.packets.push(tcp.packet(at_us, self.link, way, Event::Entered));
        self.packets.push(tcp.packet(at_us + self.delay_us, self.link, way, Event::Arrived));
    }

    /// Sends it, and the link drops it.
    pub(super) fn drop(&mut self, at_us: u64, way: Way, tcp: &Tcp, event: Event) {
        self.packets.push(tcp.packet(at_us, self.link, way, event));
    }

    /// A handshake, then a request from the client, forth. Returns when the request arrives.
    pub(super) fn open(&mut self, at_us: u64, port: u16, initial: [u32; 2]) -> u64 {
        let [client, server] = initial;
        let (client_next, server_next) = (client.wrapping_add(1), server.wrapping_add(1));
        let round_us = 2 * self.delay_us;
        let syn = Tcp::new(port, SYN, client, 0).options(&OFFER);
        self.send(at_us, Way::Forth, &syn);
        let answer = Tcp::new(port, SYN | ACK, server, client_next).options(&OFFER);
        self.send(at_us + self.delay_us, Way::Back, &answer);
        let acknowledged = Tcp::new(port, ACK, client_next, server_next);
        self.send(at_us + round_us, Way::Forth, &acknowledged);
        self.send(
            at_us + round_us,
            Way::Forth,
            &acknowledged.content(b"GET /bytes/30720 HTTP/1.1"),
        );
        at_us + round_us + self.delay_us
    }

    /// Content from a server, back: slow start from `window` segments, an acknowledgement for each two of them, and
    /// the drop of the segments at these places of their first sending, which are sent again at the head of the next
    /// flight. A flight begins when the first acknowledgement of the one before arrives. Returns when the last does.
    pub(super) fn download(&mut self, download: &Download<'_>) -> u64 {
        let &Download { mut at_us, mut window, octets, spacing_us, dropped, .. } = download;
        let count = octets.div_ceil(SEGMENT);
        let (mut next, mut again) = (0, Vec::new());
        let mut received = vec![false; count as usize];
        loop {
            let fresh =
                count.min((next + window).saturating_sub(u32::try_from(again.len()).unwrap()));
            let flight: Vec<u32> = again.iter().copied().chain(next..fresh).collect();
            let (mut lost, mut answers_us) = (Vec::new(), Vec::new());
            for (place, segment) in (0_u64..).zip(&flight) {
                let sent_us = at_us + place * spacing_us;
                let sent = download.segment(*segment);
                if dropped.contains(segment) && !again.contains(segment) {
                    self.drop(sent_us, Way::Back, &sent, Event::Overflowed);
                    lost.push(*segment);
                    continue;
                }
                self.send(sent_us, Way::Back, &sent);
                received[*segment as usize] = true;
                let is_last = place + 1 == flight.len() as u64;
                if place % 2 == 1 || is_last || !lost.is_empty() {
                    let told = download.told(&received, *segment);
                    self.send(sent_us + self.delay_us, Way::Forth, &told);
                    answers_us.push(sent_us + 2 * self.delay_us);
                }
            }
            window = if lost.is_empty() { window * 2 } else { (window / 2).max(2) };
            (next, again) = (next.max(fresh), lost);
            if next == count && again.is_empty() {
                return *answers_us.last().unwrap();
            }
            at_us = answers_us.first().copied().unwrap_or(at_us + 200_000) + 1;
        }
    }
}

/// What a server sends.
#[derive(Clone, Copy)]
pub(super) struct Download<'a> {
    pub(super) at_us: u64,
    pub(super) port: u16,
    /// The sequence number of the first octet.
    pub(super) first: u32,
    /// Segments of the first flight.
    pub(super) window: u32,
    pub(super) octets: u32,
    /// Between two segments of a flight.
    pub(super) spacing_us: u64,
    pub(super) dropped: &'a [u32],
}

impl Download<'_> {
    pub(super) const F1: Self = Self {
        at_us: 0,
        port: 40_000,
        first: 1,
        window: 2,
        octets: 30_720,
        spacing_us: 10,
        dropped: &[],
    };

    fn sequence(&self, segment: u32) -> u32 {
        self.first.wrapping_add(self.octets.min(segment * SEGMENT))
    }

    fn segment(&self, segment: u32) -> Tcp {
        let octets = SEGMENT.min(self.octets - segment * SEGMENT);
        Tcp::new(self.port, ACK, self.sequence(segment), 1).octets(octets)
    }

    /// An acknowledgement after `latest` came.
    fn told(&self, received: &[bool], latest: u32) -> Tcp {
        let hole = u32::try_from(received.iter().take_while(|has| **has).count()).unwrap();
        let told = Tcp::new(self.port, ACK, 1, self.sequence(hole));
        if latest < hole {
            return told;
        }
        let run = received[..latest as usize].iter().rev().take_while(|has| **has).count();
        let run = u32::try_from(run).unwrap();
        told.selective(self.sequence(latest - run), self.sequence(latest + 1))
    }
}
