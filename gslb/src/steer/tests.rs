//! Choices by region, capacity and health.

use super::hash::seed;
use super::*;
use crate::wire::subnet::ClientSource;
use std::collections::HashMap;

fn edge(name: &str, v4: &[&str], v6: &[&str], capacity: u32) -> Edge {
    Edge {
        name: name.into(),
        seed: seed(name),
        v4: v4.iter().map(|a| a.parse().unwrap()).collect(),
        v6: v6.iter().map(|a| a.parse().unwrap()).collect(),
        capacity,
        check: None,
        state: Arc::default(),
    }
}

/// North has one edge, south three with capacities 1, 2 and 1, west one that is out of service.
fn policy() -> Policy {
    let region = |edges: &[usize], order: &[RegionIndex]| Region {
        name: order[0].to_string().into(),
        seed: hash::seed_of_region(&order[0].to_string()),
        edges: edges.to_vec(),
        order: order.to_vec(),
        state: Arc::default(),
    };
    let prefixes: HashMap<_, _> =
        [("10.1.0.0/16", 0), ("10.2.0.0/16", 1), ("10.3.0.0/16", 2), ("2001:db8::/32", 0)]
            .map(|(prefix, region)| (prefix.parse().unwrap(), region))
            .into();
    Policy {
        regions: vec![
            region(&[0], &[0, 1, 2]),
            region(&[1, 2, 3], &[1, 0, 2]),
            region(&[4], &[2, 0, 1]),
        ],
        edges: vec![
            edge("n", &["192.0.2.1"], &["2001:db8::1"], 100),
            edge("s1", &["192.0.2.11"], &[], 1),
            edge("s2", &["192.0.2.12"], &[], 2),
            edge("s3", &["192.0.2.13"], &[], 1),
            edge("w", &["192.0.2.21"], &[], 0),
        ],
        map: PrefixMap::new(&prefixes),
        resolvers: None,
        measured: Measured::default(),
        marks: Marks::default(),
        steered: Vec::new(),
    }
}

fn client(address: &str, prefix_length: u8) -> Client {
    let address = address.parse().unwrap();
    Client { address, prefix_length, source: ClientSource::Subnet }
}

#[test]
fn the_nearest_regions_edges_come_first() {
    let policy = policy();
    let north = "192.0.2.1";
    for (address, length, family, answers, first, count, scope, why, note) in [
        ("10.1.2.0", 24, Family::V4, 1, Some(north), 1, 16, Why::Mapped, "one edge: /16 suffices"),
        ("10.1.2.0", 24, Family::V4, 9, Some(north), 4, 24, Why::Mapped, "then the next region"),
        ("10.3.0.0", 16, Family::V4, 1, Some(north), 1, 16, Why::Spilled, "capacity 0 takes none"),
        ("172.16.0.0", 12, Family::V4, 1, Some(north), 1, 1, Why::Default, "in no prefix"),
        ("10.1.0.0", 16, Family::V6, 1, Some("2001:db8::1"), 1, 16, Why::Mapped, "AAAA over IPv4"),
        ("10.2.0.0", 16, Family::V6, 1, Some("2001:db8::1"), 1, 16, Why::Spilled, "no IPv6 there"),
        ("2001:db8:5::", 48, Family::V4, 1, Some(north), 1, 32, Why::Mapped, "an IPv6 client"),
    ] {
        let name = Steered { ttl: 20, answers, default_region: 0, all_down: AllDown::All };
        let choice = policy.choose(&name, &client(address, length), family);
        let got = choice.addresses();
        assert_eq!(got.first().map(ToString::to_string).as_deref(), first, "{note}");
        assert_eq!((got.len(), choice.scope, choice.why), (count, scope, why), "{note}");
    }
    let mut nobody = policy;
    nobody.edges[0].v6.clear();
    let name = Steered { ttl: 20, answers: 1, default_region: 0, all_down: AllDown::All };
    let choice = nobody.choose(&name, &client("10.1.0.0", 16), Family::V6);
    assert_eq!((choice.addresses().len(), choice.why), (0, Why::NoEdge), "NODATA");
}

#[test]
fn clients_are_spread_by_capacity_and_equal_clients_are_served_alike() {
    let policy = policy();
    let name = Steered { ttl: 20, answers: 1, default_region: 0, all_down: AllDown::All };
    let pick = |policy: &Policy, block: u32, host: u32| {
        let address = IpAddr::V4((0x0a02_0000 + block * 256 + host).into());
        let client = Client { address, prefix_length: 32, source: ClientSource::Resolver };
        let choice = policy.choose(&name, &client, Family::V4);
        assert_eq!(choice.scope, 24);
        choice.addresses()[0]
    };
    let mut shares: HashMap<IpAddr, u32> = HashMap::new();
    for block in 0..256 {
        let first = pick(&policy, block, 0);
        *shares.entry(first).or_default() += 1;
        assert_eq!(first, pick(&policy, block, 200), "one /24, one answer");
    }
    let share = |host: u8| shares[&IpAddr::from([192, 0, 2, host])];
    // Deterministic: the hash has no random part.
    assert!((100..=156).contains(&share(12)), "half of 256 clients: {shares:?}");
    assert!((44..=84).contains(&share(11)) && (44..=84).contains(&share(13)), "{shares:?}");
    let mut without = self::policy();
    without.edges[1].capacity = 0;
    for block in 0..256 {
        let (before, after) = (pick(&policy, block, 0), pick(&without, block, 0));
        assert!(before == after || before == IpAddr::from([192, 0, 2, 11]), "only s1's move");
    }
}

/// What a client of north gets for a name with `all_down`, after these edges have gone down.
fn after(down: &[usize], all_down: AllDown, family: Family) -> (Vec<String>, Why) {
    let policy = policy();
    down.iter().for_each(|&index| policy.edges[index].state.set_up(false));
    let address = IpAddr::from([10, 1, 0, 1]);
    let client = Client { address, prefix_length: 32, source: ClientSource::Resolver };
    let name = Steered { ttl: 20, answers: 1, default_region: 0, all_down };
    let choice = policy.choose(&name, &client, family);
    (choice.addresses().iter().map(ToString::to_string).collect(), choice.why)
}

#[test]
fn edges_that_are_down_get_nobody_while_others_are_up() {
    let fallback = AllDown::Static(vec!["192.0.2.99".parse().unwrap()], vec![]);
    let all = [0, 1, 2, 3];
    type Row<'a> = (&'a [usize], AllDown, Family, Option<&'a str>, Why, &'a str);
    let rows: [Row<'_>; 7] = [
        (&[1], AllDown::All, Family::V4, Some("192.0.2.1"), Why::Mapped, "another one's"),
        (&[0, 1, 3], AllDown::All, Family::V4, Some("192.0.2.12"), Why::Spilled, "one is left"),
        (&all, AllDown::All, Family::V4, Some("192.0.2.1"), Why::Down, "as if all were up"),
        (&all, fallback.clone(), Family::V4, Some("192.0.2.99"), Why::Down, "the fallback"),
        (&all, fallback, Family::V6, None, Why::Down, "which has no such address"),
        (&all, AllDown::Nothing, Family::V4, None, Why::Nothing, "nothing"),
        (&[0], AllDown::Nothing, Family::V6, None, Why::Nothing, "the only one of its family"),
    ];
    for (down, all_down, family, expected, why, what) in rows {
        let expected: Vec<_> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(after(down, all_down, family), (expected, why), "{what}");
    }
}

#[test]
fn ranks_are_the_order_of_the_choice() {
    let policy = policy();
    let name = Steered { ttl: 20, answers: 4, default_region: 0, all_down: AllDown::All };
    for block in 0..64 {
        let address = IpAddr::V4((0x0a02_0000 + block * 256).into());
        let client = Client { address, prefix_length: 24, source: ClientSource::Subnet };
        let choice = policy.choose(&name, &client, Family::V4);
        let ranked = policy.ranked(&policy.place(None, &name, &client, Family::V4));
        let first = ranked.iter().flat_map(|(_, index)| {
            policy.edges[*index].all_addresses(Family::V4).collect::<Vec<_>>()
        });
        assert_eq!(first.take(4).collect::<Vec<_>>(), choice.addresses());
    }
}

/// The addresses that the /24s of south get.
fn of_south(policy: &Policy) -> Vec<(IpAddr, Why)> {
    let name = Steered { ttl: 20, answers: 1, default_region: 0, all_down: AllDown::All };
    let choose = |block: u32| {
        let address = IpAddr::V4((0x0a02_0000 + block * 256 + 7).into());
        let client = Client { address, prefix_length: 32, source: ClientSource::Resolver };
        let choice = policy.choose(&name, &client, Family::V4);
        let mut other = client;
        other.address = IpAddr::V4((0x0a02_0000 + block * 256 + 99).into());
        let same = policy.choose(&name, &other, Family::V4);
        assert!(same.addresses() == choice.addresses(), "one /24, one answer");
        (choice.addresses()[0], choice.why)
    };
    (0..256).map(choose).collect()
}

#[test]
fn a_region_without_room_for_all_keeps_a_stable_part() {
    let policy = policy();
    let (north, state) = (IpAddr::from([192, 0, 2, 1]), &policy.regions[1].state);
    let all = of_south(&policy);
    let mut before = all.clone();
    for part in [0.9, 0.89, 0.5, 0.1] {
        state.own.set(part);
        let now = of_south(&policy);
        let kept = now.iter().filter(|(to, _)| *to != north).count() as f64 / 256.0;
        assert!((kept - part).abs() < 0.07, "{part}: {kept}");
        for ((old, now), (first, _)) in before.iter().zip(&now).zip(&all) {
            let has_left = *now == (north, Why::Shed);
            assert!(has_left || now.0 == *first, "who stays stays where he is");
            assert!(has_left || old.0 != north, "nobody comes back as the part falls");
        }
        before = now;
    }
    state.own.set(0.0);
    assert!(of_south(&policy).iter().all(|it| *it == (north, Why::Shed)), "nobody is kept");
    policy.regions[0].state.guests.set(0.0);
    let west = of_south(&policy);
    assert!(
        west.iter().zip(&all).all(|(now, all)| *now == (all.0, Why::Full)),
        "west has no edges"
    );
    policy.regions[0].state.guests.set(0.5);
    let half = of_south(&policy).iter().filter(|it| it.0 == north).count();
    assert!((100..156).contains(&half), "{half}");
}

#[test]
fn those_go_first_whose_edge_is_down() {
    let policy = policy();
    let (s2, north) = (IpAddr::from([192, 0, 2, 12]), IpAddr::from([192, 0, 2, 1]));
    let state = &policy.regions[1].state;
    state.own.set(0.9);
    let before = of_south(&policy);
    policy.edges[2].state.set_up(false);
    for displaced in [0.5, 0.0] {
        state.displaced.set(displaced);
        let (mut moved, mut kept) = (0, 0);
        for (before, now) in before.iter().zip(of_south(&policy)) {
            assert!(now.0 != s2, "it is down");
            assert!(before.0 == s2 || now == *before, "all others are where they were");
            moved += u32::from(before.0 == s2 && now == (north, Why::Shed));
            kept += u32::from(before.0 == s2 && now.0 != north);
        }
        assert!(moved > 40 && (kept > 30) == (displaced > 0.0), "{moved} of them, {kept} kept");
    }
}

#[test]
fn parts_of_edges_are_weights() {
    let policy = policy();
    let before = of_south(&policy);
    policy.edges[2].state.part.set(0.5);
    let s2 = IpAddr::from([192, 0, 2, 12]);
    let (mut left, mut kept) = (0, 0);
    for (before, now) in before.iter().zip(of_south(&policy)) {
        assert!(now.0 != s2 || before.0 == s2, "nobody comes to the one that gets less");
        assert!(before.0 == s2 || before.0 == now.0, "others stay");
        left += u32::from(before.0 == s2 && now.0 != s2);
        kept += u32::from(now.0 == s2);
    }
    assert!(
        (60..=110).contains(&kept) && left > 20,
        "a third instead of half: {kept}, {left} left"
    );
}

#[test]
fn what_has_been_measured_goes_before_the_map() {
    use measured::{Measurement, Table};
    let policy = policy();
    let it = |prefix: &str, region, rtt_ms| Measurement {
        prefix: prefix.parse().unwrap(),
        target: "edge".into(),
        region,
        rtt_ms,
    };
    let all =
        vec![it("10.2.0.0/24", 0, 10.0), it("10.2.0.0/24", 1, 50.0), it("10.2.9.0/24", 1, 5.0)];
    let order = |region: RegionIndex| policy.regions[usize::from(region)].order.clone();
    policy.measured.store(Table::new(all, &policy.map, order).unwrap());
    let name = Steered { ttl: 20, answers: 1, default_region: 0, all_down: AllDown::All };
    for (address, first, why, least, note) in [
        ("10.2.0.9", 1, Why::Measured, 24, "north is nearer"),
        ("10.2.9.9", 11, Why::Mapped, 24, "south, as the map says"),
        ("10.2.128.1", 11, Why::Mapped, 17, "not measured"),
    ] {
        let choice = policy.choose(&name, &client(address, 32), Family::V4);
        let IpAddr::V4(v4) = choice.addresses()[0] else { panic!("{note}") };
        let (north, south) = (v4.octets()[3] == 1, (11..=13).contains(&v4.octets()[3]));
        assert!(if first == 1 { north } else { south }, "{note}: {v4}");
        assert_eq!((choice.why, choice.scope >= least), (why, true), "{note}");
    }
    policy.measured.store(None);
    let choice = policy.choose(&name, &client("10.2.0.9", 32), Family::V4);
    assert_eq!(choice.why, Why::Mapped, "forgotten");
}
