//! What was measured beside what was measured before.

use serde_json::{Map, Value, json};
use std::process::Command;

/// A scene may be dearer than its baseline by this much before that is a failure. Counts repeat to a few tenths of a
/// percent; the rest is for code that the compiler happens to lay out another way.
const TOLERANCE: f64 = 0.03;

/// In the package, so that it is found wherever the benchmark is started.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/baseline.json");

/// Instructions per operation, by scene, and the compiler that made them.
pub(crate) struct Baseline {
    compiler: String,
    scenes: Map<String, Value>,
}

/// A scene's result.
pub(crate) struct Row {
    pub(crate) scene: &'static str,
    /// Per operation.
    pub(crate) instructions: f64,
    /// Those of the baseline, if it has the scene.
    pub(crate) before: Option<f64>,
}

/// A result beside the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    New,
    Same,
    Cheaper,
    Dearer,
}

impl Row {
    fn change(&self) -> Option<f64> {
        self.before.map(|before| self.instructions / before - 1.0)
    }

    pub(crate) fn verdict(&self) -> Verdict {
        match self.change() {
            None => Verdict::New,
            Some(change) if change > TOLERANCE => Verdict::Dearer,
            Some(change) if change < -TOLERANCE => Verdict::Cheaper,
            Some(_) => Verdict::Same,
        }
    }
}

impl Baseline {
    /// The baseline; an empty one when there is no file.
    pub(crate) fn read() -> Result<Self, String> {
        let text = match std::fs::read_to_string(FILE) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "{}".to_owned(),
            Err(error) => return Err(format!("{FILE}: {error}")),
        };
        let file: Value =
            serde_json::from_str(&text).map_err(|error| format!("{FILE}: {error}"))?;
        Ok(Self {
            compiler: file["compiler"].as_str().unwrap_or_default().to_owned(),
            scenes: file["instructions"].as_object().cloned().unwrap_or_default(),
        })
    }

    pub(crate) fn write(rows: &[Row]) -> Result<(), String> {
        let file = json!({ "compiler": compiler(), "instructions": instructions(rows) });
        std::fs::write(FILE, format!("{file:#}\n")).map_err(|error| format!("{FILE}: {error}"))
    }

    pub(crate) fn of(&self, scene: &str) -> Option<f64> {
        self.scenes.get(scene)?.as_f64()
    }

    /// Whether what is dearer is a failure: another compiler makes other code of the same source.
    pub(crate) fn binds(&self) -> bool {
        self.compiler == compiler()
    }

    pub(crate) fn explain_other_compiler(&self) {
        if !self.binds() {
            let (now, then) = (compiler(), &self.compiler);
            eprintln!(
                "instructions: this is {now}, the baseline is of {then:?}: nothing is judged"
            );
        }
    }
}

fn compiler() -> String {
    let version = Command::new("rustc").arg("--version").output();
    let text = version.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn instructions(rows: &[Row]) -> Map<String, Value> {
    let rounded = |row: &Row| (row.instructions * 10.0).round() / 10.0;
    rows.iter().map(|row| (row.scene.to_owned(), rounded(row).into())).collect()
}

/// The rows as an object.
pub(crate) fn json(rows: &[Row]) -> String {
    let row = |row: &Row| {
        let verdict = format!("{:?}", row.verdict()).to_lowercase();
        json!({
            "scene": row.scene,
            "instructions": row.instructions,
            "baseline": row.before,
            "verdict": verdict,
        })
    };
    let rows: Vec<Value> = rows.iter().map(row).collect();
    format!("{:#}", json!({ "unit": "instructions per operation", "scenes": rows }))
}

/// The rows as text.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text =
        format!("{:<20}{:>12}{:>12}{:>9}\n", "scene", "instructions", "baseline", "change");
    for row in rows {
        let before = row.before.map_or_else(|| "-".to_owned(), |before| format!("{before:.1}"));
        // Adding zero takes the sign off a negative one.
        let percent = row.change().map(|change| (change * 1000.0).round() / 10.0 + 0.0);
        let change = percent.map_or_else(String::new, |percent| format!("{percent:+.1} %"));
        let mark = if row.verdict() == Verdict::Dearer { "  dearer" } else { "" };
        let (scene, instructions) = (row.scene, row.instructions);
        text.push_str(&format!("{scene:<20}{instructions:>12.1}{before:>12}{change:>9}{mark}\n"));
    }
    text.trim_end().to_owned()
}
