//! Sizes, durations and addresses as people write them on a command line or in a file.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

/// A size in octets, written `4096`, `10kB`, `256MiB`.
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
        let (number, unit) = split_unit(text);
        let scale = SIZE_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
        let number = number.parse::<u64>().ok();
        number
            .zip(scale)
            .and_then(|(number, scale)| number.checked_mul(scale))
            .map(Self)
            .ok_or_else(|| {
                format!(
                    "{text:?} is not a size; allowed: octets such as 1048576, or a whole number \
                     with KiB, MiB, GiB, TiB, kB, MB, GB or TB, such as 256MiB"
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

/// A duration, written `500ms`, `20s`, `2m`, `1h`; a bare number is in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

const PERIOD_UNITS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("", 1_000)];

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text);
        let scale = PERIOD_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
        let number = number.parse::<u64>().ok();
        number
            .zip(scale)
            .and_then(|(number, scale)| number.checked_mul(scale))
            .map(|milliseconds| Self(Duration::from_millis(milliseconds)))
            .ok_or_else(|| {
                format!(
                    "{text:?} is not a duration; allowed: a whole number with ms, s, m, h or d, \
                     such as 20s"
                )
            })
    }
}

/// `text` as an address to listen on or to connect to: a literal one, no name.
///
/// # Errors
/// One line with the text and what is allowed.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is not an address; allowed: IP:PORT such as 127.0.0.1:8080 or [::1]:8080")
    })
}

fn split_unit(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    (number, unit.strip_prefix(' ').unwrap_or(unit))
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
            ("1.5GiB", None, "whole numbers only"),
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

    #[test]
    fn addresses_are_literal() {
        for (text, good, why) in [
            ("127.0.0.1:80", true, "IPv4"),
            ("[::1]:80", true, "IPv6"),
            ("localhost:80", false, "no names: the executable has no resolver of the system's"),
            ("127.0.0.1", false, "no port"),
        ] {
            assert_eq!(address(text).is_ok(), good, "{text}: {why}");
        }
    }
}
