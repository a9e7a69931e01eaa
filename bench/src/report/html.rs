//! The report as a page by itself: the goals, then for each case a group of bars of its first figure.

use super::{Cell, GoalFound, Report};
use crate::metric::Metric;
use crate::page::{begin, escape, push};
use crate::peer::{Kind, Peer};
use std::fmt::Write as _;

/// Pixels of a drawing: names, bars with their figures, other figures to the right.
const WIDTH: usize = 660;
const NAME_PIXELS: f64 = 116.0;
const BAR_PIXELS_MAX: f64 = 215.0;

/// Pixels from one bar to the next, and of a bar.
const STEP_PIXELS: usize = 24;
const BAR_HEIGHT: usize = 15;

/// A bar that is so many times longer than lastmile's, and than the goals', is cut: one slow peer would make all others
/// dots.
const LONGEST_TIMES: f64 = 5.0;

/// On top of the style of every page.
const STYLE: &str = include_str!("html.css");

pub(super) fn render(report: &Report) -> String {
    let mut page = begin(report.subject.command, report.subject.heading);
    push(
        &mut page,
        format_args!(
            "<style>\n{STYLE}</style>\n<p class=\"sum\">{}</p>\n<div class=\"cards\">\n",
            summary(report)
        ),
    );
    for cells in report.by_case() {
        card(&mut page, cells, &report.goals);
    }
    page.push_str("</div>\n<ul>\n");
    for line in report.method() {
        push(&mut page, format_args!("<li>{}</li>\n", escape(&line)));
    }
    page.push_str("</ul>\n</html>\n");
    page
}

fn summary(report: &Report) -> String {
    let count = |verdict| report.goals.iter().filter(|goal| goal.reached == verdict).count();
    let mut text = format!(
        "Shorter is better; a line on a bar goes from the lowest to the highest round, a dashed \
         one is where a goal wants lastmile to end. Behind a bar: its figure, and how many times \
         lastmile's that is; *: no round of it was undisturbed. {} rounds of {} s.",
        report.rounds, report.seconds
    );
    if !report.goals.is_empty() {
        let (reached, missed) = (count(Some(true)), count(Some(false)));
        let _ = write!(
            text,
            " Goals: <b class=\"good\">{reached} reached</b>, <b class=\"bad\">{missed} missed</b>"
        );
        if count(None) > 0 {
            let _ = write!(text, ", {} not measured", count(None));
        }
        text.push('.');
    }
    text
}

/// One case: its goals and its bars.
fn card(page: &mut String, cells: &[Cell], goals: &[GoalFound]) {
    let Some(first) = cells.first() else { return };
    let goals: Vec<_> = goals.iter().filter(|goal| goal.case == first.case).collect();
    let (title, heading) = (escape(first.title), first.headline().heading());
    push(page, format_args!("<section class=\"card\">\n<h2>{title}</h2>\n"));
    if !goals.is_empty() {
        page.push_str("<ul class=\"goals\">\n");
        for goal in &goals {
            chip(page, goal, first.headline());
        }
        page.push_str("</ul>\n");
    }
    let height = (cells.len() + 1) * STEP_PIXELS;
    push(
        page,
        format_args!(
            "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n\
             <text class=\"soft\" x=\"{NAME_PIXELS}\" y=\"14\">{heading}</text>\n\
             <text class=\"soft end\" x=\"{WIDTH}\" y=\"14\">{}</text>\n",
            others(first.metrics).map(Metric::heading).collect::<Vec<_>>().join(" · ")
        ),
    );
    let marks: Vec<(f64, bool)> = goals
        .iter()
        .filter_map(|goal| Some((goal.mark(first.headline(), cells)?, goal.reached?)))
        .collect();
    let scale = BAR_PIXELS_MAX / longest(cells, &marks);
    for (at, cell) in cells.iter().enumerate() {
        let top = (at + 1) * STEP_PIXELS;
        bar(page, cell, top, scale);
        if cell.peer == Peer::Lastmile {
            for (value, reached) in &marks {
                let x = NAME_PIXELS + (value * scale).min(BAR_PIXELS_MAX);
                let class = if *reached { "good" } else { "bad" };
                push(
                    page,
                    format_args!(
                        "<path class=\"mark {class}\" d=\"M{x:.1} {top}v{}\"/>\n",
                        STEP_PIXELS - 3
                    ),
                );
            }
        }
    }
    page.push_str("</svg>\n</section>\n");
}

/// The metrics that are told beside the bars.
fn others(metrics: &[Metric]) -> impl Iterator<Item = Metric> {
    metrics.iter().copied().skip(1).filter(|metric| *metric != Metric::SystemShare)
}

fn chip(page: &mut String, goal: &GoalFound, headline: Metric) {
    let (class, sign) = match goal.reached {
        Some(true) => ("good", "✓ "),
        Some(false) => ("bad", "✗ "),
        None => ("none", "not measured: "),
    };
    let figure = match goal.metric {
        metric if metric == headline => String::new(),
        metric => format!("{} ", metric.heading()),
    };
    let (told, words) = (&goal.told, escape(&goal.goal));
    push(page, format_args!("<li class=\"{class}\">{sign}{figure}<b>{told}</b>, {words}</li>\n"));
}

/// What the longest bar stands for.
fn longest(cells: &[Cell], marks: &[(f64, bool)]) -> f64 {
    let highest = |cell: &Cell| cell.head().map(|spread| spread.highest);
    let all = cells.iter().filter_map(highest).fold(f64::MIN_POSITIVE, f64::max);
    let own = cells.iter().filter(|cell| cell.peer == Peer::Lastmile).filter_map(highest);
    let own = own.chain(marks.iter().map(|(value, _)| *value)).fold(0.0, f64::max);
    if own > 0.0 { all.min(own * LONGEST_TIMES) } else { all }
}

fn bar(page: &mut String, cell: &Cell, top: usize, scale: f64) {
    let baseline = top + 12;
    let (class, strong) = match (cell.peer, cell.peer.kind()) {
        (Peer::Lastmile, _) => ("own", " class=\"strong\""),
        (_, Kind::Floor) => ("floor", ""),
        (_, Kind::Cache | Kind::Files { .. } | Kind::Names) => ("peer", ""),
    };
    push(
        page,
        format_args!("<text{strong} x=\"0\" y=\"{baseline}\">{}</text>\n", cell.peer.name()),
    );
    let (Some(figures), Some(head)) = (&cell.figures, cell.head()) else {
        let why = escape(cell.failure());
        push(
            page,
            format_args!(
                "<text class=\"soft\" x=\"{NAME_PIXELS}\" y=\"{baseline}\">{why}</text>\n"
            ),
        );
        return;
    };
    let place = |value: f64| NAME_PIXELS + (value.max(0.0) * scale).min(BAR_PIXELS_MAX);
    let (end, from, to) = (place(head.median), place(head.lowest), place(head.highest));
    let middle = top + BAR_HEIGHT / 2;
    push(
        page,
        format_args!(
            "<rect class=\"{class}\" x=\"{NAME_PIXELS}\" y=\"{top}\" width=\"{:.1}\" \
             height=\"{BAR_HEIGHT}\" rx=\"2\"/>\n<path class=\"whisker\" d=\"M{from:.1} {middle}H{to:.1}\"/>\n",
            end - NAME_PIXELS
        ),
    );
    if head.median * scale > BAR_PIXELS_MAX {
        let x = NAME_PIXELS + BAR_PIXELS_MAX - 16.0;
        push(
            page,
            format_args!(
                "<path class=\"cut\" d=\"M{x} {}l8 -{}\"/>\n",
                top + BAR_HEIGHT,
                BAR_HEIGHT
            ),
        );
    }
    let ratio = figures.ratio.filter(|_| cell.peer != Peer::Lastmile);
    let ratio = ratio.map_or_else(String::new, |ratio| format!(" ×{ratio:.2}"));
    let mark = if figures.clean { "" } else { " *" };
    let beside: Vec<_> = others(cell.metrics)
        .map(|metric| figures.median(metric).map_or_else(|| "-".to_owned(), |v| metric.format(v)))
        .collect();
    push(
        page,
        format_args!(
            "<text{strong} x=\"{:.1}\" y=\"{baseline}\">{}{ratio}{mark}</text>\n\
             <text class=\"soft end\" x=\"{WIDTH}\" y=\"{baseline}\">{}</text>\n",
            end.max(to) + 7.0,
            cell.headline().format(head.median),
            beside.join(" · ")
        ),
    );
}

#[cfg(test)]
mod tests {
    use crate::report::tests::report;

    #[test]
    fn a_page() {
        let page = report().html();
        for (part, why) in [
            ("<h2>1 KB hit, 64 connections</h2>", "a heading for each case"),
            ("width=\"215.0\"", "the longest bar"),
            ("7.00</text>", "figures beside it"),
            ("14.00 ×2.00</text>", "the ratio"),
            ("30.00 *</text>", "a mark"),
            ("status not 2xx or 304 7", "why there is no bar"),
            ("✗ <b>1.40</b>, at most 1.15 of floor-monoio&#39;s", "a goal"),
            ("mark bad", "a mark where it would be reached"),
            ("A &lt;CPU&gt;", "texts of others are escaped"),
        ] {
            let part = part.replace("&#39;", "'");
            assert!(page.contains(&part), "{why}: {part}\n{page}");
        }
        assert_eq!(page.matches("<svg").count(), 3, "a drawing for each case");
        assert_eq!(page.matches("<rect").count(), 6, "a bar for each cell with figures");
    }
}
