//! Sizes and durations as people write them on a command line or in a file.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A size in octets, written `4096`, `10kB`, `256MiB`, `2.4MB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

const SIZE_UNITS: &[(&str, u64)] = &[
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
    ("", 1),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        scaled(text, SIZE_UNITS).map(Self).ok_or_else(|| {
            format!(
                "{text:?} is not a size; allowed: octets such as 1048576, or a number with KiB, \
                 MiB, GiB, TiB, kB, MB, GB or TB that makes whole octets, such as 256MiB"
            )
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = SIZE_UNITS[..4].iter().rev();
        match binary.clone().find(|(_, scale)| self.0 >= *scale && self.0.is_multiple_of(*scale)) {
            Some((name, scale)) => write!(f, "{}{name}", self.0 / scale),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A duration, written `500ms`, `20s`, `1.5s`, `2m`, `1h`; a bare number is in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// In microseconds.
const PERIOD_UNITS: &[(&str, u64)] = &[
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
    ("", 1_000_000),
];

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        scaled(text, PERIOD_UNITS).map(|us| Self(Duration::from_micros(us))).ok_or_else(|| {
            format!(
                "{text:?} is not a duration; allowed: a number with us, ms, s, m, h or d, such as \
                 20s"
            )
        })
    }
}

/// The whole number that `text` is, a number with or without a fraction, a blank or none, and one of `units`.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.bytes().take_while(|octet| octet.is_ascii_digit() || *octet == b'.').count();
    let (number, unit) = text.split_at(end);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let parts = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let of_fraction = fraction.parse::<u64>().ok()?.checked_mul(*scale)?;
    let of_whole = whole.parse::<u64>().ok()?.checked_mul(*scale)?;
    of_whole.checked_add(of_fraction.is_multiple_of(parts).then_some(of_fraction / parts)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, octets, why) in [
            ("0", Some(0), "nothing is a size"),
            ("1048576", Some(1 << 20), "octets without a unit"),
            ("256MiB", Some(256 << 20), "a power of two"),
            ("256 MiB", Some(256 << 20), "one blank before the unit"),
            ("10kB", Some(10_000), "a power of ten"),
            ("12 apples", None, "an unknown unit"),
            ("MiB", None, "no number"),
            ("-1", None, "negative"),
            ("2.4MB", Some(2_400_000), "a fraction"),
            ("1.5GiB", Some(3 << 29), "of a power of two"),
            ("0.0001kB", None, "a part of an octet"),
            ("1.", None, "a point without a fraction"),
            (".5MB", None, "a point without a number"),
            ("1.2.3MB", None, "two points"),
            ("0.99999999999999999999999MB", None, "more digits than 64 bits hold"),
            ("99999999999TiB", None, "more than 64 bits hold"),
            ("", None, "nothing written"),
        ] {
            assert_eq!(text.parse::<Size>().ok().map(|s| s.0), octets, "{text}: {why}");
        }
        let error = "12 apples".parse::<Size>().unwrap_err();
        assert!(error.starts_with("\"12 apples\" is not a size; allowed: "), "{error}");
    }

    #[test]
    fn sizes_are_written_as_they_are_read() {
        for text in ["256MiB", "1GiB", "1000", "3KiB", "0"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn durations() {
        for (text, milliseconds, why) in [
            ("20s", Some(20_000), "seconds"),
            ("20", Some(20_000), "seconds without a unit"),
            ("500ms", Some(500), "milliseconds"),
            ("20000us", Some(20), "microseconds"),
            ("0.2s", Some(200), "a fraction"),
            ("0.1us", None, "less than a microsecond"),
            ("2m", Some(120_000), "minutes"),
            ("1h", Some(3_600_000), "hours"),
            ("soon", None, "no number"),
            ("1 year", None, "an unknown unit"),
            ("99999999999999999999s", None, "more than 64 bits hold"),
        ] {
            let period = text.parse::<Period>().ok().map(|p| p.0.as_millis());
            assert_eq!(period, milliseconds, "{text}: {why}");
        }
    }
}
