//! The page of a run: all figures at a look, then each scenario with its prose, its topology, its figures, and its
//! cases side by side as time-sequence plots. One file that needs nothing else, and no scripts.
//!
//! * `bar`: a figure beside what was expected of it.
//! * `topology`: hosts and links.
//! * `sequence`: a time-sequence plot.

mod bar;
mod sequence;
#[cfg(test)]
mod tests;
mod topology;

use super::outcome::{CaseOutcome, Outcome, Plot, Report, Row, Verdict};
use super::words::Tally;
use crate::page::{begin, escape, push};
use sequence::Frame;

/// Colours and cards as the other reports have them, and what only this page has.
const STYLE: [&str; 2] = [include_str!("../report/html.css"), include_str!("page/page.css")];

/// The page of a report.
#[must_use]
pub fn html(report: &Report) -> String {
    let heading = "The wide-area lab: measured beside expected";
    let mut page = begin("lastmile bench wan", heading);
    push(&mut page, format_args!("<style>\n{}{}</style>\n", STYLE[0], STYLE[1]));
    let tally = Tally::of(report);
    let class = class(tally.verdict());
    push(
        &mut page,
        format_args!(
            "<p class=\"sum\"><b class=\"{class}\">{}</b>. Hosts on one machine, the kernel's own TCP between them \
             over links of chosen delay, rate, loss and queue, and the real programs in them. Each \
             figure is the median of its repeats.</p>\n",
            escape(&tally.words())
        ),
    );
    overview(&mut page, report);
    for outcome in &report.outcomes {
        scenario(&mut page, outcome);
    }
    page.push_str("<h2>Where it was measured</h2>\n<dl class=\"machine\">\n");
    for (name, value) in &report.machine {
        push(&mut page, format_args!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value)));
    }
    page.push_str("</dl>\n</html>\n");
    page
}

/// A row for each case: the first figure of which something is expected, and the verdict over all of them.
fn overview(page: &mut String, report: &Report) {
    page.push_str(
        "<div class=\"wide\"><table class=\"overview\">\n<thead><tr><th>scenario</th><th>case</th><th>figure</th>\
         <th class=\"bars\">measured <i class=\"own\"></i> beside expected <i class=\"peer\"></i></th><th>measured</th>\
         <th>expected</th><th>verdict</th></tr></thead>\n",
    );
    for outcome in &report.outcomes {
        push(page, format_args!("<tbody>\n"));
        let link = format!(
            "<a href=\"#{}\"><b>{}</b> {}</a>",
            anchor(&outcome.name),
            escape(&outcome.name),
            escape(&outcome.title)
        );
        let mut rows: Vec<String> =
            outcome.cases.iter().map(|case| overview_case(outcome, case)).collect();
        rows.extend(outcome.failures().map(|failure| {
            let failure = escape(failure);
            format!("<td colspan=\"5\">not measured: {failure}</td><td class=\"bad\">✗ failed</td>")
        }));
        let span = rows.len().max(1);
        push(page, format_args!("<tr><th scope=\"rowgroup\" rowspan=\"{span}\">{link}</th>"));
        push(page, format_args!("{}</tr>\n", rows.join("</tr>\n<tr>")));
        page.push_str("</tbody>\n");
    }
    page.push_str("</table></div>\n");
}

fn overview_case(outcome: &Outcome, case: &CaseOutcome) -> String {
    let mut cells = format!("<td>{}</td>", escape(&case.name));
    let rows = || case.rows.iter();
    // Of a case that nothing is expected of: what is expected of another.
    let mut expected = outcome.cases.iter().flat_map(|case| &case.rows);
    let expected = expected.find(|row| row.expected.is_some()).map(|row| &row.name);
    let is_same = |row: &&Row| Some(&row.name) == expected;
    let row = rows().find(|row| row.expected.is_some()).or_else(|| rows().find(is_same));
    let Some(row) = row.or_else(|| rows().next()) else {
        cells.push_str("<td colspan=\"5\">no figures</td>");
        return cells;
    };
    push(&mut cells, format_args!("<td>{}</td><td class=\"bars\">", escape(&row.name)));
    bar::draw(&mut cells, row, bar::longest(outcome, &row.unit));
    push(
        &mut cells,
        format_args!(
            "</td><td class=\"figure\">{}</td><td class=\"figure\">{}</td>",
            escape(&row.measured_words()),
            escape(&row.expected_words())
        ),
    );
    let tally = Tally::default().add_case(case);
    let (verdict, all) = (tally.verdict(), tally.good + tally.off + tally.noisy);
    let of = if all > 1 { format!(" ({} of {all})", tally.good) } else { String::new() };
    let (class, words) = (class(verdict), words(verdict));
    push(&mut cells, format_args!("<td class=\"{class}\">{words}{of}</td>"));
    cells
}

/// One scenario.
fn scenario(page: &mut String, outcome: &Outcome) {
    let tally = Tally::default().add(outcome);
    push(
        page,
        format_args!(
            "<section class=\"card scenario\" id=\"{}\">\n<h2><span class=\"name\">{}</span> {}</h2>\n\
             <p class=\"sum {}\">{}</p>\n",
            anchor(&outcome.name),
            escape(&outcome.name),
            escape(&outcome.title),
            class(tally.verdict()),
            escape(&tally.words())
        ),
    );
    for failure in outcome.failures() {
        push(page, format_args!("<p class=\"failure\">Not measured: {}</p>\n", escape(failure)));
    }
    page.push_str("<div class=\"about\">\n<div class=\"prose\">\n");
    for paragraph in outcome.about.split("\n\n").map(str::trim).filter(|text| !text.is_empty()) {
        push(page, format_args!("<p>{}</p>\n", escape(paragraph)));
    }
    page.push_str("</div>\n");
    topology::draw(page, outcome);
    page.push_str("</div>\n");
    figures(page, outcome);
    plots(page, outcome);
    page.push_str("</section>\n");
}

/// All figures of all cases.
fn figures(page: &mut String, outcome: &Outcome) {
    if outcome.cases.is_empty() {
        return;
    }
    page.push_str(
        "<div class=\"wide\"><table class=\"figures\">\n<thead><tr><th>figure</th>\
         <th class=\"bars\">measured <i class=\"own\"></i> beside expected <i class=\"peer\"></i></th>\
         <th>measured</th><th>expected</th><th>verdict</th></tr></thead>\n",
    );
    for case in &outcome.cases {
        push(
            page,
            format_args!(
                "<tbody>\n<tr class=\"case\"><th colspan=\"5\" scope=\"rowgroup\">{} <span>{}</span> \
                 <span class=\"lateness\">{}</span></th></tr>\n",
                escape(&case.name),
                escape(&case.about),
                escape(&case.lateness_words())
            ),
        );
        for row in &case.rows {
            figure(page, outcome, row);
        }
        page.push_str("</tbody>\n");
    }
    page.push_str("</table></div>\n");
}

fn figure(page: &mut String, outcome: &Outcome, row: &Row) {
    push(page, format_args!("<tr><th scope=\"row\">{}</th>", escape(&row.name)));
    page.push_str("<td class=\"bars\">");
    bar::draw(page, row, bar::longest(outcome, &row.unit));
    push(
        page,
        format_args!(
            "</td><td class=\"figure\">{}<small>{}</small></td><td class=\"figure\">{}",
            escape(&row.measured_words()),
            escape(&row.spread_words()),
            escape(&row.expected_words())
        ),
    );
    if let Some(expected) = row.expected.as_ref().filter(|expected| !expected.source.is_empty()) {
        push(page, format_args!("<small>{}</small>", escape(&expected.source)));
    }
    push(page, format_args!("</td><td class=\"{}\">{}", class(row.verdict), words(row.verdict)));
    let difference = row.difference_words();
    if !difference.is_empty() {
        push(page, format_args!("<small>{difference}</small>"));
    }
    page.push_str("</td></tr>\n");
    if !row.note.is_empty() {
        let note = escape(&row.note);
        push(page, format_args!("<tr class=\"note\"><td colspan=\"5\">{note}</td></tr>\n"));
    }
}

/// Plots of one link are beside each other, case by case, and have the same axes.
fn plots(page: &mut String, outcome: &Outcome) {
    let all: Vec<&Plot> = outcome.cases.iter().flat_map(|case| &case.plots).collect();
    if all.is_empty() {
        return;
    }
    page.push_str(sequence::KEY);
    let mut titles: Vec<&str> = Vec::new();
    for plot in &all {
        if !titles.contains(&plot.title.as_str()) {
            titles.push(&plot.title);
        }
    }
    for title in titles {
        let frame = Frame::around(&all, title);
        push(page, format_args!("<h3>{}</h3>\n<div class=\"plots\">\n", escape(title)));
        for case in &outcome.cases {
            for plot in case.plots.iter().filter(|plot| plot.title == title) {
                sequence::draw(page, &case.name, plot, &frame);
            }
        }
        page.push_str("</div>\n");
    }
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Off => "bad",
        Verdict::Noisy => "noisy",
        Verdict::Informs => "none",
    }
}

fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good | Verdict::Off | Verdict::Noisy => verdict.words(),
        Verdict::Informs => "–",
    }
}

/// A name as it can stand in a link.
fn anchor(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}
