//! Instructions of the hit path, counted by callgrind: the same number on a busy machine and on an idle one, so that a
//! change which makes hits dearer is noticed before it is merged.
//!
//! Each scene runs in a process of its own under valgrind, which counts only while `scenes::measured` runs. Ready-made
//! harnesses (gungraun, iai-callgrind) want a runner of exactly their version installed beside them; this needs
//! valgrind alone.

#[path = "../../tests/at_once/mod.rs"]
mod at_once;
mod baseline;
mod callgrind;
mod scenes;

use baseline::{Baseline, Row, Verdict};
use callgrind::Callgrind;
use scenes::SCENES;
use std::io::Write as _;
use std::process::ExitCode;

const HELP: &str = "\
Instructions of the hit path, per operation, beside those of edge/benches/baseline.json.

Usage: cargo bench -p lastmile-edge --bench instructions -- [OPTIONS] [SCENE]...

  SCENE      only scenes whose name contains this
  --json     an object instead of a table
  --bless    write what was measured to the baseline
  --list     the scenes
  --help     this

Example: cargo bench -p lastmile-edge --bench instructions -- hit-1kb

Exit status: 0 as cheap as the baseline or cheaper, 1 a scene is dearer by more than 3 %, or failed; 2 misused.";

/// What the command line asks for.
#[derive(Default)]
struct Options {
    json: bool,
    bless: bool,
    list: bool,
    help: bool,
    scenes: Vec<String>,
    /// Run this scene: said by this program to itself, under valgrind.
    run: Option<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--json" => options.json = true,
                "--bless" => options.bless = true,
                "--list" => options.list = true,
                "--help" | "-h" => options.help = true,
                "--run" => options.run = arguments.next(),
                // Cargo says it to every benchmark.
                "--bench" => {}
                _ if argument.starts_with('-') => return Err(format!("unknown flag {argument}")),
                _ => options.scenes.push(argument),
            }
        }
        for wanted in &options.scenes {
            if !SCENES.iter().any(|scene| scene.name.contains(wanted)) {
                return Err(format!("no scene's name contains {wanted:?}; --list shows them"));
            }
        }
        if options.bless && !options.scenes.is_empty() {
            return Err("--bless is for all scenes".to_owned());
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.scenes.is_empty() || self.scenes.iter().any(|wanted| name.contains(wanted))
    }
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("instructions: {error}");
            return ExitCode::from(2);
        }
    };
    if let Some(name) = &options.run {
        return scenes::run(name);
    }
    let text = if options.help {
        HELP.to_owned()
    } else if options.list {
        SCENES.iter().map(|scene| format!("{:<20} {}\n", scene.name, scene.what)).collect()
    } else {
        return match measure(&options) {
            Ok(code) => code,
            Err(error) => {
                eprintln!("instructions: {error}");
                ExitCode::FAILURE
            }
        };
    };
    match say(text.trim_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn measure(options: &Options) -> Result<ExitCode, String> {
    let callgrind = Callgrind::find()?;
    let baseline = Baseline::read()?;
    let mut rows = Vec::new();
    for scene in SCENES.iter().filter(|scene| options.wants(scene.name)) {
        let instructions = callgrind.count(scene.name)? as f64 / scene.operations as f64;
        rows.push(Row { scene: scene.name, instructions, before: baseline.of(scene.name) });
    }
    let text = if options.json { baseline::json(&rows) } else { baseline::table(&rows) };
    say(&text).map_err(|error| error.to_string())?;
    if options.bless {
        return Baseline::write(&rows).map(|()| ExitCode::SUCCESS);
    }
    baseline.explain_other_compiler();
    let dearer = rows.iter().filter(|row| row.verdict() == Verdict::Dearer);
    for row in dearer.clone() {
        eprintln!("instructions: {} is dearer than the baseline", row.scene);
    }
    Ok(if dearer.count() > 0 && baseline.binds() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn say(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")
}
