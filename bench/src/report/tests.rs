//! A small report, which the forms of it are tested with too, and its figures.

use super::*;
use std::collections::BTreeMap;

fn sample(round: u32, verdict: Verdict, cpu_us: f64) -> Sample {
    let figures = [
        (Metric::CpuUs, cpu_us),
        (Metric::SystemShare, 0.75),
        (Metric::RequestsPerSecond, 1e6 / cpu_us),
        (Metric::P50Us, 500.0),
        (Metric::P99Us, 1500.0),
    ];
    Sample { round, verdict, requests: 1000, figures: figures.into() }
}

fn cell(case: &str, peer: Peer, samples: Vec<Sample>) -> Cell {
    Cell { samples, ..Cell::new(Case::named(case).unwrap(), peer) }
}

pub(crate) fn report() -> Report {
    let disturbed = || Verdict::Disturbed("something else ran".to_owned());
    let invalid = || Verdict::Invalid("status not 2xx or 304 7".to_owned());
    let clean = |round, cpu| sample(round, Verdict::Clean, cpu);
    let crowd: BTreeMap<_, _> =
        [(Metric::BehindP99Ms, 2.5), (Metric::Fetches, 1.0), (Metric::Errors, 0.0)].into();
    let crowd = Sample { figures: crowd, ..clean(0, 1.0) };
    let cells = vec![
        cell("1k-hit", Peer::Lastmile, vec![clean(0, 8.0), clean(1, 6.0), clean(2, 7.0)]),
        cell(
            "1k-hit",
            Peer::Nginx,
            vec![clean(0, 14.0), sample(1, disturbed(), 99.0), sample(1, invalid(), 1.0)],
        ),
        cell("1k-hit", Peer::FloorUring, vec![clean(0, 3.5)]),
        cell("1k-hit", Peer::FloorMonoio, vec![clean(0, 5.0)]),
        cell("1k-miss", Peer::Lastmile, vec![sample(0, disturbed(), 30.0)]),
        cell("1k-miss", Peer::Nginx, vec![sample(0, invalid(), 1.0)]),
        cell("flash-crowd", Peer::Lastmile, vec![crowd]),
    ];
    let fingerprint = Fingerprint {
        cpu: "A <CPU>".to_owned(),
        cores: 2,
        memory: "1 kB".to_owned(),
        kernel: "6.1".to_owned(),
        congestion_control: "cubic".to_owned(),
        pinned: [0, 1],
        versions: vec![("nginx", "1.22".to_owned())],
    };
    Report::new(
        crate::compare::SUBJECT,
        fingerprint,
        3,
        Duration::from_secs(1),
        vec!["one core".to_owned()],
        cells,
    )
}

#[test]
fn figures_come_from_the_rounds_that_count() {
    let report = report();
    let found: Vec<_> = report
        .cells
        .iter()
        .map(|cell| cell.figures.as_ref())
        .map(|f| f.map(|f| (f.counted, f.clean, f.median(Metric::CpuUs), f.ratio, f.floor_ratio)))
        .collect();
    let expected = [
        (Some((3, true, Some(7.0), Some(1.0), Some(2.0))), "the median of three"),
        (
            Some((1, true, Some(14.0), Some(2.0), Some(4.0))),
            "a clean round, neither disturbed nor invalid ones",
        ),
        (Some((1, true, Some(3.5), Some(0.5), Some(1.0))), "the lower floor"),
        (Some((1, true, Some(5.0), Some(5.0 / 7.0), Some(5.0 / 3.5))), "the other one"),
        (Some((1, false, Some(30.0), Some(1.0), None)), "disturbed, when there is nothing better"),
        (None, "invalid ones never"),
        (Some((1, true, None, Some(1.0), None)), "a case about something else"),
    ];
    for (found, (expected, why)) in found.iter().zip(expected) {
        assert_eq!(*found, expected, "{why}");
    }
}

#[test]
fn json_has_samples_and_figures() {
    let json: serde_json::Value = serde_json::from_str(&report().json()).unwrap();
    assert_eq!(json["cells"][1]["peer"], "nginx");
    assert_eq!(json["cells"][1]["figures"]["ratio"], 2.0);
    assert_eq!(json["cells"][1]["figures"]["cpu_us"]["median"], 14.0);
    assert_eq!(json["cells"][1]["samples"][0]["cpu_us"], 14.0);
    assert_eq!(json["cells"][1]["samples"][2]["verdict"]["invalid"], "status not 2xx or 304 7");
    assert_eq!(json["cells"][5]["figures"], serde_json::Value::Null);
    assert_eq!(json["goals"][0]["case"], "1k-hit");
}
