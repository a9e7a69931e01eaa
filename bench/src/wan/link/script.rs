//! Packets that are dropped for certain: `SYN-ACK 1`, `DATA 3-5`.

use super::packet::Kind;
use std::fmt;
use std::str::FromStr;

/// Drops some packets of one kind, counted from 1 at the start of each measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropScript {
    kind: Kind,
    first: u64,
    last: u64,
}

impl DropScript {
    /// Drops the packets of `kind` from number `first`, at least 1, to `last`; `None` for what is no such range.
    #[must_use]
    pub fn new(kind: Kind, first: u64, last: u64) -> Option<Self> {
        (first >= 1 && first <= last).then_some(Self { kind, first, last })
    }
}

impl FromStr for DropScript {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |why: &str| {
            format!(
                "{text:?} says no packets to drop: {why}; allowed: a kind of packet (SYN, SYN-ACK, DATA, ACK, FIN, \
                 ANY) and a number or a range from 1 on, such as \"SYN-ACK 1\" or \"DATA 3-5\""
            )
        };
        let (kind, numbers) =
            text.trim().split_once(' ').ok_or_else(|| refused("it has no number"))?;
        let kind: Kind = kind.parse().map_err(|why: String| refused(&why))?;
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let range = number(first).zip(number(last));
        range
            .and_then(|(first, last)| Self::new(kind, first, last))
            .ok_or_else(|| refused(&format!("{numbers:?} is no number or range")))
    }
}

impl fmt::Display for DropScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, first, last } = self;
        if first == last { write!(f, "{kind} {first}") } else { write!(f, "{kind} {first}-{last}") }
    }
}

/// A script, and how many packets of its kind it has seen.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    script: DropScript,
    seen: u64,
}

impl Counted {
    pub(super) fn new(script: DropScript) -> Self {
        Self { script, seen: 0 }
    }

    pub(super) fn script(&self) -> DropScript {
        self.script
    }

    /// Counts a packet; whether it is to be dropped.
    pub(super) fn wants(&mut self, kind: Option<Kind>) -> bool {
        if self.script.kind != Kind::Any && kind != Some(self.script.kind) {
            return false;
        }
        self.seen += 1;
        (self.script.first..=self.script.last).contains(&self.seen)
    }
}
