//! `lastmile bench trace`: tables, JSON, a page.

use crate::misused;
use crate::process::{lastmile, scratch};

#[test]
fn tables_json_and_a_page() {
    let directory = scratch();
    let page = directory.path().join("trace.html");
    let small = ["bench", "trace", "--objects", "500", "--requests", "5000", "--html"];
    let output = lastmile(&small).arg(&page).output().unwrap();
    assert!(output.status.success());
    let (text, said) = (String::from_utf8(output.stdout).unwrap(), output.stderr);
    for trace in ["zipf: ", "wonders: ", "scans: ", "drift: "] {
        assert!(text.contains(trace), "{text}");
    }
    assert!(String::from_utf8(said).unwrap().contains("bench: drift: S3-FIFO"), "progress");
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("<svg").count(), 8, "two for each trace");
    assert_eq!(page.matches("class=\"line\"").count(), 48, "six policies in each");
    let output = lastmile(&small[..6]).arg("--json").output().unwrap();
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let curve = &all[0]["curves"][5];
    assert_eq!(curve["policy"], "log-second-use");
    assert!(curve["points"][5]["hit_ratio"].as_f64().unwrap() > 0.1);
    let again = lastmile(&small[..6]).arg("--json").output().unwrap();
    assert!(again.stdout == output.stdout, "the same seed, the same figures");
}

#[test]
fn what_is_misused() {
    misused(&[
        (&["bench", "trace", "--objects", "7"], "7 is not in 100..=10000000", "too few"),
        (&["bench", "trace", "--requests", "none"], "invalid digit", "no number"),
    ]);
}
