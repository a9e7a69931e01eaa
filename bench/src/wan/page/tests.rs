//! The page as text, and as a browser shows it.

mod fixture;

use super::html;

/// For looking at it: `PAGE=page.html cargo test -p lastmile-bench wan::page`.
#[test]
fn everything_is_on_the_page() {
    let report = fixture::report();
    let page = html(&report);
    if let Some(path) = std::env::var_os("PAGE") {
        std::fs::write(path, &page).unwrap();
    }
    assert!(page.len() < 400_000, "{} octets", page.len());
}
