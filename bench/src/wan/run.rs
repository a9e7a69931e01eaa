//! A scenario from its file to its outcome: each case in a lab of its own, measured several times.
//!
//! `case` is one case; `lateness` says which measurements count; `verdict` makes rows of figures.

mod case;
mod lateness;
mod notes;
mod verdict;

use super::error::WanError;
use super::link::Conditions;
use super::outcome::{LinkShown, Outcome, Verdict};
use super::scenario::{Kind, Scenario};
use super::topology::LinkSettings;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use verdict::Medians;

/// Measurements of a case in a quick run.
const QUICK_REPEAT: u32 = 3;

/// A stream takes a quick run so much of its time, but not less than the other.
const QUICK_STREAM_SHARE: f64 = 0.5;
const QUICK_STREAM_MIN: Duration = Duration::from_secs(1);

/// How scenarios are run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The executable that scenarios call `lastmile`.
    pub lastmile: PathBuf,
    /// Three measurements of each case, shorter streams.
    pub is_quick: bool,
    /// Figures may be off by this part at least, whatever the scenario says: for machines that are never quiet.
    pub tolerance_min: f64,
    /// A directory that gets a capture of the last measurement of each case, in a file `SCENARIO-CASE.pcapng`.
    pub captures: Option<PathBuf>,
    /// Set from outside to end early.
    pub stop: Arc<AtomicBool>,
}

impl Settings {
    /// With this executable, at full length, without captures, never told to end.
    #[must_use]
    pub fn new(lastmile: PathBuf) -> Self {
        Self { lastmile, is_quick: false, tolerance_min: 0.0, captures: None, stop: Arc::default() }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Runs all cases; `progress` is told in lines what happens. What cannot be measured is a failure in the outcome, and
/// ends its case.
///
/// # Errors
/// [`WanError::Missing`] if there can be no lab here at all; [`WanError::Stopped`].
pub fn run(
    scenario: &Scenario,
    settings: &Settings,
    progress: &mut dyn FnMut(&str),
) -> Result<Outcome, WanError> {
    let mut outcome = outline(scenario);
    let mut medians = Medians::default();
    let mut failures = Vec::new();
    for case in &scenario.cases {
        let mut scene = case.scene.clone();
        if settings.is_quick {
            shorten(&mut scene.repeat, &mut scene.measure.kind);
        }
        let mut say = |line: &str| progress(&format!("{}, {}: {line}", scenario.name, case.name));
        match case::measure(&scene, settings, &mut say) {
            Ok(measured) => {
                let case_outcome = measured.outcome(case, settings.tolerance_min, &medians);
                medians.add(&case.name, &measured.figures);
                if let Some(folder) = &settings.captures {
                    measured.capture(&folder.join(capture_name(&scenario.name, &case.name)))?;
                }
                say(&summary(&case_outcome.rows.iter().map(|row| row.verdict).collect::<Vec<_>>()));
                outcome.cases.push(case_outcome);
            }
            Err(error @ (WanError::Stopped | WanError::Missing(_))) => return Err(error),
            Err(error) => {
                say(&format!("failed: {error}"));
                failures.push(format!("{}: {error}", case.name));
            }
        }
    }
    outcome.failure = (!failures.is_empty()).then(|| failures.join("\n"));
    Ok(outcome)
}

/// Whether all came out as expected, as far as could be told.
#[must_use]
pub fn is_good(outcome: &Outcome) -> bool {
    let mut rows = outcome.cases.iter().flat_map(|case| &case.rows);
    outcome.failure.is_none() && rows.all(|row| row.verdict != Verdict::Off)
}

fn outline(scenario: &Scenario) -> Outcome {
    let scene = scenario.cases.first().map(|case| &case.scene);
    let links = scene.map(|scene| scene.links.as_slice()).unwrap_or_default();
    let hosts = scene.map(|scene| scene.hosts.as_slice()).unwrap_or_default();
    Outcome {
        name: scenario.name.clone(),
        title: scenario.title.clone(),
        about: scenario.about.clone(),
        hosts: hosts.iter().map(|host| host.name.clone()).collect(),
        links: links.iter().map(shown).collect(),
        cases: Vec::new(),
        failure: None,
    }
}

/// A name for the file with the capture of a case.
fn capture_name(scenario: &str, case: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let words = case.chars().map(plain).collect::<String>();
    let words: Vec<_> = words.split('-').filter(|word| !word.is_empty()).collect();
    match words.join("-") {
        case if case == scenario => format!("{case}.pcapng"),
        case => format!("{scenario}-{case}.pcapng"),
    }
}

/// A link in words, in parts: the round trip, then what it has besides.
#[must_use]
pub fn shown(link: &LinkSettings) -> LinkShown {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let (forth, back) = (link.forth.delay, link.back.delay);
    let mut text = format!("RTT {} ms", ms(forth + back));
    if forth != back {
        text.push_str(&format!(", {} ms to {}", ms(forth), link.ends[1]));
    }
    let (forth, back) = (besides_delay(&link.forth), besides_delay(&link.back));
    if forth == back {
        text.push_str(&forth);
    } else {
        for (to, besides) in [(&link.ends[1], forth), (&link.ends[0], back)] {
            if let Some(besides) = besides.strip_prefix(", ") {
                text.push_str(&format!(", to {to} {besides}"));
            }
        }
    }
    LinkShown { ends: link.ends.clone(), text }
}

/// Conditions in words, each after a comma.
fn besides_delay(conditions: &Conditions) -> String {
    let text = Conditions { delay: Duration::ZERO, ..conditions.clone() }.to_string();
    text.strip_prefix("0 ms").map(str::to_owned).unwrap_or(text)
}

fn shorten(repeat: &mut u32, kind: &mut Kind) {
    *repeat = (*repeat).min(QUICK_REPEAT);
    if let Kind::Stream { time, .. } = kind {
        *time = time.mul_f64(QUICK_STREAM_SHARE).max(QUICK_STREAM_MIN).min(*time);
    }
}

fn summary(verdicts: &[Verdict]) -> String {
    let count = |verdict| verdicts.iter().filter(|found| **found == verdict).count();
    let told = [(Verdict::Good, "good"), (Verdict::Off, "off"), (Verdict::Noisy, "noisy")];
    let told: Vec<_> = told
        .into_iter()
        .filter(|(verdict, _)| count(*verdict) > 0)
        .map(|(verdict, name)| format!("{} {name}", count(verdict)))
        .collect();
    if told.is_empty() { "measured".to_owned() } else { told.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_words() {
        let of = |link: &str| {
            let text = format!(
                "name = \"x\"\ntitle = \"x\"\n[hosts]\na = {{}}\nb = {{}}\n[links.l]\nends = [\"a\", \"b\"]\n{link}\n\
                 [measure]\nkind = \"connect\"\nfrom = \"a\"\nurl = \"http://b/\""
            );
            shown(&Scenario::parse("x", &text).unwrap().cases[0].scene.links[0]).text
        };
        for (link, text) in [
            ("rtt = \"80ms\"", "RTT 80 ms"),
            ("rtt = \"35ms\"\nloss = \"5%\"", "RTT 35 ms, 5 % loss"),
            (
                "rtt = \"40ms\"\nback = { rate = \"20Mbit/s\", queue = \"12 packets\" }",
                "RTT 40 ms, to a 20 Mbit/s, queue of 12 packets",
            ),
            ("delay = \"30ms\"\nback = { delay = \"50ms\" }", "RTT 80 ms, 30 ms to b"),
        ] {
            assert_eq!(of(link), text);
        }
    }

    #[test]
    fn names_of_captures() {
        assert_eq!(capture_name("f1", "initcwnd 10"), "f1-initcwnd-10.pcapng");
        assert_eq!(
            capture_name("f2", "and the client's keep-alive"),
            "f2-and-the-client-s-keep-alive.pcapng"
        );
        assert_eq!(capture_name("f3", "f3"), "f3.pcapng");
        assert_eq!(capture_name("f4", "../x"), "f4-x.pcapng");
    }
}
