//! A measurement as a pcapng file, for Wireshark, tshark and tcpdump (draft-ietf-opsawg-pcapng). There is an interface
//! for each end of each link; a dropped packet is there with a comment that says why. Times are since the measurement
//! began, in nanoseconds.

use super::capture::{Event, Way};
use super::emulator::Measurement;
use pcap_file::pcapng::PcapNgBlock as _;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::{DataLink, PcapError};
use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

/// `if_tsresol`: negative powers of ten.
const NANOSECONDS: u8 = 9;

/// The protocol field of PPP before each packet (RFC 1661 §2; IPv4: RFC 1332 §2, IPv6: RFC 5072 §3). Packets without
/// one (`LINKTYPE_RAW`) would do, but libpcap 1.10 reads these from a single interface only.
const PPP_IPV4: [u8; 2] = [0x00, 0x21];
const PPP_IPV6: [u8; 2] = [0x00, 0x57];

/// `epb_flags`: which way a packet went through the interface.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// Writes what was captured. `names` are those of the two ends of each link, such as `client: path`; links that have
/// none are called by their places.
///
/// # Errors
/// Those of `file`.
pub fn write(measurement: &Measurement, names: &[[String; 2]], file: impl Write) -> io::Result<()> {
    let mut writer = PcapNgWriter::new(file).map_err(failed)?;
    for link in 0..measurement.counts.len() {
        for end in 0..2 {
            let name = names
                .get(link)
                .map_or_else(|| format!("link {link}, end {end}"), |ends| ends[end].clone());
            let block = InterfaceDescriptionBlock {
                linktype: DataLink::PPP,
                // As much as there is.
                snaplen: 0,
                options: vec![
                    InterfaceDescriptionOption::IfName(Cow::Owned(name)),
                    InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
                ],
            };
            writer.write_block(&block.into_block()).map_err(failed)?;
        }
    }
    for packet in &measurement.packets {
        let is_arrival = packet.event == Event::Arrived;
        let end = u32::from((packet.way == Way::Back) != is_arrival);
        let direction = if is_arrival { INBOUND } else { OUTBOUND };
        let mut options = vec![EnhancedPacketOption::Flags(direction)];
        if let Some(comment) = comment(packet.event) {
            options.push(EnhancedPacketOption::Comment(Cow::Borrowed(comment)));
        }
        let is_ipv6 = packet.kept.first().is_some_and(|octet| octet >> 4 == 6);
        let mut data = if is_ipv6 { PPP_IPV6 } else { PPP_IPV4 }.to_vec();
        data.extend_from_slice(&packet.kept);
        let block = EnhancedPacketBlock {
            interface_id: u32::from(packet.link) * 2 + end,
            timestamp: Duration::from_nanos(packet.at_ns.saturating_sub(measurement.began_ns)),
            original_len: u32::from(packet.octets) + PPP_IPV4.len() as u32,
            data: Cow::Owned(data),
            options,
        };
        writer.write_block(&block.into_block()).map_err(failed)?;
    }
    writer.into_inner().flush()
}

fn comment(event: Event) -> Option<&'static str> {
    match event {
        Event::Entered | Event::Arrived => None,
        Event::Lost => Some("dropped: lost by chance"),
        Event::Overflowed => Some("dropped: the queue was full"),
        Event::Scripted => Some("dropped: as the scenario says"),
    }
}

fn failed(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wan::capture::Packet;
    use crate::wan::emulator::{LinkCounts, measurement::histogram};
    use pcap_file::pcapng::{Block, PcapNgReader};
    use std::process::Command;

    /// The first octets of a SYN from 10.77.0.1 to 10.77.0.2.
    fn packet(at_ns: u64, link: u16, way: Way, event: Event) -> Packet {
        let mut kept = vec![0; 40];
        kept[..4].copy_from_slice(&[0x45, 0, 0, 40]);
        kept[8..10].copy_from_slice(&[64, 6]);
        kept[12..20].copy_from_slice(&[10, 77, 0, 1, 10, 77, 0, 2]);
        kept[20..24].copy_from_slice(&[0x1f, 0x90, 0x1f, 0x91]);
        kept[32..34].copy_from_slice(&[0x50, 0x02]);
        Packet { at_ns, link, way, event, octets: 40, kept }
    }

    fn written() -> Vec<u8> {
        let began_ns = 5_000_000_000;
        let measurement = Measurement {
            began_ns,
            ended_ns: began_ns + 100,
            packets: vec![
                packet(began_ns + 1, 0, Way::Forth, Event::Entered),
                packet(began_ns + 2, 0, Way::Forth, Event::Arrived),
                packet(began_ns + 3, 1, Way::Back, Event::Scripted),
                packet(began_ns + 4, 1, Way::Back, Event::Arrived),
            ],
            not_captured: 0,
            counts: vec![LinkCounts::default(); 2],
            lateness_ns: histogram().unwrap(),
        };
        let names = [["client".to_owned(), "edge".to_owned()]];
        let mut octets = Vec::new();
        write(&measurement, &names, &mut octets).unwrap();
        octets
    }

    #[test]
    fn every_end_has_an_interface_and_drops_say_why() {
        let octets = written();
        let mut reader = PcapNgReader::new(&octets[..]).unwrap();
        let (mut names, mut packets) = (Vec::new(), Vec::new());
        while let Some(block) = reader.next_block() {
            match block.unwrap() {
                Block::InterfaceDescription(found) => {
                    assert!(found.options.contains(&InterfaceDescriptionOption::IfTsResol(9)));
                    names.extend(found.options.iter().find_map(|option| match option {
                        InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
                        _ => None,
                    }));
                }
                Block::EnhancedPacket(found) => {
                    let comment = found.options.iter().find_map(|option| match option {
                        EnhancedPacketOption::Comment(text) => Some(text.to_string()),
                        _ => None,
                    });
                    let at_ns = found.timestamp.as_nanos();
                    packets.push((found.interface_id, at_ns, found.data.len(), comment));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(names, ["client", "edge", "link 1, end 0", "link 1, end 1"]);
        let why = Some("dropped: as the scenario says".to_owned());
        let expected = [(0, 1, 42, None), (1, 2, 42, None), (3, 3, 42, why), (2, 4, 42, None)];
        assert_eq!(packets, expected);
    }

    #[test]
    fn tcpdump_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("wan.pcapng");
        std::fs::write(&file, written()).unwrap();
        let output =
            Command::new("tcpdump").args(["-n", "-tt", "--nano", "-r"]).arg(&file).output();
        match output {
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stdout);
                let lines: Vec<_> = text.lines().collect();
                assert_eq!(lines.len(), 4, "{output:?}");
                assert!(
                    lines[0].contains("IP 10.77.0.1.8080 > 10.77.0.2.8081: Flags [S]"),
                    "{text}"
                );
            }
            Err(error) => eprintln!("skipped: tcpdump: {error}"),
        }
    }
}
