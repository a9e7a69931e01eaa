//! Scenarios that ship with lastmile: the figures of the lecture (MISSION.md), and what tuning is worth.

use super::scenario::{Scenario, ScenarioError};

/// Their files: names and texts.
pub const FILES: &[(&str, &str)] = &[
    ("f1.toml", include_str!("../../scenarios/f1.toml")),
    ("f2.toml", include_str!("../../scenarios/f2.toml")),
    ("f3.toml", include_str!("../../scenarios/f3.toml")),
    ("f4.toml", include_str!("../../scenarios/f4.toml")),
    ("f5.toml", include_str!("../../scenarios/f5.toml")),
    ("f6.toml", include_str!("../../scenarios/f6.toml")),
    ("f7.toml", include_str!("../../scenarios/f7.toml")),
    ("f8.toml", include_str!("../../scenarios/f8.toml")),
    ("f9.toml", include_str!("../../scenarios/f9.toml")),
    ("f10.toml", include_str!("../../scenarios/f10.toml")),
    ("f11.toml", include_str!("../../scenarios/f11.toml")),
    ("f12.toml", include_str!("../../scenarios/f12.toml")),
    ("p4.toml", include_str!("../../scenarios/p4.toml")),
    ("tune-flood.toml", include_str!("../../scenarios/tune-flood.toml")),
    ("tune-loss.toml", include_str!("../../scenarios/tune-loss.toml")),
    ("tune-profiles.toml", include_str!("../../scenarios/tune-profiles.toml")),
    ("tune-stream.toml", include_str!("../../scenarios/tune-stream.toml")),
    ("tune-tier.toml", include_str!("../../scenarios/tune-tier.toml")),
    ("tune-window.toml", include_str!("../../scenarios/tune-window.toml")),
];

/// Those that show the figures of the lecture.
pub const FIGURES: &[&str] =
    &["f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10", "f11", "f12", "p4"];

/// Those that show what tuning is worth.
pub const TUNING: &[&str] = &[
    "f8",
    "f5",
    "tune-window",
    "tune-loss",
    "f10",
    "f9",
    "tune-tier",
    "tune-profiles",
    "tune-stream",
    "tune-flood",
];

/// All of them, in their order.
///
/// # Errors
/// None, as a test shows.
pub fn all() -> Result<Vec<Scenario>, ScenarioError> {
    FILES.iter().map(|(file, text)| Scenario::parse(file, text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_well_formed_and_called_as_its_file() {
        for (scenario, (file, _)) in all().unwrap().iter().zip(FILES) {
            assert_eq!(format!("{}.toml", scenario.name), **file);
        }
    }

    #[test]
    fn each_belongs_to_a_set() {
        let all = all().unwrap();
        for name in FIGURES.iter().chain(TUNING) {
            assert!(all.iter().any(|scenario| scenario.name == *name), "{name}");
        }
        for scenario in &all {
            let name = scenario.name.as_str();
            assert!(FIGURES.contains(&name) || TUNING.contains(&name), "{name}");
        }
    }
}
