//! The report as a page: latencies by percentile, the part of requests beyond on a logarithmic axis ("HdrHistogram
//! plot"), and throughput over time.

use super::{Report, joined};
use crate::page::{begin, escape, push};
use crate::plot::{Axis, Plot};

pub(super) fn render(report: &Report) -> String {
    let mut page = begin("lastmile bench load", &format!("Load on {}", report.address));
    push(
        &mut page,
        format_args!(
            "<p>{}: {}; {:.1} s. {:.0} requests/s, {:.1} MB/s; errors: {}.</p>\n",
            escape(&report.targets),
            escape(&report.loop_),
            report.seconds,
            report.requests_per_second,
            report.octets_per_second / 1e6,
            report.errors.line().as_deref().unwrap_or("none")
        ),
    );
    table(&mut page, report);
    latencies(&mut page, report);
    over_time(&mut page, report);
    page.push_str("<ul>\n");
    let busy = format!("the generator used {:.0} % of its core", report.busy * 100.0);
    let warnings = report.warnings.iter().map(|warning| format!("warning: {warning}"));
    for line in [busy].into_iter().chain(warnings) {
        push(&mut page, format_args!("<li>{}</li>\n", escape(&line)));
    }
    page.push_str("</ul>\n</html>\n");
    page
}

fn table(page: &mut String, report: &Report) {
    page.push_str("<table>\n<tr><th>us</th>");
    for (name, _) in report.latency.named() {
        push(page, format_args!("<th>{name}</th>"));
    }
    page.push_str("</tr>\n");
    for (name, quantiles) in [("latency", &report.latency), ("first octet", &report.first_octet)] {
        push(page, format_args!("<tr><td>{name}</td>"));
        for (_, us) in quantiles.named() {
            push(page, format_args!("<td>{us:.0}</td>"));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table>\n");
}

fn latencies(page: &mut String, report: &Report) {
    // Places are halvings: half of the requests beyond is 1, a quarter 2.
    let places = |points: &[super::Point]| -> Vec<(f64, f64)> {
        points
            .iter()
            .map(|point| (-(1.0 - point.quantile).log2(), point.us.max(0.1).log10()))
            .collect()
    };
    let (latency, first) = (places(&report.latency_curve), places(&report.first_octet_curve));
    let nines = [
        (0.0, "0 %"),
        (0.9, "90 %"),
        (0.99, "99 %"),
        (0.999, "99.9 %"),
        (0.9999, "99.99 %"),
        (0.99999, "99.999 %"),
    ];
    let percents = nines.iter().map(|(part, name)| (-(1.0_f64 - part).log2(), (*name).to_owned()));
    let decades = (-1..=9).map(|power: i32| (f64::from(power), in_words(10_f64.powi(power))));
    let plot = Plot {
        title: "Latency by percentile",
        across: Axis { from: 0.0, ticks: percents.collect() },
        up: Axis { from: lowest(&first).floor(), ticks: decades.collect() },
        lines: vec![("latency", latency), ("first octet", first)],
    };
    plot.draw(page);
}

fn over_time(page: &mut String, report: &Report) {
    let (seconds, intervals) = joined(report);
    #[expect(clippy::cast_precision_loss, reason = "counts of an interval are far below 2^52")]
    let places = |value: fn(&super::Interval) -> u64| -> Vec<(f64, f64)> {
        let at = |index: usize| index as f64 * seconds;
        let rate = |interval| value(interval) as f64 / seconds;
        intervals.iter().enumerate().map(|(index, interval)| (at(index), rate(interval))).collect()
    };
    for (title, name, line) in [
        ("Responses per second", "responses/s", places(|interval| interval.requests)),
        ("Octets per second", "octets/s", places(|interval| interval.octets)),
    ] {
        let highest = |of: fn(&(f64, f64)) -> f64| line.iter().map(of).fold(0.0, f64::max);
        let plot = Plot {
            title,
            across: Axis { from: 0.0, ticks: Axis::round_ticks(highest(|place| place.0), "s") },
            up: Axis { from: 0.0, ticks: Axis::round_ticks(highest(|place| place.1), "") },
            lines: vec![(name, line)],
        };
        plot.draw(page);
    }
}

fn lowest(places: &[(f64, f64)]) -> f64 {
    places.iter().map(|place| place.1).fold(f64::INFINITY, f64::min).clamp(-1.0, 9.0)
}

/// A latency as people say it.
fn in_words(us: f64) -> String {
    match us {
        us if us < 1e3 => format!("{us} us"),
        us if us < 1e6 => format!("{} ms", us / 1e3),
        us => format!("{} s", us / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;

    #[test]
    fn a_page() {
        let page = report().html();
        for (part, why) in [
            ("<h1>Load on 127.0.0.1:80</h1>", "who"),
            ("/bytes/1KB/&lt;x&gt;: open loop", "texts of others are escaped"),
            ("errors: timeout 3", "errors"),
            ("<td>latency</td>", "figures"),
            (">99.9 %</text>", "an axis of nines"),
            (">1 ms</text>", "an axis of times"),
            ("warning: 7 requests", "warnings"),
        ] {
            assert!(page.contains(part), "{why}: {part}\n{page}");
        }
        assert_eq!(page.matches("<svg").count(), 3, "latencies, responses, octets");
        assert_eq!(page.matches("<polyline").count(), 4, "two of the first");
        assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    }

    #[test]
    fn a_page_of_nothing() {
        let mut report = report();
        report.latency_curve.clear();
        report.first_octet_curve.clear();
        report.intervals.clear();
        let page = report.html();
        assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    }
}
