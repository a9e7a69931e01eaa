//! Measured round-trip times by name, as they come: from a file, and from the admin server until they are old. Pure,
//! but for `rtt/keeper.rs`, which keeps those of a running GSLB.

pub(crate) mod keeper;

use crate::map::{Prefix, RegionIndex};
use crate::steer::Policy;
use crate::steer::measured::{Measurement, Table};
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Measurements of a file, and as many that came to the admin server: 10 MB each.
pub(crate) const ENTRIES_MAX: usize = 100_000;
/// Octets of a CSV that comes to the admin server: all the measurements that can be kept.
pub const RTT_OCTETS_MAX: usize = 4 << 20;
/// Milliseconds.
const RTT_MS: RangeInclusive<f64> = 0.001..=60_000.0;
/// What the lines of a CSV have.
const HEADING: &str = "prefix,target,rtt_ms";

/// One measurement as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) prefix: Prefix,
    /// The name of an edge or a region.
    pub(crate) target: Box<str>,
    pub(crate) rtt_ms: f64,
}

/// Reads lines of `prefix,target,rtt_ms`; empty lines, `#` comments and a heading are skipped.
///
/// # Errors
/// The line, and what is wrong with it.
pub(crate) fn read_csv(text: &str) -> Result<Vec<(usize, Entry)>, (usize, String)> {
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() || (index == 0 && line.eq_ignore_ascii_case(HEADING)) {
            continue;
        }
        let wrong = |message: String| (index + 1, message);
        let fields: Vec<_> = line.split(',').map(str::trim).collect();
        let &[prefix, target, rtt] = &fields[..] else {
            return Err(wrong(format!("{line:?} is not `{HEADING}`")));
        };
        if entries.len() >= ENTRIES_MAX {
            return Err(wrong(format!("is one measurement too many (at most {ENTRIES_MAX})")));
        }
        let rtt_ms = rtt.parse().ok().filter(|rtt| RTT_MS.contains(rtt)).ok_or_else(|| {
            let (from, to) = (RTT_MS.start(), RTT_MS.end());
            wrong(format!("rtt_ms: {rtt:?} is not allowed; allowed: {from} to {to}"))
        })?;
        let prefix_wrong = |message| wrong(format!("prefix: {prefix:?} {message}"));
        let prefix = prefix.parse().map_err(prefix_wrong)?;
        entries.push((index + 1, Entry { prefix, target: target.into(), rtt_ms }));
    }
    Ok(entries)
}

/// What an entry's target is the region of: an edge of this name, or a region.
pub(crate) fn region_of(policy: &Policy, target: &str) -> Result<RegionIndex, String> {
    let edge = policy.edges.iter().position(|edge| *edge.name == *target);
    let region = policy.regions.iter().position(|region| match edge {
        Some(edge) => region.edges.contains(&edge),
        None => *region.name == *target,
    });
    let region = region.and_then(|region| RegionIndex::try_from(region).ok());
    region.ok_or_else(|| format!("target: {target:?} is no edge and no region"))
}

/// Measurements of these entries.
///
/// # Errors
/// The line of one whose target is not there, and that.
pub(crate) fn resolve(
    policy: &Policy,
    entries: Vec<(usize, Entry)>,
) -> Result<Vec<Measurement>, (usize, String)> {
    // Most are of a few edges.
    let mut known: HashMap<Box<str>, RegionIndex> = HashMap::new();
    let mut measurements = Vec::with_capacity(entries.len());
    for (line, Entry { prefix, target, rtt_ms }) in entries {
        let region = match known.get(&target) {
            Some(region) => *region,
            None => region_of(policy, &target).map_err(|message| (line, message))?,
        };
        known.entry(target.clone()).or_insert(region);
        measurements.push(Measurement { prefix, target, region, rtt_ms });
    }
    Ok(measurements)
}

/// What came to the admin server.
#[derive(Debug, Default)]
pub(crate) struct Posted {
    /// Times in ms, and when they came.
    entries: HashMap<(Prefix, Box<str>), (f64, Duration)>,
}

impl Posted {
    /// Takes all of them, in the place of older ones of the same prefix and target.
    ///
    /// # Errors
    /// There would be too many; nothing is taken then.
    pub(crate) fn take(
        &mut self,
        measurements: &[Measurement],
        now: Duration,
    ) -> Result<(), String> {
        let key = |it: &Measurement| (it.prefix, it.target.clone());
        let new = measurements.iter().filter(|it| !self.entries.contains_key(&key(it))).count();
        if self.entries.len() + new > ENTRIES_MAX {
            return Err(format!("would be more than {ENTRIES_MAX} measurements"));
        }
        self.entries.extend(measurements.iter().map(|it| (key(it), (it.rtt_ms, now))));
        Ok(())
    }

    /// Forgets what came longer ago. Whether there was any.
    pub(crate) fn expire(&mut self, now: Duration, after: Duration) -> bool {
        let before = self.entries.len();
        self.entries.retain(|_, (_, came)| now.saturating_sub(*came) < after);
        self.entries.len() < before
    }

    /// Makes `policy` go by these, and by those of its file that are not newer here. Those whose target is not there
    /// any more are passed over.
    ///
    /// # Errors
    /// They need more different orders of regions than there can be; nothing changes then.
    pub(crate) fn publish(&self, policy: &Policy) -> Result<(), String> {
        let newer = |it: &&Measurement| !self.entries.contains_key(&(it.prefix, it.target.clone()));
        let mut all: Vec<_> = policy.measured.from_file.iter().filter(newer).cloned().collect();
        let mut known: HashMap<&str, Option<RegionIndex>> = HashMap::new();
        for ((prefix, target), (rtt_ms, _)) in &self.entries {
            let region = *known.entry(target).or_insert_with(|| region_of(policy, target).ok());
            if let Some(region) = region {
                let (target, rtt_ms) = (target.clone(), *rtt_ms);
                all.push(Measurement { prefix: *prefix, target, region, rtt_ms });
            }
        }
        let order = |region: RegionIndex| policy.regions[usize::from(region)].order.clone();
        policy.measured.store(Table::new(all, &policy.map, order)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_or_refused() {
        for (text, expected, why) in [
            ("10.0.0.0/8,a,12.5\n", Ok(1), "a measurement"),
            ("prefix,target,rtt_ms\n\n# x\n10.0.0.1 , a , 3 # y\n::/0,a,9\n", Ok(2), "all kinds"),
            ("10.0.0.0/8,a\n", Err(1), "no time"),
            ("\n10.0.0.0/8,a,0\n", Err(2), "no time at all"),
            ("10.0.0.0/8,a,-3\n", Err(1), "before it was sent"),
            ("10.0.0.0/8,a,NaN\n", Err(1), "no number"),
            ("10.0.0.0/8,a,1e6\n", Err(1), "longer than a minute"),
            ("10.0.0.1/8,a,3\n", Err(1), "bits beyond the length"),
            ("10.0.0.0/8,a,3,4\n", Err(1), "more than it has"),
        ] {
            let read = read_csv(text).map(|entries| entries.len()).map_err(|(line, _)| line);
            assert_eq!(read, expected, "{why}");
        }
    }

    #[test]
    fn what_is_old_is_forgotten_and_there_is_a_limit() {
        let it = |number: u32, rtt_ms| Measurement {
            prefix: Prefix::of(std::net::IpAddr::V4(number.into()), 32),
            target: "a".into(),
            region: 0,
            rtt_ms,
        };
        let at = Duration::from_secs;
        let mut posted = Posted::default();
        posted.take(&[it(1, 5.0), it(2, 5.0)], at(0)).unwrap();
        posted.take(&[it(1, 6.0)], at(50)).unwrap();
        assert!(!posted.expire(at(59), at(60)), "a minute has not passed");
        assert!(posted.expire(at(60), at(60)), "one is old, the other has come again");
        assert_eq!(posted.entries.len(), 1);
        let many: Vec<_> = (10..10 + ENTRIES_MAX as u32).map(|number| it(number, 1.0)).collect();
        assert!(posted.take(&many, at(70)).is_err());
        assert_eq!(posted.entries.len(), 1, "none of them is taken");
        posted.take(&many[1..], at(70)).unwrap();
    }
}
