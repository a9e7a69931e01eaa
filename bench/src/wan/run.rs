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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use verdict::Medians;

/// Measurements of a case in a quick run.
const QUICK_REPEAT: u32 = 3;

/// A stream takes a quick run so much of its time, but not less than the other.
const QUICK_STREAM_SHARE: f64 = 0.5;
const QUICK_STREAM_MIN: Duration = Duration::from_secs(1);

/// Time that several use up; by default there is no end of it. Clones are of the same.
#[derive(Clone, Debug)]
pub struct Spare(Arc<Mutex<Duration>>);

impl Default for Spare {
    fn default() -> Self {
        Self::of(Duration::MAX)
    }
}

impl Spare {
    /// So much.
    #[must_use]
    pub fn of(time: Duration) -> Self {
        Self(Arc::new(Mutex::new(time)))
    }

    /// What is left.
    #[must_use]
    pub fn left(&self) -> Duration {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn use_up(&self, time: Duration) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.saturating_sub(time);
    }
}

/// How scenarios are run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The executable that scenarios call `lastmile`.
    pub lastmile: PathBuf,
    /// Three measurements of each case, shorter streams.
    pub is_quick: bool,
    /// Figures may be off by this part at least, whatever the scenario says: for machines that are never quiet.
    pub tolerance_min: f64,
    /// What is left of the time that measurements may take which are repeated because links or hosts were late: of all
    /// cases together. Each is looked at when one has ended; labs that are built anew for them are not counted.
    pub spare: Spare,
    /// A directory that gets a capture of the last measurement of each case, in a file `SCENARIO-NUMBER-CASE.pcapng`.
    pub captures: Option<PathBuf>,
    /// Set from outside to end early.
    pub stop: Arc<AtomicBool>,
}

impl Settings {
    /// With this executable, at full length, with time for every repetition, without captures, never told to end.
    #[must_use]
    pub fn new(lastmile: PathBuf) -> Self {
        Self {
            lastmile,
            is_quick: false,
            tolerance_min: 0.0,
            spare: Spare::default(),
            captures: None,
            stop: Arc::default(),
        }
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
    run_cases(scenario, settings, &mut outcome, progress)?;
    Ok(outcome)
}

/// The same, and `outcomes` gets what there is also if there is an error: then the outcome has it as a failure too.
///
/// # Errors
/// As for [`run`].
pub fn run_into(
    outcomes: &mut Vec<Outcome>,
    scenario: &Scenario,
    settings: &Settings,
    progress: &mut dyn FnMut(&str),
) -> Result<(), WanError> {
    let mut outcome = outline(scenario);
    let ended = run_cases(scenario, settings, &mut outcome, progress);
    if let Err(error) = &ended {
        failed(&mut outcome, error.to_string());
    }
    outcomes.push(outcome);
    ended
}

fn run_cases(
    scenario: &Scenario,
    settings: &Settings,
    outcome: &mut Outcome,
    progress: &mut dyn FnMut(&str),
) -> Result<(), WanError> {
    let mut medians = Medians::default();
    for (number, case) in (1..).zip(&scenario.cases) {
        let mut scene = case.scene.clone();
        if settings.is_quick {
            shorten(&mut scene.repeat, &mut scene.measure.kind);
        }
        let mut say = |line: &str| progress(&format!("{}, {}: {line}", scenario.name, case.name));
        match case::measure(&scene, settings, &mut say) {
            Ok(measured) => {
                let case_outcome = measured.outcome(case, settings.tolerance_min, &medians);
                medians.add(&case.name, &measured.figures, measured.is_noisy);
                say(&summary(&case_outcome.rows.iter().map(|row| row.verdict).collect::<Vec<_>>()));
                outcome.cases.push(case_outcome);
                if let Some(folder) = &settings.captures {
                    let file = folder.join(capture_name(&scenario.name, number, &case.name));
                    // A full disk, say: what was measured is good all the same.
                    if let Err(error) = measured.capture(&file) {
                        say(&format!("failed: {error}"));
                        failed(outcome, format!("{}: {error}", case.name));
                    }
                }
            }
            Err(error @ (WanError::Stopped | WanError::Missing(_))) => return Err(error),
            Err(error) => {
                say(&format!("failed: {error}"));
                failed(outcome, format!("{}: {error}", case.name));
            }
        }
    }
    Ok(())
}

/// Another line of what could not be measured.
fn failed(outcome: &mut Outcome, line: String) {
    outcome.failure = Some(match outcome.failure.take() {
        Some(before) => format!("{before}\n{line}"),
        None => line,
    });
}

/// Whether all came out as expected, as far as could be told.
#[must_use]
pub fn is_good(outcome: &Outcome) -> bool {
    let mut rows = outcome.cases.iter().flat_map(|case| &case.rows);
    outcome.failure.is_none() && rows.all(|row| row.verdict != Verdict::Off)
}

fn outline(scenario: &Scenario) -> Outcome {
    let scene = scenario.cases.first().map(|case| &case.scene);
    let hosts = scene.map(|scene| scene.hosts.as_slice()).unwrap_or_default();
    Outcome {
        name: scenario.name.clone(),
        title: scenario.title.clone(),
        about: scenario.about.clone(),
        hosts: hosts.iter().map(|host| host.name.clone()).collect(),
        links: links_of(scenario),
        cases: Vec::new(),
        failure: None,
    }
}

/// The links of the first case; it is said of those that are not so in all cases.
fn links_of(scenario: &Scenario) -> Vec<LinkShown> {
    let Some((first, others)) = scenario.cases.split_first() else { return Vec::new() };
    let is_everywhere = |link| others.iter().all(|case| case.scene.links.contains(link));
    let links = first.scene.links.iter().map(|link| {
        let mut link_shown = shown(link);
        if !is_everywhere(link) {
            link_shown.text.push_str(" (others in some cases)");
        }
        link_shown
    });
    links.collect()
}

/// A name for the file with the capture of a case. Its number tells apart what letters and digits do not.
fn capture_name(scenario: &str, number: usize, case: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let words = case.chars().map(plain).collect::<String>();
    let words: Vec<_> = words.split('-').filter(|word| !word.is_empty()).collect();
    let words = words.iter().map(|word| format!("-{word}")).collect::<String>();
    format!("{scenario}-{number}{words}.pcapng")
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
        assert_eq!(capture_name("f1", 2, "initcwnd 10"), "f1-2-initcwnd-10.pcapng");
        assert_eq!(
            capture_name("f2", 3, "and the client's keep-alive"),
            "f2-3-and-the-client-s-keep-alive.pcapng"
        );
        assert_eq!(capture_name("f4", 1, "../x"), "f4-1-x.pcapng");
        assert_eq!(capture_name("f4", 1, "\u{3b1}"), "f4-1.pcapng");
        assert_ne!(capture_name("f5", 1, "5 %"), capture_name("f5", 2, "5"));
    }

    #[test]
    fn links_that_differ_between_cases_are_marked() {
        let text = "name = \"x\"\ntitle = \"x\"\n[hosts]\na = {}\nb = {}\nc = {}\n\
                    [links.near]\nends = [\"a\", \"b\"]\nrtt = \"2ms\"\n\
                    [links.far]\nends = [\"b\", \"c\"]\nrtt = \"35ms\"\n\
                    [measure]\nkind = \"connect\"\nfrom = \"a\"\nurl = \"http://b/\"\n\
                    [[cases]]\nname = \"one\"\n\
                    [[cases]]\nname = \"other\"\nlinks.far.loss = \"5%\"";
        let outcome = outline(&Scenario::parse("x", text).unwrap());
        let texts: Vec<_> = outcome.links.iter().map(|link| link.text.as_str()).collect();
        assert_eq!(texts, ["RTT 2 ms", "RTT 35 ms (others in some cases)"]);
    }

    #[test]
    fn what_was_measured_before_an_error_is_told() {
        let text = "name = \"x\"\ntitle = \"x\"\n[hosts]\na = {}\n\
                    [measure]\nkind = \"program\"\nfrom = \"a\"\nrun = \"true\"";
        let scenario = Scenario::parse("x", text).unwrap();
        let settings = Settings::new(PathBuf::from("lastmile"));
        settings.stop.store(true, Ordering::Relaxed);
        let mut outcomes = Vec::new();
        let error = run_into(&mut outcomes, &scenario, &settings, &mut |_| ()).unwrap_err();
        assert_eq!(outcomes.len(), 1);
        assert_eq!(outcomes[0].failure, Some(error.to_string()));
        assert!(!is_good(&outcomes[0]));
    }
}
