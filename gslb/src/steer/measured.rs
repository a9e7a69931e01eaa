//! Measured round-trip times: which regions clients of a prefix are nearest to, before anything that the map says.
//! Pure.

use crate::map::{Prefix, PrefixMap, RegionIndex};
use arc_swap::{ArcSwapOption, Guard};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A region comes before another one when it is nearer by more than this part of the other's time
const NEARER_PART: f64 = 0.1;
/// and by more than this, in ms: less is noise, and nobody notices it.
const NEARER_MS: f64 = 2.0;
/// Different orders of regions; a prefix map has no more values.
const ORDERS_MAX: usize = u16::MAX as usize - 1;

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measurement {
    /// Of the clients in it.
    pub(crate) prefix: Prefix,
    /// To this edge or region,
    pub(crate) target: Box<str>,
    /// which is, or is in, this one.
    pub(crate) region: RegionIndex,
    /// Milliseconds.
    pub(crate) rtt_ms: f64,
}

/// What has been measured, compiled; swapped whole while workers read it.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// What the zone file's file has, which does not get old.
    pub(crate) from_file: Vec<Measurement>,
    /// What comes while it runs counts for so long.
    pub(crate) expires: Duration,
    // Spares the way of a query anything more when there is nothing.
    is_any: AtomicBool,
    table: ArcSwapOption<Table>,
}

/// Measurements by prefix; immutable.
#[derive(Debug)]
pub(crate) struct Table {
    map: PrefixMap,
    orders: Vec<Box<[RegionIndex]>>,
    /// For people.
    measurements: Vec<Measurement>,
}

/// The table, held while it is looked at.
pub(crate) struct Held(Guard<Option<Arc<Table>>>);

impl Held {
    pub(crate) fn table(&self) -> Option<&Table> {
        self.0.as_deref()
    }
}

impl Measured {
    /// Nothing is measured; what comes counts for so long.
    pub(crate) fn new(expires: Duration) -> Self {
        Self { expires, ..Self::default() }
    }

    /// What is known now; `None` costs nothing.
    pub(crate) fn load(&self) -> Option<Held> {
        self.is_any.load(Ordering::Relaxed).then(|| Held(self.table.load()))
    }

    pub(crate) fn store(&self, table: Option<Table>) {
        self.is_any.store(table.is_some(), Ordering::Relaxed);
        self.table.store(table.map(Arc::new));
    }
}

impl Table {
    /// Compiles measurements; `None` of none. `map` and the regions' orders say which comes first of two that are
    /// equally near. The longest prefix alone counts for a client: what is measured of a shorter one does not.
    ///
    /// # Errors
    /// More different orders of regions than can be told apart.
    pub(crate) fn new(
        measurements: Vec<Measurement>,
        map: &PrefixMap,
        order: impl Fn(RegionIndex) -> Vec<RegionIndex>,
    ) -> Result<Option<Self>, String> {
        let mut nearest: HashMap<Prefix, HashMap<RegionIndex, f64>> = HashMap::new();
        for &Measurement { prefix, region, rtt_ms, .. } in &measurements {
            let least = nearest.entry(prefix).or_default().entry(region).or_insert(rtt_ms);
            *least = least.min(rtt_ms);
        }
        let (mut indices, mut orders) = (HashMap::new(), Vec::new());
        let mut prefixes = HashMap::new();
        for (prefix, times) in nearest {
            let mapped = map.lookup(prefix.parts().0).region.map_or_else(Vec::new, &order);
            let regions = by_time(&times, &mapped);
            let index = *indices.entry(regions.clone()).or_insert_with(|| {
                orders.push(regions.into_boxed_slice());
                orders.len() - 1
            });
            if index >= ORDERS_MAX {
                return Err(format!("more than {ORDERS_MAX} different orders of regions"));
            }
            prefixes.insert(prefix, index as RegionIndex);
        }
        let is_any = !measurements.is_empty();
        Ok(is_any.then(|| Self { map: PrefixMap::new(&prefixes), orders, measurements }))
    }

    /// Regions that have been measured, nearest first, and how many bits of the address that needs.
    pub(crate) fn lookup(&self, address: IpAddr) -> (&[RegionIndex], u8) {
        let found = self.map.lookup(address);
        let order = found.region.map_or(&[][..], |index| &self.orders[usize::from(index)]);
        (order, found.scope)
    }

    /// The measurements of the longest prefix that has the address, for people.
    pub(crate) fn of(&self, address: IpAddr) -> Vec<Measurement> {
        let all = self.measurements.iter().filter(|it| it.prefix.contains(address));
        let longest = all.clone().map(|it| it.prefix.parts().1).max();
        all.filter(|it| Some(it.prefix.parts().1) == longest).cloned().collect()
    }
}

/// Regions by their times. They begin in the order of the map, and each goes before those that it is clearly nearer
/// than.
fn by_time(times: &HashMap<RegionIndex, f64>, mapped: &[RegionIndex]) -> Vec<RegionIndex> {
    let place = |region: &RegionIndex| mapped.iter().position(|it| it == region);
    let mut regions: Vec<_> = times.keys().copied().collect();
    regions.sort_by_key(|region| (place(region).unwrap_or(usize::MAX), *region));
    let mut order: Vec<RegionIndex> = Vec::with_capacity(regions.len());
    for region in regions {
        let is_before = |other: &RegionIndex| {
            let (mine, others) = (times[&region], times[other]);
            others - mine > NEARER_MS && others - mine > others * NEARER_PART
        };
        let at = order.iter().rposition(|other| !is_before(other)).map_or(0, |at| at + 1);
        order.insert(at, region);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_comes_first_when_it_is_clearly_nearer() {
        for (times, mapped, expected, why) in [
            (&[(0, 20.0), (1, 30.0)][..], &[1, 0][..], &[0, 1][..], "nearer by a third"),
            (&[(0, 98.0), (1, 100.0)], &[1, 0], &[1, 0], "2 ms are noise"),
            (&[(0, 92.0), (1, 100.0)], &[1, 0], &[1, 0], "8 % are noise"),
            (&[(0, 5.0), (1, 6.5)], &[1, 0], &[1, 0], "1.5 ms are noise, whatever their part"),
            (&[(0, 20.0), (1, 30.0), (2, 10.0)], &[1, 0, 2], &[2, 0, 1], "all by their times"),
            (&[(2, 30.0), (1, 30.0)], &[], &[1, 2], "in no prefix of the map"),
        ] {
            let times = times.iter().copied().collect();
            assert_eq!(by_time(&times, mapped), expected, "{why}");
        }
    }

    #[test]
    fn the_longest_prefix_counts_alone() {
        let it = |prefix: &str, region, rtt_ms| Measurement {
            prefix: prefix.parse().unwrap(),
            target: "edge".into(),
            region,
            rtt_ms,
        };
        let measurements = vec![
            it("10.0.0.0/8", 2, 5.0),
            it("10.1.0.0/16", 1, 30.0),
            it("10.1.0.0/16", 2, 90.0),
            it("10.1.0.0/16", 2, 10.0),
        ];
        let order = |region| vec![region];
        let table = Table::new(measurements, &PrefixMap::new(&HashMap::new()), order);
        let table = table.unwrap().unwrap();
        for (address, regions, scope, why) in [
            ("10.1.2.3", &[2, 1][..], 16, "its own, the least time of each region"),
            ("10.128.0.1", &[2], 9, "the shorter one, told from the longer one"),
            ("11.0.0.1", &[], 8, "none"),
        ] {
            assert_eq!(table.lookup(address.parse().unwrap()), (regions, scope), "{why}");
        }
        assert_eq!(table.of("10.1.2.3".parse().unwrap()).len(), 3);
        let none = Table::new(Vec::new(), &PrefixMap::new(&HashMap::new()), order).unwrap();
        assert!(none.is_none());
    }
}
