//! A time-sequence plot: time to the right, octets of the stream up, as tcptrace and xplot draw it.

use super::super::outcome::{Acknowledgement, Flight, Mark, MarkKind, Plot, Segment};
use super::super::words::value;
use crate::page::{escape, push};
use crate::plot::Axis;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Pixels of a drawing, and of the room around the plot for names of values, numbers of packets, names of packets and
/// times.
const WIDTH: f64 = 500.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 24.0;
const BELOW: f64 = 58.0;

/// Pixels of a letter of the smallest text.
const LETTER: f64 = 6.4;

/// How much wider text is that is large and bold.
const BOLD: f64 = 1.35;

/// Pixels of a segment from which it has a gap to the next one.
const APART: f64 = 4.0;

/// The axis of octets does not end below this.
const OCTETS_MIN: f64 = 1e3;

/// Repeated acknowledgements of a plot that are drawn one by one.
const REPEATED_MAX: usize = 300;

/// What the signs mean, before the plots of each scenario.
pub(super) const KEY: &str = include_str!("key.html");

/// What plots beside each other have in common: where their axes end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    until_ms: f64,
    octets: f64,
}

impl Frame {
    /// Around the plots with this `title`; times of all of them.
    pub(super) fn around(plots: &[&Plot], title: &str) -> Self {
        let until_ms = plots.iter().map(|plot| end_ms(plot)).fold(1e-3, f64::max);
        let same = plots.iter().filter(|plot| plot.title == title);
        let ends = same.flat_map(|plot| &plot.segments).map(Segment::end);
        Self {
            until_ms: until_ms * 1.03,
            octets: ends.map(float).fold(OCTETS_MIN, f64::max) * 1.05,
        }
    }

    fn x(&self, at_ms: f64) -> f64 {
        LEFT + at_ms.clamp(0.0, self.until_ms) / self.until_ms * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, octets: u64) -> f64 {
        HEIGHT - BELOW - float(octets).min(self.octets) / self.octets * (HEIGHT - TOP - BELOW)
    }
}

impl Segment {
    fn end(&self) -> u64 {
        self.from + u64::from(self.octets)
    }
}

fn end_ms(plot: &Plot) -> f64 {
    let segments = plot.segments.iter().map(|segment| segment.at_ms);
    let acknowledged = news(plot).map(|acknowledged| acknowledged.at_ms);
    // Of connections that are only made there is nothing else.
    let marks = plot.marks.iter().filter(|_| plot.segments.is_empty()).map(|mark| mark.at_ms);
    segments.chain(acknowledged).chain(plot.arrived_ms).chain(marks).fold(0.0, f64::max)
}

/// Acknowledgements without those that come after everything of their connection has been acknowledged: of its end.
fn news(plot: &Plot) -> impl Iterator<Item = &Acknowledgement> {
    let mut ends = BTreeMap::<u32, u64>::new();
    for segment in &plot.segments {
        let end = ends.entry(segment.connection).or_default();
        *end = segment.end().max(*end);
    }
    plot.acknowledged.iter().filter(move |told| {
        let end = ends.get_mut(&told.connection).filter(|end| told.up_to <= **end);
        // What is beyond the end from now on.
        end.is_some_and(|end| {
            if told.up_to == *end {
                *end = 0;
            }
            true
        })
    })
}

/// Appends one.
pub(super) fn draw(page: &mut String, case: &str, plot: &Plot, frame: &Frame) {
    let words = words(plot);
    push(
        page,
        format_args!(
            "<figure><figcaption><b>{0}</b> <span>{2}</span></figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             role=\"img\">\n<title>{0}, {1}</title>\n<desc>{2}</desc>\n",
            escape(case),
            escape(&plot.title),
            escape(&words)
        ),
    );
    flights(page, plot, frame);
    axes(page, frame);
    acknowledgements(page, plot, frame);
    segments(page, plot, frame);
    arrival(page, plot, frame);
    marks(page, plot, frame);
    page.push_str("</svg></figure>\n");
}

/// What is to be seen, for those who do not see it.
fn words(plot: &Plot) -> String {
    let mut text = match plot.segments_seen {
        0 => return "nothing was sent".to_owned(),
        1 => "1 segment".to_owned(),
        seen => format!("{} segments", value(float(seen), "")),
    };
    let packets: Vec<_> = plot.flights.iter().map(|flight| flight.packets.to_string()).collect();
    let _ = match packets.as_slice() {
        [] => Ok(()),
        [_] => write!(text, " in one flight"),
        few if few.len() <= 12 => write!(text, " in flights of {}", few.join(", ")),
        many => write!(text, " in {} flights", many.len()),
    };
    for (count, what) in
        [(plot.segments_dropped, "dropped"), (plot.segments_sent_again, "sent again")]
    {
        if count > 0 {
            let _ = write!(text, ", {} {what}", value(float(count), ""));
        }
    }
    let connections = plot.segments.iter().map(|segment| segment.connection + 1).max().unwrap_or(0);
    if plot.connections_seen > u64::from(connections) {
        let all = value(float(plot.connections_seen), "");
        let _ = write!(text, "; the first {connections} of {all} connections are drawn");
        return text;
    }
    if plot.connections_seen > 1 {
        let _ = write!(text, "; {} connections", plot.connections_seen);
    }
    if plot.segments_seen > plot.segments.len() as u64 {
        text.push_str("; neighbours are drawn as one");
    }
    text
}

/// Each from its first packet to that of the next one, and a round trip at most. Where most are too narrow for their
/// numbers, or several connections have theirs at the same time, they would be no more than noise.
fn flights(page: &mut String, plot: &Plot, frame: &Frame) {
    let round_trip_ms = plot.round_trip_ms.unwrap_or(0.0);
    let bands: Vec<_> = (0_usize..)
        .zip(&plot.flights)
        .map(|(at, flight)| {
            let end_ms = flight.until_ms.max(flight.at_ms + round_trip_ms);
            let next_ms = plot.flights.get(at + 1).map_or(end_ms, |next| next.at_ms);
            (flight, frame.x(flight.at_ms), frame.x(end_ms.min(next_ms)))
        })
        .collect();
    let label = |flight: &Flight| value(f64::from(flight.packets), "");
    let fits = |text: &str, from: f64, to: f64| text_width(text) * BOLD + 4.0 < to - from;
    let named = bands.iter().filter(|(flight, from, to)| fits(&label(flight), *from, *to)).count();
    if plot.connections_seen != 1 || named * 2 < bands.len() {
        return;
    }
    for (at, (flight, from, to)) in bands.into_iter().enumerate() {
        let class = if at % 2 == 0 { "flight" } else { "flight other" };
        push(
            page,
            format_args!(
                "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.0}\"/>\n",
                to - from,
                HEIGHT - TOP - BELOW
            ),
        );
        let short = label(flight);
        let long = format!("{short} packets");
        let label = if at == 0 && fits(&long, from, to) { long } else { short };
        if fits(&label, from, to) {
            push(
                page,
                format_args!(
                    "<text class=\"strong middle\" x=\"{:.1}\" y=\"{}\">{label}</text>\n",
                    f64::midpoint(from, to),
                    TOP - 7.0
                ),
            );
        }
    }
}

fn axes(page: &mut String, frame: &Frame) {
    let (scale, unit) = if frame.octets >= 3e6 { (1e6, " MB") } else { (1e3, " KB") };
    let bottom = HEIGHT - BELOW;
    for (place, name) in Axis::round_ticks(frame.octets / scale, unit) {
        let octets = place * scale;
        if octets <= frame.octets {
            let y = bottom - octets / frame.octets * (bottom - TOP);
            push(
                page,
                format_args!(
                    "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{}\"/>\
                     <text class=\"soft end\" x=\"{}\" y=\"{:.1}\">{name}</text>\n",
                    WIDTH - RIGHT,
                    LEFT - 7.0,
                    y + 4.0
                ),
            );
        }
    }
    let (scale, unit) = if frame.until_ms >= 3e3 { (1e3, " s") } else { (1.0, " ms") };
    let ticks = Axis::round_ticks(frame.until_ms / scale, unit);
    for (place, name) in ticks.into_iter().filter(|tick| tick.0 * scale <= frame.until_ms) {
        let x = frame.x(place * scale);
        // A name that would be cut at the right edge ends there.
        let (class, at) = match text_width(&name) / 2.0 {
            half if x + half > WIDTH => ("soft end", WIDTH),
            _ => ("soft middle", x),
        };
        push(
            page,
            format_args!(
                "<path class=\"grid\" d=\"M{x:.1} {TOP}V{bottom}\"/>\
                 <text class=\"{class}\" x=\"{at:.1}\" y=\"{}\">{name}</text>\n",
                HEIGHT - 8.0
            ),
        );
    }
    push(
        page,
        format_args!("<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{}\"/>\n", WIDTH - RIGHT),
    );
}

/// Stairs for each connection: what is acknowledged, and beyond it what the receiver takes, as far as that is in the
/// frame. Those that say the same again are ticks.
fn acknowledgements(page: &mut String, plot: &Plot, frame: &Frame) {
    let connections = plot.acknowledged.iter().map(|told| told.connection + 1).max().unwrap_or(0);
    let (mut told, mut window, mut repeated) = (String::new(), String::new(), Vec::new());
    for connection in 0..connections {
        let (mut stair, mut end) = (Stair::default(), Stair::default());
        let mut before = None;
        for it in news(plot).filter(|it| it.connection == connection) {
            let x = frame.x(it.at_ms);
            if before == Some(it.up_to) {
                repeated.push((x, frame.y(it.up_to)));
            }
            before = Some(it.up_to);
            stair.step(x, frame.y(it.up_to));
            let edge = it.window.map(|octets| it.up_to + u64::from(octets));
            match edge.filter(|edge| float(*edge) <= frame.octets) {
                Some(edge) => end.step(x, frame.y(edge)),
                None => end.leave(x),
            }
        }
        told.push_str(&stair.path);
        window.push_str(&end.path);
    }
    push_path(page, "window", &window);
    push_path(page, "told", &told);
    let ticks: String =
        repeated.iter().take(REPEATED_MAX).map(|(x, y)| format!("M{x:.1} {y:.1}v-4")).collect();
    push_path(page, "told", &ticks);
}

/// A path of horizontal and vertical steps, without those that nobody could see.
#[derive(Default)]
struct Stair {
    path: String,
    at: Option<(f64, f64)>,
}

impl Stair {
    fn step(&mut self, x: f64, y: f64) {
        match self.at {
            None => {
                let _ = write!(self.path, "M{x:.1} {y:.1}");
            }
            Some((_, old)) if (y - old).abs() < 0.3 => return,
            Some(_) => {
                let _ = write!(self.path, "H{x:.1}V{y:.1}");
            }
        }
        self.at = Some((x, y));
    }

    fn leave(&mut self, x: f64) {
        if self.at.take().is_some() {
            let _ = write!(self.path, "H{x:.1}");
        }
    }
}

fn segments(page: &mut String, plot: &Plot, frame: &Frame) {
    let (mut sent, mut again, mut drops) = (String::new(), String::new(), String::new());
    // What is drawn as one: where, and from where to where.
    let mut run: Option<(f64, u64, u64)> = None;
    for segment in &plot.segments {
        let x = (frame.x(segment.at_ms) * 2.0).round() / 2.0;
        let (low, high) = (frame.y(segment.from), frame.y(segment.end()));
        if segment.event.is_drop() {
            let _ = write!(
                drops,
                "M{:.1} {:.1}l8 8m0 -8l-8 8",
                x - 4.0,
                f64::midpoint(low, high) - 4.0
            );
        }
        if segment.is_retransmission {
            let middle = f64::midpoint(low, high);
            let half = ((low - high) / 2.0).max(2.5);
            let _ = write!(again, "M{x:.1} {:.1}V{:.1}", middle + half, middle - half);
            continue;
        }
        match &mut run {
            Some((place, _, to)) if *place == x && *to == segment.from && low - high < APART => {
                *to = segment.end();
            }
            _ => {
                line(&mut sent, run.take(), frame);
                run = Some((x, segment.from, segment.end()));
            }
        }
    }
    line(&mut sent, run, frame);
    push_path(page, "segment", &sent);
    push_path(page, "again", &again);
    push_path(page, "drop", &drops);
}

fn line(path: &mut String, run: Option<(f64, u64, u64)>, frame: &Frame) {
    let Some((x, from, to)) = run else { return };
    let (low, high) = (frame.y(from), frame.y(to));
    let gap = if low - high >= APART { 0.8 } else { 0.0 };
    let _ = write!(path, "M{x:.1} {:.1}V{:.1}", low - gap, (high + gap).min(low - gap - 0.5));
}

fn push_path(page: &mut String, class: &str, path: &str) {
    if !path.is_empty() {
        push(page, format_args!("<path class=\"{class}\" d=\"{path}\"/>\n"));
    }
}

/// Where the last octet arrives at the other side: what a client sees.
fn arrival(page: &mut String, plot: &Plot, frame: &Frame) {
    let Some(at_ms) = plot.arrived_ms else { return };
    let x = frame.x(at_ms);
    let label = format!("all there: {}", value(at_ms, "ms"));
    let (class, at) = match text_width(&label) {
        width if x - width - 8.0 > LEFT => ("soft end", x - 5.0),
        _ => ("soft", x + 5.0),
    };
    push(
        page,
        format_args!(
            "<path class=\"arrival\" d=\"M{x:.1} {TOP}V{0}\"/>\
             <text class=\"{class} halo\" x=\"{at:.1}\" y=\"{1}\">{label}</text>\n",
            HEIGHT - BELOW,
            HEIGHT - BELOW - 7.0
        ),
    );
}

/// Handshakes and requests, below the axis where they were sent. What was dropped is named first, and the others as far
/// as there is room.
fn marks(page: &mut String, plot: &Plot, frame: &Frame) {
    let bottom = HEIGHT - BELOW;
    let mut rows: [Vec<(f64, f64)>; 2] = Default::default();
    let mut all: Vec<&Mark> = plot.marks.iter().collect();
    all.sort_by_key(|mark| !mark.event.is_drop());
    for mark in all {
        let x = frame.x(mark.at_ms);
        let name = mark.kind.name();
        let (class, label, text_class) = if mark.event.is_drop() {
            ("drop", format!("✗ {name}"), "small lost")
        } else {
            ("mark", name.to_owned(), "small")
        };
        push(page, format_args!("<path class=\"{class}\" d=\"M{x:.1} {bottom}v6\"/>\n"));
        let width = text_width(&label);
        let from = (x - width / 2.0).clamp(2.0, WIDTH - width - 2.0);
        let is_free = |row: &[(f64, f64)]| {
            row.iter().all(|(start, end)| from > end + 3.0 || from + width + 3.0 < *start)
        };
        let Some(row) = (0_u8..).zip(&mut rows).find(|(_, row)| is_free(row)) else { continue };
        row.1.push((from, from + width));
        push(
            page,
            format_args!(
                "<text class=\"{text_class} middle\" x=\"{:.1}\" y=\"{:.0}\">{label}</text>\n",
                from + width / 2.0,
                bottom + 17.0 + f64::from(row.0) * 12.0
            ),
        );
    }
}

impl MarkKind {
    fn name(self) -> &'static str {
        match self {
            Self::Syn => "SYN",
            Self::SynAck => "SYN-ACK",
            Self::Request => "GET",
        }
    }
}

fn text_width(text: &str) -> f64 {
    let letters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    f64::from(letters) * LETTER
}

/// Octets of a plot are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn float(octets: u64) -> f64 {
    octets as f64
}
