//! What is asked of each peer: the table of cases.

/// What the cache must make of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered from what is stored.
    Hit,
    /// Fetched from the origin for each request.
    Miss,
}

/// One object and how it is asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Case {
    /// What `--case` calls it.
    pub name: &'static str,
    /// What the report calls it.
    pub title: &'static str,
    /// Path and query at the synthetic origin.
    pub target: &'static str,
    /// Octets of the content.
    pub octets: usize,
    /// Simultaneous persistent connections of the load.
    pub connections: u16,
    /// Checked before each round.
    pub outcome: Outcome,
}

/// All cases, in the order of the report. Before each round the object is asked for until it is what
/// `outcome` says, so an hour of freshness outlasts any round.
pub const CASES: &[Case] = &[
    Case {
        name: "1k-hit",
        title: "1 KB hit, 64 connections",
        target: "/bytes/1000?max-age=3600",
        octets: 1_000,
        connections: 64,
        outcome: Outcome::Hit,
    },
    Case {
        name: "16k-hit",
        title: "16 KB hit, 64 connections",
        target: "/bytes/16000?max-age=3600",
        octets: 16_000,
        connections: 64,
        outcome: Outcome::Hit,
    },
    Case {
        name: "100k-hit",
        title: "100 KB hit, 64 connections",
        target: "/bytes/100000?max-age=3600",
        octets: 100_000,
        connections: 64,
        outcome: Outcome::Hit,
    },
    Case {
        name: "1m-hit",
        title: "1 MB hit, 64 connections",
        target: "/bytes/1000000?max-age=3600",
        octets: 1_000_000,
        connections: 64,
        outcome: Outcome::Hit,
    },
    Case {
        name: "1k-miss",
        title: "1 KB miss (no-store), 64 connections",
        target: "/bytes/1000?cache-control=no-store",
        octets: 1_000,
        connections: 64,
        outcome: Outcome::Miss,
    },
];

impl Case {
    /// The case that `--case` calls `name`.
    ///
    /// # Errors
    /// One line with the names that there are.
    pub fn named(name: &str) -> Result<&'static Self, String> {
        CASES.iter().find(|case| case.name == name).ok_or_else(|| {
            let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
            format!("{name:?} is not a case; allowed: {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_found_by_their_names() {
        for case in CASES {
            assert_eq!(Case::named(case.name), Ok(case));
        }
        let error = Case::named("2k-hit").unwrap_err();
        assert!(error.starts_with("\"2k-hit\" is not a case; allowed: 1k-hit, "), "{error}");
    }

    #[test]
    fn a_target_says_the_octets_of_its_case() {
        for case in CASES {
            let start = format!("/bytes/{}?", case.octets);
            assert!(case.target.starts_with(&start), "{}", case.name);
        }
    }
}
