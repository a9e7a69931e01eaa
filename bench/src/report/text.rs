//! The report as tables for a terminal: goals, then a table for each case.

use super::{Cell, Report, rounds_of};
use crate::metric::Metric;

pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    for cells in report.by_case() {
        text.push_str(&case(cells, report.subject.has_floors));
        text.push('\n');
    }
    if !report.goals.is_empty() {
        text.push_str(&goals(report));
        text.push('\n');
    }
    for line in report.method() {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn goals(report: &Report) -> String {
    let mut rows = vec![cells(&["goal", "figure", "found", "bound", ""])];
    rows.extend(report.goals.iter().map(|goal| {
        let figure = goal.metric.heading();
        cells(&[&format!("  {}", goal.case), figure, &goal.told, &goal.goal, goal.verdict()])
    }));
    aligned(&rows, &[Side::Left, Side::Left, Side::Right, Side::Left, Side::Left])
}

/// The table of one case.
fn case(of_case: &[Cell], has_floors: bool) -> String {
    let Some(first) = of_case.first() else { return String::new() };
    let mut headings = vec!["  server".to_owned()];
    for (at, metric) in first.metrics.iter().enumerate() {
        headings.push(metric.heading().to_owned());
        if at == 0 {
            headings.push("[min-max]".to_owned());
        }
    }
    headings.push("ratio".to_owned());
    headings.extend(has_floors.then(|| "floor".to_owned()));
    headings.push("rounds".to_owned());
    let columns = headings.len();
    let mut rows = vec![headings];
    let mut failures = Vec::new();
    for cell in of_case {
        match row(cell, has_floors) {
            Some(row) => rows.push(row),
            None => failures.push(format!(
                "  {}: no valid round: {}\n",
                cell.peer.name(),
                cell.failure()
            )),
        }
    }
    let mut sides = vec![Side::Right; columns];
    sides[0] = Side::Left;
    format!("{} ({})\n{}{}", first.title, first.case, aligned(&rows, &sides), failures.concat())
}

fn row(cell: &Cell, has_floors: bool) -> Option<Vec<String>> {
    let figures = cell.figures.as_ref()?;
    let mut row = vec![format!("  {}", cell.peer.name())];
    let median = |metric: Metric| {
        figures.median(metric).map_or_else(|| "-".to_owned(), |value| metric.format(value))
    };
    for (at, metric) in cell.metrics.iter().enumerate() {
        row.push(median(*metric));
        if at == 0 {
            row.push(figures.spreads.get(metric).map_or_else(String::new, |spread| {
                format!("[{}-{}]", metric.format(spread.lowest), metric.format(spread.highest))
            }));
        }
    }
    let quotient =
        |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    row.push(quotient(figures.ratio));
    row.extend(has_floors.then(|| quotient(figures.floor_ratio)));
    row.push(rounds_of(figures));
    Some(row)
}

fn cells(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// To which side of its column a text goes.
#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// Columns as wide as their widest text.
fn aligned(rows: &[Vec<String>], sides: &[Side]) -> String {
    let width = |at: usize| {
        rows.iter().filter_map(|row| row.get(at)).map(|text| text.chars().count()).max()
    };
    let widths: Vec<usize> = (0..sides.len()).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let columns = row.iter().zip(&widths).zip(sides);
        let line: Vec<_> = columns
            .map(|((cell, width), side)| match side {
                Side::Left => format!("{cell:<width$}"),
                Side::Right => format!("{cell:>width$}"),
            })
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::report::tests::report;

    #[test]
    fn tables() {
        let text = report().text();
        for (line, why) in [
            ("1 KB hit, 64 connections (1k-hit)", "a heading for each case"),
            (
                "  server        CPU us/req      [min-max]  system   req/s  p50 us  p99 us  ratio  floor  rounds",
                "its columns",
            ),
            (
                "  lastmile            7.00    [6.00-8.00]    75 %  142857     500    1500   1.00   2.00       3",
                "median and spread",
            ),
            (
                "  nginx              14.00  [14.00-14.00]    75 %   71429     500    1500   2.00   4.00       1",
                "its ratio",
            ),
            ("  nginx: no valid round: status not 2xx or 304 7", "failures are told"),
            (
                "  server    behind ms  [min-max]  fetches  errors  ratio  floor  rounds",
                "columns of another kind of case",
            ),
            ("cores: servers on 0, load and origin on 1", "the fingerprint"),
            ("warning: one core", "warnings"),
        ] {
            assert!(text.lines().any(|found| found == line), "{why}: {line}\n{text}");
        }
        for (words, why) in [
            ("1 disturbed", "disturbed rounds are marked"),
            ("  1.40  at most 1.15 of floor-monoio's ", "a goal"),
            ("missed", "that was not reached"),
            ("     1  at most 1 ", "a goal by itself"),
            ("not measured", "a goal without its peer"),
        ] {
            assert!(text.contains(words), "{why}: {words}\n{text}");
        }
    }
}
