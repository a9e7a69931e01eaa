//! What a comparison found: rounds, cells of a case and a peer, and the figures of each.
//! `text` and `html` show it; its JSON form is these structures with their field names.

mod html;
mod text;

use crate::case::Case;
use crate::fingerprint::Fingerprint;
use crate::peer::Peer;
use crate::statistics::Spread;
use serde::Serialize;

/// The result of `lastmile bench compare`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Where it was measured.
    pub fingerprint: Fingerprint,
    /// Rounds asked for.
    pub rounds: u32,
    /// Duration of the load in a round.
    pub seconds: u32,
    /// What a reader must know before believing a figure.
    pub warnings: Vec<String>,
    /// One for each case and peer, in the order of cases, then of peers.
    pub cells: Vec<Cell>,
}

/// One peer in one case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// Name of the case.
    pub case: &'static str,
    /// The case in words.
    pub title: &'static str,
    /// Who was measured.
    pub peer: Peer,
    /// What was measured, also in rounds that do not count.
    pub samples: Vec<Sample>,
    /// The figures; `None` when every round failed.
    pub figures: Option<Figures>,
}

/// One run of the load against one peer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// Counts from 0. A repeated round has several samples.
    pub round: u32,
    /// Why it does not count, or counts only when there is nothing better.
    pub verdict: Verdict,
    /// Responses.
    pub requests: u64,
    /// CPU of all processes of the server, us per request.
    pub cpu_us: f64,
    /// Of that in the kernel, 0 to 1.
    pub system_share: f64,
    /// Time that the server's core was busy with anything, us per request.
    pub core_us: f64,
    /// Responses per second.
    pub requests_per_second: f64,
    /// Median latency, us.
    pub p50_us: f64,
    /// Latency of 99 of 100 at most, us.
    pub p99_us: f64,
}

/// Whether a sample counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It counts.
    Clean,
    /// Something else used the machine: it counts only when no round was clean.
    Disturbed(String),
    /// The load saw errors: it never counts.
    Invalid(String),
}

/// What the rounds of a cell come to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Rounds that count.
    pub counted: usize,
    /// Whether those were clean.
    pub clean: bool,
    /// CPU of the server per request, us.
    pub cpu_us: Spread,
    /// Of that in the kernel, median share, 0 to 1.
    pub system_share: f64,
    /// Median of responses per second.
    pub requests_per_second: f64,
    /// Median of the medians of latency, us.
    pub p50_us: f64,
    /// Median of the 99th percentiles of latency, us.
    pub p99_us: f64,
    /// Median CPU per request by that of lastmile in the same case; `None` without it.
    pub ratio: Option<f64>,
}

impl Cell {
    pub(crate) fn new(case: &Case, peer: Peer) -> Self {
        let (case, title) = (case.name, case.title);
        Self { case, title, peer, samples: Vec::new(), figures: None }
    }

    /// The samples that count: the clean ones, or the disturbed when there is none.
    fn counting(&self) -> (bool, Vec<&Sample>) {
        let clean: Vec<_> = self.samples.iter().filter(|s| s.verdict == Verdict::Clean).collect();
        if !clean.is_empty() {
            return (true, clean);
        }
        let disturbed = |sample: &&Sample| matches!(sample.verdict, Verdict::Disturbed(_));
        (false, self.samples.iter().filter(disturbed).collect())
    }

    fn summarize(&self) -> Option<Figures> {
        let (clean, samples) = self.counting();
        let spread = |figure: fn(&Sample) -> f64| Spread::of(samples.iter().map(|s| figure(s)));
        Some(Figures {
            counted: samples.len(),
            clean,
            cpu_us: spread(|s| s.cpu_us)?,
            system_share: spread(|s| s.system_share)?.median,
            requests_per_second: spread(|s| s.requests_per_second)?.median,
            p50_us: spread(|s| s.p50_us)?.median,
            p99_us: spread(|s| s.p99_us)?.median,
            ratio: None,
        })
    }

    /// Why the last round failed, for a cell without figures.
    fn failure(&self) -> &str {
        self.samples.last().map_or("not measured", |sample| match &sample.verdict {
            Verdict::Clean => "clean",
            Verdict::Disturbed(why) | Verdict::Invalid(why) => why,
        })
    }
}

impl Report {
    /// Figures of every cell out of its samples, and ratios between them.
    pub(crate) fn summarize(&mut self) {
        for cell in &mut self.cells {
            cell.figures = cell.summarize();
        }
        let own: Vec<(&str, f64)> = self
            .cells
            .iter()
            .filter(|cell| cell.peer == Peer::Lastmile)
            .filter_map(|cell| Some((cell.case, cell.figures?.cpu_us.median)))
            .collect();
        for cell in &mut self.cells {
            let base = own.iter().find(|(case, _)| *case == cell.case);
            if let (Some(figures), Some((_, base))) = (&mut cell.figures, base) {
                figures.ratio = Some(figures.cpu_us.median / base);
            }
        }
    }

    /// The table for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        text::render(self)
    }

    /// A page by itself, with bars.
    #[must_use]
    pub fn html(&self) -> String {
        html::render(self)
    }

    /// Everything, samples too, as JSON.
    ///
    /// # Panics
    /// Never: no map of it has keys that are no strings.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain structures have a JSON form") + "\n"
    }
}

/// Marks of a cell's figures that do not rest on clean rounds, for text and page alike.
fn rounds_of(figures: &Figures) -> String {
    let mark = if figures.clean { "" } else { " disturbed" };
    format!("{}{mark}", figures.counted)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample(round: u32, verdict: Verdict, cpu_us: f64) -> Sample {
        Sample {
            round,
            verdict,
            requests: 1000,
            cpu_us,
            system_share: 0.75,
            core_us: cpu_us,
            requests_per_second: 1e6 / cpu_us,
            p50_us: 500.0,
            p99_us: 1500.0,
        }
    }

    pub(crate) fn report() -> Report {
        let disturbed = || Verdict::Disturbed("something else ran".to_owned());
        let invalid = || Verdict::Invalid("Non-2xx or 3xx responses: 7".to_owned());
        let cell = |case: &str, peer, samples| {
            let case = Case::named(case).unwrap();
            Cell { samples, ..Cell::new(case, peer) }
        };
        let clean = |round, cpu| sample(round, Verdict::Clean, cpu);
        let mut report = Report {
            fingerprint: Fingerprint {
                cpu: "A <CPU>".to_owned(),
                cores: 2,
                memory: "1 kB".to_owned(),
                kernel: "6.1".to_owned(),
                pinned: [0, 1],
                versions: vec![("nginx", "1.22".to_owned())],
            },
            rounds: 3,
            seconds: 1,
            warnings: vec!["one core".to_owned()],
            cells: vec![
                cell("1k-hit", Peer::Lastmile, vec![clean(0, 8.0), clean(1, 6.0), clean(2, 7.0)]),
                cell(
                    "1k-hit",
                    Peer::Nginx,
                    vec![clean(0, 14.0), sample(1, disturbed(), 99.0), sample(1, invalid(), 1.0)],
                ),
                cell("1k-miss", Peer::Lastmile, vec![sample(0, disturbed(), 30.0)]),
                cell("1k-miss", Peer::Nginx, vec![sample(0, invalid(), 1.0)]),
            ],
        };
        report.summarize();
        report
    }

    #[test]
    fn figures_come_from_the_rounds_that_count() {
        let report = report();
        let found: Vec<_> = report
            .cells
            .iter()
            .map(|cell| cell.figures.map(|f| (f.counted, f.clean, f.cpu_us.median, f.ratio)))
            .collect();
        let expected = [
            (Some((3, true, 7.0, Some(1.0))), "the median of three"),
            (Some((1, true, 14.0, Some(2.0))), "a clean round, neither disturbed nor invalid ones"),
            (Some((1, false, 30.0, Some(1.0))), "disturbed ones when there is nothing better"),
            (None, "invalid ones never"),
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
        assert_eq!(
            json["cells"][1]["samples"][2]["verdict"]["invalid"],
            "Non-2xx or 3xx responses: 7"
        );
        assert_eq!(json["cells"][3]["figures"], serde_json::Value::Null);
    }
}
