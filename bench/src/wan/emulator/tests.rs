//! Emulated links between real namespaces. They take `/dev/net/tun` and the right to make namespaces.

use super::*;
use crate::wan::capture::Event;
use crate::wan::link::{Kind, packet};
use lastmile_tuning::link::add_address;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// Longer than anything here takes on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(30);

const HOSTS: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];

struct Lab {
    hosts: [Namespace; 2],
    links: Emulator,
}

/// Two hosts and a link; `None`, with a word, where that is not allowed.
fn lab(forth: Conditions, back: Conditions) -> Option<Lab> {
    let hosts = match (Namespace::new(), Namespace::new()) {
        (Ok(one), Ok(other)) => [one, other],
        (Err(error), _) | (_, Err(error)) => {
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            eprintln!("skipped: a network namespace takes CAP_SYS_ADMIN");
            return None;
        }
    };
    if !std::path::Path::new("/dev/net/tun").exists() {
        eprintln!("skipped: there is no /dev/net/tun");
        return None;
    }
    let links = Emulator::start(vec![ends(&hosts, forth, back)], 1).unwrap();
    for (host, address) in hosts.iter().zip(HOSTS) {
        host.run(|| {
            add_address("wan0", address.into(), 24)?;
            let [.., last] = address.octets();
            add_address("wan0", Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()).into(), 64)
        })
        .unwrap();
    }
    Some(Lab { hosts, links })
}

fn ends(hosts: &[Namespace; 2], forth: Conditions, back: Conditions) -> LinkEnds {
    let end = |host: &Namespace| End { namespace: host.clone(), device: "wan0".to_owned() };
    LinkEnds { ends: [end(&hosts[0]), end(&hosts[1])], mtu_octets: MTU_OCTETS, forth, back }
}

fn delayed(ms: u64) -> Conditions {
    Conditions::of_delay(Duration::from_millis(ms))
}

impl Lab {
    /// A socket of a host.
    fn udp(&self, host: usize) -> UdpSocket {
        let socket = self.hosts[host].run(|| UdpSocket::bind((HOSTS[host], 0))).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    /// A connection from the first host to the second.
    fn tcp(&self) -> (TcpStream, TcpStream) {
        let listener = self.hosts[1].run(|| TcpListener::bind((HOSTS[1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let client = self.hosts[0].run(|| TcpStream::connect_timeout(&address, PATIENCE)).unwrap();
        let (server, _) = listener.accept().unwrap();
        for stream in [&client, &server] {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.set_nodelay(true).unwrap();
        }
        (client, server)
    }
}

/// Looks until there is what is looked for.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "no {what} within {PATIENCE:?}");
        thread::yield_now();
    }
}

/// Packets that entered, arrived and were dropped in a direction, as they were captured.
fn seen(measurement: &Measurement, way: Way, event: Event) -> usize {
    measurement.packets.iter().filter(|packet| packet.way == way && packet.event == event).count()
}

#[test]
fn a_ping_pong_takes_at_least_the_delay_of_both_ways() {
    let Some(lab) = lab(delayed(7), delayed(4)) else { return };
    let (ping, pong) = (lab.udp(0), lab.udp(1));
    lab.links.begin_measurement().unwrap();
    for round in 0..20_u8 {
        let start = Instant::now();
        ping.send_to(&[round; 100], pong.local_addr().unwrap()).unwrap();
        let mut octets = [0; 200];
        let (length, from) = pong.recv_from(&mut octets).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(7));
        pong.send_to(&octets[..length], from).unwrap();
        let length = ping.recv(&mut octets).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(11));
        assert_eq!(octets[..length], [round; 100]);
    }
    let measurement = lab.links.end_measurement().unwrap();
    for (way, delay_ns) in [(Way::Forth, 7_000_000), (Way::Back, 4_000_000)] {
        let counts = measurement.counts[0].of(way);
        assert_eq!((counts.entered, counts.arrived), (20, 20), "{counts:?}");
        assert_eq!((counts.octets, counts.dropped(), counts.under_way), (20 * 128, 0, 0));
        let times = |event| {
            let packets = measurement.packets.iter();
            packets.filter(move |packet| packet.way == way && packet.event == event)
        };
        let (entered, arrived) = (times(Event::Entered), times(Event::Arrived));
        assert!(entered.zip(arrived).all(|(one, other)| other.at_ns >= one.at_ns + delay_ns));
    }
    assert_eq!(measurement.packets.len(), 80);
    assert!(measurement.packets.is_sorted_by_key(|packet| packet.at_ns));
    assert_eq!(measurement.lateness_ns.len(), 40);
    assert_eq!(measurement.not_captured, 0);
}

#[test]
fn the_first_syn_ack_is_dropped_and_seen_in_the_capture() {
    let back = Conditions { drops: vec!["SYN-ACK 1".parse().unwrap()], ..delayed(2) };
    let Some(lab) = lab(delayed(2), back) else { return };
    lab.links.begin_measurement().unwrap();
    let (mut client, mut server) = lab.tcp();
    client.write_all(b"who is there?").unwrap();
    server.read_exact(&mut [0; 13]).unwrap();
    let measurement = lab.links.end_measurement().unwrap();
    let syn_acks: Vec<_> = measurement
        .packets
        .iter()
        .filter(|seen| packet::classify(&seen.kept) == Some(Kind::SynAck))
        .map(|seen| (seen.way, seen.event))
        .take(3)
        .collect();
    assert_eq!(
        syn_acks,
        [Event::Scripted, Event::Entered, Event::Arrived].map(|event| (Way::Back, event))
    );
    assert_eq!(measurement.counts[0].back.scripted, 1);
    assert_eq!(seen(&measurement, Way::Back, Event::Scripted), 1);
}

#[test]
fn content_comes_whole_through_loss_and_disorder() {
    let bad = Conditions {
        jitter: Duration::from_millis(1),
        reorder: true,
        loss: "3%".parse().unwrap(),
        duplicate: "3%".parse().unwrap(),
        rate: Some("200Mbit/s".parse().unwrap()),
        queue: "30 packets".parse().unwrap(),
        ..delayed(1)
    };
    let Some(lab) = lab(bad.clone(), bad) else { return };
    lab.links.begin_measurement().unwrap();
    let (mut client, mut server) = lab.tcp();
    let content: Vec<u8> = (0..300_000_u32).map(|at| (at ^ (at >> 8)) as u8).collect();
    let sent = content.clone();
    let sender = thread::spawn(move || {
        server.write_all(&sent).unwrap();
        server
    });
    let mut received = vec![0; content.len()];
    client.read_exact(&mut received).unwrap();
    assert!(received == content);
    drop(sender.join().unwrap());
    let measurement = lab.links.end_measurement().unwrap();
    for way in [Way::Forth, Way::Back] {
        let counts = measurement.counts[0].of(way);
        assert_eq!(
            counts.entered + counts.duplicated,
            counts.arrived + counts.dropped() + counts.refused + counts.under_way,
            "{counts:?}"
        );
    }
    let back = &measurement.counts[0].back;
    assert!(back.lost > 0 && back.duplicated > 0, "{back:?}");
    assert_eq!(seen(&measurement, Way::Back, Event::Lost) as u64, back.lost);
    assert_eq!(seen(&measurement, Way::Back, Event::Overflowed) as u64, back.overflowed);
    assert!(back.queue_max.packets <= 30);
}

#[test]
fn packets_have_at_most_the_mtu() {
    let Some(lab) = lab(delayed(0), delayed(0)) else { return };
    lab.links.begin_measurement().unwrap();
    let (mut client, mut server) = lab.tcp();
    server.write_all(&[1; 200_000]).unwrap();
    client.read_exact(&mut [0; 200_000]).unwrap();
    let measurement = lab.links.end_measurement().unwrap();
    let sizes: BTreeSet<_> = measurement.packets.iter().map(|packet| packet.octets).collect();
    assert_eq!(sizes.last().copied(), Some(1_500), "no segment is longer than a packet: {sizes:?}");
}

#[test]
fn ipv6_is_carried_and_idle_hosts_say_nothing() {
    let Some(lab) = lab(delayed(1), delayed(1)) else { return };
    lab.links.begin_measurement().unwrap();
    let at = |last| SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last), 7));
    // An address is of use a moment later: the kernel looks for duplicates of it, though a TUN device has no neighbours.
    let bound = |host: usize, last| {
        wait_for("address", || match lab.hosts[host].run(|| UdpSocket::bind(at(last))) {
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => None,
            other => Some(other.unwrap()),
        })
    };
    let (sender, receiver) = (bound(0, 1), bound(1, 2));
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    sender.send_to(b"6", at(2)).unwrap();
    receiver.recv(&mut [0; 10]).unwrap();
    let measurement = lab.links.end_measurement().unwrap();
    let versions: Vec<_> = measurement.packets.iter().map(|packet| packet.kept[0] >> 4).collect();
    assert_eq!(versions, [6, 6], "it entered, and it arrived");
}

#[test]
fn no_more_are_under_way_than_memory_is_set_aside_for() {
    // Whoever stops packets for an hour, and does not stop sending.
    let Some(mut lab) = lab(delayed(0), delayed(0)) else { return };
    let hosts = lab.hosts.clone();
    drop(lab.links);
    let hour = Conditions::of_delay(Duration::from_secs(3_600));
    let short = LinkEnds { mtu_octets: 100, ..ends(&hosts, hour, delayed(0)) };
    lab.links = Emulator::start(vec![short], 1).unwrap();
    hosts[0].run(|| add_address("wan0", HOSTS[0].into(), 24)).unwrap();
    let from = lab.udp(0);
    from.connect((HOSTS[1], 7)).unwrap();
    let too_many = transit::UNDER_WAY_MAX as u64 + 500;
    let mut sent = 0;
    while sent < too_many {
        // Less than the device's queue holds.
        let round = (too_many - sent).min(5_000);
        for _ in 0..round {
            from.send(b"ever so many").unwrap();
        }
        sent += round;
        wait_for("packets that were sent", || {
            (lab.links.counts().unwrap()[0].forth.entered >= sent).then_some(())
        });
    }
    let counts = lab.links.counts().unwrap()[0].forth;
    assert_eq!(counts.under_way, transit::UNDER_WAY_MAX as u64);
    assert_eq!((counts.overflowed, counts.arrived), (500, 0));
}

#[test]
fn conditions_can_be_set_while_it_runs() {
    let Some(lab) = lab(delayed(0), delayed(0)) else { return };
    let (from, to) = (lab.udp(0), lab.udp(1));
    let address = to.local_addr().unwrap();
    let all_lost = Conditions { loss: "100%".parse().unwrap(), ..delayed(0) };
    lab.links.set(0, Way::Forth, all_lost).unwrap();
    // An answer to any question comes after what was asked before.
    lab.links.counts().unwrap();
    from.send_to(b"lost", address).unwrap();
    wait_for("lost packet", || (lab.links.counts().unwrap()[0].forth.lost >= 1).then_some(()));
    lab.links.set(0, Way::Forth, delayed(1)).unwrap();
    lab.links.counts().unwrap();
    from.send_to(b"arrives", address).unwrap();
    let mut octets = [0; 10];
    assert_eq!(to.recv(&mut octets).unwrap(), b"arrives".len());
    let error = lab.links.set(1, Way::Forth, delayed(1)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(lab.links.end_measurement().unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_host_whose_device_is_down_refuses() {
    let Some(lab) = lab(delayed(0), delayed(0)) else { return };
    let (from, to) = (lab.udp(0), lab.udp(1));
    lab.hosts[1].run(|| lastmile_tuning::link::down("wan0")).unwrap();
    from.send_to(b"nobody is there", to.local_addr().unwrap()).unwrap();
    let counts = wait_for("end of the packet", || {
        let counts = lab.links.counts().unwrap()[0].forth;
        (counts.refused + counts.arrived > 0).then_some(counts)
    });
    assert_eq!((counts.entered, counts.refused, counts.arrived), (1, 1, 0));
}

#[test]
fn a_device_that_has_gone_is_an_error_and_no_panic() {
    let Some(lab) = lab(delayed(0), delayed(0)) else { return };
    let gone = lab.hosts[1].run(|| {
        let status = std::process::Command::new("ip").args(["link", "del", "wan0"]).status();
        status.map(|status| status.success())
    });
    match gone {
        Ok(is_gone) => assert!(is_gone),
        Err(error) => {
            eprintln!("skipped: ip: {error}");
            return;
        }
    }
    let error = wait_for("error", || lab.links.counts().err());
    assert!(error.to_string().contains("\"wan0\""), "{error}");
    assert!(lab.links.begin_measurement().is_err());
}

#[test]
fn devices_go_away_with_their_emulator() {
    let Some(lab) = lab(delayed(0), delayed(0)) else { return };
    let index = |host: &Namespace| host.run(|| lastmile_tuning::link::index("wan0"));
    let other = Emulator::start(vec![ends(&lab.hosts, delayed(0), delayed(0))], 1).unwrap_err();
    assert!(other.to_string().contains("\"wan0\""), "its name is taken: {other}");
    index(&lab.hosts[0]).unwrap();
    drop(lab.links);
    for host in &lab.hosts {
        assert_eq!(index(host).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
