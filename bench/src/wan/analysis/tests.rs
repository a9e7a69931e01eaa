//! Captures made by hand, and what is to be seen in them.

use super::super::capture::{Event, Packet, Way};
use super::super::made::{ACK, Download, FIN, Made, OFFER, RST, SEGMENT, SYN, Tcp};
use super::super::outcome::Plot;
use super::*;
use std::time::Duration;

fn back(packets: &[Packet]) -> Plot {
    plot(packets, 0, Way::Back, "origin to client", None)
}

/// Packets of the flights of one connection.
fn packets_of(plot: &Plot, connection: u32) -> Vec<u32> {
    let flights = plot.flights.iter().filter(|flight| flight.connection == connection);
    flights.map(|flight| flight.packets).collect()
}

/// 80 ms, with a handshake, from these initial sequence numbers.
fn fetched(initial: [u32; 2], download: Download<'_>) -> Made {
    let mut made = Made::new(0, 40_000);
    let at_us = made.open(0, download.port, initial);
    made.download(&Download { at_us, first: initial[1].wrapping_add(1), ..download });
    made
}

#[test]
fn the_first_figure_of_the_lecture() {
    let made = fetched([100, 200], Download::F1);
    let plot = back(&made.packets);
    assert_eq!(packets_of(&plot, 0), [2, 4, 8, 8]);
    assert_eq!(flight_count(&plot), 4);
    assert_eq!(plot.round_trip_ms, Some(80.0));
    let begins: Vec<_> = plot.flights.iter().map(|flight| flight.at_ms).collect();
    assert_eq!(
        begins.iter().map(|at| at.round()).collect::<Vec<_>>(),
        [120.0, 200.0, 280.0, 360.0],
        "SYN at 0, GET at 80, which takes 40"
    );
    assert_eq!(plot.flights.iter().map(|flight| flight.octets).sum::<u64>(), 30_720);
    let last = plot.segments.last().unwrap();
    assert_eq!((last.from + u64::from(last.octets), plot.segments.len()), (30_720, 22));
    assert!(plot.segments.iter().all(|segment| !segment.is_retransmission));
    assert!(
        plot.acknowledged.iter().any(|it| it.at_ms == 80.0 + 40.0 && it.up_to == 0),
        "the handshake's"
    );
    assert_eq!(plot.acknowledged.last().unwrap().up_to, 30_720);
    assert_eq!(plot.acknowledged.last().unwrap().window, Some(501 << 7));
    assert_eq!(plot.arrived_ms.map(f64::round), Some(400.0));
    let marks: Vec<_> = plot.marks.iter().map(|mark| (mark.at_ms, mark.kind)).collect();
    let expected = [(0.0, MarkKind::Syn), (40.0, MarkKind::SynAck), (80.0, MarkKind::Request)];
    assert_eq!(marks, expected);
}

#[test]
fn sequence_numbers_wrap_around() {
    let usual = back(&fetched([100, 200], Download::F1).packets);
    for (server, why) in [
        (u32::MAX, "the first octet is 0"),
        (u32::MAX - 1, "the first octet is the last number"),
        (u32::MAX - 5_000, "within the second flight"),
        ((1 << 31) - 5_000, "the sign of a difference"),
    ] {
        for dropped in [&[][..], &[3]] {
            let made = fetched([u32::MAX, server], Download { dropped, ..Download::F1 });
            let plot = back(&made.packets);
            let from = |plot: &Plot| plot.segments.iter().map(|it| it.from).collect::<Vec<_>>();
            if dropped.is_empty() {
                assert_eq!(from(&plot), from(&usual), "{why}");
            }
            let again: Vec<_> = plot.segments.iter().filter(|it| it.is_retransmission).collect();
            assert_eq!(again.len(), dropped.len(), "{why}");
            assert_eq!(plot.acknowledged.last().unwrap().up_to, 30_720, "{why}");
            assert_eq!(counts(&made.packets, 0, Way::Forth).requests, 1, "{why}");
        }
    }
}

#[test]
fn a_transfer_of_more_than_4_gib() {
    let mut made = Made::new(0, 1_000);
    let step = 1_u32 << 30;
    for turn in 0..6_u32 {
        let at_us = u64::from(turn) * 10_000;
        let sequence = 77_u32.wrapping_add(step * (turn % 4));
        made.send(at_us, Way::Back, &Tcp::new(1, ACK, sequence, 1).octets(1_000));
    }
    let plot = back(&made.packets);
    let from: Vec<_> = plot.segments.iter().map(|segment| segment.from).collect();
    assert_eq!(from, [0, 1, 2, 3, 4, 5].map(|turn| turn * u64::from(step)));
}

#[test]
fn a_number_of_nowhere_does_not_move_a_stream() {
    for far in [1 << 30, (1_u32 << 31) - 50, 1 << 31, (1 << 31) + 50, u32::MAX - 5_000] {
        let mut made = Made::new(0, 1_000);
        for (place, segment) in [(0, 0), (1, 1), (2, 2)] {
            let from = 900 + segment * 1_000;
            made.send(place * 10, Way::Back, &Tcp::new(1, ACK, from, 1).octets(1_000));
            let stray = Tcp::new(1, RST | ACK, 900_u32.wrapping_add(far), 1);
            made.send(place * 10 + 5, Way::Back, &stray);
        }
        let from: Vec<_> = back(&made.packets).segments.iter().map(|it| it.from).collect();
        assert_eq!(from, [0, 1_000, 2_000], "{far}");
    }
}

#[test]
fn losses_and_what_is_sent_again() {
    let made = fetched([1, 2], Download { dropped: &[4, 6], ..Download::F1 });
    let plot = back(&made.packets);
    let lost: Vec<_> = plot.segments.iter().filter(|it| it.event.is_drop()).collect();
    assert_eq!(lost.iter().map(|it| it.from / u64::from(SEGMENT)).collect::<Vec<_>>(), [4, 6]);
    assert!(lost.iter().all(|it| it.event == Event::Overflowed && !it.is_retransmission));
    let again: Vec<_> = plot.segments.iter().filter(|it| it.is_retransmission).collect();
    assert_eq!(
        again.iter().map(|it| it.from).collect::<Vec<_>>(),
        lost.iter().map(|it| it.from).collect::<Vec<_>>()
    );
    let counts = counts(&made.packets, 0, Way::Back);
    assert_eq!((counts.drops, counts.overflows, counts.retransmissions), (2, 2, 2));
    assert!(counts.duplicate_acknowledgements > 0);
    assert_eq!(
        packets_of(&plot, 0)[..3],
        [2, 4, 2],
        "selective acknowledgements end the flight with the hole"
    );
}

#[test]
fn what_overtakes_is_not_sent_again() {
    let mut made = Made::new(0, 5_000);
    // As a link behind one that reorders sees it.
    for (place, segment) in (0_u64..).zip([0, 2, 1, 4, 3]) {
        let tcp = Tcp::new(1, ACK, segment * 100, 1).octets(100);
        made.send(place, Way::Back, &tcp);
    }
    let overlapping = Tcp::new(1, ACK, 450, 1).octets(100);
    made.send(9, Way::Back, &overlapping);
    let plot = back(&made.packets);
    let again: Vec<_> = plot.segments.iter().map(|segment| segment.is_retransmission).collect();
    assert_eq!(again, [false, false, false, false, false, true], "some octets of the last one");
    assert_eq!(
        plot.segments.iter().map(|it| it.from).collect::<Vec<_>>(),
        [0, 200, 100, 400, 300, 450]
    );
}

#[test]
fn the_first_that_is_seen_may_have_overtaken() {
    let mut made = Made::new(0, 5_000);
    for (place, sequence) in (0_u64..).zip([u32::MAX - 99, u32::MAX - 199, 0]) {
        made.send(place, Way::Back, &Tcp::new(1, ACK, sequence, 1).octets(100));
    }
    let from: Vec<_> = back(&made.packets).segments.iter().map(|it| it.from).collect();
    assert_eq!(from, [100, 0, 200]);
}

#[test]
fn what_a_link_duplicates_was_sent_once() {
    let mut made = Made::new(0, 5_000);
    let tcp = Tcp::new(1, ACK, 5, 1).octets(100);
    made.send(0, Way::Back, &tcp);
    made.packets.push(tcp.packet(5_100, 0, Way::Back, Event::Arrived));
    assert_eq!(counts(&made.packets, 0, Way::Back).retransmissions, 0);
    assert_eq!(back(&made.packets).segments.len(), 1);
    assert_eq!(back(&made.packets).arrived_ms, Some(5.0), "the second one brought nothing");
}

#[test]
fn connections_have_their_own_streams_and_flights() {
    let mut made = fetched([1, 2], Download::F1);
    let other = Download { port: 40_001, first: 900, window: 10, at_us: 125_000, ..Download::F1 };
    let at_us = made.open(5_000, 40_001, [7, 899]);
    assert_eq!(at_us, other.at_us);
    made.download(&other);
    // Without any content.
    made.send(1, Way::Forth, &Tcp::new(40_002, SYN, 5, 0).options(&OFFER));
    let plot = back(&made.packets);
    assert_eq!(plot.connections_seen, 2);
    assert_eq!(packets_of(&plot, 0), [2, 4, 8, 8]);
    assert_eq!(packets_of(&plot, 1), [10, 12]);
    assert_eq!(counts(&made.packets, 0, Way::Forth).requests, 2);
    assert_eq!(
        counts(&made.packets, 0, Way::Back).retransmissions,
        0,
        "the same numbers, but of others"
    );
}

#[test]
fn ports_may_be_used_again() {
    let mut made = fetched([1, 2], Download::F1);
    let at_us = made.open(900_000, Download::F1.port, [5_001, 2]);
    made.download(&Download { at_us, first: 3, ..Download::F1 });
    let plot = back(&made.packets);
    assert_eq!(
        (plot.connections_seen, counts(&made.packets, 0, Way::Back).retransmissions),
        (2, 0)
    );
    assert_eq!(counts(&made.packets, 0, Way::Forth).syn_retransmissions, 0);
    assert_eq!(counts(&made.packets, 0, Way::Forth).requests, 2);
}

#[test]
fn a_lost_syn_ack() {
    let mut made = Made::new(0, 40_000);
    let syn = Tcp::new(1, SYN, 10, 0).options(&OFFER);
    let answer = Tcp::new(1, SYN | ACK, 20, 11).options(&OFFER);
    made.send(0, Way::Forth, &syn);
    made.drop(40_000, Way::Back, &answer, Event::Scripted);
    made.send(240_000, Way::Back, &answer);
    made.send(280_000, Way::Forth, &Tcp::new(1, ACK, 11, 21).content(b"GET / HTTP/1.1"));
    made.send(320_000, Way::Back, &Tcp::new(1, ACK, 21, 25).octets(10));
    let found = handshakes(&made.packets, 0);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].syn_retransmissions, found[0].syn_ack_retransmissions), (0, 1));
    assert_eq!(found[0].round_trip_ms, Some(80.0), "what was waited for does not count");
    let counted = counts(&made.packets, 0, Way::Back);
    assert_eq!(
        (counted.drops, counted.syn_ack_retransmissions, counted.retransmissions),
        (1, 1, 0)
    );
    assert_eq!(back(&made.packets).segments[0].at_ms, 320.0);
    // The client's SYN is sent again, and answered again.
    let mut made = Made::new(0, 40_000);
    made.drop(0, Way::Forth, &syn, Event::Scripted);
    made.send(1_000_000, Way::Forth, &syn);
    made.send(1_040_000, Way::Back, &answer);
    made.send(1_080_000, Way::Forth, &Tcp::new(1, ACK, 11, 21));
    let found = handshakes(&made.packets, 0);
    assert_eq!((found[0].syn_retransmissions, found[0].syn_ack_retransmissions), (1, 0));
    assert_eq!(found[0].round_trip_ms, Some(80.0));
    assert_eq!(counts(&made.packets, 0, Way::Forth).syn_retransmissions, 1);
}

#[test]
fn a_round_trip_seen_within_a_path() {
    let mut made = Made::new(0, 10_000);
    // 30 ms before this link, 20 ms behind it: 2 * (30 + 10 + 20) = 120.
    made.send(30_000, Way::Forth, &Tcp::new(1, SYN, 10, 0).options(&OFFER));
    made.send(80_000, Way::Back, &Tcp::new(1, SYN | ACK, 20, 11).options(&OFFER));
    made.send(150_000, Way::Forth, &Tcp::new(1, ACK, 11, 21));
    assert_eq!(handshakes(&made.packets, 0)[0].round_trip_ms, Some(120.0));
}

#[test]
fn options_of_the_handshake() {
    let bare = [2, 4, 5, 180];
    for (offer, answer, selective, scale, timestamps, why) in [
        (&OFFER[..], &OFFER[..], true, Some(7), true, "both"),
        (&OFFER, &bare, false, None, false, "a cookie without timestamps carries nothing"),
        (&bare, &OFFER, false, None, false, "not offered"),
        (&[], &[], false, None, false, "none at all"),
        (&[3, 3, 2, 1, 4, 2, 0, 0], &OFFER, true, Some(7), false, "the answer's scale"),
        (&[8, 10, 0], &OFFER, false, None, false, "an option that ends behind the head"),
        (&[8, 0, 4, 2], &OFFER, false, None, false, "an option of no length"),
    ] {
        let mut made = Made::new(0, 1_000);
        made.send(0, Way::Forth, &Tcp::new(1, SYN, 1, 0).options(offer));
        made.send(1_000, Way::Back, &Tcp::new(1, SYN | ACK, 1, 2).options(answer));
        let agreed = handshakes(&made.packets, 0)[0].agreed();
        let found = (agreed.selective, agreed.window_scale, agreed.timestamps);
        assert_eq!(found, (selective, scale, timestamps), "{why}");
    }
}

#[test]
fn windows_are_scaled_by_who_tells_them() {
    let scale_2 = [1, 3, 3, 2];
    for (answer, window, why) in
        [(&OFFER[..], 501 << 2, "the client's scale"), (&[2, 4, 5, 180], 501, "not agreed on")]
    {
        let mut made = Made::new(0, 1_000);
        made.send(0, Way::Forth, &Tcp::new(1, SYN, 1, 0).options(&scale_2));
        made.send(1_000, Way::Back, &Tcp::new(1, SYN | ACK, 1, 2).options(answer));
        made.send(2_000, Way::Forth, &Tcp::new(1, ACK, 2, 2).content(b"GET / HTTP/1.1"));
        made.send(3_000, Way::Back, &Tcp::new(1, ACK, 2, 16).octets(9));
        made.send(4_000, Way::Forth, &Tcp::new(1, ACK, 16, 11));
        let acknowledged = back(&made.packets).acknowledged;
        assert!(acknowledged.iter().all(|it| it.window == Some(window)), "{why}: {acknowledged:?}");
    }
}

#[test]
fn a_connection_that_was_open_before() {
    let mut made = Made::new(0, 40_000);
    let request = Tcp::new(1, ACK, 900, 5_000).content(b"GET /bytes/30720 HTTP/1.1");
    made.send(0, Way::Forth, &request);
    let after = made.download(&Download {
        at_us: 40_000,
        port: 1,
        first: 5_000,
        window: 22,
        ..Download::F1
    });
    // A second object, much later.
    made.send(after + 1_500_000, Way::Forth, &request);
    made.download(&Download {
        at_us: after + 1_540_000,
        port: 1,
        first: 5_000 + 30_720,
        window: 10,
        ..Download::F1
    });
    let asked = Some(Duration::from_millis(80));
    for asked in [asked, None] {
        let plot = plot(&made.packets, 0, Way::Back, "", asked);
        assert_eq!(packets_of(&plot, 0), [22, 10, 12]);
        assert!((79.9..80.1).contains(&plot.round_trip_ms.unwrap()));
        assert_eq!(plot.segments[0].from, 0, "counted from what was seen first");
        assert_eq!(plot.acknowledged.last().unwrap().window, None, "nobody knows the scale");
        assert_eq!(plot.acknowledged.last().unwrap().up_to, 2 * 30_720);
    }
    assert!(handshakes(&made.packets, 0).is_empty());
}

#[test]
fn pacing_does_not_shatter_flights() {
    for (spacing_us, flights, why) in [
        (10, &[8, 14][..], "as fast as can be"),
        (1_000, &[8, 14], "within a part of a round trip"),
        (5_000, &[8, 14], "within nearly the whole"),
        (9_000, &[8, 10, 4], "14 packets take 126 ms: a flight for each round trip"),
    ] {
        let made = fetched([1, 2], Download { spacing_us, window: 8, ..Download::F1 });
        assert_eq!(packets_of(&back(&made.packets), 0), flights, "{spacing_us} us: {why}");
    }
}

#[test]
fn a_flight_that_was_lost_as_a_whole_ends_with_the_pause() {
    let mut made = Made::new(0, 40_000);
    let at_us = made.open(0, 1, [1, 2]);
    let tcp = |segment: u32| Tcp::new(1, ACK, 3 + segment * SEGMENT, 1).octets(SEGMENT);
    for segment in 0..4 {
        made.drop(at_us, Way::Back, &tcp(segment), Event::Lost);
    }
    made.send(at_us + 300_000, Way::Back, &tcp(0));
    made.send(at_us + 380_000, Way::Back, &tcp(1));
    let plot = back(&made.packets);
    assert_eq!(
        packets_of(&plot, 0),
        [4, 2],
        "a pause of 300 ms, and one no longer than a round trip"
    );
    assert_eq!(counts(&made.packets, 0, Way::Back).retransmissions, 2);
}

#[test]
fn a_request_counts_once_when_it_has_entered() {
    let mut made = Made::new(0, 1_000);
    let get = Tcp::new(1, ACK, 5, 5).content(b"GET /a HTTP/1.1");
    made.drop(0, Way::Forth, &get, Event::Lost);
    assert_eq!(counts(&made.packets, 0, Way::Forth).requests, 0, "it was dropped");
    made.send(200_000, Way::Forth, &get);
    made.send(400_000, Way::Forth, &get);
    assert_eq!(counts(&made.packets, 0, Way::Forth).requests, 1, "sent again");
    made.send(500_000, Way::Forth, &Tcp::new(1, ACK, 20, 5).content(b"GET /b HTTP/1.1"));
    made.send(500_000, Way::Forth, &Tcp::new(1, ACK, 35, 5).content(b"POST / HTTP/1.1"));
    made.send(500_000, Way::Forth, &Tcp::new(1, ACK, 50, 5).content(b"GE"));
    made.send(500_000, Way::Back, &Tcp::new(2, ACK, 5, 5).content(b"GET /c HTTP/1.1"));
    let both: Counts =
        [Way::Forth, Way::Back].map(|way| counts(&made.packets, 0, way)).into_iter().sum();
    assert_eq!(both.requests, 3);
    assert_eq!(counts(&made.packets, 1, Way::Forth), Counts::default(), "another link");
}

#[test]
fn a_duplicate_acknowledgement_says_again_what_was_said() {
    let data = |from| Tcp::new(1, ACK, from, 1).octets(100);
    let told = |up_to| Tcp::new(1, ACK, 1, up_to);
    for (said, duplicates, why) in [
        (vec![told(100), told(100), told(100)], 2, "the first one is none"),
        (vec![told(100), told(200), told(100)], 0, "older ones that were overtaken"),
        (vec![told(300), told(300)], 0, "nothing is outstanding"),
        (vec![told(100), Tcp { window: 900, ..told(100) }], 0, "a new window"),
        (vec![told(100), told(100).octets(5)], 0, "with content"),
        (vec![told(100), Tcp { flags: ACK | FIN, ..told(100) }], 0, "a FIN"),
    ] {
        let mut made = Made::new(0, 1_000);
        for from in [0, 100, 200] {
            made.send(u64::from(from), Way::Back, &data(from));
        }
        for (place, tcp) in (2_000..).zip(&said) {
            made.send(place, Way::Forth, tcp);
        }
        assert_eq!(
            counts(&made.packets, 0, Way::Back).duplicate_acknowledgements,
            duplicates,
            "{why}"
        );
    }
}

#[test]
fn ipv6_too() {
    let mut made = Made::new(0, 1_000);
    let six = Tcp { is_six: true, ..Tcp::new(1, ACK, 5, 5).content(b"GET / HTTP/1.1") };
    made.send(0, Way::Forth, &six);
    assert_eq!(counts(&made.packets, 0, Way::Forth).requests, 1);
    assert_eq!(plot(&made.packets, 0, Way::Forth, "", None).segments[0].octets, 14);
}

#[test]
fn octets_that_are_no_tcp_are_counted_and_nothing_else() {
    let whole = Tcp::new(1, SYN | ACK, 5, 5).options(&OFFER).content(b"GET / HTTP/1.1");
    let good = whole.packet(0, 0, Way::Forth, Event::Entered);
    for is_six in [false, true] {
        let packet = Tcp { is_six, ..whole.clone() }.packet(0, 0, Way::Forth, Event::Entered);
        for length in 0..packet.kept.len() {
            for place in 0..length {
                let mut broken = packet.clone();
                broken.kept.truncate(length);
                broken.kept[place] ^= 0xff;
                let counted = counts(&[broken.clone()], 0, Way::Forth);
                assert_eq!(counted.packets, 1);
                let _ = plot(&[broken.clone(), good.clone()], 0, Way::Forth, "", None);
                let _ = handshakes(&[broken], 0);
            }
        }
    }
    let mut fragment = good;
    fragment.kept[7] = 1;
    assert!(plot(&[fragment], 0, Way::Forth, "", None).segments.is_empty(), "no head of TCP in it");
}

#[test]
fn a_plot_has_no_more_than_can_be_drawn() {
    let mut made = Made::new(0, 10_000);
    for segment in 0..20_000_u32 {
        let at_us = u64::from(segment) * 100;
        let from = segment * SEGMENT;
        made.send(at_us, Way::Back, &Tcp::new(1, ACK, from, 1).octets(SEGMENT));
        made.send(at_us + 10_000, Way::Forth, &Tcp::new(1, ACK, 1, from + SEGMENT));
        if segment % 500 == 0 {
            made.drop(
                at_us,
                Way::Back,
                &Tcp::new(1, ACK, from + SEGMENT, 1).octets(SEGMENT),
                Event::Lost,
            );
        }
    }
    let plot = back(&made.packets);
    assert_eq!((plot.segments_seen, plot.segments_dropped), (20_040, 40));
    assert!(plot.segments.len() <= 2_000 && plot.acknowledged.len() <= 2_000);
    let lost = plot.segments.iter().filter(|it| it.event.is_drop()).count();
    assert_eq!(lost, 40, "none of what is rare is gone");
    let octets: u64 = plot.segments.iter().map(|it| u64::from(it.octets)).sum();
    assert_eq!(octets, 20_040 * u64::from(SEGMENT), "and nothing of the content");
    assert_eq!(plot.acknowledged.last().unwrap().up_to, 20_000 * u64::from(SEGMENT));
}

#[test]
fn a_crowd_is_cut() {
    let mut made = Made::new(0, 10_000);
    for port in 0..100 {
        made.download(&Download { at_us: u64::from(port) * 1_000, port, ..Download::F1 });
    }
    let plot = back(&made.packets);
    assert_eq!(plot.connections_seen, 100);
    assert_eq!(plot.segments.iter().map(|it| it.connection).max(), Some(23));
    assert_eq!(plot.flights.len(), 400, "flights are all there");
}
