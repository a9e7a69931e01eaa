//! How often answers began with each edge, and for which region's clients, and why. Each worker counts for itself, by
//! place in the tables of the moment; what earlier tables counted is kept by name.

use crate::answer::{Answered, Reason};
use crate::counters::{Counter, Sample, labelled};
use crate::map::RegionIndex;
use crate::steer::{Policy, Why};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names of regions, and of edges, that are kept after they have left the tables. More than a network has in its life;
/// it bounds what a generated file with ever new names can take (about 10 MB). What is beyond is kept under [`GONE`].
const NAMES_MAX: usize = 65_536;
/// What regions and edges are called together that are beyond [`NAMES_MAX`].
const GONE: &str = "(gone)";
/// Places for each region, one for each [`Why`].
const REASONS: usize = Why::ALL.len();

impl Why {
    /// All of them, in the order in which they are declared.
    pub(crate) const ALL: [Self; 11] = [
        Self::Mapped,
        Self::Listed,
        Self::Measured,
        Self::Default,
        Self::Spilled,
        Self::Shed,
        Self::Full,
        Self::Down,
        Self::Nothing,
        Self::NoEdge,
        Self::Static,
    ];

    /// As metrics and the log have it.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Mapped => "mapped",
            Self::Listed => "listed",
            Self::Measured => "measured",
            Self::Default => "default",
            Self::Spilled => "spilled",
            Self::Shed => "shed",
            Self::Full => "full",
            Self::Down => "down",
            Self::Nothing => "nothing",
            Self::NoEdge => "no-edge",
            Self::Static => "static",
        }
    }
}

/// What regions and edges of some tables are called.
#[derive(Debug, Default)]
pub(crate) struct Names {
    regions: Box<[Box<str>]>,
    edges: Box<[Box<str>]>,
}

impl Names {
    #[cfg(test)]
    pub(crate) fn of(regions: &[&str], edges: &[&str]) -> Self {
        let boxed = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect();
        Self { regions: boxed(regions), edges: boxed(edges) }
    }

    pub(crate) fn region(&self, index: RegionIndex) -> Option<&str> {
        self.regions.get(usize::from(index)).map(AsRef::as_ref)
    }

    pub(crate) fn edge(&self, index: u32) -> Option<&str> {
        self.edges.get(index as usize).map(AsRef::as_ref)
    }
}

/// The counts of the answers of some tables.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    names: Arc<Names>,
    workers: Box<[Box<[Line]>]>,
}

/// Counters of one worker alone on their cache lines (in pairs, as processors fetch them).
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line([Counter; Line::COUNTERS]);

impl Line {
    const COUNTERS: usize = 16;
}

impl Tally {
    /// Counts of nothing yet, of so many workers.
    pub(crate) fn new(policy: &Policy, workers: usize) -> Self {
        let names = Names {
            regions: policy.regions.iter().map(|region| region.name.clone()).collect(),
            edges: policy.edges.iter().map(|edge| edge.name.clone()).collect(),
        };
        let counters = names.regions.len() * REASONS + names.edges.len();
        let lines = || (0..counters.div_ceil(Line::COUNTERS)).map(|_| Line::default()).collect();
        Self { names: Arc::new(names), workers: (0..workers).map(|_| lines()).collect() }
    }

    pub(crate) fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// Counts an answer; only the worker of this number may, so that no locked instruction is needed.
    pub(crate) fn count(&self, worker: usize, answered: &Answered) {
        let (Some(placed), Reason::Steered(why)) = (answered.placed, answered.reason) else {
            return;
        };
        let Some(lines) = self.workers.get(worker) else { return };
        let count = |place: usize| {
            if let Some(line) = lines.get(place / Line::COUNTERS) {
                line.0[place % Line::COUNTERS].count();
            }
        };
        count(usize::from(placed.region) * REASONS + why as usize);
        if let Some(edge) = placed.edge {
            count(self.names.regions.len() * REASONS + edge as usize);
        }
    }

    /// The sum over the workers.
    fn value(&self, place: usize) -> u64 {
        let line = |lines: &[Line]| {
            let line = lines.get(place / Line::COUNTERS)?;
            Some(line.0[place % Line::COUNTERS].value())
        };
        self.workers.iter().filter_map(|lines| line(lines)).sum()
    }
}

/// The counts of all tables that there have been.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    current: Arc<Tally>,
    /// Of tables by which some worker may still be answering; no more than there are workers.
    retired: Vec<Arc<Tally>>,
    kept: Totals,
}

impl Ledger {
    /// Other tables are answered from now.
    pub(crate) fn replace(&mut self, next: Arc<Tally>) {
        let names = Arc::clone(&next.names);
        self.retired.push(std::mem::replace(&mut self.current, next));
        self.settle();
        self.kept.forget(&names);
    }

    /// Keeps how often an edge went down or came up whose state is given up.
    pub(crate) fn keep_changes(&mut self, edge: &str, changes: u64) {
        if changes > 0 {
            *self.kept.changes.entry(edge.into()).or_default() += changes;
        }
    }

    /// How often the edges went down or came up whose states are given up.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&str, u64)> {
        self.kept.changes.iter().map(|(edge, changes)| (&**edge, *changes))
    }

    /// Keeps the counts of tables that nobody holds any more: nobody counts by them either.
    fn settle(&mut self) {
        for tally in std::mem::take(&mut self.retired) {
            match Arc::try_unwrap(tally) {
                Ok(tally) => self.kept.add(&tally),
                Err(tally) => self.retired.push(tally),
            }
        }
    }

    /// A row for each edge, and for each region and reason that there was.
    pub(crate) fn samples(&mut self) -> Vec<Sample> {
        self.settle();
        let mut totals = self.kept.clone();
        self.retired.iter().chain([&self.current]).for_each(|tally| totals.add(tally));
        let regions = totals.regions.iter().map(|((region, reason), count)| {
            let labels = [("region", &**region), ("reason", reason)];
            let name = labelled("lastmile_gslb_region_answers_total", &labels);
            (name, "Answers for the clients of a region, by the reason of their edges.", *count)
        });
        let edges = totals.edges.iter().map(|(edge, count)| {
            let name = labelled("lastmile_gslb_edge_answers_total", &[("edge", edge)]);
            (name, "Answers that begin with an address of the edge.", *count)
        });
        regions.chain(edges).collect()
    }
}

/// Counts by name.
#[derive(Clone, Debug, Default)]
struct Totals {
    regions: BTreeMap<(Box<str>, &'static str), u64>,
    edges: BTreeMap<Box<str>, u64>,
    changes: BTreeMap<Box<str>, u64>,
}

impl Totals {
    fn add(&mut self, tally: &Tally) {
        let names = &tally.names;
        for (index, region) in names.regions.iter().enumerate() {
            for (place, why) in Why::ALL.into_iter().enumerate() {
                let count = tally.value(index * REASONS + place);
                if count > 0 {
                    *self.regions.entry((region.clone(), why.text())).or_default() += count;
                }
            }
        }
        for (index, edge) in names.edges.iter().enumerate() {
            let count = tally.value(names.regions.len() * REASONS + index);
            *self.edges.entry(edge.clone()).or_default() += count;
        }
    }

    /// Makes room when there are too many names: those that are in no table any more become one.
    fn forget(&mut self, names: &Names) {
        let regions = || names.regions.iter().map(AsRef::as_ref);
        let edges = || names.edges.iter().map(AsRef::as_ref);
        gather(&mut self.regions, NAMES_MAX * REASONS, regions, |(region, reason)| {
            (&**region, (GONE.into(), reason))
        });
        gather(&mut self.edges, NAMES_MAX, edges, |edge| (edge, GONE.into()));
        gather(&mut self.changes, NAMES_MAX, edges, |edge| (edge, GONE.into()));
    }
}

/// Adds up the counts of those that are not among `names` any more, if there are more than `max`. `parts` says what a
/// key calls, and its key among what is gone.
fn gather<'n, K: Ord + Clone, I: Iterator<Item = &'n str>>(
    counts: &mut BTreeMap<K, u64>,
    max: usize,
    names: impl Fn() -> I,
    parts: impl Fn(&K) -> (&str, K),
) {
    if counts.len() <= max {
        return;
    }
    let names: std::collections::HashSet<_> = names().collect();
    for (key, count) in std::mem::take(counts) {
        let (name, gone) = parts(&key);
        let key = if names.contains(name) { key } else { gone };
        *counts.entry(key).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::Placed;
    use crate::wire::Rcode;

    fn tally(regions: &[&str], edges: &[&str], workers: usize) -> Arc<Tally> {
        let names = Names::of(regions, edges);
        let counters = regions.len() * REASONS + edges.len();
        let lines = || (0..counters.div_ceil(Line::COUNTERS)).map(|_| Line::default()).collect();
        Arc::new(Tally { names: names.into(), workers: (0..workers).map(|_| lines()).collect() })
    }

    fn answered(region: RegionIndex, edge: Option<u32>, why: Why) -> Answered {
        Answered {
            scope: 24,
            placed: Some(Placed { region, edge }),
            ..Answered::new(60, Reason::Steered(why), Rcode::NoError)
        }
    }

    fn told(ledger: &mut Ledger) -> Vec<String> {
        let shorten = |name: &str| name.replace("lastmile_gslb_", "").replace("_answers_total", "");
        ledger.samples().iter().map(|it| format!("{} {}", shorten(&it.0), it.2)).collect()
    }

    #[test]
    fn reasons_are_where_they_are_declared_and_have_words_of_their_own() {
        for (place, why) in Why::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, place);
            let same = Why::ALL.iter().filter(|other| other.text() == why.text());
            assert_eq!(same.count(), 1, "{}", why.text());
        }
    }

    #[test]
    fn workers_count_beside_each_other_and_no_count_is_lost_or_told_twice() {
        let first = tally(&["north", "south"], &["n", "s"], 2);
        let mut ledger = Ledger::default();
        ledger.replace(Arc::clone(&first));
        first.count(0, &answered(0, Some(0), Why::Mapped));
        first.count(1, &answered(0, Some(1), Why::Spilled));
        first.count(1, &answered(1, None, Why::Nothing));
        first.count(2, &answered(1, None, Why::Nothing));
        let fixed =
            Answered { reason: Reason::Static, placed: None, ..answered(0, None, Why::Down) };
        first.count(0, &fixed);
        let expected = [
            "region{region=\"north\",reason=\"mapped\"} 1",
            "region{region=\"north\",reason=\"spilled\"} 1",
            "region{region=\"south\",reason=\"nothing\"} 1",
            "edge{edge=\"n\"} 1",
            "edge{edge=\"s\"} 1",
        ];
        assert_eq!(told(&mut ledger), expected, "there is no third worker, and zones are no edges");
        // The order changes, one edge goes and one comes.
        let second = tally(&["south", "north"], &["x", "n"], 2);
        ledger.replace(Arc::clone(&second));
        assert_eq!(told(&mut ledger)[..3], expected[..3], "nothing goes down when tables do");
        second.count(0, &answered(1, Some(1), Why::Mapped));
        first.count(0, &answered(0, Some(0), Why::Mapped));
        let expected = [
            "region{region=\"north\",reason=\"mapped\"} 3",
            "region{region=\"north\",reason=\"spilled\"} 1",
            "region{region=\"south\",reason=\"nothing\"} 1",
            "edge{edge=\"n\"} 3",
            "edge{edge=\"s\"} 1",
            "edge{edge=\"x\"} 0",
        ];
        assert_eq!(told(&mut ledger), expected, "a worker was still answering by the first ones");
        assert_eq!(ledger.retired.len(), 1);
        drop(first);
        assert_eq!(told(&mut ledger), expected, "and has ended");
        assert!(ledger.retired.is_empty());
    }

    #[test]
    fn names_that_are_gone_are_kept_within_bounds() {
        let mut ledger = Ledger::default();
        let edges: Vec<_> = (0..NAMES_MAX).map(|number| number.to_string()).collect();
        let edges: Vec<_> = edges.iter().map(String::as_str).collect();
        let many = tally(&["all"], &edges, 1);
        for edge in [0, 7, 8] {
            many.count(0, &answered(0, Some(edge), Why::Mapped));
        }
        ledger.replace(many);
        ledger.keep_changes("7", 4);
        ledger.replace(tally(&["all"], &["7", "new"], 1));
        assert_eq!(ledger.samples().len(), 1 + NAMES_MAX + 1, "room for all of them");
        ledger.replace(tally(&["all"], &["7"], 1));
        ledger.replace(tally(&["all"], &["7"], 1));
        let expected = [
            "region{region=\"all\",reason=\"mapped\"} 3",
            "edge{edge=\"(gone)\"} 2",
            "edge{edge=\"7\"} 1",
        ];
        assert_eq!(told(&mut ledger), expected);
        assert_eq!(ledger.changes().collect::<Vec<_>>(), [("7", 4)]);
    }
}
