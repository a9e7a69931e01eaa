//! What a comparison found: samples, cells of a case and a peer, the figures of each, and what they mean for the goals.
//! `text` and `html` show it; its JSON form is these structures with their field names.

mod goals;
mod html;
mod text;

pub use goals::GoalFound;

use crate::case::Case;
use crate::fingerprint::Fingerprint;
use crate::goal::Goal;
use crate::metric::Metric;
use crate::peer::{Kind, Peer};
use crate::statistics::Spread;
use crate::watch::Used;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Subject {
    /// The command that makes it.
    pub(crate) command: &'static str,
    /// Above its page.
    pub(crate) heading: &'static str,
    /// What is on the other core than the servers.
    pub(crate) beside: &'static str,
    /// What lastmile must reach.
    pub(crate) goals: &'static [Goal],
    /// Whether floors take part.
    pub(crate) has_floors: bool,
    /// How its figures came to be.
    pub(crate) method: &'static [&'static str],
}

/// The result of `lastmile bench compare` or `lastmile bench dns`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    #[serde(skip)]
    subject: Subject,
    /// Where it was measured.
    pub fingerprint: Fingerprint,
    /// Rounds asked for.
    pub rounds: u32,
    /// Duration of the load in a round.
    pub seconds: f64,
    /// What a reader must know before believing a figure.
    pub warnings: Vec<String>,
    /// What lastmile must reach in the cases that were measured.
    pub goals: Vec<GoalFound>,
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
    /// Which figures there are; the first is the one of bars and ratios.
    pub metrics: &'static [Metric],
    /// What was measured, also in rounds that do not count.
    pub samples: Vec<Sample>,
    /// The figures; `None` when every round failed.
    pub figures: Option<Figures>,
}

/// One scene played with one peer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// Counts from 0. A repeated round has several samples.
    pub round: u32,
    /// Why it does not count, or counts only when there is nothing better.
    pub verdict: Verdict,
    /// Responses.
    pub requests: u64,
    /// What was measured, by name.
    #[serde(flatten)]
    pub figures: BTreeMap<Metric, f64>,
}

/// Whether a sample counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It counts.
    Clean,
    /// Something else used the machine: it counts only when no round was clean.
    Disturbed(String),
    /// Something went wrong: it never counts.
    Invalid(String),
}

impl Verdict {
    /// Of what went wrong, and of what was used meanwhile where that matters.
    pub(crate) fn of(errors: Option<String>, used: Option<Used>) -> Self {
        if let Some(errors) = errors {
            Self::Invalid(errors)
        } else if let Some(why) = used.and_then(|used| used.disturbance()) {
            Self::Disturbed(why)
        } else {
            Self::Clean
        }
    }
}

/// What the rounds of a cell come to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Rounds that count.
    pub counted: usize,
    /// Whether those were clean.
    pub clean: bool,
    /// Median and extremes of each metric, by name.
    #[serde(flatten)]
    pub spreads: BTreeMap<Metric, Spread>,
    /// Median of the first metric by that of lastmile in the same case; `None` without it.
    pub ratio: Option<f64>,
    /// The same by that of the lowest floor in the same case.
    pub floor_ratio: Option<f64>,
}

impl Figures {
    /// The median of a metric.
    #[must_use]
    pub fn median(&self, metric: Metric) -> Option<f64> {
        self.spreads.get(&metric).map(|spread| spread.median)
    }
}

impl Cell {
    pub(crate) fn new(case: &Case, peer: Peer) -> Self {
        Self::of(case.name, case.title, case.metrics(), peer)
    }

    /// Without samples; there is a metric.
    pub(crate) fn of(
        case: &'static str,
        title: &'static str,
        metrics: &'static [Metric],
        peer: Peer,
    ) -> Self {
        Self { case, title, peer, metrics, samples: Vec::new(), figures: None }
    }

    /// One of its samples in a line.
    pub(crate) fn told(&self, sample: &Sample) -> String {
        let shown = self.metrics.iter().filter_map(|metric| {
            let value = sample.figures.get(metric)?;
            Some(format!("{} {}", metric.heading(), metric.format(*value)))
        });
        let figures: Vec<_> = shown.collect();
        let (case, round, peer) = (self.case, sample.round + 1, self.peer.name());
        let line = format!("{case} round {round} {peer}: {}", figures.join(", "));
        match &sample.verdict {
            Verdict::Clean => line,
            Verdict::Disturbed(why) => format!("{line} (disturbed: {why})"),
            Verdict::Invalid(why) => format!("{line} (invalid: {why})"),
        }
    }

    /// The metric of bars and ratios.
    fn headline(&self) -> Metric {
        self.metrics[0]
    }

    /// Median and extremes of that.
    fn head(&self) -> Option<Spread> {
        self.figures.as_ref()?.spreads.get(&self.headline()).copied()
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
        let spread = |metric: &Metric| {
            let values = samples.iter().filter_map(|sample| sample.figures.get(metric).copied());
            Some((*metric, Spread::of(values)?))
        };
        let spreads: BTreeMap<_, _> = self.metrics.iter().filter_map(spread).collect();
        let counted = samples.len();
        (counted > 0).then_some(Figures { counted, clean, spreads, ratio: None, floor_ratio: None })
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
    /// A report on `cells`, whose figures come out of their samples.
    pub(crate) fn new(
        subject: Subject,
        fingerprint: Fingerprint,
        rounds: u32,
        duration: Duration,
        warnings: Vec<String>,
        cells: Vec<Cell>,
    ) -> Self {
        let (seconds, goals) = (duration.as_secs_f64(), Vec::new());
        let mut report = Self { subject, fingerprint, rounds, seconds, warnings, goals, cells };
        for cell in &mut report.cells {
            cell.figures = cell.summarize();
        }
        for cells in report.cells.chunk_by_mut(|one, next| one.case == next.case) {
            relate(cells);
        }
        report.goals = goals::found(subject.goals, &report.cells);
        report
    }

    /// The cells of each case.
    fn by_case(&self) -> impl Iterator<Item = &[Cell]> {
        self.cells.chunk_by(|one, next| one.case == next.case)
    }

    /// What stands below all figures: how they came to be.
    fn method(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{} rounds of {} s, interleaved; medians of the rounds that count",
            self.rounds, self.seconds
        )];
        lines.extend(self.subject.method.iter().map(|&line| line.to_owned()));
        lines.extend(self.fingerprint.lines(self.subject.beside));
        lines.extend(self.warnings.iter().map(|warning| format!("warning: {warning}")));
        lines
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
    /// Never: all keys are names.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain structures have a JSON form") + "\n"
    }
}

/// Ratios between the cells of one case.
fn relate(cells: &mut [Cell]) {
    let head = |cell: &Cell| cell.head().map(|spread| spread.median).filter(|median| *median > 0.0);
    let own = cells.iter().find(|cell| cell.peer == Peer::Lastmile).and_then(head);
    let floors = cells.iter().filter(|cell| cell.peer.kind() == Kind::Floor);
    let floor = floors.filter_map(head).reduce(f64::min);
    for cell in cells {
        let median = head(cell);
        let by = |base: Option<f64>| Some(median? / base?);
        if let Some(figures) = &mut cell.figures {
            (figures.ratio, figures.floor_ratio) = (by(own), by(floor));
        }
    }
}

/// Marks of a cell's figures that do not rest on clean rounds, for text and page alike.
fn rounds_of(figures: &Figures) -> String {
    let mark = if figures.clean { "" } else { " disturbed" };
    format!("{}{mark}", figures.counted)
}

#[cfg(test)]
pub(crate) mod tests;
