//! From the outcomes of an edge's checks to whether it is up. Pure.

use std::fmt;
use std::time::Duration;

/// Silent checks in a row that take an edge out: one may be a lost packet.
const SILENT_MAX: u32 = 2;
/// An edge that has been up for so long is steady, and what it did before is forgotten.
const STEADY_AFTER: Duration = Duration::from_secs(60);
/// Answers in a row that are asked for at most of an edge that keeps going down: a minute of the default interval.
const RISE_MAX: u32 = 240;

/// What one check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It answered, and well.
    Passed,
    /// It said no: refused or closed the connection, or answered with an error.
    Refused(String),
    /// It said nothing in time.
    Silent,
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => out.write_str("answers"),
            Self::Refused(how) => out.write_str(how),
            Self::Silent => out.write_str("does not answer in time"),
        }
    }
}

/// What is remembered of an edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judge {
    is_up: bool,
    silent: u32,
    passed: u32,
    rise: u32,
    /// Answers in a row that it takes to be up again.
    needed: u32,
    /// Since when it is up; nothing from the start, when nothing was held against it.
    up_since: Option<Duration>,
}

impl Judge {
    pub(super) fn new(is_up: bool, rise: u32) -> Self {
        Self { is_up, silent: 0, passed: 0, rise, needed: rise, up_since: None }
    }

    /// Takes an outcome in, at a time that only grows. Whether the edge is up.
    pub(super) fn judge(&mut self, outcome: &Outcome, now: Duration) -> bool {
        match (outcome, self.is_up) {
            (Outcome::Passed, true) => self.silent = 0,
            (Outcome::Silent, true) if self.silent + 1 < SILENT_MAX => self.silent += 1,
            (Outcome::Silent | Outcome::Refused(_), true) => {
                let is_steady = self.up_since.is_none_or(|since| now - since >= STEADY_AFTER);
                self.needed = if is_steady { self.rise } else { (self.needed * 2).min(RISE_MAX) };
                (self.is_up, self.passed) = (false, 0);
            }
            (Outcome::Passed, false) => {
                self.passed += 1;
                if self.passed >= self.needed {
                    (self.is_up, self.silent, self.up_since) = (true, 0, Some(now));
                }
            }
            (Outcome::Silent | Outcome::Refused(_), false) => self.passed = 0,
        }
        self.is_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `+` passed, `-` refused, `.` silent, one each second; `1` up, `0` down.
    fn judged(outcomes: &str, rise: u32) -> String {
        let mut judge = Judge::new(true, rise);
        let each = outcomes.chars().enumerate().map(|(second, outcome)| {
            let outcome = match outcome {
                '+' => Outcome::Passed,
                '-' => Outcome::Refused("no".to_owned()),
                _ => Outcome::Silent,
            };
            judge.judge(&outcome, Duration::from_secs(second as u64))
        });
        each.map(|is_up| if is_up { '1' } else { '0' }).collect()
    }

    #[test]
    fn down_at_once_and_up_after_a_while() {
        for (outcomes, expected, why) in [
            ("+++-", "1110", "a refusal is enough"),
            ("+.+.+", "11111", "one silence is not"),
            ("+..", "110", "two are"),
            ("-+++", "0001", "three answers in a row"),
            ("-++-+++", "0000001", "a refusal between them counts"),
            ("-++.+++", "0000001", "and a silence"),
            ("-+++-++++++", "00010000001", "twice as many after it went again"),
            ("-+++-+++", "00010000", "so that it does not flap"),
        ] {
            assert_eq!(judged(outcomes, 3), expected, "{why}");
        }
    }

    #[test]
    fn what_was_long_ago_is_forgotten_and_there_is_a_limit() {
        let steady = format!("-+++{}-+++", "+".repeat(60));
        assert!(judged(&steady, 3).ends_with("0001"), "{}", judged(&steady, 3));
        let mut judge = Judge::new(true, 3);
        let mut now = Duration::ZERO;
        for _ in 0..20 {
            assert!(!judge.judge(&Outcome::Refused(String::new()), now));
            let mut asked = 0;
            while !judge.judge(&Outcome::Passed, now) {
                now += Duration::from_millis(1);
                asked += 1;
                assert!(asked < RISE_MAX, "it comes back in the end");
            }
        }
    }
}
