//! Range requests, RFC 9110 section 14, as pure functions.

use std::ops::Range;

/// Ranges of one request that are answered; with more the Range field is ignored (RFC 9110 §14.2 allows it, and §17.15
/// asks for it). Film players ask for one, PDF readers for a few.
pub(crate) const RANGES_MAX: usize = 16;

/// What a Range field asks of a representation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// The whole representation: no valid field, or one that asks for too much.
    Whole,
    /// These octets, in the order asked; at least one range, none empty.
    Parts(Vec<Range<u64>>),
    /// 416 (Range Not Satisfiable).
    Unsatisfiable,
}

/// Selects the octets that `field` asks of a representation of `size` octets.
pub(crate) fn select(field: &str, size: u64) -> Selection {
    let Some((unit, set)) = field.split_once('=') else { return Selection::Whole };
    // RFC 9110 §14.1: range units are case-insensitive.
    if !unit.eq_ignore_ascii_case("bytes") {
        return Selection::Whole;
    }
    let mut parts = Vec::new();
    let mut specs = 0;
    for spec in set.split(',').map(|spec| spec.trim_matches([' ', '\t'])) {
        if spec.is_empty() {
            continue;
        }
        specs += 1;
        if specs > RANGES_MAX {
            return Selection::Whole;
        }
        match resolve(spec, size) {
            None => return Selection::Whole,
            Some(range) if range.is_empty() => {}
            Some(range) => parts.push(range),
        }
    }
    let asked = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.end - part.start));
    match parts.len() {
        _ if specs == 0 => Selection::Whole,
        0 => Selection::Unsatisfiable,
        1 => Selection::Parts(parts),
        // Overlaps that add up to more than the whole are an attack or a mistake: RFC 9110 §17.15.
        _ if asked > size => Selection::Whole,
        _ => Selection::Parts(parts),
    }
}

/// One range-spec: `None` when it is no valid one, an empty range when it cannot be satisfied.
fn resolve(spec: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = spec.split_once('-')?;
    if first.is_empty() {
        return Some(size.saturating_sub(number(last)?)..size);
    }
    let first = number(first)?;
    if last.is_empty() {
        return Some(first.min(size)..size);
    }
    let last = number(last)?;
    // RFC 9110 §14.1.1: a last position before the first makes it invalid, not unsatisfiable.
    if last < first {
        return None;
    }
    Some(first.min(size)..last.saturating_add(1).min(size))
}

/// Digits only; more than 64 bits mean more than there is.
fn number(digits: &str) -> Option<u64> {
    let valid = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    valid.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "one part is a list of one range")]
    fn fields_select_octets() {
        use Selection::{Parts, Unsatisfiable, Whole};
        let rows: Vec<(&str, u64, Selection, &str)> = vec![
            ("bytes=0-499", 1000, Parts(vec![0..500]), "§14.1.2, the first 500"),
            ("bytes=500-", 1000, Parts(vec![500..1000]), "to the end"),
            ("bytes=-500", 1000, Parts(vec![500..1000]), "the last 500"),
            ("bytes=-5000", 1000, Parts(vec![0..1000]), "a suffix longer than the whole"),
            ("bytes=900-5000", 1000, Parts(vec![900..1000]), "cut at the end"),
            ("bytes=0-0,-1", 1000, Parts(vec![0..1, 999..1000]), "first and last"),
            ("bytes= 0-0 ,\t5-6,", 1000, Parts(vec![0..1, 5..7]), "optional white space"),
            ("Bytes=0-0", 1000, Parts(vec![0..1]), "the unit is case-insensitive"),
            ("bytes=1000-,0-0", 1000, Parts(vec![0..1]), "one of two is satisfiable"),
            ("bytes=1000-", 1000, Unsatisfiable, "begins after the end"),
            ("bytes=-0", 1000, Unsatisfiable, "a suffix of nothing"),
            ("bytes=0-", 0, Unsatisfiable, "nothing to begin at"),
            ("bytes=99999999999999999999999-", 1000, Unsatisfiable, "more than 64 bits"),
            ("bytes=0-99999999999999999999999", 9, Parts(vec![0..9]), "more than 64 bits"),
            ("bytes=5-4", 1000, Whole, "last before first is invalid"),
            ("bytes=0-0,x", 1000, Whole, "one invalid spec spoils the field"),
            ("bytes=+1-2", 1000, Whole, "a sign is not a digit"),
            ("bytes=", 1000, Whole, "an empty set"),
            ("lines=0-1", 1000, Whole, "an unknown unit"),
            ("bytes 0-1", 1000, Whole, "no equals sign"),
            ("bytes=0-,0-", 1000, Whole, "overlaps beyond the whole"),
        ];
        for (field, size, expected, why) in rows {
            assert_eq!(select(field, size), expected, "{field}: {why}");
        }
        let many = |count: usize| format!("bytes={}", vec!["0-0"; count].join(","));
        assert_eq!(select(&many(RANGES_MAX), 1000), Parts(vec![0..1; RANGES_MAX]), "at the bound");
        assert_eq!(select(&many(RANGES_MAX + 1), 1000), Whole, "beyond the bound");
    }
}
