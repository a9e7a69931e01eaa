//! The page as text, and as a browser shows it.

mod browser;
mod fixture;

use super::html;
use crate::wan::markdown;

/// For looking at it: `PAGE=/tmp/page.html cargo test -p lastmile-bench wan::page`.
#[test]
fn everything_is_on_the_page() {
    let report = fixture::report();
    let page = html(&report);
    if let Some(path) = std::env::var_os("PAGE") {
        std::fs::write(path, &page).unwrap();
    }
    for (part, why) in [
        (
            "17 of 19 figures as expected, 1 off, 1 noisy; 1 scenario could not be measured",
            "the sum",
        ),
        ("<a href=\"#f1\"><b>f1</b> No CDN", "a way to each scenario"),
        ("id=\"f1\"", "where that leads"),
        ("✓ as expected (3 of 3)", "a case with several figures"),
        ("✗ off", "a verdict in words"),
        ("~ noisy", "another"),
        ("Linux 6.18 &amp; &lt;others&gt;", "texts of others are escaped"),
        ("&lt;b&gt;nothing&lt;/b&gt;", "and of others"),
        ("<dd>0.1.0</dd>", "the machine"),
        ("401.5 ms<small>400.3 to 403.9 ms in 7</small>", "a figure and its spread"),
        ("400.0 ms ± 2 %<small>1 + 4 flights of 80 ms</small>", "an expectation and its source"),
        ("22 segments in flights of 2, 4, 8, 8", "a plot in words"),
        ("✗ SYN-ACK</text>", "a handshake that was lost"),
        ("15 dropped, 15 sent again", "losses"),
        ("neighbours are drawn as one", "that not everything is drawn"),
        ("the first 24 of 200 connections", "that not everything is drawn"),
        ("measured again 2 times: too late to the end", "lateness"),
    ] {
        assert!(page.contains(part), "{why}: {part}\n{page}");
    }
    for (part, why) in
        [("<script", "no scripts"), ("http://", "nothing from elsewhere"), ("NaN", "a number")]
    {
        assert!(!page.contains(part), "{why}: {part}");
    }
    assert!(page.len() < 400_000, "{} octets", page.len());
    let opened = |tag: &str| page.matches(&format!("<{tag}")).count();
    for tag in ["svg", "table", "figure", "section", "div", "text"] {
        assert_eq!(opened(tag), page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn tables() {
    let report = fixture::report();
    let markdown = markdown::markdown(&report);
    for part in [
        "# The wide-area lab\n\n17 of 19 figures as expected",
        "| what | expected | measured | verdict |\n| --- | --- | --- | --- |\n\
         | initcwnd 2: last byte | 400.0 ms ± 2 % | 401.5 ms (400.3 to 403.9 ms in 7) | ✓ as expected |\n",
        "* initcwnd 2: last byte: 1 + 4 flights of 80 ms\n",
        "| requests:parent-origin | 1 | 1 (the same in 7) | ✓ as expected |\n",
        "## f\\<12>: A relay\n\nNot measured: direct: iperf3",
        "\n\nNot measured: relayed: the same\n",
        "* bursts: drops: \"bursts\" of \\<F9>; of 104 packets & their",
    ] {
        assert!(markdown.contains(part), "{part}\n{markdown}");
    }
    let text = markdown::text(&report);
    for part in [
        "f1: No CDN: 30 KB over RTT 80 ms, a new connection\n",
        "\n  initcwnd 2: last byte    400.0 ms ± 2 %  401.5 ms (400.3 to 403.9 ms in 7)  ✓ as expected\n",
        "\n  bursts: drops  at most 3  15 (the same in 7)  ✗ off\n",
        "\n  not measured: direct: iperf3 is not installed",
        "\n  not measured: relayed: the same\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(text.ends_with("1 scenario could not be measured\n"));
}
