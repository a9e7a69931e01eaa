//! What the pages of all reports share: one style, and text that is put into it.

use std::fmt::Write as _;

/// The style of every page, for light and dark surroundings.
pub(crate) const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#222}
h2{font-size:1.05rem;margin:1.5rem 0 .3rem}svg{width:100%;height:auto}
svg text{font-size:13px;fill:#222}
.lastmile{fill:#1b7f5c}.peer{fill:#8a94a6}.whisker{stroke:#222}ul{color:#555;font-size:.9rem}
.line{fill:none;stroke:#1b7f5c;stroke-width:2}.second{fill:none;stroke:#c2571a;stroke-width:2}
.grid{stroke:#ddd}.key1{fill:#1b7f5c}.key2{fill:#c2571a}
table{border-collapse:collapse}td,th{padding:.1rem 1rem .1rem 0;text-align:right}
td:first-child,th:first-child{text-align:left}
@media (prefers-color-scheme:dark){body{background:#16181c;color:#ddd}svg text{fill:#ddd}
.whisker{stroke:#ddd}ul{color:#aaa}.grid{stroke:#333}}";

/// Everything up to the first thing on a page, which is a heading.
#[must_use]
pub fn begin(title: &str, heading: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{}</title>\n<style>\n{STYLE}\n</style>\n<h1>{}</h1>\n",
        escape(title),
        escape(heading)
    )
}

/// Appends.
///
/// # Panics
/// Never: a `String` takes everything.
pub fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a String takes everything");
}

/// `text` as it can stand between tags and in attributes.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
