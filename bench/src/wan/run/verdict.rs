//! Figures of several measurements, what was expected of them, and what to make of both. Nothing here measures.

use crate::statistics::Spread;
use crate::wan::outcome::{Expectation, ExpectationKind, Row, Summary, Verdict};
use crate::wan::scenario::{Against, Expect, FigureName};
use std::collections::HashMap;

/// The values of figures, one for each measurement that had it, in the order in which rows show them.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    all: Vec<(FigureName, Vec<f64>)>,
}

impl Figures {
    /// Another value of a figure.
    pub(super) fn add(&mut self, name: FigureName, value: f64) {
        match self.all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => self.all.push((name, vec![value])),
        }
    }

    /// The figure over all measurements.
    pub(super) fn summary(&self, name: &FigureName) -> Option<Summary> {
        let (_, values) = self.all.iter().find(|(known, _)| known == name)?;
        let spread = Spread::of(values.iter().copied())?;
        Some(Summary {
            median: spread.median,
            min: spread.lowest,
            max: spread.highest,
            count: values.len(),
        })
    }

    fn names(&self) -> impl Iterator<Item = &FigureName> {
        self.all.iter().map(|(name, _)| name)
    }
}

/// The medians of the cases before.
#[derive(Clone, Debug, Default)]
pub(super) struct Medians {
    of: HashMap<(String, FigureName), Median>,
}

#[derive(Clone, Copy, Debug)]
struct Median {
    value: f64,
    /// Of measurements with links that were late.
    is_noisy: bool,
}

impl Medians {
    /// Those of the case of this name.
    pub(super) fn add(&mut self, case: &str, figures: &Figures, is_noisy: bool) {
        for name in figures.names() {
            if let Some(summary) = figures.summary(name) {
                let median = Median { value: summary.median, is_noisy };
                self.of.insert((case.to_owned(), name.clone()), median);
            }
        }
    }

    /// That of this figure, if the case was measured.
    fn get(&self, case: &str, name: &FigureName) -> Option<Median> {
        self.of.get(&(case.to_owned(), name.clone())).copied()
    }
}

/// Rows of a case: figures in their order, each as often as something is expected of it, or once. Those of
/// [`shows_unasked`] are left out if nothing is. What was expected and not measured has a row without values that is
/// off. `is_noisy` is of this case; what is compared with a noisy one is noisy too.
pub(super) fn rows(
    figures: &Figures,
    expected: &[Expect],
    medians: &Medians,
    tolerance_min: f64,
    is_noisy: bool,
) -> Vec<Row> {
    let mut rows = Vec::new();
    let missing = expected.iter().map(|expect| &expect.figure);
    let mut names: Vec<_> = figures.names().collect();
    for name in missing {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    for name in names {
        let summary = figures.summary(name);
        let of_it: Vec<_> = expected.iter().filter(|expect| expect.figure == *name).collect();
        if of_it.is_empty() && shows_unasked(name, summary.as_ref()) {
            // A failure that nobody expects is not as expected.
            let verdict = match name {
                FigureName::Failures => Verdict::Off,
                _ => Verdict::Informs,
            };
            rows.extend(summary.map(|summary| row(name, summary, None, verdict)));
        }
        for expect in of_it {
            let against = against(expect, medians, tolerance_min);
            let verdict = match (&summary, &against) {
                (None, _) | (_, None) => Verdict::Off,
                (Some(_), Some(_)) if is_noisy || has_noisy_base(expect, medians) => Verdict::Noisy,
                (Some(summary), Some(it)) if is_met(it, summary.median) => Verdict::Good,
                (Some(_), Some(_)) => Verdict::Off,
            };
            let nothing = Summary { median: 0.0, min: 0.0, max: 0.0, count: 0 };
            let mut row = row(name, summary.unwrap_or(nothing), against, verdict);
            if summary.is_none() {
                "not measured".clone_into(&mut row.note);
            } else if row.expected.is_none() {
                "the case that it is compared with was not measured".clone_into(&mut row.note);
            }
            rows.push(row);
        }
    }
    rows
}

/// Whether a figure of which nothing is expected says something.
fn shows_unasked(name: &FigureName, summary: Option<&Summary>) -> bool {
    match name {
        FigureName::Drops | FigureName::Retransmissions | FigureName::Failures => {
            summary.is_some_and(|summary| summary.max > 0.0)
        }
        FigureName::Requests(_) => false,
        FigureName::Connect
        | FigureName::FirstByte
        | FigureName::LastByte
        | FigureName::First
        | FigureName::Median
        | FigureName::P99
        | FigureName::Mean
        | FigureName::Time
        | FigureName::Goodput
        | FigureName::Flights => true,
    }
}

fn row(
    name: &FigureName,
    measured: Summary,
    expected: Option<Expectation>,
    verdict: Verdict,
) -> Row {
    let unit = name.unit().to_owned();
    Row { name: name.to_string(), unit, measured, expected, verdict, note: String::new() }
}

fn against(expect: &Expect, medians: &Medians, tolerance_min: f64) -> Option<Expectation> {
    let value = match &expect.against {
        Against::Number(number) => *number,
        Against::Case { case, part } => medians.get(case, &expect.figure)?.value * part,
    };
    let tolerance = expect.within.max(tolerance_min);
    Some(Expectation { kind: expect.kind, value, tolerance, source: expect.source.clone() })
}

/// Whether it is compared with a case whose links were too late to say.
fn has_noisy_base(expect: &Expect, medians: &Medians) -> bool {
    match &expect.against {
        Against::Number(_) => false,
        Against::Case { case, .. } => {
            medians.get(case, &expect.figure).is_some_and(|median| median.is_noisy)
        }
    }
}

fn is_met(expected: &Expectation, value: f64) -> bool {
    match expected.kind {
        ExpectationKind::Near => {
            (value - expected.value).abs() <= expected.value * expected.tolerance
        }
        ExpectationKind::AtMost => value <= expected.value,
        ExpectationKind::AtLeast => value >= expected.value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wan::Scenario;

    #[test]
    fn what_is_compared_with_a_noisy_case_is_noisy() {
        let figures = |value| {
            let mut figures = Figures::default();
            figures.add(FigureName::LastByte, value);
            figures
        };
        let expect = |against: &str| {
            let text = format!(
                "name = \"x\"\ntitle = \"x\"\n[hosts]\na = {{}}\nb = {{}}\n\
                 [links.l]\nends = [\"a\", \"b\"]\nrtt = \"1ms\"\n\
                 [measure]\nkind = \"fetch\"\nfrom = \"a\"\nurl = \"http://b/\"\n\
                 [[cases]]\nname = \"quiet\"\n[[cases]]\nname = \"noisy\"\n[[cases]]\nname = \"none\"\n\
                 [[cases]]\nname = \"it\"\nexpect = [{{ value = \"last_byte\", {against} }}]"
            );
            let scenario = Scenario::parse("x", &text).unwrap();
            scenario.cases[3].scene.expect.clone()
        };
        let (quiet, noisy, none) = (
            "at_most_of = { case = \"quiet\", part = 0.5 }",
            "at_most_of = { case = \"noisy\", part = 0.5 }",
            "at_most_of = { case = \"none\", part = 0.5 }",
        );
        let mut medians = Medians::default();
        medians.add("quiet", &figures(100.0), false);
        medians.add("noisy", &figures(100.0), true);
        for (against, value, is_noisy, verdict) in [
            (quiet, 50.0, false, Verdict::Good),
            (quiet, 51.0, false, Verdict::Off),
            (quiet, 50.0, true, Verdict::Noisy),
            (noisy, 50.0, false, Verdict::Noisy),
            (noisy, 51.0, false, Verdict::Noisy),
            (none, 50.0, false, Verdict::Off),
            ("at_most = 50", 50.0, false, Verdict::Good),
        ] {
            let rows = rows(&figures(value), &expect(against), &medians, 0.0, is_noisy);
            assert_eq!(rows[0].verdict, verdict, "{value}, {against}");
        }
    }
}
