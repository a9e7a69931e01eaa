//! Links: tables, and properties over many packets.

use super::text::duration;
use super::*;
use std::fmt;
use std::str::FromStr;

const MS: u64 = 1_000_000;

fn probability(text: &str) -> Probability {
    text.parse().unwrap()
}

/// A segment of TCP over IPv4 with these flags, options and octets of content.
fn segment(flags: u8, option_octets: usize, content_octets: usize) -> Vec<u8> {
    let octets = 40 + option_octets + content_octets;
    let mut packet = vec![0; octets];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&u16::try_from(octets).unwrap().to_be_bytes());
    packet[9] = 6;
    packet[32] = u8::try_from((20 + option_octets) / 4).unwrap() << 4;
    packet[33] = flags;
    packet
}

/// The same over IPv6.
fn segment_of_6(flags: u8, content_octets: usize) -> Vec<u8> {
    let mut packet = vec![0; 60 + content_octets];
    packet[0] = 0x60;
    packet[4..6].copy_from_slice(&u16::try_from(20 + content_octets).unwrap().to_be_bytes());
    packet[6] = 6;
    packet[52] = 5 << 4;
    packet[53] = flags;
    packet
}

fn udp(octets: usize) -> Vec<u8> {
    let mut packet = vec![0; octets];
    packet[0] = 0x45;
    packet[9] = 17;
    packet
}

#[test]
fn kinds_of_packets() {
    let mut fragment = segment(0x10, 0, 8);
    fragment[7] = 1;
    for (packet, expected, why) in [
        (segment(0x02, 20, 0), Some(Kind::Syn), "options are no content"),
        (segment(0xc2, 0, 0), Some(Kind::Syn), "one that offers ECN"),
        (segment(0x02, 20, 100), Some(Kind::Syn), "with content: fast open"),
        (segment(0x12, 20, 0), Some(Kind::SynAck), ""),
        (segment(0x10, 12, 1), Some(Kind::Data), "an octet"),
        (segment(0x19, 12, 1), Some(Kind::Data), "the last one"),
        (segment(0x10, 12, 0), Some(Kind::Ack), ""),
        (segment(0x11, 12, 0), Some(Kind::Fin), ""),
        (segment(0x14, 0, 0), None, "a reset"),
        (segment(0x00, 0, 0), None, "no flag at all"),
        (segment_of_6(0x12, 0), Some(Kind::SynAck), "IPv6"),
        (segment_of_6(0x18, 7), Some(Kind::Data), "IPv6"),
        (udp(100), None, "UDP"),
        (fragment, None, "not the first fragment"),
        (segment(0x10, 0, 0)[..33].to_vec(), None, "cut short"),
        (vec![], None, "nothing"),
        (vec![0x45], None, "cut shorter"),
        (vec![0x70; 60], None, "no IP"),
    ] {
        assert_eq!(packet::classify(&packet), expected, "{why}: {packet:?}");
    }
    for octets in 0..34 {
        assert_eq!(packet::classify(&segment(0x18, 0, 20)[..octets]), None, "{octets} of IPv4");
    }
    for octets in 0..54 {
        assert_eq!(packet::classify(&segment_of_6(0x18, 20)[..octets]), None, "{octets} of IPv6");
    }
    assert_eq!(packet::classify(&[0x4f; 40]), None, "its head is longer than itself");
}

#[test]
fn texts() {
    fn told<T: FromStr<Err = String> + fmt::Display>(text: &str) -> Result<String, String> {
        text.parse::<T>().map(|found| found.to_string())
    }
    let good: &[(Result<String, String>, &str)] = &[
        (told::<Rate>("50Mbit/s"), "50 Mbit/s"),
        (told::<Rate>("1.5 Gbit/s"), "1.5 Gbit/s"),
        (told::<Rate>("64kbit/s"), "64 kbit/s"),
        (told::<Rate>("900bit/s"), "900 bit/s"),
        (told::<Rate>("1000Gbit/s"), "1000 Gbit/s"),
        (told::<Probability>("2%"), "2 %"),
        (told::<Probability>("0.1 %"), "0.1 %"),
        (told::<Probability>("0%"), "0 %"),
        (told::<Probability>("100%"), "100 %"),
        (told::<Queue>("12 packets"), "12 packets"),
        (told::<Queue>("1 packet"), "1 packet"),
        (told::<Queue>("0 packets"), "0 packets"),
        (told::<Queue>("64KB"), "64000 B"),
        (told::<Queue>("1.5KiB"), "1536 B"),
        (told::<DropScript>("SYN-ACK 1"), "SYN-ACK 1"),
        (told::<DropScript>("DATA 3-5"), "DATA 3-5"),
        (told::<DropScript>("ANY 10"), "ANY 10"),
        (duration("80ms").map(|found| format!("{found:?}")), "80ms"),
        (duration("1.5s").map(|found| format!("{found:?}")), "1.5s"),
        (duration("150 us").map(|found| format!("{found:?}")), "150µs"),
        (duration("60min").map(|found| format!("{found:?}")), "3600s"),
    ];
    for (found, expected) in good {
        assert_eq!(found.as_deref(), Ok(*expected));
    }
    let bad: &[(Result<String, String>, &str)] = &[
        (told::<Rate>("50"), "50Mbit/s"),
        (told::<Rate>("0bit/s"), "50Mbit/s"),
        (told::<Rate>("0.1bit/s"), "50Mbit/s"),
        (told::<Rate>("50MB/s"), "50Mbit/s"),
        (told::<Rate>("-1Mbit/s"), "50Mbit/s"),
        (told::<Rate>("1001Gbit/s"), "50Mbit/s"),
        (told::<Rate>("1.2.3Mbit/s"), "50Mbit/s"),
        (told::<Rate>(""), "50Mbit/s"),
        (told::<Probability>("2"), "0% to 100%"),
        (told::<Probability>("0.02"), "0% to 100%"),
        (told::<Probability>("101%"), "0% to 100%"),
        (told::<Probability>("NaN%"), "0% to 100%"),
        (told::<Queue>("12"), "12 packets"),
        (told::<Queue>("1.5 packets"), "12 packets"),
        (told::<Queue>("50001 packets"), "12 packets"),
        (told::<Queue>("64Kbit"), "64KB"),
        (told::<DropScript>("SYN-ACK"), "SYN-ACK 1"),
        (told::<DropScript>("SYNACK 1"), "SYN, SYN-ACK, DATA, ACK, FIN, ANY"),
        (told::<DropScript>("DATA 5-3"), "DATA 3-5"),
        (told::<DropScript>("DATA 0"), "from 1 on"),
        (told::<DropScript>("DATA -1"), "from 1 on"),
        (told::<DropScript>("data 1"), "DATA 3-5"),
        (duration("80").map(|_| String::new()), "80ms"),
        (duration("ms").map(|_| String::new()), "80ms"),
        (duration("61min").map(|_| String::new()), "up to an hour"),
        (duration("1h").map(|_| String::new()), "up to an hour"),
    ];
    for (found, allowed) in bad {
        let why = found.as_ref().unwrap_err();
        assert!(why.contains("; allowed: ") && why.contains(allowed), "{why}");
    }
}

#[test]
fn conditions_in_words() {
    let conditions = Conditions {
        delay: duration("40ms").unwrap(),
        jitter: duration("500us").unwrap(),
        reorder: true,
        rate: Some("50Mbit/s".parse().unwrap()),
        queue: Queue::Packets(12),
        loss: probability("2%"),
        burst: Some(Burst {
            enter: probability("1%"),
            leave: probability("25%"),
            loss: probability("70%"),
        }),
        duplicate: probability("0.1%"),
        drops: vec!["SYN-ACK 1".parse().unwrap(), "DATA 3-5".parse().unwrap()],
        changes: vec![Change {
            at: Duration::from_secs(2),
            conditions: Conditions::of_delay(Duration::from_millis(20)),
        }],
    };
    assert_eq!(
        conditions.to_string(),
        "40 ms, jitter 0.5 ms, reordering, 50 Mbit/s, queue of 12 packets, 2 % loss, bursts of 70 % loss, 0.1 % \
         twice, drops SYN-ACK 1 and DATA 3-5; from 2 s on 20 ms"
    );
}

#[test]
fn delay_and_rate() {
    let mut link = Link::new(
        Conditions {
            delay: Duration::from_millis(40),
            rate: Some("12Mbit/s".parse().unwrap()),
            queue: Queue::Packets(2),
            ..Conditions::default()
        },
        1,
    );
    // 1,500 octets take 1 ms.
    for (now_ns, octets, expected, why) in [
        (0, 1_500, Fate::Arrives(41 * MS), "sent at once"),
        (0, 1_500, Fate::Arrives(42 * MS), "after the first"),
        (0, 750, Fate::Arrives(42 * MS + MS / 2), "after the second"),
        (0, 20, Fate::Dropped(DropReason::Overflowed), "two wait"),
        (MS - 1, 20, Fate::Dropped(DropReason::Overflowed), "the first is still being sent"),
        (MS, 3_000, Fate::Arrives(44 * MS + MS / 2), "one waits"),
        (10 * MS, 1_500, Fate::Arrives(51 * MS), "all are sent"),
    ] {
        assert_eq!(link.enter(now_ns, &udp(octets)), expected, "{why}");
    }
    assert_eq!(link.queue_max(), QueueMax { packets: 2, octets: 3_750 });
    link.forget_queue_max();
    assert_eq!(link.queue_max(), QueueMax::default());
}

#[test]
fn a_queue_in_octets_or_of_none() {
    let of = |queue| {
        let rate = Some("8kbit/s".parse().unwrap());
        Link::new(Conditions { rate, queue, ..Conditions::default() }, 1)
    };
    let mut fates = Vec::new();
    for (queue, sizes) in [
        (Queue::Octets(1_000), [1_500, 600, 401, 400, 28].as_slice()),
        (Queue::Packets(0), &[40, 40]),
        (Queue::Octets(0), &[40, 40]),
    ] {
        let mut link = of(queue);
        let got_in = |octets: &usize| !matches!(link.enter(0, &udp(*octets)), Fate::Dropped(_));
        fates.push(sizes.iter().map(got_in).collect::<Vec<_>>());
    }
    let expected: &[&[bool]] = &[&[true, true, false, true, false], &[true, false], &[true, false]];
    assert_eq!(fates, expected);
}

#[test]
fn scripts_count_their_kind_from_the_start_of_a_measurement() {
    let drops = ["SYN-ACK 1", "DATA 2-3", "ANY 9"].map(|text| text.parse().unwrap()).to_vec();
    let mut link = Link::new(Conditions { drops, ..Conditions::default() }, 1);
    let (syn_ack, data, ack) = (segment(0x12, 0, 0), segment(0x18, 0, 9), segment(0x10, 0, 0));
    let packets = [&syn_ack, &syn_ack, &data, &ack, &data, &data, &data, &ack, &ack, &ack];
    let expected = [true, false, false, false, true, true, false, false, true, false];
    for measurement in 0..3 {
        link.begin(measurement * MS);
        let dropped = packets.map(|packet| {
            link.enter(measurement * MS, packet) == Fate::Dropped(DropReason::Scripted)
        });
        assert_eq!(dropped, expected, "measurement {measurement}");
    }
}

#[test]
fn conditions_change_over_time() {
    let drop: DropScript = "ANY 3".parse().unwrap();
    let later = |ms, drops: Vec<DropScript>| Change {
        at: Duration::from_millis(ms),
        conditions: Conditions { drops, ..Conditions::of_delay(Duration::from_millis(ms)) },
    };
    let mut link = Link::new(
        Conditions {
            changes: vec![later(20, vec![drop]), later(30, vec![])],
            drops: vec![drop],
            ..Conditions::of_delay(Duration::from_millis(1))
        },
        1,
    );
    assert_eq!(link.enter(900 * MS, &udp(20)), Fate::Arrives(901 * MS), "no measurement yet");
    for start_ns in [1_000 * MS, 2_000 * MS] {
        link.begin(start_ns);
        for (after_ms, delay_ms, why) in [
            (0, Some(1), "as at the start"),
            (19, Some(1), "still"),
            (20, None, "the script goes on counting through the change"),
            (21, Some(20), "changed"),
            (45, Some(30), "changed again"),
        ] {
            let now_ns = start_ns + after_ms * MS;
            let expected = delay_ms
                .map_or(Fate::Dropped(DropReason::Scripted), |ms| Fate::Arrives(now_ns + ms * MS));
            assert_eq!(link.enter(now_ns, &udp(20)), expected, "{after_ms} ms: {why}");
        }
    }
    link.set(Conditions::of_delay(Duration::from_millis(7)), 2_100 * MS);
    assert_eq!(link.enter(2_200 * MS, &udp(20)), Fate::Arrives(2_207 * MS), "set");
}

#[test]
fn what_is_late_holds_up_the_others_unless_it_may_be_overtaken() {
    for reorder in [false, true] {
        let jitter = Duration::from_millis(5);
        let delay = Duration::from_millis(10);
        let mut link = Link::new(Conditions { delay, jitter, reorder, ..Conditions::default() }, 3);
        let arrivals: Vec<u64> = (0..1_000)
            .map(|at| match link.enter(at * MS / 10, &udp(100)) {
                Fate::Arrives(arrives_ns) => {
                    let least = at * MS / 10 + 10 * MS;
                    assert!((least..=least + 5 * MS).contains(&arrives_ns) || !reorder);
                    assert!(arrives_ns >= least);
                    arrives_ns
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(arrivals.is_sorted(), !reorder);
    }
}

/// Conditions of every sort from a seed.
fn any_conditions(random: &mut Rng) -> Conditions {
    let mut sometimes = |most: f64| {
        let part = if random.bool() { random.f64() * most } else { 0.0 };
        Probability::new(part).unwrap()
    };
    let (loss, duplicate) = (sometimes(0.3), sometimes(0.1));
    let burst = Burst { enter: sometimes(0.1), leave: sometimes(0.9), loss: sometimes(1.0) };
    let packets = random.usize(0..40);
    Conditions {
        delay: Duration::from_micros(random.u64(0..100_000)),
        jitter: Duration::from_micros(if random.bool() { random.u64(0..5_000) } else { 0 }),
        reorder: random.bool(),
        rate: random.bool().then(|| Rate::new(random.u64(100_000..100_000_000)).unwrap()),
        queue: if random.bool() { Queue::Packets(packets) } else { Queue::Octets(packets * 1_000) },
        loss,
        burst: random.bool().then_some(burst),
        duplicate,
        drops: vec![DropScript::new(Kind::Any, 5, 5 + random.u64(0..3)).unwrap()],
        changes: Vec::new(),
    }
}

#[test]
fn nothing_gets_lost_without_a_word_and_queues_keep_their_bound() {
    for seed in 0..300 {
        let mut random = Rng::with_seed(seed);
        let conditions = any_conditions(&mut random);
        let mut link = Link::new(conditions.clone(), seed);
        let mut now_ns = 0;
        let mut arrivals: Vec<(u64, u64)> = Vec::new();
        let (mut entered, mut duplicated, mut dropped) = (0_u64, 0_u64, 0_u64);
        for _ in 0..500 {
            now_ns += random.u64(0..500_000);
            entered += 1;
            match link.enter(now_ns, &udp(random.usize(28..1_500))) {
                Fate::Arrives(arrives_ns) => arrivals.push((now_ns, arrives_ns)),
                Fate::Duplicated(arrives_ns) => {
                    duplicated += 1;
                    arrivals.extend([(now_ns, arrives_ns); 2]);
                }
                Fate::Dropped(_) => dropped += 1,
            }
        }
        assert_eq!(entered + duplicated, arrivals.len() as u64 + dropped, "{seed}");
        let delay_ns = nanoseconds(conditions.delay);
        assert!(
            arrivals.iter().all(|(at, arrives)| *arrives >= at + delay_ns),
            "{seed}: too early"
        );
        let in_order = arrivals.is_sorted_by_key(|(_, arrives)| *arrives);
        assert!(in_order || conditions.reorder, "{seed}: overtaken");
        let held = match conditions.queue {
            Queue::Packets(most) => link.queue_max().packets <= most,
            Queue::Octets(most) => link.queue_max().octets <= most,
        };
        assert!(held, "{seed}: {:?} in {:?}", link.queue_max(), conditions.queue);
        assert!(conditions.rate.is_some() || link.queue_max() == QueueMax::default(), "{seed}");
    }
}

/// Which of so many packets a link drops by chance, when one comes each `gap_ns`.
fn lost(conditions: &Conditions, seed: u64, gap_ns: u64, count: u64) -> Vec<u64> {
    let mut link = Link::new(conditions.clone(), seed);
    let packet = udp(1_000);
    let is_lost = |at: &u64| link.enter(at * gap_ns, &packet) == Fate::Dropped(DropReason::Lost);
    (0..count).filter(is_lost).collect()
}

#[test]
fn as_much_is_lost_as_was_asked_for() {
    let count = 200_000;
    for (percent, seed) in [("0%", 1), ("0.1%", 2), ("2%", 3), ("20%", 4), ("100%", 5)] {
        let loss = probability(percent);
        let conditions = Conditions { loss, ..Conditions::default() };
        let found = lost(&conditions, seed, MS, count).len() as f64;
        let expected = loss.part() * count as f64;
        let deviation = (expected * (1.0 - loss.part())).sqrt();
        assert!((found - expected).abs() <= 4.0 * deviation, "{percent}: {found} of {count}");
    }
    let (enter, leave) = (probability("1%"), probability("25%"));
    let burst = Some(Burst { enter, leave, loss: probability("70%") });
    let found = lost(&Conditions { burst, ..Conditions::default() }, 6, MS, count);
    // In the long run the link is in the bad state for enter / (enter + leave) of the packets.
    let part = found.len() as f64 / count as f64;
    assert!((part / (0.7 / 26.0) - 1.0).abs() < 0.05, "{part}");
    let in_a_row = found.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count() as f64;
    let after_a_loss = in_a_row / found.len() as f64;
    assert!((after_a_loss / (0.75 * 0.7) - 1.0).abs() < 0.05, "bursts: {after_a_loss}");
}

#[test]
fn a_seed_decides_which_packets_are_lost_and_nothing_else_does() {
    let plain = Conditions { loss: probability("5%"), ..Conditions::default() };
    let expected = lost(&plain, 9, MS, 10_000);
    assert_eq!(lost(&plain, 9, 5 * MS, 10_000), expected, "not when they come");
    assert_ne!(lost(&plain, 10, MS, 10_000), expected, "another seed");
    let busy = Conditions {
        jitter: Duration::from_millis(3),
        duplicate: probability("10%"),
        delay: Duration::from_millis(40),
        drops: vec!["SYN 1".parse().unwrap()],
        ..plain.clone()
    };
    assert_eq!(lost(&busy, 9, MS, 10_000), expected, "not what else happens");
    // A queue that is full drops some that would have been lost later, and loses no others.
    let narrow =
        Conditions { rate: Some("1Mbit/s".parse().unwrap()), queue: Queue::Packets(3), ..plain };
    assert_eq!(lost(&narrow, 9, MS, 10_000), expected, "nor a full queue");
    let mut link = Link::new(busy, 9);
    let whole: Vec<_> = (0..1_000).map(|at| link.enter(at, &udp(100))).collect();
    link.begin(0);
    let goes_on: Vec<_> = (0..1_000).map(|at| link.enter(at, &udp(100))).collect();
    assert_ne!(whole, goes_on, "chance goes on over the start of a measurement");
}
