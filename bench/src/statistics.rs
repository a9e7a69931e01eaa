//! What a handful of measurements of the same thing say: the middle and how far they lie apart.

use serde::Serialize;

/// Measurements of one figure, in order of size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The smallest.
    pub lowest: f64,
    /// The one in the middle; of an even number the mean of the two in the middle. Chosen over the mean
    /// because a machine that is shared makes a few rounds much slower, never much faster.
    pub median: f64,
    /// The largest.
    pub highest: f64,
}

impl Spread {
    /// Of `values` in any order, or `None` when there are none. Values that are no number count as the
    /// largest, so that they show.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (lowest, highest) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { lowest, median, highest })
    }
}

/// The value that the part `share` of `values` do not exceed (nearest rank); `None` of none.
pub fn percentile(values: impl IntoIterator<Item = f64>, share: f64) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank among values that are in memory"
    )]
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).or(values.last()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let hundred = || (1..=100).rev().map(f64::from);
        for (found, expected, why) in [
            (percentile(hundred(), 0.99), Some(99.0), "the 99th of 100"),
            (percentile(hundred(), 0.5), Some(50.0), "the middle"),
            (percentile(hundred(), 1.0), Some(100.0), "the largest"),
            (percentile(hundred(), 0.0), Some(1.0), "the smallest"),
            (percentile([7.0], 0.99), Some(7.0), "one is all of them"),
            (percentile([], 0.99), None, "nothing"),
        ] {
            assert_eq!(found, expected, "{why}");
        }
    }

    #[test]
    fn medians_and_extremes() {
        for (values, expected, why) in [
            (&[][..], None, "nothing measured"),
            (&[3.0], Some((3.0, 3.0, 3.0)), "one measurement is all of them"),
            (&[9.0, 1.0, 5.0], Some((1.0, 5.0, 9.0)), "an odd number, unsorted"),
            (&[4.0, 1.0, 2.0, 100.0], Some((1.0, 3.0, 100.0)), "an even number: between the two"),
            (&[1.0, 1.0, 1.0, 1.0, 50.0], Some((1.0, 1.0, 50.0)), "one outlier moves no median"),
            (&[10.0, 9.0], Some((9.0, 9.5, 10.0)), "by value, not by text"),
        ] {
            let spread = Spread::of(values.iter().copied());
            assert_eq!(spread.map(|s| (s.lowest, s.median, s.highest)), expected, "{why}");
        }
    }

    #[test]
    fn what_is_no_number_shows() {
        let spread = Spread::of([f64::NAN, 1.0, 2.0]).unwrap();
        assert!((spread.median - 2.0).abs() < f64::EPSILON && spread.highest.is_nan());
    }
}
