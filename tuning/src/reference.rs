//! The reference page, made of the table and of the profiles that ship (`docs/tuning.md`).

use crate::knobs::{AREAS, Knob};
use crate::profile::{Profile, SHIPPED};
use std::fmt::Write as _;

const HEAD: &str = "# Tuning: every knob

Made by `lastmile tune reference`; change `tuning/src/knobs/` or `tuning/profiles/` instead.

`lastmile tune audit` shows what each of these is on a machine, `plan --profile P` what a profile
would change, `apply` does it (the old values are in a journal first), `verify` reads it back, and
`revert` takes all of it back. `>= N` in a profile raises a value and never lowers it. A knob with
several places (cards, queues, CPUs, devices, routes) has a value at each.

*Effect* names the scenario of `lastmile bench wan` that shows it, and what was measured there.
\"Not measured\" makes no claim.
";

/// The page, in Markdown.
///
/// # Errors
/// What is wrong with a profile that ships.
pub fn page() -> Result<String, String> {
    let profiles: Result<Vec<Profile>, String> =
        SHIPPED.iter().map(|(name, _)| Profile::load(name)).collect();
    let profiles = profiles?;
    let mut text = HEAD.to_owned();
    text.push_str("\n## Profiles\n\n| profile | for | knobs |\n| --- | --- | --- |\n");
    for profile in &profiles {
        let _ = writeln!(text, "| `{}` | {} | {} |", profile.name, profile.about, profile.len());
    }
    for (area, knobs) in AREAS {
        let _ = write!(text, "\n## {area}\n");
        for knob in *knobs {
            entry(&mut text, knob, &profiles);
        }
    }
    Ok(text)
}

fn entry(text: &mut String, knob: &'static Knob, profiles: &[Profile]) {
    let _ = write!(text, "\n### {}\n\n{}\n\n", knob.id, knob.why);
    let allowed = format!("{}: {}", knob.unit, knob.form);
    for (name, value) in [
        ("Value", allowed),
        (
            "Scope",
            format!("{}; since Linux {}; takes {}", knob.scope, knob.since, knob.capability()),
        ),
        ("By hand", format!("`{}`", knob.by_hand())),
        ("Risk", knob.risk.to_owned()),
        ("Source", knob.source.to_owned()),
        ("Effect", knob.effect.to_string()),
        ("Set after", knob.needs.join(", ")),
        ("Changes also", knob.changes.join(", ")),
        ("Profiles", wanted(knob, profiles)),
    ] {
        if !value.is_empty() {
            let _ = writeln!(text, "* {name}: {value}");
        }
    }
}

fn wanted(knob: &Knob, profiles: &[Profile]) -> String {
    let wanted: Vec<String> = profiles
        .iter()
        .filter_map(|profile| Some(format!("{} `{}`", profile.name, profile.wanted(knob)?)))
        .collect();
    wanted.join(", ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tuning.md");
        let page = super::page().unwrap();
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(page == found, "make it again: lastmile tune reference > docs/tuning.md");
    }
}
