//! A namespace of the real kernel for tests of tuning: what is there, applied, taken back, and ended in the middle.

use lastmile_tuning::apply::{Applied, Event, apply, revert};
use lastmile_tuning::audit;
use lastmile_tuning::knobs::{self, Knob};
use lastmile_tuning::netns::Namespace;
use lastmile_tuning::profile::Profile;
use lastmile_tuning::route::{Metrics, Route, list};
use lastmile_tuning::system::live::Live;
use lastmile_tuning::system::{Reading, Refusal, System, survey};
use std::io;
use std::panic::resume_unwind;
use std::path::Path;

/// A namespace with a default route of each family, or none where that takes more privilege.
fn namespace() -> Option<Namespace> {
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            eprintln!("skipped: a network namespace takes CAP_SYS_ADMIN");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let routes = || {
        for default in ["0.0.0.0/0", "::/0"] {
            let route = Route::new(default.parse().unwrap(), "lo", None)?;
            let metrics = Metrics { initcwnd: Some(5), mtu: Some(1400), ..Metrics::default() };
            route.with(&metrics).replace()?;
        }
        Ok(())
    };
    namespace.run(routes).unwrap();
    Some(namespace)
}

/// Runs `work` there with a journal's path, and sees that nothing is left of it.
pub(crate) fn inside(work: impl FnOnce(&Path) + Send) {
    let Some(namespace) = namespace() else { return };
    // Hundreds of journals are written to it, each of which waits for its disk.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let path = folder.path().join("tune.json");
    namespace
        .run(|| {
            work(&path);
            Ok(())
        })
        .unwrap();
    assert!(!path.exists(), "the journal is gone");
}

pub(crate) fn live() -> Live {
    Live { is_namespace_only: true, ..Live::default() }
}

/// `audit --json`, and the routes besides.
pub(crate) fn snapshot(system: &mut Live) -> String {
    let found = survey(system, knobs::all());
    let rows = audit::rows(&found, &Profile::default(), system.cpus());
    format!("{}\n{:?}", serde_json::to_string_pretty(&rows).unwrap(), list().unwrap())
}

/// Applies it, and sees that no step fails.
pub(crate) fn applied(system: &mut impl System, journal: &Path, profile: &Profile) -> Applied {
    let mut events = Vec::new();
    let applied = apply(system, journal, profile, &mut |event| events.push(event)).unwrap();
    assert!(!applied.is_rolled_back, "{events:?}");
    applied
}

/// The names of `knobs`.
pub(crate) fn ids(knobs: &[&'static Knob]) -> Vec<&'static str> {
    knobs.iter().map(|knob| knob.id).collect()
}

pub(crate) fn reverted(journal: &Path, is_forced: bool) -> (usize, Vec<Event>) {
    let mut events = Vec::new();
    let reverted =
        revert(&mut live(), journal, is_forced, &mut |event| events.push(event)).unwrap();
    (reverted.left.len(), events)
}

/// Ends the process, as far as a test can, before or after the write of this number.
pub(crate) struct Crashing {
    /// What it writes to until then.
    pub live: Live,
    /// How many writes there were.
    pub writes: usize,
    /// Which write ends it.
    pub at: usize,
    /// Whether that is still done.
    pub is_after: bool,
}

impl System for Crashing {
    fn instances(&mut self, knob: &'static Knob) -> Vec<String> {
        self.live.instances(knob)
    }

    fn read(&mut self, knob: &'static Knob, instance: &str) -> Reading {
        self.live.read(knob, instance)
    }

    fn write(&mut self, knob: &'static Knob, instance: &str, value: &str) -> Result<(), Refusal> {
        let is_now = self.writes == self.at;
        self.writes += 1;
        if is_now && !self.is_after {
            // Unlike a panic it says nothing.
            resume_unwind(Box::new("ended"));
        }
        self.live.write(knob, instance, value)?;
        if is_now {
            resume_unwind(Box::new("ended"));
        }
        Ok(())
    }

    fn cpus(&self) -> usize {
        self.live.cpus()
    }
}
