//! One case: a lab, its programs, and measurements until enough of them count.

use super::lateness::{ATTEMPTS_MAX, handshake_limit, limit};
use super::verdict::{Figures, Medians, rows};
use super::{Settings, notes};
use crate::wan::capture::Way;
use crate::wan::emulator::Measurement;
use crate::wan::error::WanError;
use crate::wan::lab::Lab;
use crate::wan::measure::socket::{Seen, connections};
use crate::wan::measure::{Client, Reading};
use crate::wan::outcome::{CaseOutcome, Plot};
use crate::wan::scenario::{Case, Expect, FigureName, Kind, Scene};
use crate::wan::topology::Topology;
use crate::wan::{analysis, pcapng};
use hdrhistogram::Histogram;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Between measurements if nothing is said: more than a delayed acknowledgement (40 ms) takes. Links must be empty
/// besides.
const PAUSE: Duration = Duration::from_millis(50);

/// How long links are waited for until they are empty. A long queue of a slow link takes a second or two.
const EMPTY_MAX: Duration = Duration::from_secs(10);

/// Beyond the longest delay, links that are not shown are waited for so long: under a flood they never are empty.
const OTHERS_MAX: Duration = Duration::from_millis(200);

/// Between two looks whether they are.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Failures in a row after which the rest is not tried.
const FAILURES_MAX: u32 = 2;

/// What came of a case.
pub(super) struct Measured {
    pub(super) figures: Figures,
    pub(super) expected: Vec<Expect>,
    /// Of the last measurement that counts.
    pub(super) plots: Vec<Plot>,
    last: Option<Measurement>,
    /// Of the links, for the capture.
    links: Vec<[String; 2]>,
    pub(super) note: String,
    pub(super) failure: Option<String>,
    lateness_ns: Histogram<u64>,
    repeats: u32,
    /// Not enough of its measurements were on time, so that all are taken.
    pub(super) is_noisy: bool,
}

/// From whom to whom content goes over which link.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) ends: [String; 2],
    link: u16,
    way: Way,
    round_trip: Option<Duration>,
}

/// Builds the scene, measures, and takes it down.
pub(super) fn measure(
    scene: &Scene,
    settings: &Settings,
    say: &mut dyn FnMut(&str),
) -> Result<Measured, WanError> {
    let mut rounds = Rounds::new(scene, &Topology::of(scene));
    let attempts_max = scene.repeat * ATTEMPTS_MAX;
    // What a crowd meets for the first time is known to the next crowd, so each has a lab of its own.
    let per_lab = match scene.measure.kind {
        Kind::Crowd { .. } => 1,
        _ => attempts_max,
    };
    while rounds.are_wanted(attempts_max, settings) {
        let mut lab = up(scene, settings)?;
        let mut client = Client::new(&lab, &scene.measure)?;
        client.warm()?;
        for _ in 0..per_lab {
            stop(settings)?;
            let (began, is_repeated) = (Instant::now(), rounds.attempts >= scene.repeat);
            rounds.one(&mut lab, &mut client, settings)?;
            if is_repeated {
                settings.spare.use_up(began.elapsed());
            }
            if !rounds.are_wanted(attempts_max, settings) {
                break;
            }
        }
    }
    let repeated = rounds.attempts.saturating_sub(scene.repeat);
    if repeated > 0 {
        say(&format!("{repeated} measurements repeated, because links or hosts were late"));
    }
    rounds.end()
}

/// A lab with its programs running.
fn up(scene: &Scene, settings: &Settings) -> Result<Lab, WanError> {
    let mut lab = Lab::start(Topology::of(scene), &settings.lastmile)?;
    lab.stop_with(Arc::clone(&settings.stop));
    lab.set_up()?;
    for program in &scene.programs {
        stop(settings)?;
        lab.run(program)?;
    }
    Ok(lab)
}

/// Measurements, as they come.
struct Rounds<'a> {
    scene: &'a Scene,
    shown: Vec<Shown>,
    late_max: Duration,
    handshake_max: Option<Duration>,
    attempts: u32,
    /// Those that were on time.
    counting: u32,
    failures_in_a_row: u32,
    /// Of those that were on time, and of all.
    on_time: Figures,
    all: Figures,
    lateness_ns: [Histogram<u64>; 2],
    last: Option<Measurement>,
    sockets: Vec<(String, Seen)>,
    failure: Option<String>,
    octets: u64,
    /// Packets that a capture of them has, and those that it has not: of the first one that was full.
    overflow: Option<(usize, u64)>,
}

impl<'a> Rounds<'a> {
    fn new(scene: &'a Scene, topology: &Topology) -> Self {
        let histogram = || Histogram::new(3).expect("3 digits are allowed");
        Self {
            scene,
            shown: shown(scene, topology),
            late_max: limit(&scene.links, &scene.measure.kind),
            handshake_max: handshake_limit(scene, topology),
            attempts: 0,
            counting: 0,
            failures_in_a_row: 0,
            on_time: Figures::default(),
            all: Figures::default(),
            lateness_ns: [histogram(), histogram()],
            last: None,
            sockets: Vec::new(),
            failure: None,
            octets: 0,
            overflow: None,
        }
    }

    /// Whether there are not enough yet that count, and it makes sense to go on.
    fn are_wanted(&self, attempts_max: u32, settings: &Settings) -> bool {
        let is_hopeless = self.failures_in_a_row >= FAILURES_MAX && !self.expects_failures();
        let is_in_time = self.attempts < self.scene.repeat || !settings.spare.left().is_zero();
        let may_go_on = self.attempts < attempts_max && is_in_time && !is_hopeless;
        self.counting < self.scene.repeat && may_go_on
    }

    /// Whether failures are figures of this scene like others, and no reason to have none.
    fn expects_failures(&self) -> bool {
        self.scene.expect.iter().any(|expect| expect.figure == FigureName::Failures)
    }

    /// Measures once.
    fn one(
        &mut self,
        lab: &mut Lab,
        client: &mut Client<'_>,
        settings: &Settings,
    ) -> Result<(), WanError> {
        settle(lab, self.scene.measure.pause, settings)?;
        let before = client.prepare()?;
        lab.emulator().begin_measurement().map_err(WanError::io("links"))?;
        let (mut sockets, shown) = (Ok(Vec::new()), &self.shown);
        let reading = client.measure(lab, &mut || sockets = look(lab, shown))?;
        // The last acknowledgements are a part of the picture.
        let longest = self.scene.links.iter().map(|link| link.forth.delay.max(link.back.delay));
        let others = longest.max().unwrap_or_default() + OTHERS_MAX;
        empty(lab, settings, others, &|link| self.shown.iter().any(|it| it.link == link))?;
        let ended = lab.emulator().end_measurement().map_err(WanError::io("links"))?;
        lab.check()?;
        self.attempts += 1;
        self.take(before, &reading, ended)?;
        self.sockets = sockets?;
        Ok(())
    }

    fn take(
        &mut self,
        before: Vec<(FigureName, f64)>,
        reading: &Reading,
        ended: Measurement,
    ) -> Result<(), WanError> {
        let mut figures = before;
        figures.extend(reading.figures.iter().cloned());
        #[expect(clippy::cast_precision_loss, reason = "a count of at most thousands")]
        figures.push((FigureName::Failures, reading.failures.len() as f64));
        figures.extend(self.on_links(&ended, reading.failures.is_empty())?);
        if ended.not_captured > 0 {
            self.overflow.get_or_insert((ended.packets.len(), ended.not_captured));
        }
        let late = ended.lateness_ns.value_at_quantile(0.99);
        let connect = reading.figures.iter().find(|(name, _)| *name == FigureName::Connect);
        let is_answered_on_time = match (self.handshake_max, connect) {
            (Some(most), Some((_, ms))) => *ms <= most.as_secs_f64() * 1e3,
            (None, _) | (_, None) => true,
        };
        let is_on_time = u128::from(late) <= self.late_max.as_nanos() && is_answered_on_time;
        for (name, value) in figures {
            if is_on_time {
                self.on_time.add(name.clone(), value);
            }
            self.all.add(name, value);
        }
        self.lateness_ns[1] += &ended.lateness_ns;
        if is_on_time {
            self.lateness_ns[0] += &ended.lateness_ns;
        }
        if is_on_time || self.counting == 0 {
            self.last = Some(ended);
        }
        self.counting += u32::from(is_on_time);
        self.octets = self.octets.max(reading.octets);
        match reading.failures.first() {
            Some(what) => {
                self.failures_in_a_row += 1;
                self.failure.get_or_insert_with(|| what.clone());
            }
            None => self.failures_in_a_row = 0,
        }
        Ok(())
    }

    /// What the links saw.
    fn on_links(
        &self,
        ended: &Measurement,
        is_whole: bool,
    ) -> Result<Vec<(FigureName, f64)>, WanError> {
        let mut figures = Vec::new();
        #[expect(clippy::cast_precision_loss, reason = "a count of packets")]
        let mut add = |name, count: u64| figures.push((name, count as f64));
        let ways = ended.counts.iter().flat_map(|link| [&link.forth, &link.back]);
        add(FigureName::Drops, ways.map(|way| way.lost + way.overflowed + way.scripted).sum());
        let both = |link: usize| {
            let link = u16::try_from(link).unwrap_or(u16::MAX);
            let of = |way| analysis::counts(&ended.packets, link, way);
            [of(Way::Forth), of(Way::Back)].into_iter().sum::<analysis::Counts>()
        };
        let counts: Vec<_> = (0..self.scene.links.len()).map(both).collect();
        let again = counts.iter().map(|count| {
            count.retransmissions + count.syn_retransmissions + count.syn_ack_retransmissions
        });
        add(FigureName::Retransmissions, again.sum());
        if matches!(self.scene.measure.kind, Kind::Fetch { .. })
            && is_whole
            && let Some(shown) = self.shown.first()
        {
            let flights = analysis::flight_count(&plot(shown, ended));
            add(FigureName::Flights, flights as u64);
        }
        for (link, count) in self.scene.links.iter().zip(&counts) {
            let name = FigureName::Requests(link.name.clone());
            if self.scene.expect.iter().any(|expect| expect.figure == name) {
                if ended.not_captured > 0 {
                    let what = format!("{} packets more than a capture holds", ended.not_captured);
                    return Err(WanError::Measurement(what));
                }
                add(name, count.requests);
            }
        }
        Ok(figures)
    }

    fn end(self) -> Result<Measured, WanError> {
        let is_noisy = self.counting < self.scene.repeat && self.counting < self.attempts;
        let expects_failures = self.expects_failures();
        let figures = if is_noisy { self.all } else { self.on_time };
        let measures = match self.scene.measure.kind {
            Kind::Fetch { .. } => FigureName::LastByte,
            Kind::Crowd { .. } => FigureName::Median,
            Kind::Stream { .. } => FigureName::Goodput,
            Kind::Connect { .. } => FigureName::Connect,
            Kind::Program { .. } => FigureName::Time,
        };
        if let (None, Some(what), false) =
            (figures.summary(&measures), &self.failure, expects_failures)
        {
            return Err(WanError::Measurement(what.clone()));
        }
        let [on_time, all] = self.lateness_ns;
        let plots: Vec<_> = match &self.last {
            Some(last) => self.shown.iter().map(|shown| plot(shown, last)).collect(),
            None => Vec::new(),
        };
        Ok(Measured {
            figures,
            expected: self.scene.expect.clone(),
            note: notes::of(
                self.octets,
                self.overflow,
                &plots,
                &self.sockets,
                &self.scene.measure.kind,
            ),
            plots,
            last: self.last,
            links: self.scene.links.iter().map(|link| link.ends.clone()).collect(),
            failure: self.failure,
            lateness_ns: if is_noisy { all } else { on_time },
            repeats: self.attempts.saturating_sub(self.scene.repeat),
            is_noisy,
        })
    }
}

impl Measured {
    /// Writes what the links saw in the last measurement.
    pub(super) fn capture(&self, file: &Path) -> Result<(), WanError> {
        let Some(last) = &self.last else { return Ok(()) };
        let write = || {
            let mut writer = BufWriter::new(File::create(file)?);
            pcapng::write(last, &self.links, &mut writer)?;
            writer.flush()
        };
        write().map_err(WanError::io(file.display()))
    }

    /// As reports show it.
    pub(super) fn outcome(
        &self,
        case: &Case,
        tolerance_min: f64,
        medians: &Medians,
    ) -> CaseOutcome {
        let mut rows = rows(&self.figures, &self.expected, medians, tolerance_min, self.is_noisy);
        notes::place(&mut rows, &self.note, self.failure.as_deref());
        #[expect(clippy::cast_precision_loss, reason = "at most minutes")]
        let us = |quantile| self.lateness_ns.value_at_quantile(quantile) as f64 / 1e3;
        CaseOutcome {
            name: case.name.clone(),
            about: case.about.clone(),
            rows,
            plots: self.plots.clone(),
            lateness_us: [us(0.5), us(0.99)],
            repeats: self.repeats,
            is_noisy: self.is_noisy,
        }
    }
}

/// The pairs that the scene wants shown; otherwise the last link of the way to whoever measures.
fn shown(scene: &Scene, topology: &Topology) -> Vec<Shown> {
    let mut pairs = scene.measure.show.clone();
    if let (true, Some(url)) = (pairs.is_empty(), scene.measure.kind.url()) {
        let place = topology.place(&url.host);
        let way = place.zip(topology.place(&scene.measure.from));
        let way = way.and_then(|(to, from)| topology.ways_to(to)[from]);
        if let Some(link) = way {
            let [a, b] = topology.links[link].ends.clone();
            pairs.push(if a == scene.measure.from { [b, a] } else { [a, b] });
        }
    }
    let of_pair = |ends: [String; 2]| {
        let (link, is_forth) = topology.link_between(&ends[0], &ends[1])?;
        let way = if is_forth { Way::Forth } else { Way::Back };
        let round_trip = topology.round_trip(&ends[0], &ends[1]);
        Some(Shown { ends, link: u16::try_from(link).ok()?, way, round_trip })
    };
    pairs.into_iter().filter_map(of_pair).collect()
}

fn plot(shown: &Shown, ended: &Measurement) -> Plot {
    let title = format!("{} to {}", shown.ends[0], shown.ends[1]);
    analysis::plot(&ended.packets, shown.link, shown.way, &title, shown.round_trip)
}

/// What the kernels of those who send what is shown say of their connections.
fn look(lab: &Lab, shown: &[Shown]) -> Result<Vec<(String, Seen)>, WanError> {
    let mut all = Vec::new();
    for Shown { ends: [from, to], .. } in shown {
        let found = connections(lab.host(from)?, lab.host(to)?.address)?;
        all.extend(found.into_iter().next().map(|seen| (format!("{from} to {to}"), seen)));
        let found = connections(lab.host(to)?, lab.host(from)?.address)?;
        all.extend(found.into_iter().next().map(|seen| (format!("{to} to {from}"), seen)));
    }
    Ok(all)
}

/// Waits as long as is asked for; otherwise until nothing of what was before is on its way.
fn settle(lab: &Lab, pause: Option<Duration>, settings: &Settings) -> Result<(), WanError> {
    let until = Instant::now() + pause.unwrap_or(PAUSE);
    while Instant::now() < until {
        stop(settings)?;
        sleep(PAUSE.min(until.saturating_duration_since(Instant::now())));
    }
    match pause {
        Some(_) => Ok(()),
        None => empty(lab, settings, EMPTY_MAX, &|_| true),
    }
}

/// Waits until there is nothing in the links, at two looks one after the other; once `others` is over, only in those of
/// which `matters` says so.
fn empty(
    lab: &Lab,
    settings: &Settings,
    others: Duration,
    matters: &dyn Fn(u16) -> bool,
) -> Result<(), WanError> {
    let began = Instant::now();
    let mut empty_looks = 0;
    while empty_looks < 2 && began.elapsed() < EMPTY_MAX {
        stop(settings)?;
        let counts = lab.emulator().counts().map_err(WanError::io("links"))?;
        let all = began.elapsed() < others;
        let is_empty = (0..).zip(&counts).all(|(link, counts)| {
            counts.forth.under_way + counts.back.under_way == 0 || !(all || matters(link))
        });
        empty_looks = if is_empty { empty_looks + 1 } else { 0 };
        sleep(LOOK_EVERY);
    }
    Ok(())
}

fn stop(settings: &Settings) -> Result<(), WanError> {
    if settings.is_stopped() { Err(WanError::Stopped) } else { Ok(()) }
}
