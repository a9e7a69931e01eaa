//! What the roles tell about themselves, in the words of Prometheus and as JSON.

use crate::roles::Report;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// All that is told under one name.
#[derive(Default)]
struct Family {
    help: &'static str,
    /// Labels and value.
    values: Vec<(String, u64)>,
}

/// The text form that Prometheus reads, version 0.0.4: each metric's HELP and TYPE once, then a line
/// for each role that has it.
#[must_use]
pub fn prometheus(reports: &[Report], uptime: Duration) -> String {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for report in reports {
        for (name, help, value) in &report.samples {
            // A name may come with labels of its own: `decisions_total{reason="stale"}`.
            let (name, own) = name.split_once('{').map_or((&**name, ""), |(name, labels)| {
                (name, labels.strip_suffix('}').unwrap_or(labels))
            });
            let comma = if own.is_empty() { "" } else { "," };
            let family = families.entry(metric_name(report.kind, name)).or_default();
            family.help = help;
            family.values.push((format!("role=\"{}\"{comma}{own}", report.name), *value));
        }
    }
    let mut out = String::new();
    for (name, Family { help, values }) in families {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        let help = help.replace('\\', r"\\").replace('\n', " ");
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(out, "{name}{{{labels}}} {value}");
        }
    }
    let _ = writeln!(
        out,
        "# HELP lastmile_uptime_seconds How long this process has run.\n\
         # TYPE lastmile_uptime_seconds gauge\n\
         lastmile_uptime_seconds {:.3}",
        uptime.as_secs_f64()
    );
    out
}

/// The same as one JSON object.
#[must_use]
pub fn json(reports: &[Report], uptime: Duration) -> Value {
    let roles: Vec<Value> = reports
        .iter()
        .map(|report| {
            let counters: serde_json::Map<_, _> = report
                .samples
                .iter()
                .map(|(name, _, value)| (name.to_string(), Value::from(*value)))
                .collect();
            json!({
                "role": report.name,
                "kind": report.kind,
                "addresses": report.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "counters": counters,
            })
        })
        .collect();
    json!({ "uptime_seconds": uptime.as_secs_f64(), "roles": roles })
}

/// `requests_total` of an edge is `lastmile_edge_requests_total`: kinds of roles count different
/// things under the same word.
fn metric_name(kind: &str, name: &str) -> String {
    match name.strip_prefix("lastmile_") {
        Some(_) => name.to_owned(),
        None if name.strip_prefix(kind).is_some_and(|rest| rest.starts_with('_')) => {
            format!("lastmile_{name}")
        }
        None => format!("lastmile_{kind}_{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &str, kind: &'static str, hits: u64) -> Report {
        let samples = vec![
            ("hits_total".into(), "Answered\nfrom RAM.", hits),
            ("connections".into(), "Open.", 3),
        ];
        Report { name: name.to_owned(), kind, addresses: Vec::new(), samples }
    }

    #[test]
    fn each_metric_is_described_once() {
        let reports = [report("edge-1", "edge", 7), report("edge-2", "edge", 8)];
        let text = prometheus(&reports, Duration::from_millis(1500));
        let expected = "# HELP lastmile_edge_connections Open.\n\
            # TYPE lastmile_edge_connections gauge\n\
            lastmile_edge_connections{role=\"edge-1\"} 3\n\
            lastmile_edge_connections{role=\"edge-2\"} 3\n\
            # HELP lastmile_edge_hits_total Answered from RAM.\n\
            # TYPE lastmile_edge_hits_total counter\n\
            lastmile_edge_hits_total{role=\"edge-1\"} 7\n\
            lastmile_edge_hits_total{role=\"edge-2\"} 8\n\
            # HELP lastmile_uptime_seconds How long this process has run.\n\
            # TYPE lastmile_uptime_seconds gauge\n\
            lastmile_uptime_seconds 1.500\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_metric_has_its_own_labels_behind_the_role() {
        let mut report = report("edge-1", "edge", 7);
        report.samples = vec![
            ("decisions_total{reason=\"hit\"}".into(), "Why.", 1),
            ("decisions_total{reason=\"stale\"}".into(), "Why.", 2),
            ("odd{name=\"a}{b\"}".into(), "Braces.", 3),
        ];
        let text = prometheus(&[report], Duration::ZERO);
        let expected = "# HELP lastmile_edge_decisions_total Why.\n\
            # TYPE lastmile_edge_decisions_total counter\n\
            lastmile_edge_decisions_total{role=\"edge-1\",reason=\"hit\"} 1\n\
            lastmile_edge_decisions_total{role=\"edge-1\",reason=\"stale\"} 2\n\
            # HELP lastmile_edge_odd Braces.\n\
            # TYPE lastmile_edge_odd gauge\n\
            lastmile_edge_odd{role=\"edge-1\",name=\"a}{b\"} 3\n";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn names_say_the_kind_of_role_once() {
        for (kind, name, expected) in [
            ("edge", "hits_total", "lastmile_edge_hits_total"),
            ("gslb", "gslb_queries_total", "lastmile_gslb_queries_total"),
            ("origin", "lastmile_origin_bytes_total", "lastmile_origin_bytes_total"),
            ("edge", "edges_known", "lastmile_edge_edges_known"),
        ] {
            assert_eq!(metric_name(kind, name), expected);
        }
    }

    #[test]
    fn json_has_the_same_numbers() {
        let value = json(&[report("edge-1", "edge", 7)], Duration::from_secs(2));
        assert_eq!(value["roles"][0]["role"], "edge-1");
        assert_eq!(value["roles"][0]["counters"]["hits_total"], 7);
        assert_eq!(value["uptime_seconds"], 2.0);
    }
}
