//! `lastmile bench dns` from one end to the other, on our own server.

use crate::misused;
use crate::process::{lastmile, scratch};

#[test]
fn a_comparison_has_figures_of_our_own_server() {
    let folder = scratch();
    let page = folder.path().join("dns.html");
    let output = lastmile(&["bench", "dns", "--quick", "--repeats", "0", "--peer", "lastmile"])
        .args(["--prefixes", "2000", "--json", "--html"])
        .arg(&page)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let cells = report["cells"].as_array().unwrap();
    let named = cells.iter().map(|c| (c["case"].as_str().unwrap(), c["peer"].as_str().unwrap()));
    assert_eq!(named.collect::<Vec<_>>(), [("static", "lastmile"), ("subnets", "lastmile")]);
    for cell in cells {
        // That there are figures says that all answers were right.
        let figures = &cell["figures"];
        for figure in ["cpu_us", "requests_per_second", "p50_us", "p99_us", "busy_share"] {
            assert!(figures[figure]["median"].as_f64().unwrap() > 0.0, "{figure}: {cell}");
        }
        assert!(figures["user_us"]["median"].as_f64().unwrap() >= 0.0, "{cell}");
    }
    let goals = report["goals"].as_array().unwrap();
    let is_measured = |goal: &&serde_json::Value| goal["reached"].is_boolean();
    let measured: Vec<_> = goals.iter().filter(is_measured).map(|goal| &goal["metric"]).collect();
    assert_eq!(measured, ["user_us", "user_us"], "without peers, what is by itself: {goals:?}");
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("<rect").count(), 2, "{page}");
}

#[test]
fn misuse_is_told_before_anything_starts() {
    misused(&[
        (
            &["bench", "dns", "--case", "any"],
            "\"any\" is not a case; allowed: static, subnets",
            "a case",
        ),
        (
            &["bench", "dns", "--peer", "bind"],
            "\"bind\" is not a peer; allowed: lastmile, gdnsd",
            "a peer",
        ),
        (&["bench", "dns", "--prefixes", "0"], "1..=1000000", "no prefixes"),
        (&["bench", "dns", "--quick", "--rounds", "3"], "cannot be used with", "both"),
        (&["bench", "dns", "--html", "/no/such/dir/x"], "/no/such/dir/x: ", "a page"),
    ]);
}
