//! The report as a table for a terminal.

use super::{Cell, Report, rounds_of};

const COLUMNS: &[&str] = &[
    "server",
    "CPU us/req",
    "[min-max]",
    "user",
    "system",
    "req/s",
    "p50 us",
    "p99 us",
    "ratio",
    "rounds",
];

pub(super) fn render(report: &Report) -> String {
    let mut rows = vec![Row::Figures(COLUMNS.iter().map(|&name| name.to_owned()).collect())];
    let mut last = "";
    for cell in &report.cells {
        if cell.case != last {
            rows.push(Row::Words(format!("{} ({})", cell.title, cell.case)));
            last = cell.case;
        }
        rows.push(row(cell));
    }
    let mut text = aligned(&rows);
    text.push('\n');
    let method = format!(
        "{} rounds of {} s, interleaved; CPU of all of the server's processes; medians of the rounds \
         that count;\nratio: CPU per request by lastmile's, so above 1 is costlier than lastmile",
        report.rounds, report.seconds
    );
    let warnings = report.warnings.iter().map(|warning| format!("warning: {warning}"));
    for line in [method].into_iter().chain(report.fingerprint.lines()).chain(warnings) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

enum Row {
    Words(String),
    Figures(Vec<String>),
}

fn row(cell: &Cell) -> Row {
    let name = format!("  {}", cell.peer.name());
    let Some(figures) = &cell.figures else {
        return Row::Words(format!("{name}  no valid round: {}", cell.failure()));
    };
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    Row::Figures(vec![
        name,
        format!("{:.2}", figures.cpu_us.median),
        format!("[{:.2}-{:.2}]", figures.cpu_us.lowest, figures.cpu_us.highest),
        percent(1.0 - figures.system_share),
        percent(figures.system_share),
        format!("{:.0}", figures.requests_per_second),
        format!("{:.0}", figures.p50_us),
        format!("{:.0}", figures.p99_us),
        figures.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
        rounds_of(figures),
    ])
}

/// Columns as wide as their widest figure, the first one to the left, the others to the right.
fn aligned(rows: &[Row]) -> String {
    let mut widths = vec![0; COLUMNS.len()];
    for row in rows {
        if let Row::Figures(cells) = row {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = cell.len().max(*width);
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        match row {
            Row::Words(words) => text.push_str(words),
            Row::Figures(cells) => {
                for (at, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                    text.push_str(&match at {
                        0 => format!("{cell:<width$}"),
                        _ => format!("  {cell:>width$}"),
                    });
                }
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::report::tests::report;

    #[test]
    fn a_table() {
        let text = report().text();
        for (line, why) in [
            ("1 KB hit, 64 connections (1k-hit)", "a heading for each case"),
            (
                "  lastmile        7.00    [6.00-8.00]  25 %    75 %  142857     500    1500   1.00            3",
                "median and spread",
            ),
            (
                "  nginx          14.00  [14.00-14.00]  25 %    75 %   71429     500    1500   2.00            1",
                "its ratio",
            ),
            (
                "  lastmile       30.00  [30.00-30.00]  25 %    75 %   33333     500    1500   1.00  1 disturbed",
                "disturbed rounds are marked",
            ),
            ("  nginx  no valid round: Non-2xx or 3xx responses: 7", "and failed ones told"),
            ("cores: servers on 0, load and origin on 1", "the fingerprint"),
            ("warning: one core", "warnings"),
        ] {
            assert!(text.lines().any(|found| found == line), "{why}: {line}\n{text}");
        }
    }
}
