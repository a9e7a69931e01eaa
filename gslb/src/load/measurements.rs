//! `[rtt]` and its file.

use super::file::{RttEntry, Source};
use crate::ConfigError;
use crate::rtt::{Posted, read_csv, resolve};
use crate::steer::Policy;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Seconds. Paths change within hours, so what was measured yesterday is a guess like the map's.
const EXPIRES_S: RangeInclusive<i64> = 1..=604_800;
const EXPIRES_S_DEFAULT: i64 = 3600;

/// Reads the file, and lets `policy`, whose edges are read, go by it.
pub(super) fn read_rtt(
    source: &Source<'_>,
    entry: &RttEntry,
    policy: &mut Policy,
) -> Result<(), ConfigError> {
    let expires = entry.expires_s.as_ref();
    let expires = source.number("rtt.expires_s", expires, EXPIRES_S_DEFAULT, EXPIRES_S)?;
    policy.measured.expires = Duration::from_secs(expires.into());
    let Some(file) = &entry.file else { return Ok(()) };
    let path = source.directory.join(file.get_ref());
    let wrong = |(line, message): (usize, String)| {
        ConfigError::new(&path.display().to_string(), Some(line), message)
    };
    let entries = read_csv(&super::read_file(&path)?).map_err(wrong)?;
    policy.measured.from_file = resolve(policy, entries).map_err(wrong)?;
    let publish = Posted::default().publish(policy);
    publish.map_err(|message| source.wrong("rtt.file", file, message))
}

/// As long as the zone file says nothing.
pub(super) fn expires_default() -> Duration {
    Duration::from_secs(EXPIRES_S_DEFAULT as u64)
}
