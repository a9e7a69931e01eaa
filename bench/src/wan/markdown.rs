//! The tables of a report, for a document and for the terminal.

use super::outcome::{CaseOutcome, Outcome, Report, Row};
use super::words::Tally;
use std::fmt::Write as _;

/// A heading, a table and notes for each scenario, in the markdown of GitHub.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut out = String::from("# The wide-area lab\n\n");
    let _ = writeln!(out, "{}.\n", cell(&Tally::of(report).words()));
    for (name, value) in &report.machine {
        let _ = writeln!(out, "* {}: {}", cell(name), cell(value));
    }
    for outcome in &report.outcomes {
        let _ = writeln!(out, "\n## {}: {}\n", cell(&outcome.name), cell(&outcome.title));
        for failure in outcome.failures() {
            let _ = writeln!(out, "Not measured: {}\n", cell(failure));
        }
        if outcome.cases.is_empty() {
            continue;
        }
        out.push_str("| what | expected | measured | verdict |\n| --- | --- | --- | --- |\n");
        for (case, row) in rows(outcome) {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} |",
                cell(&what(outcome, case, row)),
                cell(&row.expected_words()),
                cell(&measured(row)),
                row.verdict.words()
            );
        }
        for note in notes(outcome) {
            let _ = write!(out, "\n* {}", cell(&note));
        }
        out.push('\n');
    }
    out
}

/// The same, in columns.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    for outcome in &report.outcomes {
        let _ = writeln!(out, "{}: {}", outcome.name, outcome.title);
        for failure in outcome.failures() {
            let _ = writeln!(out, "  not measured: {failure}");
        }
        let lines: Vec<[String; 4]> = rows(outcome)
            .map(|(case, row)| {
                let verdict = row.verdict.words().to_owned();
                [what(outcome, case, row), row.expected_words(), measured(row), verdict]
            })
            .collect();
        let headings = ["", "expected", "measured", ""].map(str::to_owned);
        let all = || lines.iter().chain((!lines.is_empty()).then_some(&headings));
        let width = |place: usize| all().map(|line| line[place].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2)];
        for [what, expected, measured, verdict] in all().last().into_iter().chain(&lines) {
            let line = format!(
                "  {what:0$}  {expected:1$}  {measured:2$}  {verdict}",
                widths[0], widths[1], widths[2]
            );
            let _ = writeln!(out, "{}", line.trim_end());
        }
        for note in notes(outcome) {
            let _ = writeln!(out, "  - {note}");
        }
        out.push('\n');
    }
    let _ = writeln!(out, "{}", Tally::of(report).words());
    out
}

fn rows(outcome: &Outcome) -> impl Iterator<Item = (&CaseOutcome, &Row)> {
    outcome.cases.iter().flat_map(|case| case.rows.iter().map(move |row| (case, row)))
}

/// The case and the figure; the case alone says nothing where there is but one of the scenario's name.
fn what(outcome: &Outcome, case: &CaseOutcome, row: &Row) -> String {
    match outcome.cases.len() {
        1 => row.name.clone(),
        _ => format!("{}: {}", case.name, row.name),
    }
}

fn measured(row: &Row) -> String {
    let mut text = row.measured_words();
    let spread = row.spread_words();
    if !spread.is_empty() {
        let _ = write!(text, " ({spread})");
    }
    text
}

/// Where expectations come from, what rows do not say, and how late the links were.
fn notes(outcome: &Outcome) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for case in &outcome.cases {
        for row in &case.rows {
            let source = row.expected.as_ref().map_or("", |expected| expected.source.as_str());
            let parts: Vec<_> =
                [source, row.note.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
            if !parts.is_empty() {
                notes.push(format!("{}: {}", what(outcome, case, row), parts.join("; ")));
            }
        }
    }
    for case in &outcome.cases {
        let lateness = case.lateness_words();
        notes.push(match outcome.cases.len() {
            1 => lateness,
            _ => format!("{}: {lateness}", case.name),
        });
    }
    notes
}

/// On one line, and nothing in it that means something in a table.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for part in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        for letter in part.chars() {
            if matches!(letter, '|' | '\\' | '`' | '*' | '_' | '<' | '[' | ']') {
                out.push('\\');
            }
            out.push(letter);
        }
    }
    out
}
