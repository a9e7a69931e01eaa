//! The report as a page by itself: for each case a group of bars, CPU per request.

use super::{Cell, Report};
use crate::page::{begin, escape, push};

/// Pixels of the longest bar.
const BAR_PIXELS_MAX: f64 = 480.0;

/// Pixels from one bar to the next.
const STEP_PIXELS: usize = 28;

/// Pixels of the names before the bars.
const NAME_PIXELS: f64 = 90.0;

/// Pixels of the page's drawings, with room for the figures behind the longest bar.
const WIDTH_PIXELS: usize = 880;

pub(super) fn render(report: &Report) -> String {
    let mut page = begin("lastmile bench compare", "Server CPU per request");
    push(
        &mut page,
        format_args!(
            "<p>Bars: median of the rounds that count, in us; lines: from the lowest to the highest. \
             {} rounds of {} s, interleaved.</p>\n",
            report.rounds, report.seconds
        ),
    );
    for cells in report.cells.chunk_by(|one, next| one.case == next.case) {
        group(&mut page, cells);
    }
    page.push_str("<ul>\n");
    let warnings = report.warnings.iter().map(|warning| format!("warning: {warning}"));
    for line in report.fingerprint.lines().into_iter().chain(warnings) {
        push(&mut page, format_args!("<li>{}</li>\n", escape(&line)));
    }
    page.push_str("</ul>\n</html>\n");
    page
}

/// The bars of one case.
fn group(page: &mut String, cells: &[Cell]) {
    let title = cells.first().map_or("", |cell| cell.title);
    let longest = cells
        .iter()
        .filter_map(|cell| cell.figures.map(|figures| figures.cpu_us.highest))
        .fold(f64::MIN_POSITIVE, f64::max);
    let height = cells.len() * STEP_PIXELS;
    push(
        page,
        format_args!(
            "<h2>{}</h2>\n<svg viewBox=\"0 0 {WIDTH_PIXELS} {height}\" role=\"img\" aria-label=\"{}\">\n",
            escape(title),
            escape(title)
        ),
    );
    for (at, cell) in cells.iter().enumerate() {
        bar(page, cell, at * STEP_PIXELS, BAR_PIXELS_MAX / longest);
    }
    page.push_str("</svg>\n");
}

fn bar(page: &mut String, cell: &Cell, top: usize, scale: f64) {
    let name = cell.peer.name();
    let baseline = top + 18;
    push(page, format_args!("<text x=\"0\" y=\"{baseline}\">{name}</text>\n"));
    let Some(figures) = &cell.figures else {
        let why = escape(cell.failure());
        push(page, format_args!("<text x=\"{NAME_PIXELS}\" y=\"{baseline}\">{why}</text>\n"));
        return;
    };
    let class = if figures.ratio == Some(1.0) { "lastmile" } else { "peer" };
    let place = |us: f64| NAME_PIXELS + us * scale;
    let (from, to) = (place(figures.cpu_us.lowest), place(figures.cpu_us.highest));
    let ratio =
        figures.ratio.map_or_else(String::new, |ratio| format!(" · {ratio:.2} of lastmile"));
    let mark = if figures.clean { "" } else { " · disturbed" };
    push(
        page,
        format_args!(
            "<rect class=\"{class}\" x=\"{NAME_PIXELS}\" y=\"{}\" width=\"{:.1}\" height=\"18\"/>\n\
             <path class=\"whisker\" d=\"M{from:.1} {}H{to:.1}\"/>\n\
             <text x=\"{:.1}\" y=\"{baseline}\">{:.2} us · {:.0} req/s · p99 {:.0} us{ratio}{mark}</text>\n",
            top + 4,
            figures.cpu_us.median * scale,
            top + 13,
            to + 8.0,
            figures.cpu_us.median,
            figures.requests_per_second,
            figures.p99_us,
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
            ("width=\"480.0\"", "the longest bar"),
            ("7.00 us", "figures beside it"),
            ("2.00 of lastmile", "the ratio"),
            ("disturbed", "a mark"),
            ("Non-2xx or 3xx responses: 7", "why there is no bar"),
            ("A &lt;CPU&gt;", "texts of others are escaped"),
        ] {
            assert!(page.contains(part), "{why}: {part}\n{page}");
        }
        assert_eq!(page.matches("<svg").count(), 2, "a drawing for each case");
        assert_eq!(page.matches("<rect").count(), 3, "a bar for each cell with figures");
    }
}
