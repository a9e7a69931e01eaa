//! The report for a terminal.

use super::{Quantiles, Report};

pub(super) fn render(report: &Report) -> String {
    let mut lines = vec![
        format!("{}, {}", report.address, report.targets),
        format!("{}, {:.1} s", report.loop_, report.seconds),
        String::new(),
    ];
    let latencies = [("latency", &report.latency), ("first octet", &report.first_octet)];
    let header: String =
        report.latency.named().iter().map(|(name, _)| format!("{name:>12}")).collect();
    lines.push(format!("{:12}{header}", "us"));
    lines.extend(latencies.map(|(name, quantiles)| row(name, quantiles)));
    lines.push(String::new());
    lines.push(format!(
        "requests     {:.0}/s, {} answered",
        report.requests_per_second, report.answered
    ));
    lines.push(format!("octets       {:.1} MB/s", report.octets_per_second / 1e6));
    lines.push(format!("connections  {} made", report.connections));
    lines.push(format!("errors       {}", report.errors.line().as_deref().unwrap_or("none")));
    if report.unfinished + report.unstarted > 0 {
        let counts =
            format!("{} unfinished, {} never started", report.unfinished, report.unstarted);
        lines.push(format!("at the end   {counts}"));
    }
    lines.push(format!("generator    {:.0} % of its core", report.busy * 100.0));
    lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.join("\n") + "\n"
}

fn row(name: &str, quantiles: &Quantiles) -> String {
    let figures: String = quantiles.named().iter().map(|(_, us)| format!("{us:>12.1}")).collect();
    format!("{name:12}{figures}")
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;

    #[test]
    fn a_table() {
        let text = report().text();
        for (part, why) in [
            ("127.0.0.1:80, /bytes/1KB/<x>\n", "who and what"),
            ("open loop, 1000 requests/s, 64 connections, 2 threads, 2.0 s\n", "how"),
            ("us                  mean         p50", "names over columns"),
            ("\nlatency            500.5       500.", "figures below them"),
            ("requests     495/s", "the rate"),
            ("errors       timeout 3\n", "errors by kind"),
            ("0 unfinished, 7 never started", "what is missing"),
            ("warning: 7 requests should have been started", "what it means"),
        ] {
            assert!(text.contains(part), "{why}: {part}\n{text}");
        }
    }
}
