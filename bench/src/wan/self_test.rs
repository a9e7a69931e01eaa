//! What the emulator of links can do on this machine, beside what the lab needs of it. The load and its receiver run on
//! the same cores, as they do in a scenario.
//!
//! * `round_trips`: how far off 80 ms are. `flood`: how many packets one direction carries without losing one.

mod flood;
mod round_trips;

use super::capture::Way;
use super::emulator::{Emulator, End, LinkEnds, MTU_OCTETS};
use super::link::Conditions;
use super::outcome::{Expectation, ExpectationKind, Row, Summary, Verdict};
use flood::flood;
use hdrhistogram::Histogram;
use lastmile_tuning::link::add_address;
use lastmile_tuning::netns::Namespace;
use round_trips::round_trips;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Delay of each way of the round trips: 80 ms in all.
const DELAY: Duration = Duration::from_millis(40);

/// The goals: the error of a round trip in ms, packets/s, and the lateness in us of all but 1 % of packets.
const ERROR_MS_MAX: f64 = 0.3;
const PACKETS_PER_SECOND_MIN: f64 = 250_000.0;
const LATENESS_US_MAX: f64 = 100.0;

/// Octets of the IP packets of each flood.
const FLOODS: [usize; 2] = [1_228, 128];

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// Round trips of each pair of sockets.
    trips: usize,
    /// How long each flood lasts.
    flood: Duration,
}

/// 120 round trips, so that 99 % of them are not all of them, in less than 5 s; and floods that are long enough for a
/// scheduler to show what it does to a core that real-time threads want whole.
const WHOLE: Effort = Effort { trips: 60, flood: Duration::from_secs(2) };

/// What was measured.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SelfTest {
    /// The figures, some with their goals.
    pub rows: Vec<Row>,
    /// Why the links' thread is no real-time one, if it is not.
    pub not_real_time: Option<String>,
}

impl SelfTest {
    /// Whether all goals are reached.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.rows.iter().all(|row| row.verdict != Verdict::Off)
    }

    /// A table, and what there is to say.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{:44} {:>16} {:>22}  verdict\n", "figure", "measured", "goal");
        for row in &self.rows {
            let digits = if row.measured.median >= 1_000.0 { 0 } else { 3 };
            let measured = format!("{:.digits$} {}", row.measured.median, row.unit);
            let goal = row.expected.as_ref().map_or(String::new(), |expected| {
                let words = match expected.kind {
                    ExpectationKind::AtMost => "at most",
                    ExpectationKind::AtLeast => "at least",
                    ExpectationKind::Near => "near",
                };
                format!("{words} {} {}", expected.value, row.unit)
            });
            let verdict = match row.verdict {
                Verdict::Good => "good",
                Verdict::Off => "missed",
                Verdict::Noisy => "noisy",
                Verdict::Informs => "",
            };
            text += format!("{:44} {measured:>16} {goal:>22}  {verdict}", row.name).trim_end();
            text.push('\n');
        }
        if let Some(why) = &self.not_real_time {
            text += &format!("the links' thread may be late whenever others run: {why}\n");
        }
        text
    }
}

/// Measures for some 10 seconds.
///
/// # Errors
/// What the emulator needs and has not: `/dev/net/tun`, `CAP_SYS_ADMIN`, `CAP_NET_ADMIN`.
pub fn self_test() -> io::Result<SelfTest> {
    measure(WHOLE)
}

fn measure(effort: Effort) -> io::Result<SelfTest> {
    let pair = Pair::new(DELAY)?;
    let not_real_time = pair.links.real_time().err().map(str::to_owned);
    let trips = round_trips(&pair, effort.trips)?;
    let mut rows = trips.rows();
    drop(pair);
    for octets in FLOODS {
        rows.extend(flood(octets, effort.flood)?.rows());
    }
    Ok(SelfTest { rows, not_real_time })
}

/// Two hosts and a link between them.
struct Pair {
    hosts: [Namespace; 2],
    links: Emulator,
}

impl Pair {
    /// Their addresses.
    const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 77, 0, 1), Ipv4Addr::new(10, 77, 0, 2)];

    fn new(delay: Duration) -> io::Result<Self> {
        let hosts = [Namespace::new()?, Namespace::new()?];
        let end = |host: &Namespace| End { namespace: host.clone(), device: "wan0".to_owned() };
        let ends = LinkEnds {
            ends: [end(&hosts[0]), end(&hosts[1])],
            mtu_octets: MTU_OCTETS,
            forth: Conditions::of_delay(delay),
            back: Conditions::of_delay(delay),
        };
        let links = Emulator::start(vec![ends], 1)?;
        for (host, address) in hosts.iter().zip(Self::ADDRESSES) {
            host.run(|| add_address("wan0", address.into(), 24))?;
        }
        Ok(Self { hosts, links })
    }
}

/// A figure with a goal, or none.
fn row(name: &str, unit: &str, value: f64, goal: Option<(ExpectationKind, f64)>) -> Row {
    let verdict = match goal {
        None => Verdict::Informs,
        Some((ExpectationKind::AtMost, most)) if value <= most => Verdict::Good,
        Some((ExpectationKind::AtLeast, least)) if value >= least => Verdict::Good,
        Some(_) => Verdict::Off,
    };
    Row {
        name: name.to_owned(),
        unit: unit.to_owned(),
        measured: Summary { median: value, min: value, max: value, count: 1 },
        expected: goal.map(|(kind, value)| Expectation {
            kind,
            value,
            tolerance: 0.0,
            source: "what the lab needs".to_owned(),
        }),
        verdict,
        note: String::new(),
    }
}

/// How late packets were, in us.
fn lateness_rows(what: &str, lateness_ns: &Histogram<u64>, goal_us: Option<f64>) -> [Row; 2] {
    let us = |quantile| lateness_ns.value_at_quantile(quantile) as f64 / 1e3;
    [
        row(&format!("lateness, {what}, median"), "us", us(0.5), None),
        row(
            &format!("lateness, {what}, 99 %"),
            "us",
            us(0.99),
            goal_us.map(|most| (ExpectationKind::AtMost, most)),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_figures_are_measured_and_no_packet_gets_lost() {
        let effort = Effort { trips: 2, flood: Duration::from_millis(30) };
        let measured = match measure(effort) {
            Ok(measured) => measured,
            Err(error) => {
                let missing = [io::ErrorKind::PermissionDenied, io::ErrorKind::NotFound];
                assert!(missing.contains(&error.kind()), "{error}");
                eprintln!("skipped: {error}");
                return;
            }
        };
        let of = |name: &str| {
            let found = measured.rows.iter().find(|row| row.name == name);
            found.unwrap_or_else(|| panic!("{name}: {measured:?}")).measured.median
        };
        assert!(of("error of a round trip of 80 ms, median") >= 0.0, "never too early");
        for octets in FLOODS {
            assert!(of(&format!("packets of {octets} octets in one direction")) > 0.0);
            assert_eq!(of(&format!("packets of {octets} octets that got lost")), 0.0);
        }
        assert_eq!(measured.rows.len(), 12);
    }

    #[test]
    fn goals_and_the_table() {
        let at_most = |value| row("error", "ms", value, Some((ExpectationKind::AtMost, 0.3)));
        let at_least = |value| row("packets", "/s", value, Some((ExpectationKind::AtLeast, 250e3)));
        for (row, expected) in [
            (at_most(0.3), Verdict::Good),
            (at_most(0.31), Verdict::Off),
            (at_least(250e3), Verdict::Good),
            (at_least(249e3), Verdict::Off),
            (row("lateness", "us", 9.0, None), Verdict::Informs),
        ] {
            assert_eq!(row.verdict, expected, "{row:?}");
        }
        let mut test = SelfTest { rows: vec![at_most(0.2), at_least(3e5)], not_real_time: None };
        assert!(test.is_good());
        test.rows.push(at_most(0.5));
        test.not_real_time = Some("not allowed".to_owned());
        assert!(!test.is_good());
        let text = test.text();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].ends_with("0.200 ms         at most 0.3 ms  good"), "{text}");
        assert!(lines[2].ends_with("300000 /s     at least 250000 /s  good"), "{text}");
        assert!(lines[3].ends_with("missed") && lines[4].ends_with("not allowed"), "{text}");
    }
}
