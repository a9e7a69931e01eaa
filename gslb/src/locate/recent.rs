//! What was asked for recently: requests of each holder, and of each URL by a sketch. Pure: the time is an argument.

use crate::steer::hash::mix;
use std::collections::HashMap;
use std::time::Duration;

/// After so long a request counts half: long enough that a share is known from some hundred requests a second, short
/// enough that a burst is forgotten in a minute.
const HALF_LIFE: Duration = Duration::from_secs(10);
/// The sketch overstates a URL by e/WIDTH of all requests at most, but for one in e^DEPTH (Cormode and Muthukrishnan
/// 2005): by 0.07 % here, below half the share of one edge in 500. It takes 128 KiB.
const WIDTH: usize = 4096;
const DEPTH: usize = 4;
/// Holders that are remembered. Those of one zone file, and of those before it, are far fewer.
const HOLDERS_MAX: usize = 16_384;
/// Weights of requests grow by two each half-life; before they have grown by 2^60 all are scaled back. Far from where
/// an `f64` ends, and a hundred half-lives of silence scale everything to nothing.
const GROWTH_MAX: f64 = 60.0;

/// Recent requests. A request at time `t` has the weight 2^(t / half-life) (forward decay: Cormode, Shkapenyuk,
/// Srivastava and Xu 2009), so that nothing has to be aged one by one.
#[derive(Debug)]
pub(crate) struct Recent {
    rows: Box<[f64]>,
    holders: HashMap<u64, f64>,
    /// When a request weighs 1.
    epoch: Duration,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            rows: vec![0.0; WIDTH * DEPTH].into(),
            holders: HashMap::new(),
            epoch: Duration::ZERO,
        }
    }
}

impl Recent {
    /// Counts a request for the URL with this hash, and says how many recent ones there are with it.
    pub(crate) fn ask(&mut self, key: u64, now: Duration) -> f64 {
        let weight = self.weight(now);
        let before = self.cells(key).map(|cell| self.rows[cell]).fold(f64::INFINITY, f64::min);
        let after = before + weight;
        // Only as far as this URL needs it (conservative update): others are overstated less.
        for cell in self.cells(key) {
            self.rows[cell] = self.rows[cell].max(after);
        }
        after / weight
    }

    /// Counts a request that a holder got.
    pub(crate) fn serve(&mut self, seed: u64, now: Duration) {
        let weight = self.weight(now);
        if self.holders.len() >= HOLDERS_MAX && !self.holders.contains_key(&seed) {
            self.holders.retain(|_, load| *load >= weight);
            if self.holders.len() >= HOLDERS_MAX {
                return;
            }
        }
        *self.holders.entry(seed).or_default() += weight;
    }

    /// The recent requests of a holder.
    pub(crate) fn load(&mut self, seed: u64, now: Duration) -> f64 {
        let weight = self.weight(now);
        self.holders.get(&seed).map_or(0.0, |load| load / weight)
    }

    /// The cell of a URL in each row.
    fn cells(&self, key: u64) -> impl Iterator<Item = usize> + use<> {
        (0..DEPTH).map(move |row| row * WIDTH + mix(key ^ mix(row as u64)) as usize % WIDTH)
    }

    /// What a request weighs now.
    fn weight(&mut self, now: Duration) -> f64 {
        let growth = now.saturating_sub(self.epoch).as_secs_f64() / HALF_LIFE.as_secs_f64();
        if growth <= GROWTH_MAX {
            return growth.exp2();
        }
        let scale = (-growth).exp2();
        self.rows.iter_mut().for_each(|cell| *cell *= scale);
        self.holders.values_mut().for_each(|load| *load *= scale);
        self.epoch = now;
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-6
    }

    #[test]
    fn requests_count_half_after_a_half_life() {
        let mut recent = Recent::default();
        (0..100).for_each(|_| recent.serve(7, at(0)));
        for (seconds, expected, why) in [
            (0, 100.0, "just now"),
            (10, 50.0, "a half-life"),
            (20, 25.0, "two"),
            (630, 100.0 / 63f64.exp2(), "beyond the growth that is allowed"),
            (1_000_000, 0.0, "long ago"),
        ] {
            assert!(near(recent.load(7, at(seconds)), expected), "{why}");
        }
        assert_eq!(recent.load(8, at(0)), 0.0, "somebody else");
        recent.serve(7, at(1_000_001));
        assert!(near(recent.load(7, at(1_000_001)), 1.0), "it goes on");
    }

    #[test]
    fn a_url_is_never_understated_and_seldom_overstated() {
        let mut recent = Recent::default();
        for url in 0..20_000u64 {
            recent.ask(mix(url), at(1));
        }
        for expected in 1..=500 {
            let found = recent.ask(42, at(1));
            assert!(found >= f64::from(expected) - 1e-6, "{found} of {expected}");
            assert!(found <= f64::from(expected) + 0.0007 * 20_500.0, "{found} of {expected}");
        }
        let later = recent.ask(42, at(11));
        assert!((250.0..270.0).contains(&later), "{later}");
    }

    #[test]
    fn holders_are_bounded() {
        let mut recent = Recent::default();
        for seed in 0..HOLDERS_MAX as u64 {
            recent.serve(seed, at(0));
        }
        recent.serve(u64::MAX, at(0));
        assert_eq!(recent.holders.len(), HOLDERS_MAX);
        recent.serve(u64::MAX, at(600));
        assert_eq!((recent.holders.len(), recent.load(u64::MAX, at(600))), (1, 1.0));
    }
}
