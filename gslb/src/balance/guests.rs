//! Which clients find room in regions that are not theirs.

use super::Region;
use super::demand::{HOPS_MAX, PART_MIN};

/// How often the parts are corrected: what one region takes does not come to the next one.
const ROUNDS: usize = 16;

/// The part of the guests that each region has room for, when it takes the part `own` of its own clients, up to the
/// utilisation `to`. A region that does not say how full it is takes all.
pub(super) fn room(regions: &[Region], demand: &[f64], own: &[f64], to: f64) -> Vec<f64> {
    let has_room = |region: &Region| region.load.is_none();
    let room: Vec<_> = regions
        .iter()
        .zip(demand.iter().zip(own))
        .map(|(region, (demand, own))| (to * region.capacity - demand * own).max(0.0))
        .collect();
    let mut parts = vec![1.0; regions.len()];
    for _ in 0..ROUNDS {
        let coming = coming(regions, demand, own, &parts);
        for (at, part) in parts.iter_mut().enumerate() {
            let fits = match regions[at].capacity > 0.0 && !has_room(&regions[at]) {
                true if room[at] <= 0.0 => 0.0,
                true => (room[at] / coming[at].max(f64::MIN_POSITIVE)).min(1.0),
                false => 1.0,
            };
            // Half of the way, since all change at once.
            *part += (fits - *part) / 2.0;
        }
    }
    parts
}

/// The guests that come to each region, in the unit of capacity.
fn coming(regions: &[Region], demand: &[f64], own: &[f64], parts: &[f64]) -> Vec<f64> {
    let mut coming = vec![0.0; regions.len()];
    for (at, region) in regions.iter().enumerate() {
        let own = if region.capacity > 0.0 { own[at] } else { 0.0 };
        let mut left = demand[at] * (1.0 - own);
        for &to in region.order.iter().skip(1).take(HOPS_MAX) {
            if left < PART_MIN * demand[at] {
                break;
            }
            let to = usize::from(to);
            if regions[to].capacity > 0.0 {
                coming[to] += left;
                left -= left * parts[to];
            }
        }
    }
    coming
}
