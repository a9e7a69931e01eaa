//! Random choices that a seed repeats: which object of a Zipf mix is asked for next.

/// SplitMix64: one state, one multiplication or two for a number, good enough to choose objects.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `bound`, without it; the bias is 2^-32 at most.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(((self.next() >> 32) * u64::from(bound)) >> 32).unwrap_or(0)
    }
}

/// Chooses numbers by weight in constant time (Walker's alias method).
#[derive(Clone, Debug)]
pub(crate) struct Chooser {
    /// For each number: up to which of 2^32 it is itself, and who it is otherwise.
    columns: Box<[(u32, u32)]>,
}

impl Chooser {
    /// Numbers from 0 to `count` (at least 1), without it: number `i` as often as `1 / (i + 1)^exponent`.
    pub(crate) fn zipf(exponent: f64, count: u32) -> Self {
        let weights: Vec<f64> = (1..=count).map(|rank| f64::from(rank).powf(-exponent)).collect();
        Self::new(&weights)
    }

    /// Each number as often as its weight says; there are weights and their sum is positive.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "shares are from 0 to 1 and there are fewer than 2^32"
    )]
    pub(crate) fn new(weights: &[f64]) -> Self {
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let mut shares: Vec<f64> = weights.iter().map(|weight| weight / mean).collect();
        let mut columns: Vec<(u32, u32)> =
            (0..weights.len() as u32).map(|own| (u32::MAX, own)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..shares.len()).partition(|&index| shares[index] < 1.0);
        while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
            columns[poor] = ((shares[poor] * f64::from(u32::MAX)) as u32, rich as u32);
            shares[rich] -= 1.0 - shares[poor];
            if shares[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        Self { columns: columns.into_boxed_slice() }
    }

    pub(crate) fn choose(&self, random: &mut Random) -> u32 {
        let count = u32::try_from(self.columns.len()).unwrap_or(u32::MAX);
        let column = random.below(count);
        let (own, other) = self.columns[column as usize];
        if (random.next() >> 32) <= u64::from(own) { column } else { other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_as_often_as_their_weights_say() {
        for (weights, why) in [
            (vec![1.0], "one"),
            (vec![1.0, 1.0, 2.0], "a double one"),
            (vec![0.0, 5.0], "one that never comes"),
            ((1..=100).map(|rank| 1.0 / f64::from(rank)).collect(), "Zipf"),
        ] {
            let (chooser, mut random) = (Chooser::new(&weights), Random::new(7));
            let mut seen = vec![0_u32; weights.len()];
            let draws = 200_000;
            for _ in 0..draws {
                seen[chooser.choose(&mut random) as usize] += 1;
            }
            let sum: f64 = weights.iter().sum();
            for (index, weight) in weights.iter().enumerate() {
                let expected = weight / sum;
                let found = f64::from(seen[index]) / f64::from(draws);
                // Four standard deviations.
                let noise = 4.0 * (expected * (1.0 - expected) / f64::from(draws)).sqrt();
                assert!(
                    (found - expected).abs() <= noise,
                    "{why}: {index}: {found} for {expected}"
                );
            }
        }
    }

    #[test]
    fn a_seed_repeats_its_choices() {
        let choices = |seed| {
            let (chooser, mut random) = (Chooser::zipf(0.9, 1000), Random::new(seed));
            (0..100).map(|_| chooser.choose(&mut random)).collect::<Vec<_>>()
        };
        assert_eq!(choices(3), choices(3));
        assert_ne!(choices(3), choices(4));
    }
}
