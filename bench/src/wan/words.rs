//! Figures, expectations and verdicts as people read them, in tables and on the page.

use super::outcome::{CaseOutcome, Expectation, ExpectationKind, Outcome, Report, Row, Verdict};

/// A value in its unit: `401.5 ms`, `6.13 MB/s`, `2,000`.
pub(super) fn value(value: f64, unit: &str) -> String {
    match unit {
        "octets/s" => scaled(value, "B/s"),
        "octets" => scaled(value, "B"),
        "" => number(value, usize::from(value.fract() != 0.0)),
        unit => {
            let decimals = if value.abs() < 10.0 { 2 } else { usize::from(value.abs() < 1000.0) };
            format!("{} {unit}", number(value, decimals))
        }
    }
}

/// With three digits that count, and a prefix of the SI.
fn scaled(value: f64, unit: &str) -> String {
    let (value, prefix) = match value.abs() {
        size if size >= 1e9 => (value / 1e9, "G"),
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e3 => (value / 1e3, "K"),
        _ => (value, ""),
    };
    let decimals = match value.abs() {
        size if size >= 100.0 || prefix.is_empty() => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$} {prefix}{unit}")
}

/// With commas between thousands.
fn number(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, rest) =
        text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let mut out = String::new();
    if value < 0.0 {
        out.push('-');
    }
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
    out
}

impl Outcome {
    /// Why cases could not be measured, one by one.
    pub(super) fn failures(&self) -> impl Iterator<Item = &str> {
        self.failure.iter().flat_map(|failure| failure.lines())
    }
}

impl Row {
    /// The median.
    pub(super) fn measured_words(&self) -> String {
        value(self.measured.median, &self.unit)
    }

    /// From the least to the greatest, where there were several: `400.9 to 402.2 ms in 7`.
    pub(super) fn spread_words(&self) -> String {
        let summary = self.measured;
        if summary.count < 2 {
            return String::new();
        }
        let (min, max) = (value(summary.min, &self.unit), value(summary.max, &self.unit));
        if min == max {
            return format!("the same in {}", summary.count);
        }
        let unit_at = min.rfind(' ').filter(|at| max.ends_with(&min[*at..])).unwrap_or(min.len());
        format!("{} to {max} in {}", &min[..unit_at], summary.count)
    }

    /// What is expected, or nothing.
    pub(super) fn expected_words(&self) -> String {
        self.expected.as_ref().map_or_else(String::new, |expected| expected.words(&self.unit))
    }

    /// How far off it is: `+0.4 %`; nothing if that is no part of anything, or within a limit.
    pub(super) fn difference_words(&self) -> String {
        let Some(expected) = self.expected.as_ref().filter(|expected| expected.value != 0.0) else {
            return String::new();
        };
        if expected.kind != ExpectationKind::Near && self.verdict != Verdict::Off {
            return String::new();
        }
        let part = (self.measured.median - expected.value) / expected.value * 100.0;
        if part.abs() < 0.05 {
            return "±0 %".to_owned();
        }
        let decimals = usize::from(part.abs() < 10.0);
        format!("{part:+.decimals$} %")
    }
}

impl Expectation {
    fn words(&self, unit: &str) -> String {
        let value = value(self.value, unit);
        match self.kind {
            // Of a count, where a part of one means nothing.
            ExpectationKind::Near if unit.is_empty() && self.value * self.tolerance < 1.0 => value,
            ExpectationKind::Near if self.tolerance == 0.0 => value,
            ExpectationKind::Near => {
                let percent = self.tolerance * 100.0;
                let decimals = usize::from(percent.fract().abs() > 0.05);
                format!("{value} ± {percent:.decimals$} %")
            }
            ExpectationKind::AtMost => format!("at most {value}"),
            ExpectationKind::AtLeast => format!("at least {value}"),
        }
    }
}

impl Verdict {
    /// For tables and the page: never by colour alone.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Good => "✓ as expected",
            Self::Off => "✗ off",
            Self::Noisy => "~ noisy",
            Self::Informs => "",
        }
    }
}

impl CaseOutcome {
    /// How well the links kept their times.
    pub(super) fn lateness_words(&self) -> String {
        let [median, p99] = self.lateness_us;
        let again = match self.repeats {
            0 => String::new(),
            1 => ", measured again once".to_owned(),
            times => format!(", measured again {times} times"),
        };
        let noisy = if self.is_noisy { ": too late to the end" } else { "" };
        format!("links late by {median:.0} µs, p99 {p99:.0} µs{again}{noisy}")
    }
}

/// How many figures got which verdict; those that only inform are not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) good: usize,
    pub(super) off: usize,
    pub(super) noisy: usize,
    /// Scenarios that could not be measured.
    pub(super) failed: usize,
}

impl Tally {
    pub(super) fn of(report: &Report) -> Self {
        report.outcomes.iter().fold(Self::default(), Self::add)
    }

    pub(super) fn add(mut self, outcome: &Outcome) -> Self {
        self.failed += usize::from(outcome.failure.is_some());
        outcome.cases.iter().fold(self, Self::add_case)
    }

    pub(super) fn add_case(mut self, case: &CaseOutcome) -> Self {
        for row in &case.rows {
            match row.verdict {
                Verdict::Good => self.good += 1,
                Verdict::Off => self.off += 1,
                Verdict::Noisy => self.noisy += 1,
                Verdict::Informs => {}
            }
        }
        self
    }

    /// The worst of them.
    pub(super) fn verdict(self) -> Verdict {
        match self {
            Self { failed: 0, off: 0, noisy: 0, good: 0 } => Verdict::Informs,
            Self { failed: 0, off: 0, noisy: 0, .. } => Verdict::Good,
            Self { failed: 0, off: 0, .. } => Verdict::Noisy,
            _ => Verdict::Off,
        }
    }

    /// `27 of 29 figures as expected, 1 off, 1 noisy`.
    pub(super) fn words(self) -> String {
        let all = self.good + self.off + self.noisy;
        let mut text = match all {
            1 => format!("{} of 1 figure as expected", self.good),
            _ => format!("{} of {all} figures as expected", self.good),
        };
        for (count, word) in [(self.off, "off"), (self.noisy, "noisy")] {
            if count > 0 {
                text.push_str(&format!(", {count} {word}"));
            }
        }
        match self.failed {
            0 => {}
            1 => text.push_str("; 1 scenario could not be measured"),
            failed => text.push_str(&format!("; {failed} scenarios could not be measured")),
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Summary;
    use super::*;

    #[test]
    fn values() {
        for (value_of, unit, text, why) in [
            (401.5213, "ms", "401.5 ms", "tenths"),
            (1234.6, "ms", "1,235 ms", "no tenths of a long time"),
            (0.256, "ms", "0.26 ms", "hundredths of a short one"),
            (639_812.0, "octets/s", "640 KB/s", "three digits"),
            (6_129_000.0, "octets/s", "6.13 MB/s", "three digits"),
            (61_290_000.0, "octets/s", "61.3 MB/s", "three digits"),
            (999.0, "octets", "999 B", "without a prefix"),
            (2000.0, "", "2,000", "a count"),
            (1.5, "", "1.5", "half of two counts"),
            (-1_234_567.0, "", "-1,234,567", "a difference"),
        ] {
            assert_eq!(value(value_of, unit), text, "{why}");
        }
    }

    #[test]
    fn rows() {
        let summary = |min, median, max, count| Summary { median, min, max, count };
        let expected = |kind, tolerance| {
            Some(Expectation { kind, value: 400.0, tolerance, source: String::new() })
        };
        for (measured, expectation, spread, words, difference) in [
            (
                summary(400.9, 401.6, 402.24, 7),
                expected(ExpectationKind::Near, 0.02),
                "400.9 to 402.2 ms in 7",
                "400.0 ms ± 2 %",
                "+0.4 %",
            ),
            (
                summary(200.0, 200.0, 200.0, 3),
                expected(ExpectationKind::AtMost, 0.0),
                "the same in 3",
                "at most 400.0 ms",
                "",
            ),
            (
                summary(900.0, 950.0, 1200.0, 2),
                expected(ExpectationKind::AtLeast, 0.0),
                "900.0 to 1,200 ms in 2",
                "at least 400.0 ms",
                "",
            ),
            (summary(1.0, 1.0, 1.0, 1), None, "", "", ""),
        ] {
            let row = Row {
                name: String::new(),
                unit: "ms".to_owned(),
                measured,
                expected: expectation,
                verdict: Verdict::Good,
                note: String::new(),
            };
            assert_eq!(row.spread_words(), spread);
            assert_eq!(row.expected_words(), words);
            assert_eq!(row.difference_words(), difference);
        }
    }

    #[test]
    fn sums() {
        let tally = Tally { good: 1, off: 0, noisy: 0, failed: 0 };
        assert_eq!(tally.words(), "1 of 1 figure as expected");
        let tally = Tally { good: 27, off: 1, noisy: 1, failed: 2 };
        let words =
            "27 of 29 figures as expected, 1 off, 1 noisy; 2 scenarios could not be measured";
        assert_eq!(tally.words(), words);
        assert_eq!(tally.verdict(), Verdict::Off);
        assert_eq!(Tally { good: 3, noisy: 1, ..Tally::default() }.verdict(), Verdict::Noisy);
        assert_eq!(Tally { good: 3, ..Tally::default() }.verdict(), Verdict::Good);
        assert_eq!(Tally::default().verdict(), Verdict::Informs);
        assert_eq!(Tally { failed: 1, ..Tally::default() }.verdict(), Verdict::Off);
    }
}
