//! `lastmile bench steer`: figures, JSON, a page.

use crate::misused;
use crate::process::{lastmile, scratch};

#[test]
fn figures_json_and_a_page() {
    let directory = scratch();
    let page = directory.path().join("steer.html");
    let small = ["bench", "steer", "--clients", "1000", "--seconds", "2400", "--html"];
    let output = lastmile(&small).arg(&page).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "all goals are reached: {text}");
    assert_eq!(text.matches("  reached").count(), 4, "{text}");
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("<svg").count(), 6, "two maps, utilisation, three plots");
    let output = lastmile(&small[..6]).arg("--json").output().unwrap();
    let one: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(one["edges"].as_array().unwrap().len(), 20);
    assert!(one["figures"]["within"].as_f64().unwrap() >= 0.95);
    let output =
        lastmile(&["bench", "steer", "--clients", "100", "--seconds", "1200", "--seeds", "2"]);
    let output = { output }.output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 3, "a line for each");
}

#[test]
fn what_is_misused() {
    misused(&[
        (&["bench", "steer", "--measured", "2"], "\"2\" is not a part; allowed: 0 to 1", "a part"),
        (&["bench", "steer", "--seconds", "7"], "7 is not in 1200..=86400", "too short"),
    ]);
}
