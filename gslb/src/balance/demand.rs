//! How many clients each region has of its own, by the loads and by where they can have gone.

use super::Region;

/// Regions that a client is followed through; what is left then is next to nothing.
pub(super) const HOPS_MAX: usize = 16;
/// Parts of a demand that are less are not followed.
pub(super) const PART_MIN: f64 = 1e-4;
/// The least demand of a region in the unit of capacity, so that one that had none can be found to have some.
const DEMAND_MIN: f64 = 1e-6;
/// Corrections in a step; each is by so many times at most.
const ROUNDS: usize = 4;
const CORRECTION_MAX: f64 = 10.0;

/// What the clients of each region would bring it if it took them all, in the unit of capacity.
#[derive(Debug)]
pub(super) struct Demand {
    own: Vec<f64>,
}

impl Demand {
    pub(super) fn new(regions: usize) -> Self {
        Self { own: vec![DEMAND_MIN; regions] }
    }

    pub(super) fn own(&self) -> &[f64] {
        &self.own
    }

    /// Corrects the demands until they explain the loads: each by how much more or less than expected has come where
    /// its clients go (Richardson 1972, Lucy 1974). The demand of a region without an edge that is up is seen where
    /// its clients are guests.
    pub(super) fn estimate(&mut self, regions: &[Region]) {
        let ways: Vec<_> = (0..regions.len()).map(|from| ways(regions, from)).collect();
        for _ in 0..ROUNDS {
            let mut expected = vec![0.0; regions.len()];
            for (demand, ways) in self.own.iter().zip(&ways) {
                ways.iter().for_each(|&(to, part)| expected[to] += demand * part);
            }
            for (demand, ways) in self.own.iter_mut().zip(&ways) {
                let (mut seen, mut all) = (0.0, 0.0);
                for &(to, part) in ways {
                    if let Some(load) = regions[to].load {
                        let more = load / expected[to].max(DEMAND_MIN);
                        seen += part * more.clamp(1.0 / CORRECTION_MAX, CORRECTION_MAX);
                        all += part;
                    }
                }
                if all > 0.0 {
                    *demand = (*demand * seen / all).max(DEMAND_MIN);
                }
            }
        }
    }
}

/// Where the clients of a region are, as far as they follow our answers: regions and parts.
fn ways(regions: &[Region], from: usize) -> Vec<(usize, f64)> {
    let own = regions[from].own.followed.clamp(0.0, 1.0);
    let (mut ways, mut left) = (vec![(from, own)], 1.0 - own);
    for &to in regions[from].order.iter().skip(1).take(HOPS_MAX) {
        if left < PART_MIN {
            break;
        }
        let to = usize::from(to);
        let taken = left * regions[to].guests.followed.clamp(0.0, 1.0);
        ways.push((to, taken));
        left -= taken;
    }
    // Who finds no room stays.
    ways[0].1 += left;
    ways
}
