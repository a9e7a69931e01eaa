//! Longest match, scopes, sizes, and what is refused.

use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

fn map(prefixes: &[(&str, RegionIndex)]) -> PrefixMap {
    PrefixMap::new(&prefixes.iter().map(|&(p, r)| (p.parse().unwrap(), r)).collect())
}

#[test]
fn the_longest_prefix_wins_and_the_scope_tells_it_apart() {
    let some = map(&[
        ("10.0.0.0/8", 1),
        ("10.1.0.0/16", 2),
        ("10.1.5.0/24", 1),
        ("10.2.0.0/16", 1),
        ("192.0.2.0/25", 3),
        ("192.0.2.128/25", 3),
        ("2001:db8::/32", 4),
        ("2001:db8:1::/48", 5),
    ]);
    for (address, region, scope, why) in [
        ("10.1.9.9", Some(2), 21, "RFC 7871 §7.2.1: long enough to exclude 10.1.5.0/24"),
        ("10.1.200.1", Some(2), 17, "farther from it, fewer bits tell"),
        ("10.1.5.7", Some(1), 24, "the more specific prefix"),
        ("10.2.0.1", Some(1), 15, "same region as what is around: told from 10.1/16 only"),
        ("10.200.0.1", Some(1), 9, "10/8, told from 10.1/16 by its ninth bit"),
        ("192.0.2.200", Some(3), 24, "two neighbours of one region are one"),
        ("11.0.0.1", None, 8, "in no prefix, told from 10/8"),
        ("2001:db8:1::1", Some(5), 48, "IPv6"),
        ("2001:db8:8000::1", Some(4), 33, "IPv6 beside it"),
        ("ffff::", None, 1, "IPv6 in no prefix"),
    ] {
        let found = some.lookup(address.parse().unwrap());
        assert_eq!(found, Match { region, scope }, "{address}: {why}");
    }
    let none = map(&[]).lookup("10.0.0.1".parse().unwrap());
    assert_eq!(none, Match { region: None, scope: 0 }, "an empty map tells nobody apart");
    let all = map(&[("0.0.0.0/0", 7), ("::/0", 8)]);
    for (address, region) in [("255.255.255.255", 7), ("::", 8)] {
        let found = all.lookup(address.parse().unwrap());
        assert_eq!(found, Match { region: Some(region), scope: 0 }, "{address}");
    }
}

#[test]
fn prefixes_and_csv_lines_that_are_refused() {
    for (text, expected, why) in [
        ("10.0.0.0/8,a\n", Ok(1), "a prefix"),
        ("prefix,region\n\n# x\n10.0.0.0/8 , a # y\n10.0.0.1,a\n", Ok(2), "heading, comments"),
        ("10.0.0.0/8,a\n10.0.0.0/8,a\n", Ok(1), "the same twice"),
        ("10.0.0.0/8,a\n10.0.0.0/8,b\n", Err(2), "two regions"),
        ("\n10.0.0.0/8\n", Err(2), "no region"),
        ("10.0.0.0/33,a", Err(1), "too long"),
        ("10.0.0.1/8,a", Err(1), "bits beyond the length"),
        ("ten/8,a", Err(1), "no address"),
        ("10.0.0.0/8,c", Err(1), "an unknown region"),
    ] {
        let mut prefixes = Prefixes::default();
        let region = |name: &str| match name {
            "a" => Ok(0),
            "b" => Ok(1),
            _ => Err("unknown".to_owned()),
        };
        let read = read_csv(text, region, |prefix, region, line| {
            prefixes.push(prefix, region, Layer::Csv, line)
        });
        let read = read.map_err(|(line, _)| line);
        let compiled = |()| prefixes.compile().map_err(|conflict| conflict.place);
        let outcome = read.and_then(compiled).map(|map| map.prefixes());
        assert_eq!(outcome, expected, "{text:?}: {why}");
    }
}

#[test]
fn networks_of_databases_count_where_no_later_layer_has_a_prefix() {
    let mut prefixes = Prefixes::default();
    for (prefix, region, layer) in [
        ("10.0.0.0/8", 1, Layer::Import(0)),
        ("11.1.0.0/16", 1, Layer::Import(0)),
        ("12.0.0.0/8", 1, Layer::Import(0)),
        ("13.0.0.0/8", 1, Layer::Import(0)),
        ("10.1.0.0/16", 2, Layer::Import(1)),
        ("11.0.0.0/8", 2, Layer::Import(1)),
        ("12.1.2.0/24", 2, Layer::Import(1)),
        ("13.0.0.0/8", 2, Layer::Import(1)),
        ("12.1.0.0/16", 3, Layer::Csv),
        ("12.1.3.0/24", 4, Layer::Csv),
        ("12.1.0.0/17", 5, Layer::Inline),
    ] {
        prefixes.push(prefix.parse().unwrap(), region, layer, 0).unwrap();
    }
    let map = prefixes.compile().unwrap();
    assert_eq!(map.prefixes(), 8, "11.1.0.0/16, 12.1.2.0/24 and one 13.0.0.0/8 count for nothing");
    for (address, region, why) in [
        ("10.0.0.1", Some(1), "in the first database alone"),
        ("10.1.0.1", Some(2), "the later one has it too"),
        ("11.1.0.1", Some(2), "even by a shorter prefix"),
        ("12.0.0.1", Some(1), "outside of what was written"),
        ("12.1.2.1", Some(5), "a shorter prefix that was written hides a database's"),
        ("12.1.3.1", Some(4), "among what was written the longest counts"),
        ("12.1.200.1", Some(3), "or what is left"),
        ("13.1.1.1", Some(2), "the same in two databases"),
        ("14.1.1.1", None, "in none"),
    ] {
        assert_eq!(map.lookup(address.parse().unwrap()).region, region, "{address}: {why}");
    }
}

#[test]
fn the_same_prefix_in_a_later_layer_overrides() {
    let mut prefixes = Prefixes::default();
    for (prefix, region, layer, place) in [
        ("10.0.0.0/8", 1, Layer::Inline, 0),
        ("10.1.0.0/16", 2, Layer::Csv, 2),
        ("10.0.0.0/8", 3, Layer::Csv, 1),
        ("2001:db8::/32", 4, Layer::Csv, 3),
        ("2001:db8::/32", 4, Layer::Csv, 4),
    ] {
        prefixes.push(prefix.parse().unwrap(), region, layer, place).unwrap();
    }
    let map = prefixes.compile().unwrap();
    assert_eq!(map.prefixes(), 3);
    for (address, region, why) in [
        ("10.2.0.0", 1, "inline over the CSV"),
        ("10.1.0.0", 2, "but the longer prefix of an earlier layer counts"),
        ("2001:db8::1", 4, "the same twice"),
    ] {
        assert_eq!(map.lookup(address.parse().unwrap()).region, Some(region), "{why}");
    }
    let mut prefixes = Prefixes::default();
    for (place, region) in [(7, 1), (3, 1), (5, 2)] {
        prefixes.push("10.0.0.0/8".parse().unwrap(), region, Layer::Csv, place).unwrap();
    }
    let conflict = prefixes.compile().unwrap_err();
    assert_eq!((conflict.place, conflict.prefix.to_string().as_str()), (5, "10.0.0.0/8"));
}

/// A million IPv4 prefixes of 18 to 24 bits and 200,000 of IPv6 with 32 to 48, as in a routing table: no two neighbours
/// are of one region.
fn large() -> Prefixes {
    let mut prefixes = Prefixes::default();
    let mut push = |address, length, n| {
        let prefix = Prefix::new(address, length);
        prefixes.push(prefix, (n % 7) as RegionIndex, Layer::Csv, n).unwrap();
    };
    for n in 0..1_000_000 {
        let bits = (n as u32) << 12;
        push(IpAddr::V4(bits.into()), if n % 2 == 0 { 24 } else { 20 }, n);
    }
    for n in 0..200_000 {
        // 32 of these in each /32, which itself is there too.
        let (upper, lower) = (n as u128 / 33, n as u128 % 33);
        let bits = (0x2000 << 112) + (upper << 97) + (lower << 84);
        push(IpAddr::V6(bits.into()), if lower == 0 { 32 } else { 48 }, n);
    }
    prefixes
}

#[test]
fn a_large_map_is_small() {
    let map = large().compile().unwrap();
    assert_eq!(map.prefixes(), 1_200_000);
    assert!(map.octets() <= 16 << 20, "{} octets", map.octets());
    let found = map.lookup(IpAddr::V4((123_456 << 12 | 0x12).into()));
    assert_eq!(found, Match { region: Some((123_456 % 7) as RegionIndex), scope: 24 });
    let found = map.lookup("2000:2:10::1".parse().unwrap());
    assert_eq!(found, Match { region: Some((33 + 1) % 7), scope: 48 });
}

/// The keys of a prefix.
fn keys((address, length): (IpAddr, u8)) -> RangeInclusive<u128> {
    let first = key(address);
    first..=first | u128::MAX.checked_shr(length.into()).unwrap_or(0)
}

/// The definition, by trying every prefix.
fn by_definition(prefixes: &HashMap<Prefix, RegionIndex>, key: u128) -> Option<RegionIndex> {
    let holds = |prefix: &Prefix| keys(prefix.parts()).contains(&key);
    let longest = prefixes.iter().filter(|(it, _)| holds(it)).max_by_key(|(it, _)| it.parts().1);
    longest.map(|(_, &region)| region)
}

/// The regions within the first `scope` bits of a key: they change only where a prefix begins or has ended.
fn regions(
    prefixes: &HashMap<Prefix, RegionIndex>,
    key: u128,
    scope: u8,
) -> HashSet<Option<RegionIndex>> {
    let within = u128::MAX.checked_shr(scope.into()).unwrap_or(0);
    let (first, last) = (key & !within, key | within);
    let edges = prefixes.keys().flat_map(|it| {
        let keys = keys(it.parts());
        [Some(*keys.start()), keys.end().checked_add(1)]
    });
    let edges = edges.flatten().filter(|edge| (first..=last).contains(edge));
    edges.chain([first]).map(|key| by_definition(prefixes, key)).collect()
}

/// Prefixes that nest and touch: few different bits, at each of the places where the trie has its steps.
fn some_prefixes(is_v4: bool) -> impl Strategy<Value = HashMap<Prefix, RegionIndex>> {
    let width = if is_v4 { 32_u8 } else { 128 };
    let prefix = (any::<u128>(), 0..=width, 0..width / 8, 0u16..3);
    proptest::collection::vec(prefix, 0..60).prop_map(move |raw| {
        let one = |(bits, length, zeros, region): (u128, u8, u8, u16)| {
            // The octets before the last ones are those of all others.
            let kept = bits & u128::MAX.checked_shr((8 * zeros).into()).unwrap_or(0);
            let kept = kept & !u128::MAX.checked_shr(length.into()).unwrap_or(0);
            (Prefix::from_key(kept, length, is_v4), region)
        };
        raw.into_iter().map(one).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn lookups_are_as_defined(
        v4 in some_prefixes(true),
        v6 in some_prefixes(false),
        random in proptest::collection::vec(any::<u128>(), 8),
    ) {
        for (prefixes, is_v4) in [(v4, true), (v6, false)] {
            let map = PrefixMap::new(&prefixes);
            let near = prefixes.keys().flat_map(|it| {
                let keys = keys(it.parts());
                [*keys.start(), *keys.end(), keys.start().wrapping_sub(1), keys.end().wrapping_add(1)]
            });
            for key in near.chain(random.iter().copied()) {
                let address = Prefix::from_key(key, 0, is_v4).parts().0;
                let key = self::key(address);
                let found = map.lookup(address);
                prop_assert_eq!(found.region, by_definition(&prefixes, key));
                prop_assert_eq!(regions(&prefixes, key, found.scope).len(), 1);
                if found.scope > 0 {
                    prop_assert!(regions(&prefixes, key, found.scope - 1).len() > 1);
                }
            }
        }
    }

    #[test]
    fn what_went_in_comes_out(v4 in some_prefixes(true), v6 in some_prefixes(false)) {
        let map = PrefixMap::new(&v4.iter().chain(&v6).map(|(&it, &region)| (it, region)).collect());
        for (prefixes, trie) in [(&v4, &map.v4), (&v6, &map.v6)] {
            let runs = trie.runs();
            prop_assert_eq!(runs.starts[0], 0);
            prop_assert!(runs.starts.is_sorted_by(|one, other| one < other));
            prop_assert!(runs.regions.windows(2).all(|pair| pair[0] != pair[1]));
            for (&start, &region) in runs.starts.iter().zip(&runs.regions) {
                let expected = by_definition(prefixes, start).unwrap_or(NONE);
                prop_assert_eq!(region, expected);
            }
        }
    }
}
