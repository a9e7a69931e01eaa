//! What came of scenarios: what `--json` prints, what the tables say and the page draws.

use super::capture::{Event, Way};
use serde::{Deserialize, Serialize};

/// All scenarios of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The machine, the kernel and lastmile's version, as `name: value`.
    pub machine: Vec<(String, String)>,
    /// One for each scenario, in the order in which they ran.
    pub outcomes: Vec<Outcome>,
}

/// One scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Its name on the command line, such as `f1`.
    pub name: String,
    /// One line.
    pub title: String,
    /// What it shows and why, in paragraphs that are separated by empty lines.
    pub about: String,
    /// The hosts, in the order of the file.
    pub hosts: Vec<String>,
    /// The links between them.
    pub links: Vec<LinkShown>,
    /// Its cases, in the order of the file.
    pub cases: Vec<CaseOutcome>,
    /// Why it, or some of its cases, could not be measured, in lines.
    pub failure: Option<String>,
}

/// A link, as the sketch of the topology shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkShown {
    /// The names of its two hosts.
    pub ends: [String; 2],
    /// What it is like, such as `80 ms, 50 Mbit/s, 2 % loss`.
    pub text: String,
}

/// One case of a scenario: the scene with certain settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseOutcome {
    /// Its name, such as `initcwnd 10`.
    pub name: String,
    /// What is different in it, in words.
    pub about: String,
    /// What was measured, and what was expected of it.
    pub rows: Vec<Row>,
    /// Pictures of a connection, from the last repeat.
    pub plots: Vec<Plot>,
    /// How late the links delivered, in microseconds: the median and the 99th percentile.
    pub lateness_us: [f64; 2],
    /// How often it was measured again because the links or the hosts were too late.
    pub repeats: u32,
    /// Set if they were too late to the end.
    pub is_noisy: bool,
}

/// A figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// What it is, such as `last byte`.
    pub name: String,
    /// Its unit, such as `ms`.
    pub unit: String,
    /// Of all repeats.
    pub measured: Summary,
    /// What is expected; `None` for a figure that only informs.
    pub expected: Option<Expectation>,
    /// What to make of it.
    pub verdict: Verdict,
    /// In words: what the figure does not say, such as the flights.
    pub note: String,
}

/// Values of repeats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The median.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// How many there are.
    pub count: usize,
}

/// What a figure should be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    /// How it is compared.
    pub kind: ExpectationKind,
    /// With what, in the row's unit.
    pub value: f64,
    /// How far off it may be, as a part of the value; of use to [`ExpectationKind::Near`] only.
    pub tolerance: f64,
    /// Where it comes from, such as `1 + 4 flights of 80 ms` or `0.75 of "no CDN"`.
    pub source: String,
}

/// How a figure is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpectationKind {
    /// It is so much, within the tolerance.
    Near,
    /// It is at most so much.
    AtMost,
    /// It is at least so much.
    AtLeast,
}

/// What to make of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As expected.
    Good,
    /// Not as expected.
    Off,
    /// The links or the hosts were too late to say.
    Noisy,
    /// Nothing was expected.
    Informs,
}

/// The packets of one direction of a link during one measurement, and the acknowledgements of the other: a
/// time-sequence plot, as tcptrace and xplot draw it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plot {
    /// What is seen, such as `edge to client`.
    pub title: String,
    /// The link, by its place in the topology.
    pub link: usize,
    /// The way that the content goes.
    pub way: Way,
    /// The round trip that tells flights apart, in ms: of the handshake, or else what was asked of the links.
    pub round_trip_ms: Option<f64>,
    /// Its segments, in the order in which they were sent. Neighbours are joined where there are too many to draw.
    pub segments: Vec<Segment>,
    /// Segments that were seen; more than there are in `segments` where these are joined or left out.
    pub segments_seen: u64,
    /// Of these, the ones that the link dropped.
    pub segments_dropped: u64,
    /// Of these, the ones that had been sent before, or some of their octets.
    pub segments_sent_again: u64,
    /// Connections that were seen; those beyond the first few are in no list here.
    pub connections_seen: u64,
    /// Acknowledgements, as they arrived at the sender.
    pub acknowledged: Vec<Acknowledgement>,
    /// Flights: packets that left together, at most one for each round trip. They are never thinned out.
    pub flights: Vec<Flight>,
    /// Handshakes and requests, both ways.
    pub marks: Vec<Mark>,
    /// When the last octet of the content that was missing arrived at the other end of the link, in ms since the
    /// measurement began.
    pub arrived_ms: Option<f64>,
}

/// A segment of TCP with content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// When it was sent, in ms since the measurement began.
    pub at_ms: f64,
    /// Octets of content before it in its connection.
    pub from: u64,
    /// Octets of content in it.
    pub octets: u32,
    /// Which connection, counted from 0.
    pub connection: u32,
    /// Whether these octets, or some of them, had been sent before.
    pub is_retransmission: bool,
    /// [`Event::Entered`] for one that got through; otherwise how it was dropped.
    pub event: Event,
}

/// An acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// When it arrived at the sender's end of the link, in ms since the measurement began.
    pub at_ms: f64,
    /// Octets of content that the receiver has without a gap.
    pub up_to: u64,
    /// Octets beyond these that it is ready to take; `None` if the handshake, which has their scale, was not seen.
    pub window: Option<u32>,
    /// Which connection, counted from 0.
    pub connection: u32,
}

/// A packet that a plot names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// When it was sent, at its own sender's end of the link, in ms since the measurement began.
    pub at_ms: f64,
    /// What it is.
    pub kind: MarkKind,
    /// [`Event::Entered`] for one that got through; otherwise how it was dropped.
    pub event: Event,
}

/// Packets that a plot names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkKind {
    /// It opens a connection.
    Syn,
    /// It answers a SYN.
    SynAck,
    /// It begins with a GET.
    Request,
}

/// A flight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flight {
    /// When its first packet was sent, in ms since the measurement began.
    pub at_ms: f64,
    /// When its last packet was sent.
    pub until_ms: f64,
    /// How many packets with content it has, those that were dropped and sent again included.
    pub packets: u32,
    /// Octets of content in them.
    pub octets: u64,
    /// Which connection, counted from 0.
    pub connection: u32,
}
