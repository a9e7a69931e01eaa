//! An input taken apart: single octets that choose, parts that end with an octet no text has, and field lines.

use lastmile_http::time::UnixTime;

/// Ends a part. UTF-8 and ASCII do not have it, so inputs stay readable, and what it separates can still hold any octet
/// that a fault may lie in.
const PART_END: u8 = 0xff;

/// What is left of an input. Where it is at its end, everything is zero or empty.
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// The next octet.
    pub fn octet(&mut self) -> u8 {
        let octet = self.rest.first().copied().unwrap_or_default();
        self.rest = self.rest.get(1..).unwrap_or_default();
        octet
    }

    /// One of `among`, which is not empty, by the next octet.
    pub fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[usize::from(self.octet()) % among.len()]
    }

    /// Up to the end of the next part.
    pub fn part(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|octet| *octet == PART_END);
        let (part, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest.get(1..).unwrap_or_default();
        part
    }

    /// The next part as a decimal number; what is no digit is skipped.
    pub fn number(&mut self) -> u64 {
        let digits = self.part().iter().filter(|octet| octet.is_ascii_digit());
        digits.fold(0, |number: u64, digit| {
            number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))
        })
    }

    /// The next part as a number of seconds since the epoch, before the year 10,000.
    pub fn time(&mut self) -> UnixTime {
        UnixTime::from_seconds(self.number() % 253_402_300_800)
    }

    /// The next part as field lines that end with CR LF even if the input writes only LF: what it takes to come to the
    /// meaning of fields. The parsing itself has targets of its own.
    pub fn lines(&mut self) -> Vec<u8> {
        let mut lines = Vec::new();
        for line in self.part().split(|octet| *octet == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() {
                lines.extend_from_slice(line);
                lines.extend_from_slice(b"\r\n");
            }
        }
        lines
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }
}
