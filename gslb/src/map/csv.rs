//! The CSV of prefixes and their regions.

use super::RegionIndex;
use super::prefix::Prefix;

/// Reads lines `prefix,region` and hands each to `push` with its number; empty lines, `#` comments and a heading
/// `prefix,region` are skipped.
///
/// # Errors
/// The line, and what is wrong with it.
pub(crate) fn read_csv(
    text: &str,
    region: impl Fn(&str) -> Result<RegionIndex, String>,
    mut push: impl FnMut(Prefix, RegionIndex, usize) -> Result<(), &'static str>,
) -> Result<(), (usize, String)> {
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() || (index == 0 && line.eq_ignore_ascii_case("prefix,region")) {
            continue;
        }
        let wrong = |message: String| (index + 1, message);
        let Some((prefix_text, region_text)) = line.split_once(',') else {
            return Err(wrong(format!("{line:?} is not `prefix,region`")));
        };
        let bad = |message| wrong(format!("prefix: {:?} {message}", prefix_text.trim()));
        let prefix: Prefix = prefix_text.trim().parse().map_err(bad)?;
        let region = region(region_text.trim()).map_err(wrong)?;
        push(prefix, region, index + 1).map_err(bad)?;
    }
    Ok(())
}
