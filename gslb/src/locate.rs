//! Who holds a URL: weighted rendezvous hashing with bounded loads, and more than one holder for what is hot. Pure, and
//! of nothing else in this crate but its hash, so that an edge can choose its parent by it.

pub(crate) mod recent;

use crate::steer::hash::rank;
use std::cmp::Ordering;

/// No holder gets more than this times its share of what is asked (Mirrokni, Thorup and Zadimoghaddam 2018): nearer to
/// 1 loads are more even and copies more numerous; at 1.25 few URLs have more than one.
const BALANCE: f64 = 1.25;
/// Recent requests for which nobody is too busy, whatever the share: without it a second request in a quiet minute
/// would go to a second holder.
const IDLE_LOAD: f64 = 32.0;
/// One URL may take so much of a holder's share; one that is asked for more often has several holders. Above 1/2 a
/// holder with one hot URL would have to turn away much of what else it holds.
const HOT_SHARE: f64 = 0.5;

/// One that can hold: an edge of a region, a parent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Holder {
    /// A hash of its name.
    pub(crate) seed: u64,
    /// Its share relative to the others; 0 takes nothing.
    pub(crate) weight: f64,
    /// Its recent requests.
    pub(crate) load: f64,
}

/// How a holder was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is the URL's own.
    Home,
    /// The URL is hot, and it is one of its own.
    Copy,
    /// The URL's own had their share of requests: the next in its order.
    Overflow,
}

/// The one of `holders` that is to be asked for what has the hash `key`; `recent` is how often that was asked for
/// recently. `None` when nobody takes anything.
///
/// The order of holders is a URL's own and does not depend on loads: when one goes only what it held moves, and when
/// it comes back only that comes back.
pub(crate) fn locate(holders: &[Holder], key: u64, recent: f64) -> Option<(usize, Place)> {
    let mut order: Vec<(f64, usize)> = holders
        .iter()
        .enumerate()
        .filter(|(_, holder)| holder.weight > 0.0)
        .map(|(index, holder)| (rank(key, holder.seed, holder.weight), index))
        .collect();
    order.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let weights: f64 = order.iter().map(|&(_, index)| holders[index].weight).sum();
    let total: f64 = order.iter().map(|&(_, index)| holders[index].load).sum();
    let share = |holder: &Holder| holder.weight / weights;
    // With the request that is to be placed.
    let bound = |holder: &Holder| (BALANCE * (total + 1.0) * share(holder)).max(IDLE_LOAD);
    let has_room = |index: usize| holders[index].load + 1.0 <= bound(&holders[index]);
    let copies = copies(&order, recent, total, |index| share(&holders[index]));
    let relative = |index: usize| holders[index].load / share(&holders[index]);
    let copy = order[..copies]
        .iter()
        .map(|&(_, index)| index)
        .filter(|&index| has_room(index))
        // The first of equals, so that quiet URLs stay at home.
        .min_by(|&one, &other| {
            relative(one).partial_cmp(&relative(other)).unwrap_or(Ordering::Equal)
        });
    if let Some(index) = copy {
        return Some((index, if copies == 1 { Place::Home } else { Place::Copy }));
    }
    let next = order[copies..].iter().map(|&(_, index)| index).find(|&index| has_room(index));
    // The bounds add up to more than all requests, so somebody has room; rounding may say otherwise.
    next.map(|index| (index, Place::Overflow)).or_else(|| Some((order.first()?.1, Place::Home)))
}

/// How many of the first in `order` hold a URL: so many that it takes at most [`HOT_SHARE`] of each one's share.
fn copies(order: &[(f64, usize)], recent: f64, total: f64, share: impl Fn(usize) -> f64) -> usize {
    if recent <= IDLE_LOAD {
        return order.len().min(1);
    }
    let wanted = recent / total.max(recent) / HOT_SHARE;
    let mut held = 0.0;
    let enough = order.iter().position(|&(_, index)| {
        held += share(index);
        held >= wanted
    });
    enough.map_or(order.len(), |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::hash::{mix, seed};
    use proptest::prelude::*;

    fn holders(weights: &[u32]) -> Vec<Holder> {
        let holder = |(index, &weight): (usize, &u32)| Holder {
            seed: seed(&format!("edge-{index}")),
            weight: weight.into(),
            load: 0.0,
        };
        weights.iter().enumerate().map(holder).collect()
    }

    fn home(holders: &[Holder], key: u64) -> usize {
        locate(holders, key, 0.0).unwrap().0
    }

    #[test]
    fn nobody_and_one() {
        assert_eq!(locate(&[], 1, 0.0), None);
        assert_eq!(locate(&holders(&[0, 0]), 1, 0.0), None);
        assert_eq!(locate(&holders(&[0, 5]), 1, 1e6), Some((1, Place::Home)));
    }

    #[test]
    fn shares_are_as_the_weights() {
        let holders = holders(&[1, 2, 1]);
        let mut counts = [0u32; 3];
        (0..40_000).for_each(|key| counts[home(&holders, mix(key))] += 1);
        for (count, expected) in counts.into_iter().zip([10_000, 20_000, 10_000]) {
            assert!(count.abs_diff(expected) < 600, "{counts:?}");
        }
    }

    #[test]
    fn a_hot_url_is_spread_and_a_quiet_one_is_not() {
        let mut holders = holders(&[100; 10]);
        holders.iter_mut().for_each(|holder| holder.load = 100.0);
        for (recent, expected, why) in [
            (0.0, 1, "never asked for"),
            (32.0, 1, "too seldom to say anything"),
            (50.0, 1, "half of a share"),
            (51.0, 2, "a little more"),
            (250.0, 5, "a quarter of everything, in twentieths"),
            (1000.0, 10, "nothing else is asked for"),
        ] {
            let mut found = std::collections::BTreeSet::new();
            let mut loads = holders.clone();
            for _ in 0..20 {
                let (index, _) = locate(&loads, 7, recent).unwrap();
                loads[index].load += 1.0;
                found.insert(index);
            }
            assert_eq!(found.len(), expected, "{why}");
        }
    }

    proptest! {
        #[test]
        fn a_holder_that_goes_moves_only_what_it_held(
            weights in prop::collection::vec(1u32..500, 2..20),
            gone in any::<prop::sample::Index>(),
            keys in prop::collection::vec(any::<u64>(), 1..200),
        ) {
            let before = holders(&weights);
            let gone = gone.index(before.len());
            let mut after = before.clone();
            after[gone].weight = 0.0;
            for key in keys {
                let (old, new) = (home(&before, key), home(&after, key));
                prop_assert!(old == new || old == gone, "{} moved from {} to {}", key, old, new);
            }
        }

        #[test]
        fn nobody_is_above_the_bound(
            weights in prop::collection::vec(0u32..500, 1..20),
            // Few URLs and skewed, so that homes overflow.
            requests in prop::collection::vec(0u32..1000, 1..3000),
        ) {
            let mut holders = holders(&weights);
            let sum: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
            let mut asked = std::collections::HashMap::new();
            for (served, request) in requests.into_iter().enumerate() {
                let url = request * request / 100_000;
                let recent = asked.entry(url).or_insert(0.0);
                *recent += 1.0;
                let Some((index, place)) = locate(&holders, mix(url.into()), *recent) else {
                    prop_assert!(sum == 0.0);
                    return Ok(());
                };
                let home = home(&holders, mix(url.into()));
                holders[index].load += 1.0;
                let share = holders[index].weight / sum;
                let bound = (1.25 * (served as f64 + 1.0) * share).max(32.0);
                prop_assert!(holders[index].load <= bound + 1e-6);
                if *recent <= 32.0 && place != Place::Overflow {
                    prop_assert_eq!(index, home, "a quiet URL is at home while there is room");
                }
            }
        }
    }
}
