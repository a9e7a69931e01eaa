//! Which of many objects is asked for next: the most popular one most often, the n-th one n-th as often.

/// `count` numbers below `objects`, by Zipf's law with exponent 1; the same ones for the same seed.
pub(crate) fn zipf(objects: u32, count: usize, seed: u64) -> Vec<u32> {
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=objects)
        .map(|rank| {
            sum += 1.0 / f64::from(rank);
            sum
        })
        .collect();
    let mut state = seed;
    let mut draw = || {
        // SplitMix64 (Steele, Lea, Flood 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let rank = |draw: f64| sums.partition_point(|below| *below < draw * sum) as u32;
    (0..count).map(|_| rank(draw()).min(objects - 1)).collect()
}
