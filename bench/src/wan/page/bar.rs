//! A figure as a bar, and below it what was expected.

use super::super::outcome::{ExpectationKind, Outcome, Row, Verdict};
use crate::page::{escape, push};

/// Pixels of a drawing, and of its longest bar: the rest is for the end of a line on it.
const WIDTH: f64 = 220.0;
const LONGEST: f64 = 214.0;

/// What the longest bar of a scenario stands for: figures of one unit can be compared.
pub(super) fn longest(outcome: &Outcome, unit: &str) -> f64 {
    let rows = outcome.cases.iter().flat_map(|case| &case.rows).filter(|row| row.unit == unit);
    let values = rows.flat_map(|row| {
        let expected = row.expected.as_ref().map(|expected| expected.value);
        [Some(row.measured.max), Some(row.measured.median), expected].into_iter().flatten()
    });
    values.filter(|value| value.is_finite()).fold(0.0, f64::max)
}

/// Appends it.
pub(super) fn draw(page: &mut String, row: &Row, longest: f64) {
    let x = |value: f64| match longest {
        longest if longest > 0.0 && value.is_finite() => {
            value.clamp(0.0, longest) / longest * LONGEST
        }
        _ => 0.0,
    };
    let words = match row.expected_words() {
        words if words.is_empty() => row.measured_words(),
        words => format!("{}, expected: {words}", row.measured_words()),
    };
    let class = match row.verdict {
        Verdict::Good | Verdict::Informs => "own",
        Verdict::Off => "off",
        Verdict::Noisy => "doubtful",
    };
    let measured = row.measured;
    push(
        page,
        format_args!(
            "<svg viewBox=\"0 0 {WIDTH} 20\" role=\"img\" aria-label=\"{}\">\
             <rect class=\"{class}\" x=\"0\" y=\"1\" width=\"{:.1}\" height=\"9\" rx=\"1.5\"/>",
            escape(&words),
            x(measured.median).max(1.0)
        ),
    );
    if measured.max > measured.min {
        push(
            page,
            format_args!(
                "<path class=\"whisker\" d=\"M{:.1} 5.5H{:.1}\"/>",
                x(measured.min),
                x(measured.max)
            ),
        );
    }
    if let Some(expected) = &row.expected {
        let end = x(expected.value).max(1.0);
        let shape = match expected.kind {
            ExpectationKind::Near => "",
            // A limit: how far a bar may go, or has to.
            ExpectationKind::AtMost | ExpectationKind::AtLeast => " limit",
        };
        push(
            page,
            format_args!(
                "<rect class=\"peer{shape}\" x=\"0\" y=\"12\" width=\"{end:.1}\" height=\"6\" rx=\"1.5\"/>"
            ),
        );
        if expected.kind != ExpectationKind::Near {
            // To where it should be.
            let (tip, back) =
                if expected.kind == ExpectationKind::AtMost { (-5, 5) } else { (5, -5) };
            push(
                page,
                format_args!(
                    "<path class=\"tip\" d=\"M{end:.1} 0V20M{end:.1} 12l{tip} 3l{back} 3\"/>"
                ),
            );
        }
    }
    page.push_str("</svg>");
}
